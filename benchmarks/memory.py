"""Memory: the most that a process ever held while it logged five million events, and the bytes of a logged event."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import marketsim as ms
from benchmarks.measurement import Measurement, show, skipped

ROOT = Path(__file__).resolve().parent.parent
EVENTS = 5_000_000
DURATION = "12min"  # long enough for them


def market(duration: str) -> ms.Simulation:
    """A thousand noise agents who act five times a second."""
    simulation = ms.Simulation(name="long", duration=duration, seed=1)
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="5/s"), 1_000)
    return simulation


def run(folder: str) -> None:
    """A market that logs ``EVENTS`` events; prints how many, the peak in MB and the seconds it took."""
    import resource
    import time

    began = time.perf_counter()
    rows = len(market(DURATION).run(folder=folder).events)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    print(rows, peak, took)


def measure() -> list[Measurement]:
    """The peak of a process of its own, and the bytes of its log on the disk and of a shorter one in memory."""
    kept = market("30s").run().events
    found = [Measurement("log: an event in memory", kept.nbytes / len(kept), "bytes", most=64)]
    if sys.platform == "win32":
        return [*found, skipped("memory: a long run", "this system does not tell a process's peak")]
    with tempfile.TemporaryDirectory(prefix="marketsim-bench-") as folder:
        stored = Path(folder) / "run"
        command = [sys.executable, "-m", "benchmarks.memory", str(stored)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        size = sum(part.stat().st_size for part in (stored / "events").rglob("*.parquet"))
    rows, peak, took = (float(word) for word in done.stdout.split()[-3:])
    note = f"{rows:,.0f} events in {took:.1f} s, stored as Parquet"
    return [
        *found,
        Measurement("log: an event in Parquet", size / rows, "bytes", most=12, note=f"{size / 1e6:,.0f} MB"),
        Measurement("memory: a long run", peak, "MB at its peak", most=800, note=note),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(sys.argv[1])
    else:
        show(measure())
