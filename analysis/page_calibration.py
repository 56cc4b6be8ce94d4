"""The HTML page of a calibration: the recorded market, the simulated one before and after, figure by figure.

It arranges the tables and figures of a calibration, whoever made them; it measures nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from html import escape
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
from marketsim.domain.units import MINUTE, duration, format_duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORDS = {
    "before": "the scenario as given",
    "estimated": "with what was read off the recording",
    "after": "calibrated",
    "other half": "the other recorded half",
}
_STATISTICS: tuple[Column, ...] = (
    ("verdict", "verdict", "", ""),
    ("recorded", "recorded", "", ""),
    ("before", "before", "", ""),
    ("before_distance", "off by", "standard errors", ",.1f"),
    ("after", "after", "", ""),
    ("after_distance", "off by", "standard errors", ",.1f"),
)
_DISTANCES: tuple[Column, ...] = (
    ("fit", "fitted half", "distance, 95 %", ""),
    ("judge", "judged half", "distance, 95 %", ""),
)
_PARAMETERS: tuple[Column, ...] = (
    ("before", "before", "", ""),
    ("estimated", "estimated", "", ""),
    ("value", "found", "", ""),
    ("range", "95 % interval", "", ""),
)
_SECTIONS = ("distance", "figures", "statistics", "parameters", "method", "terms", "scenario")
_FIGURES = {
    "statistics": (
        "Distance of every statistic, before and after",
        (
            "Within the grey band the simulated market cannot be told from the recorded one by that statistic. What "
            "stays outside after the calibration is what this population cannot do, or trades against something else."
        ),
    ),
    "prices": (
        "Path of the mid: recorded, before, after",
        (
            "One path of many: the simulated ones are not meant to follow the recorded one, but to move like it, as "
            "far and as abruptly."
        ),
    ),
    "book": (
        "Distribution of the spread, and mean quantity by level: recorded, before, after",
        (
            "Left: how much of the time the spread was at most so wide. Right: a mark for each level, from the best "
            "price outwards; a recording with few levels has few marks."
        ),
    ),
    "returns": (
        "Tails of returns over one second and one minute: recorded, before, after",
        (
            "A line farther to the right is a market that moves more. Its slope far out is the tail: the flatter, the "
            "wilder."
        ),
    ),
    "memory": (
        "Autocorrelation of the size of returns and of trade signs: recorded, before, after",
        "Left: how long a wild second is remembered. Right: how long buying follows buying.",
    ),
    "activity": (
        "Trades and volume a minute over the half: recorded, before, after",
        (
            "Recorded days are busier at both ends and have bursts; these agents know no time of day, so that a trend "
            "of the recorded line is not in the simulated ones."
        ),
    ),
}
_TERMS = {
    "distance": "The root mean square, over all statistics, of the difference between simulated and recorded in "
    "standard errors of that difference. About 1 for two stretches of one market.",
    "standard error": "Of the recorded market by the stationary block bootstrap, which keeps the dependence inside of "
    "blocks of minutes; of the simulated market over fresh seeds. The interval of a distance takes the statistics as "
    "independent of each other.",
    "fitted half, judged half": "Parameters were chosen by the fitted half alone. The judged half was looked at once, "
    "when all was decided.",
    "the other recorded half": "The distance of the two recorded halves from each other: what a perfect copy of the "
    "fitted half would have. No honest calibration is expected below it.",
    "before, estimated, found": "What the scenario had there as it was given, with what was read off the recording, "
    "and calibrated. Of a list or a matrix, found is a factor, written ×: every number of the estimated one was "
    "multiplied by it.",
    "95 % interval": "Of a parameter: from how much it moves the statistics near the value found, taken as straight "
    "lines. An interval as wide as the range searched says that nothing depends on it.",
}


class Found(Protocol):
    """What the page shows; ``experiment.calibration.Calibration`` is one."""

    @property
    def name(self) -> str:
        """Of the scenario."""

    @property
    def symbol(self) -> str:
        """Of the simulated market."""

    @property
    def recorded_symbol(self) -> str:
        """Of the recorded market."""

    @property
    def recorded(self) -> Mapping[str, Any]:
        """Tables of the recorded halves."""

    @property
    def spec(self) -> Any:
        """The calibrated scenario."""

    @property
    def fresh(self) -> tuple[int, ...]:
        """Seeds of the last runs."""

    @property
    def closer(self) -> bool:
        """Whether it is surely closer after."""

    @property
    def distances(self) -> pd.DataFrame:
        """A row a stage and half."""

    @property
    def parameters(self) -> pd.DataFrame:
        """A row a path."""

    @property
    def trials(self) -> pd.DataFrame:
        """A row a trial."""

    def distance(self, stage: str, half: str) -> float:
        """Of a stage to a half."""

    def table(self, half: str = "judge") -> pd.DataFrame:
        """By statistic."""

    def figure(self, kind: str = "statistics", *, half: str = "judge", width: float | None = None) -> Figure:
        """One of its pictures."""


def calibration_report(found: Found, path: str | os.PathLike[str]) -> Path:
    """Write the page to ``path`` and return it: one file that loads nothing; StoreError where it cannot be written."""
    return write_text(Path(path), document(_title(found), _body(found)))


def verdict(found: Found) -> str:
    """What the judged half says, in a sentence or two."""
    before, after, floor = (_cell(found, stage, "judge") for stage in ("before", "after", "other half"))
    words = f"distance to the judged half {after}, {before} before; the other recorded half is at {floor}."
    if found.closer:
        return f"Clearly closer (95 %): {words}"
    if found.distance("after", "judge") < found.distance("before", "judge"):
        return f"Closer, but not clearly: {words}"
    return f"Not closer: {words}"


def verdict_of(distance: float) -> str:
    """One statistic's, from its distance in standard errors."""
    if distance != distance:
        return "not told"
    size = abs(distance)
    return "agrees" if size <= 2.0 else "near" if size <= 4.0 else "too high" if distance > 0 else "too low"


