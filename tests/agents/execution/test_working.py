"""The engine by hand: slices, catching up, caps, posting and then taking, limits, ends, and each of the algorithms."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import marketsim as ms
from marketsim.agents.execution.almgren_chriss import AlmgrenChriss
from marketsim.agents.execution.iceberg import Iceberg
from marketsim.agents.execution.implementation_shortfall import ImplementationShortfall
from marketsim.agents.execution.participation import Participation
from marketsim.agents.execution.sniper import Sniper
from marketsim.agents.execution.twap import Twap
from marketsim.agents.execution.vwap import Vwap
from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderState, Reason, Side, TimeInForce
from marketsim.testing import HandMarket
from marketsim.trading.order import Order
from marketsim.trading.parent_order import ParentOrder


def begun(plan: Any, **options: Any) -> tuple[ParentOrder, HandMarket]:
    """A plan at work for an agent, on a book of 9990 to 10010."""
    agent = ms.Agent()
    market = HandMarket(agent, **options)
    market.quote(9_990, 5, 10_010, 50)
    parent = agent.execute(plan)
    market.quote(9_990, 6, 10_010, 50)
    market.clear()
    return parent, market


def sent(market: HandMarket, kind: Kind = Kind.NEW) -> list[tuple[int, int]]:
    """(lots, limit) of what was asked for since the last look."""
    asked = [(request.quantity, request.price) for request in market.asked(kind)]
    market.clear()
    return asked


def answer(market: HandMarket, order: Order, filled: int) -> None:
    """An immediate-or-cancel order is filled so far; others cancel it not."""
    market.accept(order)
    if filled:
        market.fill(order, filled, price=order.price or 10_010, maker=False)
    if order.leaves:
        market.cancel(order, reason=Reason.IMMEDIATE_OR_CANCEL)


def sizes(plan: Any, fills: list[int]) -> list[int]:
    """Lots of each slice, one a second, where the first so many are filled so far, then all."""
    parent, market = begun(plan)
    seen = []
    for number in range(30):
        market.advance("1s" if number else "500ms")
        new = [order for order in parent.children if order.state is OrderState.PENDING_NEW]
        seen += [order.quantity for order in new]
        for order in new:
            answer(market, order, min(order.quantity, fills[number] if number < len(fills) else 10**9))
    parent.check()
    return seen


# --- catching up ---


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("next", [10, 17, 10, 10]),  # 3 of 10, so 7 more with the next
        ("spread", [10, 13, 12, 12]),  # 7 over three slices: 3 (rounded up), 2, 2
        ("none", [10, 10, 10, 10, 7]),  # nobody; the end takes them
    ],
)
def test_what_a_slice_did_not_get(rule: Any, expected: list[int]) -> None:
    plan = Twap(quantity=40, horizon="4s", slices=4, catch_up=rule)
    assert sizes(plan, [3]) == expected


def test_the_end_takes_what_is_missing_or_leaves_it() -> None:
    assert sizes(Twap(quantity=4, horizon="2s", slices=2), [0, 1]) == [2, 4, 3]
    assert sizes(Twap(quantity=4, horizon="2s", slices=2, at_end="stop"), [0, 1]) == [2, 4]
    assert sizes(Twap(quantity=4, horizon="2s", slices=2), [0, 1, 0]) == [2, 4, 3]
    assert sizes(Twap(quantity=4, horizon="2s", slices=2, at_end="go_on"), [0, 0, 1, 0]) == [2, 4, 4, 3, 3]


def test_stopping_leaves_the_order_canceled() -> None:
    parent, market = begun(Twap(quantity=4, horizon="2s", slices=1, at_end="stop", limit=100.1))
    market.advance("1s")
    answer(market, parent.children[0], 1)
    market.advance("2s")
    assert (parent.state, parent.filled, parent.left) == (OrderState.CANCELED, 1, 3)


# --- why something is left ---


def why(plan: Any, *, filled: int = 0) -> str:
    """After its time, with so many lots of each child order filled."""
    parent, market = begun(plan)
    for _ in range(12):
        market.advance("1s")
        for order in [order for order in parent.children if order.state is OrderState.PENDING_NEW]:
            answer(market, order, min(order.quantity, filled))
    assert not parent.live
    return parent.left_because


@pytest.mark.parametrize(
    ("plan", "filled", "words"),
    [
        (Twap(quantity=4, horizon="2s", slices=2), 9, ""),
        (Twap(quantity=4, horizon="2s", slices=2), 1, "no liquidity"),
        (Twap(quantity=4, horizon="2s", slices=2, limit=100.1), 1, "limit 100.1"),
        (Twap(quantity=4, horizon="2s", slices=2, limit=100.1, at_end="stop"), 1, "limit 100.1"),
        (Twap(quantity=4, horizon="2s", slices=2, at_end="stop"), 1, "stopped by its rule (at_end: stop)"),
        (Twap(quantity=4, horizon="2s", slices=2, max_participation=0.2), 9, "held back by max_participation 0.2"),
        (Participation(quantity=4, horizon="2s", rate=0.3), 9, "held back by rate 0.3"),
        (Sniper(quantity=99, horizon="2s", limit=99.0), 9, "limit 99"),
        (Sniper(quantity=99, horizon="2s", size=60, at_end="stop"), 9, "stopped by its rule (at_end: stop)"),
    ],
)
def test_it_says_why_something_is_left(plan: Any, filled: int, words: str) -> None:
    assert why(plan, filled=filled) == words


def test_one_that_is_called_back_or_refused_says_so() -> None:
    parent, market = begun(Twap(quantity=4, horizon="2s", slices=1))
    market.advance("1s")
    parent.cancel()
    answer(market, parent.children[0], 1)
    assert (parent.state, parent.left_because) == (OrderState.CANCELED, "called back")
    other, market = begun(Twap(quantity=4, horizon="2s", slices=1, at_end="stop"))
    market.advance("1s")
    market.reject(other.children[0], Reason.MARKET_CLOSED)
    market.advance("2s")
    assert other.left_because == "its orders were refused"


# --- caps ---


def test_it_is_no_more_than_its_share_of_the_market() -> None:
    """90 lots of others allow 10 of its own at a tenth; its own prints are no volume to follow."""
    parent, market = begun(Twap(quantity=100, horizon="10s", slices=10, max_participation=0.1))
    market.advance("500ms")
    assert sent(market) == []
    market.trade(10_000, 90, Side.BUY)
    market.advance("1s")
    assert sent(market) == [(10, 0)]
    market.trade(10_010, 10, Side.BUY)  # the print of its own fill, before the report
    market.advance("1s")
    assert sent(market) == []
    answer(market, parent.children[0], 10)
    market.advance("1s")
    assert sent(market) == []
    market.trade(10_000, 18, Side.SELL)
    market.advance("1s")
    assert sent(market) == [(2, 0)]
    answer(market, parent.children[1], 2)
    market.advance("7s")
    assert sent(market) == [], "the end keeps to the cap"
    assert (parent.state, parent.filled) == (OrderState.CANCELED, 12)
    assert parent.left_because == "held back by max_participation 0.1"


def test_forcing_the_end_does_not_ask_for_the_cap() -> None:
    parent, market = begun(Twap(quantity=100, horizon="10s", slices=10, max_participation=0.1, at_end="force"))
    market.trade(10_000, 90, Side.BUY)
    market.advance("500ms")
    answer(market, parent.children[0], 10)
    market.advance("10s")
    assert sent(market) == [(10, 0), (90, 0)]


def test_volume_before_it_begins_does_not_count() -> None:
    parent, market = begun(Participation(quantity=100, begin="5s", horizon="10s"))
    market.trade(10_000, 900, Side.BUY)
    market.advance("7s")
    assert sent(market) == []
    market.trade(10_000, 9, Side.BUY)
    market.advance("1s")
    assert sent(market) == [(1, 0)]
    assert parent.printed == 9


def test_participation_follows_the_volume_in_slices_of_its_size() -> None:
    parent, market = begun(Participation(quantity=100, horizon="1min", rate=0.25, min_slice=5, max_slice=20))
    market.trade(10_000, 12, Side.BUY)  # a third of the others' 12 is 4
    market.advance("1s")
    assert sent(market) == []
    market.trade(10_000, 3, Side.BUY)
    market.advance("1s")
    assert sent(market) == [(5, 0)]
    answer(market, parent.children[0], 5)
    market.trade(10_000, 300, Side.BUY)  # 5 own prints are still missing: (300 + 15 - 5) / 3 = 103, with 5 done
    market.advance("1s")
    assert sent(market) == [(20, 0)]
    answer(market, parent.children[1], 20)
    market.advance("1s")
    assert sent(market) == [(20, 0)]


# --- posting ---


def test_a_posted_slice_follows_the_best_price_and_is_taken_only_when_it_is_gone() -> None:
    parent, market = begun(Twap(quantity=10, horizon="20s", slices=2, style="post", patience=0.5))
    market.advance("1s")
    market.quote(9_990, 7, 10_010, 50)
    assert sent(market) == [(5, 9_990)]
    market.accept()
    market.quote(9_992, 7, 10_010, 50)
    market.quote(9_992, 8, 10_010, 50)
    assert sent(market, Kind.REPLACE) == [(5, 9_992)], "asked once"
    market.fill(parent.children[0], 1, price=9_990)
    market.advance("4s")
    assert [request.kind for request in market.asked()] == [Kind.CANCEL]
    market.clear()
    market.fill(parent.children[0], 2)  # while the cancel was under way
    assert sent(market) == []
    market.cancel(parent.children[0])
    assert sent(market) == [(2, 0)]
    answer(market, parent.children[1], 2)
    market.advance("6s")
    market.quote(9_993, 8, 10_010, 50)
    assert sent(market) == [(5, 9_992)]
    assert parent.filled == 5


def test_a_refused_change_may_be_asked_for_again() -> None:
    parent, market = begun(Twap(quantity=10, horizon="20s", slices=1, style="post", patience=1.0))
    market.advance("1s")
    market.quote(9_991, 7, 10_010, 50)
    market.accept()
    market.quote(9_992, 7, 10_010, 50)
    market.reject(parent.children[0], Reason.WOULD_TRADE, EventKind.REPLACE_REJECTED)
    market.clear()
    market.quote(9_992, 9, 10_010, 50)
    assert sent(market, Kind.REPLACE) == [(10, 9_992)]


def test_without_patience_ending_posted_slices_grow() -> None:
    _, market = begun(Twap(quantity=10, horizon="20s", slices=2, style="post", patience=1.0))
    market.advance("1s")
    market.quote(9_990, 9, 10_010, 50)
    market.accept()
    market.advance("10s")
    assert sent(market, Kind.REPLACE) == [(10, 9_990)]


def test_the_limit_is_the_worst_price() -> None:
    parent, market = begun(Twap(quantity=10, horizon="20s", slices=1, style="post", patience=0.5, limit=99.80))
    market.advance("1s")
    market.quote(9_990, 9, 10_010, 50)
    assert sent(market) == [(10, 9_980)]
    market.accept()
    market.advance("10s")
    market.cancel(parent.children[0])
    assert sent(market) == [(10, 9_980)]
    assert parent.children[1].time_in_force is TimeInForce.IOC
    _, other = begun(Twap(side="sell", quantity=10, horizon="20s", slices=1, style="post", limit=100.20))
    other.advance("1s")
    other.quote(9_990, 9, 10_010, 50)
    assert sent(other) == [(10, 10_020)]


def test_an_iceberg_shows_a_part_of_itself() -> None:
    parent, market = begun(Iceberg(quantity=100, display=8, horizon="1min"))
    market.advance("1s")
    market.quote(9_990, 9, 10_010, 50)
    (order,) = parent.children
    assert (order.price, order.quantity, order.special.display if order.special else 0) == (9_990, 100, 8)
    market.accept()
    market.fill(order, 60)
    market.advance("1min")
    market.cancel(order)
    assert parent.children[1].quantity == 40
    assert Iceberg().style == "post"
    small, other = begun(Iceberg(quantity=5, display=5, horizon="1min"))
    other.advance("1s")
    other.quote(9_990, 9, 10_010, 50)
    assert small.children[0].special is None


# --- each its own ---


def test_slices_of_almgren_and_chriss_are_the_trajectory_in_lots() -> None:
    """The paper's λ = 1e-6, a second for a day: 1000, 542.0, 289.9, 147.9, 62.1, 0."""
    plan = AlmgrenChriss(
        quantity=1_000, horizon="5s", slices=5, risk_aversion=1e-6, volatility=0.95, temporary_impact=2.5e-6,
        permanent_impact=2.5e-7, max_participation=None,
    )  # fmt: skip
    assert sizes(plan, []) == [458, 252, 142, 86, 62]


