"""Replays the rows of an event log: the book and the orders as they were, from nothing but the rows.

Compiled functions over columns, one block of rows after another; what must outlive a block is in a STATE record, the
records of the orders and the ladders. docs/matching-rules.md says what rows mean. What matters here: an aggressive
order rests with what is left only when its own trades are over (at the next request, or when an elected stop takes its
turn); waiting stops are not on the book, nor is what is hidden: pegs, HIDDEN orders, the reserve of an iceberg, what a
parent has not released; a request's rows belong together, and a quote is what they leave behind.

All compiled code of this room is in this file, so that Numba's cache of it notices every change.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, TimeInForce
from marketsim.domain.phase import Phase
from marketsim.kernel.compiled import Record, Rows, array_at, compiled, shift

_ACCEPTED, _TERMS, _TRADE = int(EventKind.ACCEPTED), int(EventKind.TERMS), int(EventKind.TRADE)
_CANCELED, _REPLACED, _EXPIRED = int(EventKind.CANCELED), int(EventKind.REPLACED), int(EventKind.EXPIRED)
_TRIGGERED, _REJECTED = int(EventKind.TRIGGERED), int(EventKind.REJECTED)
_CANCEL_REJECTED, _REPLACE_REJECTED = int(EventKind.CANCEL_REJECTED), int(EventKind.REPLACE_REJECTED)
_CONDITIONS, _REFRESHED, _REPRICED = int(EventKind.CONDITIONS), int(EventKind.REFRESHED), int(EventKind.REPRICED)
_ACTIVATED, _PHASE, _MASS_CANCELED = int(EventKind.ACTIVATED), int(EventKind.PHASE), int(EventKind.MASS_CANCELED)
_LIMIT, _STOP, _STOP_LIMIT = int(OrderType.LIMIT), int(OrderType.STOP), int(OrderType.STOP_LIMIT)
_TRAILING_STOP, _MARKET_TO_LIMIT = int(OrderType.TRAILING_STOP), int(OrderType.MARKET_TO_LIMIT)
_IOC, _FOK, _AT_CLOSE = int(TimeInForce.IOC), int(TimeInForce.FOK), int(TimeInForce.AT_CLOSE)
_BY_REQUEST, _BY_REPLACE = int(Reason.BY_REQUEST), int(Reason.BY_REPLACE)
_BY_MASS_CANCEL, _DISCONNECTED = int(Reason.BY_MASS_CANCEL), int(Reason.DISCONNECTED)
_LIQUIDATION, _CIRCUIT_BREAKER = int(Reason.LIQUIDATION), int(Reason.CIRCUIT_BREAKER)
_AUCTION_ENDED, _OUTSIDE_BANDS = int(Reason.AUCTION_ENDED), int(Reason.OUTSIDE_BANDS)
_END_OF_SESSION = int(Reason.END_OF_SESSION)
_KEPT_PRIORITY, _HIDDEN, _AUCTION = int(OrderFlag.KEPT_PRIORITY), int(OrderFlag.HIDDEN), int(OrderFlag.AUCTION)
_CLOSING_AUCTION = int(Phase.CLOSING_AUCTION)
_STATE_ACCEPTED, _STATE_PARTLY = int(OrderState.ACCEPTED), int(OrderState.PARTIALLY_FILLED)
_STATE_FILLED, _STATE_CANCELED = int(OrderState.FILLED), int(OrderState.CANCELED)
_STATE_REJECTED, _STATE_EXPIRED = int(OrderState.REJECTED), int(OrderState.EXPIRED)

_GONE, _WAITING, _RESTING, _ACTIVE = 0, 1, 2, 3  # where an order is; RESTING means that somebody can see it
# Requests whose rows are many: a mass cancel, a change of phase, and what comes behind the row of the change.
_NOTHING, _MANY, _CHANGE_OF_PHASE, _PHASE_CHANGED = 0, 1, 2, 3
MARKETS = 65_536
PHASE = np.dtype(np.int8)  # of a market, by its number
_NEW, _REDUCED, _DELETED, _EXECUTED = 1, 2, 3, 4  # LOBSTER's types of messages


class Block(NamedTuple):
    """Columns of a stretch of rows.

    ``slot`` and ``match`` are the places of order_id and match_id in the table of orders, -1 where there is none;
    ``number`` counts the rows of the whole log.
    """

    time: Any
    number: Any
    slot: Any
    match: Any
    order_id: Any
    price: Any
    quantity: Any
    leaves: Any
    owner: Any
    market: Any
    kind: Any
    side: Any
    reason: Any
    order_type: Any
    time_in_force: Any
    flags: Any


LIVE = np.dtype(  # an order as the book needs it
    [
        ("open", np.int64),
        ("shown", np.int64),  # of that, what the book displays
        ("held", np.int64),  # of that, what its parent has not released
        ("part", np.int64),  # an iceberg displays so much at a time; 0: all
        ("price", np.int64),
        ("partner", np.int32),  # slot + 1; 0 for none
        ("place", np.int16),
        ("side", np.int8),
        ("rests", np.int8),  # whether it will be displayed when its own trades are over
    ]
)
RUNG = np.dtype([("key", np.int64), ("quantity", np.int64)])  # a level of one side: ascending key, the best one last
STATE = np.dtype(
    [
        ("orders", np.int64),  # address of LIVE records by slot, and how many
        ("orders_length", np.int64),
        ("bids", np.int64),  # addresses of RUNG records, and how many each holds and could hold
        ("asks", np.int64),
        ("bids_count", np.int64),
        ("asks_count", np.int64),
        ("capacity", np.int64),
        ("shown", np.int64),  # levels that somebody looks at
        ("dirty", np.int64),  # whether one of them was touched
        ("active", np.int64),  # slot of the order that is being executed; -1: none
        ("time", np.int64),  # of the last row
        ("number", np.int64),
        ("sample", np.int64),  # next time of the clock, where there is one
        ("fresh", np.int64),  # next id for an order that lost its place
        ("phases", np.int64),  # address of PHASE by market
        ("within", np.int64),  # request of many rows whose rows these are
        ("owing", np.int64, (2,)),  # slot + 1 of the partners of the orders of the last trade; 0 for none
    ]
)
STORY = np.dtype(  # an order as the table of orders shows it
    [
        ("time", np.int64),
        ("end_time", np.int64),
        ("order_id", np.int64),
        ("price", np.int64),
        ("stop_price", np.int64),
        ("quantity", np.int64),
        ("filled", np.int64),
        ("leaves", np.int64),
        ("cancel_requests", np.int64),
        ("owner", np.int32),
        ("market", np.uint16),
        ("state", np.uint8),
        ("reason", np.uint8),
        ("side", np.int8),
        ("order_type", np.uint8),
        ("time_in_force", np.uint8),
        ("spare", np.uint8),
    ]
)


@compiled
def _order(state: Record, slot: int) -> Record:
    return array_at(state.orders, state.orders_length, LIVE)[slot]


@compiled
def _rungs(state: Record, buy: bool) -> Rows:
    return array_at(state.bids if buy else state.asks, state.capacity, RUNG)


# --- levels ----------------------------------------------------------------------------------------------------------


@compiled
def _locate(rungs: Rows, count: int, key: int) -> int:
    """First position whose key is not below ``key``, galloping from the best."""
    high: int = count
    low = high - 1
    step = 1
    while low >= 0 and rungs[low].key >= key:
        high = low
        low -= step
        step += step
    low = max(low, -1)
    while high - low > 1:
        middle = (low + high) >> 1
        if rungs[middle].key >= key:
            high = middle
        else:
            low = middle
    return high


@compiled
def _change(state: Record, buy: bool, price: int, by: int) -> int:
    """Change the quantity at a price. Answers the rank of its level, 0 the best, counted where the level exists."""
    key = price if buy else -price
    rungs = _rungs(state, buy)
    count = state.bids_count if buy else state.asks_count
    at = _locate(rungs, count, key)
    rank: int = count - 1 - at
    more = 0
    if at < count and rungs[at].key == key:
        rungs[at].quantity += by
        if rungs[at].quantity == 0:
            shift(rungs, at + 1, count, -1)
            more = -1
    else:
        rank += 1
        shift(rungs, at, count, 1)
        rungs[at].key = key
        rungs[at].quantity = by
        more = 1
    if buy:
        state.bids_count = count + more
    else:
        state.asks_count = count + more
    if rank < state.shown:
        state.dirty = 1
    return rank


@compiled
def _show(state: Record, row: Rows) -> None:
    """Write the best levels: ask price, ask quantity, bid price, bid quantity, then the next level; 0 where none."""
    bids, asks = _rungs(state, True), _rungs(state, False)
    bid, ask = state.bids_count, state.asks_count
    for level in range(state.shown):
        here = 4 * level
        bid -= 1
        ask -= 1
        row[here] = -asks[ask].key if ask >= 0 else 0
        row[here + 1] = asks[ask].quantity if ask >= 0 else 0
        row[here + 2] = bids[bid].key if bid >= 0 else 0
        row[here + 3] = bids[bid].quantity if bid >= 0 else 0


# --- rows ------------------------------------------------------------------------------------------------------------


@compiled
def _begins_request(state: Record, kind: int, reason: int, flags: int) -> bool:
    """Whether a row is the first of its request's. Of those with many rows only the first is."""
    within = state.within
    if kind == _CANCELED:
        mass = reason == _BY_MASS_CANCEL or reason == _DISCONNECTED or reason == _LIQUIDATION
        mass = mass or reason == _CIRCUIT_BREAKER
        begins = reason == _BY_REQUEST or reason == _BY_REPLACE or (mass and within != _MANY)
        state.within = _MANY if mass else within
        if reason == _AUCTION_ENDED:
            begins = within != _CHANGE_OF_PHASE
            state.within = _CHANGE_OF_PHASE
        elif begins and not mass:
            state.within = _NOTHING
        return bool(begins)
    if kind == _TRADE or kind == _PHASE:
        breach = kind == _PHASE and reason == _OUTSIDE_BANDS
        if (kind == _TRADE and flags & _AUCTION == 0) or breach:
            return False
        state.within = _PHASE_CHANGED if kind == _PHASE else _CHANGE_OF_PHASE
        return bool(within != _CHANGE_OF_PHASE)
    if kind == _EXPIRED and reason == _END_OF_SESSION and within == _PHASE_CHANGED:
        return False
    if kind == _MASS_CANCELED:
        state.within = _NOTHING
        return bool(within != _MANY)
    if kind == _TERMS or kind == _TRIGGERED or kind > _REPLACE_REJECTED:
        return False
    state.within = _NOTHING
    return True


