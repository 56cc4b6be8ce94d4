"""Market makers by hand: where the quotes stand, when they move, and what the guard does to them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents import AvellanedaStoikov, MarketMaker
from marketsim.agents.quoting import QuotingAgent
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderFlag, Reason, Side
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket
from marketsim.trading.order import Order

ABC = Instrument("ABC")
CALM = {"volatility_factor": 0.0, "adverse_selection_protection": False, "microprice_weight": 0.0}


def maker(**changes: Any) -> tuple[MarketMaker, HandMarket]:
    me = MarketMaker(**{"quantity": 10, "max_position": 100, **CALM, **changes})
    market = HandMarket(me, (ABC,))
    return me, market


def sides(market: HandMarket) -> tuple[Order, Order]:
    """Its bid and its ask."""
    bid, ask = sorted(market.orders, key=lambda order: -order.side)
    return bid, ask


def shown(market: HandMarket) -> dict[Side, tuple[int, int]]:
    return {order.side: (order.price, order.leaves) for order in market.orders}


def answer_all(market: HandMarket) -> None:
    """The venue does everything that was asked and not answered."""
    market.accept()
    for request in market.asked(Kind.REPLACE):
        order = next(o for o in market.orders if o.reference == request.order_id)
        market.replaced(order, request)
    for request in market.asked(Kind.CANCEL):
        for order in market.orders:
            if order.reference == request.order_id:
                market.cancel(order)
    market.clear()


def test_it_quotes_the_target_spread_around_the_mid() -> None:
    _, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    assert shown(market) == {Side.BUY: (9_998, 10), Side.SELL: (10_002, 10)}
    assert all(order.flags is OrderFlag.POST_ONLY for order in market.orders)


@pytest.mark.parametrize(
    ("spread", "bid", "ask"), [(0.01, 10_000, 10_001), (0.03, 9_998, 10_001), (0.015, 9_999, 10_001)]
)
def test_the_spread_is_never_less_than_asked(spread: float, bid: int, ask: int) -> None:
    _, market = maker(target_spread=spread)
    market.quote(9_990, 50, 10_010, 50)
    quotes = shown(market)
    assert quotes[Side.SELL][0] - quotes[Side.BUY][0] == ask - bid
    assert abs(quotes[Side.SELL][0] + quotes[Side.BUY][0] - 20_000) <= 1


def test_the_microprice_pulls_the_fair_value() -> None:
    me, market = maker(microprice_weight=1.0, target_spread=0.04)
    market.quote(9_990, 30, 10_010, 10)
    assert me.fair_value(me.desks["ABC"]) == 10_005
    me, market = maker(microprice_weight=0.5, target_spread=0.04)
    market.quote(9_990, 30, 10_010, 10)
    assert me.fair_value(me.desks["ABC"]) == 10_002.5


def test_own_quotes_are_no_opinion_of_others() -> None:
    """Alone inside the spread it would otherwise chase itself."""
    me, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    market.advance("1s")
    market.quote(9_998, 10, 10_002, 10)
    desk = me.desks["ABC"]
    assert (desk.others_bid, desk.others_ask) == (None, None)
    assert desk.fair == 10_000
    market.advance("1s")
    market.quote(9_998, 10, 10_001, 4)
    assert (desk.others_bid, desk.others_ask, desk.fair) == (None, 10_001, 10_000)
    market.advance("1s")
    market.quote(9_998, 10, 9_999, 4)
    assert desk.fair == 9_998.5, "others' quotes bound what is believed"
    market.advance("1s")
    market.quote(9_998, 14, 10_002, 13)
    assert (desk.others_bid, desk.others_ask, desk.fair) == (9_998, 10_002, 10_000)


def test_an_empty_market_is_quoted_around_the_reference() -> None:
    _, market = maker(target_spread=0.04)
    market.quote(0, 0, 0, 0)
    assert shown(market) == {Side.BUY: (9_998, 10), Side.SELL: (10_002, 10)}


@pytest.mark.parametrize(("held", "shift"), [(50, -4), (-50, 4), (100, -8)])
def test_inventory_skews_both_quotes(held: int, shift: int) -> None:
    """Two spreads of four ticks at the largest position."""
    me, market = maker(target_spread=0.04, skew=2.0)
    _give(market, held)
    market.advance("1s")
    market.quote(9_990, 50, 10_010, 50)
    desk = me.desks["ABC"]
    assert me.inventory_skew(desk, me.spread(desk)) == shift
    bid, ask, *_ = me.targets(desk)[0], me.targets(desk)[2]
    assert (bid, ask) == (9_998 + shift, 10_002 + shift)


def _give(market: HandMarket, lots: int) -> None:
    order = market.agent.buy(ABC, lots) if lots > 0 else market.agent.sell(ABC, -lots)
    market.accept(order)
    market.fill(order, abs(lots), 10_000)
    market.clear()


def test_skew_can_be_aimed_elsewhere_or_left_out() -> None:
    me, market = maker(target_spread=0.04, inventory_target=50)
    market.quote(9_990, 50, 10_010, 50)
    desk = me.desks["ABC"]
    assert me.inventory_skew(desk, 4.0) == 4.0
    me.set(skew_adjustment=False)
    assert me.inventory_skew(desk, 4.0) == 0.0


@pytest.mark.parametrize(("held", "bid", "ask"), [(95, 5, 10), (100, None, 10), (-97, 10, 3), (-100, 10, None)])
def test_quotes_cannot_lead_beyond_the_position_limit(held: int, bid: int | None, ask: int | None) -> None:
    _, market = maker(skew_adjustment=False)
    _give(market, held)
    market.advance("1s")
    market.quote(9_990, 50, 10_010, 50)
    answer_all(market)
    quotes = shown(market)
    assert quotes.get(Side.BUY, (0, None))[1] == bid
    assert quotes.get(Side.SELL, (0, None))[1] == ask


def test_volatility_widens_the_spread() -> None:
    me, market = maker(target_spread=0.02, volatility_factor=1.0)
    desk = me.desks["ABC"]
    assert me.spread(desk) == 2.0
    for step in range(60):
        market.quote(9_990 + 4 * (step % 2), 50, 10_010 + 4 * (step % 2), 50)
        market.advance("1s")
    assert me.spread(desk) == pytest.approx(2.0 + 4.0, rel=0.05), "moves of 4 ticks a second"


def test_a_quote_that_need_not_move_is_left_alone() -> None:
    _, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    for quantity in (40, 45, 60):
        market.advance("1s")
        market.quote(9_990, quantity, 10_010, quantity)
    assert market.asked() == []


def test_a_quote_that_must_move_is_replaced_once() -> None:
    _, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    market.advance("1s")
    market.quote(9_994, 50, 10_014, 50)
    assert [(r.kind, r.price, r.quantity) for r in market.asked()] == [
        (Kind.REPLACE, 10_002, 10),
        (Kind.REPLACE, 10_006, 10),
    ]
    market.advance("1s")
    market.quote(9_994, 51, 10_014, 50)
    assert len(market.asked()) == 2, "not asked again before the answer"


def test_small_moves_are_tolerated() -> None:
    _, market = maker(target_spread=0.04, tolerance=2)
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    market.advance("1s")
    market.quote(9_992, 50, 10_012, 50)
    assert market.asked() == []
    market.advance("1s")
    market.quote(9_993, 50, 10_013, 50)
    assert len(market.asked()) == 2


def test_quotes_move_at_most_once_an_interval_and_then_to_where_they_should_be() -> None:
    _, market = maker(target_spread=0.04, refresh="10ms")
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    for step in range(1, 6):
        market.advance("1ms")
        market.quote(9_990 + 2 * step, 50, 10_010 + 2 * step, 50)
    assert market.asked() == []
    market.advance("5ms")
    assert [r.price for r in market.asked()] == [10_008, 10_012]


def test_a_filled_quote_is_replenished_when_less_than_half_is_left() -> None:
    _, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    bid, _ = sides(market)
    market.advance("1s")
    market.fill(bid, 4)
    assert market.asked() == []
    market.advance("1s")
    market.fill(bid, 2)
    assert [(r.kind, r.quantity) for r in market.asked() if r.order_id == bid.reference] == [(Kind.REPLACE, 16)]


def test_a_quote_that_is_gone_is_sent_anew() -> None:
    _, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    market.advance("1s")
    market.fill(sides(market)[0])
    assert [r.kind for r in market.asked() if r.side == 1] == [Kind.NEW]


def test_a_refused_quote_is_tried_again_after_the_interval() -> None:
    _, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    bid, ask = sides(market)
    market.accept(ask)
    market.clear()
    market.reject(bid, Reason.WOULD_TRADE)
    assert market.asked() == []
    market.advance("11ms")
    assert [(r.kind, r.side) for r in market.asked()] == [(Kind.NEW, 1)]


def test_a_refused_replace_is_tried_again() -> None:
    _, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    bid, ask = sides(market)
    market.advance("1s")
    market.quote(9_994, 50, 10_014, 50)
    market.replaced(ask)
    market.reject(bid, Reason.WOULD_TRADE, EventKind.REPLACE_REJECTED)
    market.clear()
    market.advance("11ms")
    assert [(r.kind, r.order_id, r.price) for r in market.asked()] == [(Kind.REPLACE, bid.reference, 10_002)]


def test_quotes_stay_out_of_others() -> None:
    """With much to sell, the ask goes to the others' bid and no further."""
    _, market = maker(target_spread=0.02, skew=50.0)
    _give(market, 60)
    market.advance("1s")
    market.quote(9_998, 50, 10_002, 50)
    assert shown(market)[Side.SELL][0] == 9_999


