"""Figures of double auctions: supply and demand, and how trades come to where they meet (M5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from marketsim.analysis.figures import style

if TYPE_CHECKING:
    from marketsim.analysis.double_auctions import DoubleAuction


@style.styled
def double_auction_figure(found: DoubleAuction, *, width: float = style.WIDTH) -> Figure:
    """Supply and demand, the prices of all trades over the periods, and Smith's alpha of each period."""
    narrow = width < style.NARROW
    figure = style.canvas(width, 8.4 if narrow else 4.6)
    if narrow:
        curves, prices, alphas = figure.subplots(3, 1, height_ratios=[1.2, 1.2, 0.8])
    else:
        grid = figure.add_gridspec(2, 2, width_ratios=[1.0, 2.1], height_ratios=[2.0, 1.0])
        curves = figure.add_subplot(grid[:, 0])
        prices = figure.add_subplot(grid[0, 1])
        alphas = figure.add_subplot(grid[1, 1], sharex=prices)
    _draw_curves(curves, found)
    _draw_prices(prices, found)
    _draw_alphas(alphas, found)
    return figure


def _draw_curves(axes: Axes, found: DoubleAuction) -> None:
    schedule = found.schedule
    for units, colour, name in ((schedule.demand, style.BUY, "demand"), (schedule.supply, style.SELL, "supply")):
        steps = np.append(units, units[-1:])
        axes.step(np.arange(len(steps)), steps, where="post", color=colour, label=name)
    axes.axhline(schedule.equilibrium().price, color=style.GREY, linestyle="--", linewidth=1.0, label="equilibrium")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("units a period")
    axes.set_ylabel("price")
    axes.legend(loc="best")
    axes.set_title("Supply and demand")


def _draw_prices(axes: Axes, found: DoubleAuction) -> None:
    """Trades of a period stand in their order, at equal distances."""
    at = np.concatenate([period + (np.arange(n) + 0.5) / max(n, 1) for period, n in enumerate(found.table["trades"])])
    for period in range(1, len(found.gains)):
        axes.axvline(period, color=style.GREY, linewidth=0.5, alpha=0.6)
    order = np.argsort(found.trades["period"].to_numpy(), kind="stable")
    axes.plot(at, found.trades["price"].to_numpy()[order], ".-", color=style.BLACK, markersize=4.0, linewidth=0.6)
    axes.axhline(found.schedule.equilibrium().price, color=style.GREY, linestyle="--", linewidth=1.0)
    axes.set_xlim(0.0, len(found.gains))
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("price")
    axes.set_title("Trades, in their order")


def _draw_alphas(axes: Axes, found: DoubleAuction) -> None:
    alphas = found.table["alpha"].to_numpy()
    axes.bar(np.arange(len(alphas)) + 0.5, alphas, width=0.6, color=style.SKY)
    axes.set_xlim(0.0, len(alphas))
    axes.set_xlabel("period")
    axes.set_ylabel("alpha (%)")
    axes.grid(visible=False, axis="x")
