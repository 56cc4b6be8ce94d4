"""Observations: what a learner is told, as small objects that are added to each other.

``Inventory() + TimeLeft() + Spread()`` is one observation of three numbers; ``2 * Spread()`` is the same number twice
as large. Each is a dataclass whose fields are its parameters, has bounds, and reads from a ``Seat``, that is from what
has come over the learner's own data link. Values are cut to the bounds. Write your own: subclass ``Observation``, say
``low``, ``high`` and ``size``, and answer numbers in ``read``. An observation never acts and never looks ahead.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from marketsim.agents.estimators import OrderFlowImbalance, RealizedVolatility
from marketsim.domain.market_data import Quote, TradePrint
from marketsim.domain.order import Side
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError
from marketsim.gym.checks import to_positive, to_tuple, to_whole
from marketsim.gym.seat import Seat

Numbers = float | Sequence[float]
_BUY, _SELL = Side.BUY, Side.SELL


class Observation:
    """Base of all observations: ``size`` numbers, each from ``low`` to ``high``.

    needs: market data besides quotes that it looks at: "trades", "levels".
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    low: float = -1.0
    high: float = 1.0

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return 1

    def bounds(self) -> list[tuple[float, float]]:
        """(low, high) of each number."""
        return [(self.low, self.high)] * self.size

    def labels(self) -> list[str]:
        """What each number is called."""
        name = type(self).__name__
        return [name] if self.size == 1 else [f"{name}.{place}" for place in range(self.size)]

    def parts(self) -> tuple[Observation, ...]:
        """The observations that it is made of, itself last: all may hear market data and have needs."""
        return (self,)

    def begin(self, seat: Seat) -> None:
        """An episode begins: forget the one before."""

    def heard_quote(self, quote: Quote) -> None:
        """A quote arrived, also during the warm-up."""

    def heard_trade(self, trade: TradePrint) -> None:
        """A trade was told; only where "trades" are among the needs."""

    def read(self, seat: Seat) -> Numbers:
        """The numbers now: called once when an episode begins, and once after each step."""
        raise NotImplementedError(f"{type(self).__name__} tells nothing: write read(seat)")

    def __add__(self, other: object) -> Observation:
        if not isinstance(other, Observation):
            return NotImplemented
        return Together((*_members(self), *_members(other)))

    def __mul__(self, factor: float) -> Observation:
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            return NotImplemented
        return Times(self, float(factor))

    __rmul__ = __mul__


def _members(observation: Observation) -> tuple[Observation, ...]:
    return observation.of if isinstance(observation, Together) else (observation,)


@dataclass
class Together(Observation):
    """Several observations, one after the other. ``a + b`` makes one."""

    of: tuple[Observation, ...]

    @property
    def size(self) -> int:
        """All of theirs."""
        return sum(part.size for part in self.of)

    def bounds(self) -> list[tuple[float, float]]:
        """Each one's own."""
        return [bound for part in self.of for bound in part.bounds()]

    def labels(self) -> list[str]:
        """Each one's own."""
        return [label for part in self.of for label in part.labels()]

    def parts(self) -> tuple[Observation, ...]:
        """All of theirs, and itself."""
        return (*(inner for part in self.of for inner in part.parts()), self)

    def begin(self, seat: Seat) -> None:
        """Each one begins."""
        for part in self.of:
            part.begin(seat)

    def read(self, seat: Seat) -> Numbers:
        """Each one's numbers."""
        numbers: list[float] = []
        for part in self.of:
            told = part.read(seat)
            if isinstance(told, float):
                numbers.append(told)
            else:
                numbers.extend(_listed(told))
        return numbers


@dataclass
class Times(Observation):
    """An observation multiplied by a number, its bounds with it. ``2 * a`` makes one."""

    of: Observation
    factor: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor) or self.factor == 0.0:
            raise InvalidValueError(f"factor {self.factor}: multiply an observation by a finite number that is not 0")

    @property
    def size(self) -> int:
        """That of the one."""
        return self.of.size

    def bounds(self) -> list[tuple[float, float]]:
        """Those of the one, multiplied."""
        return [
            (min(self.factor * a, self.factor * b), max(self.factor * a, self.factor * b)) for a, b in self.of.bounds()
        ]

    def labels(self) -> list[str]:
        """Those of the one."""
        return self.of.labels()

    def parts(self) -> tuple[Observation, ...]:
        """The one's, and itself."""
        return (*self.of.parts(), self)

    def begin(self, seat: Seat) -> None:
        """It begins."""
        self.of.begin(seat)

    def read(self, seat: Seat) -> Numbers:
        """Its numbers, multiplied."""
        return [self.factor * number for number in _listed(self.of.read(seat))]


