"""Pacing: a simulated clock that follows the wall clock at a factor, with an inbox that any thread may use.

A ``Pacer`` knows how far the simulated clock should be and moves the world there in short turns, so that whoever owns
the thread (a loop of its own, or the event loop of a server) can do other things between two of them. What arrives from
outside waits in the inbox until the world has come to the present. It knows no market; the wall clock decides when
things happen and never what happens.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from marketsim.domain.units import MILLISECOND, SECOND, format_duration
from marketsim.errors import InvalidValueError

FASTEST, SLOWEST = 100_000.0, 0.001
_GIVE_UP = SECOND  # wall ns behind which a world is not made up for: the clock slips instead
_TURN = 4 * MILLISECOND  # wall ns that one turn may take
_FIRST_STRIDE = 10 * MILLISECOND  # simulated ns
_CLOSE = 200_000  # wall ns by which the world may be behind what comes from outside


def wall_milliseconds() -> int:
    """Milliseconds since 1970, as venues stamp them."""
    return time.time_ns() // MILLISECOND


def wall_text() -> str:
    """Now, for people: date and time in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class Paced(Protocol):
    """A world whose clock can be moved on."""

    @property
    def now(self) -> int:
        """Simulated time, ns."""

    def advance(self, until: int) -> None:
        """Handle everything that comes before a simulated time, and be there."""


class Pace(NamedTuple):
    """How the pacing goes."""

    time: int  # simulated ns
    speed: float  # simulated seconds that should pass in a second
    paused: bool
    lag: int  # wall ns by which the world is behind
    slipped: int  # wall ns that were given up because the world could not keep the pace
    over: bool  # the end is reached


