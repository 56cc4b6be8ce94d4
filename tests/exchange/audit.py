"""Keeps a book from event rows alone and holds every row against the page: the third opinion beside core and twin.

It knows nothing of requests except what the rows say, so it also shows that the log is enough to rebuild the book:
whoever reads the rows knows every order's open quantity, the depth, the queues and the stops. Of a market's settings it
must be told what the rows do not say: whether self-trades are prevented, accounts, and pro-rata allocation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from marketsim.domain.event import EVENT, EventKind
from marketsim.domain.order import OrderFlag, OrderType, Reason, TimeInForce
from marketsim.domain.phase import Phase

Row = tuple[int, ...]
FIELDS = EVENT.names
assert FIELDS is not None

STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
PEGS = (OrderType.PRIMARY_PEG, OrderType.MARKET_PEG, OrderType.MID_PEG)
ANSWERS = {
    "new": {EventKind.ACCEPTED, EventKind.REJECTED},
    "cancel": {EventKind.CANCELED, EventKind.CANCEL_REJECTED},
    "replace": {EventKind.REPLACED, EventKind.CANCELED, EventKind.REPLACE_REJECTED},
    "cancel_owner": {EventKind.MASS_CANCELED},
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
    price: int  # its limit; of a peg the price at which it stands
    total: int
    open: int
    arrival: int  # number of the row that gave it its place
    stop: int | None = None  # the price that elects it, while it has one and was not elected
    display: int = 0
    minimum: int = 0
    partner: int = 0
    reserve: int = 0  # not shown yet, or not released yet
    parked: bool = False
    limited: bool = True
    coming: bool = True  # on its way to where it will stand
    traded: int = 0
    removed: int = 0

    @property
    def active(self) -> int:
        return self.open - self.reserve

    @property
    def is_peg(self) -> bool:
        return self.order_type in PEGS

    @property
    def hidden(self) -> bool:
        return bool(self.flags & OrderFlag.HIDDEN) or self.is_peg

    @property
    def rests(self) -> bool:
        """Whether it stands on the book, displayed or hidden."""
        return self.stop is None and self.limited and not self.parked and self.active > 0

    @property
    def called(self) -> bool:
        """Whether it is in a call queue."""
        return not self.limited and self.stop is None and not self.parked and not self.is_peg and self.active > 0

    def rest(self) -> None:
        """It has come to where it stands; an iceberg shows a part."""
        self.coming = False
        if self.display:
            self.reserve = self.open - min(self.display, self.open)

    def lose(self, quantity: int) -> None:
        """Lots that did not trade: an iceberg's reserve first, of a conditional order what is active."""
        first = self.reserve if self.display else self.active
        rest = max(0, quantity - first)
        self.reserve -= min(quantity, first) if self.display else rest
        self.open -= quantity


