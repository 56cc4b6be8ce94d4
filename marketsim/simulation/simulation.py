"""A simulation: what people build in Python, or load from a scenario, and run.

Whatever is added becomes part of one ``ScenarioSpec``, which is stored with the run; so Python, YAML and command-line
overrides make the same thing. It holds no logic of a market.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.domain.basket import Basket
from marketsim.domain.instrument import Instrument
from marketsim.domain.limits import Limits
from marketsim.domain.units import duration as nanoseconds
from marketsim.domain.units import format_duration, time_of_day
from marketsim.errors import ConfigurationError
from marketsim.scenario import loader
from marketsim.scenario.overrides import Overrides
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.spec import ScenarioSpec
from marketsim.trading.agent import Agent

if TYPE_CHECKING:
    from marketsim.network.faults import Fault
    from marketsim.network.latency import LatencyModel
    from marketsim.network.topology import Topology
    from marketsim.population.agent import CompiledAgent
    from marketsim.results.run import Run
    from marketsim.simulation.execution import Execution, Progress
    from marketsim.trading.feed import FeedModel

DEFAULT_VENUE = "XSIM"


class Simulation:
    """A market to be: venues, instruments, agents, a network, a seed.

    seed: same seed, same run.
    duration: how long it runs, such as ``"30min"``.
    start: time of day at which it begins, such as ``"09:30"``.
    date, time_zone: its first day, such as ``"2026-03-05"``, where venues have calendars, and in which time zone; that
    of the first venue with a calendar when left out.
    warm_up: how much of the beginning analysis leaves out.
    latency: of every agent that names none; text such as ``"100us"`` or a latency model.
    topology: sites and links that hosts are looked up in: a preset's name such as ``"europe"``, or a mapping as in
    scenario files. A Topology object is taken as it is, without hosts, and is not stored with the run.
    grid: times at which messages arrive and agents wake are rounded up to it.
    stepped: handle compiled events one at a time on the SimPy queue; slower, and the same result.
    """

    def __init__(
        self,
        seed: int = 0,
        duration: str | int = "30min",
        *,
        name: str = "simulation",
        start: str | int = 0,
        date: str | None = None,
        time_zone: str | None = None,
        warm_up: str | int = 0,
        latency: str | LatencyModel = "100us",
        topology: Topology | Mapping[str, Any] | str | None = None,
        grid: str | int = 1,
        stepped: bool = False,
    ) -> None:
        self._raw: dict[str, Any] = {
            "name": name,
            "seed": seed,
            "start": time_of_day(start),
            "duration": format_duration(nanoseconds(duration)),
            "warm_up": format_duration(nanoseconds(warm_up)),
            "grid": format_duration(nanoseconds(grid)),
            "venues": {},
            "instruments": {},
            "agents": {},
            "feeds": {},
            "timeline": [],
            "network": {"latency": _described("latency", latency)},
        }
        self._raw |= {field: value for field, value in (("date", date), ("time_zone", time_zone)) if value is not None}
        self._topology: Topology | None = None
        if isinstance(topology, str):
            self._raw["network"]["topology"] = {"preset": topology}
        elif isinstance(topology, Mapping):
            self._raw["network"]["topology"] = dict(topology)
        else:
            self._topology = topology
        self._stepped = stepped
        self._spec: ScenarioSpec | None = None
        self._agents: dict[str, Agent | CompiledAgent] = {}
        self._feeds: dict[str, FeedModel] = {}

    @classmethod
    def from_spec(cls, spec: ScenarioSpec, *, stepped: bool = False) -> Simulation:
        """The simulation of a scenario."""
        simulation = cls(spec.seed, spec.duration, stepped=stepped)
        simulation._spec = spec
        simulation._raw = spec.to_dict()
        simulation._raw.pop("schema", None)
        return simulation

    # --- what it is made of ---

    def add_venue(
        self,
        name: str = DEFAULT_VENUE,
        instruments: Iterable[Instrument] = (),
        *,
        maker_fee: str | int = 0,
        taker_fee: str | int = 0,
        processing: str | int = 0,
        self_trades: str = "allow",
        allocation: str | Mapping[str, Any] | None = None,
        host: str | None = None,
        auction_fee: str | int | None = None,
        minimum_fee: str | int | None = None,
        fee_tiers: Iterable[Mapping[str, Any]] | None = None,
        clearing: Mapping[str, Any] | None = None,
        calendar: str | Mapping[str, Any] | None = None,
        auctions: Mapping[str, Any] | None = None,
        bands: Mapping[str, Any] | None = None,
        interruptions: Mapping[str, Any] | None = None,
        circuit_breaker: Mapping[str, Any] | None = None,
        throttle: str | tuple[str, int] | Mapping[str, Any] | None = None,
        cancel_on_disconnect: str | int | None = None,
        heartbeat: str | int | None = None,
    ) -> Simulation:
        """Add a venue that trades the instruments. Fees such as ``"0.3bps"``, ``"-0.1bps"`` or ``"0.002/share"``.

        auction_fee: of both sides in an auction. minimum_fee: currency a fill. fee_tiers: mappings of ``volume``,
        ``maker`` and ``taker``, see docs/contracts.md. clearing: how contracts are cleared, as in scenario files.
        ``calendar`` (a name such as ``"xetra"``, or a mapping), ``auctions``, ``bands``, ``interruptions`` and
        ``circuit_breaker`` say what they say in scenario files: see docs/sessions.md.

        ``self_trades="cancel_newest"`` cancels an order that would trade with its own owner's.
        ``allocation="pro_rata"``, or a mapping with ``top_lots``, ``fifo_percent``, ``least_allocation`` and
        ``instruments``, lets the orders of a price share an aggressor by size.

        throttle: requests that it takes from each participant, such as ``"100/s"``, or ``("100/s", 20)`` with how many
        at once, or a mapping as in scenario files. cancel_on_disconnect: it cancels the orders of a session that has
        been down for so long. heartbeat: time between two heartbeats of a feed that loses messages.
        """
        symbols = []
        for instrument in instruments:
            symbol = instrument.symbol
            self._raw["instruments"][symbol] = instrument.terms()
            symbols.append(symbol)
        venue: dict[str, Any] = {
            "instruments": symbols,
            "fees": {"maker": maker_fee, "taker": taker_fee},
            "processing": format_duration(nanoseconds(processing)),
            "self_trades": self_trades,
        }
        for field, given in (("auction", auction_fee), ("minimum", minimum_fee)):
            if given is not None:
                venue["fees"][field] = given
        if fee_tiers is not None:
            venue["fees"]["tiers"] = [dict(tier) for tier in fee_tiers]
        if clearing is not None:
            venue["clearing"] = dict(clearing)
        further = {
            "host": host,
            "allocation": allocation if allocation is None or isinstance(allocation, str) else dict(allocation),
            "calendar": calendar,
            "auctions": auctions,
            "bands": bands,
            "interruptions": interruptions,
            "circuit_breaker": circuit_breaker,
        }
        venue |= {field: value for field, value in further.items() if value is not None}
        if throttle is not None:
            venue["throttle"] = _throttle(throttle)
        for field, delay in (("cancel_on_disconnect", cancel_on_disconnect), ("heartbeat", heartbeat)):
            if delay is not None:
                venue[field] = format_duration(nanoseconds(delay))
        self._put("venues", name, venue)
        return self

    def add_index(self, basket: Basket) -> Simulation:
        """Add an index over a basket of instruments; without a venue it is the first that trades all members."""
        index: dict[str, Any] = {
            "members": {symbol: str(weight) for symbol, weight in basket.members.items()},
            "divisor": str(basket.divisor),
            "price": basket.price,
            "interval": format_duration(basket.interval),
        }
        if basket.venue:
            index["venue"] = basket.venue
        self._raw.setdefault("indices", {})
        self._put("indices", basket.name, index)
        return self

    def add_feed(self, name: str, model: FeedModel, instrument: Instrument | None = None) -> Simulation:
        """Add an information feed, such as a fundamental value."""
        feed = _described("feed", model)
        if instrument is not None:
            feed["instrument"] = instrument.symbol
        self._put("feeds", name, feed)
        self._feeds[name] = model
        return self

    def add_agent(
        self,
        agent: Agent | CompiledAgent,
        name: str | None = None,
        *,
        latency: str | LatencyModel | None = None,
        computation: str | int = 0,
        cash: int | str = 1_000_000,
        collateral: Mapping[str, Any] | None = None,
        limits: Limits | str | None = None,
        instruments: Iterable[str] | None = None,
        venues: Iterable[str] | None = None,
        feeds: Iterable[str] | None = None,
        host: str | None = None,
        owner: str | None = None,
        copied_by: Iterable[str] | None = None,
        compiled: bool = True,
    ) -> Simulation:
        """Add one agent. Its parameters are its dataclass fields; its name decides its random draws.

        ``limits``: what risk control lets it do; ``"default"`` for the usual limits, none when left out.
        ``owner``: for whom it trades; a venue that prevents self-trades does so between all agents of one owner.
        ``copied_by``: the agents that may be told of its fills.
        """
        return self.add_agents(
            agent,
            1,
            name,
            latency=latency,
            computation=computation,
            cash=cash,
            collateral=collateral,
            limits=limits,
            instruments=instruments,
            venues=venues,
            feeds=feeds,
            host=host,
            owner=owner,
            copied_by=copied_by,
            compiled=compiled,
        )

    def add_agents(
        self,
        agent: Agent | CompiledAgent,
        count: int,
        name: str | None = None,
        *,
        latency: str | LatencyModel | None = None,
        computation: str | int = 0,
        cash: int | str = 1_000_000,
        collateral: Mapping[str, Any] | None = None,
        limits: Limits | str | None = None,
        instruments: Iterable[str] | None = None,
        venues: Iterable[str] | None = None,
        feeds: Iterable[str] | None = None,
        host: str | None = None,
        owner: str | None = None,
        copied_by: Iterable[str] | None = None,
        compiled: bool = True,
    ) -> Simulation:
        """Add ``count`` agents with the same parameters, named ``name.0``, ``name.1`` … (just ``name`` for one).

        ``compiled=False`` runs a compiled type from Python, event by event: the same run, slower, and with ``limits``.
        ``owner``: for whom they trade, see ``add_agent``; each for itself when left out.
        ``copied_by``: the agents that may be told of their fills; followers follow one that is alone.
        """
        key = name or _free_name(type(agent).__name__, self._raw["agents"])
        spec = {**_described("agent", agent), "count": count, "cash": cash}
        spec["computation"] = format_duration(nanoseconds(computation))
        if latency is not None:
            spec["latency"] = _described("latency", latency)
        for field, given in (
            ("instruments", instruments), ("venues", venues), ("feeds", feeds), ("copied_by", copied_by),
        ):  # fmt: skip
            if given is not None:
                spec[field] = list(given)
        spec |= {field: given for field, given in (("host", host), ("owner", owner)) if given is not None}
        if collateral is not None:
            spec["collateral"] = dict(collateral)
        if not compiled:
            spec["compiled"] = False
        if limits is not None:
            spec["limits"] = limits if isinstance(limits, str) else limits.terms()
        self._put("agents", key, spec)
        self._agents[key] = agent
        return self

    def add_fault(
        self, fault: Fault, agents: str | Iterable[str] | None = None, venues: str | Iterable[str] | None = None
    ) -> Simulation:
        """Something goes wrong between participants and venues, such as ``ms.Loss(0.01)``: all unless it is said which.

        ``agents`` names single agents, or keys for all agents of them.
        """
        entry = _described("fault", fault)
        for field, names in (("agents", agents), ("venues", venues)):
            if names is not None:
                entry[field] = [names] if isinstance(names, str) else list(names)
        self._raw["network"].setdefault("faults", []).append(entry)
        self._spec = None
        return self

    def limit_all(self, limits: Limits | str, agents: str | Iterable[str] | None = None) -> Simulation:
        """What risk control lets agents do together, as one firm; all that Python runs unless it says whom."""
        entry: dict[str, Any] = {"preset": limits} if isinstance(limits, str) else limits.terms()
        if agents is not None:
            entry["agents"] = [agents] if isinstance(agents, str) else list(agents)
        self._raw["risk"] = entry
        self._spec = None
        return self

    def kill_switch(
        self, at: str | int, agent: str | None = None, *, flatten: bool = False, duration: str | int | None = None
    ) -> Simulation:
        """Risk control stops an agent, or all that are written in Python, at a time after the start.

        Their open orders are canceled and nothing more of them passes, for ``duration`` or to the end; ``flatten``
        closes their positions.
        """
        entry: dict[str, Any] = {"at": _after_start(at), "type": "kill_switch", "agent": agent, "flatten": flatten}
        if duration is not None:
            entry["duration"] = format_duration(nanoseconds(duration))
        self._timeline({field: value for field, value in entry.items() if value is not None})
        return self

    def news(self, at: str | int, feed: str, shock: float) -> Simulation:
        """The value of a feed jumps by ``shock`` (in currency) at a time after the start."""
        self._timeline({"at": _after_start(at), "type": "news", "feed": feed, "shock": shock})
        return self

    def set_parameter(self, at: str | int, agent: str, parameter: str, value: Any) -> Simulation:
        """A parameter of a running Python agent changes at a time after the start."""
        entry = {"at": _after_start(at), "type": "set", "agent": agent, "parameter": parameter, "value": value}
        self._timeline(entry)
        return self

    def halt(
        self,
        at: str | int,
        instrument: str | None = None,
        *,
        duration: str | int | None = None,
        venue: str | None = None,
    ) -> Simulation:
        """Trading halts at a time after the start: of an instrument or of all, on a venue or on all.

        It is over after ``duration``, or when ``resume`` says so.
        """
        entry: dict[str, Any] = {"at": _after_start(at), "type": "halt", "instrument": instrument, "venue": venue}
        if duration is not None:
            entry["duration"] = format_duration(nanoseconds(duration))
        self._timeline({field: value for field, value in entry.items() if value is not None})
        return self

    def resume(self, at: str | int, instrument: str | None = None, *, venue: str | None = None) -> Simulation:
        """A halt is over at a time after the start; what follows is said by the venue's ``interruptions``."""
        entry = {"at": _after_start(at), "type": "resume", "instrument": instrument, "venue": venue}
        self._timeline({field: value for field, value in entry.items() if value is not None})
        return self

    # --- use ---

    @property
    def spec(self) -> ScenarioSpec:
        """The scenario, complete and checked."""
        if self._spec is None:
            self._spec = ScenarioSpec.from_dict(self._raw)
        return self._spec

    def start(self, folder: str | Path | None = None, *, profile: bool = False) -> Execution:
        """Build the market without running it: step through it, look inside, then finish it into a Run."""
        from marketsim.simulation.execution import Execution

        return Execution(
            self.spec,
            folder=folder,
            agents=self._agents,
            feeds=self._feeds,
            topology=self._topology,
            stepped=self._stepped,
            profile=profile,
        )

    def start_as(
        self,
        spec: ScenarioSpec,
        agents: Mapping[str, Agent | CompiledAgent] | None = None,
        folder: str | Path | None = None,
    ) -> Execution:
        """The same market by another spec: its own objects stand for what the spec has in common with it.

        agents: further objects by key. For environments, which vary the seed and who sits where.
        """
        from marketsim.simulation.execution import Execution

        return Execution(
            spec,
            folder=folder,
            agents={key: agent for key, agent in {**self._agents, **(agents or {})}.items() if key in spec.agents},
            feeds=self._feeds,
            topology=copy.deepcopy(self._topology),  # parties are put into it
            stepped=self._stepped,
        )

    def run(
        self,
        folder: str | Path | None = None,
        progress: Callable[[Progress], None] | None = None,
        *,
        profile: bool = False,
    ) -> Run:
        """Run to the end.

        folder: where to keep the result; in memory when left out.
        progress: is told now and then how far it is.
        profile: measure where the time goes, for ``run.profile``; it takes somewhat longer, the digest is the same.
        """
        return self.start(folder, profile=profile).run(progress)

    def as_mesa(self) -> Any:
        """A Mesa model of this market, whose agents stand for ours; needs the extra ``mesa``."""
        from marketsim.mesa_view import MarketModel

        return MarketModel(self)

    # --- inner ---

    def _put(self, section: str, name: str, entry: Mapping[str, Any]) -> None:
        if name in self._raw[section]:
            raise ConfigurationError(f'{section}: "{name}" is there already; choose another name')
        self._raw[section][name] = dict(entry)
        self._spec = None

    def _timeline(self, entry: Mapping[str, Any]) -> None:
        self._raw["timeline"].append(dict(entry))
        self._spec = None


def load(source: str | Path | Mapping[str, Any], overrides: Overrides = (), *, stepped: bool = False) -> Simulation:
    """The simulation of a scenario file, a ready scenario's name, or a mapping, with overrides applied."""
    return Simulation.from_spec(loader.check(source, overrides), stepped=stepped)


def _described(kind: str, thing: Any) -> dict[str, Any]:
    if isinstance(thing, (str, int)):
        return REGISTRY.describe(kind, REGISTRY.build(kind, "constant", {"latency": thing}))
    return REGISTRY.describe(kind, thing)


def _throttle(given: str | tuple[str, int] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    rate, burst = (given, None) if isinstance(given, (str, int)) else given
    return {"rate": rate, "burst": burst}


def _after_start(at: str | int) -> str:
    return format_duration(nanoseconds(at))


def _free_name(base: str, taken: Mapping[str, Any]) -> str:
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in base).lstrip("_")
    number = 2
    candidate = name
    while candidate in taken:
        candidate = f"{name}_{number}"
        number += 1
    return candidate
