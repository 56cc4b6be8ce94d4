"""Protection of positions: never more exits than are held, stops that only come closer, nothing left when it is flat.

Cases by hand on a venue played by hand, everything in any order by hypothesis, and one market with a real venue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import marketsim as ms
from marketsim.agents.protection import PositionGuard, planned, planned_stop
from marketsim.domain.market_data import Bar, Report
from marketsim.domain.order import OrderState, OrderType, Side, TimeInForce
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from tests.agents.hand_venue import HandVenue


@dataclass
class Holder(Agent):
    """Hands its reports on to its guard."""

    def on_report(self, report: Report, order: Order | None) -> None:
        self.guard.on_report(report, order)


def desk(position: int = 0) -> tuple[HandVenue, PositionGuard]:
    agent = Holder()
    venue = HandVenue(agent, position)
    agent.guard = PositionGuard(agent)  # type: ignore[attr-defined]
    return venue, agent.guard  # type: ignore[attr-defined]


def enter(venue: HandVenue, side: Side, lots: int, **terms: Any) -> Order:
    order = venue.agent.order(side, venue.instruments[0], lots, **terms)
    venue.settle()
    return order


def standing(venue: HandVenue) -> list[tuple[str, int, int]]:
    """What stands at the venue: type, lots, price or stop price."""
    return sorted(
        (one.order.order_type.name, one.left, one.stop or one.price) for one in venue.book.values()
    )  # fmt: skip


@pytest.mark.parametrize(("side", "stop", "target"), [(Side.BUY, 9_980, 10_030), (Side.SELL, 10_020, 9_970)])
def test_a_position_has_a_pair_of_exits(side: Side, stop: int, target: int) -> None:
    venue, guard = desk()
    guard.protect(stop=stop, targets=[(target, 1.0)])
    assert not venue.sent
    enter(venue, side, 10)
    assert standing(venue) == [("LIMIT", 10, target), ("STOP", 10, stop)]
    assert guard.covered == abs(guard.lots) == 10
    venue.move(target, 4)
    venue.settle()
    assert standing(venue) == [("LIMIT", 6, target), ("STOP", 6, stop)]
    venue.move(stop, 100)
    venue.settle()
    assert venue.position == guard.lots == 0
    assert not venue.book
    assert guard.stop is None


def test_fills_of_a_resting_entry_are_covered_as_they_come() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980)
    entry = enter(venue, Side.BUY, 10, limit=9_999)
    assert standing(venue) == [("LIMIT", 10, 9_999)]
    venue.trade(entry, 3)
    venue.settle()
    venue.trade(entry, 5)
    venue.settle()
    assert standing(venue) == [("LIMIT", 2, 9_999), ("STOP", 3, 9_980), ("STOP", 5, 9_980)]
    assert guard.entry_price == 9_999


def test_targets_share_the_position_however_it_came() -> None:
    """Half at the first target, a quarter at the second, and the rest has a stop alone."""
    venue, guard = desk()
    guard.protect(stop=9_900, targets=[(10_010, 0.5), (10_020, 0.25)])
    entry = enter(venue, Side.BUY, 12, limit=9_999)
    for lots in (1, 2, 4, 5):
        venue.trade(entry, lots)
        venue.settle()
    limits = [(price, left) for kind, left, price in standing(venue) if kind == "LIMIT"]
    assert sum(left for price, left in limits if price == 10_010) == 6
    assert sum(left for price, left in limits if price == 10_020) == 3
    assert sum(left for kind, left, _ in standing(venue) if kind == "STOP") == 12
    venue.move(10_010, 6)
    venue.settle()
    guard.on_price(10_010, trail=5)  # everything is placed anew, and the first target has had its share
    venue.settle()
    found = standing(venue)
    assert sum(left for kind, left, _ in found if kind == "LIMIT") == 3
    assert sum(left for kind, left, _ in found if kind == "STOP") == 6
    assert {price for _, _, price in found} == {10_020, 10_005}


def test_a_trailing_stop_follows_and_never_goes_back() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980, trail=20)
    enter(venue, Side.BUY, 10)
    for price, stop in ((10_000, 9_980), (10_010, 9_990), (10_005, 9_990), (10_030, 10_010), (10_015, 10_010)):
        venue.last = price
        guard.on_price(price)
        venue.settle()
        assert guard.stop == stop
        assert standing(venue) == [("STOP", 10, stop)]
    assert [stop for _, stop in venue.moved] == [9_990, 10_010]
    assert not guard.tighten(10_005)
    assert guard.why(venue.moved[-1][0]) == "trailing stop"


def test_a_stop_with_a_target_is_moved_by_placing_both_anew() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980, targets=[(10_050, 1.0)], trail=20)
    enter(venue, Side.BUY, 10)
    guard.on_price(10_010)
    assert not venue.moved
    venue.take_request()  # the cancel is at the venue, its report under way
    assert not venue.book
    assert venue.exits(1) == 0
    venue.settle()
    assert standing(venue) == [("LIMIT", 10, 10_050), ("STOP", 10, 9_990)]


def test_what_the_target_trades_while_the_pair_is_moved_is_not_sold_again() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980, targets=[(10_050, 1.0)], trail=20)
    enter(venue, Side.BUY, 10)
    target = next(one.order for one in venue.book.values() if one.order.order_type is OrderType.LIMIT)
    guard.on_price(10_010)
    venue.trade(target, 4)  # before the cancel arrives
    venue.settle()
    assert guard.lots == venue.position == 6
    assert standing(venue) == [("LIMIT", 6, 10_050), ("STOP", 6, 9_990)]


@pytest.mark.parametrize(("side", "trigger", "even"), [(Side.BUY, 10_010, 10_001), (Side.SELL, 9_990, 10_000)])
def test_breakeven_puts_the_stop_at_the_mean_entry_price(side: Side, trigger: int, even: int) -> None:
    """Entered at 10,000 and 10,001: the mean is 10,000.5, rounded so that nothing is lost."""
    venue, guard = desk()
    guard.protect(stop=10_000 - 50 * side, breakeven=trigger)
    enter(venue, side, 5)
    venue.last = 10_001
    enter(venue, side, 5)
    assert guard.entry_price == 10_000.5
    guard.on_price(trigger - side)
    assert guard.stop == 10_000 - 50 * side
    guard.on_price(trigger)
    venue.last = trigger
    venue.settle()
    assert guard.stop == even
    assert standing(venue) == [("STOP", 5, even), ("STOP", 5, even)]


def test_what_one_target_trades_leaves_the_other_pieces_alone() -> None:
    """The report of a trade comes before that of its partner's loss: nothing is canceled in between."""
    venue, guard = desk()
    guard.protect(stop=9_980, targets=[(10_010, 0.5), (10_020, 0.5)])
    enter(venue, Side.BUY, 10)
    venue.move(10_010, 2)
    venue.tell()
    assert guard.lots == guard.covered == 8
    venue.settle()
    assert len(venue.sent) == 5
    assert standing(venue) == [
        ("LIMIT", 3, 10_010), ("LIMIT", 5, 10_020), ("STOP", 3, 9_980), ("STOP", 5, 9_980),
    ]  # fmt: skip