@dataclass
class History(Observation):
    """An observation as it was at the last ``steps`` ends of a step, the latest first; before the beginning zeros."""

    of: Observation
    steps: int = field(default=5, metadata={"help": "how many"})

    def __post_init__(self) -> None:
        to_whole(self, "steps")
        self._past: deque[float] = deque()

    @property
    def size(self) -> int:
        """That of the one for each step."""
        return self.of.size * self.steps

    def bounds(self) -> list[tuple[float, float]]:
        """Those of the one, widened to hold 0."""
        return [(min(low, 0.0), max(high, 0.0)) for low, high in self.of.bounds()] * self.steps

    def labels(self) -> list[str]:
        """Those of the one with how many steps back."""
        return [f"{label}[-{back}]" if back else label for back in range(self.steps) for label in self.of.labels()]

    def parts(self) -> tuple[Observation, ...]:
        """The one's, and itself."""
        return (*self.of.parts(), self)

    def begin(self, seat: Seat) -> None:
        """Nothing is remembered."""
        self.of.begin(seat)
        self._past = deque([0.0] * self.size, maxlen=self.size)

    def read(self, seat: Seat) -> Numbers:
        """The latest, and those before."""
        self._past.extendleft(reversed(_listed(self.of.read(seat))))
        return list(self._past)


@dataclass
class Observe(Observation):
    """A function of the seat, such as ``Observe(lambda seat: seat.position / 100, low=-10, high=10)``."""

    function: Callable[[Seat], Numbers]
    low: float = -1.0
    high: float = 1.0
    count: int = 1
    label: str = "own"

    @property
    def size(self) -> int:
        """As many as was said."""
        return self.count

    def labels(self) -> list[str]:
        """What was said."""
        return [self.label] if self.count == 1 else [f"{self.label}.{place}" for place in range(self.count)]

    def read(self, seat: Seat) -> Numbers:
        """What the function answers."""
        return self.function(seat)


# --- the participant ---


@dataclass
class Inventory(Observation):
    """Position q in units of ``unit`` lots: q / unit, from −``most`` to ``most``."""

    unit: float = field(default=100.0, metadata={"help": "lots that count as 1"})
    most: float = field(default=10.0, metadata={"help": "where it is cut"})

    def __post_init__(self) -> None:
        to_positive(self, "unit", "most")
        self.low, self.high = -self.most, self.most

    def read(self, seat: Seat) -> float:
        """Its position as reports have told."""
        return seat.position / self.unit


@dataclass
class TimeLeft(Observation):
    """Share of the episode that is left: (T − t) / (T − t₀), from 1 to 0."""

    low = 0.0

    def read(self, seat: Seat) -> float:
        """By the clock."""
        return seat.time_left


@dataclass
class ProfitSoFar(Observation):
    """Profit since the episode began, after fees, at the venue's mid, in units of ``unit`` of currency."""

    unit: float = field(default=100.0, metadata={"help": "currency that counts as 1"})
    most: float = field(default=10.0, metadata={"help": "where it is cut"})

    def __post_init__(self) -> None:
        to_positive(self, "unit", "most")
        self.low, self.high = -self.most, self.most

    def read(self, seat: Seat) -> float:
        """As reports have told."""
        return seat.pnl / self.unit


