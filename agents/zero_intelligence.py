"""Zero-intelligence traders: random prices, but never at a loss (Gode and Sunder 1993, J. Political Economy 101).

Each has at most one order in the market. On waking it takes the order back and, once the venue has confirmed that,
shouts a new random price that its budget allows: a buyer no more than the unit is worth to it, a seller no less than
the unit costs. So the constraint holds whatever the latency. It looks neither at quotes nor at what others do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from marketsim.agents.assignment import (
    ASSIGNMENT_FIELDS,
    DEALT,
    LOTS,
    REPLENISH,
    STEPS,
    UNITS,
    VALUES,
    Replenish,
    begin_units,
    check_assignment,
    fill_assignment,
    has_unit,
    is_free,
    lots_left,
    note_fill,
    present_worth,
    renew_units,
)
from marketsim.agents.checks import check_choice, to_number, to_waking, to_whole
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import MINUTE, SECOND
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import below, exponential, normal, purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import TRADES, Policy, cancel_all, limit_order, subscribe, wake_at

_START, _WAKE, _TIMER, _TRADE_PRINT = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER), int(Kind.TRADE_PRINT)
_TRADE = int(Kind.REPORT + EventKind.TRADE)
_CANCELED = int(Kind.REPORT + EventKind.CANCELED)
_CANCEL_REJECTED = int(Kind.REPORT + EventKind.CANCEL_REJECTED)
_WHEN, _SIDE, _PRICE, _VALUE, _RENEW = (purpose_of(name) for name in ("when", "side", "price", "value", "renew"))

STATE = np.dtype(
    [
        *ASSIGNMENT_FIELDS,  # of private values: the units of each side, what they are worth in falling order
        ("pause", np.float64),  # mean ns between wake-ups
        ("constrained", np.int64),
        ("low", np.int64),  # ticks between which prices are shouted
        ("high", np.int64),
        ("reset", np.int64),  # whether any trade takes the order back
        ("private", np.int64),  # whether values are private and relative to a common one
        ("deviation", np.float64),  # ticks, of private values
        ("renewal", np.float64),  # probability of new private values on waking
        ("drawn", np.int64),  # private values so far
        ("margin", np.float64),  # ticks, most that is asked for above one's own value
        ("reference", np.float64),  # ticks
        ("wanting", np.int64),  # whether to shout once the order is back
        ("draw", np.int64),
    ]
)


@compiled
def zero_intelligence_policy(me: Record, seen: Record, out: Record) -> int:
    """Wake, take back, shout."""
    if seen.kind == _WAKE:
        if me.private != 0 and uniform(seen.key, _RENEW, me.draw) < me.renewal:
            _draw_values(me, seen.key)
        _schedule(me, seen, out)
        me.wanting = 1
        cancel_all(out)
        _shout_when_free(me, seen, out)
    elif seen.kind == _TRADE:
        note_fill(me, seen.quantity)
        _shout_when_free(me, seen, out)
    elif seen.kind == _CANCELED or seen.kind == _CANCEL_REJECTED:
        _shout_when_free(me, seen, out)
    elif seen.kind == _TRADE_PRINT or seen.kind == _TIMER:
        me.wanting = 0
        cancel_all(out)
        if seen.kind == _TIMER:
            renew_units(me, seen.now, out)
    elif seen.kind == _START:
        _begin(me, seen, out)
    return 0


@compiled
def _begin(me: Record, seen: Record, out: Record) -> None:
    if me.reset != 0:
        subscribe(out, TRADES)
    if me.private != 0:
        _draw_values(me, seen.key)
    else:
        begin_units(me, seen.now, out)
    _schedule(me, seen, out)


@compiled
def _schedule(me: Record, seen: Record, out: Record) -> None:
    me.draw += 1
    wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))


@compiled
def _draw_values(me: Record, key: int) -> None:
    """Private values in falling order: each further unit held is worth less (insertion sort)."""
    worth = me.worth
    for unit in range(2 * me.units):
        value = me.deviation * normal(key, _VALUE, me.drawn)
        me.drawn += 1
        place = unit
        while place > 0 and worth[place - 1] < value:
            worth[place] = worth[place - 1]
            place -= 1
        worth[place] = value


@compiled
def _shout_when_free(me: Record, seen: Record, out: Record) -> None:
    if not is_free(me, out) or me.wanting == 0:
        return
    me.wanting = 0
    if me.private != 0:
        _shout_private(me, seen, out)
    elif has_unit(me):
        _shout_scheduled(me, seen, out)


@compiled
def _shout_scheduled(me: Record, seen: Record, out: Record) -> None:
    """A price between the worth of the present unit and the end of the range, each tick equally likely."""
    worth = present_worth(me)
    low = me.low
    high = me.high
    if me.constrained != 0:
        if me.side > 0:
            high = min(high, math.floor(worth))
        else:
            low = max(low, math.ceil(worth))
    if low <= high:
        price = low + below(seen.key, _PRICE, me.draw, high - low + 1)
        limit_order(out, me.side, price, lots_left(me))


@compiled
def _shout_private(me: Record, seen: Record, out: Record) -> None:
    """The common value plus the private one of the next unit, less the profit that is asked for."""
    side = me.side
    if side == 0:
        side = 1 if uniform(seen.key, _SIDE, me.draw) < 0.5 else -1
    # Units held, a begun one counted as not yet bought or not yet sold; unit 0 is the one in the middle.
    held = seen.position // me.quantity if side > 0 else -(-seen.position // me.quantity) - 1
    unit = held + me.units
    if unit < 0 or unit >= 2 * me.units:
        return
    common = me.reference if math.isnan(seen.value) else seen.value
    limit = common + me.worth[unit] - side * me.margin * uniform(seen.key, _PRICE, me.draw)
    price = math.floor(limit) if side > 0 else max(math.ceil(limit), 1)
    if price > 0:
        done = seen.position - held * me.quantity if side > 0 else (held + 1) * me.quantity - seen.position
        limit_order(out, side, price, me.quantity - done)


@dataclass
class ZeroIntelligence(CompiledAgent):
    """Random prices within a budget constraint (ZI-C; ZI-U without the constraint).

    With ``values``, as Gode and Sunder 1993: the units' redemption values, or for sellers their costs, in the order in
    which they are traded. A buyer's price is uniform on the ticks from ``low`` to the value of its present unit, a
    seller's from the cost to ``high``. With ``reset`` every trade makes everyone take back the standing order, as in
    their markets.

    Without ``values``, as background flow (Wah, Wright and Wellman 2017, JAIR 59): the value of holding one more unit
    is that of the agent's feed, or the reference price, plus a private part. The private parts of the ``units`` that it
    may hold long or short are normal with ``deviation`` and put in falling order; after times of mean ``period`` they
    are drawn anew, which keeps trade going. The price leaves a profit that is uniform from 0 to ``margin``.
    """

    rate: float | str = field(default=0.1, metadata={"unit": "rate", "help": "shouts a second"})
    side: Literal["buy", "sell", "either"] = field(
        default="either", metadata={"help": "buy, sell, or either at random (not with values)"}
    )
    values: tuple[float, ...] = field(default=(), metadata=VALUES)
    dealt: bool = field(default=False, metadata=DEALT)
    steps: int | None = field(default=None, metadata=STEPS)
    constrained: bool = field(default=True, metadata={"help": "never at a loss; false for ZI-U (only with values)"})
    low: float | None = field(
        default=None, metadata={"unit": "price", "help": "lowest price shouted; one tick when left out"}
    )
    high: float | None = field(
        default=None, metadata={"unit": "price", "help": "highest price shouted; twice the reference when left out"}
    )
    reset: bool = field(default=False, metadata={"help": "take the order back whenever anybody trades"})
    period: int | str | None = field(
        default=None,
        metadata={
            "unit": "duration",
            "help": "time after which all units may be traded again, never when left out; without values the mean time "
            "until private values are drawn anew, 1min when left out",
        },
    )
    replenish: Replenish = field(default="period", metadata=REPLENISH)
    units: int = field(default=10, metadata={"help": "most units held long or short, without values"})
    quantity: int = field(default=1, metadata=LOTS)
    deviation: float | None = field(
        default=None,
        metadata={"help": "deviation of private values, currency; 0.001 of the reference price when left out"},
    )
    margin: float | None = field(
        default=None, metadata={"help": "largest profit asked for, currency; the deviation when left out"}
    )

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(zero_intelligence_policy)

    def __post_init__(self) -> None:
        to_waking(self)
        check_choice(self, "side", _SIDES)
        check_assignment(self)
        to_number(self, "low", "high", "deviation", "margin", low=0.0)
        to_whole(self, "units", low=1, high=UNITS // 2)
        if self.values and self.side == "either":
            raise InvalidValueError("side: values are a buyer's or a seller's; write buy or sell")
        if not self.values and self.replenish == "drip":
            raise InvalidValueError(
                "replenish: private values are drawn anew and do not drip; give values, or leave it out"
            )
        if not self.values and not self.constrained:
            raise InvalidValueError("constrained: there is no unconstrained trader without values; give values")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``; prices between two ticks are taken so that nobody trades at a loss."""
        tick, reference = instrument.tick, instrument.reference
        rows["pause"] = SECOND / float(self.rate)
        rows["side"] = _SIDES[self.side]
        rows["constrained"], rows["reset"] = self.constrained, self.reset
        rows["low"] = 1 if self.low is None else math.ceil(round(self.low / tick, 6))
        rows["high"] = 2 * reference if self.high is None else math.floor(round(self.high / tick, 6))
        rows["renewal"] = min(SECOND / float(self.rate) / float(self.period or MINUTE), 1.0)
        rows["reference"] = reference
        deviation = 0.001 * reference if self.deviation is None else self.deviation / tick
        rows["deviation"] = deviation
        rows["margin"] = deviation if self.margin is None else self.margin / tick
        fill_assignment(rows, self, instrument)
        rows["private"] = not self.values
        if not self.values:
            rows["units"] = self.units


_SIDES = {"buy": 1, "sell": -1, "either": 0}