def test_slices_of_a_volume_curve() -> None:
    plan = Vwap(quantity=100, horizon="5s", slices=5, curve=(4, 2, 1, 2, 1), max_participation=None)
    assert sizes(plan, []) == [40, 20, 10, 20, 10]
    plan = Vwap(quantity=60, horizon="4s", slices=4, curve=(2, 1), max_participation=None)
    assert sizes(plan, []) == [20, 20, 10, 10]
    assert sizes(Vwap(quantity=8, horizon="4s", slices=4, max_participation=None), []) == [2, 2, 2, 2]


def test_sizes_and_times_vary_at_random_and_add_up() -> None:
    plan = Twap(quantity=1_000, horizon="10s", slices=10, vary_size=0.5, vary_time=0.9)
    agent = ms.Agent()
    market = HandMarket(agent, seed=3)
    parent = agent.execute(plan)
    times = []
    for _ in range(1_000):
        known = len(parent.children)
        market.advance("10ms")
        if len(parent.children) > known:
            times.append(market.now / 1e9)
            answer(market, parent.children[-1], parent.children[-1].quantity)
    assert parent.filled == 1_000
    found = [order.quantity for order in parent.children]
    assert len(set(found)) > 5
    assert all(20 <= size <= 190 for size in found)
    late = [time - number for number, time in enumerate(times)]
    assert all(0.0 <= value < 0.93 for value in late)
    assert max(late) - min(late) > 0.3


