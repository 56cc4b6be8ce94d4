"""A large seller: sells a fixed share of recent volume, whatever the price and however long it takes. It is labelled.

The seller of 6 May 2010 had 75,000 E-mini contracts to sell, at 9 % of the volume of the last minute "without regard to
price or time": A. Kirilenko, A. S. Kyle, M. Samadi and T. Tuzun, "The flash crash: high-frequency trading in an
electronic market", Journal of Finance 72(3), 2017, 967–998. As its own sales, and those of traders who pass on what
they bought from it, count as volume, it sells faster the more is traded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from marketsim.agents.checks import to_duration, to_number, to_whole
from marketsim.agents.stress import StressAgent
from marketsim.domain.market_data import Volume
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError

_SLACK = 1e-9  # lots, so that tenths add up to a whole


@dataclass
class LargeSeller(StressAgent):
    """Sells ``quantity`` lots at market, from ``begin`` on, as fast as ``participation`` of the volume allows.

    Every ``interval`` it learns the volume V of the last ``lookback`` and sells ``participation`` · V · interval /
    lookback lots, fractions carried on; it looks at no price. Labels: kind ``large_seller``, role ``program``.
    """

    kind: ClassVar[str] = "large_seller"

    quantity: int = field(default=75_000, metadata={"help": "lots to be sold"})
    participation: float = field(default=0.09, metadata={"help": "share of the volume, above 0 and below 1"})
    begin: int | str = field(
        default="1min", metadata={"unit": "duration", "help": "when selling begins, after the start of the run"}
    )
    interval: int | str = field(default="1s", metadata={"unit": "duration", "help": "time between two sales"})
    lookback: int | str = field(
        default="1min", metadata={"unit": "duration", "help": "time over which volume is measured; at least interval"}
    )

    def __post_init__(self) -> None:
        to_whole(self, "quantity", low=1)
        to_number(self, "participation", low=0.0, high=1.0, open_low=True)
        to_duration(self, "interval", "lookback")
        self.begin = duration(self.begin)
        if self.begin < 0:
            raise InvalidValueError(f"begin: {self.begin} ns lies before the start; use 0s or more")
        if self.participation == 1.0:
            raise InvalidValueError("participation: 1.0 leaves nobody to trade with; use less than 1")
        if int(self.interval) > int(self.lookback):
            raise InvalidValueError("interval: it is longer than lookback, so that volume would be missed; shorten it")

    def subscriptions(self) -> dict[str, Any]:
        """It looks at nothing but volume."""
        return {}

    def on_start(self) -> None:
        """The venue begins to remember volume; sales begin later."""
        self._first = self.position()
        self._owed = 0.0  # lots, fractions too
        self._selling = False
        self.ask_volume(int(self.lookback))
        self.after(int(self.begin), self._set_out)

    @property
    def sold(self) -> int:
        """Lots, as far as is known."""
        return self._first - self.position()

    def on_volume(self, volume: Volume) -> None:
        """Sell its share."""
        if not self._selling:
            return
        self._owed += self.participation * (volume.bought + volume.sold) * int(self.interval) / int(self.lookback)
        working = sum(order.leaves for order in self.orders())
        lots = min(int(self._owed + _SLACK), self.quantity - self.sold - working)
        if lots > 0:
            self._owed -= lots
            order = self.sell(self.instrument, lots, tag="program")
            self.label(order, "program", 1)

    # --- inner ---

    def _set_out(self) -> None:
        self._selling = True
        self._stop = self.every(int(self.interval), self._look)

    def _look(self) -> None:
        if self.sold >= self.quantity:
            self._stop()
        else:
            self.ask_volume(int(self.lookback))
