"""Figures of order flow: what it does to the price, how long an impact lives, how one-sided it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.flow_imbalance import impact_of, order_flow_imbalance
from marketsim.analysis.informed_trading import vpin
from marketsim.analysis.tape import Tape
from marketsim.analysis.transient_impact import fit_propagator

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

HORIZON = 500  # trades
_DOTS = 4_000


@style.styled
def propagator_figure(
    source: MarketTables | Tape, instrument: str | None = None, *, horizon: int = HORIZON, width: float = style.WIDTH
) -> Figure:
    """G(l), what is left of one trade's impact, beside R(l), what the price did; and the memory of signs."""
    tape = Tape.of(source, instrument)
    narrow = width < style.NARROW
    figure = style.canvas(width, 6.0 if narrow else 3.4)
    count = len(tape.merged().price)
    if count < 200 or not tape.side.any() or not len(tape.quote_time):
        return style.empty(figure, f"{tape.symbol}: too few trades with a side and a quote for a propagator")
    found = fit_propagator(tape, min(horizon, count // 20))
    table, scale = found.table, 1e4 / float(np.nanmean(tape.mid))
    lag = table.index.to_numpy(np.float64)
    left, right = style.panels(figure, 2, columns=1 if narrow else 2)
    value, error = scale * table["propagator"].to_numpy(), 2 * scale * table["standard_error"].to_numpy()
    response = scale * table["response"].to_numpy()
    left.plot(lag, response, color=style.GREY, marker="o", markersize=3.0, label="response")
    left.fill_between(lag, value - error, value + error, color=style.BLUE, alpha=0.18, linewidth=0)
    left.plot(lag, value, color=style.BLUE, marker="o", markersize=3.5, label="propagator")
    left.axhline(0, color=style.GREY, linewidth=0.7)
    style.log_axis(left, "x")
    style.plain_numbers(left)
    left.set_xlabel("trades later")
    left.set_ylabel("impact (bps)")
    style.head(left, "Impact of a trade (± 2 s.e.)", width / (1 if narrow else 2))
    signs = table["sign_autocorrelation"].to_numpy()
    right.plot(lag, signs, color=style.VERMILLION, marker="o", markersize=3.5)
    band = 1.96 / np.sqrt(found.trades)
    right.axhspan(-band, band, color=style.LIGHT, linewidth=0)
    right.axhline(0, color=style.GREY, linewidth=0.7)
    style.log_axis(right, "x")
    style.plain_numbers(right)
    right.set_xlabel("trades later")
    right.set_ylabel("autocorrelation (grey: chance)")
    right.set_title("Memory of trade signs")
    return figure


@style.styled
def order_flow_figure(
    source: MarketTables | Tape,
    instrument: str | None = None,
    *,
    every: object = "10s",
    levels: int = 1,
    width: float = style.WIDTH,
) -> Figure:
    """Change of the mid against order-flow imbalance, an interval a dot, with the fitted line.

    With several ``levels`` a second panel has their first principal component.
    """
    tape = Tape.of(source, instrument)
    narrow = width < style.NARROW
    figure = style.canvas(width, 3.4 if levels == 1 else 6.4 if narrow else 3.6)
    if len(tape.quote_time) == 0:
        return style.empty(figure, f"{tape.symbol}: no quotes, so no order flow at them")
    table = order_flow_imbalance(source, every, None if isinstance(source, Tape) else tape.symbol, levels=levels)
    table = table[table["change"].notna()]
    fits = impact_of(table)
    if not np.isfinite(fits["slope"].iloc[0]):
        return style.empty(figure, f"{tape.symbol}: too few intervals, or a price that stood still")
    drawn = [("best", "ofi_1", "Best prices", "net flow (units)")]
    if levels > 1:
        drawn.append(("integrated", "integrated", f"{levels} levels as one", "net flow (mean depths of a level)"))
    mid = float(np.nanmean(tape.mid))
    change = 1e4 * table["change"].to_numpy() / mid
    rows = np.arange(0, len(table), max(len(table) // _DOTS, 1))
    all_axes = style.panels(figure, len(drawn), columns=1 if narrow else len(drawn))
    for axes, (model, column, title, words) in zip(all_axes, drawn, strict=True):
        flow = table[column].to_numpy()
        fit = fits.loc[model]
        axes.plot(flow[rows], change[rows], linestyle="", marker="o", markersize=2.6, color=style.BLUE, alpha=0.35)
        ends = np.array([flow.min(), flow.max()])
        axes.plot(ends, 1e4 * (fit["intercept"] + fit["slope"] * ends) / mid, color=style.VERMILLION)
        axes.axhline(0, color=style.GREY, linewidth=0.7)
        style.plain_numbers(axes, sign=True)
        style.plain_numbers(axes, "x", sign=True, most=5)
        axes.set_xlabel(words)
        axes.set_ylabel("change of mid (bps)")
        axes.set_title(f"{title}: R² {fit['r_squared']:.2f}")
    return figure


@style.styled
def vpin_figure(source: MarketTables | Tape, instrument: str | None = None, *, width: float = style.WIDTH) -> Figure:
    """VPIN over time, by true sides and by bulk classification, above the mid."""
    tape = Tape.of(source, instrument)
    figure = style.canvas(width, 4.2)
    if not tape.side.any():
        return style.empty(figure, f"{tape.symbol}: no trades with a side")
    top, bottom = style.panels(figure, 2, heights=(1.0, 1.3))
    seconds, mid = style.thin(tape.quote_time, tape.mid)
    top.plot(seconds, mid, color=style.BLACK, linewidth=0.9)
    style.time_axis(top, tape.start, tape.end, label=False, local=tape.local_time)
    style.plain_numbers(top)
    top.set_ylabel(f"mid ({tape.currency})")
    ends = []
    for kind, colour, words in (("true", style.BLUE, "true sides"), ("bulk", style.ORANGE, "bulk")):
        table = vpin(tape, classification=kind).dropna()  # type: ignore[arg-type]
        if len(table):
            bottom.plot(table["end"] / 1e9, table["vpin"], color=colour)
            ends.append((float(table["vpin"].iloc[-1]), words, colour))
    bottom.set_ylim(0, None)
    style.time_axis(bottom, tape.start, tape.end, local=tape.local_time)
    style.plain_numbers(bottom)
    bottom.set_ylabel("VPIN")
    style.label_lines(bottom, ends)
    return figure
