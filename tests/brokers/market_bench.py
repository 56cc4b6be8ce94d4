"""A small real market for tests: engine, core and links put together by hand, with simulated sessions on it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marketsim.brokers.simulated import Market, SimulatedSession
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.exchange.core import MatchingCore
from marketsim.kernel.environment import Environment
from marketsim.network.latency import Constant, LatencyModel
from marketsim.network.table import NetworkTables
from marketsim.population.engine import Engine
from marketsim.trading.agent import Agent

ABC = Instrument("ABC")
XYZ = Instrument("XYZ", tick_size="0.5", lot_size="10", reference_price="50", currency="EUR")


def no_fee(ticks: int, lots: int, maker: bool) -> Decimal:
    return Decimal(0)


class MarketBench:
    """Venues, each with all instruments; agents are added before or while it runs."""

    def __init__(
        self,
        instruments: tuple[Instrument, ...] = (ABC,),
        venues: tuple[str, ...] = ("X",),
        *,
        processing: int = 0,
        fee: Any = no_fee,
        seed: int = 1,
        stepped: bool = False,
    ) -> None:
        self.environment = Environment(0, stepped=stepped)
        self.venues = venues
        self.markets = [
            Market(number, venue, instrument, fee)
            for number, (venue, instrument) in enumerate((v, i) for v in venues for i in instruments)
        ]
        self.core = MatchingCore(len(self.markets))
        self.network = NetworkTables(seed)
        self.seed = seed
        self.engine = Engine(
            self.environment,
            self.core,
            self.network,
            [processing] * len(venues),
            [venues.index(market.venue) for market in self.markets],
        )
        self.notes: list[tuple[int, str, str, str]] = []
        self.house_rows: list[list[int]] = []
        self.house = self.engine.add_python_agent("house", self.house_rows.append, self._links("house", Constant(0)))

    def add(
        self, agent: Agent, name: str = "me", *, latency: LatencyModel | None = None, **options: Any
    ) -> SimulatedSession:
        """An agent on the market; it starts at once."""
        allowed = options.pop("allowed", range(len(self.markets)))
        session = SimulatedSession(
            name,
            self.seed,
            agent,
            self.environment,
            self.engine,
            self.markets,
            allowed,
            notes=lambda *remark: self.notes.append(remark),
            **options,
        )
        links = self._links(name, latency or Constant("10us"))
        session.number = self.engine.add_python_agent(name, session.receive, links)
        session.start()
        return session

    def rest(self, side: int, price: int, quantity: int, market: int = 0) -> int:
        """Somebody else's limit order arrives at once. Its id."""
        return self.engine.send(
            self.house, self.environment.now, Kind.NEW, market, 0, side, 1, 1, 0, price, 0, quantity, 0
        )

    def run(self, duration: int) -> None:
        """Let time pass."""
        self.environment.run(until=self.environment.now + duration)

    def settle(self) -> None:
        """Let everything happen that is under way."""
        self.environment.run()

    def _links(self, name: str, latency: LatencyModel) -> int:
        first = -1
        for venue in self.venues:
            up = self.network.add_link(name, venue, "orders", latency)
            self.network.add_link(venue, name, "reports", latency)
            self.network.add_link(venue, name, "data", latency)
            first = up if first < 0 else first
        return first
