"""Moving averages of a price: simple, exponential, weighted, doubly and triply smoothed, adaptive.

Sources: P. Mulloy, "Smoothing Data with Faster Moving Averages", Technical Analysis of Stocks & Commodities 12(1),
1994 (DEMA, TEMA); P. Kaufman, "Trading Systems and Methods", 1998 (KAMA). Starts as in TA-Lib: an exponential average
begins with the simple average of its first ``period`` values.
"""

from __future__ import annotations

from marketsim.agents.indicators.base import Indicator, whole


class SMA(Indicator):
    """Simple moving average: the mean of the latest ``period`` values."""

    __slots__ = ("_full", "_place", "_ring", "_sum", "period")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._ring = [0.0] * self.period
        self._place = 0
        self._sum = 0.0
        self._full = False

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, price: float) -> float:
        """The next value."""
        ring, place = self._ring, self._place
        total = self._sum + price - ring[place]
        ring[place] = price
        place += 1
        if place == self.period:
            place, self._full = 0, True
            total = sum(ring)  # once a window, so that rounding does not add up
        self._place, self._sum = place, total
        if self._full:
            self.value = total / self.period
        return self.value


class EMA(Indicator):
    """Exponential moving average: e ← e + 2 / (period + 1) · (x − e)."""

    __slots__ = ("_left", "_sum", "_weight", "period")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._weight = 2.0 / (self.period + 1)
        self._left = self.period
        self._sum = 0.0

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, price: float) -> float:
        """The next value."""
        if self._left:
            self._sum += price
            self._left -= 1
            if not self._left:
                self.value = self._sum / self.period
            return self.value
        value = self.value
        self.value = value = value + self._weight * (price - value)
        return value


class WMA(Indicator):
    """Linearly weighted moving average: the latest value counts ``period`` times, the oldest once."""

    __slots__ = ("_full", "_place", "_ring", "_sum", "_weighted", "period")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._ring = [0.0] * self.period
        self._place = 0
        self._sum = self._weighted = 0.0
        self._full = False

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, price: float) -> float:
        """The next value."""
        ring, place, period = self._ring, self._place, self.period
        self._weighted += period * price - self._sum
        self._sum += price - ring[place]
        ring[place] = price
        self._place = place = place + 1
        if place == period:
            self._place, self._full = 0, True
            self._sum = sum(ring)
            self._weighted = sum((number + 1) * value for number, value in enumerate(ring))
        if self._full:
            self.value = self._weighted / (0.5 * period * (period + 1))
        return self.value


class DEMA(Indicator):
    """Doubly smoothed: 2·e − EMA(e), with e the exponential average, which lags less."""

    __slots__ = ("_first", "_second", "period")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._first, self._second = EMA(period), EMA(period)

    @property
    def warm_up(self) -> int:
        return 2 * self.period - 1

    def update(self, price: float) -> float:
        """The next value."""
        first = self._first.update(price)
        if first == first:
            self.value = 2.0 * first - self._second.update(first)
        return self.value


class TEMA(Indicator):
    """Triply smoothed: 3·e − 3·EMA(e) + EMA(EMA(e)), with e the exponential average."""

    __slots__ = ("_first", "_second", "_third", "period")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._first, self._second, self._third = EMA(period), EMA(period), EMA(period)

    @property
    def warm_up(self) -> int:
        return 3 * self.period - 2

    def update(self, price: float) -> float:
        """The next value."""
        first = self._first.update(price)
        if first == first:
            second = self._second.update(first)
            if second == second:
                self.value = 3.0 * (first - second) + self._third.update(second)
        return self.value


class KAMA(Indicator):
    """Kaufman's adaptive average: quick where the price goes straight, slow where it goes to and fro.

    With efficiency E = |x − x of ``period`` ago| / Σ|steps|: k ← k + (E·(2/3 − 2/31) + 2/31)²·(x − k).
    """

    __slots__ = ("_place", "_ring", "_seen", "_steps", "_travelled", "period")

    def __init__(self, period: int = 30) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._ring = [0.0] * self.period  # values …
        self._steps = [0.0] * self.period  # … and distances between them
        self._place = self._seen = 0
        self._travelled = 0.0

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def update(self, price: float) -> float:
        """The next value."""
        place, seen = self._place, self._seen
        last = self._ring[place - 1]
        oldest, self._ring[place] = self._ring[place], price
        step = abs(price - last) if seen else 0.0
        self._travelled += step - self._steps[place]
        self._steps[place] = step
        self._place, self._seen = (place + 1) % self.period, seen + 1
        if not self._place:
            self._travelled = sum(self._steps)
        if seen >= self.period:
            start = last if seen == self.period else self.value
            gone, travelled = abs(price - oldest), self._travelled
            efficiency = gone / travelled if travelled > gone else 1.0
            speed = efficiency * (2.0 / 3.0 - 2.0 / 31.0) + 2.0 / 31.0
            self.value = start + speed * speed * (price - start)
        return self.value
