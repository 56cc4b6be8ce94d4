"""Running estimates against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.agents.estimators import MultiLevelFlow, OrderFlowImbalance, RealizedVolatility
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


# --- several levels ---

Book = tuple[list[tuple[int, int]], list[tuple[int, int]]]
BEFORE: Book = [(100, 5), (99, 7), (97, 2)], [(102, 6), (103, 4), (104, 9)]


def flows(after: Book, levels: int = 3, before: Book = BEFORE) -> list[int]:
    it = MultiLevelFlow(levels)
    assert it.update(*before) == [0] * levels, "the first book is no step"
    return it.update(*after)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BEFORE, [0, 0, 0]),
        (([(100, 8), (99, 7), (97, 2)], BEFORE[1]), [3, 0, 0]),  # the best bid grew
        (([(100, 5), (99, 7), (98, 4)], BEFORE[1]), [0, 0, 4]),  # a better third bid: all of it
        (([(99, 7), (97, 2), (96, 3)], BEFORE[1]), [-5, -7, -2]),  # the best bid is gone: every level fell
        (([(101, 1), (100, 5), (99, 7)], BEFORE[1]), [1, 5, 7]),  # a better bid: every level rose
        ((BEFORE[0], [(102, 6), (103, 9), (104, 9)]), [0, -5, 0]),  # the second ask grew
        ((BEFORE[0], [(103, 4), (104, 9), (106, 1)]), [6, 4, 9]),  # the best ask is gone
        (([(100, 5), (99, 7)], BEFORE[1]), [0, 0, 0]),  # no third bid any more: nothing is said
    ],
)
def test_flow_of_several_levels_by_hand(after: Book, expected: list[int]) -> None:
    assert flows(after) == expected


def test_after_a_gap_the_next_book_is_no_step() -> None:
    it = MultiLevelFlow(1)
    it.update(*BEFORE)
    assert it.unchanged(*BEFORE)
    it.forget()
    assert not it.unchanged(*BEFORE)
    assert it.update([(90, 1)], [(92, 1)]) == [0]
    assert it.update([(90, 4)], [(92, 1)]) == [3]


sides = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5, unique_by=lambda level: level[0]
)
books = st.tuples(
    sides.map(lambda side: sorted(((100 - p, q) for p, q in side), reverse=True)),
    sides.map(lambda side: sorted((100 + p, q) for p, q in side)),
)


@given(books, books)
def test_its_first_level_is_the_flow_of_the_best_quotes_and_mirrored_books_have_opposite_flow(
    one: Book, two: Book
) -> None:
    single = OrderFlowImbalance()
    single.update(quote(*one[0][0], *one[1][0]))
    found = flows(two, 4, one)
    assert found[0] == single.update(quote(*two[0][0], *two[1][0]))

    def mirror(book: Book) -> Book:
        return [(200 - p, q) for p, q in book[1]], [(200 - p, q) for p, q in book[0]]

    assert flows(mirror(two), 4, mirror(one)) == [-flow for flow in found]
