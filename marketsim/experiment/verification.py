"""Verification: a kept run is run again from its own scenario, and the digests are compared. It changes nothing.

A live session is run again from its journal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.errors import ConfigurationError, StoreError
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    from marketsim.simulation import Progress


@dataclass(frozen=True)
class Verification:
    """What came of it. ``versions`` names what differs between the build that made the run and this one."""

    path: Path
    expected: str
    found: str
    versions: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the run was reproduced."""
        return self.expected == self.found


def verify(path: str | Path, progress: Callable[[Progress], None] | None = None) -> Verification:
    """Run the scenario of a run folder again and compare digests; of a live session with all that came from outside.

    Raises StoreError when the folder is missing or incomplete, ConfigurationError when its scenario cannot be built
    here, for example because its agents were classes of a notebook.
    """
    from marketsim.results.journal import JOURNAL, Past, has_journal
    from marketsim.results.run import Run
    from marketsim.simulation import Simulation
    from marketsim.simulation.live import replay_session

    run = Run.open(path)
    manifest = run.manifest
    if not manifest.complete:
        raise StoreError(f"{path}: {manifest.status}; only a complete one can be verified")
    _refuse_local_classes(manifest.spec)
    spec = ScenarioSpec.from_dict(manifest.spec)
    if run.path is not None and has_journal(run.path):
        again = replay_session(spec, Past(run.path / JOURNAL), progress)
    else:
        again = Simulation.from_spec(spec).run(progress=progress)
    return Verification(Path(path), run.digest, again.digest, _different(manifest.versions, again.manifest.versions))


def _refuse_local_classes(spec: Any) -> None:
    for name, agent in spec.get("agents", {}).items():
        if str(agent.get("type", "")).startswith("__main__:"):
            raise ConfigurationError(
                f"agents.{name} is {agent['type']}, a class of the script or notebook that made this run; put it into "
                "a module that can be imported to make the run verifiable"
            )


def _different(before: Any, now: Any) -> tuple[str, ...]:
    return tuple(
        f"{name}: {before.get(name)} then, {now.get(name)} now"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    )
