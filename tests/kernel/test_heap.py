"""The compiled heap against heapq, on any sequence of pushes and pops."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.kernel.compiled import Table
from marketsim.kernel.heap import ENTRY, heap_pop, heap_push

# Few times, so that most keys tie on them; the order never ties.
STEPS = st.lists(st.one_of(st.integers(0, 5), st.none()), max_size=200)


def entry(heap: Table, place: int) -> tuple[int, int, int]:
    row = heap.rows[place : place + 1]
    return int(row["time"][0]), int(row["order"][0]), int(row["what"][0])


@pytest.mark.uncompiled
@pytest.mark.boundscheck
@given(STEPS, st.booleans())
def test_the_heap_gives_what_heapq_gives(steps: list[int | None], backwards: bool) -> None:
    heap, count, known = Table(ENTRY, 200), 0, []
    for number, time in enumerate(steps):
        if time is not None:
            order = 10**9 - number if backwards else number
            heap_push(heap.rows, count, time, order, 7 * number)
            heapq.heappush(known, (time, order, 7 * number))
            count += 1
        elif count:
            assert entry(heap, 0) == heapq.heappop(known)
            heap_pop(heap.rows, count)
            count -= 1
        if count:
            assert entry(heap, 0) == known[0]
    while count:
        assert entry(heap, 0) == heapq.heappop(known)
        heap_pop(heap.rows, count)
        count -= 1


@pytest.mark.uncompiled
def test_times_of_the_calendar_keep_every_nanosecond() -> None:
    heap = Table(ENTRY, 8)
    epoch = 1_800_000_000_000_000_000
    for count, time in enumerate((epoch + 1, epoch, epoch + 2)):
        heap_push(heap.rows, count, time, count, count)
    seen = []
    for count in (3, 2, 1):
        seen.append(entry(heap, 0)[0])
        heap_pop(heap.rows, count)
    assert seen == [epoch, epoch + 1, epoch + 2]
