"""A tape: recorded order flow of one instrument in its neutral form, whatever file it came from.

Every reader makes one; replay and analysis take it. It converts nothing but what its tables show, and never trades.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, IntFlag
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketsim.data import tables
from marketsim.data.finding import Finding
from marketsim.domain.instrument import Instrument
from marketsim.errors import DataError, InvalidValueError

if TYPE_CHECKING:
    import pandas as pd


class TapeKind(IntEnum):
    """What a row of a tape says. 1 to 6 are LOBSTER's numbers; ``side`` is always that of the resting order."""

    ADD = 1  # a limit order comes to rest
    REDUCE = 2  # part of a resting order is canceled
    DELETE = 3  # what is left of a resting order is canceled
    EXECUTE = 4  # a visible resting order is executed, whole or in part
    EXECUTE_HIDDEN = 5  # a trade against an order that the book does not show
    CROSS = 6  # an auction's trade
    HALT = 7
    QUOTING = 8  # quoting resumes, trading does not
    RESUME = 9
    TRADE = 10  # a trade of which nothing more is known


class TapeFlag(IntFlag):
    """What else is to be known about a row."""

    GAP = 1  # rows before this one are missing: nothing is known about the book between


TRADED = (TapeKind.EXECUTE, TapeKind.EXECUTE_HIDDEN, TapeKind.CROSS, TapeKind.TRADE)
FRACTION = 10_000  # parts of a tick in which ``beyond`` counts

ORDER_EVENT = np.dtype(
    [
        ("time", np.int64),  # ns
        ("order_id", np.int64),  # 1 … orders in the order of first mention; 0 where no order is named
        ("price", np.int64),  # ticks
        ("quantity", np.int64),  # lots
        ("row", np.int64),  # line of the source, from 1 on
        ("beyond", np.int32),  # ten-thousandths of a tick above ``price``: trades may lie between two ticks
        ("kind", np.int8),  # TapeKind
        ("side", np.int8),  # of the resting order: +1 buy, -1 sell, 0 unknown
        ("flags", np.int16),  # TapeFlag
    ]
)
ASK_PRICE, ASK_QUANTITY, BID_PRICE, BID_QUANTITY = 0, 1, 2, 3  # the last axis of ``Tape.book``


@dataclass(frozen=True, eq=False)
class Tape:
    """Order events in time order, and where it was recorded the best levels of the book after each of them.

    instrument: what is traded; ``events`` and ``book`` are in its ticks and lots.
    events: rows ORDER_EVENT.
    numbers: the source's own number or name of each order, by ``order_id``; ``numbers[0]`` stands for none.
    book: int64 array (rows, levels, 4): ask price, ask quantity, bid price, bid quantity from the best level on, after
        the event of that row; quantity 0 where there is no such level. None when the source has no book.
    start, end: ns between which was recorded.
    source: where it came from, for messages.
    findings: the bad rows that were left out, at most 1,000 of ``skipped``.
    """

    instrument: Instrument
    events: NDArray[Any]
    numbers: NDArray[Any]
    book: NDArray[np.int64] | None
    start: int
    end: int
    source: str = ""
    findings: tuple[Finding, ...] = field(default=())
    skipped: int = 0

    def __post_init__(self) -> None:
        if self.events.dtype != ORDER_EVENT:
            raise InvalidValueError("a tape takes events of dtype ORDER_EVENT")
        if self.book is not None and (self.book.ndim != 3 or self.book.shape[::2] != (len(self.events), 4)):
            raise InvalidValueError(f"a tape's book has shape (rows, levels, 4), not {self.book.shape}")

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        book = f"{self.levels} levels" if self.book is not None else "no book"
        return f"<Tape {self.instrument.symbol}: {len(self):,} events, {self.orders_seen:,} orders, {book}>"

    @property
    def levels(self) -> int:
        """How many levels of the book were recorded; 0 when none."""
        return 0 if self.book is None else self.book.shape[1]

    @property
    def orders_seen(self) -> int:
        """How many orders are named; their ids are 1 … this."""
        return len(self.numbers) - 1

    def counts(self) -> dict[TapeKind, int]:
        """How many events there are of each kind that occurs."""
        kinds, numbers = np.unique(self.events["kind"], return_counts=True)
        return {TapeKind(int(kind)): int(number) for kind, number in zip(kinds, numbers, strict=True)}

    def rows(self, first: int, stop: int) -> Tape:
        """The part events[first:stop], with the same order ids."""
        if not 0 <= first < stop <= len(self):
            raise InvalidValueError(f"rows {first} to {stop}: this tape has rows 0 to {len(self)}")
        events = self.events[first:stop]
        book = None if self.book is None else self.book[first:stop]
        start = self.start if first == 0 else int(events["time"][0])
        end = self.end if stop == len(self) else int(events["time"][-1])
        return replace(self, events=events, book=book, start=start, end=end)

    def with_book(self, book: NDArray[np.int64]) -> Tape:
        """The same events with another record of the book."""
        return replace(self, book=book)

    # --- MarketTables ---

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Columns TRADES: executions of visible and hidden orders, auctions and prints, one row each."""
        return tables.trades(self)

    @cached_property
    def quotes(self) -> pd.DataFrame:
        """Columns QUOTES: a row whenever the recorded best bid or ask changes; none for a tape of trades alone."""
        if self.book is None and (self.events["kind"] == TapeKind.ADD).any():
            raise self._no_book()
        return tables.quotes(self)

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Columns ORDERS: the orders whose arrival was recorded."""
        return tables.orders(self)

    @cached_property
    def agents(self) -> pd.DataFrame:
        """Columns AGENTS: none."""
        return tables.agents()

    @property
    def instruments(self) -> dict[str, Instrument]:
        """By symbol."""
        return {self.instrument.symbol: self.instrument}

    def depth(self, levels: int, instrument: str | None = None, every: int | None = None) -> pd.DataFrame:
        """The best levels over time, at most as many as were recorded; see MarketTables.depth."""
        if instrument not in (None, self.instrument.symbol):
            raise InvalidValueError(f"instrument {instrument!r}: this tape has {self.instrument.symbol!r}")
        if levels < 1 or (every is not None and every < 1):
            raise InvalidValueError(f"levels={levels}, every={every}: both are above zero")
        if self.book is None:
            raise self._no_book()
        return tables.depth(self, min(levels, self.levels), every)

    def _no_book(self) -> DataError:
        if not (self.events["kind"] == TapeKind.ADD).any():
            return DataError(
                "trades alone were recorded, of which no book can be made: read the order events or the book too",
                source=self.source,
            )
        return DataError(
            "no book was recorded with these events; marketsim.replay.rebuild(tape, levels) makes one from them",
            source=self.source,
        )
