"""A compiled agent driven from Python is the same agent: equal logs and memories, whatever it is, whoever is near."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

import marketsim as ms
from marketsim.agents.noise import Noise
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce
from marketsim.errors import AgentError, ConfigurationError, InvalidValueError, ScenarioError
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.agent import CompiledAgent
from marketsim.population.driver import Driver
from marketsim.population.policy import (
    QUOTES,
    TRADES,
    Policy,
    ask_quote,
    ask_volume,
    cancel,
    cancel_all,
    cancel_lots,
    find_working,
    limit_order,
    market_order,
    place,
    subscribe,
    timer_at,
    wake_at,
    watch_imbalance,
)
from marketsim.results.lobster import to_lobster
from marketsim.scenario.loader import check
from marketsim.scenario.registry import REGISTRY
from tests.population.puppets import KEPT, START, TIMER, WAKE, Broken, Greedy, Hasty, Puppet, write

INSTRUMENT = ms.Instrument("ABC")
GRIDS = ["1ns", "1ms"]
REPORT = int(Kind.REPORT)
ACCEPTED, REJECTED = REPORT + 1, REPORT + 8
LIMIT, MARKET, POST_ONLY = int(OrderType.LIMIT), int(OrderType.MARKET), int(OrderFlag.POST_ONLY)
GTC, GTD, IOC, RISK = int(TimeInForce.GTC), int(TimeInForce.GTD), int(TimeInForce.IOC), int(Reason.RISK)
RATES: dict[str, dict[str, Any]] = {"poisson_flow": {"limit_rate": 1, "market_rate": 1, "cancel_rates": (0.5, 0.2)}}
_UNITS = {"values": (103, 97), "steps": 9, "period": "5s", "rate": 2}
RATES |= {name: {"side": "buy", **_UNITS} for name in ("aa", "auction_sniper", "giveaway")}
RATES |= {name: {"side": "sell", **_UNITS} for name in ("gd", "shaver", "zip")}


@compiled
def fingerprint(seen: Record) -> int:
    """Everything that a policy is shown, but for the order's number, which is each session's own."""
    known = int(100 * seen.value) if seen.value == seen.value else -1
    note: int = (
        seen.side
        + 3 * seen.price
        + 5 * seen.quantity
        + 7 * seen.leaves
        + 11 * seen.reason
        + 13 * seen.maker
        + 17 * seen.tag
        + 19 * seen.bid
        + 23 * seen.bid_quantity
        + 29 * seen.ask
        + 31 * seen.ask_quantity
        + 37 * seen.last_price
        + 41 * seen.position
        + 43 * seen.cash
        + 47 * seen.market
        + 53 * seen.agent
        + 59 * known
    )
    return note


@compiled
def curious_policy(me: Record, seen: Record, out: Record) -> int:
    """Ask for all that there is, and send good, bad and impossible requests in turn; note everything that is seen."""
    write(me, seen, fingerprint(seen))
    if seen.kind == START:
        subscribe(out, QUOTES + TRADES)
        ask_volume(out, 1_000_000_000)
        watch_imbalance(out, 0.55)
        timer_at(out, seen.now, 0)
    elif seen.kind == TIMER:
        timer_at(out, seen.now + 37_000_000, seen.tag + 1)
        try_something(me, seen, out)
    elif seen.kind == WAKE:
        market_order(out, 1 if me.calls % 2 else -1, 2)
    return 0


@compiled
def try_something(me: Record, seen: Record, out: Record) -> None:
    turn = seen.tag % 9
    if turn == 0:
        me.amount = limit_order(out, 1, 9_990, 5)
        cancel_lots(out, me.amount, 2)
    elif turn == 1:
        cancel(out, me.amount)
        cancel(out, me.amount)
        wake_at(out, seen.now + 500_001)
    elif turn == 2:
        cancel(out, me.amount)  # it is over
        cancel(out, 0)
    elif turn == 3:
        place(out, 7, LIMIT, GTC, 0, 10_000, 1)
        place(out, 300, LIMIT, GTC, 0, 10_000, 1)
        place(out, 1, 99, GTC, 0, 10_000, 1)
        place(out, -1, LIMIT, 0, 0, 10_000, 1)
        place(out, -1, LIMIT, GTC, 64, 10_000, 1)
        place(out, 1, MARKET, IOC, POST_ONLY, 0, 1)
        place(out, 1, LIMIT, GTD, 0, 10_000, 1)
        limit_order(out, -1, 1 << 60, 1)
        limit_order(out, 1, 10_000, -1)
        cancel(out, limit_order(out, -1, 10_200, 0))
    elif turn == 4:
        ask_quote(out)
        ask_volume(out, 1_000_000_000)
    elif turn == 5:
        for step in range(200):
            limit_order(out, 1, 9_000 + step, 1)
    elif turn == 6:
        limit_order(out, -1, 10_300, find_working(out, me.amount).leaves + 1)
    elif turn == 7:
        cancel_all(out)
    else:
        wake_at(out, seen.now)
        wake_at(out, seen.now + 2_000_000)


class Curious(Puppet):
    policy: ClassVar[Policy] = staticmethod(curious_policy)


def family(name: str, tape: Path | None = None) -> CompiledAgent | None:
    """A compiled type that ships, of any name."""
    kind = REGISTRY.resolve("agent", name)
    if not issubclass(kind, CompiledAgent):
        return None
    if name == "replay":
        return None if tape is None else kind(path=str(tape))  # type: ignore[call-arg]
    return kind(**RATES.get(name, {}))


def everyone(tape: Path) -> dict[str, CompiledAgent]:
    """One agent of each compiled type that ships."""
    found = {name: family(name, tape) for name in REGISTRY.names("agent")}
    return {name: agent for name, agent in found.items() if agent is not None}


class Watcher(ms.Agent):
    """A Python agent that trades on what it hears."""

    def on_quote(self, quote: ms.Quote) -> None:
        """Join the bid, now and then."""
        if quote.two_sided and not self.orders():
            self.buy(quote.instrument, 1, limit=quote.bid)
            self.after("300ms", self.cancel_all)


def market(
    agents: dict[str, CompiledAgent],
    driven: set[str],
    *,
    grid: str = "1ns",
    seconds: int = 60,
    count: int = 4,
    instruments: tuple[ms.Instrument, ...] = (INSTRUMENT,),
    computation: str = "2ms",
) -> ms.Simulation:
    """Families of agents, some of them driven; latencies and computation delays make them wait for themselves."""
    latency = ms.LogNormal(median="400us", sigma=0.6)
    simulation = ms.Simulation(7, f"{seconds}s", start="09:30", grid=grid, latency=latency)
    simulation.add_venue("XSIM", instruments, processing="3us").add_feed("value", ms.MeanReverting())
    simulation.add_agent(Watcher(), "watcher", computation="1ms")
    for name, agent in agents.items():
        members = 1 if name == "replay" else count
        simulation.add_agents(agent, members, name, computation=computation, compiled=name not in driven)
    return simulation


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of recorded orders."""
    simulation = ms.Simulation(5, "60s", start="09:30").add_venue(instruments=[INSTRUMENT])
    folder = tmp_path_factory.mktemp("tape")
    to_lobster(simulation.add_agents(Noise(rate="1/s"), 20, "noise").run(), folder, levels=50)
    return folder


