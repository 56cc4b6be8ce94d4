"""The section "Labels" of a report: what orders were for, as those who sent them said. It comes only where some did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from marketsim.analysis.figures.stress import stress_figure
from marketsim.analysis.ground_truth import labels
from marketsim.analysis.page_parts import moment_text, table
from marketsim.analysis.page_words import Column
from marketsim.domain.label import LABEL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marketsim.domain.tables import MarketTables

MOST = 40  # kinds, roles and agents that are shown
MOST_FIGURES = 2  # instruments that are drawn
_SUMS: tuple[Column, ...] = (
    ("kind", "kind", "", ""),
    ("role", "role", "", ""),
    ("instrument", "instrument", "", ""),
    ("orders", "orders", "", ",.0f"),
    ("episodes", "episodes", "", ",.0f"),
    ("quantity", "quantity", "units", ",.0f"),
    ("filled", "filled", "of it", ".0%"),
    ("first", "first at", "", ""),
    ("last", "last at", "", ""),
)


def label_log(tables: MarketTables) -> pd.DataFrame:
    """``labels`` of a run; empty for tables without any."""
    notes: pd.DataFrame | None = getattr(tables, "annotations", None)
    if notes is None or not (notes["key"] == LABEL).any():
        return pd.DataFrame()
    known: Any = tables
    return labels(known)


def label_section(tables: MarketTables, figure: Callable[..., str]) -> Iterator[str]:
    """The section; nothing where no order is labelled. ``figure``: makes a part of the page of a drawing."""
    found = label_log(tables)
    if not len(found):
        return
    yield '<section id="labels"><h2>Labels</h2>'
    sums = _sums(found, getattr(tables, "local_time", None))
    more = f" The first {MOST} of {len(sums):,} rows." if len(sums) > MOST else ""
    words = f"What {len(found):,} orders were for, as their senders said: the truth that a detector is scored by.{more}"
    yield table(sums.head(MOST), "agent", _SUMS, words)
    for symbol in list(found["instrument"].value_counts().index)[:MOST_FIGURES]:
        yield figure(
            _draw(tables, str(symbol)),
            f"{symbol}: price with labelled orders, quantity at the best prices, and volume",
            "Each labelled order at its price while it rested, a cross where it was sent at market. Look whether the "
            "quantity at the best prices leans where decoys stand, and which way the price goes then.",
        )
    yield "</section>"


def _sums(found: pd.DataFrame, local: Any) -> pd.DataFrame:
    """One row for each agent, kind, role and instrument."""
    groups = found.groupby(["agent", "kind", "role", "instrument"], sort=False)
    sums = groups.agg(
        orders=("order", "size"),
        episodes=("episode", "nunique"),
        quantity=("quantity", "sum"),
        done=("filled", "sum"),
        begun=("start", "min"),
        over=("start", "max"),
    ).reset_index()
    sums["filled"] = sums["done"] / sums["quantity"]
    sums["first"] = [moment_text(int(time), local) for time in sums["begun"]]
    sums["last"] = [moment_text(int(time), local) for time in sums["over"]]
    sums["kind"] = sums["kind"].str.replace("_", " ")
    return sums.set_index("agent")


def _draw(tables: Any, symbol: str) -> Callable[[float], Figure]:
    return lambda width: stress_figure(tables, symbol, width=width)
