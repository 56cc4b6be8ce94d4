"""The event log: chunks of rows go from the matching core to memory or disk, and every byte of them into the digest.

A few chunks go round: while one is being filled, a thread of the log hashes and stores the ones before it, in their
order (hashing and compressing let other threads run). So memory stays bounded and the digest depends on the rows alone,
not on how they were cut into chunks. Rows are never changed, dropped or read back here.
"""

from __future__ import annotations

import hashlib
import queue
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.event import EVENT
from marketsim.errors import StoreError
from marketsim.kernel.compiled import Table
from marketsim.results.annotations import Annotations
from marketsim.results.events import Events, JoinedEvents, MemoryEvents, PartEvents

CHUNK = 8_192  # rows; small ones are hashed while the run goes on, and stay in the processor's caches
RING = 4  # chunks that go round
MEMORY = 1_000_000  # rows kept in memory (64 MB) before a log without a folder moves to a temporary one
DIGEST_SIZE = 16  # bytes
WORK = ("hashing", "storing", "flushing")  # the last one waits until a part is on the disk


class EventLog:
    """Takes the rows of a run and gives back their digest. One core writes into it.

    folder: where Parquet parts go; None keeps rows in memory, and beyond ``memory`` rows in a temporary folder that
        lives as long as somebody holds the events.
    annotations: what else is remembered; enters the digest behind the rows, if there is any.
    after: a closed log without annotations that this one, in memory, goes on from: its rows come first.
    """

    def __init__(
        self, folder: Path | None = None, *, memory: int = MEMORY, chunk: int = CHUNK, after: EventLog | None = None
    ) -> None:
        self.annotations = Annotations()
        self._archive: _Archive = _Memory(memory) if folder is None else _Parts(folder)
        self._clerk = _Clerk(self._archive)
        self._after = after
        if after is not None:
            after.close()
            self._clerk.digest = after._clerk.digest.copy()
        self._chunk = chunk
        self._out: _HandOut | None = None
        self._digest: str | None = None
        self._finalizer = weakref.finalize(self, self._clerk.stop)

    @property
    def rows(self) -> int:
        """Rows stored so far; after ``close`` all of them."""
        return self._clerk.rows + (0 if self._after is None else self._after.rows)

    def next_chunk(self, full: Table | None, used: int, needed: int) -> Table:
        """Take the first ``used`` rows of a chunk and hand out one with room for at least ``needed`` rows.

        StoreError when rows handed over earlier could not be written.
        """
        self._clerk.complain()
        if self._digest is not None:
            raise StoreError("this event log is closed: a new run needs a new log")
        out = self._out
        if out is not None:
            if full is not out.chunk:  # an interrupt came after its rows were taken
                used = 0
            if used == 0 and len(out.chunk) >= needed:
                return out.chunk
        fresh = _HandOut(self._free_chunk(needed))
        if out is not None and used:
            self._clerk.take(out, used)
        self._out = fresh
        return fresh.chunk

    def annotate(self, time: int, agent: str, key: str, value: object) -> None:
        """Remember something beside the events."""
        self.annotations.add(time, agent, key, value)

    def close(self) -> str:
        """Store and hash what is still waiting; the digest as text. The second time it only answers.

        blake2b with 16 bytes over the bytes of all rows; if there are annotations, then their own digest behind them.
        StoreError when something could not be written.
        """
        if self._digest is None:
            self._clerk.finish()
            self._clerk.complain()
            self._digest = self._digest_so_far()
        return self._digest

    def digest_so_far(self) -> str:
        """What ``close`` would answer if nothing came after the rows that were handed over; the log stays open."""
        if self._digest is None:
            self._clerk.stop()
            self._clerk.complain()
        return self._digest or self._digest_so_far()

    def _digest_so_far(self) -> str:
        digest = self._clerk.digest.copy()
        if len(self.annotations):
            digest.update(self.annotations.digest())
        return digest.hexdigest()

    @property
    def work(self) -> dict[str, int]:
        """Wall time in ns that its thread spent on each kind of WORK so far."""
        return dict(self._clerk.work)

    @property
    def events(self) -> Events:
        """What was stored: all rows after ``close``, or after a failure those that could be kept."""
        own = self._archive.events()
        return own if self._after is None else JoinedEvents((self._after.events, own))

    def salvage(self) -> Events:
        """After a failure: stop, and keep what was stored before it."""
        self._clerk.stop()
        self._archive.abandon()
        return self.events

    def _free_chunk(self, needed: int) -> Table:
        """One that is long enough; a short one leaves the ring for it."""
        if self._clerk.free.empty() and self._clerk.waiting < RING - 1:
            return Table(EVENT, max(self._chunk, needed))
        chunk = self._clerk.free.get()
        return chunk if len(chunk) >= needed else Table(EVENT, needed)


