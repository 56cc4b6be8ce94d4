"""A space of parameters: some paths of a scenario, and the values that each of them may take there.

A ``Choice`` is a list of values; a ``Span`` goes from one end to another, on a linear or a logarithmic scale, in steps
where it is told. Ends may have units: ``"100us"``, ``"2bps"`` and ``"0.5/s"`` stay what they are, and what lies between
is written in the same unit; a duration always has one. Whether a path exists, and whether its values are valid there,
is asked of the scenario itself. A space draws nothing and runs nothing.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from marketsim.domain import units
from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.scenario.loader import check
from marketsim.scenario.overrides import parse_path
from marketsim.scenario.parameters import parameters_of
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.spec import ScenarioSpec
from marketsim.scenario.structure import fields_at
from marketsim.scenario.typecheck import kind_of, typed_sections

Scale = Literal["linear", "log"]
Value: TypeAlias = Any  # as a scenario writes it: a number, text, true or false
Values: TypeAlias = dict[str, Any]  # path -> value

_DIGITS = 6  # significant ones of what lies between the ends
_RANGE = re.compile(r"^\s*(.+?)\s*\.\.\s*(.+?)\s*$")
_TAIL = re.compile(r"[\s:]+(log|linear|step[\s:=]*([^\s:]+))\s*$")
_NUMBER = re.compile(r"^([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(\S*)$")
_FORM = 'write a list such as [0.1, 0.2], or two ends such as "100us..5ms log" or "0..1 step 0.1"'


@dataclass(frozen=True)
class Choice:
    """Some values, in the order given."""

    values: Sequence[Value]


@dataclass(frozen=True)
class Span:
    """All values from ``low`` to ``high``, both included; whole numbers where the scenario wants them.

    scale: how values are spread, "linear" or "log". step: between two values, from ``low`` on; none when left out.
    """

    low: Value
    high: Value
    scale: Scale = "linear"
    step: Value = None


Given: TypeAlias = Choice | Span | Sequence[Any] | Mapping[str, Any] | str | int | float | bool


@dataclass(frozen=True)
class Dimension:
    """One path of a space. A choice has ``values``; a span has ``low``, ``high`` and ``step`` as numbers of ``unit``.

    unit: what is written behind the numbers, such as ``us``; empty for plain ones. whole: only whole numbers fit.
    """

    path: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    scale: Scale = "linear"
    step: float | None = None
    unit: str = ""
    whole: bool = False

    @property
    def is_choice(self) -> bool:
        """Whether it is a list of values."""
        return bool(self.values)

    @property
    def size(self) -> int:
        """How many values it has; 0 where there is no end of them."""
        if self.values:
            return len(self.values)
        if self.low == self.high:
            return 1
        step = self.step or (1.0 if self.whole and self.scale == "linear" else None)
        return math.floor((self.high - self.low) / step + 1e-9) + 1 if step else 0

    def at(self, unit_value: float) -> Value:
        """The value at a place between 0 and 1: every value of a choice, and every step, has an equal share of it."""
        place = min(max(float(unit_value), 0.0), 1.0)
        if count := self.size:
            index = min(int(place * count), count - 1)
            return self.values[index] if self.values else self.value(self._stepped(index))
        if self.scale == "log":
            return self.value(math.exp(math.log(self.low) + place * (math.log(self.high) - math.log(self.low))))
        return self.value(self.low + place * (self.high - self.low))

    def levels(self, count: int) -> tuple[Value, ...]:
        """All values where they can be counted, else ``count`` of them, evenly spread from end to end."""
        if self.values:
            return self.values
        if self.size > 0 and (self.step or self.size <= count):
            return tuple(self.value(self._stepped(index)) for index in range(self.size))
        if count < 2:
            raise InvalidValueError(
                f"{self.path}: a grid needs at least 2 values of a span, not {count}: say how many, or give a step"
            )
        low, high = (math.log(end) if self.scale == "log" else end for end in (self.low, self.high))
        places = [low + index * (high - low) / (count - 1) for index in range(count)]
        return tuple(dict.fromkeys(self.value(math.exp(p) if self.scale == "log" else p) for p in places))

    def value(self, number: float) -> Value:
        """A number of this unit as the scenario writes it, held between the ends and short enough to read."""
        number = min(max(float(number), self.low), self.high)
        if number not in (self.low, self.high):
            number = float(f"{number:.{_DIGITS}g}")
        if self.whole:
            return round(number)
        return _written(number, self.unit)

    def number(self, value: Value) -> float:
        """A value as a number of this unit; NaN where it is none, such as text."""
        try:
            return _in_unit(value, self.unit)
        except InvalidValueError:
            return math.nan

    def to_dict(self) -> Any:
        """As ``Space.of`` reads it."""
        if self.values:
            return list(self.values)
        ends = {"low": _written(self.low, self.unit), "high": _written(self.high, self.unit), "scale": self.scale}
        return ends if self.step is None else {**ends, "step": _written(self.step, self.unit)}

    def __str__(self) -> str:
        if self.values:
            return f"{self.path}: {', '.join(map(str, self.values))}"
        step = "" if self.step is None else f" step {_written(self.step, self.unit)}"
        ends = f"{_written(self.low, self.unit)}..{_written(self.high, self.unit)}"
        return f"{self.path}: {ends}{' log' if self.scale == 'log' else ''}{step}"

    def _stepped(self, index: int) -> float:
        return self.low + index * (self.step or 1.0)


@dataclass(frozen=True)
class Space:
    """The dimensions, in the order given."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def of(cls, over: Mapping[str, Given], spec: ScenarioSpec) -> Space:
        """A space over paths of a scenario.

        over: path -> ``Choice``, ``Span``, a list, text such as ``"100us..5ms log"`` or ``"1, 2, 5"``, or a mapping
        with ``values``, or with ``low``, ``high``, ``scale`` and ``step``.
        Raises InvalidValueError for a path that the scenario does not have and for a value that is not valid there.
        """
        if not over:
            raise InvalidValueError("nothing varies: name at least one path, such as agents.mm.gamma, and its values")
        paths = _Paths(spec)
        return cls(tuple(_dimension(path, given, paths) for path, given in over.items()))

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths, in the order given."""
        return tuple(dimension.path for dimension in self.dimensions)

    def __len__(self) -> int:
        return len(self.dimensions)

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self.dimensions)

    def __getitem__(self, path: str) -> Dimension:
        for dimension in self.dimensions:
            if dimension.path == path:
                return dimension
        raise InvalidValueError(f"{path!r} is no path of the space: it has {', '.join(self.paths)}")

    def at(self, unit_point: Iterable[float]) -> Values:
        """The values at a point of the unit cube: a number between 0 and 1 for each path."""
        places = list(unit_point)
        if len(places) != len(self.dimensions):
            raise InvalidValueError(
                f"a point needs {len(self.dimensions)} numbers, one a path; these are {len(places)}"
            )
        return {d.path: d.at(place) for d, place in zip(self.dimensions, places, strict=True)}

    def spec(self, spec: ScenarioSpec, values: Mapping[str, Value]) -> ScenarioSpec:
        """The scenario with these values; ScenarioError where they do not fit together."""
        return check(spec.to_dict(), dict(values))

    def to_dict(self) -> dict[str, Any]:
        """As ``of`` reads it; numbers, text, lists and mappings only."""
        return {dimension.path: dimension.to_dict() for dimension in self.dimensions}


# --- reading ---


def read_given(text: str) -> Choice | Span:
    """What text says: ``"1, 2, 5"``, ``"100us..5ms log"``, ``"0..1 step 0.1"``; ``:`` may stand for a blank."""
    body, scale, step = text, "linear", None
    while ".." in body and (tail := _TAIL.search(body)):
        body = body[: tail.start()]
        if tail.group(2):
            step = _scalar(tail.group(2))
        else:
            scale = tail.group(1)
    if ends := _RANGE.match(body):
        return Span(_scalar(ends.group(1)), _scalar(ends.group(2)), scale, step)  # type: ignore[arg-type]
    parts = [part.strip() for part in body.strip().strip("[]").split(",")]
    return Choice(tuple(_scalar(part) for part in parts if part))


def _scalar(text: str) -> Any:
    from marketsim.scenario import yaml

    return yaml.scalar(text.strip().strip("\"'"))


def _given(path: str, given: Given) -> Choice | Span:
    if isinstance(given, (Choice, Span)):
        return given
    if isinstance(given, str):
        return read_given(given)
    if isinstance(given, Mapping):
        return _mapped(path, given)
    if isinstance(given, Sequence) or hasattr(given, "tolist"):
        plain = given.tolist() if hasattr(given, "tolist") else given
        return Choice(tuple(plain) if isinstance(plain, Sequence) else (plain,))
    return Choice((given,))


def _mapped(path: str, given: Mapping[str, Any]) -> Choice | Span:
    if set(given) == {"values"}:
        values = given["values"]
        return Choice(tuple(values) if isinstance(values, (list, tuple)) else (values,))
    allowed = {"low", "high", "scale", "step"}
    if not {"low", "high"} <= set(given) <= allowed:
        raise InvalidValueError(
            f"{path}: {', '.join(map(str, given)) or 'nothing'} is given; a mapping has values, or low and high, and "
            "scale and step where needed"
        )
    return Span(given["low"], given["high"], given.get("scale", "linear"), given.get("step"))


def _dimension(path: str, given: Given, paths: _Paths) -> Dimension:
    paths.require_name(path)
    read = _given(path, given)
    return _choice(path, read, paths) if isinstance(read, Choice) else _span(path, read, paths)


def _choice(path: str, given: Choice, paths: _Paths) -> Dimension:
    values = tuple(given.values)
    if not values:
        raise InvalidValueError(f"{path}: there are no values: {_FORM}")
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        raise InvalidValueError(f"{path}: {twice[0]} is given twice: keep one")
    for value in values:
        paths.require(path, value)
        paths.require_unit(path, value)
    return Dimension(path, values=values, unit=_common_unit(values))


def _span(path: str, given: Span, paths: _Paths) -> Dimension:
    if given.scale not in ("linear", "log"):
        raise InvalidValueError(f'{path}: the scale {given.scale!r} is unknown: write "linear" or "log"')
    low_number, unit = _quantity(path, given.low)
    if isinstance(given.high, str) or unit == "":
        _require_same(path, given, unit)
    low, high = low_number, _in_unit(given.high, unit, path)
    if not low <= high:
        raise InvalidValueError(
            f"{path}: {given.low}..{given.high} ends below its beginning: write {given.high}..{given.low}"
        )
    if given.scale == "log" and low <= 0:
        raise InvalidValueError(f"{path}: a log scale begins above zero, not at {given.low}: raise it, or write linear")
    step = None if given.step is None else _in_unit(given.step, unit, path)
    if step is not None and (step <= 0 or given.scale == "log"):
        raise InvalidValueError(
            f"{path}: step {given.step}: steps are above zero and linear: leave out the step or log"
        )
    for end in (given.low, given.high):
        paths.require(path, end)
        paths.require_unit(path, end)
    whole = not unit and low.is_integer() and high.is_integer() and not paths.takes(path, low + 0.5)
    return Dimension(path, (), low, high, given.scale, step, unit, whole)


def _require_same(path: str, given: Span, unit: str) -> None:
    _, other = _quantity(path, given.high)
    same = other == unit or (_is_time(other) and _is_time(unit)) or (_is_rate(other) and _is_rate(unit))
    if not same:
        raise InvalidValueError(f"{path}: {given.low} and {given.high} have different units: write both in one unit")


# --- quantities ---


def _quantity(path: str, value: Value) -> tuple[float, str]:
    """A number and what stands behind it; durations of several parts are told in the unit of the last."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value), ""
    text = str(value).strip()
    match = _NUMBER.match(text)
    if match and isinstance(value, str):
        return float(match.group(1)), match.group(2)
    try:
        nanoseconds, unit = units.duration(text), re.split(r"[0-9.\s]+", text)[-1]
        return nanoseconds / units.duration(f"1{unit}"), unit
    except InvalidValueError:
        raise InvalidValueError(
            f"{path}: {value!r} is no number, and only between numbers something lies; list the values instead"
        ) from None


