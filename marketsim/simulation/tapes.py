"""Tapes made here: a scenario is run once and written as LOBSTER files, so that replays work where nothing is at hand.

The files lie in the user's cache, under a name made of the scenario and of all that decides its outcome; they are
made when they are missing. It replays nothing itself.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from marketsim.kernel.compiled import cache_folder, source_fingerprint
from marketsim.scenario import loader


def tape_of(scenario: str, levels: int) -> Path:
    """The folder with the LOBSTER files of a scenario's run."""
    from marketsim.results.lobster import to_lobster
    from marketsim.simulation.simulation import Simulation

    spec = loader.check(scenario)
    name = hashlib.blake2b(f"{spec.fingerprint()} {source_fingerprint()} {levels}".encode(), digest_size=12).hexdigest()
    folder = cache_folder().parent.parent / "tapes" / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        run = Simulation.from_spec(spec).run()
        making = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=folder.parent))
        to_lobster(run, making, levels=levels)
        try:
            making.rename(folder)
        except OSError:  # another process was quicker
            shutil.rmtree(making)
    return folder
