"""A venue played by hand for one agent: requests and reports wait until the test lets them through.

It knows what exits need: market orders that take a given number of lots at once, limit and stop orders that wait, pairs
of which one takes off the other what it trades, replace and cancel. Fills are the test's choice.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderState, OrderType, Reason, Side, TimeInForce
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Portfolio

ABC = Instrument("ABC")


class Standing:
    """An order as the venue knows it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.side = int(order.side)
        self.left = order.quantity
        self.filled = 0
        self.price = order.price
        self.stop = order.stop_price
        self.partner: Standing | None = None


class HandVenue:
    """Broker, clock and session of one agent, and the venue behind them."""

    def __init__(self, agent: Agent, position: int = 0) -> None:
        self.agent = agent
        self.name = "me"
        self.instruments = (ABC,)
        self.portfolio = Portfolio()
        self.portfolio.lots["ABC"] = position
        self.broker = self
        self.clock = SimpleNamespace(now=0)
        self.position = position  # as the venue knows it
        self.last = 10_000
        self.depth = 1 << 40  # lots that a market order finds
        self.requests: deque[tuple[Any, ...]] = deque()
        self.reports: deque[tuple[Report, Order]] = deque()
        self.book: dict[int, Standing] = {}
        self.sent: list[Order] = []
        self.moved: list[tuple[Order, int]] = []
        self.notes: list[tuple[str, str]] = []
        self.subscribed: list[Any] = []
        self.refuse = self.deaf = False  # it refuses new orders; cancels and replaces
        agent.bind(self)  # type: ignore[arg-type]

    # --- what an agent sees ---

    def venues(self, instrument: Instrument) -> tuple[str, ...]:
        return ("X",)

    def next_client_order_id(self) -> int:
        return len(self.sent) + 1

    def note(self, key: str, value: str) -> None:
        self.notes.append((key, value))

    def subscribe(self, instrument: Instrument, venue: str, request: Any) -> None:
        self.subscribed.append(request)

    def submit(self, order: Order) -> None:
        order.reference = order.client_order_id
        self.sent.append(order)
        self.requests.append(("new", order))

    def cancel(self, order: Order, quantity: int = 0) -> None:
        order.state = OrderState.PENDING_CANCEL
        self.requests.append(("cancel", order))

    def replace(self, order: Order, price: int, quantity: int, stop_price: int = 0) -> None:
        self.moved.append((order, stop_price))
        self.requests.append(("replace", order, price, quantity, stop_price))

    def open_orders(self) -> list[Order]:
        return [order for order in self.sent if order.live]

    # --- what a test does ---

    def take_request(self) -> None:
        """The next request reaches the venue."""
        if self.requests:
            request = self.requests.popleft()
            getattr(self, f"_{request[0]}")(*request[1:])

    def tell(self) -> None:
        """The next report reaches the agent."""
        if not self.reports:
            return
        report, order = self.reports.popleft()
        order.apply(report)
        if report.kind is EventKind.TRADE:
            self.portfolio.trade(0, ABC, report.side, report.price, report.quantity, Decimal(0), report.maker)
        self.agent.on_report(report, order)

    def settle(self) -> None:
        """Everything that is on its way arrives."""
        for _ in range(1_000):
            if not self.requests and not self.reports:
                return
            self.take_request()
            self.tell()
        raise AssertionError("it never comes to rest")

    def trade(self, order: Order, lots: int, price: int | None = None) -> None:
        """An order that stands at the venue trades."""
        standing = self.book[order.client_order_id]
        self._trade(standing, min(lots, standing.left), standing.price if price is None else price)

    def move(self, price: int, lots: int) -> None:
        """The price moves: what it reaches trades, of limit orders and elected stops at most ``lots`` in all."""
        self.last = price
        for standing in list(self.book.values()):
            if standing.order.client_order_id not in self.book:
                continue  # its partner took it away
            if standing.order.order_type is OrderType.STOP and standing.side * (price - standing.stop) >= 0:
                lots -= self._execute(standing, min(lots, self.depth))
            elif standing.order.order_type is OrderType.LIMIT and standing.side * (standing.price - price) >= 0:
                part = min(lots, standing.left)
                self._trade(standing, part, standing.price)
                lots -= part

    def exits(self, side: int) -> int:
        """Lots that may still trade at the venue against a position of a side; a pair counts once."""
        found = 0
        for standing in self.book.values():
            partner = standing.partner
            if standing.side * side < 0 and (partner is None or id(standing) < id(partner)):
                found += standing.left if partner is None else max(standing.left, partner.left)
        return found

    # --- inner ---

    def _new(self, order: Order) -> None:
        if self.refuse:
            self._say(EventKind.REJECTED, order, 0, 0, 0, Reason.RISK)
            return
        standing = Standing(order)
        if order.special is not None and order.special.partner is not None:
            partner = self.book.get(order.special.partner.client_order_id)
            if partner is None:
                self._say(EventKind.REJECTED, order, 0, 0, 0, Reason.UNKNOWN_LINK)
                return
            standing.partner, partner.partner = partner, standing
        self.book[order.client_order_id] = standing
        self._say(EventKind.ACCEPTED, order, 0, standing.left, standing.left)
        if standing.partner is not None and standing.partner.left < standing.left:
            self._lose(standing, standing.left - standing.partner.left)
        if order.time_in_force is TimeInForce.IOC or (
            order.order_type is OrderType.STOP and standing.side * (self.last - standing.stop) >= 0
        ):
            self._execute(standing, self.depth)

    def _execute(self, standing: Standing, lots: int) -> int:
        """At market: what finds nobody is canceled."""
        part = min(standing.left, lots)
        self._trade(standing, part, self.last)
        if standing.order.client_order_id in self.book:
            self._end(standing, Reason.NO_LIQUIDITY)
        return part

    def _trade(self, standing: Standing, lots: int, price: int) -> None:
        if lots < 1:
            return
        standing.left -= lots
        standing.filled += lots
        self.position += standing.side * lots
        self._say(EventKind.TRADE, standing.order, price, lots, standing.left)
        if standing.partner is not None:
            self._lose(standing.partner, min(lots, standing.partner.left))
        if standing.left == 0 and standing.order.client_order_id in self.book:
            self._gone(standing)

    def _lose(self, standing: Standing, lots: int) -> None:
        standing.left -= lots
        self._say(EventKind.CANCELED, standing.order, 0, lots, standing.left, Reason.LINKED)
        if standing.left == 0:  # it is over, and does not end its partner again
            del self.book[standing.order.client_order_id]
            if standing.partner is not None:
                standing.partner.partner = None

    def _end(self, standing: Standing, reason: Reason) -> None:
        self._say(EventKind.CANCELED, standing.order, 0, standing.left, 0, reason)
        self._gone(standing)

    def _gone(self, standing: Standing) -> None:
        del self.book[standing.order.client_order_id]
        partner, standing.partner = standing.partner, None
        if partner is not None:
            partner.partner = None
            if partner.order.client_order_id in self.book:
                self._end(partner, Reason.LINKED)

    def _cancel(self, order: Order) -> None:
        standing = self.book.get(order.client_order_id)
        if standing is None or self.deaf:
            self._say(EventKind.CANCEL_REJECTED, order, 0, 0, 0, Reason.UNKNOWN_ORDER)
        else:
            self._end(standing, Reason.BY_REQUEST)

    def _replace(self, order: Order, price: int, quantity: int, stop: int) -> None:
        standing = self.book.get(order.client_order_id)
        if standing is None or self.deaf or quantity <= standing.filled:
            self._say(EventKind.REPLACE_REJECTED, order, 0, 0, 0, Reason.UNKNOWN_ORDER)
            return
        standing.price, standing.stop, standing.left = price, stop, quantity - standing.filled
        self._say(EventKind.REPLACED, order, price, quantity, standing.left)
        if order.order_type is OrderType.STOP and standing.side * (self.last - stop) >= 0:
            self._execute(standing, self.depth)

    def _say(
        self, kind: EventKind, order: Order, price: int, quantity: int, leaves: int, reason: Reason = Reason.NONE
    ) -> None:
        side = Side.BUY if order.side > 0 else Side.SELL
        report = Report(
            0,
            kind,
            order.client_order_id,
            ABC,
            side,
            price,
            quantity,
            leaves,
            False,
            reason,
            order.client_order_id,
            "X",
        )
        self.reports.append((report, order))
