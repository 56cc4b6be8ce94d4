"""The event log on disk: Parquet parts in a folder, each of them whole before it gets its name.

A part is closed and flushed to the disk under a temporary name and then renamed, so a part that is there is readable,
whatever happened to the process afterwards. Row groups have one size however the rows arrive, so equal logs make equal
files. It knows nothing of threads and digests.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marketsim.domain.event import EVENT
from marketsim.errors import StoreError

GROUP = 32_768  # rows of a row group
PART = 8 * GROUP  # rows of a part: what a killed process loses at most, beside what is in memory
UNFINISHED = ".unfinished"
COLUMNS: tuple[str, ...] = EVENT.names or ()

_ASCENDING = ("time", "order_id")  # near their neighbours, so differences are short; the others repeat
_SCHEMA = pa.schema([pa.field(name, pa.from_numpy_dtype(EVENT[name]), nullable=False) for name in COLUMNS])


def failed(what: str, path: Path, error: BaseException) -> StoreError:
    """The error of a file that could not be written."""
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return StoreError(
        f"{path}: {what} failed: {reason}; free some space or choose another folder. What was written until then is "
        "kept and marked incomplete"
    )


class PartWriter:
    """Writes rows into the parts of a folder, ``00000.parquet`` and so on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []
        self.rows = 0
        self.flushing = 0  # ns spent until parts were on the disk
        self._buffer = np.empty(GROUP, EVENT)
        self._used = 0
        self._open: pq.ParquetWriter | None = None
        self._in_part = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise failed("making the folder", folder, error) from error

    def write(self, rows: NDArray[Any]) -> None:
        """Append rows; they are copied."""
        while len(rows):
            taken = min(len(rows), GROUP - self._used)
            self._buffer[self._used : self._used + taken] = rows[:taken]
            self._used += taken
            rows = rows[taken:]
            if self._used == GROUP:
                self._write_group()

    def close(self) -> None:
        """Write what is left and close the last part."""
        if self._used:
            self._write_group()
        self._close_part()

    def abandon(self) -> None:
        """Let go of an unfinished part, after a failure."""
        if self._open is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._open.close()
            self._open = None
            self._unfinished.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self.folder / f"{len(self.paths):05d}.parquet"

    @property
    def _unfinished(self) -> Path:
        return self._path.with_name(self._path.name + UNFINISHED)

    def _write_group(self) -> None:
        try:
            if self._open is None:
                self._open = _writer(self._unfinished)
            rows = self._buffer[: self._used]
            self._open.write_batch(_batch(rows), row_group_size=GROUP)
        except (OSError, pa.ArrowException) as error:
            raise failed("writing events", self._path, error) from error
        self._in_part += self._used
        self._used = 0
        if self._in_part >= PART:
            self._close_part()

    def _close_part(self) -> None:
        if self._open is None:
            return
        try:
            self._open.close()
            began = perf_counter_ns()
            put_in_place(self._unfinished, self._path)
            self.flushing += perf_counter_ns() - began
        except (OSError, pa.ArrowException) as error:
            raise failed("writing events", self._path, error) from error
        self._open = None
        self.paths.append(self._path)
        self.rows += self._in_part
        self._in_part = 0


def put_in_place(temporary: Path, path: Path) -> None:
    """Flush a closed file to the disk and give it its name."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def _batch(rows: NDArray[Any]) -> pa.RecordBatch:
    """Rows as Arrow columns. ``pa.array`` would do, but imports pandas."""
    columns = [
        pa.Array.from_buffers(field.type, len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows[field.name]))])
        for field in _SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        str(path),
        _SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in COLUMNS if name not in _ASCENDING],
        column_encoding=dict.fromkeys(_ASCENDING, "DELTA_BINARY_PACKED"),
        store_schema=False,
    )


def parts_of(folder: Path) -> list[Path]:
    """The finished parts of a folder, in order."""
    return sorted(folder.glob("[0-9]*.parquet"))


def rows_of(path: Path) -> int:
    """Rows of a Parquet file, from its footer; StoreError when it is damaged."""
    return int(_opened(path).metadata.num_rows)


def count_rows(paths: Sequence[Path]) -> int:
    """Rows of parts; StoreError for one that is damaged or something else."""
    return sum(_open(path).metadata.num_rows for path in paths)


def read_groups(paths: Sequence[Path], columns: Sequence[str]) -> Iterator[dict[str, NDArray[Any]]]:
    """The columns of one row group after another."""
    for path in paths:
        file = _open(path)
        for number in range(file.metadata.num_row_groups):
            try:
                table = file.read_row_group(number, columns=list(columns))
            except (OSError, pa.ArrowException) as error:
                raise StoreError(f"{path}: row group {number} is damaged: {error}; run the scenario again") from error
            yield {
                name: np.array(table.column(name).to_numpy()) for name in columns
            }  # copies: compiled code knows one kind


def _open(path: Path) -> pq.ParquetFile:
    file = _opened(path)
    missing = [name for name in COLUMNS if name not in file.schema.names]
    if missing:
        raise StoreError(
            f"{path}: not a part of an event log: column {missing[0]!r} is missing; it is of another version, or "
            "not ours: run the scenario again"
        )
    return file


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{path}: not a readable Parquet file: {error}; run the scenario again") from error
