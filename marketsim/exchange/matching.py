"""Matching: what happens to a request, as docs/matching-rules.md says, in price-time priority.

Each entry function first sees that the tables have room for the worst that the request can cause. If not it answers a
SHORT_OF code, nothing has happened, and the owner of the tables grows them and repeats the call. Everything that
happens is written as rows of the event log, which are the execution reports. Time is handed in: there is no clock here.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce
from marketsim.exchange.ladder import (
    append,
    best_key,
    best_level,
    key_of_price,
    quantity_of_others,
    quantity_within,
    remove,
    shrink,
)
from marketsim.exchange.state import (
    ASK,
    BID,
    BUY_STOP,
    ELECTED,
    GONE,
    LADDERS,
    NO_MARKET,
    RESTING,
    SELL_STOP,
    SHORT_OF_LEVELS,
    SHORT_OF_LOG,
    SHORT_OF_ORDERS,
    SHORT_OF_RUNGS,
    SHORT_OF_SLOTS,
    SHORT_OF_TOUCHES,
    WAITING,
    books_of,
    events_of,
    ladders_of,
    levels_of,
    orders_of,
    slots_of,
)
from marketsim.kernel.compiled import Record, compiled, inlined

_ACCEPTED, _TERMS, _TRADE = int(EventKind.ACCEPTED), int(EventKind.TERMS), int(EventKind.TRADE)
_CANCELED, _REPLACED, _EXPIRED = int(EventKind.CANCELED), int(EventKind.REPLACED), int(EventKind.EXPIRED)
_TRIGGERED, _REJECTED = int(EventKind.TRIGGERED), int(EventKind.REJECTED)
_CANCEL_REJECTED, _REPLACE_REJECTED = int(EventKind.CANCEL_REJECTED), int(EventKind.REPLACE_REJECTED)
_LIMIT, _MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
_STOP, _STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
_DAY, _GTD, _IOC, _FOK = int(TimeInForce.DAY), int(TimeInForce.GTD), int(TimeInForce.IOC), int(TimeInForce.FOK)
_POST_ONLY, _KEPT_PRIORITY = int(OrderFlag.POST_ONLY), int(OrderFlag.KEPT_PRIORITY)
_BY_REQUEST, _NO_LIQUIDITY = int(Reason.BY_REQUEST), int(Reason.NO_LIQUIDITY)
_IMMEDIATE_OR_CANCEL, _FILL_OR_KILL = int(Reason.IMMEDIATE_OR_CANCEL), int(Reason.FILL_OR_KILL)
_WOULD_TRADE, _UNKNOWN_ORDER = int(Reason.WOULD_TRADE), int(Reason.UNKNOWN_ORDER)
_INVALID_QUANTITY, _INVALID_PRICE = int(Reason.INVALID_QUANTITY), int(Reason.INVALID_PRICE)
_UNKNOWN_MARKET, _NOT_OWNER = int(Reason.UNKNOWN_MARKET), int(Reason.NOT_OWNER)
_DUPLICATE_ORDER, _END_OF_SESSION = int(Reason.DUPLICATE_ORDER), int(Reason.END_OF_SESSION)
_END_OF_TIME, _INVALID_EXPIRY = int(Reason.END_OF_TIME), int(Reason.INVALID_EXPIRY)
_INVALID_INSTRUCTION, _BY_REPLACE = int(Reason.INVALID_INSTRUCTION), int(Reason.BY_REPLACE)
_MARKET_CLOSED, _SELF_TRADE = int(Reason.MARKET_CLOSED), int(Reason.SELF_TRADE)

_LARGEST = 9007199254740992  # 2**53: exact as a float too, and sums of it fit 64 bits
_LOWEST_KEY = -9223372036854775807
_ROWS_OF_ONE = 8  # rows of a request that neither trades nor elects
_TYPES, _TIMES = int(OrderType.STOP_LIMIT), int(TimeInForce.FOK)


# --- rows ------------------------------------------------------------------------------------------------------------


@compiled
def _write(
    core: Record,
    kind: int,
    order_id: int,
    match_id: int,
    price: int,
    quantity: int,
    leaves: int,
    owner: int,
    peer: int,
    market: int,
    side: int,
    reason: int,
    order_type: int,
    time_in_force: int,
    flags: int,
) -> None:
    row = events_of(core)[core.log_count]
    row.time = core.time
    row.order_id = order_id
    row.match_id = match_id
    row.price = price
    row.quantity = quantity
    row.leaves = leaves
    row.owner = owner
    row.peer = peer
    row.market = market
    row.kind = kind
    row.side = side
    row.reason = reason
    row.order_type = order_type
    row.time_in_force = time_in_force
    row["flags"] = flags  # "flags" as an attribute belongs to NumPy
    core.log_count += 1


@compiled
def _write_order(core: Record, kind: int, order: Record, price: int, quantity: int, leaves: int, reason: int) -> None:
    """A row about an order itself."""
    _write(
        core,
        kind,
        order.order_id,
        0,
        price,
        quantity,
        leaves,
        order.owner,
        0,
        order.market,
        order.side,
        reason,
        order.order_type,
        order.time_in_force,
        order.instructions,
    )


@compiled
def _refuse(core: Record, kind: int, order_id: int, owner: int, price: int, quantity: int, reason: int) -> int:
    """The row of a refused cancel or replace."""
    _write(core, kind, order_id, 0, price, quantity, 0, owner, 0, NO_MARKET, 0, reason, 0, 0, 0)
    return 0


# --- room ------------------------------------------------------------------------------------------------------------


@inlined
def _room_to_tell(core: Record, rows: int) -> int:
    """0 when there is room for so many rows, and twice as many notes of touched levels."""
    if core.log_length - core.log_count < rows:
        core.log_needed = rows
        return SHORT_OF_LOG
    if core.touched_length - core.touches < 2 * rows:
        core.log_needed = rows
        return SHORT_OF_TOUCHES
    return 0


@inlined
def _room(core: Record, rows: int, levels: int) -> int:
    """0 when there is room for an order, so many rows and so many levels."""
    if core.free_orders < 1:
        return SHORT_OF_ORDERS
    if core.free_levels < levels:
        return SHORT_OF_LEVELS
    return _room_to_tell(core, rows)


@inlined
def _rungs_short(core: Record, ladder: int, more: int) -> bool:
    side = ladders_of(core)[ladder]
    if side.rungs + more > side.capacity:
        core.short_ladder = ladder
        return True
    return False


@inlined
def _room_to_rest(core: Record, ladder: int) -> int:
    """0 when there is room for an order that comes to rest on a ladder, and does no more."""
    short = _room(core, _ROWS_OF_ONE, 1)
    if short != 0:
        return short
    return SHORT_OF_RUNGS if _rungs_short(core, ladder, 1) else 0


@compiled
def _room_for_much(core: Record, market: int, quantity: int) -> int:
    """The table that is too short for a request that may trade or elect; 0 when there is room.

    A trade finishes at least one order and a stop is elected once: at most two rows an order that is there, two more a
    stop, and a few for the request itself; without stops there are no more trades than lots either. Every stop may come
    to rest at a price of its own.
    """
    first = market * LADDERS
    ladders = ladders_of(core)
    stops = ladders[first + BUY_STOP].orders + ladders[first + SELL_STOP].orders
    resting = ladders[first + BID].orders + ladders[first + ASK].orders
    trades = resting if stops > 0 else min(resting, max(quantity, 0))
    rows = _ROWS_OF_ONE + 2 * trades + 4 * stops
    more = 2 + stops
    short = _room(core, rows, more)
    if short != 0:
        return short
    if _rungs_short(core, first + BID, more) or _rungs_short(core, first + ASK, more):
        return SHORT_OF_RUNGS
    if _rungs_short(core, first + BUY_STOP, 1) or _rungs_short(core, first + SELL_STOP, 1):
        return SHORT_OF_RUNGS
    return 0


# --- orders ----------------------------------------------------------------------------------------------------------


@compiled
def _release(core: Record, slot: int) -> None:
    """Forget an order that is done."""
    order = orders_of(core)[slot]
    slots_of(core)[order.order_id] = -1
    order.place = GONE
    order.next = core.free_order
    core.free_order = slot
    core.free_orders += 1


@compiled
def _book_ladder(order: Record) -> int:
    return order.market * LADDERS + (BID if order.side > 0 else ASK)


@compiled
def _stop_ladder(order: Record) -> int:
    return order.market * LADDERS + (BUY_STOP if order.side > 0 else SELL_STOP)


@inlined
def _would_trade(core: Record, market: int, side: int, price: int) -> bool:
    opposite = market * LADDERS + (ASK if side > 0 else BID)
    return best_key(core, opposite) >= key_of_price(opposite, price)


@compiled
def _take_out(core: Record, slot: int) -> None:
    """Remove a live order from wherever it is."""
    order = orders_of(core)[slot]
    if order.place == RESTING:
        remove(core, _book_ladder(order), slot)
    elif order.place == WAITING:
        remove(core, _stop_ladder(order), slot)


@compiled
def _end(core: Record, slot: int, kind: int, reason: int) -> None:
    """A live order leaves with a CANCELED or EXPIRED row."""
    order = orders_of(core)[slot]
    _take_out(core, slot)
    _write_order(core, kind, order, order.price, order.leaves, 0, reason)
    _release(core, slot)


# --- stops -----------------------------------------------------------------------------------------------------------


@compiled
def _queue_election(core: Record, slot: int) -> None:
    orders = orders_of(core)
    orders[slot].place = ELECTED
    orders[slot].next = 0
    if core.elected_tail != 0:
        orders[core.elected_tail].next = slot
    else:
        core.elected_head = slot
    core.elected_tail = slot


@compiled
def _elect_ladder(core: Record, ladder: int, key: int) -> None:
    """Elect every stop of a ladder whose key is not below ``key``, best first, first come first."""
    while best_key(core, ladder) >= key:
        slot = levels_of(core)[best_level(core, ladder)].head
        remove(core, ladder, slot)
        _queue_election(core, slot)


@compiled
def _elect(core: Record, market: int, price: int) -> None:
    first = market * LADDERS
    _elect_ladder(core, first + BUY_STOP, key_of_price(first + BUY_STOP, price))
    _elect_ladder(core, first + SELL_STOP, key_of_price(first + SELL_STOP, price))


@compiled
def _park(core: Record, slot: int) -> None:
    """A stop order waits, or is elected at once when the last trade already triggers it."""
    order = orders_of(core)[slot]
    book = books_of(core)[order.market]
    if book.trades > 0 and (book.last_price - order.stop_price) * order.side >= 0:
        _queue_election(core, slot)
    else:
        order.place = WAITING
        append(core, _stop_ladder(order), slot, order.stop_price)


@compiled
def _drain(core: Record) -> None:
    """Execute the elected stops, first in first out; their trades may elect more."""
    while core.elected_head != 0:
        slot = core.elected_head
        order = orders_of(core)[slot]
        core.elected_head = order.next
        if core.elected_head == 0:
            core.elected_tail = 0
        _write_order(core, _TRIGGERED, order, order.stop_price, order.leaves, order.leaves, 0)
        _execute(core, slot)


# --- trading ---------------------------------------------------------------------------------------------------------


@compiled
def _trade(core: Record, taker: Record, opposite: int, slot: int) -> None:
    """The aggressor and the first order of the best level trade the lesser of their open quantities."""
    maker = orders_of(core)[slot]
    level = levels_of(core)[maker.level]
    price = level.price
    quantity = min(taker.leaves, maker.leaves)
    taker.leaves -= quantity
    book = books_of(core)[taker.market]
    book.last_price = price
    book.last_quantity = quantity
    book.trades += 1
    book.volume += quantity
    _write(
        core,
        _TRADE,
        taker.order_id,
        maker.order_id,
        price,
        quantity,
        maker.leaves - quantity,
        taker.owner,
        maker.owner,
        taker.market,
        taker.side,
        0,
        taker.order_type,
        taker.time_in_force,
        taker.instructions,
    )
    if maker.leaves == quantity:
        remove(core, opposite, slot)
        maker.leaves = 0
        _release(core, slot)
    else:
        shrink(core, opposite, slot, quantity)
    ladders = ladders_of(core)
    first = taker.market * LADDERS
    if ladders[first + BUY_STOP].rungs + ladders[first + SELL_STOP].rungs > 0:
        _elect(core, taker.market, price)


@compiled
def _available(core: Record, order: Record, opposite: int, limit: int, guarded: bool) -> int:
    """What an order could trade at once, counted until it is enough; where guarded, up to its owner's first order."""
    if guarded:
        return quantity_of_others(core, opposite, limit, order.leaves, order.owner)
    return quantity_within(core, opposite, limit, order.leaves)


