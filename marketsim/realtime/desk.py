"""The desk: orders of one agent at a venue in Binance's spot dialect, from requests to reports.

Every request gets exactly one final answer, and it comes as a report, whatever the venue says, leaves out or says
twice: fills are told once by their number, what was missed is asked for, and what nobody knows after a broken
connection is found out before it is answered. It calls no hook and keeps no portfolio: whoever owns it takes reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from marketsim.brokers.open_orders import OpenOrders
from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderState, OrderType, Reason
from marketsim.kernel.following import elapsed_nanoseconds
from marketsim.realtime import dialect
from marketsim.realtime.api import LineLost
from marketsim.realtime.dialect import VenueMarket, VenueRefusal
from marketsim.realtime.reporter import Owner, Reporter
from marketsim.realtime.ticket import Request, Ticket, Verb
from marketsim.trading.order import Order

_ACCEPTED, _CANCELED, _EXPIRED = EventKind.ACCEPTED, EventKind.CANCELED, EventKind.EXPIRED
_REPLACED, _REJECTED, _TRIGGERED = EventKind.REPLACED, EventKind.REJECTED, EventKind.TRIGGERED
_PENDING_CANCEL = OrderState.PENDING_CANCEL
_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
_TRIES = 5  # questions about an order that the venue may not know yet
_AGAIN = 0.2  # wall seconds between two of them
_GRACE = 1.0  # wall seconds in which the event to an answer must have come
_ENDED = ("CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED", "FILLED")


class Asks(Protocol):
    """Takes requests to the venue (``api.Api``)."""

    @property
    def up(self) -> bool:
        """Whether it can."""

    def ask(self, method: str, params: Mapping[str, Any], then: Callable[[Any], None], *, sign: bool = True) -> None:
        """Send one; ``then`` is given the result, a VenueRefusal or LineLost."""


class Desk:
    """Orders at one venue.

    prefix: of the names under which the venue knows the orders; another one in each session. venue: our name for it.
    """

    def __init__(
        self, api: Asks, owner: Owner, markets: Mapping[str, VenueMarket], prefix: str, now: Callable[[], int]
    ) -> None:
        self.orders = OpenOrders()
        self._reporter = Reporter(owner, self.orders, now)
        self.latencies: dict[str, list[int]] = {verb.value: [] for verb in Verb}  # ns from request to answer
        self.missed = 0  # fills that no event had told
        self._api = api
        self._owner = owner
        self._markets = markets  # by the venue's symbol
        self._prefix = prefix
        self._now = now
        self._tickets: dict[int, Ticket] = {}  # of orders that live or wait for answers, by the agent's number
        self._by_name: dict[str, Ticket] = {}
        self._masses: list[_Mass] = []

    @property
    def idle(self) -> bool:
        """Whether every request is answered."""
        return not self._masses and all(ticket.idle for ticket in self._tickets.values())

    # --- requests ---

    def place(self, order: Order, market: VenueMarket) -> None:
        """Send a new order."""
        order.reference = order.client_order_id
        ticket = Ticket(order, market, self._prefix)
        self._tickets[order.client_order_id] = ticket
        self._by_name[ticket.leg.name] = ticket
        self.orders.add(order)
        self._go_on(ticket)

    def cancel(self, order: Order, quantity: int) -> None:
        """Ask for the cancel of an order or of some lots of it."""
        self.orders.ask(order)
        self._request(order, Request(Verb.CANCEL, quantity=quantity))

    def replace(self, order: Order, price: int, quantity: int, stop: int) -> None:
        """Ask for other terms."""
        self.orders.ask(order, quantity, stop)
        self._request(order, Request(Verb.REPLACE, price, quantity, stop))

    def cancel_all(self, markets: Iterable[VenueMarket], place: VenueMarket) -> None:
        """Mass cancel on some markets; one report, about ``place``, answers it."""
        chosen = {market.symbol for market in markets}
        tickets = [t for t in self._tickets.values() if t.market.symbol in chosen and t.order.live]
        mass = _Mass(tickets, place)
        self._masses.append(mass)
        for ticket in tickets:
            ticket.mass = True
            ticket.order.state = _PENDING_CANCEL
        self._go_on_with(mass)

    def _request(self, order: Order, request: Request) -> None:
        ticket = self._tickets.get(order.client_order_id)
        if ticket is None:  # it is over, and its last answer has come
            self._reporter.refuse(order, request, Reason.UNKNOWN_ORDER)
            return
        ticket.queue.append(request)
        self._go_on(ticket)

    # --- one request after the other ---

    def _go_on(self, ticket: Ticket) -> None:
        """Send what is asked next about an order."""
        order = ticket.order
        while ticket.asked is None and ticket.queue:
            if not self._api.up:
                return
            request = ticket.asked = ticket.queue.popleft()
            if request.verb is Verb.NEW:
                self._send_new(ticket, request)
            elif not order.live:
                self._reporter.refuse(order, request, Reason.UNKNOWN_ORDER)
                ticket.asked = None
            elif request.verb is Verb.CANCEL:
                self._send_cancel(ticket, request)
            else:
                self._send_replace(ticket, request)
        if not order.live and ticket.idle:
            self._tickets.pop(order.client_order_id, None)
        for mass in tuple(self._masses):
            self._go_on_with(mass)

    def _done(self, ticket: Ticket, request: Request) -> None:
        """A request has got its final answer."""
        if ticket.asked is not request:
            return
        ticket.asked = None
        if request.reason is not Reason.NONE:
            self.latencies[request.verb.value].append(elapsed_nanoseconds() - request.began)
        self._go_on(ticket)

    # --- new ---

    def _send_new(self, ticket: Ticket, request: Request) -> None:
        terms = dialect.new_order(
            ticket.order, ticket.market, ticket.leg.name, request.price, request.quantity, request.stop
        )
        assert terms is not None
        self._api.ask("order.place", terms, lambda answer: self._placed(ticket, request, answer))

    def _placed(self, ticket: Ticket, request: Request, answer: Any) -> None:
        if isinstance(answer, LineLost):
            return  # found out when the connection is there again
        if isinstance(answer, VenueRefusal):
            if answer.unknown:
                self._look(ticket, request)
            else:
                if ticket.order.live and not ticket.accepted:
                    self._reporter.say(ticket, answer)
                    self._end(ticket, _REJECTED, self._now(), dialect.reason_of(answer))
                self._done(ticket, request)
            return
        self._accept(ticket, int(answer["orderId"]), dialect.nanoseconds(answer["transactTime"]))
        self._done(ticket, request)

    def _accept(self, ticket: Ticket, number: int, time: int) -> None:
        if ticket.accepted:
            return
        ticket.accepted, ticket.number = True, number
        order = ticket.order
        self._reporter.tell(ticket, _ACCEPTED, time, order.price, order.quantity, order.quantity)

    # --- cancel ---

    def _send_cancel(self, ticket: Ticket, request: Request) -> None:
        if 0 < request.quantity < ticket.open:
            self._amend(ticket, request, ticket.leg.quantity - request.quantity)
        else:
            self._ask_about(ticket, "order.cancel", lambda answer: self._canceled(ticket, request, answer))

    def _canceled(self, ticket: Ticket, request: Request, answer: Any) -> None:
        if isinstance(answer, LineLost) or ticket.asked is not request:
            return  # found out later, or an event has said it already
        if isinstance(answer, VenueRefusal):
            if answer.unknown:
                self._look(ticket, request)
            else:
                self._reporter.say(ticket, answer, unless=-2011)
                self._reporter.refuse(ticket.order, request, dialect.reason_of(answer))
                self._done(ticket, request)
        elif ticket.order.live:
            self._expect(ticket, request)
        else:
            self._done(ticket, request)

    def _amend(self, ticket: Ticket, request: Request, quantity: int) -> None:
        """A smaller leg that keeps its place in the queue."""
        terms = {"newQty": ticket.market.quantity(quantity), "newClientOrderId": ticket.leg.name}
        self._ask_about(
            ticket, "order.amend.keepPriority", lambda answer: self._amended(ticket, request, answer), terms
        )

    def _amended(self, ticket: Ticket, request: Request, answer: Any) -> None:
        if isinstance(answer, LineLost) or ticket.asked is not request:
            return  # found out later, or an event has said it already
        order = ticket.order
        if not isinstance(answer, VenueRefusal):
            self._shrink(ticket, int(answer["transactTime"]), answer["amendedOrder"]["qty"])
        elif answer.unknown:
            self._look(ticket, request)
        elif order.live and answer.code == -2038 and self._takes_all(ticket, request):
            self._ask_about(ticket, "order.cancel", lambda told: self._canceled(ticket, request, told))
        else:
            self._reporter.say(ticket, answer, unless=-2013)
            self._reporter.refuse(order, request, dialect.reason_of(answer) if order.live else Reason.UNKNOWN_ORDER)
            self._done(ticket, request)

    def _takes_all(self, ticket: Ticket, request: Request) -> bool:
        """Whether what has traded meanwhile leaves nothing of what a smaller order should have kept."""
        if request.verb is Verb.CANCEL:
            return request.quantity >= ticket.open
        request.reason = Reason.BY_REPLACE
        return request.quantity <= ticket.order.filled

    def _shrink(self, ticket: Ticket, time: int, quantity: str) -> None:
        """The present leg is smaller now."""
        request, order = ticket.asked, ticket.order
        now = ticket.market.lots(quantity)
        removed = ticket.leg.quantity - now
        if removed <= 0:
            return
        ticket.leg = ticket.leg._replace(quantity=now)
        stamp = dialect.nanoseconds(time)
        if request is not None and request.verb is Verb.CANCEL:
            self._reporter.tell(ticket, _CANCELED, stamp, order.price, removed, ticket.open, reason=request.reason)
        else:
            self._reporter.tell(ticket, _REPLACED, stamp, order.price, ticket.leg.before + now, ticket.open)
        if request is not None:
            self._done(ticket, request)

    # --- replace ---

    def _send_replace(self, ticket: Ticket, request: Request) -> None:
        """In one step where nothing has traded; else cancel, then as much as is left: never more than was asked."""
        order = ticket.order
        if request.quantity <= order.filled:
            request.reason = Reason.BY_REPLACE
            self._ask_about(ticket, "order.cancel", lambda answer: self._canceled(ticket, request, answer))
        elif (request.price, request.stop) == (order.price, order.stop_price) and request.quantity < order.quantity:
            self._amend(ticket, request, request.quantity - ticket.leg.before)
        elif ticket.seen:
            self._ask_about(ticket, "order.cancel", lambda answer: self._made_way(ticket, request, answer))
        else:
            terms = self._terms_of_next(ticket, request)
            terms |= {
                "cancelReplaceMode": "STOP_ON_FAILURE",
                "cancelOrigClientOrderId": ticket.leg.name,
                "cancelRestrictions": "ONLY_NEW",
            }
            self._api.ask("order.cancelReplace", terms, lambda answer: self._exchanged(ticket, request, answer))

    def _terms_of_next(self, ticket: Ticket, request: Request) -> dict[str, Any]:
        leg = ticket.succeed()
        self._by_name[leg.name] = ticket
        terms = dialect.new_order(ticket.order, ticket.market, leg.name, request.price, leg.quantity, request.stop)
        assert terms is not None
        return terms

    def _exchanged(self, ticket: Ticket, request: Request, answer: Any) -> None:
        """The answer to cancel and new in one."""
        if isinstance(answer, LineLost) or ticket.asked is not request:
            return  # found out later, or an event has said it already
        if not isinstance(answer, VenueRefusal):
            placed = answer["newOrderResponse"]
            self._replaced(ticket, int(placed["orderId"]), dialect.nanoseconds(placed["transactTime"]))
            return
        if answer.unknown or _half(answer, "newOrderResponse") == -1007:
            self._look(ticket, request)
        elif answer.data.get("cancelResult") == "SUCCESS":
            self._left_with_nothing(ticket, request, answer)
        elif ticket.order.live and not ticket.gone and ticket.seen and request.quantity > ticket.order.filled:
            ticket.next_leg = None
            self._ask_about(ticket, "order.cancel", lambda told: self._made_way(ticket, request, told))
        else:
            self._not_replaced(ticket, request, answer)

    def _made_way(self, ticket: Ticket, request: Request, answer: Any) -> None:
        """The first of two steps: the present leg is canceled."""
        if isinstance(answer, LineLost) or ticket.asked is not request:
            return  # found out later, or an event has said it already
        if isinstance(answer, VenueRefusal):
            if answer.unknown:
                self._look(ticket, request)
            else:
                self._not_replaced(ticket, request, answer)
            return
        ticket.gone = True
        if ticket.market.lots(answer["executedQty"]) > ticket.seen:
            self._look(ticket, request)  # fills that were not told yet
        else:
            self._send_rest(ticket, request)

    def _send_rest(self, ticket: Ticket, request: Request) -> None:
        """The second step: what has not traded, on the new terms."""
        if request.quantity <= ticket.order.filled:
            self._end(ticket, _CANCELED, self._now(), Reason.BY_REPLACE)
            self._done(ticket, request)
            return
        terms = self._terms_of_next(ticket, request)
        self._api.ask("order.place", terms, lambda answer: self._rest_placed(ticket, request, answer))

    def _rest_placed(self, ticket: Ticket, request: Request, answer: Any) -> None:
        if isinstance(answer, LineLost) or ticket.asked is not request:
            return  # found out later, or an event has said it already
        if not isinstance(answer, VenueRefusal):
            self._replaced(ticket, int(answer["orderId"]), dialect.nanoseconds(answer["transactTime"]))
        elif answer.unknown:
            self._look(ticket, request)
        else:
            self._left_with_nothing(ticket, request, answer)

    def _replaced(self, ticket: Ticket, number: int, time: int) -> None:
        """The replacement stands; said by the event or by the answer, whichever comes first."""
        request, order = ticket.asked, ticket.order
        if ticket.next_leg is None or request is None:
            return
        late = order.filled - ticket.next_leg.before  # traded while the old one was on its way out
        ticket.switch(number)
        ticket.leg = ticket.leg._replace(before=order.filled)
        self._reporter.tell(
            ticket, _REPLACED, time, request.price, order.filled + ticket.leg.quantity, ticket.leg.quantity
        )
        if late:
            self._owner.note("replace", f"order {order.client_order_id} traded {late} while it was replaced")
            ticket.queue.appendleft(Request(Verb.CANCEL, quantity=late, reason=Reason.NONE))
        self._done(ticket, request)

    def _left_with_nothing(self, ticket: Ticket, request: Request, answer: VenueRefusal) -> None:
        """The old leg is canceled and the new one refused: the order is over."""
        self._reporter.say(ticket, answer)
        if ticket.order.live:
            self._end(ticket, _CANCELED, self._now(), Reason.BY_REPLACE)
        else:
            self._reporter.refuse(ticket.order, request, Reason.UNKNOWN_ORDER)
        self._done(ticket, request)

    def _not_replaced(self, ticket: Ticket, request: Request, answer: VenueRefusal) -> None:
        ticket.next_leg = None
        code = _half(answer, "cancelResponse")
        over = not ticket.order.live or code in (-2011, -2013)
        self._reporter.say(ticket, answer, unless=-2022)
        self._reporter.refuse(ticket.order, request, Reason.UNKNOWN_ORDER if over else dialect.reason_of(answer))
        self._done(ticket, request)

    # --- mass cancel ---

    def _go_on_with(self, mass: _Mass) -> None:
        """Once nothing about its orders is under way, one request a symbol."""
        if mass.asked or not self._api.up or any(not ticket.idle for ticket in mass.tickets):
            return
        mass.asked = True
        symbols = sorted({ticket.market.symbol for ticket in mass.tickets if ticket.order.live})
        mass.waiting = len(symbols)
        for symbol in symbols:
            self._api.ask("openOrders.cancelAll", {"symbol": symbol}, lambda answer: self._mass_canceled(mass, answer))
        if not symbols:
            self._end_mass(mass)

    def _mass_canceled(self, mass: _Mass, answer: Any) -> None:
        if isinstance(answer, VenueRefusal) and answer.code != -2011:
            self._owner.note("venue", f"mass cancel: {answer.text} ({answer.code})")
        mass.waiting -= 1
        if not mass.waiting:
            self._end_mass(mass)

    def _end_mass(self, mass: _Mass) -> None:
        """What is still there goes one by one; then the one answer."""
        if mass in self._masses:
            self._masses.remove(mass)
        for ticket in mass.tickets:
            if ticket.order.live and ticket.idle:
                ticket.queue.append(Request(Verb.CANCEL, reason=Reason.BY_MASS_CANCEL))
                self._go_on(ticket)
        count = sum(1 for ticket in mass.tickets if ticket.order.reason is Reason.BY_MASS_CANCEL)
        self._reporter.mass_canceled(mass.place, count)

    # --- events of the account ---

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in an execution report of the venue."""
        market = self._markets.get(event["s"])
        name = event["C"] or event["c"]
        ticket = self._by_name.get(name)
        if market is None or ticket is None:
            return  # of another session of this account
        time, kind = dialect.nanoseconds(event["T"]), event["x"]
        if ticket.next_leg is not None and name == ticket.next_leg.name:
            if kind == "REJECTED":
                return  # the answer says the same
            self._replaced(ticket, int(event["i"]), time)
        elif name != ticket.leg.name:
            if kind != "TRADE":
                return
        elif kind != "REJECTED":
            self._accept(ticket, int(event["i"]), time)
        if not ticket.order.live:
            self._wake(ticket, event, name)
        elif kind == "NEW":
            self._trigger(ticket, event, time)
        elif kind == "TRADE":
            self._trade(ticket, event, time)
        else:
            self._over(ticket, event, time)

    def _trigger(self, ticket: Ticket, event: Mapping[str, Any], time: int) -> None:
        order = ticket.order
        if order.order_type in _STOPS and event.get("w") and not ticket.triggered:
            ticket.triggered = True
            self._reporter.tell(ticket, _TRIGGERED, time, order.stop_price, order.quantity, order.leaves)

    def _trade(self, ticket: Ticket, event: Mapping[str, Any], time: int) -> None:
        market = ticket.market
        lots, total = market.lots(event["l"]), market.lots(event["z"])
        price, number = market.ticks(event["L"]), int(event["t"])
        told = self._reporter.fill(ticket, number, time, price, lots, bool(event["m"]), event["n"], event["N"])
        if told and not ticket.order.live:
            self._finish(ticket)
        if ticket.seen < total:
            self._look(ticket, None)  # one before this was missed

    def _over(self, ticket: Ticket, event: Mapping[str, Any], time: int) -> None:
        kind, request = event["x"], ticket.asked
        if kind == "REPLACED":
            self._shrink(ticket, int(event["T"]), event["q"])
        elif kind == "REJECTED":
            named = Reason.__members__.get(event["r"])
            if named is not None:
                self._end(ticket, _REJECTED, time, named)
        elif kind == "CANCELED" and request is not None and request.verb is Verb.REPLACE:
            if request.reason is Reason.BY_REPLACE:
                self._end(ticket, _CANCELED, time, Reason.BY_REPLACE)
            else:
                ticket.gone = True  # the answer says what becomes of its replacement
        elif kind == "CANCELED":
            asked = Reason.BY_MASS_CANCEL if ticket.mass else Reason.BY_REQUEST
            self._end(ticket, _CANCELED, time, asked if request is None else request.reason)
        else:
            self._expire(ticket, event["X"], time)

    def _expire(self, ticket: Ticket, status: str, time: int) -> None:
        reason = dialect.reason_of_expiry(ticket.order, status)
        self._end(ticket, _EXPIRED if reason is Reason.NONE else _CANCELED, time, reason)

    def _wake(self, ticket: Ticket, event: Mapping[str, Any], name: str) -> None:
        """An order that was taken for over: a late fill counts, and what lives is canceled."""
        if event["x"] == "TRADE":
            self._trade(ticket, event, dialect.nanoseconds(event["T"]))
        elif event["x"] == "NEW" and event["X"] == "NEW":
            self._owner.note("venue", f"{name} lives, which was taken for lost: it is canceled")
            self._api.ask(
                "order.cancel", {"symbol": ticket.market.symbol, "origClientOrderId": name}, lambda answer: None
            )

    # --- finding out ---

    def recover(self) -> None:
        """The connection is there again: find out what became of everything."""
        for mass in self._masses:
            mass.asked = False
        for ticket in list(self._tickets.values()):
            ticket.tries = 0
            if ticket.asked is not None or ticket.accepted:
                self._look(ticket, ticket.asked)
            else:
                self._go_on(ticket)

    def _look(self, ticket: Ticket, request: Request | None) -> None:
        """Ask the venue about the latest leg that it may know; what is found answers a request, where one is given."""
        leg = (ticket.next_leg or ticket.leg) if request is not None else ticket.leg
        terms = {"symbol": ticket.market.symbol, "origClientOrderId": leg.name}
        self._api.ask("order.status", terms, lambda answer: self._looked(ticket, request, leg.name, answer))

    def _looked(self, ticket: Ticket, request: Request | None, name: str, answer: Any) -> None:
        if isinstance(answer, LineLost):
            return
        if isinstance(answer, VenueRefusal):
            if answer.code == -2013:
                self._not_there(ticket, request, name)
            else:
                self._owner.later(_AGAIN, lambda: self._look(ticket, request))
            return
        ticket.tries = 0
        number, time = int(answer["orderId"]), dialect.nanoseconds(answer["updateTime"])
        if ticket.next_leg is not None and name == ticket.next_leg.name:
            self._replaced(ticket, number, time)
        elif ticket.order.state is not OrderState.REJECTED:
            self._accept(ticket, number, time)
        if ticket.market.lots(answer["executedQty"]) > ticket.seen:
            terms = {"symbol": ticket.market.symbol, "orderId": number}
            self._api.ask("myTrades", terms, lambda trades: self._caught_up(ticket, request, answer, trades))
        else:
            self._settle(ticket, request, answer)

    def _not_there(self, ticket: Ticket, request: Request | None, name: str) -> None:
        """The venue knows no such order: perhaps not yet."""
        ticket.tries += 1
        if ticket.tries < _TRIES:
            self._owner.later(_AGAIN, lambda: self._look(ticket, request))
            return
        ticket.tries = 0
        if ticket.next_leg is not None and name == ticket.next_leg.name:
            ticket.next_leg = None
            self._look(ticket, request)  # of the one that was to be replaced
        elif not ticket.accepted:
            self._end(ticket, _REJECTED, self._now(), Reason.DISCONNECTED)
            if request is not None:
                self._done(ticket, request)
        else:
            self._owner.note("venue", f"{name} is not known there any more: taken for canceled")
            self._settle(ticket, request, {"status": "CANCELED", "updateTime": self._now() // 1_000_000})

    def _caught_up(self, ticket: Ticket, request: Request | None, status: Mapping[str, Any], trades: Any) -> None:
        """The fills of an order, those that were missed among them."""
        if isinstance(trades, LineLost):
            return
        if isinstance(trades, VenueRefusal):
            self._owner.later(_AGAIN, lambda: self._look(ticket, request))
            return
        market = ticket.market
        for trade in trades:
            self.missed += self._reporter.fill(
                ticket, int(trade["id"]), dialect.nanoseconds(trade["time"]), market.ticks(trade["price"]),
                market.lots(trade["qty"]), bool(trade["isMaker"]), trade["commission"], trade["commissionAsset"],
            )  # fmt: skip
        self._settle(ticket, request, status)

    def _settle(self, ticket: Ticket, request: Request | None, status: Mapping[str, Any]) -> None:
        """What the venue says about an order answers what was asked about it."""
        order, word = ticket.order, status["status"]
        if request is not ticket.asked:
            request = None  # it was answered meanwhile
        time = dialect.nanoseconds(status["updateTime"])
        replacing = request is not None and request.verb is Verb.REPLACE
        if order.live and word in _ENDED and word != "FILLED":
            if ticket.asked is not request:
                return  # another request is under way: its answer says what follows
            if replacing and word == "CANCELED" and request is not None:
                if ticket.gone and request.reason is not Reason.BY_REPLACE:
                    self._send_rest(ticket, request)
                    return
                self._end(ticket, _CANCELED, time, Reason.BY_REPLACE)
            elif word == "CANCELED":
                self._end(ticket, _CANCELED, time, Reason.BY_MASS_CANCEL if ticket.mass else Reason.BY_REQUEST)
            else:
                self._expire(ticket, word, time)
        elif request is not None and request.verb is not Verb.NEW and order.live and "origQty" in status:
            self._shrink(ticket, status["updateTime"], status["origQty"])
            if ticket.asked is request:
                self._reporter.refuse(order, request, Reason.DISCONNECTED)
        elif request is not None and request.verb is not Verb.NEW and order.reason is not Reason.BY_REPLACE:
            self._reporter.refuse(order, request, Reason.UNKNOWN_ORDER)
        if request is not None:
            self._done(ticket, request)
        self._go_on(ticket)

    def _expect(self, ticket: Ticket, request: Request) -> None:
        """The answer says that it is done, the event is still to come."""

        def check() -> None:
            if ticket.asked is request:
                self._look(ticket, request)

        self._owner.later(_GRACE, check)

    # --- ends ---

    def _end(self, ticket: Ticket, kind: EventKind, time: int, reason: Reason) -> None:
        """An order is over without being filled."""
        if self._reporter.end(ticket, kind, time, reason):
            self._finish(ticket)

    def _finish(self, ticket: Ticket) -> None:
        """An order is over: a cancel that brought it about is answered by that."""
        request = ticket.asked
        if request is None:
            self._go_on(ticket)
        elif ticket.order.state is OrderState.CANCELED and (
            (request.verb is Verb.CANCEL and ticket.order.reason is request.reason)
            or ticket.order.reason is Reason.BY_REPLACE
        ):
            self._done(ticket, request)

    def _ask_about(
        self, ticket: Ticket, method: str, then: Callable[[Any], None], more: Mapping[str, Any] | None = None
    ) -> None:
        terms = {"symbol": ticket.market.symbol, "origClientOrderId": ticket.leg.name, **(more or {})}
        self._api.ask(method, terms, then)


class _Mass:
    """A mass cancel under way."""

    def __init__(self, tickets: list[Ticket], place: VenueMarket) -> None:
        self.tickets = tickets
        self.place = place
        self.asked = False
        self.waiting = 0


def _half(answer: VenueRefusal, which: str) -> int:
    """The code of one half of a cancel and new in one."""
    part = answer.data.get(which)
    return int(part.get("code", 0)) if isinstance(part, Mapping) else 0
