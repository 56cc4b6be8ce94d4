"""Returns beside a benchmark's: alpha, beta, tracking error, and where an active return came from (M4, M12).

Small pure functions of arrays. Returns are simple returns a period; ``periods_per_year`` is said by the caller. It
knows no agent and no market.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marketsim.errors import InvalidValueError

Floats = npt.NDArray[np.float64]
_NAN = float("nan")
ACTIVE = ("alpha", "beta", "correlation", "treynor", "active_return", "tracking_error", "information_ratio")


@dataclass(frozen=True)
class Pair:
    """Means of returns and benchmark, their second central moments over n, and how many there are."""

    count: int
    mean: float
    benchmark_mean: float
    variance: float
    benchmark_variance: float
    covariance: float
    active_variance: float  # of returns - benchmark


def beta(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> float:
    """cov(r, b) / var(b): the move that goes with a move of the benchmark. Source: Sharpe (1964)."""
    return active_measures(returns, benchmark, 1.0)["beta"]


def alpha(returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """(mean(r) - f - beta · (mean(b) - f)) · periods_per_year, f = risk_free / periods_per_year.

    Source: Jensen (1968).
    """
    return active_measures(returns, benchmark, periods_per_year, risk_free)["alpha"]


def correlation(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> float:
    """Pearson's correlation; NaN where one of them does not vary."""
    return active_measures(returns, benchmark, 1.0)["correlation"]


