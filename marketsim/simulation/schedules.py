"""Schedules of a scenario's venues as the compiled world takes them: plans, rules, price bands, breakers and halts.

Local times become nanoseconds of the run here, random ends are drawn, shares of prices become ticks. It changes no
phase.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from marketsim.brokers.simulated import Market
from marketsim.domain.order import Reason
from marketsim.domain.phase import BandAction
from marketsim.domain.schedule import Change, Night, changes, nights
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
)
from marketsim.population.state import NIGHT
from marketsim.scenario.sessions import AuctionsSpec, BandsSpec, InterruptionsSpec
from marketsim.scenario.shocks import Halt

if TYPE_CHECKING:
    from marketsim.domain.instrument import Instrument
    from marketsim.exchange.core import MatchingCore
    from marketsim.population.engine import Engine
    from marketsim.scenario.spec import ScenarioSpec, ShockSpec, VenueSpec

_RANDOM_END = purpose_of("random end")
_ACTIONS = {"refuse": BandAction.REFUSE, "auction": BandAction.INTERRUPT, "halt": BandAction.HALT}
_MILLIONTHS = Decimal(1_000_000)
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
        row["first_level"] = row["levels_end"] = len(levels)
        if _is_watched(spec, name, market.instrument):
            levels.extend(_levels(venue, market.instrument))
            row["levels_end"], row["trigger"] = len(levels), levels[int(row["first_level"][0])][2]
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


def _is_watched(spec: ScenarioSpec, name: str, instrument: Instrument) -> bool:
    breaker = spec.venues[name].circuit_breaker
    if breaker is None:
        return False
    return (breaker.instrument or spec.instruments_of(name)[0]) == instrument.symbol


def _levels(venue: VenueSpec, instrument: Instrument) -> Iterator[tuple[int, int, int, int]]:
    for level in venue.circuit_breaker.levels if venue.circuit_breaker is not None else ():
        fall = int(level.fall * _MILLIONTHS)
        yield fall, level.halt or 0, instrument.reference - abs(instrument.reference) * fall // 1_000_000, 0


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
