"""Market streams: their names, what each sends and when, and who has subscribed to it.

After each turn of the market, ``publish`` sends what is new: trades and best quotes at once, books, candles and tickers
at their intervals of wall time. A message is written once however many receive it. It opens no socket.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from marketsim.agents.public_feed import bar_end
from marketsim.domain.order import Side
from marketsim.domain.units import MILLISECOND, SECOND
from marketsim.errors import did_you_mean
from marketsim.gateway.binance import public
from marketsim.gateway.binance.audience import encode
from marketsim.gateway.binance.errors import VenueError
from marketsim.gateway.binance.markets import ServedMarket, ServedMarkets
from marketsim.gateway.binance.parameters import INTERVALS

_FAST, _SLOW, _CALM = 100, 1000, 2000  # ms of wall time
_ONE = re.compile(r"(?P<symbol>[a-z0-9]{1,20})@(?P<rest>.{1,40})", re.ASCII)
_ALL = re.compile(r"!(?P<kind>miniTicker|ticker|bookTicker|ticker_(?:1h|4h|1d))(?:@arr)?(?:@[13]000ms)?", re.ASCII)
_DEPTH = re.compile(r"depth(?P<levels>5|10|20)?(?:@(?P<speed>100ms|1000ms))?", re.ASCII)
_KINDS = (
    "trade", "aggTrade", "bookTicker", "miniTicker", "ticker", "avgPrice", "depth", "depth@100ms", "depth5", "depth10",
    "depth20", *(f"kline_{name}" for name in INTERVALS), "ticker_1h", "ticker_4h", "ticker_1d",
)  # fmt: skip


class Subscriber(Protocol):
    """Somebody on a connection who takes the messages of streams."""

    def send(self, stream: str, message: str, *, latest: bool) -> None:
        """A message as JSON. ``latest``: a newer one of the same stream may take its place."""


@dataclass(eq=False)
class Stream:
    """One stream that somebody has subscribed to. ``interval``: ms between two messages; 0: at once."""

    name: str
    kind: str
    market: ServedMarket | None
    interval: int
    argument: Any = None
    conflated: bool = False
    subscribers: list[Subscriber] = field(default_factory=list)

    def send(self, message: dict[str, Any] | list[Any]) -> None:
        """To all who subscribed."""
        if message:
            text = encode(message)
            for subscriber in tuple(self.subscribers):
                subscriber.send(self.name, text, latest=self.conflated)


class _Changes:
    """What changed in a book since the last message of one speed."""

    def __init__(self, last: int) -> None:
        self.last = last  # update id of the last message
        self.levels: dict[tuple[int, int], int] = {}


class Streams:
    """All streams of a venue.

    now: shifted ns, the time of the market. wall: ms, for the intervals.
    """

    def __init__(self, markets: ServedMarkets, now: Callable[[], int], wall: Callable[[], int]) -> None:
        self._markets = markets
        self._now = now
        self._wall = wall
        self._streams: dict[str, Stream] = {}
        self._at_once: list[Stream] = []
        self._timed: dict[int, list[Stream]] = {}
        self._due: dict[int, int] = {}
        self._changes: dict[tuple[str, int], _Changes] = {}  # by symbol and speed
        self.sent = 0  # messages, each counted once

    # --- who listens ---

    def subscribe(self, name: str, subscriber: Subscriber) -> None:
        """Subscribe somebody to a stream; VenueError when there is no such stream. Twice is once."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._open(self.parse(name))
        if subscriber not in stream.subscribers:
            stream.subscribers.append(subscriber)

    def unsubscribe(self, name: str, subscriber: Subscriber) -> None:
        """The opposite; of a stream that was not subscribed to it changes nothing."""
        stream = self._streams.get(name)
        if stream is None or subscriber not in stream.subscribers:
            return
        stream.subscribers.remove(subscriber)
        if not stream.subscribers:
            self._close(stream)

    def count(self) -> int:
        """Streams that somebody listens to."""
        return len(self._streams)

    def parse(self, name: str) -> Stream:
        """The stream of a name, without subscribers; VenueError when there is none."""
        if found := _ALL.fullmatch(name):
            kind = found["kind"]
            return Stream(name, f"!{kind}", None, 0 if kind == "bookTicker" else _SLOW, conflated=kind != "bookTicker")
        found = _ONE.fullmatch(name)
        if found is None:
            raise _no_stream(name, "a stream is called <symbol>@<kind>, in small letters, such as abcusd@trade")
        market = self._markets.find(found["symbol"].upper())
        if market is None:
            known = [market.stream for market in self._markets.all]
            raise _no_stream(name, f"no symbol {found['symbol']!r}{did_you_mean(found['symbol'], known)}")
        return self._of_market(name, found["rest"], market)

    def _of_market(self, name: str, rest: str, market: ServedMarket) -> Stream:
        if rest in ("trade", "aggTrade"):
            return Stream(name, rest, market, 0)
        if rest == "bookTicker":
            return Stream(name, rest, market, 0, conflated=True)
        if rest in ("miniTicker", "ticker", "avgPrice"):
            return Stream(name, rest, market, _SLOW, conflated=True)
        if rest in ("ticker_1h", "ticker_4h", "ticker_1d"):
            return Stream(name, "window", market, _SLOW, rest.removeprefix("ticker_"), conflated=True)
        if rest.startswith("kline_") and rest.removeprefix("kline_") in INTERVALS:
            interval = rest.removeprefix("kline_")
            return Stream(name, "kline", market, _SLOW if interval == "1s" else _CALM, interval)
        if found := _DEPTH.fullmatch(rest):
            speed = _FAST if found["speed"] == "100ms" else _SLOW
            if found["levels"]:
                return Stream(name, "levels", market, speed, int(found["levels"]), conflated=True)
            return Stream(name, "depth", market, speed)
        raise _no_stream(name, f"no kind {rest!r}{did_you_mean(rest, _KINDS)}")

    # --- what they are told ---

    def publish(self) -> None:
        """Send what is new."""
        for market in self._markets.all:
            view = market.view
            if view.new_trades:
                view.new_trades, fresh = [], view.new_trades
                self._send_trades(market, fresh)
            if view.new_quote:
                view.new_quote = False
                self._send_quote(market)
        wall = self._wall()
        for interval, streams in self._timed.items():
            if streams and wall >= self._due.get(interval, 0):
                self._due[interval] = (wall // interval + 1) * interval
                for stream in streams:
                    self._send_timed(stream)

    def _send_trades(self, market: ServedMarket, fresh: list[Any]) -> None:
        now = self._now() // MILLISECOND
        plain, grouped = self._streams.get(f"{market.stream}@trade"), self._streams.get(f"{market.stream}@aggTrade")
        if plain is not None:
            for told in fresh:
                self._tell(plain, _trade_event(market, told, now))
        if grouped is not None:
            for group in public.grouped(fresh):
                self._tell(grouped, {"e": "aggTrade", "E": now, "s": market.symbol, **public.aggregate(market, group)})

    def _send_quote(self, market: ServedMarket) -> None:
        found = [self._streams.get(name) for name in (f"{market.stream}@bookTicker", "!bookTicker")]
        streams = [stream for stream in found if stream is not None]
        if streams:
            event = _quote_event(market)
            for stream in streams:
                self._tell(stream, event)

    def _send_timed(self, stream: Stream) -> None:
        now = self._now()
        market = stream.market
        if market is None:
            self._tell(stream, self._arrays(stream.kind, now))
        elif stream.kind == "depth":
            self._send_depth(stream, market, now)
        elif stream.kind == "levels":
            bids, asks = public.ladders(market, stream.argument)
            self._tell(stream, {"lastUpdateId": public.update_id(market), "bids": bids, "asks": asks})
        elif stream.kind == "kline":
            self._send_candle(stream, market, now)
        elif stream.kind == "avgPrice":
            told = public.average_price(market, now)
            event = {"e": "avgPrice", "E": now // MILLISECOND, "s": market.symbol, "i": "5m", "w": told["price"],
                     "T": told["closeTime"]}  # fmt: skip
            self._tell(stream, event)
        elif stream.kind == "window":
            self._tell(stream, _window_event(market, now, stream.argument))
        else:
            self._tell(stream, _ticker_event(market, now, stream.kind))

    def _arrays(self, kind: str, now: int) -> list[Any]:
        name = kind.removeprefix("!")
        if name.startswith("ticker_"):
            window = name.removeprefix("ticker_")
            return [_window_event(market, now, window) for market in self._markets.all]
        return [_ticker_event(market, now, name) for market in self._markets.all]

    def _send_depth(self, stream: Stream, market: ServedMarket, now: int) -> None:
        self._collect(market)
        changes = self._changes[market.symbol, stream.interval]
        last = public.update_id(market)
        if last == changes.last:
            return
        levels, first = changes.levels, changes.last + 1
        changes.levels, changes.last = {}, last
        event = {
            "e": "depthUpdate",
            "E": now // MILLISECOND,
            "s": market.symbol,
            "U": first,
            "u": last,
            "b": [_level(market, price, lots) for (side, price), lots in levels.items() if side == Side.BUY],
            "a": [_level(market, price, lots) for (side, price), lots in levels.items() if side == Side.SELL],
        }
        self._tell(stream, event)

    def _collect(self, market: ServedMarket) -> None:
        """Share out what has changed in a book among the speeds that somebody listens to."""
        changed = market.view.take_changes()
        if changed:
            for speed in (_FAST, _SLOW):
                waiting = self._changes.get((market.symbol, speed))
                if waiting is not None:
                    waiting.levels.update(changed)

    def _send_candle(self, stream: Stream, market: ServedMarket, now: int) -> None:
        length = INTERVALS[stream.argument] * SECOND
        assert isinstance(stream, _CandleStream)
        for bar in market.view.bars(length, stream.latest, now):
            state = bar.start, bar.trades, now >= bar_end(bar.start, length)
            if state != stream.shown:
                stream.latest, stream.shown = bar.start, state
                self._tell(stream, _candle_event(market, bar, stream.argument, length, now))

    def _tell(self, stream: Stream, message: dict[str, Any] | list[Any]) -> None:
        self.sent += 1
        stream.send(message)

    # --- inner ---

    def _open(self, stream: Stream) -> Stream:
        if stream.kind == "kline":
            stream = _CandleStream(
                stream.name, "kline", stream.market, stream.interval, stream.argument, latest=self._now()
            )
        self._streams[stream.name] = stream
        if stream.interval:
            self._timed.setdefault(stream.interval, []).append(stream)
        market = stream.market
        if market is not None:
            if stream.kind == "depth":
                self._collect(market)
                self._changes.setdefault((market.symbol, stream.interval), _Changes(public.update_id(market)))
            if not market.view.watched:
                market.view.watched = True
                market.view.take_changes()
        return stream

    def _close(self, stream: Stream) -> None:
        del self._streams[stream.name]
        if stream.interval:
            self._timed[stream.interval].remove(stream)
        market = stream.market
        if market is None:
            return
        same = [other for other in self._streams.values() if other.market is market]
        if stream.kind == "depth" and not any(s.kind == "depth" and s.interval == stream.interval for s in same):
            self._changes.pop((market.symbol, stream.interval), None)
        if not same:
            market.view.watched = False
            market.view.new_trades = []
            market.view.take_changes()


@dataclass(eq=False)
class _CandleStream(Stream):
    """A stream of candles remembers the last that it told: its start, its trades, and whether it was over."""

    latest: int = 0  # shifted ns
    shown: tuple[int, int, bool] = (0, 0, False)


def names_of(given: str) -> list[str]:
    """Stream names of a path or a query: with / between."""
    return [name for name in given.split("/") if name]


def _no_stream(name: str, said: str) -> VenueError:
    return VenueError(-1121, f"Invalid symbol or stream {name[:60]!r}: {said}")


def _level(market: ServedMarket, price: int, lots: int) -> list[str]:
    return [market.price(price), market.quantity(lots)]


def _trade_event(market: ServedMarket, told: Any, now: int) -> dict[str, Any]:
    return {
        "e": "trade",
        "E": now,
        "s": market.symbol,
        "t": told.number,
        "p": market.price(told.price),
        "q": market.quantity(told.quantity),
        "T": told.time // MILLISECOND,
        "m": told.side is Side.SELL,
        "M": True,
    }


def _quote_event(market: ServedMarket) -> dict[str, Any]:
    bid, bid_quantity, ask, ask_quantity = public.best(market)
    return {
        "u": public.update_id(market),
        "s": market.symbol,
        "b": market.price(bid),
        "B": market.quantity(bid_quantity),
        "a": market.price(ask),
        "A": market.quantity(ask_quantity),
    }


def _candle_event(market: ServedMarket, bar: Any, name: str, length: int, now: int) -> dict[str, Any]:
    shown = public.candle(market, bar, length)
    return {
        "e": "kline",
        "E": now // MILLISECOND,
        "s": market.symbol,
        "k": {
            "t": shown[0],
            "T": shown[6],
            "s": market.symbol,
            "i": name,
            "f": bar.first if bar.trades else -1,
            "L": bar.last if bar.trades else -1,
            "o": shown[1],
            "c": shown[4],
            "h": shown[2],
            "l": shown[3],
            "v": shown[5],
            "n": shown[8],
            "x": now >= bar_end(bar.start, length),
            "q": shown[7],
            "V": shown[9],
            "Q": shown[10],
            "B": "0",
        },
    }


def _ticker_event(market: ServedMarket, now: int, kind: str) -> dict[str, Any]:
    told = public.day_ticker(market, now)
    event: dict[str, Any] = {
        "e": "24hrMiniTicker" if kind == "miniTicker" else "24hrTicker",
        "E": now // MILLISECOND,
        "s": market.symbol,
    }
    if kind != "miniTicker":
        event |= {
            "p": told["priceChange"], "P": told["priceChangePercent"], "w": told["weightedAvgPrice"],
            "x": told["prevClosePrice"], "Q": told["lastQty"], "b": told["bidPrice"], "B": told["bidQty"],
            "a": told["askPrice"], "A": told["askQty"], "O": told["openTime"], "C": told["closeTime"],
            "F": told["firstId"], "L": told["lastId"], "n": told["count"],
        }  # fmt: skip
    return event | {
        "c": told["lastPrice"], "o": told["openPrice"], "h": told["highPrice"], "l": told["lowPrice"],
        "v": told["volume"], "q": told["quoteVolume"],
    }  # fmt: skip


def _window_event(market: ServedMarket, now: int, window: str) -> dict[str, Any]:
    told = public.day_ticker(market, now, public.window_of(window))
    return {
        "e": f"{window}Ticker", "E": now // MILLISECOND, "s": market.symbol, "p": told["priceChange"],
        "P": told["priceChangePercent"], "w": told["weightedAvgPrice"], "o": told["openPrice"],
        "h": told["highPrice"], "l": told["lowPrice"], "c": told["lastPrice"], "v": told["volume"],
        "q": told["quoteVolume"], "O": told["openTime"], "C": told["closeTime"], "F": told["firstId"],
        "L": told["lastId"], "n": told["count"],
    }  # fmt: skip
