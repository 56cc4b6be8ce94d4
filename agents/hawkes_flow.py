"""Hawkes order flow: orders that excite each other, so that they come in clusters, as real ones do.

One agent is a whole flow of six kinds of events: market orders, limit orders and cancels, to buy and to sell. It is a
multivariate Hawkes process with exponential kernels (Hawkes 1971, Biometrika 58; for order flow Bacry, Mastromatteo
and Muzy 2015, Market Microstructure and Liquidity 1): kind i happens at the rate

    λ_i(t) = base_i + Σ_j Σ_{t_jk < t} n_ij · β_i · exp(−β_i (t − t_jk)),

so one event of kind j has n_ij direct children of kind i on average, after a mean time 1/β_i. It is drawn by thinning
(Ogata 1981, IEEE Transactions on Information Theory 27): between events all rates fall, so the rate of now bounds the
next one. The process hears its own events only; of the market it knows the best quotes, to place orders, and its own
orders.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from marketsim.agents.checks import to_duration, to_number, to_share, to_whole
from marketsim.agents.order_size import QUANTITY, SIGMA, SIZE_FIELDS, SIZES, Sizes, check_size, fill_size, order_size
from marketsim.agents.poisson_flow import note_quote
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.units import SECOND, rate
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, array_at, compiled
from marketsim.kernel.random import below, exponential, purpose_of, uniform
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
from marketsim.population.state import WORKING

EVENTS = ("market_buy", "market_sell", "limit_buy", "limit_sell", "cancel_buy", "cancel_sell")
"""The kinds of events, in the order of every list and matrix."""

KINDS = len(EVENTS)
_BATCH = 100  # orders of the first book that are sent at a time, each with a timer
_MOST = 1e8  # events a second
_START, _WAKE, _TIMER, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER), int(Kind.QUOTE)
_BOOK = -1  # tag of the timer that goes on with the first book; others carry the id of an order
_WHEN, _KEEP, _PRICE, _LIFE, _WHICH, _FIRST = (
    purpose_of(name) for name in ("when", "keep", "price", "life", "which", "first")
)

STATE = np.dtype(
    [
        ("baseline", np.float64, (KINDS,)),  # events a ns
        ("jump", np.float64, (KINDS * KINDS,)),  # what an event of kind j adds to the rate of kind i, at i · KINDS + j
        ("fall", np.float64, (KINDS,)),  # 1/ns
        ("excited", np.float64, (KINDS,)),  # what past events add to the rates, as of the next event
        ("next", np.int64),  # kind of the event that is due
        ("candidate", np.int64),  # draws of times
        ("event", np.int64),  # events so far
        ("improve_share", np.float64),  # probability that a limit order improves its side
        ("decay", np.float64),  # ln of the geometric distribution of the distance in ticks; 0 for none
        ("life", np.float64),  # mean ns after which an order is taken back; 0 for never
        ("first_orders", np.int64),  # of each side, in the first book
        ("placed", np.int64),  # of them
        ("bid", np.int64),  # last known best prices, ticks
        ("ask", np.int64),
        ("bid_quantity", np.int64),
        ("ask_quantity", np.int64),
        *SIZE_FIELDS,
    ]
)


@compiled
def hawkes_flow_policy(me: Record, seen: Record, out: Record) -> int:
    """Events on waking, lives and the first book on timers, quotes in between."""
    if seen.kind == _WAKE:
        _happen(me, seen, out)
        _foresee(me, seen, out)
    elif seen.kind == _QUOTE:
        note_quote(me, seen)
    elif seen.kind == _TIMER:
        if seen.tag == _BOOK:
            _go_on_with_book(me, seen, out)
        elif find_working(out, seen.tag).order_id == seen.tag:
            cancel(out, seen.tag)
    elif seen.kind == _START:
        subscribe(out, QUOTES)
        _go_on_with_book(me, seen, out)
        _foresee(me, seen, out)
    return 0


@compiled
def _foresee(me: Record, seen: Record, out: Record) -> None:
    """Ogata's thinning: when the next event is, and of which kind."""
    time = seen.now
    found = False
    while not found:
        bound = _total(me)
        me.candidate += 1
        wait = 1 + int(exponential(seen.key, _WHEN, me.candidate) / bound)
        time += wait
        for kind in range(KINDS):
            me.excited[kind] *= math.exp(-me.fall[kind] * wait)
        rest = bound * uniform(seen.key, _KEEP, me.candidate)
        for kind in range(KINDS):
            if not found:
                rest -= me.baseline[kind] + me.excited[kind]
                if rest < 0.0:
                    me.next = kind
                    found = True
    wake_at(out, time)


@compiled
def _total(me: Record) -> float:
    total = 0.0
    for kind in range(KINDS):
        total += me.baseline[kind] + me.excited[kind]
    return total


