"""A ladder: one side of a book, or its waiting stops, as prices in order and queues of orders at each price.

The rungs of a ladder lie in one array sorted by key with the best price at the end, so that the busy end moves little.
The search gallops from the best; a rung is put in or taken out by one memmove. An order that rests far away costs the
others nothing. Source of the idea: prices change near the touch. It never trades and never writes the log.
"""

from __future__ import annotations

from marketsim.exchange.state import (
    BID,
    HIDDEN_BID,
    NO_KEY,
    SELL_STOP,
    books_of,
    ladders_of,
    levels_of,
    orders_of,
    rungs_of,
    touched_of,
)
from marketsim.kernel.compiled import Record, Rows, compiled, inlined, shift

_RISING = 1 << BID | 1 << SELL_STOP | 1 << HIDDEN_BID  # ladders on which a higher price is better


@inlined
def key_of_price(ladder: int, price: int) -> int:
    """Sort key of a price: the better the price, the larger."""
    return price if _RISING >> (ladder & 7) & 1 else -price


@inlined
def best_key(core: Record, ladder: int) -> int:
    """Key of the best price; NO_KEY, which is below all keys, when the ladder is empty."""
    side = ladders_of(core)[ladder]
    if side.rungs == 0:
        return NO_KEY
    return rungs_of(core)[side.start + side.rungs - 1].key


@inlined
def _climb(rungs: Rows, start: int, low: int, top: int, key: int) -> int:
    """Position of the first rung not below ``key``, galloping up from ``low``; the rung at ``top`` is not below it."""
    if rungs[start + low].key == key:
        return low
    high = low + 1
    step = 1
    while high < top and rungs[start + high].key < key:
        low = high
        high += step
        step += step
    return _between(rungs, start, low, min(high, top), key)


@inlined
def _descend(rungs: Rows, start: int, top: int, key: int) -> int:
    """The same, galloping down from ``top``."""
    high = top
    low = top - 1
    step = 1
    while low >= 0 and rungs[start + low].key >= key:
        high = low
        low -= step
        step += step
    return _between(rungs, start, max(low, -1), high, key)


@inlined
def _between(rungs: Rows, start: int, low: int, high: int, key: int) -> int:
    """The same, between a rung below ``key`` (or -1) and one that is not."""
    while high - low > 1:
        middle = (low + high) >> 1
        if rungs[start + middle].key >= key:
            high = middle
        else:
            low = middle
    return high


@compiled
def locate(core: Record, ladder: int, key: int) -> int:
    """Position of the first rung with a key not below ``key``; the number of rungs when there is none.

    Prices of a busy side lie side by side: the first guess is as many rungs below the best as the price is ticks away.
    Gaps make it too low, never too high. Where it falls off the ladder the search starts at the best.
    """
    rungs = rungs_of(core)
    side = ladders_of(core)[ladder]
    start = side.start
    top = side.rungs - 1
    if top < 0:
        return 0
    away = rungs[start + top].key - key
    if away < 0:
        return top + 1
    if away <= top:
        return _climb(rungs, start, top - away, top, key)
    return _descend(rungs, start, top, key)


@compiled
def touch(core: Record, ladder: int, price: int) -> None:
    """Remember that a request changed the level at this price, for the market data feed."""
    if books_of(core)[ladder >> 3].track != 0 and ladder & 7 < 2:
        touched = touched_of(core)
        count = core.touches
        if count == 0 or touched[count - 1].ladder != ladder or touched[count - 1].price != price:
            touched[count].ladder = ladder
            touched[count].price = price
            core.touches = count + 1


@compiled
def level_at(core: Record, ladder: int, price: int) -> int:
    """The level at a price; 0 when there is none."""
    key = key_of_price(ladder, price)
    position = locate(core, ladder, key)
    side = ladders_of(core)[ladder]
    if position < side.rungs:
        rung = rungs_of(core)[side.start + position]
        if rung.key == key:
            return rung.level
    return 0


