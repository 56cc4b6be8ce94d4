"""The agents of stress by hand: what they send, when they take it back, and what they say of it."""

from __future__ import annotations

from typing import Any

import pytest

from marketsim.agents import FatFinger, LargeSeller, Layering, LiquidationCascade, Spoofer
from marketsim.domain.instrument import Instrument
from marketsim.domain.label import LABEL, Label
from marketsim.domain.message import Kind
from marketsim.domain.order import Reason, Side, TimeInForce
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket
from marketsim.trading.order import Order
from marketsim.trading.risk import Limits

ABC = Instrument("ABC")


def said(market: HandMarket) -> list[Label]:
    return [Label.of(value) for _, _, key, value in market.notes if key == LABEL]


def sent(market: HandMarket) -> list[tuple[int, int, int]]:
    """Side, price and lots of the new orders since the last look."""
    asked = [(request.side, request.price, request.quantity) for request in market.asked(Kind.NEW)]
    market.clear()
    return asked


# --- spoofing and layering ---


def episode(kind: type[Spoofer] | type[Layering], **changes: Any) -> tuple[Any, HandMarket, Order, list[Order]]:
    """Its first episode, with its orders accepted: the agent, the market, the genuine order and the decoys."""
    me = kind(**{"interval": "1s", "patience": "5s", "quantity": 10, "cover": 10, **changes})
    market = HandMarket(me, (ABC,))
    market.quote(100, 50, 102, 60)
    while not market.orders:
        market.advance("10ms")
    genuine, *decoys = market.orders
    market.accept(genuine, *decoys)
    return me, market, genuine, decoys


def test_a_spoofer_shows_a_large_order_opposite_a_small_one() -> None:
    _, market, genuine, (decoy,) = episode(Spoofer, distance=2, decoy_quantity=400)
    away = 2 if genuine.side is Side.BUY else -2
    best, other = (100, 102) if genuine.side is Side.BUY else (102, 100)
    assert (genuine.price, genuine.quantity) == (best, 10)
    assert (decoy.side, decoy.price, decoy.quantity) == (genuine.side.opposite, other + away, 400)
    assert said(market) == [
        Label("spoofing", "genuine", 1, "XSIM", genuine.reference),
        Label("spoofing", "decoy", 1, "XSIM", decoy.reference),
    ]


def test_layers_stand_at_several_prices() -> None:
    _, market, genuine, decoys = episode(Layering, distance=1, layers=3, spacing=2, layer_quantity=70)
    sign, other = (1, 102) if genuine.side is Side.BUY else (-1, 100)
    assert [decoy.price for decoy in decoys] == [other + sign * away for away in (1, 3, 5)]
    assert {decoy.quantity for decoy in decoys} == {70}
    assert [label.role for label in said(market)] == ["genuine", "decoy", "decoy", "decoy"]
    assert {label.kind for label in said(market)} == {"layering"}


def test_decoys_are_cancelled_when_the_genuine_order_has_traded_and_not_before() -> None:
    _, market, genuine, decoys = episode(Layering, layers=2)
    market.clear()
    market.fill(genuine, 4)
    assert market.asked(Kind.CANCEL) == []
    market.fill(genuine, 6)
    assert {request.order_id for request in market.asked(Kind.CANCEL)} == {decoy.reference for decoy in decoys}


def test_what_was_traded_in_one_episode_is_traded_back_in_the_next() -> None:
    me, market, genuine, (decoy,) = episode(Spoofer)
    market.fill(genuine)
    market.cancel(decoy)
    market.clear()
    while not market.orders:
        market.advance("100ms")
    assert market.orders[0].side is genuine.side.opposite
    assert market.orders[0].quantity == 10
    assert me.episode == 2
    assert [label.episode for label in said(market)] == [1, 1, 2, 2]


def test_patience_ends_an_episode() -> None:
    _, market, genuine, (decoy,) = episode(Spoofer, patience="2s")
    market.clear()
    market.advance("1s")
    assert market.asked(Kind.CANCEL) == []
    market.advance("1100ms")
    assert {request.order_id for request in market.asked(Kind.CANCEL)} == {genuine.reference, decoy.reference}


def test_a_decoy_that_is_about_to_trade_is_withdrawn() -> None:
    """At the best price with 10 lots of others ahead it stays, with 9 it goes."""
    for ahead, gone in ((10, False), (9, True)):
        _, market, genuine, (decoy,) = episode(Spoofer, distance=0, decoy_quantity=400, cover=10)
        market.clear()
        shown = 400 + ahead
        market.quote(100, 50, 102, shown) if genuine.side is Side.BUY else market.quote(100, shown, 102, 50)
        assert bool(market.asked(Kind.CANCEL)) is gone
        assert decoy.live


def test_a_decoy_that_trades_ends_the_episode() -> None:
    _, market, genuine, (decoy,) = episode(Spoofer)
    market.clear()
    market.fill(decoy, 30)
    assert {request.order_id for request in market.asked(Kind.CANCEL)} == {genuine.reference, decoy.reference}


