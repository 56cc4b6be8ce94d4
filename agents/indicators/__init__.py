"""Indicators: numbers from bars, each updated in constant time, one small class each. They never trade.

``make("ema(12)")`` gives one by name, as rules and scenario files write them; see ``naming``.
"""

from __future__ import annotations

from marketsim.agents.indicators.averages import DEMA, EMA, KAMA, SMA, TEMA, WMA
from marketsim.agents.indicators.base import Candle, Indicator
from marketsim.agents.indicators.naming import INDICATORS, Line, make, parse_line
from marketsim.agents.indicators.oscillators import CCI, CMO, MACD, ROC, RSI, TRIX, Momentum, Stochastic, WilliamsR
from marketsim.agents.indicators.trends import ADX, Aroon, Ichimoku, LinearSlope, SuperTrend
from marketsim.agents.indicators.volatility import (
    ATR,
    NATR,
    Bollinger,
    Donchian,
    Keltner,
    StandardDeviation,
    TrueRange,
)
from marketsim.agents.indicators.volumes import MFI, OBV, VWAP, AccumulationDistribution, VolumeAverage

__all__ = [
    "ADX",
    "ATR",
    "CCI",
    "CMO",
    "DEMA",
    "EMA",
    "INDICATORS",
    "KAMA",
    "MACD",
    "MFI",
    "NATR",
    "OBV",
    "ROC",
    "RSI",
    "SMA",
    "TEMA",
    "TRIX",
    "VWAP",
    "WMA",
    "AccumulationDistribution",
    "Aroon",
    "Bollinger",
    "Candle",
    "Donchian",
    "Ichimoku",
    "Indicator",
    "Keltner",
    "Line",
    "LinearSlope",
    "Momentum",
    "StandardDeviation",
    "Stochastic",
    "SuperTrend",
    "TrueRange",
    "VolumeAverage",
    "WilliamsR",
    "make",
    "parse_line",
]
