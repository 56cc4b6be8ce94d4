"""Overrides: ``agents.mm.gamma=0.2`` from the command line, or the same as a mapping from Python.

A value is read as YAML reads an unquoted scalar; one that begins with ``[``, ``{`` or a quote is read as YAML. ``null``
removes what is there, so that its default holds. Names under ``agents``, ``venues`` and the like must exist, unless a
whole new section is given; the first item of a list is ``[0]``. A mapping that is given adds to one that is there, but
replaces an item of a list. What an override means is judged with the scenario.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from marketsim.errors import did_you_mean
from marketsim.scenario import yaml
from marketsim.scenario.document import NOWHERE, Finding, Mark, Node, Path, from_plain, raise_findings
from marketsim.scenario.shape import flatten, inherited, merge, typed_section
from marketsim.scenario.spec import LatencySpec, Overrides

__all__ = ["Overrides", "apply", "parse_path", "with_overrides"]

COMMAND_LINE = Mark("--set")
_STEP = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|\[\s*([0-9]+)\s*\]|([^\s."\[\]=]+))\s*')
_NAMED = {"agents": "agent", "venues": "venue", "instruments": "instrument", "feeds": "feed"}
_FORM = "write path=value, such as agents.mm.gamma=0.2"


class _Refused(Exception):
    """An override that cannot be applied; carries its finding."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


