"""The registry: type names of agents, latencies, feeds, shocks and topologies, and the classes that they stand for.

A name is built in (imported when it is first used), ``package.module:Class``, or the entry point of an installed
plug-in, group ``marketsim.<kind>``. Built-in names cannot be taken over by a plug-in. The parameters of a type are the
fields of its dataclass. The registry constructs objects; it never runs them.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path as FilePath
from typing import Any

from marketsim.domain import units
from marketsim.errors import (
    ConfigurationError,
    DataError,
    InvalidValueError,
    MissingDependency,
    UnknownParameterError,
    UnknownTypeError,
    did_you_mean,
)
from marketsim.scenario.builtin import ALIASES, BASES, BUILTIN
from marketsim.scenario.document import Path, canonical, show
from marketsim.scenario.frozen import freeze, thaw
from marketsim.scenario.parameters import Parameter, Problems, below, coerce, parameters_of, summary
from marketsim.scenario.spec import AgentSpec

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Registry:
    """Type names by kind. ``REGISTRY`` is the one that everything uses unless it is given another."""

    def __init__(self, types: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._types = {kind: dict(names) for kind, names in (BUILTIN if types is None else types).items()}

    def register(self, kind: str, name: str, target: str | type) -> None:
        """Give a class, or ``"package.module:Class"`` that is imported when it is used, a name of its own."""
        known = self._types.setdefault(kind, {})
        text = target if isinstance(target, str) else _address(target)
        if known.get(name, text) != text:
            raise ConfigurationError(f'the {kind} type "{name}" is {known[name]} already: choose another name')
        known[name] = text

    def kinds(self) -> tuple[str, ...]:
        """Every kind that has types of its own."""
        return tuple(sorted(self._types))

    def names(self, kind: str) -> tuple[str, ...]:
        """The built-in and registered names of a kind and those of installed plug-ins, in order."""
        return tuple(sorted({*self._types.get(kind, {}), *_plugins(kind)}))

    def resolve(self, kind: str, name: str) -> type:
        """The class of a type name; UnknownTypeError when there is none, ConfigurationError when it is no dataclass."""
        return _checked(kind, name, self.find(kind, name))

    def find(self, kind: str, name: str) -> Any:
        """What stands behind a name: a class, or the function that makes the things of this kind."""
        known = self._types.get(kind, {})
        target = known.get(name) or known.get(ALIASES.get(kind, {}).get(name, ""))
        if target is not None or ":" in name:
            return _import(target or name)
        plugin = _plugins(kind).get(name)
        if plugin is not None:
            return _import(plugin.value)
        choices = self.names(kind)
        same = [choice for choice in choices if choice.lower() == name.lower().replace("-", "_")]
        repair = f'; did you mean "{same[0]}"?' if same else did_you_mean(name, choices)
        raise UnknownTypeError(f'no {kind} type is called "{name}"{repair}')

    def name_of(self, kind: str, cls: type) -> str:
        """How a scenario names a class: its built-in name, else ``module:Class``."""
        address = _address(cls)
        for name, target in sorted(self._types.get(kind, {}).items()):
            if target == address:
                return name
        return address

    def parameters(self, kind: str, name: str) -> tuple[Parameter, ...]:
        """The parameters of a type."""
        return parameters_of(self.resolve(kind, name))

    def summary(self, kind: str, name: str) -> str:
        """The first line of a type's docstring."""
        return summary(self.resolve(kind, name))

    def check_parameters(
        self, cls: type, given: Mapping[str, Any], *, also: Iterable[str] = ()
    ) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
        """The given parameters as the class's fields want them, and everything wrong with them as (path, message).

        also: names that may stand beside the parameters and belong to "did you mean".
        """
        return _check(self, cls, given, also)

    def build(self, kind: str, name: str, given: Mapping[str, Any]) -> Any:
        """An object of a type.

        Raises UnknownTypeError, UnknownParameterError, or InvalidValueError that names each wrong parameter.
        """
        cls = self.resolve(kind, name)
        values, problems = self.check_parameters(cls, given)
        if not problems:
            return cls(**values)
        text = "; ".join(f"{_subject(path)}{message}" for path, message in problems)
        unknown = all("unknown parameter" in message for _, message in problems)
        raise (UnknownParameterError if unknown else InvalidValueError)(f"{name}: {text}")

    def build_topology(self, topology: Mapping[str, Any], seed: int = 0) -> Any:
        """What the network room makes of ``network.topology``: sites and links, or ``{preset: name}`` with options.

        ``{preset: line}`` puts everyone at a place that ``seed`` decides.

        Raises ConfigurationError, whose message begins with the place that is wrong, such as ``network.links[0]``.
        """
        options: dict[str, Any] = thaw(freeze(topology))
        if "preset" not in options:
            return self.find("topology", "graph")(options)
        name = options.pop("preset")
        line = name == "line"
        make = self.find("topology", "line" if line else "preset")
        allowed = list(inspect.signature(make).parameters)[1:]
        for option in options:
            if option not in allowed:
                raise InvalidValueError(f"network.{option}: unknown field of a preset{did_you_mean(option, allowed)}")
        try:
            return make(seed if line else name, **options)
        except ConfigurationError as error:
            raise type(error)(f"network.preset: {error}") from None

    def describe(self, kind: str, thing: Any) -> dict[str, Any]:
        """An object as a scenario writes it: its type and the parameters that differ from their defaults.

        A parameter of an agent that has the name of a field of ``AgentSpec`` stands under ``parameters``.
        """
        written = _written_fields(self, thing)
        fields = AgentSpec.model_fields if kind == "agent" else {}
        nested = {name: written.pop(name) for name in list(written) if name in fields}
        return {"type": self.name_of(kind, type(thing)), **written, **({"parameters": nested} if nested else {})}


