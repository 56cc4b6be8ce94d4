"""What an agent asks for, and what its hooks are called with."""

from __future__ import annotations

from typing import Any

import pytest

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Bar, Indicative, OrderAction, OrderUpdate, Status
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import Reason, Side
from marketsim.domain.phase import Phase
from marketsim.domain.units import MILLISECOND, MINUTE, SECOND
from marketsim.errors import InvalidValueError
from marketsim.testing.hand_market import HandMarket
from marketsim.trading.agent import Agent

ABC = Instrument("ABC")


class Ear(Agent):
    """Keeps whatever comes."""

    def __init__(self, **subscriptions: Any) -> None:
        self.heard: list[Any] = []
        self.wanted = subscriptions

    def subscriptions(self) -> dict[str, Any]:
        return self.wanted

    def on_order_update(self, update: OrderUpdate) -> None:
        self.heard.append(update)

    def on_bar(self, bar: Bar) -> None:
        self.heard.append(bar)

    def on_status(self, status: Status) -> None:
        self.heard.append(status)

    def on_indicative(self, indicative: Indicative) -> None:
        self.heard.append(indicative)


class Hooked(Agent):
    """Overrides hooks, so it is subscribed."""

    def on_order_update(self, update: OrderUpdate) -> None:
        """Nothing."""

    def on_status(self, status: Status) -> None:
        """Nothing."""

    def on_indicative(self, indicative: Indicative) -> None:
        """Nothing."""


def asked(market: HandMarket) -> list[tuple[int, int, int]]:
    """What was wanted, the interval and the length of bars of each request."""
    return [(r.instructions, r.expire, r.other_price) for r in market.asked(Kind.SUBSCRIBE)]


def test_hooks_subscribe() -> None:
    market = HandMarket(Hooked())
    assert asked(market) == [(int(Wanted.ORDERS | Wanted.STATUS | Wanted.INDICATIVE), 0, 0)]
    assert asked(HandMarket(Agent())) == []


def test_subscriptions_take_what_subscribe_takes() -> None:
    market = HandMarket(Ear(quotes=True, interval="100ms", bars="1min", status=True))
    wanted = int(Wanted.QUOTES | Wanted.STATUS | Wanted.BARS)
    assert asked(market) == [(wanted, 100 * MILLISECOND, MINUTE)]


def test_asking_again_sends_only_what_is_new() -> None:
    ear = Ear()
    market = HandMarket(ear)
    ear.subscribe(orders=True, bars="1min")
    ear.subscribe(orders=True, bars="1min")
    ear.subscribe(orders=True, status=True, bars="1s")
    ear.subscribe(levels=True, interval=5)
    ear.subscribe(levels=True, interval=5)
    assert asked(market) == [
        (int(Wanted.ORDERS | Wanted.BARS), 0, MINUTE),
        (int(Wanted.STATUS | Wanted.BARS), 0, SECOND),
        (int(Wanted.LEVELS), 5, 0),
    ]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({}, "asks for nothing"),
        ({"trades": True, "interval": "1s"}, "only quotes and levels are conflated"),
        ({"bars": 0}, "bars 0: it must be above zero"),
        ({"quotes": True, "interval": -5}, "interval -5: it must be above zero"),
        ({"bars": "1 parsec"}, "parsec"),
    ],
)
def test_bad_requests_are_refused(terms: dict[str, Any], message: str) -> None:
    ear = Ear()
    HandMarket(ear)
    with pytest.raises(InvalidValueError, match=message):
        ear.subscribe(**terms)


def test_an_interval_stays() -> None:
    ear = Ear()
    HandMarket(ear)
    ear.subscribe(quotes=True, interval="1s")
    ear.subscribe(levels=True)
    with pytest.raises(InvalidValueError, match="gets the quotes of ABC every 1s already"):
        ear.subscribe(quotes=True)
    with pytest.raises(InvalidValueError, match="gets the levels of ABC at each change already"):
        ear.subscribe(levels=True, interval="1s")


def test_an_unknown_subscription_is_named() -> None:
    with pytest.raises(Exception, match="no market data 'quote'; did you mean \"quotes\""):
        HandMarket(Ear(quote=True))


def test_hooks_hear_what_the_venue_says() -> None:
    ear = Ear(status=True)
    market = HandMarket(ear)
    market.advance("1s")
    now = market.now
    market.status(Phase.HALT, Reason.CIRCUIT_BREAKER, until=now + 5)
    market.indicative(101, 50, 7, Side.SELL)
    market.indicative(0, 0)
    market.order_update(OrderAction.EXECUTED, 9, Side.SELL, 101, 4, 6, priority=3, sequence=8)
    market.bar(100, 103, 99, 102, 40, 4_050, 7, "500ms")
    assert ear.heard == [
        Status(now, ABC, Phase.HALT, Reason.CIRCUIT_BREAKER, now + 5, "XSIM"),
        Indicative(now, ABC, 101, 50, 7, Side.SELL, "XSIM"),
        Indicative(now, ABC, 0, 0, 0, None, "XSIM"),
        OrderUpdate(now, ABC, OrderAction.EXECUTED, 9, Side.SELL, 101, 4, 6, 3, 8, "XSIM"),
        Bar(now, ABC, SECOND // 2, 100, 103, 99, 102, 40, 4_050, 7, "XSIM"),
    ]
    bar = ear.heard[-1]
    assert (bar.start, bar.vwap, bar.empty) == (now - SECOND // 2, 4_050 / 40, False)
