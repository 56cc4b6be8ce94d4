"""What agents have in common that put a market under stress: each of their orders is labelled with what it was for.

The labels are remarks of the run that no other agent sees; ``analysis.labels`` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from marketsim.domain.label import LABEL, Label
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order


@dataclass
class StressAgent(Agent):
    """An agent that tells the run the truth about its orders."""

    kind: ClassVar[str] = ""  # what it is up to, in its labels

    def label(self, order: Order, role: str, episode: int) -> None:
        """Say what an order is for; one that its own limits have refused never was one."""
        if order.reference:
            self.note(LABEL, Label(self.kind, role, episode, order.venue, order.reference).text())
