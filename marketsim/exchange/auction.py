"""Auctions: at which price most would trade, and the trades of an uncross.

Source of the rules: call auctions of the large venues: most volume, then least surplus, then nearest to the reference
price. It knows no phase; who calls it has stopped continuous trading.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderFlag
from marketsim.exchange.execution import fill_resting, open_to_trade, refresh, settle_resting, unfold
from marketsim.exchange.ladder import best_key, best_level, key_of_price
from marketsim.exchange.orders import tell_links, total_open
from marketsim.exchange.rows import write
from marketsim.exchange.state import (
    ASK,
    BID,
    BYTE,
    CALL_BUY,
    CALL_SELL,
    HIDDEN_ASK,
    HIDDEN_BID,
    LADDERS,
    RESTING,
    SPECIAL,
    books_of,
    ladders_of,
    last_price,
    levels_of,
    orders_of,
    rungs_of,
    terms_of,
)
from marketsim.kernel.compiled import Record, compiled, inlined

_TRADE, _AUCTION_FLAG = int(EventKind.TRADE), int(OrderFlag.AUCTION)
_NONE = 9223372036854775807  # above every price


# --- the price -------------------------------------------------------------------------------------------------------


@inlined
def _takes_part(core: Record, slot: int) -> bool:
    return not orders_of(core)[slot].instructions & SPECIAL or terms_of(core)[slot].minimum == 0


@compiled
def _lots_at(core: Record, market: int, level: int) -> int:
    """What the orders of a level bring into the auction."""
    if books_of(core)[market].special == 0:
        return levels_of(core)[level].quantity
    total = 0
    slot = levels_of(core)[level].head
    while slot != 0:
        if _takes_part(core, slot):
            total += open_to_trade(core, slot)
        slot = orders_of(core)[slot].next
    return int(total)


@compiled
def _lots_on(core: Record, market: int, kind: int) -> int:
    """The same for a whole ladder."""
    side = ladders_of(core)[market * LADDERS + kind]
    if books_of(core)[market].special == 0:
        return side.quantity
    total = 0
    for position in range(side.start, side.start + side.rungs):
        total += _lots_at(core, market, rungs_of(core)[position].level)
    return int(total)


@inlined
def _price_at(core: Record, ladder: int, step: int) -> int:
    """The ``step``-th lowest price of a ladder; _NONE behind the last."""
    side = ladders_of(core)[ladder]
    if step >= side.rungs:
        return _NONE
    rising = ladder & 1 == 0
    position = side.start + (step if rising else side.rungs - 1 - step)
    return levels_of(core)[rungs_of(core)[position].level].price


@inlined
def _level_at(core: Record, ladder: int, step: int) -> int:
    side = ladders_of(core)[ladder]
    position = side.start + (step if ladder & 1 == 0 else side.rungs - 1 - step)
    return rungs_of(core)[position].level


@compiled
def _skip(core: Record, market: int, kind: int, step: int) -> int:
    """The first step from ``step`` on at whose level somebody takes part."""
    if books_of(core)[market].special != 0:
        ladder = market * LADDERS + kind
        while step < ladders_of(core)[ladder].rungs and _lots_at(core, market, _level_at(core, ladder, step)) == 0:
            step += 1
    return step


@compiled
def _consider(found: Record, price: int, demand: int, supply: int, reference: int) -> None:
    """Keep a price that is better than the one found so far; prices come in rising order."""
    volume = min(demand, supply)
    surplus = abs(demand - supply)
    if volume < found.volume:
        return
    if volume == found.volume:
        if surplus > found.surplus:
            return
        if surplus == found.surplus and abs(price - reference) > abs(found.price - reference):
            return
    found.price = price
    found.volume = volume
    found.surplus = surplus
    found.side = 1 if demand > supply else (-1 if supply > demand else 0)


@compiled
def _next_price(core: Record, first: int, bid: int, hidden_bid: int, ask: int, hidden_ask: int) -> int:
    bids = min(_price_at(core, first + BID, bid), _price_at(core, first + HIDDEN_BID, hidden_bid))
    asks = min(_price_at(core, first + ASK, ask), _price_at(core, first + HIDDEN_ASK, hidden_ask))
    return min(bids, asks)


@compiled
def find_price(core: Record, market: int, found: Record) -> None:
    """The price, volume and surplus of an uncross, as docs/matching-rules.md says; volume 0 when nothing trades.

    One way through the levels of both sides, from the lowest price up; between two limit prices demand and supply stay
    the same, so of those ticks the nearest to the reference stands for all.
    """
    first = market * LADDERS
    reference = last_price(books_of(core)[market])
    demand = _lots_on(core, market, CALL_BUY) + _lots_on(core, market, BID) + _lots_on(core, market, HIDDEN_BID)
    supply = _lots_on(core, market, CALL_SELL)
    found.volume = 0
    found.surplus = _NONE
    found.price = reference
    bid = _skip(core, market, BID, 0)
    hidden_bid = _skip(core, market, HIDDEN_BID, 0)
    ask = _skip(core, market, ASK, 0)
    hidden_ask = _skip(core, market, HIDDEN_ASK, 0)
    price = _next_price(core, first, bid, hidden_bid, ask, hidden_ask)
    if price == _NONE:
        _consider(found, reference, demand, supply, reference)
    while price != _NONE:
        if _price_at(core, first + ASK, ask) == price:
            supply += _lots_at(core, market, _level_at(core, first + ASK, ask))
            ask = _skip(core, market, ASK, ask + 1)
        if _price_at(core, first + HIDDEN_ASK, hidden_ask) == price:
            supply += _lots_at(core, market, _level_at(core, first + HIDDEN_ASK, hidden_ask))
            hidden_ask = _skip(core, market, HIDDEN_ASK, hidden_ask + 1)
        _consider(found, price, demand, supply, reference)
        if _price_at(core, first + BID, bid) == price:
            demand -= _lots_at(core, market, _level_at(core, first + BID, bid))
            bid = _skip(core, market, BID, bid + 1)
        if _price_at(core, first + HIDDEN_BID, hidden_bid) == price:
            demand -= _lots_at(core, market, _level_at(core, first + HIDDEN_BID, hidden_bid))
            hidden_bid = _skip(core, market, HIDDEN_BID, hidden_bid + 1)
        above = _next_price(core, first, bid, hidden_bid, ask, hidden_ask)
        if above != _NONE and above - price > 1:
            _consider(found, min(max(reference, price + 1), above - 1), demand, supply, reference)
        price = above
    if found.volume == 0:
        found.price = 0
        found.surplus = 0
        found.side = 0


# --- the trades ------------------------------------------------------------------------------------------------------


@compiled
def _first_of_level(core: Record, level: int) -> int:
    """The first order of a level that takes part; 0 for none."""
    slot = levels_of(core)[level].head
    while slot != 0 and not _takes_part(core, slot):
        slot = orders_of(core)[slot].next
    return int(slot)


@compiled
def _first_unseen(core: Record, ladder: int, key: int) -> int:
    """The first hidden order at keys not below ``key`` that takes part; 0 for none."""
    side = ladders_of(core)[ladder]
    for position in range(side.start + side.rungs - 1, side.start - 1, -1):
        rung = rungs_of(core)[position]
        if rung.key < key:
            return 0
        slot = _first_of_level(core, rung.level)
        if slot != 0:
            return slot
    return 0


@compiled
def _next_in_auction(core: Record, market: int, side: int, price: int) -> int:
    """The order of a side that trades next in an uncross at a price; 0 for none."""
    first = market * LADDERS
    call = first + (CALL_BUY if side > 0 else CALL_SELL)
    if ladders_of(core)[call].rungs > 0:
        slot = _first_of_level(core, best_level(core, call))
        if slot != 0:
            return slot
    shown = first + (BID if side > 0 else ASK)
    unseen = first + (HIDDEN_BID if side > 0 else HIDDEN_ASK)
    key = key_of_price(shown, price)
    displayed = best_key(core, shown)
    if ladders_of(core)[unseen].rungs > 0:
        slot = _first_unseen(core, unseen, max(key, displayed + 1))
        if slot != 0:
            return slot
    return _first_of_level(core, best_level(core, shown)) if displayed >= key else 0


@compiled
def _cross(core: Record, buy: int, sell: int, price: int) -> None:
    """Two queued orders trade at the auction's price; their links hear of it."""
    orders = orders_of(core)
    buyer = orders[buy]
    seller = orders[sell]
    lots = min(buyer.leaves, seller.leaves)
    book = books_of(core)[buyer.market]
    book.last_price = price
    book.last_quantity = lots
    book.trades += 1
    book.volume += lots
    write(
        core,
        _TRADE,
        buyer.order_id,
        seller.order_id,
        price,
        lots,
        total_open(core, sell) - lots,
        buyer.owner,
        seller.owner,
        buyer.market,
        1,
        0,
        buyer.order_type,
        buyer.time_in_force,
        (buyer.instructions & BYTE) | _AUCTION_FLAG,
    )
    fill_resting(core, buy, lots)
    fill_resting(core, sell, lots)
    if buyer.instructions & SPECIAL:
        tell_links(core, buy, lots)
    if seller.instructions & SPECIAL:
        tell_links(core, sell, lots)
    settle_resting(core, buy)
    settle_resting(core, sell)


@compiled
def _fold(core: Record, slot: int) -> None:
    """An iceberg that the uncross has left partly filled displays its next part at the back of its level."""
    order = orders_of(core)[slot]
    if order.place == RESTING and order.instructions & SPECIAL and terms_of(core)[slot].display > 0:
        refresh(core, slot)


@compiled
def uncross(core: Record, market: int, found: Record) -> int:
    """Trade at the auction's price until nothing is left to trade; answers whether anything has traded.

    Links may take away what was counted on; then the next price is found. ``found`` tells of the last that traded.
    """
    traded = 0
    find_price(core, market, found)
    while found.volume > 0:
        traded = 1
        price = found.price
        buy = _next_in_auction(core, market, 1, price)
        sell = _next_in_auction(core, market, -1, price)
        last_buy = 0
        last_sell = 0
        while buy != 0 and sell != 0:
            unfold(core, buy)
            unfold(core, sell)
            last_buy = buy
            last_sell = sell
            _cross(core, buy, sell, price)
            buy = _next_in_auction(core, market, 1, price)
            sell = _next_in_auction(core, market, -1, price)
        if last_buy == 0:
            return traded
        _fold(core, last_buy)
        _fold(core, last_sell)
        find_price(core, market, found)
    return traded
