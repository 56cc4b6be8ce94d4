"""Assignment: the units that a trader of a double auction may trade, what each is worth or costs, when there are new.

The schedule of zero-intelligence and classic traders. Records hold ASSIGNMENT_FIELDS, ``fill_assignment`` writes them,
and the functions below tell the present unit. ``schedule_of`` puts the assignments of all agents together.
It decides no price.

``values`` are a buyer's redemption values or a seller's costs, in the order in which the units are traded; with
``steps`` so many evenly spaced ones from the first to the last of two. ``dealt`` deals them out among the agents of the
same key in turn. After each ``period`` (a trading day) all units may be traded again. With ``replenish="drip"`` units
come one at a time, a new one after every ``period`` / units, which takes the place of the one before; agents of the
same key have their turns spread evenly over that time.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from marketsim.agents.checks import check_choice, to_duration, to_numbers, to_whole
from marketsim.domain.instrument import Instrument
from marketsim.domain.supply_and_demand import Schedule, Units, dealt, evenly
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, compiled
from marketsim.population.policy import timer_at
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.spec import ScenarioSpec

UNITS = 64  # the most that one trader may have
Replenish: TypeAlias = Literal["period", "drip"]
SIDES = {"buy": 1, "sell": -1}

VALUES: dict[str, Any] = {"unit": "price", "help": "what each unit is worth to a buyer or costs a seller, currency"}
DEALT: dict[str, Any] = {"help": "deal the values out among the agents in turn, instead of all to each"}
STEPS: dict[str, Any] = {
    "help": "so many evenly spaced values from the first to the last of the two given; as listed when left out"
}
PERIOD: dict[str, Any] = {
    "unit": "duration",
    "help": "time after which all units may be traded again; never when left out",
}
REPLENISH: dict[str, Any] = {
    "help": "when units come: period: all at its beginning; drip: one at a time, a new one after every period / units"
}
LOTS: dict[str, Any] = {"help": "lots of a unit"}

ASSIGNMENT_FIELDS: list[tuple[Any, ...]] = [
    ("side", np.int64),  # +1 buys, -1 sells
    ("interval", np.int64),  # ns between new units; 0 for never
    ("drip", np.int64),  # whether they come one at a time
    ("offset", np.int64),  # ns until the first one comes, of a drip
    ("ends", np.int64),  # ns at which the present units are replaced; 0 for never
    ("units", np.int64),  # of the schedule
    ("worth", np.float64, (UNITS,)),  # ticks, of the units in the order of trading
    ("quantity", np.int64),  # lots of a unit
    ("first", np.int64),  # the first of the units that are there
    ("there", np.int64),  # how many
    ("filled", np.int64),  # lots of these traded
    ("stale", np.int64),  # whether the order in the market is for a unit that has been replaced
]


# --- in policies ---


@compiled
def begin_units(me: Record, now: int, out: Record) -> None:
    """The run begins: units are there, or the first one of a drip is on its way."""
    if me.drip != 0:
        me.there = 0
        me.first = -1
        timer_at(out, now + me.offset, 0)
        return
    me.there = me.units
    if me.interval > 0:
        me.ends = now + me.interval
        timer_at(out, me.ends, 0)


@compiled
def renew_units(me: Record, now: int, out: Record) -> None:
    """The timer says that there are new units."""
    me.filled = 0
    me.stale = 1 if out.first_working != 0 else 0
    me.ends = now + me.interval
    if me.drip != 0:
        me.first = (me.first + 1) % me.units
        me.there = 1
    timer_at(out, me.ends, 0)


@compiled
def note_fill(me: Record, lots: int) -> None:
    """The own order traded."""
    if me.stale == 0:
        me.filled += lots


@compiled
def is_free(me: Record, out: Record) -> bool:
    """Whether no own order is in the market: only then is it certain which unit the next one is for."""
    if out.first_working != 0:
        return False
    me.stale = 0
    return True


@compiled
def has_unit(me: Record) -> bool:
    """Whether there is anything left to trade."""
    return me.filled < me.there * me.quantity


@compiled
def present_worth(me: Record) -> float:
    """What the present unit is worth or costs, ticks; of the last one where all are traded."""
    place = me.filled // me.quantity
    if place >= me.there:
        place = max(me.there - 1, 0)
    return me.worth[max(me.first, 0) + place]


@compiled
def lots_left(me: Record) -> int:
    """Lots of the present unit that are not traded yet."""
    return me.quantity - me.filled % me.quantity


# --- parameters ---


class Assigned(Protocol):
    """What an agent with an assignment offers."""

    side: Any
    values: tuple[float, ...]
    dealt: bool
    steps: int | None
    period: int | str | None
    replenish: Replenish
    quantity: int


def check_assignment(agent: Any) -> None:
    """The agent's ``values``, ``steps``, ``period``, ``replenish`` and ``quantity`` make an assignment."""
    to_numbers(agent, "values", low=0.0)
    to_whole(agent, "steps", low=1)
    to_duration(agent, "period")
    to_whole(agent, "quantity", low=1, high=1_000_000_000)
    check_choice(agent, "replenish", ("period", "drip"))
    if agent.steps is not None and len(agent.values) != 2:
        raise InvalidValueError(
            f"steps: {agent.steps} steps lie between two values, not {len(agent.values)}; write values: [first, last]"
        )
    if agent.replenish == "drip" and agent.period is None:
        raise InvalidValueError("replenish: units that drip need a period to drip in; write period: 1min")
    if not agent.dealt and len(units_of(agent)) > UNITS:
        raise InvalidValueError(f"values: {len(units_of(agent))} units are more than {UNITS}; use more agents")


