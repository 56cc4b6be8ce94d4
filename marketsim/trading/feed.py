"""Information feeds: what is not market data but may be known, such as a fundamental value.

A feed model is a frozen dataclass; its ``path`` gives all values of a run at once, on a fixed grid of times. The draws
are numbered by the place on the grid, so that the path depends on nobody who asks, and a longer run only adds to it.
Parameters are in currency and seconds, paths in ticks and nanoseconds. A feed never looks at the market.

To add one of your own, subclass ``FeedModel`` and give ``path``.
"""

from __future__ import annotations

import csv
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.instrument import Instrument
from marketsim.domain.units import (
    MICROSECOND,
    MILLISECOND,
    MINUTE,
    SECOND,
    duration,
    format_duration,
    rate,
    time_of_day,
)
from marketsim.errors import ConfigurationError, DataError, InvalidValueError, did_you_mean
from marketsim.kernel.compiled import compiled
from marketsim.kernel.random import exponential, key_of, normal, purpose_of, uniform

Shocks = Sequence[tuple[int, float]]  # (ns, how far the value jumps then, in currency)

_NOISE, _JUMP_TIME, _JUMP_SIZE, _JUMP_SIGN = (purpose_of(f"feed {what}") for what in ("noise", "when", "size", "sign"))
_MOST_POINTS = 100_000_000
_STEP = 100 * MILLISECOND
_STEP_HELP = {"unit": "duration", "help": "distance of the grid's times"}


class FeedPath(NamedTuple):
    """The values of a feed: ``values[k]``, in ticks, holds from ``start + k * step`` ns until the next."""

    values: NDArray[np.float64]
    start: int
    step: int


class FeedModel(ABC):
    """The port: what a run asks of a feed."""

    @abstractmethod
    def path(self, seed: int, name: str, instrument: Instrument, start: int, end: int, shocks: Shocks = ()) -> FeedPath:
        """The whole path from ``start`` to ``end`` (ns). ``name`` is the feed's, and decides its random draws.

        Each shock is added at the first time on the grid that is not before it. The last value holds for ever.
        """