@dataclass
class OwnQuotes(Observation):
    """Own best orders: distance of the bid and of the ask from the mid, and lots of each.

    Four numbers: (mid − bid) / ``ticks``, (ask − mid) / ``ticks``, lots / ``lots`` of both; 0 where there is no order.
    """

    ticks: float = field(default=10.0, metadata={"help": "ticks that count as 1"})
    lots: float = field(default=100.0, metadata={"help": "lots that count as 1"})
    most: float = field(default=5.0, metadata={"help": "where it is cut"})

    def __post_init__(self) -> None:
        to_positive(self, "ticks", "lots", "most")
        self.low, self.high = -self.most, self.most

    @property
    def size(self) -> int:
        """Four."""
        return 4

    def labels(self) -> list[str]:
        """By side."""
        return ["OwnBid", "OwnAsk", "OwnBidLots", "OwnAskLots"]

    def read(self, seat: Seat) -> list[float]:
        """Orders that may still trade, as far as is known."""
        bid = ask = None
        for order in seat.session.broker.open_orders():
            if order.side is _BUY and (bid is None or order.price > bid.price):
                bid = order
            elif order.side is _SELL and (ask is None or order.price < ask.price):
                ask = order
        return [
            0.0 if bid is None else (seat.mid - bid.price) / self.ticks,
            0.0 if ask is None else (ask.price - seat.mid) / self.ticks,
            0.0 if bid is None else bid.leaves / self.lots,
            0.0 if ask is None else ask.leaves / self.lots,
        ]


@dataclass
class Remaining(Observation):
    """Share of the mandate that is not filled yet: (Q − done) / Q, from 0 to 1."""

    low = 0.0

    def read(self, seat: Seat) -> float:
        """As reports have told."""
        mandate = seat.mandate
        return seat.remaining / mandate.quantity if mandate is not None else float(seat.remaining)


@dataclass
class Behind(Observation):
    """How far the mandate lies behind an even schedule: remaining share less share of time left, from −1 to 1."""

    def read(self, seat: Seat) -> float:
        """Above 0: too slow."""
        mandate = seat.mandate
        return (seat.remaining / mandate.quantity if mandate is not None else float(seat.remaining)) - seat.time_left


@dataclass
class SinceArrival(Observation):
    """The mid's way since the mandate was given, in units of ``ticks``, positive where it got worse."""

    ticks: float = field(default=10.0, metadata={"help": "ticks that count as 1"})
    most: float = field(default=10.0, metadata={"help": "where it is cut"})

    def __post_init__(self) -> None:
        to_positive(self, "ticks", "most")
        self.low, self.high = -self.most, self.most

    def read(self, seat: Seat) -> float:
        """Side · (mid − arrival)."""
        mandate = seat.mandate
        return 0.0 if mandate is None else mandate.side * (seat.mid - mandate.arrival) / self.ticks


# --- the market ---


@dataclass
class Spread(Observation):
    """What others show between bid and ask, in units of ``ticks``, from 0 to ``most``."""

    ticks: float = field(default=1.0, metadata={"help": "ticks that count as 1"})
    most: float = field(default=20.0, metadata={"help": "where it is cut"})
    low = 0.0

    def __post_init__(self) -> None:
        to_positive(self, "ticks", "most")
        self.high = self.most

    def read(self, seat: Seat) -> float:
        """The last one known."""
        return seat.spread / self.ticks


@dataclass
class Imbalance(Observation):
    """(bid − ask) / (bid + ask) of the lots at the best prices, own ones included, from −1 to 1; 0 without a quote.

    It is also the microprice's distance from the mid in half spreads.
    """

    def read(self, seat: Seat) -> float:
        """Of the latest quote."""
        quote = seat.quote
        return 0.0 if quote is None else 2.0 * quote.imbalance - 1.0


@dataclass
class MidReturns(Observation):
    """The mid's moves over the last ``steps`` steps, the latest first, in units of ``ticks``."""

    steps: int = field(default=5, metadata={"help": "how many moves"})
    ticks: float = field(default=1.0, metadata={"help": "ticks that count as 1"})
    most: float = field(default=20.0, metadata={"help": "where it is cut"})

    def __post_init__(self) -> None:
        to_whole(self, "steps")
        to_positive(self, "ticks", "most")
        self.low, self.high = -self.most, self.most
        self._mids: deque[float] = deque()

    @property
    def size(self) -> int:
        """One a step."""
        return self.steps

    def begin(self, seat: Seat) -> None:
        """No moves yet."""
        self._mids = deque([seat.mid] * (self.steps + 1), maxlen=self.steps + 1)

    def read(self, seat: Seat) -> list[float]:
        """Mid less the one before."""
        mids = self._mids
        mids.appendleft(seat.mid)
        return [(mids[place] - mids[place + 1]) / self.ticks for place in range(self.steps)]


