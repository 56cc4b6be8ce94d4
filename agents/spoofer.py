"""A spoofer: one large order that is not meant, to make others trade with a small one that is. Its orders are labelled.

It shows what surveillance has to find; it exists for no other market than a simulated one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from marketsim.agents.checks import to_whole
from marketsim.agents.deception import Deception


@dataclass
class Spoofer(Deception):
    """Posts ``quantity`` lots at the best price and a decoy of ``decoy_quantity`` on the other side of the book.

    The decoy lies ``distance`` ticks behind the best price of its side; once the genuine order has traded, or after
    ``patience``, or when others' lots ahead of the decoy fall below ``cover``, everything is cancelled. What it holds
    it trades back in the next episodes, at most ``quantity`` in one. Labels: kind ``spoofing``, roles ``genuine`` and
    ``decoy``.
    """

    kind: ClassVar[str] = "spoofing"

    decoy_quantity: int = field(default=400, metadata={"help": "lots of the order that is not meant"})

    def __post_init__(self) -> None:
        super().__post_init__()
        to_whole(self, "decoy_quantity", low=1)

    def decoys(self) -> list[tuple[int, int]]:
        """One large order."""
        return [(self.distance, self.decoy_quantity)]
