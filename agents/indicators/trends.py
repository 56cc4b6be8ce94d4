"""Trends: their strength, their direction, and where they would be over.

Sources: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978 (ADX); T. Chande, "A Time Price Oscillator",
Technical Analysis of Stocks & Commodities 13(9), 1995 (Aroon); O. Seban, "Tout le monde mérite d'être riche", 2008
(SuperTrend); G. Hosoda, "Ichimoku Kinko Hyo", 1969. ADX, Aroon and slope start as in TA-Lib.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from marketsim.agents.indicators.base import NAN, Candle, Highest, Indicator, positive, whole
from marketsim.agents.indicators.volatility import ATR
from marketsim.errors import InvalidValueError


class ADX(Indicator):
    """Wilder's average directional index, 0 to 100, and the directional indicators ``plus`` and ``minus``.

    With sums of Wilder's kind, s ← s − s/period + x: plus = 100·(upward moves)/(true ranges), minus likewise,
    DX = 100·|plus − minus|/(plus + minus), and ADX their average of Wilder's kind.
    """

    __slots__ = ("_bar", "_down", "_range", "_seen", "_sum", "_up", "minus", "period", "plus")

    OF: ClassVar[str] = "bar"
    LINES: ClassVar[tuple[str, ...]] = ("value", "plus", "minus")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._bar = (NAN, NAN, NAN)  # high, low and close of the last
        self._up = self._down = self._range = 0.0
        self._seen = 0
        self._sum = 0.0  # of the first directional indices
        self.plus = self.minus = NAN

    @property
    def warm_up(self) -> int:
        return 2 * self.period

    def update(self, bar: Candle) -> float:
        """The next bar."""
        (last_high, last_low, last), high, low = self._bar, bar.high, bar.low
        self._bar = (high, low, bar.close)
        self._seen += 1
        if last != last:
            return self.value
        kept = 1.0 if self._seen <= self.period else 1.0 - 1.0 / self.period
        rise, fall = high - last_high, last_low - low
        self._up = self._up * kept + (rise if rise > fall and rise > 0.0 else 0.0)
        self._down = self._down * kept + (fall if fall > rise and fall > 0.0 else 0.0)
        self._range = self._range * kept + (high if high > last else last) - (low if low < last else last)
        if self._seen > self.period:
            self._direct()
        return self.value

    def _direct(self) -> None:
        """Directional indicators, and what they add to the average."""
        span, period = self._range, self.period
        self.plus = 100.0 * self._up / span if span else 0.0
        self.minus = 100.0 * self._down / span if span else 0.0
        total = self.plus + self.minus
        number = self._seen - period  # of directional indices, this one included
        if total:
            index = 100.0 * abs(self.plus - self.minus) / total
        else:
            index = 0.0 if number <= period else self.value  # no direction: it stays as it was
        if number <= period:
            self._sum += index
            if number == period:
                self.value = self._sum / period
        else:
            self.value += (index - self.value) / period


class Aroon(Indicator):
    """How long ago the latest high and low were: ``up`` and ``down``, 100 now, 0 ``period`` bars ago; ``value`` is
    up − down.
    """

    __slots__ = ("_high", "_low", "down", "period", "up")

    OF: ClassVar[str] = "bar"
    LINES: ClassVar[tuple[str, ...]] = ("value", "up", "down")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._high, self._low = Highest(self.period + 1), Highest(self.period + 1)
        self.up = self.down = NAN

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def update(self, bar: Candle) -> float:
        """The next bar."""
        high, low, period = self._high, self._low, self.period
        high.update(bar.high)
        low.update(-bar.low)
        if high.full:
            self.up, self.down = 100.0 * (period - high.age) / period, 100.0 * (period - low.age) / period
            self.value = self.up - self.down
        return self.value


class LinearSlope(Indicator):
    """Slope of the straight line through the latest ``period`` values, a step."""

    __slots__ = ("_full", "_place", "_ring", "_sum", "_weighted", "period")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period, low=2)
        self._ring = [0.0] * self.period
        self._place = 0
        self._full = False
        self._sum = self._weighted = 0.0  # of values, and of values times their age

    @property
    def warm_up(self) -> int:
        return self.period

    def update(self, price: float) -> float:
        """The next value."""
        ring, place, period = self._ring, self._place, self.period
        left = ring[place]
        self._weighted += self._sum - period * left
        self._sum += price - left
        ring[place] = price
        self._place = place = place + 1
        if place == period:
            self._place, self._full = 0, True
            self._sum = sum(ring)
            self._weighted = sum((period - 1 - number) * value for number, value in enumerate(ring))
        if self._full:
            ages = 0.5 * (period - 1)
            self.value = (ages * self._sum - self._weighted) / (period * (period * period - 1) / 12.0)
        return self.value


class SuperTrend(Indicator):
    """A stop line ``multiple`` average true ranges behind the middle of the bars, which never moves back.

    ``value`` is the line: below the price while ``direction`` is 1, above it while it is −1. It turns when the close
    passes the line. The first direction is up when the close is not below the middle of its bar.
    """

    __slots__ = ("_lower", "_range", "_upper", "direction", "multiple", "period")

    OF: ClassVar[str] = "bar"
    LINES: ClassVar[tuple[str, ...]] = ("value", "direction")

    def __init__(self, period: int = 10, multiple: float = 3.0) -> None:
        super().__init__()
        self.period, self.multiple = whole("period", period), positive("multiple", multiple)
        self._range = ATR(period)
        self._upper = self._lower = NAN
        self.direction = NAN

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def update(self, bar: Candle) -> float:
        """The next bar."""
        span, close = self._range.update(bar), bar.close
        if span != span:
            return self.value
        middle, width = 0.5 * (bar.high + bar.low), self.multiple * span
        upper, lower, direction = self._upper, self._lower, self.direction
        if direction != direction:
            direction = 1.0 if close >= middle else -1.0
            upper, lower = middle + width, middle - width
        elif direction > 0.0:  # the line is below, and only rises
            lower = max(lower, middle - width)
            if close < lower:
                direction, upper = -1.0, middle + width
        else:
            upper = min(upper, middle + width)
            if close > upper:
                direction, lower = 1.0, middle - width
        self._upper, self._lower, self.direction = upper, lower, direction
        self.value = lower if direction > 0.0 else upper
        return self.value


class Ichimoku(Indicator):
    """Ichimoku Kinko Hyo: middles of three ranges, and the cloud that was drawn ``ahead`` bars ago for now.

    ``value`` and ``conversion`` (tenkan-sen) is the middle of the range of ``short`` bars, ``base`` (kijun-sen) that of
    ``medium`` bars. The cloud of now lies between ``span_a``, (conversion + base) / 2 of ``ahead`` bars ago, and
    ``span_b``, the middle of the range of ``long`` bars as it was then; ``top`` and ``bottom`` are its edges.
    ``ahead_a`` and ``ahead_b`` are the spans drawn now, and ``lagging`` is the close of ``ahead`` bars ago, to which
    the close of now is compared.
    """

    __slots__ = (
        "_closes", "_long", "_medium", "_short", "_spans", "ahead", "ahead_a", "ahead_b", "base", "bottom",
        "conversion", "lagging", "long", "medium", "short", "span_a", "span_b", "top",
    )  # fmt: skip

    OF: ClassVar[str] = "bar"
    LINES: ClassVar[tuple[str, ...]] = (
        "value", "conversion", "base", "span_a", "span_b", "top", "bottom", "ahead_a", "ahead_b", "lagging",
    )  # fmt: skip

    def __init__(self, short: int = 9, medium: int = 26, long: int = 52, ahead: int = 26) -> None:
        super().__init__()
        self.short, self.medium, self.long = whole("short", short), whole("medium", medium), whole("long", long)
        self.ahead = whole("ahead", ahead)
        if not self.short < self.medium < self.long:
            raise InvalidValueError(f"medium: {medium} must lie between short, {short}, and long, {long}")
        self._short, self._medium, self._long = _Middle(self.short), _Middle(self.medium), _Middle(self.long)
        self._spans: deque[tuple[float, float]] = deque(maxlen=self.ahead + 1)
        self._closes: deque[float] = deque(maxlen=self.ahead + 1)
        self.conversion = self.base = self.span_a = self.span_b = self.top = self.bottom = NAN
        self.ahead_a = self.ahead_b = self.lagging = NAN

    @property
    def warm_up(self) -> int:
        return self.long + self.ahead

    def update(self, bar: Candle) -> float:
        """The next bar."""
        high, low, spans, closes = bar.high, bar.low, self._spans, self._closes
        self.conversion = conversion = self._short.update(high, low)
        self.base = base = self._medium.update(high, low)
        self.ahead_a, self.ahead_b = 0.5 * (conversion + base), self._long.update(high, low)
        spans.append((self.ahead_a, self.ahead_b))
        closes.append(bar.close)
        if len(spans) > self.ahead:
            self.lagging = closes[0]
            a, b = self.span_a, self.span_b = spans[0]
            if b == b:
                self.top, self.bottom = (a, b) if a > b else (b, a)
                self.value = conversion
        return self.value


class _Middle:
    """Middle of the range of the latest bars; NaN before there are enough."""

    __slots__ = ("_high", "_low")

    def __init__(self, length: int) -> None:
        self._high, self._low = Highest(length), Highest(length)

    def update(self, high: float, low: float) -> float:
        middle = 0.5 * (self._high.update(high) - self._low.update(-low))
        return middle if self._high.full else NAN
