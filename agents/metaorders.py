"""Metaorders: traders who split large orders into many small ones and never look at the price.

Each agent works one metaorder at a time: a side and a quantity are drawn, market orders are sent at random times until
it is done, and the next one begins after a rest. Many of them at once, with sizes from a power law, make order signs
with the long memory of real markets (F. Lillo, S. Mike and J. D. Farmer, "Theory for long memory in supply and
demand", Physical Review E 71, 2005, 066122). Each order takes a random share of what stands at the opposite best price
(B. Tóth et al., "Anomalous price impact and the critical nature of liquidity in financial markets", Physical Review X
1, 2011, 021006). One agent by itself is an execution whose impact can be measured. Nothing here says what it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.checks import to_number, to_waking, to_whole
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND, duration
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, market_order, wake_at

_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_FILL = int(Kind.REPORT + EventKind.TRADE)
_WHEN, _REST, _SIDE, _SIZE, _SHARE = (purpose_of(name) for name in ("when", "rest", "side", "size", "share"))

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between orders
        ("rest", np.int64),  # ns between metaorders
        ("resume", np.int64),  # ns, the earliest time of the next metaorder
        ("low", np.float64),  # lots of the smallest metaorder
        ("high", np.float64),
        ("tail", np.float64),
        ("selectivity", np.float64),
        ("side", np.int64),
        ("left", np.int64),  # lots of the present metaorder that are not filled; 0 between two
        ("draw", np.int64),  # of wake-ups
        ("number", np.int64),  # of metaorders
        ("answer", np.int64),  # of quotes
    ]
)


@compiled
def metaorders_policy(me: Record, seen: Record, out: Record) -> int:
    """Wake, begin a metaorder where none is under way, ask, take; rest when it is done."""
    if seen.kind == _WAKE:
        if me.left == 0 and seen.now >= me.resume:
            _begin(me, seen)
        if me.left > 0:
            ask_quote(out)
        _schedule(me, seen, out)
    elif seen.kind == _QUOTE:
        _take(me, seen, out)
    elif seen.kind == _FILL:
        me.left -= min(seen.quantity, me.left)
        if me.left == 0:
            me.resume = seen.now + me.rest
    elif seen.kind == _START:
        _schedule(me, seen, out)
    return 0


@compiled
def _schedule(me: Record, seen: Record, out: Record) -> None:
    """The next order, or after a rest the first one."""
    me.draw += 1
    wake_at(out, max(seen.now, me.resume) + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))


@compiled
def _begin(me: Record, seen: Record) -> None:
    """The side and the quantity of the next metaorder, by inversion."""
    me.number += 1
    me.side = 1 if uniform(seen.key, _SIDE, me.number) < 0.5 else -1
    u = uniform(seen.key, _SIZE, me.number)
    ratio = math.log(me.high / me.low)
    if me.tail > 0.0:
        ratio = -math.log(1.0 - u * (1.0 - math.exp(-me.tail * ratio))) / me.tail
    else:
        ratio *= u
    me.left = int(me.low * math.exp(ratio) + 0.5)


@compiled
def _take(me: Record, seen: Record, out: Record) -> None:
    """A share f of the best price with the density ζ(1 − f)^(ζ−1), at least a lot, at most what is missing.

    An order that is still under way is waited for, so that nothing is bought twice.
    """
    there = seen.ask_quantity if me.side > 0 else seen.bid_quantity
    if there == 0 or me.left == 0 or out.first_working != 0:
        return
    me.answer += 1
    share = 1.0 - math.exp(math.log(1.0 - uniform(seen.key, _SHARE, me.answer)) / me.selectivity)
    market_order(out, me.side, min(me.left, max(1, int(share * there + 0.5))))


@dataclass
class Metaorders(CompiledAgent):
    """Executes metaorders, one after another, by market orders at the times of a Poisson process.

    A metaorder buys or sells with equal odds Q lots, from ``smallest`` to ``largest``, with P(Q > q) ∝ q^(−``tail``)
    in between; 0 spreads ln Q evenly. Its orders come at ``rate``. Each asks for the quotes and takes the share f of
    the lots at the opposite best price, P(f) = ζ(1 − f)^(ζ−1) with ζ = ``selectivity``: 1 is any share with equal odds,
    large is little, near 0 is all that is there. When Q is filled it rests for ``rest``.

    With many agents the autocorrelation of the signs of orders falls as lag^(1−``tail``) for tails between 1 and 2
    (Lillo, Mike and Farmer 2005).
    """

    rate: float | str = field(default=0.1, metadata={"unit": "rate", "help": "market orders a second, while at work"})
    smallest: int = field(default=50, metadata={"help": "lots of the smallest metaorder"})
    largest: int = field(default=100_000, metadata={"help": "lots of the largest metaorder"})
    tail: float = field(default=1.5, metadata={"help": "exponent of the sizes' distribution; 0: even in the logarithm"})
    selectivity: float = field(
        default=1.0, metadata={"help": "how small a share of the best price an order takes; 1: any, with equal odds"}
    )
    rest: int | str = field(default="0s", metadata={"unit": "duration", "help": "time between two metaorders"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(metaorders_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        to_whole(self, "smallest", "largest", low=1, high=1_000_000_000_000)
        to_number(self, "tail", low=0.0, high=10.0)
        to_number(self, "selectivity", low=0.01, high=100.0)
        try:
            self.rest = duration(self.rest)
        except InvalidValueError as error:
            raise InvalidValueError(f"rest: {error}") from None
        if self.rest < 0:
            raise InvalidValueError(f"rest: {self.rest} ns must not be below zero")
        if self.largest < self.smallest:
            raise InvalidValueError(f"largest: {self.largest} lots are fewer than those of smallest, {self.smallest}")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["pause"], rows["rest"] = SECOND / float(self.rate), self.rest
        rows["low"], rows["high"], rows["tail"] = self.smallest, self.largest, self.tail
        rows["selectivity"] = self.selectivity
