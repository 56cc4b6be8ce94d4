"""Rebalancing: weights by hand, calendar and band, what is not worth its cost, and targets that cannot be held."""

from __future__ import annotations

from typing import Any

import pytest

import marketsim as ms
from marketsim.agents.rebalancer import Rebalancer
from marketsim.errors import InvalidValueError, ScenarioError
from marketsim.scenario.loader import check

SECOND = 1_000_000_000


class Wall(ms.Agent):
    """Stands a tick on both sides of 100; XYZ moves up by 20 at 5 s."""

    def on_start(self) -> None:
        for instrument in self.instruments:
            self.stand(instrument, 10_000)
        self.at(self.now + 5 * SECOND, self.move)

    def stand(self, instrument: ms.Instrument, middle: int) -> None:
        self.buy(instrument, 100_000, limit=middle - 1)
        self.sell(instrument, 100_000, limit=middle + 1)

    def move(self) -> None:
        xyz = self.instruments[1]
        self.cancel_all(xyz)
        self.after("10ms", self.stand, xyz, 12_000)


def market(seconds: int = 10, taker: str = "0bps", **terms: Any) -> tuple[Any, Rebalancer]:
    """After one run, and the agent as it was at the end."""
    simulation = ms.Simulation(duration=f"{seconds}s")
    simulation.add_venue("X", [ms.Instrument("ABC"), ms.Instrument("XYZ")], taker_fee=taker)
    simulation.add_agent(Wall(), "wall")
    given = {"weights": {"ABC": 0.4, "XYZ": 0.4}, "interval": "1min", "look": "1s", **terms}
    simulation.add_agent(Rebalancer(**given), "fund", latency="1ms", cash=100_000)
    execution = simulation.start()
    execution.advance(execution.spec.end)
    agent = execution.world.sessions["fund"].agent
    return execution.finish(), agent


def trades_of(run: Any) -> list[tuple[int, str, int]]:
    """Seconds, symbol and signed lots."""
    mine = run.trades[run.trades["taker"] == "fund"]
    return [
        (round(time / SECOND), symbol, int(side * lots))
        for time, symbol, side, lots in mine[["time", "instrument", "side", "quantity"]].to_numpy()
    ]


def test_the_first_look_buys_the_weights() -> None:
    """0.4 of 100,000 at a mid of 100: 400 lots of each; a half spread of 0.01 on each lot."""
    run, fund = market(4)
    assert trades_of(run) == [(1, "ABC", 400), (1, "XYZ", 400)]
    assert fund.traded == pytest.approx(80_000)
    assert fund.costs == pytest.approx(8.0)
    assert fund.worth() == pytest.approx(100_000 - 8)
    assert fund.shares() == pytest.approx({"ABC": 0.4, "XYZ": 0.4}, abs=1e-4)


def test_a_drift_out_of_the_band_is_traded_back_to_the_target() -> None:
    """XYZ at 120: worth 48,000 of 107,992, weight .444; target 43,197 is 360 lots, and of ABC 432 lots."""
    run, fund = market(band=0.03)
    assert trades_of(run)[2:] == [(6, "XYZ", -40), (6, "ABC", 32)]
    assert fund.shares() == pytest.approx({"ABC": 0.4, "XYZ": 0.4}, abs=1e-3)
    assert fund.rebalancings == 2


def test_or_only_to_the_edge_of_the_band() -> None:
    """It begins with weights of .37. At 120 XYZ has .413, in the band; ABC .3445 of 107,393: 27 lots make it .37."""
    run, fund = market(band=0.03, to="band")
    assert trades_of(run) == [(1, "ABC", 370), (1, "XYZ", 370), (6, "ABC", 27)]
    assert fund.shares() == pytest.approx({"ABC": 0.37, "XYZ": 0.4134}, abs=1e-3)


def test_within_the_band_or_without_one_it_waits_for_its_calendar() -> None:
    assert len(trades_of(market(band=0.05)[0])) == 2
    run, fund = market(12, interval="8s")
    assert trades_of(run)[2:] == [(8, "XYZ", -40), (8, "ABC", 32)]
    assert fund.rebalancings == 2


