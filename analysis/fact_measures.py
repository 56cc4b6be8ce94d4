"""Numbers about stylized facts, each with its value on a market and its values on resampled ones.

Every number is a function of means over time of a few columns, so that a block bootstrap costs sums and no second pass
over the data. It names no fact and gives no verdict: ``stylized`` and ``fact_distances`` do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from marketsim.analysis.prices import clock_grid
from marketsim.analysis.resampling import Blocks
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import SECOND, duration

BLOCKS = 30  # that a series is cut into where it is long enough
SHORTEST, LONGEST = 30 * SECOND, 300 * SECOND  # of blocks in time
FEWEST_TRADES, MOST_TRADES = 50, 1000  # in a block of trades
Z95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """``value``, and ``draws``: the same number in resampled markets; NaN and empty when it cannot be told."""

    value: float
    draws: Floats

    @property
    def standard_error(self) -> float:
        """Standard deviation of the draws."""
        known = self.draws[np.isfinite(self.draws)]
        return float(known.std(ddof=1)) if len(known) > 1 else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """95 %: percentiles of the draws."""
        known = self.draws[np.isfinite(self.draws)]
        if len(known) < 2 or not np.isfinite(self.value):
            return float("nan"), float("nan")
        low, high = np.quantile(known, (0.025, 0.975))
        return float(low), float(high)


UNKNOWN = Estimate(float("nan"), np.empty(0))


@dataclass(frozen=True)
class Sampled:
    """A market on a clock: ``returns`` (log, of the mid) and ``volume`` (units) of each interval with a return.

    ``step`` is the interval in ns, ``blocks`` how its rows are resampled.
    """

    step: int
    returns: Floats
    volume: Floats
    times: int = 200
    seed: int = 1

    @classmethod
    def of(cls, tape: Tape, every: object, times: int = 200, seed: int = 1) -> Sampled:
        """Intervals that begin or end without a mid are left out."""
        step = duration(every)
        edges = clock_grid(tape.start, tape.end, step)
        with np.errstate(divide="ignore", invalid="ignore"):
            returns = np.diff(np.log(tape.at(tape.mid, edges)))
        after = np.searchsorted(tape.trade_time, edges, "right")  # as the mid: what happened at an edge is before it
        area = np.concatenate(([0.0], np.cumsum(tape.quantity)))
        known = np.isfinite(returns)
        return cls(step, returns[known], np.diff(area[after])[known], times, seed)

    @cached_property
    def size(self) -> Floats:
        """|r|."""
        return np.abs(self.returns)

    @cached_property
    def varies(self) -> bool:
        """Whether the price moves at all."""
        return len(self.returns) > 3 and float(self.returns.std()) > 1e-15

    @cached_property
    def blocks(self) -> Blocks:
        """A thirtieth of the time, at least 30 s and at most 5 min, in rows of this clock."""
        span = len(self.returns) * self.step
        length = min(max(span / BLOCKS, SHORTEST), LONGEST) / self.step
        return Blocks(len(self.returns), max(length, 1.0), self.times, self.seed)

    def estimate(self, columns: Sequence[Floats], function: Callable[[Floats], Floats]) -> Estimate:
        """``function`` of the columns' means: it takes (…, columns) and gives (…)."""
        return estimate(self.blocks, columns, function)


