"""The live session keeps the promises of its ports: the broker's cards on a served quiet market, the clock's alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
from served_market import QUIET, served

from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.domain.units import SECOND
from marketsim.gateway.server import Gateway
from marketsim.kernel.following import FollowedClock
from marketsim.realtime.clock import RealtimeClock
from marketsim.realtime.session import RealtimeSession
from marketsim.realtime.settings import Settings
from marketsim.testing import broker_conformance, clock_conformance
from marketsim.testing.broker import Recorder
from marketsim.trading.agent import Agent

pytest.importorskip("websockets")
pytest.importorskip("uvicorn")

SPEED = 100.0


class Court:
    """One served quiet market for all cards: after each the books are emptied."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.loop = asyncio.new_event_loop()
        self.house = self.open(Agent(), "house")
        self._case: Case | None = None

    def case(self, agent: Agent) -> Case:
        self._end()
        self._case = Case(self, agent)
        return self._case

    def open(self, agent: Agent, client: str) -> RealtimeSession:
        key = self.gateway.fresh[client]
        settings = Settings(name=client, venue="XSIM", speed=SPEED)
        opening = RealtimeSession.open(agent, self.gateway.url, key.api_key, key.secret, settings)
        session = self.loop.run_until_complete(opening)
        self.loop.run_until_complete(session.start())
        return session

    def _end(self) -> None:
        if self._case is not None:
            self.house.agent.cancel_all()
            self.loop.run_until_complete(self.house.settled())
            self.shut(self._case.session)

    def shut(self, session: RealtimeSession) -> None:
        self.loop.run_until_complete(session.finish())
        self.loop.run_until_complete(session.close())

    def close(self) -> None:
        self._end()
        self.shut(self.house)
        self.loop.close()


class Case:
    def __init__(self, court: Court, agent: Agent) -> None:
        self.court, self.house = court, court.house
        self.session = court.open(agent, "me")

    def rest(self, side: Side, price: int, quantity: int) -> None:
        self.house.agent.order(side, self.house.agent.instrument, quantity, limit=price)

    def settle(self) -> None:
        self.court.loop.run_until_complete(self._settle())

    async def _settle(self) -> None:
        before = -1
        while before != (before := self.house.reports + self.session.reports):
            for session in (self.house, self.session):
                assert await session.settled()
            await asyncio.sleep(0.004)  # 400 ms of the market: what traded with resting orders has been told
            for session in (self.house, self.session):
                await session.api.call("ping", {})


@pytest.fixture(scope="module")
def court() -> Iterator[Court]:
    with served(QUIET, ("house", "me"), speed=SPEED) as gateway:
        made = Court(gateway)
        with contextlib.closing(made):
            yield made


def test_broker(court: Court) -> None:
    broker_conformance(court.case)


def test_a_mass_cancel_is_answered_once(court: Court) -> None:
    me = Recorder()
    case = court.case(me)
    orders = [me.buy(me.instrument, 1, limit=9_000 + number) for number in range(4)]
    me.cancel_everything(me.instrument)
    case.settle()
    assert all(order.state is OrderState.CANCELED for order in orders)
    assert {order.reason for order in orders} == {Reason.BY_MASS_CANCEL}
    (answer,) = [report for report in me.reports if report.kind is EventKind.MASS_CANCELED]
    assert answer.quantity == 4


def test_what_the_venue_has_no_word_for_is_a_report(court: Court) -> None:
    from marketsim.domain.order import TimeInForce

    me = Recorder()
    case = court.case(me)
    asked = (
        {"limit": 9_000, "hidden": True}, {"limit": 9_000, "minimum": 2}, {"peg": "own"}, {"trail": 5},
        {"limit": 9_000, "to_limit": True}, {"limit": 9_000, "expire": me.now + SECOND},
        {"limit": 9_000, "time_in_force": TimeInForce.AT_OPEN}, {"limit": 9_000, "time_in_force": TimeInForce.DAY},
        {"limit": 9_000, "post_only": "slide"},
    )  # fmt: skip
    orders = []
    for terms in asked:
        with contextlib.suppress(ValueError):  # words that contradict each other anywhere
            orders.append(me.buy(me.instrument, 5, **terms))
    case.settle()
    assert len(orders) >= 8
    assert {(order.state, order.reason) for order in orders} == {(OrderState.REJECTED, Reason.INVALID_INSTRUCTION)}
    assert [name for name, _ in me.hooks] == ["rejected"] * len(orders)


