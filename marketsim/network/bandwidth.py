"""Bandwidth: a line that puts one message after the other on the wire.

It knows how long a message takes to be put there, not how long it then travels: add a distance with ``Series``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.errors import InvalidValueError
from marketsim.network.hop import LINE, Hop
from marketsim.network.latency import Duration, LatencyModel
from marketsim.network.parameters import ns, to_durations


@dataclass(frozen=True)
class Bandwidth(LatencyModel):
    """A message waits until those before it have left, and then takes ``per_message`` to be put on the line.

    With messages of s bytes on a line of r bits a second, ``per_message`` is 8·s/r: 100 bytes at 10 Mbit/s take 80 µs.
    All that a party sends shares one line, and so does all that it receives; a link of a topology is one line for
    everyone who uses it.
    """

    per_message: Duration = field(metadata={"unit": "duration", "help": "time to put one message on the line"})

    def __post_init__(self) -> None:
        to_durations(self, "per_message")
        if not ns(self.per_message) > 0:
            raise InvalidValueError("Bandwidth: per_message must be above zero; leave it out for an endless bandwidth")

    @property
    def loaded(self) -> bool:
        return True

    def hops(self) -> tuple[Hop, ...]:
        """p0 the time of one message."""
        return (Hop(LINE, ns(self.per_message)),)

    def expected(self) -> float:
        """What one message takes on an idle line, ns."""
        return ns(self.per_message)
