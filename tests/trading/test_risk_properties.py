"""Under any sequence of orders and answers no limit is passed, and the quantity that is named is the largest that may.

What is held and open is added up here anew from the requests and answers, in the plainest way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import Reason, Side
from marketsim.domain.risk import Action, RiskEvent
from marketsim.testing import HandMarket
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from marketsim.trading.risk import Limits

ABC, XYZ = Instrument("ABC"), Instrument("XYZ")
LIMITS = Limits(
    max_order=30, max_position=40, max_notional=2_500, max_value=3_500, max_leverage=2, capital=2_500,
    price_collar=0.2, max_rate=(6, 1_000),
)  # fmt: skip
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("new", "new", "new", "accept", "fill", "fill", "wait", "cancel", "canceled", "replace",
                         "replaced", "refused", "wait", "mark")),
        st.integers(0, 1),
        st.integers(1, 45),
        st.integers(7_500, 12_500),
        st.sampled_from(Side),
    ),
    min_size=25,
    max_size=60,
)  # fmt: skip


@dataclass
class Player(Agent):
    """Remembers refusals."""

    refused: list[RiskEvent] = field(default_factory=list, init=False)

    def on_risk(self, event: RiskEvent) -> None:
        if event.action is Action.REFUSE:
            self.refused.append(event)


class Game:
    """One strategy, a venue that is the test, and the plain bookkeeping."""

    def __init__(self) -> None:
        self.me = Player()
        self.there = HandMarket(self.me, (ABC, XYZ), limits=LIMITS)
        self.sent: list[int] = []
        self.asked: dict[
            int, list[int]
        ] = {}  # reference -> what has no answer yet, oldest first: total, 0 for a cancel
        for number in range(2):
            self.there.quote(10_000, 1, 10_000, 1, market=number)
        self.there.advance("100ms")

    # --- the plain bookkeeping ---

    def open(self, order: Order) -> int:
        totals = [order.quantity if order.leaves == order.quantity - order.filled else order.filled + order.leaves]
        return max(total - order.filled for total in totals + self.asked.get(order.reference, []))

    def could(self, instrument: Instrument, side: Side, leaving_out: Order | None = None) -> int:
        """Lots that a side could come to hold."""
        others = [order for order in self.me.orders(instrument, side) if order is not leaving_out]
        return side * self.me.position(instrument) + sum(map(self.open, others))

    def worth(self, instrument: Instrument) -> float:
        return self.there.session.guard.own.book.by_symbol[instrument.symbol].unit

    def passes(self, instrument: Instrument, side: Side, quantity: int, price: int, order: Order | None = None) -> bool:
        """Every rule in one line each."""
        fresh = quantity - (order.filled if order else 0)
        others, before = self.could(instrument, side, order), self.open(order) if order else 0
        grows = fresh > before and others + fresh > 0
        other = XYZ if instrument is ABC else ABC
        worst = max(others + fresh, self.could(instrument, Side(-side))) * self.worth(instrument)
        worst += max(self.could(other, Side.BUY), self.could(other, Side.SELL)) * self.worth(other)
        mark = self.there.session.guard.own.book.by_symbol[instrument.symbol].mark
        now, equity = self.there.now, self.there.session.guard.own.standing.equity  # that of the latest look
        return (
            quantity <= 30
            and others + fresh <= 40
            and fresh * price / 100 <= 2_500
            and (not grows or (others + fresh) * self.worth(instrument) <= 3_500)
            and (not grows or worst <= 2 * equity + 1e-9)
            and abs(price - mark) / mark <= 0.2
            and sum(time > now - 1_000 for time in self.sent) < 6
        )

    # --- what happens ---

    def play(self, what: str, which: int, lots: int, price: int, side: Side) -> None:
        instrument, there, me = (ABC, XYZ)[which], self.there, self.me
        mine = me.orders(instrument)
        order = mine[lots % len(mine)] if mine else None
        if what == "new":
            self.ask(instrument, side, lots, price, None)
        elif what == "wait":
            there.environment.run(until=there.now + lots * 40)
        elif what == "mark":
            there.quote(price, 1, price, 1, market=which)
            there.environment.run(until=there.now + 200_000_000)
        elif order is None:
            return
        elif what == "accept" and not order.order_id:
            there.accept(order)
        elif what == "fill":
            there.fill(order, min(lots, order.leaves))
        elif what == "cancel" and 0 not in self.asked.get(order.reference, []):
            me.cancel(order)
            self.asked.setdefault(order.reference, []).append(0)
        elif what == "canceled" and self.asked.get(order.reference, [1])[:1] == [0]:
            self.asked[order.reference].pop(0)
            there.cancel(order)
        elif what == "replace" and lots > order.filled:
            self.ask(instrument, order.side, lots, price, order)
        elif what == "replaced" and self.asked.get(order.reference) and self.asked[order.reference][0] > order.filled:
            total = self.asked[order.reference].pop(0)
            there.report(EventKind.REPLACED, order, price=order.price, quantity=total, leaves=total - order.filled)
        elif what == "refused" and self.asked.get(order.reference) and self.asked[order.reference][0] > 0:
            self.asked[order.reference].pop(0)
            there.reject(order, Reason.WOULD_TRADE, EventKind.REPLACE_REJECTED, quantity=1)

    def ask(self, instrument: Instrument, side: Side, lots: int, price: int, order: Order | None) -> None:
        """Ask for an order or new terms; the answer must be that of the plain rules."""
        kind = Kind.NEW if order is None else Kind.REPLACE
        guard = self.there.session.guard.own.book
        guard.refresh(guard.by_symbol[instrument.symbol], self.there.now)
        should = self.passes(instrument, side, lots, price, order)
        largest = max((q for q in range(1, lots + 1) if self.passes(instrument, side, q, price, order)), default=0)
        before, refused = len(self.there.asked(kind)), len(self.me.refused)
        if order is None:
            self.me.order(side, instrument, lots, limit=price)
        else:
            self.me.replace(order, limit=price, quantity=lots)
        left = len(self.there.asked(kind)) > before
        assert left is should
        if left:
            self.sent.append(self.there.now)
            if order is not None:
                self.asked.setdefault(order.reference, []).append(lots)
            return
        self.there.advance(0)
        (event,) = self.me.refused[refused:]
        assert event.allowed == (largest if order is None or largest > order.filled else 0)

    def check(self) -> None:
        """No limit is passed, and the guard counts as we do."""
        book = self.there.session.guard.own.book
        for instrument in (ABC, XYZ):
            held = book.by_symbol[instrument.symbol]
            assert held.position == self.me.position(instrument)
            assert held.buys == sum(self.open(order) for order in self.me.orders(instrument, Side.BUY))
            assert held.sells == sum(self.open(order) for order in self.me.orders(instrument, Side.SELL))
            assert max(held.long, held.short) <= 40
            assert all(order.quantity <= 30 for order in self.me.orders(instrument))
        for time in self.sent:
            assert sum(time - 1_000 < other <= time for other in self.sent) <= 6


def playing(steps: list[Any]) -> None:
    game = Game()
    for step in steps:
        game.play(*step)
        game.check()


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_no_limit_is_ever_passed_and_the_largest_that_may_is_named(steps: list[Any]) -> None:
    playing(steps)
