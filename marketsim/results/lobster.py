"""LOBSTER files of a run: a message file and an orderbook file for each market, row by row as LOBSTER writes them.

Messages: time in seconds after midnight, type, order id, size, price (currency times 10000), direction (of the resting
order). Types: 1 an order comes to rest, with what its own trades left of it; 2 it shrinks; 3 it leaves; 4 it is
executed. Orders that never rest have no message, their trades are type 4 rows of the orders that they met. A replaced
order that loses its place is deleted (3) and, if it rests again, comes back (1) under a new id, above all others,
because ids are unique in these files; one that keeps its place and shrinks is a 2. Stop orders appear when they rest.

Orderbook: ask price, ask size, bid price, bid size of each level after the message of the same row; a level that is not
there is 9999999999 or -9999999999 with size 0. As with LOBSTER, messages that touch none of these levels are left out,
unless ``whole_book`` asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date as calendar_date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.units import MILLISECOND
from marketsim.errors import InvalidValueError
from marketsim.results.exports import batch, open_stream

if TYPE_CHECKING:
    from marketsim.results.manifest import MarketEntry
    from marketsim.results.run import Run

DUMMY = 9_999_999_999
_UNIT = Decimal(10_000)  # prices count ten-thousandths
_TINY = 1_000  # ns; a decimal below it would be written with an exponent
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_MESSAGE = ("type", "order_id", "size", "price", "direction")


def to_lobster(
    run: Run,
    folder: str | Path,
    *,
    levels: int = 10,
    instrument: str | None = None,
    venue: str | None = None,
    date: str = "1970-01-01",
    compress: bool = False,
    whole_book: bool = False,
) -> list[Path]:
    """Write ``TICKER_DATE_START_END_message_LEVELS.csv`` and ``…_orderbook_LEVELS.csv`` for each market.

    levels: of the book. instrument, venue: only these. date: a simulated day has none, so it is yours to choose.
    compress: as ``.csv.gz``. whole_book: with messages beyond the levels.

    InvalidValueError when a price is no multiple of 0.0001 or not above zero, or a size not whole.
    """
    if levels < 1:
        raise InvalidValueError(f"levels={levels}: use 1 or more")
    _check_date(date)
    markets = _chosen(run, instrument, venue)
    with batch(folder) as files:
        for market in markets:
            stem = f"{_ticker(market, markets)}_{date}_{_milliseconds(run)}"
            name = f"{levels}.csv.gz" if compress else f"{levels}.csv"
            book = files.begin(f"{stem}_orderbook_{name}")  # named first: where a message file is, its book is too
            _write_market(run, market, levels, whole_book, files.begin(f"{stem}_message_{name}"), book)
        return sorted(files.commit())


def _write_market(run: Run, market: MarketEntry, levels: int, whole: bool, message: Path, book: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv as pc

    options = pc.WriteOptions(include_header=False, quoting_style="none")
    schema = pa.schema([("time", pa.string()), *((name, pa.int64()) for name in _MESSAGE)])
    shape = pa.schema([(f"{place}", pa.int64()) for place in range(4 * levels)])
    with (
        open_stream(message) as messages,
        open_stream(book) as books,
        pc.CSVWriter(messages, schema, write_options=options) as message_writer,
        pc.CSVWriter(books, shape, write_options=options) as book_writer,
    ):
        for rows, states in _blocks(run, market, levels, whole):
            columns = [_seconds(rows[:, 0]), *(pa.array(rows[:, place].copy()) for place in range(1, 6))]
            message_writer.write_table(pa.table(columns, schema=schema))
            book_writer.write_table(pa.table([pa.array(column.copy()) for column in states.T], schema=shape))


def _blocks(
    run: Run, market: MarketEntry, levels: int, whole: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Messages and books in LOBSTER's units."""
    price, size = _factor(market.tick_size, _UNIT, market, "tick"), _factor(market.lot_size, Decimal(1), market, "lot")
    for rows, books in run.history.lobster(market.number, levels, whole):
        if not len(rows):
            continue
        lowest, highest = int(rows[:, 4].min()) * price, int(rows[:, 4].max()) * price
        if lowest <= 0 or highest >= DUMMY:
            wrong = Decimal(lowest if lowest <= 0 else highest) / _UNIT
            raise InvalidValueError(
                f"{market.symbol}: price {wrong}: LOBSTER files hold prices above 0 and below "
                f"{Decimal(DUMMY) / _UNIT}; use to_csv or to_parquet"
            )
        rows[:, 3] *= size
        rows[:, 4] *= price
        for place, missing in ((0, DUMMY), (2, -DUMMY)):
            there = books[:, place + 1 :: 4] > 0
            books[:, place::4] = np.where(there, books[:, place::4] * price, missing)
            books[:, place + 1 :: 4] *= size
        yield rows, books


def _seconds(times: NDArray[np.int64]) -> Any:
    """Text of seconds with nine decimals."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wide = np.zeros((len(times), 2), np.int64)  # a 128-bit number is its low half, then its high half
    wide[:, 0] = times
    exact = pa.Array.from_buffers(pa.decimal128(19, 9), len(times), [None, pa.py_buffer(wide)])
    text = pc.cast(exact, pa.string())
    tiny = times < _TINY
    if tiny.any():
        text = pc.replace_with_mask(text, pa.array(tiny), pa.array([f"0.{time:09d}" for time in times[tiny]]))
    return text


def _factor(step: str, unit: Decimal, market: MarketEntry, what: str) -> int:
    factor = Decimal(step) * unit
    if factor != factor.to_integral_value():
        raise InvalidValueError(
            f"{market.symbol}: {what}_size {step}: LOBSTER files hold prices in ten-thousandths and whole sizes; use "
            "to_csv or to_parquet"
        )
    return int(factor)


def _chosen(run: Run, instrument: str | None, venue: str | None) -> list[MarketEntry]:
    if instrument is not None:
        return run.markets_of(instrument, venue)
    return [market for market in run.markets if venue in (None, market.venue)]


def _ticker(market: MarketEntry, markets: list[MarketEntry]) -> str:
    """The symbol, with the venue where several trade it; without what file names or their readers cannot take."""
    shared = sum(other.symbol == market.symbol for other in markets) > 1
    return _UNSAFE.sub("-", f"{market.symbol}.{market.venue}" if shared else market.symbol)


def _milliseconds(run: Run) -> str:
    return f"{run.manifest.start // MILLISECOND}_{-(-run.end // MILLISECOND)}"


def _check_date(date: str) -> None:
    try:
        calendar_date.fromisoformat(date)
    except ValueError as error:
        raise InvalidValueError(f"date {date!r}: write it as YYYY-MM-DD") from error
