"""The environment of one learner: what gymnasium asks of it, its times, its seeds, and errors that say the repair."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gym_market import market

import marketsim as ms
from marketsim.domain.event import EventKind
from marketsim.errors import InvalidValueError, MissingDependency, ScenarioError, SimulationError
from marketsim.network.topology import star

gymnasium = pytest.importorskip("gymnasium", reason="the extra gym is not installed")

from gymnasium.utils.env_checker import check_env  # noqa: E402

from marketsim import gym  # noqa: E402

SECOND = 1_000_000_000


def episode(env: Any, seed: int | None = None, actions: int = 7) -> list[Any]:
    """Everything that an episode tells, under actions that only hang on their number."""
    told: list[Any] = [env.reset(seed=seed)]
    space, over, step = env.action_space, False, 0
    space.seed(actions)
    while not over:
        told.append(env.step(space.sample()))
        over = told[-1][2] or told[-1][3]
        step += 1
    return told


def same(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(
        np.array_equal(a[0], b[0]) and a[1:] == b[1:] for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("name", ["MarketMaking", "Execution", "Trading"])
def test_gymnasiums_own_checker_passes(name: str) -> None:
    env = gymnasium.make(f"marketsim/{name}-v0", scenario=market(duration="10s"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


def test_an_episode_is_cut_into_steps_of_the_interval() -> None:
    env = gym.Trading(market(), interval="3s")
    told = episode(env, 4)
    times = [env.scene.begin, *(step[4]["time"] for step in told[1:])]
    assert times == [*(5 * SECOND + 3 * SECOND * number for number in range(7)), 25 * SECOND]
    assert [step[3] for step in told[1:]] == [False] * 6 + [True]
    assert env.scene.steps == 7
    assert told[0][0][1] == 1.0  # all the time is left
    assert told[-1][0][1] == 0.0


def test_the_same_seed_is_the_same_episode_and_another_is_not() -> None:
    one, other = gym.MarketMaking(market()), gym.MarketMaking(market())
    first = episode(one, 3)
    assert same(first, episode(other, 3))
    digest = one.run.digest
    assert same(first, episode(one, 3)), "an episode leaves nothing behind"
    assert one.run.digest == digest == other.run.digest
    assert not same(first, episode(other, 4))


def test_episodes_without_a_seed_follow_from_the_last_one_that_was_given() -> None:
    runs = []
    for _ in range(2):
        env = gym.Trading(market(duration="8s"))
        runs.append([episode(env, seed)[-1][4] for seed in (5, None, None)])
    assert runs[0] == runs[1]
    assert len({told["pnl"] for told in runs[0]}) == 3


def test_seeds_come_from_the_range_that_was_given() -> None:
    env = gym.Trading(market(duration="6s"), seeds=(10, 13))
    env.reset(seed=99)
    assert env.run.seed == 99
    found = set()
    for _ in range(12):
        env.reset()
        found.add(env.run.seed)
    assert found == {10, 11, 12}


CODE = """
import sys
sys.path[:0] = [{here!r}]
from gym_market import market
import numpy as np
from marketsim import gym
env = gym.MarketMaking(market(duration="10s"))
env.reset(seed=5)
total = 0.0
for step in range(5):
    total += env.step(np.array([-0.8, -0.6], np.float32))[1]
