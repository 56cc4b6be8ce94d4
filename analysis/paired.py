"""Paired differences: of two columns of numbers taken under the same seeds, the difference and how sure it is.

Arrays in, numbers out; it runs nothing and knows no names of measures. Intervals of one difference, p-values and their
correction for how many there are, and power: how many seeds a difference needs to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, inf, isfinite, log2, nan, sqrt
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from marketsim.analysis.resampling import resamples
from marketsim.errors import InvalidValueError, did_you_mean

Floats = npt.NDArray[np.float64]

RESAMPLES = 4_000
FEWEST = 6  # seeds from which resamples of them tell anything: fewer are too often all but alike
CORRECTIONS = ("holm", "benjamini-hochberg", "bonferroni", "none")
_ROUNDING = 1e-12  # differences below it, against the numbers themselves, are arithmetic
_MANY = 100_000  # seeds from which Student's law is the normal one
_MOST = 10**12  # seeds beyond which nobody asks


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """A number in two worlds, in its own unit.

    ``left`` and ``right`` are the means over the ``seeds`` pairs, ``difference`` is right - left, ``deviation`` the
    standard deviation of the paired differences (n - 1). ``low`` and ``high``: Student's interval. ``boot_low`` and
    ``boot_high``: studentized bootstrap. ``p``: two-sided paired t-test. ``gain``: the factor by which pairing narrows
    the interval, against two independent samples of the same sizes. Without two pairs there are no intervals (-∞ to ∞).
    """

    left: float
    right: float
    difference: float
    deviation: float
    low: float
    high: float
    boot_low: float
    boot_high: float
    p: float
    gain: float
    seeds: int

    @property
    def effect(self) -> float:
        """Cohen's d_z: the difference in standard deviations of the paired differences; 0 where nothing differs."""
        if self.deviation == 0.0:
            return 0.0 if self.difference == 0.0 else float(np.copysign(inf, self.difference))
        return self.difference / self.deviation

    @property
    def equal(self) -> bool:
        """Whether both are equal under every seed."""
        return self.seeds > 0 and self.difference == 0.0 and self.deviation == 0.0

    @property
    def unpaired(self) -> tuple[float, float]:
        """Student's interval as it would be without common seeds, with the same degrees of freedom."""
        half = (self.high - self.low) / 2.0 * self.gain
        return self.difference - half, self.difference + half


def paired_difference(left: npt.ArrayLike, right: npt.ArrayLike, confidence: float = 0.95) -> PairedDifference:
    """The difference of two columns, a row a seed; pairs of which one is missing (NaN) are left out.

    Student's interval is x̄ ± t(1−α/2; n−1)·s/√n of the n differences. The other one is the bootstrap-t (B. Efron,
    Canadian Journal of Statistics 9, 1981; P. Hall, Annals of Statistics 16, 1988), whose coverage is right to second
    order: x̄ − q(1−α/2)·s/√n to x̄ − q(α/2)·s/√n, where q are quantiles of (x̄* − x̄)/(s*/√n) over resamples of the
    differences. Both ends are NaN with fewer than ``FEWEST`` seeds, and where too few different values give resamples
    without spread.
    """
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    there = ~(np.isnan(a) | np.isnan(b))
    a, b = a[there], b[there]
    count = len(a)
    if count < 2:
        means = [float(x.mean()) if count else nan for x in (a, b)]
        return PairedDifference(
            left=means[0], right=means[1], difference=means[1] - means[0], deviation=nan, low=-inf, high=inf,
            boot_low=nan, boot_high=nan, p=nan, gain=nan, seeds=count,
        )  # fmt: skip
    gaps = _differences(a, b)
    mean, deviation = float(gaps.mean()), _deviation(gaps)
    error = deviation / sqrt(count)
    half = student(confidence, count - 1) * error
    boot_low, boot_high = _bootstrap(gaps - mean, confidence)
    return PairedDifference(
        left=float(a.mean()), right=float(b.mean()), difference=mean, deviation=deviation,
        low=mean - half, high=mean + half, boot_low=mean + boot_low, boot_high=mean + boot_high,
        p=paired_p(mean, error, count), gain=_gain(a, b, deviation), seeds=count,
    )  # fmt: skip


def paired_p(difference: float, error: float, count: int) -> float:
    """The p-value of the paired t-test, two-sided.

    Differences that are all zero are no evidence (1). Of those that are all one other number, as whole numbers and
    prices in ticks can be by chance, Student's law knows nothing: then it is that of the sign test, 2^(1 - n).
    """
    from scipy.stats import t

    if error == 0.0:
        return 1.0 if difference == 0.0 else 2.0 ** (1 - count)
    return float(2.0 * t.sf(abs(difference) / error, count - 1))


@overload
def student(confidence: float, freedom: int) -> float: ...


@overload
def student(confidence: float, freedom: npt.NDArray[Any]) -> Floats: ...


