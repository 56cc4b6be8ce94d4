"""A link: the one-way way of messages from one party to another, for one channel.

``transit`` is called once for every message, by Python and compiled agents alike; ``flight`` and ``in_turn`` are its
two halves, for sessions that break. It knows no message: only when one leaves and when it arrives. Its randomness is
keyed by the link's own name, so that no other link can shift it.
"""

from __future__ import annotations

import math

import numpy as np

from marketsim.kernel.compiled import Record, Rows, array_at, compiled, inlined
from marketsim.network.hop import CONSTANT, LINE, LOAD, LONGEST, SPIKE
from marketsim.network.sampling import POINTS, PURPOSE, sample

LINK = np.dtype(
    [
        ("first_hop", np.int32),  # row of the first stretch in the table of hops
        ("hops", np.int16),  # how many stretches follow each other there
        ("fifo", np.int16),  # 1: no message overtakes another (a session); 0: each travels alone (datagrams)
        ("last_arrival", np.int64),  # ns, of the message sent last; before the first: the smallest integer
        ("draws", np.int64),  # messages sent so far: the draw number of the next
        ("key", np.int64),  # of the link's name under the seed
    ]
)


@inlined
def flight(links: Rows, hops: Rows, link: int, now: int) -> int:
    """How long the next message over a link travels that leaves at ``now``, ns; other messages do not hold it up."""
    row = links[link]
    draw = row.draws
    row.draws = draw + 1
    delay = 0
    for place in range(row.hops):
        hop = row.first_hop + place
        if hops[hop].kind == CONSTANT:
            delay = min(delay + int(hops[hop].p0), LONGEST)
            continue
        if hops[hop].kind >= LOAD:
            delay = min(delay + _of_the_moment(hops, hop, now), LONGEST)
            continue
        delay = min(delay + sample(hops[hop], row.key, PURPOSE + place, draw, 0.0), LONGEST)
    return delay


@inlined
def in_turn(links: Rows, link: int, arrival: int) -> int:
    """When a message arrives that would do so at ``arrival``: on a FIFO link no earlier than those sent before it."""
    row = links[link]
    if row.fifo != 0 and arrival < row.last_arrival:
        return int(row.last_arrival)
    row.last_arrival = arrival
    return int(arrival)


@compiled
def transit(links: Rows, hops: Rows, link: int, now: int) -> int:
    """Time at which a message arrives that is sent over a link at ``now``; ns, never before ``now``.

    On a FIFO link it arrives no earlier than any message sent before it over the same link; those that a delay holds
    up arrive at the same nanosecond, in the order of sending.
    """
    return in_turn(links, link, now + flight(links, hops, link, now))


@compiled
def _of_the_moment(hops: Rows, hop: int, now: int) -> int:
    """Latency of a stretch whose latency is not a matter of chance: of the messages before, or of the time."""
    if hops[hop].kind == LINE:
        return _queueing(hops, hop, now)
    if hops[hop].kind == SPIKE:
        return _spike(hops[hop], now)
    return sample(hops[hop], 0, 0, 0, _load(hops, hop, now))


@compiled
def _queueing(hops: Rows, hop: int, now: int) -> int:
    """Wait for the messages that are still to be put on the line, and the time to put this one there."""
    keeper = hops[hops[hop].keeper]
    gap = now - keeper.load_time
    if gap > 0:
        keeper.load = max(keeper.load - gap, 0.0)
        keeper.load_time = now
    keeper.load = min(keeper.load + hops[hop].p0, float(LONGEST))
    return int(keeper.load)


@compiled
def _spike(hop: Record, now: int) -> int:
    """What is added at a time: of the windows (from, until, added), the sum of those that hold it."""
    points = array_at(hop.table, hop.length, POINTS)
    added = 0.0
    for place in range(0, hop.length, 3):
        if points[place] <= now < points[place + 1]:
            added += points[place + 2]
    return int(added)


@compiled
def _load(hops: Rows, hop: int, now: int) -> float:
    """Messages within the time window of a stretch that slows down under load, counting this one from now on."""
    window = hops[hop].p2
    keeper = hops[hops[hop].keeper]
    gap = now - keeper.load_time
    if gap > 0:
        keeper.load = keeper.load * math.exp(-gap / window)
        keeper.load_time = now
    load = keeper.load
    keeper.load = load + 1.0
    return float(load)
