"""Sending: requests to the matching core, one by one, and which order it executed first. It decides nothing."""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderType, TimeInForce
from marketsim.exchange.ladder import best_level
from marketsim.exchange.matching import cancel_order, new_order
from marketsim.exchange.state import ASK, BID, events_of, levels_of, orders_of
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.replay.request import RequestKind
from marketsim.replay.state import (
    BOOK_OWNER,
    CHANGED,
    FOLLOWS,
    JUMPED,
    LOST,
    NOTHING,
    OLDER,
    SHORT_OF_EXCEPTIONS,
    TAKER,
    UNPLACED,
)

_NEW, _CANCEL, _TAKE = int(RequestKind.NEW), int(RequestKind.CANCEL), int(RequestKind.EXECUTE)
_LIMIT, _GTC, _IOC = int(OrderType.LIMIT), int(TimeInForce.GTC), int(TimeInForce.IOC)
_TRADE, _REJECTED, _CANCEL_REJECTED = int(EventKind.TRADE), int(EventKind.REJECTED), int(EventKind.CANCEL_REJECTED)


@compiled
def _look_at_queue(core: Record, state: Record, request: Record) -> None:
    """How many orders stand at the best price, and where the recorded one is among them."""
    level = best_level(core, BID if request.side < 0 else ASK)
    state.queue = 0
    state.position = -1
    if level != 0:
        orders = orders_of(core)
        state.queue = levels_of(core)[level].orders
        slot = levels_of(core)[level].head
        place = 0
        while slot != 0:
            if orders[slot].order_id == request.target:
                state.position = place
                return
            place += 1
            slot = orders[slot].next


@compiled
def _cause_of(state: Record, notes: Rows, target: int, first: int) -> int:
    if first == 0:
        return NOTHING
    if state.position < 0:
        return FOLLOWS if notes[target].taken > 0 else LOST
    if first > state.orders:
        return UNPLACED
    if notes[first].spared > 0:
        return FOLLOWS
    if notes[first].loose != 0:
        return CHANGED
    if notes[target].number < notes[first].number:
        return OLDER
    return UNPLACED if notes[first].arrived < 0 else JUMPED


@compiled
def _judge(core: Record, state: Record, request: Record, notes: Rows, exceptions: Rows, before: int) -> None:
    """Whether the core executed the order first that the record names."""
    rows = events_of(core)
    target = request.target
    first = 0
    traded = 0
    elsewhere = False
    for index in range(before, core.log_count):
        if rows[index].kind == _TRADE:
            maker = rows[index].match_id
            first = maker if first == 0 else first
            traded += rows[index].quantity
            elsewhere = elsewhere or rows[index].price != request.price
            if maker != target and maker <= state.orders:
                notes[maker].taken = request.row + 1
    state.executions += 1
    state.lacking += 1 if traded < request.quantity else 0
    state.elsewhere += 1 if elsewhere or traded == 0 else 0
    if first != target and notes[target].spared == 0:
        notes[target].spared = request.row + 1
    if notes[target].arrived < 0:
        state.unseen_first += 1 if first == target else 0
        return
    state.known += 1
    state.known_queued += 1 if state.queue > 1 else 0
    if first == target:
        state.known_first += 1
        state.known_queued_first += 1 if state.queue > 1 else 0
        return
    found = exceptions[state.exceptions]
    found.row = request.row
    found.order_id = target
    found.first = first
    found.position = state.position
    found.queue = state.queue
    found.quantity = request.quantity
    found.cause = _cause_of(state, notes, target, first)
    found.related = -1
    if found.cause == FOLLOWS:
        found.related = (notes[target].taken if state.position < 0 else notes[first].spared) - 1
    state.exceptions += 1


@compiled
def _note_arrival(core: Record, state: Record, before: int) -> None:
    """A recorded arrival comes to rest; anything else is noted."""
    kind = events_of(core)[core.log_count - 1].kind
    state.refused += 1 if kind == _REJECTED else 0
    state.crossed += 1 if core.log_count - before > 1 else 0


@compiled
def send(core: Record, state: Record, requests: Rows, notes: Rows, exceptions: Rows) -> int:
    """Hand the planned requests to the core, one by one; 0 when all are answered, else a SHORT_OF code."""
    nothing = state.nothing  # Numba would compile the core once more for numbers that it knows beforehand
    while state.sent < state.planned:
        request = requests[state.sent]
        takes = request.kind == _TAKE
        before = core.log_count
        if request.kind == _NEW or takes:
            if takes:
                if state.exceptions == len(exceptions):
                    return SHORT_OF_EXCEPTIONS
                _look_at_queue(core, state, request)
            answer = new_order(
                core, request.time, TAKER if takes else BOOK_OWNER, nothing, request.side + nothing, _LIMIT + nothing,
                _IOC if takes else _GTC, nothing, request.price, nothing, request.quantity, nothing, request.order_id,
                nothing, nothing, nothing, nothing,
            )  # fmt: skip
            if answer < 0:
                return answer
            if takes:
                _judge(core, state, request, notes, exceptions, before)
            else:
                _note_arrival(core, state, before)
        elif request.kind == _CANCEL:
            answer = cancel_order(core, request.time, BOOK_OWNER + nothing, request.order_id, request.quantity)
            if answer < 0:
                return answer
            state.refused += 1 if events_of(core)[before].kind == _CANCEL_REJECTED else 0
        state.sent += 1
    return 0
