"""Publication: what a venue tells after a request, and to whom.

Reports go to the owners of the orders, market data to the subscribers of its kind, so that a request costs in
proportion to those who receive something. Whatever may have many receivers first sees that there is room for all of
them and otherwise answers a SHORT_OF code, so that it can be resumed. It changes no book.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import OrderFlag
from marketsim.exchange.clearing import clear_row
from marketsim.exchange.orders import total_open
from marketsim.exchange.settling import settle
from marketsim.exchange.state import LADDERS, NO_MARKET, SHORT_OF_LOG, books_of, events_of, slots_of, touched_of
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.bars import close_bars, count_trade
from marketsim.population.changes import has_change_room, note_change
from marketsim.population.display import fill_quote, is_quote, keep_quote, send_level
from marketsim.population.imbalance import publish_imbalance
from marketsim.population.mail import from_venue, has_room, number_report
from marketsim.population.order_feed import MOST, follow_row, settle_orders
from marketsim.population.pace import wake_paced
from marketsim.population.prints import has_print_room, remember_trade
from marketsim.population.sessions import look_after, sessions_of
from marketsim.population.state import (
    DATA_DOWN,
    DONE,
    LEVEL_LIST,
    ORDER_LIST,
    PACED_LEVELS,
    PACED_QUOTES,
    QUOTE_LIST,
    REPORTS_DOWN,
    ROSTERS,
    SHORT_OF_CHANGED,
    SHORT_OF_MESSAGES,
    SHORT_OF_PRINTS,
    SHORT_OF_SHOWN,
    TRADE_LIST,
    agents_of,
    clearing_of,
    foresee_agent,
    markets_of,
    rosters_of,
    subscribers_of,
)
from marketsim.population.status import publish_indicative, publish_status

_QUOTE, _TRADE_PRINT, _REPORT = int(Kind.QUOTE), int(Kind.TRADE_PRINT), int(Kind.REPORT)
_QUOTES, _TRADES, _LEVELS = int(Wanted.QUOTES), int(Wanted.TRADES), int(Wanted.LEVELS)
_ORDERS, _BARS = int(Wanted.ORDERS), int(Wanted.BARS)
_TRADE, _CANCELED, _EXPIRED = int(EventKind.TRADE), int(EventKind.CANCELED), int(EventKind.EXPIRED)
_AUCTION = int(OrderFlag.AUCTION)
_PHASE, _INDICATIVE = int(EventKind.PHASE), int(EventKind.INDICATIVE)
IDLE, REPORTING, RESTING, LEVELS, QUOTES = 0, 1, 2, 3, 4  # stages


def _bits(*kinds: EventKind) -> int:
    return sum(1 << kind for kind in kinds)


# Rows that are nobody's answer: they add to the row before, or tell of a market.
_SILENT = _bits(EventKind.TERMS, EventKind.CONDITIONS, EventKind.MARK)
# Rows of a clearing house to the owner of an account; they concern no order.
_OF_ACCOUNTS = _bits(EventKind.FUNDING, EventKind.SETTLED, EventKind.LIQUIDATION, EventKind.MARGIN_CALL)
# Rows after which their order may trade as the aggressor.
_BEGINS = _bits(EventKind.ACCEPTED, EventKind.REPLACED, EventKind.TRIGGERED, EventKind.ACTIVATED, EventKind.REPRICED)


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
    if agents_of(world)[receiver].sessions != 0:
        number_report(world, message)


@compiled
def _print_trade(world: Record, row: Record) -> None:
    subscriber = rosters_of(world)[row.market * ROSTERS + TRADE_LIST].head
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        message = from_venue(world, _TRADE_PRINT, entry.agent, DATA_DOWN, row.market)
        message.side = row.side
        message.price = row.price
        message.quantity = row.quantity
        subscriber = entry.next


@compiled
def _open_before(core: Record, world: Record, order_id: int) -> int:
    """Open lots of the buying order of an auction before its first trade there, which is the present row.

    A row tells the seller's rest only. The buyer's is found in what the request does to it afterwards; all its trades
    of the auction follow each other.
    """
    events = events_of(core)
    total = 0
    for place in range(world.row, core.log_count):
        row = events[place]
        if row.kind == _TRADE and row["flags"] & _AUCTION != 0:
            if row.order_id != order_id:
                return total
            total += row.quantity
        elif row.kind == _TRADE:
            if row.match_id == order_id:
                return int(total + row.quantity + row.leaves)
        elif row.order_id == order_id:
            gone = row.quantity if row.kind == _CANCELED or row.kind == _EXPIRED else 0
            return int(total + gone + row.leaves)
    slot = slots_of(core)[order_id]
    return int(total + total_open(core, slot)) if slot > 0 else total


@compiled
def _room_for_data(core: Record, world: Record, row: Record, wanted: int) -> int:
    """DONE when there is room for two reports and all the data that a row may cause; bars that have ended are told."""
    count = 4
    if wanted & _TRADES and row.kind == _TRADE:
        count += rosters_of(world)[row.market * ROSTERS + TRADE_LIST].count
    if wanted & _ORDERS:
        count += MOST * rosters_of(world)[row.market * ROSTERS + ORDER_LIST].count
        if world.shown_length <= core.next_id:
            return SHORT_OF_SHOWN
    if wanted & _BARS and row.kind == _TRADE:
        status = close_bars(world, row.market)
        if status != DONE:
            return status
    return DONE if has_room(world, count) else SHORT_OF_MESSAGES


@compiled
def _report_trade(core: Record, world: Record, row: Record, wanted: int) -> None:
    """Both sides and the public hear of a trade; room must be there."""
    foresee_agent(world, row.peer)
    if world.clearing != 0:
        clear_row(clearing_of(world), row)
    remember_trade(markets_of(world)[row.market], world.now, row.side, row.quantity)
    if row["flags"] & _AUCTION != 0 and row.order_id != world.active:
        world.active = row.order_id
        world.open = _open_before(core, world, row.order_id)
    auction = row["flags"] & _AUCTION
    _report_to(world, row, row.owner, row.order_id, row.side, world.open - row.quantity, auction)
    world.open -= row.quantity
    _report_to(world, row, row.peer, row.match_id, -row.side, row.leaves, auction + 1)
    if wanted & _TRADES:
        _print_trade(world, row)
    if wanted & _BARS:
        count_trade(world, row.market, row.price, row.quantity)
    if wanted & _ORDERS:
        follow_row(world, row)


@compiled
def _announce(core: Record, world: Record, row: Record) -> int:
    """A row about a market itself: tell those who follow its phases, or its auction."""
    if row.kind == _INDICATIVE:
        return publish_indicative(world, row.market, row.price, row.quantity, row.leaves, row.side)
    state = markets_of(world)[row.market]
    state.phase_reason = row.reason
    state.phase_until = sessions_of(world)[row.market].until if world.sessions != 0 else 0
    return publish_status(core, world, row.market)


@compiled
def _report_rows(core: Record, world: Record) -> int:
    """Every row that the request wrote becomes the reports of those whom it concerns."""
    events = events_of(core)
    while world.row < core.log_count:
        row = events[world.row]
        wanted = markets_of(world)[row.market].wanted if row.market != NO_MARKET else 0
        if wanted & (_TRADES | _ORDERS | _BARS):
            status = _room_for_data(core, world, row, wanted)
            if status != DONE:
                return status
        elif not has_room(world, 4):
            return SHORT_OF_MESSAGES
        if row.kind == _TRADE:
            if not has_print_room(markets_of(world)[row.market], world.now):
                world.culprit = row.market
                return SHORT_OF_PRINTS
            _report_trade(core, world, row, wanted)
        elif row.kind == _PHASE or row.kind == _INDICATIVE:
            status = _announce(core, world, row)
            if status != DONE:
                return status
        else:
            if wanted & _ORDERS:
                follow_row(world, row)
            if world.clearing != 0 and row.market != NO_MARKET:
                clear_row(clearing_of(world), row)
            kind = 1 << int(row.kind)
            if kind & _BEGINS:
                world.active = row.order_id
                world.open = row.leaves
            elif row.order_id == world.active and (row.kind == _CANCELED or row.kind == _EXPIRED):
                world.open = row.leaves
            if kind & _OF_ACCOUNTS:
                _report_to(world, row, row.owner, 0, row.side, row.leaves, row["flags"])
            elif kind & _SILENT == 0:
                _report_to(world, row, row.owner, row.order_id, row.side, row.leaves, 0)
        world.row += 1
    return DONE


@compiled
def _publish_levels(core: Record, world: Record) -> int:
    touched = touched_of(core)
    while world.touch < core.touches:
        change = touched[world.touch]
        market = change.ladder // LADDERS
        wanted = markets_of(world)[market].wanted
        roster = rosters_of(world)[market * ROSTERS + LEVEL_LIST]
        if not has_room(world, roster.count):
            return SHORT_OF_MESSAGES
        if wanted & PACED_LEVELS and not has_change_room(world):
            return SHORT_OF_CHANGED
        book = books_of(core)[market]
        book.sequence += 1
        send_level(core, world, roster.head, change.ladder, change.price, book.sequence)
        if wanted & PACED_LEVELS:
            note_change(world, change.ladder, change.price, book.sequence)
        world.touch += 1
    core.touches = 0
    world.touch = 0
    return DONE


@compiled
def _publish_quotes(core: Record, world: Record, market: int) -> int:
    """Tell the subscribers when the best bid or ask is another than the one last told."""
    state = markets_of(world)[market]
    if is_quote(core, market, state):
        return DONE
    roster = rosters_of(world)[market * ROSTERS + QUOTE_LIST]
    if not has_room(world, roster.count):
        return SHORT_OF_MESSAGES
    keep_quote(core, market, state)
    subscriber = roster.head
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        fill_quote(core, from_venue(world, _QUOTE, entry.agent, DATA_DOWN, market), market)
        subscriber = entry.next
    return DONE


@compiled
def _publish_market(core: Record, world: Record, market: int) -> int:
    """What the whole request did to a market: quotes, conflated data, imbalance. It can be called again."""
    wanted = markets_of(world)[market].wanted
    status = DONE
    if wanted & _QUOTES:
        status = _publish_quotes(core, world, market)
    if status == DONE and wanted & PACED_QUOTES:
        status = wake_paced(core, world, market, _QUOTES)
    if status == DONE and wanted & PACED_LEVELS:
        status = wake_paced(core, world, market, _LEVELS)
    return publish_imbalance(core, world, market) if status == DONE else status


@compiled
def publish(core: Record, world: Record, first_row: int, market: int, last_market: int) -> int:
    """Begin to tell what a request did, from its first row in the log on, in these markets; none where last < first.

    DONE, or a SHORT_OF code: ``finish_request`` goes on then.
    """
    world.row = first_row
    world.touch = 0
    world.active = 0
    world.market = market
    world.last_market = last_market
    world.stage = REPORTING
    return finish_request(core, world)


@compiled
def finish_request(core: Record, world: Record) -> int:
    """The stages after matching: reports, with what follows from the request, levels, quotes.

    Resumed where it stopped for want of room.
    """
    while world.stage == REPORTING:
        status = _report_rows(core, world)
        if status != DONE:
            return status
        step = settle(core) if core.unsettled != 0 else 0
        if step < 0:
            world.row = 0 if step == SHORT_OF_LOG else world.row  # all rows are told: the next chunk has new ones
            return step
        if step == 0:
            world.stage = RESTING
    if world.stage == RESTING:
        if world.market <= world.last_market and markets_of(world)[world.market].wanted & _ORDERS:
            status = settle_orders(core, world, world.market)
            if status != DONE:
                return status
        world.stage = LEVELS
    if world.stage == LEVELS:
        if core.touches != 0:
            status = _publish_levels(core, world)
            if status != DONE:
                return status
        world.stage = QUOTES
    while world.market <= world.last_market:
        status = _publish_market(core, world, world.market)
        if status != DONE:
            return status
        if world.sessions != 0:
            if not has_room(world, 1):
                return SHORT_OF_MESSAGES
            look_after(core, world, world.market)
        world.market += 1
    world.stage = IDLE
    return DONE
