"""Least squares against statsmodels, and what it says where there is nothing to fit."""

from __future__ import annotations

import numpy as np
import pytest

from marketsim.analysis.regression import least_squares, mean_error


def test_it_agrees_with_statsmodels_robust_errors_included() -> None:
    models = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 3))
    y = 1.5 + x @ [2.0, -1.0, 0.0] + rng.normal(size=200) * (1 + np.abs(x[:, 0]))
    ours, theirs = least_squares(x, y), models.OLS(y, models.add_constant(x)).fit(cov_type="HC1")
    assert [ours.intercept, *ours.slopes] == pytest.approx(theirs.params)
    assert ours.standard_errors == pytest.approx(theirs.bse[1:])
    assert ours.r_squared == pytest.approx(theirs.rsquared)
    assert ours.adjusted_r_squared == pytest.approx(theirs.rsquared_adj)


def test_nothing_to_fit_is_nan() -> None:
    for x in (np.ones(9), np.column_stack([np.arange(9.0), 2 * np.arange(9.0)])):
        fit = least_squares(x, np.arange(9.0))
        assert np.isnan(fit.slopes).all()
        assert fit.observations == 9
    assert np.isnan(least_squares(np.arange(2.0), np.arange(2.0)).r_squared)


def test_mean_and_its_error() -> None:
    values = np.array([1.0, 2.0, np.nan, 6.0])
    mean, error = mean_error(values)
    assert (mean, error) == pytest.approx((3.0, np.std([1, 2, 6], ddof=1) / np.sqrt(3)))
    assert mean_error(values, np.array([1.0, 1.0, 9.0, 2.0]))[0] == pytest.approx(15 / 4)
    assert np.isnan(mean_error(np.array([np.nan]))).all()
