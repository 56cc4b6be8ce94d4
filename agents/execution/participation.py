"""Participation (percentage of volume): executes a parent order as a fixed share of what the market trades.

It knows no schedule: at regular looks it takes, or posts, as much as it lags behind its share of the volume printed
since it began. Its own fills are no volume to follow: of x own lots and v lots of others it keeps x = rate·(x + v), so
that it does not chase itself. When it will be done, if ever, the market decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.agents.checks import to_duration, to_number, to_whole
from marketsim.agents.execution.plan import AT_END, AtEnd, SlicedPlan
from marketsim.agents.execution.working import Pace
from marketsim.errors import InvalidValueError
from marketsim.trading.parent_order import ParentOrder


@dataclass
class Participation(SlicedPlan):
    """Keeps its share of the volume at ``rate``, looking every ``interval``; it never lies above it.

    Lots below ``min_slice`` wait for more; a look sends ``max_slice`` at most, which bounds what is caught up at once
    when it has fallen behind.
    """

    rate: float = field(default=0.1, metadata={"help": "share of all lots traded that its own are, above 0 to below 1"})
    interval: int | str = field(default="1s", metadata={"unit": "duration", "help": "between two looks at the volume"})
    min_slice: int = field(default=1, metadata={"help": "fewest lots that it sends, but for the last"})
    max_slice: int | None = field(default=None, metadata={"help": "most lots that a look sends; none: any number"})
    at_end: AtEnd = field(default="stop", metadata=AT_END)

    cap_name = "rate"

    def __post_init__(self) -> None:
        super().__post_init__()
        to_number(self, "rate", low=0.0, high=1.0, open_low=True)
        to_duration(self, "interval")
        to_whole(self, "min_slice", "max_slice", low=1)
        if self.rate == 1.0:
            raise InvalidValueError("rate: 1.0 is the whole market, and nobody can be that; use less")
        if self.max_slice is not None and self.max_slice < self.min_slice:
            raise InvalidValueError(f"max_slice: {self.max_slice} lies below min_slice {self.min_slice}; raise it")
        if int(self.interval) > int(self.horizon):
            raise InvalidValueError("interval: it is longer than the horizon; look at least once in it")

    @property
    def cap(self) -> float:
        """Its rate."""
        return self.rate

    def pace(self, parent: ParentOrder) -> Pace:
        """A look each interval that wants all that the rate allows."""
        return Pace(range(0, parent.end - parent.begin, int(self.interval)), _All())


class _All:
    """As much as may be."""

    def after(self, number: int, parent: ParentOrder) -> int:
        return parent.quantity
