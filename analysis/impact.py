"""Impact: what the price does after trades: mark-outs, response function, Kyle's lambda (M2).

Prices are mids, in currency; the mid of a trade is the one just before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.prices import clock_grid
from marketsim.analysis.regression import least_squares
from marketsim.analysis.tape import Floats, Ints, Tape, the_instrument
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

HORIZONS = (0, "100ms", "500ms", "1s", "2s", "5s", "10s", "30s", "60s")
LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def mark_outs(
    source: MarketTables | Tape,
    horizons: Sequence[object] = HORIZONS,
    instrument: str | None = None,
    *,
    role: Literal["maker", "taker"] = "maker",
    by: Literal["agent", "family"] | None = None,
) -> pd.DataFrame:
    """Profit per unit of a fill when it is marked at the mid some time later, volume-weighted.

    s · (mid at fill + horizon - price), s the side of the ``role`` in the fill; at horizon 0 the mid just before the
    trade, so the maker's mark-out there is half the effective spread and later half the realized spread. Fills later
    than end - horizon do not count at that horizon.

    Returns one row a horizon (and a group with ``by``): ``horizon`` (ns), ``mark_out`` (currency a unit),
    ``mark_out_bps`` (of the mid before), ``standard_error`` (currency a unit; fills taken as independent), ``fills``.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("the mark-out")
    tape.need_sides("the mark-out")
    group, names = _groups(source, tape, role, by)
    sign = tape.side if role == "taker" else -tape.side
    frames = []
    for horizon in (duration(h) for h in horizons):
        profit = sign * (_mid_after(tape, horizon) - tape.price)
        kept = ~np.isnan(profit) & ~np.isnan(tape.mid_before_trade) & (group >= 0)
        table = _weighted(profit[kept], tape.quantity[kept], tape.mid_before_trade[kept], group[kept], len(names))
        frames.append(table.assign(horizon=horizon, group=names))
    result = pd.concat(frames, ignore_index=True)
    columns = ["horizon", "mark_out", "mark_out_bps", "standard_error", "fills"]
    if by is None:
        return result[columns]
    result = result[result["group"] != ""]  # fills of nobody known
    return result.rename(columns={"group": by})[[by, *columns]].sort_values([by, "horizon"], ignore_index=True)


