"""Announcements of a market: the phase of trading, and what an auction would come to. It changes no phase.

Whoever changes a phase writes ``phase_reason`` and ``phase_until`` of the MARKET, then calls ``publish_status``.
"""

from __future__ import annotations

from marketsim.domain.message import Kind, Wanted
from marketsim.exchange.state import books_of
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.mail import from_venue, has_room
from marketsim.population.state import (
    DATA_DOWN,
    DONE,
    INDICATIVE_LIST,
    ROSTERS,
    SHORT_OF_MESSAGES,
    STATUS_LIST,
    markets_of,
    rosters_of,
    subscribers_of,
)

_STATUS, _INDICATIVE = int(Kind.STATUS), int(Kind.INDICATIVE)
_WANT_STATUS, _WANT_INDICATIVE = int(Wanted.STATUS), int(Wanted.INDICATIVE)


@compiled
def phase_of(core: Record, market: int) -> int:
    """The Phase that a market is in."""
    return int(books_of(core)[market].phase)


@compiled
def tell_status(core: Record, world: Record, agent: int, market: int) -> None:
    """Tell one agent the phase of trading; room must be there."""
    state = markets_of(world)[market]
    message = from_venue(world, _STATUS, agent, DATA_DOWN, market)
    message.quantity = phase_of(core, market)
    message.reason = state.phase_reason
    message.expire = state.phase_until


@compiled
def publish_status(core: Record, world: Record, market: int) -> int:
    """Tell the subscribers of a market its phase of trading: DONE, or SHORT_OF_MESSAGES and nothing has happened."""
    if markets_of(world)[market].wanted & _WANT_STATUS == 0:
        return DONE
    roster = rosters_of(world)[market * ROSTERS + STATUS_LIST]
    if not has_room(world, roster.count):
        return SHORT_OF_MESSAGES
    subscriber = roster.head
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        tell_status(core, world, entry.agent, market)
        subscriber = entry.next
    return DONE


@compiled
def tell_indicative(world: Record, agent: int, market: int) -> None:
    """Tell one agent what was last published of an auction; room must be there."""
    state = markets_of(world)[market]
    message = from_venue(world, _INDICATIVE, agent, DATA_DOWN, market)
    message.price = state.indicative_price
    message.quantity = state.indicative_quantity
    message.leaves = state.indicative_surplus
    message.side = state.indicative_side


@compiled
def publish_indicative(world: Record, market: int, price: int, quantity: int, surplus: int, side: int) -> int:
    """Tell the subscribers of a market what its auction would come to, if that is another than was last told.

    ``quantity`` would trade at ``price``, and ``surplus`` lots of ``side`` (+1, -1, or 0) would find nobody. Answers
    DONE, or SHORT_OF_MESSAGES and nothing has happened.
    """
    state = markets_of(world)[market]
    if (
        state.indicative_price == price
        and state.indicative_quantity == quantity
        and state.indicative_surplus == surplus
        and state.indicative_side == side
    ):
        return DONE
    heard = state.wanted & _WANT_INDICATIVE != 0
    roster = rosters_of(world)[market * ROSTERS + INDICATIVE_LIST]
    if heard and not has_room(world, roster.count):
        return SHORT_OF_MESSAGES
    state.indicative_price = price
    state.indicative_quantity = quantity
    state.indicative_surplus = surplus
    state.indicative_side = side
    subscriber = roster.head
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        tell_indicative(world, entry.agent, market)
        subscriber = entry.next
    return DONE
