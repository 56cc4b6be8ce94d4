"""Speed of agents written in Python, beside callback events of a bare SimPy environment with as many in flight.

An order's whole life is measured: its agent wakes, decides, has its limits checked and sends; the order travels,
is matched, acknowledged and logged, and every report comes back to the agent.
"""

from __future__ import annotations

import time
from typing import Any

import simpy

import marketsim as ms
from benchmarks.measurement import Measurement, show

PAUSE = 1_000_000  # ns between an agent's wake-ups
PHASE = 977  # ns from one agent's wake-ups to the next one's


class Trader(ms.Agent):
    """Buys and sells in turn around one price, so that orders rest, are hit and hit."""

    def on_start(self) -> None:
        """Wake up at times of its own."""
        self.buys = self.random("side").bernoulli(0.5)
        self.after(self.random("phase").integer(1, PAUSE), self.act)

    def act(self) -> None:
        """One decision: the side that the last order did not have, more willing the larger the position."""
        self.buys = not self.buys
        price = 10_000 - self.position()
        if self.buys:
            self.buy(self.instrument, 1, limit=price)
        else:
            self.sell(self.instrument, 1, limit=price)
        self.after(PAUSE, self.act)


def bare_rate(in_flight: int, events: int = 200_000) -> float:
    """Callback events a second of a bare SimPy environment."""
    environment = simpy.Environment()

    def again(event: Any) -> None:
        environment.timeout(PAUSE).callbacks.append(again)

    for number in range(in_flight):
        environment.timeout(1 + number * PHASE).callbacks.append(again)
    environment.run(until=PAUSE)
    began = time.perf_counter()
    environment.run(until=PAUSE + events // in_flight * PAUSE)
    return events // in_flight * in_flight / (time.perf_counter() - began)


def order_rate(agents: int, orders: int = 40_000) -> float:
    """Orders a second of a market of Python agents alone."""
    simulation = ms.Simulation(name="python-agents", duration="1h")
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")], processing="1us")
    limits = ms.Limits(max_order=100, max_position=1_000)
    simulation.add_agents(Trader(), agents, latency=ms.Constant("100us"), limits=limits)
    execution = simulation.start()
    execution.advance(5 * PAUSE)
    before = _orders(execution)
    began = time.perf_counter()
    execution.advance((5 + orders // agents) * PAUSE)
    return (_orders(execution) - before) / (time.perf_counter() - began)


def _orders(execution: Any) -> int:
    return int(execution.world.core.record["next_id"][0])


def measure(repeats: int = 5) -> list[Measurement]:
    """Ours beside bare SimPy, in turns."""
    order_rate(2, 100)  # compiles what it needs
    found = []
    for agents in (100, 1_000):
        rates = [(bare_rate(agents), order_rate(agents)) for _ in range(repeats)]
        bare, ours = (max(rate) for rate in zip(*rates, strict=True))
        note = f"{ours / 1e3:.0f} thousand orders/s; SimPy: {bare / 1e3:.0f} thousand events/s"
        found.append(
            Measurement(f"Python agents: {agents:,}", bare / ours, "SimPy events an order", most=18, note=note)
        )
    return found


if __name__ == "__main__":
    show(measure())
