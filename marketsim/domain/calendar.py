"""Calendars: on which days, and at which local times of them, a venue is in which phase.

Facts only; ``scenario.sessions`` reads them from scenarios, ``domain.schedule`` lays them over a run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from marketsim.domain.phase import Phase


@dataclass(frozen=True)
class Session:
    """A phase of a trading day.

    start, end: ns after local midnight of its day; the end may lie on the next day.
    random_end: ns before ``end`` from which on the phase may end, at a time that is drawn.
    """

    phase: Phase
    start: int
    end: int
    random_end: int = 0


@dataclass(frozen=True)
class Calendar:
    """The trading days of a venue. What no session covers is CLOSED.

    sessions: in order, without overlap. days: of the week, Monday is 0. early_closes: ns after midnight at which
    continuous trading ends on a day; what follows it moves forward by as much, what it would cut off takes no place.
    """

    time_zone: str
    sessions: tuple[Session, ...]
    days: frozenset[int] = frozenset(range(5))
    holidays: frozenset[dt.date] = frozenset()
    early_closes: Mapping[dt.date, int] = field(default_factory=dict)

    def is_open(self, day: dt.date) -> bool:
        """Whether there is any trading on a day."""
        return day.weekday() in self.days and day not in self.holidays

    def on(self, day: dt.date) -> tuple[Session, ...]:
        """The sessions of a day; none on a day without trading."""
        if not self.is_open(day):
            return ()
        early = self.early_closes.get(day)
        return self.sessions if early is None else _closed_early(self.sessions, early)


def _closed_early(sessions: tuple[Session, ...], close: int) -> tuple[Session, ...]:
    """The sessions of a day on which continuous trading ends at ``close``."""
    regular = max((s.end for s in sessions if s.phase is Phase.CONTINUOUS), default=sessions[-1].end)
    kept = []
    for session in sessions:
        if session.start >= regular:
            ahead = regular - close
            kept.append(replace(session, start=session.start - ahead, end=session.end - ahead))
        elif session.start < close:
            kept.append(replace(session, end=min(session.end, close)))
    return tuple(kept)
