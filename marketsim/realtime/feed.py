"""Market data of a venue, from its streams to what an agent hears: quotes, trades, levels, bars, phases.

A book is built in the venue's own manner: changes are kept until a snapshot comes, and whatever does not follow on the
last change asks for another one. The increments that the agent gets count up one by one, as everywhere in marketsim. It
knows no orders, and calls no hook itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from marketsim.domain.market_data import Bar, BookSnapshot, LevelUpdate, Quote, Status, TradePrint
from marketsim.domain.message import Wanted
from marketsim.domain.order import Reason, Side
from marketsim.domain.phase import Phase
from marketsim.domain.units import MILLISECOND, SECOND, format_duration
from marketsim.errors import InvalidValueError
from marketsim.realtime import dialect
from marketsim.realtime.api import LineLost
from marketsim.realtime.dialect import VenueMarket, VenueRefusal
from marketsim.realtime.streams import Streams
from marketsim.trading.book import LocalBook
from marketsim.trading.request import MarketDataRequest

_DEPTH = 1000  # levels of a snapshot on each side
_LOOK = 5.0  # wall seconds between two looks at the phase of trading
_FAST, _SLOW = 100 * MILLISECOND, SECOND  # intervals at which the venue tells changes of a book
_BUY, _SELL = Side.BUY, Side.SELL
Ask = Callable[..., None]


class Hearer(Protocol):
    """Takes what is heard."""

    def heard(self, time: int) -> None:
        """A message of the venue left at this time."""

    def hear(self, hook: str, fact: Any) -> None:
        """A fact for the agent's hook of this name."""

    def note(self, key: str, value: str) -> None:
        """A remark."""

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something after wall seconds."""

    def call_at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call something at a time of the venue's."""

    @property
    def now(self) -> int:
        """ns."""


class VenueFeed:
    """Market data of one venue. ask: sends a request without a signature."""

    def __init__(self, streams: Streams, ask: Ask, hearer: Hearer) -> None:
        self._streams = streams
        self._ask = ask
        self._hearer = hearer
        self._views: dict[str, _View] = {}

    def view(self, market: VenueMarket) -> _View:
        """What is heard of a market."""
        view = self._views.get(market.symbol)
        if view is None:
            view = self._views[market.symbol] = _View(market, self._hearer, lambda: self._repair(market))
        return view

    def subscribe(self, market: VenueMarket, request: MarketDataRequest) -> None:
        """Listen to what is asked for; what the venue does not tell is refused or, where it has no such, noted."""
        wanted, view = request.wanted, self.view(market)
        if wanted & Wanted.ORDERS:
            raise InvalidValueError("the venue tells no single orders: do without on_order_update and orders=True")
        if wanted & Wanted.IMBALANCE:
            raise InvalidValueError("the venue tells no imbalance: ask for levels=True and keep the book instead")
        if wanted & Wanted.INDICATIVE:
            self._hearer.note("market data", f"{market.symbol}: the venue tells no indicative prices")
        if wanted & Wanted.QUOTES:
            self._listen_once(view, "bookTicker", view.take_quote)
            view.conflate("quotes", request.interval)
        if wanted & Wanted.TRADES:
            self._listen_once(view, "trade", view.take_trade)
        if wanted & Wanted.LEVELS:
            self._listen_once(view, _depth_stream(request.interval), view.take_depth)
        if wanted & Wanted.BARS:
            name = dialect.interval_name(request.bars)
            self._listen_once(view, f"kline_{name}", lambda event: view.take_bar(event, request.bars))
        if wanted & Wanted.STATUS and not view.watched:
            view.watched = True
            self._look(view)

    def watch(self, market: VenueMarket) -> None:
        """Follow the best quotes without telling anybody, unless they are subscribed to."""
        view = self.view(market)
        self._listen_once(view, "bookTicker", view.take_quote)

    def keep_book(self, market: VenueMarket) -> LocalBook:
        """A book that follows the stream and repairs itself."""
        view = self.view(market)
        if view.book is None:
            view.book = LocalBook(lambda: self._repair(market))
            if any(name.startswith("depth") for name in view.streams):
                self.ask_book(market, repair=True)
            else:
                self.subscribe(market, MarketDataRequest(Wanted.LEVELS))
        return view.book

    def ask_book(self, market: VenueMarket, *, repair: bool = False) -> None:
        """Ask for a whole book."""
        view = self.view(market)
        params = {"symbol": market.symbol, "limit": _DEPTH}

        def take(answer: Any) -> None:
            if isinstance(answer, VenueRefusal):
                self._hearer.note("venue", f"no book of {market.symbol}: {answer.text} ({answer.code})")
                if repair:
                    self._hearer.later(1.0, lambda: self.ask_book(market, repair=True))
            elif not isinstance(answer, LineLost):
                view.take_snapshot(answer, repair=repair)

        self._ask("depth", params, take)

    def ask_quote(self, market: VenueMarket) -> None:
        """Ask for the best quotes."""
        view = self.view(market)

        def take(answer: Any) -> None:
            if not isinstance(answer, (VenueRefusal, LineLost)):
                view.tell_quote(answer["bidPrice"], answer["bidQty"], answer["askPrice"], answer["askQty"])

        self._ask("ticker.book", {"symbol": market.symbol}, take)

    def ready(self, names: list[str]) -> None:
        """The venue has taken streams on: ask for the present state of what they change."""
        for name in names:
            symbol, _, kind = name.partition("@")
            view = self._views[symbol.upper()]
            if kind == "bookTicker":
                self.ask_quote(view.market)
            elif kind.startswith("depth"):
                view.forget()
                self.ask_book(view.market, repair=True)

    def lost(self) -> None:
        """The streams broke: books are not up to date until they are repaired."""
        for view in self._views.values():
            view.break_off()

    # --- inner ---

    def _repair(self, market: VenueMarket) -> None:
        """A new beginning of a book; where the stream is down it comes with the stream."""
        if self._streams.up:
            self.ask_book(market, repair=True)

    def _listen_once(self, view: _View, kind: str, take: Callable[[Any], None]) -> None:
        name = kind.partition("@")[0]
        if name not in view.streams:
            view.streams.add(name)
            self._streams.listen(f"{view.market.stream}@{kind}", take)

    def _look(self, view: _View) -> None:
        """Look at the phase of trading now and then: no stream tells it."""

        def take(answer: Any) -> None:
            if not isinstance(answer, (VenueRefusal, LineLost)):
                view.take_status(answer["symbols"][0]["status"])
            self._hearer.later(_LOOK, lambda: self._look(view))

        self._ask("exchangeInfo", {"symbol": view.market.symbol}, take)


