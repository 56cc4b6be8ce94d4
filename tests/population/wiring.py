"""One venue, compiled and Python agents, wired by hand: what the tests of the population and of its agents run.

``Crowd`` names a compiled agent, how many of it and how they are reached; ``Market`` wires and runs them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marketsim.domain.instrument import Instrument
from marketsim.domain.message import MESSAGE, Kind
from marketsim.domain.units import SECOND
from marketsim.exchange.core import MatchingCore
from marketsim.kernel.environment import Environment
from marketsim.kernel.random import key_of
from marketsim.network.latency import Constant, LatencyModel, LogNormal
from marketsim.network.table import NetworkTables
from marketsim.population.agent import CompiledAgent
from marketsim.population.engine import Engine

INSTRUMENT = Instrument("ABC")
LATENCY = LogNormal(median="100us", sigma=0.3)
FIELD = {name: place for place, name in enumerate(MESSAGE.names or ())}
REPORT = int(Kind.REPORT)


@dataclass
class Crowd:
    """``count`` agents of one kind, called ``name.0``, ``name.1`` …"""

    agent: CompiledAgent
    count: int = 1
    name: str = ""
    latency: LatencyModel = LATENCY
    computation: int = 0
    feed: tuple[Any, int, int] | None = None  # values in ticks, start, step
    cash: int = 0


@dataclass
class Market:
    """A market that is wired once and can be run on, and looked into."""

    crowds: Sequence[Crowd] = ()
    seed: int = 7
    grid: int = 1
    stepped: bool = False
    start: int = 0
    processing: int = 1000
    instrument: Instrument = INSTRUMENT
    environment: Environment = field(init=False)
    core: MatchingCore = field(init=False)
    engine: Engine = field(init=False)
    numbers: dict[str, int] = field(default_factory=dict)
    policies: dict[str, int] = field(default_factory=dict)
    extra: Sequence[tuple[str, LatencyModel]] = ()  # Python agents: their links must be there before the engine is

    def __post_init__(self) -> None:
        self.environment = Environment(self.start, stepped=self.stepped)
        self.core = MatchingCore(1)
        network = NetworkTables(self.seed)
        self.links: dict[str, int] = {}
        members = [(f"{self._name(crowd)}.{n}", crowd.latency) for crowd in self.crowds for n in range(crowd.count)]
        for name, latency in [*members, *self.extra]:
            self.links[name] = network.add_link(name, "X", "orders", latency)
            network.add_link("X", name, "reports", latency)
            network.add_link("X", name, "data", latency)
        self.network = network
        self.engine = Engine(self.environment, self.core, network, [self.processing], [0], self.grid)
        for crowd in self.crowds:
            self._add(crowd)

    @staticmethod
    def _name(crowd: Crowd) -> str:
        return crowd.name or type(crowd.agent).__name__.lower()

    def _add(self, crowd: Crowd) -> None:
        name = self._name(crowd)
        names = [f"{name}.{n}" for n in range(crowd.count)]
        feed = -1 if crowd.feed is None else self.engine.add_feed(*crowd.feed)
        policy = self.engine.add_policy(type(crowd.agent).policy, crowd.agent.records(crowd.count, self.instrument))
        first = self.engine.add_compiled_agents(
            names,
            policy,
            0,
            np.array([key_of(self.seed, member) for member in names], np.int64),
            np.array([self.links[member] for member in names], np.int64),
            0,
            computation=crowd.computation,
            cash=crowd.cash,
            feed=feed,
            start=self.start,
        )
        self.policies[name] = policy
        self.numbers.update({member: first + offset for offset, member in enumerate(names)})

    def join(self, name: str, receiver: Callable[[list[int]], None]) -> int:
        """A Python agent, named in ``extra``; its number."""
        self.numbers[name] = self.engine.add_python_agent(name, receiver, self.links[name])
        return self.numbers[name]

    def run(self, seconds: float) -> Market:
        """Run on to a time after the start."""
        self.environment.run(until=self.start + round(seconds * SECOND))
        self.core.check()
        return self

    @property
    def events(self) -> Any:
        """The rows of the log so far."""
        return self.core.events()

    def state(self, name: str) -> Any:
        """The records of a crowd."""
        count = sum(key.rpartition(".")[0] == name for key in self.numbers)
        return self.engine.state(self.policies[name])[:count]

    @property
    def digest(self) -> str:
        """Of the log, the clock and what the kernel and the engine counted."""
        text = f"{self.environment.sequence} {self.engine.events} {self.environment.now}".encode()
        return hashlib.blake2b(self.events.tobytes() + text, digest_size=16).hexdigest()


class Meddler:
    """A Python agent that hears everything and now and then sends an order on what it hears."""

    def __init__(self, market: Market, name: str = "meddler", every: int = 7) -> None:
        self.market = market
        self.rows: list[list[int]] = []
        self.every = every
        self.mine: list[int] = []
        self.number = market.join(name, self.receive)
        market.engine.send(self.number, market.start, Kind.SUBSCRIBE, 0, instructions=7)

    def receive(self, row: list[int]) -> None:
        self.rows.append(row)
        if row[FIELD["kind"]] != Kind.QUOTE or len(self.rows) % self.every:
            return
        engine, now = self.market.engine, self.market.environment.now
        if self.mine and len(self.rows) % 3 == 0:
            engine.send(self.number, now + 5, Kind.CANCEL, 0, self.mine.pop(0))
        elif row[FIELD["quantity"]] and row[FIELD["leaves"]]:
            side = 1 if len(self.rows) % 2 else -1
            price = row[FIELD["price"]] - 1 if side > 0 else row[FIELD["other_price"]] + 1
            self.mine.append(engine.send(self.number, now + 5, Kind.NEW, 0, 0, side, 1, 1, 0, price, 0, 5))


ZERO = Constant(0)
