"""Streams of commands for the matching core, made once and replayed by every contestant.

Half limit orders, two fifths cancels of orders that are live at that moment, one tenth market orders. The number of
resting orders stays where it was told to be: a limit order crosses the spread while there are more.
"""

from __future__ import annotations

import numpy as np

from marketsim.exchange.core import MatchingCore
from marketsim.kernel.random import Stream

NEW, MARKET, CANCEL = 0, 1, 2
COMMAND = np.dtype(
    [("kind", np.int64), ("side", np.int64), ("price", np.int64), ("quantity", np.int64), ("order_id", np.int64)]
)
MID = 10_000
LARGEST = 100  # lots of an order
CROSSING = 2  # ticks beyond the mid of a limit order that crosses

Command = tuple[int, int, int, int, int]


class Crowd:
    """Everybody who sends to one market, and what of theirs is resting there."""

    def __init__(self, reach: int, seed: int) -> None:
        self._draw = Stream(seed, "benchmark", "stream")
        self._core = MatchingCore(1)
        self._reach = reach
        self._live: list[int] = []
        self._place: dict[int, int] = {}

    @property
    def resting(self) -> int:
        """Orders that may be canceled."""
        return len(self._live)

    def quote(self, side: int, price: int) -> Command:
        """A far order that stays for ever."""
        self._core.new(0, 0, 0, side, 1, 1, 0, price, 0, 1)
        return NEW, side, price, 1, 0

    def limit(self, crossing: bool) -> Command:
        """A limit order within reach of the mid."""
        side, quantity = self._side(), self._quantity()
        away = -self._draw.integer(0, CROSSING) if crossing else self._draw.integer(1, self._reach)
        price = MID - side * away
        order_id = self._core.new(0, 0, 0, side, 1, 1, 0, price, 0, quantity)
        self._forget_filled()
        if self._core.order(order_id) is not None:
            self._place[order_id] = len(self._live)
            self._live.append(order_id)
        return NEW, side, price, quantity, order_id

    def market(self) -> Command:
        """A market order."""
        side, quantity = self._side(), self._quantity()
        order_id = self._core.new(0, 0, 0, side, 2, 1, 0, 0, 0, quantity)
        self._forget_filled()
        return MARKET, side, 0, quantity, order_id

    def cancel(self) -> Command:
        """The cancel of any live order."""
        order_id = self._live[self._draw.integer(0, len(self._live) - 1)]
        self._core.cancel(0, 0, order_id)
        self._forget(order_id)
        return CANCEL, 0, 0, 0, order_id

    def next(self, resting: int) -> Command:
        """Any command; it keeps the number of resting orders near ``resting``."""
        choice = self._draw.uniform()
        if choice < 0.4 and self._live:
            return self.cancel()
        return self.market() if choice > 0.9 else self.limit(crossing=self.resting > resting)

    def _side(self) -> int:
        return 1 if self._draw.uniform() < 0.5 else -1

    def _quantity(self) -> int:
        return self._draw.integer(1, LARGEST)

    def _forget_filled(self) -> None:
        for order_id, _, _ in self._core.fills():
            if self._core.order(order_id) is None:
                self._forget(order_id)

    def _forget(self, order_id: int) -> None:
        place = self._place.pop(order_id, None)
        if place is not None:
            last = self._live.pop()
            if last != order_id:
                self._live[place] = last
                self._place[last] = place


def mixed(messages: int, resting: int, reach: int = 20, stubs: int = 0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(commands that fill the book, the stream): ``resting`` orders within ``reach`` ticks of the mid."""
    crowd = Crowd(reach, seed)
    book = []
    for number in range(stubs):
        side = 1 if number % 2 else -1
        book.append(crowd.quote(side, MID - side * (500_000 + 1000 * number)))
    while crowd.resting < resting:
        book.append(crowd.limit(crossing=False))
    stream = [crowd.next(resting) for _ in range(messages)]
    return np.array(book, COMMAND), np.array(stream, COMMAND)
