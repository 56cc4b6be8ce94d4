"""Checks: the rules that parameters of compiled agents share. A message begins with the parameter's name.

A field that breaks a rule raises InvalidValueError; one that keeps it becomes what compiled code takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from marketsim.domain.units import duration, format_duration, rate
from marketsim.errors import InvalidValueError, did_you_mean


def to_rate(agent: Any, *names: str, low: float = 0.0) -> None:
    """Fields become rates per second, above ``low`` where that is not zero or more."""
    for name in names:
        try:
            value = rate(getattr(agent, name))
        except InvalidValueError as error:
            raise InvalidValueError(f"{name}: {error}") from None
        if value < low:
            raise InvalidValueError(f"{name}: {value:g}/s is too slow; use at least {low:g}/s")
        setattr(agent, name, value)


def to_waking(agent: Any, name: str = "rate") -> None:
    """The field becomes a rate per second at which an agent wakes: above zero, at most one a nanosecond."""
    to_rate(agent, name)
    if not 0.0 < getattr(agent, name) <= 1e9:
        raise InvalidValueError(
            f'{name}: {getattr(agent, name):g}/s is no rate to wake at; use more than 0/s, such as "0.1/s"'
        )


def to_duration(agent: Any, *names: str) -> None:
    """Fields become ns above zero; None stays."""
    for name in names:
        value = getattr(agent, name)
        if value is None:
            continue
        try:
            value = duration(value)
        except InvalidValueError as error:
            raise InvalidValueError(f"{name}: {error}") from None
        if value <= 0:
            raise InvalidValueError(f"{name}: {format_duration(value)} must be above zero")
        setattr(agent, name, value)


def to_number(agent: Any, *names: str, low: float = -math.inf, high: float = math.inf, open_low: bool = False) -> None:
    """Fields become finite floats from ``low`` (above it when ``open_low``) to ``high``; None stays."""
    for name in names:
        value = getattr(agent, name)
        if value is not None:
            setattr(agent, name, _number(name, value, low, high, open_low))


def to_numbers(agent: Any, name: str, low: float = -math.inf, high: float = math.inf) -> None:
    """The field becomes a tuple of finite floats from ``low`` to ``high``."""
    values = getattr(agent, name)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidValueError(f"{name}: {values!r} is not a list of numbers; write [1, 2]")
    setattr(agent, name, tuple(_number(name, value, low, high, False) for value in values))


def to_whole(agent: Any, *names: str, low: int, high: int | None = None) -> None:
    """Fields become ints from ``low`` to ``high``; None stays."""
    for name in names:
        value = getattr(agent, name)
        if value is None:
            continue
        if isinstance(value, bool) or value != int(value):
            raise InvalidValueError(f"{name}: {value!r} is not a whole number")
        _number(name, value, low, math.inf if high is None else high, False)
        setattr(agent, name, int(value))


def to_share(agent: Any, *names: str) -> None:
    """Fields become floats from 0 to 1."""
    to_number(agent, *names, low=0.0, high=1.0)


def check_choice(agent: Any, name: str, choices: Iterable[str]) -> None:
    """The field is one of the choices."""
    value = getattr(agent, name)
    if value not in choices:
        raise InvalidValueError(f"{name}: {value!r} is not one of the choices{did_you_mean(str(value), choices)}")


def _number(name: str, value: object, low: float, high: float, open_low: bool) -> float:
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InvalidValueError(f"{name}: {value!r} is not a number") from None
    if not math.isfinite(number) or number < low or number > high or (open_low and number == low):
        raise InvalidValueError(f"{name}: {value} must be {_range(low, high, open_low)}")
    return number


def _range(low: float, high: float, open_low: bool) -> str:
    if low == -math.inf and high == math.inf:
        return "finite"
    if high == math.inf:
        return f"{'above' if open_low else 'at least'} {low:g}"
    return f"{'above' if open_low else 'from'} {low:g} {'and at most' if open_low else 'to'} {high:g}"
