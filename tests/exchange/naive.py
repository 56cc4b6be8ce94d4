"""The naive twin of the matching core: docs/matching-rules.md as plain lists, written to be read, not to be fast.

It never looks at the core and shares nothing with it but the numbers of marketsim.domain. Each branch of the rules
notes its name in ``cases``, so that a test can say which rules a stream of commands has visited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import groupby

import numpy as np
from naive_book import (
    AMONG_STOPS,
    AT_CLOSE,
    AT_OPEN,
    AUCTION,
    BUY,
    DAY,
    FOK,
    GTC,
    GTD,
    HIDDEN,
    IN_CALL_QUEUE,
    IOC,
    KEPT_PRIORITY,
    LARGEST,
    LARGEST_PRO_RATA,
    LEAST_DISTANCE,
    LIMIT,
    MARKET,
    MARKET_TO_LIMIT,
    NOWHERE,
    ON_BOOK,
    PARENT,
    PARKED,
    POST_ONLY,
    SELL,
    SLIDE,
    STOP_LIMIT,
    STOPS,
    TRAILING_STOP,
    Book,
    Order,
)

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import Reason, SelfTrade
from marketsim.domain.phase import BandAction, Phase
from marketsim.errors import InvariantViolation

Row = tuple[int, ...]

NO_MARKET = 65535

CASES = (
    "new: slid",
    "new: 1 unknown market",
    "new: 2 duplicate order",
    "new: 3 market closed",
    "new: 4 quantity out of range",
    "new: 5 price out of range",
    "new: 6 expiry",
    "new: 8 wrong phase",
    "new: 10 outside the bands",
    "new: 11 post-only would trade",
    "new: 7a post-only",
    "new: 7a slide",
    "new: 7b hidden",
    "new: 7c display",
    "new: 7c too many parts",
    "new: 7c display of another type",
    "new: 7d minimum",
    "new: 7d minimum of another type",
    "new: 7e auction order of another type",
    "new: 7e peg, trailing stop or market-to-limit that does not stay",
    "new: 7f links",
    "new: 7g links of another type",
    "new: 7g links with instructions",
    "new: 9 unknown partner",
    "new: 9 unknown parent",
    "new: parent that has ended",
    "new: 5 ignored price",
    "new: 5 ignored stop price",
    "new: terms",
    "new: conditions",
    "new: partner",
    "new: shrinks to its partner",
    "new: parent",
    "new: parked",
    "new: peg",
    "stop: trailing begins",
    "stop: elected on arrival",
    "stop: waits, market never traded",
    "stop: waits, not triggered",
    "stop: waits for continuous trading",
    "stop: trailing elected",
    "stop: elected by a change of phase",
    "stop: a trade elects a buy stop",
    "stop: a trade elects a sell stop",
    "stop: both sides elected",
    "stop: two prices elected",
    "stop: two of one price elected",
    "stop: trailing moves",
    "execute: FOK killed",
    "execute: 1 minimum not available",
    "execute: FOK filled",
    "execute: 1 minimum available",
    "execute: passes a minimum over",
    "execute: taker filled",
    "execute: maker partly filled",
    "execute: maker filled",
    "execute: with a hidden order",
    "execute: with a peg",
    "execute: peg trades",
    "execute: conditional order stands nowhere",
    "execute: iceberg refreshed",
    "execute: FOK left over",
    "execute: market-to-limit rests",
    "execute: rest of a stop canceled",
    "execute: rest of a market canceled",
    "execute: market-to-limit meets nobody",
    "execute: IOC rest canceled",
    "execute: rests after a trade",
    "execute: rests without a trade",
    "execute: stop-limit rests",
    "execute: iceberg rests",
    "execute: hidden rests",
    "available: passes a minimum over",
    "available: stops at an own order",
    "available: leaves an own order out",
    "enter: IOC canceled",
    "enter: FOK canceled",
    "enter: rests",
    "enter: stop in the call queue",
    "enter: in the call queue",
    "bands: refused",
    "bands: interrupted",
    "bands: halted",
    "bands: IOC canceled",
    "self-trade: of one account",
    "self-trade: oldest canceled",
    "self-trade: newest canceled",
    "self-trade: decrement ends the resting order",
    "self-trade: decrement ends the aggressor",
    "pro-rata: own order on the level",
    "pro-rata: the whole level",
    "pro-rata: 1 top order",
    "pro-rata: 2 by time",
    "pro-rata: 3 less than the least",
    "pro-rata: 3 in proportion",
    "pro-rata: 4 what is left",
    "election: ended in the queue",
    "election: cascade",
    "election: stop-limit",
    "election: stop",
    "election: nothing active",
    "links: partner shrinks",
    "links: partner shrinks to nothing",
    "links: partner ends",
    "links: parent has ended",
    "links: released for the first time",
    "links: released again",
    "links: released stop waits or is elected",
    "links: released in another phase",
    "peg: priced anew",
    "peg: gets a price",
    "peg: at its cap",
    "peg: loses its price",
    "cancel: in a closed market",
    "cancel: in a halt",
    "cancel: 4 all",
    "cancel: 4 more than is left",
    "cancel: 4 exactly what is left",
    "cancel: 4 waiting stop",
    "cancel: 4 in the call queue",
    "cancel: 4 parked",
    "cancel: 4 peg",
    "cancel: 4 conditional that stands nowhere",
    "cancel: 5 part",
    "cancel: 5 part of a waiting stop",
    "cancel: 5 part of a reserve",
    "cancel: 5 a reserve and more",
    "cancel: 1 no longer live",
    "cancel: 1 never known",
    "cancel: 2 not owner",
    "cancel: 3 quantity below zero",
    "mass cancel: ended by its partner before its turn",
    "mass cancel: nothing",
    "mass cancel: some",
    "replace: 3 no more than was filled",
    "replace: d parked",
    "replace: 1 no longer live",
    "replace: 1 never known",
    "replace: 1 not owner",
    "replace: 1 market closed",
    "replace: 1 halt",
    "replace: 2 quantity out of range",
    "replace: 2 price out of range",
    "replace: 2 conditional order with a reserve",
    "replace: 2 too many parts",
    "replace: 4 outside the bands",
    "replace: 4 post-only would trade",
    "replace: terms",
    "replace: a in the call queue",
    "replace: a on the book",
    "replace: a part of an iceberg's reserve",
    "replace: b in the call queue",
    "replace: b on the book",
    "replace: b elected stop-limit",
    "replace: b market-to-limit with a limit",
    "replace: b iceberg",
    "replace: slid",
    "replace: b trades",
    "replace: c keeps its place",
    "replace: c begins anew",
    "replace: c trailing",
    "replace: e keeps its place",
    "replace: e priced anew",
    "expire: not live",
    "expire: on the book",
    "expire: stop",
    "phase: the same",
    "phase: AT_OPEN leaves",
    "phase: AT_CLOSE leaves",
    "phase: market-to-limit rests at the auction's price",
    "phase: rest of the call queue leaves",
    "phase: DAY order expires",
    "phase: AT_CLOSE order expires",
    "phase: parked order enters",
    "uncross: no volume",
    "uncross: trades",
    "uncross: again after links",
    "uncross: iceberg refreshed",
    "uncross: from the call queue",
    "uncross: hidden order",
)


class NaiveCore:
    """The same methods as ``marketsim.exchange.core.MatchingCore``; ``rows`` holds tuples in the order of EVENT."""

    def __init__(self, markets: int = 1) -> None:
        self.books = [Book(number) for number in range(markets)]
        self.live: dict[int, Order] = {}
        self.remembered: dict[int, Order] = {}  # orders with PARENT that have ended
        self.used: set[int] = set()
        self.highest = 0  # number that a new order has carried; 0 asks for the next one
        self.accounts: dict[int, int] = {}
        self.rows: list[Row] = []
        self.elected: list[Order] = []  # the election queue
        self.owing: list[Order] = []  # parents that have something to tell their children
        self.cases: Counter[str] = Counter()
        self.time = 0

    # -- settings ---------------------------------------------------------------------------------------------

    def prevent_self_trades(self, market: int, mode: int = SelfTrade.CANCEL_NEWEST) -> None:
        self.books[market].self_trades = SelfTrade(mode)

    def set_account(self, owner: int, account: int) -> None:
        self.accounts[owner] = account

    def set_allocation(
        self, market: int, pro_rata: bool, top_lots: int = 0, fifo_percent: int = 0, least_allocation: int = 0
    ) -> None:
        book = self.books[market]
        book.pro_rata, book.top_lots = pro_rata, top_lots
        book.fifo_percent, book.least_allocation = fifo_percent, least_allocation

    def set_bands(self, market: int, static_low: int, static_high: int, dynamic: int, action: int) -> None:
        self.books[market].bands = (static_low, static_high, dynamic, BandAction(action))

    def set_reference(self, market: int, price: int) -> None:
        self.books[market].reference = price

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
        display: int = 0,
        minimum: int = 0,
        parent: int = 0,
        partner: int = 0,
    ) -> int:
        self._begin(time)
        order_id = order_id or self.highest + 1
        self.highest = max(self.highest, order_id)
        order = Order(
            order_id, owner, market, side, order_type, time_in_force, flags, price, stop_price, quantity, expire,
            display, minimum, parent, partner,
        )  # fmt: skip
        reason = self._why_not_new(order)
        if reason not in (Reason.UNKNOWN_MARKET, Reason.DUPLICATE_ORDER):
            self.used.add(order_id)
        if reason != Reason.NONE:
            self._log(EventKind.REJECTED, order, price=price, quantity=quantity, reason=reason)
            return order_id
        self._ignore(order)
        self.live[order_id] = order
        self._log(EventKind.ACCEPTED, order, price=order.price, quantity=order.quantity, leaves=order.quantity)
        self._log_terms(order)
        self._slide(order, "new: slid")
        self._link(order)
        self._begin_life(order)
        self._finish(order.market)
        return order_id

    def cancel(self, time: int, owner: int, order_id: int, quantity: int = 0) -> None:
        self._begin(time)
        reason = self._why_not_cancel(owner, order_id, quantity)
        if reason != Reason.NONE:
            self._refuse(EventKind.CANCEL_REJECTED, owner, order_id, 0, quantity, reason)
            return
        order = self.live[order_id]
        self._visit("cancel: in a closed market", self.books[order.market].phase == Phase.CLOSED)
        self._visit("cancel: in a halt", self.books[order.market].phase == Phase.HALT)
        if quantity == 0 or quantity >= order.open:
            self._visit("cancel: 4 all", quantity == 0)
            self._visit("cancel: 4 more than is left", quantity > order.open)
            self._visit("cancel: 4 exactly what is left", quantity == order.open)
            self._visit("cancel: 4 waiting stop", order.place == AMONG_STOPS)
            self._visit("cancel: 4 in the call queue", order.place == IN_CALL_QUEUE)
            self._visit("cancel: 4 parked", order.place == PARKED)
            self._visit("cancel: 4 peg", order.is_peg)
            self._visit("cancel: 4 conditional that stands nowhere", order.place == NOWHERE and order.reserve > 0)
            self._leave(EventKind.CANCELED, order, Reason.BY_REQUEST)
        else:
            self._visit("cancel: 5 part")
            self._visit("cancel: 5 part of a waiting stop", order.place == AMONG_STOPS)
            self._visit("cancel: 5 part of a reserve", 0 < quantity < order.reserve)
            self._visit("cancel: 5 a reserve and more", 0 < order.reserve < quantity)
            self._shrink(order, quantity)
            self._log_canceled(order, quantity, Reason.BY_REQUEST)
        self._finish(order.market)

    def replace(self, time: int, owner: int, order_id: int, price: int, quantity: int, stop_price: int = 0) -> None:
        self._begin(time)
        reason = self._why_not_replace(owner, order_id, price, quantity, stop_price)
        if reason == Reason.NONE:
            order = self.live[order_id]
            if quantity <= order.filled:
                self._visit("replace: 3 no more than was filled")
                self._leave(EventKind.CANCELED, order, Reason.BY_REPLACE)
                self._finish(order.market)
                return
            reason = self._why_not_at_this_price(order, price)
        if reason != Reason.NONE:
            self._refuse(EventKind.REPLACE_REJECTED, owner, order_id, price, quantity, reason)
            return
        if order.place == AMONG_STOPS:
            self._replace_waiting(order, price, quantity, stop_price)
        elif order.place == PARKED:
            self._visit("replace: d parked")
            self._take_terms(order, price, quantity, stop_price, kept=True)
        elif order.is_peg:
            self._replace_peg(order, price, quantity, stop_price)
        else:
            self._replace_standing(order, price, quantity)
        self._finish(order.market)

    def expire(self, time: int, order_id: int) -> None:
        self._begin(time)
        order = self.live.get(order_id)
        if order is None:
            self._visit("expire: not live")
            return
        self._visit("expire: on the book", order.place == ON_BOOK)
        self._visit("expire: stop", order.place == AMONG_STOPS)
        self._leave(EventKind.EXPIRED, order, Reason.END_OF_TIME)
        self._finish(order.market)

    def cancel_owner(
        self, time: int, owner: int, first_market: int, last_market: int, reason: int = Reason.BY_MASS_CANCEL
    ) -> None:
        self._begin(time)
        why = Reason(reason)
        count = 0
        for order in self._by_id(lambda order: order.owner == owner and first_market <= order.market <= last_market):
            if not order.live:
                self._visit("mass cancel: ended by its partner before its turn")
                continue
            self._leave(EventKind.CANCELED, order, why)
            count += 1
        self._visit("mass cancel: nothing" if count == 0 else "mass cancel: some")
        self._log_market(first_market, EventKind.MASS_CANCELED, why, owner=owner, quantity=count)
        self._settle(*self.books[first_market : last_market + 1])

    def set_phase(self, time: int, market: int, phase: int, reason: int = Reason.SCHEDULE) -> None:
        self._begin(time)
        book = self.books[market]
        before, after = book.phase, Phase(phase)
        if before == after:
            self._visit("phase: the same")
            return
        if after == Phase.CONTINUOUS or (after == Phase.CLOSED and before.call):
            price = self._uncross(book)
            self._end_auction_orders(book, before, after)
            self._empty_call_queues(book, price)
        else:
            self._end_auction_orders(book, before, after)
        book.anchor = book.last
        book.phase = after
        self._log_market(
            market, EventKind.PHASE, Reason(reason), price=book.last, quantity=int(after), leaves=int(before)
        )
        if after == Phase.CLOSED:
            self._end_session(book)
        if after == Phase.CLOSING_AUCTION:
            self._release_parked(book)
        if after == Phase.CONTINUOUS and book.traded is not None:
            self._elect(book, "phase")
        self._finish(market)

    def indicative(self, market: int) -> tuple[int, int, int, int]:
        """(price, volume, surplus, its side) of the uncross if it happened now; all 0 without a volume."""
        price, volume, surplus = self.books[market].auction()
        if volume == 0:
            return 0, 0, 0, 0
        return price, volume, abs(surplus), (surplus > 0) - (surplus < 0)

    def _begin(self, time: int) -> None:
        self.time = time
        for book in self.books:
            book.anchor = book.last

    def _finish(self, market: int) -> None:
        self._drain()
        self._settle(self.books[market])

    # -- checks -----------------------------------------------------------------------------------------------

    def _why_not_new(self, order: Order) -> Reason:
        if not 0 <= order.market < len(self.books):
            self._visit("new: 1 unknown market")
            return Reason.UNKNOWN_MARKET
        if order.order_id in self.used:
            self._visit("new: 2 duplicate order")
            return Reason.DUPLICATE_ORDER
        book = self.books[order.market]
        if book.phase == Phase.CLOSED:
            self._visit("new: 3 market closed")
            return Reason.MARKET_CLOSED
        if not 1 <= order.quantity <= self._largest(book):
            self._visit("new: 4 quantity out of range")
            return Reason.INVALID_QUANTITY
        if not self._prices_fit(order, order.price, order.stop_price):
            self._visit("new: 5 price out of range")
            return Reason.INVALID_PRICE
        if (order.time_in_force == GTD and not order.expire > self.time) or (
            order.time_in_force != GTD and order.expire != 0
        ):
            self._visit("new: 6 expiry")
            return Reason.INVALID_EXPIRY
        contradiction = self._contradiction(order)
        if contradiction:
            self._visit(contradiction)
            return Reason.INVALID_INSTRUCTION
        if not self._taken_in(book.phase, order):
            self._visit("new: 8 wrong phase")
            return Reason.WRONG_PHASE
        if not self._links_exist(order):
            return Reason.UNKNOWN_LINK
        if self._refused_by_bands(order, order.price):
            self._visit("new: 10 outside the bands")
            return Reason.OUTSIDE_BANDS
        if self._refuses_to_trade(order, order.price):
            self._visit("new: 11 post-only would trade")
            return Reason.WOULD_TRADE
        return Reason.NONE

    def _refused_by_bands(self, order: Order, price: int) -> bool:
        book = self.books[order.market]
        refuses = book.band_action == BandAction.REFUSE and order.limited and not order.is_peg
        return refuses and book.outside_static(price)

    def _refuses_to_trade(self, order: Order, price: int) -> bool:
        book = self.books[order.market]
        strict = order.flags & POST_ONLY and not order.flags & SLIDE
        return bool(strict) and book.continuous and book.would_trade(order.side, price)

    def _largest(self, book: Book) -> int:
        return LARGEST_PRO_RATA if book.pro_rata else LARGEST

    def _prices_fit(self, order: Order, price: int, stop_price: int) -> bool:
        if order.limited and abs(price) > LARGEST:
            return False
        if order.elected or not (order.is_stop or order.is_peg):
            return True
        least = LEAST_DISTANCE.get(order.order_type, -LARGEST)
        return least <= stop_price <= LARGEST

    def _contradiction(self, order: Order) -> str:
        """The case of rule 7 that this order breaks; "" when none."""
        kind, life, flags = order.order_type, order.time_in_force, order.flags
        passing = life in (IOC, FOK)
        auction = life in (AT_OPEN, AT_CLOSE)
        staying = life in (GTC, DAY, GTD)
        if flags & POST_ONLY and (kind != LIMIT or flags & HIDDEN or passing or auction):
            return "new: 7a post-only"
        if flags & SLIDE and not flags & POST_ONLY:
            return "new: 7a slide"
        if flags & HIDDEN and (kind != LIMIT or passing or auction):
            return "new: 7b hidden"
        if not 0 <= order.display <= order.quantity:
            return "new: 7c display"
        if order.quantity > 10_000 * order.display > 0:
            return "new: 7c too many parts"
        if order.display and (kind != LIMIT or flags & HIDDEN or passing):
            return "new: 7c display of another type"
        if not 0 <= order.minimum <= order.quantity:
            return "new: 7d minimum"
        if order.minimum and not (order.hidden or (kind in (LIMIT, MARKET) and life == IOC)):
            return "new: 7d minimum of another type"
        if auction and kind not in (LIMIT, MARKET):
            return "new: 7e auction order of another type"
        if (order.is_peg or kind in (TRAILING_STOP, MARKET_TO_LIMIT)) and not staying:
            return "new: 7e peg, trailing stop or market-to-limit that does not stay"
        links = [order.parent_id, order.partner_id]
        if min(links) < 0 or order.order_id in links or (any(links) and links[0] == links[1]):
            return "new: 7f links"
        if any(links) and not (kind in (LIMIT, *STOPS) and staying):
            return "new: 7g links of another type"
        if any(links) and (flags & (POST_ONLY | HIDDEN) or order.display):
            return "new: 7g links with instructions"
        return ""

    def _taken_in(self, phase: Phase, order: Order) -> bool:
        life = order.time_in_force
        if phase == Phase.CONTINUOUS:
            return life != AT_OPEN
        if phase == Phase.HALT:
            return False
        if life in (IOC, FOK) or order.flags & POST_ONLY or order.minimum:
            return False
        return phase in (Phase.PRE_OPEN, Phase.OPENING_AUCTION) or life != AT_OPEN

    def _links_exist(self, order: Order) -> bool:
        """Whether parent and partner can be its own; then it knows them."""
        if order.partner_id:
            partner = self.live.get(order.partner_id)
            if partner is None or not self._akin(order, partner) or partner.partner is not None:
                self._visit("new: 9 unknown partner")
                return False
            order.partner = partner
        if order.parent_id:
            parent = self.live.get(order.parent_id) or self.remembered.get(order.parent_id)
            if parent is None or not self._akin(order, parent):
                self._visit("new: 9 unknown parent")
                return False
            self._visit("new: parent that has ended", not parent.live)
            order.parent = parent
        return True

    def _akin(self, order: Order, other: Order) -> bool:
        return order.owner == other.owner and order.market == other.market

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
        book = self.books[order.market]
        if book.phase == Phase.CLOSED:
            self._visit("replace: 1 market closed")
            return Reason.MARKET_CLOSED
        if book.phase == Phase.HALT:
            self._visit("replace: 1 halt")
            return Reason.WRONG_PHASE
        if not 1 <= quantity <= self._largest(book):
            self._visit("replace: 2 quantity out of range")
            return Reason.INVALID_QUANTITY
        if not self._prices_fit(order, price, stop_price):
            self._visit("replace: 2 price out of range")
            return Reason.INVALID_PRICE
        if order.reserve and not order.iceberg:
            self._visit("replace: 2 conditional order with a reserve")
            return Reason.INVALID_INSTRUCTION
        if quantity > 10_000 * order.display > 0:
            self._visit("replace: 2 too many parts")
            return Reason.INVALID_INSTRUCTION
        return Reason.NONE

    def _why_not_at_this_price(self, order: Order, price: int) -> Reason:
        if self._refused_by_bands(order, price):
            self._visit("replace: 4 outside the bands")
            return Reason.OUTSIDE_BANDS
        if self._refuses_to_trade(order, price):
            self._visit("replace: 4 post-only would trade")
            return Reason.WOULD_TRADE
        return Reason.NONE

    # -- the beginning of an order ----------------------------------------------------------------------------

    def _ignore(self, order: Order) -> None:
        """What its type ignores is 0."""
        if not order.limited:
            self._visit("new: 5 ignored price", order.price != 0)
            order.price = 0
        if not (order.is_stop or order.is_peg):
            self._visit("new: 5 ignored stop price", order.stop_price != 0)
            order.stop_price = 0

    def _log_terms(self, order: Order) -> None:
        if order.is_stop or order.is_peg or order.time_in_force == GTD:
            self._visit("new: terms")
            self._log(EventKind.TERMS, order, price=order.stop_price, leaves=order.expire)
        if order.display or order.minimum or order.parent_id or order.partner_id:
            self._visit("new: conditions")
            self._log(
                EventKind.CONDITIONS,
                order,
                price=order.parent_id,
                match_id=order.partner_id,
                quantity=order.display,
                leaves=order.minimum,
            )

    def _slide(self, order: Order, case: str) -> None:
        """A sliding post-only order that would trade at once goes one tick behind what it would meet."""
        book = self.books[order.market]
        if not (order.flags & SLIDE and book.continuous and book.would_trade(order.side, order.price)):
            return
        best = book.touch(-order.side)
        assert best is not None
        self._visit(case)
        order.price = best - order.side
        self._log_repriced(order, order.price)

    def _link(self, order: Order) -> None:
        partner = order.partner
        if partner is not None:
            partner.partner = order
            self._visit("new: partner")
            too_much = order.quantity - partner.open
            if too_much > 0:
                self._visit("new: shrinks to its partner")
                order.quantity -= too_much
                self._log_canceled(order, too_much, Reason.LINKED)
        if order.parent is not None:
            self._visit("new: parent")
            order.reserve = order.quantity
            order.parent.children.append(order)
            self._owe(order.parent)

    def _begin_life(self, order: Order) -> None:
        book = self.books[order.market]
        if order.order_type == TRAILING_STOP:
            book.trailing.append(order)
        if order.parent is not None:
            return  # released when what follows is settled
        if order.time_in_force == AT_CLOSE and book.phase != Phase.CLOSING_AUCTION:
            self._visit("new: parked")
            book.put(order, PARKED)
        elif order.is_stop:
            self._wait(order)
        elif order.is_peg:
            self._visit("new: peg")
            book.pegs.append(order)
            order.new_terms = True
        else:
            self._execute(order)

    def _wait(self, order: Order) -> None:
        """A stop waits for its election, or is elected at once."""
        book = self.books[order.market]
        if order.order_type != TRAILING_STOP:
            order.trigger = order.stop_price
        elif not order.begun:
            order.trigger, order.begun = book.last + order.side * order.stop_price, True
            self._visit("stop: trailing begins")
            self._log_repriced(order, order.trigger)
        if book.traded is not None and book.continuous and order.triggered_by(book.last):
            self._visit("stop: elected on arrival")
            self._set_off(order)
            return
        self._visit("stop: waits, market never traded", book.traded is None)
        self._visit("stop: waits, not triggered", book.traded is not None and not order.triggered_by(book.last))
        self._visit("stop: waits for continuous trading", book.traded is not None and order.triggered_by(book.last))
        book.put(order, AMONG_STOPS)

    # -- new terms --------------------------------------------------------------------------------------------

    def _take_terms(self, order: Order, price: int, quantity: int, stop_price: int, *, kept: bool) -> None:
        """New terms where it stands, and REPLACED, and TERMS where the stop price changes."""
        if order.limited:
            order.price = price
        shrinks = order.quantity - quantity
        if shrinks >= 0:
            self._shrink(order, shrinks)
        else:
            order.quantity = quantity
        self._log(
            EventKind.REPLACED,
            order,
            price=price if order.limited else 0,
            quantity=order.quantity,
            leaves=order.open,
            flags=KEPT_PRIORITY if kept else 0,
        )
        if ((order.is_stop and not order.elected) or order.is_peg) and stop_price != order.stop_price:
            self._visit("replace: terms")
            order.stop_price = stop_price
            self._log(EventKind.TERMS, order, price=order.stop_price, leaves=order.expire)

    def _replace_standing(self, order: Order, price: int, quantity: int) -> None:
        book = self.books[order.market]
        kept = quantity <= order.quantity and (not order.limited or price == order.price)
        queued = order.place == IN_CALL_QUEUE
        if kept:
            self._visit("replace: a in the call queue" if queued else "replace: a on the book")
            self._visit("replace: a part of an iceberg's reserve", order.reserve > 0 and quantity < order.quantity)
            self._take_terms(order, price, quantity, 0, kept=True)
            return
        self._visit("replace: b in the call queue" if queued else "replace: b on the book")
        self._visit("replace: b elected stop-limit", order.order_type == STOP_LIMIT)
        self._visit("replace: b market-to-limit with a limit", order.got_limit)
        self._visit("replace: b iceberg", order.iceberg)
        book.take(order)
        self._take_terms(order, price, quantity, 0, kept=False)
        self._slide(order, "replace: slid")
        before = order.filled
        self._execute(order)
        self._visit("replace: b trades", order.filled > before)

    def _replace_waiting(self, order: Order, price: int, quantity: int, stop_price: int) -> None:
        book = self.books[order.market]
        kept = stop_price == order.stop_price and quantity <= order.quantity
        self._visit("replace: c keeps its place" if kept else "replace: c begins anew")
        self._take_terms(order, price, quantity, stop_price, kept=kept)
        if kept:
            return
        book.take(order)
        self._visit("replace: c trailing", order.begun)
        order.begun = False
        self._wait(order)

    def _replace_peg(self, order: Order, price: int, quantity: int, stop_price: int) -> None:
        kept = (price, stop_price) == (order.price, order.stop_price) and quantity <= order.quantity
        self._visit("replace: e keeps its place" if kept else "replace: e priced anew")
        order.new_terms = order.new_terms or not kept
        self._take_terms(order, price, quantity, stop_price, kept=kept)

    # -- execution --------------------------------------------------------------------------------------------

    def _execute(self, order: Order) -> None:
        book = self.books[order.market]
        if not book.continuous:
            self._enter(order)
            return
        if order.time_in_force == FOK and self._available(order) < order.active:
            self._visit("execute: FOK killed")
            self._leave(EventKind.CANCELED, order, Reason.FILL_OR_KILL)
            return
        if order.minimum and self._available(order) < order.needs:
            self._visit("execute: 1 minimum not available")
            if order.time_in_force == IOC:
                self._leave(EventKind.CANCELED, order, Reason.MINIMUM_QUANTITY)
            else:
                self._rest(order)
            return
        self._visit("execute: FOK filled", order.time_in_force == FOK)
        self._visit("execute: 1 minimum available", order.minimum > 0)
        traded = self._trade_away(order)
        if not order.live or order.active == 0 or order.place != NOWHERE:
            return  # it is over, has traded all that is active, or has entered a call phase
        self._leftover(order, traded)

    def _trade_away(self, order: Order) -> bool:
        """Trade while there is somebody; whether it has traded."""
        book = self.books[order.market]
        before = order.filled
        while order.live and order.active > 0:
            other = book.next_for(order, order.active)
            if other is None:
                break
            price = other.limit
            if book.outside(price):
                self._breach(order, price)
                break
            if book.pro_rata and not other.hidden:
                self._share(order, price)
            elif self._prevented(order, other):
                self._prevent(order, other)
            else:
                self._visit("execute: passes a minimum over", self._first(order) is not other)
                self._trade(order, other, min(order.active, other.active))
        return order.filled > before

    def _first(self, order: Order) -> Order:
        return self.books[order.market].ranked(-order.side)[0]

    def _available(self, order: Order) -> int:
        """What it would trade at once, counted without doing it, up to what it has open."""
        book = self.books[order.market]
        count = 0
        for other in book.ranked(-order.side):
            if count >= order.active or not order.accepts(other.limit) or book.outside(other.limit):
                break
            if other.hidden and other.needs > order.active - count:
                self._visit("available: passes a minimum over")
                continue
            if self._prevented(order, other):
                if book.self_trades != SelfTrade.CANCEL_OLDEST:
                    self._visit("available: stops at an own order")
                    break
                self._visit("available: leaves an own order out")
                continue
            count += other.auctioned
        return min(count, order.active)

    def _trade(self, order: Order, other: Order, quantity: int) -> None:
        """One trade at the resting order's price, and what follows at once."""
        book = self.books[order.market]
        price = other.limit
        order.filled += quantity
        other.filled += quantity
        self._log_trade(order, other, price, quantity)
        self._visit("execute: taker filled", order.open == 0)
        self._visit("execute: maker partly filled" if other.open else "execute: maker filled")
        self._visit("execute: with a hidden order", bool(other.flags & HIDDEN))
        self._visit("execute: with a peg", other.is_peg)
        self._visit("execute: peg trades", order.is_peg)
        if other.active == 0 and not other.iceberg:
            self._visit("execute: conditional order stands nowhere", other.open > 0)
            book.take(other)
        book.traded = price
        self._elect(book, "trade")
        self._links(order, quantity)
        self._links(other, quantity)
        if other.live and other.iceberg and other.active == 0:
            self._visit("execute: iceberg refreshed")
            self._refresh(other)

    def _refresh(self, order: Order) -> None:
        """An iceberg displays what it may at the back of its level."""
        book = self.books[order.market]
        book.take(order)
        self._rest(order)
        self._log(EventKind.REFRESHED, order, price=order.limit, quantity=order.active, leaves=order.open)

    def _leftover(self, order: Order, traded: bool) -> None:
        book = self.books[order.market]
        if order.time_in_force == FOK:
            self._visit("execute: FOK left over")
            self._leave(EventKind.CANCELED, order, Reason.FILL_OR_KILL)
        elif order.order_type == MARKET_TO_LIMIT and not order.got_limit and traded:
            self._visit("execute: market-to-limit rests")
            assert book.traded is not None
            self._give_limit(order, book.traded)
            self._rest(order)
        elif not order.limited:
            self._visit("execute: rest of a stop canceled" if order.is_stop else "execute: rest of a market canceled")
            self._visit("execute: market-to-limit meets nobody", order.order_type == MARKET_TO_LIMIT)
            self._leave(EventKind.CANCELED, order, Reason.NO_LIQUIDITY)
        elif order.time_in_force == IOC:
            self._visit("execute: IOC rest canceled")
            self._leave(EventKind.CANCELED, order, Reason.IMMEDIATE_OR_CANCEL)
        else:
            self._visit("execute: rests after a trade" if traded else "execute: rests without a trade")
            self._visit("execute: stop-limit rests", order.order_type == STOP_LIMIT)
            self._visit("execute: iceberg rests", order.iceberg)
            self._visit("execute: hidden rests", bool(order.flags & HIDDEN))
            self._rest(order)

    def _give_limit(self, order: Order, price: int) -> None:
        order.price, order.got_limit = price, True
        self._log_repriced(order, price)

    def _rest(self, order: Order) -> None:
        if order.iceberg:
            order.reserve = order.open - min(order.display, order.open)
        self.books[order.market].put(order, ON_BOOK)

    def _enter(self, order: Order) -> None:
        """A phase without matching: it stands where the auction finds it."""
        if order.time_in_force == IOC:
            self._visit("enter: IOC canceled")
            self._leave(EventKind.CANCELED, order, Reason.IMMEDIATE_OR_CANCEL)
        elif order.time_in_force == FOK:
            self._visit("enter: FOK canceled")
            self._leave(EventKind.CANCELED, order, Reason.FILL_OR_KILL)
        elif order.limited:
            self._visit("enter: rests")
            self._rest(order)
        else:
            self._visit("enter: stop in the call queue" if order.is_stop else "enter: in the call queue")
            self.books[order.market].put(order, IN_CALL_QUEUE)

    def _breach(self, order: Order, price: int) -> None:
        book = self.books[order.market]
        if book.band_action == BandAction.REFUSE:
            self._visit("bands: refused")
            self._leave(EventKind.CANCELED, order, Reason.OUTSIDE_BANDS)
            return
        interrupts = book.band_action == BandAction.INTERRUPT
        self._visit("bands: interrupted" if interrupts else "bands: halted")
        book.phase = Phase.VOLATILITY_AUCTION if interrupts else Phase.HALT
        self._log_market(book.number, EventKind.PHASE, Reason.OUTSIDE_BANDS, price=price, quantity=int(book.phase))
        if order.time_in_force == IOC:
            self._visit("bands: IOC canceled")
            self._leave(EventKind.CANCELED, order, Reason.OUTSIDE_BANDS)
        else:
            self._enter(order)

    # -- self-trades ------------------------------------------------------------------------------------------

    def _prevented(self, order: Order, other: Order) -> bool:
        mode = self.books[order.market].self_trades
        return mode != SelfTrade.ALLOW and self._account(order.owner) == self._account(other.owner)

    def _account(self, owner: int) -> int:
        return self.accounts.get(owner, owner)

    def _prevent(self, order: Order, other: Order) -> None:
        """Deal with an own order that would be traded with next."""
        mode = self.books[order.market].self_trades
        self._visit("self-trade: of one account", order.owner != other.owner)
        if mode == SelfTrade.DECREMENT:
            self._decrement(order, other)
            return
        if mode in (SelfTrade.CANCEL_OLDEST, SelfTrade.CANCEL_BOTH):
            self._visit("self-trade: oldest canceled")
            self._leave(EventKind.CANCELED, other, Reason.SELF_TRADE)
        if mode in (SelfTrade.CANCEL_NEWEST, SelfTrade.CANCEL_BOTH) and order.live:
            self._visit("self-trade: newest canceled")
            self._leave(EventKind.CANCELED, order, Reason.SELF_TRADE)

    def _decrement(self, order: Order, other: Order) -> None:
        loss = min(order.active, other.open)
        self._visit("self-trade: decrement ends the resting order", loss == other.open)
        self._visit("self-trade: decrement ends the aggressor", loss == order.open)
        for loser in (other, order):
            if loser.live:
                self._shrink(loser, loss)
                self._log_canceled(loser, loss, Reason.SELF_TRADE)
                if loser.open == 0:
                    self._end(loser)

    # -- pro-rata ---------------------------------------------------------------------------------------------

    def _share(self, order: Order, price: int) -> None:
        """One round at the best level: own orders first, then each order trades once what it is given."""
        book = self.books[order.market]
        level = book.level(-order.side, price)
        own = next((other for other in level if self._prevented(order, other)), None)
        if own is not None:
            self._visit("pro-rata: own order on the level")
            self._prevent(order, own)
            return
        given = self._allotted(book, order.active, [other.active for other in level])
        for other, lots in zip(level, given, strict=True):
            quantity = min(lots, other.active, order.active) if other.live and order.live else 0
            if quantity > 0:
                self._trade(order, other, quantity)

    def _allotted(self, book: Book, lots: int, shown: list[int]) -> list[int]:
        """What each order of a level is given of ``lots``, worked out as the page does it."""
        if lots >= sum(shown):
            self._visit("pro-rata: the whole level")
            return shown
        rest = list(shown)
        top = min(rest[0], book.top_lots, lots)
        self._visit("pro-rata: 1 top order", top > 0)
        rest[0] -= top
        lots -= top
        by_time = _in_turn(lots * book.fifo_percent // 100, rest)
        self._visit("pro-rata: 2 by time", sum(by_time) > 0)
        rest = [have - get for have, get in zip(rest, by_time, strict=True)]
        lots -= sum(by_time)
        total = sum(rest)
        shares = [lots * have // total for have in rest]
        self._visit("pro-rata: 3 less than the least", any(0 < share < book.least_allocation for share in shares))
        shares = [share if share >= book.least_allocation else 0 for share in shares]
        self._visit("pro-rata: 3 in proportion", sum(shares) > 0)
        rest = [have - get for have, get in zip(rest, shares, strict=True)]
        lots -= sum(shares)
        self._visit("pro-rata: 4 what is left", lots > 0)
        left = _in_turn(lots, rest)
        rest = [have - get for have, get in zip(rest, left, strict=True)]
        return [have - keep for have, keep in zip(shown, rest, strict=True)]

    # -- elections --------------------------------------------------------------------------------------------

    def _elect(self, book: Book, event: str) -> None:
        """Every waiting stop that the last price triggers goes to the election queue, buy stops first."""
        triggered = {
            side: [order for order in book.stops(side) if order.triggered_by(book.last)] for side in (BUY, SELL)
        }
        for order in triggered[BUY] + triggered[SELL]:
            book.take(order)
            self._set_off(order)
        prices = [order.trigger for order in triggered[BUY] + triggered[SELL]]
        self._visit("stop: elected by a change of phase", event == "phase" and bool(prices))
        self._visit("stop: a trade elects a buy stop", event == "trade" and bool(triggered[BUY]))
        self._visit("stop: a trade elects a sell stop", event == "trade" and bool(triggered[SELL]))
        self._visit("stop: both sides elected", bool(triggered[BUY] and triggered[SELL]))
        self._visit("stop: two prices elected", len(set(prices)) > 1)
        self._visit("stop: two of one price elected", len(set(prices)) < len(prices))

    def _set_off(self, order: Order) -> None:
        book = self.books[order.market]
        if order in book.trailing:
            self._visit("stop: trailing elected")
            book.trailing.remove(order)
        order.elected = True
        self.elected.append(order)

    def _drain(self) -> None:
        count = 0
        while self.elected:
            order = self.elected.pop(0)
            if not order.live:
                self._visit("election: ended in the queue")
                continue
            count += 1
            self._visit("election: cascade", count >= 3)
            self._visit("election: stop-limit" if order.order_type == STOP_LIMIT else "election: stop")
            self._log(EventKind.TRIGGERED, order, price=order.trigger, quantity=order.open, leaves=order.open)
            if order.active > 0:
                self._execute(order)
            else:
                self._visit("election: nothing active")

    # -- links ------------------------------------------------------------------------------------------------

    def _links(self, order: Order, quantity: int) -> None:
        """What a trade of ``quantity`` lots of an order means to its partner and its children."""
        if order.children and order.live:
            self._owe(order)
        partner = order.partner
        if partner is not None:
            loss = min(quantity, partner.open)
            if loss > 0:
                self._visit("links: partner shrinks")
                self._shrink(partner, loss)
                self._log_canceled(partner, loss, Reason.LINKED)
            if partner.live and partner.open == 0:
                self._visit("links: partner shrinks to nothing")
                self._end(partner, spare_partner=True)
        if order.live and order.open == 0:
            self._end(order)

    def _owe(self, parent: Order) -> None:
        if parent not in self.owing:
            self.owing.append(parent)

    def _shrink(self, order: Order, quantity: int) -> None:
        """It loses lots that did not trade: of an iceberg its reserve first, of a conditional order what is active."""
        first = order.reserve if order.iceberg else order.active
        rest = quantity - min(quantity, first)
        order.reserve -= quantity - rest if order.iceberg else rest
        order.quantity -= quantity
        if order.active == 0 and not order.iceberg:
            self.books[order.market].take(order)

    def _stand_nowhere(self, order: Order) -> None:
        self.books[order.market].take(order)

    def _leave(self, kind: EventKind, order: Order, reason: Reason) -> None:
        """The order leaves with all that is open, wherever it is."""
        self._log(kind, order, price=order.limit, quantity=order.open, reason=reason)
        self._end(order)

    def _end(self, order: Order, *, spare_partner: bool = False) -> None:
        """It is over; its partner ends too, and its children will hear of it."""
        book = self.books[order.market]
        book.take(order)
        for kept in (book.pegs, book.trailing):
            if order in kept:
                kept.remove(order)
        order.live = False
        del self.live[order.order_id]
        if order.flags & PARENT:
            self.remembered[order.order_id] = order
        if order.children:
            self._owe(order)
        partner, order.partner = order.partner, None
        if partner is not None:
            partner.partner = None
            if not spare_partner:
                self._visit("links: partner ends")
                self._leave(EventKind.CANCELED, partner, Reason.LINKED)

    # -- settling ---------------------------------------------------------------------------------------------

    def _settle(self, *books: Book) -> None:
        """The first step that has something to do, until none has."""
        while self._release_first() or any(map(self._trail, books)) or any(map(self._price_pegs, books)):
            self._drain()

    def _release_first(self) -> bool:
        """The first parent tells its children what it has filled, and that it has ended; whether there was one."""
        if not self.owing:
            return False
        parent = self.owing.pop(0)
        for child in list(parent.children):
            if child.live:
                self._release(parent, child)
            if child.live and not parent.live and child.told == parent.filled and child.reserve > 0:
                self._visit("links: parent has ended")
                self._cancel_reserve(child)
        parent.children = [child for child in parent.children if child.live and child.reserve > 0]
        return True

    def _release(self, parent: Order, child: Order) -> None:
        book = self.books[child.market]
        released = min(child.reserve, parent.filled - child.told)
        child.told = parent.filled
        if released <= 0:
            return
        self._visit("links: released for the first time" if child.active == 0 else "links: released again")
        book.take(child)
        child.reserve -= released
        self._log(EventKind.ACTIVATED, child, price=child.limit, quantity=released, leaves=child.open)
        if child.is_stop and not child.elected:
            self._visit("links: released stop waits or is elected")
            self._wait(child)
        else:
            self._visit("links: released in another phase", not book.continuous)
            self._execute(child)

    def _cancel_reserve(self, child: Order) -> None:
        loss = child.reserve
        child.quantity -= loss
        child.reserve = 0
        self._log_canceled(child, loss, Reason.LINKED)
        if child.open == 0:
            self._end(child)

    def _trail(self, book: Book) -> bool:
        moved = False
        for order in list(book.trailing):
            if order.place != AMONG_STOPS:
                continue
            trigger = book.last + order.side * order.stop_price
            if order.side * trigger >= order.side * order.trigger:
                continue
            self._visit("stop: trailing moves")
            book.take(order)
            order.trigger = trigger
            self._log_repriced(order, trigger)
            book.put(order, AMONG_STOPS)
            moved = True
        return moved

    def _price_pegs(self, book: Book) -> bool:
        moved = False
        bid, ask = book.best(BUY), book.best(SELL)
        for peg in list(book.pegs):
            if not peg.live:
                continue
            price = book.peg_price(peg, bid, ask)
            if price == peg.standing and not peg.new_terms:
                continue
            had_one, peg.new_terms = peg.standing is not None, False
            book.take(peg)
            peg.standing = price
            if price is not None:
                self._visit("peg: priced anew" if had_one else "peg: gets a price")
                self._visit("peg: at its cap", price == peg.price)
                self._log_repriced(peg, price)
                self._execute(peg)
            elif had_one:
                self._visit("peg: loses its price")
                self._log(EventKind.REPRICED, peg, leaves=peg.open)
            moved = moved or had_one or price is not None
        return moved

    # -- phases -----------------------------------------------------------------------------------------------

    def _uncross(self, book: Book) -> int | None:
        """Trade until no volume is left; the last auction price, None where nothing traded."""
        price = None
        rounds = 0
        while True:
            tick, volume, _ = book.auction()
            if volume == 0:
                self._visit("uncross: no volume", rounds == 0)
                return price
            rounds += 1
            self._visit("uncross: trades" if rounds == 1 else "uncross: again after links")
            price = tick
            self._trade_at(book, tick)

    def _trade_at(self, book: Book, price: int) -> None:
        last: dict[int, Order] = {}
        while True:
            buys = [order for order in book.called(BUY) if order.accepts(price)]
            sells = [order for order in book.called(SELL) if order.accepts(price)]
            if not buys or not sells:
                break
            buy, sell = buys[0], sells[0]
            quantity = min(buy.auctioned, sell.auctioned)
            last = {BUY: buy, SELL: sell}
            self._trade_in_auction(book, buy, sell, price, quantity)
        for side in (BUY, SELL):
            if last[side].live and last[side].iceberg:
                self._visit("uncross: iceberg refreshed")
                self._refresh(last[side])

    def _trade_in_auction(self, book: Book, buy: Order, sell: Order, price: int, quantity: int) -> None:
        for order in (buy, sell):
            order.filled += quantity
            if order.iceberg:
                order.reserve = 0
        self._log_trade(buy, sell, price, quantity, AUCTION)
        self._visit("uncross: from the call queue", IN_CALL_QUEUE in (buy.place, sell.place))
        self._visit("uncross: hidden order", buy.hidden or sell.hidden)
        for order in (buy, sell):
            if order.active == 0:
                self.books[order.market].take(order)
        book.traded = price
        self._links(buy, quantity)
        self._links(sell, quantity)

    def _end_auction_orders(self, book: Book, before: Phase, after: Phase) -> None:
        """Orders for an auction that is over leave."""
        opening = (Phase.PRE_OPEN, Phase.OPENING_AUCTION)
        if before in opening and after not in opening:
            over = AT_OPEN
        elif before == Phase.CLOSING_AUCTION:
            over = AT_CLOSE
        else:
            return
        for order in self._by_id(lambda order: order.market == book.number and order.time_in_force == over):
            if order.live:
                self._visit("phase: AT_OPEN leaves" if over == AT_OPEN else "phase: AT_CLOSE leaves")
                self._leave(EventKind.CANCELED, order, Reason.AUCTION_ENDED)

    def _empty_call_queues(self, book: Book, price: int | None) -> None:
        for order in book.queued[BUY] + book.queued[SELL]:
            if not order.live or order.place != IN_CALL_QUEUE:
                continue
            if order.order_type == MARKET_TO_LIMIT and price is not None:
                self._visit("phase: market-to-limit rests at the auction's price")
                book.take(order)
                self._give_limit(order, price)
                self._rest(order)
            else:
                self._visit("phase: rest of the call queue leaves")
                self._leave(EventKind.CANCELED, order, Reason.NO_LIQUIDITY)

    def _end_session(self, book: Book) -> None:
        over = (DAY, AT_OPEN, AT_CLOSE)
        for order in self._by_id(lambda order: order.market == book.number and order.time_in_force in over):
            if order.live:
                self._visit("phase: DAY order expires", order.time_in_force == DAY)
                self._visit("phase: AT_CLOSE order expires", order.time_in_force == AT_CLOSE)
                self._leave(EventKind.EXPIRED, order, Reason.END_OF_SESSION)

    def _release_parked(self, book: Book) -> None:
        for order in sorted(book.parked, key=lambda order: order.order_id):
            self._visit("phase: parked order enters")
            book.take(order)
            self._log(EventKind.ACTIVATED, order, price=order.limit, quantity=order.open, leaves=order.open)
            self._enter(order)

    def _by_id(self, wanted: Callable[[Order], bool]) -> list[Order]:
        """The live orders that are wanted, in the order of their order_id."""
        return sorted((order for order in self.live.values() if wanted(order)), key=lambda order: order.order_id)

    # -- rows -------------------------------------------------------------------------------------------------

    def _log(
        self,
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
                self.time,
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

    def _log_trade(self, order: Order, other: Order, price: int, quantity: int, flags: int = 0) -> None:
        self._log(
            EventKind.TRADE,
            order,
            match_id=other.order_id,
            price=price,
            quantity=quantity,
            leaves=other.open,
            peer=other.owner,
            flags=flags,
        )

    def _log_canceled(self, order: Order, quantity: int, reason: Reason) -> None:
        """A part, or all, has been canceled already."""
        self._log(EventKind.CANCELED, order, price=order.limit, quantity=quantity, leaves=order.open, reason=reason)

    def _log_repriced(self, order: Order, price: int) -> None:
        self._log(EventKind.REPRICED, order, price=price, quantity=order.open, leaves=order.open)

    def _log_market(
        self,
        market: int,
        kind: EventKind,
        reason: Reason,
        *,
        owner: int = 0,
        price: int = 0,
        quantity: int = 0,
        leaves: int = 0,
    ) -> None:
        """A row about no order."""
        row = (self.time, 0, 0, price, quantity, leaves, owner, 0, market, int(kind), 0, int(reason), 0, 0, 0)
        self.rows.append(row)

    def _refuse(self, kind: EventKind, owner: int, order_id: int, price: int, quantity: int, reason: Reason) -> None:
        row = (self.time, order_id, 0, price, quantity, 0, owner, 0, NO_MARKET, int(kind), 0, int(reason), 0, 0, 0)
        self.rows.append(row)

    def _visit(self, case: str, happened: bool = True) -> None:
        if happened:
            self.cases[case] += 1

    # -- views ------------------------------------------------------------------------------------------------

    def events(self) -> np.ndarray:
        return np.array(self.rows, dtype=EVENT)

    def depth(self, market: int, side: int, levels: int | None = None) -> list[tuple[int, int, int]]:
        """(price, displayed quantity, number of displayed orders), best first."""
        queues = [
            (price, list(orders))
            for price, orders in groupby(self.books[market].displayed(side), lambda order: order.limit)
        ]
        return [(price, sum(order.active for order in orders), len(orders)) for price, orders in queues[:levels]]

    def best(self, market: int) -> tuple[int, int, int, int]:
        """(bid, bid quantity, ask, ask quantity); a missing side is 0, 0."""
        bid = self.depth(market, BUY, 1) or [(0, 0, 0)]
        ask = self.depth(market, SELL, 1) or [(0, 0, 0)]
        return bid[0][0], bid[0][1], ask[0][0], ask[0][1]

    def queue(self, market: int, side: int, price: int) -> list[tuple[int, int]]:
        """(order_id, displayed quantity) at a price, in time priority."""
        return [(order.order_id, order.active) for order in self.books[market].level(side, price)]

    def stops(self, market: int, side: int) -> list[tuple[int, int]]:
        """(order_id, stop price) in the order in which they would be elected."""
        return [(order.order_id, order.trigger) for order in self.books[market].stops(side)]

    def check(self) -> None:
        """InvariantViolation when the twin's own state contradicts the page."""
        if self.elected or self.owing:
            raise InvariantViolation("the election queue was not drained, or a release was left behind")
        found: dict[int, Order] = {}
        for book in self.books:
            for order in self._check_book(book):
                if order.order_id in found or order.market != book.number:
                    raise InvariantViolation(f"order {order.order_id} is in two places")
                found[order.order_id] = order
        for order_id, order in self.live.items():
            unpriced = order.is_peg and order.standing is None
            if order.place == NOWHERE and (unpriced or order.reserve == order.open > 0):
                found[order_id] = order
        if found != self.live:
            raise InvariantViolation("the live orders are not those on the books")

    def _check_book(self, book: Book) -> list[Order]:
        bid, ask = book.best(BUY), book.best(SELL)
        if book.continuous and bid is not None and ask is not None and bid >= ask:
            raise InvariantViolation(f"market {book.number}: best bid {bid} is not below best ask {ask}")
        standing = [order for side in (BUY, SELL) for order in book.resting[side] + book.queued[side]]
        waiting = book.waiting[BUY] + book.waiting[SELL]
        for order in standing + book.parked + waiting:
            if order.active < 1 or order.reserve < 0:
                raise InvariantViolation(f"order {order.order_id} is on the book with {order.active} active")
        for order in waiting:
            if book.continuous and book.traded is not None and order.triggered_by(book.last):
                raise InvariantViolation(f"stop {order.order_id} waits although it is triggered")
        if book.continuous and (book.queued[BUY] or book.queued[SELL]):
            raise InvariantViolation(f"market {book.number}: a call queue in continuous trading")
        return standing + book.parked + waiting


def _in_turn(lots: int, wanted: list[int]) -> list[int]:
    """Give lots in time order, to each at most what it wants."""
    given = []
    for want in wanted:
        given.append(min(want, lots))
        lots -= given[-1]
    return given
