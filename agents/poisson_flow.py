"""Poisson order flow: limit orders, market orders and cancels that arrive independently of each other at given rates.

One agent is a whole flow. With rates that are the same at every price it is the continuous double auction of Daniels,
Farmer, Gillemot, Iori and Smith 2003 (Phys. Rev. Lett. 90; the Santa Fe model), with rates by distance that of Cont,
Stoikov and Talreja 2010 (Operations Research 58). It knows the best quotes, to place orders relative to them, and its
own orders, nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from marketsim.agents.checks import to_number, to_rate, to_whole
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND, rate
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.kernel.random import exponential, purpose_of, uniform
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import (
    QUOTES,
    Policy,
    cancel,
    find_working,
    limit_order,
    market_order,
    subscribe,
    timer_at,
    wake_at,
)

REACH = 512  # the farthest from the opposite best price at which orders may arrive, in ticks
_BATCH = 100  # orders of the first book that are sent at a time
_START, _WAKE, _TIMER, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER), int(Kind.QUOTE)
_BOOK = -1  # tag of the timer that goes on with the first book; others carry the id of an order
_WHEN, _WHAT, _SIDE, _PRICE, _LIFE = (purpose_of(name) for name in ("when", "what", "side", "price", "life"))
_KEEP, _AGAIN, _FIRST, _FIRST_LIFE = (purpose_of(name) for name in ("keep", "again", "first", "first life"))

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between arrivals of orders, both sides
        ("limit_share", np.float64),  # of limit orders among them
        ("reach", np.int64),  # ticks
        ("arrival", np.float64, (REACH,)),  # probability that a limit order is at distance 1 … k+1
        ("life", np.float64),  # mean ns to the next look at an order; 0 when none is ever canceled
        ("stay", np.float64, (REACH,)),  # probability that an order at distance k+1 survives a look
        ("standing", np.float64, (REACH,)),  # probability that an order of the first book is at distance 1 … k+1
        ("book_size", np.float64),  # orders that a side of the first book has on average
        ("book_mass", np.float64),  # how far the first book is written, from 0 to 2
        ("quantity", np.int64),
        ("middle", np.int64),  # of the first book, ticks
        ("bid", np.int64),  # last known best prices, ticks
        ("ask", np.int64),
        ("bid_quantity", np.int64),
        ("ask_quantity", np.int64),
        ("draw", np.int64),  # of arrivals
        ("look", np.int64),  # of looks at orders
        ("first", np.int64),  # of orders of the first book
    ]
)


@compiled
def poisson_flow_policy(me: Record, seen: Record, out: Record) -> int:
    """Arrivals on waking, cancels on timers, quotes in between."""
    if seen.kind == _WAKE:
        _schedule(me, seen, out)
        _arrive(me, seen, out)
    elif seen.kind == _TIMER:
        if seen.tag == _BOOK:
            _go_on_with_book(me, seen, out)
        else:
            _look(me, seen, out)
    elif seen.kind == _QUOTE:
        note_quote(me, seen)
    elif seen.kind == _START:
        subscribe(out, QUOTES)
        _schedule(me, seen, out)
        if me.book_size > 0.0:
            _go_on_with_book(me, seen, out)
    return 0


@compiled
def _schedule(me: Record, seen: Record, out: Record) -> None:
    me.draw += 1
    wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))


@compiled
def note_quote(me: Record, seen: Record) -> None:
    """Best prices into a record that has fields for them; an empty side keeps its price, moved where it was passed."""
    me.bid_quantity = seen.bid_quantity
    me.ask_quantity = seen.ask_quantity
    if seen.bid_quantity > 0:
        me.bid = seen.bid
    if seen.ask_quantity > 0:
        me.ask = seen.ask
    if seen.ask_quantity == 0:
        me.ask = max(me.ask, me.bid + 1)
    elif seen.bid_quantity == 0:
        me.bid = min(me.bid, me.ask - 1)


@compiled
def _arrive(me: Record, seen: Record, out: Record) -> None:
    side = 1 if uniform(seen.key, _SIDE, me.draw) < 0.5 else -1
    if uniform(seen.key, _WHAT, me.draw) < me.limit_share:
        distance = _distance(me.arrival, me.reach, uniform(seen.key, _PRICE, me.draw))
        price = (me.ask if side > 0 else me.bid) - side * distance
        _rest(me, seen, out, side, price, exponential(seen.key, _LIFE, me.draw))
    elif (me.ask_quantity if side > 0 else me.bid_quantity) > 0:
        market_order(out, side, me.quantity)


@compiled
def _distance(table: Rows, reach: int, mass: float) -> int:
    """The first distance up to which the probability exceeds ``mass`` (bisection)."""
    low = 0
    high = reach - 1
    while low < high:
        middle = (low + high) // 2
        if table[middle] > mass:
            high = middle
        else:
            low = middle + 1
    return low + 1


@compiled
def _rest(me: Record, seen: Record, out: Record, side: int, price: int, life: float) -> None:
    """A limit order, and the first look at it after ``life`` mean lives."""
    if price > 0:
        order_id = limit_order(out, side, price, me.quantity)
        if me.life > 0.0:
            timer_at(out, seen.now + 1 + int(me.life * life), order_id)


@compiled
def _look(me: Record, seen: Record, out: Record) -> None:
    """An order's exponential clock has rung: it goes, or stays when its rate is below the highest (thinning)."""
    order = find_working(out, seen.tag)
    if order.order_id != seen.tag:
        return
    me.look += 1
    distance = (me.ask - order.price) if order.side > 0 else (order.price - me.bid)
    place = min(max(distance, 1), REACH) - 1
    if me.stay[place] > 0.0 and uniform(seen.key, _KEEP, me.look) < me.stay[place]:
        timer_at(out, seen.now + 1 + int(me.life * exponential(seen.key, _AGAIN, me.look)), seen.tag)
    else:
        cancel(out, seen.tag)


