"""A flock: several environments of a vector, in this process or in a worker, and the memory that all of them share."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from time import sleep
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import CloudpickleWrapper, iterate
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError, MarketSimError, SimulationError
from marketsim.gym.herd import Herd, Maker, Rows

_PLAIN = (Box, Discrete, MultiDiscrete)
_SIGNALS = range(4)
_ASKED, _DONE, _SPEAKS, _ASLEEP = _SIGNALS
"""Steps asked for and done; whether there is more to the last one in the pipe; whether the worker sleeps there."""

_UNGUARDED = 76  # exit code: the script starts processes as it is read
_WAKE, _CLOSE = b"wake", b"close"
_PATIENCE = 500  # looks, half a microsecond or so each, before one sleeps
_GLANCE = 50  # looks between two at the pipe, which take longer
_NAP = 0.002  # seconds
_let_others = getattr(os, "sched_yield", partial(sleep, 0))  # where there is no such call, the shortest sleep


class Memory:
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


class SharedMemory(Memory):
    """Arrays that this process and its workers have in common."""

    def _buffer(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[Any, np.dtype[Any], tuple[int, ...]]:
        size = max(dtype.itemsize * int(np.prod(shape)), 1)
        return multiprocessing.get_context("spawn").RawArray("b", size), dtype, shape

    def array(self, name: str) -> NDArray[Any]:
        """One of them."""
        buffer, dtype, shape = self.parts[name]
        count = int(np.prod(shape))
        return np.frombuffer(buffer, dtype, count=count).reshape(shape) if count else np.empty(shape, dtype)


def leave_if_unguarded() -> None:
    """End a worker that makes environments while it reads the script: the process that started it says why."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing itself asks
        raise SystemExit(_UNGUARDED)


class LocalFlock:
    """The herd of this process, which works when it is asked to."""

    def __init__(
        self, makers: Sequence[Maker], memory: Memory, place: tuple[int, int], mode: AutoresetMode, told: bool
    ) -> None:
        self.begin, self.end = place
        self._herd = Herd(makers, memory.rows().part(*place), mode, told)
        self._answer: Any = {}
        self._error: Exception | None = None

    def ask(self, what: str, *arguments: Any) -> None:
        """Let it do something."""
        self._do(getattr(self._herd, what), *arguments)

    def step(self, actions: Sequence[Any]) -> None:
        """A step of each."""
        self._do(self._herd.step, actions[self.begin : self.end])

    def _do(self, what: Callable[..., Any], *arguments: Any) -> None:
        self._error = None
        try:
            self._answer = what(*arguments)
        except Exception as error:  # noqa: BLE001 - raised when the answer is asked for
            self._error = error

    def answer(self) -> Any:
        """What it said; its error, if it met one."""
        if self._error is not None:
            raise self._error
        return self._answer

    def close(self) -> None:
        """Close its environments."""
        self._herd.close()


