"""Chartists, fundamentalists and noise: expectations and demand by hand, budgets, and what chartists do to returns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from probe import Probe

import marketsim as ms
from marketsim.agents.chartist_fundamentalist import ChartistFundamentalist, demand
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.errors import InvalidValueError
from tests.statistical import runs

SECOND = 1_000_000_000
TICKS = Instrument("ABC", tick_size="1", reference_price="1000")


def probe(**terms: Any) -> Probe:
    made = Probe(ChartistFundamentalist(**{"step": "1s", **terms}), instrument=TICKS)
    made.see(Kind.START, 0)
    made["stock"] = 0
    return made


def order(made: Probe, now: int, cash: int = 100_000) -> tuple[int, int, int] | None:
    for order_id in list(made.open):
        made.report(EventKind.CANCELED, order_id, made.open[order_id][2])
    actions = made.see(Kind.WAKE, now, cash=cash)
    new = [action for action in actions if action.kind == Kind.NEW]
    return (new[0].side, new[0].price, new[0].quantity) if new else None


def test_weights_are_exponential_and_the_horizon_goes_with_them() -> None:
    drawn = []
    for seed in range(400):
        made = Probe(ChartistFundamentalist(fundamental=4, chartist=2, random=0.5, horizon=20, aversion=0.1), seed=seed,
                     instrument=TICKS)  # fmt: skip
        made.see(Kind.START, 0)
        drawn.append((made["value_weight"], made["trend_weight"], made["noise_weight"], made["own_stock"]))
        patience = (1 + made["value_weight"]) / (1 + made["trend_weight"])
        assert made["own_aversion"] == pytest.approx(0.1 * patience)
        assert made["own_horizon"] == min(max(int(20 * patience), 1), 1023)
    means = np.mean(drawn, axis=0)
    assert means == pytest.approx((4, 2, 0.5, 50), rel=4 / math.sqrt(400))


def test_a_fundamentalist_expects_the_value_by_hand() -> None:
    """Price 1000, value 1100, τf = 100 steps, horizon 50: p' = 1000·1.1^0.5 = 1048.8."""
    made = probe(fundamental=1e9, chartist=0, random=0, reversion=100)
    made.value, made["own_horizon"], made["own_stock"], made["own_aversion"] = 1100.0, 50, 0, 1e-5
    found = [made_order[1] for now in range(1, 300) if (made_order := order(made, now))]
    assert max(found) == math.floor(1000 * math.sqrt(1.1))
    assert min(found) > 900


