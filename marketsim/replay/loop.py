"""The compiled loop of a replay: plan the requests of a row, send them to the matching core, compare the book.

It stops where a table is too short and goes on when called again. docs/replay.md says what each step does and why.
"""

from __future__ import annotations

import numpy as np

from marketsim.data.tape import ASK_PRICE, BID_PRICE, TapeFlag, TapeKind
from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderType, TimeInForce
from marketsim.exchange.ladder import best_level, key_of_price, level_at, locate
from marketsim.exchange.matching import cancel_order, new_order
from marketsim.exchange.state import ASK, BID, events_of, ladders_of, levels_of, orders_of, rungs_of, slots_of
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.replay.foresight import EVERYTHING, UNSEEN
from marketsim.replay.request import Cause, RequestKind

PROGRESS = np.dtype(
    [
        ("row", np.int64),  # the event at work
        ("stage", np.int64),
        ("planned", np.int64),  # requests written
        ("sent", np.int64),  # requests that the core has answered
        ("entry", np.int64),  # next entry
        ("orders", np.int64),  # of the tape; orders above are ours
        ("next_id", np.int64),
        ("seeds", np.int64),  # orders without recorded arrival
        ("opening", np.int64),
        ("bid_bound", np.int64),  # sort key of the worst price in view before this row
        ("ask_bound", np.int64),
        # what the report counts
        ("observations", np.int64),
        ("entered", np.int64),
        ("entered_equal", np.int64),
        ("mismatches", np.int64),
        ("mismatches_kept", np.int64),
        ("cleared", np.int64),
        ("instead", np.int64),
        ("left_over", np.int64),
        ("lacking", np.int64),
        ("crossed", np.int64),
        ("refused", np.int64),
        ("executions", np.int64),
        ("elsewhere", np.int64),
        ("known", np.int64),
        ("known_first", np.int64),
        ("known_queued", np.int64),
        ("known_queued_first", np.int64),
        ("unseen_first", np.int64),
        ("exceptions", np.int64),
        ("queue", np.int64),  # orders at the best price when an execution is sent
        ("position", np.int64),  # of the recorded order among them; -1 where the core does not hold it
    ]
)
MISMATCH = np.dtype(
    [
        ("row", np.int64),
        ("side", np.int64),
        ("level", np.int64),  # from 1 on
        ("recorded_price", np.int64),
        ("recorded_quantity", np.int64),
        ("price", np.int64),
        ("quantity", np.int64),
    ]
)
EXCEPTION = np.dtype(
    [
        ("row", np.int64),
        ("order_id", np.int64),  # executed in the record
        ("first", np.int64),  # executed first by the core; 0 for none
        ("cause", np.int64),
        ("related", np.int64),  # event from which this one follows; -1 for none
        ("position", np.int64),
        ("queue", np.int64),
        ("quantity", np.int64),
    ]
)
SHORT_OF_REQUESTS, SHORT_OF_EXCEPTIONS = -101, -102
DONE = 0
FOLLOWS, OLDER, JUMPED, UNPLACED, CHANGED, LOST, NOTHING = 1, 2, 3, 4, 5, 6, 7  # causes of exceptions

_FIRST, _SEND_FIRST, _SECOND, _SEND_SECOND, _COMPARE = 0, 1, 2, 3, 4
_BOOK_OWNER, _TAKER = 0, 1
_ADD, _REDUCE, _DELETE, _EXECUTE = int(TapeKind.ADD), int(TapeKind.REDUCE), int(TapeKind.DELETE), int(TapeKind.EXECUTE)
_HALT, _RESUME = int(TapeKind.HALT), int(TapeKind.RESUME)
_GAP = int(TapeFlag.GAP)
_NEW, _CANCEL, _TAKE, _PAUSE = (
    int(RequestKind.NEW),
    int(RequestKind.CANCEL),
    int(RequestKind.EXECUTE),
    int(RequestKind.HALT),
)
_MESSAGE, _SEED, _REST, _CLEAR, _INSTEAD = (
    int(Cause.MESSAGE),
    int(Cause.SEED),
    int(Cause.REST),
    int(Cause.CLEAR),
    int(Cause.INSTEAD),
)
_LIMIT, _GTC, _IOC = int(OrderType.LIMIT), int(TimeInForce.GTC), int(TimeInForce.IOC)
_TRADE, _REJECTED, _CANCEL_REJECTED = int(EventKind.TRADE), int(EventKind.REJECTED), int(EventKind.CANCEL_REJECTED)