def test_a_gap_is_filled_where_the_price_is() -> None:
    """The stop is passed while its pair is being moved: it is elected as it arrives."""
    venue, guard = desk()
    guard.protect(stop=9_980, targets=[(10_050, 1.0)], trail=20)
    enter(venue, Side.BUY, 10)
    guard.on_price(10_010)
    venue.take_request()
    venue.move(9_500, 100)
    venue.settle()
    assert venue.position == guard.lots == 0
    assert not venue.book


def test_a_stop_that_finds_nobody_is_sent_again_with_the_next_price() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980)
    enter(venue, Side.BUY, 10)
    venue.depth = 4
    venue.move(9_970, 100)
    venue.settle()
    assert guard.lots == 6
    assert not venue.book
    sent = len(venue.sent)
    venue.settle()
    assert len(venue.sent) == sent  # not at once: it would go round in circles
    guard.on_price(9_970)
    venue.settle()
    guard.on_price(9_970)
    venue.settle()
    assert guard.lots == 0


def test_a_refused_stop_is_sent_again_with_the_next_price() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980)
    venue.agent.order(Side.BUY, venue.instruments[0], 10)
    venue.take_request()
    venue.refuse = True
    venue.settle()
    assert not venue.book
    venue.refuse = False
    guard.on_price(10_000)
    venue.settle()
    assert standing(venue) == [("STOP", 10, 9_980)]


