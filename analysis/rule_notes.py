"""What agents said of their orders: the rule that each came from, and the reason in words. It adds up nothing.

Agents say it in remarks with the key "rule" (``agents.rules.credit``); a recorded day knows none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from marketsim.analysis.fills import Fills
    from marketsim.domain.tables import MarketTables

KEY = "rule"


@dataclass(frozen=True)
class RuleNotes:
    """``orders`` is (agent, venue, order) of each remark; ``rules`` and ``reasons`` have an "" at their end."""

    orders: list[tuple[str, str, int]]
    rules: npt.NDArray[Any]
    reasons: npt.NDArray[Any]

    def of(self, fills: Fills) -> npt.NDArray[np.intp]:
        """The number of the remark on each fill's order; that of the "" where there is none."""
        nothing = len(self.orders)
        result = np.full(len(fills.order), nothing, dtype=np.intp)
        if not nothing:
            return result
        agents, venues = ({name: number for number, name in enumerate(names)} for names in (fills.names, fills.venues))
        told = [(agents.get(agent, -2), venues.get(venue, -2), order) for agent, venue, order in self.orders]
        speaking = np.flatnonzero(np.isin(fills.agent, [agent for agent, _, _ in told]))
        known = pd.MultiIndex.from_tuples(told)
        keys = pd.MultiIndex.from_arrays([fills.agent[speaking], fills.venue[speaking], fills.order[speaking]])
        place = known.get_indexer(keys)
        result[speaking] = np.where(place >= 0, place, nothing)
        return result


def rule_notes(tables: MarketTables) -> RuleNotes:
    """All remarks on orders; the first on an order counts, and what is no such remark is passed over."""
    found: dict[tuple[str, str, int], tuple[str, str]] = {}
    notes: pd.DataFrame | None = getattr(tables, "annotations", None)
    if notes is not None and len(notes):
        notes = notes[notes["key"] == KEY]
        for agent, value in zip(notes["agent"], notes["value"], strict=True):
            said = _read(str(value))
            if said is not None:
                found.setdefault((str(agent), said[0], said[1]), said[2:])
    texts = [*found.values(), ("", "")]
    rules, reasons = (np.array([text[part] for text in texts], dtype=object) for part in (0, 1))
    return RuleNotes(list(found), rules, reasons)


def _read(text: str) -> tuple[str, int, str, str] | None:
    """Venue, order, rule and reason."""
    try:
        said = json.loads(text)
        rule = str(said["rule"])
        return str(said["venue"]), int(said["order"]), rule, str(said.get("reason", rule))
    except (ValueError, TypeError, KeyError):
        return None
