"""Leveraged holders who are sold out one after the other as the price falls. Their orders are labelled.

Each forced sale may push the price to the next holder's threshold: the loss spiral of M. Brunnermeier and L. Pedersen,
"Market liquidity and funding liquidity", Review of Financial Studies 22(6), 2009, 2201–2238. The margin rule is the
lender's own, on spot; venues with a clearing house close contracts themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from marketsim.agents.checks import to_number, to_whole
from marketsim.agents.stress import StressAgent
from marketsim.domain.market_data import Quote, Report
from marketsim.domain.units import SECOND, duration
from marketsim.errors import InvalidValueError
from marketsim.trading.order import Order


@dataclass
class LiquidationCascade(StressAgent):
    """``holders`` accounts that each hold ``quantity`` lots, bought with borrowed money before the run.

    Holder i bought at ``entry`` with leverage l, so that it owes entry·(1 − 1/l) a unit. Its equity falls below the
    share ``maintenance`` of what it holds when the price is below entry·(1 − 1/l) / (1 − maintenance); the mid of the
    best quotes counts, and ``delay`` later all its lots are sold at market, for good. What finds no buyer is tried
    again a second later. Leverages lie evenly between the lowest and the highest, the highest falls first. Holdings
    are not part of the agent's portfolio, whose position is minus what was sold. Labels: kind
    ``liquidation_cascade``, role ``forced``, the episode is the holder's number.
    """

    kind: ClassVar[str] = "liquidation_cascade"

    holders: int = field(default=20, metadata={"help": "accounts"})
    quantity: int = field(default=50, metadata={"help": "lots that each holds"})
    lowest_leverage: float = field(default=5.0, metadata={"help": "leverage of the most careful holder, above 1"})
    highest_leverage: float = field(
        default=20.0, metadata={"help": "leverage of the boldest holder, below 1 / maintenance"}
    )
    maintenance: float = field(default=0.03, metadata={"help": "equity as a share of the holding that must be kept"})
    entry: float | None = field(
        default=None, metadata={"unit": "price", "help": "price that they bought at; the reference price when left out"}
    )
    begin: int | str = field(
        default="0s",
        metadata={"unit": "duration", "help": "time after the start of the run before which nobody is sold out"},
    )
    delay: int | str = field(
        default="100ms", metadata={"unit": "duration", "help": "time from a threshold to the forced sale"}
    )

    def __post_init__(self) -> None:
        to_whole(self, "holders", "quantity", low=1)
        to_number(self, "lowest_leverage", "highest_leverage", low=1.0, open_low=True)
        to_number(self, "maintenance", low=0.0, high=0.99)
        to_number(self, "entry", low=0.0, open_low=True)
        self.begin, self.delay = duration(self.begin), duration(self.delay)
        if self.begin < 0:
            raise InvalidValueError(f"begin: {self.begin} ns lies before the start; use 0s or more")
        if self.delay < 0:
            raise InvalidValueError(f"delay: {self.delay} ns is below zero; use 0 or more")
        if self.lowest_leverage > self.highest_leverage:
            raise InvalidValueError(
                f"lowest_leverage: {self.lowest_leverage:g} is above highest_leverage {self.highest_leverage:g}; "
                "swap them"
            )
        if self.highest_leverage * self.maintenance >= 1.0:
            raise InvalidValueError(
                f"highest_leverage: {self.highest_leverage:g} leaves less equity than maintenance "
                f"{self.maintenance:g} from the first; use less than {1.0 / self.maintenance:g}"
            )

    def thresholds(self) -> list[float]:
        """The prices, in currency, below which the holders are sold out, highest first."""
        entry = float(self.instrument.reference_price) if self.entry is None else self.entry
        step = (self.highest_leverage - self.lowest_leverage) / max(self.holders - 1, 1)
        leverages = (self.highest_leverage - step * number for number in range(self.holders))
        return [entry * (1.0 - 1.0 / leverage) / (1.0 - self.maintenance) for leverage in leverages]

    def on_start(self) -> None:
        """Everybody still holds."""
        self._venue = self._session.venues(self.instrument)[0]
        self._open_at = self.now + int(self.begin)
        self.sold_out = 0  # holders whose sale was decided
        self.on_parameters()

    def on_parameters(self) -> None:
        """The thresholds of those who still hold, in ticks, the next one last."""
        tick = self.instrument.tick
        self._waiting = [price / tick for price in reversed(self.thresholds()[self.sold_out :])]

    def on_quote(self, quote: Quote) -> None:
        """Whose equity is gone?"""
        mine = quote.venue == self._venue and quote.instrument.symbol == self.instrument.symbol
        if not mine or not quote.two_sided or self.now < self._open_at:
            return
        while self._waiting and quote.mid < self._waiting[-1]:
            self._waiting.pop()
            self.sold_out += 1
            self.after(int(self.delay), self._liquidate, self.sold_out, self.quantity)

    def on_canceled(self, order: Order, report: Report) -> None:
        """Not everything found a buyer."""
        self._again(order, order.quantity - order.filled)

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """The sale was refused, as in a halt."""
        self._again(order, 0 if order is None else order.quantity - order.filled)

    # --- inner ---

    def _liquidate(self, holder: int, lots: int) -> None:
        order = self.sell(self.instrument, lots, venue=self._venue, tag=str(holder))
        self.label(order, "forced", holder)

    def _again(self, order: Order | None, lots: int) -> None:
        if order is not None and lots > 0:
            self.after(SECOND, self._liquidate, int(order.tag), lots)
