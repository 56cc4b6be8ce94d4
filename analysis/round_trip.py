"""Round trips: which unit bought was the one sold, first in first out, for all accounts at once.

The k-th unit that an account buys closes against the k-th unit that it sells, whichever came first: while the account
is long the sells eat the oldest buys, and once they are eaten up they open shorts that later buys eat in the same
order. So the matching is a merge of two cumulative sums, without a queue. It knows lots and prices, and never money.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marketsim.analysis.tape import Floats

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Matched:
    """Pieces of equal quantity: ``entry`` and ``exit`` are positions of fills, ``profit`` is lots times price moved."""

    account: Rows
    entry: Rows
    exit: Rows
    lots: Floats
    profit: Floats


def match_first_in_first_out(account: Rows, lots: Floats, price: Floats, accounts: int) -> Matched:
    """Match the fills of each account, which are in time order; ``lots`` is negative for a sell.

    ``lots`` are whole numbers (as floats), so that cumulative sums are exact.
    """
    closed = np.minimum(
        np.bincount(account, np.maximum(lots, 0.0), accounts), np.bincount(account, np.maximum(-lots, 0.0), accounts)
    )
    offset = np.concatenate(([0.0], np.cumsum(closed)))
    buys, buy_ends = _clipped(account, lots, closed, offset)
    sells, sell_ends = _clipped(account, -lots, closed, offset)
    ends = np.union1d(buy_ends, sell_ends)
    size = np.diff(ends, prepend=0.0)
    bought = buys[np.searchsorted(buy_ends, ends, "left")] if len(ends) else buys[:0]
    sold = sells[np.searchsorted(sell_ends, ends, "left")] if len(ends) else sells[:0]
    profit = size * (price[sold] - price[bought])
    long = bought < sold
    return Matched(account[bought], np.where(long, bought, sold), np.where(long, sold, bought), size, profit)


def _clipped(account: Rows, lots: Floats, closed: Floats, offset: Floats) -> tuple[Rows, Floats]:
    """Fills of one side that close against the other, and where each ends on the axis of all closed lots."""
    rows = np.flatnonzero(lots > 0)
    rows = rows[np.argsort(account[rows], kind="stable")]
    owner, quantity = account[rows], lots[rows]
    running = np.cumsum(quantity)
    first = np.searchsorted(owner, owner, "left")
    within = running - np.where(first > 0, running[first - 1], 0.0)
    kept = within - quantity < closed[owner]
    end = np.minimum(within, closed[owner])[kept] + offset[owner[kept]]
    return rows[kept], end
