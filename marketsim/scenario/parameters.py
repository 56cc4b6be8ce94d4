"""Parameters: the fields of a dataclass as people may set them, and the coercion of what they wrote to its types.

A field says more about itself in its metadata: ``unit`` (``duration``, ``time_of_day``, ``rate`` or ``price``) how text
is read, ``help`` what it is for, ``kind: "file"`` that it names a file, ``reference`` (``feed``, ``agent``, ``index``,
``instrument``, ``venue``) that it names a part of the scenario. It never looks into a class beyond its fields.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any, Final, Literal

from marketsim.domain import units
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.scenario import fields as read
from marketsim.scenario.document import Path, canonical, show

REQUIRED: Final = dataclasses.MISSING
NONE: Final = "none"  # what stands for None where null would remove what is written
Builder = Callable[[type, Any], Any]  # makes an object of a class from a mapping or text, or raises Problems

_UNITS: dict[str, Callable[[object], Any]] = {
    "duration": units.duration,
    "time_of_day": units.time_of_day,
    "rate": units.rate,
}
_WORDS = {
    int: "int",
    float: "float",
    bool: "bool",
    str: "text",
    Decimal: "decimal",
    type(None): "none",
    FilePath: "file",
}


class Problems(InvalidValueError):
    """Everything wrong with one value: pairs of the path inside it and what is wrong there."""

    def __init__(self, problems: Sequence[tuple[Path, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(message for _, message in self.problems))


@dataclass(frozen=True)
class Parameter:
    """One parameter of a type.

    default: its default; ``REQUIRED`` when there is none.
    annotation: the field's type, resolved as far as its module allows.
    """

    name: str
    annotation: Any
    default: Any
    metadata: Mapping[str, Any]

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def unit(self) -> str:
        return str(self.metadata.get("unit", ""))

    @property
    def doc(self) -> str:
        return str(self.metadata.get("help", ""))

    @property
    def type(self) -> str:
        """Its type in words, such as ``duration``, ``int`` or ``buy | sell``."""
        if not self.unit:
            return type_words(self.annotation)
        return f"list of {self.unit}" if _collection_in(_bare(self.annotation)) is not None else self.unit

    @property
    def default_text(self) -> str:
        """Its default as a scenario would write it; empty when it is required."""
        if self.default is None and reads_none(self.annotation):
            return NONE
        return "" if self.required else describe_value(self.default, self.unit)


@functools.lru_cache(maxsize=512)  # scenarios name the same few types thousands of times
def parameters_of(cls: type) -> tuple[Parameter, ...]:
    """The parameters of a dataclass: its fields, save those that its constructor does not take or that begin with _."""
    hints = annotations_of(cls)
    return tuple(
        Parameter(field.name, hints.get(field.name, Any), _default(field), field.metadata)
        for field in dataclasses.fields(cls)
        if field.init and not field.name.startswith("_")
    )


def summary(cls: type) -> str:
    """The first line of a class's docstring, as its author wrote it."""
    doc = cls.__dict__.get("__doc__") or ""
    if doc.startswith(f"{cls.__name__}("):  # the signature that dataclass writes where there is no docstring
        return ""
    return inspect.cleandoc(doc).partition("\n")[0]


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else REQUIRED


def annotations_of(cls: type) -> dict[str, Any]:
    """The annotations of a class; one that its module cannot resolve at run time counts as Any."""
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        scope = vars(sys.modules.get(base.__module__, typing))
        for name, annotation in inspect.get_annotations(base).items():
            hints[name] = _resolved(annotation, scope, dict(vars(base)))
    return hints


def _resolved(annotation: Any, scope: dict[str, Any], local: dict[str, Any]) -> Any:
    holder = type("_Holder", (), {"__annotations__": {"value": annotation}})
    try:
        return typing.get_type_hints(holder, scope, local)["value"]
    except (NameError, TypeError, AttributeError, SyntaxError):
        return Any


def type_words(annotation: Any) -> str:
    """A type as a list of parameters shows it."""
    annotation = _bare(annotation)
    if annotation is Any:
        return "any"
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(type_words(part) for part in arguments))
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " | ".join(member.name.lower() for member in annotation)
    if origin is not None and isinstance(origin, type):
        inner = [type_words(part) for part in arguments if part is not Ellipsis]
        return (
            f"mapping to {inner[-1]}" if issubclass(origin, Mapping) else f"list of {', '.join(dict.fromkeys(inner))}"
        )
    return str(getattr(annotation, "__name__", annotation))


