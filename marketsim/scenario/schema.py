"""JSON Schema of scenario files, for editors: what may be written, with the types' parameters when asked.

It describes files, in which any part may come from an ``extends``; the loader is what judges them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from marketsim.errors import ConfigurationError, MissingDependency
from marketsim.scenario.parameters import Parameter, describe_value, parameters_of, type_words
from marketsim.scenario.registry import REGISTRY, Registry
from marketsim.scenario.spec import SCHEMA, ScenarioSpec

_SECTIONS = {
    "AgentSpec": "agent",
    "FaultSpec": "fault",
    "FeedSpec": "feed",
    "LatencySpec": "latency",
    "ShockSpec": "shock",
}
_REFERENCE = {"type": "string", "pattern": "\\$\\{"}
_JSON_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "text": "string", "file": "string"}


def json_schema(types: bool = False, registry: Registry = REGISTRY) -> dict[str, Any]:
    """The schema as a mapping. ``types``: with the parameters of every type, which imports all of them."""
    schema = ScenarioSpec.model_json_schema(by_alias=False)
    _as_file(schema)
    definitions: dict[str, Any] = schema["$defs"]
    definitions["LatencySpec"] = _or_text(definitions["LatencySpec"], "a constant latency, such as 150us", "integer")
    definitions["CalendarSpec"] = _or_text(definitions["CalendarSpec"], "the name of a preset, such as xetra")
    definitions["AllocationSpec"] = _or_text(definitions["AllocationSpec"], "the name of a rule, such as pro_rata")
    for section in ("LimitsSpec", "RiskSpec"):
        definitions[section] = _or_text(definitions[section], "the usual limits: default")
    for section, kind in _SECTIONS.items():
        if types:
            _add_types(_object(definitions[section]), kind, registry)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "marketsim scenario", **schema}


def _as_file(schema: dict[str, Any]) -> None:
    """What a file may say beyond the spec; nothing is required of a file that extends another."""
    schema.pop("title", None)
    schema.pop("description", None)
    schema.pop("required", None)
    names = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    schema["properties"] |= {
        "schema": {"type": "integer", "minimum": 0, "maximum": SCHEMA, "description": "version of the scenario's form"},
        "extends": {**names, "description": "a file or a ready scenario that this one builds on"},
        "end": {
            "type": "string",
            "description": 'instead of duration: the time of day at which it ends, such as "16:00"',
        },
    }
    for name, section in schema["$defs"].items():
        if name in _SECTIONS:
            section.pop("required", None)
            section["properties"]["type"]["description"] = "a built-in name or package.module:Class"
        section["type"] = ["object", "null"]  # null removes what was inherited, or takes the default


def _or_text(section: dict[str, Any], description: str, *further: str) -> dict[str, Any]:
    return {"anyOf": [{"type": ["string", *further], "description": description}, section]}


def _object(definition: dict[str, Any]) -> dict[str, Any]:
    """The part of a definition that describes a mapping."""
    part: dict[str, Any] = definition["anyOf"][1] if "anyOf" in definition else definition
    return part


def _add_types(section: dict[str, Any], kind: str, registry: Registry) -> None:
    names = registry.names(kind)
    section["properties"]["type"] = {
        "anyOf": [{"enum": list(names)}, {"type": "string", "pattern": ":"}],
        "description": f"one of {', '.join(names)}, or package.module:Class",
    }
    section["allOf"] = list(_cases(section, kind, registry))


def _cases(section: dict[str, Any], kind: str, registry: Registry) -> Iterator[dict[str, Any]]:
    own = dict.fromkeys(section["properties"], True)
    for name in registry.names(kind):
        try:
            cls = registry.resolve(kind, name)
        except (ConfigurationError, MissingDependency):
            continue  # a plug-in that cannot be imported must not take the schema with it
        parameters = {parameter.name: parameter_schema(parameter) for parameter in parameters_of(cls)}
        yield {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {"properties": {**parameters, **own}, "additionalProperties": False},
        }


def parameter_schema(parameter: Parameter) -> dict[str, Any]:
    """What a file may say for one parameter."""
    schema: dict[str, Any] = {"description": _description(parameter)}
    if not parameter.required and parameter.default is not None:
        schema["default"] = describe_value(parameter.default, parameter.unit)
    words = type_words(parameter.annotation)
    if parameter.unit or words not in _JSON_TYPES:
        return schema  # text with a unit, lists and objects: the loader judges them
    return {**schema, "anyOf": [{"type": _JSON_TYPES[words]}, _REFERENCE, {"type": "null"}]}


def _description(parameter: Parameter) -> str:
    return f"{parameter.doc} ({parameter.type})" if parameter.doc else parameter.type
