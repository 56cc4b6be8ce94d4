"""The figure of impact: the response function in trade time and mark-outs in calendar time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.impact import mark_outs, response_function
from marketsim.analysis.tape import Tape
from marketsim.domain.units import SECOND

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

LAGS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
HORIZONS = ("10ms", "20ms", "50ms", "100ms", "200ms", "500ms", "1s", "2s", "5s", "10s", "20s", "60s")
MOST_LINES = 6


@style.styled
def impact(source: MarketTables | Tape, instrument: str | None = None, *, width: float = style.WIDTH) -> Figure:
    """R(l) with twice its standard error, and what makers' fills were worth later, by family of the maker."""
    tape = Tape.of(source, instrument)
    narrow = width < style.NARROW
    figure = style.canvas(width, 6.0 if narrow else 3.4)
    if len(tape.price) < 3 or not np.isfinite(tape.mid_before_trade).any():
        return style.empty(figure, f"{tape.symbol}: too few trades to measure impact")
    if not tape.side.any():
        return style.empty(figure, f"{tape.symbol}: no sides of trades were recorded, so there is no impact to measure")
    response, marks = style.panels(figure, 2, columns=1 if narrow else 2)
    _draw_response(response, tape)
    _draw_mark_outs(marks, source, tape)
    return figure


def _draw_response(axes: Axes, tape: Tape) -> None:
    table = response_function(tape, LAGS)
    table = table[table["trades"] >= 50] if (table["trades"] >= 50).any() else table
    scale = table["response_bps"] / table["response"].where(table["response"] != 0)
    error = 2 * table["standard_error"] * scale.abs().median()
    lag, value = table["lag"].to_numpy(), table["response_bps"].to_numpy()
    axes.fill_between(lag, value - error, value + error, color=style.BLUE, alpha=0.18, linewidth=0)
    axes.plot(lag, value, color=style.BLUE, marker="o", markersize=3.5)
    axes.axhline(0, color=style.GREY, linewidth=0.7)
    style.log_axis(axes, "x")
    axes.set_xlabel("trades later")
    axes.set_ylabel("mid moved in trade's direction (bps)")
    axes.set_title("Response to a trade (± 2 s.e.)")
    style.plain_numbers(axes)


def _draw_mark_outs(axes: Axes, source: MarketTables | Tape, tape: Tape) -> None:
    horizons = (0, *HORIZONS)
    by = None if isinstance(source, Tape) or len(source.agents) == 0 else "family"
    table = mark_outs(tape if by is None else source, horizons, tape.symbol, by=by)  # type: ignore[arg-type]
    table = table[table["fills"] >= 20] if (table["fills"] >= 20).any() else table
    groups = [("all makers", table)] if by is None else [(str(name), rows) for name, rows in table.groupby(by)]
    groups = sorted(groups, key=lambda group: -int(group[1]["fills"].max()))[:MOST_LINES]
    colours = _colours(source)
    first = 2_000_000.0  # horizon 0 has no place on a logarithmic axis: drawn well before the first
    ends = []
    for name, rows in groups:
        colour = colours.get(name, style.BLUE)
        time = np.maximum(rows["horizon"].to_numpy(dtype=float), first) / SECOND
        value = rows["mark_out_bps"].to_numpy()
        axes.plot(time, value, color=colour, marker="o", markersize=3.5)
        ends.append((float(value[-1]), name, colour))
    axes.axhline(0, color=style.GREY, linewidth=0.7)
    axes.set_xscale("log")
    places = [first / SECOND, 0.01, 0.1, 1.0, 10.0, 60.0]
    axes.set_xticks(places, ["0", "10ms", "100ms", "1s", "10s", "60s"])
    axes.set_xlim(0.7 * first / SECOND, 66.0)
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlabel("time after the fill")
    axes.set_ylabel("maker's profit per fill at mid (bps)")
    axes.set_title("Mark-outs of makers")
    style.plain_numbers(axes, sign=True)
    style.label_lines(axes, ends)


def _colours(source: MarketTables | Tape) -> dict[str, str]:
    """The colour that each family has in the other figures too."""
    if isinstance(source, Tape):
        return {}
    families = [str(name) for name in source.agents["family"].unique()]
    return dict(zip(families, style.PALETTE * (1 + len(families) // len(style.PALETTE)), strict=False))
