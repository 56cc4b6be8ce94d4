"""An agent of one's own that works a large order in slices, and what that cost against the price when it began.

python3 examples/02_custom_agent.py [DURATION] [FOLDER]
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import marketsim as ms


@dataclass
class Worker(ms.Agent):
    """Buy a quantity in equal slices: rest each at the best bid for a while, then take what is left of it.

    The fields are the parameters; scenarios, overrides and reports read them.
    """

    total: int = field(default=600, metadata={"help": "lots to buy"})
    slices: int = field(default=20, metadata={"help": "in how many parts"})
    patience: str = field(default="3s", metadata={"unit": "duration", "help": "how long a slice rests at the bid"})
    pause: str = field(default="2s", metadata={"unit": "duration", "help": "time between two slices"})

    def on_start(self) -> None:
        """Begin to work."""
        self.quote: ms.Quote | None = None
        self.process(self.work())

    def on_quote(self, quote: ms.Quote) -> None:
        """Remember what the market shows."""
        self.quote = quote

    def work(self) -> Iterator[Any]:
        """One slice after the other; ``yield`` lets simulated time pass."""
        size = self.total // self.slices
        for number in range(1, self.slices + 1):
            while self.quote is None or not self.quote.two_sided:
                yield self.sleep("10ms")
            self.note("mid", f"{self.instrument.price(self.quote.mid):.4f}")
            resting = self.buy(self.instrument, size, limit=self.quote.bid, post_only=True)
            yield self.sleep(self.patience)
            self.cancel(resting)
            while resting.live:  # until the venue has answered
                yield self.sleep("1ms")
            if resting.filled < size:
                self.buy(self.instrument, size - resting.filled)
            self.note("slice", f"{number}: {resting.filled} waited for, {size - resting.filled} taken")
            yield self.sleep(self.pause)


def main(duration: str = "3min", folder: str = "out") -> None:
    """Run it in a market, and tell what it paid."""
    sim = ms.Simulation(seed=4, duration=duration)
    instrument = ms.Instrument("ABC", tick_size="0.01", reference_price="100")
    sim.add_venue("XSIM", [instrument], maker_fee="-0.1bps", taker_fee="0.3bps")
    sim.add_agents(ms.agents.Noise(rate="1/s", improve_share=0.02, distance=8), 150, "noise", latency="1ms")
    sim.add_agent(ms.agents.MarketMaker(quantity=50, target_spread=0.03), "mm", latency="150us")
    sim.add_agent(Worker(), "worker", latency="300us", limits=ms.Limits(max_position=600))
    run = sim.run()

    notes = run.annotations[run.annotations["agent"] == "worker"]
    print(notes[notes["key"] == "slice"]["value"].to_string(index=False), "\n")
    fills = run.trades[(run.trades["maker"] == "worker") | (run.trades["taker"] == "worker")]
    arrival = float(notes[notes["key"] == "mid"]["value"].iloc[0])
    paid = (fills["price"] * fills["quantity"]).sum() / fills["quantity"].sum()
    account = ms.analysis.accounts(run)["worker"]
    print(f"bought {fills['quantity'].sum():.0f} at {paid:.4f}; the mid was {arrival:.4f} when it began:")
    print(
        f"{1e4 * (paid / arrival - 1):+.2f} bps, {account.maker_share:.0%} of it by waiting, fees {account.fees:+.2f}"
    )

    Path(folder).mkdir(parents=True, exist_ok=True)
    picture = Path(folder) / "worker.png"
    ms.analysis.figures.inventory(run, ["worker", "mm"]).savefig(picture, dpi=120)
    print(f"positions over time: {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:])
