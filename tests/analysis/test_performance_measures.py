"""Performance functions: by hand, by properties, and against empyrical where it is installed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.analysis import performance as p
from marketsim.errors import InvalidValueError

RETURNS = [0.02, -0.01, 0.03, -0.04, 0.0, 0.01]
small = st.floats(-0.2, 0.2, allow_nan=False)
samples = st.lists(small, min_size=3, max_size=40)
curves = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60)


def test_sharpe_and_sortino_by_hand() -> None:
    mean = 0.01 / 6
    deviation = math.sqrt(sum((r - mean) ** 2 for r in RETURNS) / 5)
    assert p.sharpe(RETURNS, 252) == pytest.approx(mean / deviation * math.sqrt(252))
    assert p.sharpe(RETURNS, 252, risk_free=0.02) == pytest.approx((mean - 0.02 / 252) / deviation * math.sqrt(252))
    below = math.sqrt((0.01**2 + 0.04**2) / 6)
    assert p.downside_deviation(RETURNS, 1) == pytest.approx(below)
    assert p.sortino(RETURNS, 252) == pytest.approx(mean / below * math.sqrt(252))
    assert p.sortino(RETURNS, 1, target=0.01) == pytest.approx(
        (mean - 0.01) / math.sqrt((0.02**2 + 0.05**2 + 0.01**2) / 6)
    )


def test_no_variation_and_no_loss_have_no_ratio() -> None:
    assert math.isnan(p.sharpe([0.1, 0.1, 0.1], 252))
    assert math.isnan(p.sortino([0.1, 0.2], 252))
    assert math.isnan(p.sharpe([0.1], 252))


def test_returns_and_growth() -> None:
    assert p.returns_of([100.0, 110.0, 99.0]) == pytest.approx([0.1, -0.1])
    assert p.total_return([100.0, 110.0, 99.0]) == pytest.approx(-0.01)
    assert p.annualized_return([0.1, 0.1], 2) == pytest.approx(0.21)
    assert p.annualized_return([0.1, 0.1], 1) == pytest.approx(0.1)
    assert p.annualized_return([0.5, -1.0], 252) == -1.0
    assert p.volatility([0.01, -0.01], 4) == pytest.approx(2 * math.sqrt(2) * 0.01)
    with pytest.raises(InvalidValueError, match="above zero"):
        p.returns_of([0.0, 1.0])
    with pytest.raises(InvalidValueError, match="above zero"):
        p.total_return([0.0, 1.0])


def test_max_drawdown_with_start_trough_and_recovery() -> None:
    equity = [100.0, 120.0, 110.0, 120.0, 90.0, 100.0, 120.0, 119.0]
    found = p.max_drawdown(equity)
    assert (found.amount, found.fraction) == (30.0, 0.25)
    assert (found.start, found.trough, found.recovery, found.length) == (3, 4, 6, 3)
    lasting = p.max_drawdown(equity[:6])
    assert lasting.recovery is None
    assert lasting.length is None
    assert p.max_drawdown([1.0, 2.0, 3.0]) == p.Drawdown(0.0, 0.0, 0, 0, 0)


def test_the_deepest_fall_by_fraction_is_not_the_deepest_by_amount() -> None:
    equity = [10.0, 5.0, 100.0, 80.0]
    assert p.max_drawdown(equity).trough == 1
    assert p.max_drawdown(equity, relative=False).trough == 3


def test_profit_that_starts_at_zero_has_a_drawdown_by_amount_only() -> None:
    found = p.max_drawdown([0.0, -5.0, 3.0, 1.0], relative=False)
    assert (found.amount, found.start, found.trough, found.recovery) == (5.0, 0, 1, 2)
    assert math.isnan(found.fraction)
    with pytest.raises(InvalidValueError, match="relative=False"):
        p.max_drawdown([0.0, -5.0, 3.0])


@given(curves)
def test_max_drawdown_agrees_with_trying_every_pair(equity: list[float]) -> None:
    pairs = [(equity[i] - equity[j]) / equity[i] for i in range(len(equity)) for j in range(i, len(equity))]
    found = p.max_drawdown(equity)
    assert found.fraction == pytest.approx(max(pairs), abs=1e-12)
    assert 0 <= found.start <= found.trough < len(equity)
    assert found.amount == pytest.approx(equity[found.start] - equity[found.trough])
    if found.recovery is not None and found.amount > 0:
        assert equity[found.recovery] >= equity[found.start]
        assert max(equity[found.trough : found.recovery]) < equity[found.start]
    if found.recovery is None:
        assert max(equity[found.trough :]) < equity[found.start]


@given(curves)
def test_drawdown_is_never_above_zero_and_zero_at_new_highs(equity: list[float]) -> None:
    fall = p.drawdown(equity)
    assert (fall <= 0).all()
    assert fall[int(np.argmax(equity))] == 0.0
    assert (p.drawdown(equity, relative=True) >= -1).all()


def test_value_at_risk_and_expected_shortfall_by_hand() -> None:
    losses = -np.arange(1.0, 101.0) / 100  # 0.01 … 1.00
    assert p.value_at_risk(losses, 0.95) == pytest.approx(0.9505)
    assert p.conditional_value_at_risk(losses, 0.95) == pytest.approx((1.0 + 0.99 + 0.98 + 0.97 + 0.96) / 5)
    # Seven observations at 0.75: one whole and three quarters of the second worst.
    assert p.conditional_value_at_risk([-7, -6, -5, -4, -3, -2, -1], 0.75) == pytest.approx((7 + 0.75 * 6) / 1.75)


def test_confidence_is_written_as_a_confidence() -> None:
    for measure in (p.value_at_risk, p.conditional_value_at_risk):
        with pytest.raises(InvalidValueError, match=r"did you mean 0\.95"):
            measure(RETURNS, 0.05)
        with pytest.raises(InvalidValueError, match="must lie in"):
            measure(RETURNS, 1.0)


@given(samples, st.floats(0.5, 0.99))
def test_expected_shortfall_is_never_below_value_at_risk(returns: list[float], confidence: float) -> None:
    assert p.conditional_value_at_risk(returns, confidence) >= p.value_at_risk(returns, confidence) - 1e-12


@given(
    st.integers(2, 30).flatmap(
        lambda n: st.tuples(st.lists(small, min_size=n, max_size=n), st.lists(small, min_size=n, max_size=n))
    )
)
def test_expected_shortfall_is_subadditive(pair: tuple[list[float], list[float]]) -> None:
    one, other = np.array(pair[0]), np.array(pair[1])
    together = p.conditional_value_at_risk(one + other, 0.9)
    assert together <= p.conditional_value_at_risk(one, 0.9) + p.conditional_value_at_risk(other, 0.9) + 1e-12


@given(samples, st.floats(0.1, 10))
def test_sharpe_has_no_scale_and_changes_sign(returns: list[float], factor: float) -> None:
    values = np.array(returns)
    found = p.sharpe(values, 252)
    if not math.isnan(found) and values.std() > 1e-6:
        assert p.sharpe(factor * values, 252) == pytest.approx(found, rel=1e-6, abs=1e-9)
        assert p.sharpe(-values, 252) == pytest.approx(-found, rel=1e-6, abs=1e-9)


def test_trade_measures() -> None:
    profits = [10.0, -5.0, 0.0, 20.0, -10.0]
    assert p.win_rate(profits) == pytest.approx(0.4)
    assert p.profit_factor(profits) == pytest.approx(2.0)
    assert p.expectancy(profits) == pytest.approx(3.0)
    assert p.payoff_ratio(profits) == pytest.approx(2.0)
    assert p.profit_factor([1.0]) == math.inf
    assert math.isnan(p.profit_factor([0.0]))
    assert math.isnan(p.win_rate([]))
    assert math.isnan(p.payoff_ratio([1.0]))


def test_turnover() -> None:
    assert p.turnover([50.0, -50.0], [100.0, 300.0]) == pytest.approx(0.5)
    assert p.turnover([50.0, -50.0], [100.0, 300.0], periods_per_year=252) == pytest.approx(0.5 * 126)
    with pytest.raises(InvalidValueError, match="above zero"):
        p.turnover([1.0], [0.0])


def test_what_is_not_finite_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidValueError, match=r"returns\[1\] is nan"):
        p.sharpe([0.1, math.nan], 252)
    with pytest.raises(InvalidValueError, match=r"equity\[0\] is inf"):
        p.max_drawdown([math.inf])
    with pytest.raises(InvalidValueError, match="shape"):
        p.win_rate([[1.0]])


@given(st.lists(small, min_size=5, max_size=60))
def test_agrees_with_empyrical(returns: list[float]) -> None:
    oracle = pytest.importorskip("empyrical", reason="empyrical-reloaded, the oracle, is not installed")
    values = np.array(returns)
    if values.std() > 1e-6 and (values < -1e-6).any():
        assert p.sharpe(values, 252) == pytest.approx(oracle.sharpe_ratio(values), rel=1e-9)
        assert p.sortino(values, 252) == pytest.approx(oracle.sortino_ratio(values), rel=1e-9)
        assert p.downside_deviation(values, 252) == pytest.approx(oracle.downside_risk(values), rel=1e-9)
    assert p.volatility(values, 252) == pytest.approx(oracle.annual_volatility(values), rel=1e-9)
    assert p.annualized_return(values, 252) == pytest.approx(oracle.annual_return(values), rel=1e-9, abs=1e-12)
    assert p.value_at_risk(values, 0.95) == pytest.approx(-oracle.value_at_risk(values, 0.05), rel=1e-9, abs=1e-12)
    equity = np.concatenate(([1.0], np.cumprod(1 + values)))
    assert -p.max_drawdown(equity).fraction == pytest.approx(oracle.max_drawdown(values), abs=1e-9)
