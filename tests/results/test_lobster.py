"""LOBSTER files: the format to the letter, and every row of the book follows from its message."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import GTC, apply, generate
from flow import kept_run, run_of

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderType
from marketsim.errors import InvalidValueError, StoreError
from marketsim.exchange.core import MatchingCore
from marketsim.results.lobster import DUMMY
from marketsim.results.log import EventLog
from marketsim.results.manifest import MarketEntry
from marketsim.results.run import Run

LIMIT, MARKET, STOP_LIMIT = int(OrderType.LIMIT), int(OrderType.MARKET), int(OrderType.STOP_LIMIT)
S = 1_000_000_000
OPEN = 34_200 * S


def day(**more: object) -> Run:
    """From 9:30 on: everything that can happen to an order, prices of a cent, one unit a lot."""
    log = EventLog()
    core = MatchingCore(1, log=log)
    core.new(OPEN + 17_459_617, 1, 0, 1, LIMIT, GTC, 0, 10_000, 0, 100)  # 1
    core.new(OPEN + 1 * S, 1, 0, -1, LIMIT, GTC, 0, 10_002, 0, 50)  # 2
    core.new(OPEN + 2 * S, 2, 0, -1, LIMIT, GTC, 0, 9_999, 0, 130)  # 3 takes 1 and rests with 30
    core.cancel(OPEN + 3 * S, 1, 2, 20)  # 2 shrinks to 30
    core.replace(OPEN + 4 * S, 1, 2, 10_002, 25)  # and to 5 open (25 in all, 20 of them canceled: kept)
    core.new(OPEN + 5 * S, 3, 0, 1, STOP_LIMIT, GTC, 0, 10_001, 9_999, 7)  # 4 is elected at once and takes 7 of 3
    core.new(OPEN + 6 * S, 3, 0, 1, STOP_LIMIT, GTC, 0, 10_001, 10_002, 9)  # 5 waits
    core.replace(OPEN + 7 * S, 2, 3, 10_003, 130)  # 3 loses its place: deleted and back
    core.new(OPEN + 8 * S, 3, 0, 1, MARKET, GTC, 0, 0, 0, 25)  # 6 takes 2 at 10002; 5 is elected and rests at 10001
    core.cancel(OPEN + 9 * S, 3, 5)
    core.cancel(OPEN + 9 * S, 3, 5)  # refused: no message
    return kept_run(core, log, start=OPEN, end=57_600 * S, **more)


def lines(path: Path) -> list[str]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert raw.endswith(b"\n")
    assert b"\r" not in raw
    assert b'"' not in raw
    return raw.decode().splitlines()


NO_ASK, NO_BID = f"{DUMMY},0", f"-{DUMMY},0"
EXPECTED = [
    ("34200.017459617,1,1,100,1000000,1", [NO_ASK, "1000000,100", NO_ASK, NO_BID]),
    ("34201.000000000,1,2,50,1000200,-1", ["1000200,50", "1000000,100", NO_ASK, NO_BID]),
    ("34202.000000000,4,1,100,1000000,1", ["1000200,50", NO_BID, NO_ASK, NO_BID]),
    ("34202.000000000,1,3,30,999900,-1", ["999900,30", NO_BID, "1000200,50", NO_BID]),
    ("34203.000000000,2,2,20,1000200,-1", ["999900,30", NO_BID, "1000200,30", NO_BID]),
    ("34204.000000000,2,2,5,1000200,-1", ["999900,30", NO_BID, "1000200,25", NO_BID]),
    ("34205.000000000,4,3,7,999900,-1", ["999900,23", NO_BID, "1000200,25", NO_BID]),
    ("34207.000000000,3,3,23,999900,-1", ["1000200,25", NO_BID, NO_ASK, NO_BID]),
    ("34207.000000000,1,7,23,1000300,-1", ["1000200,25", NO_BID, "1000300,23", NO_BID]),
    ("34208.000000000,4,2,25,1000200,-1", ["1000300,23", NO_BID, NO_ASK, NO_BID]),
    ("34208.000000000,1,5,9,1000100,1", ["1000300,23", "1000100,9", NO_ASK, NO_BID]),
    ("34209.000000000,3,5,9,1000100,1", ["1000300,23", NO_BID, NO_ASK, NO_BID]),
]


@pytest.mark.parametrize("compress", [False, True])
def test_to_the_letter(compress: bool, tmp_path: Path) -> None:
    written = day().to_lobster(tmp_path / "out", levels=2, date="2012-06-21", compress=compress)
    gz = ".gz" if compress else ""
    names = [f"ABC_2012-06-21_34200000_57600000_{kind}_2.csv{gz}" for kind in ("message", "orderbook")]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names, "nothing else is left"
    assert lines(written[0]) == [message for message, _ in EXPECTED]
    assert lines(written[1]) == [",".join(book) for _, book in EXPECTED]


def test_messages_beyond_the_levels_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    """With one level, what happens behind the best price is not in the files."""
    messages, _ = day().to_lobster(tmp_path / "one", levels=1)
    behind = {
        "34203.000000000,2,2,20,1000200,-1",
        "34204.000000000,2,2,5,1000200,-1",
        "34207.000000000,1,7,23,1000300,-1",
    }
    assert lines(messages) == [message for message, _ in EXPECTED if message not in behind]
    messages, books = day().to_lobster(tmp_path / "all", levels=1, whole_book=True)
    assert lines(messages) == [message for message, _ in EXPECTED]
    assert lines(books) == [",".join(book[:2]) for _, book in EXPECTED]


# --- rows that follow from each other --------------------------------------------------------------------------------


def wild(tmp_path: Path, levels: int, whole: bool) -> Iterator[tuple[np.ndarray, np.ndarray, Run]]:
    """Markets of the generator, prices moved above zero."""
    log = EventLog()
    core = MatchingCore(3, log=log)
    for command in generate(seed=17, count=8_000):
        shifted = list(command)
        if command[0] == "new":
            shifted[8], shifted[9] = command[8] + 5_000_000_000_000, command[9] + 5_000_000_000_000
        if command[0] == "replace":
            shifted[4], shifted[6] = command[4] + 5_000_000_000_000, command[6] + 5_000_000_000_000
        if all(abs(value) < 9_000_000_000_000 for value in shifted[1:]):
            apply(core, tuple(shifted))  # type: ignore[arg-type]
    markets = tuple(
        MarketEntry.of(number, "X", Instrument(symbol, tick_size="0.0001", reference_price=1))
        for number, symbol in enumerate(("A", "B", "C"))
    )
    run = kept_run(core, log, markets=markets, end=100_000)
    for market in markets:
        rows, books = zip(*run.history.lobster(market.number, levels, whole), strict=True)
        yield np.concatenate(rows), np.concatenate(books), run


@pytest.mark.parametrize(("levels", "whole"), [(1, False), (5, False), (3, True)])
def test_each_message_changes_the_level_at_its_price_by_its_size(levels: int, whole: bool, tmp_path: Path) -> None:
    kinds: Counter[int] = Counter()
    for messages, books, _ in wild(tmp_path, levels, whole):
        before = np.zeros(4 * levels, np.int64)
        for message, after in zip(messages, books, strict=True):
            _, kind, _, size, price, direction = message.tolist()
            kinds[kind] += 1
            place = 2 if direction > 0 else 0
            sizes = [
                dict(zip(state[place::4].tolist(), state[place + 1 :: 4].tolist(), strict=True))
                for state in (before, after)
            ]
            change = size if kind == 1 else -size
            visible = price in sizes[0] or price in sizes[1]
            assert visible or whole
            if visible and (price in sizes[0] or kind == 1) and (price in sizes[1] or kind != 1):
                was, now = (side.get(price, 0) for side in sizes)
                assert now - was == change or levels == 1, (message, before, after)
            other = slice(2 - place, None, 4)
            assert np.array_equal(before[other], after[other]), "the other side stays as it is"
            if kind == 4:
                best = before[place]
                assert price == best, "executions are at the best price"
            before = after
    assert set(kinds) == {1, 2, 3, 4}
    assert min(kinds.values()) > 5
    assert kinds.total() > 4_000


def test_orders_live_from_their_first_message_to_their_last(tmp_path: Path) -> None:
    """Ids are unique; no order gives away more than it brought; at the end the book is what the live ones hold."""
    for messages, books, _ in wild(tmp_path, 2, True):
        live: dict[int, list[int]] = {}
        ended = set()
        for _, kind, number, size, price, direction in messages.tolist():
            if kind == 1:
                assert number not in live
                assert number not in ended
                live[number] = [size, price, direction]
                continue
            order = live[number]
            assert order[1:] == [price, direction]
            order[0] -= size
            assert order[0] >= 0
            assert (order[0] == 0) if kind == 3 else True
            if order[0] == 0:
                ended.add(number)
                del live[number]
        for direction, place in ((-1, 0), (1, 2)):
            left: Counter[int] = Counter()
            for size, price, side in live.values():
                if side == direction:
                    left[price] += size
            best = sorted(left.items(), reverse=direction > 0)[:2]
            shown = books[-1][place::4], books[-1][place + 1 :: 4]
            assert best == [(p, q) for p, q in zip(*(column.tolist() for column in shown), strict=True) if q]


# --- what the format cannot hold, and several markets ----------------------------------------------------------------


def refused(run: Run, tmp_path: Path, words: str, **options: object) -> None:
    with pytest.raises(InvalidValueError, match=words):
        run.to_lobster(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_what_the_format_cannot_hold(tmp_path: Path) -> None:
    def market(**grid: object) -> tuple[MarketEntry]:
        return (MarketEntry.of(0, "X", Instrument("ABC", **{"reference_price": 100, **grid})),)  # type: ignore[arg-type]

    refused(
        day(markets=market(tick_size="0.00001")), tmp_path, "tick_size 0.00001: LOBSTER files hold prices in ten-thou"
    )
    refused(day(markets=market(lot_size="0.1")), tmp_path, "lot_size 0.1: LOBSTER files hold .* whole sizes")
    refused(day(markets=market(tick_size=100)), tmp_path, "price 1000300: LOBSTER files hold prices above 0 and below")
    refused(day(), tmp_path, "levels=0: use 1 or more", levels=0)
    refused(day(), tmp_path, "date '21.6.2012': write it as YYYY-MM-DD", date="21.6.2012")
    refused(day(), tmp_path, "no instrument is called 'X'", instrument="X")
    log = EventLog()
    core = MatchingCore(1, log=log)
    core.new(1, 1, 0, 1, LIMIT, GTC, 0, -5, 0, 1)
    refused(kept_run(core, log), tmp_path, "price -0.05: LOBSTER files hold prices above 0")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    run = day()
    run.to_lobster(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError, match=r"orderbook_10\.csv exists: nothing is overwritten"):
        run.to_lobster(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(run.to_lobster(tmp_path, levels=5)) == 2


def test_several_markets_and_odd_names(tmp_path: Path) -> None:
    markets = tuple(
        MarketEntry.of(number, venue, Instrument(symbol))
        for number, (symbol, venue) in enumerate((("BTC/USDT", "X"), ("BTC/USDT", "Y Z"), ("A_B", "X")))
    )
    run = run_of([], markets=markets, end=1_500_000)
    names = [path.name for path in run.to_lobster(tmp_path / "all", levels=3)]
    stems = ["A-B", "BTC-USDT.X", "BTC-USDT.Y-Z"]
    assert names == sorted(f"{stem}_1970-01-01_0_2_{kind}_3.csv" for stem in stems for kind in ("message", "orderbook"))
    assert len(run.to_lobster(tmp_path / "one", instrument="A_B")) == 2
    assert len(run.to_lobster(tmp_path / "venue", venue="X")) == 4


def test_the_first_microsecond_of_a_day_is_written_in_full(tmp_path: Path) -> None:
    log = EventLog()
    core = MatchingCore(1, log=log)
    for time in (0, 1, 999, 1_000, 86_400 * S - 1):
        core.new(time, 1, 0, 1, LIMIT, GTC, 0, 100, 0, 1)
    messages, _ = kept_run(core, log, end=86_400 * S).to_lobster(tmp_path)
    times = [line.split(",")[0] for line in lines(messages)]
    assert times == ["0.000000000", "0.000000001", "0.000000999", "0.000001000", "86399.999999999"]


def test_the_reader_of_recorded_data_reads_it(tmp_path: Path) -> None:
    """A day that was written is a day that can be read and replayed."""
    lobster = pytest.importorskip("marketsim.data.lobster", reason="the reader of recorded data is not there yet")
    log = EventLog()
    core = MatchingCore(1, log=log)
    rng = np.random.default_rng(4)
    for number in range(3_000):
        side = int(rng.choice((-1, 1)))
        time = OPEN + number * 1_000_003
        if rng.random() < 0.3:
            core.cancel(time, 1, int(rng.integers(1, number + 2)), int(rng.integers(0, 5)))
        else:
            core.new(
                time, 1, 0, side, LIMIT, GTC, 0, 10_000 - side * int(rng.integers(-2, 9)), 0, int(rng.integers(1, 9))
            )
    run = kept_run(core, log, start=OPEN, end=57_600 * S)
    messages, _ = run.to_lobster(tmp_path, levels=5, compress=True)
    tape = lobster.read_lobster(messages)
    rows = np.concatenate([rows for rows, _ in run.history.lobster(0, 5, False)])
    for name, column in (("time", 0), ("kind", 1), ("quantity", 3), ("price", 4), ("side", 5)):
        assert np.array_equal(tape.events[name], rows[:, column]), name
    assert len(rows) > 1_000
    assert tape.instrument.symbol == "ABC"
    assert (tape.start, tape.end) == (OPEN, 57_600 * S)
