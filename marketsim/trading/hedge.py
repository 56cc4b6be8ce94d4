"""Hedge mode: a long and a short leg of one instrument, held apart by their owner.

A venue nets; the legs are the participant's own book. An order that names its leg (``position="long"`` or ``"short"``)
opens that leg on its own side and closes it on the other. It may close no more than there is: what contradicts is
refused before it leaves (reason POSITION_SIDE). Quantities are lots.
"""

from __future__ import annotations

from collections.abc import Iterable

from marketsim.domain.order import Side
from marketsim.errors import InvalidValueError
from marketsim.trading.order import Order

LEGS = ("long", "short")
_OPENS = {"long": Side.BUY, "short": Side.SELL}


class Legs:
    """The legs of one participant, by symbol."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], int] = {}

    def held(self, symbol: str, leg: str) -> int:
        """Lots of a leg, never negative."""
        if leg not in LEGS:
            raise InvalidValueError(f'position={leg!r}: write "long" or "short"')
        return self._held.get((symbol, leg), 0)

    def contradicts(self, order: Order, quantity: int, orders: Iterable[Order]) -> str:
        """Why an order of so many open lots contradicts its leg, or "" when it does not.

        ``orders``: the participant's open ones; those that close the same leg count as if they had traded.
        """
        held = self.held(order.instrument.symbol, order.position)
        if order.side is _OPENS[order.position]:
            return ""
        closing = sum(
            other.leaves
            for other in orders
            if other is not order
            and other.position == order.position
            and other.side is order.side
            and other.instrument.symbol == order.instrument.symbol
        )
        if quantity + closing <= held:
            return ""
        return f"it closes {quantity} lots, with other orders {quantity + closing}, of a {order.position} leg of {held}"

    def fill(self, symbol: str, side: Side, lots: int, leg: str) -> None:
        """Take in a fill of an order of a leg; one that names none (a venue's liquidation) closes what it can."""
        if not leg:
            leg = "long" if side is Side.SELL else "short"
            lots = min(lots, self._held.get((symbol, leg), 0))
        signed = lots if side is _OPENS[leg] else -lots
        self._held[symbol, leg] = self._held.get((symbol, leg), 0) + signed

    def end(self, symbol: str) -> None:
        """The contract has come to its end."""
        for leg in LEGS:
            self._held.pop((symbol, leg), None)

    def __bool__(self) -> bool:
        return bool(self._held)
