"""A log that goes on from another: the rows of both, and the digest of a single log that took them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.event import EVENT
from marketsim.results.log import EventLog


def numbered(first: int, last: int) -> Any:
    rows = np.zeros(last - first, EVENT)
    rows["time"] = np.arange(first, last)
    return rows


def fill(log: EventLog, rows: Any) -> None:
    chunk = log.next_chunk(None, 0, 1)
    while len(rows):
        part, rows = rows[: len(chunk)], rows[len(chunk) :]
        chunk.rows[: len(part)] = part
        chunk = log.next_chunk(chunk, len(part), 1)


def whole(count: int) -> str:
    log = EventLog()
    fill(log, numbered(0, count))
    return log.close()


@given(st.integers(0, 40), st.lists(st.integers(0, 40), max_size=3), st.integers(5, 60))
def test_rows_and_digest_are_those_of_one_log(first: int, more: list[int], memory: int) -> None:
    """Also where a log has moved to a temporary folder meanwhile."""
    log, count = EventLog(memory=memory, chunk=8), first
    fill(log, numbered(0, first))
    for length in more:
        log = EventLog(memory=memory, chunk=8, after=log)
        fill(log, numbered(count, count + length))
        count += length
    assert log.close() == whole(count)
    assert log.rows == len(log.events) == count
    assert log.events.rows()["time"].tolist() == list(range(count))
    assert sum(len(block["time"]) for block in log.events.blocks(("time",))) == count


def test_two_logs_may_go_on_from_one() -> None:
    first = EventLog()
    fill(first, numbered(0, 5))
    one, other = EventLog(after=first), EventLog(after=first)
    fill(one, numbered(5, 9))
    fill(other, numbered(5, 7))
    assert (one.close(), other.close(), first.close()) == (whole(9), whole(7), whole(5))


@pytest.mark.parametrize("kept", [False, True])
def test_the_digest_so_far_leaves_the_log_open(kept: bool, tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events" if kept else None)
    fill(log, numbered(0, 5))
    assert log.digest_so_far() == log.digest_so_far() == whole(5)
    chunk = log.next_chunk(None, 0, 1)
    chunk.rows[:2] = numbered(5, 7)
    log.next_chunk(chunk, 2, 1)
    assert log.digest_so_far() == whole(7)
    log.annotate(0, "a", "key", "value")
    with_remark = log.digest_so_far()
    assert with_remark != whole(7)
    assert log.close() == log.digest_so_far() == with_remark
