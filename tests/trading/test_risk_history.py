"""What is computed from the history of marks, beside NumPy's own words and by hand."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest

from marketsim.domain.units import DAY, MINUTE, SECOND
from marketsim.trading.risk.history import LEAST, History


def walk(steps: int, instruments: int = 2, seed: int = 3) -> npt.NDArray[np.float64]:
    draw = np.random.default_rng(seed)
    moves = draw.normal(0, 1e-3, (steps, instruments))
    moves[:, 1:] += 0.5 * moves[:, :1]
    found: npt.NDArray[np.float64] = 10_000 * np.exp(np.cumsum(moves, axis=0))
    return found


def of(marks: npt.NDArray[np.float64], samples: int = 10_000, every: int = SECOND) -> History:
    history = History(marks.shape[1], samples, every)
    for row in marks:
        history.add(list(row))
    return history


def test_only_the_latest_samples_are_kept_however_many_came() -> None:
    marks = walk(1_000)
    for samples in (31, 64, 250):
        expected = np.diff(np.log(marks[-samples:]), axis=0)
        assert of(marks, samples).returns() == pytest.approx(expected)


def test_volatility_is_scaled_to_a_root_minute() -> None:
    """Up and down by the factor 1.001 each 2 s: 10 bps, and 30 of them in a minute."""
    marks = np.array([[10_000.0], [10_010.0]] * 20)
    assert of(marks, every=2 * SECOND).volatility_bps(0) == pytest.approx(1e4 * math.log(1.001) * math.sqrt(30))
    assert of(marks[:10]).volatility_bps(0) == 0, "nine returns are too few"


def test_volatility_forgets() -> None:
    marks = np.concatenate([np.array([[100.0], [200.0]] * 30), np.full((61, 1), 100.0)])
    assert of(marks).volatility_bps(0) == 0


def test_correlation_is_that_of_numpy() -> None:
    marks = walk(200, 4)
    history, expected = of(marks), np.corrcoef(np.diff(np.log(marks), axis=0).T)
    found = [[history.correlation(one, other) for other in range(4)] for one in range(4)]
    assert found == pytest.approx(expected)


def test_what_does_not_move_is_correlated_with_nothing() -> None:
    marks = walk(100)
    marks[:, 1] = 10_000
    assert of(marks).correlation(0, 1) == 0
    assert of(marks).correlation(1, 1) == 1
    assert of(walk(LEAST)).correlation(0, 1) == 0, "29 returns are too few"


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_historical_value_at_risk_is_a_quantile_of_what_would_have_been_gained(confidence: float) -> None:
    marks, values = walk(251), [1e5, -4e4]
    gains = np.diff(np.log(marks), axis=0) @ values
    expected = -np.quantile(gains, 1 - confidence) * math.sqrt(60)
    found = of(marks).value_at_risk(values, confidence, "historical", MINUTE)
    assert found == pytest.approx(expected)
    assert found > 0


def test_parametric_value_at_risk_is_that_of_the_normal_law() -> None:
    marks, values = walk(251), [1e5, -4e4]
    deviation = np.std(np.diff(np.log(marks), axis=0) @ values, ddof=1)
    expected = 1.6448536269514722 * deviation * math.sqrt(86_400)
    assert of(marks).value_at_risk(values, 0.95, "parametric", DAY) == pytest.approx(expected)


def test_both_agree_where_returns_are_normal() -> None:
    """Of 9,999 normal returns the historical quantile has the standard error sqrt(p(1-p)/n)/f(q): 2.1 % at 95 %."""
    law, history = NormalDist(), of(walk(10_000, 1))
    error = math.sqrt(0.05 * 0.95 / 9_999) / law.pdf(law.inv_cdf(0.95)) / law.inv_cdf(0.95)
    ratio = history.value_at_risk([1.0], 0.95, "historical", SECOND) / history.value_at_risk(
        [1.0], 0.95, "parametric", SECOND
    )
    print(f"historical over parametric {ratio:.3f}, standard error {error:.3f}")
    assert abs(ratio - 1) < 4 * error


def test_it_is_a_loss_of_a_position_whose_price_only_rose() -> None:
    marks = np.linspace(100, 200, 60)[:, None]
    assert of(marks).value_at_risk([1.0], 0.95, "historical", SECOND) == 0
    assert math.isnan(of(marks[:LEAST]).value_at_risk([1.0], 0.95, "historical", SECOND))
