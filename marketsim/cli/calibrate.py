"""``marketsim calibrate``: a scenario's flows are fitted to half of a recorded day, and judged on the other half."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import empty_table, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Debug, Report, Scenario, Settings, Workers
from marketsim.cli.report import tell_page
from marketsim.cli.study import varied

if TYPE_CHECKING:
    from rich.table import Table

    from marketsim.experiment.calibration import Calibration


@guarded
def calibrate(
    scenario: Scenario,
    recorded: Annotated[
        Path,
        typer.Option(
            "--to", metavar="MESSAGE_FILE", help="A LOBSTER message file (its orderbook file beside it), or a folder."
        ),
    ],
    fit: Annotated[str, typer.Option("--fit", metavar="FROM-TO", help="What it is fitted to.")] = "09:30-12:45",
    judge: Annotated[str, typer.Option("--judge", metavar="FROM-TO", help="What it is judged on.")] = "12:45-16:00",
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over", metavar="PATH=VALUES",
            help="What is searched, such as agents.noise.rate=0.1/s..5/s:log, or =x0.2..5 for a factor; what is known "
            "of the scenario's types of agents when left out. May be repeated.",
        ),
    ] = None,
    instrument: Annotated[
        str | None, typer.Option("--instrument", help="Of the scenario, where it has several.")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="How many points are tried.")] = 400,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Under how many seeds each of them runs.")] = 1,
    fresh: Annotated[
        int, typer.Option("--fresh", min=2, help="Under how many further seeds the result is judged.")
    ] = 10,
    length: Annotated[
        str | None, typer.Option("--length", help="Simulated time of a run; as long as what it is fitted to.")
    ] = None,
    study: Annotated[
        Path | None, typer.Option("--study", metavar="FILE", help="Keep trials there; one that is there goes on.")
    ] = None,
    settings: Settings = None,
    workers: Workers = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The calibrated scenario.")
    ] = Path("calibrated.yaml"),
    report: Report = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Fit a scenario to half a recorded day; judge it on the other."""
    from marketsim.cli.compare import compile_market
    from marketsim.cli.progress import CountProgress
    from marketsim.cli.scenarios import read
    from marketsim.experiment.calibration import calibrate as fitted

    spec = read(scenario, settings or ())
    with CountProgress("runs") as progress:
        if workers != 1:
            compile_market(progress)
        found = fitted(
            spec, recorded, varied(over) if over else None, fit=fit, judge=judge, instrument=instrument, trials=trials,
            seeds=seeds, fresh=fresh, length=length, study=study, workers=workers, progress=progress,
        )  # fmt: skip
    _tell(found)
    say(f"written {found.save(out)}")
    tell_page(found.report, report, browse, "calibrate.html")


def _tell(found: Calibration) -> None:
    from marketsim.analysis.page_calibration import distances_table, parameters_table, statistics_table, verdict

    say(f"{found.name} to {found.recorded_symbol}: {len(found.trials):,} trials, {len(found.fresh)} fresh seeds")
    say()
    distances = empty_table()
    for heading in ("distance, standard errors (95 %)", "fitted half", "judged half"):
        distances.add_column(heading, justify="left" if heading.startswith("distance") else "right", no_wrap=True)
    for name, row in distances_table(found).iterrows():
        distances.add_row(str(name), row["fit"], row["judge"])
    output().print(distances)
    output().print(_statistics(statistics_table(found, "judge")))
    parameters = empty_table()
    for heading in ("parameter", "before", "estimated", "found", "95 % interval"):
        parameters.add_column(heading, justify="left" if heading == "parameter" else "right", no_wrap=True)
    for path, row in parameters_table(found).iterrows():
        parameters.add_row(str(path), row["before"], row["estimated"], row["value"], row["range"])
    output().print(parameters)
    if (found.parameters["kind"] == "factor").any():
        say("× is a factor on every number of the estimated list or matrix; all else are values.")
    say(verdict(found))


def _statistics(rows: object) -> Table:
    import pandas as pd

    from marketsim.analysis.summary import number

    assert isinstance(rows, pd.DataFrame)
    shown = empty_table()
    shown.add_column("judged half", no_wrap=True)
    for heading in ("recorded", "before", "off by", "after", "off by"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    for name, row in rows.iterrows():
        before, after = (number(row[f"{stage}_distance"], "+,.1f") for stage in ("before", "after"))
        shown.add_row(str(name), row["recorded"], row["before"], before, row["after"], after, row["verdict"])
    return shown