class _View:
    """What is heard of one market."""

    def __init__(self, market: VenueMarket, hearer: Hearer, repair: Callable[[], None]) -> None:
        self.market = market
        self._repair = repair
        self.streams: set[str] = set()
        self.book: LocalBook | None = None
        self.watched = False
        self.last = 0  # ticks, of the last trade that was heard
        self.latest: Quote | None = None
        self._hearer = hearer
        self._sequence = 0  # of the increments that the agent gets
        self._update = -1  # the venue's number of the last change; -1: no snapshot yet
        self._waiting: list[Mapping[str, Any]] = []
        self._interval: int | None = None  # ns between two quotes
        self._due = 0
        self._planned = False
        self._bar = 0
        self._phase: Phase | None = None

    # --- quotes ---

    def conflate(self, what: str, interval: int) -> None:
        """So long at least between two quotes; once asked for it stays."""
        if self._interval is None:
            self._interval = interval
        elif self._interval != interval:
            told = f"every {format_duration(self._interval)}" if self._interval else "at each change"
            raise InvalidValueError(
                f"the {what} of {self.market.symbol} come {told} already; ask for them once, with the interval that "
                "suits all"
            )

    def take_quote(self, event: Mapping[str, Any]) -> None:
        """The best bid or ask changed; where nobody has asked for quotes, they are only kept."""
        if self._interval is None:
            self._keep(event["b"], event["B"], event["a"], event["A"])
        else:
            self.tell_quote(event["b"], event["B"], event["a"], event["A"])

    def _keep(self, bid: str, bid_quantity: str, ask: str, ask_quantity: str) -> None:
        market = self.market
        there = market.ticks(bid), market.lots(bid_quantity), market.ticks(ask), market.lots(ask_quantity)
        self.latest = Quote(self._hearer.now, market.instrument, *there, market.venue, self.last)

    def tell_quote(self, bid: str, bid_quantity: str, ask: str, ask_quantity: str) -> None:
        """Tell a quote now, or later where quotes are conflated."""
        self._keep(bid, bid_quantity, ask, ask_quantity)
        assert self.latest is not None
        if not self._interval:
            self._hearer.hear("on_quote", self.latest)
        elif not self._planned:
            self._planned = True
            self._hearer.call_at(max(self._due, self._hearer.now), self._tell_latest)

    def _tell_latest(self) -> None:
        self._planned = False
        self._due = self._hearer.now + (self._interval or 0)
        if self.latest is not None:
            self._hearer.hear("on_quote", self.latest._replace(time=self._hearer.now))

    # --- trades, bars, phases ---

    def take_trade(self, event: Mapping[str, Any]) -> None:
        """Somebody traded."""
        market, time = self.market, dialect.nanoseconds(event["T"])
        self._hearer.heard(dialect.nanoseconds(event["E"]))
        self.last = market.ticks(event["p"])
        side = _SELL if event["m"] else _BUY
        lots = market.lots(event["q"])
        self._hearer.hear("on_trade", TradePrint(time, market.instrument, self.last, lots, side, market.venue))

    def take_bar(self, event: Mapping[str, Any], length: int) -> None:
        """A bar has changed; it is told when it is over."""
        self._hearer.heard(dialect.nanoseconds(event["E"]))
        told, market = event["k"], self.market
        end = dialect.nanoseconds(told["t"]) + length
        if not told["x"] or end <= self._bar:
            return
        self._bar = end
        first, high, low, last = (market.ticks(told[name]) for name in "ohlc")
        value = market.ticks_times_lots(told["q"])
        bar = Bar(
            end, market.instrument, length, first, high, low, last, market.lots(told["v"]), value, int(told["n"]),
            market.venue,
        )  # fmt: skip
        self._hearer.hear("on_bar", bar)

    def take_status(self, word: str) -> None:
        """The phase of trading, which is told when it is another one."""
        phase = dialect.PHASES.get(word, Phase.CLOSED)
        if phase is not self._phase:
            self._phase = phase
            status = Status(self._hearer.now, self.market.instrument, phase, Reason.NONE, 0, self.market.venue)
            self._hearer.hear("on_status", status)

    # --- levels ---

    def take_depth(self, event: Mapping[str, Any]) -> None:
        """Some levels changed."""
        self._hearer.heard(dialect.nanoseconds(event["E"]))
        if self._update < 0:
            self._waiting.append(event)
        elif event["u"] > self._update:
            if event["U"] > self._update + 1:
                self._miss(event)
            else:
                self._apply(event)

    def take_snapshot(self, answer: Mapping[str, Any], *, repair: bool) -> None:
        """A whole book: of a book that is out of step the new beginning, else something to look at."""
        market = self.market
        if repair and self._update < 0 and self._waiting and self._waiting[0]["U"] > answer["lastUpdateId"] + 1:
            self._unsettle()
            return
        bids, asks = (
            tuple((market.ticks(price), market.lots(quantity)) for price, quantity in answer[side])
            for side in ("bids", "asks")
        )
        snapshot = BookSnapshot(self._hearer.now, market.instrument, bids, asks, self._sequence, market.venue)
        fresh = repair and (self._update < 0 or (self.book is not None and not self.book.synchronized))
        if fresh:
            if self.book is not None:
                self.book.apply_snapshot(snapshot)
            self._update = answer["lastUpdateId"]
        self._hearer.hear("on_book", snapshot)
        if fresh:
            waiting, self._waiting = self._waiting, []
            for event in waiting:
                self.take_depth(event)

    def forget(self) -> None:
        """The stream begins anew: what comes now waits for a snapshot."""
        self._update, self._waiting = -1, []

    def break_off(self) -> None:
        """The stream broke."""
        if "depth" in self.streams:
            self.forget()
            self._unsettle()

    def _miss(self, event: Mapping[str, Any]) -> None:
        """Changes are missing before this one."""
        self._hearer.note("market data", f"{self.market.symbol}: changes of the book are missing; it is asked for anew")
        self._update, self._waiting = -1, [event]
        self._unsettle()

    def _unsettle(self) -> None:
        """Ask for a snapshot: through the book, where one is kept, so that it knows."""
        self._sequence += 1  # the number that is missing
        if self.book is not None and self.book.synchronized:
            self.book.heartbeat(self._sequence)
        else:
            self._repair()

    def _apply(self, event: Mapping[str, Any]) -> None:
        time = dialect.nanoseconds(event["E"])
        self._update = event["u"]
        for side, levels in ((_BUY, event["b"]), (_SELL, event["a"])):
            for price, quantity in levels:
                self._tell_level(time, side, self.market.ticks(price), self.market.lots(quantity))

    def _tell_level(self, time: int, side: Side, price: int, quantity: int) -> None:
        self._sequence += 1
        market = self.market
        update = LevelUpdate(time, market.instrument, side, price, quantity, self._sequence, market.venue)
        if self.book is not None:
            self.book.apply(update)
        self._hearer.hear("on_level", update)


def _depth_stream(interval: int) -> str:
    """The stream whose updates are at least so far apart."""
    if interval <= _FAST:
        return "depth@100ms"
    if interval <= _SLOW:
        return "depth@1000ms"
    raise InvalidValueError(
        f"levels every {format_duration(interval)}: the venue tells them every 100ms or every 1s; ask for 1s"
    )
