"""Avellaneda and Stoikov's market maker: the formulas, the exchange around them, and the paper's own table."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from marketsim.agents import AvellanedaStoikov
from marketsim.agents.avellaneda_stoikov import reservation_price, total_spread
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket

ABC = Instrument("ABC")


# --- formulas ---


def test_formulas_by_hand() -> None:
    assert reservation_price(100.0, 3, 0.1, 2.0, 0.5) == pytest.approx(100 - 3 * 0.1 * 4 * 0.5)
    assert total_spread(0.1, 2.0, 1.5, 0.5) == pytest.approx(0.1 * 4 * 0.5 + 20 * math.log(1 + 0.1 / 1.5))


def test_without_risk_aversion_the_spread_is_the_limit() -> None:
    assert total_spread(0.0, 2.0, 1.5, 0.5) == pytest.approx(2 / 1.5)
    assert total_spread(1e-9, 2.0, 1.5, 0.5) == pytest.approx(2 / 1.5, rel=1e-6)


# --- on the exchange ---


def maker(**changes: Any) -> tuple[AvellanedaStoikov, HandMarket]:
    me = AvellanedaStoikov(**{"gamma": 0.1, "sigma": 0.02, "k": 40.0, "quantity": 10, "max_position": 100, **changes})
    return me, HandMarket(me, (ABC,))


def shown(market: HandMarket) -> dict[Side, int]:
    return {order.side: order.price for order in market.orders}


def test_quotes_lie_at_the_formulas_prices_rounded_outwards() -> None:
    _, market = maker()
    market.quote(9_980, 50, 10_020, 50)
    half = total_spread(0.1, 0.02, 40.0, 60.0) / 2
    assert shown(market) == {Side.BUY: math.floor((100 - half) * 100), Side.SELL: math.ceil((100 + half) * 100)}


def test_inventory_counts_in_quotes_not_in_lots() -> None:
    shifts = []
    for lot in (10, 1_000):
        me, market = maker(quantity=lot, max_position=100 * lot, gamma=1.0)
        order = me.buy(ABC, 2 * lot)
        market.accept(order)
        market.fill(order, 2 * lot, 10_000)
        market.advance("1s")
        market.quote(9_980, 50, 10_020, 50)
        shifts.append(shown(market))
    assert shifts[0] == shifts[1]
    centre = 100 - 2 * 1.0 * 0.02**2 * 60
    half = total_spread(1.0, 0.02, 40.0, 60.0) / 2
    assert shifts[0][Side.BUY] == math.floor((centre - half) * 100)


def test_a_rolling_horizon_stays_and_a_finite_one_runs_out() -> None:
    rolling, market = maker()
    market.advance("40s")
    assert rolling.left() == 60.0
    finite, market = maker(horizon_type="finite", gamma=1.0)
    market.quote(9_980, 50, 10_020, 50)
    market.accept()
    market.advance("40s")
    assert finite.left() == pytest.approx(20.0, abs=1e-6)
    assert len(market.orders) == 2
    market.advance("21s")
    assert finite.left() == 0.0
    assert all(order.state.name == "PENDING_CANCEL" for order in market.orders), "withdrawn at the end"


def test_volatility_is_measured_where_it_is_not_given() -> None:
    me, market = maker(sigma=None)
    desk = me.desks["ABC"]
    assert me.volatility(desk) == pytest.approx(0.01), "a tick per √second before anything is known"
    generator = np.random.default_rng(5)
    price = 10_000
    for _ in range(600):
        price += int(generator.choice((-3, 3)))
        market.quote(price - 10, 50, price + 10, 50)
        market.advance("1s")
    assert me.volatility(desk) == pytest.approx(0.03, rel=0.05)


def test_the_reach_of_trades_gives_k_where_it_is_not_given() -> None:
    me, market = maker(k=None)
    desk = me.desks["ABC"]
    assert me.decay(desk) == pytest.approx(100.0), "one tick before anything is known"
    market.quote(9_980, 50, 10_020, 50)
    generator = np.random.default_rng(5)
    for _ in range(3_000):
        reach = generator.exponential(5.0)
        market.trade(10_000 + round(reach * generator.choice((-1, 1))), 1, Side.BUY)
        market.advance("10ms")
    assert me.decay(desk) == pytest.approx(1 / 0.05, rel=0.06)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": -0.1}, "gamma: -0.1 must be at least 0"),
        ({"k": 0.0}, "k: 0.0 must be above 0"),
        ({"horizon_type": "roling"}, "horizon_type: 'roling' is not one of the choices; did you mean \"rolling\""),
        ({"horizon": 0}, "horizon: 0s must be above zero"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        AvellanedaStoikov(**changes)


# --- the paper's table ---


class Row(NamedTuple):
    spread: float
    profit: float
    profit_deviation: float
    inventory: float
    inventory_deviation: float


INVENTORY = {
    0.1: Row(1.49, 65.0, 6.6, 0.08, 2.9),
    0.01: Row(1.35, 68.6, 8.7, 0.12, 5.1),
    1.0: Row(3.02, 31.4, 5.0, 0.02, 1.7),
}
SYMMETRIC = {
    0.1: Row(1.49, 68.4, 12.7, 0.26, 8.4),
    0.01: Row(1.35, 68.8, 12.8, 0.09, 8.7),
    1.0: Row(3.02, 44.0, 11.0, 0.00, 5.1),
}
REPLICATION = {  # profit and its deviation over 20,000 paths, inventory then symmetric
    0.1: (64.91, 6.54, 68.27, 13.56),
    0.01: (68.46, 9.04, 68.73, 13.57),
    1.0: (31.51, 4.85, 43.98, 10.79),
}
PATHS = 20_000


def play(gamma: float, inventory: bool) -> Row:
    """The paper's own market: s=100, T=1, σ=2, dt=0.005, k=1.5, A=140, steps of ±σ√dt, at most one fill a side.

    The symmetric strategy quotes around the mid, at all times with the inventory strategy's mean spread.
    """
    sigma, k, rate, step = 2.0, 1.5, 140.0, 0.005
    agent = AvellanedaStoikov(gamma=gamma, sigma=sigma, k=k)
    generator = np.random.default_rng(2008)
    mid, held, cash = np.full(PATHS, 100.0), np.zeros(PATHS), np.zeros(PATHS)
    spreads = []
    even = 0.5 * total_spread(gamma, sigma, k, 0.5)
    for number in range(200):
        left = 1.0 - number * step
        bid, ask = agent.quotes(mid, held, sigma, k, left)  # type: ignore[arg-type]
        if not inventory:
            bid, ask = mid - even, mid + even
        spreads.append(float(np.mean(ask - bid)))
        bought = generator.random(PATHS) < rate * np.exp(-k * (mid - bid)) * step
        sold = generator.random(PATHS) < rate * np.exp(-k * (ask - mid)) * step
        held += bought
        held -= sold
        cash += np.where(sold, ask, 0.0) - np.where(bought, bid, 0.0)
        mid = mid + sigma * math.sqrt(step) * generator.choice((-1.0, 1.0), PATHS)
    profit = cash + held * mid
    return Row(
        float(np.mean(spreads)), float(profit.mean()), float(profit.std()), float(held.mean()), float(held.std())
    )


@pytest.mark.statistical
@pytest.mark.parametrize("gamma", [0.1, 0.01, 1.0])
@pytest.mark.parametrize("inventory", [True, False])
def test_the_papers_table(gamma: float, inventory: bool) -> None:
    """Each number within four standard errors of the paper's 1,000 paths and half of its last printed digit.

    The mean spread is over steps that begin at T − t = 1 and end at dt, so it lies γσ²·dt/2 above the mean over time.
    The paper's symmetric deviations of profit for γ = 0.1 and 0.01 lie three standard errors below every replication;
    for them six are allowed. Against the replication with 20,000 paths, four standard errors of the difference.
    """
    found, paper = play(gamma, inventory), (INVENTORY if inventory else SYMMETRIC)[gamma]
    assert found.spread == pytest.approx(paper.spread, abs=0.005 + 0.5 * gamma * 4.0 * 0.005)
    errors = 6 if not inventory and gamma < 1.0 else 4
    deviation, held = found.profit_deviation, found.inventory_deviation
    assert found.profit == pytest.approx(paper.profit, abs=0.05 + 4 * deviation / math.sqrt(1_000))
    assert deviation == pytest.approx(paper.profit_deviation, abs=0.05 + errors * deviation / math.sqrt(2_000))
    assert found.inventory == pytest.approx(paper.inventory, abs=0.005 + 4 * held / math.sqrt(1_000))
    assert held == pytest.approx(paper.inventory_deviation, abs=0.05 + 4 * held / math.sqrt(2_000))
    profit, spread = REPLICATION[gamma][:2] if inventory else REPLICATION[gamma][2:]
    assert found.profit == pytest.approx(profit, abs=0.005 + 4 * deviation * math.sqrt(2 / PATHS))
    assert deviation == pytest.approx(spread, abs=0.005 + 4 * deviation / math.sqrt(PATHS))


def test_the_horizon_is_in_nanoseconds_inside() -> None:
    assert AvellanedaStoikov(horizon="1min").horizon == 60 * SECOND
