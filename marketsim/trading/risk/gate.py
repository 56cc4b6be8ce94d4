"""The gate: stands where the guard would, as long as a strategy with limits in lots alone is far from them.

Most strategies never come near a limit of lots, and a guard that counts every order and every fill would cost a good
part of an order's life. So the gate counts nothing while orders trade. It knows how many lots could be asked for until
a limit could be near, however they trade, and takes each order off that room. When the room is used up it looks at what
is held and open, and begins anew; where a limit, or its warning, is near in truth, the guard takes its place for good.
It refuses nothing and warns of nothing itself, so what is told and refused is the same with it and without.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from marketsim.domain.limits import Limits
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Portfolio
from marketsim.trading.risk.guard import Guard

_UNKNOWN = -1  # room, when what is held may have changed by more than the fills of open orders


class Gated(Protocol):
    """A session, as its gate sees it."""

    portfolio: Portfolio

    @property
    def guard(self) -> Guard:
        """The guard; from the first time on it stands where the gate stood."""

    def exposure(self) -> Iterable[tuple[Order, int]]:
        """Orders that may still trade, with the lots that each could."""


class Gate:
    """Limits in lots of one strategy. Where there are others, or a firm's, ``suits`` says no."""

    __slots__ = ("_largest", "_room", "_session", "_soft")

    def __init__(self, session: Gated, limits: Limits) -> None:
        self._session = session
        self._largest = _soft(limits.max_order, limits.warn_at)
        self._soft = _soft(limits.max_position, limits.warn_at)
        self._room: float = _UNKNOWN  # lots

    @staticmethod
    def suits(limits: Limits) -> bool:
        """Whether an order's own lots, and what is held and open, are all that the limits are about."""
        return not limits.marked and limits.max_rate is None

    def refuses(self, order: Order, quantity: int, price: int, now: int, *, replace: bool = False) -> bool:
        """Whether an order, or new terms of one with ``quantity`` in total, must not leave."""
        more = max(0, quantity - order.filled - order.leaves) if replace else quantity
        room = self._room - more
        if room >= 0 and quantity <= self._largest:
            self._room = room
            return False
        if quantity <= self._largest and self._looks_far(more):
            return False
        return self._session.guard.refuses(order, quantity, price, now, replace=replace)

    def moved(self, symbol: str) -> None:
        """A position has changed, and not by a fill of an open order."""
        self._room = _UNKNOWN

    def _looks_far(self, more: int) -> bool:
        """Look at what is held and open, ``more`` lots beside it; whether half of the room is left at least."""
        self._room = self._soft - self._reached() - more
        return 2 * self._room >= self._soft

    def _reached(self) -> int:
        """The largest position, long or short, that open orders could lead to in any instrument."""
        long = dict(self._session.portfolio.lots)
        short = {symbol: -lots for symbol, lots in long.items()}
        for order, lots in self._session.exposure():
            way, symbol = long if order.side > 0 else short, order.instrument.symbol
            way[symbol] = way.get(symbol, 0) + lots
        return max((*long.values(), *short.values()), default=0)


def _soft(limit: int | None, warn_at: float) -> float:
    """The largest number that is not worth a warning."""
    return math.inf if limit is None else limit * warn_at