def test_an_episode_of_which_an_order_is_refused_is_given_up_and_another_follows() -> None:
    me, market, genuine, (decoy,) = episode(Spoofer)
    market.clear()
    market.reject(genuine, Reason.MARKET_CLOSED)
    assert [request.order_id for request in market.asked(Kind.CANCEL)] == [decoy.reference]
    market.cancel(decoy)
    for _ in range(200):
        market.advance("100ms")
    assert me.episode == 2


def test_what_its_own_limits_refuse_is_not_labelled() -> None:
    me = Spoofer(interval="1s", quantity=10, decoy_quantity=400)
    market = HandMarket(me, (ABC,), limits=Limits(max_position=100))
    market.quote(100, 50, 102, 60)
    while not me.episode:
        market.advance("10ms")
    assert [label.role for label in said(market)] == ["genuine"]


def test_without_a_book_it_waits() -> None:
    me = Spoofer(interval="1s")
    market = HandMarket(me, (ABC,))
    market.advance("20s")
    assert (me.episode, sent(market)) == (0, [])


# --- the fat finger ---


def test_a_wrong_size_is_a_market_order_of_far_too_many_lots() -> None:
    market = HandMarket(FatFinger(quantity=30, factor=10, begin="1s", side="buy"), (ABC,))
    market.quote(100, 50, 102, 60)
    market.advance("999ms")
    assert sent(market) == []
    market.advance("2ms")
    assert sent(market) == [(1, 0, 300)]
    (label,) = said(market)
    assert (label.kind, label.role, label.order) == ("fat_finger", "mistake", 1)
    market.quote(100, 50, 102, 60)
    market.advance("1min")
    assert sent(market) == [], "only once"


def test_a_wrong_price_is_far_through_the_market_and_noticed_later() -> None:
    market = HandMarket(FatFinger(mistake="price", quantity=30, price_error=0.1, begin="1s", notice="5s"), (ABC,))
    market.quote(1_000, 50, 1_002, 60)
    market.advance("1s")
    (order,) = market.orders
    assert (order.side, order.price, order.quantity) == (Side.SELL, 901, 30)
    market.accept(order)
    market.fill(order, 20)
    market.advance("4900ms")
    assert market.asked(Kind.CANCEL) == []
    market.advance("200ms")
    assert [request.order_id for request in market.asked(Kind.CANCEL)] == [order.reference]


def test_it_waits_for_a_market_to_be_wrong_in() -> None:
    market = HandMarket(FatFinger(begin="1s", quantity=1, factor=2), (ABC,))
    market.advance("2s")
    assert sent(market) == []
    market.quote(100, 50, 102, 60)
    assert sent(market) == [(-1, 0, 2)]


# --- the cascade ---


def cascade(**changes: Any) -> tuple[LiquidationCascade, HandMarket]:
    me = LiquidationCascade(
        **{
            "holders": 3, "quantity": 7, "lowest_leverage": 2, "highest_leverage": 10, "maintenance": 0.05, **changes
        }
    )  # fmt: skip
    return me, HandMarket(me, (ABC,))


def test_thresholds_by_hand() -> None:
    """Bought at 100 with leverages 10, 6 and 2: debts 90, 83.33 and 50; equity is 5 % where price = debt / 0.95."""
    me, _ = cascade()
    assert me.thresholds() == pytest.approx([90 / 0.95, 100 * (1 - 1 / 6) / 0.95, 50 / 0.95])
    for price, debt in zip(me.thresholds(), (90, 100 * 5 / 6, 50), strict=True):
        assert (price - debt) / price == pytest.approx(0.05)
    assert cascade(entry=200.0)[0].thresholds()[0] == pytest.approx(180 / 0.95)
    assert cascade(holders=1)[0].thresholds() == pytest.approx([90 / 0.95])


def test_holders_are_sold_out_one_after_the_other_each_once() -> None:
    _, market = cascade(delay="100ms")
    market.quote(9_474, 5, 9_476, 5)
    market.advance("1s")
    assert sent(market) == [], "94.75 is above 94.737"
    market.quote(9_472, 5, 9_474, 5)
    market.advance("99ms")
    assert sent(market) == []
    market.advance("2ms")
    assert sent(market) == [(-1, 0, 7)]
    market.quote(5_000, 5, 5_002, 5)
    market.advance("1s")
    assert sent(market) == [(-1, 0, 7), (-1, 0, 7)]
    market.quote(9_000, 5, 9_002, 5)
    market.quote(1_000, 5, 1_002, 5)
    market.advance("1s")
    assert sent(market) == []
    assert [label.episode for label in said(market)] == [1, 2, 3]
    assert {label.role for label in said(market)} == {"forced"}


def test_before_it_begins_nobody_is_sold_out() -> None:
    _, market = cascade(begin="1min")
    market.quote(9_000, 5, 9_002, 5)
    market.advance("59s")
    assert sent(market) == []
    market.advance("2s")
    market.quote(9_000, 6, 9_002, 5)
    market.advance("1s")
    assert sent(market) == [(-1, 0, 7)]


