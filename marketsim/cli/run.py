"""``marketsim run``: a scenario runs, is kept, and is summed up in a table and a report."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import complain, note, output, say
from marketsim.cli.guard import FAILED, INTERRUPTED, guarded
from marketsim.cli.options import Browse, Debug, Scenario, Seed, Settings
from marketsim.errors import AgentError, MarketSimError, StoreError

if TYPE_CHECKING:
    from marketsim.results.run import Run
    from marketsim.scenario.spec import ScenarioSpec
    from marketsim.simulation.execution import Execution


@guarded
def run(
    scenario: Scenario,
    seed: Seed = None,
    settings: Settings = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The run's folder; runs/<scenario>-<seed>-<n> when left out."),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML report.")] = False,
    no_save: Annotated[bool, typer.Option("--no-save", help="Keep nothing: only show the table.")] = False,
    browse: Browse = False,
    debug: Debug = False,
) -> None:
    """Run a scenario; show a table and write a report."""
    from marketsim.cli.scenarios import read

    if no_save and (out or browse):
        raise typer.BadParameter("nothing is kept with --no-save", param_hint="--out" if out else "--open")
    spec = read(scenario, settings, seed)
    done = _run(spec, None if no_save else out, keep=not no_save, debug=debug)
    _tell(done, with_report=not (no_report or no_save), browse=browse)


def _run(spec: ScenarioSpec, out: Path | None, *, keep: bool, debug: bool) -> Run:
    from marketsim.cli.progress import RunProgress
    from marketsim.kernel.compilation import watched_compilation

    execution = None
    try:
        with RunProgress(spec.start, spec.end) as progress, watched_compilation(progress.compiling):
            execution = _start(spec, out) if keep else _execution(spec, None)
            return execution.run(progress)
    except KeyboardInterrupt:
        complain(f"interrupted{_moment(execution)}")
        _tell_rest(execution)
        raise typer.Exit(INTERRUPTED) from None
    except AgentError as error:
        from marketsim.cli.blame import tell_agent_error

        tell_agent_error(error, debug=debug)
        _tell_rest(execution)
        raise typer.Exit(FAILED) from None
    except MarketSimError:
        _tell_rest(execution)
        raise


def _start(spec: ScenarioSpec, out: Path | None) -> Execution:
    """An execution with a folder; without a given one the next free name, also when others take names meanwhile."""
    from marketsim.results.folder import RUNS, next_free

    if out is not None:
        return _execution(spec, out)
    while True:
        folder = next_free(RUNS, spec.name, spec.seed)
        try:
            return _execution(spec, folder)
        except StoreError:
            if folder == next_free(RUNS, spec.name, spec.seed):
                raise


def _execution(spec: ScenarioSpec, folder: Path | None) -> Execution:
    from marketsim.simulation import Simulation

    return Simulation.from_spec(spec).start(folder)


# --- what came of it ---


def _tell(done: Run, *, with_report: bool, browse: bool) -> None:
    from marketsim.analysis.accounting import accounts
    from marketsim.analysis.summary import summarize
    from marketsim.cli.report import REPORT, open_in_browser, write_report

    books = accounts(done)
    say(_headline(done))
    say()
    output().print(summarize(done, books).rich())
    say(f"digest  {done.digest}")
    if done.path is None:
        return
    say(f"run     {done.path}")
    if with_report:
        page = write_report(done, done.path / REPORT, books)
        say(f"report  {page}")
        if browse:
            open_in_browser(page)


def _headline(done: Run) -> str:
    from marketsim.domain.units import SECOND, format_duration

    manifest = done.manifest
    span, seconds = manifest.end - manifest.start, manifest.timings.get("engine", 0.0)
    speed = f" ({span / SECOND / seconds:,.0f} times as fast as real time)" if seconds > 0 else ""
    return (
        f"{manifest.name}, seed {manifest.seed}: {len(manifest.agents):,} agents, {manifest.events:,} events, "
        f"{format_duration(span)} in {seconds:,.1f} s{speed}"
    )


def _moment(execution: Execution | None) -> str:
    """When in simulated time it stopped."""
    if execution is None:
        return " before it began"
    from marketsim.domain.units import format_time

    past = (execution.now - execution.spec.start) / execution.spec.duration
    return f" at {format_time(execution.now)} ({past:.0%} of the run)"


def _tell_rest(execution: Execution | None) -> None:
    """Where to find what was recorded of a run that did not come to its end."""
    if execution is None:
        return
    with suppress(MarketSimError):  # the first error is the one to tell
        rest = execution.finish()
        if rest.path is None:
            note("nothing is kept, as --no-save asked")
        else:
            note(f"what was recorded until then is in {rest.path}, marked incomplete; to look at it:")
            note(f"    marketsim report {rest.path}")
