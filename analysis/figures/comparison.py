"""Figures of a comparison: differences with their intervals, and one measure seed by seed; they compute none of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from marketsim.analysis.figures import style

MOST = 14  # measures in a forest
_LINEAR = 12.0  # deviations up to which the axis is linear
_BAND = "#D1D5DB"


@style.styled
def forest_figure(
    table: pd.DataFrame,
    measures: Sequence[str] = (),
    *,
    confidence: float = 0.95,
    most: int = MOST,
    width: float = style.WIDTH,
) -> Figure:
    """Differences with their intervals, one row a measure, and by how much pairing narrows each of them.

    table: ``measure``, ``name``, ``difference``, ``low``, ``high``, ``deviation``, ``pairing_gain`` and ``differs`` of
    a comparison. measures: which, in this order; at most ``most`` are drawn. Measures of different units share the axis
    because each is divided by the deviation of its values from seed to seed, √((s²_A + s²_B)/2).
    """
    scale = table["pairing_gain"] * table["deviation"] / np.sqrt(2.0)
    drawn = table[np.isfinite(scale) & (scale > 0) & np.isfinite(table["low"])].assign(scale=scale)
    order = [name for name in (measures or list(dict.fromkeys(table["measure"]))) if name in set(drawn["measure"])]
    order = list(order)[:most]
    narrow = width < style.NARROW
    if not order:
        return style.empty(
            style.canvas(width, 1.5), "Nothing differs between seeds and sides, so there is nothing to draw."
        )
    drawn = drawn[drawn["measure"].isin(order)]
    names = list(dict.fromkeys(table["name"]))
    tall = len(order) * max(0.27, 0.15 * len(names))
    figure = style.canvas(width, (tall + 1.25) * (2 if narrow else 1) + 0.45)
    grid = figure.add_gridspec(*((2, 1) if narrow else (1, 2)), width_ratios=None if narrow else (3, 1))
    intervals = figure.add_subplot(grid[0])
    gains = figure.add_subplot(grid[1], sharey=None if narrow else intervals)
    _intervals(intervals, drawn, order, names)
    share = f"{confidence * 100:.4g} % interval"
    intervals.set_xlabel(f"deviations, {share}" if narrow else f"in deviations from seed to seed, {share}")
    bases = list(dict.fromkeys(table["base"])) if "base" in table else []
    intervals.set_title(
        f"Difference from {_short(bases[0], 18 if narrow else 40)}" if len(bases) == 1 else "Difference"
    )
    _gains(gains, drawn, order, names)
    if not narrow:
        gains.tick_params(labelleft=False)
    figure.legend(handles=_legend(names, narrow), loc="outside upper left", ncols=2 if narrow else 4, columnspacing=1.2)
    return figure


@style.styled
def pairs_figure(
    scores: pd.DataFrame, rows: pd.DataFrame, measure: str, *, confidence: float = 0.95, width: float = style.WIDTH
) -> Figure:
    """One measure seed by seed: a line a seed through all that is compared, and the paired differences.

    scores: a row a seed, a column a compared one, the base first. rows: their rows of the comparison's table
    (``name``, ``difference``, ``low``, ``high``, ``boot_low``, ``boot_high``).
    """
    narrow = width < style.NARROW
    figure = style.canvas(width, 6.4 if narrow else 3.6)
    left, right = style.panels(figure, 2, columns=1 if narrow else 2)
    panel = width if narrow else width / 2.0
    _lines(left, scores, measure, panel)
    _differences(right, scores, rows.set_index("name"), confidence, panel)
    return figure


# --- the forest ---


def _intervals(axes: Axes, drawn: pd.DataFrame, order: list[str], names: list[str]) -> None:
    for row, place, colour in _placed(drawn, order, names):
        low, mean, high = (float(row[part]) / float(row["scale"]) for part in ("low", "difference", "high"))
        wide = (high - low) / 2.0 * float(row["pairing_gain"])
        thick = 9.0 / len(names) ** 0.5
        axes.plot([mean - wide, mean + wide], [place, place], color=_BAND, linewidth=thick, solid_capstyle="butt")
        axes.plot([low, high], [place, place], color=colour, linewidth=2.0, zorder=3)
        face = colour if row["differs"] else "white"
        axes.plot(mean, place, "o", markersize=5.5, color=colour, markerfacecolor=face, zorder=4)
    axes.axvline(0, color=style.GREY, linewidth=0.8, zorder=2)
    largest = float(max((drawn[part] / drawn["scale"]).abs().max() for part in ("low", "high")))
    if largest > _LINEAR:
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.8)
        powers = [10.0**n for n in range(int(np.ceil(np.log10(largest))) + 1)]
        axes.set_xticks([*(-p for p in reversed(powers)), 0.0, *powers])
        axes.set_xticklabels([_signed(value) for value in axes.get_xticks()])
        axes.minorticks_off()
    else:
        style.plain_numbers(axes, "x", sign=True)
    axes.set_yticks(np.arange(len(order)), order)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _gains(axes: Axes, drawn: pd.DataFrame, order: list[str], names: list[str]) -> None:
    """Dots on a scale of factors; left of 1 pairing has widened the interval."""
    for row, place, colour in _placed(drawn, order, names):
        gain = float(row["pairing_gain"])
        axes.plot([1.0, gain], [place, place], color=colour, linewidth=1.2)
        axes.plot(gain, place, "o", markersize=4.5, color=colour)
    gains = drawn["pairing_gain"]
    low, high = min(0.8, float(gains.min()) / 1.2), max(3.0, float(gains.max()) * 1.4)
    axes.set_xscale("log")
    ticks = [value for value in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if low <= value <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axes.minorticks_off()
    axes.axvline(1.0, color=style.GREY, linewidth=0.8)
    axes.set_yticks(np.arange(len(order)), order)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_title("Gain of pairing")
    axes.set_xlabel("times narrower")


def _placed(drawn: pd.DataFrame, order: list[str], names: list[str]) -> list[tuple["pd.Series[float]", float, str]]:  # noqa: UP037 - generic in the stubs only
    """Rows with their height and colour: one measure's rows side by side."""
    step = 0.7 / len(names)
    placed = []
    for _, row in drawn.iterrows():
        number = names.index(row["name"])
        place = order.index(row["measure"]) + (number - (len(names) - 1) / 2.0) * step
        placed.append((row, place, _colour(number + 1)))
    return placed


