"""The journal: what was written is read again, a cut line is no record, and damage is told with its line."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketsim.errors import StoreError, UnsupportedVersionError
from marketsim.results.journal import Command, Journal, Past, has_journal

FACTS = {"epoch": 1_700_000_000_000, "clients": ["alice"]}
COMMANDS = [
    Command(5, "alice", "place", [0, 1, 1, 10, 9_995, 0, 1, 0, 0, "näme", "LIMIT", ""]),
    Command(5, "alice", "cancel", [17, ""]),
    Command(9, "bob", "cancel_all", []),
]


def written(path: Path) -> Journal:
    journal = Journal.begin(path, FACTS)
    journal.lease(7)
    for command in COMMANDS:
        journal.do(command)
    journal.lease(12)
    return journal


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    journal = written(tmp_path / "journal.jsonl")
    assert has_journal(tmp_path)
    past = Past(journal.path)  # readable while it is being written
    assert past.facts == FACTS
    assert past.commands == COMMANDS
    assert (past.lease, past.end) == (12, None)
    assert journal.size == journal.path.stat().st_size
    assert journal.commands == len(COMMANDS)
    journal.end(11)
    journal.close()
    assert Past(journal.path).end == 11


def test_a_command_allows_its_own_time(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path / "j", FACTS)
    journal.do(Command(1_000, "alice", "cancel", [1, ""]))
    journal.close()
    assert Past(journal.path).lease == 1_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(cut=st.integers(1, 10_000))
def test_cut_anywhere_it_holds_what_was_whole(tmp_path: Path, cut: int) -> None:
    path = tmp_path / f"{cut}.jsonl"
    if not path.exists():
        written(path).close()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    length = first + cut % (len(whole) - first)
    part = tmp_path / f"{cut}.part"
    part.write_bytes(whole[:length])
    past = Past(part)
    kept = whole[:length].count(b"\n")
    assert past.text == b"".join(whole.splitlines(keepends=True)[:kept])
    assert past.commands == COMMANDS[: max(0, min(kept - 2, len(COMMANDS)))]


def test_a_session_goes_on_in_a_new_file_that_begins_with_the_old(tmp_path: Path) -> None:
    journal = written(tmp_path / "old")
    journal.close()
    with (tmp_path / "old").open("ab") as file:
        file.write(b'00000000 ["do", 10')  # killed while it wrote
    going_on = Journal.resume(Past(tmp_path / "old"), tmp_path / "new")
    going_on.do(Command(13, "alice", "cancel", [18, ""]))
    going_on.close()
    past = Past(tmp_path / "new")
    assert past.commands == [*COMMANDS, Command(13, "alice", "cancel", [18, ""])]
    assert (tmp_path / "old").exists(), "nothing is lost"


def test_damage_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "j"
    written(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"alice","cancel"', b'"mallo","cancel"'))
    with pytest.raises(StoreError, match=r"j:4: damaged: the checksum does not fit; what stands before it is whole"):
        Past(path)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (["journal", 99, {}], "version 99 is of a newer marketsim"),
        (["lease", 5], "not a record of a journal"),
        (["journal", 1], "not a record of a journal"),
        (["what"], "a record 'what' here"),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path: Path, record: list[object], said: str) -> None:
    from marketsim.results.journal import _line

    path = tmp_path / "j"
    path.write_bytes(_line(record))
    with pytest.raises((StoreError, UnsupportedVersionError), match=said):
        Past(path)


def test_no_file_no_first_record_and_no_second_journal_in_one_place(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no readable journal"):
        Past(tmp_path / "nothing")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(StoreError, match="its first record is missing"):
        Past(tmp_path / "empty")
    written(tmp_path / "j").close()
    with pytest.raises(StoreError, match="cannot be written: File exists"):
        Journal.begin(tmp_path / "j", FACTS)
