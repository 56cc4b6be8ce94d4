"""A market in a few lines: makers, takers, informed and noise traders; a table, and a report to open in a browser.

python3 examples/01_quickstart.py [DURATION] [FOLDER]
"""

import sys
from pathlib import Path

import marketsim as ms


def market(duration: str = "10min", seed: int = 7) -> ms.Simulation:
    """A market maker in the middle of a crowd."""
    agents = ms.agents
    sim = ms.Simulation(seed, duration, name="quickstart in Python", start="09:30", warm_up="10s")
    sim.add_venue("XSIM", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")], maker_fee="-0.1bps",
                  taker_fee="0.3bps", processing="5us")  # fmt: skip
    sim.add_feed("value", ms.MeanReverting(half_life="5min", volatility=0.02))
    noise = agents.Noise(rate="0.5/s", improve_share=0.02, distance=8)
    sim.add_agents(noise, 200, "noise", latency=ms.LogNormal(median="1ms", sigma=0.5))
    sim.add_agents(agents.Fundamental(rate="0.5/s", max_position=200), 10, "informed", latency="500us")
    sim.add_agents(agents.Momentum(max_position=100), 10, "trend", latency="500us")
    sim.add_agent(agents.MarketMaker(quantity=50, target_spread=0.03), "mm", latency="150us")
    sim.add_agent(agents.AvellanedaStoikov(quantity=20, gamma=0.1), "stoikov", latency="150us")
    return sim


def main(duration: str = "10min", folder: str = "out") -> None:
    """Run it, show a table, write a report."""
    run = market(duration).run()
    books = ms.analysis.accounts(run)
    print(ms.analysis.summarize(run, books))
    Path(folder).mkdir(parents=True, exist_ok=True)
    page = ms.report(run, Path(folder) / "quickstart.html", title=run.name, books=books)
    print(f"\nopen {page} in a browser")


if __name__ == "__main__":
    main(*sys.argv[1:])
