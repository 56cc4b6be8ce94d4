"""An instrument: what is traded, on which terms, and the grid of its prices and quantities.

It converts between the prices people write and the integer ticks used inside; it never trades and keeps no positions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import cached_property
from typing import Literal, get_args

from marketsim.domain.contract import MONEY, portion, worth
from marketsim.domain.order import Reason
from marketsim.domain.units import decimal, duration, steps, time_of_day
from marketsim.errors import InvalidValueError, did_you_mean

Kind = Literal["spot", "perpetual", "inverse_perpetual", "future", "option"]
Right = Literal["call", "put"]
Rounding = Literal["round", "ceil", "floor"]
_MODES = {"round": ROUND_HALF_EVEN, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
_DECIMALS = ("tick_size", "lot_size", "reference_price", "multiplier", "initial_margin", "maintenance_margin")
_MAYBE_DECIMALS = ("strike", "min_notional", "max_notional", "price_band", "funding_rate", "funding_cap")
_LARGEST = 1 << 53


@dataclass(frozen=True)
class Instrument:
    """One instrument. Prices, sizes and shares take text, ints or decimals.

    symbol: unique name, such as ``"ABC"``.
    tick_size: smallest price step, in currency.
    lot_size: smallest quantity step, in units of the instrument.
    reference_price: price in currency that agents start from before anything has traded.
    currency: what prices are quoted in, and paid in unless ``settlement`` says otherwise.
    kind: ``spot``, ``perpetual`` (linear), ``inverse_perpetual``, ``future`` or ``option`` (European, cash-settled).
    multiplier: units of the underlying in one unit; of an inverse contract the currency that one unit stands for.
    settlement: currency of margin and profit; ``currency`` when left out, the base coin of an inverse contract.
    underlying: symbol of the instrument whose price is the index.
    expiry: ns after midnight of the first day at which a future or option is settled; text such as ``"16:00"``.
    strike, right: of an option; ``call`` or ``put``.
    initial_margin, maintenance_margin: shares of the notional value: to open a position, and to keep it.
    funding_every: ns between two payments of a perpetual; ``"8h"`` by default.
    funding_rate: paid by longs each time, as a share of the notional; the premium over the index when left out.
    funding_cap: the largest rate, either way.
    min_notional, max_notional: currency of settlement that an order may be worth.
    price_band: share by which a limit price may differ from the mark, last or reference price, the first there is.
    sector, asset_class: tags.
    basket: name of the index that it stands for, as a fund's share does; "" for none.
    """

    symbol: str
    tick_size: Decimal = field(default=Decimal("0.01"))
    lot_size: Decimal = field(default=Decimal(1))
    reference_price: Decimal = field(default=Decimal(100))
    currency: str = "USD"
    kind: Kind = "spot"
    multiplier: Decimal = field(default=Decimal(1))
    settlement: str = ""
    underlying: str = ""
    expiry: int | None = None
    strike: Decimal | None = None
    right: Right | None = None
    initial_margin: Decimal = field(default=Decimal("0.1"))
    maintenance_margin: Decimal = field(default=Decimal("0.05"))
    funding_every: int | None = None
    funding_rate: Decimal | None = None
    funding_cap: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    price_band: Decimal | None = None
    sector: str = ""
    asset_class: str = ""
    basket: str = ""

    def __post_init__(self) -> None:
        for name in _DECIMALS:
            object.__setattr__(self, name, decimal(getattr(self, name)))
        if not self.symbol:
            raise InvalidValueError("an instrument needs a symbol")
        if self.tick_size <= 0 or self.lot_size <= 0:
            raise InvalidValueError(f"{self.symbol}: tick_size and lot_size must be above zero")
        self.to_ticks(self.reference_price)
        for name in _MAYBE_DECIMALS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, decimal(getattr(self, name)))
        if self.expiry is not None:
            object.__setattr__(self, "expiry", time_of_day(self.expiry))
        if self.funding_every is not None:
            object.__setattr__(self, "funding_every", duration(self.funding_every))
        if found := self._contradiction():
            raise InvalidValueError(f"{self.symbol}: {found[1]}")

    def _contradiction(self) -> tuple[str, str] | None:
        return contradiction({name: getattr(self, name) for name in self.__dataclass_fields__})

    def terms(self) -> dict[str, str | int]:
        """Every field that is not at its default, but the symbol: decimals as text, times in ns."""
        found: dict[str, str | int] = {}
        for name, known in self.__dataclass_fields__.items():
            value = getattr(self, name)
            if name != "symbol" and value != known.default:
                found[name] = value if isinstance(value, int) else str(value)
        return found

    # --- prices and quantities ---

    def to_ticks(self, price: object) -> int:
        """Ticks of a price in currency; InvalidValueError when it lies between two ticks."""
        return steps(price, self.tick_size, f"{self.symbol}: price")

    def to_lots(self, quantity: object) -> int:
        """Lots of a quantity in units; InvalidValueError when it is not whole lots."""
        return steps(quantity, self.lot_size, f"{self.symbol}: quantity")

    def round_price(self, price: object, how: Rounding = "round") -> Decimal:
        """The price on the grid, exactly: the nearest (halves to even), or the next above or below."""
        return _on_grid(decimal(price), self.tick_size, how)

    def round_quantity(self, quantity: object, how: Rounding = "floor") -> Decimal:
        """The quantity in whole lots, exactly; by default never more than was asked for."""
        return _on_grid(decimal(quantity), self.lot_size, how)

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

    # --- the contract ---

    @property
    def cleared(self) -> bool:
        """Whether it is a contract: a position with margin, not something that is owned."""
        return self.kind != "spot"

    @property
    def inverse(self) -> bool:
        """Whether it is quoted in one currency and settled in the other."""
        return self.kind == "inverse_perpetual"

    @property
    def filtered(self) -> bool:
        """Whether a venue looks at the notional value or the price of its orders."""
        return not (self.min_notional is None and self.max_notional is None and self.price_band is None)

    @property
    def money(self) -> str:
        """The currency of margin, profit and fees."""
        return self.settlement or self.currency

    @cached_property
    def factor(self) -> Fraction:
        """Money units of one lot at a price of one tick; see ``domain.contract.worth``."""
        size = Fraction(self.lot_size) * Fraction(self.multiplier) / Fraction(MONEY)
        return size / Fraction(self.tick_size) if self.inverse else size * Fraction(self.tick_size)

    def worth(self, lots: int, ticks: int) -> int:
        """Money units of signed lots at a price, from the long side; see ``domain.contract``."""
        return worth(int(self.inverse), lots, ticks, self.factor.numerator, self.factor.denominator)

    def worth_at(self, quantity: Decimal, price: Decimal) -> Decimal:
        """The same for units at any price, in currency of settlement; of inverse contracts to a money unit."""
        size = quantity * self.multiplier
        if not self.inverse:
            return size * price
        exact = Fraction(size) / Fraction(price) / Fraction(MONEY) if price > 0 else Fraction(0)
        return -portion(1, exact.numerator, exact.denominator) * MONEY

    def notional(self, lots: int, ticks: int) -> Decimal:
        """What lots at a price stand for, in currency of settlement, without sign."""
        return abs(self.worth(lots, ticks)) * MONEY

    def refusal(self, lots: int, ticks: int | None, anchor: int) -> Reason:
        """Why the filters refuse an order, or NONE. ``ticks`` is None for a market order, which counts at ``anchor``.

        anchor: the mark, last or reference price in ticks.
        """
        if self.price_band is not None and ticks is not None and abs(ticks - anchor) > self.price_band * abs(anchor):
            return Reason.OUTSIDE_BANDS
        value = self.notional(lots, anchor if ticks is None else ticks)
        low, high = self.min_notional, self.max_notional
        if (low is not None and value < low) or (high is not None and value > high):
            return Reason.NOTIONAL
        return Reason.NONE


def contradiction(terms: dict[str, object]) -> tuple[str, str] | None:
    """The field and the words of what contradicts in an instrument's terms, if anything does."""
    kind = terms.get("kind") or "spot"
    if kind not in get_args(Kind):
        return "kind", f"kind {kind!r} is unknown{did_you_mean(str(kind), get_args(Kind))}"
    for name, said in (("strike", "option"), ("right", "option")):
        if kind == said and terms.get(name) is None:
            return name, f"an {said} needs a {name}"
        if kind != said and terms.get(name) is not None:
            return name, f"only an option has a {name}: leave it out, or write kind: option"
    if terms.get("right") not in (None, *get_args(Right)):
        return "right", f'right {terms["right"]!r} is unknown: write "call" or "put"'
    if kind in ("future", "option"):
        if terms.get("expiry") is None:
            return "expiry", f'a {kind} needs an expiry, such as "16:00" or "2d 16h"'
    elif terms.get("expiry") is not None:
        return "expiry", f"a {kind} never expires: leave the expiry out, or write kind: future"
    return _contradicting_numbers(str(kind), terms)


