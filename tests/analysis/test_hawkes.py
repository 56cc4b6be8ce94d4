"""Hawkes processes: a likelihood by hand, its gradient, parameters recovered from thinning, recorded days."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import by_hand, lobster, lobster_folder, with_rows
from synthetic import market as synthetic_market

from marketsim.analysis import branching_ratio, fit_hawkes, hawkes_log_likelihood, simulate_hawkes
from marketsim.analysis.hawkes import HawkesFit, _likelihood
from marketsim.errors import InvalidValueError
from tests.statistical import runs

SECOND = 1_000_000_000
TWO = {"base_rates": (0.3, 0.2), "branching": ((0.4, 0.2), (0.1, 0.5)), "decays": (3.0, 6.0)}


def twin(times: list[np.ndarray], base: np.ndarray, children: np.ndarray, decays: np.ndarray, end: float) -> float:
    """The log-likelihood as it is written: a sum over all pairs."""
    total = 0.0
    for i, own in enumerate(times):
        total -= base[i] * end
        for t in own:
            rate = base[i]
            for j, other in enumerate(times):
                past = other[other < t]
                rate += float((children[i, j] * decays[i] * np.exp(-np.outer(t - past, decays[i]))).sum())
            total += math.log(rate)
        for j, other in enumerate(times):
            total -= float((children[i, j] * (1.0 - np.exp(-np.outer(end - other, decays[i])))).sum())
    return total


def test_three_events_by_hand() -> None:
    """μ = .5, n = .4, β = 2 (so excitation n·β = .8), events at 1, 2 and 4 of 5 seconds."""
    rates = (0.5, 0.5 + 0.8 * math.exp(-2), 0.5 + 0.8 * (math.exp(-4) + math.exp(-6)))
    area = 0.5 * 5 + 0.4 * (3 - math.exp(-8) - math.exp(-6) - math.exp(-2))
    expected = sum(map(math.log, rates)) - area
    assert hawkes_log_likelihood([1, 2, 4], 0.5, 0.4, 2.0, end=5) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    first=st.lists(st.floats(0.01, 9.9), min_size=1, max_size=8, unique=True),
    second=st.lists(st.floats(0.01, 9.9), min_size=1, max_size=8, unique=True),
    seed=st.integers(0, 1000),
)
def test_the_recursion_is_the_sum_over_pairs(first: list[float], second: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    times = [np.array(sorted(first)), np.array(sorted(set(second) - set(first)) or [9.95])]
    base, children, decays = random.random(2) + 0.1, random.random((2, 2, 2)), random.random((2, 2)) * 5 + 0.1
    found = hawkes_log_likelihood(times, base, children, decays, end=10.0)
    assert found == pytest.approx(twin(times, base, children, decays, 10.0), rel=1e-9, abs=1e-9)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    first, second = simulate_hawkes(**TWO, duration=100, seed=3)
    times, kinds = np.concatenate((first, second)), np.repeat([0, 1], [len(first), len(second)])
    order = np.argsort(times)
    times, kinds = times[order], kinds[order]
    vector = np.array([0.3, 0.2, 0.1, 0.3, 0.05, 4.0, 0.7])  # two kinds, two terms
    gradient, ignored = np.empty(7), np.empty(7)
    _likelihood(times, kinds, 0, 100.0, 2, 2, vector, gradient)
    for place in range(7):
        step = np.zeros(7)
        step[place] = 1e-6 * vector[place]
        values = [_likelihood(times, kinds, 0, 100.0, 2, 2, vector + sign * step, ignored) for sign in (1, -1)]
        assert gradient[place] == pytest.approx((values[0] - values[1]) / (2 * step[place]), rel=1e-5, abs=1e-5)


def test_thinning_has_the_mean_rates_and_obeys_its_seed() -> None:
    """E N = (1 − n)⁻¹ μ T; its variance is about (1 − n)⁻¹ diag(Λ) (1 − nᵀ)⁻¹ T (Hawkes 1971)."""
    times = simulate_hawkes(**TWO, duration=5_000, seed=1)
    inverse = np.linalg.inv(np.eye(2) - np.array(TWO["branching"]))
    mean = inverse @ TWO["base_rates"]
    error = np.sqrt(np.diag(inverse @ np.diag(mean) @ inverse.T) * 5_000)
    assert (np.abs([len(each) - rate * 5_000 for each, rate in zip(times, mean, strict=True)]) < 4 * error).all()
    again, other = (simulate_hawkes(**TWO, duration=5_000, seed=seed) for seed in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(times, again, strict=True))
    assert not np.array_equal(times[0], other[0])
    assert all((np.diff(each) > 0).all() for each in times)


def test_a_fit_recovers_what_was_simulated() -> None:
    """All ten parameters and the branching ratio within 3 standard errors; the model passes its own test."""
    fit = fit_hawkes(simulate_hawkes(**TWO, duration=4_000, seed=5), end=4_000, labels=("a", "b"))
    found = (fit.base_rates, fit.branching, fit.decays[:, 0])
    errors = (fit.base_errors, fit.children_errors[:, :, 0], fit.decay_errors[:, 0])
    for value, error, true in zip(found, errors, TWO.values(), strict=True):
        assert (np.abs(value - np.array(true)) < 3 * error).all()
    assert abs(fit.ratio - branching_ratio(TWO["branching"])) < 3 * fit.ratio_error
    assert 0.005 < fit.ratio_error < 0.05
    assert (fit.ks_p_value > 1e-3).all()
    assert fit.log_likelihood > fit.poisson_log_likelihood + 100
    assert fit.log_likelihood == pytest.approx(
        hawkes_log_likelihood(
            simulate_hawkes(**TWO, duration=4_000, seed=5), fit.base_rates, fit.children, fit.decays, 4_000
        ),
        rel=1e-9,
    )
    assert "a: base 0." in str(fit)
    assert fit.parameters == 8
    assert fit.aic == pytest.approx(16 - 2 * fit.log_likelihood)


@pytest.mark.statistical
def test_errors_are_as_large_as_they_say() -> None:
    """(estimate − true) / standard error over many histories: mean 0 and deviation 1 within 4 standard errors."""
    count = runs(25, 400)
    scores = []
    for seed in range(count):
        fit = fit_hawkes(simulate_hawkes(0.5, 0.6, 3.0, duration=3_000, seed=seed), end=3_000)
        found = (fit.base_rates[0], fit.ratio, fit.decays[0, 0])
        errors = (fit.base_errors[0], fit.ratio_error, fit.decay_errors[0, 0])
        scores.append([(a - b) / e for a, b, e in zip(found, (0.5, 0.6, 3.0), errors, strict=True)])
    mean, deviation = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1)
    print(f"\n{count} fits; base rate, branching ratio, decay: mean {mean.round(2)}, deviation {deviation.round(2)}")
    assert (np.abs(mean) < 4 / math.sqrt(count)).all()
    assert (np.abs(deviation - 1) < 4 / math.sqrt(2 * count)).all()


def test_a_poisson_process_excites_nothing() -> None:
    random = np.random.default_rng(3)
    fit = fit_hawkes(np.sort(random.random(2_000) * 1_000), end=1_000)
    assert fit.ratio < 0.1
    assert fit.ks_p_value[0] > 1e-3
    assert fit.log_likelihood - fit.poisson_log_likelihood < 8  # chi-square of two degrees, halved


def test_two_terms_are_found_where_there_are_two() -> None:
    """Two independent processes of one kind, a fast and a slow one, need two exponentials."""
    parts = [simulate_hawkes(0.1, 0.5, decay, duration=8_000, seed=seed)[0] for decay, seed in ((50.0, 1), (0.5, 2))]
    times = np.sort(np.concatenate(parts))
    one, two = (fit_hawkes(times, end=8_000, terms=terms) for terms in (1, 2))
    assert two.aic < one.aic - 20
    assert two.decays[0, 0] > 5 * two.decays[0, 1]
    assert two.children.shape == (1, 1, 2)


def test_a_market_gives_its_trades_and_their_sides() -> None:
    tables = synthetic_market(minutes=2, trades=400, quotes=2_000)
    one, both = fit_hawkes(tables), fit_hawkes(tables, of="sides")
    assert one.labels == ("trades",)
    assert both.labels == ("buys", "sells")
    assert one.events.sum() == both.events.sum()
    assert one.seconds == pytest.approx(120)


def test_of_a_flow_without_market_orders_the_trades_are_taken_for_them() -> None:
    tables = synthetic_market(minutes=2, trades=400, quotes=2_000)
    whole = fit_hawkes(tables, of="flow")
    recorded = with_rows(tables, orders=tables.orders[tables.orders["order_type"] != "MARKET"])
    assert whole.labels == fit_hawkes(recorded, of="flow").labels
    assert whole.labels[:3] == ("market_buy", "market_sell", "limit_buy")
    assert fit_hawkes(recorded, of="flow").events[:2].tolist() == fit_hawkes(tables, of="sides").events.tolist()


def test_fills_of_one_order_are_one_trade() -> None:
    trades = [
        {"time": n * SECOND, "price": 1.0, "quantity": 1.0, "side": 1, "taker_order": n // 3} for n in range(1, 40)
    ]
    trades += [{**trade, "price": 2.0} for trade in trades]
    tables = by_hand(sorted(trades, key=lambda trade: float(trade["time"])))
    assert fit_hawkes(tables).events.tolist() == [39]


DAYS = {"AAPL": (1, 24_861, 0.83), "AMZN": (5, 8_183, 0.83)}


@pytest.mark.slow
@pytest.mark.skipif(
    lobster_folder() is None, reason="recorded LOBSTER days not found: set MARKETSIM_DATA to their folder"
)
@pytest.mark.parametrize("symbol", sorted(DAYS))
def test_most_trades_of_recorded_days_are_excited_by_others(symbol: str) -> None:
    """Branching ratios near .7 to 1 are published (Filimonov and Sornette 2012; Hardiman, Bercot and Bouchaud 2013).

    One exponential sees milliseconds only and finds half; the more scales it may see, the more is excited.
    """
    levels, trades, ratio = DAYS[symbol]
    fits = [fit_hawkes(lobster(symbol, levels), terms=terms) for terms in (1, 2, 3, 4)]
    print(f"\n{symbol}: branching ratio with 1, 2, 3, 4 exponentials: ", end="")
    print(", ".join(f"{fit.ratio:.3f} ± {fit.ratio_error:.3f} (KS {fit.ks_statistic[0]:.3f})" for fit in fits))
    assert {int(fit.events[0]) for fit in fits} == {trades}
    assert (np.diff([fit.ratio for fit in fits]) > 0).all()
    assert (np.diff([fit.aic for fit in fits]) < -100).all()
    assert (np.diff([fit.ks_statistic[0] for fit in fits]) < 0).all()
    assert fits[0].ratio == pytest.approx(0.47, abs=0.02)
    assert fits[3].ratio == pytest.approx(ratio, abs=0.02)
    assert 0.7 < fits[3].ratio < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_hawkes([2.0, 1.0]), "times of kind 0: must rise"),
        (lambda: fit_hawkes(np.arange(20.0), end=5), "times of kind 0: must rise from 0 to the end, 5 s"),
        (lambda: fit_hawkes([1.0, 2.0]), "2 events of kind 0 are too few"),
        (lambda: fit_hawkes(np.arange(20.0), terms=0), "terms=0"),
        (lambda: fit_hawkes(synthetic_market(minutes=1, trades=99, quotes=999), of="side"), 'did you mean "sides"'),
        (lambda: fit_hawkes(by_hand(), of="flow"), 'of="flow" needs a table of orders'),
        (lambda: simulate_hawkes(1.0, 1.0, 1.0, 10), "spectral radius is 1; it must be below 1"),
        (lambda: simulate_hawkes([1.0, 1.0], [[0.1, 0.1]], 1.0, 10), "2 kinds of events need 2 rows of 2"),
        (lambda: simulate_hawkes(-1.0, 0.1, 1.0, 10), "must not be below 0"),
    ],
)
def test_what_makes_no_sense_is_refused(call: object, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        call()  # type: ignore[operator]


def test_a_fit_is_a_frozen_fact() -> None:
    fit = fit_hawkes(simulate_hawkes(1.0, 0.3, 2.0, duration=200, seed=1), end=200)
    assert isinstance(fit, HawkesFit)
    with pytest.raises(AttributeError):
        fit.ratio = 1.0  # type: ignore[misc]
