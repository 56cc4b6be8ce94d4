"""The recorder of one run: its event log, its manifest and, when it is kept, its folder, from first event to last.

The manifest says "incomplete" from the first moment on; only a run that came to its end says otherwise. It decides
nothing about the market.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from marketsim.errors import StoreError
from marketsim.results import folder as folders
from marketsim.results.events import PartEvents
from marketsim.results.log import EventLog
from marketsim.results.manifest import AgentEntry, Failure, Manifest, MarketEntry, versions
from marketsim.results.profile import ProfileRow
from marketsim.results.profile import write as write_profile
from marketsim.results.run import Run
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    from marketsim.simulation.assembly import World


_ENTRIES = TypeAdapter(tuple[AgentEntry, ...])  # all at once: there may be a hundred thousand


@functools.cache
def _versions() -> dict[str, str]:
    """They stay what they are for as long as a process lives, and finding them takes as long as a short run."""
    return versions(metadata.version("marketsim"))


class Recorder:
    """Keeps what happens in one run; in memory, or in a folder that gets its name when everything is in it.

    after: the recorder of a run that is closed and that this one goes on from, in memory, with the same participants.
    """

    def __init__(self, spec: ScenarioSpec, folder: str | Path | None = None, *, after: Recorder | None = None) -> None:
        self._partial = folders.reserve(Path(folder)) if folder is not None else None
        before = None if after is None else after._manifest
        try:
            self.log: EventLog = EventLog(
                self._partial / folders.EVENTS if self._partial is not None else None,
                after=None if after is None else after.log,
            )
            self._manifest: Manifest = Manifest(
                name=spec.name,
                seed=spec.seed,
                spec=spec.to_dict(),
                versions=_versions(),
                date="" if spec.local_time is None else spec.local_time.date.isoformat(),
                time_zone="" if spec.local_time is None else spec.local_time.time_zone,
                start=spec.start,
                end=spec.end,
                warm_up=spec.warm_up,
                markets=() if before is None else before.markets,
                agents=() if before is None else before.agents,
            )
        except BaseException:
            self._remove()
            raise

    @property
    def folder(self) -> Path | None:
        """What it writes into; it gets its name at the end. None in memory."""
        return self._partial

    def note(self, time: int, agent: str, key: str, value: str) -> None:
        """Remember a remark beside the events."""
        self.log.annotate(time, agent, key, value)

    def describe(self, world: World) -> None:
        """Write down who takes part, before anything happens."""
        self._manifest = self._manifest.with_(
            markets=tuple(
                MarketEntry.of(market.number, market.venue, market.instrument, fees)
                for market, fees in zip(world.markets, world.fees, strict=True)
            ),
            agents=_ENTRIES.validate_python(
                [
                    {
                        "number": participant.number,
                        "name": participant.name,
                        "family": participant.family,
                        "type": participant.type,
                        "initial_cash": float(participant.initial_cash),
                        "collateral": {money: str(amount) for money, amount in participant.collateral.items()} or None,
                    }
                    for participant in sorted(world.participants, key=lambda participant: participant.number)
                ]
            ),
        )
        if self._partial is not None:
            folders.write_manifest(self._partial, self._manifest)

    def discard(self) -> None:
        """The run could not even begin: leave nothing behind."""
        self.log.salvage()
        self._remove()

    def _remove(self) -> None:
        if self._partial is not None:
            shutil.rmtree(self._partial, ignore_errors=True)

    def give_up(self, failure: Failure) -> None:
        """Events could not be stored: keep what was, and say why the rest is missing, as far as the disk lets us."""
        rows = len(self.log.salvage())
        if self._partial is not None:
            with suppress(StoreError):
                folders.write_manifest(self._partial, self._manifest.with_(failure=failure, events=rows))

    def keep(
        self,
        failure: Failure | None,
        digest: str,
        counts: dict[str, int],
        timings: dict[str, float],
        profile: Sequence[ProfileRow] | None = None,
        *,
        end: int,
    ) -> Run:
        """Write the manifest of a log that is closed; ``failure`` marks the run incomplete. ``end``: ns."""
        remarks = self.log.annotations
        self._manifest = self._manifest.with_(
            end=end,
            complete=failure is None,
            failure=failure,
            digest=digest,
            events=self.log.rows,
            annotations=len(remarks),
            counts=counts,
            timings=timings,
        )
        if self._partial is None:
            return Run(self._manifest, self.log.events, remarks, profile=profile)
        if len(remarks):
            remarks.write(self._partial / folders.ANNOTATIONS)
        if profile is not None:
            write_profile(self._partial / folders.PROFILE, profile)
        folders.write_manifest(self._partial, self._manifest)
        path = folders.commit(self._partial)
        return Run(self._manifest, PartEvents(folders.parts(path)), None, path)
