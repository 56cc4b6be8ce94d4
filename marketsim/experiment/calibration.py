"""A calibration: a scenario's flows are fitted to one half of a recorded day and judged on the other.

First what can be read off the recording is put in (``populations.estimated``), then the rest is searched by the method
of simulated moments: runs under the same seeds for every trial, their statistics against the recorded ones in standard
errors of these (McFadden 1989, Econometrica 57; with bootstrapped weights as Franke and Westerhoff 2012, Journal of
Economic Dynamics and Control 36). The best few run again under fresh seeds; from the best of them on the fitted half
a few steps go down the slopes of the statistics (Gauss and Newton's). The judged half is looked at once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from marketsim.analysis.files import write_text
from marketsim.analysis.windows import Window
from marketsim.domain.units import SECOND, format_duration, time_of_day
from marketsim.errors import ConfigurationError, InvalidValueError, SimulationError
from marketsim.experiment.knobs import Knobs
from marketsim.experiment.pool import cores
from marketsim.experiment.populations import estimated, searched
from marketsim.experiment.replication import Given, Measures, spec_of
from marketsim.experiment.space import Dimension, Values, value_at
from marketsim.experiment.study import Attempt, Rules, Study, kept
from marketsim.experiment.workers import Workers
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marketsim.analysis.fact_distances import FactDistance
    from marketsim.domain.tables import MarketTables
    from marketsim.results.run import Run

Slopes: TypeAlias = Mapping[str, np.ndarray[Any, Any]]
"""By path: how the statistics change along a knob's whole way, in recorded standard errors."""
Recorded: TypeAlias = "MarketTables | str | Path"
STAGES = ("before", "estimated", "after")
HALVES = ("fit", "judge")
OTHER_HALF = "other half"  # a recorded half in place of a simulated market
WORST = 20.0  # standard errors that a statistic counts at most in the search, and one that a run cannot tell
RESAMPLES = 400  # of the recorded halves
_BATCH = 4  # trials asked for at once
_STEP = 0.05  # of a knob's way, to each side, for slopes
_FARTHEST = 0.2  # of a knob's way in one step down the slopes
_PRIOR = 0.3  # of a knob's way: how far the slopes are trusted, as the deviation of a ridge's prior
_FRESH = 1000  # fresh seeds begin behind this one


