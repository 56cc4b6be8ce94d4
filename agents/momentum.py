"""Momentum and mean-reversion traders: moving averages of the mids that they have seen.

On waking they ask for the best quotes and remember the mid; once they know enough mids, they trade with the trend or
against it. They know nothing but quotes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from marketsim.agents.checks import check_choice, to_number, to_waking, to_whole
from marketsim.agents.order_size import QUANTITY, SIGMA, SIZE_FIELDS, SIZES, Sizes, check_size, fill_size, order_size
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, purpose_of
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, cancel_all, limit_order, market_order, wake_at

MIDS = 512  # the longest average
_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_WHEN = purpose_of("when")

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between wake-ups
        ("window", np.int64),  # mids of the short average
        ("long_window", np.int64),
        ("threshold", np.float64),  # half ticks
        ("direction", np.int64),  # +1 with the trend, -1 against it
        ("market", np.int64),  # whether to send market orders
        ("cancels", np.int64),
        ("max_position", np.int64),  # lots; 0 for any
        ("seen_mids", np.int64),  # how many
        ("short_sum", np.int64),  # half ticks
        ("long_sum", np.int64),
        ("draw", np.int64),  # of wake-ups
        ("answer", np.int64),  # of quotes
        *SIZE_FIELDS,
        ("mids", np.int64, (MIDS,)),  # half ticks, in a ring
    ]
)


@compiled
def momentum_policy(me: Record, seen: Record, out: Record) -> int:
    """Wake, ask, remember, trade."""
    if seen.kind == _QUOTE:
        me.answer += 1
        if seen.bid_quantity > 0 and seen.ask_quantity > 0:
            _remember(me, seen.bid + seen.ask)
            if me.seen_mids >= me.long_window:
                _trade(me, seen, out)
    elif seen.kind == _START or seen.kind == _WAKE:
        if seen.kind == _WAKE:
            if me.cancels != 0:
                cancel_all(out)
            ask_quote(out)
        me.draw += 1
        wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))
    return 0


@compiled
def _remember(me: Record, mid: int) -> None:
    """Add a mid to both sums, and take off those that are too old now; whole numbers, so nothing drifts."""
    mids = me.mids
    if me.seen_mids >= me.window:
        me.short_sum -= mids[(me.seen_mids - me.window) % MIDS]
    if me.seen_mids >= me.long_window:
        me.long_sum -= mids[(me.seen_mids - me.long_window) % MIDS]
    mids[me.seen_mids % MIDS] = mid
    me.short_sum += mid
    me.long_sum += mid
    me.seen_mids += 1


@compiled
def _trade(me: Record, seen: Record, out: Record) -> None:
    gap = me.short_sum / me.window - me.long_sum / me.long_window
    if abs(gap) < me.threshold:
        return
    side = me.direction if gap >= 0.0 else -me.direction
    quantity = order_size(me, seen.key, me.answer)
    if me.max_position > 0:
        quantity = min(quantity, me.max_position - side * seen.position)
    if quantity <= 0:
        return
    if me.market != 0:
        market_order(out, side, quantity)
    else:
        limit_order(out, side, seen.ask if side > 0 else seen.bid, quantity)


@dataclass
class Momentum(CompiledAgent):
    """Buys when the average of the last ``short`` mids is above that of the last ``long`` ones, else sells.

    The mids are those that it saw on waking. Nothing is done while the averages differ by less than ``threshold``, nor
    before ``long`` mids are known; equal averages count as rising. ``direction`` revert trades the other way round
    (mean reversion). Orders are limits at the opposite best price, or market orders. (Averages as in the agents
    of Byrd, Hybinette and Balch 2020.)
    """

    rate: float | str = field(default=0.1, metadata={"unit": "rate", "help": "wake-ups a second"})
    short: int = field(default=20, metadata={"help": "mids of the short average"})
    long: int = field(default=50, metadata={"help": f"mids of the long average, at most {MIDS}"})
    direction: Literal["follow", "revert"] = field(
        default="follow", metadata={"help": "follow the trend, or revert: trade against it"}
    )
    threshold: float = field(default=0.0, metadata={"help": "difference of the averages that it ignores, currency"})
    quantity: float = field(default=20.0, metadata=QUANTITY)
    sizes: Sizes = field(default="geometric", metadata=SIZES)
    sigma: float = field(default=1.0, metadata=SIGMA)
    orders: Literal["limit", "market"] = field(
        default="limit", metadata={"help": "limit orders at the opposite best price, or market orders"}
    )
    cancels: bool = field(default=True, metadata={"help": "cancel own orders on waking"})
    max_position: int | None = field(default=None, metadata={"help": "most lots held long or short; any when left out"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(momentum_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        check_size(self)
        check_choice(self, "direction", _DIRECTIONS)
        check_choice(self, "orders", ("limit", "market"))
        to_whole(self, "short", low=1, high=MIDS)
        to_whole(self, "long", low=1, high=MIDS)
        to_whole(self, "max_position", low=1, high=1 << 60)
        to_number(self, "threshold", low=0.0)
        if self.short >= self.long:
            raise InvalidValueError(f"short: {self.short} mids must be fewer than the {self.long} of long; swap them")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["pause"] = SECOND / float(self.rate)
        rows["window"], rows["long_window"] = self.short, self.long
        rows["direction"] = _DIRECTIONS[self.direction]
        rows["threshold"] = 2.0 * self.threshold / instrument.tick
        rows["market"], rows["cancels"] = self.orders == "market", self.cancels
        rows["max_position"] = self.max_position or 0
        fill_size(rows, self)


_DIRECTIONS = {"follow": 1, "revert": -1}
