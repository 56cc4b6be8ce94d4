"""The simulated session: its inbox, its limits, its answers, and how an agent's own errors come out."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from market_bench import ABC, XYZ, MarketBench

from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Quote, Report, TradePrint
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderState, Reason, Side, TimeInForce
from marketsim.domain.risk import RiskEvent
from marketsim.errors import AgentError, InvalidValueError, InvariantViolation
from marketsim.network.latency import Constant, LogNormal
from marketsim.testing import HandMarket
from marketsim.trading.agent import Agent
from marketsim.trading.book import LocalBook
from marketsim.trading.order import Order
from marketsim.trading.risk import Limits


@dataclass
class Listener(Agent):
    heard: list[tuple[int, Any]] = field(default_factory=list, init=False)

    def on_quote(self, quote: Quote) -> None:
        self.heard.append((self.now, (quote.bid, quote.ask)))

    def on_report(self, report: Report, order: Order | None) -> None:
        self.heard.append((self.now, (report.kind.name, report.reason.name)))


# --- the inbox ---


def test_an_idle_agent_hears_at_once() -> None:
    me = Listener()
    market = HandMarket(me)
    market.quote(99, 1, 101, 1)
    assert me.heard == [(0, (99, 101))]


def test_a_busy_agent_hears_one_after_the_other() -> None:
    """Computation of 10: messages at 0, 3 and 4 are looked at at 0, 10 and 20; one at 35 at once."""
    me = Listener()
    market = HandMarket(me, computation=10)
    market.quote(1, 1, 9, 1)
    market.environment.run(until=3)
    market.quote(2, 1, 9, 1)
    market.environment.run(until=4)
    market.quote(3, 1, 9, 1)
    market.environment.run(until=35)
    market.quote(4, 1, 9, 1)
    assert me.heard == [(0, (1, 9)), (10, (2, 9)), (20, (3, 9)), (35, (4, 9))]


def test_timers_wait_for_a_busy_agent_too() -> None:
    me = Listener()
    market = HandMarket(me, computation=10)
    me.at(2, lambda: me.heard.append((me.now, "timer")))
    market.quote(1, 1, 9, 1)
    market.environment.run(until=100)
    assert me.heard == [(0, (1, 9)), (10, "timer")]


def test_requests_leave_when_the_agent_has_made_up_its_mind() -> None:
    me = Agent()
    market = HandMarket(me, computation=10)
    order = me.buy(ABC, 1, limit=5)
    me.cancel(order)
    me.subscribe(trades=True)
    assert [request.depart for request in market.requests] == [10, 10, 10]


def test_a_busy_agent_on_the_real_market_keeps_its_order() -> None:
    bench = MarketBench()
    me = Listener()
    bench.add(me, computation=50_000, latency=LogNormal(median="20us", sigma=1.0))
    for step in range(40):
        bench.rest(1, 9_000 + step, 1)
        bench.run(3_000)
    bench.settle()
    times = [time for time, _ in me.heard]
    assert all(later - earlier >= 50_000 for earlier, later in pairwise(times))
    bids = [quote[0] for _, quote in me.heard]
    assert bids == sorted(bids), "the feed's order is kept"


# --- limits ---


def test_a_refused_order_never_leaves_and_is_answered() -> None:
    me = Listener()
    market = HandMarket(me, limits=Limits(max_order=10))
    order = me.buy(ABC, 11, limit=5)
    assert order.live, "the answer comes as a report, after the present call"
    assert order not in me.orders()
    me.cancel(order)
    me.replace(order, quantity=3)
    assert market.asked() == []
    market.advance(0)
    assert (order.state, order.reason) == (OrderState.REJECTED, Reason.RISK)
    assert me.heard == [(0, ("REJECTED", "RISK"))]
    (event,) = [RiskEvent.of_note(time, name, value) for time, name, _, value in market.notes]
    assert event.text == "order 1 refused: quantity 11 above max_order 10; at most 10 pass"


def test_a_refusal_reaches_a_busy_agent_when_it_is_free() -> None:
    me = Listener()
    market = HandMarket(me, limits=Limits(max_order=10), computation=10)
    market.quote(1, 1, 9, 1)
    me.buy(ABC, 11, limit=5)
    market.advance(100)
    assert me.heard == [(0, (1, 9)), (10, ("REJECTED", "RISK"))]


def test_open_orders_count_towards_the_position() -> None:
    me = Agent()
    market = HandMarket(me, (ABC, XYZ), limits=Limits(max_position=10))
    one = me.buy(ABC, 6, limit=5)
    me.buy(XYZ, 10, limit=5)
    me.sell(ABC, 10, limit=9)
    two = me.buy(ABC, 5, limit=5)
    market.advance(0)
    assert two.state is OrderState.REJECTED
    market.accept(one)
    market.fill(one, 2)
    assert me.buy(ABC, 4, limit=5) in me.orders(), "2 held, 4 open, 4 more"
    market.cancel(one)
    assert me.buy(ABC, 4, limit=5) in me.orders(), "2 held, 4 open, 4 more"


def test_a_replace_is_checked_like_an_order() -> None:
    me = Listener()
    market = HandMarket(me, limits=Limits(max_position=10))
    order = me.buy(ABC, 6, limit=5)
    market.accept(order)
    me.replace(order, quantity=11)
    market.advance(0)
    assert market.asked(Kind.REPLACE) == []
    assert me.heard[-1][1] == ("REPLACE_REJECTED", "RISK")
    assert (order.state, order.quantity) == (OrderState.ACCEPTED, 6)
    me.replace(order, quantity=10)
    assert len(market.asked(Kind.REPLACE)) == 1


def test_a_replace_on_its_way_counts_with_what_it_asks_for() -> None:
    me = Agent()
    market = HandMarket(me, limits=Limits(max_position=10))
    order = me.buy(ABC, 2, limit=5)
    market.accept(order)
    me.replace(order, quantity=9)
    late = me.buy(ABC, 2, limit=5)
    market.advance(0)
    assert late.state is OrderState.REJECTED
    market.reject(order, Reason.WOULD_TRADE, EventKind.REPLACE_REJECTED)
    assert me.buy(ABC, 8, limit=5) in me.orders()


# --- answers ---


def test_a_cancel_that_comes_too_late_knows_its_order() -> None:
    """An order that is over stays known until the last request about it is answered, and no longer."""
    refused: list[Order | None] = []

    @dataclass
    class Curious(Agent):
        def on_rejected(self, order: Order | None, report: Report) -> None:
            refused.append(order)

    me = Curious()
    market = HandMarket(me)
    order = me.buy(ABC, 6, limit=5)
    market.accept(order)
    me.cancel(order, 2)
    me.cancel(order)
    market.fill(order)
    for _ in range(3):
        market.reject(order, Reason.UNKNOWN_ORDER, EventKind.CANCEL_REJECTED)
    assert refused == [order, order, None]
    assert order.state is OrderState.FILLED


def test_an_answer_nobody_asked_for_has_no_order() -> None:
    seen: list[Order | None] = []

    @dataclass
    class Curious(Agent):
        def on_report(self, report: Report, order: Order | None) -> None:
            seen.append(order)

    me = Curious()
    market = HandMarket(me)
    market.report(EventKind.CANCEL_REJECTED, None, market=65_535, order_id=99, reason=int(Reason.UNKNOWN_ORDER))
    assert seen == [None]


def test_every_request_gets_one_answer_in_a_wild_market() -> None:
    """Two agents with jitter fight on two markets of two venues; every order ends once and nothing is left hanging."""
    bench = MarketBench((ABC, XYZ), ("X", "Y"), processing=500)
    wild = [Wild(step=7_000 + 1_000 * n) for n in range(3)]
    for number, agent in enumerate(wild):
        bench.add(agent, f"wild{number}", latency=LogNormal(median="30us", sigma=1.5), computation=2_000 * number)
    bench.run(30_000_000)
    for agent in wild:
        agent.stop()
    bench.settle()
    for agent in wild:
        agent.check()
    bench.core.check()
    positions = [agent.session_lots() for agent in wild]
    for symbol in ("ABC", "XYZ"):
        assert sum(lots.get(symbol, 0) for lots in positions) == 0, "they traded with each other alone"


@dataclass
class Wild(Agent):
    """Sends everything at random and keeps count."""

    step: int = 7_000
    sent: list[Order] = field(default_factory=list, init=False)
    changes: int = field(default=0, init=False)
    answers: list[Report] = field(default_factory=list, init=False)

    def on_start(self) -> None:
        self.draw = self.random("wild")
        self.stop = self.every(self.step, self.act)

    def on_report(self, report: Report, order: Order | None) -> None:
        assert order is not None, f"{report} belongs to an order of mine"
        self.answers.append(report)

    def act(self) -> None:
        draw = self.draw
        instrument = draw.choice(self.instruments)
        venue = draw.choice(("X", "Y"))
        side = draw.choice((Side.BUY, Side.SELL))
        what = draw.integer(0, 9)
        open_orders = self.orders()
        if what < 6 or not open_orders:
            force = draw.choice((TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK))
            limit = draw.choice((None, 1_000 + draw.integer(-3, 3)))
            post = draw.bernoulli(0.2)
            quantity = draw.integer(0, 9)
            self.sent.append(
                self.order(side, instrument, quantity, limit=limit, time_in_force=force, post_only=post, venue=venue)
            )
            return
        order = draw.choice(open_orders)
        before = order.state
        if what == 6:
            self.cancel(order, draw.integer(1, 4))
            self.changes += before is not OrderState.PENDING_CANCEL
        elif what == 7:
            self.cancel(order)
            self.changes += before is not OrderState.PENDING_CANCEL
        else:
            self.replace(order, limit=1_000 + draw.integer(-3, 3), quantity=draw.integer(1, 12))
            self.changes += 1

    def check(self) -> None:
        first = [r.client_order_id for r in self.answers if r.kind in (EventKind.ACCEPTED, EventKind.REJECTED)]
        assert sorted(first) == [order.client_order_id for order in self.sent]
        answered = [r for r in self.answers if _answers(r)]
        assert len(answered) == self.changes
        assert len(self.sent) > 1_000
        for order in self.sent:
            assert order.state not in (OrderState.PENDING_NEW, OrderState.PENDING_CANCEL)
            assert order.live == (order in self.orders())
        lots: dict[str, int] = {}
        for order in self.sent:
            lots[order.instrument.symbol] = lots.get(order.instrument.symbol, 0) + order.side * order.filled
        assert {s: n for s, n in lots.items() if n} == {s: n for s, n in self.session_lots().items() if n}

    def session_lots(self) -> dict[str, int]:
        return self.portfolio.lots


def _answers(report: Report) -> bool:
    if report.kind is EventKind.CANCELED:
        return report.reason in (Reason.BY_REQUEST, Reason.BY_REPLACE)
    return report.kind in (EventKind.REPLACED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED)


def test_states_of_open_orders_agree_with_the_venue() -> None:
    bench = MarketBench((ABC,), ("X",))
    agent = WildAlone(step=5_000)
    bench.add(agent, latency=Constant("7us"))
    bench.run(10_000_000)
    agent.stop()
    bench.settle()
    assert agent.orders()
    for order in agent.sent:
        at_venue = bench.core.order(order.reference)
        assert order.live == (at_venue is not None)
        if at_venue is not None:
            assert (order.price, order.quantity, order.leaves) == (
                at_venue["price"],
                at_venue["quantity"],
                at_venue["leaves"],
            )


@dataclass
class WildAlone(Wild):
    def act(self) -> None:
        draw, open_orders = self.draw, self.orders()
        if draw.bernoulli(0.5) or not open_orders:
            side = draw.choice((Side.BUY, Side.SELL))
            limit = 1_000 - side * draw.integer(-1, 6)
            self.sent.append(self.order(side, self.instrument, draw.integer(1, 9), limit=limit))
        else:
            self.replace(draw.choice(open_orders), quantity=draw.integer(1, 12))


# --- fills, fees, data ---


def test_fills_reach_the_portfolio_with_their_fees() -> None:
    me = Agent()
    market = HandMarket(me, (XYZ,), fee="0.001")
    order = me.buy(XYZ, 3, limit=100)
    market.accept(order)
    market.fill(order, 3, 99, maker=True)
    fill = me.portfolio.history[0]
    assert (fill.price, fill.quantity, fill.fee, fill.maker) == (Decimal("49.5"), Decimal(30), Decimal("1.485"), True)
    assert me.portfolio.currency == "EUR"
    assert me.portfolio.cash == {"EUR": Decimal(1_000_000) - Decimal("1485") - Decimal("1.485")}


@dataclass
class Mirror(Agent):
    """Rebuilds the book from the feed."""

    trades: list[TradePrint] = field(default_factory=list, init=False)

    def on_start(self) -> None:
        self.book = LocalBook()

    def on_book(self, book: Any) -> None:
        self.book.apply_snapshot(book)

    def on_level(self, update: Any) -> None:
        self.book.apply(update)

    def on_trade(self, trade: TradePrint) -> None:
        self.trades.append(trade)


def test_a_book_rebuilt_from_the_feed_is_the_venues_book() -> None:
    bench = MarketBench()
    for step in range(30):
        bench.rest(1, 9_990 - step % 7, 1 + step)
        bench.rest(-1, 10_000 + step % 5, 1 + step)
    bench.settle()
    mirror = Mirror()
    bench.add(mirror, "mirror", latency=Constant("3us"))
    wild = WildAlone(step=4_000)
    bench.add(wild, "wild")
    bench.run(8_000_000)
    wild.stop()
    bench.settle()
    assert mirror.book.synchronized
    for side, mine in ((1, mirror.book.best_bids(99)), (-1, mirror.book.best_asks(99))):
        assert mine == [(price, quantity) for price, quantity, _ in bench.core.depth(0, side)]
    volume = int(bench.core.events()["quantity"][bench.core.events()["kind"] == int(EventKind.TRADE)].sum())
    assert sum(trade.quantity for trade in mirror.trades) == volume > 0


# --- errors of the agent's own ---


@dataclass
class Faulty(Agent):
    where: str = ""

    def fail(self, here: str) -> None:
        if here == self.where:
            raise ValueError(f"broken in {here}")

    def on_start(self) -> None:
        self.fail("on_start")
        self.at(1_000, self.fail, "timer")

    def on_stop(self) -> None:
        self.fail("on_stop")

    def on_quote(self, quote: Quote) -> None:
        self.fail("on_quote")

    def on_report(self, report: Report, order: Order | None) -> None:
        self.fail("on_report")

    def on_rejected(self, order: Order | None, report: Report) -> None:
        self.fail("on_rejected")


def _live_through(agent: Agent) -> None:
    market = HandMarket(agent, limits=Limits(max_order=1))
    market.advance(1_000)
    market.quote(1, 1, 2, 2)
    agent.buy(ABC, 9)
    market.advance(1_000)
    market.session.stop()


@pytest.mark.parametrize("where", ["on_start", "timer", "on_stop", "on_quote", "on_report", "on_rejected"])
def test_an_agents_error_names_it_and_the_time_and_keeps_its_traceback(where: str) -> None:
    with pytest.raises(AgentError, match=rf"me: ValueError at 00:00:00\.00000[0-2]\d*: broken in {where}") as caught:
        _live_through(Faulty(where=where))
    error = caught.value
    assert error.agent == "me"
    assert error.time is not None
    cause = error.__cause__
    assert isinstance(cause, ValueError)
    assert "in fail" in "".join(traceback.format_exception(cause)), "the agent's own line is in the traceback"


def test_a_wrong_order_is_the_agents_error() -> None:
    @dataclass
    class Careless(Agent):
        def on_quote(self, quote: Quote) -> None:
            self.buy(quote.instrument, 1.5)  # type: ignore[arg-type]

    market = HandMarket(Careless(), name="careless")
    with pytest.raises(AgentError, match=r"careless: InvalidValueError at .*quantity 1.5") as caught:
        market.quote(1, 1, 2, 2)
    assert isinstance(caught.value.__cause__, InvalidValueError)


def test_our_own_bugs_are_not_blamed_on_agents() -> None:
    @dataclass
    class Unlucky(Agent):
        def on_quote(self, quote: Quote) -> None:
            raise InvariantViolation("a crossed book")

    market = HandMarket(Unlucky())
    with pytest.raises(InvariantViolation, match="crossed book"):
        market.quote(1, 1, 2, 2)


def test_an_interrupt_is_not_an_agents_error() -> None:
    @dataclass
    class Interrupted(Agent):
        def on_quote(self, quote: Quote) -> None:
            raise KeyboardInterrupt

    market = HandMarket(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        market.quote(1, 1, 2, 2)
