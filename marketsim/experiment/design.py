"""Designs: which points of a space are run. Grids, random points, Latin hypercubes, Sobol sequences, a table of points.

Whatever is drawn is drawn from a seed of its own, so the same design is the same points every time. Latin hypercubes:
M. McKay, R. Beckman, W. Conover, "A comparison of three methods for selecting values of input variables", Technometrics
21 (2), 1979; Sobol sequences scrambled after A. Owen (1998); both from ``scipy.stats.qmc``. A design knows nothing of
runs: each of its points is run under the same seeds by ``sweep``.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.experiment.space import Space, Values
from marketsim.kernel.random import key_of, purpose_of, uniform
from marketsim.scenario import yaml
from marketsim.scenario.spec import ScenarioSpec

Kind = Literal["grid", "random", "latin", "sobol", "table"]
Table: TypeAlias = Any  # a CSV file, a DataFrame, or a sequence of mappings from path to value

KINDS: tuple[str, ...] = get_args(Kind)
LEVELS = 5  # of a span in a grid that does not say how many
POINTS = 20  # of a random design that does not say how many
MOST = 1_000_000  # points
_POINT = purpose_of("point")


@dataclass(frozen=True)
class Design:
    """Points of a space, none of them twice. ``seed``: of what was drawn."""

    kind: Kind
    space: Space
    points: tuple[Values, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.points)


def design(space: Space, kind: str = "grid", points: int | None = None, seed: int = 0) -> Design:
    """Points of a space.

    kind: "grid" (every combination), "random", "latin" (a Latin hypercube), "sobol".
    points: how many are drawn, 20 when left out; of a grid how many values a span has that cannot be counted, 5.
    seed: of what is drawn. Raises InvalidValueError for a design without points.
    """
    if kind == "table" or kind not in KINDS:
        raise InvalidValueError(f"design {kind!r} is unknown{did_you_mean(kind, [k for k in KINDS if k != 'table'])}")
    if points is not None and (type(points) is not int or points < 1):
        raise InvalidValueError(f"points={points!r}: the design is empty; give a whole number of at least 1")
    if type(seed) is not int or seed < 0:
        raise InvalidValueError(f"design_seed={seed!r}: give a whole number that is not below zero")
    found = _grid(space, points or LEVELS) if kind == "grid" else _drawn(space, kind, points or POINTS, seed)
    return Design(kind, space, _once(found), seed)  # type: ignore[arg-type]


def design_of(table: Table, spec: ScenarioSpec, source: str = "points") -> Design:
    """The points of a table: a CSV file with a column a path, a DataFrame, or a sequence of mappings.

    Raises InvalidValueError for an empty table, a path that the scenario does not have, or a value that is not valid.
    """
    rows, source = _rows(table, source)
    if not rows:
        raise InvalidValueError(f"{source}: the design is empty; give a row for each point")
    paths = list(rows[0])
    for number, row in enumerate(rows, start=1):
        missing = [path for path in paths if path not in row or row[path] is None]
        more = [path for path in row if path not in paths]
        if missing or more:
            raise InvalidValueError(
                f"{source}: row {number}: {(missing + more)[0]}: every row has the same paths, with a value"
            )
    space = Space.of({path: list(dict.fromkeys(row[path] for row in rows)) for path in paths}, spec)
    return Design("table", space, _once(rows), 0)


# --- inner ---


def _grid(space: Space, levels: int) -> list[Values]:
    each = [dimension.levels(levels) for dimension in space]
    _require_few(math.prod(map(len, each)))
    return [dict(zip(space.paths, values, strict=True)) for values in itertools.product(*each)]


def _drawn(space: Space, kind: str, points: int, seed: int) -> list[Values]:
    _require_few(points)
    return [space.at(row) for row in _unit_points(kind, len(space), points, seed)]


def _unit_points(kind: str, dimensions: int, points: int, seed: int) -> NDArray[np.float64]:
    """A row a point of the unit cube."""
    if kind == "random":
        key, drawn = key_of(seed, "design"), range(points * dimensions)
        return np.array([uniform(key, _POINT, n) for n in drawn]).reshape(points, dimensions)
    from scipy.stats import qmc

    sampler = (qmc.LatinHypercube if kind == "latin" else qmc.Sobol)(dimensions, scramble=True, seed=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The balance properties of Sobol", UserWarning)
        return np.asarray(sampler.random(points), dtype=np.float64)


def _require_few(points: int) -> None:
    if points > MOST:
        raise InvalidValueError(
            f"the design has {points:,} points, and {MOST:,} are the most: draw some of them, design latin"
        )


def _once(points: Iterable[Values]) -> tuple[Values, ...]:
    """Without points that were there before, which whole numbers and lists of values may bring."""
    return tuple({json.dumps(list(point.items()), default=str): point for point in points}.values())


def _rows(table: Table, source: str) -> tuple[list[Values], str]:
    if isinstance(table, (str, Path)):
        return _read_csv(Path(table)), str(table)
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        return [{str(path): value for path, value in row.items()} for row in table.to_dict("records")], source
    if isinstance(table, Sequence) and all(isinstance(row, Mapping) for row in table):
        return [{str(path): value for path, value in row.items()} for row in table], source
    raise InvalidValueError(f"{source}: give a CSV file, a DataFrame, or a list of mappings from path to value")


def _read_csv(path: Path) -> list[Values]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", restval=None)
            rows: list[Values] = []
            for row in reader:
                if "" in row:
                    raise InvalidValueError(
                        f"{path}:{reader.line_num}: there are more values than the first line has paths"
                    )
                rows.append(
                    {p.strip(): None if v in (None, "") else yaml.scalar(str(v).strip()) for p, v in row.items()}
                )
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidValueError(f"{path}: it cannot be read as a table of points: {error}") from None
