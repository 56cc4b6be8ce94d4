"""Orders and their end: what is open, how it shrinks, and what a partner or a parent has to do with it.

An order that is over leaves its queue; then its record is free, unless children may still ask for it. It never trades.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason
from marketsim.exchange.ladder import remove, shrink
from marketsim.exchange.rows import write_order
from marketsim.exchange.state import (
    CALLED,
    ELECTED,
    FALLEN,
    FLYING,
    GONE,
    KEPT,
    PARKED,
    RESTING,
    SPECIAL,
    accounts_of,
    books_of,
    ladder_of,
    orders_of,
    slots_of,
    terms_of,
)
from marketsim.kernel.compiled import Record, compiled, inlined

_CANCELED, _LINKED = int(EventKind.CANCELED), int(Reason.LINKED)
_PARENT, _TRAILING, _FIRST_PEG = int(OrderFlag.PARENT), int(OrderType.TRAILING_STOP), int(OrderType.PRIMARY_PEG)


# --- what is open ----------------------------------------------------------------------------------------------------


@inlined
def reserve_of(core: Record, slot: int) -> int:
    """What an iceberg does not show yet, or a parent has not released yet."""
    return terms_of(core)[slot].reserve if orders_of(core)[slot].instructions & SPECIAL else 0


@inlined
def total_open(core: Record, slot: int) -> int:
    """What an order may still trade."""
    return orders_of(core)[slot].leaves + reserve_of(core, slot)


@inlined
def _account_of(core: Record, owner: int) -> int:
    """The account of an owner: its own number unless another one was set."""
    return accounts_of(core)[owner] if owner >= 0 and owner < core.accounts_length else owner


@inlined
def same_account(core: Record, owner: int, other: int) -> bool:
    """Whether the orders of two owners are own to each other."""
    return owner == other or _account_of(core, owner) == _account_of(core, other)


@compiled
def set_reserve(core: Record, slot: int, reserve: int) -> None:
    """Another reserve; the market keeps count of what its icebergs can still show."""
    terms = terms_of(core)[slot]
    if terms.display > 0:
        book = books_of(core)[orders_of(core)[slot].market]
        book.slices += (reserve + terms.display - 1) // terms.display
        book.slices -= (terms.reserve + terms.display - 1) // terms.display
    terms.reserve = reserve


@inlined
def queued(order: Record) -> bool:
    """Whether an order stands in a queue of a ladder."""
    return order.place >= RESTING and order.place <= CALLED


@compiled
def take_out(core: Record, slot: int) -> None:
    """Remove a live order from the queue in which it stands, if it does."""
    order = orders_of(core)[slot]
    if queued(order):
        remove(core, ladder_of(order), slot)


@compiled
def lower(core: Record, slot: int, by: int) -> None:
    """Less is active; an order with nothing active leaves its queue."""
    order = orders_of(core)[slot]
    if queued(order):
        if by < order.leaves:
            shrink(core, ladder_of(order), slot, by)
            return
        remove(core, ladder_of(order), slot)
        order.place = PARKED
    order.leaves -= by


@compiled
def reduce(core: Record, slot: int, by: int, reason: int) -> int:
    """So much of what is open is canceled: of an iceberg the reserve first; answers what is left, maybe nothing."""
    order = orders_of(core)[slot]
    reserve = reserve_of(core, slot)
    iceberg = reserve > 0 and terms_of(core)[slot].display > 0
    active = max(by - reserve, 0) if iceberg else min(by, order.leaves)
    if by > active:
        set_reserve(core, slot, reserve - (by - active))
    if active > 0:
        lower(core, slot, active)
    order.quantity -= by
    left = total_open(core, slot)
    write_order(core, _CANCELED, order, order.price, by, left, reason)
    return left


# --- special orders --------------------------------------------------------------------------------------------------


@compiled
def make_special(core: Record, slot: int) -> None:
    """The order has a record of special terms from now on."""
    order = orders_of(core)[slot]
    if not order.instructions & SPECIAL:
        order.instructions |= SPECIAL
        books_of(core)[order.market].special += 1


@inlined
def is_peg(order: Record) -> bool:
    """Whether an order follows the best prices."""
    return order.order_type >= _FIRST_PEG


@compiled
def join_list(core: Record, slot: int) -> None:
    """A peg or a trailing stop comes to the end of its market's list."""
    order = orders_of(core)[slot]
    book = books_of(core)[order.market]
    terms = terms_of(core)
    last = book.last_peg if is_peg(order) else book.last_trail
    terms[slot].before = last
    terms[slot].behind = 0
    if last != 0:
        terms[last].behind = slot
    if is_peg(order):
        book.first_peg = slot if last == 0 else book.first_peg
        book.last_peg = slot
        book.pegs += 1
    else:
        book.first_trail = slot if last == 0 else book.first_trail
        book.last_trail = slot
        book.trails += 1