@compiled
def _go_on_with_book(me: Record, seen: Record, out: Record) -> None:
    """The first book: a Poisson process along the prices of both sides, a batch at a time."""
    for _ in range(_BATCH):
        me.book_mass += exponential(seen.key, _FIRST, me.first) / me.book_size
        me.first += 1
        if me.book_mass >= 2.0:
            return
        side = 1 if me.book_mass < 1.0 else -1
        distance = _distance(me.standing, me.reach, me.book_mass - (0.0 if side > 0 else 1.0))
        _rest(me, seen, out, side, me.middle - side * distance, exponential(seen.key, _FIRST_LIFE, me.first))
    timer_at(out, seen.now, _BOOK)


@dataclass
class PoissonFlow(CompiledAgent):
    """Independent Poisson arrivals of limit orders, market orders and cancels; one agent is a whole flow.

    Limit orders to buy arrive at every distance i = 1 … ``reach`` ticks below the best ask at the rate
    λ(i) = ``limit_rate``·i^(−``exponent``), or ``limit_rates``[i−1] where that is given; sells likewise above the best
    bid. Market orders to buy and to sell arrive at ``market_rate`` each. Each order is canceled at ``cancel_rate``, or
    at ``cancel_rates``[i−1] while it is i ticks from the opposite best (the last of them beyond). All orders hold
    ``quantity`` lots.

    In the notation of Farmer, Patelli and Zovko 2005 (PNAS 102), read as rates of one side and in lots:
    α = limit_rate·quantity a tick, μ = market_rate·quantity, δ = cancel_rate, σ = quantity. Far from the best, a price
    holds α/δ lots on average. Several agents are several flows, whose rates add up. An empty side is taken to be where
    it was seen last.
    """

    limit_rate: float | str = field(
        default=0.1, metadata={"unit": "rate", "help": "limit orders a second at each price of a side"}
    )
    market_rate: float | str = field(default=0.5, metadata={"unit": "rate", "help": "market orders a second of a side"})
    cancel_rate: float | str = field(default=0.05, metadata={"unit": "rate", "help": "cancels a second of each order"})
    quantity: int = field(default=10, metadata={"help": "lots of every order"})
    reach: int = field(default=30, metadata={"help": "farthest distance of limit orders from the opposite best, ticks"})
    exponent: float = field(
        default=0.0, metadata={"help": "exponent of the fall of limit_rate with the distance; 0: none"}
    )
    limit_rates: tuple[float, ...] = field(
        default=(),
        metadata={"unit": "rate", "help": "limit orders a second at distances 1, 2 …, instead of limit_rate"},
    )
    cancel_rates: tuple[float, ...] = field(
        default=(), metadata={"unit": "rate", "help": "cancels a second at distances 1, 2 …, instead of cancel_rate"}
    )
    begin_full: bool = field(
        default=True, metadata={"help": "begin with the book that is stationary far from the best prices"}
    )

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(poisson_flow_policy)

    def __post_init__(self) -> None:
        to_rate(self, "limit_rate", "market_rate", "cancel_rate")
        self.limit_rates = tuple(rate(value) for value in self.limit_rates)
        self.cancel_rates = tuple(rate(value) for value in self.cancel_rates)
        to_whole(self, "quantity", low=1, high=1_000_000_000)
        to_whole(self, "reach", low=1, high=REACH)
        to_number(self, "exponent", low=0.0, high=20.0)
        for name in ("limit_rates", "cancel_rates"):
            if len(getattr(self, name)) > self.reach:
                raise InvalidValueError(f"{name}: {len(getattr(self, name))} distances; reach ends at {self.reach}")
        if not 0.0 < self.arrivals().sum() + float(self.market_rate) <= 1e8:
            raise InvalidValueError("limit_rate: with market_rate it must make more than 0/s and at most 1e8/s")
        if self.begin_full and (self.departures()[: self.reach][self.arrivals() > 0.0] <= 0.0).any():
            raise InvalidValueError(
                "begin_full: orders that are never canceled have no stationary book; use a cancel rate above 0/s, or "
                "begin_full: false"
            )

    def arrivals(self) -> NDArray[np.float64]:
        """Limit orders a second of one side at distances 1 … reach."""
        rates = [float(self.limit_rate) * math.exp(-self.exponent * math.log(k)) for k in range(1, self.reach + 1)]
        rates[: len(self.limit_rates)] = self.limit_rates
        return np.array(rates)

    def departures(self) -> NDArray[np.float64]:
        """Cancels a second of an order at distances 1 … REACH."""
        rates = self.cancel_rates or (float(self.cancel_rate),)
        return np.array([*rates, *[rates[-1]] * (REACH - len(rates))])

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        arrivals, departures = self.arrivals(), self.departures()
        limit, fastest = float(arrivals.sum()), float(departures.max())
        rows["pause"] = SECOND / (2.0 * (limit + float(self.market_rate)))
        rows["limit_share"] = limit / (limit + float(self.market_rate))
        rows["reach"], rows["quantity"] = self.reach, self.quantity
        if limit > 0.0:
            rows["arrival"][:, : self.reach] = np.cumsum(arrivals) / limit
        if fastest > 0.0:
            rows["life"] = SECOND / fastest
            rows["stay"] = 1.0 - departures / fastest
        if self.begin_full and limit > 0.0:
            standing = arrivals / np.where(arrivals > 0.0, departures[: self.reach], 1.0)
            rows["book_size"] = standing.sum()
            rows["standing"][:, : self.reach] = np.cumsum(standing) / standing.sum()
        rows["middle"] = instrument.reference
        rows["bid"], rows["ask"] = instrument.reference - 1, instrument.reference + 1
