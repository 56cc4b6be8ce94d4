"""The names of indicators, as rules and scenario files write them: ``ema(12)``, ``macd(12, 26, 9).signal``, ``close``.

A line is a number that is known after each bar: a field of the bar, a line of an indicator, or a constant. In
parentheses stand an indicator's parameters in their order; those that are left out have their defaults.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, NamedTuple

from marketsim.agents.indicators.averages import DEMA, EMA, KAMA, SMA, TEMA, WMA
from marketsim.agents.indicators.base import Indicator
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
from marketsim.errors import InvalidValueError, did_you_mean

INDICATORS: dict[str, type[Indicator]] = {
    "accumulation": AccumulationDistribution,
    "adx": ADX,
    "aroon": Aroon,
    "atr": ATR,
    "bollinger": Bollinger,
    "cci": CCI,
    "cmo": CMO,
    "dema": DEMA,
    "deviation": StandardDeviation,
    "donchian": Donchian,
    "ema": EMA,
    "ichimoku": Ichimoku,
    "kama": KAMA,
    "keltner": Keltner,
    "macd": MACD,
    "mfi": MFI,
    "momentum": Momentum,
    "natr": NATR,
    "obv": OBV,
    "roc": ROC,
    "rsi": RSI,
    "slope": LinearSlope,
    "sma": SMA,
    "stochastic": Stochastic,
    "supertrend": SuperTrend,
    "tema": TEMA,
    "trix": TRIX,
    "true_range": TrueRange,
    "volume_average": VolumeAverage,
    "vwap": VWAP,
    "williams_r": WilliamsR,
    "wma": WMA,
}
"""Indicators by the name that they have in rules."""

FIELDS = ("open", "high", "low", "close", "volume")
_FORM = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:\(([^()]*)\))?\s*(?:\.\s*([A-Za-z_]\w*))?\s*")


class Line(NamedTuple):
    """What a line's text says, in one form for equal lines."""

    indicator: str = ""  # name; "" for a field or a constant
    parameters: tuple[float, ...] = ()
    field: str = "value"  # line of the indicator, or field of the bar
    constant: float | None = None

    def __str__(self) -> str:
        if self.constant is not None:
            return f"{self.constant:g}"
        if not self.indicator:
            return self.field
        told = ", ".join(f"{value:g}" for value in self.parameters)
        return self.indicator + (f"({told})" if told else "") + (f".{self.field}" if self.field != "value" else "")

    @property
    def source(self) -> str:
        """The indicator with its parameters; "" where there is none."""
        return str(self._replace(field="value")) if self.indicator else ""

    @property
    def warm_up(self) -> int:
        """Bars until it is known."""
        return make_indicator(self).warm_up if self.indicator else 1


def parse_line(text: object) -> Line:
    """What a text or number stands for; InvalidValueError says what is wrong with it."""
    if isinstance(text, Line):
        return text
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return _constant(float(text), text)
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidValueError(f"{text!r} is no line: write a number, close, ema(12) or macd(12, 26, 9).signal")
    name, told, line = found.groups()
    if name in FIELDS and told is None and line is None:
        return Line(field=name)
    if name not in INDICATORS:
        raise InvalidValueError(f"no indicator is called {name!r}{did_you_mean(name, [*INDICATORS, *FIELDS])}")
    return _checked(Line(name, _numbers(name, told or ""), line or "value"))


def make(text: object) -> Indicator:
    """A new indicator by its text, such as ``rsi(14)``."""
    line = parse_line(text)
    if not line.indicator:
        raise InvalidValueError(f"{text!r} is no indicator; there are {', '.join(INDICATORS)}")
    return make_indicator(line)


def make_indicator(line: Line) -> Indicator:
    """A new indicator of a line."""
    kind = INDICATORS[line.indicator]
    names = parameters_of(kind)
    return kind(**{name: _plain(value) for name, value in zip(names, line.parameters, strict=False)})


def parameters_of(kind: type[Indicator]) -> dict[str, Any]:
    """The parameters of an indicator and their defaults, in order."""
    signature = inspect.signature(kind)
    return {name: parameter.default for name, parameter in signature.parameters.items()}


def _constant(value: float, text: object) -> Line:
    if value != value or value in (float("inf"), float("-inf")):
        raise InvalidValueError(f"{text!r} is no finite number")
    return Line(constant=value)


def _numbers(name: str, told: str) -> tuple[float, ...]:
    parts = [part.strip() for part in told.split(",")] if told.strip() else []
    allowed = parameters_of(INDICATORS[name])
    if len(parts) > len(allowed):
        takes = f"({', '.join(allowed)})" if allowed else "nothing in parentheses"
        raise InvalidValueError(f"{name}({told}) says too much: {name} takes {takes}")
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise InvalidValueError(f"{name}({told}): parameters are numbers, such as {name}(14)") from None


def _checked(line: Line) -> Line:
    """The line with all parameters, defaults filled in; its indicator accepts them, and has such a line."""
    kind = INDICATORS[line.indicator]
    if line.field not in kind.LINES:
        raise InvalidValueError(f"{line.indicator} has no line {line.field!r}{did_you_mean(line.field, kind.LINES)}")
    try:
        make_indicator(line)
    except InvalidValueError as error:
        raise InvalidValueError(f"{line.indicator}: {error}") from None
    defaults = tuple(map(float, parameters_of(kind).values()))
    return line._replace(parameters=line.parameters + defaults[len(line.parameters) :])


def _plain(value: float) -> float:
    return int(value) if value.is_integer() else value
