"""Estimators that traders share: running numbers from market data, updated in constant time. They never trade."""

from __future__ import annotations

import math

from marketsim.domain.market_data import Quote
from marketsim.domain.units import SECOND


class RealizedVolatility:
    """Volatility of a price in ticks per √second, from its changes over steps of at least ``interval`` ns.

    The variance rate is v = Σ e^(−age/τ)·Δ² / Σ e^(−age/τ)·Δt over all steps (Δt, Δ), with τ = ``memory`` ns. Steps
    that are long against the bounce between bid and ask keep it from counting as volatility.
    """

    def __init__(self, interval: int = SECOND, memory: int = 60 * SECOND, start: float = 0.0) -> None:
        self._interval = interval
        self._memory = memory
        self._start = start
        self._time = -1
        self._price = 0.0
        self._squares = 0.0
        self._seconds = 0.0

    def update(self, now: int, price: float) -> None:
        """The price is known at a time."""
        gap = now - self._time
        if self._time >= 0 and gap < self._interval:
            return
        if self._time >= 0:
            kept = math.exp(-gap / self._memory)
            change = price - self._price
            self._squares = kept * self._squares + change * change
            self._seconds = kept * self._seconds + gap / SECOND
        self._time, self._price = now, price

    @property
    def value(self) -> float:
        """Ticks per √second; the ``start`` that was given until there is a first step."""
        return math.sqrt(self._squares / self._seconds) if self._seconds else self._start


class OrderFlowImbalance:
    """Order-flow imbalance of the best quotes, event by event (Cont, Kukanov and Stoikov 2014).

    From quote n−1 to n: e = [b ≥ b']·q − [b ≤ b']·q' − [a ≤ a']·r + [a ≥ a']·r', with bid b and its quantity q, ask a
    and its quantity r, primes for the earlier quote. Lots; positive when buyers press.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: Quote | None = None

    def update(self, quote: Quote) -> int:
        """The imbalance of the step to this quote; 0 for the first, and where a side is empty before or after."""
        last, self._last = self._last, quote
        if last is None or not (last.bid_quantity and last.ask_quantity and quote.bid_quantity and quote.ask_quantity):
            return 0
        flow = 0
        if quote.bid >= last.bid:
            flow += quote.bid_quantity
        if quote.bid <= last.bid:
            flow -= last.bid_quantity
        if quote.ask <= last.ask:
            flow -= quote.ask_quantity
        if quote.ask >= last.ask:
            flow += last.ask_quantity
        return flow
