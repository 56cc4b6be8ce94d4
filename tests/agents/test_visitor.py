"""Visitors: one visit each, at the times that the density says, one order at the opposite best price."""

from __future__ import annotations

import pytest
from probe import Probe
from scipy import stats

from marketsim.agents.visitor import Visitor
from marketsim.domain.message import Kind
from marketsim.domain.units import time_of_day
from marketsim.errors import InvalidValueError

NINE, FOUR = time_of_day("09:00"), time_of_day("16:00")
OPEN = time_of_day("09:30")


def visits(count: int, now: int) -> list[int]:
    """Wake-up times; those who act at once count as now."""
    times = []
    for number in range(count):
        probe = Probe(Visitor(first="09:00", last="16:00"), name=f"visitor.{number}")
        actions = probe.see(Kind.START, now)
        times.append(probe.wake if probe.wake >= 0 else now)
        assert [action.kind for action in actions] == ([] if probe.wake >= 0 else [Kind.QUERY])
    return times


def test_times_follow_the_u_quadratic_law() -> None:
    shares = [(time - NINE) / (FOUR - NINE) for time in visits(3_000, 0)]
    assert stats.kstest(shares, lambda x: 0.5 * (1 + (2 * x - 1) ** 3)).pvalue > 1e-3


def test_those_who_would_come_before_the_start_act_at_the_start() -> None:
    times = visits(2_000, OPEN)
    early = sum(time == OPEN for time in times) / 2_000
    assert early == pytest.approx(0.5 * (1 - (6 / 7) ** 3), abs=0.03)  # F(1/14) = 18.5 %
    assert min(times) == OPEN


def test_it_asks_and_takes_the_opposite_best_price() -> None:
    sides = []
    for number in range(400):
        probe = Probe(Visitor(quantity=7, sizes="constant"), name=f"v.{number}")
        probe.see(Kind.START, 0)
        (question,) = probe.see(Kind.WAKE, probe.wake)
        assert question.kind == Kind.QUERY
        assert probe.wake < 0  # it never comes back
        (order,) = probe.quote(9_990, 10_010)
        assert (order.price, order.quantity) == (10_010 if order.side > 0 else 9_990, 7)
        sides.append(order.side)
    assert 160 < sides.count(1) < 240


@pytest.mark.parametrize(("bid", "ask"), [(0, 0), (9_990, 0), (0, 10_010)])
def test_an_empty_side_is_left_alone(bid: int, ask: int) -> None:
    for number in range(50):
        probe = Probe(Visitor(), name=f"v.{number}")
        probe.see(Kind.START, 0)
        probe.see(Kind.WAKE, probe.wake)
        assert all(order.price == (ask if order.side > 0 else bid) > 0 for order in probe.quote(bid, ask))


def test_the_day_must_go_forward() -> None:
    with pytest.raises(InvalidValueError, match=r"first: .* must lie before last"):
        Visitor(first="16:00", last="09:00")