@compiled
def _comes_to_rest(state: Record, kind: int, slot: int) -> bool:
    """Whether the order in execution is done when a row of this kind about another order follows."""
    return (kind == _TRIGGERED or kind == _ACTIVATED or kind == _REPRICED) and slot != state.active


@compiled
def _settle(state: Record) -> int:
    """The order in execution has done its trades: the slot of one that now rests, or -1. The book is not changed."""
    slot: int = state.active
    state.active = -1
    if slot < 0:
        return -1
    order = _order(state, slot)
    ready: int = order.open - order.held
    if order.open <= 0 or order.place != _ACTIVE:
        return -1
    if order.rests == 0 or ready <= 0:
        order.place = _WAITING
        return -1
    order.place = _RESTING
    order.shown = min(ready, order.part) if order.part > 0 else ready
    return slot


@compiled
def _accept(state: Record, slot: int, price: int, leaves: int, side: int, order_type: int, time_in_force: int,
            flags: int, market: int) -> None:  # fmt: skip
    order = _order(state, slot)
    order.open = leaves
    order.price = price
    order.side = side
    visible = order_type == _LIMIT and flags & _HIDDEN == 0
    order.rests = 1 if visible and time_in_force != _IOC and time_in_force != _FOK else 0
    stops = order_type == _STOP or order_type == _STOP_LIMIT or order_type == _TRAILING_STOP
    parked = time_in_force == _AT_CLOSE and array_at(state.phases, MARKETS, PHASE)[market] != _CLOSING_AUCTION
    if stops or parked:
        order.place = _WAITING
    else:
        order.place = _ACTIVE
        state.active = slot


