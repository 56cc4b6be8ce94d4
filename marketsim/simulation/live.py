"""A live session: one market that people outside take part in while it runs, and the journal that makes it repeatable.

Commands come in at the simulated time that the market has reached, are written into the journal, and are carried out by
the seats (``agents.client``) of those who gave them. Given the journal again, the same session happens again, bit for
bit. It knows no network and no dialect, and does not look at the wall clock: who paces it says how far to go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from marketsim.agents.client import Client, Record, Refusal
from marketsim.agents.public_feed import PublicFeed
from marketsim.domain.units import SECOND, format_duration
from marketsim.errors import ConfigurationError, InvalidValueError, StoreError, did_you_mean
from marketsim.results.journal import JOURNAL, Command, Journal, Past
from marketsim.results.run import Run
from marketsim.scenario.registry import REGISTRY
from marketsim.scenario.spec import ScenarioSpec
from marketsim.simulation.execution import Execution, Progress

FEED = "public_feed"
_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]*")
Side = list[tuple[int, int, int]]  # price, lots, orders


class LiveSession:
    """A market with seats for people outside.

    spec: a scenario with at least one agent of type ``client``; ``with_seats`` adds what is missing.
    folder: where the run and its journal are kept.
    epoch: tells, once everything is ready, which ms since 1970 the start of the scenario stands for.
    lease: simulated ns that the clock may go on without a word in the journal.
    past: the journal of an earlier session, which happens again first.
    """

    def __init__(
        self,
        spec: ScenarioSpec,
        folder: str | Path,
        *,
        epoch: Callable[[], int] = lambda: 0,
        lease: int = SECOND,
        durable: bool = False,
        past: Past | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        if past is not None:
            check_past(past, spec)
        self.spec = spec
        self._lease = lease
        self._leased = spec.start
        self._journal: Journal | None = None
        self.execution = Execution(spec, folder=folder)
        try:
            self._clients = seats(self.execution)
            self.execution.advance(spec.start + 1)  # brings the compiled code along, which takes a while at first
            for session in self.execution.world.sessions.values():
                getattr(session.agent, "bring_along", lambda: None)()
            self.epoch = epoch() if past is None else int(past.facts.get("epoch", 0))
            self.feed = feed_of(self.execution, self.epoch - spec.start // 1_000_000)
            if past is None:
                facts = {"epoch": self.epoch, "scenario": spec.fingerprint(), "clients": sorted(self._clients)}
                self._journal = Journal.begin(self._path, facts, durable=durable)
                self._go(spec.start + spec.warm_up, progress)
            else:
                self._journal = Journal.resume(past, self._path, durable=durable)
                repeat(self.execution, self._clients, past, progress)
                self._leased = past.lease
        except BaseException:
            if self._journal is not None:
                self._journal.close()
            self.execution.discard()
            raise

    # --- the market ---

    @property
    def now(self) -> int:
        """Simulated time, ns."""
        return self.execution.now

    @property
    def end(self) -> int:
        """Simulated time at which the scenario is over, ns."""
        return self.spec.end

    @property
    def clients(self) -> Mapping[str, Client]:
        """The seats by name."""
        return self._clients

    @property
    def journal(self) -> Journal:
        """What is being written."""
        assert self._journal is not None
        return self._journal

    def seat(self, name: str) -> Client:
        """One seat; ConfigurationError when there is none of this name."""
        try:
            return self._clients[name]
        except KeyError:
            raise ConfigurationError(
                f"no client is called {name!r}{did_you_mean(name, self._clients)}; add an agent of type client"
            ) from None

    def advance(self, until: int) -> None:
        """Go on to a simulated time. The journal is told first how far the clock may come."""
        moment = min(until, self.end)
        if moment > self._leased:
            self._leased = min(max(moment, self.now + self._lease), self.end)
            self.journal.lease(self._leased)
        if moment > self.now:
            self.execution.advance(moment)

    def command(self, client: str, verb: str, *arguments: Any) -> Record | Refusal:
        """Carry out a command of a participant at the present simulated time, once it is in the journal."""
        seat = self.seat(client)
        if self.now >= self.end:
            raise InvalidValueError("the session is over: the scenario has come to its end")
        self.journal.do(Command(self.now, client, verb, list(arguments)))
        return seat.carry_out(verb, list(arguments))

    def resting(self, number: int) -> int:
        """Lots of an order that its venue still holds; reports of the rest may be under way."""
        found = self.execution.world.core.order(number)
        return 0 if found is None else found["leaves"] + found["reserve"]

    def book(
        self, venue: str, symbol: str, levels: int
    ) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """A venue's own book now: (price, lots, orders) of bids and asks, best first."""
        world = self.execution.world
        number = next(m.number for m in world.markets if (m.venue, m.instrument.symbol) == (venue, symbol))
        return world.core.depth(number, 1, levels), world.core.depth(number, -1, levels)

    # --- the end ---

    def finish(self) -> Run:
        """Close the session here: a whole run up to the present time, which ``marketsim verify`` repeats."""
        self.journal.end(self.now)
        self.journal.close()
        return self.execution.conclude()

    def abandon(self) -> None:
        """Close what is open after an error; the run stays marked incomplete, and the journal stays as it is."""
        if self._journal is not None:
            self._journal.close()
        self.execution.finish()

    # --- inner ---

    @property
    def _path(self) -> Path:
        folder = self.execution.folder
        assert folder is not None
        return folder / JOURNAL

    def _go(self, moment: int, progress: Callable[[Progress], None] | None) -> None:
        self._leased = moment
        self.journal.lease(moment)
        self.execution.go_to(moment, progress)