@pytest.mark.parametrize("grid", GRIDS)
def test_all_of_them_driven_write_the_same_bytes(tape: Path, grid: str) -> None:
    agents = everyone(tape)
    assert {"noise", "fundamental", "momentum", "poisson_flow", "zero_intelligence", "replay"} <= agents.keys()
    alone = market(agents, set(), grid=grid).run()
    driven = market(agents, set(agents), grid=grid).run()
    assert driven.digest == alone.digest
    assert len(alone.events) > 2_000
    senders = set(alone.events["owner"].tolist())
    assert len(senders) > len(agents), "families that do nothing prove nothing"


@pytest.mark.parametrize("grid", GRIDS)
def test_driven_and_compiled_agents_mix(tape: Path, grid: str) -> None:
    agents = everyone(tape)
    alone = market(agents, set(), grid=grid, seconds=20).run()
    assert market(agents, set(list(agents)[::2]), grid=grid, seconds=20).run().digest == alone.digest
    assert market(agents, set(list(agents)[1::2]), grid=grid, seconds=20).run().digest == alone.digest


def test_several_markets_are_given_out_in_the_same_turn() -> None:
    two = (INSTRUMENT, ms.Instrument("XYZ", reference_price=Decimal(50)))
    agents: dict[str, CompiledAgent] = {"noise": Noise(rate="1/s")}
    runs = [market(agents, driven, seconds=20, count=5, instruments=two).run() for driven in (set(), {"noise"})]
    assert runs[0].digest == runs[1].digest
    assert [a.number for a in runs[0].manifest.agents] == [a.number for a in runs[1].manifest.agents]


