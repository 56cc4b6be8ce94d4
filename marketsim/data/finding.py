"""Findings: what is wrong with recorded data, each with its source, its row and what was expected.

Strict reading raises the first of them; lenient reading leaves the bad rows out, keeps the findings and counts them.
It never repairs a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import DataError, InvalidValueError

OnError = Literal["raise", "skip"]
_KEPT = 1_000


@dataclass(frozen=True, order=True)
class Finding:
    """One bad row. ``row`` is the line of the file from 1 on (0: the file as a whole)."""

    source: str
    row: int
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.row}: {self.message}" if self.row else f"{self.source}: {self.message}"


class Findings:
    """Collects findings; ``settle()`` raises the first one of the first file when reading is strict."""

    def __init__(self, on_error: str) -> None:
        if on_error not in ("raise", "skip"):
            raise InvalidValueError(
                f'on_error={on_error!r}: use "raise" to stop at a bad row or "skip" to leave it out'
            )
        self.strict = on_error == "raise"
        self.count = 0
        self._kept: list[Finding] = []

    def note(self, source: str, row: int, message: str) -> None:
        """Remember one finding."""
        self.count += 1
        if len(self._kept) < _KEPT:
            self._kept.append(Finding(source, row, message))

    def note_rows(
        self, source: str, lines: NDArray[np.int64], bad: NDArray[np.bool_], describe: Callable[[int], str]
    ) -> None:
        """Remember every row where ``bad``; ``describe`` says what is wrong with the row at an index."""
        found = np.flatnonzero(bad)
        shown = found[: max(0, _KEPT - len(self._kept))]
        self._kept += [Finding(source, int(lines[index]), describe(int(index))) for index in shown]
        self.count += len(found)

    def settle(self) -> None:
        """Raise DataError for the first finding when reading is strict."""
        if self.strict and self._kept:
            source = self._kept[0].source
            first = min(finding for finding in self._kept if finding.source == source)
            others = f"and {self.count - 1} more; " if self.count > 1 else ""
            hint = f'({others}on_error="skip" leaves bad rows out and counts them)'
            raise DataError(f"{first.message} {hint}", source=first.source, record=first.row or None)

    def all(self) -> tuple[Finding, ...]:
        """The findings kept, at most 1,000, by source and row."""
        return tuple(sorted(self._kept))
