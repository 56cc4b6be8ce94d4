"""Auction sniper: lets others negotiate, and steals the deal when it is good enough or when time runs out.

After Kaplan's winner of the Santa Fe tournament (J. Rust, J. Miller and R. Palmer, "Characterizing effective trading
strategies: insights from a computerized double auction tournament", Journal of Economic Dynamics and Control 18, 1994,
61–96), with the ending of SNPR of the Bristol Stock Exchange (D. Cliff, "An open-source limit-order-book exchange for
teaching and research", 2018). It never makes a price before the end of a period. It is not the execution algorithm
called sniper, which works a parent order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.checks import to_number, to_share
from marketsim.agents.classic_trader import (
    CLASSIC_FIELDS,
    RENEWED,
    SHOUT,
    TRADED,
    ClassicTrader,
    attend,
    limit_of,
    shout,
)
from marketsim.agents.shaver import shave
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.population.policy import Policy

STATE = np.dtype(
    [
        ("juicy", np.int64),  # whether to strike at better prices than any of the last period
        ("spread", np.float64),  # share of the price
        ("profit", np.float64),  # share of the limit
        ("lurk", np.float64),  # share of the period
        ("growth", np.float64),
        ("lowest", np.int64),  # trades of this period, ticks; 0 before any
        ("highest", np.int64),
        ("last_lowest", np.int64),  # of the last period
        ("last_highest", np.int64),
        *CLASSIC_FIELDS,
    ]
)


@compiled
def auction_sniper_policy(me: Record, seen: Record, out: Record) -> int:
    """Watch, strike, and shave at the end."""
    what = attend(me, seen, out)
    if what & TRADED != 0:
        me.lowest = seen.price if me.lowest == 0 else min(me.lowest, seen.price)
        me.highest = max(me.highest, seen.price)
    elif what & RENEWED != 0:
        me.last_lowest = me.lowest
        me.last_highest = me.highest
        me.lowest = 0
        me.highest = 0
    elif what & SHOUT != 0:
        remaining = (me.ends - seen.now) / me.interval
        if _is_juicy(me) or _is_close(me):
            shout(me, out, me.ask if me.side > 0 else me.bid)
        elif remaining < me.lurk:
            shave(me, out, int(1.0 / (0.01 + remaining / (me.growth * me.lurk))))
    return 0


@compiled
def _is_juicy(me: Record) -> bool:
    """Whether the opposite best is better than every price of the last period, and within the limit."""
    if me.juicy == 0 or me.last_highest == 0:
        return False
    if me.side > 0:
        return 0 < me.ask <= min(me.last_lowest, limit_of(me))
    return me.bid >= max(me.last_highest, limit_of(me))


@compiled
def _is_close(me: Record) -> bool:
    """Whether bid and offer are near each other, the price is within the last period's and it leaves a profit."""
    if me.spread <= 0.0 or me.bid == 0 or me.ask == 0 or me.last_highest == 0:
        return False
    limit = limit_of(me)
    if me.ask - me.bid >= me.spread * me.ask:
        return False
    if me.side > 0:
        return me.ask <= me.last_highest and limit - me.ask >= me.profit * limit
    return me.bid >= me.last_lowest and me.bid - limit >= me.profit * limit


@dataclass
class AuctionSniper(ClassicTrader):
    """Waits until others have nearly agreed, then takes the deal (Kaplan's sniper; SNPR).

    A buyer takes the best offer a when it is not above the lowest price of the last period (``juicy``); or when a − bid
    < ``spread``·a, a is not above the highest price of the last period, and its limit exceeds a by ``profit``·limit at
    least. Sellers likewise. In the last ``lurk`` of a period, of which the share s is left, it makes prices: better
    than the best of its own side by 1/(0.01 + s/(``growth``·``lurk``)) ticks, faster and faster. With ``juicy`` false
    and ``spread`` 0 it is SNPR. It must know when periods end.
    """

    juicy: bool = field(default=True, metadata={"help": "take prices that are better than all of the last period"})
    spread: float = field(
        default=0.1, metadata={"help": "share of the offer below which the spread is small; 0: never"}
    )
    profit: float = field(default=0.02, metadata={"help": "share of the limit that it wants to earn then"})
    lurk: float = field(default=0.2, metadata={"help": "share of a period, at its end, in which it makes prices"})
    growth: float = field(default=3.0, metadata={"help": "how fast it shaves at the end"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(auction_sniper_policy)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_share(self, "spread", "profit")
        to_number(self, "lurk", low=0.0, high=1.0, open_low=True)
        to_number(self, "growth", low=0.0, high=1e6, open_low=True)
        if self.period is None:
            raise InvalidValueError("period: a sniper must know when the period ends; write period: 1min")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        super().fill(rows, instrument)
        for name in ("juicy", "spread", "profit", "lurk", "growth"):
            rows[name] = getattr(self, name)
