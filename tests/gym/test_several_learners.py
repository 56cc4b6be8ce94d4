"""Several learners in one market: PettingZoo's own checkers, who leaves when, and errors that say the repair."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from gym_market import market

from marketsim.domain.event import EventKind
from marketsim.errors import InvalidValueError, SimulationError

pytest.importorskip("gymnasium", reason="the extra gym is not installed")
zoo = pytest.importorskip("pettingzoo.test", reason="the extra gym is not installed")

from marketsim import gym  # noqa: E402

QUIET = np.array([1.0, 1.0], np.float32)


def duel(duration: str = "15s", quantity: int = 30, **changes: Any) -> Any:
    seats = {
        "left": gym.market_making(action=gym.QuoteOffsets(quantity=20), learner={"latency": "1ms"}),
        "right": gym.market_making(action=gym.QuoteOffsets(quantity=20)),
        "desk": gym.execution(mandate={"quantity": quantity}),
    }
    return gym.ParallelMarket(market(duration=duration), seats, **changes)


def test_pettingzoos_own_checkers_pass() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        zoo.parallel_api_test(duel(), num_cycles=25)
        zoo.parallel_seed_test(lambda: duel("9s"))


def test_a_described_environment_has_the_same_learners() -> None:
    described = gym.make(
        {
            "scenario": market().spec.to_dict(),
            "interval": "2s",
            "seats": {"a": "market_making", "b": {"task": "execution", "mandate": {"quantity": 5}}},
        }
    )
    assert described.possible_agents == ["a", "b"]
    assert described.action_space("b") == gym.Pace().space
    assert described.scene.interval == 2_000_000_000


def test_they_meet_in_the_book() -> None:
    """Both makers quote; the desk takes all that is offered near the price, theirs among it."""
    env = duel(quantity=4_000)
    env.reset(seed=4)
    for _ in range(5):
        env.step({"left": -0.8 * QUIET, "right": -0.8 * QUIET, "desk": np.array([2, 1])})
    numbers = {agent.name: agent.number for agent in env.run.manifest.agents}
    rows = env.run.events
    taken = rows[(rows["kind"] == EventKind.TRADE) & (rows["owner"] == numbers["desk"])]
    assert set(taken["peer"]) >= {numbers["left"], numbers["right"]}
    assert env.seat("desk").position > 0


def test_one_whose_mandate_is_filled_leaves_and_the_others_go_on() -> None:
    env = duel()
    env.reset(seed=4)
    steps = 0
    while "desk" in env.agents:
        _, rewards, ended, cut, infos = env.step({"left": QUIET, "right": QUIET, "desk": np.array([4, 1])})
        steps += 1
    assert steps < 9
    assert ended == {"left": False, "right": False, "desk": True}
    assert not any(cut.values())
    assert infos["desk"]["remaining"] <= 0
    assert rewards["desk"] <= 0.0
    assert env.agents == ["left", "right"]
    while env.agents:
        told, _, _, cut, _ = env.step({"left": QUIET, "right": QUIET})
        assert set(told) == {"left", "right"}
    assert cut == {"left": True, "right": True}
    assert env.run.complete


def test_each_learner_has_its_own_latency_and_another_seed_is_another_market() -> None:
    env = duel("8s")
    env.reset(seed=4)
    assert env.scene.spec.agents["left"].latency.arguments() == {"latency": "1ms"}
    assert env.scene.spec.agents["right"].latency is None
    digests = []
    for seed in (1, 1, 2, None):
        env.reset(seed=seed)
        env.step({"left": QUIET, "right": QUIET, "desk": np.array([4, 1])})
        digests.append((env.run.seed, env.run.digest))
    assert digests[0] == digests[1]
    assert len({digest for _, digest in digests}) == 3


def test_it_shows_every_learner() -> None:
    env = duel(render_mode="ansi")
    env.reset(seed=1)
    text = env.render()
    for words in ("left: position +0", "right: position +0", "desk: position +0", "30 of 30 left"):
        assert words in text


def test_errors_say_what_is_missing() -> None:
    env = duel("8s")
    with pytest.raises(SimulationError, match=r"no episode has begun: call reset\(\) first"):
        env.step({})
    env.reset(seed=1)
    with pytest.raises(InvalidValueError, match="no action for right, desk"):
        env.step({"left": QUIET})
    with pytest.raises(InvalidValueError, match='no learner "lefd" is in the market; did you mean "left"'):
        env.step({"lefd": QUIET})
    with pytest.raises(InvalidValueError, match="lies outside of"):
        env.step({"left": QUIET, "right": 3 * QUIET, "desk": np.array([0, 0])})
    assert env.seat("left").step == 0
    assert not env.seat("left").agent.orders(), "no action of a refused step is done"
    with pytest.raises(InvalidValueError, match='there is no learner "x"'):
        env.observation_space("x")
    env.close()
    with pytest.raises(SimulationError, match="the episode is over"):
        env.step({"left": QUIET, "right": QUIET, "desk": np.array([0, 0])})
    with pytest.raises(InvalidValueError, match="seats: give at least one"):
        gym.ParallelMarket(market(), {})
    with pytest.raises(InvalidValueError, match="render_mode"):
        duel(render_mode="rgb_array")
