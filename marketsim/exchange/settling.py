"""Settling: what follows from a request when its own work is done: releases, trailing stops, pegs.

One call does one step, so that what follows from a step can be told before the next, and each needs only room of its
own. docs/matching-rules.md says what the steps are and in which order they come.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderType, Reason
from marketsim.exchange.execution import drain, execute
from marketsim.exchange.ladder import append, best_level
from marketsim.exchange.orders import (
    filled_of,
    finish,
    release_kept,
    reserve_of,
    set_reserve,
    take_out,
    total_open,
)
from marketsim.exchange.room import room_for_all
from marketsim.exchange.rows import write_order, write_repriced
from marketsim.exchange.state import (
    ASK,
    BID,
    GONE,
    HIDDEN,
    KEPT,
    LADDERS,
    NO_KEY,
    PARKED,
    TRIGGERED,
    WAITING,
    books_of,
    ladder_of,
    last_price,
    levels_of,
    orders_of,
    terms_of,
)
from marketsim.exchange.stops import wait
from marketsim.kernel.compiled import Record, compiled

_ACTIVATED, _CANCELED, _LINKED = int(EventKind.ACTIVATED), int(EventKind.CANCELED), int(Reason.LINKED)
_LIMIT, _TRAILING = int(OrderType.LIMIT), int(OrderType.TRAILING_STOP)
_PRIMARY, _MARKET, _MID = int(OrderType.PRIMARY_PEG), int(OrderType.MARKET_PEG), int(OrderType.MID_PEG)


# --- releases --------------------------------------------------------------------------------------------------------


@compiled
def begin_trailing(core: Record, slot: int) -> None:
    """A trailing stop gets its first stop price."""
    order = orders_of(core)[slot]
    order.stop_price = last_price(books_of(core)[order.market]) + order.side * terms_of(core)[slot].distance
    terms_of(core)[slot].fresh = 0
    lots = total_open(core, slot)
    write_repriced(core, order, order.stop_price, lots, lots)


@compiled
def _release(core: Record, slot: int, lots: int) -> None:
    """More of a conditional order becomes active."""
    order = orders_of(core)[slot]
    take_out(core, slot)
    order.place = PARKED
    order.leaves += lots
    set_reserve(core, slot, reserve_of(core, slot) - lots)
    write_order(core, _ACTIVATED, order, order.price, lots, total_open(core, slot), 0)
    if order.order_type == _LIMIT or order.instructions & TRIGGERED:
        execute(core, slot)
        return
    if order.order_type == _TRAILING and terms_of(core)[slot].fresh != 0:
        begin_trailing(core, slot)
    wait(core, slot)


@compiled
def _untold(core: Record, parent: int) -> int:
    """The first child that has not heard of all yet."""
    terms = terms_of(core)
    child = terms[parent].first_child
    while child != 0:
        if terms[child].told != filled_of(core, parent) or (terms[parent].ended != 0 and terms[child].reserve > 0):
            return int(child)
        child = terms[child].next_child
    return 0


@compiled
def _settle_parent(core: Record) -> None:
    """The first parent that owes its children something pays it."""
    parent = core.first_owing
    terms = terms_of(core)
    core.first_owing = terms[parent].next_owing
    if core.first_owing == 0:
        core.last_owing = 0
    terms[parent].owes = 0
    child = terms[parent].first_child
    while child != 0:
        behind = terms[child].next_child
        told = terms[child].told
        filled = filled_of(core, parent)
        terms[child].told = filled
        lots = min(reserve_of(core, child), filled - told)
        if lots > 0:
            _release(core, child, lots)
        over = terms[parent].ended != 0 and terms[child].told == filled_of(core, parent)
        if terms[child].parent == parent and over and reserve_of(core, child) > 0:
            lots = reserve_of(core, child)
            set_reserve(core, child, 0)
            _cancel_reserve(core, child, lots)
        if behind != 0 and terms[behind].parent != parent:  # a link took the next one away
            behind = _untold(core, parent)
        child = behind
    if terms[parent].ended != 0 and terms[parent].first_child == 0 and terms[parent].owes == 0:
        release_kept(core, parent)


@compiled
def _cancel_reserve(core: Record, slot: int, lots: int) -> None:
    """The parent is over: what it has not released is canceled; with nothing active the child is over too."""
    order = orders_of(core)[slot]
    order.quantity -= lots
    write_order(core, _CANCELED, order, order.price, lots, order.leaves, _LINKED)
    if order.leaves == 0:
        finish(core, slot)


# --- trailing stops --------------------------------------------------------------------------------------------------


@compiled
def _trail(core: Record, market: int) -> None:
    """Trailing stops follow the last price, in their direction only."""
    book = books_of(core)[market]
    price = last_price(book)
    book.trail_price = price
    slot = book.first_trail
    while slot != 0:
        order = orders_of(core)[slot]
        stop = price + order.side * terms_of(core)[slot].distance
        if order.place == WAITING and (order.stop_price - stop) * order.side > 0:
            take_out(core, slot)
            order.stop_price = stop
            lots = total_open(core, slot)
            write_repriced(core, order, stop, lots, lots)
            append(core, ladder_of(order), slot, stop)
        slot = terms_of(core)[slot].behind


# --- pegs ------------------------------------------------------------------------------------------------------------


@compiled
def _best(core: Record, market: int, kind: int) -> int:
    """Best displayed price of a side; NO_KEY when there is none, and when the market does not trade."""
    level = best_level(core, market * LADDERS + kind)
    return levels_of(core)[level].price if level != 0 and books_of(core)[market].phase == 0 else NO_KEY


@compiled
def _peg_price(core: Record, slot: int) -> int:
    """Where a peg belongs; NO_KEY when it has no price."""
    order = orders_of(core)[slot]
    book = books_of(core)[order.market]
    terms = terms_of(core)[slot]
    bid = book.peg_bid
    ask = book.peg_ask
    own = bid if order.side > 0 else ask
    other = ask if order.side > 0 else bid
    if book.phase != 0:
        return NO_KEY
    if order.order_type == _PRIMARY:
        base = own
    elif order.order_type == _MARKET:
        base = other
    elif bid == NO_KEY or ask == NO_KEY:
        base = NO_KEY
    else:
        base = (bid + ask) >> 1 if order.side > 0 else (bid + ask + 1) >> 1
    if base == NO_KEY:
        return NO_KEY
    price = base - order.side * terms.distance
    return min(price, terms.cap) if order.side > 0 else max(price, terms.cap)


@compiled
def _reprice(core: Record, slot: int) -> None:
    order = orders_of(core)[slot]
    terms = terms_of(core)[slot]
    fresh = terms.fresh
    price = _peg_price(core, slot)
    books_of(core)[order.market].fresh_pegs -= fresh
    terms.fresh = 0
    if price == NO_KEY:
        if order.place == HIDDEN:
            take_out(core, slot)
            order.place = PARKED
            order.price = 0
            write_repriced(core, order, 0, 0, order.leaves)
    elif order.place != HIDDEN or order.price != price or fresh != 0:
        take_out(core, slot)
        order.place = PARKED
        order.price = price
        write_repriced(core, order, price, order.leaves, order.leaves)
        execute(core, slot)


@compiled
def _not_priced(core: Record, market: int) -> int:
    """The first peg that has not been looked at in this round."""
    book = books_of(core)[market]
    slot = book.first_peg
    while slot != 0 and terms_of(core)[slot].told == book.peg_round:
        slot = terms_of(core)[slot].behind
    return int(slot)


@compiled
def _peg(core: Record, market: int) -> None:
    """Pegs follow the best prices."""
    book = books_of(core)[market]
    book.peg_bid = _best(core, market, BID)
    book.peg_ask = _best(core, market, ASK)
    book.peg_round += 1
    slot = book.first_peg
    while slot != 0:
        terms = terms_of(core)[slot]
        behind = terms.behind
        terms.told = book.peg_round
        _reprice(core, slot)
        if behind != 0 and (orders_of(core)[behind].place == GONE or orders_of(core)[behind].place == KEPT):
            behind = _not_priced(core, market)  # the peg has traded with the next one
        slot = behind


@compiled
def _pegs_stale(core: Record, market: int) -> bool:
    book = books_of(core)[market]
    if book.pegs == 0:
        return False
    if book.fresh_pegs > 0:
        return True
    return book.peg_bid != _best(core, market, BID) or book.peg_ask != _best(core, market, ASK)


# --- steps -----------------------------------------------------------------------------------------------------------


@compiled
def _children(core: Record, parent: int) -> int:
    count = 0
    child = terms_of(core)[parent].first_child
    while child != 0:
        count += 1
        child = terms_of(core)[child].next_child
    return count


@compiled
def settle(core: Record) -> int:
    """The next step of what follows from the last request, if there is one: then it answers 1; 0 when all is settled.

    A SHORT_OF code when a table is too short; nothing has happened then.
    """
    if core.first_owing != 0:
        parent = core.first_owing
        short = room_for_all(core, orders_of(core)[parent].market, _children(core, parent))
        if short != 0:
            return short
        _settle_parent(core)
        drain(core)
        return 1
    for market in range(core.first_unsettled, core.last_unsettled + 1):
        book = books_of(core)[market]
        if book.trails > 0 and book.trail_price != last_price(book):
            short = room_for_all(core, market, book.trails)
            if short != 0:
                return short
            _trail(core, market)
            drain(core)
            return 1
    for market in range(core.first_unsettled, core.last_unsettled + 1):
        if _pegs_stale(core, market):
            short = room_for_all(core, market, books_of(core)[market].pegs)
            if short != 0:
                return short
            _peg(core, market)
            drain(core)
            return 1
    core.unsettled = 0
    return 0
