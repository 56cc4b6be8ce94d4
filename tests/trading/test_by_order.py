"""The book that a participant rebuilds from the feed of orders."""

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import OrderAction, OrderUpdate
from marketsim.domain.order import Side
from marketsim.trading.by_order import OrderByOrderBook, QueuePosition

ABC = Instrument("ABC")
BEGIN, ADDED, CHANGED, EXECUTED, REMOVED = OrderAction


def update(action: OrderAction, sequence: int, order_id: int = 0, quantity: int = 0, leaves: int = 0, priority: int = 0,
           side: Side = Side.BUY, price: int = 100) -> OrderUpdate:  # fmt: skip
    return OrderUpdate(0, ABC, action, order_id, side, price, quantity, leaves, priority, sequence)


def book_of(*updates: OrderUpdate) -> OrderByOrderBook:
    book = OrderByOrderBook()
    for each in updates:
        book.apply(each)
    return book


def test_a_snapshot_is_whole_with_its_last_order() -> None:
    book = book_of(update(BEGIN, 7, quantity=2), update(ADDED, 7, 1, 5, 5, priority=3))
    assert not book.synchronized
    assert book.apply(update(ADDED, 7, 2, 4, 4, priority=5))
    assert book.synchronized
    assert book.levels(Side.BUY) == [(100, 9, 2)]
    assert book_of(update(BEGIN, 0)).synchronized


def test_orders_queue_by_priority_and_leave() -> None:
    book = book_of(
        update(BEGIN, 0),
        update(ADDED, 1, 11, 5, 5, priority=1),
        update(ADDED, 2, 12, 6, 6, priority=2),
        update(ADDED, 3, 13, 7, 7, priority=3),
        update(EXECUTED, 4, 11, 2, 3, priority=1),
        update(CHANGED, 5, 12, 4, 4, priority=2),
    )
    assert [order.order_id for order in book.queue(Side.BUY, 100)] == [11, 12, 13]
    assert book.position(13) == QueuePosition(2, 7, 14)
    assert book.apply(update(REMOVED, 6, 12, 4, 0, priority=2))
    assert book.position(13) == QueuePosition(1, 3, 10)
    assert book.apply(update(EXECUTED, 7, 11, 3, 0, priority=1))
    assert book.position(11) is None
    assert book.position(13) == QueuePosition(0, 0, 7)


def test_an_icebergs_next_part_goes_to_the_back() -> None:
    book = book_of(
        update(BEGIN, 0),
        update(ADDED, 1, 11, 5, 5, priority=1),
        update(ADDED, 2, 12, 6, 6, priority=2),
        update(EXECUTED, 3, 11, 5, 0, priority=1),
        update(ADDED, 4, 11, 5, 5, priority=4),
    )
    assert book.position(11) == QueuePosition(1, 6, 11)


def test_after_a_gap_only_a_snapshot_helps() -> None:
    book = book_of(update(BEGIN, 4), update(ADDED, 5, 11, 5, 5, priority=5))
    assert not book.apply(update(ADDED, 5, 12, 1, 1))
    assert book.synchronized
    assert not book.apply(update(ADDED, 7, 12, 1, 1))
    assert not book.synchronized
    assert not book.apply(update(ADDED, 8, 13, 1, 1))
    assert book.apply(update(BEGIN, 8, quantity=1))
    assert book.apply(update(ADDED, 8, 13, 2, 2, side=Side.SELL, price=101))
    assert (book.levels(Side.BUY), book.levels(Side.SELL)) == ([], [(101, 2, 1)])


def test_increments_that_a_snapshot_overtook_are_not_taken_for_its_orders() -> None:
    begun = (update(BEGIN, 4, quantity=2), update(ADDED, 4, 1, 5, 5))
    for late in (update(REMOVED, 3, 1, 5), update(REMOVED, 4, 9, 5), update(ADDED, 4, 1, 5, 5)):
        book = book_of(*begun, late)
        assert not book.synchronized
        assert book.apply(update(ADDED, 4, 2, 7, 7))
        assert (book.synchronized, book.levels(Side.BUY)) == (True, [(100, 12, 2)])


def test_a_snapshot_that_came_in_part_is_none() -> None:
    book = book_of(update(BEGIN, 4, quantity=2), update(ADDED, 4, 1, 5, 5), update(ADDED, 5, 2, 5, 5))
    assert not book.synchronized
