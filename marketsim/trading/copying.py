"""Copying: an agent that is told of another one's fills, with that one's permission and after a delay.

It works as a service of the leader's broker does: when a report of a fill reaches the leader, a copy of it sets out to
whoever may have it. The leader names them in ``copied_by``; a scenario without that permission is refused. A follower
sees what was traded, never the leader itself, its orders or what it wants.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent


class Copied(NamedTuple):
    """A fill of the leader. Prices are ticks, quantities lots."""

    time: int  # ns, when the venue told the leader
    instrument: Instrument
    venue: str
    side: Side
    price: int
    quantity: int


@dataclass
class Follower(Agent):
    """Base of agents that follow another one: override ``on_copied``."""

    leader: str = field(
        metadata={
            "help": "the agent whose fills it is told; that one names it in copied_by",
            "reference": "agent",
            "permission": "copied_by",
        }
    )
    delay: int | str = field(
        default="100ms", metadata={"unit": "duration", "help": "time that a fill needs from the leader to here"}
    )

    def __post_init__(self) -> None:
        try:
            self.delay = duration(self.delay)
        except InvalidValueError as error:
            raise InvalidValueError(f"delay: {error}") from None
        if self.delay < 0:
            raise InvalidValueError(f"delay: {self.delay} ns is below zero; use 0 or more")

    def on_copied(self, fill: Copied) -> None:
        """The leader has traded, ``delay`` ago."""
