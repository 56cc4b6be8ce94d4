"""A parent order: what an agent wants done over time, worked by a plan through orders of its own.

The desk keeps each parent order apart from everything else that its agent does: it books fills by the child orders that
they belong to, never by a difference of positions, so that any number of them and the agent's own trading go on side by
side. How it is worked is the plan's affair (``marketsim.agents.execution`` has those that ship). What is done is noted
in the run's annotations, from which ``analysis.executions`` judges it. The desk never has more lots at the venues than
the parent order still wants.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, Report, TradePrint
from marketsim.domain.order import OrderState, Side
from marketsim.errors import InvalidValueError, InvariantViolation, did_you_mean
from marketsim.kernel.random import Stream
from marketsim.trading.consolidated import View
from marketsim.trading.order import Order
from marketsim.trading.request import MarketDataRequest

if TYPE_CHECKING:
    from marketsim.trading.agent import Agent

_ACCEPTED, _TRADE, _PENDING_CANCEL = EventKind.ACCEPTED, EventKind.TRADE, OrderState.PENDING_CANCEL


class Terms(NamedTuple):
    """What a plan wants of an instrument, from now on."""

    algorithm: str
    side: Side
    quantity: int  # lots
    limit: int | None  # ticks; the worst price, None for any
    begin: int  # ns
    end: int  # ns, by when it should be done
    decided: int  # ns, whose price is the one to beat


class Worker(Protocol):
    """Works one parent order: it is told what happens, and sends, changes and calls back orders through the parent."""

    def on_quote(self, quote: Quote) -> None:
        """The best price at the parent's venue has moved, after ``parent.watch(quotes=True)``."""

    def on_trade(self, trade: TradePrint) -> None:
        """Somebody traded the instrument, after ``parent.watch(trades=True)``."""

    def on_report(self, report: Report, order: Order) -> None:
        """The venue reported on a child order; the parent has taken it in."""

    def on_amended(self) -> None:
        """The parent's quantity or limit has changed."""


class Plan(Protocol):
    """How a parent order is to be worked: what ``Agent.execute`` takes. It may be used many times."""

    def terms(self, instrument: Instrument, now: int) -> Terms:
        """What it wants when it is given at ``now`` (ns)."""

    def work(self, parent: ParentOrder) -> Worker:
        """Begin with a parent order of these terms."""


