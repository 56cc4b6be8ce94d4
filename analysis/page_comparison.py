"""The HTML page of a comparison: what was changed beside what it did, how sure that is, and how it was found.

It arranges what ``analysis.paired`` found and the figures draw; it runs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from marketsim.analysis.comparison_words import cells, corrected_words, few_words, interrupted_words, verdict
from marketsim.analysis.figures.comparison import MOST, forest_figure, pairs_figure
from marketsim.analysis.figures.league import league_figure
from marketsim.analysis.files import write_text
from marketsim.analysis.page_parts import (
    box,
    breakable,
    cards,
    definitions,
    document,
    figure,
    footer,
    header,
    notice,
    table,
)
from marketsim.analysis.paired import FEWEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marketsim.analysis.page_words import Column

PICTURED = 3  # measures shown seed by seed
BESIDE = 10  # results beside the differences of the scenarios
MANY = 400  # rows of a table


class Compared(Protocol):
    """What the page tells of; ``experiment.comparison.Comparison`` is it."""

    @property
    def scenario(self) -> str:
        """The base scenario's name."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of the compared, the base first."""
        ...

    @property
    def seeds(self) -> tuple[int, ...]:
        """Under which all ran."""
        ...

    @property
    def confidence(self) -> float:
        """Of the intervals."""
        ...

    @property
    def correction(self) -> str:
        """Of the p-values."""
        ...

    @property
    def agents(self) -> bool:
        """Whether agents of the same runs are compared."""
        ...

    @property
    def planned(self) -> int:
        """How many seeds were asked for; 0 where nobody knows."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What makes sums of the sides unlike."""
        ...

    @property
    def tests(self) -> int:
        """How many comparisons the p-values are corrected for."""
        ...

    @property
    def main(self) -> str:
        """The measure of most interest."""
        ...

    def table(self) -> pd.DataFrame:
        """A row a measure and compared one."""
        ...

    def order(self) -> list[str]:
        """Measures, the most interesting first."""
        ...

    def scores(self, measure: str = "") -> pd.DataFrame:
        """A row a seed, a column a compared one."""
        ...

    def ranking(self, measure: str = "") -> pd.DataFrame:
        """All of them in the order of a measure."""
        ...

    def changed(self) -> pd.DataFrame:
        """Name, path, base_value, value."""
        ...

    def changed_briefly(self) -> pd.DataFrame:
        """The same in short, row by row, and ``section``: whether it is one that only one side has."""
        ...

    def failed(self) -> pd.DataFrame:
        """Name, seed, kind, error."""
        ...


def comparison_report(found: Compared, path: str | os.PathLike[str], *, title: str = "") -> Path:
    """Write the page of a comparison to ``path`` and return it: one file that loads nothing, of at most about 1 MB.

    It appears whole or not at all. Raises StoreError when it cannot be written.
    """
    base, *others = found.names
    named = title or f"{base} against {', '.join(others) if len(others) < 4 else f'{len(others)} others'}"
    return write_text(Path(path), document(named, _body(found, named)))


def _body(found: Compared, title: str) -> Iterator[str]:
    rows = found.table()
    order = found.order()
    many = len(found.names) > 2 and len(found.scores(found.main)) > 1
    failures = found.failed()
    yield header(title, _lead(found), _contents(many, len(failures) > 0))
    if len(failures):
        yield notice(
            f"{len(failures)} of {_runs(found)} runs failed. They and their pairs are left out; they are listed below."
        )
    if found.planned > len(found.seeds):
        yield notice(f"{interrupted_words(len(found.seeds), found.planned).capitalize()}.")
    for words in found.notes:
        yield notice(words)
    if len(found.seeds) < FEWEST:
        yield notice(few_words(len(found.seeds)))
    yield cards(_headlines(found, rows))
    yield from _changes(found, rows, order)
    yield from _seed_by_seed(found, rows, order)
    yield from _forest(found, rows, order)
    if many:
        yield from _ranking(found)
    yield from _everything(found, rows)
    if len(failures):
        yield from _failures(failures)
    yield _method(found)
    yield footer("Every number is of simulated runs.")


def _lead(found: Compared) -> str:
    what = f"agents of {found.scenario}, within the same runs" if found.agents else "the same chance on all sides"
    return (
        f"{len(found.seeds)} seeds, {what} · intervals of {_percent(found)} · "
        f"{corrected_words(found.correction, found.tests)}"
    )


def _contents(many: bool, failed: bool) -> list[tuple[str, str]]:
    parts = [("changes", "Changes and results"), ("seeds", "Seed by seed"), ("intervals", "Intervals")]
    parts += [("ranking", "Ranking")] if many else []
    parts += [("measures", "All measures")]
    parts += [("failures", "Failed runs")] if failed else []
    return [*parts, ("method", "Method")]