# --- planning --------------------------------------------------------------------------------------------------------


@compiled
def _put(
    state: Record,
    requests: Rows,
    event: Record,
    kind: int,
    cause: int,
    order_id: int,
    target: int,
    side: int,
    price: int,
    quantity: int,
) -> None:
    request = requests[state.planned]
    request.time = event.time
    request.row = state.row
    request.order_id = order_id
    request.target = target
    request.price = price
    request.quantity = quantity
    request.kind = kind
    request.side = side
    request.cause = cause
    request.halt = event.kind if kind == _PAUSE else 0
    state.planned += 1


@compiled
def _live_slot(core: Record, order_id: int) -> int:
    slot = slots_of(core)[order_id] if 0 < order_id < core.slots_length else 0
    return max(slot, 0)


@compiled
def _is_loose(state: Record, notes: Rows, order_id: int) -> bool:
    """Whether no later row names the order: it stands for quantity whose place in the queue is not known."""
    if order_id > state.orders:
        return True
    return bool(notes[order_id].loose != 0 or notes[order_id].left <= 0)


@compiled
def _take_from(
    core: Record,
    state: Record,
    requests: Rows,
    event: Record,
    notes: Rows,
    level: int,
    wanted: int,
    loose: bool,
    cause: int,
    target: int,
    side: int,
) -> int:
    """Cancel up to ``wanted`` lots of the loose (or of the other) orders of a level, from the back; what is lacking."""
    orders = orders_of(core)
    slot = levels_of(core)[level].tail
    price = levels_of(core)[level].price
    while slot != 0 and wanted > 0:
        order = orders[slot]
        if order.order_id != target and _is_loose(state, notes, order.order_id) == loose:
            part = min(wanted, order.leaves)
            quantity = 0 if part == order.leaves else part
            _put(state, requests, event, _CANCEL, cause, order.order_id, target, side, price, quantity)
            wanted -= part
        slot = order.prev
    return wanted


@compiled
def _cut_named(
    core: Record,
    state: Record,
    requests: Rows,
    event: Record,
    notes: Rows,
    level: int,
    wanted: int,
    spoken: bool,
    side: int,
) -> int:
    """Cancel up to ``wanted`` lots of the orders that later rows name, from the back; answers how many.

    Only what no later row speaks of, or, once that is gone, the part that later rows speak of.
    """
    orders = orders_of(core)
    price = levels_of(core)[level].price
    slot = levels_of(core)[level].tail
    done = 0
    while slot != 0 and done < wanted:
        order = orders[slot]
        if not _is_loose(state, notes, order.order_id):
            named = min(order.leaves, notes[order.order_id].left)
            part = min(wanted - done, named if spoken else order.leaves - named)
            if part > 0:
                quantity = 0 if spoken and part == named else part
                _put(state, requests, event, _CANCEL, _CLEAR, order.order_id, 0, side, price, quantity)
                done += part
        slot = order.prev
    return done


@compiled
def _plan_cancel(core: Record, state: Record, requests: Rows, event: Record, notes: Rows) -> None:
    order_id = event.order_id
    side = int(event.side)
    wanted = event.quantity
    slot = _live_slot(core, order_id)
    if slot != 0:
        order = orders_of(core)[slot]
        part = min(wanted, order.leaves)
        quantity = 0 if part == order.leaves else part
        _put(state, requests, event, _CANCEL, _MESSAGE, order_id, 0, side, order.price, quantity)
        wanted -= part
        if event.kind == _DELETE and part < order.leaves:
            notes[order_id].loose = 1
            state.left_over += 1
    if wanted > 0:
        state.instead += 1
        level = level_at(core, BID if side > 0 else ASK, event.price)
        if level != 0:
            wanted = _take_from(
                core, state, requests, event, notes, level, wanted, True, _INSTEAD, order_id, side
            )  # fmt: skip
            wanted = _take_from(
                core, state, requests, event, notes, level, wanted, False, _INSTEAD, order_id, side
            )  # fmt: skip
        if wanted > 0:
            state.lacking += 1


@compiled
def _plan_message(core: Record, state: Record, requests: Rows, event: Record, notes: Rows, unseen: bool) -> None:
    """What the recorded participants did. In a row before which nothing was in view only an arrival is new to us."""
    kind = int(event.kind)
    side = int(event.side)
    if kind == _ADD:
        _put(state, requests, event, _NEW, _MESSAGE, event.order_id, 0, side, event.price, event.quantity)
    elif kind == _EXECUTE and not unseen:
        _put(
            state, requests, event, _TAKE, _MESSAGE, state.next_id, event.order_id, -side, event.price,
            event.quantity,
        )  # fmt: skip
        state.next_id += 1
    elif (kind == _REDUCE or kind == _DELETE) and not unseen:
        _plan_cancel(core, state, requests, event, notes)
    elif _HALT <= kind <= _RESUME:
        _put(state, requests, event, _PAUSE, _MESSAGE, 0, 0, 0, 0, 0)


