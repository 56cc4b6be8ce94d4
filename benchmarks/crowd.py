"""A compiled crowd: its events beside plain Python's heapq, and Python agents that live in it.

An event of ours is one that the compiled loop handled, whole: a wake-up or a message that arrives, with the agent's
decision, its random draws, the way of what it sends, matching and the rows of the log. Python's is one entry pushed
into ``heapq`` and one popped, on a queue as long as ours, and nothing done with it. What a Python agent costs is the
difference between the crowd with it and the crowd alone, divided by the quotes it heard or the orders it sent.

Seconds are the processor's for the thread that runs the market, so that other programs count less; the log is hashed on
another one.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import NamedTuple

import marketsim as ms
from benchmarks.measurement import Measurement, show
from benchmarks.python_agents import bare_rate
from marketsim.kernel.random import Stream

AGENTS = 1_000  # each has one wake-up in the queue; few messages are on their way
ROUNDS = 5  # each measures everybody once, so that a busy moment meets all of them
FAMILY = "guest"


class Listener(ms.Agent):
    """Hears every change of the best quotes and does nothing."""

    def on_start(self) -> None:
        """Subscribe."""
        self.heard = 0
        self.subscribe(quotes=True)

    def on_quote(self, quote: ms.Quote) -> None:
        """Count."""
        self.heard += 1


class Maker(ms.Agent):
    """Answers every change of the best quotes with new terms for both of its orders, a tick or two behind the best."""

    def on_start(self) -> None:
        """Subscribe."""
        self.heard = self.sent = 0
        self.standing: dict[int, ms.Order] = {}
        self.subscribe(quotes=True)

    def on_quote(self, quote: ms.Quote) -> None:
        """Quote both sides at another distance than before."""
        self.heard += 1
        if quote.two_sided:
            away = 1 + self.heard % 2
            self.quote(1, quote.bid - away)
            self.quote(-1, quote.ask + away)

    def quote(self, side: int, price: int) -> None:
        """The order of a side is moved to a price, or sent where there is none."""
        order = self.standing.get(side)
        if order is not None and order.live:
            self.replace(order, limit=price)
        else:
            self.standing[side] = (self.buy if side > 0 else self.sell)(self.instrument, 1, limit=price)
        self.sent += 1


class Canceler(Maker):
    """The same, but cancels and sends anew, which is twice as many messages."""

    def quote(self, side: int, price: int) -> None:
        """The order of a side is canceled, and another one sent."""
        order = self.standing.get(side)
        if order is not None and order.live:
            self.cancel(order)
        self.standing[side] = (self.buy if side > 0 else self.sell)(self.instrument, 1, limit=price)
        self.sent += 1


class Played(NamedTuple):
    """One run of the crowd."""

    seconds: float
    events: int  # of the compiled loop
    heard: int  # quotes
    sent: int  # orders


def play(guest: Callable[[], ms.Agent] | None, seconds: int = 60) -> Played:
    """So many simulated seconds of a crowd, after one that fills the book."""
    simulation = ms.Simulation(name="crowd", duration=f"{seconds + 1}s", seed=1)
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="5/s"), AGENTS)
    if guest is not None:
        simulation.add_agent(guest(), FAMILY)
    execution = simulation.start()
    execution.advance("1s")
    engine = execution.world.engine
    agent = execution.world.sessions[FAMILY].agent if guest is not None else None
    before = (engine.events, getattr(agent, "heard", 0), getattr(agent, "sent", 0))
    began = time.thread_time()
    execution.advance(execution.spec.end)
    took = time.thread_time() - began
    after = (engine.events, getattr(agent, "heard", 0), getattr(agent, "sent", 0))
    return Played(took, *(b - a for a, b in zip(before, after, strict=True)))


def heap_rate(length: int, events: int = 300_000) -> float:
    """Entries a second that Python's own heap of ``length`` gives and takes; keys as ours: (time, order)."""
    draw = Stream(1, "benchmark", "wait")
    waits = [draw.integer(1, 2_000_000) for _ in range(events)]
    queue = [(wait, number, number) for number, wait in enumerate(waits[:length])]
    heapq.heapify(queue)
    push, pop, order = heapq.heappush, heapq.heappop, length
    began = time.thread_time()
    for wait in waits:
        now, _, what = pop(queue)
        order += 1
        push(queue, (now + wait, order, what))
    return events / (time.thread_time() - began)


def measure(rounds: int = ROUNDS) -> list[Measurement]:
    """The crowd alone and with each guest; heapq and bare SimPy in the same rounds."""
    play(Maker, 2)  # compiles what it needs
    guests: tuple[type[ms.Agent] | None, ...] = (None, Listener, Maker, Canceler)
    tried: list[list[Played]] = [[] for _ in guests]
    heaps, bare = [], []
    for _ in range(rounds):
        for guest, mine in zip(guests, tried, strict=True):
            mine.append(play(guest))
        heaps.append(heap_rate(AGENTS))
        bare.append(bare_rate(AGENTS))
    alone, heard, maker, canceler = (min(mine) for mine in tried)
    rate, heap, simpy = alone.events / alone.seconds, max(heaps), max(bare)
    note = f"{1e9 / rate:.0f} ns an event, {1e9 / heap:.0f} ns a push and a pop; queues of {AGENTS:,}"
    return [
        Measurement("crowd: compiled events", rate / heap, "x heapq push and pop", least=4, note=note),
        _cost("crowd: Python listener", alone, heard, heard.heard, "quote", simpy, most=3.5),
        _cost("crowd: Python maker, re-quotes", alone, maker, maker.sent, "order", simpy, most=10),
        _cost("crowd: the same, cancels and sends", alone, canceler, canceler.sent, "order", simpy),
    ]


def _cost(
    what: str, alone: Played, played: Played, count: int, thing: str, simpy: float, most: float | None = None
) -> Measurement:
    """What a guest adds to the crowd's time, for each thing it heard or sent."""
    added = 1e6 * (played.seconds - alone.seconds) / count
    whole = 1e6 * played.seconds / count
    note = f"{added * simpy / 1e6:.1f} events of bare SimPy; {whole:.1f} us with the crowd's own time"
    return Measurement(what, added, f"us a{'n' * (thing[0] in 'aeiou')} {thing}", most=most, note=note)


if __name__ == "__main__":
    show(measure())
