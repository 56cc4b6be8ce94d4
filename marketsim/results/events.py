"""Events that were recorded: rows in memory or in Parquet parts, read block by block, column by column.

Readers ask for the columns that they need, so that a large log never lies in memory as a whole. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.event import EVENT

COLUMNS: tuple[str, ...] = EVENT.names or ()
Block = dict[str, NDArray[Any]]  # contiguous columns of equal length, by name
_LENGTH = 262_144  # rows of a block of memory


class Events(Protocol):
    """The rows of an event log, in order."""

    def __len__(self) -> int:
        """How many rows there are."""

    def blocks(self, columns: Sequence[str] = COLUMNS) -> Iterator[Block]:
        """The columns asked for, one stretch of rows after another; none of them is empty."""

    def rows(self) -> NDArray[Any]:
        """All rows at once (dtype EVENT, 64 bytes each)."""


class MemoryEvents:
    """Rows that lie in memory, in arrays of dtype EVENT."""

    def __init__(self, arrays: Sequence[NDArray[Any]] = ()) -> None:
        self._arrays = [np.asarray(array) for array in arrays if len(array)]
        for array in self._arrays:
            if array.dtype != EVENT:
                raise TypeError(f"rows of dtype {array.dtype}: an event log has dtype EVENT")

    def __len__(self) -> int:
        return sum(len(array) for array in self._arrays)

    def blocks(self, columns: Sequence[str] = COLUMNS) -> Iterator[Block]:
        """See Events."""
        for array in self._arrays:
            for start in range(0, len(array), _LENGTH):
                rows = array[start : start + _LENGTH]
                yield {name: np.ascontiguousarray(rows[name]) for name in columns}

    def rows(self) -> NDArray[Any]:
        """See Events."""
        if len(self._arrays) != 1:
            self._arrays = [np.concatenate([np.empty(0, EVENT), *self._arrays])]
        return self._arrays[0]


class PartEvents:
    """Rows that lie in Parquet parts.

    owner: what must live as long as the files do, such as a temporary folder.
    """

    def __init__(self, paths: Sequence[Path], owner: object = None) -> None:
        from marketsim.results import parts

        self.paths = tuple(paths)
        self._owner = owner
        self._parts = parts
        self._length = parts.count_rows(self.paths)

    def __len__(self) -> int:
        return self._length

    def blocks(self, columns: Sequence[str] = COLUMNS) -> Iterator[Block]:
        """See Events."""
        return self._parts.read_groups(self.paths, columns)

    def rows(self) -> NDArray[Any]:
        """See Events."""
        result = np.empty(self._length, EVENT)
        start = 0
        for block in self.blocks():
            stop = start + len(block["time"])
            for name in COLUMNS:
                result[name][start:stop] = block[name]
            start = stop
        return result


class JoinedEvents:
    """The rows of several logs, one after the other."""

    def __init__(self, logs: Sequence[Events]) -> None:
        self._logs = tuple(logs)

    def __len__(self) -> int:
        return sum(map(len, self._logs))

    def blocks(self, columns: Sequence[str] = COLUMNS) -> Iterator[Block]:
        """See Events."""
        for log in self._logs:
            yield from log.blocks(columns)

    def rows(self) -> NDArray[Any]:
        """See Events."""
        return np.concatenate([np.empty(0, EVENT), *(log.rows() for log in self._logs)])


def block_rows(block: Block) -> NDArray[Any]:
    """The rows of a block that has all columns (dtype EVENT)."""
    rows = np.empty(len(block["time"]), EVENT)
    for name in COLUMNS:
        rows[name] = block[name]
    return rows
