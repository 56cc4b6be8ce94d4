"""The clock of an agent in real time: timers and processes on an event loop, called one at a time.

Within a hook time stands still, as in the simulation: ``now`` is the time at which the hook was due. It follows the
venue's own clock (``kernel.following``) and never goes back. It knows no orders and no market data.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from marketsim.domain.units import format_duration
from marketsim.errors import InvalidValueError, SimulationError
from marketsim.kernel.following import FollowedClock

_MOST = 1000  # calls in a row before messages get their turn
Run = Callable[[Callable[..., Any], tuple[Any, ...]], None]


class Sleep(NamedTuple):
    """What a process yields to let time pass."""

    delay: int


class RealtimeClock:
    """The port Clock on the running event loop.

    followed: the venue's time. run: calls a function of the agent, and takes what it raises. loop: the running one
    when it is left out.
    """

    def __init__(self, followed: FollowedClock, run: Run, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.followed = followed
        self._run = run
        self._now = followed.now
        self._planned: list[tuple[int, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._asked = 0
        self._loop = loop or asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._due = 0
        self._catching = False
        self._stopped = False

    @property
    def now(self) -> int:
        """ns since 1970 of the venue's clock, at which the present hook was due."""
        return self._now

    @property
    def planned(self) -> int:
        """Calls that are still to come."""
        return len(self._planned)

    def call_at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function at a time, or as soon after as nothing else is going on."""
        if time < self._now:
            raise SimulationError(
                f"a call {format_duration(self._now - time)} in the past: plan it for now or later", time=self._now
            )
        self._asked += 1
        heapq.heappush(self._planned, (time, self._asked, function, arguments))
        self._set_alarm()

    def sleep(self, delay: int) -> Sleep:
        """To be yielded in a process."""
        if delay < 0:
            raise InvalidValueError(f"sleep({delay}): time goes forward; write 0 or more")
        return Sleep(delay)

    def process(self, generator: Generator[Any, Any, Any]) -> Process:
        """Run a process; the answer can be yielded in another one, which waits for it."""
        return Process(self, generator)

    def catch_up(self) -> None:
        """Come to the present: what was due before is called first."""
        if self._catching:
            return
        self._catching = True
        try:
            present = self.followed.now
            for _ in range(_MOST):
                if self._stopped or not self._planned or self._planned[0][0] > present:
                    break
                time, _, function, arguments = heapq.heappop(self._planned)
                self._now = max(self._now, time)
                self._run(function, arguments)
            else:
                present = self._now
            self._now = max(self._now, present)
        finally:
            self._catching = False
        self._set_alarm()

    def stop(self) -> None:
        """Nothing is called from now on."""
        self._stopped = True
        self._planned.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    # --- inner ---

    def _set_alarm(self) -> None:
        if self._stopped or not self._planned or self._catching:
            return
        due = self._planned[0][0]
        if self._alarm is not None:
            if self._due <= due:
                return
            self._alarm.cancel()
        self._due = due
        self._alarm = self._loop.call_later(self.followed.wait(due), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.catch_up()


class Process:
    """A generator that goes on whenever what it yielded is over; ``value`` is what it returned."""

    def __init__(self, clock: RealtimeClock, generator: Generator[Any, Any, Any]) -> None:
        self._clock = clock
        self._generator = generator
        self._waiting: list[Process] = []
        self.done = False
        self.value: Any = None
        self._error: Exception | None = None
        clock.call_at(clock.now, self._go_on, None, None)

    def _go_on(self, value: Any, error: Exception | None) -> None:
        try:
            wanted = self._generator.send(value) if error is None else self._generator.throw(error)
        except StopIteration as end:
            self._end(end.value, None)
            return
        except Exception as failure:
            if not self._waiting:
                raise
            self._end(None, failure)
            return
        if isinstance(wanted, Sleep):
            self._clock.call_at(self._clock.now + wanted.delay, self._go_on, None, None)
        elif isinstance(wanted, Process):
            wanted.tell(self)
        else:
            raise InvalidValueError(
                f"a process yields what sleep() or process() answers, not {wanted!r}: write yield self.sleep('1s')"
            )

    def tell(self, other: Process) -> None:
        """Another process waits for the end of this one."""
        if self.done:
            self._clock.call_at(self._clock.now, other._go_on, self.value, self._error)
        else:
            self._waiting.append(other)

    def _end(self, value: Any, error: Exception | None) -> None:
        self.done, self.value, self._error = True, value, error
        for other in self._waiting:
            self._clock.call_at(self._clock.now, other._go_on, value, error)
