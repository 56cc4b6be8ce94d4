"""Latency models against the distributions they are named after."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest
from scipy import stats

from marketsim.errors import InvalidValueError, UnknownParameterError, UnknownTypeError
from marketsim.network.catalogue import MODELS, latency_model
from marketsim.network.conformance import check_latency_model
from marketsim.network.hop import LONGEST
from marketsim.network.latency import (
    Constant,
    CubicJitter,
    Empirical,
    Gamma,
    LatencyModel,
    LinearInLoad,
    LogNormal,
    Pareto,
    Series,
    Tabulated,
    TruncatedNormal,
    Uniform,
)
from marketsim.network.sampling import normal_quantile

COUNT = 40_000


@dataclass(frozen=True)
class Triangle(Tabulated):
    """A user's own model: triangular on [low, low + 2·width], peak in the middle."""

    low: int
    width: int

    def quantile(self, u: float) -> float:
        """Inverse of the triangular distribution function."""
        if u < 0.5:
            return self.low + self.width * math.sqrt(2.0 * u)
        return self.low + self.width * (2.0 - math.sqrt(2.0 * (1.0 - u)))


class Exponential(Tabulated):
    """Another one, with a tail; and not hashable by value."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exponential)

    def quantile(self, u: float) -> float:
        """Inverse of 1 − exp(−x / 1 ms)."""
        return -1e6 * math.log1p(-u)


def _name(value: object) -> str:
    return type(value).__name__ if isinstance(value, LatencyModel) else ""


EVERY: list[LatencyModel] = [
    Constant("150us"),
    Constant(0),
    Uniform("10us", "30us"),
    Uniform(5, 5),
    TruncatedNormal("100us", "50us"),
    TruncatedNormal("100us", "50us", low="120us", high="130us"),
    TruncatedNormal("0s", "10us", low="100us"),
    LogNormal("150us", 0.8),
    LogNormal(mean="150us", sigma=1.2, minimum="100us"),
    Gamma("150us", 2.5),
    Gamma("150us", 0.3, minimum="50us"),
    Pareto("10us", 3.0),
    Pareto("10us", 1.0, maximum="1s"),
    Pareto("10us", 0.5),
    Empirical([3, 1, "2us", 10_000.5]),
    Empirical([7]),
    CubicJitter("33us"),
    CubicJitter("33us", clip=0.0),
    CubicJitter("33us", jitter=0.0),
    LinearInLoad("10us", "1us"),
    Series([Constant("1ms"), LogNormal("150us"), Gamma("20us"), Constant(7)]),
    Series([]),
    Triangle(1000, 500),
    Exponential(),
]


@pytest.mark.parametrize("model", EVERY, ids=_name)
def test_every_model_keeps_the_promises_of_the_port(model: LatencyModel) -> None:
    check_latency_model(model)


@pytest.mark.parametrize(
    ("model", "reference"),
    [
        (Uniform("1ms", "3ms"), stats.uniform(1e6, 2e6)),
        (TruncatedNormal("1ms", "500us"), stats.truncnorm(-2, math.inf, 1e6, 5e5)),
        (TruncatedNormal("1ms", "1ms", low="500us", high="1200us"), stats.truncnorm(-0.5, 0.2, 1e6, 1e6)),
        (TruncatedNormal("1ms", "1ms", low="9ms", high="11ms"), stats.truncnorm(8, 10, 1e6, 1e6)),
        (TruncatedNormal("10ms", "1ms", high="1ms"), stats.truncnorm(-10, -9, 1e7, 1e6)),
        (LogNormal("1ms", 0.7), stats.lognorm(0.7, 0, 1e6)),
        (LogNormal(mean="2ms", sigma=0.7), stats.lognorm(0.7, 0, 2e6 * math.exp(-0.245))),
        (LogNormal("3ms", 1.5, minimum="1ms"), stats.lognorm(1.5, 1e6, 2e6)),
        (Gamma("3ms", 2.5), stats.gamma(2.5, 0, 3e6 / 2.5)),
        (Gamma("3ms", 0.4, minimum="1ms"), stats.gamma(0.4, 1e6, 2e6 / 0.4)),
        (Pareto("1ms", 2.5), stats.pareto(2.5, 0, 1e6)),
        (Pareto("1ms", 0.5, maximum="1s"), stats.truncpareto(0.5, 1000, 0, 1e6)),
        (Triangle(1_000_000, 500_000), stats.triang(0.5, 1e6, 1e6)),
        (Exponential(), stats.expon(0, 1e6)),
        (Empirical([1e6, 2e6, 4e6]), stats.rv_histogram(([1, 1], [1e6, 2e6, 4e6]), density=False)),
    ],
    ids=_name,
)
def test_samples_follow_the_distribution_they_are_named_after(model: LatencyModel, reference: object) -> None:
    draws = model.sample(COUNT, seed=11)
    assert stats.kstest(draws, reference.cdf).pvalue > 0.001  # type: ignore[attr-defined]
    # The Kolmogorov distance hardly sees the tails; their share of the draws does.
    for u in (0.001, 0.999):
        share = (draws <= reference.ppf(u)).mean()  # type: ignore[attr-defined]
        assert abs(share - u) < 5 * math.sqrt(0.001 / COUNT)


@pytest.mark.parametrize(
    ("model", "reference"),
    [
        (TruncatedNormal("1ms", "500us"), stats.truncnorm(-2, math.inf, 1e6, 5e5)),
        (TruncatedNormal("0s", "100us", low="2ms"), stats.truncnorm(20, math.inf, 0, 1e5)),
        (TruncatedNormal("1ms", "1ms", low="500us", high="1200us"), stats.truncnorm(-0.5, 0.2, 1e6, 1e6)),
        (LogNormal("3ms", 1.5, minimum="1ms"), stats.lognorm(1.5, 1e6, 2e6)),
        (Pareto("1ms", 2.5), stats.pareto(2.5, 0, 1e6)),
        (Pareto("1ms", 0.5, maximum="1s"), stats.truncpareto(0.5, 1000, 0, 1e6)),
        (Pareto("1ms", 1.0, maximum="1s"), stats.truncpareto(1.0, 1000, 0, 1e6)),
        (Triangle(1_000_000, 500_000), stats.triang(0.5, 1e6, 1e6)),
        (Exponential(), stats.expon(0, 1e6)),
    ],
    ids=_name,
)
def test_expected_is_the_analytical_mean(model: LatencyModel, reference: object) -> None:
    tolerance = 3e-5 if isinstance(model, Tabulated) else 1e-9
    assert model.expected() == pytest.approx(reference.mean(), rel=tolerance)  # type: ignore[attr-defined]


def test_expected_of_the_rest() -> None:
    assert Constant("3us").expected() == 3000.0
    assert Gamma("150us", 2.5, minimum="10us").expected() == 150_000.0
    assert LogNormal(mean="150us").expected() == pytest.approx(150_000.0)
    assert math.isinf(Pareto("1us", 1.0).expected())
    assert math.isinf(CubicJitter("1us", clip=0.0).expected())
    # The mean of 1/x^3 over (0.1, 1] is 55.
    assert CubicJitter("10us").expected() == pytest.approx(10_000 * (1 + 0.5 * 55 / 10))
    assert Series([Constant(5), Uniform(0, 10)]).expected() == 10.0


def test_uniform_gives_each_nanosecond_its_share() -> None:
    draws = Uniform(3, 6).sample(COUNT)
    values, counts = np.unique(draws, return_counts=True)
    assert values.tolist() == [3, 4, 5, 6]
    assert stats.chisquare(counts).pvalue > 0.001


def test_cubic_jitter_is_the_published_one() -> None:
    """The public code's own example: 333 ns, unit 10, jitter 0.5, clip 0: median jitter 133.3 ns, 90th 16.65 us."""
    draws = CubicJitter("333us", jitter=0.5, clip=0.0, unit=10).sample(400_001, seed=5) - 333_000
    assert np.median(draws) == pytest.approx(133_200, rel=0.02)
    assert np.quantile(draws, 0.9) == pytest.approx(16_650_000, rel=0.05)
    clipped = CubicJitter("333us").sample(COUNT)
    assert clipped.min() >= 333_000 + 0.5 * 33_300
    assert clipped.max() <= 333_000 + 500 * 33_300
    x = np.cbrt(0.5 * 33_300 / (clipped - 333_000))
    assert stats.kstest(x, stats.uniform(0.1, 0.9).cdf).pvalue > 0.001


