"""A tournament: several traders in the same place of the same market under the same chance, and a league table.

A candidate is a section of a scenario's agents. In heats of the form "alone" each of them takes the one seat by itself;
in "pairs" every two of them meet, and in "together" all sit in one market. The rest of the scenario is the background,
and the seeds are the same for everybody. Seats have names of their own, so that whoever sits in one draws the same
numbers and has the same line; where several sit in a market they change seats from seed to seed. It runs and counts;
what the scores say is told by ``league``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marketsim.analysis.files import write_figure, write_tables
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.experiment import league
from marketsim.experiment.replication import Given, Measures, replicate_all, spec_of
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PREFIX = "candidate_"
FORMS = ("alone", "pairs", "together")
SEAT = "seat"
MEASURES = (
    "pnl", "spread_capture", "adverse_selection", "inventory", "fees", "fills", "maker_share", "mean_position",
    "largest_position", "max_drawdown", "sharpe",
)  # fmt: skip


@dataclass(frozen=True)
class _Heat:
    """One run: who sits where under which seed."""

    form: str
    seed: int
    seats: tuple[str, ...]


@dataclass(frozen=True)
class Tournament:
    """What came of it. ``values``: a row a heat, seat and measure: form, seed, candidate, against, measure, value."""

    scenario: str
    candidates: tuple[str, ...]
    seeds: tuple[int, ...]
    forms: tuple[str, ...]
    confidence: float
    values: pd.DataFrame

    def scores(self, form: str = "", measure: str = "pnl") -> pd.DataFrame:
        """A row a seed, a column a candidate; in pairs the mean over its heats."""
        chosen = self.values[(self.values["form"] == self._form(form)) & (self.values["measure"] == measure)]
        if chosen.empty:
            raise InvalidValueError(f"measure {measure!r} is unknown{did_you_mean(measure, MEASURES)}")
        wide = chosen.pivot_table(index="seed", columns="candidate", values="value", aggfunc="mean", dropna=False)
        return wide.reindex(index=list(self.seeds), columns=list(self.candidates))

    def table(self, form: str = "", measure: str = "pnl") -> pd.DataFrame:
        """The league table: ``league.standings`` of the measure, and the means of the others beside it."""
        scores = self.scores(form, measure).to_numpy(np.float64)
        found = league.standings(self.candidates, scores, self.confidence)
        for other in MEASURES:
            if other not in (measure, "sharpe"):
                means = self.scores(form, other).mean(axis=0)
                found[other] = [float(means[name]) for name in found["candidate"]]
        return found

    def differences(self, form: str = "", measure: str = "pnl") -> pd.DataFrame:
        """Every two candidates compared seed by seed: ``league.differences``."""
        return league.differences(self.candidates, self.scores(form, measure).to_numpy(np.float64), self.confidence)

    def figure(self, measure: str = "pnl") -> Figure:
        """The intervals of all forms side by side."""
        from marketsim.analysis import league_figure

        return league_figure({form: self.table(form, measure) for form in self.forms}, measure, self.confidence)

    def save(self, folder: str | Path, *, parquet: bool = False) -> list[Path]:
        """Write table, differences (of the P&L, each form in a file), values and the figure; the paths."""
        place = Path(folder)
        frames = {"values": self.values}
        for form in self.forms:
            frames |= {f"league_{form}": self.table(form), f"differences_{form}": self.differences(form)}
        paths = write_tables(frames, place, parquet=parquet)
        return [*paths, write_figure(self.figure(), place / "league.png")]

    @cached_property
    def clear(self) -> bool:
        """Whether the winner of the first form is better than every other, all pairs taken into account."""
        winner = self.table()["candidate"][0]
        pairs = self.differences()
        return bool(pairs[pairs["better"] == winner]["differs"].all())

    def _form(self, form: str) -> str:
        if form and form not in self.forms:
            raise InvalidValueError(f"form={form!r}: it was held as {', '.join(self.forms)}")
        return form or self.forms[0]


def tournament(
    scenario: Given,
    candidates: Sequence[str] = (),
    seeds: int | Sequence[int] = 20,
    *,
    forms: Sequence[str] = ("alone", "together"),
    confidence: float = 0.95,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tournament:
    """Let candidates compete in a scenario.

    scenario: a simulation, its spec, or a file or the name of a scenario.
    candidates: names of agent sections; those whose names begin with ``candidate_`` when left out (the table leaves
    the prefix away), of which those that are not chosen do not trade at all. seeds: how many (then 1, 2, 3 …), or
    which ones; at least two. forms: of "alone", "pairs" and "together"; the first decides the order. Raises
    InvalidValueError for what cannot be held.
    """
    spec = spec_of(scenario)
    chosen = tuple(range(1, seeds + 1)) if isinstance(seeds, int) else tuple(seeds)
    sections = _candidates(spec, tuple(candidates))
    _check(chosen, tuple(forms), confidence)
    heats = list(_heats(sections, chosen, tuple(forms)))
    jobs = [(_seated(spec, sections, heat), heat.seed) for heat in heats]
    found = replicate_all(jobs, workers=workers, progress=progress, measures=seat_measures)
    names = {section: section.removeprefix(PREFIX) for section in sections}
    return Tournament(spec.name, tuple(names.values()), chosen, tuple(forms), confidence, _values(heats, found, names))


def seat_measures(run: Any) -> Measures:
    """The MEASURES of everybody who sits in a seat, as ``seat.1.pnl``."""
    from marketsim.analysis import accounts

    books = accounts(run)
    performance = books.performance("1min")
    found: Measures = {}
    for name in (name for name in books.names if name.startswith(f"{SEAT}_")):
        account, held = books[name], _positions(books, run, name)
        row = {
            **{measure: getattr(account, measure) for measure in MEASURES[:7]},
            "mean_position": float(held.mean()),
            "largest_position": float(held.max()),
            "max_drawdown": performance["max_drawdown"][name],
            "sharpe": performance["sharpe"][name],
        }
        found |= {f"{name}.{measure}": float(value) for measure, value in row.items()}
    return found


# --- inner ---


def _positions(books: Any, run: Any, name: str) -> Any:
    """Absolute positions second by second, added over the instruments."""
    return sum(books.inventory("1s", instrument=symbol)[name].abs() for symbol in run.instruments)


def _candidates(spec: ScenarioSpec, given: tuple[str, ...]) -> tuple[str, ...]:
    chosen = given or tuple(name for name in spec.agents if name.startswith(PREFIX))
    for name in chosen:
        if name not in spec.agents:
            raise InvalidValueError(f"no agent of {spec.name} is called {name!r}{did_you_mean(name, spec.agents)}")
        if spec.agents[name].count != 1:
            raise InvalidValueError(f"agents.{name}.count: {spec.agents[name].count}; a candidate is one agent")
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise InvalidValueError(
            f"candidates {', '.join(chosen) or '(none)'}: two different ones are needed at least; name agents of the "
            f"scenario, or begin their names with {PREFIX}"
        )
    if any(name.startswith(f"{SEAT}_") for name in spec.agents):
        raise InvalidValueError(f"agents: names that begin with {SEAT}_ are those of a tournament's seats; rename them")
    return chosen


def _check(seeds: tuple[int, ...], forms: tuple[str, ...], confidence: float) -> None:
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise InvalidValueError(f"seeds={seeds}: an interval needs at least two different seeds")
    for form in forms:
        if form not in FORMS:
            raise InvalidValueError(f"form {form!r} is unknown{did_you_mean(form, FORMS)}")
    if not forms or len(set(forms)) < len(forms):
        raise InvalidValueError(f"forms={forms}: name each of {', '.join(FORMS)} once at most, and one at least")
    if not 0.0 < confidence < 1.0:
        raise InvalidValueError(f"confidence={confidence}: it lies between 0 and 1, such as 0.95")


def _heats(candidates: tuple[str, ...], seeds: tuple[int, ...], forms: tuple[str, ...]) -> Iterator[_Heat]:
    """Every heat under every seed; those who sit in one market move on by a seat from seed to seed."""
    sizes = {"alone": 1, "pairs": 2, "together": len(candidates)}
    for form in forms:
        for place, seed in enumerate(seeds):
            for group in combinations(candidates, sizes[form]):
                shift = place % len(group)
                yield _Heat(form, seed, (*group[shift:], *group[:shift]))


def _seated(spec: ScenarioSpec, candidates: tuple[str, ...], heat: _Heat) -> Mapping[str, Any]:
    """The scenario with those of a heat in the seats; all other candidates, chosen or not, stay at home."""
    given = spec.to_dict()
    sections = given["agents"]
    home = {name for name in sections if name in candidates or name.startswith(PREFIX)}
    agents = {name: section for name, section in sections.items() if name not in home}
    agents |= {f"{SEAT}_{place}": sections[name] for place, name in enumerate(heat.seats, start=1)}
    return {**given, "agents": agents}


def _values(heats: Sequence[_Heat], found: Sequence[Measures], names: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (heat.form, heat.seed, names[who], _others(heat, who, names), measure, measures[f"{SEAT}_{place}.{measure}"])
        for heat, measures in zip(heats, found, strict=True)
        for place, who in enumerate(heat.seats, start=1)
        for measure in MEASURES
    ]
    return pd.DataFrame(rows, columns=["form", "seed", "candidate", "against", "measure", "value"])


def _others(heat: _Heat, who: str, names: Mapping[str, str]) -> str:
    return " ".join(sorted(names[name] for name in heat.seats if name != who))
