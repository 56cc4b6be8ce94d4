"""The prices of orders that were replaced or repriced, from the log: where each stood at which time.

The table of orders knows the last price of an order; this one knows those before it. Orders that kept their price are
not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderType
from marketsim.results.events import Events, block_rows
from marketsim.results.frames import frame, text
from marketsim.results.manifest import Manifest
from marketsim.results.tables import Names, prices

if TYPE_CHECKING:
    import pandas as pd

ORDER_PRICES: dict[str, str] = {
    "time": "int64",  # ns from which on it stood there
    "instrument": "str",
    "venue": "str",
    "order_id": "int64",
    "price": "float64",  # limit in currency
}
_CHANGES = (EventKind.REPLACED, EventKind.REPRICED)
_LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT)


def order_prices(events: Events, manifest: Manifest) -> pd.DataFrame:
    """Each limit price of every order that had more than one, the first with its acceptance, columns ORDER_PRICES."""
    changed = _rows(events, lambda block: np.isin(block["kind"], _CHANGES) & np.isin(block["order_type"], _LIMITS))
    moved = np.unique(changed["order_id"])
    begun = _rows(events, lambda block: (block["kind"] == EventKind.ACCEPTED) & np.isin(block["order_id"], moved))
    rows, names = np.concatenate((begun, changed)) if len(moved) else changed, Names(manifest)
    rows = rows[np.argsort(rows["time"], kind="stable")]
    market = rows["market"]
    return frame(
        ORDER_PRICES,
        {
            "time": rows["time"].copy(),
            "instrument": text(market, names.symbols),
            "venue": text(market, names.venues),
            "order_id": rows["order_id"].copy(),
            "price": names.each(market, lambda m, at: prices(rows["price"][at], m)),
        },
    )


def _rows(events: Events, wanted: Any) -> NDArray[Any]:
    found = [np.empty(0, EVENT)]
    for block in events.blocks():
        chosen = wanted(block)
        if chosen.any():
            found.append(block_rows({name: values[chosen] for name, values in block.items()}))
    return np.concatenate(found)
