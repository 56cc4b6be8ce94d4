"""Execution: how an order meets the book, as docs/matching-rules.md says under Execute, and what becomes of its rest.

A market without special orders, bands, pro-rata or self-trade rules takes a short way through the same rules.
Room must have been seen before. Time is handed in: there is no clock here.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, SelfTrade, TimeInForce
from marketsim.domain.phase import BandAction, Phase
from marketsim.exchange.allotment import allot
from marketsim.exchange.ladder import (
    append,
    best_key,
    best_level,
    key_of_price,
    level_at,
    quantity_within,
    remove,
    shrink,
)
from marketsim.exchange.orders import (
    bury,
    end,
    finish,
    is_peg,
    reduce,
    release,
    same_account,
    set_reserve,
    take_out,
    tell_links,
    total_open,
)
from marketsim.exchange.rows import write, write_order, write_phase, write_repriced
from marketsim.exchange.state import (
    ASK,
    BID,
    BYTE,
    CALLED,
    FALLEN,
    FLYING,
    HIDDEN,
    HIDDEN_BID,
    LADDERS,
    LIMITED,
    NO_KEY,
    PARKED,
    RESTING,
    SPECIAL,
    TRIGGERED,
    books_of,
    ladder_of,
    ladders_of,
    levels_of,
    orders_of,
    rungs_of,
    terms_of,
)
from marketsim.exchange.stops import elect
from marketsim.kernel.compiled import Record, compiled, inlined

_TRADE, _CANCELED = int(EventKind.TRADE), int(EventKind.CANCELED)
_REFRESHED, _TRIGGERED_ROW = int(EventKind.REFRESHED), int(EventKind.TRIGGERED)
_LIMIT, _MARKET_TO_LIMIT = int(OrderType.LIMIT), int(OrderType.MARKET_TO_LIMIT)
_IOC, _FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
_NO_LIQUIDITY, _SELF_TRADE = int(Reason.NO_LIQUIDITY), int(Reason.SELF_TRADE)
_IMMEDIATE_OR_CANCEL, _FILL_OR_KILL = int(Reason.IMMEDIATE_OR_CANCEL), int(Reason.FILL_OR_KILL)
_MINIMUM_QUANTITY, _OUTSIDE_BANDS = int(Reason.MINIMUM_QUANTITY), int(Reason.OUTSIDE_BANDS)
_CANCEL_NEWEST, _CANCEL_OLDEST = int(SelfTrade.CANCEL_NEWEST), int(SelfTrade.CANCEL_OLDEST)
_CANCEL_BOTH, _DECREMENT = int(SelfTrade.CANCEL_BOTH), int(SelfTrade.DECREMENT)
_REFUSE, _INTERRUPT = int(BandAction.REFUSE), int(BandAction.INTERRUPT)
_VOLATILITY_AUCTION, _HALT = int(Phase.VOLATILITY_AUCTION), int(Phase.HALT)
_HIDDEN = int(OrderFlag.HIDDEN)
_AT_MARKET = 1 << OrderType.MARKET | 1 << OrderType.STOP | 1 << OrderType.TRAILING_STOP | 1 << OrderType.MARKET_TO_LIMIT
LOWEST_KEY = -9223372036854775807  # of an order without a limit: above that of an empty ladder
_BESIDE = HIDDEN_BID - BID  # from a displayed ladder to the hidden one of the same side


@inlined
def at_market(order: Record) -> bool:
    """Whether an order has no limit price."""
    return (_AT_MARKET >> order.order_type) & 1 != 0 and order.instructions & LIMITED == 0


# --- trades ----------------------------------------------------------------------------------------------------------


@inlined
def _write_trade(core: Record, taker: Record, maker: Record, price: int, quantity: int, rest: int, flags: int) -> None:
    """The row of a trade, and the market's statistics."""
    book = books_of(core)[taker.market]
    book.last_price = price
    book.last_quantity = quantity
    book.trades += 1
    book.volume += quantity
    write(
        core,
        _TRADE,
        taker.order_id,
        maker.order_id,
        price,
        quantity,
        rest,
        taker.owner,
        maker.owner,
        taker.market,
        taker.side,
        0,
        taker.order_type,
        taker.time_in_force,
        (taker.instructions & BYTE) | flags,
    )


