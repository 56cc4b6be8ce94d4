"""A source through a narrower window of time: without its warm-up, or one stretch of it. It copies nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marketsim.analysis.tape import Tape
from marketsim.domain.units import duration, format_duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.domain.instrument import Instrument
    from marketsim.domain.tables import MarketTables


class Window:
    """The same tables with another ``start`` and ``end`` (ns); everything else is asked of what it looks at.

    Measures leave out what lies outside, so quotes and orders from before its start are known, as they are in force.
    InvalidValueError unless it ends after its start.
    """

    def __init__(self, tables: MarketTables, start: int, end: int) -> None:
        _require_order(start, end)
        self.tables = tables
        self.start = start
        self.end = end

    @property
    def trades(self) -> pd.DataFrame:
        """Columns TRADES, of all times."""
        return self.tables.trades

    @property
    def quotes(self) -> pd.DataFrame:
        """Columns QUOTES, of all times."""
        return self.tables.quotes

    @property
    def orders(self) -> pd.DataFrame:
        """Columns ORDERS, of all times."""
        return self.tables.orders

    @property
    def agents(self) -> pd.DataFrame:
        """Columns AGENTS."""
        return self.tables.agents

    @property
    def instruments(self) -> dict[str, Instrument]:
        """By symbol."""
        return self.tables.instruments

    def depth(self, levels: int, instrument: str | None = None, every: int | None = None) -> pd.DataFrame:
        """See MarketTables; on a clock only inside the window."""
        book = self.tables.depth(levels, instrument, every)
        time = book["time"]
        kept = time <= self.end if every is None else (time >= self.start) & (time <= self.end)
        return book[kept].reset_index(drop=True)

    def __getattr__(self, name: str) -> Any:
        if name == "tables":  # not there yet, as while it is being unpickled
            raise AttributeError(name)
        return getattr(self.tables, name)


def after_warm_up(source: MarketTables | Tape, warm_up: object) -> Window | Tape:
    """``source`` without its first ``warm_up`` (a duration or ns): what every measure here takes in its place.

    A run's own warm-up is left out already; this one is counted from ``source.start``. Orders and quotes from before
    are still known, as they are in force. Raises InvalidValueError when nothing is left.
    """
    span = duration(warm_up)
    if not 0 <= span < source.end - source.start:
        length = format_duration(source.end - source.start)
        raise InvalidValueError(f"warm_up={warm_up!r} must be shorter than the source, which lasts {length}")
    return during(source, source.start + span, source.end)


def during(source: MarketTables | Tape, start: int, end: int) -> Window | Tape:
    """``source`` between two times (ns)."""
    if isinstance(source, Tape):
        _require_order(start, end)
        return source.between(start, end)
    return Window(source, start, end)


def _require_order(start: int, end: int) -> None:
    if end <= start:
        raise InvalidValueError(f"a window from {start} to {end} ns: the end must come after the start")
