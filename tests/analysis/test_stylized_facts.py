"""Stylized facts: known distributions, planted clustering, other libraries as judges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import SECOND, by_hand, market

from marketsim.analysis import (
    autocorrelation,
    excess_kurtosis,
    hill_tail_index,
    mid_returns,
    mid_series,
    realized_volatility,
    return_autocorrelation,
    sign_autocorrelation,
    skewness,
    volatility_clustering,
)
from marketsim.errors import InvalidValueError


def test_moments_agree_with_scipy() -> None:
    from scipy.stats import kurtosis, skew

    values = np.random.default_rng(1).standard_t(4, 5000)
    assert excess_kurtosis(values) == pytest.approx(kurtosis(values))
    assert skewness(values) == pytest.approx(skew(values))
    assert excess_kurtosis([1.0, -1.0] * 10) == pytest.approx(-2.0)


@pytest.mark.parametrize("values", [[], [1.0] * 10, [0.1] * 10])
def test_what_does_not_vary_has_no_kurtosis(values: list[float]) -> None:
    assert np.isnan(excess_kurtosis(values))
    assert np.isnan(skewness(values))
    assert np.isnan(autocorrelation([*values, *values], 1)["autocorrelation"]).all()


def test_hill_by_hand() -> None:
    found = hill_tail_index([-8.0, 4.0, 2.0, 1.0, 0.5, 0.1], tail=0.34)
    assert found.observations == 2
    assert found.threshold == 2.0
    assert found.index == pytest.approx(2 / (np.log(4) + np.log(2)))
    assert found.standard_error == pytest.approx(found.index / np.sqrt(2))
    assert np.isnan(hill_tail_index([0.0] * 100).index)


@pytest.mark.parametrize("alpha", [1.5, 3.0, 4.0])
def test_hill_finds_the_index_of_a_power_law(alpha: float) -> None:
    values = np.random.default_rng(2).pareto(alpha, 40_000) + 1
    found = hill_tail_index(values, 0.05, side="right")
    assert abs(found.index - alpha) < 3 * found.standard_error
    mirrored = hill_tail_index(-values, 0.05, side="left")
    assert mirrored.index == pytest.approx(found.index)


def test_hill_refuses_nonsense() -> None:
    with pytest.raises(InvalidValueError, match="must lie in"):
        hill_tail_index([1.0, 2.0], tail=5)
    with pytest.raises(InvalidValueError, match="did you mean"):
        hill_tail_index([1.0, 2.0], side="lft")  # type: ignore[arg-type]


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=120))
def test_autocorrelation_agrees_with_its_definition_short_and_long(values: list[float]) -> None:
    array = np.array(values)
    if array.std() < 1e-3:
        return
    centred = array - array.mean()
    expected = [
        float((centred[: len(array) - k] * centred[k:]).sum() / (centred**2).sum()) for k in range(1, len(array))
    ]
    table = autocorrelation(array, len(array) + 5)  # beyond 64 lags by FFT
    assert table["lag"].tolist() == list(range(1, len(array)))
    assert table["autocorrelation"].to_numpy() == pytest.approx(expected, abs=1e-9)
    assert table["band"].iloc[0] == pytest.approx(1.96 / np.sqrt(len(array)))


def test_autocorrelation_of_a_planted_process() -> None:
    rng = np.random.default_rng(3)
    values = np.zeros(20_000)
    for n in range(1, len(values)):
        values[n] = 0.6 * values[n - 1] + rng.normal()
    table = autocorrelation(values, [1, 2, 3])
    assert table["autocorrelation"].to_numpy() == pytest.approx([0.6, 0.36, 0.216], abs=0.03)


def test_about_one_lag_in_twenty_leaves_the_band_when_there_is_no_memory() -> None:
    table = autocorrelation(np.random.default_rng(4).normal(size=5000), 400)
    share = float((table["autocorrelation"].abs() > table["band"]).mean())
    assert 0.02 < share < 0.09


def garch(seed: int, persistence: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    returns, variance = np.zeros(3000), 1.0
    for n in range(1, len(returns)):
        variance = (
            (1 - persistence) + 0.15 * returns[n - 1] ** 2 * (persistence > 0) + max(persistence - 0.15, 0) * variance
        )
        returns[n] = rng.normal() * np.sqrt(variance)
    return returns


def test_clustering_is_found_where_it_is_and_not_where_it_is_not() -> None:
    assert volatility_clustering(garch(5, 0.95)).p_value < 1e-6
    calm = [volatility_clustering(garch(seed, 0.0)).p_value for seed in range(40)]
    assert sum(value < 0.05 for value in calm) <= 7  # 2 expected; 8 or more have a chance of 1 in 1,000
    assert 0.2 < float(np.mean(calm)) < 0.8


def test_clustering_statistic_by_hand() -> None:
    returns = np.array([1.0, -2.0, 0.5, 3.0, -1.0, 0.0, 2.0, -0.5])
    squares = (returns - returns.mean()) ** 2
    centred = squares - squares.mean()
    rho = [float(centred[:-k] @ centred[k:] / (centred @ centred)) for k in (1, 2)]
    found = volatility_clustering(returns, 2)
    assert found.statistic == pytest.approx(8 * 10 * (rho[0] ** 2 / 7 + rho[1] ** 2 / 6))
    assert found.p_value == pytest.approx(np.exp(-found.statistic / 2))  # χ² with two degrees
    assert np.isnan(volatility_clustering([1.0, 2.0], 20).p_value)


def test_mids_on_a_clock_and_their_returns() -> None:
    quotes = [(0, 99.0, 1, 101.0, 1), (1 * SECOND, 109.0, 1, 111.0, 1), (2 * SECOND + 1, 98.0, 1, float("nan"), 0)]
    tables = by_hand([], quotes, end=3 * SECOND + 5)
    mids = mid_series(tables, "1s")
    assert mids.index.tolist() == [0, SECOND, 2 * SECOND, 3 * SECOND]
    assert mids.to_numpy() == pytest.approx([100.0, 110.0, 110.0, float("nan")], nan_ok=True)
    assert mid_returns(tables, "1s") == pytest.approx([np.log(1.1), 0.0])
    assert realized_volatility(tables, "1s", per="1s") == pytest.approx(1e4 * np.log(1.1) / np.sqrt(2))
    assert realized_volatility(tables, "1s", per="4s") == pytest.approx(2e4 * np.log(1.1) / np.sqrt(2))
    with pytest.raises(InvalidValueError, match="above zero"):
        mid_series(tables, 0)


def test_sign_memory_and_merging() -> None:
    rows = [(1, 1, 7), (1, 1, 7), (2, -1, 8), (3, 1, 9), (4, -1, 10)]
    tables = by_hand([{"time": t, "side": s, "taker_order": o, "price": 1.0, "quantity": 1.0} for t, s, o in rows])
    merged = sign_autocorrelation(tables, [1], merge=True)["autocorrelation"].iloc[0]
    assert merged == pytest.approx(-3 / 4)
    apart = sign_autocorrelation(tables, [1])["autocorrelation"].iloc[0]
    c = np.array([1, 1, -1, 1, -1]) - 0.2
    assert apart == pytest.approx(float(c[:-1] @ c[1:] / (c @ c)))


def test_memory_of_a_market_is_what_was_planted() -> None:
    tables = market(2, quotes=30_000, trades=10_000, minutes=30, levels=1)
    size = return_autocorrelation(tables, "1s", 1, of="absolute")
    assert size["autocorrelation"].iloc[0] > 3 * size["band"].iloc[0]
    assert sign_autocorrelation(tables, [1])["autocorrelation"].iloc[0] > 0.4
