"""Parent orders by hand: whose fills are whose, what is noted, calling back, amending, and never too much out."""

from __future__ import annotations

import json
from typing import Any

import pytest

import marketsim as ms
from marketsim.agents.execution.twap import Twap
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.errors import InvalidValueError, InvariantViolation
from marketsim.testing import HandMarket
from marketsim.trading.parent_order import ParentOrder

ABC, XYZ = Instrument("ABC"), Instrument("XYZ")


class Desk(ms.Agent):
    """Remembers what is over, and its own fills."""

    def on_start(self) -> None:
        self.over: list[ParentOrder] = []
        self.own: list[tuple[str, int]] = []

    def on_executed(self, parent: ParentOrder) -> None:
        parent.check()
        self.over.append(parent)

    def on_fill(self, order: Any, report: Any) -> None:
        self.own.append((order.tag, report.quantity))


def desk(*instruments: Instrument) -> tuple[Desk, HandMarket]:
    agent = Desk()
    return agent, HandMarket(agent, instruments or (ABC,))


def lots(market: HandMarket, kind: Kind = Kind.NEW) -> list[int]:
    sent = [request.quantity for request in market.asked(kind)]
    market.clear()
    return sent


def test_two_executions_and_own_trading_side_by_side() -> None:
    agent, market = desk(ABC, XYZ)
    first = agent.execute(Twap(quantity=10, horizon="10s", slices=2), ABC, tag="mine")
    second = agent.execute(Twap(side="sell", quantity=6, horizon="10s", slices=2), XYZ)
    market.advance("1s")
    own = agent.buy(ABC, 7, tag="own")
    third = agent.execute(Twap(quantity=4, horizon="4s", slices=1), ABC)
    market.advance("1s")
    for order in (first.children[0], second.children[0], own, third.children[0]):
        market.accept(order)
        market.fill(order, price=100, maker=False)
    assert [parent.filled for parent in (first, second, third)] == [5, 3, 4]
    assert agent.own == [("mine", 5), ("execution 2", 3), ("own", 7), ("execution 3", 4)]
    assert (agent.position(ABC), agent.position(XYZ)) == (16, -3)
    assert first.owns(first.children[0])
    assert not first.owns(own)
    assert not first.owns(third.children[0])
    assert agent.over == [third]
    market.advance("4s")
    for parent in (first, second):
        market.accept(parent.children[-1])
        market.fill(parent.children[-1], price=102)
    assert [(p.state, p.filled, p.left, p.average_price, p.maker_filled) for p in agent.over] == [
        (OrderState.FILLED, 4, 0, 100, 0), (OrderState.FILLED, 10, 0, 101, 5), (OrderState.FILLED, 6, 0, 101, 3),
    ]  # fmt: skip
    assert first.ended == market.now


def test_what_is_noted_tells_which_orders_were_whose() -> None:
    agent, market = desk()
    market.advance("1s")
    agent.execute(Twap(quantity=10, begin="2s", horizon="10s", slices=1, limit=100.05), tag="big")
    market.advance("2s")
    order = agent.orders()[0]
    market.accept(order)
    market.fill(order)
    keys = [(key, value) for _, _, key, value in market.notes]
    told = json.loads(keys[0][1])
    assert (told["algorithm"], told["side"], told["quantity"], told["limit"], told["tag"]) == (
        "Twap", 1, 10.0, 100.05, "big",
    )  # fmt: skip
    assert told["begin"] - told["decided"] == 2_000_000_000
    assert told["end"] - told["begin"] == 10_000_000_000
    assert keys[1:] == [
        ("execution order", f"1 {order.order_id} XSIM"),
        ("execution over", '{"number": 1, "state": "FILLED"}'),
    ]


def test_it_is_called_back() -> None:
    agent, market = desk()
    market.quote(9_990, 5, 10_010, 5)
    parent = agent.execute(Twap(quantity=10, horizon="10s", slices=2, style="post"))
    market.advance("1s")
    market.quote(9_991, 5, 10_010, 5)
    market.accept()
    market.clear()
    parent.cancel()
    parent.cancel()
    assert [request.kind for request in market.asked()] == [Kind.CANCEL]
    assert parent.live
    market.fill(parent.children[0], 2)
    market.cancel(parent.children[0])
    assert (parent.state, parent.filled, parent.left, agent.over) == (OrderState.CANCELED, 2, 3 + 5, [parent])
    market.clear()
    market.advance("20s")
    assert not market.asked()
    parent.amend(quantity=50)  # over is over
    assert parent.quantity == 10


def test_one_that_has_sent_nothing_is_over_at_once() -> None:
    agent, market = desk()
    parent = agent.execute(Twap(quantity=10, begin="1min", slices=2))
    parent.cancel()
    assert agent.over == [parent]
    market.advance("20min")
    assert not market.asked()


