"""Live limits: losses, drawdown, value at risk, exposure, missing stops, the circuit breaker; by hand."""

from __future__ import annotations

from typing import Any

import pytest

from marketsim.domain.message import Kind
from marketsim.domain.order import Side
from marketsim.domain.risk import Action, RiskEvent, Severity
from marketsim.domain.units import DAY, SECOND
from marketsim.testing import HandMarket
from marketsim.trading.agent import Agent
from marketsim.trading.risk import FIRM, Limits, Scope
from tests.trading.test_risk_checks import ABC, Told, held

CRITICAL, BREACH, WARNING, INFO = Severity.CRITICAL, Severity.BREACH, Severity.WARNING, Severity.INFO


def holding(lots: int = 100, firm: Scope | None = None, **limits: Any) -> tuple[Told, HandMarket]:
    """A strategy with capital of 100,000 that holds lots bought at 100.00, the mark."""
    me = Told()
    there = HandMarket(me, (ABC,), limits=Limits(**{"capital": 100_000, **limits}), firm=firm)
    if lots:
        held(there, me, ABC, lots)
    there.quote(10_000, 1, 10_000, 1)
    there.advance("1s")
    return me, there


def mark(there: HandMarket, price: int, time: str = "1s") -> None:
    """The price at all later times."""
    there.quote(price, 1, price, 1)
    there.advance(time)


def told(me: Told) -> list[tuple[str, Severity, Action]]:
    return [(event.rule, event.severity, event.action) for event in me.heard if isinstance(event, RiskEvent)]


def test_daily_loss_warns_and_stops() -> None:
    """5 % of 100,000 are 5,000: 50.00 on each of 100 lots. The warning is above 4,000."""
    me, there = holding(max_daily_loss=0.05)
    mark(there, 6_000)
    assert told(me) == [], "4,000 lost is not above 0.8 of the limit"
    mark(there, 5_990)
    mark(there, 5_980)
    assert told(me) == [("daily_loss", WARNING, Action.WARN)], "once"
    mark(there, 5_000)
    assert len(told(me)) == 1, "5,000 lost is at the limit"
    mark(there, 4_999)
    assert told(me)[1:] == [("daily_loss", CRITICAL, Action.STOP)]
    assert (me.heard[-1].value, me.heard[-1].limit) == (pytest.approx(5_001), 5_000)
    mark(there, 9_000)
    assert not me.sell(ABC, 1, limit=9_000).reference, "a stop stays when the price comes back"
    assert me.position() == 100


def test_the_lesser_of_money_and_share_counts() -> None:
    me, there = holding(max_daily_loss=0.05, max_daily_loss_money=100)
    mark(there, 9_899)
    assert told(me)[-1] == ("daily_loss", CRITICAL, Action.STOP)


def test_a_new_day_lifts_a_daily_loss() -> None:
    me, there = holding(max_daily_loss_money=100, every="1h")
    mark(there, 9_800, "1h")
    assert not me.sell(ABC, 1, limit=5).reference
    there.environment.run(until=DAY - SECOND)
    assert not me.sell(ABC, 1, limit=5).reference
    there.environment.run(until=DAY + 3_600 * SECOND)
    assert told(me)[-1] == ("daily_loss", INFO, Action.RESUME)
    assert me.sell(ABC, 1, limit=9_000).reference
    assert len([event for event in me.heard if isinstance(event, RiskEvent) and event.action is Action.STOP]) == 1


def test_drawdown_is_from_the_highest_equity() -> None:
    """Up by 10,000 to 110,000, then down: 10 % of that are 11,000."""
    me, there = holding(max_drawdown=0.1)
    mark(there, 20_000)
    mark(there, 9_010)
    assert [severity for _, severity, _ in told(me)] == [WARNING], "10,990 below the highest"
    mark(there, 8_999)
    assert told(me)[-1] == ("drawdown", CRITICAL, Action.STOP)
    me.resume_trading()
    mark(there, 8_990)
    there.advance("5s")
    assert told(me)[-1][2] is Action.RESUME, "after that it counts from the equity of then"


@pytest.mark.parametrize(
    ("action", "severity", "sells", "buys"),
    [("warn", BREACH, True, True), ("block", BREACH, True, False), ("stop", CRITICAL, False, False)],
)
def test_what_a_breach_does(action: str, severity: Severity, sells: bool, buys: bool) -> None:
    me, there = holding(max_exposure=10_500, on_breach=action)
    order = me.buy(ABC, 1, limit=9_000)
    there.accept(order)
    mark(there, 10_600)
    assert told(me)[-1] == ("exposure", severity, Action(action))
    assert bool(there.asked(Kind.CANCEL)) is (action != "warn"), "what would open more does not stay open"
    assert bool(me.buy(ABC, 1, limit=9_000).reference) is buys
    assert bool(me.sell(ABC, 1, limit=11_000).reference) is sells


def test_a_block_ends_with_its_breach() -> None:
    me, there = holding(max_exposure=10_500, on_breach="block")
    mark(there, 10_600)
    mark(there, 10_400)
    assert told(me) == [
        ("exposure", WARNING, Action.WARN),
        ("exposure", BREACH, Action.BLOCK),
        ("exposure", INFO, Action.RESUME),
    ]
    assert me.buy(ABC, 1, limit=9_000).reference


def test_flatten_by_rule() -> None:
    _, there = holding(max_drawdown=0.5, max_daily_loss_money=100, on_breach={"daily_loss": "flatten"})
    mark(there, 9_000)
    close = there.asked(Kind.NEW)[-1]
    assert (close.side, close.quantity) == (int(Side.SELL), 100)


