"""TWAP: executes a parent order in equal slices over a stretch of time, for about the mean price of that time.

It knows no volume and no price to come, and is what other execution algorithms are measured by. Where the price is a
random walk and impact is linear, equal slices are optimal (D. Bertsimas and A. Lo, "Optimal control of execution
costs", Journal of Financial Markets 1, 1998, 1–50).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from marketsim.agents.checks import check_choice, to_duration, to_share, to_whole
from marketsim.domain.market_data import Quote
from marketsim.domain.order import OrderState, Side, TimeInForce
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

_PENDING_CANCEL, _IOC = OrderState.PENDING_CANCEL, TimeInForce.IOC


@dataclass
class Twap(Agent):
    """Buys or sells ``quantity`` lots in ``slices`` equal parts, one every ``horizon / slices``, from ``begin`` on.

    After slice k (1, 2, …) it wants round(Q·k / slices) lots, so that slices differ by a lot at most; what an earlier
    one did not get is caught up by the next. ``style="take"`` sends a market order for each slice. ``style="post"``
    first joins the best price of its own side with a post-only order, follows it, and takes what is left after
    ``patience``, a share of the slice's time. What is still missing at the end of the horizon is taken then.
    """

    side: Literal["buy", "sell"] = field(default="buy", metadata={"help": "buy or sell"})
    quantity: int = field(default=1000, metadata={"help": "lots of the parent order"})
    begin: int | str = field(default="0s", metadata={"unit": "duration", "help": "from the start of the run"})
    horizon: int | str = field(default="10min", metadata={"unit": "duration", "help": "time from the first slice on"})
    slices: int = field(default=60, metadata={"help": "parts"})
    style: Literal["take", "post"] = field(default="take", metadata={"help": "take, or post first"})
    patience: float = field(default=0.8, metadata={"help": "share of a slice's time that posted orders wait, 0 to 1"})

    def __post_init__(self) -> None:
        check_choice(self, "side", ("buy", "sell"))
        check_choice(self, "style", ("take", "post"))
        to_whole(self, "quantity", "slices", low=1)
        to_duration(self, "horizon")
        to_share(self, "patience")
        self.begin = duration(self.begin)
        if self.begin < 0:
            raise InvalidValueError(f"begin: {self.begin} ns lies before the start; use 0s or more")
        if self.slices > self.quantity:
            raise InvalidValueError(
                f"slices: {self.slices} parts of {self.quantity} lots; use at most as many as there are lots"
            )

    def subscriptions(self) -> dict[str, Any]:
        """Quotes, where it posts."""
        return {"quotes": self.style == "post"}

    def on_start(self) -> None:
        """Plan the slices."""
        self._side = Side.BUY if self.side == "buy" else Side.SELL
        self._place = self.instrument.symbol, self._session.venues(self.instrument)[0]
        self._first = self.position()
        self._wanted = 0  # lots by the end of the present slice
        self._order: Order | None = None
        self._quote: Quote | None = None
        self._posting = False
        first, horizon = self.now + int(self.begin), int(self.horizon)
        for number in range(self.slices):
            self.at(first + horizon * number // self.slices, self._slice, number)
        self.at(first + horizon, self._take)

    @property
    def done(self) -> int:
        """Lots filled, as far as is known."""
        return (self.position() - self._first) * self._side

    # --- inner ---

    def _slice(self, number: int) -> None:
        """The next slice is due."""
        self._wanted = round(self.quantity * (number + 1) / self.slices)
        if self.style == "take":
            self._take()
            return
        self._posting = True
        self._post()
        self.after(int(int(self.horizon) / self.slices * self.patience), self._take)

    def _missing(self) -> int:
        """Lots of the present slice for which no order stands."""
        working = sum(order.leaves for order in self.orders() if order.state is not _PENDING_CANCEL)
        return self._wanted - self.done - working

    def _take(self) -> None:
        """What is missing now is taken; a posted order makes room for it."""
        self._posting = False
        self.cancel_all()
        missing = self._missing()
        if missing > 0:
            self.order(self._side, self.instrument, missing, time_in_force=_IOC, tag="slice")

    def on_quote(self, quote: Quote) -> None:
        """The best price has moved: a posted order follows it."""
        if (quote.instrument.symbol, quote.venue) == self._place:
            self._quote = quote
            if self._posting:
                self._post()

    def _post(self) -> None:
        """One order with all that is missing at the best price of the own side."""
        quote = self._quote
        if quote is None or not (quote.has_bid if self._side is Side.BUY else quote.has_ask):
            return
        price = quote.bid if self._side is Side.BUY else quote.ask
        order, left = self._order, self._wanted - self.done
        if order is not None and order.live:
            if order.state is not _PENDING_CANCEL and order.price != price:
                self.replace(order, limit=price, quantity=order.filled + left)
        elif left > 0:
            self._order = self.order(self._side, self.instrument, left, limit=price, post_only=True, tag="slice")
