"""Giveaway: shouts its limit price, and so gives all of its gain to whoever trades with it.

The simplest of the traders of the Bristol Stock Exchange, GVWY (D. Cliff, "An open-source limit-order-book exchange for
teaching and research", IEEE Symposium Series on Computational Intelligence 2018, 1853–1860). It looks at nothing: what
it earns comes from orders that already stand at a better price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from marketsim.agents.classic_trader import CLASSIC_FIELDS, SHOUT, ClassicTrader, attend, limit_of, shout
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.policy import Policy


@compiled
def giveaway_policy(me: Record, seen: Record, out: Record) -> int:
    """Shout the limit."""
    if attend(me, seen, out) & SHOUT != 0:
        shout(me, out, limit_of(me))
    return 0


@dataclass
class Giveaway(ClassicTrader):
    """Shouts its limit price (GVWY): it earns only where somebody's order already stands at a better one."""

    STATE: ClassVar = np.dtype(CLASSIC_FIELDS)
    policy: ClassVar[Policy] = staticmethod(giveaway_policy)
