"""Scenarios as commands are told them: a file or a ready name, with values changed on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marketsim.scenario.spec import ScenarioSpec


def read(scenario: str, settings: Sequence[str] | None = None, seed: int | None = None) -> ScenarioSpec:
    """The checked scenario; modules beside its file, and in the present folder, can be named in it."""
    from marketsim.scenario import loader

    find_modules(Path(scenario).parent if Path(scenario).is_file() else None)
    overrides = [*(settings or ()), *([] if seed is None else [f"seed={seed}"])]
    return loader.check(scenario, overrides)


def find_modules(folder: Path | None = None) -> None:
    """Let scenarios name classes of modules in a folder, and in the present one, as Python does for scripts."""
    from marketsim.scenario.registry import add_search_folder

    for place in (folder, Path()):
        if place is not None:
            add_search_folder(place)


def describe(spec: ScenarioSpec) -> str:
    """A scenario in a line."""
    from marketsim.domain.units import format_duration

    agents = sum(agent.count for agent in spec.agents.values())
    parts = [
        _count(agents, "agent") + (f" in {len(spec.agents)} families" if agents > len(spec.agents) > 1 else ""),
        _count(len(spec.instruments), "instrument"),
        _count(len(spec.venues), "venue"),
        format_duration(spec.duration),
        f"seed {spec.seed}",
    ]
    return f"{spec.name}: {', '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
