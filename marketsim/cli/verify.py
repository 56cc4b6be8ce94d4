"""``marketsim verify``: whether a kept run can be reproduced."""

from __future__ import annotations

import typer

from marketsim.cli.console import complain, note, say
from marketsim.cli.guard import FAILED, guarded
from marketsim.cli.options import Debug, Modules, RunFolder


@guarded
def verify(run: RunFolder, modules: Modules = None, debug: Debug = False) -> None:
    """Run a kept run again and compare digests."""
    from marketsim.cli.progress import RunProgress
    from marketsim.cli.scenarios import find_modules
    from marketsim.experiment.verification import verify as verification
    from marketsim.kernel.compilation import watched_compilation
    from marketsim.results.run import Run

    find_modules(modules)
    kept = Run.open(run)
    kept.check()
    manifest = kept.manifest
    shown = RunProgress(manifest.start, manifest.end, manifest.local_time)
    with shown as progress, watched_compilation(progress.compiling):
        found = verification(run, progress)
    if found.equal:
        say(f"equal: {run} was reproduced, digest {found.found}")
    else:
        complain(f"DIFFERENT: {run} was not reproduced")
        note(f"  digest then  {found.expected}")
        note(f"  digest now   {found.found}")
    for difference in found.versions:
        note(f"  {difference}")
    if not found.equal:
        if not found.versions:
            note("  the versions are the same: sources were changed, or an agent draws chance or time from outside")
        raise typer.Exit(FAILED)
