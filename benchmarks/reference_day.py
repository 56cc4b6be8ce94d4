"""The reference day: one stock, 1,116 agents, from open to close, with its whole log and digest.

Engine time is the manifest's: from the first event to the closed log. The closest peer's figures are those that its
own field publishes for the same day, on two shared cores of another machine: 28 to 71 seconds of processor time, 0.45
to 1.1 thousand orders a second.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import marketsim as ms
from benchmarks.measurement import Measurement, show

SCENARIO = "reference_day"
SEEDS = (1, 2, 3)
ROUNDS = 5
PEER = (28.0, 71.0)  # seconds


def day(seed: int, folder: Path | None = None) -> Any:
    """One day."""
    return ms.load(SCENARIO, {"seed": seed}).run(folder=folder)


def fastest(stored: bool) -> tuple[float, Any]:
    """The smallest engine time of all rounds and seeds, and that run."""
    found = []
    for _ in range(ROUNDS):
        for seed in SEEDS:
            with tempfile.TemporaryDirectory(prefix="marketsim-bench-") as folder:
                run = day(seed, Path(folder) / "run" if stored else None)
            found.append((run.manifest.timings["engine"], run))
    return min(found, key=lambda each: each[0])


def measure() -> list[Measurement]:
    """With the log in memory, and with the log stored."""
    day(SEEDS[0])  # compiles what it needs
    (seconds, run), (stored, _) = fastest(stored=False), fastest(stored=True)
    events, rows = run.manifest.counts["events handled"], run.manifest.events
    orders = len(run.orders)
    peer = f"{PEER[0]:.0f} to {PEER[1]:.0f} s of processor time, as published, on another machine"
    note = f"{events:,} events, {rows:,} rows in the log; 0.05 s is the aim"
    return [
        Measurement("reference day: log in memory, digest", seconds, "s", most=0.1, note=note),
        Measurement("reference day: log stored, digest", stored, "s", most=0.1, note="Parquet, flushed to the disk"),
        Measurement("reference day: an event", 1e9 * seconds / events, "ns"),
        Measurement("reference day: orders", orders / seconds / 1e3, "thousand/s", note=f"{orders:,} orders"),
        Measurement("reference day: peer's day at its fastest", PEER[0] / seconds, "x ours", note=peer),
        Measurement("reference day: peer's day at its slowest", PEER[1] / seconds, "x ours", note=peer),
    ]


if __name__ == "__main__":
    show(measure())
