"""Avellaneda and Stoikov's market on the real exchange: one maker, takers with exponential reach, a mid that walks.

Many such markets, each an instrument of its own, make one run. Time is cut as in the paper: at the beginning of each
step of 5 ms the mid moves by ±σ√dt and the maker moves its quotes, in its middle one taker of each side comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import marketsim as ms
from marketsim.agents import AvellanedaStoikov, MarketMaker, ReachingTaker
from marketsim.agents.avellaneda_stoikov import total_spread
from marketsim.kernel.random import key_of
from marketsim.trading.feed import FeedModel, FeedPath

SIGMA, DECAY, RATE, STEPS, FIRST = 2.0, 1.5, 140.0, 200, 100.0
STEP = 5_000_000  # ns, of a second that stands for T = 1
TICK = 1e-4


@dataclass(frozen=True)
class CoinWalk(FeedModel):
    """A value that moves by plus or minus ``move`` (currency) each step."""

    move: float = SIGMA * math.sqrt(STEP / 1e9)

    def path(self, seed: int, name: str, instrument: Any, start: int, end: int, shocks: Any = ()) -> FeedPath:
        """As many steps as the run has."""
        coins = np.random.default_rng(key_of(seed, name) % 2**63).choice((-1.0, 1.0), (end - start) // STEP)
        moves = np.cumsum(coins) * self.move / instrument.tick
        return FeedPath(instrument.reference + np.concatenate(([0.0], moves)), start, STEP)


class Outcome(NamedTuple):
    """What each of the markets came to."""

    profit: NDArray[np.float64]
    inventory: NDArray[np.float64]
    spread: float  # quoted, mean over steps and markets

    def row(self) -> tuple[float, float, float, float, float]:
        """As the paper prints it."""
        profit, held = self.profit, self.inventory
        return self.spread, float(profit.mean()), float(profit.std()), float(held.mean()), float(held.std())


def inventory_strategy(gamma: float, feed: str) -> AvellanedaStoikov:
    """The paper's inventory strategy."""
    return AvellanedaStoikov(gamma=gamma, sigma=SIGMA, k=DECAY, horizon="1s", horizon_type="finite", **common(feed))


def symmetric_strategy(gamma: float, feed: str) -> MarketMaker:
    """The paper's symmetric strategy: around the mid, always with the inventory strategy's mean spread."""
    return MarketMaker(
        target_spread=total_spread(gamma, SIGMA, DECAY, 0.5), skew_adjustment=False, volatility_factor=0.0,
        adverse_selection_protection=False, **common(feed),
    )  # fmt: skip


def common(feed: str) -> dict[str, Any]:
    """One lot a quote, moved once a step around what the feed tells."""
    return {"quantity": 1, "max_position": 1_000, "refresh": "5ms", "max_distance": 1.0, "value_feed": feed}


def play(maker: Callable[[str], Any], markets: int, seed: int) -> Outcome:
    """Run so many markets with the maker that is made for a feed, a hundred at a time."""
    sizes = [min(100, markets - done) for done in range(0, markets, 100)]
    parts = [_play(maker, size, seed + place) for place, size in enumerate(sizes)]
    spread = float(np.average([part.spread for part in parts], weights=sizes))
    profits, inventories = (np.concatenate(arrays) for arrays in list(zip(*parts, strict=True))[:2])
    return Outcome(profits, inventories, spread)


def _play(maker: Callable[[str], Any], markets: int, seed: int) -> Outcome:
    sim = ms.Simulation(seed=seed, duration="1s", latency="1us")
    instruments = [ms.Instrument(f"S{n}", tick_size="0.0001", reference_price="100") for n in range(markets)]
    sim.add_venue("XSIM", instruments)
    for instrument in instruments:
        symbol = instrument.symbol
        sim.add_feed(f"mid-{symbol}", CoinWalk(), instrument)
        seat: dict[str, Any] = {"instruments": [symbol], "feeds": [f"mid-{symbol}"]}
        sim.add_agent(maker(f"mid-{symbol}"), f"maker-{symbol}", **seat)
        sim.add_agent(ReachingTaker(rate=RATE, k=DECAY, step="5ms"), f"takers-{symbol}", **seat)
    execution = sim.start()
    run = execution.run()
    trades = run.trades
    lots = -trades["side"] * trades["quantity"]
    held = lots.groupby(trades["instrument"]).sum()
    cash = -(lots * trades["price"]).groupby(trades["instrument"]).sum()
    assert execution.world is not None
    last = {name.split("-")[-1]: feed.values[STEPS] * TICK for name, feed in execution.world.feeds.items()}
    profit = [cash.get(i.symbol, 0.0) + held.get(i.symbol, 0) * last[i.symbol] for i in instruments]
    inventory = [held.get(i.symbol, 0) for i in instruments]
    return Outcome(np.array(profit), np.array(inventory, float), _mean_spread(run, markets))


def _mean_spread(run: Any, markets: int) -> float:
    """Of the quotes that stand when the takers come."""
    times = np.arange(STEPS) * STEP + STEP // 2
    spreads = []
    for _, quotes in run.quotes.groupby("instrument"):
        place = np.searchsorted(quotes["time"].to_numpy(), times) - 1
        spreads.append((quotes["ask"] - quotes["bid"]).to_numpy()[place])
    assert len(spreads) == markets
    return float(np.mean(spreads))
