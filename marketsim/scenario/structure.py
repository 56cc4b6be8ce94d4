"""Structure: what the spec's own fields find wrong with a mapping, in the words of this project and with paths.

Translates pydantic's errors; it has no rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from marketsim.errors import did_you_mean
from marketsim.scenario.document import Finding, Path, show
from marketsim.scenario.spec import CrossCheckError, ScenarioSpec, TypedSection

_AT_KEY = "[key]"  # pydantic's last step for a key that is wrong


def structure_findings(error: ValidationError, *, crossed: bool = True) -> Iterator[tuple[Finding, bool]]:
    """Each finding, and whether it is about the key rather than the value.

    crossed: with those of the spec's own cross checks, which see its canonical form rather than what was written.
    """
    for detail in error.errors(include_url=False):
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, CrossCheckError):
            yield from ((finding, False) for finding in cause.findings if crossed)
        else:
            yield _finding(detail, cause)


def _finding(detail: ErrorDetails, cause: Any) -> tuple[Finding, bool]:
    loc = detail["loc"]
    at_key = bool(loc) and loc[-1] == _AT_KEY
    path: Path = loc[:-1] if at_key else loc
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Finding(path, f"unknown field{did_you_mean(str(path[-1]), fields_at(path[:-1]))}"), True
    if kind == "missing":
        return Finding(path, f"missing: {_description(path)}"), False
    if kind in ("model_type", "dict_type", "mapping_type", "model_attributes_type"):
        return Finding(path, f'{show(detail["input"])} is not a mapping: write "name: value" lines below it'), False
    if kind in ("tuple_type", "list_type"):
        return Finding(path, f'{show(detail["input"])} is not a list: begin each entry with "- "'), False
    return Finding(path, str(cause) if cause is not None else detail["msg"]), at_key


def _description(path: Path) -> str:
    model = model_at(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model else None
    return f"add {field.description}" if field and field.description else "add it"


def fields_at(path: Path) -> list[str]:
    """The names of the fields that the section at a path may have; none where names are free."""
    model = model_at(path)
    if model is None:
        return []
    extra = ["end", "extends", "schema"] if model is ScenarioSpec else []
    hidden = {"parameters"} if issubclass(model, TypedSection) else set()
    return sorted({*model.model_fields, *extra} - hidden)


def model_at(path: Path) -> type[BaseModel] | None:
    """The section that stands at a path, or None where there is none (a list, names, a value)."""
    model: type[BaseModel] = ScenarioSpec
    steps = list(path)
    while steps:
        field = model.model_fields.get(str(steps.pop(0)))
        found = _section(field.annotation) if field else None
        if found is None:
            return None
        model, named = found
        if named and not steps:
            return None
        if named:
            steps.pop(0)
    return model


def _section(annotation: Any) -> tuple[type[BaseModel], bool] | None:
    """The section inside an annotation, and whether it stands under names or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin = get_origin(annotation)
    for part in get_args(annotation):
        if found := _section(part):
            return found[0], found[1] or origin in (Mapping, tuple)
    return None
