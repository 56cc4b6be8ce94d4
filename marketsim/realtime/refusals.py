"""Refusals: what was refused to an agent, counted by what it asked for and by reason, with one example of each.

It refuses nothing itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import Reason
from marketsim.domain.risk import NOTE, RiskEvent
from marketsim.realtime.settings import Note

_ASKED = {
    EventKind.REJECTED: "order",
    EventKind.CANCEL_REJECTED: "cancel",
    EventKind.REPLACE_REJECTED: "replace",
}


@dataclass(frozen=True)
class Refusal:
    """Requests of one kind that were refused for one reason.

    asked: "order", "cancel" or "replace". example: the words of whoever refused one of them; "" where it gave none.
    """

    asked: str
    reason: Reason
    count: int
    example: str

    def __str__(self) -> str:
        many = self.asked if self.count == 1 else f"{self.asked}s"
        return f"{self.count:,} {many} refused, {self.reason.name}{self.example and ': ' + self.example}"


class Refusals:
    """A count of refusals. notes: remarks of the session, among which are the words that belong to a refusal."""

    def __init__(self, notes: Sequence[Note]) -> None:
        self._notes = notes
        self._counts: dict[tuple[EventKind, Reason], int] = {}
        self._examples: dict[tuple[EventKind, Reason], str] = {}

    def count(self, report: Report) -> None:
        """Take in a report; any that is no refusal is left alone."""
        if report.kind not in _ASKED:
            return
        which = report.kind, report.reason
        self._counts[which] = self._counts.get(which, 0) + 1
        if which not in self._examples:
            self._examples[which] = self._words(report.client_order_id)

    def all(self) -> tuple[Refusal, ...]:
        """The most frequent first."""
        found = (Refusal(_ASKED[k[0]], k[1], count, self._examples[k]) for k, count in self._counts.items())
        return tuple(sorted(found, key=lambda refusal: -refusal.count))

    def _words(self, number: int) -> str:
        """The latest remark about an order's refusal."""
        pattern = re.compile(rf"(?:replace of )?order {number}(?: refused)?: (?P<words>.*)", re.DOTALL)
        for note in reversed(self._notes):
            if note.key not in (NOTE, "venue"):
                continue
            said = RiskEvent.of_note(note.time, "", note.value).text if note.key == NOTE else note.value
            if found := pattern.fullmatch(said):
                return found["words"]
        return ""
