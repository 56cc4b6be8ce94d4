"""Heuristic-belief learner: bids what promises most, by the frequency with which such orders traded lately.

Gjerstad and Dickhaut's belief (``gd``) carried over to a market where everybody may buy and sell many units and orders
stay: E. Wah, M. Wright and M. Wellman, "Welfare effects of market making in continuous double auctions", Journal of
Artificial Intelligence Research 59, 2017, 613–650; M. Wright and M. Wellman, "Evaluating the stability of non-adaptive
trading in continuous double auctions", AAMAS 2018. It sees every displayed order and every trade, but nobody's name,
and the value that a feed tells. Until it has seen enough trades it bids like a zero-intelligence trader.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from marketsim.agents.checks import to_duration, to_number, to_rate, to_waking, to_whole
from marketsim.domain.market_data import OrderAction, OrderUpdate, Quote, Report, TradePrint
from marketsim.domain.order import Side
from marketsim.domain.units import SECOND, time_of_day
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

_BUY, _SELL = Side.BUY, Side.SELL
Floats = npt.NDArray[np.float64]


@dataclass
class Shouted:
    """An order of anybody's as the feed told it. Times ns; ``end`` is -1 while it stands."""

    side: int
    price: int
    begin: int
    end: int = -1
    traded: bool = False


def beliefs(prices: Floats, side: int, shouts: list[Shouted], now: int, grace: int) -> Floats:
    """How often an order of a side (+1 buys) at each price was accepted: (T + O)/(T + O + R), else 0.5.

    Buying, T are bids at the price or less that traded, O offers at it or less, and R bids at it or more that did not
    trade, each with the part of ``grace`` ns that it stood, 1 at most. Selling mirrors this.
    """
    good = np.sort([side * shout.price for shout in shouts if shout.traded or shout.side != side])
    reach = side * np.asarray(prices, np.float64)
    accepted = np.searchsorted(good, reach, side="right").astype(np.float64)
    left = sorted((side * s.price, _patience(s, now) / grace) for s in shouts if s.side == side and not s.traded)
    weights = np.minimum([weight for _, weight in left], 1.0)
    beyond = np.concatenate([np.cumsum(weights[::-1])[::-1], [0.0]])
    rejected = beyond[np.searchsorted([at for at, _ in left], reach, side="left")]
    total = accepted + rejected
    return np.divide(accepted, total, out=np.full(len(total), 0.5), where=total > 0.0)


def _patience(shout: Shouted, now: int) -> int:
    """ns for which an order stood, or stands by now."""
    return (now if shout.end < 0 else shout.end) - shout.begin


def smooth(prices: Floats, knots: Floats, known: Floats) -> Floats:
    """The belief between prices where it is known: the cubic with slope 0 at both; constant beyond the last ones."""
    place = np.clip(np.searchsorted(knots, prices, side="right") - 1, 0, max(len(knots) - 2, 0))
    if len(knots) == 1:
        return np.full(len(prices), known[0])
    share = np.clip((prices - knots[place]) / (knots[place + 1] - knots[place]), 0.0, 1.0)
    rise: Floats = known[place] + (known[place + 1] - known[place]) * share * share * (3.0 - 2.0 * share)
    return rise