@dataclass(frozen=True)
class Calibration:
    """What came of it.

    ``symbol``, ``recorded_symbol``: the instrument in the scenario and in the recording. ``specs``: the scenario by
    stage: as it was given ("before"), with what was read off the recording ("estimated"), and with the parameters found
    ("after"); they run on the recording's price for as long as its half.
    ``distances``: a row a stage and half: stage ("other half": the recorded halves against each other), half, distance
    (root mean square over the statistics, in standard errors of the difference), low, high (95 %), statistics.
    ``statistics``: a row a half, stage and statistic: simulated, recorded, difference, standard_error, distance.
    ``parameters``: by path: kind, before, estimated, value, low, high (95 %, from the slopes of the statistics and
    their scatter between runs; empty for lists of choices). Of kind "value", ``value`` is what the calibrated scenario
    has there; of kind "factor", a list or matrix, it is what all of ``estimated`` was multiplied by.
    ``trials``: a row a trial: trial, value, error and the paths.
    ``values``: tidy, a row a run of a stage: stage, seed, statistic, value.
    """

    scenario: ScenarioSpec
    symbol: str
    recorded_symbol: str
    specs: Mapping[str, ScenarioSpec]
    recorded: Mapping[str, Window]
    seeds: tuple[int, ...]
    fresh: tuple[int, ...]
    distances: pd.DataFrame
    statistics: pd.DataFrame
    parameters: pd.DataFrame
    trials: pd.DataFrame
    values: pd.DataFrame
    _runs: dict[str, Run] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return (
            f"<Calibration of {self.name} to {self.recorded_symbol}: {len(self.trials):,} trials, "
            f"{len(self.seeds):,} seeds; .spec, .parameters, .distances, .figure(), .report(PATH), .save(FILE)>"
        )

    @property
    def spec(self) -> ScenarioSpec:
        """The calibrated scenario."""
        return self.specs["after"]

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.scenario.name

    def distance(self, stage: str, half: str) -> float:
        """The distance of a stage to a half."""
        rows = self.distances
        return float(rows[(rows["stage"] == stage) & (rows["half"] == half)]["distance"].iloc[0])

    @cached_property
    def closer(self) -> bool:
        """Whether the judged half is surely closer after than before: the 95 % intervals do not touch."""
        rows = self.distances[self.distances["half"] == "judge"].set_index("stage")
        return float(rows["high"]["after"]) < float(rows["low"]["before"])

    def table(self, half: str = "judge") -> pd.DataFrame:
        """By statistic: recorded, its standard_error, then for "before" and "after" the value and the distance."""
        rows = self.statistics[self.statistics["half"] == half].set_index("statistic")
        before, after = (rows[rows["stage"] == stage] for stage in ("before", "after"))
        return pd.DataFrame(
            {
                "recorded": before["recorded"],
                "recorded_error": before["recorded_error"],
                "before": before["simulated"],
                "before_distance": before["distance"],
                "after": after["simulated"],
                "after_distance": after["distance"],
            }
        )

    def run(self, stage: str) -> Run:
        """A run of a stage under the first fresh seed, made when it is first asked for."""
        from marketsim.simulation import Simulation

        if stage not in self.specs:
            raise InvalidValueError(f"stage={stage!r}: choose one of {', '.join(self.specs)}")
        if stage not in self._runs:
            spec = ScenarioSpec.from_dict({**self.specs[stage].to_dict(), "seed": self.fresh[0]})
            self._runs[stage] = Simulation.from_spec(spec).run()
        return self._runs[stage]

    def figure(self, kind: str = "statistics", *, half: str = "judge", width: float | None = None) -> Figure:
        """A picture: "statistics", "prices", "book", "returns", "memory" or "activity"."""
        from marketsim.analysis.figures import calibration as figures

        return figures.calibration_figure(self, kind, half=half, width=width)

    def save(self, path: str | Path) -> Path:
        """Write the calibrated scenario as a file that runs; it appears whole or not at all."""
        return write_text(Path(path), "".join(self._preface()) + self.spec.to_yaml())

    def report(self, path: str | Path) -> Path:
        """Write all of it as one HTML page, the recorded market beside the simulated one."""
        from marketsim.analysis.page_calibration import calibration_report

        return calibration_report(self, path)

    def _preface(self) -> Iterable[str]:
        yield f"# {self.name} calibrated to {self.recorded_symbol}, {_clock(self.recorded['fit'])}.\n"
        for half in HALVES:
            yield (
                f"# Distance to the half it was {'fitted to' if half == 'fit' else 'judged on'}: "
                f"{self.distance('before', half):.2f} before, {self.distance('after', half):.2f} after.\n"
            )


