"""VPIN by hand, PIN recovered from simulated days, its likelihood against the plain formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import approx_fprime
from synthetic import SECOND, by_hand

from marketsim.analysis import fit_pin, pin_log_likelihood, trade_counts, vpin
from marketsim.analysis.informed_trading import _height, _rates
from marketsim.domain.units import MINUTE
from marketsim.errors import InvalidValueError, NotRecordedError


def trades(*rows: tuple[int, float, int]) -> list[dict[str, float]]:
    return [{"time": t * SECOND, "price": 100.0, "quantity": q, "side": s} for t, q, s in rows]


def test_vpin_by_hand() -> None:
    market = by_hand(trades((1, 6, 1), (2, 8, -1), (3, 10, 1), (4, 5, -1)))
    found = vpin(market, 10, window=2)
    # buckets: 6 buy 4 sell; 4 sell 6 buy; 4 buy 5 sell and one unit that fills no bucket is left
    assert found["buy"].tolist() == pytest.approx([6, 6])
    assert found["sell"].tolist() == pytest.approx([4, 4])
    assert found["begin"].tolist() == [1 * SECOND, 2 * SECOND]
    assert found["end"].tolist() == [2 * SECOND, 3 * SECOND]
    assert np.isnan(found["vpin"].iloc[0])
    assert found["vpin"].iloc[1] == pytest.approx((2 + 2) / 20)


def test_one_sided_flow_is_all_informed_and_balanced_flow_is_not() -> None:
    one_sided = by_hand(trades(*((n, 1, 1) for n in range(1, 80))))
    assert vpin(one_sided, 5, window=3)["vpin"].iloc[-1] == pytest.approx(1)
    balanced = by_hand(trades(*((n, 1, 1 if n % 2 else -1) for n in range(1, 81))))
    assert vpin(balanced, 4, window=3)["vpin"].iloc[-1] == pytest.approx(0)
    unknown = by_hand(trades((1, 4, 0), (2, 4, 1), (3, 4, -1)))
    assert vpin(unknown, 4, window=1)["vpin"].tolist() == pytest.approx([0, 1, 1])


def test_bulk_classification_by_hand() -> None:
    rows = [
        {"time": n * MINUTE, "price": price, "quantity": 10.0, "side": 0}
        for n, price in enumerate((100, 101, 100, 102))
    ]
    found = vpin(by_hand(rows, end=5 * MINUTE), 10, window=1, classification="bulk")
    change = np.array([0, 1, -1, 2])
    assert found["buy"].to_numpy() == pytest.approx(10 * stats.norm.cdf(change / change.std()))
    with pytest.raises(NotRecordedError, match='VPIN with classification="true" needs the aggressor'):
        vpin(by_hand(rows, end=5 * MINUTE), 10)


def test_what_vpin_is_asked_must_make_sense() -> None:
    market = by_hand(trades((1, 6, 1)))
    with pytest.raises(InvalidValueError, match="did you mean"):
        vpin(market, classification="bulks")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="bucket=0"):
        vpin(market, 0)
    assert vpin(by_hand()).empty


def _days(
    rng: np.random.Generator, count: int, alpha: float, delta: float, mu: float, buy: float, sell: float
) -> np.ndarray:
    news, bad = rng.random(count) < alpha, rng.random(count) < delta
    return np.stack([rng.poisson(buy + mu * (news & ~bad)), rng.poisson(sell + mu * (news & bad))])


def test_pin_comes_back_from_simulated_days() -> None:
    truth = (0.4, 0.3, 60.0, 80.0, 70.0)
    found = fit_pin(*_days(np.random.default_rng(1), 500, *truth))
    pin = 0.4 * 60 / (0.4 * 60 + 150)
    assert found.pin == pytest.approx(pin, abs=4 * found.standard_error)
    assert found.standard_error < 0.01
    got = (found.alpha, found.delta, found.informed_rate, found.buy_rate, found.sell_rate)
    assert got == pytest.approx(truth, rel=0.15)


def test_thousands_of_trades_a_day_do_not_overflow() -> None:
    found = fit_pin(*_days(np.random.default_rng(2), 100, 0.5, 0.5, 2e4, 1e5, 1.2e5))
    assert found.pin == pytest.approx(1e4 / 2.3e5, rel=0.2)
    assert np.isfinite(found.log_likelihood)


def test_the_likelihood_is_the_plain_mixture() -> None:
    buys, sells = _days(np.random.default_rng(3), 20, 0.4, 0.3, 6.0, 8.0, 7.0)
    a, d, mu, b, s = 0.3, 0.6, 5.0, 7.0, 9.0
    poisson = stats.poisson.pmf
    plain = (
        (1 - a) * poisson(buys, b) * poisson(sells, s)
        + a * d * poisson(buys, b) * poisson(sells, s + mu)
        + a * (1 - d) * poisson(buys, b + mu) * poisson(sells, s)
    )
    assert pin_log_likelihood(buys, sells, a, d, mu, b, s) == pytest.approx(np.log(plain).sum())


def test_the_slope_of_the_likelihood_is_its_derivative() -> None:
    buys, sells = _days(np.random.default_rng(3), 20, 0.4, 0.3, 6.0, 8.0, 7.0).astype(float)
    point = np.array([-0.4, 0.3, 1.5, 2.0, 2.2])
    slope = approx_fprime(point, lambda at: pin_log_likelihood(buys, sells, *_rates(at)), 1e-6)
    assert _height(point, buys, sells)[1] == pytest.approx(slope, rel=1e-3, abs=1e-3)


def test_pin_of_nothing_and_of_nonsense() -> None:
    assert np.isnan(fit_pin(np.ones(9), np.ones(9)).pin)
    assert np.isnan(fit_pin(np.zeros(20), np.ones(20)).pin)
    with pytest.raises(InvalidValueError, match="one length"):
        fit_pin(np.ones(10), np.ones(11))
    with pytest.raises(InvalidValueError, match="not negative"):
        fit_pin(-np.ones(10), np.ones(10))


def test_counts_of_each_whole_interval() -> None:
    market = by_hand(trades((0, 1, 1), (5, 1, -1), (12, 1, 1), (13, 1, 1), (25, 1, 1)), end=25 * SECOND)
    found = trade_counts(market, "10s")
    assert found["buys"].tolist() == [1, 2]
    assert found["sells"].tolist() == [1, 0]
