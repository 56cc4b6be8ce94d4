"""Keeps a book from event rows alone and holds every row against the page: the third opinion beside core and twin.

It knows nothing of requests except what the rows say, so it also shows that the log is enough to rebuild the book:
whoever reads the rows knows every order's open quantity, the depth and the queues.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce

Row = tuple[int, ...]
FIELDS = EVENT.names
assert FIELDS is not None

ANSWERS = {
    "new": {EventKind.ACCEPTED, EventKind.REJECTED},
    "cancel": {EventKind.CANCELED, EventKind.CANCEL_REJECTED},
    "replace": {EventKind.REPLACED, EventKind.CANCELED, EventKind.REPLACE_REJECTED},
}
OWN_REASONS = {"cancel": Reason.BY_REQUEST, "replace": Reason.BY_REPLACE}


@dataclass(eq=False)
class Known:
    """What the rows have said about one order."""

    order_id: int
    owner: int
    market: int
    side: int
    order_type: int
    time_in_force: int
    flags: int
    price: int
    total: int
    open: int
    arrival: int  # number of the row that gave it its place in the queue
    stop: int | None = None  # the trigger while it waits
    expire: int = 0
    traded: int = 0
    removed: int = 0


class Audit:
    """``feed`` it the rows of one request at a time; it raises AssertionError at the first row that cannot be."""

    def __init__(self, guarded: Iterable[int] = ()) -> None:
        self.guarded = set(guarded)  # markets that prevent self-trades
        self.orders: dict[int, Known] = {}
        self.gone: dict[int, Known] = {}
        self.last: dict[int, int] = {}
        self.count = 0
        self.elected: list[Known] = []  # stops that a trade has triggered and whose TRIGGERED row must follow
        self.crowds: dict[tuple[int, int], dict[int, Known]] = {}

    def feed(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._row(dict(zip(FIELDS, row, strict=True)))
            self.count += 1

    def settle(self, markets: Iterable[int]) -> None:
        """What must hold between two requests."""
        assert not self.elected, f"elected and never triggered: {self.elected}"
        for market in markets:
            bids, asks = self._prices(market, 1), self._prices(market, -1)
            if bids and asks:
                assert max(bids) < min(asks), f"market {market} is crossed: {max(bids)} and {min(asks)}"
            last = self.last.get(market)
            for side in (1, -1):
                for order in self.crowds.get((market, side), {}).values():
                    assert order.open >= 1, f"{order} is live with nothing open"
                    if order.stop is not None:
                        assert last is None or side * last < side * order.stop, f"{order} waits though {last} traded"
                    else:
                        assert order.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT), f"{order} rests"
                        assert order.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK), f"{order} rests"

    # -- views ------------------------------------------------------------------------------------------------

    def queue(self, market: int, side: int, price: int) -> list[tuple[int, int]]:
        level = [order for order in self._resting(market, side) if order.price == price]
        return [(order.order_id, order.open) for order in sorted(level, key=lambda order: order.arrival)]

    def depth(self, market: int, side: int) -> list[tuple[int, int, int]]:
        result = []
        for price in sorted(set(self._prices(market, side)), reverse=side == 1):
            queue = self.queue(market, side, price)
            result.append((price, sum(quantity for _, quantity in queue), len(queue)))
        return result

    def stops(self, market: int, side: int) -> list[tuple[int, int]]:
        return [(order.order_id, order.stop or 0) for order in self._waiting(market, side)]

    def _waiting(self, market: int, side: int) -> list[Known]:
        waiting = [order for order in self.crowds.get((market, side), {}).values() if order.stop is not None]
        return sorted(waiting, key=lambda order: (side * (order.stop or 0), order.arrival))

    def _resting(self, market: int, side: int) -> list[Known]:
        return [order for order in self.crowds.get((market, side), {}).values() if order.stop is None]

    def _prices(self, market: int, side: int) -> list[int]:
        return [order.price for order in self._resting(market, side)]

    # -- rows -------------------------------------------------------------------------------------------------

    def _row(self, row: dict[str, int]) -> None:
        kind = EventKind(row["kind"])
        if kind in (EventKind.REJECTED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED):
            assert row["reason"] != Reason.NONE, row
        elif kind == EventKind.ACCEPTED:
            self._accepted(row)
        else:
            order = self.orders[row["order_id"]]
            said = (order.owner, order.market, order.side, order.order_type, order.time_in_force)
            names = ("owner", "market", "side", "order_type", "time_in_force")
            assert said == tuple(row[name] for name in names), (row, order)
            assert order.flags == row["flags"] & ~OrderFlag.KEPT_PRIORITY, (row, order)
            getattr(self, "_" + kind.name.lower())(row, order)
            if order.open == 0:
                self._bury(order)

    def _accepted(self, row: dict[str, int]) -> None:
        number = row["order_id"]
        assert number not in self.orders, f"order {number} is live already"
        assert number not in self.gone, f"order {number} was there before"
        assert row["quantity"] == row["leaves"] >= 1, row
        names = ("order_id", "owner", "market", "side", "order_type", "time_in_force", "flags", "price", "quantity")
        order = Known(*(row[name] for name in names), open=row["leaves"], arrival=self.count)
        if order.order_type in (OrderType.STOP, OrderType.STOP_LIMIT):
            order.stop = 0  # TERMS says which
        self.orders[number] = order
        self.crowds.setdefault((order.market, order.side), {})[number] = order

    def _terms(self, row: dict[str, int], order: Known) -> None:
        if order.stop is not None:
            order.stop = row["price"]
            self._elect([order])
        if order.time_in_force == TimeInForce.GTD and order.expire == 0:
            assert row["leaves"] > row["time"], f"expired when accepted: {row}"
        order.expire = row["leaves"]

    def _trade(self, row: dict[str, int], taker: Known) -> None:
        maker = self.orders[row["match_id"]]
        price, quantity = row["price"], row["quantity"]
        assert quantity >= 1, row
        assert taker.stop is None is maker.stop, f"a waiting stop traded: {row}"
        assert (maker.owner, maker.market, maker.side) == (row["peer"], taker.market, -taker.side), (row, maker)
        assert taker.market not in self.guarded or taker.owner != maker.owner, f"a self-trade: {row}"
        best = max(maker.side * price for price in self._prices(maker.market, maker.side))
        assert price == maker.price == maker.side * best, f"not the maker's price or not the best: {row}"
        first = min(
            (order for order in self._resting(maker.market, maker.side) if order.price == price),
            key=lambda order: order.arrival,
        )
        assert first is maker, f"{maker} traded before {first}"
        if taker.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            assert taker.side * price <= taker.side * taker.price, f"through its limit: {row}"
        assert quantity == min(maker.open, taker.open), row
        for order in (maker, taker):
            order.open -= quantity
            order.traded += quantity
        assert maker.open == row["leaves"], row
        self.last[taker.market] = price
        for side in (1, -1):
            self._elect(self._waiting(taker.market, side))
        if maker.open == 0:
            self._bury(maker)

    def _canceled(self, row: dict[str, int], order: Known) -> None:
        order.open -= row["quantity"]
        order.removed += row["quantity"]
        assert row["quantity"] >= 1, row
        assert order.open == row["leaves"] >= 0, (row, order)
        assert row["price"] == order.price, (row, order)

    _expired = _canceled

    def _replaced(self, row: dict[str, int], order: Known) -> None:
        order.total, order.removed = row["quantity"], 0
        order.open = row["leaves"]
        kept = bool(row["flags"] & OrderFlag.KEPT_PRIORITY)
        if kept and order.stop is None:
            assert order.price == row["price"], (row, order)
        order.price = row["price"]
        if not kept:
            order.arrival = self.count
        assert order.traded + order.open == order.total, (row, order)

    def _triggered(self, row: dict[str, int], order: Known) -> None:
        assert order.stop == row["price"], (row, order)
        assert self.elected[:1] == [order], f"not the next of the elected: {row}"
        del self.elected[0]
        assert row["quantity"] == row["leaves"] == order.open, row
        order.stop, order.arrival = None, self.count

    def _elect(self, waiting: list[Known]) -> None:
        for order in waiting:
            last = self.last.get(order.market)
            if last is None or order.stop is None or order in self.elected:
                continue
            if order.side * last >= order.side * order.stop:
                self.elected.append(order)

    def _bury(self, order: Known) -> None:
        """An order that is gone has been accepted for exactly what was traded, canceled and expired."""
        if self.orders.pop(order.order_id, None) is None:
            return
        assert order.total == order.traded + order.removed, f"quantity is not conserved: {order}"
        del self.crowds[order.market, order.side][order.order_id]
        self.gone[order.order_id] = order


def check_answer(method: str, order_id: int, rows: list[Row]) -> None:
    """A request has exactly one answer, and it is the first row; expire, close and open have none."""
    if method not in ANSWERS:
        assert all(row[9] == EventKind.EXPIRED for row in rows), rows
        return
    assert rows, f"{method} of {order_id} was not answered"

    def answers(row: Row) -> bool:
        if row[1] != order_id or row[9] not in ANSWERS[method]:
            return False
        return row[9] != EventKind.CANCELED or row[11] == OWN_REASONS[method]

    assert answers(rows[0]), f"the first row does not answer {method} of {order_id}: {rows[0]}"
    assert not any(answers(row) for row in rows[1:]), f"{method} of {order_id} was answered twice: {rows}"
