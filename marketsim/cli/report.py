"""``marketsim report``: the table and the HTML page of a run that was kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketsim.cli.bargains import bargains
from marketsim.cli.console import note, notices, output, say
from marketsim.cli.decisions import tell_decisions
from marketsim.cli.guard import guarded
from marketsim.cli.options import Browse, Debug, RunFolder
from marketsim.errors import StoreError

if TYPE_CHECKING:
    from marketsim.analysis.accounting import Accounts
    from marketsim.results.run import Run

REPORT = "report.html"


@guarded
def report(
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The page's file; report.html in the run's folder when left out."),
    ] = None,
    browse: Browse = False,
    debug: Debug = False,
) -> None:
    """Show the table of a kept run and write its report."""
    from marketsim.analysis.accounting import accounts
    from marketsim.analysis.summary import summarize
    from marketsim.results.journal import has_journal
    from marketsim.results.run import Run

    kept = Run.open(run)
    live = kept.path is not None and not kept.complete and has_journal(kept.path)
    if live:
        note(f"a live session whose server was killed, or still runs; to go on with it: marketsim serve --resume {run}")
    if not len(kept.events):
        raise StoreError(
            f"{run}: {kept.manifest.status}; no part of its event log is whole yet, there is nothing to tell"
        )
    books = accounts(kept)
    say(f"{kept.name}, seed {kept.seed}: {kept.manifest.status}")
    say()
    output().print(summarize(kept, books).rich())
    for line in bargains(kept):
        say(line)
    tell_decisions(kept)
    page = write_report(kept, out or Path(kept.path or ".") / REPORT, books)
    say(f"report  {page}")
    if browse:
        open_in_browser(page)


def tell_page(
    make: Callable[[Path], Path],
    wanted: Path | None,
    browse: bool,
    usual: str | Path,
    tell: Callable[[str], None] = say,
) -> None:
    """Write a page where one is ``wanted``, or at its ``usual`` place when it is only to be shown in the browser."""
    if wanted is None and not browse:
        return
    with notices().status("writing the report"):
        page = make(wanted or Path(usual))
    tell(f"report  {page}")
    if browse:
        open_in_browser(page)


def write_report(run: Run, page: Path, books: Accounts) -> Path:
    """The HTML page of a run, telling that it is being written."""
    with notices().status("writing the report"):
        return run_page(run, page, books)


def run_page(run: Run, page: Path, books: Accounts) -> Path:
    """The HTML page of a run."""
    from marketsim.analysis import page as pages

    notice = None if run.complete else f"This run did not come to its end ({run.manifest.reason})."
    return pages.report(
        run,
        page,
        title=f"{run.name}, seed {run.seed}",
        manifest=_what_ran(run),
        notice=notice,
        remarks=bargains(run),
        books=books,
    )


def _what_ran(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    return {
        "digest": manifest.digest,
        "status": manifest.status,
        "events": manifest.events,
        "versions": manifest.versions,
        "scenario": manifest.spec,
    }


def open_in_browser(page: Path) -> None:
    """Show a page to the user."""
    import webbrowser

    webbrowser.open(page.resolve().as_uri())
