"""Instruments: what a message costs with 500 of them, beside the same messages on one.

The same agents do the same things in both markets: each keeps one order on the book of its own instrument, at a price
drawn near the middle, and moves it whenever it wakes. One order at each of these prices stays all the time, so all
books are equally wide and no price comes or goes. Both markets have as many agents and messages, and only the number of
books is another. A message is a request that reaches the venue.

Both markets are built once; they are then run on in turns, a second of each, so that busy moments of the machine meet
both, and the medians of the turns are compared. Seconds are the processor's for the thread that runs the market.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

import marketsim as ms
from benchmarks.measurement import Measurement, show
from marketsim import policies as p

AGENTS, INSTRUMENTS, TURNS = 5_000, 500, 25
PRICES = 20  # a side
_PAUSE, _PRICE = p.purpose_of("benchmark: pause"), p.purpose_of("benchmark: price")


@dataclass
class Mover(ms.CompiledAgent):
    """Cancels its order and sends another one near the middle, about once a second."""

    order: int = field(default=0, init=False)
    draws: int = field(default=0, init=False)

    @ms.policy
    def act(me, seen, out):  # type: ignore[no-untyped-def]
        """What it does."""
        if seen.kind != p.START and seen.kind != p.WAKE:
            return 0
        me.draws += 1
        if me.order != 0:
            p.cancel(out, me.order)
        away = 1 + p.below(seen.key, _PRICE, me.draws, PRICES)
        side = 1 if p.uniform(seen.key, _PAUSE, me.draws) < 0.5 else -1
        me.order = p.limit_order(out, side, 10_000 - side * away, 1)
        p.wake_at(out, seen.now + int(1e9 * p.exponential(seen.key, _PAUSE, me.draws)))
        return 0


class Filler(ms.Agent):
    """Keeps one order at each price of every book."""

    def on_start(self) -> None:
        """Once."""
        for instrument in self.instruments:
            for away in range(1, PRICES + 1):
                self.buy(instrument, 1, limit=10_000 - away)
                self.sell(instrument, 1, limit=10_000 + away)


class Market:
    """One market that is run on second by second."""

    def __init__(self, instruments: int, agents: int = AGENTS) -> None:
        simulation = ms.Simulation(name="instruments", duration="10min", seed=1)
        simulation.add_venue("X", instruments=[ms.Instrument(f"S{number:03d}") for number in range(instruments)])
        simulation.add_agent(Filler(), "filler")
        simulation.add_agents(Mover(), agents)
        self.execution = simulation.start()
        self.second = 0
        self.turn(3)

    def turn(self, seconds: int = 1) -> float:
        """Run on; ns a message."""
        before = int(self.execution.world.core.record["next_id"][0])
        self.second += seconds
        began = time.thread_time()
        self.execution.advance(f"{self.second}s")
        took = time.thread_time() - began
        messages = 2 * (int(self.execution.world.core.record["next_id"][0]) - before)
        return 1e9 * took / messages

    def finish(self) -> None:
        """End the run."""
        self.execution.finish()


def measure(turns: int = TURNS, agents: int = AGENTS) -> list[Measurement]:
    """Both markets in turns."""
    Market(1, 10).finish()  # compiles what it needs
    one, many = Market(1, agents), Market(INSTRUMENTS, agents)
    costs = [(one.turn(), many.turn()) for _ in range(turns)]
    one.finish()
    many.finish()
    ratio = statistics.median(b / a for a, b in costs)
    few, lots = (statistics.median(turn[place] for turn in costs) for place in (0, 1))
    note = f"{lots:.0f} and {few:.0f} ns a message, {agents:,} agents"
    return [Measurement(f"instruments: a message with {INSTRUMENTS}", ratio, "x with 1", most=1.05, note=note)]


if __name__ == "__main__":
    show(measure())
