"""Compile the market once before the tests start, so that their workers load it instead of compiling it side by side.

A failure here is not one of the tests': they will meet it themselves and tell more about it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    if not find_spec("marketsim.simulation"):
        return
    from marketsim import simulation

    warm = getattr(simulation, "warm", None)
    if warm is None:
        return
    print("compiling the market for the tests (once; kept until its sources change)", file=sys.stderr, flush=True)
    start = perf_counter()
    warm()
    print(f"  {perf_counter() - start:3.0f} s  done", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
