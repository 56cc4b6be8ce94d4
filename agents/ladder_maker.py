"""Ladder market makers: several prices on each side, around a mid that leans with the traded volume.

On waking they cancel their orders, pause, and ask for the best quotes and for the volume traded lately; once both are
known they place a ladder on each side, and they place it again when the book is told to be one-sided. They know nothing
but quotes, traded volume and that warning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.checks import to_duration, to_number, to_share, to_waking, to_whole
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, array_at, compiled
from marketsim.kernel.random import exponential, purpose_of
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import (
    Policy,
    ask_quote,
    ask_volume,
    cancel_all,
    limit_order,
    timer_at,
    wake_at,
    watch_imbalance,
)
from marketsim.population.state import WORKING

MOST_LEVELS = 100  # on one side
_START, _WAKE, _TIMER = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER)
_QUOTE, _VOLUME, _IMBALANCE = int(Kind.QUOTE), int(Kind.VOLUME), int(Kind.IMBALANCE)
_WHEN = purpose_of("when")

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between wake-ups
        ("settle", np.int64),  # ns from canceling to asking
        ("lookback", np.int64),  # ns
        ("levels", np.int64),  # on each side
        ("spacing", np.float64),  # averaged spreads
        ("share", np.float64),  # of the traded volume
        ("smallest", np.int64),  # lots
        ("weight", np.float64),  # of a new spread in the average
        ("skew", np.float64),  # ticks
        ("alarm", np.float64),  # share of the book; 0 for none
        ("limit", np.int64),  # most lots held long or short; 0 for any
        ("target", np.int64),  # lots
        ("inventory_skew", np.float64),  # ticks at the limit
        ("spread", np.float64),  # averaged, ticks
        ("middle", np.float64),  # ticks; 0 before any is known
        ("bought", np.int64),  # lots that aggressors bought lately
        ("sold", np.int64),
        ("awaited", np.int64),  # answers that are still to come: 1 quotes, 2 volume
        ("persistent", np.int64),
        ("draw", np.int64),  # of wake-ups
    ]
)


@compiled
def ladder_policy(me: Record, seen: Record, out: Record) -> int:
    """Wake, cancel, ask, place."""
    if seen.kind == _QUOTE:
        _take_quote(me, seen, out)
    elif seen.kind == _VOLUME:
        me.bought = seen.quantity
        me.sold = seen.leaves
        _take_answer(me, seen, out, 2)
    elif seen.kind == _TIMER:
        ask_quote(out)
        ask_volume(out, me.lookback)
        me.awaited = 3
    elif seen.kind == _IMBALANCE:
        if seen.side != 0 and me.middle > 0.0:
            _place(me, seen, out)
    elif seen.kind == _START or seen.kind == _WAKE:
        if seen.kind == _START:
            _begin(me, out)
            _again(me, seen, out)
        else:
            cancel_all(out)
            timer_at(out, seen.now + me.settle, 0)
    return 0


@compiled
def _again(me: Record, seen: Record, out: Record) -> None:
    """Wake again after a while."""
    me.draw += 1
    wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))


@compiled
def _begin(me: Record, out: Record) -> None:
    """From now on the venue remembers trades, and warns."""
    ask_volume(out, me.lookback)
    if me.alarm > 0.0:
        watch_imbalance(out, me.alarm)


@compiled
def _take_quote(me: Record, seen: Record, out: Record) -> None:
    """Quotes of both sides renew the mid and the averaged spread; without them the last ones stay."""
    if me.awaited & 1 == 0:
        return
    if seen.bid_quantity > 0 and seen.ask_quantity > 0:
        me.middle = math.floor(0.5 * (seen.bid + seen.ask))
        me.spread = me.weight * (seen.ask - seen.bid) + (1.0 - me.weight) * me.spread
    _take_answer(me, seen, out, 1)


@compiled
def _take_answer(me: Record, seen: Record, out: Record, answer: int) -> None:
    if me.awaited & answer != 0:
        me.awaited -= answer
        if me.awaited == 0:
            if me.middle > 0.0:
                _place(me, seen, out)
            if me.middle > 0.0 or me.persistent != 0:
                _again(me, seen, out)


@compiled
def _place(me: Record, seen: Record, out: Record) -> None:
    """Both ladders, the bids from the best down, then the asks from the best up."""
    volume = me.bought + me.sold
    lean = (me.bought - me.sold) / volume if volume > 0 else 0.0
    if me.limit > 0:
        lean_back = me.inventory_skew * (seen.position - me.target) / me.limit
    else:
        lean_back = 0.0
    centre = math.floor(me.middle + me.skew * lean - lean_back)
    quantity = max(me.smallest, math.floor(0.5 + me.share * volume))
    step = max(1, math.floor(0.5 + me.spacing * me.spread))
    bid = int(centre - math.floor(0.5 * me.spread))
    ask = int(centre + math.ceil(0.5 * me.spread))
    _climb(me, seen, out, 1, bid, step, quantity)
    _climb(me, seen, out, -1, ask, step, quantity)


@compiled
def _climb(me: Record, seen: Record, out: Record, side: int, first: int, step: int, quantity: int) -> None:
    """One ladder, from the best price on; with a limit as far as it allows."""
    room = me.limit - side * seen.position - _open_lots(out, side) if me.limit > 0 else me.levels * quantity
    for rung in range(me.levels):
        price = first - side * rung * step
        if price > 0 and room > 0:
            limit_order(out, side, price, min(quantity, room))
            room -= quantity


@compiled
def _open_lots(out: Record, side: int) -> int:
    """Lots of own orders of a side that are known to be open, or on their way."""
    working = array_at(out.working, out.working_length, WORKING)
    slot = out.first_working
    lots = 0
    while slot != 0:
        if working[slot].side == side:
            lots += working[slot].leaves
        slot = working[slot].next
    return lots


@dataclass
class LadderMaker(CompiledAgent):
    """Ladders of ``levels`` limit orders on both sides of a leaning mid.

    On waking, ``rate`` times a second after exponential pauses: all own orders are canceled; ``settle`` later it
    asks for the best quotes and for the lots that aggressors bought (B) and sold (S) in the last ``lookback``. On
    the answers the averaged spread s becomes w·(ask − bid) + (1 − w)·s with w = ``spread_weight``, and the centre
    is c = ⌊⌊mid⌋ + k·(B − S)/(B + S)⌋ with k = ``skew``. Bids stand at c − ⌊s/2⌋ and below, asks at c + ⌈s/2⌉ and
    above, ``spacing``·s apart (rounded, a tick at least), each of ``volume_share``·(B + S) lots, at least
    ``smallest``. Where a side is empty the last mid and spread count; before any are known nothing is placed and,
    unless it is ``persistent``, it never wakes again. When one side comes to hold more than ``imbalance`` of the
    book it places both ladders once more.

    With ``max_position`` the ladders end where they would lead beyond it, and the centre is moved by ``inventory_skew``
    against the inventory: by all of it when the position is ``max_position`` away from ``inventory_target``. (The
    adaptive market makers of the field's reference market; Chakraborty and Kearns 2011 for the ladder.)
    """

    rate: float | str = field(default="1/min", metadata={"unit": "rate", "help": "wake-ups a second"})
    levels: int = field(default=10, metadata={"help": f"orders on each side, at most {MOST_LEVELS}"})
    spacing: float = field(default=5.0, metadata={"help": "distance of neighbouring orders, in averaged spreads"})
    volume_share: float = field(default=0.025, metadata={"help": "size of an order, share of the volume traded lately"})
    smallest: int = field(default=1, metadata={"help": "least size of an order, lots"})
    lookback: int | str = field(default="60s", metadata={"unit": "duration", "help": "how far back volume is counted"})
    skew: float = field(default=0.04, metadata={"help": "most that traded volume moves the centre, currency"})
    spread_weight: float = field(default=0.75, metadata={"help": "weight of a new spread in the average"})
    first_spread: float = field(default=0.5, metadata={"help": "spread with which the average begins, currency"})
    imbalance: float | None = field(
        default=0.9, metadata={"help": "share of the book on one side at which it places again; never when null"}
    )
    persistent: bool = field(
        default=True, metadata={"help": "wake again although it has not yet seen quotes on both sides"}
    )
    max_position: int | None = field(
        default=None, metadata={"help": "most lots held long or short; any number when null"}
    )
    inventory_target: int = field(default=0, metadata={"help": "position to return to, lots"})
    inventory_skew: float = field(
        default=0.0, metadata={"help": "how far inventory moves the centre at the largest position, currency"}
    )
    settle: int | str = field(
        default="50ns", metadata={"unit": "duration", "help": "time from canceling its orders to asking for quotes"}
    )

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(ladder_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        to_whole(self, "levels", low=1, high=MOST_LEVELS)
        to_whole(self, "smallest", low=1, high=1 << 40)
        to_duration(self, "lookback", "settle")
        to_share(self, "spread_weight")
        to_number(self, "spacing", "volume_share", "skew", "first_spread", "inventory_skew", low=0.0)
        to_whole(self, "max_position", low=1, high=1 << 40)
        to_whole(self, "inventory_target", low=-(1 << 40))
        self._check_limit()
        to_number(self, "imbalance", low=0.5, high=1.0)

    def _check_limit(self) -> None:
        if self.max_position is None:
            if self.inventory_skew or self.inventory_target:
                raise InvalidValueError(
                    "inventory_skew: without max_position nothing says how large an inventory is; give it"
                )
        elif abs(self.inventory_target) > self.max_position:
            raise InvalidValueError(
                f"inventory_target: {self.inventory_target} lies outside max_position {self.max_position}; move one"
            )

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["pause"] = SECOND / float(self.rate)
        rows["settle"], rows["lookback"] = self.settle, self.lookback
        rows["levels"], rows["spacing"], rows["smallest"] = self.levels, self.spacing, self.smallest
        rows["share"], rows["weight"] = self.volume_share, self.spread_weight
        rows["skew"], rows["spread"] = self.skew / instrument.tick, self.first_spread / instrument.tick
        rows["alarm"], rows["persistent"] = self.imbalance or 0.0, self.persistent
        rows["limit"], rows["target"] = self.max_position or 0, self.inventory_target
        rows["inventory_skew"] = self.inventory_skew / instrument.tick
