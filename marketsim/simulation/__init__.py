"""The only composition root: a scenario's parts are built, wired, run and recorded here.

``Simulation`` is what people use; ``assembly`` wires a spec into a world; ``execution`` runs it into a ``Run``.
"""

from marketsim.simulation.execution import Progress
from marketsim.simulation.simulation import Simulation, load
from marketsim.simulation.warming import warm

__all__ = ["Progress", "Simulation", "load", "warm"]
