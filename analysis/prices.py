"""The mid on a clock: sampled mids, their returns, and how far they moved.

Everything here is about one instrument's mid; returns are logarithmic. It never annualises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.domain.units import MINUTE, SECOND, duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


def clock_grid(start: int, end: int, every: object) -> Ints:
    """start, start + every, … up to and including ``end`` where it is a multiple (ns)."""
    step = duration(every)
    if step <= 0:
        raise InvalidValueError(f"every={every!r} must be above zero, such as '1s'")
    return np.arange(start, end + 1, step, dtype=np.int64)


def step_of(start: int, end: int, points: int) -> int:
    """A round step in ns (as clocks have them) for at most ``points`` intervals."""
    span = max(end - start, 1)
    wanted = span / points
    rounds = [m * 10**k for k in range(10) for m in (1, 2, 5)] + [m * SECOND for m in (10, 15, 20, 30)]
    rounds += [m * MINUTE for m in (1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440)]
    return next((step for step in sorted(rounds) if step >= wanted), int(np.ceil(wanted)))


def mid_series(source: MarketTables | Tape, every: object = "1s", instrument: str | None = None) -> pd.Series:
    """The mid in force at start, start + every, …, in currency, indexed by time (ns); NaN while a side is empty."""
    tape = Tape.of(source, instrument)
    times = clock_grid(tape.start, tape.end, every)
    return pd.Series(tape.at(tape.mid, times), index=pd.Index(times, name="time"), name="mid")


def mid_returns(source: MarketTables | Tape, every: object = "1s", instrument: str | None = None) -> Floats:
    """Log returns ln(m(t + every) / m(t)) of the mid between the points of a clock; gaps (NaN mids) are left out.

    ``every`` is a duration such as "1s" or int ns. Pure numbers, not percent.
    """
    mids = mid_series(source, every, instrument).to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.diff(np.log(mids))
    return np.asarray(returns[np.isfinite(returns)], dtype=np.float64)


def realized_volatility(
    source: MarketTables | Tape, every: object = "10s", per: object = "1min", instrument: str | None = None
) -> float:
    """Realized volatility of the mid over ``per``, in basis points: 1e4 · sqrt(mean(r²) · per / every).

    r are log returns over ``every``: short enough for many observations, long enough that the bid–ask bounce of the
    book (small in mids) does not dominate. Source: Andersen, Bollerslev, Diebold and Labys (2003).
    """
    returns = mid_returns(source, every, instrument)
    if len(returns) == 0:
        return float("nan")
    return float(1e4 * np.sqrt(np.mean(returns**2) * duration(per) / duration(every)))
