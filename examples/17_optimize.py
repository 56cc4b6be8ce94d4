"""How wide should a market maker quote, how much, and how fast must it be? A search, and what it is worth.

python3 examples/17_optimize.py [TRIALS] [SEEDS] [DURATION]

A market maker is let loose among noise traders and traders who know more. The search looks for the largest P&L that a
trial has on average; the best trials are then run under seeds that it has never seen.
"""

import sys

import marketsim as ms

OVER = {
    "agents.mm.target_spread": "0.01..0.3 log",
    "agents.mm.quantity": "5..50",
    "agents.mm.latency": ["50us", "1ms", "20ms"],
}


def market(duration: str) -> ms.Simulation:
    """The scenario as it is: the maker quotes so widely that it hardly trades."""
    return ms.load(
        {
            "name": "desk",
            "duration": duration,
            "warm_up": "20s",
            "venues": {"XSIM": {}},
            "instruments": {"ABC": {}},
            "feeds": {"value": {"type": "mean_reverting", "half_life": "10min", "volatility": 0.02}},
            "agents": {
                "noise": {"type": "noise", "count": 40, "rate": "1/s"},
                "informed": {"type": "fundamental", "count": 5, "rate": "0.2/s"},
                "mm": {"type": "market_maker", "latency": "1ms", "target_spread": 0.3, "quantity": 5},
            },
        }
    )


def main(trials: int = 60, seeds: int = 4, duration: str = "5min") -> None:
    """Search, and tell what came of it."""
    found = ms.optimize(
        market(duration), OVER, "agents.mm.pnl", trials=trials, seeds=seeds, fresh=2 * seeds, study="desk.db"
    )
    print(f"{len(found.trials)} trials, {(found.trials['state'] == 'pruned').sum()} of them given up early")
    for path, value in found.best.items():
        print(f"  {path}: {value}")
    print(found.importance.round(2).to_string(index=False))
    shown = ["candidate", "value", "mean", "optimism", "difference", "difference_low", "difference_high", "better"]
    print(found.finalists[shown].round(2).to_string(index=False))
    print(f"written {found.write_best('best.yaml')} and {found.report('desk.html')}")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(*(int(word) for word in words[:2]), *words[2:])
