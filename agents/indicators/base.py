"""An indicator: one number, or a few, kept up to date with each price or bar. It looks at the past only.

``value`` is NaN until it has seen enough (``warm_up`` updates); so are its other lines. Whatever the update costs does
not grow with what was seen before. Prices may be ticks or currency: a line has the unit of what it is given.
"""

from __future__ import annotations

from collections import deque
from operator import index
from typing import Any, ClassVar, Protocol

from marketsim.errors import InvalidValueError

NAN = float("nan")
LONGEST = 1_000_000  # updates that an indicator looks back on


class Candle(Protocol):
    """What an indicator of bars needs to know of one; ``domain.market_data.Bar`` is such."""

    @property
    def open(self) -> float:
        """First price."""

    @property
    def high(self) -> float:
        """Highest price."""

    @property
    def low(self) -> float:
        """Lowest price."""

    @property
    def close(self) -> float:
        """Last price."""

    @property
    def volume(self) -> float:
        """Traded quantity."""


class Indicator:
    """Base of every indicator.

    OF: what ``update`` takes: a "price", a "volume", or a whole "bar". LINES: the names of its numbers, the main one
    first.
    """

    __slots__ = ("value",)

    OF: ClassVar[str] = "price"
    LINES: ClassVar[tuple[str, ...]] = ("value",)

    def __init__(self) -> None:
        self.value = NAN

    @property
    def ready(self) -> bool:
        """Whether it has seen enough."""
        return self.value == self.value

    @property
    def warm_up(self) -> int:
        """Updates up to the one that gives the first value, that one included."""
        raise NotImplementedError

    def update(self, seen: Any) -> float:
        """Take in the next price, volume or bar; answers the new ``value``."""
        raise NotImplementedError


def whole(name: str, value: object, low: int = 1) -> int:
    """A number of updates, such as a period."""
    try:
        number = -1 if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        number = int(value) if isinstance(value, float) and value.is_integer() else -1
    if not low <= number <= LONGEST:
        raise InvalidValueError(f"{name}: {value!r} must be a whole number from {low} to {LONGEST:,}")
    return number


def positive(name: str, value: object) -> float:
    """A multiple above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < float("inf"):
        raise InvalidValueError(f"{name}: {value!r} must be a number above 0")
    return float(value)


class Highest:
    """Highest of the latest values, in constant time on average: a queue in which nothing is hidden.

    Of equal values the latest counts. The lowest is minus the highest of the values with another sign.
    """

    __slots__ = ("_count", "_kept", "_length")

    def __init__(self, length: int) -> None:
        self._length = length
        self._count = 0
        self._kept: deque[tuple[int, float]] = deque()

    def update(self, value: float) -> float:
        """Take in the next; answers the highest of the window."""
        kept = self._kept
        while kept and kept[-1][1] <= value:
            kept.pop()
        count = self._count = self._count + 1
        kept.append((count, value))
        if kept[0][0] <= count - self._length:
            kept.popleft()
        return kept[0][1]

    @property
    def full(self) -> bool:
        """Whether a whole window was seen."""
        return self._count >= self._length

    @property
    def age(self) -> int:
        """Updates since the highest."""
        return self._count - self._kept[0][0]


class Moments:
    """Mean and variance (over n, not n − 1) of the latest values.

    Sums are of distances to a value of the window itself, and are formed anew once a window, so that neither a high
    price nor a long run costs digits.
    """

    __slots__ = ("_first", "_full", "_place", "_ring", "_second", "_shift", "mean", "variance")

    def __init__(self, length: int) -> None:
        self._ring = [0.0] * length
        self._place = 0
        self._full = False
        self._shift = self._first = self._second = 0.0
        self.mean = self.variance = NAN

    def update(self, value: float) -> bool:
        """Take in the next; False until a whole window was seen."""
        ring, place = self._ring, self._place
        shift, length = self._shift, len(ring)
        came, left = value - shift, ring[place] - shift
        ring[place] = value
        self._first += came - left
        self._second += came * came - left * left
        self._place = place = place + 1
        if place == length:
            self._begin_anew()
        elif not self._full:
            return False
        mean = self._first / length
        self.mean = self._shift + mean
        self.variance = max(0.0, self._second / length - mean * mean)
        return True

    def _begin_anew(self) -> None:
        self._place, self._full = 0, True
        shift = self._shift = sum(self._ring) / len(self._ring)
        self._first = sum(value - shift for value in self._ring)
        self._second = sum((value - shift) * (value - shift) for value in self._ring)
