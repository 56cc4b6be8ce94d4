"""A market maker that takes part in the market as much as the market is alive: it quotes a share of what was traded or
of what others show, and steps back when prices move more than they used to or when flow has become one-sided.

The size as a share of the recent volume, larger on the side that brings the inventory back, is that of the adaptive
market makers of the field's simulators (whose ladders are ``ladder_maker``); the imbalance of traded volume as a sign
of informed flow is that of D. Easley, M. López de Prado and M. O'Hara, "Flow toxicity and liquidity in a high-frequency
world", Review of Financial Studies 25(5), 2012, 1457–1493, over a window of time. It never takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from marketsim.agents.checks import check_choice, to_duration, to_number, to_share, to_whole
from marketsim.agents.estimators import RealizedVolatility, TradedVolume
from marketsim.agents.market_maker import MarketMaker
from marketsim.agents.quoting import Desk, Targets
from marketsim.domain.market_data import Quote, TradePrint
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError

_STEP = SECOND // 10  # of the volatilities


class _Activity:
    """What is going on in one instrument."""

    def __init__(self, window: int, fast: int, slow: int) -> None:
        self.volume = TradedVolume(window)
        self.window = window
        self.fast = RealizedVolatility(_STEP, fast)
        self.slow = RealizedVolatility(_STEP, slow)
        self.depth = self.spread = 0.0  # averages of what others show: lots of a side, ticks
        self._time = -1

    def showed(self, now: int, depth: float, spread: float) -> None:
        """Others show so much, averaged over the window."""
        kept = 0.0 if self._time < 0 else math.exp(-(now - self._time) / self.window)
        self.depth += (1.0 - kept) * (depth - self.depth)
        self.spread += (1.0 - kept) * (spread - self.spread)
        self._time = now


@dataclass
class AdaptiveParticipation(MarketMaker):
    """Quotes with a size, a spread and a presence that follow the market's activity.

    Size: a = ``participation``·V, held between ``smallest`` and ``quantity``. With ``measure`` volume, V is the lots
    traded in the last ``window``; with depth, the lots that others show at their best prices (mean of both sides,
    averaged over ``window``). With x = (position − ``inventory_target``)/``max_position`` the bid has a·(1 − βx) lots
    and the ask a·(1 + βx), β = ``size_skew``.

    Spread: s = max(``target_spread``, ``spread_share``·S)·(1 + ``toxicity_widening``·τ) + ``volatility_factor``·σ·√h,
    S the spread that others show, averaged over ``window``, and τ = |B − S'|/(B + S') the imbalance of the lots that
    aggressors bought and sold in it. Fair value, skew of the prices, σ and the guard are those of ``market_maker``.

    Presence: it withdraws while τ is above ``toxicity_limit`` with at least ``toxicity_volume`` lots traded in the
    window, and while the volatility over ``volatility_memory`` is more than ``volatility_limit`` times that over
    ``calm_memory``; it looks again at least ten times a window.
    """

    measure: Literal["volume", "depth"] = field(
        default="volume", metadata={"help": "what its size is a share of: lots traded in the window, or lots displayed"}
    )
    participation: float = field(default=0.1, metadata={"help": "share of that in each quote"})
    window: int | str = field(
        default="30s", metadata={"unit": "duration", "help": "time over which activity is measured"}
    )
    smallest: int = field(default=1, metadata={"help": "least lots of a quote; quantity is the most"})
    size_skew: float = field(
        default=1.0, metadata={"help": "share of the size by which inventory at the limit changes both quotes"}
    )
    spread_share: float = field(default=1.0, metadata={"help": "least spread as a share of the one that others show"})
    toxicity_widening: float = field(default=1.0, metadata={"help": "spreads that wholly one-sided volume adds"})
    toxicity_limit: float = field(default=0.9, metadata={"help": "imbalance of volume beyond which it withdraws"})
    toxicity_volume: int = field(default=100, metadata={"help": "least lots in the window that tell of toxicity"})
    volatility_limit: float = field(
        default=3.0, metadata={"help": "times its long-run value at which volatility makes it withdraw"}
    )
    calm_memory: int | str = field(
        default="10min", metadata={"unit": "duration", "help": "time over which the long-run volatility is measured"}
    )
    volatility_memory: int | str = field(
        default="15s", metadata={"unit": "duration", "help": "time over which volatility is measured"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "measure", ("volume", "depth"))
        to_number(self, "participation", low=0.0, open_low=True)
        to_duration(self, "window", "calm_memory")
        to_whole(self, "smallest", "toxicity_volume", low=1)
        to_share(self, "size_skew", "toxicity_limit")
        to_number(self, "spread_share", "toxicity_widening", low=0.0)
        to_number(self, "volatility_limit", low=1.0, open_low=True)
        if self.smallest > self.quantity:
            raise InvalidValueError(
                f"smallest: {self.smallest} lots are more than quantity {self.quantity}, the most; lower it"
            )
        if int(self.calm_memory) <= int(self.volatility_memory):
            raise InvalidValueError(
                "calm_memory: it must be longer than volatility_memory, of which it is the measure; raise it"
            )

    def on_start(self) -> None:
        """Begin to watch, and look again now and then."""
        super().on_start()
        self._activities = {symbol: self._new_activity() for symbol in self.desks}
        self.every(max(int(self.refresh), int(self.window) // 10), self.requote)

    def on_parameters(self) -> None:
        """Activity is measured anew."""
        self._activities = {symbol: self._new_activity() for symbol in self.desks}
        super().on_parameters()

    def _new_activity(self) -> _Activity:
        return _Activity(int(self.window), int(self.volatility_memory), int(self.calm_memory))

    # --- what it learns ---

    def on_quote(self, quote: Quote) -> None:
        """What others show tells their depth and spread."""
        desk = self.desks[quote.instrument.symbol]
        bid_lots = quote.bid_quantity - desk.bid.at(quote.bid)
        ask_lots = quote.ask_quantity - desk.ask.at(quote.ask)
        if quote.venue == desk.venue and bid_lots > 0 and ask_lots > 0:
            activity = self._activities[quote.instrument.symbol]
            activity.showed(self.now, 0.5 * (bid_lots + ask_lots), quote.ask - quote.bid)
        super().on_quote(quote)

    def on_trade(self, trade: TradePrint) -> None:
        """Volume counts, whoever traded."""
        symbol = trade.instrument.symbol
        if trade.venue == self.desks[symbol].venue:
            self._activities[symbol].volume.traded(self.now, trade.side, trade.quantity)

    def learn(self, desk: Desk) -> None:
        """The fair value moves both volatilities."""
        super().learn(desk)
        activity = self._activities[desk.instrument.symbol]
        activity.fast.update(self.now, desk.fair)
        activity.slow.update(self.now, desk.fair)

    # --- what it makes of that ---

    def toxicity(self, desk: Desk) -> float:
        """τ, from 0 to 1; 0 while too little has been traded."""
        volume = self._activities[desk.instrument.symbol].volume
        return abs(volume.imbalance(self.now)) if volume.total(self.now) >= self.toxicity_volume else 0.0

    def withdrawn(self, desk: Desk) -> bool:
        """Whether it stays away now."""
        activity = self._activities[desk.instrument.symbol]
        stormy = activity.fast.value > self.volatility_limit * activity.slow.value
        return stormy or self.toxicity(desk) > self.toxicity_limit

    def size(self, desk: Desk) -> float:
        """a, lots."""
        activity = self._activities[desk.instrument.symbol]
        alive = activity.volume.total(self.now) if self.measure == "volume" else activity.depth
        return min(max(self.participation * alive, self.smallest), self.quantity)

    def spread(self, desk: Desk) -> float:
        """s, ticks."""
        shown = self._activities[desk.instrument.symbol].spread
        calm = max(self.target_spread / desk.instrument.tick, self.spread_share * shown)
        return calm * (1.0 + self.toxicity_widening * self.toxicity(desk)) + self.widening(desk)

    def targets(self, desk: Desk) -> Targets:
        """The market maker's prices with sizes of its own; nothing while it stays away."""
        if self.withdrawn(desk):
            return Targets(0, 0, 0, 0)
        bid, bid_quantity, ask, ask_quantity = super().targets(desk)
        lean = self.size_skew * self.excess(desk.instrument) / self.max_position
        size = self.size(desk)
        buy, sell = (max(self.smallest, round(size * part)) for part in (1.0 - lean, 1.0 + lean))
        return Targets(bid, min(bid_quantity, buy), ask, min(ask_quantity, sell))
