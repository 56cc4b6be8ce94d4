"""Conditions: the rules that look at lines: comparisons of any two, and the usual ones under their own names.

Prices are in currency, volumes in units. An event, such as a crossing, is true after the bar with which it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from marketsim.agents.checks import check_choice, to_number, to_whole
from marketsim.agents.indicators.trends import Ichimoku as _Ichimoku
from marketsim.agents.rules.charts import Chart, Series
from marketsim.agents.rules.rule import TIMEFRAME, Condition, Leaf, Rule, name_of, to_line, to_timeframe
from marketsim.errors import InvalidValueError

_LINE = {"help": "a line, such as close, ema(12), macd.signal"}
_THAN = {"help": "a line or a number"}
_OPPOSITE = {"above": "below", "below": "above", "up": "down", "down": "up", "lower": "upper", "upper": "lower"}
_BANDS = ("lower", "middle", "upper")

Test = Callable[[float, float], bool]


def _compared(left: Series, right: Series, holds: Test, words: str) -> Condition:
    """A comparison of two lines as they are now; not known while one of them is not."""

    def evaluate() -> bool | None:
        one, other = left.now, right.now
        return holds(one, other) if one == one and other == other else None

    return Condition(evaluate, lambda: f"{left} {words} {right}")


def _above(one: float, other: float) -> bool:
    return one > other


def _below(one: float, other: float) -> bool:
    return one < other


def _not_above(one: float, other: float) -> bool:
    return one <= other


def _not_below(one: float, other: float) -> bool:
    return one >= other


def _crossed(left: Series, right: Series, chart: Chart, holds: Test, words: str) -> Condition:
    """A comparison that has become true with the latest bar."""

    def evaluate() -> bool | None:
        one, other, before, level = left.now, right.now, left.before, right.before
        if one != one or other != other or before != before or level != level:
            return None
        return chart.fresh and holds(one, other) and not holds(before, level)

    return Condition(evaluate, lambda: f"{left} crosses {words} {right}")


# --- any two lines ---


@dataclass
class _Pair(Leaf):
    """A comparison of two lines."""

    line: str = field(metadata=_LINE)
    than: str | float = field(metadata=_THAN)
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        to_line(self, "line", "than")
        to_timeframe(self)
        if self.line == self.than:
            raise InvalidValueError(f"than: {self.line} is compared with itself; name another line")

    def lines(self) -> tuple[object, ...]:
        """Both."""
        return self.line, self.than

    def words(self) -> str:
        """Both lines with what is said of them between."""
        than = f"{self.than:g}" if isinstance(self.than, float) else self.than
        return f"{self.line} {name_of(self).replace('_', ' ')} {than}"

    def _swapped(self, kind: type[_Pair]) -> Rule:
        if not (isinstance(self.than, str) and isinstance(self.line, str)):
            return super().mirror()  # what the mirror image of a number is depends on the line
        return kind(self.line, self.than, self.timeframe)


@dataclass
class Above(_Pair):
    """A line is above another, or above a number."""

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        return _compared(series[0], series[1], _above, "above")

    def mirror(self) -> Rule:
        """Below, where both are lines."""
        return self._swapped(Below)


@dataclass
class Below(_Pair):
    """A line is below another, or below a number."""

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        return _compared(series[0], series[1], _below, "below")

    def mirror(self) -> Rule:
        """Above, where both are lines."""
        return self._swapped(Above)


@dataclass
class CrossesAbove(_Pair):
    """A line was not above another after the bar before, and is now."""

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """With the bar that crosses."""
        return _crossed(series[0], series[1], chart, _above, "above")

    def mirror(self) -> Rule:
        """A crossing below, where both are lines."""
        return self._swapped(CrossesBelow)


@dataclass
class CrossesBelow(_Pair):
    """A line was not below another after the bar before, and is now."""

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """With the bar that crosses."""
        return _crossed(series[0], series[1], chart, _below, "below")

    def mirror(self) -> Rule:
        """A crossing above, where both are lines."""
        return self._swapped(CrossesAbove)


@dataclass
class Between(Leaf):
    """A line lies between two others, or numbers, both included."""

    line: str = field(metadata=_LINE)
    low: str | float = field(metadata=_THAN)
    high: str | float = field(metadata=_THAN)
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        to_line(self, "line", "low", "high")
        to_timeframe(self)
        if isinstance(self.low, float) and isinstance(self.high, float) and self.low > self.high:
            raise InvalidValueError(f"low: {self.low:g} is above high, {self.high:g}; swap them")

    def lines(self) -> tuple[object, ...]:
        """All three."""
        return self.line, self.low, self.high

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        line, low, high = series

        def evaluate() -> bool | None:
            value, least, most = line.now, low.now, high.now
            return least <= value <= most if value == value and least == least and most == most else None

        return Condition(evaluate, lambda: f"{line} between {low} and {high}")

    def mirror(self) -> Rule:
        """Itself, where all are lines."""
        return self if isinstance(self.low, str) and isinstance(self.high, str) else super().mirror()


@dataclass
class _Moving(Leaf):
    """A line against itself a bar before."""

    line: str = field(metadata=_LINE)
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        to_line(self, "line")
        to_timeframe(self)

    def lines(self) -> tuple[object, ...]:
        """The line."""
        return (self.line,)

    def words(self) -> str:
        """The line and where it goes."""
        return f"{self.line} {name_of(self)}"

    def _judge(self, line: Series, holds: Test, words: str) -> Condition:
        def evaluate() -> bool | None:
            now, before = line.now, line.before
            return holds(now, before) if now == now and before == before else None

        return Condition(evaluate, lambda: f"{line} {words} from {line.before:.8g}")


@dataclass
class Rising(_Moving):
    """A line is higher than a bar before."""

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        return self._judge(series[0], _above, "up")

    def mirror(self) -> Rule:
        """Falling."""
        return Falling(self.line, self.timeframe)


@dataclass
class Falling(_Moving):
    """A line is lower than a bar before."""

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        return self._judge(series[0], _below, "down")

    def mirror(self) -> Rule:
        """Rising."""
        return Rising(self.line, self.timeframe)


# --- the usual ones ---


@dataclass
class Rsi(Leaf):
    """The RSI is below a level, above one, or between both; below 30 when neither is said."""

    below: float | None = field(default=None, metadata={"help": "level, 0 to 100"})
    above: float | None = field(default=None, metadata={"help": "level, 0 to 100"})
    period: int = field(default=14, metadata={"help": "bars"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        if self.below is None and self.above is None:
            self.below = 30.0
        to_number(self, "below", low=0.0, high=100.0, open_low=True)
        to_number(self, "above", low=0.0, high=100.0)
        to_whole(self, "period", low=1)
        to_timeframe(self)
        if self.above == 100.0:
            raise InvalidValueError("above: no RSI is above 100; use less, such as 70")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise InvalidValueError(
                f"above: no RSI is above {self.above:g} and below {self.below:g}; swap them, or join two rules with any"
            )

    def lines(self) -> tuple[object, ...]:
        """The RSI and its levels."""
        return f"rsi({self.period})", *(level for level in (self.below, self.above) if level is not None)

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        line, low, high = series[0], self.above, self.below

        def evaluate() -> bool | None:
            value = line.now
            if value != value:
                return None
            return (high is None or value < high) and (low is None or value > low)

        parts = [f"{word} {level:g}" for word, level in (("above", low), ("below", high)) if level is not None]
        words = " and ".join(parts)
        return Condition(evaluate, lambda: f"{line.line} {line.now:.2f} {words}")

    def mirror(self) -> Rule:
        """Levels at 100 less theirs."""
        below, above = (None if level is None else 100.0 - level for level in (self.above, self.below))
        return Rsi(below, above, self.period, self.timeframe)


@dataclass
class Bollinger(Leaf):
    """The close is at a Bollinger band or beyond; at the lower band or below when neither is said."""

    below: Literal["lower", "middle", "upper"] | None = field(default=None, metadata={"help": "band"})
    above: Literal["lower", "middle", "upper"] | None = field(default=None, metadata={"help": "band"})
    period: int = field(default=20, metadata={"help": "bars"})
    deviations: float = field(default=2.0, metadata={"help": "standard deviations from the middle to a band"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        if self.below is None and self.above is None:
            self.below = "lower"
        for name in ("below", "above"):
            if getattr(self, name) is not None:
                check_choice(self, name, _BANDS)
        to_whole(self, "period", low=2)
        to_number(self, "deviations", low=0.0, open_low=True)
        to_timeframe(self)
        if self.above and self.below and _BANDS.index(self.above) >= _BANDS.index(self.below):
            raise InvalidValueError(
                f"above: nothing is above the {self.above} band and below the {self.below} one; swap them"
            )

    def lines(self) -> tuple[object, ...]:
        """The close and the bands."""
        bands = [band for band in (self.below, self.above) if band is not None]
        return "close", *(self._line(band) for band in bands)

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        close, bands = series[0], list(series[1:])
        wanted: list[tuple[str, Test, str]] = []
        if self.below is not None:
            wanted.append((self.below, _not_above, "at or below"))
        if self.above is not None:
            wanted.append((self.above, _not_below, "at or above"))
        parts = [_compared(close, band, test, words) for band, (_, test, words) in zip(bands, wanted, strict=True)]
        if len(parts) == 1:
            return parts[0]

        def evaluate() -> bool | None:
            found = [part.evaluate() for part in parts]
            return None if None in found else all(found)

        return Condition(evaluate, lambda: " and ".join(part.reason() for part in parts))

    def mirror(self) -> Rule:
        """The other band, on the other side."""
        swap: dict[str | None, Any] = {None: None, "lower": "upper", "middle": "middle", "upper": "lower"}
        return Bollinger(swap[self.above], swap[self.below], self.period, self.deviations, self.timeframe)

    def _line(self, band: str) -> str:
        name = "" if band == "middle" else f".{band}"
        return f"bollinger({self.period}, {self.deviations:g}){name}"


@dataclass
class Volume(Leaf):
    """The volume of the bar is at least ``above`` times its average, or at most ``below`` times it."""

    above: float | None = field(default=None, metadata={"help": "multiple of the average; 1.5 if neither is said"})
    below: float | None = field(default=None, metadata={"help": "multiple of the average"})
    period: int = field(default=20, metadata={"help": "bars of the average, this one included"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        if self.below is None and self.above is None:
            self.above = 1.5
        to_number(self, "above", "below", low=0.0, open_low=True)
        to_whole(self, "period", low=1)
        to_timeframe(self)
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise InvalidValueError(f"above: {self.above:g} must be less than below, {self.below:g}; swap them")
        if self.above is not None and self.above >= self.period:
            raise InvalidValueError(
                f"above: no bar has {self.above:g} times the average of {self.period} bars that it belongs to; use less"
            )

    def lines(self) -> tuple[object, ...]:
        """The volume and its average."""
        return "volume", f"volume_average({self.period})"

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar; not known while nothing is traded at all."""
        volume, average = series
        low, high = self.above, self.below

        def evaluate() -> bool | None:
            mean = average.now
            if not mean > 0.0:
                return None
            value = volume.now
            return (low is None or value >= low * mean) and (high is None or value <= high * mean)

        return Condition(evaluate, lambda: f"volume {volume.now / average.now:.2f} times its average")

    def words(self) -> str:
        """The volume and its multiples."""
        parts = [f"{name} {level:g}" for name, level in (("above", self.above), ("below", self.below)) if level]
        return f"volume {' and '.join(parts)} times its average"

    def mirror(self) -> Rule:
        """Itself."""
        return self


