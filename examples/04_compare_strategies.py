"""Which of two market makers is better? The same markets, the same chance, paired differences with intervals.

python3 examples/04_compare_strategies.py [SEEDS] [DURATION] [FOLDER]
"""

import sys
from pathlib import Path

import marketsim as ms

MARKET = {
    "warm_up": "10s",
    "venues": {"XSIM": {"fees": {"maker": "-0.1bps", "taker": "0.3bps"}}},
    "instruments": {"ABC": {"tick_size": 0.01, "reference_price": 100}},
    "feeds": {"value": {"type": "mean_reverting", "half_life": "2min", "volatility": 0.05}},
    "agents": {
        "noise": {"type": "noise", "count": 100, "rate": "0.5/s", "improve_share": 0.02, "distance": 8},
        "informed": {"type": "fundamental", "count": 10, "rate": "1/s", "take_share": 0.5, "max_position": 500},
        "mm": {"type": "market_maker", "quantity": 50, "target_spread": 0.03, "latency": "150us"},
    },
}
SHOWN = ("agents.mm.pnl", "agents.mm.fills", "agents.informed.pnl", "market.ABC.effective_spread_bps")


def main(seeds: str = "10", duration: str = "5min", folder: str = "out") -> None:
    """Compare a market maker of many rules with that of Avellaneda and Stoikov, in the same place."""
    rules = ms.ScenarioSpec.from_dict({**MARKET, "name": "rules", "duration": duration})
    theory = ms.ScenarioSpec.from_dict({**MARKET, "name": "theory", "duration": duration}).with_overrides(
        {"agents.mm": {"type": "avellaneda_stoikov", "quantity": 50, "gamma": 0.1, "latency": "150us"}}
    )
    found = ms.compare(rules, theory, seeds=int(seeds), measures=SHOWN)

    table = found.table().set_index("measure")
    columns = ["mean_base", "mean", "difference", "low", "high", "p_adjusted", "pairing_gain", "seeds_80"]
    print(table[columns].round(3).to_string(), "\n")
    for measure, unit in (("agents.mm.pnl", "of P&L"), ("market.ABC.effective_spread_bps", "bps of effective spread")):
        row = found.of(measure)
        told = "differs" if row.differs else "may be chance"
        print(f"{row.difference:+.2f} {unit} ({row.low:+.2f} to {row.high:+.2f}): {told}; pairing gains {row.gain:.1f}")
    profit = found.of("agents.mm.pnl")
    print(f"these seeds see {profit.smallest_difference():.1f} of P&L; half of it needs "
          f"{profit.seeds_needed(profit.smallest_difference() / 2)}")  # fmt: skip

    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / "compare.csv"
    found.values().to_csv(path, index=False)
    print(f"every measure under every seed: {path}")
    print(f"the report: {found.report(Path(folder) / 'compare.html')}")


if __name__ == "__main__":  # the comparison starts processes, which read this file again
    main(*sys.argv[1:])
