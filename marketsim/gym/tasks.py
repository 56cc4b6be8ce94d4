"""The three ready tasks of one learner: market making, optimal execution, directional trading.

Each is a ``Task`` with an observation, an action and a reward that suit it, every one of which can be replaced, and an
environment of its own that gymnasium knows by its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marketsim.gym.actions import Action, Pace, QuoteOffsets, TargetPosition
from marketsim.gym.checks import known
from marketsim.gym.environment import FRAME, MarketEnv
from marketsim.gym.observations import (
    Behind,
    Imbalance,
    Inventory,
    MidReturns,
    Momentum,
    Observation,
    OrderFlow,
    OwnQuotes,
    Remaining,
    SinceArrival,
    Spread,
    TimeLeft,
    Volatility,
)
from marketsim.gym.rewards import ImplementationShortfall, InventoryPenalty, PnL, Reward
from marketsim.gym.scene import Scenario
from marketsim.gym.task import Mandates, Task

SCENARIO = "training_market"
"""The background unless another is given."""

_TERMS = ("learner", "instrument", "venue")
_OWN = ("scenario", "observation", "action", "reward", *_TERMS)

Observations = Observation | Iterable[Observation]
Actions = Action | Sequence[Action]


def market_making(
    observation: Observations | None = None, action: Actions | None = None, reward: Reward | None = None, **terms: Any
) -> Task:
    """Quote both sides and earn the spread without holding much.

    It sees its inventory, the time left, its quotes, the spread, imbalance, order flow, the last returns and the
    volatility; says how far from the mid it bids and asks; and is paid its profit less a penalty for inventory.
    terms: further fields of ``Task``.
    """
    known(terms, ("observation", "action", "reward", "mandate", *_TERMS), "a task")
    return Task(
        observation
        if observation is not None
        else Inventory()
        + TimeLeft()
        + OwnQuotes()
        + Spread()
        + Imbalance()
        + OrderFlow()
        + MidReturns()
        + Volatility(),
        action if action is not None else QuoteOffsets(),
        reward if reward is not None else PnL() - 0.01 * InventoryPenalty(),
        **terms,
    )


def execution(
    observation: Observations | None = None,
    action: Actions | None = None,
    reward: Reward | None = None,
    mandate: Mandates | Mapping[str, Any] | None = None,
    **terms: Any,
) -> Task:
    """Buy or sell so many lots within the episode for little more than the price at its beginning.

    It sees what remains, the time left, how far it is behind an even schedule, the mid since the arrival, the spread,
    imbalance and order flow; says how fast and how it trades; and is paid the implementation shortfall it avoids.
    """
    if mandate is None or isinstance(mandate, Mapping):
        known(mandate or {}, ("quantity", "side"), "a mandate")
        mandate = Mandates(**(mandate or {}))
    known(terms, ("observation", "action", "reward", "mandate", *_TERMS), "a task")
    return Task(
        observation
        if observation is not None
        else Remaining() + TimeLeft() + Behind() + SinceArrival() + Spread() + Imbalance() + OrderFlow() + MidReturns(),
        action if action is not None else Pace(),
        reward if reward is not None else ImplementationShortfall(),
        mandate,
        **terms,
    )


def trading(
    observation: Observations | None = None, action: Actions | None = None, reward: Reward | None = None, **terms: Any
) -> Task:
    """Hold a position in the direction of the price to come.

    It sees its inventory, the time left, the spread, imbalance, order flow, returns, momentum and volatility; says
    what position to hold; and is paid its profit, from which spreads and fees are gone.
    """
    known(terms, ("observation", "action", "reward", "mandate", *_TERMS), "a task")
    return Task(
        observation
        if observation is not None
        else Inventory()
        + TimeLeft()
        + Spread()
        + Imbalance()
        + OrderFlow()
        + MidReturns(10)
        + Momentum()
        + Volatility(),
        action if action is not None else TargetPosition(),
        reward if reward is not None else PnL(),
        **terms,
    )


class MarketMaking(MarketEnv):
    """Market making: ``gymnasium.make("marketsim/MarketMaking-v0")``. See ``market_making`` and ``MarketEnv``."""

    def __init__(
        self,
        scenario: Scenario = SCENARIO,
        observation: Observations | None = None,
        action: Actions | None = None,
        reward: Reward | None = None,
        *,
        learner: Mapping[str, Any] | None = None,
        instrument: str | None = None,
        venue: str | None = None,
        **frame: Any,
    ) -> None:
        known(frame, (*_OWN, *FRAME), "an environment")
        terms = {"learner": learner or {}, "instrument": instrument, "venue": venue}
        super().__init__(scenario, market_making(observation, action, reward, **terms), **frame)


class Execution(MarketEnv):
    """Optimal execution: ``gymnasium.make("marketsim/Execution-v0")``. See ``execution`` and ``MarketEnv``."""

    def __init__(
        self,
        scenario: Scenario = SCENARIO,
        observation: Observations | None = None,
        action: Actions | None = None,
        reward: Reward | None = None,
        *,
        mandate: Mandates | Mapping[str, Any] | None = None,
        learner: Mapping[str, Any] | None = None,
        instrument: str | None = None,
        venue: str | None = None,
        **frame: Any,
    ) -> None:
        known(frame, (*_OWN, "mandate", *FRAME), "an environment")
        terms = {"learner": learner or {}, "instrument": instrument, "venue": venue}
        super().__init__(scenario, execution(observation, action, reward, mandate, **terms), **frame)


class Trading(MarketEnv):
    """Directional trading: ``gymnasium.make("marketsim/Trading-v0")``. See ``trading`` and ``MarketEnv``."""

    def __init__(
        self,
        scenario: Scenario = SCENARIO,
        observation: Observations | None = None,
        action: Actions | None = None,
        reward: Reward | None = None,
        *,
        learner: Mapping[str, Any] | None = None,
        instrument: str | None = None,
        venue: str | None = None,
        **frame: Any,
    ) -> None:
        known(frame, (*_OWN, *FRAME), "an environment")
        terms = {"learner": learner or {}, "instrument": instrument, "venue": venue}
        super().__init__(scenario, trading(observation, action, reward, **terms), **frame)