@compiled
def _replace(state: Record, slot: int, price: int, leaves: int, kept: bool) -> int:
    """Answers by how much the old price's level changes."""
    order = _order(state, slot)
    order.price = price  # also of a waiting stop that keeps its place
    if kept:
        return _reduce(state, slot, leaves)
    before: int = order.shown
    order.open = leaves
    order.shown = 0
    if order.place != _RESTING:
        return 0
    order.place = _ACTIVE
    state.active = slot
    return -before


@compiled
def _reduce(state: Record, slot: int, leaves: int) -> int:
    """An order that does not trade has so many lots left. Answers by how much its level changes.

    What it does not display goes first, unless its partner traded.
    """
    order = _order(state, slot)
    before: int = order.shown
    lost = order.open - leaves
    if order.held > 0 and (state.owing[0] == slot + 1 or state.owing[1] == slot + 1):
        order.shown = before - min(lost, before)
        order.held = min(order.held, leaves - order.shown)
    else:
        order.held -= min(lost, order.held)
        whole = order.place == _RESTING and order.part == 0 and order.held == 0
        order.shown = leaves if whole else min(before, leaves)
    order.open = leaves
    if leaves == 0:
        order.place = _GONE
    return int(order.shown - before)


@compiled
def _execute(state: Record, slot: int, quantity: int) -> int:
    """A resting order trades. Answers by how much its level changes."""
    order = _order(state, slot)
    order.open -= quantity
    seen: int = min(quantity, order.shown)
    order.shown -= seen
    if order.open == 0:
        order.place = _GONE
    return -seen


