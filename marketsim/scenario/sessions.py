"""Sessions: the parts of a scenario that say when a venue trades and what interrupts it.

Calendars, auctions, price bands, interruptions and circuit breakers, as frozen facts. What they mean is in
docs/sessions.md; whether they fit the rest of a scenario is judged in ``scenario.sessioncheck``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from marketsim.domain import units
from marketsim.domain.calendar import Calendar, Session
from marketsim.domain.local_time import zone
from marketsim.domain.phase import Phase
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.scenario.calendars import calendar_mapping
from marketsim.scenario.document import canonical_decimal, show
from marketsim.scenario.fields import Amount, Duration, Span, Text, TimeOfDay, Whole, text
from marketsim.scenario.frozen import FrozenMapping
from marketsim.scenario.section import Section

PHASES = {
    "pre_open": Phase.PRE_OPEN,
    "opening_auction": Phase.OPENING_AUCTION,
    "continuous": Phase.CONTINUOUS,
    "intraday_auction": Phase.VOLATILITY_AUCTION,  # to the rules of matching the two are the same
    "closing_auction": Phase.CLOSING_AUCTION,
    "closed": Phase.CLOSED,
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def day(value: object) -> dt.date:
    """A date such as ``2026-03-05``."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        return dt.date.fromisoformat(text(value).strip())
    except ValueError:
        raise InvalidValueError(f"{show(value)} is not a date: write year-month-day, such as 2026-03-05") from None


def _days(value: object) -> tuple[dt.date, ...]:
    if isinstance(value, str) or not isinstance(value, (Sequence, set, frozenset)):
        raise InvalidValueError(f"{show(value)} is not a list of dates: write [2026-04-03, 2026-12-25]")
    return tuple(sorted({day(item) for item in value}))


def _closes(value: object) -> Mapping[str, int]:
    if not isinstance(value, Mapping):
        raise InvalidValueError(f'{show(value)} is not a mapping: write {{2026-12-24: "13:00"}}')
    return FrozenMapping({str(day(key)): units.time_of_day(time) for key, time in sorted(value.items(), key=_by_key)})


def _by_key(entry: tuple[object, object]) -> str:
    return str(entry[0])


def _weekdays(value: object) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, Sequence) or not items:
        raise InvalidValueError(f"{show(value)} is not a list of days of the week: write [mon, tue, wed, thu, fri]")
    for item in items:
        if item not in _WEEKDAYS:
            raise InvalidValueError(f"{show(item)} is not a day of the week{did_you_mean(str(item), _WEEKDAYS)}")
    return tuple(name for name in _WEEKDAYS if name in items)


def _zone(value: object) -> str:
    name = text(value)
    zone(name)
    return name


def _share(value: object) -> Decimal:
    """A share of a price: ``"10%"``, ``"50bps"`` or ``0.1``."""
    written = value.strip() if isinstance(value, str) else value
    factor = Decimal(1)
    if isinstance(written, str):
        for unit, size in (("%", Decimal("0.01")), ("bps", Decimal("0.0001"))):
            if written.endswith(unit):
                written, factor = written.removesuffix(unit).strip(), size
    try:
        share = units.decimal(written) * factor
    except InvalidValueError:
        raise InvalidValueError(f'{show(value)} is not a share of a price: write "10%" or "50bps"') from None
    if not 0 < share < 1:
        raise InvalidValueError(f'{show(value)} must lie above 0 and below 100 %: write "10%" or "50bps"')
    return share


def _share_text(share: Decimal) -> str:
    return f"{canonical_decimal(share * 100)}%"


def _iso(value: dt.date) -> str:
    return value.isoformat()


