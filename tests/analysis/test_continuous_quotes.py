"""Auctions and halts have no spread, no mid and no depth; what is worth something in them is told by the auction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import SECOND, Tables, by_hand, frame

import marketsim as ms
from marketsim.analysis.continuous import continuous_quotes, is_continuous
from marketsim.analysis.liquidity import best_depth, depth_profile
from marketsim.analysis.spreads import effective_spread, quoted_spread, spread_over_time
from marketsim.analysis.tape import Tape
from marketsim.domain.tables import INDICATIONS, PHASES

# Continuous trading until 10 s, an auction with a crossed book until 20 s, a halt without a new quote from 30 s on.
CHANGES = [
    (10, "CONTINUOUS", "VOLATILITY_AUCTION"),
    (20, "VOLATILITY_AUCTION", "CONTINUOUS"),
    (30, "CONTINUOUS", "HALT"),
]
QUOTES = [(0, 99.0, 10, 101.0, 30), (12, 105.0, 500, 95.0, 700), (20, 97.0, 10, 98.0, 10)]
TRADES = [(5, 101.0), (20, 97.5), (25, 98.0)]


def interrupted(venue: str = "") -> Tables:
    tables = by_hand(
        [{"time": time * SECOND, "price": price, "quantity": 1.0, "venue": venue} for time, price in TRADES],
        [(time * SECOND, *sides) for time, *sides in QUOTES],
        end=40 * SECOND,
    )
    changes = [
        {"time": time * SECOND, "instrument": "ABC", "venue": venue, "before": before, "phase": phase}
        for time, before, phase in CHANGES
    ]
    told = [{"time": time * SECOND, "instrument": "ABC", "price": price} for time, price in ((13, 96.0), (15, 97.5))]
    return replace(
        tables,
        quotes=tables.quotes.assign(venue=venue),
        phases=frame(PHASES, changes),
        indications=frame(INDICATIONS, told),
    )


def test_spreads_and_depth_are_those_of_continuous_trading() -> None:
    tables = interrupted()
    assert quoted_spread(tables) == pytest.approx((10 * 2.0 + 10 * 1.0) / 20)
    assert best_depth(tables) == pytest.approx((10 * 20 + 10 * 10) / 20)
    assert quoted_spread(replace(tables, phases=frame(PHASES))) < 0, "the crossed book counted"
    by_interval = spread_over_time(tables, every="10s")["quoted"].to_numpy()
    assert by_interval[[0, 2]].tolist() == [2.0, 1.0]
    assert np.isnan(by_interval[[1, 3]]).all()


def test_a_trade_of_an_auction_met_no_quote() -> None:
    tables = interrupted()
    assert effective_spread(tables) == pytest.approx((2 * 1.0 + 2 * 0.5) / 2)


def test_marks_follow_the_auction() -> None:
    """The last mid until something is indicated, then the indicative price, then mids again; a halt keeps the last."""
    tape = Tape.of(interrupted())
    times = np.array([5, 11, 16, 20, 25, 35]) * SECOND
    assert tape.marks_at(times)[[0, 1, 3, 4, 5]].tolist() == [100.0, 100.0, 97.5, 97.5, 97.5]
    assert np.isnan(tape.at(tape.mid, times)[[1, 2, 5]]).all()


def test_a_change_of_phase_ends_a_quote_that_stays() -> None:
    tables = interrupted()
    quotes = continuous_quotes(tables, "ABC", tables.quotes)
    assert (quotes["time"] // SECOND).tolist() == [0, 10, 12, 20, 20, 30]
    assert quotes["bid"].isna().tolist() == [False, True, True, False, False, True]
    assert is_continuous(tables, "ABC", np.array([9, 10, 19, 20, 30]) * SECOND).tolist() == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_of_two_venues_only_the_one_that_trades_is_seen() -> None:
    halted, other = interrupted("A"), by_hand([], [(1 * SECOND, 90.0, 1, 110.0, 1)], end=40 * SECOND)
    both = pd.concat([halted.quotes, other.quotes.assign(venue="B")]).sort_values("time", kind="stable")
    tape = Tape.of(replace(halted, quotes=both))
    at = lambda values, second: tape.at(values, np.array([second * SECOND]))[0]  # noqa: E731
    assert [at(tape.bid, second) for second in (5, 15, 25, 35)] == [99.0, 90.0, 97.0, 90.0]


def test_tables_without_phases_are_as_they_were() -> None:
    tables = replace(interrupted(), phases=frame(PHASES))
    assert continuous_quotes(tables, "ABC", tables.quotes) is tables.quotes
    assert Tape.of(tables).indicated is None


def test_a_market_with_auctions_reads_like_one() -> None:
    """Of the ready scenario: without phases the mean spread of the volatility auctions was -44 bps."""
    run: Any = ms.load(
        "volatility_halt", {"start": "10:08", "end": "10:16", "warm_up": "0s", "timeline[1].at": "7min"}
    ).run()
    assert len(run.auctions) == 1
    assert 0 < quoted_spread(run, unit="bps") < 20
    assert 0 < effective_spread(run, unit="bps") < 20
    profile = depth_profile(run, 3)
    assert (profile[["bid_distance", "ask_distance"]] > 0).all(axis=None)
    assert abs(run_total(run)) < 1e-6


def run_total(run: Any) -> float:
    """P&L of everybody before fees: nothing is made or lost in an auction."""
    families = ms.analysis.accounts(run).families
    return float((families["pnl"] - families["fees"]).sum())