def statistics_table(found: Found, half: str) -> pd.DataFrame:
    """``found.table`` with numbers as text, and a verdict."""
    rows = found.table(half)
    shown = pd.DataFrame(index=[str(name).replace("_", " ") for name in rows.index])
    for name in ("recorded", "before", "after"):
        shown[name] = [_short(value) for value in rows[name]]
    shown["recorded"] = [
        f"{value} ± {_short(error)}" for value, error in zip(shown["recorded"], rows["recorded_error"], strict=True)
    ]
    for name in ("before_distance", "after_distance"):
        shown[name] = rows[name].to_numpy()
    shown["verdict"] = [verdict_of(value) for value in rows["after_distance"]]
    return shown


def parameters_table(found: Found) -> pd.DataFrame:
    """``found.parameters`` as text."""
    rows = []
    for path, row in found.parameters.iterrows():
        sign = "each ×" if row["kind"] == "factor" else ""
        known = row["low"] is not None and row["low"] == row["low"]
        rows.append(
            {
                "parameter": path,
                "before": _written(row["before"]),
                "estimated": _written(row["estimated"]),
                "value": sign + _written(row["value"]),
                "range": f"{sign}{_written(row['low'])} … {sign}{_written(row['high'])}" if known else "–",
            }
        )
    return pd.DataFrame(rows, columns=["parameter", "before", "estimated", "value", "range"]).set_index("parameter")


def distances_table(found: Found) -> pd.DataFrame:
    """``found.distances`` as text, a row a stage."""
    stages = list(dict.fromkeys(found.distances["stage"]))
    return pd.DataFrame(
        {half: [_cell(found, stage, half) for stage in stages] for half in ("fit", "judge")},
        index=[f"{stage}: {_WORDS[stage]}" if stage != "other half" else _WORDS[stage] for stage in stages],
    )


