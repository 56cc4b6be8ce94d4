"""VWAP: executes a parent order as the market trades over the day, for about its volume-weighted mean price.

It follows a volume curve that is known before: one that history gives (``analysis.volume_curve``), or any other. With
the right curve its price is that of the market but for its own impact (H. Konishi, "Optimal slice of a VWAP trade",
Journal of Financial Markets 5, 2002, 197–221). It never looks at the volume of the present day, but for its cap.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from marketsim.agents.checks import to_numbers
from marketsim.agents.execution.plan import MAX_PARTICIPATION, ScheduledPlan
from marketsim.agents.execution.trajectory import Floats, cumulative
from marketsim.domain.units import DAY, time_of_day
from marketsim.errors import DataError, InvalidValueError
from marketsim.trading.parent_order import ParentOrder


@dataclass
class Vwap(ScheduledPlan):
    """Slices of equal time whose sizes are the volume curve's: ``curve`` for its horizon, or a ``curve_file``.

    ``curve`` lists the volumes of equal parts of the horizon, in any unit. ``curve_file`` has those of the times of a
    day, columns ``start``, ``end`` (ns after midnight, or HH:MM:SS) and ``volume``. Without either, volume is taken to
    be the same at all times, and it is a TWAP.
    """

    curve: tuple[float, ...] = field(default=(), metadata={"help": "volumes of equal parts of the horizon, any unit"})
    curve_file: str | None = field(
        default=None, metadata={"kind": "file", "help": "CSV or Parquet with start, end, volume of the times of a day"}
    )
    max_participation: float | None = field(default=0.1, metadata=MAX_PARTICIPATION)

    def __post_init__(self) -> None:
        super().__post_init__()
        to_numbers(self, "curve", low=0.0)
        if self.curve and self.curve_file:
            raise InvalidValueError("curve: curve_file says the same; give one of the two")
        if self.curve:
            try:
                cumulative(self.curve)
            except InvalidValueError as error:
                raise InvalidValueError(f"curve: {error}") from None
        self._day = None if self.curve_file is None else DayCurve.read(self.curve_file)

    def shares(self, parent: ParentOrder) -> list[float]:
        """Share of the horizon's volume that comes before the end of each slice."""
        times = np.arange(1, self.slices + 1) / self.slices
        if self._day is not None:
            return list(self._day.shares(parent.begin, parent.end, times))
        if not self.curve:
            return list(times)
        known = np.concatenate(([0.0], cumulative(self.curve)))
        return [*np.interp(times[:-1], np.linspace(0.0, 1.0, len(known)), known), 1.0]


class DayCurve:
    """How much is traded at which time of a day: bins (start, end, volume), ns after midnight, in order.

    Within a bin volume is even; between bins there is none.
    """

    def __init__(self, rows: Sequence[tuple[int, int, float]], source: str) -> None:
        last = 0
        for number, (start, end, volume) in enumerate(rows, 1):
            if not last <= start < end:
                raise DataError(
                    f"the bin from {start} to {end} does not follow the one before; sort the bins, without overlaps",
                    source=source,
                    record=number,
                )
            if not 0.0 <= volume < float("inf"):
                raise DataError(f"volume {volume} must be finite and at least 0", source=source, record=number)
            last = end
        if not sum(volume for _, _, volume in rows) > 0.0:
            raise DataError("the volumes add up to zero; give a curve with some volume", source=source)
        self._source = source
        self._edges = np.array([edge for start, end, _ in rows for edge in (start, end)], dtype=np.float64)
        steps = np.array([step for _, _, volume in rows for step in (0.0, volume)])
        self._volume: Floats = np.cumsum(steps)

    @classmethod
    def read(cls, path: str | Path) -> DayCurve:
        """The curve of a CSV or Parquet file; DataError for what it cannot be."""
        source = str(path)
        try:
            found = list(_parquet(path) if source.endswith(".parquet") else _csv(path))
            rows = [(_time(row["start"]), _time(row["end"]), float(row["volume"])) for row in found]
        except KeyError as error:
            raise DataError(f"no column {error}; it needs start, end and volume", source=source) from None
        except FileNotFoundError:
            raise DataError("there is no such file; write one with analysis.volume_curve", source=source) from None
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"not a volume curve: {error}", source=source) from None
        return cls(rows, source)

    def shares(self, begin: int, end: int, times: Floats) -> Floats:
        """Share of the volume from ``begin`` to ``end`` (ns) that comes before each share of that time."""
        done = self._before(begin + (end - begin) * np.concatenate(([0.0], times)))
        whole = done[-1] - done[0]
        if not whole > 0.0:
            raise InvalidValueError(
                f"curve_file: {self._source} has no volume in the time of the order; move its begin, or its horizon"
            )
        shares: Floats = (done[1:] - done[0]) / whole
        shares[-1] = 1.0
        return shares

    def _before(self, times: Floats) -> Floats:
        """Volume before each time, days counted on."""
        days, of_day = np.divmod(times, DAY)
        within: Floats = np.interp(of_day, self._edges, self._volume, left=0.0, right=self._volume[-1])
        return days * self._volume[-1] + within


def _csv(path: str | Path) -> Iterator[dict[str, Any]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        yield from csv.DictReader(file)


def _parquet(path: str | Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except pa.ArrowException as error:
        raise ValueError(error) from None
    return rows


def _time(value: Any) -> int:
    return time_of_day(value) if isinstance(value, str) and ":" in value else int(float(value))
