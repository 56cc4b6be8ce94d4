"""Depth, imbalance, resiliency and turnover on cases worked by hand, and against slow twins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import SECOND, by_hand

from marketsim.analysis import (
    best_depth,
    book_imbalance,
    depth_profile,
    market_turnover,
    mean_imbalance,
    quote_imbalance,
    resiliency,
)
from marketsim.errors import InvalidValueError

NAN = float("nan")


def test_best_depth_and_imbalance_are_weighted_by_time() -> None:
    tables = by_hand([], [(0, 99.0, 30, 101.0, 10), (25 * SECOND, 99.0, 0, 101.0, 20)])
    assert best_depth(tables) == pytest.approx((20 * 25 + 10 * 75) / 100)
    assert quote_imbalance(tables).tolist() == [0.5, -1.0]
    assert mean_imbalance(tables) == pytest.approx((0.5 * 25 - 75) / 100)


def test_an_empty_book_has_no_imbalance() -> None:
    assert np.isnan(quote_imbalance(by_hand([], [(0, NAN, 0, NAN, 0)])).iloc[0])


def book() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": [0, 50 * SECOND],
            "ask_1": [101.0, 103.0],
            "ask_quantity_1": [10.0, 20.0],
            "bid_1": [99.0, 99.0],
            "bid_quantity_1": [30.0, 10.0],
            "ask_2": [102.0, NAN],
            "ask_quantity_2": [5.0, 0.0],
            "bid_2": [97.0, 98.0],
            "bid_quantity_2": [1.0, 3.0],
        }
    )


def test_depth_profile_by_level_with_an_empty_level_counted_as_nothing() -> None:
    profile = depth_profile(by_hand(book=book(), end=99 * SECOND), 2, every="50s")
    assert profile.index.tolist() == [1, 2]
    assert profile["ask_quantity"].tolist() == [15.0, 2.5]
    assert profile["bid_quantity"].tolist() == [20.0, 2.0]
    assert profile["bid_cumulative"].tolist() == [20.0, 22.0]
    assert profile["ask_distance"].tolist() == [1.5, 2.0]  # mids 100 and 101; the empty level is nowhere
    assert profile["bid_distance"].tolist() == [1.5, 3.0]


def test_book_imbalance_over_levels() -> None:
    found = book_imbalance(by_hand(book=book(), end=99 * SECOND), 2, every="50s")
    assert found.index.tolist() == [0, 50 * SECOND]
    assert found.tolist() == pytest.approx([(31 - 15) / 46, (13 - 20) / 33])


def trade(at: float, side: int = 1) -> dict[str, object]:
    return {"time": int(at * SECOND), "side": side, "price": 101.0, "quantity": 2.0}


def test_resiliency_waits_until_the_spread_is_as_tight_as_before_the_trade() -> None:
    quotes = [
        (0, 99.0, 1, 101.0, 1),
        (10 * SECOND, 99.0, 1, 103.0, 1),  # widened by the trade
        (11 * SECOND, 99.0, 1, 102.0, 1),
        (14 * SECOND, 99.0, 1, 101.0, 1),  # back after 4 s
        (30 * SECOND, 99.0, 1, NAN, 0),  # emptied by the trade, back after 20 s: beyond the horizon
        (50 * SECOND, 99.0, 1, 101.0, 1),
        (60 * SECOND, 99.5, 1, 101.0, 1),  # narrowed: no episode
        (95 * SECOND, 99.0, 1, 103.0, 1),  # later than end - horizon
    ]
    trades = [trade(10), trade(10), trade(30), trade(60), trade(70), trade(95)]
    found = resiliency(by_hand(trades, quotes), horizon="10s")
    assert found.times.tolist() == [4 * SECOND, -1]
    assert (found.episodes, found.recovered, found.half_time) == (2, 0.5, 4 * SECOND)
    assert resiliency(by_hand(trades, quotes), horizon="3s").half_time is None
    assert resiliency(by_hand(trades, quotes), horizon="30s").times.tolist() == [4 * SECOND, 20 * SECOND]


def test_resiliency_of_nothing() -> None:
    found = resiliency(by_hand([], [(0, 99.0, 1, 101.0, 1)]))
    assert found.episodes == 0
    assert np.isnan(found.recovered)
    assert found.half_time is None
    with pytest.raises(InvalidValueError, match="above zero"):
        resiliency(by_hand(), horizon=0)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 6)), min_size=1, max_size=40),
    st.lists(st.integers(1, 60), max_size=10),
    st.integers(1, 25),
)
def test_resiliency_agrees_with_a_search_by_hand(rows: list[tuple[int, int]], when: list[int], limit: int) -> None:
    rows, when = sorted(rows, key=lambda row: row[0]), sorted(when)
    quotes = [(t, 100.0, 1, 100.0 + s, 1) for t, s in rows]
    trades = [{"time": t, "side": 1, "price": 100.0, "quantity": 1.0} for t in when]
    found = resiliency(by_hand(trades, quotes, end=60), horizon=limit)
    expected = []
    for moment in sorted(set(when)):
        before = [s for t, s in rows if t < moment]
        after = [s for t, s in rows if t <= moment]
        if moment + limit > 60 or not before or after[-1] <= before[-1]:
            continue
        later = [t - moment for t, s in rows if t > moment and s <= before[-1] and t - moment <= limit]
        expected.append(later[0] if later else -1)
    assert found.times.tolist() == expected


def test_market_turnover_per_minute_and_against_the_depth() -> None:
    quotes = [(0, 99.0, 6, 101.0, 2)]
    found = market_turnover(by_hand([trade(1), trade(2), trade(120)], quotes, end=120 * SECOND))
    assert found["trades"] == 3
    assert found["volume"] == 6.0
    assert found["value"] == pytest.approx(606.0)
    assert found["trades_per_minute"] == pytest.approx(1.5)
    assert found["volume_per_minute"] == pytest.approx(3.0)
    assert found["value_per_minute"] == pytest.approx(303.0)
    assert found["depth_turnover"] == pytest.approx(3.0 / 4.0)
