"""Mean-reversion traders: they sell when the price is unusually high, buy when it is unusually low, and then wait.

Unusual is measured in standard deviations of the mids that they have seen, as in the trading rule of E. Gatev, W.
Goetzmann and K. Rouwenhorst, "Pairs trading: performance of a relative-value arbitrage rule", Review of Financial
Studies 19, 2006, 797–827, for one instrument. They know nothing but quotes. (``momentum`` with ``direction: revert``
compares two averages, and never closes a position.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from marketsim.agents.checks import check_choice, to_number, to_waking, to_whole
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, purpose_of
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, cancel_all, limit_order, market_order, wake_at

MIDS = 512  # the longest window
_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_WHEN = purpose_of("when")

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between wake-ups
        ("window", np.int64),  # mids
        ("entry", np.float64),  # deviations
        ("leave", np.float64),
        ("quantity", np.int64),
        ("most", np.int64),  # lots held long or short
        ("market", np.int64),  # whether to send market orders
        ("known", np.int64),  # how many mids it has seen
        ("total", np.int64),  # of mids less the first one, half ticks
        ("squares", np.int64),
        ("origin", np.int64),  # the first mid
        ("draw", np.int64),
        ("mids", np.int64, (MIDS,)),  # half ticks above the first, a ring
    ]
)


@compiled
def mean_reversion_policy(me: Record, seen: Record, out: Record) -> int:
    """Wake, ask, judge, trade."""
    if seen.kind == _QUOTE:
        if seen.bid_quantity > 0 and seen.ask_quantity > 0 and seen.bid < seen.ask:
            mid = seen.bid + seen.ask
            if me.known >= me.window:
                _trade(me, seen, out, deviations(me, mid))
            _remember(me, mid)
    elif seen.kind == _START or seen.kind == _WAKE:
        if seen.kind == _WAKE:
            cancel_all(out)
            ask_quote(out)
        me.draw += 1
        wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))
    return 0


@compiled
def _remember(me: Record, mid: int) -> None:
    """Both sums over the window; whole numbers, so nothing drifts."""
    if me.known == 0:
        me.origin = mid
    gap = mid - me.origin
    place = me.known % me.window
    if me.known >= me.window:
        old = me.mids[place]
        me.total -= old
        me.squares -= old * old
    me.mids[place] = gap
    me.total += gap
    me.squares += gap * gap
    me.known += 1


@compiled
def deviations(me: Record, mid: int) -> float:
    """How many standard deviations a mid lies above the mean of the window; 0 where nothing has moved."""
    n = me.window
    variance = (n * me.squares - me.total * me.total) / (n * n)
    if variance <= 0.0:
        return 0.0
    return ((mid - me.origin) - me.total / n) / math.sqrt(variance)


@compiled
def _trade(me: Record, seen: Record, out: Record, z: float) -> None:
    """Against the deviation beyond ``entry``, out of the position within ``leave``."""
    side = 0
    quantity = 0
    if abs(z) >= me.entry:
        side = -1 if z > 0.0 else 1
        quantity = min(me.quantity, me.most - side * seen.position)
    elif abs(z) <= me.leave and seen.position != 0:
        side = -1 if seen.position > 0 else 1
        quantity = abs(seen.position)
    if quantity <= 0:
        return
    if me.market != 0:
        market_order(out, side, quantity)
    else:
        limit_order(out, side, seen.ask if side > 0 else seen.bid, quantity)


@dataclass
class MeanReversion(CompiledAgent):
    """Sells ``entry`` deviations above the mean, buys as far below, and closes its position near the mean.

    z = (m − mean)/deviation of the mid m, against the last ``window`` mids before it that were seen on waking, the
    deviation over n. At z ≥ ``entry`` it sells ``quantity`` lots, at z ≤ −``entry`` it buys as many, up to
    ``max_position``; where |z| ≤ ``leave`` it trades its whole position back. Before ``window`` mids it does nothing.
    """

    rate: float | str = field(default=0.2, metadata={"unit": "rate", "help": "wake-ups a second"})
    window: int = field(default=60, metadata={"help": f"mids of mean and deviation, from 2 to {MIDS}"})
    entry: float = field(default=2.0, metadata={"help": "deviations at which it trades against the price"})
    leave: float = field(default=0.5, metadata={"help": "deviations within which it closes its position"})
    quantity: int = field(default=20, metadata={"help": "lots of an order"})
    max_position: int = field(default=200, metadata={"help": "most lots held long or short"})
    orders: Literal["limit", "market"] = field(
        default="limit", metadata={"help": "limit orders at the opposite best price, or market orders"}
    )

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(mean_reversion_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        to_whole(self, "window", low=2, high=MIDS)
        to_whole(self, "quantity", "max_position", low=1, high=1 << 60)
        to_number(self, "entry", low=0.0, high=1e6, open_low=True)
        to_number(self, "leave", low=0.0)
        check_choice(self, "orders", ("limit", "market"))
        if self.leave >= self.entry:
            raise InvalidValueError(
                f"leave: {self.leave:g} deviations must be fewer than entry {self.entry:g}; swap them"
            )

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["pause"] = SECOND / float(self.rate)
        rows["market"] = self.orders == "market"
        rows["most"] = self.max_position
        for name in ("window", "entry", "leave", "quantity"):
            rows[name] = getattr(self, name)
