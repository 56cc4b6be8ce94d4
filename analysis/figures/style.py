"""How figures look: colours, type, time axes, labels at the end of lines. It draws no market.

Colours are Okabe and Ito's but for two, and stay apart for colour-blind eyes (tests simulate them) and in print.
Nothing here touches pyplot or the user's own Matplotlib settings.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from marketsim.domain.local_time import LocalTime
from marketsim.domain.units import SECOND

P = ParamSpec("P")
Floats = npt.NDArray[np.float64]

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA3377"
ORANGE, SKY, BROWN, BLACK = "#E69F00", "#56B4E9", "#7A4B2A", "#222222"
GREY, LIGHT = "#6B7280", "#E5E7EB"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BROWN, BLACK)
BID, ASK, BUY, SELL = BLUE, VERMILLION, BLUE, VERMILLION

# The user's own file of settings must not change a report; the backend is not ours to touch.
BASE: Any = {name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith("backend")}

WIDTH = 8.0  # inches; a figure narrower than NARROW stacks its panels
NARROW = 5.5
_WORD = 1.5  # inches a word of a legend needs

SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7.0,
    "axes.labelsize": 9.0,
    "axes.labelcolor": "#374151",
    "axes.edgecolor": "#9CA3AF",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "grid.color": LIGHT,
    "grid.linewidth": 0.7,
    "xtick.color": "#374151",
    "ytick.color": "#374151",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "svg.fonttype": "path",
    "svg.hashsalt": "marketsim",
    "path.simplify": True,
    "path.simplify_threshold": 0.4,
}


LOOK: Any = BASE | SETTINGS


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw with this style, leaving the user's settings alone."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(LOOK):
            return draw(*args, **kwargs)

    return inside


class Sheet(Figure):
    """A figure that shows itself in a notebook; Matplotlib's own do so only once pyplot has been imported."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with mpl.rc_context(LOOK):
            self.savefig(buffer, format="png", dpi=100.0)
        return buffer.getvalue()


