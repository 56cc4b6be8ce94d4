"""Supply and demand: where the schedules meet, by hand and against a search over all prices."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.supply_and_demand import Equilibrium, Schedule, dealt, evenly
from marketsim.errors import InvalidValueError

WHOLE = st.lists(st.integers(1, 30).map(float), min_size=1, max_size=8)


def schedule(values: list[float], costs: list[float], **terms: object) -> Schedule:
    books = ({f"b.{n}": (v,) for n, v in enumerate(values)}, {f"s.{n}": (c,) for n, c in enumerate(costs)})
    return Schedule(*books, **terms)  # type: ignore[arg-type]


def test_by_hand() -> None:
    """Values 10, 8, 5 and costs 3, 6, 9: two units trade; the third value is 5, the third cost 9: from 6 to 8."""
    market = schedule([8, 10, 5], [9, 3, 6], quantity=2.0)
    assert market.demand == (10, 8, 5)
    assert market.supply == (3, 6, 9)
    found = market.equilibrium()
    assert found == Equilibrium(6, 8, 2, 2.0 * (7 + 2))
    assert found.price == 7.0
    assert market.equilibrium_profits() == {"b.0": 2, "b.1": 6, "b.2": 0, "s.0": 0, "s.1": 8, "s.2": 2}
    assert market.equilibrium_profits(8.0)["s.1"] == 10


def test_the_first_market_of_gode_and_sunder() -> None:
    """Six of each: 24 units gain, six more trade for nothing at 82."""
    values, costs = (102.0, 97.0, 92.0, 87.0, 82.0, 77.0), (34.0, 46.0, 58.0, 70.0, 82.0, 94.0)
    market = Schedule({f"b{n}": values for n in range(6)}, {f"s{n}": costs for n in range(6)})
    assert market.equilibrium() == Equilibrium(82, 82, 24, 1020)
    assert market.equilibrium_profits()["b0"] == 20 + 15 + 10 + 5
    assert market.equilibrium_profits()["s3"] == 48 + 36 + 24 + 12


def test_without_any_gain() -> None:
    assert schedule([5], [7]).equilibrium() == Equilibrium(5, 7, 0, 0)
    alone = Schedule({"b": (5.0,)}, {}).equilibrium()
    assert (alone.low, alone.high, alone.quantity) == (5, math.inf, 0)


@given(WHOLE, WHOLE)
def test_the_market_clears_in_between_and_nothing_beats_the_surplus(values: list[float], costs: list[float]) -> None:
    market = schedule(values, costs)
    low, high, quantity, surplus = market.equilibrium()
    assert low <= high
    for price in range(32):
        # Those who gain at the price, and those who would not mind.
        demand = sum(v > price for v in values), sum(v >= price for v in values)
        supply = sum(c < price for c in costs), sum(c <= price for c in costs)
        clears = demand[0] <= supply[1] and supply[0] <= demand[1]
        assert clears == (low <= price <= high)
        profits = market.equilibrium_profits(price)
        assert sum(profits.values()) >= surplus - 1e-9
        if clears:
            assert sum(profits.values()) == pytest.approx(surplus)
    pairs = zip(sorted(values, reverse=True), sorted(costs), strict=False)
    assert quantity == sum(v > c for v, c in pairs)


def test_steps_and_hands() -> None:
    assert evenly(125, 75, 3) == (125, 100, 75)
    assert evenly(4, 2, 1) == (3,)
    assert dealt((5, 4, 3, 2, 1), 2) == [(5, 3, 1), (4, 2)]


def test_what_is_no_schedule() -> None:
    with pytest.raises(InvalidValueError, match="a both buys and sells; give a trader units of one side only"):
        Schedule({"a": (1.0,)}, {"a": (2.0,)})
    with pytest.raises(InvalidValueError, match="s: values and costs must be finite and at least 0"):
        Schedule({}, {"s": (math.inf,)})
