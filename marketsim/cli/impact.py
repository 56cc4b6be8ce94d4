"""``marketsim impact``: what an order does to the price, because the same market is run without it too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import empty_table, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Confidence, Debug, Parquet, Report, Scenario, Settings, Workers
from marketsim.cli.report import tell_page
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from rich.table import Table

    from marketsim.experiment.counterfactual import Counterfactual, Unit


@guarded
def impact(
    scenario: Scenario,
    at: Annotated[
        list[str],
        typer.Option("--at", metavar="TIME", help="When: 30min after the start, or 10:30. Several are averaged."),
    ],
    buy: Annotated[
        list[float] | None, typer.Option("--buy", metavar="UNITS", help="Buy so much. Several sizes are compared.")
    ] = None,
    sell: Annotated[
        list[float] | None, typer.Option("--sell", metavar="UNITS", help="Sell so much. Several sizes are compared.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Under how many seeds the market is forked.")] = 50,
    horizon: Annotated[str, typer.Option("--horizon", help="How long the price is followed.")] = "5min",
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Time between two points; a sixtieth when left out.")
    ] = None,
    pieces: Annotated[int, typer.Option("--pieces", help="Orders into which each size is cut.")] = 1,
    over: Annotated[str, typer.Option("--over", metavar="TIME", help="Time over which the pieces are spread.")] = "0s",
    instrument: Annotated[str | None, typer.Option("--instrument", help="Traded; the first when left out.")] = None,
    venue: Annotated[str | None, typer.Option("--venue", help="Where; the first that trades it when left out.")] = None,
    latency: Annotated[
        str | None, typer.Option("--latency", help="Of the order; the network's own when left out.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="bps, currency, ticks or spreads.")] = "bps",
    band: Annotated[str, typer.Option("--band", help="student or bootstrap.")] = "student",
    settings: Settings = None,
    confidence: Confidence = 0.95,
    workers: Workers = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write the tables, the digests, a figure and a page there."),
    ] = None,
    parquet: Parquet = False,
    report: Report = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Fork a market with and without an order, under many seeds."""
    from marketsim.cli.compare import compile_market
    from marketsim.cli.progress import CountProgress
    from marketsim.cli.scenarios import read
    from marketsim.experiment.counterfactual import check_unit, counterfactual

    chosen = check_unit(unit)
    _require_orders(buy or (), sell or (), seeds)
    spec = read(scenario, settings or ())
    with CountProgress("seeds") as progress:
        if workers != 1:
            compile_market(progress)
        found = counterfactual(
            spec, at, buy or (), sell or (), seeds=seeds, horizon=horizon, every=every, pieces=pieces, over=over,
            instrument=instrument, venue=venue, latency=latency, confidence=confidence, band=band,  # type: ignore[arg-type]
            workers=workers, progress=progress,
        )  # fmt: skip
    _tell(found, chosen)
    if out is not None:
        for path in found.save(out, chosen, parquet=parquet):
            say(f"written {path}")
    tell_page(lambda page: found.report(page, chosen), report, browse, "impact.html")


def _require_orders(buy: Sequence[float], sell: Sequence[float], seeds: int) -> None:
    """What the options must say, in the words of the options."""
    if not buy and not sell:
        raise InvalidValueError("there is no order: say --buy 500 or --sell 500, once for each size")
    for option, sizes in (("--buy", buy), ("--sell", sell)):
        for size in sizes:
            if not size > 0:
                raise InvalidValueError(f"{option} {size:g}: a quantity is above zero, such as {option} 500")
    if seeds < 2:
        raise InvalidValueError(f"--seeds {seeds}: an interval needs at least two seeds, such as --seeds 50")


def _tell(found: Counterfactual, unit: Unit) -> None:
    from marketsim.analysis.page_counterfactual import verdict

    say(found.title)
    for name, words in found.facts.items():
        say(f"  {name}: {words}")
    say()
    output().print(_table(found, unit))
    say(verdict(found.summary(unit), unit, found.confidence))
    say(
        f"In {unit}, positive where the price went with the order. Cost: price paid less the mid at the fork. Lasting: "
        "mean impact over the last tenth of the horizon. Gain: how many times wider its interval would be if the two "
        "markets did not share their chance."
    )


def _table(found: Counterfactual, unit: Unit) -> Table:
    from marketsim.analysis.summary import number

    table = empty_table()
    table.add_column("order", no_wrap=True)
    headings = (
        "executed", "cost", "peak", "after", "lasting", f"{found.confidence * 100:.4g} % interval", "left", "gain",
        "seeds",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    form = "+,.4f" if unit == "currency" else "+,.2f"
    for _, row in found.summary(unit).iterrows():
        table.add_row(
            row["order"], number(row["executed"], ",.0f"), number(row["cost"], form), number(row["peak"], form),
            f"{row['peak_seconds']:,.3g} s", number(row["lasting"], form),
            f"{number(row['low'], form)} … {number(row['high'], form)}", number(row["left"], ".0%"),
            number(row["gain"], ",.1f"), f"{row['seeds']}",
        )  # fmt: skip
    return table
