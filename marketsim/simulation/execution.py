"""An execution: one world on its way from the first event to a closed run.

It can be stepped by simulated time, looked into, and finished. Whatever ends it early (an interrupt, an agent's error,
a full disk) leaves a readable result that is marked incomplete. It decides nothing about the market.
"""

from __future__ import annotations

import copy
import time as wall
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from marketsim.brokers.simulated import SimulatedSession
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, SimulationError, StoreError, did_you_mean
from marketsim.kernel.compilation import timed_compilation
from marketsim.results.manifest import Failure
from marketsim.results.profile import engine_time
from marketsim.simulation.assembly import Assembly, World
from marketsim.simulation.memory import require_memory
from marketsim.simulation.recorder import Recorder

if TYPE_CHECKING:
    from marketsim.network.topology import Topology
    from marketsim.population.agent import CompiledAgent
    from marketsim.results.log import EventLog
    from marketsim.results.run import Run
    from marketsim.scenario.spec import ScenarioSpec
    from marketsim.simulation.profile import Profiler
    from marketsim.simulation.snapshot import Snapshot
    from marketsim.trading.agent import Agent
    from marketsim.trading.feed import FeedModel

_SLICES = 200
_PATIENCE = 0.1  # seconds between two reports of progress


class Progress(NamedTuple):
    """How far a run has come."""

    time: int  # ns of simulated time
    fraction: float
    events: int
    elapsed: float  # wall seconds
    remaining: float  # estimated wall seconds; NaN as long as nothing can be told


