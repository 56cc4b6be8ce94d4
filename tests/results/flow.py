"""Logs and runs for tests: rows by the handful, rows by the million, and what a matching core did with commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.fees import FeeSchedule
from marketsim.domain.instrument import Instrument
from marketsim.exchange.core import MatchingCore
from marketsim.results.events import MemoryEvents
from marketsim.results.log import EventLog
from marketsim.results.manifest import AgentEntry, Manifest, MarketEntry
from marketsim.results.run import Run

SYMBOLS = ("ABC", "XYZ", "QQQ")


def some_rows(count: int, seed: int = 1) -> np.ndarray:
    """Rows that look like those of a market, though no market made them."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, EVENT)
    rows["time"] = np.cumsum(rng.integers(0, 2_000_000, count))
    rows["kind"] = rng.choice([1, 3, 4], count)
    rows["order_id"] = np.maximum(np.arange(count) // 2 - rng.integers(0, 500, count), 1)
    rows["price"] = 10_000 + rng.integers(-20, 20, count)
    rows["quantity"] = rng.integers(1, 60, count)
    rows["owner"] = rng.integers(0, 300, count)
    rows["side"] = rng.choice([-1, 1], count)
    return rows


def feed(log: EventLog, rows: np.ndarray, sizes: Iterable[int]) -> None:
    """Hand rows over as a core would, in chunks of the sizes given and then as large as they come."""
    chunk = log.next_chunk(None, 0, 1)
    start = 0
    sizes = iter(sizes)
    while start < len(rows):
        used = min(next(sizes, 1 << 40), len(chunk), len(rows) - start)
        chunk.rows[:used] = rows[start : start + used]
        chunk = log.next_chunk(chunk, used, 1)
        start += used


def manifest(
    markets: int | tuple[MarketEntry, ...] = 1, agents: int | tuple[AgentEntry, ...] = 5, **more: Any
) -> Manifest:
    """Of a complete run unless it is told otherwise."""
    entries = markets
    if isinstance(markets, int):
        entries = tuple(
            MarketEntry.of(number, "XSIM", Instrument(SYMBOLS[number]), FeeSchedule.of("-0.2", "0.3"))
            for number in range(markets)
        )
    names = agents
    if isinstance(agents, int):
        names = tuple(
            AgentEntry(number=number, name=f"noise.{number}", family="noise", type="Noise", initial_cash=1000.0)
            for number in range(agents)
        )
    given = {"name": "flow", "seed": 7, "markets": entries, "agents": names, "complete": True, "failure": None, **more}
    return Manifest(**given)


def run_of(rows: Sequence[Any] | np.ndarray, **more: Any) -> Run:
    """A complete run in memory of these rows."""
    array = np.array(rows, dtype=EVENT)
    end = int(array["time"][-1]) if len(array) else 0
    return Run(manifest(**{"end": end, "events": len(array), **more}), MemoryEvents([array]))


def kept_run(core: MatchingCore, log: EventLog, **more: Any) -> Run:
    """Close the log of a core that did its work."""
    core.flush()
    digest = log.close()
    return Run(
        manifest(digest=digest, events=log.rows, annotations=len(log.annotations), **more), log.events, log.annotations
    )


def row(kind: EventKind, time: int, **columns: int) -> tuple[int, ...]:
    """One row by the names of its columns."""
    values = {**dict.fromkeys(EVENT.names or (), 0), "kind": int(kind), "time": time, **columns}
    return tuple(int(value) for value in values.values())


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
