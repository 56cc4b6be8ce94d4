"""The user's own CSV and Parquet: columns, words and units as the caller says, values exact, bad rows named."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketsim.data import Tape, TapeFlag, TapeKind, read_events, read_trades
from marketsim.errors import DataError, InvalidValueError

HEADER = "time,kind,order_id,side,price,quantity"
ROWS = [
    "1000,add,7,buy,10.01,50",
    "2000,add,8,sell,10.05,30",
    "2000,reduce,7,buy,10.01,10",
    "3000,execute,8,sell,10.05,30",
    "4000,execute_hidden,,sell,10.035,5",
    "5000,halt,,,,",
    "6000,resume,,,,",
    "7000,delete,7,buy,10.01,40",
]


def written(folder: Path, rows: list[str], header: str = HEADER, name: str = "mine.csv") -> Path:
    path = folder / name
    text = "\n".join([header, *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def content(tape: Tape) -> list[tuple[int, ...]]:
    names = ("time", "kind", "order_id", "side", "price", "beyond", "quantity")
    return [tuple(int(row[name]) for name in names) for row in tape.events]


MEANT = [
    (1000, 1, 1, 1, 1001, 0, 50),
    (2000, 1, 2, -1, 1005, 0, 30),
    (2000, 2, 1, 1, 1001, 0, 10),
    (3000, 4, 2, -1, 1005, 0, 30),
    (4000, 5, 0, -1, 1003, 5000, 5),
    (5000, 7, 0, 0, 0, 0, 0),
    (6000, 9, 0, 0, 0, 0, 0),
    (7000, 3, 1, 1, 1001, 0, 40),
]

# --- order events ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mine.csv", "mine.csv.gz"])
def test_events_of_a_csv_file(tmp_path: Path, name: str) -> None:
    tape = read_events(written(tmp_path, ROWS, name=name), symbol="ABC")
    assert content(tape) == MEANT
    assert tape.numbers.tolist() == [0, 7, 8]
    assert tape.events["row"].tolist() == list(range(2, 10))  # the header is line 1
    assert tape.book is None
    assert (tape.start, tape.end) == (1000, 7000)
    assert (tape.instrument.symbol, tape.instrument.tick_size) == ("ABC", Decimal("0.01"))


def test_events_of_a_parquet_file(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime([0, 1, 2], unit="ns"),
            "kind": ["add", "execute", "delete"],
            "order_id": [5, 5, 5],
            "side": [1, 1, 1],
            "price": [10.01, 10.01, np.nan],
            "quantity": [50.0, 20.0, np.nan],
        }
    )
    frame.to_parquet(tmp_path / "mine.parquet")
    tape = read_events(tmp_path / "mine.parquet", symbol="ABC")
    assert content(tape) == [(0, 1, 1, 1, 1001, 0, 50), (1, 4, 1, 1, 1001, 0, 20), (2, 3, 1, 1, 1001, 0, 30)]
    assert tape.events["row"].tolist() == [1, 2, 3]


def test_other_names_words_and_units(tmp_path: Path) -> None:
    rows = ["34200.000000001,A,x-1,0,1000,2", "34200.5,A,x-2,1,1010,3", "34201,X,x-1,0,1000,2", "34201,T,x-2,1,1010,1"]
    path = written(tmp_path, rows, "ts,action,id,side,cents,hundreds")
    tape = read_events(
        path,
        symbol="ABC",
        columns={"time": "ts", "kind": "action", "order_id": "id", "price": "cents", "quantity": "hundreds"},
        kinds={"A": "add", "X": "delete", "T": "EXECUTE"},
        sides={"0": "buy", "1": "Sell"},
        time_unit="s",
        price_unit="0.01",
        quantity_unit=100,
        tick_size="0.05",
        lot_size=10,
    )
    assert content(tape) == [
        (34_200_000_000_001, 1, 1, 1, 200, 0, 20),
        (34_200_500_000_000, 1, 2, -1, 202, 0, 30),
        (34_201_000_000_000, 3, 1, 1, 200, 0, 20),
        (34_201_000_000_000, 4, 2, -1, 202, 0, 10),
    ]
    assert tape.numbers.tolist() == ["", "x-1", "x-2"]
    assert tape.orders["order_id"].tolist() == [1, 2]  # the source has names, the table numbers
    assert tape.orders["price"].tolist() == [10.0, 10.1]


@pytest.mark.parametrize(
    ("unit", "text", "time"),
    [
        ("ns", "1344000000123456789", 1_344_000_000_123_456_789),
        ("us", "1344000000123456.789", 1_344_000_000_123_456_789),
        ("ms", "1344000000123.456789", 1_344_000_000_123_456_789),
        ("s", "1344000000.123456789", 1_344_000_000_123_456_789),
        ("s", "1344000000", 1_344_000_000_000_000_000),
        ("iso", "2012-08-03T13:20:00.123456789", 1_344_000_000_123_456_789),
        ("iso", "2012-08-03 13:20:00", 1_344_000_000_000_000_000),
    ],
)
def test_times_are_exact_to_the_nanosecond(tmp_path: Path, unit: str, text: str, time: int) -> None:
    rows = [f"{text},add,1,buy,10,1"]
    assert read_events(written(tmp_path, rows), symbol="A", time_unit=unit).events["time"][0] == time


def test_what_an_order_s_first_row_said_need_not_be_repeated(tmp_path: Path) -> None:
    rows = [
        "1,add,a,buy,10,50",
        "2,reduce,a,,,5",
        "3,execute,a,,,15",
        "4,delete,a,,,",
        "5,add,a,sell,11,1",
        "6,delete,a,,,",
    ]
    tape = read_events(written(tmp_path, rows), symbol="A")
    assert content(tape)[1:] == [
        (2, 2, 1, 1, 1000, 0, 5),
        (3, 4, 1, 1, 1000, 0, 15),
        (4, 3, 1, 1, 1000, 0, 30),
        (5, 1, 2, -1, 1100, 0, 1),
        (6, 3, 2, -1, 1100, 0, 1),
    ]


def test_other_columns_can_be_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, [f"{row},x" for row in ROWS], f"{HEADER},comment")
    with pytest.raises(DataError, match=r"mine\.csv:1: unknown column 'comment'.*extra=\"ignore\""):
        read_events(path, symbol="ABC")
    assert content(read_events(path, symbol="ABC", extra="ignore")) == MEANT


BAD = [
    ("7000,dellete,7,buy,10.01,40", "kind 'dellete': expected a kind; did you mean \"delete\"?"),
    ("7000,,7,buy,10.01,40", "kind '': expected a kind such as add or delete"),
    ("7000,delete,,buy,10.01,40", "order_id is empty: expected one in a row of kind DELETE"),
    ("7000,delete,7,byu,10.01,40", "side 'byu': expected a side"),
    ("7000,add,9,,10.01,40", "side is empty: expected buy or sell"),
    ("7000,delete,7,buy,10.015,40", "price 10.015: expected a multiple of 0.01"),
    ("7000,delete,7,buy,ten,40", "price 'ten': expected a number"),
    ("7000,delete,7,buy,inf,40", "price 'inf': expected a number"),
    ("7000,delete,7,buy,1e30,40", "price 1e30: too large"),
    ("7000,delete,7,buy,-10.01,40", "price -10.01: expected a number above 0"),
    ("7000,add,9,buy,,40", "price is empty: expected a number above 0"),
    ("7000,delete,7,buy,10.01,-40", "quantity -40: expected a number above 0"),
    ("7000,delete,7,buy,10.01,0", "quantity 0: expected a number above 0"),
    ("7000,reduce,7,buy,10.01,", "quantity is empty: expected a number above 0"),
    ("7000,delete,7,buy,10.01,1.5", "quantity 1.5: expected a multiple of 1"),
    ("5999,delete,7,buy,10.01,40", "time 5999 after a later one: expected rows in the order of their times"),
    ("-7,delete,7,buy,10.01,40", "time -7: expected a time that is not negative"),
    ("7000.5,delete,7,buy,10.01,40", "time '7000.5': expected a number of ns that is no finer than a nanosecond"),
    ("noon,delete,7,buy,10.01,40", "time 'noon': expected a number of ns"),
    (",delete,7,buy,10.01,40", "time '': expected a number of ns"),
    ("99999999999999999999,delete,7,buy,10.01,40", "time '99999999999999999999': expected a number of ns"),
    ("7000,delete,7,buy,10.01", "5 columns, expected 6"),
    ("7000,delete,7,buy,10.01,40,1", "7 columns, expected 6"),
]


@pytest.mark.parametrize(("row", "says"), BAD)
def test_a_bad_row_is_named(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(DataError) as caught:
        read_events(written(tmp_path, [*ROWS[:7], row]), symbol="ABC")
    assert str(caught.value).startswith("mine.csv:9: ")
    assert says in str(caught.value)
    assert caught.value.record == 9


@pytest.mark.parametrize("row", [row for row, _ in BAD])
def test_a_bad_row_can_be_left_out(tmp_path: Path, row: str) -> None:
    rows = [*ROWS[:7], row, "8000,add,10,buy,9.99,1"]
    tape = read_events(written(tmp_path, rows), symbol="ABC", on_error="skip")
    assert content(tape)[:-1] == MEANT[:7]
    assert tape.skipped == len(tape.findings) == 1
    assert tape.findings[0].row == 9
    assert tape.events["row"][-1] == 10
    assert tape.events["flags"][-1] == TapeFlag.GAP


def test_names_of_columns(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS, HEADER.replace("quantity", "quantitiy"))
    with pytest.raises(DataError, match=r"mine\.csv:1: no column 'quantity'; did you mean \"quantitiy\"\?"):
        read_events(path, symbol="ABC")
    assert content(read_events(path, symbol="ABC", columns={"quantity": "quantitiy"})) == MEANT
    with pytest.raises(InvalidValueError, match="'size' is not a column of ours"):
        read_events(path, symbol="ABC", columns={"size": "quantitiy"})
    with pytest.raises(DataError, match="column 'time' is there more than once"):
        read_events(written(tmp_path, ROWS, HEADER.replace("kind", "time")), symbol="ABC")


def test_choices_that_make_no_sense(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    with pytest.raises(InvalidValueError, match="time_unit='hours'"):
        read_events(path, symbol="ABC", time_unit="hours")
    with pytest.raises(InvalidValueError, match=r"kinds: 'A' means 'ad'; did you mean \"add\"\?"):
        read_events(path, symbol="ABC", kinds={"A": "ad"})
    with pytest.raises(InvalidValueError, match="extra='drop'"):
        read_events(path, symbol="ABC", extra="drop")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="above zero"):
        read_events(path, symbol="ABC", price_unit=0)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_events(tmp_path / "none.csv", symbol="ABC")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="empty file, expected a header"):
        read_events(tmp_path / "empty.csv", symbol="ABC")
    with pytest.raises(DataError, match="no rows"):
        read_events(written(tmp_path, [], name="bare.csv"), symbol="ABC")
    with pytest.raises(DataError, match="no good row is left"):
        read_events(written(tmp_path, ["x,add,1,buy,1,1"]), symbol="ABC", on_error="skip")
    frame = pd.DataFrame({"time": [1], "price": [1.0], "quantity": [1]})
    frame.to_parquet(tmp_path / "cut.parquet")
    raw = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DataError, match=r"cut\.parquet: not a whole Parquet file \(truncated\?\)"):
        read_trades(tmp_path / "cut.parquet", symbol="ABC")
    packed = written(tmp_path, ROWS * 50, name="cut.csv.gz")
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"cut\.csv\.gz: truncated gzip file"):
        read_events(packed, symbol="ABC")


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    path.write_bytes(path.read_bytes() + b"9,add,\xff,buy,1,1\n")
    with pytest.raises(DataError, match=rf"mine\.csv:{len(ROWS) + 2}: the byte 0xff is no UTF-8 text"):
        read_events(path, symbol="ABC")
    path.write_bytes(b"time,\rkind\n1,2\n")
    with pytest.raises(DataError, match="the header cannot be read as CSV"):
        read_events(path, symbol="ABC")


def test_columns_of_types_that_hold_no_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": [1, 2], "price": [[1.0], [2.0]], "quantity": [b"1", b"x"]})
    frame.to_parquet(tmp_path / "odd.parquet")
    with pytest.raises(DataError, match=r"odd\.parquet:1: price .* expected a number"):
        read_trades(tmp_path / "odd.parquet", symbol="ABC")


def test_a_time_of_a_hundred_million_digits_costs_no_time(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a number of ns"):
        read_trades(written(tmp_path, ["1e99999999,1,1"], "time,price,quantity"), symbol="ABC")


@st.composite
def flows(draw: st.DrawFn) -> list[tuple[int, ...]]:
    time, rows = draw(st.integers(0, 10**18)), []
    for order in range(1, draw(st.integers(1, 12)) + 1):
        time += draw(st.integers(0, 10**10))
        side, price = draw(st.sampled_from((1, -1))), draw(st.integers(1, 10**9))
        quantity = draw(st.integers(2, 10**9))
        rows.append((time, 1, order, side, price, 0, quantity))
        if draw(st.booleans()):
            rows.append((time, draw(st.sampled_from((2, 4))), order, side, price, 0, quantity - 1))
            rows.append((time, 3, order, side, price, 0, 1))
    return rows


@given(flows(), st.sampled_from(["0.01", "0.0001", "0.25", "5"]), st.booleans(), st.sampled_from(["ns", "us", "s"]))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_is_read(
    tmp_path: Path, rows: list[tuple[int, ...]], tick: str, parquet: bool, unit: str
) -> None:
    scale = {"ns": 1, "us": 10**3, "s": 10**9}[unit]
    columns: dict[str, list[Any]] = {
        "time": [Decimal(row[0]) / scale for row in rows],
        "kind": [TapeKind(row[1]).name for row in rows],
        "order_id": [row[2] + 40 for row in rows],
        "side": ["buy" if row[3] > 0 else "sell" for row in rows],
        "price": [row[4] * Decimal(tick) for row in rows],
        "quantity": [row[6] for row in rows],
    }
    path = tmp_path / ("mine.parquet" if parquet else "mine.csv")
    if parquet:
        columns["time"] = [row[0] for row in rows]
        columns["price"] = [float(price) for price in columns["price"]]
        unit = "ns"
        pd.DataFrame(columns).to_parquet(path)
    else:
        columns["time"] = [f"{value:f}" for value in columns["time"]]
        columns["price"] = [f"{value:f}" for value in columns["price"]]
        pd.DataFrame(columns).to_csv(path, index=False)
    tape = read_events(path, symbol="ABC", tick_size=tick, time_unit=unit)
    assert content(tape) == rows
    assert tape.numbers[1:].tolist() == sorted({row[2] + 40 for row in rows})


# --- trades ----------------------------------------------------------------------------------------------------------

TRADES = ["1,10.00,5,buy", "2,10.01,6,sell", "2,10.005,7,", "3,10.005,8,", "4,9.99,9,"]


def test_trades_of_a_csv_file(tmp_path: Path) -> None:
    tape = read_trades(written(tmp_path, TRADES, "time,price,quantity,side"), symbol="ABC", time_unit="s")
    assert tape.counts() == {TapeKind.TRADE: 5}
    table = tape.trades
    assert table["time"].tolist() == [10**9, 2 * 10**9, 2 * 10**9, 3 * 10**9, 4 * 10**9]
    assert table["price"].tolist() == [10.0, 10.01, 10.005, 10.005, 9.99]
    assert table["quantity"].tolist() == [5, 6, 7, 8, 9]
    assert table["side"].tolist() == [1, -1, 0, 0, 0]  # the aggressor's
    assert len(tape.quotes) == len(tape.orders) == len(tape.agents) == 0


def test_sides_by_the_tick_rule(tmp_path: Path) -> None:
    rows = [row.rsplit(",", 1)[0] for row in TRADES]
    path = written(tmp_path, rows, "time,price,quantity")
    assert read_trades(path, symbol="ABC").trades["side"].tolist() == [0] * 5
    assert read_trades(path, symbol="ABC", tick_rule=True).trades["side"].tolist() == [0, 1, -1, -1, -1]
    mixed = written(tmp_path, TRADES, "time,price,quantity,side")
    assert read_trades(mixed, symbol="ABC", tick_rule=True).trades["side"].tolist() == [1, -1, -1, -1, -1]


def test_bad_trades(tmp_path: Path) -> None:
    path = written(tmp_path, [*TRADES, "5,0,9,buy", "4,10,-9,buy"], "time,price,quantity,side")
    with pytest.raises(DataError, match=r"mine\.csv:7: price 0: expected a number above 0.*and 1 more"):
        read_trades(path, symbol="ABC")
    tape = read_trades(path, symbol="ABC", on_error="skip")
    assert (len(tape), tape.skipped) == (5, 2)
    with pytest.raises(DataError, match="no column 'time'"):
        read_trades(written(tmp_path, ["1,1"], "price,quantity"), symbol="ABC")
