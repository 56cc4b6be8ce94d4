"""Subscription: who hears which data of a market from now on, and the present state that a new subscriber is told.

Everybody is on a list of their own kind of data, so that what is published costs in proportion to those who receive it.
"""

from __future__ import annotations

from marketsim.domain.message import Kind, Wanted
from marketsim.exchange.state import books_of
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.bars import begin_bar
from marketsim.population.display import fill_quote, keep_quote, rungs_on, send_snapshot
from marketsim.population.gateway import begin_heartbeat
from marketsim.population.imbalance import publish_imbalance, watch
from marketsim.population.mail import from_venue, has_room
from marketsim.population.order_feed import begin_orders, orders_on, send_orders
from marketsim.population.pace import ring_at
from marketsim.population.session import loses_data
from marketsim.population.state import (
    DATA_DOWN,
    DONE,
    INDICATIVE_LIST,
    LEVEL_LIST,
    ORDER_LIST,
    PACED_LEVELS,
    PACED_QUOTES,
    QUOTE_LIST,
    REPORTS_DOWN,
    ROSTERS,
    SHORT_OF_CHANGED,
    SHORT_OF_MESSAGES,
    SHORT_OF_PACED,
    SHORT_OF_SHOWN,
    SHORT_OF_SUBSCRIBERS,
    STATUS_LIST,
    TRADE_LIST,
    markets_of,
    paced_of,
    rosters_of,
    subscribers_of,
)
from marketsim.population.status import tell_indicative, tell_status

_QUOTE = int(Kind.QUOTE)
_QUOTES, _TRADES, _LEVELS = int(Wanted.QUOTES), int(Wanted.TRADES), int(Wanted.LEVELS)
_IMBALANCE, _ORDERS, _STATUS = int(Wanted.IMBALANCE), int(Wanted.ORDERS), int(Wanted.STATUS)
_BARS, _INDICATIVE = int(Wanted.BARS), int(Wanted.INDICATIVE)
_LONGEST = 1 << 60  # ns between two updates


@compiled
def _join(world: Record, roster: Record, agent: int) -> None:
    """Put an agent behind the last of a ROSTER or a PACED; room must be there."""
    subscribers = subscribers_of(world)
    entry = world.subscribers_count
    world.subscribers_count += 1
    subscribers[entry].agent = agent
    subscribers[entry].next = 0
    if roster.count == 0:
        roster.head = entry
    else:
        subscribers[roster.tail].next = entry
    roster.tail = entry
    roster.count += 1


@compiled
def _enlist(world: Record, market: int, kind: int, wanted: int, agent: int) -> None:
    """An agent hears each change of one kind of data; room must be there."""
    _join(world, rosters_of(world)[market * ROSTERS + kind], agent)
    markets_of(world)[market].wanted |= wanted


@compiled
def _find_paced(world: Record, number: int, kind: int, pace: int) -> int:
    """The roster of a kind and pace on a list that begins with ``number``; 0 when there is none."""
    while number != 0:
        paced = paced_of(world)[number]
        if paced.kind == kind and paced.pace == pace:
            return int(number)
        number = paced.next
    return 0


@compiled
def _new_paced(world: Record, market: int, kind: int, pace: int) -> int:
    """A roster without anybody yet; room must be there."""
    number = world.paced_count
    world.paced_count += 1
    paced = paced_of(world)[number]
    paced.kind = kind
    paced.market = market
    paced.pace = pace
    return int(number)


@compiled
def _pace_of(request: Record, kind: int) -> int:
    """ns between two updates that a request asks for; 0: each change."""
    asked = request.other_price if kind == _BARS else request.expire
    return int(min(max(asked, 0), _LONGEST))


@compiled
def _hear_paced(core: Record, world: Record, market: int, kind: int, pace: int, agent: int) -> int:
    """An agent hears conflated quotes or levels; answers the roster's number. Room must be there."""
    state = markets_of(world)[market]
    number = _find_paced(world, state.paced, kind, pace)
    if number == 0:
        number = _new_paced(world, market, kind, pace)
        paced = paced_of(world)[number]
        paced.due = world.now + pace
        paced.next = state.paced
        state.paced = number
        if kind == _QUOTES:
            keep_quote(core, market, paced)
            paced.idle = state.idle_quotes
            state.idle_quotes = number
            state.wanted |= PACED_QUOTES
        else:
            paced.stamp = books_of(core)[market].sequence
            paced.idle = state.idle_levels
            state.idle_levels = number
            state.wanted |= PACED_LEVELS
    _join(world, paced_of(world)[number], agent)
    return number


