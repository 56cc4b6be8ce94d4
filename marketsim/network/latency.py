"""Latency models: how long a message takes on one stretch of its way.

A ``LatencyModel`` is a frozen dataclass whose fields are its parameters. It says its mean and lowers itself to
``Hop`` records, which the compiled ``sampling.sample`` draws from; the model itself never draws anything.

To add a model of your own, subclass ``Tabulated`` and give ``quantile(u)``, its latency in nanoseconds at
probability ``u``; or subclass ``LatencyModel`` and build it from the hops that exist.

Durations are given as text (``"150us"``) or as int nanoseconds, and are int nanoseconds once the model is made.
No latency is negative and none is longer than ``LONGEST``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

from marketsim.errors import InvalidValueError
from marketsim.network.hop import (
    CONSTANT,
    CUBIC,
    EMPIRICAL,
    GAMMA,
    LOAD,
    LOG_NORMAL,
    LONGEST,
    PARETO,
    TABULATED,
    TRUNCATED_NORMAL,
    UNIFORM,
    Hop,
)
from marketsim.network.parameters import (
    check_above_minimum,
    check_number,
    check_order,
    checked_duration,
    ns,
    text,
    to_durations,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Duration: TypeAlias = int | str

_NORMAL = NormalDist()


def _lasts(words: str) -> dict[str, str]:
    """What a parameter that is a duration says of itself."""
    return {"unit": "duration", "help": words}


class LatencyModel(ABC):
    """The port: what the network asks of a model of latency."""

    @property
    def loaded(self) -> bool:
        """Whether earlier messages on the same link change the latency, so that the link must keep count of them."""
        return False

    @abstractmethod
    def hops(self) -> tuple[Hop, ...]:
        """The stretches whose latencies add up to this one."""

    @abstractmethod
    def expected(self) -> float:
        """Expected latency of an idle link, ns; infinite where the distribution has none."""

    def sample(self, count: int, seed: int = 0, name: str = "latency") -> NDArray[np.int64]:
        """``count`` latencies in ns, as messages on an idle link of that name would meet them."""
        from marketsim.network.sampling import draw

        return draw(self, count, seed, name)


@dataclass(frozen=True)
class Constant(LatencyModel):
    """Always the same latency."""

    latency: Duration = field(default=0, metadata=_lasts("of every message"))

    def __post_init__(self) -> None:
        to_durations(self, "latency")

    def hops(self) -> tuple[Hop, ...]:
        """p0 the latency."""
        return (Hop(CONSTANT, ns(self.latency)),)

    def expected(self) -> float:
        """The latency itself, ns."""
        return ns(self.latency)


@dataclass(frozen=True)
class Uniform(LatencyModel):
    """Every whole nanosecond from ``low`` to ``high``, both included, equally likely."""

    low: Duration = field(metadata=_lasts("smallest latency"))
    high: Duration = field(metadata=_lasts("largest latency"))

    def __post_init__(self) -> None:
        to_durations(self, "low", "high")
        check_order(self, "low", "high")

    def hops(self) -> tuple[Hop, ...]:
        """p0 low, p1 how many values there are."""
        return (Hop(UNIFORM, ns(self.low), ns(self.high) - ns(self.low) + 1.0),)

    def expected(self) -> float:
        """(low + high) / 2, ns."""
        return 0.5 * (ns(self.low) + ns(self.high))


@dataclass(frozen=True)
class TruncatedNormal(LatencyModel):
    """Normal with mean ``mean`` and standard deviation ``deviation``, given that it lies between low and high.

    Drawn by inversion: x = mean + deviation · Φ⁻¹(Φ(a) + u·(Φ(b) − Φ(a))) with a, b the standardized bounds. Bounds
    above the mean are reflected, so that a far tail loses no digits.
    """

    mean: Duration = field(metadata=_lasts("of the normal before it is cut"))
    deviation: Duration = field(metadata=_lasts("of the normal before it is cut"))
    low: Duration = field(default=0, metadata=_lasts("smallest latency"))
    high: Duration | None = field(default=None, metadata=_lasts("largest latency; none when left out"))

    def __post_init__(self) -> None:
        to_durations(self, "mean", "deviation", "low", "high")
        if not ns(self.deviation) > 0:
            raise InvalidValueError("TruncatedNormal: deviation must be above zero; use Constant for no spread")
        if self.high is not None:
            check_order(self, "low", "high")
        if not self._tail()[3] > 0.0:
            raise InvalidValueError(
                f"TruncatedNormal: practically nothing of a normal around {text(self.mean)} with deviation "
                f"{text(self.deviation)} lies between {text(self.low)} and "
                f"{'infinity' if self.high is None else text(self.high)}; widen the bounds or the deviation"
            )

    def _tail(self) -> tuple[float, float, float, float]:
        """Sign of the reflection, the two standardized bounds after it, and the probability between them."""
        low = (ns(self.low) - ns(self.mean)) / ns(self.deviation)
        high = math.inf if self.high is None else (ns(self.high) - ns(self.mean)) / ns(self.deviation)
        sign = 1.0
        if low > 0.0:
            sign, low, high = -1.0, -high, -low
        return sign, low, high, _below(high) - _below(low)

    def hops(self) -> tuple[Hop, ...]:
        """p0 mean, p1 deviation (negative: reflected), p2 Φ of the lower bound, p3 Φ between the bounds."""
        sign, low, _, mass = self._tail()
        return (Hop(TRUNCATED_NORMAL, ns(self.mean), sign * ns(self.deviation), _below(low), mass),)

    def expected(self) -> float:
        """mean + deviation · (φ(a) − φ(b)) / (Φ(b) − Φ(a)), ns."""
        sign, low, high, mass = self._tail()
        return ns(self.mean) + sign * ns(self.deviation) * (_density(low) - _density(high)) / mass


@dataclass(frozen=True)
class LogNormal(LatencyModel):
    """``minimum`` + exp(normal): the usual shape of latency in software and shared networks.

    Give either the ``median`` or the ``mean`` of the whole latency (``minimum`` included); ``sigma`` is the
    standard deviation of the logarithm of what lies above the minimum.
    """

    median: Duration | None = field(default=None, metadata=_lasts("of the whole latency; give it or the mean"))
    sigma: float = field(default=0.5, metadata={"help": "deviation of the logarithm of what lies above the minimum"})
    mean: Duration | None = field(default=None, metadata=_lasts("of the whole latency; give it or the median"))
    minimum: Duration = field(default=0, metadata=_lasts("what every message takes"))

    def __post_init__(self) -> None:
        to_durations(self, "median", "mean", "minimum")
        check_number(self, "sigma", 0.0, 10.0)
        if (self.median is None) == (self.mean is None):
            raise InvalidValueError('LogNormal: give either median or mean, such as median="150us"')
        given = "mean" if self.median is None else "median"
        check_above_minimum(self, given)

    def _location(self) -> float:
        if self.median is not None:
            return math.log(ns(self.median) - ns(self.minimum))
        return math.log(ns(self.mean) - ns(self.minimum)) - 0.5 * self.sigma * self.sigma

    def hops(self) -> tuple[Hop, ...]:
        """p0 minimum, p1 mean and p2 deviation of the logarithm."""
        return (Hop(LOG_NORMAL, ns(self.minimum), self._location(), self.sigma),)

    def expected(self) -> float:
        """minimum + exp(location + sigma²/2), ns."""
        return ns(self.minimum) + math.exp(self._location() + 0.5 * self.sigma * self.sigma)


@dataclass(frozen=True)
class Gamma(LatencyModel):
    """``minimum`` + a gamma variable of the given ``shape``; ``mean`` is the mean of the whole latency.

    Shape 1 is the exponential, a whole shape k the sum of k equal exponential waits.
    """

    mean: Duration = field(metadata=_lasts("of the whole latency"))
    shape: float = field(default=2.0, metadata={"help": "1 is the exponential; larger is narrower"})
    minimum: Duration = field(default=0, metadata=_lasts("what every message takes"))

    def __post_init__(self) -> None:
        to_durations(self, "mean", "minimum")
        check_number(self, "shape", 0.01, 1e6)
        check_above_minimum(self, "mean")

    def hops(self) -> tuple[Hop, ...]:
        """p0 minimum, p1 scale, p2 shape."""
        scale = (ns(self.mean) - ns(self.minimum)) / self.shape
        return (Hop(GAMMA, ns(self.minimum), scale, self.shape),)

    def expected(self) -> float:
        """The mean, ns."""
        return ns(self.mean)


@dataclass(frozen=True)
class Pareto(LatencyModel):
    """A power-law tail: P(latency > x) = (``minimum``/x)^``shape`` for x ≥ minimum.

    With ``maximum`` it is the bounded Pareto: the same, given that it is at most the maximum. Without, the mean is
    infinite for a shape of 1 or less.
    """

    minimum: Duration = field(metadata=_lasts("smallest latency"))
    shape: float = field(default=3.0, metadata={"help": "exponent of the tail; smaller is heavier"})
    maximum: Duration | None = field(default=None, metadata=_lasts("largest latency; none when left out"))

    def __post_init__(self) -> None:
        to_durations(self, "minimum", "maximum")
        check_number(self, "shape", 0.1, 1e6)
        if not ns(self.minimum) > 0:
            raise InvalidValueError("Pareto: minimum must be above zero")
        if self.maximum is not None and not ns(self.maximum) > ns(self.minimum):
            raise InvalidValueError(f"Pareto: maximum {text(self.maximum)} must be above minimum {text(self.minimum)}")

    def _mass(self) -> float:
        """Probability that the unbounded variable is at most the maximum."""
        if self.maximum is None:
            return 1.0
        return -math.expm1(self.shape * math.log(ns(self.minimum) / ns(self.maximum)))

    def hops(self) -> tuple[Hop, ...]:
        """p0 minimum, p1 1/shape, p2 the probability below the maximum."""
        return (Hop(PARETO, ns(self.minimum), 1.0 / self.shape, self._mass()),)

    def expected(self) -> float:
        """minimum · shape / (shape − 1) when unbounded, ns; infinite for a shape of 1 or less."""
        least, shape = ns(self.minimum), self.shape
        if self.maximum is None:
            return least * shape / (shape - 1.0) if shape > 1.0 else math.inf
        span = math.log(ns(self.maximum) / least)
        partial = span if shape == 1.0 else -math.expm1((1.0 - shape) * span) / (shape - 1.0)
        return least * shape * partial / self._mass()


@dataclass(frozen=True)
class Empirical(LatencyModel):
    """Measured latencies, drawn by inverting their distribution.

    F⁻¹(u) is linear between neighbours in the sorted sample (as ``numpy.quantile``). Give ``values``, or a ``file``: a
    ``.csv`` or ``.parquet`` file with the ``column`` to read, or a text file with one number a line. Plain numbers are
    in ``unit`` (ns, us, ms or s); values may also be durations such as "80us".
    """

    values: Sequence[float | str] = field(
        default=(), metadata={"help": "measured latencies, numbers in the unit or durations; or give a file"}
    )
    file: str = field(
        default="", metadata={"kind": "file", "help": "CSV or Parquet with a column, or text with a number a line"}
    )
    column: str = field(default="", metadata={"help": "of the file"})
    unit: str = field(default="ns", metadata={"help": "of plain numbers: ns, us, ms or s"})

    def __post_init__(self) -> None:
        import numpy as np

        from marketsim.network.samples import read_latencies

        if bool(len(self.values)) == bool(self.file):
            raise InvalidValueError("Empirical: give either values or a file of measured latencies")
        if self.file:
            sample = read_latencies(self.file, self.column, self.unit)
        else:
            object.__setattr__(self, "values", tuple(self.values))
            sample = np.array([self._measured(place, value) for place, value in enumerate(self.values)], np.float64)
        sample.sort()
        object.__setattr__(self, "_sorted", sample)

    def _measured(self, place: int, value: object) -> float:
        from marketsim.network.samples import nanoseconds_per

        scale = nanoseconds_per(self.unit)
        if isinstance(value, str):
            return float(checked_duration(self, f"values[{place}]", value))
        try:
            result = float(value) * scale  # type: ignore[arg-type]
        except (TypeError, ValueError):
            result = math.nan
        if not 0.0 <= result <= LONGEST:
            raise InvalidValueError(f"Empirical: values[{place}] {value!r} must be a duration that is not negative")
        return result

    @property
    def sorted(self) -> NDArray[np.float64]:
        """The sample in ascending order, ns."""
        result: NDArray[np.float64] = self.__dict__["_sorted"]
        return result

    def hops(self) -> tuple[Hop, ...]:
        """The sorted sample as points."""
        if len(self.sorted) == 1:
            return (Hop(CONSTANT, float(self.sorted[0])),)
        return (Hop(EMPIRICAL, points=self.sorted),)

    def expected(self) -> float:
        """Mean of the interpolated distribution: the outermost two values weigh half of what the others do."""
        inner = float(self.sorted.sum()) - 0.5 * float(self.sorted[0] + self.sorted[-1])
        return inner / (len(self.sorted) - 1) if len(self.sorted) > 1 else float(self.sorted[0])


@dataclass(frozen=True)
class CubicJitter(LatencyModel):
    """The cubic model of ABIDES: latency = minimum + (jitter / x³) · (minimum / unit), x uniform on (clip, 1].

    ``unit`` says which part of the minimum is the unit of jitter (10: a tenth of it); ``clip`` bounds the tail: the
    largest latency is minimum · (1 + jitter / (unit · clip³)). With clip 0 the tail has no bound and no mean.

    Source: D. Byrd, M. Hybinette and T. H. Balch, "ABIDES: Towards High-Fidelity Multi-Agent Market Simulation",
    SIGSIM-PADS 2020, and ``abides_core/latency_model.py`` of its public code, whose defaults these are.
    """

    minimum: Duration = field(metadata=_lasts("what every message takes"))
    jitter: float = field(default=0.5, metadata={"help": "strength of the jitter"})
    clip: float = field(default=0.1, metadata={"help": "lower end of x: larger means a shorter tail"})
    unit: float = field(default=10.0, metadata={"help": "part of the minimum that is the unit of jitter (10: a tenth)"})

    def __post_init__(self) -> None:
        to_durations(self, "minimum")
        check_number(self, "jitter", 0.0, 1e9)
        check_number(self, "clip", 0.0, 1.0)
        check_number(self, "unit", 1e-9, 1e9)

    def _scale(self) -> float:
        return self.jitter * ns(self.minimum) / self.unit

    def hops(self) -> tuple[Hop, ...]:
        """p0 minimum, p1 jitter · minimum / unit, p2 clip."""
        return (Hop(CUBIC, ns(self.minimum), self._scale(), self.clip),)

    def expected(self) -> float:
        """minimum · (1 + jitter / unit · (1 + clip) / (2 · clip²)), ns; infinite for clip 0."""
        if self._scale() == 0.0:
            return ns(self.minimum)
        if self.clip == 0.0:
            return math.inf
        return ns(self.minimum) + self._scale() * (1.0 + self.clip) / (2.0 * self.clip * self.clip)


@dataclass(frozen=True)
class LinearInLoad(LatencyModel):
    """``base`` + ``slope`` · load: a link that slows down when it is busy.

    The load is a leaky count of the messages sent over the link before this one: each adds 1, and the count decays
    as exp(−t / ``window``). At r messages a second it hovers around r · window.
    """

    base: Duration = field(metadata=_lasts("of an idle link"))
    slope: Duration = field(metadata=_lasts("added for each message that still counts"))
    window: Duration = field(default="1ms", metadata=_lasts("in which the count of messages decays"))

    def __post_init__(self) -> None:
        to_durations(self, "base", "slope", "window")
        if not ns(self.window) > 0:
            raise InvalidValueError("LinearInLoad: window must be above zero")

    @property
    def loaded(self) -> bool:
        return True

    def hops(self) -> tuple[Hop, ...]:
        """p0 base, p1 slope, p2 window."""
        return (Hop(LOAD, ns(self.base), ns(self.slope), ns(self.window)),)

    def expected(self) -> float:
        """The base, ns: what an idle link takes."""
        return ns(self.base)


@dataclass(frozen=True)
class Series(LatencyModel):
    """The sum of several independent latencies, such as a distance and the jitter on it."""

    parts: Sequence[LatencyModel] = field(metadata={"help": "latency models whose draws are added"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        for part in self.parts:
            if not isinstance(part, LatencyModel):
                raise InvalidValueError(f"Series: {part!r} is not a latency model; write Constant({part!r})")

    @property
    def loaded(self) -> bool:
        return any(part.loaded for part in self.parts)

    def hops(self) -> tuple[Hop, ...]:
        """Those of the parts, one after the other."""
        return tuple(hop for part in self.parts for hop in part.hops())

    def expected(self) -> float:
        """The sum of the parts', ns."""
        return math.fsum(part.expected() for part in self.parts)


