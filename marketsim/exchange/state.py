"""State of the matching core: the records that its compiled functions work on.

One CORE record holds counts and the addresses of the tables; every function of the core takes that record. Slots of
orders and levels are numbered from 1, so that 0 means none. This module holds no logic but the access to the tables.
"""

from __future__ import annotations

import numpy as np

from marketsim.domain.event import EVENT
from marketsim.kernel.compiled import Record, Rows, array_at, inlined

ORDER = np.dtype(
    [
        ("order_id", np.int64),
        ("price", np.int64),  # limit; 0 for market and stop orders; a peg's present price
        ("stop_price", np.int64),
        ("quantity", np.int64),  # total, including what was filled
        ("leaves", np.int64),  # open, without the reserve
        ("expire", np.int64),
        ("owner", np.int64),
        ("market", np.int64),
        ("next", np.int64),  # slot behind it in its queue; in the free list the next free slot
        ("prev", np.int64),
        ("level", np.int64),
        ("place", np.int64),  # GONE, RESTING ...
        ("side", np.int64),
        ("order_type", np.int64),
        ("time_in_force", np.int64),
        ("instructions", np.int64),  # OrderFlag ("flags" is an attribute of every NumPy record), SPECIAL, TRIGGERED ...
    ]
)
TERM = np.dtype(  # what only special orders have; all zero for the others
    [
        ("reserve", np.int64),  # open, but not displayed yet, or not released yet by the parent
        ("display", np.int64),  # what an iceberg shows at most; 0: everything
        ("minimum", np.int64),
        ("distance", np.int64),  # of a trailing stop or a peg
        ("cap", np.int64),  # limit of a peg
        ("partner", np.int64),  # slot of the order that this one cancels; 0 for none
        ("parent", np.int64),  # slot
        ("told", np.int64),  # of what the parent has filled: released already; of a peg: the round that priced it
        ("first_child", np.int64),
        ("last_child", np.int64),
        ("next_child", np.int64),  # of the same parent
        ("owes", np.int64),  # whether it is in the list of parents that owe their children something
        ("next_owing", np.int64),
        ("ended", np.int64),  # a parent that is over, but still remembered
        ("before", np.int64),  # in the list of pegs or of trailing stops
        ("behind", np.int64),
        ("fresh", np.int64),  # a peg, or a trailing stop, whose terms are new
        ("allotted", np.int64),  # by the pro-rata rule, while it is at work
    ]
)
LEVEL = np.dtype(
    [
        ("price", np.int64),
        ("quantity", np.int64),
        ("orders", np.int64),
        ("head", np.int64),  # first in time; in the free list the next free level
        ("tail", np.int64),
    ]
)
RUNG = np.dtype([("key", np.int64), ("level", np.int64)])  # one price of a ladder, ascending key, the best one last
LADDER = np.dtype(
    [
        ("start", np.int64),  # first rung in the table of rungs
        ("rungs", np.int64),
        ("capacity", np.int64),
        ("orders", np.int64),
        ("quantity", np.int64),
    ]
)
BOOK = np.dtype(
    [
        ("last_price", np.int64),
        ("last_quantity", np.int64),
        ("trades", np.int64),
        ("volume", np.int64),
        ("phase", np.int64),
        ("special", np.int64),  # live orders with a record of TERM
        ("peculiar", np.int64),  # whether self-trades, bands or a pro-rata rule need a look at each trade
        ("track", np.int64),  # whether somebody wants the touched levels
        ("sequence", np.int64),  # of the market data feed
        ("guarded", np.int64),  # SelfTrade
        ("reference", np.int64),  # the last price before anything has traded
        ("banded", np.int64),  # whether there are price bands:
        ("static_low", np.int64),
        ("static_high", np.int64),
        ("dynamic", np.int64),  # largest distance to the anchor; 0 for none
        ("band_action", np.int64),
        ("anchor", np.int64),  # last price when the request began
        ("pro_rata", np.int64),
        ("top_lots", np.int64),
        ("fifo_percent", np.int64),
        ("least_allocation", np.int64),
        ("slices", np.int64),  # how often the icebergs on the book can show a new part
        ("pegs", np.int64),
        ("first_peg", np.int64),
        ("last_peg", np.int64),
        ("peg_bid", np.int64),  # by which the pegs were priced last; NO_KEY for none
        ("peg_ask", np.int64),
        ("fresh_pegs", np.int64),
        ("peg_round", np.int64),
        ("trails", np.int64),
        ("first_trail", np.int64),
        ("last_trail", np.int64),
        ("trail_price", np.int64),  # last price when the trailing stops were looked at
    ]
)
TOUCH = np.dtype([("ladder", np.int64), ("price", np.int64)])  # a level that a request changed
AUCTION = np.dtype(  # what an uncross comes to
    [
        ("price", np.int64),
        ("volume", np.int64),  # 0: nothing would trade
        ("surplus", np.int64),
        ("side", np.int64),  # of the surplus: +1 demand, -1 supply, 0 none
    ]
)
CORE = np.dtype(
    [
        ("orders", np.int64),  # addresses and lengths of the tables
        ("orders_length", np.int64),
        ("terms", np.int64),  # one for each order
        ("levels", np.int64),
        ("levels_length", np.int64),
        ("rungs", np.int64),
        ("rungs_length", np.int64),
        ("ladders", np.int64),
        ("books", np.int64),
        ("markets", np.int64),
        ("slots", np.int64),  # order_id -> slot: 0 never used, -1 gone
        ("slots_length", np.int64),
        ("log", np.int64),
        ("log_length", np.int64),
        ("touched", np.int64),
        ("touched_length", np.int64),
        ("free_order", np.int64),
        ("free_orders", np.int64),
        ("free_level", np.int64),
        ("free_levels", np.int64),
        ("next_id", np.int64),
        ("log_count", np.int64),
        ("log_needed", np.int64),
        ("touches", np.int64),
        ("elected_head", np.int64),
        ("elected_tail", np.int64),
        ("elected", np.int64),
        ("first_owing", np.int64),  # parents that owe their children something
        ("last_owing", np.int64),
        ("kept", np.int64),  # orders that are over but remembered
        ("unsettled", np.int64),  # whether what follows from the last request must be settled,
        ("first_unsettled", np.int64),  # in these markets
        ("last_unsettled", np.int64),
        ("accounts", np.int64),  # owner -> account
        ("accounts_length", np.int64),
        ("auction", np.int64),  # address of one AUCTION
        ("short_ladder", np.int64),
        ("short_rungs", np.int64),
        ("short_levels", np.int64),
        ("time", np.int64),
    ]
)

