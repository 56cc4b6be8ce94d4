"""The public book rebuilt from rows shows what was displayed, and nothing of what was hidden. Rows by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from flow import row

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce
from marketsim.domain.phase import Phase
from marketsim.results.events import MemoryEvents
from marketsim.results.history import History

BUY, SELL = 1, -1
ACCEPTED, TRADE, CANCELED, EXPIRED = EventKind.ACCEPTED, EventKind.TRADE, EventKind.CANCELED, EventKind.EXPIRED
CONDITIONS, REFRESHED, REPRICED = EventKind.CONDITIONS, EventKind.REFRESHED, EventKind.REPRICED
ACTIVATED, PHASE, TRIGGERED = EventKind.ACTIVATED, EventKind.PHASE, EventKind.TRIGGERED
HIDDEN, AUCTION = OrderFlag.HIDDEN, OrderFlag.AUCTION
LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET


class Log:
    """Rows one after the other; each call is a row of the present request."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.time = 0
        self._sides: dict[int, int] = {}

    def request(self) -> Log:
        self.time += 1
        return self

    def add(self, kind: EventKind, order_id: int, side: int = 0, **fields: Any) -> Log:
        self._sides.setdefault(order_id, side)
        given = {"order_type": LIMIT, "time_in_force": TimeInForce.GTC, **fields}
        self.rows.append(row(time=self.time, kind=kind, order_id=order_id, side=self._sides[order_id], **given))
        return self

    def new(self, order_id: int, side: int, price: int, quantity: int, **fields: Any) -> Log:
        return self.request().add(ACCEPTED, order_id, side, price=price, quantity=quantity, leaves=quantity, **fields)

    def trade(self, taker: int, maker: int, price: int, quantity: int, leaves: int, flags: int = 0) -> Log:
        return self.add(TRADE, taker, match_id=maker, price=price, quantity=quantity, leaves=leaves, flags=flags)

    def canceled(self, order_id: int, quantity: int, leaves: int, reason: Reason) -> Log:
        return self.add(CANCELED, order_id, quantity=quantity, leaves=leaves, reason=reason)

    def books(self, levels: int = 1) -> list[tuple[int, ...]]:
        """(ask, its quantity, bid, its quantity …) after each request that changed it."""
        history = History(MemoryEvents([np.array(self.rows, dtype=EVENT)]))
        return [tuple(cells) for cells in history.levels([0], levels).rows.tolist()]

    @property
    def last(self) -> tuple[int, ...]:
        return self.books()[-1] if self.books() else (0, 0, 0, 0)


def test_an_iceberg_shows_one_part_after_the_other() -> None:
    log = Log().new(1, SELL, 100, 25).add(CONDITIONS, 1, quantity=10)
    assert log.last == (100, 10, 0, 0)
    log.new(2, BUY, 100, 14).trade(2, 1, 100, 10, 15).add(REFRESHED, 1, price=100, quantity=10, leaves=15)
    log.trade(2, 1, 100, 4, 11)
    assert log.last == (100, 6, 0, 0)
    log.request().canceled(1, 3, 8, Reason.BY_REQUEST)  # of the reserve
    assert log.last == (100, 6, 0, 0)
    log.request().canceled(1, 4, 4, Reason.BY_REQUEST)
    assert log.last == (100, 4, 0, 0)
    log.new(3, BUY, 100, 9).trade(3, 1, 100, 4, 0)
    assert log.last == (0, 0, 100, 5)


def test_an_iceberg_that_trades_first_shows_a_part_of_the_rest() -> None:
    log = Log().new(1, BUY, 100, 5).new(2, SELL, 100, 30).add(CONDITIONS, 2, quantity=10).trade(2, 1, 100, 5, 0)
    assert log.last == (100, 10, 0, 0)


