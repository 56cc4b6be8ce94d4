"""The figure of a league table: each candidate's mean with its interval, one panel a form of the tournament."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style

_WORDS = {
    "alone": "Each alone in the market",
    "pairs": "Every two in one market",
    "together": "All in one market",
}


@style.styled
def league_figure(
    tables: Mapping[str, pd.DataFrame], measure: str = "pnl", confidence: float = 0.95, *, width: float = style.WIDTH
) -> Figure:
    """A forest plot. ``tables``: a league table (``candidate``, ``mean``, ``low``, ``high``, ``rank_low``,
    ``rank_high``) by form; the candidates stand in the order of the first one.
    """
    order = list(next(iter(tables.values()))["candidate"])
    narrow = width < style.NARROW
    rows = len(tables) if narrow else 1
    figure = style.canvas(width, rows * (1.3 + 0.34 * len(order)))
    panels = style.panels(figure, len(tables), columns=1 if narrow else len(tables))
    for number, (axes, (form, table)) in enumerate(zip(panels, tables.items(), strict=True)):
        _draw(axes, table.set_index("candidate").loc[order], named=narrow or number == 0)
        axes.set_title(_WORDS.get(form, form))
        axes.set_xlabel(f"mean {'P&L (currency)' if measure == 'pnl' else measure}, {confidence * 100:.4g} % interval")
    return figure


def _draw(axes: Axes, table: pd.DataFrame, *, named: bool) -> None:
    """The first on top; beside each interval the interval of its rank."""
    place = np.arange(len(table))[::-1]
    mean = table["mean"].to_numpy()
    sides = [mean - table["low"].to_numpy(), table["high"].to_numpy() - mean]
    axes.errorbar(mean, place, xerr=sides, fmt="o", markersize=5, color=style.BLUE, elinewidth=1.6, capsize=3)
    axes.axvline(0, color=style.GREY, linewidth=0.7)
    for y, (_, row) in zip(place, table.iterrows(), strict=True):
        low, high = int(row["rank_low"]), int(row["rank_high"])
        words = f"rank {low}" if low == high else f"rank {low} to {high}"
        ground = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}  # a line may run behind it
        axes.annotate(
            words, (row["mean"], y), (0, 7), textcoords="offset points", ha="center", fontsize=7.5, bbox=ground
        )
    axes.set_yticks(place, list(table.index) if named else [""] * len(place))
    axes.margins(x=0.12)
    axes.set_ylim(-0.5, len(table) - 0.3)
    axes.grid(visible=False, axis="y")
    style.plain_numbers(axes, "x", sign=True, most=4)
