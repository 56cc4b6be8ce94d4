"""How long a venue's news takes to reach an agent, from the network that is stored with a run. It runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.network.topology import Topology, star
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.spec import LatencySpec, NetworkSpec, ScenarioSpec

if TYPE_CHECKING:
    from marketsim.results.run import Run


def feed_delays(run: Run, agent: str) -> dict[str, int]:
    """Nanoseconds from an event at each venue until its quote is with an agent, for ``analysis.seen_and_true``.

    The venue's processing time and the expected latency of the way from it: exact where latencies are constant, links
    are idle, the agent is not busy and the grid is 1 ns. A topology that was given as an object is not stored with the
    run, and is not known here.
    """
    spec = ScenarioSpec.from_dict(run.manifest.spec)
    parties = {name: about for name, _, about in spec.participants()}
    if agent not in parties:
        raise InvalidValueError(f"no agent is called {agent!r}{did_you_mean(agent, parties)}")
    about = parties[agent]
    topology = topology_of(spec.network, spec.seed)
    for name, venue in spec.venues.items():
        topology.add_venue(name, venue.host)
    topology.add_agent(agent, about.host, None if about.latency is None else _model(about.latency))
    return {name: venue.processing + round(topology.expected(name, agent)) for name, venue in spec.venues.items()}


def topology_of(network: NetworkSpec, seed: int) -> Topology:
    """The topology that a scenario describes, without its parties."""
    if network.topology is None:
        return star(_model(network.latency))
    topology: Topology = REGISTRY.build_topology(network.topology, seed)
    return topology


def _model(spec: LatencySpec) -> Any:
    return REGISTRY.build("latency", spec.type, spec.arguments())
