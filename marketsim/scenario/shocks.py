"""Shocks: what an entry of the timeline says. They are facts; whoever runs the scenario carries them out.

When, and which agent, feed, instrument or venue an entry concerns, stands in its ``ShockSpec``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError


@dataclass(frozen=True)
class News:
    """The value of a feed jumps by ``shock`` (in the feed's unit); everyone subscribed learns it over the network."""

    shock: float = field(metadata={"help": "how far the feed's value jumps"})

    def __post_init__(self) -> None:
        if abs(self.shock) == float("inf"):
            raise InvalidValueError("shock: it must be finite")


@dataclass(frozen=True)
class SetParameter:
    """A parameter of a running agent, or of all agents of a key, takes another value; the change is recorded."""

    parameter: str = field(metadata={"help": "name of the agent's parameter"})
    value: Any = field(metadata={"help": "its new value"})


@dataclass(frozen=True)
class Halt:
    """Trading halts: of an instrument, or of all; on a venue, or on all. Orders rest, and may be canceled."""

    duration: int | str | None = field(
        default=None, metadata={"unit": "duration", "help": "how long; until it is resumed when left out"}
    )

    def __post_init__(self) -> None:
        if self.duration is not None:
            length = duration(self.duration)
            if length <= 0:
                raise InvalidValueError("duration: it must be above zero")
            object.__setattr__(self, "duration", length)


@dataclass(frozen=True)
class Resume:
    """A halt ends, as the venue's interruptions say."""


@dataclass(frozen=True)
class KillSwitch:
    """Risk control stops an agent, all agents of a key, or all that Python runs: their orders are canceled."""

    flatten: bool = field(default=False, metadata={"help": "close their positions too"})
    duration: int | str | None = field(
        default=None, metadata={"unit": "duration", "help": "how long; to the end of the run when left out"}
    )

    def __post_init__(self) -> None:
        if self.duration is not None:
            length = duration(self.duration)
            if length <= 0:
                raise InvalidValueError("duration: it must be above zero")
            object.__setattr__(self, "duration", length)
