"""marketsim replay: on a tape in LOBSTER format that a simulated run wrote, and on files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marketsim.results.run import Run


@pytest.fixture
def tape(kept_run: Path, place: Path) -> Path:
    """A folder with a pair of LOBSTER files."""
    Run.open(kept_run).to_lobster(place / "tape", levels=5)
    return place / "tape"


def _message(tape: Path) -> Path:
    (path,) = tape.glob("*_message_*")
    return path


def _book(tape: Path) -> Path:
    (path,) = tape.glob("*_orderbook_*")
    return path


@pytest.mark.parametrize("what", ["folder", "messages", "book"])
def test_a_tape_of_a_run_agrees_with_the_core(marketsim: Any, tape: Path, what: str) -> None:
    result = marketsim("replay", {"folder": tape, "messages": _message(tape), "book": _book(tape)}[what])
    assert result.exit_code == 0, result.output
    assert "Replay of ABC" in result.stdout
    assert "the core agrees with the record on every level compared" in result.stdout
    rows = len(_message(tape).read_text().splitlines())
    assert f" {rows:,} " in result.stdout
    for word in ("mismatches", "priority exceptions", "share compared"):
        assert word in result.stdout


def test_a_book_that_differs_ends_with_1(marketsim: Any, tape: Path, place: Path) -> None:
    lines = _book(tape).read_text().splitlines()
    middle = lines[len(lines) // 2].split(",")
    middle[1] = str(int(middle[1]) + 1)
    lines[len(lines) // 2] = ",".join(middle)
    _book(tape).write_text("\n".join(lines) + "\n")
    result = marketsim("replay", tape, "--out", "found")
    assert result.exit_code == 1
    assert "DIFFER" in result.stdout
    (table,) = (place / "found").glob("*mismatches.csv")
    assert f"{len(lines) // 2 + 1}," in table.read_text()
    assert (place / "found" / "ABC_replay_exceptions.csv").is_file()


def test_bad_rows_stop_or_are_counted(marketsim: Any, tape: Path) -> None:
    lines = _message(tape).read_text().splitlines()
    parts = lines[9].split(",")
    parts[3] = "-7"
    lines[9] = ",".join(parts)
    _message(tape).write_text("\n".join(lines) + "\n")
    result = marketsim("replay", tape)
    assert result.exit_code == 1
    assert f"{_message(tape).name}:10: size -7" in result.stderr
    skipped = marketsim("replay", tape, "--skip-bad-rows")
    assert f"left out: {_message(tape).name}:10: size -7" in skipped.stdout


def test_a_missing_file_is_told(marketsim: Any) -> None:
    result = marketsim("replay", "gone_message_1.csv")
    assert result.exit_code == 1
    assert "no such file" in result.stderr


def test_order_events_of_ones_own(marketsim: Any, place: Path) -> None:
    (place / "mine.csv").write_text(
        "when,what,id,side,price,shares\n1.0,A,7,0,10000,5\n1.5,A,8,1,10002,5\n2.0,E,8,1,10002,3\n2.5,X,7,0,10000,5\n"
    )
    result = marketsim(
        "replay", "mine.csv", "--symbol", "OWN", "--time-unit", "s", "--price-unit", "0.01",
        "--column", "time=when", "--column", "kind=what", "--column", "order_id=id", "--column", "quantity=shares",
        "--kind", "A=add", "--kind", "E=execute", "--kind", "X=delete", "--side", "0=buy", "--side", "1=sell",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Replay of OWN" in result.stdout
    assert marketsim("replay", "mine.csv", "--column", "time").exit_code == 2
    wrong = marketsim("replay", "mine.csv")
    assert wrong.exit_code == 1
    assert "mine.csv" in wrong.stderr
