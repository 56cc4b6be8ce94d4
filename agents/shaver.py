"""Shaver: is always the best of its side by one tick, as long as its limit price allows.

SHVR of the Bristol Stock Exchange (D. Cliff, "An open-source limit-order-book exchange for teaching and research", IEEE
Symposium Series on Computational Intelligence 2018, 1853–1860), the simplest model of a trader that undercuts. It looks
at the best price of its own side only, and never learns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from marketsim.agents.classic_trader import CLASSIC_FIELDS, SHOUT, ClassicTrader, attend, shout
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.policy import Policy


@compiled
def shaver_policy(me: Record, seen: Record, out: Record) -> int:
    """Shout one tick better than the best of the own side."""
    if attend(me, seen, out) & SHOUT != 0:
        shave(me, out, 1)
    return 0


@compiled
def shave(me: Record, out: Record, ticks: int) -> None:
    """A price better than the own side's best by so many ticks; the end of the range where nobody shouts."""
    if me.side > 0:
        shout(me, out, me.bid + ticks if me.bid > 0 else me.low)
    else:
        shout(me, out, me.ask - ticks if me.ask > 0 else me.high)


@dataclass
class Shaver(ClassicTrader):
    """Shouts one tick better than the best price of its own side (SHVR).

    A buyer's price is min(bid + 1 tick, limit), and ``low`` where there is no bid; a seller's max(ask − 1 tick, limit),
    and ``high`` where there is no offer.
    """

    STATE: ClassVar = np.dtype(CLASSIC_FIELDS)
    policy: ClassVar[Policy] = staticmethod(shaver_policy)
