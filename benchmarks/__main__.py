"""All benchmarks in one run: ``python -m benchmarks``. Each module prints its ratios beside their targets."""

from __future__ import annotations

import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULES = ("matching", "python_agents", "replay")


def seconds(*words: str) -> float:
    """Wall time of a whole marketsim process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "marketsim", *words], check=True, capture_output=True)
    return time.perf_counter() - began


def processes() -> None:
    """Commands as a user meets them; the first quickstart may compile, the second is warm."""
    print(f"{'marketsim --help':45s} {min(seconds('--help') for _ in range(5)):8.2f} s   0.4 s")
    with tempfile.TemporaryDirectory() as folder:
        seconds("run", "quickstart", "--out", str(Path(folder) / "first"))
        warm = seconds("run", "quickstart", "--out", str(Path(folder) / "warm"))
    print(f"{'warm quickstart, report included':45s} {warm:8.2f} s   12 s")


def main() -> None:
    """Every module that is there, then whole processes."""
    for name in MODULES:
        print(f"\n{name}")
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    print("\nwhole processes")
    processes()


if __name__ == "__main__":
    main()