@compiled
def _execute(core: Record, slot: int) -> None:
    """Trade an order against the other side as far as its limit goes, then let the rest stand or end it."""
    order = orders_of(core)[slot]
    opposite = order.market * LADDERS + (ASK if order.side > 0 else BID)
    unlimited = order.order_type == _MARKET or order.order_type == _STOP
    limit = _LOWEST_KEY if unlimited else key_of_price(opposite, order.price)
    guarded = books_of(core)[order.market].guarded != 0
    if order.time_in_force == _FOK and _available(core, order, opposite, limit, guarded) < order.leaves:
        order.place = GONE
        _end(core, slot, _CANCELED, _FILL_OR_KILL)
        return
    while order.leaves > 0 and best_key(core, opposite) >= limit:
        maker = levels_of(core)[best_level(core, opposite)].head
        if guarded and orders_of(core)[maker].owner == order.owner:
            order.place = GONE
            _end(core, slot, _CANCELED, _SELF_TRADE)
            return
        _trade(core, order, opposite, maker)
    if order.leaves == 0:
        _release(core, slot)
    elif unlimited:
        order.place = GONE
        _end(core, slot, _CANCELED, _NO_LIQUIDITY)
    elif order.time_in_force == _IOC:
        order.place = GONE
        _end(core, slot, _CANCELED, _IMMEDIATE_OR_CANCEL)
    else:
        order.place = RESTING
        append(core, _book_ladder(order), slot, order.price)


