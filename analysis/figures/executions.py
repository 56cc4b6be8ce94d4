"""Figures of executions: how much of each parent order was left over time, and what it cost (M6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.execution_report import execution_holdings, executions, largest
from marketsim.analysis.figures import style

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

MOST = 8  # parent orders that one picture can tell apart
PARTS: dict[str, dict[str, Any]] = {  # greys and hatches: colours are those of the orders
    "delay": {"color": "white", "edgecolor": "0.35", "hatch": "////", "linewidth": 0.6},
    "trading": {"color": "0.35"},
    "opportunity": {"color": "0.85", "edgecolor": "0.35", "hatch": "....", "linewidth": 0.6},
    "fees": {"color": "0.65"},
}


@style.styled
def execution_figure(tables: MarketTables, *, width: float = style.WIDTH) -> Figure:
    """Left, the share of each parent order that is left over the time since it began; right, its shortfall in parts.

    Lines have the colours of the names beside the bars. The largest orders where there are more than eight.
    """
    narrow = width < style.NARROW
    figure = style.canvas(width, 6.8 if narrow else 3.6)
    left, right = style.panels(figure, 2, columns=1 if narrow else 2)
    found = executions(tables)
    shown = found.iloc[largest(found, MOST)]
    names = _names(shown)
    holdings = execution_holdings(tables)
    for (_, row), name, colour in zip(shown.iterrows(), names, style.PALETTE, strict=False):
        path = holdings[row["agent"], row["number"]]
        left.step(path["time"], path["left"], where="post", color=colour, label=name)
    left.set_ylim(-0.03, 1.03)
    left.set_xlim(left=0.0)
    left.set_xlabel("time since it began (s)")
    left.set_ylabel("share of the order")
    left.set_title("Left to do")
    _draw_parts(right, shown, names)
    for label, colour in zip(right.get_yticklabels(), style.PALETTE, strict=False):
        label.set_color(colour)  # they are the legend of the lines
        label.set_fontweight("bold")
    return figure


def _names(shown: pd.DataFrame) -> list[str]:
    """Of agents; with number, algorithm and side where an agent has several parent orders."""
    several = set(shown["agent"][shown["agent"].duplicated()])
    columns = (shown[name] for name in ("agent", "number", "algorithm", "side"))
    return [
        f"{agent} {number}\n{algorithm} {'buy' if side > 0 else 'sell'}" if agent in several else str(agent)
        for agent, number, algorithm, side in zip(*columns, strict=True)
    ]


def _draw_parts(axes: Axes, shown: pd.DataFrame, names: list[str]) -> None:
    """One bar an order: delay, trading, opportunity and fees in bps, gains to the left of zero."""
    places = np.arange(len(shown))[::-1]
    scale = (shown["shortfall_bps"] / shown["shortfall"].where(shown["shortfall"] != 0.0)).fillna(0.0).to_numpy()
    ends = {1: np.zeros(len(shown)), -1: np.zeros(len(shown))}
    for part, look in PARTS.items():
        values = shown[part].to_numpy(np.float64) * scale
        for sign, end in ends.items():
            piece = np.where(np.sign(values) == sign, values, 0.0)
            axes.barh(places, piece, left=end, height=0.65, label=part if sign == 1 else None, **look)
            end += piece
    total = shown["shortfall_bps"].to_numpy(np.float64)
    axes.plot(
        total,
        places,
        linestyle="none",
        marker="D",
        markersize=5,
        color=style.BLACK,
        markeredgecolor="white",
        label="shortfall",
    )
    axes.axvline(0.0, color=style.GREY, linewidth=0.8)
    axes.set_yticks(places, names)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("bps of the decision price")
    axes.set_title("Implementation shortfall")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=3, handlelength=1.0, columnspacing=0.9)
