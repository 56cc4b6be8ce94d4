"""Small markets for the tests of this room: noise, a value feed with traders on it, and Python agents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import marketsim as ms
from marketsim.agents.noise import Noise
from marketsim.domain.market_data import Quote, Report
from marketsim.trading.order import Order


@dataclass
class Leaner(ms.Agent):
    """Buys when the book leans to the bid, sells when it leans to the ask, and cancels what did not trade."""

    threshold: float = 0.7
    quantity: int = 3

    def on_start(self) -> None:
        """Look at the orders that are left, now and then."""
        self.every("700ms", self.clean)
        self.draws: list[float] = []

    def on_quote(self, quote: Quote) -> None:
        """Lean with the book."""
        self.draws.append(self.random("mood").uniform())
        if not quote.two_sided or self.draws[-1] < 0.5:
            return
        if quote.imbalance > self.threshold and self.position() < 50:
            self.buy(quote.instrument, self.quantity, limit=quote.ask)
        elif quote.imbalance < 1 - self.threshold and self.position() > -50:
            self.sell(quote.instrument, self.quantity, limit=quote.bid)

    def clean(self) -> None:
        """Cancel everything."""
        self.cancel_all()


@dataclass
class Bomb(ms.Agent):
    """Raises after a while."""

    after: int = 1_000_000_000

    def on_start(self) -> None:
        """Set the fuse."""
        self.at(self.now + self.after, self.explode)

    def explode(self) -> None:
        """An ordinary mistake."""
        {}["nothing"]


@dataclass
class Counter(ms.Agent):
    """Counts what it hears and how its orders end."""

    def on_start(self) -> None:
        """Begin counting."""
        self.heard: list[str] = []

    def on_report(self, report: Report, order: Order | None) -> None:
        """Remember the kind."""
        self.heard.append(report.kind.name)


INSTRUMENT = ms.Instrument("ABC", tick_size="0.01", reference_price="100")


def market(
    seed: int = 7,
    duration: str = "8s",
    noise: int = 30,
    leaners: int = 2,
    computation: str = "3us",
    reverse: bool = False,
    **terms: Any,
) -> ms.Simulation:
    """A market of noise traders and leaners; ``reverse`` adds everything in the opposite order."""
    simulation = ms.Simulation(seed, duration, **terms)
    steps = [
        lambda: simulation.add_venue(
            "XSIM", [INSTRUMENT], maker_fee="-0.1bps", taker_fee="0.3bps", processing="2us"
        ),
        lambda: simulation.add_agents(Noise(rate="2/s"), noise, "noise", computation=computation),
        *(
            (lambda number=number: simulation.add_agent(
                Leaner(), f"leaner_{number}", latency=ms.LogNormal(median="80us", sigma=0.4), computation=computation
            ))
            for number in range(leaners)
        ),
    ]  # fmt: skip
    for step in reversed(steps) if reverse else steps:
        step()
    return simulation
