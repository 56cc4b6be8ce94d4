"""Words that several commands understand alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marketsim.errors import InvalidValueError

Scenario = Annotated[
    str, typer.Argument(metavar="SCENARIO", help='A scenario file, or the name of a ready one; see "marketsim list".')
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/quickstart-7-1.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of all chance; the scenario's own when left out.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value, such as agents.mm.gamma=0.2. May be repeated."),
]
Modules = Annotated[
    Path | None,
    typer.Option("--modules", metavar="FOLDER", help="Where agents of your own are found, beside this folder."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; as many as there are cores when left out.")
]
Confidence = Annotated[float, typer.Option("--confidence", help="Of the intervals, between 0 and 1.")]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write all of it as one HTML page.")]
MarketReport = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write the market's whole report, this among the rest.")
]
Parquet = Annotated[bool, typer.Option("--parquet", help="Write Parquet instead of CSV.")]
TableFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the table; its ending decides how: .csv, .parquet or .json."),
]
Figure = Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="Draw them: a .png, .svg or .pdf.")]
Browse = Annotated[bool, typer.Option("--open", help="Open the report in the browser.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]


def require_table_file(out: Path | None, form: str | None = None) -> None:
    """A file for a table is refused before the work where its ending is no format, or ``form`` says another."""
    if out is None:
        return
    from marketsim.analysis.files import table_ending

    ending = table_ending(out)
    if form is not None and f".{form}" != ending:
        raise InvalidValueError(
            f"--format {form} --out {out}: they contradict each other; leave --format out (the ending decides)"
            + (", or print the table without --out" if form == "table" else f", or write {out.with_suffix('.' + form)}")
        )
