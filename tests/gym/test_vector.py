"""Many environments at once: gymnasium's own vectors, and ours in one process and in several."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from gym_market import market

from marketsim.errors import InvalidValueError, SimulationError

gymnasium = pytest.importorskip("gymnasium", reason="the extra gym is not installed")

from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv  # noqa: E402

from marketsim import gym  # noqa: E402

DESCRIPTION = {"task": "market_making", "scenario": market(duration="9s").spec.to_dict(), "interval": "1s"}


def told(envs: Any, steps: int = 8, seed: int = 3) -> list[Any]:
    """What a reset and some steps answer, but for the infos."""
    answers = [envs.reset(seed=seed)[0]]
    envs.action_space.seed(5)
    for _ in range(steps):
        answers.extend(envs.step(envs.action_space.sample())[:4])
    return answers


def same(left: list[Any], right: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_ours_answers_what_gymnasiums_own_does(mode: AutoresetMode) -> None:
    """Episodes of four steps: each environment begins anew twice."""
    make = partial(gym.make, DESCRIPTION)
    theirs = SyncVectorEnv([make] * 3, autoreset_mode=mode)
    mine = gym.make_vec(DESCRIPTION, 3, processes=1, autoreset_mode=mode)
    assert mine.single_observation_space == theirs.single_observation_space
    assert mine.action_space == theirs.action_space
    assert same(told(mine), told(theirs))
    mine.close()
    theirs.close()


@pytest.mark.slow
def test_processes_change_nothing() -> None:
    alone = gym.make_vec(DESCRIPTION, 5, processes=1)
    spread = gym.make_vec(DESCRIPTION, 5, processes=2)
    theirs = AsyncVectorEnv([partial(gym.make, DESCRIPTION)] * 5)
    first = told(alone)
    assert same(first, told(spread))
    assert same(first, told(theirs))
    assert spread.call("labels") == alone.call("labels")
    assert spread.get_attr("seat_name") == ("learner",) * 5
    with pytest.raises(InvalidValueError, match="lies outside of"):
        spread.step(np.full(spread.action_space.shape, 7.0, np.float32))
    for envs in (alone, spread, theirs):
        envs.close()
    with pytest.raises(SimulationError, match="closed"):
        spread.step(spread.action_space.sample())


@pytest.mark.slow
def test_actions_that_are_no_plain_numbers_reach_the_workers_too() -> None:
    def make() -> Any:
        action = gym.TargetPosition() + gym.QuoteOffsets()
        return gym.Trading(market(duration="9s"), action=action)

    spread, alone = (gym.make_vec(make, 2, processes=count) for count in (2, 1))
    assert same(told(spread, 3), told(alone, 3))
    spread.close()
    alone.close()


@pytest.mark.slow
def test_a_worker_that_cannot_make_its_environments_or_dies_is_said() -> None:
    calls: list[int] = []

    def make() -> Any:
        import os

        if os.environ.get("MARKETSIM_TEST_PARENT") != str(os.getpid()):
            raise InvalidValueError("no market today")
        calls.append(1)
        return gym.make(DESCRIPTION)

    import os

    os.environ["MARKETSIM_TEST_PARENT"] = str(os.getpid())
    try:
        with pytest.raises(InvalidValueError, match="no market today"):
            gym.make_vec(make, 2, processes=2)
    finally:
        del os.environ["MARKETSIM_TEST_PARENT"]
    envs = gym.make_vec(DESCRIPTION, 2, processes=2)
    envs.reset(seed=1)
    envs._flocks[1]._process.kill()  # type: ignore[union-attr]
    envs._flocks[1]._process.join()  # type: ignore[union-attr]
    with pytest.raises(SimulationError, match="environments 1 to 1 has ended"):
        envs.step(envs.action_space.sample())
    envs.close()


def test_infos_tell_of_ends_or_of_every_step() -> None:
    ends, every = (gym.make_vec(DESCRIPTION, 2, processes=1, infos=words) for words in ("ends", "all"))
    for envs in (ends, every):
        envs.reset(seed=3)
    action = np.zeros((2, 2), np.float32)
    for _ in range(3):
        assert ends.step(action)[4] == {}
        assert every.step(action)[4]["_pnl"].all()
    last = ends.step(action)[4]
    assert last["time"].tolist() == [9_000_000_000] * 2
    assert last["_time"].all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gym.make_vec(DESCRIPTION, 0), "at least one environment"),
        (lambda: gym.make_vec(DESCRIPTION, 2, processes=0), "processes 0: at least one is needed"),
        (lambda: gym.make_vec(DESCRIPTION, 2, processes=1, infos="some"), 'infos .some.: write "ends" or "all"'),  # type: ignore[arg-type]
        (lambda: gym.make_vec(DESCRIPTION, 2, processes=1, autoreset_mode="Disabled"), "use NEXT_STEP or SAME_STEP"),
        (lambda: gym.make_vec(lambda: None, 2, interval="1s"), "interval: a function makes the environment"),  # type: ignore[arg-type,return-value]
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said(make: Any, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        make()


def test_actions_and_seeds_are_counted() -> None:
    envs = gym.make_vec(DESCRIPTION, 2, processes=1)
    with pytest.raises(InvalidValueError, match="3 seeds for 2 environments"):
        envs.reset(seed=[1, 2, 3])
    envs.reset(seed=[4, None])
    with pytest.raises(InvalidValueError, match=r"actions of shape \(3, 2\)"):
        envs.step(np.zeros((3, 2), np.float32))
    choices = gym.make_vec({**DESCRIPTION, "task": "trading"}, 2, processes=1)
    choices.reset(seed=1)
    with pytest.raises(InvalidValueError, match="choices are whole numbers"):
        choices.step(np.array([0.5, 1.0]))
