"""A scene: a scenario with seats, from which one episode after the other is made, each by its seed.

What does not depend on the seed is checked once, when the scene is made. An episode is a run like any other: the same
spec and seed give the same market. It knows no observation, reward or action.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from marketsim.domain.units import duration as nanoseconds
from marketsim.domain.units import format_duration
from marketsim.errors import ConfigurationError, InvalidValueError, did_you_mean
from marketsim.gym.seat import Ear, Learner, Seat
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.spec import ScenarioSpec
from marketsim.simulation.simulation import Simulation, load

if TYPE_CHECKING:
    from marketsim.results.run import Run
    from marketsim.simulation.execution import Execution
    from marketsim.trading.agent import Agent

Scenario: TypeAlias = str | Path | Mapping[str, Any] | ScenarioSpec | Simulation

_LEARNER = "marketsim.gym.seat:Learner"
_FIELDS = ("latency", "computation", "cash", "host", "venues", "collateral", "limits", "owner", "feeds")


@dataclass(frozen=True)
class Place:
    """Where a seat is in the market.

    terms: of its agent, as in a scenario: ``latency``, ``computation``, ``cash``, ``limits``, …
    instrument: what it trades; the scenario's first when left out. venue: where; the first that trades it.
    needs: of the observation; see ``Seat``.
    """

    terms: Mapping[str, Any] = field(default_factory=dict)
    instrument: str | None = None
    venue: str | None = None
    needs: frozenset[str] = frozenset()


class Scene:
    """A scenario with the seats of learners in it.

    scenario: a ready scenario's name, a file, a mapping, a spec or a Simulation. places: seats by the names of their
    agents; one that the scenario has already is taken over, with its terms. interval: time of a step. duration: of an
    episode, after the warm-up; the scenario's own rest when left out. warm_up: the scenario's own when left out.
    """

    def __init__(
        self,
        scenario: Scenario,
        places: Mapping[str, Place],
        interval: str | int,
        duration: str | int | None = None,
        warm_up: str | int | None = None,
    ) -> None:
        self._simulation = _simulation(scenario)
        spec = self._simulation.spec
        self.interval = nanoseconds(interval)
        if self.interval <= 0:
            raise InvalidValueError(f"interval {interval!r}: a step must take time; write one such as interval='1s'")
        self.warm_up = spec.warm_up if warm_up is None else nanoseconds(warm_up)
        whole = spec.duration if duration is None else self.warm_up + nanoseconds(duration)
        self._check_times(spec.name, whole)
        self._places = {name: _placed(spec, name, place) for name, place in places.items()}
        changes: dict[str, Any] = {"duration": format_duration(whole), "warm_up": format_duration(self.warm_up)}
        changes |= {_path(name): _agent(spec, name, place) for name, place in self._places.items()}
        self.spec = spec.with_overrides(changes)

    def _check_times(self, name: str, whole: int) -> None:
        left = whole - self.warm_up
        if left <= 0:
            raise InvalidValueError(
                f"{name} lasts {format_duration(whole)}, all of it within the warm-up of "
                f"{format_duration(self.warm_up)}: give a shorter warm_up, or a duration that an episode is to last"
            )
        if left < self.interval:
            raise InvalidValueError(
                f"an episode of {format_duration(left)} is shorter than one step of {format_duration(self.interval)}: "
                "give a shorter interval or a longer duration"
            )

    @property
    def begin(self) -> int:
        """ns of the clock at which episodes begin."""
        return self.spec.start + self.warm_up

    @property
    def steps(self) -> int:
        """Steps of an episode."""
        return -(-(self.spec.end - self.begin) // self.interval)

    def with_agents(self, agents: Mapping[str, Agent], seed: int) -> ScenarioSpec:
        """The scenario of an episode in which ordinary agents sit on the seats."""
        changes: dict[str, Any] = {"seed": seed}
        for name, agent in agents.items():
            if name not in self._places:
                raise ConfigurationError(f'there is no seat "{name}"{did_you_mean(name, self._places)}')
            # an object of a class that no scenario can name still runs: the object itself is handed over
            changes[_path(name)] = _agent(self.spec, name, self._places[name], REGISTRY.describe("agent", agent))
        return self.spec.with_overrides(changes)

    def episode(
        self,
        seed: int,
        ears: Mapping[str, Sequence[Ear]] | None = None,
        agents: Mapping[str, Agent] | None = None,
        folder: str | Path | None = None,
    ) -> Episode:
        """The market of a seed, warmed up and ready for the first step.

        ears: who hears what each seat is told. agents: who sits on the seats instead of learners.
        folder: where the run is kept; in memory when left out.
        """
        given = dict(agents or {})
        spec = self.with_agents(given, seed) if given else self.spec.model_copy(update={"seed": seed})
        seated = {name: given.get(name) or Learner() for name in self._places}
        gc.collect(1)  # the market before this one, while it is young: no look at all that was ever imported
        with _undisturbed():
            execution = self._simulation.start_as(spec, seated, folder)
            made = Episode(execution, self._places, ears or {}, self.begin, self.interval)
        _settle()
        return made


class Episode:
    """One run under way, step by step."""

    def __init__(
        self,
        execution: Execution,
        places: Mapping[str, Place],
        ears: Mapping[str, Sequence[Ear]],
        begin: int,
        interval: int,
    ) -> None:
        self.execution = execution
        self.spec = execution.spec
        self.interval = interval
        self.now = begin
        self.end = self.spec.end
        world = execution.world
        self.seats: dict[str, Seat] = {}
        for name, place in places.items():
            session = world.sessions[name]
            instrument = session.instruments[0]
            market = session.market_of(instrument, session.venues(instrument)[0]).number
            self.seats[name] = Seat(
                session,
                world.core,
                market,
                begin=begin,
                end=self.end,
                interval=interval,
                needs=place.needs,
                ears=ears.get(name, ()),
            )
        execution.advance(begin)
        for seat in self.seats.values():
            seat.start()

    @property
    def over(self) -> bool:
        """Whether its time is over."""
        return self.now >= self.end

    def advance(self) -> None:
        """Let one step pass; the last may be shorter."""
        self.now = now = min(self.now + self.interval, self.end)
        self.execution.advance(now)
        for seat in self.seats.values():
            seat.look(now)

    def finish(self) -> Run:
        """The run: complete when the episode came to its end, else marked incomplete."""
        return self.execution.finish()


@cache
def _settle() -> None:
    """One full look for garbage behind the first episode of the process, which has imported most: no later one does."""
    if gc.isenabled():
        gc.collect()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No search for garbage meanwhile: all that is made here lives on, and it would be looked through many times."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _simulation(scenario: Scenario) -> Simulation:
    if isinstance(scenario, Simulation):
        return scenario
    if isinstance(scenario, ScenarioSpec):
        return Simulation.from_spec(scenario)
    if isinstance(scenario, (str, os.PathLike, Mapping)):
        return load(scenario)
    raise InvalidValueError(
        f"scenario {scenario!r} is no scenario: give a ready scenario's name such as 'quickstart', a file, a mapping, "
        "or a Simulation"
    )


def _path(name: str) -> str:
    """Where the agent of a seat is in a scenario; what is no name is told as a whole."""
    return f"agents.{json.dumps(name)}"


def _placed(spec: ScenarioSpec, name: str, place: Place) -> Place:
    """A place whose instrument and venue are known, and whose terms are an agent's."""
    for what, told in (("its name", name), ("instrument", place.instrument), ("venue", place.venue)):
        if not isinstance(told, str | None):
            raise InvalidValueError(f"seat {name!r}: {what} {told!r} is no text")
    if unknown := sorted(place.terms.keys() - set(_FIELDS)):
        raise InvalidValueError(f"seat {name}: no agent has {unknown[0]!r}{did_you_mean(unknown[0], _FIELDS)}")
    known = spec.agents.get(name)
    if known is not None and known.count > 1:
        raise InvalidValueError(
            f"seat {name}: the scenario has {known.count} agents of that name; give the seat a name of its own"
        )
    symbol = place.instrument or (known.instruments[0] if known is not None and known.instruments else None)
    symbol = symbol or next(iter(spec.instruments))
    if symbol not in spec.instruments:
        raise InvalidValueError(f"seat {name}: no instrument {symbol!r}{did_you_mean(symbol, spec.instruments)}")
    venues = [venue for venue in spec.venues if symbol in spec.instruments_of(venue)]
    venue = place.venue or (known.venues[0] if known is not None and known.venues else venues[0])
    if venue not in venues:
        raise InvalidValueError(f"seat {name}: {venue!r} does not trade {symbol}{did_you_mean(venue, venues)}")
    return Place(dict(place.terms), symbol, venue, place.needs)


def _agent(spec: ScenarioSpec, name: str, place: Place, described: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The section of a seat's agent: the terms that the scenario has for it, then those of the place."""
    known = spec.agents.get(name)
    kept = {} if known is None else {f: v for f, v in known.to_dict().items() if f in _FIELDS}
    taken = {"instruments": [place.instrument], "venues": [place.venue]}
    return {**kept, **place.terms, **taken, **(described or {"type": _LEARNER})}
