"""Workers: runs under way, each in a process of its own, handed out one by one as the answers of others come in.

It is for those who decide what to run next by what came of the runs before; who knows all runs beforehand spreads them
over a ``pool``, by whose rules the processes live and die here too. One worker is this process itself. A process that
dies takes the runs of all others with it: they are run again one at a time; whose process dies once more has failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from types import TracebackType
from typing import Any, Self

from marketsim.errors import SimulationError
from marketsim.experiment.pool import attempt, begin, require_sendable, run_batch
from marketsim.experiment.replication import Measures, Measuring, replicate


@dataclass(frozen=True)
class _Task:
    key: Hashable
    given: Mapping[str, Any]
    seed: int
    measures: Measuring


def run_task(task: _Task) -> Measures:
    """In whatever process: the run."""
    return replicate(task.given, task.seed, task.measures)


class Workers:
    """So many processes. Use it in a ``with``: what is under way when it is left by an error is ended."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: deque[_Task] = deque()
        self._suspects: deque[_Task] = deque()  # one of them killed its process
        self._running: dict[Future[Any], _Task] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._others = set(active_children())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for process in set(active_children()) - self._others:
                process.terminate()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def under_way(self) -> int:
        """How many runs were handed in and not answered yet."""
        return len(self._waiting) + len(self._suspects) + len(self._running)

    @property
    def free(self) -> bool:
        """Whether another run would begin at once."""
        return self.under_way < self._count

    def submit(self, key: Hashable, given: Mapping[str, Any], seed: int, measures: Measuring) -> None:
        """Hand in a run of a scenario's mapping under a seed."""
        self._waiting.append(_Task(key, given, seed, measures))
        self._fill()

    def answer(self) -> tuple[Any, Measures | BaseException]:
        """Wait for the next run to end: its key, and its measures or its error."""
        if self._count == 1:
            task = self._waiting.popleft()
            return task.key, attempt(run_task, task)
        while True:
            self._fill()
            finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
            future = next(future for future in self._running if future in finished)
            alone = len(self._running) == 1
            task, error = self._running.pop(future), future.exception()
            if not isinstance(error, BrokenProcessPool):
                return task.key, future.result()[1][0][1] if error is None else error
            self._suspects.extendleft([] if alone else [task])
            self._suspects.extend(self._running.values())
            self._running.clear()
            self._pool = None
            if alone:
                return task.key, SimulationError("its process was ended from outside; memory may have run out")

    def _fill(self) -> None:
        if self._count == 1:
            return
        if self._suspects:
            if not self._running:
                self._begin(self._suspects.popleft())
            return
        while self._waiting and len(self._running) < self._count:
            self._begin(self._waiting.popleft())

    def _begin(self, task: _Task) -> None:
        if self._pool is None:
            require_sendable(task.measures)
            self._pool = ProcessPoolExecutor(self._count, mp_context=get_context("spawn"), initializer=begin)
        self._running[self._pool.submit(run_batch, run_task, [(0, task)])] = task
