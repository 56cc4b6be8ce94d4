"""Figures of the agents: equity, P&L split, inventory, drawdown.

A family of one is one line; a larger family is one line too, the sum of its members, so that a crowd stays readable.
With ``agents=[…]`` the named agents are drawn one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.accounting import PARTS, Accounts, accounts
from marketsim.analysis.figures import style
from marketsim.analysis.performance import max_drawdown
from marketsim.analysis.tape import Tape, the_instrument
from marketsim.domain.units import SECOND

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

MOST_LINES = 8
MOST_TRADES = 150
OTHERS = "others"  # the sum of all families that are not drawn
COLOURS = (*style.PALETTE, style.GREY)
PART_NAMES = {
    "spread_capture": "spread capture",
    "adverse_selection": "adverse selection",
    "inventory": "inventory",
    "fees": "fees",
    "funding": "funding",
}
PART_COLOURS = {
    "spread_capture": style.GREEN,
    "adverse_selection": style.VERMILLION,
    "inventory": style.SKY,
    "fees": style.ORANGE,
    "funding": style.BLUE,
}


@style.styled
def equity(
    tables: MarketTables,
    agents: Sequence[str] | None = None,
    *,
    books: Accounts | None = None,
    width: float = style.WIDTH,
) -> Figure:
    """P&L over time, marked at the mid, fees included: family by family, or of the agents named."""
    books = books or accounts(tables)
    figure = style.canvas(width, 3.6)
    curves = _pick(books.equity(by="agent" if agents else "family"), books, agents)
    if curves.empty:
        return style.empty(figure, "no agents: a recorded tape has no equity")
    (axes,) = style.panels(figure, 1)
    _draw_lines(axes, curves)
    axes.set_ylabel(f"P&L ({_currency(tables)})")
    axes.set_title("P&L by agent" if agents else "P&L by family (sum)")
    _finish(axes, tables, curves)
    return figure


@style.styled
def equity_and_trades(
    tables: MarketTables,
    agent: str,
    *,
    instrument: str | None = None,
    books: Accounts | None = None,
    width: float = style.WIDTH,
) -> Figure:
    """An agent's P&L with every trade that it closed, and the price with where it entered and left.

    Of more than MOST_TRADES the largest gains and losses are marked. ``instrument``: the one that it traded most by
    default; the P&L is that of all.
    """
    books = books or accounts(tables)
    books[agent]  # an unknown name is refused with the nearest one
    symbol = books.main_instrument(agent) if instrument is None else the_instrument(tables, instrument)
    figure = style.canvas(width, 5.2)
    if not symbol or not books[agent].fills:
        return style.empty(figure, f"{agent} traded nothing")
    tape = Tape.of(tables, symbol)
    top, bottom = style.panels(figure, 2, heights=(1.0, 1.0))
    curve = books.equity()[agent]
    trips = books.round_trips
    trips = trips[(trips["agent"] == agent) & (trips["instrument"] == symbol)]
    closed, shown = _closed(trips)
    top.axhline(0, color=style.GREY, linewidth=0.7)
    top.plot(*style.thin(curve.index.to_numpy(), curve.to_numpy()), color=style.BLACK, linewidth=1.1)
    at = np.interp(shown["exit_time"], curve.index.to_numpy(), curve.to_numpy())
    gain = shown["pnl"].to_numpy() > 0
    for chosen, marker, colour, name in ((gain, "^", style.GREEN, "gain"), (~gain, "v", style.VERMILLION, "loss")):
        if chosen.any():
            times = shown["exit_time"].to_numpy()[chosen] / SECOND
            top.scatter(times, at[chosen], s=24, marker=marker, color=colour, edgecolors="white", linewidths=0.4,
                        label=name, zorder=3)  # fmt: skip
    bottom.plot(*style.thin(tape.quote_time, tape.mid), color=style.GREY, linewidth=0.8, drawstyle="steps-post")
    _draw_ends(bottom, shown)
    of = f", {len(shown)} largest of {len(closed):,} trades" if len(shown) < len(closed) else f", {len(closed)} trades"
    style.head(top, f"{agent}: P&L{of}", width)
    style.head(bottom, f"{symbol}: mid", width)
    top.set_ylabel(f"P&L ({_currency(tables)})")
    bottom.set_ylabel(f"price ({tape.currency})")
    for axes in (top, bottom):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, fontsize=8, handletextpad=0.2,
                        columnspacing=1.0, borderaxespad=0.1)  # fmt: skip
        style.plain_numbers(axes, sign=axes is top)
        style.time_axis(axes, tables.start, tables.end, local=tape.local_time)
    return figure


def _closed(trips: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Round trips that one order opened and one closed as one trade; all of them, and those that are marked."""
    trips = trips.assign(paid=trips["entry_price"] * trips["quantity"], got=trips["exit_price"] * trips["quantity"])
    groups = trips.groupby(["entry_order", "exit_order", "side"], sort=False)
    trades = groups.agg(
        entry_time=("entry_time", "min"), exit_time=("exit_time", "max"), quantity=("quantity", "sum"),
        paid=("paid", "sum"), got=("got", "sum"), pnl=("pnl", "sum"),
    ).reset_index()  # fmt: skip
    trades["entry_price"], trades["exit_price"] = (
        trades["paid"] / trades["quantity"],
        trades["got"] / trades["quantity"],
    )
    largest = np.argsort(-trades["pnl"].abs().to_numpy(np.float64), kind="stable")[:MOST_TRADES]
    return trades, trades.iloc[np.sort(largest)]


