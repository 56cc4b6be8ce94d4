"""Actions: what a learner may do in a step, as small objects with a space.

An action turns a number, or an array, into orders of the seat's agent, which reach the market as everybody's do. Spaces
are what learning libraries like: numbers from −1 to 1, or choices. ``QuoteOffsets(...) + TargetPosition(...)`` is both
at once. Write your own: subclass ``Action``, say ``space`` and send orders in ``act``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from marketsim.domain.order import OrderState, Side, TimeInForce
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.gym.checks import to_positive, to_tuple, to_whole
from marketsim.gym.seat import Seat
from marketsim.trading.order import Order

_BUY, _SELL, _PENDING_CANCEL, _IOC = Side.BUY, Side.SELL, OrderState.PENDING_CANCEL, TimeInForce.IOC


class Action:
    """Base of all actions."""

    @property
    def space(self) -> spaces.Space[Any]:
        """What may be chosen."""
        raise NotImplementedError(f"{type(self).__name__} has no space: write space")

    def begin(self, seat: Seat) -> None:
        """An episode begins: forget the one before."""

    def act(self, seat: Seat, choice: Any) -> None:
        """Send the orders that a choice stands for."""
        raise NotImplementedError(f"{type(self).__name__} does nothing: write act(seat, choice)")

    def __add__(self, other: object) -> Action:
        if not isinstance(other, Action):
            return NotImplemented
        return Both((*_members(self), *_members(other)))


def _members(action: Action) -> tuple[Action, ...]:
    return action.of if isinstance(action, Both) else (action,)


@dataclass
class Both(Action):
    """Several actions in one step. ``a + b`` makes one.

    Boxes become one box, choices one MultiDiscrete, and a mixture a tuple.
    """

    of: tuple[Action, ...]

    @property
    def space(self) -> spaces.Space[Any]:
        """All spaces together."""
        all_spaces = [action.space for action in self.of]
        if all(isinstance(space, spaces.Box) and len(space.shape) == 1 for space in all_spaces):
            low = np.concatenate([space.low for space in all_spaces])  # type: ignore[attr-defined]
            high = np.concatenate([space.high for space in all_spaces])  # type: ignore[attr-defined]
            return spaces.Box(low, high, dtype=np.float32)
        if all(isinstance(space, spaces.Discrete | spaces.MultiDiscrete) for space in all_spaces):
            return spaces.MultiDiscrete([count for space in all_spaces for count in _counts(space)])
        return spaces.Tuple(all_spaces)

    def begin(self, seat: Seat) -> None:
        """Each one begins."""
        self._is_tuple = isinstance(self.space, spaces.Tuple)
        self._spaces = [action.space for action in self.of]
        for action in self.of:
            action.begin(seat)

    def act(self, seat: Seat, choice: Any) -> None:
        """Each one has its part of the choice."""
        if self._is_tuple:
            for action, part in zip(self.of, choice, strict=True):
                action.act(seat, part)
            return
        first = 0
        for action, space in zip(self.of, self._spaces, strict=True):
            if isinstance(space, spaces.Discrete):
                action.act(seat, choice[first])
                first += 1
            else:
                count = int(space.shape[0])  # type: ignore[index]
                action.act(seat, choice[first : first + count])
                first += count


def _counts(space: spaces.Space[Any]) -> list[int]:
    return [int(space.n)] if isinstance(space, spaces.Discrete) else [int(n) for n in space.nvec]  # type: ignore[attr-defined]


# --- quotes ---


class _Quoting(Action):
    """One bid and one ask, moved where a choice wants them."""

    quantity: int
    max_position: int

    def begin(self, seat: Seat) -> None:
        """Nothing is shown."""
        self._bid: Order | None = None
        self._ask: Order | None = None

    def show(self, seat: Seat, bid: int | None, ask: int | None) -> None:
        """Quotes at prices in ticks; None pulls a side. Quantities keep the position within its limit."""
        position = seat.position
        self._bid = self._side(seat, self._bid, _BUY, bid, min(self.quantity, self.max_position - position))
        self._ask = self._side(seat, self._ask, _SELL, ask, min(self.quantity, self.max_position + position))

    def around(self, seat: Seat, below: float, above: float) -> tuple[int, int]:
        """Prices so many ticks below and above the mid, rounded away from it and at least a tick apart."""
        bid = math.floor(seat.mid - below + 1e-9)
        ask = max(math.ceil(seat.mid + above - 1e-9), bid + 1)
        return bid, ask

    def _side(self, seat: Seat, order: Order | None, side: Side, price: int | None, quantity: int) -> Order | None:
        wanted = price is not None and price > 0 and quantity > 0
        agent = seat.agent
        if order is None or not order.live:
            if not wanted:
                return None
            assert price is not None
            return agent.order(
                side, seat.instrument, quantity, limit=price, post_only=True, venue=seat.venue, tag="quote"
            )
        if order.state is _PENDING_CANCEL:
            return order
        if not wanted:
            agent.cancel(order)
        elif order.price != price or order.leaves > quantity or 2 * order.leaves < quantity:
            agent.replace(order, limit=price, quantity=order.filled + quantity)
        return order


@dataclass
class QuoteOffsets(_Quoting):
    """Distances of a bid and an ask from the mid: two numbers from −1 (at the mid) to 1 (``most`` ticks away).

    Quotes are post-only, ``quantity`` lots each, within ``max_position``. They are moved when their price changes,
    refilled when less than half is left.
    """

    most: float = field(default=10.0, metadata={"help": "ticks from the mid at 1"})
    quantity: int = field(default=100, metadata={"help": "lots of each quote"})
    max_position: int = field(default=1000, metadata={"help": "most lots held long or short"})

    def __post_init__(self) -> None:
        to_positive(self, "most")
        to_whole(self, "quantity", "max_position")

    @property
    def space(self) -> spaces.Space[Any]:
        """Two numbers."""
        return _box(2)

    def act(self, seat: Seat, choice: Any) -> None:
        """Move the quotes."""
        half = 0.5 * self.most
        self.show(seat, *self.around(seat, half * (1.0 + float(choice[0])), half * (1.0 + float(choice[1]))))


@dataclass
class QuoteSkew(_Quoting):
    """A centre and a half spread: two numbers from −1 to 1.

    The first moves the centre of the quotes from the mid by up to ``skew`` ticks, the second says the half spread,
    from half a tick to ``most`` ticks. See QuoteOffsets.
    """

    skew: float = field(default=5.0, metadata={"help": "ticks that the centre moves at 1"})
    most: float = field(default=10.0, metadata={"help": "ticks of the half spread at 1"})
    quantity: int = field(default=100, metadata={"help": "lots of each quote"})
    max_position: int = field(default=1000, metadata={"help": "most lots held long or short"})

    def __post_init__(self) -> None:
        to_positive(self, "skew", "most")
        to_whole(self, "quantity", "max_position")

    @property
    def space(self) -> spaces.Space[Any]:
        """Two numbers."""
        return _box(2)

    def act(self, seat: Seat, choice: Any) -> None:
        """Move the quotes."""
        centre = self.skew * float(choice[0])
        half = 0.5 + 0.5 * (1.0 + float(choice[1])) * (self.most - 0.5)
        self.show(seat, *self.around(seat, half - centre, half + centre))


@dataclass
class QuoteGrid(_Quoting):
    """A choice of a distance in ticks for each side from ``offsets``, or of no quote: the last choice of each side.

    See QuoteOffsets.
    """

    offsets: Sequence[float] = field(default=(0.5, 1.0, 2.0, 3.0, 5.0, 8.0), metadata={"help": "ticks from the mid"})
    quantity: int = field(default=100, metadata={"help": "lots of each quote"})
    max_position: int = field(default=1000, metadata={"help": "most lots held long or short"})

    def __post_init__(self) -> None:
        self.offsets = tuple(float(offset) for offset in self.offsets)
        if not self.offsets or not all(math.isfinite(offset) for offset in self.offsets):
            raise InvalidValueError("offsets: give at least one finite number of ticks, such as [0.5, 1, 2]")
        to_whole(self, "quantity", "max_position")

    @property
    def space(self) -> spaces.Space[Any]:
        """Two choices."""
        return spaces.MultiDiscrete([len(self.offsets) + 1] * 2)

    def act(self, seat: Seat, choice: Any) -> None:
        """Move the quotes."""
        away = (*self.offsets, None)
        below, above = away[int(choice[0])], away[int(choice[1])]
        bid, ask = self.around(seat, below or 0.0, above or 0.0)
        self.show(seat, None if below is None else bid, None if above is None else ask)


# --- positions ---


@dataclass
class TargetPosition(Action):
    """A choice of the position to hold: one of ``levels``, each times ``unit`` lots. Market orders go there."""

    levels: Sequence[float] = field(default=(-1, 0, 1), metadata={"help": "positions to choose from, in units"})
    unit: int = field(default=100, metadata={"help": "lots of one"})

    def __post_init__(self) -> None:
        self.levels = tuple(self.levels)
        if len(self.levels) < 2 or not all(math.isfinite(level) for level in self.levels):
            raise InvalidValueError("levels: give at least two finite numbers, such as [-1, 0, 1]")
        to_whole(self, "unit")

    @property
    def space(self) -> spaces.Space[Any]:
        """One choice."""
        return spaces.Discrete(len(self.levels))

    def act(self, seat: Seat, choice: Any) -> None:
        """Trade the difference, what is still under way counted."""
        wanted = round(self.levels[int(choice)] * self.unit)
        open_orders = sum(order.side * order.leaves for order in seat.agent.orders(seat.instrument))
        lots = wanted - seat.position - open_orders
        if lots:
            seat.agent.order(_BUY if lots > 0 else _SELL, seat.instrument, abs(lots), venue=seat.venue, tag="target")


# --- execution ---

Way = Literal["join", "improve", "take"]


@dataclass
class Pace(Action):
    """How fast a mandate is executed, and how: a choice of one of ``paces``, and a choice of one of ``ways``.

    A pace of 1 brings the mandate to where an even schedule would be at the end of the step and keeps it there; 0
    holds back; 2 aims at twice as much. ``take`` sends a market order,
    ``join`` a post-only limit order at the best price of the own side, ``improve`` one a tick ahead of it. In the last
    ``cleanup`` steps all that is left is taken, whatever the choice.
    """

    paces: Sequence[float] = field(default=(0.0, 0.5, 1.0, 2.0, 4.0), metadata={"help": "of an even schedule"})
    ways: Sequence[Way] = field(default=("join", "take"), metadata={"help": "join, improve or take"})
    cleanup: int = field(default=1, metadata={"help": "last steps in which the rest is taken"})

    def __post_init__(self) -> None:
        self.paces, self.ways = tuple(float(pace) for pace in self.paces), tuple(self.ways)
        if not self.paces or not all(0.0 <= pace < math.inf for pace in self.paces):
            raise InvalidValueError("paces: give at least one number that is not below 0, such as [0, 1, 2]")
        for way in self.ways:
            if way not in ("join", "improve", "take"):
                raise InvalidValueError(f"ways: {way!r} is no way{did_you_mean(str(way), ('join', 'improve', 'take'))}")
        if not self.ways:
            raise InvalidValueError("ways: give at least one of join, improve, take")
        to_whole(self, "cleanup")

    @property
    def space(self) -> spaces.Space[Any]:
        """Two choices."""
        return spaces.MultiDiscrete([len(self.paces), len(self.ways)])

    def begin(self, seat: Seat) -> None:
        """Nothing is sent."""
        self._order: Order | None = None

    def act(self, seat: Seat, choice: Any) -> None:
        """Send, move or cancel the order of the step; one that stands where it should keeps its place in the queue."""
        left = seat.remaining
        if left <= 0:
            seat.agent.cancel_all(seat.instrument)
            return
        if seat.steps_left <= self.cleanup:
            self._take(seat, left)
            return
        even = left / (seat.steps_left - self.cleanup + 1)
        lots = min(left, math.ceil(self.paces[int(choice[0])] * even - 1e-9))
        way = self.ways[int(choice[1])]
        best = self._own_best(seat)
        if lots <= 0:
            seat.agent.cancel_all(seat.instrument)
        elif way == "take" or best is None:
            self._take(seat, lots)
        else:
            self._post(seat, lots, best + int(self._side(seat)) if way == "improve" else best)

    def _side(self, seat: Seat) -> Side:
        assert seat.mandate is not None
        return seat.mandate.side

    def _own_best(self, seat: Seat) -> int | None:
        """The best price of the own side, as told."""
        quote = seat.quote
        if quote is None:
            return None
        if self._side(seat) is _BUY:
            return quote.bid if quote.has_bid else None
        return quote.ask if quote.has_ask else None

    def _take(self, seat: Seat, lots: int) -> None:
        seat.agent.cancel_all(seat.instrument)
        seat.agent.order(self._side(seat), seat.instrument, lots, venue=seat.venue, time_in_force=_IOC, tag="pace")

    def _post(self, seat: Seat, lots: int, price: int) -> None:
        order, agent = self._order, seat.agent
        if order is None or not order.live or order.state is _PENDING_CANCEL:
            self._order = agent.order(
                self._side(seat), seat.instrument, lots, limit=price, post_only=True, venue=seat.venue, tag="pace"
            )
        elif order.price != price or order.leaves != lots:
            agent.replace(order, limit=price, quantity=order.filled + lots)


# --- the whole ---


class Hand:
    """An action of one seat: its space, and whether a choice lies in it."""

    def __init__(self, action: Action) -> None:
        _check(action)
        self.action = copy.deepcopy(action)  # it remembers its orders: each environment has its own
        self.space = self.action.space
        box = self.space if isinstance(self.space, spaces.Box) and self.space.is_bounded() else None
        self._box = box

    def act(self, seat: Seat, choice: Any) -> None:
        """Check a choice, then do it."""
        self.check(choice)
        self.action.act(seat, choice)

    def check(self, choice: Any) -> None:
        """InvalidValueError unless the choice lies in the space."""
        box = self._box
        if box is None:
            if not self.space.contains(choice):
                raise InvalidValueError(f"action {choice!r} lies outside of {self.space}: {self._repair()}")
            return
        try:
            told = np.asarray(choice, np.float32)
        except (TypeError, ValueError):
            told = np.empty(0, np.float32)
        if told.shape != box.shape or not ((told >= box.low) & (told <= box.high)).all():
            raise InvalidValueError(f"action {choice!r} lies outside of {box}: {self._repair()}")

    def _repair(self) -> str:
        if self._box is not None:
            return f"give {self._box.shape[0]} numbers within the bounds, such as np.clip(action, low, high)"
        return "take one such as action_space.sample() gives"


def _check(action: Action) -> None:
    """InvalidValueError unless each of its members has a space and does something."""
    for part in _members(action):
        kind = type(part)
        if kind.space is Action.space or kind.act is Action.act:
            missing = "space" if kind.space is Action.space else "act(self, seat, choice)"
            raise InvalidValueError(f"the action {kind.__name__} is not complete: write {missing} in it")


def combined(given: Action | Sequence[Action]) -> Action:
    """An action as it is, or a list of them as one."""
    if isinstance(given, Action):
        return given
    listed = to_tuple(given)
    for part in listed:
        if not isinstance(part, Action):
            raise InvalidValueError(
                f"{part!r} is no action: give one such as QuoteOffsets(), a list of them, or one of your own: "
                "subclass gym.Action and write space and act(seat, choice)"
            )
    if not listed:
        raise InvalidValueError("an action of nothing: give at least one, such as QuoteOffsets()")
    return listed[0] if len(listed) == 1 else Both(listed)


def _box(size: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (size,), np.float32)