class Pacer:
    """Moves a world along the wall clock until an end.

    speed: simulated seconds in a second of wall time, 0.001 to 100,000.
    clock: wall ns, never going back.

    ``turn`` is for whoever has a loop already; ``run`` is a loop of its own. Both must stay on one thread; ``post``,
    ``pause``, ``resume``, ``step`` and ``set_speed`` may be called on any.
    """

    def __init__(
        self,
        world: Paced,
        end: int,
        speed: float = 1.0,
        *,
        paused: bool = False,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._world = world
        self._end = end
        self._clock = clock
        self._speed = _speed(speed)
        self._paused = paused
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._inbox: deque[Callable[[], object]] = deque()
        self._on_turn: list[Callable[[int], object]] = []
        self._stopped = False
        self._slipped = 0
        self._stride = _FIRST_STRIDE
        self._anchor(world.now)

    # --- from any thread ---

    def post(self, call: Callable[[], object]) -> None:
        """Call something in the next turn, once the world has come to the present."""
        self._inbox.append(call)
        self._bell.set()

    def pause(self) -> None:
        """The simulated clock stands still from now on; what is posted is still called."""
        with self._lock:
            self._base, self._began = self._goal(), self._clock()
            self._paused = True

    def resume(self) -> None:
        """The simulated clock goes on from where it stands."""
        with self._lock:
            if self._paused:
                self._began = self._clock()
                self._paused = False
        self._bell.set()

    def step(self, span: int) -> int:
        """Let a paused clock go on by so many simulated ns, as fast as it can; answers where it will stand."""
        if span <= 0:
            raise InvalidValueError(f"a step of {span} ns: a clock goes forward; write more than 0")
        with self._lock:
            if not self._paused:
                raise InvalidValueError("the clock is running: pause it before it is stepped")
            self._base = min(self._base + span, self._end)
            goal = self._base
        self._bell.set()
        return goal

    def set_speed(self, speed: float) -> None:
        """Another factor from now on."""
        checked = _speed(speed)
        with self._lock:
            self._base, self._began = self._goal(), self._clock()
            self._speed = checked
        self._bell.set()

    def stop(self) -> None:
        """``run`` comes back after the present turn."""
        self._stopped = True
        self._bell.set()

    @property
    def pace(self) -> Pace:
        """How it goes at this moment."""
        now = self._world.now
        return Pace(now, self._speed, self._paused, self._behind(now), self._slipped, now >= self._end)

    def behind(self) -> float:
        """Wall seconds by which the world is behind at this moment."""
        return self._behind(self._world.now) / SECOND

    # --- on the world's own thread ---

    def on_turn(self, call: Callable[[int], object]) -> None:
        """From now on call something after each turn, with the simulated time."""
        self._on_turn.append(call)

    def begin(self) -> None:
        """Let the wall clock count from now on: what was prepared since the pacer was made is no lag."""
        with self._lock:
            self._anchor(self._world.now)

    def present(self) -> int:
        """Simulated ns at which the world should be now; where it is, if it is ahead."""
        return max(self._world.now, min(self._goal(), self._end))

    def come_close(self) -> None:
        """Bring the world to the present unless it has been there a moment ago, for what comes in quick succession."""
        if self._goal() - self._world.now > _CLOSE * self._speed:
            self.catch_up()

    def catch_up(self) -> int:
        """Bring the world to the present, as long as a turn may take; answers its time."""
        world, clock = self._world, self._clock
        began = clock()
        goal = min(self._goal(), self._end)  # the present moves on meanwhile: that is the next turn's
        while (now := world.now) < goal:
            asked = clock()
            world.advance(min(goal, now + self._stride))
            spent = clock()
            self._pace_strides(spent - asked, goal - now)
            if spent - began > _TURN:
                break
        behind = self._behind(world.now)
        if behind > _GIVE_UP and not self._paused:
            self._slip(behind)
        return world.now

    def turn(self) -> float:
        """Bring the world to the present, take in what was posted, tell the callbacks.

        Answers the wall seconds after which the next turn is due when nothing is posted before; 0 when it is at once.
        """
        now = self.catch_up()
        while self._inbox:
            self._inbox.popleft()()
        for call in self._on_turn:
            call(now)
        return self._patience()

    def run(self) -> int:
        """Turn after turn, until the end is reached or ``stop`` is called; answers the simulated time."""
        self._stopped = False
        while not self._stopped and self._world.now < self._end:
            patience = self.turn()
            if patience and not self._stopped:
                self._bell.wait(patience)
                self._bell.clear()
        return self._world.now

    # --- inner ---

    def _anchor(self, now: int) -> None:
        self._base, self._began = now, self._clock()

    def _goal(self) -> int:
        if self._paused:
            return self._base
        return self._base + int((self._clock() - self._began) * self._speed)

    def _behind(self, now: int) -> int:
        return max(0, int((min(self._goal(), self._end) - now) / self._speed))

    def _slip(self, behind: int) -> None:
        with self._lock:
            self._slipped += behind
            self._anchor(self._world.now)

    def _pace_strides(self, took: int, wanted: int) -> None:
        """Strides are so long that one takes about a quarter of a turn."""
        if took > _TURN // 2:
            self._stride = max(self._stride // 2, 1)
        elif took < _TURN // 8 and wanted > self._stride:
            self._stride *= 2

    def _patience(self) -> float:
        if self._paused:
            return 0.0 if self._world.now < self._base else 0.05
        if self._behind(self._world.now) > MILLISECOND:
            return 0.0
        return 0.001


def _speed(speed: float) -> float:
    if not SLOWEST <= speed <= FASTEST:
        raise InvalidValueError(
            f"speed {speed!r}: simulated seconds in a second of wall time, a number from {SLOWEST} to {FASTEST:,.0f}"
        )
    return float(speed)


def check_span(span: int, speed: float) -> None:
    """Refuse what would be over before anybody could take part: less than a second of wall time."""
    if span / _speed(speed) < SECOND:
        raise InvalidValueError(
            f"{format_duration(span)} at speed {speed:g} is over in less than a second: lower the speed or lengthen "
            "the duration"
        )
