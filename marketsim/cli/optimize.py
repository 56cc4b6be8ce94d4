"""``marketsim optimize``: the parameters of a scenario that make a measure best, and what they are worth afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketsim.cli.console import empty_table, note, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Debug, Parquet, Report, Settings, Workers
from marketsim.cli.report import tell_page
from marketsim.cli.study import beside, read_study, settings_of, varied
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from rich.table import Table

    from marketsim.experiment.optimization import Optimization
    from marketsim.experiment.search import Step
    from marketsim.scenario.spec import ScenarioSpec

_STUDY = (
    "scenario", "set", "over", "measure", "direction", "seeds", "trials", "aggregate", "sampler", "levels", "pruner",
    "study", "finalists", "fresh", "timeout", "workers", "batch", "sampler_seed", "confidence",
)  # fmt: skip


@guarded
def optimize(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO|STUDY",
            help="A scenario file or the name of a ready one; or a study file, which says all of what follows.")
    ],
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over", metavar="PATH=VALUES",
            help="What varies, such as agents.mm.gamma=0.01..1:log or agents.mm.quantity=10,20,50. Repeat it.",
        ),
    ] = None,
    measure: Annotated[
        str | None, typer.Option("--measure", "-m", metavar="NAME", help="What is to be best, such as agents.mm.pnl.")
    ] = None,
    maximize: Annotated[
        bool | None, typer.Option("--maximize/--minimize", help="Whether more of it is better; it is when left out.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="How many in all; 100, or the whole grid, when left out.")
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Under how many seeds each trial runs (5).")] = None,
    aggregate: Annotated[
        str | None,
        typer.Option("--aggregate", help="What makes one value of them: mean, median, worst, cautious, q10 …"),
    ] = None,
    sampler: Annotated[
        str | None, typer.Option("--sampler", help="tpe (Bayesian, when left out), cmaes, random or grid.")
    ] = None,
    levels: Annotated[int | None, typer.Option("--levels", help="Values of each range in a grid (5).")] = None,
    pruner: Annotated[
        str | None, typer.Option("--pruner", help="median gives up bad trials early (when left out), none does not.")
    ] = None,
    study: Annotated[
        Path | None, typer.Option("--study", metavar="FILE", help="Keep the trials there, and go on with those it has.")
    ] = None,
    finalists: Annotated[
        int | None, typer.Option("--finalists", help="So many of the best run once more under fresh seeds (3).")
    ] = None,
    fresh: Annotated[int | None, typer.Option("--fresh", help="How many fresh seeds (10); 0 for none.")] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="No trial begins after it, such as 10min.")
    ] = None,
    workers: Workers = None,
    confidence: Annotated[
        float | None, typer.Option("--confidence", help="Of the intervals, between 0 and 1; 0.95 when left out.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Trials asked for at once (4).")] = None,
    settings: Settings = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write the tables, the figures and the best scenario there."),
    ] = None,
    best: Annotated[
        Path | None, typer.Option("--best", metavar="FILE", help="Write the scenario with the best values there.")
    ] = None,
    parquet: Parquet = False,
    report: Report = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Search for the parameters that make a measure best."""
    given = {
        "over": None if over is None else varied(over), "measure": measure, "trials": trials, "seeds": seeds,
        "aggregate": aggregate, "sampler": sampler, "levels": levels, "pruner": pruner, "study": study,
        "finalists": finalists, "fresh": fresh, "timeout": timeout, "workers": workers, "batch": batch,
        "confidence": confidence, "direction": None if maximize is None else "maximize" if maximize else "minimize",
    }  # fmt: skip
    spec, asked = _asked(scenario, settings or (), {name: value for name, value in given.items() if value is not None})
    found = _search(spec, asked)
    _tell(found)
    if best is not None:
        say(f"written {found.write_best(best)}")
    if out is not None:
        for path in found.save(out, parquet=parquet):
            say(f"written {path}")
    tell_page(found.report, report, browse, "optimize.html")


