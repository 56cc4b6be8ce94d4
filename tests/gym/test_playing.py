"""Strategies on the learner's seat: the event log of the plain simulation, and everybody's accounting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from gym_market import market

import marketsim as ms
from marketsim.errors import AgentError, InvalidValueError

pytest.importorskip("gymnasium", reason="the extra gym is not installed")

from marketsim import gym


def stoikov() -> ms.agents.AvellanedaStoikov:
    return ms.agents.AvellanedaStoikov(gamma=1, horizon="30s", quantity=20, max_position=100)


def twap() -> ms.agents.Twap:
    return ms.agents.Twap(quantity=60, begin="5s", horizon="19s", slices=10, style="post")


@pytest.mark.parametrize("strategy", [stoikov, twap])
def test_a_strategy_leaves_the_same_event_log_inside_the_environment_as_in_the_plain_simulation(strategy: Any) -> None:
    env = gym.MarketMaking(market(), learner={"latency": "150us", "cash": 50_000})
    played = gym.play(env, strategy(), 8)
    plain = market(seed=8)
    plain.add_agent(strategy(), "learner", latency="150us", cash=50_000)
    run = plain.run()
    assert played.run.digest == run.digest
    assert played.run.complete
    accounts = ms.analysis.accounts(run)["learner"]
    assert accounts.fills > 5
    assert played.info["position"] == accounts.position
    # What is stored with it is the whole scenario: a played run can be run again from its manifest.
    spec = ms.ScenarioSpec.from_dict(played.run.manifest.spec)
    assert ms.Simulation.from_spec(spec).run().digest == run.digest


def test_a_seat_that_listens_changes_only_what_is_asked_for() -> None:
    """Avellaneda and Stoikov's maker asks for quotes and trades itself: then nothing changes at all."""
    env = gym.MarketMaking(market())
    silent, heard = gym.play(env, stoikov(), 8), gym.play(env, stoikov(), 8, observe=True)
    assert silent.observations is None
    assert heard.observations is not None
    assert heard.observations.shape == (21, env.observation_space.shape[0])
    assert heard.run.digest == silent.run.digest
    assert (heard.rewards == silent.rewards).all()
    inventory, mid = heard.observations[:, 0], heard.observations[:, env.labels.index("Spread")]
    assert inventory[-1] * 100 == pytest.approx(heard.info["position"])
    assert (mid > 0).all()


def test_rewards_and_infos_of_strategies_and_policies_are_made_alike() -> None:
    env = gym.Execution(market(), mandate={"quantity": 60}, reward=gym.ImplementationShortfall())

    @dataclass
    class Buyer(ms.Agent):
        """Buys all at once at the first step."""

        def on_start(self) -> None:
            self.at(5_000_000_000, lambda: self.buy(self.instrument, 60))

    taken = gym.play(env, Buyer(), 3)
    policy = gym.play(env, lambda told: np.array([4, 1]), 3)
    assert taken.info["remaining"] == policy.info["remaining"] == 0
    assert taken.total < 0
    assert policy.observations is not None
    assert taken.info.keys() == policy.info.keys() - {"rejected"}


def test_a_strategy_that_fails_says_who_and_when() -> None:
    class Broken(ms.Agent):
        def on_quote(self, quote: Any) -> None:
            raise KeyError("mine")

    with pytest.raises(AgentError, match="learner: KeyError"):
        gym.play(gym.Trading(market()), Broken(), 1)


def test_what_cannot_play_is_said() -> None:
    with pytest.raises(InvalidValueError, match="none of marketsim's environments"):
        gym.play(_Foreign(), stoikov(), 1)
    with pytest.raises(InvalidValueError, match="give an Agent, or a function"):
        gym.play(gym.Trading(market()), 3, 1)  # type: ignore[arg-type]


class _Foreign:
    @property
    def unwrapped(self) -> Any:
        return self
