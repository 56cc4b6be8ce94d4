"""TWAP: executes a parent order in equal slices over a stretch of time, for about the mean price of that time.

It knows no volume and no price to come, and is what other execution algorithms are measured by. Where the price is a
random walk and impact is linear, equal slices are optimal (D. Bertsimas and A. Lo, "Optimal control of execution
costs", Journal of Financial Markets 1, 1998, 1–50).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.agents.execution.plan import MAX_PARTICIPATION, ScheduledPlan
from marketsim.trading.parent_order import ParentOrder


@dataclass
class Twap(ScheduledPlan):
    """Buys or sells ``quantity`` lots in ``slices`` equal parts, one every ``horizon / slices``, from ``begin`` on.

    After slice k (1, 2, …) it wants round(Q·k / slices) lots, so that slices differ by a lot at most; what an earlier
    one did not get is caught up by the next. ``style="take"`` sends a market order for each slice. ``style="post"``
    first joins the best price of its own side with a post-only order, follows it, and takes what is left after
    ``patience``, a share of the slice's time. What is still missing at the end of the horizon is taken then.

    It keeps to its time: other than its siblings it has no ``max_participation`` unless one is given.
    """

    max_participation: float | None = field(default=None, metadata=MAX_PARTICIPATION)

    def shares(self, parent: ParentOrder) -> list[float]:
        """k / slices."""
        return [number / self.slices for number in range(1, self.slices + 1)]
