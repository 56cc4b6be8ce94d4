"""Many environments at once: ``make_vec`` spreads them over worker processes, several to each.

What passes between the processes in a step is one short message to each worker and one back: observations, rewards and
actions lie in memory that all share. So a few cores are kept busy by many environments.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import CloudpickleWrapper, batch_space, iterate
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError, MarketSimError, SimulationError
from marketsim.gym.herd import Herd, Maker, Rows
from marketsim.gym.making import make

_PLAIN = (Box, Discrete, MultiDiscrete)
_STEP, _DONE = b"step", b"done"


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
    or a function that makes one. processes: 1 keeps all in this process; by default as many as there are cores.
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
        first = makers[0]()
        self._describe(first, mode)
        arrays = _Shared if count > 1 else _Own
        self._memory = arrays(self.single_observation_space, self.single_action_space, self.num_envs)
        self._rows = self._memory.rows()
        self._flocks: list[_Local | _Remote] = []
        bounds = np.linspace(0, self.num_envs, count + 1).round().astype(int)
        for begin, end in pairwise(bounds):
            part = makers[begin:end]
            if count == 1:
                self._flocks.append(_Local([lambda: first, *part[1:]], self._memory, (0, end), mode, infos == "all"))
            else:
                self._flocks.append(_Remote(part, self._memory, (int(begin), int(end)), mode, infos == "all"))
        if count > 1:
            first.close()
            for flock in self._flocks:
                flock.answer()

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
        for flock in self._alive():
            flock.ask("reset", seeds[flock.begin : flock.end], options)
        infos = self._gathered()
        return self._rows.observations.copy(), infos

    def step(
        self, actions: Any
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One step of each."""
        listed: Sequence[Any] = self._memory.put(actions, self.action_space, self.num_envs)
        for flock in self._alive():
            flock.step(listed)
        infos = self._gathered()
        return (*self._rows.copies(), infos)

    def call(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """A method's answer, or an attribute, of each environment."""
        for flock in self._alive():
            flock.ask("call", name, arguments)
        return tuple(answer for flock in self._flocks for answer in flock.answer())

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

    def _alive(self) -> list[_Local | _Remote]:
        if self.closed or not self._flocks:
            raise SimulationError("these environments are closed: make others")
        return self._flocks

    def _gathered(self) -> dict[str, Any]:
        """The infos of all, as gymnasium gives them: arrays by name, and which environments told."""
        answers = [(flock.begin, flock.answer()) for flock in self._flocks]
        infos: dict[str, Any] = {}
        for begin, told in answers:
            for place, info in told.items():
                infos = self._add_info(infos, info, begin + place)
        return infos


class _Own:
    """Arrays of this process."""

    def __init__(self, observation: Any, action: Any, count: int) -> None:
        shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
            "observations": (observation.dtype, observation.shape),
            "rewards": (np.float64, ()),
            "terminated": (np.bool_, ()),
            "truncated": (np.bool_, ()),
            "actions": (action.dtype, action.shape or ()) if isinstance(action, _PLAIN) else (np.int8, (0,)),
        }
        self.parts = {name: self._buffer(np.dtype(kind), (count, *shape)) for name, (kind, shape) in shapes.items()}
        self.plain = isinstance(action, _PLAIN)

    def _buffer(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[Any, np.dtype[Any], tuple[int, ...]]:
        return bytearray(dtype.itemsize * int(np.prod(shape))), dtype, shape

    def array(self, name: str) -> NDArray[Any]:
        """One of them; all of one name are the same memory."""
        buffer, dtype, shape = self.parts[name]
        if not int(np.prod(shape)):
            return np.empty(shape, dtype)
        return np.frombuffer(buffer, dtype).reshape(shape)

    def rows(self) -> Rows:
        """What steps answer."""
        return Rows(*(self.array(name) for name in ("observations", "rewards", "terminated", "truncated")))

    def put(self, actions: Any, space: Any, count: int) -> Sequence[Any]:
        """The actions one by one, where every worker finds them; InvalidValueError unless there is one for each."""
        if self.plain:
            given, place = np.asarray(actions), self.array("actions")
            if given.shape != place.shape:
                raise InvalidValueError(f"actions of shape {given.shape}: one for each environment has {place.shape}")
            if given.dtype.kind == "f" and place.dtype.kind == "i":
                raise InvalidValueError(f"actions of {given.dtype}: choices are whole numbers")
            place[...] = given
            return place  # type: ignore[return-value]
        listed = list(iterate(space, actions))
        if len(listed) != count:
            raise InvalidValueError(f"{len(listed)} actions for {count} environments: give one for each")
        return listed


class _Shared(_Own):
    """Arrays that this process and its workers have in common."""

    def _buffer(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[Any, np.dtype[Any], tuple[int, ...]]:
        size = max(dtype.itemsize * int(np.prod(shape)), 1)
        return multiprocessing.get_context("spawn").RawArray("b", size), dtype, shape

    def array(self, name: str) -> NDArray[Any]:
        """One of them."""
        buffer, dtype, shape = self.parts[name]
        count = int(np.prod(shape))
        return np.frombuffer(buffer, dtype, count=count).reshape(shape) if count else np.empty(shape, dtype)


class _Local:
    """The herd of this process."""

    def __init__(
        self, makers: Sequence[Maker], memory: _Own, place: tuple[int, int], mode: AutoresetMode, told: bool
    ) -> None:
        self.begin, self.end = place
        self._herd = Herd(makers, memory.rows(), mode, told)
        self._answer: Any = None

    def ask(self, what: str, *arguments: Any) -> None:
        """Let it do something."""
        self._answer = getattr(self._herd, what)(*arguments)

    def step(self, actions: Sequence[Any]) -> None:
        """A step of each."""
        self._answer = self._herd.step(actions)

    def answer(self) -> Any:
        """What it said."""
        return self._answer

    def close(self) -> None:
        """Close its environments."""
        self._herd.close()


class _Remote:
    """A herd in a process of its own."""

    def __init__(
        self, makers: Sequence[Maker], memory: _Own, place: tuple[int, int], mode: AutoresetMode, told: bool
    ) -> None:
        self.begin, self.end = place
        self._plain = memory.plain
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, [CloudpickleWrapper(maker) for maker in makers], memory, place, mode, told)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, what: str, *arguments: Any) -> None:
        """Let it do something."""
        self._say(lambda: self._pipe.send((what, arguments)))

    def step(self, actions: Sequence[Any]) -> None:
        """A step of each; plain actions lie in shared memory."""
        if self._plain:
            self._say(lambda: self._pipe.send_bytes(_STEP))
        else:
            self.ask("step", actions[self.begin : self.end])

    def answer(self) -> Any:
        """What it said; its error, if it met one."""
        try:
            said = self._pipe.recv_bytes()
            if said == _DONE:
                return {}
            good, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._dead() from error
        if not good:
            raise answer
        return answer

    def close(self) -> None:
        """End it, and wait until it has."""
        with suppress(OSError, ValueError):
            self._pipe.send_bytes(b"close")
        self._process.join(5)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self._pipe.close()

    def _say(self, send: Callable[[], None]) -> None:
        try:
            send()
        except OSError as error:
            raise self._dead() from error

    def _dead(self) -> SimulationError:
        self._process.join(1)
        return SimulationError(
            f"the process of environments {self.begin} to {self.end - 1} has ended, exit code "
            f"{self._process.exitcode}; a script that starts processes needs if __name__ == '__main__':"
        )


