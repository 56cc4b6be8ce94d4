"""Validation: from a tree to a ``ScenarioSpec``, or to one ScenarioError with everything that is wrong.

Joins what the fields, the cross checks and, when asked, the registry find, and says where each value was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from marketsim.domain import units
from marketsim.domain.local_time import LocalTime
from marketsim.errors import InvalidValueError
from marketsim.scenario.crosscheck import cross_findings, items
from marketsim.scenario.document import Finding, Node, Path, outside, raise_findings
from marketsim.scenario.fields import clock_text
from marketsim.scenario.registry import Registry
from marketsim.scenario.sessioncheck import raw_zone
from marketsim.scenario.sessions import day
from marketsim.scenario.shape import flatten
from marketsim.scenario.spec import ScenarioSpec
from marketsim.scenario.structure import structure_findings
from marketsim.scenario.typecheck import type_findings

_DATED: Final = re.compile(r"^\s*([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]\s*(\S.*)$")


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
    """The mapping with ``end`` as a duration and times on the timeline as durations after the start.

    Both may be a time of the first day, ``"10:15"``, or of another one, ``"2026-03-06 10:15"``.
    """
    result = dict(raw)
    findings: list[Finding] = []
    start = _time_of_day(raw.get("start") or 0)
    clock = _clock(raw, start)
    if raw.get("end") is not None:
        del result["end"]
        if raw.get("duration") is not None:
            findings.append(Finding(("end",), "duration is given as well: keep one of the two"))
        else:
            result["duration"] = _until(start, raw["end"], clock, findings)
    elif "end" in result:
        del result["end"]
    if isinstance(raw.get("timeline"), (list, tuple)):
        result["timeline"] = [
            _on_time(shock, start, index, clock, findings) for index, shock in enumerate(items(raw["timeline"]))
        ]
    return result, findings


def _time_of_day(value: object) -> int | None:
    try:
        return units.time_of_day(value)
    except (InvalidValueError, ArithmeticError):
        return None


def _clock(raw: Mapping[str, Any], start: int | None) -> Callable[[object], int]:
    """Reads times of the run: with a date of their own where the run has one."""
    try:
        local = LocalTime(day(raw["date"]), start or 0, raw_zone(raw)) if raw.get("date") is not None else None
    except InvalidValueError:
        local = None

    def read(value: object) -> int:
        dated = _DATED.match(value) if isinstance(value, str) else None
        if dated is None:
            time = units.time_of_day(value)
            return time if local is None else local.nanoseconds(local.date, time)
        if local is None:
            raise InvalidValueError(f"{value!r} has a date and the scenario has none: add date, the first day")
        return local.nanoseconds(day(dated[1]), units.time_of_day(dated[2]))

    return read


def _until(start: int | None, end: object, clock: Callable[[object], int], findings: list[Finding]) -> int:
    """Nanoseconds from the start to the end; a stand-in when the end is wrong, which is a finding."""
    try:
        duration = clock(end) - (start or 0)
    except (InvalidValueError, ArithmeticError) as error:
        findings.append(Finding(("end",), str(error)))
        return units.DAY
    if duration <= 0 and start is not None:
        message = f"{end} is not after the start, {clock_text(start)}: choose a later end or an earlier start"
        findings.append(Finding(("end",), message))
    return duration if duration > 0 else units.DAY


def _on_time(shock: Any, start: int | None, index: int, clock: Callable[[object], int], findings: list[Finding]) -> Any:
    at = shock.get("at") if isinstance(shock, Mapping) else None
    if not isinstance(at, str) or ":" not in at or start is None:
        return shock
    path = ("timeline", index, "at")
    try:
        offset = clock(at) - start
    except InvalidValueError as error:
        findings.append(Finding(path, str(error)))
        return {**shock, "at": 0}
    if offset < 0:
        message = f"{at} is before the start of the run, {clock_text(start)}: choose a later time"
        findings.append(Finding(path, message))
    return {**shock, "at": max(0, offset)}
