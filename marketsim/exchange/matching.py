"""Matching: what happens to a request, as docs/matching-rules.md says.

Each entry function first sees that the tables have room for the worst that the request can cause. If not it answers a
SHORT_OF code, nothing has happened, and the owner of the tables grows them and repeats the call. Everything that
happens is written as rows of the event log, which are the execution reports. What follows from a request where there
are special orders is settled afterwards, step by step. Time is handed in: there is no clock here.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.order import MOST_PARTS, OrderFlag, OrderType, Reason, TimeInForce
from marketsim.domain.phase import BandAction, Phase
from marketsim.exchange.execution import LOWEST_KEY, at_market, drain, execute, execute_plain
from marketsim.exchange.ladder import best_key, key_of_price, remove, shrink
from marketsim.exchange.orders import (
    adopt,
    end,
    is_peg,
    join_list,
    leave_unsettled,
    queued,
    reduce,
    reserve_of,
    set_reserve,
    total_open,
)
from marketsim.exchange.phases import takes
from marketsim.exchange.room import ROWS_OF_ONE, room_for_much, room_to_rest, room_to_tell
from marketsim.exchange.rows import refuse, write, write_order, write_repriced
from marketsim.exchange.settling import begin_trailing
from marketsim.exchange.state import (
    ASK,
    BID,
    BYTE,
    GONE,
    HIDDEN_BID,
    LADDERS,
    NO_MARKET,
    PARKED,
    SHORT_OF_SLOTS,
    SPECIAL,
    TRIGGERED,
    WAITING,
    books_of,
    ladder_of,
    last_price,
    orders_of,
    slots_of,
    terms_of,
)
from marketsim.exchange.stops import wait
from marketsim.kernel.compiled import Record, compiled, inlined

_ACCEPTED, _TERMS, _CONDITIONS = int(EventKind.ACCEPTED), int(EventKind.TERMS), int(EventKind.CONDITIONS)
_CANCELED, _REPLACED, _EXPIRED = int(EventKind.CANCELED), int(EventKind.REPLACED), int(EventKind.EXPIRED)
_REJECTED, _MASS_CANCELED = int(EventKind.REJECTED), int(EventKind.MASS_CANCELED)
_CANCEL_REJECTED, _REPLACE_REJECTED = int(EventKind.CANCEL_REJECTED), int(EventKind.REPLACE_REJECTED)
_LIMIT, _MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
_STOP, _STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
_TRAILING, _MARKET_PEG = int(OrderType.TRAILING_STOP), int(OrderType.MARKET_PEG)
_FIRST_PEG, _MARKET_TO_LIMIT = int(OrderType.PRIMARY_PEG), int(OrderType.MARKET_TO_LIMIT)
_DAY, _GTC, _GTD = int(TimeInForce.DAY), int(TimeInForce.GTC), int(TimeInForce.GTD)
_IOC, _FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
_AT_OPEN, _AT_CLOSE = int(TimeInForce.AT_OPEN), int(TimeInForce.AT_CLOSE)
_POST_ONLY, _KEPT_PRIORITY = int(OrderFlag.POST_ONLY), int(OrderFlag.KEPT_PRIORITY)
_HIDDEN_FLAG, _SLIDE, _PARENT = int(OrderFlag.HIDDEN), int(OrderFlag.SLIDE), int(OrderFlag.PARENT)
_BY_REQUEST, _WOULD_TRADE = int(Reason.BY_REQUEST), int(Reason.WOULD_TRADE)
_UNKNOWN_ORDER, _UNKNOWN_LINK, _LINKED = int(Reason.UNKNOWN_ORDER), int(Reason.UNKNOWN_LINK), int(Reason.LINKED)
_INVALID_QUANTITY, _INVALID_PRICE = int(Reason.INVALID_QUANTITY), int(Reason.INVALID_PRICE)
_UNKNOWN_MARKET, _NOT_OWNER = int(Reason.UNKNOWN_MARKET), int(Reason.NOT_OWNER)
_DUPLICATE_ORDER, _END_OF_TIME = int(Reason.DUPLICATE_ORDER), int(Reason.END_OF_TIME)
_INVALID_EXPIRY, _INVALID_INSTRUCTION = int(Reason.INVALID_EXPIRY), int(Reason.INVALID_INSTRUCTION)
_BY_REPLACE, _MARKET_CLOSED = int(Reason.BY_REPLACE), int(Reason.MARKET_CLOSED)
_WRONG_PHASE, _OUTSIDE_BANDS = int(Reason.WRONG_PHASE), int(Reason.OUTSIDE_BANDS)
_CLOSED, _HALT, _CLOSING = int(Phase.CLOSED), int(Phase.HALT), int(Phase.CLOSING_AUCTION)
_REFUSE = int(BandAction.REFUSE)

_LARGEST = 9007199254740992  # 2**53: exact as a float too, and sums of it fit 64 bits
_LARGEST_PRO_RATA = 2147483648  # 2**31: the product of two fits 64 bits
_TYPES, _TIMES = int(max(OrderType)), int(max(TimeInForce))
_FLAGS = int(OrderFlag.POST_ONLY | OrderFlag.HIDDEN | OrderFlag.SLIDE | OrderFlag.PARENT)
_STOPS = 1 << OrderType.STOP | 1 << OrderType.STOP_LIMIT | 1 << OrderType.TRAILING_STOP
_PLAIN_TIMES = 1 << TimeInForce.DAY | 1 << TimeInForce.GTC | 1 << TimeInForce.IOC | 1 << TimeInForce.FOK
_LIMITED_TYPES = (
    1 << OrderType.LIMIT
    | 1 << OrderType.STOP_LIMIT
    | 1 << OrderType.PRIMARY_PEG
    | 1 << OrderType.MARKET_PEG
    | 1 << OrderType.MID_PEG
)


# --- what a type has -------------------------------------------------------------------------------------------------


@inlined
def _has_limit(order_type: int) -> bool:
    return (_LIMITED_TYPES >> order_type) & 1 != 0


@inlined
def _is_stop(order_type: int) -> bool:
    return (_STOPS >> order_type) & 1 != 0


@inlined
def _has_distance(order_type: int) -> bool:
    return order_type == _TRAILING or order_type >= _FIRST_PEG


@inlined
def _has_stop_price(order_type: int) -> bool:
    """Whether the field has a meaning: a stop price, or a distance."""
    return _is_stop(order_type) or order_type >= _FIRST_PEG


@inlined
def _least_distance(order_type: int) -> int:
    return 1 if order_type == _TRAILING or order_type == _MARKET_PEG else 0


@inlined
def _stays(time_in_force: int) -> bool:
    return time_in_force <= _GTD


@inlined
def _displayed_would_trade(core: Record, market: int, side: int, price: int) -> bool:
    opposite = market * LADDERS + (ASK if side > 0 else BID)
    return best_key(core, opposite) >= key_of_price(opposite, price)


@compiled
def _best_opposite(core: Record, market: int, side: int) -> int:
    """Key of the best price of the other side, displayed or hidden."""
    opposite = market * LADDERS + (ASK if side > 0 else BID)
    return max(best_key(core, opposite), best_key(core, opposite + HIDDEN_BID))


@compiled
def _would_trade(core: Record, market: int, side: int, price: int) -> bool:
    opposite = market * LADDERS + (ASK if side > 0 else BID)
    return books_of(core)[market].phase == 0 and _best_opposite(core, market, side) >= key_of_price(opposite, price)


@compiled
def _slid(core: Record, market: int, side: int) -> int:
    """The price one tick behind the best of the other side."""
    best = _best_opposite(core, market, side)
    return -best - 1 if side > 0 else best + 1


# --- checks of a new order -------------------------------------------------------------------------------------------


@compiled
def _out_of_range(price: int) -> bool:
    return price > _LARGEST or price < -_LARGEST  # the abs of the lowest 64-bit number is negative


@compiled
def has_known_codes(side: int, order_type: int, time_in_force: int, flags: int) -> bool:
    """Whether the codes of a new order are of Side, OrderType, TimeInForce and the flags that an order may have."""
    known = order_type >= 1 and order_type <= _TYPES and time_in_force >= 1 and time_in_force <= _TIMES
    return known and (side == 1 or side == -1) and flags & ~_FLAGS == 0


@inlined
def _in_too_many_parts(quantity: int, display: int) -> bool:
    return display > 0 and (quantity - 1) // display >= MOST_PARTS


@compiled
def _contradicts(
    order_id: int,
    order_type: int,
    time_in_force: int,
    flags: int,
    quantity: int,
    display: int,
    minimum: int,
    parent: int,
    partner: int,
) -> bool:
    """Rule 7."""
    limit = order_type == _LIMIT
    at_once = time_in_force == _IOC or time_in_force == _FOK
    hidden = flags & _HIDDEN_FLAG != 0
    if flags & _POST_ONLY and (not limit or hidden or not _stays(time_in_force)):
        return True
    if flags & _SLIDE and not flags & _POST_ONLY:
        return True
    if hidden and (not limit or not _stays(time_in_force)):
        return True
    if display < 0 or display > quantity or (display > 0 and (not limit or hidden or at_once)):
        return True
    if _in_too_many_parts(quantity, display):
        return True
    if minimum < 0 or minimum > quantity:
        return True
    taking = time_in_force == _IOC and (limit or order_type == _MARKET)
    if minimum > 0 and not hidden and order_type < _FIRST_PEG and not taking:
        return True
    if time_in_force >= _AT_OPEN and not limit and order_type != _MARKET:
        return True
    if order_type >= _TRAILING and not _stays(time_in_force):
        return True
    if parent < 0 or partner < 0:
        return True
    if parent == 0 and partner == 0:
        return False
    if parent == order_id or partner == order_id or parent == partner:
        return True
    linkable = limit or _is_stop(order_type)
    return not linkable or not _stays(time_in_force) or flags & _POST_ONLY != 0 or hidden or display > 0


@compiled
def _known_partner(core: Record, order_id: int, owner: int, market: int) -> bool:
    slot = slots_of(core)[order_id] if order_id < core.slots_length else 0
    if slot <= 0:
        return False
    order = orders_of(core)[slot]
    free = not order.instructions & SPECIAL or terms_of(core)[slot].partner == 0
    return order.owner == owner and order.market == market and free


@compiled
def _parent_slot(core: Record, order_id: int) -> int:
    """The record of a parent, live or remembered; 0 for none."""
    slot = slots_of(core)[order_id] if order_id < core.slots_length else 0
    if slot > 0:
        return int(slot)
    if slot < -1 and orders_of(core)[-1 - slot].instructions & _PARENT:
        return int(-1 - slot)
    return 0


@compiled
def _known_parent(core: Record, order_id: int, owner: int, market: int) -> bool:
    slot = _parent_slot(core, order_id)
    return slot > 0 and orders_of(core)[slot].owner == owner and orders_of(core)[slot].market == market


@inlined
def _beyond_bands(core: Record, market: int, price: int) -> bool:
    """Whether a limit price is refused for the static band."""
    book = books_of(core)[market]
    refuses = book.banded != 0 and book.band_action == _REFUSE
    return refuses and (price < book.static_low or price > book.static_high)


@inlined
def _too_many(core: Record, market: int, quantity: int) -> bool:
    largest = _LARGEST_PRO_RATA if books_of(core)[market].pro_rata != 0 else _LARGEST
    return quantity < 1 or quantity > largest


@compiled
def _objection(
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
    display: int,
    minimum: int,
    parent: int,
    partner: int,
) -> int:
    """Why a new order is refused (rules 3 to 11), or 0."""
    book = books_of(core)[market]
    if book.phase == _CLOSED:
        return _MARKET_CLOSED
    if _too_many(core, market, quantity):
        return _INVALID_QUANTITY
    if _out_of_range(price) or _out_of_range(stop_price):
        return _INVALID_PRICE
    if _has_distance(order_type) and stop_price < _least_distance(order_type):
        return _INVALID_PRICE
    if (expire <= time) if time_in_force == _GTD else (expire != 0):
        return _INVALID_EXPIRY
    plain = order_type <= _STOP_LIMIT and time_in_force <= _FOK and flags == 0
    if (not plain or (display | minimum | parent | partner) != 0) and _contradicts(
        order_id, order_type, time_in_force, flags, quantity, display, minimum, parent, partner
    ):
        return _INVALID_INSTRUCTION
    if not takes(book.phase, time_in_force, flags, minimum):
        return _WRONG_PHASE
    if partner != 0 and not _known_partner(core, partner, owner, market):
        return _UNKNOWN_LINK
    if parent != 0 and not _known_parent(core, parent, owner, market):
        return _UNKNOWN_LINK
    if (order_type == _LIMIT or order_type == _STOP_LIMIT) and _beyond_bands(core, market, price):
        return _OUTSIDE_BANDS
    if flags & (_POST_ONLY | _SLIDE) == _POST_ONLY and _would_trade(core, market, side, price):
        return _WOULD_TRADE
    return 0


# --- new orders ------------------------------------------------------------------------------------------------------


@inlined
def _begin(core: Record, market: int) -> None:
    """A request to a market begins."""
    book = books_of(core)[market]
    if book.banded != 0:
        book.anchor = last_price(book)


@inlined
def _conclude(core: Record, market: int) -> None:
    """A request to a market is done but for its consequences."""
    if core.elected_head != 0:
        drain(core)
    leave_unsettled(core, market)


@compiled
def _enter_terms(core: Record, slot: int, distance: int, display: int, minimum: int, parent: int, partner: int) -> None:
    """The record of a special order, its CONDITIONS, and what its slide and its partner make of it."""
    order = orders_of(core)[slot]
    books_of(core)[order.market].special += 1
    order.instructions |= SPECIAL
    terms = terms_of(core)[slot]
    terms.display = display
    terms.minimum = minimum
    terms.distance = distance
    if (display | minimum | parent | partner) != 0:
        write(
            core,
            _CONDITIONS,
            order.order_id,
            partner,
            parent,
            display,
            minimum,
            order.owner,
            0,
            order.market,
            order.side,
            0,
            order.order_type,
            order.time_in_force,
            order.instructions & BYTE,
        )
    if order.order_type >= _FIRST_PEG:
        terms.cap = order.price
        order.price = 0
        terms.fresh = 1
        books_of(core)[order.market].fresh_pegs += 1
        join_list(core, slot)
    elif order.order_type == _TRAILING:
        terms.fresh = 1
        join_list(core, slot)


@compiled
def _join_partner(core: Record, slot: int, partner: int) -> None:
    """Two orders become partners; the new one is no larger than the other."""
    order = orders_of(core)[slot]
    other = slots_of(core)[partner]
    if not orders_of(core)[other].instructions & SPECIAL:
        orders_of(core)[other].instructions |= SPECIAL
        books_of(core)[order.market].special += 1
    terms_of(core)[slot].partner = other
    terms_of(core)[other].partner = slot
    more = order.leaves - total_open(core, other)
    if more > 0:
        reduce(core, slot, more, _LINKED)


@compiled
def _slide(core: Record, slot: int) -> None:
    """A post-only order that slides does not trade."""
    order = orders_of(core)[slot]
    if order.instructions & _SLIDE and _would_trade(core, order.market, order.side, order.price):
        order.price = _slid(core, order.market, order.side)
        write_repriced(core, order, order.price, order.leaves, order.leaves)


@compiled
def _place(core: Record, slot: int) -> None:
    """A new order begins to work."""
    order = orders_of(core)[slot]
    if order.order_type >= _FIRST_PEG or (
        order.time_in_force == _AT_CLOSE and books_of(core)[order.market].phase != _CLOSING
    ):
        order.place = PARKED
    elif _is_stop(order.order_type):
        if order.order_type == _TRAILING:
            begin_trailing(core, slot)
        wait(core, slot)
    else:
        execute(core, slot)


@compiled
def _reject(
    core: Record,
    order_id: int,
    owner: int,
    market: int,
    side: int,
    order_type: int,
    time_in_force: int,
    flags: int,
    price: int,
    quantity: int,
    reason: int,
    coded: bool,
) -> int:
    """A new order is refused."""
    known = reason != _UNKNOWN_MARKET
    if known and slots_of(core)[order_id] == 0:
        slots_of(core)[order_id] = -1
    write(
        core,
        _REJECTED,
        order_id,
        0,
        price,
        quantity,
        0,
        owner,
        0,
        market if known else NO_MARKET,
        side if side == 1 or side == -1 else 0,
        reason,
        order_type if coded else 0,
        time_in_force if coded else 0,
        flags if coded else 0,
    )
    return order_id


@inlined
def _enter(
    core: Record,
    order_id: int,
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
) -> int:
    """A new order is accepted and gets its record, of which the slot is answered; it stands nowhere yet."""
    write(
        core,
        _ACCEPTED,
        order_id,
        0,
        price,
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
    order.price = price
    order.stop_price = stop_price
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
    return int(slot)


@inlined
def _is_plain(side: int, order_type: int, time_in_force: int, flags: int, more: int) -> bool:
    """Whether a new order is a limit or market order with nothing about it that needs a look at rule 7.

    more: everything else that an order may have, 0 where it has nothing.
    """
    if more != 0 or (side != 1 and side != -1) or time_in_force < 1 or time_in_force > _TIMES:
        return False
    if order_type == _LIMIT:
        return (flags == 0 and (_PLAIN_TIMES >> time_in_force) & 1 != 0) or (
            flags == _POST_ONLY and (time_in_force == _DAY or time_in_force == _GTC)
        )
    return order_type == _MARKET and flags == 0 and (_PLAIN_TIMES >> time_in_force) & 1 != 0


@compiled
def _new_plain(
    core: Record,
    time: int,
    owner: int,
    market: int,
    side: int,
    order_type: int,
    time_in_force: int,
    flags: int,
    price: int,
    quantity: int,
    order_id: int,
) -> int:
    """A plain order comes to a market that trades by the plain rules: what is left of the rules below."""
    opposite = market * LADDERS + (ASK if side > 0 else BID)
    limited = order_type == _LIMIT
    reason = 0
    limit = LOWEST_KEY
    if quantity < 1 or quantity > _LARGEST:
        reason = _INVALID_QUANTITY
    elif limited and _out_of_range(price):
        reason = _INVALID_PRICE
    elif limited:
        limit = key_of_price(opposite, price)
    if reason != 0 or best_key(core, opposite) < limit:
        short = room_to_rest(core, opposite ^ 1)
    else:
        short = room_for_much(core, market, quantity)
        if flags != 0:
            reason = _WOULD_TRADE
    if short != 0:
        return short
    core.time = time
    core.next_id = max(core.next_id, order_id + 1)
    if slots_of(core)[order_id] != 0:
        reason = _DUPLICATE_ORDER
    if reason != 0:
        return _reject(
            core, order_id, owner, market, side, order_type, time_in_force, flags, price, quantity, reason, True
        )
    effective = price if limited else 0
    slot = _enter(core, order_id, owner, market, side, order_type, time_in_force, flags, effective, 0, quantity, 0)
    execute_plain(core, slot, opposite, limit)
    _conclude(core, market)
    return order_id


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
    display: int,
    minimum: int,
    parent: int,
    partner: int,
) -> int:
    """A new order. Answers its id (``order_id``, or the next free number for 0) or a SHORT_OF code."""
    if order_id == 0:
        order_id = core.next_id
    if order_id >= core.slots_length:
        return SHORT_OF_SLOTS
    known = market >= 0 and market < core.markets
    if known and _is_plain(side, order_type, time_in_force, flags, expire | display | minimum | parent | partner):
        book = books_of(core)[market]
        if (book.phase | book.special | book.peculiar) == 0:
            return _new_plain(
                core, time, owner, market, side, order_type, time_in_force, flags, price, quantity, order_id
            )
    return _new_any(
        core,
        time,
        owner,
        market,
        side,
        order_type,
        time_in_force,
        flags,
        price,
        stop_price,
        quantity,
        expire,
        order_id,
        display,
        minimum,
        parent,
        partner,
    )


@compiled
def _new_any(
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
    display: int,
    minimum: int,
    parent: int,
    partner: int,
) -> int:
    """A new order of any kind, in a market of any kind."""
    known = market >= 0 and market < core.markets
    coded = has_known_codes(side, order_type, time_in_force, flags)
    if not known or not coded:
        short = room_to_tell(core, ROWS_OF_ONE)
    elif (
        order_type == _LIMIT
        and (_out_of_range(price) or not _displayed_would_trade(core, market, side, price))
        and books_of(core)[market].special == 0
        and flags <= _POST_ONLY
        and (display | partner | parent) == 0
    ):
        short = room_to_rest(core, market * LADDERS + (BID if side > 0 else ASK))
    else:
        short = room_for_much(core, market, quantity)
    if short != 0:
        return short
    core.time = time
    limited = coded and _has_limit(order_type)
    stopped = coded and _has_stop_price(order_type)
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
            owner,
            market,
            side,
            order_type,
            time_in_force,
            flags,
            effective,
            effective_stop,
            quantity,
            expire,
            order_id,
            display,
            minimum,
            parent,
            partner,
        )
    core.next_id = max(core.next_id, order_id + 1)
    if reason != 0:
        return _reject(
            core, order_id, owner, market, side, order_type, time_in_force, flags, price, quantity, reason, coded
        )
    _begin(core, market)
    slot = _enter(
        core,
        order_id,
        owner,
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
    order = orders_of(core)[slot]
    if stopped or expire != 0:
        write_order(core, _TERMS, order, effective_stop, 0, expire, 0)
    special = flags > _POST_ONLY or _has_distance(order_type) or time_in_force >= _AT_OPEN
    if special or (display | minimum | parent | partner) != 0:
        distance = effective_stop if _has_distance(order_type) else 0
        _enter_terms(core, slot, distance, display, minimum, parent, partner)
        _slide(core, slot)
        if partner != 0:
            _join_partner(core, slot, partner)
    if parent != 0:
        set_reserve(core, slot, order.leaves)
        order.leaves = 0
        order.place = PARKED
        adopt(core, _parent_slot(core, parent), slot)
    else:
        _place(core, slot)
    _conclude(core, market)
    return order_id


# --- cancels ---------------------------------------------------------------------------------------------------------


@compiled
def cancel_order(core: Record, time: int, owner: int, order_id: int, quantity: int) -> int:
    """Cancel an order, or part of it; quantity 0 means all. Answers 0 or a SHORT_OF code."""
    short = room_to_tell(core, ROWS_OF_ONE)
    if short != 0:
        return short
    core.time = time
    slot = slots_of(core)[order_id] if order_id > 0 and order_id < core.slots_length else 0
    if slot <= 0:
        return refuse(core, _CANCEL_REJECTED, order_id, owner, 0, quantity, _UNKNOWN_ORDER)
    order = orders_of(core)[slot]
    if order.owner != owner:
        return refuse(core, _CANCEL_REJECTED, order_id, owner, 0, quantity, _NOT_OWNER)
    if quantity < 0:
        return refuse(core, _CANCEL_REJECTED, order_id, owner, 0, quantity, _INVALID_QUANTITY)
    market = order.market
    _begin(core, market)
    if quantity == 0 or quantity >= total_open(core, slot):
        end(core, slot, _CANCELED, _BY_REQUEST)
    else:
        reduce(core, slot, quantity, _BY_REQUEST)
    _conclude(core, market)
    return 0


@compiled
def _orders_of_owner(core: Record, owner: int, first_market: int, last_market: int) -> int:
    count = 0
    for order_id in range(1, core.next_id):
        slot = slots_of(core)[order_id]
        if slot > 0:
            order = orders_of(core)[slot]
            if order.owner == owner and first_market <= order.market and order.market <= last_market:
                count += 1
    return count


@compiled
def cancel_owner(core: Record, time: int, owner: int, first_market: int, last_market: int, reason: int) -> int:
    """Cancel all that an owner has in some markets. Answers 0 or a SHORT_OF code."""
    short = room_to_tell(core, ROWS_OF_ONE + 2 * _orders_of_owner(core, owner, first_market, last_market))
    if short != 0:
        return short
    core.time = time
    count = 0
    for order_id in range(1, core.next_id):
        slot = slots_of(core)[order_id]
        if slot > 0:
            order = orders_of(core)[slot]
            if order.owner == owner and first_market <= order.market and order.market <= last_market:
                end(core, slot, _CANCELED, reason)
                count += 1
    write(core, _MASS_CANCELED, 0, 0, 0, count, 0, owner, 0, first_market, 0, reason, 0, 0, 0)
    core.unsettled = 1
    core.first_unsettled = first_market
    core.last_unsettled = last_market
    return 0


# --- replaces --------------------------------------------------------------------------------------------------------


@compiled
def _write_replaced(core: Record, order: Record, price: int, opened: int, keeps: bool) -> None:
    given = order.instructions
    if keeps:
        order.instructions = given | _KEPT_PRIORITY
    write_order(core, _REPLACED, order, price, order.quantity, opened, 0)
    order.instructions = given


@compiled
def _replace_waiting(core: Record, slot: int, price: int, quantity: int, stop_price: int) -> None:
    order = orders_of(core)[slot]
    trailing = order.order_type == _TRAILING
    opened = quantity - (order.quantity - order.leaves)
    moved = stop_price != (terms_of(core)[slot].distance if trailing else order.stop_price)
    keeps = not moved and opened <= order.leaves
    if keeps:
        shrink(core, ladder_of(order), slot, order.leaves - opened)
    else:
        remove(core, ladder_of(order), slot)
    order.price = price
    order.quantity = quantity
    order.leaves = opened
    _write_replaced(core, order, price, opened, keeps)
    if moved:
        write_order(core, _TERMS, order, stop_price, 0, order.expire, 0)
        if trailing:
            terms_of(core)[slot].distance = stop_price
        else:
            order.stop_price = stop_price
    if not keeps:
        if trailing:
            begin_trailing(core, slot)
        wait(core, slot)


@compiled
def _resize(core: Record, slot: int, quantity: int, opened: int) -> None:
    """Another quantity without leaving its place; of an iceberg the reserve gives way first."""
    order = orders_of(core)[slot]
    less = total_open(core, slot) - opened
    hidden = min(less, reserve_of(core, slot)) if less > 0 else 0
    if hidden > 0:
        set_reserve(core, slot, reserve_of(core, slot) - hidden)
    if less != hidden:
        if queued(order):
            shrink(core, ladder_of(order), slot, less - hidden)
        else:
            order.leaves -= less - hidden
    order.quantity = quantity


@compiled
def _replace_peg(core: Record, slot: int, cap: int, quantity: int, distance: int) -> None:
    order = orders_of(core)[slot]
    terms = terms_of(core)[slot]
    opened = quantity - (order.quantity - order.leaves)
    moved = distance != terms.distance
    keeps = not moved and cap == terms.cap and opened <= order.leaves
    _resize(core, slot, quantity, opened)
    _write_replaced(core, order, cap, opened, keeps)
    if moved:
        write_order(core, _TERMS, order, distance, 0, order.expire, 0)
    terms.cap = cap
    terms.distance = distance
    if not keeps and terms.fresh == 0:
        terms.fresh = 1
        books_of(core)[order.market].fresh_pegs += 1


@compiled
def _replace_resting(core: Record, slot: int, price: int, quantity: int) -> None:
    """An order in the book, in a call queue, or parked until the closing auction."""
    order = orders_of(core)[slot]
    before = total_open(core, slot)
    opened = quantity - (order.quantity - before)
    keeps = order.place == PARKED or (price == order.price and opened <= before)
    if keeps:
        _resize(core, slot, quantity, opened)
        order.price = price
        _write_replaced(core, order, price, opened, True)
        return
    remove(core, ladder_of(order), slot)
    if order.instructions & SPECIAL:
        set_reserve(core, slot, 0)
    order.price = price
    order.quantity = quantity
    order.leaves = opened
    _write_replaced(core, order, price, opened, False)
    _slide(core, slot)
    execute(core, slot)


@compiled
def replace_order(
    core: Record, time: int, owner: int, order_id: int, price: int, quantity: int, stop_price: int
) -> int:
    """New terms for a live order; ``quantity`` is the new total. Answers 0 or a SHORT_OF code."""
    slot = slots_of(core)[order_id] if order_id > 0 and order_id < core.slots_length else 0
    market = orders_of(core)[slot].market if slot > 0 else 0
    short = room_for_much(core, market, quantity) if slot > 0 else room_to_tell(core, ROWS_OF_ONE)
    if short != 0:
        return short
    core.time = time
    if slot <= 0:
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _UNKNOWN_ORDER)
    order = orders_of(core)[slot]
    book = books_of(core)[market]
    if order.owner != owner:
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _NOT_OWNER)
    if book.phase == _CLOSED:
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _MARKET_CLOSED)
    if book.phase == _HALT:
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _WRONG_PHASE)
    if _too_many(core, market, quantity):
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _INVALID_QUANTITY)
    peg = is_peg(order)
    new_price = price if peg or not at_market(order) else 0
    stop = _is_stop(order.order_type) and not order.instructions & TRIGGERED
    new_stop = stop_price if stop or peg else 0
    if _out_of_range(new_price) or _out_of_range(new_stop):
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _INVALID_PRICE)
    distant = peg or (stop and order.order_type == _TRAILING)
    if distant and new_stop < _least_distance(order.order_type):
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _INVALID_PRICE)
    if order.instructions & SPECIAL and terms_of(core)[slot].parent != 0 and terms_of(core)[slot].reserve > 0:
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _INVALID_INSTRUCTION)
    if order.instructions & SPECIAL and _in_too_many_parts(quantity, terms_of(core)[slot].display):
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _INVALID_INSTRUCTION)
    if quantity <= order.quantity - total_open(core, slot):
        _begin(core, market)
        end(core, slot, _CANCELED, _BY_REPLACE)
        _conclude(core, market)
        return 0
    if not peg and not at_market(order) and _beyond_bands(core, market, new_price):
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _OUTSIDE_BANDS)
    post_only = order.instructions & (_POST_ONLY | _SLIDE) == _POST_ONLY
    if post_only and order.place != PARKED and _would_trade(core, market, order.side, new_price):
        return refuse(core, _REPLACE_REJECTED, order_id, owner, price, quantity, _WOULD_TRADE)
    _begin(core, market)
    if peg:
        _replace_peg(core, slot, new_price, quantity, new_stop)
    elif order.place == WAITING:
        _replace_waiting(core, slot, new_price, quantity, new_stop)
    else:
        _replace_resting(core, slot, new_price, quantity)
    _conclude(core, market)
    return 0


@compiled
def expire_order(core: Record, time: int, order_id: int) -> int:
    """A live order reaches its expire time; nothing happens when it is gone. Answers 0 or a SHORT_OF code."""
    short = room_to_tell(core, ROWS_OF_ONE)
    if short != 0:
        return short
    slot = slots_of(core)[order_id] if order_id > 0 and order_id < core.slots_length else 0
    if slot > 0:
        core.time = time
        market = orders_of(core)[slot].market
        _begin(core, market)
        end(core, slot, _EXPIRED, _END_OF_TIME)
        _conclude(core, market)
    return 0


@compiled
def withdraw_order(core: Record, time: int, order_id: int, reason: int) -> int:
    """The venue cancels a live order for a reason of its own. Answers 0 or a SHORT_OF code."""
    short = room_to_tell(core, ROWS_OF_ONE)
    if short != 0:
        return short
    slot = slots_of(core)[order_id] if order_id > 0 and order_id < core.slots_length else 0
    if slot > 0:
        core.time = time
        market = orders_of(core)[slot].market
        _begin(core, market)
        end(core, slot, _CANCELED, reason)
        _conclude(core, market)
    return 0
