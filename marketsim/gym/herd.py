"""A herd: several environments of one process that are stepped one after the other into shared rows of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

Maker = Callable[[], "gymnasium.Env[Any, Any]"]


@dataclass
class Rows:
    """What a step of several environments answers: a row for each of them."""

    observations: NDArray[Any]
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]

    def part(self, first: int, end: int) -> Rows:
        """The rows of some of them; the memory is the same."""
        return Rows(*(rows[first:end] for rows in vars(self).values()))

    def copies(self) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """What the caller may keep."""
        return self.observations.copy(), self.rewards.copy(), self.terminated.copy(), self.truncated.copy()


class Herd:
    """Environments, and the rows that they write into.

    mode: what happens when an episode ends; as in gymnasium. told: whether every step's info is given, or only those
    of steps in which an episode begins or ends.
    """

    def __init__(self, makers: Sequence[Maker], rows: Rows, mode: AutoresetMode, told: bool) -> None:
        self.envs = [make() for make in makers]
        self._rows = rows
        self._mode = mode
        self._told = told
        self._ended = [False] * len(self.envs)

    def reset(self, seeds: Sequence[int | None], options: dict[str, Any] | None) -> dict[int, dict[str, Any]]:
        """Begin an episode in each; the infos by place."""
        infos = {}
        for place, (env, seed) in enumerate(zip(self.envs, seeds, strict=True)):
            self._rows.observations[place], infos[place] = env.reset(seed=seed, options=options)
            self._ended[place] = False
        return infos

    def step(self, actions: Sequence[Any]) -> dict[int, dict[str, Any]]:
        """One step of each; the infos by place, as far as they are told."""
        infos = {}
        for place, action in enumerate(actions):
            info = self._step(place, action)
            if info is not None:
                infos[place] = info
        return infos

    def _step(self, place: int, action: Any) -> dict[str, Any] | None:
        rows, env, mode = self._rows, self.envs[place], self._mode
        if self._ended[place] and mode is AutoresetMode.NEXT_STEP:
            self._ended[place] = False
            rows.observations[place], info = env.reset()
            rows.rewards[place], rows.terminated[place], rows.truncated[place] = 0.0, False, False
            return info
        told, rows.rewards[place], terminated, truncated, info = env.step(action)
        rows.terminated[place], rows.truncated[place] = terminated, truncated
        self._ended[place] = over = terminated or truncated
        if over and mode is AutoresetMode.SAME_STEP:
            last = {"final_obs": told, "final_info": info}
            told, info = env.reset()
            info = {**info, **last}
        rows.observations[place] = told
        return info if over or self._told else None

    def call(self, name: str, arguments: Sequence[Any]) -> list[Any]:
        """A method's answer, or an attribute, of each."""
        found = [env.get_wrapper_attr(name) for env in self.envs]
        return [thing(*arguments) if callable(thing) else thing for thing in found]

    def close(self) -> None:
        """Close each."""
        for env in self.envs:
            env.close()
