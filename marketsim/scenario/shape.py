"""The shape of a scenario's tree: how one file builds on another, and the one form in which trees are compared.

Works on nodes, so that every value keeps the place where it was written. It judges no value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from marketsim.scenario.document import Finding, Node, Path
from marketsim.scenario.spec import AgentSpec, FaultSpec, FeedSpec, LatencySpec, ShockSpec, TypedSection

_INSTEAD: dict[Path, tuple[tuple[str, ...], ...]] = {(): (("duration", "end"),)}  # of each, a file may say one


def typed_section(path: Path) -> type[TypedSection] | None:
    """Which section with a type and parameters stands at a path."""
    match path:
        case ("agents", str()):
            return AgentSpec
        case ("feeds", str()):
            return FeedSpec
        case ("network", "faults", int()):
            return FaultSpec
        case ("timeline", int()):
            return ShockSpec
        case ("network", "latency") | ("agents", str(), "latency"):
            return LatencySpec
    return None


def flatten(root: Node) -> tuple[Node, list[Finding]]:
    """The tree with every type's parameters beside its type, and a finding for each that was given twice.

    What stands under ``parameters`` moves up, unless it has the name of a field of the section.
    """
    findings: list[Finding] = []

    def visit(path: Path, node: Node) -> Node:
        section = typed_section(path)
        return node if section is None else _hoisted(node, section, path, findings)

    return _transformed(root, (), visit), findings


def _transformed(node: Node, path: Path, visit: Callable[[Path, Node], Node]) -> Node:
    node = visit(path, node)
    if isinstance(node.value, Mapping):
        return node.with_entries({name: _transformed(part, (*path, name), visit) for name, part in node.value.items()})
    if isinstance(node.value, tuple):
        parts = tuple(_transformed(part, (*path, index), visit) for index, part in enumerate(node.value))
        return replace(node, value=parts)
    return node


def _hoisted(node: Node, section: type[TypedSection], path: Path, findings: list[Finding]) -> Node:
    nested = node.entries.get("parameters")
    if nested is None or not nested.is_mapping:
        return node
    entries = {name: part for name, part in node.entries.items() if name != "parameters"}
    kept: dict[str, Node] = {}
    for name, part in nested.entries.items():
        if name in section.model_fields:
            kept[name] = part
        elif name in entries:
            message = 'given twice, with and without "parameters": keep one of them'
            findings.append(Finding((*path, name), message, part.key or part.mark))
        else:
            entries[name] = part
    if kept:
        entries["parameters"] = nested.with_entries(kept)
    return node.with_entries(entries)


def merge(base: Node, top: Node, path: Path = ()) -> Node:
    """The base with what the top adds, replaces, or removes with null; lists are replaced whole.

    Where the top names another type, the parameters of the base's type are dropped. A null that has nothing to remove
    stays: fields take it for their default, parameters for none.
    """
    if not (base.is_mapping and top.is_mapping):
        return top
    entries = inherited(base, top, path)
    for name, part in top.entries.items():
        present = entries.get(name)
        if present is None:
            entries[name] = part
        elif part.value is None:
            del entries[name]
        else:
            merged = merge(present, part, (*path, name))
            entries[name] = replace(merged, key=part.key, mark=part.mark)
    return top.with_entries(entries)


def inherited(base: Node, top: Node, path: Path) -> dict[str, Node]:
    """The entries of the base that the top does not make meaningless."""
    entries = dict(base.entries)
    for group in _INSTEAD.get(path, ()):
        if any(name in top.entries for name in group):
            entries = {name: part for name, part in entries.items() if name not in group or name in top.entries}
    if path == ("network", "topology") and _differs(base, top, "preset"):
        return {}
    section = typed_section(path)
    if section is not None and "type" in top.entries and _differs(base, top, "type"):
        fields = section.model_fields.keys() - {"parameters"}
        entries = {name: part for name, part in entries.items() if name in fields}
    return entries


def _differs(base: Node, top: Node, name: str) -> bool:
    left, right = base.entries.get(name), top.entries.get(name)
    return (left.value if left else None) != (right.value if right else None)
