"""The figure of stylized facts: distribution, tails, autocorrelations of returns, memory of trade signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.prices import mid_returns
from marketsim.analysis.stylized import autocorrelation, excess_kurtosis, hill_tail_index, sign_autocorrelation
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import duration, format_duration

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


@style.styled
def stylized_facts(
    source: MarketTables | Tape, instrument: str | None = None, *, every: object = "1s", width: float = style.WIDTH
) -> Figure:
    """Four panels: returns against a normal law, their tail, their autocorrelations, those of trade signs."""
    tape = Tape.of(source, instrument)
    narrow = width < style.NARROW
    figure = style.canvas(width, 11.0 if narrow else 6.2)
    returns = mid_returns(tape, every)
    if len(returns) < 30 or returns.std() == 0:
        return style.empty(figure, f"{tape.symbol}: too few returns to show stylized facts")
    shape, tail, memory, signs = style.panels(figure, 4, columns=1 if narrow else 2)
    name = format_duration(duration(every))
    _draw_distribution(shape, returns, name)
    _draw_tail(tail, returns, name)
    _draw_memory(memory, returns, name)
    _draw_signs(signs, tape)
    return figure


def _draw_distribution(axes: Axes, returns: Floats, name: str) -> None:
    scaled = (returns - returns.mean()) / returns.std()
    edge = min(float(np.abs(scaled).max()), 12.0)
    density, edges = np.histogram(scaled, np.linspace(-edge, edge, 62), density=True)
    middle = 0.5 * (edges[:-1] + edges[1:])
    normal = np.exp(-0.5 * middle**2) / np.sqrt(2 * np.pi)
    lowest = float(density[density > 0].min()) / 3
    seen = density > 0
    axes.plot(middle[normal > lowest], normal[normal > lowest], color=style.GREY, linewidth=1.2, label="normal law")
    axes.plot(middle[seen], density[seen], "o", markersize=3.5, color=style.BLUE, label="returns")
    style.log_axis(axes, "y")
    axes.set_ylim(bottom=lowest)
    axes.set_xlabel("return (standard deviations)")
    axes.set_ylabel("density")
    axes.set_title(f"{name} returns: excess kurtosis {excess_kurtosis(returns):.1f}")
    axes.legend(loc="upper right", borderaxespad=0, handlelength=1.4)
    style.plain_numbers(axes, "x")


def _draw_tail(axes: Axes, returns: Floats, name: str) -> None:
    size = np.sort(np.abs(returns))[::-1] * 1e4
    size = size[size > 0]
    share = np.arange(1, len(size) + 1) / len(returns)
    rows = np.unique(np.geomspace(1, len(size), 200).astype(int)) - 1
    axes.plot(size[rows], share[rows], color=style.BLUE, linestyle="none", marker="o", markersize=3)
    fit = hill_tail_index(returns)
    if np.isfinite(fit.index):
        start = fit.threshold * 1e4
        reach = np.array([start, size[0]])
        axes.plot(reach, fit.observations / len(returns) * (reach / start) ** -fit.index, color=style.VERMILLION)
        axes.set_title(f"Tail index {fit.index:.1f} ± {fit.standard_error:.1f} (Hill, largest 5 %)")
    else:
        axes.set_title("Tail")
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_xlim(float(np.quantile(size, 0.15)) * 0.9, float(size[0]) * 1.3)
    axes.set_xlabel(f"size of {name} return (bps)")
    axes.set_ylabel("share of larger returns")


def _draw_memory(axes: Axes, returns: Floats, name: str) -> None:
    lags = min(60, len(returns) // 4)
    ends, band = [], 1.96 / float(np.sqrt(len(returns)))
    for values, label, colour in ((returns, "returns", style.BLUE), (np.abs(returns), "size", style.VERMILLION)):
        table = autocorrelation(values, lags)
        axes.plot(table["lag"], table["autocorrelation"], color=colour, marker="o", markersize=2.5, linewidth=1.0)
        ends.append((float(table["autocorrelation"].iloc[-5:].mean()), label, colour))
    axes.axhspan(-band, band, color=style.GREY, alpha=0.18, linewidth=0)
    axes.axhline(0, color=style.GREY, linewidth=0.7)
    axes.set_xlim(0, lags + 0.5)
    axes.set_xlabel(f"lag ({name} steps)")
    axes.set_ylabel("autocorrelation")
    axes.set_title("Memory of returns (grey: 95 % if none)")
    style.plain_numbers(axes)
    style.label_lines(axes, ends)


def _draw_signs(axes: Axes, tape: Tape) -> None:
    count = len(tape.merged().side)
    lags = np.unique(np.geomspace(1, max(min(1000, count // 10), 2), 40).astype(int))
    table = sign_autocorrelation(tape, [int(lag) for lag in lags], merge=True)
    band = float(table["band"].iloc[0]) if len(table) else 1.0
    seen = table[table["autocorrelation"] > 0]
    axes.plot(seen["lag"], seen["autocorrelation"], linestyle="none", marker="o", markersize=3.5, color=style.GREEN)
    axes.axhspan(1e-6, band, color=style.GREY, alpha=0.18, linewidth=0)
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_ylim(min(band / 3, 0.01), 1.2)
    axes.set_xlabel("lag (orders)")
    axes.set_ylabel("autocorrelation")
    axes.set_title("Memory of trade signs")