def treynor(returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """(mean(r) - f) · periods_per_year / beta. Source: Treynor (1965)."""
    return active_measures(returns, benchmark, periods_per_year, risk_free)["treynor"]


def tracking_error(returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float) -> float:
    """std(r - b, n - 1) · sqrt(periods_per_year)."""
    return active_measures(returns, benchmark, periods_per_year)["tracking_error"]


def information_ratio(returns: npt.ArrayLike, benchmark: npt.ArrayLike, periods_per_year: float) -> float:
    """mean(r - b) / std(r - b, n - 1) · sqrt(periods_per_year). Source: Goodwin (1998)."""
    return active_measures(returns, benchmark, periods_per_year)["information_ratio"]


def active_measures(
    returns: npt.ArrayLike, benchmark: npt.ArrayLike | None, periods_per_year: float, risk_free: float = 0.0
) -> dict[str, float]:
    """All of ACTIVE by name; NaN without a benchmark, with fewer than two periods, and where nothing varies.

    ``active_return`` is mean(r - b) · periods_per_year.
    """
    if benchmark is None:
        return dict.fromkeys(ACTIVE, _NAN)
    mine, other = np.asarray(returns, dtype=np.float64), np.asarray(benchmark, dtype=np.float64)
    if mine.shape != other.shape or mine.ndim != 1:
        raise InvalidValueError(
            f"benchmark has {other.size} returns and the series {mine.size}: give one for each of its periods"
        )
    if not np.isfinite(other).all():
        place = int(np.flatnonzero(~np.isfinite(other))[0])
        raise InvalidValueError(
            f"benchmark[{place}] is {other[place]}: remove or fill values that are not finite first"
        )
    if len(mine) < 2:
        return dict.fromkeys(ACTIVE, _NAN)
    a, b = mine - mine.mean(), other - other.mean()
    found = Pair(
        len(mine), float(mine.mean()), float(other.mean()),
        float(np.mean(a * a)), float(np.mean(b * b)), float(np.mean(a * b)), float(np.mean((a - b) ** 2)),
    )  # fmt: skip
    return measures_of_pair(found, periods_per_year, risk_free)


def measures_of_pair(found: Pair, periods_per_year: float, risk_free: float = 0.0) -> dict[str, float]:
    """The same from moments."""
    if found.count < 2:
        return dict.fromkeys(ACTIVE, _NAN)
    free = risk_free / periods_per_year
    varies = found.benchmark_variance > _dust(found.benchmark_mean, found.benchmark_variance)
    slope = found.covariance / found.benchmark_variance if varies else _NAN
    both = varies and found.variance > _dust(found.mean, found.variance)
    active = found.mean - found.benchmark_mean
    same = found.active_variance <= 1e-28 * (
        found.variance + found.benchmark_variance
    )  # the dust of two that are alike
    spread = 0.0 if same else found.active_variance
    error = float(np.sqrt(spread * found.count / (found.count - 1) * periods_per_year))
    excess = found.mean - free
    return {
        "alpha": (excess - slope * (found.benchmark_mean - free)) * periods_per_year,
        "beta": slope,
        "correlation": found.covariance / float(np.sqrt(found.variance * found.benchmark_variance)) if both else _NAN,
        "treynor": excess * periods_per_year / slope if slope else _NAN,
        "active_return": active * periods_per_year,
        "tracking_error": error,
        "information_ratio": active * periods_per_year / error if error > 0 else _NAN,
    }


def _dust(mean: float, variance: float) -> float:
    return 1e-30 * max(mean * mean + variance, 1e-300)


@dataclass(frozen=True)
class Brinson:
    """Where an active return came from, segment by segment (arrays of one length).

    allocation: from weighing a segment more or less than the benchmark does; selection: from doing better in it than
    the benchmark's part of it, interaction included. Σ allocation + Σ selection is ``active``.
    """

    allocation: Floats
    selection: Floats
    active: float


def brinson(
    weights: npt.ArrayLike,
    contributions: npt.ArrayLike,
    benchmark_weights: npt.ArrayLike,
    benchmark_returns: npt.ArrayLike,
) -> Brinson:
    """Active return by segment, over one period or over several linked together.

    Each argument is one row of segments, or a row for each period. ``weights`` are at the beginning of a period and add
    up to 1 (cash is a segment, with a return of 0), as do the benchmark's. ``contributions`` are weight · return of the
    portfolio's segments, so that they add up to its return, and count what was earned where the weight was 0.

        allocation = (w - w_b) · (r_b - R_b)          selection = contribution - w · r_b

    the latter being selection and interaction of Brinson, Hood and Beebower (1986), the former as in Brinson and
    Fachler (1985). Periods are linked by the factors of Cariño (1999), so that the effects add up to the difference of
    the two compound returns, ``active``.
    """
    w, c, wb, rb = (
        np.atleast_2d(np.asarray(v, np.float64)) for v in (weights, contributions, benchmark_weights, benchmark_returns)
    )
    if not w.shape == c.shape == wb.shape == rb.shape:
        shapes = ", ".join(str(v.shape) for v in (w, c, wb, rb))
        raise InvalidValueError(f"weights, contributions and the benchmark's two differ in shape: {shapes}")
    for name, values in (("weights", w), ("benchmark_weights", wb)):
        wrong = np.flatnonzero(np.abs(values.sum(axis=1) - 1.0) > 1e-6)
        if len(wrong):
            total = values[wrong[0]].sum()
            raise InvalidValueError(f"{name} of period {wrong[0]} add up to {total:g}, not to 1: add cash as a segment")
    mine, bench = c.sum(axis=1), (wb * rb).sum(axis=1)
    factor = _linking(mine, bench)[:, None]
    allocation = ((w - wb) * (rb - bench[:, None]) * factor).sum(axis=0)
    selection = ((c - w * rb) * factor).sum(axis=0)
    return Brinson(allocation, selection, float(np.prod(1 + mine) - np.prod(1 + bench)))


def _linking(mine: Floats, bench: Floats) -> Floats:
    """Cariño's factor of each period over that of all: (ln(1 + R) - ln(1 + B)) / (R - B), 1 / (1 + R) where equal."""
    if (mine <= -1).any() or (bench <= -1).any():
        raise InvalidValueError("a return of a period is -1 or below: nothing is left that could be linked")

    def slope(a: Floats, b: Floats) -> Floats:
        near = np.abs(a - b) < 1e-12
        gap = np.where(near, 1.0, a - b)
        return np.where(near, 1.0 / (1.0 + a), (np.log1p(a) - np.log1p(b)) / gap)

    whole = slope(np.array([np.prod(1 + mine) - 1]), np.array([np.prod(1 + bench) - 1]))
    return np.asarray(slope(mine, bench) / whole)
