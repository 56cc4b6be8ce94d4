"""GD: traders who believe that a price is accepted as often as such prices were lately, and maximise what they expect.

S. Gjerstad and J. Dickhaut, "Price formation in double auctions", Games and Economic Behavior 22, 1998, 1–29. It hears
shouts as changes of the best quotes, as in their markets, where only a shout that improves on the best is one. It never
learns what its own shouts did beyond that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.assignment import present_worth
from marketsim.agents.checks import to_whole
from marketsim.agents.classic_trader import (
    BETTER_ASK,
    BETTER_BID,
    CLASSIC_FIELDS,
    SHOUT,
    TRADED,
    ClassicTrader,
    attend,
    shout,
)
from marketsim.domain.instrument import Instrument
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.population.policy import Policy

SHOUTS = 256  # the most that are remembered
_KNOTS = SHOUTS + 2
_FINE = 16  # prices tried between two knots, and again around the best of them

STATE = np.dtype(
    [
        ("memory", np.int64),  # trades
        ("trades", np.int64),  # so far
        ("shouts", np.int64),
        ("shout_price", np.int64, (SHOUTS,)),  # a ring
        ("shout_side", np.int64, (SHOUTS,)),  # +1 bid, -1 offer
        ("accepted", np.int64, (SHOUTS,)),
        ("trade_before", np.int64, (SHOUTS,)),  # trades before it was shouted
        ("knots", np.int64, (_KNOTS,)),  # prices at which the belief is known, rising
        ("beliefs", np.float64, (_KNOTS,)),  # that a price is accepted
        ("best", np.int64),  # price of the highest expected gain so far
        ("best_gain", np.float64),
        *CLASSIC_FIELDS,
    ]
)


@compiled
def gd_policy(me: Record, seen: Record, out: Record) -> int:
    """Remember shouts and trades; shout what promises most."""
    what = attend(me, seen, out)
    if what & BETTER_BID != 0:
        _remember(me, 1, me.bid)
    if what & BETTER_ASK != 0:
        _remember(me, -1, me.ask)
    if what & TRADED != 0:
        _accept(me, -seen.side, seen.price)
    if what & SHOUT != 0:
        _choose(me)
        if me.best_gain > 0.0:
            shout(me, out, me.best)
    return 0


@compiled
def _remember(me: Record, side: int, price: int) -> None:
    place = me.shouts % SHOUTS
    me.shout_price[place] = price
    me.shout_side[place] = side
    me.accepted[place] = 0
    me.trade_before[place] = me.trades
    me.shouts += 1


@compiled
def _accept(me: Record, side: int, price: int) -> None:
    """A trade accepts the latest shout of that side at its price; one that nobody saw is remembered now."""
    found = -1
    for back in range(1, min(me.shouts, SHOUTS) + 1):
        place = (me.shouts - back) % SHOUTS
        if me.shout_side[place] == side and me.shout_price[place] == price and me.accepted[place] == 0:
            found = place
            break
    if found < 0:
        _remember(me, side, price)
        found = (me.shouts - 1) % SHOUTS
    me.accepted[found] = 1
    me.trades += 1


@compiled
def _belief(me: Record, price: int) -> float:
    """How often such a price was accepted: (T + O)/(T + O + R), 0.5 where nothing is known.

    For a seller T are accepted offers at this price or more, O bids at it or more, R rejected offers at it or less; for
    a buyer mirrored.
    """
    good = 0
    bad = 0
    for back in range(1, min(me.shouts, SHOUTS) + 1):
        place = (me.shouts - back) % SHOUTS
        if me.trade_before[place] < me.trades - me.memory:
            break
        ahead = me.side * (me.shout_price[place] - price)  # the shout is worse for the own side than the price
        if me.shout_side[place] != me.side or me.accepted[place] != 0:
            good += ahead <= 0
        else:
            bad += ahead >= 0
    return good / (good + bad) if good + bad > 0 else 0.5


@compiled
def _tie_knots(me: Record) -> int:
    """Write the prices of the remembered shouts in rising order, between the ends of the range, and the beliefs there.

    At the end of the range that is best for the own side nothing is accepted, at the other everything.
    """
    knots = me.knots
    beliefs = me.beliefs
    knots[0] = me.low - 1
    count = 1
    for back in range(1, min(me.shouts, SHOUTS) + 1):
        slot = (me.shouts - back) % SHOUTS
        if me.trade_before[slot] < me.trades - me.memory:
            break
        count = _insert(knots, count, me.shout_price[slot], me.high)
    for place in range(1, count):
        beliefs[place] = _belief(me, knots[place])
    knots[count] = me.high + 1
    beliefs[0] = 0.0 if me.side > 0 else 1.0
    beliefs[count] = 1.0 - beliefs[0]
    return count + 1


@compiled
def _insert(knots: Rows, count: int, price: int, high: int) -> int:
    """Put a price in its place, unless it is there or out of the range; answers how many knots there are."""
    place = count
    while place > 0 and knots[place - 1] > price:
        place -= 1
    if place == 0 or price > high or knots[place - 1] == price:
        return count
    for after in range(count, place, -1):
        knots[after] = knots[after - 1]
    knots[place] = price
    return count + 1


@compiled
def _choose(me: Record) -> None:
    """The price of the highest expected gain: the best of the other side for certain, or one between the quotes."""
    count = _tie_knots(me)
    limit = present_worth(me)
    me.best_gain = 0.0
    opposite = me.ask if me.side > 0 else me.bid
    if opposite > 0:
        me.best = opposite
        me.best_gain = me.side * (limit - opposite)
    low = max(me.bid + 1, me.low)
    high = min(me.ask - 1 if me.ask > 0 else me.high, me.high)
    for place in range(count - 1):
        _search(me, place, limit, max(low, me.knots[place]), min(high, me.knots[place + 1]))


@compiled
def _search(me: Record, place: int, limit: float, low: int, high: int) -> None:
    """The best price between two knots, first in coarse steps and then, around the best of them, in finer ones."""
    if low > high:
        return
    step = max(1, (high - low) // _FINE)
    top = _scan(me, place, limit, low, high, step)
    if top >= 0 and step > 1:
        finer = max(1, step // _FINE)
        _scan(me, place, limit, max(low, top - step), min(high, top + step), finer)


@compiled
def _scan(me: Record, place: int, limit: float, low: int, high: int, step: int) -> int:
    """Try prices; answers the best of them, -1 where none is better than what was found before."""
    top = -1
    left = me.knots[place]
    width = me.knots[place + 1] - left
    first = me.beliefs[place]
    rise = me.beliefs[place + 1] - first
    for price in range(low, high + 1, step):
        share = (price - left) / width
        belief = first + rise * share * share * (3.0 - 2.0 * share)
        gain = me.side * (limit - price) * belief
        if gain > me.best_gain:
            me.best_gain = gain
            me.best = price
            top = price
    return top


@dataclass
class Gd(ClassicTrader):
    """Shouts the price whose gain, times the belief that it is accepted, is highest (GD).

    From the shouts of the last ``memory`` trades a seller believes that an offer a is accepted with probability
    (TA + B)/(TA + B + RA): TA accepted offers at a or more, B bids at a or more, RA offers at a or less that were not
    accepted. A buyer's belief in a bid b is (TB + A)/(TB + A + RB) with accepted bids and offers at b or less and
    rejected bids at b or more. Between two such prices the belief is the cubic with slope 0 at both; it is 1 and 0 one
    tick beyond the range of prices. The price lies between the best quotes, or is the best of the other side, which is
    certain. Nothing is shouted that promises no gain.
    """

    memory: int = field(default=5, metadata={"help": "trades whose shouts it remembers"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(gd_policy)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_whole(self, "memory", low=1, high=SHOUTS)

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        super().fill(rows, instrument)
        rows["memory"] = self.memory