@compiled
def _new_level(core: Record, ladder: int, position: int, price: int, key: int) -> int:
    rungs = rungs_of(core)
    levels = levels_of(core)
    side = ladders_of(core)[ladder]
    first = side.start + position
    end = side.start + side.rungs
    if first < end:
        shift(rungs, first, end, 1)
    level = core.free_level
    core.free_level = levels[level].head
    core.free_levels -= 1
    levels[level].price = price
    levels[level].quantity = 0
    levels[level].orders = 0
    levels[level].head = 0
    levels[level].tail = 0
    rungs[first].key = key
    rungs[first].level = level
    side.rungs += 1
    return level


@compiled
def append(core: Record, ladder: int, slot: int, price: int) -> None:
    """Put an order at the back of the queue at a price. Room must have been checked."""
    key = key_of_price(ladder, price)
    position = locate(core, ladder, key)
    side = ladders_of(core)[ladder]
    level = 0
    if position < side.rungs:
        rung = rungs_of(core)[side.start + position]
        if rung.key == key:
            level = rung.level
    if level == 0:
        level = _new_level(core, ladder, position, price, key)
    orders = orders_of(core)
    at = levels_of(core)[level]
    order = orders[slot]
    order.level = level
    order.next = 0
    order.prev = at.tail
    orders[at.tail].next = slot  # slot 0 takes what nobody reads, and a branch is saved
    at.head = slot if at.orders == 0 else at.head
    at.tail = slot
    at.orders += 1
    at.quantity += order.leaves
    side.orders += 1
    side.quantity += order.leaves
    touch(core, ladder, price)


@compiled
def _drop_level(core: Record, ladder: int, level: int) -> None:
    rungs = rungs_of(core)
    levels = levels_of(core)
    side = ladders_of(core)[ladder]
    last = side.rungs - 1
    if rungs[side.start + last].level != level:
        position = locate(core, ladder, key_of_price(ladder, levels[level].price))
        shift(rungs, side.start + position + 1, side.start + side.rungs, -1)
    side.rungs = last
    levels[level].head = core.free_level
    core.free_level = level
    core.free_levels += 1


@compiled
def remove(core: Record, ladder: int, slot: int) -> None:
    """Take an order out of its queue, and its level out of the ladder when it was the last one."""
    orders = orders_of(core)
    order = orders[slot]
    level = order.level
    at = levels_of(core)[level]
    before = order.prev
    behind = order.next
    head = at.head
    tail = at.tail
    orders[before].next = behind
    orders[behind].prev = before
    at.head = behind if before == 0 else head
    at.tail = before if behind == 0 else tail
    at.orders -= 1
    at.quantity -= order.leaves
    side = ladders_of(core)[ladder]
    side.orders -= 1
    side.quantity -= order.leaves
    touch(core, ladder, at.price)
    if at.orders == 0:
        _drop_level(core, ladder, level)


@compiled
def shrink(core: Record, ladder: int, slot: int, by: int) -> None:
    """Lower an order's open quantity in its queue, or raise it; its place stays. It must stay above zero."""
    order = orders_of(core)[slot]
    at = levels_of(core)[order.level]
    side = ladders_of(core)[ladder]
    order.leaves -= by
    at.quantity -= by
    side.quantity -= by
    touch(core, ladder, at.price)


@compiled
def best_level(core: Record, ladder: int) -> int:
    """The level at the best price; 0 when the ladder is empty."""
    side = ladders_of(core)[ladder]
    if side.rungs == 0:
        return 0
    return rungs_of(core)[side.start + side.rungs - 1].level


@compiled
def quantity_within(core: Record, ladder: int, key: int, enough: int) -> int:
    """Open quantity at keys not below ``key``, counted from the best until ``enough`` is reached."""
    rungs = rungs_of(core)
    levels = levels_of(core)
    side = ladders_of(core)[ladder]
    total = 0
    position = side.start + side.rungs - 1
    while position >= side.start and total < enough and rungs[position].key >= key:
        total += levels[rungs[position].level].quantity
        position -= 1
    return total
