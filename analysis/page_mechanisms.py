"""Which figures of mechanisms a report shows: auctions, interruptions, trading days, several venues, contracts.

A figure comes only where there is something to see: a plain market's page is no longer for what others have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from marketsim.analysis import figures
from marketsim.analysis.figures.contracts import clearing_figure
from marketsim.analysis.figures.venues import venue_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marketsim.domain.tables import MarketTables


@dataclass(frozen=True)
class Shown:
    """One figure: how it is drawn at a width in inches, its words for those who cannot see it, and what to look at."""

    draw: Callable[[float], Figure]
    alt: str
    words: str


def mechanisms(tables: MarketTables, symbol: str) -> Iterator[Shown]:
    """The figures of what this instrument's market has beside continuous trading on one venue."""
    yield from _sessions(tables, symbol)
    if tables.quotes["venue"].nunique() > 1:
        yield from _venues(tables, symbol)
    if len(_rows(tables, "marks", symbol)):
        yield Shown(
            _drawn(clearing_figure, tables, symbol),
            f"{symbol}: mark and index, calls and liquidations, premium and funding",
            "Where the mark leaves the index, funding pulls it back: longs pay while it is above. A liquidation moves "
            "the price towards the next one; many in a row are a cascade.",
        )


def _sessions(tables: MarketTables, symbol: str) -> Iterator[Shown]:
    phases = _rows(tables, "phases", symbol)
    names = set(phases["phase"]) | set(phases["before"]) if len(phases) else set()
    unforeseen = phases[phases["reason"] != "SCHEDULE"] if len(phases) else phases
    if "HALT" in names or len(unforeseen):
        yield Shown(
            _drawn(figures.interruptions, tables, symbol),
            f"{symbol}: price, phases and trades a minute",
            "Look what the price did before an interruption, and whether the auction's price was that of the trades "
            "after it. Spreads, mids and depth on this page are those of continuous trading.",
        )
    days = len(phases[phases["phase"] == "CLOSED"]) if len(phases) else 0
    if days > 1:
        yield Shown(
            _drawn(figures.trading_days, tables, symbol),
            f"{symbol}: the price of each trading day, and the gaps between them",
            "Nights are left out. The gap between an evening and the next morning is the opening auction's to find.",
        )
    elif names & {"OPENING_AUCTION", "CLOSING_AUCTION", "VOLATILITY_AUCTION"}:
        yield Shown(
            _drawn(figures.auction, tables, symbol),
            f"{symbol}: indicative price, volume and surplus of the first auction",
            "The indicative price should come to rest near the price of the trades after the auction. A surplus that "
            "stays on one side says that the price is about to move.",
        )


def _venues(tables: MarketTables, symbol: str) -> Iterator[Shown]:
    yield Shown(
        _drawn(venue_figure, tables, symbol),
        f"{symbol}: who takes and makes where, who shows the best price, what the venues keep",
        "Flow that is routed goes where it is cheapest after fees; the rest is at home somewhere. A venue that is "
        "seldom alone at the best price lives on what others could not fill.",
    )


def _drawn(draw: Callable[..., Figure], tables: MarketTables, symbol: str) -> Callable[[float], Figure]:
    return lambda width: draw(tables, symbol, width=width)


def _rows(tables: MarketTables, name: str, symbol: str) -> Any:
    """The rows of one instrument in a table that not every source has."""
    table: Any = getattr(tables, name, None)
    return () if table is None or len(table) == 0 else table[table["instrument"] == symbol]
