"""Credit: an agent says which rule each of its orders that traded came from, so that its P&L can be told by rule.

``analysis.round_trips`` and ``analysis.rule_contribution`` read what is said here. It decides nothing.
"""

from __future__ import annotations

import json

from marketsim.domain.market_data import Report
from marketsim.trading.agent import Agent

RULE = "rule"  # key of the remark


class Credit:
    """Remarks of one agent: one for each order, with its first fill. Call ``fill`` with every fill of its own.

    ``rule`` is the same text each time the same rule spoke, ``reason`` may hold what it saw.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._told: set[tuple[str, int]] = set()

    def fill(self, report: Report, rule: str, reason: str) -> None:
        """An order of the agent traded."""
        order = report.venue, report.order_id
        if order in self._told or not rule:
            return
        self._told.add(order)
        said = {"order": report.order_id, "venue": report.venue, "rule": rule, "reason": reason or rule}
        self._agent.note(RULE, json.dumps(said, ensure_ascii=False))
