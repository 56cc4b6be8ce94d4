"""Time: whole nanoseconds only, one written order of events, and everything of SimPy on top of it."""

from time import sleep
from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st
from simpy.events import NORMAL, URGENT

from marketsim.errors import InvalidValueError, SimulationError
from marketsim.kernel.environment import NEVER, Environment, Key

EPOCH = 1_800_000_000_123_456_789


class Beads:
    """A source of events with given keys, which notes what it handled in the list that everybody writes."""

    def __init__(self, environment: Environment, keys: list[Key], seen: list[Any]) -> None:
        self.keys = sorted(keys)
        self.seen = seen
        self.calls: list[tuple[int, int, int]] = []
        environment.attach(self)

    @property
    def head(self) -> Key:
        return self.keys[0] if self.keys else (NEVER, NEVER)

    def advance(self, time: int, order: int, limit: int) -> None:
        self.calls.append((time, order, limit))
        while limit and self.keys and self.keys[0] < (time, order):
            self.seen.append(("bead", *self.keys.pop(0)))
            limit -= 1


@pytest.mark.parametrize("value", [1.0, "1", None, np.float64(3), 2.5])
def test_only_whole_nanoseconds_are_times(value: Any) -> None:
    environment = Environment()
    with pytest.raises(InvalidValueError, match=r"delay .* is not a whole number of nanoseconds; use an int"):
        environment.timeout(value)
    with pytest.raises(InvalidValueError, match=r"time .* is not a whole number"):
        environment.call_at(value, print)
    with pytest.raises(InvalidValueError, match=r"start .* is not a whole number"):
        Environment(value)
    if value is not None:
        with pytest.raises(InvalidValueError, match=r"until .* is not a whole number"):
            environment.run(until=value)


def test_numpy_integers_become_plain_ones() -> None:
    environment = Environment(np.int64(5))
    seen: list[Any] = []
    environment.call_at(np.int32(9), lambda _: seen.append(environment.now))

    def process() -> Any:
        yield environment.timeout(np.int64(2))
        seen.append(environment.now)

    environment.process(process())
    environment.run(until=np.int64(20))
    assert seen == [7, 9]
    assert environment.now == 20
    assert {type(time) for time in [*seen, environment.now]} == {int}


def test_the_past_is_refused() -> None:
    environment = Environment(100)
    with pytest.raises(InvalidValueError, match="cannot be scheduled in the past"):
        environment.schedule(environment.event(), delay=-1)
    with pytest.raises(InvalidValueError, match=r"time 99 lies before now \(100\)"):
        environment.call_at(99, print)
    with pytest.raises(InvalidValueError, match=r"until=99 lies before now \(100\)"):
        environment.run(until=99)
    with pytest.raises(InvalidValueError, match="delay -5: an event cannot be scheduled in the past"):
        environment.timeout(-5)


def test_calendar_times_keep_every_nanosecond() -> None:
    environment = Environment(EPOCH)
    seen: list[int] = []

    def process() -> Any:
        for _ in range(3):
            yield environment.timeout(1)
            seen.append(environment.now)

    environment.process(process())
    environment.call_at(EPOCH + 2, lambda _: seen.append(-environment.now))
    environment.run(until=EPOCH + 4)
    # What was sent before the second timeout was made comes before it.
    assert seen == [EPOCH + 1, -EPOCH - 2, EPOCH + 2, EPOCH + 3]
    assert environment.now == EPOCH + 4


def test_ties_go_by_priority_then_by_who_was_sent_first() -> None:
    environment = Environment()
    seen: list[str] = []

    def note(name: str) -> Any:
        return lambda _: seen.append(name)

    environment.call_at(10, note("first"))
    late = environment.event()
    late.callbacks.append(note("urgent"))
    late._ok, late._value = True, None
    environment.schedule(late, priority=NORMAL, delay=10)
    environment.call_at(10, note("third"))
    urgent = environment.event()
    urgent.callbacks.append(note("most urgent"))
    urgent._ok, urgent._value = True, None
    environment.schedule(urgent, priority=URGENT, delay=10)
    environment.call_at(9, note("before"))
    environment.run(until=11)
    assert seen == ["before", "most urgent", "first", "urgent", "third"]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30))
def test_events_happen_in_the_order_of_their_keys(given_events: list[tuple[int, bool]]) -> None:
    environment = Environment()
    seen: list[int] = []
    expected = []
    for number, (time, urgent) in enumerate(given_events):
        event = environment.event()
        event.callbacks.append(lambda _, n=number: seen.append(n))
        event._ok, event._value = True, None
        environment.schedule(event, priority=URGENT if urgent else NORMAL, delay=time)
        expected.append((time, URGENT if urgent else NORMAL, number))
    environment.run()
    assert seen == [number for *_, number in sorted(expected)]


def test_a_run_leaves_events_at_its_end_undone() -> None:
    environment = Environment()
    seen: list[int] = []
    for time in (0, 5, 10):
        environment.call_at(time, lambda _: seen.append(environment.now))
    environment.run(until=10)
    assert (seen, environment.now) == ([0, 5], 10)
    environment.run(until=11)
    assert seen == [0, 5, 10]
    environment.run(until=11)
    assert environment.now == 11


