"""The simulated session keeps the promises of its ports, on the real engine, compiled and stepped, busy or not."""

from __future__ import annotations

import pytest
from market_bench import MarketBench

from marketsim.domain.order import Side
from marketsim.network.latency import LogNormal
from marketsim.testing import broker_conformance, clock_conformance
from marketsim.trading.agent import Agent


class Case:
    def __init__(self, agent: Agent, **options: object) -> None:
        stepped = bool(options.pop("stepped", False))
        self.bench = MarketBench(stepped=stepped, processing=int(options.pop("processing", 0)))  # type: ignore[call-overload]
        self.session = self.bench.add(agent, **options)
        self.clock = self.session.clock

    def rest(self, side: Side, price: int, quantity: int) -> None:
        self.bench.rest(side, price, quantity)

    def settle(self) -> None:
        self.bench.settle()


@pytest.mark.parametrize("stepped", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"computation": 7_000},
        {"latency": LogNormal(median="50us", sigma=1.0)},
        {"computation": 300_000, "processing": 2_000, "latency": LogNormal(median="50us", sigma=1.0)},
    ],
    ids=["plain", "busy", "jitter", "all"],
)
def test_broker(options: dict[str, object], stepped: bool) -> None:
    broker_conformance(lambda agent: Case(agent, stepped=stepped, **options))


def test_clock() -> None:
    clock_conformance(lambda: Case(Agent()))


def test_clock_of_a_stepped_market() -> None:
    clock_conformance(lambda: Case(Agent(), stepped=True))


class Forgetful(Case):
    """A broker whose cancels get lost."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        self.session.broker = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> object:
        return getattr(self.session, name)

    def cancel(self, order: object, quantity: int = 0) -> None:
        pass


def test_the_suite_finds_a_broker_that_loses_requests() -> None:
    with pytest.raises(AssertionError, match="B7"):
        broker_conformance(Forgetful)


class Hasty(Case):
    """A clock that calls at once."""

    def __init__(self) -> None:
        super().__init__(Agent())
        self.clock = self  # type: ignore[assignment]
        self.now = 0

    def call_at(self, time: int, function: object, *arguments: object) -> None:
        self.now = time
        function(*arguments)  # type: ignore[operator]


def test_the_suite_finds_a_clock_that_is_early() -> None:
    with pytest.raises(AssertionError, match="C3"):
        clock_conformance(Hasty)
