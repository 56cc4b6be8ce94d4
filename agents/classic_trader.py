"""Classic traders: what the traders of the double-auction literature have in common.

Each has units of its own to buy or to sell, each with a limit price (``agents.assignment``), never trades at a loss,
and has at most one order in the market. It hears the best quotes and the public trades. On waking it takes its order
back, asks for the best quotes once the venue has confirmed that, and shouts the price that its strategy gives; so it
knows the market without its own order whatever the latency. What a strategy adds is a file of its own beside this one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from marketsim.agents.assignment import (
    ASSIGNMENT_FIELDS,
    DEALT,
    LOTS,
    PERIOD,
    REPLENISH,
    SIDES,
    STEPS,
    VALUES,
    Replenish,
    begin_units,
    check_assignment,
    fill_assignment,
    has_unit,
    is_free,
    lots_left,
    note_fill,
    present_worth,
    renew_units,
)
from marketsim.agents.checks import check_choice, to_number, to_waking
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, purpose_of
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import QUOTES, TRADES, ask_quote, cancel_all, limit_order, subscribe, wake_at

# What ``attend`` answers, added up.
SHOUT, BETTER_BID, BETTER_ASK, TRADED, LOOK, RENEWED, BEGUN = (1 << bit for bit in range(7))

_START, _WAKE, _TIMER = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER)
_QUOTE, _TRADE_PRINT = int(Kind.QUOTE), int(Kind.TRADE_PRINT)
_TRADE = int(Kind.REPORT + EventKind.TRADE)
_CANCELED = int(Kind.REPORT + EventKind.CANCELED)
_CANCEL_REJECTED = int(Kind.REPORT + EventKind.CANCEL_REJECTED)
_WHEN = purpose_of("when")
_WANTS, _ASKED = 1, 2

CLASSIC_FIELDS: list[tuple[Any, ...]] = [
    *ASSIGNMENT_FIELDS,
    ("pause", np.float64),  # mean ns between wake-ups
    ("reset", np.int64),  # whether any trade takes the order back
    ("low", np.int64),  # ticks between which prices are shouted
    ("high", np.int64),
    ("wanting", np.int64),  # to shout: 0 no, 1 once the order is back, 2 once the quotes are told
    ("draw", np.int64),  # of wake-ups
    ("bid", np.int64),  # best quotes, ticks; 0 where that side is empty
    ("ask", np.int64),
]


@compiled
def attend(me: Record, seen: Record, out: Record) -> int:
    """What every classic trader does with what it sees; answers what its strategy is to learn from, or to do."""
    if seen.kind == _QUOTE:
        return _note_quote(me, seen)
    if seen.kind == _TRADE_PRINT:
        if me.reset != 0:
            me.wanting = 0
            cancel_all(out)
        return TRADED
    if seen.kind == _WAKE:
        me.draw += 1
        wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))
        me.wanting = _WANTS
        cancel_all(out)
        _ask_when_free(me, out)
        return LOOK
    if seen.kind == _TRADE or seen.kind == _CANCELED or seen.kind == _CANCEL_REJECTED:
        if seen.kind == _TRADE:
            note_fill(me, seen.quantity)
        _ask_when_free(me, out)
        return 0
    if seen.kind == _TIMER:
        me.wanting = 0
        cancel_all(out)
        renew_units(me, seen.now, out)
        return RENEWED
    if seen.kind == _START:
        subscribe(out, QUOTES + TRADES)
        begin_units(me, seen.now, out)
        me.draw += 1
        wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))
        return BEGUN
    return 0


@compiled
def _ask_when_free(me: Record, out: Record) -> None:
    if is_free(me, out) and me.wanting == _WANTS:
        me.wanting = 0
        if has_unit(me):
            me.wanting = _ASKED
            ask_quote(out)


@compiled
def _note_quote(me: Record, seen: Record) -> int:
    """A better bid or offer than the last one known is a new shout; one that is taken back is none."""
    bid = seen.bid if seen.bid_quantity > 0 else 0
    ask = seen.ask if seen.ask_quantity > 0 else 0
    what = 0
    if bid > me.bid:
        what += BETTER_BID
    if ask > 0 and (me.ask == 0 or ask < me.ask):
        what += BETTER_ASK
    me.bid = bid
    me.ask = ask
    if me.wanting == _ASKED:
        me.wanting = 0
        if has_unit(me):
            what += SHOUT
    return what


@compiled
def limit_of(me: Record) -> int:
    """The limit price of the present unit, in whole ticks: no price beyond it is shouted."""
    worth = present_worth(me)
    return math.floor(worth) if me.side > 0 else math.ceil(worth)


@compiled
def shout(me: Record, out: Record, price: int) -> None:
    """An order for what is left of the present unit, at a price within its limit and the range of prices, or none."""
    limit = limit_of(me)
    at = min(max(price, me.low), me.high)
    at = min(at, limit) if me.side > 0 else max(at, limit)
    if me.low <= at <= me.high:
        limit_order(out, me.side, at, lots_left(me))


@dataclass
class ClassicTrader(CompiledAgent):
    """Base of the classic traders: the assignment of units, and when the trader acts."""

    side: Literal["buy", "sell"] = field(metadata={"help": "buy or sell"})
    values: tuple[float, ...] = field(metadata=VALUES)
    dealt: bool = field(default=False, metadata=DEALT)
    steps: int | None = field(default=None, metadata=STEPS)
    period: int | str | None = field(default=None, metadata=PERIOD)
    replenish: Replenish = field(default="period", metadata=REPLENISH)
    quantity: int = field(default=1, metadata=LOTS)
    rate: float | str = field(default=0.5, metadata={"unit": "rate", "help": "looks at the market a second"})
    reset: bool = field(default=False, metadata={"help": "take the order back whenever anybody trades"})
    low: float | None = field(
        default=None, metadata={"unit": "price", "help": "lowest price shouted; one tick when left out"}
    )
    high: float | None = field(
        default=None, metadata={"unit": "price", "help": "highest price shouted; twice the reference when left out"}
    )

    def __post_init__(self) -> None:
        to_waking(self)
        check_choice(self, "side", SIDES)
        check_assignment(self)
        if not self.values:
            raise InvalidValueError("values: a trader without units never trades; write values: [100, 95]")
        to_number(self, "low", "high", low=0.0)
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidValueError(f"low: {self.low:g} lies above high {self.high:g}; swap them")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``; limits between two ticks are taken so that nobody trades at a loss."""
        tick = instrument.tick
        rows["pause"] = SECOND / float(self.rate)
        rows["side"], rows["reset"] = SIDES[self.side], self.reset
        rows["low"] = 1 if self.low is None else max(1, math.ceil(round(self.low / tick, 6)))
        rows["high"] = 2 * instrument.reference if self.high is None else math.floor(round(self.high / tick, 6))
        fill_assignment(rows, self, instrument)
