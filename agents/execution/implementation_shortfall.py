"""Implementation shortfall: executes a parent order early, and faster or slower as the price moves.

What it minimises is the difference to the price at which the order was given (A. Perold, "The implementation shortfall:
paper versus reality", Journal of Portfolio Management 14 (3), 1988, 4–9). It sells what is left by the optimal rule of
Almgren and Chriss, x(t+τ)/x(t) = sinh(κ(T − t − τ)) / sinh(κ(T − t)), and adapts κ to the gain so far: "aggressive in
the money", as J. Lorenz and R. Almgren find optimal for mean and variance ("Mean–variance optimal adaptive execution",
Applied Mathematical Finance 18, 2011, 395–422). The form of the adaptation is a simple one of ours,

    κT = urgency · exp(adapt · g),   from a quarter of urgency to four times it,

with g the gain since it began, in basis points of the mid: positive when the price has become better for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from marketsim.agents.checks import to_number
from marketsim.agents.execution.plan import MAX_PARTICIPATION, SLICES, SlicedPlan, check_slices
from marketsim.agents.execution.trajectory import share_left
from marketsim.agents.execution.working import Pace, even_times
from marketsim.trading.parent_order import ParentOrder

_FASTEST = 4.0


@dataclass
class ImplementationShortfall(SlicedPlan):
    """Slices of equal time, each a share of what is left: front-loaded by ``urgency``, adapted to the price."""

    looks = True  # at quotes

    slices: int = field(default=60, metadata=SLICES)
    urgency: float = field(default=2.0, metadata={"help": "κT: at 0 slices are equal, at 3 half is done in a quarter"})
    adapt: float = field(
        default=0.05, metadata={"help": "how much ln κ rises with a gain of 1 bps; below zero: slower with gains"}
    )
    max_participation: float | None = field(default=0.1, metadata=MAX_PARTICIPATION)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_slices(self.slices, self)
        to_number(self, "urgency", low=0.0, high=200.0)
        to_number(self, "adapt", low=-10.0, high=10.0)

    def pace(self, parent: ParentOrder) -> Pace:
        """Each slice by what is left, and by the price."""
        return Pace(even_times(parent, self.slices), _Adaptive(self.slices, self.urgency, self.adapt))


class _Adaptive:
    def __init__(self, slices: int, urgency: float, adapt: float) -> None:
        self._slices = slices
        self._urgency = urgency
        self._adapt = adapt
        self._arrival: float | None = None  # ticks, the mid at the first slice

    def after(self, number: int, parent: ParentOrder) -> int:
        """What is done, and this slice's share of what is left."""
        done = parent.filled + parent.working
        kappa = self._urgency * self._haste(parent)
        now = share_left(kappa, number / self._slices)
        then = share_left(kappa, (number + 1) / self._slices)
        kept = then / now if number + 1 < self._slices and now > 0.0 else 0.0
        return done + round((parent.quantity - done) * (1.0 - kept))

    def _haste(self, parent: ParentOrder) -> float:
        quote = parent.quote
        if quote is None or not quote.two_sided:
            return 1.0
        if self._arrival is None:
            self._arrival = quote.mid
        gain = -parent.side * (quote.mid / self._arrival - 1.0) * 1e4
        return math.exp(max(min(self._adapt * gain, math.log(_FASTEST)), -math.log(_FASTEST)))
