"""The smart order router by hand: who is asked for what, what follows an answer, and that it never has too much out."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import marketsim as ms
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderState, Reason, Side, TimeInForce
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket
from marketsim.trading.consolidated import Offer
from marketsim.trading.order import Order
from marketsim.trading.risk import Limits
from marketsim.trading.router import RESTS, STYLES, RoutedOrder, Slice, split

ABC = Instrument("ABC")
BUY, SELL = Side.BUY, Side.SELL
VENUES = ("A", "B", "C")


class Client(ms.Agent):
    """Remembers which routed orders are over."""

    def on_start(self) -> None:
        self.over: list[RoutedOrder] = []
        self.consolidated()

    def on_routed(self, order: RoutedOrder) -> None:
        order.check()
        assert not order.live
        self.over.append(order)


def desk(**options: Any) -> tuple[Client, HandMarket]:
    client = Client()
    market = HandMarket(client, venues=VENUES, **options)
    market.clear()
    return client, market


def show(market: HandMarket, *asks: tuple[int, int], bids: tuple[int, int] = (90, 50)) -> None:
    """The offers of the venues in turn."""
    for number, (price, quantity) in enumerate(asks):
        market.quote(*bids, price, quantity, market=number)


def out(market: HandMarket) -> list[tuple[str, int, int]]:
    """New orders since the last look: venue, price, lots."""
    sent = [(VENUES[r.market], r.price, r.quantity) for r in market.asked(Kind.NEW)]
    market.clear()
    return sent


def fill(market: HandMarket, order: Order, lots: int | None = None) -> None:
    """The venue fills an immediate-or-cancel order, or some of it and cancels the rest."""
    lots = order.leaves if lots is None else lots
    if order.state is OrderState.PENDING_NEW:
        market.accept(order)
    if lots:
        market.fill(order, lots, maker=False)
    if order.leaves:
        market.cancel(order, reason=Reason.IMMEDIATE_OR_CANCEL)


# --- the split ---


def test_the_cheapest_first_then_the_nearest_then_the_first_named() -> None:
    offers = [Offer("A", 101, 5), Offer("B", 100, 5), Offer("C", 100, 5), Offer("D", 100, 5)]
    delays = {"A": 0, "B": 9, "C": 3, "D": 3}
    assert split(12, offers, lambda o: Decimal(o.price), delays.__getitem__) == [
        Slice("C", 100, 5), Slice("D", 100, 5), Slice("B", 100, 2),
    ]  # fmt: skip


def test_a_venue_that_is_taken_through_several_prices_gets_one_order() -> None:
    offers = [Offer("A", 100, 5), Offer("A", 102, 5), Offer("B", 101, 5), Offer("A", 104, 5)]
    assert split(17, offers, lambda o: Decimal(o.price), lambda venue: 0) == [
        Slice("A", 104, 12),
        Slice("B", 101, 5),
    ]


@given(st.integers(1, 60), st.lists(st.tuples(st.sampled_from("ABC"), st.integers(95, 105), st.integers(1, 20))))
def test_a_split_takes_what_is_there_and_no_more_at_the_least_cost(quantity: int, rows: list[Any]) -> None:
    offers = [Offer(*row) for row in dict.fromkeys(rows)]
    slices = split(quantity, offers, lambda o: Decimal(o.price), lambda venue: 0)
    total = sum(part.quantity for part in slices)
    assert total == min(quantity, sum(offer.quantity for offer in offers))
    assert len({part.venue for part in slices}) == len(slices)
    lots = sorted(price for _, price, count in offers for _ in range(count))
    for part in slices:
        assert part.price <= lots[total - 1]
        shown = sum(o.quantity for o in offers if o.venue == part.venue and o.price <= part.price)
        assert part.quantity <= shown


# --- one round ---


def test_it_sprays_over_what_is_shown_within_the_limit() -> None:
    client, market = desk()
    show(market, (101, 10), (100, 4), (103, 50))
    parent = client.route(BUY, ABC, 30, limit=102)
    assert out(market) == [("B", 100, 4), ("A", 101, 10)]
    assert all(child.time_in_force is TimeInForce.IOC for child in parent.children)
    assert (parent.open, parent.leaves, parent.state) == (14, 30, OrderState.PENDING_NEW)
    market.accept()
    assert parent.state is OrderState.ACCEPTED
    for child in parent.children:
        fill(market, child)
    assert (parent.filled, parent.average_price, parent.state) == (
        14, (4 * 100 + 10 * 101) / 14, OrderState.PARTIALLY_FILLED,
    )  # fmt: skip
    show(market, (104, 1), (105, 1))
    assert client.over == [parent]
    assert (parent.state, parent.leaves, out(market)) == (OrderState.CANCELED, 0, [])
    assert {venue: share.filled for venue, share in parent.by_venue.items()} == {"B": 4, "A": 10}


def test_sales_go_to_the_highest_bids() -> None:
    client, market = desk()
    for number, bid in enumerate((99, 101, 100)):
        market.quote(bid, 5, 110, 5, market=number)
    client.route(SELL, ABC, 8, limit=100)
    assert out(market) == [("B", 101, 5), ("C", 100, 3)]


def test_fees_decide_between_equal_prices_and_can_outweigh_a_tick() -> None:
    client, market = desk(fee={"A": "0.0003", "B": "-0.0001", "C": "0.03"})
    show(market, (10_001, 5), (10_001, 5), (10_000, 5))
    client.route(BUY, ABC, 12)
    assert out(market) == [("B", 10_001, 5), ("A", 10_001, 5), ("C", 10_000, 2)]
    for number in range(3):
        market.quote((10_000, 10_000, 10_001)[number], 5, 10_100, 5, market=number)
    client.route(SELL, ABC, 12)
    assert out(market) == [("B", 10_000, 5), ("A", 10_000, 5), ("C", 10_001, 2)]


def test_fees_and_fills_add_up_over_venues() -> None:
    client, market = desk(fee={"A": "0.001", "B": "-0.0005"})
    show(market, (10_000, 4), (10_000, 6))
    parent = client.route(BUY, ABC, 10)
    for child in list(parent.children):
        fill(market, child)
    assert parent.state is OrderState.FILLED
    assert parent.by_venue["A"].fees == Decimal("0.4")
    assert parent.fees == Decimal("0.4") - Decimal("0.3") == sum(f.fee for f in client.portfolio.history)
    assert client.position() == 10


def test_it_waits_for_quotes_that_were_just_asked_for() -> None:
    client = ms.Agent()
    market = HandMarket(client, venues=VENUES)
    parent = client.route(BUY, ABC, 5, patience="5ms")
    assert parent.live
    show(market, (100, 5))
    assert [child.venue for child in parent.children] == ["A"]
    nobody = client.route(BUY, ABC, 5, venues=["C"], patience="5ms")
    market.advance("6ms")
    assert (nobody.state, nobody.children) == (OrderState.CANCELED, [])


def test_deeper_levels_are_taken_where_books_are_followed() -> None:
    client, market = desk()
    client.consolidated_depth(SELL)
    market.clear()
    market.book([], [(100, 5), (102, 5)], 1, market=0)
    market.book([], [(101, 5), (103, 5)], 1, market=1)
    client.route(BUY, ABC, 17)
    assert out(market) == [("A", 102, 10), ("B", 103, 7)]


# --- what follows ---


def test_what_a_venue_did_not_fill_goes_to_the_others() -> None:
    client, market = desk()
    show(market, (100, 10), (101, 10), (102, 10))
    parent = client.route(BUY, ABC, 10, limit=102)
    assert out(market) == [("A", 100, 10)]
    fill(market, parent.children[0], 3)
    assert out(market) == [("B", 101, 7)], "A's quote is older than its answer"
    fill(market, parent.children[1])
    assert (parent.state, parent.filled) == (OrderState.FILLED, 10)


def test_a_venue_is_asked_again_when_it_has_shown_something_new() -> None:
    client, market = desk()
    show(market, (100, 10))
    parent = client.route(BUY, ABC, 10)
    fill(market, parent.children[0], 3)
    out(market)
    assert (parent.live, parent.open) == (True, 0)
    market.advance("1ms")
    show(market, (101, 2))
    assert out(market) == [("A", 101, 2)]


def test_a_stale_quote_is_not_chased_for_ever() -> None:
    client, market = desk()
    show(market, (100, 10))
    market.advance("1ms")
    parent = client.route(BUY, ABC, 10, patience="2ms")
    fill(market, parent.children[0], 0)
    market.advance("1ms")
    assert parent.live
    market.advance("20ms")
    assert (parent.state, len(parent.children), parent.filled) == (OrderState.CANCELED, 1, 0)


def test_what_still_stands_after_a_fill_is_taken_again() -> None:
    """An iceberg shows the same lots anew, and nothing is published."""
    client, market = desk()
    show(market, (100, 10))
    market.advance("1ms")
    parent = client.route(BUY, ABC, 25, patience="2ms")
    for _ in range(3):
        fill(market, parent.children[-1])
        market.advance("3ms")
    assert ([child.quantity for child in parent.children], parent.state) == ([10, 10, 5], OrderState.FILLED)


def test_a_venue_that_refuses_is_left_alone() -> None:
    client, market = desk()
    show(market, (100, 10), (101, 10))
    parent = client.route(BUY, ABC, 10)
    market.reject(parent.children[0], Reason.MARKET_CLOSED, quantity=10)
    assert out(market) == [("A", 100, 10), ("B", 101, 10)]
    market.reject(parent.children[1], Reason.MARKET_CLOSED, quantity=10)
    market.advance("11ms")
    assert (parent.state, client.over) == (OrderState.REJECTED, [parent])
    assert parent.by_venue["A"].rejected == 1
    client.route(BUY, ABC, 4)
    assert out(market) == [("A", 100, 4)], "the next order may try again"


def test_own_limits_refuse_as_venues_do() -> None:
    client, market = desk(limits=Limits(max_order=5))
    show(market, (100, 10), (101, 4))
    parent = client.route(BUY, ABC, 10)
    market.advance("1ns")
    assert out(market) == [("B", 101, 4)]
    fill(market, parent.children[1])
    show(market, (100, 10), (105, 0))
    market.advance("11ms")
    assert (parent.filled, parent.state) == (4, OrderState.CANCELED)


def test_two_orders_do_not_count_on_the_same_lots() -> None:
    client, market = desk()
    show(market, (100, 10), (101, 10))
    client.route(BUY, ABC, 8)
    client.route(BUY, ABC, 8)
    assert out(market) == [("A", 100, 8), ("A", 100, 2), ("B", 101, 6)]


# --- styles ---


def test_sequentially_one_after_the_other() -> None:
    client, market = desk()
    show(market, (100, 5), (101, 5), (102, 5))
    parent = client.route(BUY, ABC, 12, style="sequential")
    for expected in (("A", 100, 5), ("B", 101, 5), ("A", 100, 2)):  # A has told since that there is more
        assert out(market) == [expected]
        show(market, (100, 5), (101, 5), (102, 5))
        assert out(market) == [], "nothing more before the answer"
        market.advance("1ns")
        fill(market, parent.children[-1])
    assert parent.state is OrderState.FILLED


def test_together_the_near_venue_is_asked_later() -> None:
    client, market = desk()
    show(market, (100, 5))
    far = Kind.QUOTE
    market._tell(far, 1, price=90, quantity=5, other_price=100, leaves=5, sent=market.now - 3_000_000)
    parent = client.route(BUY, ABC, 10, style="together")
    (first,) = market.asked(Kind.NEW)
    assert VENUES[first.market] == "B"
    assert parent.open == 10, "what waits to leave counts"
    market.advance("3ms")
    first, second = market.asked(Kind.NEW)
    assert (VENUES[second.market], second.depart - first.depart) == ("A", 3_000_000)


def test_what_waits_to_leave_can_still_be_called_back() -> None:
    client, market = desk()
    show(market, (100, 5))
    market._tell(Kind.QUOTE, 1, price=90, quantity=5, other_price=100, leaves=5, sent=market.now - 3_000_000)
    parent = client.route(BUY, ABC, 10, style="together")
    parent.cancel()
    assert (parent.live, parent.open) == (True, 5)
    far = next(child for child in parent.children if child.live)
    fill(market, far, 2)
    market.advance("4ms")
    assert len(market.asked(Kind.NEW)) == 1
    assert (parent.state, parent.filled) == (OrderState.CANCELED, 2)
    client.route(BUY, ABC, 5, venues=["A"])
    assert out(market)[-1] == ("A", 100, 5), "the lots that were never asked for are free again"


# --- the rest ---


def test_the_rest_is_posted_where_making_is_cheapest() -> None:
    client, market = desk(fee={"A": "0.001", "B": "-0.001"})
    show(market, (100, 4), (105, 9), (105, 9))
    market.advance("1ms")
    parent = client.route(BUY, ABC, 10, limit=100, rest="post")
    fill(market, parent.children[0])
    show(market, (104, 4))
    assert out(market) == [("A", 100, 4), ("B", 100, 6)]
    assert parent.children[1].time_in_force is TimeInForce.GTC
    market.accept()
    market.fill(parent.children[1], 6)
    assert (parent.state, parent.by_venue["B"].fees < 0) == (OrderState.FILLED, True)


def test_a_posted_rest_is_called_back_with_its_parent() -> None:
    client, market = desk()
    show(market, (105, 9), (105, 9), (105, 9))
    parent = client.route(BUY, ABC, 10, limit=100, rest="post")
    market.accept()
    parent.cancel()
    assert [request.kind for request in market.asked(Kind.CANCEL)] == [Kind.CANCEL]
    assert parent.live
    market.cancel(parent.children[0])
    assert (parent.state, client.over) == (OrderState.CANCELED, [parent])


def test_a_posted_rest_that_somebody_cancels_ends_its_parent() -> None:
    client, market = desk()
    show(market, (105, 9), (105, 9), (105, 9))
    parent = client.route(BUY, ABC, 10, limit=100, rest="post")
    market.accept()
    client.cancel_all()
    market.cancel(parent.children[0])
    assert (parent.state, len(parent.children)) == (OrderState.CANCELED, 1)


def test_the_rest_waits_for_what_is_offered() -> None:
    client, market = desk()
    show(market, (105, 9), (105, 9), (105, 9))
    parent = client.route(BUY, ABC, 10, limit=100, rest="wait")
    market.advance("1s")
    assert (parent.live, out(market)) == (True, [])
    show(market, (105, 9), (99, 3))
    assert out(market) == [("B", 99, 3)]
    fill(market, parent.children[0])
    show(market, (105, 9), (105, 9))
    market.advance("1s")
    show(market, (100, 20))
    assert out(market) == [("A", 100, 7)]
    parent.cancel()
    fill(market, parent.children[1], 0)
    assert (parent.state, parent.filled) == (OrderState.CANCELED, 3)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"quantity": 0}, "at least 1 lot"),
        ({"quantity": 1.5}, "not a whole number of lots"),
        ({"venues": ["A", "X"]}, "cannot trade ABC on 'X'; it may trade it on A, B, C"),
        ({"venues": []}, "venues is empty"),
        ({"style": "spry"}, 'did you mean "spray"'),
        ({"rest": "pots", "limit": 100}, 'did you mean "post"'),
        ({"rest": "post"}, "needs a limit"),
        ({"patience": 0}, "must be above zero"),
    ],
)
def test_what_cannot_be_routed_is_refused(terms: dict[str, Any], words: str) -> None:
    client, _ = desk()
    with pytest.raises(InvalidValueError, match=words):
        client.route(BUY, ABC, **{"quantity": 10, **terms})


# --- never too much ---


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(STYLES), st.sampled_from(RESTS), st.sampled_from([BUY, SELL]))
def test_whatever_the_venues_do_no_more_is_out_than_is_wanted(seed: int, style: Any, rest: Any, side: Side) -> None:
    chance = random.Random(seed)
    client, market = desk(fee={"A": "0.0003", "B": "-0.0002"})
    parents: list[RoutedOrder] = []
    for _ in range(60):
        market.advance(chance.choice(["1ns", "1us", "1ms", "11ms"]))
        step = chance.random()
        waiting = [child for parent in parents for child in parent.children if child.live and child.reference]
        if step < 0.4:
            bid = chance.randint(95, 104)
            lots = chance.choice([0, 1, 5, 20])
            market.quote(bid, lots, bid + chance.randint(1, 4), 5, market=chance.randrange(3))
        elif step < 0.5:
            parents.append(
                client.route(
                    side, ABC, chance.randint(1, 40), limit=chance.randint(95, 105), style=style, rest=rest
                )
            )  # fmt: skip
        elif step < 0.55 and parents:
            chance.choice(parents).cancel()
        elif waiting:
            _answer(chance, market, chance.choice(waiting))
        for parent in parents:
            parent.check()
    for parent in parents:
        parent.cancel()
    while waiting := [child for parent in parents for child in parent.children if child.live and child.reference]:
        fill(market, waiting[0], 0)
    market.advance("1s")
    for parent in parents:
        parent.check()
        assert not parent.live
    assert sorted(map(id, client.over)) == sorted(map(id, parents)), "each is told once"
    assert client.position() == side * sum(parent.filled for parent in parents)
    assert sum(p.fees for p in parents) == sum(f.fee for f in client.portfolio.history)


def _answer(chance: random.Random, market: HandMarket, child: Order) -> None:
    if child.state is OrderState.PENDING_NEW and chance.random() < 0.2:
        market.reject(child, Reason.MARKET_CLOSED, quantity=child.quantity)
    elif child.time_in_force is TimeInForce.IOC:
        fill(market, child, chance.randint(0, child.leaves))
    else:
        market.accept(child)
        market.fill(child, chance.randint(1, child.leaves))
