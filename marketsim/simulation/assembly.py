"""The assembly: a scenario spec becomes a world of kernel, venues, network and agents, wired and ready to run.

Everything is built in the order of names, so that the order of a file decides nothing. It never runs anything.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import numpy as np

from marketsim.brokers.simulated import Market, SimulatedSession
from marketsim.domain.fees import FeeSchedule
from marketsim.domain.instrument import Instrument
from marketsim.domain.limits import Limits
from marketsim.domain.market_data import Report
from marketsim.domain.order import SelfTrade
from marketsim.domain.units import SECOND
from marketsim.errors import ConfigurationError, InvalidValueError, did_you_mean
from marketsim.exchange.clearing_house import ClearedMarket, ClearingHouse
from marketsim.exchange.core import ChunkSource, MatchingCore
from marketsim.kernel.environment import Environment
from marketsim.kernel.random import key_of, keys_of
from marketsim.network.faults import Fault, Impairment, impairment, spikes
from marketsim.network.route import Leg, Route
from marketsim.network.table import NetworkTables
from marketsim.network.topology import Topology
from marketsim.population.agent import CompiledAgent
from marketsim.population.driver import Driver
from marketsim.population.engine import Engine
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.shocks import KillSwitch, News
from marketsim.scenario.spec import AgentSpec, ClearingSpec, ScenarioSpec, ShockSpec
from marketsim.simulation.delays import topology_of
from marketsim.simulation.schedules import add_schedules, nights_of
from marketsim.simulation.tapes import tape_of
from marketsim.trading.agent import Agent
from marketsim.trading.copying import Copied, Follower
from marketsim.trading.feed import FeedHandle, FeedModel
from marketsim.trading.risk import FIRM, Scope

CHANNELS = _UP, _REPORTS, _DATA = ("orders", "reports", "data")


@dataclass(frozen=True)
class Participant:
    """One agent of a world, by its number in the event log."""

    number: int
    name: str
    family: str
    type: str
    initial_cash: Decimal
    compiled: bool
    collateral: Mapping[str, Decimal] = field(default_factory=dict)  # at the clearing house, by settlement currency


@dataclass
class World:
    """A wired market, ready to run."""

    spec: ScenarioSpec
    environment: Environment
    core: MatchingCore
    engine: Engine
    network: NetworkTables
    markets: list[Market]
    fees: list[FeeSchedule]  # by market
    participants: list[Participant] = field(default_factory=list)
    sessions: dict[str, SimulatedSession] = field(default_factory=dict)
    feeds: dict[str, FeedHandle] = field(default_factory=dict)
    populations: dict[str, list[int]] = field(default_factory=dict)  # family -> policies of its compiled agents
    house: ClearingHouse | None = None  # where there are contracts
    compiled: dict[str, CompiledAgent] = field(default_factory=dict)  # by family; records may point at what they own


class Assembly:
    """Builds one world.

    agents: objects that stand for agents of the spec by key, instead of the registry's.
    environment: instead of one of its own; ``stepped`` is then its own affair.
    """

    def __init__(
        self,
        spec: ScenarioSpec,
        log: ChunkSource,
        notes: Any = None,
        *,
        agents: Mapping[str, Agent | CompiledAgent] | None = None,
        feeds: Mapping[str, FeedModel] | None = None,
        topology: Topology | None = None,
        stepped: bool = False,
        environment: Environment | None = None,
    ) -> None:
        self._spec = spec
        self._notes = notes
        self._agents = dict(agents or {})
        self._feed_models = dict(feeds or {})
        self._topology = topology or topology_of(spec.network, spec.seed)
        self._environment = environment or Environment(spec.start, stepped=stepped)
        self._markets, self._fees, self._market_venues = self._build_markets()
        self._baskets = {name: spec.basket(name) for name in spec.indices or {}}
        self._core = MatchingCore(len(self._markets), log)
        for market in self._markets:
            self._core.set_reference(market.number, market.instrument.reference)
            self._core.prevent_self_trades(market.number, SelfTrade[spec.venues[market.venue].self_trades.upper()])
            self._allocate(market)
        self._network = NetworkTables(spec.seed)
        self._first_link: dict[str, int] = {}
        self._nights = nights_of(spec)
        self._firm = self._build_firm()
        faults = spec.network.faults or ()
        self._venues_of: dict[str, set[str]] = {}  # by name of a participant
        self._faults: list[Fault] = [REGISTRY.build("fault", fault.type, fault.arguments()) for fault in faults]

    def build(self) -> World:
        """Wire everything."""
        spec = self._spec
        self._build_links()
        processing = [venue.processing for venue in spec.venues.values()]
        engine = Engine(self._environment, self._core, self._network, processing, self._market_venues, grid=spec.grid)
        world = World(spec, self._environment, self._core, engine, self._network, self._markets, self._fees)
        add_schedules(spec, self._markets, self._core, engine)
        self._build_feeds(world)
        self._build_gateways(world)
        for key, agent in spec.agents.items():
            self._build_family(world, key, agent)
        self._build_sessions(world)
        self._join_accounts(world)
        self._join_followers(world)
        self._clear(world)
        self._schedule_timeline(world)
        return world

    # --- venues and network ---

    def _build_markets(self) -> tuple[list[Market], list[FeeSchedule], list[int]]:
        spec = self._spec
        instruments = {symbol: spec.instrument(symbol) for symbol in spec.instruments}
        markets: list[Market] = []
        fees: list[FeeSchedule] = []
        venues: list[int] = []
        for number, (name, venue) in enumerate(spec.venues.items()):
            for symbol in spec.instruments_of(name):
                schedule = venue.fees.schedule()
                fees.append(schedule)
                instrument = instruments[symbol]
                plain = schedule.alike(instrument) and schedule.auction is None
                fee = _fee_of(schedule, instrument)
                markets.append(Market(len(markets), name, instrument, fee, None if plain else schedule))
                venues.append(number)
        return markets, fees, venues

    def _allocate(self, market: Market) -> None:
        """How the orders of a price share an aggressor, where not by time."""
        rule = self._spec.venues[market.venue].allocation
        if rule is not None and (rule.instruments is None or market.instrument.symbol in rule.instruments):
            self._core.set_allocation(market.number, True, rule.top_lots, rule.fifo_percent, rule.least_allocation)

    def _build_links(self) -> None:
        """Three links for each pair of agent and venue, numbered one after the other."""
        spec, topology, network = self._spec, self._topology, self._network
        for name, venue in spec.venues.items():
            topology.add_venue(name, venue.host)
        for key, agent in spec.agents.items():
            latency = (
                REGISTRY.build("latency", agent.latency.type, agent.latency.arguments()) if agent.latency else None
            )
            topology.add_agents(agent.names(key), agent.host, latency)
        for key, agent in spec.agents.items():
            links: list[tuple[str, str, str]] = []
            ways: list[Route] = []
            for name in agent.names(key):
                self._first_link[name] = len(network) + len(links)
                for there in spec.venues:
                    up, down = self._routes(name, key, there)
                    links += ((name, there, _UP), (there, name, _REPORTS), (there, name, _DATA))
                    ways += (up, down, down)
            network.add_links(links, ways)

    def _routes(self, name: str, key: str, venue: str) -> tuple[Route, Route]:
        """To a venue and back, spikes included."""
        up, down = self._topology.both_ways(name, venue)
        if not self._faults:
            return up, down
        added = spikes(self._faults_of(name, key, venue), self._spec.start)
        if added is None:
            return up, down
        return (*up, Leg(added)), (*down, Leg(added))

    # --- what goes wrong ---

    def _faults_of(self, name: str, key: str, venue: str) -> list[Fault]:
        specs = self._spec.network.faults or ()
        return [fault for spec, fault in zip(specs, self._faults, strict=True) if spec.concerns(name, key, venue)]

    def _build_gateways(self, world: World) -> None:
        for number, venue in enumerate(self._spec.venues.values()):
            throttle = venue.throttle
            world.engine.set_venue(
                number,
                heartbeat=venue.heartbeat or SECOND,
                throttle=None if throttle is None else throttle.bucket,
                cancels=throttle is None or throttle.cancels,
            )

    def _build_sessions(self, world: World) -> None:
        """Once all agents are there, so that it makes no difference which of them are compiled."""
        if not self._faults:
            return
        for person in world.participants:
            for number, (venue, spec) in enumerate(self._spec.venues.items()):
                wrong = self._wrong(person.name, person.family, venue)
                if wrong != Impairment():
                    key = key_of(self._spec.seed, f"{person.name}->{venue}/session")
                    world.engine.add_session(person.number, number, key, wrong, spec.cancel_on_disconnect)

    def _join_accounts(self, world: World) -> None:
        """Agents of one owner have one account, that of the first of them."""
        accounts: dict[str, int] = {}
        for person in world.participants:
            owner = self._spec.agents[person.family].owner
            if owner is not None:
                self._core.set_account(person.number, accounts.setdefault(owner, person.number))

    def _join_followers(self, world: World) -> None:
        """Whoever follows an agent is told of its fills, if it may be."""
        for person in world.participants:
            session = world.sessions.get(person.name)
            if session is None or not isinstance(session.agent, Follower):
                continue
            leader = session.agent.leader
            section, source = self._spec.agents.get(leader), world.sessions.get(leader)
            if section is None or person.family not in (section.copied_by or ()):
                raise ConfigurationError(
                    f"agents.{person.family}.leader: {leader} does not permit it: let copied_by of {leader} name "
                    f"{person.family}"
                )
            if source is None:
                raise ConfigurationError(
                    f"agents.{person.family}.leader: {leader} is compiled, or one of several: follow one agent that "
                    "Python runs"
                )
            source.copy_fills_to(partial(_pass_on, session, session.agent))

    def _wrong(self, name: str, key: str, venue: str) -> Impairment:
        """What the faults between an agent and a venue where it trades come to."""
        spec = self._spec
        faults = self._faults_of(name, key, venue) if venue in self._venues_of[name] else []
        return impairment(faults, spec.start, spec.end, spec.seed, name, venue, spec.grid) if faults else Impairment()

    # --- clearing ---

    def _clear(self, world: World) -> None:
        """A clearing house, where there is a contract or an order filter; it knows all agents."""
        if not any(market.instrument.cleared or market.instrument.filtered for market in self._markets):
            return
        house = ClearingHouse(
            [self._cleared(world, market) for market in self._markets], len(world.participants), self._spec.start
        )
        for participant in world.participants:
            for currency, amount in participant.collateral.items():
                house.deposit(participant.number, currency, amount)
        world.house = house
        world.engine.clear_with(house)

    def _cleared(self, world: World, market: Market) -> ClearedMarket:
        venue = self._spec.venues[market.venue]
        clearing = venue.clearing or ClearingSpec()
        index = feed = None
        if market.instrument.underlying:
            index = self._underlying(market)
        elif clearing.index is not None:
            handle = world.feeds[clearing.index]
            feed = list(world.feeds).index(clearing.index), handle.instrument.tick
        return ClearedMarket(
            market.instrument,
            self._fees[market.number],
            list(self._spec.venues).index(market.venue),
            clearing.rules(),
            index,
            feed,
        )

    def _underlying(self, market: Market) -> tuple[int, Instrument]:
        """The market of the underlying: on the same venue if it is traded there, else on the first that trades it."""
        found = [other for other in self._markets if other.instrument.symbol == market.instrument.underlying]
        chosen = min(found, key=lambda other: (other.venue != market.venue, other.number))
        return chosen.number, chosen.instrument

    def _collateral(self, key: str, spec: AgentSpec, allowed: Sequence[int]) -> dict[str, Decimal]:
        """What an agent has at the clearing house, by currency."""
        home = self._markets[allowed[0]].instrument.money
        given = dict(spec.collateral or {})
        if given.get(home, spec.cash) > spec.cash:
            raise ConfigurationError(
                f"agents.{key}.collateral: {given[home]} {home} is more than its cash of {spec.cash}: raise the cash"
            )
        currencies = {market.instrument.money for market in self._markets if market.instrument.cleared}
        for currency in given:
            if currency not in currencies:
                raise ConfigurationError(
                    f"agents.{key}.collateral: no contract is settled in {currency}{did_you_mean(currency, currencies)}"
                )
        return {home: spec.cash, **given} if home in currencies else given

    # --- risk ---

    def _build_firm(self) -> Scope | None:
        """The limits of all agents together; the sessions of those agents join it."""
        spec, risk = self._spec, self._spec.risk
        if risk is None:
            return None
        chosen = [agent for key, agent in spec.agents.items() if risk.agents is None or key in risk.agents]
        capital = float(sum(agent.cash * agent.count for agent in chosen if not self._compiles(agent)))
        instruments = [spec.instrument(symbol) for symbol in spec.instruments]
        limits = risk.limits()
        self._check_currency("risk", limits, {instrument.money for instrument in instruments})
        return Scope(limits, instruments, self._mark, capital or 1.0, FIRM)

    def _compiles(self, agent: AgentSpec) -> bool:
        cls = REGISTRY.find("agent", agent.type)
        return isinstance(cls, type) and issubclass(cls, CompiledAgent) and agent.compiled is not False

    def _joins(self, key: str) -> Scope | None:
        risk = self._spec.risk
        return self._firm if risk is not None and (risk.agents is None or key in risk.agents) else None

    @staticmethod
    def _check_currency(where: str, limits: Limits, currencies: set[str]) -> None:
        """Equity is one number only where there is one currency."""
        if limits.live and len(currencies) > 1:
            raise ConfigurationError(
                f"{where}: money is in {' and '.join(sorted(currencies))}, and limits of equity need one currency: "
                "leave them out, or name instruments of one"
            )

    def _mark(self, instrument: Instrument) -> float:
        """The market's price in ticks: the mid of the first venue that has one, else a last trade."""
        last = 0
        for market in self._markets:
            if market.instrument.symbol == instrument.symbol:
                bid, bids, ask, asks = self._core.best(market.number)
                if bids and asks:
                    return (bid + ask) / 2
                last = last or self._core.statistics(market.number)["last_price"]
        return float(last or instrument.reference)

    # --- feeds ---

    def _build_feeds(self, world: World) -> None:
        spec = self._spec
        for name, feed in spec.feeds.items():
            model = self._feed_models.get(name) or REGISTRY.build("feed", feed.type, feed.arguments())
            symbol = feed.instrument or next(iter(spec.instruments))
            shocks = [
                (spec.start + entry.at, float(entry.parameters["shock"]))
                for entry in spec.timeline
                if entry.feed == name and REGISTRY.resolve("shock", entry.type) is News
            ]
            handle = FeedHandle.of(
                model,
                spec.seed,
                name,
                spec.instrument(symbol),
                spec.start,
                spec.end,
                shocks,
                lambda: self._environment.now,
            )
            world.feeds[name] = handle
            world.engine.add_feed(handle.values, handle.start, handle.step)

    def _now(self) -> int:
        return self._environment.now

    # --- agents ---

    def _build_family(self, world: World, key: str, spec: AgentSpec) -> None:
        agent = self._agents.get(key)
        if agent is None:
            agent = REGISTRY.build("agent", spec.type, spec.arguments())
        allowed = self._allowed(key, spec)
        if isinstance(agent, CompiledAgent):
            agent = world.compiled[key] = _with_tape(agent, self._spec.start)
            if spec.limits is not None and spec.compiled is not False:
                raise ConfigurationError(
                    f"agents.{key}.limits: {spec.type} is compiled and has no risk checks; run it with compiled=False, "
                    "or leave this out"
                )
            build = self._build_driven if spec.compiled is False else self._build_compiled
            try:
                build(world, key, spec, agent, allowed)
            except InvalidValueError as error:
                raise InvalidValueError(f"agents.{key}: {error}") from error
        elif isinstance(agent, Agent):
            if spec.compiled is False:
                raise ConfigurationError(
                    f"agents.{key}.compiled: {spec.type} is written in Python and runs so anyway; leave this out"
                )
            self._build_python(world, key, spec, agent, allowed)
        else:
            raise ConfigurationError(
                f"agents.{key}: {spec.type} is neither an Agent nor a CompiledAgent; derive it from marketsim.Agent"
            )

    def _allowed(self, key: str, spec: AgentSpec) -> list[int]:
        """Numbers of the markets on which a family trades, in the order of its own venues."""
        venues = spec.venues or tuple(self._spec.venues)
        symbols = spec.instruments or tuple(self._spec.instruments)
        chosen = [
            market.number
            for symbol in symbols
            for venue in venues
            for market in self._markets
            if market.venue == venue and market.instrument.symbol == symbol
        ]
        if not chosen:
            raise ConfigurationError(f"agents.{key}: none of its venues trades any of its instruments")
        return chosen

    def _build_python(self, world: World, key: str, spec: AgentSpec, agent: Agent, allowed: Sequence[int]) -> None:
        feeds = {name: world.feeds[name] for name in (spec.feeds if spec.feeds is not None else world.feeds)}
        collateral = self._collateral(key, spec, allowed)
        for name in spec.names(key):
            session = self._add_session(world, name, key, spec, copy.deepcopy(agent), allowed, feeds)
            world.participants.append(
                Participant(session.number, name, key, type(agent).__name__, spec.cash, False, collateral)
            )

    def _add_session(
        self,
        world: World,
        name: str,
        key: str,
        spec: AgentSpec,
        agent: Agent,
        allowed: Sequence[int],
        feeds: Mapping[str, FeedHandle],
    ) -> SimulatedSession:
        """The session of an agent that Python runs; its beginning is its first call, on the grid and in turn."""
        self._venues_of[name] = {self._markets[number].venue for number in allowed}
        session = SimulatedSession(
            name,
            self._spec.seed,
            agent,
            self._environment,
            world.engine,
            self._markets,
            allowed,
            computation=spec.computation,
            grid=self._spec.grid,
            cash=spec.cash,
            limits=self._limits(key, spec, allowed),
            firm=self._joins(key),
            marks=self._mark,
            feeds=feeds,
            notes=self._notes,
            balances=self._balances(spec, allowed),
            baskets=self._baskets,
            nights=self._nights,
            faulty=any(self._faults_of(name, key, venue) for venue in self._spec.venues),
        )
        session.number = world.engine.add_python_agent(name, session.receive, self._first_link[name])
        world.sessions[name] = session
        session.call_at(self._spec.start, session.start)
        return session

    def _limits(self, key: str, spec: AgentSpec, allowed: Sequence[int]) -> Limits | None:
        if spec.limits is None:
            return None
        limits = spec.limits.limits()
        currencies = {self._markets[number].instrument.money for number in allowed} | set(spec.collateral or {})
        self._check_currency(f"agents.{key}.limits", limits, currencies)
        return limits

    def _balances(self, spec: AgentSpec, allowed: Sequence[int]) -> dict[str, Decimal]:
        """Collateral in other currencies than that of its cash."""
        home = self._markets[allowed[0]].instrument.money
        return {currency: amount for currency, amount in (spec.collateral or {}).items() if currency != home}

    def _build_driven(
        self, world: World, key: str, spec: AgentSpec, agent: CompiledAgent, allowed: Sequence[int]
    ) -> None:
        """Compiled agents that Python drives, on the markets and under the numbers that they would have compiled."""
        feed = self._feed_of(world, key, spec)
        for mine, market in _shared_out(spec.names(key), allowed):
            collateral = self._collateral(key, spec, [market])
            for name in mine:
                driver = Driver(agent, key_of(self._spec.seed, name), feed=feed, market=market)
                session = self._add_session(world, name, key, spec, driver, [market], world.feeds)
                driver.number = session.number
                world.participants.append(
                    Participant(session.number, name, key, type(agent).__name__, spec.cash, False, collateral)
                )

    def _build_compiled(
        self, world: World, key: str, spec: AgentSpec, agent: CompiledAgent, allowed: Sequence[int]
    ) -> None:
        """Compiled agents have one home market each; several markets are given out in turn."""
        name = self._feed_of(world, key, spec)
        feed = -1 if name is None else list(world.feeds).index(name)
        for mine, market in _shared_out(spec.names(key), allowed):
            instrument = self._markets[market].instrument
            collateral = self._collateral(key, spec, [market])
            policy = world.engine.add_policy(type(agent).policy, agent.records(len(mine), instrument))
            ticks = int(spec.cash / (instrument.tick_size * instrument.lot_size))
            first = world.engine.add_compiled_agents(
                mine,
                policy,
                0,
                keys_of(self._spec.seed, mine),
                np.array([self._first_link[name] for name in mine], np.int64),
                market,
                computation=spec.computation,
                cash=ticks,
                feed=feed,
                start=self._spec.start,
            )
            here = {self._markets[market].venue}  # one for all: there may be a hundred thousand of them
            self._venues_of.update((name, here) for name in mine)
            world.populations.setdefault(key, []).append(policy)
            world.participants.extend(
                Participant(first + offset, name, key, type(agent).__name__, spec.cash, True, collateral)
                for offset, name in enumerate(mine)
            )

    def _feed_of(self, world: World, key: str, spec: AgentSpec) -> str | None:
        """The one feed that compiled agents see."""
        chosen = list(spec.feeds) if spec.feeds is not None else list(world.feeds)[:1]
        if len(chosen) > 1:
            raise ConfigurationError(f"agents.{key}.feeds: compiled agents see one feed; name one of {chosen}")
        return chosen[0] if chosen else None

    # --- timeline ---

    def _schedule_timeline(self, world: World) -> None:
        for entry in self._spec.timeline:
            if entry.type in ("halt", "resume"):
                continue  # on the venue's own clock
            shock = REGISTRY.build("shock", entry.type, entry.arguments())
            time = self._spec.start + entry.at
            if isinstance(shock, KillSwitch):
                self._schedule_stop(world, entry, shock, time)
                continue
            if isinstance(shock, News):
                for session in world.sessions.values():
                    if type(session.agent).on_news is not Agent.on_news:
                        session.call_on_time(time, session.agent.on_news, entry.feed or "", "", shock.shock)
                continue
            targets = [
                session
                for session in world.sessions.values()
                if (session.name == entry.agent or self._is_of(session.name, entry.agent))
                and not isinstance(session.agent, Driver)
            ]
            if not targets:
                raise ConfigurationError(
                    f"timeline: {entry.agent!r} is no Python agent; parameters of compiled agents are fixed in a run"
                )
            for session in targets:
                session.call_on_time(time, _setter(session.agent, shock.parameter, shock.value))

    def _schedule_stop(self, world: World, entry: ShockSpec, shock: KillSwitch, time: int) -> None:
        """The guards of an agent, of a family, or of all that Python runs."""
        chosen = [
            session
            for session in world.sessions.values()
            if entry.agent is None or session.name == entry.agent or self._is_of(session.name, entry.agent)
        ]
        if not chosen:
            raise ConfigurationError(
                f"timeline: {entry.agent or 'every agent'} is compiled and has no risk checks; run it with "
                "compiled=False"
            )
        until = None if shock.duration is None else time + int(shock.duration)
        for session in chosen:
            session.aside(time, _killer(session, shock.flatten, until))

    @staticmethod
    def _is_of(name: str, family: str | None) -> bool:
        return family is not None and name.rpartition(".")[0] == family


