"""What traders share who quote for constant risk aversion, in a market whose mid is a Brownian motion and in which a
quote at distance δ from it is hit with intensity A·e^(−kδ): their γ, and σ, k and A, given or measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor

from marketsim.agents.checks import to_duration, to_number, to_waking
from marketsim.agents.estimators import Reach, RealizedVolatility
from marketsim.agents.quoting import Desk, QuotingAgent
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import TradePrint
from marketsim.domain.units import SECOND

FAR = 1 << 52  # ticks, more than any price has
CALM = 1.0  # ticks per √second and mean reach in ticks that are believed before anything is measured


@dataclass
class UtilityQuoting(QuotingAgent):
    """Base of those who maximize the expectation of −e^(−γ·wealth).

    γ, σ, k are in currency and seconds. Without ``sigma`` the realized volatility is used, without ``k`` the inverse of
    the mean distance at which trades happen from the fair value, both measured over ``memory``.
    """

    gamma: float = field(default=0.1, metadata={"help": "risk aversion γ, per currency; 0 for none"})
    sigma: float | None = field(
        default=None, metadata={"help": "volatility σ, currency per √second; measured when left out"}
    )
    k: float | None = field(
        default=None, metadata={"help": "decay of the fill intensity with distance, per currency; measured if left out"}
    )
    memory: int | str = field(
        default="5min", metadata={"unit": "duration", "help": "time over which σ and k are measured"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        to_number(self, "gamma", "sigma", low=0.0)
        to_number(self, "k", low=0.0, open_low=True)
        to_duration(self, "memory")

    def on_start(self) -> None:
        """Begin to measure."""
        super().on_start()
        self._began = self.now
        self._volatility = {s: RealizedVolatility(memory=int(self.memory), start=CALM) for s in self.desks}
        self._reach = {symbol: Reach(int(self.memory), CALM) for symbol in self.desks}

    def on_trade(self, trade: TradePrint) -> None:
        """How far trades reach from the fair value tells k, how many there are tells A."""
        desk = self.desks[trade.instrument.symbol]
        if trade.venue == desk.venue:
            self._reach[trade.instrument.symbol].traded(self.now, abs(trade.price - desk.fair))

    def learn(self, desk: Desk) -> None:
        """The mid moves the volatility."""
        super().learn(desk)
        if self.sigma is None:
            self._volatility[desk.instrument.symbol].update(self.now, desk.fair)

    def volatility(self, desk: Desk) -> float:
        """σ in currency per √second."""
        if self.sigma is not None:
            return self.sigma
        return self._volatility[desk.instrument.symbol].value * desk.instrument.tick

    def decay(self, desk: Desk) -> float:
        """k per currency."""
        return self.k if self.k is not None else self._reach[desk.instrument.symbol].decay / desk.instrument.tick

    def until(self, horizon: int) -> float:
        """Seconds that are left of a horizon in ns that began with the run; 0 when it is over."""
        return max(0, self._began + horizon - self.now) / SECOND


@dataclass
class IntensityQuoting(UtilityQuoting):
    """Base of those whose solution needs A as well.

    Without ``rate`` it is half of the trades a second, over ``memory``. Solutions take time: ``beliefs`` rounds what is
    measured, so that they are needed seldom.
    """

    rate: float | str | None = field(
        default=None,
        metadata={"unit": "rate", "help": "A: fills a second of a quote at the mid; measured when left out"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate is not None:
            to_waking(self, "rate")

    def arrivals(self, desk: Desk) -> float:
        """A per second."""
        return float(self.rate) if self.rate is not None else self._reach[desk.instrument.symbol].rate(self.now)

    def beliefs(self, desk: Desk) -> tuple[float, float, float]:
        """σ, k and A; those that are measured to two digits."""
        known = self.volatility(desk), self.decay(desk), self.arrivals(desk)
        given = self.sigma, self.k, self.rate
        sigma, k, rate = (
            value if told is not None else float(f"{value:.1e}") for value, told in zip(known, given, strict=True)
        )
        return sigma, k, rate


def down(instrument: Instrument, price: float) -> int:
    """A bid in currency as ticks, rounded down; far below everything where it is beyond all numbers."""
    ticks = price / instrument.tick + 1e-9
    return floor(ticks) if abs(ticks) < FAR else -FAR


def up(instrument: Instrument, price: float) -> int:
    """An ask in currency as ticks, rounded up; far above everything where it is beyond all numbers."""
    ticks = price / instrument.tick - 1e-9
    return ceil(ticks) if abs(ticks) < FAR else FAR


def outwards(instrument: Instrument, bid: float, ask: float) -> tuple[int, int]:
    """Bid and ask in currency as ticks, rounded away from each other and at least a tick apart."""
    low = down(instrument, bid)
    return low, max(up(instrument, ask), low + 1)
