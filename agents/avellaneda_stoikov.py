"""The market maker of Avellaneda and Stoikov: quotes that are optimal for constant risk aversion.

M. Avellaneda and S. Stoikov, "High-frequency trading in a limit order book", Quantitative Finance 8(3), 2008, 217–224:
the mid moves as a Brownian motion, a quote at distance δ from it is hit with intensity A·e^(−kδ), and the maker's
utility is −e^(−γ·wealth) at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from marketsim.agents.checks import check_choice, to_duration
from marketsim.agents.maker import Maker
from marketsim.agents.quoting import Desk, Targets
from marketsim.agents.utility_quoting import UtilityQuoting, outwards
from marketsim.domain.units import SECOND


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


@dataclass
class AvellanedaStoikov(UtilityQuoting, Maker):
    """Quotes at r ± (δᵃ + δᵇ)/2 with r = s − q·γσ²(T−t) and δᵃ + δᵇ = γσ²(T−t) + (2/γ)·ln(1 + γ/k).

    s is the mid of what others show, or the value of ``value_feed``; q the position beyond ``inventory_target`` in
    units of ``quantity``, so that the quotes do not depend on what a lot is; 0 without ``skew_adjustment``. γ, σ, k are
    in currency and seconds. Without ``sigma`` the realized volatility is used, without ``k`` the inverse of the mean
    distance at which trades happen from the fair value, both measured over ``memory``.

    The horizon is either rolling, then T − t is always ``horizon``, or finite: then it runs from the start of the run
    to ``horizon`` after it, and the quotes are withdrawn at the end.

    ``volatility_factor`` and ``adverse_selection_protection`` add to it what they add to a ``market_maker``; the paper
    has neither.
    """

    horizon: int | str = field(default="1min", metadata={"unit": "duration", "help": "T, or T − t when rolling"})
    horizon_type: Literal["rolling", "finite"] = field(
        default="rolling", metadata={"help": "rolling: T − t stays; finite: it runs out"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        to_duration(self, "horizon")
        check_choice(self, "horizon_type", ("rolling", "finite"))

    def on_start(self) -> None:
        """The horizon begins."""
        super().on_start()
        if self.horizon_type == "finite":
            self.at(self.now + int(self.horizon), self.requote)

    def left(self) -> float:
        """T − t in seconds."""
        return int(self.horizon) / SECOND if self.horizon_type == "rolling" else self.until(int(self.horizon))

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
        instrument = desk.instrument
        inventory = self.excess(instrument) / self.quantity
        bid, ask = self.quotes(desk.fair * instrument.tick, inventory, self.volatility(desk), self.decay(desk), left)
        half = 0.5 * self.widening(desk) * instrument.tick
        low, high = outwards(instrument, bid - half, ask + half)
        return self.guarded(desk, Targets(low, self.quantity, high, self.quantity), high - low)