def estimate(blocks: Blocks, columns: Sequence[Floats], function: Callable[[Floats], Floats]) -> Estimate:
    """``function`` of the means of columns, on the series and on resampled ones."""
    table = np.stack(columns, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(function(table.mean(axis=0)))
        return Estimate(value, np.asarray(function(blocks.means(table)), dtype=np.float64))


def volatility(clock: Sampled, per: int) -> Estimate:
    """1e4 · sqrt(mean(r²) · per / step): as ``realized_volatility``, in basis points."""
    scale = 1e8 * per / clock.step
    return clock.estimate([clock.returns**2], lambda mean: np.sqrt(scale * mean[..., 0]))


def kurtosis(clock: Sampled) -> Estimate:
    """As ``excess_kurtosis``, of returns."""
    return kurtosis_of(clock, clock.returns)


def kurtosis_of(clock: Sampled, values: Floats) -> Estimate:
    """As ``excess_kurtosis``, of a number for each of the clock's rows."""
    return clock.estimate(_powers(_scaled(values)), excess_kurtosis_of_moments)


def excess_kurtosis_of_moments(mean: Floats) -> Floats:
    """From the means of x, x², x³, x⁴."""
    m1, m2, m3, m4 = (mean[..., n] for n in range(4))
    central = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    return np.asarray(central / (m2 - m1**2) ** 2 - 3.0)


def skew(clock: Sampled) -> Estimate:
    """As ``skewness``, of returns."""
    x = _scaled(clock.returns)
    return clock.estimate(
        _powers(x)[:3],
        lambda m: (m[..., 2] - 3 * m[..., 0] * m[..., 1] + 2 * m[..., 0] ** 3) / (m[..., 1] - m[..., 0] ** 2) ** 1.5,
    )


def tail_index(clock: Sampled, tail: float = 0.05) -> Estimate:
    """As ``hill_tail_index``, of |r|; resampled markets are judged beyond the same threshold."""
    ordered = np.sort(clock.size)
    place = len(ordered) - int(tail * len(ordered)) - 1
    if place >= len(ordered) - 2 or ordered[place] <= 0:
        return UNKNOWN
    beyond = clock.size > ordered[place]
    # Values equal to the threshold are beyond it in Hill's sum, with a logarithm of zero.
    ties = (int(tail * len(ordered)) - int(beyond.sum())) / len(ordered)
    excess = np.where(beyond, np.log(np.maximum(clock.size, ordered[place]) / ordered[place]), 0.0)
    return clock.estimate([beyond.astype(np.float64), excess], lambda m: (m[..., 0] + ties) / m[..., 1])


def memory(clock: Sampled, values: Floats, lags: Sequence[int]) -> Estimate:
    """Mean of the sample autocorrelation over ``lags``, of a number for each of the clock's rows."""
    return autocorrelation_of(clock.blocks, values, lags)


def autocorrelation_of(blocks: Blocks, values: Floats, lags: Sequence[int]) -> Estimate:
    """Mean of the sample autocorrelation (as ``autocorrelation``) over ``lags``."""
    if len(values) <= max(lags) + 3 or values.std() <= 1e-14 * max(float(np.abs(values).max()), 1e-300):
        return UNKNOWN
    x = _scaled(values)
    ahead = _ahead(x, lags)
    return estimate(blocks, [x, x**2, x * ahead], lambda m: (m[..., 2] - m[..., 0] ** 2) / (m[..., 1] - m[..., 0] ** 2))


def cross_memory(clock: Sampled, first: Floats, then: Floats, lags: Sequence[int]) -> Estimate:
    """Mean over ``lags`` of the correlation of ``first`` with ``then`` so many rows later; lag 0 is together."""
    if len(first) <= max(lags) + 3 or min(first.std(), then.std()) <= 0:
        return UNKNOWN
    x, y = _scaled(first), _scaled(then)
    return clock.estimate([x, y, x**2, y**2, x * _ahead(y, lags)], _correlation)


def _correlation(mean: Floats) -> Floats:
    x, y, xx, yy, xy = (mean[..., n] for n in range(5))
    return np.asarray((xy - x * y) / np.sqrt((xx - x**2) * (yy - y**2)))


def rank_correlation(clock: Sampled, first: Floats, second: Floats) -> Estimate:
    """Spearman's, ties at their mean rank; ranks are those of the whole series in resampled ones too."""
    import pandas as pd  # scipy.stats, which ranks as well, takes a third of a second to import

    ranks: list[Floats] = [np.asarray(pd.Series(values).rank(), dtype=np.float64) for values in (first, second)]
    return cross_memory(clock, ranks[0], ranks[1], (0,))


def variance_ratio(clock: Sampled, many: int) -> Estimate:
    """Variance of returns over ``many`` steps (overlapping), a step, over that of returns over one step.

    1 without autocorrelation, below 1 where prices bounce, above where they trend: the signature plot in one number.
    Source: Lo and MacKinlay (1988).
    """
    count = len(clock.returns)
    if count < 3 * many or not clock.varies:
        return UNKNOWN
    x = _scaled(clock.returns)
    sums = np.zeros(count)
    sums[: count - many + 1] = window_sums(x, many)
    scale = count / ((count - many + 1) * many)
    return clock.estimate([x**2, sums**2], lambda m: scale * m[..., 1] / m[..., 0])


def kurtosis_fall(clock: Sampled, many: int) -> Estimate:
    """Excess kurtosis of returns over one step less that of returns over ``many`` steps (overlapping)."""
    x, sums = _scaled(clock.returns), _scaled(window_sums(clock.returns, many))
    coarse = np.concatenate((sums, np.zeros(len(x) - len(sums))))
    there = np.concatenate((np.ones(len(sums)), np.zeros(len(x) - len(sums))))

    def fall(mean: Floats) -> Floats:
        coarsely = mean[..., 5:9] / mean[..., 4:5]
        return excess_kurtosis_of_moments(mean[..., :4]) - excess_kurtosis_of_moments(coarsely)

    return clock.estimate([*_powers(x), there, *_powers(coarse)], fall)


def burstiness(clock: Sampled, many: int) -> Estimate:
    """Standard deviation over mean of the realized variance of ``many`` steps (overlapping windows), over
    sqrt(2 / many): what independent normal returns give.
    """
    square = _scaled(clock.returns) ** 2
    realized = window_sums(np.concatenate((square, square[: many - 1])), many) / many
    scale = np.sqrt(many / 2.0)
    return clock.estimate(
        [realized, realized**2], lambda m: scale * np.sqrt(np.maximum(m[..., 1] - m[..., 0] ** 2, 0.0)) / m[..., 0]
    )


def time_scale_asymmetry(clock: Sampled, many: int, lags: Sequence[int]) -> Estimate:
    """corr(C(t), F(t + lag)) - corr(F(t), C(t + lag)), mean over ``lags``, in windows of ``many`` steps.

    C is |sum of r| in a window, F the sum of |r|. A series played backwards has the same number with the other sign.
    """
    count = len(clock.returns) // many
    windows = clock.returns[: count * many].reshape(count, many)
    coarse, fine = _scaled(np.abs(windows.sum(axis=1))), _scaled(np.abs(windows).sum(axis=1))
    wide = Sampled(clock.step * many, coarse, fine, clock.times, clock.seed)

    def difference(mean: Floats) -> Floats:
        c, f, cc, ff, forth, back = (mean[..., n] for n in range(6))
        return np.asarray((forth - back) / np.sqrt((cc - c**2) * (ff - f**2)))

    forth, back = coarse * _ahead(fine, lags), fine * _ahead(coarse, lags)
    return wide.estimate([coarse, fine, coarse**2, fine**2, forth, back], difference)


def window_sums(values: Floats, many: int) -> Floats:
    """Sums of each ``many`` neighbours."""
    area = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray(area[many:] - area[:-many])


def _powers(values: Floats) -> list[Floats]:
    """x, x², x³, x⁴."""
    square = values * values
    return [values, square, square * values, square * square]


def _scaled(values: Floats) -> Floats:
    centred = values - values.mean()
    spread = float(centred.std())
    return np.asarray(centred / spread if spread > 0 else centred, dtype=np.float64)


def _ahead(values: Floats, lags: Sequence[int]) -> Floats:
    """Mean over ``lags`` of the value so many rows later; 0 (the mean) beyond the end."""
    found = np.zeros(len(values))
    for lag in lags:
        found[: len(values) - lag] += values[lag:]
    return found / len(lags)


def blocks_of_trades(count: int, times: int, seed: int) -> Blocks:
    """A fiftieth of the trades, at least 50 and at most 1,000, in a block."""
    return Blocks(count, float(min(max(count / 50, FEWEST_TRADES), MOST_TRADES)), times, seed)