def calibrate(
    scenario: Given,
    recorded: Recorded,
    over: Mapping[str, Any] | None = None,
    *,
    fit: str | tuple[object, object] = "09:30-12:45",
    judge: str | tuple[object, object] = "12:45-16:00",
    instrument: str | None = None,
    recorded_instrument: str | None = None,
    trials: int = 400,
    seeds: int | Sequence[int] = 1,
    fresh: int = 10,
    estimate: bool = True,
    steps: int = 2,
    errors: int = 2,
    length: object = None,
    workers: int | None = None,
    study: str | Path | None = None,
    search_seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Fit a scenario to one interval of a recording and judge it on another.

    scenario: a simulation, its spec, or a file or the name of a scenario, such as "stock_flow".
    recorded: a LOBSTER message file (its orderbook file beside it), or tables with quotes and trades: a tape, a run.
    over: what is searched: path -> ``"0.1/s..5/s log"`` (its value) or ``"x0.2..5"`` (a factor on what stands there),
    as ``Knobs`` reads it; by default what ``populations.searched`` has for the scenario's types of agents.
    fit, judge: two intervals of the recording, "09:30-12:45" or (start, end).
    instrument, recorded_instrument: which one, where there are several.
    trials: how many points are tried, each under the same ``seeds`` (how many, or which). fresh: how many further
    seeds the stages and the best three trials run under, at least two. estimate: whether rates and sizes are read off
    the recording first. steps: how many times at most the best point is moved down the slopes of the statistics.
    errors: under how many of the fresh seeds slopes are measured, which the intervals of parameters come from; 0: no
    steps, no intervals.
    length: simulated time of a run after its warm-up; as long as the fitted half when left out.
    study: a SQLite file in which trials are kept; a study that is there goes on. workers: processes, as many as there
    are cores when left out; they change no result. ``progress(done, all)`` after each run.
    Raises InvalidValueError for what does not fit together, DataError for what cannot be read.
    """
    spec, tables = spec_of(scenario), _tables_of(recorded)
    symbol, theirs = _instruments(spec, instrument, tables, recorded_instrument)
    halves = {"fit": _window(tables, theirs, fit, "fit"), "judge": _window(tables, theirs, judge, "judge")}
    chosen, later = _seeds(seeds, fresh)
    _check(trials, steps, errors)
    known = {half: _recorded_table(window, theirs) for half, window in halves.items()}
    before = _placed(spec, symbol, halves["fit"], theirs, length)
    ready = _estimated(before, symbol, halves["fit"], theirs) if estimate else before
    knobs = Knobs.of(over if over is not None else _default_knobs(ready, symbol), ready)
    path = None if study is None else Path(study)
    rules = Rules("minimize", chosen, _mean, "cmaes", search_seed, "none", 5)
    definition = _definition(ready, symbol, knobs, rules, known["fit"], theirs)
    moves = steps if errors else 0
    total = trials * len(chosen) + (5 + 2 * moves) * len(later) + 2 * errors * (moves + 1) * len(knobs.space)
    counter = _Counter(total, progress)
    with kept(path):
        held = Study(knobs.space, rules, definition, path)
        try:
            with Workers(workers or cores()) as pool:
                work = _Work(ready, knobs, _Numbers(symbol), known["fit"], pool, counter)
                finished = work.search(held, trials)
                runs = work.stages({"before": before, "estimated": ready}, later)
                winner, runs["after"] = work.best(finished, later)
                slopes: Slopes = {}
                if errors:
                    winner, runs["after"], slopes = work.refined(winner, runs["after"], later, errors, moves)
                counter.finish()
        finally:
            held.close()
    specs = {"before": before, "estimated": ready, "after": work.spec(winner)}
    distances, statistics = _judged(runs, known)
    return Calibration(
        scenario=spec,
        symbol=symbol,
        recorded_symbol=theirs,
        specs=specs,
        recorded=halves,
        seeds=chosen,
        fresh=later,
        distances=distances,
        statistics=statistics,
        parameters=_parameters(knobs, before, ready, winner, slopes, _noise(runs["after"], known["fit"])),
        trials=pd.DataFrame(
            [{"trial": a.number, "value": value, "error": a.error, **a.values} for a, _, value in finished]
        ),
        values=pd.DataFrame(
            [(s, seed, name, v) for s, found in runs.items() for seed, row in zip(later, found, strict=True)
             for name, v in row.items()],
            columns=["stage", "seed", "statistic", "value"],
        ),
    )  # fmt: skip


# --- what is given ---


def _tables_of(recorded: Recorded) -> MarketTables:
    if not isinstance(recorded, (str, Path)):
        return recorded
    from marketsim.data import read_lobster

    return read_lobster(recorded)


def _instruments(
    spec: ScenarioSpec, instrument: str | None, tables: MarketTables, theirs: str | None
) -> tuple[str, str]:
    from marketsim.analysis.tape import the_instrument
    from marketsim.errors import did_you_mean

    ours = list(spec.instruments)
    if instrument is None and len(ours) != 1:
        raise InvalidValueError(f"{spec.name} has {len(ours)} instruments: name one of {', '.join(sorted(ours))}")
    symbol = ours[0] if instrument is None else instrument
    if symbol not in spec.instruments:
        raise InvalidValueError(f"unknown instrument {symbol!r}{did_you_mean(symbol, ours)}")
    found = the_instrument(tables, theirs)
    tick, recorded_tick = float(spec.instruments[symbol].tick_size), tables.instruments[found].tick
    if not math.isclose(tick, recorded_tick, rel_tol=1e-9):
        raise InvalidValueError(
            f"{symbol} has a tick size of {tick:g} and the recorded {found} one of {recorded_tick:g}: spreads in "
            f"ticks would mean different things; set instruments.{symbol}.tick_size={recorded_tick:g}"
        )
    return symbol, found


def _window(tables: MarketTables, symbol: str, given: str | tuple[object, object], what: str) -> Window:
    from marketsim.analysis.tape import Tape

    try:
        begin, end = given.replace("–", "-").split("-") if isinstance(given, str) else given
        start, stop = time_of_day(begin), time_of_day(end)
    except ValueError as error:
        raise InvalidValueError(f'{what}={given!r}: write an interval of the day such as "09:30-12:45"') from error
    if not start < stop:
        raise InvalidValueError(f"{what}={given!r}: an interval ends after its start")
    window = Window(tables, start, stop)
    count = len(Tape.of(window, symbol).price)
    if count == 0:
        lies = _clock(Window(tables, tables.start, max(tables.end, tables.start + 1)))
        raise InvalidValueError(f"{what}={_clock(window)}: {symbol} has no trade in it; the recording is of {lies}")
    return window


def _seeds(seeds: int | Sequence[int], fresh: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    chosen = tuple(range(1, seeds + 1)) if isinstance(seeds, int) else tuple(seeds)
    if not chosen or len(set(chosen)) < len(chosen) or min(chosen) < 0:
        raise InvalidValueError(f"seeds={seeds}: give a number of at least 1, or different seeds")
    if fresh < 2:
        raise InvalidValueError(f"fresh={fresh}: an uncertainty over seeds needs at least two")
    first = max(_FRESH, *chosen) + 1
    return chosen, tuple(range(first, first + fresh))


def _check(trials: int, steps: int, errors: int) -> None:
    if trials < 1:
        raise InvalidValueError(f"trials={trials}: at least one point is tried")
    if steps < 0:
        raise InvalidValueError(f"steps={steps}: write how many, or 0 for none")
    if errors < 0:
        raise InvalidValueError(f"errors={errors}: write how many seeds, or 0 for no intervals of parameters")


def _placed(spec: ScenarioSpec, symbol: str, window: Window, theirs: str, length: object) -> ScenarioSpec:
    """The scenario at the time of day and the price of the recording, for as long as its interval."""
    from marketsim.analysis.tape import Tape
    from marketsim.domain.units import duration

    tape = Tape.of(window, theirs)
    span = window.end - window.start if length is None else duration(length)
    if span <= 0:
        raise InvalidValueError(f"length={length!r} must be above zero, such as '30min'")
    first = tape.mid[np.isfinite(tape.mid) & (tape.quote_time >= window.start)]
    price = float(first[0] if len(first) else tape.price[0])
    changes: dict[str, Any] = {
        "start": format_duration(max(window.start - spec.warm_up, 0)),
        "duration": format_duration(span + spec.warm_up),
        f"instruments.{symbol}.reference_price": f"{round(price / tape.tick) * tape.tick:.10g}",
    }
    return spec.with_overrides(changes)


def _estimated(spec: ScenarioSpec, symbol: str, window: Window, theirs: str) -> ScenarioSpec:
    from marketsim.analysis.flow_estimation import flow_estimates

    return spec.with_overrides(estimated(spec, symbol, flow_estimates(window, theirs)))


def _default_knobs(spec: ScenarioSpec, symbol: str) -> dict[str, str]:
    over = searched(spec, symbol)
    if not over:
        raise InvalidValueError(
            f"{spec.name} has no agent whose parameters are known to be searched: say which paths vary, such as "
            'over={"agents.noise.rate": "0.1/s..5/s log"}'
        )
    return over


def _definition(
    spec: ScenarioSpec, symbol: str, knobs: Knobs, rules: Rules, known: pd.DataFrame, theirs: str
) -> dict[str, Any]:
    """What must be the same for a study to go on."""
    return {
        "scenario": {key: value for key, value in spec.to_dict().items() if key != "seed"},
        "over": knobs.space.to_dict(),
        "instrument": symbol,
        "recorded": {theirs: {name: float(f"{value:.6g}") for name, value in known["value"].dropna().items()}},
        "seeds": list(rules.seeds),
        "search_seed": rules.sampler_seed,
    }


# --- statistics and distances ---


@dataclass(frozen=True)
class _Numbers:
    """A run boiled down to the statistics of one instrument; it can be sent to another process."""

    symbol: str

    def __call__(self, tables: Any) -> Measures:
        return {str(name): float(value) for name, value in _statistics(tables, self.symbol, 1)["value"].items()}


def _statistics(tables: MarketTables, symbol: str, times: int) -> pd.DataFrame:
    from marketsim.analysis.fact_distances import fact_statistics
    from marketsim.analysis.market_numbers import market_statistics
    from marketsim.analysis.tape import Tape

    tape = Tape.of(tables, symbol)
    return pd.concat([market_statistics(tape, times=times), fact_statistics(tape, times=times)])


def _recorded_table(window: Window, symbol: str) -> pd.DataFrame:
    table = _statistics(window, symbol, RESAMPLES)
    known: pd.DataFrame = table[np.isfinite(table["value"]) & (table["standard_error"] > 0)]
    if known.empty:
        raise InvalidValueError(f"{_clock(window)}: {symbol} is recorded for too short a time to tell any statistic")
    return known


def _apart(found: Measures, known: pd.DataFrame) -> float:
    """What the search makes small: the root mean square of the distances, each at most WORST."""
    values = np.array([found.get(str(name), math.nan) for name in known.index])
    distance = np.abs(values - known["value"].to_numpy()) / known["standard_error"].to_numpy()
    return float(np.sqrt(np.mean(np.minimum(np.where(np.isfinite(distance), distance, WORST), WORST) ** 2)))


def _simulated_table(found: Sequence[Measures], names: Iterable[str]) -> pd.DataFrame:
    """Means over seeds, and their standard errors."""
    frame = pd.DataFrame(list(found)).reindex(columns=list(names))
    table = pd.DataFrame({"value": frame.mean(), "standard_error": frame.std(ddof=1) / np.sqrt(frame.count())})
    return table.rename_axis("statistic")


def _against(found: Sequence[Measures], known: pd.DataFrame) -> FactDistance:
    from marketsim.analysis.fact_distances import fact_distance

    return fact_distance(_simulated_table(found, known.index), known, times=RESAMPLES)


def _judged(
    runs: Mapping[str, Sequence[Measures]], known: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    from marketsim.analysis.fact_distances import fact_distance

    distances, statistics = [], []
    for half in HALVES:
        for stage in STAGES:
            apart = _against(runs[stage], known[half])
            distances.append(_distance_row(stage, half, apart))
            rows = apart.table.reset_index().assign(
                half=half, stage=stage, recorded_error=known[half]["standard_error"].to_numpy()
            )
            statistics.append(rows)
        other = HALVES[1 - HALVES.index(half)]
        distances.append(_distance_row(OTHER_HALF, half, fact_distance(known[other], known[half], times=RESAMPLES)))
    return pd.DataFrame(distances), pd.concat(statistics, ignore_index=True)


def _distance_row(stage: str, half: str, apart: FactDistance) -> dict[str, Any]:
    count = int(np.isfinite(apart.table["distance"]).sum())
    return {
        "stage": stage, "half": half, "distance": apart.total, "low": apart.low, "high": apart.high,
        "statistics": count,
    }  # fmt: skip


# --- the search ---


class _Counter:
    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, runs: int = 1) -> None:
        self._done += runs
        if self._progress is not None and runs:
            self._progress(min(self._done, self._total), self._total)

    def finish(self) -> None:
        """Runs that turned out superfluous are done."""
        self.add(max(self._total - self._done, 0))


@dataclass
class _Work:
    """Runs what a study asks for, and what is to be known about its best trials."""

    base: ScenarioSpec
    knobs: Knobs
    numbers: _Numbers
    known: pd.DataFrame
    pool: Workers
    counter: _Counter

    def search(self, study: Study, trials: int) -> list[tuple[Attempt, str, float]]:
        """Trials until there are so many; all that are finished."""
        self.counter.add(sum(len(attempt.outcomes) for attempt, _, _ in study.finished()))
        under_way = study.open()
        while under_way or study.asked < trials:
            while len(under_way) < _BATCH and study.asked < trials:
                under_way.append(study.ask())
            self._run(study, under_way)
            for attempt in under_way:
                study.close_trial(attempt)
            under_way = []
        finished = study.finished()
        if not any(state == "complete" for _, state, _ in finished):
            raise SimulationError(f"no trial came to its end; the first: {finished[0][0].error}")
        return finished

    def stages(self, specs: Mapping[str, ScenarioSpec], seeds: Sequence[int]) -> dict[str, list[Measures]]:
        """Statistics of scenarios under fresh seeds."""
        return self._all({name: spec.to_dict() for name, spec in specs.items()}, seeds)

    def best(
        self, finished: Sequence[tuple[Attempt, str, float]], seeds: Sequence[int]
    ) -> tuple[Values, list[Measures]]:
        """The values of the best of three trials, and their statistics, under fresh seeds."""
        complete = sorted((value, a.number, a.values) for a, state, value in finished if state == "complete")
        few = {str(number): values for _, number, values in complete[:3]}
        found = self._all({name: self.spec(values).to_dict() for name, values in few.items()}, seeds)
        name = min(few, key=lambda one: _against(found[one], self.known).total)
        return few[name], found[name]

    def refined(
        self, values: Values, found: list[Measures], seeds: Sequence[int], errors: int, steps: int
    ) -> tuple[Values, list[Measures], Slopes]:
        """Steps down the slopes, as long as they bring the market closer; values, statistics and slopes at the end."""
        slopes = self.slopes(values, seeds[:errors])
        for _ in range(steps):
            tried = {str(share): self._moved(values, found, slopes, share) for share in (1.0, 0.4)}
            runs = self._all({name: self.spec(one).to_dict() for name, one in tried.items()}, seeds)
            name = min(tried, key=lambda one: _against(runs[one], self.known).total)
            if not _against(runs[name], self.known).total < _against(found, self.known).total:
                break
            values, found = tried[name], runs[name]
            slopes = self.slopes(values, seeds[:errors])
        return values, found, slopes

    def _moved(self, values: Values, found: Sequence[Measures], slopes: Slopes, share: float) -> Values:
        """A share of Gauss and Newton's step, with a ridge."""
        simulated = _simulated_table(found, self.known.index)["value"]
        apart = ((simulated - self.known["value"]) / self.known["standard_error"]).to_numpy()
        apart = np.clip(np.nan_to_num(apart), -WORST, WORST)
        table = np.stack(list(slopes.values()), axis=1)
        ridge = np.eye(table.shape[1]) / _PRIOR**2
        step = np.clip(-np.linalg.solve(table.T @ table + ridge, table.T @ apart), -_FARTHEST, _FARTHEST)
        moved = dict(values)
        for path, way in zip(slopes, step, strict=True):
            dimension = self.knobs.space[path]
            moved[path] = dimension.at(place_of(dimension, values[path]) + share * float(way))
        return moved

    def slopes(self, values: Values, seeds: Sequence[int]) -> Slopes:
        """Measured from a small step to either side."""
        points: dict[str, Any] = {}
        ends: dict[str, tuple[float, float]] = {}
        for dimension in self.knobs.space:
            if dimension.is_choice or dimension.low == dimension.high:
                continue
            place = place_of(dimension, values[dimension.path])
            ends[dimension.path] = (max(place - _STEP, 0.0), min(place + _STEP, 1.0))
            for side, at in zip("-+", ends[dimension.path], strict=True):
                moved = {**values, dimension.path: dimension.at(at)}
                points[side + dimension.path] = self.spec(moved).to_dict()
        found = self._all(points, seeds)
        errors = self.known["standard_error"]
        slopes = {}
        for path, (low, high) in ends.items():
            left, right = (_simulated_table(found[side + path], self.known.index)["value"] for side in "-+")
            slopes[path] = np.nan_to_num(((right - left) / errors).to_numpy() / (high - low))
        return slopes

    def spec(self, values: Values) -> ScenarioSpec:
        """The scenario with these values of the knobs."""
        return self.knobs.space.spec(self.base, self.knobs.changes(values))

    def _run(self, study: Study, attempts: Sequence[Attempt]) -> None:
        by_number = {attempt.number: attempt for attempt in attempts}
        for attempt in attempts:
            try:
                given = self.spec(attempt.values).to_dict()
            except ConfigurationError as error:
                study.record(attempt, study.rules.seeds[0], f"{type(error).__name__}: {error}")
                continue
            for seed in study.rules.seeds:
                if seed not in attempt.outcomes:
                    self.pool.submit((attempt.number, seed), given, seed, self.numbers)
        while self.pool.under_way:
            (number, seed), found = self.pool.answer()
            if isinstance(found, BaseException):
                if not isinstance(found, Exception):
                    raise found
                study.record(by_number[number], seed, f"{type(found).__name__}: {found}")
            else:
                study.record(by_number[number], seed, _apart(found, self.known))
            self.counter.add()

    def _all(self, given: Mapping[str, Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, list[Measures]]:
        for name, mapping in given.items():
            for seed in seeds:
                self.pool.submit((name, seed), mapping, seed, self.numbers)
        found: dict[tuple[str, int], Measures] = {}
        while self.pool.under_way:
            (name, seed), outcome = self.pool.answer()
            if isinstance(outcome, BaseException):
                raise SimulationError(f"{name}: the run with seed {seed} failed: {outcome}") from outcome
            found[name, seed] = outcome
            self.counter.add()
        return {name: [found[name, seed] for seed in seeds] for name in given}


def _mean(values: np.ndarray[Any, Any]) -> float:
    return float(np.mean(values))


# --- parameters ---


def place_of(dimension: Dimension, value: Any) -> float:
    """Where a value lies between the ends of a span, from 0 to 1."""
    number, low, high = dimension.number(value), dimension.low, dimension.high
    if dimension.scale == "log":
        number, low, high = math.log(number), math.log(low), math.log(high)
    return min(max((number - low) / (high - low), 0.0), 1.0)


def _parameters(
    knobs: Knobs,
    before: ScenarioSpec,
    ready: ScenarioSpec,
    values: Values,
    slopes: Slopes,
    noise: np.ndarray[Any, Any],
) -> pd.DataFrame:
    widths = _widths(slopes, noise)
    rows = {}
    for dimension in knobs.space:
        path, value = dimension.path, values[dimension.path]
        given = value_at(ready, path)
        many = path in knobs.factors and isinstance(given, (list, tuple))
        low = high = None
        if path in widths:
            place, half = place_of(dimension, value), 1.96 * widths[path]
            low, high = dimension.at(place - half), dimension.at(place + half)
        found, low, high = (
            one if many or one is None else knobs.changes({path: one})[path] for one in (value, low, high)
        )
        rows[path] = {
            "kind": "factor" if many else "value",
            "before": value_at(before, path),
            "estimated": given,
            "value": found,
            "low": low,
            "high": high,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def _noise(found: Sequence[Measures], known: pd.DataFrame) -> np.ndarray[Any, Any]:
    """A row a seed: by how much the statistics of a run differ from their mean, in recorded standard errors."""
    frame = pd.DataFrame(list(found)).reindex(columns=list(known.index))
    apart = ((frame - frame.mean()) / known["standard_error"]).to_numpy(dtype=np.float64)
    return np.asarray(np.nan_to_num(apart))


def _widths(slopes: Slopes, noise: np.ndarray[Any, Any]) -> dict[str, float]:
    """Standard error of each knob's place: (J'J)⁻¹ J'ΩJ (J'J)⁻¹ (1 + 1/n), J the slopes, Ω the covariance of noise.

    Runs stand for recordings: this is how far the estimate would scatter if the calibrated market were the true one
    (Duffie and Singleton 1993, Econometrica 61). n: how many runs there are.
    """
    if not slopes:
        return {}
    table = np.stack(list(slopes.values()), axis=1)
    bread = np.linalg.pinv(table.T @ table, rcond=1e-9, hermitian=True) @ table.T
    scattered = noise @ bread.T
    spread = np.sqrt((scattered**2).sum(axis=0) / max(len(noise) - 1, 1) * (1.0 + 1.0 / len(noise)))
    # What no statistic moves with is unknown, whatever the pseudo-inverse says.
    moves = np.sqrt((table**2).sum(axis=0)) > 1e-9
    return {path: float(width) if known else 1.0 for path, width, known in zip(slopes, spread, moves, strict=True)}


def _clock(window: Window) -> str:
    from marketsim.analysis.figures.style import clock_text

    return "-".join(clock_text(time / SECOND).removesuffix(":00") for time in (window.start, window.end))
