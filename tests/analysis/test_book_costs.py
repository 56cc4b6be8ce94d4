"""Depth within a distance, the cost of a round trip, spreads by depth and by time: by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, Tables, by_hand

from marketsim.analysis import (
    depth_weighted_spread,
    depth_within,
    intraday_profile,
    round_trip_cost,
    time_at_spread,
)
from marketsim.analysis.tape import Tape
from marketsim.domain.units import HOUR
from marketsim.errors import InvalidValueError, NotRecordedError

NAN = float("nan")


def book(**changes: float) -> pd.DataFrame:
    """One state: asks 100.1 (10), 100.3 (20); bids 99.9 (30), 99.8 (5)."""
    row = {
        "time": 0,
        "ask_1": 100.1,
        "ask_quantity_1": 10.0,
        "bid_1": 99.9,
        "bid_quantity_1": 30.0,
        "ask_2": 100.3,
        "ask_quantity_2": 20.0,
        "bid_2": 99.8,
        "bid_quantity_2": 5.0,
    }
    return pd.DataFrame([{**row, **changes}])


def tables(**changes: float) -> Tables:
    return by_hand(book=book(**changes), end=10 * SECOND)


def test_depth_within_a_distance() -> None:
    found = depth_within(tables(), (10, 20, 30), levels=2, every="1s")
    assert found["ask_quantity"].tolist() == [10, 10, 30]  # 10 and 30 bps away
    assert found["bid_quantity"].tolist() == [30, 35, 35]
    assert found["reached"].tolist() == [1, 0, 0]  # the last bid shown lies at 20 bps: beyond it may be more
    assert depth_within(tables(ask_2=NAN, ask_quantity_2=0, bid_2=NAN, bid_quantity_2=0), (50,), every="1s")[
        "reached"
    ].tolist() == [1]  # the book ends there


def test_a_round_trip_walks_the_book() -> None:
    found = round_trip_cost(tables(), (10, 30, 31), levels=2, every="1s")
    assert found["cost_bps"].iloc[0] == pytest.approx(20)
    buy = 1e4 * ((10 * 100.1 + 20 * 100.3) / 30 / 100 - 1)
    assert found.loc[30, ["buy_bps", "sell_bps"]].tolist() == pytest.approx([buy, 10])
    assert found["filled"].tolist() == [1, 1, 0]
    assert np.isnan(found["cost_bps"].iloc[2])
    assert round_trip_cost(tables(), 10, levels=2, every="1s").index.tolist() == [10]


def test_the_spread_weighted_by_depth() -> None:
    ask, bid = (10 * 100.1 + 20 * 100.3) / 30, (30 * 99.9 + 5 * 99.8) / 35
    assert depth_weighted_spread(tables(), 2, every="1s") == pytest.approx(1e4 * (ask - bid) / 100)
    with pytest.raises(NotRecordedError, match=r"depth-weighted spread needs 5 levels of the book \(there are 2\)"):
        depth_weighted_spread(tables(), every="1s")


def test_what_is_asked_for_must_make_sense() -> None:
    with pytest.raises(InvalidValueError, match="distance 0 bps must be above zero"):
        depth_within(tables(), (0,), every="1s")
    with pytest.raises(InvalidValueError, match=r"quantity -1\.0 must be above zero"):
        round_trip_cost(tables(), -1, every="1s")
    with pytest.raises(NotRecordedError, match="cost of a round trip needs a book of several levels"):
        round_trip_cost(Tape.of(tables()), 1)  # type: ignore[arg-type]


def test_how_long_each_spread_was_quoted() -> None:
    quotes = [(0, 99.99, 5, 100.00, 5), (3 * SECOND, 99.98, 5, 100.00, 5), (7 * SECOND, NAN, 0, 100.0, 5)]
    found = time_at_spread(by_hand(quotes=quotes, end=10 * SECOND))
    assert found.index.tolist() == [1, 2]
    assert found["share_of_time"].tolist() == pytest.approx([3 / 7, 4 / 7])
    assert found["spread"].tolist() == pytest.approx([0.01, 0.02])


def test_the_pattern_of_the_day_is_the_mean_of_days() -> None:
    day = 24 * HOUR
    quotes = [(0, 99, 10, 101, 10), (HOUR, 99.5, 20, 100.5, 40), (day, 98, 10, 102, 10), (day + HOUR, 99, 10, 101, 10)]
    trades = [{"time": t, "price": 100.0, "quantity": 6.0, "side": 1} for t in (HOUR // 2, day + 1, day + 2)]
    found = intraday_profile(by_hand(trades, quotes, start=0, end=day + 2 * HOUR), "1h")
    assert found["spread_bps"].iloc[:2].tolist() == pytest.approx([(200 + 400) / 2, (100 + 200) / 2])
    assert found["depth"].iloc[:2].tolist() == pytest.approx([10, 20])
    assert found["trades"].iloc[0] == pytest.approx(1.5 / 60)
    assert found["volume"].iloc[0] == pytest.approx(9 / 60)
    assert found["days"].iloc[[0, 1, 5]].tolist() == [2, 2, 1]
    with pytest.raises(InvalidValueError, match="must divide a day"):
        intraday_profile(by_hand(), "7h")