def student(confidence: float, freedom: int | npt.NDArray[Any]) -> float | Floats:
    """Student's two-sided quantile; one for each of several degrees of freedom."""
    from scipy.stats import t

    found = t.ppf(0.5 + confidence / 2.0, freedom)
    return float(found) if isinstance(freedom, int) else np.asarray(found, np.float64)


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> tuple[float, float, float]:
    """The mean of what is there (not NaN), and both ends of Student's interval; -∞ to ∞ with fewer than two numbers."""
    there = np.asarray(values, np.float64)
    there = there[~np.isnan(there)]
    count = len(there)
    mean = float(there.mean()) if count else nan
    if count < 2:
        return mean, -inf, inf
    half = student(confidence, count - 1) * float(there.std(ddof=1)) / sqrt(count)
    return mean, mean - half, mean + half


# --- many at once ---


def corrected(p: npt.ArrayLike, correction: str = "holm") -> Floats:
    """p-values corrected for how many there are, in the order given; NaN stays and does not count.

    "holm" (S. Holm, Scandinavian Journal of Statistics 6, 1979) and "bonferroni" hold the chance of even one false
    finding; "benjamini-hochberg" (Journal of the Royal Statistical Society B 57, 1995) holds the expected share of
    false ones among what is found; "none" leaves them as they are. InvalidValueError for another name.
    """
    values = np.asarray(p, np.float64)
    if correction not in CORRECTIONS:
        raise InvalidValueError(f"correction={correction!r} is unknown{did_you_mean(correction, CORRECTIONS)}")
    there = ~np.isnan(values)
    found = np.full(len(values), nan)
    found[there] = _CORRECTED[correction](values[there])
    return found


def holm(p: Floats) -> Floats:
    """Holm's corrected p-values, in the order given: the k-th smallest of m is multiplied by m - k + 1."""
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    return _back(np.minimum(np.maximum.accumulate(p[order] * factors), 1.0), order)


def _benjamini_hochberg(p: Floats) -> Floats:
    """The k-th smallest of m is multiplied by m / k, and none is larger than one behind it."""
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (len(p) / np.arange(1, len(p) + 1))
    return _back(np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0), order)


def _back(ordered: Floats, order: npt.NDArray[np.intp]) -> Floats:
    found = np.empty(len(ordered))
    found[order] = ordered
    return found


def _bonferroni(p: Floats) -> Floats:
    return np.minimum(p * len(p), 1.0)


def _uncorrected(p: Floats) -> Floats:
    return p


_CORRECTED: dict[str, Callable[[Floats], Floats]] = {
    "holm": holm,
    "benjamini-hochberg": _benjamini_hochberg,
    "bonferroni": _bonferroni,
    "none": _uncorrected,
}


# --- power ---


def seeds_needed(
    difference: float, deviation: float, *, power: float = 0.8, confidence: float = 0.95, tests: int = 1
) -> int:
    """How many seeds a paired t-test needs to see a difference.

    difference, deviation: of the paired differences, in the same unit; a pilot comparison gives the second.
    power: the chance to see it. tests: among how many the level is divided (Bonferroni), for a comparison of many
    measures. Exact by the noncentral t law (J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988).
    Differences without deviation need as many as the sign test does. Raises InvalidValueError for what can never be
    seen.
    """
    level = _level(confidence, tests)
    _checked(power, level)
    if difference == 0.0 or not isfinite(difference):
        raise InvalidValueError(f"difference={difference}: give what is to be seen, a number other than zero")
    _check_deviation(deviation)
    if deviation == 0.0:
        return ceil(1.0 - log2(level))
    return _seeds(abs(difference) / deviation, power, level)


def power_of(seeds: int, difference: float, deviation: float, *, confidence: float = 0.95, tests: int = 1) -> float:
    """The chance that a paired t-test of so many seeds sees a difference; see ``seeds_needed``."""
    _check_seeds(seeds)
    _check_deviation(deviation)
    level = _level(confidence, tests)
    if deviation == 0.0:
        return float(difference != 0.0 and 2.0 ** (1 - seeds) <= level)
    return _power(seeds, abs(difference) / deviation, level)


def smallest_difference(
    seeds: int, deviation: float, *, power: float = 0.8, confidence: float = 0.95, tests: int = 1
) -> float:
    """The smallest difference that so many seeds see with this chance, in the unit of ``deviation``."""
    _check_seeds(seeds)
    _check_deviation(deviation)
    level = _level(confidence, tests)
    _checked(power, level)
    return _smallest_effect(seeds, power, level) * deviation


@lru_cache(maxsize=256)
def _smallest_effect(seeds: int, power: float, level: float) -> float:
    from scipy.optimize import brentq

    high = 1.0
    while _power(seeds, high, level) < power:
        high *= 2.0
    return float(brentq(lambda effect: _power(seeds, effect, level) - power, 0.0, high, xtol=1e-12))


