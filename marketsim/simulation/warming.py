"""Warming: compile everything that a run may need, once, so that the next start only loads it.

It runs a market of a moment with one of each compiled trader, and throws the result away.
"""

from __future__ import annotations

from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import address_of
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


def compiled_agents() -> list[CompiledAgent]:
    """One of each compiled trader; of what can't be built without parameters the policy alone is compiled."""
    found = []
    for name in REGISTRY.names("agent"):
        kind = REGISTRY.resolve("agent", name)
        if not issubclass(kind, CompiledAgent):
            continue
        try:
            found.append(kind())
        except (InvalidValueError, TypeError):
            if hasattr(kind, "STATE"):
                address_of(kind.policy, kind.STATE)
    return found


def warm() -> None:
    """Compile, or load what was compiled before."""
    simulation = Simulation(name="warming", duration="20s")
    instrument = Instrument("WARM")
    simulation.add_venue(instruments=[instrument], processing="1us")
    agents = compiled_agents()
    for agent in agents:
        simulation.add_agents(agent, 2)
    simulation.add_agent(agents[0], "driven", compiled=False)
    simulation.add_agent(Listener())
    execution = simulation.start()
    execution.advance("10s")
    execution.world.core.check()
    run = execution.run()
    for table in (run.trades, run.quotes, run.orders, run.depth(2), run.depth(2, every=1_000_000_000)):
        len(table)
