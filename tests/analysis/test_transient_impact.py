"""The propagator: a known kernel comes back, whatever the memory of the signs."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import by_hand, market

from marketsim.analysis import fit_propagator, propagator_of
from marketsim.errors import InvalidValueError, NotRecordedError


def _signs(rng: np.random.Generator, count: int, memory: float) -> np.ndarray:
    """Signs in runs: each repeats the last one with chance ``memory``, else is drawn anew."""
    fresh = rng.choice((-1.0, 1.0), count)
    starts = rng.random(count) >= memory
    starts[0] = True
    return fresh[np.maximum.accumulate(np.where(starts, np.arange(count), 0))]


def _moves(signs: np.ndarray, kernel: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Moves of the mid of a propagator G = cumsum(kernel)."""
    return np.convolve(signs, kernel)[: len(signs)] + noise


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_a_known_kernel_comes_back(memory: float) -> None:
    rng = np.random.default_rng(4)
    count, beta = 150_000, 0.4
    impact = np.arange(1, 2001) ** -beta
    kernel = np.diff(impact, prepend=0.0)
    signs = _signs(rng, count, memory)
    found = propagator_of(signs, _moves(signs, kernel, rng.normal(0, 0.5, count)), 200)
    table = found.table
    away = (table["propagator"] - impact[table.index - 1]).abs() / table["standard_error"]
    assert (away < 4).all()
    assert table["standard_error"].max() < 0.05
    assert found.decay == pytest.approx(beta, abs=4 * found.decay_error)
    assert found.decay_error < 0.15
    if memory:  # the response alone would say that impact grows
        assert table["response"].max() > 1.2
        assert table["propagator"].max() < 1.1


def test_it_solves_the_regression_on_past_signs() -> None:
    models = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(5)
    signs = _signs(rng, 20_000, 0.5)
    moves = _moves(signs, np.array([1.0, -0.3, -0.2]), rng.normal(0, 0.1, len(signs)))
    found = propagator_of(signs, moves, 4).table["propagator"]
    past = np.column_stack([np.roll(signs, lag) for lag in range(4)])[4:]
    weights = models.OLS(moves[4:], models.add_constant(past)).fit().params[1:]
    assert found.loc[[1, 2, 3, 4]].to_numpy() == pytest.approx(np.cumsum(weights), abs=2e-3)
    assert found.loc[[1, 2, 3]].to_numpy() == pytest.approx([1, 0.7, 0.5], abs=0.02)


def test_permanent_impact_does_not_decay() -> None:
    rng = np.random.default_rng(6)
    signs = _signs(rng, 50_000, 0.6)
    found = propagator_of(signs, 0.01 * signs + rng.normal(0, 0.01, len(signs)), 50)
    assert found.decay == pytest.approx(0, abs=4 * found.decay_error)
    assert found.table["propagator"].to_numpy() == pytest.approx(0.01, rel=0.2)
    assert found.r_squared == pytest.approx(0.5, abs=0.02)


def test_too_little_is_nan_and_nonsense_is_refused() -> None:
    found = propagator_of(np.ones(50), np.zeros(50), 500)
    assert np.isnan(found.decay)
    assert found.table["propagator"].isna().all()
    with pytest.raises(InvalidValueError, match="horizon=1 trades"):
        propagator_of(np.ones(5), np.ones(5), 1)
    trades = [{"time": n, "price": 100.0, "quantity": 1.0, "side": 1} for n in range(30)]
    with pytest.raises(NotRecordedError, match="the propagator needs quotes"):
        fit_propagator(by_hand(trades))
    unknown = [{**trade, "side": 0} for trade in trades]
    with pytest.raises(NotRecordedError, match="aggressor's side"):
        fit_propagator(by_hand(unknown, [(0, 99, 1, 101, 1)]))


def test_of_a_market_whose_impact_is_partly_gone_one_trade_later() -> None:
    found = fit_propagator(market(3, minutes=10, quotes=40_000, trades=10_000), 100).table["propagator"]
    assert found[1] > found[5] > 0
