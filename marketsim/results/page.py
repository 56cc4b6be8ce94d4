"""How a run shows itself in a notebook: what ran, its markets and its agents, in one small piece of HTML.

Plain sums of the run's tables, no analysis. Everything that a scenario may name is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from marketsim.domain.local_time import time_text
from marketsim.domain.units import format_duration

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.results.manifest import MarketEntry
    from marketsim.results.run import Run

_STYLE = (
    ".marketsim-run table{border-collapse:collapse;margin:.4em 0}"
    ".marketsim-run th,.marketsim-run td{padding:.15em .7em;text-align:right;border-bottom:1px solid #8884}"
    ".marketsim-run th:first-child,.marketsim-run td:first-child{text-align:left}"
    ".marketsim-run .warning{color:#b00020;font-weight:600}"
)


def page(run: Run) -> str:
    """The HTML of a run."""
    markets = _table(
        ("market", "trades", "volume", "first", "last", "low", "high", "mean spread"),
        (_market(run, market) for market in run.markets),
    )
    families = _table(("agents", "number", "type", "orders", "fills", "volume"), _families(run))
    return f'<div class="marketsim-run"><style>{_STYLE}</style>{_head(run)}{markets}{families}</div>'


def _head(run: Run) -> str:
    manifest = run.manifest
    span = format_duration(max(run.end - manifest.start, 0))
    warm_up = f", the first {format_duration(manifest.warm_up)} as warm-up" if manifest.warm_up else ""
    begin = time_text(manifest.start, manifest.local_time)
    what = f"<b>{escape(run.name)}</b>, seed {run.seed}: {span} from {begin}{warm_up}"
    lines = [f"{what}; {len(run.event_log):,} events, digest <code>{escape(run.digest[:16] or 'none')}</code>"]
    if not run.complete:
        lines.append(f'<span class="warning">{escape(manifest.status)}</span>')
    if run.path is not None:
        lines.append(f"in <code>{escape(str(run.path))}</code>")
    return "<br>".join(lines)


def _market(run: Run, market: MarketEntry) -> Iterable[str]:
    """The row of one market; prices and volume of measured time."""
    trades = _inside(run, _of(run.trades, market))
    price = trades["price"].to_numpy()
    yield f"{market.symbol} on {market.venue}" if market.venue else market.symbol
    yield f"{len(trades):,}"
    yield f"{trades['quantity'].sum():,.10g}"
    for value in (price[0], price[-1], price.min(), price.max()) if len(price) else ("–",) * 4:
        yield f"{value}"
    yield _mean_spread(run, _of(run.quotes, market))


def _mean_spread(run: Run, quotes: pd.DataFrame) -> str:
    """Quoted spread averaged over measured time in which both sides were there."""
    time = np.clip(quotes["time"].to_numpy(), run.start, run.end)
    spread = quotes["ask"].to_numpy() - quotes["bid"].to_numpy()
    lasted = np.diff(np.append(time, run.end)).astype(float)
    lasted[np.isnan(spread)] = 0.0
    if not lasted.sum() > 0:
        return "–"
    return f"{np.average(np.nan_to_num(spread), weights=lasted):.4g}"


def _families(run: Run) -> Iterable[Sequence[str]]:
    """A row for each family of agents."""
    agents, orders, trades = run.agents, run.orders, run.trades
    sent = orders.groupby("agent").size()
    sides = [trades.groupby(side)["quantity"].agg(["size", "sum"]) for side in ("taker", "maker")]
    for family, members in agents.groupby("family", sort=False):
        names = members["name"]
        filled = {what: sum(side[what].reindex(names).fillna(0).sum() for side in sides) for what in ("size", "sum")}
        kinds = ", ".join(members["type"].unique())
        count = f"{int(sent.reindex(names).fillna(0).sum()):,}"
        yield str(family), f"{len(members):,}", kinds, count, f"{int(filled['size']):,}", f"{filled['sum']:,.10g}"


def _of(rows: pd.DataFrame, market: MarketEntry) -> pd.DataFrame:
    return rows[(rows["instrument"] == market.symbol) & (rows["venue"] == market.venue)]


def _inside(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["time"] >= run.start) & (rows["time"] <= run.end)]


def _table(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [_line("th", head), *(_line("td", row) for row in rows)]
    return f"<table>{''.join(lines)}</table>" if len(lines) > 1 else ""


def _line(tag: str, cells: Iterable[Any]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"