def _draw_ends(axes: Axes, trades: pd.DataFrame) -> None:
    """Buys and sells of entries, and where they were left."""
    for side, marker, colour, name in ((1, "^", style.BUY, "long"), (-1, "v", style.SELL, "short")):
        mine = trades[trades["side"] == side]
        if len(mine):
            axes.scatter(mine["entry_time"] / SECOND, mine["entry_price"], s=22, marker=marker, color=colour,
                         edgecolors="white", linewidths=0.4, label=f"{name} entry", zorder=3)  # fmt: skip
    if len(trades):
        axes.scatter(trades["exit_time"] / SECOND, trades["exit_price"], s=14, marker="x", color=style.BLACK,
                     linewidths=0.9, label="exit", zorder=3)  # fmt: skip


@style.styled
def pnl_parts(tables: MarketTables, *, books: Accounts | None = None, width: float = style.WIDTH) -> Figure:
    """Where each family's P&L came from, and how it is spread over the family's agents."""
    books = books or accounts(tables)
    families = _largest(books.families)
    narrow = width < style.NARROW
    tall = 0.42 * max(len(families), 1) + 1.4
    figure = style.canvas(width, 2 * tall if narrow else tall)
    if families.empty:
        return style.empty(figure, "no agents: a recorded tape has no P&L")
    parts, members = style.panels(figure, 2, columns=1 if narrow else 2)
    _draw_parts(parts, families, _currency(tables))
    figure.legend(
        *parts.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=3 if narrow else 5,
        columnspacing=1.2,
        handlelength=1.2,
    )
    _draw_members(members, families, books.table, _currency(tables))
    if not narrow:
        members.tick_params(labelleft=False)
    return figure


@style.styled
def inventory(
    tables: MarketTables,
    agents: Sequence[str] | None = None,
    *,
    instrument: str | None = None,
    books: Accounts | None = None,
    width: float = style.WIDTH,
) -> Figure:
    """Positions over time: family by family (sum of its agents), or of the agents named."""
    books = books or accounts(tables)
    figure = style.canvas(width, 3.6)
    held = books.inventory(instrument=instrument, by="agent" if agents else "family")
    curves = _pick(held, books, agents)
    if curves.empty:
        return style.empty(figure, "no agents: a recorded tape has no inventory")
    (axes,) = style.panels(figure, 1)
    _draw_lines(axes, curves, steps=True)
    name = f"{instrument}: inventory" if instrument else "Inventory"
    axes.set_ylabel("position (units)")
    axes.set_title(f"{name} by agent" if agents else f"{name} by family (sum)")
    _finish(axes, tables, curves)
    return figure


@style.styled
def drawdown(
    tables: MarketTables,
    agents: Sequence[str] | None = None,
    *,
    books: Accounts | None = None,
    width: float = style.WIDTH,
) -> Figure:
    """How far below its best P&L each family (or named agent) stood, and the deepest fall of each."""
    books = books or accounts(tables)
    figure = style.canvas(width, 3.4)
    curves = _pick(books.equity(by="agent" if agents else "family"), books, agents)
    if curves.empty:
        return style.empty(figure, "no agents: a recorded tape has no drawdown")
    (axes,) = style.panels(figure, 1)
    under = curves - curves.cummax()
    _draw_lines(axes, under)
    for name, colour in zip(curves.columns, COLOURS, strict=False):
        worst = max_drawdown(curves[name].to_numpy(), relative=False)
        time = curves.index.to_numpy()[worst.trough] / SECOND
        axes.plot([time], [-worst.amount], marker="o", markersize=5, color=colour, markeredgecolor="white")
    axes.set_ylabel(f"below the best P&L ({_currency(tables)})")
    axes.set_title("Drawdown by agent" if agents else "Drawdown by family (dot: deepest)")
    _finish(axes, tables, under)
    return figure


