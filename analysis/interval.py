"""A part of the time of a run or recording, with the same tables: measures see it as a market of its own.

It cuts nothing but the ends: quotes and orders from before its start are there, as measures need them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.domain.instrument import Instrument
    from marketsim.domain.tables import MarketTables


@dataclass(frozen=True, eq=False)
class Interval:
    """``source`` from ``start`` to ``end`` (ns), as MarketTables."""

    source: MarketTables
    start: int
    end: int

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise InvalidValueError(f"an interval from {self.start} to {self.end} ns: it must end after its start")

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Columns TRADES; those inside."""
        return self._until_end(self.source.trades, self.start)

    @cached_property
    def quotes(self) -> pd.DataFrame:
        """Columns QUOTES, up to the end."""
        return self._until_end(self.source.quotes)

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Columns ORDERS, up to the end."""
        return self._until_end(self.source.orders)

    @property
    def agents(self) -> pd.DataFrame:
        """Columns AGENTS."""
        return self.source.agents

    @property
    def instruments(self) -> dict[str, Instrument]:
        """By symbol."""
        return self.source.instruments

    def depth(self, levels: int, instrument: str | None = None, every: int | None = None) -> pd.DataFrame:
        """As MarketTables.depth, of the times inside."""
        return self._until_end(self.source.depth(levels, instrument, every), self.start)

    def _until_end(self, table: pd.DataFrame, start: int | None = None) -> pd.DataFrame:
        time = table["time"].to_numpy()
        kept = time <= self.end
        return table[kept if start is None else kept & (time >= start)]
