"""``marketsim sweep``: a scenario at every point of a design, under the same seeds, in a folder that goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketsim.cli.console import empty_table, note, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Confidence, Debug, Parquet, Report, Settings, Workers
from marketsim.cli.report import tell_page
from marketsim.cli.study import beside, read_study, settings_of, varied

if TYPE_CHECKING:
    from rich.table import Table

    from marketsim.cli.progress import CountProgress
    from marketsim.experiment.sweep import Sweep

_FOLDER = Path("sweeps")
_MOST = 40  # rows of the table on the screen
_STUDY = ("scenario", "over", "set", "design", "points", "seeds", "measures", "design_seed", "out")


@guarded
def sweep(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO|STUDY|FOLDER",
            help="A scenario file or the name of a ready one; a study file, which says all of what follows; or the "
            "folder of a sweep that is to go on.",
        ),
    ],
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over", metavar="PATH=VALUES",
            help="What varies, such as agents.mm.gamma=0.1,0.2 or network.latency.median=100us..5ms:log. Repeat it.",
        ),
    ] = None,
    design: Annotated[
        str | None, typer.Option("--design", help="grid (when left out), random, latin or sobol.")
    ] = None,
    points: Annotated[
        str | None,
        typer.Option("--points", help="How many points; of a grid how many values a span has; or a CSV file."),
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Under how many seeds each point runs; 5.")] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option("--measure", "-m", metavar="NAME", help="Such as agents.mm.pnl or agents.*.pnl. May be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where runs are kept; sweeps/NAME when left out.")
    ] = None,
    workers: Workers = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="ADDRESS", help="Of a Dask scheduler, such as tcp://host:8786.")
    ] = None,
    design_seed: Annotated[int | None, typer.Option("--design-seed", help="Of points that are drawn; 0.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Do runs again that failed before.")] = False,
    parquet: Parquet = False,
    report: Report = None,
    browse: Browse = False,
    settings: Settings = None,
    confidence: Confidence = 0.95,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Run a scenario at many points; a sweep that is stopped goes on with the same command."""
    from marketsim.cli.progress import CountProgress
    from marketsim.experiment.record import is_record
    from marketsim.experiment.sweep import resume

    how: dict[str, Any] = {
        "workers": workers, "cluster": cluster, "retry_failed": retry_failed, "confidence": confidence,
    }  # fmt: skip
    given = {"design": design, "points": points, "seeds": seeds, "measures": measures, "design_seed": design_seed}
    given = {name: value for name, value in given.items() if value is not None}
    if Path(what).is_dir() and is_record(what):
        _refuse(what, {**given, **({"over": over} if over else {}), **({"set": settings} if settings else {})})
        folder, start = Path(what), lambda **told: resume(what, **told, **how)
    else:
        folder, start = _begin(what, over or [], settings or [], given, out, how)
    with CountProgress("runs") as progress:
        found = _under_way(start, progress, folder, compiled=cluster is None and workers != 1)
    _tell(found)
    for path in found.save(parquet=parquet):
        say(f"written {path}")
    tell_page(found.report, report, browse, folder / "report.html")


def _under_way(start: Callable[..., Sweep], progress: CountProgress, folder: Path, *, compiled: bool) -> Sweep:
    from marketsim.cli.compare import compile_market

    def prepare() -> None:
        note(f"every run is kept in {folder} as soon as it is over")
        if compiled:
            compile_market(progress)
            note("starting workers")

    try:
        return start(prepare=prepare, progress=progress)
    except KeyboardInterrupt:
        if (folder / "manifest.json").exists():
            note(f"stopped; what is done is kept. Go on with: marketsim sweep {folder}")
        raise


def _begin(
    what: str,
    over: Sequence[str],
    settings: Sequence[str],
    given: dict[str, Any],
    out: Path | None,
    how: dict[str, Any],
) -> tuple[Path, Callable[..., Sweep]]:
    """The folder, and what runs the sweep that was asked for."""
    from marketsim.cli.scenarios import read
    from marketsim.experiment.sweep import sweep as run

    study = read_study(Path(what), _STUDY)
    scenario = what if study is None else beside(Path(what), str(study["scenario"]))
    told = study or {}
    spec = read(scenario, [*settings_of(told.get("set")), *settings])
    space = {**dict(told.get("over") or {}), **varied(over)}
    chosen = {**{name: told[name] for name in ("design", "points", "seeds", "measures", "design_seed") if name in told}}
    chosen |= given
    if isinstance(table := chosen.get("points"), str):
        _require_one_design(table, over)
        chosen["points"] = (
            int(table)
            if table.isdigit()
            else table
            if study is None or "points" in given
            else beside(Path(what), table)
        )
    folder = out or (Path(str(told["out"])) if "out" in told else _FOLDER / spec.name)
    return folder, lambda **told: run(spec, space, folder=folder, **told, **chosen, **how)


def _require_one_design(points: str, over: Sequence[str]) -> None:
    """A table says what varies by itself."""
    from marketsim.errors import InvalidValueError

    if over and not points.isdigit():
        there = "" if Path(points).is_file() else ", and there is no such file"
        raise InvalidValueError(
            f"--points {points}: it names a table, which says what varies{there}: leave out --over, or say how many "
            "points, such as --points 20"
        )


def _refuse(folder: str, given: Mapping[str, Any]) -> None:
    from marketsim.errors import InvalidValueError

    if given:
        raise InvalidValueError(
            f"{folder} is a sweep, which says what it is: leave out {', '.join(f'--{name}' for name in given)}, or "
            "begin another one with a scenario and another --out"
        )


def _tell(found: Sweep) -> None:
    failed = len(found.failures)
    say(
        f"{found.spec.name}: {_count(len(found.design), 'point')}, {_count(len(found.seeds), 'seed')}, "
        f"{_count(len(found.rows), 'run')}" + (f", {failed:,} of them failed" if failed else "")
    )
    for dimension in found.space:
        say(f"  {dimension}")
    say()
    output().print(_table(found))
    for row in found.failures[:5]:
        say(f"point {row['point']}, seed {row['seed']} failed: {row['error']}")
    if failed > 5:
        say(f"… and {failed - 5:,} more; see the column error of the table")
    say(f"Means over the seeds, ± half the {found.confidence * 100:.4g} % interval.")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _table(found: Sweep) -> Table:
    """A row a point; the first of them where there are many."""
    from marketsim.analysis.page_sweep import interval_text

    shown = empty_table()
    shown.add_column("point", justify="right", no_wrap=True)
    for head in (*found.space.paths, *found.measures):
        shown.add_column(head, justify="right", overflow="fold")
    summary = found.summary()
    cells = {
        (int(point), name): interval_text(mean, low, high)
        for point, name, mean, low, high in zip(
            summary["point"], summary["measure"], summary["mean"], summary["low"], summary["high"], strict=True
        )
    }
    for point, values in list(enumerate(found.design.points))[:_MOST]:
        told = [str(values[path]) for path in found.space.paths]
        shown.add_row(str(point), *told, *(cells.get((point, name), "") for name in found.measures))
    if len(found.design) > _MOST:
        shown.caption = f"the first {_MOST} of {len(found.design):,} points"
    return shown
