"""One strategy class in three places: the simulation, the environment, and outside, through the gateway.

The first two are one run, bit for bit. The third is another run of the same scenario and seed: the agent acts when the
wall clock says so, and what it sends travels through sockets first; everything that does not hang on that must agree.
"""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketsim.agents import AvellanedaStoikov
from marketsim.analysis import accounts
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Quote, Report
from marketsim.domain.order import OrderState
from marketsim.domain.units import SECOND, duration
from marketsim.realtime import Trading, trade
from marketsim.results.journal import JOURNAL, Past
from marketsim.results.run import Run
from marketsim.simulation import load
from marketsim.simulation.live import replay_session
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

pytestmark = pytest.mark.slow
SPEED = 10.0
WARM_UP, TRADED = "20s", "40s"
MARKET = {"duration": "60s", "warm_up": WARM_UP, "seed": 7}
SERVED = {**MARKET, "duration": "10min"}  # the clock goes on while the client connects
SEAT = "trader"
_ENDS = (EventKind.CANCELED, EventKind.EXPIRED, EventKind.REJECTED)


@dataclass
class Pendulum(Agent):
    """Quotes both sides at the touch, and anew at each full second, up to a position. There is no chance in it: what
    it does follows from what it sees.
    """

    quantity: int = 5
    most: int = 20
    wait: str = "0s"
    reports: list[tuple[Report, Order | None]] = field(default_factory=list, init=False)
    quote: Quote | None = field(default=None, init=False)

    def on_start(self) -> None:
        first = (self.now + duration(self.wait)) // SECOND * SECOND + SECOND
        self.at(first, self.swing, first)

    def swing(self, due: int) -> None:
        self.at(due + SECOND, self.swing, due + SECOND)
        self.cancel_all()
        quote = self.quote
        if quote is None or not quote.two_sided:
            return
        if self.position() < self.most:
            self.buy(self.instrument, self.quantity, limit=quote.bid, post_only=True)
        if self.position() > -self.most:
            self.sell(self.instrument, self.quantity, limit=quote.ask, post_only=True)

    def on_quote(self, quote: Quote) -> None:
        self.quote = quote

    def on_report(self, report: Report, order: Order | None) -> None:
        self.reports.append((report, order))


def stoikov() -> AvellanedaStoikov:
    return AvellanedaStoikov(gamma=1, horizon="30s", quantity=20, max_position=100, refresh="200ms")


def simulated(agent: Agent) -> Run:
    """The first place."""
    return load("quickstart", MARKET).add_agent(agent, SEAT).run()


def outside(agent: Agent, folder: Path) -> tuple[Trading, Run]:
    """The third place: the same scenario and seed, served by another process, and the agent on a seat of it."""
    command = [sys.executable, "-m", "marketsim", "serve", "quickstart", "--client", SEAT, "--port", "0", "--limits",
               "off", "--speed", str(SPEED), "--out", str(folder / "run"), "--no-report"]  # fmt: skip
    for name, value in SERVED.items():
        command += ["--set", f"{name}={value}"]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder), "NO_COLOR": "1", "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            url, api_key, secret = welcome(server)
            done = trade(
                agent, url, api_key, secret, duration=TRADED, speed=SPEED, seed=int(MARKET["seed"]), name=SEAT,
                venue="XSIM",
            )  # fmt: skip
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)
    return done, Run.open(folder / "run")


def welcome(server: subprocess.Popen[str]) -> tuple[str, str, str]:
    """Address, API key and secret, as the command prints them."""
    said = ""
    assert server.stdout is not None
    for line in server.stdout:
        said += line
        found = re.search(r"at (http\S+).*api key +(\S+).*secret +(\S+)", said, re.DOTALL)
        if found is not None:
            return found[1], found[2], found[3]
    raise AssertionError(f"the server ended: {said}")


@pytest.fixture(scope="module")
def pendulum_outside(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pendulum, Trading, Run]:
    pytest.importorskip("uvicorn")
    agent = Pendulum()
    done, run = outside(agent, tmp_path_factory.mktemp("served"))
    return agent, done, run


@pytest.fixture(scope="module")
def pendulum_inside() -> Run:
    return simulated(Pendulum(wait=WARM_UP))


@pytest.mark.skipif(
    importlib.util.find_spec("marketsim.gym") is None or importlib.util.find_spec("gymnasium") is None,
    reason="there are no environments here (marketsim.gym with the extra gym)",
)
@pytest.mark.parametrize("strategy", [lambda: Pendulum(wait=WARM_UP), stoikov])
def test_the_environment_is_the_simulation(strategy: Any) -> None:
    from marketsim import gym  # type: ignore[attr-defined,unused-ignore]

    env = gym.MarketMaking(load("quickstart", MARKET), seat=SEAT)
    played = gym.play(env, strategy(), 7)
    plain = simulated(strategy())
    assert played.run.digest == plain.digest
    assert played.info["position"] == accounts(plain)[SEAT].position


def one_end_each(reports: list[Report]) -> dict[int, int]:
    """How many reports end each order."""
    ended = (r for r in reports if (r.kind in _ENDS or r.kind is EventKind.TRADE) and r.leaves == 0)
    return Counter(report.client_order_id for report in ended)