def test_hidden_orders_and_pegs_are_not_on_the_public_book() -> None:
    log = Log().new(1, BUY, 99, 5).new(2, BUY, 100, 7, flags=HIDDEN)
    log.new(3, BUY, 105, 4, order_type=OrderType.PRIMARY_PEG)
    log.add(REPRICED, 3, price=98, quantity=4, leaves=4, order_type=OrderType.PRIMARY_PEG)
    assert log.last == (0, 0, 99, 5)
    log.new(4, SELL, 100, 3).trade(4, 2, 100, 3, 4)
    assert log.last == (0, 0, 99, 5)
    log.request().canceled(2, 4, 0, Reason.BY_REQUEST)
    assert log.last == (0, 0, 99, 5)


def test_what_slides_rests_at_its_new_price() -> None:
    log = Log().new(1, SELL, 101, 5)
    log.new(2, BUY, 102, 4, flags=OrderFlag.POST_ONLY | OrderFlag.SLIDE).add(
        REPRICED, 2, price=100, quantity=4, leaves=4
    )
    assert log.last == (101, 5, 100, 4)


def test_a_market_to_limit_order_rests_where_it_traded_last() -> None:
    kind = OrderType.MARKET_TO_LIMIT
    log = Log().new(1, SELL, 101, 5).new(2, BUY, 0, 9, order_type=kind).trade(2, 1, 101, 5, 0)
    log.add(REPRICED, 2, price=101, quantity=4, leaves=4, order_type=kind)
    assert log.last == (0, 0, 101, 4)


def test_an_auction_takes_from_both_sides() -> None:
    log = Log().request().add(PHASE, 0, quantity=Phase.OPENING_AUCTION, reason=Reason.SCHEDULE)
    log.new(1, BUY, 102, 10).new(2, SELL, 100, 6).new(3, SELL, 101, 8)
    log.new(4, BUY, 0, 2, order_type=MARKET).new(5, BUY, 0, 3, order_type=OrderType.MARKET_TO_LIMIT)
    assert log.last == (100, 6, 102, 10)
    before = len(log.books())
    log.request().trade(4, 2, 101, 2, 4, AUCTION).trade(5, 2, 101, 1, 3, AUCTION)
    log.trade(1, 2, 101, 3, 0, AUCTION).trade(1, 3, 101, 7, 1, AUCTION)
    log.add(REPRICED, 5, price=101, quantity=2, leaves=2, order_type=OrderType.MARKET_TO_LIMIT)
    log.add(PHASE, 0, quantity=Phase.CONTINUOUS, leaves=Phase.OPENING_AUCTION, reason=Reason.SCHEDULE)
    assert log.books()[before:] == [(101, 1, 101, 2)]


def test_orders_for_the_close_are_parked_until_then() -> None:
    closing = {"time_in_force": TimeInForce.AT_CLOSE}
    log = Log().new(1, BUY, 99, 5).new(2, BUY, 100, 5, **closing)
    assert log.last == (0, 0, 99, 5)
    log.request().add(PHASE, 0, quantity=Phase.CLOSING_AUCTION, reason=Reason.SCHEDULE)
    log.add(ACTIVATED, 2, price=100, quantity=5, leaves=5, **closing)
    assert log.last == (0, 0, 100, 5)
    log.new(3, BUY, 101, 6, **closing)
    assert log.last == (0, 0, 101, 6)


def test_children_appear_as_their_parent_fills() -> None:
    log = Log().new(1, BUY, 100, 10).new(2, SELL, 110, 10).add(CONDITIONS, 2, price=1)
    assert log.last == (0, 0, 100, 10)
    log.new(3, SELL, 100, 4).trade(3, 1, 100, 4, 6).add(ACTIVATED, 2, price=110, quantity=4, leaves=10)
    assert log.last == (110, 4, 100, 6)
    log.new(4, SELL, 100, 2).trade(4, 1, 100, 2, 4).add(ACTIVATED, 2, price=110, quantity=2, leaves=10)
    assert log.last == (110, 6, 100, 4)
    log.request().canceled(1, 4, 0, Reason.BY_REQUEST).canceled(2, 4, 6, Reason.LINKED)  # what was not released
    assert log.last == (110, 6, 0, 0)


