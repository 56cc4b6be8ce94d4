"""Parts of one's own, and words mistyped: what is missing is said when the environment is made, by the class's name."""

from __future__ import annotations

import gc
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gym_market import market

from marketsim.errors import InvalidValueError, UnknownParameterError

pytest.importorskip("gymnasium", reason="the extra gym is not installed")

import gymnasium

from marketsim import gym


class Blank(gym.Reward):
    """Has no value."""


class Silent(gym.Observation):
    """Has no read."""


class Idle(gym.Action):
    """Has a space and does nothing."""

    @property
    def space(self) -> Any:
        return gymnasium.spaces.Discrete(2)


class Nothing(gym.Reward):
    """Returns nothing."""

    def value(self, seat: gym.Seat) -> float:
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"reward": Blank()}, r"the reward Blank judges nothing: write value\(self, seat\)"),
        ({"reward": gym.PnL() - 0.1 * Blank()}, "the reward Blank judges nothing"),
        ({"observation": Silent()}, r"the observation Silent tells nothing: write read\(self, seat\)"),
        ({"observation": gym.Inventory() + gym.History(2 * Silent(), 3)}, "the observation Silent tells nothing"),
        ({"action": Idle()}, r"the action Idle is not complete: write act\(self, seat, choice\)"),
        ({"action": gym.Action()}, "the action Action is not complete: write space"),
        (
            {"reward": lambda seat: seat.gain},
            r"Judge\(function\), or one of your own: subclass gym.Reward and write value",
        ),
        ({"observation": lambda seat: seat.mid}, "no observation: .* subclass gym.Observation and write read"),
        ({"action": print}, "no action: .* subclass gym.Action and write space and act"),
    ],
)
def test_what_a_part_lacks_is_said_when_the_environment_is_made(parts: Any, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        gym.Trading(market(), **parts)


def test_a_function_in_the_place_of_a_method_counts_as_written() -> None:
    reward = gym.Reward()
    reward.value = lambda seat: 2.0  # type: ignore[method-assign]
    env = gym.Trading(market(), reward=reward)
    env.reset(seed=1)
    assert env.step(1)[1] == 2.0


@pytest.mark.parametrize(
    ("reward", "words"),
    [
        (Nothing(), "Nothing.value(seat) returned None: return a number"),
        (gym.PnL() - 0.5 * Nothing(), "Nothing.value(seat) returned None: return a number"),
        (gym.Judge(lambda seat: None), "the function of Judge returned None: return a number"),  # type: ignore[arg-type,return-value]
    ],
)
def test_a_reward_that_is_no_number_is_named(reward: Any, words: str) -> None:
    env = gym.Trading(market(), reward=reward)
    env.reset(seed=1)
    with pytest.raises(InvalidValueError, match=re.escape(words)):
        env.step(1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gym.MarketMaking(duratoin="1min"), 'duratoin: .*did you mean "duration"'),
        (lambda: gym.Execution(mandat={}), 'mandat: .*did you mean "mandate"'),
        (lambda: gym.Execution(mandate={"quantitty": 5}), 'quantitty: .*did you mean "quantity"'),
        (lambda: gymnasium.make("marketsim/Trading-v0", intervall="1s"), 'intervall: .*did you mean "interval"'),
        (lambda: gym.trading(lerner={}), 'lerner: .*did you mean "learner"'),
    ],
)
def test_a_word_mistyped_is_found(make: Any, words: str) -> None:
    with pytest.raises(UnknownParameterError, match=words):
        make()


def test_help_lists_what_a_seat_tells() -> None:
    env = gym.Trading(market())
    env.reset(seed=1)
    text = inspect.getdoc(gym.Seat) or ""
    told = {name for name in vars(env.seat) if not name.startswith("_")} - {"name", "session"}
    assert {name for name in told if not re.search(rf"\b{name}\b", text)} == set()


@pytest.mark.parametrize("on", [True, False])
def test_a_reset_leaves_the_garbage_collector_as_it_was(on: bool) -> None:
    env = gym.Trading(market())
    (gc.enable if on else gc.disable)()
    try:
        env.reset(seed=1)
        assert gc.isenabled() is on
    finally:
        gc.enable()


def _seats() -> int:
    return sum(type(thing) is gym.Seat for thing in gc.get_objects())


def test_a_reset_clears_the_market_before_it_away() -> None:
    env = gym.Trading(market())
    env.reset(seed=0)
    gc.collect()
    before = _seats()
    for seed in range(12):
        env.reset(seed=seed)
        env.step(1)
    assert _seats() <= before + 1


def test_a_script_without_its_guard_is_told_so_once(tmp_path: Path) -> None:
    script = tmp_path / "bare.py"
    description = {"scenario": "quickstart", "duration": "1min"}
    script.write_text(f"from marketsim import gym\ngym.make_vec({description!r}, 2, processes=2)\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert 'if __name__ == "__main__":' in done.stderr.splitlines()[-1]