@pytest.mark.parametrize("targets", [[], [(10_050, 1.0)]])
def test_a_move_that_was_refused_is_asked_for_again_with_the_next_price(targets: list[Any]) -> None:
    """As while a session is down, or when a venue takes no more requests."""
    venue, guard = desk()
    guard.protect(stop=9_980, targets=targets, trail=20)
    enter(venue, Side.BUY, 10)
    venue.deaf = True
    venue.last = 10_010
    guard.on_price(10_010)
    venue.settle()
    assert [left for kind, left, price in standing(venue) if kind == "STOP" and price == 9_980] == [10]
    guard.close("enough")
    venue.settle()
    assert venue.position == 10
    venue.deaf = False
    guard.on_price(10_010)
    venue.settle()
    assert venue.position == guard.lots == 0
    assert not venue.book


def test_what_is_left_of_a_closed_position_is_canceled_once_a_price() -> None:
    """A venue that refuses cancels at once is not asked again at once."""
    venue, guard = desk()
    guard.protect(stop=9_980)
    enter(venue, Side.BUY, 10)
    venue.deaf = True
    enter(venue, Side.SELL, 10)  # by somebody else; settles, so it does not go round in circles
    assert standing(venue) == [("STOP", 10, 9_980)]
    venue.deaf = False
    guard.on_price(10_000)
    venue.settle()
    assert not venue.book


def test_a_trailing_stop_that_was_refused_still_comes_closer() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980, trail=20)
    enter(venue, Side.BUY, 10)
    venue.deaf = True
    venue.last = 10_010
    guard.on_price(10_010)
    venue.settle()
    venue.deaf = False
    guard.on_price(10_008)
    venue.settle()
    assert standing(venue) == [("STOP", 10, 9_990)]


def test_closing_waits_until_no_exit_can_trade() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980, targets=[(10_050, 0.5)])
    enter(venue, Side.BUY, 10)
    guard.close("enough")
    assert all(order.time_in_force is not TimeInForce.IOC for order in venue.sent[1:])
    target = next(one.order for one in venue.book.values() if one.order.order_type is OrderType.LIMIT)
    venue.trade(target, 2)
    venue.depth = 5
    venue.settle()
    last = venue.sent[-1]
    assert (last.quantity, last.filled, last.order_type, guard.why(last)) == (8, 5, OrderType.MARKET, "enough")
    assert guard.lots == 3
    guard.on_price(10_000)
    venue.settle()
    assert guard.lots == 0
    assert guard.closing == ""
    assert not venue.book


def test_what_somebody_else_sells_takes_exits_away() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980)
    entry = enter(venue, Side.BUY, 10, limit=9_999)
    venue.trade(entry, 6)
    venue.settle()
    venue.trade(entry, 4)
    venue.settle()
    enter(venue, Side.SELL, 5)
    assert standing(venue) == [("STOP", 5, 9_980)] or sum(left for _, left, _ in standing(venue)) == 5
    enter(venue, Side.SELL, 5)
    assert not venue.book
    assert guard.stop is None


@pytest.mark.parametrize(("left", "expected"), [(4, [("STOP", 4, 9_980)]), (0, []), (-3, [])])
def test_what_was_closed_without_a_report_is_not_covered(left: int, expected: list[Any]) -> None:
    """An agent that never hands on what risk control says: the position itself tells, with the next price."""
    venue, guard = desk()
    guard.protect(stop=9_980, trail=30)
    enter(venue, Side.BUY, 10)
    venue.agent.cancel(next(one.order for one in venue.book.values()))
    venue.requests.clear()
    venue.book.clear()
    venue.sent[-1].state = OrderState.CANCELED
    venue.position = venue.portfolio.lots["ABC"] = left
    guard.on_price(10_000)
    venue.settle()
    assert (guard.lots, standing(venue)) == (left, expected)
    assert (guard.stop is None) == (left <= 0)
    enter(venue, Side.SELL if left >= 0 else Side.BUY, abs(left) or 1)
    assert guard.lots == venue.position


