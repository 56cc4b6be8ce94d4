"""Reaction times against a case by hand, a property, and what a run must show of its latencies."""

from __future__ import annotations

import pytest
from synthetic import by_hand

import marketsim as ms
from marketsim.analysis import figures, reaction_times
from marketsim.domain.units import MICROSECOND, MILLISECOND
from marketsim.errors import InvalidValueError

AGENTS = [
    {"name": name, "family": family, "type": "X", "initial_cash": 0.0} for name, family in (("a", "a"), ("b.0", "b"))
]
ORDER = {"order_id": 1, "venue": "", "side": 1, "order_type": "LIMIT", "price": 1.0, "quantity": 1.0}


def test_by_hand() -> None:
    quotes = [(10, 1.0, 1, 2.0, 1), (50, 1.0, 2, 2.0, 1), (90, 1.0, 1, 2.0, 1), (95, 1.0, 3, 2.0, 1)]
    orders = [
        {**ORDER, "time": 5, "agent": "a"},  # before anything
        {**ORDER, "time": 50, "agent": "a"},  # its own doing: 40 after what was before
        {**ORDER, "time": 60, "agent": "a"},  # 50 was its own: 50 after 10
        {**ORDER, "time": 60, "agent": "b.0"},  # 10 after 50, which was another's
        {**ORDER, "time": 95, "end_time": 95, "agent": "b.0"},
        {**ORDER, "time": 99, "agent": "b.0"},  # 95 was its own
    ]
    trades = [{"time": 92, "price": 1.0, "quantity": 1.0, "side": 1}]
    found = reaction_times(by_hand(trades, quotes, agents=AGENTS, orders=orders, start=0, end=100))
    assert found["delay"].tolist() == [40, 50, 10, 3, 7]
    assert found["family"].tolist() == ["a", "a", "b", "b", "b"]


def test_the_least_time_is_the_latency_there_and_back() -> None:
    run = ms.load("quickstart", {"duration": "3min", "network.latency": "300us"}).run()
    found = reaction_times(run)
    assert (found["delay"] > 0).all()
    learner = found.loc[found["family"] == "learner", "delay"]
    assert len(learner) > 3
    assert learner.min() >= 2 * 200 * MICROSECOND  # its own latency, to it and back to the venue
    early = found.groupby("family")["delay"].quantile(0.3)
    assert early["market_maker"] < MILLISECOND < 20 * MILLISECOND < early["noise"]
    assert "how soon" in figures.latency(run).axes[0].get_title(loc="left")


def test_a_tape_has_none() -> None:
    with pytest.raises(InvalidValueError, match="there are no orders; measure a run"):
        reaction_times(by_hand())
    assert "no orders" in figures.latency(by_hand()).axes[0].texts[0].get_text()
