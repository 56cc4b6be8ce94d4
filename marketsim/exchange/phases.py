"""Phases: what a market does when its phase changes, and which orders a phase takes.

When the phase changes is another's business: there is no clock here. docs/matching-rules.md has the table.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce
from marketsim.domain.phase import Phase
from marketsim.exchange.auction import uncross
from marketsim.exchange.execution import become_limited, drain, execute
from marketsim.exchange.ladder import best_level, remove
from marketsim.exchange.orders import end, leave_unsettled
from marketsim.exchange.room import orders_in, room_for_all, room_to_tell
from marketsim.exchange.rows import write_order, write_phase
from marketsim.exchange.state import (
    CALL_BUY,
    CALL_SELL,
    LADDERS,
    PARKED,
    auction_of,
    books_of,
    ladders_of,
    last_price,
    levels_of,
    orders_of,
    slots_of,
)
from marketsim.exchange.stops import elect
from marketsim.kernel.compiled import Record, compiled, inlined

_CANCELED, _EXPIRED, _ACTIVATED = int(EventKind.CANCELED), int(EventKind.EXPIRED), int(EventKind.ACTIVATED)
_AUCTION_ENDED, _NO_LIQUIDITY = int(Reason.AUCTION_ENDED), int(Reason.NO_LIQUIDITY)
_END_OF_SESSION = int(Reason.END_OF_SESSION)
_DAY, _AT_OPEN, _AT_CLOSE = int(TimeInForce.DAY), int(TimeInForce.AT_OPEN), int(TimeInForce.AT_CLOSE)
_IOC, _FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
_POST_ONLY, _MARKET_TO_LIMIT = int(OrderFlag.POST_ONLY), int(OrderType.MARKET_TO_LIMIT)
_CONTINUOUS, _CLOSED, _HALT = int(Phase.CONTINUOUS), int(Phase.CLOSED), int(Phase.HALT)
_PRE_OPEN, _OPENING, _CLOSING = int(Phase.PRE_OPEN), int(Phase.OPENING_AUCTION), int(Phase.CLOSING_AUCTION)
_CALLS = sum(1 << phase for phase in Phase if phase.call)


@inlined
def is_call(phase: int) -> bool:
    """Whether orders are collected for an auction."""
    return (_CALLS >> phase) & 1 != 0


@inlined
def takes(phase: int, time_in_force: int, flags: int, minimum: int) -> bool:
    """Whether a phase takes such an order; CLOSED takes nothing, for a reason of its own."""
    if phase == _CONTINUOUS:
        return time_in_force != _AT_OPEN
    if phase == _HALT:
        return False
    if time_in_force == _IOC or time_in_force == _FOK or flags & _POST_ONLY or minimum != 0:
        return False
    return time_in_force != _AT_OPEN or phase == _PRE_OPEN or phase == _OPENING


@compiled
def _next_for(core: Record, market: int, order_id: int, first_time: int, last_time: int) -> int:
    """The live order of a market with the lowest number above ``order_id`` and a time in force between two; or 0."""
    slots = slots_of(core)
    orders = orders_of(core)
    number = order_id + 1
    while number < core.next_id:
        slot = slots[number]
        if slot > 0 and orders[slot].market == market:
            time_in_force = orders[slot].time_in_force
            if first_time <= time_in_force and time_in_force <= last_time:
                return int(number)
        number += 1
    return 0


@compiled
def _end_all(core: Record, market: int, first_time: int, last_time: int, kind: int, reason: int) -> None:
    """Every live order of these times in force leaves, in the order of the numbers."""
    number = _next_for(core, market, 0, first_time, last_time)
    while number != 0:
        end(core, slots_of(core)[number], kind, reason)
        number = _next_for(core, market, number, first_time, last_time)


@compiled
def _clear_call(core: Record, ladder: int, traded: int, price: int) -> None:
    """What an uncross has left in a call queue gets its limit, or ends."""
    orders = orders_of(core)
    while ladders_of(core)[ladder].rungs > 0:
        slot = levels_of(core)[best_level(core, ladder)].head
        if orders[slot].order_type == _MARKET_TO_LIMIT and traded != 0:
            remove(core, ladder, slot)
            orders[slot].place = PARKED
            become_limited(core, slot, price)
        else:
            end(core, slot, _CANCELED, _NO_LIQUIDITY)


@compiled
def _end_of_day(core: Record, market: int) -> None:
    number = _next_for(core, market, 0, _DAY, _AT_CLOSE)
    while number != 0:
        slot = slots_of(core)[number]
        time_in_force = orders_of(core)[slot].time_in_force
        if time_in_force == _DAY or time_in_force >= _AT_OPEN:
            end(core, slot, _EXPIRED, _END_OF_SESSION)
        number = _next_for(core, market, number, _DAY, _AT_CLOSE)


@compiled
def _begin_closing_auction(core: Record, market: int) -> None:
    number = _next_for(core, market, 0, _AT_CLOSE, _AT_CLOSE)
    while number != 0:
        slot = slots_of(core)[number]
        order = orders_of(core)[slot]
        if order.place == PARKED:
            write_order(core, _ACTIVATED, order, order.price, order.leaves, order.leaves, 0)
            execute(core, slot)
        number = _next_for(core, market, number, _AT_CLOSE, _AT_CLOSE)


@compiled
def set_phase(core: Record, time: int, market: int, phase: int, reason: int) -> int:
    """A market enters a phase. Answers 0 or a SHORT_OF code."""
    book = books_of(core)[market]
    before = book.phase
    if phase == before:
        return 0
    short = room_for_all(core, market, book.special + 1)
    if short != 0:
        return short
    core.time = time
    uncrossed = phase == _CONTINUOUS or (phase == _CLOSED and is_call(before))
    traded = 0
    if uncrossed:
        traded = uncross(core, market, auction_of(core)[0])
    if (before == _PRE_OPEN or before == _OPENING) and phase != _PRE_OPEN and phase != _OPENING:
        _end_all(core, market, _AT_OPEN, _AT_OPEN, _CANCELED, _AUCTION_ENDED)
    if before == _CLOSING:
        _end_all(core, market, _AT_CLOSE, _AT_CLOSE, _CANCELED, _AUCTION_ENDED)
    if uncrossed:
        _clear_call(core, market * LADDERS + CALL_BUY, traded, book.last_price)
        _clear_call(core, market * LADDERS + CALL_SELL, traded, book.last_price)
    write_phase(core, market, last_price(book), phase, reason)
    book.anchor = last_price(book)
    if phase == _CLOSED:
        _end_of_day(core, market)
    elif phase == _CLOSING:
        _begin_closing_auction(core, market)
    elif phase == _CONTINUOUS and book.trades > 0:
        elect(core, market, book.last_price)
    drain(core)
    leave_unsettled(core, market)
    return 0


@compiled
def end_session(core: Record, time: int, market: int) -> int:
    """Every order for the day leaves, whatever the phase, which stays. Answers 0 or a SHORT_OF code."""
    short = room_to_tell(core, 4 * (orders_in(core, market) + 1))
    if short != 0:
        return short
    core.time = time
    _end_of_day(core, market)
    leave_unsettled(core, market)
    return 0
