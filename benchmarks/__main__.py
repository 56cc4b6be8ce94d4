"""Everything in one table: ``python -m benchmarks [part …]``. A quiet machine measures best."""

from __future__ import annotations

import sys
import time
from importlib import import_module

from benchmarks.measurement import Measurement, keep, show, skipped

PARTS = (
    "matching",
    "reference_day",
    "crowd",
    "scale",
    "instruments",
    "publication",
    "auctions",
    "python_agents",
    "indicators",
    "signals",
    "risk",
    "gym",
    "replay",
    "memory",
    "compilation",
    "processes",
    "sweep",
    "gateway",
)


def main(chosen: list[str]) -> int:
    """Measure the chosen parts, or all; exit status 1 when a target is missed."""
    if unknown := [part for part in chosen if part not in PARTS]:
        print(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    found: list[Measurement] = []
    for part in chosen or PARTS:
        began = time.perf_counter()
        print(f"{part} …", end="", file=sys.stderr, flush=True)
        try:
            found.extend(import_module(f"benchmarks.{part}").measure())
        except ImportError as error:
            found.append(skipped(part, str(error)))
        print(f" {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    show(found, "How fast: ratios and times of one run")
    print(f"kept in {keep(found, 'speed')}")
    return 1 if any(m.verdict == "MISSED" for m in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
