"""Takers with exponential reach: how many come, how far they get, and where their mid is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from probe import Action, Probe
from scipy import stats

from marketsim.agents.reaching_taker import ReachingTaker
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType
from marketsim.errors import InvalidValueError

SECOND = 1_000_000_000


def woken(probe: Probe, times: int) -> list[Action]:
    """Wake it so often, at the times that it asks for."""
    orders = []
    for _ in range(times):
        orders += [a for a in probe.see(Kind.WAKE, probe.wake) if a.kind == Kind.NEW]
        probe.open.clear()
        probe._out.rows["next_id"] = 1
    return orders


def started(value: float = 10_000.0, **terms: object) -> Probe:
    probe = Probe(ReachingTaker(**terms))  # type: ignore[arg-type]
    probe.value = value
    probe.see(Kind.START, 0)
    return probe


def reaches(orders: list[Action], middle: float = 10_000.0) -> dict[int, np.ndarray]:
    return {side: np.array([side * (o.price - middle) for o in orders if o.side == side]) for side in (1, -1)}


def test_arrivals_and_reaches_are_those_of_the_intensity() -> None:
    """A quote at δ is hit A·e^(−kδ) times a second on each side: at 0, 2 and 4 cents, four standard errors."""
    probe = started(rate="20/s", k=50.0)
    orders = woken(probe, 8_000)
    seconds = probe.now / SECOND
    assert {order.order_type for order in orders} == {OrderType.LIMIT}
    for found in reaches(orders).values():
        for ticks in (0, 2, 4):
            expected = 20.0 * math.exp(-50.0 * ticks / 100) * seconds
            assert abs((found >= ticks).sum() - expected) < 4 * math.sqrt(expected)


def test_reaches_are_rounded_towards_the_mid() -> None:
    """Somebody who would pay 10,000.7 ticks does not pay 10,001."""
    orders = woken(started(value=10_000.4, k=50.0), 4_000)
    for side, found in reaches(orders, 10_000.4).items():
        assert found.min() > -1.0
        assert (found <= 0.4).mean() > 0.1, side


def test_some_reach_only_to_better_than_the_mid_where_that_is_asked_for() -> None:
    probe = started(rate="20/s", k=50.0, nearest=-0.02)
    orders = woken(probe, 8_000)
    expected = 20.0 * probe.now / SECOND
    for found in reaches(orders).values():
        assert found.min() < -1
        assert abs((found >= 0).sum() - expected) < 4 * math.sqrt(expected)


def test_in_steps_one_of_each_side_comes_in_the_middle() -> None:
    """And gets to δ with probability min(1, A·dt·e^(−kδ)), also beyond the mid."""
    probe = started(rate=140.0, k=1.5, step="5ms")
    assert probe.wake == 2_500_000
    orders = woken(probe, 2)
    assert [order.side for order in orders] == [1, -1, 1, -1]
    assert probe.wake == 12_500_000
    found = reaches([*orders, *woken(probe, 6_000)])
    for side in found.values():
        for distance in (-0.5, -0.1, 0.0, 0.5, 1.5):
            share = min(1.0, 140.0 * 0.005 * math.exp(-1.5 * distance))
            hit = (side >= 100 * distance).sum()
            assert abs(hit - share * len(side)) <= 4 * math.sqrt(len(side) * share * (1 - share)) + 1e-9
    assert abs(stats.pearsonr(*found.values()).statistic) < 4 / math.sqrt(6_000), "both sides by chance of their own"


def test_without_a_feed_it_asks_for_the_mid() -> None:
    probe = started(value=math.nan)
    assert [a.kind for a in probe.see(Kind.WAKE, SECOND)] == [Kind.QUERY]
    (order,) = probe.quote(20_000, 20_010)
    assert abs(order.price - 20_005) < 60
    probe.see(Kind.WAKE, 2 * SECOND)
    (order,) = probe.quote(0, 30_000)
    assert abs(order.price - 20_005) < 60, "the last mid where a side is empty"


def test_no_order_stands_at_zero_or_below() -> None:
    assert all(order.price > 0 for order in woken(started(value=3.0, k=1.0), 200))


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"rate": 0}, "rate: 0/s is no rate"),
        ({"k": 0}, "k: 0 must be above 0"),
        ({"quantity": 0}, "quantity: 0 must be from 1"),
        ({"step": "0s"}, "step: 0s must be above zero"),
        ({"step": "1ns"}, "step: 1 ns has no middle"),
        ({"step": "5ms", "nearest": -1}, "nearest: -1 has no meaning in steps"),
        ({"nearest": -2}, "nearest: -2 is more than 50/k from the mid"),
    ],
)
def test_wrong_parameters_are_named(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        ReachingTaker(**terms)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
