"""Performance functions: by hand, by properties, and against empyrical where it is installed."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
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


def test_ratios_by_hand() -> None:
    assert p.omega(RETURNS) == pytest.approx(0.06 / 0.05)
    assert p.omega(RETURNS, 0.01) == pytest.approx((0.01 + 0.02) / (0.02 + 0.05 + 0.01))
    assert p.gain_to_pain(RETURNS) == pytest.approx(0.01 / 0.05)
    assert p.tail_ratio([-0.04, 0.0, 0.02, 0.08, 0.02]) == pytest.approx((0.02 + 0.8 * 0.06) / (0.8 * 0.04))
    growth = 1.1 * 0.8 * 1.3
    assert p.calmar([0.1, -0.2, 0.3], 3) == pytest.approx((growth - 1) / 0.2)
    assert p.calmar([0.1, -1.0, 0.5], 252) == -1.0
    for ratio in (p.omega, p.gain_to_pain, p.tail_ratio):
        assert math.isnan(ratio([]))
        assert math.isnan(p.omega([0.1, 0.2]))
    assert math.isnan(p.calmar([0.1, 0.1], 252))


def test_periods_and_growth_by_hand() -> None:
    assert p.cumulative_returns([0.1, -0.5, 1.0]) == pytest.approx([0.1, -0.45, 0.1])
    assert (p.best_period(RETURNS), p.worst_period(RETURNS)) == (0.03, -0.04)
    assert p.daily_mean_return(RETURNS, 390) == pytest.approx(0.01 / 6 * 390)
    assert p.annualized_return([1.0] * 3, 1e6) == math.inf
    assert math.isnan(p.best_period([]))
    assert math.isnan(p.daily_mean_return([], 1))


def test_months_by_hand() -> None:
    times = np.array(["2024-12-31T16:00", "2025-01-31T16:00", "2025-02-01T00:00", "2025-02-02", "2025-12-01"], "M8[ns]")
    table = p.monthly_returns([0.1, 0.1, 0.1, -0.5, 0.2], times)
    assert table.index.tolist() == [2024, 2025]
    assert table.columns.tolist() == [*range(1, 13), "year"]
    assert table.loc[2024, 12] == pytest.approx(0.1)
    assert table.loc[2025, 1] == pytest.approx(0.21)  # midnight of 1 February ends January
    assert table.loc[2025, 2] == pytest.approx(-0.5)
    assert table.loc[2025, "year"] == pytest.approx(1.1 * 1.1 * 0.5 * 1.2 - 1)
    assert table.loc[2025].isna().sum() == 9
    assert p.monthly_returns([], []).empty
    with pytest.raises(InvalidValueError, match="one time a period"):
        p.monthly_returns([0.1], times)


def test_dates_of_daily_periods_are_of_their_own_month() -> None:
    dates = pd.DatetimeIndex(["2024-12-31", "2025-01-01", "2025-01-31", "2025-02-01"])
    for times in (dates, dates.to_numpy().astype("M8[D]"), dates.as_unit("ns").asi8):
        table = p.monthly_returns([0.1, 0.2, 0.5, 0.25], times)
        assert table.loc[2024, 12] == pytest.approx(0.1)
        assert table.loc[2025, 1] == pytest.approx(1.2 * 1.5 - 1)
        assert table.loc[2025, 2] == pytest.approx(0.25)
    # Ends of periods within a day: what ends at midnight began the day before.
    hours = pd.DatetimeIndex(["2025-01-31T23:00", "2025-02-01T00:00", "2025-02-01T01:00"])
    table = p.monthly_returns([0.1, 0.2, 0.5], hours)
    assert table.loc[2025, 1] == pytest.approx(1.1 * 1.2 - 1)
    assert table.loc[2025, 2] == pytest.approx(0.5)


def test_drawdowns_together_by_hand() -> None:
    equity = [100.0, 90.0, 95.0, 100.0, 120.0, 60.0, 90.0]
    assert p.average_drawdown(equity) == pytest.approx((0.1 + 0.5) / 2)
    assert p.average_drawdown(equity, relative=False) == pytest.approx((10 + 60) / 2)
    assert p.ulcer_index(equity) == pytest.approx(math.sqrt((0.1**2 + 0.05**2 + 0.5**2 + 0.25**2) / 7))
    assert (p.average_drawdown([1.0, 2.0]), p.ulcer_index([1.0, 2.0])) == (0.0, 0.0)


def test_value_at_risk_by_moments() -> None:
    scipy = pytest.importorskip("scipy.stats")
    values = scipy.norm.ppf((np.arange(20_000) + 0.5) / 20_000) * 0.02 + 0.001
    for confidence in (0.9, 0.95, 0.99):
        z = float(scipy.norm.ppf(1 - confidence))
        tail = 0.02 * float(scipy.norm.pdf(z)) / (1 - confidence) - 0.001
        for method in ("gaussian", "cornish_fisher"):
            assert p.value_at_risk(values, confidence, method) == pytest.approx(-0.001 - 0.02 * z, rel=5e-3)
            assert p.conditional_value_at_risk(values, confidence, method) == pytest.approx(tail, rel=5e-3)
        assert p.normal_quantile(1 - confidence) == pytest.approx(z, rel=1e-12)
    with pytest.raises(InvalidValueError, match="method='normal' is unknown"):
        p.value_at_risk(values, method="normal")  # type: ignore[arg-type]


def test_cornish_and_fisher_by_hand_and_by_adding_up_the_tail() -> None:
    """Ten losses of 1 and ninety gains of 0.2: skewness -2.67, kurtosis 5.11; and a milder sample by numbers."""
    from scipy.stats import norm

    skewed = [-1.0] * 10 + [0.2] * 90
    assert math.isnan(p.value_at_risk(skewed, 0.99, "cornish_fisher")), "no quantile function so far out"
    values = np.random.default_rng(5).standard_t(12, 4000) * 0.01 - 0.3 * np.random.default_rng(6).exponential(
        0.004, 4000
    )
    found = p.moments_of(values)

    def quantile(share: np.ndarray) -> np.ndarray:
        z, s, k = norm.ppf(share), found.skewness, found.kurtosis
        return z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36

    for confidence in (0.95, 0.99):
        tail = 1 - confidence
        wanted = -(found.mean + found.deviation * float(quantile(np.array([tail]))[0]))
        assert p.value_at_risk(values, confidence, "cornish_fisher") == pytest.approx(wanted)
        shares = (np.arange(400_000) + 0.5) / 400_000 * tail
        worst = -(found.mean + found.deviation * float(quantile(shares).mean()))
        assert p.conditional_value_at_risk(values, confidence, "cornish_fisher") == pytest.approx(worst, rel=1e-4)


@given(samples, st.sampled_from([0.9, 0.95, 0.99]), st.sampled_from(["gaussian", "cornish_fisher"]))
def test_expected_shortfall_by_moments_is_never_below_value_at_risk(
    returns: list[float], confidence: float, method: p.Method
) -> None:
    risk, tail = p.value_at_risk(returns, confidence, method), p.conditional_value_at_risk(returns, confidence, method)
    assert math.isnan(risk) == math.isnan(tail)
    assert not tail < risk - 1e-9


def test_runs_and_means_of_trades_by_hand() -> None:
    profits = [1.0, 2.0, -1.0, -1.0, -4.0, 0.0, -1.0, 3.0]
    found = p.trade_measures(profits, [1.0, 3.0])
    assert (found["trades"], found["winning_trades"], found["losing_trades"]) == (8, 3, 4)
    assert (found["average_win"], found["average_loss"]) == (2.0, -1.75)
    assert (found["largest_win"], found["largest_loss"]) == (3.0, -4.0)
    assert (found["longest_winning_run"], found["longest_losing_run"]) == (2, 3)
    assert found["payoff_ratio"] == pytest.approx(2 / 1.75)
    assert found["average_holding_time"] == 2.0
    assert p.longest_runs([]) == (0, 0)
    assert math.isnan(p.average_loss([1.0]))
    assert math.isnan(p.average_win([-1.0]))


def test_everything_about_nothing_is_not_a_number() -> None:
    found = p.return_measures([], 252)
    assert all(math.isnan(value) for name, value in found.items() if "drawdown" not in name and name != "ulcer_index")
    assert found["max_drawdown"] == 0.0
    assert p.return_measures([0.1], 252)["total_return"] == pytest.approx(0.1)


@settings(max_examples=40)
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
    if (values < -1e-6).any() and (values > 1e-6).any():
        assert p.omega(values) == pytest.approx(oracle.omega_ratio(values), rel=1e-9)
    if -oracle.max_drawdown(values) > 1e-6:
        assert p.calmar(values, 252) == pytest.approx(oracle.calmar_ratio(values), rel=1e-6, abs=1e-9)
    if abs(np.quantile(values, 0.05)) > 1e-9:
        assert p.tail_ratio(values) == pytest.approx(oracle.tail_ratio(values), rel=1e-9)
    assert p.cumulative_returns(values) == pytest.approx(oracle.cum_returns(values), abs=1e-12)


def test_months_agree_with_empyrical() -> None:
    oracle = pytest.importorskip("empyrical", reason="empyrical-reloaded, the oracle, is not installed")
    days = pd.bdate_range("2023-03-10", "2025-06-20")
    values = np.random.default_rng(2).normal(0.0005, 0.01, len(days))
    table = p.monthly_returns(values, days + pd.Timedelta("16h"))
    series = pd.Series(values, index=days)
    for (year, month), value in oracle.aggregate_returns(series, "monthly").items():
        assert table.loc[year, month] == pytest.approx(value)
    for year, value in oracle.aggregate_returns(series, "yearly").items():
        assert table.loc[year, "year"] == pytest.approx(value)
