"""Faults: what goes wrong between a participant and a venue, as frozen facts of a scenario.

Each says what happens; which participants and venues it concerns stands beside it. Chances are drawn for each
participant and venue on its own, times count from the start of the run. Nothing here carries a fault out:
``impairment`` adds up what concerns one session, and the compiled world acts on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from marketsim.domain.units import duration, format_duration
from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.kernel.random import Stream
from marketsim.network.hop import SPIKE, Hop
from marketsim.network.latency import Duration, LatencyModel

Window = tuple[int, int]
"""From, until: ns; the end does not belong to it."""

_TIME = {"unit": "duration"}


class Fault:
    """What all faults are."""


@dataclass(frozen=True)
class Loss(Fault):
    """Each message of market data is lost with a probability, for each receiver on its own."""

    probability: float = field(metadata={"help": "of each message, from 0 to 1"})

    def __post_init__(self) -> None:
        _check_probability(self)


@dataclass(frozen=True)
class Spike(Fault):
    """Messages that leave between two times take longer, in both directions."""

    at: Duration = field(metadata={**_TIME, "help": "when it begins, after the start of the run"})
    until: Duration = field(metadata={**_TIME, "help": "when it is over"})
    added: Duration = field(metadata={**_TIME, "help": "to the latency of each message"})

    def __post_init__(self) -> None:
        _check_window(self)
        _to_ns(self, "added", 1)


@dataclass(frozen=True)
class Disconnect(Fault):
    """The session is down between two times; market data goes on unless ``data`` is set."""

    at: Duration = field(metadata={**_TIME, "help": "when it breaks, after the start of the run"})
    until: Duration = field(metadata={**_TIME, "help": "when it is up again"})
    data: bool = field(default=False, metadata={"help": "whether market data is lost as well meanwhile"})

    def __post_init__(self) -> None:
        _check_window(self)

    @property
    def interval(self) -> str:
        """From when to when the session is down, as people write it."""
        return f"{format_duration(_ns(self.at))} to {format_duration(_ns(self.until))}"

    def overlaps(self, other: Disconnect) -> bool:
        """Whether one of the two begins before the other is over."""
        return _ns(self.at) < _ns(other.until) and _ns(other.at) < _ns(self.until)


@dataclass(frozen=True)
class Outages(Fault):
    """The session breaks at random: times up and times down are exponential, with these means."""

    between: Duration = field(metadata={**_TIME, "help": "mean time from one's end to the next"})
    lasting: Duration = field(metadata={**_TIME, "help": "mean time for which it is down"})
    data: bool = field(default=False, metadata={"help": "whether market data is lost as well meanwhile"})

    def __post_init__(self) -> None:
        _to_ns(self, "between", 1)
        _to_ns(self, "lasting", 1)


@dataclass(frozen=True)
class Duplicates(Fault):
    """Each execution report is sent twice with a probability; the session drops what it has seen."""

    probability: float = field(metadata={"help": "of each report, from 0 to 1"})

    def __post_init__(self) -> None:
        _check_probability(self)


@dataclass(frozen=True)
class Delays(Fault):
    """Each execution report is late with a probability, and holds up those behind it."""

    probability: float = field(metadata={"help": "of each report, from 0 to 1"})
    delay: Duration = field(metadata={**_TIME, "help": "by which it is late"})

    def __post_init__(self) -> None:
        _check_probability(self)
        _to_ns(self, "delay", 1)


@dataclass(frozen=True)
class Spikes(LatencyModel):
    """What spikes add to the latency of a link: windows of (from, until, added), in ns of the run's clock."""

    windows: tuple[tuple[int, int, int], ...]

    def hops(self) -> tuple[Hop, ...]:
        """The windows as points."""
        import numpy as np

        return (Hop(SPIKE, points=np.array(self.windows, np.float64).ravel()),)

    def expected(self) -> float:
        """0: the windows are exceptions."""
        return 0.0


class Impairment(NamedTuple):
    """All that is wrong with one session, in ns of the run's clock."""

    loss: float = 0.0
    duplicates: float = 0.0
    delays: float = 0.0
    delay: int = 0
    outages: tuple[Window, ...] = ()  # apart from each other and in order
    dark: tuple[Window, ...] = ()  # the same, of market data


