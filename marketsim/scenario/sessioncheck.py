"""Session checks: whether calendars, auctions, bands and halts make sense, and fit the rest of a scenario.

Part of the cross checks: works on plain mappings that may be partly wrong, and passes over what has not the right form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from marketsim.domain import units
from marketsim.domain.calendar import Calendar
from marketsim.domain.local_time import LocalTime
from marketsim.domain.phase import Phase
from marketsim.domain.schedule import Change, changes
from marketsim.errors import ConfigurationError, InvalidValueError, did_you_mean
from marketsim.scenario.document import Finding, Path
from marketsim.scenario.fields import clock_text
from marketsim.scenario.section import Section
from marketsim.scenario.sessions import PHASES, BandsSpec, CalendarSpec, InterruptionsSpec, SessionSpec, day

Raw = Mapping[str, Any]
S = TypeVar("S", bound=Section)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class _Run(NamedTuple):
    """When a scenario runs."""

    local: LocalTime
    start: int
    end: int


def session_findings(raw: Raw) -> Iterator[Finding]:
    """Everything about the sessions of a scenario that cannot be."""
    run = _run(raw)
    plans: dict[str, list[Change]] = {}
    for name, venue in _venues(raw):
        path = ("venues", name)
        yield from _calendar(raw, run, (*path, "calendar"), venue.get("calendar"), plans, name)
        yield from _bands(raw, path, venue)
        yield from _interruptions((*path, "interruptions"), venue.get("interruptions"))
        yield from _breaker(raw, path, venue)
    for index, entry in enumerate(_list(raw.get("timeline"))):
        if isinstance(entry, Mapping) and entry.get("type") in ("halt", "resume"):
            yield from _halt(raw, run, ("timeline", index), entry, plans)


# --- reading ---


def _venues(raw: Raw) -> Iterator[tuple[str, Raw]]:
    venues = raw.get("venues")
    for name, venue in venues.items() if isinstance(venues, Mapping) else ():
        if isinstance(venue, Mapping):
            yield str(name), venue


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _read(read: Callable[[Any], Any], value: Any) -> Any:
    """A value that can be read, else None (its field reports it)."""
    try:
        return None if value is None else read(value)
    except (ConfigurationError, ArithmeticError, ValueError):
        return None


def _section(kind: type[S], value: Any) -> S | None:
    try:
        return None if value is None else kind.model_validate(value)
    except (ValidationError, ConfigurationError):
        return None


def _run(raw: Raw) -> _Run | None:
    date = _read(day, raw.get("date"))
    start = _read(units.time_of_day, raw.get("start") or 0)
    duration = _read(units.duration, raw.get("duration"))
    if date is None or start is None or not duration or duration < 0:
        return None
    try:
        local = LocalTime(date, start, raw_zone(raw))
        _ = local.origin, local.at(start + duration)
    except (InvalidValueError, OverflowError):
        return None
    return _Run(local, start, start + duration)


def raw_zone(raw: Raw) -> str:
    """The time zone of a scenario's date: its own, else that of the first venue with a calendar, else UTC."""
    own = raw.get("time_zone")
    if isinstance(own, str):
        return own
    for _, venue in sorted(_venues(raw)):
        spec = _section(CalendarSpec, venue.get("calendar"))
        if spec is not None:
            base = _read(lambda spec: spec.preset_spec(), spec)
            return spec.time_zone or (base.time_zone if base is not None else None) or "UTC"
    return "UTC"


def _symbols(raw: Raw, venue: Raw) -> list[str]:
    own = venue.get("instruments")
    if isinstance(own, str):
        return [own]
    known = raw.get("instruments")
    return [str(symbol) for symbol in (own if own is not None else known if isinstance(known, Mapping) else ())]


# --- calendars ---


def _calendar(
    raw: Raw, run: _Run | None, path: Path, given: Any, plans: dict[str, list[Change]], name: str
) -> Iterator[Finding]:
    spec = _section(CalendarSpec, given)
    if spec is None:
        return
    if raw.get("date") is None:
        yield Finding(path, "the scenario has no date: add the first day, such as date: 2026-03-05")
    try:
        calendar = spec.calendar()
    except InvalidValueError as error:
        yield Finding((*path, "preset") if spec.preset is not None else path, str(error))
        return
    wrong = list(_sessions(path, spec.sessions or ())) + list(_early(path, spec, calendar))
    yield from wrong
    if wrong or run is None:
        return
    plan = changes(calendar, run.local, run.start, run.end)
    plans[name] = plan
    yield from _known_years(path, spec, run)
    if all(change.phase is Phase.CLOSED for change in plan):
        yield Finding(path, _no_trading(calendar, run))