def units_of(agent: Assigned) -> Units:
    """All values, with the steps between two written out."""
    if agent.steps is None:
        return tuple(agent.values)
    return evenly(agent.values[0], agent.values[1], agent.steps)


def hands_of(agent: Assigned, count: int) -> list[Units]:
    """The units of each of ``count`` agents."""
    units = units_of(agent)
    return dealt(units, count) if agent.dealt else [units] * count


def fill_assignment(rows: Rows, agent: Assigned, instrument: Instrument) -> None:
    """Write the ASSIGNMENT_FIELDS of records."""
    rows["quantity"] = agent.quantity
    rows["drip"] = agent.replenish == "drip"
    for place, units in enumerate(hands_of(agent, len(rows))):
        if len(units) > UNITS:
            raise InvalidValueError(f"values: {len(units)} units of one agent are more than {UNITS}; use more agents")
        rows["units"][place] = len(units)
        rows["worth"][place, : len(units)] = [round(value / instrument.tick, 6) for value in units]
        interval = int(agent.period or 0)
        if agent.replenish == "drip":
            interval = interval // max(len(units), 1)
            rows["offset"][place] = interval * place // len(rows) if units else 2**62
        rows["interval"][place] = interval


# --- of a whole market ---


def schedule_of(source: Any, instrument: str | None = None) -> Schedule:
    """The supply and demand of a scenario, a simulation or a run, in one instrument (the only one by default).

    Agents whose type has no assignment, or that trade other instruments only, have no part in it. Raises
    InvalidValueError when periods, replenishing or the size of units differ between agents: such a market has no
    one schedule.
    """
    spec = _spec_of(source)
    symbol = instrument or next(iter(spec.instruments))
    books: dict[int, dict[str, Units]] = {1: {}, -1: {}}
    rules: set[tuple[int, int, bool]] = set()
    for key, section in spec.agents.items():
        agent = REGISTRY.build("agent", section.type, section.arguments())
        if not getattr(agent, "values", ()) or not hasattr(agent, "replenish"):
            continue
        if section.instruments is not None and symbol not in section.instruments:
            continue
        names = section.names(key)
        books[SIDES[agent.side]] |= dict(zip(names, hands_of(agent, len(names)), strict=True))
        rules.add((agent.quantity, int(agent.period or 0), agent.replenish == "drip"))
    if len(rules) > 1:
        raise InvalidValueError(
            f"quantity, period and replenish differ between the agents that trade {symbol}; give all of them the same"
        )
    quantity, period, drip = next(iter(rules), (1, 0, False))
    lot = float(spec.instruments[symbol].lot_size)
    return Schedule(books[1], books[-1], quantity * lot, period, spec.start, drip)


def _spec_of(source: Any) -> ScenarioSpec:
    if hasattr(source, "manifest"):
        return ScenarioSpec.from_dict(source.manifest.spec)
    spec: ScenarioSpec = getattr(source, "spec", source)
    return spec
