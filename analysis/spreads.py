"""Spreads: quoted, effective, realized, and price improvement (M1).

A spread is a price (currency); with ``unit="bps"`` it is in basis points of the mid at that moment. The mid of a trade
is the one just before it. Trades without a two-sided quote before them do not count. Nothing here knows an agent.

Sources: Huang and Stoll (1996), Bessembinder (2003), SEC Rule 605 of Regulation NMS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.prices import clock_grid
from marketsim.analysis.tape import Floats, Ints, Tape, quotient
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

Unit = Literal["price", "bps"]


def quoted_spread(
    source: MarketTables | Tape,
    instrument: str | None = None,
    *,
    by: Literal["time", "event"] = "time",
    unit: Unit = "price",
) -> float:
    """Mean of ask - bid over [start, end].

    ``by="time"`` weights each quote by the time it was in force, ``by="event"`` takes every quote row inside
    [start, end] once. Moments with an empty side do not count; NaN when there are no others.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("the quoted spread")
    values = _in_unit(tape.spread, tape.mid, unit)
    if by == "time":
        return tape.time_weighted(values)
    if by == "event":
        return _mean(values[tape.quote_time >= tape.start])
    raise InvalidValueError(f"by={by!r} is unknown{did_you_mean(by, ('time', 'event'))}")


def spread_bps(source: MarketTables | Tape, instrument: str | None = None) -> float:
    """Time-weighted mean quoted spread in basis points of the mid: 1e4 · (ask - bid) / mid."""
    return quoted_spread(source, instrument, unit="bps")


def effective_spread(source: MarketTables | Tape, instrument: str | None = None, *, unit: Unit = "price") -> float:
    """Volume-weighted mean of 2 · side · (price - mid before): what a round trip at these prices costs."""
    tape = Tape.of(source, instrument)
    tape.need_quotes("the effective spread")
    tape.need_sides("the effective spread")
    return _volume_mean(_in_unit(_effective(tape), tape.mid_before_trade, unit), tape)


def realized_spread(
    source: MarketTables | Tape, instrument: str | None = None, *, horizon: object = "5s", unit: Unit = "price"
) -> float:
    """Volume-weighted mean of 2 · side · (price - mid at trade + horizon): what makers kept after the price moved.

    Trades later than end - horizon do not count. effective = realized + price impact, trade by trade.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("the realized spread")
    tape.need_sides("the realized spread")
    return _volume_mean(_in_unit(_realized(tape, duration(horizon)), tape.mid_before_trade, unit), tape)


def price_improvement(source: MarketTables | Tape, instrument: str | None = None, *, unit: Unit = "price") -> float:
    """Volume-weighted mean of (ask before - price) for buys and (price - bid before) for sells.

    Positive when trades were better than the quote they met (hidden liquidity), negative when orders walked the book.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("price improvement")
    tape.need_sides("price improvement")
    return _volume_mean(_in_unit(_improvement(tape), tape.mid_before_trade, unit), tape)


def trade_spreads(
    source: MarketTables | Tape, instrument: str | None = None, *, horizon: object = "5s"
) -> pd.DataFrame:
    """One row a trade: time, side, price, quantity, mid (before), effective, realized, impact, improvement (currency).

    impact = effective - realized = 2 · side · (mid at trade + horizon - mid before).
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("a trade's spread")
    tape.need_sides("a trade's spread")
    effective, realized = _effective(tape), _realized(tape, duration(horizon))
    return pd.DataFrame(
        {
            "time": tape.trade_time,
            "side": tape.side.astype(np.int8),
            "price": tape.price,
            "quantity": tape.quantity,
            "mid": tape.mid_before_trade,
            "effective": effective,
            "realized": realized,
            "impact": effective - realized,
            "improvement": _improvement(tape),
        }
    )


def spread_over_time(
    source: MarketTables | Tape, instrument: str | None = None, *, every: object = "1min"
) -> pd.DataFrame:
    """Interval by interval (index: its start in ns): quoted (time-weighted) and effective (volume-weighted) spread.

    Columns ``quoted``, ``effective`` in currency, ``quoted_bps``, ``effective_bps`` in basis points of the mid.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("the spread over time")
    edges = edges_of(tape, every)
    bins = np.searchsorted(edges, tape.trade_time, "right") - 1
    bins = np.minimum(bins, len(edges) - 2)
    columns = {}
    for suffix, unit in (("", "price"), ("_bps", "bps")):
        quoted = _in_unit(tape.spread, tape.mid, unit)
        effective = _in_unit(_effective(tape), tape.mid_before_trade, unit)
        columns["quoted" + suffix] = tape.time_weighted_in(quoted, edges)
        columns["effective" + suffix] = _binned_volume_mean(effective, tape.quantity, bins, len(edges) - 1)
    return pd.DataFrame(columns, index=pd.Index(edges[:-1], name="time"))


def edges_of(tape: Tape, every: object) -> Ints:
    """Edges of the intervals of ``every`` that cover [start, end]; the last one may be shorter."""
    edges = clock_grid(tape.start, tape.end, every)
    return edges if edges[-1] == tape.end and len(edges) > 1 else np.append(edges, max(tape.end, edges[-1] + 1))


def _effective(tape: Tape) -> Floats:
    return 2.0 * tape.side * (tape.price - tape.mid_before_trade)


def _realized(tape: Tape, horizon: int) -> Floats:
    if horizon < 0:
        raise InvalidValueError(f"horizon={horizon} ns must not be negative")
    later = tape.at(tape.mid, tape.trade_time + horizon)
    later = np.where(tape.trade_time + horizon <= tape.end, later, np.nan)
    return 2.0 * tape.side * (tape.price - later)


def _improvement(tape: Tape) -> Floats:
    met = np.where(tape.side > 0, tape.before(tape.ask, tape.trade_time), tape.before(tape.bid, tape.trade_time))
    return tape.side * (met - tape.price)


def _in_unit(values: Floats, mid: Floats, unit: str) -> Floats:
    if unit == "price":
        return values
    if unit == "bps":
        return 1e4 * values / mid
    raise InvalidValueError(f"unit={unit!r} is unknown{did_you_mean(unit, ('price', 'bps'))}")


def _mean(values: Floats) -> float:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else float("nan")


def _volume_mean(values: Floats, tape: Tape) -> float:
    kept = ~np.isnan(values)
    volume = float(tape.quantity[kept].sum())
    return float((values[kept] * tape.quantity[kept]).sum() / volume) if volume > 0 else float("nan")


def _binned_volume_mean(values: Floats, quantity: Floats, bins: npt.NDArray[np.intp], count: int) -> Floats:
    kept = ~np.isnan(values)
    volume = np.bincount(bins[kept], quantity[kept], count).astype(np.float64)
    total = np.bincount(bins[kept], (values * quantity)[kept], count).astype(np.float64)
    return quotient(total, volume)
