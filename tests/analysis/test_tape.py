"""The tape: selection, joined venues, look-ups before and at a moment, time-weighted means."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import SECOND, by_hand

from marketsim import analysis
from marketsim.analysis.tape import Tape
from marketsim.domain.instrument import Instrument
from marketsim.errors import DataError, InvalidValueError

NAN = float("nan")
TWO = (Instrument("ABC"), Instrument("XYZ"))


def test_only_trades_inside_the_measured_time_and_quotes_from_before_it() -> None:
    trades = [{"time": t, "price": 100.0, "quantity": 1.0} for t in (4, 5, 10, 11)]
    tape = Tape.of(by_hand(trades, [(1, 99.0, 1, 101.0, 1), (12, 90.0, 1, 110.0, 1)], start=5, end=10))
    assert tape.trade_time.tolist() == [5, 10]
    assert tape.quote_time.tolist() == [1]
    assert tape.at(tape.mid, np.array([0, 1, 5])).tolist()[1:] == [100.0, 100.0]
    assert np.isnan(tape.at(tape.mid, np.array([0]))[0])


def test_before_leaves_out_the_same_nanosecond_and_at_takes_its_last_row() -> None:
    tape = Tape.of(by_hand([], [(1, 99.0, 1, 101.0, 1), (5, 100.0, 1, 102.0, 1), (5, 101.0, 1, 103.0, 1)]))
    assert tape.before(tape.mid, np.array([5])).tolist() == [100.0]
    assert tape.at(tape.mid, np.array([5])).tolist() == [102.0]


def test_instruments_are_told_apart_and_must_be_named_when_there_are_several() -> None:
    trades = [
        {"time": 1, "price": 1.0, "quantity": 1.0},
        {"time": 2, "price": 2.0, "quantity": 1.0, "instrument": "XYZ"},
    ]
    tables = by_hand(trades, [(1, 1.0, 1, 2.0, 1), (1, 5.0, 1, 6.0, 1, "XYZ")], instruments=TWO)
    assert Tape.of(tables, "XYZ").price.tolist() == [2.0]
    assert Tape.of(tables, "XYZ").bid.tolist() == [5.0]
    with pytest.raises(InvalidValueError, match="ABC, XYZ"):
        Tape.of(tables)
    with pytest.raises(InvalidValueError, match='did you mean "XYZ"'):
        Tape.of(tables, "XYX")


def test_venues_are_joined_into_the_best_of_all() -> None:
    quotes = [
        (1, 99.0, 5, 102.0, 1, "ABC", "A"),
        (2, 100.0, 3, 101.0, 7, "ABC", "B"),
        (3, 100.0, 2, 103.0, 1, "ABC", "A"),
        (4, NAN, 0, NAN, 0, "ABC", "B"),
    ]
    tape = Tape.of(by_hand([], quotes))
    assert tape.bid.tolist() == [99.0, 100.0, 100.0, 100.0]
    assert tape.bid_quantity.tolist() == [5, 3, 5, 2]
    assert tape.ask.tolist() == [102.0, 101.0, 101.0, 103.0]
    assert tape.ask_quantity.tolist() == [1, 7, 7, 1]


def test_marks_never_miss() -> None:
    quotes = [(10, 99.0, 1, NAN, 0), (20, 99.0, 1, 101.0, 1), (30, NAN, 0, 101.0, 1)]
    tape = Tape.of(by_hand([], quotes, instruments=[Instrument("ABC", reference_price="50")]))
    assert tape.marks_at(np.array([0, 10, 20, 30])).tolist() == [50.0, 50.0, 100.0, 100.0]
    assert tape.marks_before(np.array([20, 21, 31])).tolist() == [50.0, 100.0, 100.0]
    nothing = Tape.of(by_hand())
    assert nothing.marks_at(np.array([7])).tolist() == [100.0]


def test_fills_of_one_order_merge_at_their_mean_price() -> None:
    rows = [
        (1, 1, 10.0, 1.0, 7),
        (1, 1, 11.0, 3.0, 7),
        (1, 1, 11.0, 1.0, 8),
        (1, -1, 9.0, 1.0, 8),
        (2, -1, 9.0, 1.0, 0),
    ]
    trades = [{"time": t, "side": s, "price": p, "quantity": q, "taker_order": o} for t, s, p, q, o in rows]
    tape = Tape.of(by_hand(trades)).merged()
    assert tape.price.tolist() == [10.75, 11.0, 9.0, 9.0]
    assert tape.quantity.tolist() == [4.0, 1.0, 1.0, 1.0]
    assert tape.side.tolist() == [1, 1, -1, -1]


def test_tables_out_of_order_are_refused_with_their_row() -> None:
    with pytest.raises(DataError, match=r"quotes of ABC:1.*sort"):
        Tape.of(by_hand([], [(5, 1.0, 1, 2.0, 1), (4, 1.0, 1, 2.0, 1)]))
    trades = [{"time": t, "price": 1.0, "quantity": 1.0} for t in (3, 3, 2)]
    with pytest.raises(DataError, match=r"trades of ABC:2"):
        Tape.of(by_hand(trades))


times = st.lists(st.integers(0, 40), min_size=1, max_size=12).map(sorted)


@given(times, st.lists(st.one_of(st.none(), st.integers(1, 9)), min_size=12, max_size=12), st.integers(1, 13))
def test_time_weighted_means_agree_with_counting_nanosecond_by_nanosecond(
    when: list[int], spreads: list[int | None], every: int
) -> None:
    start, end = 10, 30
    rows = [(t, 100.0, 1, NAN if s is None else 100.0 + s, 1) for t, s in zip(when, spreads, strict=False)]
    tape = Tape.of(by_hand([], rows, start=start, end=end))
    in_force = []
    for moment in range(start, end):
        seen = [row for row in rows if row[0] <= moment]
        in_force.append(seen[-1][3] - 100.0 if seen else NAN)
    known = [value for value in in_force if value == value]
    expected = float(np.mean(known)) if known else NAN
    assert tape.time_weighted(tape.spread) == pytest.approx(expected, nan_ok=True)
    edges = np.unique(np.append(np.arange(start, end, every), end))
    parts = [[v for v in in_force[a - start : b - start] if v == v] for a, b in pairwise(edges)]
    means = [float(np.mean(part)) if part else NAN for part in parts]
    assert tape.time_weighted_in(tape.spread, edges) == pytest.approx(means, nan_ok=True)


def test_a_tape_is_taken_where_tables_are() -> None:
    tape = Tape.of(by_hand([], [(1, 1.0, 1, 2.0, 1)], end=2 * SECOND))
    assert Tape.of(tape) is tape


def test_a_path_is_refused_with_what_opens_it() -> None:
    asked: list[Any] = [analysis.microstructure, analysis.stylized_facts, analysis.surveil, analysis.accounts, Tape.of]
    for one in asked:
        with pytest.raises(InvalidValueError, match=r"give a run: ms\.Run\.open\('runs/a-1'\)"):
            one("runs/a-1")
        with pytest.raises(InvalidValueError, match=r"int is no run"):
            one(3)
