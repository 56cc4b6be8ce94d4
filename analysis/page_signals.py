"""The section "Signals" of a report: what strategies meant to do, when and why. It comes only where they told it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from marketsim.analysis.figures.signals import signal_figure
from marketsim.analysis.page_parts import moment_text, table
from marketsim.analysis.page_words import Column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marketsim.domain.tables import MarketTables

MOST = 40  # signals that are shown one by one
MOST_FIGURES = 3  # agents whose signals are drawn
_KEYS = ("signal", "exit")
_PLACED = re.compile(r" at [0-9]")  # what the figure can place
_SUMS: tuple[Column, ...] = (
    ("signals", "signals", "", ",.0f"),
    ("exits", "exits", "", ",.0f"),
    ("first", "first at", "", ""),
    ("last", "last at", "", ""),
)
_SIGNALS: tuple[Column, ...] = (
    ("agent", "agent", "", ""),
    ("action", "action", "", ""),
    ("reason", "reason", "", ""),
)


def signal_log(tables: MarketTables) -> pd.DataFrame:
    """``time`` (ns), ``agent``, ``key``, ``value``, ``action`` and ``reason`` of what strategies told in annotations.

    Decisions to do nothing, and judgements that only repeat the one before, are left out. Empty without any signal.
    """
    notes: pd.DataFrame | None = getattr(tables, "annotations", None)
    if notes is None or not (notes["key"] == "signal").any():
        return pd.DataFrame()
    notes = notes[notes["key"].isin(_KEYS)]
    said = pd.DataFrame([_read(str(text)) for text in notes["value"]], columns=["action", "reason"], index=notes.index)
    found = notes[["time", "agent", "key", "value"]].join(said)
    repeated = (found["action"] == found.groupby("agent")["action"].shift()) & ~_placed(found)
    return found[~repeated & ~found["action"].str.startswith("HOLD")].reset_index(drop=True)


def signal_section(tables: MarketTables, figure: Callable[..., str]) -> Iterator[str]:
    """The section; nothing where nobody told a signal. ``figure``: makes a part of the page of a drawing."""
    found = signal_log(tables)
    if not len(found):
        return
    local = getattr(tables, "local_time", None)
    yield '<section id="signals"><h2>Signals</h2>'
    yield table(_sums(found, local), "agent", _SUMS, "A judgement that only repeats the one before is not counted.")
    for agent, symbol in _drawn(found, list(tables.instruments)):
        yield figure(
            _draw(tables, agent, symbol),
            f"{agent}: signals and exits on the price of {symbol}",
            f"{agent} tells why it wants to be long (upwards), short (downwards) or out (cross). Look what the "
            "price did after each.",
        )
    shown = found.tail(MOST)
    shown = shown.set_axis([moment_text(int(time), local) for time in shown["time"]])
    words = f"The last {MOST} of {len(found):,} signals and exits." if len(found) > MOST else "All signals and exits."
    yield table(shown, "time", _SIGNALS, words)
    yield "</section>"


def _placed(found: pd.DataFrame) -> pd.Series:
    """Which have a price, as signals that were acted upon have."""
    return found["value"].astype(str).str.contains(_PLACED)


def _read(text: str) -> tuple[str, str]:
    """Action and reason: of a mapping that has them, or the words before and after a colon."""
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if isinstance(told, dict) and "action" in told:
        action = " ".join(str(told[name]) for name in ("action", "instrument") if told.get(name))
        return action, str(told.get("reasoning", told.get("reason", "")))
    action, _, reason = text.partition(": ")
    return action, reason


def _sums(found: pd.DataFrame, local: Any) -> pd.DataFrame:
    """One row for each agent."""
    groups = found.groupby("agent", sort=False)
    return pd.DataFrame(
        {
            "signals": groups["key"].agg(lambda keys: int((keys == "signal").sum())),
            "exits": groups["key"].agg(lambda keys: int((keys == "exit").sum())),
            "first": [moment_text(int(time), local) for time in groups["time"].min()],
            "last": [moment_text(int(time), local) for time in groups["time"].max()],
        }
    )


def _drawn(found: pd.DataFrame, symbols: list[str]) -> list[tuple[str, str]]:
    """The agents with the most signals that have a price, each with the instrument of most of them."""
    placed = found[_placed(found)]
    counts: Counter[tuple[str, str]] = Counter()
    for agent, text in zip(placed["agent"], placed["value"], strict=True):
        counts.update((str(agent), symbol) for symbol in symbols if re.search(rf"\b{re.escape(symbol)}\b", str(text)))
    best: dict[str, str] = {}
    for (agent, symbol), _ in counts.most_common():
        best.setdefault(agent, symbol)
    return list(best.items())[:MOST_FIGURES]


def _draw(tables: Any, agent: str, symbol: str) -> Callable[[float], Figure]:
    return lambda width: signal_figure(tables, agent, symbol, width=width)