@compiled
def _trade(core: Record, taker: Record, opposite: int, slot: int) -> None:
    """The aggressor and the first order of the best level trade, neither of them special."""
    maker = orders_of(core)[slot]
    price = levels_of(core)[maker.level].price
    quantity = min(taker.leaves, maker.leaves)
    taker.leaves -= quantity
    _write_trade(core, taker, maker, price, quantity, maker.leaves - quantity, 0)
    if maker.leaves == quantity:
        remove(core, opposite, slot)
        maker.leaves = 0
        release(core, slot)
    else:
        shrink(core, opposite, slot, quantity)
    elect(core, taker.market, price)


@compiled
def fill_resting(core: Record, slot: int, quantity: int) -> None:
    """So many lots of a queued order have traded; it leaves its queue with the last one that it displays."""
    maker = orders_of(core)[slot]
    if maker.leaves == quantity:
        remove(core, ladder_of(maker), slot)
        maker.leaves = 0
        maker.place = PARKED
    else:
        shrink(core, ladder_of(maker), slot, quantity)


@compiled
def refresh(core: Record, slot: int) -> None:
    """An iceberg displays its next part at the back of its level."""
    order = orders_of(core)[slot]
    terms = terms_of(core)[slot]
    take_out(core, slot)
    rest = order.leaves + terms.reserve
    shown = min(terms.display, rest)
    set_reserve(core, slot, rest - shown)
    order.leaves = shown
    order.place = RESTING
    append(core, ladder_of(order), slot, order.price)
    write_order(core, _REFRESHED, order, order.price, shown, rest, 0)


@compiled
def settle_resting(core: Record, slot: int) -> None:
    """After a trade, its row and its links: an order that displays nothing any more shows more, or is over."""
    order = orders_of(core)[slot]
    if order.place != PARKED or order.leaves > 0:
        return
    if order.instructions & SPECIAL and terms_of(core)[slot].reserve > 0:
        if terms_of(core)[slot].display > 0:
            refresh(core, slot)
    else:
        finish(core, slot)


@compiled
def _trade_with(core: Record, slot: int, resting: int, quantity: int) -> None:
    """The aggressor trades so many lots with one order; whatever follows from that for links and stops."""
    taker = orders_of(core)[slot]
    maker = orders_of(core)[resting]
    price = maker.price
    taker.leaves -= quantity
    _write_trade(core, taker, maker, price, quantity, total_open(core, resting) - quantity, 0)
    fill_resting(core, resting, quantity)
    elect(core, taker.market, price)
    if taker.instructions & SPECIAL:
        tell_links(core, slot, quantity)
    if maker.instructions & SPECIAL:
        tell_links(core, resting, quantity)
    settle_resting(core, resting)


# --- whom to trade with ----------------------------------------------------------------------------------------------


@inlined
def _least(core: Record, slot: int) -> int:
    """The smallest aggressor with which a resting order trades."""
    order = orders_of(core)[slot]
    return min(terms_of(core)[slot].minimum, order.leaves) if order.instructions & SPECIAL else 0


@compiled
def first_hidden(core: Record, ladder: int, key: int, lots: int) -> int:
    """The first hidden order at keys not below ``key`` that trades with an aggressor of so many lots; 0 for none."""
    rungs = rungs_of(core)
    levels = levels_of(core)
    side = ladders_of(core)[ladder]
    for position in range(side.start + side.rungs - 1, side.start - 1, -1):
        if rungs[position].key < key:
            return 0
        slot = levels[rungs[position].level].head
        while slot != 0:
            if _least(core, slot) <= lots:
                return int(slot)
            slot = orders_of(core)[slot].next
    return 0


