"""The simulated broker: one agent's session on the simulated market.

It turns orders into requests, the venue's messages into reports and market data, and keeps the agent's orders and
portfolio. A message that arrives while the agent is busy computing waits for its turn, as in compiled populations.
What the agent's own code raises comes out as AgentError with the agent's name and the simulated time.
It never matches anything and never sees the venue's book.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from marketsim.brokers.open_orders import OpenOrders
from marketsim.domain.basket import Basket
from marketsim.domain.event import EventKind
from marketsim.domain.fees import FeeMeter, FeeSchedule
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import (
    Bar,
    BookSnapshot,
    Imbalance,
    Indicative,
    LevelUpdate,
    OrderAction,
    OrderUpdate,
    Quote,
    Report,
    Status,
    TradePrint,
    Volume,
)
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import OrderFlag, OrderState, Reason, Side
from marketsim.domain.phase import Phase
from marketsim.domain.risk import RiskEvent
from marketsim.domain.schedule import Night, after_night
from marketsim.domain.units import format_duration, format_time
from marketsim.errors import AgentError, InvalidValueError, InvariantViolation, SimulationError, did_you_mean
from marketsim.kernel.environment import Environment
from marketsim.kernel.random import Stream
from marketsim.trading.agent import REPORT_HOOKS, Agent, overrides
from marketsim.trading.book import LocalBook
from marketsim.trading.consolidated import Listener
from marketsim.trading.order import Order, Special
from marketsim.trading.portfolio import Portfolio
from marketsim.trading.ports import Broker, Clock, Feed
from marketsim.trading.request import MarketDataRequest
from marketsim.trading.risk import OWN, Gate, Guard, Limits, Scope

# Places in a row of MESSAGE.
_ORDER, _SENT, _KIND, _SENDER, _MARKET, _SIDE, _PRICE, _QUANTITY, _LEAVES, _EXPIRE = 1, 2, 3, 4, 6, 8, 9, 10, 12, 13
_CHANNEL, _REASON, _NUMBER = 16, 17, 19  # of a snapshot; of a report in a session with faults
_REPORT = int(Kind.REPORT)
_KINDS = {int(kind): kind for kind in EventKind}
_REASONS = {int(reason): reason for reason in Reason}
_PHASES = {int(phase): phase for phase in Phase}
_ACTIONS = {int(action): action for action in OrderAction}
_PLAIN = int(Wanted.QUOTES | Wanted.TRADES | Wanted.LEVELS | Wanted.ORDERS | Wanted.STATUS | Wanted.INDICATIVE)
_BUY = Side.BUY  # also where a refused request names no side, or none that there is
_SIDES = {1: Side.BUY, -1: Side.SELL}
# An enumeration's members are looked up slowly through their class.
_NEW, _CANCEL, _REPLACE, _SUBSCRIBE = Kind.NEW, Kind.CANCEL, Kind.REPLACE, Kind.SUBSCRIBE
_QUERY, _ASK_VOLUME, _MASS_CANCEL = Kind.QUERY, Kind.ASK_VOLUME, Kind.MASS_CANCEL
_SNAPSHOT_REQUEST = Kind.SNAPSHOT_REQUEST
_TRADE, _REJECTED, _REPLACE_REJECTED = EventKind.TRADE, EventKind.REJECTED, EventKind.REPLACE_REJECTED
_FUNDING, _SETTLED = EventKind.FUNDING, EventKind.SETTLED
_AUCTION = int(OrderFlag.AUCTION)
_PENDING_CANCEL = OrderState.PENDING_CANCEL
_OURS = (SimulationError, InvariantViolation)  # not the agent's fault, or told already
_fact = tuple.__new__  # makes a named tuple in a third of its own constructor's time


class Market(NamedTuple):
    """One instrument on one venue, as brokers need it."""

    number: int
    venue: str
    instrument: Instrument
    fee: Callable[[int, int, bool], Decimal]  # of a fill: price in ticks, quantity in lots, whether maker
    schedule: FeeSchedule | None = None  # where fees hang on more than that


class Wire(Protocol):
    """Sends requests into the simulated market (the population's engine)."""

    def send(
        self,
        sender: int,
        depart: int,
        kind: Kind,
        market: int,
        order_id: int = 0,
        side: int = 0,
        order_type: int = 0,
        time_in_force: int = 0,
        instructions: int = 0,
        price: int = 0,
        other_price: int = 0,
        quantity: int = 0,
        expire: int = 0,
        display: int = 0,
        minimum: int = 0,
        parent: int = 0,
        partner: int = 0,
    ) -> int:
        """A request leaves; answers the order id of a NEW."""


class Notes(Protocol):
    """Takes remarks for the event log."""

    def __call__(self, time: int, agent: str, key: str, value: str) -> None:
        """A remark of an agent at a time in ns."""


class SimulatedSession:
    """Session, Broker and Clock of one agent on the simulated market.

    name, seed: of the agent's random draws.
    markets: all markets by number; ``allowed`` are the numbers on which the agent trades, the preferred ones first.
    computation: ns that the agent needs to act on anything.
    grid: ns; the times at which the agent is called are rounded up to a multiple of it.
    nights: when every venue is closed; a call that falls into one comes later by its length.
    faulty: reports may come twice; the second is dropped.
    limits, firm: of the guard, which stands in front where there is one of them, or once somebody asks for it. For
    limits in lots alone a gate stands there until one of them is near.
    marks: tells the market's price of an instrument in ticks; the reference price stands for it when left out.
    receive: takes a message (a row of MESSAGE) at its time; it is handled now, or when the agent is free.
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
        grid: int = 1,
        cash: Decimal = Decimal(1_000_000),
        limits: Limits | None = None,
        firm: Scope | None = None,
        marks: Callable[[Instrument], float] | None = None,
        feeds: Mapping[str, Feed] | None = None,
        notes: Notes | None = None,
        balances: Mapping[str, Decimal] | None = None,
        baskets: Mapping[str, Basket] | None = None,
        nights: Sequence[Night] = (),
        faulty: bool = False,
    ) -> None:
        self.name = name
        self.baskets: Mapping[str, Basket] = baskets or {}
        self.agent = agent
        self.broker: Broker = self
        self.clock: Clock = self
        self.portfolio = Portfolio(cash, markets[allowed[0]].instrument.money, balances)
        self.number = -1  # given by the engine
        self.instruments = tuple(dict.fromkeys(markets[number].instrument for number in allowed))
        self._take_in: Callable[[Sequence[int]], None] = self._receive_in_turn if computation else self._handle
        self.receive = self._receive_once if faulty else self._take_in
        self.duplicates = 0  # reports that were dropped because they had come before
        self._due: Callable[[list[Any]], None] = self._call_in_turn if computation else self._call
        self._seed = seed
        self._environment = environment
        self._wire = wire
        self._markets = markets
        self._by_place = {(markets[n].venue, markets[n].instrument.symbol): markets[n] for n in allowed}
        self._venues = _venues_by_symbol(self._by_place)
        self._computation = computation
        self._grid = grid
        self._marks = marks
        self._feeds = feeds or {}
        self._notes = notes
        self._nights = nights
        self._busy_until = 0
        self._meters: dict[int, FeeMeter] = {}
        self._client_order_id = 0
        self._orders = OpenOrders()
        self._streams: dict[str, Stream] = {}
        self._subscribed: dict[int, int] = {}  # market -> Wanted
        self._watched: set[tuple[int, int, int]] = set()  # market, what, and its length or share in millionths
        self._intervals: dict[tuple[int, str], int] = {}  # of a market's quotes and levels, ns between two updates
        self._snapshots: dict[tuple[int, int], list[tuple[int, int, int]]] = {}  # by market and channel
        self._awaited: dict[tuple[int, int], tuple[int, int, int]] = {}
        self._books: dict[int, LocalBook] = {}  # by market
        self._heard: dict[int, int] = {}  # sender -> number of its last report, in a session with faults
        self._listener: Listener | None = None
        self._copies: list[Callable[[Report], None]] = []  # who else is told of fills
        self._limits = limits
        self._guard: Guard | None = None
        self._front: Gate | Guard | None = None  # what orders have to pass
        if limits is not None and firm is None and Gate.suits(limits):
            self._front = Gate(self, limits)
        elif limits is not None or firm is not None:
            self._stand_guard(firm)
        agent.bind(self)
        self._on_any_report = agent.on_report if overrides(agent, "on_report") else None
        self._hooks: list[Callable[..., None] | None] = [None] * (max(EventKind) + 1)
        for kind in EventKind:
            self._hooks[kind] = self._hook(REPORT_HOOKS.get(kind))
        self._handlers = self._handlers_by_kind()

    def _hook(self, name: str | None) -> Callable[..., None] | None:
        """A hook that the agent overrides; what it leaves alone is not called at all."""
        return getattr(self.agent, name) if name and overrides(self.agent, name) else None

    def _handlers_by_kind(self) -> list[Callable[[Sequence[int]], None]]:
        handlers: list[Callable[[Sequence[int]], None]] = [self._on_report] * (_REPORT + max(EventKind) + 1)
        handlers[Kind.QUOTE] = self._on_quote
        handlers[Kind.TRADE_PRINT] = self._on_trade
        handlers[Kind.LEVEL] = self._on_level
        handlers[Kind.VOLUME] = self._on_volume
        handlers[Kind.IMBALANCE] = self._on_imbalance
        handlers[Kind.STATUS] = self._on_status
        handlers[Kind.INDICATIVE] = self._on_indicative
        handlers[Kind.ORDER_UPDATE] = self._on_order_update
        handlers[Kind.BAR] = self._on_bar
        handlers[Kind.CONNECTION] = self._on_connection
        handlers[Kind.HEARTBEAT] = self._on_heartbeat
        handlers[Kind.SNAPSHOT] = self._on_snapshot
        handlers[Kind.SNAPSHOT_LEVEL] = self._on_snapshot_level
        return handlers

    # --- life ---

    def start(self) -> None:
        """Subscribe to what the agent's hooks ask for, then let it begin."""
        if self._guard is not None:
            self._guard.start()
        self._guarded(self._subscribe_first)
        self._guarded(self.agent.on_start)

    def _subscribe_first(self) -> None:
        asked = {name: value for name, value in self.agent.subscriptions().items() if value}
        if asked:
            request = MarketDataRequest.of(asked)
            for market in self._by_place.values():
                self.subscribe(market.instrument, market.venue, request)

    def copy_fills_to(self, copy: Callable[[Report], None]) -> None:
        """From now on every report of a fill is handed on, before the agent hears of it."""
        self._copies.append(copy)

    def stop(self) -> None:
        """Tell the agent that the run is over."""
        self._guarded(self.agent.on_stop)

    # --- Broker ---

    def submit(self, order: Order) -> None:
        """Check an order against the limits and send it; a refusal comes back as a report."""
        market = self._by_place.get((order.venue, order.instrument.symbol)) or self._market(order)
        if self._front is not None and self._front.refuses(order, order.quantity, order.price, self._environment.now):
            self.call_at(self._environment.now, self._refuse, order, _REJECTED, order.price, order.quantity)
            return
        if order.position and self._contradicts(order, _REJECTED, order.price, order.quantity, order.quantity):
            return
        self._transmit(order, market)

    def send(self, order: Order) -> None:
        """Send an order past all limits: the guard's own."""
        self._transmit(order, self._market(order))

    def _transmit(self, order: Order, market: Market) -> None:
        order.reference = self._wire.send(
            self.number,
            self._environment.now + self._computation,
            _NEW,
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
            *(() if order.special is None else _references(order.special)),
        )
        self._orders.add(order)

    def cancel(self, order: Order, quantity: int = 0) -> None:
        """Ask for the cancel of an order, or of some lots of it, whatever its state."""
        if quantity == 0 and order.live:
            order.state = _PENDING_CANCEL
        self._orders.ask(order)
        self._wire.send(
            self.number,
            self._environment.now + self._computation,
            _CANCEL,
            self._market(order).number,
            order.reference,
            quantity=quantity,
        )

    def cancel_everything(self, instrument: Instrument, venue: str, *, whole_venue: bool = False) -> None:
        """Ask a venue for the cancel of all own orders in an instrument, or in everything that it trades."""
        market = self.market_of(instrument, venue).number
        for order in self._orders:
            if order.venue == venue and (whole_venue or order.instrument.symbol == instrument.symbol):
                order.state = _PENDING_CANCEL
        self._ask(_MASS_CANCEL, market, quantity=int(whole_venue))

    def replace(self, order: Order, price: int, quantity: int, stop_price: int = 0) -> None:
        """Ask for new terms of an order. One that is over is left alone; limits are checked as for a new order."""
        if not order.live or not order.reference:
            return
        if self._front is not None and self._front.refuses(order, quantity, price, self._environment.now, replace=True):
            self.call_at(self._environment.now, self._refuse, order, _REPLACE_REJECTED, price, quantity)
            return
        if order.position and self._contradicts(order, _REPLACE_REJECTED, price, quantity, quantity - order.filled):
            return
        self._orders.ask(order, quantity, stop_price)
        self._wire.send(
            self.number,
            self._environment.now + self._computation,
            _REPLACE,
            self._market(order).number,
            order.reference,
            order.side,
            price=price,
            quantity=quantity,
            other_price=stop_price,
        )

    def open_orders(self) -> Iterable[Order]:
        """Orders that may still trade, oldest first."""
        return self._orders

    # --- Clock ---

    @property
    def now(self) -> int:
        """ns."""
        return self._environment.now

    def call_at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function at a time, or as soon after as the agent is free."""
        self.call_on_time(time if not self._nights else after_night(self._nights, time), function, *arguments)

    def call_on_time(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """The same, by night too."""
        call = [function, arguments, 0]
        call[2] = self._environment.call_at(time if self._grid == 1 else self._on_grid(time), self._due, call)[1]

    def sleep(self, delay: int) -> Any:
        """A SimPy timeout."""
        now = self._environment.now
        if self._nights:
            delay = after_night(self._nights, now + delay) - now
        return self._environment.timeout(delay if self._grid == 1 else self._on_grid(now + delay) - now)

    def _on_grid(self, time: int) -> int:
        return -(-time // self._grid) * self._grid

    def process(self, generator: Generator[Any, Any, Any]) -> Any:
        """Run a generator as a SimPy process. What it raises goes to the process that waits for it, if there is one."""
        running: list[Any] = []
        running.append(self._environment.process(self._wrapped(generator, running)))
        return running[0]

    # --- Session ---

    def next_client_order_id(self) -> int:
        """1, 2, 3 …"""
        self._client_order_id += 1
        return self._client_order_id

    def venues(self, instrument: Instrument) -> tuple[str, ...]:
        """Venues on which the agent may trade an instrument, the preferred one first."""
        try:
            return self._venues[instrument.symbol]
        except KeyError:
            raise InvalidValueError(
                f"{self.name} does not trade {instrument.symbol}{did_you_mean(instrument.symbol, self._venues)}"
            ) from None

    def subscribe(self, instrument: Instrument, venue: str, request: MarketDataRequest) -> None:
        """Ask a venue for market data, once for each kind of it, each length of bars and each share of the book."""
        market = self.market_of(instrument, venue).number
        known = self._subscribed.get(market, 0)
        for kind, name in ((Wanted.QUOTES, "quotes"), (Wanted.LEVELS, "levels")):
            if request.wanted & kind:
                self._check_interval(market, name, request.interval, instrument)
        wanted = int(request.wanted) & _PLAIN & ~known
        self._subscribed[market] = known | wanted
        share = int(request.imbalance * 1_000_000 + 0.5)
        for kind, detail in ((Wanted.BARS, request.bars), (Wanted.IMBALANCE, share)):
            if detail and (market, int(kind), detail) not in self._watched:
                self._watched.add((market, int(kind), detail))
                wanted |= int(kind)
        if wanted:
            self._ask(
                _SUBSCRIBE, market, instructions=wanted, price=share, other_price=request.bars, expire=request.interval
            )

    def _check_interval(self, market: int, name: str, interval: int, instrument: Instrument) -> None:
        """An interval that was asked for stays: the venue would send the same data twice."""
        known = self._intervals.setdefault((market, name), interval)
        if known != interval:
            told = f"every {format_duration(known)}" if known else "at each change"
            raise InvalidValueError(
                f"{self.name} gets the {name} of {instrument.symbol} {told} already; ask for them once, with the "
                "interval that suits all"
            )

    def keep_book(self, instrument: Instrument, venue: str) -> LocalBook:
        """A book that follows the venue's feed and repairs itself; the same object each time."""
        market = self.market_of(instrument, venue).number
        book = self._books.get(market)
        if book is None:
            book = self._books[market] = LocalBook(lambda: self._recover(market))
            if self._subscribed.get(market, 0) & Wanted.LEVELS:
                self._recover(market)
            else:
                self.subscribe(instrument, venue, MarketDataRequest(Wanted.LEVELS))
        return book

    def ask_book(self, instrument: Instrument, venue: str) -> None:
        """Ask a venue for its whole book, once."""
        self._recover(self.market_of(instrument, venue).number)

    def _recover(self, market: int) -> None:
        """Ask for a snapshot that fits the levels which come from there."""
        self._ask(_SNAPSHOT_REQUEST, market, expire=self._intervals.get((market, "levels"), 0))

    def ask_quote(self, instrument: Instrument, venue: str) -> None:
        """Ask a venue for its best quotes, once."""
        self._ask(_QUERY, self.market_of(instrument, venue).number)

    def ask_volume(self, instrument: Instrument, venue: str, lookback: int) -> None:
        """Ask a venue what was traded in the last ``lookback`` ns."""
        self._ask(_ASK_VOLUME, self.market_of(instrument, venue).number, expire=lookback)

    def _ask(self, kind: Kind, market: int, **terms: int) -> None:
        self._wire.send(self.number, self._environment.now + self._computation, kind, market, **terms)

    def fee(self, instrument: Instrument, venue: str, price: int, quantity: int, maker: bool) -> Decimal:
        """What a venue would take from a trade, by its schedule, without what hangs on the volume of the agent."""
        return self.market_of(instrument, venue).fee(price, quantity, maker)

    def listen(self, listener: Listener) -> None:
        """A listener hears what arrives, before the agent's hooks."""
        self._listener = listener

    def stream(self, purpose: str) -> Stream:
        """The agent's random draws for a purpose; the same object each time."""
        stream = self._streams.get(purpose)
        if stream is None:
            stream = self._streams[purpose] = Stream(self._seed, self.name, purpose)
        return stream

    def feed(self, name: str) -> Feed:
        """An information feed by name."""
        try:
            return self._feeds[name]
        except KeyError:
            raise InvalidValueError(
                f"{self.name} has no feed {name!r}{did_you_mean(name, self._feeds)}; add it to the scenario's feeds"
            ) from None

    def note(self, key: str, value: str) -> None:
        """Write a remark into the event log's annotations."""
        if self._notes is not None:
            self._notes(self._environment.now, self.name, key, value)

    # --- risk ---

    @property
    def guard(self) -> Guard:
        """What stands in front of this broker; without limits where the scenario names none."""
        return self._guard or self._stand_guard(None)

    def _stand_guard(self, firm: Scope | None) -> Guard:
        guard = self._front = self._guard = Guard(self, self._limits, float(self.portfolio.initial_cash), firm)
        for order, lots in self._orders.lots():
            guard.count(order, lots)
        self._orders.counted = guard.count
        return guard

    def exposure(self) -> Iterable[tuple[Order, int]]:
        """Orders that may still trade, with the lots that each could, whatever was asked for and is on its way."""
        return self._orders.lots()

    def _moved(self, symbol: str) -> None:
        """A position has changed; a gate need not hear of fills of open orders."""
        if self._front is not None:
            self._front.moved(symbol)

    def mark(self, instrument: Instrument) -> float:
        """The market's price of an instrument in ticks, which may lie between two."""
        return float(instrument.reference) if self._marks is None else self._marks(instrument)

    def aside(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call something that is not the agent's: it takes none of the agent's time."""
        moment = time if not self._nights else after_night(self._nights, time)
        moment = moment if self._grid == 1 else self._on_grid(moment)
        self._environment.call_at(moment, _call_aside, (function, arguments))

    def tell_risk(self, event: RiskEvent) -> None:
        """Tell the agent what risk control has decided, when it is free."""
        if overrides(self.agent, "on_risk"):
            self.call_on_time(self._environment.now, self.agent.on_risk, event)

    # --- inbox ---

    def _receive_once(self, row: Sequence[int]) -> None:
        number = row[_NUMBER]
        if number and row[_KIND] > _REPORT:
            if number <= self._heard.get(row[_SENDER], 0):
                self.duplicates += 1
                return
            self._heard[row[_SENDER]] = number
        self._take_in(row)

    def _receive_in_turn(self, row: Sequence[int]) -> None:
        start = self._reserve()
        if start > self._environment.now:
            self._environment.enqueue((start, row[_ORDER], self._handle, row))
        else:
            self._handle(row)

    def _reserve(self) -> int:
        """The time at which the agent can look at something that arrives now; it is busy for a while from then on."""
        start = max(self._environment.now, self._busy_until)
        self._busy_until = start + self._computation
        return start

    def _call_in_turn(self, call: list[Any]) -> None:
        """Function, arguments and number of a call, which keeps its number while it waits, as a message does."""
        start = self._reserve()
        if start > self._environment.now:
            self._environment.enqueue((start, call[2], self._call, call))
        else:
            self._call(call)

    def _call(self, call: list[Any]) -> None:
        try:
            call[0](*call[1])
        except _OURS:
            raise
        except Exception as error:
            raise self._blame(error) from error

    def _guarded(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call([function, arguments])

    def _handle(self, row: Sequence[int]) -> None:
        try:
            self._handlers[row[_KIND]](row)
        except _OURS:
            raise
        except Exception as error:
            raise self._blame(error) from error

    def _wrapped(self, generator: Generator[Any, Any, Any], running: list[Any]) -> Generator[Any, Any, Any]:
        try:
            return (yield from generator)
        except _OURS:
            raise
        except Exception as error:
            if running[0].callbacks:
                raise
            raise self._blame(error) from error

    def _blame(self, error: Exception) -> AgentError:
        time = self._environment.now
        return AgentError(
            f"{self.name}: {type(error).__name__} at {format_time(time)}: {error}", agent=self.name, time=time
        )

    # --- market data ---

    def _on_quote(self, row: Sequence[int]) -> None:
        _, _, sent, _, _, _, number, _, _, bid, bid_quantity, ask, ask_quantity, last, _, _, _, _, _, _ = row
        market = self._markets[number]
        quote = _fact(Quote, (sent, market.instrument, bid, bid_quantity, ask, ask_quantity, market.venue, last))
        if self._listener is not None:
            self._listener.on_quote(quote)
        self.agent.on_quote(quote)

    def _on_trade(self, row: Sequence[int]) -> None:
        market = self._markets[row[_MARKET]]
        side = _SIDES[row[_SIDE]]
        trade = TradePrint(row[_SENT], market.instrument, row[_PRICE], row[_QUANTITY], side, market.venue)
        if self._listener is not None:
            self._listener.on_trade(trade)
        self.agent.on_trade(trade)

    def _on_volume(self, row: Sequence[int]) -> None:
        market = self._markets[row[_MARKET]]
        bought, sold = row[_QUANTITY], row[_LEAVES]
        self.agent.on_volume(Volume(row[_SENT], market.instrument, row[_EXPIRE], bought, sold, market.venue))

    def _on_imbalance(self, row: Sequence[int]) -> None:
        market = self._markets[row[_MARKET]]
        side, bids, asks = _SIDES.get(row[_SIDE]), row[_QUANTITY], row[_LEAVES]
        self.agent.on_imbalance(Imbalance(row[_SENT], market.instrument, side, bids, asks, market.venue))

    def _on_status(self, row: Sequence[int]) -> None:
        market = self._markets[row[_MARKET]]
        phase, reason = _PHASES[row[_QUANTITY]], _REASONS[row[_REASON]]
        self.agent.on_status(Status(row[_SENT], market.instrument, phase, reason, row[_EXPIRE], market.venue))

    def _on_indicative(self, row: Sequence[int]) -> None:
        market = self._markets[row[_MARKET]]
        price, volume, surplus, side = row[_PRICE], row[_QUANTITY], row[_LEAVES], _SIDES.get(row[_SIDE])
        self.agent.on_indicative(Indicative(row[_SENT], market.instrument, price, volume, surplus, side, market.venue))

    def _on_order_update(self, row: Sequence[int]) -> None:
        (_, _, sent, _, _, _, number, order_id, side, price, quantity, priority, leaves, sequence, _, _, action, _, _,
         _) = row  # fmt: skip
        market = self._markets[number]
        self.agent.on_order_update(
            _fact(
                OrderUpdate,
                (sent, market.instrument, _ACTIONS[action], order_id, _SIDES.get(side, _BUY), price, quantity, leaves,
                 priority, sequence, market.venue),
            )
        )  # fmt: skip

    def _on_bar(self, row: Sequence[int]) -> None:
        _, _, end, _, _, _, number, value, _, first, volume, last, trades, length, high, low, _, _, _, _ = row
        market = self._markets[number]
        self.agent.on_bar(
            Bar(end, market.instrument, length, first, high, low, last, volume, value, trades, market.venue)
        )

    def _on_level(self, row: Sequence[int]) -> None:
        market = self._markets[row[_MARKET]]
        side, price, quantity = _SIDES[row[_SIDE]], row[_PRICE], row[_QUANTITY]
        update = LevelUpdate(row[_SENT], market.instrument, side, price, quantity, row[_EXPIRE], market.venue)
        if self._books and market.number in self._books:
            self._books[market.number].apply(update)
        if self._listener is not None:
            self._listener.on_level(update)
        self.agent.on_level(update)

    def _on_heartbeat(self, row: Sequence[int]) -> None:
        book = self._books.get(row[_MARKET])
        if book is not None:
            book.heartbeat(row[_EXPIRE])

    def _on_snapshot(self, row: Sequence[int]) -> None:
        place = row[_MARKET], row[_CHANNEL]
        self._snapshots[place] = []
        self._awaited[place] = (row[_QUANTITY], row[_SENT], row[_EXPIRE])
        self._finish_snapshot(*place)

    def _on_snapshot_level(self, row: Sequence[int]) -> None:
        place = row[_MARKET], row[_CHANNEL]
        self._snapshots[place].append((row[_SIDE], row[_PRICE], row[_QUANTITY]))
        self._finish_snapshot(*place)

    def _finish_snapshot(self, number: int, channel: int) -> None:
        """Hand a snapshot over once all of its levels are there."""
        count, time, sequence = self._awaited[number, channel]
        levels = self._snapshots[number, channel]
        if len(levels) < count:
            return
        market = self._markets[number]
        bids = tuple((price, quantity) for side, price, quantity in levels if side > 0)
        asks = tuple((price, quantity) for side, price, quantity in levels if side < 0)
        snapshot = BookSnapshot(time, market.instrument, bids, asks, sequence, market.venue)
        if self._books and number in self._books:
            self._books[number].apply_snapshot(snapshot)
        if self._listener is not None:
            self._listener.on_book(snapshot)
        self.agent.on_book(snapshot)

    # --- the session itself ---

    def _on_connection(self, row: Sequence[int]) -> None:
        venue = self._markets[row[_MARKET]].venue
        if row[_SIDE] > 0:
            self.agent.on_reconnected(venue)
        else:
            self.agent.on_disconnected(venue)

    # --- reports ---

    def _on_report(self, row: Sequence[int]) -> None:
        _, _, sent, number, _, _, place, order_id, side, price, quantity, _, leaves, _, _, _, maker, reason, _, _ = row
        number -= _REPORT
        kind = _KINDS[number]
        order = self._orders.find(order_id)
        if order is not None:
            instrument, venue, client_order_id = order.instrument, order.venue, order.client_order_id
        else:
            instrument, venue = self._place(place)
            client_order_id = 0
        report: Report = _fact(
            Report,
            (sent, kind, order_id, instrument, _SIDES.get(side, _BUY), price, quantity, leaves, maker == 1,
             _REASONS[reason], client_order_id, venue),
        )  # fmt: skip
        if order is not None:
            self._orders.apply(order, report)
        if kind is _TRADE:
            market, is_maker = self._markets[place], maker == 1
            if market.schedule is None:
                fee = market.fee(price, quantity, is_maker)
            else:
                fee = self._metered(market, price, quantity, maker)
            self.portfolio.trade(sent, market.instrument, report.side, price, quantity, fee, is_maker)
            if self._guard is not None or order is None:
                self._moved(market.instrument.symbol)
            if self.portfolio.legs or (order is not None and order.position):
                leg = "" if order is None else order.position
                self.portfolio.legs.fill(market.instrument.symbol, report.side, quantity, leg)
            for copy in self._copies:
                copy(report)
        elif kind is _FUNDING or kind is _SETTLED:
            self.portfolio.clear(instrument, kind, quantity, leaves, maker)
            self._moved(instrument.symbol)
        if client_order_id >= OWN:
            return  # the guard's own order
        if self._listener is not None:
            self._listener.on_report(report, order)
        if self._on_any_report is not None or self._hooks[number] is not None:
            self._tell(number, order, report)

    def _metered(self, market: Market, price: int, quantity: int, told: int) -> Decimal:
        """The fee of a fill where it hangs on the agent's volume, or on the kind of trade."""
        meter = self._meters.get(market.number)
        if meter is None:
            assert market.schedule is not None
            meter = self._meters[market.number] = FeeMeter(market.schedule, market.instrument)
        return meter.charge(price, quantity, told == 1, told >= _AUCTION)

    def _place(self, number: int) -> tuple[Instrument, str]:
        """Instrument and venue of a report whose order is not known; a refused request may name no market at all."""
        if number < len(self._markets):
            return self._markets[number].instrument, self._markets[number].venue
        return self.instruments[0], ""

    def _tell(self, number: int, order: Order | None, report: Report) -> None:
        """Call the hooks that the agent overrides: on_report for all, then the particular one."""
        if self._on_any_report is not None:
            self._on_any_report(report, order)
        hook = self._hooks[number]
        if hook is None:
            return
        if number >= EventKind.REJECTED:
            hook(order, report)
        elif order is not None:
            if number == EventKind.ACCEPTED:
                hook(order)
            else:
                hook(order, report)

    def _contradicts(self, order: Order, kind: EventKind, price: int, quantity: int, opened: int) -> bool:
        """Whether an order closes more of its leg than there is; it is refused then."""
        said = self.portfolio.legs.contradicts(order, opened, self._orders)
        if said:
            self.note("position", f"order {order.client_order_id} refused: {said}")
            self.call_at(self._environment.now, self._refuse, order, kind, price, quantity, Reason.POSITION_SIDE)
        return bool(said)

    def _refuse(self, order: Order, kind: EventKind, price: int, quantity: int, reason: Reason = Reason.RISK) -> None:
        """The answer to a request that the agent's own limits refuse; it never reached a venue."""
        report = Report(
            self._environment.now,
            kind,
            order.order_id,
            order.instrument,
            order.side,
            price,
            quantity,
            0,
            False,
            reason,
            order.client_order_id,
            order.venue,
        )
        order.apply(report)
        if self._listener is not None:
            self._listener.on_report(report, order)
        self._tell(int(kind), order, report)

    # --- inner ---

    def _market(self, order: Order) -> Market:
        return self.market_of(order.instrument, order.venue)

    def market_of(self, instrument: Instrument, venue: str) -> Market:
        """The market of an instrument on a venue; InvalidValueError where the agent may not trade."""
        try:
            return self._by_place[venue, instrument.symbol]
        except KeyError:
            places = ", ".join(f"{symbol} on {place}" for place, symbol in self._by_place)
            raise InvalidValueError(
                f"{self.name} cannot trade {instrument.symbol} on {venue!r}; it may trade {places}"
            ) from None


def _call_aside(call: tuple[Callable[..., Any], tuple[Any, ...]]) -> None:
    call[0](*call[1])


def _venues_by_symbol(places: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    venues: dict[str, tuple[str, ...]] = {}
    for venue, symbol in places:
        venues[symbol] = (*venues.get(symbol, ()), venue)
    return venues


def _references(special: Special) -> tuple[int, int, int, int]:
    """Special terms as a request carries them: other orders by the numbers that the venue knows."""
    parent, partner = special.parent, special.partner
    return (
        special.display,
        special.minimum,
        0 if parent is None else parent.reference,
        0 if partner is None else partner.reference,
    )
