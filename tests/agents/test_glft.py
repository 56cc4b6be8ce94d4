"""Guéant, Lehalle and Fernandez-Tapia: the published numbers, the limits of the solutions, and the market maker."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from marketsim.agents.glft import (
    Glft,
    asymptotic_distances,
    base_distance,
    exact_distances,
    exact_table,
    liquidation_distances,
    liquidation_table,
    pressure,
)
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket

ABC = Instrument("ABC")
MARKET = {"gamma": 0.01, "sigma": 0.3, "k": 0.3, "rate": 0.9}  # of arXiv 1105.3115

# --- published ---


@pytest.mark.parametrize(
    ("changes", "published"),
    [
        ({}, "10.6095 7.8737 6.1299 4.8082 3.728 2.8073"),
        ({"sigma": 0.6}, "9.6493 6.0262 3.6874 1.9455 .55671 -.59773"),
        ({"k": 0.2}, "15.8107 11.9076 9.4656 7.6334 6.1436 4.8761"),
        ({"gamma": 0.1}, "9.84 6.7461 4.7262 3.189 1.9384 .88139"),
    ],
)
def test_the_published_tables_of_optimal_liquidation(changes: dict[str, float], published: str) -> None:
    """Fernandez-Tapia's thesis, tables 3.1 to 3.7: T=300, μ=0, σ=0.3, A=0.1, k=0.3, γ=0.05, b=3, one parameter changed.

    Half of the last printed digit is allowed. The last row is handed on with γ = 0.5; all its six numbers are those of
    γ = 0.1, and with γ = 0.5 the first would be 5.3103.
    """
    terms = {"gamma": 0.05, "sigma": 0.3, "k": 0.3, "rate": 0.1, **changes}
    found = liquidation_distances(**terms, left=300.0, units=6, penalty=3.0)
    print(*(f"{ours:.4f} (published {told})" for ours, told in zip(found, published.split(), strict=True)))
    for ours, told in zip(found, published.split(), strict=True):
        half = 0.5 * 10.0 ** -(len(told.partition(".")[2]))
        assert ours == pytest.approx(float(told), abs=max(half, 5e-5) * 1.001)


def test_the_published_spread_of_market_making() -> None:
    """6.626 is δᵇ + δᵃ at q = 0 of the closed form: (2/γ)·ln(1 + γ/k) and the width; the exact one rounds to it too."""
    closed = sum(asymptotic_distances(0, **MARKET))
    assert closed == pytest.approx(6.626, abs=5e-4)
    exact = exact_distances(**MARKET, left=600.0, most=30)
    assert exact.bid[30] + exact.ask[30] == pytest.approx(6.626, abs=5e-4)


# --- by hand, and against another way of solving ---


def test_the_parts_by_hand() -> None:
    assert base_distance(2.0, 1.0) == pytest.approx(0.5 * math.log(3))
    assert pressure(1.0, 1.0, 8.0) == pytest.approx(8 / 2**2)
    width = math.sqrt(0.3**2 * 0.01 / (2 * 0.3 * 0.9) * (1 + 0.01 / 0.3) ** 31)
    bid, ask = asymptotic_distances(3, **MARKET)
    assert bid == pytest.approx(100 * math.log(1 + 0.01 / 0.3) + 3.5 * width)
    assert ask == pytest.approx(100 * math.log(1 + 0.01 / 0.3) - 2.5 * width)


def test_impact_and_drift_by_hand() -> None:
    plain, moved = asymptotic_distances(0, **MARKET), asymptotic_distances(0, **MARKET, impact=0.4)
    width = plain[0] - base_distance(0.01, 0.3)
    assert moved[0] == pytest.approx(base_distance(0.01, 0.3) + 0.2 + width * math.exp(0.3 * 0.4 / 4))
    bid, ask = asymptotic_distances(0, **MARKET, drift=0.0009)
    assert bid == pytest.approx(plain[0] - 2 * width), "a drift of γσ² is worth an inventory of one"
    assert ask == pytest.approx(plain[1] + 2 * width)


@pytest.mark.parametrize("impact", [0.0, 0.5])
@pytest.mark.parametrize("drift", [0.0, 0.01])
def test_the_exact_solution_is_that_of_the_matrix_exponential(drift: float, impact: float) -> None:
    gamma, sigma, k, rate, left, most = 0.1, 0.4, 0.7, 0.5, 20.0, 4
    held = np.arange(-most, most + 1)
    eta = rate * (1 + gamma / k) ** (-(1 + k / gamma)) * math.exp(-k * impact / 2)
    matrix = np.diag(0.5 * k * gamma * sigma**2 * held**2 - k * drift * held)
    matrix = matrix - eta * (np.eye(9, k=1) + np.eye(9, k=-1))
    value = expm(-matrix * left) @ np.exp(-0.5 * k * impact * held**2)
    base = math.log(1 + gamma / k) / gamma + impact / 2
    found = exact_distances(gamma, sigma, k, rate, left, most, drift, impact)
    assert found.bid[:-1] == pytest.approx(np.log(value[:-1] / value[1:]) / k + base, rel=1e-9)
    assert found.ask[1:] == pytest.approx(np.log(value[1:] / value[:-1]) / k + base, rel=1e-9)
    assert found.bid[-1] == found.ask[0] == math.inf


def test_tables_pass_through_the_solutions_of_shorter_horizons() -> None:
    table = exact_table(0.1, 0.4, 0.7, 0.5, 20.0, 4, 0.0, 0.0, 10)
    assert len(table) == 11
    for place in (1, 5, 10):
        assert table[place].bid[:-1] == pytest.approx(
            exact_distances(0.1, 0.4, 0.7, 0.5, 2.0 * place, 4).bid[:-1], rel=1e-10
        )
    assert table[0].bid[:-1] == pytest.approx(base_distance(0.1, 0.7)), "at the end inventory is worth its price"
    sales = liquidation_table(0.05, 0.3, 0.3, 0.1, 300.0, 6, 3.0, 0.0, 4)
    assert sales[0] == pytest.approx(base_distance(0.05, 0.3) - 3.0), "at the end a lot is worth the penalty less"
    assert sales[2] == pytest.approx(liquidation_distances(0.05, 0.3, 0.3, 0.1, 150.0, 6, 3.0), rel=1e-10)


# --- limits ---


def test_far_from_the_end_the_exact_solution_stands_still_near_the_closed_form() -> None:
    ends = [exact_distances(**MARKET, left=left, most=30) for left in (6.0, 60.0, 600.0, 6_000.0, 60_000.0)]
    middles = [end.bid[20:41] for end in ends]
    changes = [np.abs(later - earlier).max() for earlier, later in itertools.pairwise(middles)]
    assert changes == sorted(changes, reverse=True)
    assert changes[-1] < 1e-9 < 0.1 < changes[0]
    closed = np.array([asymptotic_distances(q, **MARKET)[0] for q in range(-10, 11)])
    off = [np.abs(middle - closed).max() for middle in middles]
    assert off[0] > off[1] > 100 * off[2]
    assert off[2:] == pytest.approx([0.0015] * 3, abs=1e-4), "what the closed form leaves out, a fiftieth of its width"


def test_a_wider_limit_on_inventory_does_not_matter_near_its_middle() -> None:
    narrow, wide = (exact_distances(**MARKET, left=60_000.0, most=most) for most in (20, 60))
    assert narrow.bid[15:25] == pytest.approx(wide.bid[55:65], abs=5e-4)


@pytest.mark.parametrize("solution", ["asymptotic", "exact"])
def test_without_risk_aversion_both_quotes_go_to_one_over_k(solution: str) -> None:
    for gamma, tolerance in ((0.0, 1e-12), (1e-7, 1e-3)):
        if solution == "asymptotic":
            bid, ask = asymptotic_distances(2, gamma, 0.3, 0.3, 0.9)
        else:
            found = exact_distances(gamma, 0.3, 0.3, 0.9, 10.0, 40)
            bid, ask = found.bid[42], found.ask[42]
        assert (bid, ask) == pytest.approx((1 / 0.3, 1 / 0.3), rel=tolerance)
    assert pressure(0.0, 0.3, 0.9) == pytest.approx(0.9 / math.e)
    assert pressure(1e-9, 0.3, 0.9) == pytest.approx(0.9 / math.e, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    gamma=st.floats(0.0, 3.0),
    sigma=st.floats(0.0, 3.0),
    k=st.floats(0.1, 20.0),
    rate=st.floats(0.01, 200.0),
    left=st.floats(0.0, 100.0),
    most=st.integers(1, 12),
    impact=st.floats(0.0, 0.5),
)
def test_without_drift_both_sides_are_alike_and_inventory_pushes_the_quotes_down(
    gamma: float, sigma: float, k: float, rate: float, left: float, most: int, impact: float
) -> None:
    if 0.5 * k * gamma * (sigma * most) ** 2 * left > 1.2e6:
        with pytest.raises(InvalidValueError, match="cannot be solved"):
            exact_distances(gamma, sigma, k, rate, left, most, 0.0, impact)
        return
    found = exact_distances(gamma, sigma, k, rate, left, most, 0.0, impact)
    assert np.isfinite(found.bid[:-1]).all()
    scale = 1e-8 * (1.0 + np.abs(found.bid[:-1]).max())
    assert found.bid[:-1] == pytest.approx(found.ask[:0:-1], abs=scale)
    assert (np.diff(found.bid[:-1]) > -scale).all(), "the more is held, the less is bid"


def test_small_components_keep_their_digits() -> None:
    """Where risk is worth much more than fills, v falls by e^(−40) from q to q + 1; the outermost ratio is η/(αq²)."""
    found = exact_distances(5.0, 3.0, 2.0, 0.01, 50.0, 10)
    alpha, eta = 0.5 * 2.0 * 5.0 * 9.0, pressure(5.0, 2.0, 0.01)
    told = base_distance(5.0, 2.0) + math.log(alpha * (100 - 0) / eta) / 2.0
    assert found.bid[-2] == pytest.approx(told, rel=1e-6)


def test_what_cannot_be_solved_is_told() -> None:
    with pytest.raises(InvalidValueError, match="cannot be solved; lower one, or quote the closed form"):
        exact_distances(100.0, 10.0, 100.0, 1.0, 60.0, 200)


# --- the market maker ---

TERMS: dict[str, Any] = {"gamma": 0.1, "sigma": 0.02, "k": 40.0, "rate": 2.0, "quantity": 10, "max_position": 100}


def maker(**changes: Any) -> tuple[Glft, HandMarket]:
    me = Glft(**{**TERMS, **changes})
    return me, HandMarket(me, (ABC,))


def shown(market: HandMarket) -> dict[Side, int]:
    return {order.side: order.price for order in market.orders}


def give(market: HandMarket, lots: int) -> None:
    order = market.agent.buy(ABC, lots) if lots > 0 else market.agent.sell(ABC, -lots)
    market.accept(order)
    market.fill(order, abs(lots), 10_000)
    market.advance("1s")


@pytest.mark.parametrize("held", [0, 30, -50])
@pytest.mark.parametrize("solution", ["asymptotic", "exact"])
def test_it_quotes_its_distances_rounded_outwards(solution: str, held: int) -> None:
    _, market = maker(solution=solution, gamma=20.0)
    if held:
        give(market, held)
    market.quote(9_980, 50, 10_020, 50)
    if solution == "asymptotic":
        bid, ask = asymptotic_distances(held / 10, 20.0, 0.02, 40.0, 2.0)
    else:
        table = exact_distances(20.0, 0.02, 40.0, 2.0, 60.0, 10)
        bid, ask = table.bid[10 + held // 10], table.ask[10 + held // 10]
    assert shown(market) == {Side.BUY: math.floor((100 - bid) * 100), Side.SELL: math.ceil((100 + ask) * 100)}


def test_a_finite_horizon_follows_the_exact_solution_and_ends() -> None:
    me, market = maker(solution="exact", horizon_type="finite", horizon="40s", gamma=20.0)
    market.quote(9_980, 50, 10_020, 50)
    market.accept()
    table = exact_distances(20.0, 0.02, 40.0, 2.0, 3.3, 10)
    assert me.distances(2.0, 0.02, 40.0, 2.0, 3.3) == pytest.approx((table.bid[12], table.ask[12]), abs=1e-5)
    assert me.distances(2.5, 0.02, 40.0, 2.0, 3.3)[0] == pytest.approx((table.bid[12] + table.bid[13]) / 2, abs=1e-5)
    market.advance("39s")
    assert len(market.orders) == 2
    market.advance("2s")
    assert me.left() == 0.0
    assert all(order.state.name == "PENDING_CANCEL" for order in market.orders)


def test_what_is_not_given_is_measured() -> None:
    me, market = maker(sigma=None, k=None, rate=None, solution="exact")
    desk = me.desks["ABC"]
    assert me.beliefs(desk) == (0.01, 100.0, 1.0), "a tick, a tick, one a second before anything is known"
    generator = np.random.default_rng(3)
    price = 10_000
    for _ in range(900):
        price += int(generator.choice((-3, 3)))
        market.quote(price - 10, 50, price + 10, 50)
        for side in (Side.BUY, Side.SELL):
            market.trade(price + side * 5, 1, side)
            market.advance("500ms")
    sigma, k, rate = me.beliefs(desk)
    assert (sigma, k, rate) == (
        pytest.approx(0.03, rel=0.06),
        pytest.approx(20.0, rel=0.03),
        pytest.approx(1.0, rel=0.03),
    )
    assert f"{sigma:.1e}" == f"{sigma:.15e}"[:3] + f"{sigma:.15e}"[-4:], "two digits"


def test_where_the_system_cannot_be_solved_it_quotes_the_closed_form() -> None:
    me, _ = maker(solution="exact", gamma=1e5, sigma=50.0)
    assert me.distances(1.0, 50.0, 40.0, 2.0, 60.0) == asymptotic_distances(1.0, 1e5, 50.0, 40.0, 2.0)


@pytest.mark.parametrize("gamma", [1e12, 1e300])
@pytest.mark.parametrize("solution", ["asymptotic", "exact"])
def test_beyond_all_reason_it_shows_nothing_and_does_not_break(solution: str, gamma: float) -> None:
    _, market = maker(solution=solution, gamma=gamma)
    give(market, 30)
    market.quote(9_980, 50, 10_020, 50)
    assert Side.BUY not in shown(market)


def test_options_of_all_makers_apply() -> None:
    plain, market = maker(gamma=20.0, skew_adjustment=False)
    give(market, 50)
    market.quote(9_980, 50, 10_020, 50)
    quotes = shown(market)
    assert quotes[Side.BUY] + quotes[Side.SELL] == 20_000, "no lean"
    aimed, market = maker(gamma=20.0, inventory_target=50)
    give(market, 50)
    market.quote(9_980, 50, 10_020, 50)
    assert shown(market) == quotes, "at its target it is as if flat"
    assert plain.excess(ABC) == aimed.excess(ABC) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": -0.1}, "gamma: -0.1 must be at least 0"),
        ({"rate": 0}, "rate: 0/s is no rate"),
        ({"impact": -1}, "impact: -1 must be at least 0"),
        ({"drift": math.nan}, "drift: nan must be finite"),
        ({"solution": "exakt"}, "solution: 'exakt' is not one of the choices; did you mean \"exact\""),
        ({"inventory_target": 101}, "inventory_target: 101 lies outside max_position 100; move one"),
        ({"horizon_type": "finite"}, "horizon_type: the closed form has no end; write rolling, or solution: exact"),
        ({"solution": "exact", "max_position": 10_000}, "max_position: 10000 lots are 1000 quotes of 10, the exact"),
        ({"gamma": 0, "drift": 0.1}, "drift: without risk the closed form knows none"),
        ({"guard_run": 0}, "guard_run: 0 must be above 0"),
        ({"volatility_factor": -1}, "volatility_factor: -1 must be at least 0"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Glft(**{**TERMS, **changes})


def test_new_parameters_are_held_to_the_same_rules() -> None:
    me, _ = maker()
    with pytest.raises(InvalidValueError, match="the closed form has no end"):
        me.set(horizon_type="finite")
