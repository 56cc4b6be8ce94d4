"""Forks: a market continued eleven times from one moment, from a snapshot and by replay from its start."""

from __future__ import annotations

import time

from benchmarks.measurement import Measurement, show

SIZES = [100.0 * number for number in range(1, 11)]


def seconds(how: str) -> tuple[float, list[str]]:
    """Wall seconds of one seed's forks of reference_hour at 10:20, each followed for 5 minutes, and their digests."""
    from marketsim.experiment.counterfactual import counterfactual

    began = time.perf_counter()
    found = counterfactual("reference_hour", "10:20", SIZES, seeds=[1, 2], horizon="5min", how=how, workers=1)  # type: ignore[arg-type]
    return (time.perf_counter() - began) / 2, found.digests.ravel().tolist()


def measure() -> list[Measurement]:
    """Both ways, which must come to the same."""
    seconds("snapshot")
    (kept, digests), (replayed, again) = seconds("snapshot"), seconds("replay")
    if digests != again:
        raise SystemExit("forks: a snapshot and a replay came to different digests")
    note = "reference_hour at 10:20, ten sizes and none, 5 min each; digests equal"
    return [
        Measurement("forks: one seed, from a snapshot", kept, "s", note=note),
        Measurement("forks: one seed, by replay", replayed, "s", note=note),
        Measurement("forks: snapshot against replay", replayed / kept, "times", least=4),
    ]


if __name__ == "__main__":
    show(measure())