@compiled
def _trade(state: Record, slot: int, match: int, quantity: int, flags: int) -> int:
    """Answers by how much the level of the maker changes. In an auction the other order rested too: see ``_other``."""
    if flags & _AUCTION == 0:
        _order(state, slot).open -= quantity
    state.owing[0] = _order(state, slot).partner
    state.owing[1] = _order(state, match).partner
    return _execute(state, match, quantity)


@compiled
def _refresh(state: Record, slot: int, quantity: int) -> int:
    """An iceberg shows its next part. Answers by how much its level changes."""
    order = _order(state, slot)
    before: int = order.shown
    order.shown = quantity
    return quantity - before


@compiled
def _activate(state: Record, slot: int, quantity: int, order_type: int) -> int:
    """A parent releases a part of its child, or an auction takes a parked order. Answers how its level changes."""
    order = _order(state, slot)
    before: int = order.shown
    order.shown = 0
    order.held -= min(quantity, order.held)
    stops = order_type == _STOP or order_type == _STOP_LIMIT or order_type == _TRAILING_STOP
    if not stops or order.rests != 0:
        order.place = _ACTIVE
        state.active = slot
    return -before


@compiled
def _reprice(state: Record, slot: int, price: int, order_type: int) -> None:
    """Of displayed orders only one that slides, and a market-to-limit order that got its limit, have a new price."""
    order = _order(state, slot)
    if order_type == _LIMIT:
        order.price = price
    elif order_type == _MARKET_TO_LIMIT:
        order.price = price
        order.rests = 1
        order.place = _ACTIVE
        state.active = slot


