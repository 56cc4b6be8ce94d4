"""Holdings: what a strategy, or a firm, holds in each instrument and could come to hold through its open orders.

Counted by differences, so that a check costs the same however many orders are open. It judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderType
from marketsim.trading.order import Order

_NEVER = -(1 << 62)
_LIMIT = OrderType.LIMIT
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)


class Holding:
    """One instrument: lots held, lots open on each side, and what a lot is worth at the mark."""

    __slots__ = (
        "buy_stops", "buys", "instrument", "inverse", "margin", "mark", "marked", "place", "position", "scale",
        "sector", "sell_stops", "sells", "unit",
    )  # fmt: skip

    def __init__(self, instrument: Instrument, place: int) -> None:
        self.instrument = instrument
        self.place = place  # among the holdings of its book
        self.sector = instrument.sector
        self.inverse = instrument.inverse
        size = instrument.lot * float(instrument.multiplier)
        self.scale = size / instrument.tick if self.inverse else size * instrument.tick  # money of a lot at one tick
        self.margin = float(instrument.initial_margin) if instrument.cleared else 0.0
        self.position = 0  # lots
        self.buys = self.sells = 0  # lots of open orders
        self.buy_stops = self.sell_stops = 0  # of them in stop orders
        self.marked = _NEVER  # ns, when the mark was looked up
        self.mark = 0.0
        self.unit = 0.0  # money that a lot stands for at the mark
        self.value_at(float(instrument.reference))

    def value_at(self, mark: float) -> None:
        """The mark in ticks, which may lie between two."""
        self.mark = mark
        self.unit = self.worth(mark)

    def worth(self, ticks: float) -> float:
        """Money that a lot stands for at a price."""
        if self.inverse:
            return self.scale / abs(ticks) if ticks else 0.0
        return self.scale * abs(ticks)

    @property
    def long(self) -> int:
        """Lots that it could come to hold if all buys traded."""
        return self.position + self.buys

    @property
    def short(self) -> int:
        """Lots, as a number above zero, that it could come to be short."""
        return self.sells - self.position

    @property
    def worst(self) -> int:
        """The larger of both."""
        return max(self.position + self.buys, self.sells - self.position)

    @property
    def uncovered(self) -> int:
        """Lots of the position that no stop order protects."""
        stops = self.sell_stops if self.position > 0 else self.buy_stops
        return max(0, abs(self.position) - stops)


class Book:
    """The holdings by symbol, in the order of the symbols.

    mark: tells the price of an instrument in ticks. Marks are looked up again when they are older than ``fresh`` ns.
    """

    __slots__ = ("_mark", "all", "by_symbol", "fresh")

    def __init__(
        self, instruments: Iterable[Instrument], mark: Callable[[Instrument], float], fresh: int = 100_000_000
    ) -> None:
        chosen = {instrument.symbol: instrument for instrument in instruments}
        self.by_symbol = {symbol: Holding(chosen[symbol], n) for n, symbol in enumerate(sorted(chosen))}
        self.all = list(self.by_symbol.values())
        self._mark, self.fresh = mark, fresh

    def count(self, order: Order, lots: int) -> None:
        """So many more lots of an order are open."""
        held, side = self.by_symbol[order.instrument.symbol], order.side
        if side > 0:
            held.buys += lots
        else:
            held.sells += lots
        kind = order.order_type
        if kind is not _LIMIT and kind in STOPS:
            if side > 0:
                held.buy_stops += lots
            else:
                held.sell_stops += lots

    def refresh(self, held: Holding, now: int) -> None:
        """Look the mark up, unless that was done just now."""
        if now - held.marked >= self.fresh:
            held.marked = now
            mark = self._mark(held.instrument)
            if mark != held.mark:
                held.value_at(mark)

    def gross(self) -> float:
        """Money that the positions stand for at their marks, without sign."""
        return sum(abs(held.position) * held.unit for held in self.all)
