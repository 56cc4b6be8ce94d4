"""Volume: what was traded, on which side the price moved with it, and at which mean price.

Sources: J. Granville, "Granville's New Key to Stock Market Profits", 1963 (OBV); G. Quong and A. Soudack,
"Volume-weighted RSI: money flow", Technical Analysis of Stocks & Commodities 7(3), 1989 (MFI); M. Chaikin's
accumulation and distribution line. Starts as in TA-Lib, which has no VWAP.
"""

from __future__ import annotations

from typing import ClassVar

from marketsim.agents.indicators.averages import SMA
from marketsim.agents.indicators.base import NAN, Candle, Indicator, whole


class VolumeAverage(SMA):
    """Mean volume of ``period`` bars."""

    __slots__ = ()

    OF: ClassVar[str] = "volume"


class OBV(Indicator):
    """On-balance volume: the sum of volumes, each with the sign of its bar's change of the close."""

    __slots__ = ("_close",)

    OF: ClassVar[str] = "bar"

    def __init__(self) -> None:
        super().__init__()
        self._close = NAN

    @property
    def warm_up(self) -> int:
        return 1

    def update(self, bar: Candle) -> float:
        """The next bar; the first one counts as rising."""
        close, last = bar.close, self._close
        self._close = close
        if close > last:
            self.value += bar.volume
        elif close < last:
            self.value -= bar.volume
        elif last != last:
            self.value = float(bar.volume)
        return self.value


class AccumulationDistribution(Indicator):
    """Accumulation and distribution: the sum of volumes, each times the place of the close in its bar, −1 to 1."""

    __slots__ = ()

    OF: ClassVar[str] = "bar"

    def __init__(self) -> None:
        super().__init__()
        self.value = 0.0

    @property
    def ready(self) -> bool:
        """From the first bar on."""
        return True

    @property
    def warm_up(self) -> int:
        return 1

    def update(self, bar: Candle) -> float:
        """The next bar."""
        high, low, close = bar.high, bar.low, bar.close
        if high > low:
            self.value += ((close - low) - (high - close)) / (high - low) * bar.volume
        return self.value


class MFI(Indicator):
    """Money flow index, 0 to 100: the share of ``period`` bars' turnover that went with a rising typical price.

    Where no price rose or fell it answers 50.
    """

    __slots__ = ("_down", "_falls", "_place", "_rises", "_seen", "_typical", "_up", "period")

    OF: ClassVar[str] = "bar"

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = whole("period", period)
        self._rises, self._falls = [0.0] * self.period, [0.0] * self.period
        self._place = self._seen = 0
        self._up = self._down = 0.0
        self._typical = NAN

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def update(self, bar: Candle) -> float:
        """The next bar."""
        typical, last = (bar.high + bar.low + bar.close) / 3.0, self._typical
        self._typical = typical
        if last != last:
            return self.value
        place, flow = self._place, typical * bar.volume
        rise, fall = (flow if typical > last else 0.0), (flow if typical < last else 0.0)
        self._up += rise - self._rises[place]
        self._down += fall - self._falls[place]
        self._rises[place], self._falls[place] = rise, fall
        self._place = place = place + 1
        if place == self.period:
            self._place, self._seen = 0, 1
            self._up, self._down = sum(self._rises), sum(self._falls)
        if self._seen:
            total = self._up + self._down
            self.value = 100.0 * self._up / total if total > 0.0 else 50.0
        return self.value


class VWAP(Indicator):
    """Volume-weighted mean of typical prices: of ``period`` bars, or with 0 of all since the start or ``restart``.

    NaN as long as nothing was traded.
    """

    __slots__ = ("_money", "_place", "_ring", "_volume", "period")

    OF: ClassVar[str] = "bar"

    def __init__(self, period: int = 0) -> None:
        super().__init__()
        self.period = whole("period", period, low=0)
        self.restart()

    def restart(self) -> None:
        """Forget what was traded: a new session begins."""
        self.value = NAN
        self._ring = [(0.0, 0.0)] * self.period
        self._place = 0
        self._money = self._volume = 0.0

    @property
    def warm_up(self) -> int:
        return 1

    def update(self, bar: Candle) -> float:
        """The next bar."""
        volume = float(bar.volume)
        money = (bar.high + bar.low + bar.close) / 3.0 * volume
        self._money += money
        self._volume += volume
        if self.period:
            self._forget((money, volume))
        self.value = self._money / self._volume if self._volume > 0.0 else NAN
        return self.value

    def _forget(self, came: tuple[float, float]) -> None:
        left, self._ring[self._place] = self._ring[self._place], came
        self._money -= left[0]
        self._volume -= left[1]
        self._place = (self._place + 1) % self.period
        if not self._place:
            self._money, self._volume = sum(money for money, _ in self._ring), sum(lots for _, lots in self._ring)
