"""Sessions that break: what becomes of a message between a participant and a venue when something is wrong there.

When a session is down is known beforehand, so what happens to a message is decided when it leaves, by the way that it
would take: market data may be lost; a report waits until the session is up again; so does a question; an order, a
cancel or a replace is not taken to the venue at all. It reads no order and changes no book.
"""

from __future__ import annotations

from marketsim.domain.message import Kind
from marketsim.kernel.compiled import Record, array_at, compiled
from marketsim.kernel.random import purpose_of, uniform
from marketsim.network.link import flight, in_turn
from marketsim.population.state import DATA_DOWN, WINDOW, agents_of, hops_of, links_of, session_of, venues_of

LOST = -1
_LOSS, _DELAY, _COPY = purpose_of("loss"), purpose_of("delay"), purpose_of("copy")
_REPORT = int(Kind.REPORT)


@compiled
def _reopened(address: int, count: int, depart: int, delay: int) -> int:
    """When a message can leave that wants to at ``depart``: then, unless it is on its way while the line is down.

    ``address`` and ``count``: of the windows (WINDOW) in which it is.
    """
    if count == 0:
        return depart
    windows = array_at(address, count, WINDOW)
    low, high = 0, count
    while low < high:  # the first window that is not over
        middle = (low + high) // 2
        if windows[middle].last <= depart:
            low = middle + 1
        else:
            high = middle
    while low < count and windows[low].first <= depart + delay:
        depart = max(depart, windows[low].last)
        low += 1
    return depart


@compiled
def is_down(session: Record, time: int) -> bool:
    """Whether a session is down at a time."""
    return _reopened(session.outages, session.outages_length, time, 0) > time


@compiled
def loses_data(world: Record, agent: int) -> bool:
    """Whether market data of the current venue may not reach an agent."""
    first = agents_of(world)[agent].sessions
    if first == 0:
        return False
    session = session_of(world, first + world.venue)
    return session.loss > 0.0 or session.dark_length > 0


@compiled
def downward(world: Record, link: int, number: int, channel: int, kind: int) -> int:
    """When what leaves the current venue now arrives at the participant of a session; LOST where it never does."""
    session = session_of(world, number)
    depart = world.depart
    delay = flight(links_of(world), hops_of(world), link, depart)
    if channel == DATA_DOWN:
        session.published += 1
        if session.loss > 0.0 and uniform(session.key, _LOSS, session.published) < session.loss:
            return LOST
        if _reopened(session.dark, session.dark_length, depart, delay) != depart:
            return LOST
        return in_turn(links_of(world), link, depart + delay)
    session.carried += 1
    if kind > _REPORT and session.delays > 0.0 and uniform(session.key, _DELAY, session.carried) < session.delays:
        delay += session.delay
    return in_turn(links_of(world), link, _reopened(session.outages, session.outages_length, depart, delay) + delay)


@compiled
def upward(world: Record, link: int, session: Record, depart: int, mandatory: bool) -> tuple[int, bool, bool]:
    """When a request arrives at its venue, whether it does so at all, and whether the session was down all along.

    ``mandatory``: it wants an answer of its own. Then it is not sent again after the session broke; the time is when
    its sender can know.
    """
    delay = flight(links_of(world), hops_of(world), link, depart)
    leaves = _reopened(session.outages, session.outages_length, depart, delay)
    if leaves == depart or not mandatory:
        return in_turn(links_of(world), link, leaves + delay), True, False
    if is_down(session, depart):
        return depart + delay, False, True
    return leaves, False, False


@compiled
def takes_copy(session: Record) -> bool:
    """Whether the report that was just numbered is sent twice."""
    return session.duplicates > 0.0 and uniform(session.key, _COPY, session.reports) < session.duplicates


@compiled
def is_known(world: Record, agent: Record, message: Record) -> bool:
    """Whether a compiled agent has a report already; it remembers the number of the last one of each session."""
    if message.kind <= _REPORT or message.next == 0:
        return False
    session = session_of(world, agent.sessions - 1 - message.sender)
    if message.next <= session.heard:
        return True
    session.heard = message.next
    return False


@compiled
def spends(world: Record, bucket: Record, number: int) -> bool:
    """Whether a participant may send a venue one more request now, and if so that it does (a token bucket).

    A bucket holds ``burst`` and wins back ``refill`` a nanosecond; a request costs ``cost``. All are whole numbers.
    """
    venue = venues_of(world)[number]
    most = venue.burst // venue.refill + 1  # ns after which any bucket is full
    bucket.spent = max(bucket.spent - min(world.now - bucket.time, most) * venue.refill, 0)
    bucket.time = world.now
    if bucket.spent + venue.cost > venue.burst:
        return False
    bucket.spent += venue.cost
    return True
