"""Presets: the entries of the founding document by name, each made of rules. Where they wait between two entries is the
strategy's ``cooldown``.

An oversold market is rarely above its cloud or in a rising trend in the same bar. So where RSI is confirmed by a trend,
it counts for ``memory`` bars: oversold lately, and now the trend is up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from marketsim.agents.rules.charts import Charts
from marketsim.agents.rules.conditions import Bollinger, Ichimoku, Rsi, SuperTrend, Volume
from marketsim.agents.rules.rule import TIMEFRAME, Condition, Need, Rule, to_timeframe

_RSI = {"help": "bars of the RSI"}
_OVERSOLD = {"help": "RSI below which the market is oversold"}
_BAND = {"help": "bars of the Bollinger band"}
_DEVIATIONS = {"help": "standard deviations of the band"}
_MULTIPLE = {"help": "least volume, times its average"}
_AVERAGE = {"help": "bars of the volume's average"}
_MEMORY = {"help": "bars for which an oversold RSI counts"}


class Preset(Rule):
    """A rule that stands for others."""

    timeframe: int | str | None

    def expand(self) -> Rule:
        """The rules that it stands for."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        to_timeframe(self)
        self.expand()  # their own checks

    def bind(self, charts: Charts) -> Condition:
        """Those rules."""
        return self.expand().bind(charts)

    def needs(self) -> Iterator[Need]:
        """What those rules look at."""
        return self.expand().needs()

    def mirror(self) -> Rule:
        """Their mirror images."""
        return self.expand().mirror()


@dataclass
class RsiOrBollinger(Preset):
    """RSI oversold, or the close at the lower Bollinger band or below."""

    rsi_period: int = field(default=14, metadata=_RSI)
    oversold: float = field(default=30.0, metadata=_OVERSOLD)
    band_period: int = field(default=20, metadata=_BAND)
    deviations: float = field(default=2.0, metadata=_DEVIATIONS)
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def expand(self) -> Rule:
        """Either of them."""
        rsi = Rsi(below=self.oversold, period=self.rsi_period, timeframe=self.timeframe)
        return rsi | Bollinger("lower", None, self.band_period, self.deviations, self.timeframe)


@dataclass
class RsiBollingerVolume(Preset):
    """RSI oversold and the close at the lower Bollinger band or below, on large volume."""

    rsi_period: int = field(default=14, metadata=_RSI)
    oversold: float = field(default=30.0, metadata=_OVERSOLD)
    band_period: int = field(default=20, metadata=_BAND)
    deviations: float = field(default=2.0, metadata=_DEVIATIONS)
    volume: float = field(default=1.5, metadata=_MULTIPLE)
    volume_period: int = field(default=20, metadata=_AVERAGE)
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def expand(self) -> Rule:
        """All three."""
        rsi = Rsi(below=self.oversold, period=self.rsi_period, timeframe=self.timeframe)
        band = Bollinger("lower", None, self.band_period, self.deviations, self.timeframe)
        return rsi & band & Volume(self.volume, None, self.volume_period, self.timeframe)


@dataclass
class RsiIchimoku(Preset):
    """RSI oversold lately, and the close above the Ichimoku cloud."""

    rsi_period: int = field(default=14, metadata=_RSI)
    oversold: float = field(default=30.0, metadata=_OVERSOLD)
    memory: int = field(default=10, metadata=_MEMORY)
    short: int = field(default=9, metadata={"help": "bars of Ichimoku's conversion line"})
    medium: int = field(default=26, metadata={"help": "bars of its base line, by which the cloud is drawn ahead"})
    long: int = field(default=52, metadata={"help": "bars of the slower edge of the cloud"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def expand(self) -> Rule:
        """Both."""
        rsi = Rsi(below=self.oversold, period=self.rsi_period, timeframe=self.timeframe).within(self.memory)
        return rsi & Ichimoku("above", self.short, self.medium, self.long, self.medium, self.timeframe)


@dataclass
class RsiVolumeSuperTrend(Preset):
    """RSI oversold lately, and the SuperTrend points up, on large volume."""

    rsi_period: int = field(default=14, metadata=_RSI)
    oversold: float = field(default=30.0, metadata=_OVERSOLD)
    memory: int = field(default=10, metadata=_MEMORY)
    volume: float = field(default=1.5, metadata=_MULTIPLE)
    volume_period: int = field(default=20, metadata=_AVERAGE)
    trend_period: int = field(default=10, metadata={"help": "bars of the SuperTrend's average true range"})
    multiple: float = field(default=3.0, metadata={"help": "average true ranges to its line"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def expand(self) -> Rule:
        """All three."""
        frame: Any = self.timeframe
        rsi = Rsi(below=self.oversold, period=self.rsi_period, timeframe=frame).within(self.memory)
        trend = SuperTrend("up", False, self.trend_period, self.multiple, frame)
        return rsi & Volume(self.volume, None, self.volume_period, frame) & trend
