"""Fees: what a venue takes from each side of a trade, and the rebate it pays when that is below zero.

A fee is a share of the traded value or an amount a unit of the instrument. Nothing is rounded to cents: amounts are
exact, and the vectorised form gives the nearest float of the exact amount wherever the whole numbers behind it are
below 2**53. It keeps no accounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.grid import product, scaled
from marketsim.domain.instrument import Instrument
from marketsim.domain.units import decimal
from marketsim.errors import InvalidValueError

Unit = Literal["bps", "share"]
_UNITS = ("bps", "share")
_WIDE = Context(prec=100)  # the usual 28 digits round the product of three large numbers


@dataclass(frozen=True)
class Fee:
    """What a venue takes from one side of a trade; below zero it pays a rebate.

    unit: ``"bps"`` of the traded value, or ``"share"`` for an amount of currency a unit of the instrument.
    rate: how many.
    """

    unit: Unit = "bps"
    rate: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.unit not in _UNITS:
            raise InvalidValueError(f'fee unit {self.unit!r}: use "bps" (of the traded value) or "share" (a unit)')
        object.__setattr__(self, "rate", decimal(self.rate))

    def of(self, price: object, quantity: object) -> Decimal:
        """The exact fee, in currency, of ``quantity`` units traded at ``price`` in currency.

        bps: |price| · quantity · rate / 10000; share: quantity · rate.
        """
        amount = _WIDE.multiply(decimal(quantity), self.rate)
        if self.unit == "share":
            return amount
        return _WIDE.multiply(amount, abs(decimal(price))).scaleb(-4, _WIDE)

    def of_ticks(self, ticks: int, lots: int, instrument: Instrument) -> Decimal:
        """The exact fee, in currency, of a trade in ticks and lots."""
        return self.of(
            _WIDE.multiply(Decimal(ticks), instrument.tick_size), _WIDE.multiply(Decimal(lots), instrument.lot_size)
        )

    def of_trades(self, ticks: NDArray[Any], lots: NDArray[Any], instrument: Instrument) -> NDArray[np.float64]:
        """The fee, in currency, of each trade of ``lots`` at ``ticks``."""
        factor = Fraction(instrument.lot_size) * Fraction(self.rate)
        if self.unit == "share":
            return scaled(np.asarray(lots), factor)
        value = product(np.abs(np.asarray(ticks)), np.asarray(lots))
        return scaled(value, factor * Fraction(instrument.tick_size) / 10_000)


@dataclass(frozen=True)
class FeeSchedule:
    """A venue's fees: ``maker`` for the resting order, ``taker`` for the one that trades at once."""

    maker: Fee = field(default_factory=Fee)
    taker: Fee = field(default_factory=Fee)

    @classmethod
    def of(cls, maker: object = 0, taker: object = 0, unit: Unit = "bps") -> FeeSchedule:
        """Both sides in the same unit: ``FeeSchedule.of(maker="-0.2", taker="0.3")``."""
        return cls(Fee(unit, decimal(maker)), Fee(unit, decimal(taker)))

    def side(self, maker: bool) -> Fee:
        """The fee of one side."""
        return self.maker if maker else self.taker

    def fee(self, price: object, quantity: object, maker: bool) -> Decimal:
        """The exact fee, in currency, of ``quantity`` units at ``price`` in currency."""
        return self.side(maker).of(price, quantity)

    def fees(self, ticks: NDArray[Any], lots: NDArray[Any], instrument: Instrument, maker: bool) -> NDArray[np.float64]:
        """The fee, in currency, of each trade of ``lots`` at ``ticks``."""
        return self.side(maker).of_trades(ticks, lots, instrument)

    @property
    def free(self) -> bool:
        """Whether nothing is ever charged."""
        return not self.maker.rate and not self.taker.rate
