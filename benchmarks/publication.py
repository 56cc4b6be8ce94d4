"""Publication: what one delivered increment of the book costs, by the number of subscribers and by the book's depth.

One agent places and cancels an order at one price, again and again; each time every subscriber to the levels is told.
Subscribers are compiled and do nothing with what they hear, so the cost is that of publishing a message, of its way and
of handing it over. What the market costs without subscribers is taken off. Nothing in a publication depends on the
levels that did not change: the same subscribers cost the same on a book of 10 levels and on one of 10,000.

Seconds are the processor's for the thread that runs the market.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import marketsim as ms
from benchmarks.measurement import Measurement, keep_rows, show
from marketsim import policies as p
from marketsim.domain.message import Wanted

SUBSCRIBERS, LEVELS = (1, 10, 100, 1_000), (10, 10_000)
DELIVERED = 400_000  # messages of each case, about
ROUNDS = 3
_LEVELS = int(Wanted.LEVELS)


@dataclass
class Beat(ms.CompiledAgent):
    """Places an order, cancels it, and so on, every 10 us."""

    order: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):  # type: ignore[no-untyped-def]
        """What it does."""
        if seen.kind != p.START and seen.kind != p.WAKE:
            return 0
        if me.order != 0:
            p.cancel(out, me.order)
            me.order = 0
        else:
            me.order = p.limit_order(out, 1, 100_000, 1)
        p.wake_at(out, seen.now + 10_000)
        return 0


@dataclass
class Ear(ms.CompiledAgent):
    """Hears every change of the book."""

    heard: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):  # type: ignore[no-untyped-def]
        """What it does."""
        if seen.kind == p.START:
            p.subscribe(out, _LEVELS)
        me.heard += 1
        return 0


class Filler(ms.Agent):
    """Makes the book so many levels deep on each side together."""

    def __init__(self, levels: int) -> None:
        self.levels = levels

    def on_start(self) -> None:
        """One order a level."""
        for level in range(self.levels // 2):
            self.buy(self.instrument, 1, limit=99_999 - level)
            self.sell(self.instrument, 1, limit=100_001 + level)


@dataclass(frozen=True)
class Case:
    """Subscribers, levels of the book, and what a delivered message cost."""

    subscribers: int
    levels: int
    delivered: int
    nanoseconds: float


def seconds(subscribers: int, levels: int, changes: int) -> float:
    """So many changes of one level."""
    simulation = ms.Simulation(name="publication", duration="1h", seed=1)
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agent(Filler(levels), "filler")
    simulation.add_agent(Beat(), "beat")
    if subscribers:
        simulation.add_agents(Ear(), subscribers, name="ear")
    execution = simulation.start()
    execution.advance("10ms")
    began = time.thread_time()
    execution.advance(f"{10_000_000 + 10_000 * changes}ns")
    took = time.thread_time() - began
    execution.finish()
    return took


def cases(rounds: int = ROUNDS, delivered: int = DELIVERED) -> list[Case]:
    """Every case, the least of several rounds of it and of the same market without subscribers."""
    seconds(1, 10, 10)  # compiles what it needs
    found = {}
    for _ in range(rounds):
        for levels in LEVELS:
            for subscribers in SUBSCRIBERS:
                changes = max(delivered // subscribers, 400)
                pair = seconds(0, levels, changes), seconds(subscribers, levels, changes)
                found.setdefault((subscribers, levels), []).append((changes, *pair))
    return [
        Case(subscribers, levels, subscribers * tried[0][0], _cost(subscribers, tried))
        for (subscribers, levels), tried in found.items()
    ]


def _cost(subscribers: int, tried: list[tuple[int, float, float]]) -> float:
    added = min(told for _, _, told in tried) - min(alone for _, alone, _ in tried)
    return 1e9 * added / (subscribers * tried[0][0])


def measure() -> list[Measurement]:
    """The cost of a delivered message, and how it grows."""
    found = cases()
    table = keep_rows(found, "publication")
    costs = {(case.subscribers, case.levels): case.nanoseconds for case in found}
    lines = []
    for levels in LEVELS:
        told = ", ".join(f"{costs[subscribers, levels]:.0f}" for subscribers in SUBSCRIBERS)
        note = f"{told} ns with {', '.join(f'{count:,}' for count in SUBSCRIBERS)} subscribers"
        ratio = costs[SUBSCRIBERS[-1], levels] / costs[10, levels]
        what = f"publication: an increment to 1,000, {levels:,} levels"
        lines.append(Measurement(what, ratio, "x each of 10", most=1.5, note=note))
    ratio = costs[SUBSCRIBERS[-1], LEVELS[-1]] / costs[SUBSCRIBERS[-1], LEVELS[0]]
    lines.append(Measurement("publication: 10,000 levels", ratio, "x 10 levels", most=1.1, note=f"kept in {table}"))
    return lines


if __name__ == "__main__":
    show(measure())
