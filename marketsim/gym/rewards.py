"""Rewards: what a step was worth, as small objects that are added to each other with weights.

``PnL() - 0.01 * InventoryPenalty()`` is one reward. Each is a dataclass whose fields are its parameters, and judges a
``Seat`` after each step; values are at the venue's own book, so that a slow data link does not hide a loss. Write your
own: subclass ``Reward`` and answer a number in ``value``. A reward never acts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.gym.checks import to_positive
from marketsim.gym.seat import Seat


class Reward:
    """Base of all rewards."""

    def begin(self, seat: Seat) -> None:
        """An episode begins: forget the one before."""

    def value(self, seat: Seat) -> float:
        """What the last step was worth: called once after each step."""
        raise NotImplementedError(f"{type(self).__name__} judges nothing: write value(seat)")

    def __add__(self, other: object) -> Reward:
        return Sum((*_terms(self), *_terms(other))) if isinstance(other, Reward) else NotImplemented

    def __sub__(self, other: object) -> Reward:
        return self + (-1.0 * other) if isinstance(other, Reward) else NotImplemented

    def __neg__(self) -> Reward:
        return -1.0 * self

    def __mul__(self, weight: float) -> Reward:
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            return NotImplemented
        return Sum(tuple((weight * own, reward) for own, reward in _terms(self)))

    __rmul__ = __mul__


def _terms(reward: Reward) -> tuple[tuple[float, Reward], ...]:
    return reward.terms if isinstance(reward, Sum) else ((1.0, reward),)


def check(reward: Reward) -> None:
    """InvalidValueError unless each of its terms says what a step is worth."""
    for _, term in _terms(reward):
        if getattr(term.value, "__func__", None) is Reward.value:
            raise InvalidValueError(
                f"the reward {type(term).__name__} judges nothing: write value(self, seat) in it, to return a number"
            )


def no_number(reward: Reward, told: object) -> InvalidValueError:
    """The error of a reward that told what is no number."""
    name = "the function of Judge" if isinstance(reward, Judge) else f"{type(reward).__name__}.value(seat)"
    return InvalidValueError(f"reward: {name} returned {told!r}: return a number, the worth of the last step")


@dataclass
class Sum(Reward):
    """A weighted sum: Σ weight · reward. ``a - 0.1 * b`` makes one."""

    terms: tuple[tuple[float, Reward], ...]

    def __post_init__(self) -> None:
        for weight, reward in self.terms:
            if not math.isfinite(weight):
                raise InvalidValueError(f"the weight {weight} of {type(reward).__name__} must be finite")

    def begin(self, seat: Seat) -> None:
        """Each one begins."""
        for _, reward in self.terms:
            reward.begin(seat)

    def value(self, seat: Seat) -> float:
        """The sum."""
        total = 0.0
        for weight, reward in self.terms:
            told = reward.value(seat)
            try:
                total += weight * told
            except TypeError:
                raise no_number(reward, told) from None
        return total


@dataclass
class Judge(Reward):
    """A function of the seat, such as ``Judge(lambda seat: seat.gain)``."""

    function: Callable[[Seat], float]

    def value(self, seat: Seat) -> float:
        """What the function answers."""
        return self.function(seat)


@dataclass
class PnL(Reward):
    """Change of wealth in the step, currency: cash and position at the venue's mid, after fees."""

    def value(self, seat: Seat) -> float:
        """W_t − W_{t−1}."""
        return seat.gain


@dataclass
class DampenedPnL(Reward):
    """Change of wealth less a share of what the held position gained: PnL − max(0, η·q·Δmid), currency.

    It rewards earning the spread and not speculation (asymmetrically dampened PnL, Spooner, Fearnley, Savani and
    Koukorinis, "Market making via reinforcement learning", AAMAS 2018). q is the position at the step's beginning.
    """

    eta: float = field(default=0.5, metadata={"help": "share η of speculative gains that is taken away, 0 to 1"})

    def __post_init__(self) -> None:
        if not 0.0 <= self.eta <= 1.0:
            raise InvalidValueError(f"eta: {self.eta} must be from 0 to 1")

    def value(self, seat: Seat) -> float:
        """By the venue's mid."""
        held = seat.last_position * (seat.true_mid - seat.last_mid) * seat.lot_value
        return seat.gain - max(0.0, self.eta * held)


@dataclass
class InventoryPenalty(Reward):
    """(q / unit)² · Δt: the squared position in units of ``unit`` lots, over the step's seconds; to be subtracted."""

    unit: float = field(default=100.0, metadata={"help": "lots that count as 1"})

    def __post_init__(self) -> None:
        to_positive(self, "unit")

    def value(self, seat: Seat) -> float:
        """By the position at the step's end."""
        return (seat.position / self.unit) ** 2 * seat.dt


