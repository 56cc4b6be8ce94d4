"""Topologies given in Python are those of scenario files: hosts are known, and the run can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

import marketsim as ms
from marketsim.errors import ConfigurationError
from marketsim.network.line import LineTopology
from marketsim.network.presets import preset

SITES = {
    "access": "1us",
    "sites": {"here": None, "there": None},
    "links": [{"between": ["here", "there"], "latency": "3ms"}],
}


class Timer(ms.Agent):
    """Sends one order and remembers how long its answer took."""

    def on_start(self) -> None:
        self.buy(self.instrument, 1, limit=1)

    def on_accepted(self, order: ms.Order) -> None:
        self.took = self.now


def _took(simulation: ms.Simulation, host: str | None) -> int:
    simulation.add_agent(Timer(), "timer", host=host)
    execution = simulation.start()
    execution.advance("100ms")
    took: int = execution.world.sessions["timer"].agent.took  # type: ignore[attr-defined]
    return took


@pytest.mark.parametrize(("host", "round_trip"), [("here", 2_000), ("there", 6_002_000)])
def test_a_mapping_places_venues_and_agents(host: str, round_trip: int) -> None:
    simulation = ms.Simulation(duration="1s", topology=SITES)
    simulation.add_venue("XSIM", [ms.Instrument("ABC")], host="here")
    assert _took(simulation, host) == round_trip
    assert simulation.spec.network.topology is not None
    assert ms.Simulation.from_spec(simulation.spec).spec == simulation.spec


def test_a_name_is_a_preset() -> None:
    simulation = ms.Simulation(duration="1s", topology="europe")
    simulation.add_venue("XSIM", [ms.Instrument("ABC")], host="frankfurt")
    took = _took(simulation, "london")
    europe = preset("europe")
    europe.add_venue("XSIM", "frankfurt")
    europe.add_agent("timer", "london")
    assert took == pytest.approx(2 * europe.expected("timer", "XSIM"), abs=2)


def test_an_object_is_taken_as_it_is() -> None:
    line = LineTopology(seed=3, length="3000km")
    simulation = ms.Simulation(duration="1s", topology=line)
    simulation.add_venue("XSIM", [ms.Instrument("ABC")])
    took = _took(simulation, None)
    metres = abs(line.position("timer") - line.position("XSIM"))
    assert np.isclose(took, 2e9 * metres / 299_792_458, atol=2)


@pytest.mark.parametrize("seed", [3, 4])
def test_the_line_is_a_preset_on_which_the_seed_decides_the_places(seed: int) -> None:
    topology = {"preset": "line", "length": "3000km"}
    simulation = ms.Simulation(seed=seed, duration="1s", topology=topology)
    simulation.add_venue("XSIM", [ms.Instrument("ABC")])
    took = _took(simulation, None)
    line = LineTopology(seed, length="3000km")
    line.add_venue("XSIM")
    line.add_agent("timer")
    assert took == 2 * line.expected("timer", "XSIM")
    assert simulation.spec.to_dict()["network"]["topology"] == topology


def test_an_unknown_preset_is_refused() -> None:
    simulation = ms.Simulation(duration="1s", topology="europa")
    simulation.add_venue("XSIM", [ms.Instrument("ABC")], host="frankfurt")
    with pytest.raises(ConfigurationError, match="europe"):
        simulation.start()
