"""The HTML page of an optimisation: what was found, what it is worth under fresh seeds, and how the search went.

It arranges the tables of an optimisation, whoever made them; it runs and measures nothing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from marketsim.analysis.files import write_text
from marketsim.analysis.page_parts import (
    box,
    cards,
    document,
    figure,
    footer,
    header,
    notice,
    scenario_section,
    table,
    terms_section,
)
from marketsim.analysis.page_words import Column
from marketsim.analysis.summary import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SECTIONS = (("found", "What was found"), ("search", "The search"), ("terms", "Terms"), ("scenario", "Scenario"))
MOST = 25  # trials that the page lists
_TERMS = {
    "value": "What the search compares: one number made of the measure under all seeds of the search.",
    "complete, given up, failed": "A trial that ran under all seeds; one that was worse than the median of those "
    "before it after some of them; one with a run that failed, or had nothing to measure.",
    "fresh seeds": "Seeds that the search has not seen. The best of many trials is best partly by luck; under fresh "
    "seeds the luck is gone.",
    "optimism": "By how much the mean in the search was better than the mean under fresh seeds.",
    "difference": "Mean difference to the scenario as it is under the same fresh seeds, pair by pair, with Student's "
    "interval; the intervals hold for all finalists at once (Bonferroni).",
    "importance": "The share of each parameter by itself in the variance between complete trials (functional ANOVA "
    "over a random forest). It tells about the range that was searched, and little where trials are few.",
}


class Found(Protocol):
    """What the page shows; ``experiment.optimization.Optimization`` is one."""

    @property
    def measure(self) -> str:
        """What was measured."""

    @property
    def direction(self) -> str:
        """maximize or minimize."""

    @property
    def aggregate(self) -> str:
        """What makes one number of several seeds."""

    @property
    def sampler(self) -> str:
        """Who proposed values."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the search."""

    @property
    def fresh(self) -> tuple[int, ...]:
        """Of the check."""

    @property
    def confidence(self) -> float:
        """Of the intervals."""

    @property
    def trials(self) -> pd.DataFrame:
        """A row a trial."""

    @property
    def finalists(self) -> pd.DataFrame:
        """The check."""

    @property
    def winner(self) -> int:
        """Number of the best trial."""

    @property
    def value(self) -> float:
        """Its value."""

    @property
    def best(self) -> Mapping[str, Any]:
        """Its values by path."""

    @property
    def space(self) -> Any:
        """Paths and what each may be."""

    @property
    def scenario(self) -> Any:
        """As it is."""

    @property
    def best_spec(self) -> Any:
        """With the winner's values."""

    def figure(self, kind: str = "history", *, width: float | None = None) -> Figure:
        """One of its pictures."""


def optimization_report(found: Found, path: str | os.PathLike[str]) -> Path:
    """Write the page to ``path`` and return it: one file that loads nothing; StoreError where it cannot be written."""
    return write_text(Path(path), document(f"{found.scenario.name}: {found.measure}", _body(found)))


def verdict(found: Found) -> str:
    """What the check says of the winner, in a sentence."""
    checked = found.finalists
    if not len(checked):
        return (
            "Not checked under fresh seeds: the value of the search is that of the luckiest of "
            f"{len(found.trials):,} trials, and too good."
        )
    row = checked[checked["candidate"] == str(found.winner)].iloc[0]
    form = _form(row["mean"], row["high"] - row["low"])
    interval = f"{number(row['difference_low'], '+' + form)} to {number(row['difference_high'], '+' + form)}"
    words = f"{number(row['difference'], '+' + form)} ({interval}) against the scenario as it is"
    words += f" under {row['seeds']} fresh seeds"
    level = f"{found.confidence * 100:.4g} %"
    if row["better"]:
        return f"Clearly better ({level}): {words}."
    worse = row["difference_low"] > 0 or row["difference_high"] < 0
    return f"Clearly worse ({level}): {words}." if worse else f"Not clearly better: {words}; more seeds tell more."


def decimals_of(value: float, trials: pd.DataFrame) -> str:
    """The format of values: three digits of how far those of complete trials are apart."""
    return _form(value, _spread(trials))


# --- inner ---


def _body(found: Found) -> Iterator[str]:
    yield header(found.scenario.name, _lead(found), _SECTIONS)
    sure = len(found.finalists) and bool(found.finalists.set_index("candidate").loc[str(found.winner), "better"])
    yield (box if sure else notice)(verdict(found))
    yield cards(_headlines(found))
    yield '<section id="found"><h2>What was found</h2>'
    yield _values(found)
    if len(found.finalists):
        yield _finalists(found)
    yield "</section>"
    yield '<section id="search"><h2>The search</h2>'
    yield figure(
        lambda width: found.figure("history", width=width),
        f"Value of each trial and the best so far: {found.measure}",
        "A line that has been flat for long says that more trials of this kind bring little; one that still climbs "
        "asks for more of them. Its end is the luckiest point of all, not what to expect.",
    )
    yield figure(
        lambda width: found.figure("importance", width=width),
        "Share of each parameter in the variance between trials",
        "Parameters with short bars may keep the value they have. Shares hold for the range searched, and for main "
        "effects: what two parameters do together is in neither.",
    )
    yield figure(
        lambda width: found.figure("slices", width=width),
        "Value of every complete trial along each parameter",
        "A ridge says where a parameter should be; a shapeless cloud, that it matters little; a best point (ringed) at "
        "the edge of a panel, that the range should be wider. Later trials are darker.",
    )
    yield _trials(found)
    yield "</section>"
    yield terms_section(_TERMS)
    yield scenario_section("The scenario with the best values", found.best_spec.to_yaml())
    yield footer("Every trial ran under the same seeds.")