# --- requests --------------------------------------------------------------------------------------------------------


@compiled
def _out_of_range(price: int) -> bool:
    return price > _LARGEST or price < -_LARGEST  # the abs of the lowest 64-bit number is negative


@compiled
def has_known_codes(side: int, order_type: int, time_in_force: int, flags: int) -> bool:
    """Whether the codes of a new order are of Side, OrderType, TimeInForce, and POST_ONLY or no flag."""
    return (side == 1 or side == -1) and 1 <= order_type <= _TYPES and 1 <= time_in_force <= _TIMES and 0 <= flags <= 1


@compiled
def _objection(
    core: Record,
    time: int,
    market: int,
    side: int,
    order_type: int,
    time_in_force: int,
    flags: int,
    price: int,
    stop_price: int,
    quantity: int,
    expire: int,
) -> int:
    """Why a new order is refused (rules 3 to 8), or 0."""
    if books_of(core)[market].closed != 0:
        return _MARKET_CLOSED
    if quantity < 1 or quantity > _LARGEST:
        return _INVALID_QUANTITY
    if _out_of_range(price) or _out_of_range(stop_price):
        return _INVALID_PRICE
    if (expire <= time) if time_in_force == _GTD else (expire != 0):
        return _INVALID_EXPIRY
    if flags & _POST_ONLY:
        if order_type != _LIMIT or time_in_force == _IOC or time_in_force == _FOK:
            return _INVALID_INSTRUCTION
        if _would_trade(core, market, side, price):
            return _WOULD_TRADE
    return 0


