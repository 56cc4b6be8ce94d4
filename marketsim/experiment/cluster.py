"""A Dask cluster as another pool: the same work, shared out over the workers behind an address.

A worker that dies loses nothing: the scheduler gives what it had to the others, and each result is taken once. It needs
the extra ``cluster``, and workers that have the same marketsim as this machine.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from marketsim.errors import ConfigurationError, MissingDependency, SimulationError
from marketsim.experiment.pool import Outcome, batch_size, run_batch

A = TypeVar("A")
R = TypeVar("R")

PATIENCE = 10.0  # seconds in which the scheduler must answer, and a worker be there
_AHEAD = 3  # batches a worker has waiting
_one_at_a_time = threading.Lock()  # a worker may have threads; a run has the process to itself


def spread_over(
    address: str, work: Callable[[A], R], items: Sequence[A], patience: float = PATIENCE
) -> Generator[Outcome[R], None, None]:
    """``(index, result)`` of ``work(item)`` for each item, as they are done; an error in the place of a result.

    address: of the scheduler, such as ``tcp://10.0.0.5:8786``. Raises ConfigurationError where nothing answers there,
    there are no workers, or a worker has another marketsim.
    """
    with _client(address, patience) as client:
        _require_same_code(client, address, patience)
        yield from _Cluster(client, work, items).outcomes()


class _Cluster:
    """One use of a cluster."""

    def __init__(self, client: Any, work: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self._client, self._work, self._items = client, work, items
        self._next = 0
        self._suspects: list[int] = []  # were in a batch that killed its workers
        self._flying: dict[Any, list[int]] = {}  # by key of the future
        self._seconds = 0.0

    def outcomes(self) -> Generator[Outcome[Any], None, None]:
        import distributed

        pool: Any = distributed.as_completed(loop=self._client.loop)  # type: ignore[no-untyped-call]
        try:
            self._send(pool)
            while self._flying:
                future = next(pool)
                indices = self._flying.pop(future.key)
                yield from self._result(future, indices)
                self._send(pool)
        finally:
            self._client.cancel(list(pool.futures))

    def _result(self, future: Any, indices: list[int]) -> Generator[Outcome[Any], None, None]:
        from distributed.scheduler import KilledWorker

        try:
            seconds, found = future.result()
        except KilledWorker:
            if len(indices) > 1:  # one of them did it: each by itself
                self._suspects += indices
            else:
                yield indices[0], SimulationError("its worker died, again and again: it may have taken too much memory")
        else:
            self._seconds = seconds / len(found)
            yield from found

    def _send(self, pool: Any) -> None:
        """Keep every worker busy."""
        workers = max(len(self._client.scheduler_info(n_workers=-1)["workers"]), 1)
        while self._suspects:
            self._submit(pool, [self._suspects.pop()])
        while self._next < len(self._items) and len(self._flying) < _AHEAD * workers:
            size = batch_size(self._seconds, len(self._items) - self._next, workers)
            self._submit(pool, list(range(self._next, self._next + size)))
            self._next += size

    def _submit(self, pool: Any, indices: list[int]) -> None:
        batch = [(index, self._items[index]) for index in indices]
        future = self._client.submit(_alone, self._work, batch, pure=False, retries=0)
        self._flying[future.key] = indices
        pool.add(future)


def _alone(work: Callable[[A], R], batch: Sequence[tuple[int, A]]) -> tuple[float, list[Outcome[R]]]:
    with _one_at_a_time:
        return run_batch(work, batch)


def _client(address: str, patience: float) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise MissingDependency("distributed", "cluster") from None
    quiet = logging.getLogger("distributed")
    before = quiet.level
    quiet.setLevel(logging.CRITICAL)  # it tells of lost workers at length; what matters comes as an error
    try:
        return Client(address, timeout=patience, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        said = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigurationError(
            f"cluster {address}: no Dask scheduler answers there ({said}); start one with: dask scheduler, and workers "
            "with: dask worker ADDRESS"
        ) from None
    finally:
        quiet.setLevel(before)


def _require_same_code(client: Any, address: str, patience: float) -> None:
    """ConfigurationError unless every worker would make the same runs as this machine."""
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError:
        raise ConfigurationError(
            f"cluster {address}: it has no workers; start some with: dask worker {address}"
        ) from None
    try:
        found = client.run(code_versions)
    except ImportError as error:
        raise ConfigurationError(f"cluster {address}: a worker lacks marketsim ({error}); install it there") from None
    here = code_versions()
    for worker, versions in found.items():
        other = [
            f"{name} {versions.get(name)} there, {here[name]} here" for name in here if versions.get(name) != here[name]
        ]
        if other:
            raise ConfigurationError(f"cluster {address}: {worker} has {'; '.join(other)}: install the same on both")


def code_versions() -> dict[str, str]:
    """What a run depends on beside its scenario."""
    from importlib.metadata import version

    from marketsim.results.manifest import versions

    return versions(version("marketsim"))
