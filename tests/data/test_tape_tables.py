"""A tape as tables: the shape that analysis reads, and measures that run on it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lobster_files import write_pair

import marketsim.data as room
from marketsim import analysis
from marketsim.data import ORDER_EVENT, Tape, TapeKind, find_data, read_lobster
from marketsim.data.numbering import number_orders
from marketsim.domain.tables import AGENTS, ORDERS, QUOTES, TRADES
from marketsim.errors import DataError, InvalidValueError

SECOND = 10**9


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return read_lobster(write_pair(tmp_path))


def test_every_table_has_its_columns_and_types(tape: Tape) -> None:
    for table, shape in ((tape.trades, TRADES), (tape.quotes, QUOTES), (tape.orders, ORDERS), (tape.agents, AGENTS)):
        assert {name: str(kind) for name, kind in table.dtypes.items()} == shape
        assert list(table.columns) == list(shape)


def test_trades(tape: Tape) -> None:
    table = tape.trades
    assert table["time"].tolist() == [34_200_500_000_001, 34_201_000_000_000]
    assert table["price"].tolist() == [100.02, 100.015]
    assert table["quantity"].tolist() == [20.0, 7.0]
    assert table["side"].tolist() == [1, -1]  # the aggressor's, not the resting order's
    assert table["maker_order"].tolist() == [12, 0]
    assert set(table["instrument"]) == {"ABC"}


def test_quotes_are_the_changes_of_the_best_levels(tape: Tape) -> None:
    table = tape.quotes
    assert table["time"].tolist() == [
        34_200_000_000_001, 34_200_500_000_000, 34_200_500_000_001, 34_202_250_000_000, 34_204_000_000_000,
    ]  # fmt: skip
    assert table["bid"].tolist()[:4] == [100.0] * 4
    assert math.isnan(table["bid"].iloc[-1])
    assert table["bid_quantity"].tolist() == [100, 100, 100, 90, 0]
    assert math.isnan(table["ask"].iloc[0])
    assert table["ask_quantity"].tolist() == [0, 50, 30, 30, 30]


def test_orders_and_what_became_of_them(tape: Tape) -> None:
    table = tape.orders.set_index("order_id")
    assert table.loc[11, "state"] == "CANCELED"
    assert table.loc[11, "reason"] == "BY_REQUEST"
    assert table.loc[11, "cancel_requests"] == 2
    assert table.loc[11, "end_time"] == 34_204 * SECOND
    assert table.loc[12, "state"] == "PARTIALLY_FILLED"
    assert table.loc[12, "filled"] == 20
    assert table.loc[12, "end_time"] == -1
    assert table["side"].tolist() == [1, -1]
    assert table["price"].tolist() == [100.0, 100.02]


def test_depth_at_changes_and_on_a_clock(tape: Tape) -> None:
    assert len(tape.depth(1)) == 5
    assert list(tape.depth(2).columns) == [
        "time",
        *("ask_1", "ask_quantity_1", "bid_1", "bid_quantity_1"),
        *("ask_2", "ask_quantity_2", "bid_2", "bid_quantity_2"),
    ]
    clock = tape.depth(1, every=SECOND).iloc[:6]
    assert clock["time"].tolist() == [(34_200 + second) * SECOND for second in range(6)]
    assert clock["bid_quantity_1"].tolist() == [0, 100, 100, 90, 0, 0]  # nothing is known before the first row
    assert math.isnan(clock["bid_1"].iloc[0])
    assert len(tape.depth(9).columns) == 9  # no more levels than were recorded


def test_what_a_tape_refuses(tape: Tape) -> None:
    with pytest.raises(InvalidValueError, match="this tape has 'ABC'"):
        tape.depth(1, "XYZ")
    with pytest.raises(InvalidValueError, match="above zero"):
        tape.depth(0)
    with pytest.raises(DataError, match="rebuild"):
        replace(tape, book=None).depth(1)
    with pytest.raises(InvalidValueError, match="ORDER_EVENT"):
        replace(tape, events=np.zeros(3))
    with pytest.raises(InvalidValueError, match=r"shape \(rows, levels, 4\)"):
        tape.with_book(np.zeros((3, 1, 4), np.int64))
    with pytest.raises(InvalidValueError, match="this tape has rows 0 to 8"):
        tape.rows(5, 9)


def test_a_part_of_a_tape(tape: Tape) -> None:
    part = tape.rows(2, 5)
    assert (len(part), part.start, part.end) == (3, 34_200_500_000_001, 34_202_250_000_000)
    assert part.book is not None
    assert tape.book is not None
    assert np.array_equal(part.book, tape.book[2:5])
    assert (tape.rows(0, 8).start, tape.rows(0, 8).end) == (tape.start, tape.end)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.booleans()), max_size=40),
    st.booleans(),
)
def test_orders_are_numbered_by_first_mention(rows: list[tuple[int, bool, bool]], as_text: bool) -> None:
    names, arrivals, named = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    wanted, current, seen = [], {}, []
    for name, arrives, counts in rows:
        if not counts:
            wanted.append(0)
            continue
        if arrives or name not in current:
            seen.append(name)
            current[name] = len(seen)
        wanted.append(current[name])
    array = np.array([str(name) for name in names], dtype="U4") if as_text else np.array(names, np.int64)
    ids, numbers = number_orders(array, np.array(arrivals, np.bool_), np.array(named, np.bool_))
    assert ids.tolist() == wanted
    assert [int(name) for name in numbers[1:]] == seen


# --- analysis on recorded data ---------------------------------------------------------------------------------------

LOBSTER = find_data("lobster")


@pytest.mark.skipif(LOBSTER is None, reason="no recorded data: set MARKETSIM_DATA or put them into ../shared/data")
def test_measures_run_on_a_recorded_day() -> None:
    assert LOBSTER is not None
    tape = read_lobster(next(LOBSTER.glob("AMZN_*_message_*")))
    assert 0.05 < analysis.best_depth(tape) < 1_000
    assert -0.5 < analysis.mean_imbalance(tape) < 0.5
    assert analysis.depth_profile(tape, 10).shape[0] == 5
    assert analysis.book_imbalance(tape).abs().max() <= 1.0
    assert len(analysis.quote_imbalance(tape)) == len(tape.quotes)


# --- the room --------------------------------------------------------------------------------------------------------


def test_what_the_room_offers_is_there_and_sorted() -> None:
    assert sorted(room.__all__) == sorted(set(room.__all__))
    assert all(getattr(room, name) is not None for name in room.__all__)
    assert ORDER_EVENT.itemsize == 48
    assert [int(kind) for kind in TapeKind] == list(range(1, 11))


def test_where_recorded_data_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETSIM_DATA", raising=False)
    root = tmp_path / "project"
    assert find_data(start=root) is None
    (tmp_path / "shared" / "data" / "lobster").mkdir(parents=True)
    assert find_data(start=root) == tmp_path / "shared" / "data"
    assert find_data("lobster", start=root) == tmp_path / "shared" / "data" / "lobster"
    assert find_data("itch", start=root) is None
    monkeypatch.setenv("MARKETSIM_DATA", str(tmp_path / "elsewhere"))
    assert find_data(start=root) is None
    (tmp_path / "elsewhere").mkdir()
    assert find_data(start=root) == tmp_path / "elsewhere"
