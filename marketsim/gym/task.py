"""A task: what one seat is asked to do, and how it is judged: observation, action, reward and mandate together."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.gym import actions, observations, rewards
from marketsim.gym.actions import Action, Hand
from marketsim.gym.checks import to_whole
from marketsim.gym.observations import Observation, Reader
from marketsim.gym.rewards import Reward
from marketsim.gym.scene import Place
from marketsim.gym.seat import Learner, Seat

_SIDES = ("buy", "sell", "random")


@dataclass(frozen=True)
class Mandates:
    """The parent order of each episode: so many lots to buy or to sell."""

    quantity: int = field(default=1000, metadata={"help": "lots"})
    side: Literal["buy", "sell", "random"] = field(
        default="buy", metadata={"help": "buy, sell, or random: decided by the seed"}
    )

    def __post_init__(self) -> None:
        to_whole(self, "quantity")
        if self.side not in _SIDES:
            raise InvalidValueError(f"side: {self.side!r} is unknown{did_you_mean(str(self.side), _SIDES)}")

    def give(self, seat: Seat) -> None:
        """Give the episode's mandate to a seat."""
        side = Side.BUY if self.side == "buy" else Side.SELL
        if self.side == "random":
            side = Side.BUY if seat.stream("mandate").bernoulli(0.5) else Side.SELL
        seat.give(side, self.quantity)


@dataclass(frozen=True)
class Task:
    """What a learner sees, does and is paid for; ``market_making()`` and its like make ready ones.

    observation, action: objects, or lists that count as their sum. mandate: a parent order of each episode.
    learner: terms of its agent as in a scenario: ``latency``, ``computation``, ``cash``, ``limits`` …
    instrument, venue: what and where it trades; the scenario's first.
    """

    observation: Observation | Iterable[Observation]
    action: Action | Sequence[Action]
    reward: Reward
    mandate: Mandates | None = None
    learner: Mapping[str, Any] = field(default_factory=dict)
    instrument: str | None = None
    venue: str | None = None

    def player(self) -> Player:
        """Its observation, action and reward at work."""
        return Player(
            Reader(observations.combined(self.observation)),
            Hand(actions.combined(self.action)),
            self.reward,
            self.mandate,
        )

    def place(self, needs: frozenset[str]) -> Place:
        """Where its seat is."""
        if not isinstance(self.learner, Mapping):
            raise InvalidValueError(f"learner {self.learner!r} is no mapping: write terms such as {{latency: 100us}}")
        return Place(dict(self.learner), self.instrument, self.venue, needs)


class Player:
    """Observation, action, reward and mandate of one seat, for one episode; ``fresh`` makes the next one's."""

    def __init__(self, reader: Reader, hand: Hand, reward: Reward, mandate: Mandates | None = None) -> None:
        if not isinstance(reward, Reward):
            raise InvalidValueError(
                f"reward {reward!r} is no reward: give one such as PnL() - 0.1 * InventoryPenalty(), "
                + ("Judge(function), " if callable(reward) and not isinstance(reward, type) else "")
                + "or one of your own: subclass gym.Reward and write value(seat)"
            )
        self.reader, self.hand, self.mandate = reader, hand, mandate
        rewards.check(reward)
        self._template = reward
        self.reward = copy.deepcopy(reward)

    def fresh(self) -> Player:
        """The same, remembering nothing."""
        return Player(self.reader.fresh(), self.hand, self._template, self.mandate)

    def begin(self, seat: Seat) -> None:
        """An episode begins: with its mandate, and nothing remembered."""
        if self.mandate is not None:
            self.mandate.give(seat)
        self.hand.action.begin(seat)
        self.reward.begin(seat)
        self.reader.observation.begin(seat)

    def judge(self, seat: Seat) -> float:
        """The reward of the last step."""
        told = self.reward.value(seat)
        try:
            return float(told)
        except (TypeError, ValueError):
            raise rewards.no_number(self.reward, told) from None

    def fulfilled(self, seat: Seat) -> bool:
        """Whether there is nothing left to do: the mandate is filled, or its time is over."""
        return seat.mandate is not None and (seat.over or seat.remaining <= 0)

    def info(self, seat: Seat) -> dict[str, Any]:
        """How things are, in plain numbers; prices in ticks, money in currency, ``time`` in ns of the clock."""
        told = {
            "time": seat.now,
            "mid": seat.true_mid,
            "position": seat.position,
            "pnl": seat.pnl,
            "fills": len(seat.fills),
        }
        if isinstance(seat.agent, Learner):
            told["rejected"] = seat.agent.rejected
        if seat.mandate is not None:
            told["remaining"] = seat.remaining
        return told
