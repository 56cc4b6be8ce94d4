"""Tables of the core that begin with room for one: every request then meets a table that is too short, and must be as
if nothing had happened before it is repeated. And the notes of which levels a request touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from commands import REGIMES, Generator, Regime, apply, guarded_of
from desk import BUY, SELL, Desk
from test_twin import Trial, run_stream

from marketsim.exchange import core as core_module
from marketsim.exchange.core import MatchingCore, MemoryLog
from marketsim.kernel.compiled import Table

pytestmark = [pytest.mark.boundscheck, pytest.mark.uncompiled]


class TinyTable(Table):
    """Orders, levels, slots and touches begin with one place beside the unused number 0."""

    def __init__(self, dtype: np.dtype[Any], length: int) -> None:
        super().__init__(dtype, 2 if length in (1024, 4096) else length)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores made now have tiny tables and chunks of eight rows."""
    monkeypatch.setattr(core_module, "Table", TinyTable)
    monkeypatch.setattr(core_module, "_CHUNK", 8)


def tiny_core(markets: int) -> MatchingCore:
    core = MatchingCore(markets, log=MemoryLog(8))
    assert len(core._orders) == len(core._levels) == len(core._slots) == len(core._touched) == 2
    assert len(core._chunk) == 8
    return core


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_short_of_everything(regime: Regime) -> None:
    for seed in range(3):
        trial = Trial(2, tiny_core(2))
        for market in range(2):
            trial.core.track(market, True)
        generator = Generator(seed, 2, regimes=(regime,))
        trial.twin = generator.core
        for number in range(150):
            trial.run(generator.next(), twin_has_run=True)
            if number % 10 == 0:
                trial.compare()
        trial.compare()
        assert len(trial.core._orders) > 2
        assert len(trial.core._slots) > 64


@pytest.mark.usefixtures("tiny")
def test_a_cascade_without_room_for_its_levels_and_rows() -> None:
    """Forty stop-limit orders rest at forty new prices within one request."""
    desk = Desk(tiny_core(1))
    for number in range(40):
        desk.sell(1, 1_000 + 7 * number % 40, stop=10 - number % 3)
        desk.buy(1, -1_000 - number, stop=12)
    desk.buy(1, 5)
    desk.rows()
    desk.sell(1, 5)
    told = desk.told()
    assert sum(line.startswith("TRIGGERED") for line in told) == 40
    assert len(desk.asks()) == 40
    assert len(told) == 42


@pytest.mark.parametrize("resting", [True, False], ids=["orders", "stops"])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_one_ladder_grows_while_its_neighbours_stay(side: int, resting: bool) -> None:
    """Every market begins with room for sixteen prices a side; what one needs more must not come from the next."""
    desk = Desk(MatchingCore(2))
    for market in range(2):
        for other in (BUY, SELL):
            desk.order(other, 1, -1_000 * other, market=market)
            desk.order(other, 1, stop=9_000 * other, market=market)
    for number in range(70):
        price = number * 9 % 70 - 100 * side
        if resting:
            desk.order(side, 1, price)
        else:
            desk.order(side, 1, stop=price)
        if number % 10 == 0:
            desk.core.check()
    for market in range(2):
        for other in (BUY, SELL):
            grown = market == 0 and other == side
            assert len(desk.core.depth(market, other)) == (71 if grown and resting else 1)
            assert len(desk.stops(other, market)) == (71 if grown and not resting else 1)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", ["limit", "market", "stop", "stop-limit", "replace"])
def test_a_sweep_longer_than_a_chunk(kind: str) -> None:
    """Whatever sends it: room for the worst is made before the first row is written."""
    desk = Desk(tiny_core(1))
    desk.last_price(-1)
    first = desk.buy(60, -5) if kind == "replace" else 2
    for number in range(60):
        desk.sell(1, 100 + number)
    desk.rows()
    taker = first + 61
    if kind == "replace":
        taker = first
        desk.replace(first, 160, 60)
    else:
        limit = 160 if "limit" in kind else None
        assert desk.buy(60, limit, stop=-1 if "stop" in kind else None) == taker
    assert [line for line in desk.told() if line.startswith("TRADE")] == [
        f"TRADE #{taker} with #{first + 1 + number} 1@{100 + number} leaves 0" for number in range(60)
    ]


@pytest.mark.usefixtures("tiny")
def test_numbers_beside_the_end_of_the_table() -> None:
    """An id that the table has no place for is unknown, and nothing behind the table is read."""
    desk = Desk(tiny_core(1))
    for _ in range(3):
        desk.buy(1, 10)
    desk.rows()
    end = len(desk.core._slots)
    for order_id in (end - 1, end, end + 1, 0, -1):
        desk.cancel(order_id)
        desk.replace(order_id, 10, 1)
        desk.expire(order_id)
    expected = []
    for order_id in (end - 1, end, end + 1, 0, -1):
        if order_id == 3:
            expected += ["CANCELED #3 1@10 leaves 0 BY_REQUEST"]
        else:
            expected += [f"CANCEL_REJECTED #{order_id} 0 UNKNOWN_ORDER"]
        expected += [f"REPLACE_REJECTED #{order_id} 1@10 UNKNOWN_ORDER"]
    assert desk.told() == expected


def test_every_level_that_changed_was_noted() -> None:
    """Of tracked markets, each price whose quantity differs after a request is among the touched; of others none."""
    core = MatchingCore(3)
    core.track(0, True)
    core.track(2, True)
    generator = Generator(4, 3)
    seen = 0
    before = _depths(core)
    for _ in range(600):
        command = generator.next()
        apply(core, command)
        after = _depths(core)
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        noted = _take_touches(core)
        assert all(market in (0, 2) for market, _, _ in noted)
        assert {key for key in changed if key[0] != 1} <= noted, command
        seen += len(changed)
        before = after
    assert seen > 300


def test_a_market_is_tracked_from_now_on_and_no_longer() -> None:
    core = MatchingCore(1)
    desk = Desk(core)
    desk.buy(1, 10)
    assert _take_touches(core) == set()
    core.track(0, True)
    desk.buy(1, 11)
    desk.sell(1, 11)
    desk.sell(2, stop=7)
    assert _take_touches(core) == {(0, BUY, 11)}
    core.track(0, False)
    desk.cancel(1)
    assert _take_touches(core) == set()


def _depths(core: MatchingCore) -> dict[tuple[int, int, int], int]:
    return {
        (market, side, price): quantity
        for market in range(3)
        for side in (BUY, SELL)
        for price, quantity, _ in core.depth(market, side)
    }


def _take_touches(core: MatchingCore) -> set[tuple[int, int, int]]:
    """What a feed does after each request: read the notes and begin again."""
    record = np.asarray(core.record)
    rows = np.asarray(core._touched.rows)[: int(record["touches"][0])].tolist()
    record["touches"] = 0
    return {(ladder // 8, SELL if ladder % 8 else BUY, price) for ladder, price in rows}


def test_the_same_stream_whatever_the_tables_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run_stream(11, 200).core.events().tobytes()
    monkeypatch.setattr(core_module, "Table", TinyTable)
    monkeypatch.setattr(core_module, "_CHUNK", 8)
    core, generator = tiny_core(3), Generator(11)
    core.prevent_self_trades(guarded_of(3))
    for _ in range(200):
        apply(core, generator.next())
    assert core.events().tobytes() == plain