def _subject(path: Path) -> str:
    return ".".join(map(str, path)) + ": " if path else ""


def _address(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _plugins(kind: str) -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=f"marketsim.{kind}")}


def _import(target: str) -> Any:
    """What is at ``package.module:Class``."""
    module_name, _, qualified = target.partition(":")
    if not module_name or not qualified or "<locals>" in qualified:
        reason = "is defined inside a function" if "<locals>" in qualified else "is not complete"
        raise UnknownTypeError(
            f'"{target}" {reason}: write "package.module:Class" with a class of a module\'s top level'
        )
    try:
        found: Any = importlib.import_module(module_name)
    except (MissingDependency, ConfigurationError):  # names its place and repair already
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigurationError(f'the module of "{target}" needs {error.name}, which is not installed') from error
        raise UnknownTypeError(
            f'no module is called "{error.name}", for "{target}": install it, or run where Python finds it'
        ) from None
    except Exception as error:  # a user's module may raise anything while it is imported
        raise ConfigurationError(
            f'the module of "{target}" cannot be imported: {type(error).__name__}: {error}'
        ) from error
    for part in qualified.split("."):
        if not hasattr(found, part):
            classes = [key for key, value in vars(found).items() if isinstance(value, type) and not key.startswith("_")]
            raise UnknownTypeError(f'"{module_name}" has no class "{part}"{did_you_mean(part, classes)}')
        found = getattr(found, part)
    return found


def _checked(kind: str, name: str, found: Any) -> type:
    if not isinstance(found, type) or not dataclasses.is_dataclass(found):
        what = f'the class "{found.__name__}"' if isinstance(found, type) else show(found)
        raise ConfigurationError(
            f'the {kind} type "{name}" is {what}, which is no dataclass: put @dataclass above the class, '
            "so that its fields are the parameters"
        )
    return found


def _check(
    registry: Registry, cls: type, given: Mapping[str, Any], also: Iterable[str]
) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    known = {parameter.name: parameter for parameter in parameters_of(cls)}
    values: dict[str, Any] = {}
    problems: list[tuple[Path, str]] = []
    unknown: list[tuple[Path, str]] = []
    for name, value in given.items():
        if name not in known:
            unknown.append(((name,), f"unknown parameter{did_you_mean(name, _visible(known, also, name))}"))
            continue
        try:
            values[name] = coerce(known[name].annotation, value, known[name].unit, _builder(registry))
        except InvalidValueError as error:
            problems.extend(below(name, error))
    problems += _missing(known, given, unknown)
    complete = all(parameter.name in values for parameter in known.values() if parameter.required)
    own = _own_problems(cls, values) if complete and not problems else []
    return values, problems + unknown + own


def _visible(known: Mapping[str, Parameter], also: Iterable[str], name: str) -> list[str]:
    """What "did you mean" chooses from: the parameters, and fields beside them only when one of those is near."""
    wide = [*known, *also]
    return wide if '"' in did_you_mean(name, wide) else list(known)