def test_implementation_shortfall_is_early_and_adapts_to_the_price() -> None:
    def first_two(move: int, adapt: float, side: Any = "buy") -> list[int]:
        plan = ImplementationShortfall(
            side=side, quantity=1_000, horizon="10s", slices=10, urgency=2.0, adapt=adapt, max_participation=None
        )
        parent, market = begun(plan)
        market.advance("500ms")
        answer(market, parent.children[0], parent.children[0].quantity)
        market.quote(9_990 + move, 6, 10_010 + move, 50)
        market.advance("1s")
        return [order.quantity for order in parent.children]

    # sinh(2·0.9)/sinh(2) = .8112, sinh(2·0.8)/sinh(2) = .6550
    assert first_two(0, 0.05) == first_two(-10, 0.0) == [189, 156]
    # 10 bps cheaper: κT = 2·e^½ = 3.297: 1 − sinh(3.297·0.8)/sinh(3.297·0.9) = .2827 of 811
    assert first_two(-10, 0.05) == [189, 229]
    assert first_two(10, 0.05)[1] < 156
    assert first_two(10, 0.05, "sell")[1] == 229
    assert sizes(ImplementationShortfall(quantity=10, slices=5, horizon="5s", urgency=0, max_participation=None), [])[
        :3
    ] == [2, 2, 2]


