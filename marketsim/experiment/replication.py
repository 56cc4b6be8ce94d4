"""Replications: one scenario run under many seeds, each run boiled down to its measures.

Runs are spread over this machine's cores, one process each; a run that fails is an error with its seed, or is recorded
as such beside the others. Measures are named ``market.ABC.spread_bps`` or ``agents.mm.pnl``; see ``measure``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from marketsim.errors import InvalidValueError, SimulationError
from marketsim.experiment.pool import spread
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
    from marketsim.analysis.accounting import accounts
    from marketsim.analysis.summary import family_table, market_table

    found: Measures = {}
    for prefix, table in (("market", market_table(tables)), ("agents", family_table(accounts(tables)))):
        for name, row in zip(table.index, table.to_dict("records"), strict=True):
            numbers = ((column, value) for column, value in row.items() if not isinstance(value, str))
            found |= {f"{prefix}.{name}.{column}": float(value) for column, value in numbers}
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
    on_done: Callable[[int, Measures | Failed], None] | None = None,
) -> list[Measures]: ...


@overload
def replicate_all(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    measures: Measuring = measures_of,
    on_failure: Literal["record"],
    on_done: Callable[[int, Measures | Failed], None] | None = None,
) -> list[Measures | Failed]: ...


def replicate_all(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    measures: Measuring = measures_of,
    on_failure: Literal["raise", "record"] = "raise",
    on_done: Callable[[int, Measures | Failed], None] | None = None,
) -> Any:
    """The measures of each (scenario, seed), in the order given; ``progress(done, all)`` after each run.

    measures: what a run is boiled down to; a function of a module, which other processes can find.
    on_failure: "raise" a SimulationError that names the seed, or "record" a ``Failed`` and go on with the others.
    on_done: is told each result with its job's place at once, so that what is done outlives an interrupt.
    """
    if not jobs:
        raise InvalidValueError("there is nothing to run: give at least one seed")
    results: list[Measures | Failed | None] = [None] * len(jobs)
    with closing(spread(partial(_replicated, measures=measures), jobs, workers)) as found:
        for done, (index, outcome) in enumerate(found, start=1):
            if not isinstance(outcome, BaseException):
                results[index] = outcome
            elif on_failure == "record":
                results[index] = Failed(jobs[index][1], str(outcome), type(outcome).__name__)
            else:
                raise SimulationError(f"the run with seed {jobs[index][1]} failed: {outcome}") from outcome
            if on_done is not None and (result := results[index]) is not None:
                on_done(index, result)
            if progress is not None:
                progress(done, len(jobs))
    return results


def _replicated(job: Job, measures: Measuring) -> Measures:
    return replicate(*job, measures)
