"""A venue's clearing: marks, funding, settlements, margin calls and liquidations, on a timer of its own.

Each contract has its timer, a CLEARING message that the venue sends itself. What is due is done in steps; each step
writes rows, which are reported to those whom they concern like those of a request, and the message stays first in the
queue until the last step is done. So a step either finds room for all that it writes, or has not happened. A position
without margin is closed by a market order in the participant's name, so its trades are booked as any others.
"""

from __future__ import annotations

import math

from marketsim.domain.event import EventKind, Settled
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType, Reason, TimeInForce
from marketsim.domain.phase import Phase
from marketsim.exchange.clearing import (
    NEVER,
    account_of,
    contract_of,
    entry_of,
    final_price,
    fix_rate,
    mark_of,
    middle,
    note_premium,
    objection,
    pay_fund,
    pay_funding,
    pay_settlement,
    portion,
    refresh_all,
)
from marketsim.exchange.matching import expire_order, new_order, withdraw_order
from marketsim.exchange.room import room_to_tell
from marketsim.exchange.rows import write_phase
from marketsim.exchange.state import (
    GONE,
    NO_MARKET,
    SHORT_OF_LOG,
    SHORT_OF_SLOTS,
    books_of,
    events_of,
    last_price,
    orders_of,
    slots_of,
)
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.population.mail import drop_first, envelope, has_room
from marketsim.population.publication import publish
from marketsim.population.state import (
    DONE,
    SHORT_OF_MESSAGES,
    clearing_of,
    feed_value,
    markets_of,
    pool_of,
    venues_of,
)

_NEW, _REPLACE, _CLEARING = int(Kind.NEW), int(Kind.REPLACE), int(Kind.CLEARING)
_MARK, _FUNDING, _SETTLED = int(EventKind.MARK), int(EventKind.FUNDING), int(EventKind.SETTLED)
_LIQUIDATION, _MARGIN_CALL = int(EventKind.LIQUIDATION), int(EventKind.MARGIN_CALL)
_REJECTED, _REPLACE_REJECTED = int(EventKind.REJECTED), int(EventKind.REPLACE_REJECTED)
_VARIATION, _EXPIRY, _FUND = int(Settled.VARIATION), int(Settled.EXPIRY), int(Settled.FUND)
_BY_LIQUIDATION, _BY_SCHEDULE = int(Reason.LIQUIDATION), int(Reason.SCHEDULE)
_MARKET, _IOC = int(OrderType.MARKET), int(TimeInForce.IOC)
_CLOSED = int(Phase.CLOSED)
_TYPES, _TIMES, _LARGEST = int(max(OrderType)), int(max(TimeInForce)), 1 << 53
_MARKING, _PAYING, _CLOSING, _SETTLING, _CHECKING = 0, 1, 2, 3, 4  # steps
_WITHDRAWING, _ANNOUNCING, _LIQUIDATING, _MAKING_GOOD, _OVER = 5, 6, 7, 8, 9
_BATCH = 256  # rows of a step


# --- rows ------------------------------------------------------------------------------------------------------------


@compiled
def _room(core: Record, rows: int) -> int:
    if core.log_length - core.log_count < rows:
        core.log_needed = rows
        return SHORT_OF_LOG
    return DONE


@compiled
def _write(core: Record, time: int, kind: int, market: int, owner: int) -> Record:
    """A new row of the log about no order; the fields that are not named are 0."""
    row = events_of(core)[core.log_count]
    row.time = time
    row.order_id = 0
    row.match_id = 0
    row.price = 0
    row.quantity = 0
    row.leaves = 0
    row.owner = owner
    row.peer = 0
    row.market = market
    row.kind = kind
    row.side = 0
    row.reason = 0
    row.order_type = 0
    row.time_in_force = 0
    row["flags"] = 0
    core.log_count += 1
    return row


@compiled
def _sign(number: int) -> int:
    return 1 if number > 0 else (-1 if number < 0 else 0)


# --- orders that are refused -----------------------------------------------------------------------------------------


