"""Study files: what a sweep or an optimisation is asked for, as YAML in the words of the command."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from marketsim.errors import InvalidValueError, ScenarioError, did_you_mean


def read_study(path: Path, known: Collection[str]) -> Mapping[str, Any] | None:
    """What a study file says, in words that are ``known``; None for a scenario."""
    from marketsim.scenario import yaml

    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return None
    root, findings = yaml.read(path.read_text(encoding="utf-8-sig"), path.name)
    if findings or not root.is_mapping or not {"scenario", "over", "points"} & set(root.entries):
        return None  # a scenario, or nothing: its own reader says what is wrong
    told: dict[str, Any] = root.to_plain()
    for name in told:
        if name not in known:
            raise InvalidValueError(f"{path}: {name!r} is unknown in a study{did_you_mean(name, known)}")
    if not isinstance(told.get("scenario"), str):
        raise ScenarioError([f"{path}: scenario: name the scenario of the study, a file or a ready one"])
    for name in ("over", "set"):
        if name in told and not isinstance(told[name], Mapping):
            raise InvalidValueError(f"{path}: {name}: write a line for each path, such as agents.mm.gamma: [0.1, 0.2]")
    return told


def beside(study: Path, name: str) -> str:
    """A file that a study names is looked for beside it first."""
    beside = study.parent / name
    return str(beside) if beside.is_file() else name


def varied(over: Sequence[str]) -> dict[str, str]:
    """What ``--over PATH=VALUES`` says, by path."""
    found: dict[str, str] = {}
    for text in over:
        path, equals, values = (part.strip() for part in text.partition("="))
        if not (path and equals and values):
            raise InvalidValueError(
                f"--over {text!r}: write PATH=VALUES, such as agents.mm.gamma=0.1,0.2 or agents.mm.gamma=0.01..1:log"
            )
        if path in found:
            raise InvalidValueError(f"--over {path} is given twice: keep one")
        found[path] = values
    return found


def settings_of(told: Mapping[str, Any] | None) -> list[str]:
    """Changes of values as ``--set`` has them."""
    return [f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in (told or {}).items()]
