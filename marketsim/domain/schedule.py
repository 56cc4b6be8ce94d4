"""Schedules: a calendar laid over a run, as the times at which a venue changes its phase.

It draws no chance and changes no phase; whoever runs the venue does.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from marketsim.domain.calendar import Calendar
from marketsim.domain.local_time import LocalTime
from marketsim.domain.phase import Phase


class Change(NamedTuple):
    """From ``time`` (ns of the run) on a venue is in ``phase``. The change may come up to ``earlier`` ns before."""

    time: int
    phase: Phase
    earlier: int = 0


Night = tuple[int, int]  # ns of the run: from, until


def changes(calendar: Calendar, local: LocalTime, start: int, end: int) -> list[Change]:
    """Every change of phase from ``start``, whose phase comes first, until before ``end``."""
    found = [Change(start, Phase.CLOSED)]
    for change in _all(calendar, local, start, end):
        if change.time <= start:
            found = [Change(start, change.phase)]
        elif change.time < end:
            found.append(change)
    return found


def _all(calendar: Calendar, local: LocalTime, start: int, end: int) -> Iterator[Change]:
    """The changes of all days that touch the run; a phase that goes on is no change."""
    phase, ends, earlier = Phase.CLOSED, None, 0
    for day in _days(calendar, local, start, end):
        for session in calendar.on(day):
            begin = local.nanoseconds(day, session.start, calendar.time_zone)
            if ends is not None and begin > ends:
                yield Change(ends, Phase.CLOSED, earlier)
                phase, earlier = Phase.CLOSED, 0
            if session.phase is not phase:
                yield Change(begin, session.phase, earlier)
            phase, ends = session.phase, local.nanoseconds(day, session.end, calendar.time_zone)
            earlier = session.random_end
    if ends is not None:
        yield Change(ends, Phase.CLOSED, earlier)


def _days(calendar: Calendar, local: LocalTime, start: int, end: int) -> Iterator[dt.date]:
    """Local dates whose sessions may touch the run."""
    longest = max(session.end for session in calendar.sessions)
    day = local.at(start - longest, calendar.time_zone).date() - dt.timedelta(days=1)
    last = local.at(end, calendar.time_zone).date()
    while day <= last:
        yield day
        day += dt.timedelta(days=1)


def nights(venues: Iterable[Sequence[Change]], end: int) -> list[Night]:
    """When every one of the venues is CLOSED: from each last close to the first change after it."""
    found: list[Night] | None = None
    for plan in venues:
        closed = list(_closed(plan, end))
        found = closed if found is None else _both(found, closed)
    return found or []


def _closed(plan: Sequence[Change], end: int) -> Iterator[Night]:
    for change, following in zip(plan, [*plan[1:], Change(end, Phase.CLOSED)], strict=True):
        if change.phase is Phase.CLOSED and change.time < following.time - following.earlier:
            yield change.time, following.time - following.earlier


def _both(left: Sequence[Night], right: Sequence[Night]) -> list[Night]:
    """What lies in both of two lists of times."""
    return [(max(a, c), min(b, d)) for a, b in left for c, d in right if max(a, c) < min(b, d)]


def after_night(found: Sequence[Night], time: int) -> int:
    """When something happens that was meant for ``time``: later by the length of the night in which it lies, if any.

    So a delay that runs into a night goes on in the morning, and what is spread over time stays so. It may run into the
    next night.
    """
    for begin, until in found[bisect_right(found, time, key=_end) :]:
        if time < begin:
            break
        time += until - begin
    return time


def _end(night: Night) -> int:
    return night[1]
