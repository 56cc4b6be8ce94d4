"""Market makers and the phases of trading: quotes in continuous trading only, and no storm of refused requests."""

from __future__ import annotations

from typing import Any

import marketsim as ms
from marketsim.agents.market_maker import MarketMaker

ABC = ms.Instrument("ABC", tick_size="0.01", reference_price="100")
SESSIONS = [
    {"phase": "opening_auction", "start": "09:00", "end": "09:01"},
    {"phase": "continuous", "start": "09:01", "end": "09:10"},
]


class Crowd(ms.Agent):
    """Shows a bid and an offer, and another price of each now and then, so that there is news for a market maker."""

    def on_start(self) -> None:
        """Begin."""
        self.place()
        self.every("5s", self.place)

    def place(self) -> None:
        """A wide pair of quotes, one tick wider or narrower each time."""
        self.cancel_all()
        wide = 5 + int(self.now // 5_000_000_000) % 2
        self.buy(self.instrument, 10, limit=10_000 - wide)
        self.sell(self.instrument, 10, limit=10_000 + wide)


def run() -> Any:
    simulation = ms.Simulation(1, "6min", start="09:00", date="2026-03-05")
    simulation.add_venue("X", [ABC], calendar={"sessions": SESSIONS}, interruptions={"reopening": "continuous"})
    simulation.add_agent(Crowd(), "crowd")
    simulation.add_agent(MarketMaker(refresh="1s"), "maker")
    simulation.halt("3min", "ABC", duration="1min")
    return simulation.run()


def test_a_market_maker_quotes_in_continuous_trading_only() -> None:
    result = run()
    orders = result.orders[result.orders["agent"] == "maker"]
    second = (orders["time"] - result.start) // 1_000_000_000
    accepted = orders[orders["state"] != "REJECTED"]
    assert ((second[accepted.index] >= 60) & ((second[accepted.index] < 180) | (second[accepted.index] >= 240))).all()
    assert {int(s) // 60 for s in second[accepted.index]} >= {1, 4}
    assert len(orders[orders["state"] == "REJECTED"]) <= 2  # the first two quotes; from then on it knows


def test_its_quotes_are_withdrawn_in_a_halt() -> None:
    result = run()
    orders = result.orders[(result.orders["agent"] == "maker") & (result.orders["state"] != "REJECTED")]
    before = orders[orders["time"] < result.start + 180 * 10**9]
    assert len(before) > 0
    assert before["end_time"].between(0, result.start + 181 * 10**9).all()
