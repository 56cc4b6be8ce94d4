"""Figures of a calibration: the recorded market, and the simulated one before and after, in the same picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.liquidity import depth_profile
from marketsim.analysis.prices import mid_returns, mid_series, step_of
from marketsim.analysis.spreads import edges_of
from marketsim.analysis.stylized import autocorrelation
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import MINUTE, format_duration
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

RECORDED, BEFORE, AFTER = "recorded", "before", "after"
COLOURS = {RECORDED: style.BLACK, BEFORE: style.ORANGE, AFTER: style.BLUE}
_LINES: dict[str, Any] = {RECORDED: "-", BEFORE: (0, (4, 1.5)), AFTER: "-"}
_MARKS = {RECORDED: "o", BEFORE: "s", AFTER: "D"}
_FARTHEST = 20.0  # standard errors; what is farther is drawn at the edge
_LEVELS = 10


class Found(Protocol):
    """What is drawn; ``experiment.calibration.Calibration`` is one."""

    @property
    def symbol(self) -> str:
        """Of the simulated market."""

    @property
    def recorded_symbol(self) -> str:
        """Of the recorded one."""

    @property
    def recorded(self) -> Mapping[str, Any]:
        """Tables of the recorded halves."""

    def run(self, stage: str) -> Any:
        """Tables of a simulated market."""

    def table(self, half: str = "judge") -> pd.DataFrame:
        """By statistic: recorded, before, after and their distances."""


Market = tuple["MarketTables", str]  # tables, and the instrument


@style.styled
def calibration_figure(
    found: Found, kind: str = "statistics", *, half: str = "judge", width: float | None = None
) -> Figure:
    """One picture of a calibration: "statistics", "prices", "book", "returns", "memory" or "activity"."""
    if kind not in KINDS:
        raise InvalidValueError(f"kind={kind!r} is unknown{did_you_mean(kind, KINDS)}")
    if half not in found.recorded:
        raise InvalidValueError(f"half={half!r} is unknown{did_you_mean(half, found.recorded)}")
    wide = style.WIDTH if width is None else width
    if kind == "statistics":
        return _statistics(found.table(half), wide)
    markets: dict[str, Market] = {RECORDED: (found.recorded[half], found.recorded_symbol)}
    markets |= {stage: (found.run(stage), found.symbol) for stage in (BEFORE, AFTER)}
    return KINDS[kind](markets, wide)


def _statistics(table: pd.DataFrame, width: float) -> Figure:
    """How far each statistic is off, in standard errors: before and after."""
    figure = style.canvas(width, 0.8 + 0.235 * len(table))
    axes = figure.add_subplot()
    places = np.arange(len(table))[::-1]
    axes.axvspan(-2, 2, color=style.LIGHT, zorder=0)
    axes.axvline(0, color=style.GREY, linewidth=0.8, zorder=1)
    shown = {name: np.clip(table[f"{name}_distance"], -_FARTHEST, _FARTHEST) for name in (BEFORE, AFTER)}
    axes.hlines(places, shown[BEFORE], shown[AFTER], color=style.GREY, linewidth=0.7, zorder=2)
    for name in (BEFORE, AFTER):
        axes.plot(shown[name], places, _MARKS[name], color=COLOURS[name], markersize=5, label=name, zorder=3)
    axes.set_yticks(places, [str(name).replace("_", " ") for name in table.index])
    axes.set_xlim(-_FARTHEST - 1, _FARTHEST + 1)
    axes.set_ylim(-0.7, len(table) - 0.3)
    axes.grid(visible=False, axis="y")
    narrow = width < style.NARROW
    axes.set_xlabel("off by standard errors" if narrow else "simulated less recorded, standard errors (edge: farther)")
    style.plain_numbers(axes, "x")
    style.head(axes, "Every statistic", width)
    return figure


def _prices(markets: Mapping[str, Market], width: float) -> Figure:
    """The mid in basis points of its first value, each market in a panel of its own on the same scales."""
    narrow = width < style.NARROW
    figure = style.canvas(width, 6.4 if narrow else 2.9)
    paths = {name: _path(Tape.of(*market)) for name, market in markets.items()}
    reach = max((float(np.nanmax(np.abs(path))) for _, path in paths.values() if np.isfinite(path).any()), default=1.0)
    longest = max((float(minutes[-1]) for minutes, _ in paths.values() if len(minutes)), default=1.0)
    panels = style.panels(figure, len(paths), columns=1 if narrow else len(paths))
    for axes, (name, (minutes, path)) in zip(panels, paths.items(), strict=True):
        axes.plot(minutes, path, color=COLOURS[name], linewidth=0.9)
        axes.set_ylim(-1.05 * reach, 1.05 * reach)
        axes.set_xlim(0, max(longest, 1e-9))
        axes.set_title(f"Mid, {name}")
        axes.set_xlabel("minutes since the start")
        style.plain_numbers(axes, "x", most=5)
        style.plain_numbers(axes, "y", sign=True)
        if narrow or axes is panels[0]:
            axes.set_ylabel("bps from the start")
    return figure


def _path(tape: Tape) -> tuple[Floats, Floats]:
    mids = mid_series(tape, step_of(tape.start, tape.end, 700))
    values = mids.to_numpy(dtype=np.float64)
    known = values[np.isfinite(values)]
    first = known[0] if len(known) else np.nan
    return (mids.index.to_numpy(dtype=np.float64) - tape.start) / MINUTE, 1e4 * (values / first - 1.0)


def _book(markets: Mapping[str, Market], width: float) -> Figure:
    """The spread's share of time, and the mean quantity of each level at its mean distance from the mid."""
    spread, profile, figure = _pair(width)
    widest = 1.0
    for name, (tables, symbol) in markets.items():
        tape = Tape.of(tables, symbol)
        ticks, share = _share_of_time(tape)
        if len(ticks):
            widest = max(widest, float(ticks[np.searchsorted(share, 0.99)]))
            spread.step(ticks, share, where="post", color=COLOURS[name], linestyle=_LINES[name], label=name)
        _draw_profile(profile, tables, symbol, tape.tick, name)
    spread.set_xlim(0, widest * 1.05)
    spread.set_ylim(0, 1)
    spread.set_xlabel("quoted spread (ticks)")
    spread.set_ylabel("share of time not wider")
    style.plain_numbers(spread, "x")
    style.head(spread, "Spread", _half(width))
    profile.set_xlim(left=0)
    profile.set_ylim(bottom=0)
    profile.set_xlabel("mean distance from the mid (ticks)")
    profile.set_ylabel("mean quantity (units)")
    for axis in "xy":
        style.plain_numbers(profile, axis)
    style.head(profile, "Book, level by level", _half(width))
    return figure