@dataclass
class Momentum(Observation):
    """The mid less its exponential average over ``memory``, in units of ``ticks``."""

    memory: int | str = field(default="1min", metadata={"unit": "duration", "help": "of the average"})
    ticks: float = field(default=5.0, metadata={"help": "ticks that count as 1"})
    most: float = field(default=10.0, metadata={"help": "where it is cut"})

    def __post_init__(self) -> None:
        self.memory = _duration(self, "memory")
        to_positive(self, "ticks", "most")
        self.low, self.high = -self.most, self.most
        self._average = 0.0

    def begin(self, seat: Seat) -> None:
        """The average is the mid."""
        self._average = seat.mid

    def read(self, seat: Seat) -> float:
        """After the step's weight, 1 − e^(−Δt / memory), went to the average."""
        kept = math.exp(-seat.dt * 1e9 / int(self.memory))
        self._average = kept * self._average + (1.0 - kept) * seat.mid
        return (seat.mid - self._average) / self.ticks


@dataclass
class Volatility(Observation):
    """Realized volatility in units of ``ticks`` a √second, measured on every quote over ``memory``; from 0 to ``most``.

    See ``agents.estimators.RealizedVolatility``. The warm-up counts.
    """

    memory: int | str = field(default="1min", metadata={"unit": "duration", "help": "over which it is measured"})
    ticks: float = field(default=1.0, metadata={"help": "ticks a √second that count as 1"})
    most: float = field(default=10.0, metadata={"help": "where it is cut"})
    low = 0.0

    def __post_init__(self) -> None:
        self.memory = _duration(self, "memory")
        to_positive(self, "ticks", "most")
        self.high = self.most
        self._measured = RealizedVolatility(memory=int(self.memory))

    def heard_quote(self, quote: Quote) -> None:
        """The mid moved."""
        if quote.two_sided:
            self._measured.update(quote.time, quote.mid)

    def read(self, seat: Seat) -> float:
        """Now."""
        return self._measured.value / self.ticks


@dataclass
class OrderFlow(Observation):
    """Order-flow imbalance of the best quotes in the last step, in units of ``lots`` (Cont, Kukanov and Stoikov 2014).

    Positive where buyers press; see ``agents.estimators.OrderFlowImbalance``.
    """

    lots: float = field(default=100.0, metadata={"help": "lots that count as 1"})
    most: float = field(default=10.0, metadata={"help": "where it is cut"})

    def __post_init__(self) -> None:
        to_positive(self, "lots", "most")
        self.low, self.high = -self.most, self.most
        self._flow, self._sum = OrderFlowImbalance(), 0

    def heard_quote(self, quote: Quote) -> None:
        """The best quotes changed."""
        self._sum += self._flow.update(quote)

    def begin(self, seat: Seat) -> None:
        """From here on."""
        self._sum = 0

    def read(self, seat: Seat) -> float:
        """Since it was read last."""
        told, self._sum = self._sum / self.lots, 0
        return told


@dataclass
class TradeFlow(Observation):
    """Lots that aggressors bought less what they sold in the last step, in units of ``lots``."""

    lots: float = field(default=100.0, metadata={"help": "lots that count as 1"})
    most: float = field(default=10.0, metadata={"help": "where it is cut"})
    needs: ClassVar[frozenset[str]] = frozenset({"trades"})

    def __post_init__(self) -> None:
        to_positive(self, "lots", "most")
        self.low, self.high = -self.most, self.most

    def read(self, seat: Seat) -> float:
        """Of the trades that were told."""
        return sum(trade.side * trade.quantity for trade in seat.trades) / self.lots


@dataclass
class Depth(Observation):
    """Lots at the best ``levels`` prices of both sides, bids first: ln(1 + lots / ``lots``), 0 where there is none."""

    levels: int = field(default=5, metadata={"help": "prices of each side"})
    lots: float = field(default=100.0, metadata={"help": "lots that count as 1 before the logarithm"})
    most: float = field(default=10.0, metadata={"help": "where it is cut"})
    needs: ClassVar[frozenset[str]] = frozenset({"levels"})
    low = 0.0

    def __post_init__(self) -> None:
        to_whole(self, "levels")
        to_positive(self, "lots", "most")
        self.high = self.most

    @property
    def size(self) -> int:
        """Two sides."""
        return 2 * self.levels

    def labels(self) -> list[str]:
        """By side and level."""
        return [f"{side}Depth.{place}" for side in ("Bid", "Ask") for place in range(self.levels)]

    def read(self, seat: Seat) -> list[float]:
        """From the book as the feed has told it."""
        book = seat.book
        if book is None:
            return [0.0] * self.size
        sides = (book.best_bids(self.levels), book.best_asks(self.levels))
        return [number for side in sides for number in self._side(side)]

    def _side(self, levels: list[tuple[int, int]]) -> list[float]:
        told = [math.log1p(quantity / self.lots) for _, quantity in levels]
        return told + [0.0] * (self.levels - len(told))