@compiled
def _apply(state: Record, kind: int, slot: int, match: int, price: int, quantity: int, leaves: int, side: int,
           order_type: int, time_in_force: int, flags: int, market: int) -> int:  # fmt: skip
    """What a row does to its orders. Answers by how much a level changes, at the price that the order had before."""
    if kind == _PHASE and 0 <= quantity < 128:
        array_at(state.phases, MARKETS, PHASE)[market] = quantity
    if slot < 0 or (kind == _TRADE and match < 0):
        return 0
    if kind == _TRADE:
        return _trade(state, slot, match, quantity, flags)
    if kind == _CANCELED or kind == _EXPIRED:
        return _reduce(state, slot, leaves)
    state.owing[0] = 0
    state.owing[1] = 0
    if kind == _ACCEPTED:
        _accept(state, slot, price, leaves, side, order_type, time_in_force, flags, market)
    elif kind == _CONDITIONS:
        _condition(state, slot, match, quantity, price)
    elif kind == _REPLACED:
        return _replace(state, slot, price, leaves, flags & _KEPT_PRIORITY != 0)
    elif kind == _TRIGGERED:
        order = _order(state, slot)
        order.place = _ACTIVE
        order.rests = 1 if order_type == _STOP_LIMIT and time_in_force != _IOC and time_in_force != _FOK else 0
        state.active = slot
    elif kind == _REFRESHED:
        return _refresh(state, slot, quantity)
    elif kind == _ACTIVATED:
        return _activate(state, slot, quantity, order_type)
    elif kind == _REPRICED:
        _reprice(state, slot, price, order_type)
    return 0


@compiled
def _condition(state: Record, slot: int, partner: int, part: int, parent: int) -> None:
    """Conditions of a new order: what it displays at a time, its partner, its parent."""
    order = _order(state, slot)
    order.part = part
    order.partner = partner + 1
    if partner >= 0:
        _order(state, partner).partner = slot + 1
    if parent != 0:
        order.held = order.open


@compiled
def _other(state: Record, kind: int, slot: int, quantity: int, flags: int) -> int:
    """By how much the level of an auction's buyer changes, who rested as the seller did; 0 for all other rows."""
    if kind != _TRADE or flags & _AUCTION == 0 or slot < 0:
        return 0
    return _execute(state, slot, quantity)


@compiled
def _rest(state: Record) -> int:
    """The order in execution comes to rest, if it does. Answers its slot, or -1."""
    slot = _settle(state)
    if slot >= 0:
        order = _order(state, slot)
        _change(state, order.side > 0, order.price, order.shown)
    return slot


# --- levels over time ------------------------------------------------------------------------------------------------


@compiled
def _step(state: Record, kind: int, slot: int, match: int, price: int, quantity: int, leaves: int, side: int,
          order_type: int, time_in_force: int, flags: int, market: int) -> None:  # fmt: skip
    """One row: orders and book."""
    if _comes_to_rest(state, kind, slot):
        _rest(state)
    changed = match if kind == _TRADE else slot
    at = _order(state, changed).price if changed >= 0 else 0  # before a replace changes it
    by = _apply(state, kind, slot, match, price, quantity, leaves, side, order_type, time_in_force, flags, market)
    if by != 0:
        _change(state, _order(state, changed).side > 0, at, by)
    by = _other(state, kind, slot, quantity, flags)
    if by != 0:
        _change(state, True, _order(state, slot).price, by)


@compiled
def _note(state: Record, times: Rows, numbers: Rows, out: Rows, last: Rows, count: int) -> int:
    """Add a row when what is shown has changed since the last one."""
    state.dirty = 0
    _show(state, out[count])
    for place in range(len(last)):
        if out[count, place] != last[place]:
            break
    else:
        return count
    for place in range(len(last)):  # an assignment of slices takes seconds to compile
        last[place] = out[count, place]
    times[count] = state.time
    numbers[count] = state.number
    return count + 1


@compiled
def changes_of_levels(block: Block, states: Rows, finish: bool, times: Rows, numbers: Rows, out: Rows,
                      last: Rows) -> int:  # fmt: skip
    """The best levels after each request that changed them: time, number of its last row, and the levels.

    ``finish``: no block follows, so the last request is complete too. Answers how many rows were written; there must
    be room for one more than the block has.
    """
    state = states[0]
    count = 0
    for i in range(len(block.time)):
        kind = int(block.kind[i])
        if _begins_request(state, kind, int(block.reason[i]), int(block.flags[i])):
            _rest(state)
            if state.dirty != 0:
                count = _note(state, times, numbers, out, last, count)
        _step(state, kind, block.slot[i], block.match[i], block.price[i], block.quantity[i], block.leaves[i],
              int(block.side[i]), int(block.order_type[i]), int(block.time_in_force[i]), int(block.flags[i]),
              int(block.market[i]))  # fmt: skip
        state.time = block.time[i]
        state.number = block.number[i]
    if finish:
        _rest(state)
        count = _note(state, times, numbers, out, last, count)
    return count


