"""Figures of the market: price and quotes, spread and activity. They know instruments and no agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.prices import clock_grid, step_of
from marketsim.analysis.spreads import edges_of, spread_over_time
from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.domain.units import MINUTE, SECOND, format_duration

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

CLOSE_TRADES = 120  # how many the close look shows where trading is as brisk as on average
MOST_MARKS = 1500


@style.styled
def price_and_quotes(
    source: MarketTables | Tape, instrument: str | None = None, *, width: float = style.WIDTH
) -> Figure:
    """The mid over the whole time, a close look at quotes and trades where trading was busiest, and the volume."""
    tape = Tape.of(source, instrument)
    figure = style.canvas(width, 6.2)
    if len(tape.quote_time) == 0 and len(tape.price) == 0:
        return style.empty(figure, f"{tape.symbol}: no quotes and no trades")
    price, volume, close = style.panels(figure, 3, heights=(2.2, 0.8, 2.2))
    _draw_mid(price, tape)
    price.set_title(f"{tape.symbol}: mid")
    _draw_volume(volume, tape)
    begin, finish = _busiest(tape)
    if finish - begin < tape.end - tape.start:
        price.axvspan(begin / SECOND, finish / SECOND, color=style.ORANGE, alpha=0.35, linewidth=0)
    _draw_close(close, tape, begin, finish)
    for axes in (price, close):
        axes.set_ylabel(f"price ({tape.currency})")
        style.plain_numbers(axes)
    figure.align_ylabels([price, volume, close])
    return figure


@style.styled
def spread_and_activity(
    source: MarketTables | Tape, instrument: str | None = None, *, width: float = style.WIDTH
) -> Figure:
    """Quoted and effective spread, pace of trading and volatility, interval by interval."""
    tape = Tape.of(source, instrument)
    figure = style.canvas(width, 5.4)
    if len(tape.quote_time) == 0:
        return style.empty(figure, f"{tape.symbol}: no quotes")
    step = step_of(tape.start, tape.end, 80)
    edges = edges_of(tape, step)
    spread, pace, moving = style.panels(figure, 3, heights=(1.3, 1, 1))
    table = spread_over_time(tape, every=step)
    ends = []
    for name, label, colour in (("quoted_bps", "quoted", style.BLUE), ("effective_bps", "effective", style.VERMILLION)):
        values = table[name].to_numpy()
        if np.isfinite(values).any():
            _stairs(spread, edges, values, colour)
            ends.append((float(values[np.isfinite(values)][-1]), label, colour))
    spread.set_ylim(0, _top(table[["quoted_bps", "effective_bps"]].to_numpy()))
    spread.set_ylabel("spread (bps of mid)")
    spread.set_title(f"{tape.symbol}: spread and activity per {format_duration(step)}")
    style.label_lines(spread, ends)
    minutes = np.diff(edges) / MINUTE
    count = np.histogram(tape.trade_time, edges)[0] / minutes
    pace.stairs(count, edges / SECOND, fill=True, color=style.GREY, linewidth=0)
    pace.set_ylim(bottom=0)
    pace.set_ylabel("trades a minute")
    _stairs(moving, edges, _volatility_in(tape, edges), style.GREEN)
    moving.set_ylim(bottom=0)
    moving.set_ylabel("volatility\n(bps/√min)")
    for axes in (spread, pace, moving):
        style.plain_numbers(axes, most=5)
        style.time_axis(axes, tape.start, tape.end, label=axes is moving, local=tape.local_time)
    figure.align_ylabels([spread, pace, moving])
    return figure


def _draw_mid(axes: Axes, tape: Tape) -> None:
    inside = tape.quote_time >= tape.start
    time, mid = tape.quote_time[inside], tape.mid[inside]
    if len(time):
        axes.plot(*style.thin(time, mid), color=style.BLACK, linewidth=1.0, drawstyle="steps-post")
    else:
        axes.plot(*style.thin(tape.trade_time, tape.price), color=style.BLACK, linewidth=1.0)
    style.time_axis(axes, tape.start, tape.end, label=False, local=tape.local_time)


def _busiest(tape: Tape) -> tuple[int, int]:
    """The stretch with the most trades, as long as about CLOSE_TRADES of them take on average."""
    span = max(tape.end - tape.start, 1)
    length = min(step_of(0, span, max(len(tape.price) // CLOSE_TRADES, 1)), span)
    if len(tape.price) == 0:
        return tape.start, tape.start + length
    inside = np.searchsorted(tape.trade_time, tape.trade_time + length, "right") - np.arange(len(tape.trade_time))
    begin = int(min(tape.trade_time[int(np.argmax(inside))] - length // 20, tape.end - length))
    return max(begin, tape.start), max(begin, tape.start) + length


def _rounded(span: int) -> int:
    """A span in ns to three digits: nobody reads more in a title."""
    unit = int(10 ** max(len(str(span)) - 3, 0))
    return round(span / unit) * unit


def _draw_close(axes: Axes, tape: Tape, begin: int, finish: int) -> None:
    """Best bid and ask as steps and every trade as a mark; its area shows the quantity."""
    first = max(int(np.searchsorted(tape.quote_time, begin, "right")) - 1, 0)
    last = int(np.searchsorted(tape.quote_time, finish, "right"))
    time = np.append(np.maximum(tape.quote_time[first:last], begin), finish) / SECOND
    if last > first:
        bid, ask = (np.append(values[first:last], values[last - 1]) for values in (tape.bid, tape.ask))
        axes.fill_between(time, bid, ask, step="post", color=style.LIGHT, alpha=0.8, linewidth=0)
        axes.step(time, bid, where="post", color=style.BID, linewidth=0.9, label="best bid")
        axes.step(time, ask, where="post", color=style.ASK, linewidth=0.9, label="best ask")
    inside = (tape.trade_time >= begin) & (tape.trade_time <= finish)
    typical = float(np.median(tape.quantity[inside])) if inside.any() else 1.0
    for side, name, colour, marker in ((1, "buy", style.BUY, "^"), (-1, "sell", style.SELL, "v")):
        rows = np.flatnonzero(inside & (tape.side == side))[:MOST_MARKS]
        area = np.clip(16.0 * tape.quantity[rows] / typical, 6.0, 120.0)
        axes.scatter(
            tape.trade_time[rows] / SECOND,
            tape.price[rows],
            s=area,
            marker=marker,
            color=colour,
            alpha=0.8,
            edgecolors="white",
            linewidths=0.4,
            label=name,
            zorder=3,
        )
    style.time_axis(axes, begin, finish, local=tape.local_time)
    axes.set_title(f"The busiest {format_duration(_rounded(finish - begin))} (area: quantity)", pad=20.0)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=4,
        borderaxespad=0.2,
        handletextpad=0.5,
        columnspacing=1.4,
        handlelength=1.4,
        markerscale=1.0,
    )


def _draw_volume(axes: Axes, tape: Tape) -> None:
    step = step_of(tape.start, tape.end, 120)
    edges = edges_of(tape, step)
    for side, name, colour in ((1, "bought", style.BUY), (-1, "sold", style.SELL)):
        chosen = tape.side == side
        total = np.histogram(tape.trade_time[chosen], edges, weights=tape.quantity[chosen])[0] * side
        axes.stairs(total, edges / SECOND, fill=True, color=colour, linewidth=0)
        axes.text(
            1.0,
            0.95 if side > 0 else 0.05,
            f" {name}",
            transform=axes.transAxes,
            color=colour,
            fontweight="bold",
            va="top" if side > 0 else "bottom",
            fontsize=8.5,
        )
    axes.axhline(0, color=style.GREY, linewidth=0.6)
    axes.set_ylabel(f"units per\n{format_duration(step)}")
    style.plain_numbers(axes, most=3)
    style.time_axis(axes, tape.start, tape.end, local=tape.local_time)


def _stairs(axes: Axes, edges: Ints, values: Floats, colour: str) -> None:
    axes.stairs(values, edges / SECOND, baseline=None, color=colour, linewidth=1.4)


def _volatility_in(tape: Tape, edges: Ints) -> Floats:
    """Realized volatility of each interval from a fine clock, in bps per square root of a minute."""
    fine = max(int((edges[1] - edges[0]) // 20), 1)
    times = clock_grid(tape.start, tape.end, fine)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.diff(np.log(tape.at(tape.mid, times))) ** 2
    kept = np.isfinite(square)
    place = np.clip(np.searchsorted(edges, times[1:], "left") - 1, 0, len(edges) - 2)
    total = np.bincount(place[kept], square[kept], len(edges) - 1)
    count = np.bincount(place[kept], minlength=len(edges) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1e4 * np.sqrt(total / count * MINUTE / fine), dtype=np.float64)


def _top(values: Floats) -> float:
    """An upper limit that one wild interval does not set."""
    finite = values[np.isfinite(values)]
    return float(min(finite.max() * 1.1, np.quantile(finite, 0.98) * 1.5)) if len(finite) and finite.max() > 0 else 1.0
