"""Rules: what strategies look for, as small objects joined with ``&``, ``|`` and ``~``, or as lists in a scenario."""

from __future__ import annotations

from marketsim.agents.rules.charts import Charts
from marketsim.agents.rules.conditions import (
    Above,
    Adx,
    Below,
    Between,
    Bollinger,
    CrossesAbove,
    CrossesBelow,
    Falling,
    Ichimoku,
    Macd,
    Rising,
    Rsi,
    SuperTrend,
    Volume,
)
from marketsim.agents.rules.exits import (
    AdvancedAtr,
    Atr,
    Exit,
    MovingAverageCross,
    RiskReward,
    StopLoss,
    TakeProfit,
    Time,
    Trailing,
    When,
    parse_exits,
)
from marketsim.agents.rules.presets import RsiBollingerVolume, RsiIchimoku, RsiOrBollinger, RsiVolumeSuperTrend
from marketsim.agents.rules.rule import Condition, Leaf, Rule, parse

__all__ = [
    "Above",
    "AdvancedAtr",
    "Adx",
    "Atr",
    "Below",
    "Between",
    "Bollinger",
    "Charts",
    "Condition",
    "CrossesAbove",
    "CrossesBelow",
    "Exit",
    "Falling",
    "Ichimoku",
    "Leaf",
    "Macd",
    "MovingAverageCross",
    "Rising",
    "RiskReward",
    "Rsi",
    "RsiBollingerVolume",
    "RsiIchimoku",
    "RsiOrBollinger",
    "RsiVolumeSuperTrend",
    "Rule",
    "StopLoss",
    "SuperTrend",
    "TakeProfit",
    "Time",
    "Trailing",
    "Volume",
    "When",
    "parse",
    "parse_exits",
]
