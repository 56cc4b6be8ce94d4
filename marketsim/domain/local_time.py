"""Local time: which date and time of day a nanosecond of a run is, and back.

A run counts nanoseconds of physical time. The count at its start is the time of day of its start, so on the first day
the count is the local time of day; later days, other time zones and changes of daylight saving time are found here.
Time zones are those of the IANA database (zoneinfo).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from marketsim.domain.units import DAY, SECOND, format_time
from marketsim.errors import InvalidValueError

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WHOLE_SECOND = dt.timedelta(seconds=1)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name, such as ``"Europe/Berlin"``."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidValueError(
            f'there is no time zone "{name}": use a name of the IANA database, such as "Europe/Berlin" or "UTC"'
        ) from None


def since_epoch(day: dt.date, time: int, time_zone: str) -> int:
    """Nanoseconds from 1970 to a local time, given in ns after midnight by the clock on the wall.

    A time that a change of the clocks leaves out counts as if they had not changed yet; one that comes twice is the
    first of the two.
    """
    days, rest = divmod(time, DAY)
    seconds, fraction = divmod(rest, SECOND)
    try:
        wall = dt.datetime.combine(day + dt.timedelta(days=days), dt.time()) + dt.timedelta(seconds=seconds)
        moment = wall.replace(tzinfo=zone(time_zone))
        return (moment - _EPOCH) // _WHOLE_SECOND * SECOND + fraction
    except OverflowError:
        raise _beyond(day) from None


def _beyond(day: dt.date) -> InvalidValueError:
    return InvalidValueError(
        f"a run from {day} on leaves the years 1 to 9999: use a date within them, or a shorter run"
    )


@dataclass(frozen=True)
class LocalTime:
    """The dates of one run.

    date: of the first day. start: ns after midnight at which the run begins. time_zone: of the date and the start.
    """

    date: dt.date
    start: int
    time_zone: str = "UTC"

    @cached_property
    def origin(self) -> int:
        """Nanoseconds from 1970 to what the run counts as 0."""
        return since_epoch(self.date, self.start, self.time_zone) - self.start

    def nanoseconds(self, day: dt.date, time: int, time_zone: str | None = None) -> int:
        """What the run counts at a local time of a day, in ns after midnight."""
        return since_epoch(day, time, time_zone or self.time_zone) - self.origin

    def at(self, time: int, time_zone: str | None = None) -> dt.datetime:
        """Date and local time of a nanosecond of the run, cut to microseconds, which is what a datetime holds."""
        try:
            moment = _EPOCH + dt.timedelta(microseconds=(self.origin + time) // 1000)
            return moment.astimezone(zone(time_zone or self.time_zone))
        except OverflowError:
            raise _beyond(self.date) from None

    def text(self, time: int, time_zone: str | None = None) -> str:
        """Such as ``2026-03-05 09:30:00.000000000``."""
        moment = self.at(time, time_zone)
        fraction = (self.origin + time) % SECOND
        return f"{moment:%Y-%m-%d %H:%M:%S}.{fraction:09d}"


def time_text(time: int, local: LocalTime | None) -> str:
    """A time as messages and reports show it: with its date where there is one."""
    return format_time(time) if local is None else local.text(time)
