"""A fat finger: one order by mistake, of far too many lots or at a price that is far off. It is labelled.

It happens once and nobody corrects it but by cancelling what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from marketsim.agents.checks import check_choice, to_duration, to_number, to_whole
from marketsim.agents.stress import StressAgent
from marketsim.domain.market_data import Quote
from marketsim.domain.order import Side
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError


@dataclass
class FatFinger(StressAgent):
    """Sends one wrong order, ``begin`` after the start or with the first two-sided quote afterwards.

    ``mistake`` size: a market order of ``quantity`` · ``factor`` lots. ``mistake`` price: a limit order of ``quantity``
    lots at mid · (1 ± ``price_error``), on the far side of the market; ``notice`` later what is left of it is
    cancelled. Label: kind ``fat_finger``, role ``mistake``.
    """

    kind: ClassVar[str] = "fat_finger"

    side: Literal["buy", "sell"] = field(default="sell", metadata={"help": "buy or sell"})
    mistake: Literal["size", "price"] = field(default="size", metadata={"help": "what is wrong: the size or the price"})
    quantity: int = field(default=100, metadata={"help": "lots that were meant"})
    factor: int = field(default=100, metadata={"help": "by which a wrong size is too large"})
    price_error: float = field(default=0.1, metadata={"help": "share of the mid by which a wrong price is off"})
    begin: int | str = field(
        default="1min", metadata={"unit": "duration", "help": "when the order is sent, after the start of the run"}
    )
    notice: int | str = field(
        default="10s", metadata={"unit": "duration", "help": "time until a wrong price is noticed"}
    )

    def __post_init__(self) -> None:
        check_choice(self, "side", ("buy", "sell"))
        check_choice(self, "mistake", ("size", "price"))
        to_whole(self, "quantity", low=1)
        to_whole(self, "factor", low=2)
        to_number(self, "price_error", low=0.0, open_low=True)
        to_duration(self, "notice")
        self.begin = duration(self.begin)
        if self.begin < 0:
            raise InvalidValueError(f"begin: {self.begin} ns lies before the start; use 0s or more")
        if self.side == "sell" and self.price_error >= 1.0:
            raise InvalidValueError(
                f"price_error: {self.price_error} would sell at a price of zero or less; use less than 1"
            )

    def on_start(self) -> None:
        """Wait for the moment."""
        self._done = False
        self._due = self.now + int(self.begin)
        self._quote: Quote | None = None
        self.at(self._due, self._slip)

    def on_quote(self, quote: Quote) -> None:
        """The latest quote with both sides."""
        if quote.two_sided and quote.instrument.symbol == self.instrument.symbol:
            self._quote = quote
            if self.now >= self._due:
                self._slip()

    # --- inner ---

    def _slip(self) -> None:
        quote = self._quote
        if self._done or quote is None:
            return
        self._done = True
        side = Side.BUY if self.side == "buy" else Side.SELL
        if self.mistake == "size":
            order = self.order(side, self.instrument, self.quantity * self.factor, venue=quote.venue, tag="mistake")
        else:
            price = max(1, round(quote.mid * (1.0 + side * self.price_error)))
            order = self.order(side, self.instrument, self.quantity, limit=price, venue=quote.venue, tag="mistake")
            self.after(int(self.notice), self.cancel, order)
        self.label(order, "mistake", 1)
