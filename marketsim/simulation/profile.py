"""The profiler: who spends the wall time of a run, at every moment one of them, so that the parts add up to the whole.

It watches from outside: Python callbacks through an environment that times what it calls, the log through a door in
front of it, compiled code through the table that the engine keeps. A run without it pays nothing, and a run with it
has the same events and the same digest. It decides nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from heapq import heappush
from time import perf_counter_ns
from typing import Any, NamedTuple

from simpy.events import NORMAL, Event

from marketsim.brokers.simulated import SimulatedSession
from marketsim.domain.event import EventKind
from marketsim.domain.message import MESSAGE, Kind
from marketsim.exchange.core import ChunkSource
from marketsim.kernel.compilation import timed_compilation
from marketsim.kernel.compiled import Table
from marketsim.kernel.environment import Entry, Environment, Key
from marketsim.results.profile import BESIDE, ProfileRow
from marketsim.simulation.assembly import World

_KIND = (MESSAGE.names or ()).index("kind")
_START, _TIMER, _PROCESS, _NOBODYS = int(Kind.START), int(Kind.TIMER), 0, -1


class Purpose(NamedTuple):
    """What time is spent on; see ``results.profile.ProfileRow``."""

    part: str
    family: str = ""
    event: str = ""


KERNEL = Purpose("kernel", event="everything else")
MEASURING = Purpose("profiler", event="measuring")
CODE = Purpose("code", event="compiled or loaded")
HANDED_OVER, CLOSED = Purpose("log", event="chunk handed over"), Purpose("log", event="closed")


class Account:
    """What one purpose has cost so far."""

    __slots__ = ("events", "nanoseconds")

    def __init__(self) -> None:
        self.events = self.nanoseconds = 0


class Ledger:
    """Wall time of one thread by purpose: the last one that was entered pays until it is left.

    Nothing counts unless it is ``is_running``.
    """

    def __init__(self) -> None:
        self.is_running = False
        self.payer = self._outside = Account()
        self.since = 0  # when the payer began to pay
        self._accounts: dict[Purpose, Account] = {}
        self._waiting: list[Account] = []

    def account(self, purpose: Purpose) -> Account:
        """The account of a purpose, always the same one."""
        found = self._accounts.get(purpose)
        if found is None:
            found = self._accounts[purpose] = Account()
        return found

    @property
    def accounts(self) -> dict[Purpose, Account]:
        """All accounts."""
        return dict(self._accounts)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time counts inside; what is named nowhere is the kernel's."""
        self.is_running, self._waiting = True, []
        self.payer, self.since = self.account(KERNEL), perf_counter_ns()
        try:
            yield
        finally:
            self.pass_to(self._outside)
            self.is_running = False

    def enter(self, purpose: Purpose) -> None:
        """This purpose pays until ``leave``."""
        if self.is_running:
            self._waiting.append(self.payer)
            self.pass_to(self.account(purpose))
            self.payer.events += 1

    def leave(self) -> None:
        """Who paid before pays again."""
        if self._waiting:
            self.pass_to(self._waiting.pop())

    @contextmanager
    def paying(self, purpose: Purpose) -> Iterator[None]:
        """This purpose pays inside."""
        self.enter(purpose)
        try:
            yield
        finally:
            self.leave()

    def pass_to(self, account: Account) -> None:
        """From now on this account pays."""
        now = perf_counter_ns()
        self.payer.nanoseconds += now - self.since
        self.payer, self.since = account, now


class ProfiledEnvironment(Environment):
    """An environment that books what each Python event costs to the agents whose event it is."""

    def __init__(self, start: int, ledger: Ledger, *, stepped: bool = False) -> None:
        super().__init__(start, stepped=stepped)
        self._ledger = ledger
        self._measuring = ledger.account(MEASURING)
        self._families: dict[int, str] = {}  # by identity of a session
        self._causes: dict[int, str] = {}  # of SimPy events, by identity: the family that scheduled it
        self._family = ""  # whose turn it is
        self._accounts: dict[tuple[str, int], Account] = {}
        self.enqueue = self._enqueue_timed

    def watch(self, session: object, family: str) -> None:
        """What happens to a session is paid by its family."""
        self._families[id(session)] = family

    def family_of(self, session: object) -> str:
        """Whose session it is; empty for nobody's."""
        return self._families.get(id(session), "")

    def _enqueue_timed(self, entry: Entry) -> None:
        time, order, function, argument = entry
        heappush(self._heap, (time, order, self._call_timed, (function, argument)))

    def call_at(self, time: int, function: Callable[[Any], None], argument: Any = None) -> Key:
        """See Environment."""
        return super().call_at(time, self._call_timed, (function, argument))

    def schedule(self, event: Event, priority: int = NORMAL, delay: Any = 0) -> None:
        """See Environment."""
        super().schedule(event, priority, delay)
        self._causes[id(event)] = self._family

    def _handle_event(self, event: Event) -> None:
        self._book(perf_counter_ns(), self._causes.pop(id(event), ""), _PROCESS, super()._handle_event, event)

    def _call_timed(self, call: tuple[Callable[[Any], None], Any]) -> None:
        began = perf_counter_ns()
        function, argument = call
        family = self._families.get(id(getattr(function, "__self__", None)), "")
        self._book(began, family, _kind_of(argument) if family else _NOBODYS, function, argument)

    def _book(self, began: int, family: str, kind: int, function: Callable[[Any], None], argument: Any) -> None:
        """Call a function at the expense of a family. What came before ``began`` was not our work."""
        ledger = self._ledger
        if not ledger.is_running:
            function(argument)
            return
        before, payer = self._family, ledger.payer
        payer.nanoseconds += began - ledger.since
        account = ledger.payer = self._account(family, kind)
        account.events += 1
        self._family = family
        ledger.since = now = perf_counter_ns()
        self._measuring.nanoseconds += now - began
        try:
            function(argument)
        finally:
            ledger.pass_to(payer)
            self._family = before

    def _account(self, family: str, kind: int) -> Account:
        account = self._accounts.get((family, kind))
        if account is None:
            purpose = Purpose("python", family, _event_name(kind)) if family else KERNEL
            account = self._accounts[family, kind] = self._ledger.account(purpose)
        return account


