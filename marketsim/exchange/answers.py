"""Answers: what a book that is used alone tells, in currency and units. Facts only; nothing here decides."""

from __future__ import annotations

from typing import NamedTuple

from marketsim.domain.order import OrderState, OrderType, Reason, Side


class BookFill(NamedTuple):
    """One trade of an order: price in currency, quantity in units, the order that rested (of an auction the sell)."""

    price: float
    quantity: float
    resting_order: int


class Result(NamedTuple):
    """What a request came to. ``leaves`` is the open quantity in units; ``reason`` is NONE unless it was refused."""

    order_id: int
    state: OrderState
    filled: float
    leaves: float
    fills: tuple[BookFill, ...]
    reason: Reason = Reason.NONE

    @property
    def average_price(self) -> float:
        """Mean price of the fills in currency; 0 when there are none."""
        return sum(f.price * f.quantity for f in self.fills) / self.filled if self.filled else 0.0


class BookTrade(NamedTuple):
    """One trade on the book: price in currency, quantity in units, ``side`` the aggressor's."""

    time: int
    price: float
    quantity: float
    side: Side
    aggressor: int
    resting_order: int
    auction: bool = False  # made by an uncross: then the buy is told as the aggressor


class RestingOrder(NamedTuple):
    """A live order; ``leaves`` is its open quantity in units, ``displayed`` what others see of it.

    ``price``: of a peg where it stands, 0 when nowhere. ``stop_price``: of a trailing stop where it stands now;
    ``distance`` is how far such a stop or a peg keeps from its reference.
    """

    order_id: int
    side: Side
    order_type: OrderType
    price: float
    stop_price: float
    quantity: float
    leaves: float
    owner: int
    displayed: float = 0.0
    distance: float = 0.0


class Level(NamedTuple):
    """One price of a book."""

    price: float
    quantity: float
    orders: int


class Cost(NamedTuple):
    """What trading a quantity at once would cost: average price and total in currency, and what would stay unfilled."""

    average_price: float
    total: float
    unfilled: float


class AuctionView(NamedTuple):
    """What an auction would come to if it ended now: price in currency, units, and units left over on ``side``."""

    price: float
    volume: float
    surplus: float
    side: Side | None  # None: nothing is left over


class BookBracket(NamedTuple):
    """What an order and its two exits came to at first; the exits wait for the entry's fills."""

    entry: Result
    take_profit: Result
    stop_loss: Result
