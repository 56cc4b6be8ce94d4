"""The market on which simulators of this field compare themselves: ten days of it, beside what was published.

python3 examples/10_reference_market.py [SEEDS] [DURATION] [FOLDER]
"""

import sys
from pathlib import Path

import marketsim as ms


def main(seeds: str = "10", duration: str = "6h 30min", folder: str = "out") -> None:
    """Run the day once for each seed, compare the means with the published ones, and draw."""
    runs = []
    for seed in range(1, int(seeds) + 1):
        runs.append(ms.load("reference_day", {"seed": seed, "duration": duration}).run())
        told = runs[-1].manifest
        print(f"seed {seed}: {told.counts['events handled']:,} events in {told.timings['engine']:.3f} s")

    table = ms.analysis.compare_with_published([ms.analysis.reference_measures(run) for run in runs])
    print(f"\nmeans of {seeds} seeds\n{table.round(2).to_string()}")

    Path(folder).mkdir(parents=True, exist_ok=True)
    picture = Path(folder) / "reference_market.png"
    ms.analysis.reference_figure(runs).savefig(picture, dpi=150)
    print(f"\n{picture}")


if __name__ == "__main__":
    main(*sys.argv[1:])