def test_amending_the_total_changes_the_slices_to_come() -> None:
    agent, market = desk()
    parent = agent.execute(Twap(quantity=10, horizon="10s", slices=2))
    market.advance("1s")
    assert lots(market) == [5]
    market.accept()
    market.fill(parent.children[0], price=100)
    parent.amend(quantity=30)
    market.advance("5s")
    assert lots(market) == [25]
    market.accept()
    with pytest.raises(InvalidValueError, match="5 are done already"):
        parent.amend(quantity=4)
    parent.amend(quantity=20)
    assert [request.kind for request in market.asked()] == [Kind.CANCEL], "more is out than is wanted now"
    market.cancel(parent.children[1])
    market.clear()
    market.advance("5s")
    assert lots(market) == [15]
    parent.check()


def test_amending_to_what_is_done_ends_it() -> None:
    agent, market = desk()
    parent = agent.execute(Twap(quantity=10, horizon="10s", slices=2))
    market.advance("1s")
    market.accept()
    market.fill(parent.children[0], price=100)
    parent.amend(quantity=5)
    assert (parent.state, agent.over) == (OrderState.FILLED, [parent])


def test_amending_the_limit_moves_what_rests() -> None:
    agent, market = desk()
    market.quote(9_990, 5, 10_010, 5)
    parent = agent.execute(Twap(quantity=10, horizon="10s", slices=1, style="post"))
    market.advance("1s")
    market.quote(9_990, 6, 10_010, 5)
    market.accept()
    market.clear()
    parent.amend(limit=9_980)
    (request,) = market.asked()
    assert (request.kind, request.price) == (Kind.REPLACE, 9_980)


def test_new_parameters_amend_an_agents_own_order() -> None:
    agent = Twap(quantity=10, horizon="10s", slices=2)
    market = HandMarket(agent)
    market.advance("1s")
    market.accept()
    market.fill(agent.parent.children[0], price=100)
    agent.set(quantity=20, limit=99.5)
    assert (agent.parent.quantity, agent.parent.limit, agent.done) == (20, 9_950, 5)
    agent.set(quantity=3, slices=1)
    assert (agent.parent.state, agent.parent.left) == (OrderState.FILLED, 0)


def test_a_venue_where_it_does_not_trade() -> None:
    agent, _ = desk()
    with pytest.raises(InvalidValueError, match="me does not trade ABC on 'XSIN'; did you mean \"XSIM\""):
        agent.execute(Twap(), venue="XSIN")


def test_it_never_has_more_out_than_is_wanted() -> None:
    agent, _ = desk()
    parent = agent.execute(Twap(quantity=10, begin="1s", horizon="10s", slices=2))
    parent.send(8, limit=100)
    with pytest.raises(InvariantViolation, match="3 lots more, with 8 out, are not wanted"):
        parent.send(3)
    parent.cancel()
    with pytest.raises(InvariantViolation):
        parent.send(1)
    assert parent.working == 8
    assert parent.open == parent.children


def test_a_refused_child_is_not_out() -> None:
    agent, market = desk()
    parent = agent.execute(Twap(quantity=10, horizon="10s", slices=2))
    market.advance("1s")
    market.reject(parent.children[0], Reason.MARKET_CLOSED)
    assert (parent.working, parent.left, parent.live) == (0, 10, True)
    market.advance("5s")
    assert parent.children[1].quantity == 10
    assert parent.side is Side.BUY
    assert "Twap BUY 10 ABC" in repr(parent)


def test_prices_are_its_venues_and_volume_is_that_of_all() -> None:
    agent = Desk()
    market = HandMarket(agent, (ABC, XYZ), ("A", "B"))
    plan = Twap(quantity=90, horizon="10s", slices=1, style="post", patience=1.0, max_participation=0.1)
    parent = agent.execute(plan, ABC, venue="B")
    market.advance("1s")
    market.quote(9_980, 5, 10_010, 5, market=0)
    market.quote(9_990, 5, 10_010, 5, market=1)
    market.quote(9_970, 5, 10_010, 5, market=2)
    assert lots(market) == [], "nothing was traded yet"
    market.trade(9_980, 45, Side.BUY, market=0)
    market.trade(9_980, 500, Side.BUY, market=1)
    market.trade(9_980, 45, Side.BUY, market=2)
    assert parent.printed == 90
    market.quote(9_981, 6, 10_010, 5, market=0)
    assert lots(market) == [], "another venue's price is none of its"
    market.quote(9_971, 6, 10_010, 5, market=2)
    (order,) = parent.children
    assert (order.venue, order.price, order.quantity) == ("B", 9_971, 10)
