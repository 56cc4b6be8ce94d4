"""Figures of an optimisation: how the best came about, which parameter matters, and the value along each of them.

They take the table of trials: ``trial``, ``state`` ("complete", "pruned", "failed"), ``value``, and a column a
parameter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style

MOST = 12  # parameters that get a panel or a bar
_RARE = 1.6  # a value that is so many times the middle half beyond it does not set the scale


@style.styled
def optimization_history(
    trials: pd.DataFrame,
    measure: str = "value",
    direction: str = "maximize",
    base: float = math.nan,
    *,
    width: float = style.WIDTH,
) -> Figure:
    """The value of each trial in its order, the best so far as a line, pruned and failed trials marked.

    base: value of the scenario as it is, a dashed line. Values far on the bad side are drawn at the edge.
    """
    figure = style.canvas(width, 3.6)
    (axes,) = style.panels(figure, 1)
    complete, pruned = (trials[trials["state"] == state] for state in ("complete", "pruned"))
    best = complete["value"].cummax() if direction == "maximize" else complete["value"].cummin()
    last = int(trials["trial"].max()) if len(trials) else 0
    axes.step(
        [*complete["trial"], last],
        [*best, *best[-1:]],
        where="post",
        color=style.VERMILLION,
        label="best so far",
        zorder=2,
    )
    _scatter(axes, complete, "trial", style.BLUE, "o", "all seeds", 18)
    if len(pruned):
        _scatter(axes, pruned, "trial", style.GREY, "x", "given up", 20)
    _base_line(axes, base)
    _limits(axes, trials, direction, base)
    failed = trials[trials["state"] == "failed"]["trial"]
    if len(failed):
        axes.plot(
            failed, np.full(len(failed), 0.015), "|", color=style.BLACK, markersize=9, markeredgewidth=1.6,
            transform=axes.get_xaxis_transform(), label="failed",
        )  # fmt: skip
    axes.set_xlabel("trial")
    axes.set_ylabel(measure)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
    style.plain_numbers(axes, "y", most=6)
    style.head(axes, f"Trials of the search, {direction}d", width)
    return figure


@style.styled
def parameter_importance(importance: pd.DataFrame, *, width: float = style.WIDTH) -> Figure:
    """Bars of ``importance`` (shares that add up to 1) by ``parameter``, the largest on top."""
    known = importance[importance["importance"].notna()].head(MOST)
    figure = style.canvas(width, 1.0 + 0.34 * max(len(known), 2))
    if not len(known):
        return style.empty(
            figure, "too few complete trials, or all of one value: nothing tells which parameter matters"
        )
    (axes,) = style.panels(figure, 1)
    place = np.arange(len(known))[::-1]
    shares = known["importance"].to_numpy(np.float64) * 100.0
    axes.barh(place, shares, height=0.62, color=style.BLUE)
    for y, share in zip(place, shares, strict=True):
        axes.annotate(f"{share:.0f} %", (share, y), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    narrow = width < style.NARROW
    axes.set_yticks(place, [_short(name, 18 if narrow else 40) for name in known["parameter"]])
    axes.set_xlim(0.0, max(shares.max() * 1.14, 10.0))
    axes.set_ylim(-0.6, len(known) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of the variance between trials (%)")
    axes.set_title("Which parameter matters", loc="left")
    style.plain_numbers(axes, "x", most=6)
    return figure


@style.styled
def optimization_slices(
    trials: pd.DataFrame,
    scales: Mapping[str, tuple[str, str]],
    measure: str = "value",
    direction: str = "maximize",
    base: float = math.nan,
    *,
    width: float = style.WIDTH,
) -> Figure:
    """The value of every trial along each parameter, one small panel each; later trials are darker.

    scales: scale ("linear" or "log") and unit by parameter. Columns hold numbers of that unit; words are spread evenly.
    """
    names = list(scales)[:MOST]
    columns = min(2 if width < style.NARROW else 3, len(names))
    rows = -(-len(names) // columns)
    figure = style.canvas(width, 0.5 + 2.35 * rows)
    panels = style.panels(figure, len(names), columns=columns)
    shown = trials[trials["state"] == "complete"]
    for number, (axes, name) in enumerate(zip(panels, names, strict=True)):
        scale, unit = scales[name]
        _slice(axes, shown, name, scale, direction)
        _base_line(axes, base)
        _limits(axes, shown, direction, base)
        axes.set_xlabel(_short(name, 21 if width < style.NARROW else 28) + (f" ({unit})" if unit else ""))
        style.plain_numbers(axes, "y", most=5)
        if number % columns:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(_short(measure, 26))
    return figure


# --- inner ---


def _slice(axes: Axes, trials: pd.DataFrame, name: str, scale: str, direction: str) -> None:
    values = trials[name]
    words = not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)
    kinds = list(dict.fromkeys(map(str, values))) if words else []
    if words:  # points of one word stand side by side, in the order of the trials
        place = np.array([kinds.index(str(value)) for value in values]) + np.linspace(-0.25, 0.25, len(values))
    else:
        place = values.to_numpy(np.float64)
    dark: Any = np.linspace(0.25, 0.9, len(trials))
    heights = trials["value"].to_numpy(np.float64)
    axes.scatter(place, heights, s=14, color=style.BLUE, alpha=dark, linewidths=0)
    if len(trials):
        winner = int(heights.argmax() if direction == "maximize" else heights.argmin())
        axes.scatter(
            place[winner],
            heights[winner],
            s=60,
            facecolors="none",
            edgecolors=style.VERMILLION,
            linewidths=1.8,
            zorder=4,
        )
    if words:
        axes.set_xticks(range(len(kinds)), [_short(kind, 10) for kind in kinds])
        axes.set_xlim(-0.5, max(len(kinds), 1) - 0.5)
    elif scale == "log":
        _log_ticks(axes)
    else:
        style.plain_numbers(axes, "x", most=4)


def _log_ticks(axes: Axes) -> None:
    """A log axis with round ticks, also where it spans less than a decade or two."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    wide = math.log10(high / low) if low > 0 else 1.0
    steps = (1.0,) if wide > 1.8 else (1.0, 3.0) if wide > 1.2 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=steps, numticks=6))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))


