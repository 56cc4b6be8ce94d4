"""Publication: what a venue tells after a request, and to whom.

Reports go to the owners of the orders, market data to the subscribers. Whatever may have many receivers first sees that
there is room for all of them and otherwise answers a SHORT_OF code, so that it can be resumed. It changes no book.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.exchange.ladder import best_level, level_at
from marketsim.exchange.state import (
    ASK,
    BID,
    LADDERS,
    NO_MARKET,
    books_of,
    events_of,
    ladders_of,
    levels_of,
    rungs_of,
    touched_of,
)
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.mail import from_venue, has_room
from marketsim.population.prints import has_print_room, remember_trade
from marketsim.population.state import (
    DATA_DOWN,
    DONE,
    REPORTS_DOWN,
    SHORT_OF_MESSAGES,
    SHORT_OF_PRINTS,
    foresee_agent,
    markets_of,
    subscribers_of,
)

_QUOTE, _TRADE_PRINT, _LEVEL = int(Kind.QUOTE), int(Kind.TRADE_PRINT), int(Kind.LEVEL)
_SNAPSHOT, _SNAPSHOT_LEVEL, _REPORT = int(Kind.SNAPSHOT), int(Kind.SNAPSHOT_LEVEL), int(Kind.REPORT)
_IMBALANCE = int(Kind.IMBALANCE)
_TRADE, _CANCELED = int(EventKind.TRADE), int(EventKind.CANCELED)
_EXPIRED, _TERMS = int(EventKind.EXPIRED), int(EventKind.TERMS)
IDLE, REPORTING, LEVELS, QUOTES = 0, 1, 2, 3  # stages


@compiled
def _report_to(world: Record, row: Record, receiver: int, order_id: int, side: int, leaves: int, maker: int) -> None:
    message = from_venue(world, _REPORT + row.kind, receiver, REPORTS_DOWN, row.market)
    message.order_id = order_id
    message.side = side
    message.price = row.price
    message.quantity = row.quantity
    message.leaves = leaves
    message.order_type = row.order_type
    message.time_in_force = row.time_in_force
    message.instructions = maker
    message.reason = row.reason


@compiled
def _print_trade(world: Record, row: Record) -> None:
    subscriber = markets_of(world)[row.market].trades
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        message = from_venue(world, _TRADE_PRINT, entry.agent, DATA_DOWN, row.market)
        message.side = row.side
        message.price = row.price
        message.quantity = row.quantity
        subscriber = entry.next


@compiled
def _report_rows(core: Record, world: Record) -> int:
    """Every row that the request wrote becomes the reports of those whom it concerns."""
    events = events_of(core)
    while world.row < core.log_count:
        row = events[world.row]
        known = row.market != NO_MARKET
        wanted = markets_of(world)[row.market].subscribers if known else 0
        if not has_room(world, 2 + wanted):
            return SHORT_OF_MESSAGES
        if row.kind == _TRADE:
            if not has_print_room(markets_of(world)[row.market], world.now):
                world.culprit = row.market
                return SHORT_OF_PRINTS
            foresee_agent(world, row.peer)
            remember_trade(markets_of(world)[row.market], world.now, row.side, row.quantity)
            _report_to(world, row, row.owner, row.order_id, row.side, world.open - row.quantity, 0)
            world.open -= row.quantity
            _report_to(world, row, row.peer, row.match_id, -row.side, row.leaves, 1)
            _print_trade(world, row)
        else:
            if row.kind != _CANCELED and row.kind != _EXPIRED:
                world.open = row.leaves
            if row.kind != _TERMS:
                _report_to(world, row, row.owner, row.order_id, row.side, row.leaves, 0)
        world.row += 1
    return DONE


@compiled
def _publish_levels(core: Record, world: Record) -> int:
    touched = touched_of(core)
    while world.touch < core.touches:
        change = touched[world.touch]
        market = change.ladder // LADDERS
        if not has_room(world, markets_of(world)[market].subscribers):
            return SHORT_OF_MESSAGES
        book = books_of(core)[market]
        book.sequence += 1
        level = level_at(core, change.ladder, change.price)
        subscriber = markets_of(world)[market].levels
        while subscriber != 0:
            entry = subscribers_of(world)[subscriber]
            message = from_venue(world, _LEVEL, entry.agent, DATA_DOWN, market)
            message.side = 1 if change.ladder % LADDERS == BID else -1
            message.price = change.price
            message.quantity = levels_of(core)[level].quantity if level != 0 else 0
            message.expire = book.sequence
            subscriber = entry.next
        world.touch += 1
    core.touches = 0
    world.touch = 0
    return DONE


@compiled
def fill_quote(core: Record, message: Record, market: int) -> None:
    """Write the best bid and ask into a QUOTE; a quantity of 0 means that the side is empty."""
    bid = best_level(core, market * LADDERS + BID)
    ask = best_level(core, market * LADDERS + ASK)
    levels = levels_of(core)
    if bid != 0:
        message.price = levels[bid].price
        message.quantity = levels[bid].quantity
    if ask != 0:
        message.other_price = levels[ask].price
        message.leaves = levels[ask].quantity
    message.expire = books_of(core)[market].last_price


@compiled
def _publish_quotes(core: Record, world: Record) -> int:
    """Tell the subscribers when the best bid or ask is another than the one last told."""
    market = world.market
    state = markets_of(world)[market]
    if state.quotes == 0:
        return DONE
    bid = best_level(core, market * LADDERS + BID)
    ask = best_level(core, market * LADDERS + ASK)
    levels = levels_of(core)
    bid_price = levels[bid].price if bid != 0 else 0
    bid_quantity = levels[bid].quantity if bid != 0 else 0
    ask_price = levels[ask].price if ask != 0 else 0
    ask_quantity = levels[ask].quantity if ask != 0 else 0
    if (
        bid_price == state.bid
        and bid_quantity == state.bid_quantity
        and ask_price == state.ask
        and ask_quantity == state.ask_quantity
    ):
        return DONE
    if not has_room(world, state.subscribers):
        return SHORT_OF_MESSAGES
    state.bid = bid_price
    state.bid_quantity = bid_quantity
    state.ask = ask_price
    state.ask_quantity = ask_quantity
    subscriber = state.quotes
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        fill_quote(core, from_venue(world, _QUOTE, entry.agent, DATA_DOWN, market), market)
        subscriber = entry.next
    return DONE


@compiled
def publish_imbalance(core: Record, world: Record, market: int) -> int:
    """Tell those who watch when a side of the book comes to hold more than their share of it, and when no longer."""
    state = markets_of(world)[market]
    if state.imbalances == 0:
        return DONE
    if not has_room(world, state.subscribers):
        return SHORT_OF_MESSAGES
    bid = ladders_of(core)[market * LADDERS + BID].quantity
    ask = ladders_of(core)[market * LADDERS + ASK].quantity
    subscriber = state.imbalances
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        heavy = 0
        if bid > entry.share * (bid + ask):
            heavy = 1
        elif ask > entry.share * (bid + ask):
            heavy = -1
        if heavy != entry.heavy:
            entry.heavy = heavy
            message = from_venue(world, _IMBALANCE, entry.agent, DATA_DOWN, market)
            message.side = heavy
            message.quantity = bid
            message.leaves = ask
        subscriber = entry.next
    return DONE


@compiled
def finish_request(core: Record, world: Record) -> int:
    """The stages after matching: reports, levels, quotes. Resumed where it stopped for want of room."""
    if world.stage == REPORTING:
        status = _report_rows(core, world)
        if status != DONE:
            return status
        world.stage = LEVELS
    if world.stage == LEVELS:
        status = _publish_levels(core, world)
        if status != DONE:
            return status
        world.stage = QUOTES
    if world.market != NO_MARKET:
        status = _publish_quotes(core, world)
        if status != DONE:
            return status
        status = publish_imbalance(core, world, world.market)
        if status != DONE:
            return status
    world.stage = IDLE
    return DONE


@compiled
def send_snapshot(core: Record, world: Record, agent: int, market: int) -> None:
    """The whole book, level by level from the best, under the feed's current sequence."""
    ladders = ladders_of(core)
    rungs = rungs_of(core)
    levels = levels_of(core)
    first = market * LADDERS
    head = from_venue(world, _SNAPSHOT, agent, DATA_DOWN, market)
    head.quantity = ladders[first + BID].rungs + ladders[first + ASK].rungs
    head.expire = books_of(core)[market].sequence
    for kind in range(2):
        side = ladders[first + kind]
        for position in range(side.start + side.rungs - 1, side.start - 1, -1):
            level = levels[rungs[position].level]
            message = from_venue(world, _SNAPSHOT_LEVEL, agent, DATA_DOWN, market)
            message.side = 1 if kind == BID else -1
            message.price = level.price
            message.quantity = level.quantity
            message.expire = head.expire