def _pick(curves: pd.DataFrame, books: Accounts, agents: Sequence[str] | None) -> pd.DataFrame:
    """The columns to draw: those named, at most eight, or the largest families and the sum of the others."""
    if agents:
        for name in agents:
            books[name]  # an unknown name is refused with the nearest one
        return curves[list(agents)[:MOST_LINES]]
    if curves.shape[1] <= MOST_LINES:
        return curves
    kept = _kept(books.families)
    return curves[kept].assign(**{OTHERS: curves.drop(columns=kept).sum(axis=1)})


def _largest(families: pd.DataFrame) -> pd.DataFrame:
    """The eight families that traded most, and the sums of the others."""
    if len(families) <= MOST_LINES:
        return families
    kept = _kept(families)
    columns = ["pnl", *PARTS]
    rest = families.drop(index=kept)[columns].sum()
    return pd.concat([families.loc[kept, columns], rest.to_frame(OTHERS).T])


def _kept(families: pd.DataFrame) -> list[str]:
    """The eight families that traded most: the same in every picture, so that each keeps its colour."""
    chosen = set(families["volume"].sort_values(ascending=False, kind="stable").index[:MOST_LINES])
    return [name for name in families.index if name in chosen]


def _draw_lines(axes: Axes, curves: pd.DataFrame, *, steps: bool = False) -> None:
    axes.axhline(0, color=style.GREY, linewidth=0.7)
    time = curves.index.to_numpy()
    for name, colour in zip(curves.columns, COLOURS, strict=False):
        axes.plot(
            *style.thin(time, curves[name].to_numpy()),
            color=colour,
            drawstyle="steps-post" if steps else "default",
            linewidth=1.4,
        )


def _finish(axes: Axes, tables: MarketTables, curves: pd.DataFrame) -> None:
    style.time_axis(axes, tables.start, tables.end, local=getattr(tables, "local_time", None))
    style.plain_numbers(axes, sign=True)
    last = curves.iloc[-1]
    named = zip(curves.columns, COLOURS, strict=False)
    style.label_lines(axes, [(float(last[name]), str(name), colour) for name, colour in named])


def _draw_parts(axes: Axes, families: pd.DataFrame, currency: str) -> None:
    """Stacked bars, gains to the right and losses to the left, with the sum as a mark."""
    place = np.arange(len(families))[::-1]
    ahead, behind = np.zeros(len(families)), np.zeros(len(families))
    for part in PARTS:
        value = families[part].to_numpy(dtype=float)
        if part == "funding" and not value.any():
            continue  # markets of spot have none
        left = np.where(value >= 0, ahead, behind)
        axes.barh(place, value, left=left, height=0.6, color=PART_COLOURS[part], linewidth=0, label=PART_NAMES[part])
        ahead, behind = ahead + np.maximum(value, 0), behind + np.minimum(value, 0)
    axes.plot(
        families["pnl"],
        place,
        linestyle="none",
        marker="D",
        markersize=6,
        color=style.BLACK,
        markeredgecolor="white",
        label="P&L",
    )
    axes.axvline(0, color=style.GREY, linewidth=0.7)
    axes.set_yticks(place, [str(name) for name in families.index])
    axes.tick_params(axis="y", length=0)
    axes.set_title("Where the P&L came from")
    axes.set_xlabel(f"P&L of the family ({currency})")
    axes.grid(visible=False, axis="y")
    style.plain_numbers(axes, "x", sign=True, most=5)


def _draw_members(axes: Axes, families: pd.DataFrame, table: pd.DataFrame, currency: str) -> None:
    """A dot an agent, spread out of each other's way by rank, and the median as a bar."""
    of = table["family"].where(table["family"].isin(families.index), OTHERS)
    for place, (family, colour) in enumerate(zip(families.index, COLOURS, strict=False)):
        level = len(families) - 1 - place
        pnl = np.sort(table.loc[of == family, "pnl"].to_numpy(dtype=float))
        lane = ((np.arange(len(pnl)) * 0.618034) % 1.0 - 0.5) * (0.55 if len(pnl) > 1 else 0.0)
        axes.scatter(pnl, level + lane, s=13 if len(pnl) < 50 else 8, color=colour, alpha=0.55, linewidths=0)
        axes.plot([np.median(pnl)] * 2, [level - 0.36, level + 0.36], color=style.BLACK, linewidth=1.8)
    axes.axvline(0, color=style.GREY, linewidth=0.7)
    axes.set_ylim(-0.6, len(families) - 0.4)
    axes.set_yticks(np.arange(len(families))[::-1], [str(name) for name in families.index])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_title("P&L of each agent (bar: median)")
    axes.set_xlabel(f"P&L of the agent ({currency})")
    style.plain_numbers(axes, "x", sign=True, most=5)


def _currency(tables: MarketTables) -> str:
    return "/".join(sorted({instrument.currency for instrument in tables.instruments.values()})) or "currency"