def _missing(
    known: Mapping[str, Parameter], given: Mapping[str, Any], unknown: list[tuple[Path, str]]
) -> list[tuple[Path, str]]:
    """Required parameters that were not given; one that was evidently misspelt is reported once, there."""
    misspelt = {name for name in known if any(f'did you mean "{name}"' in message for _, message in unknown)}
    return [
        ((name,), f"missing: it has no default; write a value ({parameter.type})")
        for name, parameter in known.items()
        if parameter.required and name not in given and name not in misspelt
    ]


def _own_problems(cls: type, values: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """What the class itself says against values that have the right types: its constructor and its ``validate()``."""
    try:
        made = cls(**values)
        if callable(validate := getattr(made, "validate", None)):
            validate()
    except MissingDependency:
        raise
    except Problems as error:
        return list(error.problems)
    except (ConfigurationError, DataError, ValueError, TypeError, ArithmeticError, OSError) as error:
        message = str(error).removeprefix(f"{cls.__name__}: ") or type(error).__name__
        return [_about(message, values)]
    return []


def _about(message: str, values: Mapping[str, Any]) -> tuple[Path, str]:
    """A message that begins with the name of a given parameter is about that parameter."""
    first = _WORD.match(message)
    if first and first.group() in values:
        return (first.group(),), message.removeprefix(f"{first.group()}: ")
    return (), message


def _builder(registry: Registry) -> Any:
    """Makes nested objects: dataclasses from mappings, and objects of a kind from ``{type: …}`` or a bare duration."""

    def build(cls: type, value: Any) -> Any:
        kind = next((BASES[_address(base)] for base in cls.__mro__ if _address(base) in BASES), None)
        if kind == "latency" and isinstance(value, (str, int)) and not isinstance(value, bool):
            value = {"type": "constant", "latency": value}
        if not isinstance(value, Mapping):
            raise InvalidValueError(
                f'{show(value)} is not a {cls.__name__}: write "name: value" for each of its parameters'
            )
        if kind is not None:
            return _nested(registry, kind, value)
        if not dataclasses.is_dataclass(cls):
            raise InvalidValueError(f"a {cls.__name__} cannot be written in a scenario")
        return _made(cls, *_check(registry, cls, value, ()))

    return build


def _nested(registry: Registry, kind: str, value: Mapping[str, Any]) -> Any:
    name = value.get("type")
    if not isinstance(name, str):
        raise InvalidValueError(f"the {kind} has no type: add type, one of {', '.join(registry.names(kind))}")
    try:
        cls = registry.resolve(kind, name)
    except ConfigurationError as error:
        raise Problems([(("type",), str(error))]) from None
    given = {key: part for key, part in value.items() if key != "type"}
    return _made(cls, *_check(registry, cls, given, ("type",)))


def _made(cls: type, values: dict[str, Any], problems: list[tuple[Path, str]]) -> Any:
    if problems:
        raise Problems(problems)
    return cls(**values)


def _written_fields(registry: Registry, thing: Any) -> dict[str, Any]:
    written: dict[str, Any] = {}
    cls: type = type(thing)
    for parameter in parameters_of(cls):
        value = getattr(thing, parameter.name)
        if parameter.required or not _same(value, parameter.default):
            try:
                written[parameter.name] = _written(registry, value, parameter.unit)
            except InvalidValueError as error:
                raise InvalidValueError(f"{type(thing).__name__}.{parameter.name}: {error}") from None
    return written


def _same(left: Any, right: Any) -> bool:
    try:
        return type(left) is type(right) and bool(left == right)
    except ValueError:  # arrays
        return False


def _written(registry: Registry, value: Any, unit: str) -> Any:
    if unit == "duration" and isinstance(value, int) and not isinstance(value, bool):
        return units.format_duration(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = next((BASES[_address(base)] for base in type(value).__mro__ if _address(base) in BASES), None)
        return registry.describe(kind, value) if kind else _written_fields(registry, value)
    if isinstance(value, Mapping):
        return {
            str(key.name if isinstance(key, Enum) else key): _written(registry, part, unit)
            for key, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_written(registry, part, unit) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_written(registry, part, unit) for part in value), key=repr)
    return canonical(value)


def add_search_folder(folder: FilePath | str) -> None:
    """Let ``module:Class`` find modules in a folder, such as the one of a scenario file, as Python does for scripts."""
    path = str(FilePath(folder).resolve())
    if path not in sys.path:
        sys.path.append(path)


REGISTRY = Registry()
