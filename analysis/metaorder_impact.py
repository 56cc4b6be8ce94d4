"""Metaorders and their impact: which small orders were parts of a large one, and how far the price went (M2).

A metaorder is what one agent took on one side without a longer pause. Its impact is side · (mid just after the last
fill - mid just before the first). Sizes are in volumes of a period, impacts in volatilities of the same period, so that
metaorders of many runs and instruments can be put into one table. It fits; it knows no law of impact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis.prices import clock_grid
from marketsim.analysis.resampling import resamples
from marketsim.analysis.tape import Floats, Ints, Tape, the_instrument
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

AFTER = (0.5, 1.0, 2.0, 4.0)
_LOWEST, _HIGHEST = -1.0, 3.0  # exponents that are looked at


def metaorders(
    source: MarketTables,
    agents: str | Sequence[str],
    instrument: str | None = None,
    *,
    pause: object = "1min",
    every: object = "1h",
    after: Sequence[float] = AFTER,
) -> pd.DataFrame:
    """A row a metaorder that ``agents`` (names, or families of agents) worked as takers.

    Fills of an agent belong together while they have one side and at most ``pause`` lies between two. ``every`` is the
    period whose volume V (mean of everybody's) and volatility σ (deviation of the mid's changes) sizes and impacts are
    told in.

    Columns: ``agent``, ``side``, ``begin``, ``end`` (ns, first and last fill), ``fills``, ``quantity`` Q (units),
    ``participation`` (Q over what everybody traded meanwhile), ``impact`` (currency), ``size`` Q/V, ``shift`` impact/σ,
    and for each k of ``after`` a column ``shift_k``: the same until k durations after the end; NaN past the end of the
    run. Left out: metaorders that may have begun before ``start`` or gone on after ``end``, and those without a mid.
    """
    tape = Tape.of(source, instrument)
    gap = duration(pause)
    parts = _parts(source, tape, (agents,) if isinstance(agents, str) else tuple(agents), gap)
    volume, volatility = _period(tape, every)
    begin, end = parts["begin"].to_numpy(), parts["end"].to_numpy()
    side, before = parts["side"].to_numpy(), tape.before(tape.mid, begin)
    parts["participation"] = parts["quantity"] / _traded(tape, begin, end)
    parts["impact"] = side * (tape.at(tape.mid, end) - before)
    parts["size"], parts["shift"] = parts["quantity"] / volume, parts["impact"] / volatility
    for multiple in after:
        later = end + ((end - begin) * float(multiple)).astype(np.int64)
        moved = side * (np.where(later <= tape.end, tape.at(tape.mid, later), np.nan) - before)
        parts[f"shift_{multiple:g}"] = moved / volatility
    whole = (begin > tape.start + gap) & (end < tape.end - gap) & np.isfinite(parts["impact"].to_numpy())
    kept: pd.DataFrame = parts[whole]
    return kept.reset_index(drop=True)


def impact_curve(table: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """Mean impact by size, in bins as wide as each other on a logarithmic scale; empty ones are left out.

    Columns: ``size`` (geometric mean, of the period's volume), ``shift`` (mean, of the period's volatility),
    ``standard_error``, ``metaorders``.
    """
    size, shift = _columns(table)
    place = _bins(size, bins)
    return pd.DataFrame(_curve(size, shift, place, bins), columns=["size", "shift", "standard_error", "metaorders"])


@dataclass(frozen=True)
class ImpactFit:
    """Δ/σ = prefactor · (Q/V)^exponent. Intervals hold what ``confidence`` of the resampled tables gave.

    square_root: Y of Δ/σ = Y·√(Q/V), the best where the exponent is fixed at one half; square_root_error: its standard
    error.
    """

    exponent: float
    low: float
    high: float
    prefactor: float
    square_root: float
    square_root_error: float
    metaorders: int
    confidence: float


def fit_impact(
    table: pd.DataFrame, bins: int = 10, *, confidence: float = 0.95, draws: int = 400, seed: int = 1
) -> ImpactFit:
    """Fit a power law to the impact curve: weighted least squares of the bins' means, weights 1 / standard error².

    The mean is fitted and not its logarithm, so that bins whose mean is not above zero count too. The interval is that
    of a bootstrap over metaorders, of ``draws`` resampled tables (percentiles). Raises InvalidValueError where fewer
    than three bins hold two metaorders.
    """
    size, shift = _columns(table)
    place = _bins(size, bins)
    curve = _curve(size, shift, place, bins)
    if len(curve) < 3:
        raise InvalidValueError(f"{len(size)} metaorders fill {len(curve)} of {bins} bins; a fit needs three at least")
    exponent, prefactor = _power_law(curve)
    found = []
    for chosen in resamples(len(size), draws, seed):
        again = _curve(size[chosen], shift[chosen], place[chosen], bins)
        found.append((_power_law(again)[0], _scale(again, 0.5)))
    drawn = np.array(found)
    low, high = np.quantile(drawn[:, 0], [0.5 - confidence / 2, 0.5 + confidence / 2])
    root, error = _scale(curve, 0.5), float(drawn[:, 1].std(ddof=1))
    return ImpactFit(exponent, float(low), float(high), prefactor, root, error, len(size), confidence)


def impact_decay(table: pd.DataFrame) -> pd.DataFrame:
    """What is left of the impact after the end: Σ shift_k / Σ shift of the metaorders whose k is within the run.

    Columns: ``durations`` k, ``left``, ``standard_error`` (of a ratio of means), ``metaorders``.
    """
    rows = []
    for name in [str(column) for column in table.columns if str(column).startswith("shift_")]:
        there = table[table[name].notna()]
        peak, later = there["shift"].to_numpy(np.float64), there[name].to_numpy(np.float64)
        left = float(later.mean() / peak.mean())
        error = float((later - left * peak).std(ddof=1) / np.sqrt(len(peak)) / abs(peak.mean()))
        rows.append((float(name.removeprefix("shift_")), left, error, len(peak)))
    return pd.DataFrame(rows, columns=["durations", "left", "standard_error", "metaorders"])


# --- inner ---


def _parts(source: MarketTables, tape: Tape, agents: tuple[str, ...], gap: int) -> pd.DataFrame:
    """Agent, side, begin, end, fills and quantity of each stretch of fills."""
    chosen = _members(source, agents)
    trades = source.trades[source.trades["taker"].isin(chosen).to_numpy()]
    trades = trades[(trades["instrument"] == the_instrument(source, tape.symbol)).to_numpy()]
    trades = trades[trades["time"].between(tape.start, tape.end).to_numpy()].sort_values("taker", kind="stable")
    time, side = trades["time"].to_numpy(np.int64), trades["side"].to_numpy(np.int64)
    owner = trades["taker"].to_numpy()
    if len(time) == 0:
        raise InvalidValueError(f"{', '.join(agents)}: took nothing of {tape.symbol}")
    new = np.flatnonzero((np.diff(time) > gap) | (np.diff(side) != 0) | (owner[1:] != owner[:-1])) + 1
    first = np.concatenate(([0], new))
    last = np.concatenate((new, [len(time)])) - 1
    return pd.DataFrame(
        {
            "agent": owner[first],
            "side": side[first],
            "begin": time[first],
            "end": time[last],
            "fills": last - first + 1,
            "quantity": np.add.reduceat(trades["quantity"].to_numpy(np.float64), first),
        }
    )


def _members(source: MarketTables, agents: tuple[str, ...]) -> set[str]:
    """The names of agents that are meant, be it by name or by family."""
    known = source.agents
    rows = known[known["name"].isin(agents) | known["family"].isin(agents)]
    missing = set(agents) - set(known["name"]) - set(known["family"])
    if missing:
        raise InvalidValueError(f"no agent and no family is called {', '.join(sorted(missing))}")
    return set(rows["name"])


def _period(tape: Tape, every: object) -> tuple[float, float]:
    """Mean volume, and deviation of the mid's changes, of a period."""
    edges = clock_grid(tape.start, tape.end, every)
    change = np.diff(tape.at(tape.mid, edges))
    change = change[np.isfinite(change)]
    if len(change) < 3:
        raise InvalidValueError(f"every={every!r}: the run has {len(change)} such periods; volatility needs three")
    volume = float(_traded(tape, edges[:1], edges[-1:])[0]) / (len(edges) - 1)
    return volume, float(change.std(ddof=1))