def memories(name: str, agent: CompiledAgent, *, driven: bool, **terms: Any) -> tuple[str, Any, tuple[int, int]]:
    """Digest, and what the first agent of a family remembers at the end: its record, and its position and cash."""
    crowd: dict[str, CompiledAgent] = {"noise": Noise(rate="3/s")}
    simulation = market({**crowd, name: agent}, {name} if driven else set(), **terms)
    execution = simulation.start()
    execution.advance("15s")
    world = execution.world
    if driven:
        mind = world.sessions[f"{name}.0"].agent.mind  # type: ignore[attr-defined]
        record, account = mind.state.copy(), (mind.position, mind.cash)
    else:
        record = world.engine.state(world.populations[name][0])[0].copy()
        row = world.engine.accounts()[execution.world.engine.names.index(f"{name}.0")]
        account = int(row["position"]), int(row["cash"])
    return execution.finish().digest, record, account


@pytest.mark.parametrize("grid", GRIDS)
def test_it_sees_and_remembers_the_same(grid: str) -> None:
    """Also what a venue refuses, what is over, more orders than its tables first hold, and being late for itself."""
    terms: dict[str, Any] = {"grid": grid, "seconds": 15, "count": 3}
    digest, compiled_record, account = memories("curious", Curious(), driven=False, **terms)
    again, driven_record, driven_account = memories("curious", Curious(), driven=True, **terms)
    assert driven_record["calls"] == compiled_record["calls"] > 1_000
    for name in ("kinds", "times", "notes"):
        assert driven_record[name].tolist() == compiled_record[name].tolist()
    assert (driven_account, again) == (account, digest)
    kinds = set(compiled_record["kinds"][: min(KEPT, int(compiled_record["calls"]))].tolist())
    assert {int(kind) for kind in (Kind.QUOTE, Kind.TRADE_PRINT, Kind.VOLUME, Kind.IMBALANCE)} <= kinds
    assert {REPORT + number for number in (1, 3, 4, 8, 9)} <= kinds


@dataclass
class Own(ms.CompiledAgent):
    """What a user writes."""

    pause: int | str = field(default="200ms", metadata={"unit": "duration", "help": "between orders"})
    side: int = field(init=False, default=1)

    @ms.policy
    def act(me: Record, seen: Record, out: Record) -> int:
        """Buy and sell in turn."""
        if seen.kind == WAKE:
            market_order(out, me.side, 1)
            me.side = -me.side
        if seen.kind == START or seen.kind == WAKE:
            wake_at(out, seen.now + me.pause)
        return 0


def test_a_users_own_is_driven_too() -> None:
    compiled_run, driven_run = (memories("own", Own(), driven=driven, seconds=15) for driven in (False, True))
    assert driven_run[0] == compiled_run[0]
    assert driven_run[1] == compiled_run[1]


