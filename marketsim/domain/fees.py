"""Fees: what a venue takes from each side of a trade, and the rebate it pays when that is below zero.

A fee is a share of the traded value or an amount a unit of the instrument; it may depend on what its payer has traded
so far. Nothing is rounded to cents: amounts are exact, and the vectorised form gives the nearest float of the exact
amount wherever the whole numbers behind it are below 2**53. Only fees of contracts are rounded, to a money unit
(10^-8 of currency, halves away from zero), because their accounts are kept in whole numbers. It keeps no accounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.contract import MONEY, portion
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

    def ratio(self, instrument: Instrument) -> Fraction:
        """Of a contract: money units a money unit of value, or a lot where the fee is a unit's."""
        if self.unit == "bps":
            return Fraction(self.rate) / 10_000
        return Fraction(self.rate) * Fraction(instrument.lot_size) / Fraction(MONEY)

    def of_ticks(self, ticks: int, lots: int, instrument: Instrument) -> Decimal:
        """The fee, in currency, of a trade in ticks and lots: exact, of contracts in whole money units."""
        if instrument.cleared:
            ratio = self.ratio(instrument)
            base = lots if self.unit == "share" else abs(instrument.worth(lots, ticks))
            return portion(base, ratio.numerator, ratio.denominator) * MONEY
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
class FeeTier:
    """The fees of those who have traded at least ``volume``; see FeeSchedule."""

    volume: Decimal
    maker: Fee = field(default_factory=Fee)
    taker: Fee = field(default_factory=Fee)
    auction: Fee | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "volume", decimal(self.volume))
        if self.volume <= 0:
            raise InvalidValueError(f"a tier from a volume of {self.volume}: it must be above zero")

    def side(self, maker: bool, auction: bool = False) -> Fee:
        """The fee of one side."""
        if auction:
            return self.taker if self.auction is None else self.auction
        return self.maker if maker else self.taker


@dataclass(frozen=True)
class FeeSchedule:
    """A venue's fees.

    maker, taker: of the resting order, and of the one that trades at once.
    auction: of both sides of a trade in an auction; the taker's when left out.
    minimum: least amount of currency for each fill, where the rate is above zero.
    tiers: other fees for who has traded more, by rising ``volume``: the value (in the currency of fees) of the
    participant's own fills so far in the run, in this instrument on this venue, the present fill not included.
    """

    maker: Fee = field(default_factory=Fee)
    taker: Fee = field(default_factory=Fee)
    auction: Fee | None = None
    minimum: Decimal = Decimal(0)
    tiers: tuple[FeeTier, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "minimum", decimal(self.minimum))
        if self.minimum < 0 or self.minimum % MONEY:
            raise InvalidValueError(f"minimum fee {self.minimum}: it must not be below zero, nor finer than 10^-8")
        volumes = [tier.volume for tier in self.tiers]
        if volumes != sorted(set(volumes)):
            raise InvalidValueError(f"tiers from volumes {', '.join(map(str, volumes))}: list them in rising order")

    @classmethod
    def of(cls, maker: object = 0, taker: object = 0, unit: Unit = "bps") -> FeeSchedule:
        """Both sides in the same unit: ``FeeSchedule.of(maker="-0.2", taker="0.3")``."""
        return cls(Fee(unit, decimal(maker)), Fee(unit, decimal(taker)))

    def side(self, maker: bool, auction: bool = False, volume: Decimal = Decimal(0)) -> Fee:
        """The fee of one side, for who has traded ``volume``."""
        for tier in reversed(self.tiers):
            if volume >= tier.volume:
                return tier.side(maker, auction)
        if auction:
            return self.taker if self.auction is None else self.auction
        return self.maker if maker else self.taker

    def fee(self, price: object, quantity: object, maker: bool) -> Decimal:
        """The exact fee, in currency, of ``quantity`` units at ``price`` in currency, before any volume."""
        fee = self.side(maker)
        return self._at_least(fee, fee.of(price, quantity))

    def charge(
        self,
        ticks: int,
        lots: int,
        instrument: Instrument,
        maker: bool,
        auction: bool = False,
        volume: Decimal = Decimal(0),
    ) -> Decimal:
        """The fee, in currency, of one fill; see ``Fee.of_ticks``."""
        fee = self.side(maker, auction, volume)
        return self._at_least(fee, fee.of_ticks(ticks, lots, instrument))

    def fees(self, ticks: NDArray[Any], lots: NDArray[Any], instrument: Instrument, maker: bool) -> NDArray[np.float64]:
        """The fee, in currency, of each trade of ``lots`` at ``ticks``, where every fill is charged alike."""
        return self.side(maker).of_trades(ticks, lots, instrument)

    def _at_least(self, fee: Fee, amount: Decimal) -> Decimal:
        return max(amount, self.minimum) if fee.rate > 0 else amount

    @property
    def free(self) -> bool:
        """Whether nothing is ever charged."""
        rates = [self.maker.rate, self.taker.rate, self.auction and self.auction.rate]
        for tier in self.tiers:
            rates += [tier.maker.rate, tier.taker.rate, tier.auction and tier.auction.rate]
        return not any(rates)

    def alike(self, instrument: Instrument) -> bool:
        """Whether a fill's fee is its value times a rate, whoever has traded what before."""
        return not (instrument.cleared or self.tiers or self.minimum)


class FeeMeter:
    """One participant's fees in one market, fill by fill: it remembers the volume that tiers ask for."""

    def __init__(self, schedule: FeeSchedule, instrument: Instrument) -> None:
        self.volume = Decimal(0)
        self._schedule, self._instrument = schedule, instrument

    def charge(self, ticks: int, lots: int, maker: bool, auction: bool = False) -> Decimal:
        """The fee of the next fill."""
        fee = self._schedule.charge(ticks, lots, self._instrument, maker, auction, self.volume)
        self.volume += value_of(ticks, lots, self._instrument)
        return fee


def value_of(ticks: int, lots: int, instrument: Instrument) -> Decimal:
    """The traded value of a fill, in the currency of fees."""
    if instrument.cleared:
        return instrument.notional(lots, ticks)
    return _WIDE.multiply(abs(ticks) * instrument.tick_size, lots * instrument.lot_size)
