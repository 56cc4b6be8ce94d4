"""The section "Surveillance" of a report: alerts, and how good they are where the truth is labelled.

It comes only where there are alerts, or labels of what they look for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pandas as pd

from marketsim.analysis.detection import KINDS, ROLE, score_alerts
from marketsim.analysis.figures.surveillance import surveillance_figure
from marketsim.analysis.page_labels import label_log
from marketsim.analysis.page_parts import moment_text, table
from marketsim.analysis.page_words import Column
from marketsim.analysis.summary import number
from marketsim.analysis.surveillance import THRESHOLD, surveil

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marketsim.domain.tables import MarketTables

MOST = 20  # alerts that are listed
_ALERTS: tuple[Column, ...] = (
    ("kind", "kind", "", ""),
    ("instrument", "instrument", "", ""),
    ("at", "from", "", ""),
    ("seconds", "lasted", "s", ",.2f"),
    ("score", "score", "0 … 1", ".2f"),
    ("reason", "why", "", ""),
)
_SHARES: tuple[Column, ...] = (("value", "share", "", ".0%"), ("count", "of", "", ",.0f"), ("interval", "95 %", "", ""))


def alerts_of(tables: MarketTables) -> pd.DataFrame:
    """All that ``surveil`` scores; empty where orders name no participants."""
    orders = tables.orders
    if not len(orders) or not (orders["agent"] != "").any():
        return pd.DataFrame({"score": []})
    return surveil(tables, threshold=0.0)


def has_surveillance(tables: MarketTables, alerts: pd.DataFrame) -> bool:
    """Whether the section comes."""
    labels = label_log(tables)
    return bool((alerts["score"] >= THRESHOLD).any()) or (len(labels) > 0 and bool(_truth(labels).any()))


def surveillance_section(tables: MarketTables, alerts: pd.DataFrame, figure: Callable[..., str]) -> Iterator[str]:
    """The section; nothing where there is nothing to tell. ``figure``: makes a part of the page of a drawing."""
    if not has_surveillance(tables, alerts):
        return
    labels = label_log(tables)
    yield '<section id="surveillance"><h2>Surveillance</h2>'
    chosen = alerts[alerts["score"] >= THRESHOLD].sort_values("score", ascending=False)
    shown = chosen.head(MOST)
    local = getattr(tables, "local_time", None)
    shown = shown.assign(
        at=[moment_text(int(time), local) for time in shown["start"]], seconds=(shown["end"] - shown["start"]) / 1e9
    )
    more = f" The {MOST} with the highest scores of {len(chosen):,}." if len(chosen) > MOST else ""
    words = f"Alerts of spoofing and layering, score {THRESHOLD:g} or more: reasons to look, no verdicts.{more}"
    yield table(shown.set_index("agent"), "participant", _ALERTS, words)
    if len(labels) and _truth(labels).any():
        yield _score(chosen, labels)
    for symbol in list(alerts["instrument"].value_counts().index)[:1]:
        yield figure(
            _draw(tables, str(symbol), labels if len(labels) else None, alerts),
            f"{symbol}: mid with the orders of alerts, and the alert with the highest score from near",
            "Above: the orders of each alert at their prices while they stood. Then the clearest case: large orders on "
            "one side that vanish once a small one on the other side is done.",
        )
    yield "</section>"


def _truth(labels: pd.DataFrame) -> pd.Series:
    return labels["kind"].isin(KINDS) & (labels["role"] == ROLE)


def _score(chosen: pd.DataFrame, labels: pd.DataFrame) -> str:
    score = score_alerts(chosen, labels)
    shares = {
        "alerts that were right": score.precision,
        "episodes that were found": score.recall,
        "orders that were right": score.order_precision,
        "orders that were found": score.order_recall,
    }
    rows = {
        words: (share.value, share.count, " … ".join(number(edge, ".0%") for edge in share.interval))
        for words, share in shares.items()
    }
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "count", "interval"])
    return table(frame, "against the labels", _SHARES, "How good the alerts are: labelled decoys are the truth.")


def _draw(
    tables: MarketTables, symbol: str, labels: pd.DataFrame | None, alerts: pd.DataFrame
) -> Callable[[float], Figure]:
    return lambda width: surveillance_figure(tables, symbol, labels=labels, alerts=alerts, width=width)