@pytest.mark.parametrize("name", sorted(REGISTRY.names("agent")))
def test_each_type_remembers_the_same(name: str) -> None:
    agent = family(name)
    if agent is None:
        return  # written in Python, or the tape, which has no numbers but its place
    terms: dict[str, Any] = {"seconds": 15, "count": 2}
    compiled_run, driven_run = (memories(name, agent, driven=driven, **terms) for driven in (False, True))
    assert driven_run[0] == compiled_run[0]
    assert driven_run[2] == compiled_run[2]
    assert driven_run[1].tobytes() == compiled_run[1].tobytes()


def report() -> None:
    """What another process prints."""
    agents: dict[str, CompiledAgent] = {"noise": Noise(rate="2/s"), "curious": Curious()}
    print(market(agents, {"curious"}, seconds=2, count=2).run().digest)


@pytest.mark.slow
def test_plain_python_drives_to_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    code = "from tests.population.test_driver import report; report()"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    report()
    assert done.stdout == capsys.readouterr().out
    agents: dict[str, CompiledAgent] = {"noise": Noise(rate="2/s"), "curious": Curious()}
    assert market(agents, set(), seconds=2, count=2).run().digest == done.stdout.strip()


@compiled
def reckless_policy(me: Record, seen: Record, out: Record) -> int:
    """Orders with codes that there are not, one after the other; notes reason and side of what comes back."""
    write(me, seen, 10 * seen.reason + seen.side)
    if seen.kind == START:
        place(out, 0, LIMIT, GTC, 0, 100, 1)
        place(out, 300, LIMIT, GTC, 0, 100, 1)
        place(out, 1, 12, GTC, 0, 100, 1)
        place(out, -1, LIMIT, 9, 0, 100, 1)
        place(out, 1, LIMIT, GTC, 2, 100, 1)
    return 0


class Reckless(Puppet):
    policy: ClassVar[Policy] = staticmethod(reckless_policy)


@pytest.mark.parametrize("driven", [False, True])
def test_codes_that_there_are_not_are_rejected(driven: bool) -> None:
    """Nobody else hears of them, and the policy gets the reject that any other order would get."""
    execution = market({"reckless": Reckless()}, {"reckless"} if driven else set(), seconds=1, count=2).start()
    execution.advance("900ms")
    world = execution.world
    if driven:
        state = world.sessions["reckless.0"].agent.mind.state  # type: ignore[attr-defined]
    else:
        state = world.engine.state(world.populations["reckless"][0])[0]
    assert state["kinds"][:6].tolist() == [START, *[REJECTED] * 5]
    assert state["notes"][1:6].tolist() == [10 * Reason.INVALID_INSTRUCTION + side for side in (0, 0, 1, -1, 1)]
    rows = execution.finish().events
    assert set(rows["kind"].tolist()) == {8}
    assert set(rows["order_type"].tolist()) == {0}


def alone(agent: CompiledAgent, seconds: int = 10, **terms: Any) -> ms.Simulation:
    """One driven agent in an empty market."""
    simulation = ms.Simulation(1, f"{seconds}s").add_venue(instruments=[INSTRUMENT])
    return simulation.add_agent(agent, "it", compiled=False, **terms)


@compiled
def modest_policy(me: Record, seen: Record, out: Record) -> int:
    """Three bids of 4 lots; notes reasons, and how many it knows to be open."""
    if seen.kind == START:
        for _ in range(3):
            limit_order(out, 1, 100, 4)
    open_orders = 0
    if seen.kind >= REPORT:
        open_orders = find_working(out, seen.order_id).leaves
    write(me, seen, 1_000 * seen.reason + open_orders)
    return 0


class Modest(Puppet):
    policy: ClassVar[Policy] = staticmethod(modest_policy)


def test_it_keeps_within_its_limits() -> None:
    """A refusal by its own risk checks reaches the policy as a reject, before any venue has spoken."""
    execution = alone(Modest(), limits=ms.Limits(max_position=9), latency="1ms").start()
    run = execution.run()
    state = execution.world.sessions["it"].agent.mind.state  # type: ignore[attr-defined]
    assert state["kinds"][:4].tolist() == [START, REJECTED, ACCEPTED, ACCEPTED]
    assert state["notes"][:4].tolist() == [0, 1_000 * RISK, 4, 4]
    assert state["times"][:4].tolist() == [0, 0, 2_000_000, 2_000_000]
    assert len(run.orders) == 2


