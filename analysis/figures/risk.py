"""Figure of risk control: what the strategies gained that it spoke to, and when it warned, acted and let go."""

from __future__ import annotations

from typing import Protocol

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.accounting import Accounts, accounts
from marketsim.analysis.figures import style
from marketsim.domain.risk import STOPPING
from marketsim.domain.tables import MarketTables
from marketsim.domain.units import SECOND

_MOST = 6  # strategies that are drawn


class GuardedTables(MarketTables, Protocol):
    """Tables of a market with risk control. A ``Run`` offers them."""

    @property
    def risk(self) -> pd.DataFrame:
        """The fields of ``domain.risk.RiskEvent``, a row each."""


@style.styled
def risk_figure(run: GuardedTables, *, books: Accounts | None = None, width: float = style.WIDTH) -> Figure:
    """P&L of the strategies that risk control stopped or warned, those that were stopped first."""
    figure = style.canvas(width, 3.6)
    events = run.risk[(run.risk["action"] != "refuse") & (run.risk["time"] >= run.start)]
    names = list(dict.fromkeys([*_stopped(events)["agent"], *events["agent"]]))[:_MOST]
    if not names:
        return style.empty(figure, "risk control warned nobody")
    (axes,) = style.panels(figure, 1)
    curves = (books or accounts(run)).equity()
    for name, colour in zip(names, style.PALETTE, strict=False):
        _draw(axes, name, curves[name], events[events["agent"] == name], colour)
    _draw_limits(axes, events[events["agent"].isin(names)])
    currencies = sorted({instrument.money for instrument in run.instruments.values()})
    axes.set_ylabel(f"P&L ({'/'.join(currencies)})")
    style.head(axes, "P&L, warnings and stops", width)
    style.plain_numbers(axes)
    style.time_axis(axes, run.start, run.end)
    return figure


def _stopped(events: pd.DataFrame) -> pd.DataFrame:
    return events[events["action"].isin(STOPPING)]


def _draw(axes: Axes, name: str, curve: pd.Series, events: pd.DataFrame, colour: str) -> None:
    """A line, an open dot at each warning, a cross at each stop, a bar at each new beginning."""
    axes.plot(curve.index.to_numpy() / SECOND, curve.to_numpy(), color=colour, label=name)
    kinds = (
        (events["severity"] == "warning", "o", "none", "warned"),
        (events["action"].isin(STOPPING), "X", colour, "stopped"),
        (events["action"] == "resume", "|", colour, "resumed"),
    )
    for chosen, marker, fill, word in kinds:
        times = events[chosen]["time"].to_numpy()
        if len(times):
            place = curve.index.searchsorted(times).clip(0, len(curve) - 1)
            axes.plot(
                times / SECOND, curve.to_numpy()[place], marker, color=colour, markerfacecolor=fill, markersize=8,
                label=f"{name} {word}",
            )  # fmt: skip


def _draw_limits(axes: Axes, events: pd.DataFrame) -> None:
    """A dashed line at each loss of a day that a strategy's own limit was about, where a day is all there is.

    On a second day, or after trading went on, the loss counts from another P&L than zero.
    """
    lost = events[(events["rule"] == "daily_loss") & (events["scope"] == "agent")]
    if (lost["action"] == "resume").any():
        return
    for number, limit in enumerate(sorted(set(lost["limit"]))):
        label = "daily loss limit" if number == 0 else None
        axes.axhline(-limit, color=style.GREY, linewidth=1.0, linestyle="--", zorder=1, label=label)
