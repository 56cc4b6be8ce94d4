"""Routed flow: investors who come at random times and take what they want from the venues that are cheapest."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from marketsim.agents.checks import check_choice, to_share, to_waking, to_whole
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.consolidated import ConsolidatedQuote
from marketsim.trading.router import RESTS, STYLES

_BUY, _SELL = Side.BUY, Side.SELL


@dataclass
class RoutedFlow(Agent):
    """Orders at the times of a Poisson process, sent through the smart order router.

    Sizes are geometric with mean ``quantity``. An order reaches up to ``slippage`` ticks beyond the best price over all
    venues. With probability ``informed`` it follows the feed ``value``: it buys when the value lies above the best
    offer, sells when it lies below the best bid, and else stays away; all other orders buy or sell with equal odds.
    With ``venues`` in the scenario it routes over these only; with one of them it is that venue's own customer.
    """

    rate: float | str = field(default=1.0, metadata={"unit": "rate", "help": "orders a second"})
    quantity: int = field(default=20, metadata={"help": "mean lots of an order"})
    slippage: int = field(default=0, metadata={"help": "ticks beyond the best price that it will pay"})
    style: Literal["spray", "sequential", "together"] = field(
        default="spray",
        metadata={"help": "spray: all venues at once; sequential: one after the other; together: all arrive at once"},
    )
    rest: Literal["cancel", "post", "wait"] = field(
        default="cancel", metadata={"help": "what is not filled: cancel it, or post it at the limit"}
    )
    informed: float = field(default=0.0, metadata={"help": "share of the orders that follow the feed"})
    value: str = field(default="value", metadata={"help": "name of that feed"})

    def __post_init__(self) -> None:
        to_waking(self)
        to_whole(self, "quantity", low=1)
        to_whole(self, "slippage", low=0)
        check_choice(self, "style", STYLES)
        check_choice(self, "rest", RESTS)
        to_share(self, "informed")
        if self.rest == "wait":
            raise InvalidValueError('rest: "wait" would never let an order of a flow end; use "cancel" or "post"')

    def on_start(self) -> None:
        """Look at all venues, and come at random times."""
        if self.informed:
            self.feed(self.value)  # says at once when there is none
        for instrument in self.instruments:
            self.consolidated(instrument)
            self._come_again(instrument)

    # --- inner ---

    def _come_again(self, instrument: Instrument) -> None:
        pause = self.random(f"when {instrument.symbol}").exponential(1e9 / float(self.rate))
        self.after(1 + int(pause), self._come, instrument)

    def _come(self, instrument: Instrument) -> None:
        self._come_again(instrument)
        quote = self.consolidated(instrument)
        informed = self.random("informed").bernoulli(self.informed)
        side = self._side_of_value(quote) if informed else _BUY if self.random("side").bernoulli(0.5) else _SELL
        lots = self._lots()
        if side is None or not (quote.has_ask if side is _BUY else quote.has_bid):
            return
        best = quote.ask if side is _BUY else quote.bid
        self.route(
            side, instrument, lots, limit=best + side * self.slippage, style=self.style, rest=self.rest, tag="flow"
        )

    def _side_of_value(self, quote: ConsolidatedQuote) -> Side | None:
        value = self.feed(self.value).value(self.now)
        if quote.has_ask and value > quote.ask:
            return _BUY
        return _SELL if quote.has_bid and value < quote.bid else None

    def _lots(self) -> int:
        """Geometric on 1, 2, … by inversion."""
        draw = self.random("quantity").uniform()
        if self.quantity == 1:
            return 1
        return 1 + int(math.log(1.0 - draw) / math.log(1.0 - 1.0 / self.quantity))