def test_a_policy_that_fails_is_blamed() -> None:
    with pytest.raises(AgentError, match=r"it: its compiled policy raised an exception.* 00:00:05"):
        alone(Broken()).run()
    with pytest.raises(AgentError, match="asked for more than 1024 things at once"):
        alone(Greedy(amount=1025)).run()


def test_a_policy_that_lets_no_time_pass_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    execution = alone(Hasty()).start()
    mind = execution.world.sessions["it"].agent.mind  # type: ignore[attr-defined]
    execution.advance(1_000_000_000)
    mind._account.rows["called_at"], mind._account.rows["calls"] = 1_000_000_000, 9_990
    with pytest.raises(
        AgentError, match=r"woke or asked for something 10,000 times at 00:00:01\.000000000 and time does not advance"
    ):
        execution.run()


def test_it_is_no_python_agent_to_the_timeline() -> None:
    simulation = alone(Noise()).set_parameter("1s", "it", "rate", "5/s")
    with pytest.raises(ConfigurationError, match="parameters of compiled agents are fixed in a run"):
        simulation.run()
    driver = alone(Noise(quantity=7)).start().world.sessions["it"].agent
    assert isinstance(driver, Driver)
    assert driver.parameters()["quantity"] == 7
    with pytest.raises(InvalidValueError, match=r"it: the parameters of a compiled agent are fixed.* choose quantity"):
        driver.set(quantity=3)


SCENARIO: dict[str, Any] = {
    "duration": "5s",
    "venues": {"XSIM": {}},
    "instruments": {"ABC": {}},
    "agents": {"noise": {"type": "noise", "count": 10, "rate": "2/s"}, "mm": {"type": "market_maker"}},
}


def test_a_scenario_says_so() -> None:
    said = {**SCENARIO, "agents": {**SCENARIO["agents"], "noise": {**SCENARIO["agents"]["noise"], "compiled": False}}}
    compiled_run, driven = (ms.load(scenario).start() for scenario in (SCENARIO, said))
    assert not compiled_run.world.sessions.keys() & {"noise.0"}
    assert isinstance(driven.world.sessions["noise.0"].agent, Driver)
    assert compiled_run.run().digest == driven.run().digest


def test_what_holds_without_saying_is_not_written() -> None:
    spec = check(SCENARIO)
    assert check(SCENARIO, {"agents.noise.compiled": True}).fingerprint() == spec.fingerprint()
    assert check(SCENARIO, {"agents.noise.compiled": False}).to_dict()["agents"]["noise"]["compiled"] is False


def test_a_python_agent_is_not_compiled_in_the_first_place() -> None:
    with pytest.raises(ScenarioError, match=r"agents\.mm\.compiled: market_maker is written in Python"):
        check(SCENARIO, {"agents.mm.compiled": False})
    simulation = ms.Simulation(1, "1s").add_venue(instruments=[INSTRUMENT])
    with pytest.raises(ConfigurationError, match=r"agents\.watcher\.compiled: .* is written in Python"):
        simulation.add_agent(Watcher(), "watcher", compiled=False).run()


def test_limits_that_nobody_would_check_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"agents\.noise\.limits: noise is compiled and has no risk checks"):
        check(SCENARIO, {"agents.noise.limits": {"max_order": 5}})
    check(SCENARIO, {"agents.noise.limits": {"max_order": 5}, "agents.noise.compiled": False})
    simulation = ms.Simulation(1, "1s").add_venue(instruments=[INSTRUMENT])
    with pytest.raises(ConfigurationError, match=r"agents\.noise\.limits: .* run it with compiled=False"):
        simulation.add_agent(Noise(), "noise", limits=ms.Limits(max_order=5)).run()
