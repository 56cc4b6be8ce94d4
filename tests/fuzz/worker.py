"""The process of one target."""

from __future__ import annotations

from typing import Any

from tests.fuzz.campaign import Tally, work
from tests.fuzz.targets import TARGETS


def feed(name: str, seed: int, wanted: int, counts: Any, told: Any) -> None:
    """So many inputs; ``counts`` are kept up to date, findings go into the queue ``told``."""
    known = 0

    def tell(tally: Tally) -> None:
        nonlocal known
        counts[0], counts[1] = tally.cases, tally.inputs
        for finding in tally.findings[known:]:
            told.put(finding)
        known = len(tally.findings)

    work(name, TARGETS[name][0], seed, wanted, Tally(), tell)
