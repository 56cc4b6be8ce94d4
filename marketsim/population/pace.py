"""Pace: data that is told once in a while: conflated quotes and levels, and bars.

All who hear the same data of a market at the same pace are told together (a PACED roster). A roster that was not told
for its pace is told at once, and else when the venue's timer rings (a FLUSH), always the latest state, so the last
change always arrives. While its timer runs a roster is not looked at again, so a change costs nothing where it is told
later with others. It decides nothing about what a book looks like.
"""

from __future__ import annotations

from marketsim.domain.message import Kind, Wanted
from marketsim.exchange.state import books_of
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.bars import publish_bar
from marketsim.population.changes import changes_since, oldest_since
from marketsim.population.display import fill_quote, is_quote, keep_quote, send_level
from marketsim.population.mail import drop_first, envelope, from_venue, has_room
from marketsim.population.state import (
    DATA_DOWN,
    DONE,
    SHORT_OF_MESSAGES,
    changed_of,
    markets_of,
    paced_of,
    subscribers_of,
)

_QUOTE, _FLUSH = int(Kind.QUOTE), int(Kind.FLUSH)
_QUOTES, _BARS = int(Wanted.QUOTES), int(Wanted.BARS)


@compiled
def ring_at(world: Record, number: int, time: int) -> None:
    """The venue's timer will ring for a roster; room must be there."""
    paced = paced_of(world)[number]
    message = envelope(world, time, -1 - markets_of(world)[paced.market].venue)
    message.kind = _FLUSH
    message.sent = world.now
    message.sender = -1
    message.market = paced.market
    message.order_id = number
    message.ready = 1


@compiled
def _is_up_to_date(core: Record, paced: Record) -> bool:
    """Whether a roster was told of the latest change already."""
    if paced.kind == _QUOTES:
        return is_quote(core, paced.market, paced)
    return bool(paced.stamp == books_of(core)[paced.market].sequence)


@compiled
def _tell(core: Record, world: Record, paced: Record) -> int:
    """Tell a roster what has changed since it was last told: DONE, or SHORT_OF_MESSAGES and nothing has happened."""
    if _is_up_to_date(core, paced):
        return DONE
    changes = 1 if paced.kind == _QUOTES else changes_since(world, paced.market, paced.stamp)
    if not has_room(world, changes * paced.count):
        return SHORT_OF_MESSAGES
    if paced.kind == _QUOTES:
        keep_quote(core, paced.market, paced)
        subscriber = paced.head
        while subscriber != 0:
            entry = subscribers_of(world)[subscriber]
            fill_quote(core, from_venue(world, _QUOTE, entry.agent, DATA_DOWN, paced.market), paced.market)
            subscriber = entry.next
    else:
        place = oldest_since(world, paced.market, paced.stamp)
        while place != 0:
            change = changed_of(world)[place]
            paced.sequence += 1
            send_level(core, world, paced.head, change.ladder, change.price, paced.sequence)
            place = change.newer
        paced.stamp = books_of(core)[paced.market].sequence
    paced.due = world.now + paced.pace
    return DONE


@compiled
def wake_paced(core: Record, world: Record, market: int, kind: int) -> int:
    """Quotes or levels of a market have changed: tell the rosters whose time has come, set timers for the others.

    DONE, or SHORT_OF_MESSAGES; it is to be called again then, and tells nobody twice.
    """
    state = markets_of(world)[market]
    before = 0
    number = state.idle_quotes if kind == _QUOTES else state.idle_levels
    while number != 0:
        paced = paced_of(world)[number]
        then = paced.idle
        if world.now >= paced.due:
            status = _tell(core, world, paced)
            if status != DONE:
                return status
            before = number
        elif not _is_up_to_date(core, paced):
            if not has_room(world, 1):
                return SHORT_OF_MESSAGES
            ring_at(world, number, paced.due)
            if before != 0:
                paced_of(world)[before].idle = then
            elif kind == _QUOTES:
                state.idle_quotes = then
            else:
                state.idle_levels = then
        else:
            before = number
        number = then
    return DONE


@compiled
def flush(core: Record, world: Record, number: int) -> int:
    """The timer of a roster rings: DONE, or SHORT_OF_MESSAGES and nothing has happened."""
    paced = paced_of(world)[number]
    if paced.kind == _BARS:
        if not has_room(world, paced.count + 1):
            return SHORT_OF_MESSAGES
        drop_first(world)
        if world.now >= paced.due:
            publish_bar(world, paced)
        ring_at(world, number, paced.due)
        return DONE
    status = _tell(core, world, paced)
    if status != DONE:
        return status
    drop_first(world)
    market = markets_of(world)[paced.market]
    if paced.kind == _QUOTES:
        paced.idle = market.idle_quotes
        market.idle_quotes = number
    else:
        paced.idle = market.idle_levels
        market.idle_levels = number
    return DONE
