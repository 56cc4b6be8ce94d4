"""A trading floor: buyers and sellers with schedules meet in one market without delays, and are measured.

What the published experiments are repeated with; tests/agents only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from marketsim.analysis.double_auctions import DoubleAuction, outcome
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.supply_and_demand import Schedule
from marketsim.domain.units import SECOND
from marketsim.population.agent import CompiledAgent
from tests.population.wiring import ZERO, Crowd, Market

WHOLE = Instrument("GS", tick_size="1", reference_price="100")
Maker = Callable[..., CompiledAgent]


@dataclass
class Session:
    """Units by trader for both sides, the length of a period in seconds, and how many there are."""

    values: Sequence[tuple[float, ...]]
    costs: Sequence[tuple[float, ...]]
    seconds: float = 60.0
    periods: int = 10
    instrument: Instrument = WHOLE

    @property
    def schedule(self) -> Schedule:
        """As its traders have it. Traders of one side have as many units each."""
        books = [{f"{side}.{n}": hand for n, hand in enumerate(hands)} for side, hands in self._sides()]
        return Schedule(books[0], books[1], 1.0, round(self.seconds * SECOND))

    def _sides(self) -> list[tuple[str, Sequence[tuple[float, ...]]]]:
        return [("buy", self.values), ("sell", self.costs)]

    def play(self, make: Maker, seed: int, **terms: Any) -> DoubleAuction:
        """One session of these traders."""
        period = round(self.seconds * SECOND)
        crowds = []
        for side, hands in self._sides():
            units = [unit for turn in zip(*hands, strict=True) for unit in turn]
            agent = make(side=side, values=units, dealt=True, period=period, **terms)
            crowds.append(Crowd(agent, len(hands), side, latency=ZERO))
        market = Market(crowds, seed=seed, instrument=self.instrument, processing=0)
        market.run(self.seconds * self.periods - 1e-6)
        return outcome(_trades(market, self.instrument), self.schedule, 0, period * self.periods)


def _trades(market: Market, instrument: Instrument) -> pd.DataFrame:
    rows = market.events[market.events["kind"] == EventKind.TRADE]
    names = np.array(sorted(market.numbers, key=market.numbers.__getitem__))
    return pd.DataFrame(
        {
            "time": rows["time"].astype(np.int64),
            "price": rows["price"] * instrument.tick,
            "quantity": rows["quantity"].astype(float),
            "side": rows["side"].astype(np.int64),
            "taker": names[rows["owner"]],
            "maker": names[rows["peer"]],
        }
    )
