"""Figure of a contract: its mark and index, who was closed by force, and what longs paid to shorts (X10)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.figures import style
from marketsim.analysis.tape import the_instrument
from marketsim.domain.tables import MarketTables
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError

_MEAN = 15  # marks of the line that shows the premium


class ClearedTables(MarketTables, Protocol):
    """Tables of a market with contracts. A ``Run`` offers them."""

    @property
    def marks(self) -> pd.DataFrame:
        """``time`` (ns), ``instrument``, ``venue``, ``mark`` and ``index`` in currency."""

    @property
    def payments(self) -> pd.DataFrame:
        """``time``, ``instrument``, ``venue``, ``agent``, ``kind``, ``price``, ``quantity``, ``amount``, ``equity``."""


@style.styled
def clearing_figure(run: ClearedTables, instrument: str | None = None, *, width: float = style.WIDTH) -> Figure:
    """Above, mark and index with calls and liquidations; below, the premium and each funding of a perpetual."""
    symbol = the_instrument(run, instrument)
    marks = run.marks[run.marks["instrument"] == symbol]
    figure = style.canvas(width, 5.6)
    if marks.empty:
        if not run.instruments[symbol].cleared:
            raise InvalidValueError(f"{symbol} is no contract: it has no mark")
        return style.empty(figure, "no mark yet")
    payments = run.payments[run.payments["instrument"] == symbol]
    price, paid = style.panels(figure, 2, heights=[1.5, 1.0])
    _draw_marks(price, run, marks, payments)
    style.head(price, f"{symbol}: mark, index and liquidations", width)
    _draw_funding(paid, run, marks, payments)
    style.head(paid, "Premium over the index, and funding", width)
    style.time_axis(price, run.start, run.end, label=False)
    style.time_axis(paid, run.start, run.end)
    return figure


def _seconds(table: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return table["time"].to_numpy(np.float64) / SECOND


def _draw_marks(axes: Axes, run: ClearedTables, marks: pd.DataFrame, payments: pd.DataFrame) -> None:
    axes.plot(_seconds(marks), marks["index"], color=style.ORANGE, label="index")
    axes.plot(_seconds(marks), marks["mark"], color=style.BLUE, label="mark")
    calls = payments[payments["kind"] == "MARGIN_CALL"]
    axes.plot(_seconds(calls), calls["price"], "o", color=style.BROWN, markersize=3, label="margin call")
    forced = payments[payments["kind"] == "LIQUIDATION"]
    calls_long = _is_long(run, forced)
    for chosen, marker, words in ((calls_long, "v", "long liquidated"), (~calls_long, "^", "short liquidated")):
        some = forced[chosen]
        axes.plot(_seconds(some), some["price"], marker, color=style.VERMILLION, markersize=8, label=words)
    axes.set_ylabel(f"price ({run.instruments[str(marks['instrument'].iloc[0])].currency})")
    style.plain_numbers(axes)


def _is_long(run: ClearedTables, forced: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether what is closed is long: its order, which the next trades in its name show, sells."""
    trades = run.trades
    found = []
    for time, agent in zip(forced["time"], forced["agent"], strict=True):
        mine = trades[(trades["time"] == time) & (trades["taker"] == agent)]
        found.append(bool(len(mine)) and int(mine["side"].iloc[0]) < 0)
    return np.array(found, dtype=bool)


def _draw_funding(axes: Axes, run: ClearedTables, marks: pd.DataFrame, payments: pd.DataFrame) -> None:
    premium = 1e4 * (marks["mark"] / marks["index"] - 1).rolling(_MEAN, min_periods=1).mean()
    axes.axhline(0.0, color=style.BLACK, linewidth=0.8)
    axes.plot(_seconds(marks), premium, color=style.BLUE, label=f"mean of {_MEAN} marks")
    funding = payments[payments["kind"] == "FUNDING"]
    long = funding[funding["quantity"] > 0].groupby("time")["amount"].sum()
    money = axes.twinx()
    money.grid(visible=False)
    ends = np.asarray(long.index, dtype=np.float64) / SECOND
    money.bar(ends, -long.to_numpy(), width=(run.end - run.start) / SECOND / 60, color=style.ORANGE, alpha=0.6)
    largest = max(float(np.abs(long).max()) if len(long) else 0.0, 1e-9)
    reach = max(float(np.abs(premium).max()), 1e-9)
    axes.set_ylim(-1.15 * reach, 1.15 * reach)
    money.set_ylim(-1.15 * largest, 1.15 * largest)
    axes.set_ylabel("premium (bps)")
    money.set_ylabel(f"longs paid shorts\n({run.instruments[str(marks['instrument'].iloc[0])].money})")
    axes.plot([], [], color=style.ORANGE, linewidth=6, alpha=0.6, label="funding")
