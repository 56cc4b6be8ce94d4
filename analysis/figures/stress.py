"""Figure of a market under stress: the price with the orders that were labelled, the depth, and who sold how much."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.ground_truth import RemarkedTables, labels
from marketsim.analysis.prices import step_of
from marketsim.analysis.spreads import edges_of
from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.domain.units import SECOND, format_duration

COLOURS = (style.VERMILLION, style.BLUE, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
MOST_LINES = 600  # of orders drawn one by one
MOST_CROSSES = 100  # marks that are drawn large


@style.styled
def stress_figure(run: RemarkedTables, instrument: str | None = None, *, width: float = style.WIDTH) -> Figure:
    """Above, the mid and the labelled orders: a line at the price of each while it lived, from a triangle on that
    points upwards for one that buys, and a cross where one was sent at market. In the middle, the quantities at the
    best prices. Below, what was traded, and the labelled orders' part.
    """
    tape = Tape.of(run, instrument)
    said = labels(run)
    said = said[(said["instrument"] == tape.symbol) & (said["end"] >= tape.start)]
    rows = -(-(len(_kinds(said)) + 1) // style.legend_columns(width))  # of the two legends that name them
    figure = style.canvas(width, 6.0 + 0.4 * rows)
    if len(tape.quote_time) == 0:
        return style.empty(figure, f"{tape.symbol}: no quotes")
    price, depth, volume = style.panels(figure, 3, heights=(2.2, 1.0, 1.0))
    step = step_of(tape.start, tape.end, 90)
    _draw_price(price, tape, said)
    _draw_depth(depth, tape, step)
    _draw_volume(volume, tape, said, run.trades, step)
    price.set_ylabel(f"price ({tape.currency})")
    style.head(price, f"{tape.symbol}: mid and labelled orders", width)
    style.head(depth, f"Quantity at the best prices, mean per {format_duration(step)}", width)
    style.head(volume, f"Traded per {format_duration(step)}", width)
    for axes in (price, depth, volume):
        style.plain_numbers(axes, most=6)
        style.time_axis(axes, tape.start, tape.end, label=axes is volume, local=tape.local_time)
    figure.align_ylabels([price, depth, volume])
    return figure


def _kinds(said: pd.DataFrame) -> list[tuple[pd.DataFrame, str, str]]:
    """What was labelled with one kind and role, its name and its colour, in the order in which it first happened.

    A kind's only role is not named.
    """
    pairs = list(dict.fromkeys(zip(said["kind"], said["role"], strict=True)))
    found = []
    for number, (kind, role) in enumerate(pairs):
        several = sum(other == kind for other, _ in pairs) > 1
        words = kind.replace("_", " ") + (f": {role}" if several else "")
        mine = said[(said["kind"] == kind) & (said["role"] == role)]
        found.append((mine, words, COLOURS[number % len(COLOURS)]))
    return found


def _draw_price(axes: Axes, tape: Tape, said: pd.DataFrame) -> None:
    inside = tape.quote_time >= tape.start
    time, mid = style.thin(tape.quote_time[inside], tape.mid[inside])
    axes.plot(time, mid, color=style.BLACK, linewidth=0.9, drawstyle="steps-post", label="mid")
    for mine, words, colour in _kinds(said):
        begin, end = (mine[name].to_numpy(np.float64) / SECOND for name in ("start", "end"))
        level = mine["price"].to_numpy(np.float64)
        limit = ~np.isnan(level)
        some = np.flatnonzero(limit)[:MOST_LINES]
        axes.hlines(level[some], begin[some], end[some], color=colour, linewidth=2.6, alpha=0.85)
        _mark(axes, begin[some], level[some], mine["side"].to_numpy(np.int64)[some], colour)
        if limit.any():
            axes.plot([], [], color=colour, linewidth=2.6, label=words)
        if not limit.all():
            met = tape.before(tape.mid, mine["start"].to_numpy(np.int64)[~limit])
            size = 5.0 if len(met) < MOST_CROSSES else 2.5
            axes.plot(begin[~limit], met, "x", color=colour, markersize=size, label=words)


def _mark(axes: Axes, begin: Floats, level: Floats, side: Ints, colour: str) -> None:
    """Where each order began to rest: upwards one that buys, downwards one that sells. Many life times are no longer
    than a point.
    """
    size = 6.0 if len(begin) < MOST_CROSSES else 3.5
    for way, marker in ((1, "^"), (-1, "v")):
        mine = side == way
        axes.plot(
            begin[mine], level[mine], marker, color=colour, markersize=size, markeredgecolor="white",
            markeredgewidth=0.4, zorder=3,
        )  # fmt: skip


def _whole(edges: Ints, step: int) -> Ints:
    """Without the last interval where it is shorter than the others, and would look as if less had happened."""
    return edges[:-1] if len(edges) > 2 and edges[-1] - edges[-2] < step else edges


def _draw_depth(axes: Axes, tape: Tape, step: int) -> None:
    edges = _whole(edges_of(tape, step), step)
    for values, colour, words in ((tape.bid_quantity, style.BID, "bid"), (tape.ask_quantity, style.ASK, "ask")):
        means = tape.time_weighted_in(values, edges)
        axes.stairs(means, edges / SECOND, baseline=None, color=colour, linewidth=1.2, label=words)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("units")


def _draw_volume(axes: Axes, tape: Tape, said: pd.DataFrame, trades: pd.DataFrame, step: int) -> None:
    edges = _whole(edges_of(tape, step), step)
    total = np.histogram(tape.trade_time, edges, weights=tape.quantity)[0]
    axes.stairs(total, edges / SECOND, fill=True, color=style.LIGHT, label="all")
    for mine, words, colour in _kinds(said):
        ids = mine["order"].to_numpy(np.int64)
        chosen = trades[trades["taker_order"].isin(ids) | trades["maker_order"].isin(ids)]
        if len(chosen):
            part = np.histogram(chosen["time"], edges, weights=chosen["quantity"])[0]
            axes.stairs(part, edges / SECOND, color=colour, linewidth=1.3, label=words)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("units")
