"""What every broker must do, as numbered cards; it runs on any implementation of the ports Session and Broker.

The promise behind all of them: every request gets exactly one final answer, and it comes as a report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderState, Reason, Side, TimeInForce
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

_FINAL = (EventKind.CANCELED, EventKind.EXPIRED, EventKind.REJECTED)


class BrokerCase(Protocol):
    """An agent on a market of its own: the book is empty, and nobody else trades unless ``rest`` says so."""

    def rest(self, side: Side, price: int, quantity: int) -> None:
        """Somebody else's limit order rests on the agent's first instrument (ticks, lots)."""

    def settle(self) -> None:
        """Let time pass until every request is answered and every report has arrived."""


@dataclass
class Recorder(Agent):
    """An agent that does nothing and remembers everything it is told."""

    reports: list[Report] = field(default_factory=list, init=False)
    hooks: list[tuple[str, Order | None]] = field(default_factory=list, init=False)

    def on_report(self, report: Report, order: Order | None) -> None:
        """Remember."""
        self.reports.append(report)

    def on_accepted(self, order: Order) -> None:
        """Remember."""
        self.hooks.append(("accepted", order))

    def on_fill(self, order: Order, report: Report) -> None:
        """Remember."""
        self.hooks.append(("fill", order))

    def on_canceled(self, order: Order, report: Report) -> None:
        """Remember."""
        self.hooks.append(("canceled", order))

    def on_replaced(self, order: Order, report: Report) -> None:
        """Remember."""
        self.hooks.append(("replaced", order))

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """Remember."""
        self.hooks.append(("rejected", order))

    def kinds(self, order: Order) -> list[EventKind]:
        """Kinds of the reports about an order, in the order in which they came."""
        return [report.kind for report in self.reports if report.client_order_id == order.client_order_id]

    def last(self, order: Order) -> Report:
        """The latest report about an order."""
        return [report for report in self.reports if report.client_order_id == order.client_order_id][-1]


def broker_conformance(new_case: Callable[[Agent], BrokerCase], price: int = 10_000) -> None:
    """Run every card, each with a fresh agent on a fresh case; AssertionError with the first promise that is broken.

    new_case: puts an agent on a market and starts it.
    price: ticks at which the market may trade; some ticks around it are used.
    """
    for card in (
        _b1_rests,
        _b2_trades,
        _b3_market_order_on_an_empty_book,
        _b4_immediate_or_cancel,
        _b5_fill_or_kill,
        _b6_post_only,
        _b7_cancel,
        _b8_partial_cancel,
        _b9_cancel_before_the_answer,
        _b10_cancel_too_late,
        _b11_replace,
        _b12_replace_too_late,
        _b13_bad_quantity_is_a_report,
        _b14_what_is_over_is_left_alone,
        _b15_position_follows_fills,
        _b16_every_request_one_answer,
    ):
        recorder = Recorder()
        card(recorder, new_case(recorder), price)


def _b1_rests(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.buy(me.instrument, 5, limit=price)
    assert _state(order) is OrderState.PENDING_NEW, "B1: an order is PENDING_NEW until the venue has answered"
    assert order in me.orders(), "B1: an order counts as open from the moment it is sent"
    case.settle()
    assert me.kinds(order) == [EventKind.ACCEPTED], f"B1: a resting order is accepted, once; got {me.kinds(order)}"
    assert _state(order) is OrderState.ACCEPTED, f"B1: it is ACCEPTED then; it is {order.state.name}"
    assert order.order_id > 0, "B1: an accepted order has the venue's id"
    assert (order.leaves, order.filled) == (5, 0), "B1: all of it is open"
    assert me.orders() == [order], "B1: it stays open"
    assert me.hooks == [("accepted", order)], "B1: on_accepted is called with the very object that was sent"


def _b2_trades(me: Recorder, case: BrokerCase, price: int) -> None:
    case.rest(Side.SELL, price, 3)
    case.rest(Side.SELL, price + 1, 4)
    case.settle()
    order = me.buy(me.instrument, 6, limit=price + 1)
    case.settle()
    fills = [(report.price, report.quantity) for report in me.reports if report.kind is EventKind.TRADE]
    assert fills == [(price, 3), (price + 1, 3)], f"B2: fills come at the resting prices, the best first; got {fills}"
    assert _state(order) is OrderState.FILLED, f"B2: what has traded whole is FILLED; it is {order.state.name}"
    assert (order.filled, order.leaves) == (6, 0), "B2: filled and leaves add up"
    assert order.average_price == price + 0.5, "B2: the average price is that of the fills"
    assert not me.orders(), "B2: it is open no longer"
    assert not any(report.maker for report in me.reports), "B2: who trades at once is no maker"


def _b3_market_order_on_an_empty_book(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.sell(me.instrument, 5)
    case.settle()
    assert _state(order) is OrderState.CANCELED, f"B3: nothing to trade with ends a market order; {order.state.name}"
    assert order.reason is Reason.NO_LIQUIDITY, "B3: and the reason is told"


def _b4_immediate_or_cancel(me: Recorder, case: BrokerCase, price: int) -> None:
    case.rest(Side.SELL, price, 3)
    case.settle()
    order = me.buy(me.instrument, 5, limit=price, time_in_force=TimeInForce.IOC)
    case.settle()
    assert (order.filled, order.leaves) == (3, 0), "B4: IOC takes what is there"
    assert _state(order) is OrderState.CANCELED, "B4: and its rest is canceled"
    assert order.reason is Reason.IMMEDIATE_OR_CANCEL, "B4: with its reason"


def _b5_fill_or_kill(me: Recorder, case: BrokerCase, price: int) -> None:
    case.rest(Side.SELL, price, 3)
    case.settle()
    order = me.buy(me.instrument, 5, limit=price, time_in_force=TimeInForce.FOK)
    case.settle()
    assert (order.filled, order.state) == (0, OrderState.CANCELED), "B5: FOK trades whole or not at all"
    assert order.reason is Reason.FILL_OR_KILL, "B5: with its reason"


def _b6_post_only(me: Recorder, case: BrokerCase, price: int) -> None:
    case.rest(Side.SELL, price, 3)
    case.settle()
    order = me.buy(me.instrument, 5, limit=price, post_only=True)
    case.settle()
    assert (order.filled, order.state) == (0, OrderState.REJECTED), "B6: a post-only order never takes"
    assert order.reason is Reason.WOULD_TRADE, "B6: with its reason"
    assert me.hooks == [("rejected", order)], "B6: on_rejected is called"


def _b7_cancel(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.buy(me.instrument, 5, limit=price)
    case.settle()
    me.cancel(order)
    assert _state(order) is OrderState.PENDING_CANCEL, "B7: a cancel is PENDING_CANCEL until it is answered"
    me.cancel(order)
    case.settle()
    assert me.kinds(order) == [EventKind.ACCEPTED, EventKind.CANCELED], "B7: asked twice, a cancel is one request"
    assert (order.state, order.leaves) == (OrderState.CANCELED, 0), "B7: then it is CANCELED"
    assert order.reason is Reason.BY_REQUEST, "B7: by request"
    assert not me.orders(), "B7: and open no longer"


def _b8_partial_cancel(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.buy(me.instrument, 5, limit=price)
    case.settle()
    me.cancel(order, 2)
    case.settle()
    assert _state(order) is OrderState.ACCEPTED, "B8: what is left of a partly canceled order works on"
    assert (order.quantity, order.leaves) == (3, 3), "B8: it is smaller by what was canceled"
    me.cancel(order, 99)
    case.settle()
    assert (order.state, order.leaves) == (OrderState.CANCELED, 0), "B8: a cancel of more than is left cancels the rest"


def _b9_cancel_before_the_answer(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.buy(me.instrument, 5, limit=price)
    me.cancel(order)
    case.settle()
    assert me.kinds(order) == [EventKind.ACCEPTED, EventKind.CANCELED], "B9: a cancel may follow its order at once"
    assert _state(order) is OrderState.CANCELED, "B9: and ends it"


def _b10_cancel_too_late(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.buy(me.instrument, 5, limit=price)
    case.settle()
    case.rest(Side.SELL, price, 5)
    me.cancel(order)
    case.settle()
    if _state(order) is OrderState.CANCELED:  # the broker's cancel was faster than the other's order
        return
    assert _state(order) is OrderState.FILLED, "B10: an order that traded before its cancel arrived is FILLED"
    assert me.last(order).kind is EventKind.CANCEL_REJECTED, "B10: and the cancel is refused"
    assert me.last(order).reason is Reason.UNKNOWN_ORDER, "B10: with its reason"
    assert me.hooks[-1] == ("rejected", order), "B10: on_rejected still knows which order was meant"


def _b11_replace(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.buy(me.instrument, 5, limit=price)
    case.settle()
    me.replace(order, limit=price + 1, quantity=8)
    assert order.price == price, "B11: terms are the old ones until the venue has answered"
    case.settle()
    assert me.kinds(order)[-1] is EventKind.REPLACED, "B11: a replace is answered"
    assert (order.price, order.quantity, order.leaves) == (price + 1, 8, 8), "B11: the new terms hold"
    assert _state(order) is OrderState.ACCEPTED, "B11: and the order works on"
    case.rest(Side.SELL, price + 1, 6)
    case.settle()
    assert (order.filled, order.leaves) == (6, 2), "B11: it trades on its new terms"
    me.replace(order, quantity=6)
    case.settle()
    assert _state(order) is OrderState.CANCELED, "B11: replaced to no more than has traded, it is canceled"
    assert order.reason is Reason.BY_REPLACE, "B11: with its reason"


def _b12_replace_too_late(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.buy(me.instrument, 5, limit=price)
    case.settle()
    me.cancel(order)
    me.replace(order, limit=price + 1)
    case.settle()
    assert _state(order) is OrderState.CANCELED, "B12: a replace cannot revive an order"
    assert me.last(order).kind is EventKind.REPLACE_REJECTED, "B12: it is refused"
    assert order.price == price, "B12: and changes nothing"


def _b13_bad_quantity_is_a_report(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.buy(me.instrument, 0, limit=price)
    case.settle()
    assert (order.state, order.reason) == (OrderState.REJECTED, Reason.INVALID_QUANTITY), (
        "B13: a refused order is a report with a reason, never an exception"
    )


def _b14_what_is_over_is_left_alone(me: Recorder, case: BrokerCase, price: int) -> None:
    order = me.sell(me.instrument, 5)
    case.settle()
    count = len(me.reports)
    me.cancel(order)
    me.replace(order, quantity=9)
    case.settle()
    assert len(me.reports) == count, "B14: a cancel or replace of an order that is known to be over is not sent"


def _b15_position_follows_fills(me: Recorder, case: BrokerCase, price: int) -> None:
    case.rest(Side.SELL, price, 10)
    case.settle()
    me.buy(me.instrument, 7)
    case.settle()
    assert me.position() == 7, "B15: a buy adds to the position"
    case.rest(Side.BUY, price - 1, 20)
    case.settle()
    me.sell(me.instrument, 9)
    case.settle()
    assert me.position() == -2, "B15: a sell takes from it"
    assert len(me.portfolio.history) == 2, "B15: the portfolio knows every fill"


def _b16_every_request_one_answer(me: Recorder, case: BrokerCase, price: int) -> None:
    """A storm of requests in flight at once, answered one for one."""
    orders, asked = [], 0
    for number in range(60):
        case.rest(Side.SELL if number % 2 else Side.BUY, price + (2 if number % 2 else -2), 1 + number % 3)
        side = Side.BUY if number % 3 else Side.SELL
        order = me.order(side, me.instrument, 1 + number % 5, limit=price + side * (number % 4 - 1))
        orders.append(order)
        if number % 4 == 1:
            me.replace(order, quantity=order.quantity + 1)
            asked += 1
        if number % 5 == 2:
            me.cancel(order, 1)
            asked += 1
        if number % 7 == 3:
            me.cancel(order)
            asked += 1
    case.settle()
    first = [r.client_order_id for r in me.reports if r.kind in (EventKind.ACCEPTED, EventKind.REJECTED)]
    assert sorted(first) == [order.client_order_id for order in orders], "B16: each order is accepted or rejected, once"
    answers = [report for report in me.reports if _answers_a_change(report)]
    assert len(answers) == asked, f"B16: {asked} changes were asked for and {len(answers)} answered"
    for order in orders:
        ends = sum(1 for r in me.reports if r.client_order_id == order.client_order_id and _ends(r))
        assert ends == (not order.live), f"B16: {order} has {ends} ends"
        assert order.live == (order in me.orders()), f"B16: {order} is open or over, and the list says so"
    assert not any(o.state in (OrderState.PENDING_NEW, OrderState.PENDING_CANCEL) for o in orders), "B16: none hangs"


def _state(order: Order) -> OrderState:
    """Its state as it is now: a type checker would take it for the one that was seen last."""
    return order.state


def _answers_a_change(report: Report) -> bool:
    if report.kind is EventKind.CANCELED:
        return report.reason in (Reason.BY_REQUEST, Reason.BY_REPLACE)
    return report.kind in (EventKind.REPLACED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED)


def _ends(report: Report) -> bool:
    if report.kind is EventKind.TRADE:
        return report.leaves == 0
    return report.kind in _FINAL and report.leaves == 0
