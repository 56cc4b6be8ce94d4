"""A sweep: how many value agents a market needs, and how well they must see, at 12 points under the same seeds.

python3 examples/16_sweep.py [DURATION] [SEEDS] [FOLDER]

Stop it and start it again: it goes on where it was.
"""

import sys

import marketsim as ms


def main(duration: str = "1h", seeds: int = 5, folder: str = "sweeps/value_agents") -> None:
    """Sweep, and tell where the spread is narrowest."""
    found = ms.sweep(
        ms.load("reference_hour", {"duration": duration}),
        {"agents.value.count": "40..200", "agents.value.noise": "0.05..2 log"},
        "latin",
        12,
        seeds=seeds,
        measures=["market.ABM.trades", "market.ABM.spread_bps", "agents.value.pnl"],
        folder=folder,
        progress=lambda done, total: print(f"\r{done} of {total} runs", end="", file=sys.stderr),
    )
    spread = found.summary("market.ABM.spread_bps").sort_values("mean")
    print(spread.drop(columns=["measure", "point"]).round(3).to_string(index=False))
    found.save()
    print(found.report())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    else:
        main(*sys.argv[1:])
