"""Warming: compile everything that a run may need, once, so that the next start only loads it.

It runs a market of a moment with one of each compiled trader, and throws the result away.
"""

from __future__ import annotations

from marketsim.domain.instrument import Instrument
from marketsim.population.agent import CompiledAgent
from marketsim.scenario.registry import REGISTRY
from marketsim.simulation.simulation import Simulation
from marketsim.trading.agent import Agent


class Listener(Agent):
    """Subscribes to everything and sends one order, so that both ways of Python agents are compiled."""

    def on_start(self) -> None:
        """Send an order that rests far away, then cancel it."""
        order = self.buy(self.instrument, 1, limit=1)
        self.subscribe(quotes=True, trades=True, levels=True)
        self.cancel(order)


def compiled_types() -> list[type[CompiledAgent]]:
    """Every compiled trader that can be built without parameters."""
    found = []
    for name in REGISTRY.names("agent"):
        kind = REGISTRY.resolve("agent", name)
        if issubclass(kind, CompiledAgent) and not any(p.required for p in REGISTRY.parameters("agent", name)):
            found.append(kind)
    return found


def warm() -> None:
    """Compile, or load what was compiled before."""
    simulation = Simulation(name="warming", duration="20s")
    instrument = Instrument("WARM")
    simulation.add_venue(instruments=[instrument], processing="1us")
    for kind in compiled_types():
        simulation.add_agents(kind(), 2)
    simulation.add_agent(Listener())
    execution = simulation.start()
    execution.advance("10s")
    execution.world.core.check()
    run = execution.run()
    for table in (run.trades, run.quotes, run.orders, run.depth(2), run.depth(2, every=1_000_000_000)):
        len(table)
