"""Measures of double auctions, worked by hand: efficiency, alpha, dispersion, units and periods."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import marketsim as ms
from marketsim.agents.assignment import schedule_of
from marketsim.analysis.double_auctions import DoubleAuction, double_auction, outcome, profit_dispersion, smiths_alpha
from marketsim.domain.supply_and_demand import Schedule
from marketsim.errors import InvalidValueError

# Equilibrium: 10 and 8 against 3 and 6, from 6 to 8; price 7, surplus 9.
BOOKS = ({"b.0": (10.0, 5.0), "b.1": (8.0,)}, {"s.0": (3.0, 9.0), "s.1": (6.0,)})


def table(*trades: tuple[int, float, str, str]) -> pd.DataFrame:
    """Time, price, aggressor, maker; names begin with b or s."""
    return pd.DataFrame(
        [
            {"time": t, "price": p, "quantity": 1.0, "side": 1 if taker < "c" else -1, "taker": taker, "maker": maker}
            for t, p, taker, maker in trades
        ],
        columns=["time", "price", "quantity", "side", "taker", "maker"],
    )  # fmt: skip


def measured(*trades: tuple[int, float, str, str], period: int = 0, end: int = 100, **terms: Any) -> DoubleAuction:
    return outcome(table(*trades), Schedule(*BOOKS, period=period, **terms), 0, end)


def test_alpha_by_hand() -> None:
    """Deviations 2 and -1 from 10: sqrt(5/2) = 1.58 of 10."""
    assert smiths_alpha([12, 9], 10) == pytest.approx(100 * math.sqrt(2.5) / 10)
    assert math.isnan(smiths_alpha([], 10))
    with pytest.raises(InvalidValueError, match="equilibrium=0 must be above zero"):
        smiths_alpha([1], 0)


def test_dispersion_by_hand() -> None:
    assert profit_dispersion([3, 0], [0, 4]) == pytest.approx(math.sqrt(12.5))
    with pytest.raises(InvalidValueError, match="give one of each a trader"):
        profit_dispersion([1], [1, 2])


def test_one_period_by_hand() -> None:
    """b.0 buys from s.1 at 8, then, its unit of 5, from s.0 at 4: gains 2 + 2 and 1 + 1, 6 of 9."""
    found = measured((1, 8.0, "b.0", "s.1"), (2, 4.0, "s.0", "b.0"))
    row = found.table.loc[0]
    assert found.profits[0].to_dict() == {"b.0": 3, "b.1": 0, "s.0": 1, "s.1": 2}
    assert row["efficiency"] == found.efficiency == pytest.approx(6 / 9)
    assert (row["trades"], row["volume"], row["mean_price"]) == (2, 2, 6)
    assert row["alpha"] == found.alpha == pytest.approx(100 * math.sqrt((1 + 9) / 2) / 7)
    expected = {"b.0": 3.0, "b.1": 1.0, "s.0": 4.0, "s.1": 1.0}
    assert row["dispersion"] == found.dispersion == pytest.approx(math.sqrt((0 + 1 + 9 + 1) / 4))
    families = found.families()
    assert families.loc["s", "profit"] == 1.5
    assert families.loc["s", "equilibrium_profit"] == (expected["s.0"] + expected["s.1"]) / 2
    assert families.loc["b", "ratio"] == pytest.approx(1.5 / 2)
    assert families["traders"].tolist() == [2, 2]


def test_units_begin_anew_with_each_period_and_half_periods_are_left_out() -> None:
    trades = ((5, 7.0, "b.0", "s.0"), (15, 7.0, "b.0", "s.0"), (16, 7.0, "b.1", "s.1"), (21, 1.0, "b.0", "s.0"))
    found = measured(*trades, period=10, end=25)
    assert found.table["trades"].tolist() == [1, 2]
    assert found.table["efficiency"].tolist() == pytest.approx([7 / 9, 1.0])
    assert found.efficiency == pytest.approx(8 / 9)
    warm = outcome(table(*trades), Schedule(*BOOKS, period=10), 1, 25)
    assert warm.table["trades"].tolist() == [2], "the first period had begun before it was measured"
    with pytest.raises(InvalidValueError, match="no whole period is measured"):
        measured(*trades, period=30, end=25)


def test_units_that_come_one_by_one_are_known_by_the_time() -> None:
    """Of 10 ns, two units: b.0 has 10 until 5 ns and then 5; s.1, the second of two, gets its only one after 5 ns."""
    found = measured((2, 7.0, "b.0", "s.0"), (7, 7.0, "b.0", "s.1"), period=10, one_by_one=True)
    assert found.profits[0].to_dict() == {"b.0": 3 - 2, "b.1": 0, "s.0": 4, "s.1": 1}


def test_a_trade_over_several_units_counts_their_mean() -> None:
    trades = table((1, 7.0, "b.0", "s.0"))
    trades["quantity"] = 3.0
    found = outcome(trades, Schedule({"b.0": (10.0, 8.0)}, {"s.0": (1.0, 2.0)}, quantity=2.0), 0, 10)
    assert found.profits[0].to_dict() == pytest.approx({"b.0": 2 * 3 + 1, "s.0": 2 * 6 + 5})


def test_nothing_traded() -> None:
    found = measured()
    assert found.efficiency == 0.0
    assert math.isnan(found.alpha)


def test_strangers_have_no_units() -> None:
    with pytest.raises(InvalidValueError, match=r"x\.0 traded as a seller and has no units to; give it some"):
        measured((1, 7.0, "b.0", "x.0"))


def test_a_run_is_measured_with_the_schedule_of_its_scenario() -> None:
    simulation = ms.Simulation(seed=3, duration="30s", latency="0s")
    simulation.add_venue("X", [ms.Instrument("ABC", tick_size="1", lot_size="10", reference_price="100")])
    terms: dict[str, Any] = {"period": "10s", "rate": 5, "dealt": True, "steps": 6}
    simulation.add_agents(ms.agents.ZeroIntelligence(side="buy", values=(150, 50), **terms), 3, "buyer")
    simulation.add_agents(ms.agents.ZeroIntelligence(side="sell", values=(50, 150), **terms), 3, "seller")
    simulation.add_agent(ms.agents.Noise(rate=1e-6), "idle")
    run = simulation.run()
    schedule = schedule_of(run)
    assert schedule.values["buyer.1"] == (130, 70)
    assert (schedule.quantity, schedule.period) == (10.0, 10_000_000_000)
    assert schedule == schedule_of(simulation)
    found = double_auction(run, schedule)
    trades = run.trades
    cash = {name: 0.0 for name, _ in schedule.traders()}
    for trade in trades.itertuples():
        buyer, seller = (trade.taker, trade.maker) if trade.side > 0 else (trade.maker, trade.taker)
        cash[buyer] -= trade.price * trade.quantity
        cash[seller] += trade.price * trade.quantity
    paid = found.profits.sum(axis=1)
    assert len(found.table) == 3
    assert found.table["efficiency"].between(0.3, 1.0).all()
    for name, units in schedule.values.items():
        counts = [int(((found.trades["buyer"] == name) & (found.trades["period"] == p)).sum()) for p in range(3)]
        assert paid[name] == pytest.approx(10 * sum(sum(units[:n]) for n in counts) + cash[name])
    assert np.all(found.profits.to_numpy() >= 0.0)


def test_traders_who_differ_in_their_periods_have_no_common_schedule() -> None:
    simulation = ms.Simulation()
    simulation.add_venue("X", [ms.Instrument("ABC")])
    simulation.add_agent(ms.agents.Giveaway(side="buy", values=(100,), period="1s"), "a")
    simulation.add_agent(ms.agents.Giveaway(side="sell", values=(90,), period="2s"), "b")
    with pytest.raises(InvalidValueError, match="differ between the agents that trade ABC"):
        schedule_of(simulation)


@pytest.mark.parametrize("width", [8.0, 4.0])
@pytest.mark.parametrize("trades", [0, 3])
def test_the_figure_shows_all_trades_and_both_schedules(width: float, trades: int) -> None:
    told = ((1, 7.0, "b.0", "s.0"), (2, 6.5, "b.1", "s.1"), (12, 7.5, "b.0", "s.0"))
    found = measured(*told[:trades], period=10, end=20)
    figure = ms.analysis.double_auction_figure(found, width=width)
    curves, prices, alphas = figure.axes
    assert [line.get_label() for line in curves.get_lines()] == ["demand", "supply", "equilibrium"]
    points = next(line for line in prices.get_lines() if line.get_marker() == ".")
    assert points.get_ydata().tolist() == [7.0, 6.5, 7.5][:trades]
    assert points.get_xdata().tolist() == [0.25, 0.75, 1.5][:trades]
    assert len(alphas.patches) == 2
    figure.canvas.draw()


def test_units_that_drip_are_known_to_agents_and_measures_alike() -> None:
    """Giveaways shout their limits: with the wrong unit somebody would be measured to trade at a loss."""
    simulation = ms.Simulation(seed=5, duration="40s", latency="0s")
    simulation.add_venue("X", [ms.Instrument("ABC", tick_size="1", reference_price="100")])
    terms: dict[str, Any] = {"period": "20s", "replenish": "drip", "rate": 20}
    simulation.add_agents(ms.agents.Giveaway(side="buy", values=(150, 90, 120), **terms), 4, "buyer")
    simulation.add_agents(ms.agents.Giveaway(side="sell", values=(60, 110, 80, 70), **terms), 3, "seller")
    run = simulation.run()
    schedule = schedule_of(run)
    assert schedule.one_by_one
    found = double_auction(run, schedule)
    assert len(found.trades) > 15
    assert (found.profits.to_numpy() >= 0).all()
    assert 0.5 < found.efficiency <= 1.0