@lru_cache(maxsize=1024)
def _seeds(effect: float, power: float, level: float) -> int:
    """The smallest count whose power is enough: from the normal law's answer outwards, then by halving."""
    from scipy.stats import norm

    guess = float(((norm.isf(level / 2.0) + norm.isf(1.0 - power)) / effect) ** 2)
    if guess > _MOST:
        raise InvalidValueError(
            f"a difference of {effect:.2g} deviations needs more than {_MOST:,} seeds: no run sees it"
        )
    low, high = 1, max(ceil(guess), 2)
    while _power(high, effect, level) < power:
        low, high = high, high + max(high // 8, 1)
    step = 1
    while high - step > low and _power(high - step, effect, level) >= power:
        high, step = high - step, step * 2
    low = max(low, high - step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(middle, effect, level) >= power else (middle, high)
    return high


def _power(count: int, effect: float, level: float) -> float:
    """P(|T| > critical) for T noncentral Student with centre effect·√n: both tails."""
    from scipy.stats import nct, norm, t

    centre = effect * sqrt(count)
    if count > _MANY:
        critical = float(norm.isf(level / 2.0))
        return float(norm.sf(critical - centre) + norm.sf(critical + centre))
    critical = float(t.isf(level / 2.0, count - 1))
    if centre == 0.0:
        return level
    right, wrong = (float(nct.sf(critical, count - 1, side * centre)) for side in (1.0, -1.0))
    if np.isnan(right):  # far out, where the series does not converge
        right = float(centre > critical)
    return min(right + (0.0 if np.isnan(wrong) else wrong), 1.0)


def _level(confidence: float, tests: int) -> float:
    check_confidence(confidence)
    if tests < 1:
        raise InvalidValueError(f"tests={tests}: at least one")
    return (1.0 - confidence) / tests


def check_confidence(confidence: float) -> None:
    """InvalidValueError unless it lies between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise InvalidValueError(f"confidence={confidence}: it lies between 0 and 1, such as 0.95")


def _checked(power: float, level: float) -> None:
    if not level < power < 1.0:
        raise InvalidValueError(f"power={power}: it lies between {level:.4g} and 1, such as 0.8")


def _check_seeds(seeds: int) -> None:
    if seeds < 2:
        raise InvalidValueError(f"seeds={seeds}: a test needs at least two")


def _check_deviation(deviation: float) -> None:
    if not (deviation >= 0.0 and isfinite(deviation)):
        raise InvalidValueError(f"deviation={deviation}: it is a number from 0 upwards, that of the paired differences")


# --- inner ---


def _differences(a: Floats, b: Floats) -> Floats:
    """b - a, and 0 where they differ by rounding only."""
    gaps = b - a
    gaps[np.abs(gaps) <= _ROUNDING * np.maximum(np.abs(a), np.abs(b))] = 0.0
    return gaps


def _deviation(values: Floats) -> float:
    """Of a sample (n - 1); 0 where all are equal but for rounding."""
    found = float(values.std(ddof=1))
    return found if found > _ROUNDING * float(np.abs(values).max()) else 0.0


def _gain(a: Floats, b: Floats, deviation: float) -> float:
    independent = sqrt(float(a.var(ddof=1) + b.var(ddof=1)))
    if deviation > 0.0:
        return independent / deviation
    return inf if independent > 0.0 else nan


def _bootstrap(centred: Floats, confidence: float) -> tuple[float, float]:
    """Both ends of the bootstrap-t around the mean."""
    count = len(centred)
    if not centred.any():
        return 0.0, 0.0
    if count < FEWEST:
        return nan, nan
    chosen = _weights(count)
    mean = chosen @ centred / count
    square = chosen @ centred**2 / count - mean**2
    spread = np.sqrt(np.maximum(square, 0.0) * count / (count - 1.0))
    error = spread / sqrt(count)
    flat = spread <= 1e-9 * float(np.abs(centred).max())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(flat, np.copysign(inf, mean), mean / error)
    tails = np.quantile(ratio, [0.5 + confidence / 2.0, 0.5 - confidence / 2.0], method="closest_observation")
    own = float(centred.std(ddof=1)) / sqrt(count)
    if not np.isfinite(tails).all():
        return nan, nan
    low, high = (-float(tail) * own for tail in tails)
    return low, high


@lru_cache(maxsize=4)
def _weights(count: int) -> Floats:
    """How often each seed is in each resample: a row a resample."""
    drawn = resamples(count, RESAMPLES)
    found = np.zeros((RESAMPLES, count))
    np.add.at(found, (np.arange(RESAMPLES)[:, None], drawn), 1.0)
    found.flags.writeable = False
    return found


def best_first(p: Sequence[float], effect: Sequence[float]) -> list[int]:
    """The order of interest: the smallest p-value first, then the largest effect; what is missing last."""
    keys: list[Any] = [(nan_last(one), -abs(other)) for one, other in zip(p, effect, strict=True)]
    return sorted(range(len(keys)), key=keys.__getitem__)


def nan_last(value: float) -> float:
    """A key to sort by in which NaN is behind everything."""
    return inf if np.isnan(value) else value
