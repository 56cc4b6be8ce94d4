"""A fork: a market is taken to a time t and continued twice or more often from there, without and with an order.

The order comes from an agent (``agents.intervention``) that sleeps in the scenario from the start and sends nothing
where its quantity is zero. So a fork is nothing but the run of a scenario, everybody draws the same random numbers in
all continuations, and up to t they are the same, bit by bit. Where all agents are compiled the market up to t is run
once and kept (``simulation.snapshot``); a market with Python agents is run again from its start for each continuation.
Both ways give the same digests. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from marketsim.agents.intervention import Intervention
from marketsim.domain.instrument import Instrument
from marketsim.domain.units import MICROSECOND, duration, format_time, time_of_day
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.experiment.replication import Given, spec_of
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    from marketsim.results.run import Run
    from marketsim.simulation.execution import Execution

How = Literal["auto", "snapshot", "replay"]
Start = Callable[[ScenarioSpec], "Execution"]
_HOW = ("auto", "snapshot", "replay")


@dataclass(frozen=True)
class Fork:
    """A market continued from ``time`` (ns): ``base`` without the order, ``runs`` with each of ``orders``.

    name: the participant that sends it, there in all runs. how: "snapshot" or "replay".
    """

    time: int
    how: str
    name: str
    orders: tuple[Intervention, ...]
    base: Run
    runs: tuple[Run, ...]

    @property
    def forked(self) -> Run:
        """The run with the order, where there is one."""
        if len(self.runs) > 1:
            raise InvalidValueError(f"there are {len(self.runs)} runs with an order: take one of .runs")
        return self.runs[0]

    def common(self, run: Run | None = None) -> int:
        """How many rows of the event log a run with the order has in common with the base, from the start on."""
        one, other = self.base.events, (run or self.forked).events
        length = min(len(one), len(other))
        differs = np.flatnonzero(one[:length] != other[:length])
        return int(differs[0]) if len(differs) else length


def fork(
    scenario: Given,
    at: str | int,
    *orders: Intervention,
    instrument: str | None = None,
    venue: str | None = None,
    latency: str | None = None,
    host: str | None = None,
    until: str | int | None = None,
    how: How = "auto",
) -> Fork:
    """Run a market to a time, and from there on without and with each of the orders.

    at: time of day such as ``"10:30"``, or time after the start such as ``"30min"``, or ns of the clock.
    orders: what happens there; ``ms.agents.Intervention(side="buy", quantity=500)``. Their own ``at`` counts for
        nothing.
    instrument, venue: the market of the orders; the first one when left out. latency, host: of who sends them; those
        of the scenario when left out.
    until: where all runs end; the end of the scenario when left out.
    how: "snapshot" (all agents must be compiled), "replay", or "auto": the first where it can be.

    Raises InvalidValueError for a time outside of the run, an unknown market, a quantity that is not whole lots.
    """
    plan = Plan.of(spec_of(scenario), (at,), orders, instrument, venue, latency, host)
    end = plan.spec.end if until is None else moment_of(plan.spec, until, "until")
    if end <= plan.times[0]:
        raise InvalidValueError(f"until={until!r}: it lies before the fork at {format_time(plan.times[0])}; end later")
    lines = Lines(plan, _starter(scenario), how)
    found: dict[int | None, Run] = {order: _ended(execution, end) for _, order, execution in lines}
    runs = tuple(found[number] for number in range(len(orders)))
    return Fork(plan.times[0], lines.how, plan.keys[0], plan.orders, found[None], runs)


@dataclass(frozen=True)
class Plan:
    """When a market is forked, and with what: its scenario with a sleeping agent (of ``keys``) for each time (ns)."""

    spec: ScenarioSpec
    times: tuple[int, ...]
    keys: tuple[str, ...]
    orders: tuple[Intervention, ...]
    instrument: str
    venue: str

    @classmethod
    def of(
        cls,
        spec: ScenarioSpec,
        at: Sequence[str | int],
        orders: Sequence[Intervention],
        instrument: str | None = None,
        venue: str | None = None,
        latency: str | None = None,
        host: str | None = None,
    ) -> Plan:
        """Check everything and put the sleeping agents in."""
        if not at or not orders:
            raise InvalidValueError('a fork needs a time and an order at least: at="10min", Intervention(quantity=500)')
        times = tuple(sorted({moment_of(spec, moment, "at") for moment in at}))
        symbol, place = _market(spec, instrument, venue)
        for order in orders:
            order.records(1, spec.instrument(symbol))  # refuses what is not whole lots
        keys = _free_keys(spec, len(times))
        section: dict[str, Any] = {"instruments": [symbol], "venues": [place]}
        section |= {name: given for name, given in (("latency", latency), ("host", host)) if given is not None}
        agents = {
            f"agents.{key}": {**_described(replace(orders[0], quantity=0.0, at=time - spec.start)), **section}
            for key, time in zip(keys, times, strict=True)
        }
        return cls(spec.with_overrides(agents), times, keys, tuple(orders), symbol, place)

    def with_seed(self, seed: int) -> Plan:
        """The same under another seed."""
        return replace(self, spec=self.spec.with_overrides({"seed": seed}))

    def order(self, moment: int, number: int) -> Intervention:
        """One of the orders at one of the times."""
        return replace(self.orders[number], at=self.times[moment] - self.spec.start)

    def spec_with(self, moment: int, number: int) -> ScenarioSpec:
        """The scenario with one of the orders at one of the times."""
        key, given = self.keys[moment], _described(self.order(moment, number))
        return self.spec.with_overrides({f"agents.{key}.{name}": value for name, value in given.items()})

    @cached_property
    def terms(self) -> Instrument:
        """The instrument of the orders."""
        return self.spec.instrument(self.instrument)


class Lines:
    """The continuations of one market, time by time: (place of the time, number of the order, execution).

    Each execution stands at its time, ready to go on; it is closed when the next one is asked for. The base line has
    None for the order, comes last of its time, and is itself the way to the next.

    told: whether somebody will look at the runs' own scenarios; making them takes a while.
    """

    def __init__(self, plan: Plan, start: Start, how: How = "auto", *, told: bool = True) -> None:
        if how not in _HOW:
            raise InvalidValueError(f"how={how!r} is unknown{did_you_mean(how, _HOW)}; use one of {', '.join(_HOW)}")
        self._plan, self._start, self._told = plan, start, told
        self._base = start(plan.spec)
        if how == "auto":
            how = "replay" if self._base.world.sessions else "snapshot"
        self.how: str = how

    def __iter__(self) -> Iterator[tuple[int, int | None, Execution]]:
        return self._from_snapshots() if self.how == "snapshot" else self._replayed()

    def _from_snapshots(self) -> Iterator[tuple[int, int | None, Execution]]:
        plan, line, snapshot = self._plan, self._base, None
        for moment, time in enumerate(plan.times):
            if snapshot is not None and line.now > time:
                line = snapshot.go_on()
            line.go_to(time)
            snapshot = line.snapshot()
            for number in range(len(plan.orders)):
                changes = {plan.keys[moment]: plan.order(moment, number)}
                spec = plan.spec_with(moment, number) if self._told else plan.spec
                yield moment, number, snapshot.go_on(spec, changes)
            line = snapshot.go_on(plan.spec)
            yield moment, None, line
        line.finish()

    def _replayed(self) -> Iterator[tuple[int, int | None, Execution]]:
        plan, line = self._plan, self._base
        for moment, time in enumerate(plan.times):
            for number in range(len(plan.orders)):
                execution = self._start(plan.spec_with(moment, number))
                execution.go_to(time)
                yield moment, number, execution
                execution.finish()
            if line.now > time:
                line.finish()
                line = self._start(plan.spec)
            line.go_to(time)
            yield moment, None, line
        line.finish()


def refuse_bare(name: str, given: object) -> None:
    """InvalidValueError for a bare number below a microsecond: it would be nanoseconds, and seconds are meant."""
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 < given < MICROSECOND:
        raise InvalidValueError(f'{name}={given}: {given} means {given} ns; write "{given}s", or "{given}ns"')


def moment_of(spec: ScenarioSpec, given: str | int, name: str) -> int:
    """ns of the clock within a run; InvalidValueError that begins with ``name`` for what lies outside."""
    refuse_bare(name, given)
    try:
        if isinstance(given, str):
            time = time_of_day(given) if ":" in given else spec.start + duration(given)
        else:
            time = int(given)
    except InvalidValueError as error:
        raise InvalidValueError(f"{name}={given!r}: {error}; use a time of day or a time after the start") from None
    last = spec.end - 1 if name == "at" else spec.end
    if not spec.start <= time <= last:
        raise InvalidValueError(
            f"{name}={given!r}: {format_time(time)} lies outside of the run, which goes from {format_time(spec.start)} "
            f"to {format_time(spec.end)}"
        )
    return time


# --- inner ---


def _starter(scenario: Given) -> Start:
    """What builds a market of a spec; objects that a simulation was given stand for their agents."""
    from marketsim.simulation import Simulation

    if isinstance(scenario, Simulation):
        return scenario.start_as
    return start


def start(spec: ScenarioSpec) -> Execution:
    """A market of a spec, ready to run."""
    from marketsim.simulation import Simulation

    return Simulation.from_spec(spec).start()


def _ended(execution: Execution, end: int) -> Run:
    if end >= execution.spec.end:
        return execution.run()
    execution.go_to(end)
    return execution.conclude()


def _described(order: Intervention) -> dict[str, Any]:
    return REGISTRY.describe("agent", order)


def _market(spec: ScenarioSpec, instrument: str | None, venue: str | None) -> tuple[str, str]:
    """Symbol and venue; the first ones that fit where they are left out."""
    if instrument is not None and instrument not in spec.instruments:
        raise InvalidValueError(
            f"instrument={instrument!r}: {spec.name} has none of this symbol"
            f"{did_you_mean(instrument, spec.instruments)}"
        )
    if venue is not None and venue not in spec.venues:
        raise InvalidValueError(f"venue={venue!r}: {spec.name} has none of this name{did_you_mean(venue, spec.venues)}")
    for place in spec.venues if venue is None else (venue,):
        for symbol in spec.instruments_of(place):
            if instrument in (None, symbol):
                return symbol, place
    raise InvalidValueError(f"venue={venue!r} does not trade {instrument}: leave one of them out")


def _free_keys(spec: ScenarioSpec, count: int) -> tuple[str, ...]:
    """Names that come after all others, so that the numbers of all other participants stay what they are."""
    first = "zz_order"
    while any(key >= first for key in spec.agents):
        first = f"z{first}"
    return (first,) if count == 1 else tuple(f"{first}_{number:03d}" for number in range(1, count + 1))
