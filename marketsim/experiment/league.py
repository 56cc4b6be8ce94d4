"""League tables: a score of several candidates under common seeds, what it says about their order, and how surely.

All of it works on one array, a row a seed and a column a candidate. Means have Student's intervals; differences of two
candidates are paired by seed, and their p-values are corrected for how many pairs there are (S. Holm, "A simple
sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979, 65-70). Ranks have
intervals from a bootstrap over seeds (B. Efron, "Bootstrap methods: another look at the jackknife", Annals of
Statistics 7, 1979). It runs nothing.
"""

from __future__ import annotations

from itertools import combinations
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketsim.analysis.paired import holm, paired_p, student
from marketsim.analysis.resampling import resamples

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
RESAMPLES = 2_000


def standings(names: tuple[str, ...], scores: Floats, confidence: float) -> pd.DataFrame:
    """A row a candidate, the best first.

    ``rank``, ``candidate``, ``mean`` with ``low`` and ``high``, ``rank_low`` and ``rank_high`` (percentiles of its rank
    over resampled seeds), ``first`` (share of the resamples in which its mean is the highest), ``wins`` (share of seeds
    in which its score is), ``sharpe`` (mean over the deviation between seeds).
    """
    import pandas as pd

    count, mean, spread = len(scores), scores.mean(axis=0), scores.std(axis=0, ddof=1)
    half = student(confidence, count - 1) * spread / sqrt(count)
    ranks = _resampled_ranks(scores)
    low, high = np.quantile(ranks, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0, method="closest_observation")
    with np.errstate(divide="ignore", invalid="ignore"):
        table = pd.DataFrame(
            {
                "rank": _ranks(mean[None, :])[0],
                "candidate": list(names),
                "mean": mean,
                "low": mean - half,
                "high": mean + half,
                "rank_low": low.astype(int),
                "rank_high": high.astype(int),
                "first": (ranks == 1).mean(axis=0),
                "wins": (_ranks(scores) == 1).mean(axis=0),
                "sharpe": mean / spread,
            }
        )
    return table.sort_values(["rank", "candidate"], ignore_index=True)


def differences(names: tuple[str, ...], scores: Floats, confidence: float) -> pd.DataFrame:
    """A row a pair of candidates, the better one first and the clearest pair on top.

    ``better``, ``worse``, ``difference`` of the means with ``low`` and ``high``, which hold for all pairs at once
    (Bonferroni), ``p`` of the paired t-test, ``p_holm`` corrected for the number of pairs, ``differs`` where that is
    below 1 - ``confidence``.
    """
    import pandas as pd

    pairs = list(combinations(range(len(names)), 2))
    mean = scores.mean(axis=0)
    quantile = student(1.0 - (1.0 - confidence) / max(len(pairs), 1), len(scores) - 1)
    rows = []
    for one, other in pairs:
        better, worse = (one, other) if mean[one] >= mean[other] else (other, one)
        gap = scores[:, better] - scores[:, worse]
        error = float(gap.std(ddof=1)) / sqrt(len(gap))
        difference = float(gap.mean())
        low, high = difference - quantile * error, difference + quantile * error
        rows.append((names[better], names[worse], difference, low, high, paired_p(difference, error, len(gap))))
    table = pd.DataFrame(rows, columns=["better", "worse", "difference", "low", "high", "p"])
    table["p_holm"] = holm(table["p"].to_numpy(np.float64))
    table["differs"] = table["p_holm"] < 1.0 - confidence
    return table.sort_values(["p_holm", "p", "better", "worse"], ignore_index=True)


# --- inner ---


def _ranks(scores: Floats) -> NDArray[np.int64]:
    """1 for the highest of each row; equal scores share the better rank."""
    better = scores[:, None, :] > scores[:, :, None]
    return np.asarray(1 + better.sum(axis=2), dtype=np.int64)


def _resampled_ranks(scores: Floats) -> NDArray[np.int64]:
    """Ranks of the means, a row a resample of the seeds; the same resamples for the same numbers."""
    return _ranks(scores[resamples(len(scores), RESAMPLES)].mean(axis=1))
