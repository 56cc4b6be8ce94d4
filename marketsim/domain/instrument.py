"""An instrument: what is traded, and the grid of its prices and quantities.

It converts between the prices people write and the integer ticks used inside; it never trades.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from marketsim.domain.units import decimal, steps
from marketsim.errors import InvalidValueError


@dataclass(frozen=True)
class Instrument:
    """One instrument. ``tick_size``, ``lot_size`` and ``reference_price`` take text, ints or decimals.

    symbol: unique name, such as ``"ABC"``.
    tick_size: smallest price step, in currency.
    lot_size: smallest quantity step, in units of the instrument.
    reference_price: price in currency that agents start from before anything has traded.
    currency: what prices are paid in.
    """

    symbol: str
    tick_size: Decimal = field(default=Decimal("0.01"))
    lot_size: Decimal = field(default=Decimal(1))
    reference_price: Decimal = field(default=Decimal(100))
    currency: str = "USD"

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_size", "reference_price"):
            object.__setattr__(self, name, decimal(getattr(self, name)))
        if not self.symbol:
            raise InvalidValueError("an instrument needs a symbol")
        if self.tick_size <= 0 or self.lot_size <= 0:
            raise InvalidValueError(f"{self.symbol}: tick_size and lot_size must be above zero")
        self.to_ticks(self.reference_price)

    def to_ticks(self, price: object) -> int:
        """Ticks of a price in currency; InvalidValueError when it lies between two ticks."""
        return steps(price, self.tick_size, f"{self.symbol}: price")

    def to_lots(self, quantity: object) -> int:
        """Lots of a quantity in units; InvalidValueError when it is not whole lots."""
        return steps(quantity, self.lot_size, f"{self.symbol}: quantity")

    def nearest_tick(self, price: float) -> int:
        """The tick nearest to a computed price, ties to even."""
        return round(price / self.tick)

    def price(self, ticks: float) -> float:
        """Currency of a price in ticks (may be fractional: a mid lies between two ticks)."""
        return ticks * self.tick

    def quantity(self, lots: int) -> float:
        """Units of a quantity in lots."""
        return lots * self.lot

    @cached_property
    def tick(self) -> float:
        """``tick_size`` as a float, for arithmetic on computed prices."""
        return float(self.tick_size)

    @cached_property
    def lot(self) -> float:
        """``lot_size`` as a float."""
        return float(self.lot_size)

    @cached_property
    def reference(self) -> int:
        """``reference_price`` in ticks."""
        return self.to_ticks(self.reference_price)