@compiled
def _next_resting(core: Record, opposite: int, limit: int, lots: int) -> int:
    """The order of the other side that an aggressor of so many lots meets first; 0 for none within the limit."""
    displayed = best_key(core, opposite)
    if ladders_of(core)[opposite + _BESIDE].rungs > 0:
        hidden = first_hidden(core, opposite + _BESIDE, max(limit, displayed + 1), lots)
        if hidden != 0:
            return hidden
    return int(levels_of(core)[best_level(core, opposite)].head) if displayed >= limit else 0


@inlined
def _outside(book: Record, price: int) -> bool:
    """Whether the bands of a market forbid a trade at a price."""
    if book.banded == 0:
        return False
    far = book.dynamic > 0 and abs(price - book.anchor) > book.dynamic
    return far or price < book.static_low or price > book.static_high


@inlined
def open_to_trade(core: Record, slot: int) -> int:
    """All of an iceberg; of a conditional order what is active."""
    order = orders_of(core)[slot]
    if order.instructions & SPECIAL and terms_of(core)[slot].display > 0:
        return total_open(core, slot)
    return order.leaves


@compiled
def _available(core: Record, order: Record, opposite: int, limit: int, enough: int) -> int:
    """What an order could trade at once, counted until it is enough."""
    book = books_of(core)[order.market]
    orders = orders_of(core)
    rungs = rungs_of(core)
    levels = levels_of(core)
    shown = ladders_of(core)[opposite]
    unseen = ladders_of(core)[opposite + _BESIDE]
    first = shown.start + shown.rungs - 1
    second = unseen.start + unseen.rungs - 1
    total = 0
    while total < enough:
        displayed = rungs[first].key if first >= shown.start else NO_KEY
        hidden = rungs[second].key if second >= unseen.start else NO_KEY
        if max(displayed, hidden) < limit:
            return total
        if displayed >= hidden:
            level = levels[rungs[first].level]
            first -= 1
        else:
            level = levels[rungs[second].level]
            second -= 1
        if _outside(book, level.price):
            return total
        slot = level.head
        while slot != 0:
            if _least(core, slot) <= order.leaves - total:
                if book.guarded == 0 or not same_account(core, orders[slot].owner, order.owner):
                    total += open_to_trade(core, slot)
                elif book.guarded != _CANCEL_OLDEST:
                    return total
            slot = orders[slot].next
    return total


# --- self-trades, bands ----------------------------------------------------------------------------------------------


@compiled
def _prevent(core: Record, slot: int, resting: int) -> bool:
    """The aggressor would trade with an order of its own account; whether it may go on after that."""
    order = orders_of(core)[slot]
    mode = books_of(core)[order.market].guarded
    if mode == _CANCEL_NEWEST:
        end(core, slot, _CANCELED, _SELF_TRADE)
        return False
    if mode == _DECREMENT:
        lots = min(order.leaves, total_open(core, resting))
        if reduce(core, resting, lots, _SELF_TRADE) == 0:
            finish(core, resting)
        if order.place == FALLEN:
            return _buried(core, slot)
        if reduce(core, slot, lots, _SELF_TRADE) == 0:
            finish(core, slot)
            return False
        return True
    end(core, resting, _CANCELED, _SELF_TRADE)
    if order.place == FALLEN:
        return _buried(core, slot)
    if mode == _CANCEL_BOTH:
        end(core, slot, _CANCELED, _SELF_TRADE)
        return False
    return True


@compiled
def _buried(core: Record, slot: int) -> bool:
    """An aggressor that fell does not go on."""
    bury(core, slot)
    return False


@compiled
def _breach(core: Record, slot: int, price: int) -> None:
    """A trade would lie outside the bands."""
    order = orders_of(core)[slot]
    book = books_of(core)[order.market]
    if book.band_action == _REFUSE:
        end(core, slot, _CANCELED, _OUTSIDE_BANDS)
        return
    write_phase(
        core, order.market, price, _VOLATILITY_AUCTION if book.band_action == _INTERRUPT else _HALT, _OUTSIDE_BANDS
    )
    if order.time_in_force == _IOC:
        end(core, slot, _CANCELED, _OUTSIDE_BANDS)
    else:
        _enter(core, slot)


# --- rest ------------------------------------------------------------------------------------------------------------


