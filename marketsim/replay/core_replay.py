"""Replay: a recorded tape through the real matching core, compared with the recorded book after every row."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketsim.data.tape import ORDER_EVENT, Tape, TapeKind
from marketsim.domain.instrument import Instrument
from marketsim.errors import DataError, InvalidValueError
from marketsim.exchange.core import ChunkSource, MatchingCore
from marketsim.kernel.compiled import Rows, Table, zeros
from marketsim.replay.foresight import Foresight, foresee
from marketsim.replay.loop import advance
from marketsim.replay.report import ReplayReport
from marketsim.replay.request import REQUEST, Cause
from marketsim.replay.state import DONE, EXCEPTION, MISMATCH, PROGRESS, SHORT_OF_EXCEPTIONS, SHORT_OF_REQUESTS

_SLICE = 50_000  # events between two calls of ``progress``, so that Ctrl-C is heard
_MISMATCHES_KEPT = 10_000
_COUNTED = (
    "observations",
    "entered",
    "entered_equal",
    "mismatches",
    "executions",
    "known",
    "known_first",
    "known_queued",
    "known_queued_first",
    "unseen_first",
    "elsewhere",
    "lacking",
    "crossed",
    "refused",
    "instead",
    "left_over",
    "cleared",
)
_INSTRUCTIVE = (TapeKind.ADD, TapeKind.REDUCE, TapeKind.DELETE, TapeKind.EXECUTE)


class Replay:
    """A tape on its way through a matching core of its own.

    tape: recorded order flow.
    log: where the core's event rows go; by default they are thrown away.
    levels: how many levels of the core's book to write down after each event; see ``book``.
    ahead: whether later rows may tell which orders stand in a level that comes into view.
    """

    def __init__(self, tape: Tape, *, log: ChunkSource | None = None, levels: int = 0, ahead: bool = True) -> None:
        if not np.isin(tape.events["kind"], _INSTRUCTIVE).any():
            raise DataError("there is no order event to replay, only trades", source=tape.source)
        self.tape = tape
        self.core = MatchingCore(log=log or _NoLog())
        self.book: NDArray[np.int64] = np.zeros((len(tape) if levels else 0, max(levels, 1), 4), np.int64)
        self._events = _rows(tape.events)
        self._recorded = (
            np.ascontiguousarray(tape.book, np.int64) if tape.book is not None else np.zeros((0, 1, 4), np.int64)
        )
        self._requests = Table(REQUEST, 4 * len(tape) // 3 + 4096)
        self._mismatches = Table(MISMATCH, _MISMATCHES_KEPT)
        self._exceptions = Table(EXCEPTION, 1024)
        self._bounds = np.zeros(2, np.int64)
        self._state = Table(PROGRESS, 1)
        self._foresight = foresee(tape, ahead=ahead)
        self._firsts = _first_mentions(tape) if self._foresight.opening else _rows(tape.events[:1])
        self._prepare(self._foresight)

    def _prepare(self, foresight: Foresight) -> None:
        state = self._state.rows
        state["orders"] = self.tape.orders_seen
        state["next_id"] = self.tape.orders_seen + 1
        state["opening"] = foresight.opening
        state["seeds"] = int((foresight.notes["arrived"][1:] < 0).sum())
        executions = int((self._events["kind"] == TapeKind.EXECUTE).sum())
        self.core.make_room_for_ids(self.tape.orders_seen + executions + len(foresight.entries))

    @property
    def done(self) -> int:
        """How many events have been replayed."""
        return int(self._state.rows["row"][0])

    @property
    def orders(self) -> int:
        """The largest order id used so far: those of the tape, and above them orders without a name."""
        return int(self._state.rows["next_id"][0]) - 1

    @property
    def requests(self) -> NDArray[Any]:
        """What the core has been asked so far, rows REQUEST."""
        return np.array(self._requests.rows[: int(self._state.rows["sent"][0])], REQUEST)

    def advance(self, stop: int | None = None) -> None:
        """Replay up to the event ``stop`` (all by default)."""
        stop = len(self.tape) if stop is None else min(stop, len(self.tape))
        while True:
            answer = advance(
                self.core.record, self._state.rows, self._events, self._recorded, self._foresight.notes,
                self._foresight.entries, self._firsts, self._requests.rows, self._mismatches.rows,
                self._exceptions.rows, self.book, self._bounds, stop,
            )  # fmt: skip
            if answer == DONE:
                return
            self._relieve(int(answer))

    def _relieve(self, answer: int) -> None:
        if answer == SHORT_OF_REQUESTS:
            self._requests.grow(2 * len(self._requests))
        elif answer == SHORT_OF_EXCEPTIONS:
            self._exceptions.grow(2 * len(self._exceptions))
        else:
            self.core.relieve(answer)

    def report(self, seconds: float = float("nan")) -> ReplayReport:
        """What came of the events replayed so far."""
        state = self._state.rows
        requests = self.requests
        return ReplayReport(
            tape=self.tape,
            mismatch_rows=_copy(self._mismatches, int(state["mismatches_kept"][0])),
            exception_rows=_copy(self._exceptions, int(state["exceptions"][0])),
            seeds=int((requests["cause"] == Cause.SEED).sum()),
            rests=int((requests["cause"] == Cause.REST).sum()),
            requests=requests,
            seconds=seconds,
            **{name: int(state[name][0]) for name in _COUNTED},
        )


def replay(
    tape: Tape,
    *,
    log: ChunkSource | None = None,
    ahead: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> ReplayReport:
    """Send every event of a tape through the real matching core and compare the book after each of them.

    log: where the core's event rows go; thrown away by default.
    ahead: whether later rows may tell which orders stand in a level that comes into view; see docs/replay.md.
    progress: called now and then with (events done, events in all).

    Raises InvariantViolation when the core's own tables do not hold at the end.
    """
    begun = perf_counter()
    work = Replay(tape, log=log, ahead=ahead)
    _run(work, progress)
    work.core.check()
    return work.report(perf_counter() - begun)


def rebuild(tape: Tape, levels: int = 10) -> Tape:
    """The same tape with the best ``levels`` of the core's book after each event, for tapes without a recorded one."""
    if levels < 1:
        raise InvalidValueError(f"levels={levels}: at least 1")
    work = Replay(tape, levels=levels)
    _run(work, None)
    return tape.with_book(work.book)