class RemoteFlock:
    """A herd in a process of its own.

    A step is asked for and answered by counting up, in memory that both see: a message through a pipe would wake the
    other side more slowly than it steps. Who has waited for a while sleeps at the pipe until a message wakes him.
    """

    def __init__(
        self, makers: Sequence[Maker], memory: Memory, place: tuple[int, int], mode: AutoresetMode, told: bool
    ) -> None:
        self.begin, self.end = place
        self._plain = memory.plain
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        shared = context.RawArray("q", len(_SIGNALS))
        self._signals = _view(shared)
        self._waits = False  # for what was asked by counting
        arguments = (theirs, shared, [CloudpickleWrapper(maker) for maker in makers], memory, place, mode, told)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, what: str, *arguments: Any) -> None:
        """Let it do something."""
        self._say(lambda: self._pipe.send((what, arguments)))

    def step(self, actions: Sequence[Any]) -> None:
        """A step of each; plain actions lie in shared memory."""
        if not self._plain:
            self.ask("step", actions[self.begin : self.end])
            return
        self._waits = True
        self._signals[_ASKED] += 1
        if self._signals[_ASLEEP]:
            self._say(lambda: self._pipe.send_bytes(_WAKE))

    def answer(self) -> Any:
        """What it said; its error, if it met one."""
        waits, self._waits = self._waits, False
        if waits and not self._heard_of():
            return {}
        try:
            good, answer = self._pipe.recv()
        except (EOFError, OSError):
            raise self._dead() from None
        if not good:
            raise answer
        return answer

    def _heard_of(self) -> bool:
        """Wait for a step; whether it has something to say about it."""
        signals, pipe = self._signals, self._pipe
        tries = 0
        while signals[_DONE] != signals[_ASKED]:
            tries += 1
            if tries < _PATIENCE:
                _let_others()
            elif pipe.poll(_NAP) and signals[_DONE] != signals[_ASKED]:
                return True  # it says what went wrong, or has ended
        return bool(signals[_SPEAKS])

    def close(self) -> None:
        """End it, and wait until it has."""
        with suppress(OSError, ValueError):
            self._pipe.send_bytes(_CLOSE)
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
        if self._process.exitcode == _UNGUARDED:
            return SimulationError(
                "each process of make_vec reads the script, and this one makes environments as it is read: put what it "
                'does below a line if __name__ == "__main__":, or say processes=1'
            )
        return SimulationError(
            f"the process of environments {self.begin} to {self.end - 1} has ended, exit code "
            f"{self._process.exitcode}; a script that starts processes needs if __name__ == '__main__':"
        )


def _work(
    pipe: Connection,
    shared: Any,
    makers: Sequence[Any],
    memory: Memory,
    place: tuple[int, int],
    mode: AutoresetMode,
    told: bool,
) -> None:
    """The life of a worker: make its environments, then do what it is asked until it is closed."""
    signals = _view(shared)
    made: list[Herd] = []
    with suppress(KeyboardInterrupt, BrokenPipeError, EOFError):
        with _telling(pipe):
            made.append(Herd([maker.fn for maker in makers], memory.rows().part(*place), mode, told))
            gc.freeze()  # what was imported stays: looking for garbage in it would take longer than a reset
            pipe.send((True, {}))
        actions = memory.array("actions")[slice(*place)]
        while made and (asked := _next(pipe, signals)) is not None:
            if asked == _WAKE:
                _step(pipe, signals, made[0], actions)
                continue
            with _telling(pipe):
                what, arguments = asked
                pipe.send((True, getattr(made[0], what)(*arguments)))
    for herd in made:
        herd.close()


def _step(pipe: Connection, signals: memoryview[int], herd: Herd, actions: Any) -> None:
    """A step that was asked for by counting; only what must be said goes through the pipe."""
    signals[_SPEAKS] = 1
    with _telling(pipe):
        infos = herd.step(actions)
        if infos:
            pipe.send((True, infos))
        else:
            signals[_SPEAKS] = 0
    signals[_DONE] += 1


def _view(shared: Any) -> memoryview[int]:
    """The signals; a memory view is read faster than an array."""
    return memoryview(shared).cast("B").cast("q")


@contextmanager
def _telling(pipe: Connection) -> Iterator[None]:
    """What goes wrong inside is told to the other side."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it is raised again where the step was asked for
        told = error if isinstance(error, MarketSimError) else SimulationError(f"{type(error).__name__}: {error}")
        pipe.send((False, told))


def _next(pipe: Connection, signals: memoryview[int]) -> Any:
    """What is asked next; None when it is time to go."""
    for look in range(_PATIENCE):
        if signals[_ASKED] != signals[_DONE]:
            return _WAKE
        if look % _GLANCE == 0 and pipe.poll():
            break
        _let_others()
    signals[_ASLEEP] = 1
    try:
        while signals[_ASKED] == signals[_DONE]:
            if pipe.poll(_NAP):  # a nap, in case that a step was counted just before it fell asleep
                said = pipe.recv_bytes()
                if said != _WAKE:
                    return None if said == _CLOSE else ForkingPickler.loads(said)
        return _WAKE
    finally:
        signals[_ASLEEP] = 0
