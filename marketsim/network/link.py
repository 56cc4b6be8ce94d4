"""A link: the one-way way of messages from one party to another, for one channel.

``transit`` is called once for every message, by Python and compiled agents alike. It knows no message: only when
one leaves and when it arrives. Its randomness is keyed by the link's own name, so that no other link can shift it.
"""

from __future__ import annotations

import math

import numpy as np

from marketsim.kernel.compiled import Rows, compiled
from marketsim.network.hop import CONSTANT, LOAD, LONGEST
from marketsim.network.sampling import PURPOSE, sample

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


@compiled
def transit(links: Rows, hops: Rows, link: int, now: int) -> int:
    """Time at which a message arrives that is sent over a link at ``now``; ns, never before ``now``.

    On a FIFO link it arrives no earlier than any message sent before it over the same link; those that a delay holds
    up arrive at the same nanosecond, in the order of sending.
    """
    row = links[link]
    draw = row.draws
    row.draws = draw + 1
    delay = 0
    for place in range(row.hops):
        hop = row.first_hop + place
        if hops[hop].kind == CONSTANT:
            delay = min(delay + int(hops[hop].p0), LONGEST)
            continue
        load = _load(hops, hop, now) if hops[hop].kind == LOAD else 0.0
        delay = min(delay + sample(hops[hop], row.key, PURPOSE + place, draw, load), LONGEST)
    arrival = now + delay
    if row.fifo != 0 and arrival < row.last_arrival:
        return int(row.last_arrival)
    row.last_arrival = arrival
    return int(arrival)


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
