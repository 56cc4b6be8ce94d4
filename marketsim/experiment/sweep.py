"""A sweep: a scenario run at every point of a design, under the same seeds at each, and one table of what came out.

Points are compared under common random numbers. With a folder every run is kept as soon as it is over, so a sweep
that was stopped or killed goes on where it was and repeats nothing; a run that fails is a row with its error. Runs are
shared out over this machine's cores, or over a Dask cluster. What the numbers say is told by ``analysis.sweep_table``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from marketsim.analysis.files import write_figure, write_tables
from marketsim.errors import InvalidValueError, StoreError
from marketsim.experiment.cluster import code_versions, spread_over
from marketsim.experiment.design import Design, design_of
from marketsim.experiment.design import design as points_of
from marketsim.experiment.measure import USUAL, Measured, measured
from marketsim.experiment.pool import spread
from marketsim.experiment.record import Key, Record, Row, key_of, read_definition, read_rows
from marketsim.experiment.replication import Given, Measures, spec_of
from marketsim.experiment.space import Given as GivenValues
from marketsim.experiment.space import Space, Values
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Over: TypeAlias = "Mapping[str, GivenValues] | Space | None"
Progress: TypeAlias = Callable[[int, int], None]
SEEDS = 5
FIGURE, REPORT = "sweep.png", "report.html"


@dataclass(frozen=True)
class Sweep:
    """What came of it. ``rows``: a row a run that is over, in the order of points and seeds."""

    spec: ScenarioSpec
    design: Design
    seeds: tuple[int, ...]
    measures: tuple[str, ...]
    rows: tuple[Row, ...]
    confidence: float = 0.95
    folder: Path | None = None

    def __repr__(self) -> str:
        runs = len(self.design) * len(self.seeds)
        return (
            f"<Sweep of {self.spec.name}: {len(self.design):,} points, {len(self.seeds):,} seeds, {len(self.rows):,} "
            f"of {runs:,} runs, {len(self.failures):,} failed; .table, .summary(), .figure(), .report(PATH), "
            ".save(FOLDER)>"
        )

    @classmethod
    def open(cls, folder: str | Path, *, confidence: float = 0.95) -> Sweep:
        """The sweep of a folder, as far as it is; StoreError where there is none."""
        plan = _Plan.read(read_definition(folder), folder)
        return plan.result(read_rows(folder), confidence, Path(folder))

    @property
    def space(self) -> Space:
        """What varies."""
        return self.design.space

    @property
    def complete(self) -> bool:
        """Whether every run is over."""
        return len(self.rows) == len(self.design) * len(self.seeds)

    @property
    def failures(self) -> tuple[Row, ...]:
        """The runs that failed: ``point``, ``seed``, ``error`` and ``kind``."""
        return tuple(row for row in self.rows if "error" in row)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Tidy, a row a run.

        ``point`` (from 0), a column for each path, ``seed``, ``status`` ("ok" or "failed"), ``error``,
        ``engine_seconds`` and ``wall_seconds`` of the run, and a column for each measure. Values with a unit are
        numbers of the unit that ``units`` names; other text stays text.
        """
        import pandas as pd

        numbers = [self._told(point) for point in self.design.points]
        rows = [
            {
                "point": row["point"],
                **numbers[row["point"]],
                "seed": row["seed"],
                "status": "failed" if "error" in row else "ok",
                "error": row.get("error", ""),
                "engine_seconds": row.get("engine", float("nan")),
                "wall_seconds": row.get("wall", float("nan")),
                **{name: row.get("measures", {}).get(name, float("nan")) for name in self.measures},
            }
            for row in self.rows
        ]
        heads = [
            "point",
            *self.space.paths,
            "seed",
            "status",
            "error",
            "engine_seconds",
            "wall_seconds",
            *self.measures,
        ]
        return pd.DataFrame(rows, columns=heads)

    @property
    def units(self) -> dict[str, str]:
        """The unit of each path's column, such as ``us``; empty for plain numbers and for text."""
        return {d.path: d.unit for d in self.space}

    def summary(self, measures: str | Sequence[str] | None = None) -> pd.DataFrame:
        """A row a point and measure: ``mean`` over the seeds with Student's interval ``low`` … ``high``, ``runs``."""
        from marketsim.analysis.sweep_table import summarize_points

        return summarize_points(self.table, self.space.paths, self._chosen(measures), self.confidence)

    def figure(self, measures: str | Sequence[str] | None = None, *, width: float | None = None) -> Figure:
        """Small multiples: each measure against what varies; see ``analysis.sweep_figure``."""
        from marketsim.analysis.figures import style
        from marketsim.analysis.figures.sweep import sweep_figure

        return sweep_figure(
            self.table, self.space.paths, self._chosen(measures), units=self.units, log=self._log,
            confidence=self.confidence, width=width or style.WIDTH,
        )  # fmt: skip

    def report(self, path: str | Path | None = None) -> Path:
        """One self-contained HTML file; beside the runs where a folder was given and no path is."""
        from marketsim.analysis.page_sweep import sweep_report

        if path is None and self.folder is None:
            raise InvalidValueError("report(): this sweep has no folder: say where to write it, such as report.html")
        place = Path(path) if path is not None else self.folder / REPORT  # type: ignore[operator]
        return sweep_report(
            self.table, self.space.paths, self.measures, place, title=f"Sweep of {self.spec.name}", units=self.units,
            log=self._log, confidence=self.confidence, runs=len(self.design) * len(self.seeds),
            varied=[str(d) for d in self.space], design=self._design_words, manifest=self._manifest,
        )  # fmt: skip

    def save(self, folder: str | Path | None = None, *, parquet: bool = False) -> list[Path]:
        """Write table, summary and figure, into the sweep's own folder when none is named; the paths."""
        place = Path(folder) if folder is not None else self.folder
        if place is None:
            raise InvalidValueError("save(): this sweep has no folder: name one")
        paths = write_tables({"table": self.table, "summary": self.summary()}, place, parquet=parquet)
        return [*paths, write_figure(self.figure(), place / FIGURE)]

    # --- inner ---

    def _told(self, point: Values) -> Values:
        """A point with numbers of the unit, where all values of the path are numbers."""
        told = {}
        for dimension in self.space:
            value = point[dimension.path]
            number = dimension.number(value) if isinstance(value, str) else value
            told[dimension.path] = number if number == number else value
        return told

    def _chosen(self, measures: str | Sequence[str] | None) -> tuple[str, ...]:
        from marketsim.errors import did_you_mean

        chosen = self.measures if measures is None else (measures,) if isinstance(measures, str) else tuple(measures)
        for name in chosen:
            if name not in self.measures:
                raise InvalidValueError(f"measure {name!r} was not taken{did_you_mean(name, self.measures)}")
        return chosen

    @property
    def _log(self) -> tuple[str, ...]:
        """Paths drawn on a logarithmic scale: those that were spread so, and lists over two decades or more."""
        return tuple(d.path for d in self.space if d.scale == "log" or _over_decades(self.table[d.path]))

    @property
    def _design_words(self) -> str:
        words = {"grid": "a grid", "latin": "a Latin hypercube", "random": "random points", "sobol": "a Sobol sequence"}
        return words.get(self.design.kind, "a table of points")

    @property
    def _manifest(self) -> dict[str, Any]:
        return {
            "scenario": self.spec.to_dict(),
            "over": self.space.to_dict(),
            "design": self.design.kind,
            "design seed": self.design.seed,
            "seeds": list(self.seeds),
            "versions": code_versions(),
        }