print(env.run.digest, repr(total))
"""


def test_another_process_sees_the_same_episode() -> None:
    env = gym.MarketMaking(market(duration="10s"))
    env.reset(seed=5)
    total = sum(env.step(np.array([-0.8, -0.6], np.float32))[1] for _ in range(5))
    code = CODE.format(here=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [env.run.digest, repr(total)]


def test_the_run_of_an_episode_is_a_run_like_any_other(tmp_path: Path) -> None:
    env = gym.MarketMaking(market())
    env.reset(seed=2, options={"folder": tmp_path / "kept"})
    pnl = 0.0
    for _ in range(20):
        pnl = env.step(np.array([-0.9, -0.9], np.float32))[4]["pnl"]
    run = env.run
    assert run.complete
    assert run.manifest.warm_up == 5 * SECOND
    account = ms.analysis.accounts(run)["learner"]
    assert account.fills > 5
    assert account.position == env.seat.position
    assert account.pnl == pytest.approx(pnl, abs=2.0)  # reports of the last fills may be on their way
    assert (tmp_path / "kept" / "manifest.json").exists()
    with pytest.raises(SimulationError, match=r"the episode is over: call reset\(\)"):
        env.step(env.action_space.sample())


def test_a_learner_that_does_nothing_changes_nothing_but_its_subscription() -> None:
    class Nothing(gym.actions.Action):
        space = gymnasium.spaces.Discrete(1)

        def act(self, seat: Any, choice: Any) -> None:
            pass

    env = gym.Trading(market(), action=Nothing())
    episode(env, 1)
    alone = market().run()
    mine = env.run.events
    assert len(mine) == len(alone.events)
    assert (mine["kind"] == alone.events["kind"]).all()


def test_orders_meet_the_same_latency_fees_and_refusals() -> None:
    """A market order of 200 lots sent at 6 s under a latency of 3 ms; then one that the agent's own limit refuses."""

    class Buy(gym.actions.Action):
        space = gymnasium.spaces.Discrete(1000)

        def act(self, seat: Any, choice: Any) -> None:
            if choice:
                seat.agent.buy(seat.instrument, int(choice))

    learner = {"latency": "3ms", "limits": {"max_order": 300}}
    env = gym.Trading(market(), action=Buy(), learner=learner)
    env.reset(seed=1)
    env.step(0)
    info = env.step(200)[4]
    assert info["position"] > 0
    info = env.step(900)[4]
    assert info["rejected"] == 1
    rows = env.run.events
    number = next(agent.number for agent in env.run.manifest.agents if agent.name == "learner")
    sent = rows[(rows["kind"] == EventKind.ACCEPTED) & (rows["owner"] == number)]
    assert 6 * SECOND + 3_000_000 <= sent["time"][0] <= 6 * SECOND + 3_010_000
    account = ms.analysis.accounts(env.run)["learner"]
    assert account.fees == pytest.approx(-0.3e-4 * account.value)


def test_an_agent_of_the_scenario_makes_room_and_its_terms_hold() -> None:
    simulation = market()
    simulation.add_agent(ms.agents.MarketMaker(), "mm", latency="7ms", cash=5_000)
    env = gym.MarketMaking(simulation, seat="mm")
    assert env.scene.spec.agents["mm"].type == "marketsim.gym.seat:Learner"
    assert env.scene.spec.agents["mm"].latency.arguments() == {"latency": "7ms"}
    env.reset(seed=1)
    assert env.seat.wealth == 5_000
    assert set(env.seat.session.instruments) == {env.seat.instrument}


def test_the_simulations_own_objects_serve_every_episode() -> None:
    """A topology and agents that no scenario could name."""

    class Buyer(ms.Agent):
        def on_start(self) -> None:
            self.after("2s", self.buy, self.instrument, 3)

    simulation = ms.Simulation(seed=1, duration="9s", warm_up="1s", topology=star("1ms"))
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="2/s"), 40, "noise")
    simulation.add_agent(Buyer(), "buyer")
    env = gym.Trading(simulation)
    digests = []
    for seed in (1, 2, 1):
        env.reset(seed=seed)
        digests.append(env.run.digest)
    assert digests[0] == digests[2] != digests[1]


