"""Scale: what an event costs, and how much memory, as the agents and the instruments become more.

Every agent behaves alike, whatever the size: it wakes once a second, asks for the quotes and acts. A larger crowd has
the shorter run, so that each size handles about as many events, on a book that grows with the crowd. Each case is a
process of its own, so that its peak of memory is its own too. An event is one that the compiled loop handled: a
wake-up, or a message that arrives at a venue or at an agent.

Each market is built and run twice, and the second run's time counts: memory that a virtual machine never touched before
costs it several microseconds a page, which says nothing about the loop. The peak of memory is the first run's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measurement import OUT, Measurement, keep_rows, show, skipped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 10_000, 100_000)
INSTRUMENTS = (1, 50)
WAKE_UPS = 500_000  # of all agents together; about four events each
ROUNDS = 3  # the machine's busy moments should meet every size


@dataclass(frozen=True)
class Case:
    """One size and what it cost."""

    agents: int
    instruments: int
    events: int
    build: float  # seconds of the processor from the description to a market that could begin
    run: float  # seconds of the processor in the compiled loop
    nanoseconds: float  # an event
    peak: float  # MB, the most that the process ever held
    tables: float  # MB, the compiled world's and the matching core's own


def one(agents: int, instruments: int) -> Case:
    """Build and run one market in this process, which must have run nothing else but what compiles."""
    import gc
    import resource
    import time

    import marketsim as ms

    def market(name: str, count: int, symbols: int, duration: str) -> ms.Simulation:
        simulation = ms.Simulation(name=name, duration=duration, seed=1)
        simulation.add_venue("X", instruments=[ms.Instrument(f"S{number:02d}") for number in range(symbols)])
        simulation.add_agents(ms.agents.Noise(rate="1/s"), count)
        return simulation

    market("compiles", 10, 1, "20s").run()
    found = []
    for _ in range(2):
        began = time.process_time()
        execution = market("scale", agents, instruments, f"{WAKE_UPS // agents}s").start()
        built = time.process_time() - began
        before = execution.events
        began = time.thread_time()
        execution.advance(execution.spec.end)
        took = time.thread_time() - began
        events = execution.events - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1) / 1024
        tables = (execution.world.engine.nbytes + execution.world.core.nbytes) / 1e6
        found.append(Case(agents, instruments, events, built, took, 1e9 * took / events, peak, tables))
        execution.finish()
        del execution
        gc.collect()
    first, again = found
    return replace(first, build=min(first.build, again.build), run=again.run, nanoseconds=again.nanoseconds)


def apart(agents: int, instruments: int) -> Case:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", str(agents), str(instruments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return Case(**json.loads(done.stdout.splitlines()[-1]))


def cases(rounds: int = ROUNDS) -> list[Case]:
    """Every size, the fastest of several rounds of each."""
    sizes = [(agents, instruments) for instruments in INSTRUMENTS for agents in SIZES]
    found = [[apart(*size) for size in sizes] for _ in range(rounds)]
    return [
        Case(
            agents=tried[0].agents,
            instruments=tried[0].instruments,
            events=tried[0].events,
            build=min(case.build for case in tried),
            run=min(case.run for case in tried),
            nanoseconds=min(case.nanoseconds for case in tried),
            peak=min(case.peak for case in tried),
            tables=tried[0].tables,
        )
        for tried in zip(*found, strict=True)
    ]


def measure() -> list[Measurement]:
    """The growth of the cost; the table and the picture of all sizes lie in ``out`` then."""
    if sys.platform == "win32":
        return [skipped("scale", "this system does not tell a process's peak")]
    found = cases()
    table = keep_rows(found, "scale")
    drawn = draw(found, OUT / "scale.png")
    print(f"kept in {table} and {drawn}", file=sys.stderr)
    return [measurement for count in INSTRUMENTS for measurement in _of(found, count)]


def _of(found: Iterable[Case], instruments: int) -> list[Measurement]:
    mine = {case.agents: case for case in found if case.instruments == instruments}
    small, large = mine[SIZES[0]], mine[SIZES[-1]]
    on = "1 instrument" if instruments == 1 else f"{instruments} instruments"
    costs = ", ".join(f"{mine[size].nanoseconds:.0f}" for size in SIZES)
    note = f"{costs} ns an event with {', '.join(f'{size:,}' for size in SIZES)}"
    times = large.nanoseconds / small.nanoseconds
    memory = f"{small.peak:,.0f} MB with {SIZES[0]:,}; tables {large.tables:,.0f} MB"
    return [
        Measurement(f"scale: {SIZES[-1]:,} agents, {on}", times, f"x with {SIZES[0]:,}", most=2.5, note=note),
        Measurement(f"scale: memory, {on}", large.peak, "MB at its peak", note=memory),
        Measurement(f"scale: building {SIZES[-1]:,} agents, {on}", large.build, "s of processor"),
    ]


def draw(found: Iterable[Case], path: Path) -> Path:
    """The cost of an event, memory and building time over the number of agents."""
    from marketsim.analysis.figures.style import BLUE, GREY, VERMILLION, canvas, panels, styled

    @styled
    def sheet() -> Figure:
        figure = canvas(10.0, 3.3)
        cost, memory, building = panels(figure, 3, columns=3)
        for instruments, colour in zip(INSTRUMENTS, (BLUE, VERMILLION), strict=True):
            mine = [case for case in found if case.instruments == instruments]
            agents = [case.agents for case in mine]
            words = "1 instrument" if instruments == 1 else f"{instruments} instruments"
            cost.plot(agents, [case.nanoseconds for case in mine], "o-", color=colour, label=words)
            memory.plot(agents, [case.peak for case in mine], "o-", color=colour)
            memory.plot(agents, [case.tables for case in mine], "o--", color=colour)
            building.plot(agents, [case.build for case in mine], "o-", color=colour, label=words)
        for line, words in (("o-", "the whole process"), ("o--", "its market's tables")):
            memory.plot([], [], line, color=GREY, label=words)
        cost.set(title="Time of an event", ylabel="ns of processor")
        memory.set(title="Memory at its peak", ylabel="MB", yscale="log")
        building.set(title="Building the market", ylabel="s of processor", yscale="log")
        cost.set_ylim(bottom=0)
        memory.set_ylim(top=2_000)
        for axes in (cost, memory, building):
            axes.set(xscale="log", xlabel="agents", xticks=SIZES, xticklabels=[f"{size:,}" for size in SIZES])
            axes.minorticks_off()
            axes.legend(loc="upper left")
        for axes in (memory, building):
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        return figure

    OUT.mkdir(exist_ok=True)
    sheet().savefig(path, dpi=150)
    return path


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one(int(sys.argv[1]), int(sys.argv[2])).__dict__))
    else:
        show(measure())
