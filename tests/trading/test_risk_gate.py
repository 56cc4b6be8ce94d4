"""The gate changes nothing that anybody is told or that is sent: it is played beside a guard that counts everything."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketsim.domain.event import EventKind, Settled
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.domain.risk import RiskEvent
from marketsim.domain.units import MINUTE
from marketsim.testing import HandMarket
from marketsim.trading.agent import Agent
from marketsim.trading.risk import Gate, Limits

ABC, XYZ = Instrument("ABC"), Instrument("XYZ")
WHAT = (
    "new", "new", "new", "new", "accept", "fill", "fill", "fill", "cancel", "canceled", "replace", "replaced",
    "refused", "expired", "stray", "settled", "wait", "stop", "resume",
)  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from(WHAT), st.integers(0, 1), st.integers(1, 30), st.sampled_from(Side)),
    min_size=10,
    max_size=60,
)
SOME = st.builds(
    Limits,
    max_order=st.none() | st.integers(20, 60),
    max_position=st.none() | st.integers(40, 300),
    warn_at=st.sampled_from((0.5, 0.8, 1.0)),
)


@dataclass
class Player(Agent):
    """Remembers what it is told."""

    told: list[RiskEvent] = field(default_factory=list, init=False)

    def on_risk(self, event: RiskEvent) -> None:
        self.told.append(event)


class Seat:
    """One strategy, and a venue that is the test. counting: a guard stands in front from the start."""

    def __init__(self, limits: Limits, *, counting: bool = False) -> None:
        self.me = Player()
        self.there = HandMarket(self.me, (ABC, XYZ), limits=limits)
        if counting:
            assert self.there.session.guard.own.limits is limits
        self.there.advance("1ms")

    @property
    def gated(self) -> bool:
        return self.there.session._guard is None

    def play(self, what: str, which: int, lots: int, side: Side) -> None:
        instrument, there, me = (ABC, XYZ)[which], self.there, self.me
        mine = me.orders(instrument)
        order = mine[lots % len(mine)] if mine else None
        if what == "new":
            me.order(side, instrument, lots, limit=10_000)
        elif what == "wait":
            there.advance(lots * MINUTE // 10)
        elif what == "stop":
            me.emergency_stop() if lots > 25 else None
        elif what == "resume":
            me.resume_trading() if there.session._guard is not None else None
        elif what == "stray":
            there.report(EventKind.TRADE, None, which, order_id=9_999, side=int(side), price=10_000, quantity=lots)
        elif what == "settled":
            there.report(EventKind.SETTLED, None, which, quantity=side * lots, instructions=int(Settled.EXPIRY))
        elif order is not None:
            self.answer(what, order, lots)
        there.advance("1ms")

    def answer(self, what: str, order: Any, lots: int) -> None:
        there, me = self.there, self.me
        asked = [request for request in there.asked(Kind.REPLACE) if request.order_id == order.reference]
        if what == "accept" and not order.order_id:
            there.accept(order)
        elif what == "fill":
            there.fill(order, min(lots, order.leaves))
        elif what == "cancel":
            me.cancel(order)
        elif what == "canceled" and order.state is OrderState.PENDING_CANCEL:
            there.cancel(order)
        elif what == "expired":
            there.report(EventKind.EXPIRED, order, quantity=order.leaves)
        elif what == "replace" and lots > order.filled:
            me.replace(order, quantity=lots)
        elif what == "replaced" and asked and asked[-1].quantity > order.filled:
            there.replaced(order)
        elif what == "refused" and asked:
            there.reject(order, Reason.WOULD_TRADE, EventKind.REPLACE_REJECTED, quantity=1)


@settings(max_examples=100, deadline=None)
@given(SOME, STEPS)
def test_everything_is_told_and_sent_as_by_a_guard_that_counts_all(limits: Limits, steps: list[Any]) -> None:
    ours, counting = Seat(limits), Seat(limits, counting=True)
    for step in steps:
        ours.play(*step)
        counting.play(*step)
        assert ours.there.requests == counting.there.requests
        assert ours.me.told == counting.me.told
        assert ours.there.notes == counting.there.notes
    books = [seat.there.session.guard.own.book.by_symbol for seat in (ours, counting)]
    for symbol in ("ABC", "XYZ"):
        held = [(book[symbol].position, book[symbol].buys, book[symbol].sells) for book in books]
        assert held[0] == held[1]


def test_it_stays_while_trading_is_far_from_the_limits() -> None:
    seat = Seat(Limits(max_order=10, max_position=100))
    for _ in range(200):
        for side in Side:
            order = seat.me.order(side, ABC, 5, limit=10_000)
            seat.there.accept(order)
            seat.there.fill(order)
    assert seat.gated
    assert len(seat.there.asked(Kind.NEW)) == 400


@pytest.mark.parametrize(("lots", "gated"), [(7, True), (8, True), (9, False)])
def test_the_guard_comes_with_the_first_order_that_deserves_a_warning(lots: int, gated: bool) -> None:
    seat = Seat(Limits(max_order=10))
    seat.me.buy(ABC, lots, limit=10_000)
    assert seat.gated is gated


def test_the_guard_comes_before_the_position_deserves_a_warning() -> None:
    """Warnings begin at 80 lots; less than 40 of them are left after 41."""
    seat = Seat(Limits(max_position=100))
    seat.me.buy(ABC, 40, limit=10_000)
    assert seat.gated
    for _ in range(4):
        seat.me.buy(ABC, 10, limit=10_000)
    assert seat.gated
    seat.me.buy(ABC, 1, limit=10_000)
    assert not seat.gated
    assert "near" in seat.there.notes[-1][-1]


def near(seat: Seat) -> bool:
    """Whether 20 lots more deserve a warning, which 81 of 100 do."""
    seat.me.buy(ABC, 20, limit=10_000)
    return any("near" in note for *_, note in seat.there.notes)


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize(("lots", "warned"), [(60, False), (61, True)])
def test_what_replaces_ask_for_counts(counting: bool, lots: int, warned: bool) -> None:
    seat = Seat(Limits(max_position=100), counting=counting)
    order = seat.me.buy(ABC, 1, limit=10_000)
    seat.there.accept(order)
    seat.me.replace(order, quantity=lots)
    assert near(seat) is warned


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize(("lots", "warned"), [(59, False), (60, True)])
@pytest.mark.parametrize("what", ["stray", "settled"])
def test_positions_that_come_of_no_open_order_count(counting: bool, lots: int, warned: bool, what: str) -> None:
    seat = Seat(Limits(max_position=100), counting=counting)
    seat.me.buy(ABC, 1, limit=10_000)
    seat.play(what, 0, lots, Side.BUY if what == "stray" else Side.SELL)
    assert seat.me.position(ABC) == lots
    assert near(seat) is warned


def test_it_is_for_limits_in_lots_alone() -> None:
    assert Gate.suits(Limits())
    assert Gate.suits(Limits(max_order=1, max_position=1, warn_at=0.5, capital=5.0))
    optional = {f.name for f in dataclasses.fields(Limits) if f.default is None}
    others = optional - {"max_order", "max_position", "capital"}
    assert len(others) == 18
    for name in others:
        value: Any = (1, 1_000) if name == "max_rate" else "1s" if name == "stop_within" else 0.5
        assert not Gate.suits(Limits(**{name: value})), name
