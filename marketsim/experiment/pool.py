"""A pool of warm processes that share out many short pieces of work, and lose none when one of them dies.

Work goes out in batches of about a quarter of a second, a few at a time, so that neither handing out nor stopping costs
much. What was in a process that died is done again, piece by piece and alone; a piece that kills its process twice then
is an error of its own. It knows nothing about what the work is.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeAlias, TypeVar

from marketsim.errors import InvalidValueError, SimulationError

A = TypeVar("A")
R = TypeVar("R")
Outcome: TypeAlias = tuple[int, "R | BaseException"]

BATCH_SECONDS = 0.25
LARGEST_BATCH = 32
_DIED = "its process was ended from outside, again and again: it may have taken too much memory"
_PATIENCE = 2  # deaths with a piece
_AHEAD = 2  # batches a process has waiting, so that it never waits itself


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(work: Callable[[A], R], items: Sequence[A], workers: int | None = None) -> Generator[Outcome[R], None, None]:
    """``(index, result)`` of ``work(item)`` for each item, as they are done; an error in the place of a result.

    work: a function of a module, or another thing that can be sent to a process. workers: how many processes, one for
    each core when left out; with one everything is done in this process. Closing the iterator ends the processes.
    """
    count = min(workers or cores(), len(items))
    if count > 1:
        require_sendable(work)
        yield from _Spread(work, items, count).outcomes()
        return
    for index, item in enumerate(items):
        yield index, attempt(work, item)


def require_sendable(work: object) -> None:
    """InvalidValueError for work that cannot be sent to a process, such as a lambda."""
    import pickle

    try:
        pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InvalidValueError(
            f"this cannot be sent to another process ({error}): give a function of a module, or workers=1"
        ) from None


def attempt(work: Callable[[A], R], item: A) -> R | Exception:
    """The result, or the error that came instead."""
    try:
        return work(item)
    except Exception as error:  # noqa: BLE001 - whoever asked decides what a failure means
        return error


def batch_size(seconds: float, left: int, workers: int) -> int:
    """How many pieces of so many seconds a batch has, where so many are left for so many workers."""
    fits = int(BATCH_SECONDS / seconds) if seconds > 0 else 1
    return max(1, min(fits, LARGEST_BATCH, left // (2 * workers)))


def run_batch(work: Callable[[A], R], batch: Sequence[tuple[int, A]]) -> tuple[float, list[Outcome[R]]]:
    """In a process of the pool: seconds that it took, and what came of each piece."""
    began = time.perf_counter()
    found: list[Outcome[R]] = [(index, _sendable(attempt(work, item))) for index, item in batch]
    seconds = time.perf_counter() - began
    _settle()
    return seconds, found


class _Spread:
    """One use of the pool."""

    def __init__(self, work: Callable[[Any], Any], items: Sequence[Any], workers: int) -> None:
        self._work, self._items, self._workers = work, items, workers
        self._left = deque(range(len(items)))
        self._suspects: deque[int] = deque()  # were in a process that died
        self._flying: dict[Future[Any], list[int]] = {}
        self._deaths: Counter[int] = Counter()  # of processes that had nothing else to do
        self._seconds = 0.0  # of one piece, by the last batch

    def outcomes(self) -> Iterator[Outcome[Any]]:
        while self._left or self._suspects or self._flying:
            yield from self._with_a_pool()

    def _with_a_pool(self) -> Iterator[Outcome[Any]]:
        """Until everything is done, or the pool is broken."""
        others = set(active_children())
        pool = ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"), initializer=begin)
        try:
            while True:
                self._send(pool)
                if not self._flying:
                    return
                done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                for future in done:
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        yield from self._bury()
                        return
                    indices = self._flying.pop(future)
                    if error is not None:  # what came of it could not be sent
                        yield from ((index, error) for index in indices)
                        continue
                    seconds, found = future.result()
                    self._seconds = seconds / len(found)
                    yield from found
        except BaseException:
            for process in set(active_children()) - others:
                process.terminate()  # what is under way is of no use any more
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _send(self, pool: ProcessPoolExecutor) -> None:
        """Keep every process busy; what is suspected goes alone."""
        with contextlib.suppress(BrokenProcessPool):  # who died is found in what is flying
            while self._suspects and not self._flying:
                self._submit(pool, [self._suspects.popleft()])
            while not self._suspects and self._left and len(self._flying) < _AHEAD * self._workers:
                size = batch_size(self._seconds, len(self._left), self._workers)
                self._submit(pool, [self._left.popleft() for _ in range(size)])

    def _submit(self, pool: ProcessPoolExecutor, indices: list[int]) -> None:
        try:
            self._flying[pool.submit(run_batch, self._work, [(i, self._items[i]) for i in indices])] = indices
        except BrokenProcessPool:
            self._left.extendleft(reversed(indices))
            raise

    def _bury(self) -> Iterator[Outcome[Any]]:
        """A process died: everything that was in flight is suspected; what flew alone has done it."""
        lost: list[int] = []
        for future in list(self._flying):
            indices = self._flying.pop(future)
            if future.done() and future.exception() is None:
                yield from future.result()[1]
            else:
                lost += indices
        if len(lost) == 1:
            self._deaths[lost[0]] += 1
            if self._deaths[lost[0]] == _PATIENCE:
                yield lost[0], SimulationError(_DIED)
                return
        self._suspects.extend(sorted(lost))


def _sendable(outcome: Any) -> Any:
    """An error of somebody else's that cannot be sent goes as text."""
    import pickle

    if isinstance(outcome, BaseException):
        try:
            pickle.loads(pickle.dumps(outcome))  # noqa: S301 - our own
        except Exception:  # noqa: BLE001 - whatever a foreign class does
            return SimulationError(f"{type(outcome).__name__}: {outcome}")
    return outcome


def begin() -> None:
    """Ctrl-C reaches every process of a terminal; the one that started the others ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()


_settled = False


def _settle() -> None:
    """After the first batch all code is loaded and stays: the collector need not look through it after each run."""
    global _settled
    if not _settled:
        gc.collect()
        gc.freeze()
        _settled = True


def _end_with_parent() -> None:
    """Whoever waits for work from a process that was killed would wait for ever."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), name="marketsim parent", daemon=True).start()


def _watch(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)
