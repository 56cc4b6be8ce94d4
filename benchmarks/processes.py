"""Whole commands, as a user starts them: a process each, with what it imports, loads, compiles and writes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measurement import Measurement, show

_COMMAND = [sys.executable, "-m", "marketsim"]


def seconds(*arguments: str, cache: Path | None = None) -> float:
    """Wall-clock seconds of ``marketsim arguments``; with ``cache`` compiled code is kept there."""
    environment = {**os.environ, "MARKETSIM_CACHE": str(cache)} if cache else None
    with tempfile.TemporaryDirectory(prefix="marketsim-bench-") as folder:
        began = time.perf_counter()
        command, given = [*_COMMAND, *arguments], _importable(environment)
        done = subprocess.run(command, cwd=folder, env=given, capture_output=True, check=False)
        took = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"marketsim {' '.join(arguments)} failed:\n{done.stdout.decode()}{done.stderr.decode()}")
    return took


def _importable(environment: dict[str, str] | None) -> dict[str, str]:
    """The command runs in a folder of its own, so the package must be found from there."""
    given = dict(environment or os.environ)
    given["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).resolve().parent.parent), given.get("PYTHONPATH", "")])
    return given


def measure() -> list[Measurement]:
    """Help, the first quickstart on a machine, and the next ones."""
    seconds("--help")
    found = [Measurement("process: marketsim --help", min(seconds("--help") for _ in range(9)), "s", most=0.4)]
    with tempfile.TemporaryDirectory(prefix="marketsim-cache-") as cache:
        first = seconds("run", "quickstart", cache=Path(cache))
        warm = min(seconds("run", "quickstart", cache=Path(cache)) for _ in range(3))
    found.append(Measurement("process: quickstart, first", first, "s", most=60, note="everything is compiled"))
    found.append(Measurement("process: quickstart, warm", warm, "s", most=12, note="compiled code is loaded"))
    return found


if __name__ == "__main__":
    show(measure())
