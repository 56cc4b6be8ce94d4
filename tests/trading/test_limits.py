"""Pre-trade limits: what passes, what does not, and the largest quantity that would."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderType, Side
from marketsim.errors import InvalidValueError
from marketsim.trading.order import Order
from marketsim.trading.risk import Limits


def order(side: Side, quantity: int) -> Order:
    return Order(1, Instrument("ABC"), "X", side, OrderType.LIMIT, quantity, 100)


def test_without_limits_everything_passes() -> None:
    assert Limits().objection(order(Side.BUY, 10**9), 10**9, 10**9) == ""


def test_the_largest_order() -> None:
    limits = Limits(max_order=10)
    assert limits.objection(order(Side.BUY, 10), 0, 0) == ""
    assert limits.objection(order(Side.BUY, 11), 0, 0) == "quantity 11 above max_order 10"


@pytest.mark.parametrize(
    ("side", "quantity", "position", "open_quantity", "passes"),
    [
        (Side.BUY, 6, 90, 4, True),
        (Side.BUY, 7, 90, 4, False),
        (Side.SELL, 190, 90, 0, True),
        (Side.SELL, 191, 90, 0, False),
        (Side.SELL, 1, -100, 0, False),
        (Side.BUY, 200, -100, 0, True),
    ],
)
def test_the_largest_position(side: Side, quantity: int, position: int, open_quantity: int, passes: bool) -> None:
    objection = Limits(max_position=100).objection(order(side, quantity), position, open_quantity)
    assert (objection == "") is passes


def test_a_replace_is_judged_by_what_it_would_leave_open() -> None:
    limits, it = Limits(max_order=50, max_position=100), order(Side.BUY, 20)
    it.filled, it.leaves = 15, 5
    assert limits.objection_to_replace(it, 25, 90, 0) == ""
    assert "could reach 101" in limits.objection_to_replace(it, 26, 90, 0)
    assert "at most 25 pass" in limits.objection_to_replace(it, 26, 90, 0)
    assert "max_order" in limits.objection_to_replace(it, 51, 0, 0)


@given(st.sampled_from(Side), st.integers(1, 300), st.integers(-100, 100), st.integers(0, 100))
def test_the_quantity_that_is_named_would_pass_and_one_more_would_not(
    side: Side, quantity: int, position: int, open_quantity: int
) -> None:
    limits = Limits(max_position=100)
    objection = limits.objection(order(side, quantity), position, open_quantity)
    if not objection:
        return
    found = re.search(r"at most (\d+) pass", objection)
    assert found
    allowed = int(found.group(1))
    assert allowed < quantity
    if allowed:
        assert limits.objection(order(side, allowed), position, open_quantity) == ""
    assert limits.objection(order(side, allowed + 1), position, open_quantity) != ""


@pytest.mark.parametrize("name", ["max_order", "max_position"])
def test_a_limit_below_one_is_refused(name: str) -> None:
    with pytest.raises(InvalidValueError, match=f"{name}=0: a limit is at least 1 lot"):
        Limits(**{name: 0})
