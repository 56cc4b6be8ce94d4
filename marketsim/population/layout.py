"""A layout: the fields of a compiled agent's dataclass as fields of the record that its policy sees.

Parameters and state become int64 or float64: durations and times in ns, rates in events a second, prices in ticks,
truth as 0 or 1. It reads values as scenario files do; it never knows what they are for.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import re
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from marketsim.domain.instrument import Instrument
from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.kernel.compiled import Rows, Table
from marketsim.scenario.parameters import annotations_of, coerce, type_words

_INT, _FLOAT = np.dtype(np.int64), np.dtype(np.float64)
_UNITS = {"duration": _INT, "time_of_day": _INT, "price": _INT, "rate": _FLOAT}
_NO_FIELD = "ClassVar|InitVar|KW_ONLY"
_TAKEN = ("STATE", "fill", "policy", "records")  # of every compiled agent
_LARGEST = 2**63 - 1
_RULE = (
    "a record holds int, bool and float, what has a unit (duration, time_of_day, rate, price), and a list of ints or "
    'floats whose metadata tell its "length"'
)


class Slot(NamedTuple):
    """One field: its name, type and unit as the dataclass has them, and how the record holds it."""

    name: str
    annotation: Any
    unit: str
    dtype: np.dtype[Any]
    length: int  # of a list; 0 for a single number
    given: bool  # a parameter; else state


@functools.lru_cache(maxsize=256)
def layout_of(cls: type) -> tuple[Slot, ...]:
    """The slots of a dataclass, in the order of its fields. Raises ConfigurationError for what no record can hold."""
    if not dataclasses.is_dataclass(cls) or _forgotten(cls):
        raise ConfigurationError(
            f"{cls.__name__} is no dataclass: put @dataclass above it, so that its fields are its parameters and state"
        )
    annotations = annotations_of(cls)
    return tuple(_slot(cls, field, annotations.get(field.name, Any)) for field in dataclasses.fields(cls))


def dtype_of(cls: type) -> np.dtype[Any]:
    """The record of a dataclass."""
    slots = layout_of(cls)
    if not slots:
        return np.dtype([("nothing", np.int64)])  # compiled code knows no empty record
    return np.dtype([(slot.name, slot.dtype, (slot.length,)) if slot.length else slot[::3] for slot in slots])


def table_of(records: Rows) -> Table:
    """Records where compiled code reaches them. InvalidValueError for a field that they cannot show as an attribute."""
    names = records.dtype.names or ()
    taken = [name for name in names if hasattr(np.record, name)]
    if taken:
        raise InvalidValueError(f"state field {taken[0]!r} is an attribute of NumPy records; choose another name")
    table = Table(records.dtype, len(records))
    for name in names:
        table.rows[name][: len(records)] = records[name]
    return table


def check(agent: Any) -> None:
    """Values become what their fields' types and units say; InvalidValueError begins with the field's name."""
    cls: type = type(agent)
    for slot in layout_of(cls):
        if hasattr(agent, slot.name):
            setattr(agent, slot.name, _read(slot, getattr(agent, slot.name)))


def fill(rows: Rows, agent: Any, instrument: Instrument) -> None:
    """Write the fields of an agent into the records of agents on an instrument."""
    cls: type = type(agent)
    for slot in layout_of(cls):
        if not hasattr(agent, slot.name):
            continue  # state that begins with zero
        value = _read(slot, getattr(agent, slot.name))
        if slot.length:
            rows[slot.name][:, : len(value)] = [_number(slot, part, instrument) for part in value]
        else:
            rows[slot.name] = _number(slot, value, instrument)


# --- from annotations ---


def _forgotten(cls: type) -> bool:
    """Whether a subclass of a dataclass has fields that no @dataclass has seen."""
    own = {name for name, kind in inspect.get_annotations(cls).items() if not re.search(_NO_FIELD, str(kind))}
    return not own <= {field.name for field in dataclasses.fields(cls)}


def _slot(cls: type, field: dataclasses.Field[Any], annotation: Any) -> Slot:
    if hasattr(np.record, field.name) or field.name in _TAKEN:
        raise ConfigurationError(
            f"{cls.__name__}.{field.name}: records have an attribute of this name already; choose another, such as "
            f"own_{field.name}"
        )
    unit = str(field.metadata.get("unit", ""))
    length = _length(cls, field)
    inner = _inner(annotation) if length else annotation
    dtype = None if inner is None else _dtype(inner, unit)
    if dtype is None:
        given = f"with metadata length {length} " if length else ""
        raise ConfigurationError(f"{cls.__name__}.{field.name}: {type_words(annotation)} {given}cannot be seen by a "
                                 f"policy: {_RULE}; or give the class a STATE and a fill of its own")  # fmt: skip
    return Slot(field.name, annotation, unit, dtype, length, field.init)


def _length(cls: type, field: dataclasses.Field[Any]) -> int:
    length = field.metadata.get("length", 0)
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise ConfigurationError(f"{cls.__name__}.{field.name}: length {length!r} is not a whole number above zero")
    return length


def _inner(annotation: Any) -> Any:
    """The type of a list's entries; None when it is no list."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if not isinstance(origin, type) or not issubclass(origin, Sequence) or not arguments:
        return None
    return arguments[0]


def _dtype(annotation: Any, unit: str) -> np.dtype[Any] | None:
    """How a record holds a type; None when it cannot."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    parts = typing.get_args(annotation) if union else (annotation,)
    if unit in _UNITS:
        return None if type(None) in parts else _UNITS[unit]
    if not all(_is_number(part) for part in parts):
        return None
    return _FLOAT if float in parts else _INT


def _is_number(annotation: Any) -> bool:
    if typing.get_origin(annotation) is Literal:
        return all(isinstance(choice, int) for choice in typing.get_args(annotation))
    return isinstance(annotation, type) and (
        annotation in (int, float, bool) or issubclass(annotation, (enum.IntEnum, enum.IntFlag))
    )


# --- from values ---


def _read(slot: Slot, value: Any) -> Any:
    try:
        read = coerce(slot.annotation, value, slot.unit)
        for part in read if slot.length else (read,):
            _check_range(slot, part)
    except InvalidValueError as error:
        raise InvalidValueError(f"{slot.name}: {error}") from None
    if slot.length and len(read) > slot.length:
        raise InvalidValueError(f"{slot.name}: {len(read)} numbers are too many; its length is {slot.length}")
    return read


def _check_range(slot: Slot, value: Any) -> None:
    if slot.dtype == _INT and slot.unit != "price" and not -_LARGEST <= value <= _LARGEST:
        raise InvalidValueError(f"{value} must fit into 64 bits: from -2^63 to 2^63")


def _number(slot: Slot, value: Any, instrument: Instrument) -> int | float:
    if slot.unit == "price":
        try:
            return instrument.to_ticks(value)
        except InvalidValueError as error:
            raise InvalidValueError(f"{slot.name}: {error}") from None
    number: int | float = int(value) if slot.dtype == _INT else float(value)
    return number
