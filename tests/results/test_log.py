"""The log keeps every row in order, hashes bytes and nothing else, and says on the main thread what went wrong."""

from __future__ import annotations

import errno
import hashlib
import json
import sys
import threading
import tracemalloc
from pathlib import Path
from types import FrameType

import numpy as np
import pyarrow.parquet as pq
import pytest
from commands import apply, generate
from flow import feed, row, run_of, size_of, some_rows

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderType, Reason, TimeInForce
from marketsim.errors import StoreError
from marketsim.exchange.core import MatchingCore
from marketsim.results import log as log_module
from marketsim.results.log import EventLog
from marketsim.results.parts import GROUP, PART, parts_of

LIMIT, GTC = int(OrderType.LIMIT), int(TimeInForce.GTC)


def plain_digest(rows: np.ndarray) -> str:
    return hashlib.blake2b(rows.tobytes(), digest_size=16).hexdigest()


# --- the digest ------------------------------------------------------------------------------------------------------

BY_HAND = [
    row(EventKind.ACCEPTED, 5, order_id=1, price=100, quantity=7, leaves=7, owner=1, side=1, order_type=1,
        time_in_force=1),
    row(EventKind.ACCEPTED, 9, order_id=2, price=99, quantity=3, leaves=3, owner=2, side=-1, order_type=1,
        time_in_force=1),
    row(EventKind.TRADE, 9, order_id=2, match_id=1, price=100, quantity=3, leaves=4, owner=2, peer=1, side=-1,
        order_type=1, time_in_force=1),
    row(EventKind.CANCELED, 12, order_id=1, price=100, quantity=4, owner=1, side=1, reason=int(Reason.BY_REQUEST),
        order_type=1, time_in_force=1),
]  # fmt: skip
GOLDEN = "3052de149414c852a22d77e77e2be116"
GOLDEN_ANNOTATED = "91bb3933eca52a8e6d40097156e5351d"


def close_by_hand(*notes: tuple[int, str, str, str]) -> str:
    log = EventLog()
    feed(log, np.array(BY_HAND, EVENT), [1, 2])
    for note in notes:
        log.annotate(*note)
    return log.close()


def test_golden_digest_of_four_rows() -> None:
    """A change here changes the digest of every run that was ever kept."""
    assert close_by_hand() == GOLDEN == plain_digest(np.array(BY_HAND, EVENT))


def test_golden_digest_with_annotations() -> None:
    notes = [(5, "mm", "spread", "0.02 → 0.03"), (9, "ml", "signal", '"up" at 0.7')]
    lines = "".join(json.dumps(note, separators=(",", ":")) + "\n" for note in notes)
    own = hashlib.blake2b(lines.encode(), digest_size=32).digest()
    expected = hashlib.blake2b(np.array(BY_HAND, EVENT).tobytes() + own, digest_size=16).hexdigest()
    assert close_by_hand(*notes) == GOLDEN_ANNOTATED == expected
    assert close_by_hand(*notes[::-1]) != GOLDEN_ANNOTATED, "their order counts"


@pytest.mark.parametrize("sizes", [[], [1, 2, 3, 5_000], [65_536] * 9, [7] * 100])
@pytest.mark.parametrize("where", ["memory", "spilled", "folder"])
def test_digest_and_rows_do_not_depend_on_chunks_or_place(where: str, sizes: list[int], tmp_path: Path) -> None:
    rows = some_rows(PART + GROUP + 1_234)
    folder = tmp_path / "events" if where == "folder" else None
    log = EventLog(folder, memory=100_000 if where == "spilled" else 1 << 40)
    feed(log, rows, sizes)
    assert log.close() == plain_digest(rows)
    assert log.rows == len(rows) == len(log.events)
    assert np.array_equal(log.events.rows(), rows)


def test_files_do_not_depend_on_chunks(tmp_path: Path) -> None:
    rows = some_rows(GROUP + 1_000)
    for name, sizes in (("one", [1_000] * 90), ("two", [])):
        log = EventLog(tmp_path / name)
        feed(log, rows, sizes)
        log.close()
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_an_empty_log() -> None:
    log = EventLog()
    assert log.close() == hashlib.blake2b(digest_size=16).hexdigest()
    assert len(log.events) == 0
    assert log.events.rows().dtype == EVENT
    assert list(log.events.blocks()) == []


# --- as the core's log -----------------------------------------------------------------------------------------------


