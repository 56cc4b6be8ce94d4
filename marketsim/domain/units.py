"""Units: durations, rates and exact decimals as people write them, and the integers used inside.

Inside marketsim time is int nanoseconds, price int ticks and quantity int lots; this module is one of the
edges where they are converted. It never rounds silently.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from marketsim.errors import InvalidValueError

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "sec": SECOND,
    "m": MINUTE,
    "min": MINUTE,
    "h": HOUR,
    "hour": HOUR,
    "d": DAY,
    "day": DAY,
}
PERIODS = {"ms": MILLISECOND, "s": SECOND, "min": MINUTE, "h": HOUR}
"""What a frequency is written per."""
_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([a-zµ]+)")
_CLOCK = re.compile(r"^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,9})?)?$")
_LONGEST = (1 << 63) - 1
_ORDERS_OF_MAGNITUDE = 60  # a number may have; exact arithmetic writes the digits of larger ones out
_RULE = 'write a number with a unit (ns, us, ms, s, min, h, d), such as "150us" or "1h 30min"'


def duration(value: object) -> int:
    """Nanoseconds of a duration: ``"30min"``, ``"1h 30min"``, ``"150us"``, ``"0.5s"`` or an int of nanoseconds.

    Raises InvalidValueError for a float (ambiguous unit), an unknown unit, or a part finer than a nanosecond.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return _of_64_bits(value, value)
    if not isinstance(value, str):
        raise InvalidValueError(f"{value!r} is not a duration: {_RULE}")
    text, position, total = value.strip(), 0, Decimal(0)
    if text == "0":
        return 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part.group(2) not in _UNITS:
            raise InvalidValueError(f"{value!r} is not a duration: {_RULE}")
        try:
            total += Decimal(part.group(1)) * _UNITS[part.group(2)]
        except ArithmeticError:
            raise InvalidValueError(f"{value!r} is too long or too short a time: {_RULE}") from None
        position = part.end()
    if not text or total != total.to_integral_value():
        raise InvalidValueError(f"{value!r} is not a whole number of nanoseconds: {_RULE}")
    return _of_64_bits(total, value)


def _of_64_bits(nanoseconds: int | Decimal, value: object) -> int:
    if not -_LONGEST <= nanoseconds <= _LONGEST:
        raise InvalidValueError(f"{str(value)[:60]} is too long a time: the longest is about 292 years")
    return int(nanoseconds)


def time_of_day(value: object) -> int:
    """Nanoseconds after midnight of ``"09:30"``, ``"09:30:00.5"``, a duration, or an int of nanoseconds."""
    if isinstance(value, str) and (clock := _CLOCK.match(value.strip())):
        hours, minutes, seconds = int(clock.group(1)), int(clock.group(2)), int(clock.group(3) or 0)
        if hours > 24 or minutes > 59 or seconds > 59:
            raise InvalidValueError(f"{value!r} is not a time of day: hours to 24, minutes and seconds to 59")
        fraction = Decimal(clock.group(4) or 0) * SECOND
        return hours * HOUR + minutes * MINUTE + seconds * SECOND + int(fraction)
    return duration(value)


def rate(value: object) -> float:
    """Events per second of ``"0.5/s"``, ``"30/min"`` or a plain number (per second). Never negative."""
    number: object = value
    per = SECOND
    if isinstance(value, str):
        head, slash, tail = value.partition("/")
        if not slash or tail.strip() not in _UNITS:
            raise InvalidValueError(f'{value!r} is not a rate: write a number per unit of time, such as "0.5/s"')
        number, per = head.strip(), _UNITS[tail.strip()]
    if isinstance(number, bool):
        raise InvalidValueError(f'{value!r} is not a rate: write a number per unit of time, such as "0.5/s"')
    try:
        result = float(number) * SECOND / per  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InvalidValueError(f'{value!r} is not a rate: write a number per unit of time, such as "0.5/s"') from None
    if not 0.0 <= result < float("inf"):
        raise InvalidValueError(f"{value!r} is not a rate: it must be finite and not negative")
    return result


