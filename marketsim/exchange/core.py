"""The matching core: owner of the tables that compiled matching works on, for any number of markets.

Called with plain ints, it checks them at the door, grows tables as needed and repeats the call. It knows no clock,
network, agent or file; docs/matching-rules.md says what each request does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from operator import index
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import Side, TimeInForce
from marketsim.errors import InvalidValueError, InvariantViolation
from marketsim.exchange import matching
from marketsim.exchange.audit import audit
from marketsim.exchange.state import (
    ASK,
    BID,
    BOOK,
    BUY_STOP,
    CORE,
    GONE,
    LADDER,
    LADDERS,
    LEVEL,
    ORDER,
    RESTING,
    RUNG,
    SELL_STOP,
    SHORT_OF_LEVELS,
    SHORT_OF_LOG,
    SHORT_OF_ORDERS,
    SHORT_OF_RUNGS,
    SHORT_OF_SLOTS,
    SHORT_OF_TOUCHES,
    TOUCH,
    WAITING,
)
from marketsim.kernel.compiled import Record, Rows, Table, array_at, compiled, entrance, entry_of

_CHUNK = 8_192
_ID_GAP = 1 << 24  # the table of ids is dense: 8 bytes for each number up to the highest used
_OWNERS = 1 << 31  # as the rows of the log hold them
_TRADE = int(EventKind.TRADE)
_UNKNOWN_CODE = -100
_NEW, _CANCEL, _REPLACE, _EXPIRE, _CLOSE = range(5)
_FIELDS = 13  # of the longest request, its kind included; behind them:
_CORE, _FIRST, _ROWS = 13, 14, 15  # address of the core; first row that the request wrote, and how many
_WORD = np.dtype(np.int64)
_WRITERS = [struct.Struct(f"{count}q").pack_into for count in range(_FIELDS + 1)]  # these refuse floats
_write_new, _write_cancel = _WRITERS[_FIELDS], _WRITERS[5]
_tellings = struct.Struct("=16x3q18xB5x").iter_unpack  # match_id, price, quantity and kind of a row
_NOT_INTS = "a request takes integers of 64 bits: ticks, lots, ns and numbers; convert prices with Instrument.to_ticks"


class ChunkSource(Protocol):
    """Where the rows of the event log go, chunk by chunk."""

    def next_chunk(self, full: Table | None, used: int, needed: int) -> Table:
        """Take the first ``used`` rows of a chunk and hand out one with room for at least ``needed`` rows."""


class MemoryLog:
    """Keeps every row in memory; for cores used alone."""

    def __init__(self, length: int = _CHUNK) -> None:
        self._length = length
        self._kept: list[NDArray[Any]] = []

    def next_chunk(self, full: Table | None, used: int, needed: int) -> Table:
        """Copy the rows away and hand the same chunk out again, or a longer one."""
        if full is not None and used:
            self._kept.append(np.array(full.rows[:used], dtype=EVENT))
        if full is not None and len(full) >= needed:
            return full
        return Table(EVENT, max(self._length, needed))

    def rows(self, chunk: Table, used: int) -> NDArray[Any]:
        """All rows so far, the last ones still in the chunk."""
        return np.concatenate([*self._kept, np.array(chunk.rows[:used], dtype=EVENT)])


@compiled
def _match(core: Record, asked: Rows) -> int:
    kind, time, owner = asked[0], asked[1], asked[2]
    if owner >= _OWNERS or owner < -_OWNERS:
        return _UNKNOWN_CODE
    if kind == _NEW:
        coded = matching.has_known_codes(asked[4], asked[5], asked[6], asked[7])
        if not coded or not 0 <= asked[12] <= core.next_id + _ID_GAP:
            return _UNKNOWN_CODE
        return matching.new_order(
            core,
            time,
            owner,
            asked[3],
            asked[4],
            asked[5],
            asked[6],
            asked[7],
            asked[8],
            asked[9],
            asked[10],
            asked[11],
            asked[12],
        )
    if kind == _CANCEL:
        return matching.cancel_order(core, time, owner, asked[3], asked[4])
    if kind == _REPLACE:
        return matching.replace_order(core, time, owner, asked[3], asked[4], asked[5], asked[6])
    if kind == _EXPIRE:
        return matching.expire_order(core, time, asked[3])
    return matching.close_order(core, time, asked[3])


@entrance
def _request(address: int) -> int:
    """One request, given as integers at an address: what the function of matching answers."""
    asked = array_at(address, _ROWS + 1, _WORD)
    core = array_at(asked[_CORE], 1, CORE)[0]
    first = core.log_count
    answer = _match(core, asked)
    asked[_FIRST] = first
    asked[_ROWS] = core.log_count - first
    return answer


@cache
def _entry() -> Any:
    return entry_of(_request, 1)


class MatchingCore:
    """Books of ``markets`` markets in price-time priority.

    markets: how many; they are numbered from 0.
    log: where rows go; in memory by default, read with ``events()``.
    """

    def __init__(self, markets: int = 1, log: ChunkSource | None = None) -> None:
        if index(markets) < 1 or markets > 65_000:
            raise InvalidValueError(f"markets={markets}: a core holds 1 to 65000 markets")
        self._log: ChunkSource = log or MemoryLog()
        self._core = Table(CORE, 1)
        self._orders = Table(ORDER, 1024)
        self._levels = Table(LEVEL, 1024)
        self._rungs = Table(RUNG, markets * LADDERS * 16)
        self._ladders = Table(LADDER, markets * LADDERS)
        self._books = Table(BOOK, markets)
        self._slots = Table(np.dtype(np.int64), 4096)
        self._touched = Table(TOUCH, 1024)
        self._request = Table(_WORD, _ROWS + 1)
        self._request.rows[_CORE] = self._core.address
        self._asked: Any = memoryview(self._request.rows)
        self._address = self._request.address
        self._enter = _entry()
        self._take_chunk(self._log.next_chunk(None, 0, _CHUNK))
        self._prepare(markets)

    # --- requests ---

    def new(
        self,
        time: int,
        owner: int,
        market: int,
        side: int,
        order_type: int,
        time_in_force: int,
        flags: int,
        price: int,
        stop_price: int,
        quantity: int,
        expire: int = 0,
        order_id: int = 0,
    ) -> int:
        """A new order; answers its id (``order_id``, or the next free number for 0). A reject is a row."""
        try:
            _write_new(
                self._asked, 0, _NEW, time, owner, market, side, order_type, time_in_force, flags, price, stop_price,
                quantity, expire, order_id,
            )  # fmt: skip
        except struct.error as error:
            raise _objection(time, owner, market, side, order_type, time_in_force, flags, price, stop_price, quantity,
                             expire, order_id) from error  # fmt: skip
        answer: int = self._enter(self._address)
        return self._repeat(answer) if answer < 0 else answer

    def cancel(self, time: int, owner: int, order_id: int, quantity: int = 0) -> None:
        """Cancel an order, or ``quantity`` lots of it."""
        try:
            _write_cancel(self._asked, 0, _CANCEL, time, owner, order_id, quantity)
        except struct.error as error:
            raise _objection(time, owner, order_id, quantity) from error
        answer = self._enter(self._address)
        if answer < 0:
            self._repeat(answer)

    def replace(self, time: int, owner: int, order_id: int, price: int, quantity: int, stop_price: int = 0) -> None:
        """New terms for a live order; ``quantity`` is the new total, including what was filled."""
        self._ask(_REPLACE, time, owner, order_id, price, quantity, stop_price)

    def expire(self, time: int, order_id: int) -> None:
        """The expire time of an order has come."""
        self._ask(_EXPIRE, time, 0, order_id)

    def close(self, time: int, market: int) -> None:
        """End the session of a market: DAY orders expire, new orders are refused until ``open``."""
        now, number = index(time), self._market(market)
        for order_id in self._day_orders(number):
            self._ask(_CLOSE, now, 0, order_id)
        self._books.rows["closed"][number] = 1

    def open(self, market: int) -> None:
        """Begin a session of a market."""
        self._books.rows["closed"][self._market(market)] = 0

    # --- queries ---

    def events(self) -> NDArray[Any]:
        """All rows so far, in order (dtype EVENT); only with the default in-memory log."""
        if not isinstance(self._log, MemoryLog):
            raise InvalidValueError("this core writes its events elsewhere; read them there")
        return self._log.rows(self._chunk, self.events_in_chunk)

    def last_rows(self) -> NDArray[Any]:
        """The rows of the last request (dtype EVENT), valid until the next one."""
        first = self._asked[_FIRST]
        return np.asarray(self._chunk.rows[first : first + self._asked[_ROWS]])

    def fills(self) -> list[tuple[int, int, int]]:
        """(resting order, price, quantity) of each trade of the last request, in order."""
        rows = self._asked[_ROWS]
        if rows < 2:
            return []
        first = self._asked[_FIRST] + 1
        told = _tellings(self._bytes[first * EVENT.itemsize : (first + rows - 1) * EVENT.itemsize])
        return [(order_id, price, quantity) for order_id, price, quantity, kind in told if kind == _TRADE]

    def best(self, market: int) -> tuple[int, int, int, int]:
        """(bid, bid quantity, ask, ask quantity) in ticks and lots; an empty side is 0, 0."""
        bid = self.depth(market, Side.BUY, 1)
        ask = self.depth(market, Side.SELL, 1)
        return (*(bid[0][:2] if bid else (0, 0)), *(ask[0][:2] if ask else (0, 0)))

    def depth(self, market: int, side: int, levels: int | None = None) -> list[tuple[int, int, int]]:
        """(price, quantity, number of orders) of the best levels of a side, best first."""
        return [
            (int(row["price"]), int(row["quantity"]), int(row["orders"]))
            for row in self._level_rows(self._ladder(market, side), levels)
        ]

    def volume_on(self, market: int, side: int) -> int:
        """Open quantity of a whole side in lots."""
        return int(self._ladders.rows["quantity"][self._ladder(market, side)])

    def queue(self, market: int, side: int, price: int) -> list[tuple[int, int]]:
        """(order_id, open quantity) at a price, in time priority."""
        for row in self._level_rows(self._ladder(market, side), None):
            if row["price"] == price:
                return [(int(order["order_id"]), int(order["leaves"])) for order in self._orders_of_level(row)]
        return []

    def stops(self, market: int, side: int) -> list[tuple[int, int]]:
        """(order_id, stop price) of the waiting stops of a side, in the order in which they would be elected."""
        ladder = self._market(market) * LADDERS + (BUY_STOP if side > 0 else SELL_STOP)
        return [
            (int(order["order_id"]), int(order["stop_price"]))
            for row in self._level_rows(ladder, None)
            for order in self._orders_of_level(row)
        ]

    def order(self, order_id: int) -> dict[str, int] | None:
        """The fields of a live order by name; None when it is not live."""
        if not 0 < order_id < len(self._slots):
            return None
        slot = int(self._slots.rows[order_id])
        if slot <= 0:
            return None
        row = self._orders.rows[slot]
        return {name: int(row[name]) for name in ORDER.names or () if name not in ("next", "prev", "level", "place")}

    def orders(self, market: int) -> Iterator[dict[str, int]]:
        """Every live order of a market, in the order of their ids."""
        rows = np.asarray(self._orders.rows)
        live = rows[(rows["place"] != GONE) & (rows["market"] == self._market(market))]
        for order_id in np.sort(live["order_id"]):
            order = self.order(int(order_id))
            if order is not None:
                yield order

    def statistics(self, market: int) -> dict[str, int]:
        """Last price, last quantity, number of trades and volume of a market."""
        row = self._books.rows[self._market(market)]
        return {name: int(row[name]) for name in ("last_price", "last_quantity", "trades", "volume")}

    def check(self) -> None:
        """Raise InvariantViolation unless every invariant of the tables holds."""
        finding = audit(self._core.rows)
        if finding:
            raise InvariantViolation(f"matching core: {finding}")

    # --- for the compiled world above ---

    @property
    def record(self) -> Rows:
        """The one-row array with the CORE record, for compiled callers. It owns nothing: keep this object alive."""
        return self._core.rows

    @property
    def events_in_chunk(self) -> int:
        """Rows written into the current chunk."""
        return int(self._core.rows["log_count"][0])

    def flush(self) -> None:
        """Hand the rows written so far to the log."""
        self._swap_chunk(_CHUNK)

    def make_room_for_ids(self, largest: int) -> None:
        """Make room for order ids up to ``largest``."""
        self._grow_slots(max(2 * len(self._slots), largest + 1))

    def prevent_self_trades(self, market: int, wanted: bool = True) -> None:
        """Whether an order that would trade with its own owner is canceled instead (its rest: cancel newest)."""
        self._books.rows["guarded"][self._market(market)] = int(wanted)

    def track(self, market: int, wanted: bool) -> None:
        """Whether to note which levels each request touches."""
        self._books.rows["track"][self._market(market)] = int(wanted)

    @property
    def nbytes(self) -> int:
        """Memory of all tables."""
        tables = (self._orders, self._levels, self._rungs, self._slots, self._touched, self._chunk)
        return sum(table.nbytes for table in tables)

    def relieve(self, short: int) -> None:
        """Grow the table that a SHORT_OF code names."""
        if short == SHORT_OF_LOG:
            self._swap_chunk(max(_CHUNK, 2 * int(self._core.rows["log_needed"][0])))
        elif short == SHORT_OF_TOUCHES:
            self._grow_touched()
        elif short == SHORT_OF_ORDERS:
            self._grow_orders()
        elif short == SHORT_OF_LEVELS:
            self._grow_levels()
        elif short == SHORT_OF_RUNGS:
            self._grow_ladder(int(self._core.rows["short_ladder"][0]))
        elif short == SHORT_OF_SLOTS:
            self._grow_slots(2 * len(self._slots))
        else:
            raise InvariantViolation(f"matching core: unknown answer {short}")

    # --- tables ---

    def _prepare(self, markets: int) -> None:
        core = self._core.rows
        core["markets"] = markets
        core["next_id"] = 1
        for ladder in range(markets * LADDERS):
            self._ladders.rows["start"][ladder] = ladder * 16
            self._ladders.rows["capacity"][ladder] = 16
        core["free_order"], core["free_orders"] = 1, self._orders.chain(1)
        core["free_level"], core["free_levels"] = 1, self._levels.chain(1, link="head")
        self._publish()

    def _publish(self) -> None:
        """Write addresses and lengths of all tables into the CORE record."""
        core = self._core.rows
        for name in ("orders", "levels", "rungs", "slots", "touched"):
            table: Table = getattr(self, f"_{name}")
            core[name], core[f"{name}_length"] = table.address, len(table)
        core["ladders"], core["books"] = self._ladders.address, self._books.address
        core["log"], core["log_length"] = self._chunk.address, len(self._chunk)

    def _grow_orders(self) -> None:
        old = len(self._orders)
        self._orders.grow(2 * old)
        core = self._core.rows
        core["free_orders"] += self._orders.chain(old, int(core["free_order"][0]))
        core["free_order"] = old
        self._publish()

    def _grow_levels(self) -> None:
        old = len(self._levels)
        ladders = self._ladders.rows
        stops = int(ladders["orders"][BUY_STOP::LADDERS].sum() + ladders["orders"][SELL_STOP::LADDERS].sum())
        self._levels.grow(2 * old + stops)
        core = self._core.rows
        core["free_levels"] += self._levels.chain(old, int(core["free_level"][0]), link="head")
        core["free_level"] = old
        self._publish()

    def _grow_slots(self, length: int) -> None:
        self._slots.grow(length)
        self._publish()

    def _grow_touched(self) -> None:
        self._touched.grow(max(2 * len(self._touched), 4 * int(self._core.rows["log_needed"][0])))
        self._publish()

    def _grow_ladder(self, ladder: int) -> None:
        """Move a ladder to the end of the table of rungs, with twice the room."""
        ladders = self._ladders.rows
        first = ladder - ladder % LADDERS
        stops = int(ladders["orders"][first + BUY_STOP] + ladders["orders"][first + SELL_STOP])
        capacity = 2 * int(ladders["capacity"][ladder]) + stops
        start, used = int(ladders["start"][ladder]), int(ladders["rungs"][ladder])
        end = int((ladders["start"] + ladders["capacity"]).max())
        if end + capacity > len(self._rungs):
            self._rungs.grow(max(2 * len(self._rungs), end + capacity))
        self._rungs.rows[end : end + used] = self._rungs.rows[start : start + used]
        ladders["start"][ladder], ladders["capacity"][ladder] = end, capacity
        self._publish()

    def _swap_chunk(self, needed: int) -> None:
        chunk = self._log.next_chunk(self._chunk, self.events_in_chunk, needed)
        self._core.rows["log_count"] = 0  # first: an interrupt may come between any two of these lines
        self._take_chunk(chunk)
        self._publish()

    def _take_chunk(self, chunk: Table) -> None:
        self._chunk = chunk
        self._bytes = memoryview(chunk.rows.view(np.uint8))

    def _ask(self, *request: int) -> None:
        try:
            _WRITERS[len(request)](self._asked, 0, *request)
        except struct.error as error:
            raise _objection(*request) from error
        answer = self._enter(self._address)
        if answer < 0:
            self._repeat(answer)

    def _repeat(self, answer: int) -> int:
        """Grow what was short and ask again, until there is room."""
        asked = self._request.rows
        while answer < 0:
            if answer == _UNKNOWN_CODE:
                raise InvalidValueError(_refusal([int(field) for field in asked], int(self._core.rows["next_id"][0])))
            if answer == SHORT_OF_SLOTS:
                self.make_room_for_ids(int(asked[12]))
            else:
                self.relieve(answer)
            answer = self._enter(self._address)
        return int(answer)

    def _ladder(self, market: int, side: int) -> int:
        return self._market(market) * LADDERS + (BID if side > 0 else ASK)

    def _market(self, market: int) -> int:
        """The number of a market that there is: a negative one would silently count from the end."""
        number = index(market)
        if not 0 <= number < len(self._books):
            raise InvalidValueError(f"market {number}: this core has markets 0 to {len(self._books) - 1}")
        return number

    def _day_orders(self, market: int) -> list[int]:
        rows = np.asarray(self._orders.rows)
        live = (rows["place"] == RESTING) | (rows["place"] == WAITING)
        chosen = rows[live & (rows["market"] == market) & (rows["time_in_force"] == int(TimeInForce.DAY))]
        return [int(order_id) for order_id in np.sort(chosen["order_id"])]

    def _level_rows(self, ladder: int, levels: int | None) -> Iterator[Record]:
        side = self._ladders.rows[ladder]
        start, count = int(side["start"]), int(side["rungs"])
        shown = count if levels is None else min(levels, count)
        for position in range(start + count - 1, start + count - 1 - shown, -1):
            yield self._levels.rows[int(self._rungs.rows["level"][position])]

    def _orders_of_level(self, level: Record) -> Iterator[Record]:
        slot = int(level["head"])
        while slot:
            order = self._orders.rows[slot]
            yield order
            slot = int(order["next"])


def _objection(*request: Any) -> Exception:
    """Why a request could not be written down as integers of 64 bits."""
    for value in request:
        if not hasattr(value, "__index__"):
            return TypeError(f"{value!r} is no integer: {_NOT_INTS}")
    largest = max((index(value) for value in request if hasattr(value, "__index__")), key=abs)
    return InvalidValueError(f"{largest} is too large: {_NOT_INTS}")


def _refusal(asked: list[int], highest: int) -> str:
    """What is wrong with a request that matching cannot read; ``highest`` is the next free order number."""
    if not -_OWNERS <= asked[2] < _OWNERS:
        return f"owner={asked[2]}: a participant's number has at most 32 bits"
    if asked[0] == _NEW and not 0 <= asked[12] <= highest + _ID_GAP:
        return f"order_id={asked[12]}: use 0 for the next free number, or one at most 2**24 above the highest used"
    return (
        f"side={asked[4]}, order_type={asked[5]}, time_in_force={asked[6]}, flags={asked[7]}: "
        "use the numbers of Side, OrderType, TimeInForce and OrderFlag.POST_ONLY or 0"
    )
