"""A portfolio: positions, cash and profit of one participant, from fills alone, in exact decimals.

Average-cost accounting: a fill that opens or adds moves the average price, one that reduces realizes
(price − average) × quantity × direction; what crosses zero does both. Marks and exchange rates are given to it: it
never asks a market.

A contract is not paid for when it is traded: cash moves by realized profit, fees, funding and settlements, all of them
in its settlement currency and in whole money units, by the same arithmetic as the clearing house's (domain.contract).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from marketsim.domain.contract import MONEY, traded
from marketsim.domain.event import EventKind, Settled
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.trading.hedge import Legs

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
    currency: str = ""  # of profit and fees; that of the latest fill
    cost: Decimal = _ZERO  # of a contract: what its open lots were worth when they were traded
    funding: Decimal = _ZERO  # of a contract: received less paid, with what the insurance fund took or gave
    contract: Instrument | None = None  # None for spot

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

    def book(self, instrument: Instrument, fill: Fill, side: Side, ticks: int, lots: int) -> Decimal:
        """Take in a fill of a contract; answers the realized profit."""
        held, cost = int(self.quantity / instrument.lot_size), int(self.cost / MONEY)
        held, cost, realized = traded(held, cost, side * lots, instrument.worth(side * lots, ticks))
        self.contract = instrument
        self._hold(held * instrument.lot_size, cost * MONEY)
        self.realized += realized * MONEY
        self.fees += fill.fee
        self.volume += fill.quantity
        self.currency = fill.currency
        return realized * MONEY

    def settle(self, amount: Decimal, expired: Decimal | None) -> None:
        """Profit so far is paid out; of ``expired`` units the contract has come to its end."""
        self.realized += amount
        if expired is None:
            self._hold(self.quantity, self.cost + amount)
        else:
            self._hold(self.quantity - expired, _ZERO if self.quantity == expired else self.cost + amount)

    def _hold(self, quantity: Decimal, cost: Decimal) -> None:
        self.quantity, self.cost, self.average_price = quantity, cost, _ZERO
        if quantity and cost and self.contract is not None:
            size = quantity * self.contract.multiplier
            self.average_price = -size / cost if self.contract.inverse else cost / size

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit that closing at ``mark`` would realize, in the settlement currency."""
        if self.contract is not None:
            return self.contract.worth_at(self.quantity, mark) - self.cost
        return (mark - self.average_price) * self.quantity


class Portfolio:
    """Positions by symbol, cash by currency, every fill.

    Fills in ticks and lots are turned into decimals when somebody looks: most agents ask for ``lots`` alone.
    """

    def __init__(
        self,
        initial_cash: Decimal = Decimal(1_000_000),
        currency: str = "USD",
        balances: Mapping[str, Decimal] | None = None,
    ) -> None:
        self.initial_cash = initial_cash
        self.currency = currency
        self.lots: dict[str, int] = {}
        self.legs = Legs()  # of hedged positions
        self._cash = {currency: initial_cash, **(balances or {})}
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
                fill = Fill(time, instrument.symbol, side, price, quantity, fee, maker, instrument.money)
                if instrument.cleared:
                    self._book_contract(fill, instrument, side, ticks, lots)
                else:
                    self._book(fill)

    def _book(self, fill: Fill) -> None:
        self._ledger(fill.symbol).apply(fill)
        self._pay(fill.currency, -fill.side * fill.price * fill.quantity - fill.fee)
        self._history.append(fill)

    def _book_contract(self, fill: Fill, instrument: Instrument, side: Side, ticks: int, lots: int) -> None:
        realized = self._ledger(fill.symbol).book(instrument, fill, side, ticks, lots)
        self._pay(fill.currency, realized - fill.fee)
        self._history.append(fill)

    def _ledger(self, symbol: str) -> Position:
        position = self._positions.get(symbol)
        if position is None:
            position = self._positions[symbol] = Position()
        return position

    def _pay(self, currency: str, amount: Decimal) -> None:
        self._cash[currency] = self._cash.get(currency, _ZERO) + amount

    def clear(self, instrument: Instrument, kind: EventKind, lots: int, amount: int, code: int) -> None:
        """Take in what a clearing house paid for a position of signed lots, as FUNDING and SETTLED rows tell it.

        amount: money units; code: of a SETTLED row, see ``domain.event.Settled``.
        """
        self._catch_up()
        position, paid = self._ledger(instrument.symbol), amount * MONEY
        position.contract, position.currency = instrument, instrument.money
        if kind is EventKind.FUNDING or code == Settled.FUND:
            position.funding += paid
        elif code == Settled.EXPIRY:
            position.settle(paid, lots * instrument.lot_size)
            self.lots[instrument.symbol] = self.lots.get(instrument.symbol, 0) - lots
            self.legs.end(instrument.symbol)
        else:
            position.settle(paid, None)
        self._pay(instrument.money, paid)

    def position(self, symbol: str) -> Position:
        """Holding in an instrument; an empty one when there is none."""
        return self.positions.get(symbol) or Position()

    def realized(self, rates: Mapping[str, Decimal] | None = None) -> Decimal:
        """Realized profit after fees and funding in the portfolio's currency; ``rates`` as for ``value``."""
        return sum(
            ((p.realized - p.fees + p.funding) * self._rate(p.currency, rates) for p in self.positions.values()), _ZERO
        )

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
        held = (_value(p, _mark(marks, s)) * self._rate(p.currency, rates) for s, p in self._held())
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


def _value(position: Position, mark: Decimal) -> Decimal:
    """What a position adds to the cash: all of its price when it is owned, its profit when it is a contract."""
    return position.quantity * mark if position.contract is None else position.unrealized(mark)


def _mark(marks: Mapping[str, Decimal], symbol: str) -> Decimal:
    try:
        return marks[symbol]
    except KeyError:
        raise InvalidValueError(f"no mark for {symbol}, which is held: give its price in marks") from None
