"""Fields: named columns of a CSV or Parquet file, and their values as exact integers or as findings.

A column is converted whole; only when that fails is it looked at value by value, to say which rows are bad.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketsim.data.finding import Findings
from marketsim.data.source import read_bytes
from marketsim.domain.units import MICROSECOND, MILLISECOND, NANOSECOND, SECOND
from marketsim.errors import DataError, InvalidValueError, did_you_mean

TIME_UNITS = {"ns": NANOSECOND, "us": MICROSECOND, "ms": MILLISECOND, "s": SECOND}
_DIGITS = 19  # of the largest number of 64 bits
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


@dataclass
class Fields:
    """Columns of a file by our names; ``lines`` the row of each value; ``good`` goes False where a row is bad."""

    source: str
    columns: Mapping[str, Any]  # pyarrow arrays
    lines: NDArray[np.int64]
    good: NDArray[np.bool_]
    findings: Findings
    total: int

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def reject(self, bad: NDArray[np.bool_], describe: Callable[[int], str]) -> None:
        """Mark rows as bad and remember why; rows that are bad already keep their first finding."""
        fresh = bad & self.good
        if fresh.any():
            self.findings.note_rows(self.source, self.lines, fresh, describe)
            self.good &= ~bad

    # --- conversions ---

    def texts(self, name: str) -> list[str]:
        """The values of a column as stripped text; "" where missing."""
        return ["" if value is None else str(value).strip() for value in self.columns[name].to_pylist()]

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Where a column has no value."""
        if name not in self.columns:
            return np.ones(len(self), np.bool_)
        column = self.columns[name]
        empty = np.array(column.is_null(nan_is_null=True))
        if _is_text(column):
            empty |= np.array([not text for text in self.texts(name)], np.bool_)
        return empty

    def codes(self, name: str, meanings: Mapping[str, int], what: str) -> NDArray[np.int64]:
        """Numbers for words, whatever their case; a missing word is 0."""
        texts = self.texts(name)
        known = {word.lower(): code for word, code in meanings.items()}
        codes = {text: known.get(text.lower()) for text in set(texts)}
        result = np.array([codes[text] or 0 for text in texts], np.int64)
        bad = np.array([codes[text] is None and text != "" for text in texts], np.bool_)
        self.reject(bad, lambda i: f"{name} {texts[i]!r}: expected {what}{did_you_mean(texts[i].lower(), known)}")
        return result

    def times(self, name: str, unit: str) -> NDArray[np.int64]:
        """Nanoseconds: of numbers in ``unit``, or of timestamps (ISO text with unit "iso", or a timestamp column)."""
        import pyarrow as pa

        column = self.columns[name]
        if pa.types.is_timestamp(column.type) or unit == "iso":
            return self._converted(name, _timestamps, _timestamp, "a time such as 2024-05-01T09:30:00.000000001")
        if unit not in TIME_UNITS:
            known = [*TIME_UNITS, "iso"]
            raise InvalidValueError(f"time_unit={unit!r}: use one of {', '.join(known)}{did_you_mean(unit, known)}")
        digits = {"ns": 0, "us": 3, "ms": 6, "s": 9}[unit]
        rule = f"a number of {unit} that is no finer than a nanosecond"
        return self._converted(name, lambda values: _scaled(values, digits), lambda v: _scale(v, digits), rule)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Floating-point numbers; NaN where missing."""
        import pyarrow as pa

        column = self.columns[name]
        empty = self.missing(name)
        if not _is_text(column):
            try:
                values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
            except pa.ArrowException:  # lists, bytes, words in a dictionary
                values = np.array([_number(value) for value in column.to_pylist()])
        else:
            values = np.full(len(self), np.nan)
            texts = np.array(self.texts(name), dtype=object)
            try:
                values[~empty] = texts[~empty].astype(np.float64)
            except ValueError:
                values = np.array([_number(text) for text in texts])
        bad = ~empty & ~np.isfinite(values)
        self.reject(bad, lambda i: f"{name} {self.shown(name, i)!r}: expected a number")
        return np.where(bad | empty, np.nan, values)

    def shown(self, name: str, index: int) -> str:
        """A value as the file has it."""
        return str(self.columns[name][index].as_py())[:40]

    def _converted(
        self, name: str, whole: Callable[[Any], NDArray[np.int64]], single: Callable[[Any], int | None], rule: str
    ) -> NDArray[np.int64]:
        from pyarrow import ArrowInvalid, ArrowNotImplementedError

        try:
            return whole(self.columns[name])
        except (ArrowInvalid, ArrowNotImplementedError, OverflowError, ValueError):
            values = [single(value) for value in self.columns[name].to_pylist()]
        bad = np.array([value is None for value in values], np.bool_)
        self.reject(bad, lambda i: f"{name} {self.shown(name, i)!r}: expected {rule}")
        return np.array([value or 0 for value in values], np.int64)


def _is_text(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _scaled(column: Any, digits: int) -> NDArray[np.int64]:
    """A column of numbers times ten to the power of ``digits``, exactly."""
    import pyarrow as pa

    if column.null_count:
        raise ValueError("a value is missing")
    if pa.types.is_integer(column.type):
        values = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
        if len(values) and max(abs(int(values.min())), abs(int(values.max()))) > _LARGEST // 10**digits:
            raise OverflowError
        return np.asarray(values * 10**digits)
    if pa.types.is_floating(column.type):
        return np.array([_required(_scale(value, digits)) for value in column.to_pylist()], np.int64)
    exact = column.cast(pa.decimal128(18 + digits, digits)) if digits < 20 else column
    words = np.frombuffer(exact.buffers()[1], np.int64).reshape(-1, 2)[exact.offset : exact.offset + len(exact)]
    if (words[:, 1] != words[:, 0] >> 63).any():  # more than 64 bits
        raise OverflowError
    return np.array(words[:, 0])


def _scale(value: Any, digits: int) -> int | None:
    """One number times ten to the power of ``digits``; None when that is not whole. A float by its shortest text."""
    try:
        scaled = Decimal(str(value).strip()).scaleb(digits)
        if scaled.adjusted() > _DIGITS:
            return None
        whole = int(scaled)
    except (ArithmeticError, ValueError):
        return None
    return whole if whole == scaled and _SMALLEST <= whole <= _LARGEST else None


def _required(value: int | None) -> int:
    if value is None:
        raise ValueError
    return value


def _timestamps(column: Any) -> NDArray[np.int64]:
    import pyarrow as pa

    if column.null_count:
        raise ValueError("a value is missing")
    stamps = column
    if _is_text(column):
        stamps = column.cast(pa.timestamp("ns"))
    values = stamps.cast(pa.timestamp("ns", getattr(stamps.type, "tz", None)))
    return np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False))


def _timestamp(value: Any) -> int | None:
    import pyarrow as pa

    try:
        return int(_timestamps(pa.array([value]))[0])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        return None


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return float("inf") if text else float("nan")


# --- reading ---------------------------------------------------------------------------------------------------------


def read_fields(
    path: str | Path,
    needed: Sequence[str],
    optional: Sequence[str],
    names: Mapping[str, str],
    extra: str,
    findings: Findings,
) -> Fields:
    """The columns of a CSV file with a header (plain or .gz) or of a Parquet file.

    needed, optional: our names of the columns. names: the file's name of a column where it is another one.
    extra: "error" when the file may have no other columns, "ignore" to leave them.
    """
    if extra not in ("error", "ignore"):
        raise InvalidValueError(f'extra={extra!r}: use "error" or "ignore"')
    ours = [*needed, *optional]
    for name in names:
        if name not in ours:
            raise InvalidValueError(f"columns: {name!r} is not a column of ours{did_you_mean(name, ours)}")
    place = Path(path).expanduser()
    if not place.is_file():
        raise DataError("no such file", source=str(place))
    parquet = place.suffix.lower() in (".parquet", ".pq")
    table, lines, total = _parquet(place) if parquet else _csv(place, findings)
    theirs = {name: names.get(name, name) for name in ours}
    _check_header(place.name, table.column_names, theirs, needed, extra, 0 if parquet else 1)
    chosen = {name: table.column(theirs[name]).combine_chunks() for name in ours if theirs[name] in table.column_names}
    return Fields(place.name, chosen, lines, np.ones(len(lines), np.bool_), findings, total)


def _check_header(
    source: str, there: Sequence[str], theirs: Mapping[str, str], needed: Sequence[str], extra: str, row: int
) -> None:
    expected = f"expected columns {', '.join(theirs.values())}"
    doubled = sorted({name for name in there if list(there).count(name) > 1})
    if doubled:
        raise DataError(f"column {doubled[0]!r} is there more than once; {expected}", source=source, record=row or None)
    for name in needed:
        if theirs[name] not in there:
            raise DataError(
                f"no column {theirs[name]!r}{did_you_mean(theirs[name], there)}; {expected} "
                "(columns={...} says what they are called in the file)",
                source=source,
                record=row or None,
            )
    unknown = [name for name in there if name not in theirs.values()]
    if unknown and extra == "error":
        raise DataError(
            f"unknown column {unknown[0]!r}{did_you_mean(unknown[0], theirs.values())}; {expected} "
            '(extra="ignore" leaves other columns alone)',
            source=source,
            record=row or None,
        )


def _parquet(place: Path) -> tuple[Any, NDArray[np.int64], int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(place)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"not a whole Parquet file (truncated?): {error}", source=place.name) from error
    return table, np.arange(1, len(table) + 1), len(table)


def _check_encoding(text: bytes, source: str) -> None:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        row = text.count(b"\n", 0, error.start) + 1
        raise DataError(f"the byte 0x{text[error.start]:02x} is no UTF-8 text", source=source, record=row) from None


def _csv(place: Path, findings: Findings) -> tuple[Any, NDArray[np.int64], int]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    text = read_bytes(place, findings)
    findings.settle()
    header = text[: text.find(b"\n") + 1 or len(text)].decode("utf-8-sig", "replace")
    if not header.strip():
        raise DataError("empty file, expected a header with the names of the columns", source=place.name)
    _check_encoding(text, place.name)
    try:
        names = [name.strip() for name in next(csv.reader(io.StringIO(header)))]
    except csv.Error as error:
        raise DataError(f"the header cannot be read as CSV: {error}", source=place.name, record=1) from error
    broken: list[int] = []

    def ragged(row: Any) -> str:
        broken.append(row.number)
        findings.note(place.name, row.number, f"{row.actual_columns} columns, expected {row.expected_columns}")
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=ragged, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"cannot be read as CSV: {error}", source=place.name) from error
    findings.settle()
    total = len(table) + len(broken)
    lines = np.setdiff1d(np.arange(2, total + 2), np.array(broken, np.int64))
    return table, lines, total
