"""The public feed: what a venue tells everybody, gathered for those who ask from outside of the simulation.

It never trades. For each market it keeps the book, the last quote, the phase of trading, the latest trades, and bars of
a second and of a minute, from which longer ones are made. Times are shifted by ``offset`` so that bars begin on full
minutes of the calendar that people outside live by.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, Quote, Status, TradePrint
from marketsim.domain.order import Side
from marketsim.domain.phase import Phase
from marketsim.domain.units import SECOND
from marketsim.trading.agent import Agent
from marketsim.trading.book import LocalBook

_TRADES, _BARS = 100_000, 100_000  # that are remembered of a market
MINUTE = 60 * SECOND
_DAY = 24 * 60 * MINUTE
_WEEK, _MONDAY = 7 * _DAY, 4 * _DAY  # 1970 began on a Thursday
_MONTH = 30 * _DAY  # stands for a month of the calendar, however long
_EPOCH = dt.date(1970, 1, 1).toordinal()


class PublicTrade(NamedTuple):
    """One public trade. ``number`` counts up from 0 in its market; ``time`` is shifted."""

    number: int
    time: int
    price: int
    quantity: int
    side: Side  # the aggressor's


class Candle:
    """Trades of an interval. Prices in ticks, volume in lots, value in ticks x lots; ``start`` in shifted ns."""

    __slots__ = (
        "bought", "bought_value", "close", "first", "high", "last", "low", "open", "start", "trades", "value", "volume",
    )  # fmt: skip

    def __init__(self, start: int, price: int, number: int) -> None:
        self.start = start
        self.open = self.high = self.low = self.close = price
        self.volume = self.value = self.trades = self.bought = self.bought_value = 0
        self.first, self.last = number, number - 1

    def add(self, trade: PublicTrade) -> None:
        """Take in a trade."""
        price, quantity = trade.price, trade.quantity
        if self.trades == 0:
            self.open = self.high = self.low = price
            self.first = trade.number
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += quantity
        self.value += price * quantity
        self.trades += 1
        self.last = trade.number
        if trade.side is Side.BUY:
            self.bought += quantity
            self.bought_value += price * quantity

    def join(self, later: Candle) -> None:
        """Take in a later bar that begins within this one's interval."""
        if later.trades == 0:
            return
        if self.trades == 0:
            self.open, self.high, self.low, self.first = later.open, later.high, later.low, later.first
        self.high, self.low, self.close = max(self.high, later.high), min(self.low, later.low), later.close
        self.last = later.last
        for name in ("volume", "value", "trades", "bought", "bought_value"):
            setattr(self, name, getattr(self, name) + getattr(later, name))


class MarketView:
    """What is known of one market."""

    def __init__(self, venue: str, instrument: Instrument, book: LocalBook) -> None:
        self.venue = venue
        self.instrument = instrument
        self.book = book
        self.quote: Quote | None = None
        self.phase = Phase.CONTINUOUS
        self.until = 0
        self.trades: deque[PublicTrade] = deque(maxlen=_TRADES)
        self.seconds: deque[Candle] = deque(maxlen=_BARS)
        self.minutes: deque[Candle] = deque(maxlen=_BARS)
        self.watched = False  # whether somebody takes what is new
        self.new_trades: list[PublicTrade] = []
        self.new_quote = False
        self.changed: dict[tuple[int, int], int] = {}  # (side, price) -> quantity, since it was last taken
        self.known: set[tuple[int, int]] = set()  # (side, price) of all levels

    @property
    def last(self) -> PublicTrade | None:
        """The latest trade."""
        return self.trades[-1] if self.trades else None

    def take_trade(self, trade: PublicTrade) -> None:
        """A trade happened."""
        self.trades.append(trade)
        for bars, length in ((self.seconds, SECOND), (self.minutes, MINUTE)):
            start = trade.time // length * length
            if not bars or bars[-1].start != start:
                bars.append(Candle(start, trade.price, trade.number))
            bars[-1].add(trade)
        if self.watched:
            self.new_trades.append(trade)

    def take_changes(self) -> dict[tuple[int, int], int]:
        """What has changed in the book since the last call, as (side, price) -> quantity."""
        changed, self.changed = self.changed, {}
        return changed

    def begin(self, length: int) -> int:
        """Where the first bar of a length begins; 0 when there is none yet."""
        source = self.seconds if length < MINUTE else self.minutes
        return bar_start(source[0].start, length) if source else 0

    def bars(self, length: int, begin: int, end: int) -> Iterator[Candle]:
        """Bars of a length from the one that holds ``begin`` to the one that holds ``end`` (shifted ns).

        A bar without a trade stands at the price before it; before the first trade there is none. Weeks begin on
        Mondays, and a length of 30 days means the months of the calendar.
        """
        source = self.seconds if length < MINUTE else self.minutes
        bars = iter(source)
        bar = next(bars, None)
        start = bar_start(max(begin, bar.start if bar else end + 1), length)
        price, number = 0, 0
        while bar is not None and bar.start < start:
            price, number = bar.close, bar.last + 1
            bar = next(bars, None)
        while start <= end:
            whole, following = Candle(start, price, number), bar_end(start, length)
            while bar is not None and bar.start < following:
                whole.join(bar)
                bar = next(bars, None)
            price, number = whole.close, whole.last + 1
            if price or whole.trades:
                yield whole
            start = following

    def day(self, now: int, span: int = _DAY) -> Candle | None:
        """The trades of the last ``span`` ns before ``now``, to the minute; None when there are none."""
        whole: Candle | None = None
        for bar in reversed(self.minutes):
            if bar.start + MINUTE <= now - span:
                break
            earlier = Candle(bar.start, bar.open, bar.first)
            earlier.join(bar)
            if whole is not None:
                earlier.join(whole)
            whole = earlier
        return whole