def test_every_order_has_one_end(pendulum_outside: tuple[Pendulum, Trading, Run]) -> None:
    agent, done, _ = pendulum_outside
    assert len(done.orders) > 20
    assert all(order.state.terminal for order in done.orders)
    told = one_end_each([report for report, _ in agent.reports])
    assert set(told.values()) == {1}
    untold = {order.client_order_id for order in done.orders} - told.keys()
    latest = {order.client_order_id for order in done.orders[-4:]}
    assert untold <= latest  # they are canceled behind on_stop, when nobody listens any more


def test_the_portfolio_is_the_account_and_the_log(pendulum_outside: tuple[Pendulum, Trading, Run]) -> None:
    _, done, run = pendulum_outside
    assert done.differences == ()
    assert done.missed == done.reconnections == 0
    logged = run.trades[(run.trades.maker == SEAT) | (run.trades.taker == SEAT)]
    assert len(logged) == len(done.fills) > 3
    assert logged.price.tolist() == [float(fill.price) for fill in done.fills]
    assert logged.quantity.tolist() == [float(fill.quantity) for fill in done.fills]
    assert (logged.maker == SEAT).tolist() == [fill.maker for fill in done.fills]


def test_its_orders_are_in_the_event_log_under_its_seat(pendulum_outside: tuple[Pendulum, Trading, Run]) -> None:
    _, done, run = pendulum_outside
    mine = orders_of(run)
    accepted = [order for order in done.orders if order.state is not OrderState.REJECTED]
    assert sorted(mine[mine.state != "REJECTED"].order_id) == sorted(order.order_id for order in accepted)


def test_the_journal_is_the_session(pendulum_outside: tuple[Pendulum, Trading, Run]) -> None:
    _, _, run = pendulum_outside
    assert run.path is not None
    again = replay_session(run_spec(run), Past(run.path / JOURNAL))
    assert again.digest == run.digest


def run_spec(run: Run) -> Any:
    from marketsim.scenario.spec import ScenarioSpec

    return ScenarioSpec.from_dict(run.manifest.spec)


def test_the_analysis_of_the_run_says_what_the_client_says(pendulum_outside: tuple[Pendulum, Trading, Run]) -> None:
    _, done, run = pendulum_outside
    account = accounts(run)[SEAT]
    ours = done.portfolio
    assert account.position == ours.lots["ABCUSD"]
    assert account.fills == len(done.fills)
    assert account.cash == pytest.approx(float(ours.cash["USD"]), abs=1e-6)
    assert account.fees == pytest.approx(-sum(float(fill.fee) for fill in done.fills), abs=1e-9)
    mark = account.position_value / account.position if account.position else 0.0
    pnl = float(ours.cash["USD"] - ours.initial_cash) + ours.lots["ABCUSD"] * mark
    assert account.pnl == pytest.approx(pnl, abs=1e-6)
    parts = account.spread_capture + account.adverse_selection + account.inventory + account.fees
    assert account.pnl == pytest.approx(parts, abs=1e-6)


def reactions(run: Run) -> np.ndarray:
    """ms of simulated time from each full second to the arrival of the orders that it caused."""
    return orders_of(run).time.to_numpy() % SECOND / 1e6


def orders_of(run: Run) -> Any:
    return run.orders[run.orders.agent == SEAT]


def test_what_may_differ_is_the_latency(pendulum_inside: Run, pendulum_outside: tuple[Pendulum, Trading, Run]) -> None:
    run = pendulum_inside
    _, done, live = pendulum_outside
    table = {"inside": told(run), "outside": told(live)}
    for place, numbers in table.items():
        print(place, numbers)
    print("answers, wall ms:", {verb: (latency.median, latency.p99) for verb, latency in done.latencies.items()})
    # Inside it takes the one-way latency of the network, 0.5 ms at the median; outside the way of a message through
    # event loops and sockets comes on top, SPEED times as long on the market's clock.
    assert 0.2 < table["inside"]["reaction"] < 2.0
    assert table["inside"]["reaction"] < table["outside"]["reaction"] < 50.0 * SPEED
    assert abs(table["inside"]["rounds"] - table["outside"]["rounds"]) <= 5
    # The same decisions from other quotes: both sides at the touch in both places, and an end within its limit.
    for numbers in table.values():
        assert 1.5 <= numbers["orders"] / numbers["rounds"] <= 2.0
        assert abs(numbers["position"]) <= 30  # its limit of 20, and two orders of 5 under way


def told(run: Run) -> dict[str, float]:
    account, delays = accounts(run)[SEAT], reactions(run)
    rounds = len(set(orders_of(run).time // SECOND))
    return {
        "rounds": rounds, "orders": len(delays), "fills": account.fills, "position": account.position,
        "pnl": round(account.pnl, 4), "reaction": float(np.median(delays)),
        "reaction_p99": float(np.quantile(delays, 0.99)),
    }  # fmt: skip


def test_a_ready_market_maker_does_the_same(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    inside = accounts(simulated(stoikov()))[SEAT]
    done, run = outside(stoikov(), tmp_path)
    account = accounts(run)[SEAT]
    print({"inside": (inside.fills, inside.pnl), "outside": (account.fills, account.pnl)}, done.latencies)
    assert done.differences == ()
    assert all(order.state.terminal for order in done.orders)
    assert account.fills == len(done.fills) > 0
    assert abs(account.position) <= 100
    assert account.cash == pytest.approx(float(done.portfolio.cash["USD"]), abs=1e-6)
    assert account.maker_share == 1.0  # its quotes are post-only in both places
    assert replay_session(run_spec(run), Past(tmp_path / "run" / JOURNAL)).digest == run.digest