def warm() -> None:
    """Compile what a replay needs, or load it where it was compiled before; about ten seconds or an instant."""
    events = np.zeros(3, ORDER_EVENT)
    events["kind"] = TapeKind.ADD, TapeKind.EXECUTE, TapeKind.DELETE
    events["order_id"], events["price"], events["quantity"], events["side"] = 1, 1, (2, 1, 1), 1
    book = np.array([[[0, 0, 1, 2]], [[0, 0, 1, 1]], [[0, 0, 0, 0]]], np.int64)
    replay(Tape(Instrument("WARM"), events, np.arange(2), book, 0, 1))


def _run(work: Replay, progress: Callable[[int, int], None] | None) -> None:
    total = len(work.tape)
    while work.done < total:
        work.advance(work.done + _SLICE)
        if progress is not None:
            progress(work.done, total)


def _rows(events: NDArray[Any]) -> Rows:
    """A copy that compiled and uncompiled code read alike."""
    rows = zeros(len(events), ORDER_EVENT)
    rows[:] = events
    return rows


def _first_mentions(tape: Tape) -> Rows:
    """The event that names each order first, by order id."""
    ids, first = np.unique(tape.events["order_id"], return_index=True)
    firsts = zeros(len(tape.numbers), ORDER_EVENT)
    firsts[ids] = tape.events[first]
    return firsts


def _copy(table: Table, count: int) -> NDArray[Any]:
    return np.array(table.rows[:count], table.rows.dtype)


class _NoLog:
    """Throws the core's rows away and hands the same chunk out again."""

    def next_chunk(self, full: Table | None, used: int, needed: int) -> Table:
        from marketsim.domain.event import EVENT

        return full if full is not None and len(full) >= needed else Table(EVENT, needed)
