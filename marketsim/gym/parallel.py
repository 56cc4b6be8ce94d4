"""Several learners in one market, as a PettingZoo parallel environment.

Each has a seat of its own and meets the others in the book, as everybody else does. All act at the same times; one
whose mandate is filled leaves, and the others go on. Needs PettingZoo.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError, MissingDependency, SimulationError, did_you_mean
from marketsim.gym.environment import checked_mode, checked_seeds
from marketsim.gym.scene import Episode, Scenario, Scene
from marketsim.gym.seat import Seat
from marketsim.gym.task import Task

try:
    from pettingzoo import ParallelEnv
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingDependency("pettingzoo", "gym") from error

if TYPE_CHECKING:
    from marketsim.results.run import Run

Observations = dict[str, NDArray[np.float32]]
Infos = dict[str, dict[str, Any]]


class ParallelMarket(ParallelEnv[str, NDArray[np.float32], Any]):  # type: ignore[misc]
    """A market in which several learners trade.

    scenario: the background, as for ``MarketEnv``. seats: a task for each learner by the name of its agent, such as
    ``{"left": market_making(), "right": market_making(), "desk": execution()}``. interval, duration, warm_up, seeds,
    render_mode: as for ``MarketEnv``.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "marketsim_v0",
        "render_modes": ["ansi"],
        "is_parallelizable": True,
        "render_fps": 10,
    }

    def __init__(
        self,
        scenario: Scenario,
        seats: Mapping[str, Task],
        *,
        interval: str | int = "1s",
        duration: str | int | None = None,
        warm_up: str | int | None = None,
        seeds: tuple[int, int] = (0, 1 << 31),
        render_mode: str | None = None,
    ) -> None:
        if not seats:
            raise InvalidValueError("seats: give at least one, such as {'maker': market_making()}")
        self.render_mode = checked_mode(render_mode, self.metadata["render_modes"])
        self.possible_agents = list(seats)
        self.agents: list[str] = []
        self._seeds = checked_seeds(seeds)
        self._players = {name: task.player() for name, task in seats.items()}
        self.observation_spaces = {name: player.reader.space for name, player in self._players.items()}
        self.action_spaces = {name: player.hand.space for name, player in self._players.items()}
        places = {name: task.place(self._players[name].reader.needs) for name, task in seats.items()}
        self.scene = Scene(scenario, places, interval, duration, warm_up)
        self._random: np.random.Generator | None = None  # noqa: TID251 - gymnasium's own, for seeds alone
        self._episode: Episode | None = None
        self._run: Run | None = None

    # --- PettingZoo ---

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """What a learner sees."""
        return self.observation_spaces[self._named(agent)]

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """What a learner may do."""
        return self.action_spaces[self._named(agent)]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:
        """Begin an episode: the scenario at ``seed``; the next of the environment's own seeds when it is left out.

        options: {"folder": path} keeps the run there.
        """
        if seed is not None or self._random is None:
            self._random, _ = seeding.np_random(seed)
        chosen = int(self._random.integers(*self._seeds)) if seed is None else int(seed)
        self._finish()
        self._episode = self._run = None
        self._players = {name: player.fresh() for name, player in self._players.items()}
        ears = {name: player.reader.ears for name, player in self._players.items()}
        self._episode = self.scene.episode(
            chosen, ears, folder=(options or {}).get("folder")
        )  # its checker sends others
        self.agents = list(self.possible_agents)
        for name, player in self._players.items():
            player.begin(self.seat(name))
        return self._observations(), self._infos()

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Each learner's action, then one interval passes."""
        episode = self._going()
        for name in actions:
            if name not in self.agents:
                raise InvalidValueError(f'no learner "{name}" is in the market{did_you_mean(name, self.agents)}')
        if missing := [name for name in self.agents if name not in actions]:
            raise InvalidValueError(f"no action for {', '.join(missing)}: give one for each of {self.agents}")
        for name in self.agents:
            self._players[name].hand.check(actions[name])
        for name in self.agents:
            self._players[name].hand.act(self.seat(name), actions[name])
        episode.advance()
        told, infos = self._observations(), self._infos()
        rewards = {name: self._players[name].judge(self.seat(name)) for name in self.agents}
        ended = {name: self._players[name].fulfilled(self.seat(name)) for name in self.agents}
        cut = {name: episode.over and not ended[name] for name in self.agents}
        self.agents = [name for name in self.agents if not (ended[name] or cut[name])]
        return told, rewards, ended, cut, infos

    def render(self) -> Any:
        """The market and every learner, as text."""
        if self.render_mode is None:
            raise InvalidValueError('there is nothing to render: make the environment with render_mode="ansi"')
        from marketsim.gym import rendering

        return "\n".join(rendering.text(seat) for seat in self._under_way().seats.values())

    def close(self) -> None:
        """Close the market; the run of the episode stays readable."""
        self._finish()

    # --- what lies behind ---

    def seat(self, agent: str) -> Seat:
        """A learner's place in the episode."""
        return self._under_way().seats[self._named(agent)]

    @property
    def run(self) -> Run:
        """The episode as a run. It ends the episode where it stands."""
        self._under_way()
        self._finish()
        assert self._run is not None
        return self._run

    # --- inner ---

    def _named(self, agent: str) -> str:
        if agent not in self._players:
            raise InvalidValueError(f'there is no learner "{agent}"{did_you_mean(str(agent), self._players)}')
        return agent

    def _observations(self) -> Observations:
        return {name: self._players[name].reader.read(self.seat(name)) for name in self.agents}

    def _infos(self) -> Infos:
        return {name: self._players[name].info(self.seat(name)) for name in self.agents}

    def _under_way(self) -> Episode:
        if self._episode is None:
            raise SimulationError("no episode has begun: call reset() first")
        return self._episode

    def _going(self) -> Episode:
        episode = self._under_way()
        if not self.agents or self._run is not None:
            raise SimulationError("the episode is over: call reset() to begin the next", time=episode.now)
        return episode

    def _finish(self) -> None:
        if self._episode is not None and self._run is None:
            self._run = self._episode.finish()
