"""Schedules of a scenario's venues as the compiled world takes them: plans, rules, price bands, breakers and halts.

Local times become nanoseconds of the run here, random ends are drawn, shares of prices become ticks. It changes no
phase.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from marketsim.brokers.simulated import Market
from marketsim.domain.order import Reason
from marketsim.domain.phase import BandAction
from marketsim.domain.schedule import Change, Night, changes, nights
from marketsim.errors import InvalidValueError
from marketsim.kernel.random import below, key_of, purpose_of
from marketsim.population.sessions import (
    HALT_DUE,
    LEVEL,
    NEVER_TRIGGERED,
    RESUME_DUE,
    RULES,
    SESSION,
    STEP,
    SessionPlan,
    level_below,
)
from marketsim.population.state import NIGHT
from marketsim.scenario.sessions import AuctionsSpec, BandsSpec, BreakerSpec, InterruptionsSpec
from marketsim.scenario.shocks import Halt

if TYPE_CHECKING:
    from marketsim.domain.instrument import Instrument
    from marketsim.exchange.core import MatchingCore
    from marketsim.population.engine import Engine
    from marketsim.scenario.spec import ScenarioSpec, ShockSpec, VenueSpec

_RANDOM_END = purpose_of("random end")
_ACTIONS = {"refuse": BandAction.REFUSE, "auction": BandAction.INTERRUPT, "halt": BandAction.HALT}
_MILLIONTHS = Decimal(1_000_000)
_LARGEST = 1 << 53
_OPEN: list[Change] = []


class Bands(NamedTuple):
    """Price bands of one market, in ticks. static: around the price of each auction, in millionths of it; 0: fixed."""

    low: int
    high: int
    dynamic: int
    action: BandAction
    static: int


def wanted(spec: ScenarioSpec) -> bool:
    """Whether any venue of a scenario is ever closed or interrupted."""
    interrupted = any(entry.type in ("halt", "resume") for entry in spec.timeline)
    return interrupted or any(
        part is not None
        for venue in spec.venues.values()
        for part in (venue.calendar, venue.bands, venue.circuit_breaker)
    )


def plans_of(spec: ScenarioSpec) -> dict[str, list[Change]]:
    """The planned changes of each venue; none for one that is always open."""
    local = spec.local_time
    return {
        name: _OPEN
        if venue.calendar is None or local is None
        else changes(venue.calendar.calendar(), local, spec.start, spec.end)
        for name, venue in spec.venues.items()
    }


def nights_of(spec: ScenarioSpec) -> list[Night]:
    """When all venues are closed."""
    if any(venue.calendar is None for venue in spec.venues.values()):
        return []
    return nights(plans_of(spec).values(), spec.end)


def add_schedules(spec: ScenarioSpec, markets: Sequence[Market], core: MatchingCore, engine: Engine) -> None:
    """Tell the compiled world when its venues trade. Before any agent is there: phases change before agents act."""
    if not wanted(spec):
        return
    plans = plans_of(spec)
    rules = np.zeros(len(spec.venues), RULES)
    sessions = np.zeros(len(markets), SESSION)
    steps: list[tuple[int, int]] = []
    levels: list[tuple[int, int, int, int]] = []
    numbers = {name: number for number, name in enumerate(spec.venues)}
    for name, venue in spec.venues.items():
        own = [market.number for market in markets if market.venue == name]
        _fill_rules(rules[numbers[name] : numbers[name] + 1], venue, own)
    for market in markets:
        row = sessions[market.number : market.number + 1]
        name, venue = market.venue, spec.venues[market.venue]
        key = key_of(spec.seed, f"{name}/{market.instrument.symbol}")
        row["venue"], row["key"], row["trigger"] = numbers[name], key, NEVER_TRIGGERED
        row["step"] = len(steps)
        steps.extend(_drawn(plans[name], key))
        row["steps_end"] = len(steps)
        if venue.bands is not None:
            bands = bands_of(venue.bands, market.instrument)
            row["static"] = bands.static
            core.set_bands(market.number, bands.low, bands.high, bands.dynamic, int(bands.action))
        row["breaker"], row["counted"] = market.number, market.instrument.reference
    for name, venue in spec.venues.items():
        if venue.circuit_breaker is not None:
            _watch(spec, name, venue.circuit_breaker, markets, sessions, levels)
    engine.add_sessions(
        SessionPlan(sessions, rules, np.array(steps, STEP), np.array(levels, LEVEL), np.array(nights_of(spec), NIGHT))
    )
    _add_halts(spec, markets, engine)


def _fill_rules(row: Any, venue: VenueSpec, markets: Sequence[int]) -> None:
    auctions, interruptions = venue.auctions or AuctionsSpec(), venue.interruptions or InterruptionsSpec()
    row["interval"], row["extensions"] = auctions.interval, auctions.extensions
    row["extension"] = auctions.extension
    row["auction"], row["random_end"] = interruptions.auction, interruptions.random_end
    row["halt"], row["reopens"] = interruptions.halt, int(interruptions.reopening == "auction")
    row["first"], row["last"] = (markets[0], markets[-1]) if markets else (0, -1)


def _drawn(plan: Sequence[Change], key: int) -> Iterator[tuple[int, int]]:
    """Times and phases of one market, each random end drawn."""
    for number, change in enumerate(plan):
        ahead = int(below(key, _RANDOM_END, number, change.earlier + 1)) if change.earlier else 0
        yield change.time - ahead, int(change.phase)


def bands_of(spec: BandsSpec, instrument: Instrument) -> Bands:
    """The bands of a market before anything has traded, rounded inwards to ticks."""
    reference = instrument.reference
    static = 0 if spec.static is None else int(spec.static * _MILLIONTHS)
    far = abs(reference) * static // 1_000_000
    low, high = (reference - far, reference + far) if static else (-(1 << 53), 1 << 53)
    if spec.low is not None:
        low = int(-(-spec.low // instrument.tick_size))
    if spec.high is not None:
        high = int(spec.high // instrument.tick_size)
    dynamic = 0 if spec.dynamic is None else max(1, int(abs(reference) * spec.dynamic))
    return Bands(low, high, dynamic, _ACTIONS[spec.action], static)


def _watch(
    spec: ScenarioSpec,
    name: str,
    breaker: BreakerSpec,
    markets: Sequence[Market],
    sessions: Any,
    levels: list[tuple[int, int, int, int]],
) -> None:
    """Fill in what the circuit breaker of a venue watches; the session of the first such market keeps its state."""
    weights = _weights(spec, name, breaker)
    watched = [market for market in markets if market.venue == name and market.instrument.symbol in weights]
    state = watched[0].number
    for market in watched:
        sessions["breaker"][market.number], sessions["weight"][market.number] = state, weights[market.instrument.symbol]
    worth = sum(weights[market.instrument.symbol] * market.instrument.reference for market in watched)
    if sum(weights[market.instrument.symbol] * abs(market.instrument.reference) for market in watched) >= _LARGEST:
        raise InvalidValueError(
            f"venues.{name}.circuit_breaker.index: the weights of {breaker.index} have too many digits beside its "
            "members' ticks to be added up exactly: round them"
        )
    sessions["worth"][state], sessions["first_level"][state] = worth, len(levels)
    for level in breaker.levels:
        fall = int(level.fall * _MILLIONTHS)
        levels.append((fall, level.halt or 0, int(level_below(worth, fall)), 0))
    sessions["levels_end"][state] = len(levels)
    sessions["trigger"][state] = levels[int(sessions["first_level"][state])][2]


def _weights(spec: ScenarioSpec, name: str, breaker: BreakerSpec) -> dict[str, int]:
    """What a tick of each watched instrument counts, in whole numbers: 1 for one alone, else as in the index."""
    if breaker.index is None:
        return {breaker.instrument or spec.instruments_of(name)[0]: 1}
    members = spec.basket(breaker.index).members
    exact = {
        symbol: Fraction(weight) * Fraction(spec.instrument(symbol).tick_size) for symbol, weight in members.items()
    }
    whole = lcm(*(share.denominator for share in exact.values()))
    counts = {symbol: int(share * whole) for symbol, share in exact.items()}
    common = gcd(*counts.values())
    return {symbol: count // common for symbol, count in counts.items()}


def _add_halts(spec: ScenarioSpec, markets: Sequence[Market], engine: Engine) -> None:
    for entry in spec.timeline:
        if entry.type not in ("halt", "resume"):
            continue
        length = Halt(**entry.arguments()).duration or 0 if entry.type == "halt" else 0
        what = HALT_DUE if entry.type == "halt" else RESUME_DUE
        for market in markets:
            if _concerns(entry, market):
                engine.remind(spec.start + entry.at, market.number, what, int(length), int(Reason.SCHEDULE))


def _concerns(entry: ShockSpec, market: Market) -> bool:
    return entry.venue in (None, market.venue) and entry.instrument in (None, market.instrument.symbol)