class _HandOut:
    """One handing out of a chunk: the same chunk comes round again, a hand-out does not."""

    def __init__(self, chunk: Table) -> None:
        self.chunk = chunk


class _Clerk:
    """Hashes and stores chunks in their order on a thread of its own, which starts with the first of them.

    A hand-out that comes twice, because an interrupt hid that it had been taken, is stored once. After a failure the
    clerk goes on taking chunks and gives them back unread, so that nobody waits for ever.
    """

    def __init__(self, archive: _Archive) -> None:
        self.digest = hashlib.blake2b(digest_size=DIGEST_SIZE)
        self.free: queue.SimpleQueue[Table] = queue.SimpleQueue()
        self.rows = 0
        self.work = dict.fromkeys(WORK, 0)
        self._queue: queue.SimpleQueue[tuple[_HandOut, int] | None] = queue.SimpleQueue()
        self._last: _HandOut | None = None
        self._taken = self._returned = 0
        self._archive = archive
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Chunks that were taken and have not come back."""
        return self._taken - self._returned

    def take(self, out: _HandOut, used: int) -> None:
        """Queue the first ``used`` rows of a chunk."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="marketsim event log", daemon=True)
            self._thread.start()
        self._taken += 1
        self._queue.put((out, used))

    def stop(self) -> None:
        """Finish what is waiting and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def complain(self) -> None:
        """Raise what went wrong on the thread."""
        if isinstance(self._failure, StoreError):
            raise self._failure
        if self._failure is not None:
            raise StoreError(f"the event log could not be stored: {self._failure}") from self._failure

    def finish(self) -> None:
        """Stop, and complete what was stored."""
        self.stop()
        if self._failure is None:
            try:
                self._archive.close()
            except StoreError as error:
                self._failure = error

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            out, used = item
            if out is not self._last:
                self._last = out
                if self._failure is None:
                    self._store(np.asarray(out.chunk.rows[:used]))
                self.free.put(out.chunk)
            self._returned += 1

    def _store(self, rows: NDArray[Any]) -> None:
        began, flushed = perf_counter_ns(), self._archive.flushing
        try:
            self.digest.update(rows.view(np.uint8).data)
            hashed = perf_counter_ns()
            self._archive.write(rows)
            self.rows += len(rows)
            flushing = self._archive.flushing - flushed
            self.work["hashing"] += hashed - began
            self.work["storing"] += perf_counter_ns() - hashed - flushing
            self.work["flushing"] += flushing
        except BaseException as error:  # noqa: BLE001 - raised again on the main thread by complain()
            self._failure = error


class _Archive(Protocol):
    """Where rows end up."""

    @property
    def flushing(self) -> int:
        """ns spent until files were on the disk."""

    def write(self, rows: NDArray[Any]) -> None:
        """Append rows; they are copied."""

    def close(self) -> None:
        """Finish."""

    def abandon(self) -> None:
        """Let go of what is unfinished, after a failure."""

    def events(self) -> Events:
        """What is stored."""


class _Parts:
    """Parts of a folder."""

    def __init__(self, folder: Path, owner: object = None) -> None:
        from marketsim.results.parts import PartWriter

        self._writer = PartWriter(folder)
        self._owner = owner
        self.write = self._writer.write
        self.close = self._writer.close
        self.abandon = self._writer.abandon

    @property
    def flushing(self) -> int:
        return self._writer.flushing

    def events(self) -> Events:
        return PartEvents(self._writer.paths, self._owner)


class _TemporaryFolder:
    """A folder that goes when its last user does."""

    def __init__(self) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix="marketsim-"))
        except OSError as error:
            raise StoreError(
                f"{tempfile.gettempdir()}: no room for the events of a long run: {error.strerror}; free some space, "
                "set TMPDIR to another folder, or save the run to a folder from its start"
            ) from error
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class _Memory:
    """Memory, up to a limit; then parts of a temporary folder."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[NDArray[Any]] = []
        self._count = 0
        self._spilled: _Parts | None = None

    @property
    def flushing(self) -> int:
        return 0 if self._spilled is None else self._spilled.flushing

    def write(self, rows: NDArray[Any]) -> None:
        if self._spilled is None and self._count + len(rows) > self._limit:
            self._spill()
        if self._spilled is not None:
            self._spilled.write(rows)
        else:
            self._kept.append(np.array(rows, dtype=EVENT))
            self._count += len(rows)

    def _spill(self) -> None:
        folder = _TemporaryFolder()
        self._spilled = _Parts(folder.path, folder)
        for rows in self._kept:
            self._spilled.write(rows)
        self._kept.clear()

    def close(self) -> None:
        if self._spilled is not None:
            self._spilled.close()

    def abandon(self) -> None:
        if self._spilled is not None:
            self._spilled.abandon()

    def events(self) -> Events:
        return MemoryEvents(self._kept) if self._spilled is None else self._spilled.events()
