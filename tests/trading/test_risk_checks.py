"""Checks before an order leaves: each rule by hand, warnings, holds, and the firm's limits over two strategies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.domain.risk import Action, RiskEvent, Severity
from marketsim.errors import InvalidValueError
from marketsim.testing import HandMarket
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from marketsim.trading.risk import FIRM, Limits, Scope

ABC = Instrument("ABC", sector="tech")  # a tick is 0.01, the reference 100.00: a lot is worth 100 at 10,000 ticks
XYZ = Instrument("XYZ", sector="tech")
OIL = Instrument("OIL")
FUTURE = Instrument("FUT", kind="future", expiry="16:00", multiplier=10, initial_margin="0.2")
INVERSE = Instrument("INV", kind="inverse_perpetual", settlement="BTC", multiplier=100, tick_size="0.5")


@dataclass
class Told(Agent):
    """Remembers what it is told, in order."""

    heard: list[Any] = field(default_factory=list, init=False)

    def on_risk(self, event: RiskEvent) -> None:
        self.heard.append(event)

    def on_rejected(self, order: Order | None, report: Report) -> None:
        self.heard.append(report.reason)


def market(*instruments: Instrument, firm: Scope | None = None, **limits: Any) -> tuple[Told, HandMarket]:
    me = Told()
    return me, HandMarket(me, instruments or (ABC,), limits=Limits(**limits), firm=firm, cash=1_000_000)


def refusal(me: Told, told: HandMarket, order: Order) -> RiskEvent:
    """The event that tells why an order did not leave."""
    told.advance(0)
    assert (order.state, order.reason) == (OrderState.REJECTED, Reason.RISK)
    event, reason = me.heard[-2:]
    assert reason is Reason.RISK, "the event comes first"
    assert (event.severity, event.action, event.order) == (Severity.BREACH, Action.REFUSE, order.client_order_id)
    return event


def held(told: HandMarket, me: Agent, instrument: Instrument, lots: int, price: int = 10_000) -> None:
    """Let it have a position."""
    side = Side.BUY if lots > 0 else Side.SELL
    order = me.order(side, instrument, abs(lots), limit=price)
    told.accept(order)
    told.fill(order)


def test_size() -> None:
    me, there = market(max_order=10)
    assert me.buy(ABC, 10, limit=9_000).reference
    event = refusal(me, there, me.buy(ABC, 11, limit=9_000))
    assert (event.rule, event.value, event.limit, event.allowed) == ("size", 11, 10, 10)
    assert event.text == "order 2 refused: quantity 11 above max_order 10; at most 10 pass"


@pytest.mark.parametrize(
    ("side", "quantity", "passes"),
    [(Side.BUY, 6, True), (Side.BUY, 7, False), (Side.SELL, 190, True), (Side.SELL, 191, False)],
)
def test_position_counts_what_is_open_on_the_side(side: Side, quantity: int, passes: bool) -> None:
    """90 held and 4 more to buy under 100: 6 more may be bought, 190 sold."""
    me, there = market(max_position=100)
    held(there, me, ABC, 90)
    me.buy(ABC, 4, limit=9_000)
    order = me.order(side, ABC, quantity, limit=9_000)
    assert bool(order.reference) is passes
    if not passes:
        event = refusal(me, there, order)
        assert (event.rule, event.value, event.allowed) == ("position", 101, quantity - 1)
        assert "position could reach 101, above max_position 100" in event.text


def test_open_orders_are_counted_down_as_they_end() -> None:
    me, there = market(max_position=10)
    one, two = me.buy(ABC, 6, limit=9_000), me.buy(ABC, 4, limit=9_000)
    there.accept(one, two)
    there.fill(one, 2)
    assert not me.buy(ABC, 1, limit=9_000).reference
    there.cancel(one, 3)
    assert me.buy(ABC, 3, limit=9_000).reference
    there.reject(two, Reason.WOULD_TRADE)
    assert me.buy(ABC, 4, limit=9_000).reference
    assert not me.buy(ABC, 1, limit=9_000).reference


def test_a_replace_is_judged_by_what_it_would_leave_open() -> None:
    me, there = market(max_order=50, max_position=100)
    held(there, me, ABC, 50)
    held(there, me, ABC, 40)
    order = me.buy(ABC, 8, limit=9_000)
    there.accept(order)
    there.fill(order, 3)  # 93 held, 5 open
    me.replace(order, quantity=11)
    there.advance(0)
    event, _ = me.heard[-2:]
    assert (event.rule, event.value, event.allowed) == ("position", 101, 10)
    assert event.text.startswith("replace of order 3 refused: position could reach 101")
    me.replace(order, quantity=51)
    there.advance(0)
    event, _ = me.heard[-2:]
    assert (event.rule, event.allowed) == ("size", 10), "what passes passes all checks"
    me.replace(order, quantity=10)
    assert len(there.asked(Kind.REPLACE)) == 1


def test_order_value_at_the_limit_or_at_the_mark() -> None:
    """At 100.00 a lot is worth 100; a market order counts at the mid of 101 and 103, which is 102."""
    me, there = market(max_notional=1_000)
    assert me.buy(ABC, 10, limit=10_000).reference
    event = refusal(me, there, me.buy(ABC, 10, limit=10_001))
    assert (event.rule, event.allowed) == ("notional", 9)
    assert event.value == pytest.approx(1_000.1)
    there.quote(10_100, 5, 10_300, 5)
    there.advance("100ms")
    assert refusal(me, there, me.buy(ABC, 10)).allowed == 9


def test_value_in_money_and_as_a_share_of_the_capital() -> None:
    me, there = market(max_value=5_000)
    assert refusal(me, there, me.sell(ABC, 51, limit=10_000)).allowed == 50
    me, there = market(max_value_share=0.2, capital=10_000)
    event = refusal(me, there, me.sell(ABC, 21, limit=10_000))
    assert (event.rule, event.allowed, event.limit) == ("value", 20, 2_000)
    assert "above 2,000.00 by max_value_share 0.2" in event.text


def test_an_order_that_reduces_passes_although_the_price_has_passed_the_limit() -> None:
    me, there = market(max_value=5_000)
    held(there, me, ABC, 50)
    there.quote(20_000, 1, 20_000, 1)
    there.advance("100ms")
    assert not me.buy(ABC, 1, limit=100).reference
    assert me.sell(ABC, 50, limit=20_000).reference
    assert not me.sell(ABC, 26, limit=20_000).reference, "26 short would be worth 5,200"


def test_value_of_an_inverse_contract_falls_with_the_price() -> None:
    """100 USD a unit: at 50 USD a lot is 2 BTC."""
    me, there = market(INVERSE, max_value=10)
    there.quote(99, 1, 101, 1)
    there.advance("100ms")
    assert refusal(me, there, me.buy(INVERSE, 9, limit=100)).allowed == 5


def test_collar_is_about_the_mark_either_way() -> None:
    me, there = market(price_collar=0.05)
    there.quote(9_990, 1, 10_010, 1)
    assert me.buy(ABC, 1, limit=9_500).reference
    assert me.buy(ABC, 1).reference, "a market order has no limit"
    for price in (9_499, 10_501):
        event = refusal(me, there, me.buy(ABC, 1, limit=price))
        assert (event.rule, event.allowed) == ("collar", 0)
        assert event.value == pytest.approx(0.0501)


def test_rate_is_that_of_every_window() -> None:
    me, there = market(max_rate=(3, 1_000))
    for pause in (0, 400, 400):
        there.environment.run(until=there.now + pause)
        assert me.buy(ABC, 1, limit=9_000).reference
    event = refusal(me, there, me.buy(ABC, 1, limit=9_000))
    assert (event.rule, event.value, event.allowed) == ("rate", 4, 0)
    there.environment.run(until=999)
    assert not me.buy(ABC, 1, limit=9_000).reference
    there.environment.run(until=1_000)
    assert me.buy(ABC, 1, limit=9_000).reference, "the first has left the window"
    assert not me.buy(ABC, 1, limit=9_000).reference


def test_leverage_counts_everything_that_could_come_to_be_held() -> None:
    """Equity 10,000 and twice that: 60 ABC held and 100 OIL to sell are worth 16,000, so 40 more lots may be opened."""
    me, there = market(ABC, OIL, max_leverage=2, capital=10_000)
    held(there, me, ABC, 60)
    me.sell(OIL, 100, limit=10_000)
    event = refusal(me, there, me.buy(ABC, 41, limit=9_000))
    assert (event.rule, event.value, event.limit, event.allowed) == ("leverage", 20_100, 20_000, 40)
    assert me.sell(ABC, 100, limit=10_000).reference, "60 closed, 40 short: no more than there was"
    assert not me.sell(ABC, 61, limit=10_000).reference


def test_what_reduces_passes_when_nothing_else_does() -> None:
    """100 OIL sold at 100.00 double in price: of an equity of 10,000 nothing is left, and nothing may be opened."""
    me, there = market(ABC, OIL, max_leverage=2, capital=10_000)
    held(there, me, ABC, 50)
    held(there, me, OIL, -100)
    there.quote(20_000, 1, 20_000, 1, market=1)
    there.advance("2s")
    assert refusal(me, there, me.buy(ABC, 1, limit=10_000)).limit == 0
    assert refusal(me, there, me.buy(OIL, 101, limit=20_000)).allowed == 100
    assert me.buy(OIL, 100, limit=20_000).reference
    assert me.sell(ABC, 50, limit=10_000).reference


def test_concentration_by_instrument_and_by_sector() -> None:
    me, there = market(ABC, XYZ, OIL, max_concentration=0.3, max_sector=0.5, capital=10_000)
    assert refusal(me, there, me.buy(ABC, 31, limit=10_000)).rule == "concentration"
    me.buy(ABC, 30, limit=10_000)
    event = refusal(me, there, me.sell(XYZ, 21, limit=10_000))
    assert (event.rule, event.value, event.allowed) == ("sector", 5_100, 20)
    assert me.buy(OIL, 30, limit=10_000).reference, "it has no sector"


def test_margin_is_that_of_contracts() -> None:
    """A future over 10 units with 20 % margin: 200 a lot."""
    me, there = market(ABC, FUTURE, max_margin=0.5, capital=10_000)
    assert me.buy(ABC, 500, limit=10_000).reference
    event = refusal(me, there, me.buy(FUTURE, 26, limit=10_000))
    assert (event.rule, event.value, event.allowed) == ("margin", 5_200, 25)


def test_volatility_lets_pass_what_reduces() -> None:
    """Marks that go up and down by 1 % each second: 100 bps a second are 775 a root minute."""
    me, there = market(max_volatility_bps=500)
    held(there, me, ABC, 10)
    there.quote(10_000, 1, 10_000, 1)
    for step in range(12):
        mark = 10_000 if step % 2 else 10_100
        there.quote(mark, 1, mark, 1)
        there.advance("1s")
    event = refusal(me, there, me.sell(ABC, 15, limit=10_000))
    assert (event.rule, event.allowed) == ("volatility", 10)
    assert event.value == pytest.approx(100 * 60**0.5, rel=0.01)
    assert not me.buy(ABC, 1, limit=10_000).reference


def test_what_moves_together_counts_together() -> None:
    """XYZ moves with ABC, OIL against it: selling OIL adds to having bought ABC, buying it does not."""
    me, there = market(ABC, XYZ, OIL, max_correlated=0.5, capital=10_000)
    draw = me.random("marks")
    for _ in range(40):
        up = round(draw.normal() * 30)
        for number, sign in enumerate((1, 1, -1)):
            there.quote(10_000 + sign * up, 1, 10_000 + sign * up, 1, market=number)
        there.advance("1s")
    for number in range(3):
        there.quote(10_000, 1, 10_000, 1, market=number)
    there.advance("1s")
    held(there, me, ABC, 30)
    for send, instrument in ((me.buy, XYZ), (me.sell, OIL)):
        event = refusal(me, there, send(instrument, 21, limit=10_000))
        assert (event.rule, event.value, event.allowed) == ("correlation", 5_100, 20)
    assert me.sell(XYZ, 50, limit=10_000).reference, "it moves against what is held"
    assert refusal(me, there, me.buy(OIL, 10, limit=10_000)).allowed == 0, "and this with it"


def test_nothing_more_is_opened_while_a_position_has_no_stop() -> None:
    me, there = market(stop_within="5s")
    held(there, me, ABC, 10)
    event = refusal(me, there, me.buy(ABC, 1, limit=9_000))
    assert (event.rule, event.value, event.allowed) == ("stop_loss", 10, 0)
    assert me.sell(ABC, 4, limit=11_000).reference
    stop = me.sell(ABC, 10, stop=9_800)
    assert not stop.reference, "10 more than 4 to sell would open a short position of 4"
    stop = me.sell(ABC, 6, stop=9_800)
    assert stop.reference
    assert not me.buy(ABC, 1, limit=9_000).reference, "four lots have none still"


def test_the_answer_is_the_least_of_all_checks() -> None:
    me, there = market(max_order=50, max_position=30, max_notional=2_000)
    event = refusal(me, there, me.buy(ABC, 60, limit=10_000))
    assert (event.rule, event.allowed) == ("size", 20)


def test_a_warning_comes_once_on_crossing() -> None:
    me, there = market(max_position=10)
    me.buy(ABC, 8, limit=9_000)
    there.advance(0)
    assert me.heard == [], "at 0.8 of the limit is not above it"
    one = me.buy(ABC, 1, limit=9_000)
    two = me.buy(ABC, 1, limit=9_000)
    there.advance(0)
    assert [(e.severity, e.rule, e.value, e.limit, e.action) for e in me.heard] == [
        (Severity.WARNING, "position", 9, 10, Action.WARN)
    ]
    there.accept(one, two)
    there.cancel(two)
    me.buy(ABC, 1, limit=9_000)
    there.advance(0)
    assert len(me.heard) == 1, "it was near within the last minute"
    there.cancel(one)
    there.advance("61s")
    me.buy(ABC, 1, limit=9_000)
    there.advance(0)
    assert len(me.heard) == 2


def test_notes_are_the_events() -> None:
    me, there = market(max_order=1)
    me.buy(ABC, 2, limit=5)
    there.advance(0)
    ((time, name, key, value),) = there.notes
    assert (name, key) == ("me", "risk")
    assert RiskEvent.of_note(time, name, value) == me.heard[0]
    assert "limit" in json.loads(value)
    with pytest.raises(InvalidValueError, match="is no risk event"):
        RiskEvent.of_note(0, "me", "order 1 refused")


# --- the firm ---


def firm(capital: float = 10_000, **limits: Any) -> Scope:
    return Scope(Limits(**limits), (ABC, OIL), lambda instrument: float(instrument.reference), capital, FIRM)


def test_strategies_of_a_firm_share_one_limit() -> None:
    ours = firm(max_position=10)
    (one, here), (other, there) = (market(ABC, OIL, firm=ours) for _ in range(2))
    held(here, one, ABC, 6)
    event = refusal(other, there, other.buy(ABC, 5, limit=9_000))
    assert (event.scope, event.rule, event.value, event.allowed) == ("firm", "position", 11, 4)
    assert event.text == "order 1 refused: firm: position could reach 11, above max_position 10; at most 4 pass"
    assert other.sell(ABC, 16, limit=9_000).reference, "what one has bought the other may sell"
    assert other.buy(OIL, 10, limit=9_000).reference


def test_the_tighter_of_own_and_firm_limits_decides() -> None:
    ours = firm(max_position=10)
    me, here = market(firm=ours, max_position=4)
    event = refusal(me, here, me.buy(ABC, 20, limit=9_000))
    assert (event.scope, event.allowed) == ("agent", 4)


def test_rate_of_a_firm_counts_all() -> None:
    ours = firm(max_rate=(2, 1_000))
    (one, _), (other, _) = (market(firm=ours) for _ in range(2))
    sent = [bool(who.buy(ABC, 1, limit=5).reference) for who in (one, other, one, other)]
    assert sent == [True, True, False, False]


# --- stops ---


def test_a_stop_cancels_all_and_lets_nothing_pass() -> None:
    me, there = market()
    one, two = me.buy(ABC, 5, limit=9_000), me.sell(ABC, 5, limit=11_000)
    there.accept(one, two)
    me.emergency_stop()
    there.advance(0)
    assert [request.order_id for request in there.asked(Kind.CANCEL)] == [one.reference, two.reference]
    assert me.heard[0][4:6] == (Severity.CRITICAL, Action.STOP)
    event = refusal(me, there, me.sell(ABC, 1, limit=11_000))
    assert event.rule == "hold"
    assert event.text.endswith("refused: trading is stopped: by its own hand; nothing passes")
    there.cancel(one)
    there.cancel(two)
    me.resume_trading()
    assert me.sell(ABC, 1, limit=11_000).reference


def test_flatten_closes_once_nothing_else_is_open_and_until_it_is_done() -> None:
    me, there = market()
    held(there, me, ABC, 8)
    left = me.buy(ABC, 5, limit=9_000)
    there.accept(left)
    there.clear()
    me.emergency_stop(flatten=True)
    there.advance(0)
    assert [request.kind for request in there.asked()] == [Kind.CANCEL]
    there.fill(left, 2)  # before the cancel arrives
    there.cancel(left)
    there.advance(0)
    close = there.asked(Kind.NEW)[-1]
    assert (close.side, close.quantity) == (-1, 10)
    closing = me.orders()[0]
    there.accept(closing)
    there.fill(closing, 7, price=9_990, maker=False)
    there.cancel(closing)
    there.advance("300ms")
    assert there.asked(Kind.NEW)[-1].quantity == 3
    closing = me.orders()[0]
    there.fill(closing, price=9_990, maker=False)
    there.advance("1s")
    assert me.position() == 0
    assert me.orders() == []
    assert len(there.asked(Kind.NEW)) == 2
    assert not [event for event in me.heard if not isinstance(event, RiskEvent)], "its closing orders are not its own"


def test_a_cancel_that_is_refused_is_asked_for_again() -> None:
    me, there = market()
    order = me.buy(ABC, 5, limit=9_000)
    there.accept(order)
    me.emergency_stop()
    there.advance(0)
    there.reject(order, Reason.DISCONNECTED, EventKind.CANCEL_REJECTED)
    there.advance("300ms")
    assert len(there.asked(Kind.CANCEL)) == 2


def test_a_stop_for_a_while_ends() -> None:
    me, there = market()
    there.session.guard.emergency_stop(until=there.now + 1_000_000_000)
    there.advance("900ms")
    assert not me.buy(ABC, 1, limit=5).reference
    there.advance("200ms")
    assert me.buy(ABC, 1, limit=5).reference
    assert me.heard[-1].severity is Severity.INFO
