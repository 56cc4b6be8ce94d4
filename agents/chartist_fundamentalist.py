"""Chartist–fundamentalist–noise traders: expectations mixed of value, trend and chance, orders sized by risk aversion.

C. Chiarella, G. Iori and J. Perelló, "The impact of heterogeneous trading rules on the limit order book and order
flows", Journal of Economic Dynamics and Control 33, 2009, 525–537. They know trades, the value that their feed tells,
and what they own. Each has one order at most in the market; so they never borrow, and never sell what they do not have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.checks import to_duration, to_number, to_waking, to_whole
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, normal, purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import (
    TRADES,
    Policy,
    cancel,
    cancel_all,
    find_working,
    limit_order,
    subscribe,
    timer_at,
    wake_at,
)

STEPS = 1024  # of prices that are remembered
_START, _WAKE, _TIMER, _TRADE_PRINT = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER), int(Kind.TRADE_PRINT)
_TRADE = int(Kind.REPORT + EventKind.TRADE)
_CANCELED = int(Kind.REPORT + EventKind.CANCELED)
_CANCEL_REJECTED = int(Kind.REPORT + EventKind.CANCEL_REJECTED)
_WHEN, _NOISE, _PRICE = (purpose_of(name) for name in ("when", "noise", "price"))
_VALUE_WEIGHT, _TREND_WEIGHT, _NOISE_WEIGHT, _STOCK = (
    purpose_of(name) for name in ("value weight", "trend weight", "noise weight", "stock")
)

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between wake-ups
        ("scales", np.float64, (3,)),  # means of the weights
        ("value_weight", np.float64),  # g1
        ("trend_weight", np.float64),  # g2
        ("noise_weight", np.float64),  # n
        ("step", np.int64),  # ns
        ("horizon", np.float64),  # steps, of somebody who weighs value and trend alike
        ("own_horizon", np.int64),
        ("reversion", np.float64),  # steps
        ("noise", np.float64),  # deviation of a return per step
        ("aversion", np.float64),  # per tick and lot
        ("own_aversion", np.float64),
        ("life", np.int64),  # ns
        ("stock", np.float64),  # lots, mean
        ("own_stock", np.int64),  # lots it begins with
        ("reference", np.float64),  # ticks
        ("prices", np.float64, (STEPS,)),  # logarithms, at the end of each step, a ring
        ("last", np.float64),  # logarithm of the last price
        ("steps", np.int64),  # that have ended
        ("begun", np.int64),  # ns
        ("wanting", np.int64),  # whether to order once the last order is back
        ("draw", np.int64),
    ]
)


@compiled
def chartist_fundamentalist_policy(me: Record, seen: Record, out: Record) -> int:
    """Follow prices; on waking expect a price and send an order that fits to it."""
    if seen.kind == _TRADE_PRINT:
        _catch_up(me, seen.now)
        me.last = math.log(seen.price)
    elif seen.kind == _WAKE:
        _schedule(me, seen, out)
        me.wanting = 1
        cancel_all(out)
        _order_when_free(me, seen, out)
    elif seen.kind == _TRADE or seen.kind == _CANCELED or seen.kind == _CANCEL_REJECTED:
        _order_when_free(me, seen, out)
    elif seen.kind == _TIMER:
        if find_working(out, seen.tag).order_id == seen.tag:
            cancel(out, seen.tag)
    elif seen.kind == _START:
        _begin(me, seen)
        subscribe(out, TRADES)
        _schedule(me, seen, out)
    return 0


@compiled
def _order_when_free(me: Record, seen: Record, out: Record) -> None:
    """Only without an order in the market is it certain what is held."""
    if me.wanting != 0 and out.first_working == 0:
        me.wanting = 0
        _catch_up(me, seen.now)
        _order(me, seen, out)


@compiled
def _schedule(me: Record, seen: Record, out: Record) -> None:
    me.draw += 1
    wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))


@compiled
def _begin(me: Record, seen: Record) -> None:
    """Draw the character: exponential weights, and the horizon and risk aversion that go with them."""
    me.value_weight = me.scales[0] * exponential(seen.key, _VALUE_WEIGHT, 0)
    me.trend_weight = me.scales[1] * exponential(seen.key, _TREND_WEIGHT, 0)
    me.noise_weight = me.scales[2] * exponential(seen.key, _NOISE_WEIGHT, 0)
    patience = (1.0 + me.value_weight) / (1.0 + me.trend_weight)
    me.own_horizon = int(min(max(me.horizon * patience, 1.0), STEPS - 1.0))
    me.own_aversion = me.aversion * patience
    me.own_stock = int(2.0 * me.stock * uniform(seen.key, _STOCK, 0) + 0.5)
    me.last = math.log(me.reference)
    me.prices[0] = me.last
    me.steps = 1
    me.begun = seen.now


@compiled
def _catch_up(me: Record, now: int) -> None:
    """The last price holds at the end of every step that is over."""
    over = (now - me.begun) // me.step + 1
    if me.steps < over - STEPS:
        me.steps = over - STEPS
    while me.steps < over:
        me.prices[me.steps % STEPS] = me.last
        me.steps += 1


@compiled
def _trend(me: Record, back: int) -> float:
    """The mean return of the last so many steps."""
    latest = me.prices[(me.steps - 1) % STEPS]
    return (latest - me.prices[(me.steps - 1 - back) % STEPS]) / back


@compiled
def _variance(me: Record, back: int) -> float:
    """Of the returns of the last so many steps, around their mean; at least that of the noise."""
    mean = _trend(me, back)
    total = 0.0
    for step in range(back):
        newer = me.prices[(me.steps - 1 - step) % STEPS]
        gap = newer - me.prices[(me.steps - 2 - step) % STEPS] - mean
        total += gap * gap
    return max(total / back, me.noise * me.noise)


@compiled
def _expected(me: Record, seen: Record, back: int) -> float:
    """The logarithm of the price expected at the end of the horizon."""
    value = me.reference if math.isnan(seen.value) else seen.value
    pull = (math.log(max(value, 1.0)) - me.last) / me.reversion
    trend = _trend(me, back) if back > 0 else 0.0
    chance = me.noise * normal(seen.key, _NOISE, me.draw)
    weights = me.value_weight + me.trend_weight + me.noise_weight
    mixed = me.value_weight * pull + me.trend_weight * trend + me.noise_weight * chance
    return me.last + me.own_horizon * min(max(mixed / weights, -0.5 / me.own_horizon), 0.5 / me.own_horizon)


@compiled
def demand(me: Record, expected: float, variance: float, price: float) -> float:
    """Lots that it wants to hold at a price: ln(p'/p)/(αVp), of constant absolute risk aversion."""
    return (expected - math.log(price)) / (me.own_aversion * variance * price)


@compiled
def _solve(me: Record, expected: float, variance: float, held: float, cash: float) -> float:
    """The price at which what it wants beyond what it holds costs all of its cash (bisection)."""
    low = 0.0
    high = math.exp(expected)
    for _ in range(50):
        middle = 0.5 * (low + high)
        if middle <= 0.0 or middle * (demand(me, expected, variance, middle) - held) > cash:
            low = middle
        else:
            high = middle
    return high


@compiled
def _order(me: Record, seen: Record, out: Record) -> None:
    """A price between the lowest it can pay for and the expected one, each equally likely, and what it wants there."""
    back = min(me.own_horizon, me.steps - 1)
    expected = _expected(me, seen, back)
    variance = _variance(me, back) if back > 0 else me.noise * me.noise
    held = float(me.own_stock + seen.position)
    lowest = _solve(me, expected, variance, held, max(float(seen.cash), 0.0))
    price = lowest + (math.exp(expected) - lowest) * uniform(seen.key, _PRICE, me.draw)
    wanted = demand(me, expected, variance, max(price, 1.0)) - held
    side = 1 if wanted > 0.0 else -1
    quantity = int(min(abs(wanted), held if side < 0 else max(seen.cash / max(price, 1.0), 0.0), 1e15))
    ticks = math.floor(price) if side > 0 else math.ceil(price)
    if quantity > 0 and ticks > 0:
        order = limit_order(out, side, ticks, quantity)
        timer_at(out, seen.now + me.life, order)


@dataclass
class ChartistFundamentalist(CompiledAgent):
    """Expects a mixture of value, trend and chance, and orders what its risk aversion makes of it.

    Every ``step`` the last price p is remembered. Over its horizon the trader expects per step the log return r =
    (g1·ln(v/p)/τf + g2·r̄ + n·ε)/(g1 + g2 + n): v the value of its feed (the reference price without one), τf
    ``reversion``, r̄ the mean return of its horizon, ε normal with deviation ``noise``. The weights g1, g2 and n are
    drawn once for each trader, exponential with means ``fundamental``, ``chartist`` and ``random``; its horizon is τ =
    ``horizon``·(1 + g1)/(1 + g2), its risk aversion α = ``aversion``·(1 + g1)/(1 + g2). It expects the price p' =
    p·e^(rτ) (at most half as much again in logarithms) and wants to hold π(x) = ln(p'/x)/(αVx) at a price x, with V the
    variance of returns per step over its horizon, and at least ``noise``².

    On waking it draws x with equal odds between the price at which what it wants would cost all of its cash, and p'. It
    buys π(x) − S where that is positive, else sells S − π(x), S being what it holds, ``stock`` on average at first. The
    order stays for ``life``, or until the trader wakes again. Where x lies beyond the opposite best it trades at once.
    """

    rate: float | str = field(default=0.02, metadata={"unit": "rate", "help": "orders a second"})
    fundamental: float = field(default=10.0, metadata={"help": "mean weight of the value, g1"})
    chartist: float = field(default=1.4, metadata={"help": "mean weight of the trend, g2"})
    random: float = field(default=1.0, metadata={"help": "mean weight of chance, n"})
    step: int | str = field(
        default="500ms", metadata={"unit": "duration", "help": "time over which a return is measured"}
    )
    horizon: int = field(default=200, metadata={"help": "steps, τ of somebody who weighs value and trend alike"})
    reversion: float = field(
        default=1000.0, metadata={"help": "steps in which the price is expected to reach the value"}
    )
    noise: float = field(default=1e-4, metadata={"help": "deviation of the random part of a return, per step"})
    aversion: float = field(default=0.1, metadata={"help": "risk aversion, per currency and unit"})
    stock: float = field(default=50.0, metadata={"help": "lots that it has at first, on average"})
    life: int | str = field(
        default="100s", metadata={"unit": "duration", "help": "time after which an order is canceled"}
    )

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(chartist_fundamentalist_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        to_number(self, "fundamental", "chartist", "random", "stock", low=0.0)
        to_number(self, "reversion", "noise", "aversion", low=0.0, open_low=True)
        to_duration(self, "step", "life")
        to_whole(self, "horizon", low=1, high=STEPS - 1)
        if self.fundamental + self.chartist + self.random <= 0.0:
            raise InvalidValueError(
                "random: no weight is above zero, so it would expect nothing; raise one of the three"
            )

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        rows["pause"] = SECOND / float(self.rate)
        rows["scales"] = [self.fundamental, self.chartist, self.random]
        for name in ("step", "horizon", "reversion", "noise", "life", "stock"):
            rows[name] = getattr(self, name)
        rows["aversion"] = self.aversion * instrument.tick * instrument.lot
        rows["reference"] = instrument.reference
