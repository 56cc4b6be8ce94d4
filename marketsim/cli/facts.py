"""``marketsim facts``: the stylized facts of a market, with verdicts, and how far it is from another one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import empty_table, notices, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Debug, Figure, MarketReport, Seed, Settings, TableFile, require_table_file
from marketsim.cli.report import tell_page
from marketsim.cli.sources import WHAT, market, market_page, name_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from marketsim.analysis.fact_distances import FactDistance
    from marketsim.analysis.tape import Tape


@guarded
def facts(
    source: Annotated[str, typer.Argument(metavar="MARKET", help=WHAT)],
    beside: Annotated[
        str | None,
        typer.Option("--beside", metavar="MARKET", help="Another one, named alike: both verdicts, and the distance."),
    ] = None,
    instrument: Annotated[str | None, typer.Option("--instrument", help="Needed where there are several.")] = None,
    beside_instrument: Annotated[
        str | None, typer.Option("--beside-instrument", help="The same for the market beside.")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
    figure: Figure = None,
    out: TableFile = None,
    report: MarketReport = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:
    """Judge the stylized facts of a market."""
    from marketsim.analysis.tape import Tape

    require_table_file(out)
    here = market(source, seed, settings, debug=debug)
    there = None if beside is None else market(beside, debug=debug)
    tape = Tape.of(here, instrument)
    other = None if there is None else Tape.of(there, beside_instrument)
    names = (name_of(here), "" if there is None else name_of(there))
    _tell(tape, other, names, out)
    if figure is not None:
        from marketsim.analysis.figures import stylized_facts as draw
        from marketsim.analysis.files import write_figure

        say(f"figure  {write_figure(draw(tape, beside=other, names=names), figure)}")
    tell_page(partial(market_page, here), report, browse, "facts.html")


def _tell(tape: Tape, other: Tape | None, names: tuple[str, str], out: Path | None) -> None:
    from marketsim.analysis.fact_distances import fact_distance
    from marketsim.analysis.fact_verdicts import beside_table, stylized_facts

    with notices().status("measuring"):
        found = [stylized_facts(market) for market in ([tape] if other is None else [tape, other])]
        apart = None if other is None else fact_distance(tape, other)
    if other is None:
        say(names[0])
        output().print(found[0].rich())
        say()
        say(
            "A verdict follows from its row's interval; the first row of a fact decides. Rules: docs/stylized-facts.md."
        )
    else:
        output().print(_verdicts(beside_table(*found), names))
        say()
        say(
            "A verdict follows from its interval (95 %), of the same horizon for both, the first with enough data for "
            "both. Rules: docs/stylized-facts.md."
        )
    if apart is not None:
        say()
        output().print(_distances(apart, names))
        say(
            f"Distance {apart.total:.2f} (95 %: {apart.low:.2f} to {apart.high:.2f}): root mean square of the "
            "differences in standard errors; about 1 between two stretches of one market."
        )
    if out is not None:
        from marketsim.analysis.files import write_table

        say(f"written {write_table(found[0].table, out)}")


def _verdicts(rows: pd.DataFrame, names: tuple[str, str]) -> Table:
    """Both verdicts of each fact, and the numbers that they follow from."""
    from marketsim.analysis.fact_verdicts import coloured
    from marketsim.analysis.summary import number

    table = empty_table()
    table.add_column("fact")
    for name in names:
        table.add_column(name)
    table.add_column("statistic")
    table.add_column("horizon")
    for name in names:
        table.add_column(f"{name}: value, 95 %", justify="right")
    for row in rows.to_dict("records"):
        numbers = [
            f"{number(row[f'value_{n}'], ',.2f')} ({number(row[f'low_{n}'], ',.2f')} … "
            f"{number(row[f'high_{n}'], ',.2f')})"
            if row[f"value_{n}"] == row[f"value_{n}"]
            else "–"
            for n in (1, 2)
        ]
        verdicts = [coloured(str(row[f"verdict_{n}"])) for n in (1, 2)]
        table.add_row(row["fact"], *verdicts, row["statistic"], row["horizon"], *numbers)
    return table


def _distances(apart: FactDistance, names: tuple[str, str]) -> Table:
    from marketsim.analysis.summary import number

    table = empty_table()
    table.add_column("statistic", no_wrap=True)
    for heading in (*names, "difference", "± s.e.", "in s.e."):
        table.add_column(heading, justify="right")
    for name, row in apart.table.iterrows():
        cells = [number(row[key], ",.3f") for key in ("simulated", "recorded", "difference", "standard_error")]
        far = abs(row["distance"]) > 2
        table.add_row(str(name), *cells, number(row["distance"], "+,.1f"), style="bold" if far else None)
    return table
