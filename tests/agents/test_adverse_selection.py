"""The guard: one-sided flow makes a side wide, losing mark-outs pull it, time brings it back."""

from __future__ import annotations

import math

import pytest

from marketsim.agents.adverse_selection import AdverseSelectionGuard, Stance
from marketsim.domain.order import Side
from marketsim.domain.units import SECOND

BUY, SELL = Side.BUY, Side.SELL


def guard(**changes: float) -> AdverseSelectionGuard:
    return AdverseSelectionGuard(
        **{"horizon": SECOND, "memory": 5 * SECOND, "run": 20.0, "fills": 4, "pause": 3 * SECOND, **changes}  # type: ignore[arg-type]
    )


def test_flow_on_one_side_makes_that_side_wide() -> None:
    it = guard()
    it.filled(0, BUY, 100, 10)
    assert it.stance(0, BUY) is Stance.NORMAL
    it.filled(0, BUY, 100, 10)
    assert it.stance(0, BUY) is Stance.WIDE
    assert it.stance(0, SELL) is Stance.NORMAL


def test_balanced_flow_is_no_sign() -> None:
    it = guard()
    for _ in range(10):
        it.filled(0, BUY, 99, 15)
        it.filled(0, SELL, 101, 15)
    assert it.stance(0, BUY) is Stance.NORMAL
    assert it.stance(0, SELL) is Stance.NORMAL


def test_flow_is_forgotten() -> None:
    it = guard()
    it.filled(0, SELL, 100, 30)
    assert it.flow(5 * SECOND) == pytest.approx(-30 / math.e)
    assert it.stance(0, SELL) is Stance.WIDE
    assert it.stance(5 * SECOND, SELL) is Stance.NORMAL


def test_fills_that_lose_pull_the_side_for_a_while() -> None:
    it = guard()
    for number in range(2):
        it.filled(number, SELL, 100, 1)
    it.observe(SECOND - 1, 110.0)
    assert it.markout(SELL) == 0.0, "no fill is old enough"
    it.observe(SECOND, 103.0)
    assert it.stance(SECOND, SELL) is Stance.NORMAL, "one bad fill is bad luck"
    it.observe(SECOND + 1, 103.0)
    assert it.stance(SECOND + 1, SELL) is Stance.PULLED
    assert it.stance(SECOND + 1, BUY) is Stance.NORMAL
    assert it.next_change(SECOND + 1) == 4 * SECOND + 1
    assert it.stance(4 * SECOND + 1, SELL) is Stance.NORMAL
    assert it.next_change(4 * SECOND + 1) is None


def test_fills_that_earn_pull_nothing() -> None:
    it = guard()
    for number in range(50):
        it.filled(number, BUY, 100, 1)
    it.observe(2 * SECOND, 100.5)
    assert it.markout(BUY) == 0.5
    assert it.stance(2 * SECOND, BUY) is not Stance.PULLED


def test_a_mark_out_is_in_the_favour_of_the_one_who_was_hit() -> None:
    it = guard(fills=1)
    it.filled(0, BUY, 100, 1)
    it.filled(0, SELL, 100, 1)
    it.observe(SECOND, 98.0)
    assert it.markout(SELL) == 2.0
    assert it.stance(SECOND, BUY) is Stance.PULLED


def test_the_latest_fills_weigh_most() -> None:
    it = guard(fills=4)
    for _ in range(30):
        it.filled(0, SELL, 100, 1)
    it.observe(SECOND, 90.0)
    assert it.markout(SELL) == 10.0
    for number in range(1, 4):
        it.filled(number, SELL, 100, 1)
        it.observe(number + SECOND, 102.0)
    assert 0 < it.markout(SELL) < 5.0
