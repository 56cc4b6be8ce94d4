"""Queue-reactive order flow: limit orders, cancels and market orders whose rates depend on the size of their queue.

One agent is a whole market. It is the model of Huang, Lehalle and Rosenbaum 2015 (Simulating and analyzing order book
data: the queue-reactive model, J. American Statistical Association 110): around a reference price, which lies between
two ticks, there are the queues Q(±1) … Q(±K), at distances of 1/2, 3/2 … ticks. Sizes are counted in units of the
average event, ``quantity`` lots. At a queue i of size n

    limit orders arrive at the rate λ_L(i, n), cancels at λ_C(i, n), market orders at λ_M(i, n)

independently of all other queues (their model I), save that a market order meets the first queue that is not empty: so
λ_M(i, ·) counts only while all queues before i are empty, while i is exposed. With tables of their own for exposed
queues, limit orders and cancels too depend on whether there is anything before them (model IIa). While the reference
price rests, the size of the first queue is a birth and death process, with the stationary law

    π(n) = π(0) · Π_{j = 1 … n} λ_L(j − 1) / (λ_C(j) + λ_M(j)).

The reference price moves (their model III): whenever the mid price rises and Q(+1) is empty, it rises by a tick with
probability ``theta``; in the mirror image it falls. Every queue is then one nearer or farther, and the farthest is
drawn from its stationary law. With probability ``theta_reinit`` the whole book is drawn anew around the new price
instead.

Rates are drawn by thinning, a clock for the fastest that can be. It is exact whatever else trades: the size of a best
queue is what the venue quotes, others' orders included; behind it the agent counts its own orders.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marketsim.agents.checks import to_number, to_share, to_whole
from marketsim.domain.event import EventKind
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
    cancel_everything,
    cancel_lots,
    limit_order,
    market_order,
    subscribe,
    wake_at,
)
from marketsim.population.state import WORKING

QUEUES = 8  # the most on each side
SIZES = 64  # sizes 0 … 63 have rates of their own, larger ones those of the last
_DRAWN = 256  # sizes that a queue may be drawn with
_MOST = 1e8  # events a second
_START, _WAKE, _QUOTE = int(Kind.START), int(Kind.WAKE), int(Kind.QUOTE)
_ACCEPTED = int(Kind.REPORT) + int(EventKind.ACCEPTED)
_REJECTED = int(Kind.REPORT) + int(EventKind.REJECTED)
_WHEN, _WHERE, _WHAT, _WHICH, _SIZE, _MOVE, _ANEW = (
    purpose_of(name) for name in ("when", "where", "what", "which", "size", "move", "anew")
)

Tables: TypeAlias = tuple[tuple[float, ...], ...]

STATE = np.dtype(
    [
        ("pause", np.float64),  # mean ns between ticks of the clock
        ("fastest", np.float64),  # events a ns of the fastest queue
        ("queues", np.int64),  # on each side
        ("limit", np.float64, (QUEUES * SIZES,)),  # events a ns, at (i − 1) · SIZES + n
        ("cancel", np.float64, (QUEUES * SIZES,)),
        ("market", np.float64, (QUEUES * SIZES,)),
        ("exposed_limit", np.float64, (QUEUES * SIZES,)),  # while all queues before it are empty
        ("exposed_cancel", np.float64, (QUEUES * SIZES,)),
        ("law", np.float64, (QUEUES * _DRAWN,)),  # probability that a queue drawn anew holds up to n units
        ("theta", np.float64),
        ("theta_reinit", np.float64),
        ("quantity", np.int64),  # lots of a unit
        ("below", np.int64),  # the tick below the reference price
        ("draw", np.int64),  # ticks of the clock
        ("made", np.int64),  # queues drawn anew
        ("moves", np.int64),  # changes of the mid that might have moved the reference price
        ("last", np.int64),  # order after whose acceptance the book stands; 0 once it does
        ("middle", np.int64),  # bid + ask as last judged; 0 for none
        ("bid", np.int64),  # last quotes, ticks and lots
        ("ask", np.int64),
        ("bid_quantity", np.int64),
        ("ask_quantity", np.int64),
    ]
)


@compiled
def queue_reactive_policy(me: Record, seen: Record, out: Record) -> int:
    """Orders on the ticks of a clock, the reference price on quotes."""
    if seen.kind == _WAKE:
        me.draw += 1
        _schedule(me, seen, out)
        if me.last == 0:
            _tick(me, seen, out)
    elif seen.kind == _QUOTE:
        _note_quote(me, seen)
        if me.last == 0:
            _judge_move(me, seen, out)
    elif (seen.kind == _ACCEPTED or seen.kind == _REJECTED) and seen.order_id == me.last:
        me.last = 0
        me.middle = me.bid + me.ask if me.bid_quantity > 0 and me.ask_quantity > 0 else 0
    elif seen.kind == _START:
        subscribe(out, QUOTES)
        _draw_book(me, seen, out)
        _schedule(me, seen, out)
    return 0


@compiled
def _schedule(me: Record, seen: Record, out: Record) -> None:
    wake_at(out, seen.now + 1 + int(me.pause * exponential(seen.key, _WHEN, me.draw)))


@compiled
def _note_quote(me: Record, seen: Record) -> None:
    me.bid = seen.bid
    me.ask = seen.ask
    me.bid_quantity = seen.bid_quantity
    me.ask_quantity = seen.ask_quantity


@compiled
def _tick(me: Record, seen: Record, out: Record) -> None:
    """One queue, each equally likely, has an event with the probability of its rates over the fastest."""
    where = below(seen.key, _WHERE, me.draw, 2 * me.queues)
    side = 1 if where < me.queues else -1
    number = where % me.queues
    price = _price_of(me, side, number)
    own = _own_units(me, out, side, price)
    size = _size_of(me, side, price, own)
    place = number * SIZES + min(size, SIZES - 1)
    exposed = _is_exposed(me, side, price)
    rest = me.fastest * uniform(seen.key, _WHAT, me.draw)
    rest -= me.exposed_limit[place] if exposed else me.limit[place]
    if rest < 0.0:
        if price > 0:
            limit_order(out, side, price, me.quantity)
        return
    if size == 0:
        return
    leaving = me.exposed_cancel[place] if exposed else me.cancel[place]
    rest -= leaving * min(own, size) / size  # others cancel their part by themselves
    if rest < 0.0:
        _cancel_unit(me, seen, out, side, price, below(seen.key, _WHICH, me.draw, own))
        return
    if rest < me.market[place] and _is_best(me, side, price):
        market_order(out, -side, me.quantity)


@compiled
def _price_of(me: Record, side: int, number: int) -> int:
    """Of the bids below the reference price, or the offers above it; ``number`` counts from 0."""
    return me.below - number if side > 0 else me.below + 1 + number


@compiled
def _own_units(me: Record, out: Record, side: int, price: int) -> int:
    working = array_at(out.working, out.working_length, WORKING)
    lots = 0
    slot = out.first_working
    while slot != 0:
        if working[slot].side == side and working[slot].price == price:
            lots += working[slot].leaves
        slot = working[slot].next
    return (lots + me.quantity - 1) // me.quantity


@compiled
def _is_best(me: Record, side: int, price: int) -> bool:
    if side > 0:
        return me.bid_quantity > 0 and me.bid == price
    return me.ask_quantity > 0 and me.ask == price


@compiled
def _is_exposed(me: Record, side: int, price: int) -> bool:
    """Whether nobody bids more, or offers for less."""
    if side > 0:
        return me.bid_quantity == 0 or me.bid <= price
    return me.ask_quantity == 0 or me.ask >= price


@compiled
def _size_of(me: Record, side: int, price: int, own: int) -> int:
    """Units at a price: as quoted where that is the best, else one's own."""
    if not _is_best(me, side, price):
        return own
    quoted = me.bid_quantity if side > 0 else me.ask_quantity
    return max(own, (quoted + me.quantity - 1) // me.quantity)


@compiled
def _cancel_unit(me: Record, seen: Record, out: Record, side: int, price: int, unit: int) -> None:
    """One of the own units at a price."""
    working = array_at(out.working, out.working_length, WORKING)
    left = unit * me.quantity
    slot = out.first_working
    while slot != 0:
        order = working[slot]
        if order.side == side and order.price == price:
            if left < order.leaves:
                cancel_lots(out, order.order_id, min(me.quantity, order.leaves))
                return
            left -= order.leaves
        slot = order.next


@compiled
def _judge_move(me: Record, seen: Record, out: Record) -> None:
    """The mid has changed: where the first queue on that side is empty, the reference price may follow."""
    if me.bid_quantity == 0 or me.ask_quantity == 0:
        return
    middle = me.bid + me.ask
    before = me.middle
    me.middle = middle
    if before == 0 or middle == before:
        return
    up = middle > before
    if (up and me.ask <= me.below + 1) or (not up and me.bid >= me.below):
        return
    me.moves += 1
    if uniform(seen.key, _MOVE, me.moves) >= me.theta:
        return
    me.below += 1 if up else -1
    if uniform(seen.key, _ANEW, me.moves) < me.theta_reinit:
        cancel_everything(out)
        _draw_book(me, seen, out)
    else:
        _shift(me, seen, out, -1 if up else 1)


@compiled
def _shift(me: Record, seen: Record, out: Record, side: int) -> None:
    """The queues of one side are a tick nearer, and a new one is the farthest; those of the other side are farther."""
    _draw_queue(me, seen, out, side, me.queues - 1)
    working = array_at(out.working, out.working_length, WORKING)
    beyond = _price_of(me, -side, me.queues)
    slot = out.first_working
    while slot != 0:
        if working[slot].side == -side and working[slot].price == beyond:
            cancel_lots(out, working[slot].order_id, 0)
        slot = working[slot].next


@compiled
def _draw_book(me: Record, seen: Record, out: Record) -> None:
    """All queues from their stationary laws; nothing else happens until the last is in the book."""
    for number in range(me.queues):
        for side in (1, -1):
            order_id = _draw_queue(me, seen, out, side, number)
            if order_id != 0:
                me.last = order_id


@compiled
def _draw_queue(me: Record, seen: Record, out: Record, side: int, number: int) -> int:
    """One order as large as a queue is by its law; answers its id, 0 for none."""
    me.made += 1
    draw = uniform(seen.key, _SIZE, me.made)
    size = 0
    while size < _DRAWN - 1 and me.law[number * _DRAWN + size] <= draw:
        size += 1
    price = _price_of(me, side, number)
    if size == 0 or price <= 0:
        return 0
    return limit_order(out, side, price, size * me.quantity)


@dataclass
class QueueReactive(CompiledAgent):
    """The queue-reactive market of Huang, Lehalle and Rosenbaum: rates that depend on the size of each queue.

    There are as many queues on each side as ``limit_rates`` has numbers; those of both sides are alike. At queue i of
    size n, in units of ``quantity`` lots,

        λ_L(n) = limit_rates[i]·(1 − (1 − limit_empty)·exp(−n/limit_scale)),
        λ_C(n) = cancel_rates[i]·n^cancel_power,
        λ_M(n) = market_rates[i]·exp(−(n − 1)/market_scale) for n > 0,

    up to size 63, beyond which they stay. A table gives the rates themselves: ``limit_table``[i][n] for n = 0, 1, 2 …,
    the last for all larger sizes; where there is a table its formula is not used. The tables of exposed queues are used
    in place of the others while all queues before theirs are empty, so a row for the first queue always is. A queue to
    which more comes than goes at the largest sizes would grow without end, and is refused.

    The defaults have the shape that the paper finds for large-tick stocks: limit orders at the best come a little less
    often to an empty queue, cancels grow with the queue but more slowly than it, market orders become rarer the more
    there is to take. Their values are chosen, not calibrated. With ``theta`` 0 the reference price rests at half a tick
    above the instrument's.
    """

    limit_rates: tuple[float, ...] = field(
        default=(2.0, 1.4, 1.0), metadata={"unit": "rate", "help": "limit orders a second at long queues 1, 2 …"}
    )
    cancel_rates: tuple[float, ...] = field(
        default=(0.45, 0.4, 0.35), metadata={"unit": "rate", "help": "cancels a second at queues 1, 2 … of one unit"}
    )
    market_rates: tuple[float, ...] = field(
        default=(1.2, 0.8, 0.6),
        metadata={"unit": "rate", "help": "market orders a second at queues 1, 2 … of one unit"},
    )
    limit_empty: float = field(
        default=0.7, metadata={"help": "rate of limit orders at an empty queue, of that at long ones"}
    )
    limit_scale: float = field(default=2.0, metadata={"help": "units over which limit orders reach their plateau"})
    cancel_power: float = field(default=0.7, metadata={"help": "power of the queue's size with which cancels grow"})
    market_scale: float = field(default=5.0, metadata={"help": "units over which market orders fall to 1/e"})
    limit_table: Tables = field(
        default=(), metadata={"unit": "rate", "help": "limit orders a second at queues 1, 2 … of 0, 1, 2 … units"}
    )
    cancel_table: Tables = field(
        default=(), metadata={"unit": "rate", "help": "cancels a second at queues 1, 2 … of 0, 1, 2 … units"}
    )
    market_table: Tables = field(
        default=(), metadata={"unit": "rate", "help": "market orders a second at queues 1, 2 … of 0, 1, 2 … units"}
    )
    exposed_limit_table: Tables = field(
        default=(),
        metadata={"unit": "rate", "help": "limit orders a second at exposed queues; the same where left out"},
    )
    exposed_cancel_table: Tables = field(
        default=(), metadata={"unit": "rate", "help": "cancels a second at exposed queues; the same where left out"}
    )
    quantity: int = field(default=100, metadata={"help": "lots of a unit, which every order holds"})
    theta: float = field(default=0.7, metadata={"help": "probability that the reference price follows the mid"})
    theta_reinit: float = field(default=0.85, metadata={"help": "probability that the book is drawn anew when it does"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(queue_reactive_policy)

    def __post_init__(self) -> None:
        for name in ("limit_rates", "cancel_rates", "market_rates"):
            setattr(self, name, tuple(_rate(name, value) for value in getattr(self, name)))
        for name in (f"{kind}_table" for kind in (*_KINDS, *_EXPOSED)):
            setattr(self, name, tuple(tuple(_rate(name, value) for value in row) for row in getattr(self, name)))
        to_share(self, "limit_empty", "theta", "theta_reinit")
        to_number(self, "limit_scale", "market_scale", low=0.0, high=1e6, open_low=True)
        to_number(self, "cancel_power", low=0.0, high=2.0)
        to_whole(self, "quantity", low=1, high=1_000_000)
        self._check_queues()

    def _check_queues(self) -> None:
        lengths = {name: len(getattr(self, f"{name}_table") or getattr(self, f"{name}_rates")) for name in _KINDS}
        if len(set(lengths.values())) > 1 or not 1 <= lengths["limit"] <= QUEUES:
            raise InvalidValueError(
                f"limit_rates: rates are given for {lengths['limit']} queues, cancels for {lengths['cancel']} and "
                f"market orders for {lengths['market']}; give all for the same 1 to {QUEUES}"
            )
        for name in _EXPOSED:
            rows = len(getattr(self, f"{name}_table"))
            if rows not in (0, lengths["limit"]):
                raise InvalidValueError(f"{name}_table: {rows} rows for {lengths['limit']} queues; write one for each")
        for name in (*_KINDS, *_EXPOSED):
            for row in getattr(self, f"{name}_table"):
                if not 1 <= len(row) <= SIZES:
                    raise InvalidValueError(f"{name}_table: a row holds {len(row)} rates; write 1 to {SIZES}")
        self._check_growth(self.rates("limit"), self.rates("cancel") + self.rates("market"))
        self._check_growth(self.rates("exposed_limit"), self.rates("exposed_cancel") + self.rates("market"))

    def _check_growth(self, limit: NDArray[np.float64], gone: NDArray[np.float64]) -> None:
        for number, (more, less) in enumerate(zip(limit[:, -1], gone[:, -1], strict=True), start=1):
            if more >= less:
                raise InvalidValueError(
                    f"limit_rates: at queue {number} {more:g} orders a second arrive when it is long, but only "
                    f"{less:g} leave, so it grows without end; lower limit_rates or raise cancel_rates"
                )
        if (gone[:, 1:] <= 0.0).any():
            number, size = (int(place[0]) + 1 for place in np.nonzero(gone[:, 1:] <= 0.0))
            raise InvalidValueError(
                f"cancel_rates: nothing leaves queue {number} when it holds {size}; give it cancels or market orders"
            )
        if 2 * len(limit) * float((limit + gone).max()) > _MOST:
            raise InvalidValueError(f"limit_rates: the rates together exceed {_MOST:g} a second; lower them")

    def rates(self, kind: str) -> NDArray[np.float64]:
        """Events a second of a kind: a row a queue, a column a size 0 … 63.

        kind: ``limit``, ``cancel``, ``market``, ``exposed_limit`` or ``exposed_cancel``.
        """
        table = getattr(self, f"{kind}_table")
        if kind in _EXPOSED and not table:
            return self.rates(kind.removeprefix("exposed_"))
        if table:
            found = np.array([[*row, *[row[-1]] * (SIZES - len(row))] for row in table])
        else:
            found = np.array(
                [[level * self._shape(kind, n) for n in range(SIZES)] for level in getattr(self, f"{kind}_rates")]
            )
        if "limit" not in kind:
            found[:, 0] = 0.0
        return found

    def _shape(self, kind: str, size: int) -> float:
        if kind == "limit":
            return 1.0 - (1.0 - self.limit_empty) * math.exp(-size / self.limit_scale)
        if kind == "cancel":
            return math.exp(self.cancel_power * math.log(size)) if size else 0.0
        return math.exp(-(size - 1) / self.market_scale)

    def law(self, queue: int, sizes: int = _DRAWN) -> NDArray[np.float64]:
        """The stationary law of the size of a queue (1, 2 …) that is always exposed: of 0 … sizes − 1 units.

        It holds for the first queue while the reference price rests; a queue drawn anew is drawn from it.
        """
        limit = self.rates("exposed_limit")[queue - 1]
        gone = (self.rates("exposed_cancel") + self.rates("market"))[queue - 1]
        last = SIZES - 1
        steps = [
            math.log(limit[min(n - 1, last)] / gone[min(n, last)]) if limit[min(n - 1, last)] > 0.0 else -math.inf
            for n in range(1, sizes)
        ]
        logarithm = np.concatenate(([0.0], np.cumsum(steps)))
        weight = np.exp(logarithm - logarithm.max())
        law: NDArray[np.float64] = weight / weight.sum()
        return law

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Write the parameters of ``rows``."""
        tables = {kind: self.rates(kind) for kind in (*_KINDS, *_EXPOSED)}
        count = len(tables["limit"])
        behind = tables["limit"] + tables["cancel"]
        fastest = float(np.maximum(behind, tables["exposed_limit"] + tables["exposed_cancel"] + tables["market"]).max())
        rows["fastest"], rows["pause"] = fastest / SECOND, SECOND / (2 * count * fastest)
        rows["queues"], rows["quantity"] = count, self.quantity
        for kind, table in tables.items():
            rows[kind][:, : count * SIZES] = table.reshape(-1) / SECOND
        laws = np.array([np.cumsum(self.law(number)) for number in range(1, count + 1)])
        rows["law"][:, : count * _DRAWN] = laws.reshape(-1)
        rows["theta"], rows["theta_reinit"] = self.theta, self.theta_reinit
        rows["below"] = instrument.reference


_KINDS = ("limit", "cancel", "market")
_EXPOSED = ("exposed_limit", "exposed_cancel")


def _rate(name: str, value: object) -> float:
    try:
        return rate(value)
    except InvalidValueError as error:
        raise InvalidValueError(f"{name}: {error}") from None
