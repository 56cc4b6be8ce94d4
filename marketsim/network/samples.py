"""Measured latencies in files: one number a line, or a column of a CSV or Parquet file.

It reads and checks; what is done with the numbers is up to the latency model.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.errors import DataError, InvalidValueError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_UNITS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}


def nanoseconds_per(unit: str) -> float:
    """How many ns make one ``unit`` (ns, us, ms or s)."""
    if unit not in _UNITS:
        raise InvalidValueError(f"unit {unit!r} is none of {', '.join(_UNITS)}{did_you_mean(unit, _UNITS)}")
    return _UNITS[unit]


def read_latencies(file: str | Path, column: str = "", unit: str = "ns") -> NDArray[np.float64]:
    """The latencies in a file, in ns and in the order of the file.

    Raises DataError with file and row for a missing file or column, and for anything that is not a number of at
    least zero.
    """
    import numpy as np

    path, scale = Path(file), nanoseconds_per(unit)
    if not path.is_file():
        raise DataError("no such file of measured latencies", source=str(path))
    try:
        rows = _reader(path)(path, column)
        result = np.fromiter((_number(path, row, value) * scale for row, value in rows), np.float64)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise DataError(f"cannot be read: {error}", source=str(path)) from error
    if not len(result):
        raise DataError("holds no latencies", source=str(path))
    return result


def _reader(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        return _parquet_rows
    return _csv_rows if suffix in (".csv", ".tsv") else _text_rows


def _number(path: Path, row: int, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number < math.inf:
        raise DataError(f"expected a latency, a number of at least zero, not {value!r}", source=str(path), record=row)
    return number


def _text_rows(path: Path, column: str) -> Iterator[tuple[int, object]]:
    if column:
        raise DataError(f"a text file has no column {column!r}; name the file .csv or .parquet", source=str(path))
    with path.open(encoding="utf-8") as lines:
        for row, line in enumerate(lines, 1):
            text = line.strip()
            if text and not text.startswith("#"):
                yield row, text


def _csv_rows(path: Path, column: str) -> Iterator[tuple[int, object]]:
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        header = [name.strip() for name in next(reader, [])]
        place = _place(path, header, column)
        for cells in reader:
            if cells:
                yield reader.line_num, cells[place] if place < len(cells) else ""


def _parquet_rows(path: Path, column: str) -> Iterable[tuple[int, object]]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        names = list(parquet.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"is not a readable Parquet file ({error})", source=str(path)) from error
    name = names[_place(path, names, column)]
    try:
        return enumerate(parquet.read_table(path, columns=[name]).column(0).to_pylist(), 1)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"is not a readable Parquet file ({error})", source=str(path)) from error


def _place(path: Path, names: list[str], column: str) -> int:
    if not column and len(names) == 1:
        return 0
    if column not in names:
        wanted = f"has no column {column!r}{did_you_mean(column, names)}" if column else "needs the name of a column"
        known = "" if column else did_you_mean("", names)
        raise DataError(f"{wanted}{known}", source=str(path))
    return names.index(column)