def test_a_chartist_follows_the_trend_by_hand() -> None:
    """10 ticks a second up for three seconds; horizon 3: p' = 1030·(1030/1000) = 1060.9."""
    made = probe(fundamental=0, chartist=1e9, random=0)
    for second, price in enumerate((1010, 1020, 1030)):
        made.see(Kind.TRADE_PRINT, second * SECOND + SECOND // 2, price=price, side=1, quantity=1)
    made["own_horizon"], made["own_stock"], made["own_aversion"] = 3, 0, 1e-5
    found = [made_order[1] for now in range(300) if (made_order := order(made, 3 * SECOND + now))]
    assert max(found) in (1059, 1060)


def test_steps_without_trades_keep_the_last_price() -> None:
    made = probe(fundamental=1)
    made.see(Kind.TRADE_PRINT, 2 * SECOND + 1, price=1100, side=1, quantity=1)
    made.see(Kind.TRADE_PRINT, 5 * SECOND + 1, price=900, side=1, quantity=1)
    order(made, 7 * SECOND)
    known = np.exp(made["prices"][: made["steps"]])
    assert known == pytest.approx([1000, 1000, 1000, 1100, 1100, 1100, 900, 900])
    order(made, 5000 * SECOND)
    assert made["steps"] == 5001, "more steps than are remembered"


def test_demand_falls_to_nothing_at_the_expected_price() -> None:
    made = probe()
    me = made._me.rows[0]
    made["own_aversion"] = 0.1
    assert demand(me, math.log(1100), 1e-4, 1000.0) == pytest.approx(math.log(1.1) / (0.1 * 1e-4 * 1000))
    assert demand(me, math.log(1100), 1e-4, 1100.0) == pytest.approx(0.0, abs=1e-9)


def test_no_order_costs_more_than_the_cash_or_sells_more_than_is_held() -> None:
    sides = set()
    for seed in range(60):
        made = Probe(ChartistFundamentalist(stock=20, noise=1e-3, random=5), seed=seed, instrument=TICKS)
        made.see(Kind.START, 0)
        for now in range(1, 20):
            found = order(made, now * SECOND, cash=5_000)
            if found is not None:
                side, price, quantity = found
                sides.add(side)
                assert quantity * price <= 5_000 + price if side > 0 else quantity <= made["own_stock"]
    assert sides == {1, -1}


def test_an_order_has_one_life_and_one_place() -> None:
    made = probe(life="10s", fundamental=1e9, reversion=10)
    made.value, made["own_stock"], made["own_aversion"] = 1500.0, 0, 1e-5
    actions = made.see(Kind.WAKE, 5, cash=100_000)
    (new, timer) = actions
    assert (new.kind, timer.kind, timer.price, timer.tag) == (Kind.NEW, Kind.TIMER, 5 + 10 * SECOND, new.order_id)
    (cancel,) = made.see(Kind.WAKE, 6, cash=100_000)
    assert (cancel.kind, cancel.order_id) == (Kind.CANCEL, new.order_id), "the new one waits for the old one"
    made.report(EventKind.CANCELED, new.order_id, new.quantity)
    assert made.see(Kind.TIMER, 5 + 10 * SECOND, tag=new.order_id) == [], "over long ago"


def market(seed: int, chartist: float) -> Any:
    simulation = ms.Simulation(seed=seed, duration="3h", warm_up="30min", latency="0s")
    simulation.add_venue("X", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")])
    simulation.add_agents(ChartistFundamentalist(chartist=chartist), 100, "trader", cash=10_000)
    return simulation.run()


@pytest.mark.statistical
def test_chartists_make_tails_fat_and_volatility_cluster() -> None:
    """The same market with and without the trend in expectations, by seed; returns of the mid over ten seconds.

    Published (Chiarella, Iori and Perelló 2009, and the literature that they stand in): with chartists large price
    changes are more frequent and volatility clusters. So the excess kurtosis and the autocorrelation of absolute
    returns must be higher, and the tail index lower, by three standard errors of the paired differences.
    """
    found = []
    for seed in range(runs(6, 100)):
        row = []
        for chartist in (1.4, 0.0):
            returns = ms.analysis.mid_returns(market(seed, chartist), "10s")
            row.append(
                (
                    ms.analysis.excess_kurtosis(returns),
                    -ms.analysis.hill_tail_index(returns).index,
                    float(ms.analysis.autocorrelation(np.abs(returns), 1)["autocorrelation"].iloc[0]),
                )
            )
        found.append(row)
    values = np.array(found)
    difference = values[:, 0] - values[:, 1]
    error = difference.std(axis=0, ddof=1) / math.sqrt(len(difference))
    for name, column in (("excess kurtosis", 0), ("minus tail index", 1), ("autocorrelation of |r|", 2)):
        with_, without = values[:, :, column].mean(axis=0)
        print(f"{name}: {with_:.3f} with chartists, {without:.3f} without; difference ± {error[column]:.3f}")
    assert (difference.mean(axis=0) > 3 * error).all()


def test_the_market_stays_near_the_value_and_nobody_goes_short() -> None:
    simulation = ms.Simulation(seed=4, duration="20min", latency="10ms")
    simulation.add_venue("X", [ms.Instrument("ABC", tick_size="0.01", reference_price="100")])
    simulation.add_agents(ChartistFundamentalist(), 60, "trader", cash=10_000)
    run = simulation.run()
    assert len(run.trades) > 200
    late = run.trades[run.trades["time"] > 600 * SECOND]
    assert late["price"].between(80, 120).all(), "once the book has filled"
    assert (ms.analysis.accounts(run).table["cash"] > -1).all()


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"fundamental": 0, "chartist": 0, "random": 0}, "random: no weight is above zero, so it would expect nothing"),
        ({"noise": 0}, "noise: 0 must be above 0"),
        ({"horizon": 1024}, "horizon: 1024 must be from 1 to 1023"),
        ({"aversion": -1}, "aversion: -1 must be above 0"),
        ({"step": "0s"}, "step: 0s must be above zero"),
    ],
)
def test_bad_parameters_are_named_with_rule_and_repair(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        ChartistFundamentalist(**terms)
    assert str(caught.value).startswith(message)