def _lead(found: Found) -> str:
    counts = found.trials["state"].value_counts()
    parts = [f"{found.direction}d {found.measure}, {found.aggregate} over {len(found.seeds)} seeds"]
    parts.append(f"{len(found.trials):,} trials ({found.sampler})")
    parts += [
        f"{counts[state]:,} {word}"
        for state, word in (("pruned", "given up early"), ("failed", "failed"))
        if state in counts
    ]
    return " · ".join(parts)


def _headlines(found: Found) -> list[tuple[str, str]]:
    form = decimals_of(found.value, found.trials)
    items = [(number(found.value, form), "best value in the search")]
    if len(found.finalists):
        rows = found.finalists.set_index("candidate")
        best, base = rows.loc[str(found.winner)], rows.loc["base"]
        items += [
            (number(best["mean"], form), f"the same under {len(found.fresh)} fresh seeds"),
            (number(base["mean"], form), "the scenario as it is, there"),
            (number(best["difference"], "+" + form), "difference, paired"),
        ]
    runs = int(found.trials["seeds"].sum())
    saved = 1.0 - runs / max(len(found.trials) * len(found.seeds), 1)
    items += [(f"{len(found.trials):,}", "trials"), (f"{saved:.0%}", "of their runs saved by giving up")]
    return items


def _values(found: Found) -> str:
    own: Any = found.finalists.set_index("candidate").loc["base"] if len(found.finalists) else {}
    rows = [
        (path, _text(value), _text(own.get(path)), str(d).partition(": ")[2])
        for (path, value), d in zip(found.best.items(), found.space, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["path", "best", "own", "searched"]).set_index("path")
    columns = [("best", "best", "", ""), ("own", "as it is", "", ""), ("searched", "searched", "", "")]
    return table(frame, "parameter", columns if len(found.finalists) else [columns[0], columns[2]], "The best values.")


def _finalists(found: Found) -> str:
    form = decimals_of(found.value, found.trials)
    frame = found.finalists.set_index("candidate")
    frame.index = pd.Index(["as it is" if name == "base" else f"trial {name}" for name in frame.index])
    level = f"{found.confidence * 100:.4g} %"
    for column, low, high, sign in (
        ("between", "low", "high", ""),
        ("range", "difference_low", "difference_high", "+"),
    ):
        frame[column] = [
            f"{number(a, sign + form)} … {number(b, sign + form)}" for a, b in zip(frame[low], frame[high], strict=True)
        ]
    frame["verdict"] = ["better" if sure else "" for sure in frame["better"]]
    frame["change"] = [number(value, "+" + form) for value in frame["difference"]]
    frame.loc["as it is", ["change", "range"]] = "–"
    columns: list[Column] = [
        ("value", "value", "in the search", form),
        ("mean", "mean", "fresh seeds", form),
        ("between", "interval", level, ""),
        ("optimism", "optimism", "", form),
        ("change", "difference", "to as it is", ""),
        ("range", "interval", f"{level}, all at once", ""),
        ("verdict", "clearly", level, ""),
    ]
    words = f"The best trials and the scenario as it is under {len(found.fresh)} seeds that the search has not seen."
    return table(frame, "candidate", columns, words)


def _trials(found: Found) -> str:
    form = decimals_of(found.value, found.trials)
    order = found.trials.sort_values("value", ascending=found.direction == "minimize", kind="stable")
    order = order[order["state"] == "complete"]
    shown = order.head(MOST).copy()
    for path in found.best:
        shown[path] = shown[path].map(_text)
    paths: Sequence[Column] = [(path, path, "", "") for path in found.best]
    columns = [("value", "value", "", form), ("standard_error", "± s.e.", "of the mean", form), *paths]
    words = (
        f"The {len(shown)} best of {len(order):,} complete trials."
        if len(order) > MOST
        else "All complete trials, best first."
    )
    return table(shown.set_index("trial"), "trial", columns, words) + _failures(found.trials)


def _failures(trials: pd.DataFrame) -> str:
    failed = trials[trials["state"] == "failed"]
    if not len(failed):
        return ""
    words = str(failed["error"].iloc[0])
    first = int(failed["trial"].iloc[0])
    return box(f"{len(failed):,} of the trials failed; the first, trial {first}: {words}")


def _spread(trials: pd.DataFrame) -> float:
    """How far complete trials are apart: what digits of their values are for."""
    values = trials.loc[trials["state"] == "complete", "value"]
    return float(values.quantile(0.9) - values.quantile(0.1)) if len(values) > 1 else math.nan


def _form(value: float, apart: float) -> str:
    """Three digits of how far values are apart."""
    size = apart if math.isfinite(apart) and apart > 0 else abs(value)
    decimals = 2 - math.floor(math.log10(size)) if math.isfinite(size) and size > 0 else 2
    return f",.{min(max(decimals, 0), 8)}f"


def _text(value: Any) -> str:
    if value is None or value != value:
        return "(its default)"
    return f"{value:g}" if isinstance(value, float) else str(value)
