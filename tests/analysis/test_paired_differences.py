"""Paired differences: by hand, against scipy and statsmodels, and what the intervals and levels keep in simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statistical import runs

from marketsim.analysis import paired
from marketsim.analysis.paired import (
    corrected,
    holm,
    mean_interval,
    paired_difference,
    power_of,
    seeds_needed,
    smallest_difference,
    student,
)
from marketsim.errors import InvalidValueError

# --- one difference ---


def test_the_interval_is_students_by_hand() -> None:
    """Differences 1, 2, 3: mean 2, s = 1, n = 3, t(0.975; 2) = 4.302653, t = 2√3, p = 1 - t/√(t² + 2)."""
    found = paired_difference([10.0, 20.0, 30.0], [11.0, 22.0, 33.0])
    half = 4.302652729911275 / 3**0.5
    assert (found.left, found.right, found.difference, found.deviation) == pytest.approx((20, 22, 2, 1))
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half))
    assert found.gain == pytest.approx((100 + 121) ** 0.5)  # standard deviations 10 and 11 against 1
    assert found.unpaired == pytest.approx((2 - half * 221**0.5, 2 + half * 221**0.5))
    assert found.p == pytest.approx(1 - 12**0.5 / 14**0.5)
    assert found.effect == pytest.approx(2.0)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=3, max_size=30))
def test_scipy_agrees(pairs: list[tuple[float, float]]) -> None:
    from scipy import stats

    left, right = np.array(pairs).T
    found = paired_difference(left, right, 0.9)
    if found.deviation < 1e-6 * max(np.abs(left).max(), np.abs(right).max(), 1e-300):
        return  # scipy warns of lost digits
    oracle = stats.ttest_rel(right, left)
    interval = oracle.confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-6)


def test_what_never_differs_does_not_differ() -> None:
    """All differences zero, or nothing but rounding: an interval of nothing around nothing."""
    values = np.array([0.1, 0.7, 3.3, 1e9 / 3])
    for other in (values, values * (1 + 2e-16)):
        found = paired_difference(values, other)
        assert (found.difference, found.low, found.high, found.boot_low, found.boot_high) == (0, 0, 0, 0, 0)
        assert (found.p, found.effect, found.equal) == (1.0, 0.0, True)


def test_what_always_differs_by_one_number_is_judged_by_its_sign() -> None:
    """Prices in ticks do so by chance: with n seeds in 2^(1 - n) of all cases, in which Student's p would be 0."""
    for count, p in ((2, 0.5), (5, 0.0625), (6, 0.03125)):
        found = paired_difference(np.arange(count), np.arange(count) + 0.01)
        assert found.p == p
        assert found.low == found.high == pytest.approx(0.01)
        assert found.effect == math.inf
    assert seeds_needed(0.01, 0.0) == 6
    assert power_of(6, 0.01, 0.0) == 1.0
    assert power_of(5, 0.01, 0.0) == 0.0


def test_a_missing_number_takes_its_pair_out() -> None:
    nan = math.nan
    found = paired_difference([1.0, nan, 3.0, 4.0], [2.0, 2.0, nan, 7.0])
    assert (found.seeds, found.left, found.right, found.difference) == (2, 2.5, 4.5, 2.0)
    lone = paired_difference([1.0, nan], [2.0, 3.0])
    assert (lone.seeds, lone.low, lone.high) == (1, -math.inf, math.inf)
    assert math.isnan(lone.p)
    assert not lone.equal
    assert paired_difference([], []).seeds == 0


