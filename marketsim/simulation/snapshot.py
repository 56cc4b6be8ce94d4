"""A snapshot: one moment of a market whose agents are all compiled, from which it goes on as often as one likes.

All that such a market knows lies in tables of compiled code, the kernel's queue and the event log; they are copied once
and brought back for each continuation. One world carries them all, so only the last continuation is under way.
Python agents may keep anything anywhere: a market that has some is run again from its start instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from marketsim.errors import InvalidValueError
from marketsim.kernel.mark import Mark

if TYPE_CHECKING:
    from marketsim.population.agent import CompiledAgent
    from marketsim.scenario.spec import ScenarioSpec
    from marketsim.simulation.assembly import World
    from marketsim.simulation.execution import Execution


class Snapshot:
    """The market of an execution as it is now.

    The execution is closed: its run, ``prefix``, is what all continuations have in common, and is marked incomplete.
    """

    def __init__(self, execution: Execution) -> None:
        world = execution.world
        if agents := python_agents(world):
            raise InvalidValueError(
                f"{agents[0]} is run by Python, and only a market whose agents are all compiled can be kept as it "
                'stands; use how="replay", which runs it again from its start'
            )
        if execution.folder is not None:
            raise InvalidValueError(f"{execution.folder}: a market is kept in memory; save the runs that come of it")
        if execution.now >= execution.spec.end:
            raise InvalidValueError("the run is over: nothing goes on from here")
        self.time = execution.now
        self.prefix = execution.finish()
        owners = (world.environment, world.engine, world.core, world.network, world.house)
        self._mark = Mark(*(owner for owner in owners if owner is not None))
        self._origin = execution

    def go_on(self, spec: ScenarioSpec | None = None, changes: Mapping[str, CompiledAgent] | None = None) -> Execution:
        """The market at this moment, ready to go on; whatever of this market is under way is closed.

        changes: agents by key that have done nothing yet and get new parameters. spec: the scenario with them, as the
            run tells it.
        """
        self._origin.stop_all()
        self._mark.back()
        execution = self._origin.going_on(spec or self._origin.spec)
        for key, agent in (changes or {}).items():
            _rewrite(execution.world, key, agent)
        return execution


def python_agents(world: World) -> list[str]:
    """Names of the agents that Python runs."""
    return list(world.sessions)


def _rewrite(world: World, key: str, agent: CompiledAgent) -> None:
    """Put the records of another agent in the place of those of a key, market by market."""
    numbers = world.engine.accounts()
    for policy in world.populations[key]:
        rows = world.engine.state(policy)
        market = int(numbers["market"][numbers["policy"] == policy][0])
        fresh = agent.records(len(rows), world.markets[market].instrument)
        for name in fresh.dtype.names or ():
            rows[name] = fresh[name]
