"""Index baskets over time, from the log: what a basket was worth at every change of a member (X9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marketsim.analysis.tape import Floats, Ints, column
from marketsim.domain.basket import Basket
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


def index_values(tables: MarketTables, basket: Basket | str) -> pd.DataFrame:
    """The value of an index over time: columns ``time`` (ns) and ``value`` (currency), a row for each change.

    ``basket``: a Basket, or the name of an index of a run's scenario. Members count as ``Basket`` says: with the mid of
    their best quotes on the index's venue, or their last trade there, and before that with their reference prices.
    What happened at one nanosecond is one row; the interval at which agents are told plays no part.
    """
    chosen = _basket_of(tables, basket)
    paths = {symbol: _path(tables, chosen, symbol) for symbol in chosen.members}
    times = np.unique(np.concatenate([time for time, _ in paths.values()]))
    total = np.zeros(len(times))
    for symbol, weight in zip(chosen.members, chosen.weights, strict=True):
        time, price = paths[symbol]
        row = np.searchsorted(time, times, "right") - 1
        reference = float(tables.instruments[symbol].reference_price)
        known = price[np.maximum(row, 0)] if len(price) else np.zeros(len(times))
        total += weight * np.where(row >= 0, known, reference)
    value = total / float(chosen.divisor)
    new = np.append(True, np.diff(value) != 0)[: len(value)]
    return pd.DataFrame({"time": times[new], "value": value[new]})


def _basket_of(tables: Any, basket: Basket | str) -> Basket:
    chosen: Basket = tables.basket(basket) if isinstance(basket, str) else basket
    for symbol in chosen.members:
        if symbol not in tables.instruments:
            raise InvalidValueError(f"index {chosen.name}: the tables have no instrument {symbol!r}")
    return chosen


def _path(tables: MarketTables, basket: Basket, symbol: str) -> tuple[Ints, Floats]:
    """Times and prices from which on a member counts with them."""
    rows = tables.quotes if basket.price == "mid" else tables.trades
    mine = rows[(rows["instrument"] == symbol) & (rows["venue"] == basket.venue) & (rows["time"] <= tables.end)]
    time = column(mine, "time", np.int64)
    if basket.price == "mid":
        price = 0.5 * (column(mine, "bid", np.float64) + column(mine, "ask", np.float64))
    else:
        price = column(mine, "price", np.float64)
    known = ~np.isnan(price)
    return time[known], price[known]
