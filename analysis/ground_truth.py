"""Ground truth: what orders were for, as the agents who sent them have said, with the times from the event log."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

from marketsim.domain.label import LABEL, Label
from marketsim.domain.tables import MarketTables

COLUMNS = (
    "agent", "kind", "role", "episode", "instrument", "venue", "order", "side", "price", "quantity", "filled", "start",
    "end",
)  # fmt: skip


class RemarkedTables(MarketTables, Protocol):
    """Tables with annotations. A ``Run`` offers them."""

    @property
    def annotations(self) -> pd.DataFrame:
        """``time`` (ns), ``agent``, ``key``, ``value`` (text)."""


def labels(run: RemarkedTables) -> pd.DataFrame:
    """One row for each labelled order that reached a venue, in the order of their start.

    Columns: ``agent``, ``kind`` (such as spoofing), ``role`` (such as decoy or genuine), ``episode`` (orders of one
    belong together), ``instrument``, ``venue``, ``order`` (its id in the event log), ``side`` (+1 buy, -1 sell),
    ``price`` (limit in currency, NaN at market), ``quantity`` and ``filled`` (units), ``start`` and ``end`` (ns, of
    acceptance and of the terminal state; the run's end where it was still live). Empty when no agent labels anything.
    """
    said = run.annotations
    said = said[said["key"] == LABEL]
    found = [Label.of(str(text)) for text in said["value"]]
    named = pd.DataFrame(found, columns=list(Label._fields)).assign(agent=said["agent"].to_numpy(dtype=object))
    orders = run.orders.rename(columns={"order_id": "order", "time": "start", "end_time": "end"})
    kept = ["agent", "venue", "order", "instrument", "side", "price", "quantity", "filled", "start", "end"]
    orders = orders[kept].astype({"agent": object, "venue": object})
    named = named.astype({"order": np.int64, "episode": np.int64, "venue": object, "agent": object})
    joined = named.merge(orders, on=["agent", "venue", "order"], how="inner")
    joined["end"] = joined["end"].where(joined["end"] >= 0, run.end)
    joined = joined.sort_values(["start", "order"], ignore_index=True)
    return joined[list(COLUMNS)]
