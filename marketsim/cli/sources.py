"""What a market is named by on the command line: a run folder, a scenario to run, or a recorded LOBSTER day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from marketsim.cli.console import notices
from marketsim.errors import StoreError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    from marketsim.cli.run import run_unkept
    from marketsim.cli.scenarios import read

    return run_unkept(read(source, settings, seed), debug=debug)


def kept(folder: Path) -> Run:
    """A run folder; StoreError where none of its event log is whole."""
    from marketsim.results.run import Run

    run = Run.open(folder if folder.name else folder.resolve())
    if not len(run.events):
        raise StoreError(
            f"{folder}: {run.manifest.status}; no part of its event log is whole yet, there is nothing to tell"
        )
    return run


def name_of(market: Run | Tape) -> str:
    """What a market is called in a table or a figure."""
    from marketsim.data.tape import Tape

    if isinstance(market, Tape):
        return f"{next(iter(market.instruments))}, recorded"
    return f"{market.name}, seed {market.seed}"


def write_figure(figure: Figure, path: Path) -> None:
    """A picture in the format that its name ends with; it appears whole or not at all."""
    beside = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        figure.savefig(beside)
        beside.replace(path)
    except (OSError, ValueError) as error:
        beside.unlink(missing_ok=True)
        raise StoreError(
            f"{path}: cannot be written: {error}; end it in .png, .svg or .pdf, in a folder that exists"
        ) from error
