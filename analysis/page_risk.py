"""The section "Risk" of a report: who was stopped, and what every limit did. It comes only where risk control spoke."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from marketsim.analysis.figures.risk import risk_figure
from marketsim.analysis.page_parts import moment_text, table
from marketsim.analysis.page_words import Column
from marketsim.domain.local_time import LocalTime
from marketsim.domain.risk import STOPPING

if TYPE_CHECKING:
    from marketsim.analysis.accounting import Accounts
    from marketsim.domain.tables import MarketTables

MOST = 40  # events that are shown one by one
_SUMS: tuple[Column, ...] = (
    ("scope", "limits of", "", ""),
    ("rule", "rule", "", ""),
    ("severity", "severity", "", ""),
    ("action", "done", "", ""),
    ("count", "times", "", ",.0f"),
    ("first", "first at", "", ""),
    ("last", "last at", "", ""),
)
_EVENTS: tuple[Column, ...] = (
    ("agent", "agent", "", ""),
    ("severity", "severity", "", ""),
    ("action", "done", "", ""),
    ("rule", "rule", "", ""),
    ("text", "what happened", "", ""),
)


def risk_log(tables: MarketTables) -> pd.DataFrame:
    """What risk control decided, a row each; empty where the tables are those of a market without it."""
    found: Any = getattr(tables, "risk", None)
    return pd.DataFrame() if found is None else found


def risk_section(tables: MarketTables, books: Accounts, figure: Callable[..., str]) -> Iterator[str]:
    """The section; nothing where there is nothing to tell. ``figure``: makes a part of the page of a drawing."""
    risk = risk_log(tables)
    if not len(risk):
        return
    local = getattr(tables, "local_time", None)
    yield '<section id="risk"><h2>Risk</h2>'
    yield f"<p>{escape(_lead(risk))}</p>"
    if (risk["action"] != "refuse").any():
        guarded: Any = tables
        yield figure(
            lambda width: risk_figure(guarded, books=books, width=width),
            "P&L of the strategies that risk control warned or stopped",
            "An open dot is a warning, a cross a stop. After a stop that closes positions a line stays flat; one that "
            "goes on to move still holds something.",
        )
    events = risk[(risk["action"] != "refuse") & (risk["severity"] != "warning")]
    if len(events):
        more = f" The first {MOST} of {len(events):,}." if len(events) > MOST else ""
        shown = events.head(MOST).set_axis([moment_text(int(t), local) for t in events["time"].head(MOST)])
        yield table(shown, "time", _EVENTS, f"Limits that were passed, stops, and trading that went on again.{more}")
    yield table(_sums(risk, local), "agent", _SUMS, "Every decision, by agent, rule and what was done.")
    yield "</section>"


def _lead(risk: pd.DataFrame) -> str:
    names = list(dict.fromkeys(risk[risk["action"].isin(STOPPING)]["agent"]))
    refused = int((risk["action"] == "refuse").sum())
    warned = int((risk["severity"] == "warning").sum())
    rest = f"{refused:,} requests were refused, {warned:,} warnings given."
    if not names:
        return f"No strategy was stopped. {rest}"
    who = ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:8])} and {len(names) - 8} more"
    return f"Stopped: {who}. {rest}"


def _sums(risk: pd.DataFrame, local: LocalTime | None) -> pd.DataFrame:
    """One row for each agent, rule and action, the gravest first."""
    keys = ["agent", "scope", "rule", "severity", "action"]
    sums = risk.groupby(keys, sort=False)["time"].agg(["count", "min", "max"]).reset_index()
    order = {"critical": 0, "breach": 1, "warning": 2, "info": 3}
    sums = sums.sort_values("severity", key=lambda column: column.map(order), kind="stable")
    sums["first"] = [moment_text(int(time), local) for time in sums["min"]]
    sums["last"] = [moment_text(int(time), local) for time in sums["max"]]
    return sums.set_index("agent")
