"""Planning: what a row of the tape asks of the core, given what the core holds. docs/replay.md gives the reasons.

It reads the core and writes requests; it sends none.
"""

from __future__ import annotations

from marketsim.data.tape import ASK_PRICE, BID_PRICE, TapeKind
from marketsim.exchange.ladder import key_of_price, level_at, locate
from marketsim.exchange.state import ASK, BID, ladders_of, levels_of, orders_of, rungs_of, slots_of
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.replay.foresight import EVERYTHING, UNSEEN
from marketsim.replay.request import Cause, RequestKind

_ADD, _REDUCE, _DELETE, _EXECUTE = int(TapeKind.ADD), int(TapeKind.REDUCE), int(TapeKind.DELETE), int(TapeKind.EXECUTE)
_HALT, _RESUME = int(TapeKind.HALT), int(TapeKind.RESUME)
_NEW, _CANCEL = int(RequestKind.NEW), int(RequestKind.CANCEL)
_TAKE, _PAUSE = int(RequestKind.EXECUTE), int(RequestKind.HALT)
_MESSAGE, _SEED, _REST = int(Cause.MESSAGE), int(Cause.SEED), int(Cause.REST)
_CLEAR, _INSTEAD = int(Cause.CLEAR), int(Cause.INSTEAD)


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
def plan_message(core: Record, state: Record, requests: Rows, event: Record, notes: Rows, unseen: bool) -> None:
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
def worst_in_view(book: Rows, row: int, ladder: int) -> int:
    """Sort key of the worst price in view after a row."""
    column = BID_PRICE if ladder == BID else ASK_PRICE
    last = book.shape[1] - 1
    if book[row, last, column + 1] == 0:
        return EVERYTHING
    return key_of_price(ladder, book[row, last, column])


@compiled
def plan_view(
    core: Record,
    state: Record,
    requests: Rows,
    event: Record,
    notes: Rows,
    entries: Rows,
    book: Rows,
    bounds: Rows,
) -> None:
    """What comes into view in this row takes its recorded size."""
    for ladder in range(BID, ASK + 1):
        now = worst_in_view(book, state.row, ladder)
        if now < bounds[ladder]:
            _clear_side(core, state, requests, event, book, ladder, bounds[ladder], now)
    unseen = bounds[BID] == UNSEEN
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
def plan_opening(state: Record, requests: Rows, event: Record, notes: Rows, firsts: Rows) -> None:
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
