"""The figure of latency: how soon after the market has moved the orders of each family arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import ticker
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.figures.agents import MOST_LINES
from marketsim.analysis.reactions import reaction_times
from marketsim.analysis.tape import the_instrument

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
FEWEST = 20  # orders that a line needs


@style.styled
def latency(tables: MarketTables, instrument: str | None = None, *, width: float = style.WIDTH) -> Figure:
    """Share of the orders of each family that reach the venue within a time after what others did last.

    The families with the most orders are drawn, a dot at the median. A family's line begins where its latency is.
    """
    symbol = the_instrument(tables, instrument)
    narrow = width < style.NARROW
    figure = style.canvas(width, 4.6 if narrow else 3.6)
    if len(tables.orders) == 0:
        return style.empty(figure, f"{symbol}: no orders, so no reaction times")
    found = reaction_times(tables, symbol)
    sizes = found["family"].value_counts()
    shown = [str(family) for family in sizes.index[:MOST_LINES] if sizes[family] >= FEWEST]
    if not shown:
        return style.empty(figure, f"{symbol}: too few orders to show reaction times")
    (axes,) = style.panels(figure, 1)
    for number, family in enumerate(sorted(shown)):
        delay = np.sort(np.maximum(found.loc[found["family"] == family, "delay"].to_numpy(), 1))
        share = np.arange(1, len(delay) + 1) / len(delay)
        rows = np.unique(np.geomspace(1, len(delay), 400).astype(int)) - 1
        rows = np.union1d(rows, np.linspace(0, len(delay) - 1, 400).astype(int))
        colour = style.PALETTE[number]
        axes.step(delay[rows], share[rows], where="post", color=colour, label=family)
        axes.plot(np.median(delay), 0.5, "o", color=colour, markersize=5, markeredgecolor="white")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(numticks=5 if narrow else 12))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: time_words(value)))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("time since somebody else changed quotes or traded")
    axes.set_ylabel("share of orders")
    style.head(axes, f"{symbol}: how soon orders follow" + ("" if narrow else " (dots: medians)"), width)
    return figure


def time_words(time: float) -> str:
    """1.5 ms, 20 s: a time in ns by its largest unit."""
    size, unit = next(((size, unit) for size, unit in _UNITS if time >= size), _UNITS[-1])
    return f"{time / size:.3g} {unit}"
