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

from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND, rate
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, cancel_all, limit_order, market_order, wake_at

_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_WHEN, _WHAT, _SIDE, _PRICE, _SIZE = (purpose_of(name) for name in ("when", "what", "side", "price", "size"))

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between wake-ups
        ("market_share", np.float64),  # probability of a market order
        ("cancel_share", np.float64),  # probability of canceling everything
        ("improve_share", np.float64),  # probability that a limit order improves its side
        ("decay", np.float64),  # ln of the geometric distribution of the distance in ticks
        ("quantity", np.float64),  # mean lots
        ("reference", np.int64),
        ("draw", np.int64),
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
        _trade(me, seen, out)
    return 0


@compiled
def _trade(me: Record, seen: Record, out: Record) -> None:
    side = 1 if uniform(seen.key, _SIDE, me.draw) < 0.5 else -1
    quantity = 1 + int(me.quantity * exponential(seen.key, _SIZE, me.draw))
    choice = uniform(seen.key, _WHAT, me.draw)
    opposite = seen.ask_quantity if side > 0 else seen.bid_quantity
    if choice < me.cancel_share:
        cancel_all(out)
    elif choice < me.cancel_share + me.market_share and opposite > 0:
        market_order(out, side, quantity)
    else:
        limit_order(out, side, _limit(me, seen, side), quantity)


@compiled
def _limit(me: Record, seen: Record, side: int) -> int:
    """Distance from the own side's best price: geometric, or one tick better where the spread leaves room."""
    draw = uniform(seen.key, _PRICE, me.draw)
    if side > 0:
        best = seen.bid if seen.bid_quantity > 0 else (seen.ask - 1 if seen.ask_quantity > 0 else me.reference - 1)
    else:
        best = seen.ask if seen.ask_quantity > 0 else (seen.bid + 1 if seen.bid_quantity > 0 else me.reference + 1)
    if draw < me.improve_share:
        wide = seen.bid_quantity > 0 and seen.ask_quantity > 0 and seen.ask - seen.bid > 1
        return best + side if wide else best
    distance = int(math.log(1.0 - (draw - me.improve_share) / (1.0 - me.improve_share)) / me.decay)
    return best - side * distance


@dataclass
class Noise(CompiledAgent):
    """Random orders around the best quotes."""

    rate: float = field(default=0.1, metadata={"unit": "rate", "help": "wake-ups a second"})
    quantity: float = field(default=20.0, metadata={"help": "mean order size in lots (exponential)"})
    market_share: float = field(default=0.15, metadata={"help": "share of market orders"})
    cancel_share: float = field(default=0.25, metadata={"help": "share of wake-ups that cancel all own orders"})
    improve_share: float = field(default=0.2, metadata={"help": "share of limit orders that improve the spread"})
    distance: float = field(default=4.0, metadata={"help": "mean distance of other limit orders from the best, ticks"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(noise_policy)

    def __post_init__(self) -> None:
        self.rate = rate(self.rate)
        if self.rate <= 0:
            raise InvalidValueError(f"rate {self.rate}: an agent must wake now and then; use more than 0/s")
        if self.quantity < 0 or self.distance <= 0:
            raise InvalidValueError("quantity must not be negative and distance must be above zero")
        for name in ("market_share", "cancel_share", "improve_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidValueError(f"{name} {getattr(self, name)}: a share lies between 0 and 1")
        if self.market_share + self.cancel_share > 1.0:
            raise InvalidValueError("market_share and cancel_share together exceed 1; lower one of them")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        rows["pause"] = SECOND / self.rate
        for name in ("market_share", "cancel_share", "improve_share"):
            rows[name] = getattr(self, name)
        rows["decay"] = math.log(self.distance / (1.0 + self.distance))
        rows["quantity"] = max(self.quantity - 1.0, 0.0)
        rows["reference"] = instrument.reference
