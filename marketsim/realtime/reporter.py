"""The reporter: what the venue says about orders, as reports in the words of marketsim, each thing said once.

A report is taken in by its order before anybody hears it. It asks the venue for nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from marketsim.brokers.open_orders import OpenOrders
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import Reason, Side
from marketsim.realtime.dialect import VenueMarket, VenueRefusal
from marketsim.realtime.ticket import Request, Ticket, Verb
from marketsim.trading.order import Order

_ZERO = Decimal(0)


class Owner(Protocol):
    """Takes what is found out about orders."""

    def report(self, report: Report, order: Order | None, fee: Decimal) -> None:
        """A report; the order has taken it in already. ``fee``: of a fill, in its instrument's money."""

    def note(self, key: str, value: str) -> None:
        """A remark."""

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something after wall seconds."""


class Reporter:
    """Makes reports. orders: those that are open, with what is asked about them. now: ns of the venue's clock."""

    def __init__(self, owner: Owner, orders: OpenOrders, now: Callable[[], int]) -> None:
        self._owner = owner
        self._orders = orders
        self._now = now
        self._told: set[tuple[str, int]] = set()  # symbol and number of each fill that was told

    def fill(
        self, ticket: Ticket, number: int, time: int, price: int, lots: int, maker: bool, fee: str, asset: str | None
    ) -> bool:
        """A fill, by the venue's number; False when it was told before."""
        market = ticket.market
        if (market.symbol, number) in self._told:
            return False
        self._told.add((market.symbol, number))
        paid = self._money(market, Decimal(fee), asset, price)
        self.tell(ticket, EventKind.TRADE, time, price, lots, ticket.open - lots, maker=maker, fee=paid)
        return True

    def end(self, ticket: Ticket, kind: EventKind, time: int, reason: Reason) -> bool:
        """An order is over without being filled; False when it was over before."""
        order = ticket.order
        if not order.live:
            return False
        quantity = order.quantity if kind is EventKind.REJECTED else ticket.open
        self.tell(ticket, kind, time, order.price, quantity, 0, reason=reason)
        return True

    def refuse(self, order: Order, request: Request, reason: Reason) -> None:
        """A cancel or a replace is refused; of what the agent has not asked for nothing is told."""
        if request.reason in (Reason.NONE, Reason.BY_MASS_CANCEL):
            return
        cancel = request.verb is Verb.CANCEL
        kind = EventKind.CANCEL_REJECTED if cancel else EventKind.REPLACE_REJECTED
        self._report(order, kind, self._now(), 0 if cancel else request.price, request.quantity, 0, 0, False, reason)

    def tell(
        self,
        ticket: Ticket,
        kind: EventKind,
        time: int,
        price: int,
        quantity: int,
        leaves: int,
        *,
        maker: bool = False,
        reason: Reason = Reason.NONE,
        fee: Decimal = _ZERO,
    ) -> None:
        """Anything else about an order."""
        self._report(ticket.order, kind, time, price, quantity, leaves, ticket.number, maker, reason, fee)

    def mass_canceled(self, place: VenueMarket, count: int) -> None:
        """The answer to a mass cancel, behind those of its orders."""
        report = Report(
            self._now(), EventKind.MASS_CANCELED, 0, place.instrument, Side.BUY, 0, count, 0, False, Reason.NONE, 0,
            place.venue,
        )  # fmt: skip
        self._owner.report(report, None, _ZERO)

    def say(self, ticket: Ticket, answer: VenueRefusal, *, unless: int = 0) -> None:
        """Keep the venue's words, which say more than a reason."""
        if answer.code != unless:
            self._owner.note("venue", f"order {ticket.order.client_order_id}: {answer.text} ({answer.code})")

    # --- inner ---

    def _report(
        self,
        order: Order,
        kind: EventKind,
        time: int,
        price: int,
        quantity: int,
        leaves: int,
        number: int,
        maker: bool,
        reason: Reason,
        fee: Decimal = _ZERO,
    ) -> None:
        report = Report(
            time, kind, number or order.order_id, order.instrument, order.side, price, quantity, leaves, maker, reason,
            order.client_order_id, order.venue,
        )  # fmt: skip
        self._orders.apply(order, report)
        if kind is EventKind.REPLACED:
            order.order_id = report.order_id
        self._owner.report(report, order, fee)

    def _money(self, market: VenueMarket, fee: Decimal, asset: str | None, price: int) -> Decimal:
        """A fee in the quote asset."""
        if not fee or asset == market.quote or asset is None:
            return fee
        if asset == market.base:
            return fee * price * market.instrument.tick_size
        self._owner.note("fee", f"{fee} {asset} for a fill in {market.symbol}: not counted")
        return _ZERO
