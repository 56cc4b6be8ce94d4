"""A comparison under common random numbers: what differs, by how much, how sure that is, and what more seeds would see.

Scenarios run under the same seeds, where agents of the same name draw the same numbers in all of them; or agents of one
scenario are compared that trade in the same runs. The first is the base. Each measure is compared seed by seed with the
base (``analysis.paired`` has the statistics), and p-values are corrected for how many comparisons are made. A run that
fails is recorded and left out, with its pair. It judges nothing beyond that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from marketsim.analysis.files import write_tables
from marketsim.analysis.paired import (
    PairedDifference,
    best_first,
    check_confidence,
    corrected,
    paired_difference,
    seeds_needed,
    smallest_difference,
)
from marketsim.domain.units import format_duration
from marketsim.errors import InvalidValueError, ScenarioError, SimulationError, did_you_mean
from marketsim.experiment import league
from marketsim.experiment.measure import AGENT, MARKET, Measured, known_measures, measured, plain_name
from marketsim.experiment.replication import Failed, Given, Measures, Measuring, replicate_all, spec_of
from marketsim.scenario.diff import Difference, diff, differences
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

USUAL = (
    "pnl", "spread_capture", "adverse_selection", "inventory", "fees", "fills", "volume", "maker_share", "orders",
    "position",
)  # fmt: skip
"""What is measured of agents where nothing is named; of instruments everything is."""
POWER = 0.8  # of the seeds and differences in tables


@dataclass(frozen=True, kw_only=True)
class Paired(PairedDifference):
    """One measure of one of the compared (``name``, its mean is ``right``) beside the base (``base``, ``left``).

    ``p_adjusted`` is corrected for all comparisons, ``differs`` where it is below 1 - confidence. ``confidence`` is
    that of the intervals, which are of each measure by itself.
    """

    measure: str
    name: str
    base: str
    confidence: float
    p_adjusted: float = float("nan")
    differs: bool = False

    @property
    def apart(self) -> bool:
        """Whether its own interval excludes zero, however many others there are."""
        return self.low > 0 or self.high < 0

    def seeds_needed(self, difference: float | None = None, power: float = POWER, *, tests: int = 1) -> int:
        """How many seeds see this difference, or the one found; see ``analysis.paired.seeds_needed``."""
        wanted = self.difference if difference is None else difference
        return seeds_needed(wanted, self.deviation, power=power, confidence=self.confidence, tests=tests)

    def smallest_difference(self, power: float = POWER, *, tests: int = 1) -> float:
        """The smallest difference that the seeds of this comparison see with this chance."""
        return smallest_difference(
            self.seeds, self.deviation, power=power, confidence=self.confidence, tests=tests
        )  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """All that was found.

    ``names``: of the compared, the base first. ``rows``: a Paired for each of the others and each measure that both
    have. ``changes``: by name, where its scenario (or section) differs from the base's. ``only``: measures by the one
    that has them alone. ``failures``: runs that failed, by name (of agents by their scenario's). ``agents``: whether
    agents of the same runs are compared. ``outcomes``: by name, what each seed gave. ``planned``: how many seeds were
    asked for; more than there are after an interrupt. ``notes``: what makes sums and counts unlike.
    """

    scenario: str
    names: tuple[str, ...]
    seeds: tuple[int, ...]
    confidence: float
    correction: str
    agents: bool
    rows: tuple[Paired, ...]
    changes: Mapping[str, tuple[Difference, ...]]
    only: Mapping[str, tuple[str, ...]]
    failures: Mapping[str, tuple[Failed, ...]]
    outcomes: Mapping[str, tuple[Measures | Failed, ...]]
    planned: int = 0
    notes: tuple[str, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether it ended before all of its seeds had run."""
        return self.planned > len(self.seeds)

    def __repr__(self) -> str:
        return (
            f"<Comparison of {', '.join(self.names)} in {self.scenario}: {len(self.seeds):,} seeds, "
            f"{len({row.measure for row in self.rows}):,} measures; .table(), .of(MEASURE), .figure(), "
            ".report(PATH), .save(FOLDER)>"
        )

    @property
    def tests(self) -> int:
        """For how many comparisons p-values are corrected: those that are not equal under every seed."""
        return sum(not np.isnan(row.p) and not row.equal for row in self.rows)

    def of(self, measure: str, name: str = "") -> Paired:
        """The comparison of one measure, of the first other or the one named."""
        wanted = name or self.names[1]
        for row in self.rows:
            if row.measure == measure and row.name == wanted:
                return row
        known = self.names[1:] if wanted not in self.names[1:] else {row.measure for row in self.rows}
        unknown = wanted if wanted not in self.names[1:] else measure
        raise InvalidValueError(f"{unknown!r} was not compared{did_you_mean(unknown, known)}")

    def interesting(self, name: str = "") -> list[Paired]:
        """The rows of one of them (or of all): ``main``, then the surest; without those equal or missing everywhere."""
        rows = self._surest(name)
        return [row for row in rows if row.measure == self.main] + [row for row in rows if row.measure != self.main]

    def order(self) -> list[str]:
        """Measures that differ under some seed, the most interesting first."""
        return list(dict.fromkeys(row.measure for row in self.interesting()))

    def table(self) -> pd.DataFrame:
        """Tidy, a row a measure and compared one.

        ``measure``, ``name``, ``base``, ``mean_base``, ``mean``, ``difference``, ``low``, ``high``, ``boot_low``,
        ``boot_high``, ``p``, ``p_adjusted``, ``differs``, ``effect`` (d_z), ``deviation``, ``pairing_gain``,
        ``seeds``, ``seeds_80`` and ``seeds_90`` (to see the difference found), ``smallest_80`` (what these seeds see).
        """
        import pandas as pd

        return pd.DataFrame([_line(row) for row in self.rows], columns=list(_COLUMNS))

    def values(self) -> pd.DataFrame:
        """Tidy: name, seed, measure, value; runs that failed have no rows."""
        import pandas as pd

        rows = [
            (name, seed, measure, value)
            for name, found in self.outcomes.items()
            for seed, measures in zip(self.seeds, found, strict=True)
            if not isinstance(measures, Failed)
            for measure, value in measures.items()
        ]
        return pd.DataFrame(rows, columns=["name", "seed", "measure", "value"])

    def changed(self) -> pd.DataFrame:
        """Tidy: name, path, what the base says there (``base_value``), and what this one says (``value``)."""
        return self._changes(lambda change: change.texts)

    def changed_briefly(self) -> pd.DataFrame:
        """The same for people: of a ``section`` of one side its type and count, long values cut."""
        told = self._changes(lambda change: change.short)
        return told.assign(section=[one.section for changes in self.changes.values() for one in changes])

    def failed(self) -> pd.DataFrame:
        """Tidy: name, seed, kind and error of each run that failed."""
        import pandas as pd

        rows = [(name, one.seed, one.kind, one.error) for name, found in self.failures.items() for one in found]
        return pd.DataFrame(rows, columns=["name", "seed", "kind", "error"])

    @cached_property
    def main(self) -> str:
        """The measure of most interest: P&L of the one agent that was changed, or what differs most surely."""
        touched = {change.path.split(".")[1] for changes in self.changes.values() for change in changes
                   if change.path.startswith("agents.")}  # fmt: skip
        measures = list(dict.fromkeys(row.measure for row in self.rows))
        wanted = ["pnl"] if self.agents else [f"agents.{name}.pnl" for name in touched] if len(touched) == 1 else []
        for name in wanted:
            if name in measures:
                return name
        return next((row.measure for row in self._surest()), measures[0])

    def scores(self, measure: str = "") -> pd.DataFrame:
        """A measure seed by seed: a row a seed, a column a compared one; seeds that all of them have."""
        import pandas as pd

        wanted = measure or self.main
        columns = {
            name: [np.nan if isinstance(one, Failed) else one.get(wanted, np.nan) for one in found]
            for name, found in self.outcomes.items()
        }
        table = pd.DataFrame(columns, index=pd.Index(self.seeds, name="seed")).dropna(axis="columns", how="all")
        if len(table.columns) < 2:
            raise InvalidValueError(
                f"{wanted!r} was not compared{did_you_mean(wanted, {r.measure for r in self.rows})}"
            )
        return table.dropna()

    def ranking(self, measure: str = "", *, largest: bool = True) -> pd.DataFrame:
        """All of them in order of a measure, the largest mean first (or the smallest): ``league.standings``."""
        scores = self._scores(measure)
        sign = 1.0 if largest else -1.0
        table = league.standings(tuple(scores.columns), sign * scores.to_numpy(np.float64), self.confidence)
        if not largest:
            table["mean"], table["low"], table["high"] = -table["mean"], -table["high"], -table["low"]
            table["sharpe"] = -table["sharpe"]
        return table

    def every_pair(self, measure: str = "") -> pd.DataFrame:
        """Every two of them, not only those with the base: ``league.differences``; the larger one first."""
        scores = self._scores(measure)
        return league.differences(tuple(scores.columns), scores.to_numpy(np.float64), self.confidence)

    def figure(self, measures: Sequence[str] = ()) -> Figure:
        """Intervals of the differences and what pairing gained; the most interesting where none are named."""
        from marketsim.analysis import forest_figure

        return forest_figure(self.table(), self._chosen(measures), confidence=self.confidence)

    def pairs_figure(self, measure: str = "") -> Figure:
        """One measure seed by seed, and its paired differences."""
        from marketsim.analysis import pairs_figure

        chosen = measure or self.main
        table = self.table()
        return pairs_figure(self.scores(chosen), table[table["measure"] == chosen], chosen, confidence=self.confidence)

    def save(self, folder: str | Path, *, parquet: bool = False) -> list[Path]:
        """Write differences, values, changes, failures and, of three or more, rankings and all pairs; the paths.

        Each file appears whole or not at all; tables of an earlier comparison there are gone. Raises StoreError.
        """
        frames = {"differences": self.table(), "values": self.values(), "changes": self.changed()}
        if any(self.failures.values()):
            frames["failures"] = self.failed()
        if len(self.names) > 2:
            frames |= {"ranking": self.ranking(), "every_pair": self.every_pair()}
        old = tables_in(folder)
        written = write_tables(frames, folder, parquet=parquet)
        for path in old:
            if path not in written:
                path.unlink(missing_ok=True)
        return written

    def report(self, path: str | Path, *, title: str = "") -> Path:
        """Write all of it as one HTML page that loads nothing; the path."""
        from marketsim.analysis.page_comparison import comparison_report

        return comparison_report(self, path, title=title)

    # --- inner ---

    def _changes(self, told: Callable[[Difference], tuple[str, str]]) -> pd.DataFrame:
        import pandas as pd

        rows = [(name, change.path, *told(change)) for name, changes in self.changes.items() for change in changes]
        return pd.DataFrame(rows, columns=["name", "path", "base_value", "value"])

    def _surest(self, name: str = "") -> list[Paired]:
        rows = [row for row in self.rows if name in ("", row.name) and not row.equal and not np.isnan(row.p)]
        return [rows[place] for place in best_first([row.p for row in rows], [row.effect for row in rows])]

    def _scores(self, measure: str) -> pd.DataFrame:
        scores = self.scores(measure)
        if len(scores) < 2:
            raise InvalidValueError(f"{measure or self.main}: fewer than two seeds have it for all of them")
        return scores

    def _chosen(self, measures: Sequence[str]) -> list[str]:
        for name in measures:
            self.of(name)
        return list(measures) or self.order()


_COLUMNS = (
    "measure", "name", "base", "mean_base", "mean", "difference", "low", "high", "boot_low", "boot_high", "p",
    "p_adjusted", "differs", "effect", "deviation", "pairing_gain", "seeds", "seeds_80", "seeds_90", "smallest_80",
)  # fmt: skip
_TABLES = ("differences", "values", "changes", "failures", "ranking", "every_pair")
_RENAMED = {"mean_base": "left", "mean": "right", "pairing_gain": "gain"}


def compare(
    *scenarios: Given,
    seeds: int | Sequence[int] = 20,
    agents: Sequence[str] = (),
    variants: Mapping[str, Sequence[Any]] | None = None,
    names: Sequence[str] = (),
    measures: str | Sequence[str] | Measuring = (),
    correction: str = "holm",
    confidence: float = 0.95,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_interrupt: Literal["raise", "keep"] = "raise",
) -> Comparison:
    """Run what is compared under the same seeds, and compare its measures with those of the first.

    scenarios: simulations, their specs, or files or names of scenarios: two or more; or one with ``agents`` or
    ``variants``. seeds: how many (then 1, 2, 3 …), or which ones; at least two. agents: of one scenario, two or more
    of its keys, which are compared within the same runs. variants: values by path, such as
    ``{"agents.mm.gamma": [0.05, 0.2]}``: the scenario once more with each of them. names: what the compared are called,
    their scenarios' names when left out. measures: names or patterns such as ``agents.mm.*`` (of agents the last part
    alone, such as ``pnl``), or a function of a module from a run to a dict of numbers. correction: of p-values, for how
    many there are: "holm", "benjamini-hochberg", "bonferroni" or "none". confidence: of the intervals; a difference is
    sure where its corrected p-value is below 1 - confidence. on_interrupt: what Ctrl-C does; "keep" compares the seeds
    that all sides have done by then, if they are two at least (``Comparison.planned`` says how many they were to be).

    Raises InvalidValueError for what cannot be compared, SimulationError where nothing of the base, or nothing beside
    it, ran to its end. A run that fails otherwise is recorded.
    """
    chosen = _seeds(seeds)
    check_confidence(confidence)
    corrected([], correction)
    plan = _plan(scenarios, tuple(agents), variants or {}, tuple(names))
    measuring = _measuring(plan, measures)
    jobs = [(spec.to_dict(), seed) for seed in chosen for spec in plan.specs]
    planned, kept = len(chosen), _Kept(len(plan.specs))
    try:
        found = replicate_all(
            jobs, workers=workers, progress=progress, measures=measuring, on_failure="record", on_done=kept
        )
    except KeyboardInterrupt:
        whole = kept.whole()
        if on_interrupt == "raise" or len(whole) < 2:
            raise
        chosen, found = tuple(chosen[place] for place in whole), kept.of(whole)
    outcomes = _told(plan, found)
    _require_runs(plan, outcomes)
    _require_measures(plan, outcomes, measures)
    rows, only = _rows(plan.names, outcomes, confidence, correction)
    failures = {name: tuple(one for one in outcomes[name] if isinstance(one, Failed)) for name in plan.names}
    if plan.agents:  # of one run all of them have failed
        failures = {plan.specs[0].name: failures[plan.names[0]]}
    return Comparison(
        plan.specs[0].name, plan.names, chosen, confidence, correction, bool(plan.agents), rows, plan.changes(), only,
        failures, outcomes, planned, plan.notes(),
    )  # fmt: skip


def tables_in(folder: str | Path) -> list[Path]:
    """The tables of a comparison that a folder holds; none where none was saved."""
    places = [Path(folder) / f"{name}.{ending}" for name in _TABLES for ending in ("csv", "parquet")]
    there = [path for path in places if path.is_file()]
    return there if any(path.stem == "differences" for path in there) else []


def variant_names(variants: Sequence[tuple[str, Any]]) -> tuple[str, ...]:
    """What variants are called: the end of the path and the value, or the whole path where ends are alike."""
    short = [f"{path.rpartition('.')[2]}={value}" for path, value in variants]
    whole = [f"{path}={value}" for path, value in variants]
    return tuple(one if short.count(one) == 1 else other for one, other in zip(short, whole, strict=True))


# --- inner: what runs ---


@dataclass(frozen=True)
class _Plan:
    """What is compared: a scenario for each name, or one scenario for several agents."""

    names: tuple[str, ...]
    specs: tuple[ScenarioSpec, ...]
    agents: tuple[str, ...] = ()

    def changes(self) -> dict[str, tuple[Difference, ...]]:
        """By name, the differences from the first."""
        if self.agents:
            sections = [self.specs[0].to_dict()["agents"][name] for name in self.agents]
            pairs = [differences(sections[0], section) for section in sections[1:]]
        else:
            pairs = [diff(self.specs[0], spec) for spec in self.specs[1:]]
        told = [
            tuple(d for d in pair if self.agents or d.path not in ("seed", "name", "description")) for pair in pairs
        ]
        return dict(zip(self.names[1:], told, strict=True))

    def notes(self) -> tuple[str, ...]:
        """What makes counts and sums of the sides unlike, however alike their markets are."""
        if self.agents:
            counts = [self.specs[0].agents[name].count for name in self.agents]
            if len(set(counts)) == 1:
                return ()
            sizes = ", ".join(f"{name} {count}" for name, count in zip(self.agents, counts, strict=True))
            words = f"The families are of different size ({sizes}): P&L, volume and other sums are of whole families;"
            return (f"{words} divide by their sizes, or compare single members.",)
        spans = [spec.duration for spec in self.specs]
        if len(set(spans)) == 1:
            return ()
        lengths = ", ".join(f"{name} {format_duration(span)}" for name, span in zip(self.names, spans, strict=True))
        return (
            f"The markets are of different length ({lengths}): counts, volumes, P&L and other sums are not comparable.",
        )


class _Kept:
    """What was done before an interrupt."""

    def __init__(self, sides: int) -> None:
        self._sides = sides
        self._done: dict[int, Measures | Failed] = {}

    def __call__(self, index: int, outcome: Measures | Failed) -> None:
        self._done[index] = outcome

    def whole(self) -> list[int]:
        """Places of the seeds that all sides have done."""
        count = Counter(index // self._sides for index in self._done)
        return sorted(place for place, done in count.items() if done == self._sides)

    def of(self, places: Sequence[int]) -> list[Measures | Failed]:
        """What they gave, in the order of the jobs."""
        return [self._done[place * self._sides + side] for place in places for side in range(self._sides)]


def _seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(range(1, seeds + 1)) if isinstance(seeds, int) else tuple(seeds)
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise InvalidValueError(f"seeds={seeds}: an interval needs at least two different seeds")
    return chosen


def _plan(
    scenarios: Sequence[Given], agents: tuple[str, ...], variants: Mapping[str, Sequence[Any]], names: tuple[str, ...]
) -> _Plan:
    if any(isinstance(one, int) for one in scenarios):
        raise InvalidValueError("a number is no scenario: seeds are given by name, compare(a, b, seeds=20)")
    specs = [spec_of(one) for one in scenarios]
    if (agents or variants) and len(specs) != 1:
        raise InvalidValueError(f"agents and variants are of one scenario, not of {len(specs)}")
    if agents and variants:
        raise InvalidValueError("agents and variants: compare either agents of one market, or variants of it")
    if agents:
        return _Plan(_named(agents, names, agents), (specs[0],), _known_agents(specs[0], agents))
    changed = [(path, value) for path, values in variants.items() for value in values]
    told = [*(spec.name for spec in specs), *variant_names(changed)]
    specs += [_variant(specs[0], path, value) for path, value in changed]
    if len(specs) < 2:
        raise InvalidValueError("there is nothing to compare with: give two scenarios, or one with agents or variants")
    return _Plan(_named(_apart(told), names, told), tuple(specs))


def _variant(spec: ScenarioSpec, path: str, value: Any) -> ScenarioSpec:
    """The scenario with a value changed, checked whole before anything runs."""
    from marketsim.scenario.loader import check

    try:
        return check(spec, {path: value})
    except ScenarioError as error:
        raise ScenarioError(f"variants  {finding}" for finding in error.findings) from None


def _known_agents(spec: ScenarioSpec, agents: tuple[str, ...]) -> tuple[str, ...]:
    for name in agents:
        if name not in spec.agents:
            raise InvalidValueError(f"no agent of {spec.name} is called {name!r}{did_you_mean(name, spec.agents)}")
    if len(set(agents)) < max(len(agents), 2):
        raise InvalidValueError(f"agents={list(agents)}: name two different ones at least")
    return agents


def _named(given: tuple[str, ...], names: tuple[str, ...], what: Sequence[str]) -> tuple[str, ...]:
    """The names given for all of them, or else their own."""
    if not names:
        return given
    if len(names) != len(what) or len(set(names)) < len(names):
        raise InvalidValueError(f"names={list(names)}: give {len(what)} different ones, for {', '.join(what)}")
    return names


def _apart(names: Sequence[str]) -> tuple[str, ...]:
    """Names that occur more than once, with letters behind them."""
    if len(set(names)) == len(names):
        return tuple(names)
    letters = [chr(ord("A") + place) if place < 26 else str(place + 1) for place in range(len(names))]
    return tuple(f"{name} ({letter})" for name, letter in zip(names, letters, strict=True))


# --- inner: what is measured ---


@dataclass(frozen=True)
class _There:
    """Of these measures, those of whom a run has. It can be sent to another process."""

    names: tuple[str, ...]

    def __call__(self, tables: Any) -> Measures:
        """The measures."""
        whose = {*tables.instruments, *tables.agents["family"], *tables.agents["name"]}
        return Measured(tuple(name for name in self.names if _owner(name) in whose))(tables)


def _owner(measure: str) -> str:
    return measure.partition(".")[2].rpartition(".")[0]


def _measuring(plan: _Plan, measures: str | Sequence[str] | Measuring) -> Measuring:
    if callable(measures):
        return measures
    patterns = tuple(plain_name(one) for one in ((measures,) if isinstance(measures, str) else measures))
    if plan.agents:
        columns = _matching(patterns or USUAL, AGENT)
        return _There(tuple(f"agents.{agent}.{column}" for agent in plan.agents for column in columns))
    known = [known_measures(spec) for spec in plan.specs]
    if not patterns:
        usual = (name for names in known for name in names if name.rpartition(".")[2] in _usual(name))
        return _There(tuple(dict.fromkeys(usual)))
    names = dict.fromkeys(name for pattern in patterns for name in _named_by(pattern, plan.specs, known))
    return _There(tuple(names))


def _usual(measure: str) -> tuple[str, ...]:
    return MARKET if measure.startswith("market.") else USUAL


def _matching(patterns: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names that patterns mean, in the order of the patterns."""
    found: dict[str, None] = {}
    for pattern in patterns:
        matched = [name for name in known if fnmatchcase(name, pattern)]
        if not matched:
            raise InvalidValueError(f"measure {pattern!r} is unknown{did_you_mean(pattern, known)}")
        found |= dict.fromkeys(matched)
    return list(found)


def _named_by(pattern: str, specs: Sequence[ScenarioSpec], known: Sequence[Sequence[str]]) -> list[str]:
    """What a pattern, or a name, means in any of the scenarios; also a name such as agents.mm.0.pnl."""
    if any(letter in pattern for letter in "*?["):
        return _matching([pattern], list(dict.fromkeys(name for names in known for name in names)))
    refused: InvalidValueError | None = None
    for spec in specs:
        try:
            return list(measured(pattern, spec).names)
        except InvalidValueError as error:
            refused = refused or error
    raise refused or InvalidValueError(f"measure {pattern!r} is unknown")


# --- inner: what came of it ---


def _told(plan: _Plan, found: Sequence[Measures | Failed]) -> dict[str, tuple[Measures | Failed, ...]]:
    """By name, what each seed gave; of agents of one run each gets its own measures."""
    if not plan.agents:
        return {name: tuple(found[place :: len(plan.specs)]) for place, name in enumerate(plan.names)}
    return {
        name: tuple(one if isinstance(one, Failed) else _own(one, agent) for one in found)
        for name, agent in zip(plan.names, plan.agents, strict=True)
    }


def _own(measures: Measures, agent: str) -> Measures:
    prefix = f"agents.{agent}."
    return {name.removeprefix(prefix): value for name, value in measures.items() if name.startswith(prefix)}


def _require_runs(plan: _Plan, outcomes: Mapping[str, Sequence[Measures | Failed]]) -> None:
    """Something of the base, and of another one, ran to its end."""
    lost = [name for name in plan.names if all(isinstance(one, Failed) for one in outcomes[name])]
    if plan.names[0] not in lost and len(lost) < len(plan.names) - 1:
        return
    first = outcomes[lost[0]][0]
    assert isinstance(first, Failed)
    raise SimulationError(f"every run of {lost[0]} failed; under seed {first.seed}: {first.kind}: {first.error}")


def _require_measures(plan: _Plan, outcomes: Mapping[str, Sequence[Measures | Failed]], measures: Any) -> None:
    """They have something in common."""
    seen = {name: _names_of(outcomes[name]) for name in plan.names}
    base = seen[plan.names[0]]
    if any(set(base) & set(seen[name]) for name in plan.names[1:]):
        return
    told = "; ".join(f"{name} has {', '.join(list(found)[:4]) or 'none'}" for name, found in seen.items())
    hint = "" if measures else "; compare scenarios with the same instruments or agents"
    raise InvalidValueError(f"no measure is in all that is compared: {told}{hint}")


def _names_of(outcomes: Sequence[Measures | Failed]) -> list[str]:
    """Measures in their own order."""
    return list(dict.fromkeys(name for one in outcomes if not isinstance(one, Failed) for name in one))


def _rows(
    names: Sequence[str], outcomes: Mapping[str, Sequence[Measures | Failed]], confidence: float, correction: str
) -> tuple[tuple[Paired, ...], dict[str, tuple[str, ...]]]:
    """Each of the others beside the base, and what each has alone."""
    base, *others = names
    known = {name: _names_of(outcomes[name]) for name in names}
    rows = [
        _paired(measure, (base, outcomes[base]), (name, outcomes[name]), confidence)
        for name in others
        for measure in known[base]
        if measure in known[name]
    ]
    # What is equal under every seed cannot differ: it is no test, and does not make the others harder.
    p = corrected([np.nan if row.equal else row.p for row in rows], correction)
    judged = [
        replace(row, p_adjusted=1.0 if row.equal else float(value), differs=bool(value < 1.0 - confidence))
        for row, value in zip(rows, p, strict=True)
    ]
    only = {name: tuple(m for m in known[name] if m not in known[base]) for name in others}
    missing = tuple(m for m in known[base] if all(m not in known[name] for name in others))
    return tuple(judged), {base: missing, **only}


def _paired(
    measure: str,
    base: tuple[str, Sequence[Measures | Failed]],
    other: tuple[str, Sequence[Measures | Failed]],
    confidence: float,
) -> Paired:
    columns = [
        [np.nan if isinstance(one, Failed) else one.get(measure, np.nan) for one in outcomes]
        for _, outcomes in (base, other)
    ]
    found = paired_difference(columns[0], columns[1], confidence)
    return Paired(**asdict(found), measure=measure, name=other[0], base=base[0], confidence=confidence)


def _line(row: Paired) -> dict[str, Any]:
    """A row of the table."""
    found = {column: getattr(row, _RENAMED.get(column, column), np.nan) for column in _COLUMNS[:-3]}
    usable = not (np.isnan(row.p) or row.equal)
    return found | {
        "seeds_80": _seeds_to_see(row, 0.8) if usable else np.nan,
        "seeds_90": _seeds_to_see(row, 0.9) if usable else np.nan,
        "smallest_80": row.smallest_difference() if usable else np.nan,
    }


def _seeds_to_see(row: Paired, power: float) -> float:
    """To see the difference found; infinite where no number of seeds does."""
    try:
        return float(row.seeds_needed(power=power))
    except InvalidValueError:
        return np.inf
