"""The scenario: what is to be simulated, as frozen facts that are the same whether YAML, Python or overrides made them.

A ``ScenarioSpec`` holds integers of nanoseconds and exact decimals and knows how to write itself in one canonical form.
It builds nothing: agents, latencies, feeds and shocks are type names with parameters, which the registry resolves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, PlainSerializer, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from marketsim.domain import units
from marketsim.domain.basket import Basket
from marketsim.domain.clearing import ClearingRules
from marketsim.domain.fees import Fee, FeeSchedule, FeeTier
from marketsim.domain.instrument import Instrument
from marketsim.domain.local_time import LocalTime
from marketsim.errors import InvalidValueError
from marketsim.scenario import yaml
from marketsim.scenario.crosscheck import cross_findings
from marketsim.scenario.document import Finding
from marketsim.scenario.environment import escape
from marketsim.scenario.fields import (
    LARGEST,
    Amount,
    Balances,
    Count,
    Duration,
    Frequency,
    Name,
    Names,
    Number,
    Parameters,
    Rate,
    Span,
    Step,
    Symbol,
    Text,
    TimeOfDay,
    Truth,
    TypeName,
    Weights,
    Whole,
)
from marketsim.scenario.frozen import FrozenMapping, thaw
from marketsim.scenario.limits import LimitsSpec, RiskSpec
from marketsim.scenario.section import Section
from marketsim.scenario.sessions import (
    AuctionsSpec,
    BandsSpec,
    BreakerSpec,
    CalendarSpec,
    Day,
    InterruptionsSpec,
    Zone,
)

Overrides: TypeAlias = Iterable[str] | Mapping[str, Any]

SCHEMA = 1  # the version of scenario files that this build writes


def _escaped(value: Any) -> Any:
    """What a file must say so that its environment variables are not filled in when it is read."""
    if isinstance(value, dict):
        return {name: _escaped(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_escaped(part) for part in value]
    return escape(value) if isinstance(value, str) else value


def _not_spot(kind: str) -> str | None:
    """Spot is what holds without saying, so it is not written."""
    return None if kind == "spot" else kind


def _only_false(value: bool) -> bool | None:
    """True is what holds without saying, so it is not written: equal scenarios have equal forms."""
    return None if value else False


def _only_shared(allocation: AllocationSpec) -> AllocationSpec | None:
    """Time priority is what holds without saying, so it is not written."""
    return None if allocation.rule == "price_time" else allocation


M = TypeVar("M", bound="Section")


class CrossCheckError(InvalidValueError):
    """Parts of a scenario that do not fit each other; carries the findings."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, findings)))


def _sorted(entries: Mapping[str, M]) -> Mapping[str, M]:
    return FrozenMapping(dict(sorted(entries.items())))


def _written(entries: Mapping[str, Section]) -> dict[str, Any]:
    return {name: section.to_dict() for name, section in entries.items()}


_ByName: TypeAlias = Annotated[
    Mapping[Name, M], AfterValidator(_sorted), PlainSerializer(_written)
]  # in the order of the names, so that no result depends on the order in a file
_BySymbol: TypeAlias = Annotated[Mapping[Symbol, M], AfterValidator(_sorted), PlainSerializer(_written)]


class TypedSection(Section):
    """A type name and the parameters of that type, which stand beside ``type`` or under ``parameters``."""

    # Written as a mapping of their own only where a parameter has the name of a field.
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update(additionalProperties=True))

    type: TypeName = Field(description='a built-in name, "package.module:Class", or the name of an installed plug-in')
    parameters: Parameters = Field(default_factory=FrozenMapping, description="the type's parameters")

    @classmethod
    def prepare(cls, given: Any) -> Any:
        """Move what is not a field among the parameters."""
        given = super().prepare(given)
        if not isinstance(given, Mapping):
            return given
        flat = {name: value for name, value in given.items() if name not in cls.model_fields}
        nested = given.get("parameters", {})
        if not flat or not isinstance(nested, Mapping):
            return given
        if twice := sorted(flat.keys() & nested.keys()):
            raise InvalidValueError(
                f'the parameter "{twice[0]}" is given twice, with and without "parameters": keep one'
            )
        return {**{n: v for n, v in given.items() if n in cls.model_fields}, "parameters": {**nested, **flat}}

    def to_dict(self) -> dict[str, Any]:
        """The canonical form, with the parameters beside the type."""
        written = super().to_dict()
        parameters = written.pop("parameters")
        nested = {name: value for name, value in parameters.items() if name in type(self).model_fields}
        flat = {name: value for name, value in parameters.items() if name not in nested}
        return {**written, **flat, **({"parameters": nested} if nested else {})}

    def arguments(self) -> dict[str, Any]:
        """The parameters as plain dictionaries and lists, for the registry."""
        arguments: dict[str, Any] = thaw(self.parameters)
        return arguments