@compiled
def _happen(me: Record, seen: Record, out: Record) -> None:
    for kind in range(KINDS):
        me.excited[kind] += me.jump[kind * KINDS + me.next]
    me.event += 1
    side = 1 if me.next % 2 == 0 else -1
    if me.next < 2:
        market_order(out, side, order_size(me, seen.key, me.event))
    elif me.next < 4:
        _rest(me, seen, out, side, _price(me, side, uniform(seen.key, _PRICE, me.event)), me.event)
    else:
        _cancel_one(me, seen, out, side)


@compiled
def _price(me: Record, side: int, draw: float) -> int:
    """The own best price made a tick better where there is room, or a geometric number of ticks behind it."""
    best = me.bid if side > 0 else me.ask
    if me.bid >= me.ask:  # an auction is on
        best = (me.bid + me.ask) // 2
    if draw < me.improve_share:
        return best + side if me.ask - me.bid > 1 else best
    return best - side * _distance(me, (draw - me.improve_share) / (1.0 - me.improve_share))


@compiled
def _distance(me: Record, draw: float) -> int:
    return int(math.log(1.0 - draw) / me.decay) if me.decay < 0.0 else 0


@compiled
def _rest(me: Record, seen: Record, out: Record, side: int, price: int, draw: int) -> None:
    """A limit order, and the end of its life; ``draw`` is below zero in the first book."""
    if price > 0:
        order_id = limit_order(out, side, price, order_size(me, seen.key, draw))
        if me.life > 0.0:
            timer_at(out, seen.now + 1 + int(me.life * exponential(seen.key, _LIFE, draw)), order_id)


@compiled
def _cancel_one(me: Record, seen: Record, out: Record, side: int) -> None:
    """The cancel of any own order of a side, each equally likely; nothing where there is none."""
    working = array_at(out.working, out.working_length, WORKING)
    count = 0
    slot = out.first_working
    while slot != 0:
        count += 1 if working[slot].side == side else 0
        slot = working[slot].next
    if count == 0:
        return
    left = below(seen.key, _WHICH, me.event, count)
    slot = out.first_working
    while working[slot].side != side or left > 0:
        left -= 1 if working[slot].side == side else 0
        slot = working[slot].next
    cancel(out, working[slot].order_id)


@compiled
def _go_on_with_book(me: Record, seen: Record, out: Record) -> None:
    """The first book, a batch at a time: the sides by turns, from a tick below and above the reference price."""
    for _ in range(_BATCH):
        if me.placed >= 2 * me.first_orders:
            return
        me.placed += 1
        side = 1 if me.placed % 2 == 0 else -1
        best = me.bid if side > 0 else me.ask
        price = best - side * _distance(me, uniform(seen.key, _FIRST, me.placed))
        _rest(me, seen, out, side, price, -me.placed)
    timer_at(out, seen.now, _BOOK)


_DEFAULT_BRANCHING = (
    (0.40, 0.02, 0.02, 0.01, 0.00, 0.02),
    (0.02, 0.40, 0.01, 0.02, 0.02, 0.00),
    (0.30, 0.30, 0.38, 0.05, 0.32, 0.02),
    (0.30, 0.30, 0.05, 0.38, 0.02, 0.32),
    (0.05, 0.25, 0.22, 0.05, 0.32, 0.05),
    (0.25, 0.05, 0.05, 0.22, 0.05, 0.32),
)


