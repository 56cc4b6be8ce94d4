"""The matching core: owner of the tables that compiled matching works on, for any number of markets.

Called with plain ints, it checks them at the door, grows tables as needed and repeats the call. It knows no clock,
network, agent or file; docs/matching-rules.md says what each request does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from operator import index
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import Reason, SelfTrade, Side
from marketsim.domain.phase import BandAction, Phase
from marketsim.errors import InvalidValueError, InvariantViolation
from marketsim.exchange import matching, phases
from marketsim.exchange.auction import find_price
from marketsim.exchange.audit import audit
from marketsim.exchange.settling import settle
from marketsim.exchange.state import (
    ASK,
    AUCTION,
    BID,
    BOOK,
    BUY_STOP,
    BYTE,
    CORE,
    GONE,
    KEPT,
    LADDER,
    LADDERS,
    LEVEL,
    NO_KEY,
    ORDER,
    RUNG,
    SELL_STOP,
    SHORT_OF_LEVELS,
    SHORT_OF_LOG,
    SHORT_OF_ORDERS,
    SHORT_OF_RUNGS,
    SHORT_OF_SLOTS,
    SHORT_OF_TOUCHES,
    TERM,
    TOUCH,
    auction_of,
)
from marketsim.kernel.compiled import Record, Rows, Table, array_at, compiled, entrance, entry_of

_CHUNK = 8_192
_ID_GAP = 1 << 24  # the table of ids is dense: 8 bytes for each number up to the highest used
_OWNERS = 1 << 31  # as the rows of the log hold them
_ACCOUNTS = 1 << 24  # the table of accounts is dense, too
_BEYOND = 1 << 63
_TRADE = int(EventKind.TRADE)
_UNKNOWN_CODE = -100
_NEW, _CANCEL, _REPLACE, _EXPIRE, _CANCEL_OWNER, _PHASE, _END_SESSION, _SETTLE = range(8)
_FIELDS = 17  # of the longest request, its kind included; behind them:
# Address of the core; first row that was written, and how many; answer; whether rows went with an earlier chunk.
_CORE, _FIRST, _ROWS, _ANSWER, _EARLIER = 17, 18, 19, 20, 21
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
            asked[13],
            asked[14],
            asked[15],
            asked[16],
        )
    if kind == _CANCEL:
        return matching.cancel_order(core, time, owner, asked[3], asked[4])
    if kind == _REPLACE:
        return matching.replace_order(core, time, owner, asked[3], asked[4], asked[5], asked[6])
    if kind == _EXPIRE:
        return matching.expire_order(core, time, asked[3])
    if kind == _CANCEL_OWNER:
        return matching.cancel_owner(core, time, owner, asked[3], asked[4], asked[5])
    if kind == _PHASE:
        return phases.set_phase(core, time, asked[3], asked[4], asked[5])
    return phases.end_session(core, time, asked[3])


@entrance
def _request(address: int) -> int:
    """One request, given as integers at an address, and all that follows: what the function of matching answers.

    When room is short for what follows, the request itself is done, and the next call goes on behind it.
    """
    asked = array_at(address, _EARLIER + 1, _WORD)
    core = array_at(asked[_CORE], 1, CORE)[0]
    if asked[0] != _SETTLE:
        asked[_FIRST] = core.log_count
        asked[_EARLIER] = 0
        answer = _match(core, asked)
        if answer < 0:
            return answer
        asked[_ANSWER] = answer
    step = settle(core) if core.unsettled != 0 else 0
    while step > 0:
        step = settle(core)
    asked[_ROWS] = core.log_count - asked[_FIRST]
    if step < 0:
        asked[0] = _SETTLE
        return step
    return asked[_ANSWER]


@entrance
def _indicative(address: int, market: int) -> int:
    """The price at which a market would uncross now, written into the core's AUCTION."""
    core = array_at(address, 1, CORE)[0]
    find_price(core, market, auction_of(core)[0])
    return 0


@cache
def _entry() -> Any:
    return entry_of(_request, 1)


@cache
def _entry_of_auctions() -> Any:
    return entry_of(_indicative, 2)