@compiled
def rest(core: Record, slot: int) -> None:
    """An order rests at the back of its price, in the displayed or the hidden book."""
    order = orders_of(core)[slot]
    order.place = HIDDEN if order.instructions & _HIDDEN or is_peg(order) else RESTING
    if order.instructions & SPECIAL:
        display = terms_of(core)[slot].display
        if display > 0 and order.leaves > display:
            set_reserve(core, slot, order.leaves - display)
            order.leaves = display
    append(core, ladder_of(order), slot, order.price)


@compiled
def become_limited(core: Record, slot: int, price: int) -> None:
    """A market-to-limit order gets its limit, and rests."""
    order = orders_of(core)[slot]
    order.price = price
    order.instructions |= LIMITED
    write_repriced(core, order, price, order.leaves, order.leaves)
    rest(core, slot)


@compiled
def _enter(core: Record, slot: int) -> None:
    """Nothing trades in this phase: the order takes its place for the auction."""
    order = orders_of(core)[slot]
    if order.time_in_force == _IOC:
        end(core, slot, _CANCELED, _IMMEDIATE_OR_CANCEL)
    elif order.time_in_force == _FOK:
        end(core, slot, _CANCELED, _FILL_OR_KILL)
    elif at_market(order):
        order.place = CALLED
        append(core, ladder_of(order), slot, 0)
    else:
        rest(core, slot)


@compiled
def _finish_aggressor(core: Record, slot: int) -> None:
    """All that was active has traded."""
    if total_open(core, slot) > 0:
        orders_of(core)[slot].place = PARKED  # its parent has not released the rest yet
    else:
        finish(core, slot)


# --- execution -------------------------------------------------------------------------------------------------------


@compiled
def _trade_level(core: Record, slot: int, opposite: int) -> bool:
    """Trade with the best displayed level by the pro-rata rule; whether the aggressor may go on."""
    order = orders_of(core)[slot]
    orders = orders_of(core)
    terms = terms_of(core)
    level = best_level(core, opposite)
    price = levels_of(core)[level].price
    if books_of(core)[order.market].guarded != 0:
        resting = levels_of(core)[level].head
        while resting != 0:
            if same_account(core, orders[resting].owner, order.owner):
                return _prevent(core, slot, resting)
            resting = orders[resting].next
    allot(core, order.market, level, order.leaves)
    resting = levels_of(core)[level].head
    while resting != 0 and order.leaves > 0:
        behind = orders[resting].next
        lots = min(terms[resting].allotted, orders[resting].leaves, order.leaves)
        if lots > 0:
            terms[resting].allotted = 0
            _trade_with(core, slot, resting, lots)
            moved = behind != 0 and (orders[behind].place != RESTING or orders[behind].level != level)
            if moved:  # a link took the next one away: begin again; who has traded has nothing allotted
                level = level_at(core, opposite, price)
                behind = levels_of(core)[level].head if level != 0 else 0
        resting = behind
    return True


@compiled
def _trade_with_care(core: Record, slot: int, opposite: int, limit: int) -> bool:
    """Trade as far as the limit goes; whether the aggressor is still there, to have its rest dealt with."""
    order = orders_of(core)[slot]
    book = books_of(core)[order.market]
    minimum = terms_of(core)[slot].minimum if order.instructions & SPECIAL else 0
    if order.time_in_force == _FOK and _available(core, order, opposite, limit, order.leaves) < order.leaves:
        end(core, slot, _CANCELED, _FILL_OR_KILL)
        return False
    if minimum > 0:
        least = min(minimum, order.leaves)
        if _available(core, order, opposite, limit, least) < least:
            if order.time_in_force == _IOC:
                end(core, slot, _CANCELED, _MINIMUM_QUANTITY)
                return False
            return True
    while order.leaves > 0:
        resting = _next_resting(core, opposite, limit, order.leaves)
        if resting == 0:
            return True
        maker = orders_of(core)[resting]
        if _outside(book, maker.price):
            _breach(core, slot, maker.price)
            return False
        if book.pro_rata != 0 and maker.place == RESTING:
            if not _trade_level(core, slot, opposite):
                return False
        elif book.guarded != 0 and same_account(core, maker.owner, order.owner):
            if not _prevent(core, slot, resting):
                return False
        else:
            _trade_with(core, slot, resting, min(order.leaves, maker.leaves))
    if order.place == FALLEN:
        bury(core, slot)
        return False
    return True


