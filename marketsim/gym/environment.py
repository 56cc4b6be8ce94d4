"""The environment of one learner: a market as a ``gymnasium.Env``.

The learner is one more Python agent in the scenario, with its own session: its orders meet the same queue, latency,
fees and refusals as everybody's. ``reset(seed=s)`` is the scenario at seed s, warmed up; ``step`` sends what the action
says and lets a fixed simulated time pass. Everything is decided by the seed: there is no other chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError, SimulationError, did_you_mean
from marketsim.gym.scene import Episode, Scenario, Scene
from marketsim.gym.seat import Seat, overheard
from marketsim.gym.task import Task
from marketsim.gym.trail import Trail

if TYPE_CHECKING:
    from marketsim.results.run import Run
    from marketsim.trading.agent import Agent

SEAT = "learner"
"""What the learner's agent is called unless it is told otherwise."""

FRAME = ("interval", "duration", "warm_up", "seat", "seeds", "render_mode")
"""What an environment is told besides its scenario and its task."""

_SEEDS = 1 << 31


class MarketEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """A market in which one learner trades.

    scenario: a ready scenario's name, a file, a mapping, a ScenarioSpec or a Simulation: the background.
    task: what the learner sees, does and is paid for. interval: simulated time of a step. duration: of an episode,
    after the warm-up; what the scenario has left by default. warm_up: the scenario's own by default.
    seat: the name of the learner's agent, which decides its random draws; an agent of the scenario that has it already
    makes room, and its latency and other terms hold. seeds: where the seeds of episodes come from when ``reset`` is
    given none, as (first, last + 1): training and test keep apart by it. render_mode: "ansi" for text, "rgb_array" for
    a picture.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 10}  # noqa: RUF012 - as gymnasium has it

    def __init__(
        self,
        scenario: Scenario,
        task: Task,
        *,
        interval: str | int = "1s",
        duration: str | int | None = None,
        warm_up: str | int | None = None,
        seat: str = SEAT,
        seeds: tuple[int, int] = (0, _SEEDS),
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = checked_mode(render_mode, self.metadata["render_modes"])
        self.seat_name = seat
        self._seeds = checked_seeds(seeds)
        self._player = task.player()
        self.observation_space, self.action_space = self._player.reader.space, self._player.hand.space
        self.scene = Scene(scenario, {seat: task.place(self._player.reader.needs)}, interval, duration, warm_up)
        self._episode: Episode | None = None
        self._ended = False
        self._run: Run | None = None
        self._trail: Trail | None = None

    # --- gymnasium ---

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode: the scenario at ``seed``; the next of the environment's own seeds when it is left out.

        options: {"folder": path} keeps the run there.
        """
        super().reset(seed=seed)
        chosen = int(self.np_random.integers(*self._seeds)) if seed is None else int(seed)
        info = self.begin(chosen, folder=folder_of(options))
        return self.observe(), info

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Do an action and let one interval pass: observation, reward, terminated, truncated, info."""
        self._player.hand.act(self._going(), action)
        reward, terminated, truncated, info = self.watch()
        return self.observe(), reward, terminated, truncated, info

    def render(self) -> Any:
        """The market now: text, or a picture of the episode so far, as ``render_mode`` says."""
        if self.render_mode is None:
            raise InvalidValueError('there is nothing to render: make the environment with render_mode="ansi"')
        from marketsim.gym import rendering  # brings matplotlib along

        seat = self.seat
        return rendering.text(seat) if self.render_mode == "ansi" else rendering.picture(seat, self._trail)

    def close(self) -> None:
        """Close the market; the run of the episode stays readable."""
        self._finish()

    # --- what lies behind ---

    @property
    def seat(self) -> Seat:
        """The learner's place in the episode: what it knows and how it fares."""
        return self._under_way().seats[self.seat_name]

    @property
    def run(self) -> Run:
        """The episode as a run, for analysis and reports. It ends the episode where it stands."""
        self._under_way()
        self._finish()
        assert self._run is not None
        return self._run

    @property
    def labels(self) -> list[str]:
        """What each number of the observation is called."""
        return self._player.reader.observation.labels()

    # --- with an ordinary agent on the seat ---

    def begin(
        self,
        seed: int,
        agent: Agent | None = None,
        *,
        listen: bool = True,
        folder: str | Path | None = None,
    ) -> dict[str, Any]:
        """Begin an episode at a seed of the scenario, with an ordinary ``agent`` on the seat if one is given.

        listen: let the seat hear what the agent is told, so that ``observe`` tells what a learner would see. The agent
        then asks for market data that it may not have asked for itself.
        """
        self._finish()
        self._episode, self._run, self._ended = None, None, False
        player = self._player = self._player.fresh()
        agents = None
        if agent is not None:
            agents = {self.seat_name: overheard(agent) if listen else agent}
        ears = {self.seat_name: player.reader.ears}
        self._episode = self.scene.episode(seed, ears, agents, folder)
        seat = self.seat
        player.begin(seat)
        self._trail = Trail(seat) if self.render_mode == "rgb_array" else None
        return player.info(seat)

    def watch(self) -> tuple[float, bool, bool, dict[str, Any]]:
        """Let one interval pass without an action: reward, terminated, truncated, info."""
        seat = self._going()
        assert self._episode is not None
        self._episode.advance()
        if self._trail is not None:
            self._trail.add(seat)
        player = self._player
        terminated = player.fulfilled(seat)
        truncated = seat.over and not terminated
        self._ended = terminated or truncated
        return player.judge(seat), terminated, truncated, player.info(seat)

    def observe(self) -> NDArray[np.float32]:
        """The observation now; to be asked once a step, as some observations remember."""
        return self._player.reader.read(self.seat)

    # --- inner ---

    def _under_way(self) -> Episode:
        if self._episode is None:
            raise SimulationError("no episode has begun: call reset() first")
        return self._episode

    def _going(self) -> Seat:
        episode = self._under_way()
        if self._ended or self._run is not None:
            raise SimulationError("the episode is over: call reset() to begin the next", time=episode.now)
        return episode.seats[self.seat_name]

    def _finish(self) -> None:
        if self._episode is not None and self._run is None:
            self._run = self._episode.finish()


def folder_of(options: Mapping[str, Any] | None) -> str | Path | None:
    """The folder that the options of ``reset`` name, if any."""
    given = dict(options or {})
    folder = given.pop("folder", None)
    if given:
        name = sorted(given)[0]
        raise InvalidValueError(f"reset: no option {name!r}{did_you_mean(name, ['folder'])}")
    return folder  # type: ignore[no-any-return]


def checked_seeds(seeds: Sequence[int]) -> tuple[int, int]:
    """A range of seeds that holds at least one."""
    try:
        first, end = (index(seed) for seed in seeds)
    except (TypeError, ValueError):
        first = end = 0
    if not 0 <= first < end:
        raise InvalidValueError(f"seeds {seeds!r}: give the first and the one behind the last, such as (0, 1000)")
    return first, end


def checked_mode(mode: str | None, known: Sequence[str]) -> str | None:
    """A render mode that there is."""
    if mode not in (None, *known):
        raise InvalidValueError(f"render_mode {mode!r} is unknown{did_you_mean(str(mode), known)}")
    return mode