def test_rendering_shows_the_book_and_the_position() -> None:
    env = gym.Execution(market(), mandate={"quantity": 30}, render_mode="ansi")
    env.reset(seed=3)
    env.step(np.array([2, 0]))
    bid, _, ask, _ = env.seat._core.best(0)
    text = env.render()
    assert f"{bid / 100:.2f}" in text
    assert f"{ask / 100:.2f}" in text
    assert f"position {env.seat.position:+,}" in text
    assert f"{env.seat.remaining} of 30 left" in text
    picture = gym.Trading(market(), render_mode="rgb_array")
    picture.reset(seed=3)
    for choice in (2, 2, 0):
        picture.step(choice)
    image = picture.render()
    assert image.dtype == np.uint8
    assert image.shape == (480, 640, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10


def test_contracts_are_valued_as_contracts() -> None:
    simulation = ms.Simulation(seed=2, duration="20s", warm_up="5s")
    perpetual = ms.Instrument("P", "0.1", 1, 100, kind="perpetual", funding_every="4s", funding_rate="0.001")
    simulation.add_venue("X", instruments=[perpetual], taker_fee="1bps")
    simulation.add_agents(ms.agents.Noise(rate="2/s"), 40, "noise")
    env = gym.Trading(simulation, action=gym.TargetPosition((-1, 0, 1), 50))
    env.reset(seed=2)
    for _ in range(15):
        info = env.step(2)[4]
    account = ms.analysis.accounts(env.run)["learner"]
    assert account.funding < 0.0
    assert info["pnl"] == pytest.approx(account.pnl, abs=1e-6)


# --- bad input ---


def test_a_step_before_the_first_episode_or_after_its_end_is_refused() -> None:
    env = gym.Trading(market(duration="7s"))
    with pytest.raises(SimulationError, match=r"no episode has begun: call reset\(\) first"):
        env.step(0)
    with pytest.raises(SimulationError, match="no episode has begun"):
        _ = env.run
    episode(env, 1)
    with pytest.raises(SimulationError, match="the episode is over"):
        env.step(0)
    env.reset(seed=1)
    env.step(0)
    env.close()
    with pytest.raises(SimulationError, match="the episode is over"):
        env.step(0)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (gym.MarketMaking, np.array([0.0, 1.5])),
        (gym.MarketMaking, np.array([0.0, np.nan])),
        (gym.MarketMaking, np.array([0.0])),
        (gym.MarketMaking, "up"),
        (gym.MarketMaking, None),
        (gym.Trading, 3),
        (gym.Trading, -1),
        (gym.Trading, 0.5),
        (gym.Execution, np.array([9, 0])),
    ],
)
def test_an_action_outside_of_the_space_is_refused_and_nothing_happens(kind: Any, action: Any) -> None:
    env = kind(market(duration="7s"))
    env.reset(seed=1)
    with pytest.raises(InvalidValueError, match=r"lies outside of .*: (give 2 numbers|take one such as)"):
        env.step(action)
    assert env.seat.step == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"warm_up": "25s"}, "small lasts 25s, all of it within the warm-up of 25s: give a shorter warm_up"),
        ({"interval": "30s"}, "an episode of 20s is shorter than one step of 30s"),
        ({"interval": 0}, "a step must take time"),
        ({"interval": "1 second"}, "is not a duration"),
        ({"render_mode": "human"}, "render_mode 'human' is unknown; known: ansi, rgb_array"),
        ({"seeds": (5, 5)}, r"seeds \(5, 5\): give the first and the one behind the last"),
        ({"seat": "noise"}, "the scenario has 40 agents of that name; give the seat a name of its own"),
        ({"instrument": "ABD"}, "no instrument 'ABD'; did you mean \"ABC\""),
        ({"venue": "Y"}, "'Y' does not trade ABC"),
        ({"learner": {"latncy": "1ms"}}, "no agent has 'latncy'; did you mean \"latency\""),
        ({"learner": {"latency": "fast"}}, "agents.learner.latency"),
        ({"reward": 3}, "3 is no reward: give one such as"),
        ({"observation": []}, "an observation of nothing"),
        ({"observation": [3]}, "3 is no observation"),
        ({"action": []}, "an action of nothing"),
    ],
)
def test_what_cannot_be_is_said_when_the_environment_is_made(changes: dict[str, Any], words: str) -> None:
    with pytest.raises((InvalidValueError, ScenarioError), match=words):
        gym.Trading(market(), **changes)


def test_an_unknown_scenario_is_said_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match='did you mean "quickstart"'):
        gym.Trading("quickstrat")
    with pytest.raises(InvalidValueError, match="is no scenario"):
        gym.Trading(7)  # type: ignore[arg-type]


def test_there_is_nothing_to_render_without_a_mode_and_no_such_option() -> None:
    env = gym.Trading(market())
    env.reset(seed=1)
    with pytest.raises(InvalidValueError, match='render_mode="ansi"'):
        env.render()
    with pytest.raises(InvalidValueError, match="no option 'foldr'"):
        env.reset(options={"foldr": "x"})


WITHOUT = """
import sys, marketsim as ms, marketsim.simulation
print('gymnasium' in sys.modules)
sys.modules['gymnasium'] = None
try:
    ms.gym
except ms.MarketSimError as error:
    print(type(error).__name__, error)
"""


def test_importing_marketsim_imports_no_gymnasium_and_where_it_is_missing_its_extra_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    told = 'MissingDependency gymnasium is not installed; in the folder of marketsim: pip install -e ".[gym]"'
    assert done.stdout.splitlines() == ["False", told]


def test_where_pettingzoo_is_missing_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "marketsim.gym.parallel", raising=False)
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    with pytest.raises(MissingDependency, match="pettingzoo is not installed"):
        _ = gym.ParallelMarket