@compiled
def new_order(
    core: Record,
    time: int,
    owner: int,
    market: int,
    side: int,
    order_type: int,
    time_in_force: int,
    flags: int,
    price: int,
    stop_price: int,
    quantity: int,
    expire: int,
    order_id: int,
) -> int:
    """A new order. Answers its id (``order_id``, or the next free number for 0) or a SHORT_OF code."""
    if order_id == 0:
        order_id = core.next_id
    if order_id >= core.slots_length:
        return SHORT_OF_SLOTS
    known = 0 <= market < core.markets
    coded = has_known_codes(side, order_type, time_in_force, flags)
    if not known or not coded:
        short = _room_to_tell(core, _ROWS_OF_ONE)
    elif order_type == _LIMIT and (_out_of_range(price) or not _would_trade(core, market, side, price)):
        short = _room_to_rest(core, market * LADDERS + (BID if side > 0 else ASK))
    else:
        short = _room_for_much(core, market, quantity)
    if short != 0:
        return short
    core.time = time
    limited = order_type == _LIMIT or order_type == _STOP_LIMIT
    stopped = order_type == _STOP or order_type == _STOP_LIMIT
    effective = price if limited else 0
    effective_stop = stop_price if stopped else 0
    if not known:
        reason = _UNKNOWN_MARKET
    elif slots_of(core)[order_id] != 0:
        reason = _DUPLICATE_ORDER
    elif not coded:
        reason = _INVALID_INSTRUCTION
    else:
        reason = _objection(
            core,
            time,
            market,
            side,
            order_type,
            time_in_force,
            flags,
            effective,
            effective_stop,
            quantity,
            expire,
        )
    core.next_id = max(core.next_id, order_id + 1)
    if reason != 0:
        if known and slots_of(core)[order_id] == 0:
            slots_of(core)[order_id] = -1
        shown = market if known else NO_MARKET
        _write(
            core,
            _REJECTED,
            order_id,
            0,
            price,
            quantity,
            0,
            owner,
            0,
            shown,
            side if side == 1 or side == -1 else 0,
            reason,
            order_type if coded else 0,
            time_in_force if coded else 0,
            flags if coded else 0,
        )
        return order_id
    _write(
        core,
        _ACCEPTED,
        order_id,
        0,
        effective,
        quantity,
        quantity,
        owner,
        0,
        market,
        side,
        0,
        order_type,
        time_in_force,
        flags,
    )
    slot = core.free_order
    order = orders_of(core)[slot]
    core.free_order = order.next
    core.free_orders -= 1
    slots_of(core)[order_id] = slot
    order.order_id = order_id
    order.price = effective
    order.stop_price = effective_stop
    order.quantity = quantity
    order.leaves = quantity
    order.expire = expire
    order.owner = owner
    order.market = market
    order.place = GONE
    order.side = side
    order.order_type = order_type
    order.time_in_force = time_in_force
    order.instructions = flags
    if stopped or expire != 0:
        _write_order(core, _TERMS, order, effective_stop, 0, expire, 0)
    if stopped:
        _park(core, slot)
    else:
        _execute(core, slot)
    if core.elected_head != 0:
        _drain(core)
    return order_id


