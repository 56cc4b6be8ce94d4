"""Rules of a venue as choices of a run: pro-rata allocation, and self-trades between the agents of one owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import marketsim as ms
from marketsim.domain.event import EventKind
from marketsim.errors import ScenarioError
from marketsim.exchange.core import MatchingCore

QUANTITIES = (7, 30, 60, 3)
SOLD = (25, 13, 40)


@dataclass
class Queue(ms.Agent):
    """Bids at one price, one order after the other, then sells to them from another agent's hands."""

    quantities: tuple[int, ...] = QUANTITIES
    selling: bool = False
    begin: str = "1ms"

    def on_start(self) -> None:
        for place, quantity in enumerate(self.quantities):
            self.after(f"{self.begin} {place + 1}us", self.send, quantity)

    def send(self, quantity: int) -> None:
        """One order at 100.00."""
        self.order(ms.SELL if self.selling else ms.BUY, self.instrument, quantity, limit=10_000)


def fills(allocation: Any, **venue: Any) -> list[tuple[int, int]]:
    """(resting order, lots) of every trade."""
    simulation = ms.Simulation(duration="1s", latency="1us")
    simulation.add_venue("XSIM", [ms.Instrument("ABC")], allocation=allocation, **venue)
    simulation.add_agent(Queue(), "bidder").add_agent(Queue(SOLD, selling=True, begin="5ms"), "seller")
    trades = simulation.run().trades
    return [(int(order), int(lots)) for order, lots in zip(trades["maker_order"], trades["quantity"], strict=True)]


@pytest.mark.parametrize(
    ("allocation", "terms"),
    [
        ("pro_rata", (True, 0, 0, 0)),
        ({"top_lots": 5, "fifo_percent": 40, "least_allocation": 3}, (True, 5, 40, 3)),
        ({"rule": "pro_rata", "instruments": ["ABC"], "top_lots": 100}, (True, 100, 0, 0)),
        ("price_time", None),
        (None, None),
    ],
)
def test_a_scenario_shares_as_the_matching_core_does(allocation: Any, terms: tuple[Any, ...] | None) -> None:
    core = MatchingCore(1)
    if terms is not None:
        core.set_allocation(0, *terms)
    for quantity in QUANTITIES:
        core.new(0, 1, 0, 1, 1, 1, 0, 10_000, 0, quantity)
    for quantity in SOLD:
        core.new(0, 2, 0, -1, 1, 1, 0, 10_000, 0, quantity)
    rows = core.events()
    trades = rows[rows["kind"] == EventKind.TRADE]
    assert fills(allocation) == [(int(row["match_id"]), int(row["quantity"])) for row in trades]
    assert trades["quantity"].sum() == sum(SOLD)


def test_an_allocation_is_a_choice_of_each_venue() -> None:
    simulation = ms.Simulation(duration="1s", latency="1us")
    simulation.add_venue("A", [ms.Instrument("ABC")], allocation="pro_rata").add_venue("B", [ms.Instrument("ABC")])
    core = simulation.start().world.core
    spec = simulation.spec
    assert spec.venues["A"].allocation is not None
    assert spec.venues["B"].allocation is None
    for market in (0, 1):
        for quantity in (10, 30):
            core.new(0, 1, market, 1, 1, 1, 0, 10_000, 0, quantity)
        core.new(0, 2, market, -1, 1, 1, 0, 10_000, 0, 20)
        assert [lots for _, _, lots in core.fills()] == ([5, 15] if market == 0 else [10, 10])


def test_time_priority_need_not_be_said() -> None:
    said = ms.Simulation().add_venue("X", [ms.Instrument("ABC")], allocation="price_time").spec
    assert said.fingerprint() == ms.Simulation().add_venue("X", [ms.Instrument("ABC")]).spec.fingerprint()
    shared = ms.Simulation().add_venue("X", [ms.Instrument("ABC")], allocation={"top_lots": 3, "instruments": "ABC"})
    assert ms.load(shared.spec.to_dict()).spec == shared.spec


def test_a_wrong_allocation_is_refused() -> None:
    with pytest.raises(ScenarioError, match="fifo_percent: 140 is more than all"):
        ms.Simulation().add_venue("X", [ms.Instrument("ABC")], allocation={"fifo_percent": 140}).run()


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("owners", [("desk", "desk"), ("desk", None), ("one", "two"), (None, None)])
def test_agents_of_one_owner_do_not_trade_with_each_other(owners: tuple[str | None, ...], compiled: bool) -> None:
    simulation = ms.Simulation(duration="1s", latency="1us")
    simulation.add_venue("XSIM", [ms.Instrument("ABC")], self_trades="cancel_newest")
    simulation.add_agents(ms.agents.Noise(), 2, "noise", owner="crowd", compiled=compiled)
    simulation.add_agent(Queue((10,)), "bidder", owner=owners[0])
    simulation.add_agent(Queue((4,), selling=True, begin="5ms"), "seller", owner=owners[1])
    run = simulation.run()
    traded = not run.trades.empty and "seller" in set(run.trades["taker"])
    assert traded == (owners != ("desk", "desk"))
    end = run.orders[run.orders["agent"] == "seller"].iloc[0]
    assert end["reason"] == ("" if traded else "SELF_TRADE")


def test_a_crowd_of_one_owner_makes_no_trade_of_its_own() -> None:
    def trades(owner: str | None, mode: str) -> Any:
        simulation = ms.Simulation(duration="10s", latency="1us", seed=3)
        simulation.add_venue("XSIM", [ms.Instrument("ABC")], self_trades=mode)
        simulation.add_agents(ms.agents.ZeroIntelligence(rate="5/s"), 4, "crowd", owner=owner)
        simulation.add_agents(ms.agents.ZeroIntelligence(rate="5/s"), 4, "others")
        run = simulation.run()
        inside = run.trades["taker"].str.startswith("crowd") & run.trades["maker"].str.startswith("crowd")
        return int(inside.sum()), len(run.trades)

    assert trades(None, "cancel_oldest")[0] > 0
    assert trades("desk", "allow")[0] > 0
    inside, everything = trades("desk", "cancel_oldest")
    assert inside == 0
    assert everything > 2


def test_owners_are_in_scenario_files() -> None:
    spec = ms.load(
        {
            "duration": "1s",
            "venues": {"X": {"self_trades": "decrement", "allocation": "pro_rata"}},
            "instruments": {"ABC": {}},
            "agents": {"a": {"type": "noise", "owner": "desk"}, "b": {"type": "noise"}},
        }
    ).spec
    assert (spec.agents["a"].owner, spec.agents["b"].owner) == ("desk", None)
    assert ms.load(spec.to_dict()).spec == spec
