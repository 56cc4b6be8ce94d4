"""A small market for the tests of environments: some noise, one instrument, a warm-up of five seconds."""

from __future__ import annotations

from typing import Any

import marketsim as ms


def market(seed: int = 1, duration: str = "25s", warm_up: str = "5s", **venue: Any) -> ms.Simulation:
    simulation = ms.Simulation(seed=seed, duration=duration, warm_up=warm_up, name="small")
    terms = {"maker_fee": "-0.1bps", "taker_fee": "0.3bps", "processing": "1us", **venue}
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")], **terms)
    simulation.add_agents(ms.agents.Noise(rate="2/s"), 40, "noise")
    return simulation