def _headlines(found: Compared, rows: pd.DataFrame) -> list[tuple[str, str]]:
    items = []
    for row in _records(rows[rows["measure"] == found.main].head(2)):
        told = cells(row)
        sure = "differs" if row["differs"] else "may be chance"
        items.append((told["difference"], f"{found.main}, {row['name']} minus {row['base']}: {sure}"))
    gains = rows["pairing_gain"].to_numpy(np.float64)
    gains = gains[np.isfinite(gains)]
    items.append(
        (f"{int(rows['differs'].sum())} of {found.tests}", "differences are sure, all comparisons taken into account")
    )
    if len(gains):
        items.append((f"{np.median(gains):.1f} ×", "narrower intervals by common seeds (median)"))
    items.append((str(len(found.seeds)), "seeds"))
    return items


def _changes(found: Compared, rows: pd.DataFrame, order: list[str]) -> Iterator[str]:
    """The difference of the scenarios beside the difference of their results."""
    yield '<section id="changes"><h2>Changes and results</h2>'
    whole, changed = found.changed(), found.changed_briefly()
    for name in found.names[1:]:
        mine = changed[changed["name"] == name]
        own = rows[rows["name"] == name].set_index("measure")
        shown = own.loc[[measure for measure in order if measure in own.index][:BESIDE]]
        yield f"<h3>{escape(name)} instead of {escape(found.names[0])}</h3>"
        for row in _records(rows[(rows["name"] == name) & (rows["measure"] == found.main)]):
            yield f"<p>{escape(verdict(row, found.confidence))}</p>"
        yield '<div class="beside names">'
        yield _changed_table(found, mine)
        yield _result_table(shown, len(own))
        yield "</div>"
        yield from _details(whole[whole["name"] == name], mine)
    yield "</section>"


def _details(whole: pd.DataFrame, brief: pd.DataFrame) -> Iterator[str]:
    """What was told in short, in full, folded away."""
    parts = ["base_value", "value"]
    long = whole[(whole[parts] != brief[parts]).any(axis=1)]
    if not len(long):
        return
    told = "\n\n".join(f"{row['path']}\n  was {row['base_value']}\n  is  {row['value']}" for row in _records(long))
    yield f'<details class="box"><summary>In full</summary><pre>{escape(told)}</pre></details>'


def _changed_table(found: Compared, changed: pd.DataFrame) -> str:
    what = "sections" if found.agents else "scenarios"
    if not len(changed):
        return box(f"The {what} do not differ: under the same seed they give the same run.")
    columns: list[Column] = [("base_value", "was", "", ""), ("value", "is", "", "")]
    sections, values = changed[changed["section"]], changed[~changed["section"]]
    caption = f"What differs in the {what}."
    told = table(values.set_index("path"), "path", columns, caption) if len(values) else box(caption)
    return f"<div>{told}{_sections(sections)}</div>"


def _sections(changed: pd.DataFrame) -> str:
    """What only one of the scenarios has, a line each."""
    if not len(changed):
        return ""
    lines = (f"<p>{breakable(row['path'])}: {escape(_came(row))}</p>" for row in _records(changed))
    return f'<div class="box">{"".join(lines)}</div>'


def _came(row: dict[str, Any]) -> str:
    return f"gone {row['base_value']}" if row["value"] == "(nothing)" else f"added {row['value']}"


def _result_table(shown: pd.DataFrame, count: int) -> str:
    if not len(shown):
        return box("Every measure is equal under every seed.")
    told = pd.DataFrame(
        [cells({"measure": name, **row}) for name, row in zip(shown.index, _records(shown), strict=True)],
        index=shown.index,
    )
    columns: list[Column] = [
        ("difference", "difference", "", ""), ("interval", "interval", "", ""), ("mark", "sure", "", ""),
    ]  # fmt: skip
    more = f" {count - len(shown)} others are below." if count > len(shown) else ""
    return table(told, "measure", columns, f"What differs in the results.{more}")


def _seed_by_seed(found: Compared, rows: pd.DataFrame, order: list[str]) -> Iterator[str]:
    yield '<section id="seeds"><h2>Seed by seed</h2>'
    for measure in order[:PICTURED]:
        scores = found.scores(measure)
        if len(scores) < 2:
            continue
        mine = rows[rows["measure"] == measure]
        told = _records(mine.head(3)) if measure != found.main else []  # that one is told above
        words = " ".join(verdict(row, found.confidence) for row in told)
        yield figure(
            partial(_draw_pairs, scores, mine, measure, found.confidence),
            f"{measure} under each seed, and its paired differences",
            f"{words} Parallel lines mean that the seed moved both alike, which pairing takes out.".strip(),
        )
    if not order:
        yield "<p>Every measure is equal under every seed: there is nothing to draw.</p>"
    yield "</section>"


def _draw_pairs(scores: pd.DataFrame, rows: pd.DataFrame, measure: str, confidence: float, width: float) -> Figure:
    return pairs_figure(scores, rows, measure, confidence=confidence, width=width)


