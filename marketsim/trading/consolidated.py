"""What one agent knows of an instrument on several venues: the consolidated quote and the consolidated book.

Each venue's feed reaches an agent with a latency of its own, so what it sees is a picture made of different moments: a
market that looks crossed need not be, and one that is crossed may look sound. Nothing is hidden or repaired here; how
old each part is can be asked. It sends nothing, and subscribes to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, Quote, Report, TradePrint
from marketsim.domain.order import Side
from marketsim.trading.book import LocalBook
from marketsim.trading.order import Order

_BUY = Side.BUY
_SMOOTHING = 8  # observed delays are averaged over about so many quotes


class MarketState(Enum):
    """How the best bid and the best offer over all venues stand to each other."""

    EMPTY = "empty"
    ONE_SIDED = "one-sided"
    NORMAL = "normal"
    LOCKED = "locked"  # bid and offer at one price
    CROSSED = "crossed"  # the bid above the offer


class Offer(NamedTuple):
    """Lots that a venue shows at a price."""

    venue: str
    price: int  # ticks
    quantity: int  # lots


class ConsolidatedQuote(NamedTuple):
    """Best bid and offer over venues, as one agent knows them. Prices in ticks, quantities in lots, times in ns.

    Quantities at the best price are added up over venues. A missing side has price 0 and quantity 0. ``quotes`` are the
    latest that arrived, one a venue that was heard of, in the order of the agent's venues; ``arrived`` says when.
    """

    time: int  # when the agent looked
    instrument: Instrument
    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int
    quotes: tuple[Quote, ...] = ()
    arrived: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, time: int, instrument: Instrument, quotes: Sequence[Quote], arrived: Sequence[int] = ()
    ) -> ConsolidatedQuote:
        """The best of the quotes of several venues."""
        bid, bid_quantity, ask, ask_quantity = 0, 0, 0, 0
        for _, _, its_bid, its_bids, its_ask, its_asks, _, _ in quotes:
            if its_bids > 0:
                if its_bid == bid and bid_quantity:
                    bid_quantity += its_bids
                elif its_bid > bid or not bid_quantity:
                    bid, bid_quantity = its_bid, its_bids
            if its_asks > 0:
                if its_ask == ask and ask_quantity:
                    ask_quantity += its_asks
                elif its_ask < ask or not ask_quantity:
                    ask, ask_quantity = its_ask, its_asks
        fields = (time, instrument, bid, bid_quantity, ask, ask_quantity, tuple(quotes), tuple(arrived))
        return tuple.__new__(cls, fields)

    @property
    def has_bid(self) -> bool:
        return self.bid_quantity > 0

    @property
    def has_ask(self) -> bool:
        return self.ask_quantity > 0

    @property
    def two_sided(self) -> bool:
        return self.bid_quantity > 0 and self.ask_quantity > 0

    @property
    def mid(self) -> float:
        """Half-way between bid and ask, in ticks; only meaningful when two-sided."""
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> int:
        """ask - bid in ticks: 0 when locked, below 0 when crossed; only meaningful when two-sided."""
        return self.ask - self.bid

    @property
    def state(self) -> MarketState:
        """Normal, locked or crossed; or that a side or both are missing."""
        if not self.two_sided:
            return MarketState.ONE_SIDED if self.has_bid or self.has_ask else MarketState.EMPTY
        if self.bid < self.ask:
            return MarketState.NORMAL
        return MarketState.LOCKED if self.bid == self.ask else MarketState.CROSSED

    @property
    def bid_venues(self) -> tuple[str, ...]:
        """Venues whose bid is the best."""
        return tuple(quote.venue for quote in self.quotes if quote.has_bid and quote.bid == self.bid)

    @property
    def ask_venues(self) -> tuple[str, ...]:
        """Venues whose ask is the best."""
        return tuple(quote.venue for quote in self.quotes if quote.has_ask and quote.ask == self.ask)

    def on(self, venue: str) -> Quote | None:
        """The latest quote of one venue; None as long as none has arrived."""
        return next((quote for quote in self.quotes if quote.venue == venue), None)

    def age(self, venue: str) -> int | None:
        """Nanoseconds since a venue published what is known of it; None as long as nothing is."""
        quote = self.on(venue)
        return None if quote is None else self.time - quote.time


class View:
    """What is known of one instrument, venue by venue."""

    def __init__(self, instrument: Instrument, venues: Sequence[str]) -> None:
        self.instrument = instrument
        self.venues = tuple(venues)
        self.quotes: dict[str, Quote] = {}
        self.arrived: dict[str, int] = {}
        self.books: dict[str, LocalBook] = {}  # those that the session keeps, and repairs after a gap
        self.asked: set[str] = set()  # what was subscribed to for it
        self._delays: dict[str, int] = {}

    def take_quote(self, quote: Quote, now: int) -> None:
        """A quote has arrived."""
        venue = quote.venue
        self.quotes[venue] = quote
        self.arrived[venue] = now
        delay = now - quote.time
        known = self._delays.get(venue, delay)
        self._delays[venue] = known + (delay - known) // _SMOOTHING

    def delay(self, venue: str) -> int:
        """Nanoseconds that a venue's feed takes to arrive, a moving average of those seen; 0 as long as none was."""
        return self._delays.get(venue, 0)

    def quote(self, now: int) -> ConsolidatedQuote:
        """The consolidated quote."""
        quotes, arrived = self.quotes, self.arrived
        known = [venue for venue in self.venues if venue in quotes]
        return ConsolidatedQuote.of(now, self.instrument, [quotes[v] for v in known], [arrived[v] for v in known])

    def offers_of(self, venue: str, side: Side) -> list[Offer]:
        """What a venue shows on its bid side (``BUY``) or its offer side, best first.

        All levels where its book is followed and whole, else its best price: after a gap until the book is repaired.
        """
        book = self.books.get(venue)
        if book is not None and book.synchronized:
            levels = sorted((book.bids if side is _BUY else book.asks).items(), reverse=side is _BUY)
            return [Offer(venue, price, quantity) for price, quantity in levels]
        quote = self.quotes.get(venue)
        if quote is None:
            return []
        price, quantity = (quote.bid, quote.bid_quantity) if side is _BUY else (quote.ask, quote.ask_quantity)
        return [Offer(venue, price, quantity)] if quantity else []

    def offers(self, side: Side) -> list[Offer]:
        """What all venues show on one side, best price first, at one price in the order of the venues."""
        found = [offer for venue in self.venues for offer in self.offers_of(venue, side)]
        return sorted(found, key=lambda offer: -side * offer.price)