def _legend(names: list[str], narrow: bool) -> list[Line2D | Patch]:
    sides: list[Line2D | Patch] = [
        Line2D([], [], color=_colour(number), marker="o", markersize=5.5, linewidth=2, label=_short(name))
        for number, name in enumerate(names, start=1)
    ]
    sure = Line2D([], [], color=style.GREY, marker="o", linestyle="none", markersize=5.5, label="differs")
    chance = Line2D(
        [], [], color=style.GREY, marker="o", markerfacecolor="white", linestyle="none", markersize=5.5,
        label="may be chance",
    )  # fmt: skip
    band = Patch(color=_BAND, label="unpaired" if narrow else "without common seeds")
    return [*sides, sure, chance, band]


# --- seed by seed ---


def _lines(axes: Axes, scores: pd.DataFrame, measure: str, width: float) -> None:
    values = scores.to_numpy(np.float64)
    count, sides = values.shape
    places = list(range(sides))
    faint = float(np.clip(6.0 / max(count, 1), 0.08, 0.45))
    for line in values:
        axes.plot(places, line, color=style.GREY, linewidth=0.8, alpha=faint, zorder=1)
    for place in places:
        axes.plot(np.full(count, place), values[:, place], "o", markersize=3.6, alpha=0.55, color=_colour(place))
        mean = float(values[:, place].mean())
        axes.plot([place - 0.16, place + 0.16], [mean, mean], color=style.BLACK, linewidth=2.2, zorder=4)
    _name_places(axes, list(scores.columns), base=True)
    axes.set_xlim(-0.4, sides - 0.6)
    axes.set_ylabel(measure)
    axes.grid(visible=False, axis="x")
    axes.plot([], [], color=style.GREY, linewidth=0.8, label="one seed")
    axes.plot([], [], color=style.BLACK, linewidth=2.2, label="mean")
    style.head(axes, "Under each seed", width)
    style.plain_numbers(axes)


