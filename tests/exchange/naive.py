"""The naive twin of the matching core: docs/matching-rules.md as plain lists, written to be read, not to be fast.

It never looks at the core and shares nothing with it but the numbers of marketsim.domain. Each branch of the rules
notes its name in ``cases``, so that a test can say which rules a stream of commands has visited.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, Side, TimeInForce
from marketsim.errors import InvariantViolation

Row = tuple[int, ...]

LARGEST = 2**53
NO_MARKET = 65535
BUY, SELL = int(Side.BUY), int(Side.SELL)
LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
STOP, STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
DAY, GTD = int(TimeInForce.DAY), int(TimeInForce.GTD)
IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
POST_ONLY, KEPT_PRIORITY = int(OrderFlag.POST_ONLY), int(OrderFlag.KEPT_PRIORITY)

CASES = (
    "new: 1 unknown market",
    "new: 2 duplicate order",
    "new: 3 market closed",
    "new: 4 quantity too small",
    "new: 4 quantity too large",
    "new: 5 limit price out of range",
    "new: 5 stop price out of range",
    "new: 5 ignored price",
    "new: 5 ignored stop price",
    "new: 6 GTD without a future",
    "new: 6 expire time without GTD",
    "new: 7 post-only order that is no limit order",
    "new: 7 post-only IOC or FOK",
    "new: 8 post-only would trade",
    "new: post-only accepted",
    "new: terms of a stop",
    "new: terms of a GTD",
    "new: stop elected on arrival",
    "new: stop waits, market never traded",
    "new: stop waits, not triggered",
    "execute: FOK killed",
    "execute: FOK filled to the last lot",
    "execute: FOK filled with liquidity to spare",
    "execute: taker filled",
    "execute: maker filled",
    "execute: maker partly filled",
    "execute: more than one level",
    "execute: more than one maker at a level",
    "execute: stopped in front of an own order",
    "execute: trade elects a buy stop",
    "execute: trade elects a sell stop",
    "execute: trade elects both sides",
    "execute: trade elects two stop prices of a side",
    "execute: trade elects two stops of one price",
    "execute: rest of a market order canceled",
    "execute: rest of a stop order canceled",
    "execute: IOC rest canceled",
    "execute: rests without a trade",
    "execute: rests after a trade",
    "execute: stop-limit rests",
    "election: stop",
    "election: stop-limit",
    "election: cascade",
    "election: nobody to trade with",
    "cancel: 1 never known",
    "cancel: 1 no longer live",
    "cancel: 2 not owner",
    "cancel: 3 quantity below zero",
    "cancel: 4 all",
    "cancel: 4 more than is left",
    "cancel: 4 exactly what is left",
    "cancel: 4 waiting stop",
    "cancel: 5 part",
    "cancel: 5 part of a waiting stop",
    "replace: 1 never known",
    "replace: 1 no longer live",
    "replace: 1 not owner",
    "replace: market closed",
    "replace: 2 quantity out of range",
    "replace: 2 limit price out of range",
    "replace: 2 stop price out of range",
    "replace: 3 no more than was filled",
    "replace: 4 post-only would trade",
    "replace: a same price, quantity lowered",
    "replace: a nothing changed",
    "replace: b same price, quantity raised",
    "replace: b new price, rests",
    "replace: b trades",
    "replace: b elected stop-limit",
    "replace: c keeps its place",
    "replace: c waits at the back",
    "replace: c elected at once",
    "replace: c quantity raised",
    "replace: c terms",
    "expire: resting",
    "expire: waiting",
    "expire: not live",
    "close: resting order leaves",
    "close: waiting stop leaves",
    "close: order of another time in force stays",
    "close: cancel while closed",
)


@dataclass(eq=False)
class Order:
    """One order: what was asked, and what has become of it."""

    order_id: int
    owner: int
    market: int
    side: int
    order_type: int
    time_in_force: int
    flags: int
    price: int
    stop_price: int
    quantity: int  # total, shrinks with partial cancels
    expire: int
    filled: int = 0
    waiting: bool = False  # a stop that was not elected yet

    @property
    def open(self) -> int:
        return self.quantity - self.filled

    @property
    def has_limit(self) -> bool:
        return self.order_type in (LIMIT, STOP_LIMIT)

    @property
    def has_stop(self) -> bool:
        return self.order_type in (STOP, STOP_LIMIT)

    def accepts(self, price: int) -> bool:
        """Whether it may trade at this price."""
        if not self.has_limit:
            return True
        return price <= self.price if self.side == BUY else price >= self.price

    def triggered_by(self, price: int) -> bool:
        return price >= self.stop_price if self.side == BUY else price <= self.stop_price


class Book:
    """One market: resting orders and waiting stops, each in the order of their arrival."""

    def __init__(self) -> None:
        self.resting: dict[int, list[Order]] = {BUY: [], SELL: []}
        self.waiting: dict[int, list[Order]] = {BUY: [], SELL: []}
        self.last: int | None = None
        self.closed = False
        self.guarded = False

    def best(self, side: int) -> int | None:
        prices = [order.price for order in self.resting[side]]
        if not prices:
            return None
        return max(prices) if side == BUY else min(prices)

    def level(self, side: int, price: int) -> list[Order]:
        return [order for order in self.resting[side] if order.price == price]

    def stops(self, side: int) -> list[Order]:
        """Nearest to the trigger first, then arrival (sorting is stable)."""
        return sorted(self.waiting[side], key=lambda order: order.stop_price * side)

    def would_trade(self, side: int, price: int) -> bool:
        opposite = self.best(-side)
        if opposite is None:
            return False
        return price >= opposite if side == BUY else price <= opposite

    def orders(self) -> list[Order]:
        return self.resting[BUY] + self.resting[SELL] + self.waiting[BUY] + self.waiting[SELL]


class NaiveCore:
    """The same methods as ``marketsim.exchange.core.MatchingCore``; ``rows`` holds tuples in the order of EVENT."""

    def __init__(self, markets: int = 1) -> None:
        self.books = [Book() for _ in range(markets)]
        self.live: dict[int, Order] = {}
        self.used: set[int] = set()
        self.highest = 0  # number that a new order has carried; 0 asks for the next one
        self.rows: list[Row] = []
        self.elected: list[Order] = []
        self.cases: Counter[str] = Counter()

    # -- requests ---------------------------------------------------------------------------------------------

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
    ) -> int:
        order_id = order_id or self.highest + 1
        self.highest = max(self.highest, order_id)
        order = Order(
            order_id, owner, market, side, order_type, time_in_force, flags, price, stop_price, quantity, expire
        )
        reason = self._why_not_new(time, order)
        if reason not in (Reason.UNKNOWN_MARKET, Reason.DUPLICATE_ORDER):
            self.used.add(order_id)
        if reason != Reason.NONE:
            self._log(time, EventKind.REJECTED, order, price=price, quantity=quantity, reason=reason)
            return order_id
        if not order.has_limit and order.price != 0:
            self._visit("new: 5 ignored price")
            order.price = 0
        if not order.has_stop and order.stop_price != 0:
            self._visit("new: 5 ignored stop price")
            order.stop_price = 0
        if order.flags & POST_ONLY:
            self._visit("new: post-only accepted")
        self.live[order_id] = order
        self._log(time, EventKind.ACCEPTED, order, price=order.price, quantity=order.quantity, leaves=order.quantity)
        if order.has_stop:
            self._visit("new: terms of a stop")
        if order.time_in_force == GTD:
            self._visit("new: terms of a GTD")
        if order.has_stop or order.time_in_force == GTD:
            self._log(time, EventKind.TERMS, order, price=order.stop_price, leaves=order.expire)
        if order.has_stop:
            self._wait_or_elect(order, "new")
        else:
            self._execute(time, order)
        self._drain(time)
        return order_id

    def cancel(self, time: int, owner: int, order_id: int, quantity: int = 0) -> None:
        reason = self._why_not_cancel(owner, order_id, quantity)
        if reason != Reason.NONE:
            self._refuse(time, EventKind.CANCEL_REJECTED, owner, order_id, 0, quantity, reason)
            return
        order = self.live[order_id]
        if self.books[order.market].closed:
            self._visit("close: cancel while closed")
        if quantity == 0 or quantity >= order.open:
            self._visit("cancel: 4 waiting stop", order.waiting)
            self._visit("cancel: 4 all", quantity == 0)
            self._visit("cancel: 4 more than is left", quantity > order.open)
            self._visit("cancel: 4 exactly what is left", quantity == order.open)
            self._leave(time, EventKind.CANCELED, order, Reason.BY_REQUEST)
            return
        self._visit("cancel: 5 part of a waiting stop" if order.waiting else "cancel: 5 part")
        order.quantity -= quantity
        self._log(
            time,
            EventKind.CANCELED,
            order,
            price=order.price,
            quantity=quantity,
            leaves=order.open,
            reason=Reason.BY_REQUEST,
        )

    def replace(self, time: int, owner: int, order_id: int, price: int, quantity: int, stop_price: int = 0) -> None:
        reason = self._why_not_replace(owner, order_id, price, quantity, stop_price)
        if reason != Reason.NONE:
            self._refuse(time, EventKind.REPLACE_REJECTED, owner, order_id, price, quantity, reason)
            return
        order = self.live[order_id]
        if quantity <= order.filled:
            self._visit("replace: 3 no more than was filled")
            self._leave(time, EventKind.CANCELED, order, Reason.BY_REPLACE)
            return
        book = self.books[order.market]
        if not order.waiting and order.flags & POST_ONLY and book.would_trade(order.side, price):
            self._visit("replace: 4 post-only would trade")
            self._refuse(time, EventKind.REPLACE_REJECTED, owner, order_id, price, quantity, Reason.WOULD_TRADE)
            return
        if order.waiting:
            self._replace_waiting(time, order, price, quantity, stop_price)
        else:
            self._replace_resting(time, order, price, quantity)
        self._drain(time)

    def expire(self, time: int, order_id: int) -> None:
        order = self.live.get(order_id)
        if order is None:
            self._visit("expire: not live")
            return
        self._visit("expire: waiting" if order.waiting else "expire: resting")
        self._leave(time, EventKind.EXPIRED, order, Reason.END_OF_TIME)

    def close(self, time: int, market: int) -> None:
        book = self.books[market]
        for order in sorted(book.orders(), key=lambda order: order.order_id):
            if order.time_in_force == DAY:
                self._visit("close: waiting stop leaves" if order.waiting else "close: resting order leaves")
                self._leave(time, EventKind.EXPIRED, order, Reason.END_OF_SESSION)
            else:
                self._visit("close: order of another time in force stays")
        book.closed = True

    def prevent_self_trades(self, market: int, wanted: bool = True) -> None:
        self.books[market].guarded = wanted

    def open(self, market: int) -> None:
        self.books[market].closed = False

    # -- checks -----------------------------------------------------------------------------------------------

    def _why_not_new(self, time: int, order: Order) -> Reason:
        if not 0 <= order.market < len(self.books):
            self._visit("new: 1 unknown market")
            return Reason.UNKNOWN_MARKET
        if order.order_id in self.used:
            self._visit("new: 2 duplicate order")
            return Reason.DUPLICATE_ORDER
        book = self.books[order.market]
        if book.closed:
            self._visit("new: 3 market closed")
            return Reason.MARKET_CLOSED
        if order.quantity < 1:
            self._visit("new: 4 quantity too small")
            return Reason.INVALID_QUANTITY
        if order.quantity > LARGEST:
            self._visit("new: 4 quantity too large")
            return Reason.INVALID_QUANTITY
        if order.has_limit and abs(order.price) > LARGEST:
            self._visit("new: 5 limit price out of range")
            return Reason.INVALID_PRICE
        if order.has_stop and abs(order.stop_price) > LARGEST:
            self._visit("new: 5 stop price out of range")
            return Reason.INVALID_PRICE
        if order.time_in_force == GTD and not order.expire > time:
            self._visit("new: 6 GTD without a future")
            return Reason.INVALID_EXPIRY
        if order.time_in_force != GTD and order.expire != 0:
            self._visit("new: 6 expire time without GTD")
            return Reason.INVALID_EXPIRY
        if order.flags & POST_ONLY:
            if order.order_type != LIMIT:
                self._visit("new: 7 post-only order that is no limit order")
                return Reason.INVALID_INSTRUCTION
            if order.time_in_force in (IOC, FOK):
                self._visit("new: 7 post-only IOC or FOK")
                return Reason.INVALID_INSTRUCTION
            if book.would_trade(order.side, order.price):
                self._visit("new: 8 post-only would trade")
                return Reason.WOULD_TRADE
        return Reason.NONE

    def _why_not_cancel(self, owner: int, order_id: int, quantity: int) -> Reason:
        order = self.live.get(order_id)
        if order is None:
            self._visit("cancel: 1 no longer live" if order_id in self.used else "cancel: 1 never known")
            return Reason.UNKNOWN_ORDER
        if order.owner != owner:
            self._visit("cancel: 2 not owner")
            return Reason.NOT_OWNER
        if quantity < 0:
            self._visit("cancel: 3 quantity below zero")
            return Reason.INVALID_QUANTITY
        return Reason.NONE

    def _why_not_replace(self, owner: int, order_id: int, price: int, quantity: int, stop_price: int) -> Reason:
        order = self.live.get(order_id)
        if order is None:
            self._visit("replace: 1 no longer live" if order_id in self.used else "replace: 1 never known")
            return Reason.UNKNOWN_ORDER
        if order.owner != owner:
            self._visit("replace: 1 not owner")
            return Reason.NOT_OWNER
        if self.books[order.market].closed:
            self._visit("replace: market closed")
            return Reason.MARKET_CLOSED
        if quantity < 1 or quantity > LARGEST:
            self._visit("replace: 2 quantity out of range")
            return Reason.INVALID_QUANTITY
        if order.has_limit and abs(price) > LARGEST:
            self._visit("replace: 2 limit price out of range")
            return Reason.INVALID_PRICE
        if order.waiting and abs(stop_price) > LARGEST:
            self._visit("replace: 2 stop price out of range")
            return Reason.INVALID_PRICE
        return Reason.NONE

    # -- what requests do -------------------------------------------------------------------------------------

    def _replace_resting(self, time: int, order: Order, price: int, quantity: int) -> None:
        kept = price == order.price and quantity <= order.quantity
        raised = price == order.price and not kept
        same = kept and quantity == order.quantity
        order.price, order.quantity = price, quantity
        self._log_replaced(time, order, kept)
        if kept:
            self._visit("replace: a nothing changed" if same else "replace: a same price, quantity lowered")
            return
        self._visit("replace: b elected stop-limit", order.order_type == STOP_LIMIT)
        self.books[order.market].resting[order.side].remove(order)
        filled = order.filled
        self._execute(time, order)
        if order.filled > filled:
            self._visit("replace: b trades")
        else:
            self._visit("replace: b same price, quantity raised" if raised else "replace: b new price, rests")

    def _replace_waiting(self, time: int, order: Order, price: int, quantity: int, stop_price: int) -> None:
        kept = stop_price == order.stop_price and quantity <= order.quantity
        moved = stop_price != order.stop_price
        if order.has_limit:
            order.price = price
        order.quantity, order.stop_price = quantity, stop_price
        self._log_replaced(time, order, kept)
        if moved:
            self._visit("replace: c terms")
            self._log(time, EventKind.TERMS, order, price=order.stop_price, leaves=order.expire)
        if kept:
            self._visit("replace: c keeps its place")
            return
        self._visit("replace: c quantity raised", not moved)
        self.books[order.market].waiting[order.side].remove(order)
        self._wait_or_elect(order, "replace")

    def _wait_or_elect(self, order: Order, request: str) -> None:
        book = self.books[order.market]
        if book.last is not None and order.triggered_by(book.last):
            self._visit("new: stop elected on arrival" if request == "new" else "replace: c elected at once")
            order.waiting = False
            self.elected.append(order)
            return
        if request == "new":
            never = book.last is None
            self._visit("new: stop waits, market never traded" if never else "new: stop waits, not triggered")
        else:
            self._visit("replace: c waits at the back")
        order.waiting = True
        book.waiting[order.side].append(order)

    def _execute(self, time: int, order: Order) -> None:
        if order.time_in_force == FOK and not self._can_fill(order):
            self._visit("execute: FOK killed")
            self._leave(time, EventKind.CANCELED, order, Reason.FILL_OR_KILL)
            return
        before = order.filled
        self._trade(time, order)
        if order.order_id not in self.live:
            return
        if order.open == 0:
            self._visit("execute: taker filled")
            del self.live[order.order_id]
        elif not order.has_limit:
            stop = order.order_type == STOP
            self._visit(f"execute: rest of a {'stop' if stop else 'market'} order canceled")
            self._leave(time, EventKind.CANCELED, order, Reason.NO_LIQUIDITY)
        elif order.time_in_force == IOC:
            self._visit("execute: IOC rest canceled")
            self._leave(time, EventKind.CANCELED, order, Reason.IMMEDIATE_OR_CANCEL)
        else:
            self._visit("execute: rests after a trade" if order.filled > before else "execute: rests without a trade")
            self._visit("execute: stop-limit rests", order.order_type == STOP_LIMIT)
            self.books[order.market].resting[order.side].append(order)

    def _can_fill(self, order: Order) -> bool:
        others = [other for other in self.books[order.market].resting[-order.side] if order.accepts(other.price)]
        others.sort(key=lambda other: -other.price * -order.side)  # best price first; sorting is stable
        if self.books[order.market].guarded and any(other.owner == order.owner for other in others):
            others = others[: [other.owner for other in others].index(order.owner)]
        available = sum(other.open for other in others)
        self._visit("execute: FOK filled to the last lot", available == order.open)
        self._visit("execute: FOK filled with liquidity to spare", available > order.open)
        return available >= order.open

    def _trade(self, time: int, order: Order) -> None:
        book = self.books[order.market]
        prices: list[int] = []
        while order.open > 0:
            price = book.best(-order.side)
            if price is None or not order.accepts(price):
                return
            maker = book.level(-order.side, price)[0]
            if book.guarded and maker.owner == order.owner:
                self._visit("execute: stopped in front of an own order")
                self._leave(time, EventKind.CANCELED, order, Reason.SELF_TRADE)
                return
            quantity = min(order.open, maker.open)
            order.filled += quantity
            maker.filled += quantity
            self._log(
                time,
                EventKind.TRADE,
                order,
                match_id=maker.order_id,
                price=price,
                quantity=quantity,
                leaves=maker.open,
                peer=maker.owner,
            )
            self._visit("execute: more than one maker at a level", price in prices)
            self._visit("execute: more than one level", bool(prices) and prices[-1] != price)
            prices.append(price)
            self._visit("execute: maker partly filled" if maker.open else "execute: maker filled")
            if maker.open == 0:
                book.resting[-order.side].remove(maker)
                del self.live[maker.order_id]
            book.last = price
            self._elect(book)

    def _elect(self, book: Book) -> None:
        """Every waiting stop that the last trade triggers goes to the election queue, buy stops first."""
        assert book.last is not None
        elected: dict[int, list[Order]] = {}
        for side in (BUY, SELL):
            elected[side] = [order for order in book.stops(side) if order.triggered_by(book.last)]
            for order in elected[side]:
                book.waiting[side].remove(order)
                order.waiting = False
                self.elected.append(order)
            prices = [order.stop_price for order in elected[side]]
            self._visit("execute: trade elects two stop prices of a side", len(set(prices)) > 1)
            self._visit("execute: trade elects two stops of one price", len(set(prices)) < len(prices))
        self._visit("execute: trade elects a buy stop", bool(elected[BUY]))
        self._visit("execute: trade elects a sell stop", bool(elected[SELL]))
        self._visit("execute: trade elects both sides", bool(elected[BUY] and elected[SELL]))

    def _drain(self, time: int) -> None:
        count = 0
        while self.elected:
            order = self.elected.pop(0)
            count += 1
            self._visit("election: cascade", count >= 3)
            self._visit("election: stop" if order.order_type == STOP else "election: stop-limit")
            self._visit("election: nobody to trade with", not self.books[order.market].resting[-order.side])
            self._log(time, EventKind.TRIGGERED, order, price=order.stop_price, quantity=order.open, leaves=order.open)
            self._execute(time, order)

    def _leave(self, time: int, kind: EventKind, order: Order, reason: Reason) -> None:
        """The order leaves with all that is open, wherever it is."""
        book = self.books[order.market]
        for place in (book.resting[order.side], book.waiting[order.side]):
            if order in place:
                place.remove(order)
        del self.live[order.order_id]
        self._log(time, kind, order, price=order.price, quantity=order.open, reason=reason)

    # -- rows -------------------------------------------------------------------------------------------------

    def _log(
        self,
        time: int,
        kind: EventKind,
        order: Order,
        *,
        price: int = 0,
        quantity: int = 0,
        leaves: int = 0,
        match_id: int = 0,
        peer: int = 0,
        reason: Reason = Reason.NONE,
        flags: int = 0,
    ) -> None:
        market = NO_MARKET if reason == Reason.UNKNOWN_MARKET else order.market
        self.rows.append(
            (
                time,
                order.order_id,
                match_id,
                price,
                quantity,
                leaves,
                order.owner,
                peer,
                market,
                int(kind),
                order.side,
                int(reason),
                order.order_type,
                order.time_in_force,
                order.flags | flags,
            )
        )

    def _log_replaced(self, time: int, order: Order, kept: bool) -> None:
        self._log(
            time,
            EventKind.REPLACED,
            order,
            price=order.price,
            quantity=order.quantity,
            leaves=order.open,
            flags=KEPT_PRIORITY if kept else 0,
        )

    def _refuse(
        self, time: int, kind: EventKind, owner: int, order_id: int, price: int, quantity: int, reason: Reason
    ) -> None:
        row = (time, order_id, 0, price, quantity, 0, owner, 0, NO_MARKET, int(kind), 0, int(reason), 0, 0, 0)
        self.rows.append(row)

    def _visit(self, case: str, happened: bool = True) -> None:
        if happened:
            self.cases[case] += 1

    # -- views ------------------------------------------------------------------------------------------------

    def events(self) -> np.ndarray:
        return np.array(self.rows, dtype=EVENT)

    def depth(self, market: int, side: int, levels: int | None = None) -> list[tuple[int, int, int]]:
        """(price, quantity, number of orders), best first."""
        book = self.books[market]
        prices = sorted({order.price for order in book.resting[side]}, reverse=side == BUY)
        result = []
        for price in prices[:levels]:
            orders = book.level(side, price)
            result.append((price, sum(order.open for order in orders), len(orders)))
        return result

    def best(self, market: int) -> tuple[int, int, int, int]:
        """(bid, bid quantity, ask, ask quantity); a missing side is 0, 0."""
        bid = self.depth(market, BUY, 1) or [(0, 0, 0)]
        ask = self.depth(market, SELL, 1) or [(0, 0, 0)]
        return bid[0][0], bid[0][1], ask[0][0], ask[0][1]

    def queue(self, market: int, side: int, price: int) -> list[tuple[int, int]]:
        return [(order.order_id, order.open) for order in self.books[market].level(side, price)]

    def stops(self, market: int, side: int) -> list[tuple[int, int]]:
        return [(order.order_id, order.stop_price) for order in self.books[market].stops(side)]

    def check(self) -> None:
        """InvariantViolation when the twin's own state contradicts the page."""
        found: dict[int, Order] = {}
        for number, book in enumerate(self.books):
            bid, ask = book.best(BUY), book.best(SELL)
            if bid is not None and ask is not None and bid >= ask:
                raise InvariantViolation(f"market {number}: best bid {bid} is not below best ask {ask}")
            for order in book.orders():
                if order.open < 1:
                    raise InvariantViolation(f"order {order.order_id} is on the book with {order.open} open")
                if order.order_id in found or order.market != number:
                    raise InvariantViolation(f"order {order.order_id} is in two places")
                found[order.order_id] = order
            for side in (BUY, SELL):
                for order in book.waiting[side]:
                    if book.last is not None and order.triggered_by(book.last):
                        raise InvariantViolation(f"stop {order.order_id} waits although it is triggered")
        if found != self.live:
            raise InvariantViolation("the live orders are not those on the books")
        if self.elected:
            raise InvariantViolation("the election queue was not drained")