def canvas(width: float, height: float) -> Figure:
    """An empty figure of ``width`` by ``height`` inches that arranges itself without overlaps."""
    figure = Sheet(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(figure: Figure, count: int, *, heights: Sequence[float] | None = None, columns: int = 1) -> list[Axes]:
    """``count`` axes, row by row."""
    rows = -(-count // columns)
    grid = figure.add_gridspec(rows, columns, height_ratios=heights)
    return [figure.add_subplot(grid[n // columns, n % columns]) for n in range(count)]


def empty(figure: Figure, words: str) -> Figure:
    """Say in the picture that there is nothing to draw, and why."""
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, transform=axes.transAxes, wrap=True)
    return figure


class _TimeLocator(ticker.Locator):
    """Ticks at round clock times, for an axis in seconds."""

    STEPS = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)

    def __init__(self) -> None:
        self._known: tuple[tuple[float, ...], Sequence[float]] = ((), ())

    def __call__(self) -> Sequence[float]:
        low, high = self.axis.get_view_interval()  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        axis: Any = self.axis
        length = axis.axes.get_window_extent().width / axis.axes.get_figure().dpi if axis is not None else 6.0
        most = max(int(length / 0.85), 2)  # HH:MM:SS needs 0.7 inch
        asked = (vmin, vmax, float(most))
        if self._known[0] != asked:
            self._known = (asked, self._round_times(vmin, vmax, most))
        return self._known[1]

    def _round_times(self, vmin: float, vmax: float, most: int) -> Sequence[float]:
        span = max(vmax - vmin, 1e-9)
        step = next((s for s in self.STEPS if span / s <= most), 86400.0 * np.ceil(span / 86400.0 / most))
        first = np.ceil(vmin / step - 1e-9)
        return [float(k * step) for k in np.arange(first, np.floor(vmax / step + 1e-9) + 1)]


def clock_text(seconds: float, _position: object = None) -> str:
    """HH:MM:SS, with a day number in front after midnight and decimals where there are some."""
    thousandths = round(seconds * 1000)
    whole, fraction = divmod(thousandths, 1000)
    days, rest = divmod(whole, 86400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    text += f".{fraction:03d}".rstrip("0") if fraction else ""
    return f"{days}d {text}" if days else text


class _LocalFormatter(ticker.Formatter):
    """HH:MM:SS of local time, with the date below the first tick of each day."""

    def __init__(self, local: LocalTime) -> None:
        self._local = local

    def format_ticks(self, values: Any) -> list[str]:
        words, shown = [], ""
        for value in values:
            date = f"{self._local.at(round(value * SECOND)):%Y-%m-%d}"
            words.append(self(value) if date == shown else f"{self(value)}\n{date}")
            shown = date
        return words

    def __call__(self, x: float, pos: int | None = None) -> str:
        moment = self._local.at(round(x * SECOND))
        fraction = f".{moment.microsecond // 1000:03d}".rstrip("0") if moment.microsecond >= 1000 else ""
        return f"{moment:%H:%M:%S}{fraction}"


def time_axis(axes: Axes, start: int, end: int, *, label: bool = True, local: LocalTime | None = None) -> None:
    """An axis in seconds from ``start`` to ``end`` (ns) that reads HH:MM:SS; with dates where there are some."""
    axes.set_xlim(start / SECOND, max(end, start + 1) / SECOND)
    axes.xaxis.set_major_locator(_TimeLocator())
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(clock_text) if local is None else _LocalFormatter(local))
    if label:
        axes.set_xlabel("time (HH:MM:SS)" if local is None else f"local time, {local.time_zone} (HH:MM:SS)")
    else:
        axes.tick_params(labelbottom=False)


class _RoundLocator(ticker.MaxNLocator):
    """Round numbers, as many as fit. It remembers its answer: layout asks for it dozens of times."""

    def __init__(self, most: int) -> None:
        super().__init__(nbins=most, steps=[1, 2, 2.5, 5, 10])
        self._known: tuple[float, float, Any] = (0.0, 0.0, None)

    def tick_values(self, vmin: float, vmax: float) -> Any:
        if self._known[2] is None or self._known[:2] != (vmin, vmax):
            self._known = (vmin, vmax, super().tick_values(vmin, vmax))
        return self._known[2]


class _PlainFormatter(ticker.Formatter):
    """Thousands marked, no exponents, as many decimals as the ticks need."""

    def __init__(self, sign: bool) -> None:
        self._sign = sign
        self._decimals = 0

    def format_ticks(self, values: Any) -> list[str]:
        ticks = np.unique(np.asarray(values, dtype=np.float64))
        step = float(np.diff(ticks).min()) if len(ticks) > 1 else max(abs(float(ticks[0])), 1.0) if len(ticks) else 1.0
        self._decimals = 0
        while self._decimals < 6 and abs(round(step, self._decimals) - step) > 1e-3 * step:
            self._decimals += 1
        return [self(value) for value in values]

    def __call__(self, x: float, pos: int | None = None) -> str:
        rounded = round(float(x), self._decimals)
        words = f"{abs(rounded):,.{self._decimals}f}"
        return ("−" if rounded < 0 else "+" if self._sign and rounded > 0 else "") + words


def plain_numbers(axes: Axes, which: str = "y", *, sign: bool = False, most: int = 6) -> None:
    """At most about ``most`` round numbers on a linear axis: thousands marked, no exponents, signs where asked."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(_RoundLocator(most))
    axis.set_major_formatter(_PlainFormatter(sign))


def log_axis(axes: Axes, which: str) -> None:
    """A logarithmic axis with a tick at each power of ten and none between."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    (axes.set_yscale if which == "y" else axes.set_xscale)("log")
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: _power(value)))


def _power(value: float) -> str:
    """1,000 and 0.001 written out; powers beyond them as 10⁻⁴."""
    exponent = round(float(np.log10(value))) if value > 0 else 0
    if -3 <= exponent <= 6:
        return f"{value:,.{max(-exponent, 0)}f}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def settle(figure: Figure) -> Figure:
    """Arrange the figure once and keep that arrangement, so that writing it does not arrange it again."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
        # The solver's last bits vary from call to call, and identifiers in an SVG are made from them.
        for axes in figure.axes:
            axes.set_position(tuple(round(edge, 7) for edge in axes.get_position().bounds))
    return figure


def thin(time: Any, *values: Any, points: int = 450) -> tuple[Floats, ...]:
    """At most about ``2 * points`` points that draw the same curve: the lowest and highest of each stretch.

    ``time`` in ns becomes seconds. Short curves come back whole. The extremes are taken of the first of ``values``;
    the others are read at the same rows.
    """
    seconds = np.asarray(time, dtype=np.float64) / SECOND
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    count = len(seconds)
    if count <= 2 * points:
        return (seconds, *arrays)
    # Stretches of equal time, not of equal numbers of rows: a busy minute must not swallow a quiet one.
    stretch = np.minimum((seconds - seconds[0]) / max(seconds[-1] - seconds[0], 1e-12) * points, points - 1).astype(int)
    first = np.flatnonzero(np.diff(stretch, prepend=-1))
    order = np.lexsort((np.nan_to_num(arrays[0], nan=np.inf), stretch))
    lowest = order[first]
    order = np.lexsort((np.nan_to_num(arrays[0], nan=-np.inf), stretch))
    highest = order[np.append(first[1:], count) - 1]
    rows = np.unique(np.concatenate((first, lowest, highest, [count - 1])))
    return (seconds[rows], *(array[rows] for array in arrays))


def legend_columns(width: float) -> int:
    """How many words of a legend stand side by side in a figure of so many inches."""
    return min(max(int(width / _WORD), 2), 5)


def head(axes: Axes, title: str, width: float) -> None:
    """A title, and under it a legend in as many rows as it needs; after everything is drawn."""
    columns = legend_columns(width)
    rows = -(-len(axes.get_legend_handles_labels()[1]) // columns)
    axes.set_title(title, pad=6.0 + 14.0 * rows)
    if rows:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.2, columnspacing=1.2)


def label_lines(axes: Axes, ends: Sequence[tuple[float, str, str]], *, size: float = 8.5) -> None:
    """Names at the right end of lines, in their colours and moved apart where they would touch.

    ``ends`` are (y of the line's end, name, colour). Call it after the limits of the y axis are final.
    """
    figure = axes.get_figure()
    low, high = axes.get_ylim()
    finite = [(y, name, colour) for y, name, colour in ends if np.isfinite(y)]
    if not finite or figure is None:
        return
    # Constrained layout has not run yet: judge the height by the share of the figure that the panel will get.
    tall = axes.get_position().height * figure.get_size_inches()[1]  # type: ignore[union-attr]
    gap = size * 1.3 / 72.0 / max(tall, 0.5)
    order = sorted(range(len(finite)), key=lambda n: finite[n][0])
    wanted = np.array([(finite[n][0] - low) / (high - low) for n in order])
    for n, place in zip(order, spread_out(wanted, gap), strict=True):
        _, name, colour = finite[n]
        axes.annotate(
            name,
            xy=(1.0, place),
            xytext=(5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="left",
            va="center",
            color=colour,
            fontsize=size,
            fontweight="bold",
            annotation_clip=False,
        )


def spread_out(wanted: Floats, gap: float) -> Floats:
    """The places nearest to ``wanted`` (ascending) that are at least ``gap`` apart (pooled adjacent violators)."""
    shifted = np.asarray(wanted, dtype=np.float64) - gap * np.arange(len(wanted))
    blocks: list[tuple[float, int]] = []
    for value in shifted:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    levels = np.repeat(np.array([b for b, _ in blocks]), [n for _, n in blocks])
    return np.asarray(levels + gap * np.arange(len(wanted)), dtype=np.float64)


def short_number(value: float) -> str:
    """1, 20, 500, 2k, 1.5M: for narrow scales."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
