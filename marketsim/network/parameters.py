"""The parameters of latency models: durations made int nanoseconds, and the rules that values must keep.

An error names the model, the parameter, the value and the rule.
"""

from __future__ import annotations

from typing import Any

from marketsim.domain.units import duration, format_duration
from marketsim.errors import InvalidValueError
from marketsim.network.hop import LONGEST


def ns(value: int | str | None) -> float:
    """A field that has become int nanoseconds, as compiled code takes it."""
    assert isinstance(value, int)
    return float(value)


def text(value: int | str | None) -> str:
    """A duration as people write it."""
    return format_duration(value) if isinstance(value, int) else str(value)


def checked_duration(model: Any, name: str, value: object) -> int:
    """ns of a duration that is not negative and not longer than LONGEST."""
    if type(value) is int and 0 <= value <= LONGEST:  # as a topology gives it, for each of a crowd
        return value
    try:
        result = duration(value)
    except InvalidValueError as error:
        raise InvalidValueError(f"{type(model).__name__}: {name}: {error}") from None
    if not 0 <= result <= LONGEST:
        raise InvalidValueError(
            f"{type(model).__name__}: {name} {value!r} must lie between 0 and {format_duration(LONGEST)}: "
            "no message arrives before it was sent"
        )
    return result


def to_durations(model: Any, *names: str) -> None:
    """Turn duration fields into int nanoseconds; None stays."""
    for name in names:
        value = getattr(model, name)
        if value is not None:
            object.__setattr__(model, name, checked_duration(model, name, value))


def check_number(model: Any, name: str, least: float, most: float) -> None:
    """The field is a number from ``least`` to ``most``; it becomes a float."""
    value: Any = getattr(model, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise InvalidValueError(f"{type(model).__name__}: {name} {value!r} must be a number from {least:g} to {most:g}")
    object.__setattr__(model, name, float(value))


def check_order(model: Any, low: str, high: str) -> None:
    """The first field is not above the second."""
    if ns(getattr(model, low)) > ns(getattr(model, high)):
        raise InvalidValueError(
            f"{type(model).__name__}: {low} {text(getattr(model, low))} is above {high} "
            f"{text(getattr(model, high))}; swap them"
        )


def check_above_minimum(model: Any, name: str) -> None:
    """The field is above the model's ``minimum``."""
    if not ns(getattr(model, name)) > ns(model.minimum):
        raise InvalidValueError(
            f"{type(model).__name__}: {name} {text(getattr(model, name))} must be above minimum {text(model.minimum)}"
        )
