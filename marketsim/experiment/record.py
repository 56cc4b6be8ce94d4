"""The record of a sweep: a folder that is right at every moment, so that whoever is killed can be continued.

``manifest.json`` says what the sweep is and never changes; ``runs.jsonl`` has a line for each run that is over, handed
to the system before the run counts as done, and on the disk within a second. A line that was cut off by a kill is
dropped. One process at a time has the folder; the lock ends with the process, however it ends. It runs nothing.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from marketsim.errors import StoreError

MANIFEST, RUNS, LOCK = "manifest.json", "runs.jsonl", "lock"
FORMAT = 1
_SYNC = 1.0  # seconds between two times that the disk is waited for
_KIND = "marketsim sweep"

Row: TypeAlias = dict[str, Any]  # point, seed, measures (name -> value) or error and kind, engine and wall (s)
Key: TypeAlias = tuple[int, int]  # number of the point, seed


class Record:
    """One sweep's folder, open for this process alone: use it in a ``with``.

    definition: what the sweep is, in plain values. A folder that has another one is refused with what differs.
    """

    def __init__(self, folder: str | Path, definition: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self._definition = json.loads(json.dumps(definition))
        self._lock: Any = None
        self._runs: Any = None
        self._synced = 0.0
        self._made = False  # the folder, by this process
        self.rows: dict[Key, Row] = {}

    def __enter__(self) -> Record:
        try:
            self._made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.folder)
        except OSError as error:
            raise StoreError(
                f"{self.folder}: cannot be written: {error.strerror or error}; choose another folder"
            ) from error
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *reason: object) -> None:
        if self._runs is not None:
            with contextlib.suppress(OSError):
                self._sync()
            self._runs.close()
        if self._lock is not None:
            stopped = kind is not None and issubclass(kind, KeyboardInterrupt)  # it goes on, though nothing is done yet
            if self._made and not self.rows and not stopped:
                self._take_back()
            self._lock.close()  # and with it goes the lock

    def add(self, rows: Iterable[Row]) -> None:
        """Runs that are over: a kill of this process does not lose them any more."""
        new = list(rows)
        try:
            self._runs.write("".join(_line(row) for row in new))
            self._runs.flush()
            if time.monotonic() - self._synced > _SYNC:
                self._sync()
        except OSError as error:
            raise StoreError(
                f"{self.folder / RUNS}: cannot be written: {error.strerror or error}; make room, and go on"
            ) from error
        self.rows.update({key_of(row): row for row in new})

    def _take_back(self) -> None:
        """Nothing came of it: leave no folder behind."""
        with contextlib.suppress(OSError):
            for name in (RUNS, MANIFEST, _partial(MANIFEST), LOCK):
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()

    def _sync(self) -> None:
        os.fsync(self._runs.fileno())
        self._synced = time.monotonic()

    def _open(self) -> None:
        if (self.folder / MANIFEST).exists():
            _require_same(self.folder, read_definition(self.folder), self._definition)
            self.rows, whole = _read_runs(self.folder)
            self._runs = (self.folder / RUNS).open("a", encoding="utf-8", newline="\n")
            self._runs.truncate(whole)
            return
        if strange := sorted(
            path.name for path in self.folder.iterdir() if path.name not in (LOCK, _partial(MANIFEST))
        ):
            raise StoreError(f"{self.folder}: there is {strange[0]} and no sweep in it; choose another folder")
        self._runs = (self.folder / RUNS).open("a", encoding="utf-8", newline="\n")
        _write_whole(
            self.folder / MANIFEST, json.dumps({"kind": _KIND, "format": FORMAT, **self._definition}, indent=1)
        )


def key_of(row: Row) -> Key:
    """Which run a row is of."""
    return int(row["point"]), int(row["seed"])


def is_record(folder: str | Path) -> bool:
    """Whether a folder has a sweep in it."""
    with contextlib.suppress(StoreError):
        read_definition(folder)
        return True
    return False


def read_definition(folder: str | Path) -> dict[str, Any]:
    """What the sweep of a folder is; StoreError where there is none, or one of another format."""
    path = Path(folder) / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder}: there is no sweep in it: {MANIFEST} is missing") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: it cannot be read: {error}; give another folder") from None
    if not isinstance(found, dict) or found.pop("kind", None) != _KIND:
        raise StoreError(f"{path}: this is no sweep; give a folder that a sweep was written into")
    if (version := found.pop("format", None)) != FORMAT:
        raise StoreError(
            f"{path}: it has format {version}, and this marketsim reads format {FORMAT}; use the one that wrote it"
        )
    return found


def read_rows(folder: str | Path) -> dict[Key, Row]:
    """The runs that a folder has."""
    return _read_runs(Path(folder))[0]


# --- inner ---


def _read_runs(folder: Path) -> tuple[dict[Key, Row], int]:
    """The rows, and how many bytes of the file are whole lines."""
    path = folder / RUNS
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}, 0
    except OSError as error:
        raise StoreError(f"{path}: it cannot be read: {error.strerror or error}") from error
    whole = text.rfind(b"\n") + 1
    rows: dict[Key, Row] = {}
    for number, line in enumerate(text[:whole].splitlines(), start=1):
        try:
            row = json.loads(line)
            rows[key_of(row)] = _read(row)
        except (ValueError, KeyError, TypeError):
            raise StoreError(f"{path}:{number}: the line is damaged; remove it, and its run is done again") from None
    return rows, whole


def _line(row: Row) -> str:
    return json.dumps(_plain(row), allow_nan=False, separators=(",", ":"), ensure_ascii=False) + "\n"


def _plain(row: Row) -> Row:
    """NaN as null and infinities as text, which JSON has no numbers for."""
    measures = row.get("measures")
    return row if measures is None else {**row, "measures": {name: _number(value) for name, value in measures.items()}}


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else str(float(value))


def _read(row: Row) -> Row:
    measures = row.get("measures")
    if measures is None:
        return row
    numbers = {name: math.nan if value is None else float(value) for name, value in measures.items()}
    return {**row, "measures": numbers}


def _require_same(folder: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    if there == here:
        return
    lines = [f"  {path}: {_shown(a)} there, {_shown(b)} now" for path, a, b in _differences("", there, here)]
    more = [f"  and {len(lines) - 5} more"] if len(lines) > 5 else []
    words = f"{folder} has another sweep, and is not mixed with this one; choose another folder. What differs:"
    raise StoreError("\n".join([words, *lines[:5], *more]))


def _differences(path: str, there: Any, here: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for name in dict.fromkeys([*there, *here]):
            yield from _differences(f"{path}.{name}" if path else name, there.get(name), here.get(name))
    elif there != here:
        yield path, there, here


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _partial(name: str) -> str:
    return f"{name}.partial"


def _write_whole(path: Path, text: str) -> None:
    """The file is there whole, or not at all."""
    beside = path.with_name(_partial(path.name))
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _locked(folder: Path) -> Any:
    """An open file that has the lock of the folder; StoreError when another process has it."""
    file = (folder / LOCK).open("a+b")
    try:
        _lock(file)
    except OSError:
        file.close()
        raise StoreError(
            f"{folder}: another process is at work on this sweep; wait for it, or choose another folder"
        ) from None
    return file


if os.name == "nt":
    import msvcrt

    def _lock(file: Any) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
else:
    import fcntl

    def _lock(file: Any) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
