"""One instrument's trades and best quotes as plain arrays: what every measure of the market reads.

It selects, joins venues and looks prices up; it never measures anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from marketsim.analysis.continuous import continuous_quotes, indicated, is_continuous
from marketsim.domain.local_time import LocalTime
from marketsim.errors import DataError, InvalidValueError, NotRecordedError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.domain.tables import MarketTables

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tape:
    """Trades inside [start, end] and best quotes up to ``end`` of one instrument, all venues together.

    Times are ns, prices currency, quantities units, ``side`` the aggressor's (+1 buy, -1 sell). Quotes of several
    venues are joined into the consolidated best bid and ask, with the quantities at that price added up; a missing
    side is NaN. Trades are in time order; ``order`` is the aggressive order's id (0 where unknown). While no venue
    trades continuously both sides are NaN, quantities too, and ``indicated`` is the auction's indicative price.
    """

    symbol: str
    tick: float
    lot: float
    currency: str
    reference: float
    start: int
    end: int
    trade_time: Ints
    price: Floats
    quantity: Floats
    side: Floats
    order: Ints
    quote_time: Ints
    bid: Floats
    bid_quantity: Floats
    ask: Floats
    ask_quantity: Floats
    indicated: Floats | None = None  # one per quote row; None where the source knows no phases
    local_time: LocalTime | None = None  # the dates of the source, where it has some

    @classmethod
    def of(cls, source: MarketTables | Tape, instrument: str | None = None) -> Tape:
        """The tape of ``instrument`` (the only one by default); a Tape is returned as it is.

        Raises InvalidValueError for an unknown instrument or when none is named among several, DataError when a
        table is not in time order.
        """
        if isinstance(source, Tape):
            return source
        require_tables(source)
        symbol = the_instrument(source, instrument)
        single = len(source.instruments) == 1
        spec = source.instruments[symbol]
        slim = getattr(source, "slim", None)  # a long run does not build columns that nobody reads here
        trades, rows = slim(symbol) if slim else (source.trades, source.quotes)
        trades, rows = rows_of(trades, symbol, single), rows_of(rows, symbol, single)
        time = column(trades, "time", np.int64)
        _check_order(time, f"trades of {symbol}")
        first, last = np.searchsorted(time, source.start, "left"), np.searchsorted(time, source.end, "right")
        inside = slice(int(first), int(last))
        told = continuous_quotes(source, symbol, rows)
        quotes = joined_venues(told, symbol)
        marked = None
        if told is not rows:
            shut = ~is_continuous(source, symbol, quotes[0])
            quotes = (*quotes[:2], np.where(shut, np.nan, quotes[2]), quotes[3], np.where(shut, np.nan, quotes[4]))
            marked = indicated(source, symbol, quotes[0])
        kept = slice(0, int(np.searchsorted(quotes[0], source.end, "right")))
        return cls(
            symbol=symbol,
            tick=spec.tick,
            lot=spec.lot,
            currency=spec.currency,
            reference=float(spec.reference_price),
            start=int(source.start),
            end=int(source.end),
            trade_time=time[inside],
            price=column(trades, "price", np.float64)[inside],
            quantity=column(trades, "quantity", np.float64)[inside],
            side=column(trades, "side", np.float64)[inside],
            order=column(trades, "taker_order", np.int64)[inside],
            quote_time=quotes[0][kept],
            bid=quotes[1][kept],
            bid_quantity=quotes[2][kept],
            ask=quotes[3][kept],
            ask_quantity=quotes[4][kept],
            indicated=None if marked is None else marked[kept],
            local_time=getattr(source, "local_time", None),
        )

    @cached_property
    def mid(self) -> Floats:
        """(bid + ask) / 2 of each quote row, in currency; NaN while a side is empty."""
        return 0.5 * (self.bid + self.ask)

    @cached_property
    def spread(self) -> Floats:
        """ask - bid of each quote row, in currency; NaN while a side is empty."""
        return self.ask - self.bid

    @cached_property
    def mark(self) -> Floats:
        """The last mid or, in auctions, indicative price that existed, at each quote row.

        Before the first one it is the instrument's reference price.
        """
        values = self.mid if self.indicated is None else np.where(np.isnan(self.mid), self.indicated, self.mid)
        known = np.flatnonzero(~np.isnan(values))
        row = np.searchsorted(known, np.arange(len(values)), "right") - 1
        return (
            np.where(row >= 0, values[known[np.maximum(row, 0)]], self.reference)
            if len(known)
            else np.full(len(values), self.reference)
        )

    @cached_property
    def mid_before_trade(self) -> Floats:
        """The mid just before each trade, in currency."""
        return self.before(self.mid, self.trade_time)

    def at(self, values: Floats, times: Ints) -> Floats:
        """``values`` (one per quote row) in force at each time, what happened in that nanosecond included."""
        return _look_up(values, np.searchsorted(self.quote_time, times, "right") - 1)

    def before(self, values: Floats, times: Ints) -> Floats:
        """``values`` (one per quote row) in force just before each time: rows of the same nanosecond do not count.

        So every fill of one aggressive order is judged by the quote that the order met.
        """
        return _look_up(values, np.searchsorted(self.quote_time, times, "left") - 1)

    def marks_at(self, times: Ints) -> Floats:
        """The last mid known at each time, in currency; never NaN."""
        found = self.at(self.mark, times)
        return np.where(np.isnan(found), self.reference, found)

    def marks_before(self, times: Ints) -> Floats:
        """The last mid known just before each time, in currency; never NaN."""
        found = self.before(self.mark, times)
        return np.where(np.isnan(found), self.reference, found)

    @cached_property
    def durations(self) -> Floats:
        """How many ns each quote row was in force inside [start, end]."""
        begins = np.clip(self.quote_time, self.start, self.end)
        return np.diff(np.append(begins, self.end)).astype(np.float64)

    def time_weighted(self, values: Floats) -> float:
        """Mean of ``values`` (one per quote row) over the time in force inside [start, end]; NaN rows do not count."""
        weight = np.where(np.isnan(values), 0.0, self.durations)
        total = float(weight.sum())
        return float((np.nan_to_num(values) * weight).sum() / total) if total > 0 else float("nan")

    def time_weighted_in(self, values: Floats, edges: Ints) -> Floats:
        """Time-weighted mean of ``values`` between each two neighbouring ``edges`` (ns); NaN where it never existed."""
        if len(self.quote_time) == 0:
            return np.full(max(len(edges) - 1, 0), np.nan)
        known = ~np.isnan(values)
        steps = np.diff(self.quote_time).astype(np.float64)
        area = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0)[:-1] * steps)))
        lived = np.concatenate(([0.0], np.cumsum(known[:-1] * steps)))
        row = np.searchsorted(self.quote_time, edges, "right") - 1
        rest = np.where(row >= 0, edges - self.quote_time[np.maximum(row, 0)], 0).astype(np.float64)
        rest = rest * known[np.maximum(row, 0)]
        row = np.maximum(row, 0)
        total = np.diff(area[row] + rest * np.where(known, values, 0.0)[row])
        lifetime = np.diff(lived[row] + rest)
        return quotient(total, lifetime)

    def between(self, start: int, end: int) -> Tape:
        """The part of it inside [start, end] (ns); the quote in force at ``start`` comes along."""
        first = max(int(np.searchsorted(self.quote_time, start, "left")) - 1, 0)
        quotes = slice(first, int(np.searchsorted(self.quote_time, end, "right")))
        opened, closed = np.searchsorted(self.trade_time, start, "left"), np.searchsorted(self.trade_time, end, "right")
        trades = slice(int(opened), int(closed))
        cut = {name: getattr(self, name)[trades] for name in ("trade_time", "price", "quantity", "side", "order")}
        sides = ("quote_time", "bid", "bid_quantity", "ask", "ask_quantity")
        return replace(
            self,
            start=start,
            end=end,
            reference=float(self.marks_before(np.array([start]))[0]),
            indicated=None if self.indicated is None else self.indicated[quotes],
            **cut,
            **{name: getattr(self, name)[quotes] for name in sides},
        )

    def need_quotes(self, measure: str) -> None:
        """NotRecordedError where there are trades and not one quote."""
        if len(self.quote_time) == 0 and len(self.price):
            raise NotRecordedError(
                measure,
                "quotes",
                "read the order events or the book too, such as with marketsim.data.read_lobster; roll_spread, amihud "
                "and corwin_schultz need trades alone",
            )

    def need_sides(self, measure: str) -> None:
        """NotRecordedError where no trade has an aggressor's side."""
        if len(self.side) and not self.side.any():
            raise NotRecordedError(
                measure,
                "the aggressor's side of trades",
                "read_trades(…, tick_rule=True) infers it",
            )

    def merged(self) -> Tape:
        """The same tape with the fills of one aggressive order as one trade at their mean price.

        Fills belong together when they follow each other with the same nanosecond and side, and with the same
        order id where it is known.
        """
        if len(self.trade_time) == 0:
            return self
        new = (np.diff(self.trade_time) != 0) | (np.diff(self.side) != 0) | (np.diff(self.order) != 0)
        first = np.concatenate(([0], np.flatnonzero(new) + 1))
        quantity = np.add.reduceat(self.quantity, first)
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values.update(
            trade_time=self.trade_time[first],
            price=np.add.reduceat(self.price * self.quantity, first) / quantity,
            quantity=quantity,
            side=self.side[first],
            order=self.order[first],
        )
        return Tape(**values)