def _in_unit(value: Value, unit: str, path: str = "") -> float:
    """A value as a number of a unit."""
    number, own = _quantity(path, value)
    if own == unit:
        return number
    if _is_time(own) and _is_time(unit):
        return number * units.duration(f"1{own}") / units.duration(f"1{unit}")
    if _is_rate(own) and _is_rate(unit):
        return number * units.duration(f"1{unit[1:]}") / units.duration(f"1{own[1:]}")
    raise InvalidValueError(f"{path}: {value} is not in {unit or 'plain numbers'}: write it in the same unit")


def _is_time(unit: str) -> bool:
    try:
        return bool(unit) and units.duration(f"1{unit}") > 0
    except InvalidValueError:
        return False


def _is_rate(unit: str) -> bool:
    return unit.startswith("/") and _is_time(unit[1:])


def value_at(spec: ScenarioSpec, path: str) -> Any:
    """What a scenario writes at a path; None where it writes nothing."""
    value: Any = spec.to_dict()
    for step in parse_path(path) or ("",):
        known = isinstance(value, Mapping) and step in value
        known = known or (isinstance(value, list) and isinstance(step, int) and step < len(value))
        if not known:
            return None
        value = value[step]
    return value


def _written(number: float, unit: str) -> Value:
    """A number of a unit as a scenario has it; a duration to the nanosecond."""
    if _is_time(unit):
        return units.format_duration(round(number * units.duration(f"1{unit}")))
    plain = int(number) if number.is_integer() and abs(number) < 2**53 else number
    return f"{plain}{unit}" if unit else plain


