"""Memory: how much the agents of a scenario will take, estimated before anything is made for them, and what there is.

The estimate is what a population takes when nothing happens yet. Orders, messages on their way and what Python agents
keep for themselves come on top, so it never refuses what would have fitted. It makes no agent and writes no name.

Bytes an agent were measured as the process's resident memory after ``Simulation.start`` and at its peak while a run of
a moment was written, less the memory of a small market (Python 3.11, Linux, 64 bits; 50,000 to 300,000 agents of type
noise with records of 88 bytes, 5,000 to 10,000 Python agents with one timer):

========= ============== ============== ============== ============== ============================
agents    1 venue, built 1 venue, peak  4 venues,built 4 venues, peak so: of each
========= ============== ============== ============== ============== ============================
compiled  2,360 to 2,420 2,740 to 2,770 4,450          4,550          1,950, its record, 650 a venue
Python    8,120          8,740          10,110         10,730         7,900, 650 a venue
========= ============== ============== ============== ============== ============================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from marketsim.errors import ConfigurationError, InvalidValueError
from marketsim.population.agent import CompiledAgent
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.spec import AgentSpec, ScenarioSpec

COMPILED, PYTHON = 1_950, 7_900  # bytes an agent: names, numbers, its line in the manifest; a Python agent's session
VENUE = 650  # bytes an agent and venue: three links with their names and numbers
_GROUPS, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")  # control groups; Linux only
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


@dataclass(frozen=True)
class Need:
    """What the agents of one key take."""

    key: str
    agents: int
    each: int  # bytes

    @property
    def total(self) -> int:
        """Bytes."""
        return self.agents * self.each


def estimate(spec: ScenarioSpec, agents: Mapping[str, Any] | None = None) -> list[Need]:
    """What the agents take at least, by their key. ``agents``: objects that stand for some, instead of their types."""
    given = agents or {}
    return [
        Need(key, agent.count, _each(agent, given.get(key), len(spec.venues))) for key, agent in spec.agents.items()
    ]


def require_memory(spec: ScenarioSpec, agents: Mapping[str, Any] | None = None) -> None:
    """InvalidValueError when the agents of a scenario cannot fit into the memory that is available."""
    needs = estimate(spec, agents)
    total = sum(need.total for need in needs)
    available = available_memory()
    if total <= available:
        return
    largest = max(needs, key=lambda need: need.total)
    others = total - largest.total
    most = _rounded_down((available - others) // largest.each)
    with_others = f", and all others {_size(others)}" if others else ""
    repair = f"use at most {most:,}" if most > 0 else "use fewer of all"
    raise InvalidValueError(
        f"agents.{largest.key}.count: {largest.agents:,} agents need at least {_size(largest.total)} of memory "
        f"({largest.each:,} bytes each){with_others}; {_size(max(available, 0))} are available here: {repair}"
    )


def available_memory() -> int:
    """Bytes that this process may still take: what the system has left, or less where a container's limit is nearer."""
    return min([psutil.virtual_memory().available, *_left_in_groups()])


def _each(spec: AgentSpec, agent: Any, venues: int) -> int:
    kind: Any = type(agent)
    if agent is None:
        with suppress(ConfigurationError):  # what cannot be found is told when it is built
            kind = REGISTRY.resolve("agent", spec.type)
    if spec.compiled is not False and isinstance(kind, type) and issubclass(kind, CompiledAgent):
        return COMPILED + VENUE * venues + kind.STATE.itemsize
    return PYTHON + VENUE * venues


def _left_in_groups() -> Iterator[int]:
    """What each control group that this process is in leaves it, in bytes."""
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            top = _GROUPS / controllers
            own = top / path.lstrip("/")
            for folder in (own, *own.parents):
                if folder != top.parent and folder.is_relative_to(top):
                    yield from _left_in_group(folder)


def _left_in_group(folder: Path) -> Iterator[int]:
    for limit, used, idle in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with suppress(OSError, ValueError):  # no such group here, or "max": no limit
            most, now = int((folder / limit).read_text()), int((folder / used).read_text())
            yield most - now + _in_file(folder / "memory.stat", idle)


def _in_file(path: Path, name: str) -> int:
    """A number by its name; file pages that nobody uses are given back before anybody has to do without."""
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            if line.partition(" ")[0] == name:
                return int(line.partition(" ")[2])
    return 0


def _rounded_down(count: int) -> int:
    """Two figures are enough for an estimate."""
    power: int = 10 ** max(len(str(max(count, 0))) - 2, 0)
    return count // power * power


def _size(amount: int) -> str:
    size, unit = float(amount), 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:,.0f} {_UNITS[unit]}" if size >= 999.5 else f"{size:.3g} {_UNITS[unit]}"