def impairment(
    faults: Iterable[Fault], start: int, end: int, seed: int, agent: str, venue: str, grid: int = 1
) -> Impairment:
    """What the faults of one session come to, for a run from ``start`` to ``end``.

    Of two losses each message meets both. Outages are moved to the grid, outwards, and joined where they overlap;
    InvalidValueError where two of them that are scheduled do.
    """
    given = list(faults)
    check_apart(given)
    outages, dark = list[Window](), list[Window]()
    for place, fault in enumerate(given):
        windows = _windows(fault, start, end, Stream(seed, f"{agent}->{venue}", f"outages {place}"))
        outages += windows
        dark += windows if getattr(fault, "data", False) else ()
    late = [fault for fault in given if isinstance(fault, Delays)]
    if len(late) > 1:
        raise ConfigurationError(f"{agent} at {venue} has {len(late)} faults of type delays; keep one")
    return Impairment(
        _either(fault.probability for fault in given if isinstance(fault, Loss)),
        _either(fault.probability for fault in given if isinstance(fault, Duplicates)),
        late[0].probability if late else 0.0,
        _ns(late[0].delay) if late else 0,
        _joined(outages, start, end, grid),
        _joined(dark, start, end, grid),
    )


def spikes(faults: Iterable[Fault], start: int) -> Spikes | None:
    """The latency that the spikes among some faults add; None when there are none."""
    windows = sorted((start + _ns(f.at), start + _ns(f.until), _ns(f.added)) for f in faults if isinstance(f, Spike))
    return Spikes(tuple(windows)) if windows else None


def check_apart(faults: Sequence[Any]) -> None:
    """InvalidValueError when two scheduled disconnects of one session overlap."""
    scheduled = [fault for fault in faults if isinstance(fault, Disconnect)]
    for place, one in enumerate(scheduled):
        for other in scheduled[:place]:
            if one.overlaps(other):
                raise InvalidValueError(f"the disconnects {other.interval} and {one.interval} overlap; join them")


def _windows(fault: Fault, start: int, end: int, stream: Stream) -> list[Window]:
    if isinstance(fault, Disconnect):
        return [(start + _ns(fault.at), start + _ns(fault.until))]
    if not isinstance(fault, Outages):
        return []
    windows = list[Window]()
    time = start
    while True:
        time += 1 + int(stream.exponential(_ns(fault.between)))
        if time >= end:
            return windows
        until = time + 1 + int(stream.exponential(_ns(fault.lasting)))
        windows.append((time, until))
        time = until


def _joined(windows: Iterable[Window], start: int, end: int, grid: int) -> tuple[Window, ...]:
    """Windows on the grid and within the run, in order, those that touch made one."""
    result = list[Window]()
    for first, last in sorted(windows):
        begin, over = first // grid * grid, -(-last // grid) * grid
        if begin >= end:
            continue
        if result and begin <= result[-1][1]:
            result[-1] = result[-1][0], max(over, result[-1][1])
        else:
            result.append((max(begin, start), over))
    return tuple(result)


def _either(probabilities: Iterable[float]) -> float:
    """Probability that at least one of several independent things happens."""
    either = 0.0
    for probability in probabilities:
        either += probability - either * probability
    return either


def _ns(value: int | str) -> int:
    """A field that has become int nanoseconds."""
    assert isinstance(value, int)
    return value


def _check_probability(fault: Any) -> None:
    value = fault.probability
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise InvalidValueError(f"probability: {value!r} is not a probability: write a number from 0 to 1")


def _to_ns(fault: Any, name: str, least: int = 0) -> None:
    value = duration(getattr(fault, name))
    if value < least:
        rule = "above zero" if least else "not below zero"
        raise InvalidValueError(f"{name}: {getattr(fault, name)!r} must be {rule}")
    object.__setattr__(fault, name, value)


def _check_window(fault: Any) -> None:
    _to_ns(fault, "at")
    _to_ns(fault, "until", 1)
    if fault.until <= fault.at:
        raise InvalidValueError(
            f"until: {format_duration(fault.until)} is not after {format_duration(fault.at)}, when it begins; "
            "choose a later end"
        )
