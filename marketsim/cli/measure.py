"""``marketsim measure``: all microstructure measures of a kept run or a recorded day, as one table."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketsim.cli.console import empty_table, note, notices, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Debug, MarketReport
from marketsim.cli.report import tell_page
from marketsim.cli.sources import is_recorded, kept, market_page
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.analysis.market_measures import Microstructure
    from marketsim.data.tape import Tape
    from marketsim.results.run import Run

_FILES = (".csv", ".csv.gz", ".parquet")


class Format(StrEnum):
    """How the table is told."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@guarded
def measure(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_OR_DAY",
            help="A run folder; a LOBSTER message file or a folder with one pair; or a CSV or Parquet file of trades "
            "(columns time in ns, price, quantity and, where known, side).",
        ),
    ],
    instrument: Annotated[str | None, typer.Option("--instrument", help="One of them; all when left out.")] = None,
    warm_up: Annotated[
        str | None, typer.Option("--warm-up", metavar="DURATION", help="Leave this out at the start, such as 5min.")
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="DURATION", help="Measure each interval of this length by itself.")
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="table when printed; by the ending of the file with --out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write here (.csv, .parquet, .json), not to the terminal."),
    ] = None,
    report: MarketReport = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:
    """Measure spreads, depth, impact and information of a run or a recorded day."""
    from marketsim.analysis.market_measures import microstructure

    form = _format(form, out)
    with notices().status("reading and measuring"):
        market = _opened(source)
        found = microstructure(market, instrument, warm_up=warm_up, every=every)
    if out is not None:
        {Format.CSV: found.to_csv, Format.PARQUET: found.to_parquet, Format.JSON: found.to_json}[form](out)
        say(f"written {out}")
    elif form is Format.TABLE:
        output().print(_table(found))
    else:
        typer.echo(found.json() if form is Format.JSON else found.table.to_csv(index=False), nl=False)
    bare = out is None and form is not Format.TABLE  # nothing but the table goes to the output
    for reason, names in _reasons(found).items():
        note(f"not measured: {', '.join(names)}: {reason}")
    tell_page(partial(market_page, market), report, browse, "measure.html", note if bare else say)


def _format(form: Format | None, out: Path | None) -> Format:
    if out is None:
        if form is Format.PARQUET:
            raise InvalidValueError("--format parquet is no text: name a file with --out FILE.parquet")
        return form or Format.TABLE
    known = {".csv": Format.CSV, ".parquet": Format.PARQUET, ".json": Format.JSON}
    if form is None and out.suffix not in known:
        raise InvalidValueError(
            f'--out {out}: "{out.suffix}" is no format{did_you_mean(out.suffix, known)}; or name one with --format'
        )
    if form is Format.TABLE:
        raise InvalidValueError("--format table is for the terminal: write csv, json or parquet")
    return form or known[out.suffix]


def _opened(path: Path) -> Run | Tape:
    """What ``path`` means."""
    if is_recorded(path):
        from marketsim.data import read_lobster

        return read_lobster(path)
    if path.is_file() and path.name.endswith(_FILES):
        from marketsim.data import read_trades

        return read_trades(path, symbol=path.name.partition(".")[0], extra="ignore", tick_rule=True)
    return kept(path)


def _table(found: Microstructure) -> Any:
    from marketsim.analysis.summary import number

    table = empty_table()
    frame = found.table
    if "time" in frame:
        table.add_column("from (ns)", justify="right")
    several = frame["instrument"].nunique() > 1
    if several:
        table.add_column("instrument")
    for heading, justify in (
        ("measure", "left"),
        ("", "left"),
        ("value", "right"),
        ("± s.e.", "right"),
        ("unit", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for row in frame.to_dict("records"):
        cells = [str(row[name]) for name, shown in (("time", "time" in row), ("instrument", several)) if shown]
        error = "" if row["standard_error"] != row["standard_error"] else number(row["standard_error"], ",.2g")
        value = number(row["value"], ",.5g" if abs(row["value"]) < 1e5 else ",.0f")
        table.add_row(*cells, row["measure"], row["about"], value, error, row["unit"])
    return table


def _reasons(found: Microstructure) -> dict[str, list[str]]:
    """The names of what is missing, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, why in found.missing.items():
        reasons.setdefault(why, []).append(name)
    return reasons