def describe_value(value: Any, unit: str = "") -> str:
    """A value as a scenario would write it."""
    if unit == "duration" and isinstance(value, int) and not isinstance(value, bool):
        return units.format_duration(value)
    if unit == "rate" and isinstance(value, (int, float)):
        return f"{value:g}/s"
    try:
        plain = canonical(value)
    except InvalidValueError:
        return repr(value)
    return "null" if plain is None else str(plain).lower() if isinstance(plain, bool) else str(plain)


def _bare(annotation: Any) -> Any:
    """The type behind Annotated, NewType, Final and type variables."""
    while True:
        if typing.get_origin(annotation) in (typing.Annotated, Final):
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ or Any
        else:
            return annotation


def coerce(annotation: Any, value: Any, unit: str = "", build: Builder | None = None) -> Any:
    """A written value as a field's type wants it.

    build: makes objects of classes that are neither plain types nor dataclasses nor enumerations.
    Raises Problems with the path inside the value, or InvalidValueError.
    """
    annotation = _bare(annotation)
    if annotation is Any or (value is None and _allows_none(annotation)):
        return value
    if isinstance(value, str) and value == NONE and reads_none(annotation):
        return None
    if unit in _UNITS or unit == "price":
        return _with_unit(annotation, value, unit, build)
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return _plain(annotation, value, build)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return _one_of(annotation, value, build)
    if origin is Literal:
        return _literal(arguments, value)
    if isinstance(origin, type):
        return _collection(origin, arguments, value, "", build)
    return value  # something that only the class itself can judge


def _allows_none(annotation: Any) -> bool:
    return annotation in (None, type(None), Any) or type(None) in typing.get_args(annotation)


def reads_none(annotation: Any) -> bool:
    """Whether the word ``none`` is None to a type: it may be None, and the word is nothing else to it."""
    parts = [_bare(part) for part in typing.get_args(_bare(annotation))]
    return type(None) in parts and not any(_takes_word(part) for part in parts)


def _takes_word(part: Any) -> bool:
    """Whether ``none`` is a value of a type already."""
    if typing.get_origin(part) is Literal:
        return NONE in typing.get_args(part)
    if isinstance(part, type) and issubclass(part, enum.Enum):
        return NONE in {member.name.lower() for member in part}
    return part in (Any, object) or (isinstance(part, type) and issubclass(part, (str, FilePath)))


def _with_unit(annotation: Any, value: Any, unit: str, build: Builder | None) -> Any:
    """A duration, rate or price, or a list or mapping of them."""
    collection = _collection_in(annotation)
    if collection is not None and not isinstance(value, str) and isinstance(value, (Sequence, Set, Mapping)):
        return _collection(typing.get_origin(collection) or collection, typing.get_args(collection), value, unit, build)
    try:
        if unit == "price":
            return _price(annotation, value)
        return _UNITS[unit](value)
    except ArithmeticError:
        raise InvalidValueError(f"{show(value)} is out of range") from None