_TEXT = WithJsonSchema({"type": "string"})
Day: TypeAlias = Annotated[
    dt.date,
    PlainValidator(day),
    PlainSerializer(_iso),
    WithJsonSchema({"type": "string", "examples": ["2026-03-05"]}),
]
Days: TypeAlias = Annotated[
    tuple[dt.date, ...],
    PlainValidator(_days),
    PlainSerializer(lambda days: [_iso(item) for item in days]),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
Closes: TypeAlias = Annotated[
    Mapping[str, int],
    PlainValidator(_closes),
    PlainSerializer(lambda closes: {date: units.format_time(time)[:8] for date, time in closes.items()}),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]
Weekdays: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(_weekdays),
    PlainSerializer(list),
    WithJsonSchema({"type": "array", "items": {"enum": list(_WEEKDAYS)}, "minItems": 1}),
]
Zone: TypeAlias = Annotated[
    str, PlainValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})
]
Share: TypeAlias = Annotated[
    Decimal,
    PlainValidator(_share),
    PlainSerializer(_share_text),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": "(%|bps|\\$\\{)"}, {"type": "number"}]}),
]
PhaseName: TypeAlias = Literal[
    "pre_open", "opening_auction", "continuous", "intraday_auction", "closing_auction", "closed"
]


class SessionSpec(Section):
    """A phase of the trading day; between two of them the venue is closed."""

    phase: PhaseName = Field(description="pre_open, opening_auction, continuous, intraday_auction or closing_auction")
    start: TimeOfDay = Field(description='local time at which it begins, such as "09:00"')
    end: TimeOfDay = Field(description='local time at which it ends; "1d 2h" is 02:00 of the next day')
    random_end: Duration = Field(default=0, description="how long before its end it may end, at a time that is drawn")

    def session(self) -> Session:
        """The domain's session."""
        return Session(PHASES[self.phase], self.start, self.end, self.random_end)


_Sessions: TypeAlias = Annotated[
    tuple[SessionSpec, ...], PlainSerializer(lambda sessions: [session.to_dict() for session in sessions])
]


class CalendarSpec(Section):
    """The trading days of a venue. Text such as ``xetra`` means ``{preset: xetra}``."""

    preset: Text | None = Field(default=None, description="the calendar of an exchange: lse, nyse or xetra")
    time_zone: Zone | None = Field(default=None, description="IANA name, such as Europe/Berlin; UTC when left out")
    days: Weekdays | None = Field(default=None, description="of the week; Monday to Friday when left out")
    sessions: _Sessions | None = Field(default=None, description="the phases of a day, in order")
    holidays: Days | None = Field(default=None, description="dates without trading, beside those of the preset")
    early_closes: Closes | None = Field(
        default=None, description="dates on which continuous trading ends earlier, and when"
    )

    @classmethod
    def prepare(cls, given: Any) -> Any:
        """Accept the name of a preset."""
        return super().prepare({"preset": given} if isinstance(given, str) else given)

    def preset_spec(self) -> CalendarSpec | None:
        """What the preset says, if one is named."""
        if self.preset is None:
            return None
        return CalendarSpec.model_validate(
            {name: value for name, value in calendar_mapping(self.preset).items() if name != "years"}
        )

    @property
    def years(self) -> tuple[int, int] | None:
        """The first and the last year whose holidays the preset knows."""
        if self.preset is None:
            return None
        first, last = calendar_mapping(self.preset)["years"]
        return int(first), int(last)

    def calendar(self) -> Calendar:
        """The domain's calendar. InvalidValueError when it has no sessions."""
        base = self.preset_spec() or CalendarSpec()
        sessions = self.sessions if self.sessions is not None else base.sessions
        if not sessions:
            raise InvalidValueError("a calendar needs sessions, or a preset that has some")
        closes = {**(base.early_closes or {}), **(self.early_closes or {})}
        return Calendar(
            self.time_zone or base.time_zone or "UTC",
            tuple(spec.session() for spec in sessions if spec.phase != "closed"),
            frozenset(_WEEKDAYS.index(name) for name in self.days or base.days or _WEEKDAYS[:5]),
            frozenset((*(base.holidays or ()), *(self.holidays or ()))),
            {dt.date.fromisoformat(date): time for date, time in closes.items()},
        )


class AuctionsSpec(Section):
    """How a venue's auctions go."""

    interval: Duration = Field(
        default=units.SECOND, description="between two looks at the indicative price, which is told when it has changed"
    )
    extensions: Whole = Field(default=0, description="how often an auction whose price lies outside the bands goes on")
    extension: Span = Field(default=2 * units.MINUTE, description="for how long each time")


class BandsSpec(Section):
    """Prices outside of which nothing trades."""

    static: Share | None = Field(
        default=None, description="distance from the price of the last auction, at first the reference price"
    )
    low: Amount | None = Field(default=None, description="lowest price, instead of static")
    high: Amount | None = Field(default=None, description="highest price, instead of static")
    dynamic: Share | None = Field(default=None, description="distance from the last trade")
    action: Literal["refuse", "auction", "halt"] = Field(
        default="auction", description="what an order that would trade outside brings about"
    )


class InterruptionsSpec(Section):
    """How long an interruption lasts, and what ends it."""

    auction: Span = Field(default=5 * units.MINUTE, description="length of a volatility auction")
    random_end: Duration = Field(default=0, description="by how much it may be shorter, at a time that is drawn")
    halt: Span = Field(default=5 * units.MINUTE, description="length of a halt that the bands bring about")
    reopening: Literal["auction", "continuous"] = Field(default="auction", description="what follows a halt")


class BreakerLevel(Section):
    """One level of a circuit breaker."""

    fall: Share = Field(description='how far below the reference, such as "7%"')
    halt: Span | None = Field(default=None, description="how long the halt is; the rest of the day when left out")


_Levels: TypeAlias = Annotated[
    tuple[BreakerLevel, ...], PlainSerializer(lambda levels: [level.to_dict() for level in levels])
]


def _ascending(levels: tuple[BreakerLevel, ...]) -> tuple[BreakerLevel, ...]:
    if not levels:
        raise InvalidValueError('the list is empty: give at least one level, such as {fall: "7%", halt: 15min}')
    falls = [level.fall for level in levels]
    if falls != sorted(set(falls)):
        raise InvalidValueError("each level must lie below the one before it: order them by fall, each one once")
    return levels


class BreakerSpec(Section):
    """A circuit breaker: the whole venue halts when one instrument, or an index, falls too far."""

    instrument: Text | None = Field(default=None, description="the instrument that is watched; the venue's only one")
    index: Text | None = Field(
        default=None, description="the index that is watched instead, at its members' last trades"
    )
    levels: Annotated[_Levels, AfterValidator(_ascending)] = Field(description="falls from the previous close")
