"""Dictionary and JSON forms of the nouns: dataclasses and named tuples of plain values, enums and instruments.

Enums are written by name, flags as names with | between, decimals as text (exactly), nested nouns as dictionaries.
``from_dict`` reads back what ``to_dict`` wrote. It knows nothing of files.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, Flag
from functools import lru_cache, reduce
from operator import or_
from typing import Any, TypeVar, cast

from marketsim.errors import InvalidValueError, did_you_mean

T = TypeVar("T")


def to_dict(noun: Any) -> dict[str, Any]:
    """A noun as a dictionary of plain values."""
    if dataclasses.is_dataclass(noun) and not isinstance(noun, type):
        return {f.name: _plain(getattr(noun, f.name)) for f in dataclasses.fields(noun) if f.init}
    if isinstance(noun, tuple) and hasattr(noun, "_fields"):
        return {name: _plain(getattr(noun, name)) for name in noun._fields}
    if hasattr(noun, "__slots__"):
        return {name: _plain(getattr(noun, name)) for name in noun.__slots__}
    raise InvalidValueError(f"{type(noun).__name__} is no noun: a dataclass or a named tuple is needed")


def to_json(noun: Any) -> str:
    """A noun as JSON with sorted keys."""
    return json.dumps(to_dict(noun), sort_keys=True)


def from_dict(kind: type[T], form: Mapping[str, Any]) -> T:
    """The noun of a class that a dictionary describes; InvalidValueError where it describes none."""
    if not isinstance(form, Mapping):
        raise InvalidValueError(f"{form!r} is no {kind.__name__}: write a mapping of its fields")
    hints = _hints(cast(Any, kind))
    for name in form:
        if name not in hints:
            raise InvalidValueError(f"{kind.__name__} has no field {name!r}{did_you_mean(name, hints)}")
    try:
        return kind(**{name: _read(hints[name], value) for name, value in form.items()})
    except InvalidValueError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InvalidValueError(f"no {kind.__name__}: {error}") from error


def from_json(kind: type[T], text: str) -> T:
    """The noun of a class that JSON describes; InvalidValueError where it describes none."""
    try:
        form = json.loads(text)
    except ValueError as error:
        raise InvalidValueError(f"no JSON: {error}") from error
    return from_dict(kind, form)


def _plain(value: Any) -> Any:
    if isinstance(value, Flag):
        names = [member.name or "" for member in type(value) if member and member in value]
        return "|".join(names) or value.name or ""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return [_plain(part) for part in value]
    return to_dict(value)


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read(hint: Any, value: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
        return None if value is None else _read(choices[0], value)
    if origin is tuple:
        parts = typing.get_args(hint)
        if len(parts) == 2 and parts[1] is Ellipsis:
            return tuple(_read(parts[0], part) for part in value)
        return tuple(_read(part_hint, part) for part_hint, part in zip(parts, value, strict=True))
    if isinstance(hint, type) and issubclass(hint, Flag) and isinstance(value, str):
        return reduce(or_, [_member(hint, name) for name in value.split("|") if name], hint(0))
    if isinstance(hint, type) and issubclass(hint, Enum) and isinstance(value, str):
        return _member(hint, value)
    if hint is Decimal:
        return Decimal(value)
    if isinstance(value, Mapping) and isinstance(hint, type) and hint is not dict:
        return from_dict(hint, value)
    return value


def _member(kind: type[Enum], name: str) -> Any:
    try:
        return kind[name]
    except KeyError:
        names = list(kind.__members__)
        raise InvalidValueError(f"{name!r} is no {kind.__name__}{did_you_mean(name, names)}") from None
