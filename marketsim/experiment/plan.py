"""A plan: a YAML file that says what an experiment is asked for, in the words of its function in Python.

``scenario`` is a file beside the plan or the name of a ready one, ``set`` changes values of it; all other keys are the
function's own parameters. It reads, and runs nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from marketsim.errors import ScenarioError, did_you_mean
from marketsim.scenario import yaml
from marketsim.scenario.document import Finding, Node, locate, raise_findings

MARK = "over"  # what tells a plan from a scenario, which has no such key


def is_plan(path: str | Path) -> bool:
    """Whether a file says what to run a scenario over."""
    file = Path(path)
    if not file.is_file():
        return False
    try:
        node, _ = yaml.read(file.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError):
        return False  # whoever reads it says what is wrong
    return MARK in node.entries


def read_plan(path: str | Path, known: Collection[str]) -> dict[str, Any]:
    """The plan's entries by name; ``known`` are those that the experiment takes.

    Raises ScenarioError, with its line, for an entry that nobody knows.
    """
    file = Path(path)
    node, findings = yaml.read(file.read_text(encoding="utf-8"), str(path))
    raise_findings([*findings, *_unknown(node, {"scenario", "set", *known})])
    plan: dict[str, Any] = node.to_plain()
    if "scenario" not in plan:
        raise ScenarioError([f'{path}: there is no scenario: write a line such as "scenario: market_maker_duel"'])
    beside = file.parent / str(plan["scenario"])
    if beside.is_file():
        plan["scenario"] = str(beside)
    return plan


def _unknown(node: Node, known: Collection[str]) -> list[Finding]:
    return [
        Finding((name,), f"it is unknown here{did_you_mean(name, known)}", locate(node, (name,), at_key=True))
        for name in node.entries
        if name not in known
    ]
