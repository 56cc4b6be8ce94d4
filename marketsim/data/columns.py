"""Columns: the fields of a CSV file without a header as arrays of numbers, and the lines that cannot be read.

A fast parser reads the file whole; only when it objects are the lines looked at one by one, to say which are bad.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketsim.data.finding import Findings
from marketsim.errors import DataError

INTEGER, NUMBER, TEXT = "whole number", "number", "text"
_FORMS = {
    INTEGER: re.compile(rb"-?[0-9]{1,18}"),
    NUMBER: re.compile(rb"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?"),
    TEXT: re.compile(rb"[^\"]*"),
}


@dataclass(frozen=True)
class Columns:
    """``values`` by name; ``lines`` the line of each row from 1 on; ``total`` how many lines the file has."""

    values: Mapping[str, NDArray[Any]]
    lines: NDArray[np.int64]
    total: int

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.values[name]

    def __len__(self) -> int:
        return len(self.lines)


def read_columns(text: bytes, kinds: Mapping[str, str], source: str, findings: Findings) -> Columns:
    """The columns of ``text``; ``kinds`` names them in order and says what each holds."""
    from pyarrow import ArrowInvalid

    if not text.strip():
        raise DataError(f"empty file, expected rows with {len(kinds)} columns ({', '.join(kinds)})", source=source)
    try:
        values = _parse(text, kinds)
    except ArrowInvalid as objection:
        return _careful(text, kinds, source, findings, str(objection))
    rows = len(next(iter(values.values())))
    return Columns(values, np.arange(1, rows + 1), rows)


def _parse(text: bytes, kinds: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    import pyarrow as pa
    from pyarrow import csv

    types = {INTEGER: pa.int64(), NUMBER: pa.float64(), TEXT: pa.string()}
    table = csv.read_csv(
        pa.BufferReader(text),
        read_options=csv.ReadOptions(column_names=list(kinds)),
        parse_options=csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types={name: types[kind] for name, kind in kinds.items()}, null_values=[], strings_can_be_null=False
        ),
    )
    return {name: table.column(name).to_numpy() for name in kinds}


def _careful(text: bytes, kinds: Mapping[str, str], source: str, findings: Findings, objection: str) -> Columns:
    lines = text.split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()
    names = list(kinds)
    kept: list[int] = []
    for row, line in enumerate(lines, 1):
        problem = _objection(line.rstrip(b"\r").split(b","), names, kinds)
        if problem:
            findings.note(source, row, problem)
        else:
            kept.append(row)
    findings.settle()
    if not kept or len(kept) == len(lines):
        raise DataError(f"no row can be read: {objection}", source=source)
    good = b"\n".join(lines[row - 1] for row in kept) + b"\n"
    return Columns(_parse(good, kinds), np.array(kept, np.int64), len(lines))


def _objection(fields: Sequence[bytes], names: Sequence[str], kinds: Mapping[str, str]) -> str:
    """What is wrong with a line; "" when nothing is."""
    if len(fields) != len(names):
        return f"{len(fields)} columns, expected {len(names)} ({', '.join(names)})"
    for position, (field, name) in enumerate(zip(fields, names, strict=True), 1):
        if not _FORMS[kinds[name]].fullmatch(field):
            shown = field[:40].decode("utf-8", "replace")
            return f"column {position} ({name}): {shown!r}, expected a {kinds[name]}"
    return ""