# Ladder of a market: LADDERS * market + one of these; from even to odd is from the buy side to the sell side.
BID, ASK, BUY_STOP, SELL_STOP, HIDDEN_BID, HIDDEN_ASK, CALL_BUY, CALL_SELL = range(8)
LADDERS = 8
# Places. The first four are in queues of a ladder: 2 * (place - 1), plus one for a sell.
GONE, RESTING, WAITING, HIDDEN, CALLED, ELECTED, PARKED, FLYING, FALLEN, KEPT = range(10)
# In an order's instructions, beside those of OrderFlag, which fill a byte.
BYTE, SPECIAL, TRIGGERED, LIMITED = 255, 256, 512, 1024
NO_MARKET = 65535
NO_KEY = -9223372036854775808

# What a function answers when a table is too short; nothing has happened then, and the call is to be repeated.
SHORT_OF_ORDERS, SHORT_OF_LEVELS, SHORT_OF_RUNGS = -1, -2, -3
SHORT_OF_SLOTS, SHORT_OF_LOG, SHORT_OF_TOUCHES = -4, -5, -6


@inlined
def orders_of(core: Record) -> Rows:
    return array_at(core.orders, core.orders_length, ORDER)


@inlined
def terms_of(core: Record) -> Rows:
    return array_at(core.terms, core.orders_length, TERM)


@inlined
def levels_of(core: Record) -> Rows:
    return array_at(core.levels, core.levels_length, LEVEL)


@inlined
def rungs_of(core: Record) -> Rows:
    return array_at(core.rungs, core.rungs_length, RUNG)


@inlined
def ladders_of(core: Record) -> Rows:
    return array_at(core.ladders, core.markets * LADDERS, LADDER)


@inlined
def books_of(core: Record) -> Rows:
    return array_at(core.books, core.markets, BOOK)


_SLOT = np.dtype(np.int64)


@inlined
def slots_of(core: Record) -> Rows:
    return array_at(core.slots, core.slots_length, _SLOT)


@inlined
def events_of(core: Record) -> Rows:
    return array_at(core.log, core.log_length, EVENT)


@inlined
def touched_of(core: Record) -> Rows:
    return array_at(core.touched, core.touched_length, TOUCH)


@inlined
def accounts_of(core: Record) -> Rows:
    return array_at(core.accounts, core.accounts_length, _SLOT)


@inlined
def ladder_of(order: Record) -> int:
    """The ladder in which an order is queued; its place must be one of those."""
    return order.market * LADDERS + 2 * (order.place - 1) + (0 if order.side > 0 else 1)


@inlined
def last_price(book: Record) -> int:
    """Of the last trade; before any, the reference price."""
    return book.last_price if book.trades > 0 else book.reference


@inlined
def auction_of(core: Record) -> Rows:
    return array_at(core.auction, 1, AUCTION)
