"""Knobs: what a calibration turns. A path of a scenario from one value to another, or a factor on what stands there.

``"0.1/s..5/s log"`` is a path's own value, as ``Space`` reads it. ``"x0.2..5"`` multiplies what the scenario has there:
a number, a text such as ``"0.5/s"``, or a list or matrix of them, all by one factor. It draws nothing and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.experiment.space import Dimension, Space, Span, read_given, value_at
from marketsim.scenario.spec import ScenarioSpec

_FACTOR = re.compile(r"^\s*[x×]\s*(.+)$")
_QUANTITY = re.compile(r"^\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([^0-9\s].*)?$")


@dataclass(frozen=True)
class Knobs:
    """``space`` has a dimension a path; those of ``factors`` are factors on the value that is given there."""

    space: Space
    factors: Mapping[str, Any]

    @classmethod
    def of(cls, over: Mapping[str, Any], spec: ScenarioSpec) -> Knobs:
        """Knobs over paths of a scenario; InvalidValueError for a path it lacks or a value that is not valid there."""
        if not over:
            raise InvalidValueError("nothing varies: name at least one path, such as agents.flow.distance")
        factors = {path: _scalable(spec, path) for path, given in over.items() if _is_factor(given)}
        plain = {path: given for path, given in over.items() if path not in factors}
        ready = {d.path: d for d in Space.of(plain, spec)} if plain else {}
        dimensions = [ready[path] if path in ready else _factor(path, given) for path, given in over.items()]
        knobs = cls(Space(tuple(dimensions)), factors)
        for path in factors:
            _require(knobs, spec, path)
        return knobs

    def changes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the space as changes of the scenario."""
        return {
            path: scaled(self.factors[path], float(value)) if path in self.factors else value
            for path, value in values.items()
        }


def scaled(value: Any, factor: float) -> Any:
    """A value of a scenario times a factor: whole numbers stay whole, units stay."""
    if isinstance(value, (list, tuple)):
        return [scaled(part, factor) for part in value]
    if isinstance(value, int):
        return round(value * factor)
    if isinstance(value, float):
        return float(f"{value * factor:.6g}")
    match = _QUANTITY.match(str(value))
    if match is None:
        raise InvalidValueError(f"{value!r} is no number, so no factor fits it; list the values instead")
    return f"{float(match.group(1)) * factor:.6g}{match.group(2) or ''}"


def _is_factor(given: Any) -> bool:
    return isinstance(given, str) and _FACTOR.match(given) is not None


def _factor(path: str, given: Any) -> Dimension:
    match = _FACTOR.match(given)
    assert match is not None
    span = read_given(match.group(1))
    if not isinstance(span, Span):
        raise InvalidValueError(f'{path}: {given!r}: a factor goes from one end to another, such as "x0.2..5"')
    try:
        low, high = float(span.low), float(span.high)
    except (TypeError, ValueError):
        raise InvalidValueError(f"{path}: {given!r}: the ends of a factor are plain numbers") from None
    if not 0.0 < low < high:
        raise InvalidValueError(f"{path}: {given!r}: a factor goes from above 0 to more than that")
    return Dimension(path, low=low, high=high, scale="log")


def _scalable(spec: ScenarioSpec, path: str) -> Any:
    value = value_at(spec, path)
    if value is None:
        raise InvalidValueError(
            f'{path}: the scenario writes no value there, so no factor fits it; write one, or a span such as "1..5"'
        )
    scaled(value, 1.0)
    return value


def _require(knobs: Knobs, spec: ScenarioSpec, path: str) -> None:
    """Both ends of a factor make a valid scenario."""
    dimension = knobs.space[path]
    for end in (dimension.low, dimension.high):
        try:
            knobs.space.spec(spec, knobs.changes({path: end}))
        except ConfigurationError as error:
            raise InvalidValueError(f"{path} times {end:g}: {error}") from error
