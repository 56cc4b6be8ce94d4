"""Returns beside a benchmark: by hand, against empyrical, and Brinson's effects that add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketsim.analysis import active_returns as a
from marketsim.errors import InvalidValueError

R = [0.02, -0.01, 0.03, 0.0]
B = [0.01, -0.02, 0.02, 0.01]
small = st.floats(-0.2, 0.2, allow_nan=False)
pairs = st.lists(st.tuples(small, small), min_size=3, max_size=40)


def test_by_hand() -> None:
    # Means 0.01 and 0.005; deviations 0.01 -0.02 0.02 -0.01 and 0.005 -0.025 0.015 0.005.
    covariance = (0.01 * 0.005 + 0.02 * 0.025 + 0.02 * 0.015 - 0.01 * 0.005) / 4
    variance = (0.005**2 + 0.025**2 + 0.015**2 + 0.005**2) / 4
    slope = covariance / variance
    assert a.beta(R, B) == pytest.approx(slope)
    assert a.alpha(R, B, 252) == pytest.approx((0.01 - slope * 0.005) * 252)
    free = 0.02 / 252
    assert a.alpha(R, B, 252, 0.02) == pytest.approx((0.01 - free - slope * (0.005 - free)) * 252)
    assert a.treynor(R, B, 252, 0.02) == pytest.approx((0.01 - free) * 252 / slope)
    assert a.correlation(R, B) == pytest.approx(covariance / math.sqrt(variance * 0.001 / 4))
    active = np.array([0.01, 0.01, 0.01, -0.01])
    assert a.tracking_error(R, B, 252) == pytest.approx(active.std(ddof=1) * math.sqrt(252))
    assert a.information_ratio(R, B, 252) == pytest.approx(0.005 / active.std(ddof=1) * math.sqrt(252))


def test_what_is_not_there_is_not_a_number_and_what_does_not_fit_is_refused() -> None:
    assert all(math.isnan(value) for value in a.active_measures(R, None, 252).values())
    assert math.isnan(a.beta([0.1], [0.1]))
    assert math.isnan(a.beta(R, [0.01] * 4))
    assert math.isnan(a.information_ratio(R, R, 252))
    assert a.tracking_error(R, R, 252) == 0.0
    with pytest.raises(InvalidValueError, match="benchmark has 3 returns and the series 4"):
        a.beta(R, B[:3])
    with pytest.raises(InvalidValueError, match=r"benchmark\[1\] is nan"):
        a.beta(R, [0.1, math.nan, 0.0, 0.0])


@settings(max_examples=30)
@given(pairs)
def test_agrees_with_empyrical(sample: list[tuple[float, float]]) -> None:
    oracle = pytest.importorskip("empyrical", reason="empyrical-reloaded, the oracle, is not installed")
    r, b = np.array(sample).T
    if b.std() < 1e-6 or r.std() < 1e-6 or (r - b).std() < 1e-6:
        return
    assert a.beta(r, b) == pytest.approx(oracle.beta(r, b), rel=1e-6, abs=1e-9)
    # empyrical compounds what Jensen adds up.
    assert (1 + a.alpha(r, b, 1)) ** 252 - 1 == pytest.approx(oracle.alpha(r, b), rel=1e-6, abs=1e-9)
    assert a.information_ratio(r, b, 1) == pytest.approx(oracle.excess_sharpe(r, b), rel=1e-6, abs=1e-9)
    assert a.correlation(r, b) == pytest.approx(float(np.corrcoef(r, b)[0, 1]), rel=1e-6, abs=1e-9)


def test_brinson_by_hand() -> None:
    """60 % and 40 % where the benchmark has 50 and 50; 10 % and 5 % earned where the benchmark's parts made 8 and 6."""
    found = a.brinson([0.6, 0.4], [0.06, 0.02], [0.5, 0.5], [0.08, 0.06])
    assert found.allocation == pytest.approx([0.1 * 0.01, -0.1 * -0.01])
    assert found.selection == pytest.approx([0.06 - 0.6 * 0.08, 0.02 - 0.4 * 0.06])
    assert found.active == pytest.approx(0.08 - 0.07)
    assert found.allocation.sum() + found.selection.sum() == pytest.approx(found.active)


@given(st.integers(1, 6), st.integers(1, 8), st.randoms(use_true_random=False))
def test_brinson_adds_up_over_periods(segments: int, periods: int, chance: object) -> None:
    rng = np.random.default_rng(chance.randint(0, 1 << 30))  # type: ignore[attr-defined]
    w, wb = rng.dirichlet(np.ones(segments), (2, periods))
    c, rb = rng.normal(0, 0.05, (2, periods, segments)) / segments
    found = a.brinson(w, c, wb, rb)
    whole = np.prod(1 + c.sum(axis=1)) - np.prod(1 + (wb * rb).sum(axis=1))
    assert found.active == pytest.approx(whole)
    assert found.allocation.sum() + found.selection.sum() == pytest.approx(whole, rel=1e-6, abs=1e-12)
    same = a.brinson(wb, wb * rb, wb, rb)
    assert np.abs(same.allocation).max() + np.abs(same.selection).max() < 1e-12


def test_brinson_refuses_weights_that_leave_something_out() -> None:
    with pytest.raises(InvalidValueError, match="add cash as a segment"):
        a.brinson([0.6, 0.3], [0.0, 0.0], [0.5, 0.5], [0.0, 0.0])
    with pytest.raises(InvalidValueError, match="differ in shape"):
        a.brinson([0.6, 0.4], [0.0], [0.5, 0.5], [0.0, 0.0])
    with pytest.raises(InvalidValueError, match="-1 or below"):
        a.brinson([1.0], [-1.2], [1.0], [0.0])