def test_a_run_that_starts_at_time_zero_starts() -> None:
    environment = Environment(0)
    seen: list[int] = []

    def process() -> Any:
        seen.append(environment.now)
        yield environment.timeout(0)
        seen.append(environment.now)

    environment.process(process())
    environment.run(until=1)
    assert seen == [0, 0]


def test_a_run_without_end_ends_with_the_last_event() -> None:
    environment = Environment(3)
    environment.call_at(8, lambda _: None)
    environment.run()
    assert environment.now == 8
    assert environment.peek() == float("inf")
    with pytest.raises(simpy.core.EmptySchedule):
        environment.step()


def test_a_run_until_an_event_gives_its_value() -> None:
    environment = Environment()

    def process() -> Any:
        yield environment.timeout(5)
        return "done"

    working = environment.process(process())
    assert environment.run(until=working) == "done"
    assert environment.now == 5
    assert environment.run(until=working) == "done"
    with pytest.raises(SimulationError, match="nothing is left to happen"):
        environment.run(until=environment.event())


def test_an_exception_of_a_process_comes_out() -> None:
    environment = Environment()

    def process() -> Any:
        yield environment.timeout(1)
        raise KeyError("lost")

    environment.process(process())
    with pytest.raises(KeyError, match="lost"):
        environment.run()


def test_resources_stores_conditions_and_interrupts_of_simpy() -> None:
    environment = Environment()
    desk = simpy.Resource(environment, capacity=1)
    shelf = simpy.Store(environment)
    log: list[Any] = []

    def clerk(name: str, work: int) -> Any:
        with desk.request() as request:
            yield request
            log.append((name, environment.now))
            yield environment.timeout(work)
        yield shelf.put(name)

    def waiter() -> Any:
        both = yield environment.all_of([environment.timeout(3, "a"), environment.timeout(7, "b")])
        log.append((sorted(both.values()), environment.now))
        log.append(((yield shelf.get()), environment.now))

    def sleeper() -> Any:
        try:
            yield environment.timeout(1000)
        except simpy.Interrupt as interrupt:
            log.append((interrupt.cause, environment.now))

    sleeping = environment.process(sleeper())
    environment.process(clerk("one", 4))
    environment.process(clerk("two", 1))
    environment.process(waiter())
    environment.call_at(6, lambda _: sleeping.interrupt("wake"))
    environment.run(until=2000)
    assert log == [("one", 0), ("two", 4), ("wake", 6), (["a", "b"], 7), ("one", 7)]


@pytest.mark.parametrize("stepped", [False, True])
def test_a_source_and_the_heap_share_one_order(stepped: bool) -> None:
    environment = Environment(stepped=stepped)
    seen: list[Any] = []
    first = environment.call_at(5, lambda _: seen.append("python"))
    Beads(environment, [(5, first[1] - 1), (5, first[1] + 1), (4, 9), (9, 0), (9, 1)], seen)
    environment.run(until=9)
    assert seen == [("bead", 4, 9), ("bead", 5, first[1] - 1), "python", ("bead", 5, first[1] + 1)]
    environment.run()
    assert seen[-2:] == [("bead", 9, 0), ("bead", 9, 1)]


def test_a_source_is_asked_for_slices_so_that_an_interrupt_is_heard() -> None:
    environment = Environment()
    seen: list[Any] = []
    beads = Beads(environment, [(1, number) for number in range(10)], seen)
    environment.SLICE = 4  # type: ignore[misc]
    environment.run(until=5)
    assert [limit for *_, limit in beads.calls] == [4, 4, 4]
    assert len(seen) == 10


def test_slices_shrink_where_events_are_slow_and_grow_where_they_are_fast() -> None:
    class Slow(Beads):
        seconds = 0.001

        def advance(self, time: int, order: int, limit: int) -> None:
            sleep(self.seconds * min(limit, len(self.keys)))
            super().advance(time, order, limit)

    environment = Environment()
    environment.SLICE, environment.SLICE_SECONDS = 64, 0.01  # type: ignore[misc]
    source = Slow(environment, [(1, number) for number in range(200)], [])
    environment.run(until=2)
    assert source.calls[0][2] == 64
    assert all(1 <= limit <= 10 for *_, limit in source.calls[1:])
    slow = source.calls[-1][2]
    source.seconds = 0.0
    source.keys = [(3, number) for number in range(500)]
    environment.run(until=4)
    assert source.calls[-1][2] == 64 > slow
    assert not source.keys


def test_an_event_made_while_the_source_ran_is_not_passed_over() -> None:
    environment = Environment()
    seen: list[Any] = []

    class Sender(Beads):
        def advance(self, time: int, order: int, limit: int) -> None:
            if self.keys[0] == (2, 1):
                self.keys.pop(0)
                seen.append("sent")
                environment.enqueue((3, 5, lambda _: seen.append("heard"), None))
                return
            super().advance(time, order, limit)

    Sender(environment, [(2, 1), (3, 4), (3, 6)], seen)
    environment.run(until=9)
    assert seen == ["sent", ("bead", 3, 4), "heard", ("bead", 3, 6)]
