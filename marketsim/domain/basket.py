"""A basket: an index defined by its members, their weights and a divisor. It watches no market.

The value is Σ weight · price / divisor, prices in currency; ``basket_value`` is that formula alone, for whoever has
members' prices in a row, a venue among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal

from marketsim.domain.instrument import Instrument
from marketsim.domain.units import decimal
from marketsim.errors import InvalidValueError, did_you_mean

PRICES = ("mid", "last")


def basket_value(weights: Sequence[float], prices: Sequence[float], divisor: float) -> float:
    """Σ weight · price / divisor, added up in the order of the members."""
    total = 0.0
    for place in range(len(weights)):
        total += weights[place] * prices[place]
    return total / divisor


@dataclass(frozen=True)
class Basket:
    """An index over instruments of one currency, calculated from what one venue shows of them.

    name: of the index.
    members: weight by symbol: units of each in the basket, above zero.
    divisor: what the basket's worth is divided by, above zero.
    price: which price of a member counts: ``"mid"`` of its best quotes, or its ``"last"`` trade's. As long as a member
    has none its reference price counts; afterwards the latest that it had.
    venue: whose prices count.
    interval: ns between two values that are told; 0 tells each change.
    """

    name: str
    members: Mapping[str, Decimal]
    divisor: Decimal = field(default=Decimal(1))
    price: Literal["mid", "last"] = "mid"
    venue: str = ""
    interval: int = 0

    def __post_init__(self) -> None:
        weights = {symbol: decimal(weight) for symbol, weight in sorted(self.members.items())}
        object.__setattr__(self, "members", weights)
        object.__setattr__(self, "divisor", decimal(self.divisor))
        if not weights:
            raise InvalidValueError(f"index {self.name}: a basket needs at least one member")
        for symbol, weight in weights.items():
            if weight <= 0:
                raise InvalidValueError(f"index {self.name}: the weight {weight} of {symbol} must be above zero")
        if self.divisor <= 0:
            raise InvalidValueError(f"index {self.name}: the divisor {self.divisor} must be above zero")
        if self.price not in PRICES:
            near = did_you_mean(self.price, PRICES)
            raise InvalidValueError(f"index {self.name}: price {self.price!r} is not one of the choices{near}")
        if self.interval < 0:
            raise InvalidValueError(f"index {self.name}: the interval {self.interval} ns must not be below zero")

    @classmethod
    def described(
        cls,
        name: str,
        members: Mapping[str, object],
        divisor: object = None,
        base: object = None,
        price: Literal["mid", "last"] = "mid",
        venue: str | None = None,
        interval: int = 0,
        *,
        markets: Iterable[tuple[str, Instrument]],
    ) -> Basket:
        """The basket that a scenario describes, filled in from the ``markets`` (venue, instrument) that there are.

        base: the value at the reference prices, instead of a divisor. Without a venue it is the first one that trades
        all members.
        """
        weights = {symbol: decimal(weight) for symbol, weight in members.items()}
        places = [(place, instrument) for place, instrument in markets if instrument.symbol in weights]
        if venue is None:
            counts = Counter(place for place, _ in places)
            venue = next(place for place, count in counts.items() if count == len(weights))
        if base is not None:
            prices = {instrument.symbol: instrument.reference_price for _, instrument in places}
            divisor = sum((weight * prices[symbol] for symbol, weight in weights.items()), Decimal(0)) / decimal(base)
        return cls(name, weights, decimal(1 if divisor is None else divisor), price, venue, interval)

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """Of the members, in the order of their symbols."""
        return tuple(float(weight) for weight in self.members.values())

    def value(self, prices: Mapping[str, float]) -> float:
        """The index at the members' prices in currency, by symbol."""
        return basket_value(self.weights, [prices[symbol] for symbol in self.members], float(self.divisor))
