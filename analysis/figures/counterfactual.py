"""The figure of counterfactual impact: causal curves with their bands, and impact by the size of the order."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style

UNIT_WORDS = {"bps": "bps of the mid", "currency": "currency", "ticks": "ticks", "spreads": "spreads"}


@style.styled
def counterfactual_figure(
    curves: pd.DataFrame,
    orders: pd.DataFrame,
    unit: str = "bps",
    confidence: float = 0.95,
    *,
    width: float = style.WIDTH,
) -> Figure:
    """Mean impact over time with its band, an order a line; beside it peak and lasting impact by quantity.

    ``curves``: ``order``, ``seconds``, ``impact``, ``low``, ``high``. ``orders``: ``order``, ``quantity``, ``peak``,
    ``lasting``, ``low``, ``high``. Both as ``Counterfactual`` gives them, in ``unit``.
    """
    several = orders["quantity"].nunique() > 1
    narrow = width < style.NARROW
    figure = style.canvas(width, 7.4 if narrow and several else 3.9)
    if not np.isfinite(curves["impact"]).any():
        return style.empty(figure, "No fork has a mid in both markets: a side of the book was empty")
    axes = style.panels(figure, 2 if several else 1, columns=1 if narrow or not several else 2)
    _draw_curves(axes[0], curves, unit, confidence)
    _legend(axes[0], width if narrow or not several else width / 2)
    if several:
        _draw_sizes(axes[1], orders, unit, confidence)
        _legend(axes[1], width if narrow else width / 2)
    return figure


def _draw_curves(axes: Axes, curves: pd.DataFrame, unit: str, confidence: float) -> None:
    scale, words = (60.0, "min") if curves["seconds"].max() > 180 else (1.0, "s")
    for place, (name, curve) in enumerate(curves.groupby("order", sort=False)):
        colour = style.PALETTE[place % len(style.PALETTE)]
        time = curve["seconds"].to_numpy() / scale
        axes.fill_between(time, curve["low"], curve["high"], color=colour, alpha=0.15, linewidth=0)
        axes.plot(time, curve["impact"], color=colour, label=str(name))
    axes.axhline(0, color=style.GREY, linewidth=0.7)
    axes.set_xlim(0, curves["seconds"].max() / scale)
    axes.set_xlabel(f"time after the order ({words})")
    axes.set_ylabel(f"impact ({UNIT_WORDS.get(unit, unit)}, {confidence * 100:.4g} % band)")
    style.plain_numbers(axes)
    axes.set_title("Mid with the order less mid without")


def _draw_sizes(axes: Axes, orders: pd.DataFrame, unit: str, confidence: float) -> None:
    """Peak and lasting impact; buys and sells of one size stand beside each other."""
    quantity, lasting = (orders[name].to_numpy(np.float64) for name in ("quantity", "lasting"))
    below, above = lasting - orders["low"].to_numpy(), orders["high"].to_numpy() - lasting
    aside = 0.018 * quantity.max()
    for side, marker, shift in (("buy", "^", 0.0), ("sell", "v", aside)):
        mine = orders["order"].str.startswith(side).to_numpy()
        if mine.any():
            place, sides = quantity[mine] + shift, [below[mine], above[mine]]
            axes.errorbar(
                place, lasting[mine], yerr=sides, fmt=marker, color=style.BLUE, capsize=3, label=f"{side}, lasting"
            )
            axes.plot(place, orders["peak"][mine], marker, color=style.ORANGE, label=f"{side}, peak")
    axes.axhline(0, color=style.GREY, linewidth=0.7)
    axes.set_xlim(0, quantity.max() * 1.08)
    axes.set_xlabel("quantity (units)")
    axes.set_ylabel(f"impact ({UNIT_WORDS.get(unit, unit)}, {confidence * 100:.4g} %)")
    style.plain_numbers(axes, "x")
    style.plain_numbers(axes)
    axes.set_title("Impact by size")


def _legend(axes: Axes, width: float) -> None:
    style.head(axes, axes.get_title(loc="left"), width)
