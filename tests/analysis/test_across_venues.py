"""Several venues by hand: who is best, when they lock and cross, and what a late feed makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from synthetic import SECOND, by_hand

import marketsim as ms
from marketsim.analysis import (
    consolidated_quotes,
    crossed_times,
    flows_by_venue,
    locked_and_crossed,
    seen_and_true,
    states_seen,
    venue_shares,
)
from marketsim.domain.instrument import Instrument
from marketsim.errors import InvalidValueError
from marketsim.trading.consolidated import ConsolidatedQuote

NAN = float("nan")
# Seconds, venue, bid, lots, ask, lots.
ROWS = [
    (0, "A", 99.98, 10, 100.02, 10),
    (10, "B", 99.99, 5, 100.02, 5),
    (20, "B", 100.02, 5, 100.04, 5),  # locked with A
    (30, "B", 100.03, 5, 100.05, 5),  # crossed
    (35, "A", 99.99, 7, 100.03, 7),  # locked
    (40, "A", 100.00, 7, 100.04, 7),  # normal
    (60, "B", NAN, 0, NAN, 0),
    (70, "A", NAN, 0, 100.04, 7),
    (80, "B", 100.05, 5, 100.06, 5),  # crossed
]


def tables(**changes: Any) -> Any:
    quotes = [(t * SECOND, bid, q, ask, p, "ABC", venue) for t, venue, bid, q, ask, p in ROWS]
    return by_hand(quotes=quotes, end=100 * SECOND, **changes)


def test_the_consolidated_quote_by_hand() -> None:
    quotes = consolidated_quotes(tables())
    assert list(quotes["state"]) == [
        "normal", "normal", "locked", "crossed", "locked", "normal", "normal", "one-sided", "crossed",
    ]  # fmt: skip
    assert list(quotes["bid"][:4]) == [99.98, 99.99, 100.02, 100.03]
    assert list(quotes["ask_quantity"][:3]) == [10, 15, 10]
    assert np.isnan(quotes["bid"][7])


def test_what_happens_at_one_nanosecond_is_one_row_and_what_changes_nothing_is_none() -> None:
    quotes = consolidated_quotes(
        by_hand(quotes=[(0, 99.0, 1, 101.0, 1, "ABC", "A"), (0, 98.0, 1, 99.0, 1, "ABC", "B"),
                        (0, 98.0, 1, 102.0, 1, "ABC", "B"), (5, 97.0, 1, 103.0, 1, "ABC", "B")])
    )  # fmt: skip
    assert list(quotes["state"]) == ["normal"]


def test_how_often_how_long_and_by_how_much() -> None:
    table = locked_and_crossed(tables())
    assert list(table["episodes"]) == [2, 2]
    assert list(table["share_of_time"]) == [pytest.approx(15 / 90), pytest.approx(25 / 90)]
    assert list(table["mean_time"]) == [7.5 * SECOND, 12.5 * SECOND]
    assert list(table["longest"]) == [10 * SECOND, 20 * SECOND]
    assert table.loc["crossed", "largest"] == pytest.approx(0.01)
    assert table.loc["crossed", "mean_amount"] == pytest.approx(0.01)
    assert list(crossed_times(tables())) == [5 * SECOND, 20 * SECOND]


def test_nothing_to_tell_is_told_without_complaint() -> None:
    for empty in (by_hand(), by_hand(quotes=[(0, 99.0, 1, 101.0, 1)]), by_hand(quotes=[(0, 99.0, 1, NAN, 0)])):
        assert list(locked_and_crossed(empty)["episodes"]) == [0, 0]
        assert len(crossed_times(empty)) == 0
        assert len(venue_shares(empty)) <= 1
        assert flows_by_venue(empty).empty


def test_the_warm_up_is_left_out() -> None:
    late = by_hand(quotes=[(t * SECOND, b, q, a, p, "ABC", v) for t, v, b, q, a, p in ROWS], start=33 * SECOND)
    assert list(crossed_times(late)) == [2 * SECOND, 20 * SECOND]


def test_who_is_at_the_best_price() -> None:
    shares = venue_shares(tables())
    # Bids: A alone at best for 10 s, 10 s at 60 (B empty); B from 10 to 60, and from 80; none from 70 to 80.
    bid_a, bid_b, bid_all = 10 + 10, 50 + 20, 90
    # Offers: A always, but from 80 on too (100.04 < 100.06); B shares it from 10 to 20.
    ask_a, ask_b = 100, 10
    assert shares.loc["A", "at_best"] == pytest.approx(0.5 * (bid_a / bid_all + ask_a / 100))
    assert shares.loc["B", "at_best"] == pytest.approx(0.5 * (bid_b / bid_all + ask_b / 100))
    assert shares.loc["B", "alone"] == pytest.approx(0.5 * (bid_b / bid_all + 0.0))
    assert shares.loc["A", "spread"] == pytest.approx((0.04 * 35 + 0.04 * 35) / 70)


def test_who_wins_which_flow() -> None:
    trades = [
        {"time": t * SECOND, "price": 100.0, "quantity": q, "side": 1, "taker": taker, "maker": "m", "venue": venue,
         "taker_fee": 0.3 * q, "maker_fee": -0.2 * q}
        for t, q, taker, venue in ((1, 5.0, "x.0", "A"), (2, 7.0, "x.1", "B"), (3, 4.0, "y", "B"), (200, 9.0, "y", "B"))
    ]  # fmt: skip
    agents = [{"name": name, "family": name[0]} for name in ("x.0", "x.1", "y", "m")]
    source = tables(trades=trades, agents=agents)
    flows = flows_by_venue(source)
    assert (flows.loc["x", "A"], flows.loc["x", "B"], flows.loc["y", "A"], flows.loc["y", "B"]) == (5, 7, 0, 4)
    assert list(flows_by_venue(source, side="maker").index) == ["m"]
    shares = venue_shares(source)
    assert list(shares["volume"]) == [5, 11]
    assert shares.loc["B", "volume_share"] == pytest.approx(11 / 16)
    assert shares.loc["B", "revenue"] == pytest.approx(0.1 * 11)
    with pytest.raises(InvalidValueError, match='use "taker" or "maker"'):
        flows_by_venue(source, side="both")


def test_a_late_feed_shows_what_is_not_there() -> None:
    """B's news takes 6 s longer: the lock at 35 s is never seen, a lock that never was is."""
    both = seen_and_true(tables(), delays={"A": 0, "B": "6s"})
    at = both.set_index("time")
    assert at.loc[35 * SECOND, "state"] == "locked"
    assert at.loc[35 * SECOND, "seen_state"] == "normal"
    table = states_seen(tables(), delays={"A": 0, "B": "6s"})
    assert float(table.to_numpy().sum()) == pytest.approx(1.0)
    assert table.loc["crossed", "crossed"] < 0.25
    exact = states_seen(tables(), delays={"A": 0, "B": 0})
    assert float(np.trace(exact.to_numpy())) == pytest.approx(1.0)


