"""Annotations: what agents and scenarios wish to be remembered beside the events, in the order in which it was said.

Recorded changes of parameters, reasons of signals, labels of what an agent was really up to. They lie in Arrow batches,
so that millions of them stay small, and they have a digest of their own that enters the run's.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketsim.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

_BATCH = 32_768
COLUMNS = ("time", "agent", "key", "value")


class Annotations:
    """A growing table of (time in ns, agent, key, value), all text but the time."""

    def __init__(self) -> None:
        self._pending: list[tuple[int, str, str, str]] = []
        self._batches: list[Any] = []
        self._hash = hashlib.blake2b(digest_size=32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, time: int, agent: str, key: str, value: object) -> None:
        """Remember one; ``value`` is kept as text."""
        self._pending.append((int(time), _text(agent), _text(key), _text(value)))
        self._count += 1
        if len(self._pending) == _BATCH:
            self._pack()

    def digest(self) -> bytes:
        """blake2b over one line of JSON ``[time, agent, key, value]`` each."""
        self._pack()
        return self._hash.digest()

    @property
    def frame(self) -> pd.DataFrame:
        """The table as a pandas DataFrame."""
        from marketsim.results.frames import to_pandas

        return to_pandas(self.table())

    def table(self) -> Any:
        """The table as an Arrow table."""
        import pyarrow as pa

        self._pack()
        return pa.Table.from_batches(self._batches, schema=_schema())

    def write(self, path: Path) -> None:
        """Write a Parquet file, whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from marketsim.results.parts import UNFINISHED, failed, put_in_place

        temporary = path.with_name(path.name + UNFINISHED)
        try:
            pq.write_table(self.table(), temporary, compression="zstd")
            put_in_place(temporary, path)
        except (OSError, pa.ArrowException) as error:
            temporary.unlink(missing_ok=True)
            raise failed("writing annotations", path, error) from error

    @classmethod
    def read(cls, path: Path) -> Annotations:
        """Those that ``write`` wrote."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path, columns=list(COLUMNS)).cast(_schema())
        except (OSError, ValueError, pa.ArrowException) as error:
            raise StoreError(f"{path}: not a readable table of annotations: {error}; run the scenario again") from error
        result = cls()
        for batch in table.to_batches():
            for row in zip(*(batch.column(name).to_pylist() for name in COLUMNS), strict=True):
                result.add(*row)
        return result

    def _pack(self) -> None:
        """Hash what is pending and move it into a batch."""
        if not self._pending:
            return
        import pyarrow as pa

        for row in self._pending:
            self._hash.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        columns = (
            pa.array(column, field.type)
            for column, field in zip(zip(*self._pending, strict=True), _schema(), strict=True)
        )
        self._batches.append(pa.record_batch(list(columns), schema=_schema()))
        self._pending.clear()


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([("time", pa.int64()), *((name, pa.string()) for name in COLUMNS[1:])])


def _text(value: object) -> str:
    """Text that every store takes: half characters are written out."""
    return str(value).encode("utf-8", "backslashreplace").decode()