@dataclass
class Ichimoku(Leaf):
    """The close is above the Ichimoku cloud, below it, or inside."""

    side: Literal["above", "below", "inside"] = field(default="above", metadata={"help": "where the close is"})
    short: int = field(default=9, metadata={"help": "bars of the conversion line"})
    medium: int = field(default=26, metadata={"help": "bars of the base line"})
    long: int = field(default=52, metadata={"help": "bars of the slower edge of the cloud"})
    ahead: int = field(default=26, metadata={"help": "bars by which the cloud is drawn ahead"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        check_choice(self, "side", ("above", "below", "inside"))
        to_timeframe(self)
        _Ichimoku(self.short, self.medium, self.long, self.ahead)

    def lines(self) -> tuple[object, ...]:
        """The close and the edges of the cloud."""
        name = f"ichimoku({self.short}, {self.medium}, {self.long}, {self.ahead})"
        return "close", f"{name}.top", f"{name}.bottom"

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        close, top, bottom = series
        if self.side == "above":
            return _compared(close, top, _above, "above")
        if self.side == "below":
            return _compared(close, bottom, _below, "below")

        def evaluate() -> bool | None:
            edge = top.now
            return bottom.now <= close.now <= edge if edge == edge else None

        return Condition(evaluate, lambda: f"{close} inside the cloud from {bottom.now:.8g} to {top.now:.8g}")

    def mirror(self) -> Rule:
        """The other side of the cloud."""
        return self.flipped(side=_OPPOSITE.get(self.side, self.side))


@dataclass
class SuperTrend(Leaf):
    """The SuperTrend points up, or down; with ``turned`` only with the bar with which it turned so."""

    direction: Literal["up", "down"] = field(default="up", metadata={"help": "up or down"})
    turned: bool = field(default=False, metadata={"help": "only when it has just turned"})
    period: int = field(default=10, metadata={"help": "bars of the average true range"})
    multiple: float = field(default=3.0, metadata={"help": "average true ranges to the line"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        check_choice(self, "direction", ("up", "down"))
        to_whole(self, "period", low=1)
        to_number(self, "multiple", low=0.0, open_low=True)
        to_timeframe(self)

    def lines(self) -> tuple[object, ...]:
        """Its direction, its line, and zero."""
        name = f"supertrend({self.period}, {self.multiple:g})"
        return f"{name}.direction", 0, name

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        direction, zero, line = series
        test = _above if self.direction == "up" else _below
        if self.turned:
            evaluate = _crossed(direction, zero, chart, test, "").evaluate
        else:
            evaluate = _compared(direction, zero, test, "").evaluate
        verb = "turns" if self.turned else "points"
        return Condition(evaluate, lambda: f"{line.line} {verb} {self.direction}, its line at {line.now:.8g}")

    def mirror(self) -> Rule:
        """The other direction."""
        return self.flipped(direction=_OPPOSITE[self.direction])


@dataclass
class Macd(Leaf):
    """The MACD is above its signal line, or below; with ``crossed`` only with the bar with which it came there."""

    side: Literal["above", "below"] = field(default="above", metadata={"help": "above or below its signal"})
    crossed: bool = field(default=False, metadata={"help": "only when it has just crossed"})
    fast: int = field(default=12, metadata={"help": "bars of the fast average"})
    slow: int = field(default=26, metadata={"help": "bars of the slow average"})
    smoothing: int = field(default=9, metadata={"help": "bars of the signal's average"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        check_choice(self, "side", ("above", "below"))
        to_whole(self, "fast", "slow", "smoothing", low=1)
        to_timeframe(self)
        if self.fast >= self.slow:
            raise InvalidValueError(f"fast: {self.fast} must be less than slow, {self.slow}; swap them")

    def lines(self) -> tuple[object, ...]:
        """The MACD and its signal."""
        name = f"macd({self.fast}, {self.slow}, {self.smoothing})"
        return name, f"{name}.signal"

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        test = _above if self.side == "above" else _below
        if self.crossed:
            return _crossed(series[0], series[1], chart, test, self.side)
        return _compared(series[0], series[1], test, self.side)

    def mirror(self) -> Rule:
        """The other side."""
        return self.flipped(side=_OPPOSITE[self.side])


@dataclass
class Adx(Leaf):
    """There is a trend: the ADX is above a level. Or there is none: it is below one."""

    above: float | None = field(default=None, metadata={"help": "level, 0 to 100; 25 if neither is said"})
    below: float | None = field(default=None, metadata={"help": "level, 0 to 100"})
    period: int = field(default=14, metadata={"help": "bars"})
    timeframe: int | str | None = field(default=None, metadata=TIMEFRAME)

    def __post_init__(self) -> None:
        if self.below is None and self.above is None:
            self.above = 25.0
        to_number(self, "above", "below", low=0.0, high=100.0)
        to_whole(self, "period", low=1)
        to_timeframe(self)
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise InvalidValueError(f"above: no ADX is above {self.above:g} and below {self.below:g}; swap them")

    def lines(self) -> tuple[object, ...]:
        """The ADX."""
        return (f"adx({self.period})",)

    def judge(self, series: Sequence[Series], chart: Chart) -> Condition:
        """After each bar."""
        line, low, high = series[0], self.above, self.below

        def evaluate() -> bool | None:
            value = line.now
            if value != value:
                return None
            return (low is None or value > low) and (high is None or value < high)

        parts = [f"{word} {level:g}" for word, level in (("above", low), ("below", high)) if level is not None]
        words = " and ".join(parts)
        return Condition(evaluate, lambda: f"{line.line} {line.now:.2f} {words}")

    def mirror(self) -> Rule:
        """Itself."""
        return self