def test_refusals_have_their_reasons(court: Court) -> None:
    me = Recorder()
    case = court.case(me)
    case.rest(Side.BUY, 9_990, 5)
    case.rest(Side.SELL, 10_010, 5)
    case.settle()
    refused = {
        Reason.MARGIN: me.buy(me.instrument, 1_000_000, limit=9_000),
        Reason.INVALID_QUANTITY: me.buy(me.instrument, -3, limit=9_000),
        Reason.INVALID_PRICE: me.buy(me.instrument, 3, limit=-1),
        Reason.WOULD_TRADE: me.sell(me.instrument, 3, limit=9_990, post_only=True),
    }
    case.settle()
    assert {reason: order.reason for reason, order in refused.items()} == {reason: reason for reason in refused}
    assert all(order.state is OrderState.REJECTED for order in refused.values())


def test_an_iceberg_and_a_stop(court: Court) -> None:
    me = Recorder()
    case = court.case(me)
    iceberg = me.buy(me.instrument, 20, limit=9_000, display=5)
    case.rest(Side.SELL, 10_010, 1)
    case.settle()
    me.buy(me.instrument, 1)  # a last price for the stop
    stop = me.buy(me.instrument, 2, stop=10_030)
    case.rest(Side.SELL, 10_030, 9)
    case.settle()
    assert me.kinds(iceberg) == [EventKind.ACCEPTED]
    assert me.kinds(stop) == [EventKind.ACCEPTED]
    me.buy(me.instrument, 3)
    case.settle()
    assert me.kinds(stop) == [EventKind.ACCEPTED, EventKind.TRIGGERED, EventKind.TRADE]
    assert stop.state is OrderState.FILLED


class Alone:
    """A clock without a venue."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        followed = FollowedClock()
        followed.set(1_000 * SECOND)
        self.clock = RealtimeClock(followed, lambda function, arguments: function(*arguments), loop)

    def settle(self) -> None:
        async def wait() -> None:
            while self.clock.planned:
                await asyncio.sleep(0.0005)

        self.loop.run_until_complete(wait())


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def test_clock(loop: asyncio.AbstractEventLoop) -> None:
    clock_conformance(lambda: Alone(loop))


def test_a_process_waits_for_another(loop: asyncio.AbstractEventLoop) -> None:
    alone, seen = Alone(loop), []
    clock = alone.clock

    def inner():
        yield clock.sleep(1_000)
        return 7

    def broken():
        yield clock.sleep(1_000)
        raise KeyError("x")

    def outer():
        seen.append((yield clock.process(inner())))
        try:
            yield clock.process(broken())
        except KeyError:
            seen.append("caught")

    clock.process(outer())
    alone.settle()
    assert seen == [7, "caught"]


def test_a_followed_clock_goes_with_its_venue() -> None:
    wall = [0]
    clock = FollowedClock(2.0, clock=lambda: wall[0])
    clock.set(100 * SECOND)
    wall[0] += SECOND
    assert clock.now == 102 * SECOND
    clock.heard(103 * SECOND)
    assert clock.now == 103 * SECOND
    for _ in range(30):  # the venue stands still: the clock comes back to it
        wall[0] += SECOND // 4
        clock.heard(103 * SECOND)
    assert abs(clock.now - 103 * SECOND) < 3 * SECOND
    assert clock.wait(clock.now + 4 * SECOND) == 2.0
