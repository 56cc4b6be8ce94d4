"""The intervention: nothing before its time, nothing of zero, pieces that add up, limits at the best price."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe import Action, Probe

from marketsim.agents.intervention import Intervention
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType
from marketsim.errors import InvalidValueError

SECOND = 1_000_000_000


def woken(probe: Probe) -> list[Action]:
    return probe.see(Kind.WAKE, probe.wake)


@pytest.mark.uncompiled
def test_one_market_order_at_its_time() -> None:
    probe = Probe(Intervention(at="10s", side="sell", quantity=30))
    assert probe.see(Kind.START, 5 * SECOND) == []
    assert probe.wake == 15 * SECOND, "counted from the start"
    (order,) = woken(probe)
    assert (order.kind, order.side, order.quantity, order.order_type) == (Kind.NEW, -1, 30, OrderType.MARKET)
    assert probe.wake == -1
    probe.report(EventKind.TRADE, order.order_id, 20, 100)
    probe.report(EventKind.TRADE, order.order_id, 10, 99)
    assert (probe["filled"], probe["paid"]) == (30, 2_990)


def test_zero_does_nothing() -> None:
    probe = Probe(Intervention(at="10s", quantity=0, pieces=3, over="3s"))
    probe.see(Kind.START, 0)
    assert woken(probe) == []
    assert probe.wake == -1


@given(st.integers(1, 500), st.integers(1, 40))
def test_pieces_add_up_and_are_as_even_as_lots_allow(quantity: int, pieces: int) -> None:
    probe = Probe(Intervention(quantity=quantity, pieces=pieces, over="40s"))
    probe.see(Kind.START, 0)
    sizes, times = [], []
    while probe.wake >= 0:
        times.append(probe.wake)
        sizes.append(sum(order.quantity for order in woken(probe)))
    assert sum(sizes) == quantity
    assert len(sizes) == pieces
    assert max(sizes) - min(sizes) <= 1
    assert times == [number * (40 * SECOND // pieces) for number in range(pieces)]


@pytest.mark.parametrize(("side", "offset", "price"), [("buy", 0, 99), ("buy", 0.01, 100), ("sell", 0.02, 103)])
def test_a_limit_stands_at_the_best_price_of_its_side(side: Any, offset: float, price: int) -> None:
    probe = Probe(Intervention(side=side, quantity=7, orders="limit", offset=offset))
    probe.see(Kind.START, 0)
    (question,) = woken(probe)
    assert question.kind == Kind.QUERY
    (order,) = probe.quote(99, 105)
    assert (order.order_type, order.price, order.quantity) == (OrderType.LIMIT, price, 7)


def test_a_limit_where_its_side_is_empty_stands_at_the_other_one_and_waits_where_both_are() -> None:
    probe = Probe(Intervention(quantity=7, orders="limit"))
    probe.see(Kind.START, 0)
    woken(probe)
    assert probe.quote(0, 0) == []
    probe = Probe(Intervention(quantity=7, orders="limit"))
    probe.see(Kind.START, 0)
    woken(probe)
    assert probe.quote(0, 105)[0].price == 105


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"quantity": -1}, "quantity: -1 must be at least 0"),
        ({"quantity": "much"}, "quantity: 'much' is not a number"),
        ({"side": "by"}, "side: 'by' is not one of the choices; did you mean \"buy\""),
        ({"orders": "stop"}, "orders: 'stop' is not one of the choices"),
        ({"at": -1}, "at: -1ns must not be below zero"),
        ({"pieces": 3}, "over: 3 pieces need a time over which they are spread"),
        ({"pieces": 0}, "pieces: 0 must be from 1 to"),
    ],
)
def test_what_it_refuses(terms: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Intervention(**terms)
    assert words in str(caught.value)


def test_quantities_are_whole_lots_and_offsets_whole_ticks() -> None:
    instrument = Instrument("ABC", lot_size=10)
    assert Intervention(quantity=50).records(1, instrument)["quantity"][0] == 5
    with pytest.raises(InvalidValueError, match=r"quantity: ABC: quantity 55\.0 is not a multiple of 10: use 50 or 60"):
        Intervention(quantity=55).records(1, instrument)
    with pytest.raises(InvalidValueError, match=r"offset: ABC: price 0.005 is not a multiple of 0.01"):
        Intervention(offset=0.005).records(1, instrument)
