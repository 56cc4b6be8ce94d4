"""What a market is named by on the command line: a run folder, a scenario to run, or a recorded LOBSTER day."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from marketsim.cli.console import note, notices
from marketsim.errors import StoreError

if TYPE_CHECKING:
    from marketsim.data.tape import Tape
    from marketsim.results.run import Run

LOBSTER = ("_message_", "_orderbook_")
WHAT = "A run folder, a scenario (file or name, which is run), a LOBSTER file, or a folder with one pair of them."


def is_recorded(path: Path) -> bool:
    """Whether a name is that of a LOBSTER file, or of a folder with some."""
    if path.is_dir():
        return any(path.glob("*_message_*"))
    return any(word in path.name for word in LOBSTER)


def market(
    source: str, seed: int | None = None, settings: Sequence[str] | None = None, *, debug: bool = False
) -> Run | Tape:
    """Tables of a market: a run that was kept or is made now, or a recorded day.

    ``seed`` and ``settings`` are for a scenario. StoreError for a run without events.
    """
    path = Path(source)
    if is_recorded(path):
        from marketsim.data import read_lobster

        with notices().status(f"reading {path.name}"):
            return read_lobster(path)
    if path.is_dir():
        return kept(path)
    _require_known(source)
    from marketsim.cli.run import run_unkept
    from marketsim.cli.scenarios import read

    return run_unkept(read(source, settings, seed), debug=debug)


def _require_known(source: str) -> None:
    """A name of nothing is refused with what it may mean, runs that were kept before scenarios."""
    from marketsim.results.folder import MANIFEST
    from marketsim.scenario.loader import ready_scenarios

    path = Path(source)
    if path.exists() or path.suffix in (".yaml", ".yml") or source in ready_scenarios():
        return
    places = dict.fromkeys((path.parent / "runs", path.parent))
    runs = [str(found.parent) for place in places for found in sorted(place.glob(f"*/{MANIFEST}"))]
    by_name = {Path(run).name: run for run in reversed(runs)}
    for near in get_close_matches(path.name, by_name, n=1):
        raise StoreError(f'{source}: no such run folder, scenario or file; did you mean "{by_name[near]}"?')
    if "/" in source:
        raise StoreError(f"{source}: no such run folder, scenario or file; see the folder {path.parent}")


def kept(folder: Path) -> Run:
    """A run folder; StoreError where none of its event log is whole."""
    from marketsim.results.run import Run

    run = Run.open(folder)
    if not len(run.event_log):
        raise StoreError(
            f"{folder}: {run.manifest.status}; no part of its event log is whole yet, there is nothing to tell: let it "
            "go on, or run the scenario again"
        )
    if not run.complete:
        note(f"{folder}: {run.manifest.status}; read until there")
    return run


def name_of(market: Run | Tape) -> str:
    """What a market is called in a table or a figure."""
    from marketsim.data.tape import Tape

    if isinstance(market, Tape):
        return f"{next(iter(market.instruments))}, recorded"
    return f"{market.name}, seed {market.seed}"


def market_page(market: Run | Tape, page: Path) -> Path:
    """The report of a market."""
    from marketsim.data.tape import Tape

    if isinstance(market, Tape):
        from marketsim.analysis.page import report

        return report(market, page, title=name_of(market))
    from marketsim.analysis.accounting import accounts
    from marketsim.cli.report import run_page

    return run_page(market, page, accounts(market))
