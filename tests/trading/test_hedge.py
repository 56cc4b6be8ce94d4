"""Hedged legs: held apart, closed no further than they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import marketsim as ms
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderType, Side
from marketsim.errors import InvalidValueError
from marketsim.trading.hedge import Legs
from marketsim.trading.order import Order

ABC = ms.Instrument("ABC")


def order(side: Side, quantity: int, position: str) -> Order:
    return Order(1, ABC, "X", side, OrderType.LIMIT, quantity, 100, position=position)


def test_legs_open_on_their_own_side_and_close_on_the_other() -> None:
    legs = Legs()
    assert not legs
    legs.fill("ABC", Side.BUY, 5, "long")
    legs.fill("ABC", Side.SELL, 7, "short")
    legs.fill("ABC", Side.BUY, 2, "short")
    assert (legs.held("ABC", "long"), legs.held("ABC", "short")) == (5, 5)
    legs.fill("ABC", Side.SELL, 3, "")
    assert (legs.held("ABC", "long"), legs.held("ABC", "short")) == (2, 5), "a liquidation closes the long leg"
    legs.end("ABC")
    assert legs.held("ABC", "long") == 0


def test_no_more_is_closed_than_there_is() -> None:
    legs = Legs()
    legs.fill("ABC", Side.BUY, 5, "long")
    assert legs.contradicts(order(Side.BUY, 100, "long"), 100, []) == ""
    assert legs.contradicts(order(Side.SELL, 5, "long"), 5, []) == ""
    waiting = order(Side.SELL, 3, "long")
    said = legs.contradicts(order(Side.SELL, 3, "long"), 3, [waiting, order(Side.SELL, 9, "short")])
    assert said == "it closes 3 lots, with other orders 6, of a long leg of 5"
    assert legs.contradicts(order(Side.BUY, 1, "short"), 1, [])
    with pytest.raises(InvalidValueError, match='write "long" or "short"'):
        legs.held("ABC", "both")


def test_a_session_refuses_what_contradicts() -> None:
    @dataclass
    class Hedger(ms.Agent):
        def on_start(self) -> None:
            self.heard: list[Any] = []
            self.buy(self.instrument, 4, limit=10_000, position="long")
            self.sell(self.instrument, 1, limit=20_000, position="long")
            self.after("1s", self.go_on)

        def go_on(self) -> None:
            self.sell(self.instrument, 4, limit=20_000, position="long")
            self.sell(self.instrument, 1, limit=20_000, position="long")
            self.sell(self.instrument, 1, limit=20_000, position="short")

        def on_report(self, report: Report, order: Order | None) -> None:
            self.heard.append((report.kind.name, report.reason.name))

    @dataclass
    class Seller(ms.Agent):
        def on_start(self) -> None:
            self.after("500ms", lambda: self.sell(self.instrument, 4, limit=10_000))

    simulation = ms.Simulation(1, "2s")
    simulation.add_venue(instruments=[ABC])
    simulation.add_agent(Hedger(), "hedger")
    simulation.add_agent(Seller(), "seller")
    execution = simulation.start()
    execution.run()
    session = execution.world.sessions["hedger"]
    assert session.portfolio.legs.held("ABC", "long") == 4
    assert session.agent.heard == [  # type: ignore[attr-defined]
        ("REJECTED", "POSITION_SIDE"),
        ("ACCEPTED", "NONE"),
        ("TRADE", "NONE"),
        ("REJECTED", "POSITION_SIDE"),
        ("ACCEPTED", "NONE"),
        ("ACCEPTED", "NONE"),
    ]
