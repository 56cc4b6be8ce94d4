"""What a Python agent may ask of a market beside subscribing to it, and when it is called: on the grid, in turn."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise
from typing import Any

import pytest

import marketsim as ms
from marketsim.agents.noise import Noise
from marketsim.domain.market_data import Imbalance, Quote, Volume
from marketsim.domain.order import Side
from marketsim.domain.units import MICROSECOND, MILLISECOND, SECOND
from marketsim.errors import AgentError

ABC = ms.Instrument("ABC")


class Asker(ms.Agent):
    """Asks for quotes and volume every second, and watches the balance of the book."""

    def subscriptions(self) -> dict[str, bool]:
        """It only asks."""
        return {}

    def on_start(self) -> None:
        """Let the venue remember trades."""
        self.quotes: list[tuple[int, Quote]] = []
        self.volumes: list[tuple[int, Volume]] = []
        self.imbalances: list[tuple[int, Imbalance]] = []
        self.ask_volume("3s")
        self.subscribe(imbalance=0.55)
        self.subscribe(imbalance=0.55)
        self.every("1s", self.ask)

    def ask(self) -> None:
        """What is it like?"""
        self.ask_quote()
        self.ask_volume("3s")

    def on_quote(self, quote: Quote) -> None:
        """Remember an answer."""
        self.quotes.append((self.now, quote))

    def on_volume(self, volume: Volume) -> None:
        """Remember an answer."""
        self.volumes.append((self.now, volume))

    def on_imbalance(self, imbalance: Imbalance) -> None:
        """Remember a warning."""
        self.imbalances.append((self.now, imbalance))


@pytest.fixture(scope="module")
def asked() -> tuple[ms.Run, Asker]:
    simulation = ms.Simulation(3, "20s", latency="2ms").add_venue("XSIM", [ABC])
    simulation.add_agents(Noise(rate="2/s"), 30, "noise").add_agent(Asker(), "asker")
    execution = simulation.start()
    run = execution.run()
    agent = execution.world.sessions["asker"].agent
    assert isinstance(agent, Asker)
    return run, agent


def test_a_quote_is_answered_once(asked: tuple[ms.Run, Asker]) -> None:
    run, agent = asked
    assert len(agent.quotes) == 19
    quotes, trades = run.quotes, run.trades
    for arrived, quote in agent.quotes:
        assert arrived == quote.time + 2 * MILLISECOND
        then = quotes[quotes["time"] <= quote.time].iloc[-1]
        told = quote.bid, quote.bid_quantity, quote.ask
        assert told == (round(then["bid"] * 100), then["bid_quantity"], round(then["ask"] * 100))
        before = trades[trades["time"] <= quote.time]
        assert quote.last_price == round(before["price"].iloc[-1] * 100)


def test_volume_is_what_aggressors_traded(asked: tuple[ms.Run, Asker]) -> None:
    run, agent = asked
    assert len(agent.volumes) == 20
    for _, volume in agent.volumes:
        assert (volume.lookback, volume.venue) == (3 * SECOND, "XSIM")
        since = run.trades[(run.trades["time"] > volume.time - volume.lookback) & (run.trades["time"] <= volume.time)]
        by_side = since.groupby("side")["quantity"].sum()
        assert (volume.bought, volume.sold) == (by_side.get(1, 0), by_side.get(-1, 0))
    assert agent.volumes[-1][1].bought > 0


def test_a_heavy_side_is_told_when_it_becomes_so_and_when_it_ends(asked: tuple[ms.Run, Asker]) -> None:
    _, agent = asked
    sides = [imbalance.side for _, imbalance in agent.imbalances]
    assert len(sides) > 4
    assert {Side.BUY, None} <= set(sides)
    assert all(one is not other for one, other in pairwise(sides))
    for _, imbalance in agent.imbalances:
        share = imbalance.bid_quantity / (imbalance.bid_quantity + imbalance.ask_quantity)
        assert imbalance.side is (Side.BUY if share > 0.55 else Side.SELL if share < 0.45 else None)


@pytest.mark.parametrize(
    ("question", "match"),
    [
        (lambda me: me.ask_volume(0), r"ask_volume\(0\): the time to look back must be above zero"),
        (lambda me: me.subscribe(imbalance=1.5), "imbalance 1.5: a share of the book from 0.5 up to below 1"),
        (lambda me: me.subscribe(), "asks for nothing"),
    ],
)
def test_questions_without_sense_are_refused(question: Any, match: str) -> None:
    class Confused(ms.Agent):
        def on_start(self) -> None:
            question(self)

    with pytest.raises(AgentError, match=match):
        ms.Simulation(1, "1s").add_venue("XSIM", [ABC]).add_agent(Confused(), "confused").run()


class Waker(ms.Agent):
    """Notes when it is called."""

    def on_start(self) -> None:
        """Ask for odd times."""
        self.calls: list[tuple[str, int]] = []
        self.after("1500us", self.note_time, "after")
        self.process(self.work())

    def note_time(self, what: str) -> None:
        """Remember."""
        self.calls.append((what, self.now))

    def work(self) -> Generator[Any, Any, Any]:
        """Let an odd time pass, twice."""
        for _ in range(2):
            yield self.sleep("1200us")
            self.note_time("sleep")


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ("1ns", [("sleep", 1_200), ("after", 1_500), ("sleep", 2_400)]),
        ("1ms", [("after", 2), ("sleep", 2), ("sleep", 4)]),
    ],
)
def test_calls_lie_on_the_grid(grid: str, expected: list[tuple[str, int]]) -> None:
    execution = ms.Simulation(1, "1s", grid=grid).add_venue("XSIM", [ABC]).add_agent(Waker(), "waker").start()
    execution.run()
    unit = MICROSECOND if grid == "1ns" else MILLISECOND
    calls = execution.world.sessions["waker"].agent.calls  # type: ignore[attr-defined]
    assert calls == [(what, time * unit) for what, time in expected]


def test_a_call_that_waits_for_its_agent_keeps_its_place() -> None:
    """It was asked for first, so it comes before what another agent asked for later for the same time."""
    happened: list[str] = []

    class Busy(ms.Agent):
        def on_start(self) -> None:
            self.at(5 * MICROSECOND, happened.append, "busy")

    class Idle(ms.Agent):
        def on_start(self) -> None:
            self.at(10 * MICROSECOND, happened.append, "idle")

    simulation = ms.Simulation(1, "1s").add_venue("XSIM", [ABC])
    simulation.add_agent(Busy(), "a_busy", computation="10us").add_agent(Idle(), "b_idle").run()
    assert happened == ["busy", "idle"]