def _over_decades(values: pd.Series) -> bool:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return False
    return values.nunique() > 2 and float(values.min()) > 0 and float(values.max()) >= 100 * float(values.min())


def sweep(
    scenario: Given,
    over: Over = None,
    design: str = "grid",
    points: Any = None,
    *,
    seeds: int | Sequence[int] = SEEDS,
    measures: str | Sequence[str] = USUAL,
    folder: str | Path | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    design_seed: int = 0,
    retry_failed: bool = False,
    confidence: float = 0.95,
    prepare: Callable[[], None] | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run a scenario at every point of a design.

    scenario: a simulation, its spec, or a file or the name of a scenario.
    over: path -> values, such as ``{"agents.mm.gamma": [0.1, 0.2], "network.latency.median": "100us..5ms log"}``, as
    ``Space.of`` takes them. May be left out where ``points`` is a table.
    design: "grid", "random", "latin" (Latin hypercube) or "sobol". points: how many (of a grid: values a span has); or
    a CSV file, a DataFrame or a list of mappings from path to value, which is then the design.
    seeds: how many (then 1, 2, 3 …), or which ones; each point runs under all of them.
    measures: names such as ``agents.mm.pnl``; ``*`` stands for anything. Only these are computed.
    folder: where runs are kept as soon as they are over; the same sweep into the same folder goes on, another one is
    refused. In memory when left out. retry_failed: runs that failed before are done again.
    workers: processes; as many as there are cores when left out. cluster: address of a Dask scheduler instead.
    prepare: called when the folder is there and before anything runs. progress: is told ``(done, all)`` of
    the runs that were missing.
    Raises InvalidValueError for what cannot be run, StoreError for a folder that cannot be used.
    """
    plan = _plan(scenario, over, design, points, seeds, measures, design_seed)
    return _run(plan, folder, workers, cluster, retry_failed, confidence, prepare, progress)


def resume(
    folder: str | Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    retry_failed: bool = False,
    confidence: float = 0.95,
    prepare: Callable[[], None] | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Go on with the sweep of a folder."""
    plan = _Plan.read(read_definition(folder), folder)
    return _run(plan, folder, workers, cluster, retry_failed, confidence, prepare, progress)


class Done(NamedTuple):
    """What a run came to."""

    measures: Measures
    engine: float  # s
    wall: float  # s, with building and measuring


@dataclass(frozen=True)
class OneRun:
    """The work on one point under one seed; it can be sent to another process."""

    scenario: Mapping[str, Any]
    measures: Measured

    def __call__(self, item: tuple[Values, int]) -> Done:
        """Run it."""
        from marketsim.scenario.loader import load
        from marketsim.simulation import Simulation

        began = time.perf_counter()
        values, seed = item
        run = Simulation.from_spec(load(self.scenario, {**values, "seed": seed})).run()
        found = self.measures(run)
        return Done(found, run.manifest.timings["engine"], time.perf_counter() - began)


# --- inner ---


@dataclass(frozen=True)
class _Plan:
    """What a sweep is, whoever runs it."""

    spec: ScenarioSpec
    design: Design
    seeds: tuple[int, ...]
    measures: Measured

    @classmethod
    def read(cls, definition: Mapping[str, Any], folder: str | Path) -> _Plan:
        """From what ``definition`` wrote."""
        try:
            spec = ScenarioSpec.from_dict(definition["scenario"])
            space = Space.of(definition["space"], spec)
            drawn = definition["design"]
            design = Design(drawn["kind"], space, tuple(definition["points"]), drawn["seed"])
            return cls(spec, design, tuple(definition["seeds"]), Measured(tuple(definition["measures"])))
        except (KeyError, TypeError) as error:
            raise StoreError(f"{folder}: its manifest is damaged ({error!r}); begin another folder") from None

    @cached_property
    def definition(self) -> dict[str, Any]:
        """All that decides what the runs are."""
        return {
            "scenario": {name: value for name, value in self.spec.to_dict().items() if name != "seed"},
            "space": self.design.space.to_dict(),
            "design": {"kind": self.design.kind, "seed": self.design.seed},
            "points": list(self.design.points),
            "seeds": list(self.seeds),
            "measures": list(self.measures.names),
            "versions": code_versions(),
        }

    @property
    def keys(self) -> list[Key]:
        """Every run: seed by seed, so that a sweep that is stopped has seen all points alike."""
        return [(point, seed) for seed in self.seeds for point in range(len(self.design))]

    def result(self, rows: Mapping[Key, Row], confidence: float, folder: Path | None) -> Sweep:
        ordered = tuple(rows[key] for key in sorted(rows, key=lambda key: (key[0], self.seeds.index(key[1]))))
        return Sweep(self.spec, self.design, self.seeds, self.measures.names, ordered, confidence, folder)


def _plan(
    scenario: Given,
    over: Over,
    design: str,
    points: Any,
    seeds: int | Sequence[int],
    measures: str | Sequence[str],
    design_seed: int,
) -> _Plan:
    spec = spec_of(scenario)
    if points is not None and not isinstance(points, int):
        if over:
            raise InvalidValueError("points is a table, which says what varies: leave out over, or say how many points")
        chosen = design_of(points, spec)
    else:
        space = over if isinstance(over, Space) else Space.of(over or {}, spec)
        chosen = points_of(space, design, points, design_seed)
    return _Plan(spec, chosen, _seeds(seeds), measured(measures, spec))


def _seeds(given: int | Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(range(1, given + 1)) if isinstance(given, int) else tuple(given)
    if not chosen or len(set(chosen)) < len(chosen):
        raise InvalidValueError(f"seeds={given}: give at least one, and none twice")
    for seed in chosen:
        if type(seed) is not int or seed < 0:
            raise InvalidValueError(f"seeds: {seed!r} is no seed: give whole numbers that are not below zero")
    return chosen


def _run(
    plan: _Plan,
    folder: str | Path | None,
    workers: int | None,
    cluster: str | None,
    retry_failed: bool,
    confidence: float,
    prepare: Callable[[], None] | None,
    progress: Progress | None,
) -> Sweep:
    if not 0.0 < confidence < 1.0:
        raise InvalidValueError(f"confidence={confidence}: it lies between 0 and 1, such as 0.95")
    if workers is not None and workers < 1:
        raise InvalidValueError(f"workers={workers}: at least one process does the work; leave it out for one a core")
    with nullcontext() if folder is None else Record(folder, plan.definition) as record:
        rows = dict(record.rows) if record is not None else {}
        wanted = [key for key in plan.keys if key not in rows or (retry_failed and "error" in rows[key])]
        if prepare is not None and wanted:
            prepare()
        for done, row in enumerate(_rows(plan, wanted, workers, cluster), start=1):
            if record is not None:
                record.add([row])
            rows[key_of(row)] = row
            if progress is not None:
                progress(done, len(wanted))
    return plan.result(rows, confidence, None if folder is None else Path(folder))


def _rows(plan: _Plan, wanted: Sequence[Key], workers: int | None, cluster: str | None) -> Iterable[Row]:
    """A row for each run, as they are done."""
    if not wanted:
        return
    work = OneRun(plan.spec.to_dict(), plan.measures)
    items = [(plan.design.points[point], seed) for point, seed in wanted]
    found: Generator[Any, None, None] = (
        spread(work, items, workers) if cluster is None else spread_over(cluster, work, items)
    )
    with closing(found):
        for index, outcome in found:
            point, seed = wanted[index]
            row: Row = {"point": point, "seed": seed}
            if isinstance(outcome, BaseException):
                row |= {"error": str(outcome), "kind": type(outcome).__name__}
            else:
                row |= {
                    "measures": outcome.measures,
                    "engine": round(outcome.engine, 6),
                    "wall": round(outcome.wall, 6),
                }
            yield row
