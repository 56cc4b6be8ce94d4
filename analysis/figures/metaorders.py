"""The figure of metaorders: impact against size with its power law, and what is left of it afterwards."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.metaorder_impact import ImpactFit, fit_impact, impact_curve, impact_decay


@style.styled
def metaorder_figure(table: pd.DataFrame, bins: int = 10, *, width: float = style.WIDTH) -> Figure:
    """Bins of a table of ``metaorders`` with twice their standard errors, the fit and the square root; the decay."""
    narrow = width < style.NARROW
    figure = style.canvas(width, 6.6 if narrow else 3.6)
    if len(table) < 3 * bins:
        return style.empty(figure, f"{len(table)} metaorders are too few for {bins} bins")
    curve, decay = style.panels(figure, 2, columns=1 if narrow else 2)
    _draw_curve(curve, impact_curve(table, bins), fit_impact(table, bins))
    _draw_decay(decay, impact_decay(table))
    return figure


def _draw_curve(axes: Axes, curve: pd.DataFrame, fit: ImpactFit) -> None:
    shown = curve[curve["shift"] > 0]
    size, shift, error = (shown[name].to_numpy() for name in ("size", "shift", "standard_error"))
    below = np.minimum(2 * error, 0.9 * shift)
    axes.errorbar(
        size, shift, [below, 2 * error], fmt="o", markersize=4, color=style.BLUE, label="mean of a bin ± 2 s.e."
    )
    line = np.geomspace(size.min(), size.max(), 50)
    words = f"exponent {fit.exponent:.2f} ({fit.low:.2f} to {fit.high:.2f})"
    axes.plot(line, fit.prefactor * line**fit.exponent, color=style.VERMILLION, label=words)
    root = f"{fit.square_root:.2f} · √(Q/V)"
    axes.plot(line, fit.square_root * line**0.5, color=style.GREY, linestyle="--", label=root)
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_xlabel("Q / V, of the period's volume")
    axes.set_ylabel("impact / σ, of the period's volatility")
    axes.set_title(f"Impact of {fit.metaorders:,} metaorders")
    axes.legend(loc="lower right")


def _draw_decay(axes: Axes, decay: pd.DataFrame) -> None:
    time = np.concatenate(([0.0], decay["durations"].to_numpy()))
    left = np.concatenate(([1.0], decay["left"].to_numpy()))
    error = np.concatenate(([0.0], 2 * decay["standard_error"].to_numpy()))
    axes.errorbar(time, left, error, fmt="o-", markersize=4, color=style.BLUE)
    axes.axhline(0, color=style.GREY, linewidth=0.7)
    axes.set_ylim(bottom=min(0.0, float((left - error).min())) - 0.05)
    axes.set_xlabel("time after the end, in durations of the metaorder")
    axes.set_ylabel("of the impact at the end")
    axes.set_title("What is left (± 2 s.e.)")
    style.plain_numbers(axes)