def _shared_out(names: Sequence[str], markets: Sequence[int]) -> Iterator[tuple[Sequence[str], int]]:
    """A home market for each of a family's agents: several markets are given out in turn."""
    for position, market in enumerate(markets):
        if mine := names[position :: len(markets)]:
            yield mine, market


def _with_tape(agent: CompiledAgent, start: int) -> CompiledAgent:
    """A replay agent that names a scenario gets the tape that is made from it; it begins with the run."""
    if not hasattr(agent, "scenario"):
        return agent
    from marketsim.agents.replay import Replay  # brings readers of recorded data along

    if not isinstance(agent, Replay):
        return agent
    if agent.scenario:
        agent = replace(agent, path=str(tape_of(agent.scenario, agent.levels)), scenario="")
    return agent.beginning(start)


def _killer(session: SimulatedSession, flatten: bool, until: int | None) -> Any:
    return lambda: session.guard.emergency_stop(
        flatten=flatten, text="the kill switch was thrown", rule="kill_switch", until=until
    )


def _setter(agent: Agent, parameter: str, value: Any) -> Any:
    return lambda: agent.set(**{parameter: value})


def _fee_of(schedule: FeeSchedule, instrument: Instrument) -> Any:
    """Fee of a fill in currency, from ticks and lots."""

    @lru_cache(maxsize=4096)
    def fee(ticks: int, lots: int, maker: bool) -> Decimal:
        return schedule.side(maker).of_ticks(ticks, lots, instrument)

    return fee


def _pass_on(session: SimulatedSession, follower: Follower, report: Report) -> None:
    """A leader's fill sets out to a follower."""
    fill = Copied(report.time, report.instrument, report.venue, report.side, report.price, report.quantity)
    session.call_at(session.now + int(follower.delay), follower.on_copied, fill)
