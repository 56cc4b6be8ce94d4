"""Almgren–Chriss: executes a parent order on the trajectory that is optimal between impact and risk.

R. Almgren and N. Chriss, "Optimal execution of portfolio transactions", Journal of Risk 3 (2), 2001, 5–39; formulas and
units in ``trajectory``. Sooner done is less risk and more impact; ``risk_aversion`` weighs the two. It knows the
market by the parameters that it is given, and never measures them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.agents.checks import to_number
from marketsim.agents.execution.plan import MAX_PARTICIPATION, ScheduledPlan
from marketsim.agents.execution.trajectory import Impact, optimal_holdings
from marketsim.domain.units import SECOND
from marketsim.trading.parent_order import ParentOrder


@dataclass
class AlmgrenChriss(ScheduledPlan):
    """Slices of equal time whose sizes follow sinh(κ(T − t)) / sinh(κT), in whole lots; see ``trajectory``.

    At ``risk_aversion`` 0 it is a TWAP. Below zero it is late, as somebody who seeks risk would be; above, early.
    """

    risk_aversion: float = field(default=1e-3, metadata={"help": "λ: currency of cost for a currency² of variance"})
    volatility: float = field(default=0.01, metadata={"help": "σ of the price: currency per √second"})
    temporary_impact: float = field(
        default=0.005, metadata={"help": "η: currency a unit that the price gives way at a pace of one unit a second"}
    )
    permanent_impact: float = field(default=0.0, metadata={"help": "γ: currency that the price moves for good, a unit"})
    max_participation: float | None = field(default=0.1, metadata=MAX_PARTICIPATION)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_number(self, "risk_aversion")
        to_number(self, "volatility", "permanent_impact", low=0.0)
        to_number(self, "temporary_impact", low=0.0, open_low=True)
        self._left()

    def shares(self, parent: ParentOrder) -> list[float]:
        """1 − x_j / X after each slice."""
        return [1.0 - left for left in self._left()[1:]]

    def _left(self) -> list[float]:
        """x_j / X."""
        impact = Impact(self.volatility, self.temporary_impact, self.permanent_impact)
        return list(optimal_holdings(1.0, int(self.horizon) / SECOND, self.slices, self.risk_aversion, impact))
