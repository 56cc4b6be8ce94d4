"""Nothing half-written ever looks complete: kills, full disks and races leave a folder that says what it is."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from flow import feed, manifest, run_of, some_rows

from marketsim.errors import StoreError
from marketsim.results import folder as folders
from marketsim.results.log import EventLog
from marketsim.results.manifest import Failure, Manifest
from marketsim.results.parts import GROUP, PART
from marketsim.results.run import Run

HERE = Path(__file__).resolve().parent
WRITER = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from flow import feed, manifest, some_rows
from marketsim.results import folder as folders
from marketsim.results.log import EventLog
from marketsim.results.manifest import NOT_FINISHED
from marketsim.results.run import Run

def write(path, rows, repeat=1):
    partial = folders.reserve(path)
    draft = manifest(complete=False, failure=NOT_FINISHED)
    folders.write_manifest(partial, draft)
    log = EventLog(partial / folders.EVENTS)
    for _ in range(repeat):
        feed(log, rows, [])
        print(log.rows, flush=True)
    digest = log.close()
    folders.write_manifest(partial, draft.with_(complete=True, failure=None, digest=digest, events=log.rows))
    return folders.commit(partial)
"""


def python(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=HERE.parents[1],
    )


def never_complete(path: Path) -> None:
    """Whatever is there: neither name opens as a complete run."""
    with pytest.raises(StoreError):
        Run.open(path)
    partial = path.with_name(path.name + folders.PARTIAL)
    if partial.exists() and (partial / folders.MANIFEST).exists():
        assert not Run.open(partial).complete


# --- a killed process ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
def test_a_killed_process_leaves_what_it_had_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = python(f"write(Path({str(path)!r}), some_rows(100_000), repeat=100_000)")
    parts = path.with_name("run.partial") / folders.EVENTS
    for _ in range(600):
        if len(list(parts.glob("*.parquet"))) >= 2:
            break
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    never_complete(path)
    with pytest.raises(StoreError, match=r"run was never finished; open .*run\.partial to read what was recorded"):
        Run.open(path)
    run = Run.open(path.with_name("run.partial"))
    assert run.manifest.status == "incomplete: the run is still going on, or its process was killed"
    found = run.event_log.rows()
    assert len(found) >= 2 * PART
    assert len(found) % PART == 0
    expected = np.resize(some_rows(100_000), len(found))
    assert np.array_equal(found, expected), "a beginning of what was recorded, nothing else"
    assert run.end == int(expected["time"][-1])
    assert "killed" in run._repr_html_()


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
def test_a_kill_at_any_moment(tmp_path: Path) -> None:
    """From before the first file to after the last: complete if and only if it has its name."""
    outcomes = set()
    for number in range(6):
        path = tmp_path / f"run{number}"
        process = python(f"write(Path({str(path)!r}), some_rows(150_000), repeat=4)")
        assert process.stdout is not None
        if number % 3:
            process.stdout.readline()
        time.sleep(0.06 * number)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if path.exists():
            run = Run.open(path)
            run.check()
            assert run.complete
            assert len(run.event_log) == 600_000
        else:
            never_complete(path)
        outcomes.add(path.exists())
    assert False in outcomes


# --- a full disk -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize("limit", [100, 3_000, 400_000])
def test_files_that_cannot_grow(limit: int, tmp_path: Path) -> None:
    """100 bytes: not even the manifest; 3000: no part; 400,000: the first part does not fit."""
    path = tmp_path / "run"
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from marketsim.errors import StoreError
try:
    write(Path({str(path)!r}), some_rows({4 * GROUP}))
except StoreError as error:
    print("told:", error)