def _share_of_time(tape: Tape) -> tuple[Floats, Floats]:
    """Spreads in ticks, ascending, and the share of time in which the spread was not wider."""
    ticks = np.round(tape.spread / tape.tick)
    weight = np.where(np.isfinite(ticks), tape.durations, 0.0)
    known = weight > 0
    found, place = np.unique(ticks[known], return_inverse=True)
    total = np.bincount(place, weight[known], len(found))
    return found, np.cumsum(total) / max(float(total.sum()), 1e-300)


def _draw_profile(axes: Axes, tables: MarketTables, symbol: str, tick: float, name: str) -> None:
    table = depth_profile(tables, _LEVELS, symbol)
    if len(table):
        distance = 0.5 * (table["bid_distance"] + table["ask_distance"]) / tick
        quantity = 0.5 * (table["bid_quantity"] + table["ask_quantity"])
        axes.plot(
            distance,
            quantity,
            color=COLOURS[name],
            linestyle=_LINES[name],
            marker=_MARKS[name],
            markersize=4,
            label=name,
        )


def _returns(markets: Mapping[str, Market], width: float) -> Figure:
    """The share of returns beyond a size, on two clocks."""
    first, second, figure = _pair(width)
    for axes, every in ((first, "1s"), (second, "60s")):
        longest = 1.0
        for name, market in markets.items():
            size, share = _tail(mid_returns(Tape.of(*market), every))
            if len(size):
                longest = max(longest, float(size[-1]))
                axes.plot(size, share, color=COLOURS[name], linestyle=_LINES[name], label=name)
        style.log_axis(axes, "x")
        style.log_axis(axes, "y")
        axes.set_xlim(0.1 if every == "1s" else 0.5, max(longest, 1.0) * 1.3)
        axes.set_xlabel(f"size of {every} return (bps)")
        axes.set_ylabel("share of larger returns")
        style.head(axes, f"Tails, {every}", _half(width))
    return figure


