"""Risk control in whole markets: digests without it stay, stops cancel and close, firms share their limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

import marketsim as ms
from marketsim.agents.market_maker import MarketMaker
from marketsim.agents.poisson_flow import PoissonFlow
from marketsim.domain.event import EventKind
from marketsim.errors import ConfigurationError, InvalidValueError, ScenarioError
from marketsim.scenario.loader import check

ABC, EUR = ms.Instrument("ABC"), ms.Instrument("DEF", currency="EUR")
GENEROUS = ms.Limits(
    max_order=10**6, max_position=10**6, max_notional=1e12, max_value=1e12, price_collar=0.9, max_rate=(10**6, 10**9),
    max_concentration=1e6, max_leverage=1e6, max_volatility_bps=1e9, max_daily_loss=1.0, max_drawdown=1.0, max_var=1e6,
    max_exposure=1e12, breaker_loss=1.0,
)  # fmt: skip


@dataclass
class Buyer(ms.Agent):
    """Buys a lot each 100 ms whatever happens, and remembers what risk control says."""

    rests: bool = True
    told: list[ms.RiskEvent] = field(default_factory=list, init=False)

    def on_start(self) -> None:
        self.act()

    def act(self) -> None:
        self.buy(self.instrument, 1)
        if self.rests:
            self.buy(self.instrument, 1, limit=9_000)
        self.after("100ms", self.act)

    def on_risk(self, event: ms.RiskEvent) -> None:
        self.told.append(event)


def market(*instruments: ms.Instrument, duration: str = "4s") -> ms.Simulation:
    simulation = ms.Simulation(seed=5, duration=duration)
    simulation.add_venue("XSIM", instruments or (ABC,))
    simulation.add_agents(PoissonFlow(), 3, "crowd", instruments=["ABC"])
    return simulation


def buyer(execution: Any, name: str = "buyer") -> tuple[Buyer, Any]:
    session = execution.world.sessions[name]
    return session.agent, session


def test_limits_that_are_never_near_change_nothing_but_the_scenario() -> None:
    """Timers, marks and checks leave no trace in the events."""

    def digest(**terms: Any) -> str:
        simulation = market()
        simulation.add_agent(MarketMaker(), "maker", **terms).add_agent(Buyer(), "buyer", **terms)
        if terms:
            simulation.limit_all(GENEROUS)
        return simulation.run().digest

    assert digest() == digest(limits=GENEROUS)


@pytest.mark.parametrize("flatten", [False, True])
def test_a_kill_switch_cancels_all_and_closes(flatten: bool) -> None:
    simulation = market().add_agent(Buyer(), "buyer").kill_switch("2s", "buyer", flatten=flatten)
    execution = simulation.start()
    execution.advance("1999ms")
    me, session = buyer(execution)
    held = me.position()
    assert held >= 5
    assert len(me.orders()) >= 10
    execution.advance("3500ms")
    assert me.orders() == []
    assert me.position() == (0 if flatten else pytest.approx(held, abs=2))
    assert session.guard.stopped
    run = execution.run()
    risk = run.risk
    assert risk["severity"].tolist()[0] == "critical"
    assert risk["rule"].tolist()[0] == "kill_switch"
    assert (risk["rule"].tolist()[1:]) == ["hold"] * (len(risk) - 1)
    assert [event.text for event in me.told] == risk["text"].tolist()
    late = run.orders[run.orders["time"] > 2_001_000_000]
    assert len(late) > 10, "the others go on"
    assert "buyer" not in set(late["agent"])


def test_a_kill_switch_for_everybody_and_for_a_while() -> None:
    simulation = market().add_agents(Buyer(), 2, "buyer").kill_switch("1s", duration="1s")
    run = simulation.run()
    stops = run.risk[run.risk["rule"] == "kill_switch"]
    assert stops["agent"].tolist() == ["buyer.0", "buyer.1"] * 2
    assert stops["action"].tolist() == ["stop", "stop", "resume", "resume"]
    mine = run.orders[run.orders["agent"].str.startswith("buyer")]
    second = (mine["time"] - run.start) // 1_000_000_000
    assert set(second) == {0, 2, 3}, "nothing in the second between"


def test_a_market_maker_waits_while_it_is_stopped_and_quotes_again() -> None:
    """Otherwise it would ask in vain at each change of the market."""
    run = market().add_agent(MarketMaker(), "maker").kill_switch("1s", duration="1s").run()
    assert run.risk["action"].tolist() == ["stop", "resume"], "nothing was refused between"
    mine = run.orders[run.orders["agent"] == "maker"]
    assert set((mine["time"] - run.start) // 1_000_000_000) == {0, 2}


def test_an_emergency_stop_by_hand_and_its_end() -> None:
    execution = market().add_agent(Buyer(), "buyer").start()
    execution.advance("1s")
    execution.emergency_stop(flatten=True, text="the phone rang")
    execution.advance("2s")
    me, _ = buyer(execution)
    assert (me.position(), me.orders()) == (0, [])
    execution.resume_trading("buyer")
    execution.advance("3s")
    assert me.position() > 0
    with pytest.raises(InvalidValueError, match=r"no agent 'buyr' is run by Python; did you mean \"buyer\""):
        execution.emergency_stop("buyr")
    assert execution.run().risk["text"].tolist()[0] == "the phone rang"


def test_a_strategy_that_loses_is_flattened_and_the_same_twice() -> None:
    """It pays the spread each time, and the price of a thin book moves against it when it closes."""

    def run(stepped: bool) -> ms.Run:
        simulation = ms.Simulation(seed=5, duration="4s", stepped=stepped)
        simulation.add_venue("XSIM", (ABC,), taker_fee="10bps")
        simulation.add_agents(PoissonFlow(), 3, "crowd")
        limits = ms.Limits(max_daily_loss_money=1, on_breach="flatten", every="100ms")
        return simulation.add_agent(Buyer(rests=False), "buyer", limits=limits).run()

    first = run(False)
    assert first.digest == run(True).digest
    stop = first.risk[first.risk["action"] == "flatten"]
    assert stop["rule"].tolist() == ["daily_loss"]
    assert stop["value"].item() > 1
    assert ms.analysis.accounts(first).table.loc["buyer", "position"] == 0


def test_a_firm_holds_its_limit_together() -> None:
    simulation = market().add_agents(Buyer(rests=False), 3, "buyer").limit_all(ms.Limits(max_position=7), "buyer")
    execution = simulation.start()
    for step in range(1, 8):
        execution.advance(f"{step * 500}ms")
        assert sum(buyer(execution, f"buyer.{n}")[0].position() for n in range(3)) <= 7
    run = execution.run()
    assert sum(ms.analysis.accounts(run).table.filter(like="buyer", axis=0)["position"]) == 7
    refused = run.risk[run.risk["action"] == "refuse"]
    assert set(refused["scope"]) == {"firm"}
    assert set(refused["agent"]) == {"buyer.0", "buyer.1", "buyer.2"}
    assert set(refused["allowed"]) == {0}


def test_a_loss_of_the_firm_stops_every_strategy_of_it_until_all_is_resumed() -> None:
    simulation = ms.Simulation(seed=5, duration="4s")
    simulation.add_venue("XSIM", (ABC,), taker_fee="10bps")
    simulation.add_agents(PoissonFlow(), 3, "crowd")
    simulation.add_agents(Buyer(rests=False), 2, "buyer").add_agent(Buyer(rests=False), "free")
    simulation.limit_all(ms.Limits(max_daily_loss_money=1, every="100ms"), ["buyer"])
    execution = simulation.start()
    execution.advance("3s")
    guards = {name: session.guard for name, session in execution.world.sessions.items()}
    assert {name: guard.stopped for name, guard in guards.items()} == {"buyer.0": True, "buyer.1": True, "free": False}
    execution.resume_trading("buyer")
    assert guards["buyer.0"].stopped, "a stop of the firm is not one agent's to lift"
    execution.resume_trading()
    assert not guards["buyer.0"].stopped
    execution.discard()


def test_a_driven_agent_is_stopped_as_any_other() -> None:
    simulation = market()
    simulation.add_agent(PoissonFlow(), "driven", compiled=False).kill_switch("2s", "driven", flatten=True)
    run = simulation.run()
    mine = run.events[run.events["owner"] == next(a.number for a in run.manifest.agents if a.name == "driven")]
    late = mine[mine["time"] > run.start + 3_000_000_000]
    assert not (late["kind"] == EventKind.ACCEPTED).any()
    assert ms.analysis.accounts(run).table.loc["driven", "position"] == 0


def test_what_is_checked_before_anything_runs() -> None:
    base = market().spec.to_dict()
    makers = {"agents.maker": {"type": "market_maker", "quantity": 100, "inventory_target": 50}}
    for changes, said in (
        ({**makers, "agents.maker.limits": {"max_order": 60}}, "60 lots are less than its quantity of 100: raise it"),
        ({**makers, "agents.maker.limits": {"max_position": 40}}, "40 lots are less than its inventory_target of 50"),
        (
            {"risk": {"agents": ["crowd"], "max_order": 5}},
            "crowd is compiled and has no risk checks",
        ),
        ({"risk": "default"}, "no agent is run by Python, and only those have risk checks"),
        ({"timeline": [{"at": "1s", "type": "kill_switch", "agent": "crowd"}]}, "crowd is compiled"),
        ({"agents.crowd.limits": "default"}, "poisson_flow is compiled and has no risk checks"),
    ):
        with pytest.raises(ScenarioError, match=said):
            check(base, changes)
    check(base, {**makers, "agents.maker.limits": {"max_order": 100, "max_position": 100}, "risk": "default"})


def test_limits_of_equity_need_one_currency() -> None:
    simulation = market(ABC, EUR)
    simulation.add_agent(Buyer(), "buyer", limits=ms.Limits(max_drawdown=0.1))
    with pytest.raises(ConfigurationError, match=r"agents\.buyer\.limits: money is in EUR and USD"):
        simulation.start()
    alone = market(ABC, EUR).add_agent(Buyer(), "buyer", limits="default", instruments=["ABC"])
    alone.start().discard()


def test_limits_are_the_same_in_python_and_in_a_file() -> None:
    limits = ms.Limits(max_order=5, max_rate=(3, 250_000_000), max_drawdown=0.2, on_breach={"drawdown": "flatten"})
    spec = market().add_agent(Buyer(), "buyer", limits=limits).limit_all("default", "buyer").spec
    assert spec.agents["buyer"].limits is not None
    assert spec.agents["buyer"].limits.limits() == limits
    assert spec.agents["buyer"].limits.to_dict()["max_rate"] == "3/250ms"
    assert ms.ScenarioSpec.from_dict(spec.to_dict()) == spec
    assert spec.risk is not None
    assert spec.risk.limits() == ms.Limits.default()
