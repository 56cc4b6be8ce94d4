"""Migration: scenario files of older schema versions become the present one, step by step.

Each step is one small function from a version to the next, which keeps the places of what it moves. The versions:

- 1: the present one (``spec.py``). A file that states no version is of version 1.
- 0: before the first release. ``market: {name, symbols}`` instead of ``venues`` and ``instruments``; ``agents`` a list
  of mappings with ``name`` and ``class``; ``duration_seconds`` and ``latency_ns`` instead of durations with units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from marketsim.domain import units
from marketsim.errors import InvalidValueError, UnsupportedVersionError
from marketsim.scenario.document import Finding, Node, show
from marketsim.scenario.spec import SCHEMA


def migrate(root: Node) -> tuple[Node, list[Finding]]:
    """The tree in the present version, without the entry ``schema``; UnsupportedVersionError when it is not known."""
    stated = root.entries.get("schema")
    version: Any = 1 if stated is None else stated.value
    mark = root.mark if stated is None else stated.mark
    if isinstance(version, bool) or not isinstance(version, int):
        return root, [Finding(("schema",), f"{show(version)} is not a version: write schema: {SCHEMA}", mark)]
    if not 0 <= version <= SCHEMA:
        raise UnsupportedVersionError(
            str(
                Finding(("schema",), f"version {version} is not known: this build reads 0 to {SCHEMA}; update it", mark)
            )
        )
    if not root.is_mapping:
        return root, []
    root = root.with_entries({name: part for name, part in root.entries.items() if name != "schema"})
    findings: list[Finding] = []
    for step in _STEPS[version:]:
        root = step(root, findings)
    return root, findings


def _from_0(root: Node, findings: list[Finding]) -> Node:
    entries = dict(root.entries)
    for old, change in (
        ("market", _market),
        ("agents", _agents),
        ("duration_seconds", _duration),
        ("latency_ns", _latency),
    ):
        if old in entries:
            part = entries.pop(old)
            try:
                entries |= change(part, entries)
            except InvalidValueError as error:
                findings.append(Finding((old,), str(error), part.mark))
    return root.with_entries(entries)


def _market(market: Node, entries: Mapping[str, Node]) -> dict[str, Node]:
    """``market: {name: XSIM, symbols: [ABC], tick_size: 0.01}`` as one venue and its instruments."""
    if not market.is_mapping:
        raise InvalidValueError(f"{show(market.to_plain())} is not a mapping with name and symbols, as schema 0 has it")
    parts = dict(market.entries)
    symbols = parts.pop("symbols", Node((), market.mark))
    named = parts.pop("name", Node("XSIM", market.mark))
    listed = symbols.value if isinstance(symbols.value, tuple) else (symbols,)
    venue = Node({"instruments": replace(symbols, key=symbols.key or market.mark)}, market.mark, market.key)
    instruments = {str(symbol.value): Node(dict(parts), symbol.mark, symbol.mark) for symbol in listed}
    return {
        "venues": Node({str(named.value): venue}, market.mark, market.key),
        "instruments": Node(instruments, symbols.mark, symbols.key),
    }


def _agents(agents: Node, entries: Mapping[str, Node]) -> dict[str, Node]:
    """``agents: [{name: mm, class: Noise}]`` as a mapping of names with ``type``."""
    if not isinstance(agents.value, tuple):
        return {"agents": agents}  # the newer form already
    named: dict[str, Node] = {}
    for index, agent in enumerate(agents.value):
        name = agent.entries.get("name")
        if name is None:
            raise InvalidValueError(f"agents[{index}] has no name, which schema 0 asks for: add one")
        if str(name.value) in named:
            raise InvalidValueError(f"agents[{index}] is called {name.value}, as one before it: choose another name")
        renamed = {
            {"class": "type"}.get(field, field): part for field, part in agent.entries.items() if field != "name"
        }
        named[str(name.value)] = Node(renamed, agent.mark, name.mark)
    return {"agents": Node(named, agents.mark, agents.key)}


def _duration(seconds: Node, entries: Mapping[str, Node]) -> dict[str, Node]:
    """``duration_seconds: 1800`` as a duration."""
    return {"duration": replace(seconds, value=units.format_duration(units.duration(f"{_number(seconds)}s")))}


def _latency(nanoseconds: Node, entries: Mapping[str, Node]) -> dict[str, Node]:
    """``latency_ns: 1000`` as the latency of the network."""
    latency = replace(nanoseconds, value=units.format_duration(units.duration(f"{_number(nanoseconds)}ns")))
    network = entries.get("network", Node({}, nanoseconds.mark, nanoseconds.key))
    return {"network": network.with_entries({**network.entries, "latency": latency})}


def _number(node: Node) -> Any:
    if isinstance(node.value, bool) or not isinstance(node.value, (int, float)) or node.value < 0:
        raise InvalidValueError(f"{show(node.to_plain())} is not a number of at least zero")
    return node.value


_STEPS: list[Callable[[Node, list[Finding]], Node]] = [_from_0]
assert len(_STEPS) == SCHEMA
