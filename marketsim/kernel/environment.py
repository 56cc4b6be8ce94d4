"""Time: a SimPy environment with an integer-nanosecond clock and one written order of events.

Events happen in the order of the key (time, priority, sequence): earlier first, then the more urgent, then the one
that was sent first. The sequence is one counter for everything, a baton that is handed into the compiled world and
back, so a message has the same key whoever sends it and in whichever queue it waits.

Python events lie in this environment's heap; a *source* (the compiled world) keeps its own. Before a Python event is
handled the source advances to that event's key. Events at the time given to ``run(until=…)`` are left undone, as in
SimPy. This module knows no market.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from operator import index
from time import perf_counter
from typing import Any, Protocol

import simpy
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import NORMAL, Event, Timeout

from marketsim.errors import InvalidValueError, SimulationError

PRIORITY = 1 << 60  # weight of a priority above a sequence number in the ``order`` part of a key
NORMAL_ORDER = NORMAL * PRIORITY
NEVER = (1 << 63) - 1
_FIRST_SLICE = 1024

Key = tuple[int, int]
Entry = tuple[int, int, Callable[[Any], None], Any]  # time, order, what to call, and with what


class Source(Protocol):
    """Another queue of events on the same clock."""

    head: Key

    def advance(self, time: int, order: int, limit: int) -> None:
        """Handle events whose key lies before (time, order), at most ``limit``; update ``head``."""


class Environment(simpy.Environment):
    """A SimPy environment whose time is a Python int of nanoseconds.

    Floats, negative delays and times in the past are refused; NumPy integers are converted. ``stepped`` makes the
    source's events go through this heap one at a time, which must change nothing.
    """

    SLICE = 250_000  # events that a source may handle before Python gets a look at interrupts,
    SLICE_SECONDS = 0.1  # and about how long that may take: slices shrink where events are slow

    def __init__(self, start: int = 0, *, stepped: bool = False) -> None:
        super().__init__(_nanoseconds(start, "start"))
        self._heap: list[Entry] = []
        self.enqueue: Callable[[Entry], None] = partial(heappush, self._heap)  # what already has its key
        self._source: Source | None = None
        self.sequence = 0
        self.handled = 0
        self._stepped = stepped
        self._step_queued: Key | None = None
        self._slice = _FIRST_SLICE

    # --- sending ---

    def timeout(self, delay: Any = 0, value: Any = None) -> Timeout:
        """A SimPy event that happens ``delay`` nanoseconds ahead."""
        return Timeout(self, _delay(delay), value)

    def schedule(self, event: Event, priority: int = NORMAL, delay: Any = 0) -> None:
        """Put a SimPy event ``delay`` nanoseconds ahead."""
        wait = _delay(delay)
        self.sequence += 1
        order = priority * PRIORITY + self.sequence
        heappush(self._heap, (self.now + wait, order, self._handle_event, event))

    def call_at(self, time: int, function: Callable[[Any], None], argument: Any = None) -> Key:
        """Call a function at a time; returns the event's key. Lighter than a SimPy event."""
        moment = time if type(time) is int else _nanoseconds(time, "time")
        if moment < self._now:
            raise InvalidValueError(f"time {moment} lies before now ({self._now}); events happen now or later")
        self.sequence += 1
        order = NORMAL_ORDER + self.sequence
        heappush(self._heap, (moment, order, function, argument))
        return moment, order

    def attach(self, source: Source) -> None:
        """Let a source advance on this clock."""
        self._source = source

    # --- running ---

    @property
    def now(self) -> int:
        """Current time in nanoseconds."""
        return self._now  # type: ignore[return-value]

    def peek(self) -> Any:
        """Time of the next event; infinity when there is none, as in SimPy."""
        head = self._head()
        return head[0] if head[0] != NEVER else float("inf")

    def step(self) -> None:
        """Handle the next event of either queue."""
        if not self._step(NEVER, NEVER):
            raise EmptySchedule

    def run(self, until: Any = None) -> Any:
        """Run to a time (events at that time are left undone), to a SimPy event, or until nothing is left."""
        if until is None:
            self._loop(NEVER, NEVER)
            return None
        if isinstance(until, Event):
            if until.processed:
                return until.value
            until.callbacks.append(StopSimulation.callback)
            try:
                self._loop(NEVER, NEVER)
            except StopSimulation as stop:
                return stop.args[0]
            raise SimulationError("nothing is left to happen, but the event that was waited for has not", time=self.now)
        end = _nanoseconds(until, "until")
        if end < self._now:
            raise InvalidValueError(f"until={end} lies before now ({self._now}); a run goes forward")
        self._loop(end, 0)
        self._now = end
        return None

    def _loop(self, end_time: int, end_order: int) -> None:
        """Handle everything before the end, Python events and the source's in the order of their keys."""
        source = self._source
        if source is None or self._stepped:
            while self._step(end_time, end_order):
                pass
            return
        heap = self._heap
        end = (end_time, end_order)
        handled = 0
        cut = True  # the source may well be cut off by its slice, which is worth a look at the clock
        try:
            while True:
                bound = heap[0] if heap and heap[0] < end else end  # keys never tie, so only keys are compared
                if source.head < bound:
                    if cut:
                        self._advance_a_slice(source, bound)
                    else:
                        source.advance(bound[0], bound[1], self._slice)
                        cut = True
                elif bound is end:
                    return
                else:
                    cut = False
                    self._now, _, function, argument = heappop(heap)
                    handled += 1
                    function(argument)
        finally:
            self.handled += handled

    def _head(self) -> Key:
        mine = (self._heap[0][0], self._heap[0][1]) if self._heap else (NEVER, NEVER)
        return min(mine, self._source.head) if self._source is not None else mine

    def _step(self, end_time: int, end_order: int) -> bool:
        """Handle what comes next before the end; False when nothing does."""
        heap = self._heap
        source = self._source
        if source is not None:
            if self._stepped:
                self._queue_step(source)
            else:
                self._let_advance(source, (end_time, end_order))
        if not heap or heap[0] >= (end_time, end_order):
            return False
        self._now, _, function, argument = heappop(heap)
        self.handled += 1
        function(argument)
        return True

    def _let_advance(self, source: Source, end: Key) -> None:
        """The source handles everything that comes before the first Python event and before the end."""
        heap = self._heap
        while True:
            bound = heap[0] if heap and heap[0] < end else end
            if source.head >= bound:
                return
            self._advance_a_slice(source, bound)

    def _advance_a_slice(self, source: Source, bound: Key | Entry) -> None:
        """Let the source handle a slice, and find how long the next one may be."""
        self._slice = min(self._slice, self.SLICE)
        began = perf_counter()
        source.advance(bound[0], bound[1], self._slice)
        took = perf_counter() - began
        if took > self.SLICE_SECONDS:
            self._slice = max(int(self._slice * self.SLICE_SECONDS / took), 1)
        elif took < self.SLICE_SECONDS / 4:
            self._slice = min(2 * self._slice, self.SLICE)

    def _queue_step(self, source: Source) -> None:
        head = source.head
        if head[0] != NEVER and head != self._step_queued:
            self._step_queued = head
            heappush(self._heap, (*head, self._one_step, head))

    def _one_step(self, key: Key) -> None:
        source = self._source
        if source is not None and source.head == key:
            self._step_queued = None
            source.advance(key[0], key[1] + 1, 1)

    def _handle_event(self, event: Event) -> None:
        callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
        for callback in callbacks:
            callback(event)
        if not event._ok and not event.defused:
            raise event._value


def _nanoseconds(value: Any, what: str) -> int:
    """An int at the door; floats are refused because an epoch-sized one has a grain of 256 ns."""
    try:
        return index(value)
    except TypeError:
        raise InvalidValueError(
            f"{what} {value!r} is not a whole number of nanoseconds; use an int, or units.duration() for text"
        ) from None


def _delay(value: Any) -> int:
    wait = _nanoseconds(value, "delay")
    if wait < 0:
        raise InvalidValueError(f"delay {wait}: an event cannot be scheduled in the past; use 0 or more")
    return wait