def _tail(returns: Floats) -> tuple[Floats, Floats]:
    size = np.sort(np.abs(returns)) * 1e4
    share = 1.0 - np.arange(len(size)) / max(len(size), 1)
    rows = len(size) - np.unique(np.geomspace(1, max(len(size), 1), 250).astype(int))[::-1]
    rows = rows[(rows >= 0) & (rows < len(size))]
    kept = rows[size[rows] > 0]
    return size[kept], share[kept]


def _memory(markets: Mapping[str, Market], width: float) -> Figure:
    """The autocorrelation of the size of 1 s returns, and of trade signs."""
    sizes, signs, figure = _pair(width)
    for axes, longest, values in (
        (sizes, 300, lambda tape: np.abs(mid_returns(tape, "1s"))),
        (signs, 300, lambda tape: tape.side),
    ):
        for name, market in markets.items():
            series = values(Tape.of(*market))
            lags = np.unique(np.geomspace(1, max(min(longest, len(series) // 4), 1), 30).astype(int))
            table = autocorrelation(series, [int(lag) for lag in lags])
            axes.plot(
                table["lag"], table["autocorrelation"], color=COLOURS[name], linestyle=_LINES[name], label=name,
                marker=_MARKS[name], markersize=2.5, linewidth=1.1,
            )  # fmt: skip
        axes.axhline(0, color=style.GREY, linewidth=0.7)
        style.log_axis(axes, "x")
        style.plain_numbers(axes)
        axes.set_ylabel("autocorrelation")
    sizes.set_xlabel("lag (s)")
    style.head(sizes, "Memory of volatility", _half(width))
    signs.set_xlabel("lag (fills)")
    style.head(signs, "Memory of trade signs", _half(width))
    return figure


def _activity(markets: Mapping[str, Market], width: float) -> Figure:
    """Orders traded with and units traded, a stretch of time each."""
    pace, volume, figure = _pair(width)
    tapes = {name: Tape.of(*market).merged() for name, market in markets.items()}
    lengths = [tape.end - tape.start for tape in tapes.values()]
    step = min(step_of(0, max(lengths), 45), step_of(0, min(lengths), 10))  # one for all: means over it are compared
    words = format_duration(step)
    for name, tape in tapes.items():
        edges = edges_of(tape, step)
        whole = np.diff(edges) == step
        minutes = (edges[:-1][whole] - tape.start) / MINUTE
        for axes, weights in ((pace, None), (volume, tape.quantity)):
            total = np.histogram(tape.trade_time, edges, weights=weights)[0][whole]
            axes.plot(
                minutes, total / (step / MINUTE), color=COLOURS[name], linestyle=_LINES[name], linewidth=1.1, label=name
            )
    for axes, label, title in (
        (pace, "trades a minute", "Pace"), (volume, "units a minute", "Volume"),
    ):  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"minutes since the start ({words} means)")
        axes.set_ylabel(label)
        for axis in "xy":
            style.plain_numbers(axes, axis)
        style.head(axes, title, _half(width))
    return figure


KINDS: dict[str, Callable[[Mapping[str, Market], float], Figure]] = {
    "statistics": lambda markets, width: style.canvas(width, 1.0),  # drawn from the table
    "prices": _prices,
    "book": _book,
    "returns": _returns,
    "memory": _memory,
    "activity": _activity,
}


def _pair(width: float) -> tuple[Axes, Axes, Figure]:
    """Two panels side by side, one below the other where it is narrow."""
    narrow = width < style.NARROW
    figure = style.canvas(width, 6.6 if narrow else 3.5)
    first, second = style.panels(figure, 2, columns=1 if narrow else 2)
    return first, second, figure


def _half(width: float) -> float:
    """The width of one of the panels of a pair; three words of a legend stand in one row."""
    return max(width if width < style.NARROW else 0.5 * width, 4.6)
