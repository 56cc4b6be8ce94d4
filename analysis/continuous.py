"""Quotes of continuous trading alone: what a venue's book shows in auctions and halts is no quote to trade at.

In an auction bids and offers wait for each other and cross; in a halt they lie where nobody can reach them. A spread, a
mid or a depth of such a book says nothing, so both sides count as empty there. It measures nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

Flags = npt.NDArray[np.bool_]
_CONTINUOUS = "CONTINUOUS"


def continuous_quotes(tables: MarketTables, symbol: str, quotes: pd.DataFrame) -> pd.DataFrame:
    """``quotes`` of one instrument with both sides empty (NaN and 0) outside continuous trading, venue by venue.

    A change of phase gets a row of its own, since it ends or begins a quote whose prices stay. Tables without phases
    are returned as they are.
    """
    phases = _phases_of(tables, symbol)
    if len(phases) == 0 or len(quotes) == 0:
        return quotes
    parts = []
    for venue, own in quotes.groupby("venue", sort=False, observed=True):
        changes = phases[phases["venue"] == venue]
        parts.append(own if len(changes) == 0 else _silenced(own, changes))
    return parts[0] if len(parts) == 1 else pd.concat(parts).sort_values("time", kind="stable", ignore_index=True)


def is_continuous(tables: MarketTables, symbol: str, times: npt.NDArray[np.int64]) -> Flags:
    """Whether some venue trades continuously at each time; True where nothing is known of phases."""
    phases = _phases_of(tables, symbol)
    if len(phases) == 0:
        return np.ones(len(times), dtype=np.bool_)
    some = [_continuous(changes, times) for _, changes in phases.groupby("venue")]
    return np.asarray(np.logical_or.reduce(some), dtype=np.bool_)


def indicated(tables: MarketTables, symbol: str, times: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The last indicative price of the auction at each time, in currency; NaN outside auctions and before the first."""
    table: Any = getattr(tables, "indications", None)
    if table is None or len(table) == 0:
        return np.full(len(times), np.nan)
    table = table[(table["instrument"] == symbol) & table["price"].notna()]
    row = np.searchsorted(table["time"].to_numpy(), times, "right") - 1
    known = np.append(table["price"].to_numpy(dtype=np.float64), np.nan)  # row -1 is the NaN
    return np.where(is_continuous(tables, symbol, times), np.nan, known[row])


def _phases_of(tables: MarketTables, symbol: str) -> pd.DataFrame:
    phases: Any = getattr(tables, "phases", None)
    return pd.DataFrame() if phases is None or len(phases) == 0 else phases[phases["instrument"] == symbol]


def _continuous(changes: pd.DataFrame, times: npt.NDArray[np.int64]) -> Flags:
    """Whether one venue trades continuously at each time, what happened in that nanosecond included."""
    names = np.append(changes["before"].iloc[:1].to_numpy(), changes["phase"].to_numpy())
    return np.asarray((names == _CONTINUOUS)[np.searchsorted(changes["time"].to_numpy(), times, "right")])


def _silenced(quotes: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """The quotes of one venue, with a row for each change of its phase."""
    at = changes["time"].to_numpy()
    last = np.searchsorted(quotes["time"].to_numpy(), at, "right") - 1
    added = quotes.iloc[last[last >= 0]].assign(time=at[last >= 0])
    both = pd.concat([quotes, added]).sort_values("time", kind="stable", ignore_index=True)
    shut = ~_continuous(changes, both["time"].to_numpy())
    both.loc[shut, ["bid", "ask"]] = np.nan
    both.loc[shut, ["bid_quantity", "ask_quantity"]] = 0.0
    return both
