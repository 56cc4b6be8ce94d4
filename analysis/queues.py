"""How often the best queue is joined, left and hit, by its size: the intensities of the queue-reactive model.

Only the best queues are seen, as the quotes tell them. So an empty queue is none of those that are measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

_KINDS = ("limit", "cancel", "market")


def queue_intensities(
    source: MarketTables | Tape, instrument: str | None = None, *, unit: float | None = None, sizes: int = 30
) -> pd.DataFrame:
    """Limit orders, cancels and market orders a second at a best queue of n units; both sides together.

    For each size n = ⌈quantity / unit⌉ the maximum-likelihood estimate: events at that size over the time spent at it
    (Huang, Lehalle and Rosenbaum 2015, section 2). A queue that grows has been joined; one that shrinks was hit where a
    trade happened at that moment, else left; a best price that is given up was the last of its queue, and one that is
    bettered says nothing about it. Several of them in one nanosecond count as one.

    unit: in units of the instrument; by default the mean change of a queue, as the paper has it. Columns ``size``,
    ``seconds``, then for each kind its rate a second and its standard error (of a Poisson count): ``limit``,
    ``limit_error``, ``cancel``, ``cancel_error``, ``market``, ``market_error``. A size at which no time was spent is
    left out; the last row stands for all larger sizes.
    """
    tape = Tape.of(source, instrument)
    sides = [queue_changes(tape, 1), queue_changes(tape, -1)]
    before, change, kind, time = (np.concatenate([side[part] for side in sides]) for part in range(4))
    if unit is None:
        moved = np.abs(change[kind >= 0])
        unit = float(moved.mean()) if len(moved) else 1.0
    if unit <= 0.0 or sizes < 1:
        raise InvalidValueError(f"unit={unit:g} and sizes={sizes} must be above 0")
    size = np.minimum(np.ceil(before / unit - 1e-9), sizes).astype(np.int64)
    seconds = np.bincount(size, time, sizes + 1) / 1e9
    table = {"size": np.arange(sizes + 1), "seconds": seconds}
    with np.errstate(divide="ignore", invalid="ignore"):
        for number, name in enumerate(_KINDS):
            events = np.bincount(size[kind == number], minlength=sizes + 1)
            table[name], table[f"{name}_error"] = events / seconds, np.sqrt(events) / seconds
    frame = pd.DataFrame(table)
    return frame[(frame["size"] > 0) & (frame["seconds"] > 0)].reset_index(drop=True)


def queue_changes(tape: Tape, side: int) -> tuple[Floats, Floats, Floats, Floats, Ints]:
    """Of each quote row and its successor: the queue of a side before, its change, what happened, the ns in between,
    and when. What happened is 0 joined, 1 left, 2 hit, or -1: nothing that the queue tells.
    """
    price, quantity = (tape.bid, tape.bid_quantity) if side > 0 else (tape.ask, tape.ask_quantity)
    first, last = price[:-1], price[1:]
    begin, end = (np.clip(tape.quote_time[part], tape.start, tape.end) for part in (slice(None, -1), slice(1, None)))
    away = np.isnan(last) | (side * (last - first) < 0.0)
    change = np.where(away, -quantity[:-1], np.where(last == first, quantity[1:] - quantity[:-1], 0.0))
    traded = np.isin(tape.quote_time[1:], tape.trade_time[tape.side == -side])
    kind = np.where(change > 0.0, 0, np.where(change < 0.0, np.where(traded, 2, 1), -1))
    known = ~np.isnan(first) & (tape.quote_time[1:] >= tape.start)
    when = tape.quote_time[1:][known]
    return quantity[:-1][known], change[known], kind[known], (end - begin)[known].astype(np.float64), when