def _cell(found: Found, stage: str, half: str) -> str:
    rows = found.distances
    row = rows[(rows["stage"] == stage) & (rows["half"] == half)].iloc[0]
    return f"{row['distance']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def _body(found: Found) -> Iterator[str]:
    yield header(_title(found), _lead(found), [(name, name.capitalize()) for name in _SECTIONS])
    yield (box if found.closer else notice)(verdict(found))
    yield cards(_headlines(found))
    yield '<section id="distance"><h2>Distance</h2>'
    yield table(distances_table(found), "market", _DISTANCES, "In standard errors; smaller is closer.")
    yield "</section>"
    yield '<section id="figures"><h2>Recorded beside simulated</h2>'
    yield f"<p>{escape(_lengths(found))}</p>"
    for kind, (alt, words) in _FIGURES.items():
        yield figure(partial(_drawn, found, kind), alt, words)
    yield "</section>"
    yield '<section id="statistics"><h2>Statistics</h2>'
    yield table(statistics_table(found, "judge"), "judged half", _STATISTICS)
    yield '<details class="box"><summary>The fitted half</summary>'
    yield table(statistics_table(found, "fit"), "fitted half", _STATISTICS)
    yield "</details></section>"
    yield '<section id="parameters"><h2>Parameters</h2>'
    yield table(parameters_table(found), "parameter", _PARAMETERS)
    yield "</section>"
    yield _method(found)
    yield terms_section(_TERMS)
    yield scenario_section("The calibrated scenario", found.spec.to_yaml())
    yield footer("The recorded market is shown as statistics and curves only.")


def _title(found: Found) -> str:
    return f"{found.name} calibrated to {found.recorded_symbol}"


def _lead(found: Found) -> str:
    parts = [
        f"fitted to {_span(found.recorded['fit'])}",
        f"judged on {_span(found.recorded['judge'])}",
        f"{len(found.trials):,} trials",
        f"{len(found.fresh)} fresh seeds",
    ]
    return " · ".join(parts)


def _headlines(found: Found) -> list[tuple[str, str]]:
    agree = int((found.table()["after_distance"].abs() <= 2.0).sum())
    return [
        (number(found.distance("before", "judge"), ".2f"), "distance before, judged half"),
        (number(found.distance("after", "judge"), ".2f"), "distance after, judged half"),
        (number(found.distance("other half", "judge"), ".2f"), "distance of the recorded halves"),
        (f"{agree} of {len(found.table())}", "statistics agree after (2 standard errors)"),
    ]


def _method(found: Found) -> str:
    words = (
        "First everything that can be counted was read off the fitted half: rates of limit orders and cancels by "
        "distance from the opposite best price, order and trade sizes, volatility. Then the parameters in the table "
        f"were searched by simulated moments: {len(found.trials):,} points proposed by an evolution strategy (CMA-ES), "
        "each run under the same seeds and compared with the fitted half, where one statistic counts at most twenty "
        f"standard errors. The best three ran again under {len(found.fresh)} fresh seeds, and the best of them on the "
        "fitted half was moved down the slopes of the statistics as long as that brought it closer there. What is told "
        "about the judged half comes from the same fresh seeds."
    )
    return f'<section id="method"><h2>Method</h2>{box(words)}</section>'


def _drawn(found: Found, kind: str, width: float) -> Figure:
    return found.figure(kind, width=width)


def _span(interval: Any) -> str:
    begin, end = (
        f"{t // 3_600_000_000_000:02d}:{t // 60_000_000_000 % 60:02d}" for t in (interval.start, interval.end)
    )
    return f"{begin} to {end}"


def _lengths(found: Found) -> str:
    """How long each side of a figure is; times are counted from its start, as the runs have a clock of their own."""
    half = found.recorded["judge"]
    recorded = half.end - half.start
    simulated = duration(found.spec.duration) - duration(found.spec.warm_up)
    words = (
        f"Recorded: the judged half, {_span(half)}, {_minutes(recorded)}. Simulated: a run of {_minutes(simulated)} "
        "before and one after, under the first fresh seed, which begin when the fitted half does. "
        "Time is told in minutes since the start of each."
    )
    if recorded != simulated:
        words += " Their lengths differ: compare how far and how often, not where a line ends."
    return words


def _minutes(time: int) -> str:
    return f"{time / MINUTE:,.4g} minutes"


def _short(value: float) -> str:
    """Three digits."""
    if value != value:
        return "–"
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return number(value, f",.{decimals}f")


def _written(value: Any) -> str:
    """A value of a scenario, short: lists by their length, numbers to four digits."""
    if value is None or value != value:
        return "–"
    if isinstance(value, (list, tuple)):
        return f"{len(value)} numbers"
    if isinstance(value, (int, float)):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    text = str(value)
    try:
        span = duration(text)
        return format_duration(round(span, 2 - len(str(abs(span)))))
    except InvalidValueError:
        head, slash, unit = text.partition("/")
        try:
            return f"{float(head):.4g}{slash}{unit}"
        except ValueError:
            return text
