"""Trajectories: how much of a parent order should be done when. Pure functions; nothing here trades.

The optimal ones are those of R. Almgren and N. Chriss, "Optimal execution of portfolio transactions", Journal of Risk 3
(2), 2001, 5–39. Selling X units in N intervals of length τ (T = Nτ), with x_j units left at time t_j = jτ and
n_j = x_{j−1} − x_j sold in interval j, at prices with volatility σ and with linear impact, permanent γ n_j and
temporary ε + η n_j / τ, costs in expectation and variance

    E(x) = γX²/2 + ε Σ|n_j| + (η̃/τ) Σ n_j²,     V(x) = σ² τ Σ x_j²,     η̃ = η − γτ/2.

The trajectory with the least E + λV is

    x_j = X sinh(κ(T − t_j)) / sinh(κT),     cosh(κτ) = 1 + κ̃²τ²/2,     κ̃² = λσ²/η̃.

With λ below zero, which asks to be paid for risk, sinh and cosh become sin and cos. Units are anybody's, as long as
they agree: here prices are currency, quantities units, and time is that of σ, η and τ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Impact:
    """What a market does to who trades in it.

    volatility: σ, currency per √time. temporary: η, currency a unit per (units a time). permanent: γ, currency a unit,
    for each unit traded. fixed: ε, currency a unit: half the spread and fees.
    """

    volatility: float
    temporary: float
    permanent: float = 0.0
    fixed: float = 0.0

    def __post_init__(self) -> None:
        for name in ("volatility", "permanent", "fixed"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise InvalidValueError(f"{name}: {getattr(self, name)} must be at least 0")
        if not 0.0 < self.temporary < math.inf:
            raise InvalidValueError(f"temporary: {self.temporary} must be above 0")

    def effective(self, interval: float) -> float:
        """η̃ = η − γτ/2; InvalidValueError where it is not above zero, as then no pace would be too fast."""
        value = self.temporary - 0.5 * self.permanent * interval
        if value <= 0.0:
            raise InvalidValueError(
                f"temporary: {self.temporary:g} is not above half the permanent impact of an interval, "
                f"{0.5 * self.permanent * interval:g}; use more slices, or a smaller permanent impact"
            )
        return value


class Point(NamedTuple):
    """One point of the efficient frontier: money, and its standard deviation."""

    risk_aversion: float
    cost: float
    deviation: float


def urgency(risk_aversion: float, interval: float, impact: Impact) -> complex:
    """κ per time, of cosh(κτ) = 1 + κ̃²τ²/2; imaginary for a risk aversion below zero."""
    squared = risk_aversion * impact.volatility**2 / impact.effective(interval)
    rise = 0.5 * squared * interval * interval
    if rise >= 0.0:
        return complex(math.acosh(1.0 + rise) / interval)
    if rise < -2.0:
        raise InvalidValueError(_too_negative(risk_aversion))
    return complex(0.0, math.acos(1.0 + rise) / interval)


def optimal_holdings(quantity: float, horizon: float, intervals: int, risk_aversion: float, impact: Impact) -> Floats:
    """x_0 … x_N: units left at the end of each interval, from ``quantity`` to 0.

    InvalidValueError for a risk aversion so far below zero that the costs have no least value: |κ|T must be below π.
    """
    interval = horizon / intervals
    kappa = urgency(risk_aversion, interval, impact)
    if kappa.imag * horizon >= math.pi:
        raise InvalidValueError(_too_negative(risk_aversion))
    left = _decay(kappa.real, horizon, intervals) if kappa.imag == 0.0 else _bulge(kappa.imag, horizon, intervals)
    return quantity * left


def expected_cost(holdings: Sequence[float] | Floats, horizon: float, impact: Impact) -> float:
    """E(x) of a trajectory of holdings x_0 … x_N, in currency."""
    left = np.asarray(holdings, dtype=np.float64)
    interval = horizon / (len(left) - 1)
    sold = -np.diff(left)
    return float(
        0.5 * impact.permanent * left[0] ** 2
        + impact.fixed * np.abs(sold).sum()
        + impact.effective(interval) / interval * (sold**2).sum()
    )


def cost_variance(holdings: Sequence[float] | Floats, horizon: float, impact: Impact) -> float:
    """V(x) of a trajectory, in currency squared."""
    left = np.asarray(holdings, dtype=np.float64)
    return float(impact.volatility**2 * horizon / (len(left) - 1) * (left[1:] ** 2).sum())


def efficient_frontier(
    quantity: float, horizon: float, intervals: int, risk_aversions: Sequence[float], impact: Impact
) -> list[Point]:
    """Expected cost and its standard deviation of the optimal trajectory, for each risk aversion."""
    points = []
    for aversion in risk_aversions:
        left = optimal_holdings(quantity, horizon, intervals, aversion, impact)
        cost, variance = expected_cost(left, horizon, impact), cost_variance(left, horizon, impact)
        points.append(Point(aversion, cost, math.sqrt(variance)))
    return points


def share_left(urgency: float, time: float) -> float:
    """sinh(u(1 − s)) / sinh(u), of the optimal trajectory at a share s of its horizon, u = κT; 1 − s where u is 0."""
    if urgency < 1e-9:
        return 1.0 - time
    if urgency * (1.0 - time) > 30.0:  # both are exponentials then, and would overflow
        return math.exp(-urgency * time)
    return math.sinh(urgency * (1.0 - time)) / math.sinh(urgency) if urgency < 300.0 else 0.0


def cumulative(weights: Sequence[float] | Floats) -> Floats:
    """Shares done after each of some parts of these weights; the last is exactly 1."""
    values = np.asarray(weights, dtype=np.float64)
    if len(values) == 0 or not np.isfinite(values).all() or (values < 0.0).any():
        raise InvalidValueError("weights must be finite and not below zero; leave out what has none")
    if not values.sum() > 0.0:
        raise InvalidValueError("weights add up to zero; give at least one above it")
    done = np.cumsum(values) / values.sum()
    done[-1] = 1.0
    return done


def _decay(kappa: float, horizon: float, intervals: int) -> Floats:
    return np.array([share_left(kappa * horizon, number / intervals) for number in range(intervals + 1)])


def _bulge(kappa: float, horizon: float, intervals: int) -> Floats:
    times = horizon * (1.0 - np.arange(intervals + 1) / intervals)
    left: Floats = np.sin(kappa * times) / math.sin(kappa * horizon)
    return left


def _too_negative(risk_aversion: float) -> str:
    return (
        f"risk_aversion: {risk_aversion:g} seeks more risk than its costs can stop, so no trajectory is the best; use "
        "one nearer to zero"
    )
