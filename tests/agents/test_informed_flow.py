"""The guard on a whole market: it lowers what a market maker loses to those who know the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from marketsim.agents import Fundamental, MarketMaker
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote
from marketsim.domain.order import TimeInForce
from marketsim.simulation import Simulation
from marketsim.trading.agent import Agent
from marketsim.trading.feed import RandomWalk

ABC = Instrument("ABC")
SEEDS = 24
STUDENT = 2.069  # two-sided 95 % of t with 23 degrees of freedom


@dataclass
class Informed(Agent):
    """Takes whatever is offered on the wrong side of the value, which it knows."""

    quantity: int = 20
    edge: float = 2.0

    def on_start(self) -> None:
        self.value = self.feed("value")

    def on_quote(self, quote: Quote) -> None:
        if self.orders():
            return
        value = self.value.value(self.now)
        if quote.has_ask and value > quote.ask + self.edge:
            self.buy(quote.instrument, self.quantity, limit=quote.ask, time_in_force=TimeInForce.IOC)
        elif quote.has_bid and value < quote.bid - self.edge:
            self.sell(quote.instrument, self.quantity, limit=quote.bid, time_in_force=TimeInForce.IOC)


@dataclass
class Uninformed(Agent):
    """Market orders for no reason, as a Poisson process."""

    rate: float = 0.5
    quantity: int = 5

    def on_start(self) -> None:
        self.draw = self.random("flow")
        self._wait()

    def _wait(self) -> None:
        self.after(1 + int(self.draw.exponential(1e9 / self.rate)), self.act)

    def act(self) -> None:
        (self.buy if self.draw.bernoulli(0.5) else self.sell)(self.instrument, self.quantity)
        self._wait()


class Outcome(NamedTuple):
    """In currency: what the maker lost to the informed, and what it gained in all at the true value."""

    loss: float
    profit: float
    fills: int


def market(seed: int, protected: bool) -> Outcome:
    """Three minutes; value traders post around the value, so that the market finds it sooner or later."""
    simulation = Simulation(seed=seed, duration="3min")
    simulation.add_venue("XSIM", instruments=[ABC])
    simulation.add_feed("value", RandomWalk(volatility=0.02), ABC)
    simulation.add_agents(Fundamental(rate=0.1, noise=0.05, quantity=10, take_share=0.0), count=20, name="value")
    maker = MarketMaker(target_spread=0.02, quantity=20, max_position=200, adverse_selection_protection=protected)
    simulation.add_agent(maker, name="maker")
    simulation.add_agent(Informed(), name="informed")
    simulation.add_agent(Uninformed(), name="uninformed")
    execution = simulation.start()
    events = execution.run().events
    sessions, feed = execution.world.sessions, execution.world.feeds["value"]
    mine, theirs = sessions["maker"].number, sessions["informed"].number
    trades = events[(events["kind"] == EventKind.TRADE) & (events["peer"] == mine) & (events["owner"] == theirs)]
    place = np.minimum((trades["time"] - feed.start) // feed.step, len(feed.values) - 1)
    loss = float((trades["side"] * (feed.values[place] - trades["price"]) * trades["quantity"]).sum()) * ABC.tick
    portfolio = sessions["maker"].portfolio
    last = ABC.tick_size * round(float(feed.values[-1]))
    return Outcome(loss, float(portfolio.value({"ABC": last}) - portfolio.initial_cash), len(portfolio.history))


@pytest.mark.statistical
def test_the_guard_lowers_the_loss_to_informed_flow() -> None:
    """Paired over seeds: with and without it, everybody else draws the same random numbers."""
    without = [market(seed, False) for seed in range(SEEDS)]
    guarded = [market(seed, True) for seed in range(SEEDS)]
    saved = np.array([a.loss - b.loss for a, b in zip(without, guarded, strict=True)])
    gained = np.array([b.profit - a.profit for a, b in zip(without, guarded, strict=True)])
    for what, values in (("loss saved", saved), ("profit gained", gained)):
        half = STUDENT * values.std(ddof=1) / np.sqrt(SEEDS)
        assert values.mean() - half > 0.0, f"{what}: {values.mean():.2f} ± {half:.2f}"
    assert np.mean([outcome.loss for outcome in without]) > 0.0, "there is something to be saved"
    assert np.mean([outcome.fills for outcome in guarded]) > 30, "a maker that is never there saves nothing"
