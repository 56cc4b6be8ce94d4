"""The figure of a sweep: small multiples, a row or panel a measure, against what varies.

One parameter: means with their intervals over the seeds. Two in a grid: a map of the means. Otherwise the effect of
each parameter by itself, averaged over the others, with the points behind it. It runs nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.summary import number
from marketsim.analysis.sweep_table import LEVELS, main_effects, summarize_points

MOST_PANELS = 36
_LONGEST = 7  # characters of a number that fits into a cell
_TOLD = 64  # cells of a map up to which each says its number
_EVEN, _SIGNED = "cividis", "PuOr"  # both stay apart for colour-blind eyes


@style.styled
def sweep_figure(
    table: pd.DataFrame,
    parameters: Sequence[str],
    measures: Sequence[str],
    *,
    units: Mapping[str, str] | None = None,
    log: Collection[str] = (),
    confidence: float = 0.95,
    width: float = style.WIDTH,
) -> Figure:
    """Each measure against each parameter, or against both at once where two make a grid.

    table: a row a run, as ``Sweep.table`` has it. units: of the parameters. log: those on a logarithmic scale.
    """
    good = table[table["status"] == "ok"]
    if good.empty or not measures:
        return style.empty(style.canvas(width, 2.0), "No run is over that did not fail: there is nothing to draw.")
    labels = {path: _label(path, (units or {}).get(path, "")) for path in parameters}
    if is_map(table, parameters):
        return _maps(good, parameters, measures, labels, log, width)
    return _effects(good, parameters, measures, labels, log, confidence, width)


def _effects(
    table: pd.DataFrame,
    parameters: Sequence[str],
    measures: Sequence[str],
    labels: Mapping[str, str],
    log: Collection[str],
    confidence: float,
    width: float,
) -> Figure:
    """A row a measure and a column a parameter; of one parameter the panels follow each other."""
    shown = measures[: max(MOST_PANELS // len(parameters), 1)]
    narrow = width < style.NARROW
    columns = 1 if narrow else 2 if len(parameters) == 1 and len(shown) > 1 else min(len(parameters), 4)
    panels = [(measure, path) for measure in shown for path in parameters]
    if len(parameters) > columns:  # each measure begins a row
        columns = 1 if narrow else columns
    rows = -(-len(panels) // columns)
    figure = style.canvas(width, 0.3 + 2.15 * rows)
    axes_of = style.panels(figure, len(panels), columns=columns)
    for axes, (measure, path) in zip(axes_of, panels, strict=True):
        _effect(axes, table, path, measure, confidence, path in log, alone=len(parameters) == 1)
        axes.set_xlabel(labels[path])
        first = narrow or len(parameters) == 1 or path == parameters[0]
        axes.set_title(_wrapped(measure, 44 if columns <= 2 else 26) if first else "")
    _remark(figure, measures, shown)
    return figure


def _effect(
    axes: Axes, table: pd.DataFrame, path: str, measure: str, confidence: float, log: bool, *, alone: bool
) -> None:
    """Means with intervals, joined where the parameter is a number; behind them the mean of each point."""
    if alone:
        effect = summarize_points(table, [path], [measure], confidence).rename(columns={path: "value"})
        effect = effect.sort_values("value") if pd.api.types.is_numeric_dtype(table[path]) else effect
    else:
        effect = main_effects(table, path, measure, confidence)
    if effect["mean"].isna().all():
        axes.text(0.5, 0.5, "never measured", ha="center", va="center", color=style.GREY, transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    numeric = pd.api.types.is_numeric_dtype(table[path])
    place = effect["value"].to_numpy(np.float64) if numeric else np.arange(len(effect), dtype=np.float64)
    if not alone:
        means = table.groupby("point").agg(at=(path, "first"), mean=(measure, "mean"))
        at = means["at"] if numeric else means["at"].map({v: n for n, v in enumerate(effect["value"])})
        axes.scatter(at.to_numpy(np.float64), means["mean"], s=9, color=style.SKY, alpha=0.55, linewidths=0)
    mean = effect["mean"].to_numpy()
    sides = np.nan_to_num([mean - effect["low"].to_numpy(), effect["high"].to_numpy() - mean])
    line = "o-" if numeric else "o"
    axes.errorbar(place, mean, yerr=sides, fmt=line, markersize=4, color=style.BLUE, elinewidth=1.4, capsize=2.5)
    style.plain_numbers(axes, "y", most=5)
    if not numeric:
        axes.set_xticks(place, [str(value) for value in effect["value"]])
        axes.set_xlim(-0.5, len(place) - 0.5)
    elif log:
        _log(axes)
    else:
        style.plain_numbers(axes, "x", most=5)


def _maps(
    table: pd.DataFrame,
    parameters: Sequence[str],
    measures: Sequence[str],
    labels: Mapping[str, str],
    log: Collection[str],
    width: float,
) -> Figure:
    """A map of the means for each measure, the first parameter to the right, the second upward."""
    shown = measures[:MOST_PANELS]
    columns = 1 if width < style.NARROW or len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    across, up = parameters
    levels = table[up].nunique()
    figure = style.canvas(width, 0.3 + rows * (1.5 + min(0.32 * levels, 2.4)))
    for axes, measure in zip(style.panels(figure, len(shown), columns=columns), shown, strict=True):
        means = summarize_points(table, parameters, [measure]).pivot_table(
            index=up, columns=across, values="mean", sort=False, dropna=False
        )
        _map(figure, axes, means)
        axes.set_xlabel(labels[across])
        axes.set_ylabel(labels[up])
        axes.set_title(_wrapped(measure, 44 if columns == 1 else 34))
    _remark(figure, measures, shown)
    return figure


def _map(figure: Figure, axes: Axes, means: pd.DataFrame) -> None:
    means = _in_order(_in_order(means, 0), 1)
    values = means.to_numpy(np.float64)
    known = values[~np.isnan(values)]
    signed = len(known) > 0 and known.min() < 0 < known.max()
    limit = float(np.abs(known).max()) if signed else 0.0
    ends: dict[str, Any] = {"vmin": -limit, "vmax": limit} if signed else {}
    image = axes.imshow(values, origin="lower", aspect="auto", cmap=_SIGNED if signed else _EVEN, **ends)
    axes.grid(visible=False)
    for ticks, labels in ((axes.set_xticks, means.columns), (axes.set_yticks, means.index)):
        places = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), 6)).round().astype(int))
        ticks(places, [_short(labels[place]) for place in places])
    if values.size <= _TOLD and values.shape[1] <= 8:
        _tell(axes, values, image)
    bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=18)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7.5, length=2)
    bar.locator = ticker.MaxNLocator(4)
    bar.formatter = ticker.FuncFormatter(lambda value, _: _short(value).replace("-", "−"))
    bar.update_ticks()


def _tell(axes: Axes, values: Any, image: Any) -> None:
    """The number of each cell, dark on light and light on dark."""
    known = values[~np.isnan(values)]
    spread = float(known.max() - known.min()) if len(known) else 0.0
    decimals = int(np.clip(2 - np.floor(np.log10(spread)), 0, 4)) if spread > 0 else 2
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value)) if value == value else (1.0, 1.0, 1.0, 1.0)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        words = number(value, f",.{decimals}f")
        if len(words) > _LONGEST:
            words = _short(value).replace("-", "−")
        axes.text(column, row, words, ha="center", va="center", fontsize=7.5, color="white" if dark else style.BLACK)


def _in_order(means: pd.DataFrame, axis: int) -> pd.DataFrame:
    """Numbers from small to large; text as it came."""
    labels = means.axes[axis]
    return means.sort_index(axis=axis) if pd.api.types.is_numeric_dtype(labels) else means  # type: ignore[call-overload]


def is_map(table: pd.DataFrame, parameters: Sequence[str]) -> bool:
    """Whether ``sweep_figure`` draws maps of the means, without intervals: for two parameters in a grid."""
    return len(parameters) == 2 and _is_grid(table[table["status"] == "ok"], parameters)


def _is_grid(table: pd.DataFrame, parameters: Sequence[str]) -> bool:
    """Whether the points are all combinations of some values, two of each at least."""
    points = table.drop_duplicates("point")
    sizes = [points[path].nunique() for path in parameters]
    return min(sizes) > 1 and max(sizes) <= 4 * LEVELS and len(points) == sizes[0] * sizes[1]


def _log(axes: Axes) -> None:
    """A logarithmic axis with a few round numbers."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = np.log10(high / low)
    steps = (1.0,) if decades > 3.5 else (1.0, 3.0) if decades > 1.2 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=steps, numticks=12))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: _short(value)))


def _short(value: Any) -> str:
    if not isinstance(value, (int, float, np.number)) or isinstance(value, bool):
        return str(value)
    size = abs(float(value))
    return f"{float(value):.2g}" if size >= 1e6 else f"{float(value):,.0f}" if size >= 1e4 else f"{float(value):,.4g}"


def _label(path: str, unit: str) -> str:
    words = {"": "", "bps": " (bps)"}.get(unit, f" ({unit.replace('/', '1/') if unit.startswith('/') else unit})")
    return _wrapped(path, 34) + words


def _wrapped(path: str, width: int) -> str:
    """Broken after a dot where it is long."""
    return "\n".join(textwrap.wrap(path.replace(".", ". "), width)).replace(". ", ".")


def _remark(figure: Figure, measures: Sequence[str], shown: Sequence[str]) -> None:
    if len(shown) < len(measures):
        figure.supxlabel(f"The first {len(shown)} of {len(measures)} measures", fontsize=8.5, color=style.GREY)