def test_what_is_not_worth_its_cost_is_left() -> None:
    """Half a spread of .01 on 100 is 1 bp, the fee another 3."""
    assert trades_of(market(4, "3bps", most_cost=0.00039)[0]) == []
    assert len(trades_of(market(4, "3bps", most_cost=0.00041)[0])) == 2
    assert len(trades_of(market(band=0.03, smallest=0.04)[0])) == 3, "of ABC only .03 would be moved"


def test_it_tells_how_well_it_tracked() -> None:
    run, _ = market(band=0.03)
    (said,) = run.annotations[run.annotations["key"] == "tracking"]["value"]
    assert said.startswith("drift 0.0")
    assert "2 rebalancings, turnover 0.8" in said


class Thin(ms.Agent):
    """Offers 150 lots at 100.01, and as many again every 2 s; nobody sells more."""

    def on_start(self) -> None:
        self.buy(self.instrument, 100_000, limit=9_999)
        self.every("2s", self.offer)

    def offer(self) -> None:
        self.sell(self.instrument, 150, limit=10_001)


@pytest.mark.parametrize("terms", [{}, {"band": 0.05}, {"band": 0.001, "to": "band"}])
def test_what_found_nobody_is_traded_at_the_next_looks(terms: dict[str, Any]) -> None:
    """0.4 of 100,000 are 400 lots: 150 at the looks of 3 s and 4 s, nobody at 5 s, the rest at 6 s."""
    simulation = ms.Simulation(duration="12s")
    simulation.add_venue("X", [ms.Instrument("ABC")])
    simulation.add_agent(Thin(), "thin")
    fund = Rebalancer({"ABC": 0.4}, **{"interval": "1min", "look": "1s", **terms})
    simulation.add_agent(fund, "fund", latency="1ms", cash=100_000)
    execution = simulation.start()
    execution.advance(execution.spec.end)
    agent = execution.world.sessions["fund"].agent
    run = execution.finish()
    whole = 399 if "to" in terms else 400
    bought = [lots for _, _, lots in trades_of(run)]
    assert bought == [150, 150, whole - 300]
    assert agent.rebalancings == 1
    assert agent.traded == pytest.approx(whole * 100, rel=1e-4), "not what was asked for in vain"
    assert agent.costs == pytest.approx(whole * 0.01, rel=1e-2)
    assert len(run.orders[run.orders["agent"] == "fund"]) <= 4


BAD = [
    ({"weights": {"ABC": 0.7, "XYZ": 0.4}}, "weights: together 1.1, more than the whole portfolio"),
    ({"weights": {"ABC": -0.1}}, "weights: ABC: -0.1 must be a number from 0 to 1"),
    ({"weights": {}}, "weights: {} names no instrument"),
    ({"weights": {"ABC": 0.5}, "interval": None}, "interval: neither it nor band is given"),
    ({"weights": {"ABC": 0.5}, "to": "band"}, "to: there is no band to trade back to"),
    ({"weights": {"ABC": 0.5}, "interval": "1s", "look": "2s"}, "interval: 1000000000 ns is shorter than look"),
    ({"weights": {"ABC": 0.5}, "band": 2}, "band: 2 must be from 0 to 1"),
]


@pytest.mark.parametrize(("terms", "message"), BAD)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Rebalancer(**terms)
    assert str(caught.value).startswith(message)


def test_a_scenario_is_refused_before_it_runs() -> None:
    def scenario(weights: dict[str, float]) -> dict[str, Any]:
        fund = {"type": "rebalancer", "weights": weights}
        return {"duration": "1s", "venues": {"X": {}}, "instruments": {"ABC": {}}, "agents": {"fund": fund}}

    check(scenario({"ABC": 1.0}))
    for weights, message in (({"ABC": 1.2}, "weights: ABC: 1.2 must be"), ({"ABD": 0.5}, 'called "ABD"; did you mean')):
        with pytest.raises(ScenarioError) as caught:
            check(scenario(weights))
        assert message in str(caught.value)
    poor = scenario({"ABC": 1.0})
    poor["agents"]["fund"]["cash"] = 0
    with pytest.raises(ScenarioError, match=r"agents\.fund\.cash: the weights are shares of its value"):
        check(poor)
