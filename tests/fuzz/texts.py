"""Words that people write: durations, times, rates, prices, dates, zones, paths, latencies, nouns as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

from marketsim.domain import forms
from marketsim.domain.calendar import Calendar, Session
from marketsim.domain.fees import Fee, FeeSchedule
from marketsim.domain.instrument import Instrument
from marketsim.domain.local_time import LocalTime, since_epoch, zone
from marketsim.domain.market_data import LevelUpdate, Quote, Report
from marketsim.domain.phase import Phase
from marketsim.domain.schedule import changes
from marketsim.domain.units import decimal, duration, format_duration, format_time, rate, steps, time_of_day
from marketsim.network.geography import distance
from marketsim.scenario import yaml
from marketsim.scenario.overrides import parse_path
from marketsim.scenario.sessions import day
from tests.fuzz.campaign import Trace, refusals
from tests.fuzz.values import anything, damaged, text

CALLS = 200  # of a case
ABC = Instrument("ABC", tick_size="0.01", lot_size="0.1", reference_price="100")
_HOUR = 3_600_000_000_000
_JSON = tuple(
    (type(noun), forms.to_json(noun))
    for noun in (ABC, Quote(1, ABC, 99, 1, 101, 2, "X"), Fee("bps", Decimal(1)), FeeSchedule.of("-1", "2"))
)


def _written(draw: Random) -> Any:
    return text(draw) if draw.random() < 0.8 else anything(draw)


def _duration(draw: Random, given: Any) -> None:
    found = duration(given)
    if abs(found) < 10**30:
        assert duration(format_duration(found) if found >= 0 else found) == found
        format_time(found)


def _instrument(draw: Random, given: Any) -> None:
    terms = {"tick_size": "0.01", "lot_size": "1", "reference_price": "100", "currency": "USD"}
    terms[draw.choice(list(terms))] = given
    found = Instrument("ABC", **terms)
    assert found.tick_size > 0 < found.lot_size
    found.to_ticks(found.tick_size)


def _price(draw: Random, given: Any) -> None:
    assert ABC.to_ticks(given) * ABC.tick_size == decimal(given)


def _rounded(draw: Random, given: Any) -> None:
    how: Any = draw.choice(("round", "floor", "ceil"))
    ABC.to_ticks(ABC.round_price(given, how))
    ABC.to_lots(ABC.round_quantity(given, how))


def _fee(draw: Random, given: Any) -> None:
    fee = Fee(draw.choice(("bps", "per_lot", "percent", given)), given)
    fee.of(100, 1)


def _json(draw: Random, given: Any) -> None:
    kind, written = draw.choice(_JSON)
    forms.from_json(kind, damaged(draw, written))


def _dictionary(draw: Random, given: Any) -> None:
    kind, written = draw.choice(
        (
            (Quote, ("time", "bid", "instrument")),
            (Report, ("kind", "reason", "side", "maker")),
            (LevelUpdate, ("side", "price")),
            (Fee, ("unit", "rate")),
        )
    )
    forms.from_dict(kind, {name: given for name in written if draw.random() < 0.7})


def _moment(draw: Random, given: Any) -> None:
    date = dt.date.fromordinal(draw.choice((1, 2, 719_163, 739_000, 3_652_058, 3_652_059, draw.randint(1, 3_652_059))))
    name = draw.choice(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"))
    time = draw.choice((0, 9 * _HOUR, 25 * _HOUR, draw.randint(0, 48 * _HOUR)))
    local = LocalTime(date, time, name)
    assert local.nanoseconds(date, time) == time
    local.text(draw.choice((time, time + 2**40, time + 2**62, -(2**62))))
    since_epoch(date, time, name)


def _plan(draw: Random, given: Any) -> None:
    """A calendar over some days: the changes of phase are in order and within the run."""
    bounds = sorted(draw.sample(range(24 * 60), 4))
    sessions = tuple(
        Session(draw.choice(list(Phase)), a * 60_000_000_000, b * 60_000_000_000) for a, b in pairwise(bounds)
    )
    days = frozenset(draw.sample(range(7), draw.randint(0, 7)))
    date = dt.date.fromordinal(draw.randint(730_000, 740_000))
    regular = max((session.end for session in sessions if session.phase is Phase.CONTINUOUS), default=sessions[-1].end)
    early = {date: draw.randint(sessions[0].start + 1, regular)} if draw.random() < 0.3 else {}
    calendar = Calendar(draw.choice(("UTC", "Europe/Berlin", "America/New_York")), sessions, days, frozenset(), early)
    local = LocalTime(date, 9 * _HOUR, draw.choice(("UTC", "Europe/Berlin", "Asia/Tokyo")))
    start, end = 9 * _HOUR, draw.choice((10, 60, 100)) * _HOUR
    found = [change.time for change in changes(calendar, local, start, end)]
    assert found == sorted(found), found
    assert found[0] == start, found
    assert found[-1] < end, found


def _steps(draw: Random, given: Any) -> None:
    steps(given, Decimal("0.01"), "price")


def _scalar(draw: Random, given: Any) -> None:
    yaml.scalar(str(given))
    parse_path(str(given))


_READERS: tuple[Callable[[Random, Any], Any], ...] = (
    _duration,
    _instrument,
    _price,
    _rounded,
    _fee,
    _json,
    _dictionary,
    _moment,
    _plan,
    _steps,
    _scalar,
    lambda _, given: time_of_day(given),
    lambda _, given: rate(given),
    lambda _, given: decimal(given),
    lambda _, given: day(given),
    lambda _, given: zone(str(given)),
    lambda _, given: distance(given),
)


def texts(draw: Random, trace: Trace) -> int:
    """Each call is an input."""
    for _ in range(CALLS):
        reader, given = draw.choice(_READERS), _written(draw)
        trace.inputs = [(getattr(reader, "__name__", "reader"), _READERS.index(reader), given)]
        with refusals():
            reader(draw, given)
    return CALLS
