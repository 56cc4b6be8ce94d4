"""Running estimates against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents.estimators import OrderFlowImbalance, RealizedVolatility
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote
from marketsim.domain.units import SECOND

ABC = Instrument("ABC")


def quote(bid: int, bid_quantity: int, ask: int, ask_quantity: int) -> Quote:
    return Quote(0, ABC, bid, bid_quantity, ask, ask_quantity)


@pytest.mark.parametrize(
    ("after", "flow"),
    [
        (quote(100, 7, 102, 6), 2),  # the bid grew
        (quote(100, 5, 102, 9), -3),  # the ask grew
        (quote(101, 4, 102, 6), 4),  # a better bid: all of it presses up
        (quote(99, 4, 102, 6), -5),  # the bid is gone
        (quote(100, 5, 101, 3), -3),  # a better ask
        (quote(100, 5, 103, 3), 6),  # the ask is gone
        (quote(100, 5, 102, 6), 0),
        (quote(0, 0, 102, 6), 0),  # an empty side says nothing
    ],
)
def test_order_flow_imbalance_by_hand(after: Quote, flow: int) -> None:
    it = OrderFlowImbalance()
    assert it.update(quote(100, 5, 102, 6)) == 0, "the first quote is no step"
    assert it.update(after) == flow


def test_after_an_empty_side_the_next_step_counts_for_nothing() -> None:
    it = OrderFlowImbalance()
    it.update(quote(100, 5, 102, 6))
    it.update(quote(0, 0, 102, 6))
    assert it.update(quote(100, 50, 102, 6)) == 0
    assert it.update(quote(100, 53, 102, 6)) == 3


quotes = st.builds(quote, st.integers(95, 99), st.integers(1, 9), st.integers(100, 104), st.integers(1, 9))


@given(quotes, quotes)
def test_mirrored_books_have_opposite_flow(one: Quote, two: Quote) -> None:
    def flow(first: Quote, second: Quote) -> int:
        it = OrderFlowImbalance()
        it.update(first)
        return it.update(second)

    def mirror(q: Quote) -> Quote:
        return quote(200 - q.ask, q.ask_quantity, 200 - q.bid, q.bid_quantity)

    assert flow(one, two) == -flow(mirror(one), mirror(two))


def test_volatility_of_a_random_walk() -> None:
    generator = np.random.default_rng(3)
    it, price, values = RealizedVolatility(interval=SECOND, memory=300 * SECOND), 0.0, []
    for step in range(6_000):
        price += generator.normal(0.0, 2.0)
        it.update(step * SECOND, price)
        values.append(it.value)
    assert np.mean(values[600:]) == pytest.approx(2.0, rel=0.02)


def test_volatility_does_not_depend_on_the_spacing() -> None:
    generator = np.random.default_rng(3)
    it, price, now = RealizedVolatility(interval=SECOND, memory=3_000 * SECOND), 0.0, 0
    for _ in range(20_000):
        gap = int(generator.integers(1, 4 * SECOND))
        now += gap
        price += generator.normal(0.0, 2.0 * math.sqrt(gap / SECOND))
        it.update(now, price)
    assert it.value == pytest.approx(2.0, rel=0.05)


def test_the_bounce_between_bid_and_ask_is_left_out() -> None:
    """A price that jumps to and fro every millisecond, looked at once a second."""
    it = RealizedVolatility(interval=SECOND, memory=60 * SECOND)
    for step in range(200_000):
        it.update(step * SECOND // 1_000, step % 2)
    assert it.value < 0.2


def test_before_the_first_step_the_start_is_believed() -> None:
    it = RealizedVolatility(start=3.0)
    it.update(0, 10.0)
    it.update(1, 50.0)
    assert it.value == 3.0