"""
    process = python(code)
    out, err = process.communicate()
    assert "told:" in out, err
    assert "File too large" in out
    assert process.returncode == 0
    never_complete(path)


def test_a_disk_that_is_full_at_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = folders.reserve(tmp_path / "run")
    draft = Manifest(name="x", seed=1)
    folders.write_manifest(partial, draft)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        StoreError, match=r"manifest\.json: cannot be written: No space left on device; the run stays marked"
    ):
        folders.write_manifest(partial, draft.with_(complete=True, failure=None))
    monkeypatch.undo()
    assert [path.name for path in partial.iterdir()] == ["manifest.json"]
    assert not Run.open(partial).complete
    never_complete(tmp_path / "run")


def test_saving_to_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", full)
    with pytest.raises(StoreError, match="No space left on device"):
        run_of(some_rows(100)).save(tmp_path / "run")
    monkeypatch.undo()
    never_complete(tmp_path / "run")
    assert len(Run.open(tmp_path / "run.partial").event_log) == 0


# --- how a folder comes about ----------------------------------------------------------------------------------------


def test_a_run_in_the_making_is_readable_and_incomplete(tmp_path: Path) -> None:
    partial = folders.reserve(tmp_path / "run")
    folders.write_manifest(partial, Manifest(name="x", seed=1))
    log = EventLog(partial / folders.EVENTS)
    rows = some_rows(PART + 100)
    feed(log, rows, [])
    log._clerk.stop()  # so that the first part is there
    run = Run.open(partial)
    assert np.array_equal(run.event_log.rows(), rows[:PART])
    assert not run.complete
    log.close()


def test_an_interrupted_run_keeps_all_its_events(tmp_path: Path) -> None:
    partial = folders.reserve(tmp_path / "run")
    log = EventLog(partial / folders.EVENTS)
    rows = some_rows(1_000)
    feed(log, rows, [])
    stopped = manifest(complete=False, failure=Failure.of(KeyboardInterrupt(), 77), digest=log.close(), events=log.rows)
    folders.write_manifest(partial, stopped)
    run = Run.open(folders.commit(partial))
    assert np.array_equal(run.events, rows)
    assert repr(run).startswith(
        "<Run 'flow', seed 7, 1,000 events, incomplete: KeyboardInterrupt, at 00:00:00.000000077"
    )
    run.check()


def test_a_folder_gets_its_name_last(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run"
    partial = folders.reserve(path)
    assert partial.is_dir()
    assert not path.exists()
    folders.write_manifest(partial, Manifest(name="x", seed=1))
    assert folders.commit(partial) == path
    assert not partial.exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "run"
    partial = folders.reserve(path)
    with pytest.raises(StoreError, match=r"run\.partial exists: another run is writing it, or was killed"):
        folders.reserve(path)
    path.mkdir()
    (path / "mine").write_text("kept")
    with pytest.raises(StoreError, match=r"run exists: nothing is overwritten; the run is in .*run\.partial"):
        folders.commit(partial)
    partial.rmdir()
    with pytest.raises(StoreError, match="run exists: nothing is overwritten; choose another name or remove it"):
        folders.reserve(path)
    assert (path / "mine").read_text() == "kept"


def test_numbers_are_taken_in_turn_and_never_twice(tmp_path: Path) -> None:
    (tmp_path / "x-7-2").mkdir()
    (tmp_path / "x-7-4.partial").mkdir()
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda _: folders.reserve_next(tmp_path, "x", 7).name, range(40)))
    numbers = sorted(int(name.removeprefix("x-7-").removesuffix(".partial")) for name in taken)
    assert len(set(numbers)) == 40
    assert not {2, 4} & set(numbers)
    assert numbers[:3] == [1, 3, 5]


def test_a_name_becomes_safe(tmp_path: Path) -> None:
    assert folders.reserve_next(tmp_path, "../../etc/pass wd", 1).name == "etc-pass-wd-1-1.partial"
    assert folders.reserve_next(tmp_path, "ä/", 1).name == "run-1-1.partial"


def test_a_place_where_nothing_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make this folder"):
        folders.reserve(tmp_path / "file" / "run")
    with pytest.raises(StoreError, match="cannot make this folder"):
        folders.reserve_next(tmp_path / "file", "x", 1)


@pytest.mark.parametrize("path", [".", "..", "manifest.json", "/"])
def test_a_place_without_a_name_of_its_own_is_no_run_folder(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(StoreError, match="not a run folder"):
        Run.open(Path(path))


def test_what_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such run folder"):
        Run.open(tmp_path / "nothing")
    with pytest.raises(StoreError, match=r"not a run folder: manifest\.json is missing"):
        Run.open(tmp_path)