@compiled
def _leave_list(core: Record, slot: int) -> None:
    order = orders_of(core)[slot]
    book = books_of(core)[order.market]
    terms = terms_of(core)
    before = terms[slot].before
    behind = terms[slot].behind
    if before != 0:
        terms[before].behind = behind
    if behind != 0:
        terms[behind].before = before
    if is_peg(order):
        book.first_peg = behind if before == 0 else book.first_peg
        book.last_peg = before if behind == 0 else book.last_peg
        book.pegs -= 1
        book.fresh_pegs -= terms[slot].fresh
    else:
        book.first_trail = behind if before == 0 else book.first_trail
        book.last_trail = before if behind == 0 else book.last_trail
        book.trails -= 1


@compiled
def filled_of(core: Record, slot: int) -> int:
    """What an order, live or remembered, has traded."""
    return orders_of(core)[slot].quantity - total_open(core, slot)


@compiled
def owe(core: Record, slot: int) -> None:
    """A parent owes its children something: a fill, or its end."""
    terms = terms_of(core)
    if terms[slot].owes == 0:
        terms[slot].owes = 1
        terms[slot].next_owing = 0
        if core.last_owing != 0:
            terms[core.last_owing].next_owing = slot
        else:
            core.first_owing = slot
        core.last_owing = slot


@compiled
def adopt(core: Record, parent: int, child: int) -> None:
    """The child comes behind the parent's other children."""
    terms = terms_of(core)
    make_special(core, parent)
    terms[child].parent = parent
    last = terms[parent].last_child
    if last != 0:
        terms[last].next_child = child
    else:
        terms[parent].first_child = child
    terms[parent].last_child = child
    owe(core, parent)


@compiled
def _leave_parent(core: Record, slot: int) -> None:
    terms = terms_of(core)
    parent = terms[slot].parent
    before = 0
    child = terms[parent].first_child
    while child != slot:
        before = child
        child = terms[child].next_child
    behind = terms[slot].next_child
    if before != 0:
        terms[before].next_child = behind
    else:
        terms[parent].first_child = behind
    if behind == 0:
        terms[parent].last_child = before
    if terms[parent].ended != 0 and terms[parent].first_child == 0 and terms[parent].owes == 0:
        release_kept(core, parent)


@compiled
def _clear(core: Record, slot: int) -> None:
    terms = terms_of(core)[slot]
    terms.reserve = 0
    terms.display = 0
    terms.minimum = 0
    terms.distance = 0
    terms.cap = 0
    terms.partner = 0
    terms.parent = 0
    terms.told = 0
    terms.first_child = 0
    terms.last_child = 0
    terms.next_child = 0
    terms.owes = 0
    terms.next_owing = 0
    terms.ended = 0
    terms.before = 0
    terms.behind = 0
    terms.fresh = 0


@inlined
def leave_unsettled(core: Record, market: int) -> None:
    """A request to a market is done but for what follows from it, if anything can."""
    if books_of(core)[market].special != 0 or core.first_owing != 0:
        core.unsettled = 1
        core.first_unsettled = market
        core.last_unsettled = market


# --- the end ---------------------------------------------------------------------------------------------------------


@compiled
def release(core: Record, slot: int) -> None:
    """Forget an order without special terms that is done."""
    order = orders_of(core)[slot]
    slots_of(core)[order.order_id] = -1
    free(core, slot)


@compiled
def free(core: Record, slot: int) -> None:
    """The record may be used anew."""
    order = orders_of(core)[slot]
    order.place = GONE
    order.next = core.free_order
    core.free_order = slot
    core.free_orders += 1