def bar_start(time: int, length: int) -> int:
    """The beginning of the bar of a length that holds a time; ns since 1970."""
    if length == _MONTH:
        return _month(time, 0)
    shift = _MONDAY if length == _WEEK else 0
    return (time - shift) // length * length + shift


def bar_end(start: int, length: int) -> int:
    """Where the next bar begins."""
    return _month(start, 1) if length == _MONTH else start + length


def _month(time: int, later: int) -> int:
    """Midnight on the first of a time's month, or of the next one."""
    day = dt.date.fromordinal(_EPOCH + time // _DAY)
    first = day.replace(day=1)
    if later:
        first = (first + dt.timedelta(days=32)).replace(day=1)
    return (first.toordinal() - _EPOCH) * _DAY


@dataclass
class PublicFeed(Agent):
    """Listens to all public data of its markets, and never trades.

    offset: ns that are added to the times of trades and bars.
    """

    offset: int = field(default=0, metadata={"help": "ns added to the times of trades and bars"})

    def __post_init__(self) -> None:
        self._views: dict[tuple[str, str], MarketView] = {}

    def on_start(self) -> None:
        """Open a view of each market."""
        for instrument in self.instruments:
            for venue in self._session.venues(instrument):
                book = self.keep_book(instrument, venue=venue)
                self._views[venue, instrument.symbol] = MarketView(venue, instrument, book)

    @property
    def views(self) -> list[MarketView]:
        """All markets, in an order that the scenario decides."""
        return list(self._views.values())

    def view(self, venue: str, symbol: str) -> MarketView:
        """One market."""
        return self._views[venue, symbol]

    def on_quote(self, quote: Quote) -> None:
        """Keep the best bid and ask."""
        view = self._views[quote.venue, quote.instrument.symbol]
        view.quote, view.new_quote = quote, True

    def on_trade(self, trade: TradePrint) -> None:
        """Keep the trade."""
        view = self._views[trade.venue, trade.instrument.symbol]
        number = view.trades[-1].number + 1 if view.trades else 0
        view.take_trade(PublicTrade(number, trade.time + self.offset, trade.price, trade.quantity, trade.side))

    def on_level(self, update: LevelUpdate) -> None:
        """Remember that a level changed."""
        view = self._views[update.venue, update.instrument.symbol]
        if not view.book.synchronized:
            return  # a whole book follows
        place = int(update.side), update.price
        if update.quantity:
            view.known.add(place)
        else:
            view.known.discard(place)
        if view.watched:
            view.changed[place] = update.quantity

    def on_book(self, book: BookSnapshot) -> None:
        """A whole book: all of its levels may have changed, and those that are gone."""
        view = self._views[book.venue, book.instrument.symbol]
        there = {
            (int(side), price): quantity
            for side, levels in ((Side.BUY, view.book.bids), (Side.SELL, view.book.asks))
            for price, quantity in levels.items()
        }
        if view.watched:
            view.changed.update(dict.fromkeys(view.known - there.keys(), 0))
            view.changed.update(there)
        view.known = set(there)

    def on_status(self, status: Status) -> None:
        """Keep the phase of trading."""
        view = self._views[status.venue, status.instrument.symbol]
        view.phase, view.until = status.phase, status.until