def test_a_venue_without_a_delay_is_told() -> None:
    with pytest.raises(InvalidValueError, match="delays name no time for venue 'B'"):
        seen_and_true(tables(), delays={"A": 0})


class Watcher(ms.Agent):
    """Keeps every consolidated quote that it sees."""

    def on_start(self) -> None:
        self.seen: list[tuple[int, int, int, int, int]] = []

    def on_consolidated(self, quote: ConsolidatedQuote) -> None:
        self.seen.append((self.now, quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity))


def test_what_the_log_says_an_agent_saw_is_what_it_saw() -> None:
    sites = {"sites": {"here": {}, "there": {}}, "links": [{"between": ["here", "there"], "latency": "3ms"}]}
    sim = ms.Simulation(seed=1, duration="5s", topology=sites)
    for venue, host in (("NEAR", "here"), ("FAR", "there")):
        sim.add_venue(venue, [Instrument("ABC")], host=host, processing="20us")
        sim.add_agents(ms.agents.Noise(rate="3/s"), 20, f"noise_{venue.lower()}", venues=[venue], host=host)
    sim.add_agent(Watcher(), "watcher", host="here")
    execution = sim.start()
    execution.advance("5s")
    agent = execution.world.sessions["watcher"].agent
    assert isinstance(agent, Watcher)
    run = execution.finish()
    delays = ms.feed_delays(run, "watcher")
    assert delays["FAR"] - delays["NEAR"] == 3_000_000
    told = consolidated_quotes(run, delays=delays)
    last = {row[0]: row[1:] for row in agent.seen}
    compared = 0
    for row in told.itertuples():
        time = int(row.time)
        if time not in last or time < SECOND // 10:
            continue
        bid, bid_quantity, ask, ask_quantity = last[time]
        assert (row.bid_quantity, row.ask_quantity) == (bid_quantity, ask_quantity), time
        assert bid_quantity == 0 or round(row.bid * 100) == bid
        assert ask_quantity == 0 or round(row.ask * 100) == ask
        compared += 1
    assert compared > 100
    assert compared > 0.95 * (told["time"] >= SECOND // 10).sum()
    with pytest.raises(InvalidValueError, match='did you mean "watcher"'):
        ms.feed_delays(run, "watchr")
