"""Trajectories of Almgren and Chriss: the numbers of their paper, and that nothing nearby is better."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketsim.agents.execution.trajectory import (
    Impact,
    cost_variance,
    cumulative,
    efficient_frontier,
    expected_cost,
    optimal_holdings,
    share_left,
    urgency,
)
from marketsim.data import find_data
from marketsim.errors import InvalidValueError

PUBLISHED = find_data("published")
PAPER = Impact(volatility=0.95, temporary=2.5e-6, permanent=2.5e-7, fixed=0.0625)
SHARES, DAYS, PERIODS = 1e6, 5.0, 5
# λ, κ (imaginary below zero), E and √V in dollars, thousands of shares left after each day
ROWS = [
    (2e-6, 0.8463, 1_140_715, 449_368, [1000, 428.6, 182.9, 76.3, 27.6, 0]),
    (1e-6, 0.6071, 911_227, 603_431, [1000, 542.0, 289.9, 147.9, 62.1, 0]),
    (0.0, 0.0, 662_500, 1_040_673, [1000, 800.0, 600.0, 400.0, 200.0, 0]),
    (-2e-7, 0.2766j, 717_958, 1_258_654, [1000, 910.1, 750.9, 534.8, 277.9, 0]),
]


@pytest.mark.parametrize(("aversion", "kappa", "cost", "deviation", "left"), ROWS)
def test_the_paper_to_its_printed_digits(
    aversion: float, kappa: complex, cost: float, deviation: float, left: list[float]
) -> None:
    ours = urgency(aversion, DAYS / PERIODS, PAPER)
    holdings = optimal_holdings(SHARES, DAYS, PERIODS, aversion, PAPER)
    assert round(ours.real, 4) + 1j * round(ours.imag, 4) == kappa
    assert np.round(holdings / 1000, 1).tolist() == left
    (point,) = efficient_frontier(SHARES, DAYS, PERIODS, [aversion], PAPER)
    assert (round(point.cost), round(point.deviation)) == (cost, deviation)


@pytest.mark.skipif(PUBLISHED is None, reason="no folder of published results: set MARKETSIM_DATA")
def test_these_rows_are_the_published_ones() -> None:
    assert PUBLISHED is not None
    text = (PUBLISHED / "README.md").read_text(encoding="utf-8").split("**Almgren–Chriss")[1].split("**Gu")[0]
    for aversion, kappa, cost, deviation, _ in ROWS:
        shown = f"{abs(kappa):.4f}".lstrip("0") if kappa else "0"
        exact = f"{aversion:.0e}".replace("e-0", "e-").replace("-2e", "−2e") if aversion else "0"
        assert re.search(rf"^\| {exact} \| {shown}i? \| {cost:,} \| {deviation:,} \|", text, re.MULTILINE), aversion


def test_continuous_formulas_are_the_limit_of_many_intervals() -> None:
    """κ → √(λσ²/η) for ever shorter intervals."""
    assert urgency(1e-6, 1e-4, PAPER).real == pytest.approx(math.sqrt(1e-6 * 0.95**2 / 2.5e-6), rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-1.5e-7, 5e-6),
    st.integers(2, 12),
    st.lists(st.floats(-0.05, 0.05), min_size=11, max_size=11),
)
def test_no_trajectory_nearby_is_better(aversion: float, periods: int, moves: list[float]) -> None:
    """E + λV is least: any other holdings between the same ends cost more."""
    best = optimal_holdings(SHARES, DAYS, periods, aversion, PAPER)
    other = best.copy()
    other[1:-1] += SHARES * np.array(moves[: periods - 1])
    flat = Impact(PAPER.volatility, PAPER.temporary, PAPER.permanent)  # ε|n| is the same for all that never turn

    def total(left: np.ndarray) -> float:
        return expected_cost(left, DAYS, flat) + aversion * cost_variance(left, DAYS, flat)

    assert total(other) >= total(best) - 1e-6 * abs(total(best))


def test_the_frontier_trades_cost_for_risk() -> None:
    points = efficient_frontier(SHARES, DAYS, PERIODS, [0.0, 1e-7, 1e-6, 1e-5], PAPER)
    costs, risks = [p.cost for p in points], [p.deviation for p in points]
    assert costs == sorted(costs)
    assert risks == sorted(risks, reverse=True)


@given(st.floats(0.0, 1e4), st.floats(0.0, 1.0))
def test_shares_left_fall_from_one_to_nothing(haste: float, time: float) -> None:
    left = share_left(haste, time)
    assert 0.0 <= left <= 1.0 - time + 1e-9
    assert share_left(haste, 0.0) == 1.0
    assert share_left(haste, 1.0) == pytest.approx(0.0, abs=1e-12)


def test_an_urgency_of_three_does_half_in_a_quarter() -> None:
    assert 1.0 - share_left(3.0, 0.25) == pytest.approx(0.53, abs=0.01)
    assert share_left(1e-12, 0.25) == 0.75
    assert share_left(31.0, 0.01) == pytest.approx(math.sinh(31.0 * 0.99) / math.sinh(31.0), rel=1e-9)


def test_shares_of_weights() -> None:
    assert cumulative([1, 0, 3]).tolist() == [0.25, 0.25, 1.0]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([], "finite and not below zero"),
        ([1, -1], "not below zero"),
        ([0, 0], "add up to zero"),
        ([math.nan], "finite"),
    ],
)
def test_weights_that_are_none(weights: list[float], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        cumulative(weights)


@pytest.mark.parametrize(
    ("impact", "words"),
    [
        ({"volatility": -1}, "volatility: -1 must be at least 0"),
        ({"temporary": 0}, "temporary: 0 must be above 0"),
        ({"permanent": math.inf}, "permanent: inf"),
    ],
)
def test_impact_that_is_none(impact: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        Impact(**{"volatility": 1.0, "temporary": 1.0, **impact})


def test_what_has_no_best_trajectory_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"-0\.001 seeks more risk than its costs can stop"):
        optimal_holdings(SHARES, DAYS, PERIODS, -1e-3, PAPER)
    with pytest.raises(InvalidValueError, match="seeks more risk"):
        optimal_holdings(SHARES, DAYS, PERIODS, -1.2e-6, PAPER)
    with pytest.raises(InvalidValueError, match="use more slices"):
        optimal_holdings(SHARES, DAYS, 1, 1e-6, Impact(1.0, 1e-6, 1e-6))
