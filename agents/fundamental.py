"""Fundamental traders: they observe a fundamental value with noise, form a belief, and trade the price towards it.

On waking they cancel their orders and ask for the best quotes; on the answer they observe the value, which their feed
tells, weigh the observation against what they believed, and buy below and sell above it. They know no other agent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.checks import to_number, to_rate, to_share, to_waking, to_whole
from marketsim.agents.order_size import QUANTITY, SIGMA, SIZE_FIELDS, SIZES, Sizes, check_size, fill_size, order_size
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND, time_of_day
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import below, exponential, normal, purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, ask_quote, cancel_all, limit_order, wake_at

_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_WHEN, _WHAT, _SIDE, _PRICE, _NOISE = (purpose_of(name) for name in ("when", "what", "side", "price", "noise"))

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between wake-ups
        ("noise", np.float64),  # standard deviation of an observation, ticks
        ("belief", np.float64),  # ticks
        ("variance", np.float64),  # of the belief, ticks²
        ("believed_at", np.int64),  # ns
        ("long_run", np.float64),  # ticks, to which the value is believed to return
        ("kappa", np.float64),  # per ns
        ("drift_variance", np.float64),  # believed of the value, ticks² per ns; infinite: only the observation counts
        ("close", np.int64),  # ns, the time to which the belief is projected; 0 for none
        ("threshold", np.float64),  # ticks
        ("take_share", np.float64),
        ("depth", np.float64),  # spreads
        ("cancels", np.int64),
        ("max_position", np.int64),  # lots; 0 for any
        ("reference", np.float64),  # ticks
        ("draw", np.int64),  # of wake-ups
        ("answer", np.int64),  # of quotes
        *SIZE_FIELDS,
    ]
)


@compiled
def fundamental_policy(me: Record, seen: Record, out: Record) -> int:
    """Wake, ask, observe, trade."""
    if seen.kind == _QUOTE:
        me.answer += 1
        _observe(me, seen)
        _trade(me, seen, out)
    elif seen.kind == _START or seen.kind == _WAKE:
        if seen.kind == _START:
            me.believed_at = seen.now
        else:
            if me.cancels != 0:
                cancel_all(out)
            ask_quote(out)
        me.draw += 1
        wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))
    return 0


@compiled
def _observe(me: Record, seen: Record) -> None:
    """Weigh a noisy observation against the belief that time has moved on (Kalman 1960)."""
    gap = seen.now - me.believed_at
    decay = math.exp(-me.kappa * gap)
    forecast = me.long_run + (me.belief - me.long_run) * decay
    spread = gap * me.drift_variance if gap > 0 else 0.0
    if me.kappa * gap > 1e-12 and spread < math.inf:
        spread = me.drift_variance * (1.0 - decay * decay) / (2.0 * me.kappa)
    prior = decay * decay * me.variance + spread
    value = me.reference if math.isnan(seen.value) else seen.value
    observation = value + me.noise * normal(seen.key, _NOISE, me.answer)
    weight = 1.0
    if prior < math.inf and prior + me.noise * me.noise > 0.0:
        weight = prior / (prior + me.noise * me.noise)
    me.belief = forecast + weight * (observation - forecast)
    me.variance = weight * me.noise * me.noise
    me.believed_at = seen.now


@compiled
def _projected(me: Record, now: int) -> float:
    """What the value is believed to be at the close."""
    if me.close <= now:
        return me.belief
    return me.long_run + (me.belief - me.long_run) * math.exp(-me.kappa * (me.close - now))


@compiled
def _trade(me: Record, seen: Record, out: Record) -> None:
    value = _projected(me, seen.now)
    if seen.bid_quantity > 0 and seen.ask_quantity > 0 and seen.bid < seen.ask:
        edge = value - 0.5 * (seen.bid + seen.ask)
        side = 1 if edge >= 0.0 else -1
        if abs(edge) < me.threshold:
            return
        away = 0
        if uniform(seen.key, _WHAT, me.answer) >= me.take_share:
            away = below(seen.key, _PRICE, me.answer, max(1, int(me.depth * (seen.ask - seen.bid))))
        price = seen.ask - away if side > 0 else seen.bid + away
    else:
        side = 1 if uniform(seen.key, _SIDE, me.answer) < 0.5 else -1
        price = math.floor(value + 0.5)
    quantity = order_size(me, seen.key, me.answer)
    if me.max_position > 0:
        quantity = min(quantity, me.max_position - side * seen.position)
    if quantity > 0 and price > 0:
        limit_order(out, side, price, quantity)


@dataclass
class Fundamental(CompiledAgent):
    """Buys below and sells above a fundamental value, which it observes with noise.

    An observation is o = v + ε with ε normal of deviation s = ``noise``. Since the last one, Δ ago, the belief b of
    variance P has moved to b' = m + (b − m)·e^(−κΔ), P' = P·e^(−2κΔ) + g²·(1 − e^(−2κΔ))/(2κ), with m the
    ``believed_mean``, κ the ``believed_kappa`` and g the ``believed_volatility``; then b = b' + K·(o − b') and P = K·s²
    with K = P'/(P' + s²).
    Without ``believed_volatility`` only the last observation counts (K = 1). With ``close`` the belief is projected to
    that time.

    With quotes on both sides it buys when the belief is above the mid, sells when below, and does nothing within
    ``threshold``. Its limit price is the opposite best with probability ``take_share``, else one of the ticks from
    0 up to, but not including, ``depth`` spreads away from it, towards its own side, with equal odds. Without
    quotes, or where they cross (in an auction), it buys or sells at its belief, with equal odds. Without a feed the
    value is the reference price.
    (Wellman and Wah 2017; the value agents of Byrd, Hybinette and Balch 2020.)
    """

    rate: float | str = field(default=0.1, metadata={"unit": "rate", "help": "wake-ups a second"})
    noise: float | None = field(
        default=None, metadata={"help": "deviation of an observation, currency; 0.0005 of the reference when left out"}
    )
    threshold: float | None = field(
        default=None, metadata={"help": "mispricing that it leaves alone, currency; one tick when left out"}
    )
    quantity: float = field(default=20.0, metadata=QUANTITY)
    sizes: Sizes = field(default="geometric", metadata=SIZES)
    sigma: float = field(default=1.0, metadata=SIGMA)
    take_share: float = field(default=0.1, metadata={"help": "share of orders at the opposite best price"})
    depth: float = field(default=2.0, metadata={"help": "spreads over which the other orders lie"})
    believed_mean: float | None = field(
        default=None, metadata={"unit": "price", "help": "long-run mean it believes in; the reference when left out"}
    )
    believed_kappa: float | str = field(
        default=0.0, metadata={"unit": "rate", "help": "mean reversion it believes in, per second"}
    )
    believed_volatility: float | None = field(
        default=None, metadata={"help": "volatility it believes in, currency per √second; infinite when left out"}
    )
    close: int | str | None = field(
        default=None, metadata={"unit": "time_of_day", "help": "time to which the belief is projected, such as 16:00"}
    )
    cancels: bool = field(default=True, metadata={"help": "cancel own orders on waking"})
    max_position: int | None = field(default=None, metadata={"help": "most lots held long or short; any when left out"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(fundamental_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        check_size(self)
        to_number(self, "noise", "threshold", "depth", "believed_mean", "believed_volatility", low=0.0)
        to_share(self, "take_share")
        to_rate(self, "believed_kappa")
        to_whole(self, "max_position", low=1, high=1 << 60)
        if self.close is not None:
            self.close = time_of_day(self.close)
            if self.close <= 0:
                raise InvalidValueError(f"close: {self.close} ns must be above zero")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        tick, reference = instrument.tick, float(instrument.reference)
        rows["pause"] = SECOND / float(self.rate)
        rows["noise"] = 0.0005 * reference if self.noise is None else self.noise / tick
        rows["belief"] = rows["long_run"] = reference if self.believed_mean is None else self.believed_mean / tick
        rows["kappa"] = float(self.believed_kappa) / SECOND
        volatility = math.inf if self.believed_volatility is None else self.believed_volatility / tick
        rows["drift_variance"] = volatility * volatility / SECOND
        rows["close"] = self.close or 0
        rows["threshold"] = 1.0 if self.threshold is None else self.threshold / tick
        rows["take_share"], rows["depth"], rows["cancels"] = self.take_share, self.depth, self.cancels
        rows["max_position"], rows["reference"] = self.max_position or 0, reference
        fill_size(rows, self)
