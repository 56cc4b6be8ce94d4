"""Deception with orders that are not meant: what the spoofer and the layering trader share.

One episode: a small order that is meant waits at the best price of its side, while large ones on the other side, the
decoys, make the book look as if the price were about to come to it. When the genuine order has traded the decoys are
cancelled. The manner is that of the cases in J. Lee, K. Eom and K. S. Park, "Microstructure-based manipulation:
strategic behavior and performance of spoofing traders", Journal of Financial Markets 16(2), 2013, 227–252.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.agents.checks import to_duration, to_whole
from marketsim.agents.stress import StressAgent
from marketsim.domain.market_data import Quote, Report
from marketsim.domain.order import OrderState, Side
from marketsim.trading.order import Order

_BUY, _SELL, _PENDING_CANCEL = Side.BUY, Side.SELL, OrderState.PENDING_CANCEL
_RETRY = 10  # looks at a book that is not there, in one interval


@dataclass
class Deception(StressAgent):
    """Episodes of one genuine order and decoys on the other side. Subclasses say which decoys."""

    quantity: int = field(default=20, metadata={"help": "lots of the order that is meant"})
    distance: int = field(default=1, metadata={"help": "ticks from the best price to the nearest decoy"})
    cover: int = field(default=10, metadata={"help": "others' lots ahead of a decoy, below which it is withdrawn"})
    interval: int | str = field(
        default="30s", metadata={"unit": "duration", "help": "mean time from one episode to the next"}
    )
    patience: int | str = field(default="5s", metadata={"unit": "duration", "help": "longest time of an episode"})

    def __post_init__(self) -> None:
        to_whole(self, "quantity", low=1)
        to_whole(self, "distance", "cover", low=0)
        to_duration(self, "interval", "patience")

    def decoys(self) -> list[tuple[int, int]]:
        """The decoys of an episode: ticks from the best price, and lots."""
        raise NotImplementedError

    def on_start(self) -> None:
        """The first episode comes after a random time."""
        self._venue = self._session.venues(self.instrument)[0]
        self._quote: Quote | None = None
        self._genuine: Order | None = None
        self._decoys: list[Order] = []
        self.episode = 0
        self._wait()

    def on_quote(self, quote: Quote) -> None:
        """A decoy that is about to trade is withdrawn, and all else with it."""
        if quote.venue != self._venue or quote.instrument.symbol != self.instrument.symbol:
            return
        self._quote = quote
        if any(self._endangered(decoy, quote) for decoy in self._decoys if decoy.live):
            self._withdraw()

    def on_fill(self, order: Order, report: Report) -> None:
        """What it wanted is done when the genuine order is filled; a decoy that trades is an accident."""
        if not order.live or order is not self._genuine:
            self._withdraw()
        self._end()

    def on_canceled(self, order: Order, report: Report) -> None:
        """An order is gone; the episode ends with the last one."""
        self._end()

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """An episode of which an order was refused is given up."""
        if order is not None and not order.live:
            self._withdraw()
            self._end()

    # --- inner ---

    def _wait(self) -> None:
        self.after(int(self.random("when").exponential(int(self.interval))), self._begin)

    def _begin(self) -> None:
        quote = self._quote
        if quote is None or not quote.two_sided:
            self.after(max(int(self.interval) // _RETRY, 1), self._begin)
            return
        self.episode += 1
        side, lots = self._wanted()
        best, other = (quote.bid, quote.ask) if side is _BUY else (quote.ask, quote.bid)
        self._genuine = self._send(side, lots, best, "genuine")
        self._decoys = [self._send(side.opposite, size, other + side * far, "decoy") for far, size in self.decoys()]
        self.after(int(self.patience), self._give_up, self.episode)

    def _wanted(self) -> tuple[Side, int]:
        """What an episode is to trade: out of what is held, else something on either side."""
        held = self.position()
        if held:
            return _SELL if held > 0 else _BUY, min(abs(held), self.quantity)
        return (_BUY if self.random("side").bernoulli(0.5) else _SELL), self.quantity

    def _send(self, side: Side, lots: int, price: int, role: str) -> Order:
        order = self.order(side, self.instrument, lots, limit=price, post_only=True, venue=self._venue, tag=role)
        self.label(order, role, self.episode)
        return order

    def _endangered(self, decoy: Order, quote: Quote) -> bool:
        """Whether it stands at the best price with too little of others' before it."""
        if not decoy.order_id:
            return False
        buys = decoy.side is _BUY
        best, shown = (quote.bid, quote.bid_quantity) if buys else (quote.ask, quote.ask_quantity)
        if not shown or decoy.price != best:
            return False
        own = sum(order.leaves for order in self._decoys if order.live and order.price == best)
        return shown - own < self.cover

    def _give_up(self, episode: int) -> None:
        if episode == self.episode:
            self._withdraw()

    def _withdraw(self) -> None:
        for order in self._orders():
            if order.live and order.state is not _PENDING_CANCEL:
                self.cancel(order)

    def _end(self) -> None:
        """Once nothing of the episode is left, the next one is waited for."""
        if self._genuine is not None and not any(order.live for order in self._orders()):
            self._genuine, self._decoys = None, []
            self._wait()

    def _orders(self) -> list[Order]:
        return [*([] if self._genuine is None else [self._genuine]), *self._decoys]
