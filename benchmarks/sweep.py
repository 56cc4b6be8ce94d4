"""A sweep of many short runs: how busy it keeps the processors, and what a run costs beside its engine time.

``python -m benchmarks sweep`` sweeps 60 hours of the reference market; ``python -m benchmarks.sweep 1000`` as many as
are said. Measured over the middle of the sweep, when every process has begun and none has run out of work; starting
the processes is told apart, for it is the same for 60 runs and for 1,000. A process that waits for a processor which
others use is at work too, so that ``at work`` is the pool's own doing, also on a machine that is not quiet.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.measurement import Measurement, show
from marketsim.experiment.pool import cores
from marketsim.experiment.sweep import sweep

RUNS = 60
OVER = {"agents.value.count": [80, 102], "agents.momentum.count": [10, 20, 30, 40, 50]}
MEASURES = ("market.*.*", "agents.*.pnl")


@dataclass(frozen=True)
class _Mark:
    """Seconds at one moment of the sweep: of the clock, of processors used, of workers at work or waiting for one."""

    runs: int
    wall: float
    processor: float
    at_work: float


def measure(runs: int = RUNS) -> list[Measurement]:
    """Busy processors, and the cost of a run by the clock and by the processor."""
    marks: list[_Mark] = []
    began = time.perf_counter()

    def progress(done: int, total: int) -> None:
        if done in (total // 4, total - total // 10):
            marks.append(_mark(done))

    found = sweep("reference_hour", OVER, seeds=runs // 10, measures=MEASURES, progress=progress)
    took = time.perf_counter() - began
    first, last = marks
    count, wall = last.runs - first.runs, (last.wall - first.wall) * cores()
    engine = float(found.table["engine_seconds"].median())
    allowed = 1.15 * engine + 0.05
    busy, spent = (last.at_work - first.at_work) / wall, (last.processor - first.processor) / count
    note = f"{runs} runs on {cores()} cores, {took:.1f} s in all"
    return [
        Measurement("sweep: processes at work", busy * 100, "%", least=90, note=note),
        Measurement("sweep: processors busy", (last.processor - first.processor) / wall * 100, "%", least=90),
        Measurement("sweep: a run", wall / count * 1e3, "ms", most=allowed * 1e3, note=f"engine {engine * 1e3:.1f} ms"),
        Measurement("sweep: a run, processor time", spent * 1e3, "ms", note="with the process that hands out"),
        Measurement("sweep: a run, start included", took * cores() / runs * 1e3, "ms"),
    ]


def _mark(runs: int) -> _Mark:
    own = psutil.Process()
    processor = at_work = 0.0
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            processor += times.user + times.system
            at_work += 0.0 if process is own else _at_work(process, times.user + times.system)
    return _Mark(runs, time.perf_counter(), processor, at_work)


def _at_work(process: psutil.Process, used: float) -> float:
    """Seconds that a process ran or was ready to; where the system does not tell, those that it ran."""
    try:
        ran, waited, _ = Path(f"/proc/{process.pid}/schedstat").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return used
    return (int(ran) + int(waited)) / 1e9


if __name__ == "__main__":
    show(measure(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
