"""Calendars of exchanges by name: their sessions, holidays and early closes, in files beside this module.

The holidays are dated, not computed, so that a run does not change with a library. It reads and judges nothing else.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

from marketsim.errors import InvalidValueError, did_you_mean


def calendar_names() -> tuple[str, ...]:
    """The calendars that ``calendar_mapping`` knows."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


@lru_cache(maxsize=16)
def calendar_mapping(name: str) -> dict[str, Any]:
    """What the file of a calendar says; ``years`` are the first and the last one whose holidays it knows."""
    import yaml

    if name not in calendar_names():
        raise InvalidValueError(f'there is no calendar "{name}"{did_you_mean(name, calendar_names())}')
    text = (resources.files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
    mapping: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - text only: dates stay as written
    return mapping