@compiled
def release_kept(core: Record, slot: int) -> None:
    """Forget a parent that is over, unless it asked to be remembered."""
    order = orders_of(core)[slot]
    if not order.instructions & _PARENT:
        slots_of(core)[order.order_id] = -1
        core.kept -= 1
        _clear(core, slot)
        free(core, slot)


@compiled
def _forget(core: Record, slot: int) -> bool:
    """The order is over: no number leads to it, no list holds it. Whether its record is free, or kept for children."""
    order = orders_of(core)[slot]
    slots_of(core)[order.order_id] = -1
    if not order.instructions & SPECIAL:
        return True
    terms = terms_of(core)
    books_of(core)[order.market].special -= 1
    order.quantity -= total_open(core, slot)
    order.leaves = 0
    set_reserve(core, slot, 0)
    if is_peg(order) or order.order_type == _TRAILING:
        _leave_list(core, slot)
    if terms[slot].partner != 0:
        terms[terms[slot].partner].partner = 0
        terms[slot].partner = 0
    if terms[slot].parent != 0:
        _leave_parent(core, slot)
        terms[slot].parent = 0
    if terms[slot].first_child == 0 and terms[slot].owes == 0 and not order.instructions & _PARENT:
        _clear(core, slot)
        return True
    terms[slot].ended = 1
    slots_of(core)[order.order_id] = -slot - 1
    core.kept += 1
    if terms[slot].first_child != 0:
        owe(core, slot)
    return False


@compiled
def retire(core: Record, slot: int) -> None:
    """Forget an order that is over and stands in no queue."""
    if _forget(core, slot):
        free(core, slot)
    else:
        orders_of(core)[slot].place = KEPT


@compiled
def _fall(core: Record, slot: int) -> None:
    """An order is over because of another one; who executes or elects it at the moment finds it fallen."""
    order = orders_of(core)[slot]
    busy = order.place == FLYING or order.place == ELECTED
    unused = _forget(core, slot)
    order.leaves = 0
    if busy:
        order.place = FALLEN
    elif unused:
        free(core, slot)
    else:
        order.place = KEPT


@compiled
def bury(core: Record, slot: int) -> None:
    """Who executed or elected a fallen order is done with it."""
    order = orders_of(core)[slot]
    if slots_of(core)[order.order_id] < -1:
        order.place = KEPT
    else:
        free(core, slot)


@compiled
def _end_partner(core: Record, slot: int) -> None:
    """Its partner is over: all that is open goes. One with nothing open is just being finished."""
    order = orders_of(core)[slot]
    if total_open(core, slot) == 0:
        return
    take_out(core, slot)
    write_order(core, _CANCELED, order, order.price, total_open(core, slot), 0, _LINKED)
    _fall(core, slot)


@inlined
def _partner_of(core: Record, slot: int) -> int:
    return terms_of(core)[slot].partner if orders_of(core)[slot].instructions & SPECIAL else 0


@compiled
def finish(core: Record, slot: int) -> None:
    """An order with nothing open that stands in no queue is over, and its partner with it."""
    partner = _partner_of(core, slot)
    retire(core, slot)
    if partner != 0:
        _end_partner(core, partner)


@compiled
def end(core: Record, slot: int, kind: int, reason: int) -> None:
    """A live order leaves with a CANCELED or EXPIRED row, and its partner with it."""
    order = orders_of(core)[slot]
    take_out(core, slot)
    write_order(core, kind, order, order.price, total_open(core, slot), 0, reason)
    if order.instructions & SPECIAL:
        finish(core, slot)
    else:
        release(core, slot)


@compiled
def tell_links(core: Record, slot: int, quantity: int) -> None:
    """A special order has traded: its partner shrinks as much, or ends with it; its children will hear of it."""
    terms = terms_of(core)
    if terms[slot].first_child != 0:
        owe(core, slot)
    partner = terms[slot].partner
    if partner != 0:
        lost = min(quantity, total_open(core, partner))
        left = reduce(core, partner, lost, _LINKED) if lost > 0 else 0
        if left == 0 or total_open(core, slot) == 0:
            terms[slot].partner = 0
            terms[partner].partner = 0
            if left > 0:
                _end_partner(core, partner)
            elif lost > 0:
                _fall(core, partner)
