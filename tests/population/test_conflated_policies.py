"""Policies hear conflated quotes and the phase of trading, compiled as when Python drives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

import marketsim as ms
from marketsim import policies as p


@dataclass
class Patient(ms.CompiledAgent):
    """Answers a quote in 50 ms with an order behind it, once it knows that the market is open."""

    interval: int = 50 * p.MILLISECOND
    phase: int = field(default=-1, init=False)
    quotes: int = field(default=0, init=False)

    @ms.policy
    def act(me: Any, seen: Any, out: Any) -> int:
        if seen.kind == p.START:
            p.subscribe_every(out, p.QUOTES + p.STATUS_CHANGES + p.INDICATIVES, me.interval)
        elif seen.kind == p.STATUS:
            me.phase = seen.quantity
        elif seen.kind == p.QUOTE:
            me.quotes += 1
            if me.phase == 0 and seen.bid_quantity > 0:
                p.post_only_order(out, 1, seen.bid - 1 - me.quotes % 3, 1 + seen.bid_quantity % 5)
        return 0


def played(compiled: bool | None) -> tuple[str, int]:
    simulation = ms.Simulation(name="patient", duration="3s", seed=5)
    simulation.add_venue("XSIM", instruments=[ms.Instrument("ABC")])
    simulation.add_agents(ms.agents.Noise(rate="10/s"), 20)
    simulation.add_agent(Patient(), "patient", **({} if compiled is None else {"compiled": compiled}))
    run = simulation.run()
    return run.digest, len(run.orders[run.orders["agent"] == "patient"])


@pytest.mark.uncompiled
def test_conflated_quotes_are_the_same_driven_from_python() -> None:
    compiled, orders = played(None)
    assert 20 < orders <= 61, "one order for each quote, of which there are at most 20 a second after the first"
    assert played(False) == (compiled, orders)
