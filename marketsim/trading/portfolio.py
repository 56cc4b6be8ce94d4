"""A portfolio: positions, cash and profit of one participant, from fills alone, in exact decimals.

Average-cost accounting: a fill that opens or adds moves the average price, one that reduces realizes
(price − average) × quantity × direction; what crosses zero does both. It never asks a market for prices: marks are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side

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

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit that closing at ``mark`` would realize."""
        return (mark - self.average_price) * self.quantity


@dataclass
class Portfolio:
    """Positions by symbol, cash by currency, every fill."""

    initial_cash: Decimal = Decimal(1_000_000)
    currency: str = "USD"
    cash: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    history: list[Fill] = field(default_factory=list)
    lots: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cash.setdefault(self.currency, self.initial_cash)

    def apply(self, fill: Fill) -> None:
        """Take in a fill: position, cash, fees, history."""
        position = self.positions.get(fill.symbol)
        if position is None:
            position = self.positions[fill.symbol] = Position()
        position.apply(fill)
        flow = -fill.side * fill.price * fill.quantity - fill.fee
        self.cash[fill.currency] = self.cash.get(fill.currency, _ZERO) + flow
        self.history.append(fill)

    def trade(
        self, time: int, instrument: Instrument, side: Side, ticks: int, lots: int, fee: Decimal, maker: bool
    ) -> None:
        """Take in a fill given in ticks and lots."""
        self.lots[instrument.symbol] = self.lots.get(instrument.symbol, 0) + side * lots
        price, quantity = ticks * instrument.tick_size, lots * instrument.lot_size
        self.apply(Fill(time, instrument.symbol, side, price, quantity, fee, maker, instrument.currency))

    def position(self, symbol: str) -> Position:
        """Holding in an instrument; an empty one when there is none."""
        return self.positions.get(symbol) or Position()

    def realized(self) -> Decimal:
        """Realized profit after fees, all instruments (of one currency)."""
        return sum((position.realized - position.fees for position in self.positions.values()), _ZERO)

    def unrealized(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Unrealized profit at the given marks by symbol."""
        return sum((p.unrealized(marks[s]) for s, p in self.positions.items() if p.quantity), _ZERO)

    def value(self, marks: Mapping[str, Decimal], rates: Mapping[str, Decimal] | None = None) -> Decimal:
        """Cash and holdings in the portfolio's currency; ``rates`` gives the price of one unit of each other one."""
        total = _ZERO
        for currency, amount in self.cash.items():
            total += amount * (Decimal(1) if currency == self.currency else (rates or {})[currency])
        held = {fill.symbol: fill.currency for fill in self.history}
        for symbol, position in self.positions.items():
            if position.quantity:
                currency = held.get(symbol, self.currency)
                rate = Decimal(1) if currency == self.currency else (rates or {})[currency]
                total += position.quantity * marks[symbol] * rate
        return total

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