def _traded(tape: Tape, begin: Ints, end: Ints) -> Floats:
    """Units that everybody traded from ``begin`` to ``end``, both included."""
    total = np.concatenate(([0.0], np.cumsum(tape.quantity)))
    first, last = (np.searchsorted(tape.trade_time, t, s) for t, s in ((begin, "left"), (end, "right")))  # type: ignore[call-overload]
    return np.asarray(total[last] - total[first], dtype=np.float64)


def _columns(table: pd.DataFrame) -> tuple[Floats, Floats]:
    return table["size"].to_numpy(np.float64), table["shift"].to_numpy(np.float64)


def _bins(size: Floats, bins: int) -> Ints:
    """The bin of each size."""
    logs = np.log(size)
    width = max(float(logs.max() - logs.min()), 1e-12) / bins
    return np.asarray(np.minimum((logs - logs.min()) / width, bins - 1), dtype=np.int64)


def _curve(size: Floats, shift: Floats, place: Ints, bins: int) -> Floats:
    """Rows (geometric mean size, mean shift, its standard error, how many) of bins with two metaorders or more."""
    count = np.bincount(place, minlength=bins).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(place, shift, bins) / count
        centre = np.exp(np.bincount(place, np.log(size), bins) / count)
        spread = np.bincount(place, (shift - mean[place]) ** 2, bins) / (count - 1.0)
        rows = np.stack([centre, mean, np.sqrt(spread / count), count], axis=1)
    return np.asarray(rows[(count > 1) & (rows[:, 2] > 0.0)], dtype=np.float64)


def _scale(curve: Floats, exponent: float) -> float:
    """The prefactor that is best with an exponent."""
    form, weight = curve[:, 0] ** exponent, curve[:, 2] ** -2.0
    return float((weight * form * curve[:, 1]).sum() / (weight * form * form).sum())


def _power_law(curve: Floats) -> tuple[float, float]:
    """Exponent and prefactor of the least weighted squares."""
    from scipy.optimize import minimize_scalar

    def misfit(exponent: float) -> float:
        rest = curve[:, 1] - _scale(curve, exponent) * curve[:, 0] ** exponent
        return float(((rest / curve[:, 2]) ** 2).sum())

    found = minimize_scalar(misfit, bounds=(_LOWEST, _HIGHEST), method="bounded", options={"xatol": 1e-5})
    return float(found.x), _scale(curve, float(found.x))