class _Door:
    """The log as the matching core sees it; what is behind it takes its time."""

    def __init__(self, log: ChunkSource, ledger: Ledger) -> None:
        self._log, self._ledger = log, ledger

    def next_chunk(self, full: Table | None, used: int, needed: int) -> Table:
        """See ChunkSource."""
        with self._ledger.paying(HANDED_OVER):
            return self._log.next_chunk(full, used, needed)


class Profiler:
    """Measures one run. Give its environment and its door to the world's assembly, then let it ``watch`` the world."""

    def __init__(self, start: int, *, stepped: bool = False) -> None:
        self.ledger = Ledger()
        self.environment = ProfiledEnvironment(start, self.ledger, stepped=stepped)

    def door(self, log: ChunkSource) -> ChunkSource:
        """What the matching core writes to instead of the log."""
        return _Door(log, self.ledger)

    def watch(self, world: World) -> None:
        """Measure this world from now on."""
        families = {participant.name: participant.family for participant in world.participants}
        for name, session in world.sessions.items():
            self.environment.watch(session, families[name])
        world.engine.profile()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time counts inside of this only."""
        with timed_compilation(lambda: self.ledger.enter(CODE), self.ledger.leave), self.ledger.running():
            yield

    def stop(self, session: SimulatedSession) -> None:
        """Tell an agent that the run is over."""
        with self.ledger.paying(Purpose("python", self.environment.family_of(session), "stop")):
            session.stop()

    @contextmanager
    def closing(self) -> Iterator[None]:
        """The log is closed inside."""
        with self.ledger.paying(CLOSED):
            yield

    def rows(self, world: World, log_work: Mapping[str, int]) -> list[ProfileRow]:
        """The profile so far. ``log_work``: ns by what the log's own thread did."""
        kinds = {participant.family: participant.type for participant in world.participants}
        counts = Counter(participant.family for participant in world.participants)
        compiled = list(_compiled_rows(world, kinds, counts))
        accounts = self.ledger.accounts
        kernel = accounts.pop(KERNEL).nanoseconds - sum(row.nanoseconds for row in compiled)
        return [
            *compiled,
            *(
                ProfileRow(
                    part, family, kinds.get(family, ""), counts[family], event, account.events, account.nanoseconds
                )
                for (part, family, event), account in sorted(accounts.items())
            ),
            ProfileRow(KERNEL.part, "", "", 0, KERNEL.event, 0, kernel),
            *(ProfileRow(BESIDE, "", "", 0, event, 0, spent) for event, spent in log_work.items()),
        ]


def _compiled_rows(world: World, kinds: Mapping[str, str], counts: Mapping[str, int]) -> Iterator[ProfileRow]:
    """What the engine measured inside compiled code, by family and kind of event."""
    families = {policy: family for family, policies in world.populations.items() for policy in policies}
    sums: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for policy, kind, events, nanoseconds in world.engine.profiled().tolist():
        entry = sums[families.get(policy, ""), kind]
        entry[0] += events
        entry[1] += nanoseconds
    for (family, kind), (events, nanoseconds) in sorted(sums.items()):
        if family:
            agents = kinds[family], counts[family]
            yield ProfileRow("compiled", family, *agents, _event_name(kind), events, nanoseconds)
        else:
            yield ProfileRow("venues", "", "", len(world.spec.venues), _event_name(kind), events, nanoseconds)


def _kind_of(argument: Any) -> int:
    """What a session is called with: a row of MESSAGE, or what to call, with what, and the call's number."""
    if len(argument) > 3:
        return int(argument[_KIND])
    return _START if getattr(argument[0], "__func__", None) is SimulatedSession.start else _TIMER


def _event_name(kind: int) -> str:
    """What a kind of message is called in a profile; of a report what it reports."""
    if kind == _PROCESS:
        return "process"
    if kind > Kind.REPORT:
        return "report " + EventKind(kind - Kind.REPORT).name.lower().replace("_", " ")
    return Kind(kind).name.lower().replace("_", " ")
