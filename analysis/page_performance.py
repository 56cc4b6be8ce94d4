"""Parts of a report about how agents did: every measure of those that are one of a kind, and what each rule earned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pandas as pd

from marketsim.analysis.accounting import Accounts
from marketsim.analysis.attribution import rule_contribution
from marketsim.analysis.figures.rules import rule_figure
from marketsim.analysis.page_parts import table, text_table
from marketsim.analysis.page_words import Column
from marketsim.analysis.scorecard import performance_table
from marketsim.analysis.summary import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marketsim.domain.tables import MarketTables

MOST_CARDS = 5  # agents whose measures are shown
MOST_FIGURES = 3  # agents whose rules are drawn
_LARGE = 1e6
_RULES: tuple[Column, ...] = (
    ("trades", "trades", "", ",.0f"),
    ("win_rate", "won", "", ".0%"),
    ("gross", "gross", "{currency}", "+,.2f"),
    ("fees", "fees", "{currency}", "+,.2f"),
    ("pnl", "P&L", "{currency}", "+,.2f"),
    ("standard_error", "± s.e.", "{currency}", ",.2f"),
    ("mean", "a trade", "{currency}", "+,.3f"),
    ("share", "share", "of the agent's", ".0%"),
)


def measures_part(tables: MarketTables, books: Accounts) -> Iterator[str]:
    """All measures of the agents that are the only one of their family and traded most; nothing where none is."""
    frame = books.table
    alone = frame[(frame.groupby("family")["fills"].transform("size") == 1) & (frame["fills"] > 0)]
    names = list(alone["value"].sort_values(ascending=False, kind="stable").index[:MOST_CARDS])
    if not names:
        return
    found = performance_table(tables, names, books=books)
    found["text"] = [_text(value, unit) for value, unit in zip(found["value"], found["unit"], strict=True)]
    order = found.loc[found["agent"] == names[0], ["measure", "unit"]]
    wide = found.pivot(index="measure", columns="agent", values="text").loc[order["measure"], names]
    units = dict(zip(order["measure"], order["unit"].replace({"1": ""}), strict=True))
    rows = [
        (measure.replace("_", " "), units[measure], list(row))
        for measure, row in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    yield (
        '<details class="box"><summary>Every measure of the agents that are one of a kind</summary>'
        + text_table(names, "measure", rows)
        + "<p>Returns are of the initial cash; a dash is a measure that is not defined here. A short run annualised "
        "says how fast, and not what a year would bring.</p></details>"
    )


def rule_section(tables: MarketTables, books: Accounts, currency: str, figure: Callable[..., str]) -> Iterator[str]:
    """The section "Rules"; nothing where nobody said a rule. ``figure``: makes a part of the page of a drawing."""
    found = rule_contribution(tables, books=books)
    if not len(found):
        return
    agents = list(dict.fromkeys(found["agent"]))
    yield '<section id="rules"><h2>Rules</h2>'
    for agent in agents[:MOST_FIGURES]:
        yield figure(
            _draw(tables, agent, books),
            f"{agent}: realised P&L by the rule that entered and by the rule that left",
            f"{agent}: each of its closed trades counts once on the left and once on the right, so both sides add up "
            "to its realised P&L after fees. A bar that is shorter than its whiskers may be luck.",
        )
    columns = [(name, head, unit.format(currency=currency), form) for name, head, unit, form in _RULES]
    for by, word in (("entry", "entered"), ("exit", "left")):
        shown = found if by == "entry" else rule_contribution(tables, by="exit", books=books)
        names = shown[f"{by}_rule"] if len(agents) == 1 else shown["agent"] + ": " + shown[f"{by}_rule"]
        words = f"P&L by the rule that {word}. Gross adds up to the realised P&L of each agent."
        yield table(shown.set_index(pd.Index(names)), f"{by} rule", columns, words)
    yield "</section>"


def _draw(tables: MarketTables, agent: str, books: Accounts) -> Callable[[float], Figure]:
    return lambda width: rule_figure(tables, agent, books=books, width=width)


def _text(value: float, unit: str) -> str:
    if unit == "trades":
        return number(value, ",.0f")
    size = abs(value)
    if size >= _LARGE:
        return number(value, ".2e")
    return number(value, ",.2f" if size >= 10 else ".4f" if size >= 0.001 or size == 0 else ".3g")