def _sessions(path: Path, sessions: Sequence[SessionSpec]) -> Iterator[Finding]:
    """Each one ends after it begins, and no two overlap."""
    before: SessionSpec | None = None
    for index, session in enumerate(sessions):
        here = (*path, "sessions", index)
        length = session.end - session.start
        if length <= 0:
            yield Finding(
                (*here, "end"),
                f"{clock_text(session.end)} is not after the start, {clock_text(session.start)}: choose a later end; "
                f'one on the next day is written "1d {units.format_duration(session.end)}"',
            )
        elif session.random_end > length:
            yield Finding(
                (*here, "random_end"),
                f"{units.format_duration(session.random_end)} is longer than the {session.phase} of "
                f"{units.format_duration(length)}: shorten it, or lengthen the phase",
            )
        elif session.random_end and not PHASES[session.phase].call:
            yield Finding((*here, "random_end"), f"a phase of {session.phase} ends on time: leave this out")
        if before is not None and session.start < before.end:
            yield Finding(
                (*here, "start"),
                f"{session.phase} begins at {clock_text(session.start)}, before {before.phase} ends at "
                f"{clock_text(before.end)}: phases must not overlap, and stand in the order of their times",
            )
        before = session
    if sessions and before is not None and before.end - units.DAY > sessions[0].start:
        yield Finding(
            (*path, "sessions", len(sessions) - 1, "end"),
            f"{before.phase} goes on into the next day, past the start of {sessions[0].phase} at "
            f"{clock_text(sessions[0].start)}: phases must not overlap",
        )


def _early(path: Path, spec: CalendarSpec, calendar: Calendar) -> Iterator[Finding]:
    regular = max((s.end for s in calendar.sessions if s.phase is Phase.CONTINUOUS), default=calendar.sessions[-1].end)
    first = calendar.sessions[0].start
    for date, close in (spec.early_closes or {}).items():
        if not first < close < regular:
            yield Finding(
                (*path, "early_closes", date),
                f"{clock_text(close)} is no early close of a day from {clock_text(first)} to {clock_text(regular)}: "
                "choose a time between the two",
            )


def _known_years(path: Path, spec: CalendarSpec, run: _Run) -> Iterator[Finding]:
    if spec.years is None:
        return
    first, last = spec.years
    for time in (run.start, run.end):
        year = run.local.at(time).year
        if not first <= year <= last:
            yield Finding(
                (*path, "preset"),
                f"{spec.preset} knows the holidays of {first} to {last}, and the run touches {year}: choose a date "
                "that it knows, or write a calendar with holidays of your own",
            )
            return


def _no_trading(calendar: Calendar, run: _Run) -> str:
    begin, end = (run.local.at(time, calendar.time_zone) for time in (run.start, run.end))
    span = f"no trading from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
    date = begin.date()
    if date in calendar.holidays:
        return f"{span}: {date} is a holiday; choose another date, or a longer duration"
    if date.weekday() not in calendar.days:
        return f"{span}: {date} is a {_WEEKDAYS[date.weekday()]}; choose another date, or a longer duration"
    first, last = calendar.sessions[0].start, calendar.sessions[-1].end
    return (
        f"{span}: a day goes from {clock_text(first)} to {clock_text(last)}; choose another start, or a longer duration"
    )


# --- interruptions ---


def _bands(raw: Raw, path: Path, venue: Raw) -> Iterator[Finding]:
    bands = _section(BandsSpec, venue.get("bands"))
    if bands is None:
        return
    here = (*path, "bands")
    fixed = bands.low is not None or bands.high is not None
    if bands.static is not None and fixed:
        yield Finding((*here, "static"), "low or high is given as well: keep static, or the fixed prices")
    if bands.static is None and bands.dynamic is None and not fixed:
        yield Finding(here, 'no band is given: add static: "10%", dynamic: "2%", or low and high')
    if bands.low is not None and bands.high is not None and bands.low >= bands.high:
        yield Finding((*here, "low"), f"{bands.low} is not below high, {bands.high}: exchange the two")
    elif fixed:
        yield from _excluded(raw, here, venue, bands)


