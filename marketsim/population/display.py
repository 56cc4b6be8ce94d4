"""What a book looks like to those who subscribe: its quote, one level, all levels, written into messages.

It only reads the book; who is told, and when, is the business of ``publication``, ``pace`` and ``subscription``.
"""

from __future__ import annotations

from marketsim.domain.message import Kind
from marketsim.exchange.ladder import best_level, level_at
from marketsim.exchange.state import ASK, BID, LADDERS, books_of, ladders_of, levels_of, rungs_of
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.mail import from_venue
from marketsim.population.state import DATA_DOWN, subscribers_of

_LEVEL, _SNAPSHOT, _SNAPSHOT_LEVEL = int(Kind.LEVEL), int(Kind.SNAPSHOT), int(Kind.SNAPSHOT_LEVEL)


@compiled
def _best(core: Record, market: int, kind: int) -> int:
    """The best level of a side; 0 for none, and where orders are only collected: nothing can be had there."""
    return best_level(core, market * LADDERS + kind) if books_of(core)[market].phase == 0 else 0


@compiled
def is_quote(core: Record, market: int, told: Record) -> bool:
    """Whether the best bid and ask are those that ``told`` (a MARKET or a PACED) holds."""
    bid = _best(core, market, BID)
    ask = _best(core, market, ASK)
    levels = levels_of(core)
    bid_price = levels[bid].price if bid != 0 else 0
    bid_quantity = levels[bid].quantity if bid != 0 else 0
    ask_price = levels[ask].price if ask != 0 else 0
    ask_quantity = levels[ask].quantity if ask != 0 else 0
    return bool(
        bid_price == told.bid
        and bid_quantity == told.bid_quantity
        and ask_price == told.ask
        and ask_quantity == told.ask_quantity
    )


@compiled
def keep_quote(core: Record, market: int, told: Record) -> None:
    """Write the best bid and ask into ``told``."""
    bid = _best(core, market, BID)
    ask = _best(core, market, ASK)
    levels = levels_of(core)
    told.bid = levels[bid].price if bid != 0 else 0
    told.bid_quantity = levels[bid].quantity if bid != 0 else 0
    told.ask = levels[ask].price if ask != 0 else 0
    told.ask_quantity = levels[ask].quantity if ask != 0 else 0


@compiled
def fill_quote(core: Record, message: Record, market: int) -> None:
    """Write the best bid and ask into a QUOTE; a quantity of 0 means that nothing is to be had on that side."""
    bid = _best(core, market, BID)
    ask = _best(core, market, ASK)
    levels = levels_of(core)
    if bid != 0:
        message.price = levels[bid].price
        message.quantity = levels[bid].quantity
    if ask != 0:
        message.other_price = levels[ask].price
        message.leaves = levels[ask].quantity
    message.expire = books_of(core)[market].last_price


@compiled
def send_level(core: Record, world: Record, subscriber: int, ladder: int, price: int, sequence: int) -> None:
    """Tell a list of subscribers, from one on, what is at a price now; room must be there."""
    level = level_at(core, ladder, price)
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        message = from_venue(world, _LEVEL, entry.agent, DATA_DOWN, ladder // LADDERS)
        message.side = 1 if ladder % LADDERS == BID else -1
        message.price = price
        message.quantity = levels_of(core)[level].quantity if level != 0 else 0
        message.expire = sequence
        subscriber = entry.next


@compiled
def rungs_on(core: Record, market: int) -> int:
    """Levels of both sides."""
    ladders = ladders_of(core)
    return int(ladders[market * LADDERS + BID].rungs + ladders[market * LADDERS + ASK].rungs)


@compiled
def send_snapshot(core: Record, world: Record, agent: int, market: int, sequence: int, channel: int) -> None:
    """The whole book, level by level from the best, under the feed's current sequence; room must be there."""
    ladders = ladders_of(core)
    rungs = rungs_of(core)
    levels = levels_of(core)
    first = market * LADDERS
    head = from_venue(world, _SNAPSHOT, agent, channel, market)
    head.instructions = channel
    head.quantity = rungs_on(core, market)
    head.expire = sequence
    for kind in range(2):
        side = ladders[first + kind]
        for position in range(side.start + side.rungs - 1, side.start - 1, -1):
            level = levels[rungs[position].level]
            message = from_venue(world, _SNAPSHOT_LEVEL, agent, channel, market)
            message.instructions = channel
            message.side = 1 if kind == BID else -1
            message.price = level.price
            message.quantity = level.quantity
            message.expire = sequence