@pytest.mark.uncompiled
@pytest.mark.parametrize("chunk", [64, 1_000, 65_536])
def test_a_core_writes_the_same_rows_as_into_memory(chunk: int, tmp_path: Path) -> None:
    commands = generate(seed=3, count=1_500)
    log = EventLog(tmp_path / "events", chunk=chunk)
    cores = MatchingCore(3), MatchingCore(3, log=log)
    for command in commands:
        for core in cores:
            apply(core, command)
    cores[1].flush()
    digest = log.close()
    assert np.array_equal(log.events.rows(), cores[0].events())
    assert digest == plain_digest(cores[0].events())


def test_a_request_that_needs_a_long_chunk_gets_one() -> None:
    log = EventLog(chunk=100)
    chunk = log.next_chunk(None, 0, 50)
    assert len(chunk) == 100
    chunk.rows["time"][:3] = [1, 2, 3]
    long = log.next_chunk(chunk, 3, 5_000)
    assert len(long) >= 5_000
    long.rows["time"][:4_000] = 9
    log.next_chunk(long, 4_000, 100)
    log.close()
    assert log.events.rows()["time"].tolist() == [1, 2, 3] + [9] * 4_000


def test_a_few_chunks_go_round() -> None:
    log = EventLog(chunk=1_000)
    chunk = log.next_chunk(None, 0, 1)
    addresses = set()
    for number in range(200):
        addresses.add(chunk.address)
        chunk.rows["time"][:1_000] = number
        chunk = log.next_chunk(chunk, 1_000, 1)
    log.close()
    assert len(addresses) <= log_module.RING
    assert log.events.rows()["time"].tolist() == np.repeat(np.arange(200), 1_000).tolist()


def test_an_unused_chunk_is_handed_out_again() -> None:
    log = EventLog()
    chunk = log.next_chunk(None, 0, 1)
    assert log.next_chunk(chunk, 0, 1) is chunk
    assert log.rows == 0


def test_a_chunk_handed_over_before_an_interrupt_is_not_taken_twice() -> None:
    """Ctrl-C between the hand-over and the core's own bookkeeping: the core offers the old chunk again."""
    log = EventLog()
    old = log.next_chunk(None, 0, 1)
    old.rows["time"][:5] = [1, 2, 3, 4, 5]
    fresh = log.next_chunk(old, 5, 1)
    assert log.next_chunk(old, 5, 1) is fresh
    log.close()
    assert log.events.rows()["time"].tolist() == [1, 2, 3, 4, 5]


class Interrupter:
    """Raises KeyboardInterrupt before the n-th line that runs inside the log, as a signal handler would."""

    def __init__(self, line: int) -> None:
        self.line = line

    def __call__(self, frame: FrameType, event: str, argument: object) -> Interrupter | None:
        if not frame.f_code.co_filename.endswith(("results/log.py", "exchange/core.py")):
            return None
        if event == "line":
            self.line -= 1
            if self.line == 0:
                raise KeyboardInterrupt
        return self


@pytest.mark.skipif(sys.gettrace() is not None, reason="a debugger or coverage is tracing")
@pytest.mark.parametrize("used", [1, 60])
def test_an_interrupt_at_any_line_loses_and_doubles_nothing(used: int) -> None:
    """At each line of the hand-over in turn; afterwards the core offers what it believes to hold, and closes."""
    interrupted = 0
    for line in range(1, 200):
        log = EventLog(chunk=64)
        chunk, taken = log.next_chunk(None, 0, 1), 0
        try:
            for number in range(3):
                chunk.rows["time"][:used] = number
                sys.settrace(Interrupter(line - 1000 * (number != 1)))
                try:
                    following = log.next_chunk(chunk, used, 1)
                finally:
                    sys.settrace(None)
                chunk, taken = following, taken + 1
        except KeyboardInterrupt:
            interrupted += 1
        if taken < 3:
            log.next_chunk(chunk, used, 1)
        log.close()
        stored = log.events.rows()["time"].tolist()
        assert stored == [number for number in range(min(taken + 1, 3)) for _ in range(used)], line
        if line > interrupted:
            break
    assert interrupted > 5


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """A million rows are 64 MB; what the log holds of them while they pass is a fraction of that."""
    rows = some_rows(100_000)
    log = EventLog(tmp_path / "events")
    tracemalloc.start()
    for _ in range(10):
        feed(log, rows, [])
    log.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert log.rows == 1_000_000
    assert peak < 40e6, f"{peak / 1e6:.0f} MB"


