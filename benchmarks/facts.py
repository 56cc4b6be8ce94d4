"""Stylized facts and surveillance: fact_statistics of an hour (it is called in searches), verdicts, and alerts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.measurement import Measurement

REPEATS = 5


def measure() -> Iterator[Measurement]:
    """Processor time, the best of some, on an hour of quickstart."""
    import marketsim as ms

    run = ms.load("quickstart", {"duration": "1h"}).run()
    a = ms.analysis
    table = a.fact_statistics(run)
    parts: tuple[tuple[str, Callable[[], object], float], ...] = (
        ("fact_statistics of an hour", lambda: a.fact_statistics(run), 0.3),
        ("fact_distance from tables", lambda: a.fact_distance(table, table), 0.1),
        ("stylized_facts of an hour", lambda: a.stylized_facts(run), 1.0),
        (f"surveil, {len(run.orders):,} orders", lambda: a.surveil(run), 1.0),
    )
    for name, work, most in parts:
        yield Measurement(name, min(_seconds(work) for _ in range(REPEATS)), "s", most=most)


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
