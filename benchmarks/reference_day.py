"""The reference day: one stock, 1,116 agents, from open to close, with its whole log and digest.

Engine time is the manifest's: from the first event to the closed log. The closest peer's figures are those that its
own field publishes for the same day, on two shared cores of another machine: 28 to 71 seconds of processor time, 0.45
to 1.1 thousand orders a second.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import marketsim as ms
from benchmarks.measurement import Measurement, show

SCENARIO = "reference_day"
SEEDS = (1, 2, 3)
ROUNDS = 5
PEER = (28.0, 71.0)  # seconds


class Day(NamedTuple):
    """One day, the quickest first."""

    seconds: float  # engine time
    events: int
    rows: int  # of the log
    orders: int


def day(seed: int, folder: Path | None = None) -> Day:
    """One day. Nothing of its run stays, so that the next one finds memory that is at hand."""
    run = ms.load(SCENARIO, {"seed": seed}).run(folder=folder)
    manifest = run.manifest
    return Day(manifest.timings["engine"], manifest.counts["events handled"], manifest.events, len(run.orders))


def fastest(stored: bool) -> Day:
    """The one with the smallest engine time of all rounds and seeds."""
    found = []
    for _ in range(ROUNDS):
        for seed in SEEDS:
            with tempfile.TemporaryDirectory(prefix="marketsim-bench-") as folder:
                found.append(day(seed, Path(folder) / "run" if stored else None))
    return min(found)


def measure() -> list[Measurement]:
    """With the log in memory, and with the log stored."""
    day(SEEDS[0])  # compiles what it needs
    seconds, events, rows, orders = fastest(stored=False)
    peer = f"{PEER[0]:.0f} to {PEER[1]:.0f} s of processor time, as published, on another machine"
    note = f"{events:,} events, {rows:,} rows in the log; 0.05 s is the aim"
    disk = "Parquet, flushed to the disk"
    return [
        Measurement("reference day: log in memory, digest", seconds, "s", most=0.1, note=note),
        Measurement("reference day: log stored, digest", fastest(stored=True).seconds, "s", most=0.1, note=disk),
        Measurement("reference day: an event", 1e9 * seconds / events, "ns"),
        Measurement("reference day: orders", orders / seconds / 1e3, "thousand/s", note=f"{orders:,} orders"),
        Measurement("reference day: peer's day at its fastest", PEER[0] / seconds, "x ours", note=peer),
        Measurement("reference day: peer's day at its slowest", PEER[1] / seconds, "x ours", note=peer),
    ]


if __name__ == "__main__":
    show(measure())