def _scatter(axes: Axes, rows: pd.DataFrame, x: str, colour: str, marker: str, label: str, size: float) -> None:
    width = 1.2 if marker == "x" else 0.0
    axes.scatter(rows[x], rows["value"], s=size, color=colour, marker=marker, label=label, linewidths=width, zorder=3)


def _base_line(axes: Axes, base: float) -> None:
    if math.isfinite(base):
        axes.axhline(base, color=style.BLACK, linewidth=1.0, linestyle=(0, (4, 3)), label="scenario as it is", zorder=1)


def _limits(axes: Axes, trials: pd.DataFrame, direction: str, base: float) -> None:
    """All of the good side; of the bad one as far as the trials are not rare, which would flatten all others."""
    values = trials["value"].dropna().to_numpy(np.float64)
    values = np.append(values, base) if math.isfinite(base) else values
    if len(values) < 8:
        return
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    room = _RARE * max(high - low, 1e-12)
    bottom, top = values.min(), values.max()
    if direction == "maximize":
        bottom = max(bottom, min(low - room, base if math.isfinite(base) else middle))
    else:
        top = min(top, max(high + room, base if math.isfinite(base) else middle))
    margin = 0.06 * (top - bottom)
    if margin > 0:
        axes.set_ylim(bottom - margin, top + margin)


def _short(name: str, most: int) -> str:
    """The end of a long path, which tells more than its beginning; from a step on where that fits."""
    if len(name) <= most:
        return name
    end = name[-(most - 1) :]
    step = end.find(".") + 1
    return "…" + (end[step:] if 0 < step < len(end) // 2 else end)