@compiled
def _defer(notes: Rows, entries: Rows, order_id: int, later: int) -> None:
    """Move an order into the list of a later entry, in the order of numbers."""
    number = notes[order_id].number
    at = entries[later].first
    if at == 0 or notes[at].number > number:
        notes[order_id].next = at
        entries[later].first = order_id
        return
    while notes[at].next != 0 and notes[notes[at].next].number < number:
        at = notes[at].next
    notes[order_id].next = notes[at].next
    notes[at].next = order_id


@compiled
def _choose_seeds(notes: Rows, entries: Rows, entry: int, room: int) -> int:
    """Which listed orders are placed at this entry: those that must be there, others while there is room.

    Leaves their list in ``first`` and moves the others on. Answers their quantity, which may exceed the room.
    """
    due = 0
    order_id = entries[entry].first
    while order_id != 0:
        if notes[order_id].last == entry:
            due += notes[order_id].left
        order_id = notes[order_id].next
    total = due
    order_id = entries[entry].first
    entries[entry].first = 0
    tail = 0
    while order_id != 0:
        following = notes[order_id].next
        forced = notes[order_id].last == entry
        if forced or (total + notes[order_id].left <= room) or entries[entry].later < 0:
            if not forced:
                total += notes[order_id].left
            notes[order_id].next = 0
            if tail == 0:
                entries[entry].first = order_id
            else:
                notes[tail].next = order_id
            tail = order_id
        else:
            _defer(notes, entries, order_id, entries[entry].later)
        order_id = following
    return total


@compiled
def _plan_entry(
    core: Record, state: Record, requests: Rows, event: Record, notes: Rows, entries: Rows, entry: int, size: int
) -> None:
    """A level came into view: let it hold ``size`` lots.

    Orders that later rows name keep their places, those without recorded arrival are placed behind them, and all else
    stands for orders that nobody names: one order at the back, where it holds up nothing that the record executes.
    """
    side = entries[entry].side
    price = entries[entry].price
    level = level_at(core, BID if side > 0 else ASK, price)
    kept = 0
    loose = 0
    behind = True  # no order that is named stands behind a loose one
    if level != 0:
        orders = orders_of(core)
        slot = levels_of(core)[level].head
        while slot != 0:
            if _is_loose(state, notes, orders[slot].order_id):
                loose += orders[slot].leaves
            else:
                kept += orders[slot].leaves
                behind = behind and loose == 0
            slot = orders[slot].next
    state.entered_equal += 1 if kept + loose == size else 0
    seeded = _choose_seeds(notes, entries, entry, size - kept)
    rest = size - kept - seeded
    spare = loose if seeded > 0 or not behind else max(0, loose - max(0, rest))
    if level != 0 and spare > 0:
        _take_from(core, state, requests, event, notes, level, spare, True, _CLEAR, 0, side)
    if level != 0 and kept + seeded > size:
        kept -= _cut_named(core, state, requests, event, notes, level, kept + seeded - size, False, side)
    if level != 0 and kept > size:
        kept -= _cut_named(core, state, requests, event, notes, level, kept - size, True, side)
    room = size - kept
    order_id = entries[entry].first
    while order_id != 0:
        quantity = min(room, notes[order_id].left)
        if quantity > 0:
            _put(state, requests, event, _NEW, _SEED, order_id, 0, side, price, quantity)
            room -= quantity
        order_id = notes[order_id].next
    room -= loose - spare
    if room > 0:
        _put(state, requests, event, _NEW, _REST, state.next_id, 0, side, price, room)
        state.next_id += 1


