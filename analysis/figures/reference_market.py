"""The figure of the reference market: the measures beside the published ones, and three distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.reference_market import compare_with_published, reference_measures
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import SECOND

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

_WIDEST = 8  # cents; wider spreads are drawn together
_SHORTEST = 1e-3  # seconds; shorter gaps are those of orders sent together
_NAMES = {
    "orders": "orders",
    "trades": "trades",
    "volume": "volume",
    "cancels": "cancels",
    "spread": "spread",
    "volatility": "volatility",
    "kurtosis": "excess kurtosis",
    "autocorrelation": "autocorrelation",
}


@style.styled
def reference_figure(runs: Sequence[MarketTables], *, width: float = style.WIDTH) -> Figure:
    """Four panels for runs of the reference market, one run a seed.

    Our measures against the published interval; the spread's shares of time; the lots at the best prices; the gaps
    between orders beside those of a Poisson process.
    """
    narrow = width < style.NARROW
    figure = style.canvas(width, 12.0 if narrow else 6.6)
    measures, spreads, depths, gaps = style.panels(figure, 4, columns=1 if narrow else 2)
    tapes = [Tape.of(run) for run in runs]
    _draw_measures(measures, [reference_measures(run) for run in runs])
    _draw_spreads(spreads, tapes)
    _draw_depths(depths, tapes)
    _draw_gaps(gaps, [run.orders["time"].to_numpy(np.int64) for run in runs])
    return figure


def _draw_measures(axes: Axes, days: Sequence[pd.Series]) -> None:
    """Each measure on a scale on which the published mean is 0 and the ends of its interval are -1 and 1."""
    table = compare_with_published(days)
    each = pd.DataFrame(list(days))
    places = np.arange(len(table))[::-1]
    half = (table["most"] - table["least"]) / 2
    axes.axvspan(-1, 1, color=style.LIGHT, zorder=0)
    axes.axvline(0, color=style.GREY, linewidth=0.8, zorder=1)
    for name, place in zip(table.index, places, strict=True):
        scaled = (each[name] - table.loc[name, "published"]) / half[name]
        axes.plot(scaled.clip(-3.4, 3.4), np.full(len(scaled), place), "o", color=style.SKY, markersize=3, alpha=0.7)
        mean = (table.loc[name, "mean"] - table.loc[name, "published"]) / half[name]
        colour = style.BLUE if table.loc[name, "inside"] else style.VERMILLION
        axes.plot([mean], [place], "D", color=colour, markersize=6.5)
    axes.set_yticks(places, [_NAMES[name] for name in table.index])
    axes.set_xlim(-3.5, 3.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("distance from the published mean (1: end of interval)")
    axes.set_title(f"Means (◆) of {len(each)} seeds (•)")


def _weights(tape: Tape) -> Floats:
    """Time for which each row of quotes was in force, with both sides there; inside the run."""
    return np.where(np.isfinite(tape.spread), tape.durations, 0.0)


def _draw_spreads(axes: Axes, tapes: Sequence[Tape]) -> None:
    shares = []
    for tape in tapes:
        weights = _weights(tape)
        cents = np.clip(np.round(np.nan_to_num(tape.spread) * 100), 1, _WIDEST).astype(int)
        shares.append(np.bincount(cents, weights, _WIDEST + 1)[1:] / weights.sum())
    table = np.array(shares)
    places = np.arange(1, _WIDEST + 1)
    mean = table.mean(axis=0)
    axes.bar(places, mean, color=style.BLUE, width=0.7)
    axes.vlines(places, table.min(axis=0), table.max(axis=0), color=style.BLACK, linewidth=1.2)
    axes.set_xticks(places, [*map(str, places[:-1]), f"{_WIDEST}+"])
    axes.set_xlabel("quoted spread (cents)")
    axes.set_ylabel("share of time")
    axes.grid(visible=False, axis="x")
    axes.set_title("Spread: mean and range")


def _draw_depths(axes: Axes, tapes: Sequence[Tape]) -> None:
    """Share of time in which at least so many lots stood at the best price."""
    for name, colour, line in (("bid", style.BID, "-"), ("ask", style.ASK, "--")):
        lots = np.concatenate([getattr(tape, f"{name}_quantity") for tape in tapes])
        held = np.concatenate([_weights(tape) for tape in tapes])
        known = held > 0
        lots, held = lots[known], held[known]
        order = np.argsort(lots)
        more = 1.0 - np.cumsum(held[order]) / held.sum()
        rows = np.unique(np.linspace(0, len(order) - 1, 500).astype(int))
        axes.plot(lots[order][rows], more[rows], color=colour, linestyle=line, label=f"best {name}")
    style.log_axis(axes, "x")
    axes.set_xlim(left=1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("shares at the best price")
    axes.set_ylabel("share of time with more")
    axes.legend(loc="upper right", borderaxespad=0, handlelength=1.4)
    axes.set_title("Depth at the best prices")


def _draw_gaps(axes: Axes, times: Sequence[Floats]) -> None:
    gaps = np.sort(np.concatenate([np.diff(np.sort(day)) for day in times])) / SECOND
    share = 1.0 - np.arange(1, len(gaps) + 1) / (len(gaps) + 1)
    rows = np.unique(np.geomspace(1, len(gaps), 500).astype(int)) - 1
    rows = np.union1d(rows, len(gaps) - rows[rows < len(gaps)] - 1)
    scale = np.geomspace(_SHORTEST, gaps[-1] * 1.5, 200)
    axes.plot(scale, np.exp(-scale / gaps.mean()), color=style.GREY, linewidth=1.2, label="Poisson process")
    axes.plot(gaps[rows], share[rows], color=style.BLUE, label="orders")
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_xlim(left=_SHORTEST)
    axes.set_ylim(0.5 / len(gaps), 1.5)
    axes.set_xlabel("gap between two orders (s)")
    axes.set_ylabel("share of longer gaps")
    axes.legend(loc="lower left", borderaxespad=0, handlelength=1.4)
    axes.set_title(f"Order gaps, mean {gaps.mean():.2f} s")