@compiled
def unfold(core: Record, slot: int) -> None:
    """An iceberg meets the other side with all that it has, in its place."""
    order = orders_of(core)[slot]
    if not order.instructions & SPECIAL:
        return
    terms = terms_of(core)[slot]
    if terms.display > 0 and terms.reserve > 0:
        reserve = terms.reserve
        set_reserve(core, slot, 0)
        if order.place == RESTING:
            shrink(core, ladder_of(order), slot, -reserve)
        else:
            order.leaves += reserve


@compiled
def execute(core: Record, slot: int) -> None:
    """Trade an order that stands in no queue as far as its limit goes, then let the rest stand or end it."""
    order = orders_of(core)[slot]
    book = books_of(core)[order.market]
    order.place = FLYING
    unfold(core, slot)
    if book.phase != 0:
        _enter(core, slot)
        return
    opposite = order.market * LADDERS + (ASK if order.side > 0 else BID)
    unlimited = at_market(order)
    limit = LOWEST_KEY if unlimited else key_of_price(opposite, order.price)
    if book.special + book.peculiar == 0:
        execute_plain(core, slot, opposite, limit)
        return
    trades = book.trades
    if not _trade_with_care(core, slot, opposite, limit):
        return
    if order.leaves == 0:
        _finish_aggressor(core, slot)
    else:
        _deal_with_rest(core, slot, unlimited, book.trades > trades)


@compiled
def execute_plain(core: Record, slot: int, opposite: int, limit: int) -> None:
    """The same in continuous trading without special orders and peculiar rules; the limit is a key."""
    order = orders_of(core)[slot]
    before = order.leaves
    if order.time_in_force == _FOK and quantity_within(core, opposite, limit, before) < before:
        end(core, slot, _CANCELED, _FILL_OR_KILL)
        return
    while order.leaves > 0 and best_key(core, opposite) >= limit:
        _trade(core, order, opposite, levels_of(core)[best_level(core, opposite)].head)
    if order.leaves == 0:
        release(core, slot)
    elif limit != LOWEST_KEY and order.time_in_force != _IOC:
        order.place = RESTING
        append(core, opposite ^ 1, slot, order.price)
    else:
        _deal_with_rest(core, slot, limit == LOWEST_KEY, order.leaves < before)


@compiled
def _deal_with_rest(core: Record, slot: int, unlimited: bool, traded: bool) -> None:
    """An order that has met all that it may let stand or end what is left of it."""
    order = orders_of(core)[slot]
    if order.time_in_force == _FOK:  # links took away what had been counted
        end(core, slot, _CANCELED, _FILL_OR_KILL)
    elif unlimited:
        if order.order_type == _MARKET_TO_LIMIT and traded:
            become_limited(core, slot, books_of(core)[order.market].last_price)
        else:
            end(core, slot, _CANCELED, _NO_LIQUIDITY)
    elif order.time_in_force == _IOC:
        end(core, slot, _CANCELED, _IMMEDIATE_OR_CANCEL)
    else:
        rest(core, slot)


@compiled
def drain(core: Record) -> None:
    """Execute the elected stops, first in first out; their trades may elect more."""
    while core.elected_head != 0:
        slot = core.elected_head
        order = orders_of(core)[slot]
        core.elected_head = order.next
        core.elected -= 1
        if core.elected_head == 0:
            core.elected_tail = 0
        if order.place == FALLEN:
            bury(core, slot)
            continue
        order.instructions |= TRIGGERED
        leaves = total_open(core, slot)
        write_order(core, _TRIGGERED_ROW, order, order.stop_price, leaves, leaves, 0)
        if order.leaves == 0:
            order.place = PARKED
        else:
            execute(core, slot)