def test_a_sniper_waits_for_enough_at_a_good_price_in_a_narrow_spread() -> None:
    parent, market = begun(Sniper(quantity=50, size=20, max_spread=10, limit=100.05, horizon="1min"))
    market.advance("1s")
    for bid, ask, shown in ((9_990, 10_004, 50), (9_998, 10_004, 19), (9_999, 10_006, 50)):
        market.quote(bid, 5, ask, shown)
        assert sent(market) == [], (bid, ask, shown)
    market.quote(9_998, 5, 10_005, 30)
    assert sent(market) == [(30, 10_005)]
    market.quote(9_998, 5, 10_004, 40)
    assert sent(market) == [], "one at a time"
    answer(market, parent.children[0], 25)
    assert sent(market) == [(25, 10_004)], "another quote has come since"
    answer(market, parent.children[1], 6)
    assert sent(market) == [], "that quote was tried"
    market.quote(9_998, 5, 10_003, 19)
    assert sent(market) == [(19, 10_003)], "less than its size, but all it wants"
    answer(market, parent.children[2], 19)
    assert parent.state is OrderState.FILLED


def test_what_a_sniper_did_not_find_is_taken_at_its_end() -> None:
    parent, market = begun(Sniper(side="sell", quantity=50, size=20, max_spread=None, horizon="1min", limit=99.95))
    market.advance("1min")
    assert sent(market) == [(50, 9_995)]
    answer(market, parent.children[0], 0)
    assert parent.state is OrderState.CANCELED
    _, other = begun(Sniper(quantity=50, begin="10s", size=20, max_spread=None))
    other.quote(9_990, 5, 10_010, 60)
    assert sent(other) == []
    other.advance("10s")
    assert sent(other) == [(50, 10_010)]


