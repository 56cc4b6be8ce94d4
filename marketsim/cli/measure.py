"""``marketsim measure``: all microstructure measures of a market, as one table."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketsim.cli.console import empty_table, note, notices, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Debug, MarketReport, Seed, Settings, TableFile, require_table_file
from marketsim.cli.report import tell_page
from marketsim.cli.sources import WHAT, is_recorded, market, market_page
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.analysis.market_measures import Microstructure
    from marketsim.data.tape import Tape
    from marketsim.domain.local_time import LocalTime
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
        str,
        typer.Argument(
            metavar="MARKET",
            help=f"{WHAT[:-1]}; or a CSV or Parquet file of trades (columns time in ns, price, quantity and, where "
            "known, side).",
        ),
    ],
    instrument: Annotated[str | None, typer.Option("--instrument", help="One of them; all when left out.")] = None,
    warm_up: Annotated[
        str | None, typer.Option("--warm-up", metavar="DURATION", help="Leave this out at the start, such as 5min.")
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="DURATION", help="Measure each interval of this length by itself.")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="How it is printed; of a file, the ending of its name decides.")
    ] = None,
    out: TableFile = None,
    report: MarketReport = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:
    """Measure spreads, depth, impact and information of a run or a recorded day."""
    from marketsim.analysis.market_measures import microstructure

    form = _format(form, out)
    here = _opened(source, seed, settings, debug=debug)
    with notices().status("measuring"):
        found = microstructure(here, instrument, warm_up=warm_up, every=every)
    if out is not None:
        {Format.CSV: found.to_csv, Format.PARQUET: found.to_parquet, Format.JSON: found.to_json}[form](out)
        say(f"written {out}")
    elif form is Format.TABLE:
        output().print(_table(found, getattr(here, "local_time", None)))
    else:
        typer.echo(found.json() if form is Format.JSON else found.table.to_csv(index=False), nl=False)
    bare = out is None and form is not Format.TABLE  # nothing but the table goes to the output
    for reason, names in _reasons(found).items():
        note(f"not measured: {', '.join(names)}: {reason}")
    tell_page(partial(market_page, here), report, browse, "measure.html", note if bare else say)


def _format(form: Format | None, out: Path | None) -> Format:
    require_table_file(out, form)
    if out is not None:
        return Format(out.suffix.lower()[1:])
    if form is Format.PARQUET:
        raise InvalidValueError("--format parquet is no text: name a file with --out FILE.parquet")
    return form or Format.TABLE


def _opened(source: str, seed: int | None, settings: list[str] | None, *, debug: bool) -> Run | Tape:
    """What ``source`` means: a market as every command has it, or trades alone."""
    path = Path(source)
    if path.is_file() and path.name.endswith(_FILES) and not is_recorded(path):
        from marketsim.data import read_trades

        with notices().status(f"reading {path.name}"):
            return read_trades(path, symbol=path.name.partition(".")[0], extra="ignore", tick_rule=True)
    return market(source, seed, settings, debug=debug)


def _table(found: Microstructure, local: LocalTime | None) -> Any:
    from marketsim.analysis.page_parts import moment_text
    from marketsim.analysis.summary import number

    table = empty_table()
    frame = found.table
    if "time" in frame:
        table.add_column("from", no_wrap=True)
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
        cells = [moment_text(int(row["time"]), local).removesuffix(".000")] if "time" in row else []
        cells += [str(row["instrument"])] if several else []
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
