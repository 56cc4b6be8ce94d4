"""The feed of orders (L3): what happened to each displayed order, in the order in which it happened. Nobody is named.

It follows the rows of the log from the first subscription on: an order in execution is added when its own trades are
over and something is left; an iceberg shows one part at a time; hidden and waiting orders are never told. A venue
without subscribers to it does nothing of this. It changes no book.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.market_data import OrderAction
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderFlag, OrderType
from marketsim.exchange.orders import total_open
from marketsim.exchange.state import (
    ASK,
    BID,
    GONE,
    KEPT,
    LADDERS,
    RESTING,
    SPECIAL,
    ladders_of,
    levels_of,
    orders_of,
    rungs_of,
    slots_of,
    terms_of,
)
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.mail import from_venue, has_room
from marketsim.population.state import (
    DATA_DOWN,
    DONE,
    ORDER_LIST,
    ROSTERS,
    SHORT_OF_MESSAGES,
    markets_of,
    rosters_of,
    shown_of,
    subscribers_of,
)

_UPDATE = int(Kind.ORDER_UPDATE)
_ACCEPTED, _CONDITIONS, _TRADE = int(EventKind.ACCEPTED), int(EventKind.CONDITIONS), int(EventKind.TRADE)
_CANCELED, _EXPIRED, _REPLACED = int(EventKind.CANCELED), int(EventKind.EXPIRED), int(EventKind.REPLACED)
_TRIGGERED, _ACTIVATED = int(EventKind.TRIGGERED), int(EventKind.ACTIVATED)
_REFRESHED, _REPRICED = int(EventKind.REFRESHED), int(EventKind.REPRICED)
_BEGIN, _ADDED, _CHANGED = int(OrderAction.BEGIN), int(OrderAction.ADDED), int(OrderAction.CHANGED)
_EXECUTED, _REMOVED = int(OrderAction.EXECUTED), int(OrderAction.REMOVED)
_LIMIT, _STOP_LIMIT, _MARKET_TO_LIMIT = int(OrderType.LIMIT), int(OrderType.STOP_LIMIT), int(OrderType.MARKET_TO_LIMIT)
_KEPT_PRIORITY, _HIDDEN = int(OrderFlag.KEPT_PRIORITY), int(OrderFlag.HIDDEN)
MOST = 4  # updates that one row may cause


# --- the present state -----------------------------------------------------------------------------------------------


@compiled
def orders_on(core: Record, market: int) -> int:
    """Orders that rest on both sides, hidden ones included."""
    ladders = ladders_of(core)
    return int(ladders[market * LADDERS + BID].orders + ladders[market * LADDERS + ASK].orders)


@compiled
def begin_orders(core: Record, world: Record, market: int) -> None:
    """Somebody hears the orders of a market for the first time: take down those that are live."""
    orders = orders_of(core)
    for slot in range(1, core.orders_length):
        order = orders[slot]
        if order.market == market and order.place not in (GONE, KEPT):
            entry = shown_of(world)[order.order_id]
            entry.quantity = 0
            special = order.instructions & SPECIAL != 0
            terms = terms_of(core)[slot]
            entry.open = total_open(core, slot)
            entry.part = terms.display if special else 0
            entry.held = terms.reserve if special and terms.display == 0 else 0
            entry.price = order.price
            entry.partner = orders[terms.partner].order_id if special and terms.partner != 0 else 0
            entry.side = order.side
            waits = order.order_type != _LIMIT and order.place != RESTING
            entry.secret = 1 if waits or order.instructions & _HIDDEN != 0 else 0
    state = markets_of(world)[market]
    for kind in range(2):
        side = ladders_of(core)[market * LADDERS + kind]
        for position in range(side.start + side.rungs - 1, side.start - 1, -1):
            slot = levels_of(core)[rungs_of(core)[position].level].head
            while slot != 0:
                entry = shown_of(world)[orders[slot].order_id]
                state.sequence += 1
                entry.priority = state.sequence
                entry.quantity = orders[slot].leaves
                slot = orders[slot].next


@compiled
def send_orders(core: Record, world: Record, agent: int, market: int) -> None:
    """The whole book to one agent, side by side, from the best price, in the order of priority; room must be there."""
    head = _message(world, agent, market, _BEGIN)
    head.expire = markets_of(world)[market].sequence
    for kind in range(2):
        side = ladders_of(core)[market * LADDERS + kind]
        for position in range(side.start + side.rungs - 1, side.start - 1, -1):
            slot = levels_of(core)[rungs_of(core)[position].level].head
            while slot != 0:
                order_id = orders_of(core)[slot].order_id
                if shown_of(world)[order_id].quantity > 0:
                    message = _message(world, agent, market, _ADDED)
                    _describe(world, message, order_id, shown_of(world)[order_id].quantity)
                    message.expire = head.expire
                    head.quantity += 1
                slot = orders_of(core)[slot].next


# --- messages --------------------------------------------------------------------------------------------------------


@compiled
def _message(world: Record, agent: int, market: int, action: int) -> Record:
    message = from_venue(world, _UPDATE, agent, DATA_DOWN, market)
    message.instructions = action
    return message


@compiled
def _describe(world: Record, message: Record, order_id: int, quantity: int) -> None:
    entry = shown_of(world)[order_id]
    message.order_id = order_id
    message.side = entry.side
    message.price = entry.price
    message.quantity = quantity
    message.leaves = entry.quantity
    message.other_price = entry.priority


@compiled
def _tell(world: Record, market: int, action: int, order_id: int, quantity: int) -> None:
    """All who hear the orders are told what happened to one of them."""
    state = markets_of(world)[market]
    state.sequence += 1
    if action == _ADDED:
        shown_of(world)[order_id].priority = state.sequence
    subscriber = rosters_of(world)[market * ROSTERS + ORDER_LIST].head
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        message = _message(world, entry.agent, market, action)
        _describe(world, message, order_id, quantity)
        message.expire = state.sequence
        subscriber = entry.next


# --- what happens to an order ----------------------------------------------------------------------------------------


@compiled
def _add(world: Record, market: int, order_id: int, quantity: int) -> None:
    entry = shown_of(world)[order_id]
    if entry.secret == 0 and quantity > 0:
        entry.quantity = quantity
        _tell(world, market, _ADDED, order_id, quantity)


@compiled
def _remove(world: Record, market: int, order_id: int) -> None:
    entry = shown_of(world)[order_id]
    quantity = entry.quantity
    if quantity > 0:
        entry.quantity = 0
        _tell(world, market, _REMOVED, order_id, quantity)


@compiled
def _show(world: Record, market: int, order_id: int, quantity: int) -> None:
    """A displayed order displays another quantity, and keeps its place."""
    entry = shown_of(world)[order_id]
    if quantity == 0:
        _remove(world, market, order_id)
    elif entry.quantity > 0 and entry.quantity != quantity:
        entry.quantity = quantity
        _tell(world, market, _CHANGED, order_id, quantity)


@compiled
def _reduce(world: Record, market: int, order_id: int, leaves: int) -> None:
    """An order has so many lots left. What it does not display goes first, unless its partner traded."""
    entry = shown_of(world)[order_id]
    lost = entry.open - leaves
    shown = entry.quantity
    if entry.held > 0 and (order_id == world.owing[0] or order_id == world.owing[1]):
        shown -= min(lost, shown)
        entry.held = min(entry.held, leaves - shown)
    else:
        entry.held -= min(lost, entry.held)
        shown = leaves if entry.part == 0 and entry.held == 0 else min(shown, leaves)
    entry.open = leaves
    _show(world, market, order_id, shown)


@compiled
def _execute(world: Record, market: int, order_id: int, quantity: int) -> None:
    entry = shown_of(world)[order_id]
    entry.open -= quantity
    seen = min(quantity, entry.quantity)
    if seen > 0:
        entry.quantity -= seen
        _tell(world, market, _EXECUTED, order_id, seen)


@compiled
def _rest(world: Record, market: int) -> None:
    """The trades of the order in execution are over: what is left of it joins the book."""
    order_id = world.active
    world.active = 0
    if order_id != 0 and shown_of(world)[order_id].quantity == 0:
        entry = shown_of(world)[order_id]
        ready = entry.open - entry.held
        _add(world, market, order_id, min(ready, entry.part) if entry.part > 0 else ready)


@compiled
def _accept(world: Record, row: Record) -> None:
    entry = shown_of(world)[row.order_id]
    entry.quantity = 0
    entry.open = row.leaves
    entry.held = 0
    entry.part = 0
    entry.price = row.price
    entry.partner = 0
    entry.side = row.side
    entry.secret = 0 if row.order_type == _LIMIT and row["flags"] & _HIDDEN == 0 else 1


@compiled
def _link(world: Record, row: Record) -> None:
    """Conditions of a new order: what it displays, its partner, its parent."""
    entry = shown_of(world)[row.order_id]
    entry.part = row.quantity
    entry.partner = row.match_id
    shown_of(world)[row.match_id].partner = row.order_id  # entry 0 takes what nobody reads
    if row.price != 0:
        entry.held = entry.open


@compiled
def _trade(world: Record, row: Record) -> None:
    _execute(world, row.market, row.match_id, row.quantity)
    _execute(world, row.market, row.order_id, row.quantity)  # only in an auction is it displayed
    world.owing[0] = shown_of(world)[row.match_id].partner
    world.owing[1] = shown_of(world)[row.order_id].partner


@compiled
def _replace(world: Record, row: Record) -> None:
    entry = shown_of(world)[row.order_id]
    if row["flags"] & _KEPT_PRIORITY != 0:
        entry.price = row.price  # of a waiting stop
        _reduce(world, row.market, row.order_id, row.leaves)
        return
    _remove(world, row.market, row.order_id)
    entry.open = row.leaves
    entry.price = row.price


@compiled
def _reprice(world: Record, row: Record) -> None:
    """Of displayed orders only one that slides and a market-to-limit order that got its limit have a new price."""
    entry = shown_of(world)[row.order_id]
    if row.order_type == _LIMIT:
        entry.price = row.price
    elif row.order_type == _MARKET_TO_LIMIT:
        entry.price = row.price
        entry.secret = 0
        if world.active != row.order_id:  # it waited for the auction
            _add(world, row.market, row.order_id, row.leaves)


@compiled
def follow_row(world: Record, row: Record) -> None:
    """Tell what a row means for the displayed orders; room must be there.

    ``world.active`` is still the order that was in execution before the row.
    """
    kind, market, order_id = row.kind, row.market, row.order_id
    if kind == _TRADE:
        _trade(world, row)
        return
    if kind == _CANCELED or kind == _EXPIRED:
        _reduce(world, market, order_id, row.leaves)
        return
    world.owing[0] = 0
    world.owing[1] = 0
    if world.active != order_id and (kind == _TRIGGERED or kind == _ACTIVATED or kind == _REPRICED):
        _rest(world, market)
    if kind == _ACCEPTED:
        _accept(world, row)
    elif kind == _CONDITIONS:
        _link(world, row)
    elif kind == _REPLACED:
        _replace(world, row)
    elif kind == _TRIGGERED:
        shown_of(world)[order_id].secret = 0 if row.order_type == _STOP_LIMIT else 1
    elif kind == _ACTIVATED:
        _remove(world, market, order_id)
        shown_of(world)[order_id].held -= min(row.quantity, shown_of(world)[order_id].held)
    elif kind == _REFRESHED:
        _remove(world, market, order_id)
        _add(world, market, order_id, row.quantity)
    elif kind == _REPRICED:
        _reprice(world, row)


@compiled
def settle_orders(core: Record, world: Record, market: int) -> int:
    """The request is over: its order rests where the book says so. DONE, or SHORT_OF_MESSAGES and nothing happened."""
    slot = slots_of(core)[world.active]
    if slot <= 0 or orders_of(core)[slot].place != RESTING:
        world.active = 0
        return DONE
    if not has_room(world, rosters_of(world)[market * ROSTERS + ORDER_LIST].count):
        return SHORT_OF_MESSAGES
    _rest(world, market)
    return DONE
