"""``marketsim replay``: a recorded day goes through the matching core and is compared with the recorded book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import output, say
from marketsim.cli.guard import FAILED, guarded
from marketsim.cli.options import Debug

if TYPE_CHECKING:
    from marketsim.data.tape import Tape
    from marketsim.replay.report import ReplayReport

_LOBSTER = ("_message_", "_orderbook_")


@guarded
def replay(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A LOBSTER message file, a folder with one pair of LOBSTER files, or order events of your own "
            "(CSV or Parquet with named columns).",
        ),
    ],
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="By default the first word of the file's name.")
    ] = None,
    tick_size: Annotated[
        str | None, typer.Option("--tick-size", help="By default a cent, for LOBSTER a finer one if prices need it.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="OURS=THEIRS", help="A column's name in your file, such as quantity=shares."),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="WORD=KIND", help="Your file's word for a kind of event, such as A=add."),
    ] = None,
    sides: Annotated[
        list[str] | None,
        typer.Option("--side", metavar="WORD=SIDE", help="Your file's word for a side: 0=buy."),
    ] = None,
    time_unit: Annotated[str, typer.Option("--time-unit", help="Of your file: ns, us, ms, s or iso.")] = "ns",
    price_unit: Annotated[str, typer.Option("--price-unit", help="What a price of 1 means, in currency.")] = "1",
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave bad rows out and count them, instead of stopping.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Write figures, exceptions, mismatches and left-out rows as CSV there."
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Replay a recorded day and compare the books."""
    if path.is_dir() or any(word in path.name for word in _LOBSTER):
        tape = _read_lobster(path, symbol, tick_size, skip=skip_bad_rows)
    else:
        words = [_pairs(given, name) for given, name in ((columns, "--column"), (kinds, "--kind"), (sides, "--side"))]
        tape = _read_events(
            path, symbol, tick_size, *words, time_unit=time_unit, price_unit=price_unit, skip=skip_bad_rows
        )
    found = _replayed(tape)
    output().print(found)
    if out is not None:
        for file in found.write_csv(out):
            say(f"written {file}")
    if not found.agrees:
        raise typer.Exit(FAILED)


def _read_lobster(path: Path, symbol: str | None, tick_size: str | None, *, skip: bool) -> Tape:
    from marketsim.data import read_lobster

    return read_lobster(path, symbol=symbol, tick_size=tick_size, on_error="skip" if skip else "raise")


def _read_events(
    path: Path,
    symbol: str | None,
    tick_size: str | None,
    columns: dict[str, str],
    kinds: dict[str, str],
    sides: dict[str, str],
    *,
    time_unit: str,
    price_unit: str,
    skip: bool,
) -> Tape:
    from marketsim.data import read_events

    return read_events(
        path,
        symbol=symbol or path.name.partition(".")[0].partition("_")[0],
        columns=columns or None,
        kinds=kinds or None,
        sides=sides or None,
        time_unit=time_unit,
        price_unit=price_unit,
        tick_size=tick_size or "0.01",
        extra="ignore",
        on_error="skip" if skip else "raise",
    )


def _pairs(given: list[str] | None, name: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in given or ()]
    for left, equals, right in pairs:
        if not (left and equals and right):
            raise typer.BadParameter(f'"{left}{equals}{right}" is not of the form word=word', param_hint=name)
    return {left: right for left, _, right in pairs}


def _replayed(tape: Tape) -> ReplayReport:
    from marketsim.cli.progress import CountProgress
    from marketsim.kernel.compilation import watched_compilation
    from marketsim.replay import replay

    with CountProgress("messages") as progress, watched_compilation(progress.compiling):
        return replay(tape, progress=progress)