def test_a_position_that_turns_is_not_protected_by_what_was_said_of_the_other_side() -> None:
    venue, guard = desk()
    guard.protect(stop=9_980)
    enter(venue, Side.BUY, 10)
    enter(venue, Side.SELL, 15)
    assert guard.lots == -5
    assert not venue.book
    guard.protect(stop=10_020)
    venue.settle()
    assert standing(venue) == [("STOP", 5, 10_020)]


def test_a_position_that_was_there_is_covered_when_it_is_told() -> None:
    venue, guard = desk(-7)
    guard.protect(stop=10_020)
    venue.settle()
    assert standing(venue) == [("STOP", 7, 10_020)]


def test_a_tag_tells_the_stop_that_is_planned() -> None:
    venue, _ = desk()
    order = enter(venue, Side.BUY, 1, tag=planned(9_980))
    assert order.tag == "entry stop=9980"
    assert planned_stop(order) == 9_980
    assert planned_stop(enter(venue, Side.BUY, 1, tag=planned(None))) is None


def test_bad_shares_are_refused() -> None:
    _, guard = desk()
    with pytest.raises(InvalidValueError, match=r"share 0.* at 10010 must be above 0"):
        guard.protect(targets=[(10_010, 0.0)])


OPERATIONS = st.one_of(
    st.tuples(st.just("take")),
    st.tuples(st.just("tell")),
    st.tuples(st.just("settle")),
    st.tuples(st.just("fill"), st.integers(1, 9)),
    st.tuples(st.just("move"), st.integers(-40, 40), st.integers(0, 9)),
    st.tuples(st.just("price"), st.integers(-40, 40), st.integers(1, 40)),
    st.tuples(st.just("depth"), st.integers(0, 9)),
    st.tuples(st.just("close")),
    st.tuples(st.just("deaf"), st.booleans()),
)


class Ordeal:
    """One position, and what may happen to it in any order."""

    def __init__(self, side: Side, lots: int, resting: bool, shares: tuple[float, ...]) -> None:
        self.side = side
        self.venue, self.guard = desk()
        self.stop: int | None = None
        targets = [(10_000 + side * 15 * number, share) for number, share in enumerate(shares, start=1)]
        self.guard.protect(stop=10_000 - 20 * side, targets=targets, breakeven=10_000 + 10 * side)
        terms = {"limit": 10_000} if resting else {}
        self.entry = self.venue.agent.order(side, self.venue.instruments[0], lots, **terms)
        self.venue.settle()
        self.trail = bool(shares) or not resting

    def fill(self, lots: int) -> None:
        """A resting entry trades."""
        if self.entry.client_order_id in self.venue.book:
            self.venue.trade(self.entry, lots, 10_000)

    def move(self, by: int, lots: int) -> None:
        """The price moves, and takes exits with it."""
        entry = self.venue.book.pop(self.entry.client_order_id, None)
        self.venue.move(10_000 + self.side * by, lots)
        if entry is not None:
            self.venue.book[self.entry.client_order_id] = entry

    def price(self, by: int, trail: int) -> None:
        """The agent is told a price."""
        self.guard.on_price(10_000 + self.side * by, trail=trail if self.trail else None)

    def depth(self, lots: int) -> None:
        """What a market order finds from now on."""
        self.venue.depth = lots

    def deaf(self, whether: bool) -> None:
        """The venue refuses cancels and replaces, or no longer."""
        self.venue.deaf = whether

    def check(self) -> None:
        """At the venue, where it counts, there are no more exits than lots; and no stop has gone back."""
        venue, guard, side = self.venue, self.guard, self.side
        assert venue.position * side >= 0, "an exit has turned the position"
        assert venue.exits(side) + self._on_the_way() <= abs(venue.position)
        if guard.stop is None or not guard.lots:
            self.stop = None
        else:
            assert self.stop is None or side * (guard.stop - self.stop) >= 0, "a stop has gone back"
            self.stop = guard.stop

    def _on_the_way(self) -> int:
        """Lots of exits that were sent and have not reached the venue; of a pair the stop stands for both."""
        new = [request[1] for request in self.venue.requests if request[0] == "new"]
        return sum(order.quantity for order in new if order.side * self.side < 0 and order.special is None)

    def end(self) -> None:
        """Everything arrives, and the market is deep again: all that is held is covered, and nothing else stands."""
        venue, guard = self.venue, self.guard
        venue.depth, venue.deaf = 1 << 40, False
        venue.agent.cancel(self.entry)
        venue.settle()
        for _ in range(2):  # what was refused before is asked for again
            guard.on_price(venue.last)
            venue.settle()
        assert guard.lots == venue.position
        assert not guard.closing
        wanted = abs(guard.lots) if guard.stop is not None else 0
        assert guard.covered == venue.exits(self.side) == wanted
        if not guard.lots:
            assert not venue.book


