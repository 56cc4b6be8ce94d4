"""A liquidity taker: reads direction from the book and takes what is offered when it is sure enough.

Its signals: order-flow imbalance of the best quotes (R. Cont, A. Kukanov and S. Stoikov, "The price impact of order
book events", Journal of Financial Econometrics 12(1), 2014, 47–88) or of several levels (K. Xu, M. D. Gould and
S. D. Howison, "Multi-level order-flow imbalance in a limit order book", Market Microstructure and Liquidity 4(3–4),
2018); the microprice, here the mid weighted by the quantities of the other sides, not the martingale price that
S. Stoikov (2018) calls the micro-price; and momentum of the mid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from marketsim.agents.checks import to_duration, to_number, to_share, to_whole
from marketsim.agents.estimators import Level, MultiLevelFlow, OrderFlowImbalance
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, Quote
from marketsim.domain.order import Side, TimeInForce
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.book import LocalBook
from marketsim.trading.order import Order

_BUY, _SELL, _IOC = Side.BUY, Side.SELL, TimeInForce.IOC


class _Signal:
    """The direction that one instrument's quotes point to, from −1 to 1."""

    __slots__ = (
        "armed", "book", "flow", "flows", "instrument", "mid", "order", "quote", "rest_until", "strength", "unwind_at",
        "venue",
    )  # fmt: skip

    def __init__(self, instrument: Instrument, venue: str, levels: int) -> None:
        self.instrument = instrument
        self.venue = venue
        self.flow = OrderFlowImbalance()
        self.flows = MultiLevelFlow(levels)
        self.book: LocalBook | None = None  # where it looks at several levels
        self.quote: Quote | None = None  # the latest with both sides
        self.mid = 0.0
        self.strength = 0.0
        self.armed = False  # a decision is on its way to become an order
        self.order: Order | None = None
        self.rest_until = 0  # ns
        self.unwind_at = 0  # ns