@dataclass
class HawkesFlow(CompiledAgent):
    """Market orders, limit orders and cancels that excite each other (a Hawkes process); one agent is a whole flow.

    All lists and matrices are in the order market buy, market sell, limit buy, limit sell, cancel buy, cancel sell,
    where a cancel buy takes back an order to buy. ``branching``[i][j] is how many events of kind i one event of kind j
    excites directly, on average; of the kernel n·β·exp(−β·t), β is ``decays``[i]. The flow is stationary where the
    spectral radius of the matrix, the branching ratio, is below 1; then events happen at ``mean_rates()``. With a
    matrix of zeros it is a Poisson flow.

    A limit order lies ``improve_share`` of the time a tick better than the best price of its side, where the spread
    leaves room, else behind it by a geometric number of ticks of mean ``distance``. A cancel takes any own order of the
    side. What keeps the number of orders in the book stationary is their ``lifetime``, exponential, after which they go
    if nothing else has happened; these cancels excite nothing. A market order is sent whether or not anybody is there.
    The history is empty at the start. Several agents are several flows that do not excite each other.

    The default has the proportions of a lively stock: of nine events one is a trade, five are limit orders, three
    cancels; the branching ratio is .77. Trades excite trades of their side and new orders on both, cancels are answered
    by new orders: the form of what ``ms.analysis.fit_hawkes`` finds on a recorded day (docs/order-flow.md).
    """

    base_rates: tuple[float, ...] = field(
        default=(0.1, 0.1, 0.36, 0.36, 0.07, 0.07),
        metadata={"unit": "rate", "help": "events a second of each kind that nothing has excited"},
    )
    branching: tuple[tuple[float, ...], ...] = field(
        default=_DEFAULT_BRANCHING,
        metadata={"help": "events of each kind (row) that an event of each kind (column) excites"},
    )
    decays: tuple[float, ...] = field(
        default=(5.0,),
        metadata={"unit": "rate", "help": "1/mean time of the excitation of each kind; one for all, or six"},
    )
    quantity: float = field(default=20.0, metadata=QUANTITY)
    sizes: Sizes = field(default="geometric", metadata=SIZES)
    sigma: float = field(default=1.0, metadata=SIGMA)
    improve_share: float = field(default=0.2, metadata={"help": "share of limit orders that improve the spread"})
    distance: float = field(default=4.0, metadata={"help": "mean distance of other limit orders from the best, ticks"})
    lifetime: int | str | None = field(
        default="2min",
        metadata={"unit": "duration", "help": "mean time after which an order is taken back; null: never"},
    )
    first_orders: int = field(default=50, metadata={"help": "orders on each side of the first book"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(hawkes_flow_policy)

    def __post_init__(self) -> None:
        self._check_process()
        check_size(self)
        to_share(self, "improve_share")
        to_number(self, "distance", low=0.0, high=1e9)
        to_duration(self, "lifetime")
        to_whole(self, "first_orders", low=0, high=100_000)

    def _check_process(self) -> None:
        self.base_rates = _rates("base_rates", self.base_rates, (KINDS,))
        self.decays = _rates("decays", self.decays, (1, KINDS))
        if sum(self.base_rates) <= 0.0:
            raise InvalidValueError("base_rates: all are 0/s, so nothing ever happens; give one of them more")
        if min(self.decays) <= 0.0:
            raise InvalidValueError("decays: 0/s never falls; use more, such as 5/s for a mean time of 200ms")
        self.branching = _matrix(self.branching)
        ratio = self.branching_ratio()
        if ratio >= 1.0:
            raise InvalidValueError(
                f"branching: its spectral radius is {ratio:.4g}: events excite more and more of them without end; "
                f"scale the matrix by less than {1.0 / ratio:.3g}"
            )
        if self.mean_rates().sum() > _MOST:
            raise InvalidValueError(
                f"base_rates: they make {self.mean_rates().sum():.3g} events/s; at most 1e8 are possible"
            )

    def branching_ratio(self) -> float:
        """The spectral radius of the matrix: which part of all events is excited by others, where kinds are alike."""
        return float(np.abs(np.linalg.eigvals(np.array(self.branching))).max())

    def mean_rates(self) -> NDArray[np.float64]:
        """Events a second of each kind in the long run, (1 − branching)⁻¹ · base_rates."""
        mean: NDArray[np.float64] = np.linalg.solve(np.eye(KINDS) - np.array(self.branching), self.base_rates)
        return mean

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        decays = np.broadcast_to(np.array(self.decays) / SECOND, (KINDS,))
        rows["baseline"] = np.array(self.base_rates) / SECOND
        rows["fall"] = decays
        rows["jump"] = (np.array(self.branching) * decays[:, None]).reshape(-1)
        rows["improve_share"] = self.improve_share
        rows["decay"] = math.log(self.distance / (1.0 + self.distance)) if self.distance > 0.0 else 0.0
        rows["life"] = 0.0 if self.lifetime is None else float(self.lifetime)
        rows["first_orders"] = self.first_orders
        rows["bid"], rows["ask"] = instrument.reference - 1, instrument.reference + 1
        fill_size(rows, self)


def _rates(name: str, values: object, lengths: tuple[int, ...]) -> tuple[float, ...]:
    listed = list(values) if isinstance(values, (list, tuple, np.ndarray)) else [values]
    if len(listed) not in lengths:
        wanted = " or ".join(map(str, lengths))
        raise InvalidValueError(f"{name}: {len(listed)} rates; write {wanted}, in the order {', '.join(EVENTS)}")
    try:
        return tuple(rate(value) for value in listed)
    except InvalidValueError as error:
        raise InvalidValueError(f"{name}: {error}") from None


def _matrix(values: object) -> tuple[tuple[float, ...], ...]:
    try:
        matrix = np.array(values, np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.shape != (KINDS, KINDS):
        raise InvalidValueError(f"branching: write {KINDS} rows of {KINDS} numbers, in the order {', '.join(EVENTS)}")
    if not np.isfinite(matrix).all() or (matrix < 0.0).any():
        raise InvalidValueError("branching: a number of events that are excited is finite and not below 0")
    return tuple(tuple(map(float, row)) for row in matrix)
