"""Prints: the trades that a market remembers for those who ask what was traded lately.

Nothing is kept until somebody asks; from then on a ring holds the trades of the longest time that was asked for. The
sums before each trade lie beside it, so that an answer costs a search and no walk. It never looks at orders.
"""

from __future__ import annotations

from marketsim.kernel.compiled import Record, Rows, array_at, compiled
from marketsim.population.state import PRINT


@compiled
def _prints_of(market: Record) -> Rows:
    return array_at(market.prints, market.prints_length, PRINT)


@compiled
def begin_prints(market: Record, lookback: int) -> bool:
    """Remember the trades of so many ns from now on; False when the market has no ring yet."""
    if market.prints_length == 0:
        return False
    market.window = max(market.window, lookback)
    return True


@compiled
def has_print_room(market: Record, now: int) -> bool:
    """Whether one more trade can be remembered, once those that are too old are forgotten."""
    if market.window == 0 or market.prints_count - market.prints_first < market.prints_length:
        return True
    prints = _prints_of(market)
    while (
        market.prints_first < market.prints_count
        and prints[market.prints_first % market.prints_length].time < now - market.window
    ):
        market.prints_first += 1
    return market.prints_count - market.prints_first < market.prints_length


@compiled
def remember_trade(market: Record, now: int, side: int, quantity: int) -> None:
    """A trade whose aggressor was on ``side``; room must be there."""
    if market.window == 0:
        return
    entry = _prints_of(market)[market.prints_count % market.prints_length]
    entry.time = now
    entry.bought = market.bought
    entry.sold = market.sold
    market.prints_count += 1
    if side > 0:
        market.bought += quantity
    else:
        market.sold += quantity


@compiled
def volume_since(market: Record, time: int, answer: Record) -> None:
    """Write what aggressors bought and sold since a time, that time included, into ``quantity`` and ``leaves``."""
    prints = _prints_of(market)
    low, high = market.prints_first, market.prints_count
    while low < high:
        middle = (low + high) // 2
        if prints[middle % market.prints_length].time < time:
            low = middle + 1
        else:
            high = middle
    if low < market.prints_count:
        entry = prints[low % market.prints_length]
        answer.quantity = market.bought - entry.bought
        answer.leaves = market.sold - entry.sold
