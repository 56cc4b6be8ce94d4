"""Roll, Amihud, Corwin and Schultz: by hand, and spreads that come back from simulated bounce."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import SECOND, Tables, by_hand

from marketsim.analysis import amihud, corwin_schultz, roll_spread
from marketsim.domain.units import MINUTE
from marketsim.errors import InvalidValueError


def market(prices: np.ndarray, step: int, quantity: float = 1.0, end: int | None = None) -> Tables:
    rows = [{"time": n * step, "price": p, "quantity": quantity, "side": 1, "taker_order": n + 1}
            for n, p in enumerate(prices)]  # fmt: skip
    return by_hand(rows, end=len(prices) * step if end is None else end)


def test_roll_finds_the_spread_of_a_bounce() -> None:
    rng = np.random.default_rng(1)
    prices = 100 + np.cumsum(rng.normal(0, 0.005, 20_000)) + 0.05 * rng.choice((-1, 1), 20_000)
    assert roll_spread(market(prices, SECOND)) == pytest.approx(0.1, rel=0.03)
    assert roll_spread(market(prices, SECOND), unit="bps") == pytest.approx(1e4 * 0.1 / prices.mean(), rel=0.03)
    assert np.isnan(roll_spread(market(100 + 0.01 * np.arange(50.0) ** 2, SECOND)))  # a trend has no bounce
    assert np.isnan(roll_spread(by_hand()))
    with pytest.raises(InvalidValueError, match="did you mean"):
        roll_spread(by_hand(), unit="bp")  # type: ignore[arg-type]


def test_amihud_by_hand() -> None:
    found = amihud(market(np.array([100.0, 102.0, 101.0]), 5 * MINUTE, 10.0), "5min")
    expected = [abs(np.log(1.02)) / 1020, abs(np.log(101 / 102)) / 1010]
    assert found.ratio == pytest.approx(1e10 * np.mean(expected))
    assert found.standard_error == pytest.approx(1e10 * np.std(expected, ddof=1) / np.sqrt(2))
    assert found.intervals == 2
    assert np.isnan(amihud(by_hand()).ratio)


def test_corwin_and_schultz_find_the_spread_of_a_bounce() -> None:
    rng = np.random.default_rng(2)
    count = 200_000
    mid = 100 * np.exp(np.cumsum(rng.normal(0, 0.00004, count)))
    prices = mid * (1 + 0.002 * rng.choice((-1, 1), count))
    tape = market(prices[::10], SECOND)
    assert corwin_schultz(tape, "5min") == pytest.approx(40, rel=0.1)


def test_corwin_and_schultz_by_hand() -> None:
    prices = np.array([99.0, 101.0, 99.0, 101.0])  # two intervals with one range: everything is spread
    found = corwin_schultz(market(prices, 150 * SECOND), "5min")
    beta, gamma = 2 * np.log(101 / 99) ** 2, np.log(101 / 99) ** 2
    root = 3 - 2 * np.sqrt(2)
    a = (np.sqrt(2 * beta) - np.sqrt(beta)) / root - np.sqrt(gamma / root)
    assert found == pytest.approx(1e4 * 2 * (np.exp(a) - 1) / (1 + np.exp(a)))
    assert found == pytest.approx(200, rel=0.01)
    assert np.isnan(corwin_schultz(by_hand(), "5min"))
