"""Agents across venues by hand: the arbitrageur's legs and how it closes, routed flow, the maker that moves."""

from __future__ import annotations

from typing import Any

import pytest

from marketsim.agents import RoutedFlow, VenueArbitrage, VenueMaker
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import Reason, Side, TimeInForce
from marketsim.errors import AgentError, InvalidValueError
from marketsim.testing import HandMarket

ABC = Instrument("ABC")
VENUES = ("A", "B", "C")


def arbitrage(fee: Any = "0", **changes: Any) -> tuple[VenueArbitrage, HandMarket]:
    me = VenueArbitrage(**changes)
    market = HandMarket(me, (ABC,), VENUES, fee=fee)
    market.clear()
    return me, market


def asked(market: HandMarket) -> list[tuple[str, int, int, int]]:
    """New orders since the last look: venue, side, price, lots."""
    sent = [(VENUES[r.market], r.side, r.price, r.quantity) for r in market.asked(Kind.NEW)]
    market.clear()
    return sent


# --- the arbitrageur ---


def test_it_buys_where_it_is_cheap_and_sells_where_it_is_dear() -> None:
    _, market = arbitrage(quantity=30)
    market.quote(9_990, 50, 10_000, 20, market=0)
    market.quote(9_999, 50, 10_005, 50, market=2)
    assert asked(market) == []
    market.quote(10_002, 15, 10_006, 50, market=1)
    assert asked(market) == [("A", 1, 10_000, 15), ("B", -1, 10_002, 15)]
    assert all(order.time_in_force is TimeInForce.IOC for order in market.orders)


def test_fees_and_edge_must_be_earned() -> None:
    """Two ticks of gain on 100 USD are 2 bps; a taker fee of 1.1 bps on each side is more."""
    for fee, edge, acts in (("0.00009", 0.0, True), ("0.00011", 0.0, False), ("0", 0.02, False), ("0", 0.0199, True)):
        _, market = arbitrage(fee=fee, edge=edge)
        market.quote(9_990, 50, 10_000, 20, market=0)
        market.quote(10_002, 15, 10_006, 50, market=1)
        assert bool(asked(market)) is acts, (fee, edge)


def test_the_best_pair_of_three_after_fees() -> None:
    _, market = arbitrage(fee={"A": "0.0005"})
    market.quote(9_990, 50, 10_000, 20, market=0)
    market.quote(9_990, 50, 10_001, 20, market=1)
    market.quote(10_003, 5, 10_009, 20, market=2)
    assert asked(market) == [("B", 1, 10_001, 5), ("C", -1, 10_003, 5)]


def test_it_acts_once_on_a_quote() -> None:
    _, market = arbitrage()
    market.quote(9_990, 50, 10_000, 20, market=0)
    market.quote(10_002, 15, 10_006, 50, market=1)
    legs = list(market.orders)
    asked(market)
    for leg in legs:
        market.accept(leg)
        market.fill(leg, maker=False)
    market.quote(9_000, 1, 11_000, 1, market=2)
    assert asked(market) == []
    market.quote(10_002, 10, 10_006, 50, market=1)
    assert asked(market) == [], "A's quote is the one that it took from"
    market.quote(9_990, 50, 10_000, 5, market=0)
    assert asked(market) == [("A", 1, 10_000, 5), ("B", -1, 10_002, 5)]


def test_a_leg_that_misses_is_closed_at_the_best_price() -> None:
    me, market = arbitrage(hold="10ms", fee={"C": "0.001"})
    market.quote(9_990, 50, 10_000, 20, market=0)
    market.quote(10_002, 15, 10_006, 50, market=1)
    buy, sell = market.orders
    market.advance("1us")
    market.accept(buy, sell)
    market.fill(buy, maker=False)
    market.cancel(sell, reason=Reason.IMMEDIATE_OR_CANCEL)
    market.quote(9_995, 50, 10_003, 20, market=0)
    market.quote(9_994, 50, 10_004, 50, market=1)
    market.quote(9_996, 50, 10_008, 20, market=2)
    asked(market)
    assert me.position() == 15
    market.advance("9ms")
    assert asked(market) == []
    market.advance("2ms")
    assert asked(market) == [("A", -1, 9_995, 15)], "C pays more and takes more than that"
    (close,) = market.orders
    market.accept(close)
    market.fill(close, maker=False)
    market.advance("1s")
    assert (me.position(), asked(market), me.desks["ABC"].busy) == (0, [], False)


def test_what_cannot_be_closed_is_tried_again() -> None:
    me, market = arbitrage(hold="10ms")
    market.quote(9_990, 50, 10_000, 20, market=0)
    market.quote(10_002, 15, 10_006, 50, market=1)
    buy, sell = market.orders
    market.reject(buy, Reason.MARKET_CLOSED, quantity=15)
    market.accept(sell)
    market.fill(sell, 5, maker=False)
    market.cancel(sell, reason=Reason.IMMEDIATE_OR_CANCEL)
    market.quote(9_990, 50, 0, 0, market=0)
    market.quote(9_990, 50, 0, 0, market=1)
    asked(market)
    market.advance("50ms")
    assert (me.position(), asked(market)) == (-5, [])
    market.quote(9_990, 50, 10_000, 50, market=1)
    market.advance("50ms")
    assert asked(market) == [("B", 1, 10_000, 5)]


