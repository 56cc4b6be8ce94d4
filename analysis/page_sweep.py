"""The report of a sweep: what was varied, what it did, and every point with its intervals. It runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marketsim.analysis.figures.sweep import is_map, sweep_figure
from marketsim.analysis.files import write_text
from marketsim.analysis.page import ROOM, manifest_section
from marketsim.analysis.page_parts import cards, document, figure, footer, header, notice, table
from marketsim.analysis.page_words import Column
from marketsim.analysis.summary import number
from marketsim.analysis.sweep_table import strength, summarize_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

A_PICTURE = 6  # measures in one picture
MOST_POINTS = 200  # rows of the table; more stay in the file beside
MOST_ERRORS = 20


def sweep_report(
    runs_table: pd.DataFrame,
    parameters: Sequence[str],
    measures: Sequence[str],
    path: Path,
    *,
    title: str = "Sweep",
    units: Mapping[str, str] | None = None,
    log: Collection[str] = (),
    confidence: float = 0.95,
    runs: int | None = None,
    varied: Sequence[str] = (),
    design: str = "",
    manifest: Mapping[str, Any] | None = None,
) -> Path:
    """Write the report of a sweep's table (see ``Sweep.table``) to ``path`` and return it.

    One HTML file of at most about 5 MB that opens without a network, on a desk or a phone. runs: how many the sweep has
    when it is complete. varied: a line for each parameter. Raises StoreError when it cannot be written.
    """
    sheet = _Sheet(runs_table, tuple(parameters), tuple(measures), dict(units or {}), tuple(log), confidence)
    wanted = len(runs_table) if runs is None else runs
    text = document(title, _body(sheet, title, wanted, varied, design, manifest))
    return write_text(path, text)


class _Sheet:
    """The table, and what every part of the page takes from it."""

    def __init__(
        self,
        runs: pd.DataFrame,
        parameters: tuple[str, ...],
        measures: tuple[str, ...],
        units: dict[str, str],
        log: tuple[str, ...],
        confidence: float,
    ) -> None:
        self.runs, self.parameters, self.measures = runs, parameters, measures
        self.units, self.log, self.confidence = units, log, confidence
        self.failed = runs[runs["status"] != "ok"]

    @property
    def percent(self) -> str:
        return f"{self.confidence * 100:.4g} %"

    def figure(self, measures: Sequence[str]) -> Callable[[float], Figure]:
        return lambda width: sweep_figure(
            self.runs, self.parameters, measures, units=self.units, log=self.log, confidence=self.confidence,
            width=width,
        )  # fmt: skip


def _body(
    sheet: _Sheet, title: str, wanted: int, varied: Sequence[str], design: str, manifest: Mapping[str, Any] | None
) -> Iterator[str]:
    runs, points = len(sheet.runs), sheet.runs["point"].nunique()
    seeds = sheet.runs["seed"].nunique()
    links = [("varied", "What varies"), ("effects", "What it does"), ("strength", "How much"), ("points", "Points")]
    links += [("failed", "Failed runs")] if len(sheet.failed) else []
    chance = f"the same {seeds:,} seeds" if seeds != 1 else "the same seed"
    lead = f"{points:,} points, {design + ', ' if design else ''}each under {chance}"
    yield header(title, lead, links)
    if runs < wanted:
        yield notice(f"Not complete: {runs:,} of {wanted:,} runs are over.")
    engine = float(np.nansum(sheet.runs["engine_seconds"].to_numpy(np.float64)))
    yield cards(
        [
            (f"{points:,}", "points"),
            (f"{seeds:,}", "seeds"),
            (f"{runs:,}", "runs"),
            (f"{len(sheet.failed):,}", "failed"),
            (f"{engine:,.1f} s", "of engine time"),
        ]
    )
    yield from _varied(varied)
    yield from _effects(sheet)
    yield from _strengths(sheet)
    yield from _points(sheet)
    yield from _failures(sheet)
    if manifest:
        yield manifest_section(manifest)
    yield footer("Measures are named market.SYMBOL.NAME and agents.NAME.NAME.")


def _varied(varied: Sequence[str]) -> Iterator[str]:
    yield '<section id="varied"><h2>What varies</h2><div class="box">'
    yield "".join(f"<p><code>{escape(line)}</code></p>" for line in varied) or "<p>See the table of points.</p>"
    yield "</div></section>"


def _effects(sheet: _Sheet) -> Iterator[str]:
    yield '<section id="effects"><h2>What it does</h2>'
    size = 0
    for first in range(0, len(sheet.measures), A_PICTURE):
        measures = sheet.measures[first : first + A_PICTURE]
        if size > ROOM:
            yield f"<p>No figure, to keep this page small: {escape(', '.join(measures))}.</p>"
            continue
        draw = sheet.figure(measures)
        part = figure(
            draw, f"{', '.join(measures)} against {', '.join(sheet.parameters)}",
            _caption(sheet),
        )  # fmt: skip
        size += len(part)
        yield part
    yield "</section>"


def _caption(sheet: _Sheet) -> str:
    """How the figure is read, whichever of its kinds it is."""
    if is_map(sheet.runs, sheet.parameters):
        return (
            "The map shows means over the seeds only; how sure each of them is, say the intervals in the table of "
            "points."
        )
    if len(sheet.parameters) == 1:
        return f"Dots are means over the seeds, bars their {sheet.percent} intervals."
    return (
        "Each parameter by itself: the line is the mean over all points with that value (of many values: over eight "
        f"groups of neighbours), the pale dots are the points. Bars are {sheet.percent} intervals of the mean over the "
        "seeds; a bar is as long as chance, other parameters held alike."
    )


def _strengths(sheet: _Sheet) -> Iterator[str]:
    """Which parameter moves which measure."""
    shares = pd.DataFrame(
        {path: [strength(sheet.runs, path, name) for name in sheet.measures] for path in sheet.parameters},
        index=list(sheet.measures),
    )
    columns: list[Column] = [(path, path, "", ".0%") for path in sheet.parameters]
    words = (
        "The share of a measure's variance over all runs that a parameter's means account for. What is left is chance, "
        "and what parameters do together. With few points chance alone gives some."
    )
    yield f'<section id="strength"><h2>How much</h2>{table(shares, "measure", columns, words)}</section>'


def _points(sheet: _Sheet) -> Iterator[str]:
    """A row a point: its values, and each measure with its interval."""
    found = summarize_points(sheet.runs, sheet.parameters, sheet.measures, sheet.confidence)
    heads = found.drop_duplicates("point").set_index("point")[list(sheet.parameters)]
    shown = heads.head(MOST_POINTS).map(_value)
    for name, rows in found.groupby("measure", sort=False):
        told = rows.set_index("point")
        shown[name] = [interval_text(*told.loc[point, ["mean", "low", "high"]]) for point in shown.index]
    shown.index = pd.Index([str(point) for point in shown.index])
    columns: list[Column] = [(path, path, sheet.units.get(path, ""), "") for path in sheet.parameters]
    columns += [(name, name, "", "") for name in sheet.measures]
    more = (
        f" The first {MOST_POINTS} of {len(heads):,}; the others are in the table." if len(heads) > MOST_POINTS else ""
    )
    words = f"Means over the seeds, ± half the {sheet.percent} interval.{more}"
    yield f'<section id="points"><h2>Points</h2>{table(shown, "point", columns, words)}</section>'


def _failures(sheet: _Sheet) -> Iterator[str]:
    if not len(sheet.failed):
        return
    shown = sheet.failed.head(MOST_ERRORS)
    rows = shown[["seed", "error"]].astype(str).set_axis([str(point) for point in shown["point"]])
    columns: list[Column] = [("seed", "seed", "", ""), ("error", "error", "", "")]
    more = f" The first {MOST_ERRORS} of {len(sheet.failed):,}." if len(sheet.failed) > MOST_ERRORS else ""
    words = f"These runs ended with an error; the others do not know of them.{more}"
    yield f'<section id="failed"><h2>Failed runs</h2>{table(rows, "point", columns, words)}</section>'


def _value(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else str(value)


def interval_text(mean: float, low: float, high: float) -> str:
    """A mean ± half its interval, with two digits of that."""
    half = (high - low) / 2.0
    size = half if half == half and half > 0 else abs(mean)
    decimals = int(np.clip(1 - np.floor(np.log10(size)), 0, 6)) if size == size and size > 0 else 2
    form = f",.{decimals}f"
    return number(mean, form) + (f" ± {number(half, form)}" if half == half else "")
