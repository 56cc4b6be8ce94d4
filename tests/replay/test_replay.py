"""Replay against made-up days whose truth is known: an obvious book in Python records, the real core replays.

What a recorder with n levels shows is all that the replay is given; what it says is held against the whole truth.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorder import (
    ADD,
    DELETE,
    EXECUTE,
    HALT,
    HIDDEN,
    REDUCE,
    RESUME,
    Day,
    Event,
    Recorder,
    by_hand,
    random_day,
    tape_of,
)

from marketsim.data.tape import Tape, TapeFlag, TapeKind
from marketsim.domain.event import EventKind
from marketsim.errors import DataError, InvalidValueError
from marketsim.exchange.core import MemoryLog
from marketsim.kernel.compiled import UNCOMPILED
from marketsim.replay import Cause, ExceptionCause, Replay, ReplayReport, RequestKind, rebuild, replay
from marketsim.replay import foresight as _foresight

pytestmark = [pytest.mark.uncompiled, pytest.mark.boundscheck]

BUY, SELL = 1, -1
WHOLE = 80  # levels: more than any made-up book has
STEPS = 250 if UNCOMPILED else 400


def compared_by_hand(tape: Tape) -> int:
    """Level observations less those whose price was worse than everything in view one row before."""
    assert tape.book is not None
    total = 0
    for column, sign in ((2, 1), (0, -1)):
        worst = None  # nothing in view yet
        for state in tape.book.tolist():
            for level in state:
                new = worst is None or sign * (level[column] - worst) < 0
                total += not (level[column + 1] and new)
            worst = state[-1][column] if state[-1][column + 1] else -sign * 10**12
    return total


# --- random days -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [1, 2, 3, 5, WHOLE])
@pytest.mark.parametrize("start", [0, 100])
def test_random_days_agree_whatever_the_window(levels: int, start: int) -> None:
    known = first = unseen = unseen_first = 0
    for seed in range(3 if UNCOMPILED else 12):
        tape = random_day(seed, STEPS).view(levels, start)
        report = replay(tape)
        assert report.agrees, str(report)
        assert report.mismatches == 0
        assert report.observations == len(tape) * 2 * levels
        assert report.compared == compared_by_hand(tape)
        known, first = known + report.known, first + report.known_first
        unseen, unseen_first = unseen + report.executions - report.known, unseen_first + report.unseen_first
    assert known > (20 if UNCOMPILED else 400)
    # The made-up venue keeps time priority; what a window hides can leave an order's place open, but seldom does.
    if levels == WHOLE:
        assert (first, unseen_first) == (known, unseen)
    assert first >= 0.999 * known
    assert unseen_first >= 0.97 * unseen


@given(st.integers(0, 10**9), st.integers(1, 6), st.integers(0, 60))
@settings(max_examples=5 if UNCOMPILED else 60)
def test_any_day_agrees(seed: int, levels: int, start: int) -> None:
    tape = random_day(seed, 150).view(levels, start)
    for ahead in (True, False):
        report = replay(tape, ahead=ahead)
        assert report.agrees, str(report)
        assert report.compared == compared_by_hand(tape)


def test_the_core_keeps_the_true_queues_when_everything_is_in_view() -> None:
    day = random_day(5, STEPS)
    recorder = Recorder(5)
    recorder.run(STEPS)
    work = Replay(day.view(WHOLE))
    work.advance()
    numbers = work.tape.numbers
    for side in (BUY, SELL):
        for price, queue in recorder.book[side].items():
            assert [(int(numbers[name]), left) for name, left in work.core.queue(0, side, price)] == [
                (name, left) for name, left in queue
            ]
        assert len(work.core.depth(0, side)) == len(recorder.book[side])


def test_without_looking_ahead_nothing_depends_on_later_rows() -> None:
    tape = random_day(3, STEPS).view(2, 20)
    whole = replay(tape, ahead=False).requests
    for stop in (1, 17, len(tape) // 2):
        part = replay(tape.rows(0, stop), ahead=False).requests
        assert np.array_equal(part, whole[: len(part)])
        assert (whole["row"][len(part) :] >= stop).all()


def test_looking_ahead_finds_the_place_of_orders_that_came_unseen() -> None:
    blind = seeing = known = 0
    for seed in range(4 if UNCOMPILED else 10):
        tape = random_day(seed, STEPS).view(1)
        known += replay(tape).known
        seeing += len(replay(tape).exception_rows)
        blind += len(replay(tape, ahead=False).exception_rows)
    assert blind > 0.005 * known > 0
    assert seeing < blind / 5


def test_in_slices_and_at_once_are_the_same() -> None:
    tape = random_day(8, STEPS).view(3)
    work = Replay(tape)
    for stop in range(0, len(tape) + 7, 7):
        work.advance(stop)
        assert work.done == min(stop, len(tape))
    assert np.array_equal(work.requests, replay(tape).requests)


# --- planted faults --------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.data())
@settings(max_examples=5 if UNCOMPILED else 40)
def test_one_wrong_state_is_one_mismatch_at_its_row(seed: int, data: st.DataObject) -> None:
    tape = random_day(seed, 120).view(WHOLE)
    assert tape.book is not None
    row = data.draw(st.integers(1, len(tape) - 1))
    column = data.draw(st.sampled_from((1, 3)))
    there = np.flatnonzero(tape.book[row, :, column])
    if len(there) == 0:
        return
    level = int(data.draw(st.sampled_from(there.tolist())))
    book = tape.book.copy()
    book[row, level, column] += 10
    report = replay(tape.with_book(book))
    assert report.mismatches == 1
    assert not report.agrees
    found = report.mismatched().iloc[0]
    assert (found["row"], found["side"], found["level"]) == (row + 1, -1 if column == 1 else 1, level + 1)
    assert found["recorded_quantity"] - found["quantity"] == 10
    assert found["recorded_price"] == found["price"]


def test_a_wrong_price_is_a_mismatch_too() -> None:
    tape = random_day(4, 120).view(WHOLE)
    assert tape.book is not None
    row = int(np.flatnonzero(tape.book[:, 0, 3] > 0)[-1])
    book = tape.book.copy()
    book[row, 0, 2] += 1
    report = replay(tape.with_book(book))
    assert report.mismatches == 1
    assert report.mismatched()["recorded_price"][0] - report.mismatched()["price"][0] == pytest.approx(0.01)


def without(tape: Tape, row: int, flag: int) -> Tape:
    """The tape less one row, the next one flagged or not."""
    assert tape.book is not None
    events = np.delete(tape.events, row)
    events["flags"][row] = flag
    return changed(tape, events=events, book=np.delete(tape.book, row, axis=0))


@pytest.mark.parametrize("kind", [ADD, REDUCE, DELETE, EXECUTE])
def test_a_lost_message_is_noticed_unless_its_gap_is_known(kind: TapeKind) -> None:
    tape = random_day(6, 300).view(4)
    rows = np.flatnonzero(tape.events["kind"] == kind)
    row = int(rows[len(rows) // 2])
    report = replay(without(tape, row, 0))
    assert not report.agrees
    assert report.mismatched()["row"][0] == row + 2  # lines count from 1, and the row itself is missing
    mended = replay(without(tape, row, TapeFlag.GAP))
    assert mended.agrees, str(mended)
    assert mended.entered > replay(tape).entered


def queue_of_two(record: Recorder) -> tuple[int, int]:
    first = record.add(BUY, 100, 50)
    second = record.add(BUY, 100, 50)
    record.add(BUY, 99, 10)
    record.add(SELL, 101, 10)
    return first, second


def test_an_execution_out_of_turn_is_listed_with_its_cause_and_what_follows_from_it() -> None:
    record = Recorder()
    first, second = queue_of_two(record)
    record.book[BUY][100].reverse()  # the made-up venue executes the later order
    record.execute(BUY, 50)
    record.execute(BUY, 50)
    report = replay(record.day.view(5))
    assert report.agrees  # levels and prices are right, only the turn is not
    assert (report.known, report.known_first, report.known_queued) == (2, 0, 1)
    table = report.exceptions()
    assert table["row"].tolist() == [5, 6]
    assert table["order"].tolist() == [str(second), str(first)]
    assert table["first"].tolist() == [str(first), str(second)]
    assert table["cause"].tolist() == ["JUMPED", "FOLLOWS"]
    assert table["follows"].tolist() == [0, 5]
    assert table["position"].tolist() == [1, -1]
    assert table["queue"].tolist() == [2, 1]
    assert table["price"].tolist() == [1.0, 1.0]
    assert report.causes() == {ExceptionCause.JUMPED: 1, ExceptionCause.FOLLOWS: 1}


def test_an_order_with_a_lower_number_that_came_later_is_an_older_one() -> None:
    events = [
        Event(1, ADD, 500, BUY, 100, 50),
        Event(2, ADD, 400, BUY, 100, 50),
        Event(3, EXECUTE, 400, BUY, 100, 50),
    ]
    book = [[(0, 0, 100, 50)], [(0, 0, 100, 100)], [(0, 0, 100, 50)]]
    report = replay(tape_of(events, book))
    assert report.agrees
    assert report.exceptions()["cause"].tolist() == ["OLDER"]


def test_an_execution_below_the_best_price_is_noticed() -> None:
    record = Recorder()
    record.add(BUY, 100, 50)
    worse = record.add(BUY, 99, 50)
    tape = record.day.view(2)
    events = [*record.day.events, Event(9_999_999, EXECUTE, worse, BUY, 99, 50)]
    assert tape.book is not None
    report = replay(tape_of(events, [*tape.book.tolist(), [(0, 0, 100, 50), (0, 0, 0, 0)]]))
    assert report.elsewhere == 1
    assert report.mismatches == 1
    assert not report.agrees


def test_an_arrival_that_would_trade_is_noticed() -> None:
    events = [Event(1, ADD, 1, SELL, 100, 50), Event(2, ADD, 2, BUY, 100, 20)]
    report = replay(tape_of(events, None))
    assert report.crossed == 1
    assert not report.agrees


def test_an_execution_of_nothing_is_noticed() -> None:
    events = [Event(1, ADD, 1, SELL, 100, 50), Event(2, EXECUTE, 1, SELL, 100, 60)]
    report = replay(tape_of(events, None))
    assert (report.executions, report.lacking) == (1, 1)


def test_a_cancel_of_more_than_there_is_is_noticed() -> None:
    events = [Event(1, ADD, 1, SELL, 100, 50), Event(2, DELETE, 1, SELL, 100, 60)]
    report = replay(tape_of(events, None))
    assert (report.instead, report.lacking) == (1, 1)
    assert not report.agrees


# --- what a window hides ---------------------------------------------------------------------------------------------


def asked(report: ReplayReport, cause: Cause) -> list[tuple[int, str, int, int]]:
    """(row, what, price, quantity) of the requests with a cause."""
    rows = report.requests[report.requests["cause"] == cause]
    return [
        (int(row["row"]) + 1, RequestKind(int(row["kind"])).name, int(row["price"]), int(row["quantity"]))
        for row in rows
    ]


def test_a_level_that_comes_into_view_takes_its_size_once() -> None:
    def write(record: Recorder) -> None:
        record.add(BUY, 100, 10)
        record.add(BUY, 99, 70)
        record.cancel(BUY, 100, 0)  # 99 comes into view
        record.cancel(BUY, 99, 0, 30)

    tape = by_hand(write).view(1)
    assert len(tape) == 3
    report = replay(tape)
    assert report.agrees
    assert (report.observations, report.entered, report.seeds, report.rests) == (6, 2, 1, 1)
    assert asked(report, Cause.SEED) == [(2, "NEW", 99, 30)]  # what the next row names
    assert asked(report, Cause.REST) == [(2, "NEW", 99, 40)]


def test_an_order_canceled_out_of_view_goes_when_its_level_comes_back() -> None:
    def write(record: Recorder) -> None:
        record.add(SELL, 105, 5)
        record.add(BUY, 100, 10)
        record.add(BUY, 100, 20)
        record.add(BUY, 101, 10)  # 100 out of view
        record.cancel(BUY, 100, 0)
        record.cancel(BUY, 101, 0)  # 100 into view, smaller
        record.execute(BUY, 20)

    report = replay(by_hand(write).view(1))
    assert report.agrees
    assert report.known_first == report.known == 1
    assert [row[1:] for row in asked(report, Cause.CLEAR)] == [("CANCEL", 100, 0)]


def test_part_of_an_order_canceled_out_of_view_is_cut_from_that_order() -> None:
    def write(record: Recorder) -> None:
        record.add(SELL, 105, 5)
        record.add(BUY, 100, 10)
        record.add(BUY, 100, 20)
        record.add(BUY, 101, 10)
        record.cancel(BUY, 100, 0, 4)
        record.cancel(BUY, 101, 0)
        record.execute(BUY, 26)

    report = replay(by_hand(write).view(1))
    assert report.agrees
    assert (report.known, report.known_first) == (2, 2)
    assert [row[1:] for row in asked(report, Cause.CLEAR)] == [("CANCEL", 100, 4)]


def test_a_level_that_is_gone_when_its_price_comes_into_view_is_cleared() -> None:
    def write(record: Recorder) -> None:
        record.add(BUY, 100, 10)
        record.add(BUY, 101, 10)  # 100 out of view
        record.cancel(BUY, 100, 0)
        record.add(BUY, 99, 10)
        record.cancel(BUY, 101, 0)  # 99 into view, and nothing at 100
        record.add(BUY, 100, 33)

    report = replay(by_hand(write).view(1))
    assert report.agrees
    assert report.cleared == 1


def test_an_order_that_came_unseen_stands_behind_those_seen_before_and_before_those_seen_after() -> None:
    def write(record: Recorder) -> None:
        record.add(SELL, 105, 5)
        record.add(BUY, 100, 10)
        record.add(BUY, 101, 10)
        record.add(BUY, 100, 20)  # unseen
        record.cancel(BUY, 101, 0)
        record.add(BUY, 100, 30)
        record.execute(BUY, 60)

    report = replay(by_hand(write).view(1))
    assert report.agrees
    assert (report.executions, report.known, report.known_first, report.unseen_first) == (3, 2, 2, 1)


def test_the_first_row_is_an_arrival_at_the_back() -> None:
    record = Recorder()
    record.add(SELL, 105, 5)
    record.add(BUY, 100, 10)
    record.add(BUY, 100, 20)
    record.execute(BUY, 30)
    tape = record.day.view(3, start=2)  # from the second order on
    assert TapeKind(int(tape.events["kind"][0])) == ADD
    report = replay(tape)
    assert report.agrees
    assert (report.executions, report.known_first, report.unseen_first) == (2, 1, 1)


def test_hidden_executions_and_halts_touch_nothing() -> None:
    def write(record: Recorder) -> None:
        record.add(BUY, 100, 10)
        record.note(HIDDEN, 0, BUY, 102, 7)
        record.note(HALT, 0, 0, 0, 0)
        record.note(RESUME, 0, 0, 0, 0)
        record.add(SELL, 103, 10)

    report = replay(by_hand(write).view(2))
    assert report.agrees
    assert report.executions == 0
    halts = report.requests[report.requests["kind"] == RequestKind.HALT]
    assert halts["halt"].tolist() == [TapeKind.HALT, TapeKind.RESUME]
    assert len(report.requests) == 4


def test_one_aggressive_order_against_many_orders_and_levels_at_one_time() -> None:
    record = Recorder()
    for price in (100, 99, 98):
        for quantity in (10, 20):
            record.add(BUY, price, quantity)
    record.execute(BUY, 75)
    for event in record.day.events[6:]:
        event.time = record.day.events[6].time
    for levels in (1, 2, 5):
        report = replay(record.day.view(levels))
        assert report.agrees, str(report)
        assert report.executions == 6


def test_levels_missing_on_a_thin_side_are_compared_as_missing() -> None:
    record = Recorder()
    record.add(BUY, 100, 10)
    record.add(BUY, 99, 10)
    tape = record.day.view(3)
    assert tape.book is not None
    book = tape.book.copy()
    book[1, 1, 2:] = 0  # the record shows one level less than there is
    report = replay(tape.with_book(book))
    assert report.mismatches == 1
    assert np.isnan(report.mismatched()["recorded_price"][0])


# --- tables that grow ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(UNCOMPILED, reason="too slow as plain Python")
def test_more_orders_levels_and_requests_than_the_tables_begin_with() -> None:
    names = range(6_000)
    events = [Event(1, ADD, name + 1, SELL, 1_000 + name % 3_000, 10) for name in names]
    queues = sorted((event.price, event.name) for event in events)
    events += [Event(2, EXECUTE, name, SELL, price, 10) for price, name in queues[:3_000]]
    report = replay(tape_of(events, None))
    assert report.lacking == 0
    assert report.known_first == report.known == report.executions == 3_000


@pytest.mark.skipif(UNCOMPILED, reason="too slow as plain Python")
def test_more_exceptions_than_their_table_begins_with() -> None:
    names = range(1, 3_001)
    events = [Event(1, ADD, name, BUY, 100, 10) for name in names]
    events += [Event(2, EXECUTE, name, BUY, 100, 10) for name in reversed(names)]
    report = replay(tape_of(events, None))
    assert len(report.exception_rows) == 3_000
    assert report.priority == 0.0
    assert len(report.exceptions()) == 3_000


def test_the_log_gets_the_rows_of_the_core() -> None:
    tape = random_day(2, STEPS).view(3)
    log = MemoryLog()
    work = Replay(tape, log=log)
    work.advance()
    rows = work.core.events()
    report = work.report()
    trades = rows[rows["kind"] == EventKind.TRADE]
    executed = tape.events[tape.events["kind"] == EXECUTE]
    assert trades["quantity"].sum() == executed["quantity"].sum()
    assert (np.diff(rows["time"]) >= 0).all()
    assert not np.isin(rows["kind"], (EventKind.REJECTED, EventKind.CANCEL_REJECTED)).any()
    assert report.refused == 0


# --- tapes without a book --------------------------------------------------------------------------------------------


def test_a_book_is_made_where_none_was_recorded() -> None:
    tape = random_day(11, STEPS).view(WHOLE)
    assert tape.book is not None
    bare = changed(tape, book=None)
    with pytest.raises(DataError, match="rebuild"):
        _ = bare.quotes
    made = rebuild(bare, 7)
    assert np.array_equal(made.book, tape.book[:, :7])
    assert len(made.quotes) == len(changed(tape, book=tape.book[:, :7]).quotes) > 50
    assert replay(made).agrees


def test_orders_from_before_a_bare_tape_are_there_from_its_start() -> None:
    day = random_day(12, STEPS)
    tape = day.view(WHOLE, 100)
    report = replay(changed(tape, book=None))
    assert report.agrees, str(report)
    assert report.observations == 0
    assert np.isnan(report.coverage)
    assert report.seeds > 5
    assert report.known_first == report.known
    assert report.unseen_first == report.executions - report.known


def test_what_cannot_be_replayed_is_refused() -> None:
    trades = tape_of([Event(1, TapeKind.TRADE, 0, 0, 100, 10)], None)
    with pytest.raises(DataError, match="only trades"):
        replay(trades)
    with pytest.raises(InvalidValueError, match="levels=0"):
        rebuild(trades, 0)


# --- the report ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told() -> ReplayReport:
    record = Recorder()
    queue_of_two(record)
    record.book[BUY][100].reverse()
    record.execute(BUY, 50)
    return replay(record.day.view(5))


def test_the_report_reads_itself(told: ReplayReport, tmp_path: Path) -> None:
    from rich.console import Console

    text = str(told)
    assert "priority exceptions" in text
    assert "the core agrees with the record" in text
    assert ExceptionCause.JUMPED.text in text
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(told)
    drawn = console.export_text()
    assert "level observations" in drawn
    assert ExceptionCause.JUMPED.text in drawn
    frame = told.to_frame().set_index("figure")["value"]
    assert frame["level observations"] == told.observations
    assert frame["share recorded order executed first"] == told.priority == 0.0
    paths = told.write_csv(tmp_path / "deep" / "folder")
    assert [path.name for path in paths] == [
        f"ABC_replay_{name}.csv" for name in ("summary", "exceptions", "mismatches", "left_out")
    ]
    assert paths[1].read_text().splitlines()[1].split(",")[8] == "JUMPED"
    assert "agrees" in told._repr_html_()


def test_every_cause_is_told_in_words() -> None:
    assert len({cause.text for cause in ExceptionCause}) == len(ExceptionCause) == 7


def test_a_report_that_differs_says_where() -> None:
    tape = random_day(4, 100).view(WHOLE)
    assert tape.book is not None
    row = int(np.flatnonzero(tape.book[:, 0, 3] > 0)[-1])
    book = tape.book.copy()
    book[row, 0, 3] += 1
    text = str(replay(tape.with_book(book)))
    assert "DIFFER" in text
    assert f"row {row + 1}" in text


def test_progress_is_told() -> None:
    tape = random_day(2, 50).view(2)
    heard: list[tuple[int, int]] = []
    replay(tape, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(len(tape), len(tape))]


def test_warming_up_replays_something_that_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[ReplayReport] = []
    from marketsim.replay import core_replay as module

    plain = module.replay
    monkeypatch.setattr(module, "replay", lambda tape: reports.append(plain(tape)))
    module.warm()
    assert reports[0].agrees
    assert (reports[0].executions, reports[0].known_first, reports[0].observations) == (1, 1, 6)


def test_what_the_room_offers_is_there_and_sorted() -> None:
    import marketsim.replay as room

    assert sorted(room.__all__) == sorted(set(room.__all__))
    assert all(getattr(room, name) is not None for name in room.__all__)


# --- compiled or not -------------------------------------------------------------------------------------------------


def digest_of(day: Day) -> str:
    state: Any = hashlib.blake2b(digest_size=8)
    for levels in (1, 3):
        state.update(replay(day.view(levels, 30)).requests.tobytes())
    return str(state.hexdigest())


@pytest.mark.skipif(UNCOMPILED, reason="compares with what is uncompiled here already")
def test_uncompiled_replay_asks_the_same() -> None:
    script = "from recorder import random_day; from test_replay import digest_of; print(digest_of(random_day(9, 150)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest_of(random_day(9, 150))


def test_numbers_out_of_order_give_no_hint() -> None:
    """Where numbers do not rise with arrival, an order without recorded arrival is placed as late as possible."""
    tape = random_day(3, STEPS).view(2, 50)
    shuffled = changed(tape, numbers=np.concatenate([[0], np.random.default_rng(1).permutation(tape.numbers[1:])]))
    names = changed(tape, numbers=np.array([str(number) for number in tape.numbers]))
    for other in (shuffled, names):
        notes = _foresight.foresee(other).notes
        unseen = np.flatnonzero(np.asarray(notes["arrived"][1:]) < 0) + 1
        assert len(unseen) > 3
        assert replay(other).agrees
