"""Figures of where the price is found, and of what the market is like at each time of day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from marketsim.analysis.daily_pattern import intraday_profile
from marketsim.analysis.figures import style
from marketsim.analysis.price_discovery import price_discovery_of, venue_mids
from marketsim.analysis.tape import Tape
from marketsim.domain.units import HOUR, duration, format_duration
from marketsim.errors import NotRecordedError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

CLOCKS = ("100ms", "500ms", "1s", "5s")


@style.styled
def information_share_figure(
    source: MarketTables,
    instrument: str | None = None,
    *,
    clocks: Sequence[object] = CLOCKS,
    width: float = style.WIDTH,
) -> Figure:
    """Bounds of each venue's information share (bars) and its component share (dots), on clocks of several steps."""
    figure = style.canvas(width, 3.4)
    try:
        found = [(duration(clock), price_discovery_of(venue_mids(source, clock, instrument))) for clock in clocks]
    except NotRecordedError as error:
        return style.empty(figure, str(error))
    axes = style.panels(figure, 1)[0]
    venues = list(found[0][1].table.index)
    for number, venue in enumerate(venues):
        colour = style.PALETTE[number % len(style.PALETTE)]
        shift = 0.22 * (number - 0.5 * (len(venues) - 1))
        for place, (_, result) in enumerate(found):
            row, name = result.table.loc[venue], str(venue) if place == 0 else None
            low, high = float(row["lower"]), float(row["upper"])
            axes.bar(place + shift, high - low, 0.14, low, color=colour, alpha=0.45, label=name)
            axes.plot([place + shift], [row["component_share"]], color=colour, marker="o", markersize=5)
    axes.set_xticks(range(len(found)), [format_duration(step) for step, _ in found])
    axes.set_xlim(-0.5, len(found) - 0.5)
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), max(1.0, axes.get_ylim()[1]))
    style.plain_numbers(axes)
    axes.set_xlabel("prices sampled every (bars: bounds; dots: component share)")
    axes.set_ylabel("share of the price's news")
    style.head(axes, "Information share", width)
    return figure


@style.styled
def intraday_figure(
    source: MarketTables | Tape, instrument: str | None = None, *, every: object = "30min", width: float = style.WIDTH
) -> Figure:
    """Spread, depth, volume and volatility by time of day."""
    tape = Tape.of(source, instrument)
    narrow = width < style.NARROW
    figure = style.canvas(width, 8.4 if narrow else 4.6)
    table = intraday_profile(tape, every)
    if len(table) < 2:
        return style.empty(figure, f"{tape.symbol}: shorter than two intervals of {every}")
    hours = table.index.to_numpy(np.float64) / HOUR
    step = duration(every) / HOUR
    panels = style.panels(figure, 4, columns=1 if narrow else 2)
    drawn = (
        ("spread_bps", "quoted spread (bps)", style.BLUE),
        ("depth", "depth at best (units)", style.GREEN),
        ("volume", "volume a minute (units)", style.PURPLE),
        ("volatility_bps", "volatility (bps/√min)", style.VERMILLION),
    )
    for place, (axes, (name, words, colour)) in enumerate(zip(panels, drawn, strict=True)):
        axes.bar(hours, table[name].to_numpy(), width=0.92 * step, align="edge", color=colour)
        style.plain_numbers(axes)
        axes.set_title(words)
        axes.set_xlim(hours[0], hours[-1] + step)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.clock_text(3600 * value)[:5]))
        axes.xaxis.set_major_locator(style._RoundLocator(6))
        axes.grid(visible=False, axis="x")
        if place >= (3 if narrow else 2):
            axes.set_xlabel("time of day (HH:MM)")
    return figure
