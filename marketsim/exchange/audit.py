"""The audit of a matching core: every invariant of its tables, checked from scratch. It changes nothing.

Compiled, so that tests can afford it after each command.
"""

from __future__ import annotations

from marketsim.exchange.ladder import best_level, key_of_price
from marketsim.exchange.state import (
    ASK,
    BID,
    CALL_BUY,
    CALLED,
    GONE,
    KEPT,
    LADDERS,
    RESTING,
    SPECIAL,
    WAITING,
    books_of,
    ladder_of,
    ladders_of,
    levels_of,
    orders_of,
    rungs_of,
    slots_of,
    terms_of,
)
from marketsim.kernel.compiled import Record, Rows, compiled

_FINDINGS = (
    "",
    "the rungs of a ladder are out of order",
    "a level's price does not match its rung",
    "an empty level is on a ladder",
    "the links of a queue are broken",
    "an order in a queue has no open quantity, or more than its total",
    "an order is in the wrong queue",
    "a level's sums differ from its orders",
    "a ladder's sums differ from its levels",
    "the book is crossed",
    "a free list has lost count",
    "a slot does not point to its order",
    "an election was left behind",
    "what follows from a request was not settled",
    "special orders, slices or remembered orders are miscounted",
    "partners, or parents and children, do not know each other",
    "a list of pegs or trailing stops is broken",
)


@compiled
def _check_level(core: Record, ladder: int, level: int) -> int:
    orders = orders_of(core)
    slots = slots_of(core)
    at = levels_of(core)[level]
    slot = at.head
    before = 0
    count = 0
    quantity = 0
    place = RESTING + ladder % LADDERS // 2
    if slot == 0:
        return 3
    while slot != 0:
        order = orders[slot]
        if order.prev != before or order.level != level:
            return 4
        if order.leaves < 1 or order.leaves > order.quantity:
            return 5
        if order.place != place or ladder_of(order) != ladder:
            return 6
        price = order.stop_price if place == WAITING else (0 if place == CALLED else order.price)
        if price != at.price:
            return 6
        if slots[order.order_id] != slot:
            return 11
        count += 1
        quantity += order.leaves
        before = slot
        slot = order.next
    if at.tail != before:
        return 4
    return 0 if count == at.orders and quantity == at.quantity else 7


@compiled
def _check_ladder(core: Record, ladder: int) -> int:
    rungs = rungs_of(core)
    levels = levels_of(core)
    side = ladders_of(core)[ladder]
    count = 0
    quantity = 0
    for position in range(side.start, side.start + side.rungs):
        if position > side.start and rungs[position - 1].key >= rungs[position].key:
            return 1
        level = rungs[position].level
        if key_of_price(ladder, levels[level].price) != rungs[position].key:
            return 2
        finding = _check_level(core, ladder, level)
        if finding != 0:
            return finding
        count += levels[level].orders
        quantity += levels[level].quantity
    return 0 if count == side.orders and quantity == side.quantity else 8


@compiled
def _check_special(core: Record, slot: int) -> int:
    """One order's special terms."""
    terms = terms_of(core)
    mine = terms[slot]
    if mine.partner != 0 and terms[mine.partner].partner != slot:
        return 15
    if mine.reserve < 0 or (mine.reserve > 0 and mine.display == 0 and mine.parent == 0):
        return 14
    if mine.parent != 0:
        child = terms[mine.parent].first_child
        while child != 0 and child != slot:
            child = terms[child].next_child
        if child != slot:
            return 15
    return 0


@compiled
def _check_market(core: Record, market: int) -> int:
    """Counts of special orders, slices and lists of one market."""
    book = books_of(core)[market]
    orders = orders_of(core)
    terms = terms_of(core)
    special = 0
    slices = 0
    for slot in range(1, core.orders_length):
        order = orders[slot]
        if order.place != GONE and order.place != KEPT and order.market == market and order.instructions & SPECIAL:
            special += 1
            if terms[slot].display > 0:
                slices += (terms[slot].reserve + terms[slot].display - 1) // terms[slot].display
            finding = _check_special(core, slot)
            if finding != 0:
                return finding
    if special != book.special or slices != book.slices:
        return 14
    before = 0
    count = 0
    slot = book.first_peg
    while slot != 0 and count <= book.pegs:
        if terms[slot].before != before:
            return 16
        count += 1
        before = slot
        slot = terms[slot].behind
    if count != book.pegs or before != book.last_peg:
        return 16
    before = 0
    count = 0
    slot = book.first_trail
    while slot != 0 and count <= book.trails:
        if terms[slot].before != before:
            return 16
        count += 1
        before = slot
        slot = terms[slot].behind
    return 0 if count == book.trails and before == book.last_trail else 16


@compiled
def _check_free(core: Record) -> int:
    orders = orders_of(core)
    levels = levels_of(core)
    ladders = ladders_of(core)
    used = 0
    for ladder in range(core.markets * LADDERS):
        used += ladders[ladder].rungs
    live = 0
    kept = 0
    for slot in range(1, core.orders_length):
        live += 1 if orders[slot].place != GONE else 0
        kept += 1 if orders[slot].place == KEPT else 0
    if kept != core.kept:
        return 14
    count = 0
    slot = core.free_order
    while slot != 0 and count <= core.orders_length:
        if orders[slot].place != GONE:
            return 10
        count += 1
        slot = orders[slot].next
    if count != core.free_orders or count + live != core.orders_length - 1:
        return 10
    count = 0
    level = core.free_level
    while level != 0 and count <= core.levels_length:
        count += 1
        level = levels[level].head
    return 0 if count == core.free_levels and count + used == core.levels_length - 1 else 10


@compiled
def _audit(cores: Rows) -> int:
    core = cores[0]
    levels = levels_of(core)
    for market in range(core.markets):
        for kind in range(LADDERS):
            finding = _check_ladder(core, market * LADDERS + kind)
            if finding != 0:
                return finding
        bid = best_level(core, market * LADDERS + BID)
        ask = best_level(core, market * LADDERS + ASK)
        trading = books_of(core)[market].phase == 0
        if trading and bid != 0 and ask != 0 and levels[bid].price >= levels[ask].price:
            return 9
        if trading and ladders_of(core)[market * LADDERS + CALL_BUY].orders > 0:
            return 6
        finding = _check_market(core, market)
        if finding != 0:
            return finding
    if core.elected_head != 0 or core.elected_tail != 0 or core.elected != 0:
        return 12
    if core.unsettled != 0 or core.first_owing != 0 or core.last_owing != 0:
        return 13
    return _check_free(core)


def audit(cores: Rows) -> str:
    """What is wrong with the tables of a core; "" when nothing is."""
    return _FINDINGS[int(_audit(cores))]
