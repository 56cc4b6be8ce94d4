"""Performance as it comes: the same numbers as the functions over the whole series, for any series."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketsim.analysis import RunningAccount, RunningReturns, RunningTrades, return_measures, trade_measures
from marketsim.analysis.running_performance import OrderedSample, RunningDrawdown
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError

returns = st.floats(-0.3, 0.3, allow_nan=False, allow_subnormal=False).map(lambda r: round(r, 6))


def same(found: dict[str, float], wanted: dict[str, float], rel: float = 1e-7) -> None:
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=rel, abs=1e-9, nan_ok=True), name


@given(st.lists(st.tuples(returns, returns), max_size=60), st.sampled_from([0.0, 0.02]), st.sampled_from([0.0, 0.001]))
def test_returns_agree_with_the_whole_series(sample: list[tuple[float, float]], rate: float, target: float) -> None:
    r, b = ([pair[side] for pair in sample] for side in (0, 1))
    running = RunningReturns(252, risk_free=rate, target=target)
    for value, other in sample:
        running.add(value, other)
    same(running.measures(), return_measures(r, 252, benchmark=b, risk_free=rate, target=target))
    alone = RunningReturns(252)
    for value in r:
        alone.add(value)
    same(alone.measures(), return_measures(r, 252))


def test_a_long_series_agrees_too() -> None:
    rng = np.random.default_rng(4)
    r, b = rng.standard_t(4, (2, 20_000)) * 0.001
    running = RunningReturns(252 * 390, periods_per_day=390)
    for value, other in zip(r.tolist(), b.tolist(), strict=True):
        running.add(value, other)
    same(running.measures(), return_measures(r, 252 * 390, periods_per_day=390, benchmark=b))
    assert running.sharpe == running.measures()["sharpe"]
    assert running.max_drawdown >= running.drawdown >= 0.0


def test_losing_everything_and_more() -> None:
    for series in ([0.1, -1.0], [0.1, -1.5], [0.1, -1.5, 0.2], [-1.0, 0.5, 0.1]):
        running = RunningReturns(252)
        for value in series:
            running.add(value)
        same(running.measures(), return_measures(series, 252))


def test_equity_gives_returns() -> None:
    running = RunningReturns(252)
    for equity in (100.0, 110.0, 99.0):
        running.add_equity(equity)
    assert len(running) == 2
    assert running.cumulative_return == pytest.approx(-0.01)
    assert running.drawdown == pytest.approx(0.1)
    with pytest.raises(InvalidValueError, match="above zero"):
        running.add_equity(0.0)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="periods_per_year=0"):
        RunningReturns(0)
    running = RunningReturns(252)
    running.add(0.1)
    with pytest.raises(InvalidValueError, match="with every return, or with none"):
        running.add(0.1, 0.2)
    with pytest.raises(InvalidValueError, match="give finite numbers"):
        running.add(math.nan)
    both = RunningReturns(252)
    both.add(0.1, 0.1)
    with pytest.raises(InvalidValueError, match="with every return, or with none"):
        both.add(0.1)


@given(st.lists(st.tuples(st.integers(-50, 50), st.floats(0, 1e4)), max_size=60))
def test_trades_agree_with_the_whole_series(sample: list[tuple[int, float]]) -> None:
    running = RunningTrades()
    for profit, held in sample:
        running.add(profit / 4, held)
    same(running.measures(), trade_measures([p / 4 for p, _ in sample], [held for _, held in sample]))


@settings(max_examples=25)
@given(st.integers(1, 5000), st.integers(0, 1 << 30))
def test_an_ordered_sample_is_sorted_and_has_the_quantiles_of_numpy(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 400, count).astype(float)
    sample = OrderedSample()
    for value in values.tolist():
        sample.add(value)
    assert list(sample.smallest()) == sorted(values.tolist())
    for share in (0.0, 0.01, 0.05, 0.5, 0.95, 1.0):
        assert sample.quantile(share) == pytest.approx(float(np.quantile(values, share)), abs=1e-9)


def test_drawdowns_by_hand() -> None:
    falls = RunningDrawdown()
    for equity in (100.0, 90.0, 100.0, 120.0, 60.0, 90.0):
        falls.add(equity)
    found = falls.measures()
    assert (found["max_drawdown"], found["drawdown_start"], found["drawdown_trough"]) == (0.5, 3.0, 4.0)
    assert math.isnan(found["drawdown_recovery"])
    assert found["average_drawdown"] == pytest.approx((0.1 + 0.5) / 2)
    assert found["ulcer_index"] == pytest.approx(math.sqrt((0.1**2 + 0.5**2 + 0.25**2) / 6))


def test_an_account_by_hand() -> None:
    """Buys 4 at 99 and sells 6 at 101 around a mid of 100, which then goes to 102."""
    account = RunningAccount(0, 100.0, capital=1000.0, horizon="5s", every="1s")
    account.order(10)
    account.quote(0, 100.0, at_best=1.0)
    account.fill(10 * SECOND, 4, 99.0, 0.4, waited=2 * SECOND, order=1)
    account.request()
    account.fill(20 * SECOND, -3, 101.0, 0.3, waited=4 * SECOND, order=2)
    account.fill(20 * SECOND, -3, 101.0, 0.3, waited=4 * SECOND, order=2)
    account.quote(22 * SECOND, 102.0, at_best=0.5)
    found = account.measures(40 * SECOND)
    assert found["trades"] == 1, "3 and 1 lots that one order bought and one sold"
    assert found["expectancy"] == pytest.approx(4 * 2 - 4 * 0.1 - 4 * 0.1)
    assert found["average_holding_time"] == 10.0
    assert found["spread_captured"] == 4 + 6
    assert found["adverse_selection_per_fill"] == pytest.approx(-6 * 2 / 3)
    assert found["total_pnl"] == pytest.approx(-396 + 606 - 1.0 - 2 * 102)
    assert found["commission_paid"] == 1.0
    assert found["inventory_mean"] == pytest.approx((4 * 10 - 2 * 20) / 40)
    assert found["inventory_deviation"] == pytest.approx(math.sqrt((16 * 10 + 4 * 20) / 40))
    assert found["exposure_time"] == 0.75
    assert found["turnover"] == pytest.approx((396 + 606) / 1000)
    assert (found["fill_ratio"], found["order_to_trade"]) == (1.0, pytest.approx(2 / 3))
    assert found["time_at_best"] == pytest.approx((22 + 9) / 40)
    assert found["queue_time"] == pytest.approx((4 * 2 + 6 * 4) / 10)
    with pytest.raises(InvalidValueError, match="in order of time"):
        account.quote(39 * SECOND, 100.0)


def test_a_fill_is_judged_by_the_mid_before_its_nanosecond() -> None:
    account = RunningAccount(0, 100.0)
    account.quote(SECOND, 104.0)
    account.fill(SECOND, 1, 103.0)
    assert account.measures(SECOND)["spread_captured"] == -3.0
