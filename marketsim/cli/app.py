"""The list of commands and the words before them."""

from __future__ import annotations

from typing import Annotated

import typer

from marketsim.cli.calibrate import calibrate
from marketsim.cli.check import check
from marketsim.cli.compare import compare
from marketsim.cli.facts import facts
from marketsim.cli.impact import impact
from marketsim.cli.init import init
from marketsim.cli.keys import keys
from marketsim.cli.listing import listing
from marketsim.cli.measure import measure
from marketsim.cli.optimize import optimize
from marketsim.cli.replay import replay
from marketsim.cli.report import report
from marketsim.cli.run import run
from marketsim.cli.serve import serve
from marketsim.cli.surveil import surveil
from marketsim.cli.sweep import sweep
from marketsim.cli.tournament import tournament
from marketsim.cli.trade import trade
from marketsim.cli.verify import verify

_EXIT_CODES = (
    "Exit codes: 0 all is well; 1 it went wrong, or what was checked does not hold; 2 what was asked for cannot be "
    "built; 130 interrupted."
)

app = typer.Typer(
    name="marketsim",
    help="A laboratory for electronic markets: run, check, replay and compare simulated markets.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # the guard of each command tells errors in our own words
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from marketsim import __version__

        typer.echo(f"marketsim {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Begin with: marketsim run quickstart."""


app.command()(run)
app.command()(check)
app.command()(init)
app.command()(report)
app.command()(measure)
app.command()(compare)
app.command()(sweep)
app.command()(facts)
app.command()(surveil)
app.command()(calibrate)
app.command()(tournament)
app.command()(impact)
app.command()(optimize)
app.command()(verify)
app.command()(replay)
app.command()(serve)
app.command()(trade)
app.command(name="list")(listing)
app.add_typer(keys)