def _work(
    pipe: Connection,
    makers: Sequence[Any],
    memory: _Own,
    place: tuple[int, int],
    mode: AutoresetMode,
    told: bool,
) -> None:
    """The life of a worker: make its environments, then do what it is asked until it is closed."""
    made: list[Herd] = []
    with suppress(KeyboardInterrupt, BrokenPipeError, EOFError):
        with _telling(pipe):
            made.append(Herd([maker.fn for maker in makers], memory.rows().part(*place), mode, told))
            gc.freeze()  # what was imported stays: looking for garbage in it would take longer than a reset
            _answer(pipe, {})
        actions = memory.array("actions")[slice(*place)]
        while made and (asked := _next(pipe)) is not None:
            with _telling(pipe):
                what, arguments = ("step", (actions,)) if asked == _STEP else asked
                _answer(pipe, getattr(made[0], what)(*arguments))
    for herd in made:
        herd.close()


@contextmanager
def _telling(pipe: Connection) -> Iterator[None]:
    """What goes wrong inside is told to the other side."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it is raised again where the step was asked for
        told = error if isinstance(error, MarketSimError) else SimulationError(f"{type(error).__name__}: {error}")
        pipe.send_bytes(b"more")
        pipe.send((False, told))


def _next(pipe: Connection) -> Any:
    said = pipe.recv_bytes()
    if said == _STEP:
        return said
    return None if said == b"close" else ForkingPickler.loads(said)


def _answer(pipe: Connection, answer: Any) -> None:
    if answer == {}:
        pipe.send_bytes(_DONE)
    else:
        pipe.send_bytes(b"more")
        pipe.send((True, answer))