def _contradicting_numbers(kind: str, terms: dict[str, object]) -> tuple[str, str] | None:
    for name in ("funding_every", "funding_rate", "funding_cap"):
        if terms.get(name) is not None and not kind.endswith("perpetual"):
            return name, f"only a perpetual pays funding, not a {kind}: leave it out"
    for name in ("multiplier", "strike", "funding_every", "funding_cap", "max_notional", "price_band"):
        value = terms.get(name)
        if value is not None and value <= 0:  # type: ignore[operator]
            return name, f"{name} {value} must be above zero"
    if kind == "spot" and terms.get("multiplier", 1) != 1:
        return "multiplier", "spot has no multiplier: leave it out, or choose another kind"
    if kind == "spot" and terms.get("settlement"):
        return "settlement", "spot is paid in its currency: leave the settlement out, or choose another kind"
    if kind == "inverse_perpetual" and terms.get("settlement") in ("", None, terms.get("currency")):
        return (
            "settlement",
            "an inverse contract is settled in the base coin: name another currency than that of prices",
        )
    if kind not in ("spot", "inverse_perpetual") and terms.get("settlement") not in ("", None, terms.get("currency")):
        return "settlement", f"a {kind} is settled in the currency of its prices: leave the settlement out"
    if kind == "option" and not terms.get("underlying"):
        return "underlying", "an option needs an underlying: the symbol of the instrument that it is about"
    if kind == "option" and Fraction(str(terms["strike"])) % Fraction(str(terms["tick_size"])):
        return "strike", f"strike {terms['strike']} is not a multiple of the tick_size {terms['tick_size']}"
    initial, keep = terms.get("initial_margin", Decimal("0.1")), terms.get("maintenance_margin", Decimal("0.05"))
    if not 0 < keep <= initial <= 1:  # type: ignore[operator]
        return "maintenance_margin", f"0 < maintenance_margin {keep} <= initial_margin {initial} <= 1 does not hold"
    low, high = terms.get("min_notional"), terms.get("max_notional")
    if low is not None and (low < 0 or (high is not None and low > high)):  # type: ignore[operator]
        return "min_notional", f"0 <= min_notional {low} <= max_notional {high} does not hold"
    filtered = any(terms.get(name) is not None for name in ("min_notional", "max_notional", "price_band"))
    return _off_grid(terms) if kind != "spot" or filtered else None