@dataclass(eq=False)
class ParentOrder:
    """An order that is executed over time: terms, state and fills. Prices in ticks, quantities in lots, times in ns.

    ``state`` is that of an order: ACCEPTED until something traded, PARTIALLY_FILLED, then FILLED, or CANCELED when
    something was left at its end.
    """

    number: int  # 1, 2, … of its agent
    algorithm: str
    instrument: Instrument
    venue: str
    side: Side
    quantity: int
    limit: int | None
    tag: str
    decided: int  # when it was given, or of an agent's own order when it begins
    begin: int
    end: int  # by when it should be done
    state: OrderState = OrderState.ACCEPTED
    filled: int = 0
    value: int = 0  # ticks x lots
    maker_filled: int = 0  # lots
    children: list[Order] = field(default_factory=list, repr=False)
    ended: int = -1  # -1 while live
    left_because: str = ""  # why it ends, or ended, with something left; as far as that is known
    printed: int = 0  # lots traded by anybody since ``begin``, own ones too, where trades are watched
    quote: Quote | None = field(default=None, repr=False)  # the latest of its venue, where quotes are watched
    _desk: ParentDesk | None = field(default=None, repr=False)
    _open: dict[int, Order] = field(default_factory=dict, repr=False)
    _stopping: bool = field(default=False, repr=False)
    _recalled: bool = field(default=False, repr=False)

    @property
    def live(self) -> bool:
        """Whether it may still trade."""
        return not self.state.terminal

    @property
    def left(self) -> int:
        """Lots that are not done."""
        return max(self.quantity - self.filled, 0)

    @property
    def working(self) -> int:
        """Lots that are at the venue, or on their way there."""
        return sum(child.leaves for child in self._open.values())

    @property
    def open(self) -> list[Order]:
        """Child orders that may still trade, oldest first."""
        return list(self._open.values())

    @property
    def average_price(self) -> float:
        """Mean price of all fills in ticks; 0 when there are none."""
        return self.value / self.filled if self.filled else 0.0

    def owns(self, order: Order) -> bool:
        """Whether an order is one of its children."""
        return self._own_desk.parent_of(order) is self

    # --- for the agent that gave it ---

    def cancel(self) -> None:
        """Send nothing more, and call back what rests. What is on its way may still trade."""
        if self.live:
            self.stop(because="called back")

    def amend(self, *, quantity: int | None = None, limit: int | None = None) -> None:
        """Want another total, or another worst price; what is not given stays.

        What is at the venue is called back where it is more than the new total, and may still trade until then.
        """
        if not self.live:
            return
        if quantity is not None:
            if quantity < max(self.filled, 1):
                raise InvalidValueError(
                    f"quantity: {quantity} lots, {self.filled} are done already; use more, or cancel the rest"
                )
            self.quantity = quantity
            if self.filled + self.working > quantity:
                self.call_back()
        self.limit = self.limit if limit is None else limit
        self._own_desk.amended(self)

    # --- for its worker ---

    @property
    def now(self) -> int:
        return self._own_desk.agent.now

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._stopping

    def watch(self, *, quotes: bool = False, trades: bool = False) -> None:
        """Ask for the market data that its worker needs."""
        self._own_desk.watch(self, quotes, trades)

    def draws(self, purpose: str) -> Stream:
        """Random draws of this parent order alone."""
        return self._own_desk.agent.random(f"execution {self.number} {purpose}")

    def at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function at a time, if it still is to be worked then."""
        self._own_desk.agent.at(time, self._call, function, *arguments)

    def send(self, quantity: int, **terms: Any) -> Order:
        """Send a child order; ``terms`` as in ``Agent.order``. InvariantViolation where it is more than is wanted."""
        if self._stopping or not self.live or self.filled + self.working + quantity > self.quantity:
            raise InvariantViolation(f"{self}: {quantity} lots more, with {self.working} out, are not wanted")
        return self._own_desk.send(self, quantity, terms)

    def call_back(self) -> int:
        """Ask for the cancel of everything that may still trade; how many orders were asked for."""
        asked = [order for order in self._open.values() if order.state is not _PENDING_CANCEL and order.reference]
        for order in asked:
            self._own_desk.agent.cancel(order)
        return len(asked)

    def change(self, order: Order, *, limit: int, quantity: int) -> None:
        """Ask for new terms of a child order; ``quantity`` is its new total."""
        self._own_desk.agent.replace(order, limit=limit, quantity=quantity)

    def stop(self, *, call_back: bool = True, because: str = "stopped by its rule") -> None:
        """Send nothing more: it is over as soon as nothing is out, which is called back unless it ends by itself.

        ``because``: why something may be left, in a few words; the first that is given holds.
        """
        self.left_because = self.left_because or because
        self._stopping = True
        if call_back:
            self._recalled = True
            self.call_back()
        self._own_desk.settle(self)

    def check(self) -> None:
        """InvariantViolation when parts and whole do not agree, or more is out than is wanted."""
        if self.filled != sum(child.filled for child in self.children):
            raise InvariantViolation(f"{self}: its child orders did not fill {self.filled}")
        if self.value != sum(child.value for child in self.children):
            raise InvariantViolation(f"{self}: its value is not that of its child orders")

    # --- inner ---

    def _call(self, function: Callable[..., Any], *arguments: Any) -> None:
        if self.live and not self._stopping:
            function(*arguments)

    @property
    def _own_desk(self) -> ParentDesk:
        assert self._desk is not None
        return self._desk

    def __repr__(self) -> str:
        limit = "" if self.limit is None else f" at {self.limit}"
        return (
            f"<ParentOrder {self.number} {self.algorithm} {self.side.name} {self.quantity} {self.instrument.symbol}"
            f"{limit} {self.state.name} filled {self.filled}>"
        )


class ParentDesk:
    """The parent orders of one agent. ``done`` is told of each that is over."""

    def __init__(self, agent: Agent, done: Callable[[ParentOrder], None]) -> None:
        self.agent = agent
        self._session = agent._session
        self._done = done
        self._live: list[ParentOrder] = []
        self._workers: dict[int, Worker] = {}  # by number
        self._parents: dict[int, ParentOrder] = {}  # by client_order_id of the child
        self._noted: set[int] = set()  # children whose number at the venue is noted
        self._watching: dict[str, set[int]] = {"quotes": set(), "trades": set()}
        self._count = 0
        market = agent._consolidate()
        self._market = market
        market.changed.append(self._on_quote)
        market.traded.append(self._on_trade)
        market.reported.append(self._on_report)

    def start(self, plan: Plan, instrument: Instrument, venue: str, tag: str) -> ParentOrder:
        """Begin a parent order; see ``Agent.execute``."""
        known = self._session.venues(instrument)
        if venue not in known:
            raise InvalidValueError(
                f"{self._session.name} does not trade {instrument.symbol} on {venue!r}{did_you_mean(venue, known)}"
            )
        terms = plan.terms(instrument, self.agent.now)
        self._count += 1
        parent = ParentOrder(
            self._count, terms.algorithm, instrument, venue, terms.side, terms.quantity, terms.limit,
            tag or f"execution {self._count}", terms.decided, terms.begin, terms.end,
        )  # fmt: skip
        parent._desk = self
        self._workers[parent.number] = plan.work(parent)
        self._live.append(parent)
        self._note(parent)
        return parent

    def parent_of(self, order: Order) -> ParentOrder | None:
        """The parent order that an order is a child of."""
        return self._parents.get(order.client_order_id)

    def watch(self, parent: ParentOrder, quotes: bool, trades: bool) -> None:
        """Subscribe, and pass on what comes."""
        if quotes:
            self._watching["quotes"].add(parent.number)
            view = self.agent._view(parent.instrument, "quotes")
            parent.quote = view.quotes.get(parent.venue)
        if trades:
            self._watching["trades"].add(parent.number)
            for venue in self._session.venues(parent.instrument):
                self._session.subscribe(parent.instrument, venue, MarketDataRequest.of({"trades": True}))

    def send(self, parent: ParentOrder, quantity: int, terms: dict[str, Any]) -> Order:
        """Send a child order, which is known before any answer can come."""
        agent = self.agent
        order = agent.order(parent.side, parent.instrument, quantity, venue=parent.venue, tag=parent.tag, **terms)
        self._parents[order.client_order_id] = parent
        parent.children.append(order)
        if order.live:
            parent._open[order.client_order_id] = order
        return order

    def amended(self, parent: ParentOrder) -> None:
        """Note it and tell the worker."""
        self._note(parent)
        self._workers[parent.number].on_amended()
        self.settle(parent)

    def settle(self, parent: ParentOrder) -> None:
        """End a parent order that is filled, or that is to stop and has nothing out any more."""
        if not parent.live:
            return
        if parent.filled >= parent.quantity and not parent._recalled:
            parent._stopping = parent._recalled = True
            parent.call_back()
        if not parent._stopping or parent._open:
            return
        parent.state = OrderState.CANCELED if parent.left else OrderState.FILLED
        parent.ended = self.agent.now
        self._live.remove(parent)
        for numbers in self._watching.values():
            numbers.discard(parent.number)
        del self._workers[parent.number]
        parent.left_because = parent.left_because if parent.left else ""
        said = {"number": parent.number, "state": parent.state.name}
        more = {"left_because": parent.left_because} if parent.left else {}
        self.agent.note("execution over", json.dumps(said | more, ensure_ascii=False))
        self._done(parent)

    # --- what happens ---

    def _on_quote(self, view: View) -> None:
        if not self._watching["quotes"]:
            return
        for parent in tuple(self._live):
            if parent.number in self._watching["quotes"] and parent.instrument.symbol == view.instrument.symbol:
                quote = view.quotes.get(parent.venue)
                if quote is not None and quote is not parent.quote:
                    parent.quote = quote
                    self._workers[parent.number].on_quote(quote)

    def _on_trade(self, trade: TradePrint) -> None:
        for parent in tuple(self._live):
            if parent.number not in self._watching["trades"] or trade.time < parent.begin:
                continue
            if parent.instrument.symbol == trade.instrument.symbol:
                parent.printed += trade.quantity
                self._workers[parent.number].on_trade(trade)

    def _on_report(self, report: Report, order: Order) -> None:
        parent = self._parents.get(order.client_order_id)
        if parent is None or not parent.live:
            return
        if order.order_id and order.client_order_id not in self._noted:
            self._noted.add(order.client_order_id)
            self.agent.note("execution order", f"{parent.number} {order.order_id} {order.venue}")
        if report.kind is _TRADE:
            parent.filled += report.quantity
            parent.value += report.quantity * report.price
            parent.maker_filled += report.quantity if report.maker else 0
            parent.state = OrderState.PARTIALLY_FILLED
        if not order.live:
            parent._open.pop(order.client_order_id, None)
        elif parent._recalled and report.kind is _ACCEPTED:  # it had no handle before
            parent.call_back()
        self._workers[parent.number].on_report(report, order)
        self.settle(parent)

    def _note(self, parent: ParentOrder) -> None:
        """Write its terms into the run's annotations; the latest hold."""
        instrument = parent.instrument
        said = {
            "number": parent.number,
            "algorithm": parent.algorithm,
            "instrument": instrument.symbol,
            "venue": parent.venue,
            "side": int(parent.side),
            "quantity": instrument.quantity(parent.quantity),
            "limit": None if parent.limit is None else instrument.price(parent.limit),
            "decided": parent.decided,
            "begin": parent.begin,
            "end": parent.end,
            "tag": parent.tag,
        }
        self.agent.note("execution", json.dumps(said))
