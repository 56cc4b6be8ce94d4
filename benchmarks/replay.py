"""Speed of a replay: a recorded day through the real core, compared after every row; and as live order flow."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from benchmarks.measurement import Measurement, show, skipped
from marketsim.agents.replay import Replay
from marketsim.data import find_data, read_lobster
from marketsim.replay import replay, warm
from marketsim.simulation import Simulation


def seconds(path: Path, repeats: int = 5) -> dict[str, float]:
    """Best seconds of ``repeats`` for reading and for replaying one day, and its size; compiled before."""
    warm()
    read, played, rows = [], [], 0
    for _ in range(repeats):
        begun = perf_counter()
        tape = read_lobster(path)
        middle = perf_counter()
        report = replay(tape)
        played.append(perf_counter() - middle)
        read.append(middle - begun)
        rows = len(tape)
        assert report.agrees, str(report)
    return {
        "rows": rows,
        "read": min(read),
        "replay": min(played),
        "total": min(map(sum, zip(read, played, strict=True))),
    }


def live(path: Path, repeats: int = 5) -> tuple[int, float]:
    """Requests of a day, and the best engine seconds of sending all of them into the live book, logged and hashed."""
    tape = read_lobster(path)
    sent, took = 0, []
    for _ in range(repeats + 1):  # the first one compiles
        simulation = Simulation(1, tape.end - tape.start + 1, start=tape.start).add_venue("X", [tape.instrument])
        execution = simulation.add_agent(Replay(str(path)), "tape", latency=0).start()
        took.append(execution.run().manifest.timings["engine"])
        world = execution.world
        sent = int(world.engine.state(world.populations["tape"][0])["sent"][0])
    return sent, min(took[1:])


def measure() -> list[Measurement]:
    """A line for each recorded day that is there."""
    folder = find_data("lobster")
    if folder is None:
        return [
            skipped("replay: a recorded day", "no recorded data; set MARKETSIM_DATA or put them into ../shared/data")
        ]
    found = []
    for path in sorted(folder.glob("*_message_*.csv*")):
        day, took = path.name.split("_")[0], seconds(path)
        rate = took["rows"] / took["replay"] / 1e6
        note = f"{took['rows']:,} rows; read in {took['read']:.3f} s, replayed and checked at {rate:.1f} million rows/s"
        most = 2.0 if day == "AMZN" else None
        found.append(Measurement(f"replay: {day}, read, replayed, checked", took["total"], "s", most=most, note=note))
        requests, engine = live(path)
        note = f"{requests:,} requests in {engine:.3f} s of engine time, logged and hashed; reading apart"
        found.append(
            Measurement(f"replay: {day}, as live order flow", engine / requests * 1e6, "µs/request", note=note)
        )
    return found


if __name__ == "__main__":
    show(measure())
