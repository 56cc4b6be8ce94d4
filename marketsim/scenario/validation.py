"""Validation: from a tree to a ``ScenarioSpec``, or to one ScenarioError with everything that is wrong.

Joins what the fields, the cross checks and, when asked, the registry find, and says where each value was written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from marketsim.domain import units
from marketsim.errors import InvalidValueError
from marketsim.scenario.crosscheck import cross_findings, items
from marketsim.scenario.document import Finding, Node, Path, outside, raise_findings
from marketsim.scenario.fields import clock_text
from marketsim.scenario.registry import Registry
from marketsim.scenario.shape import flatten
from marketsim.scenario.spec import ScenarioSpec
from marketsim.scenario.structure import structure_findings
from marketsim.scenario.typecheck import type_findings


def validate(
    root: Node,
    earlier: Iterable[Finding] = (),
    broken: Collection[Path] = (),
    registry: Registry | None = None,
    files: Iterable[str] = (),
) -> ScenarioSpec:
    """The spec of a tree whose version is the present one.

    earlier: findings of reading; broken: paths whose value could not be read, below which nothing more is reported.
    files: what the files are called, in the order in which their findings come.
    """
    root, twice = flatten(root)
    raw, untimely = resolve_times(root.to_plain())
    spec, wrong = _spec(raw)
    if registry is not None:
        wrong += type_findings(raw, registry)
    wrong += [(finding, False) for finding in untimely]
    located = [finding.located(root, at_key=at_key) for finding, at_key in wrong]
    raise_findings([*earlier, *twice, *outside(located, broken)], files)
    assert spec is not None
    return spec


def _spec(raw: Mapping[str, Any]) -> tuple[ScenarioSpec | None, list[tuple[Finding, bool]]]:
    """The spec, or None and what the fields and the cross checks find."""
    try:
        return ScenarioSpec.model_validate(raw), []
    except ValidationError as error:
        crossed = [(finding, False) for finding in cross_findings(raw)]
        return None, list(structure_findings(error, crossed=not crossed)) + crossed


def resolve_times(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """The mapping with ``end`` as a duration and times of day on the timeline as durations after the start."""
    result = dict(raw)
    findings: list[Finding] = []
    start = _time_of_day(raw.get("start") or 0)
    if raw.get("end") is not None:
        del result["end"]
        if raw.get("duration") is not None:
            findings.append(Finding(("end",), "duration is given as well: keep one of the two"))
        else:
            result["duration"] = _until(start, raw["end"], findings)
    elif "end" in result:
        del result["end"]
    if isinstance(raw.get("timeline"), (list, tuple)):
        result["timeline"] = [
            _on_time(shock, start, index, findings) for index, shock in enumerate(items(raw["timeline"]))
        ]
    return result, findings


def _time_of_day(value: object) -> int | None:
    try:
        return units.time_of_day(value)
    except (InvalidValueError, ArithmeticError):
        return None


def _until(start: int | None, end: object, findings: list[Finding]) -> int:
    """Nanoseconds from the start to the end; a stand-in when the end is wrong, which is a finding."""
    try:
        duration = units.time_of_day(end) - (start or 0)
    except (InvalidValueError, ArithmeticError) as error:
        findings.append(Finding(("end",), str(error)))
        return units.DAY
    if duration <= 0 and start is not None:
        message = f"{end} is not after the start, {clock_text(start)}: choose a later end or an earlier start"
        findings.append(Finding(("end",), message))
    return duration if duration > 0 else units.DAY


def _on_time(shock: Any, start: int | None, index: int, findings: list[Finding]) -> Any:
    at = shock.get("at") if isinstance(shock, Mapping) else None
    if not isinstance(at, str) or ":" not in at or start is None:
        return shock
    path = ("timeline", index, "at")
    try:
        offset = units.time_of_day(at) - start
    except InvalidValueError as error:
        findings.append(Finding(path, str(error)))
        return {**shock, "at": 0}
    if offset < 0:
        message = f"{at} is before the start of the run, {clock_text(start)}: choose a later time"
        findings.append(Finding(path, message))
    return {**shock, "at": max(0, offset)}
