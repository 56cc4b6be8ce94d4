"""Supply and demand: what each unit is worth to buyers and costs sellers, and where the two schedules meet.

A double auction's schedules in one noun. Values and costs are currency. It knows no agent, no order and no trade.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from marketsim.errors import InvalidValueError

Units = tuple[float, ...]


class Equilibrium(NamedTuple):
    """Where supply meets demand: at any price from ``low`` to ``high`` as much is offered as is wanted.

    ``quantity`` is how many units change hands with a gain (further ones may without any), ``surplus`` the largest sum
    of all gains, in currency. Without any gain to be had ``low`` is the highest value and ``high`` the lowest cost.
    """

    low: float
    high: float
    quantity: int
    surplus: float

    @property
    def price(self) -> float:
        """The middle of the prices at which the market clears."""
        return 0.5 * (self.low + self.high)


@dataclass(frozen=True)
class Schedule:
    """Who may buy and sell which units in a trading period. A trader's units are traded in the order given.

    values: of each buyer's units, by its name. costs: of each seller's. quantity: how much of the instrument a unit is.
    period: ns after which all units may be traded again; 0 for never. start: ns at which the first one begins.
    one_by_one: of each trader only one unit is there at a time, a new one after every ``period`` / its units.
    """

    values: Mapping[str, Units]
    costs: Mapping[str, Units]
    quantity: float = 1.0
    period: int = 0
    start: int = 0
    one_by_one: bool = field(default=False)

    def __post_init__(self) -> None:
        both = sorted(set(self.values) & set(self.costs))
        if both:
            raise InvalidValueError(f"{both[0]} both buys and sells; give a trader units of one side only")
        for name, units in self.traders():
            if not all(math.isfinite(unit) and unit >= 0.0 for unit in units):
                raise InvalidValueError(f"{name}: values and costs must be finite and at least 0, not {list(units)}")

    def traders(self) -> Iterator[tuple[str, Units]]:
        """Buyers, then sellers, with their units."""
        yield from self.values.items()
        yield from self.costs.items()

    @property
    def demand(self) -> Units:
        """All values, the highest first."""
        return tuple(sorted((unit for units in self.values.values() for unit in units), reverse=True))

    @property
    def supply(self) -> Units:
        """All costs, the lowest first."""
        return tuple(sorted(unit for units in self.costs.values() for unit in units))

    def equilibrium(self) -> Equilibrium:
        """Price, quantity and surplus of one period."""
        demand, supply = self.demand, self.supply
        gains = [value - cost for value, cost in zip(demand, supply, strict=False)]
        traded = sum(gain > 0.0 for gain in gains)
        low = max(supply[traded - 1] if traded else -math.inf, demand[traded] if traded < len(demand) else -math.inf)
        high = min(demand[traded - 1] if traded else math.inf, supply[traded] if traded < len(supply) else math.inf)
        return Equilibrium(low, high, traded, self.quantity * sum(gains[:traded]))

    def equilibrium_profits(self, price: float | None = None) -> dict[str, float]:
        """What each trader earns in a period when all units trade at the equilibrium price, currency."""
        at = self.equilibrium().price if price is None else price
        profits = {name: sum(max(value - at, 0.0) for value in units) for name, units in self.values.items()}
        profits |= {name: sum(max(at - cost, 0.0) for cost in units) for name, units in self.costs.items()}
        return {name: self.quantity * profit for name, profit in profits.items()}


def evenly(first: float, last: float, count: int) -> Units:
    """``count`` values from the first to the last with equal steps between them; halfway for one."""
    if count == 1:
        return (0.5 * (first + last),)
    return tuple(first + (last - first) * step / (count - 1) for step in range(count))


def dealt(units: Sequence[float], hands: int) -> list[Units]:
    """Units dealt out among so many traders in turn."""
    return [tuple(units[place::hands]) for place in range(hands)]
