"""Following a clock that is seen only in messages: what time it is now at a venue whose events carry their times.

Between two messages the time goes on with the wall clock. It knows no venue and moves no world.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from marketsim.domain.units import MILLISECOND, SECOND
from marketsim.errors import InvalidValueError

_WINDOW = SECOND // 2  # wall ns in which at least one message should be as fresh as messages can be
_SLACK = 20 * MILLISECOND  # wall ns by which even the freshest message may be old


def elapsed_nanoseconds() -> int:
    """A wall clock that never goes back and whose zero means nothing: for how long something took."""
    return time.perf_counter_ns()


class FollowedClock:
    """An estimate of another clock's time, in its ns.

    speed: its seconds in a second of wall time. clock: wall ns, never going back.
    """

    def __init__(self, speed: float = 1.0, *, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        if not speed > 0:
            raise InvalidValueError(f"speed {speed!r}: seconds of the venue in a second of wall time, above 0")
        self.speed = speed
        self._clock = clock
        self._began = self._since = clock()
        self._base = 0
        self._freshest: int | None = None  # by how much the best message of this window was behind; 0 or less

    @property
    def now(self) -> int:
        """The estimate. It may go back a little when the other clock turns out to be slower."""
        return self._base + int((self._clock() - self._began) * self.speed)

    def set(self, time: int) -> None:
        """The other clock shows this time now."""
        self._base, self._began = time, self._clock()
        self._freshest, self._since = None, self._began

    def heard(self, time: int) -> None:
        """A message left at this time: the clock is not behind it, and, when all messages are old, not ahead."""
        behind = time - self.now
        if behind >= 0:
            self.set(time)
            return
        self._freshest = behind if self._freshest is None else max(self._freshest, behind)
        if self._clock() - self._since > _WINDOW:
            if self._freshest < -_SLACK * self.speed:
                self._base += self._freshest
            self._freshest, self._since = None, self._clock()

    def wait(self, until: int) -> float:
        """Wall seconds until a time; 0 when it is over."""
        return max(0.0, (until - self.now) / self.speed / SECOND)