class Listener(Protocol):
    """Hears, before the agent's own hooks, what arrives at a session."""

    def on_quote(self, quote: Quote) -> None:
        """A quote arrived."""

    def on_trade(self, trade: TradePrint) -> None:
        """A trade was printed."""

    def on_level(self, update: LevelUpdate) -> None:
        """An increment of a book arrived."""

    def on_book(self, book: BookSnapshot) -> None:
        """A whole book arrived."""

    def on_report(self, report: Report, order: Order | None) -> None:
        """An execution report arrived; order and portfolio have taken it in."""


class Consolidation:
    """The listener that keeps an agent's views, and tells others when one of them has changed.

    now: tells the time, ns. views: one an instrument.
    """

    def __init__(self, now: Callable[[], int], views: Iterable[View]) -> None:
        self.views = {view.instrument.symbol: view for view in views}
        self.changed: list[Callable[[View], None]] = []  # called after each quote
        self.traded: list[Callable[[TradePrint], None]] = []  # called with each trade
        self.reported: list[Callable[[Report, Order], None]] = []  # called with each report about a known order
        self._now = now

    def on_quote(self, quote: Quote) -> None:
        """Take it in and tell."""
        view = self.views[quote.instrument.symbol]
        view.take_quote(quote, self._now())
        for tell in self.changed:
            tell(view)

    def on_trade(self, trade: TradePrint) -> None:
        """Pass it on."""
        for tell in self.traded:
            tell(trade)

    def on_level(self, update: LevelUpdate) -> None:
        """The session's own book has taken it in."""

    def on_book(self, book: BookSnapshot) -> None:
        """The session's own book has taken it in."""

    def on_report(self, report: Report, order: Order | None) -> None:
        """Pass it on."""
        if order is not None:
            for tell in self.reported:
                tell(report, order)
