"""Order flow: a recorded day as requests that live agents can send into a simulated market.

They are the very requests that replayed the day through the matching core, in order: recorded arrivals and cancels,
executions as marketable orders, and the orders that make the book take its recorded size where a level comes into view.
In a market where others trade too, some of them will meet another book than the recorded one: a cancel may find its
order gone, a marketable order may fill against somebody else. That is what it means to trade inside the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketsim.data.tape import Tape, TapeKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.domain.units import format_time
from marketsim.errors import DataError, InvalidValueError
from marketsim.replay.core_replay import Replay
from marketsim.replay.request import REQUEST, Cause, RequestKind


class FlowRequest(NamedTuple):
    """One request. ``order_id`` is the flow's own number of the order it places or cancels.

    NEW: a limit order, good till canceled. CANCEL: ``quantity`` lots, 0 for all. EXECUTE: a marketable limit order,
    immediate or cancel; ``target`` is the resting order that the record executes (0 where none is named). HALT: trading
    stops or resumes as ``halt`` says.
    """

    time: int  # ns
    kind: RequestKind
    cause: Cause
    order_id: int
    side: Side | None
    price: int  # ticks
    quantity: int  # lots
    target: int
    halt: TapeKind | None
    row: int  # of the source


@dataclass(frozen=True, eq=False)
class OrderFlow:
    """The requests of a recorded day, in order.

    requests: rows REQUEST; iterate for one FlowRequest after the other.
    orders: how many order ids there are; they are 1 … this, each placed at most once, aggressive orders included.
    start, end: ns between which was recorded.
    """

    instrument: Instrument
    requests: NDArray[Any]
    rows: NDArray[np.int64]
    orders: int
    start: int
    end: int

    def __len__(self) -> int:
        return len(self.requests)

    def __iter__(self) -> Iterator[FlowRequest]:
        for request, row in zip(self.requests.tolist(), self.rows.tolist(), strict=True):
            time, _, order_id, target, price, quantity, kind, side, cause, halt = request
            yield FlowRequest(
                time,
                RequestKind(kind),
                Cause(cause),
                order_id,
                Side(side) if side else None,
                price,
                quantity,
                target,
                TapeKind(halt) if halt else None,
                row,
            )

    @property
    def opening(self) -> int:
        """How many requests at the beginning put the book in place that was there before the first row."""
        if not len(self.requests):
            return 0
        placed = (self.requests["row"] == self.requests["row"][0]) & np.isin(
            self.requests["cause"], (Cause.SEED, Cause.REST)
        )
        return int(np.argmin(np.append(placed, False)))


def order_flow(tape: Tape, *, start: int | None = None, end: int | None = None, ahead: bool = True) -> OrderFlow:
    """Replay a tape for the requests it takes from ``start`` until before ``end`` (ns; the whole tape by default).

    The flow begins with the orders that stood in the book at ``start``, in the order of their priority.
    Raises DataError when the requests do not reproduce the recorded book: such a flow would not be the recorded day.
    """
    start, end = tape.start if start is None else start, tape.end + 1 if end is None else end
    first, stop = np.searchsorted(tape.events["time"], [start, end])
    if first >= stop:
        raise InvalidValueError(
            f"no events from {format_time(start)} until {format_time(end)}: the tape has "
            f"{format_time(tape.start)} to {format_time(tape.end)}"
        )
    work = Replay(tape, ahead=ahead)
    work.advance(int(first))
    standing = _standing(work, int(first), max(start, tape.start))
    sent = len(work.requests)
    work.advance(int(stop))
    report = work.report()
    if not report.agrees:
        raise DataError(f"this tape cannot be replayed faithfully:\n{report}", source=tape.source)
    requests = np.concatenate([standing, report.requests[sent:]])
    rows = tape.events["row"][requests["row"]]
    return OrderFlow(tape.instrument, requests, rows, work.orders, start, min(end, tape.end))


def _standing(work: Replay, row: int, time: int) -> NDArray[Any]:
    """The orders of the core's book as requests, each side from its best level on."""
    placed = [
        (time, row, order_id, 0, price, quantity, RequestKind.NEW, side, Cause.SEED, 0)
        for side in (Side.BUY, Side.SELL)
        for price, _, _ in work.core.depth(0, side)
        for order_id, quantity in work.core.queue(0, side, price)
    ]
    return np.array(placed, REQUEST)