@compiled
def _sample(state: Record, every: int, before: int, times: Rows, out: Rows, count: int) -> int:
    while state.sample < before and count < len(times):  # the times of a damaged log may be out of order
        _show(state, out[count])
        times[count] = state.sample
        state.sample += every
        count += 1
    return count


@compiled
def samples_of_levels(block: Block, states: Rows, finish: bool, every: int, end: int, times: Rows, out: Rows) -> int:
    """The best levels on a clock, what happened at its very ns included, up to the last request of the block.

    ``finish``: no block follows, so the clock runs on to ``end``. Answers how many rows were written.
    """
    state = states[0]
    count = 0
    for i in range(len(block.time)):
        kind = int(block.kind[i])
        if _begins_request(state, kind, int(block.reason[i]), int(block.flags[i])):
            _rest(state)
            if state.sample < block.time[i]:
                count = _sample(state, every, min(block.time[i], end + 1), times, out, count)
        _step(state, kind, block.slot[i], block.match[i], block.price[i], block.quantity[i], block.leaves[i],
              int(block.side[i]), int(block.order_type[i]), int(block.time_in_force[i]), int(block.flags[i]),
              int(block.market[i]))  # fmt: skip
    if finish:
        _rest(state)
        count = _sample(state, every, end + 1, times, out, count)
    return count


# --- messages of LOBSTER ---------------------------------------------------------------------------------------------


@compiled
def _say(state: Record, kind: int, time: int, name: int, size: int, price: int, side: int, row: Rows,
         book: Rows) -> None:  # fmt: skip
    row[0] = time
    row[1] = kind
    row[2] = name
    row[3] = size
    row[4] = price
    row[5] = side
    _show(state, book)


@compiled
def _kind_of_message(kind: int, leaves: int, flags: int) -> int:
    if kind == _TRADE:
        return _EXECUTED
    if kind == _REPLACED:
        return _REDUCED if flags & _KEPT_PRIORITY else _DELETED
    if kind == _REFRESHED:
        return _NEW
    if kind == _ACTIVATED:
        return _DELETED
    return _REDUCED if leaves > 0 else _DELETED


@compiled
def _rest_message(state: Record, names: Rows, whole: bool, out: Rows, books: Rows, count: int) -> int:
    slot = _settle(state)
    if slot < 0:
        return count
    order = _order(state, slot)
    side = int(order.side)
    if _change(state, side > 0, order.price, order.shown) >= state.shown and not whole:
        return count
    _say(state, _NEW, state.time, names[slot], order.shown, order.price, side, out[count], books[count])
    return count + 1


@compiled
def lobster_messages(block: Block, states: Rows, finish: bool, names: Rows, whole: bool, out: Rows,
                     books: Rows) -> int:  # fmt: skip
    """Messages (time, type, id, size, price, direction) and the best levels after each.

    ``names`` are the ids by slot; an order that is replaced and loses its place gets a fresh one. Messages that touch
    no level that is shown are left out unless ``whole``. ``finish``: no block follows. Answers how many rows were
    written; there must be room for three times the block's and one more.
    """
    state = states[0]
    count = 0
    for i in range(len(block.time)):
        kind = int(block.kind[i])
        slot = block.slot[i]
        begins = _begins_request(state, kind, int(block.reason[i]), int(block.flags[i]))
        if begins or _comes_to_rest(state, kind, slot):
            count = _rest_message(state, names, whole, out, books, count)
        changed = block.match[i] if kind == _TRADE else slot
        at = _order(state, changed).price if changed >= 0 else 0
        by = _apply(state, kind, slot, block.match[i], block.price[i], block.quantity[i], block.leaves[i],
                    int(block.side[i]), int(block.order_type[i]), int(block.time_in_force[i]), int(block.flags[i]),
                    int(block.market[i]))  # fmt: skip
        if kind == _REFRESHED and slot >= 0:
            names[slot] = state.fresh
            state.fresh += 1
        if by != 0:
            side = int(_order(state, changed).side)
            what = _kind_of_message(kind, block.leaves[i], int(block.flags[i]))
            if _change(state, side > 0, at, by) < state.shown or whole:
                _say(state, what, block.time[i], names[changed], abs(by), at, side, out[count], books[count])
                count += 1
        by = _other(state, kind, slot, block.quantity[i], int(block.flags[i]))
        if by != 0:
            at = _order(state, slot).price
            if _change(state, True, at, by) < state.shown or whole:
                _say(state, _EXECUTED, block.time[i], names[slot], abs(by), at, 1, out[count], books[count])
                count += 1
        again = kind == _REPLACED or kind == _ACTIVATED
        if again and slot >= 0 and _order(state, slot).place == _ACTIVE:
            names[slot] = state.fresh
            state.fresh += 1
        state.time = block.time[i]
    if finish:
        count = _rest_message(state, names, whole, out, books, count)
    return count