def test_value_at_risk() -> None:
    """Marks between 100 and 101 each second: one in two seconds loses 1 % of 10,000; over 25 s that is 5 times as much.

    Where half of the returns are -1 %, the quantile at 95 % is one of them: log(100/101) x 10,000 = -99.5.
    """
    me, there = holding(max_var=0.004, var_horizon="25s", on_breach="warn")
    for step in range(40):
        mark(there, 10_100 if step % 2 else 10_000)
    assert told(me)[-1] == ("var", BREACH, Action.WARN)
    assert me.heard[-1].value == pytest.approx(5 * 99.5 / 100_000, rel=0.02)


def test_a_position_without_a_stop_for_too_long() -> None:
    me, there = holding(0, stop_within="2s", on_breach={"stop_loss": "flatten"})
    held(there, me, ABC, 10)
    me.sell(ABC, 10, stop=9_000)
    there.advance("10s")
    assert told(me) == []
    stop = me.orders()[0]
    there.accept(stop)
    there.cancel(stop)
    there.advance("2s")
    assert told(me) == [], "for one second"
    there.advance("2s")
    assert told(me) == [("stop_loss", WARNING, Action.WARN), ("stop_loss", CRITICAL, Action.FLATTEN)]
    assert there.asked(Kind.NEW)[-1].quantity == 10


def test_the_circuit_breaker_pauses_and_goes_on() -> None:
    """1 % of 100,000 within 10 s: 10.00 a lot. A slow fall of as much does not trip it."""
    me, there = holding(breaker_loss=0.01, breaker_within="10s", cooldown="30s")
    for price in range(9_950, 9_000, -50):
        mark(there, price, "1s")  # 50 a second are 500 in 10 s
    assert Action.PAUSE not in [action for _, _, action in told(me)]
    mark(there, 7_000)
    assert told(me)[-1] == ("circuit_breaker", CRITICAL, Action.PAUSE)
    there.advance("28s")
    assert not me.sell(ABC, 1, limit=9_000).reference
    there.advance("3s")
    assert told(me)[-1] == ("circuit_breaker", INFO, Action.RESUME)
    assert me.sell(ABC, 1, limit=9_000).reference
    mark(there, 6_900)
    assert told(me)[-1][2] is Action.RESUME, "what was lost before no longer counts"


def test_a_pause_is_neither_told_twice_nor_extended() -> None:
    """The loss comes back twice while it pauses."""
    me, there = holding(breaker_loss=0.01, breaker_within="5s", cooldown="30s")
    mark(there, 8_900)
    for price in (10_000, 8_000, 9_500, 7_000, 9_000, 6_000):
        mark(there, price, "4s")
    assert [action for _, _, action in told(me)] == [Action.PAUSE]
    there.advance("6s")
    assert [action for _, _, action in told(me)] == [Action.PAUSE, Action.RESUME]
    mark(there, 4_000)
    assert told(me)[-1][2] is Action.PAUSE, "after the pause it watches again"


def test_a_pause_leaves_what_only_reduces_the_position() -> None:
    me, there = holding(breaker_loss=0.01, cooldown="30s")
    stop, target = me.sell(ABC, 100, stop=8_000), me.sell(ABC, 60, limit=12_000)
    more, turns = me.buy(ABC, 1, limit=7_000), me.sell(ABC, 101, limit=13_000)
    there.accept(stop, target, more, turns)
    mark(there, 8_900)
    assert {request.order_id for request in there.asked(Kind.CANCEL)} == {more.reference, turns.reference}
    assert not me.sell(ABC, 1, limit=9_000).reference, "nothing new passes"
    there.clear()
    there.fill(target)
    there.advance("1s")
    assert {request.order_id for request in there.asked(Kind.CANCEL)} >= {stop.reference}, "40 are held, it sells 100"


def test_a_stop_during_a_pause_cancels_the_rest() -> None:
    me, there = holding(breaker_loss=0.01, cooldown="30s")
    stop = me.sell(ABC, 100, stop=8_000)
    there.accept(stop)
    mark(there, 8_900)
    assert told(me) == [("circuit_breaker", CRITICAL, Action.PAUSE)]
    assert not there.asked(Kind.CANCEL)
    me.emergency_stop()
    there.advance("1s")
    assert {request.order_id for request in there.asked(Kind.CANCEL)} == {stop.reference}


def test_a_loss_of_the_firm_stops_all_of_it() -> None:
    """Each loses 60 of their 100 together."""
    ours = Scope(Limits(max_daily_loss_money=100), (ABC,), lambda instrument: price[0], 100_000, FIRM)
    price = [10_000.0]
    (one, here), (other, there) = holding(firm=ours), holding(firm=ours)
    price[0] = 9_940.0
    there.advance("2s")
    here.advance("2s")  # the firm's limits are looked at beside its first strategy
    there.advance(0)
    assert ("daily_loss", CRITICAL, Action.STOP) in told(one)
    assert ("daily_loss", CRITICAL, Action.STOP) in told(other)
    assert {event.scope for event in one.heard if isinstance(event, RiskEvent)} == {"firm"}
    assert not other.buy(ABC, 1, limit=5).reference


def test_limits_without_live_ones_plan_nothing() -> None:
    me = Agent()
    there = HandMarket(me, limits=Limits(max_order=5, max_position=9, max_rate=(5, SECOND), price_collar=0.1))
    assert there.environment.peek() == float("inf")
