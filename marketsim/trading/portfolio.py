"""A portfolio: positions, cash and profit of one participant, from fills alone, in exact decimals.

Average-cost accounting: a fill that opens or adds moves the average price, one that reduces realizes
(price − average) × quantity × direction; what crosses zero does both. Marks and exchange rates are given to it: it
never asks a market.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError

_ZERO = Decimal(0)


class Fill(NamedTuple):
    """One fill of the participant, in decimals of currency and units."""

    time: int  # ns
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal  # negative: a rebate
    maker: bool
    currency: str


@dataclass
class Position:
    """Holding in one instrument. ``quantity`` is negative when short."""

    quantity: Decimal = _ZERO
    average_price: Decimal = _ZERO
    realized: Decimal = _ZERO  # before fees
    fees: Decimal = _ZERO
    volume: Decimal = _ZERO
    currency: str = ""  # of prices, profit and fees; that of the latest fill

    def apply(self, fill: Fill) -> None:
        """Take in a fill."""
        signed = fill.quantity * fill.side
        closing = min(abs(signed), abs(self.quantity)) if signed * self.quantity < 0 else _ZERO
        if closing:
            direction = 1 if self.quantity > 0 else -1
            self.realized += (fill.price - self.average_price) * closing * direction
        before = self.quantity
        self.quantity += signed
        if self.quantity == 0:
            self.average_price = _ZERO
        elif before * self.quantity < 0:
            self.average_price = fill.price
        elif not closing:
            cost = abs(before) * self.average_price + abs(signed) * fill.price
            self.average_price = cost / abs(self.quantity)
        self.fees += fill.fee
        self.volume += fill.quantity
        self.currency = fill.currency

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit that closing at ``mark`` would realize."""
        return (mark - self.average_price) * self.quantity


class Portfolio:
    """Positions by symbol, cash by currency, every fill.

    Fills in ticks and lots are turned into decimals when somebody looks: most agents ask for ``lots`` alone.
    """

    def __init__(self, initial_cash: Decimal = Decimal(1_000_000), currency: str = "USD") -> None:
        self.initial_cash = initial_cash
        self.currency = currency
        self.lots: dict[str, int] = {}
        self._cash = {currency: initial_cash}
        self._positions: dict[str, Position] = {}
        self._history: list[Fill] = []
        self._waiting: list[tuple[int, Instrument, Side, int, int, Decimal, bool]] = []

    @property
    def cash(self) -> dict[str, Decimal]:
        """Cash by currency."""
        self._catch_up()
        return self._cash

    @property
    def positions(self) -> dict[str, Position]:
        """Position by symbol, of everything that was ever traded."""
        self._catch_up()
        return self._positions

    @property
    def history(self) -> list[Fill]:
        """Every fill, oldest first."""
        self._catch_up()
        return self._history

    def apply(self, fill: Fill) -> None:
        """Take in a fill: position, cash, fees, history."""
        self._catch_up()
        self._book(fill)

    def trade(
        self, time: int, instrument: Instrument, side: Side, ticks: int, lots: int, fee: Decimal, maker: bool
    ) -> None:
        """Take in a fill given in ticks and lots."""
        held = self.lots
        symbol = instrument.symbol
        held[symbol] = held.get(symbol, 0) + side * lots
        self._waiting.append((time, instrument, side, ticks, lots, fee, maker))

    def _catch_up(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for time, instrument, side, ticks, lots, fee, maker in waiting:
                price, quantity = ticks * instrument.tick_size, lots * instrument.lot_size
                self._book(Fill(time, instrument.symbol, side, price, quantity, fee, maker, instrument.currency))

    def _book(self, fill: Fill) -> None:
        position = self._positions.get(fill.symbol)
        if position is None:
            position = self._positions[fill.symbol] = Position()
        position.apply(fill)
        flow = -fill.side * fill.price * fill.quantity - fill.fee
        self._cash[fill.currency] = self._cash.get(fill.currency, _ZERO) + flow
        self._history.append(fill)

    def position(self, symbol: str) -> Position:
        """Holding in an instrument; an empty one when there is none."""
        return self.positions.get(symbol) or Position()

    def realized(self, rates: Mapping[str, Decimal] | None = None) -> Decimal:
        """Realized profit after fees in the portfolio's currency; ``rates`` as for ``value``."""
        return sum(((p.realized - p.fees) * self._rate(p.currency, rates) for p in self.positions.values()), _ZERO)

    def unrealized(self, marks: Mapping[str, Decimal], rates: Mapping[str, Decimal] | None = None) -> Decimal:
        """Unrealized profit at the given marks by symbol, in the portfolio's currency; ``rates`` as for ``value``."""
        return sum(
            (p.unrealized(_mark(marks, s)) * self._rate(p.currency, rates) for s, p in self._held()),
            _ZERO,
        )

    def value(self, marks: Mapping[str, Decimal], rates: Mapping[str, Decimal] | None = None) -> Decimal:
        """Cash and holdings in the portfolio's currency.

        marks: price of each instrument that is held, in its own currency.
        rates: price of one unit of each other currency; needed only where there is more than one.
        """
        cash = sum((amount * self._rate(currency, rates) for currency, amount in self.cash.items() if amount), _ZERO)
        held = (p.quantity * _mark(marks, s) * self._rate(p.currency, rates) for s, p in self._held())
        return cash + sum(held, _ZERO)

    def _held(self) -> list[tuple[str, Position]]:
        return [(symbol, position) for symbol, position in self.positions.items() if position.quantity]

    def _rate(self, currency: str, rates: Mapping[str, Decimal] | None) -> Decimal:
        if currency in ("", self.currency):
            return Decimal(1)
        if rates is None or currency not in rates:
            raise InvalidValueError(
                f"no rate for {currency}: give rates={{{currency!r}: price of one {currency} in {self.currency}}}"
            )
        return rates[currency]

    def reconcile(self, positions: Mapping[str, Decimal], cash: Mapping[str, Decimal]) -> list[str]:
        """Differences to what a venue says; empty when both agree."""
        findings = []
        for symbol in sorted({*self.positions, *positions}):
            mine, theirs = self.position(symbol).quantity, positions.get(symbol, _ZERO)
            if mine != theirs:
                findings.append(f"{symbol}: {mine} here, {theirs} at the venue")
        for currency in sorted({*self.cash, *cash}):
            mine, theirs = self.cash.get(currency, _ZERO), cash.get(currency, _ZERO)
            if mine != theirs:
                findings.append(f"cash {currency}: {mine} here, {theirs} at the venue")
        return findings

    def summary(self) -> dict[str, object]:
        """Positions and cash as plain values, for tables and JSON."""
        return {
            "cash": {currency: str(amount) for currency, amount in sorted(self.cash.items())},
            "positions": {
                symbol: {
                    "quantity": str(position.quantity),
                    "average_price": str(position.average_price),
                    "realized": str(position.realized),
                    "fees": str(position.fees),
                }
                for symbol, position in sorted(self.positions.items())
            },
            "fills": len(self.history),
        }


def _mark(marks: Mapping[str, Decimal], symbol: str) -> Decimal:
    try:
        return marks[symbol]
    except KeyError:
        raise InvalidValueError(f"no mark for {symbol}, which is held: give its price in marks") from None
