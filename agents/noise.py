"""Noise traders: orders for no reason, at random times, sides, prices and sizes.

Each agent wakes as a Poisson process, asks the venue for its best quotes and then, by chance, cancels all of its
orders, takes liquidity with a market order, or places a limit order whose distance from its own side's best price is
geometric, improving the spread now and then. It never looks at anything but the quotes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.checks import to_number, to_share, to_waking
from marketsim.agents.order_size import QUANTITY, SIGMA, SIZE_FIELDS, SIZES, Sizes, check_size, fill_size, order_size
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, cancel_all, limit_order, market_order, wake_at

_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_WHEN, _WHAT, _SIDE, _PRICE = (purpose_of(name) for name in ("when", "what", "side", "price"))

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between wake-ups
        ("market_share", np.float64),  # probability of a market order
        ("cancel_share", np.float64),  # probability of canceling everything
        ("improve_share", np.float64),  # probability that a limit order improves its side
        ("decay", np.float64),  # ln of the geometric distribution of the distance in ticks
        ("reference", np.int64),  # ticks
        ("draw", np.int64),  # of wake-ups
        ("answer", np.int64),  # of quotes
        *SIZE_FIELDS,
    ]
)


@compiled
def noise_policy(me: Record, seen: Record, out: Record) -> int:
    """Wake, ask, act."""
    if seen.kind == _START or seen.kind == _WAKE:
        if seen.kind == _WAKE:
            ask_quote(out)
        me.draw += 1
        wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))
    elif seen.kind == _QUOTE:
        me.answer += 1
        _trade(me, seen, out)
    return 0


@compiled
def _trade(me: Record, seen: Record, out: Record) -> None:
    side = 1 if uniform(seen.key, _SIDE, me.answer) < 0.5 else -1
    quantity = order_size(me, seen.key, me.answer)
    choice = uniform(seen.key, _WHAT, me.answer)
    opposite = seen.ask_quantity if side > 0 else seen.bid_quantity
    if choice < me.cancel_share:
        cancel_all(out)
    elif choice < me.cancel_share + me.market_share and opposite > 0:
        market_order(out, side, quantity)
    else:
        price = _limit(me, seen, side)
        if price > 0:
            limit_order(out, side, price, quantity)


@compiled
def _limit(me: Record, seen: Record, side: int) -> int:
    """Distance from the own side's best price: geometric, or one tick better where the spread leaves room."""
    draw = uniform(seen.key, _PRICE, me.answer)
    middle = seen.last_price if seen.last_price != 0 else me.reference
    if seen.bid_quantity > 0 and seen.ask_quantity > 0 and seen.bid >= seen.ask:
        best = (seen.bid + seen.ask) // 2  # an auction is on
    elif side > 0:
        best = seen.bid if seen.bid_quantity > 0 else (seen.ask - 1 if seen.ask_quantity > 0 else middle - 1)
    else:
        best = seen.ask if seen.ask_quantity > 0 else (seen.bid + 1 if seen.bid_quantity > 0 else middle + 1)
    if draw < me.improve_share:
        wide = seen.bid_quantity > 0 and seen.ask_quantity > 0 and seen.ask - seen.bid > 1
        return best + side if wide else best
    distance = int(math.log(1.0 - (draw - me.improve_share) / (1.0 - me.improve_share)) / me.decay)
    return best - side * distance


@dataclass
class Noise(CompiledAgent):
    """Random orders around the best quotes.

    On each wake-up: with probability ``cancel_share`` all own orders are canceled; with ``market_share`` a market order
    is sent; else a limit order, at the best price of its own side made one tick better with probability
    ``improve_share``, otherwise behind it by a geometric number of ticks of mean ``distance``, P(d) = (1−r)·r^d with
    r = distance/(1 + distance). Both sides have equal odds. An empty side begins one tick from the other one, or from
    the last price, or from the reference price before any trade; where the quotes cross (in an auction), the middle of
    the two counts as the best price.
    """

    rate: float | str = field(default=0.1, metadata={"unit": "rate", "help": "wake-ups a second"})
    quantity: float = field(default=20.0, metadata=QUANTITY)
    sizes: Sizes = field(default="geometric", metadata=SIZES)
    sigma: float = field(default=1.0, metadata=SIGMA)
    market_share: float = field(default=0.15, metadata={"help": "share of market orders"})
    cancel_share: float = field(default=0.25, metadata={"help": "share of wake-ups that cancel all own orders"})
    improve_share: float = field(default=0.2, metadata={"help": "share of limit orders that improve the spread"})
    distance: float = field(default=4.0, metadata={"help": "mean distance of other limit orders from the best, ticks"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(noise_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        check_size(self)
        to_share(self, "market_share", "cancel_share", "improve_share")
        to_number(self, "distance", low=0.0, high=1e9, open_low=True)
        if self.market_share + self.cancel_share > 1.0:
            raise InvalidValueError(
                f"market_share: {self.market_share:g} and cancel_share {self.cancel_share:g} together exceed 1; "
                "lower one of them"
            )

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["pause"] = SECOND / float(self.rate)
        for name in ("market_share", "cancel_share", "improve_share"):
            rows[name] = getattr(self, name)
        rows["decay"] = math.log(self.distance / (1.0 + self.distance))
        rows["reference"] = instrument.reference
        fill_size(rows, self)
