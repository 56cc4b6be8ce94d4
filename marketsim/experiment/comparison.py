"""A comparison of two scenarios under common random numbers: what differs, by how much, and how sure that is.

Both scenarios run under the same seeds; agents of the same name draw the same numbers in both. Each measure is compared
pair by pair: mean difference with Student's interval, x̄ ± t(1−α/2; n−1)·s/√n of the n paired differences. It judges
nothing beyond saying whether the interval excludes zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.errors import InvalidValueError
from marketsim.experiment.replication import Given, Measures, replicate_all, spec_of
from marketsim.scenario.diff import Difference, diff
from marketsim.scenario.spec import ScenarioSpec

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Paired:
    """One measure in both scenarios. Its unit is the measure's own; ``gain`` is the factor by which pairing narrows
    the interval, against two independent samples of the same sizes.
    """

    measure: str
    left: float  # means
    right: float
    difference: float  # right - left
    low: float
    high: float
    gain: float
    seeds: int

    @property
    def differs(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """All measures of two scenarios. ``values`` holds a row a seed for each side, with columns by measure."""

    names: tuple[str, str]
    seeds: tuple[int, ...]
    confidence: float
    rows: tuple[Paired, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    changes: tuple[Difference, ...]
    left: tuple[Measures, ...]
    right: tuple[Measures, ...]

    def table(self) -> pd.DataFrame:
        """A row a measure: mean of both, difference, interval, whether it differs, gain of pairing."""
        import pandas as pd

        rows = [
            {
                "measure": row.measure,
                self.names[0]: row.left,
                self.names[1]: row.right,
                "difference": row.difference,
                "low": row.low,
                "high": row.high,
                "differs": row.differs,
                "pairing_gain": row.gain,
                "seeds": row.seeds,
            }
            for row in self.rows
        ]
        return pd.DataFrame(rows)

    def values(self) -> pd.DataFrame:
        """Tidy: scenario, seed, measure, value."""
        import pandas as pd

        rows = [
            (name, seed, measure, value)
            for name, side in zip(self.names, (self.left, self.right), strict=True)
            for seed, measures in zip(self.seeds, side, strict=True)
            for measure, value in measures.items()
        ]
        return pd.DataFrame(rows, columns=["scenario", "seed", "measure", "value"])


def compare(
    left: Given,
    right: Given,
    seeds: int | Sequence[int] = 20,
    *,
    confidence: float = 0.95,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Run both scenarios under the same seeds and compare their measures.

    left, right: simulations, their specs, or files or names of scenarios.
    seeds: how many (then 1, 2, 3 …), or which ones; at least two.
    confidence: of the intervals.
    """
    chosen = tuple(range(1, seeds + 1)) if isinstance(seeds, int) else tuple(seeds)
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise InvalidValueError(f"seeds={seeds}: an interval needs at least two different seeds")
    if not 0.0 < confidence < 1.0:
        raise InvalidValueError(f"confidence={confidence}: it lies between 0 and 1, such as 0.95")
    one, other = spec_of(left), spec_of(right)
    jobs = [(spec.to_dict(), seed) for seed in chosen for spec in (one, other)]
    found = replicate_all(jobs, workers=workers, progress=progress)
    first, second = tuple(found[0::2]), tuple(found[1::2])
    names = _names(one, other)
    both, only_left, only_right = _measures(first, second)
    rows = tuple(_paired(name, first, second, confidence) for name in both)
    changes = tuple(d for d in diff(one, other) if str(d.path) not in ("seed", "name"))
    return Comparison(names, chosen, confidence, rows, only_left, only_right, changes, first, second)


def _names(left: ScenarioSpec, right: ScenarioSpec) -> tuple[str, str]:
    if left.name != right.name:
        return left.name, right.name
    return f"{left.name} (A)", f"{right.name} (B)"


def _measures(
    left: Sequence[Measures], right: Sequence[Measures]
) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """Measures on both sides in their own order, and those on one side alone."""
    first = dict.fromkeys(name for measures in left for name in measures)
    second = dict.fromkeys(name for measures in right for name in measures)
    both = [name for name in first if name in second]
    return both, tuple(n for n in first if n not in second), tuple(n for n in second if n not in first)


def _paired(name: str, left: Sequence[Measures], right: Sequence[Measures], confidence: float) -> Paired:
    a = np.array([measures.get(name, np.nan) for measures in left])
    b = np.array([measures.get(name, np.nan) for measures in right])
    there = ~(np.isnan(a) | np.isnan(b))
    a, b = a[there], b[there]
    if len(a) < 2:
        mean_a, mean_b = (float(x.mean()) if len(x) else float("nan") for x in (a, b))
        return Paired(name, mean_a, mean_b, mean_b - mean_a, -np.inf, np.inf, float("nan"), len(a))
    differences = b - a
    half = _half_width(differences, confidence)
    mean = float(differences.mean())
    return Paired(
        name, float(a.mean()), float(b.mean()), mean, mean - half, mean + half, _gain(a, b, differences), len(a)
    )


def _half_width(differences: NDArray[Any], confidence: float) -> float:
    from scipy.stats import t

    count = len(differences)
    return float(t.ppf(0.5 + confidence / 2.0, count - 1) * differences.std(ddof=1) / sqrt(count))


def _gain(a: NDArray[Any], b: NDArray[Any], differences: NDArray[Any]) -> float:
    paired = float(differences.std(ddof=1))
    independent = sqrt(float(a.var(ddof=1) + b.var(ddof=1)))
    return independent / paired if paired > 0 else float("nan")
