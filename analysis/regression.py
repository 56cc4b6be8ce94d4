"""Ordinary least squares with robust standard errors: the one fit of a line that measures share. It knows no market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LeastSquares:
    """y = intercept + Σ slope(k) · x(k) + rest.

    slopes, standard_errors: one per column of x; the errors are robust to unequal variances (White 1980, with the
    factor n / (n - k) of HC1). r_squared, adjusted_r_squared: 0 … 1 in the sample. observations: rows.
    """

    intercept: float
    slopes: Floats
    standard_errors: Floats
    r_squared: float
    adjusted_r_squared: float
    observations: int


def least_squares(x: Floats, y: Floats) -> LeastSquares:
    """Fit ``y`` (n) on ``x`` (n, or n by k) and a constant.

    NaN when there are too few rows (at most k + 1), or a column of x does not vary or is a mixture of the others.
    """
    columns = x[:, None] if x.ndim == 1 else x
    n, k = columns.shape
    if n <= k + 1:
        return _nothing(n, k)
    centre = columns.mean(axis=0)
    moved, target = columns - centre, y - y.mean()
    squares = moved.T @ moved
    scale = np.sqrt(np.diag(squares))
    if not (scale > 0).all() or np.linalg.matrix_rank(squares / np.outer(scale, scale)) < k:
        return _nothing(n, k)
    inverse = np.linalg.inv(squares / np.outer(scale, scale)) / np.outer(scale, scale)
    slopes = inverse @ (moved.T @ target)
    rest = target - moved @ slopes
    weighted = moved * rest[:, None]
    covariance = inverse @ (weighted.T @ weighted) @ inverse * n / (n - k - 1)
    total, left = float(target @ target), float(rest @ rest)
    share = 1.0 - left / total if total > 0 else float("nan")
    return LeastSquares(
        float(y.mean() - centre @ slopes),
        slopes,
        np.sqrt(np.diag(covariance)),
        share,
        1.0 - (1.0 - share) * (n - 1) / (n - k - 1),
        n,
    )


def mean_error(values: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """The (weighted) mean of what is not NaN, and its standard error; observations are taken as independent."""
    kept = ~np.isnan(values)
    values = values[kept]
    weight = np.ones(len(values)) if weights is None else weights[kept]
    n, total = len(values), float(weight.sum())
    if n == 0 or total <= 0:
        return float("nan"), float("nan")
    mean = float((weight * values).sum() / total)
    if n < 2:
        return mean, float("nan")
    return mean, float(np.sqrt((weight**2 * (values - mean) ** 2).sum() * n / (n - 1)) / total)


def _nothing(n: int, k: int) -> LeastSquares:
    nan = float("nan")
    return LeastSquares(nan, np.full(k, nan), np.full(k, nan), nan, nan, n)