class LatencySpec(TypedSection):
    """A latency model. Text such as ``150us`` means ``{type: constant, latency: 150us}``."""

    @classmethod
    def prepare(cls, given: Any) -> Any:
        """Accept a bare duration."""
        if isinstance(given, (str, int)) and not isinstance(given, bool):
            given = {"type": "constant", "latency": constant_latency(given)}
        return super().prepare(given)


def constant_latency(value: object) -> str:
    """The canonical text of a latency that is written as a bare duration."""
    try:
        delay = units.duration(value)
    except InvalidValueError as error:
        raise InvalidValueError(f'{error}, or a mapping such as {{type: lognormal, median: "100us"}}') from None
    if delay < 0:
        raise InvalidValueError(f"{value} must not be below zero")
    return units.format_duration(delay)


_Latency: TypeAlias = Annotated[LatencySpec, PlainSerializer(LatencySpec.to_dict)]


class FeeTierSpec(Section):
    """The fees of those who have traded more."""

    volume: Step = Field(description="value of own fills so far, in this instrument on this venue, from which it holds")
    maker: Rate = Field(default=Fee(), description="as for everyone")
    taker: Rate = Field(default=Fee(), description="as for everyone")
    auction: Rate | None = Field(default=None, description="as for everyone")

    def tier(self) -> FeeTier:
        """The domain's tier."""
        return FeeTier(self.volume, self.maker, self.taker, self.auction)


class FeesSpec(Section):
    """What a venue takes from each trade, by side."""

    maker: Rate = Field(default=Fee(), description="from the resting order; below zero it is a rebate")
    taker: Rate = Field(default=Fee(), description="from the order that trades at once")
    auction: Rate | None = Field(default=None, description="from both sides in an auction; the taker's when left out")
    minimum: Amount | None = Field(default=None, description="least amount of currency for a fill that costs anything")
    tiers: (
        Annotated[tuple[FeeTierSpec, ...], PlainSerializer(lambda tiers: [tier.to_dict() for tier in tiers])] | None
    ) = Field(default=None, description="other fees from a traded value on, in rising order")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        self.schedule()
        return self

    def schedule(self) -> FeeSchedule:
        """The domain's schedule."""
        tiers = tuple(tier.tier() for tier in self.tiers or ())
        return FeeSchedule(self.maker, self.taker, self.auction, self.minimum or units.decimal(0), tiers)


class ClearingSpec(Section):
    """How a venue clears contracts."""

    mark: Literal["mid", "last", "index"] = Field(
        default="mid",
        description="what positions are valued at: the mid (else the last trade), the last trade, the index",
    )
    every: Span = Field(default=units.SECOND, description="how often; at multiples of it after midnight")
    index: Text | None = Field(
        default=None, description="the feed that is the index of contracts whose underlying is not traded"
    )
    settle_every: Span = Field(default=units.DAY, description="how often futures are settled")
    settle_at: TimeOfDay = Field(default=0, description='when, such as "16:00"')
    margin: Truth = Field(default=True, description="refuse orders without margin, close positions without it")
    liquidation_fee: Rate = Field(default=Fee(), description="of what was closed by force, to the insurance fund")
    insurance_fund: Amount = Field(default=units.decimal(0), description="currency in each fund at the start")

    def rules(self) -> ClearingRules:
        """The domain's rules."""
        return ClearingRules(
            self.mark,
            self.every,
            self.settle_every,
            self.settle_at,
            self.margin,
            self.liquidation_fee,
            self.insurance_fund,
        )


