"""Oscillators: how far and how fast a price has moved lately, most of them on a scale of their own.

Sources: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978 (RSI); T. Chande and S. Kroll, "The New
Technical Trader", 1994 (CMO); G. Appel, "The Moving Average Convergence–Divergence Trading Method", 1985 (MACD);
D. Lambert, "Commodity Channel Index", Commodities 9, 1980. Starts as in TA-Lib. Where a price has not moved at all a
scale has no meaning: these answer its middle, where TA-Lib answers 0, which would read as oversold.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from marketsim.agents.indicators.averages import EMA, SMA
from marketsim.agents.indicators.base import NAN, Candle, Highest, Indicator, whole
from marketsim.errors import InvalidValueError


class RSI(Indicator):
    """Wilder's relative strength index, 0 to 100: 100 · gains / (gains + losses), both averages of Wilder's kind."""

    __slots__ = ("_down", "_kept", "_last", "_left", "_up", "period")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._kept = 1.0 - 1.0 / self.period
        self._left = self.period
        self._last = NAN
        self._up = self._down = 0.0  # gains and losses, averages times the period

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def update(self, price: float) -> float:
        """The next value."""
        last, self._last = self._last, price
        if last != last:
            return self.value
        up, down = self._up, self._down
        if self._left:
            self._left -= 1
        else:
            up *= self._kept
            down *= self._kept
        if price > last:
            up += price - last
        else:
            down += last - price
        self._up, self._down = up, down
        if not self._left:
            total = up + down
            self.value = self._scaled(up, down, total) if total > 0.0 else self._scaled(1.0, 1.0, 2.0)
        return self.value

    def _scaled(self, up: float, down: float, total: float) -> float:
        return 100.0 * up / total


class CMO(RSI):
    """Chande's momentum oscillator, −100 to 100: 100 · (gains − losses) / (gains + losses), averages as of the RSI."""

    __slots__ = ()

    def _scaled(self, up: float, down: float, total: float) -> float:
        return 100.0 * (up - down) / total


class MACD(Indicator):
    """Difference of a fast and a slow exponential average, its own average (``signal``), and their ``histogram``.

    The fast average begins so late that both have their first value together, as in TA-Lib.
    """

    __slots__ = ("_fast", "_signal", "_skip", "_slow", "fast", "histogram", "signal", "slow", "smoothing")

    LINES: ClassVar[tuple[str, ...]] = ("value", "signal", "histogram")

    def __init__(self, fast: int = 12, slow: int = 26, smoothing: int = 9) -> None:
        super().__init__()
        self.fast, self.slow, self.smoothing = whole("fast", fast), whole("slow", slow), whole("smoothing", smoothing)
        if self.fast >= self.slow:
            raise InvalidValueError(f"fast: {fast} must be less than slow, {slow}; swap them")
        self._fast, self._slow, self._signal = EMA(fast), EMA(slow), EMA(smoothing)
        self._skip = self.slow - self.fast
        self.signal = self.histogram = NAN

    @property
    def warm_up(self) -> int:
        return self.slow + self.smoothing - 1

    def update(self, price: float) -> float:
        """The next value."""
        slow = self._slow.update(price)
        if self._skip:
            self._skip -= 1
            return self.value
        gap = self._fast.update(price) - slow
        if gap == gap:
            signal = self._signal.update(gap)
            if signal == signal:
                self.value, self.signal, self.histogram = gap, signal, gap - signal
        return self.value


class Momentum(Indicator):
    """What the price has gained over ``period`` steps."""

    __slots__ = ("_place", "_ring", "period")

    def __init__(self, period: int = 10) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._ring = [NAN] * self.period
        self._place = 0

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def update(self, price: float) -> float:
        """The next value."""
        place, ring = self._place, self._ring
        self.value = value = self._gain(price, ring[place])
        ring[place] = price
        place += 1
        self._place = place if place < self.period else 0
        return value

    def _gain(self, price: float, before: float) -> float:
        return price - before


class ROC(Momentum):
    """Rate of change: what the price has gained over ``period`` steps, percent of what it was."""

    __slots__ = ()

    def _gain(self, price: float, before: float) -> float:
        return 100.0 * (price / before - 1.0) if before else 0.0


class TRIX(Indicator):
    """Gain of a triply smoothed price in one step, percent: EMA of EMA of EMA, each of ``period``."""

    __slots__ = ("_change", "_first", "_second", "_third", "period")

    def __init__(self, period: int = 15) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._first, self._second, self._third = EMA(period), EMA(period), EMA(period)
        self._change = ROC(1)

    @property
    def warm_up(self) -> int:
        return 3 * self.period - 1

    def update(self, price: float) -> float:
        """The next value."""
        first = self._first.update(price)
        if first == first:
            second = self._second.update(first)
            if second == second:
                third = self._third.update(second)
                if third == third:
                    self.value = self._change.update(third)
        return self.value


class Stochastic(Indicator):
    """Where the close lies in the range of ``period`` bars, 0 to 100, smoothed (%K, ``value``) and again (``d``)."""

    __slots__ = ("_high", "_low", "_slow", "_slower", "d", "period", "smoothing", "smoothing_d")

    OF: ClassVar[str] = "bar"
    LINES: ClassVar[tuple[str, ...]] = ("value", "d")

    def __init__(self, period: int = 14, smoothing: int = 3, smoothing_d: int = 3) -> None:
        super().__init__()
        self.period = whole("period", period)
        self.smoothing, self.smoothing_d = whole("smoothing", smoothing), whole("smoothing_d", smoothing_d)
        self._high, self._low = Highest(self.period), Highest(self.period)
        self._slow, self._slower = SMA(smoothing), SMA(smoothing_d)
        self.d = NAN

    @property
    def warm_up(self) -> int:
        return self.period + self.smoothing + self.smoothing_d - 2

    def update(self, bar: Candle) -> float:
        """The next bar."""
        high, low = self._high.update(bar.high), -self._low.update(-bar.low)
        if self._high.full:
            slow = self._slow.update(100.0 * (bar.close - low) / (high - low) if high > low else 50.0)
            if slow == slow:
                slower = self._slower.update(slow)
                if slower == slower:
                    self.value, self.d = slow, slower
        return self.value


class WilliamsR(Indicator):
    """Williams' %R: where the close lies in the range of ``period`` bars, −100 at its low, 0 at its high."""

    __slots__ = ("_high", "_low", "period")

    OF: ClassVar[str] = "bar"

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._high, self._low = Highest(self.period), Highest(self.period)

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, bar: Candle) -> float:
        """The next bar."""
        high, low = self._high.update(bar.high), -self._low.update(-bar.low)
        if self._high.full:
            self.value = -100.0 * (high - bar.close) / (high - low) if high > low else -50.0
        return self.value


class CCI(Indicator):
    """Commodity channel index: (t − mean of t) / (0.015 · mean distance to it), t = (high + low + close) / 3.

    The mean distance has no shorter way: an update costs as much as its ``period``.
    """

    __slots__ = ("_kept", "period")

    OF: ClassVar[str] = "bar"

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._kept: deque[float] = deque(maxlen=self.period)

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, bar: Candle) -> float:
        """The next bar."""
        kept, typical = self._kept, (bar.high + bar.low + bar.close) / 3.0
        kept.append(typical)
        if len(kept) == self.period:
            mean = sum(kept) / self.period
            distance = sum([abs(value - mean) for value in kept]) / self.period
            self.value = (typical - mean) / (0.015 * distance) if distance else 0.0
        return self.value
