"""Replications: one scenario run under many seeds, each run boiled down to its measures.

Runs are spread over this machine's cores, one process each; a run that fails is an error with its seed, or is recorded
as such beside the others. Measures are named ``market.ABC.spread_bps`` or ``agents.mm.pnl``; see ``measure``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from marketsim.errors import InvalidValueError, SimulationError
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    from marketsim.simulation import Simulation

Measures = dict[str, float]
Measuring = Callable[[Any], Measures]
Given: TypeAlias = "ScenarioSpec | Simulation | Mapping[str, Any] | str | Path"
"""What experiments take for a scenario: checked, a simulation of it, its mapping, or a file or name of one."""


@dataclass(frozen=True)
class Failed:
    """A run that failed, in the place of its measures. kind: the name of the error's class."""

    seed: int
    error: str
    kind: str


Job: TypeAlias = tuple[Mapping[str, Any], int]  # a scenario's mapping and a seed


def spec_of(scenario: Given) -> ScenarioSpec:
    """The checked scenario of any of them; InvalidValueError for what is none."""
    from marketsim.scenario.loader import check
    from marketsim.simulation import Simulation

    if isinstance(scenario, ScenarioSpec):
        return scenario
    if isinstance(scenario, Simulation):
        return scenario.spec
    if isinstance(scenario, Mapping):
        return ScenarioSpec.from_dict(scenario)
    if isinstance(scenario, (str, Path)):
        return check(scenario)
    raise InvalidValueError(
        f"{type(scenario).__name__} is no scenario: give a simulation such as ms.load(…), its spec, or a file or a name"
    )


def measures_of(tables: Any) -> Measures:
    """The numbers of a run's summary table by name."""
    from marketsim.analysis.summary import summarize

    summary = summarize(tables)
    found: Measures = {}
    for prefix, table in (("market", summary.market), ("agents", summary.families)):
        for name, row in table.iterrows():
            for column, value in row.items():
                if isinstance(value, (int, float)) or hasattr(value, "dtype"):
                    found[f"{prefix}.{name}.{column}"] = float(value)
    return found


def replicate(given: Given, seed: int, measures: Measuring = measures_of) -> Measures:
    """Run a scenario under a seed; its measures."""
    from marketsim.simulation import Simulation

    mapping = given if isinstance(given, Mapping) else spec_of(given).to_dict()
    spec = ScenarioSpec.from_dict({**mapping, "seed": seed})
    return measures(Simulation.from_spec(spec).run())


@overload
def replicate_all(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    measures: Measuring = measures_of,
    on_failure: Literal["raise"] = "raise",
) -> list[Measures]: ...


@overload
def replicate_all(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    measures: Measuring = measures_of,
    on_failure: Literal["record"],
) -> list[Measures | Failed]: ...


def replicate_all(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    measures: Measuring = measures_of,
    on_failure: Literal["raise", "record"] = "raise",
) -> Any:
    """The measures of each (scenario, seed), in the order given; ``progress(done, all)`` after each run.

    measures: what a run is boiled down to; a function of a module, which other processes can find.
    on_failure: "raise" a SimulationError that names the seed, or "record" a ``Failed`` and go on with the others.
    """
    if not jobs:
        raise InvalidValueError("there is nothing to run: give at least one seed")
    count = min(workers or os.cpu_count() or 1, len(jobs))
    results: list[Measures | Failed | None] = [None] * len(jobs)
    found = _inline(jobs, measures) if count == 1 else _spread(jobs, count, measures)
    for done, (index, outcome) in enumerate(found, start=1):
        if not isinstance(outcome, BaseException):
            results[index] = outcome
        elif on_failure == "record":
            results[index] = Failed(jobs[index][1], str(outcome), type(outcome).__name__)
        else:
            raise SimulationError(f"the run with seed {jobs[index][1]} failed: {outcome}") from outcome
        if progress is not None:
            progress(done, len(jobs))
    return results


def _inline(jobs: Sequence[Job], measures: Measuring) -> Iterator[tuple[int, Measures | Exception]]:
    for index, (given, seed) in enumerate(jobs):
        try:
            found: Measures | Exception = replicate(given, seed, measures)
        except Exception as error:  # noqa: BLE001 - whoever asked decides what a failure means
            found = error
        yield index, found


def _spread(jobs: Sequence[Job], workers: int, measures: Measuring) -> Iterator[tuple[int, Measures | BaseException]]:
    others = set(active_children())
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_interrupts) as pool:
        waiting = {pool.submit(replicate, given, seed, measures): index for index, (given, seed) in enumerate(jobs)}
        try:
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    error = future.exception()
                    yield waiting.pop(future), future.result() if error is None else error
        except BaseException:
            for process in set(active_children()) - others:
                process.terminate()  # runs under way are of no use any more
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the one that started the others ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
