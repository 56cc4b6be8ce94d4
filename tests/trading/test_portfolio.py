"""Positions, cash and profit: by hand, and as laws that hold for any fills."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.trading.portfolio import Fill, Portfolio, Position

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


def fill(side: Side, price: str, quantity: str, fee: str = "0", symbol: str = "ABC", currency: str = "USD") -> Fill:
    return Fill(0, symbol, side, D(price), D(quantity), D(fee), False, currency)


def after(*fills: Fill, cash: str = "1000") -> Portfolio:
    portfolio = Portfolio(D(cash))
    for one in fills:
        portfolio.apply(one)
    return portfolio


def test_buying_more_moves_the_average_price() -> None:
    portfolio = after(fill(BUY, "10", "4"), fill(BUY, "13", "2"))
    position = portfolio.position("ABC")
    assert (position.quantity, position.average_price, position.realized) == (D(6), D(11), D(0))
    assert portfolio.cash == {"USD": D(1000) - 40 - 26}


def test_reducing_realizes_and_keeps_the_average_price() -> None:
    position = after(fill(BUY, "10", "4"), fill(SELL, "12", "3")).position("ABC")
    assert (position.quantity, position.average_price, position.realized) == (D(1), D(10), D(6))


def test_a_short_position_gains_when_the_price_falls() -> None:
    position = after(fill(SELL, "10", "4"), fill(BUY, "7", "1")).position("ABC")
    assert (position.quantity, position.average_price, position.realized) == (D(-3), D(10), D(3))
    assert position.unrealized(D(8)) == D(6)


def test_crossing_zero_closes_at_the_old_price_and_opens_at_the_new() -> None:
    position = after(fill(BUY, "10", "4"), fill(SELL, "12", "6")).position("ABC")
    assert (position.quantity, position.average_price, position.realized) == (D(-2), D(12), D(8))
    position = after(fill(SELL, "10", "4"), fill(BUY, "9", "5")).position("ABC")
    assert (position.quantity, position.average_price, position.realized) == (D(1), D(9), D(4))


def test_a_flat_position_has_no_average_price() -> None:
    position = after(fill(BUY, "10", "4"), fill(SELL, "9", "4")).position("ABC")
    assert (position.quantity, position.average_price, position.realized) == (D(0), D(0), D(-4))


def test_fees_and_rebates_are_kept_apart_from_profit() -> None:
    portfolio = after(fill(BUY, "10", "4", "0.3"), fill(SELL, "11", "4", "-0.1"))
    position = portfolio.position("ABC")
    assert (position.realized, position.fees) == (D(4), D("0.2"))
    assert portfolio.realized() == D("3.8")
    assert portfolio.cash["USD"] == D("1003.8")


def test_ticks_and_lots_become_exact_decimals() -> None:
    instrument = Instrument("XYZ", tick_size="0.005", lot_size="0.1", currency="EUR")
    portfolio = Portfolio(D(0), "EUR")
    portfolio.trade(7, instrument, BUY, 2001, 3, D("0.01"), True)
    assert portfolio.lots == {"XYZ": 3}
    assert portfolio.history == [Fill(7, "XYZ", BUY, D("10.005"), D("0.3"), D("0.01"), True, "EUR")]
    assert portfolio.cash == {"EUR": D("-3.0015") - D("0.01")}
    assert portfolio.position("XYZ") == Position(D("0.3"), D("10.005"), D(0), D("0.01"), D("0.3"), "EUR")


def test_lots_are_known_at_once_and_fills_in_their_order() -> None:
    instrument = Instrument("ABC")
    portfolio = Portfolio(D(0))
    portfolio.trade(1, instrument, BUY, 1000, 5, D(0), True)
    portfolio.apply(fill(SELL, "10", "1"))
    portfolio.trade(3, instrument, SELL, 1200, 4, D(0), False)
    assert portfolio.lots == {"ABC": 1}, "only fills in lots count as lots"
    assert [one.quantity for one in portfolio.history] == [5, 1, 4]
    assert portfolio.position("ABC").quantity == 0


def test_several_currencies() -> None:
    portfolio = after(
        fill(BUY, "10", "4"), fill(BUY, "100", "2", "1", "DAX", "EUR"), fill(SELL, "90", "1", "0", "DAX", "EUR")
    )
    assert portfolio.cash == {"USD": D(960), "EUR": D(-111)}
    marks, rates = {"ABC": D(11), "DAX": D(80)}, {"EUR": D("1.1")}
    assert portfolio.realized(rates) == (D(-10) - 1) * D("1.1")
    assert portfolio.unrealized(marks, rates) == 4 + D(-20) * D("1.1")
    assert portfolio.value(marks, rates) == 960 + 44 + (D(-111) + 80) * D("1.1")
    assert portfolio.value(marks, rates) - 1000 == portfolio.realized(rates) + portfolio.unrealized(marks, rates)


def test_what_is_missing_for_a_value_is_named() -> None:
    portfolio = after(fill(BUY, "100", "2", "0", "DAX", "EUR"))
    with pytest.raises(InvalidValueError, match="no rate for EUR"):
        portfolio.value({"DAX": D(1)})
    with pytest.raises(InvalidValueError, match="no mark for DAX"):
        portfolio.value({}, {"EUR": D(1)})
    assert after().value({}) == 1000


def test_reconciliation_names_every_difference() -> None:
    portfolio = after(fill(BUY, "10", "4"))
    assert portfolio.reconcile({"ABC": D(4)}, {"USD": D(960)}) == []
    assert portfolio.reconcile({"XYZ": D(1)}, {"USD": D(960), "EUR": D(3)}) == [
        "ABC: 4 here, 0 at the venue",
        "XYZ: 0 here, 1 at the venue",
        "cash EUR: 0 here, 3 at the venue",
    ]


def test_summary_is_plain() -> None:
    assert after(fill(BUY, "10", "4", "0.5")).summary() == {
        "cash": {"USD": "959.5"},
        "positions": {"ABC": {"quantity": "4", "average_price": "10", "realized": "0", "fees": "0.5"}},
        "fills": 1,
    }


prices = st.integers(1, 10**7).map(lambda ticks: D(ticks) / 100)
quantities = st.integers(1, 10**5).map(D)
fees = st.integers(-(10**4), 10**4).map(lambda cents: D(cents) / 1000)
fills = st.builds(
    lambda side, price, quantity, fee, symbol: Fill(0, symbol, side, price, quantity, fee, False, "USD"),
    st.sampled_from(Side),
    prices,
    quantities,
    fees,
    st.sampled_from(["ABC", "XYZ"]),
)


@given(st.lists(fills, max_size=40))
def test_cash_is_conserved(trades: list[Fill]) -> None:
    """What two sides of the same trades hold together never changes, save for the fees."""
    mine, theirs = Portfolio(D(0)), Portfolio(D(0))
    for one in trades:
        mine.apply(one)
        theirs.apply(one._replace(side=one.side.opposite, fee=D(0)))
    paid = sum((one.fee for one in trades), D(0))
    assert mine.cash["USD"] + theirs.cash["USD"] == -paid
    for symbol in mine.positions:
        assert mine.positions[symbol].quantity + theirs.positions[symbol].quantity == 0
        assert mine.positions[symbol].realized + theirs.positions[symbol].realized == 0


@given(st.lists(fills, max_size=40), prices, prices)
def test_profit_is_value_gained(trades: list[Fill], abc: Decimal, xyz: Decimal) -> None:
    """Realized and unrealized profit are the change of value, whatever the marks."""
    portfolio, marks = Portfolio(D(5000)), {"ABC": abc, "XYZ": xyz}
    for one in trades:
        portfolio.apply(one)
    gained = portfolio.value(marks) - 5000
    assert abs(gained - portfolio.realized() - portfolio.unrealized(marks)) <= D("1e-9")


@given(st.lists(fills.map(lambda one: one._replace(symbol="ABC")), max_size=40))
def test_the_average_price_is_that_of_what_is_held(trades: list[Fill]) -> None:
    """Against exact fractions: average cost, signed lots, and a new start whenever the position crosses zero."""
    held, cost = Fraction(0), Fraction(0)
    portfolio = Portfolio(D(0))
    for one in trades:
        signed, price = Fraction(one.quantity) * one.side, Fraction(one.price)
        if held * signed >= 0:
            cost += signed * price
        elif abs(signed) <= abs(held):
            cost += signed * (cost / held)
        else:
            cost = (held + signed) * price
        held += signed
        portfolio.apply(one)
        position = portfolio.position("ABC")
        assert Fraction(position.quantity) == held
        expected = cost / held if held else Fraction(0)
        assert abs(Fraction(position.average_price) - expected) < Fraction(1, 10**15)