@compiled
def cancel_order(core: Record, time: int, owner: int, order_id: int, quantity: int) -> int:
    """Cancel an order, or part of it; quantity 0 means all. Answers 0 or a SHORT_OF code."""
    short = _room_to_tell(core, _ROWS_OF_ONE)
    if short != 0:
        return short
    core.time = time
    slot = slots_of(core)[order_id] if 0 < order_id < core.slots_length else 0
    if slot <= 0:
        return _refuse(core, _CANCEL_REJECTED, order_id, owner, 0, quantity, _UNKNOWN_ORDER)
    order = orders_of(core)[slot]
    if order.owner != owner:
        return _refuse(core, _CANCEL_REJECTED, order_id, owner, 0, quantity, _NOT_OWNER)
    if quantity < 0:
        return _refuse(core, _CANCEL_REJECTED, order_id, owner, 0, quantity, _INVALID_QUANTITY)
    if quantity == 0 or quantity >= order.leaves:
        _end(core, slot, _CANCELED, _BY_REQUEST)
        return 0
    ladder = _book_ladder(order) if order.place == RESTING else _stop_ladder(order)
    shrink(core, ladder, slot, quantity)
    order.quantity -= quantity
    _write_order(core, _CANCELED, order, order.price, quantity, order.leaves, _BY_REQUEST)
    return 0


@compiled
def _replace_waiting(core: Record, slot: int, price: int, quantity: int, stop_price: int) -> None:
    order = orders_of(core)[slot]
    opened = quantity - (order.quantity - order.leaves)
    moved = stop_price != order.stop_price
    keeps = not moved and opened <= order.leaves
    if keeps:
        shrink(core, _stop_ladder(order), slot, order.leaves - opened)
    else:
        remove(core, _stop_ladder(order), slot)
    order.price = price
    order.stop_price = stop_price
    order.quantity = quantity
    order.leaves = opened
    _write_replaced(core, order, keeps)
    if moved:
        _write_order(core, _TERMS, order, stop_price, 0, order.expire, 0)
    if not keeps:
        _park(core, slot)


