"""Pacing: simulated time is wall time at a factor, whatever is done to it, and what comes from other threads waits."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.errors import InvalidValueError
from marketsim.kernel.pacing import FASTEST, SLOWEST, Pacer, check_span

MS = 1_000_000
SECOND = 1_000 * MS


class World:
    """A world that does nothing; ``cost`` is what a simulated ns takes on the wall."""

    def __init__(self, clock: "Clock", start: int = 0, cost: float = 0.0) -> None:
        self.now = start
        self.visits: list[int] = []
        self._clock, self._cost = clock, cost

    def advance(self, until: int) -> None:
        assert until > self.now, "a world only goes forward"
        self._clock.time += int((until - self.now) * self._cost)
        self.now = until
        self.visits.append(until)


class Clock:
    def __init__(self) -> None:
        self.time = 123_456

    def __call__(self) -> int:
        return self.time


def paced(
    end: int = 10**15, speed: float = 1.0, cost: float = 0.0, start: int = 0, paused: bool = False
) -> tuple[Pacer, World, Clock]:
    clock = Clock()
    world = World(clock, start, cost)
    return Pacer(world, end, speed, paused=paused, clock=clock), world, clock


@pytest.mark.parametrize("speed", [0.5, 1.0, 10.0, 1000.0])
def test_the_world_is_where_the_wall_clock_says(speed: float) -> None:
    pacer, world, clock = paced(speed=speed, start=5 * SECOND)
    for wall in (MS, 7 * MS, 250 * MS, 251 * MS):
        clock.time = 123_456 + wall
        pacer.turn()
        assert world.now == 5 * SECOND + int(wall * speed)


def test_a_turn_comes_to_the_present_that_it_began_with_and_ends() -> None:
    pacer, world, clock = paced(cost=0.5)  # as long as it works the present moves on
    clock.time += 10 * MS
    pacer.turn()
    assert world.now == 10 * MS


def test_a_turn_takes_no_longer_than_it_may() -> None:
    pacer, _, clock = paced(speed=100.0, cost=0.009)  # just fast enough for 100 simulated ns in one of the wall
    clock.time += 500 * MS
    before = clock.time
    pacer.turn()
    assert clock.time - before < 150 * MS, "one stride of the first length at most"
    for _ in range(50):
        before = clock.time
        pacer.turn()
        assert clock.time - before <= 8 * MS, "strides become as long as a turn may take"


def test_a_world_that_cannot_keep_the_pace_slips_and_says_so() -> None:
    pacer, _, clock = paced(speed=100.0, cost=0.02)  # half as fast as it should be
    clock.time += 3 * SECOND
    for _ in range(400):
        pacer.turn()
    pace = pacer.pace
    assert pace.slipped > SECOND
    assert pace.lag <= SECOND, "what is given up is no lag any more"


def test_pausing_stands_still_and_what_is_posted_is_still_called() -> None:
    pacer, world, clock = paced()
    clock.time += 5 * MS
    pacer.turn()
    pacer.pause()
    clock.time += 500 * MS
    heard: list[int] = []
    pacer.post(lambda: heard.append(world.now))
    pacer.turn()
    assert world.now == 5 * MS
    assert heard == [5 * MS]
    pacer.resume()
    clock.time += 2 * MS
    pacer.turn()
    assert world.now == 7 * MS


def test_steps_of_a_paused_clock_are_exact() -> None:
    pacer, world, clock = paced(paused=True)
    goal = pacer.step(3 * SECOND)
    assert goal == 3 * SECOND
    while world.now < goal:
        pacer.turn()
    assert world.now == goal
    clock.time += SECOND
    pacer.turn()
    assert world.now == goal
    with pytest.raises(InvalidValueError, match="a clock goes forward; write more than 0"):
        pacer.step(0)
    pacer.resume()
    with pytest.raises(InvalidValueError, match="pause it before it is stepped"):
        pacer.step(1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["wait", "pause", "resume", "speed"]),
            st.integers(1, 50),
            st.sampled_from([0.5, 1.0, 3.0, 20.0]),
        ),
        max_size=30,
    )
)
def test_simulated_time_is_the_sum_of_speed_times_wall_time(steps: list[tuple[str, int, float]]) -> None:
    pacer, world, clock = paced()
    speed, paused, expected = 1.0, False, 0.0
    for what, wait, factor in steps:
        clock.time += wait * MS
        expected += 0 if paused else wait * MS * speed
        pacer.turn()
        assert world.now == pytest.approx(expected, abs=100)
        if what == "pause":
            pacer.pause()
            paused = True
        elif what == "resume":
            pacer.resume()
            paused = False
        elif what == "speed":
            pacer.set_speed(factor)
            speed = factor


def test_time_before_the_beginning_does_not_count() -> None:
    pacer, world, clock = paced(start=SECOND)
    clock.time += 300 * MS  # until everything is ready
    pacer.begin()
    assert pacer.behind() == 0
    clock.time += MS
    pacer.turn()
    assert world.now == SECOND + MS
    waiting, standing, clock = paced(paused=True)
    waiting.begin()
    clock.time += MS
    waiting.turn()
    assert standing.now == 0


def test_it_goes_no_further_than_the_end() -> None:
    pacer, world, clock = paced(end=3 * MS)
    clock.time += SECOND
    pacer.turn()
    assert world.now == 3 * MS
    assert pacer.pace.over
    assert pacer.present() == 3 * MS
    assert pacer.run() == 3 * MS


def test_what_comes_in_quick_succession_does_not_move_the_world_each_time() -> None:
    pacer, world, clock = paced()
    clock.time += MS
    pacer.come_close()
    assert world.now == MS
    clock.time += 100_000
    pacer.come_close()
    assert world.now == MS, "close enough"
    clock.time += 150_000
    pacer.come_close()
    assert world.now == MS + 250_000


def test_its_own_loop_takes_in_what_another_thread_posts_and_stops() -> None:
    clock = Clock()
    world = World(clock)
    pacer = Pacer(world, SECOND, 20.0)  # the wall clock itself, twenty times as fast
    threads: list[str] = []
    turns: list[int] = []
    pacer.on_turn(turns.append)

    def knock() -> None:
        pacer.post(lambda: threads.append(threading.current_thread().name))

    def run_out(then: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=then)
        thread.start()
        return thread

    other = run_out(knock)
    assert pacer.run() == SECOND
    other.join()
    assert threads == [threading.current_thread().name], "called on the world's thread"
    assert turns == sorted(turns)
    assert turns[-1] == SECOND

    endless = Pacer(World(clock), 1 << 60, 1.0)
    endless.post(endless.stop)
    assert endless.run() < SECOND


@pytest.mark.parametrize("speed", [0, -1.0, SLOWEST / 2, FASTEST * 2, float("nan")])
def test_impossible_speeds_are_refused(speed: float) -> None:
    with pytest.raises(InvalidValueError, match=r"simulated seconds in a second of wall time, a number from 0.001"):
        paced(speed=speed)


def test_what_would_be_over_before_anybody_comes_is_refused() -> None:
    check_span(SECOND, 1.0)
    with pytest.raises(InvalidValueError, match=r"30s at speed 1000 is over in less than a second: lower the speed"):
        check_span(30 * SECOND, 1000.0)