def require_tables(source: object) -> None:
    """InvalidValueError for what has no tables of a market, such as the path of a run."""
    if isinstance(source, (str, PathLike)):
        raise InvalidValueError(
            f"{str(source)!r} is the name of a run, not the run: give a run: ms.Run.open({str(source)!r})"
        )
    if not hasattr(source, "instruments"):
        raise InvalidValueError(f"{type(source).__name__} is no run and no recorded day: give a run: ms.Run.open(PATH)")


def the_instrument(tables: MarketTables, instrument: str | None) -> str:
    """``instrument``, or the only one there is. Raises InvalidValueError when that is not one."""
    require_tables(tables)
    known = list(tables.instruments)
    if instrument is None:
        if len(known) == 1:
            return known[0]
        raise InvalidValueError(f"there are {len(known)} instruments: name one of {', '.join(sorted(known)) or 'none'}")
    if instrument not in tables.instruments:
        raise InvalidValueError(f"unknown instrument {instrument!r}{did_you_mean(instrument, known)}")
    return instrument


def quotient(top: Floats, bottom: Floats) -> Floats:
    """top / bottom, NaN where ``bottom`` is not above zero."""
    result = np.full(len(top), np.nan)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result


def column(frame: pd.DataFrame, name: str, dtype: Any) -> npt.NDArray[Any]:
    """A column as an array of ``dtype``, copied only where needed."""
    return np.asarray(frame[name].to_numpy(), dtype=dtype)


