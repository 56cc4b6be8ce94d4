"""Stops: how they wait, and how a trade elects them. Who executes what was elected is another's business."""

from __future__ import annotations

from marketsim.exchange.ladder import append, best_key, best_level, key_of_price, remove
from marketsim.exchange.state import (
    BUY_STOP,
    ELECTED,
    LADDERS,
    SELL_STOP,
    WAITING,
    books_of,
    ladder_of,
    ladders_of,
    levels_of,
    orders_of,
)
from marketsim.kernel.compiled import Record, compiled, inlined


@compiled
def _queue_election(core: Record, slot: int) -> None:
    orders = orders_of(core)
    orders[slot].place = ELECTED
    orders[slot].next = 0
    if core.elected_tail != 0:
        orders[core.elected_tail].next = slot
    else:
        core.elected_head = slot
    core.elected_tail = slot
    core.elected += 1


@compiled
def _elect_ladder(core: Record, ladder: int, key: int) -> None:
    """Elect every stop of a ladder whose key is not below ``key``, best first, first come first."""
    while best_key(core, ladder) >= key:
        slot = levels_of(core)[best_level(core, ladder)].head
        remove(core, ladder, slot)
        _queue_election(core, slot)


@compiled
def _elect(core: Record, market: int, price: int) -> None:
    first = market * LADDERS
    _elect_ladder(core, first + BUY_STOP, key_of_price(first + BUY_STOP, price))
    _elect_ladder(core, first + SELL_STOP, key_of_price(first + SELL_STOP, price))


@inlined
def elect(core: Record, market: int, price: int) -> None:
    """A trade at a price elects the waiting stops that it triggers."""
    ladders = ladders_of(core)
    first = market * LADDERS
    if ladders[first + BUY_STOP].rungs + ladders[first + SELL_STOP].rungs > 0:
        _elect(core, market, price)


@compiled
def wait(core: Record, slot: int) -> None:
    """A stop order waits at its stop price, or is elected at once when the last trade already triggers it."""
    order = orders_of(core)[slot]
    book = books_of(core)[order.market]
    if book.phase == 0 and book.trades > 0 and (book.last_price - order.stop_price) * order.side >= 0:
        _queue_election(core, slot)
    else:
        order.place = WAITING
        append(core, ladder_of(order), slot, order.stop_price)
