"""Risk control: what a strategy and a firm may do, and what happens when they do more."""

from marketsim.domain.limits import DEFAULTS, Limits
from marketsim.trading.risk.gate import Gate
from marketsim.trading.risk.guard import OWN, Guard, Guarded
from marketsim.trading.risk.scope import AGENT, FIRM, Scope

__all__ = ["AGENT", "DEFAULTS", "FIRM", "OWN", "Gate", "Guard", "Guarded", "Limits", "Scope"]
