"""Playing: a whole episode with an ordinary strategy, or a policy, on the learner's seat, under the same accounting.

A strategy is a marketsim Agent and runs unchanged, with its own hooks and subscriptions: unless the seat listens in,
the event log is that of the plain simulation with this agent, seed and scenario, row for row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError
from marketsim.gym.environment import MarketEnv
from marketsim.trading.agent import Agent

if TYPE_CHECKING:
    from marketsim.results.run import Run

Policy = Callable[[NDArray[np.float32]], Any]
"""From an observation to an action."""


@dataclass(frozen=True)
class Played:
    """One episode from beginning to end.

    rewards: of each step. info: the last one. observations: of the beginning and after each step; None where the seat
    did not listen.
    """

    seed: int
    rewards: NDArray[np.float64]
    info: dict[str, Any]
    run: Run
    observations: NDArray[np.float32] | None

    @property
    def total(self) -> float:
        """Sum of the rewards."""
        return float(self.rewards.sum())


def play(env: Any, who: Agent | Policy, seed: int, *, observe: bool | None = None) -> Played:
    """Play one episode at a seed.

    env: one of the environments here, wrapped or not. who: a marketsim Agent, which sits on the seat from the first
    moment of the run and trades as it always does (what happens in the warm-up does not count, but its position is
    carried over at the mid); or a function from observations to actions. observe: collect observations; of an agent
    only when asked for, because the seat then subscribes to what the observation needs.
    """
    market = env.unwrapped
    if not isinstance(market, MarketEnv):
        raise InvalidValueError(f"{env!r} is none of marketsim's environments of one learner")
    if isinstance(who, Agent):
        return _play_agent(market, who, seed, bool(observe))
    if not callable(who):
        raise InvalidValueError(f"{who!r} plays nothing: give an Agent, or a function from observations to actions")
    return _play_policy(market, who, seed, observe is not False)


def _play_agent(market: MarketEnv, agent: Agent, seed: int, observe: bool) -> Played:
    info = market.begin(seed, agent, listen=observe)
    seen = [market.observe()] if observe else []
    rewards, over = [], False
    while not over:
        reward, terminated, truncated, info = market.watch()
        rewards.append(reward)
        over = terminated or truncated
        if observe:
            seen.append(market.observe())
    return _played(market, seed, rewards, info, seen)


def _play_policy(market: MarketEnv, policy: Policy, seed: int, observe: bool) -> Played:
    told, info = market.reset(seed=seed)
    seen, rewards, over = [told], [], False
    while not over:
        told, reward, terminated, truncated, info = market.step(policy(told))
        rewards.append(reward)
        over = terminated or truncated
        seen.append(told)
    return _played(market, seed, rewards, info, seen if observe else [])


def _played(
    market: MarketEnv, seed: int, rewards: list[float], info: dict[str, Any], seen: list[NDArray[np.float32]]
) -> Played:
    return Played(seed, np.array(rewards, np.float64), info, market.run, np.array(seen) if seen else None)
