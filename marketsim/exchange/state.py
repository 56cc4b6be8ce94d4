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
        ("price", np.int64),  # limit; 0 for market and stop orders
        ("stop_price", np.int64),
        ("quantity", np.int64),  # total, including what was filled
        ("leaves", np.int64),  # open
        ("expire", np.int64),
        ("owner", np.int64),
        ("market", np.int64),
        ("next", np.int64),  # slot behind it in its queue; in the free list the next free slot
        ("prev", np.int64),
        ("level", np.int64),
        ("place", np.int64),  # GONE, RESTING, WAITING or ELECTED
        ("side", np.int64),
        ("order_type", np.int64),
        ("time_in_force", np.int64),
        ("instructions", np.int64),  # OrderFlag ("flags" is an attribute of every NumPy record)
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
        ("closed", np.int64),
        ("guarded", np.int64),  # whether an order that would trade with its own owner is canceled
        ("track", np.int64),  # whether somebody wants the touched levels
        ("sequence", np.int64),  # of the market data feed
    ]
)
TOUCH = np.dtype([("ladder", np.int64), ("price", np.int64)])  # a level that a request changed
CORE = np.dtype(
    [
        ("orders", np.int64),  # addresses and lengths of the tables
        ("orders_length", np.int64),
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
        ("short_ladder", np.int64),
        ("time", np.int64),
    ]
)

BID, ASK, BUY_STOP, SELL_STOP = 0, 1, 2, 3  # ladder of a market: 4 * market + one of these
LADDERS = 4
GONE, RESTING, WAITING, ELECTED = 0, 1, 2, 3
NO_MARKET = 65535
NO_KEY = -9223372036854775808

# What a function answers when a table is too short; nothing has happened then, and the call is to be repeated.
SHORT_OF_ORDERS, SHORT_OF_LEVELS, SHORT_OF_RUNGS = -1, -2, -3
SHORT_OF_SLOTS, SHORT_OF_LOG, SHORT_OF_TOUCHES = -4, -5, -6


@inlined
def orders_of(core: Record) -> Rows:
    return array_at(core.orders, core.orders_length, ORDER)


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
