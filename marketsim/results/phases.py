"""Tables of a run's phases and auctions, from the rows of its log that are about markets rather than orders.

Columns are those of ``domain.tables``; nothing is computed here that a row does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.domain import tables as shapes
from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, Reason
from marketsim.domain.phase import Phase
from marketsim.results.events import Events, block_rows
from marketsim.results.frames import empty, frame, text
from marketsim.results.manifest import Manifest
from marketsim.results.tables import Names, prices, quantities

if TYPE_CHECKING:
    import pandas as pd

_PHASES = [phase.name for phase in sorted(Phase)]
_REASONS = ["", *(Reason(code).name if code in Reason._value2member_map_ else "" for code in range(1, 64))]


def phases(events: Events, manifest: Manifest) -> pd.DataFrame:
    """Every change of phase, and every extension of an auction, columns PHASES."""
    rows, names = _rows(events, lambda kind, _: kind == EventKind.PHASE), Names(manifest)
    if not len(rows):
        return empty(shapes.PHASES)
    market = rows["market"]
    return frame(
        shapes.PHASES,
        {
            "time": rows["time"],
            "instrument": text(market, names.symbols),
            "venue": text(market, names.venues),
            "phase": text(rows["quantity"], _PHASES),
            "before": text(rows["leaves"], _PHASES),
            "reason": text(rows["reason"], _REASONS),
            "price": names.each(market, lambda m, at: prices(rows["price"][at], m)),
        },
    )


def indications(events: Events, manifest: Manifest) -> pd.DataFrame:
    """What auctions would have come to, as it was published, columns INDICATIONS."""
    rows, names = _rows(events, lambda kind, _: kind == EventKind.INDICATIVE), Names(manifest)
    if not len(rows):
        return empty(shapes.INDICATIONS)
    market = rows["market"]
    price = names.each(market, lambda m, at: prices(rows["price"][at], m))
    return frame(
        shapes.INDICATIONS,
        {
            "time": rows["time"],
            "instrument": text(market, names.symbols),
            "venue": text(market, names.venues),
            "price": np.where(rows["quantity"] > 0, price, np.nan),
            "volume": names.each(market, lambda m, at: quantities(rows["quantity"][at], m)),
            "surplus": names.each(market, lambda m, at: quantities(rows["leaves"][at], m)),
            "side": rows["side"],
        },
    )


def auctions(events: Events, manifest: Manifest) -> pd.DataFrame:
    """Every auction that traded: its price, volume and number of trades, columns AUCTIONS."""
    rows = _rows(events, lambda kind, flags: (kind == EventKind.TRADE) & (flags & OrderFlag.AUCTION != 0))
    names = Names(manifest)
    keys = np.stack([rows["time"], rows["market"].astype(np.int64)], axis=1)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    market = rows["market"][first]
    traded = np.bincount(which, weights=rows["quantity"], minlength=len(first))
    return frame(
        shapes.AUCTIONS,
        {
            "time": rows["time"][first],
            "instrument": text(market, names.symbols),
            "venue": text(market, names.venues),
            "price": names.each(market, lambda m, at: prices(rows["price"][first][at], m)),
            "volume": names.each(market, lambda m, at: quantities(traded[at].astype(np.int64), m)),
            "trades": np.bincount(which, minlength=len(first)),
        },
    )


def _rows(events: Events, wanted: Any) -> NDArray[Any]:
    found = [np.empty(0, EVENT)]
    if not any(wanted(block["kind"], block["flags"]).any() for block in events.blocks(("kind", "flags"))):
        return found[0]  # most logs have none, and what they have need not be copied
    for block in events.blocks():
        chosen = wanted(block["kind"], block["flags"])
        if chosen.any():
            found.append(block_rows({name: column[chosen] for name, column in block.items()}))
    return np.concatenate(found)
