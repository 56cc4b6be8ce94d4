"""Checks: the rules that fields of observations, actions and rewards share. A message begins with the field's name."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any

from marketsim.errors import InvalidValueError, UnknownParameterError, did_you_mean


def known(given: Iterable[str], names: Collection[str], what: str) -> None:
    """UnknownParameterError unless all that is given has one of the names."""
    for field in given:
        if field not in names:
            raise UnknownParameterError(f"{field}: {what} has no such entry{did_you_mean(str(field), names)}")


def to_positive(thing: Any, *names: str) -> None:
    """InvalidValueError unless the fields are finite numbers above 0."""
    for name in names:
        value = getattr(thing, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise InvalidValueError(f"{name}: {value!r} must be a number above 0")


def to_whole(thing: Any, *names: str) -> None:
    """InvalidValueError unless the fields are whole numbers of at least 1."""
    for name in names:
        value = getattr(thing, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidValueError(f"{name}: {value!r} must be a whole number of at least 1")


def to_tuple(given: Any) -> tuple[Any, ...]:
    """What a list holds; what is none, alone."""
    return tuple(given) if isinstance(given, Iterable) else (given,)
