"""History: marks of instruments at equal times, and what is computed from them: volatility, correlation, VaR.

Everything is computed once a sample, when somebody asks, and kept until the next. It knows no positions and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from marketsim.domain.units import MINUTE

LEAST = 30
"""Returns below which nothing is said about value at risk and correlation."""
_LATELY, _FEW = 60, 10  # returns that volatility is of: at most, at least

Array = npt.NDArray[np.float64]


class History:
    """The latest marks of ``instruments`` instruments, ``samples`` at most, one each ``every`` ns."""

    def __init__(self, instruments: int, samples: int, every: int) -> None:
        self.every = every
        self._marks: Array = np.zeros((2 * samples, instruments))
        self._samples, self._end, self._count = samples, 0, 0
        self._correlation: list[list[float]] | None = None
        self._volatility: list[float] | None = None
        self._returns: Array | None = None

    def add(self, marks: Sequence[float]) -> None:
        """A sample of all marks, above zero."""
        if self._end == len(self._marks):  # the newer half moves to the front
            self._marks[: self._samples] = self._marks[self._samples :]
            self._end = self._samples
        self._marks[self._end] = marks
        self._end += 1
        self._count = min(self._count + 1, self._samples)
        self._correlation = self._volatility = self._returns = None

    def returns(self) -> Array:
        """Log returns, oldest first, a column each instrument."""
        if self._returns is None:
            marks = self._marks[self._end - self._count : self._end]
            self._returns = np.diff(np.log(np.maximum(marks, 1e-9)), axis=0)
        return self._returns

    def volatility_bps(self, place: int) -> float:
        """Root of the mean squared return lately, in basis points a root minute; 0 as long as there are few."""
        if self._volatility is None:
            latest = self.returns()[-_LATELY:]
            scale = 1e4 * math.sqrt(MINUTE / self.every)
            squares = np.mean(latest**2, axis=0) if len(latest) >= _FEW else np.zeros(self._marks.shape[1])
            self._volatility = (scale * np.sqrt(squares)).tolist()
        return self._volatility[place]

    def correlation(self, one: int, other: int) -> float:
        """Of two instruments' returns; 0 as long as there are few, or where one does not move."""
        if self._correlation is None:
            self._correlation = self._correlations().tolist()
        return self._correlation[one][other]

    def _correlations(self) -> Array:
        returns = self.returns()
        many = self._marks.shape[1]
        if len(returns) < LEAST:
            return np.eye(many)
        centred = returns - returns.mean(axis=0)
        deviation = np.sqrt(np.sum(centred**2, axis=0))
        deviation[deviation == 0] = math.inf
        found: Array = centred.T @ centred / np.outer(deviation, deviation)
        np.fill_diagonal(found, 1.0)
        return found

    def value_at_risk(self, values: Sequence[float], confidence: float, method: str, horizon: int) -> float:
        """Money that positions worth ``values`` now lose at most over ``horizon`` ns with a confidence such as 0.95.

        historical: minus the (1 - confidence) quantile, linear between observations, of what they would have gained in
        each past interval; parametric: the quantile of the normal law with mean zero and the standard deviation of
        these gains. Both are scaled by the root of the horizon in intervals. NaN as long as there are few returns.
        """
        returns = self.returns()
        if len(returns) < LEAST:
            return math.nan
        gains = returns @ np.asarray(values, float)
        if method == "parametric":
            loss = NormalDist().inv_cdf(confidence) * float(np.std(gains, ddof=1))
        else:
            loss = max(0.0, -float(np.quantile(gains, 1 - confidence)))
        return loss * math.sqrt(horizon / self.every)