@compiled
def _screen_new(core: Record, world: Record, request: Record) -> int:
    clearing = clearing_of(world)
    order_id = request.order_id
    if order_id >= core.slots_length:
        return SHORT_OF_SLOTS
    coded = (request.side == 1 or request.side == -1) and 1 <= request.order_type <= _TYPES
    if not coded or not 0 <= request.market < core.markets or not 1 <= request.quantity <= _LARGEST:
        return DONE  # the core says what is wrong
    if (
        abs(request.price) > _LARGEST
        or slots_of(core)[order_id] != 0
        or books_of(core)[request.market].phase == _CLOSED
    ):
        return DONE
    reason = objection(
        core,
        clearing,
        request.market,
        request.sender,
        request.side,
        request.order_type,
        request.price,
        request.quantity,
        0,
    )
    if reason == 0:
        return DONE
    if _room(core, 1) != DONE:
        return SHORT_OF_LOG
    row = _write(core, world.now, _REJECTED, request.market, request.sender)
    row.order_id = order_id
    row.price = request.price
    row.quantity = request.quantity
    row.side = request.side
    row.reason = reason
    row.order_type = request.order_type
    row.time_in_force = request.time_in_force if 1 <= request.time_in_force <= _TIMES else 0
    slots_of(core)[order_id] = -1
    core.next_id = max(core.next_id, order_id + 1)
    return 1


@compiled
def _screen_replace(core: Record, world: Record, request: Record) -> int:
    clearing = clearing_of(world)
    order_id = request.order_id
    slot = slots_of(core)[order_id] if 0 < order_id < core.slots_length else 0
    if slot <= 0:
        return DONE
    order = orders_of(core)[slot]
    clearing.open = order.leaves
    opened = request.quantity - (order.quantity - order.leaves)
    if order.owner != request.sender or not 0 < opened <= _LARGEST or abs(request.price) > _LARGEST:
        return DONE
    reason = objection(
        core,
        clearing,
        order.market,
        order.owner,
        order.side,
        order.order_type,
        request.price,
        opened,
        order.leaves,
    )
    if reason == 0:
        return DONE
    if _room(core, 1) != DONE:
        return SHORT_OF_LOG
    row = _write(core, world.now, _REPLACE_REJECTED, NO_MARKET, order.owner)
    row.order_id = order_id
    row.price = request.price
    row.quantity = request.quantity
    row.reason = reason
    return 1


@compiled
def screen(core: Record, world: Record, request: Record) -> int:
    """Look at a request before it meets the book: 1 when it is refused, 0 when it may go on, or a SHORT_OF code."""
    if request.kind == _NEW:
        return _screen_new(core, world, request)
    if request.kind == _REPLACE:
        return _screen_replace(core, world, request)
    return DONE


# --- steps -----------------------------------------------------------------------------------------------------------


@compiled
def _go_on(clearing: Record, step: int) -> None:
    clearing.step = step
    clearing.cursor = 0
    clearing.lots = 0
    clearing.paid = 0


@compiled
def _index_of(core: Record, world: Record, contract: Record, mid: int) -> int:
    """The price of what a contract is about, in the contract's ticks; the mid where nothing says it."""
    if contract.index_feed >= 0:
        return math.floor(feed_value(world, contract.index_feed, world.now) * contract.feed_scale + 0.5)
    if contract.index_market >= 0:
        other = contract_of(clearing_of(world), contract.index_market)
        price = middle(core, contract.index_market, other.mark)
        return portion(price, contract.index_top, contract.index_bottom)
    return mid


@compiled
def _mark(core: Record, world: Record, clearing: Record, contract: Record, market: int) -> int:
    if _room(core, 1) != DONE:
        return SHORT_OF_LOG
    mid = middle(core, market, contract.mark)
    contract.index = _index_of(core, world, contract, mid)
    contract.mark = mark_of(core, contract, market, mid)
    if contract.index_market >= 0 or contract.index_feed >= 0:
        note_premium(contract, mid)
    refresh_all(clearing, contract)
    row = _write(core, world.now, _MARK, market, -1)
    row.match_id = contract.index
    row.price = contract.mark
    while contract.mark_due <= world.now:
        contract.mark_due += contract.every
    _go_on(clearing, _PAYING)
    return DONE


@compiled
def _fund(core: Record, world: Record, clearing: Record, contract: Record, market: int) -> int:
    if contract.funding_due > world.now:
        _go_on(clearing, _CLOSING)
        return DONE
    if _room(core, _BATCH) != DONE:
        return SHORT_OF_LOG
    if clearing.cursor == 0:
        fix_rate(contract)
    last = core.log_count + _BATCH
    while clearing.cursor < clearing.agents and core.log_count < last:
        agent = clearing.cursor
        clearing.cursor += 1
        position = entry_of(clearing, contract, agent).position
        if position != 0:
            amount = pay_funding(clearing, contract, agent)
            row = _write(core, world.now, _FUNDING, market, agent)
            row.match_id = contract.rate
            row.price = contract.mark
            row.quantity = position
            row.leaves = amount
            row.side = _sign(position)
    if clearing.cursor == clearing.agents:
        while contract.funding_due <= world.now:
            contract.funding_due += contract.funding_every
        _go_on(clearing, _CLOSING)
    return DONE


