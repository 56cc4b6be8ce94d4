"""Statistics of facts and distances of markets: the same numbers as the plain functions, errors that hold, no bias."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from series import fractional, garch, gaussian, tape_of
from synthetic import SECOND, by_hand, market

from marketsim.analysis import (
    Tape,
    autocorrelation,
    excess_kurtosis,
    fact_distance,
    fact_statistics,
    hill_tail_index,
    mid_returns,
    realized_volatility,
    sign_autocorrelation,
    skewness,
)
from marketsim.analysis.fact_measures import Sampled, variance_ratio
from marketsim.errors import InvalidValueError


@pytest.fixture(scope="module")
def tape() -> Tape:
    return Tape.of(market(2, quotes=30_000, trades=10_000, minutes=60, levels=1))


def test_values_are_those_of_the_plain_functions(tape: Tape) -> None:
    value = fact_statistics(tape)["value"]
    second, ten, minute = (mid_returns(tape, every) for every in ("1s", "10s", "60s"))
    assert value["volatility"] == pytest.approx(realized_volatility(tape, "10s"))
    for name, returns in (("1s", second), ("10s", ten), ("60s", minute)):
        assert value[f"kurtosis_{name}"] == pytest.approx(excess_kurtosis(returns))
    assert value["skewness_1s"] == pytest.approx(skewness(second))
    assert value["tail_index_1s"] == pytest.approx(hill_tail_index(second).index)
    assert value["return_memory_1s"] == pytest.approx(autocorrelation(second, [1])["autocorrelation"][0])
    for lag in (1, 60):
        size = autocorrelation(np.abs(second), [lag])["autocorrelation"][0]
        assert value[f"size_memory_1s_{lag}"] == pytest.approx(size)
    signs = sign_autocorrelation(tape, (1, 10, 100))["autocorrelation"].to_numpy()
    assert value[["sign_memory_1", "sign_memory_10", "sign_memory_100"]].to_numpy() == pytest.approx(signs)


def test_rank_correlation_agrees_with_scipy(tape: Tape) -> None:
    from scipy.stats import spearmanr

    clock = Sampled.of(tape, "10s")
    expected = spearmanr(clock.volume, clock.size).statistic
    assert fact_statistics(tape)["value"]["volume_volatility_10s"] == pytest.approx(expected)


def test_volume_of_an_interval_is_what_was_traded_in_it() -> None:
    quotes = [(0, 99.0, 1, 101.0, 1)]
    trades = [{"time": t, "price": 100.0, "quantity": q} for t, q in ((1, 1.0), (SECOND, 2.0), (SECOND + 1, 4.0))]
    clock = Sampled.of(Tape.of(by_hand(trades, quotes, end=3 * SECOND)), "1s")
    assert clock.volume.tolist() == [3.0, 4.0, 0.0]  # a trade at an edge has moved the mid of that edge
    assert clock.returns.tolist() == [0.0, 0.0, 0.0]


def test_variance_ratio_of_bounces_and_trends() -> None:
    noise = gaussian(1, 20_001)
    for weight, expected in ((0.0, 1.0), (-0.5, 0.2), (0.5, 1.8)):  # 1 + 2 · rho(1) · (1 - 1/60) of a moving average
        clock = Sampled.of(tape_of(noise[1:] + weight * noise[:-1]), "1s")
        found = variance_ratio(clock, 60)
        assert found.value == pytest.approx(expected, abs=4 * max(found.standard_error, 0.01))


def test_what_cannot_be_told_is_unknown() -> None:
    for source in (by_hand(), tape_of(np.zeros(600))):
        found = fact_statistics(source)
        assert found.isna().all().all()
        assert fact_distance(source, source).draws.size == 0
    short = fact_statistics(tape_of(gaussian(1, 300)))
    assert np.isnan(short.loc["kurtosis_60s", "value"])
    assert np.isfinite(short.loc["kurtosis_1s", "value"])


def test_the_same_seed_gives_the_same_errors(tape: Tape) -> None:
    pd.testing.assert_frame_equal(fact_statistics(tape), fact_statistics(tape))
    other = fact_statistics(tape, seed=2)
    assert other["value"].equals(fact_statistics(tape)["value"])
    assert not other["standard_error"].equals(fact_statistics(tape)["standard_error"])


def test_distance_by_hand() -> None:
    here = pd.DataFrame({"value": [1.0, 5.0, 2.0], "standard_error": [0.3, 1.0, np.nan]}, index=["a", "b", "c"])
    there = pd.DataFrame({"value": [2.0, 5.0, 2.0], "standard_error": [0.4, 1.0, 0.1]}, index=["a", "b", "c"])
    found = fact_distance(here, there, times=4000)
    assert found.table["distance"].to_numpy()[:2] == pytest.approx([-2.0, 0.0])
    assert np.isnan(found.table.loc["c", "distance"])
    assert found.total == pytest.approx(np.sqrt(2.0))
    assert found.low < found.total < found.high
    assert found.draws.mean() == pytest.approx(2.0, abs=0.15)  # unbiased: 4 / 2
    assert "distance 1.41" in str(found)
    only = fact_distance(here, there.loc[["b"]])
    assert list(only.table.index) == ["b"]
    assert only.total == 0


def test_a_market_is_nearer_to_its_like() -> None:
    calm, again, wild = (
        tape_of(returns, np.sign(fractional(seed, d, 4000)))
        for returns, seed, d in ((garch(1), 1, 0.3), (garch(2), 2, 0.3), (2 * garch(3, df=3.5), 3, 0.0))
    )
    near, far = fact_distance(calm, again), fact_distance(calm, wild)
    assert near.high < far.low
    assert far.table.loc["volatility", "distance"] < -3
    from_tables = fact_distance(fact_statistics(calm), fact_statistics(wild))
    assert from_tables.total == pytest.approx(far.total, rel=0.15)


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="fact_statistics"):
        fact_distance(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [1.0]}))


@pytest.mark.statistical
def test_errors_are_those_of_the_truth_and_equal_markets_are_one_apart() -> None:
    """Over many markets of one kind: standard errors agree with the spread of the values, and D is about 1."""
    tables = [fact_statistics(tape_of(garch(s), np.sign(fractional(s, 0.2, 4000)))) for s in range(60)]
    values = pd.concat([table["value"] for table in tables], axis=1)
    told = pd.concat([table["standard_error"] for table in tables], axis=1).median(axis=1)
    ratio = (told / values.std(axis=1)).dropna()
    light = ratio.drop([name for name in ratio.index if name.startswith(("kurtosis", "skewness"))])
    assert light.between(0.7, 1.35).all(), light
    assert ratio.between(0.3, 1.5).all(), ratio  # fourth moments have errors that are themselves uncertain
    totals = [fact_distance(a, b).total for a, b in zip(tables[::2], tables[1::2], strict=True)]
    assert 0.8 < float(np.median(totals)) < 1.4