@dataclass
class LastInventory(Reward):
    """|q| / unit at the end of the episode, 0 before; to be subtracted."""

    unit: float = field(default=100.0, metadata={"help": "lots that count as 1"})

    def __post_init__(self) -> None:
        to_positive(self, "unit")

    def value(self, seat: Seat) -> float:
        """In the last step only."""
        return abs(seat.position) / self.unit if seat.over else 0.0


@dataclass
class SpreadCapture(Reward):
    """What the fills of the step were better than the mid at its end: Σ side·(mid − price)·quantity, currency.

    Negative for a taker. Fees are left out.
    """

    def value(self, seat: Seat) -> float:
        """Over the fills of the step."""
        if not seat.fills:
            return 0.0
        mid = seat.true_mid * seat.instrument.tick
        return sum(fill.side * (mid - float(fill.price)) * float(fill.quantity) for fill in seat.fills)


@dataclass
class Turnover(Reward):
    """Value of the fills of the step, currency; to be subtracted with a small weight where trading is to be rare."""

    def value(self, seat: Seat) -> float:
        """Over the fills of the step."""
        return sum(float(fill.price) * float(fill.quantity) for fill in seat.fills) if seat.fills else 0.0


@dataclass
class ImplementationShortfall(Reward):
    """Less what a mandate costs against its arrival price, in basis points of its value; 0 is the arrival price.

    Over an episode it adds up to −10⁴ · [Σ side·(price − P₀)·quantity + fees + rest · side·(P_T − P₀)] / (Q · P₀), with
    the venue's mid P₀ when the mandate was given. What is left at the end counts at the price P_T of the other side
    that it would have to pay then (A. Perold, "The implementation shortfall: paper versus reality", Journal of
    Portfolio Management 14(3), 1988, 4–9).
    """

    def value(self, seat: Seat) -> float:
        """The step's fills and, in the last step, the rest."""
        mandate = seat.mandate
        if mandate is None:
            raise InvalidValueError(
                f"{seat.name} has no mandate: ImplementationShortfall judges the task execution, or one with mandate="
            )
        arrival = mandate.arrival * seat.instrument.tick
        gained = 0.0
        for fill in seat.fills:
            gained += mandate.side * (arrival - float(fill.price)) * float(fill.quantity) * (fill.side * mandate.side)
            gained -= float(fill.fee)
        if seat.over and seat.remaining:
            side = mandate.side if seat.remaining > 0 else Side(-mandate.side)
            price = seat.touch(side)
            gained += mandate.side * (mandate.arrival - price) * seat.remaining * seat.lot_value
        return 1e4 * gained / (arrival * mandate.quantity * seat.instrument.lot)


@dataclass
class AgainstSchedule(Reward):
    """What a mandate gains on an even schedule that trades at the mid, in basis points of the mandate's value.

    Each step: [Σ side·(mid − price)·quantity − fees − side·(rest − Q·time left)·Δmid] · 10⁴ / (Q · P₀), with the lots
    that are left and the mid's move of the step. Until the mandate is filled it adds up to ImplementationShortfall less
    what that schedule makes in the same time, which no action changes but by moving the market. So it asks for nearly
    the same, with far less noise: the market's own way cancels out. It is for training.
    """

    def begin(self, seat: Seat) -> None:
        """Nothing is done."""
        self._rest = 0 if seat.mandate is None else seat.mandate.quantity
        self._time = seat.time_left

    def value(self, seat: Seat) -> float:
        """The step's fills, and the mid's move times what was left beyond the schedule."""
        mandate = seat.mandate
        if mandate is None:
            raise InvalidValueError(
                f"{seat.name} has no mandate: AgainstSchedule judges the task execution, or one with mandate="
            )
        tick, mid = seat.instrument.tick, seat.true_mid
        gained = 0.0
        for fill in seat.fills:
            gained += fill.side * (mid * tick - float(fill.price)) * float(fill.quantity) - float(fill.fee)
        beyond = self._rest - mandate.quantity * self._time
        gained -= mandate.side * beyond * (mid - seat.last_mid) * seat.lot_value
        self._rest, self._time = seat.remaining, seat.time_left
        if seat.over and seat.remaining:
            side = mandate.side if seat.remaining > 0 else Side(-mandate.side)
            gained += mandate.side * (mid - seat.touch(side)) * seat.remaining * seat.lot_value
        return 1e4 * gained / (mandate.arrival * tick * mandate.quantity * seat.instrument.lot)