class Tabulated(LatencyModel):
    """A model known by its quantile function alone: subclass it and give ``quantile``.

    The function is tabulated once, at probabilities that lie evenly in the middle and are refined towards 0 and 1
    (the outermost at 2⁻⁴⁰ and 1 − 2⁻⁴⁰), and drawn from by interpolation; the subclass needs no compiled code.
    """

    @abstractmethod
    def quantile(self, u: float) -> float:
        """Latency in ns that a message stays below with probability ``u``, 0 < u < 1; never decreasing."""

    def _table(self) -> tuple[list[float], list[float]]:
        grid = _probabilities()
        values = [float(self.quantile(u)) for u in grid]
        for u, left, right in zip(grid[1:], values, values[1:], strict=False):
            if not 0.0 <= left <= right < math.inf:
                raise InvalidValueError(
                    f"{type(self).__name__}.quantile must be finite, not negative and never decreasing, but goes from "
                    f"{left} to {right} ns at u = {u}"
                )
        return grid, values

    def hops(self) -> tuple[Hop, ...]:
        """The probabilities and then their quantiles as points."""
        import numpy as np

        grid, values = self._table()
        return (Hop(TABULATED, points=np.array(grid + values, np.float64)),)

    def expected(self) -> float:
        """The integral of the interpolated quantile function, ns."""
        grid, values = self._table()
        inner = math.fsum(0.5 * (values[i] + values[i + 1]) * (grid[i + 1] - grid[i]) for i in range(len(grid) - 1))
        return inner + grid[0] * values[0] + (1.0 - grid[-1]) * values[-1]


def _probabilities() -> list[float]:
    """Steps of 1/1024 from 1/32 to 31/32, below that 32 steps an octave down to 2⁻⁴⁰; the upper tail mirrors it."""
    tail = [math.ldexp(1.0 + step / 32.0, octave) for octave in range(-40, -5) for step in range(32)]
    middle = [place / 1024.0 for place in range(32, 993)]
    return tail + middle + [1.0 - u for u in reversed(tail)]


def _below(z: float) -> float:
    """The standard normal distribution function, exact in the lower tail."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _density(z: float) -> float:
    return _NORMAL.pdf(z) if math.isfinite(z) else 0.0
