"""What a market is named by on the command line: a run folder, a scenario to run, or a recorded LOBSTER day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.cli.console import notices

if TYPE_CHECKING:
    from marketsim.results.run import Run

LOBSTER = ("_message_", "_orderbook_")
WHAT = "A run folder, a scenario (file or name, which is run), a LOBSTER file, or a folder with one pair of them."


def is_recorded(path: Path) -> bool:
    """Whether a name is that of a LOBSTER file, or of a folder with some."""
    if path.is_dir():
        return any(path.glob("*_message_*"))
    return any(word in path.name for word in LOBSTER)


def market(source: str, seed: int | None = None, settings: list[str] | None = None) -> Any:
    """Tables of a market: a Run, or a recorded day. ``seed`` and ``settings`` are for a scenario."""
    path = Path(source)
    if is_recorded(path):
        from marketsim.data import read_lobster
        from marketsim.replay import tables

        with notices().status(f"reading {path.name}"):
            return tables(read_lobster(path))
    if path.is_dir():
        from marketsim.results.run import Run

        return Run.open(path)
    return run_scenario(source, seed, settings)


def run_scenario(source: str, seed: int | None, settings: list[str] | None) -> Run:
    """Run a scenario, as ``marketsim run`` does, and keep nothing."""
    from marketsim.cli.scenarios import read

    raise NotImplementedError(read)