def test_bytes_a_row_on_realistic_flow(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    core = MatchingCore(3, log=log)
    for command in generate(seed=8, count=20_000):
        apply(core, command)
    core.flush()
    log.close()
    assert size_of(tmp_path) / log.rows < 16  # short and wild; a market's own flow takes about nine


# --- memory, then a temporary folder ---------------------------------------------------------------------------------


def test_a_long_log_without_a_folder_moves_to_a_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module.tempfile, "tempdir", str(tmp_path))
    rows = some_rows(50_000)
    log = EventLog(memory=20_000, chunk=10_000)
    feed(log, rows, [])
    log.close()
    assert len(list(tmp_path.iterdir())) == 1
    events = log.events
    del log
    assert np.array_equal(events.rows(), rows), "the events keep their files alive"
    del events
    assert list(tmp_path.iterdir()) == []


def test_no_thread_and_no_chunk_is_left_behind() -> None:
    before = threading.active_count()
    log = EventLog()
    feed(log, some_rows(1_000), [])
    assert threading.active_count() == before + 1
    del log  # never closed
    assert threading.active_count() == before


# --- what can go wrong -----------------------------------------------------------------------------------------------


def full_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Writing the row group ``after`` (from 0) finds no room."""
    write = pq.ParquetWriter.write_batch
    done = []

    def failing(self: pq.ParquetWriter, *arguments: object, **named: object) -> None:
        if len(done) >= after:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(1)
        write(self, *arguments, **named)

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", failing)


def test_a_full_disk_reaches_the_main_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk(monkeypatch, after=PART // GROUP + 1)
    rows = some_rows(PART + 4 * GROUP)
    log = EventLog(tmp_path / "events")
    with pytest.raises(StoreError, match=r"No space left on device; free some space or choose another folder"):
        feed(log, rows, [])
    for again in (log.close, lambda: log.next_chunk(None, 0, 1)):
        with pytest.raises(StoreError, match="No space left"):
            again()
    kept = log.salvage()
    assert np.array_equal(kept.rows(), rows[:PART]), "the part that was whole is there"
    assert [path.name for path in (tmp_path / "events").iterdir()] == ["00000.parquet"]


def test_a_full_disk_at_the_very_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk(monkeypatch, after=0)
    log = EventLog(tmp_path / "events")
    feed(log, some_rows(500), [])
    for _ in range(2):
        with pytest.raises(StoreError, match="No space left"):
            log.close()
    assert len(log.salvage()) == 0
    assert parts_of(tmp_path / "events") == []


def test_a_full_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module.tempfile, "tempdir", str(tmp_path / "missing"))
    log = EventLog(memory=10)
    feed(log, some_rows(100), [])
    with pytest.raises(StoreError, match="TMPDIR"):
        log.close()


def test_any_failure_of_the_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog()
    monkeypatch.setattr(log._archive, "write", lambda rows: 1 / 0, raising=False)
    feed(log, some_rows(10), [])
    with pytest.raises(StoreError, match="could not be stored: division by zero"):
        log.close()


def test_a_closed_log_takes_no_more_rows() -> None:
    log = EventLog()
    chunk = log.next_chunk(None, 0, 1)
    digest = log.close()
    assert log.close() == digest
    with pytest.raises(StoreError, match="closed: a new run needs a new log"):
        log.next_chunk(chunk, 1, 1)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="making the folder failed: Not a directory"):
        EventLog(tmp_path / "file" / "events")


# --- annotations -----------------------------------------------------------------------------------------------------


def test_annotations_are_a_table_and_survive_a_file(tmp_path: Path) -> None:
    log = EventLog()
    for number in range(40_000):
        log.annotate(number, f"agent.{number % 3}", "signal", number / 7)
    log.annotate(40_000, "mm", "half a character", "\ud83d")
    log.close()
    table = log.annotations.frame
    assert table.columns.tolist() == ["time", "agent", "key", "value"]
    assert table["time"].tolist() == list(range(40_001))
    assert table.iloc[7].tolist() == [7, "agent.1", "signal", "1.0"]
    assert table.iloc[-1]["value"] == "\\ud83d"
    log.annotations.write(tmp_path / "annotations.parquet")
    again = type(log.annotations).read(tmp_path / "annotations.parquet")
    assert again.digest() == log.annotations.digest()
    assert again.frame.equals(table)
    assert [path.name for path in tmp_path.iterdir()] == ["annotations.parquet"]


def test_damaged_annotations(tmp_path: Path) -> None:
    from marketsim.results.annotations import Annotations

    path = tmp_path / "annotations.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(StoreError, match=r"annotations.parquet: not a readable table"):
        Annotations.read(path)


def test_a_run_in_memory_keeps_what_the_log_kept() -> None:
    run = run_of(BY_HAND)
    assert run.events.tolist() == BY_HAND
