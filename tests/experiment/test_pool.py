"""The pool: every piece once, errors in their place, and nothing lost when a process dies."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_market import once_killed, work

from marketsim.errors import InvalidValueError, SimulationError
from marketsim.experiment.pool import BATCH_SECONDS, LARGEST_BATCH, batch_size, spread


@given(st.floats(0, 100), st.integers(1, 10_000), st.integers(1, 64))
def test_batches_are_short_and_leave_work_for_everybody(seconds: float, left: int, workers: int) -> None:
    size = batch_size(seconds, left, workers)
    assert 1 <= size <= LARGEST_BATCH
    assert size == 1 or size * seconds <= BATCH_SECONDS
    assert size == 1 or size * workers * 2 <= left


def test_in_this_process_errors_stand_in_their_place() -> None:
    found = dict(spread(work, [("plain", 3), ("fail", 4), ("plain", 5)], workers=1))
    assert found[0] == 9
    assert found[2] == 25
    assert isinstance(found[1], ValueError)


@pytest.mark.slow
def test_a_piece_that_ends_its_process_is_an_error_and_the_others_are_done_once() -> None:
    items = [("wait", n) for n in range(12)]
    items[4], items[9] = ("kill", 4), ("fail", 9)
    outcomes = list(spread(work, items, workers=2))
    assert sorted(index for index, _ in outcomes) == list(range(12))
    found = dict(outcomes)
    assert isinstance(found[4], SimulationError)
    assert "ended from outside" in str(found[4])
    assert isinstance(found[9], ValueError)
    assert all(found[n] == n * n for n in range(12) if n not in (4, 9))


@pytest.mark.slow
def test_who_dies_once_is_done_again(tmp_path: Path) -> None:
    items = [(str(tmp_path), name) for name in ("a", "", "b", "")]
    assert dict(spread(once_killed, items, workers=2)) == {0: "a", 1: "", 2: "b", 3: ""}


def test_what_cannot_be_sent_is_refused_before_a_process_begins() -> None:
    with pytest.raises(InvalidValueError, match="give a function of a module, or workers=1"):
        list(spread(lambda one: one, [1, 2], workers=2))
    assert list(spread(lambda one: one, [1, 2], workers=1)) == [(0, 1), (1, 2)]