class ThrottleSpec(Section):
    """How many requests a venue takes from each participant; those above it are refused with reason THROTTLED."""

    rate: Frequency = Field(description='how many requests a participant may send in the long run, such as "100/s"')
    burst: Count | None = Field(
        default=None, description="how many at once; as many as in one unit of time of the rate"
    )
    cancels: Truth = Field(default=True, description="whether cancels count")

    @model_validator(mode="after")
    def _fits_integers(self) -> Self:
        count, period = self.rate
        if (self.burst or count) * period > LARGEST // 2:
            raise InvalidValueError("the burst is too large for its rate: write fewer")
        return self

    @property
    def bucket(self) -> tuple[int, int, int]:
        """So many requests in so many ns, and so many at once."""
        return (*self.rate, self.burst or self.rate[0])


class AllocationSpec(Section):
    """How the orders of a price share who trades with them. Text such as ``pro_rata`` means ``{rule: pro_rata}``."""

    rule: Literal["price_time", "pro_rata"] = Field(
        default="pro_rata", description="by time, as when all of this is left out, or by size"
    )
    top_lots: Whole = Field(default=0, description="lots that go to the first in time before anything is shared")
    fifo_percent: Whole = Field(default=0, description="percent of the rest that goes by time, 0 to 100")
    least_allocation: Whole = Field(default=0, description="lots below which a share counts as none")
    instruments: Names | None = Field(default=None, description="for which; all that the venue trades when left out")

    @classmethod
    def prepare(cls, given: Any) -> Any:
        """Accept the name of a rule."""
        return super().prepare({"rule": given} if isinstance(given, str) else given)

    @field_validator("fifo_percent", mode="after")
    @classmethod
    def _a_share(cls, percent: int) -> int:
        if percent > 100:
            raise InvalidValueError(f"{percent} is more than all: write a percentage from 0 to 100")
        return percent

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.rule == "price_time" and (self.top_lots or self.fifo_percent or self.least_allocation):
            raise InvalidValueError("price_time shares nothing: leave the lots and the percentage out, or say pro_rata")
        return self