def test_far_quotes_are_withdrawn() -> None:
    _, market = maker(target_spread=5.0, max_distance=0.01)
    market.quote(9_990, 50, 10_010, 50)
    assert shown(market) == {}


def test_new_parameters_are_followed_at_once() -> None:
    me, market = maker(target_spread=0.04)
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    market.advance("1s")
    me.set(target_spread=0.08)
    assert [r.price for r in market.asked()] == [9_996, 10_004]


# --- the guard ---


def guarded(**changes: Any) -> tuple[MarketMaker, HandMarket]:
    me, market = maker(
        target_spread=0.04, adverse_selection_protection=True, skew_adjustment=False, guard_run=1.5, **changes
    )
    market.quote(9_990, 50, 10_010, 50)
    market.accept()
    market.clear()
    market.advance("1s")
    return me, market


def test_one_sided_flow_moves_the_hit_side_away() -> None:
    _, market = guarded(guard_widening=2.0)
    market.fill(sides(market)[1], 10)
    answer_all(market)
    market.advance("1s")
    market.fill(sides(market)[1], 10)
    market.advance("20ms")
    answer_all(market)
    quotes = shown(market)
    assert quotes[Side.SELL][0] == 10_002 + 8
    assert quotes[Side.BUY][0] == 9_998


def test_a_side_that_loses_is_pulled_and_comes_back() -> None:
    _, market = guarded(guard_fills=4, guard_horizon="1s", guard_pause="3s")
    for _ in range(2):
        market.fill(sides(market)[1], 10)
        market.advance("20ms")
        answer_all(market)
    market.advance("1s")
    market.quote(9_996, 50, 10_016, 50)
    market.advance("20ms")
    answer_all(market)
    assert set(shown(market)) == {Side.BUY}
    market.advance("4s")
    assert set(shown(market)) == {Side.BUY, Side.SELL}, "without any message of the market"


