"""LOBSTER files: what is in them arrives exactly, what is wrong with them is named by file and row."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lobster_files import BOOK, MESSAGES, NAME, with_line, write_pair

from marketsim.data import ORDER_EVENT, Tape, TapeFlag, TapeKind, find_data, find_lobster, read_lobster
from marketsim.errors import DataError, InvalidValueError

# --- what arrives ----------------------------------------------------------------------------------------------------


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return read_lobster(write_pair(tmp_path))


def test_times_prices_and_orders_are_exact(tape: Tape) -> None:
    events = tape.events
    assert events.dtype == ORDER_EVENT
    assert events["time"].tolist() == [
        34_200_000_000_001,
        34_200_500_000_000,
        34_200_500_000_001,
        34_201_000_000_000,
        34_202_250_000_000,
        34_202_250_000_000,
        34_203_000_000_000,
        34_204_000_000_000,
    ]
    assert [TapeKind(kind).name for kind in events["kind"].tolist()] == [
        "ADD", "ADD", "EXECUTE", "EXECUTE_HIDDEN", "REDUCE", "HALT", "RESUME", "DELETE",
    ]  # fmt: skip
    assert events["order_id"].tolist() == [1, 2, 2, 0, 1, 0, 0, 1]
    assert tape.numbers.tolist() == [0, 11, 12]
    assert events["price"].tolist() == [10_000, 10_002, 10_002, 10_001, 10_000, 0, 0, 10_000]
    assert events["beyond"].tolist() == [0, 0, 0, 5_000, 0, 0, 0, 0]  # half a cent
    assert events["quantity"].tolist() == [100, 50, 20, 7, 10, 0, 0, 90]
    assert events["side"].tolist() == [1, -1, -1, 1, 1, 0, 0, 1]
    assert events["row"].tolist() == list(range(1, 9))
    assert (events["flags"] == 0).all()


def test_the_book_is_in_ticks_and_missing_levels_are_empty(tape: Tape) -> None:
    assert tape.book is not None
    assert tape.book.shape == (8, 2, 4)
    assert tape.book[0].tolist() == [[0, 0, 10_000, 100], [0, 0, 0, 0]]
    assert tape.book[4].tolist() == [[10_002, 30, 10_000, 90], [0, 0, 0, 0]]
    assert tape.levels == 2


def test_the_name_says_the_rest(tape: Tape) -> None:
    assert tape.instrument.symbol == "ABC"
    assert tape.instrument.tick_size == Decimal("0.01")
    assert (tape.start, tape.end) == (34_200_000_000_000, 57_600_000_000_000)
    assert tape.instrument.reference == 10_000
    assert tape.counts()[TapeKind.ADD] == 2
    assert (tape.findings, tape.skipped) == ((), 0)
    assert "8 events, 2 orders, 2 levels" in repr(tape)


@pytest.mark.parametrize("packed", [False, True])
def test_any_of_the_two_files_or_their_folder_will_do(tmp_path: Path, packed: bool) -> None:
    message = write_pair(tmp_path, packed=packed)
    book = message.parent / message.name.replace("message", "orderbook")
    wanted = read_lobster(message)
    for path in (str(message), book, tmp_path, str(tmp_path)):
        other = read_lobster(path, symbol="XYZ")
        assert np.array_equal(other.events, wanted.events)
        assert np.array_equal(other.book, wanted.book)  # type: ignore[arg-type]
        assert other.instrument.symbol == "XYZ"


def test_one_file_may_be_packed_and_the_other_not(tmp_path: Path) -> None:
    message = write_pair(tmp_path)
    book = tmp_path / NAME.format("orderbook", 2)
    (tmp_path / f"{book.name}.gz").write_bytes(gzip.compress(book.read_bytes()))
    book.unlink()
    assert find_lobster(message).book == tmp_path / f"{book.name}.gz"
    assert read_lobster(message).levels == 2


def test_names_that_are_not_lobsters_are_read_too(tmp_path: Path) -> None:
    for word, lines in (("message", MESSAGES), ("orderbook", BOOK)):
        (tmp_path / f"my_{word}.csv").write_text("\n".join(lines))  # and no line end after the last line
    tape = read_lobster(tmp_path / "my_message.csv")
    assert (tape.instrument.symbol, len(tape)) == ("my", 8)
    assert (tape.start, tape.end) == (34_200_000_000_001, 34_204_000_000_000)


def test_messages_alone(tmp_path: Path) -> None:
    message = write_pair(tmp_path)
    (tmp_path / NAME.format("orderbook", 2)).unlink()
    tape = read_lobster(message, book=False)
    assert tape.book is None
    assert tape.levels == 0
    assert len(tape) == 8


def test_windows_line_ends_and_an_attribution_column(tmp_path: Path) -> None:
    lines = [f"{line},{'null' if row % 2 else 'MPID'}\r" for row, line in enumerate(MESSAGES)]
    tape = read_lobster(write_pair(tmp_path, lines, [f"{line}\r" for line in BOOK]))
    assert tape.events["price"][0] == 10_000
    assert len(tape) == 8


def test_digits_that_a_float_left_behind_are_no_nanoseconds(tmp_path: Path) -> None:
    lines = with_line(MESSAGES, 3, "34200.632812672004,4,12,20,1000200,-1")
    assert read_lobster(write_pair(tmp_path, lines)).events["time"][2] == 34_200_632_812_672


@pytest.mark.parametrize(
    ("price", "tick", "ticks"), [(1000050, "0.0001", 1_000_050), (1000000, "0.01", 10_000), (995000, "0.01", 9_950)]
)
def test_the_tick_is_a_cent_where_all_visible_prices_are(tmp_path: Path, price: int, tick: str, ticks: int) -> None:
    messages = [line.replace(",1000000,", f",{price},") for line in MESSAGES]
    book = [line.replace(",1000000,", f",{price},") for line in BOOK]
    tape = read_lobster(write_pair(tmp_path, messages, book))
    assert tape.instrument.tick_size == Decimal(tick)
    assert tape.events["price"][0] == ticks


def test_the_tick_may_be_chosen(tmp_path: Path) -> None:
    message = write_pair(tmp_path)
    assert read_lobster(message, tick_size="0.02").events["price"][:2].tolist() == [5_000, 5_001]
    assert read_lobster(message, tick_size="0.02").events["beyond"][3] == 7_500
    with pytest.raises(DataError, match=r"message_2\.csv:2: price 1000200: expected a multiple of 1000 \(the tick"):
        read_lobster(message, tick_size="0.1")
    with pytest.raises(InvalidValueError, match=r"multiple of 0\.0001"):
        read_lobster(message, tick_size="0.00015")


def test_an_id_that_comes_again_is_another_order(tmp_path: Path) -> None:
    messages = [*MESSAGES, "34205,1,11,5,1000000,1", "34206,3,11,5,1000000,1"]
    book = [*BOOK, BOOK[0].replace("100,", "5,", 1), BOOK[7]]
    tape = read_lobster(write_pair(tmp_path, messages, book))
    assert tape.events["order_id"].tolist() == [1, 2, 2, 0, 1, 0, 0, 1, 3, 3]
    assert tape.numbers.tolist() == [0, 11, 12, 11]


@st.composite
def days(draw: st.DrawFn) -> tuple[list[str], list[str], list[tuple[int, ...]], list[list[int]]]:
    """Lines of both files, and what they mean: (time, kind, name, size, price, side) and a flat book in ticks."""
    rows = draw(st.integers(1, 25))
    levels = draw(st.integers(1, 3))
    time = draw(st.integers(0, 86_400 * 10**9))
    messages, books, meant, states = [], [], [], []
    for _ in range(rows):
        time = min(time + draw(st.sampled_from([0, 1, 999, 10**9])), 999_999 * 10**9)
        kind = draw(st.integers(1, 6))
        name, size = draw(st.integers(1, 10**12)), draw(st.integers(1, 10**9))
        price, side = draw(st.integers(1, 10**7)), draw(st.sampled_from((1, -1)))
        seconds, rest = divmod(time, 10**9)
        text = f"{seconds}.{rest:09d}".rstrip("0").rstrip(".")
        messages.append(f"{text},{kind},{name},{size},{price * 100},{side}")
        meant.append((time, kind, name if kind <= 4 else 0, size, price, side))
        bid = draw(st.integers(100, 10**6))
        asks, bids = draw(st.integers(0, levels)), draw(st.integers(0, levels))
        line, state = [], []
        for level in range(levels):
            here = (
                (bid + 1 + level, draw(st.integers(1, 10**6))) if level < asks else (0, 0),
                (bid - level, draw(st.integers(1, 10**6))) if level < bids else (0, 0),
            )
            dummies = (9_999_999_999, -9_999_999_999)
            for (at, quantity), dummy in zip(here, dummies, strict=True):
                line += [at * 100 if quantity else dummy, quantity]
                state += [at, quantity]
        books.append(",".join(map(str, line)))
        states.append(state)
    return messages, books, meant, states


@given(days(), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_is_read(tmp_path: Path, day: Any, packed: bool) -> None:
    messages, books, meant, states = day
    tape = read_lobster(write_pair(tmp_path, messages, books, packed=packed), tick_size="0.01")
    assert tape.book is not None
    assert tape.book.reshape(len(tape), -1).tolist() == states
    events = tape.events
    names = tape.numbers[events["order_id"]].tolist()
    columns = [events[name].tolist() for name in ("time", "kind", "quantity", "price", "side")]
    read = [
        (time, kind, name, *rest) for (time, kind, *rest), name in zip(zip(*columns, strict=True), names, strict=True)
    ]
    assert read == meant
    for path in tmp_path.iterdir():
        path.unlink()


# --- what is wrong ---------------------------------------------------------------------------------------------------

BAD_MESSAGES = [
    ("34199,3,11,90,1000000,1", "time 34199.0 after 34203.0: expected rows in the order of their times"),
    ("-1,3,11,90,1000000,1", "time -1.0: expected seconds after midnight"),
    ("34204,8,11,90,1000000,1", "type 8: expected 1 to 7"),
    ("34204,0,11,90,1000000,1", "type 0: expected 1 to 7"),
    ("34204,3,11,-90,1000000,1", "size -90: expected a whole number above 0"),
    ("34204,3,11,0,1000000,1", "size 0: expected a whole number above 0"),
    ("34204,3,11,90,-1000000,1", "price -1000000: expected a whole number above 0"),
    ("34204,3,0,90,1000000,1", "order id 0: expected a number above 0"),
    ("34204,3,11,90,1000000,2", "direction 2: expected 1 (buy) or -1 (sell)"),
    ("34204,7,0,0,5,-1", "price 5 of a trading halt: expected -1, 0 or 1"),
    ("34204,3,11,90,1000000", "5 columns, expected 6 (time, type, order id, size, price, direction)"),
    ("34204,3,11,90,1000000,1,9", "7 columns, expected 6"),
    ("34204,3,11,9o,1000000,1", "column 4 (size): '9o', expected a whole number"),
    ("34204,3,11,9.5,1000000,1", "column 4 (size): '9.5', expected a whole number"),
    ("noon,3,11,90,1000000,1", "column 1 (time): 'noon', expected a number"),
    ("34204,3,11,90,,1", "column 5 (price): '', expected a whole number"),
    ("34204,3,11,99999999999999999999,1000000,1", "column 4 (size): '99999999999999999999', expected a whole number"),
    ("nan,3,11,90,1000000,1", "time nan: expected seconds after midnight"),
    ("", "1 columns, expected 6"),
]
BAD_STATES = [
    ("1000200,-30,1000000,90,9999999999,0,-9999999999,0", "a level with a negative size"),
    ("1000200,30,1000000,90,1000100,5,-9999999999,0", "levels out of order"),
    ("1000200,30,1000000,90,9999999999,0,1000000,4", "levels out of order"),
    ("9999999999,0,1000000,90,1000200,30,-9999999999,0", "levels out of order"),
    ("1000000,30,1000000,90,9999999999,0,-9999999999,0", "expected a book that is not crossed"),
    ("-5,30,1000000,90,9999999999,0,-9999999999,0", "without a price"),
    ("1000200,30,1000000,90", "4 columns, expected 8 (ask price 1, ask size 1, bid price 1"),
    ("1000200,30,1000000,x,9999999999,0,-9999999999,0", "column 4 (bid size 1): 'x', expected a whole number"),
]


@pytest.mark.parametrize(("line", "says"), BAD_MESSAGES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_message_is_named_by_file_and_row(tmp_path: Path, line: str, says: str, packed: bool) -> None:
    path = write_pair(tmp_path, with_line(MESSAGES, 8, line), packed=packed)
    with pytest.raises(DataError) as caught:
        read_lobster(path)
    assert str(caught.value).startswith(f"{path.name}:8: ")
    assert says in str(caught.value)
    assert (caught.value.source, caught.value.record) == (path.name, 8)


@pytest.mark.parametrize(("line", "says"), BAD_STATES)
def test_a_bad_state_is_named_by_file_and_row(tmp_path: Path, line: str, says: str) -> None:
    path = write_pair(tmp_path, MESSAGES, with_line(BOOK, 7, line))
    with pytest.raises(DataError) as caught:
        read_lobster(path)
    assert str(caught.value).startswith(f"{path.name.replace('message', 'orderbook')}:7: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("line", [line for line, _ in BAD_MESSAGES])
def test_a_bad_message_can_be_left_out_of_both_files(tmp_path: Path, line: str) -> None:
    messages, book = [*MESSAGES, "34205,1,13,5,1000000,1"], [*BOOK, BOOK[0]]
    tape = read_lobster(write_pair(tmp_path, with_line(messages, 8, line), book), on_error="skip")
    assert tape.events["row"].tolist() == [1, 2, 3, 4, 5, 6, 7, 9]
    assert tape.book is not None
    assert len(tape.book) == 8
    assert tape.skipped == len(tape.findings) == 1
    assert tape.findings[0].row == 8
    assert tape.events["flags"].tolist() == [0] * 7 + [TapeFlag.GAP]


@pytest.mark.parametrize("line", [line for line, _ in BAD_STATES])
def test_a_bad_state_can_be_left_out_with_its_message(tmp_path: Path, line: str) -> None:
    tape = read_lobster(write_pair(tmp_path, MESSAGES, with_line(BOOK, 7, line)), on_error="skip")
    assert tape.events["row"].tolist() == [1, 2, 3, 4, 5, 6, 8]
    assert tape.events["flags"].tolist() == [0] * 6 + [TapeFlag.GAP]
    assert "orderbook" in str(tape.findings[0])
    assert str(tape.findings[0]).split(": ")[0].endswith(":7")


def test_several_bad_rows_the_first_one_is_told_and_the_others_counted(tmp_path: Path) -> None:
    messages = with_line(with_line(MESSAGES, 8, "34204,3,11,-90,1000000,1"), 3, "34200.500000001,9,12,20,1000200,-1")
    path = write_pair(tmp_path, messages)
    with pytest.raises(DataError, match=r'csv:3: type 9.*and 1 more; on_error="skip"'):
        read_lobster(path)
    tape = read_lobster(path, on_error="skip")
    assert [finding.row for finding in tape.findings] == [3, 8]


@pytest.mark.parametrize("shorter", ["message", "orderbook"])
def test_files_of_different_lengths(tmp_path: Path, shorter: str) -> None:
    lines = {"message": MESSAGES, "orderbook": BOOK, shorter: (MESSAGES if shorter == "message" else BOOK)[:5]}
    path = write_pair(tmp_path, lines["message"], lines["orderbook"])
    with pytest.raises(DataError) as caught:
        read_lobster(path)
    text = str(caught.value)
    assert text.startswith(f"{NAME.format(shorter, 2)}:6: the file ends after 5 rows")
    assert "has 8" in text
    assert "truncated?" in text
    tape = read_lobster(path, on_error="skip")
    assert len(tape) == 5
    assert tape.skipped == 3


@pytest.mark.parametrize("word", ["message", "orderbook"])
@pytest.mark.parametrize("part", [0.4, 0.9])
def test_a_cut_off_gzip_file(tmp_path: Path, word: str, part: float) -> None:
    messages = [f"{34200 + row}.{row:09d},1,{row + 1},{row % 7 + 1},{1000000 - 100 * row},1" for row in range(400)]
    book = [f"9999999999,0,{1000000},{row + 1}" for row in range(400)]
    write_pair(tmp_path, messages, book, packed=True)
    path = tmp_path / (NAME.format(word, 1) + ".gz")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * part)])
    with pytest.raises(DataError, match=rf"{word}_1\.csv\.gz: truncated gzip file: expected"):
        read_lobster(path)
    tape = read_lobster(path, on_error="skip")
    assert 0 < len(tape) < 400
    assert tape.skipped == 400 - len(tape)
    assert tape.findings[-1].row == len(tape) + 1 or tape.findings[0].row == 0


def test_a_damaged_gzip_file(tmp_path: Path) -> None:
    path = write_pair(tmp_path, packed=True)
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 255  # of the checksum
    path.write_bytes(bytes(raw))
    with pytest.raises(DataError, match="damaged gzip file"):
        read_lobster(path)


def test_a_line_cut_off_in_the_middle(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"message_2\.csv:8: [45] columns, expected 6"):
        read_lobster(path)


def test_empty_files(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="empty file, expected rows with 6 columns"):
        read_lobster(path)
    path = write_pair(tmp_path, MESSAGES[:1], BOOK[:1])
    (tmp_path / NAME.format("orderbook", 2)).write_bytes(b"")
    with pytest.raises(DataError, match="empty file"):
        read_lobster(path)


def test_nothing_good_is_left(tmp_path: Path) -> None:
    path = write_pair(tmp_path, ["1,9,1,1,1,1"], BOOK[:1])
    with pytest.raises(DataError, match="no good row is left"):
        read_lobster(path, on_error="skip")
    path = write_pair(tmp_path, ["time,type,id,size,price,side"], BOOK[:1])
    with pytest.raises(DataError, match="no row can be read"):
        read_lobster(path, on_error="skip")


def test_no_row_is_on_the_grid(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no good row is left"):
        read_lobster(write_pair(tmp_path), tick_size=7, on_error="skip")


def test_a_header_is_not_expected(tmp_path: Path) -> None:
    path = write_pair(tmp_path, ["time,type,id,size,price,direction", *MESSAGES[1:]])
    with pytest.raises(DataError, match=r"csv:1: column 1 \(time\): 'time', expected a number"):
        read_lobster(path)


def test_a_book_with_a_wrong_number_of_columns(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    (tmp_path / NAME.format("orderbook", 2)).write_text("\n".join(f"{line},1" for line in BOOK))
    with pytest.raises(DataError, match=r"orderbook_2\.csv:1: 9 columns, expected four for each level"):
        read_lobster(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_lobster(tmp_path / "nothing_message_1.csv")
    with pytest.raises(DataError, match="the folder holds none"):
        read_lobster(tmp_path)
    path = write_pair(tmp_path)
    (tmp_path / NAME.format("orderbook", 2)).unlink()
    with pytest.raises(DataError, match=r"orderbook_2\.csv \(plain or \.gz\) beside it; book=False"):
        read_lobster(path)
    path.with_name(f"B{path.name}").write_text("")
    with pytest.raises(DataError, match="the folder holds 2: ABC_"):
        read_lobster(tmp_path)
    (tmp_path / "other.csv").write_text("1")
    with pytest.raises(DataError, match="as LOBSTER names them"):
        read_lobster(tmp_path / "other.csv")


def test_on_error_is_one_of_two(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="on_error='ignore'"):
        read_lobster(write_pair(tmp_path), on_error="ignore")  # type: ignore[arg-type]


# --- the recorded days -----------------------------------------------------------------------------------------------

LOBSTER = find_data("lobster")
recorded = pytest.mark.skipif(
    LOBSTER is None, reason="no recorded data: set MARKETSIM_DATA or put them into ../shared/data"
)
FACTS: dict[str, dict[str, Any]] = {
    "AMZN": {
        "counts": {1: 77_381, 2: 450, 3: 66_685, 4: 8_974, 5: 2_445},
        "levels": 5,
        "spread": 0.136,
        "signs": {1: 0.718, 10: 0.176, 100: 0.037},
        "kurtosis": {1: 33.2, 60: 3.4},
    },
    "AAPL": {
        "counts": {1: 54_818, 2: 252, 3: 28_437, 4: 23_658, 5: 11_332},
        "levels": 1,
        "spread": 0.155,
        "signs": {1: 0.709, 10: 0.204, 100: 0.024},
        "kurtosis": {1: 28.8, 60: 2.4},
    },
}


@pytest.fixture(scope="module", params=["AMZN", "AAPL"])
def day(request: pytest.FixtureRequest) -> Tape:
    assert LOBSTER is not None
    return read_lobster(next(LOBSTER.glob(f"{request.param}_*_message_*")))


@recorded
def test_every_row_is_there(day: Tape) -> None:
    facts = FACTS[day.instrument.symbol]
    assert day.counts() == facts["counts"]
    assert day.levels == facts["levels"]
    assert day.instrument.tick_size == Decimal("0.01")
    assert (day.start, day.end) == (34_200 * 10**9, 57_600 * 10**9)
    assert not day.findings


@recorded
def test_the_book_is_what_the_readme_says(day: Tape) -> None:
    assert day.book is not None
    best = day.book[:, 0]
    assert (best[:, 2] < best[:, 0]).all()  # no crossed book in any row
    rows = np.flatnonzero(day.events["kind"] == TapeKind.EXECUTE)
    rows = rows[rows > 0]
    quote = np.where(day.events["side"][rows] > 0, best[rows - 1, 2], best[rows - 1, 0])
    assert (quote == day.events["price"][rows]).all()  # executions are at the best quote of the row before
    spread = (day.quotes["ask"] - day.quotes["bid"]).mean()
    every_row = (best[:, 0] - best[:, 2]).mean() / 100
    for mean in (spread, every_row):  # over quotes, over rows
        assert mean == pytest.approx(FACTS[day.instrument.symbol]["spread"], abs=0.0015)


@recorded
def test_each_message_changes_its_level_by_its_size(day: Tape) -> None:
    assert day.book is not None
    events = day.events
    signed = np.where(events["kind"] == TapeKind.ADD, 1, -1) * events["quantity"]
    checked = 0
    for side, price, quantity in ((1, 2, 3), (-1, 0, 1)):
        rows = np.flatnonzero((events["kind"] <= TapeKind.EXECUTE) & (events["side"] == side))
        rows = rows[rows > 0]
        here = day.book[rows, :, price] == events["price"][rows][:, None]
        before = day.book[rows - 1, :, price] == events["price"][rows][:, None]
        both = here.any(axis=1) & before.any(axis=1)
        change = (day.book[rows, :, quantity] * here).sum(axis=1) - (day.book[rows - 1, :, quantity] * before).sum(
            axis=1
        )
        assert (change == signed[rows])[both].all()
        checked += int(both.sum())
    assert checked > 0.3 * len(events)


@recorded
def test_trade_signs_and_returns_have_the_measured_moments(day: Tape) -> None:
    facts = FACTS[day.instrument.symbol]
    trades = day.trades
    signs = trades["side"].to_numpy(dtype=float)
    assert len(signs) == facts["counts"][4] + facts["counts"][5]
    centred = signs - signs.mean()
    for lag, value in facts["signs"].items():
        found = (centred[lag:] * centred[:-lag]).mean() / centred.var()
        assert found == pytest.approx(value, abs=0.0006)
    for seconds, value in facts["kurtosis"].items():
        depth = day.depth(1, every=seconds * 10**9)
        mid = (0.5 * (depth["ask_1"] + depth["bid_1"])).to_numpy()
        returns = np.diff(np.log(mid[np.isfinite(mid)]))
        centred = returns - returns.mean()
        kurtosis = (centred**4).mean() / (centred**2).mean() ** 2 - 3
        assert kurtosis == pytest.approx(value, rel=0.04)  # where the seconds begin makes that much