def _asked(scenario: str, settings: Sequence[str], given: Mapping[str, Any]) -> tuple[ScenarioSpec, dict[str, Any]]:
    """The scenario, and what is asked for: by the plan, and by the command line, which has the last word."""
    from marketsim.cli.scenarios import read

    told = dict(read_study(Path(scenario), _STUDY) or {})
    if told:
        settings = [*settings_of(told.pop("set", None)), *settings]
        scenario = beside(Path(scenario), str(told.pop("scenario")))
    spec = read(scenario, settings)
    asked: dict[str, Any] = told
    asked |= {"over": {**(asked.get("over") or {}), **given.get("over", {})}}
    asked |= {name: value for name, value in given.items() if name != "over"}
    if not asked["over"]:
        raise InvalidValueError('nothing varies: say --over "agents.mm.gamma=0.01..1 log", once for each parameter')
    if "measure" not in asked:
        raise InvalidValueError("no measure is named: say --measure agents.mm.pnl, or another one")
    return spec, asked


def _search(spec: ScenarioSpec, asked: Mapping[str, Any]) -> Optimization:
    from marketsim.analysis.summary import number
    from marketsim.cli.compare import compile_market
    from marketsim.cli.progress import CountProgress
    from marketsim.experiment.optimization import optimize as search

    study = asked.get("study")
    there = study is not None and Path(study).is_file()
    try:
        with CountProgress("runs") as progress:

            def prepare() -> None:
                if there:
                    note(f"going on with {study}")
                if asked.get("workers") != 1:
                    compile_market(progress)

            def told(step: Step) -> None:
                best = "" if step.best != step.best else f" · best so far {number(step.best, ',.6g')}"
                progress(step.runs, step.total, f"trial {step.trials:,} of {step.trials_total:,}{best}")

            return search(spec, **asked, prepare=prepare, progress=told)
    except KeyboardInterrupt:
        lost = "nothing was kept: with --study FILE it could go on"
        note(lost if study is None else f"all of it is in {study}: the same command goes on from there")
        raise


def _tell(found: Optimization) -> None:
    from marketsim.analysis.page_optimization import verdict
    from marketsim.analysis.summary import number

    counts = found.trials["state"].value_counts()
    words = (("complete", "complete"), ("pruned", "given up early"), ("failed", "failed"))
    states = ", ".join(f"{counts[state]:,} {word}" for state, word in words if state in counts)
    say(f"{found.scenario.name}: {found.direction}d {found.measure}, {found.aggregate} over {len(found.seeds)} seeds")
    say(f"{len(found.trials):,} trials ({found.sampler}): {states}")
    say()
    output().print(_best(found))
    if len(found.finalists):
        output().print(_finalists(found))
    say(verdict(found))
    failed = found.trials[found.trials["state"] == "failed"]
    if len(failed):
        say(f"The first failure, trial {int(failed['trial'].iloc[0])}: {failed['error'].iloc[0]}")
    if found.importance["importance"].notna().any():
        shares = zip(found.importance["parameter"], found.importance["importance"], strict=True)
        say("Importance: " + ", ".join(f"{path} {number(share, '.0%')}" for path, share in shares))


def _best(found: Optimization) -> Table:
    table = empty_table()
    table.add_column("parameter", no_wrap=True)
    table.add_column("best", justify="right")
    table.add_column("searched")
    for dimension in found.space:
        value = found.best[dimension.path]
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        table.add_row(dimension.path, shown, str(dimension).partition(": ")[2])
    return table


def _finalists(found: Optimization) -> Table:
    from marketsim.analysis.page_optimization import decimals_of
    from marketsim.analysis.summary import number

    form = decimals_of(found.value, found.trials)
    table = empty_table()
    table.add_column("candidate", no_wrap=True)
    for heading in ("search", "fresh seeds", f"{found.confidence * 100:.4g} % interval", "difference", "interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.finalists.to_dict("records"):
        own = row["candidate"] == "base"
        least, most = (number(row[f"difference_{end}"], f"+{form}") for end in ("low", "high"))
        table.add_row(
            "as it is" if own else f"trial {row['candidate']}", number(row["value"], form), number(row["mean"], form),
            f"{number(row['low'], form)} … {number(row['high'], form)}",
            "" if own else number(row["difference"], f"+{form}"),
            "" if own else f"{least} … {most}",
            style="bold" if row["better"] else None,
        )  # fmt: skip
    return table
