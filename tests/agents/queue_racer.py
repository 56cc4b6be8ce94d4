"""Trials of the race of the two best queues on a real exchange, beside a Poisson flow that knows nothing of them.

One agent waits, again and again, for a state that has not been tried often enough, and looks how it ends. At a spread
of one tick with b bids and a offers it watches which queue empties first; or it joins a queue, or both, with an order
that it never cancels, and looks whether that is executed before the mid moves. It begins at stopping times of a Markov
process, and its orders change nothing for anybody who comes at random: so trials of one state are independent of each
other, and their outcomes binomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from marketsim import policies as p
from marketsim.domain.instrument import Instrument
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy

WATCH, ONE, BOTH = range(3)
SIZES = 5  # queues of 1 … 5 orders
_CELLS = SIZES * SIZES
_WAY, _SIDE = p.purpose_of("way"), p.purpose_of("side")
_IDLE, _ARMING, _ON = range(3)

STATE = np.dtype(
    [
        ("goal", np.int64),  # trials of each state and way
        ("tried", np.int64, (3 * _CELLS,)),  # at way · 25 + (own or bid − 1) · 5 + (other or ask − 1)
        ("won", np.int64, (3 * _CELLS,)),
        ("stage", np.int64),
        ("way", np.int64),
        ("side", np.int64),  # of the own order, where there is one
        ("cell", np.int64),
        ("bid", np.int64),  # prices of the trial
        ("ask", np.int64),
        ("last", np.int64),  # own order after whose acceptance the trial is on
        ("bid_done", np.int64),
        ("ask_done", np.int64),
        ("draw", np.int64),
    ]
)


@compiled
def racer_policy(me: Record, seen: Record, out: Record) -> int:
    """Judge what happens; begin anew when nothing is under way."""
    if seen.kind == p.QUOTE:
        if me.stage == _ON:
            _judge(me, seen, out)
        elif me.stage == _IDLE and out.first_working == 0 and seen.bid_quantity > 0 and seen.ask_quantity > 0:
            me.draw += 1
            _begin(me, seen, out)
    elif seen.kind == p.ACCEPTED and seen.order_id == me.last:
        me.stage = _ON
    elif seen.kind == p.FILL and me.stage == _ON:
        if seen.side > 0:
            me.bid_done = 1
        else:
            me.ask_done = 1
        if me.way == ONE or (me.bid_done == 1 and me.ask_done == 1):
            _end(me, out, 1)
    elif seen.kind == p.START:
        p.subscribe(out, p.QUOTES)
    return 0


@compiled
def _begin(me: Record, seen: Record, out: Record) -> None:
    me.way = p.below(seen.key, _WAY, me.draw, 3)
    me.side = 1 if p.uniform(seen.key, _SIDE, me.draw) < 0.5 else -1
    me.bid = seen.bid
    me.ask = seen.ask
    bids = seen.bid_quantity
    asks = seen.ask_quantity
    spread = seen.ask - seen.bid
    if me.way != WATCH:  # inside a wider spread an order is the first of its queue
        if spread > 1 and (me.side > 0 or (me.way == BOTH and spread == 3)):
            me.bid += 1
            bids = 0
        if spread > 1 and (me.side < 0 or (me.way == BOTH and spread == 3)):
            me.ask -= 1
            asks = 0
        bids += 1 if me.way == BOTH or me.side > 0 else 0
        asks += 1 if me.way == BOTH or me.side < 0 else 0
    if me.ask - me.bid == 1 and bids <= SIZES and asks <= SIZES:
        own_first = me.way != ONE or me.side > 0
        row = bids if own_first else asks
        column = asks if own_first else bids
        me.cell = me.way * _CELLS + (row - 1) * SIZES + column - 1
        if me.tried[me.cell] < me.goal:
            _send(me, out)


@compiled
def _send(me: Record, out: Record) -> None:
    me.tried[me.cell] += 1
    me.bid_done = 0
    me.ask_done = 0
    me.stage = _ON if me.way == WATCH else _ARMING
    if me.way == BOTH or (me.way == ONE and me.side > 0):
        me.last = p.limit_order(out, p.BUY, me.bid, 1)
    if me.way == BOTH or (me.way == ONE and me.side < 0):
        me.last = p.limit_order(out, p.SELL, me.ask, 1)


@compiled
def _judge(me: Record, seen: Record, out: Record) -> None:
    """The mid moves when a queue is empty; an own order in that queue must have been executed."""
    bid_empty = seen.bid_quantity == 0 or seen.bid < me.bid
    ask_empty = seen.ask_quantity == 0 or seen.ask > me.ask
    if not bid_empty and not ask_empty:
        return
    if me.way == WATCH:
        _end(me, out, 1 if ask_empty else 0)
    elif me.way == ONE:
        _end(me, out, 1 if (bid_empty if me.side > 0 else ask_empty) else 0)
    elif bid_empty:
        _end(me, out, me.ask_done)
    else:
        _end(me, out, me.bid_done)


@compiled
def _end(me: Record, out: Record, won: int) -> None:
    me.won[me.cell] += won
    me.stage = _IDLE
    p.cancel_all(out)


@dataclass
class QueueRacer(CompiledAgent):
    """``goal`` trials of each of 25 states, in each of three ways."""

    goal: int = 100

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(racer_policy)

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["goal"] = self.goal