class Execution:
    """One run under way.

    profile: measure who spends the engine time; the run then has a ``profile``, and takes a little longer.
    """

    def __init__(
        self,
        spec: ScenarioSpec,
        *,
        folder: str | Path | None = None,
        agents: Mapping[str, Agent | CompiledAgent] | None = None,
        feeds: Mapping[str, FeedModel] | None = None,
        topology: Topology | None = None,
        stepped: bool = False,
        profile: bool = False,
    ) -> None:
        self.spec = spec
        self._began = wall.perf_counter()
        self._timings = {"code": 0.0, "engine": 0.0}
        self._run: Run | None = None
        self._under_way = [self]  # shared by all that go on from a snapshot of this world: the one that does
        require_memory(spec, agents or {})
        self._profiler = _profiler(spec, stepped) if profile else None
        self._recorder = Recorder(spec, folder)
        try:
            with self._code_is_timed():
                self.world = self._build(agents, feeds, topology, stepped)
            self._recorder.describe(self.world)
        except BaseException:
            self._recorder.discard()
            raise
        self._timings["building"] = wall.perf_counter() - self._began

    @property
    def now(self) -> int:
        """Simulated time, ns."""
        return self.world.environment.now

    @property
    def folder(self) -> Path | None:
        """Where it is being recorded; None in memory."""
        return self._recorder.folder

    @property
    def log(self) -> EventLog:
        """Where its events go."""
        return self._recorder.log

    @property
    def events(self) -> int:
        """Events handled so far, compiled and Python."""
        return self.world.engine.events + self.world.environment.handled

    def digest_so_far(self) -> str:
        """The digest of what has happened so far: that of a run that came no further and whose session went on."""
        if self._run is None:
            self.world.core.flush()
        return self._recorder.log.digest_so_far()

    def snapshot(self) -> Snapshot:
        """Keep this moment of a market whose agents are all compiled, to go on from it as often as one likes.

        This run ends here. Raises InvalidValueError where Python runs an agent.
        """
        from marketsim.simulation.snapshot import Snapshot

        return Snapshot(self)

    def stop_all(self) -> None:
        """Close whatever is under way in this world, be it another continuation. For snapshots."""
        self._under_way[0].finish()

    def going_on(self, spec: ScenarioSpec) -> Execution:
        """The same world, whose run was closed here, recorded from now on as another one. For snapshots."""
        other = self._under_way[0] = copy.copy(self)
        other.spec, other._run, other._recorder = spec, None, Recorder(spec, after=self._recorder)
        other._began, other._timings = wall.perf_counter(), dict.fromkeys(self._timings, 0.0)
        self.world.core.write_to(other.log)
        return other

    def advance(self, until: int | str) -> None:
        """Run to a time: ns of the clock, or text such as "10min" after the start. Events at that time wait."""
        moment = self.spec.start + duration(until) if isinstance(until, str) else until
        if moment > self.spec.end:
            raise InvalidValueError(f"advance({until!r}): the run ends at {self.spec.end}; advance no further")
        self._guarded(lambda: self._go(moment))

    def go_to(self, moment: int, progress: Callable[[Progress], None] | None = None) -> None:
        """Run to a time in ns, telling now and then how far it is; a time that has passed is left alone."""
        if moment > self.now:
            self._guarded(lambda: self._run_out(moment, progress))

    def run(self, progress: Callable[[Progress], None] | None = None) -> Run:
        """Run to the end and close."""
        self._guarded(lambda: self._run_out(self.spec.end, progress))
        return self.finish()

    def conclude(self) -> Run:
        """Close the run as a whole one that ends at the present time: whoever paces it decides when it is over."""
        if self._run is None:
            self._guarded(self._end_session)
            self._run = self._close(None)
        return self._run

    def finish(self) -> Run:
        """Close the run where it stands: complete when its end is reached, else marked incomplete."""
        if self._run is None:
            failure = None
            if self.now >= self.spec.end:
                self._guarded(self._end_session)
            else:
                failure = Failure(error="stopped before its end", time=self.now)
            self._run = self._close(failure)
        return self._run

    def discard(self) -> None:
        """Give up a run that has not really begun: nothing of it is kept."""
        self._recorder.discard()

    def emergency_stop(self, agent: str | None = None, *, flatten: bool = False, text: str = "by hand") -> None:
        """Risk control stops an agent, all agents of a key, or all that are written in Python, now."""
        for session in self._sessions(agent):
            session.guard.emergency_stop(flatten=flatten, text=text)

    def resume_trading(self, agent: str | None = None, text: str = "by hand") -> None:
        """Orders of stopped agents pass again; those of a stopped firm where no agent is named."""
        for session in self._sessions(agent):
            session.guard.resume(text, firm=agent is None)

    # --- inner ---

    def _sessions(self, agent: str | None) -> list[SimulatedSession]:
        sessions = self.world.sessions
        chosen = [s for name, s in sessions.items() if agent in (None, name, name.rpartition(".")[0])]
        if not chosen:
            hint = did_you_mean(agent or "", sessions)
            raise InvalidValueError(f"no agent {agent!r} is run by Python{hint}; only those have risk control")
        return chosen

    def _build(
        self,
        agents: Mapping[str, Agent | CompiledAgent] | None,
        feeds: Mapping[str, FeedModel] | None,
        topology: Topology | None,
        stepped: bool,
    ) -> World:
        log, profiler = self._recorder.log, self._profiler
        world = Assembly(
            self.spec,
            log if profiler is None else profiler.door(log),
            self._recorder.note,
            agents=agents,
            feeds=feeds,
            topology=topology,
            stepped=stepped,
            environment=None if profiler is None else profiler.environment,
        ).build()
        if profiler is not None:
            profiler.watch(world)
        return world

    @contextmanager
    def _code_is_timed(self) -> Iterator[None]:
        """Adds up how long compiled code is made or loaded inside."""
        began = 0.0

        def begins() -> None:
            nonlocal began
            began = wall.perf_counter()

        def ends() -> None:
            self._timings["code"] += wall.perf_counter() - began

        with timed_compilation(begins, ends):
            yield

    @contextmanager
    def _engine_runs(self) -> Iterator[None]:
        """What happens inside is engine time."""
        began = wall.perf_counter()
        try:
            with nullcontext() if self._profiler is None else self._profiler.running():
                yield
        finally:
            self._timings["engine"] += wall.perf_counter() - began

    def _go(self, moment: int) -> None:
        if self._profiler is not None:
            with self._engine_runs():
                self.world.environment.run(until=moment)
            return
        began = wall.perf_counter()  # the same without a context: a paced run comes here thousands of times a second
        try:
            self.world.environment.run(until=moment)
        finally:
            self._timings["engine"] += wall.perf_counter() - began

    def _run_out(self, end: int, progress: Callable[[Progress], None] | None) -> None:
        if progress is None:
            self._go(end)
            return
        told = began = settled = wall.perf_counter()
        first = self.now
        for number in range(1, _SLICES + 1):
            self._go(first + (end - first) * number // _SLICES)
            now = wall.perf_counter()
            if number == 1:
                settled = now  # the first slice also waits for code that is loaded or compiled
            if now - told >= _PATIENCE or number == _SLICES:
                told = now
                left = (now - settled) / (number - 1) * (_SLICES - number) if number > 1 else float("nan")
                progress(Progress(self.now, number / _SLICES, self.events, now - began, left))

    def _end_session(self) -> None:
        """The session ends with the run: DAY orders expire, agents are told."""
        with self._engine_runs():
            for market in self.world.markets:
                self.world.core.end_session(self.now, market.number)
            stop = SimulatedSession.stop if self._profiler is None else self._profiler.stop
            for session in self.world.sessions.values():
                stop(session)

    def _guarded(self, step: Callable[[], Any]) -> None:
        """Whatever ends a step early closes the run as incomplete, with its reason, and goes on upward."""
        if self._run is not None:
            raise SimulationError("this run is finished; start another", time=self.now)
        try:
            step()
        except BaseException as error:
            try:
                self._run = self._close(Failure.of(error, self.now))
            except Exception as second:  # noqa: BLE001 - the first error is the one to tell
                error.add_note(f"and the run could not be closed: {second}")
            raise

    def _close(self, failure: Failure | None) -> Run:
        try:
            digest = self._close_log()
        except StoreError as error:
            self._recorder.give_up(failure or Failure.of(error))
            raise
        profile = None if self._profiler is None else self._profiler.rows(self.world, self._recorder.log.work)
        if profile is not None:
            self._timings["engine"] = engine_time(profile) / 1e9
        return self._recorder.keep(
            failure,
            digest,
            {"events handled": self.events, "of them in Python": self.world.environment.handled},
            {**self._timings, "wall": wall.perf_counter() - self._began},
            profile,
            end=self.now if failure is None else self.spec.end,
        )

    def _close_log(self) -> str:
        """Hash and store what is left: the last of the engine time."""
        with self._engine_runs(), nullcontext() if self._profiler is None else self._profiler.closing():
            self.world.core.flush()
            return self._recorder.log.close()


def _profiler(spec: ScenarioSpec, stepped: bool) -> Profiler:
    from marketsim.simulation.profile import Profiler

    return Profiler(spec.start, stepped=stepped)