@compiled
def _clear_side(
    core: Record, state: Record, requests: Rows, event: Record, book: Rows, ladder: int, before: int, now: int
) -> None:
    """Levels that the core holds between two bounds and the record does not show are gone."""
    levels = levels_of(core)
    rungs = rungs_of(core)
    orders = orders_of(core)
    start = ladders_of(core)[ladder].start
    column = BID_PRICE if ladder == BID else ASK_PRICE
    side = 1 if ladder == BID else -1
    position = locate(core, ladder, before) - 1
    shown = 0
    while position >= 0 and rungs[start + position].key >= now:
        key = rungs[start + position].key
        while shown < book.shape[1] and (
            book[state.row, shown, column + 1] == 0 or key_of_price(ladder, book[state.row, shown, column]) > key
        ):
            shown += 1
        if shown == book.shape[1] or key_of_price(ladder, book[state.row, shown, column]) != key:
            state.cleared += 1
            level = levels[rungs[start + position].level]
            slot = level.head
            while slot != 0:
                _put(
                    state, requests, event, _CANCEL, _CLEAR, orders[slot].order_id, 0, side, level.price, 0
                )  # fmt: skip
                slot = orders[slot].next
        position -= 1


@compiled
def _plan_view(
    core: Record,
    state: Record,
    requests: Rows,
    event: Record,
    notes: Rows,
    entries: Rows,
    book: Rows,
    bid_now: int,
    ask_now: int,
) -> None:
    """What comes into view in this row takes its recorded size."""
    if bid_now < state.bid_bound:
        _clear_side(core, state, requests, event, book, BID, state.bid_bound, bid_now)
    if ask_now < state.ask_bound:
        _clear_side(core, state, requests, event, book, ASK, state.ask_bound, ask_now)
    unseen = state.bid_bound == UNSEEN
    while state.entry < len(entries) and entries[state.entry].row == state.row:
        entry = state.entry
        size = entries[entry].quantity
        arrives = event.kind == _ADD and event.side == entries[entry].side and event.price == entries[entry].price
        if unseen and arrives:
            size -= event.quantity  # it is sent after this, so that it stands at the back
        _plan_entry(core, state, requests, event, notes, entries, entry, size)
        state.entered += 1
        state.entry += 1


@compiled
def _plan_opening(state: Record, requests: Rows, event: Record, notes: Rows, firsts: Rows) -> None:
    """A tape without a book: every order whose arrival was not seen was there from the start."""
    order_id = state.opening
    while order_id != 0:
        if notes[order_id].left > 0:
            first = firsts[order_id]
            _put(
                state, requests, event, _NEW, _SEED, order_id, 0, int(first.side), first.price,
                notes[order_id].left,
            )  # fmt: skip
        order_id = notes[order_id].next
    state.opening = 0


# --- sending ---------------------------------------------------------------------------------------------------------


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
def _send_new(core: Record, state: Record, request: Record) -> int:
    before = core.log_count
    answer = new_order(
        core, request.time, _BOOK_OWNER, 0, int(request.side), _LIMIT, _GTC, 0, request.price, 0,
        request.quantity, 0, request.order_id,
    )  # fmt: skip
    if answer >= 0:
        kind = events_of(core)[core.log_count - 1].kind
        state.refused += 1 if kind == _REJECTED else 0
        state.crossed += 1 if core.log_count - before > 1 else 0
    return answer


@compiled
def _send_cancel(core: Record, state: Record, request: Record) -> int:
    answer = cancel_order(core, request.time, _BOOK_OWNER, request.order_id, request.quantity)
    if answer >= 0 and events_of(core)[core.log_count - 1].kind == _CANCEL_REJECTED:
        state.refused += 1
    return answer


@compiled
def _send_execution(core: Record, state: Record, request: Record, notes: Rows, exceptions: Rows) -> int:
    if state.exceptions == len(exceptions):
        return SHORT_OF_EXCEPTIONS
    _look_at_queue(core, state, request)
    before = core.log_count
    answer = new_order(
        core, request.time, _TAKER, 0, int(request.side), _LIMIT, _IOC, 0, request.price, 0, request.quantity, 0,
        request.order_id,
    )  # fmt: skip
    if answer >= 0:
        _judge(core, state, request, notes, exceptions, before)
    return answer


@compiled
def _send(core: Record, state: Record, requests: Rows, notes: Rows, exceptions: Rows) -> int:
    """Hand the planned requests to the core, one by one; 0 when all are answered, else a SHORT_OF code."""
    while state.sent < state.planned:
        request = requests[state.sent]
        kind = int(request.kind)
        answer = 0
        if kind == _NEW:
            answer = _send_new(core, state, request)
        elif kind == _CANCEL:
            answer = _send_cancel(core, state, request)
        elif kind == _TAKE:
            answer = _send_execution(core, state, request, notes, exceptions)
        if answer < 0:
            return answer
        state.sent += 1
    return 0


# --- comparing -------------------------------------------------------------------------------------------------------