@dataclass
class Feed(Observation):
    """How far an information feed's value lies above the mid, in units of ``ticks``; the seat must be subscribed."""

    name: str = field(metadata={"help": "the feed, as the scenario calls it"})
    ticks: float = field(default=10.0, metadata={"help": "ticks that count as 1"})
    most: float = field(default=20.0, metadata={"help": "where it is cut"})

    def __post_init__(self) -> None:
        to_positive(self, "ticks", "most")
        self.low, self.high = -self.most, self.most

    def read(self, seat: Seat) -> float:
        """(value − mid) / ticks."""
        return (seat.session.feed(self.name).value(seat.now) - seat.mid) / self.ticks


# --- the whole ---


class Reader:
    """An observation of one seat as an array: its space, and its values cut to the space.

    Each episode has a reader of its own (``fresh``): what an observation remembers ends with the episode.
    """

    def __init__(self, observation: Observation) -> None:
        _check(observation)
        self._template = observation
        self.observation = copy.deepcopy(observation)
        bounds = np.array(self.observation.bounds(), np.float32).reshape(-1, 2)
        if len(bounds) == 0:
            raise InvalidValueError("an observation of nothing: add at least one, such as Inventory()")
        if not np.isfinite(bounds).all() or (bounds[:, 0] >= bounds[:, 1]).any():
            raise InvalidValueError(f"{type(observation).__name__}: its bounds must be finite, low below high")
        self.space = Box(bounds[:, 0], bounds[:, 1], dtype=np.float32)
        self._low, self._high = self.space.low, self.space.high
        self.needs = frozenset(need for part in self.observation.parts() for need in part.needs)

    def fresh(self) -> Reader:
        """The same, remembering nothing."""
        other = copy.copy(self)
        other.observation = copy.deepcopy(self._template)
        return other

    @property
    def ears(self) -> list[Observation]:
        """Those of its parts that hear market data as it arrives."""
        return [part for part in self.observation.parts() if _listens(part)]

    def read(self, seat: Seat) -> NDArray[np.float32]:
        """Now."""
        told = np.array(_listed(self.observation.read(seat)), np.float32)
        if told.shape != self._low.shape:
            raise InvalidValueError(
                f"{type(self.observation).__name__} answered {told.size} numbers, and its size says {self._low.size}"
            )
        result: NDArray[np.float32] = np.minimum(np.maximum(told, self._low), self._high)
        if math.isnan(result.sum()):
            labels = self.observation.labels()
            wrong = ", ".join(labels[place] for place in np.flatnonzero(np.isnan(result)))
            raise InvalidValueError(f"the observation {wrong} is not a number: answer a finite one in read()")
        return result


def _check(observation: Observation) -> None:
    """InvalidValueError unless each of its parts tells something."""
    for part in observation.parts():
        if getattr(part.read, "__func__", None) is Observation.read:
            raise InvalidValueError(
                f"the observation {type(part).__name__} tells nothing: write read(self, seat) in it, which returns a "
                "number, or as many as its size says"
            )


def _listens(part: Observation) -> bool:
    kind = type(part)
    return kind.heard_quote is not Observation.heard_quote or kind.heard_trade is not Observation.heard_trade


def combined(given: Observation | Iterable[Observation]) -> Observation:
    """An observation as it is, or a list of them as one."""
    if isinstance(given, Observation):
        return given
    listed = to_tuple(given)
    for part in listed:
        if not isinstance(part, Observation):
            raise InvalidValueError(
                f"{part!r} is no observation: give one such as Inventory(), a list of them, or one of your own: "
                "subclass gym.Observation and write read(seat)"
            )
    return Together(listed)


def _listed(told: Numbers) -> Sequence[float]:
    return [told] if isinstance(told, int | float | np.number) else told


def _duration(thing: Any, name: str) -> int:
    value = duration(getattr(thing, name))
    if value <= 0:
        raise InvalidValueError(f"{name}: {getattr(thing, name)!r} must be above zero")
    return value
