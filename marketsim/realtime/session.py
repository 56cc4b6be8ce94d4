"""A live session: one agent at a venue that speaks Binance's spot dialect, in real time, on one event loop.

It implements the ports Session, Broker and Clock, so that the class that runs in the simulation runs here unchanged.
Hooks are called one at a time; what an agent's own code raises ends the session as AgentError. When a connection breaks
it is made anew, up to five times with growing pauses; then books are repaired and orders are found out. It matches
nothing and decides nothing about the market.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from marketsim.domain.basket import Basket
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, Quote, Report, TradePrint
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.domain.risk import RiskEvent
from marketsim.domain.units import DAY, format_time
from marketsim.errors import AgentError, GatewayError, InvalidValueError, MarketSimError, did_you_mean
from marketsim.kernel.following import FollowedClock
from marketsim.kernel.random import Stream
from marketsim.kernel.token import fresh_token
from marketsim.realtime import dialect
from marketsim.realtime.api import Api
from marketsim.realtime.clock import RealtimeClock
from marketsim.realtime.desk import Desk
from marketsim.realtime.dialect import VenueMarket, VenueRefusal
from marketsim.realtime.endpoints import Endpoints
from marketsim.realtime.feed import VenueFeed
from marketsim.realtime.line import GOING_AWAY
from marketsim.realtime.refusals import Refusals
from marketsim.realtime.settings import Note, Settings
from marketsim.realtime.streams import Streams
from marketsim.trading.agent import REPORT_HOOKS, Agent, overrides
from marketsim.trading.book import LocalBook
from marketsim.trading.consolidated import Listener
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Portfolio
from marketsim.trading.ports import Broker, Clock, Feed
from marketsim.trading.request import MarketDataRequest
from marketsim.trading.risk import OWN, Guard

_REJECTED, _REPLACE_REJECTED, _TRADE = EventKind.REJECTED, EventKind.REPLACE_REJECTED, EventKind.TRADE
_CANCEL_REJECTED = EventKind.CANCEL_REJECTED
_PENDING_CANCEL = OrderState.PENDING_CANCEL
_MOST = 100  # instruments that are taken without being named
_PATIENCE = 10.0  # wall seconds in which the last requests must be answered at the end


class RealtimeSession:
    """Session, Broker and Clock of one agent; ``open`` makes one, ``run`` lets it trade."""

    def __init__(self, agent: Agent, endpoints: Endpoints, api_key: str, secret: str, settings: Settings) -> None:
        endpoints.check(live=settings.live)
        self.name = settings.name
        self.agent = agent
        self.settings = settings
        self.broker: Broker = self
        self.baskets: Mapping[str, Basket] = {}
        self.markets: dict[str, VenueMarket] = {}
        self.instruments: tuple[Instrument, ...] = ()
        self.portfolio = Portfolio()
        self.notes: list[Note] = []
        self.refusals = Refusals(self.notes)
        self.orders: list[Order] = []  # that were ever asked for, oldest first
        self.reports = 0
        self.reconnections = 0
        self.begun = 0  # ns of the venue's clock
        self.ended = ""  # why it is over
        self.before: dict[str, Decimal] = {}  # what the account held of each asset
        self._failure: MarketSimError | None = None
        self._followed = FollowedClock(settings.speed)
        self._clock = RealtimeClock(self._followed, self._guarded)
        self.clock: Clock = self._clock
        self.api = Api(endpoints.api, api_key, secret, self._event, self._lose_api, self._fail)
        self.streams = Streams(endpoints.streams, self._ready, self._lose_streams, self._no_stream, self._fail)
        self.guard: Guard  # once the instruments are known
        self._feed = VenueFeed(self.streams, self._ask, self)
        self.desk = Desk(self.api, self, self.markets, f"m{fresh_token(8)}", lambda: self.now)
        self._rates: dict[str, tuple[Decimal, Decimal]] = {}  # maker and taker, by symbol
        self._draws: dict[str, Stream] = {}
        self._listener: Listener | None = None
        self._numbers = 0
        self._connected = False
        self._started = False
        self._ending = False
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_any_report = False
        self._hooks: dict[EventKind, Callable[..., None]] = {}

    @classmethod
    async def open(
        cls, agent: Agent, url: str | Endpoints, api_key: str, secret: str, settings: Settings | None = None
    ) -> RealtimeSession:
        """Connect an agent to a venue: its instruments are known and its account is open, and nothing is asked yet.

        Raises InvalidValueError for an address that is not this machine's, GatewayError when the venue cannot be
        reached or does not know the key, MissingDependency.
        """
        session = cls(agent, Endpoints.of(url), api_key, secret, settings or Settings())
        try:
            await session._connect()
        except BaseException:
            await session.close()
            raise
        return session

    # --- life ---

    async def run(self, duration: int | None = None) -> None:
        """Trade for so many ns of the venue's time, or until ``stop`` is called; what went wrong is raised."""
        await self.start()
        if duration is not None:
            self._clock.call_at(self.begun + duration, self.stop, "duration")
        await self._over.wait()
        await self.finish()
        if self._failure is not None:
            raise self._failure

    async def start(self) -> None:
        """Subscribe to what the agent's hooks ask for, then let it begin."""
        agent = self.agent
        self._on_any_report = overrides(agent, "on_report")
        self._hooks = {kind: getattr(agent, name) for kind, name in REPORT_HOOKS.items() if overrides(agent, name)}
        self._clock.catch_up()
        self.begun = self.now
        agent.bind(self)
        self._watch_marks()
        self.guard.start()
        self.dispatch(self._subscribe_first)
        self.dispatch(agent.on_start)
        self._started = True
        await self._open_streams()

    def _subscribe_first(self) -> None:
        asked = {name: value for name, value in self.agent.subscriptions().items() if value}
        if asked:
            request = MarketDataRequest.of(asked)
            for market in self.markets.values():
                self._feed.subscribe(market, request)

    def stop(self, why: str = "stopped") -> None:
        """Come to the end: the agent's on_stop, open orders canceled where that is set, everything answered."""
        self.ended = self.ended or why
        self._over.set()

    async def finish(self) -> None:
        """The end itself."""
        self._ending = True
        if self._failure is None or not isinstance(self._failure, AgentError):
            self.dispatch(self.agent.on_stop)
        self._clock.stop()
        self._hooks, self._on_any_report, self._listener = {}, False, None
        if self._connected:
            if self.settings.cancel_on_stop and any(True for _ in self.desk.orders):
                self.desk.cancel_all(self.markets.values(), next(iter(self.markets.values())))
            await self.settled(_PATIENCE)
        for order in self.desk.orders:
            self.note("end", f"{order!r} is open still" if self._connected else f"{order!r}: nobody knows")

    async def close(self) -> None:
        """End the connections."""
        self._connected = False
        self._clock.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.streams.close()
        await self.api.close()

    async def settled(self, patience: float = _PATIENCE) -> bool:
        """Wait until every request is answered, so many wall seconds at most; whether it came to that."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        while not self.desk.idle and self._connected and loop.time() < until:
            await asyncio.sleep(0.0005)
        return self.desk.idle

    async def holdings(self) -> dict[str, Decimal]:
        """What the account holds of each asset, free or locked, as the venue says."""
        account = await self.api.call("account.status", {}, sign=True)
        return {one["asset"]: Decimal(one["free"]) + Decimal(one["locked"]) for one in account["balances"]}

    async def marks(self) -> dict[str, Decimal]:
        """A price of each instrument now: the middle of the best quotes, or the last one."""
        found = {}
        for market in self.markets.values():
            told = await self.api.call("ticker.24hr", {"symbol": market.symbol})
            bid, ask = Decimal(told["bidPrice"]), Decimal(told["askPrice"])
            found[market.instrument.symbol] = (bid + ask) / 2 if bid and ask else Decimal(told["lastPrice"])
        return found

    # --- Broker ---

    def submit(self, order: Order) -> None:
        """Check an order and send it; a refusal comes back as a report."""
        market = self._market_of(order.instrument, order.venue)
        self.orders.append(order)
        if self.guard.refuses(order, order.quantity, order.price, self.now):
            self._soon(order, _REJECTED, order.price, order.quantity, Reason.RISK)
        elif dialect.new_order(order, market, "", order.price, order.quantity, order.stop_price) is None:
            self.note("venue", f"order {order.client_order_id} refused: the venue has no word for these terms")
            self._soon(order, _REJECTED, order.price, order.quantity, Reason.INVALID_INSTRUCTION)
        elif not self._open:
            self._soon(order, _REJECTED, order.price, order.quantity, Reason.DISCONNECTED)
        else:
            self.desk.place(order, market)

    def cancel(self, order: Order, quantity: int = 0) -> None:
        """Ask for the cancel of an order, or of some lots of it."""
        if quantity == 0 and order.live:
            order.state = _PENDING_CANCEL
        if self._open:
            self.desk.cancel(order, quantity)
        else:
            self._soon(order, _CANCEL_REJECTED, 0, quantity, Reason.DISCONNECTED)

    def cancel_everything(self, instrument: Instrument, venue: str, *, whole_venue: bool = False) -> None:
        """Ask for the cancel of all own orders in an instrument, or in everything."""
        market = self._market_of(instrument, venue)
        if self._open:
            self.desk.cancel_all(self.markets.values() if whole_venue else [market], market)
            return
        reason = Reason.DISCONNECTED
        report = Report(self.now, _CANCEL_REJECTED, 0, instrument, Side.BUY, 0, 0, 0, False, reason, 0, venue)
        self.call_at(self.now, self.report, report, None)

    def replace(self, order: Order, price: int, quantity: int, stop_price: int = 0) -> None:
        """Ask for new terms of an order; one that is over is left alone."""
        if not order.live or not order.reference:
            return
        if self.guard.refuses(order, quantity, price, self.now, replace=True):
            self._soon(order, _REPLACE_REJECTED, price, quantity, Reason.RISK)
        elif self._open:
            self.desk.replace(order, price, quantity, stop_price)
        else:
            self._soon(order, _REPLACE_REJECTED, price, quantity, Reason.DISCONNECTED)

    def open_orders(self) -> Iterable[Order]:
        """Orders that may still trade, oldest first."""
        return self.desk.orders

    # --- Clock ---

    @property
    def now(self) -> int:
        """ns since 1970 by the venue's clock."""
        return self._clock.now

    def call_at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function at a time."""
        self._clock.call_at(time, function, *arguments)

    def sleep(self, delay: int) -> Any:
        """To be yielded in a process."""
        return self._clock.sleep(delay)

    def process(self, generator: Generator[Any, Any, Any]) -> Any:
        """Run a process."""
        return self._clock.process(generator)

    # --- Session ---

    def next_client_order_id(self) -> int:
        """1, 2, 3 …"""
        self._numbers += 1
        return self._numbers

    def venues(self, instrument: Instrument) -> tuple[str, ...]:
        """The one venue."""
        self._market_of(instrument, self.settings.venue)
        return (self.settings.venue,)

    def subscribe(self, instrument: Instrument, venue: str, request: MarketDataRequest) -> None:
        """Ask for market data."""
        self._feed.subscribe(self._market_of(instrument, venue), request)
        self._open_streams_soon()

    def ask_book(self, instrument: Instrument, venue: str) -> None:
        """Ask for the whole book, once."""
        self._feed.ask_book(self._market_of(instrument, venue))

    def keep_book(self, instrument: Instrument, venue: str) -> LocalBook:
        """A book that follows the venue's and repairs itself."""
        book = self._feed.keep_book(self._market_of(instrument, venue))
        self._open_streams_soon()
        return book

    def ask_quote(self, instrument: Instrument, venue: str) -> None:
        """Ask for the best quotes, once."""
        self._feed.ask_quote(self._market_of(instrument, venue))

    def ask_volume(self, instrument: Instrument, venue: str, lookback: int) -> None:
        """The venue keeps no such count."""
        raise InvalidValueError("the venue tells no volume of a time back: subscribe to trades or bars and add them up")

    def fee(self, instrument: Instrument, venue: str, price: int, quantity: int, maker: bool) -> Decimal:
        """What the venue would take from a trade, by the account's rates."""
        market = self._market_of(instrument, venue)
        rate = self._rates[market.symbol][0 if maker else 1]
        return rate * price * quantity * instrument.tick_size * instrument.lot_size

    def listen(self, listener: Listener) -> None:
        """A listener hears what arrives, before the agent's hooks."""
        self._listener = listener

    def stream(self, purpose: str) -> Stream:
        """The agent's random draws for a purpose; those of the simulation under the same seed and name."""
        stream = self._draws.get(purpose)
        if stream is None:
            stream = self._draws[purpose] = Stream(self.settings.seed, self.name, purpose)
        return stream

    def feed(self, name: str) -> Feed:
        """There are none: they exist in simulations."""
        raise InvalidValueError(
            f"{self.name} has no feed {name!r}: information feeds belong to simulated markets; at a venue give the "
            "agent its information another way"
        )

    def note(self, key: str, value: str) -> None:
        """Keep a remark."""
        self.notes.append(Note(self.now, key, value))

    # --- risk ---

    def _stand_guard(self) -> None:
        """Limits need one currency where they are about the equity."""
        limits, quotes = self.settings.limits, sorted(self._quotes())
        if limits is not None and limits.live and len(quotes) > 1:
            raise InvalidValueError(
                f"the instruments are paid in {' and '.join(quotes)}, and limits of equity need one currency: name "
                "instruments of one"
            )
        self.guard = Guard(self, limits, float(self.portfolio.initial_cash) or 1.0)
        self.desk.orders.counted = self.guard.count

    def _watch_marks(self) -> None:
        """The guard looks at quotes, whether the agent asks for them or not."""
        if self.settings.limits is not None and self.settings.limits.marked:
            for market in self.markets.values():
                self._feed.watch(market)

    def mark(self, instrument: Instrument) -> float:
        """The venue's price in ticks, as far as it was heard: the mid, else the last trade."""
        view = self._feed.view(self.markets[instrument.symbol])
        quote = view.latest
        if quote is not None and quote.bid_quantity and quote.ask_quantity:
            return (quote.bid + quote.ask) / 2
        return float(view.last or instrument.reference)

    def send(self, order: Order) -> None:
        """Send an order past all limits: the guard's own."""
        if self._open:
            self.orders.append(order)
            self.desk.place(order, self._market_of(order.instrument, order.venue))

    def aside(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call something that is not the agent's."""
        self._clock.call_at(time, function, *arguments)

    def tell_risk(self, event: RiskEvent) -> None:
        """Tell the agent what risk control has decided."""
        if overrides(self.agent, "on_risk") and not self._ending:
            self.call_at(self.now, self.agent.on_risk, event)

    def emergency_stop(self, *, flatten: bool = False, text: str = "by hand") -> None:
        """Cancel all, let nothing pass any more and, where asked for, close the positions."""
        self.guard.emergency_stop(flatten=flatten, text=text)

    # --- hooks, one at a time ---

    def dispatch(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Let the agent do something, after everything that was due before."""
        self._clock.catch_up()
        self._guarded(function, arguments)

    def heard(self, time: int) -> None:
        """A message of the venue left at this time."""
        self._followed.heard(time)

    def hear(self, hook: str, fact: Any) -> None:
        """Market data for a hook."""
        if not self._over.is_set():
            self.dispatch(self._tell_fact, hook, fact)

    def _tell_fact(self, hook: str, fact: Any) -> None:
        listener = self._listener
        if listener is not None:
            if isinstance(fact, Quote):
                listener.on_quote(fact)
            elif isinstance(fact, TradePrint):
                listener.on_trade(fact)
            elif isinstance(fact, LevelUpdate):
                listener.on_level(fact)
            elif isinstance(fact, BookSnapshot):
                listener.on_book(fact)
        getattr(self.agent, hook)(fact)

    def report(self, report: Report, order: Order | None, fee: Decimal = Decimal(0)) -> None:
        """A report: the portfolio first, then the hooks."""
        self.reports += 1
        self.refusals.count(report)
        if report.kind is _TRADE:
            self.portfolio.trade(
                report.time, report.instrument, report.side, report.price, report.quantity, fee, report.maker
            )
            self.guard.moved(report.instrument.symbol)
        if report.client_order_id < OWN:
            self.dispatch(self._tell_report, report, order)

    def _tell_report(self, report: Report, order: Order | None) -> None:
        if self._failure is not None:
            return
        if self._listener is not None:
            self._listener.on_report(report, order)
        if self._on_any_report:
            self.agent.on_report(report, order)
        hook = self._hooks.get(report.kind)
        if hook is None:
            return
        if report.kind >= EventKind.REJECTED:
            hook(order, report)
        elif report.kind is EventKind.ACCEPTED:
            hook(order)
        else:
            hook(order, report)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something after wall seconds; of what is the session's own, not the agent's."""

        async def wait() -> None:
            await asyncio.sleep(seconds)
            call()

        self._task(wait())

    def _soon(self, order: Order, kind: EventKind, price: int, quantity: int, reason: Reason) -> None:
        """An answer that needs no venue."""
        report = Report(
            self.now, kind, order.order_id, order.instrument, order.side, price, quantity, 0, False, reason,
            order.client_order_id, order.venue,
        )  # fmt: skip
        if self._ending:
            order.apply(report)  # nobody hears it any more
        else:
            self.call_at(self.now, self._refuse, order, report)

    def _refuse(self, order: Order, report: Report) -> None:
        order.apply(report)
        self.reports += 1
        self.refusals.count(report)
        self._tell_report(report, order)

    def _guarded(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever the agent's own code raises
            self._fail(self._blame(error))

    def _blame(self, error: Exception) -> MarketSimError:
        blamed = AgentError(
            f"{self.name}: {type(error).__name__} at {_moment(self.now)}: {error}", agent=self.name, time=self.now
        )
        blamed.__cause__ = error
        return blamed

    def _fail(self, error: MarketSimError) -> None:
        if self._failure is None:
            self._failure = error
        self.stop("failed")

    # --- connections ---

    async def _connect(self) -> None:
        try:
            await self.api.open()
            info = await self.api.call("exchangeInfo", {})
            await self._learn(info)
            await self._listen_to_account()
            self.before = await self.holdings()
            left = await self.api.call("openOrders.status", {}, sign=True)
        except VenueRefusal as refusal:
            raise GatewayError(f"{refusal.text} ({refusal.code}); look at the API key and the secret") from refusal
        quote = next(iter(self.markets.values())).quote
        others = {asset: amount for asset, amount in self.before.items() if asset in self._quotes() - {quote}}
        self.portfolio = Portfolio(self.before.get(quote, Decimal(0)), quote, others)
        self._stand_guard()
        self._connected = True
        if left:
            self.note("venue", f"{len(left)} orders of another session are open on this account: they are left alone")

    async def _learn(self, info: Mapping[str, Any]) -> None:
        """Markets, the time there, and what trading costs."""
        entries = {entry["symbol"]: entry for entry in info["symbols"]}
        wanted = self.settings.instruments
        chosen = [s for s, entry in entries.items() if entry["status"] != "BREAK"] if wanted is None else list(wanted)
        if wanted is None and len(chosen) > _MOST:
            raise InvalidValueError(
                f"{len(chosen):,} instruments are traded there: name yours, such as instruments=['{chosen[0]}']"
            )
        if not chosen:
            raise InvalidValueError("no instrument is traded there: name one, such as instruments=['ABCUSD']")
        for symbol in chosen:
            if symbol not in entries:
                raise InvalidValueError(f"{symbol!r} is not traded there{did_you_mean(symbol, entries)}")
            told = await self.api.call("ticker.24hr", {"symbol": symbol})
            self._followed.heard(dialect.nanoseconds(told["closeTime"]))
            market = dialect.market_of(entries[symbol], told["lastPrice"], self.settings.venue)
            self.markets[symbol] = market
            self._feed.view(market).last = market.ticks(told["lastPrice"])
            rates = (await self.api.call("account.commission", {"symbol": symbol}, sign=True))["standardCommission"]
            self._rates[symbol] = Decimal(rates["maker"]), Decimal(rates["taker"])
        self.instruments = tuple(market.instrument for market in self.markets.values())

    def _quotes(self) -> set[str]:
        return {market.quote for market in self.markets.values()}

    async def _listen_to_account(self) -> None:
        await self.api.call("userDataStream.subscribe.signature", {}, sign=True)

    async def _open_streams(self) -> None:
        if self.streams.wanted and not self.streams.up:
            await self.streams.open()

    def _open_streams_soon(self) -> None:
        """What is asked for after the beginning needs a connection, where there was none before."""
        if self._started and not self.streams.up:
            self._task(self._open_streams_now())

    async def _open_streams_now(self) -> None:
        try:
            await self._open_streams()
        except GatewayError as error:
            self._fail(error)

    def _lose_api(self, code: int) -> None:
        if not self._connected:
            return
        self._connected = False
        self.note("connection", f"lost, with code {code}")
        if self._over.is_set():
            return
        self.dispatch(self.agent.on_disconnected, self.settings.venue)
        self._task(self._come_back(code))

    async def _come_back(self, code: int) -> None:
        error = await self._try(self._reopen)
        if isinstance(error, VenueRefusal) and error.of_key:
            self._fail(
                GatewayError(
                    f"the venue is there again, but it refuses the API key: {error.text} ({error.code}); a market that "
                    "is served anew may have new keys: begin again with those that it shows"
                )
            )
            return
        if error is not None:
            if code in GOING_AWAY:
                self.stop("the venue closed")
            else:
                self._fail(self._gone("the venue is gone", error))
            return
        self._connected = True
        self.reconnections += 1
        self.note("connection", "there again")
        self.dispatch(self.agent.on_reconnected, self.settings.venue)
        self.desk.recover()

    async def _reopen(self) -> None:
        try:
            await self.api.open()
            await self._listen_to_account()
        except GatewayError:
            await self.api.close()
            raise

    def _lose_streams(self, code: int) -> None:
        if self._over.is_set():
            return
        self.note("connection", f"market data lost, with code {code}")
        self._feed.lost()
        self._task(self._streams_come_back(code))

    async def _streams_come_back(self, code: int) -> None:
        error = await self._try(self.streams.open)
        if error is None:
            self.reconnections += 1
            self.note("connection", "market data there again")
        elif code not in GOING_AWAY:
            self._fail(self._gone("no market data", error))
        else:
            self.stop("the venue closed")

    def _gone(self, what: str, error: GatewayError) -> GatewayError:
        return GatewayError(f"{what}: {self.settings.attempts} attempts to reconnect failed, the last because {error}")

    async def _try(self, connect: Callable[[], Any]) -> GatewayError | None:
        """Connect anew, with growing pauses; what went wrong at last. A key that is refused is not tried again."""
        pause = self.settings.pause
        failed: GatewayError | None = None
        for _ in range(self.settings.attempts):
            await asyncio.sleep(pause)
            try:
                await connect()
            except GatewayError as error:
                self.note("connection", str(error))
                failed = error
                pause *= 2
                if isinstance(error, VenueRefusal) and error.of_key:
                    break
            else:
                return None
        return failed

    # --- inner ---

    @property
    def _open(self) -> bool:
        """Whether requests can be sent: what an agent sends while it is stopped goes nowhere."""
        return self._connected and not self._ending

    def _event(self, event: Mapping[str, Any]) -> None:
        if "E" in event:
            self._followed.heard(dialect.nanoseconds(event["E"]))
        if event.get("e") == "executionReport":
            self._clock.catch_up()
            self.desk.hear(event)

    def _ask(self, method: str, params: Mapping[str, Any], then: Callable[[Any], None]) -> None:
        self.api.ask(method, params, then, sign=False)

    def _ready(self, names: list[str]) -> None:
        self._feed.ready(names)

    def _no_stream(self, said: str) -> None:
        self._fail(GatewayError(f"no market data: {said}"))

    def _task(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _market_of(self, instrument: Instrument, venue: str) -> VenueMarket:
        market = self.markets.get(instrument.symbol)
        if market is None or venue != self.settings.venue:
            raise InvalidValueError(
                f"{self.name} cannot trade {instrument.symbol} on {venue!r}; it may trade "
                f"{', '.join(self.markets)} on {self.settings.venue}"
            )
        return market


def _moment(time: int) -> str:
    """Date and time of day in UTC, of ns since 1970."""
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=time // DAY)
    return f"{day:%Y-%m-%d} {format_time(time % DAY)}"