def with_overrides(scenario: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """A scenario's mapping with overrides applied; ScenarioError names each that cannot be."""
    root, findings = flatten(from_plain(scenario))
    root, more = apply(root, overrides)
    raise_findings([*findings, *more])
    plain: dict[str, Any] = root.to_plain()
    return plain


def apply(root: Node, overrides: Overrides) -> tuple[Node, list[Finding]]:
    """The flattened tree with every override applied in order, and a finding for each that cannot be."""
    findings: list[Finding] = []
    for path, value, mark in _parsed(overrides, findings):
        for inner, part in _hoisted(path, value):
            try:
                root = _assigned(root, inner, part, (), mark)
            except _Refused as refused:
                findings.append(refused.finding)
    return root, findings


def _parsed(overrides: Overrides, findings: list[Finding]) -> Iterable[tuple[Path, Node, Mark]]:
    if isinstance(overrides, Mapping):
        for path_text, value in overrides.items():
            if path := parse_path(path_text):
                yield path, from_plain(value), NOWHERE
            else:
                findings.append(
                    Finding((), f"{path_text!r} is not a path: write steps with dots, such as agents.mm.gamma")
                )
        return
    for text in [overrides] if isinstance(overrides, str) else overrides:
        path_text, equals, value_text = _halves(text)
        path = parse_path(path_text)
        if not equals or not path:
            findings.append(Finding((), f"{text!r} is not an override: {_FORM}", COMMAND_LINE))
            continue
        node, errors = _value(value_text.strip())
        findings.extend(replace(error, path=path, mark=COMMAND_LINE) for error in errors)
        if not errors:
            yield path, node, COMMAND_LINE


def _halves(text: str) -> tuple[str, str, str]:
    """Both sides of the first = that is not inside quotes."""
    quoted = False
    for position, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == "=" and not quoted:
            return text[:position], "=", text[position + 1 :]
    return text, "", ""


def parse_path(text: str) -> Path:
    """The steps of ``agents.mm.gamma``, ``timeline[0].at`` or ``venues."X.Y".host``; empty when it is no path."""
    path: list[str | int] = []
    position = 0
    while position < len(text):
        if path and text[position] == ".":
            position += 1
        elif path and text[position] != "[":
            return ()
        match = _STEP.match(text, position)
        if match is None:
            return ()
        quoted, index, name = match.groups()
        path.append(
            int(index) if index is not None else re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else name
        )
        position = match.end()
    return tuple(path) if text and text[-1] != "." else ()


def _value(text: str) -> tuple[Node, list[Finding]]:
    if text[:1] in ("[", "{", '"', "'"):
        node, findings = yaml.read(text, COMMAND_LINE.source)
        return _marked(node), findings
    return Node(yaml.scalar(text), COMMAND_LINE, plain=True), []


def _marked(node: Node) -> Node:
    """A value from the command line has no line and column worth telling."""
    if isinstance(node.value, Mapping):
        parts = {name: replace(_marked(part), key=COMMAND_LINE) for name, part in node.value.items()}
        return Node(parts, COMMAND_LINE)
    if isinstance(node.value, tuple):
        return Node(tuple(map(_marked, node.value)), COMMAND_LINE)
    return replace(node, mark=COMMAND_LINE)


def _hoisted(path: Path, value: Node) -> Iterable[tuple[Path, Node]]:
    """The override without a step ``parameters``, as flattened trees know none; one for each entry of a mapping."""
    for position in range(1, len(path)):
        section = typed_section(path[:position])
        if section is None or path[position] != "parameters":
            continue
        rest = path[position + 1 :]
        if rest and rest[0] not in section.model_fields:
            return [((*path[:position], *rest), value)]
        if not rest and value.is_mapping:
            return [
                ((*path, name) if name in section.model_fields else (*path[:position], name), part)
                for name, part in value.entries.items()
            ]
    return [(path, value)]


def _assigned(node: Node, path: Path, value: Node, at: Path, mark: Mark) -> Node:
    """The node at ``at`` with a value at a path inside it."""
    if not path:
        return merge(node, value, at)
    if isinstance(node.value, tuple):
        return _assigned_in_list(node, node.value, path, value, at, mark)
    if node.value is not None and not node.is_mapping:
        node = _opened(node, path, at, mark)
    path = _rejoined(node, path, at)
    step, rest = str(path[0]), path[1:]
    _check_name(node, step, rest, value, at, mark)
    here = (*at, step)
    child = node.entries.get(step)
    if child is None and value.value is None:
        hint = did_you_mean(step, node.entries) if node.entries else ""
        raise _Refused(Finding((*here, *rest), f"there is nothing to remove{hint}", mark))
    if value.value is None and not rest:
        return node.with_entries({name: part for name, part in node.entries.items() if name != step}) if child else node
    new = replace(_assigned(child or Node(None, mark), rest, value, here, mark), key=mark)
    return replace(node, value={**inherited(node, Node({step: new}), at), step: new})


def _assigned_in_list(node: Node, parts: Sequence[Node], path: Path, value: Node, at: Path, mark: Mark) -> Node:
    step, rest = path[0], path[1:]
    index = int(step) if isinstance(step, int) or step.isdigit() else -1
    if not 0 <= index < len(parts):
        have = f"the list has [0] to [{len(parts) - 1}]" if parts else "the list is empty"
        raise _Refused(Finding((*at, step), f"there is no such item: {have}", mark))
    changed = list(parts)
    if not rest and value.value is None:
        del changed[index]
    elif not rest:
        changed[index] = value  # an item is replaced, as a list is: it need not be of the same kind as the one before
    else:
        changed[index] = _assigned(parts[index], rest, value, (*at, index), mark)
    return replace(node, value=tuple(changed))


def _opened(node: Node, path: Path, at: Path, mark: Mark) -> Node:
    """A latency that is written as a bare duration, as a mapping; any other value has nothing inside."""
    if typed_section(at) is not LatencySpec:
        raise _Refused(Finding((*at, *path), f"{at[-1]} is a value and has nothing inside: end the path there", mark))
    kind = Node("constant", node.mark)
    return replace(node, value={"type": kind, "latency": replace(node, key=None)})


def _rejoined(node: Node, path: Path, at: Path) -> Path:
    """The path with ``BRK``, ``B`` as the one name ``BRK.B`` where such a name stands; the longest name wins."""
    if len(at) != 1 or at[0] not in _NAMED:
        return path
    for length in range(len(path), 1, -1):
        name = ".".join(map(str, path[:length]))
        if name in node.entries:
            return (name, *path[length:])
    return path


def _check_name(node: Node, step: str, rest: Path, value: Node, at: Path, mark: Mark) -> None:
    if len(at) != 1 or at[0] not in _NAMED or step in node.entries or (not rest and value.is_mapping):
        return
    what = _NAMED[str(at[0])]
    repair = did_you_mean(step, node.entries) or f"; the scenario has no {what}s"
    raise _Refused(Finding((*at, step, *rest), f'no {what} is called "{step}"{repair}', mark))
