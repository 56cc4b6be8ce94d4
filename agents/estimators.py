"""Estimators that traders share: running numbers from market data, updated in constant time. They never trade."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from marketsim.domain.market_data import Quote
from marketsim.domain.order import Side
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


class Reach:
    """How far trades reach from the fair value, and how many there are: the fill intensity A·e^(−kδ) of a quote at δ.

    Reaches are taken to be exponential from the fair value on: k is the inverse of their mean, A is half of the trades
    a second (those of one side). Both forget over ``memory`` ns; ``start`` is the mean reach, in ticks, with which they
    begin, at the weight of one trade.
    """

    def __init__(self, memory: int, start: float = 1.0) -> None:
        self._memory = memory
        self._start = start
        self._reach = self._weight = 0.0
        self._time = 0
        self._first = -1

    def traded(self, now: int, distance: float) -> None:
        """A trade reached ``distance`` ticks from the fair value."""
        kept = math.exp(-(now - self._time) / self._memory)
        self._reach = kept * self._reach + distance
        self._weight = kept * self._weight + 1.0
        self._time = now
        if self._first < 0:
            self._first = now

    @property
    def decay(self) -> float:
        """k in 1/ticks: the estimate of most likelihood for exponential reaches."""
        return (self._weight + 1.0) / (self._reach + self._start)

    def rate(self, now: int) -> float:
        """A in trades of one side a second; 1 until the first two trades."""
        if self._first < 0 or now <= self._first:
            return 1.0
        seconds = self._memory / SECOND * -math.expm1(-(now - self._first) / self._memory)
        return max(self._weight * math.exp(-(now - self._time) / self._memory), 1e-3) / (2.0 * seconds)


class TradedVolume:
    """Lots that aggressors bought and sold in the last ``window`` ns."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._trades: deque[tuple[int, Side, int]] = deque()
        self._lots = dict.fromkeys(Side, 0)

    def traded(self, now: int, side: Side, lots: int) -> None:
        """An aggressor on ``side`` traded."""
        self._trades.append((now, side, lots))
        self._lots[side] += lots

    def total(self, now: int) -> int:
        """Lots traded."""
        self._forget(now)
        return sum(self._lots.values())

    def imbalance(self, now: int) -> float:
        """(bought − sold) / (bought + sold), from −1 to 1; 0 when nothing traded."""
        total = self.total(now)
        return (self._lots[Side.BUY] - self._lots[Side.SELL]) / total if total else 0.0

    def _forget(self, now: int) -> None:
        trades = self._trades
        while trades and trades[0][0] <= now - self._window:
            _, side, lots = trades.popleft()
            self._lots[side] -= lots


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


Level = tuple[int, int]  # price in ticks, quantity in lots


class MultiLevelFlow:
    """Order-flow imbalance of each of the first ``levels`` prices of a book (Xu, Gould and Howison 2018).

    Level m (0, 1, …) of step n has e = ΔW − ΔV, by the rule of ``OrderFlowImbalance`` with the m-th best bid and ask in
    the place of the best: ΔW = q, q − q' or −q' as the m-th bid rose, stayed or fell, and the asks mirrored. So level 0
    is the order-flow imbalance of the best quotes. Where a book has no m-th price, before or after, level m says 0.

    Source: K. Xu, M. D. Gould and S. D. Howison, "Multi-level order-flow imbalance in a limit order book", Market
    Microstructure and Liquidity 4(3–4), 2018.
    """

    __slots__ = ("_last", "levels")

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self._last: tuple[list[Level], list[Level]] | None = None

    def update(self, bids: Sequence[Level], asks: Sequence[Level]) -> list[int]:
        """The imbalance of the step to this book, best level first; all 0 for the first."""
        last, self._last = self._last, (list(bids[: self.levels]), list(asks[: self.levels]))
        flows = [0] * self.levels
        if last is None:
            return flows
        for level in range(min(self.levels, *map(len, last), len(bids), len(asks))):
            bid, ask = _change(bids[level], last[0][level]), _change(_over(asks[level]), _over(last[1][level]))
            flows[level] = bid - ask
        return flows

    def unchanged(self, bids: Sequence[Level], asks: Sequence[Level]) -> bool:
        """Whether the last book had the same first levels."""
        return self._last == (list(bids[: self.levels]), list(asks[: self.levels]))

    def forget(self) -> None:
        """The next book is a first one again, as after a gap."""
        self._last = None


def _change(now: Level, before: Level) -> int:
    """Lots that a bid has gained: all of a better one, the difference at one price, minus what was at a lost one."""
    (price, lots), (old_price, old_lots) = now, before
    return (lots if price >= old_price else 0) - (old_lots if price <= old_price else 0)


def _over(level: Level) -> Level:
    """An ask as the bid of a market turned over."""
    return -level[0], level[1]
