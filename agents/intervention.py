"""An intervention: one order, or a few pieces of one, at a time that is set in advance, whatever the market does.

It is the difference between a market and the same market with an order: with a quantity of zero it does nothing at
all, and nobody sees that it is there. It draws no random numbers and never reacts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from marketsim.agents.checks import check_choice, to_number, to_whole
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import duration, format_duration
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, limit_order, market_order, wake_at

_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_FILL = int(Kind.REPORT + EventKind.TRADE)

STATE = np.dtype(
    [
        ("at", np.int64),  # ns after the start
        ("side", np.int64),
        ("quantity", np.int64),  # lots, of all pieces together
        ("pieces", np.int64),
        ("every", np.int64),  # ns between two pieces
        ("limit", np.int64),  # 1: limit orders
        ("offset", np.int64),  # ticks
        ("due", np.int64),  # lots whose limit waits for a quote
        ("sent", np.int64),  # pieces
        ("filled", np.int64),  # lots
        ("paid", np.int64),  # ticks x lots
    ]
)


@compiled
def intervention_policy(me: Record, seen: Record, out: Record) -> int:
    """Sleep until it is time, send the pieces, count the fills."""
    if seen.kind == _START:
        wake_at(out, seen.now + me.at)
    elif seen.kind == _WAKE:
        if me.quantity > 0:
            _send(me, seen, out)
    elif seen.kind == _QUOTE:
        _rest(me, seen, out)
    elif seen.kind == _FILL:
        me.filled += seen.quantity
        me.paid += seen.price * seen.quantity
    return 0


@compiled
def _send(me: Record, seen: Record, out: Record) -> None:
    """The next piece: the quantity is spread as evenly as lots allow."""
    lots = me.quantity * (me.sent + 1) // me.pieces - me.quantity * me.sent // me.pieces
    me.sent += 1
    if me.sent < me.pieces:
        wake_at(out, seen.now + me.every)
    if lots == 0:
        return
    if me.limit != 0:
        me.due += lots
        ask_quote(out)
    else:
        market_order(out, me.side, lots)


@compiled
def _rest(me: Record, seen: Record, out: Record) -> None:
    """A limit at the best price of the own side; where that side is empty, at the opposite one."""
    own, there = (seen.bid, seen.bid_quantity) if me.side > 0 else (seen.ask, seen.ask_quantity)
    if there == 0:
        own, there = (seen.ask, seen.ask_quantity) if me.side > 0 else (seen.bid, seen.bid_quantity)
    if there > 0 and me.due > 0:
        limit_order(out, me.side, own + me.side * me.offset, me.due)
    me.due = 0


_SIDES = {"buy": 1, "sell": -1}


@dataclass
class Intervention(CompiledAgent):
    """Buys or sells ``quantity`` at a time: at once, or in ``pieces`` that are spread evenly over a time.

    Market orders by default. ``orders: limit`` asks for the best quotes and places a limit at the best price of its
    own side, ``offset`` nearer to the other one, or farther away where it is negative. What is not filled rests to the
    end. A quantity of zero changes nothing in the market.
    """

    at: int | str = field(default="0s", metadata={"unit": "duration", "help": "when, after the start of the run"})
    side: Literal["buy", "sell"] = field(default="buy", metadata={"help": "buy or sell"})
    quantity: float = field(default=0.0, metadata={"help": "units, of all pieces together; 0 does nothing"})
    pieces: int = field(default=1, metadata={"help": "orders that it is cut into"})
    over: int | str = field(
        default="0s",
        metadata={"unit": "duration", "help": "time from the first piece to the end of the last one's turn"},
    )
    orders: Literal["market", "limit"] = field(
        default="market", metadata={"help": "market orders, or limits at the best price of its side"}
    )
    offset: float = field(
        default=0.0, metadata={"help": "currency by which a limit is nearer to the other side than the best price"}
    )

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(intervention_policy)

    def __post_init__(self) -> None:
        check_choice(self, "side", _SIDES)
        check_choice(self, "orders", ("market", "limit"))
        to_number(self, "quantity", low=0.0)
        to_number(self, "offset")
        to_whole(self, "pieces", low=1, high=1_000_000)
        for name in ("at", "over"):
            try:
                value = duration(getattr(self, name))
            except InvalidValueError as error:
                raise InvalidValueError(f"{name}: {error}") from None
            if value < 0:
                raise InvalidValueError(f"{name}: {format_duration(value)} must not be below zero")
            setattr(self, name, value)
        if self.pieces > 1 and self.over == 0:
            raise InvalidValueError(f"over: {self.pieces} pieces need a time over which they are spread, such as 1min")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["at"], rows["side"] = self.at, _SIDES[self.side]
        rows["pieces"], rows["every"] = self.pieces, int(self.over) // self.pieces
        rows["limit"] = self.orders == "limit"
        try:
            rows["quantity"] = instrument.to_lots(self.quantity)
        except InvalidValueError as error:
            raise InvalidValueError(f"quantity: {error}") from None
        try:
            rows["offset"] = instrument.to_ticks(self.offset)
        except InvalidValueError as error:
            raise InvalidValueError(f"offset: {error}") from None
