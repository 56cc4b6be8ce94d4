"""The market maker of Avellaneda and Stoikov: quotes that are optimal for constant risk aversion.

M. Avellaneda and S. Stoikov, "High-frequency trading in a limit order book", Quantitative Finance 8(3), 2008, 217–224:
the mid moves as a Brownian motion, a quote at distance δ from it is hit with intensity A·e^(−kδ), and the maker's
utility is −e^(−γ·wealth) at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from marketsim.agents.checks import check_choice, to_duration, to_number
from marketsim.agents.estimators import RealizedVolatility
from marketsim.agents.quoting import Desk, QuotingAgent, Targets
from marketsim.domain.market_data import TradePrint
from marketsim.domain.units import SECOND

_CALM = 1.0  # ticks per √second and mean reach in ticks that are believed before anything is measured


def reservation_price(mid: float, inventory: float, gamma: float, sigma: float, left: float) -> float:
    """r = s − q·γ·σ²·(T − t): the price at which a holder of q is as well off with one more as without.

    mid, result: price. inventory: quotes. gamma: 1/price. sigma: price/√time. left: T − t, time.
    """
    return mid - inventory * gamma * sigma * sigma * left


def total_spread(gamma: float, sigma: float, k: float, left: float) -> float:
    """δᵃ + δᵇ = γ·σ²·(T − t) + (2/γ)·ln(1 + γ/k), centred on the reservation price; units as there, k in 1/price.

    As γ goes to 0 the second term goes to 2/k.
    """
    base = 2.0 / k if gamma == 0.0 else 2.0 / gamma * math.log1p(gamma / k)
    return gamma * sigma * sigma * left + base


class _Measured:
    """Volatility and reach of the trades of one instrument."""

    def __init__(self, memory: int) -> None:
        self.volatility = RealizedVolatility(memory=memory, start=_CALM)
        self._memory = memory
        self._reach = self._weight = 0.0
        self._time = 0

    def traded(self, now: int, distance: float) -> None:
        """A trade reached ``distance`` ticks from the fair value."""
        kept = math.exp(-(now - self._time) / self._memory)
        self._reach = kept * self._reach + distance
        self._weight = kept * self._weight + 1.0
        self._time = now

    @property
    def decay(self) -> float:
        """k in 1/ticks: reaches are exponential with mean 1/k, so the estimate of most likelihood is 1/mean."""
        return (self._weight + 1.0) / (self._reach + _CALM)


@dataclass
class AvellanedaStoikov(QuotingAgent):
    """Quotes at r ± (δᵃ + δᵇ)/2 with r = s − q·γσ²(T−t) and δᵃ + δᵇ = γσ²(T−t) + (2/γ)·ln(1 + γ/k).

    s is the mid of what others show, q the position in units of ``quantity``, so that the quotes do not depend on what
    a lot is. γ, σ, k are in currency and seconds. Without ``sigma`` the realized volatility is used, without ``k`` the
    inverse of the mean distance at which trades happen from the fair value, both measured over ``memory``.

    The horizon is either rolling, then T − t is always ``horizon``, or finite: then it runs from the start of the run
    to ``horizon`` after it, and the quotes are withdrawn at the end.
    """

    gamma: float = field(default=0.1, metadata={"help": "risk aversion γ, per currency; 0 for none"})
    sigma: float | None = field(
        default=None, metadata={"help": "volatility σ, currency per √second; measured when left out"}
    )
    k: float | None = field(
        default=None, metadata={"help": "decay of the fill intensity with distance, per currency; measured if left out"}
    )
    horizon: int | str = field(default="1min", metadata={"unit": "duration", "help": "T, or T − t when rolling"})
    horizon_type: Literal["rolling", "finite"] = field(
        default="rolling", metadata={"help": "rolling: T − t stays; finite: it runs out"}
    )
    memory: int | str = field(
        default="5min", metadata={"unit": "duration", "help": "time over which σ and k are measured"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        to_number(self, "gamma", "sigma", low=0.0)
        to_number(self, "k", low=0.0, open_low=True)
        to_duration(self, "horizon", "memory")
        check_choice(self, "horizon_type", ("rolling", "finite"))

    def on_start(self) -> None:
        """The horizon begins."""
        super().on_start()
        self._began = self.now
        self._measured = {symbol: _Measured(int(self.memory)) for symbol in self.desks}
        if self.horizon_type == "finite":
            self.at(self._began + int(self.horizon), self._withdraw)

    def on_trade(self, trade: TradePrint) -> None:
        """How far trades reach from the fair value tells k."""
        desk = self.desks[trade.instrument.symbol]
        if trade.venue == desk.venue and self.k is None:
            self._measured[trade.instrument.symbol].traded(self.now, abs(trade.price - desk.fair))

    def learn(self, desk: Desk) -> None:
        """The mid moves the volatility."""
        if self.sigma is None:
            self._measured[desk.instrument.symbol].volatility.update(self.now, desk.fair)

    def left(self) -> float:
        """T − t in seconds."""
        if self.horizon_type == "rolling":
            return int(self.horizon) / SECOND
        return max(0, self._began + int(self.horizon) - self.now) / SECOND

    def volatility(self, desk: Desk) -> float:
        """σ in currency per √second."""
        if self.sigma is not None:
            return self.sigma
        return self._measured[desk.instrument.symbol].volatility.value * desk.instrument.tick

    def decay(self, desk: Desk) -> float:
        """k per currency."""
        return self.k if self.k is not None else self._measured[desk.instrument.symbol].decay / desk.instrument.tick

    def quotes(self, mid: float, inventory: float, sigma: float, k: float, left: float) -> tuple[float, float]:
        """Bid and ask in currency, before they are rounded to ticks; ``inventory`` in quotes."""
        centre = reservation_price(mid, inventory, self.gamma, sigma, left)
        half = 0.5 * total_spread(self.gamma, sigma, k, left)
        return centre - half, centre + half

    def targets(self, desk: Desk) -> Targets:
        """The optimal quotes, rounded away from each other."""
        left = self.left()
        if left <= 0.0:
            return Targets(0, 0, 0, 0)
        tick = desk.instrument.tick
        inventory = self.position(desk.instrument) / self.quantity
        bid, ask = self.quotes(desk.fair * tick, inventory, self.volatility(desk), self.decay(desk), left)
        low = math.floor(bid / tick + 1e-9)
        high = max(math.ceil(ask / tick - 1e-9), low + 1)
        return Targets(low, self.quantity, high, self.quantity)

    def _withdraw(self) -> None:
        for desk in self.desks.values():
            self._when_due(desk)
