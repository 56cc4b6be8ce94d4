"""The simulated broker: one agent's session on the simulated market.

It turns orders into requests, the venue's messages into reports and market data, and keeps the agent's orders and
portfolio. A message that arrives while the agent is busy computing waits for its turn, as in compiled populations.
What the agent's own code raises comes out as AgentError with the agent's name and the simulated time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, Quote, Report, TradePrint
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.domain.units import format_time
from marketsim.errors import AgentError, InvalidValueError, MarketSimError, did_you_mean
from marketsim.kernel.environment import Environment
from marketsim.kernel.random import Stream
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Portfolio
from marketsim.trading.ports import Feed
from marketsim.trading.risk import Limits

_TIME, _ORDER, _SENT, _KIND, _MARKET, _ORDER_ID, _SIDE = 0, 1, 2, 3, 6, 7, 8
_PRICE, _QUANTITY, _OTHER_PRICE, _LEAVES, _EXPIRE, _INSTRUCTIONS, _REASON = 9, 10, 11, 12, 13, 16, 17
_REPORT = int(Kind.REPORT)
_KINDS = {int(kind): kind for kind in EventKind}
_SIDES = {1: Side.BUY, -1: Side.SELL}
_REASONS = {int(reason): reason for reason in Reason}


class Market(NamedTuple):
    """One instrument on one venue, as brokers need it."""

    number: int
    venue: str
    instrument: Instrument
    fee: Callable[[int, int, bool], Decimal]  # of a fill: price in ticks, quantity in lots, whether maker


class Wire(Protocol):
    """Sends requests into the simulated market (the population's engine)."""

    def send(self, sender: int, depart: int, kind: Kind, market: int, *fields: int, **named: int) -> int:
        """A request leaves; answers the order id of a NEW."""


class Notes(Protocol):
    """Takes remarks for the event log."""

    def __call__(self, time: int, agent: str, key: str, value: str) -> None: ...


class SimulatedSession:
    """Session, Broker and Clock of one agent on the simulated market.

    name, seed: of the agent's random draws.
    markets: all markets by number; ``allowed`` are the numbers on which the agent trades, the preferred ones first.
    computation: ns that the agent needs to act on anything.
    """

    def __init__(
        self,
        name: str,
        seed: int,
        agent: Agent,
        environment: Environment,
        wire: Wire,
        markets: Sequence[Market],
        allowed: Sequence[int],
        *,
        computation: int = 0,
        cash: Decimal = Decimal(1_000_000),
        limits: Limits | None = None,
        feeds: Mapping[str, Feed] | None = None,
        notes: Notes | None = None,
    ) -> None:
        self.name = name
        self.agent = agent
        self.broker = self
        self.clock = self
        self.portfolio = Portfolio(cash, markets[allowed[0]].instrument.currency)
        self.number = -1  # given by the engine
        self.instruments = tuple(dict.fromkeys(markets[number].instrument for number in allowed))
        self._seed = seed
        self._environment = environment
        self._wire = wire
        self._markets = markets
        self._by_place = {(markets[n].venue, markets[n].instrument.symbol): markets[n] for n in allowed}
        self._computation = computation
        self._limits = limits
        self._feeds = feeds or {}
        self._notes = notes
        self._busy_until = 0
        self._client_order_id = 0
        self._orders: dict[int, Order] = {}  # open ones, by order id
        self._streams: dict[str, Stream] = {}
        self._snapshots: dict[int, list[tuple[int, int, int]]] = {}
        self._awaited: dict[int, tuple[int, int, int]] = {}
        self._handlers: dict[int, Callable[[list[int]], None]] = {
            Kind.QUOTE: self._on_quote,
            Kind.TRADE_PRINT: self._on_trade,
            Kind.LEVEL: self._on_level,
            Kind.SNAPSHOT: self._on_snapshot,
            Kind.SNAPSHOT_LEVEL: self._on_snapshot_level,
        }
        agent.bind(self)

    # --- life ---

    def start(self) -> None:
        """Subscribe to what the agent's hooks ask for, then let it begin."""
        kind = type(self.agent)
        quotes, trades = kind.on_quote is not Agent.on_quote, kind.on_trade is not Agent.on_trade
        levels = kind.on_level is not Agent.on_level or kind.on_book is not Agent.on_book
        if quotes or trades or levels:
            for venue, symbol in self._by_place:
                self.subscribe(
                    self._by_place[venue, symbol].instrument, venue, quotes=quotes, trades=trades, levels=levels
                )
        self._guarded(self.agent.on_start)

    def stop(self) -> None:
        """Tell the agent that the run is over."""
        self._guarded(self.agent.on_stop)

    # --- Broker ---

    def submit(self, order: Order) -> None:
        """Check an order against the agent's own limits and send it; a refusal comes back as a report."""
        market = self._market(order.instrument, order.venue)
        if self._limits is not None:
            objection = self._limits.objection(order, *self._exposure(order))
            if objection:
                self.note("risk", f"order {order.client_order_id} refused: {objection}")
                self._environment.call_at(self._environment.now, self._refuse, order)
                return
        order.reference = self._wire.send(
            self.number,
            self._environment.now + self._computation,
            Kind.NEW,
            market.number,
            0,
            order.side,
            order.order_type,
            order.time_in_force,
            order.flags,
            order.price,
            order.stop_price,
            order.quantity,
            order.expire,
        )
        self._orders[order.reference] = order

    def cancel(self, order: Order, quantity: int = 0) -> None:
        """Ask for the cancel of an order. One that is over, or is being canceled whole, is left alone."""
        if not order.live or (order.state is OrderState.PENDING_CANCEL and not quantity):
            return
        if quantity == 0:
            order.state = OrderState.PENDING_CANCEL
        self._wire.send(
            self.number,
            self._environment.now + self._computation,
            Kind.CANCEL,
            self._market(order.instrument, order.venue).number,
            order.reference,
            quantity=quantity,
        )

    def replace(self, order: Order, price: int, quantity: int, stop_price: int = 0) -> None:
        """Ask for new terms of an order that may still trade."""
        if not order.live:
            return
        self._wire.send(
            self.number,
            self._environment.now + self._computation,
            Kind.REPLACE,
            self._market(order.instrument, order.venue).number,
            order.reference,
            order.side,
            price=price,
            quantity=quantity,
            other_price=stop_price,
        )

    def open_orders(self) -> Iterable[Order]:
        """Orders that may still trade, oldest first."""
        return self._orders.values()

    # --- Clock ---

    @property
    def now(self) -> int:
        """ns."""
        return self._environment.now

    def call_at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function at a time, or as soon after as the agent is free."""
        self._environment.call_at(time, self._timer, (function, arguments))

    def sleep(self, delay: int) -> Any:
        """A SimPy timeout."""
        return self._environment.timeout(delay)

    def process(self, generator: Generator[Any, Any, Any]) -> Any:
        """Run a generator as a SimPy process."""
        return self._environment.process(self._wrapped(generator))

    # --- Session ---

    def next_client_order_id(self) -> int:
        self._client_order_id += 1
        return self._client_order_id

    def venues(self, instrument: Instrument) -> tuple[str, ...]:
        found = tuple(venue for venue, symbol in self._by_place if symbol == instrument.symbol)
        if not found:
            known = [symbol for _, symbol in self._by_place]
            raise InvalidValueError(
                f"{self.name} does not trade {instrument.symbol}{did_you_mean(instrument.symbol, known)}"
            )
        return found

    def subscribe(self, instrument: Instrument, venue: str, *, quotes: bool, trades: bool, levels: bool) -> None:
        wanted = quotes * Wanted.QUOTES | trades * Wanted.TRADES | levels * Wanted.LEVELS
        market = self._market(instrument, venue)
        self._wire.send(
            self.number, self._environment.now + self._computation, Kind.SUBSCRIBE, market.number, instructions=wanted
        )

    def stream(self, purpose: str) -> Stream:
        stream = self._streams.get(purpose)
        if stream is None:
            stream = self._streams[purpose] = Stream(self._seed, self.name, purpose)
        return stream

    def feed(self, name: str) -> Feed:
        try:
            return self._feeds[name]
        except KeyError:
            raise InvalidValueError(f"no feed {name!r}{did_you_mean(name, self._feeds)}") from None

    def note(self, key: str, value: str) -> None:
        if self._notes is not None:
            self._notes(self._environment.now, self.name, key, value)

    # --- inbox ---

    def receive(self, row: list[int]) -> None:
        """A message arrives; it is handled now, or when the agent is free."""
        if self._computation:
            start = max(self._environment.now, self._busy_until)
            self._busy_until = start + self._computation
            if start > self._environment.now:
                self._environment.deliver(start, row[_ORDER], self._handle, row)
                return
        self._handle(row)

    def _timer(self, call: tuple[Callable[..., Any], tuple[Any, ...]]) -> None:
        now = self._environment.now
        if self._computation:
            start = max(now, self._busy_until)
            self._busy_until = start + self._computation
            if start > now:
                self._environment.call_at(start, self._call, call)
                return
        self._call(call)

    def _call(self, call: tuple[Callable[..., Any], tuple[Any, ...]]) -> None:
        self._guarded(call[0], *call[1])

    def _guarded(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception as error:
            self._blame(error)

    def _wrapped(self, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        try:
            return (yield from generator)
        except Exception as error:
            self._blame(error)

    def _blame(self, error: Exception) -> None:
        if isinstance(error, MarketSimError) and not isinstance(error, InvalidValueError):
            raise error
        time = self._environment.now
        raise AgentError(
            f"{self.name}: {type(error).__name__} at {format_time(time)}: {error}", agent=self.name, time=time
        ) from error

    def _handle(self, row: list[int]) -> None:
        kind = row[_KIND]
        try:
            if kind > _REPORT:
                self._on_report(row)
            else:
                self._handlers[kind](row)
        except Exception as error:
            self._blame(error)

    # --- market data ---

    def _on_quote(self, row: list[int]) -> None:
        market = self._markets[row[_MARKET]]
        self.agent.on_quote(
            Quote(
                row[_SENT],
                market.instrument,
                row[_PRICE],
                row[_QUANTITY],
                row[_OTHER_PRICE],
                row[_LEAVES],
                market.venue,
            )
        )

    def _on_trade(self, row: list[int]) -> None:
        market = self._markets[row[_MARKET]]
        self.agent.on_trade(
            TradePrint(
                row[_SENT], market.instrument, row[_PRICE], row[_QUANTITY], _SIDES[row[_SIDE]], market.venue
            )
        )

    def _on_level(self, row: list[int]) -> None:
        market = self._markets[row[_MARKET]]
        self.agent.on_level(
            LevelUpdate(
                row[_SENT],
                market.instrument,
                _SIDES[row[_SIDE]],
                row[_PRICE],
                row[_QUANTITY],
                row[_EXPIRE],
                market.venue,
            )
        )

    def _on_snapshot(self, row: list[int]) -> None:
        number = row[_MARKET]
        self._snapshots[number] = []
        self._awaited[number] = (row[_QUANTITY], row[_SENT], row[_EXPIRE])
        self._finish_snapshot(number)

    def _on_snapshot_level(self, row: list[int]) -> None:
        self._snapshots[row[_MARKET]].append((row[_SIDE], row[_PRICE], row[_QUANTITY]))
        self._finish_snapshot(row[_MARKET])

    def _finish_snapshot(self, number: int) -> None:
        """Hand a snapshot over once all of its levels are there."""
        count, time, sequence = self._awaited[number]
        levels = self._snapshots[number]
        if len(levels) < count:
            return
        market = self._markets[number]
        bids = tuple((price, quantity) for side, price, quantity in levels if side > 0)
        asks = tuple((price, quantity) for side, price, quantity in levels if side < 0)
        self.agent.on_book(BookSnapshot(time, market.instrument, bids, asks, sequence, market.venue))

    # --- reports ---

    def _on_report(self, row: list[int]) -> None:
        kind = _KINDS[row[_KIND] - _REPORT]
        order = self._orders.get(row[_ORDER_ID])
        market = self._markets[row[_MARKET]] if row[_MARKET] < len(self._markets) else None
        report = Report(
            row[_SENT],
            kind,
            row[_ORDER_ID],
            order.instrument if order is not None else (market or self._markets[0]).instrument,
            _SIDES.get(row[_SIDE], Side.BUY),
            row[_PRICE],
            row[_QUANTITY],
            row[_LEAVES],
            row[_INSTRUCTIONS] == 1,
            _REASONS[row[_REASON]],
            order.client_order_id if order is not None else 0,
            market.venue if market is not None else "",
        )
        if order is not None:
            order.apply(report)
            if order.state.terminal:
                del self._orders[row[_ORDER_ID]]
        if kind is EventKind.TRADE and market is not None:
            fee = market.fee(report.price, report.quantity, report.maker)
            self.portfolio.trade(
                report.time, market.instrument, report.side, report.price, report.quantity, fee, report.maker
            )
        self._tell(kind, order, report)

    def _tell(self, kind: EventKind, order: Order | None, report: Report) -> None:
        agent = self.agent
        agent.on_report(report, order)
        if kind in (EventKind.REJECTED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED):
            agent.on_rejected(order, report)
        elif order is None:
            return
        elif kind is EventKind.TRADE:
            agent.on_fill(order, report)
        elif kind is EventKind.ACCEPTED:
            agent.on_accepted(order)
        elif kind in (EventKind.CANCELED, EventKind.EXPIRED):
            agent.on_canceled(order, report)
        elif kind is EventKind.REPLACED:
            agent.on_replaced(order, report)

    def _refuse(self, order: Order) -> None:
        """The answer to an order that the agent's own limits refuse; it never reached a venue."""
        report = Report(
            self._environment.now,
            EventKind.REJECTED,
            0,
            order.instrument,
            order.side,
            order.price,
            order.quantity,
            0,
            False,
            Reason.RISK,
            order.client_order_id,
            order.venue,
        )
        order.apply(report)
        self._guarded(self._tell, EventKind.REJECTED, order, report)

    # --- inner ---

    def _market(self, instrument: Instrument, venue: str) -> Market:
        try:
            return self._by_place[venue, instrument.symbol]
        except KeyError:
            places = ", ".join(f"{symbol} on {place}" for place, symbol in self._by_place)
            raise InvalidValueError(
                f"{self.name} cannot trade {instrument.symbol} on {venue!r}; it may trade {places}"
            ) from None

    def _exposure(self, order: Order) -> tuple[int, int]:
        """(position, open lots on the order's side) in the order's instrument."""
        symbol = order.instrument.symbol
        same = sum(
            other.leaves
            for other in self._orders.values()
            if other.instrument.symbol == symbol and other.side is order.side
        )
        return self.portfolio.lots.get(symbol, 0), same