# --- whatever happens ---

PLANS = [
    Twap(quantity=60, horizon="20s", slices=6, style="post", patience=0.5, max_participation=0.3),
    Twap(quantity=60, horizon="20s", slices=6, catch_up="spread", at_end="go_on"),
    Participation(quantity=60, horizon="20s", rate=0.2, style="post", patience=0.5, at_end="go_on"),
    ImplementationShortfall(quantity=60, horizon="20s", slices=6, max_participation=0.5, at_end="force"),
    Iceberg(quantity=60, display=7, horizon="20s", patience=0.5, max_participation=0.4),
    Sniper(quantity=60, horizon="20s", size=3, max_spread=None, max_participation=0.4),
]
STEP = st.tuples(
    st.sampled_from(["quote", "print", "fill", "part", "end", "refuse", "time", "amend"]), st.integers(1, 40)
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PLANS) - 1), st.lists(STEP, max_size=60), st.booleans())
def test_nothing_makes_it_trade_more_than_it_wants_or_may(plan: int, steps: list[Any], amends: bool) -> None:
    chosen = PLANS[plan]
    parent, market = begun(chosen)
    others = 0  # lots
    for what, number in steps:
        live = [order for order in parent.children if order.live]
        order = live[number % len(live)] if live else None
        before = parent.filled
        if what == "quote":
            market.quote(9_990 + number % 7, number, 10_000 + number % 5, number)
        elif what == "print":
            others += number
            market.trade(10_000, number, Side.BUY)
        elif what == "time":
            market.advance(number * 50_000_000)
        elif what == "amend" and amends:
            parent.amend(quantity=max(parent.filled, number * 2, 1))
        elif order is not None and what in ("fill", "part"):
            done = order.leaves if what == "fill" else min(order.leaves, 1 + number % 3)
            market.trade(10_000, done, Side.BUY)  # its own print comes first
            market.fill(order, done, price=10_000)
        elif order is not None and what == "refuse" and not order.order_id:
            market.reject(order, Reason.MARKET_CLOSED)
        elif order is not None and what == "end":
            market.cancel(order)
        parent.check()
        if not amends:
            assert parent.filled + parent.working <= parent.quantity
        cap = chosen.cap
        if cap is not None and parent.filled > before and chosen.at_end != "force":
            assert parent.filled <= cap * (parent.filled + others) + 1e-6
    market.advance("1min")
    if not parent.live:
        assert parent.working == 0
