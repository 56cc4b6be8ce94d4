"""Volatility: true range and its averages, deviations, and the bands and channels that are made of them.

Sources: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978 (true range, ATR); J. Bollinger, "Bollinger on
Bollinger Bands", 2001. Starts as in TA-Lib, which has no Keltner channel: that is C. Keltner's in L. Raschke's form.
"""

from __future__ import annotations

import math
from typing import ClassVar

from marketsim.agents.indicators.averages import EMA
from marketsim.agents.indicators.base import NAN, Candle, Highest, Indicator, Moments, positive, whole


class TrueRange(Indicator):
    """Range of a bar, together with the gap to the close before it."""

    __slots__ = ("_close",)

    OF: ClassVar[str] = "bar"

    def __init__(self) -> None:
        super().__init__()
        self._close = NAN

    @property
    def warm_up(self) -> int:
        return 2

    def update(self, bar: Candle) -> float:
        """The next bar."""
        last, self._close = self._close, bar.close
        if last == last:
            high, low = bar.high, bar.low
            self.value = (high if high > last else last) - (low if low < last else last)
        return self.value


class ATR(Indicator):
    """Average true range, of Wilder's kind: a ← a + (range − a) / period, from the mean of the first ``period`` on."""

    __slots__ = ("_close", "_left", "_sum", "_weight", "period")

    OF: ClassVar[str] = "bar"

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._weight = 1.0 / self.period
        self._left = self.period
        self._sum = 0.0
        self._close = NAN

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def update(self, bar: Candle) -> float:
        """The next bar."""
        high, low, last = bar.high, bar.low, self._close
        self._close = bar.close
        if last != last:
            return self.value
        span = (high if high > last else last) - (low if low < last else last)
        if self._left:
            self._sum += span
            self._left -= 1
            if not self._left:
                self.value = self._sum / self.period
            return self.value
        value = self.value
        self.value = value = value + self._weight * (span - value)
        return value


class NATR(Indicator):
    """Average true range in percent of the close."""

    __slots__ = ("_range", "period")

    OF: ClassVar[str] = "bar"

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._range = ATR(period)

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def update(self, bar: Candle) -> float:
        """The next bar."""
        span = self._range.update(bar)
        self.value = 100.0 * span / bar.close if bar.close else NAN
        return self.value


class StandardDeviation(Indicator):
    """Standard deviation of the latest ``period`` values about their mean (over n)."""

    __slots__ = ("_moments", "period")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._moments = Moments(self.period)

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, price: float) -> float:
        """The next value."""
        if self._moments.update(price):
            self.value = math.sqrt(self._moments.variance)
        return self.value


class Bollinger(Indicator):
    """Bollinger's bands: the mean of ``period`` values (``value``), and so many ``deviations`` above and below it."""

    __slots__ = ("_moments", "deviations", "lower", "period", "upper")

    LINES: ClassVar[tuple[str, ...]] = ("value", "upper", "lower")

    def __init__(self, period: int = 20, deviations: float = 2.0) -> None:
        super().__init__()
        self.period, self.deviations = whole("period", period), positive("deviations", deviations)
        self._moments = Moments(self.period)
        self.upper = self.lower = NAN

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, price: float) -> float:
        """The next value."""
        moments = self._moments
        if moments.update(price):
            self.value = mean = moments.mean
            width = self.deviations * math.sqrt(moments.variance)
            self.upper, self.lower = mean + width, mean - width
        return self.value


class Keltner(Indicator):
    """Keltner's channel: an exponential average of the close, and ``multiple`` average true ranges about it."""

    __slots__ = ("_average", "_range", "lower", "multiple", "period", "range_period", "upper")

    OF: ClassVar[str] = "bar"
    LINES: ClassVar[tuple[str, ...]] = ("value", "upper", "lower")

    def __init__(self, period: int = 20, multiple: float = 2.0, range_period: int = 10) -> None:
        super().__init__()
        self.period, self.multiple = whole("period", period), positive("multiple", multiple)
        self.range_period = whole("range_period", range_period)
        self._average, self._range = EMA(period), ATR(range_period)
        self.upper = self.lower = NAN

    @property
    def warm_up(self) -> int:
        return max(self.period, self.range_period + 1)

    def update(self, bar: Candle) -> float:
        """The next bar."""
        middle, span = self._average.update(bar.close), self._range.update(bar)
        if middle == middle and span == span:
            width = self.multiple * span
            self.value, self.upper, self.lower = middle, middle + width, middle - width
        return self.value


class Donchian(Indicator):
    """Donchian's channel: highest high and lowest low of ``period`` bars, and the middle of both (``value``)."""

    __slots__ = ("_high", "_low", "lower", "period", "upper")

    OF: ClassVar[str] = "bar"
    LINES: ClassVar[tuple[str, ...]] = ("value", "upper", "lower")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._high, self._low = Highest(self.period), Highest(self.period)
        self.upper = self.lower = NAN

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, bar: Candle) -> float:
        """The next bar."""
        high, low = self._high.update(bar.high), -self._low.update(-bar.low)
        if self._high.full:
            self.value, self.upper, self.lower = 0.5 * (high + low), high, low
        return self.value
