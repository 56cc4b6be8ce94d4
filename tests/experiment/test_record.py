"""The record of a sweep: lines that were cut off, other definitions, other processes, folders of something else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from marketsim.errors import StoreError
from marketsim.experiment.record import Record, is_record, read_definition, read_rows

DEFINITION: dict[str, Any] = {"scenario": {"name": "x", "duration": "4s"}, "seeds": [1, 2]}
ROW = {"point": 0, "seed": 1, "measures": {"a": 1.5, "b": math.nan, "c": math.inf}, "engine": 0.1, "wall": 0.2}
FAILED = {"point": 1, "seed": 1, "error": "AgentError: boom\nline two", "kind": "AgentError"}


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    with Record(tmp_path / "deep" / "s", DEFINITION) as record:
        record.add([ROW])
        record.add([FAILED])
    rows = read_rows(tmp_path / "deep" / "s")
    assert rows[1, 1] == FAILED
    assert rows[0, 1]["measures"]["a"] == 1.5
    assert math.isnan(rows[0, 1]["measures"]["b"])
    assert rows[0, 1]["measures"]["c"] == math.inf
    assert read_definition(tmp_path / "deep" / "s") == DEFINITION
    assert all(json.loads(line) for line in (tmp_path / "deep" / "s" / "runs.jsonl").read_text().splitlines())


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_a_line_that_was_cut_off_is_dropped_and_written_again(lost: int, tmp_path: Path) -> None:
    with Record(tmp_path, DEFINITION) as record:
        record.add([ROW, FAILED])
    runs = tmp_path / "runs.jsonl"
    whole = runs.read_bytes()
    runs.write_bytes(whole[:-lost])
    with Record(tmp_path, DEFINITION) as record:
        assert list(record.rows) == [(0, 1)]
        record.add([FAILED])
    assert runs.read_bytes() == whole


def test_another_sweep_is_not_mixed_in(tmp_path: Path) -> None:
    with Record(tmp_path, DEFINITION) as record:
        record.add([ROW])
    other = {"scenario": {"name": "x", "duration": "5s"}, "seeds": [1, 2, 3]}
    with pytest.raises(StoreError) as raised, Record(tmp_path, other):
        pass
    assert 'scenario.duration: "4s" there, "5s" now' in str(raised.value)
    assert "seeds: [1, 2] there, [1, 2, 3] now" in str(raised.value)
    assert list(read_rows(tmp_path)) == [(0, 1)]


def test_two_at_once_are_one_too_many_and_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with Record(tmp_path, DEFINITION) as record:
        record.add([ROW])
        with pytest.raises(StoreError, match="another process is at work on this sweep"), Record(tmp_path, DEFINITION):
            pass
    with Record(tmp_path, DEFINITION) as record:
        assert len(record.rows) == 1


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(StoreError, match=r"there is thesis\.txt and no sweep in it"), Record(tmp_path, DEFINITION):
        pass
    (tmp_path / "manifest.json").write_text('{"name": "a run"}', encoding="utf-8")
    assert not is_record(tmp_path)
    with pytest.raises(StoreError, match="this is no sweep"), Record(tmp_path, DEFINITION):
        pass
    (tmp_path / "manifest.json").write_text('{"kind": "marketsim sweep", "format": 99}', encoding="utf-8")
    with pytest.raises(StoreError, match="it has format 99"):
        read_definition(tmp_path)
    with pytest.raises(StoreError, match="there is no sweep in it"):
        read_definition(tmp_path / "nowhere")


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    with Record(tmp_path, DEFINITION) as record:
        record.add([ROW])
    with (tmp_path / "runs.jsonl").open("a", encoding="utf-8") as file:
        file.write("nonsense\n")
    with pytest.raises(StoreError, match=r"runs\.jsonl:2: the line is damaged"), Record(tmp_path, DEFINITION):
        pass


def test_what_came_to_nothing_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Record(tmp_path / "s", DEFINITION):
        raise RuntimeError
    assert not (tmp_path / "s").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"), Record(tmp_path / "file" / "s", DEFINITION):
        pass


def test_a_sweep_stopped_before_its_first_run_can_go_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Record(tmp_path / "kept", DEFINITION):
        raise KeyboardInterrupt
    assert is_record(tmp_path / "kept")
    with pytest.raises(ValueError, match="boom"), Record(tmp_path / "lost", DEFINITION):
        raise ValueError("boom")
    assert not (tmp_path / "lost").exists()
