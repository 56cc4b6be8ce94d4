"""A sweep of many short runs: how busy it keeps the processors, and what a run costs beside its engine time.

``python -m benchmarks sweep`` sweeps 60 hours of the reference market; ``python -m benchmarks.sweep 1000`` as many as
are said. Starting the processes is told apart: it is the same for 60 runs and for 1,000.
"""

from __future__ import annotations

import sys
import time

import psutil

from benchmarks.measurement import Measurement, show
from marketsim.experiment.pool import cores
from marketsim.experiment.sweep import sweep

RUNS = 60
OVER = {"agents.value.count": [80, 102], "agents.momentum.count": [10, 20, 30, 40, 50]}


def measure(runs: int = RUNS) -> list[Measurement]:
    """Over the middle of the sweep, when every process has begun and none has run out of work; and over all of it."""
    marks: list[tuple[int, float, float]] = []  # runs, wall clock, processor time of the children
    began, before = time.perf_counter(), _processor_seconds()

    def progress(done: int, total: int) -> None:
        if done in (total // 4, total - total // 10):
            marks.append((done, time.perf_counter(), _processor_seconds()))

    found = sweep("reference_hour", OVER, seeds=runs // 10, measures=("market.*.*", "agents.*.pnl"), progress=progress)
    took, spent = time.perf_counter() - began, _processor_seconds() - before
    (first, wall, busy), (last, later, then) = marks
    middle, count = (later - wall) * cores(), last - first
    engine = float(found.table["engine_seconds"].mean())
    inside = float(found.table["wall_seconds"].median())
    cost = middle / count
    allowed = 1.15 * engine + 0.05
    note = f"{runs} runs on {cores()} cores; {took:.1f} s with the start of the processes"
    return [
        Measurement("sweep: processors busy", (then - busy) / middle * 100, "%", least=90, note=note),
        Measurement("sweep: a run", cost * 1e3, "ms", most=allowed * 1e3, note=f"engine {engine * 1e3:.1f} ms"),
        Measurement("sweep: a run, in its process", inside * 1e3, "ms", note="building, engine, measuring"),
        Measurement("sweep: a run, start included", took * cores() / runs * 1e3, "ms", note=f"{spent:.1f} s of work"),
    ]


def _processor_seconds() -> float:
    """Of this process and of those that it started and that still are."""
    own = psutil.Process()
    spent = 0.0
    for process in (own, *own.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent


if __name__ == "__main__":
    show(measure(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