class Auction(NamedTuple):
    """What an uncross would come to: price in ticks, lots, lots left over and on which side (0: none)."""

    price: int
    volume: int
    surplus: int
    side: int


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
        self._terms = Table(TERM, 1024)
        self._levels = Table(LEVEL, 1024)
        self._rungs = Table(RUNG, markets * LADDERS * 16)
        self._ladders = Table(LADDER, markets * LADDERS)
        self._books = Table(BOOK, markets)
        self._slots = Table(np.dtype(np.int64), 4096)
        self._touched = Table(TOUCH, 1024)
        self._accounts = Table(_WORD, 1)
        self._auction = Table(AUCTION, 1)
        self._earlier: list[NDArray[Any]] = []  # rows of the last request that went with a full chunk
        self._request = Table(_WORD, _EARLIER + 1)
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
        display: int = 0,
        minimum: int = 0,
        parent: int = 0,
        partner: int = 0,
    ) -> int:
        """A new order; answers its id (``order_id``, or the next free number for 0). A reject is a row.

        display: lots that an iceberg shows at most. minimum: lots that it trades at once at least.
        parent: order whose fills release this one. partner: order of which this one cancels as much as it trades.
        """
        try:
            _write_new(
                self._asked, 0, _NEW, time, owner, market, side, order_type, time_in_force, flags, price, stop_price,
                quantity, expire, order_id, display, minimum, parent, partner,
            )  # fmt: skip
        except struct.error as error:
            raise _objection(time, owner, market, side, order_type, time_in_force, flags, price, stop_price, quantity,
                             expire, order_id, display, minimum, parent, partner) from error  # fmt: skip
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

    def cancel_owner(
        self, time: int, owner: int, first_market: int, last_market: int, reason: int = Reason.BY_MASS_CANCEL
    ) -> None:
        """Cancel all that an owner has in some markets."""
        first, last = self._market(first_market), self._market(last_market)
        self._ask(_CANCEL_OWNER, time, owner, first, last, _code(Reason, reason))

    def set_phase(self, time: int, market: int, phase: int, reason: int = Reason.SCHEDULE) -> None:
        """A market enters a phase of its day; an auction that ends uncrosses first."""
        self._ask(_PHASE, time, 0, self._market(market), _code(Phase, phase), _code(Reason, reason))

    def end_session(self, time: int, market: int) -> None:
        """Orders for the day expire, whatever the phase, which stays."""
        self._ask(_END_SESSION, time, 0, self._market(market))

    # --- rules of a market ---

    def prevent_self_trades(self, market: int, mode: int = SelfTrade.CANCEL_NEWEST) -> None:
        """What becomes of orders that would trade with their own account's."""
        self._books.rows["guarded"][self._market(market)] = _code(SelfTrade, mode)
        self._judge(market)

    def set_account(self, owner: int, account: int) -> None:
        """Orders of owners with the same account, a number from 0 on, are own to each other."""
        if not 0 <= index(owner) < _ACCOUNTS or not 0 <= index(account) < _BEYOND:
            raise InvalidValueError(
                f"owner {owner}, account {account}: both are numbers from 0 on, of owners below {_ACCOUNTS}"
            )
        known = len(self._accounts)
        self._accounts.grow(owner + 1)
        self._accounts.rows[known:] = np.arange(known, len(self._accounts))
        self._accounts.rows[owner] = account
        self._publish()

    def set_allocation(
        self, market: int, pro_rata: bool, top_lots: int = 0, fifo_percent: int = 0, least_allocation: int = 0
    ) -> None:
        """Whether the orders of a price share an aggressor by size, and what goes by time before that."""
        lots = 0 <= index(top_lots) < _BEYOND and 0 <= index(least_allocation) < _BEYOND
        if not lots or not 0 <= index(fifo_percent) <= 100:
            raise InvalidValueError(
                f"top_lots={top_lots}, fifo_percent={fifo_percent}, least_allocation={least_allocation}: "
                "lots are 0 or more and of 64 bits, the percentage lies between 0 and 100"
            )
        row = self._books.rows[self._market(market)]
        row["pro_rata"], row["top_lots"] = 1 if pro_rata else 0, top_lots
        row["fifo_percent"], row["least_allocation"] = fifo_percent, least_allocation
        self._judge(market)

    def set_bands(
        self, market: int, static_low: int, static_high: int, dynamic: int = 0, action: int = BandAction.REFUSE
    ) -> None:
        """No trade outside ``static_low`` … ``static_high``, nor further than ``dynamic`` ticks from the last price."""
        if not -_BEYOND <= index(static_low) <= index(static_high) < _BEYOND or not 0 <= index(dynamic) < _BEYOND:
            raise InvalidValueError(
                f"static_low={static_low}, static_high={static_high}, dynamic={dynamic}: ticks of 64 bits; "
                "the low may not be above the high, nor the distance below 0"
            )
        what = _code(BandAction, action)
        row = self._books.rows[self._market(market)]
        row["banded"], row["static_low"], row["static_high"] = 1, static_low, static_high
        row["dynamic"], row["band_action"] = dynamic, what
        self._judge(market)

    def clear_bands(self, market: int) -> None:
        """Trades at every price again."""
        self._books.rows["banded"][self._market(market)] = 0
        self._judge(market)

    def set_reference(self, market: int, price: int) -> None:
        """What counts as the last price, in ticks, until something has traded."""
        if not -_BEYOND <= index(price) < _BEYOND:
            raise InvalidValueError(f"price {price}: ticks have at most 64 bits")
        self._books.rows["reference"][self._market(market)] = index(price)

    def _judge(self, market: int) -> None:
        row = self._books.rows[self._market(market)]
        row["peculiar"] = int(bool(row["guarded"] or row["banded"] or row["pro_rata"]))

    # --- queries ---

    def events(self) -> NDArray[Any]:
        """All rows so far, in order (dtype EVENT); only with the default in-memory log."""
        if not isinstance(self._log, MemoryLog):
            raise InvalidValueError("this core writes its events elsewhere; read them there")
        return self._log.rows(self._chunk, self.events_in_chunk)

    def last_rows(self) -> NDArray[Any]:
        """The rows of the last request (dtype EVENT), valid until the next one."""
        first = self._asked[_FIRST]
        rows = np.asarray(self._chunk.rows[first : first + self._asked[_ROWS]])
        return np.concatenate([*self._earlier, rows]) if self._asked[_EARLIER] else rows

    def fills(self) -> list[tuple[int, int, int]]:
        """(resting order, price, quantity) of each trade of the last request, in order."""
        if self._asked[_EARLIER]:
            rows = self.last_rows()
            trades = rows[rows["kind"] == _TRADE]
            return [(int(row["match_id"]), int(row["price"]), int(row["quantity"])) for row in trades]
        count = self._asked[_ROWS]
        if count < 2:
            return []
        first = self._asked[_FIRST]
        told = _tellings(self._bytes[first * EVENT.itemsize : (first + count) * EVENT.itemsize])
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
        if not 0 < index(order_id) < len(self._slots):
            return None
        slot = int(self._slots.rows[order_id])
        if slot <= 0:
            return None
        row, terms = self._orders.rows[slot], self._terms.rows[slot]
        fields = {name: int(row[name]) for name in ORDER.names or () if name not in ("next", "prev", "level", "place")}
        fields["instructions"] &= BYTE
        return fields | {name: int(terms[name]) for name in ("reserve", "display", "minimum", "distance", "cap")}

    def orders(self, market: int) -> Iterator[dict[str, int]]:
        """Every live order of a market, in the order of their ids."""
        rows = np.asarray(self._orders.rows)
        live = rows[(rows["place"] != GONE) & (rows["place"] != KEPT) & (rows["market"] == self._market(market))]
        for order_id in np.sort(live["order_id"]):
            order = self.order(int(order_id))
            if order is not None:
                yield order

    def phase(self, market: int) -> Phase:
        """The phase in which a market is."""
        return Phase(int(self._books.rows["phase"][self._market(market)]))

    def indicative(self, market: int) -> Auction:
        """What an uncross would come to if it happened now."""
        _entry_of_auctions()(self._core.address, self._market(market))
        row = self._auction.rows[0]
        return Auction(int(row["price"]), int(row["volume"]), int(row["surplus"]), int(row["side"]))

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

    def write_to(self, log: ChunkSource) -> None:
        """Rows go to another log from now on; flush those so far first."""
        self._log = log
        self._core.rows["log_count"] = 0
        self._take_chunk(log.next_chunk(None, 0, _CHUNK))
        self._publish()

    def make_room_for_ids(self, largest: int) -> None:
        """Make room for order ids up to ``largest``."""
        self._grow_slots(max(2 * len(self._slots), largest + 1))

    def track(self, market: int, wanted: bool) -> None:
        """Whether to note which levels each request touches."""
        self._books.rows["track"][self._market(market)] = int(wanted)

    @property
    def nbytes(self) -> int:
        """Memory of all tables."""
        tables = (self._orders, self._terms, self._levels, self._rungs, self._slots, self._touched, self._chunk)
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
        self._books.rows["peg_bid"] = self._books.rows["peg_ask"] = NO_KEY
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
        core["terms"], core["auction"] = self._terms.address, self._auction.address
        core["accounts"], core["accounts_length"] = self._accounts.address, len(self._accounts)
        core["log"], core["log_length"] = self._chunk.address, len(self._chunk)

    def _grow_orders(self) -> None:
        old = len(self._orders)
        self._orders.grow(2 * old)
        self._terms.grow(2 * old)
        core = self._core.rows
        core["free_orders"] += self._orders.chain(old, int(core["free_order"][0]))
        core["free_order"] = old
        self._publish()

    def _grow_levels(self) -> None:
        old = len(self._levels)
        self._levels.grow(2 * old + int(self._core.rows["short_levels"][0]))
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
        capacity = 2 * int(ladders["capacity"][ladder]) + int(self._core.rows["short_rungs"][0])
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
            if answer == SHORT_OF_LOG and int(asked[0]) == _SETTLE:
                if not asked[_EARLIER]:
                    self._earlier.clear()
                    asked[_EARLIER] = 1
                self._earlier.append(np.array(self._chunk.rows[asked[_FIRST] : self.events_in_chunk]))
                asked[_FIRST] = 0
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


def _code(kind: type[IntEnum], value: int) -> int:
    """The number of a code; a wrong one would silently be cut to a byte further down."""
    try:
        return int(kind(index(value)))
    except ValueError:
        raise InvalidValueError(f"{kind.__name__} {value}: use one of the codes of {kind.__name__}") from None


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
