"""The figure of surveillance: where alerts are, the clearest of them from near, and how good they are where known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.detection import KINDS, ROLE, detection_curve
from marketsim.analysis.figures import style
from marketsim.analysis.surveillance import THRESHOLD, surveil
from marketsim.analysis.tape import Tape
from marketsim.domain.units import SECOND

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

MOST_LINES = 600  # of orders drawn one by one


@style.styled
def surveillance_figure(
    tables: MarketTables,
    instrument: str | None = None,
    *,
    labels: pd.DataFrame | None = None,
    alerts: pd.DataFrame | None = None,
    threshold: float = THRESHOLD,
    width: float = style.WIDTH,
) -> Figure:
    """Above, the mid and the orders of each alert at their prices. Below, the alert with the highest score from near:
    best prices, the orders not meant, those on the other side, and their fills.

    ``labels`` (of ``analysis.labels``) tell right alerts from wrong ones, and add precision against recall over the
    threshold. ``alerts`` saves looking for them again; all that ``surveil(tables, threshold=0)`` finds.
    """
    tape = Tape.of(tables, instrument)
    every = surveil(tables, threshold=0.0) if alerts is None else alerts
    every = every[every["instrument"] == tape.symbol]
    known = labels is not None and (labels["kind"].isin(KINDS) & (labels["role"] == ROLE)).any()
    chosen = every[every["score"] >= threshold]
    figure = style.canvas(width, 8.6 if known else 6.2)
    if len(tape.quote_time) == 0 or not len(every) + int(known):
        return style.empty(figure, f"{tape.symbol}: nothing to report")
    axes = style.panels(figure, 3 if known else 2)
    right = _right(chosen, labels)
    _draw_market(axes[0], tape, tables.orders, chosen, right)
    style.head(axes[0], f"{tape.symbol}: mid and orders of alerts", width)
    _draw_episode(axes[1], tape, tables, chosen if len(chosen) else every)
    style.head(axes[1], "The alert with the highest score", width)
    for panel in axes[:2]:
        panel.set_ylabel(f"price ({tape.currency})")
        style.plain_numbers(panel, most=6)
    if known and labels is not None:
        _draw_curve(axes[2], every, labels[labels["instrument"] == tape.symbol], threshold)
    return figure


def _right(alerts: pd.DataFrame, labels: pd.DataFrame | None) -> list[bool] | None:
    """Whether each alert names a labelled decoy; None where nothing is labelled."""
    if labels is None or not len(labels):
        return None
    truth = labels[labels["kind"].isin(KINDS) & (labels["role"] == ROLE)]
    guilty = set(zip(truth["venue"], truth["order"], strict=True))
    pairs = zip(alerts["venue"], alerts["orders"], strict=True)
    return [any((venue, number) in guilty for number in ids) for venue, ids in pairs]


def _rows(orders: pd.DataFrame, venue: str, ids: tuple[int, ...]) -> pd.DataFrame:
    return orders[(orders["venue"] == venue) & orders["order_id"].isin(ids)]


def _draw_market(axes: Axes, tape: Tape, orders: pd.DataFrame, alerts: pd.DataFrame, right: list[bool] | None) -> None:
    inside = tape.quote_time >= tape.start
    time, mid = style.thin(tape.quote_time[inside], tape.mid[inside])
    axes.plot(time, mid, color=style.BLACK, linewidth=0.9, drawstyle="steps-post", label="mid")
    looks = [("alert", style.VERMILLION)]
    if right is not None:
        looks = [("alert, rightly", style.VERMILLION), ("alert, wrongly", style.PURPLE)]
    groups = [alerts] if right is None else [alerts[np.array(right, bool)], alerts[~np.array(right, bool)]]
    for (words, colour), mine in zip(looks, groups, strict=True):
        for one in mine.head(MOST_LINES).itertuples():
            rows = _rows(orders, str(one.venue), one.orders)  # type: ignore[arg-type]
            end = np.where(rows["end_time"] < 0, tape.end, rows["end_time"]) / SECOND
            begin, price = rows["time"].to_numpy() / SECOND, rows["price"].to_numpy()
            axes.hlines(price, begin, end, color=colour, linewidth=2.4, alpha=0.8)
            axes.plot(begin, price, "^" if one.side == 1 else "v", color=colour, markersize=5, markeredgecolor="white",
                      markeredgewidth=0.4, zorder=3)  # fmt: skip
        if len(mine):
            axes.plot([], [], color=colour, linewidth=2.4, label=f"{words} ({len(mine)})")
    style.time_axis(axes, tape.start, tape.end, local=tape.local_time)


def _draw_episode(axes: Axes, tape: Tape, tables: MarketTables, alerts: pd.DataFrame) -> None:
    if not len(alerts):
        axes.set_axis_off()
        return
    one = alerts.iloc[int(alerts["score"].to_numpy().argmax())]
    margin = max(int(0.6 * (one["end"] - one["start"])), SECOND // 2)
    begin, end = int(one["start"]) - margin, int(one["end"]) + margin
    rows = slice(*np.searchsorted(tape.quote_time, (begin, end)))
    time = tape.quote_time[rows] / SECOND
    for values, colour, words in ((tape.bid, style.GREY, "best bid and ask"), (tape.ask, style.GREY, None)):
        axes.plot(time, values[rows], color=colour, linewidth=1.0, drawstyle="steps-post", label=words)
    for name, colour, words in (("orders", style.VERMILLION, "withdrawn"), ("opposite", style.BLUE, "other side")):
        found = _rows(tables.orders, str(one["venue"]), one[name])
        found = found[found["price"].notna()]
        stop = np.minimum(np.where(found["end_time"] < 0, end, found["end_time"]), end) / SECOND
        start = np.maximum(found["time"].to_numpy(), begin) / SECOND
        axes.hlines(found["price"], start, stop, color=colour, linewidth=3.0, alpha=0.85)
        total = float(found["quantity"].sum())
        axes.plot([], [], color=colour, linewidth=3.0, label=f"{words} ({total:,.0f})")
    _draw_fills(axes, tables.trades, one["opposite"], begin, end)
    style.time_axis(axes, begin, end, local=tape.local_time)


def _draw_fills(axes: Axes, trades: pd.DataFrame, ids: tuple[int, ...], begin: int, end: int) -> None:
    mine = trades[trades["time"].between(begin, end)]
    mine = mine[mine["maker_order"].isin(ids) | mine["taker_order"].isin(ids)]
    if len(mine):
        axes.plot(mine["time"] / SECOND, mine["price"], "o", color=style.BLACK, markersize=4, zorder=4, label="fills")


def _draw_curve(axes: Axes, alerts: pd.DataFrame, labels: pd.DataFrame, threshold: float) -> None:
    curve = detection_curve(alerts, labels)
    axes.set_title("Precision and recall over the threshold")
    if not len(curve):
        axes.text(0.5, 0.5, "no alerts", ha="center", color=style.GREY, transform=axes.transAxes)
        return
    ends = []
    for name, colour in (("precision", style.BLUE), ("recall", style.GREEN)):
        x = curve["threshold"].to_numpy()
        axes.plot(x, 100 * curve[name], color=colour, drawstyle="steps-pre")
        axes.fill_between(x, 100 * curve[f"{name}_low"], 100 * curve[f"{name}_high"], color=colour, alpha=0.15,
                          linewidth=0, step="pre")  # fmt: skip
        ends.append((100 * float(curve[name].iloc[0]), name, colour))
    axes.axvline(threshold, color=style.GREY, linewidth=1.0, linestyle=":")
    axes.set_ylim(0, 104)
    axes.set_xlabel("threshold of the score (dotted: the one in use); bands: 95 %")
    axes.set_ylabel("share (%)")
    style.plain_numbers(axes)
    style.plain_numbers(axes, "x")
    style.label_lines(axes, ends)
