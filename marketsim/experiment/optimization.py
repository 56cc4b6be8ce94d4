"""An optimisation: values of a scenario's parameters that make a measure as large, or as small, as possible.

Every trial runs under the same seeds, so that trials differ by their values and not by their luck; the value of a trial
is the mean of the measure over them, or another aggregate. After each seed a trial that is worse than the median of
those before it is given up. Trials are asked for in batches and entered in the order of their numbers, so that a study
is the same with any number of workers.

The best of many trials is best partly by luck: its value in the search is too good. So the best few are run once more
under seeds that the search has never seen, beside the scenario as it is, and what is told of the winner is that.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marketsim.analysis.files import write_figure, write_tables, write_text
from marketsim.analysis.paired import mean_interval
from marketsim.domain import units
from marketsim.errors import InvalidValueError, SimulationError, did_you_mean
from marketsim.experiment.measure import measured
from marketsim.experiment.pool import cores
from marketsim.experiment.replication import Given, Measures, spec_of
from marketsim.experiment.search import BASE, Search, Step
from marketsim.experiment.space import Space, Values, value_at
from marketsim.experiment.study import PRUNERS, SAMPLERS, Attempt, Outcome, Rules, Study, kept
from marketsim.experiment.workers import Workers
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Floats: TypeAlias = NDArray[np.float64]
DIRECTIONS = ("maximize", "minimize")
FIGURES = ("history", "importance", "slices")
_AGGREGATES = 'write "mean", "median", "worst", "cautious" (mean less a standard error), "cautious 2" or "q10"'


@dataclass(frozen=True)
class Optimization:
    """What came of it.

    ``trials``: a row a trial: trial, state ("complete", "pruned" or "failed"), value, seeds (how many were run), mean,
    standard_error, error, and a column a path. ``values``: tidy, a row a run: stage ("search" or "check"), candidate
    ("base" or the trial's number), seed, value. ``importance``: parameter, importance (shares of the variance that add
    up to 1; NaN where too few trials were complete). ``finalists``: the scenario as it is and the best trials under
    fresh seeds: candidate, value (in the search), mean, low, high, optimism (by how much the search was too good),
    difference (to the scenario as it is, paired by seed) with difference_low and difference_high, better, seeds, paths.
    """

    scenario: ScenarioSpec
    space: Space
    measure: str
    direction: str
    aggregate: str
    sampler: str
    seeds: tuple[int, ...]
    fresh: tuple[int, ...]
    confidence: float
    trials: pd.DataFrame
    values: pd.DataFrame
    importance: pd.DataFrame
    finalists: pd.DataFrame

    def __repr__(self) -> str:
        return (
            f"<Optimization of {self.scenario.name}: {self.direction}d {self.measure}, {len(self.trials):,} trials, "
            f"{len(self.seeds):,} seeds, best {self.value:.6g}; .best, .finalists, .figure(), .report(PATH), "
            ".save(FOLDER)>"
        )

    @cached_property
    def winner(self) -> int:
        """The number of the trial with the best value in the search."""
        complete = self.trials[self.trials["state"] == "complete"]
        values = complete["value"].to_numpy(np.float64)
        place = int(values.argmax() if self.direction == "maximize" else values.argmin())
        return int(complete["trial"].to_numpy()[place])

    @cached_property
    def best(self) -> Values:
        """The winner's values by path."""
        row = self.trials[self.trials["trial"] == self.winner].iloc[0]
        return {path: _plain(row[path]) for path in self.space.paths}

    @property
    def value(self) -> float:
        """The winner's value in the search: too good, as that of any winner is."""
        return float(self.trials.loc[self.trials["trial"] == self.winner, "value"].iloc[0])

    @property
    def base(self) -> float:
        """The value of the scenario as it is, under the seeds of the search; NaN where a run of it failed."""
        found = self.values[(self.values["stage"] == "search") & (self.values["candidate"] == BASE)]
        numbers = found["value"].to_numpy(np.float64)
        return _aggregate(self.aggregate, self.direction)(numbers) if len(numbers) else math.nan

    @cached_property
    def best_spec(self) -> ScenarioSpec:
        """The scenario with the winner's values."""
        return self.space.spec(self.scenario, self.best)

    def history(self) -> pd.DataFrame:
        """Convergence: trial, value and the best so far, of the complete trials."""
        complete = self.trials[self.trials["state"] == "complete"]
        best = complete["value"].cummax() if self.direction == "maximize" else complete["value"].cummin()
        return complete[["trial", "value"]].assign(best=best).reset_index(drop=True)

    def points(self) -> pd.DataFrame:
        """The trials with every value of a path as a number of its unit, words as they are."""
        table = self.trials.copy()
        for dimension in self.space:
            numbers = [dimension.number(value) for value in table[dimension.path]]
            if not any(map(math.isnan, numbers)):
                table[dimension.path] = numbers
        return table

    def figure(self, kind: str = "history", *, width: float | None = None) -> Figure:
        """The picture of a kind: "history" with the best so far, "importance", or "slices" along each parameter."""
        from marketsim.analysis import figures

        if kind not in FIGURES:
            raise InvalidValueError(f"figure {kind!r} is unknown{did_you_mean(kind, FIGURES)}")
        room: Any = {} if width is None else {"width": width}
        if kind == "importance":
            return figures.parameter_importance(self.importance, **room)
        words: Any = {"measure": self.measure, "direction": self.direction, "base": self.base}
        if kind == "history":
            return figures.optimization_history(self.trials, **words, **room)
        scales = {d.path: (d.scale, d.unit) for d in self.space}
        return figures.optimization_slices(self.points(), scales, **words, **room)

    def save(self, folder: str | Path, *, parquet: bool = False) -> list[Path]:
        """Write the tables, best.yaml and the figures; the paths."""
        place = Path(folder)
        tables = {name: getattr(self, name) for name in ("trials", "values", "importance", "finalists")}
        paths = write_tables(tables, place, parquet=parquet)
        paths += [write_figure(self.figure(kind), place / f"{kind}.png") for kind in FIGURES]
        return [*paths, self.write_best(place / "best.yaml")]

    def write_best(self, path: str | Path) -> Path:
        """Write the scenario with the winner's values as a file that runs; it appears whole or not at all."""
        found = "".join(f"# {path}: {value}\n" for path, value in self.best.items())
        words = f"# The best of {len(self.trials)} trials: {self.direction}d {self.measure}, {self.value:.6g}.\n"
        return write_text(Path(path), words + found + self.best_spec.to_yaml())

    def report(self, path: str | Path) -> Path:
        """Write all of it as one HTML page."""
        from marketsim.analysis.page_optimization import optimization_report

        return optimization_report(self, path)


