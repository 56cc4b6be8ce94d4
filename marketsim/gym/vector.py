"""Many environments at once: ``make_vec`` spreads them over processes, this one among them, several to each.

Observations, rewards and actions lie in memory that all share, and so do the signals of a step. While the workers step
theirs, this process steps its own share instead of waiting.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError, SimulationError
from marketsim.gym.flock import LocalFlock, Memory, RemoteFlock, SharedMemory, leave_if_unguarded
from marketsim.gym.herd import Maker
from marketsim.gym.making import make


def make_vec(
    environment: str | Path | Mapping[str, Any] | Callable[[], gymnasium.Env[Any, Any]],
    num_envs: int = 8,
    *,
    processes: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    infos: Literal["ends", "all"] = "ends",
    **changes: Any,
) -> MarketVectorEnv:
    """``num_envs`` environments of one kind as a ``gymnasium.vector.VectorEnv``.

    environment: what ``marketsim.gym.make`` takes (an id, a task's name, a file, a mapping), with ``changes`` applied;
    or a function that makes one. processes: how many take part, this one included; by default as many as there are
    cores.
    infos: "ends" tells those of steps in which an episode begins or ends, "all" every one, which costs time.

    With more than one process a script needs ``if __name__ == "__main__":`` around what it does.
    """
    if callable(environment):
        if changes:
            raise InvalidValueError(f"{sorted(changes)[0]}: a function makes the environment; let it make that choice")
        maker: Maker = environment
    else:
        maker = partial(make, environment, **changes)
    return MarketVectorEnv([maker] * num_envs, processes, AutoresetMode(autoreset_mode), infos)


class MarketVectorEnv(VectorEnv[Any, Any, Any]):
    """Environments in this process and in workers; see ``make_vec``. Seeds are handed out as gymnasium does."""

    def __init__(
        self,
        makers: Sequence[Maker],
        processes: int | None = None,
        mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        infos: Literal["ends", "all"] = "ends",
    ) -> None:
        super().__init__()
        self.num_envs = len(makers)
        if self.num_envs < 1:
            raise InvalidValueError("num_envs: at least one environment is needed")
        if infos not in ("ends", "all"):
            raise InvalidValueError(f'infos {infos!r}: write "ends" or "all"')
        if mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
            raise InvalidValueError(f"autoreset_mode {mode}: use NEXT_STEP or SAME_STEP")
        count = min(self.num_envs, (os.cpu_count() or 1) if processes is None else processes)
        if count < 1:
            raise InvalidValueError(f"processes {processes}: at least one is needed, which is this one")
        if count > 1:
            leave_if_unguarded()
        first = makers[0]()
        self._describe(first, mode)
        arrays = SharedMemory if count > 1 else Memory
        self._memory = arrays(self.single_observation_space, self.single_action_space, self.num_envs)
        self._rows = self._memory.rows()
        self._flocks: list[LocalFlock | RemoteFlock] = []
        bounds = np.linspace(0, self.num_envs, count + 1).round().astype(int)
        for begin, end in pairwise(map(int, bounds)):
            kind = RemoteFlock if begin else LocalFlock
            part = makers[begin:end] if begin else [lambda: first, *makers[1:end]]
            self._flocks.append(kind(part, self._memory, (begin, end), mode, infos == "all"))
        self._answers()

    def _describe(self, env: gymnasium.Env[Any, Any], mode: AutoresetMode) -> None:
        self.metadata = {**env.metadata, "autoreset_mode": mode}
        self.render_mode = env.render_mode
        self.single_observation_space, self.single_action_space = env.observation_space, env.action_space
        self.observation_space = batch_space(env.observation_space, self.num_envs)
        self.action_space = batch_space(env.action_space, self.num_envs)

    # --- VectorEnv ---

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin an episode in each: with seeds ``seed``, ``seed + 1`` … of one number."""
        if seed is None or isinstance(seed, int | np.integer):
            seeds = [None if seed is None else int(seed) + place for place in range(self.num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise InvalidValueError(f"seed: {len(seeds)} seeds for {self.num_envs} environments; give one for each")
        for flock in reversed(self._alive()):
            flock.ask("reset", seeds[flock.begin : flock.end], options)
        infos = self._gathered()
        return self._rows.observations.copy(), infos

    def step(
        self, actions: Any
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One step of each."""
        listed: Sequence[Any] = self._memory.put(actions, self.action_space, self.num_envs)
        for flock in reversed(self._alive()):  # the workers first
            flock.step(listed)
        infos = self._gathered()
        return (*self._rows.copies(), infos)

    def call(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """A method's answer, or an attribute, of each environment."""
        for flock in reversed(self._alive()):
            flock.ask("call", name, arguments)
        return tuple(answer for _, told in self._answers() for answer in told)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of each environment."""
        return self.call(name)

    def render(self) -> tuple[Any, ...]:
        """What each environment renders."""
        return self.call("render")

    def close_extras(self, **kwargs: Any) -> None:
        """Close all environments and end the workers."""
        flocks, self._flocks = getattr(self, "_flocks", []), []
        for flock in flocks:
            flock.close()

    # --- inner ---

    def _alive(self) -> list[LocalFlock | RemoteFlock]:
        if self.closed or not self._flocks:
            raise SimulationError("these environments are closed: make others")
        return self._flocks

    def _answers(self) -> list[tuple[int, Any]]:
        """What every flock says; an error is raised once all have spoken."""
        answers, failed = [], None
        for flock in self._flocks:
            try:
                answers.append((flock.begin, flock.answer()))
            except Exception as error:  # noqa: BLE001 - whatever an environment raises goes on upward
                failed = failed or error
        if failed is not None:
            raise failed
        return answers

    def _gathered(self) -> dict[str, Any]:
        """The infos of all, as gymnasium gives them: arrays by name, and which environments told."""
        infos: dict[str, Any] = {}
        for begin, told in self._answers():
            for place, info in told.items():
                infos = self._add_info(infos, info, begin + place)
        return infos