def test_without_protection_nothing_of_that_happens() -> None:
    _, market = guarded(guard_fills=4)
    market.agent.set(adverse_selection_protection=False)
    for _ in range(4):
        market.fill(sides(market)[1], 10)
        market.advance("20ms")
        answer_all(market)
    market.advance("1s")
    market.quote(9_996, 50, 10_016, 50)
    market.advance("20ms")
    answer_all(market)
    assert shown(market)[Side.SELL][0] == 10_008


# --- any market ---


@given(
    st.lists(
        st.tuples(
            st.integers(9_900, 10_100), st.integers(1, 30), st.integers(0, 40), st.integers(0, 40), st.integers(0, 9)
        ),
        max_size=40,
    ),
    st.booleans(),
)
def test_whatever_happens_the_limit_holds_and_quotes_do_not_cross(
    steps: list[tuple[int, int, int, int, int]], protected: bool
) -> None:
    me, market = maker(adverse_selection_protection=protected, volatility_factor=0.5, max_position=30)
    for bid, spread, bid_quantity, ask_quantity, action in steps:
        market.quote(bid, bid_quantity, bid + spread, ask_quantity)
        market.advance("15ms")
        answer_all(market)
        for order in market.orders:
            if action < 4 and (action % 2 == 0) == (order.side is Side.BUY):
                market.fill(order, max(1, order.leaves // (1 + action)))
        open_lots = {side: sum(o.leaves for o in me.orders(side=side)) for side in Side}
        assert me.position() + open_lots[Side.BUY] <= 30
        assert me.position() - open_lots[Side.SELL] >= -30
        assert abs(me.position()) <= 30
        quotes = shown(market)
        if len(quotes) == 2:
            assert quotes[Side.BUY][0] < quotes[Side.SELL][0]
        assert len(me.orders(side=Side.BUY)) <= 1
        assert len(me.orders(side=Side.SELL)) <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_spread": 0}, "target_spread: 0 must be above 0"),
        ({"quantity": 0}, "quantity: 0 must be at least 1"),
        (
            {"quantity": 5_000},
            "quantity: quotes of 5000 lots lead beyond max_position 1000; use at most 1000, or raise",
        ),
        ({"max_position": 50}, "quantity: quotes of 100 lots lead beyond max_position 50; use at most 50, or raise"),
        ({"max_position": 1.5}, "max_position: 1.5 is not a whole number"),
        ({"inventory_target": 2_000}, "inventory_target: 2000 lies outside max_position 1000"),
        ({"microprice_weight": 1.5}, "microprice_weight: 1.5 must be from 0 to 1"),
        ({"refresh": "10"}, "refresh: '10' is not a duration"),
        ({"guard_pause": 0}, "guard_pause: 0s must be above zero"),
        ({"skew": -1}, "skew: -1 must be at least 0"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        MarketMaker(**changes)


def test_the_documents_defaults() -> None:
    me = MarketMaker()
    assert (me.target_spread, me.max_position, me.inventory_target) == (0.01, 1000, 0)
    assert me.skew_adjustment
    assert me.adverse_selection_protection


def test_a_base_without_targets_says_what_is_missing() -> None:
    market = HandMarket(QuotingAgent())
    with pytest.raises(Exception, match="write targets"):
        market.quote(1, 1, 2, 1)


def test_every_instrument_has_its_own_desk() -> None:
    two = Instrument("XYZ", reference_price="50")
    me = AvellanedaStoikov(sigma=0.01, k=100.0, quantity=10)
    market = HandMarket(me, (ABC, two), ("X", "Y"))
    market.quote(9_990, 50, 10_010, 50, market=0)
    market.quote(4_990, 50, 5_010, 50, market=1)
    market.quote(1, 50, 3, 50, market=2)
    assert sorted((o.instrument.symbol, o.venue) for o in market.orders) == [("ABC", "X")] * 2 + [("XYZ", "X")] * 2
    assert me.desks["ABC"].fair == 10_000, "the other venue is not listened to"
