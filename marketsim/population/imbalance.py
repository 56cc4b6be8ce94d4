"""Imbalance: tells those who watch when a side of the book comes to hold more than their share of it, and when no
longer.

Those who watch a market stand in the order of their shares. Those who were told of a heavy side are the first of them,
so a change of the book looks only at those who are told something now, and at one more.
"""

from __future__ import annotations

from marketsim.domain.message import Kind, Wanted
from marketsim.exchange.state import ASK, BID, LADDERS, ladders_of
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.mail import from_venue, has_room
from marketsim.population.state import (
    DATA_DOWN,
    DONE,
    IMBALANCE_LIST,
    ROSTERS,
    SHORT_OF_MESSAGES,
    markets_of,
    rosters_of,
    subscribers_of,
)

_IMBALANCE, _WANTED = int(Kind.IMBALANCE), int(Wanted.IMBALANCE)


@compiled
def _tell(core: Record, world: Record, market: int, subscriber: int, side: int) -> None:
    message = from_venue(world, _IMBALANCE, subscribers_of(world)[subscriber].agent, DATA_DOWN, market)
    message.side = side
    message.quantity = ladders_of(core)[market * LADDERS + BID].quantity
    message.leaves = ladders_of(core)[market * LADDERS + ASK].quantity


@compiled
def _is_heavy(core: Record, market: int, side: int, share: float) -> bool:
    """Whether a side holds more than a share of the book."""
    bid = ladders_of(core)[market * LADDERS + BID].quantity
    ask = ladders_of(core)[market * LADDERS + ASK].quantity
    return bool((bid if side > 0 else ask) > share * (bid + ask))


@compiled
def watch(core: Record, world: Record, market: int, agent: int, share: float) -> None:
    """An agent wants to be told; room must be there. It is told at once where a side is heavy for it already."""
    state = markets_of(world)[market]
    roster = rosters_of(world)[market * ROSTERS + IMBALANCE_LIST]
    subscribers = subscribers_of(world)
    number = world.subscribers_count
    world.subscribers_count += 1
    entry = subscribers[number]
    entry.agent = agent
    entry.share = max(share, 0.5)  # below, both sides could be heavy at once
    before = roster.tail
    told = False
    while before != 0 and subscribers[before].share > entry.share:
        told = told or before == state.heavy_last
        before = subscribers[before].prev
    entry.prev = before
    behind = roster.head if before == 0 else subscribers[before].next
    entry.next = behind
    if before == 0:
        roster.head = number
    else:
        subscribers[before].next = number
    if behind == 0:
        roster.tail = number
    else:
        subscribers[behind].prev = number
    roster.count += 1
    state.wanted |= _WANTED
    if told:  # somebody with a larger share was
        _tell(core, world, market, number, state.heavy)


@compiled
def _let_go(core: Record, world: Record, market: int) -> bool:
    """Tell those for whom no side is heavy any longer; False where there is no room, and nothing has happened."""
    state = markets_of(world)[market]
    subscribers = subscribers_of(world)
    kept = state.heavy_last
    first = 0
    count = 0
    while kept != 0 and not _is_heavy(core, market, state.heavy, subscribers[kept].share):
        first = kept
        kept = subscribers[kept].prev
        count += 1
    if not has_room(world, count):
        return False
    for _ in range(count):
        if not _is_heavy(core, market, -state.heavy, subscribers[first].share):
            _tell(core, world, market, first, 0)
        first = subscribers[first].next
    state.heavy_last = kept
    if kept == 0:
        state.heavy = 0
    return True


@compiled
def publish_imbalance(core: Record, world: Record, market: int) -> int:
    """Tell those for whom a side became heavy, or is no longer: DONE, or SHORT_OF_MESSAGES and nobody is told twice."""
    state = markets_of(world)[market]
    if state.wanted & _WANTED == 0:
        return DONE
    subscribers = subscribers_of(world)
    if not _let_go(core, world, market):
        return SHORT_OF_MESSAGES
    roster = rosters_of(world)[market * ROSTERS + IMBALANCE_LIST]
    while True:
        following = roster.head if state.heavy_last == 0 else subscribers[state.heavy_last].next
        side = state.heavy
        if side == 0 and following != 0:
            share = subscribers[following].share
            side = 1 if _is_heavy(core, market, 1, share) else -1 if _is_heavy(core, market, -1, share) else 0
        if following == 0 or side == 0 or not _is_heavy(core, market, side, subscribers[following].share):
            return DONE
        if not has_room(world, 1):
            return SHORT_OF_MESSAGES
        _tell(core, world, market, following, side)
        state.heavy = side
        state.heavy_last = following
