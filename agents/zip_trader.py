"""ZIP: zero-intelligence-plus traders, which learn a profit margin from every shout and trade.

D. Cliff, "Minimal-intelligence agents for bargaining behaviors in market-based environments", Hewlett-Packard
Laboratories Technical Report HPL-97-91, 1997. A shout that nobody accepts is told apart from the others as G. Tesauro
and R. Das do for orders that stay ("High-performance bidding agents for the continuous double auction", Proceedings of
the 3rd ACM Conference on Electronic Commerce, 2001): on waking, the best order of its own side counts as one. It never
looks at other traders' limits, nor at more than the best quotes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.assignment import has_unit, present_worth
from marketsim.agents.checks import to_number, to_numbers
from marketsim.agents.classic_trader import (
    BEGUN,
    BETTER_ASK,
    BETTER_BID,
    CLASSIC_FIELDS,
    LOOK,
    SHOUT,
    TRADED,
    ClassicTrader,
    attend,
    shout,
)
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import purpose_of, uniform
from marketsim.population.policy import Policy

_MARGIN, _LEARNING, _MOMENTUM = (purpose_of(name) for name in ("margin", "learning", "momentum"))
_RELATIVE, _ABSOLUTE = purpose_of("relative"), purpose_of("absolute")
_RANGES = ("margin", "learning", "momentum")

STATE = np.dtype(
    [
        ("margin", np.float64),  # of profit, as a share of the limit: from 0 for sellers, from -1 to 0 for buyers
        ("change", np.float64),  # the momentum term, ticks
        ("learning_rate", np.float64),
        ("momentum_rate", np.float64),
        ("ranges", np.float64, (6,)),  # from which margin, learning rate and momentum are drawn
        ("relative", np.float64),
        ("absolute", np.float64),  # ticks
        ("lessons", np.int64),
        *CLASSIC_FIELDS,
    ]
)


@compiled
def zip_policy(me: Record, seen: Record, out: Record) -> int:
    """Learn from what was shouted and traded; shout the price that the margin gives."""
    what = attend(me, seen, out)
    if what & BEGUN != 0:
        _draw_character(me, seen.key)
    if what & TRADED != 0:
        _learn_from_trade(me, seen)
    if what & (BETTER_BID + LOOK) != 0 and me.bid > 0 and me.side > 0:
        _learn_from_rejection(me, seen.key, me.bid)
    if what & (BETTER_ASK + LOOK) != 0 and me.ask > 0 and me.side < 0:
        _learn_from_rejection(me, seen.key, me.ask)
    if what & SHOUT != 0:
        shout(me, out, zip_price(me))
    return 0


@compiled
def _draw_character(me: Record, key: int) -> None:
    ranges = me.ranges
    me.margin = me.side * -1.0 * (ranges[0] + (ranges[1] - ranges[0]) * uniform(key, _MARGIN, 0))
    me.learning_rate = ranges[2] + (ranges[3] - ranges[2]) * uniform(key, _LEARNING, 0)
    me.momentum_rate = ranges[4] + (ranges[5] - ranges[4]) * uniform(key, _MOMENTUM, 0)


@compiled
def zip_price(me: Record) -> int:
    """The limit of the present unit and the margin, λ(1 + μ), in whole ticks: what it shouts."""
    return math.floor(present_worth(me) * (1.0 + me.margin) + 0.5)


@compiled
def _learn_from_trade(me: Record, seen: Record) -> None:
    """A shout at this price was accepted; the aggressor accepts the other side's shout."""
    ahead = me.side * (zip_price(me) - seen.price)  # how much more it would pay, or less it would ask
    if ahead >= 0:
        _adapt(me, seen.key, seen.price, -me.side)
    if ahead <= 0 and has_unit(me) and seen.side == me.side:
        _adapt(me, seen.key, seen.price, me.side)


@compiled
def _learn_from_rejection(me: Record, key: int, price: int) -> None:
    """A shout of the own side has not been accepted: who would not even have shouted that must come nearer."""
    if me.side * (zip_price(me) - price) <= 0 and has_unit(me):
        _adapt(me, key, price, me.side)


@compiled
def _adapt(me: Record, key: int, price: int, direction: int) -> None:
    """Widrow and Hoff's rule with momentum, towards a target that lies a little above or below a price."""
    limit = present_worth(me)
    if limit <= 0.0:
        return
    me.lessons += 1
    target = price * (1.0 + direction * me.relative * uniform(key, _RELATIVE, me.lessons))
    target += direction * me.absolute * uniform(key, _ABSOLUTE, me.lessons)
    present = limit * (1.0 + me.margin)
    change = me.learning_rate * (target - present)
    me.change = me.momentum_rate * me.change + (1.0 - me.momentum_rate) * change
    margin = (present + me.change) / limit - 1.0
    me.margin = min(max(margin, -1.0), 0.0) if me.side > 0 else max(margin, 0.0)


@dataclass
class Zip(ClassicTrader):
    """Adapts a margin of profit to the shouts and trades of the market (ZIP).

    The price is p = λ(1 + μ) with λ the limit of the present unit and μ the margin, at least 0 for sellers and at most
    0 for buyers. After a trade at q: sellers with p ≤ q raise their margin; if the accepted shout was a bid, sellers
    with units left and p ≥ q lower it. After an offer of q that was not accepted, sellers with units left and p ≥ q
    lower it. Buyers mirror all this. The change is Γ ← γΓ + (1 − γ)·β·(τ − p), μ ← (p + Γ)/λ − 1, with the target τ =
    R·q + A: R is uniform on [1, 1 + ``relative``] and A on [0, ``absolute``] where the price is to rise, on [1 −
    ``relative``, 1] and [−``absolute``, 0] where it is to fall. Each trader draws its first margin, β and γ from
    ``margin``, ``learning`` and ``momentum``.

    Accepted is the order that stood in the book. Not accepted is a better best price of the own side when it appears,
    and the best price of the own side whenever the trader looks.
    """

    margin: tuple[float, ...] = field(default=(0.05, 0.35), metadata={"help": "range of the first margin"})
    learning: tuple[float, ...] = field(default=(0.1, 0.5), metadata={"help": "range of the learning rate β"})
    momentum: tuple[float, ...] = field(default=(0.0, 0.1), metadata={"help": "range of the momentum γ"})
    relative: float = field(default=0.05, metadata={"help": "largest relative distance of the target from a shout"})
    absolute: float = field(default=0.05, metadata={"help": "largest further distance, currency"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(zip_policy)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _RANGES:
            to_numbers(self, name, low=0.0, high=1.0)
            span = getattr(self, name)
            if len(span) != 2 or span[0] > span[1]:
                raise InvalidValueError(f"{name}: {list(span)} is no range; write [lowest, highest]")
        to_number(self, "relative", low=0.0, high=1.0)
        to_number(self, "absolute", low=0.0)

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        super().fill(rows, instrument)
        rows["ranges"] = [bound for name in _RANGES for bound in getattr(self, name)]
        rows["relative"], rows["absolute"] = self.relative, self.absolute / instrument.tick