def _common_unit(values: Iterable[Value]) -> str:
    """The unit of the first value, where all can be told in it."""
    listed = list(values)
    try:
        unit = _quantity("", listed[0])[1]
        for value in listed:
            _in_unit(value, unit)
    except InvalidValueError:
        return ""
    return unit


# --- the scenario's say ---


class _Paths:
    """What a scenario has, and what it says to a value."""

    def __init__(self, spec: ScenarioSpec) -> None:
        self._plain = spec.to_dict()
        self._known: tuple[str, ...] | None = None

    def require_name(self, path: object) -> None:
        """InvalidValueError for what is no path, and for the seed."""
        if not isinstance(path, str) or not parse_path(path):
            raise InvalidValueError(f"{path!r} is not a path: write steps with dots, such as agents.mm.gamma")
        if path == "seed":
            raise InvalidValueError("seed: every point runs under the same seeds, so it is no path to vary: give seeds")

    def require(self, path: str, value: Value) -> None:
        """InvalidValueError when the scenario does not take a value at a path."""
        try:
            check(self._plain, {path: value})
        except ConfigurationError as error:
            text = str(error)
            raise InvalidValueError(
                text if text.startswith(path) else f"{path} = {value}: {text}{self._near(path)}"
            ) from error

    def require_unit(self, path: str, value: Value) -> None:
        """InvalidValueError for a bare number where a duration belongs: it would be nanoseconds, seldom meant."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value == 0:
            return
        if self.takes(path, f"{value}ns") and not self.takes(path, f"{value} of no unit"):
            raise InvalidValueError(
                f'{path}: {value} means {value} ns, because it is a duration: write a unit, such as "{value}ms" or '
                f'"{value}ns"'
            )

    def takes(self, path: str, value: Value) -> bool:
        """Whether a value is valid there."""
        try:
            check(self._plain, {path: value})
        except ConfigurationError:
            return False
        return True

    def _near(self, path: str) -> str:
        if self._known is None:
            self._known = tuple(_known_paths(self._plain))
        near = difflib.get_close_matches(path, self._known, n=1, cutoff=0.6)
        return f' (the scenario has "{near[0]}")' if near and near[0] != path else ""


def _known_paths(plain: Mapping[str, Any]) -> Iterator[str]:
    """Every path that the scenario writes, and every parameter that its types have."""
    yield from _leaves("", plain)
    for name in plain.get("agents", {}):
        yield from (f"agents.{name}.{field}" for field in fields_at(("agents", name)))
    for path, section in typed_sections(plain):
        cls = REGISTRY.resolve(kind_of(path), str(section["type"]))
        yield from (f"{'.'.join(map(str, path))}.{parameter.name}" for parameter in parameters_of(cls))


def _leaves(before: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(f"{before}.{name}" if before else str(name), part)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _leaves(f"{before}[{index}]", part)
    else:
        yield before