def _forest(found: Compared, rows: pd.DataFrame, order: list[str]) -> Iterator[str]:
    yield '<section id="intervals"><h2>Intervals</h2>'
    if order:
        more = f" The first {MOST} of {len(order)} measures." if len(order) > MOST else ""
        yield figure(
            lambda width: forest_figure(rows, order, confidence=found.confidence, width=width),
            "Differences with their intervals, with and without common seeds, and the gain of pairing",
            "Coloured: the interval of the paired differences. Grey: what it would be with independent seeds. The "
            "right side is the factor between them; its square is how many times more seeds independent runs would "
            f"need. A full dot differs, all comparisons taken into account.{more}",
        )
    else:
        yield "<p>Every measure is equal under every seed: there is nothing to draw.</p>"
    yield "</section>"


def _ranking(found: Compared) -> Iterator[str]:
    measure = found.main
    ranked = found.ranking(measure)
    yield '<section id="ranking"><h2>Ranking</h2>'
    yield figure(
        lambda width: league_figure({measure: ranked}, measure, found.confidence, width=width),
        f"Means of {measure} with their intervals and ranks",
        f"Largest mean of {measure} first; ranks with their {_percent(found)} intervals over resampled seeds, each by "
        "itself. These intervals are of the means, which seeds move together: compare by the differences above.",
    )
    yield "</section>"


def _everything(found: Compared, rows: pd.DataFrame) -> Iterator[str]:
    yield '<section id="measures" class="names"><h2>All measures</h2>'
    for name in found.names[1:]:
        own = rows[rows["name"] == name]
        told = pd.DataFrame([cells(row) for row in _records(own.head(MANY))], index=own["measure"].head(MANY))
        columns: list[Column] = [
            ("mean_base", _cut(found.names[0]), "mean", ""), ("mean", _cut(name), "mean", ""),
            ("difference", "difference", "", ""), ("interval", "interval", f"{_percent(found)}, t", ""),
            ("bootstrap", "interval", "bootstrap", ""), ("p_adjusted", "p", "corrected", ""), ("p", "p", "alone", ""),
            ("mark", "sure", "", ""), ("effect", "effect", "d_z", ""), ("gain", "gain", "of pairing", ""),
            ("seeds_80", "seeds", "to see it, 80 %", ""), ("smallest_80", "sees", "or more, 80 %", ""),
            ("seeds", "pairs", "", ""),
        ]  # fmt: skip
        more = f" The first {MANY} of {len(own)}." if len(own) > MANY else ""
        yield table(
            told, "measure", columns,
            f"{name} minus {found.names[0]}. * differs, all comparisons taken into account; (*) by its own interval "
            f"only.{more}",
        )  # fmt: skip
    yield "</section>"


def _failures(failures: pd.DataFrame) -> Iterator[str]:
    yield '<section id="failures"><h2>Failed runs</h2>'
    shown = failures.head(50).assign(seed=failures["seed"].astype(str), error=failures["error"].str.slice(0, 160))
    columns: list[Column] = [("seed", "seed", "", ""), ("kind", "kind", "", ""), ("error", "error", "", "")]
    yield table(shown.set_index("name"), "of", columns)
    yield "</section>"


def _method(found: Compared) -> str:
    percent = _percent(found)
    terms = {
        "Common seeds": "Everything that is compared runs under the same seeds, in which agents of the same name draw "
        "the same random numbers. Differences are taken seed by seed, so that what the seed does to both is taken out."
        if not found.agents
        else "The agents trade in the same runs. Differences are taken run by run.",
        f"Interval of {percent}": "Student's, of the n paired differences: mean ± t · s/√n. It holds for each "
        "measure by itself.",
        "Bootstrap": "The bootstrap-t interval of the same differences (4,000 resamples), which keeps its coverage "
        f"where differences are skewed. There is none with fewer than {FEWEST} seeds, nor where values are too alike.",
        "p": f"Of the two-sided paired t-test; {corrected_words(found.correction, found.tests)}. What is equal under "
        f"every seed is no comparison. A star stands where the corrected p is below {1 - found.confidence:.3g}.",
        "Effect": "Cohen's d_z: the mean difference in standard deviations of the differences.",
        "Gain": "How many times wider the interval would be with independent seeds: √(s²_A + s²_B) over the deviation "
        "of the differences. Its square is how many times more seeds that would take.",
        "Seeds to see it": "How many seeds a paired t-test at this level needs to see the difference found with a "
        "chance of 80 %, by the noncentral t law; and the smallest difference that these seeds see with that chance.",
    }
    return f'<section id="method"><h2>Method</h2><div class="box">{definitions(terms)}</div></section>'


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings."""
    found: list[dict[str, Any]] = rows.to_dict("records")  # type: ignore[assignment]
    return found


def _runs(found: Compared) -> int:
    return len(found.seeds) * (1 if found.agents else len(found.names))


def _percent(found: Compared) -> str:
    return f"{found.confidence * 100:.4g} %"


def _cut(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
