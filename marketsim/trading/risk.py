"""Pre-trade limits of one participant: what its broker refuses before an order leaves. It never sends anything."""

from __future__ import annotations

from dataclasses import dataclass

from marketsim.errors import InvalidValueError
from marketsim.trading.order import Order


@dataclass(frozen=True)
class Limits:
    """Limits in lots; None means no limit.

    max_order: largest order.
    max_position: largest absolute position that open orders on one side could lead to.
    """

    max_order: int | None = None
    max_position: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_order", "max_position"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidValueError(f"{name}={value}: a limit is at least 1 lot; leave it out for no limit")

    def objection(self, order: Order, position: int, open_same_side: int) -> str:
        """Why an order is refused, with the largest quantity that would pass; "" when it may go."""
        quantity = order.quantity
        return self._objection(order.side, quantity, quantity, position, open_same_side)

    def objection_to_replace(self, order: Order, quantity: int, position: int, open_same_side: int) -> str:
        """The same for new terms of an order, ``quantity`` the new total; ``open_same_side`` leaves this order out."""
        return self._objection(order.side, quantity, quantity - order.filled, position, open_same_side)

    def _objection(self, side: int, quantity: int, open_quantity: int, position: int, open_same_side: int) -> str:
        if self.max_order is not None and quantity > self.max_order:
            return f"quantity {quantity} above max_order {self.max_order}"
        if self.max_position is not None:
            reached = side * position + open_same_side + open_quantity
            if reached > self.max_position:
                allowed = max(0, quantity - (reached - self.max_position))
                return f"position could reach {reached}, above max_position {self.max_position}; at most {allowed} pass"
        return ""