@compiled
def _end_orders(core: Record, world: Record, clearing: Record, market: int, agent: int) -> int:
    """End the orders of a market: all of them at its expiry, or one participant's. 1 when some may be left."""
    first = core.log_count
    while clearing.scan < core.orders_length:
        order = orders_of(core)[clearing.scan]
        if order.place != GONE and order.market == market and (agent < 0 or order.owner == agent):
            if core.log_count - first >= _BATCH:
                return 1
            if agent < 0:
                status = expire_order(core, world.now, order.order_id)
            else:
                status = withdraw_order(core, world.now, order.order_id, _BY_LIQUIDATION)
            if status < 0:
                return 1 if core.log_count > first else status
        clearing.scan += 1
    clearing.scan = 0
    return DONE


@compiled
def _close(core: Record, world: Record, clearing: Record, contract: Record, market: int) -> int:
    if contract.expiry > world.now:
        _go_on(clearing, _SETTLING)
        return DONE
    first = core.log_count
    status = _end_orders(core, world, clearing, market, -1)
    book = books_of(core)[market]
    if status == DONE and book.phase != _CLOSED:
        short = room_to_tell(core, 1)
        if short != 0:
            return DONE if core.log_count > first else short
        core.time = world.now
        write_phase(core, market, last_price(book), _CLOSED, _BY_SCHEDULE)
    if status == DONE:
        contract.expired = 1
        contract.mark = final_price(contract)
        refresh_all(clearing, contract)
        _go_on(clearing, _SETTLING)
    return min(status, DONE)


@compiled
def _settle(core: Record, world: Record, clearing: Record, contract: Record, market: int) -> int:
    if contract.expired == 0 and contract.settle_due > world.now:
        _go_on(clearing, _CHECKING)
        return DONE
    if _room(core, _BATCH) != DONE:
        return SHORT_OF_LOG
    last = core.log_count + _BATCH
    while clearing.cursor < clearing.agents and core.log_count < last:
        agent = clearing.cursor
        clearing.cursor += 1
        position = entry_of(clearing, contract, agent).position
        if position != 0:
            amount = pay_settlement(clearing, contract, agent, contract.mark, contract.expired != 0)
            row = _write(core, world.now, _SETTLED, market, agent)
            row.price = contract.mark
            row.quantity = position
            row.leaves = amount
            row.side = _sign(position)
            row["flags"] = _EXPIRY if contract.expired != 0 else _VARIATION
    if clearing.cursor == clearing.agents:
        while contract.settle_due <= world.now:
            contract.settle_due += contract.settle_every
        _go_on(clearing, _CHECKING if contract.expired == 0 else _OVER)
    return DONE


@compiled
def _check(core: Record, world: Record, clearing: Record, contract: Record, market: int) -> int:
    if contract.checked == 0:
        _go_on(clearing, _OVER)
        return DONE
    if _room(core, _BATCH) != DONE:
        return SHORT_OF_LOG
    last = core.log_count + _BATCH
    while clearing.cursor < clearing.agents and core.log_count < last:
        agent = clearing.cursor
        position = entry_of(clearing, contract, agent).position
        account = account_of(clearing, contract, agent)
        equity = account.cash + account.gain
        if position != 0 and equity < account.maintenance:
            clearing.step = _WITHDRAWING
            clearing.scan = 0
            return DONE
        if equity >= account.initial:
            account.called = 0
        elif position != 0 and account.called == 0:
            account.called = 1
            row = _write(core, world.now, _MARGIN_CALL, market, agent)
            row.match_id = account.maintenance
            row.price = contract.mark
            row.quantity = position
            row.leaves = equity
            row.side = _sign(position)
        clearing.cursor += 1
    if clearing.cursor == clearing.agents:
        _go_on(clearing, _OVER)
    return DONE