@dataclass
class LiquidityTaker(Agent):
    """Takes liquidity in the direction of a decaying signal from the book.

    With every quote S becomes d·S + (1 − d)·x, with d = ``signal_decay`` and x in [−1, 1] the weighted mean of: the
    order-flow imbalance of the step over the mean displayed quantity; the microprice's distance from the mid in half
    spreads; and the mid's move in spreads. Each is cut to [−1, 1].

    With ``levels`` above 1 it keeps the book, S moves with every change of its first prices, and the first part is Σ
    g^m·e_m / Σ g^m over the levels m = 0, 1, …, with e_m the level's imbalance over its mean quantity, cut to [−1, 1],
    and g = ``level_decay``.

    When |S| reaches ``signal_threshold`` a decision is made; ``execution_delay`` later, if it still holds, an order
    goes out that takes at the best opposite price (up to ``slippage`` ticks beyond): ``max_order`` · min(1, |S| /
    ``full_strength``) lots, within ``max_position``. A position is unwound when the last order on a signal is
    ``holding`` old.
    """

    signal_threshold: float = field(default=0.005, metadata={"help": "strength at which it acts, 0 to 1"})
    max_order: int = field(default=500, metadata={"help": "lots of an order at full strength"})
    execution_delay: int | str = field(
        default="100ms", metadata={"unit": "duration", "help": "time from a decision to its order"}
    )
    signal_decay: float = field(default=0.95, metadata={"help": "what is left of the signal after one more quote"})
    full_strength: float = field(default=0.5, metadata={"help": "strength that is worth the largest order"})
    flow_weight: float = field(default=1.0, metadata={"help": "weight of order-flow imbalance"})
    microprice_weight: float = field(default=0.5, metadata={"help": "weight of the microprice"})
    momentum_weight: float = field(default=0.5, metadata={"help": "weight of the mid's moves"})
    levels: int = field(default=1, metadata={"help": "prices of each side whose order flow counts; 1: best quotes"})
    level_decay: float = field(default=0.7, metadata={"help": "weight of a level relative to the one before it"})
    max_position: int = field(default=1000, metadata={"help": "most lots held long or short"})
    slippage: int = field(default=0, metadata={"help": "ticks beyond the best price that it will pay"})
    cooldown: int | str = field(default="1s", metadata={"unit": "duration", "help": "least time between two orders"})
    holding: int | str = field(
        default="10s", metadata={"unit": "duration", "help": "how long a position outlives its signal"}
    )

    def __post_init__(self) -> None:
        to_share(self, "signal_threshold", "signal_decay", "level_decay")
        to_number(self, "full_strength", low=0.0, high=1.0, open_low=True)
        to_number(self, "flow_weight", "microprice_weight", "momentum_weight", low=0.0)
        to_whole(self, "max_order", "max_position", "levels", low=1)
        to_whole(self, "slippage", low=0)
        to_duration(self, "holding", "cooldown")
        self.execution_delay = duration(self.execution_delay)
        if self.execution_delay < 0:
            raise InvalidValueError(f"execution_delay: {self.execution_delay} ns is below zero; use 0 or more")
        if self.flow_weight + self.microprice_weight + self.momentum_weight == 0.0:
            raise InvalidValueError(
                "flow_weight, microprice_weight and momentum_weight are all 0; give one some weight"
            )

    def subscriptions(self) -> dict[str, Any]:
        """Quotes; where it looks at several levels it keeps a book instead."""
        return {"quotes": self.levels == 1}

    def on_start(self) -> None:
        """One signal for each instrument."""
        self.signals = {i.symbol: self._new_signal(i) for i in self.instruments}

    def on_parameters(self) -> None:
        """Other levels are other signals; the rest is read where it is used."""
        if any(signal.flows.levels != self.levels for signal in self.signals.values()):
            for instrument in self.instruments if self.levels == 1 else ():
                self.subscribe(instrument, quotes=True)
            self.on_start()

    def on_quote(self, quote: Quote) -> None:
        """The signal moves; a decision may follow."""
        signal = self.signals[quote.instrument.symbol]
        if quote.venue == signal.venue and signal.book is None:
            self._update(signal, quote, signal.flow.update(quote))
            self._decide(signal)

    def on_level(self, update: LevelUpdate) -> None:
        """The book has changed; the signal moves when it did so within the first levels."""
        self._look(update.instrument, update.venue)

    def on_book(self, book: BookSnapshot) -> None:
        """A whole book, the first or one after a gap, is no step."""
        signal = self.signals[book.instrument.symbol]
        if book.venue == signal.venue:
            signal.flows.forget()
            self._look(book.instrument, book.venue)

    def signal_strength(self, instrument: Instrument | None = None) -> float:
        """The signal of an instrument, −1 (down) to 1 (up)."""
        return self.signals[(instrument or self.instrument).symbol].strength

    # --- inner ---

    def _new_signal(self, instrument: Instrument) -> _Signal:
        signal = _Signal(instrument, self._session.venues(instrument)[0], self.levels)
        if self.levels > 1:
            signal.book = self.keep_book(instrument, venue=signal.venue)
        return signal

    def _look(self, instrument: Instrument, venue: str) -> None:
        signal = self.signals[instrument.symbol]
        book = signal.book
        if book is None or venue != signal.venue or not book.synchronized:
            return
        bids, asks = book.best_bids(self.levels), book.best_asks(self.levels)
        if not bids or not asks or signal.flows.unchanged(bids, asks):
            return
        flows = signal.flows.update(bids, asks)
        (bid, bid_quantity), (ask, ask_quantity) = bids[0], asks[0]
        quote = Quote(self.now, instrument, bid, bid_quantity, ask, ask_quantity, venue)
        self._update(signal, quote, 0.5 * (bid_quantity + ask_quantity) * self._joined(flows, bids, asks))
        self._decide(signal)

    def _joined(self, flows: list[int], bids: list[Level], asks: list[Level]) -> float:
        """The levels' imbalances over their mean quantities, weighted; −1 to 1."""
        total, weights, weight = 0.0, 0.0, 1.0
        for flow, (_, bid_quantity), (_, ask_quantity) in zip(flows, bids, asks, strict=False):
            total += weight * _cut(2.0 * flow / (bid_quantity + ask_quantity))
            weights += weight
            weight *= self.level_decay
        return total / weights

    def _update(self, signal: _Signal, quote: Quote, flow: float) -> None:
        """Take in a quote and the order flow since the one before, in lots."""
        if not quote.two_sided:
            return
        depth = 0.5 * (quote.bid_quantity + quote.ask_quantity)
        mid, spread = quote.mid, max(1, quote.spread)
        moved = (mid - signal.mid) / spread if signal.quote is not None else 0.0
        lean = (quote.bid_quantity - quote.ask_quantity) / (2.0 * depth)
        now = (
            self.flow_weight * _cut(flow / depth) + self.microprice_weight * lean + self.momentum_weight * _cut(moved)
        ) / (self.flow_weight + self.microprice_weight + self.momentum_weight)
        signal.strength = self.signal_decay * signal.strength + (1.0 - self.signal_decay) * now
        signal.quote, signal.mid = quote, mid

    def _decide(self, signal: _Signal) -> None:
        if signal.armed or self.now < signal.rest_until:
            return
        if abs(signal.strength) >= self.signal_threshold and self._lots(signal) > 0:
            signal.armed = True
            self.after(self.execution_delay, self._execute, signal)

    def _lots(self, signal: _Signal) -> int:
        """Size of the order that the signal is worth, within the position limit."""
        strength = signal.strength
        side = 1 if strength > 0 else -1
        size = int(self.max_order * min(1.0, abs(strength) / self.full_strength))
        return min(size, self.max_position - side * self.position(signal.instrument))

    def _execute(self, signal: _Signal) -> None:
        signal.armed = False
        busy = signal.order is not None and signal.order.live
        if busy or abs(signal.strength) < self.signal_threshold:
            return
        lots = self._lots(signal)
        side = _BUY if signal.strength > 0 else _SELL
        if lots > 0:
            self._take(signal, side, lots)
            signal.rest_until = self.now + int(self.cooldown)
            signal.unwind_at = self.now + int(self.holding)
            self.at(signal.unwind_at, self._unwind, signal)

    def _take(self, signal: _Signal, side: Side, lots: int) -> None:
        quote = signal.quote
        if quote is None:
            return
        price = quote.ask + self.slippage if side is _BUY else quote.bid - self.slippage
        signal.order = self.order(
            side, signal.instrument, lots, limit=price, time_in_force=_IOC, venue=signal.venue, tag="signal"
        )

    def _unwind(self, signal: _Signal) -> None:
        """Close a position whose signal is old; tried again until it is closed."""
        position = self.position(signal.instrument)
        if self.now < signal.unwind_at or position == 0:
            return
        if signal.order is None or not signal.order.live:
            self._take(signal, _SELL if position > 0 else _BUY, abs(position))
        signal.unwind_at = self.now + max(int(self.holding) // 10, 1)
        self.at(signal.unwind_at, self._unwind, signal)


def _cut(value: float) -> float:
    return min(1.0, max(-1.0, value))