@compiled
def _write_replaced(core: Record, order: Record, keeps: bool) -> None:
    flags = order.instructions
    if keeps:
        order.instructions = flags | _KEPT_PRIORITY
    _write_order(core, _REPLACED, order, order.price, order.quantity, order.leaves, 0)
    order.instructions = flags


@compiled
def _replace_resting(core: Record, slot: int, price: int, quantity: int) -> None:
    order = orders_of(core)[slot]
    opened = quantity - (order.quantity - order.leaves)
    keeps = price == order.price and opened <= order.leaves
    if keeps:
        shrink(core, _book_ladder(order), slot, order.leaves - opened)
    else:
        remove(core, _book_ladder(order), slot)
    order.price = price
    order.quantity = quantity
    order.leaves = opened
    _write_replaced(core, order, keeps)
    if not keeps:
        _execute(core, slot)


@compiled
def replace_order(
    core: Record, time: int, owner: int, order_id: int, price: int, quantity: int, stop_price: int
) -> int:
    """New terms for a live order; ``quantity`` is the new total. Answers 0 or a SHORT_OF code."""
    slot = slots_of(core)[order_id] if 0 < order_id < core.slots_length else 0
    market = orders_of(core)[slot].market if slot > 0 else 0
    short = _room_for_much(core, market, quantity) if slot > 0 else _room_to_tell(core, _ROWS_OF_ONE)
    if short != 0:
        return short
    core.time = time
    if slot <= 0:
        return _refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _UNKNOWN_ORDER)
    order = orders_of(core)[slot]
    if order.owner != owner:
        return _refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _NOT_OWNER)
    if books_of(core)[market].closed != 0:
        return _refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _MARKET_CLOSED)
    if quantity < 1 or quantity > _LARGEST:
        return _refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _INVALID_QUANTITY)
    new_price = 0 if order.order_type == _STOP else price
    new_stop = stop_price if order.place == WAITING else 0
    if _out_of_range(new_price) or _out_of_range(new_stop):
        return _refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _INVALID_PRICE)
    if quantity <= order.quantity - order.leaves:
        _end(core, slot, _CANCELED, _BY_REPLACE)
        return 0
    if order.place == WAITING:
        _replace_waiting(core, slot, new_price, quantity, new_stop)
    else:
        if order.instructions & _POST_ONLY and _would_trade(core, market, order.side, new_price):
            return _refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _WOULD_TRADE)
        _replace_resting(core, slot, new_price, quantity)
    if core.elected_head != 0:
        _drain(core)
    return 0


@compiled
def expire_order(core: Record, time: int, order_id: int) -> int:
    """A live order reaches its expire time; nothing happens when it is gone. Answers 0 or a SHORT_OF code."""
    short = _room_to_tell(core, _ROWS_OF_ONE)
    if short != 0:
        return short
    slot = slots_of(core)[order_id] if 0 < order_id < core.slots_length else 0
    if slot > 0:
        core.time = time
        _end(core, slot, _EXPIRED, _END_OF_TIME)
    return 0


@compiled
def close_order(core: Record, time: int, order_id: int) -> int:
    """A live order ends with its session. Answers 0 or a SHORT_OF code."""
    short = _room_to_tell(core, _ROWS_OF_ONE)
    if short != 0:
        return short
    core.time = time
    _end(core, slots_of(core)[order_id], _EXPIRED, _END_OF_SESSION)
    return 0


@compiled
def withdraw_order(core: Record, time: int, order_id: int, reason: int) -> int:
    """The venue cancels a live order for a reason of its own. Answers 0 or a SHORT_OF code."""
    short = _room_to_tell(core, _ROWS_OF_ONE)
    if short != 0:
        return short
    slot = slots_of(core)[order_id] if 0 < order_id < core.slots_length else 0
    if slot > 0:
        core.time = time
        _end(core, slot, _CANCELED, reason)
    return 0
