"""GARCH(1,1): the volatility that past returns let one expect, and returns in its units.

It takes an array and knows no market; it forecasts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marketsim.errors import InvalidValueError

Floats = npt.NDArray[np.float64]
FEWEST = 100


@dataclass(frozen=True)
class GarchFit:
    """Variance(t) = omega + alpha · r(t-1)² + beta · variance(t-1), of returns less their mean.

    ``volatility`` is the square root for each return, ``residuals`` are returns less their mean in its units.
    """

    omega: float
    alpha: float
    beta: float
    volatility: Floats
    residuals: Floats


def fit_garch(returns: npt.ArrayLike) -> GarchFit | None:
    """By quasi maximum likelihood of the normal law, with omega such that the variance is the sample's.

    Consistent whatever the law of the residuals. None for fewer than 100 returns or when nothing varies. Source:
    Bollerslev (1986); variance targeting: Engle and Mezrich (1996).
    """
    from scipy.optimize import minimize

    array = np.asarray(returns, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise InvalidValueError("expected one row of finite numbers: leave out or fill gaps first")
    spread = float(array.std()) if len(array) else 0.0
    if len(array) < FEWEST or spread <= 1e-14 * max(float(np.abs(array).max()), 1e-300):
        return None
    scaled = (array - array.mean()) / spread

    def loss(free: Floats) -> float:
        variance = _variances(scaled, *_shares(free))
        return float(np.mean(np.log(variance) + scaled**2 / variance))

    starts = [np.array([np.log(p / (1 - p)), np.log(s / (1 - s))]) for p in (0.98, 0.9, 0.5) for s in (0.05, 0.15, 0.5)]
    best = minimize(loss, min(starts, key=loss), method="Nelder-Mead", options={"xatol": 3e-3, "fatol": 1e-6})
    alpha, beta = _shares(best.x)
    volatility = np.sqrt(_variances(scaled, alpha, beta))
    omega = (1.0 - alpha - beta) * spread**2
    return GarchFit(omega, alpha, beta, volatility * spread, scaled / volatility)


def _shares(free: Floats) -> tuple[float, float]:
    """Alpha and beta from persistence and alpha's share of it, both between 0 and 1 by a logistic curve."""
    from scipy.special import expit

    persistence, share = 0.9999 * float(expit(free[0])), float(expit(free[1]))
    return persistence * share, persistence * (1.0 - share)


def _variances(scaled: Floats, alpha: float, beta: float) -> Floats:
    """Of returns with variance one; the first is one."""
    from scipy.linalg import solve_banded  # scipy.signal, which has filters, takes half a second to import

    shocks = np.concatenate(([1.0], (1.0 - alpha - beta) + alpha * scaled[:-1] ** 2))
    bands = np.stack((np.ones(len(shocks)), np.full(len(shocks), -beta)))  # v[t] - beta·v[t-1] = shocks[t]
    found: Floats = solve_banded((1, 0), bands, shocks, check_finite=False)
    return np.maximum(found, 1e-8)