def test_thresholds_may_change_for_those_who_still_hold() -> None:
    me, market = cascade()
    market.quote(9_000, 5, 9_002, 5)
    market.advance("1s")
    assert sent(market) == [(-1, 0, 7)]
    me.set(entry=50.0)
    market.quote(8_000, 5, 8_002, 5)
    market.advance("1s")
    assert sent(market) == []
    me.set(entry=200.0)
    market.quote(8_000, 6, 8_002, 5)
    market.advance("1s")
    assert sent(market) == [(-1, 0, 7), (-1, 0, 7)]


def test_what_finds_no_buyer_is_tried_again() -> None:
    _, market = cascade()
    market.quote(9_000, 5, 9_002, 5)
    market.advance("200ms")
    (order,) = market.orders
    market.accept(order)
    market.fill(order, 3)
    market.cancel(order, reason=Reason.IMMEDIATE_OR_CANCEL)
    market.clear()
    market.advance("2s")
    assert sent(market) == [(-1, 0, 4)]
    market.reject(market.orders[0], Reason.MARKET_CLOSED)
    market.advance("2s")
    assert sent(market) == [(-1, 0, 4)]
    assert [label.episode for label in said(market)] == [1, 1, 1]


# --- the large seller ---


def volumes(market: HandMarket, bought: int, sold: int) -> None:
    market._tell(Kind.VOLUME, 0, quantity=bought, leaves=sold, expire=60 * 10**9)


def test_it_sells_its_share_of_the_volume() -> None:
    """9 % of 700 lots a minute is 63 a minute, 6.3 in six seconds; the fraction is carried on."""
    me = LargeSeller(quantity=100, participation=0.09, begin="10s", interval="6s")
    market = HandMarket(me, (ABC,))
    assert [request.kind for request in market.asked(Kind.ASK_VOLUME)] == [Kind.ASK_VOLUME]
    volumes(market, 300, 400)
    assert sent(market) == [], "it has not begun"
    market.advance("10s")
    quantities = []
    for _ in range(10):
        market.clear()
        market.advance("6s")
        assert len(market.asked(Kind.ASK_VOLUME)) == 1
        volumes(market, 300, 400)
        for side, price, lots in sent(market):
            assert (side, price) == (-1, 0)
            quantities.append(lots)
        for order in market.orders:
            assert order.time_in_force is TimeInForce.IOC
            market.accept(order)
            market.fill(order)
    assert quantities == [6, 6, 6, 7, 6, 6, 7, 6, 6, 7]
    assert me.sold == 63
    assert {label.kind for label in said(market)} == {"large_seller"}


def test_it_stops_when_everything_is_sold() -> None:
    me = LargeSeller(quantity=10, participation=0.5, begin=0, interval="6s")
    market = HandMarket(me, (ABC,))
    for _ in range(3):
        market.advance("6s")
        volumes(market, 80, 40)
        for order in market.orders:
            market.accept(order)
            market.fill(order)
    assert me.sold == 10
    market.clear()
    market.advance("1min")
    assert market.asked(Kind.ASK_VOLUME, Kind.NEW) == []


def test_orders_on_their_way_count_as_sold() -> None:
    me = LargeSeller(quantity=10, participation=0.5, begin=0, interval="6s")
    market = HandMarket(me, (ABC,))
    for _ in range(3):
        market.advance("6s")
        volumes(market, 80, 40)
    assert [lots for _, _, lots in sent(market)] == [6, 4]
    assert me.sold == 0


# --- parameters ---


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Spoofer(decoy_quantity=0), "decoy_quantity: 0 must be at least 1"),
        (lambda: Spoofer(interval="0s"), "interval: 0ns? must be above zero|interval: 0s must be above zero"),
        (lambda: Layering(layers=0), "layers: 0 must be at least 1"),
        (lambda: FatFinger(factor=1), "factor: 1 must be at least 2"),
        (lambda: FatFinger(price_error=1.0), "would sell at a price of zero or less"),
        (lambda: FatFinger(begin=-1), "lies before the start"),
        (lambda: LiquidationCascade(highest_leverage=40), "leaves less equity than maintenance 0.03 from the first"),
        (lambda: LiquidationCascade(lowest_leverage=21), "lowest_leverage: 21 is above highest_leverage 20"),
        (lambda: LiquidationCascade(lowest_leverage=1), "lowest_leverage: 1 must be above 1"),
        (lambda: LiquidationCascade(begin=-1), "lies before the start"),
        (lambda: LiquidationCascade(delay=-1), "delay: -1 ns is below zero"),
        (lambda: LargeSeller(participation=1.0), "leaves nobody to trade with"),
        (lambda: LargeSeller(participation=0.0), "participation: 0.0 must be above 0"),
        (lambda: LargeSeller(interval="2min"), "interval: it is longer than lookback"),
        (lambda: LargeSeller(begin=-1), "lies before the start"),
    ],
)
def test_wrong_parameters_are_named(make: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make()
