"""Memory of a long run: the most that a process ever held while it logged five million events into a run folder."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measurement import Measurement, show, skipped

ROOT = Path(__file__).resolve().parent.parent
EVENTS = 5_000_000
DURATION = "12min"  # long enough for them


def run(folder: str) -> None:
    """A market that logs ``EVENTS`` events; prints how many, the peak in MB and the seconds it took."""
    import resource
    import time

    import marketsim as ms

    simulation = ms.Simulation(name="long", duration=DURATION, seed=1)
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="5/s"), 1_000)
    began = time.perf_counter()
    rows = len(simulation.run(folder=folder).events)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    print(rows, peak, took)


def measure() -> list[Measurement]:
    """The peak of a process of its own."""
    if sys.platform == "win32":
        return [skipped("memory: a long run", "this system does not tell a process's peak")]
    with tempfile.TemporaryDirectory(prefix="marketsim-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.memory", str(Path(folder) / "run")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    rows, peak, took = (float(word) for word in done.stdout.split()[-3:])
    note = f"{rows:,.0f} events in {took:.1f} s, stored as Parquet"
    return [Measurement("memory: a long run", peak, "MB at its peak", most=800, note=note)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(sys.argv[1])
    else:
        show(measure())
