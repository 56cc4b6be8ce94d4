"""The pattern of the day: spread, depth, volume and volatility by time of day (M1). It fits no shape to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis.prices import clock_grid
from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.domain.units import DAY, HOUR, MINUTE, SECOND, duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

_FINE = 10 * SECOND  # returns from which volatility is taken


def intraday_profile(
    source: MarketTables | Tape, every: object = "30min", instrument: str | None = None
) -> pd.DataFrame:
    """What the market is like at each time of day, mean over the days of the source.

    Index ``time_of_day`` (ns after local midnight, a multiple of ``every``); ``spread_bps``, ``depth`` (units, mean of
    both best quotes; both time-weighted), ``trades``, ``volume`` (units) and ``value`` (currency) a minute,
    ``volatility_bps`` (realized, basis points per square root of a minute, from 10 s returns of the mid), ``days`` (how
    many contributed). The first and the last interval may be cut by the window; paces are per minute that was seen.
    Source: Wood, McInish and Ord (1985); Admati and Pfleiderer (1988).
    """
    tape = Tape.of(source, instrument)
    step = duration(every)
    if step <= 0 or DAY % step:
        raise InvalidValueError(f"every={every!r} must divide a day, such as '30min'")
    edges = _edges(tape, step)
    frame = pd.DataFrame(
        {
            "time_of_day": _time_of_day(tape, edges[:-1]) // step * step,
            "spread_bps": tape.time_weighted_in(1e4 * tape.spread / tape.mid, edges),
            "depth": tape.time_weighted_in(0.5 * (tape.bid_quantity + tape.ask_quantity), edges),
            **_paces(tape, edges),
            "volatility_bps": _volatility(tape, edges),
            "days": 1,
        }
    )
    grouped = frame.groupby("time_of_day")
    return grouped.mean().assign(days=grouped["days"].sum())


def _edges(tape: Tape, step: int) -> Ints:
    """start, the multiples of ``step`` in local time inside the window, end."""
    shift = (tape.start - _time_of_day(tape, np.array([tape.start]))[0]) % step
    first = (tape.start - shift) // step * step + shift + step
    return np.unique(np.concatenate(([tape.start], np.arange(first, tape.end, step), [tape.end]))).astype(np.int64)


def _time_of_day(tape: Tape, times: Ints) -> Ints:
    """ns after local midnight."""
    if tape.local_time is None:
        return times % DAY
    found = [tape.local_time.at(int(time)) for time in times]
    seconds = np.array([t.hour * 3600 + t.minute * 60 + t.second for t in found], dtype=np.int64)
    return seconds * SECOND + times % SECOND


def _paces(tape: Tape, edges: Ints) -> dict[str, Floats]:
    """Trades, units and currency a minute between neighbouring edges."""
    count = len(edges) - 1
    place = np.clip(np.searchsorted(edges, tape.trade_time, "right") - 1, 0, max(count - 1, 0))
    minutes = np.diff(edges) / MINUTE
    weights = {"trades": np.ones(len(place)), "volume": tape.quantity, "value": tape.quantity * tape.price}
    return {name: np.bincount(place, weight, count) / minutes for name, weight in weights.items()}


def _volatility(tape: Tape, edges: Ints) -> Floats:
    times = clock_grid(tape.start, tape.end, min(_FINE, HOUR))
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.diff(np.log(tape.at(tape.mid, times))) ** 2
    known = np.isfinite(square)
    place = np.clip(np.searchsorted(edges, times[:-1], "right") - 1, 0, len(edges) - 2)
    total = np.bincount(place[known], square[known], len(edges) - 1)
    number = np.bincount(place[known], minlength=len(edges) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1e4 * np.sqrt(total / number * (MINUTE / _FINE)), dtype=np.float64)