def test_empirical_is_numpys_quantile() -> None:
    values = [5e6, 1e6, 9e6, 2e6, 2e6, 8e6]
    draws = np.sort(Empirical(values).sample(COUNT, seed=3))
    u = (np.arange(COUNT) + 0.5) / COUNT
    assert np.abs(draws - np.quantile(values, u)).max() < 0.02 * 9e6
    assert draws.min() >= 1e6
    assert draws.max() <= 9e6


def test_a_tail_beyond_every_bound_is_cut_off() -> None:
    draws = Pareto("1s", 0.1).sample(5000)
    assert draws.max() == LONGEST
    assert draws.min() >= 1_000_000_000


def test_normal_quantile_is_exact_to_the_last_digits() -> None:
    p = np.concatenate([np.logspace(-299, -1, 500), np.linspace(0.05, 0.95, 500), 1 - np.logspace(-15, -1, 200)])
    ours = np.array([normal_quantile(float(u)) for u in p])
    np.testing.assert_allclose(ours, stats.norm.ppf(p), rtol=2e-14, atol=2e-15)
    assert math.isfinite(normal_quantile(0.0))
    assert math.isfinite(normal_quantile(1.0))


def test_durations_become_nanoseconds_and_models_are_facts() -> None:
    model = LogNormal("150us", minimum="0.1ms")
    assert (model.median, model.minimum, model.mean) == (150_000, 100_000, None)
    assert Constant("150us") == Constant(150_000)
    assert hash(Constant("150us")) == hash(Constant(150_000))
    with pytest.raises(FrozenInstanceError):
        model.sigma = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Constant("5 parsecs"), r"Constant: latency: '5 parsecs' is not a duration"),
        (lambda: Constant(-1), r"Constant: latency -1 must lie between 0 and .* before it was sent"),
        (lambda: Constant(1.5), r"Constant: latency: 1.5 is not a duration"),
        (lambda: Constant(LONGEST + 1), r"must lie between 0 and"),
        (lambda: Uniform("5us", "2us"), r"Uniform: low 5us is above high 2us; swap them"),
        (lambda: TruncatedNormal("5us", 0), r"deviation must be above zero; use Constant"),
        (lambda: TruncatedNormal("5us", "1us", low="9us", high="8us"), r"low 9us is above high 8us"),
        (lambda: TruncatedNormal("5us", "1us", low="1ms"), r"practically nothing .* lies between 1ms and infinity"),
        (LogNormal, r"either median or mean"),
        (lambda: LogNormal("5us", mean="6us"), r"either median or mean"),
        (lambda: LogNormal("5us", minimum="5us"), r"median 5us must be above minimum 5us"),
        (lambda: LogNormal("5us", sigma=-1), r"LogNormal: sigma -1 must be a number from 0 to 10"),
        (lambda: LogNormal("5us", sigma=math.nan), r"sigma nan must be a number"),
        (lambda: LogNormal("5us", sigma="1"), r"sigma '1' must be a number"),  # type: ignore[arg-type]
        (lambda: LogNormal("5us", sigma=True), r"sigma True must be a number"),
        (lambda: Gamma("5us", 0.0), r"Gamma: shape 0.0 must be a number from 0.01"),
        (lambda: Gamma("5us", minimum="6us"), r"mean 5us must be above minimum 6us"),
        (lambda: Pareto(0), r"minimum must be above zero"),
        (lambda: Pareto("5us", maximum="5us"), r"maximum 5us must be above minimum 5us"),
        (Empirical, r"either values or a file"),
        (lambda: Empirical([1], file="x.csv"), r"either values or a file"),
        (lambda: Empirical([1, -2]), r"values\[1\] -2 must be a duration"),
        (lambda: Empirical([1, math.nan]), r"values\[1\] nan must be a duration"),
        (lambda: Empirical([1], unit="fortnight"), r"unit 'fortnight' is none of ns, us"),
        (lambda: CubicJitter("5us", clip=1.5), r"clip 1.5 must be a number from 0 to 1"),
        (lambda: LinearInLoad("5us", "1us", 0), r"window must be above zero"),
        (lambda: Series(["5us"]), r"'5us' is not a latency model; write Constant\('5us'\)"),  # type: ignore[list-item]
    ],
)
def test_bad_parameters_are_named_with_their_rule(make: object, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        make()  # type: ignore[operator]


def test_a_quantile_function_that_falls_is_refused() -> None:
    class Falling(Tabulated):
        def quantile(self, u: float) -> float:
            return 1.0 - u

    with pytest.raises(InvalidValueError, match="never decreasing"):
        Falling().hops()


def test_models_by_name() -> None:
    assert latency_model("150us") == Constant("150us")
    assert latency_model(Uniform(1, 2)) == Uniform(1, 2)
    assert latency_model({"type": "log_normal", "median": "1ms", "sigma": 0.3}) == LogNormal("1ms", 0.3)
    series = latency_model({"type": "series", "parts": ["1ms", {"type": "gamma", "mean": "5us"}]})
    assert series == Series([Constant("1ms"), Gamma("5us")])
    assert {type(model) for model in EVERY} - set(MODELS.values()) == {Triangle, Exponential}


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ({"type": "lognormal"}, UnknownTypeError, "type 'lognormal'; did you mean \"log_normal\""),
        ({"median": "1ms"}, UnknownTypeError, "type None; known: bandwidth, constant"),
        ({"type": "gamma", "mena": 5}, UnknownParameterError, "gamma has no parameter 'mena'; did you mean \"mean\""),
        ({"type": "gamma"}, InvalidValueError, "gamma: missing 1 required positional argument: 'mean'"),
        (1.5, InvalidValueError, "not a latency: 1.5 is not a duration"),
        (None, InvalidValueError, "not a latency: None"),
    ],
)
def test_models_by_a_wrong_name(value: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        latency_model(value)