def _off_grid(terms: dict[str, object]) -> tuple[str, str] | None:
    """A lot of a linear contract at one tick must be whole money units, or profit would have to be rounded."""
    tick, lot, size = (Fraction(str(terms[name])) for name in ("tick_size", "lot_size", "multiplier"))
    if terms.get("kind") == "inverse_perpetual":
        factor = lot * size / tick / Fraction(MONEY)
        fine = factor.numerator * factor.denominator < _LARGEST
    else:
        factor = tick * lot * size / Fraction(MONEY)
        fine = factor.denominator == 1 and factor.numerator < _LARGEST
    if fine:
        return None
    return "lot_size", (
        f"one lot at one tick is {float(factor * Fraction(MONEY)):g} of currency, which is not a whole number of "
        f"10^-8 below 2^53: choose another tick_size, lot_size or multiplier"
    )


def _on_grid(value: Decimal, step: Decimal, how: Rounding) -> Decimal:
    if how not in _MODES:
        raise InvalidValueError(f"{how!r} is unknown{did_you_mean(str(how), _MODES)}")
    exact = Fraction(value) / Fraction(step)
    below = exact.numerator // exact.denominator
    over = exact - below
    up = over > 0 and (how == "ceil" or (how == "round" and (over > Fraction(1, 2) or (over * 2 == 1 and below % 2))))
    return (below + int(up)) * step
