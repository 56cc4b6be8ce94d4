"""What each rule of a strategy earned, by the rule that entered and by the one that left, with its uncertainty."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marketsim.analysis.accounting import Accounts, accounts
from marketsim.analysis.attribution import rule_contribution
from marketsim.analysis.figures import style
from marketsim.analysis.summary import number
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

MOST_RULES = 8
_LETTERS = 30  # of a line of a rule's name


@style.styled
def rule_figure(
    tables: MarketTables, agent: str | None = None, *, books: Accounts | None = None, width: float = style.WIDTH
) -> Figure:
    """Realised P&L of an agent by entry rule and by exit rule, with bars of two standard errors.

    ``agent`` may be left out where only one said rules. Of more than MOST_RULES
    those that earned or lost most are drawn.
    """
    books = accounts(tables) if books is None else books
    agent = _only(tables, books) if agent is None else agent
    if not agent:
        return style.empty(style.canvas(width, 3.0), "nobody said a rule")
    sides = [_largest(rule_contribution(tables, agent, by=by, books=books)) for by in ("entry", "exit")]
    narrow = width < style.NARROW
    if not len(sides[0]):
        return style.empty(style.canvas(width, 3.0), f"{agent}: no position was closed")
    tall = [1.3 + 0.66 * len(side) for side in sides]
    figure = style.canvas(width, sum(tall) if narrow else max(tall))
    panels = style.panels(figure, 2, columns=1 if narrow else 2)
    currency = "/".join(sorted({one.currency for one in tables.instruments.values()}))
    for axes, side, name in zip(panels, sides, ("entry", "exit"), strict=True):
        _draw(axes, side, name)
        axes.set_xlabel(f"realised P&L ({currency}), ± 2 s.e.")
    return figure


def _only(tables: MarketTables, books: Accounts) -> str:
    names = sorted(set(rule_contribution(tables, books=books)["agent"]))
    if len(names) > 1:
        raise InvalidValueError(f"agent: {', '.join(names)} said rules; name one")
    return names[0] if names else ""


def _largest(found: pd.DataFrame) -> pd.DataFrame:
    kept = np.sort(np.argsort(-found["pnl"].abs().to_numpy(np.float64), kind="stable")[:MOST_RULES])
    return found.iloc[kept]


def _draw(axes: Axes, side: pd.DataFrame, name: str) -> None:
    place = np.arange(len(side))[::-1]
    pnl = side["pnl"].to_numpy(np.float64)
    error = 2 * side["standard_error"].to_numpy(np.float64)
    colours = [style.GREEN if value >= 0 else style.VERMILLION for value in pnl]
    axes.barh(place, pnl, height=0.5, color=colours, linewidth=0)
    known = ~np.isnan(error)  # of one trade nothing is known
    axes.errorbar(
        pnl[known], place[known], xerr=error[known], fmt="none", ecolor=style.BLACK, elinewidth=1.0, capsize=2.5
    )
    axes.axvline(0, color=style.GREY, linewidth=0.7)
    axes.set_yticks(place, [_told(row, row[f"{name}_rule"]) for row in side.to_dict("records")], fontsize=8.5)
    axes.set_ylim(-0.6, len(side) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_title(f"By {name} rule")
    style.plain_numbers(axes, "x", sign=True, most=4)


def _told(row: dict[Hashable, Any], rule: str) -> str:
    """The rule, and below it what it came to."""
    trades = f"{row['trades']:,} trade{'' if row['trades'] == 1 else 's'}"
    return f"{_wrapped(rule)}\n{number(row['pnl'], '+,.2f')} · {trades} · {row['win_rate']:.0%} won"


def _wrapped(rule: str) -> str:
    lines = textwrap.wrap(rule, _LETTERS) or [rule]
    return "\n".join([*lines[:2], lines[2][: _LETTERS - 1] + "…"] if len(lines) > 3 else lines)