def test_the_bootstrap_by_hand() -> None:
    """Of six differences all 46,656 resamples can be counted; ours are 4,000 drawn ones."""
    gaps = np.array([0.0, 1.0, 2.0, 5.0, 1.5, 2.5])
    picked = np.stack(np.meshgrid(*[np.arange(6)] * 6), axis=-1).reshape(-1, 6)
    drawn = gaps[picked]
    spread = drawn.std(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (drawn.mean(axis=1) - 2.0) / (spread / 6.0**0.5)
    ratio = np.where(spread == 0, np.copysign(np.inf, drawn.mean(axis=1) - 2.0), ratio)
    own = gaps.std(ddof=1) / 6.0**0.5
    found = paired_difference(np.zeros(6), gaps, 0.8)
    low, high = (2.0 - q * own for q in np.quantile(ratio, [0.9, 0.1], method="closest_observation"))
    assert (found.boot_low, found.boot_high) == pytest.approx((low, high), rel=0.05)


def test_a_bootstrap_without_spread_is_no_interval() -> None:
    """One difference among twenty: more than a third of the resamples do not see it."""
    found = paired_difference(np.zeros(20), np.array([0.0] * 19 + [1.0]))
    assert math.isnan(found.boot_high)
    assert math.isnan(found.boot_low)


def test_few_seeds_have_no_bootstrap() -> None:
    """Three of them gave an end eight hundred million away."""
    gaps = np.array([1.0, 1.0 + 1e-6, 7.0, 3.0, 4.0, 9.0])
    for count in range(2, 6):
        few = paired_difference(np.zeros(count), gaps[:count])
        assert math.isnan(few.boot_low)
        assert math.isnan(few.boot_high)
        assert math.isfinite(few.low)
    enough = paired_difference(np.zeros(6), gaps, 0.8)
    assert enough.boot_low < enough.difference < enough.boot_high


def test_a_bootstrap_scales_and_moves_with_its_numbers() -> None:
    gaps = np.random.default_rng(3).exponential(1.0, 15)
    one = paired_difference(np.zeros(15), gaps)
    other = paired_difference(np.full(15, 7.0), 100.0 * gaps + 7.0)
    assert (other.boot_low, other.boot_high) == pytest.approx((100 * one.boot_low, 100 * one.boot_high), rel=1e-9)
    mirrored = paired_difference(gaps, np.zeros(15))
    assert (mirrored.boot_low, mirrored.boot_high) == pytest.approx((-one.boot_high, -one.boot_low), rel=0.05)


# --- many ---


def test_holm_by_hand() -> None:
    """Smallest times 4, next times 3 …, never falling, at most 1 (the example of Holm's rule)."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])).tolist() == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrections_correct_upwards_and_keep_the_order(p: list[float]) -> None:
    values = np.array(p)
    order = np.argsort(values, kind="stable")
    bonferroni = corrected(values, "bonferroni")
    for name in paired.CORRECTIONS:
        found = corrected(values, name)
        assert (found >= values).all()
        assert (found <= bonferroni + 1e-15).all(), "never harsher than Bonferroni"
        assert (np.diff(found[order]) >= 0).all()
    assert (corrected(values, "benjamini-hochberg") <= holm(values) + 1e-15).all()


@pytest.mark.slow  # statsmodels takes seconds to load
@pytest.mark.parametrize("name", paired.CORRECTIONS[:3])
def test_corrections_agree_with_statsmodels(name: str) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    method = {"benjamini-hochberg": "fdr_bh"}.get(name, name)
    for seed in range(20):
        p = np.random.default_rng(seed).uniform(0, 0.3, seed + 1)
        assert corrected(p, name) == pytest.approx(multitest.multipletests(p, method=method)[1])


def test_what_is_missing_is_no_test() -> None:
    found = corrected([0.02, math.nan, 0.04], "bonferroni")
    assert found[[0, 2]].tolist() == [0.04, 0.08]
    assert math.isnan(found[1])
    with pytest.raises(InvalidValueError, match=r"correction='holms' is unknown; did you mean \"holm\""):
        corrected([0.1], "holms")


# --- power ---


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "seeds"), [(0.5, 20), (0.2, 50), (1.2, 6), (3.0, 3), (0.05, 2000)])
def test_power_agrees_with_statsmodels(effect: float, seeds: int) -> None:
    test = pytest.importorskip("statsmodels.stats.power").TTestPower()
    assert power_of(seeds, effect, 1.0) == pytest.approx(test.power(effect, seeds, 0.05), abs=1e-9)
    wanted = test.solve_power(nobs=seeds, power=0.8, alpha=0.05)
    assert smallest_difference(seeds, 2.0) == pytest.approx(2.0 * wanted, rel=1e-3)
    needed = test.solve_power(effect_size=effect, power=0.9, alpha=0.05) if effect < 1 else None
    if needed is not None:
        assert seeds_needed(effect, 1.0, power=0.9) == math.ceil(needed)


@given(st.floats(0.003, 30.0), st.sampled_from([0.5, 0.8, 0.95]), st.sampled_from([1, 40]))
def test_the_seeds_needed_are_the_fewest(effect: float, power: float, tests: int) -> None:
    count = seeds_needed(-effect, 1.0, power=power, tests=tests)
    assert power_of(count, effect, 1.0, tests=tests) >= power
    assert count == 2 or power_of(count - 1, effect, 1.0, tests=tests) < power
    assert smallest_difference(count, 1.0, power=power, tests=tests) <= effect * (1 + 1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: seeds_needed(0.0, 1.0), "other than zero"),
        (lambda: seeds_needed(1e-9, 1.0), "no run sees it"),
        (lambda: seeds_needed(1.0, -1.0), "deviation=-1.0"),
        (lambda: seeds_needed(1.0, math.nan), "deviation=nan"),
        (lambda: seeds_needed(1.0, 1.0, power=1.0), "power=1.0: it lies between 0.05 and 1"),
        (lambda: seeds_needed(1.0, 1.0, confidence=95), "confidence=95"),
        (lambda: seeds_needed(1.0, 1.0, tests=0), "tests=0"),
        (lambda: power_of(1, 1.0, 1.0), "seeds=1: a test needs at least two"),
        (lambda: smallest_difference(1, 1.0), "seeds=1: a test needs at least two"),
    ],
)
def test_what_cannot_be_answered_is_refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        call()


# --- what they keep ---

LAWS: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], float]] = {
    "normal": (lambda rng: rng.normal(0.3, 1.0, 20), 0.3),
    "exponential": (lambda rng: rng.exponential(1.0, 20), 1.0),
    "lognormal": (lambda rng: rng.lognormal(0.0, 0.5, 20), math.exp(0.125)),
}


def _coverage(law: str, trials: int) -> tuple[float, float]:
    """Of Student's and of the bootstrap interval, 20 seeds each."""
    draw, mean = LAWS[law]
    rng = np.random.default_rng(7)
    inside = np.zeros(2)
    for _ in range(trials):
        base = rng.normal(0.0, 3.0, 20)
        found = paired_difference(base, base + draw(rng))
        inside += [found.low <= mean <= found.high, found.boot_low <= mean <= found.boot_high]
    return inside[0] / trials, inside[1] / trials


@pytest.mark.statistical
@pytest.mark.parametrize("law", LAWS)
def test_intervals_have_their_stated_coverage(law: str) -> None:
    """95 % within three sampling errors; Student's where differences are normal, the bootstrap's also where skewed.

    Student's covers an exponential mean in about 92 % of all cases with 20 seeds, which is why there are two.
    """
    trials = runs(2000, 20_000)
    student, bootstrap = _coverage(law, trials)
    error = (0.95 * 0.05 / trials) ** 0.5
    assert abs(bootstrap - 0.95) < 3 * error + (0.0 if law == "normal" else 0.003)  # right to second order only
    if law == "normal":
        assert abs(student - 0.95) < 3 * error
    else:
        assert 0.90 < student < 0.95


@pytest.mark.statistical
@pytest.mark.parametrize("law", ["normal", "heavy", "whole"])
def test_of_many_equal_measures_none_is_found_more_often_than_stated(law: str) -> None:
    """Twelve correlated measures of two equal strategies: exchangeable, so their differences are symmetric."""
    rng, trials, level = np.random.default_rng(5), runs(1500, 10_000), 0.05
    found = dict.fromkeys(("holm", "bonferroni", "benjamini-hochberg", "none"), 0)
    for _ in range(trials):
        count = int(rng.integers(3, 12))
        common = rng.normal(size=(count, 1, 1))
        sides = rng.normal(size=(count, 12, 2)) + rng.normal(size=(count, 1, 2)) + common
        if law == "heavy":
            sides = rng.standard_t(2, size=(count, 12, 2))
        if law == "whole":
            sides = np.round(sides)
        rows = [paired.paired_p(*_mean_and_error(sides[:, k, 1] - sides[:, k, 0]), count) for k in range(12)]
        for name in found:
            found[name] += bool((corrected(rows, name) < level).any())
    most = level + 3 * (level * (1 - level) / trials) ** 0.5
    assert found["holm"] / trials < most
    assert found["bonferroni"] / trials < most
    assert found["benjamini-hochberg"] / trials < most  # all are equal, so that the share of false ones is 0 or 1
    assert found["none"] / trials > 2 * level, "twelve uncorrected tests must err more often: else nothing is tested"


def _mean_and_error(gaps: np.ndarray) -> tuple[float, float]:
    return float(gaps.mean()), float(gaps.std(ddof=1)) / len(gaps) ** 0.5


@pytest.mark.statistical
def test_the_power_is_what_a_simulation_finds() -> None:
    rng, trials = np.random.default_rng(2), runs(20_000, 200_000)
    count = seeds_needed(0.7, 1.4, power=0.8)
    gaps = rng.normal(0.7, 1.4, (trials, count))
    ratio = gaps.mean(axis=1) / gaps.std(axis=1, ddof=1) * count**0.5
    seen = float((np.abs(ratio) > paired.student(0.95, count - 1)).mean())
    expected = power_of(count, 0.7, 1.4)
    assert 0.8 <= expected < 0.83
    assert abs(seen - expected) < 3 * (0.16 / trials) ** 0.5


def test_the_interval_of_a_mean_is_students() -> None:
    values = np.array([1.0, np.nan, 2.0, 4.0, 9.0])
    mean, low, high = mean_interval(values, 0.9)
    from scipy import stats

    there = values[~np.isnan(values)]
    expected = stats.t.interval(0.9, len(there) - 1, loc=there.mean(), scale=stats.sem(there))
    assert mean == 4.0
    assert (low, high) == pytest.approx(expected)
    assert mean_interval([3.0, np.nan]) == (3.0, -np.inf, np.inf)
    assert np.isnan(mean_interval([])[0])
    assert student(0.95, np.array([1, 4])).tolist() == [student(0.95, 1), student(0.95, 4)]
