"""Compilation: what the first start on a machine waits for, and what the next ones pay for loading it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measurement import Measurement, show

_ROOT = Path(__file__).resolve().parent.parent
_WARM = """
import time
wall, own = time.perf_counter(), time.process_time()
from marketsim.simulation import warm
warm()
print(time.perf_counter() - wall, time.process_time() - own)
"""


def seconds(cache: str) -> tuple[float, float]:
    """(wall-clock, processor) seconds to import everything and to make everything ready that a run may need."""
    command, environment = [sys.executable, "-c", _WARM], {**os.environ, "MARKETSIM_CACHE": cache}
    done = subprocess.run(command, env=environment, cwd=_ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"warming failed:\n{done.stdout.decode()}{done.stderr.decode()}")
    wall, own = (float(word) for word in done.stdout.split()[-2:])
    return wall, own


def measure() -> list[Measurement]:
    """With an empty cache and with a full one."""
    with tempfile.TemporaryDirectory(prefix="marketsim-cache-") as cache:
        first = seconds(cache)
        again = min(seconds(cache) for _ in range(3))
    notes = [f"{own:.1f} s of processor time" for _, own in (first, again)]
    return [
        Measurement("compilation: everything, once", first[0], "s", most=35, note=notes[0]),
        Measurement("compilation: loaded again", again[0], "s", note=notes[1]),
    ]


if __name__ == "__main__":
    show(measure())
