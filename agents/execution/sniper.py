"""Sniper: executes a parent order by waiting unseen, and taking what is offered when it is good enough.

It shows nothing to the market before it trades. Good enough is: at its limit or better, enough of it, and in a spread
that is narrow enough. It knows the best quotes, which may be gone when its order arrives; then it waits for the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.agents.checks import to_whole
from marketsim.agents.execution.plan import MAX_PARTICIPATION, ExecutionPlan
from marketsim.agents.execution.working import Sniping
from marketsim.errors import InvalidValueError
from marketsim.trading.parent_order import ParentOrder, Worker


@dataclass
class Sniper(ExecutionPlan):
    """Takes the whole best price of the other side, one order at a time, when ``size`` lots or more stand there, the
    spread is ``max_spread`` ticks at most, and the price is ``limit`` or better. What is left at the end, ``at_end``
    decides.
    """

    size: int = field(default=10, metadata={"help": "lots that must be offered at the best price, or all it wants"})
    max_spread: int | None = field(default=2, metadata={"help": "widest spread in which it trades, ticks; none: any"})
    max_participation: float | None = field(default=None, metadata=MAX_PARTICIPATION)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_whole(self, "size", "max_spread", low=1)
        if self.size > self.quantity:
            raise InvalidValueError(
                f"size: {self.size} lots, and the order is one of {self.quantity}; wait for at most as many: lower it"
            )

    def work(self, parent: ParentOrder) -> Worker:
        """Wait."""
        return Sniping(parent, self)
