"""Time at best: by hand, and against a slow twin that looks at every moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import SECOND, Tables, by_hand

from marketsim.analysis import time_at_best


@dataclass(frozen=True)
class Moved(Tables):
    order_prices: pd.DataFrame = None  # type: ignore[assignment]


def order(number: int, begin: float, end: float, side: int, price: float, agent: str = "mm") -> dict[str, Any]:
    last = -1 if end < 0 else int(end * SECOND)
    return {
        "order_id": number, "time": int(begin * SECOND), "end_time": last, "side": side, "price": price,
        "agent": agent, "order_type": "LIMIT", "quantity": 1.0, "state": "CANCELED",
    }  # fmt: skip


QUOTES = [(0, 99.0, 1, 101.0, 1), (20 * SECOND, 99.0, 1, 102.0, 1), (60 * SECOND, 98.0, 1, 101.0, 1)]


def test_by_hand() -> None:
    orders = [
        order(1, 10, 40, 1, 99.0),  # at best for 30 s
        order(2, 30, 50, 1, 99.0),  # 10 s more, and 10 s that count already
        order(3, 0, -1, -1, 101.0),  # until 20 s, and from 60 s on
        order(4, 0, 100, 1, 98.0),  # from 60 s on
        order(5, 0, 100, 1, 97.0, "far"),
        order(6, 0, 10, -1, 101.0, ""),  # nobody's
    ]
    found = time_at_best(by_hand(quotes=QUOTES, orders=orders), "ABC")
    assert found.index.tolist() == ["far", "mm"]
    assert found.loc["mm"].tolist() == pytest.approx([0.8, 0.6, 0.7])
    assert found.loc["far"].tolist() == [0.0, 0.0, 0.0]


def test_an_order_that_was_moved_stood_at_each_of_its_prices() -> None:
    tables = by_hand(quotes=QUOTES, orders=[order(1, 0, 100, 1, 98.0)])
    assert time_at_best(tables, "ABC").loc["mm", "bid"] == pytest.approx(0.4)
    moves = pd.DataFrame(
        {"time": [0, 30 * SECOND], "instrument": "ABC", "venue": "", "order_id": 1, "price": [99.0, 98.0]}
    )
    parts = {name: getattr(tables, name) for name in tables.__dataclass_fields__}
    assert time_at_best(Moved(**parts, order_prices=moves), "ABC").loc["mm", "bid"] == pytest.approx(0.3 + 0.4)


def test_no_orders_and_no_quotes() -> None:
    assert time_at_best(by_hand(quotes=QUOTES), "ABC").empty
    assert time_at_best(by_hand(orders=[order(1, 0, 9, 1, 98.0)]), "ABC").loc["mm", "both"] == 0.0


spells = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(98, 101), st.booleans()), max_size=12)
moves = st.lists(st.tuples(st.integers(0, 30), st.integers(98, 101)), min_size=1, max_size=12)


@settings(max_examples=15)
@given(spells, moves)
def test_agrees_with_looking_at_every_moment(
    wanted: list[tuple[int, int, int, bool]], path: list[tuple[int, int]]
) -> None:
    orders = [
        order(n, begin, begin + length, 1, float(price), "a" if mine else "b")
        for n, (begin, length, price, mine) in enumerate(sorted(wanted))
    ]
    steps = sorted(dict(path).items())
    tables = by_hand(
        quotes=[(at * SECOND, float(bid), 1, 110.0, 1) for at, bid in steps],
        orders=orders,
        start=2 * SECOND,
        end=35 * SECOND,
    )
    found = time_at_best(tables, "ABC")
    for agent in found.index:
        there = 0
        for moment in np.arange(2, 35) + 0.5:
            bid = [price for at, price in steps if at <= moment][-1:]
            held = [o for o in orders if o["agent"] == agent and o["time"] / SECOND <= moment < o["end_time"] / SECOND]
            there += any([o["price"]] == [float(b) for b in bid] for o in held)
        assert found.loc[agent, "bid"] == pytest.approx(there / 33)
