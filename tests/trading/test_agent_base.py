"""The agent's base: hooks, orders, time, parameters, on a market played by hand."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, Quote, Report, TradePrint
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce
from marketsim.domain.units import duration
from marketsim.errors import AgentError, InvalidValueError
from marketsim.testing import HandMarket
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

ABC, XYZ = Instrument("ABC"), Instrument("XYZ")


@dataclass
class Diary(Agent):
    """Writes down everything that happens to it."""

    size: int = 3
    pause: int | str = "1ms"
    _secret: int = 0
    pages: list[Any] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.pause = duration(self.pause)
        if self.size < 1:
            raise InvalidValueError(f"size: {self.size} must be at least 1")

    def on_start(self) -> None:
        self.pages.append("start")

    def on_stop(self) -> None:
        self.pages.append("stop")

    def on_quote(self, quote: Quote) -> None:
        self.pages.append(quote)

    def on_trade(self, trade: TradePrint) -> None:
        self.pages.append(trade)

    def on_level(self, update: LevelUpdate) -> None:
        self.pages.append(update)

    def on_book(self, book: BookSnapshot) -> None:
        self.pages.append(book)

    def on_report(self, report: Report, order: Order | None) -> None:
        self.pages.append(("report", report.kind, order))

    def on_accepted(self, order: Order) -> None:
        self.pages.append(("accepted", order))

    def on_fill(self, order: Order, report: Report) -> None:
        self.pages.append(("fill", order, report.quantity))

    def on_canceled(self, order: Order, report: Report) -> None:
        self.pages.append(("canceled", order, order.live))

    def on_replaced(self, order: Order, report: Report) -> None:
        self.pages.append(("replaced", order))

    def on_rejected(self, order: Order | None, report: Report) -> None:
        self.pages.append(("rejected", order, report.reason))

    def on_parameters(self) -> None:
        self.pages.append(("parameters", self.size))


def diary(**options: Any) -> tuple[Diary, HandMarket]:
    agent = Diary()
    market = HandMarket(agent, **options)
    market.clear()
    agent.pages.clear()
    return agent, market


# --- hooks ---


def test_market_data_arrives_as_facts() -> None:
    me, market = diary()
    market.quote(99, 5, 101, 6)
    market.trade(100, 2, Side.SELL)
    market.level(Side.BUY, 98, 4, 17)
    market.book([(99, 5), (98, 4)], [(101, 6)], 18)
    assert me.pages == [
        Quote(0, ABC, 99, 5, 101, 6, "XSIM"),
        TradePrint(0, ABC, 100, 2, Side.SELL, "XSIM"),
        LevelUpdate(0, ABC, Side.BUY, 98, 4, 17, "XSIM"),
        BookSnapshot(0, ABC, ((99, 5), (98, 4)), ((101, 6),), 18, "XSIM"),
    ]


def test_an_empty_book_is_a_snapshot_too() -> None:
    me, market = diary()
    market.book([], [], 3)
    assert me.pages == [BookSnapshot(0, ABC, (), (), 3, "XSIM")]


def test_reports_call_the_general_hook_then_the_particular_one() -> None:
    me, market = diary()
    order = me.buy(ABC, 5, limit=100)
    market.accept(order)
    market.fill(order, 2)
    market.cancel(order, 1)
    me.replace(order, limit=99)
    market.replaced(order)
    me.cancel(order)
    market.cancel(order)
    names = [page[0] for page in me.pages]
    assert names == [
        "report",
        "accepted",
        "report",
        "fill",
        "report",
        "canceled",
        "report",
        "replaced",
        "report",
        "canceled",
    ]
    assert ("canceled", order, True) in me.pages
    assert me.pages[-1] == ("canceled", order, False)
    assert all(page[2] is order for page in me.pages if page[0] == "report")


def test_refusals_are_rejections_whatever_was_asked() -> None:
    me, market = diary()
    order, other = me.buy(ABC, 5, limit=100), me.buy(ABC, 5, limit=100)
    market.reject(other, Reason.INVALID_PRICE)
    market.accept(order)
    me.cancel(order)
    market.reject(order, Reason.UNKNOWN_ORDER, EventKind.CANCEL_REJECTED)
    me.replace(order, limit=3)
    market.reject(order, Reason.WOULD_TRADE, EventKind.REPLACE_REJECTED)
    assert [page for page in me.pages if page[0] == "rejected"] == [
        ("rejected", other, Reason.INVALID_PRICE),
        ("rejected", order, Reason.UNKNOWN_ORDER),
        ("rejected", order, Reason.WOULD_TRADE),
    ]


def test_start_and_stop() -> None:
    me = Diary()
    market = HandMarket(me)
    market.session.stop()
    assert me.pages == ["start", "stop"]


@dataclass
class Watcher(Agent):
    def on_quote(self, quote: Quote) -> None:
        pass


@dataclass
class Reader(Agent):
    def on_book(self, book: BookSnapshot) -> None:
        pass

    def on_trade(self, trade: TradePrint) -> None:
        pass


@pytest.mark.parametrize(
    ("agent", "wanted"),
    [
        (Agent(), []),
        (Watcher(), [Wanted.QUOTES] * 4),
        (Reader(), [Wanted.TRADES | Wanted.LEVELS] * 4),
        (Diary(), [Wanted.QUOTES | Wanted.TRADES | Wanted.LEVELS] * 4),
    ],
)
def test_overriding_a_hook_subscribes_everywhere(agent: Agent, wanted: list[int]) -> None:
    market = HandMarket(agent, (ABC, XYZ), ("X", "Y"))
    assert [request.instructions for request in market.asked(Kind.SUBSCRIBE)] == wanted
    assert sorted(request.market for request in market.asked(Kind.SUBSCRIBE)) == list(range(4))[: len(wanted)]


def test_subscribing_twice_asks_once() -> None:
    me = Watcher()
    market = HandMarket(me, (ABC,), ("X", "Y"))
    market.clear()
    me.subscribe(quotes=True)
    assert market.requests == []
    me.subscribe(quotes=True, trades=True, venue="Y")
    assert [(r.market, r.instructions) for r in market.requests] == [(1, Wanted.TRADES)]
    with pytest.raises(InvalidValueError, match="asks for nothing"):
        me.subscribe()


# --- orders ---


@pytest.mark.parametrize(
    ("terms", "kind", "force"),
    [
        ({}, OrderType.MARKET, TimeInForce.IOC),
        ({"limit": 100}, OrderType.LIMIT, TimeInForce.GTC),
        ({"stop": 90}, OrderType.STOP, TimeInForce.GTC),
        ({"limit": 100, "stop": 90}, OrderType.STOP_LIMIT, TimeInForce.GTC),
        ({"limit": 100, "expire": 5_000}, OrderType.LIMIT, TimeInForce.GTD),
        ({"limit": 100, "time_in_force": TimeInForce.FOK}, OrderType.LIMIT, TimeInForce.FOK),
        ({"limit": 0}, OrderType.LIMIT, TimeInForce.GTC),
    ],
)
def test_terms_decide_the_kind(terms: dict[str, Any], kind: OrderType, force: TimeInForce) -> None:
    me, market = diary()
    order = me.sell(ABC, 4, **terms)
    assert (order.order_type, order.time_in_force, order.side) == (kind, force, Side.SELL)
    assert (order.price, order.stop_price, order.expire) == (
        terms.get("limit", 0),
        terms.get("stop", 0),
        terms.get("expire", 0),
    )
    assert len(market.asked(Kind.NEW)) == 1


def test_post_only_venue_and_tag() -> None:
    me, market = diary(venues=("X", "Y"))
    order = me.buy(ABC, 4, limit=100, post_only=True, venue="Y", tag="why")
    assert (order.flags, order.venue, order.tag) == (OrderFlag.POST_ONLY, "Y", "why")
    assert market.requests[-1].market == 1
    assert me.buy(ABC, 4, limit=100).venue == "X", "the first venue is the preferred one"


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda me: me.buy(ABC, 2.0), "quantity 2.0 is not a whole number of lots"),
        (lambda me: me.buy(ABC, 2, limit=100.5), r"limit 100.5 is not a whole number of ticks.*to_ticks\(\)"),
        (lambda me: me.buy(ABC, 2, stop="9"), "stop '9' is not a whole number of ticks"),
        (lambda me: me.buy(ABC, 2, limit=1, expire=1.5), "expire 1.5 is not a whole number of nanoseconds"),
        (lambda me: me.cancel(me.buy(ABC, 2, limit=1), 0.5), "quantity 0.5"),
        (lambda me: me.replace(me.buy(ABC, 2, limit=1), limit=1.5), "limit 1.5"),
        (lambda me: me.replace(me.buy(ABC, 2, limit=1), quantity=1.5), "quantity 1.5"),
    ],
)
def test_fractions_are_refused_not_cut(call: Any, what: str) -> None:
    me, _ = diary()
    with pytest.raises(InvalidValueError, match=what):
        call(me)


def test_numpy_integers_are_taken_as_they_are() -> None:
    me, market = diary()
    order = me.buy(ABC, np.int32(4), limit=np.int64(100))
    assert type(order.quantity) is int
    assert type(order.price) is int
    assert market.requests[-1].price == 100


def test_an_unknown_instrument_or_venue_is_named() -> None:
    me, _ = diary()
    with pytest.raises(InvalidValueError, match='does not trade ABD; did you mean "ABC"'):
        me.buy(Instrument("ABD"), 1)
    with pytest.raises(InvalidValueError, match="cannot trade ABC on 'Z'; it may trade ABC on XSIM"):
        me.buy(ABC, 1, venue="Z")


def test_looking_at_orders() -> None:
    me, market = diary(instruments=(ABC, XYZ))
    one, two, three = me.buy(ABC, 1, limit=9), me.sell(ABC, 1, limit=11), me.buy(XYZ, 1, limit=9)
    market.accept()
    assert me.orders() == [one, two, three]
    assert me.orders(Instrument("ABC")) == [one, two], "an equal instrument is the same"
    assert me.orders(side=Side.BUY) == [one, three]
    market.fill(one)
    assert me.orders(ABC) == [two]
    assert (me.position(), me.position(ABC), me.position(XYZ)) == (1, 1, 0)


def test_cancel_all_counts_what_it_asks_for() -> None:
    me, market = diary()
    one, two = me.buy(ABC, 1, limit=9), me.sell(ABC, 1, limit=11)
    market.accept()
    me.cancel(one)
    assert me.cancel_all() == 1
    assert [request.order_id for request in market.asked(Kind.CANCEL)] == [one.reference, two.reference]
    assert me.cancel_all(side=Side.BUY) == 0


def test_replace_keeps_what_is_not_named() -> None:
    me, market = diary()
    order = me.buy(ABC, 7, limit=50)
    market.accept(order)
    me.replace(order, quantity=9)
    me.replace(order, limit=51)
    assert [(r.price, r.quantity) for r in market.asked(Kind.REPLACE)] == [(50, 9), (51, 7)]


def test_a_moved_stop_is_known_once_the_venue_has_answered() -> None:
    me, market = diary()
    order = me.sell(ABC, 7, stop=90)
    market.accept(order)
    me.replace(order, stop=91)
    me.replace(order, stop=92)
    assert order.stop_price == 90
    first, second = market.asked(Kind.REPLACE)
    market.replaced(order, first)
    assert order.stop_price == 91
    market.replaced(order, second)
    assert order.stop_price == 92


# --- time ---


def test_after_at_and_every() -> None:
    me, market = diary()
    me.after("2us", me.pages.append, "after")
    me.at(1_000, me.pages.append, "at")
    me.every("1us", lambda: me.pages.append(me.now))
    market.advance("3us")
    assert me.pages == ["at", 1_000, "after", 2_000, 3_000]


def test_every_can_be_stopped() -> None:
    me, market = diary()
    stop = me.every("1us", lambda: me.pages.append(me.now))
    market.advance("2us")
    stop()
    market.environment.run()
    assert me.pages == [1_000, 2_000]


@pytest.mark.parametrize("interval", [0, "0"])
def test_every_needs_an_interval(interval: int | str) -> None:
    me, _ = diary()
    with pytest.raises(InvalidValueError, match="must be above zero"):
        me.every(interval, lambda: None)


def test_time_does_not_go_back() -> None:
    me, market = diary()
    market.advance("1us")
    with pytest.raises(InvalidValueError, match="before now"):
        me.at(5, lambda: None)


def test_every_leaves_out_what_a_busy_agent_missed() -> None:
    me = Diary()
    market = HandMarket(me, computation=2_500)
    me.pages.clear()
    me.every(1_000, lambda: me.pages.append(me.now))
    market.advance(20_000)
    assert me.pages
    assert all(later - earlier >= 2_500 for earlier, later in zip(me.pages, me.pages[1:], strict=False))
    assert len(me.pages) >= 6


def test_processes_sleep() -> None:
    me, market = diary()

    def life() -> Generator[Any, Any, None]:
        yield me.sleep("1us")
        me.pages.append(me.now)
        yield me.sleep(2_000)
        me.pages.append(me.now)

    me.process(life())
    market.advance("5us")
    assert me.pages == [1_000, 3_000]


def test_an_error_in_a_process_names_the_agent_and_keeps_its_cause() -> None:
    me, market = diary()

    def inner() -> Generator[Any, Any, None]:
        yield me.sleep("1us")
        raise ZeroDivisionError("inner")

    def outer() -> Generator[Any, Any, None]:
        yield me.process(inner())

    me.process(outer())
    with pytest.raises(AgentError, match=r"me: ZeroDivisionError at 00:00:00.000001000: inner") as caught:
        market.advance("5us")
    assert (caught.value.agent, caught.value.time) == ("me", 1_000)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_process_may_handle_what_another_raises() -> None:
    me, market = diary()

    def inner() -> Generator[Any, Any, None]:
        yield me.sleep("1us")
        raise ZeroDivisionError("inner")

    def outer() -> Generator[Any, Any, None]:
        try:
            yield me.process(inner())
        except ZeroDivisionError as error:
            me.pages.append(str(error))

    me.process(outer())
    market.advance("5us")
    assert me.pages == ["inner"]


# --- parameters ---


def test_parameters_are_the_fields() -> None:
    me, _ = diary()
    assert me.parameters() == {"size": 3, "pause": 1_000_000}
    assert Agent().parameters() == {}


def test_a_change_is_checked_converted_recorded_and_told() -> None:
    me, market = diary()
    market.advance("1us")
    me.set(size=9, pause="2ms")
    assert me.parameters() == {"size": 9, "pause": 2_000_000}
    now = market.now
    assert market.notes == [(now, "me", "parameter size", "9"), (now, "me", "parameter pause", "2000000")]
    assert me.pages == [("parameters", 9)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0}, "size: 0 must be at least 1"),
        ({"size": 7, "pause": 1.5}, "1.5 is not a duration"),
        ({"pause": 5, "sizes": 7}, "me: no parameter 'sizes'; did you mean \"size\""),
        ({"_secret": 1}, "no parameter '_secret'"),
    ],
)
def test_a_wrong_change_changes_nothing(changes: dict[str, Any], message: str) -> None:
    me, market = diary()
    with pytest.raises(InvalidValueError, match=message):
        me.set(**changes)
    assert me.parameters() == {"size": 3, "pause": 1_000_000}
    assert market.notes == []
    assert me.pages == []


def test_a_field_of_a_class_that_is_no_dataclass_is_refused() -> None:
    class Forgotten(Agent):
        size: int = 3

    with pytest.raises(InvalidValueError, match="put @dataclass above"):
        HandMarket(Forgotten())


def test_random_streams_belong_to_name_and_purpose() -> None:
    def draws(name: str, purpose: str, seed: int = 1) -> list[float]:
        me = Agent()
        HandMarket(me, name=name, seed=seed)
        return [me.random(purpose).uniform() for _ in range(3)]

    base = draws("a", "x")
    assert base == draws("a", "x")
    assert len(set(base)) == 3, "the same stream goes on"
    assert base != draws("b", "x")
    assert base != draws("a", "y")
    assert base != draws("a", "x", seed=2)


def test_feeds_are_those_that_were_given() -> None:
    class Flat:
        def value(self, time: int) -> float:
            return 7.0

    me = Agent()
    HandMarket(me, feeds={"value": Flat()})
    assert me.feed("value").value(0) == 7.0
    with pytest.raises(InvalidValueError, match="me has no feed 'valu'; did you mean \"value\""):
        me.feed("valu")


def test_terminal_orders_stay_as_they_are() -> None:
    me, market = diary()
    order = me.buy(ABC, 5, limit=100)
    market.accept(order)
    me.cancel(order)
    me.replace(order, limit=90)
    market.fill(order)
    market.reject(order, Reason.UNKNOWN_ORDER, EventKind.CANCEL_REJECTED)
    market.reject(order, Reason.UNKNOWN_ORDER, EventKind.REPLACE_REJECTED)
    assert order.state is OrderState.FILLED
    assert [page[1] for page in me.pages if page[0] == "rejected"] == [order, order]
