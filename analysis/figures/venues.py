"""Figures of several venues: markets that cross, and who wins which flow (X9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.across_venues import consolidated_quotes, crossed_times, flows_by_venue, venue_shares
from marketsim.analysis.figures import style
from marketsim.analysis.tape import rows_of, the_instrument
from marketsim.domain.units import MILLISECOND, MINUTE

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

_AROUND = 2.0  # lengths of a crossing that are shown before and after it


@style.styled
def crossed_figure(
    runs: Mapping[str, MarketTables], instrument: str | None = None, *, width: float = style.WIDTH
) -> Figure:
    """Above, the quotes of each venue around the longest crossing of the last run; below, how long crossings last.

    ``runs``: by the words that name them in the picture.
    """
    narrow = width < style.NARROW
    figure = style.canvas(width, 7.6 if narrow else 6.4)
    quotes, lengths = style.panels(figure, 2, heights=[1.0, 1.1])
    name, shown = list(runs.items())[-1]
    _draw_crossing(quotes, shown, the_instrument(shown, instrument), name, beside=not narrow)
    _draw_lengths(lengths, runs, instrument, inside=not narrow)
    return figure


def _draw_crossing(axes: Axes, tables: MarketTables, symbol: str, name: str, *, beside: bool) -> None:
    first, last = _longest_crossing(tables, symbol)
    length = max(last - first, MILLISECOND)
    low, high = first - int(_AROUND * length), last + int(_AROUND * length)
    axes.axvspan(0.0, (last - first) / MILLISECOND, color=style.ORANGE, alpha=0.25, linewidth=0, label="crossed")
    quotes = rows_of(tables.quotes, symbol, len(tables.instruments) == 1)
    for venue, colour in zip(sorted(quotes["venue"].unique()), style.PALETTE, strict=False):
        mine = quotes[quotes["venue"] == venue]
        rows = mine[(mine["time"] > low) & (mine["time"] < high)]
        before = mine[mine["time"] <= low].tail(1)
        both = pd.concat([before, rows, rows.tail(1) if len(rows) else before.tail(1)])
        times = np.clip(both["time"].to_numpy(np.float64), low, high)
        if len(times):
            times[-1] = high
        axis = (times - first) / MILLISECOND
        axes.step(axis, both["bid"], where="post", color=colour, label=f"{venue} bid")
        axes.step(axis, both["ask"], where="post", color=colour, linestyle="--", label=f"{venue} offer")
    axes.set_xlim((low - first) / MILLISECOND, (high - first) / MILLISECOND)
    axes.set_xlabel("time from the crossing on (ms)")
    axes.set_ylabel(f"price ({tables.instruments[symbol].currency})")
    style.plain_numbers(axes)
    axes.margins(y=0.15)
    if beside:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.3, handlelength=1.6)
    else:
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.25), ncols=2, handlelength=1.6)
    axes.set_title(f"The longest crossing: {name}")


def _longest_crossing(tables: MarketTables, symbol: str) -> tuple[int, int]:
    """Beginning and end in ns; of nothing when the market never crosses."""
    quotes = consolidated_quotes(tables, symbol)
    inside = (quotes["state"] == "crossed").to_numpy()
    times = np.append(quotes["time"].to_numpy(np.int64), tables.end)
    begins = np.flatnonzero(inside & ~np.append(False, inside[:-1]))
    ends = np.flatnonzero(~np.append(inside, False) & np.append(False, inside))
    begins, ends = times[begins], times[ends]
    kept = begins >= tables.start
    if not kept.any():
        return tables.start, tables.start
    place = int(np.argmax((ends - begins)[kept]))
    return int(begins[kept][place]), int(ends[kept][place])


def _draw_lengths(axes: Axes, runs: Mapping[str, MarketTables], instrument: str | None, *, inside: bool) -> None:
    """Crossings a minute that last longer than so many ms."""
    for (name, tables), colour in zip(runs.items(), style.PALETTE, strict=False):
        lengths = np.sort(crossed_times(tables, instrument)) / MILLISECOND
        minutes = (tables.end - tables.start) / MINUTE
        longer = np.arange(len(lengths), 0, -1) / minutes
        label = f"{name}: {lengths.sum() * MILLISECOND / max(tables.end - tables.start, 1):.2%} of the time"
        if len(lengths):
            axes.step(np.append(lengths, lengths[-1]), np.append(longer, longer[-1]), where="pre", color=colour,
                      marker="o", markersize=2.5, label=label)  # fmt: skip
        else:
            axes.plot([], [], color=colour, label=label)
    if not any(len(line.get_xdata()) for line in axes.lines):  # type: ignore[arg-type]
        axes.set_xlim(0.1, 1000)
        axes.set_ylim(0.1, 10)
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_xlabel("length (ms)")
    axes.set_ylabel("crossings a minute that last longer")
    if inside:
        axes.legend(loc="upper right", borderaxespad=0.2, handlelength=1.4)
    else:
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.25), handlelength=1.4)
    axes.set_title("How long the market is crossed")


@style.styled
def venue_figure(tables: MarketTables, instrument: str | None = None, *, width: float = style.WIDTH) -> Figure:
    """Four panels: whose takers and whose makers trade where, who shows the best price, what the venues keep."""
    narrow = width < style.NARROW
    figure = style.canvas(width, 12.0 if narrow else 6.6)
    takers, makers, best, fees = style.panels(figure, 4, columns=1 if narrow else 2)
    symbol = the_instrument(tables, instrument)
    shares = venue_shares(tables, symbol)
    colours = dict(zip(shares.index, style.PALETTE, strict=False))
    _draw_flow(takers, flows_by_venue(tables, symbol), colours, "Where each family takes")
    _draw_flow(makers, flows_by_venue(tables, symbol, side="maker"), colours, "Where each family makes")
    _draw_best(best, shares, colours)
    _draw_fees(fees, shares, tables.instruments[symbol].currency)
    handles = list(takers.get_legend_handles_labels()[0])
    if handles:
        figure.legend(handles, list(colours), loc="outside upper center", ncols=len(colours), handlelength=1.0)
    return figure


def _draw_flow(axes: Axes, flow: pd.DataFrame, colours: Mapping[str, str], title: str) -> None:
    """One bar a family, from the largest down: its units by venue, with what part of all they are."""
    flow = flow.loc[flow.sum(axis=1).sort_values().index]
    places = np.arange(len(flow))
    left = np.zeros(len(flow))
    for venue, colour in colours.items():
        units = flow[venue].to_numpy(np.float64) if venue in flow else np.zeros(len(flow))
        axes.barh(places, units, left=left, color=colour, height=0.7, label=venue)
        left += units
    axes.set_yticks(places, list(flow.index))
    axes.grid(visible=False, axis="y")
    style.plain_numbers(axes, "x", most=4)
    axes.set_xlim(left=0)
    axes.set_xlabel("volume (units)")
    axes.set_title(title)


def _draw_best(axes: Axes, shares: pd.DataFrame, colours: Mapping[str, str]) -> None:
    places = np.arange(len(shares))
    shade = [colours[venue] for venue in shares.index]
    axes.bar(places, shares["at_best"], color=shade, alpha=0.45, width=0.7)
    axes.bar(places, shares["alone"], color=shade, width=0.7)
    axes.set_xticks(places, list(shares.index))
    axes.set_ylim(0, 1)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("share of time")
    axes.set_title("At the best price (dark: alone)")


def _draw_fees(axes: Axes, shares: pd.DataFrame, currency: str) -> None:
    places = np.arange(len(shares))
    for offset, name, words, colour in (
        (-0.27, "taker_fees", "from takers", style.SKY),
        (0.0, "maker_fees", "from makers", style.ORANGE),
        (0.27, "revenue", "kept", style.BLACK),
    ):
        axes.bar(places + offset, shares[name], color=colour, width=0.25, label=words)
    axes.axhline(0.0, color=style.GREY, linewidth=0.8)
    axes.set_xticks(places, list(shares.index))
    axes.grid(visible=False, axis="x")
    style.plain_numbers(axes, sign=True)
    axes.set_ylabel(f"fees ({currency})")
    axes.margins(y=0.3)
    if len(shares):
        axes.legend(loc="upper left", ncols=3, borderaxespad=0.2, handlelength=1.0, columnspacing=0.8)
    axes.set_title("What the venues take and pay")
