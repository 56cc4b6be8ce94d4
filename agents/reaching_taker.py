"""Takers with exponential reach: the customers of the market makers' theory, as orders at a real exchange.

In M. Avellaneda and S. Stoikov, "High-frequency trading in a limit order book", Quantitative Finance 8(3), 2008, and
what followed it, a quote at distance δ from the mid is hit with intensity A·e^(−kδ). Here that comes of orders: each is
immediate or cancel, and reaches so far from the mid that e^(−kδ) of them get to δ. They know the mid, nothing else,
and never rest in the book.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.checks import to_duration, to_number, to_waking, to_whole
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType, TimeInForce
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, place, wake_at

_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_LIMIT, _IOC = int(OrderType.LIMIT), int(TimeInForce.IOC)
_WHEN, _SIDE, _REACH = (purpose_of(name) for name in ("when", "side", "reach"))

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between arrivals, both sides together
        ("step", np.int64),  # ns; 0 for arrivals at any time
        ("mass", np.float64),  # A times the step
        ("spacing", np.float64),  # mean reach beyond, 1/k, ticks
        ("nearest", np.float64),  # ticks
        ("quantity", np.int64),
        ("middle", np.float64),  # last mid, ticks
        ("draw", np.int64),
    ]
)


@compiled
def reaching_taker_policy(me: Record, seen: Record, out: Record) -> int:
    """Wake, learn the mid, reach out."""
    if seen.kind == _WAKE:
        _schedule(me, seen, out)
        if math.isnan(seen.value):
            ask_quote(out)
        else:
            me.middle = seen.value
            _take(me, seen, out)
    elif seen.kind == _QUOTE:
        if seen.bid_quantity > 0 and seen.ask_quantity > 0:
            me.middle = 0.5 * (seen.bid + seen.ask)
        _take(me, seen, out)
    elif seen.kind == _START:
        if me.step > 0:
            wake_at(out, seen.now + me.step // 2)
        else:
            _schedule(me, seen, out)
    return 0


@compiled
def _schedule(me: Record, seen: Record, out: Record) -> None:
    me.draw += 1
    if me.step > 0:
        wake_at(out, seen.now + me.step)
    else:
        wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))


@compiled
def _take(me: Record, seen: Record, out: Record) -> None:
    """One order, or in steps one of each side: it gets to δ with probability min(1, A·step·e^(−kδ))."""
    if me.step > 0:
        for side in (1, -1):
            draw = uniform(seen.key, _REACH, 2 * me.draw + (side > 0))
            _reach(me, out, side, me.spacing * math.log(me.mass / max(draw, 1e-300)))
    else:
        side = 1 if uniform(seen.key, _SIDE, me.draw) < 0.5 else -1
        _reach(me, out, side, me.nearest + me.spacing * exponential(seen.key, _REACH, me.draw))


@compiled
def _reach(me: Record, out: Record, side: int, reach: float) -> None:
    price = math.floor(me.middle + reach) if side > 0 else math.ceil(me.middle - reach)
    if price > 0:
        place(out, side, _LIMIT, _IOC, 0, int(price), me.quantity)


@dataclass
class ReachingTaker(CompiledAgent):
    """Immediate-or-cancel orders whose limits lie beyond the mid by an exponential distance of mean 1/``k``.

    A quote at distance δ from the mid is so hit A·e^(−kδ) times a second, A = ``rate``, for every δ from ``nearest``
    on (at less than that as often as at ``nearest``). ``nearest`` below 0 lets some come that trade only at better than
    the mid. The mid is the value of the agent's feed; without one, that of the best quotes, and the last one where a
    side is empty.

    With ``step`` time is cut as in the simulations of the paper: in the middle of each step comes one order of each
    side, which gets to δ with probability min(1, A·step·e^(−kδ)); δ may be below 0. So a quote is hit at most once a
    step.
    """

    rate: float | str = field(
        default="1/s", metadata={"unit": "rate", "help": "A: orders a second of each side that get to the mid"}
    )
    k: float = field(default=50.0, metadata={"help": "decay of their number with the distance, per currency"})
    quantity: int = field(default=1, metadata={"help": "lots of every order"})
    nearest: float = field(default=0.0, metadata={"help": "least distance from the mid, currency; below 0: within it"})
    step: int | str | None = field(
        default=None, metadata={"unit": "duration", "help": "cut time in such steps; arrivals at any time if left out"}
    )

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(reaching_taker_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        to_number(self, "k", low=0.0, open_low=True)
        to_number(self, "nearest")
        to_whole(self, "quantity", low=1, high=1_000_000_000)
        to_duration(self, "step")
        if self.step is not None and self.nearest != 0.0:
            raise InvalidValueError(f"nearest: {self.nearest:g} has no meaning in steps; leave it out, or step")
        if self.step is not None and int(self.step) < 2:
            raise InvalidValueError("step: 1 ns has no middle; use at least 2ns")
        if self.step is None and not self.k * abs(self.nearest) <= 50.0:
            raise InvalidValueError(
                f"nearest: {self.nearest:g} is more than 50/k from the mid, too far to count orders; bring it closer"
            )

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rate = float(self.rate)
        rows["pause"] = SECOND / (2.0 * rate * math.exp(-self.k * self.nearest))
        rows["step"] = self.step or 0
        rows["mass"] = rate * int(self.step or 0) / SECOND
        rows["spacing"] = 1.0 / (self.k * instrument.tick)
        rows["nearest"] = self.nearest / instrument.tick
        rows["quantity"], rows["middle"] = self.quantity, instrument.reference
