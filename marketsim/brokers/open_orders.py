"""The open orders of one participant, and the requests about them that no venue has answered yet.

Sessions keep their order, so an answer belongs to the oldest request about its order. An order that is over stays known
until the last of its requests is answered. It never sends anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Report
from marketsim.domain.order import Reason
from marketsim.trading.order import Order

_ACCEPTED, _CANCELED, _REPLACED = EventKind.ACCEPTED, EventKind.CANCELED, EventKind.REPLACED
_REPLACE_REJECTED = EventKind.REPLACE_REJECTED
_REFUSALS = (EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED)
_ANSWERS = (Reason.BY_REQUEST, Reason.BY_REPLACE)


class Unanswered(NamedTuple):
    """Requests about one order, in the order in which they left."""

    order: Order
    asked: list[tuple[int, int]]  # of a replace: new total, new stop price; (0, 0) for a cancel


class OpenOrders:
    """Orders by the broker's reference, which is the id that the venue will use.

    counted: is told how many lots of an order could still trade, whenever that may have changed.
    """

    def __init__(self) -> None:
        self.counted: Callable[[Order, int], None] | None = None
        self._orders: dict[int, Order] = {}
        self._unanswered: dict[int, Unanswered] = {}

    def add(self, order: Order) -> None:
        """A new order is on its way."""
        self._orders[order.reference] = order
        if self.counted is not None:
            self.counted(order, order.leaves)

    def ask(self, order: Order, quantity: int = 0, stop_price: int = 0) -> None:
        """A cancel, or a replace with its new total and stop price, is on its way."""
        waiting = self._unanswered.get(order.reference)
        if waiting is None:
            waiting = self._unanswered[order.reference] = Unanswered(order, [])
        waiting.asked.append((quantity, stop_price))
        if self.counted is not None:
            self._count(order)

    def find(self, reference: int) -> Order | None:
        """The order that a report is about; None when it is not known, or no longer."""
        order = self._orders.get(reference)
        if order is None and self._unanswered and reference in self._unanswered:
            return self._unanswered[reference].order
        return order

    def apply(self, order: Order, report: Report) -> None:
        """An order takes in a report."""
        order.apply(report)
        if self._unanswered:
            self._take_answer(order, report)
        if not order.leaves:
            self._orders.pop(order.reference, None)
        if self.counted is not None and report.kind is not _ACCEPTED:
            self._count(order)

    def __iter__(self) -> Iterator[Order]:
        """Orders that may still trade, oldest first."""
        return iter(self._orders.values())

    def lots(self) -> Iterator[tuple[Order, int]]:
        """The same, each with the lots that it could still trade."""
        for order in self._orders.values():
            yield order, self._open(order) if self._unanswered else order.leaves

    def _count(self, order: Order) -> None:
        assert self.counted is not None
        if order.reference not in self._orders:
            self.counted(order, 0)
        else:
            self.counted(order, self._open(order) if self._unanswered else order.leaves)

    def _open(self, order: Order) -> int:
        """Open lots of an order, or more where a replace that asks for more is on its way."""
        waiting = self._unanswered.get(order.reference)
        if waiting is None:
            return order.leaves
        return max(order.leaves, *(quantity - order.filled for quantity, _ in waiting.asked))

    def _take_answer(self, order: Order, report: Report) -> None:
        kind = report.kind
        if kind not in _REFUSALS and kind is not _REPLACED and (kind is not _CANCELED or report.reason not in _ANSWERS):
            return
        waiting = self._unanswered.get(order.reference)
        if waiting is None:
            return
        _, stop_price = waiting.asked.pop(_place(waiting.asked, report))
        if kind is _REPLACED and order.stop_price:
            order.stop_price = stop_price
        if not waiting.asked:
            del self._unanswered[order.reference]


def _place(asked: list[tuple[int, int]], report: Report) -> int:
    """Which request a report answers: the oldest, unless a session that is down refuses it before that is answered."""
    if report.reason is not Reason.DISCONNECTED:
        return 0
    total = report.quantity if report.kind is _REPLACE_REJECTED else 0
    return next((place for place, (quantity, _) in enumerate(asked) if quantity == total), 0)
