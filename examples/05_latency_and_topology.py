"""What is a millisecond worth? A fast and a slow trader on the same news, at two places joined by fibre and microwave.

python3 examples/05_latency_and_topology.py [DURATION] [FOLDER]
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import marketsim as ms
from marketsim.network.presets import preset

# name: where it stands, and what lies between it and its site (the network's own access where None)
PICKERS = {"colocated": ("frankfurt", None), "london": ("london", None), "slow": ("london", "40ms")}


@dataclass
class Picker(ms.Agent):
    """Sees the value of the instrument, and takes quotes that have not followed it."""

    edge: int = 2  # ticks
    most: int = 100

    def on_start(self) -> None:
        """Look a thousand times a second."""
        self.quote: ms.Quote | None = None
        self.every("1ms", self.look)

    def on_quote(self, quote: ms.Quote) -> None:
        """Remember what the market shows."""
        self.quote = quote

    def look(self) -> None:
        """Compare the quotes with the value."""
        if self.quote is None or self.orders():
            return
        value, held = self.feed("value").value(self.now), self.position()
        if self.quote.has_ask and value > self.quote.ask + self.edge and held < self.most:
            self.buy(self.instrument, 10, limit=self.quote.ask, time_in_force=ms.IOC)
        elif self.quote.has_bid and value < self.quote.bid - self.edge and held > -self.most:
            self.sell(self.instrument, 10, limit=self.quote.bid, time_in_force=ms.IOC)


def main(duration: str = "2min", folder: str = "out") -> None:
    """Run three pickers who differ in nothing but the way of their messages."""
    sim = ms.Simulation(seed=2, duration=duration, topology="europe")
    sim.add_venue("FRANKFURT", [ms.Instrument("ABC")], processing="5us", host="frankfurt")
    sim.add_feed("value", ms.MeanReverting(half_life="1min", volatility=0.05))
    crowd = ms.agents.Noise(rate="2/s", improve_share=0.02, distance=8)
    sim.add_agents(crowd, 100, "noise", host="frankfurt", latency="1ms")
    sim.add_agent(ms.agents.MarketMaker(quantity=50, target_spread=0.03), "mm", host="frankfurt")
    for name, (host, latency) in PICKERS.items():
        sim.add_agent(Picker(), name, host=host, latency=latency)
    run = sim.run()

    books = ms.analysis.accounts(run)
    network = preset("europe")
    network.add_venue("FRANKFURT", "frankfurt")
    print("picker      one way, ms  asked  filled     P&L")
    for name, (host, latency) in PICKERS.items():
        network.add_agent(name, host, latency)
        account, way = books[name], network.expected(name, "FRANKFURT") / 1e6
        print(f"{name:10} {way:12.3f} {account.orders:6} {account.fill_ratio:7.0%} {account.pnl:+7.2f}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    picture = Path(folder) / "latency.png"
    ms.analysis.figures.equity(run, [*PICKERS, "mm"], books=books).savefig(picture, dpi=120)
    print(f"P&L over time: {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:])