def optimize(
    scenario: Given,
    over: Mapping[str, Any],
    measure: str | Callable[[Any], float],
    direction: str = "maximize",
    seeds: int | Sequence[int] = 5,
    trials: int | None = None,
    *,
    aggregate: str = "mean",
    sampler: str = "tpe",
    pruner: str = "median",
    study: str | Path | None = None,
    finalists: int = 3,
    fresh: int | Sequence[int] = 10,
    timeout: float | str | None = None,
    workers: int | None = None,
    batch: int = 4,
    levels: int = 5,
    sampler_seed: int = 1,
    confidence: float = 0.95,
    prepare: Callable[[], None] | None = None,
    progress: Callable[[Step], None] | None = None,
) -> Optimization:
    """Search for the values that make a measure best.

    scenario: a simulation, its spec, or a file or the name of a scenario; one that replays a recording as well.
    over: path -> values, as ``Space.of`` reads them. measure: a name such as ``agents.mm.sharpe``, or a function of a
    run. direction: "maximize" or "minimize". seeds: how many (then 1, 2, 3 …), or which ones; the same for each trial.
    trials: how many in all, those of a kept study included; 100, or the whole grid, when left out.
    aggregate: what makes one value of a trial's seeds: "mean", "median", "worst", "cautious" (the mean made worse by a
    standard error; "cautious 2" by two of them), or "q10" (that percentile).
    sampler: "tpe" (Bayesian), "cmaes", "random", or "grid" (every combination; ``levels`` values of a span).
    pruner: "median" gives up trials below the median of those before, "none" runs all seeds.
    study: a SQLite file in which the trials are kept; a study that is there goes on.
    finalists, fresh: how many of the best run once more under how many fresh seeds, or which; 0: none.
    timeout: seconds, or "10min"; no batch begins after it. workers: processes, as many as there are cores when left
    out. batch: so many trials are asked for at once; with more the search learns later and more workers are of use.
    prepare: called when everything has been checked and before anything runs. progress: called after each run.
    Raises InvalidValueError for what cannot be searched, SimulationError when no trial came to its end.
    """
    spec = spec_of(scenario)
    space = Space.of(over, spec)
    name, measuring = _measuring(measure, spec)
    _check(direction, sampler, pruner, trials, batch, levels, finalists, confidence)
    chosen, unseen = _seeds(seeds, fresh, finalists)
    rules = Rules(direction, chosen, _aggregate(aggregate, direction), sampler, sampler_seed, pruner, levels)
    path = None if study is None else Path(study)
    count = workers or cores()
    deadline = math.inf if timeout is None else time.monotonic() + _seconds(timeout)
    definition = _definition(spec, space, name, aggregate, rules, batch)
    with kept(path):
        held = Study(space, rules, definition, path)
        try:
            if prepare is not None:
                prepare()
            with Workers(count) as pool:
                search = Search(spec, held, measuring, pool, batch, progress)
                search.run(trials or held.points or 100, deadline, (finalists + 1) * len(unseen) if finalists else 0)
                checked = search.check(finalists, unseen)
            return _result(spec, held, name, aggregate, unseen, confidence, checked)
        finally:
            held.close()


