"""A 4-ary heap of keys in an array, for compiled event queues. It never grows: the caller checks room first.

The key is (time, order); ``order`` holds priority and sequence (see environment.py), so keys never tie.
"""

from __future__ import annotations

import numpy as np

from marketsim.kernel.compiled import Rows, compiled

ENTRY = np.dtype([("time", np.int64), ("order", np.int64), ("what", np.int64)])


@compiled
def heap_push(heap: Rows, count: int, time: int, order: int, what: int) -> None:
    """Add an entry to a heap that holds ``count`` entries."""
    position = count
    while position > 0:
        above = (position - 1) >> 2
        parent = heap[above]
        if parent.time < time or (parent.time == time and parent.order < order):
            break
        heap[position].time = parent.time
        heap[position].order = parent.order
        heap[position].what = parent.what
        position = above
    heap[position].time = time
    heap[position].order = order
    heap[position].what = what


@compiled
def heap_pop(heap: Rows, count: int) -> None:
    """Remove the first entry of a heap that holds ``count`` entries; read heap[0] before."""
    last = count - 1
    time = heap[last].time
    order = heap[last].order
    what = heap[last].what
    position = 0
    while True:
        child = 4 * position + 1
        if child >= last:
            break
        best = child
        for other in range(child + 1, min(child + 4, last)):
            if heap[other].time < heap[best].time or (
                heap[other].time == heap[best].time and heap[other].order < heap[best].order
            ):
                best = other
        if heap[best].time > time or (heap[best].time == time and heap[best].order > order):
            break
        heap[position].time = heap[best].time
        heap[position].order = heap[best].order
        heap[position].what = heap[best].what
        position = best
    heap[position].time = time
    heap[position].order = order
    heap[position].what = what