def with_seats(spec: ScenarioSpec, names: Iterable[str] = (), *, venue: str | None = None) -> ScenarioSpec:
    """A scenario with a client of each name and a public feed, where it has none yet."""
    served = venue or next(iter(spec.venues))
    if served not in spec.venues:
        raise ConfigurationError(f"no venue is called {served!r}{did_you_mean(served, spec.venues)}")
    own = [name for name, agent in spec.agents.items() if _is(agent.type, Client)]
    wanted = list(names) or ([] if own else ["trader"])
    changes: dict[str, Any] = {}
    for name in wanted:
        if name in own:
            continue
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"client {name!r}: a name is letters, digits, _ and -, and begins with a letter")
        if name in spec.agents:
            raise ConfigurationError(f"agents.{name} is a {spec.agents[name].type}, no client: choose another name")
        changes[f"agents.{name}"] = {"type": "client", "venues": [served]}
    if not any(_is(agent.type, PublicFeed) for agent in spec.agents.values()):
        if FEED in spec.agents:
            raise ConfigurationError(f"agents.{FEED} is a {spec.agents[FEED].type}: rename it, the session needs it")
        changes[f"agents.{FEED}"] = {"type": FEED, "venues": [served]}
    return spec.with_overrides(changes) if changes else spec


def seats(execution: Execution) -> dict[str, Client]:
    """The seats of a market by name, in order."""
    sessions = execution.world.sessions
    found = {name: session.agent for name, session in sessions.items() if isinstance(session.agent, Client)}
    if not found:
        raise ConfigurationError("the scenario has no client: add an agent of type client")
    return dict(sorted(found.items()))


def feed_of(execution: Execution, epoch: int) -> PublicFeed:
    """The public feed of a market; its times count from an epoch of so many ms."""
    for session in execution.world.sessions.values():
        if isinstance(session.agent, PublicFeed):
            session.agent.offset = epoch * 1_000_000
            return session.agent
    raise ConfigurationError("the scenario has no public feed: add an agent of type public_feed")


def repeat(
    execution: Execution,
    clients: Mapping[str, Client],
    past: Past,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Let a session happen again, to the latest time that its clock may have come to."""
    for command in past.commands:
        execution.go_to(command.time, progress)
        seat = clients.get(command.client)
        if seat is None:
            raise StoreError(f"{past.path}: a command of {command.client!r}, who is no client of the scenario")
        try:
            seat.carry_out(command.verb, command.arguments)
        except (TypeError, ValueError, IndexError, ArithmeticError) as error:
            raise StoreError(f"{past.path}: {command} cannot be carried out: {error}") from error
    execution.go_to(past.end if past.end is not None else past.lease, progress)


def replay_session(spec: ScenarioSpec, past: Past, progress: Callable[[Progress], None] | None = None) -> Run:
    """The run of a session that was closed in order, made again in memory from its journal."""
    if past.end is None:
        raise StoreError(f"{past.path}: the session was not closed in order; resume it with marketsim serve --resume")
    check_past(past, spec)
    execution = Execution(spec)
    feed_of(execution, 0)
    repeat(execution, seats(execution), past, progress)
    return execution.conclude()


def check_past(past: Past, spec: ScenarioSpec) -> None:
    """Refuse a journal that is not of this scenario, or that tells impossible times."""
    if past.facts.get("scenario") not in (None, spec.fingerprint()):
        raise StoreError(f"{past.path}: a journal of another scenario: take the one that lies in its run folder")
    before = spec.start
    for command in past.commands:
        if not before <= command.time <= spec.end:
            raise StoreError(
                f"{past.path}: {command} at {format_duration(command.time)}: times must rise and lie within the run"
            )
        before = command.time


def _is(type_name: str, cls: type) -> bool:
    found = REGISTRY.find("agent", type_name)
    return isinstance(found, type) and issubclass(found, cls)
