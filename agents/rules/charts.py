"""Charts: the bars of one market in one or several lengths, with the indicators that rules look at.

Longer bars are joined from the shortest, so that everything is known at one moment, in one order, wherever the bars
come from. A longer bar counts only when it is over: until then rules see the one before it. Indicators that several
rules name are computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from marketsim.agents.indicators.base import NAN, Candle, Indicator
from marketsim.agents.indicators.naming import Line, make_indicator
from marketsim.domain.units import format_duration
from marketsim.errors import InvalidValueError


class Joined(NamedTuple):
    """A bar of floats: prices in currency, volume in units. ``end`` in ns."""

    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Series:
    """A line after the latest bar (``now``) and after the one ``before``; NaN when it is not known."""

    __slots__ = ("before", "field", "line", "now", "source")

    def __init__(self, line: Line, source: Indicator | None) -> None:
        self.line = line
        self.field = line.field
        self.source = source
        self.now = self.before = NAN if line.constant is None else line.constant

    def __str__(self) -> str:
        return str(self.line) if self.line.constant is not None else f"{self.line} {self.now:.8g}"


class Chart:
    """Bars of one length. ``fresh``: whether its latest bar ended just now."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.fresh = False
        self.bars = 0
        self._series: dict[Line, Series] = {}
        self._sources: dict[str, Indicator] = {}
        self._updates: dict[str, list[Callable[[Candle | float], float]]] = {"price": [], "volume": [], "bar": []}
        self._computed: list[tuple[Series, Indicator, str]] = []
        self._told: list[Series] = []  # fields of the bar

    def series(self, line: Line) -> Series:
        """A line of this chart; the same object for equal lines. Ask before the first bar."""
        known = self._series.get(line)
        if known is None:
            known = self._series[line] = Series(line, self._source(line) if line.indicator else None)
            if known.source is not None:
                self._computed.append((known, known.source, line.field))
            elif line.constant is None:
                self._told.append(known)
        return known

    def add(self, bar: Joined) -> None:
        """The next bar is over."""
        self.fresh = True
        self.bars += 1
        updates = self._updates
        for update in updates["price"]:
            update(bar.close)
        for update in updates["bar"]:
            update(bar)
        for update in updates["volume"]:
            update(bar.volume)
        for series, source, field in self._computed:
            series.before, series.now = series.now, getattr(source, field)
        for series in self._told:
            series.before, series.now = series.now, getattr(bar, series.field)

    def _source(self, line: Line) -> Indicator:
        source = self._sources.get(line.source)
        if source is None:
            source = self._sources[line.source] = make_indicator(line)
            self._updates[source.OF].append(source.update)
        return source


class Charts:
    """Charts of one market. ``base``: ns, the length of the bars that are added; all others are multiples of it."""

    def __init__(self, base: int) -> None:
        self.base = base
        self._first = Chart(base)
        self._longer: dict[int, _Joiner] = {}

    def chart(self, length: int | None) -> Chart:
        """The chart of bars of a length in ns; of the base when None."""
        if length is None or length == self.base:
            return self._first
        check_multiple(length, self.base)
        if length not in self._longer:
            self._longer[length] = _Joiner(Chart(length), self.base)
        return self._longer[length].chart

    def add(self, bar: Joined) -> None:
        """The next bar of the base is over, and with it perhaps longer ones."""
        self._first.add(bar)
        for joiner in self._longer.values():
            joiner.add(bar)


class _Joiner:
    """Makes longer bars. One that it did not see from its beginning is left out."""

    def __init__(self, chart: Chart, base: int) -> None:
        self.chart = chart
        self._base = base
        self._end = -1  # of the bar under way
        self._bar: Joined | None = None

    def add(self, bar: Joined) -> None:
        chart, length = self.chart, self.chart.length
        chart.fresh = False
        end = -(-bar.end // length) * length
        if end != self._end:
            whole = bar.end - self._base == end - length or self._end >= 0
            if self._bar is not None:  # it ended while nothing was told
                chart.add(self._bar)
            self._end, self._bar = end, bar._replace(end=end) if whole else None
        elif (made := self._bar) is not None:
            self._bar = Joined(
                end, made.open, max(made.high, bar.high), min(made.low, bar.low), bar.close, made.volume + bar.volume
            )
        if bar.end == end and self._bar is not None:
            chart.add(self._bar)
            self._bar = None


def check_multiple(length: int, base: int, where: str = "timeframe") -> None:
    """Bars of a length can be joined from bars of the base; InvalidValueError when not."""
    if length < base or length % base:
        raise InvalidValueError(
            f"{where}: {format_duration(length)} bars cannot be joined from bars of {format_duration(base)}: choose "
            f"a multiple, such as {format_duration(base * max(2, round(length / base)))}"
        )