# --- the table of orders ---------------------------------------------------------------------------------------------


@compiled
def _create(block: Block, i: int, story: Record) -> None:
    accepted = block.kind[i] == _ACCEPTED
    story.time = block.time[i]
    story.end_time = -1 if accepted else block.time[i]
    story.order_id = block.order_id[i]
    story.price = block.price[i]
    story.quantity = block.quantity[i]
    story.leaves = block.leaves[i]
    story.owner = block.owner[i]
    story.market = block.market[i]
    story.state = _STATE_ACCEPTED if accepted else _STATE_REJECTED
    story.reason = block.reason[i]
    story.side = block.side[i]
    story.order_type = block.order_type[i]
    story.time_in_force = block.time_in_force[i]


@compiled
def _fill(story: Record, quantity: int, time: int) -> None:
    story.filled += quantity
    story.leaves -= quantity
    if story.leaves == 0:
        story.state = _STATE_FILLED
        story.end_time = time
    else:
        story.state = _STATE_PARTLY


@compiled
def _end(story: Record, kind: int, quantity: int, leaves: int, reason: int, time: int) -> None:
    story.leaves = leaves
    if leaves == 0:
        story.state = _STATE_EXPIRED if kind == _EXPIRED else _STATE_CANCELED
        story.reason = reason
        story.end_time = time
    else:
        story.quantity -= quantity
    if reason == _BY_REQUEST or reason == _BY_REPLACE:
        story.cancel_requests += 1


@compiled
def follow_orders(block: Block, stories: Rows, created: int) -> int:
    """Write down what becomes of each order; ``created`` of them are known already. Answers how many are now."""
    for i in range(len(block.time)):
        kind = block.kind[i]
        slot = block.slot[i]
        if kind == _ACCEPTED or kind == _REJECTED:
            _create(block, i, stories[created])
            created += 1
        elif slot < 0 or slot >= created:  # somebody asked for an order that was not there yet
            continue
        elif kind == _TERMS:
            stories[slot].stop_price = block.price[i]
        elif kind == _REPRICED:
            if block.order_type[i] == _TRAILING_STOP:
                stories[slot].stop_price = block.price[i]
            else:
                stories[slot].price = block.price[i]
        elif kind == _TRADE:
            _fill(stories[slot], block.quantity[i], block.time[i])
            if block.match[i] >= 0:
                _fill(stories[block.match[i]], block.quantity[i], block.time[i])
        elif kind == _CANCELED or kind == _EXPIRED:
            _end(stories[slot], kind, block.quantity[i], block.leaves[i], block.reason[i], block.time[i])
        elif kind == _REPLACED:
            stories[slot].price = block.price[i]
            stories[slot].quantity = block.quantity[i]
            stories[slot].leaves = block.leaves[i]
            stories[slot].cancel_requests += 1
        elif (kind == _CANCEL_REJECTED or kind == _REPLACE_REJECTED) and stories[slot].owner == block.owner[i]:
            stories[slot].cancel_requests += 1
    return created
