"""The book and the orders rebuilt from rows are those that the matching core had, after every single request."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from commands import REGIMES, Command, apply, generate
from flow import row, run_of
from hypothesis import given, settings
from test_twin import sequences

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderState, OrderType, Reason, TimeInForce
from marketsim.exchange.core import MatchingCore
from marketsim.results.events import MemoryEvents
from marketsim.results.history import History, OrderIndex

BUY, SELL = 1, -1
State = tuple[int, ...]


def shown(core: MatchingCore, market: int, levels: int) -> State:
    """The best levels as the history writes them."""
    cells = [0] * (4 * levels)
    for side, first in ((SELL, 0), (BUY, 2)):
        for level, (price, quantity, _) in enumerate(core.depth(market, side, levels)):
            cells[4 * level + first : 4 * level + first + 2] = [price, quantity]
    return tuple(cells)


class Witness:
    """Runs commands on a core and remembers, after each, how many rows there are and what every book shows."""

    def __init__(self, commands: list[Command], markets: int, levels: int) -> None:
        self.core = MatchingCore(markets)
        self.commands = commands
        self.ends: list[int] = []
        self.states: list[list[State]] = []
        for command in commands:
            apply(self.core, command)
            self.ends.append(len(self.core.events()))
            self.states.append([shown(self.core, market, levels) for market in range(markets)])
        self.history = History(MemoryEvents([self.core.events()]))

    def confirm(self, market: int, levels: int) -> int:
        """Compare with the history after every command; how often the book changed."""
        found = self.history.levels([market], levels)
        time = self.core.events()["time"]
        assert np.array_equal(found.time, time[found.number])
        told = dict(zip(found.number.tolist(), map(tuple, found.rows.tolist()), strict=True))
        before: State = (0,) * (4 * levels)
        start = changes = 0
        for command, end, states in zip(self.commands, self.ends, self.states, strict=True):
            after = states[market]
            here = [number for number in range(start, end) if number in told]
            if command[0] == "set_phase":  # each order that expires is a request of its own
                assert (told[here[-1]] if here else before) == after, command
            else:
                assert here == ([end - 1] if after != before else []), command
                assert not here or told[end - 1] == after, command
            changes += after != before
            before, start = after, end
        return changes


@pytest.mark.boundscheck
@pytest.mark.uncompiled
@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_levels_after_every_request_of_each_regime(regime: Any) -> None:
    for seed in range(3):
        witness = Witness(generate(seed, 300, 2, regimes=(regime,)), markets=2, levels=3)
        for market in range(2):
            witness.confirm(market, 3)


@pytest.mark.boundscheck
@pytest.mark.parametrize("levels", [1, 10])
def test_levels_after_every_request_of_a_long_stream(levels: int) -> None:
    witness = Witness(generate(11, 5_000), markets=3, levels=levels)
    changes = [witness.confirm(market, levels) for market in range(3)]
    assert min(changes) > 300
    kinds = Counter(witness.core.events()["kind"].tolist())
    assert min(kinds[kind] for kind in range(1, EventKind.REPLACE_REJECTED + 1)) > 10, kinds


@settings(max_examples=300)
@given(sequences)
def test_levels_after_every_request_of_any_short_sequence(commands: list[Command]) -> None:
    witness = Witness(commands, markets=2, levels=2)
    for market in range(2):
        witness.confirm(market, 2)


@pytest.mark.boundscheck
def test_a_book_of_thousands_of_levels() -> None:
    """All levels, however far apart, and none twice; more of them than any table begins with."""
    core = MatchingCore(1)
    prices = [(number * 7919) % 5_000 for number in range(5_000)]
    for number, price in enumerate(prices):
        side = SELL if price >= 2_500 else BUY
        far = price * 10**9 if number % 50 == 0 else 0
        core.new(number, 1, 0, side, 1, 1, 0, price + side * -far, 0, 1 + price % 3)
    for number in range(1, 5_000, 3):
        core.cancel(6_000, 1, number)
    history = History(MemoryEvents([core.events()]))
    levels = max(len(core.depth(0, side)) for side in (BUY, SELL)) + 1
    assert levels > 1_500
    assert tuple(history.levels([0], levels).rows[-1].tolist()) == shown(core, 0, levels)


@pytest.mark.parametrize("length", [1, 7, 100])
def test_blocks_of_any_length_tell_the_same(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    core = MatchingCore(2)
    for command in generate(21, 1_500, 2):
        apply(core, command)
    rows = core.events()
    whole = History(MemoryEvents([rows]))
    pieces = History(MemoryEvents([rows[start : start + length] for start in range(0, len(rows), length)]))
    for market in range(2):
        one, other = whole.levels([market], 2), pieces.levels([market], 2)
        assert np.array_equal(one.rows, other.rows)
        assert np.array_equal(one.number, other.number)
        one, other = (history.samples([market], 2, 50, 1_000, 3_000) for history in (whole, pieces))
        assert np.array_equal(one.rows, other.rows)
        messages = [np.concatenate([m for m, _ in history.lobster(market, 2, False)]) for history in (whole, pieces)]
        assert np.array_equal(*messages)
    assert np.array_equal(whole.orders(), pieces.orders())
    assert np.array_equal(whole.trades(), pieces.trades())


def test_a_common_book_of_two_markets() -> None:
    witness = Witness(generate(31, 2_000, 2), markets=2, levels=50)
    found = witness.history.levels([0, 1], 1)
    told = dict(zip(found.number.tolist(), found.rows.tolist(), strict=True))
    before = [0, 0, 0, 0]
    start = 0
    for command, end, states in zip(witness.commands, witness.ends, witness.states, strict=True):
        for number in range(start, end):
            before = told.get(number, before)
        start = end
        for first, best in ((0, min), (2, max)):
            quotes = [tuple(state[first : first + 2]) for state in states if state[first + 1]]
            price = best((price for price, _ in quotes), default=0)
            assert before[first] == price, command
            assert before[first + 1] == sum(quantity for at, quantity in quotes if at == price)


# --- a clock ---------------------------------------------------------------------------------------------------------


CLOCKS = [(1, 1_000, 1_200), (7, 990, 2_345), (100, 0, 9_999), (50, 1_500, 1_500)]


@pytest.mark.uncompiled
@pytest.mark.parametrize(("every", "start", "end"), CLOCKS)
def test_samples_are_the_levels_in_force(every: int, start: int, end: int) -> None:
    core = MatchingCore(2)
    for command in generate(41, 800, 2):
        apply(core, command)
    history = History(MemoryEvents([core.events()]))
    changes = history.levels([1], 2)
    samples = history.samples([1], 2, every, start, end)
    assert samples.time.tolist() == list(range(-(-start // every) * every, end + 1, every))
    for time, state in zip(samples.time, samples.rows.tolist(), strict=True):
        last = np.searchsorted(changes.time, time, "right") - 1  # with what happened at that very time
        assert state == (changes.rows[last].tolist() if last >= 0 else [0] * 8)


def test_samples_of_a_market_where_nothing_happens() -> None:
    history = History(MemoryEvents())
    assert history.samples([0], 1, 10, 0, 30).time.tolist() == [0, 10, 20, 30]
    assert history.levels([0], 1).rows.shape == (0, 4)


# --- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.boundscheck
@pytest.mark.uncompiled
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_order_ended_as_the_core_says(seed: int) -> None:
    commands = generate(seed, 1_500)
    core = MatchingCore(3)
    asked: Counter[tuple[int, int]] = Counter()
    made: set[int] = set()
    for command in commands:
        answer = apply(core, command)
        if command[0] == "new":
            made.add(answer)
        if command[0] in ("cancel", "replace") and command[3] in made:
            asked[command[3], command[2]] += 1
    rows = core.events()
    stories = History(MemoryEvents([rows])).orders()
    first = rows[np.isin(rows["kind"], (EventKind.ACCEPTED, EventKind.REJECTED))]
    for name in ("order_id", "time", "owner", "market", "side", "order_type", "time_in_force"):
        assert np.array_equal(stories[name], first[name]), name
    live = {order["order_id"]: order for market in range(3) for order in core.orders(market)}
    assert len(live) > 5
    seen: set[int] = set()
    for story in stories:
        number = int(story["order_id"])
        if story["state"] == OrderState.REJECTED:
            assert story["end_time"] == story["time"]
            assert story["reason"] != Reason.NONE
            seen.add(number)
            continue
        _check_story(story, rows[rows["order_id"] == number], rows, live.get(number))
        assert story["cancel_requests"] == asked[number, int(story["owner"])]
        seen.add(number)
    assert set(live) <= seen


def _check_story(story: Any, own: Any, rows: Any, live: dict[str, int] | None) -> None:
    number = story["order_id"]
    trades = rows[(rows["kind"] == EventKind.TRADE) & ((rows["order_id"] == number) | (rows["match_id"] == number))]
    assert story["filled"] == trades["quantity"].sum()
    if live is not None:
        assert story["end_time"] == -1
        assert story["state"] == (OrderState.PARTIALLY_FILLED if len(trades) else OrderState.ACCEPTED)
        for name in ("quantity", "leaves", "price", "stop_price"):
            if name != "stop_price" or story["order_type"] in (OrderType.STOP, OrderType.STOP_LIMIT):
                assert story[name] == live[name], name
        return
    gone = own[np.isin(own["kind"], (EventKind.CANCELED, EventKind.EXPIRED)) & (own["leaves"] == 0)]
    if len(gone):
        canceled = gone[-1]["kind"] == EventKind.CANCELED
        assert story["state"] == (OrderState.CANCELED if canceled else OrderState.EXPIRED)
        assert (story["reason"], story["end_time"]) == (gone[-1]["reason"], gone[-1]["time"])
        assert story["filled"] + gone[-1]["quantity"] == story["quantity"]
    else:
        assert story["state"] == OrderState.FILLED
        assert story["filled"] == story["quantity"]
        assert story["end_time"] == trades["time"][-1]
        assert story["reason"] == Reason.NONE
    assert story["leaves"] == 0


def test_a_duplicate_does_not_touch_the_order_whose_id_it_used() -> None:
    rows = [
        row(EventKind.ACCEPTED, 1, order_id=5, price=10, quantity=3, leaves=3, side=1, order_type=1, time_in_force=1),
        row(EventKind.REJECTED, 2, order_id=5, price=11, quantity=9, side=-1, order_type=1, time_in_force=1,
            reason=int(Reason.DUPLICATE_ORDER)),
        row(EventKind.CANCELED, 3, order_id=5, price=10, quantity=1, leaves=2, side=1, order_type=1, time_in_force=1,
            reason=int(Reason.BY_REQUEST)),
    ]  # fmt: skip
    history = History(MemoryEvents([np.array(rows, EVENT)]))
    first, second = history.orders()
    assert (first["state"], first["quantity"], first["cancel_requests"]) == (OrderState.ACCEPTED, 2, 1)
    assert (second["state"], second["quantity"], second["cancel_requests"]) == (OrderState.REJECTED, 9, 0)
    assert history.levels([0], 1).rows.tolist() == [[0, 0, 10, 3], [0, 0, 10, 2]]


def test_requests_count_for_the_order_that_was_there_and_its_owner() -> None:
    """Not for one whose number was used too early, nor for what a stranger asked."""
    refused = {"order_id": 5, "market": 65_535, "reason": int(Reason.UNKNOWN_ORDER)}
    rows = [
        row(EventKind.CANCEL_REJECTED, 1, **refused),
        row(EventKind.ACCEPTED, 2, order_id=5, price=10, quantity=3, leaves=3, side=1, order_type=1, time_in_force=1),
        row(EventKind.CANCEL_REJECTED, 3, **{**refused, "owner": 8}),
        row(EventKind.REPLACE_REJECTED, 4, **{**refused, "owner": 8}),
        row(EventKind.REPLACE_REJECTED, 5, **refused),
    ]
    assert History(MemoryEvents([np.array(rows, EVENT)])).orders()["cancel_requests"].tolist() == [1]


@pytest.mark.parametrize("offset", [0, 1 << 39])
def test_places_of_ids_near_and_far_apart(offset: int) -> None:
    ids = np.array([3, 9, 4, 9, 1], np.int64) + offset
    index = OrderIndex(ids)
    assert index.slots(np.array([1, 3, 4, 9, 2, 10], np.int64) + offset).tolist() == [4, 0, 2, 1, -1, -1]
    assert index.slots(np.array([-1, 0, 1 << 40, 1 << 62])).tolist() == [-1, -1, -1, -1]
    assert OrderIndex(np.empty(0, np.int64)).slots(np.array([0, 1])).tolist() == [-1, -1]


def test_an_id_below_zero_has_a_place_like_others() -> None:
    index = OrderIndex(np.array([-5, 2, -(1 << 62)], np.int64))
    assert index.slots(np.array([2, -5, -(1 << 62), -1, 0], np.int64)).tolist() == [1, 0, 2, -1, -1]


def test_times_out_of_order_write_nothing_beyond_the_samples() -> None:
    rows = np.zeros(3, EVENT)
    rows["time"], rows["order_id"], rows["kind"] = (5, 1 << 40, 6), (1, 2, 3), int(EventKind.ACCEPTED)
    found = History(MemoryEvents([rows])).samples([0], 1, 1, 0, 8)
    assert len(found.time) <= 9


# --- logs that end early ---------------------------------------------------------------------------------------------


def test_any_beginning_of_a_log_can_be_read() -> None:
    """A killed process leaves rows that may end in the middle of a request."""
    core = MatchingCore(2)
    for command in generate(51, 250, 2):
        apply(core, command)
    rows = core.events()
    whole = [History(MemoryEvents([rows])).levels([market], 2) for market in range(2)]
    for end in range(len(rows)):
        run = run_of(rows[:end], markets=2)
        assert len(run.orders) == np.isin(rows["kind"][:end], (EventKind.ACCEPTED, EventKind.REJECTED)).sum()
        assert len(run.trades) == (rows["kind"][:end] == EventKind.TRADE).sum()
        for market in range(2):
            found = run.history.levels([market], 2)
            count = max(len(found.time) - 1, 0)  # the last state may be that of half a request
            assert np.array_equal(found.rows[:count], whole[market].rows[:count])


def test_half_a_request_leaves_nothing_on_the_book_that_could_never_rest() -> None:
    """The log ends after the first of an IOC order's trades; a GTC order would rest with what is left."""
    for time_in_force, rests in ((TimeInForce.GTC, True), (TimeInForce.IOC, False), (TimeInForce.FOK, False)):
        core = MatchingCore(1)
        for quantity in (1, 2):
            core.new(1, 1, 0, SELL, 1, 1, 0, 10, 0, quantity)
        core.new(2, 2, 0, BUY, 1, int(time_in_force), 0, 10, 0, 3)
        rows = core.events()
        assert rows["kind"].tolist()[-2:] == [EventKind.TRADE, EventKind.TRADE]
        levels = History(MemoryEvents([rows[:-1]])).levels([0], 1)
        assert levels.rows[-1].tolist() == [10, 2, *((10, 2) if rests else (0, 0))]