class VenueSpec(Section):
    """One venue."""

    instruments: Names | None = Field(default=None, description="what it trades; everything when left out")
    fees: FeesSpec = Field(default_factory=FeesSpec)
    processing: Duration = Field(default=0, description="time the venue takes for each message")
    self_trades: Literal["allow", "cancel_newest", "cancel_oldest", "cancel_both", "decrement"] = Field(
        default="allow", description="what becomes of an order that would trade with its own owner's"
    )
    allocation: Annotated[AllocationSpec, AfterValidator(_only_shared)] | None = Field(
        default=None, description="how the orders of a price share who trades with them; by time when left out"
    )
    host: Text | None = Field(default=None, description="where it stands in the topology; its own name when left out")
    clearing: ClearingSpec | None = Field(
        default=None, description="how its contracts are cleared; defaults if left out"
    )
    calendar: CalendarSpec | None = Field(default=None, description="when it trades; always when left out")
    auctions: AuctionsSpec | None = Field(default=None, description="how its auctions go")
    bands: BandsSpec | None = Field(default=None, description="prices outside of which nothing trades")
    interruptions: InterruptionsSpec | None = Field(default=None, description="how long interruptions last")
    circuit_breaker: BreakerSpec | None = Field(default=None, description="falls at which the whole venue halts")
    throttle: ThrottleSpec | None = Field(
        default=None, description="how many requests it takes from each participant; any number when left out"
    )
    cancel_on_disconnect: Duration | None = Field(
        default=None,
        description="it cancels the orders of a session that has been down for so long; never when left out",
    )
    heartbeat: Span | None = Field(
        default=None, description="time between two heartbeats of a feed that may lose messages; 1s when left out"
    )

    @field_validator("instruments", mode="after")
    @classmethod
    def _in_order(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if names is None else tuple(sorted(names))


def first_zone(venues: Iterable[VenueSpec]) -> str:
    """The time zone of the first venue that has a calendar; UTC where none has."""
    return next((venue.calendar.calendar().time_zone for venue in venues if venue.calendar is not None), "UTC")


class InstrumentSpec(Section):
    """One instrument, without its symbol, which is its key."""

    tick_size: Step = Field(default=Instrument("-").tick_size, description="smallest price step, in currency")
    lot_size: Step = Field(default=Instrument("-").lot_size, description="smallest quantity step, in units")
    reference_price: Amount = Field(
        default=Instrument("-").reference_price, description="price that agents start from, a multiple of tick_size"
    )
    currency: Text = Field(default="USD", description="what prices are paid in")
    kind: Annotated[
        Literal["spot", "perpetual", "inverse_perpetual", "future", "option"], AfterValidator(_not_spot)
    ] | (None) = Field(
        default=None, description="spot, perpetual (linear), inverse_perpetual, future or option (European, cash)"
    )
    multiplier: Step | None = Field(
        default=None, description="units of the underlying in one; inverse: currency in one"
    )
    settlement: Text | None = Field(
        default=None, description="currency of margin and profit; an inverse contract's coin"
    )
    underlying: Text | None = Field(default=None, description="the instrument whose price is the index")
    expiry: TimeOfDay | None = Field(default=None, description='when a future or option is settled, such as "16:00"')
    strike: Step | None = Field(default=None, description="of an option, a multiple of tick_size")
    right: Literal["call", "put"] | None = Field(default=None, description="of an option: call or put")
    initial_margin: Step | None = Field(default=None, description="share of the notional to open a position; 0.1")
    maintenance_margin: Step | None = Field(default=None, description="share of the notional to keep it; 0.05")
    funding_every: Span | None = Field(default=None, description="how often a perpetual pays funding; 8h")
    funding_rate: Number | None = Field(
        default=None, description="paid by longs each time, share of the notional; the mean premium when left out"
    )
    funding_cap: Step | None = Field(default=None, description="the largest rate either way; 0.0075")
    min_notional: Amount | None = Field(default=None, description="least value of an order, in currency of settlement")
    max_notional: Step | None = Field(default=None, description="largest value of an order")
    price_band: Step | None = Field(default=None, description="share by which a limit may differ from the mark")
    sector: Text | None = Field(default=None, description="a tag")
    asset_class: Text | None = Field(default=None, description="a tag")
    basket: Text | None = Field(default=None, description="the index that it stands for, as a fund's share does")

    @field_validator("reference_price", mode="after")
    @classmethod
    def _on_a_tick(cls, price: Any, info: ValidationInfo) -> Any:
        if "tick_size" in info.data:
            units.steps(price, info.data["tick_size"], "price")
        return price

    def instrument(self, symbol: str) -> Instrument:
        """The domain's instrument."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return Instrument(symbol, **{name: value for name, value in given.items() if value is not None})


class IndexSpec(Section):
    """An index over a basket of instruments; see ``domain.basket.Basket``."""

    members: Weights = Field(description="weight of each member by symbol, in units of it, above zero")
    divisor: Step | None = Field(default=None, description="what the basket's worth is divided by; 1 when left out")
    base: Step | None = Field(default=None, description="value at the reference prices, instead of a divisor")
    price: Literal["mid", "last"] = Field(default="mid", description="which price of a member counts")
    venue: Text | None = Field(
        default=None, description="whose prices count; the first venue that trades all members when left out"
    )
    interval: Duration = Field(default=0, description="time between two values that are told; 0 tells each change")


class FaultSpec(TypedSection):
    """Something that goes wrong between participants and venues: between all of them unless it says which."""

    agents: Names | None = Field(default=None, description="whom it concerns, by name or key; everybody when left out")
    venues: Names | None = Field(default=None, description="where; everywhere when left out")

    def concerns(self, name: str, key: str, venue: str) -> bool:
        """Whether it happens between an agent (its own name and its key in the scenario) and a venue."""
        chosen = self.agents is None or name in self.agents or key in self.agents
        return chosen and (self.venues is None or venue in self.venues)


_Faults: TypeAlias = Annotated[
    tuple[FaultSpec, ...],
    AfterValidator(lambda faults: faults or None),
    PlainSerializer(lambda faults: [fault.to_dict() for fault in faults]),
]


class NetworkSpec(Section):
    """How long messages travel: one latency for everyone who names none, or a topology of hosts and links."""

    latency: _Latency = Field(
        default_factory=lambda: LatencySpec.model_validate("100us"), description="of everyone who names none"
    )
    topology: Parameters | None = Field(default=None, description="hosts and links, or {preset: name}")
    faults: _Faults | None = Field(
        default=None, description="what goes wrong: losses, spikes, disconnects, duplicates, delays; nothing by default"
    )


class FeedSpec(TypedSection):
    """An information feed: what is not market data, such as a fundamental value."""

    instrument: Text | None = Field(default=None, description="the instrument that it is about")


class AgentSpec(TypedSection):
    """One agent, or ``count`` alike."""

    count: Count = Field(default=1, description="how many of them")
    latency: _Latency | None = Field(default=None, description="to and from the venues; the network's when left out")
    computation: Duration = Field(default=0, description="time it takes to decide")
    cash: Amount = Field(default=units.decimal(1_000_000), description="currency that each begins with")
    host: Text | None = Field(default=None, description="where it stands in the topology")
    instruments: Names | None = Field(default=None, description="what it may see and trade; everything when left out")
    venues: Names | None = Field(default=None, description="where it may trade; everywhere when left out")
    feeds: Names | None = Field(default=None, description="the feeds it is subscribed to; all when left out")
    compiled: Annotated[Truth, AfterValidator(_only_false)] | None = Field(
        default=None, description="false: a compiled type runs from Python, event by event; the same run, but slower"
    )
    collateral: Balances | None = Field(
        default=None,
        description="what is at the clearing house, by settlement currency; all its cash of one when left out",
    )
    limits: LimitsSpec | None = Field(default=None, description="its own limits; none when left out")
    owner: Text | None = Field(
        default=None, description="for whom it trades: orders of one owner are own to each other; itself when left out"
    )

    copied_by: Names | None = Field(
        default=None, description="the agents that may be told of its fills; nobody when left out"
    )

    def names(self, name: str) -> tuple[str, ...]:
        """The name of each agent: the key itself for one, ``noise.0``, ``noise.1`` … for several."""
        return (name,) if self.count == 1 else tuple(f"{name}.{number}" for number in range(self.count))


class ShockSpec(TypedSection):
    """One entry of the timeline: news, or a change of an agent's parameter. ``at`` counts from the start of the run."""

    at: Duration = Field(description='when it happens: "10min" after the start, or a time of day such as "10:15"')
    agent: Text | None = Field(default=None, description="the agent, or all agents of that key, that it concerns")
    feed: Text | None = Field(default=None, description="the feed that it concerns")
    instrument: Text | None = Field(default=None, description="the instrument that it concerns")
    venue: Text | None = Field(default=None, description="the venue that it concerns")


class RecordSpec(Section):
    """What a run keeps."""

    log: Truth = Field(default=True, description="keep every event of every venue, not only the digest")


class ScenarioSpec(Section):
    """A whole scenario. Make one with ``load``, ``check`` or ``ScenarioSpec.from_dict``, which read old forms too."""

    VERSION: ClassVar[int] = SCHEMA

    name: Text = Field(default="scenario", description="what reports call it")
    description: Text = Field(default="", description="what it shows, in a line or two")
    seed: Whole = Field(default=0, description="same scenario, seed and build: same digest")
    date: Day | None = Field(default=None, description="the first day, such as 2026-03-05, where there are calendars")
    time_zone: Zone | None = Field(
        default=None, description="of the date and the start; that of the first venue with a calendar when left out"
    )
    start: TimeOfDay = Field(default=0, description='time of day at which the run begins, such as "09:30"')
    duration: Span = Field(description='how long it runs, such as "30min"')
    warm_up: Duration = Field(default=0, description="how much of the beginning analysis leaves out")
    grid: Span = Field(default=1, description="the times at which anything happens are rounded up to multiples of this")
    venues: _ByName[VenueSpec] = Field(description="the venues by name, at least one")
    instruments: _BySymbol[InstrumentSpec] = Field(description="the instruments by symbol, at least one")
    network: NetworkSpec = Field(default_factory=NetworkSpec)
    indices: _ByName[IndexSpec] | None = Field(default=None, description="indices over baskets of instruments by name")
    feeds: _ByName[FeedSpec] = Field(default_factory=FrozenMapping, description="information feeds by name")
    agents: _ByName[AgentSpec] = Field(default_factory=FrozenMapping, description="agents by name")
    risk: RiskSpec | None = Field(default=None, description="limits of all agents together; none when left out")
    timeline: Annotated[
        tuple[ShockSpec, ...], PlainSerializer(lambda shocks: [shock.to_dict() for shock in shocks])
    ] = Field(default=(), description="shocks and news")
    record: RecordSpec = Field(default_factory=RecordSpec)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if findings := list(cross_findings(self.to_dict())):
            raise CrossCheckError(findings)
        if self.start + self.duration > LARGEST:
            raise InvalidValueError("the run ends after the last nanosecond that can be counted: shorten it")
        return self

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> ScenarioSpec:
        """The spec of a mapping as YAML would give it; ScenarioError names everything that is wrong with it."""
        from marketsim.scenario.loader import load  # the loader builds on this module

        return load(given)

    def with_overrides(self, overrides: Overrides) -> ScenarioSpec:
        """The spec with ``"agents.mm.gamma=0.2"``, or a mapping of paths to values, applied; null removes."""
        from marketsim.scenario.loader import load  # the loader builds on this module

        return load(self, overrides)

    @property
    def end(self) -> int:
        """Nanoseconds after midnight at which the run is over."""
        return self.start + self.duration

    @property
    def local_time(self) -> LocalTime | None:
        """The dates of the run; None when the scenario names no date."""
        if self.date is None:
            return None
        return LocalTime(self.date, self.start, self.time_zone or first_zone(self.venues.values()))

    def to_dict(self) -> dict[str, Any]:
        """The canonical mapping: every field with its value, names in order; ``from_dict`` reads it back."""
        return {"schema": SCHEMA, **super().to_dict()}

    def to_yaml(self) -> str:
        """The canonical mapping as a scenario file."""
        return yaml.write(_escaped(self.to_dict()))

    def to_json(self) -> str:
        """The canonical mapping as JSON with sorted keys and nothing superfluous."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    def fingerprint(self) -> str:
        """32 hexadecimal digits, equal for equal scenarios however they were written."""
        return hashlib.blake2b(self.to_json().encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def instrument(self, symbol: str) -> Instrument:
        """The domain's instrument of a symbol."""
        return self.instruments[symbol].instrument(symbol)

    def instruments_of(self, venue: str) -> tuple[str, ...]:
        """The symbols that a venue trades, in order."""
        chosen = self.venues[venue].instruments
        return tuple(self.instruments) if chosen is None else chosen

    def basket(self, name: str) -> Basket:
        """The basket of an index, its venue and divisor filled in."""
        index = (self.indices or {})[name]
        markets = [(venue, self.instrument(symbol)) for venue in self.venues for symbol in self.instruments_of(venue)]
        terms = (index.divisor, index.base, index.price, index.venue, index.interval)
        return Basket.described(name, index.members, *terms, markets=markets)

    def participants(self) -> Iterator[tuple[str, str, AgentSpec]]:
        """Every single agent: its own name, its key in the scenario and its spec, in an order that no file decides."""
        for key, agent in self.agents.items():
            for name in agent.names(key):
                yield name, key, agent

    def __hash__(self) -> int:
        return hash(self.to_json())