@compiled
def _hear_bars(core: Record, world: Record, market: int, pace: int, agent: int) -> None:
    """An agent hears bars, from the one under way on; room must be there."""
    state = markets_of(world)[market]
    number = _find_paced(world, state.bars, _BARS, pace)
    if number == 0:
        number = _new_paced(world, market, _BARS, pace)
        bar = paced_of(world)[number]
        bar.due = (world.now // pace + 1) * pace
        bar.next = state.bars
        state.bars = number
        state.wanted |= _BARS
        begin_bar(bar, books_of(core)[market].last_price)
        ring_at(world, number, bar.due)
    _join(world, paced_of(world)[number], agent)


@compiled
def _room(core: Record, world: Record, request: Record) -> int:
    """DONE when there is room for all that a request could need."""
    market = request.market
    wanted = request.instructions
    messages = 8 + rungs_on(core, market)
    if wanted & _ORDERS:
        messages += orders_on(core, market)
        if world.shown_length <= core.next_id:
            return SHORT_OF_SHOWN
    if not has_room(world, messages):
        return SHORT_OF_MESSAGES
    if world.subscribers_length - world.subscribers_count < ROSTERS:
        return SHORT_OF_SUBSCRIBERS
    if world.paced_length - world.paced_count < 3:
        return SHORT_OF_PACED
    if wanted & _LEVELS and _pace_of(request, _LEVELS) > 0 and world.buckets_length == 1:
        return SHORT_OF_CHANGED
    return DONE


@compiled
def subscribe(core: Record, world: Record, request: Record) -> int:
    """From now on the sender hears what it asked for; it is told the present state at once.

    DONE, or a SHORT_OF code and nothing has happened.
    """
    market = request.market
    if not 0 <= market < world.markets_count:
        return DONE
    status = _room(core, world, request)
    if status != DONE:
        return status
    agent = request.sender
    wanted = request.instructions
    channel = REPORTS_DOWN if loses_data(world, agent) else DATA_DOWN  # so that the beginning is not lost
    if wanted & _QUOTES:
        pace = _pace_of(request, _QUOTES)
        if pace > 0:
            _hear_paced(core, world, market, _QUOTES, pace, agent)
        else:
            _enlist(world, market, QUOTE_LIST, _QUOTES, agent)
        fill_quote(core, from_venue(world, _QUOTE, agent, channel, market), market)
    if wanted & _TRADES:
        _enlist(world, market, TRADE_LIST, _TRADES, agent)
    if wanted & _LEVELS:
        pace = _pace_of(request, _LEVELS)
        book = books_of(core)[market]
        book.track = 1
        if pace > 0:
            number = _hear_paced(core, world, market, _LEVELS, pace, agent)
            send_snapshot(core, world, agent, market, paced_of(world)[number].sequence, channel)
        else:
            _enlist(world, market, LEVEL_LIST, _LEVELS, agent)
            send_snapshot(core, world, agent, market, book.sequence, channel)
        begin_heartbeat(world, market, agent)
    if wanted & _ORDERS:
        if markets_of(world)[market].wanted & _ORDERS == 0:
            begin_orders(core, world, market)
        _enlist(world, market, ORDER_LIST, _ORDERS, agent)
        send_orders(core, world, agent, market)
    if wanted & _STATUS:
        _enlist(world, market, STATUS_LIST, _STATUS, agent)
        tell_status(core, world, agent, market)
    if wanted & _BARS and _pace_of(request, _BARS) > 0:
        _hear_bars(core, world, market, _pace_of(request, _BARS), agent)
    if wanted & _INDICATIVE:
        _enlist(world, market, INDICATIVE_LIST, _INDICATIVE, agent)
        if markets_of(world)[market].indicative_price != 0 or markets_of(world)[market].indicative_quantity != 0:
            tell_indicative(world, agent, market)
    if wanted & _IMBALANCE:
        watch(core, world, market, agent, request.price / 1_000_000)
        return publish_imbalance(core, world, market)
    return DONE


@compiled
def recover(core: Record, world: Record, request: Record) -> int:
    """A book once more, over the session, to somebody who missed something; ``expire`` as in the subscription.

    DONE, or a SHORT_OF code and nothing has happened.
    """
    market = request.market
    if not 0 <= market < world.markets_count:
        return DONE
    if not has_room(world, 2 + rungs_on(core, market)):
        return SHORT_OF_MESSAGES
    sequence = books_of(core)[market].sequence
    pace = _pace_of(request, _LEVELS)
    number = _find_paced(world, markets_of(world)[market].paced, _LEVELS, pace) if pace > 0 else 0
    if number != 0:
        sequence = paced_of(world)[number].sequence
    send_snapshot(core, world, request.sender, market, sequence, REPORTS_DOWN)
    return DONE
