"""A 4-ary heap of keys in an array, for compiled event queues. It never grows: the caller checks room first.

The key is (time, order); ``order`` holds priority and sequence (see environment.py), so keys never tie.
"""

from __future__ import annotations

import numpy as np

from marketsim.kernel.compiled import Rows, compiled, inlined

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


@inlined
def _best_of_four(heap: Rows, first: int) -> int:
    """The first of four entries that lie side by side; without branches, since nobody could foretell them."""
    second = first + 1
    third = first + 2
    fourth = first + 3
    here = heap[first].time
    there = heap[second].time
    left = first + ((there < here) | ((there == here) & (heap[second].order < heap[first].order)))
    here = heap[third].time
    there = heap[fourth].time
    right = third + ((there < here) | ((there == here) & (heap[fourth].order < heap[third].order)))
    here = heap[left].time
    there = heap[right].time
    return left + ((there < here) | ((there == here) & (heap[right].order < heap[left].order))) * (right - left)


@compiled
def heap_pop(heap: Rows, count: int) -> None:
    """Remove the first entry of a heap that holds ``count`` entries; read heap[0] before.

    The hole moves down to the bottom, where the last entry is put; it seldom has to climb (Wegener 1993).
    """
    last = count - 1
    position = 0
    child = 1
    while child + 3 < last:
        best = _best_of_four(heap, child)
        heap[position].time = heap[best].time
        heap[position].order = heap[best].order
        heap[position].what = heap[best].what
        position = best
        child = 4 * position + 1
    if child < last:
        best = child
        for other in range(child + 1, min(child + 4, last)):
            if heap[other].time < heap[best].time or (
                heap[other].time == heap[best].time and heap[other].order < heap[best].order
            ):
                best = other
        heap[position].time = heap[best].time
        heap[position].order = heap[best].order
        heap[position].what = heap[best].what
        position = best
    heap_push(heap, position, heap[last].time, heap[last].order, heap[last].what)
