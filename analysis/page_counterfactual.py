"""The page of a counterfactual: what was asked, headline numbers, the curves, a table. It measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

import pandas as pd

from marketsim.analysis.figures.counterfactual import UNIT_WORDS, counterfactual_figure
from marketsim.analysis.files import write_text
from marketsim.analysis.page_parts import box, cards, document, figure, footer, header, notice, table
from marketsim.analysis.page_words import Column
from marketsim.analysis.summary import number

_FORM = "+,.2f"
_TILES = 4  # orders that have tiles of their own; all are in the table
_READING = (
    "Both markets are the same up to the order, and everybody draws the same random numbers in both: the difference is "
    "the order's doing. A band that holds zero says that nothing is known yet; more seeds tell more. What is left at "
    "the end of the horizon is called lasting: its mean over the last tenth."
)


def counterfactual_page(
    path: str | Path,
    curves: pd.DataFrame,
    orders: pd.DataFrame,
    unit: str,
    confidence: float,
    *,
    title: str,
    facts: Mapping[str, str],
) -> Path:
    """Write the page to ``path``: one file that needs no network. The tables are those of the figure.

    facts: how it was found out, in words by what they tell. Raises StoreError when it cannot be written.
    """
    return write_text(Path(path), document(title, _body(curves, orders, unit, confidence, title, facts)))


def verdict(orders: pd.DataFrame, unit: str, confidence: float) -> str:
    """What lasts of each order, and whether it is told from chance, in a sentence or two."""
    sure = [_lasting(row, unit) for _, row in orders.iterrows() if _known(row)]
    rest = [_lasting(row, unit) for _, row in orders.iterrows() if not _known(row)]
    parts = []
    if sure:
        parts.append(f"Clearly not chance ({confidence * 100:.4g} %): {'; '.join(sure)}.")
    if rest:
        parts.append(f"May be chance: {'; '.join(rest)}; more seeds tell more.")
    return " ".join(parts)


def _known(row: pd.Series) -> bool:
    """Whether the interval of the lasting impact leaves 0 out."""
    return bool(row["low"] > 0 or row["high"] < 0)


def _lasting(row: pd.Series, unit: str) -> str:
    interval = f"{number(row['low'], _FORM)} to {number(row['high'], _FORM)}"
    return f"what {row['order']} leaves, {number(row['lasting'], _FORM)} {unit} ({interval})"


def _body(
    curves: pd.DataFrame, orders: pd.DataFrame, unit: str, confidence: float, title: str, facts: Mapping[str, str]
) -> Iterator[str]:
    yield header(title, " · ".join(f"{name}: {words}" for name, words in facts.items()))
    sure = all(_known(row) for _, row in orders.iterrows())
    yield (box if sure else notice)(verdict(orders, unit, confidence))
    yield cards(list(_headlines(orders, unit)))
    yield figure(
        lambda width: counterfactual_figure(curves, orders, unit, confidence, width=width),
        "Mean difference of the mid with and without the order over time, with its band",
        _READING,
    )
    words = f"Impact and cost in {UNIT_WORDS.get(unit, unit)}; positive where the price went with the order."
    yield table(orders.set_index("order"), "order", _columns(unit, confidence), words)
    lines = "".join(f"<div><dt>{escape(name)}:</dt> <dd>{escape(words)}</dd></div>" for name, words in facts.items())
    yield f'<section><h2>How it was found out</h2><dl class="box facts">{lines}</dl></section>'
    yield footer("Simulated time throughout; quantities are in units.")


def _headlines(orders: pd.DataFrame, unit: str) -> Iterator[tuple[str, str]]:
    for _, row in orders.head(_TILES).iterrows():
        chance = "" if _known(row) else "; may be chance"
        yield number(row["lasting"], _FORM), f"{unit} last of {row['order']}{chance}"
        yield number(row["cost"], _FORM), f"{unit} paid beyond the mid by {row['order']}"
    yield f"{orders['seeds'].min()}", "seeds"


def _columns(unit: str, confidence: float) -> tuple[Column, ...]:
    inside = f"{confidence * 100:.4g} %"
    return (
        ("executed", "executed", "units", ",.0f"),
        ("cost", "cost", unit, ",.2f"),
        ("peak", "peak", unit, ",.2f"),
        ("peak_seconds", "peak after", "s", ",.1f"),
        ("lasting", "lasting", unit, ",.2f"),
        ("low", "from", inside, ",.2f"),
        ("high", "to", inside, ",.2f"),
        ("left", "left", "of the peak", ".0%"),
        ("gain", "gain of pairing", "times", ",.1f"),
        ("seeds", "seeds", "", ",.0f"),
    )