def frequency(value: object) -> tuple[int, int]:
    """How many in how many ns: ``"100/s"``, ``"30/min"``, ``"5/250ms"`` or a plain number (a second); above zero."""
    count, slash, unit = value.partition("/") if isinstance(value, str) else (str(value), "/", "s")
    if isinstance(value, (list, tuple)) and len(value) == 2:  # as it is kept
        return int(value[0]), int(value[1])
    period = PERIODS.get(unit.strip()) or _period(unit)
    if not slash or not count.strip().isdigit() or not period:
        raise InvalidValueError(f'{value!r:.60} is not a whole number in a time: write "100/s", "30/min" or "500/h"')
    if int(count) == 0:
        raise InvalidValueError(
            f"{value!r:.60} lets nothing through: write more than zero, or leave it out for no limit"
        )
    return int(count), period


def _period(text: str) -> int:
    """A time other than one of a unit, such as ``250ms``; 0 where it is none."""
    try:
        return max(duration(text.strip()), 0)
    except (InvalidValueError, ArithmeticError):
        return 0


def decimal(value: object) -> Decimal:
    """An exact decimal of an int, a Decimal, or text; a float is taken by its shortest text form."""
    if isinstance(value, bool):
        raise InvalidValueError(f"{value!r} is not a number")
    try:
        result = Decimal(str(value)) if isinstance(value, float) else Decimal(value)  # type: ignore[arg-type]
    except (InvalidOperation, TypeError, ValueError):
        raise InvalidValueError(f"{value!r} is not a number") from None
    if not result.is_finite():
        raise InvalidValueError(f"{value!r} is not a finite number")
    if abs(result.adjusted()) > _ORDERS_OF_MAGNITUDE:
        raise InvalidValueError(
            f"{value!r} is too large or too small a number: write one between 1e-{_ORDERS_OF_MAGNITUDE} and "
            f"1e{_ORDERS_OF_MAGNITUDE}"
        )
    return result


def steps(value: object, step: Decimal, what: str) -> int:
    """How many whole ``step`` make ``value``; InvalidValueError with the two neighbours when it is between two."""
    amount = decimal(value)
    count = amount / step
    whole = count.to_integral_value()
    if abs(whole) > _LONGEST:
        raise InvalidValueError(f"{what} {amount} is too large: more than 2**63 times {step}")
    if count != whole or whole * step != amount:  # 28 digits may have rounded the quotient
        low = (count // 1) * step
        raise InvalidValueError(
            f"{what} {amount} is not a multiple of {step}: use {low.normalize():f} or {(low + step).normalize():f}"
        )
    return int(whole)


def format_duration(nanoseconds: int) -> str:
    """A short text such as ``1h 30min``, ``2.5s`` or ``150us``, exact for whole nanoseconds."""
    if nanoseconds < 0:
        return "-" + format_duration(-nanoseconds)
    if nanoseconds == 0:
        return "0s"
    parts: list[str] = []
    for unit, size in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if nanoseconds >= size:
            parts.append(f"{nanoseconds // size}{unit}")
            nanoseconds %= size
    for unit, size in (("s", SECOND), ("ms", MILLISECOND), ("us", MICROSECOND), ("ns", NANOSECOND)):
        if nanoseconds >= size:
            amount = (Decimal(nanoseconds) / size).normalize()
            parts.append(f"{amount:f}{unit}")
            break
    return " ".join(parts)


def format_time(nanoseconds: int) -> str:
    """A time of day ``HH:MM:SS.nnnnnnnnn`` (with days in front when past midnight), for messages and reports."""
    days, rest = divmod(nanoseconds, DAY)
    seconds, fraction = divmod(rest, SECOND)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:09d}"
    return f"{days}d {text}" if days else text