def _differences(axes: Axes, scores: pd.DataFrame, rows: pd.DataFrame, confidence: float, width: float) -> None:
    base, *others = scores.columns
    seen: list[style.Floats] = [np.zeros(1)]
    drawn: list[style.Floats] = []
    for place, name in enumerate(others):
        gaps = (scores[name] - scores[base]).to_numpy(np.float64)
        seen.append(gaps)
        axes.plot(place + _spread(gaps), gaps, "o", markersize=3.6, alpha=0.55, color=_colour(place + 1))
        if name in rows.index:
            row, aside = rows.loc[name], place + 0.28
            ends = np.array([row["low"], row["high"]], np.float64)
            axes.plot([aside, aside], ends, color=style.BLACK, linewidth=2.4, zorder=4)
            seen.append(ends)
            axes.plot(aside, row["difference"], "o", markersize=5.5, color=style.BLACK, zorder=5)
            resampled = np.array([row["boot_low"], row["boot_high"]], np.float64)
            if np.isfinite(resampled).all():
                axes.plot([aside + 0.09] * 2, resampled, color=style.ORANGE, linewidth=2.4)
                drawn.append(resampled)
    axes.axhline(0, color=style.GREY, linewidth=1.0, zorder=0.5)
    _name_places(axes, [str(name) for name in others], base=False)
    axes.set_xlim(-0.5, len(others) - 0.4)
    axes.grid(visible=False, axis="x")
    share = f"{confidence * 100:.4g} %"
    axes.plot([], [], color=style.BLACK, linewidth=2.4, marker="o", markersize=5.5, label=f"mean, {share} by t")
    if drawn:
        axes.plot([], [], color=style.ORANGE, linewidth=2.4, label="bootstrap")
    _limit(axes, seen)
    style.head(axes, f"Minus {_short(str(base))}, seed by seed", width)
    style.plain_numbers(axes, sign=True)


def _limit(axes: Axes, seen: list[style.Floats]) -> None:
    """A vertical axis of the seeds and Student's intervals; a bootstrap that runs far off is cut there."""
    values = np.concatenate(seen)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low)
    if margin > 0:
        axes.set_ylim(low - margin, high + margin)


def _spread(values: style.Floats) -> style.Floats:
    """Sideways steps, so that dots of nearly equal height do not hide one another."""
    span = float(np.ptp(values)) or 1.0
    level = np.round((values - values.min()) / span * 24.0).astype(int)
    steps = np.zeros(len(values))
    for one in np.unique(level):
        here = np.flatnonzero(level == one)
        steps[here] = (np.arange(len(here)) - (len(here) - 1) / 2.0) * min(0.05, 0.34 / len(here))
    return steps


def _colour(number: int) -> str:
    """Of a compared one by its place, the base being 0."""
    return style.PALETTE[number % len(style.PALETTE)]


def _name_places(axes: Axes, names: list[str], *, base: bool) -> None:
    """Labels of those side by side; what all variants have in common stands once, under the axis."""
    labels, common = labels_apart(names, base=base)
    axes.set_xticks(range(len(names)), labels)
    if common:
        axes.set_xlabel(common)


def labels_apart(names: list[str], *, base: bool = False) -> tuple[list[str], str]:
    """Short labels that tell names apart, and the path that variants such as ``spread=0.1`` share, or "".

    base: the first one is what they are variants of, and keeps its name.
    """
    most = 26 if len(names) < 3 else 14
    variants = names[1:] if base else names
    paths = {name.partition("=")[0] for name in variants if "=" in name}
    if len(variants) > 1 and len(paths) == 1 and all("=" in name for name in variants):
        values = [_short(name.partition("=")[2], most) for name in variants]
        if len(set(values)) == len(values):
            return [*(_short(name, most) for name in names[:1] if base), *values], paths.pop()
    short = [_short(name, most) for name in names]
    ends = [f"…{name[1 - most :]}" if len(name) > most else name for name in names]
    alike = len(set(short)) < len(short)
    return [end if alike or "=" in name else cut for name, cut, end in zip(names, short, ends, strict=True)], ""


def _short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{'−' if value < 0 else '+'}{abs(value):,.0f}"
