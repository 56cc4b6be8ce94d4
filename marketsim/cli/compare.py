"""``marketsim compare``: two scenarios, or two settings of one, under the same seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import empty_table, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Debug, Settings

if TYPE_CHECKING:
    from rich.table import Table

    from marketsim.cli.progress import CountProgress
    from marketsim.experiment.comparison import Comparison, Paired


@guarded
def compare(
    left: Annotated[str, typer.Argument(metavar="A", help="A scenario file, or the name of a ready one.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one, or the same with other settings.")],
    seeds: Annotated[int, typer.Option("--seeds", help="Under how many seeds each of them runs.")] = 20,
    settings: Settings = None,
    left_settings: Annotated[
        list[str] | None, typer.Option("--set-a", metavar="PATH=VALUE", help="Change a value of A only.")
    ] = None,
    right_settings: Annotated[
        list[str] | None, typer.Option("--set-b", metavar="PATH=VALUE", help="Change a value of B only.")
    ] = None,
    confidence: Annotated[float, typer.Option("--confidence", help="Of the intervals, between 0 and 1.")] = 0.95,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; as many as there are cores when left out.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write differences.csv and values.csv (a row a run) there."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Compare two scenarios under the same chance."""
    from marketsim.cli.progress import CountProgress
    from marketsim.cli.scenarios import read
    from marketsim.experiment.comparison import compare as comparison

    first = read(left, [*(settings or ()), *(left_settings or ())])
    second = read(right, [*(settings or ()), *(right_settings or ())])
    with CountProgress("runs") as progress:
        if workers != 1:
            compile_market(progress)
        found = comparison(first, second, seeds, confidence=confidence, workers=workers, progress=progress)
    _tell(found)
    if out is not None:
        _write(found, out)


def compile_market(progress: CountProgress) -> None:
    """Compile the market here, so that the processes load it instead of compiling it side by side."""
    from marketsim.kernel.compilation import watched_compilation
    from marketsim.simulation import warm

    with watched_compilation(progress.compiling):
        warm()


def _tell(found: Comparison) -> None:
    from marketsim.scenario.diff import format_diff

    say(f"{found.names[0]} against {found.names[1]}, {len(found.seeds)} seeds, the same chance on both sides")
    say()
    say("What differs in the scenarios:")
    for line in format_diff(found.changes).splitlines():
        say(f"  {line}")
    say()
    output().print(_table(found))
    equal = [row.measure for row in found.rows if _is_equal(row)]
    if equal:
        say(f"Equal under every seed: {', '.join(equal)}")
    for name, measures in zip(found.names, (found.only_left, found.only_right), strict=True):
        if measures:
            say(f"Only in {name}: {', '.join(measures)}")
    say(
        f"* the {found.confidence * 100:.4g} % interval of the paired differences excludes zero; of many measures some "
        "do by chance. Gain: how many times wider the interval would be without common random numbers."
    )


def _table(found: Comparison) -> Table:
    table = empty_table()
    table.add_column("measure", no_wrap=True)
    for heading in (*found.names, "difference", f"{found.confidence * 100:.4g} % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("gain", justify="right")
    for row in found.rows:
        if not _is_equal(row):
            table.add_row(row.measure, *_cells(row), style="bold" if row.differs else None)
    return table


def _cells(row: Paired) -> list[str]:
    """Means and interval with as many decimals as the interval is sure of."""
    from marketsim.analysis.summary import number

    form = f",.{_decimals(row.high - row.low)}f"
    left, right = number(row.left, form), number(row.right, form)
    difference, low, high = (number(value, f"+{form}") for value in (row.difference, row.low, row.high))
    return [left, right, difference, f"{low} … {high}", "*" if row.differs else "", number(row.gain, ",.1f")]


def _decimals(width: float) -> int:
    """Two digits of an interval's width."""
    from math import floor, isfinite, log10

    return min(max(2 - floor(log10(width)), 0), 9) if isfinite(width) and width > 0 else 4


def _is_equal(row: Paired) -> bool:
    return row.difference == row.low == row.high == 0.0


def _write(found: Comparison, folder: Path) -> None:
    from marketsim.errors import StoreError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        found.table().to_csv(folder / "differences.csv", index=False)
        found.values().to_csv(folder / "values.csv", index=False)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written: {error.strerror or error}; choose another folder") from error
    say(f"written {folder / 'differences.csv'}, {folder / 'values.csv'}")
