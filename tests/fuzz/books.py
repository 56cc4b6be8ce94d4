"""Books rebuilt from feeds: increments lost, doubled, exchanged and invented, snapshots from any time.

Whatever has arrived, a book that calls itself synchronized and was fed nothing invented is the venue's book.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, OrderAction, OrderUpdate
from marketsim.domain.order import Side
from marketsim.trading.book import LocalBook
from marketsim.trading.by_order import OrderByOrderBook
from tests.fuzz.campaign import Trace
from tests.fuzz.values import word64

ABC = Instrument("ABC")
STEPS = 200


def books(draw: Random, trace: Trace) -> int:
    """Each message is an input."""
    return _levels(draw, trace) if draw.random() < 0.6 else _orders(draw, trace)


def _levels(draw: Random, trace: Trace) -> int:
    sides: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
    states = [({}, {})]
    feed: list[LevelUpdate] = []
    for number in range(1, STEPS + 1):
        side, price, quantity = draw.choice((Side.BUY, Side.SELL)), draw.randint(-5, 5), draw.choice((0, 0, 1, 2, 9))
        feed.append(LevelUpdate(number, ABC, side, price, quantity, number))
        sides[side][price] = quantity
        states.append(tuple({p: q for p, q in sides[each].items() if q} for each in (Side.BUY, Side.SELL)))
    asked: list[None] = []
    book = LocalBook(ask=lambda: asked.append(None))
    lossy = draw.choice((0.0, 0.02, 0.2))
    hostile = draw.random() < 0.2
    place = 0
    for _ in range(STEPS):
        what = draw.random()
        if what < 0.05 or (not book.synchronized and what < 0.3):
            number = draw.randint(max(place - 10, 0), place)
            bids, asks = states[number]
            snapshot = BookSnapshot(0, ABC, tuple(bids.items()), tuple(asks.items()), number)
            trace.note(snapshot)
            book.apply_snapshot(snapshot)
        elif what < 0.08:
            number = draw.randint(0, place)
            trace.note("heartbeat", number)
            book.heartbeat(number)
        elif hostile and what < 0.2:
            odd = LevelUpdate(word64(draw), ABC, draw.choice(list(Side)), word64(draw), word64(draw), word64(draw))
            trace.note(odd)
            book.apply(odd)
            book.heartbeat(word64(draw))
        elif place < STEPS:
            update = feed[place] if draw.random() > 0.05 else feed[draw.randint(0, place)]
            place += draw.choice((1, 1, 1, 0)) + (draw.random() < lossy)
            place = min(place, STEPS)
            trace.note(update)
            book.apply(update)
        if book.synchronized and not hostile:
            assert (book.bids, book.asks) == states[book.sequence], f"at {book.sequence}"
        book.best_bids(3), book.best_asks(3)
    assert len(asked) == book.gaps
    return STEPS


def _orders(draw: Random, trace: Trace) -> int:
    live: dict[int, tuple[Side, int, int]] = {}
    states: list[dict[int, tuple[Side, int, int]]] = [{}]
    feed: list[OrderUpdate] = []
    for number in range(1, STEPS + 1):
        if live and draw.random() < 0.5:
            order_id = draw.choice(list(live))
            side, price, before = live[order_id]
            leaves = draw.choice((0, before, 1))
            action = OrderAction.CHANGED if leaves else OrderAction.REMOVED
            quantity = leaves or before
        else:
            order_id, side, price = number, draw.choice(list(Side)), draw.randint(-3, 3)
            quantity = leaves = draw.randint(1, 9)
            action = OrderAction.ADDED
        feed.append(OrderUpdate(0, ABC, action, order_id, side, price, quantity, leaves, order_id, number))
        if leaves:
            live[order_id] = side, price, leaves
        else:
            del live[order_id]
        states.append(dict(live))
    book, place = OrderByOrderBook(), 0
    hostile, lossy = draw.random() < 0.3, draw.choice((0.0, 0.02, 0.2))
    for _ in range(STEPS):
        if draw.random() < (0.03 if book.synchronized else 0.3):
            for update in _snapshot(states[place], place):
                if draw.random() >= lossy / 5:
                    trace.note(update)
                    book.apply(update)
        elif hostile and draw.random() < 0.1:
            odd = OrderUpdate(
                0,
                ABC,
                draw.choice(list(OrderAction)),
                word64(draw, 9),
                draw.choice(list(Side)),
                word64(draw, 3),
                word64(draw),
                word64(draw),
                word64(draw),
                word64(draw, place),
            )
            trace.note(odd)
            book.apply(odd)
        elif place < STEPS:
            update = feed[place] if draw.random() > 0.05 else feed[draw.randint(0, place)]
            place = min(place + draw.choice((1, 1, 1, 0)) + (draw.random() < lossy), STEPS)
            trace.note(update)
            book.apply(update)
        if book.synchronized and not hostile:
            found = {order.order_id: (order.side, order.price, order.quantity) for order in book.orders.values()}
            assert found == states[book.sequence], f"at {book.sequence}"
            for side in Side:
                assert sum(orders for _, _, orders in book.levels(side)) == sum(o[0] is side for o in found.values())
        book.position(word64(draw, STEPS))
    return STEPS


def _snapshot(state: dict[int, tuple[Side, int, int]], number: int) -> Iterator[OrderUpdate]:
    yield OrderUpdate(0, ABC, OrderAction.BEGIN, 0, Side.BUY, 0, len(state), 0, 0, number)
    for order_id, (side, price, leaves) in state.items():
        yield OrderUpdate(0, ABC, OrderAction.ADDED, order_id, side, price, leaves, leaves, order_id, number)
