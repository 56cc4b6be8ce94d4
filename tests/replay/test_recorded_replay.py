"""The recorded NASDAQ days through the real core: no level differs, and time priority holds with listed exceptions."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from marketsim.data import find_data, read_lobster
from marketsim.kernel.compiled import UNCOMPILED
from marketsim.replay import ExceptionCause, ReplayReport, order_flow, replay

LOBSTER = find_data("lobster")
pytestmark = [
    pytest.mark.skipif(LOBSTER is None, reason="no recorded data: set MARKETSIM_DATA or put them into ../shared/data"),
    pytest.mark.skipif(UNCOMPILED, reason="a whole day is too slow as plain Python"),
]


def file_of(symbol: str) -> Path:
    assert LOBSTER is not None
    return next(LOBSTER.glob(f"{symbol}_*_message_*.csv.gz"))


@pytest.fixture(scope="module")
def reports() -> dict[str, ReplayReport]:
    return {symbol: replay(read_lobster(file_of(symbol))) for symbol in ("AMZN", "AAPL")}


@pytest.mark.parametrize(
    ("symbol", "coverage", "rows", "levels"), [("AMZN", 0.975, 155_935, 5), ("AAPL", 0.87, 118_497, 1)]
)
def test_no_level_differs(
    reports: dict[str, ReplayReport], symbol: str, coverage: float, rows: int, levels: int
) -> None:
    report = reports[symbol]
    assert report.agrees, str(report)
    assert report.mismatches == len(report.mismatched()) == 0
    assert report.observations == rows * levels * 2
    assert report.coverage >= coverage
    assert (report.elsewhere, report.lacking, report.crossed, report.refused) == (0, 0, 0, 0)


@pytest.mark.parametrize(("symbol", "executions"), [("AMZN", 8_974), ("AAPL", 23_658)])
def test_the_recorded_order_is_executed_first(reports: dict[str, ReplayReport], symbol: str, executions: int) -> None:
    report = reports[symbol]
    assert report.executions == executions
    assert report.priority >= 0.99
    assert report.queued_priority >= 0.985  # where the core had a choice
    assert report.known > 0.6 * executions
    table = report.exceptions()
    assert len(table) == report.known - report.known_first == sum(report.causes().values())
    assert (table["row"] > 0).all()
    assert table["row"].is_monotonic_increasing
    assert set(table["cause"]) <= {cause.name for cause in ExceptionCause}
    followers = table[table["cause"] == "FOLLOWS"]
    assert set(followers["follows"]) <= set(table["row"])
    assert (table[table["cause"] != "FOLLOWS"]["follows"] == 0).all()


def test_without_looking_ahead_no_level_differs_either() -> None:
    report = replay(read_lobster(file_of("AAPL")), ahead=False)
    assert report.agrees
    assert report.coverage >= 0.87
    assert report.priority < 0.99  # what is behind the window is told by later rows alone


def test_a_tampered_day_does_not_agree() -> None:
    tape = read_lobster(file_of("AMZN")).rows(0, 20_000)
    assert tape.book is not None
    book = tape.book.copy()
    book[12_345, 2, 3] += 1
    report = replay(tape.with_book(book))
    assert report.mismatches >= 1
    assert report.mismatched()["row"][0] == 12_346


def test_an_hour_of_the_day_as_order_flow() -> None:
    hour = 3_600 * 10**9
    flow = order_flow(read_lobster(file_of("AMZN")), start=12 * hour, end=13 * hour)
    assert flow.opening >= 10
    assert len(flow) > 10_000
    assert (np.diff(flow.requests["time"]) >= 0).all()


@pytest.mark.slow
def test_a_day_is_read_replayed_and_checked_in_two_seconds() -> None:
    times = []
    for _ in range(3):
        begun = perf_counter()
        assert replay(read_lobster(file_of("AMZN"))).agrees
        times.append(perf_counter() - begun)
    assert min(times) < 2.0