def rows_of(frame: pd.DataFrame, symbol: str, single: bool) -> pd.DataFrame:
    """The rows of one instrument; all when it is the ``single`` one, or no row names one."""
    if single or len(frame) == 0 or "instrument" not in frame:
        return frame
    return frame[(frame["instrument"] == symbol).to_numpy()]


def _check_order(time: Ints, what: str) -> None:
    late = np.flatnonzero(np.diff(time) < 0)
    if len(late):
        row = int(late[0]) + 1
        raise DataError(f"{time[row]} comes after {time[row - 1]}: sort the table by time", source=what, record=row)


def _look_up(values: Floats, row: npt.NDArray[np.intp]) -> Floats:
    if len(values) == 0:
        return np.full(len(row), np.nan)
    return np.where(row >= 0, values[np.maximum(row, 0)], np.nan)


def joined_venues(quotes: pd.DataFrame, symbol: str) -> tuple[Ints, Floats, Floats, Floats, Floats]:
    """Time, bid, bid quantity, ask, ask quantity over all venues."""
    time = column(quotes, "time", np.int64)
    _check_order(time, f"quotes of {symbol}")
    sides = [column(quotes, name, np.float64) for name in ("bid", "bid_quantity", "ask", "ask_quantity")]
    venues = [str(venue) for venue in quotes["venue"].unique()]
    if len(venues) <= 1:
        return time, sides[0], sides[1], sides[2], sides[3]
    label = quotes["venue"].to_numpy()
    position = np.arange(len(time))
    rows = []  # for each venue, the row in force at every row of the joined table
    for venue in venues:
        own = np.flatnonzero(label == venue)
        at = np.searchsorted(own, position, "right") - 1
        rows.append(np.where(at >= 0, own[np.maximum(at, 0)], -1))
    each = np.stack(rows)
    bid, bid_quantity = _best(sides[0], sides[1], each, np.fmax)
    ask, ask_quantity = _best(sides[2], sides[3], each, np.fmin)
    return time, bid, bid_quantity, ask, ask_quantity


def _best(price: Floats, quantity: Floats, rows: npt.NDArray[np.intp], better: np.ufunc) -> tuple[Floats, Floats]:
    prices = np.where(rows >= 0, price[np.maximum(rows, 0)], np.nan)
    quantities = np.where(rows >= 0, quantity[np.maximum(rows, 0)], 0.0)
    best = better.reduce(prices, axis=0)
    return best, np.where(prices == best, quantities, 0.0).sum(axis=0)
