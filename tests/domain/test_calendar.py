"""Calendars: trading days, holidays, early closes; laid over a run, across time zones, nights and changes of clocks."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.calendar import Calendar, Session
from marketsim.domain.local_time import LocalTime, since_epoch, time_text
from marketsim.domain.phase import Phase
from marketsim.domain.schedule import Change, after_night, changes, nights
from marketsim.domain.units import DAY, HOUR, MINUTE, SECOND, time_of_day
from marketsim.errors import InvalidValueError

THURSDAY = dt.date(2026, 3, 5)
DAYTIME = (
    Session(Phase.OPENING_AUCTION, time_of_day("08:50"), time_of_day("09:00"), 30 * SECOND),
    Session(Phase.CONTINUOUS, time_of_day("09:00"), time_of_day("17:30")),
    Session(Phase.CLOSING_AUCTION, time_of_day("17:30"), time_of_day("17:35")),
)
BERLIN = Calendar("Europe/Berlin", DAYTIME)


def plan(calendar: Calendar, local: LocalTime, days: int = 1) -> list[tuple[str, str]]:
    """What a run of so many days meets, as texts of local time."""
    found = changes(calendar, local, local.start, local.start + days * DAY)
    return [(local.text(change.time)[:16], change.phase.name) for change in found]


def test_a_day_is_its_sessions_and_closed_around_them() -> None:
    assert plan(BERLIN, LocalTime(THURSDAY, 0, "Europe/Berlin")) == [
        ("2026-03-05 00:00", "CLOSED"),
        ("2026-03-05 08:50", "OPENING_AUCTION"),
        ("2026-03-05 09:00", "CONTINUOUS"),
        ("2026-03-05 17:30", "CLOSING_AUCTION"),
        ("2026-03-05 17:35", "CLOSED"),
    ]


def test_a_run_begins_in_the_phase_of_its_start() -> None:
    start = time_of_day("12:00")
    found = changes(BERLIN, LocalTime(THURSDAY, start, "Europe/Berlin"), start, start + HOUR)
    assert found == [Change(start, Phase.CONTINUOUS)]


def test_the_end_of_an_auction_may_come_earlier() -> None:
    found = changes(BERLIN, LocalTime(THURSDAY, 0, "Europe/Berlin"), 0, DAY)
    assert [change.earlier for change in found] == [0, 0, 30 * SECOND, 0, 0]


def test_weekends_and_holidays_have_no_sessions() -> None:
    calendar = Calendar("Europe/Berlin", DAYTIME, holidays=frozenset({dt.date(2026, 3, 9)}))
    days = {
        when[:10] for when, phase in plan(calendar, LocalTime(THURSDAY, 0, "Europe/Berlin"), 7) if phase != "CLOSED"
    }
    assert days == {"2026-03-05", "2026-03-06", "2026-03-10", "2026-03-11"}


def test_an_early_close_takes_the_closing_auction_along() -> None:
    calendar = Calendar("Europe/Berlin", DAYTIME, early_closes={THURSDAY: time_of_day("14:00")})
    assert plan(calendar, LocalTime(THURSDAY, 0, "Europe/Berlin"))[-2:] == [
        ("2026-03-05 14:00", "CLOSING_AUCTION"),
        ("2026-03-05 14:05", "CLOSED"),
    ]


def test_sessions_stand_still_on_the_wall_when_the_clocks_change() -> None:
    friday = LocalTime(dt.date(2026, 3, 27), 0, "Europe/Berlin")  # the clocks go forward on Sunday the 29th
    opens = [change.time for change in changes(BERLIN, friday, 0, 4 * DAY) if change.phase is Phase.CONTINUOUS]
    assert opens == [9 * HOUR, 3 * DAY + 8 * HOUR]
    assert friday.text(opens[1])[:16] == "2026-03-30 09:00"


def test_two_time_zones_meet_on_one_clock() -> None:
    local = LocalTime(dt.date(2026, 3, 9), time_of_day("14:00"), "Europe/Berlin")  # New York's clocks have changed
    new_york = Calendar("America/New_York", (Session(Phase.CONTINUOUS, time_of_day("09:30"), time_of_day("16:00")),))
    assert plan(new_york, local)[1] == ("2026-03-09 14:30", "CONTINUOUS")


def test_a_session_may_end_on_the_next_day() -> None:
    calendar = Calendar("UTC", (Session(Phase.CONTINUOUS, 18 * HOUR, 41 * HOUR),), days=frozenset({6, 0, 1, 2, 3}))
    assert plan(calendar, LocalTime(THURSDAY, 0, "UTC"), 2) == [
        ("2026-03-05 00:00", "CONTINUOUS"),
        ("2026-03-05 17:00", "CLOSED"),
        ("2026-03-05 18:00", "CONTINUOUS"),
        ("2026-03-06 17:00", "CLOSED"),
    ]


def test_a_night_is_when_everything_is_closed() -> None:
    local = LocalTime(THURSDAY, 0, "Europe/Berlin")
    london = Calendar("Europe/London", (Session(Phase.CONTINUOUS, 8 * HOUR, 17 * HOUR),))
    plans = [changes(calendar, local, 0, 2 * DAY) for calendar in (BERLIN, london)]
    assert nights(plans, 2 * DAY) == [
        (0, time_of_day("08:50")),
        (18 * HOUR, DAY + time_of_day("08:50")),
        (DAY + 18 * HOUR, 2 * DAY),
    ]


def test_what_falls_into_a_night_goes_on_in_the_morning() -> None:
    found = [(10, 30), (50, 80)]
    assert [after_night(found, time) for time in (9, 10, 15, 29, 30, 49, 55, 80)] == [9, 30, 35, 49, 30, 49, 85, 80]
    assert after_night([(10, 30), (45, 80)], 28) == 83  # 48 lies in the second night
    assert after_night([], 7) == 7


@given(st.integers(0, 400), st.lists(st.integers(1, 40), min_size=2, max_size=8))
def test_nobody_acts_by_night(time: int, lengths: list[int]) -> None:
    edges = [sum(lengths[: number + 1]) for number in range(len(lengths) // 2 * 2)]
    found = list(zip(edges[::2], edges[1::2], strict=True))
    moved = after_night(found, time)
    assert moved >= time
    assert not any(begin <= moved < end for begin, end in found)


# --- local time ---


@given(
    st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1)),  # noqa: DTZ001 - on the wall
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"]),
)
def test_local_time_is_that_of_the_time_zone(moment: dt.datetime, name: str) -> None:
    wall = (moment - dt.datetime.combine(moment.date(), dt.time())) // dt.timedelta(microseconds=1) * 1000
    expected = moment.replace(tzinfo=ZoneInfo(name)).timestamp()
    assert since_epoch(moment.date(), wall, name) / 1e9 == pytest.approx(expected, abs=1e-5)


def test_the_first_day_counts_from_its_midnight() -> None:
    local = LocalTime(THURSDAY, time_of_day("09:30"), "America/New_York")
    assert local.nanoseconds(THURSDAY, time_of_day("10:00")) == 10 * HOUR
    assert local.text(10 * HOUR + 5) == "2026-03-05 10:00:00.000000005"
    assert local.at(10 * HOUR, "UTC").hour == 15


def test_a_start_on_the_day_on_which_the_clocks_change_is_on_the_wall() -> None:
    local = LocalTime(dt.date(2026, 3, 29), time_of_day("09:00"), "Europe/Berlin")
    assert local.text(time_of_day("09:00"))[:16] == "2026-03-29 09:00"
    assert local.nanoseconds(dt.date(2026, 3, 29), time_of_day("01:00")) == 2 * HOUR  # an hour is missing between


def test_a_time_without_dates_is_a_time_of_day() -> None:
    assert time_text(10 * HOUR + MINUTE, None) == "10:01:00.000000000"


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(InvalidValueError, match='no time zone "Europe/Berln"'):
        since_epoch(THURSDAY, 0, "Europe/Berln")
