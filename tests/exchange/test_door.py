"""The door of the core: what its Python methods refuse before anything compiled sees it. Nothing is ever guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from desk import BUY, DAY, SELL, Desk

from marketsim.errors import InvalidValueError, InvariantViolation
from marketsim.exchange.core import MatchingCore, MemoryLog

pytestmark = pytest.mark.uncompiled

GOOD = {
    "time": 1, "owner": 1, "market": 0, "side": BUY, "order_type": 1, "time_in_force": 1, "flags": 0, "price": 10,
    "stop_price": 0, "quantity": 5, "expire": 0, "order_id": 0,
}  # fmt: skip


@pytest.fixture
def core() -> MatchingCore:
    core = MatchingCore(2)
    core.new(**GOOD)
    return core


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize("value", [1.0, 1.5, "1", None], ids=repr)
def test_only_whole_numbers_of_whole_types(core: MatchingCore, field: str, value: Any) -> None:
    """Compiled entry points would cut a float down to an int without a word."""
    with pytest.raises(TypeError):
        core.new(**{**GOOD, field: value})
    assert len(core.events()) == 1


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30])
def test_numbers_beyond_64_bits(core: MatchingCore, field: str, value: int) -> None:
    """They are named in the error; none is ever wrapped around."""
    with pytest.raises(InvalidValueError, match=str(value)):
        core.new(**{**GOOD, field: value})
    with pytest.raises(InvalidValueError, match=str(value)):
        core.cancel(1, 1, value)
    with pytest.raises(InvalidValueError, match=str(value)):
        core.replace(1, 1, 1, value, 5)
    assert len(core.events()) == 1
    assert core.new(**GOOD) == 2, "the core goes on as if nothing had been asked"


@pytest.mark.parametrize("wrong", [(1.0, 1, 1, 0), (1, 1.0, 1, 0), (1, 1, 1.0, 0), (1, 1, 1, 0.5)])
def test_cancels_take_whole_numbers(core: MatchingCore, wrong: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        core.cancel(*wrong)


@pytest.mark.parametrize("place", range(6))
def test_replaces_take_whole_numbers(core: MatchingCore, place: int) -> None:
    terms: list[Any] = [1, 1, 1, 10, 5, 0]
    terms[place] = 2.5
    with pytest.raises(TypeError):
        core.replace(*terms)
    assert core.queue(0, BUY, 10) == [(1, 5)]


def test_sessions_and_expiries_take_whole_numbers(core: MatchingCore) -> None:
    for call in (
        lambda: core.set_phase(1.0, 0, 1),  # type: ignore[arg-type]
        lambda: core.set_phase(1, 0.0, 1),  # type: ignore[arg-type]
        lambda: core.set_phase(1, 0, 1.0),  # type: ignore[arg-type]
        lambda: core.expire(1.0, 1),  # type: ignore[arg-type]
        lambda: core.expire(1, 1.0),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            call()


def test_numpy_integers_are_integers(core: MatchingCore) -> None:
    fields = {name: np.int64(value) for name, value in GOOD.items()}
    fields["side"] = np.int8(-1)  # type: ignore[assignment]
    fields["price"] = np.int32(11)  # type: ignore[assignment]
    assert core.new(**fields) == 2  # type: ignore[arg-type]
    assert core.new(**fields) == 3  # type: ignore[arg-type]
    assert core.depth(0, SELL) == [(11, 10, 2)]


@pytest.mark.parametrize(
    ("field", "value"),
    [("side", 0), ("side", 2), ("order_type", 0), ("order_type", 10), ("time_in_force", 0), ("time_in_force", 8),
     ("flags", 2), ("flags", 3), ("flags", -1), ("owner", 2**31), ("owner", -(2**31) - 1), ("order_id", -1),
     ("order_id", 2**40)],
)  # fmt: skip
def test_codes_and_numbers_that_do_not_exist(core: MatchingCore, field: str, value: int) -> None:
    with pytest.raises(InvalidValueError, match=f"{field}={value}"):
        core.new(**{**GOOD, field: value})
    assert len(core.events()) == 1


@pytest.mark.parametrize("market", [-1, 2, 10**6])
@pytest.mark.parametrize(
    "call",
    [
        lambda core, market: core.set_phase(1, market, 1),
        lambda core, market: core.end_session(1, market),
        lambda core, market: core.best(market),
        lambda core, market: core.depth(market, BUY),
        lambda core, market: core.queue(market, BUY, 10),
        lambda core, market: core.stops(market, SELL),
        lambda core, market: core.volume_on(market, SELL),
        lambda core, market: core.statistics(market),
        lambda core, market: core.track(market, True),
        lambda core, market: list(core.orders(market)),
    ],
    ids=["set_phase", "end_session", "best", "depth", "queue", "stops", "volume_on", "statistics", "track", "orders"],
)
def test_a_market_that_does_not_exist(core: MatchingCore, market: int, call: Callable[..., Any]) -> None:
    with pytest.raises(InvalidValueError, match=f"market {market}: this core has markets 0 to 1"):
        call(core, market)


@pytest.mark.parametrize(
    ("says", "call"),
    [
        ("Phase 9", lambda core: core.set_phase(1, 0, 9)),
        ("Reason 256", lambda core: core.set_phase(1, 0, 1, 256)),
        ("Reason -1", lambda core: core.cancel_owner(1, 1, 0, 0, -1)),
        ("SelfTrade 7", lambda core: core.prevent_self_trades(0, 7)),
        ("BandAction 5", lambda core: core.set_bands(0, 1, 2, 0, 5)),
        ("64 bits", lambda core: core.set_bands(0, 1, 2**63)),
        ("64 bits", lambda core: core.set_bands(0, 1, 2, 2**63)),
        ("64 bits", lambda core: core.set_reference(0, -(2**63) - 1)),
        ("64 bits", lambda core: core.set_allocation(0, True, 2**63)),
        ("owner 16777216", lambda core: core.set_account(2**24, 1)),
        ("account 9223372036854775808", lambda core: core.set_account(1, 2**63)),
    ],
)
def test_settings_that_no_table_could_hold(core: MatchingCore, says: str, call: Callable[..., Any]) -> None:
    with pytest.raises(InvalidValueError, match=says):
        call(core)
    assert core._books.rows["banded"][0] == 0, "a refused setting changes nothing"


def test_orders_are_asked_for_by_whole_numbers(core: MatchingCore) -> None:
    with pytest.raises(TypeError):
        core.order(1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("markets", [0, -1, 65_001])
def test_how_many_markets(markets: int) -> None:
    with pytest.raises(InvalidValueError, match="65000"):
        MatchingCore(markets)


def test_the_last_of_many_markets_is_not_the_sign_for_none() -> None:
    desk = Desk(MatchingCore(65_000))
    desk.buy(5, 10, market=64_999)
    assert desk.core.events()["market"].tolist() == [64_999]
    assert desk.bids(market=64_999) == [(10, 5, 1)]


# --- the rest of what a core tells ---------------------------------------------------------------------------------


def test_statistics_and_orders() -> None:
    desk = Desk(MatchingCore(2))
    desk.sell(5, 10, owner=3)
    desk.sell(5, 11, owner=4, tif=DAY)
    desk.buy(7, 11, owner=5)
    desk.buy(2, stop=20, owner=6)
    core = desk.core
    assert core.statistics(0) == {"last_price": 11, "last_quantity": 2, "trades": 2, "volume": 7}
    assert core.statistics(1) == {"last_price": 0, "last_quantity": 0, "trades": 0, "volume": 0}
    assert [order["order_id"] for order in core.orders(0)] == [2, 4]
    assert list(core.orders(1)) == []
    order = core.order(2)
    assert order is not None
    told = {name: order[name] for name in ("owner", "price", "quantity", "leaves", "side", "time_in_force")}
    assert told == {"owner": 4, "price": 11, "quantity": 5, "leaves": 3, "side": SELL, "time_in_force": DAY}
    assert [core.order(gone) for gone in (1, 3, 99, 0, -1)] == [None] * 5
    assert (core.volume_on(0, SELL), core.volume_on(0, BUY)) == (3, 0)


def test_a_log_of_its_own_receives_every_row_once() -> None:
    """Rows go to the given log chunk by chunk, in order; a core that writes elsewhere has no events() to show."""

    class Short(MemoryLog):
        chunks = 0

        def next_chunk(self, full: Any, used: int, needed: int) -> Any:
            Short.chunks += 1
            return super().next_chunk(full, used, needed)

    ours, plain = MatchingCore(1, log=Short(64)), MatchingCore(1)
    for core in (ours, plain):
        for number in range(500):
            core.new(number, 1, 0, BUY if number % 3 else SELL, 1, 1, 0, number % 5, 0, 2)
            if number % 50 == 0:
                core.flush()
                core.flush()
    assert Short.chunks > 20
    assert ours.events().tobytes() == plain.events().tobytes()

    class Elsewhere:
        def next_chunk(self, full: Any, used: int, needed: int) -> Any:
            return MemoryLog().next_chunk(None, 0, needed)

    with pytest.raises(InvalidValueError, match="elsewhere"):
        MatchingCore(1, log=Elsewhere()).events()


# --- check() finds what is broken --------------------------------------------------------------------------------


def _table(core: MatchingCore, name: str) -> Any:
    return np.asarray(getattr(core, f"_{name}").rows)


def _spoil_leaves(core: MatchingCore) -> None:
    _table(core, "orders")["leaves"][1] = 0


def _spoil_price(core: MatchingCore) -> None:
    _table(core, "orders")["price"][1] += 1


def _spoil_place(core: MatchingCore) -> None:
    _table(core, "orders")["place"][1] = 2


def _spoil_back_link(core: MatchingCore) -> None:
    _table(core, "orders")["prev"][2] = 0


def _spoil_tail(core: MatchingCore) -> None:
    _table(core, "levels")["tail"][1] = 1


def _spoil_level_sum(core: MatchingCore) -> None:
    _table(core, "levels")["quantity"][1] += 1


def _spoil_side_sum(core: MatchingCore) -> None:
    _table(core, "ladders")["quantity"][0] -= 1


def _spoil_side_count(core: MatchingCore) -> None:
    _table(core, "ladders")["orders"][0] += 1


def _spoil_rungs(core: MatchingCore) -> None:
    _table(core, "rungs")["key"][0:2] = _table(core, "rungs")["key"][1::-1]


def _spoil_level_price(core: MatchingCore) -> None:
    _table(core, "levels")["price"][2] += 1


def _spoil_slot(core: MatchingCore) -> None:
    _table(core, "slots")[1] = -1


def _spoil_free_orders(core: MatchingCore) -> None:
    np.asarray(core.record)["free_orders"] -= 1


def _spoil_free_levels(core: MatchingCore) -> None:
    np.asarray(core.record)["free_level"] = 0


def _spoil_election(core: MatchingCore) -> None:
    np.asarray(core.record)["elected_head"] = 1


def _cross_the_book(core: MatchingCore) -> None:
    """A bid at 10 against an ask that claims to be at 9, its rung included."""
    _table(core, "orders")["price"][4] = 9
    _table(core, "levels")["price"][3] = 9
    _table(core, "rungs")["key"][16] = -9


SPOILERS = [value for name, value in sorted(globals().items()) if name.startswith(("_spoil", "_cross"))]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__.strip("_"))
def test_check_finds_it(spoil: Callable[[MatchingCore], None]) -> None:
    desk = Desk(MatchingCore(1))
    desk.buy(5, 10)
    desk.buy(5, 10)
    desk.buy(5, 9)
    desk.sell(5, 12)
    desk.core.check()
    spoil(desk.core)
    with pytest.raises(InvariantViolation, match="please report"):
        desk.core.check()
