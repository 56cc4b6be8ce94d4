"""Market data and execution reports as agents receive them: small immutable facts.

Prices are int ticks, quantities int lots, times int nanoseconds of the receiver's delivery or the venue's event as
named. A missing side has price 0 and quantity 0: ask ``has_bid``/``has_ask`` before using it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Reason, Side
from marketsim.domain.phase import Phase


class Quote(NamedTuple):
    """Best bid and ask of one instrument on one venue (L1)."""

    time: int  # ns, when the venue published it
    instrument: Instrument
    bid: int  # ticks
    bid_quantity: int  # lots
    ask: int  # ticks
    ask_quantity: int  # lots
    venue: str = ""
    last_price: int = 0  # ticks, of the last trade; 0 before anything has traded

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
        """ask - bid in ticks; only meaningful when two-sided."""
        return self.ask - self.bid

    @property
    def imbalance(self) -> float:
        """Share of the displayed quantity that is on the bid, 0 to 1; 0.5 when both sides are empty."""
        total = self.bid_quantity + self.ask_quantity
        return self.bid_quantity / total if total else 0.5

    @property
    def microprice(self) -> float:
        """Quantity-weighted mid in ticks: (bid·ask_quantity + ask·bid_quantity) / (bid_quantity + ask_quantity)."""
        total = self.bid_quantity + self.ask_quantity
        return (self.bid * self.ask_quantity + self.ask * self.bid_quantity) / total


class TradePrint(NamedTuple):
    """One public trade. ``side`` is the aggressor's."""

    time: int
    instrument: Instrument
    price: int
    quantity: int
    side: Side
    venue: str = ""


class Volume(NamedTuple):
    """What was traded in the ``lookback`` ns before ``time``, in lots, by what the aggressors did."""

    time: int
    instrument: Instrument
    lookback: int
    bought: int
    sold: int
    venue: str = ""


class Imbalance(NamedTuple):
    """One side of the book holds more than the share of all its lots that was asked for; no ``side`` ends that."""

    time: int
    instrument: Instrument
    side: Side | None  # the heavy one
    bid_quantity: int  # lots of all levels
    ask_quantity: int
    venue: str = ""


class LevelUpdate(NamedTuple):
    """L2 increment: the new total quantity at a price; 0 removes the level. ``side`` BUY is the bid side."""

    time: int
    instrument: Instrument
    side: Side
    price: int
    quantity: int
    sequence: int
    venue: str = ""


class BookSnapshot(NamedTuple):
    """L2 snapshot: ``bids`` and ``asks`` as (price, quantity) from the best level on."""

    time: int
    instrument: Instrument
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    sequence: int
    venue: str = ""


class OrderAction(IntEnum):
    """What an OrderUpdate tells about one order."""

    BEGIN = 0  # a snapshot begins: forget the book; ``quantity`` orders follow, each as ADDED with this sequence
    ADDED = 1  # it joins the back of the queue at its price; also an iceberg's next part
    CHANGED = 2  # its quantity changed, its place in the queue did not
    EXECUTED = 3  # it traded as the resting order
    REMOVED = 4  # it left without trading, or to come back elsewhere


class OrderUpdate(NamedTuple):
    """L3 increment: what happened to one displayed order. Nobody's name is told, and hidden orders are never shown."""

    time: int  # ns, when the venue published it
    instrument: Instrument
    action: OrderAction
    order_id: int
    side: Side
    price: int  # ticks, its limit
    quantity: int  # lots: ADDED and CHANGED what is displayed now, EXECUTED what traded, REMOVED what was displayed
    leaves: int  # lots displayed afterwards
    priority: int  # at one price, the smaller number is ahead
    sequence: int
    venue: str = ""


class Bar(NamedTuple):
    """The trades of one interval up to ``time``, that moment excluded. Without any, all prices are the last one."""

    time: int  # ns, end
    instrument: Instrument
    interval: int  # ns
    open: int  # ticks; 0 before anything has traded, as the other three
    high: int
    low: int
    close: int
    volume: int  # lots
    value: int  # ticks x lots
    trades: int
    venue: str = ""

    @property
    def start(self) -> int:
        """ns."""
        return self.time - self.interval

    @property
    def empty(self) -> bool:
        """Whether nothing traded."""
        return self.trades == 0

    @property
    def vwap(self) -> float:
        """Mean price weighted by volume, in ticks; the last price where nothing traded."""
        return self.value / self.volume if self.volume else float(self.close)


class Status(NamedTuple):
    """The phase of trading that a market is in, why, and until when where that is planned."""

    time: int
    instrument: Instrument
    phase: Phase
    reason: Reason = Reason.NONE
    until: int = 0  # ns; 0 when it is not known
    venue: str = ""


class Indicative(NamedTuple):
    """Price and volume at which an auction would end now, and what would stay unfilled there."""

    time: int
    instrument: Instrument
    price: int  # ticks; without meaning where ``volume`` is 0
    volume: int  # lots
    surplus: int  # lots that would find nobody at that price
    side: Side | None  # of the surplus
    venue: str = ""


class Report(NamedTuple):
    """An execution report: what the venue says about one request or order of this participant.

    ``quantity`` and ``price`` are the trade's for a TRADE, else the order's; ``maker`` tells whether this order
    was the resting one.
    """

    time: int  # ns, when the venue did it
    kind: EventKind
    order_id: int
    instrument: Instrument
    side: Side
    price: int
    quantity: int
    leaves: int
    maker: bool = False
    reason: Reason = Reason.NONE
    client_order_id: int = 0
    venue: str = ""
