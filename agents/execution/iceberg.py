"""Iceberg: executes a parent order with one resting order that shows a little of itself at a time.

The venue keeps the rest hidden and shows the next part when one is gone, at the back of the queue (docs/orders.md). It
earns the spread and waits for others; how soon it is done, and whether, the market decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from marketsim.agents.checks import to_whole
from marketsim.agents.execution.plan import MAX_PARTICIPATION, SlicedPlan
from marketsim.agents.execution.working import Pace, Shares
from marketsim.errors import InvalidValueError
from marketsim.trading.parent_order import ParentOrder


@dataclass
class Iceberg(SlicedPlan):
    """Rests at the best price of its own side, at its limit at worst, shows ``display`` lots, and follows the price.

    What is left after ``patience``, a share of the horizon, is taken.
    """

    style: Literal["take", "post"] = field(default="post", init=False, repr=False, metadata={"help": "post"})
    display: int = field(default=10, metadata={"help": "lots that it shows at most"})
    patience: float = field(default=1.0, metadata={"help": "share of the horizon that it waits, 0 to 1"})
    max_participation: float | None = field(default=None, metadata=MAX_PARTICIPATION)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_whole(self, "display", low=1)
        if self.display > self.quantity:
            raise InvalidValueError(
                f"display: {self.display} lots of {self.quantity}; an iceberg shows at most what there is: lower it"
            )

    def pace(self, parent: ParentOrder) -> Pace:
        """One slice, the whole order."""
        return Pace([0], Shares([1.0]))