@dataclass
class HeuristicBelief(Agent):
    """Maximises its gain times the belief that an order trades (HBL).

    Orders come at random times, ``rate`` a second, buying or selling with equal odds; a new one takes the place of the
    last. The next unit is worth the estimate r̂ and a private part: those of ``units`` long and short are normal with
    ``deviation``, in falling order, and drawn anew after times of mean ``period``, or never. The value v of the feed,
    seen with an error of deviation ``noise``, gives r̂ = m + (v − m)·e^(−κ(T − t)), with m ``believed_mean``, κ
    ``believed_kappa`` and T ``close``; r̂ = v without a close.

    From the orders since the oldest that took part in the last ``memory`` trades it believes that a price P is accepted
    with probability f(P) (see ``beliefs``; cubic between prices) and shouts the P with the highest (worth − P)·f(P);
    the opposite best price is certain. Where nothing promises a gain it shouts nothing. With fewer trades known it asks
    for a gain that is uniform from 0 to ``margin``.
    """

    rate: float | str = field(default=0.1, metadata={"unit": "rate", "help": "orders a second"})
    value: str | None = field(
        default=None, metadata={"reference": "feed", "help": "the feed of the value; the reference price when left out"}
    )
    noise: float = field(default=0.0, metadata={"help": "deviation of an observation of the value, currency"})
    believed_mean: float | None = field(
        default=None, metadata={"unit": "price", "help": "long-run mean it believes in; the reference when left out"}
    )
    believed_kappa: float | str = field(
        default=0.0, metadata={"unit": "rate", "help": "mean reversion it believes in, per second"}
    )
    close: int | str | None = field(
        default=None,
        metadata={"unit": "time_of_day", "help": "time to which it projects the value; none when left out"},
    )
    units: int = field(default=10, metadata={"help": "most units held long or short"})
    quantity: int = field(default=1, metadata={"help": "lots of a unit"})
    deviation: float | None = field(
        default=None,
        metadata={"help": "deviation of private values, currency; 0.001 of the reference price when left out"},
    )
    period: int | str | None = field(
        default=None,
        metadata={"unit": "duration", "help": "mean time until private values are drawn anew; never when left out"},
    )
    margin: float | None = field(
        default=None,
        metadata={"help": "largest gain asked for before enough is known, currency; the deviation when left out"},
    )
    memory: int = field(default=8, metadata={"help": "trades that it remembers"})
    grace: int | str = field(
        default="10s",
        metadata={"unit": "duration", "help": "time after which an order that has not traded counts as rejected"},
    )

    def __post_init__(self) -> None:
        to_waking(self)
        to_number(self, "noise", "believed_mean", "deviation", "margin", low=0.0)
        to_rate(self, "believed_kappa")
        to_whole(self, "units", low=1, high=1000)
        to_whole(self, "quantity", low=1, high=1_000_000_000)
        to_whole(self, "memory", low=1, high=1000)
        to_duration(self, "period", "grace")
        if self.close is not None:
            self.close = time_of_day(self.close)
            if self.close <= 0:
                raise InvalidValueError(f"close: {self.close} ns must be above zero")

    def subscriptions(self) -> dict[str, Any]:
        """Quotes, trades and every displayed order."""
        return {"quotes": True, "trades": True, "orders": True}

    def on_start(self) -> None:
        """Draw private values, and look for the feed at once."""
        tick = self.instrument.tick
        self._deviation = 0.001 * self.instrument.reference if self.deviation is None else self.deviation / tick
        self._margin = self._deviation if self.margin is None else self.margin / tick
        self._feed = None if self.value is None else self.feed(self.value)
        self._shouts: dict[int, Shouted] = {}  # those that stand
        self._past: list[Shouted] = []  # those that are over
        self._trades: deque[int] = deque(maxlen=self.memory)  # when the resting order of each began
        self._bid = self._ask = 0  # ticks; 0 where that side is empty
        self._wanting = False
        self._draw_values()
        self.after(self._pause(), self._wake)

    # --- what it hears ---

    def on_quote(self, quote: Quote) -> None:
        """Remember the best prices."""
        self._bid = quote.bid if quote.has_bid else 0
        self._ask = quote.ask if quote.has_ask else 0

    def on_order_update(self, update: OrderUpdate) -> None:
        """Follow every order from its beginning to its end."""
        standing = self._shouts
        if update.action is OrderAction.BEGIN:
            standing.clear()
        elif update.action is OrderAction.ADDED:
            standing[update.order_id] = Shouted(int(update.side), update.price, update.time)
        elif update.action is OrderAction.EXECUTED:
            self._note_trade(update)
        elif update.action is OrderAction.REMOVED:
            self._end(update.order_id, update.time)

    def _note_trade(self, update: OrderUpdate) -> None:
        known = self._shouts.get(update.order_id)
        if known is None:
            return
        known.traded = True
        self._trades.append(known.begin)
        if update.leaves == 0:
            self._end(update.order_id, update.time)

    def _end(self, order_id: int, time: int) -> None:
        known = self._shouts.pop(order_id, None)
        if known is not None:
            known.end = time
            self._past.append(known)

    def on_trade(self, trade: TradePrint) -> None:
        """The aggressor's order was accepted at once."""
        self._past.append(Shouted(int(trade.side), trade.price, trade.time, trade.time, traded=True))

    def remembered(self) -> list[Shouted]:
        """The orders since the oldest that took part in the last trades."""
        first = min(self._trades, default=0)
        self._past = [shout for shout in self._past if shout.begin >= first]
        return self._past + [shout for shout in self._shouts.values() if shout.begin >= first]

    # --- what it does ---

    def _pause(self) -> int:
        return 1 + int(self.random("when").exponential(SECOND / float(self.rate)))

    def _wake(self) -> None:
        if self.period is not None and self.random("renew").uniform() < SECOND / float(self.rate) / float(self.period):
            self._draw_values()
        self._wanting = True
        self.cancel_all()
        self._shout_when_free()
        self.after(self._pause(), self._wake)

    def on_canceled(self, order: Order, report: Report) -> None:
        """The old order is back."""
        self._shout_when_free()

    def on_fill(self, order: Order, report: Report) -> None:
        """The old order traded instead."""
        self._shout_when_free()

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """The cancel came too late."""
        self._shout_when_free()

    def _shout_when_free(self) -> None:
        """Only without an order in the market is it certain which unit the next one is for."""
        if self._wanting and not self.orders():
            self._wanting = False
            side = _BUY if self.random("side").bernoulli(0.5) else _SELL
            self._shout(side)

    def _draw_values(self) -> None:
        random = self.random("value")
        self._private = sorted((random.normal(0.0, self._deviation) for _ in range(2 * self.units)), reverse=True)

    def estimate(self) -> float:
        """What it takes the value to be, ticks."""
        reference = float(self.instrument.reference)
        seen = reference if self._feed is None else self._feed.value(self.now)
        seen += self.random("noise").normal(0.0, self.noise / self.instrument.tick) if self.noise else 0.0
        if self.close is None:
            return seen
        mean = reference if self.believed_mean is None else self.believed_mean / self.instrument.tick
        left = max(int(self.close) - self.now, 0) / SECOND
        return mean + (seen - mean) * math.exp(-float(self.believed_kappa) * left)

    def _shout(self, side: Side) -> None:
        position, lots = self.position(), self.quantity
        # Units held, a begun one counted as not yet bought or not yet sold; unit 0 is the one in the middle.
        held = position // lots if side is _BUY else -(-position // lots) - 1
        place = held + self.units
        if not 0 <= place < 2 * self.units:
            return
        price = self.choose(side, self.estimate() + self._private[place])
        if price is not None and price > 0:
            done = position - held * lots if side is _BUY else (held + 1) * lots - position
            self.order(side, self.instrument, lots - done, limit=price)

    def choose(self, side: Side, worth: float) -> int | None:
        """The price with the highest expected gain for a unit of that worth (ticks); None where none is above zero."""
        sign = int(side)
        limit = math.floor(worth) if sign > 0 else math.ceil(worth)
        if len(self._trades) < self.memory:
            asked = worth - sign * self.random("price").uniform(0.0, self._margin)
            return math.floor(asked) if sign > 0 else math.ceil(asked)
        opposite = self._ask if sign > 0 else self._bid
        if opposite and sign * (opposite - limit) < 0:
            limit = opposite  # no need to go beyond what is certain
        shouts = self.remembered()
        knots = np.unique(np.array([shout.price for shout in shouts], np.float64))
        candidates = _candidates(knots, sign, limit)
        known = beliefs(knots, sign, shouts, self.now, int(self.grace))
        accepted = smooth(candidates, knots, known)
        if opposite:
            accepted = np.where(candidates == opposite, 1.0, accepted)
        gains = sign * (worth - candidates) * accepted
        best = int(np.argmax(gains))
        return int(candidates[best]) if gains[best] > 0.0 else None


def _candidates(knots: Floats, sign: int, limit: int) -> Floats:
    """Prices from the worst that is remembered, for the other side, up to the limit; at most about 2,000."""
    far = int(knots[0] if sign > 0 else knots[-1])
    if sign * (limit - far) < 0:
        far = limit
    count = min(abs(limit - far), 2_000) + 1
    return np.unique(np.round(np.linspace(far, limit, count)))
