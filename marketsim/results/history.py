"""The history of a log: drives the replay of its rows block by block and hands out what it finds as plain integers.

Ticks, lots and numbers of markets and participants only; names and currency are ``tables``' business. It never holds
the rows of a whole log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.event import EVENT, EventKind
from marketsim.errors import StoreError
from marketsim.kernel.compiled import Table, zeros
from marketsim.results import replay
from marketsim.results.events import Events, block_rows
from marketsim.results.replay import Block

Ints = NDArray[np.int64]

_COLUMNS = (*(name for name in Block._fields if name not in ("number", "slot", "match")), "match_id")
_LARGEST_ID = 1 << 62
_CELLS = 2_000_000  # integers of a buffer of levels


class OrderIndex:
    """Where an order stands in the table of orders: its place among the rows that made or refused one."""

    def __init__(self, ids: Ints) -> None:
        self.ids = ids
        self._sorted: Ints | None = None
        self._table: NDArray[Any]
        largest = int(ids.max()) if len(ids) else 0
        smallest = int(ids.min()) if len(ids) else 0
        if smallest >= 0 and largest <= 8 * len(ids) + 1_000_000:
            self._table = np.full(largest + 1, -1, np.int32)
            self._table[ids[::-1]] = np.arange(len(ids) - 1, -1, -1, dtype=np.int32)  # the first of an id counts
        else:
            self._sorted, self._table = np.unique(ids, return_index=True)

    @classmethod
    def of(cls, events: Events) -> OrderIndex:
        """The index of a log."""
        found = [np.empty(0, np.int64)]
        for block in events.blocks(("order_id", "kind")):
            kind = block["kind"]
            found.append(block["order_id"][(kind == EventKind.ACCEPTED) | (kind == EventKind.REJECTED)])
        return cls(np.concatenate(found))

    def __len__(self) -> int:
        return len(self.ids)

    def slots(self, ids: Ints) -> Ints:
        """Places of ids; -1 for those that no order has."""
        if self._sorted is None:
            known = (ids >= 0) & (ids < len(self._table))
            return np.where(known, self._table[np.where(known, ids, 0)], -1).astype(np.int64)
        at = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
        return np.where(self._sorted[at] == ids, self._table[at], -1)


@dataclass
class Levels:
    """Best levels over time: ``rows`` has ask, ask quantity, bid, bid quantity of level 1, then of level 2 and so on.

    Ticks and lots; a missing level is 0, 0. ``number`` is the row of the log after which they held.
    """

    time: Ints
    number: Ints
    rows: Ints

    def __len__(self) -> int:
        return len(self.time)


class _Book:
    """What the replay of some markets needs from block to block; it owns the tables that STATE points to."""

    def __init__(self, orders: int, levels: int) -> None:
        self._orders = Table(replay.LIVE, orders)
        self._bids, self._asks = Table(replay.RUNG, 1024), Table(replay.RUNG, 1024)
        self._phases = Table(replay.PHASE, replay.MARKETS)
        self.state = zeros(1, replay.STATE)
        self.state["active"] = -1
        self.state["shown"] = levels
        self._publish()

    def room_for(self, rows: int) -> None:
        """Each row adds at most two levels, even nonsense, and so does the order that rests before it one."""
        needed = int(max(self.state["bids_count"][0], self.state["asks_count"][0])) + 3 * rows + 3
        if needed > len(self._bids):
            self._bids.grow(needed)
            self._asks.grow(needed)
            self._publish()

    def _publish(self) -> None:
        self.state["orders"], self.state["orders_length"] = self._orders.address, len(self._orders)
        self.state["bids"], self.state["asks"] = self._bids.address, self._asks.address
        self.state["capacity"] = len(self._bids)
        self.state["phases"] = self._phases.address


class History:
    """Everything that can be rebuilt from the rows of a log."""

    def __init__(self, events: Events) -> None:
        self.events = events

    @cached_property
    def index(self) -> OrderIndex:
        """Where each order stands."""
        return OrderIndex.of(self.events)

    def orders(self) -> NDArray[Any]:
        """The life of every order that reached a venue (dtype replay.STORY), in the order of their arrival."""
        stories = zeros(max(len(self.index), 1), replay.STORY)
        created = 0
        for block in self._blocks():
            created = int(replay.follow_orders(block, stories, created))
        return np.asarray(stories[:created])

    def trades(self) -> NDArray[Any]:
        """The rows of all trades (dtype EVENT)."""
        found = []
        for block in self.events.blocks():
            chosen = block["kind"] == EventKind.TRADE
            if chosen.any():
                found.append(block_rows({name: values[chosen] for name, values in block.items()}))
        return np.concatenate([np.empty(0, EVENT), *found])

    def trade_columns(self, market: int, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Some columns of the trades of one market: nothing else of the log is read."""
        found: dict[str, list[NDArray[Any]]] = {name: [np.empty(0, EVENT[name])] for name in columns}
        for block in self.events.blocks(tuple(dict.fromkeys((*columns, "kind", "market")))):
            chosen = (block["kind"] == EventKind.TRADE) & (block["market"] == market)
            for name in columns:
                found[name].append(block[name][chosen])
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def levels(self, markets: Iterable[int], levels: int) -> Levels:
        """The best levels of some markets' common book after each request that changed them."""
        found = _Found(levels)
        for part in self.level_blocks(markets, levels):
            found.add(part)
        return found.levels()

    def level_blocks(self, markets: Iterable[int], levels: int) -> Iterator[Levels]:
        """The same, one stretch of time after another; only one of them lies in memory."""
        book, found = _Book(len(self.index), levels), _Found(levels)
        last = np.zeros(4 * levels, np.int64)
        for block, finish in self._to_the_end(set(markets), _length(levels)):
            book.room_for(len(block.time))
            room = found.room(len(block.time) + 1)
            found.keep(replay.changes_of_levels(block, book.state, finish, *room, last))
            if len(part := found.taken()):
                yield part

    def samples(self, markets: Iterable[int], levels: int, every: int, start: int, end: int) -> Levels:
        """The best levels of some markets' common book at each multiple of ``every`` from start to end."""
        book, found = _Book(len(self.index), levels), _Found(levels)
        book.state["sample"] = -(-start // every) * every

        for block, finish in self._to_the_end(set(markets), _length(levels)):
            book.room_for(len(block.time))
            until = end if finish else min(int(block.time[-1]), end)
            times, _, out = found.room(max((until - int(book.state["sample"][0])) // every + 1, 0))
            found.keep(replay.samples_of_levels(block, book.state, finish, every, end, times, out))
        return found.levels()

    def lobster(self, market: int, levels: int, whole: bool) -> Iterator[tuple[Ints, Ints]]:
        """LOBSTER messages and the best levels after each, block by block, in ticks, lots and ns.

        An order that is replaced and loses its place is deleted and comes back with an id above all others.
        """
        book = _Book(len(self.index), levels)
        names = self.index.ids.copy()
        largest = int(names.max()) if len(names) else 0
        if largest > _LARGEST_ID:
            raise StoreError(f"order id {largest}: replaced orders find no free number above it; the log is damaged")
        book.state["fresh"] = 1 + largest
        for block, finish in self._to_the_end({market}, _length(3 * levels)):
            book.room_for(len(block.time))
            rows = 3 * len(block.time) + 1
            out, books = np.empty((rows, 6), np.int64), np.empty((rows, 4 * levels), np.int64)
            count = int(replay.lobster_messages(block, book.state, finish, names, whole, out, books))
            yield out[:count], books[:count]

    def _to_the_end(self, markets: set[int], length: int) -> Iterator[tuple[Block, bool]]:
        """Blocks of some markets, then an empty one that tells that there are no more."""
        for block in self._blocks(markets, length):
            yield block, False
        yield _NOTHING, True

    def _blocks(self, markets: set[int] | None = None, length: int = 1 << 62) -> Iterator[Block]:
        """Blocks of at most ``length`` rows of some markets, or of all rows."""
        number = 0
        for columns in self.events.blocks(_COLUMNS):
            numbers = np.arange(number, number + len(columns["time"]))
            number += len(numbers)
            if markets is not None:
                chosen = np.isin(columns["market"], sorted(markets))
                if not chosen.all():
                    columns = {name: values[chosen] for name, values in columns.items()}
                    numbers = numbers[chosen]
            slots = self.index.slots(columns["order_id"])
            matches = np.where(_names_another(columns), self.index.slots(columns["match_id"]), np.int64(-1))
            plain = [columns[name] for name in Block._fields[4:]]
            for first in range(0, len(numbers), length):
                part = slice(first, first + length)
                yield Block(
                    columns["time"][part],
                    numbers[part],
                    slots[part],
                    matches[part],
                    *(values[part] for values in plain),
                )


class _Found:
    """Collects rows of levels: a buffer that is used again, and copies of what was found."""

    def __init__(self, levels: int) -> None:
        self._times = np.empty(0, np.int64)
        self._numbers = np.empty(0, np.int64)
        self._out = np.empty((0, 4 * levels), np.int64)
        self._kept: list[tuple[Ints, Ints, Ints]] = []

    def room(self, rows: int) -> tuple[Ints, Ints, Ints]:
        if rows > len(self._times):
            self._times, self._numbers = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
            self._out = np.zeros((rows, self._out.shape[1]), np.int64)
        return self._times, self._numbers, self._out

    def keep(self, count: int) -> None:
        if count:
            self._kept.append((self._times[:count].copy(), self._numbers[:count].copy(), self._out[:count].copy()))

    def add(self, part: Levels) -> None:
        """Rows that are nobody else's."""
        self._kept.append((part.time, part.number, part.rows))

    def taken(self) -> Levels:
        """What was kept since the last time."""
        part = self.levels()
        self._kept = []
        return part

    def levels(self) -> Levels:
        width = self._out.shape[1]
        empty = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, width), np.int64))
        if len(self._kept) == 1:
            return Levels(*self._kept[0])
        times, numbers, rows = zip(*(self._kept or [empty]), strict=True)
        return Levels(np.concatenate(times), np.concatenate(numbers), np.concatenate(rows))


def _names_another(columns: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Rows whose match_id is an order: the maker of a trade, the partner of a new order."""
    kind = columns["kind"]
    found: NDArray[np.bool_] = (kind == EventKind.TRADE) | ((kind == EventKind.CONDITIONS) & (columns["match_id"] > 0))
    return found


def _length(levels: int) -> int:
    """Rows of a block whose levels fit a buffer."""
    return max(_CELLS // (4 * levels), 1024)


_NOTHING = Block(
    *(np.empty(0, np.int64) for _ in Block._fields[:4]), *(np.empty(0, EVENT[name]) for name in Block._fields[4:])
)
