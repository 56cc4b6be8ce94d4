"""A log replayed: the book and the orders that its rows tell are the core's."""

from __future__ import annotations

import numpy as np

from marketsim.exchange.core import MatchingCore
from marketsim.results.events import MemoryEvents
from marketsim.results.history import History

LEVELS = 5


def compare_books(events: np.ndarray, core: MatchingCore, markets: int) -> None:
    """The displayed book at the end, of each market."""
    history = History(MemoryEvents([events] if len(events) else []))
    for market in range(markets):
        found = history.levels([market], LEVELS).rows
        last = found[-1] if len(found) else np.zeros(4 * LEVELS, np.int64)
        expected = np.zeros(4 * LEVELS, np.int64)
        for first, side in ((0, -1), (2, 1)):
            for level, (price, quantity, _) in enumerate(core.depth(market, side, LEVELS)):
                expected[4 * level + first : 4 * level + first + 2] = price, quantity
        assert (last == expected).all(), f"market {market}: the rows tell {last.tolist()}, the core {expected.tolist()}"
    history.orders()
