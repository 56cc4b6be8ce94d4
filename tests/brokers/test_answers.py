"""Every request has exactly one answer, whatever crosses it on its way; every order has exactly one end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import marketsim as ms
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce
from marketsim.trading.order import Order

NEW_ANSWERS = (EventKind.ACCEPTED, EventKind.REJECTED)
REJECTS = (EventKind.REJECTED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED)
PENDING, WORKING, PARTLY, CANCELING = (
    OrderState.PENDING_NEW, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL,
)  # fmt: skip
ENDS = {state for state in OrderState if state.terminal}
STEPS = {  # what a report may make of a state; to stay is always allowed while it lives
    PENDING: {WORKING, OrderState.REJECTED},
    WORKING: {PARTLY, *ENDS - {OrderState.REJECTED}},
    PARTLY: ENDS - {OrderState.REJECTED},
    CANCELING: {WORKING, PARTLY, *ENDS - {OrderState.EXPIRED}, OrderState.EXPIRED},
}


class Wild(ms.Agent):
    """Sends what it likes, without waiting for answers, and writes down what comes."""

    def on_start(self) -> None:
        self.mine: list[Order] = []
        self.asked: Counter[tuple[int, str]] = Counter()
        self.reports: list[tuple[Report, Order | None, OrderState | None]] = []
        self.dice = self.random("dice")
        self.known: dict[int, OrderState] = {}
        self.every("1ms", self.act)

    def act(self) -> None:
        if self.now > 3_000_000_000:
            return
        choice = self.dice.integer(0, 9)
        if choice < 5 or not self.mine:
            self.send()
        elif choice < 7:
            self.withdraw(self.pick(), 0 if self.dice.bernoulli(0.6) else self.dice.integer(-1, 12))
        else:
            self.change(self.pick())

    def pick(self) -> Order:
        recent = self.mine[-12:]
        return recent[self.dice.integer(0, len(recent) - 1)]

    def send(self) -> None:
        kind = OrderType(self.dice.integer(1, 4))
        time = TimeInForce(self.dice.integer(1, 5))
        flags = OrderFlag.POST_ONLY if kind is OrderType.LIMIT and self.dice.bernoulli(0.2) else OrderFlag.NONE
        expire = self.now + self.dice.integer(-1, 5) * 1_000_000 if time is TimeInForce.GTD else 0
        price, stop = (10_000 + self.dice.integer(-4, 4) for _ in range(2))
        order = Order(
            self._session.next_client_order_id(), self.instrument, "XSIM", Side(1 - 2 * self.dice.integer(0, 1)), kind,
            self.dice.integer(0, 12), price, stop, time, flags, expire,
        )  # fmt: skip
        self._session.broker.submit(order)
        self.mine.append(order)
        self.known[order.client_order_id] = order.state

    def withdraw(self, order: Order, quantity: int) -> None:
        self.asked[order.client_order_id, "cancel"] += 1
        self._session.broker.cancel(order, quantity)
        self.known[order.client_order_id] = order.state

    def change(self, order: Order) -> None:
        if order.live:  # of one that is over the session sends nothing
            self.asked[order.client_order_id, "replace"] += 1
            self._session.broker.replace(
                order, 10_000 + self.dice.integer(-4, 4), self.dice.integer(0, 15), 10_000 + self.dice.integer(-4, 4)
            )

    def on_report(self, report: Report, order: Order | None) -> None:
        before = None if order is None else self.known[order.client_order_id]
        self.reports.append((report, order, before))
        if order is None:
            return
        self.check_step(order, before, report)
        self.known[order.client_order_id] = order.state

    def check_step(self, order: Order, before: OrderState | None, report: Report) -> None:
        told = f"{report} made {order} of {before}"
        assert before is not None, told
        if order.state is not before:
            assert order.state in STEPS.get(before, set()), told
        if report.kind is EventKind.TRADE:
            assert report.leaves == order.leaves == order.quantity - order.filled, told
        assert 0 <= order.leaves <= order.quantity, told
        assert order.leaves == 0 or not order.state.terminal, told


@pytest.fixture(scope="module", params=[1, 2, 3])
def played(request: Any) -> Any:
    simulation = ms.Simulation(name="answers", duration="4s", seed=request.param)
    simulation.add_venue("XSIM", instruments=[ms.Instrument("ABC")], processing="200us")
    simulation.add_agents(Wild(), 3, name="wild", latency=ms.LogNormal(median="2ms", sigma=0.8))
    simulation.add_agents(ms.agents.Noise(rate="20/s"), 20)
    execution = simulation.start()
    execution.advance("4s")
    agents = [session.agent for session in execution.world.sessions.values()]
    execution.world.core.check()
    execution.finish()
    return agents


def test_every_new_order_is_accepted_or_rejected_once(played: list[Wild]) -> None:
    for agent in played:
        answers = Counter(r.client_order_id for r, _, _ in agent.reports if r.kind in NEW_ANSWERS)
        assert answers == Counter(order.client_order_id for order in agent.mine)
        assert len(agent.mine) > 500


def test_every_cancel_and_replace_is_answered_once(played: list[Wild]) -> None:
    for agent in played:
        answers: Counter[tuple[int, str]] = Counter()
        for report, order, _ in agent.reports:
            number = order.client_order_id if order is not None else 0
            if report.kind is EventKind.CANCEL_REJECTED or (
                report.kind is EventKind.CANCELED and report.reason is Reason.BY_REQUEST
            ):
                answers[number, "cancel"] += 1
            if report.kind in (EventKind.REPLACED, EventKind.REPLACE_REJECTED) or (
                report.kind is EventKind.CANCELED and report.reason is Reason.BY_REPLACE
            ):
                answers[number, "replace"] += 1
        assert answers == agent.asked
        assert {name for _, name in answers} == {"cancel", "replace"}


def test_every_reject_says_why(played: list[Wild]) -> None:
    reasons = {report.reason for agent in played for report, _, _ in agent.reports if report.kind in REJECTS}
    assert Reason.NONE not in reasons
    assert reasons >= {Reason.INVALID_QUANTITY, Reason.UNKNOWN_ORDER, Reason.WOULD_TRADE, Reason.INVALID_EXPIRY}


def test_every_order_has_one_end_and_nothing_happens_to_it_afterwards(played: list[Wild]) -> None:
    for agent in played:
        over: set[int] = set()
        for report, order, _ in agent.reports:
            if order is None or report.kind in REJECTS[1:]:
                continue
            assert order.client_order_id not in over, report
            if report.kind is EventKind.REJECTED or (report.leaves == 0 and report.kind is not EventKind.ACCEPTED):
                over.add(order.client_order_id)
        ended = {order.client_order_id for order in agent.mine if order.state.terminal}
        assert over == ended
        assert {order.client_order_id for order in agent.orders()} == {o.client_order_id for o in agent.mine} - ended


def test_no_lot_is_lost(played: list[Wild]) -> None:
    for agent in played:
        traded: Counter[int] = Counter()
        for report, order, _ in agent.reports:
            if report.kind is EventKind.TRADE and order is not None:
                traded[order.client_order_id] += report.quantity
        for order in agent.mine:
            assert order.filled == traded[order.client_order_id]
            if not order.state.terminal:
                assert order.quantity == order.filled + order.leaves
        crossed = [o for o in agent.mine if o.filled and o.state is OrderState.CANCELED]
        assert crossed, "no cancel crossed a fill"


def test_a_good_till_date_order_that_trades_at_once_knows_what_is_left(played: list[Wild]) -> None:
    """Its time stands in a row of its own between its acceptance and its trades."""
    found = [
        (report.leaves, order.quantity)
        for agent in played
        for report, order, _ in agent.reports
        if order is not None and report.kind is EventKind.TRADE and order.time_in_force is TimeInForce.GTD
        and not report.maker
    ]  # fmt: skip
    assert found
    assert all(leaves < quantity for leaves, quantity in found)
