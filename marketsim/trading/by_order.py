"""A book of single orders as a participant rebuilds it from the feed of orders (L3): queues, and one's place in them.

It never sees the venue's own book, nor what the venue does not display. After a gap in the feed it is not synchronized
until the next snapshot.
"""

from __future__ import annotations

from typing import NamedTuple

from marketsim.domain.market_data import OrderAction, OrderUpdate
from marketsim.domain.order import Side

_BEGIN, _ADDED = OrderAction.BEGIN, OrderAction.ADDED


class ShownOrder(NamedTuple):
    """One displayed order. Among those at one price the smaller ``priority`` is ahead."""

    order_id: int
    side: Side
    price: int  # ticks
    quantity: int  # lots displayed
    priority: int


class QueuePosition(NamedTuple):
    """What stands in front of an order at its price, and all that is displayed there, itself included."""

    orders_ahead: int
    lots_ahead: int
    lots: int


class OrderByOrderBook:
    """Displayed orders by price and priority. ``synchronized`` is False before a whole snapshot and after a gap."""

    def __init__(self) -> None:
        self.orders: dict[int, ShownOrder] = {}
        self.sequence = -1
        self.synchronized = False
        self._queues: dict[tuple[Side, int], dict[int, ShownOrder]] = {}  # in the order of priority
        self._missing = 0  # orders of a snapshot that are still to come

    def apply(self, update: OrderUpdate) -> bool:
        """Take in an update; False when it could not be used (older than the snapshot, or after a gap)."""
        if update.action is _BEGIN:
            self._begin(update)
            return True
        if self._missing:
            return self._continue(update)
        if not self.synchronized or update.sequence <= self.sequence:
            return False
        if update.sequence != self.sequence + 1:
            self.synchronized = False
            return False
        self.sequence = update.sequence
        self._change(update)
        return True

    def queue(self, side: Side, price: int) -> list[ShownOrder]:
        """The orders at a price, in the order in which they trade."""
        return list(self._queues.get((side, price), {}).values())

    def levels(self, side: Side, count: int | None = None) -> list[tuple[int, int, int]]:
        """(price, displayed lots, orders) of the best levels of a side, best first; all by default."""
        prices = sorted((price for where, price in self._queues if where is side), reverse=side is Side.BUY)
        queues = [(price, self._queues[side, price].values()) for price in prices[:count]]
        return [(price, sum(order.quantity for order in queue), len(queue)) for price, queue in queues]

    def position(self, order_id: int) -> QueuePosition | None:
        """Where an order stands in its queue; None when it is not displayed."""
        order = self.orders.get(order_id)
        if order is None:
            return None
        queue = self.queue(order.side, order.price)
        ahead = [other for other in queue if other.priority < order.priority]
        return QueuePosition(len(ahead), sum(o.quantity for o in ahead), sum(o.quantity for o in queue))

    def _begin(self, update: OrderUpdate) -> None:
        self.orders.clear()
        self._queues.clear()
        self.sequence = update.sequence
        self._missing = update.quantity
        self.synchronized = self._missing == 0

    def _continue(self, update: OrderUpdate) -> bool:
        """One more order of a snapshot; an increment that was overtaken by it tells nothing that it lacks."""
        if update.sequence > self.sequence:  # the snapshot came only in part
            self._missing = 0
            return False
        if update.sequence < self.sequence or update.action is not _ADDED or update.order_id in self.orders:
            return False
        self._change(update)
        self._missing -= 1
        self.synchronized = self._missing == 0
        return True

    def _change(self, update: OrderUpdate) -> None:
        _, _, action, order_id, side, price, _, leaves, priority, _, _ = update
        queue = self._queues.setdefault((side, price), {})
        if leaves and (action is _ADDED or order_id in queue):
            self.orders[order_id] = queue[order_id] = ShownOrder(order_id, side, price, leaves, priority)
            return
        queue.pop(order_id, None)
        self.orders.pop(order_id, None)
        if not queue:
            del self._queues[side, price]
