"""All microstructure measures of a run of five million events that lies in its folder: seconds and memory.

Each in a process of its own: the run is made once, then one process measures it and another only reads the log, every
column of it, which is the yardstick: what any measure of the log costs at least on this machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import marketsim as ms
from benchmarks.measurement import Measurement, show, skipped

ROOT = Path(__file__).resolve().parent.parent
DURATION = "30min"
MOST_SECONDS, MOST_MEGABYTES = 20, 2_000


def market(duration: str = DURATION) -> ms.Simulation:
    """A crowd whose price moves: noise, some who know a value, and a maker; about 3,000 events a second."""
    simulation = ms.Simulation(name="measured", duration=duration, seed=1)
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_feed("value", ms.MeanReverting(half_life="5min", volatility=0.02))
    simulation.add_agents(ms.agents.Noise(rate="2/s", improve_share=0.02, distance=8), 1_000, "noise")
    simulation.add_agents(ms.agents.Fundamental(rate="0.5/s", max_position=2_000), 20, "informed")
    return simulation


def run(folder: str) -> None:
    """Make the run."""
    market().run(folder=folder)


def measure_it(folder: str) -> None:
    """Print events, seconds of everything but the interpreter's own start, the peak in MB, seconds of the processor."""
    began = time.perf_counter()
    kept = ms.Run.open(folder)
    found = ms.analysis.microstructure(kept)
    assert len(found.table) > 40
    print(len(kept.event_log), time.perf_counter() - began, _peak(), time.process_time())


def read_it(folder: str) -> None:
    """The same of reading the log, block by block."""
    began = time.perf_counter()
    kept = ms.Run.open(folder)
    rows = sum(len(block["time"]) for block in kept.event_log.blocks())
    print(rows, time.perf_counter() - began, _peak())


def measure() -> list[Measurement]:
    """Seconds and peak of measuring, beside reading."""
    if sys.platform == "win32":
        return [skipped("measures of a long run", "this system does not tell a process's peak")]
    with tempfile.TemporaryDirectory(prefix="marketsim-bench-") as folder:
        stored = str(Path(folder) / "run")
        _alone("run", stored)
        _alone("measure_it", stored)  # compiles what it needs
        rows, took, peak, processor = _alone("measure_it", stored)
        _, reading, least = _alone("read_it", stored)
    note = (
        f"{rows:,.0f} events in Parquet, {processor:.1f} s of the processor; reading them alone: {reading:.1f} s, "
        f"{least:,.0f} MB"
    )
    return [
        Measurement("all measures of a long run", took, "s", most=MOST_SECONDS, note=note),
        Measurement("all measures of a long run: memory", peak, "MB at its peak", most=MOST_MEGABYTES, note=note),
        Measurement("all measures: times as long as reading the log", took / reading, "", note="the yardstick"),
    ]


def _alone(what: str, folder: str) -> list[float]:
    """Numbers that a function of this module prints in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measures", what, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return [float(word) for word in done.stdout.split()]


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        {"run": run, "measure_it": measure_it, "read_it": read_it}[sys.argv[1]](sys.argv[2])
    else:
        show(measure())