def _collection_in(annotation: Any) -> Any:
    """The type of list or mapping that an annotation is, or has among its alternatives; None where there is none."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    for part in typing.get_args(annotation) if union else (annotation,):
        origin = typing.get_origin(_bare(part)) or _bare(part)
        if isinstance(origin, type) and issubclass(origin, (Sequence, Set, Mapping)) and origin is not str:
            return _bare(part)
    return None


def _price(annotation: Any, value: Any) -> Any:
    exact = units.decimal(value)
    wanted = [_bare(part) for part in typing.get_args(annotation)] or [annotation]
    return float(exact) if float in wanted else exact


def _plain(cls: type, value: Any, build: Builder | None) -> Any:
    if issubclass(cls, enum.Enum):
        return _member(cls, value)
    if cls is bool:
        return read.truth(value)
    if cls is int:
        return read.whole(value)
    if cls is float:
        return read.real(value)
    if cls is str:
        return read.text(value)
    if cls is Decimal:
        return units.decimal(value)
    if issubclass(cls, FilePath):
        return cls(read.text(value))
    if cls in (list, tuple, set, frozenset, dict):
        return _collection(cls, (), value, "", build)
    if isinstance(value, cls):
        return value
    if build is not None and cls is not object:
        return build(cls, value)
    if cls is object:
        return value
    raise InvalidValueError(f"{show(value)} is not a {cls.__name__}")


def _member(cls: type[enum.Enum], value: Any) -> enum.Enum:
    if isinstance(value, cls):
        return value
    names = {member.name.lower(): member for member in cls}
    if isinstance(value, str) and value.lower() in names:
        return names[value.lower()]
    for member in cls:
        if member.value == value and not isinstance(value, bool):
            return member
    repair = did_you_mean(value.lower(), names) if isinstance(value, str) else f"; known: {', '.join(names)}"
    raise InvalidValueError(f"{show(value)} is not one of the choices{repair}")


def _literal(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if choice == value and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    known = [str(choice) for choice in choices]
    repair = did_you_mean(value, known) if isinstance(value, str) else f"; known: {', '.join(known)}"
    raise InvalidValueError(f"{show(value)} is not one of the choices{repair}")


def _one_of(annotation: Any, value: Any, build: Builder | None) -> Any:
    """A value for a union: the member whose type it has already, else the first that accepts it."""
    members = [_bare(part) for part in typing.get_args(annotation) if _bare(part) is not type(None)]
    exact = [part for part in members if isinstance(part, type) and type(value) is part]
    refusals: list[InvalidValueError] = []
    for part in [*exact, *members]:
        try:
            return coerce(part, value, "", build)
        except InvalidValueError as error:
            refusals.append(error)
    if len(members) == 1:
        raise refusals[0]
    raise InvalidValueError(
        f"{show(value)} is none of: {', '.join(dict.fromkeys(type_words(part) for part in members))}"
    )


def _collection(origin: type, arguments: tuple[Any, ...], value: Any, unit: str, build: Builder | None) -> Any:
    if issubclass(origin, Mapping):
        return _mapping(arguments, value, unit, build)
    if isinstance(value, (str, Mapping)) or not isinstance(value, (Sequence, Set)):
        raise InvalidValueError(f"{show(value)} is not a list: write [one, two]")
    listed = list(value)
    inner = [arguments[0] if arguments else Any] * len(listed)
    if issubclass(origin, tuple) and arguments and arguments[-1] is not Ellipsis:
        inner = list(arguments)
        if len(inner) != len(listed):
            raise InvalidValueError(f"the list has {len(listed)} entries, but {len(inner)} are wanted")
    parts = _each(((index, part, inner[index]) for index, part in enumerate(listed)), unit, build)
    if issubclass(origin, (list, tuple, set, frozenset)):
        return origin(parts.values())
    return frozenset(parts.values()) if issubclass(origin, Set) else tuple(parts.values())


def _mapping(arguments: tuple[Any, ...], value: Any, unit: str, build: Builder | None) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise InvalidValueError(f'{show(value)} is not a mapping: write "name: value" lines below it')
    inner = arguments[1] if len(arguments) == 2 else Any
    parts = _each(((name, part, inner) for name, part in value.items()), unit, build)
    key = arguments[0] if len(arguments) == 2 else str
    return {(name if key is str else coerce(key, read_key(name), "", build)): part for name, part in parts.items()}


def read_key(name: Any) -> Any:
    """A key as a value: keys of scenario files are text, even where a number is meant."""
    from marketsim.scenario.yaml import scalar

    return scalar(name) if isinstance(name, str) else name


def _each(parts: Iterator[tuple[Any, Any, Any]], unit: str, build: Builder | None) -> dict[Any, Any]:
    """Every part coerced; Problems of all parts at once."""
    problems: list[tuple[Path, str]] = []
    coerced: dict[Any, Any] = {}
    for step, value, annotation in parts:
        try:
            coerced[step] = coerce(annotation, value, unit, build)
        except InvalidValueError as error:
            problems.extend(below(step, error))
    if problems:
        raise Problems(problems)
    return coerced


def below(step: str | int, error: InvalidValueError) -> list[tuple[Path, str]]:
    """The problems of an error as those of the value under a step."""
    if isinstance(error, Problems):
        return [((step, *path), message) for path, message in error.problems]
    return [((step,), str(error))]
