"""Environments from descriptions: ids, names, mappings and YAML files, and what is said where they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gym_market import market

from marketsim.errors import ConfigurationError, InvalidValueError, ScenarioError, UnknownTypeError

gymnasium = pytest.importorskip("gymnasium", reason="the extra gym is not installed")

from marketsim import gym  # noqa: E402
from marketsim.gym import making  # noqa: E402
from marketsim.scenario.parameters import parameters_of  # noqa: E402

DESCRIBED = """
task: market_making
scenario: crowd.yaml
interval: 500ms
duration: 4s
learner: {latency: 1ms, cash: 5000}
observation:
  - inventory
  - {type: spread, ticks: 2, times: 0.5}
  - {type: imbalance, history: 3}
  - {type: depth, levels: 2}
action: {type: quote_skew, skew: 3, quantity: 10}
reward:
  - pnl
  - {type: inventory_penalty, unit: 50, weight: -0.1}
"""


def test_a_file_is_what_python_would_have_made(tmp_path: Path) -> None:
    (tmp_path / "crowd.yaml").write_text(market().spec.to_yaml(), encoding="utf-8")
    (tmp_path / "env.yaml").write_text(DESCRIBED, encoding="utf-8")
    described = gym.make(tmp_path / "env.yaml")
    written = gym.MarketMaking(
        market(),
        gym.Inventory() + 0.5 * gym.Spread(ticks=2) + gym.History(gym.Imbalance(), 3) + gym.Depth(2),
        gym.QuoteSkew(skew=3, quantity=10),
        gym.PnL() - 0.1 * gym.InventoryPenalty(unit=50),
        interval="500ms",
        duration="4s",
        learner={"latency": "1ms", "cash": 5000},
    )
    assert described.observation_space == written.observation_space
    assert described.labels == written.labels
    told = [gym.play(env, lambda seen: np.array([0.2, -0.9], np.float32), 5) for env in (described, written)]
    assert told[0].run.digest == told[1].run.digest
    assert (told[0].rewards == told[1].rewards).all()
    assert np.array_equal(told[0].observations, told[1].observations)
    assert len(told[0].rewards) == 8


@pytest.mark.parametrize("name", ["marketsim/Execution-v0", "execution", {"task": "execution"}])
def test_ids_names_and_mappings_take_changes(name: Any) -> None:
    env = gym.make(name, scenario=market(), mandate={"quantity": 7, "side": "sell"}, interval="2s")
    env.reset(seed=1)
    assert env.seat.mandate.quantity == 7
    assert env.scene.steps == 10


def test_a_random_side_hangs_on_the_seed() -> None:
    env = gym.make("execution", scenario=market(duration="6s"), mandate={"quantity": 7, "side": "random"})
    sides = []
    for seed in (1, 2, 3, 4, 5, 6, 1):
        env.reset(seed=seed)
        sides.append(env.seat.mandate.side)
    assert len(set(sides)) == 2
    assert sides[0] == sides[-1]


def test_every_name_stands_for_a_class_with_a_line_about_itself() -> None:
    """And every part that a class of the room can be has a name, but for those that are made of others."""
    for kind, base in (("observation", gym.Observation), ("action", gym.Action), ("reward", gym.Reward)):
        named = {making.REGISTRY.resolve(kind, name) for name in making.REGISTRY.names(kind)}
        for cls in named:
            assert issubclass(cls, base)
            assert len(making.REGISTRY.summary(kind, making.REGISTRY.name_of(kind, cls))) > 20
            for parameter in parameters_of(cls):
                assert parameter.doc, f"{cls.__name__}.{parameter.name}"
        known = {thing for name in gym.__all__ if isinstance(thing := getattr(gym, name), type)}
        made_of_others = {gym.History, gym.Observe, gym.Judge, base}
        assert {cls for cls in known if issubclass(cls, base)} - made_of_others == named


def test_gymnasium_knows_the_ids_and_makes_them() -> None:
    for name in making.IDS:
        env = gymnasium.make(name, duration="3s")
        observation, _ = env.reset(seed=1)
        assert env.observation_space.contains(observation), name
        observation, *_ = env.step(env.action_space.sample())
        assert env.observation_space.contains(observation), name
        env.close()


def test_one_of_ones_own_has_a_name_by_its_module() -> None:
    assert isinstance(making.observation("marketsim.gym.observations:Momentum"), gym.Momentum)
    assert making.action(["target_position", "target_position"]).space == gymnasium.spaces.MultiDiscrete([3, 3])


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ("marketsim/Excution-v0", UnknownTypeError, 'is called .*; did you mean "marketsim/Execution-v0"'),
        ("nowhere.yaml", ScenarioError, "nowhere.yaml: there is no such file"),
        (3, InvalidValueError, "3 describes no environment"),
        ({"task": "makret_making"}, UnknownTypeError, 'did you mean "market_making"'),
        ({"intervall": "1s"}, ConfigurationError, 'intervall: .* no such entry; did you mean "interval"'),
        ({"mandate": {"quantity": 3}}, InvalidValueError, "the task market_making has none"),
        ({"task": "execution", "mandate": 7}, InvalidValueError, "mandate: 7 is none"),
        ({"task": "execution", "mandate": {"size": 7}}, ConfigurationError, "size: a mandate has no such entry"),
        ({"task": "execution", "mandate": {"side": "bye"}}, InvalidValueError, 'side: .* did you mean "buy"'),
        ({"observation": ["invntory"]}, UnknownTypeError, r'observation\[0\]: .* did you mean "inventory"'),
        ({"observation": [{"type": "spread", "tick": 2}]}, ConfigurationError, 'did you mean "ticks"'),
        ({"observation": [{"ticks": 2}]}, InvalidValueError, r"observation\[0\]: .* has no type: write one of behind"),
        ({"observation": []}, InvalidValueError, "observation: the list is empty; name at least one of"),
        ({"observation": [{"type": "spread", "times": "x"}]}, InvalidValueError, "times: 'x' is not a number"),
        ({"reward": [{"type": "pnl", "weight": "x"}]}, InvalidValueError, "weight: 'x' is not a number"),
        ({"reward": "profit"}, UnknownTypeError, "no reward type is called"),
        ({"action": {"type": "pace", "paces": "fast"}}, InvalidValueError, "paces"),
        ({"scenario": {"agents": {}}}, ScenarioError, "duration"),
        ({"task": ["execution"]}, UnknownTypeError, "task: no task is called"),
        ({"observation": 3}, InvalidValueError, "observation: 3 is none: write a name"),
        ({"observation": {"type": "mid_returns", "steps": 2.5}}, InvalidValueError, "steps"),
        ({"observation": {"type": "spread", "history": 2.5}}, InvalidValueError, "steps: 2.5 must be a whole number"),
        ({"learner": 3}, InvalidValueError, "learner 3 is no mapping"),
        ({"seat": 3}, InvalidValueError, "seat 3: its name 3 is no text"),
        ({"seat": "desk.1"}, ScenarioError, "'desk.1' is not a name"),
        ({"instrument": ["ABC"]}, InvalidValueError, "instrument .* is no text"),
        ({"seeds": 3}, InvalidValueError, "seeds 3: give the first"),
        ({"render_mode": []}, InvalidValueError, r"render_mode \[\] is unknown"),
        ({"warm_up": -5}, ConfigurationError, "warm_up"),
        ({"seats": {}}, InvalidValueError, "seats: give at least one"),
        ({"seats": 3}, InvalidValueError, "seats: 3 is no mapping"),
        ({"seats": {"a": {"tsk": 1}}}, ConfigurationError, 'tsk: seat a has no such entry; did you mean "task"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(given: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        gym.make(given)


def test_a_file_that_describes_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="it describes no environment"):
        gym.make(tmp_path / "list.yaml")
    (tmp_path / "twice.yaml").write_text("task: execution\ntask: trading\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"twice\.yaml:2"):
        gym.make(tmp_path / "twice.yaml")
