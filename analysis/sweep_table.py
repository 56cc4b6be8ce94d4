"""What the table of a sweep says: means by point with their intervals, and the effect of one parameter at a time.

The table is tidy, a row a run: ``point``, a column for each parameter, ``seed``, ``status`` and a column for each
measure. Every point was run under the same seeds, so seeds are what is averaged over; runs that failed are left out.
Intervals are Student's, x̄ ± t(1−α/2; n−1)·s/√n over the n seeds. It knows no scenario and draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.paired import student

Floats = npt.NDArray[np.float64]

LEVELS = 12  # different values up to which a parameter is taken value by value; beyond, in groups of equal size
GROUPS = 8


def summarize_points(
    table: pd.DataFrame, parameters: Sequence[str], measures: Sequence[str], confidence: float = 0.95
) -> pd.DataFrame:
    """A row a point and measure: ``point``, the parameters, ``measure``, ``runs``, ``mean``, ``low``, ``high``.

    An interval needs two runs; ``low`` and ``high`` are NaN with fewer, and so is ``mean`` without any.
    """
    heads = table.drop_duplicates("point").set_index("point")[list(parameters)].sort_index()
    good = table[table["status"] == "ok"]
    frames = []
    for measure in measures:
        found = mean_intervals(good, ["point"], measure, confidence).reindex(heads.index)
        found["runs"] = found["runs"].fillna(0).astype(np.int64)
        frames.append(pd.concat([heads, found], axis=1).reset_index().assign(measure=measure))
    columns = ["point", *parameters, "measure", "runs", "mean", "low", "high"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def main_effects(table: pd.DataFrame, parameter: str, measure: str, confidence: float = 0.95) -> pd.DataFrame:
    """A measure against one parameter, averaged over everything else: a row a value, or a group of neighbours.

    ``value`` (of a group the mean), ``mean`` with ``low`` and ``high``, ``runs``: how many seeds. A seed counts with
    the mean of its runs there, so that an interval is about chance and not about the other parameters.
    """
    good = table[table["status"] == "ok"][[parameter, "seed", measure]].dropna()
    level = grouped(good[parameter])
    each = good.assign(level=level).groupby(["level", "seed"], sort=True)[measure].mean().reset_index()
    found = mean_intervals(each, ["level"], measure, confidence)
    found.insert(0, "value", _values(good[parameter], level).reindex(found.index).to_numpy())
    return found.reset_index(drop=True)


def strength(table: pd.DataFrame, parameter: str, measure: str) -> float:
    """The share of a measure's variance over all runs that its means at a parameter's values have (η², 0 … 1)."""
    good = table[table["status"] == "ok"][[parameter, measure]].dropna()
    values = good[measure].to_numpy(np.float64)
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if total <= 0.0:
        return float("nan")
    groups = good.groupby(grouped(good[parameter]).to_numpy())[measure].agg(["mean", "size"])
    between = (groups["size"] * (groups["mean"] - values.mean()) ** 2).sum()
    return float(between / total)


def grouped(values: pd.Series) -> pd.Series:
    """The number of the value, from the smallest, or of its group where there are many values; text in its order."""
    codes: Any
    if not pd.api.types.is_numeric_dtype(values):
        codes = pd.factorize(values)[0]
    elif values.nunique() <= LEVELS:
        codes = pd.factorize(values, sort=True)[0]
    else:
        codes = pd.qcut(values.rank(method="dense"), GROUPS, labels=False, duplicates="drop").to_numpy()
    return pd.Series(codes, index=values.index)


def mean_intervals(table: pd.DataFrame, by: list[str], measure: str, confidence: float) -> pd.DataFrame:
    """``runs``, ``mean``, ``low`` and ``high`` of a column in each group."""
    groups = table.dropna(subset=[measure]).groupby(by[0] if len(by) == 1 else by, sort=True)[measure]
    found: Any = groups.agg(runs="size", mean="mean", deviation="std")
    runs = found["runs"].to_numpy(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = student(confidence, np.maximum(runs - 1, 1)) * found["deviation"] / np.sqrt(runs)
    result: pd.DataFrame = found.assign(low=found["mean"] - half, high=found["mean"] + half)
    return result[["runs", "mean", "low", "high"]]


def _values(values: pd.Series, level: pd.Series) -> pd.Series:
    groups: Any = values.groupby(level)
    found: pd.Series = groups.mean() if pd.api.types.is_numeric_dtype(values) else groups.first()
    return found
