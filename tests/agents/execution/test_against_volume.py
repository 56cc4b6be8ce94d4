"""VWAP against TWAP where trading is U-shaped: it must come nearer to the market's mean price, seed by seed.

The price is a random walk that nobody here causes, quoted two ticks wide; a crowd trades twenty times as much in the
first and last quarter as between. Both buy the same in the same markets. The curve is that of other days.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statistical import runs

import marketsim as ms
from marketsim.agents.execution.plan import ExecutionPlan
from marketsim.domain.units import SECOND
from marketsim.trading.feed import RandomWalk

MINUTES = 4


@dataclass
class Maker(ms.Agent):
    """Quotes much, a tick on each side of the value, anew every half second."""

    def on_start(self) -> None:
        self._quote()
        self.every("500ms", self._quote)

    def _quote(self) -> None:
        value = round(self.feed("value").value(self.now))
        self.cancel_all()
        self.buy(self.instrument, 10_000, limit=value - 1)
        self.sell(self.instrument, 10_000, limit=value + 1)


@dataclass
class Crowd(ms.Agent):
    """Takes ten lots at random times, often at first and at last, and rarely between."""

    def on_start(self) -> None:
        self._begun = self.now
        self._wait()

    def _wait(self) -> None:
        time = (self.now - self._begun) / (MINUTES * 60 * SECOND)
        rate = 0.25 if 0.25 <= time < 0.75 else 5.0
        self.after(1 + int(self.random("when").exponential(SECOND / rate)), self._trade)

    def _trade(self) -> None:
        act = self.buy if self.random("side").bernoulli(0.5) else self.sell
        act(self.instrument, 10)
        self._wait()


def market(seed: int, plan: ExecutionPlan | None = None) -> Any:
    simulation = ms.Simulation(seed=seed, duration=f"{60 * MINUTES + 1}s", start="09:30")
    simulation.add_venue("X", instruments=[ms.Instrument("ABC")])
    simulation.add_feed("value", RandomWalk(volatility=0.05))
    simulation.add_agent(Maker(), "maker")
    simulation.add_agent(Crowd(), "crowd")
    if plan is not None:
        simulation.add_agent(plan, "desk", latency="1ms")
    return simulation.run()


def bought(kind: str, **terms: Any) -> Any:
    return getattr(ms.agents, kind)(**{"quantity": 240, "horizon": f"{MINUTES}min", "slices": 48, **terms})


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("curve") / "curve.csv"
    history = [market(1_000 + day) for day in range(4)]
    ms.analysis.volume_curve(*history, every="10s").to_csv(path, index=False)
    return path


def test_the_curve_of_other_days_is_u_shaped(curve: Path) -> None:
    import pandas as pd

    share = pd.read_csv(curve)["share"].to_numpy()
    assert share[6:18].sum() < 0.1 < share[:6].sum()
    assert share.sum() == pytest.approx(1.0)


def test_vwap_trades_when_the_market_does(curve: Path) -> None:
    run = market(1, bought("Vwap", curve_file=str(curve), max_participation=None))
    orders = run.orders[run.orders["agent"] == "desk"]
    time = (orders["time"].to_numpy() - run.start) / (MINUTES * 60 * SECOND)
    middle = (time > 0.25) & (time < 0.74)
    assert orders["filled"].to_numpy()[middle].sum() < 0.1 * 240
    assert ms.analysis.executions(run)["filled"].tolist() == [240.0]


def test_the_papers_trajectory_on_the_exchange() -> None:
    """λ = 1e-6 with 48 s for a day, in lots of a thousand shares: 1000, 542.0, 289.9, 147.9, 62.1, 0 left."""
    slice_ = MINUTES * 60 / 5
    plan = ms.agents.AlmgrenChriss(
        side="sell", quantity=1_000, horizon=f"{MINUTES}min", slices=5, max_participation=None, risk_aversion=1e-6,
        volatility=0.95 / slice_**0.5, temporary_impact=2.5e-6 * slice_, permanent_impact=2.5e-7,
    )  # fmt: skip
    run = market(1, plan)
    orders = run.orders[run.orders["agent"] == "desk"]
    assert orders["filled"].tolist() == [458.0, 252.0, 142.0, 86.0, 62.0]
    left = ms.analysis.execution_holdings(run)["desk", 1]["left"].to_numpy()
    assert np.unique((1_000 * left).round()).tolist() == [0.0, 62.0, 148.0, 290.0, 542.0, 1000.0]


def test_participation_is_its_rate_of_the_market() -> None:
    plan = ms.agents.Participation(quantity=10_000, horizon=f"{MINUTES}min", rate=0.1, interval="500ms")
    (row,) = ms.analysis.executions(market(1, plan)).to_dict("records")
    assert 0.09 < row["participation"] <= 0.1
    assert row["state"] == "CANCELED"


def test_a_cap_keeps_a_fast_schedule_to_its_share_of_the_market() -> None:
    plan = bought("AlmgrenChriss", risk_aversion=1.0, max_participation=0.05, quantity=2_000)
    (row,) = ms.analysis.executions(market(1, plan)).to_dict("records")
    assert 0.04 < row["participation"] <= 0.05


@pytest.mark.statistical
def test_vwap_is_nearer_to_the_markets_price_than_twap(curve: Path) -> None:
    """The paired difference of squared slippages is below zero by three standard errors of its mean."""
    slippages = np.array(
        [
            [
                float(ms.analysis.executions(market(seed, plan))["vwap_bps"].iloc[0])
                for plan in (bought("Twap"), bought("Vwap", curve_file=str(curve), max_participation=None))
            ]
            for seed in range(runs(30, 400))
        ]
    )
    gained = slippages[:, 1] ** 2 - slippages[:, 0] ** 2
    error = gained.std(ddof=1) / np.sqrt(len(gained))
    twap, vwap = np.sqrt((slippages**2).mean(axis=0))
    print(f"slippage to the market's VWAP, rms of {len(gained)} days: TWAP {twap:.2f} bps, VWAP {vwap:.2f} bps;")
    print(f"paired difference of squares {gained.mean():.2f} ± {error:.2f} bps²")
    assert gained.mean() < -3.0 * error
