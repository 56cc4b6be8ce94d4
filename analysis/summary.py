"""The table at the end of a run: a row an agent family, a row an instrument.

It adds up what the other modules measure; it measures nothing itself and imports rich only to print.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marketsim.analysis.accounting import Accounts, accounts
from marketsim.analysis.execution_report import executions, largest, named_orders
from marketsim.analysis.liquidity import best_depth
from marketsim.analysis.prices import realized_volatility
from marketsim.analysis.spreads import effective_spread, quoted_spread
from marketsim.analysis.tape import Floats, Tape

if TYPE_CHECKING:
    from rich.console import Group

    from marketsim.domain.tables import MarketTables

MOST_EXECUTIONS = 12
FAMILY_COLUMNS = ("agents", "orders", "fills", "volume", "pnl", "position", "fees")


@dataclass(frozen=True)
class Summary:
    """What happened, in two tables, or three where parent orders were executed.

    ``families`` (index family): agents, orders, fills, volume (units), pnl (currency), position (units), fees
    (currency, negative when paid); ``market`` (index instrument): see ``market_table``; ``executions``: see there.
    """

    families: pd.DataFrame
    market: pd.DataFrame
    executions: pd.DataFrame | None = None

    def __str__(self) -> str:
        return "\n\n".join(_plain(cells) for cells in self._tables().values())

    def rich(self) -> Group:
        """Both tables for ``rich.print``; gains green, losses red."""
        from rich.console import Group

        tables = [_rich(cells, title) for title, cells in self._tables().items()]
        return Group(*(part for table in tables for part in (table, "")))

    def _tables(self) -> dict[str, list[list[str]]]:
        """Titles and cells; a few instruments stand side by side, so that a terminal of 80 columns is enough."""
        tables = {"Market": _cells(self.market, "instrument", MARKET_LABELS, turned=len(self.market) <= 5)}
        if len(self.families):
            tables["Agents by family"] = _cells(self.families, "family", FAMILY_LABELS, turned=False)
        if self.executions is not None and len(self.executions):
            tables["Executions"] = _cells(_shown(self.executions), "parent order", EXECUTION_LABELS, turned=False)
        return tables


MARKET_LABELS = {
    "trades": ("trades", ",.0f"),
    "volume": ("volume", ",.0f"),
    "open": ("first mid", ",.2f"),
    "close": ("last mid", ",.2f"),
    "low": ("low", ",.2f"),
    "high": ("high", ",.2f"),
    "spread": ("spread", ",.4f"),
    "spread_bps": ("spread bps", ",.2f"),
    "effective_spread_bps": ("effective bps", ",.2f"),
    "best_depth": ("depth at best", ",.1f"),
    "volatility_bps": ("volatility bps/√min", ",.2f"),
}
FAMILY_LABELS = {
    "agents": ("agents", ",.0f"),
    "orders": ("orders", ",.0f"),
    "fills": ("fills", ",.0f"),
    "volume": ("volume", ",.0f"),
    "pnl": ("P&L", "+,.2f"),
    "position": ("inventory", "+,.0f"),
    "fees": ("fees", "+,.2f"),
}
EXECUTION_LABELS = {
    "algorithm": ("algorithm", ""),
    "side": ("side", ""),
    "quantity": ("wanted", ",.0f"),
    "fill_rate": ("filled", ".0%"),
    "participation": ("share", ".1%"),
    "average_price": ("average", ",.2f"),
    "shortfall_bps": ("shortfall bps", ",.2f"),
    "vwap_bps": ("to VWAP bps", ",.2f"),
    "left_because": ("left because", ""),
}
TEXTS = ("algorithm", "left because")  # columns of words


def summarize(tables: MarketTables, books: Accounts | None = None) -> Summary:
    """The summary of a run or a recorded day; ``books`` saves computing the accounts again."""
    books = accounts(tables) if books is None else books
    return Summary(family_table(books), market_table(tables), executions(tables))


def family_table(books: Accounts) -> pd.DataFrame:
    """The columns FAMILY_COLUMNS of ``books.families``."""
    return books.families[[name for name in FAMILY_COLUMNS if name in books.families.columns]]


def market_table(tables: MarketTables) -> pd.DataFrame:
    """One row an instrument, over [start, end].

    ``trades``, ``volume`` (units), ``open``, ``close``, ``low``, ``high`` of the mid (currency), ``spread``
    (time-weighted quoted, currency), ``spread_bps`` (of the mid), ``effective_spread_bps``, ``best_depth`` (units, mean
    of both sides), ``volatility_bps`` (realized, basis points per square root of a minute, from 10 s returns),
    ``currency``.
    """
    rows = {symbol: _market_row(Tape.of(tables, symbol)) for symbol in tables.instruments}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("instrument")


def _shown(found: pd.DataFrame) -> pd.DataFrame:
    """The largest parent orders, by agent and number; why something is left, where it is."""
    shown = named_orders(found.iloc[largest(found, MOST_EXECUTIONS)])
    return shown if (shown["left_because"] != "").any() else shown.drop(columns="left_because")


def _market_row(tape: Tape) -> dict[str, Any]:
    return {**{name: measure(tape) for name, measure in MARKET_MEASURES.items()}, "currency": tape.currency}


def _mids(tape: Tape) -> Floats:
    """The mids in force inside [start, end]."""
    inside = np.concatenate((tape.at(tape.mid, np.array([tape.start])), tape.mid[tape.quote_time >= tape.start]))
    return inside[~np.isnan(inside)]


def _of_mids(measure: Callable[[Floats], float]) -> Callable[[Tape], float]:
    def measured(tape: Tape) -> float:
        mids = _mids(tape)
        return float(measure(mids)) if len(mids) else float("nan")

    return measured


MARKET_MEASURES: dict[str, Callable[[Tape], float]] = {
    "trades": lambda tape: len(tape.price),
    "volume": lambda tape: float(tape.quantity.sum()),
    "open": _of_mids(lambda mids: mids[0]),
    "close": _of_mids(lambda mids: mids[-1]),
    "low": _of_mids(np.min),
    "high": _of_mids(np.max),
    "spread": quoted_spread,
    "spread_bps": lambda tape: quoted_spread(tape, unit="bps"),
    "effective_spread_bps": lambda tape: effective_spread(tape, unit="bps"),
    "best_depth": best_depth,
    "volatility_bps": lambda tape: realized_volatility(tape, "10s"),
}
"""The numbers of ``market_table``, one at a time."""


def number(value: object, form: str) -> str:
    """A number for people: thousands marked, a true minus sign, and – where there is none."""
    if isinstance(value, str):
        return value
    amount = float(value)  # type: ignore[arg-type]
    if np.isnan(amount):
        return "–"
    if np.isinf(amount):
        return "∞" if amount > 0 else "-∞"
    text = format(amount, form)
    return text[1:] if text[0] in "+-" and not any(digit in text for digit in "123456789") else text.replace("-", "−")


def _cells(table: pd.DataFrame, index: str, labels: dict[str, tuple[str, str]], turned: bool) -> list[list[str]]:
    """Text, the heading first; ``turned`` puts a measure in each row."""
    shown = [name for name in labels if name in table.columns]
    columns = [[str(key), *(number(row[name], labels[name][1]) for name in shown)] for key, row in table.iterrows()]
    lines = [[index, *(labels[name][0] for name in shown)], *columns]
    return [list(line) for line in zip(*lines, strict=True)] if turned else lines


def _plain(cells: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _rich(cells: list[list[str]], title: str) -> Any:
    from rich import box
    from rich.table import Table

    result = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=0,
    )
    money = cells[0].index(FAMILY_LABELS["pnl"][0]) if FAMILY_LABELS["pnl"][0] in cells[0] else -1
    narrow = "algorithm" in cells[0]  # a table with words, which a narrow terminal may break, headings too
    for place, heading in enumerate(cells[0]):
        justify: Any = "left" if heading in TEXTS or not place else "right"
        least = (
            None
            if heading in TEXTS or not place
            else max(map(len, [*heading.split(), *(line[place] for line in cells[1:])]))
        )
        result.add_column(heading, justify=justify, no_wrap=not narrow, overflow="fold", min_width=least)
    for line in cells[1:]:
        result.add_row(*(_coloured(cell) if place == money else cell for place, cell in enumerate(line)))
    return result


def _coloured(text: str) -> str:
    return {"+": f"[green]{text}[/green]", "−": f"[red]{text}[/red]"}.get(text[0], text)