def test_what_it_holds_limits_what_it_does() -> None:
    _, market = arbitrage(max_position=20, quantity=15, hold="1s")
    market.quote(9_990, 50, 10_000, 50, market=0)
    market.quote(10_002, 50, 10_006, 50, market=1)
    buy, sell = market.orders
    market.accept(buy)
    market.fill(buy, maker=False)
    market.accept(sell)
    market.cancel(sell, reason=Reason.IMMEDIATE_OR_CANCEL)
    asked(market)
    market.quote(9_990, 50, 10_001, 50, market=0)
    market.quote(10_003, 50, 10_006, 50, market=1)
    assert asked(market) == [("A", 1, 10_001, 5), ("B", -1, 10_003, 5)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"quantity": 0}, "quantity: 0"), ({"hold": "0s"}, "hold"), ({"edge": "wide"}, "edge: 'wide' is not a number")],
)
def test_wrong_parameters_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        VenueArbitrage(**changes)


# --- routed flow ---


def flow(fee: Any = "0", **changes: Any) -> HandMarket:
    return HandMarket(RoutedFlow(**{"rate": "10/s", **changes}), (ABC,), VENUES, fee=fee, seed=3)


def test_flow_goes_where_it_is_cheapest() -> None:
    market = flow(fee={"A": "0.001", "B": "-0.001"})
    for number in range(3):
        market.quote(9_999, 1_000, 10_001, 1_000, market=number)
    market.clear()
    market.advance("3s")
    sent = asked(market)
    assert len(sent) > 10
    assert {venue for venue, *_ in sent[:1]} == {"B"}
    assert {(side, price) for _, side, price, _ in sent} == {(1, 10_001), (-1, 9_999)}
    assert 10 < sum(lots for *_, lots in sent) / len(sent) < 40


def test_informed_flow_follows_the_value() -> None:
    class Value:
        def value(self, time: int) -> float:
            return 10_003.0

    market = HandMarket(
        RoutedFlow(rate="10/s", informed=1.0), (ABC,), VENUES, seed=3, feeds={"value": Value()}
    )  # fmt: skip
    market.quote(9_999, 1_000, 10_001, 1_000)
    market.advance("2s")
    sent = asked(market)
    assert len(sent) > 5
    assert {side for _, side, _, _ in sent} == {1}
    market.quote(10_002, 1_000, 10_004, 1_000)
    market.advance("2s")
    assert asked(market) == [], "the value lies inside the spread"


def test_informed_flow_needs_its_feed() -> None:
    with pytest.raises(AgentError, match="has no feed 'value'"):
        flow(informed=0.5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"style": "sprey"}, 'did you mean "spray"'),
        ({"rest": "wait"}, "would never let an order of a flow end"),
        ({"informed": 2}, "informed"),
        ({"slippage": -1}, "slippage"),
    ],
)
def test_wrong_parameters_of_a_flow_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        RoutedFlow(**changes)


# --- the maker that moves ---

CALM = {"volatility_factor": 0.0, "adverse_selection_protection": False, "microprice_weight": 0.0, "skew": 0.0}


def maker(fee: Any = "0", **changes: Any) -> tuple[VenueMaker, HandMarket]:
    me = VenueMaker(**{"quantity": 10, "max_position": 100, "explore": 0.0, "target_spread": 0.04, **CALM, **changes})
    return me, HandMarket(me, (ABC,), VENUES[:2], fee=fee)


def test_it_quotes_on_one_venue_around_the_best_of_all() -> None:
    me, market = maker()
    market.quote(9_990, 50, 10_004, 50, market=0)
    market.quote(9_996, 50, 10_010, 50, market=1)
    market.advance("1s")
    orders = market.orders
    assert {order.venue for order in orders} == {me.desks["ABC"].venue}
    assert me.desks["ABC"].fair == 10_000
    assert {order.side: order.price for order in orders}[Side.SELL] <= 10_002


def test_it_goes_to_the_venue_that_it_has_not_tried_and_then_to_the_better_one() -> None:
    me, market = maker(review="10s", fee={"A": "-0.0001", "B": "0.0001"})
    desk = me.desks["ABC"]
    stays = []
    for _ in range(4):
        market.quote(9_990, 50, 10_010, 50, market=0)
        market.quote(9_990, 50, 10_010, 50, market=1)
        market.advance("1s")
        stays.append(desk.venue)
        for order in list(market.orders):
            assert order.venue == desk.venue
            market.accept(order)
            market.fill(order)
        market.advance("9s")
        for order in list(market.orders):
            market.accept(order)
            market.cancel(order)
    assert sorted(stays[:2]) == ["A", "B"]
    assert stays[2:] == ["A", "A"], "the rebate is better than the fee"
    earned = me.ledgers["ABC"].earned
    assert earned["A"] - earned["B"] == pytest.approx(2 * 20 * 10_000 * 0.0001 / 10, rel=0.2)


def test_it_leaves_nothing_behind_when_it_moves() -> None:
    me, market = maker(review="10s")
    market.quote(9_990, 50, 10_010, 50, market=0)
    market.advance("1s")
    first = me.desks["ABC"].venue
    market.accept()
    market.clear()
    market.advance("9001ms")
    assert me.desks["ABC"].venue != first
    assert len(market.asked(Kind.CANCEL)) == 2
    for order in list(market.orders):
        market.cancel(order)
    market.advance("1s")
    assert {order.venue for order in market.orders} == {me.desks["ABC"].venue}