@compiled
def _compare_side(core: Record, state: Record, book: Rows, mismatches: Rows, ladder: int) -> None:
    """Every recorded level of a side, by rank: price and quantity."""
    levels = levels_of(core)
    rungs = rungs_of(core)
    best = ladders_of(core)[ladder].start + ladders_of(core)[ladder].rungs - 1
    count = ladders_of(core)[ladder].rungs
    column = BID_PRICE if ladder == BID else ASK_PRICE
    for rank in range(book.shape[1]):
        price = 0
        quantity = 0
        if rank < count:
            level = levels[rungs[best - rank].level]
            price = level.price
            quantity = level.quantity
        state.observations += 1
        wanted_price = book[state.row, rank, column]
        wanted = book[state.row, rank, column + 1]
        if quantity != wanted or (wanted > 0 and price != wanted_price):
            if state.mismatches_kept < len(mismatches):
                found = mismatches[state.mismatches_kept]
                found.row = state.row
                found.side = 1 if ladder == BID else -1
                found.level = rank + 1
                found.recorded_price = wanted_price
                found.recorded_quantity = wanted
                found.price = price
                found.quantity = quantity
                state.mismatches_kept += 1
            state.mismatches += 1


@compiled
def _record_side(core: Record, row: int, shown: Rows, ladder: int) -> None:
    """Write the core's best levels down."""
    levels = levels_of(core)
    rungs = rungs_of(core)
    best = ladders_of(core)[ladder].start + ladders_of(core)[ladder].rungs - 1
    column = BID_PRICE if ladder == BID else ASK_PRICE
    for rank in range(min(ladders_of(core)[ladder].rungs, shown.shape[1])):
        level = levels[rungs[best - rank].level]
        shown[row, rank, column] = level.price
        shown[row, rank, column + 1] = level.quantity


@compiled
def _worst(book: Rows, row: int, ladder: int) -> int:
    """Sort key of the worst price in view after a row."""
    column = BID_PRICE if ladder == BID else ASK_PRICE
    last = book.shape[1] - 1
    if book[row, last, column + 1] == 0:
        return EVERYTHING
    return key_of_price(ladder, book[row, last, column])


# --- the loop --------------------------------------------------------------------------------------------------------


@compiled
def advance(
    cores: Rows,
    states: Rows,
    events: Rows,
    book: Rows,
    notes: Rows,
    entries: Rows,
    firsts: Rows,
    requests: Rows,
    mismatches: Rows,
    exceptions: Rows,
    shown: Rows,
    stop: int,
) -> int:
    """Work until the event ``stop``. Answers DONE or a SHORT_OF code, its own or the core's; call again then."""
    core = cores[0]
    state = states[0]
    recorded = book.shape[0] > 0
    while state.row < stop:
        event = events[state.row]
        if recorded and state.stage == _FIRST and (state.row == 0 or int(event["flags"]) & _GAP != 0):
            state.bid_bound = UNSEEN
            state.ask_bound = UNSEEN
        unseen = recorded and state.bid_bound == UNSEEN
        if state.stage == _FIRST or state.stage == _SECOND:
            live = ladders_of(core)[BID].orders + ladders_of(core)[ASK].orders
            if len(requests) - state.planned < 2 * live + state.seeds + 4 * book.shape[1] + 8:
                return SHORT_OF_REQUESTS
            if state.stage == _FIRST:
                if state.opening != 0:
                    _plan_opening(state, requests, event, notes, firsts)
                if _REDUCE <= event.kind <= _EXECUTE:
                    notes[event.order_id].left -= event.quantity
            if (state.stage == _SECOND) == unseen:
                _plan_message(core, state, requests, event, notes, unseen)
            elif recorded:
                bid_now = _worst(book, state.row, BID)
                ask_now = _worst(book, state.row, ASK)
                _plan_view(core, state, requests, event, notes, entries, book, bid_now, ask_now)
            state.stage += 1
        if state.stage == _SEND_FIRST or state.stage == _SEND_SECOND:
            answer = _send(core, state, requests, notes, exceptions)
            if answer < 0:
                return answer
            state.stage += 1
        if state.stage == _COMPARE:
            if recorded:
                _compare_side(core, state, book, mismatches, BID)
                _compare_side(core, state, book, mismatches, ASK)
                state.bid_bound = _worst(book, state.row, BID)
                state.ask_bound = _worst(book, state.row, ASK)
            if shown.shape[0] > 0:
                _record_side(core, state.row, shown, BID)
                _record_side(core, state.row, shown, ASK)
            state.stage = _FIRST
            state.row += 1
    return DONE
