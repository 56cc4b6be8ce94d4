"""AA: adaptive-aggressive traders, who bid between the estimated equilibrium and their limit as boldly as pays.

P. Vytelingum, D. Cliff and N. Jennings, "Strategic bidding in continuous double auctions", Artificial Intelligence 172,
2008, 1700–1729. Equilibrium estimator, aggressiveness model, short-term and long-term learning, and bidding layer are
each one part below. It never looks at anything but best quotes and trades.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from marketsim.agents.assignment import present_worth
from marketsim.agents.checks import to_number, to_numbers, to_share, to_whole
from marketsim.agents.classic_trader import (
    BEGUN,
    BETTER_ASK,
    BETTER_BID,
    CLASSIC_FIELDS,
    LOOK,
    RENEWED,
    SHOUT,
    TRADED,
    ClassicTrader,
    attend,
    shout,
)
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import purpose_of, uniform
from marketsim.population.policy import Policy

WINDOW = 128  # the most trades that are remembered
_SHORT, _LONG = purpose_of("short-term rate"), purpose_of("long-term rate")
_THETA = (-8.0, 2.0)  # the range of θ

STATE = np.dtype(
    [
        ("window", np.int64),  # trades
        ("decay", np.float64),  # of their weights
        ("prices", np.int64, (WINDOW,)),  # of trades, a ring
        ("trades", np.int64),  # so far
        ("estimate", np.float64),  # of the equilibrium, ticks
        ("boldness", np.float64),  # r, from -1 to 1
        ("theta", np.float64),
        ("last_shout", np.int64),  # since the last trade, ticks; 0 for none
        ("alpha_low", np.float64),  # the lowest and the highest α so far
        ("alpha_high", np.float64),
        ("step_up", np.float64),  # λ_r
        ("step_on", np.float64),  # λ_a, of r
        ("step_ticks", np.float64),  # λ_a, of a price in the first round
        ("least", np.int64),  # ticks by which a shout goes on at least
        ("eta", np.float64),
        ("gamma", np.float64),
        ("short_rate", np.float64),  # β1
        ("long_rate", np.float64),  # β2
        ("ranges", np.float64, (4,)),  # from which they are drawn
        *CLASSIC_FIELDS,
    ]
)


@compiled
def aa_policy(me: Record, seen: Record, out: Record) -> int:
    """Learn from trades and shouts; shout what the bidding layer gives."""
    what = attend(me, seen, out)
    if what & BEGUN != 0:
        ranges = me.ranges
        me.short_rate = ranges[0] + (ranges[1] - ranges[0]) * uniform(seen.key, _SHORT, 0)
        me.long_rate = ranges[2] + (ranges[3] - ranges[2]) * uniform(seen.key, _LONG, 0)
    if what & (TRADED + RENEWED) != 0:
        me.last_shout = 0
    if what & TRADED != 0:
        _estimate(me, seen.price)
        _learn_long_term(me)
        ahead = me.side * (_goal(me) - seen.price)
        _adapt(me, float(seen.price), 1 if ahead < 0 else -1)
    elif me.trades > 0 and what & ((BETTER_BID if me.side > 0 else BETTER_ASK) + LOOK) != 0:
        _learn_from_rejection(me)
    if what & SHOUT != 0:
        _bid(me, out)
    return 0


# --- equilibrium estimator ---


@compiled
def _estimate(me: Record, price: int) -> None:
    """The mean of the last trades, each weighted by ``decay`` times the weight of the next."""
    me.prices[me.trades % WINDOW] = price
    me.trades += 1
    weight = 1.0
    total = 0.0
    weights = 0.0
    for back in range(1, min(me.trades, me.window) + 1):
        total += weight * me.prices[(me.trades - back) % WINDOW]
        weights += weight
        weight *= me.decay
    me.estimate = total / weights


# --- aggressiveness model ---


@compiled
def target_price(me: Record, r: float) -> float:
    """The price for a degree of aggressiveness: at r = −1 the most profitable, at 0 the estimate, at 1 the limit.

    A trader whose limit lies beyond the estimate (extra-marginal) has its limit there from r = 0 on.
    """
    limit = present_worth(me)
    far = 0.0 if me.side > 0 else float(me.high)  # the price of r = -1
    centre = min(me.estimate, limit) if me.side > 0 else max(me.estimate, limit)
    if r >= 0.0:
        return centre + (limit - centre) * _curve(r, me.theta)
    return centre + (far - centre) * _curve(-r, _passive_theta(me, limit, centre, far))


@compiled
def _goal(me: Record) -> int:
    """The target of the present aggressiveness in whole ticks."""
    return math.floor(target_price(me, me.boldness) + 0.5)


@compiled
def _curve(r: float, theta: float) -> float:
    """(e^(rθ) − 1)/(e^θ − 1): from 0 to 1 as r goes from 0 to 1; straight for θ = 0."""
    if abs(theta) < 1e-6:
        return r
    return (math.exp(r * theta) - 1.0) / (math.exp(theta) - 1.0)


@compiled
def _slope(theta: float) -> float:
    """The slope of the curve at r = 0: θ/(e^θ − 1)."""
    return 1.0 if abs(theta) < 1e-6 else theta / (math.exp(theta) - 1.0)


@compiled
def _passive_theta(me: Record, limit: float, centre: float, far: float) -> float:
    """The θ below r = 0: for an intra-marginal trader such that the slopes at r = 0 are equal (bisection)."""
    gap = abs(limit - centre)
    if gap < 1e-9 or abs(centre - far) < 1e-9:
        return me.theta
    wanted = gap * _slope(me.theta) / abs(centre - far)
    low = -50.0
    high = 50.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        if _slope(middle) > wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@compiled
def boldness_of(me: Record, price: float) -> float:
    """The degree of aggressiveness whose target is a price, from −1 to 1 (bisection)."""
    low = -1.0
    high = 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        if me.side * (target_price(me, middle) - price) < 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


# --- learning ---


@compiled
def _adapt(me: Record, price: float, direction: int) -> None:
    """Short term: r goes a part of the way to a little more (or less) than what the price would have taken."""
    shouted = boldness_of(me, price)
    wanted = (1.0 + direction * me.step_up) * shouted + direction * me.step_on
    me.boldness += me.short_rate * (wanted - me.boldness)
    me.boldness = min(max(me.boldness, -1.0), 1.0)


@compiled
def _learn_from_rejection(me: Record) -> None:
    """The best of the own side has not been accepted: bolder than that, where the target was no better.

    Where both are the same but for half a least step the target itself counts, or rounding would hold it there.
    """
    best = me.bid if me.side > 0 else me.ask
    if best == 0:
        return
    goal = _goal(me)
    if 2 * abs(goal - best) < me.least:
        _adapt(me, target_price(me, me.boldness), 1)
    elif me.side * (goal - best) < 0:
        _adapt(me, float(best), 1)


@compiled
def _learn_long_term(me: Record) -> None:
    """θ follows the volatility of prices around the estimate, as a share of the range that was seen of it."""
    count = min(me.trades, me.window)
    total = 0.0
    for back in range(1, count + 1):
        gap = me.prices[(me.trades - back) % WINDOW] - me.estimate
        total += gap * gap
    alpha = math.sqrt(total / count) / me.estimate
    me.alpha_low = alpha if me.trades == 1 else min(me.alpha_low, alpha)
    me.alpha_high = max(me.alpha_high, alpha)
    if me.alpha_high - me.alpha_low < 1e-12:
        return
    share = (alpha - me.alpha_low) / (me.alpha_high - me.alpha_low)
    wanted = (_THETA[1] - _THETA[0]) * (1.0 - share * math.exp(me.gamma * (share - 1.0))) + _THETA[0]
    me.theta += me.long_rate * (wanted - me.theta)


# --- bidding layer ---


@compiled
def _bid(me: Record, out: Record) -> None:
    """Accept the other side's best where it is no worse than the target, else go a part of the way to the target.

    Before the first trade there is no target: the way goes to the other side's best and a step beyond, or the limit.
    """
    limit = present_worth(me)
    own = float(me.bid if me.side > 0 else (me.ask if me.ask > 0 else me.high))
    other = float(me.ask if me.side > 0 else me.bid)
    if me.side * (limit - own) <= 0.0:
        return
    if me.trades > 0:
        goal = _goal(me)
        if other > 0.0 and me.side * (goal - other) >= 0.0:
            shout(me, out, int(other))
            return
    else:
        beyond = (1.0 + me.side * me.step_up) * other + me.side * me.step_ticks
        if me.side > 0 and other == 0.0:
            beyond = float(me.high)
        goal = math.floor(min(limit, beyond) if me.side > 0 else max(limit, beyond))
    _step(me, out, int(own), goal)


@compiled
def _step(me: Record, out: Record, own: int, goal: int) -> None:
    """A part of the way from the own side's best, the trader's last shout included, to the goal; ``least`` at least.

    Without a least step the way would never end where ticks are fine, and who has not arrived does not learn. The last
    shout counts until the next trade: it has been taken back only to be renewed.
    """
    if me.last_shout > 0 and me.side * (me.last_shout - own) >= 0:
        own = me.last_shout
    elif me.side * (goal - own) <= 0:
        return
    way = me.side * (goal - own)
    step = min(max(math.floor(way / me.eta + 0.5), me.least), way)
    me.last_shout = own + me.side * step if way > 0 else goal
    shout(me, out, me.last_shout)


@dataclass
class Aa(ClassicTrader):
    """Bids as aggressively as its estimate of the equilibrium and what it learns suggest (AA).

    The estimate p* is the mean of the last ``window`` trades with weights falling by ``decay``. The aggressiveness r,
    from −1 to 1, gives the target: with c(r, θ) = (e^(rθ) − 1)/(e^θ − 1), m = p* and a limit λ on the profitable side
    of it, τ = m + (λ − m)·c(r, θ) for r ≥ 0, and τ = m + (z − m)·c(−r, θ') below, with z = 0 for buyers and ``high``
    for sellers, and θ' such that the slopes agree at 0. For a limit on the other side m = λ and θ' = θ.

    Short term: after a trade or a shout of its own side at q, r ← r + β1·((1 ± ``relative``)·r(q) ± ``absolute`` − r),
    r(q) being the aggressiveness whose target is q: up where τ was passed by, down where it was better than a trade.
    Long term: θ ← θ + β2·(θ* − θ), θ* = 10·(1 − s·e^(``gamma``(s − 1))) − 8, from −8 to 2, with s the deviation of
    trades from p*, relative to the smallest and largest yet. Bids: the other side's best where τ reaches it; else a
    step from the own side's best b, b + (τ − b)/``eta``, of at least ``least_step`` or all the way. Before any trade
    τ is the other side's best and a step beyond it, or λ. A bid within half a least step of τ counts as τ when it
    learns.

    ``least_step`` is no parameter of the paper: a third of what is left never arrives, and only who has arrived grows
    bolder. Half a per cent is a cent at a price of two, the order of the markets of that literature.
    """

    window: int = field(default=30, metadata={"help": "trades in the estimate of the equilibrium"})
    decay: float = field(default=0.9, metadata={"help": "weight of a trade over that of the next one"})
    theta: float = field(default=-4.0, metadata={"help": "θ at first, from -8 to 2"})
    aggressiveness: float = field(default=0.0, metadata={"help": "r at first, from -1 to 1"})
    relative: float = field(default=0.02, metadata={"help": "λ_r, relative step of learning"})
    absolute: float = field(
        default=0.01, metadata={"help": "λ_a, absolute step of learning; in the first bids, currency"}
    )
    eta: float = field(default=3.0, metadata={"help": "η, one over the part of the way to the target that a bid goes"})
    least_step: float = field(
        default=0.005, metadata={"help": "least step of a bid, share of the reference price; at least a tick"}
    )
    gamma: float = field(default=2.0, metadata={"help": "γ, curvature of long-term learning"})
    short_term: tuple[float, ...] = field(default=(0.2, 0.6), metadata={"help": "range of the short-term rate β1"})
    long_term: tuple[float, ...] = field(default=(0.2, 0.6), metadata={"help": "range of the long-term rate β2"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(aa_policy)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_whole(self, "window", low=1, high=WINDOW)
        to_number(self, "decay", low=0.0, high=1.0, open_low=True)
        to_number(self, "theta", low=_THETA[0], high=_THETA[1])
        to_number(self, "aggressiveness", low=-1.0, high=1.0)
        to_share(self, "relative", "absolute", "least_step")
        to_number(self, "eta", low=1.0, high=1e6)
        to_number(self, "gamma", low=0.0, high=100.0)
        for name in ("short_term", "long_term"):
            to_numbers(self, name, low=0.0, high=1.0)
            span = getattr(self, name)
            if len(span) != 2 or span[0] > span[1]:
                raise InvalidValueError(f"{name}: {list(span)} is no range; write [lowest, highest]")

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        super().fill(rows, instrument)
        rows["window"], rows["decay"], rows["theta"] = self.window, self.decay, self.theta
        rows["boldness"] = self.aggressiveness
        rows["step_up"], rows["step_on"] = self.relative, self.absolute
        rows["step_ticks"] = self.absolute / instrument.tick
        rows["least"] = max(1, round(self.least_step * instrument.reference))
        rows["eta"], rows["gamma"] = self.eta, self.gamma
        rows["ranges"] = [*self.short_term, *self.long_term]