class FeedHandle:
    """A feed as agents hold it: it tells the value at a time, and nothing that has not happened yet.

    now: tells the present time; without it any time may be asked for, as analysis does.
    """

    def __init__(self, path: FeedPath, instrument: Instrument, now: Callable[[], int] | None = None) -> None:
        self.values, self.start, self.step = path
        self.instrument = instrument
        self._now = now

    @classmethod
    def of(
        cls,
        model: FeedModel,
        seed: int,
        name: str,
        instrument: Instrument,
        start: int,
        end: int,
        shocks: Shocks = (),
        now: Callable[[], int] | None = None,
    ) -> FeedHandle:
        """The handle of a model's path in one run."""
        for time, size in shocks:
            if time < start or not math.isfinite(size):
                raise InvalidValueError(
                    f"feed {name}: a shock of {size} at {time} ns; it must be finite and in the run"
                )
        path = FeedPath(*model.path(seed, name, instrument, start, end, shocks))
        if path.step < 1 or len(path.values) == 0 or not np.isfinite(path.values).all():
            raise ConfigurationError(
                f"feed {name}: {type(model).__name__}.path must give finite values on a grid with a step above zero"
            )
        return cls(path, instrument, now)

    def value(self, time: int) -> float:
        """The value at a time (ns), in ticks."""
        if self._now is not None and time > self._now():
            raise InvalidValueError(f"time {time} lies after now ({self._now()}): a feed does not tell the future")
        place = min(max((time - self.start) // self.step, 0), len(self.values) - 1)
        return float(self.values[place])


@dataclass(frozen=True)
class MeanReverting(FeedModel):
    """A value that is drawn back to its mean, with jumps (Ornstein and Uhlenbeck 1930; compound Poisson).

    dX = κ·(mean − X)·dt + σ·dW + dJ, sampled exactly: over a step h, X moves to mean + (X − mean)·e^(−κh) plus a normal
    of variance σ²·(1 − e^(−2κh))/(2κ) plus every jump of the step, decayed since its own time. Jumps come at
    ``jump_rate``, their sizes are normal; with ``jump_symmetric`` up and down with equal odds. What falls
    below zero is told as zero.
    """

    mean: float | None = field(
        default=None, metadata={"unit": "price", "help": "in currency; the reference price when left out"}
    )
    half_life: int | str | None = field(
        default=None, metadata={"unit": "duration", "help": "in which half of a deviation is gone; 30min when left out"}
    )
    kappa: float | str | None = field(
        default=None, metadata={"unit": "rate", "help": "speed of mean reversion, instead of half_life"}
    )
    volatility: float | None = field(
        default=None, metadata={"help": "currency per √second; 0.0001 of the mean when left out"}
    )
    jump_rate: float | str = field(default=0.0, metadata={"unit": "rate", "help": "jumps a second"})
    jump_mean: float = field(default=0.0, metadata={"help": "mean size of a jump, in currency"})
    jump_deviation: float = field(default=0.0, metadata={"help": "standard deviation of a jump's size, in currency"})
    jump_symmetric: bool = field(default=True, metadata={"help": "whether each jump goes up or down with equal odds"})
    initial: float | None = field(
        default=None, metadata={"unit": "price", "help": "first value in currency; the mean when left out"}
    )
    rounded: bool = field(default=False, metadata={"help": "tell whole ticks only; the value itself stays as it is"})
    step: int | str = field(default=_STEP, metadata=_STEP_HELP)

    def __post_init__(self) -> None:
        _set_duration(self, "step", 1)
        if self.half_life is not None and self.kappa is not None:
            raise InvalidValueError("half_life: kappa says the same; give one of the two")
        if self.half_life is not None:
            _set_duration(self, "half_life", 1)
        if self.kappa is not None:
            _set(self, "kappa", rate(self.kappa))
        _set(self, "jump_rate", rate(self.jump_rate))
        _check_amounts(self, "mean", "initial", "volatility", "jump_deviation", low=0.0)
        _check_amounts(self, "jump_mean")

    @property
    def reversion(self) -> float:
        """κ per second."""
        if self.kappa is not None:
            return float(self.kappa)
        return math.log(2.0) * SECOND / (30 * MINUTE if self.half_life is None else int(self.half_life))

    def path(self, seed: int, name: str, instrument: Instrument, start: int, end: int, shocks: Shocks = ()) -> FeedPath:
        """The diffusion's values, one normal a step and the jumps at their own times."""
        mean = float(instrument.reference_price) if self.mean is None else self.mean
        path = _diffusion(
            _Diffusion(
                first=mean if self.initial is None else self.initial,
                mean=mean,
                kappa=self.reversion,
                volatility=1e-4 * mean if self.volatility is None else self.volatility,
                jump_rate=float(self.jump_rate),
                jump_mean=self.jump_mean,
                jump_deviation=self.jump_deviation,
                jump_symmetric=self.jump_symmetric,
            ),
            int(self.step), seed, name, instrument, start, end, shocks,
        )  # fmt: skip
        return path._replace(values=np.floor(path.values + 0.5)) if self.rounded else path


@dataclass(frozen=True)
class RandomWalk(FeedModel):
    """A value without memory: Brownian motion, dX = drift·dt + volatility·dW. What falls below zero is told as zero."""

    initial: float | None = field(
        default=None, metadata={"unit": "price", "help": "first value in currency; the reference price when left out"}
    )
    volatility: float | None = field(
        default=None, metadata={"help": "currency per √second; 0.0001 of the first value when left out"}
    )
    drift: float = field(default=0.0, metadata={"help": "currency a second"})
    step: int | str = field(default=_STEP, metadata=_STEP_HELP)

    def __post_init__(self) -> None:
        _set_duration(self, "step", 1)
        _check_amounts(self, "initial", "volatility", low=0.0)
        _check_amounts(self, "drift")

    def path(self, seed: int, name: str, instrument: Instrument, start: int, end: int, shocks: Shocks = ()) -> FeedPath:
        """The walk's values, one normal a step."""
        first = float(instrument.reference_price) if self.initial is None else self.initial
        volatility = 1e-4 * first if self.volatility is None else self.volatility
        model = _Diffusion(first=first, mean=first, kappa=0.0, volatility=volatility, drift=self.drift)
        return _diffusion(model, int(self.step), seed, name, instrument, start, end, shocks)


@dataclass(frozen=True)
class Constant(FeedModel):
    """Always the same value, but for shocks, which stay."""

    value: float | None = field(
        default=None, metadata={"unit": "price", "help": "in currency; the reference price when left out"}
    )
    step: int | str = field(default=_STEP, metadata=_STEP_HELP)

    def __post_init__(self) -> None:
        _set_duration(self, "step", 1)
        _check_amounts(self, "value", low=0.0)

    def path(self, seed: int, name: str, instrument: Instrument, start: int, end: int, shocks: Shocks = ()) -> FeedPath:
        """The value, and what it is after each shock; the grid ends with the last one."""
        first = float(instrument.reference_price) if self.value is None else self.value
        last = max((time for time, _ in shocks), default=start)
        step = int(self.step)
        values = np.full(_points(start, last, step), first / instrument.tick)
        _add_lasting(values, start, step, instrument, shocks)
        return FeedPath(values, start, step)


@dataclass(frozen=True)
class Recorded(FeedModel):
    """Values from a CSV file with a header: each holds from its time until the next row's.

    Times count from midnight: numbers in ``time_unit``, or text such as 09:30:00.5. They must not go back, and the
    first must not lie after the start of the run. Values are in currency.
    """

    file: str = field(metadata={"kind": "file", "help": "the CSV file"})
    time: str = field(default="time", metadata={"help": "name of the column of times"})
    value: str = field(default="value", metadata={"help": "name of the column of values"})
    time_unit: Literal["ns", "us", "ms", "s"] = field(default="s", metadata={"help": "unit of times that are numbers"})
    step: int | str = field(default=_STEP, metadata=_STEP_HELP)

    def __post_init__(self) -> None:
        _set_duration(self, "step", 1)
        if self.time_unit not in _TIME_UNITS:
            raise InvalidValueError(f"time_unit {self.time_unit!r}{did_you_mean(self.time_unit, _TIME_UNITS)}")

    def path(self, seed: int, name: str, instrument: Instrument, start: int, end: int, shocks: Shocks = ()) -> FeedPath:
        """The file's values, each time of the grid with the last one not after it."""
        times, recorded = self._read()
        if times[0] > start:
            raise DataError(
                f"the first value is of {format_duration(int(times[0]))} after midnight, the run begins at "
                f"{format_duration(start)}; add a row that is not later, or start the run later",
                source=self.file,
            )
        step = int(self.step)
        grid = start + np.arange(_points(start, end, step), dtype=np.int64) * step
        values = recorded[np.searchsorted(times, grid, side="right") - 1] / instrument.tick
        _add_lasting(values, start, step, instrument, shocks)
        return FeedPath(values, start, step)

    def _read(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """All times and values of the file, checked."""
        try:
            with Path(self.file).open(encoding="utf-8-sig", newline="") as lines:
                rows = list(self._rows(lines))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot be read: {error}", source=str(self.file)) from None
        if not rows:
            raise DataError("holds no values; expected a header and at least one row", source=str(self.file))
        return np.array([time for time, _ in rows], np.int64), np.array([value for _, value in rows], np.float64)

    def _rows(self, lines: Any) -> Iterator[tuple[int, float]]:
        reader = csv.DictReader(lines)
        for column in (self.time, self.value):
            if column not in (reader.fieldnames or ()):
                raise DataError(
                    f"no column {column!r}{did_you_mean(column, reader.fieldnames or ())}",
                    source=str(self.file),
                    record=1,
                )
        last = -1
        for row in reader:
            number = reader.line_num
            time = self._time(row[self.time], number)
            if time < last:
                raise DataError(
                    f"time {row[self.time]} lies before the one above it; sort the rows",
                    source=str(self.file),
                    record=number,
                )
            last = time
            yield time, self._value(row[self.value], number)

    def _time(self, text: str | None, number: int) -> int:
        try:
            if text is not None and ":" in text:
                return time_of_day(text)
            exact = Decimal(text or "") * _TIME_UNITS[self.time_unit]
            if exact >= 0 and exact == exact.to_integral_value():
                return int(exact)
        except (InvalidOperation, InvalidValueError):
            pass
        raise DataError(
            f"{text!r} is not a time; expected whole nanoseconds after midnight, written in {self.time_unit} or as "
            "HH:MM:SS",
            source=str(self.file),
            record=number,
        )

    def _value(self, text: str | None, number: int) -> float:
        try:
            value = float(text or "")
            if math.isfinite(value):
                return value
        except ValueError:
            pass
        raise DataError(f"{text!r} is not a finite number", source=str(self.file), record=number)


_TIME_UNITS = {"ns": 1, "us": MICROSECOND, "ms": MILLISECOND, "s": SECOND}


# --- paths -----------------------------------------------------------------------------------------------------------


class _Diffusion(NamedTuple):
    """A diffusion in currency and seconds."""

    first: float
    mean: float
    kappa: float
    volatility: float
    drift: float = 0.0
    jump_rate: float = 0.0
    jump_mean: float = 0.0
    jump_deviation: float = 0.0
    jump_symmetric: bool = False


def _diffusion(
    model: _Diffusion, step: int, seed: int, name: str, instrument: Instrument, start: int, end: int, shocks: Shocks
) -> FeedPath:
    """The path of a diffusion in ticks."""
    seconds, tick = step / SECOND, instrument.tick
    spread = model.volatility * math.sqrt(seconds)
    if model.kappa * seconds > 0.0:
        spread = model.volatility * math.sqrt(-math.expm1(-2.0 * model.kappa * seconds) / (2.0 * model.kappa))
    ordered = sorted(shocks)
    values = np.zeros(_points(start, end, step))
    _walk(
        values,
        key_of(seed, f"feed/{name}"),  # no agent can have this name
        step,
        model.first / tick,
        model.mean / tick,
        model.kappa / SECOND,
        spread / tick,
        model.drift * seconds / tick,
        SECOND / model.jump_rate if model.jump_rate > 0.0 else math.inf,
        model.jump_mean / tick,
        model.jump_deviation / tick,
        1.0 if model.jump_symmetric else 0.0,
        np.array([time - start for time, _ in ordered], np.int64),
        np.array([size / tick for _, size in ordered], np.float64),
    )
    return FeedPath(values, start, step)


@compiled
def _walk(
    values: Any, key: int, step: int, first: float, mean: float, kappa: float, spread: float, drift: float,
    jump_pause: float, jump_mean: float, jump_deviation: float, jump_symmetric: float,
    shock_times: Any, shock_sizes: Any,
) -> None:  # fmt: skip
    """Fill a path in ticks and ns, from one time of the grid to the next."""
    decay = math.exp(-kappa * step)
    away = first - mean
    jump = 0
    jump_time = jump_pause * exponential(key, _JUMP_TIME, 0) if jump_pause < math.inf else math.inf
    shock = 0
    for place in range(len(values)):
        now = place * step
        if place > 0:
            away = away * decay + drift + spread * normal(key, _NOISE, place)
        while jump_time <= now:
            size = jump_mean + jump_deviation * normal(key, _JUMP_SIZE, jump)
            if jump_symmetric > 0.0 and uniform(key, _JUMP_SIGN, jump) < 0.5:
                size = -size
            away += size * math.exp(-kappa * (now - jump_time))
            jump += 1
            jump_time += jump_pause * exponential(key, _JUMP_TIME, jump)
        while shock < len(shock_times) and shock_times[shock] <= now:
            away += shock_sizes[shock] * math.exp(-kappa * (now - shock_times[shock]))
            shock += 1
        values[place] = max(mean + away, 0.0)


def _points(start: int, end: int, step: int) -> int:
    """How many times of the grid it takes from start to end."""
    points = -(-(end - start) // step) + 1
    if points > _MOST_POINTS:
        raise InvalidValueError(
            f"step {format_duration(step)}: {points:,} values would be needed, more than {_MOST_POINTS:,}; "
            "use a longer step"
        )
    return max(points, 1)


def _add_lasting(values: NDArray[np.float64], start: int, step: int, instrument: Instrument, shocks: Shocks) -> None:
    """Add shocks that stay; no value ends below zero by them."""
    for time, size in sorted(shocks):
        values[-((start - time) // step) :] += size / instrument.tick
    if shocks:
        np.maximum(values, 0.0, out=values)


# --- parameters ------------------------------------------------------------------------------------------------------


def _set(model: FeedModel, name: str, value: Any) -> None:
    object.__setattr__(model, name, value)


def _set_duration(model: FeedModel, name: str, low: int) -> None:
    value = duration(getattr(model, name))
    if value < low:
        raise InvalidValueError(f"{name} {format_duration(value)}: it must be above zero")
    _set(model, name, value)


def _check_amounts(model: FeedModel, *names: str, low: float = -math.inf) -> None:
    """Finite amounts of currency, not below ``low``; None stands for a default."""
    for name in names:
        value = getattr(model, name)
        if value is None:
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise InvalidValueError(f"{name} {value!r}: it must be a number, in currency") from None
        if not math.isfinite(number) or number < low:
            raise InvalidValueError(f"{name} {value}: it must be finite{'' if low else ' and not below zero'}")
        _set(model, name, number)
