"""Room: whether the tables are long enough for the worst that a request or a step can cause.

An answer that is not 0 is the SHORT_OF code of the table that is too short; nothing has happened then. It changes no
order.
"""

from __future__ import annotations

from marketsim.exchange.state import (
    ASK,
    BID,
    BUY_STOP,
    LADDERS,
    SELL_STOP,
    SHORT_OF_LEVELS,
    SHORT_OF_LOG,
    SHORT_OF_ORDERS,
    SHORT_OF_RUNGS,
    SHORT_OF_TOUCHES,
    books_of,
    ladders_of,
)
from marketsim.kernel.compiled import Record, compiled, inlined

ROWS_OF_ONE = 12  # rows of a request that neither trades nor elects
_ROWS_OF_A_TRADE = 8  # of special orders: itself, a refreshed iceberg, two rows each for two partners, two ends


@inlined
def room_to_tell(core: Record, rows: int) -> int:
    """0 when there is room for so many rows, and twice as many notes of touched levels."""
    if core.log_length - core.log_count < rows:
        core.log_needed = rows
        return SHORT_OF_LOG
    if core.touched_length - core.touches < 2 * rows:
        core.log_needed = rows
        return SHORT_OF_TOUCHES
    return 0


@inlined
def _room(core: Record, rows: int, levels: int) -> int:
    """0 when there is room for an order, so many rows and so many levels."""
    if core.free_orders < 1:
        return SHORT_OF_ORDERS
    if core.free_levels < levels:
        core.short_levels = levels
        return SHORT_OF_LEVELS
    return room_to_tell(core, rows)


@inlined
def _rungs_short(core: Record, ladder: int, more: int) -> bool:
    side = ladders_of(core)[ladder]
    if side.rungs + more > side.capacity:
        core.short_ladder = ladder
        core.short_rungs = more
        return True
    return False


@inlined
def room_to_rest(core: Record, ladder: int) -> int:
    """0 when there is room for an order that comes to rest on a ladder, and does no more."""
    short = _room(core, ROWS_OF_ONE, 1)
    if short != 0:
        return short
    return SHORT_OF_RUNGS if _rungs_short(core, ladder, 1) else 0


@compiled
def room_for_much(core: Record, market: int, quantity: int) -> int:
    """0 when there is room for a request that may trade or elect.

    A trade finishes at least one order and a stop is elected once: at most two rows an order that is there, two more a
    stop, and a few for the request itself; without stops there are no more trades than lots either. Every stop may come
    to rest at a price of its own.
    """
    book = books_of(core)[market]
    if book.special + book.pro_rata != 0:
        return room_for_all(core, market, 1)
    first = market * LADDERS
    ladders = ladders_of(core)
    stops = ladders[first + BUY_STOP].orders + ladders[first + SELL_STOP].orders
    resting = ladders[first + BID].orders + ladders[first + ASK].orders
    trades = resting if stops > 0 else min(resting, max(quantity, 0))
    more = 2 + stops
    short = _room(core, ROWS_OF_ONE + 2 * trades + 4 * stops, more)
    if short != 0:
        return short
    if _rungs_short(core, first + BID, more) or _rungs_short(core, first + ASK, more):
        return SHORT_OF_RUNGS
    if _rungs_short(core, first + BUY_STOP, 1) or _rungs_short(core, first + SELL_STOP, 1):
        return SHORT_OF_RUNGS
    return 0


@compiled
def orders_in(core: Record, market: int) -> int:
    """Orders in the queues of a market, and those that stand nowhere; special ones may count twice."""
    count = books_of(core)[market].special + core.elected
    for kind in range(LADDERS):
        count += ladders_of(core)[market * LADDERS + kind].orders
    return int(count)


@compiled
def room_for_all(core: Record, market: int, executions: int) -> int:
    """0 when there is room for whatever so many executions may cause in a market with special orders.

    Every trade finishes an order or a part of an iceberg; where the pro-rata rule gives each order of a level its part,
    an execution ends with at most as many trades as there are orders. Every order may come to rest at a new price.
    """
    book = books_of(core)[market]
    ladders = ladders_of(core)
    first = market * LADDERS
    orders = orders_in(core, market)
    moves = executions + core.elected + ladders[first + BUY_STOP].orders + ladders[first + SELL_STOP].orders
    trades = orders + book.slices + 1
    if book.pro_rata != 0:
        trades += (moves + 1) * (orders + 1)
    rows = _ROWS_OF_A_TRADE if book.special != 0 else 3
    more = moves + book.trails + 2
    short = _room(core, ROWS_OF_ONE * (1 + moves) + rows * trades, more)
    if short != 0:
        return short
    for kind in range(LADDERS):
        if _rungs_short(core, first + kind, more):
            return SHORT_OF_RUNGS
    return 0
