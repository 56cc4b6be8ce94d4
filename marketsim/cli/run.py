"""``marketsim run``: a scenario runs, is kept, and is summed up in a table and a report."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.bargains import bargains
from marketsim.cli.console import complain, note, output, say
from marketsim.cli.decisions import tell_decisions
from marketsim.cli.guard import FAILED, guarded
from marketsim.cli.interrupt import INTERRUPTED, end_now, interrupts_are_heard
from marketsim.cli.options import Browse, Debug, Scenario, Seed, Settings
from marketsim.errors import AgentError, MarketSimError, StoreError

if TYPE_CHECKING:
    from marketsim.cli.progress import RunProgress
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
    profile: Annotated[
        bool, typer.Option("--profile", help="Measure and show who spends the time; the result is the same.")
    ] = False,
    browse: Browse = False,
    debug: Debug = False,
) -> None:
    """Run a scenario; show a table and write a report."""
    from marketsim.cli.scenarios import read

    if no_save and (out or browse):
        raise typer.BadParameter("nothing is kept with --no-save", param_hint="--out" if out else "--open")
    spec = read(scenario, settings, seed)
    attempt = _Attempt(spec, profile)
    with interrupts_are_heard(attempt.end):
        done = _run(attempt, None if no_save else out, keep=not no_save, debug=debug)
        tell(done, with_report=not (no_report or no_save), profile=profile, browse=browse)


def run_unkept(spec: ScenarioSpec, *, debug: bool) -> Run:
    """Run a scenario for another command: with progress and interrupts as here, and nothing is stored."""
    attempt = _Attempt(spec, profile=False)
    with interrupts_are_heard(attempt.end):
        return _run(attempt, None, keep=False, debug=debug)


def _run(attempt: _Attempt, out: Path | None, *, keep: bool, debug: bool) -> Run:
    from marketsim.cli.progress import RunProgress
    from marketsim.kernel.compilation import watched_compilation

    spec = attempt.spec
    try:
        with RunProgress(spec.start, spec.end, spec.local_time) as progress, watched_compilation(progress.compiling):
            attempt.start(out, keep)
            return attempt.run(progress)
    except KeyboardInterrupt:
        complain(f"interrupted{_moment(attempt.execution)}")
        _tell_rest(attempt.execution)
        raise typer.Exit(INTERRUPTED) from None
    except AgentError as error:
        from marketsim.cli.blame import tell_agent_error

        tell_agent_error(error, debug=debug)
        _tell_rest(attempt.execution)
        raise typer.Exit(FAILED) from None
    except MarketSimError:
        _tell_rest(attempt.execution)
        raise


class _Attempt:
    """One execution that is being built or runs."""

    def __init__(self, spec: ScenarioSpec, profile: bool) -> None:
        self.execution: Execution | None = None
        self.spec, self._profile = spec, profile
        self._folder: Path | None = None

    def start(self, out: Path | None, keep: bool) -> None:
        """Build it; without a given folder in the next free one, also when others take names meanwhile."""
        from marketsim.results.folder import RUNS, next_free

        if not keep or out is not None:
            self._build(out)
        while self.execution is None:
            folder = next_free(RUNS, self.spec.name, self.spec.seed)
            try:
                self._build(folder)
            except StoreError:
                if folder == next_free(RUNS, self.spec.name, self.spec.seed):
                    raise

    def run(self, progress: RunProgress) -> Run:
        """Run it to its end."""
        assert self.execution is not None
        return self.execution.run(progress)

    def end(self) -> None:
        """The interrupt was not heard: end the process, and leave what a kill would leave."""
        if self._folder is None:
            complain("interrupted, and ended at once: nothing was kept")
        elif self.execution is None:
            complain("interrupted before it began, and ended at once")
        elif self._folder.exists():
            complain(f"interrupted, and ended at once: the run is in {self._folder}")
        else:
            complain(f"interrupted{_moment(self.execution)}, and ended at once because nobody heard it")
            note(f"what was stored until then is in {self._folder}.partial; to look at it:")
            note(f"    marketsim report {self._folder}.partial")
        end_now(INTERRUPTED)

    def _build(self, folder: Path | None) -> None:
        from marketsim.simulation import Simulation

        self._folder = folder
        self.execution = Simulation.from_spec(self.spec).start(folder, profile=self._profile)


# --- what came of it ---


def tell(done: Run, *, with_report: bool, profile: bool, browse: bool) -> None:
    """Show what came of a run, and write its report."""
    from marketsim.analysis.accounting import accounts
    from marketsim.analysis.summary import summarize
    from marketsim.cli.report import REPORT, open_in_browser, write_report

    books = accounts(done)
    say(_headline(done))
    say()
    output().print(summarize(done, books).rich())
    for line in bargains(done):
        say(line)
    if profile:
        from marketsim.cli.profile import tell_profile

        tell_profile(done)
    tell_decisions(done)
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
    from marketsim.results.journal import has_journal

    manifest = done.manifest
    span, seconds = manifest.end - manifest.start, manifest.timings.get("engine", 0.0)
    paced = done.path is not None and has_journal(done.path)  # a live session goes as fast as it was told
    speed = f" ({span / SECOND / seconds:,.0f} times as fast as real time)" if seconds > 0 and not paced else ""
    return (
        f"{manifest.name}, seed {manifest.seed}: {len(manifest.agents):,} agents, {manifest.events:,} events, "
        f"{format_duration(span)} in {seconds:,.1f} s{speed}"
    )


def _moment(execution: Execution | None) -> str:
    """When in simulated time it stopped."""
    if execution is None:
        return " before it began"
    from marketsim.domain.local_time import time_text

    past = (execution.now - execution.spec.start) / execution.spec.duration
    return f" at {time_text(execution.now, execution.spec.local_time)} ({past:.0%} of the run)"


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
