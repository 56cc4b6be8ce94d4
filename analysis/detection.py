"""How good alerts are: precision and recall against the truth that labelled runs tell (M8).

It judges detectors, not participants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from marketsim.errors import InvalidValueError

KINDS = ("spoofing", "layering")
ROLE = "decoy"


@dataclass(frozen=True)
class Share:
    """``hits`` of ``count``: ``value`` with its 95 % interval; NaN of nothing. Source: Wilson (1927)."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """hits / count."""
        return self.hits / self.count if self.count else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """95 %."""
        if not self.count:
            return float("nan"), float("nan")
        z2, n, p = 1.959964**2, self.count, self.value
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        reach = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
        return float(max(middle - reach, 0.0)), float(min(middle + reach, 1.0))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.0%} ({self.hits} of {self.count}; 95 %: {low:.0%} to {high:.0%})" if self.count else "–"


@dataclass(frozen=True)
class AlertScore:
    """How good alerts were.

    precision: alerts that name a labelled order, of all alerts. recall: labelled episodes that an alert names an order
    of, of all. order_precision, order_recall: the same of single orders. accused: participants with an alert but
    without a label, in the order of their names.
    """

    precision: Share
    recall: Share
    order_precision: Share
    order_recall: Share
    accused: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            f"alerts that were right   {self.precision}",
            f"episodes that were found {self.recall}",
            f"orders that were right   {self.order_precision}",
            f"orders that were found   {self.order_recall}",
        ]
        return "\n".join([*lines, *([f"wrongly accused: {', '.join(self.accused)}"] if self.accused else [])])


def score_alerts(
    alerts: pd.DataFrame, labels: pd.DataFrame, *, kinds: Sequence[str] = KINDS, threshold: float = 0.0
) -> AlertScore:
    """Score the alerts of ``surveil`` (those with a score of at least ``threshold``) against ``labels``.

    The truth are the labels of ``kinds`` with role decoy: orders that were not meant. Alerts of any kind count as
    right when one of their orders is such a one. InvalidValueError where a table lacks its columns.
    """
    _check(alerts, ("agent", "venue", "orders", "score"), "surveil")
    _check(labels, ("agent", "venue", "order", "kind", "role", "episode"), "labels")
    chosen = alerts[alerts["score"] >= threshold]
    truth = labels[labels["kind"].isin(list(kinds)) & (labels["role"] == ROLE)]
    guilty = set(zip(truth["venue"], truth["order"], strict=True))
    named = [{(venue, order) for order in ids} for venue, ids in zip(chosen["venue"], chosen["orders"], strict=True)]
    suspects: set[tuple[str, int]] = set().union(*named)
    right = sum(bool(orders & guilty) for orders in named)
    hits = len(suspects & guilty)
    found = np.array([key in suspects for key in zip(truth["venue"], truth["order"], strict=True)], dtype=bool)
    episodes = truth.assign(found=found).groupby(["agent", "kind", "episode"])["found"].any()
    innocent = sorted(set(chosen["agent"]) - set(truth["agent"]))
    return AlertScore(
        Share(right, len(named)), Share(int(episodes.sum()), len(episodes)),
        Share(hits, len(suspects)), Share(hits, len(guilty)), tuple(innocent),
    )  # fmt: skip


def detection_curve(alerts: pd.DataFrame, labels: pd.DataFrame, *, kinds: Sequence[str] = KINDS) -> pd.DataFrame:
    """Precision and recall at each threshold, from the most to the least strict.

    Give it the alerts of ``surveil(…, threshold=0)``. Columns: ``threshold``, ``alerts``, ``precision``,
    ``precision_low``, ``precision_high``, ``recall``, ``recall_low``, ``recall_high`` (of alerts and episodes, 95 %).
    """
    _check(alerts, ("score",), "surveil")
    thresholds = np.unique(np.floor(alerts["score"].to_numpy(np.float64) * 100) / 100)[::-1]
    rows = []
    for threshold in thresholds:
        score = score_alerts(alerts, labels, kinds=kinds, threshold=float(threshold))
        rows.append(
            (float(threshold), score.precision.count, score.precision.value, *score.precision.interval,
             score.recall.value, *score.recall.interval)
        )  # fmt: skip
    shares = [f"{share}{edge}" for share in ("precision", "recall") for edge in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["threshold", "alerts", *shares])


def _check(table: pd.DataFrame, columns: Sequence[str], source: str) -> None:
    lacking = [name for name in columns if name not in table.columns]
    if lacking:
        raise InvalidValueError(f"the table has no {', '.join(lacking)}: give one that {source} made")
