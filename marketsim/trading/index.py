"""An index as one agent knows it: a basket's value from the members' quotes that have reached it.

The members' quotes travel from the index's venue to the agent, so the value arrives when that venue's own calculation
would, over the same line. It asks for nothing and trades nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from marketsim.domain.basket import Basket
from marketsim.domain.instrument import Instrument
from marketsim.trading.consolidated import View
from marketsim.trading.ports import Clock


class IndexValue(NamedTuple):
    """The value of an index, in currency."""

    time: int  # ns, when the venue published what changed it
    name: str
    value: float
    venue: str


class IndexView:
    """What is known of one index.

    tell: is given each value that is to be told, after the basket's interval.
    """

    def __init__(
        self, basket: Basket, members: Mapping[str, Instrument], clock: Clock, tell: Callable[[IndexValue], None]
    ) -> None:
        self.basket = basket
        self._prices = {symbol: float(members[symbol].reference_price) for symbol in basket.members}
        self._clock = clock
        self._tell = tell
        self._waiting = False
        self.latest = IndexValue(0, basket.name, basket.value(self._prices), basket.venue)

    def take(self, view: View) -> None:
        """One of a member's quotes may have changed."""
        symbol, venue = view.instrument.symbol, self.basket.venue
        quote = view.quotes.get(venue)
        if symbol not in self._prices or quote is None:
            return
        if self.basket.price == "last":
            ticks: float = quote.last_price
            known = ticks != 0
        else:
            ticks, known = quote.mid, quote.two_sided
        price = view.instrument.price(ticks)
        if not known or price == self._prices[symbol]:
            return
        self._prices[symbol] = price
        self.latest = IndexValue(quote.time, self.basket.name, self.basket.value(self._prices), venue)
        self._told_in_time()

    def _told_in_time(self) -> None:
        """Tell it now, or at the next multiple of the interval."""
        interval = self.basket.interval
        if not interval:
            self._tell(self.latest)
        elif not self._waiting:
            self._waiting = True
            self._clock.call_at(-(-self._clock.now // interval) * interval, self._tell_latest)

    def _tell_latest(self) -> None:
        self._waiting = False
        self._tell(self.latest)