def _excluded(raw: Raw, here: Path, venue: Raw, bands: BandsSpec) -> Iterator[Finding]:
    """Fixed bands must hold the reference price of all that the venue trades."""
    instruments = raw.get("instruments")
    for symbol in _symbols(raw, venue):
        section = instruments.get(symbol) if isinstance(instruments, Mapping) else None
        price = _read(units.decimal, (section or {}).get("reference_price", 100)) if _is_section(section) else None
        if not isinstance(price, Decimal):
            continue
        for name, outside in (
            ("low", bands.low is not None and price < bands.low),
            ("high", bands.high is not None and price > bands.high),
        ):
            if outside:
                yield Finding(
                    (*here, name),
                    f"{getattr(bands, name)} excludes the reference price of {symbol}, {price}: choose bands around it",
                )


def _is_section(section: Any) -> bool:
    return section is None or isinstance(section, Mapping)


def _interruptions(path: Path, given: Any) -> Iterator[Finding]:
    spec = _section(InterruptionsSpec, given)
    if spec is not None and spec.random_end > spec.auction:
        yield Finding(
            (*path, "random_end"),
            f"{units.format_duration(spec.random_end)} is longer than the auction of "
            f"{units.format_duration(spec.auction)}: shorten it, or lengthen the auction",
        )


def _breaker(raw: Raw, path: Path, venue: Raw) -> Iterator[Finding]:
    breaker = venue.get("circuit_breaker")
    if not isinstance(breaker, Mapping):
        return
    symbols, watched = _symbols(raw, venue), breaker.get("instrument")
    here = (*path, "circuit_breaker")
    if breaker.get("index") is not None:
        yield from _watched_index(raw, here, breaker, symbols)
    elif watched is None and len(symbols) > 1:
        yield Finding(here, f"name the instrument that is watched, one of {', '.join(sorted(symbols))}, or an index")
    elif isinstance(watched, str) and watched not in symbols:
        yield Finding(
            (*here, "instrument"), f'{path[-1]} does not trade "{watched}"{did_you_mean(watched, sorted(symbols))}'
        )


def _watched_index(raw: Raw, here: Path, breaker: Raw, symbols: Collection[str]) -> Iterator[Finding]:
    """The venue itself must trade all members: it halts on the trades that it sees."""
    name, indices = breaker["index"], raw.get("indices")
    known = indices if isinstance(indices, Mapping) else {}
    if breaker.get("instrument") is not None:
        yield Finding((*here, "instrument"), "the index is watched already: keep one of the two")
    if not isinstance(name, str):
        return
    if name not in known:
        hint = did_you_mean(name, list(known)) or "; describe it under indices"
        yield Finding((*here, "index"), f'no index is called "{name}"{hint}')
    members = known[name].get("members") if isinstance(known.get(name), Mapping) else None
    for symbol in members if isinstance(members, Mapping) else ():
        if symbol not in symbols:
            yield Finding(
                (*here, "index"),
                f'{here[1]} does not trade "{symbol}" of {name}: let it trade all members, or watch less',
            )


def _halt(
    raw: Raw, run: _Run | None, path: Path, entry: Raw, plans: Mapping[str, Sequence[Change]]
) -> Iterator[Finding]:
    venues = dict(_venues(raw))
    venue, symbol = entry.get("venue"), entry.get("instrument")
    if isinstance(venue, str) and venue in venues and isinstance(symbol, str):
        known = raw.get("instruments")
        if isinstance(known, Mapping) and symbol in known and symbol not in _symbols(raw, venues[venue]):
            yield Finding((*path, "instrument"), f'"{symbol}" is not traded on {venue}: name another venue')
            return
    at = _read(units.duration, entry.get("at"))
    if run is None or at is None or not 0 <= at < run.end - run.start:
        return
    chosen = [venue] if isinstance(venue, str) else list(venues)
    if chosen and all(name in plans and _phase(plans[name], run.start + at) is Phase.CLOSED for name in chosen):
        when = run.local.text(run.start + at)[:19]
        yield Finding((*path, "at"), f"{when}: {', '.join(chosen)} is closed then: choose a time of trading")


def _phase(plan: Sequence[Change], time: int) -> Phase:
    return [change.phase for change in plan if change.time <= time][-1]
