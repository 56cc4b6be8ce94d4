"""The desk of a live session against a venue played by hand: what is said twice, late, never, or not as hoped."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce
from marketsim.realtime.api import LineLost
from marketsim.realtime.desk import Desk
from marketsim.realtime.dialect import VenueMarket, VenueRefusal, reason_of, reason_of_expiry, signed
from marketsim.trading.order import Order

ABC = Instrument("ABCUSD")
MARKET = VenueMarket("ABCUSD", "ABC", "USD", ABC, "V")


class Bench:
    """A desk, the requests that it sent, and the reports that it made."""

    def __init__(self) -> None:
        self.up = True
        self.asked: list[tuple[str, dict[str, Any], Callable[[Any], None]]] = []
        self.reports: list[Report] = []
        self.fees = Decimal(0)
        self.notes: list[tuple[str, str]] = []
        self.planned: list[Callable[[], None]] = []
        self.desk = Desk(self, self, {"ABCUSD": MARKET}, "me", lambda: 5_000_000)
        self.count = 0

    # what the desk sees

    def ask(self, method: str, params: Any, then: Callable[[Any], None], *, sign: bool = True) -> None:
        self.asked.append((method, dict(params), then))

    def report(self, report: Report, order: Order | None, fee: Decimal) -> None:
        self.reports.append(report)
        self.fees += fee

    def note(self, key: str, value: str) -> None:
        self.notes.append((key, value))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.planned.append(call)

    # what the test does

    def send(self, quantity: int = 10, price: int = 10_000, **terms: Any) -> Order:
        self.count += 1
        order = Order(self.count, ABC, "V", Side.BUY, OrderType.LIMIT, quantity, price, **terms)
        self.desk.place(order, MARKET)
        return order

    def working(self, quantity: int = 10) -> Order:
        order = self.send(quantity)
        self.event("NEW", q=quantity, c=self.asked[-1][1]["newClientOrderId"])
        self.answer({"orderId": 70, "transactTime": 3})
        return order

    def answer(self, answer: Any) -> None:
        _, _, then = self.asked.pop(0)
        then(answer)

    def refuse(self, code: int, text: str = "", **data: Any) -> None:
        self.answer(VenueRefusal(code, text, data))

    def event(self, kind: str, c: str = "me-1", q: int = 10, number: int = 70, **more: Any) -> None:
        told: dict[str, Any] = {
            "s": "ABCUSD", "c": c, "C": "", "x": kind, "X": kind, "T": 3, "i": number, "q": str(q), "z": "0", "l": "0",
            "L": "0", "t": -1, "n": "0", "N": None, "m": False, "r": "NONE", "w": True,
        }  # fmt: skip
        self.desk.hear({**told, **more})

    def trade(self, lots: int, total: int, number: int, c: str = "me-1", **more: Any) -> None:
        terms = {"l": str(lots), "z": str(total), "L": "100.00", "t": number, "n": "0.01", "N": "USD", "X": "x"}
        self.event("TRADE", c=c, **{**terms, **more})

    def do_planned(self) -> None:
        planned, self.planned = self.planned, []
        for call in planned:
            call()

    @property
    def kinds(self) -> list[EventKind]:
        return [report.kind for report in self.reports]

    @property
    def methods(self) -> list[str]:
        return [method for method, _, _ in self.asked]


A, T, C = EventKind.ACCEPTED, EventKind.TRADE, EventKind.CANCELED
R, CR, RR, N = EventKind.REPLACED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED, EventKind.REJECTED


def test_an_answer_before_its_event_and_an_event_told_twice_are_one_report() -> None:
    bench = Bench()
    order = bench.send()
    bench.answer({"orderId": 70, "transactTime": 3})
    bench.event("NEW")
    bench.trade(4, 4, 1)
    bench.trade(4, 4, 1)
    assert bench.kinds == [A, T]
    assert (order.order_id, order.filled, order.leaves, bench.fees) == (70, 4, 6, Decimal("0.01"))


def test_a_missed_fill_is_asked_for_and_told() -> None:
    bench = Bench()
    order = bench.working()
    bench.trade(2, 7, 3)  # of 7 lots so far: 5 were never told
    assert bench.methods == ["order.status"]
    bench.answer({"orderId": 70, "executedQty": "7", "origQty": "10", "status": "PARTIALLY_FILLED", "updateTime": 4})
    assert bench.asked[0][1] == {"symbol": "ABCUSD", "orderId": 70}
    fills = [{"id": n, "time": 3, "price": "100.00", "qty": q, "isMaker": True, "commission": "0.01",
              "commissionAsset": "USD"} for n, q in ((1, "1"), (2, "4"), (3, "2"))]  # fmt: skip
    bench.answer(fills)
    assert bench.kinds == [A, T, T, T]
    assert (order.filled, order.leaves, order.state) == (7, 3, OrderState.PARTIALLY_FILLED)
    assert bench.desk.missed == 2
    assert bench.fees == Decimal("0.03")


def test_requests_about_one_order_go_one_by_one() -> None:
    bench = Bench()
    order = bench.send()
    bench.desk.cancel(order, 0)
    assert bench.methods == ["order.place"]
    bench.event("NEW")
    bench.answer({"orderId": 70, "transactTime": 3})
    assert bench.methods == ["order.cancel"]
    bench.event("CANCELED", c="x", C="me-1")
    assert bench.kinds == [A, C]
    bench.answer({})
    assert bench.kinds == [A, C]
    assert order.reason is Reason.BY_REQUEST
    assert bench.desk.idle


def test_a_cancel_of_what_was_refused_is_refused_here() -> None:
    bench = Bench()
    order = bench.send()
    bench.desk.cancel(order, 0)
    order.state = OrderState.PENDING_CANCEL
    bench.refuse(-2010, "Account has insufficient balance for requested action.")
    assert [(r.kind, r.reason) for r in bench.reports] == [(N, Reason.MARGIN), (CR, Reason.UNKNOWN_ORDER)]
    assert bench.asked == []
    assert order.state is OrderState.REJECTED


def test_a_partial_cancel_that_comes_too_late_takes_the_rest() -> None:
    bench = Bench()
    order = bench.working()
    bench.desk.cancel(order, 4)
    assert bench.asked[0][:2] == (
        "order.amend.keepPriority",
        {"symbol": "ABCUSD", "origClientOrderId": "me-1", "newQty": "6", "newClientOrderId": "me-1"},
    )
    bench.trade(7, 7, 1)
    bench.refuse(-2038, "no")
    assert bench.methods == ["order.cancel"]
    bench.event("CANCELED", c="x", C="me-1", z="7")
    bench.answer({})
    assert bench.kinds == [A, T, C]
    assert (order.state, order.filled, order.leaves) == (OrderState.CANCELED, 7, 0)


def test_a_replacement_never_trades_more_than_was_asked() -> None:
    bench = Bench()
    order = bench.working()
    bench.trade(3, 3, 1)
    bench.desk.replace(order, 10_001, 12, 0)
    assert bench.methods == ["order.cancel"]  # in two steps, for some of it has traded
    bench.trade(2, 5, 2)
    bench.event("CANCELED", c="x", C="me-1", z="5")
    bench.answer({"executedQty": "5"})
    assert bench.asked[0][1]["quantity"] == "7"
    assert bench.kinds == [A, T, T]
    bench.event("NEW", c="me-1.1", q=7, number=71)
    assert bench.kinds == [A, T, T, R]
    assert (order.price, order.quantity, order.leaves, order.order_id) == (10_001, 12, 7, 71)
    bench.trade(7, 7, 3, c="me-1.1", i=71)
    bench.answer({"orderId": 71, "transactTime": 3})
    assert (order.filled, order.state) == (12, OrderState.FILLED)
    assert bench.desk.idle


def test_what_traded_while_it_was_replaced_is_taken_off_again() -> None:
    bench = Bench()
    order = bench.working()
    bench.desk.replace(order, 10_001, 10, 0)
    assert bench.methods == ["order.cancelReplace"]
    bench.trade(4, 4, 1)
    bench.event("CANCELED", c="x", C="me-1", z="4")
    bench.event("NEW", c="me-1.1", q=10, number=71)
    bench.answer({"newOrderResponse": {"orderId": 71, "transactTime": 3}})
    assert bench.asked[0][1]["newQty"] == "6"
    bench.event("REPLACED", c="me-1.1", q=6, number=71)
    bench.answer({"transactTime": 3, "amendedOrder": {"qty": "6"}})
    assert bench.kinds == [A, T, R, C]
    assert bench.reports[-1].reason is Reason.NONE  # nobody asked for it
    assert (order.filled, order.leaves, order.quantity) == (4, 6, 10)


def test_a_replacement_that_is_refused_behind_the_cancel_ends_the_order() -> None:
    bench = Bench()
    order = bench.working()
    bench.desk.replace(order, 10_001, 11, 0)
    bench.event("CANCELED", c="x", C="me-1")
    bench.refuse(-2021, "partially failed", cancelResult="SUCCESS", newOrderResult="FAILURE", newOrderResponse={})
    assert [(r.kind, r.reason) for r in bench.reports[1:]] == [(C, Reason.BY_REPLACE)]
    assert order.state is OrderState.CANCELED
    assert bench.notes


def test_a_replacement_of_what_traded_in_between_is_tried_in_two_steps() -> None:
    bench = Bench()
    order = bench.working()
    bench.desk.replace(order, 10_001, 11, 0)
    bench.trade(1, 1, 1)
    bench.refuse(-2022, "failed", cancelResult="FAILURE", cancelResponse={"code": -2011, "msg": "restrictions"})
    assert bench.methods == ["order.cancel"]
    bench.event("CANCELED", c="x", C="me-1", z="1")
    bench.answer({"executedQty": "1"})
    assert bench.asked[0][1]["quantity"] == "10"
    bench.answer({"orderId": 72, "transactTime": 3})
    assert bench.kinds == [A, T, R]
    assert (order.leaves, order.quantity) == (10, 11)


def test_a_late_answer_is_not_taken_for_that_of_the_next_request() -> None:
    bench = Bench()
    order = bench.working()
    bench.desk.replace(order, 10_001, 10, 0)
    bench.desk.replace(order, 10_002, 10, 0)
    bench.event("CANCELED", c="x", C="me-1")
    bench.event("NEW", c="me-1.1", number=71)
    assert bench.methods == ["order.cancelReplace"] * 2
    bench.answer({"newOrderResponse": {"orderId": 71, "transactTime": 3}})
    assert (order.price, bench.kinds) == (10_001, [A, R])
    bench.event("CANCELED", c="x", C="me-1.1", number=71)
    bench.event("NEW", c="me-1.2", number=72)
    bench.answer({"newOrderResponse": {"orderId": 72, "transactTime": 3}})
    assert (order.price, order.order_id, bench.kinds) == (10_002, 72, [A, R, R])
    assert bench.desk.idle


def test_a_refused_replacement_leaves_the_order_alone() -> None:
    bench = Bench()
    order = bench.working()
    bench.desk.replace(order, 10_001, 11, 0)
    bench.refuse(-1013, "Filter failure: NOTIONAL")
    assert [(r.kind, r.reason) for r in bench.reports[1:]] == [(RR, Reason.NOTIONAL)]
    assert (order.price, order.state) == (10_000, OrderState.ACCEPTED)


@pytest.mark.parametrize("there", [True, False])
def test_an_order_on_its_way_when_the_line_broke_is_found_out(there: bool) -> None:
    bench = Bench()
    order = bench.send()
    bench.answer(LineLost("broken"))
    assert bench.kinds == []
    bench.desk.recover()
    for _ in range(5):
        if there:
            break
        bench.refuse(-2013, "Order does not exist.")
        bench.do_planned()
    if there:
        bench.answer({"orderId": 70, "executedQty": "0", "origQty": "10", "status": "NEW", "updateTime": 4})
        assert bench.kinds == [A]
        assert order.state is OrderState.ACCEPTED
    else:
        assert [(r.kind, r.reason) for r in bench.reports] == [(N, Reason.DISCONNECTED)]
        bench.event("NEW")  # it lives after all
        assert bench.methods == ["order.cancel"]
    assert bench.desk.idle


def test_a_cancel_on_its_way_when_the_line_broke_is_answered() -> None:
    for status, kinds in (("NEW", [A, CR]), ("CANCELED", [A, C]), ("FILLED", [A, T, CR])):
        bench = Bench()
        order = bench.working()
        bench.desk.cancel(order, 0)
        bench.answer(LineLost("broken"))
        bench.desk.recover()
        filled = "10" if status == "FILLED" else "0"
        bench.answer({"orderId": 70, "executedQty": filled, "origQty": "10", "status": status, "updateTime": 4})
        if status == "FILLED":
            bench.answer([{"id": 1, "time": 3, "price": "100", "qty": "10", "isMaker": True, "commission": "0",
                           "commissionAsset": "USD"}])  # fmt: skip
        assert bench.kinds == kinds, status
        assert bench.desk.idle


def test_a_replacement_on_its_way_when_the_line_broke_is_answered() -> None:
    for new, old, kinds in ((True, "", [A, R]), (False, "NEW", [A, RR]), (False, "CANCELED", [A, C])):
        bench = Bench()
        order = bench.working()
        bench.desk.replace(order, 10_001, 11, 0)
        bench.answer(LineLost("broken"))
        bench.desk.recover()
        assert bench.asked[0][1]["origClientOrderId"] == "me-1.1"
        if new:
            bench.answer({"orderId": 71, "executedQty": "0", "origQty": "11", "status": "NEW", "updateTime": 4})
        else:
            for _ in range(5):
                bench.refuse(-2013, "Order does not exist.")
                bench.do_planned()
            bench.answer({"orderId": 70, "executedQty": "0", "origQty": "10", "status": old, "updateTime": 4})
        assert bench.kinds == kinds
        assert bench.desk.idle


def test_the_venue_does_not_know_whether_it_was_done() -> None:
    bench = Bench()
    order = bench.send()
    bench.refuse(-1007, "Timeout")
    assert bench.methods == ["order.status"]
    bench.answer({"orderId": 70, "executedQty": "0", "origQty": "10", "status": "NEW", "updateTime": 4})
    assert bench.kinds == [A]
    assert order.live


def test_an_answer_without_its_event_is_followed_up() -> None:
    bench = Bench()
    order = bench.working()
    bench.desk.cancel(order, 0)
    bench.answer({"executedQty": "0"})
    assert order.live
    bench.do_planned()
    bench.answer({"orderId": 70, "executedQty": "0", "origQty": "10", "status": "CANCELED", "updateTime": 4})
    assert bench.kinds == [A, C]
    assert bench.desk.idle


def test_fees_in_other_assets() -> None:
    bench = Bench()
    bench.working()
    bench.trade(1, 1, 1, n="0.001", N="ABC")
    bench.trade(1, 2, 2, n="0.001", N="BNB")
    assert bench.fees == Decimal("0.1")
    assert [key for key, _ in bench.notes] == ["fee"]


def test_expiries_have_reasons() -> None:
    terms = {"IOC": Reason.IMMEDIATE_OR_CANCEL, "FOK": Reason.FILL_OR_KILL, "GTC": Reason.NONE}
    for force, reason in terms.items():
        order = Order(1, ABC, "V", Side.BUY, OrderType.LIMIT, 1, 1, time_in_force=TimeInForce[force])
        assert reason_of_expiry(order, "EXPIRED") is reason
        assert reason_of_expiry(order, "EXPIRED_IN_MATCH") is Reason.SELF_TRADE
    assert reason_of_expiry(Order(1, ABC, "V", Side.BUY, OrderType.MARKET, 1), "EXPIRED") is Reason.NO_LIQUIDITY


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (-2010, "Order would immediately match and take.", Reason.WOULD_TRADE),
        (-2010, "Market is closed.", Reason.MARKET_CLOSED),
        (-2010, "The order was rejected: POSITION_SIDE.", Reason.POSITION_SIDE),
        (-2010, "who knows", Reason.INVALID_INSTRUCTION),
        (-1013, "Filter failure: LOT_SIZE", Reason.INVALID_QUANTITY),
        (-1013, "Filter failure: PRICE_FILTER; price must be", Reason.INVALID_PRICE),
        (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", Reason.OUTSIDE_BANDS),
        (-1100, "Illegal characters found in parameter 'price'; legal", Reason.INVALID_PRICE),
        (-1111, "Parameter 'quantity' has too much precision.", Reason.INVALID_QUANTITY),
        (-1015, "Too many new orders.", Reason.THROTTLED),
        (-2013, "Order does not exist.", Reason.UNKNOWN_ORDER),
    ],
)
def test_refusals_have_reasons(code: int, text: str, reason: Reason) -> None:
    assert reason_of(VenueRefusal(code, text)) is reason


def test_a_signature_is_that_of_the_gateway() -> None:
    from marketsim.gateway.signature import verify, websocket_payload

    whole = signed({"symbol": "ABCUSD", "limit": 5, "price": "1.10"}, "k" * 64, "secret", 1_700_000_000_000)
    assert verify("secret", websocket_payload(whole), whole["signature"])
    assert not verify("other", websocket_payload(whole), whole["signature"])


def test_post_only_flags() -> None:
    bench = Bench()
    bench.send(flags=OrderFlag.POST_ONLY)
    assert bench.asked[0][1]["type"] == "LIMIT_MAKER"
    assert "timeInForce" not in bench.asked[0][1]