class Audit:
    """``feed`` it the rows of one request at a time; it raises AssertionError at the first row that cannot be."""

    def __init__(self) -> None:
        self.guarded: set[int] = set()  # markets that prevent self-trades
        self.pro_rata: set[int] = set()
        self.accounts: dict[int, int] = {}
        self.orders: dict[int, Known] = {}
        self.gone: dict[int, Known] = {}
        self.phases: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.count = 0
        self.elected: list[Known] = []  # stops that a trade has triggered and whose TRIGGERED row must follow
        self.crowds: dict[tuple[int, int], dict[int, Known]] = {}
        self.coming: list[Known] = []
        self.just_traded: tuple[int, ...] = ()

    def set(self, method: str, *terms: int) -> None:
        """A market's settings, as the core was told them."""
        if method == "prevent_self_trades":
            (self.guarded.add if terms[1] else self.guarded.discard)(terms[0])
        elif method == "set_account":
            self.accounts[terms[0]] = terms[1]
        elif method == "set_allocation":
            (self.pro_rata.add if terms[1] else self.pro_rata.discard)(terms[0])

    def feed(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._row(dict(zip(FIELDS, row, strict=True)))
            self.count += 1
        self._arrive()

    def settle(self, markets: Iterable[int]) -> None:
        """What must hold between two requests."""
        assert not any(order.order_id in self.orders for order in self.elected), f"never triggered: {self.elected}"
        self.elected.clear()
        for market in markets:
            continuous = self.phases.get(market, Phase.CONTINUOUS) == Phase.CONTINUOUS
            bids, asks = self._prices(market, 1), self._prices(market, -1)
            if continuous and bids and asks:
                assert max(bids) < min(asks), f"market {market} is crossed: {max(bids)} and {min(asks)}"
            last = self.last.get(market)
            for side in (1, -1):
                for order in self.crowds.get((market, side), {}).values():
                    assert order.open >= 1, f"{order} is live with nothing open"
                    assert 0 <= order.reserve <= order.open, order
                    if order.stop is not None and order.active > 0 and continuous and last is not None:
                        assert side * last < side * order.stop, f"{order} waits though {last} traded"
                    if order.rests:
                        assert order.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK), f"{order} rests"
                    elif order.called:
                        assert not continuous, f"{order} is in a call queue of continuous trading"

    # -- views ------------------------------------------------------------------------------------------------

    def queue(self, market: int, side: int, price: int) -> list[tuple[int, int]]:
        return self.queues(market, side)[price]

    def queues(self, market: int, side: int) -> dict[int, list[tuple[int, int]]]:
        """(order_id, displayed quantity) in time priority, by price."""
        found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for order in sorted(self._displayed(market, side), key=lambda order: order.arrival):
            found[order.price].append((order.order_id, order.active))
        return found

    def depth(self, market: int, side: int) -> list[tuple[int, int, int]]:
        queues = sorted(self.queues(market, side).items(), reverse=side == 1)
        return [(price, sum(quantity for _, quantity in queue), len(queue)) for price, queue in queues]

    def stops(self, market: int, side: int) -> list[tuple[int, int]]:
        return [(order.order_id, order.stop or 0) for order in self._waiting(market, side)]

    def _crowd(self, market: int, side: int) -> Iterable[Known]:
        return self.crowds.get((market, side), {}).values()

    def _waiting(self, market: int, side: int) -> list[Known]:
        waiting = [order for order in self._crowd(market, side) if order.stop is not None and order.active > 0]
        return sorted(waiting, key=lambda order: (side * (order.stop or 0), order.arrival))

    def _displayed(self, market: int, side: int) -> list[Known]:
        return [order for order in self._crowd(market, side) if order.rests and not order.hidden]

    def _prices(self, market: int, side: int) -> list[int]:
        return [order.price for order in self._displayed(market, side)]

    # -- rows -------------------------------------------------------------------------------------------------

    def _row(self, row: dict[str, int]) -> None:
        kind = EventKind(row["kind"])
        if kind == EventKind.TRADE:
            self.just_traded = (row["order_id"], row["match_id"])
        elif kind != EventKind.CANCELED:
            self.just_traded = ()
        if kind in (EventKind.REJECTED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED):
            assert row["reason"] != Reason.NONE, row
        elif kind == EventKind.MASS_CANCELED:
            assert row["quantity"] >= 0, row
        elif kind == EventKind.PHASE:
            self._phase(row)
        elif kind == EventKind.ACCEPTED:
            self._accepted(row)
        else:
            order = self.orders[row["order_id"]]
            said = (order.owner, order.market, order.side, order.order_type, order.time_in_force)
            names = ("owner", "market", "side", "order_type", "time_in_force")
            assert said == tuple(row[name] for name in names), (row, order)
            assert order.flags == row["flags"] & ~(OrderFlag.KEPT_PRIORITY | OrderFlag.AUCTION), (row, order)
            getattr(self, "_" + kind.name.lower())(row, order)
            if order.open == 0:
                self._bury(order)

    def _phase(self, row: dict[str, int]) -> None:
        market = row["market"]
        assert row["leaves"] == self.phases.get(market, Phase.CONTINUOUS) != row["quantity"], row
        self.phases[market] = row["quantity"]
        if row["quantity"] == Phase.CONTINUOUS:
            for side in (1, -1):
                self._elect(self._waiting(market, side))

    def _accepted(self, row: dict[str, int]) -> None:
        number = row["order_id"]
        assert number not in self.orders, f"order {number} is live already"
        assert number not in self.gone, f"order {number} was there before"
        assert row["quantity"] == row["leaves"] >= 1, row
        names = ("order_id", "owner", "market", "side", "order_type", "time_in_force", "flags", "price", "quantity")
        order = Known(*(row[name] for name in names), open=row["leaves"], arrival=self.count)
        phase = self.phases.get(order.market, Phase.CONTINUOUS)
        order.parked = order.time_in_force == TimeInForce.AT_CLOSE and phase != Phase.CLOSING_AUCTION
        order.limited = order.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        order.price = 0 if order.is_peg else order.price
        self.orders[number] = order
        self.crowds.setdefault((order.market, order.side), {})[number] = order
        self._come(order)

    def _terms(self, row: dict[str, int], order: Known) -> None:
        if order.order_type in (OrderType.STOP, OrderType.STOP_LIMIT):
            order.stop = row["price"]

    def _conditions(self, row: dict[str, int], order: Known) -> None:
        order.display, order.minimum, order.partner = row["quantity"], row["leaves"], row["match_id"]
        if order.partner:
            self.orders[order.partner].partner = order.order_id
            self.just_traded = (order.partner,)  # it may have to shrink to its partner now
        if row["price"]:
            order.reserve = order.open  # its parent releases it
            order.coming = False

    def _trade(self, row: dict[str, int], taker: Known) -> None:
        maker = self.orders[row["match_id"]]
        price, quantity = row["price"], row["quantity"]
        assert quantity >= 1, row
        assert taker.stop is None is maker.stop, f"a waiting stop traded: {row}"
        assert (maker.owner, maker.market, maker.side) == (row["peer"], taker.market, -taker.side), (row, maker)
        if row["flags"] & OrderFlag.AUCTION:
            self._check_auction(row, taker, maker)
        else:
            self._arrive(but=taker)
            self._check_aggression(row, taker, maker)
        for order in (maker, taker):
            order.open -= quantity
            order.traded += quantity
            if row["flags"] & OrderFlag.AUCTION and order.display:
                order.reserve = 0
            assert order.active >= 0, (row, order)
        assert maker.open == row["leaves"], row
        self.last[taker.market] = price
        if not row["flags"] & OrderFlag.AUCTION:
            for side in (1, -1):
                self._elect(self._waiting(taker.market, side))
        if maker.open == 0:
            self._bury(maker)

    def _check_auction(self, row: dict[str, int], buy: Known, sell: Known) -> None:
        assert buy.side == 1, row
        for order in (buy, sell):
            assert not order.limited or order.side * row["price"] <= order.side * order.price, f"past its limit: {row}"
            assert order.minimum == 0, f"a minimum in an auction: {row}"
            assert not order.is_peg, f"a peg in an auction: {row}"
            assert not order.parked, row
            assert row["quantity"] <= (order.open if order.display else order.active), (row, order)

    def _check_aggression(self, row: dict[str, int], taker: Known, maker: Known) -> None:
        market, price = taker.market, row["price"]
        assert self.phases.get(market, Phase.CONTINUOUS) == Phase.CONTINUOUS, f"a trade outside continuous: {row}"
        if market in self.guarded:
            accounts = [self.accounts.get(order.owner, order.owner) for order in (taker, maker)]
            assert accounts[0] != accounts[1], f"a self-trade: {row}"
        assert price == maker.price, f"not the resting order's price: {row}"
        assert not taker.limited or taker.side * price <= taker.side * taker.price, f"past its limit: {row}"
        prices = [maker.side * other for other in self._prices(market, maker.side)]
        if maker.hidden:
            assert all(maker.side * price > other for other in prices), f"hidden before displayed: {row}"
            assert row["quantity"] == min(maker.open, taker.active), row
            assert min(maker.minimum, maker.open) <= taker.active, f"less than its minimum: {row}"
            return
        assert maker.side * price == max(prices), f"not the best price: {row}"
        assert row["quantity"] <= min(maker.active, taker.active), row
        if market not in self.pro_rata:
            level = [order for order in self._displayed(market, maker.side) if order.price == price]
            first = min(level, key=lambda order: order.arrival)
            assert first is maker, f"{maker} traded before {first}"
            assert row["quantity"] == min(maker.active, taker.active), row

    def _canceled(self, row: dict[str, int], order: Known) -> None:
        if row["reason"] == Reason.LINKED and order.partner not in self.just_traded and row["leaves"] > 0:
            assert row["quantity"] == order.reserve, f"not what its parent had not released: {row} {order}"
            order.reserve, order.open = 0, order.active
        else:
            order.lose(row["quantity"])
        order.removed += row["quantity"]
        assert row["quantity"] >= 1, row
        assert order.open == row["leaves"] >= 0, (row, order)
        assert 0 <= order.reserve <= order.open, (row, order)
        assert row["price"] == order.price, (row, order)

    _expired = _canceled

    def _replaced(self, row: dict[str, int], order: Known) -> None:
        kept = bool(row["flags"] & OrderFlag.KEPT_PRIORITY)
        raised = row["leaves"] - order.open
        assert not (kept and raised > 0) or order.parked, (row, order)
        if raised < 0:
            order.lose(-raised)
        order.open = row["leaves"]
        order.total, order.removed = row["quantity"], 0
        if kept and order.rests and not order.is_peg:
            assert order.price == row["price"], (row, order)
        if not order.is_peg:
            order.price = row["price"]
            if not kept:
                self._come(order)
        assert order.traded + order.open == order.total, (row, order)

    def _repriced(self, row: dict[str, int], order: Known) -> None:
        if order.order_type == OrderType.TRAILING_STOP:
            assert row["leaves"] == order.open, (row, order)
            order.stop, order.arrival = row["price"], self.count
            return
        assert row["leaves"] == order.open, (row, order)
        order.price = row["price"]
        order.limited = not order.is_peg or row["quantity"] > 0
        self._come(order)

    def _refreshed(self, row: dict[str, int], order: Known) -> None:
        assert row["leaves"] == order.open, (row, order)
        assert row["quantity"] == min(order.display, order.open), (row, order)
        assert row["price"] == order.price, (row, order)
        order.rest()
        order.arrival = self.count

    def _activated(self, row: dict[str, int], order: Known) -> None:
        assert row["leaves"] == order.open, (row, order)
        if order.parked:
            order.parked = False
        else:
            assert row["quantity"] <= order.reserve, (row, order)
            order.reserve -= row["quantity"]
        self._come(order)

    def _triggered(self, row: dict[str, int], order: Known) -> None:
        assert order.stop == row["price"], (row, order)
        assert row["quantity"] == row["leaves"] == order.open, row
        self.elected = [other for other in self.elected if other.order_id in self.orders]
        if order in self.elected:
            assert self.elected[0] is order, f"not the next of the elected: {row}"
            del self.elected[0]
        order.stop = None
        self._come(order)

    def _elect(self, waiting: list[Known]) -> None:
        """Waiting stops that the last trade triggers; those on their way are elected when they arrive."""
        for order in waiting:
            last = self.last.get(order.market)
            if last is None or order.stop is None or order in self.elected:
                continue
            if order.side * last >= order.side * order.stop:
                self.elected.append(order)

    def _come(self, order: Known) -> None:
        """It is on its way; whoever was before it has arrived."""
        self._arrive()
        order.arrival, order.coming = self.count, True
        if order.display:
            order.reserve = 0
        self.coming.append(order)

    def _arrive(self, but: Known | None = None) -> None:
        for order in self.coming:
            if order is not but and order.coming:
                order.rest()
        self.coming = [order for order in self.coming if order is but]

    def _bury(self, order: Known) -> None:
        """An order that is gone has been accepted for exactly what was traded, canceled and expired."""
        if self.orders.pop(order.order_id, None) is None:
            return
        assert order.total == order.traded + order.removed, f"quantity is not conserved: {order}"
        del self.crowds[order.market, order.side][order.order_id]
        self.gone[order.order_id] = order


def check_answer(method: str, order_id: int, rows: list[Row]) -> None:
    """A request has exactly one answer, the first row (of a mass cancel the last of those about its own orders)."""
    if method not in ANSWERS:
        return
    assert rows, f"{method} of {order_id} was not answered"

    def answers(row: Row) -> bool:
        if row[1] != order_id or row[9] not in ANSWERS[method]:
            return False
        return row[9] != EventKind.CANCELED or row[11] == OWN_REASONS[method]

    if method == "cancel_owner":
        assert sum(map(answers, rows)) == 1, f"a mass cancel has one answer: {rows}"
        return
    assert answers(rows[0]), f"the first row does not answer {method} of {order_id}: {rows[0]}"
    assert not any(answers(row) for row in rows[1:]), f"{method} of {order_id} was answered twice: {rows}"