def response_function(
    source: MarketTables | Tape, lags: Sequence[int] = LAGS, instrument: str | None = None, *, merge: bool = True
) -> pd.DataFrame:
    """R(l) = mean of e(n) · (m(n + l) - m(n)): the price's answer to a trade, l trades later.

    e is the sign of trade n and m(n) the mid just before it; with ``merge`` the fills of one order are one trade.
    Source: Bouchaud, Gefen, Potters and Wyart (2004). Columns ``lag``, ``response`` (currency), ``response_bps``
    (basis points of m(n)), ``standard_error`` (currency, trades taken as independent), ``trades``. Lags longer than
    the tape are left out.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("the response function")
    tape.need_sides("the response function")
    tape = tape.merged() if merge else tape
    mid, sign = tape.mid_before_trade, tape.side
    rows = []
    for lag in lags:
        if lag < 1:
            raise InvalidValueError(f"lag {lag} must be at least 1 trade")
        move = sign[:-lag] * (mid[lag:] - mid[:-lag])
        kept = ~np.isnan(move)
        move, base = move[kept], mid[:-lag][kept]
        if len(move):
            error = float(move.std(ddof=1) / np.sqrt(len(move))) if len(move) > 1 else float("nan")
            rows.append((lag, float(move.mean()), float(1e4 * (move / base).mean()), error, len(move)))
    return pd.DataFrame(rows, columns=["lag", "response", "response_bps", "standard_error", "trades"])


@dataclass(frozen=True)
class KyleLambda:
    """The slope of price changes on signed volume.

    slope: currency a unit; standard_error: the same, robust to unequal variances (White's HC1);
    intercept: currency; r_squared: 0 … 1; intervals: how many were used.
    """

    slope: float
    standard_error: float
    intercept: float
    r_squared: float
    intervals: int


def kyle_lambda(source: MarketTables | Tape, every: object = "10s", instrument: str | None = None) -> KyleLambda:
    """Ordinary least squares of the mid's change over each interval on the signed volume traded in it.

    m(t + every) - m(t) = intercept + slope · Σ side · quantity. Source: Kyle (1985), Hasbrouck (2009). NaN when fewer
    than three intervals or no variation of the volume.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("Kyle's lambda")
    tape.need_sides("Kyle's lambda")
    times = clock_grid(tape.start, tape.end, every)
    change = np.diff(tape.at(tape.mid, times))
    flow = signed_volume(tape, times)
    kept = ~np.isnan(change)
    found = least_squares(flow[kept], change[kept])
    return KyleLambda(
        float(found.slopes[0]), float(found.standard_errors[0]), found.intercept, found.r_squared, found.observations
    )


def signed_volume(tape: Tape, edges: Ints) -> Floats:
    """Σ side · quantity of the trades in each (edge, next edge], in units."""
    bins = np.searchsorted(edges, tape.trade_time, "left") - 1
    inside = (bins >= 0) & (bins < len(edges) - 1)
    return np.bincount(bins[inside], (tape.side * tape.quantity)[inside], max(len(edges) - 1, 0)).astype(np.float64)


def _mid_after(tape: Tape, horizon: int) -> Floats:
    if horizon < 0:
        raise InvalidValueError(f"horizon={horizon} ns must not be negative")
    if horizon == 0:
        return tape.mid_before_trade
    times = tape.trade_time + horizon
    return np.where(times <= tape.end, tape.at(tape.mid, times), np.nan)


def _groups(
    source: MarketTables | Tape, tape: Tape, role: str, by: str | None
) -> tuple[npt.NDArray[np.intp], list[str]]:
    """A group number for each trade of the tape (-1: none) and the names of the groups."""
    if role not in ("maker", "taker"):
        raise InvalidValueError(f"role={role!r} is unknown{did_you_mean(role, ('maker', 'taker'))}")
    if by is None:
        return np.zeros(len(tape.price), dtype=np.intp), [""]
    if by not in ("agent", "family"):
        raise InvalidValueError(f"by={by!r} is unknown{did_you_mean(by, ('agent', 'family'))}")
    if isinstance(source, Tape):
        raise InvalidValueError(f"by={by!r} needs tables with agents, not a tape of one instrument")
    trades = source.trades
    trades = trades[(trades["instrument"] == the_instrument(source, tape.symbol)).to_numpy()]
    inside = trades["time"].between(source.start, source.end).to_numpy()
    codes, names = pd.factorize(trades[role][inside])
    labels = pd.Series(names, dtype="object")
    if by == "family":
        family = dict(zip(source.agents["name"], source.agents["family"], strict=True))
        labels = labels.map(lambda name: family.get(name, ""))
    numbers, groups = pd.factorize(labels)
    numbers = np.where(np.asarray(groups, dtype=object)[numbers] == "", -1, numbers) if len(numbers) else numbers
    group = numbers[codes] if len(numbers) else np.full(len(codes), -1)
    return np.asarray(group, dtype=np.intp), [str(name) for name in groups]


def _weighted(profit: Floats, weight: Floats, mid: Floats, group: npt.NDArray[np.intp], count: int) -> pd.DataFrame:
    """Volume-weighted mean of ``profit`` and its standard error, group by group."""

    def total(values: Floats) -> Floats:
        return np.bincount(group, values, count).astype(np.float64)

    volume, fills = total(weight), np.bincount(group, minlength=count)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total(weight * profit) / volume
        relative = 1e4 * total(weight * profit / mid) / volume
        error = np.sqrt(total((weight * (profit - mean[group])) ** 2) * fills / (fills - 1)) / volume
    return pd.DataFrame({"mark_out": mean, "mark_out_bps": relative, "standard_error": error, "fills": fills})