def test_a_partner_loses_what_it_displays_before_what_its_parent_holds() -> None:
    log = Log().new(1, BUY, 100, 10).new(2, SELL, 110, 10).add(CONDITIONS, 2, price=1)
    log.new(3, SELL, 120, 10).add(CONDITIONS, 3, price=1, match_id=2)
    log.new(4, SELL, 100, 6).trade(4, 1, 100, 6, 4)
    log.add(ACTIVATED, 2, price=110, quantity=6, leaves=10).add(ACTIVATED, 3, price=120, quantity=6, leaves=10)
    assert log.books(2)[-1] == (110, 6, 100, 4, 120, 6, 0, 0)
    log.new(5, BUY, 110, 4).trade(5, 2, 110, 4, 6).canceled(3, 4, 6, Reason.LINKED)
    assert log.books(2)[-1] == (110, 2, 100, 4, 120, 2, 0, 0)


def test_a_prevented_self_trade_never_shows_a_crossed_book() -> None:
    log = Log().new(1, SELL, 101, 5).new(2, BUY, 102, 4).canceled(2, 4, 0, Reason.SELF_TRADE)
    assert log.books() == [(101, 5, 0, 0)]


def test_a_mass_cancel_is_one_change_of_the_book() -> None:
    log = Log().new(1, BUY, 100, 5).new(2, BUY, 99, 5).new(3, BUY, 98, 5)
    before = len(log.books())
    log.request().canceled(1, 5, 0, Reason.BY_MASS_CANCEL).canceled(2, 5, 0, Reason.BY_MASS_CANCEL)
    log.add(EventKind.MASS_CANCELED, 0, quantity=2, reason=Reason.BY_MASS_CANCEL)
    log.new(4, BUY, 97, 1)
    assert log.books()[before:] == [(0, 0, 98, 5)]


def test_the_end_of_a_session_is_one_change_of_the_book() -> None:
    day = {"time_in_force": TimeInForce.DAY}
    log = Log().new(1, BUY, 100, 5, **day).new(2, BUY, 99, 5, **day).new(3, BUY, 98, 5)
    before = len(log.books())
    log.request().add(PHASE, 0, quantity=Phase.CLOSED, reason=Reason.SCHEDULE)
    for number in (1, 2):
        log.add(EXPIRED, number, quantity=5, leaves=0, reason=Reason.END_OF_SESSION, **day)
    assert log.books()[before:] == [(0, 0, 98, 5)]


def test_the_table_of_orders_follows_new_prices() -> None:
    log = Log().new(1, BUY, 0, 5, order_type=OrderType.TRAILING_STOP).add(EventKind.TERMS, 1, price=3)
    log.add(REPRICED, 1, price=103, quantity=5, leaves=5, order_type=OrderType.TRAILING_STOP)
    log.new(2, SELL, 101, 4).add(REPRICED, 2, price=104, quantity=4, leaves=4)
    story = History(MemoryEvents([np.array(log.rows, dtype=EVENT)])).orders()
    assert story["stop_price"].tolist() == [103, 0]
    assert story["price"].tolist() == [0, 104]


def test_messages_of_lobster_tell_of_parts_and_auctions() -> None:
    log = Log().new(1, SELL, 100, 25).add(CONDITIONS, 1, quantity=10).new(2, BUY, 100, 10).trade(2, 1, 100, 10, 15)
    log.add(REFRESHED, 1, price=100, quantity=10, leaves=15)
    log.request().add(PHASE, 0, quantity=Phase.VOLATILITY_AUCTION).new(3, BUY, 100, 4)
    log.request().trade(3, 1, 100, 4, 11, AUCTION).add(PHASE, 0, quantity=Phase.CONTINUOUS)
    history = History(MemoryEvents([np.array(log.rows, dtype=EVENT)]))
    said = [tuple(line) for messages, _ in history.lobster(0, 1, True) for line in messages[:, [1, 2, 3, 5]].tolist()]
    assert said == [(1, 1, 10, -1), (4, 1, 10, -1), (1, 4, 10, -1), (1, 3, 4, 1), (4, 4, 4, -1), (4, 3, 4, 1)]