# --- inner: what is asked for ---


def _measuring(measure: str | Callable[[Any], float], spec: ScenarioSpec) -> tuple[str, Callable[[Any], Measures]]:
    """The measure's name, and what gives it of a run."""
    if isinstance(measure, str):
        found = measured(measure, spec)
        if len(found.names) > 1:
            some = ", ".join(found.names[:4]) + (" …" if len(found.names) > 4 else "")
            raise InvalidValueError(f"measure {measure!r}: one measure, please; the pattern matches {some}")
        return found.names[0], found
    if not callable(measure):
        raise InvalidValueError(f"measure={measure!r}: give a name such as agents.mm.pnl, or a function of a run")
    name = f"{getattr(measure, '__module__', '')}:{getattr(measure, '__qualname__', type(measure).__name__)}"
    return name, partial(_called, measure)


def _called(function: Callable[[Any], float], run: Any) -> Measures:
    return {"value": float(function(run))}


def _seeds(
    seeds: int | Sequence[int], fresh: int | Sequence[int], finalists: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The seeds of the search, and the others."""
    chosen = tuple(range(1, seeds + 1)) if isinstance(seeds, int) else tuple(seeds)
    first = max(chosen, default=0)
    unseen = tuple(first + place for place in range(1, fresh + 1)) if isinstance(fresh, int) else tuple(fresh)
    if not chosen or len(set(chosen)) < len(chosen) or not all(isinstance(seed, int) for seed in (*chosen, *unseen)):
        raise InvalidValueError(f"seeds={seeds}, fresh={fresh}: they are whole numbers, at least one, and each once")
    if not unseen or not finalists:
        return chosen, ()
    if seen := set(unseen) & set(chosen):
        raise InvalidValueError(f"fresh={fresh}: {', '.join(map(str, sorted(seen)))} served the search; take others")
    if len(unseen) < 2 or len(set(unseen)) < len(unseen):
        raise InvalidValueError(
            f"fresh={fresh}: an interval needs at least two different seeds; 0 leaves the check out"
        )
    return chosen, unseen


def _check(
    direction: str,
    sampler: str,
    pruner: str,
    trials: int | None,
    batch: int,
    levels: int,
    finalists: int,
    confidence: float,
) -> None:
    for what, given, known in (
        ("direction", direction, DIRECTIONS),
        ("sampler", sampler, SAMPLERS),
        ("pruner", pruner, PRUNERS),
    ):
        if given not in known:
            raise InvalidValueError(f"{what} {given!r} is unknown{did_you_mean(given, known)}")
    numbers: tuple[tuple[str, Any, int], ...] = (
        ("trials", trials, 1),
        ("batch", batch, 1),
        ("levels", levels, 2),
        ("finalists", finalists, 0),
    )
    for what, number, least in numbers:
        if number is not None and (not isinstance(number, int) or number < least):
            raise InvalidValueError(f"{what}={number!r}: it is a whole number, {least} at least")
    if not 0.0 < confidence < 1.0:
        raise InvalidValueError(f"confidence={confidence}: it lies between 0 and 1, such as 0.95")


def _aggregate(text: str, direction: str) -> Callable[[Floats], float]:
    """What makes one number of the values of several seeds."""
    simple: dict[str, Callable[[Floats], Any]] = {
        "mean": np.mean,
        "median": np.median,
        "worst": np.min if direction == "maximize" else np.max,
    }
    if text in simple:
        return lambda values: float(simple[text](values))
    sign = -1.0 if direction == "maximize" else 1.0
    if match := re.fullmatch(r"cautious(?:\s+([0-9.]+))?", text):
        times = sign * float(match.group(1) or 1.0)
        return lambda values: float(values.mean()) + times * _standard_error(values)
    if (match := re.fullmatch(r"q([0-9.]+)", text)) and 0.0 <= float(match.group(1)) <= 100.0:
        return lambda values: float(np.percentile(values, float(match.group(1))))
    raise InvalidValueError(f"aggregate {text!r} is unknown: {_AGGREGATES}")


def _standard_error(values: Floats) -> float:
    """Of the mean; 0 for a single value, of which nothing is known."""
    return float(values.std(ddof=1)) / sqrt(len(values)) if len(values) > 1 else 0.0


def _seconds(timeout: float | str) -> float:
    seconds = units.duration(timeout) / units.SECOND if isinstance(timeout, str) else timeout
    if seconds < 0:
        raise InvalidValueError(f"timeout={timeout}: it is not below zero")
    return float(seconds)


def _definition(
    spec: ScenarioSpec, space: Space, measure: str, aggregate: str, rules: Rules, batch: int
) -> dict[str, Any]:
    """What must be the same for a study to go on; how many trials and workers is not among it."""
    scenario = {key: value for key, value in spec.to_dict().items() if key != "seed"}
    return {
        "scenario": scenario,
        "over": space.to_dict(),
        "measure": measure,
        "direction": rules.direction,
        "aggregate": aggregate,
        "seeds": list(rules.seeds),
        "sampler": rules.sampler,
        "sampler_seed": rules.sampler_seed,
        "pruner": rules.pruner,
        "batch": batch,
        **({"levels": rules.levels} if rules.sampler == "grid" else {}),
    }


# --- inner: what came of it ---


def _result(
    spec: ScenarioSpec,
    study: Study,
    measure: str,
    aggregate: str,
    fresh: tuple[int, ...],
    confidence: float,
    checked: Mapping[str, Mapping[int, Outcome]],
) -> Optimization:
    import pandas as pd

    rules = study.rules
    finished = study.finished()
    if not any(state == "complete" for _, state, _ in finished):
        reason = finished[0][0].error if finished else "time was over before the first"
        raise SimulationError(f"no trial of {len(finished)} came to its end: {reason}")
    trials = pd.DataFrame([_row(one, state, value, study) for one, state, value in finished])
    importance = pd.DataFrame(study.importance().items(), columns=["parameter", "importance"])
    base = study.note(f"search {BASE}")
    rows = [*_values("search", {BASE: base} | {str(one.number): one.outcomes for one, _, _ in finished})]
    values = pd.DataFrame([*rows, *_values("check", checked)], columns=["stage", "candidate", "seed", "value"])
    finalists = _finalists(spec, trials, base, checked, study, confidence)
    return Optimization(
        spec, study.space, measure, rules.direction, aggregate, rules.sampler, rules.seeds, fresh if checked else (),
        confidence, trials, values, importance, finalists,
    )  # fmt: skip


def _row(attempt: Attempt, state: str, value: float, study: Study) -> dict[str, Any]:
    numbers = attempt.measured(study.rules.seeds)
    return {
        "trial": attempt.number,
        "state": state,
        "value": value,
        "seeds": len(numbers),
        "mean": float(numbers.mean()) if len(numbers) else math.nan,
        "standard_error": _standard_error(numbers) if len(numbers) > 1 else math.nan,
        "error": attempt.error,
        **{path: attempt.values.get(path) for path in study.space.paths},
    }


def _values(stage: str, found: Mapping[str, Mapping[int, Outcome]]) -> Iterator[tuple[str, str, int, float]]:
    for candidate, outcomes in found.items():
        for seed, outcome in sorted(outcomes.items()):
            yield stage, candidate, seed, math.nan if isinstance(outcome, str) else outcome


def _finalists(
    spec: ScenarioSpec,
    trials: pd.DataFrame,
    base: Mapping[int, Outcome],
    checked: Mapping[str, Mapping[int, Outcome]],
    study: Study,
    confidence: float,
) -> pd.DataFrame:
    """The table of the check; intervals of differences hold for all finalists at once (Bonferroni)."""
    import pandas as pd

    sign = 1.0 if study.rules.direction == "maximize" else -1.0
    columns = (trials[name].tolist() for name in ("trial", "value", "mean"))
    means = {str(number): (value, mean) for number, value, mean in zip(*columns, strict=True)}
    search = _numbers(base, study.rules.seeds)
    whole = len(search) > 0 and not np.isnan(search).any()
    means[BASE] = (study.rules.aggregate(search), float(search.mean())) if whole else (math.nan, math.nan)
    each = 1.0 - (1.0 - confidence) / max(len(checked) - 1, 1)
    rows = []
    for name, outcomes in checked.items():
        numbers, reference = _numbers(outcomes, sorted(outcomes)), _numbers(checked[BASE], sorted(outcomes))
        mean, low, high = mean_interval(numbers, confidence)
        difference, least, most = mean_interval(numbers - reference, each) if name != BASE else (0.0, 0.0, 0.0)
        rows.append({
            "candidate": name, "value": means[name][0], "mean": mean, "low": low, "high": high,
            "optimism": sign * (means[name][1] - mean), "difference": difference, "difference_low": least,
            "difference_high": most, "better": bool(min(sign * least, sign * most) > 0.0),
            "seeds": int((~np.isnan(numbers)).sum()),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    if not len(table):
        return table
    tried = {str(one.number): one.values for one, _, _ in study.finished()}
    for path in study.space.paths:
        own = _own(spec, path)
        table[path] = pd.Series([tried.get(name, {}).get(path, own) for name in table["candidate"]], dtype=object)
    return table


def _own(spec: ScenarioSpec, path: str) -> Any:
    """What the scenario as it is says at a path; None where it leaves it out."""
    found = value_at(spec, path)
    if isinstance(found, Mapping) and found.get("type") == "constant":  # a latency, written short
        return found.get("latency")
    return found


def _numbers(outcomes: Mapping[int, Outcome], seeds: Sequence[int]) -> Floats:
    found = (outcomes.get(seed, math.nan) for seed in seeds)
    return np.array([math.nan if isinstance(outcome, str) else outcome for outcome in found], dtype=np.float64)


def _plain(value: Any) -> Any:
    """A value of a table as a scenario takes it: what pandas made of a number is a number again."""
    return value.item() if hasattr(value, "item") else value