@given(
    st.sampled_from([Side.BUY, Side.SELL]),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from([(), (1.0,), (0.5,), (0.5, 0.25)]),
    st.lists(OPERATIONS, max_size=30),
)
@example(Side.BUY, 9, False, (1.0,), [("move", 15, 3), ("price", 15, 10), ("take",), ("settle",)])
@example(Side.BUY, 2, False, (0.5,), [("close",), ("deaf", True), ("settle",)])
@settings(max_examples=300)
def test_exits_are_never_more_than_is_held(
    side: Side, lots: int, resting: bool, shares: tuple[float, ...], operations: list[Any]
) -> None:
    """Requests, reports, fills and prices in any order."""
    ordeal = Ordeal(side, lots, resting, shares)
    simple = {"take": ordeal.venue.take_request, "tell": ordeal.venue.tell, "settle": ordeal.venue.settle}
    for name, *given_ in operations:
        if name == "close":
            ordeal.guard.close("test")
        elif name in simple:
            simple[name]()
        else:
            getattr(ordeal, name)(*given_)
        ordeal.check()
    ordeal.end()


@dataclass
class Punter(ms.Agent):
    """Buys now and then, at market or resting, and lets its guard get rid of it."""

    def on_start(self) -> None:
        self.guard = PositionGuard(self)
        self.every("3s", self.act)

    def on_bar(self, bar: Bar) -> None:
        if bar.close:
            self.close = bar.close
            self.guard.on_price(bar.close)

    def subscriptions(self) -> dict[str, Any]:
        return {"bars": "500ms"}

    def act(self) -> None:
        price = getattr(self, "close", 0)
        if not price:
            return
        if self.guard.lots:
            if self.guard.stop is None:  # more of an entry came when it was flat again
                self.guard.close("late")
            return
        if self.orders():
            self.cancel_all()
            return
        side = ms.BUY if self.random("side").bernoulli(0.5) else ms.SELL
        self.guard.protect(
            stop=price - 4 * side, targets=[(price + 3 * side, 0.5), (price + 6 * side, 0.5)], trail=4,
            breakeven=price + 3 * side,
        )  # fmt: skip
        terms = {"limit": price} if self.random("kind").bernoulli(0.5) else {}
        self.order(side, self.instrument, 120, tag="entry", **terms)

    def on_report(self, report: Report, order: Order | None) -> None:
        self.guard.on_report(report, order)


def test_in_a_market_no_exit_ever_turns_a_position() -> None:
    """Every fill in the event log, in order: exits only ever bring the position towards zero."""
    simulation = ms.load("training_market", {"duration": "3min", "warm_up": "0s", "seed": 3})
    simulation.add_agent(Punter(), "punter", latency="20ms")
    run = simulation.run()
    trades = run.trades[(run.trades["taker"] == "punter") != (run.trades["maker"] == "punter")]
    signs = trades["side"].to_numpy() * np.where(trades["taker"] == "punter", 1, -1)
    positions = np.concatenate(([0], np.cumsum(signs * trades["quantity"].to_numpy())))
    assert np.all(positions[1:] * positions[:-1] >= 0), "a fill has turned the position"
    flat = np.flatnonzero(positions == 0)
    assert len(flat) > 5
    assert (np.abs(positions[1:]) < np.abs(positions[:-1])).sum() > 20
    exits = run.orders.query("agent == 'punter' and order_type == 'STOP'")
    assert (exits["filled"] > 0).sum() > 5


def test_states_are_those_of_orders() -> None:
    """The hand-played venue speaks as the real one does: an order ends in a terminal state."""
    venue, guard = desk()
    guard.protect(stop=9_980, targets=[(10_010, 1.0)])
    enter(venue, Side.BUY, 10)
    venue.move(10_010, 10)
    venue.settle()
    assert [order.state for order in venue.sent] == [OrderState.FILLED, OrderState.CANCELED, OrderState.FILLED]
