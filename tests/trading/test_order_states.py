"""An order's life as its participant sees it: every transition that the venue's reports can cause."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderState, OrderType, Reason, Side
from marketsim.trading.order import Order

ABC = Instrument("ABC")
S = OrderState
K = EventKind


def order(state: OrderState = S.PENDING_NEW, filled: int = 0, quantity: int = 10) -> Order:
    made = Order(1, ABC, "X", Side.BUY, OrderType.LIMIT, quantity, 100)
    made.state, made.filled, made.leaves = state, filled, quantity - filled
    return made


def report(kind: EventKind, **fields: Any) -> Report:
    told = {"price": 100, "quantity": 0, "leaves": 0} | fields
    return Report(5, kind, 77, ABC, Side.BUY, **told)


TRADED = {"quantity": 4, "leaves": 6}
LAST = {"quantity": 10, "leaves": 0}
GONE = {"quantity": 10, "leaves": 0, "reason": Reason.BY_REQUEST}
PART = {"quantity": 3, "leaves": 7, "reason": Reason.BY_REQUEST}


@pytest.mark.parametrize(
    ("before", "filled", "kind", "fields", "after"),
    [
        (S.PENDING_NEW, 0, K.ACCEPTED, {"leaves": 10}, S.ACCEPTED),
        (S.PENDING_NEW, 0, K.REJECTED, {"reason": Reason.RISK}, S.REJECTED),
        (S.PENDING_CANCEL, 0, K.ACCEPTED, {"leaves": 10}, S.PENDING_CANCEL),
        (S.PENDING_CANCEL, 0, K.REJECTED, {"reason": Reason.INVALID_PRICE}, S.REJECTED),
        (S.ACCEPTED, 0, K.TRADE, TRADED, S.PARTIALLY_FILLED),
        (S.ACCEPTED, 0, K.TRADE, LAST, S.FILLED),
        (S.PARTIALLY_FILLED, 2, K.TRADE, {"quantity": 3, "leaves": 5}, S.PARTIALLY_FILLED),
        (S.PARTIALLY_FILLED, 2, K.TRADE, {"quantity": 8, "leaves": 0}, S.FILLED),
        (S.PENDING_CANCEL, 0, K.TRADE, TRADED, S.PENDING_CANCEL),
        (S.PENDING_CANCEL, 0, K.TRADE, LAST, S.FILLED),
        (S.ACCEPTED, 0, K.CANCELED, GONE, S.CANCELED),
        (S.PARTIALLY_FILLED, 2, K.CANCELED, {**GONE, "quantity": 8}, S.CANCELED),
        (S.PENDING_CANCEL, 0, K.CANCELED, GONE, S.CANCELED),
        (S.ACCEPTED, 0, K.CANCELED, PART, S.ACCEPTED),
        (S.PARTIALLY_FILLED, 2, K.CANCELED, {**PART, "leaves": 5}, S.PARTIALLY_FILLED),
        (S.PENDING_CANCEL, 0, K.CANCELED, PART, S.PENDING_CANCEL),
        (S.ACCEPTED, 0, K.EXPIRED, {**GONE, "reason": Reason.END_OF_TIME}, S.EXPIRED),
        (S.PARTIALLY_FILLED, 2, K.EXPIRED, {**GONE, "quantity": 8, "reason": Reason.END_OF_SESSION}, S.EXPIRED),
        (S.PENDING_CANCEL, 0, K.EXPIRED, {**GONE, "reason": Reason.END_OF_TIME}, S.EXPIRED),
        (S.ACCEPTED, 0, K.REPLACED, {"quantity": 8, "leaves": 8}, S.ACCEPTED),
        (S.PARTIALLY_FILLED, 2, K.REPLACED, {"quantity": 8, "leaves": 6}, S.PARTIALLY_FILLED),
        (S.PENDING_CANCEL, 0, K.REPLACED, {"quantity": 8, "leaves": 8}, S.PENDING_CANCEL),
        (S.PENDING_CANCEL, 0, K.CANCEL_REJECTED, {}, S.ACCEPTED),
        (S.PENDING_CANCEL, 2, K.CANCEL_REJECTED, {}, S.PARTIALLY_FILLED),
        # the refusal of a partial cancel says nothing about the whole one that is under way
        (S.PENDING_CANCEL, 0, K.CANCEL_REJECTED, {"quantity": -1}, S.PENDING_CANCEL),
        (S.ACCEPTED, 0, K.CANCEL_REJECTED, {"quantity": -1}, S.ACCEPTED),
        (S.ACCEPTED, 0, K.REPLACE_REJECTED, {"reason": Reason.WOULD_TRADE}, S.ACCEPTED),
        (S.ACCEPTED, 0, K.TRIGGERED, {"leaves": 10}, S.ACCEPTED),
        # what is over stays as it ended
        (S.FILLED, 10, K.CANCEL_REJECTED, {"reason": Reason.UNKNOWN_ORDER}, S.FILLED),
        (S.CANCELED, 0, K.CANCEL_REJECTED, {"reason": Reason.UNKNOWN_ORDER}, S.CANCELED),
        (S.EXPIRED, 0, K.REPLACE_REJECTED, {"reason": Reason.UNKNOWN_ORDER}, S.EXPIRED),
        (S.REJECTED, 0, K.CANCEL_REJECTED, {"reason": Reason.UNKNOWN_ORDER}, S.REJECTED),
    ],
)
def test_transition(
    before: OrderState, filled: int, kind: EventKind, fields: dict[str, Any], after: OrderState
) -> None:
    it = order(before, filled)
    it.apply(report(kind, **fields))
    assert it.state is after
    assert it.live == (after in (S.PENDING_NEW, S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL))
    assert it.live != it.state.terminal


@pytest.mark.parametrize("kind", [K.REJECTED, K.CANCELED, K.EXPIRED])
def test_the_reason_of_an_end_is_kept(kind: EventKind) -> None:
    it = order(S.ACCEPTED)
    it.apply(report(kind, quantity=10, reason=Reason.END_OF_TIME))
    assert (it.reason, it.leaves) == (Reason.END_OF_TIME, 0)


def test_a_partial_cancel_shrinks_the_order() -> None:
    it = order(S.PARTIALLY_FILLED, filled=2)
    it.apply(report(K.CANCELED, quantity=3, leaves=5, reason=Reason.BY_REQUEST))
    assert (it.quantity, it.leaves, it.filled) == (7, 5, 2)
    assert it.reason is Reason.NONE


def test_the_average_price_weighs_by_quantity() -> None:
    it = order(S.ACCEPTED)
    assert it.average_price == 0.0
    it.apply(report(K.TRADE, price=100, quantity=1, leaves=9))
    it.apply(report(K.TRADE, price=104, quantity=3, leaves=6))
    assert it.average_price == 103.0


def test_an_accepted_order_has_the_venues_id() -> None:
    it = order()
    assert it.order_id == 0
    it.apply(report(K.ACCEPTED, leaves=10))
    assert it.order_id == 77


def test_repr_tells_what_matters() -> None:
    assert repr(order()) == "<Order 1 BUY 10 ABC at 100 LIMIT PENDING_NEW filled 0>"
    free = Order(2, ABC, "X", Side.SELL, OrderType.MARKET, 3)
    assert repr(free) == "<Order 2 SELL 3 ABC MARKET PENDING_NEW filled 0>"


@given(st.lists(st.tuples(st.sampled_from(["trade", "cancel", "whole", "raise"]), st.integers(1, 6)), max_size=30))
def test_quantities_always_add_up(steps: list[tuple[str, int]]) -> None:
    """Whatever a venue does to an order, what it holds is what has traded and what is open."""
    it = order()
    it.apply(report(K.ACCEPTED, leaves=10))
    traded = 0
    for what, lots in steps:
        if not it.live:
            break
        some = min(lots, it.leaves)
        if what == "trade":
            traded += some
            it.apply(report(K.TRADE, quantity=some, leaves=it.leaves - some))
        elif what == "cancel":
            it.apply(report(K.CANCELED, quantity=some, leaves=it.leaves - some, reason=Reason.BY_REQUEST))
        elif what == "raise":
            total = it.quantity + lots
            it.apply(report(K.REPLACED, quantity=total, leaves=total - it.filled))
        else:
            it.apply(report(K.CANCELED, quantity=it.leaves, leaves=0, reason=Reason.BY_REQUEST))
        if it.live:
            assert it.filled + it.leaves == it.quantity
        assert it.filled == traded
        assert it.live == (it.leaves > 0)
