"""A layering trader: a spoofer whose decoys stand at several prices. Its orders are labelled.

It shows what surveillance has to find; it exists for no other market than a simulated one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from marketsim.agents.checks import to_whole
from marketsim.agents.deception import Deception


@dataclass
class Layering(Deception):
    """Posts ``quantity`` lots at the best price and ``layers`` decoys of ``layer_quantity`` on the other side.

    Decoy k (0, 1, …) lies ``distance`` + k·``spacing`` ticks behind the best price of its side; once the genuine order
    has traded, or after ``patience``, or when others' lots ahead of a decoy fall below ``cover``, everything is
    cancelled. What it holds it trades back in the next episodes, at most ``quantity`` in one. Labels: kind
    ``layering``, roles ``genuine`` and ``decoy``.
    """

    kind: ClassVar[str] = "layering"

    layers: int = field(default=4, metadata={"help": "prices with a decoy"})
    spacing: int = field(default=1, metadata={"help": "ticks from one decoy to the next"})
    layer_quantity: int = field(default=100, metadata={"help": "lots of each decoy"})

    def __post_init__(self) -> None:
        super().__post_init__()
        to_whole(self, "layers", "spacing", "layer_quantity", low=1)

    def decoys(self) -> list[tuple[int, int]]:
        """A ladder."""
        return [(self.distance + self.spacing * layer, self.layer_quantity) for layer in range(self.layers)]
