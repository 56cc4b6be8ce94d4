"""Visitors: noise traders that come to the market once in a day, trade at the price they find, and leave.

Each draws a time of day at which it arrives; most come at both ends of the day, fewest in the middle. It asks for the
best quotes and sends one limit order at the opposite best price. It never comes back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.order_size import QUANTITY, SIGMA, SIZE_FIELDS, SIZES, Sizes, check_size, fill_size, order_size
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import format_duration, time_of_day
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, limit_order, wake_at

_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_WHEN, _SIDE = purpose_of("when"), purpose_of("side")

STATE = np.dtype([("first", np.int64), ("last", np.int64), *SIZE_FIELDS])  # ns


@compiled
def visitor_policy(me: Record, seen: Record, out: Record) -> int:
    """Arrive, ask, trade."""
    if seen.kind == _START:
        arrival = me.first + int((me.last - me.first) * _at_the_ends(uniform(seen.key, _WHEN, 0)))
        if arrival > seen.now:
            wake_at(out, arrival)
        else:
            ask_quote(out)
    elif seen.kind == _WAKE:
        ask_quote(out)
    elif seen.kind == _QUOTE:
        side = 1 if uniform(seen.key, _SIDE, 0) < 0.5 else -1
        if (seen.ask_quantity if side > 0 else seen.bid_quantity) > 0:
            limit_order(out, side, seen.ask if side > 0 else seen.bid, order_size(me, seen.key, 0))
    return 0


@compiled
def _at_the_ends(draw: float) -> float:
    """A share of the day of U-quadratic density: F(x) = (1 + (2x − 1)³)/2."""
    cube = 2.0 * draw - 1.0
    if cube == 0.0:
        return 0.5
    root = math.exp(math.log(abs(cube)) / 3.0)
    return 0.5 * (1.0 + (root if cube > 0.0 else -root))


@dataclass
class Visitor(CompiledAgent):
    """Comes once, asks for the best quotes, and buys at the ask or sells at the bid with equal odds.

    The time of its visit t lies between ``first`` and ``last`` with the U-quadratic density f(x) = 3·(2x − 1)²,
    x = (t − first)/(last − first). One whose time lies before the start of the run acts at the start. Where the side
    that it wants is empty it does nothing. (The noise agents of the field's reference market; Byrd, Hybinette and Balch
    2020.)
    """

    first: int | str = field(
        default="09:30", metadata={"unit": "time_of_day", "help": "earliest time of the visit, such as 09:00"}
    )
    last: int | str = field(
        default="16:00", metadata={"unit": "time_of_day", "help": "latest time of the visit, such as 16:00"}
    )
    quantity: float = field(default=20.0, metadata=QUANTITY)
    sizes: Sizes = field(default="geometric", metadata=SIZES)
    sigma: float = field(default=1.0, metadata=SIGMA)

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(visitor_policy)

    def __post_init__(self) -> None:
        check_size(self)
        self.first, self.last = time_of_day(self.first), time_of_day(self.last)
        if not 0 <= self.first < self.last:
            raise InvalidValueError(
                f"first: {format_duration(self.first)} after midnight must lie before last, "
                f"{format_duration(self.last)}; swap them"
            )

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["first"], rows["last"] = self.first, self.last
        fill_size(rows, self)
