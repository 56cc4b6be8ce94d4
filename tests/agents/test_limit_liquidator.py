"""Liquidation with limit orders: where its order stands, and that all is sold in the end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import marketsim as ms
from marketsim.agents import LimitLiquidator, ReachingTaker
from marketsim.agents.glft import base_distance, liquidation_distances
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderFlag, Side
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket
from marketsim.trading.feed import RandomWalk
from tests.statistical import runs

ABC = Instrument("ABC")
TERMS: dict[str, Any] = {
    "quantity": 60, "unit": 10, "gamma": 0.5, "sigma": 0.02, "k": 40.0, "rate": 0.05, "penalty": 0.03,
    "horizon": "5min",
}  # fmt: skip


def seller(**changes: Any) -> tuple[LimitLiquidator, HandMarket]:
    me = LimitLiquidator(**{**TERMS, **changes})
    market = HandMarket(me, (ABC,))
    market.quote(9_950, 50, 10_050, 50)
    return me, market


def published(units: int, left: float = 300.0) -> float:
    return float(liquidation_distances(0.5, 0.02, 40.0, 0.05, left, 6, 0.03)[units - 1])


def test_a_seller_asks_for_the_optimal_distance_above_the_mid() -> None:
    _, market = seller()
    (order,) = market.orders
    assert (order.side, order.quantity, order.flags) == (Side.SELL, 10, OrderFlag.POST_ONLY)
    assert order.price == 10_000 + math.ceil(100 * published(6))


def test_a_buyer_is_its_mirror_image_and_drift_is_against_it_where_it_is_for_a_seller() -> None:
    _, market = seller(side="buy")
    (order,) = market.orders
    assert order.side is Side.BUY
    assert order.price == 10_000 - math.ceil(100 * published(6))
    waits, hurries = seller(drift=0.002)[0], seller(drift=0.002, side="buy")[0]
    plain = seller()[0].distance(6, 0.02, 40.0, 0.05, 300.0)
    assert waits.distance(6, 0.02, 40.0, 0.05, 300.0) > plain > hurries.distance(6, 0.02, 40.0, 0.05, 300.0)


def test_the_order_comes_down_with_time_and_up_with_fills() -> None:
    me, market = seller()
    (order,) = market.orders
    market.accept()
    market.fill(order)
    market.advance("1s")
    assert market.orders[0].price == 10_000 + math.ceil(100 * published(5, 299.0)) > order.price
    market.accept()
    market.clear()
    market.advance("200s")
    market.quote(9_951, 50, 10_049, 50)
    (request,) = market.asked(Kind.REPLACE)
    assert request.price == 10_000 + math.ceil(100 * me.distance(5, 0.02, 40.0, 0.05, me.until(300 * 10**9)))
    assert request.price < market.orders[0].price or request.price < order.price


@pytest.mark.parametrize("finish", ["take", "leave"])
def test_what_is_left_at_the_end_is_taken_once_it_is_certain(finish: Any) -> None:
    me, market = seller(finish=finish)
    (order,) = market.orders
    market.accept()
    market.fill(order, 4)
    market.advance("5min")
    assert len(market.asked(Kind.NEW)) == 1, "not before the order is known to be gone"
    market.fill(order, 2)
    market.cancel(order)
    rest = [o for o in market.orders if o.tag == "rest"]
    assert [o.quantity for o in rest] == ([54] if finish == "take" else [])
    assert me.remaining == 54
    if rest:
        market.accept(*rest)
        market.fill(*rest, 30)
        market.cancel(*rest)
        market.advance("2s")
        assert [o.quantity for o in market.orders] == [24], "what the book could not give is tried for again"
        market.accept()
        market.fill(*market.orders)
    market.quote(9_950, 50, 10_050, 50)
    market.advance("1min")
    assert len(market.asked(Kind.NEW)) == (3 if finish == "take" else 1)


def test_with_nothing_in_the_market_the_rest_is_taken_at_once() -> None:
    me = LimitLiquidator(**TERMS)
    market = HandMarket(me, (ABC,))
    market.advance("5min")
    assert [(r.side, r.quantity) for r in market.asked()] == [(-1, 60)]


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_where_nothing_is_worth_the_risk_it_stands_next_to_the_other_side(side: Any) -> None:
    _, market = seller(gamma=1e9, side=side)
    (order,) = market.orders
    assert order.price == (10_049 if side == "buy" else 9_951)


@pytest.mark.statistical
def test_on_the_exchange_it_earns_what_its_value_function_promises() -> None:
    """The certainty equivalent of the proceeds, what is left marked at S − b, against (1/k)·ln w_q(0), in units.

    (1/k)·ln w_q = Σ over the units of (δ(0, q) − (1/γ)·ln(1 + γ/k)). Within four standard errors (delta method); it
    looks at its order once a second, and a fill in twenty seconds is the most that there is, so that little is lost.
    """
    gamma, penalty, units = 10.0, 0.03, 6
    terms = {**TERMS, "gamma": gamma, "unit": 1, "quantity": units, "finish": "leave", "sigma": 0.001}
    count = runs(40, 400)
    sim = ms.Simulation(seed=3, duration="5min", latency="1us")
    instruments = [ms.Instrument(f"S{n}", reference_price="100", tick_size="0.0001") for n in range(count)]
    sim.add_venue("XSIM", instruments)
    for instrument in instruments:
        name = instrument.symbol
        sim.add_feed(f"mid-{name}", RandomWalk(volatility=0.001, step="1s"), instrument)
        seat: dict[str, Any] = {"instruments": [name], "feeds": [f"mid-{name}"]}
        sim.add_agent(LimitLiquidator(**terms, value_feed=f"mid-{name}", refresh="1s"), f"seller-{name}", **seat)
        sim.add_agent(ReachingTaker(rate="0.05/s", k=40.0, nearest=-0.05), f"takers-{name}", **seat)
    execution = sim.start()
    trades = execution.run().trades
    assert execution.world is not None
    last = np.array([feed.values[300] / 10_000 for feed in execution.world.feeds.values()])
    symbols = [name.removeprefix("mid-") for name in execution.world.feeds]
    sold = trades.groupby("instrument")["quantity"].sum().reindex(symbols, fill_value=0).to_numpy()
    paid = trades.groupby("instrument")["price"].sum().reindex(symbols, fill_value=0.0).to_numpy()
    gain = paid + (units - sold) * (last - penalty) - units * 100.0
    weights = np.exp(-gamma * gain)
    value, error = -math.log(weights.mean()) / gamma, weights.std() / weights.mean() / gamma / math.sqrt(count)
    distances = liquidation_distances(gamma, 0.001, 40.0, 0.05, 300.0, units, penalty)
    promised = float((distances - base_distance(gamma, 40.0)).sum())
    print(
        f"\nsold {sold.mean():.2f} of {units}, gain {gain.mean():.4f}, "
        f"worth {value:.4f} ± {error:.4f}, promised {promised:.4f}"
    )
    assert abs(value - promised) < 4 * error
    assert error < 0.25 * promised


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": -1}, "gamma: -1 must be at least 0"),
        ({"unit": 100}, "unit: 100 lots are more than quantity 60"),
        ({"unit": 1, "quantity": 500}, "unit: 500 lots in units of 1 are more than 200 orders"),
        ({"max_position": 50}, "quantity: quotes of 60 lots lead beyond max_position 50"),
        ({"penalty": -0.1}, "penalty: -0.1 must be at least 0"),
        ({"side": "both"}, "side: 'both' is not one of the choices"),
        ({"finish": "give up"}, "finish: 'give up' is not one of the choices"),
        ({"horizon": "0s"}, "horizon: 0s must be above zero"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        LimitLiquidator(**{**TERMS, **changes})
    assert str(caught.value).startswith(message)