@compiled
def _announce(core: Record, world: Record, clearing: Record, contract: Record, market: int) -> int:
    if _room(core, 1) != DONE:
        return SHORT_OF_LOG
    agent = clearing.cursor
    position = entry_of(clearing, contract, agent).position
    account = account_of(clearing, contract, agent)
    clearing.order_id = core.next_id
    clearing.before = position
    core.next_id += 1
    row = _write(core, world.now, _LIQUIDATION, market, agent)
    row.match_id = clearing.order_id
    row.price = contract.mark
    row.quantity = abs(position)
    row.leaves = account.cash + account.gain
    row.side = -_sign(position)
    clearing.step = _LIQUIDATING
    return DONE


@compiled
def _liquidate(core: Record, world: Record, clearing: Record, market: int) -> int:
    side = -_sign(clearing.before)
    status = new_order(
        core,
        world.now,
        clearing.cursor,
        market,
        side,
        _MARKET,
        _IOC,
        0,
        0,
        0,
        abs(clearing.before),
        0,
        clearing.order_id,
        0,
        0,
        0,
        0,
    )
    if status < 0:
        return status
    clearing.step = _MAKING_GOOD
    return DONE


@compiled
def _make_good(core: Record, world: Record, clearing: Record, contract: Record, market: int) -> int:
    if _room(core, 1) != DONE:
        return SHORT_OF_LOG
    agent = clearing.cursor
    position = entry_of(clearing, contract, agent).position
    amount = pay_fund(clearing, contract, agent, abs(clearing.before - position))
    if amount != 0:
        row = _write(core, world.now, _SETTLED, market, agent)
        row.price = contract.mark
        row.quantity = position
        row.leaves = amount
        row.side = _sign(position)
        row["flags"] = _FUND
    clearing.step = _CHECKING
    clearing.cursor = agent + 1
    return DONE


@compiled
def _step(core: Record, world: Record, clearing: Record, market: int) -> int:
    """Do the next step; a negative answer means that nothing has happened."""
    contract = contract_of(clearing, market)
    step = clearing.step
    if step == _MARKING:
        return _mark(core, world, clearing, contract, market)
    if step == _PAYING:
        return _fund(core, world, clearing, contract, market)
    if step == _CLOSING:
        return _close(core, world, clearing, contract, market)
    if step == _SETTLING:
        return _settle(core, world, clearing, contract, market)
    if step == _CHECKING:
        return _check(core, world, clearing, contract, market)
    if step == _WITHDRAWING:
        status = _end_orders(core, world, clearing, market, clearing.cursor)
        if status == DONE:
            clearing.step = _ANNOUNCING
        return min(status, DONE)
    if step == _ANNOUNCING:
        return _announce(core, world, clearing, contract, market)
    if step == _LIQUIDATING:
        return _liquidate(core, world, clearing, market)
    return _make_good(core, world, clearing, contract, market)


@compiled
def _next_due(contract: Record) -> int:
    if contract.expired != 0:
        return NEVER
    return min(contract.mark_due, contract.funding_due, contract.settle_due, contract.expiry)


@compiled
def _set_timer(world: Record, market: int, time: int) -> None:
    """The venue of a market will look at it at a time; room must be there."""
    message = envelope(world, time, -1 - markets_of(world)[market].venue)
    message.kind = _CLEARING
    message.sender = 0
    message.sent = world.now
    message.market = market
    message.order_id = 0
    message.ready = 1


@compiled
def at_clearing(core: Record, world: Record, slot: int) -> int:
    """The first message of the queue is a venue's timer: do the next step of what is due."""
    if not has_room(world, 2):
        return SHORT_OF_MESSAGES
    message = pool_of(world)[slot]
    market = message.market
    clearing = clearing_of(world)
    world.venue = -1 - message.receiver
    world.depart = world.now + venues_of(world)[world.venue].processing
    first = core.log_count
    status = _step(core, world, clearing, market)
    if status != DONE:
        return status
    if clearing.step == _OVER:
        _go_on(clearing, _MARKING)
        drop_first(world)
        due = _next_due(contract_of(clearing, market))
        if due < NEVER:
            _set_timer(world, market, due)
    if core.log_count == first:
        return DONE
    return publish(core, world, first, market, market)


@compiled
def begin_clearing(worlds: Rows, sequence: int, market: int) -> int:
    """Queue the first timer of a contract; room must be there. Answers the sequence."""
    world = worlds[0]
    world.sequence = sequence
    due = _next_due(contract_of(clearing_of(world), market))
    if due < NEVER:
        _set_timer(world, market, due)
    return world.sequence
