"""Reaction times: how long after others changed the best quotes, or traded, an order reaches the venue.

It measures what a log tells: the latency of a trader who answers the market is the least of these times, and a trader
who does not look at it has times like those between changes. It knows no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis.tape import Ints, Tape, column, rows_of, the_instrument
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


def reaction_times(tables: MarketTables, instrument: str | None = None) -> pd.DataFrame:
    """A row for each order of an instrument: ``time`` (ns), ``agent``, ``family``, ``delay`` (ns).

    ``delay`` is the time from the last change of the best bid or ask, or the last trade, of any venue to the order's
    acceptance or rejection. What happens at a ns at which one of the agent's own orders came or ended counts as its own
    doing. Orders before the first change are left out. Raises InvalidValueError where there are no orders, as on a
    recorded tape.
    """
    symbol = the_instrument(tables, instrument)
    orders = rows_of(tables.orders, symbol, len(tables.instruments) == 1)
    if len(orders) == 0:
        raise InvalidValueError(
            f"reaction times of {symbol}: there are no orders; measure a run, or a recording that tells its orders"
        )
    tape = Tape.of(tables, symbol)
    changes = np.unique(np.concatenate((tape.quote_time, tape.trade_time)))
    time = column(orders, "time", np.int64)
    who, number = np.unique(orders["agent"].to_numpy().astype(str), return_inverse=True)
    row = _others(changes, orders, number, np.searchsorted(changes, time, "left") - 1)
    kept = (row >= 0) & (time >= tables.start)
    family = dict(zip(tables.agents["name"], tables.agents["family"], strict=True))
    families = np.array([family.get(name, name) for name in who], dtype=object)
    return pd.DataFrame(
        {
            "time": time[kept],
            "agent": who.astype(object)[number[kept]],
            "family": families[number[kept]],
            "delay": time[kept] - changes[row[kept]],
        }
    )


def _others(changes: Ints, orders: pd.DataFrame, number: Ints, row: Ints) -> Ints:
    """Each order's last change that its own agent did not make by another order, by its number; -1 for none."""
    own = [(number, column(orders, name, np.int64)) for name in ("time", "end_time")]
    width = len(changes) + 1
    marks = np.unique(np.concatenate([_places(changes, time) + agent * width for agent, time in own]))
    row = row.copy()
    open_ = row >= 0
    while open_.any():
        key = number[open_] * width + row[open_]
        at = np.minimum(np.searchsorted(marks, key), len(marks) - 1)
        mine = marks[at] == key
        rows = np.flatnonzero(open_)
        row[rows[mine]] -= 1
        open_[rows[~mine]] = False
        open_ &= row >= 0
    return row


def _places(changes: Ints, time: Ints) -> Ints:
    """Where each time is among the changes; beyond their end where it is none."""
    place = np.searchsorted(changes, time, "left")
    there = np.append(changes, -1)[place] == time
    return np.where(there, place, len(changes))
