"""Market data of all kinds at once: what subscribers are told, and that it is what happened on the book."""

import hashlib
import os
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from marketsim.agents.noise import Noise
from marketsim.agents.poisson_flow import PoissonFlow
from marketsim.domain.event import EventKind
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, OrderAction, OrderUpdate
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import Side
from marketsim.domain.units import MILLISECOND, SECOND
from marketsim.trading.book import LocalBook
from marketsim.trading.by_order import OrderByOrderBook
from tests.population.wiring import FIELD, LATENCY, ZERO, Crowd, Market

EVERYTHING = int(
    Wanted.QUOTES | Wanted.TRADES | Wanted.LEVELS | Wanted.ORDERS | Wanted.STATUS | Wanted.BARS | Wanted.INDICATIVE
)


class Listener:
    """Hears what it asks for, keeps every row, and rebuilds both books as it goes."""

    def __init__(self, market: Market, name: str) -> None:
        self.market = market
        self.rows: list[Any] = []
        self.levels, self.orders = LocalBook(), OrderByOrderBook()
        self._parts: list[tuple[int, int, int]] = []
        self._head = (0, 0)
        self.number = market.join(name, self.receive)

    def ask(self, wanted: int, **terms: int) -> None:
        self.market.engine.send(
            self.number, self.market.environment.now, Kind.SUBSCRIBE, 0, instructions=int(wanted), **terms
        )

    def heard(self, kind: Kind, *fields: str) -> list[Any]:
        found = [[row[FIELD[name]] for name in fields] for row in self.rows if row[FIELD["kind"]] == kind]
        return [values[0] for values in found] if len(fields) == 1 else [tuple(values) for values in found]

    def receive(self, row: Any) -> None:
        self.rows.append(tuple(row))
        kind = row[FIELD["kind"]]
        if kind == Kind.SNAPSHOT:
            self._parts, self._head = [], (row[FIELD["quantity"]], row[FIELD["expire"]])
        if kind == Kind.SNAPSHOT_LEVEL:
            self._parts.append((row[FIELD["side"]], row[FIELD["price"]], row[FIELD["quantity"]]))
        if kind in (Kind.SNAPSHOT, Kind.SNAPSHOT_LEVEL) and len(self._parts) == self._head[0]:
            bids, asks = (tuple((p, q) for s, p, q in self._parts if s == side) for side in (1, -1))
            self.levels.apply_snapshot(BookSnapshot(0, self.market.instrument, bids, asks, self._head[1]))
        if kind == Kind.LEVEL:
            side, price, quantity = Side(row[FIELD["side"]]), row[FIELD["price"]], row[FIELD["quantity"]]
            assert self.levels.apply(
                LevelUpdate(0, self.market.instrument, side, price, quantity, row[FIELD["expire"]])
            )
        if kind == Kind.ORDER_UPDATE:
            assert self.orders.apply(order_update(row, self.market))


def order_update(row: Any, market: Market) -> OrderUpdate:
    return OrderUpdate(
        row[FIELD["sent"]], market.instrument, OrderAction(row[FIELD["instructions"]]), row[FIELD["order_id"]],
        Side(row[FIELD["side"]] or 1), row[FIELD["price"]], row[FIELD["quantity"]], row[FIELD["leaves"]],
        row[FIELD["other_price"]], row[FIELD["expire"]],
    )  # fmt: skip


def crowds() -> list[Crowd]:
    return [Crowd(Noise(rate=5), 20), Crowd(PoissonFlow(limit_rate=2, market_rate=4, cancel_rate=0.5, reach=8))]


def listening(*names: str, **terms: Any) -> tuple[Market, list[Listener]]:
    market = Market(crowds(), processing=0, extra=[(name, ZERO) for name in names], **terms)
    return market, [Listener(market, name) for name in names]


def venues_queues(market: Market) -> dict[tuple[int, int], list[tuple[int, int]]]:
    core = market.core
    return {(side, price): core.queue(0, side, price) for side in (1, -1) for price, _, _ in core.depth(0, side)}


def rebuilt_queues(book: OrderByOrderBook) -> dict[tuple[int, int], list[tuple[int, int]]]:
    return {
        (int(side), price): [(order.order_id, order.quantity) for order in book.queue(side, price)]
        for side in Side
        for price, _, _ in book.levels(side)
    }


# --- order by order --------------------------------------------------------------------------------------------------


@pytest.mark.boundscheck
@pytest.mark.parametrize("joined", [0, 700 * MILLISECOND])
def test_the_feed_of_orders_is_the_venues_book_queue_by_queue(joined: int) -> None:
    market, (clerk,) = listening("clerk")
    market.run(joined / SECOND)
    clerk.ask(Wanted.ORDERS)
    for step in range(1, 150):
        market.run((joined + step * 10 * MILLISECOND) / SECOND)
        assert clerk.orders.synchronized
        assert rebuilt_queues(clerk.orders) == venues_queues(market)
    actions = {OrderAction(action) for action in clerk.heard(Kind.ORDER_UPDATE, "instructions")}
    assert actions >= {OrderAction.BEGIN, OrderAction.ADDED, OrderAction.EXECUTED, OrderAction.REMOVED}


def test_those_who_join_later_hear_the_same_priorities() -> None:
    market, (first, second) = listening("first", "second")
    first.ask(Wanted.ORDERS)
    market.run(1)
    second.ask(Wanted.ORDERS)
    market.run(2)
    assert first.orders.orders == second.orders.orders
    assert len(first.orders.orders) > 10


def test_who_joins_later_hears_parts_of_icebergs_and_nothing_hidden() -> None:
    quiet = Market(processing=0, extra=[("clerk", ZERO)])
    clerk = Listener(quiet, "clerk")
    iceberg = quiet.core.new(0, clerk.number, 0, -1, 1, 1, 0, 101, 0, 25, display=10)
    quiet.core.new(0, clerk.number, 0, -1, 1, 1, 4, 100, 0, 5)  # hidden
    clerk.ask(Wanted.ORDERS)
    quiet.run(0.1)
    assert rebuilt_queues(clerk.orders) == {(-1, 101): [(iceberg, 10)]} == venues_queues(quiet)
    quiet.engine.send(clerk.number, quiet.environment.now, Kind.NEW, 0, 0, 1, 1, 1, 0, 101, 0, 17)
    quiet.run(0.2)
    assert rebuilt_queues(clerk.orders) == {(-1, 101): [(iceberg, 8)]} == venues_queues(quiet)


def test_changes_keep_or_lose_their_place() -> None:
    quiet = Market(processing=0, extra=[("clerk", ZERO), ("trader", ZERO)])
    clerk, trader = Listener(quiet, "clerk"), Listener(quiet, "trader")
    clerk.ask(Wanted.ORDERS)

    def send(kind: Kind, order_id: int = 0, side: int = 1, price: int = 100, quantity: int = 10) -> int:
        number = quiet.engine.send(
            trader.number, quiet.environment.now, kind, 0, order_id, side, 1, 1, 0, price, 0, quantity
        )
        quiet.run(quiet.environment.now / SECOND + 0.001)
        return number

    one, two = send(Kind.NEW), send(Kind.NEW, quantity=7)
    send(Kind.REPLACE, one, quantity=6)
    send(Kind.CANCEL, two, quantity=2)
    send(Kind.REPLACE, one, quantity=9)
    send(Kind.NEW, side=-1, quantity=4)
    send(Kind.CANCEL, one, quantity=0)
    told = [
        (OrderAction(action).name, number, quantity, leaves)
        for action, number, quantity, leaves in clerk.heard(
            Kind.ORDER_UPDATE, "instructions", "order_id", "quantity", "leaves"
        )
    ]
    assert told == [
        ("BEGIN", 0, 0, 0),
        ("ADDED", one, 10, 10),
        ("ADDED", two, 7, 7),
        ("CHANGED", one, 6, 6),
        ("CHANGED", two, 5, 5),
        ("REMOVED", one, 6, 0),
        ("ADDED", one, 9, 9),
        ("EXECUTED", two, 4, 1),
        ("REMOVED", one, 9, 0),
    ]


# --- conflation ------------------------------------------------------------------------------------------------------


@pytest.mark.boundscheck
def test_conflated_quotes_come_at_most_once_an_interval_and_end_with_the_latest() -> None:
    market, (fast, slow) = listening("fast", "slow")
    interval = 100 * MILLISECOND
    fast.ask(Wanted.QUOTES)
    slow.ask(Wanted.QUOTES, expire=interval)
    market.run(3)
    times = slow.heard(Kind.QUOTE, "sent")
    assert 15 < len(times) <= 31 < len(fast.heard(Kind.QUOTE, "sent"))
    assert all(two - one >= interval for one, two in pairwise(times[1:]))
    said = fast.heard(Kind.QUOTE, "sent", "price", "quantity", "other_price", "leaves")
    for time, *quote in slow.heard(Kind.QUOTE, "sent", "price", "quantity", "other_price", "leaves")[1:]:
        assert quote == list([each for each in said if each[0] <= time][-1][1:])


@pytest.mark.boundscheck
@pytest.mark.parametrize("joined", [0, 700 * MILLISECOND])
def test_conflated_levels_are_the_book_at_each_flush(joined: int) -> None:
    market, (fast, slow, late) = listening("fast", "slow", "late")
    fast.ask(Wanted.LEVELS)
    market.run(joined / SECOND)
    slow.ask(Wanted.LEVELS, expire=50 * MILLISECOND)
    market.run(joined / SECOND + 0.5)
    late.ask(Wanted.LEVELS, expire=50 * MILLISECOND)
    market.run(joined / SECOND + 2)
    said = fast.heard(Kind.LEVEL, "sent", "side", "price", "quantity")
    for clerk in (slow, late):
        assert clerk.levels.synchronized
        told = clerk.heard(Kind.LEVEL, "sent", "side", "price", "quantity")
        assert len(told) < len(said)
        flushes = sorted({time for time, *_ in told})
        assert all(two - one >= 50 * MILLISECOND for one, two in pairwise(flushes))
        for time in flushes:
            prices = [row[1:3] for row in told if row[0] == time]
            assert len(prices) == len(set(prices)), "a level is told once a flush"
        assert clerk.levels.bids | clerk.levels.asks == latest(said, flushes[-1])


def latest(said: list[Any], time: int) -> dict[int, int]:
    """Quantities by price after the updates up to a time, both sides together."""
    book: dict[tuple[int, int], int] = {}
    for sent, side, price, quantity in said:
        if sent <= time:
            book[side, price] = quantity
    return {price: quantity for (_, price), quantity in book.items() if quantity}


def test_the_last_change_of_conflated_data_arrives() -> None:
    quiet = Market(processing=0, extra=[("clerk", ZERO), ("trader", ZERO)])
    clerk, trader = Listener(quiet, "clerk"), Listener(quiet, "trader")
    clerk.ask(Wanted.QUOTES | Wanted.LEVELS, expire=SECOND)
    for time, price in ((0.2, 100), (0.4, 101), (0.6, 102), (3.0, 103)):
        quiet.run(time)
        quiet.engine.send(trader.number, quiet.environment.now, Kind.NEW, 0, 0, 1, 1, 1, 0, price, 0, 5)
    quiet.run(10)
    assert clerk.heard(Kind.QUOTE, "sent", "price") == [(0, 0), (SECOND, 102), (3 * SECOND, 103)]
    assert clerk.heard(Kind.LEVEL, "sent", "price") == [
        (SECOND, 100), (SECOND, 101), (SECOND, 102), (3 * SECOND, 103)
    ]  # fmt: skip


# --- bars ------------------------------------------------------------------------------------------------------------


@pytest.mark.boundscheck
def test_bars_are_the_trades_summed_up() -> None:
    market, (clerk,) = listening("clerk")
    market.run(0.35)
    clerk.ask(Wanted.BARS, other_price=100 * MILLISECOND)
    clerk.ask(Wanted.BARS, other_price=250 * MILLISECOND)
    market.run(3)
    trades = market.events[market.events["kind"] == EventKind.TRADE]
    bars = clerk.heard(
        Kind.BAR,
        "sent",
        "expire",
        "price",
        "order_type",
        "time_in_force",
        "other_price",
        "quantity",
        "order_id",
        "leaves",
    )
    for length, first in ((100 * MILLISECOND, 400 * MILLISECOND), (250 * MILLISECOND, 500 * MILLISECOND)):
        mine = [bar for bar in bars if bar[1] == length]
        assert [bar[0] for bar in mine] == list(range(first, 3 * SECOND, length))
        for end, _, *summed in mine[1:]:
            inside = trades[(trades["time"] >= end - length) & (trades["time"] < end)]
            prices, lots = inside["price"], inside["quantity"]
            last = int(trades["price"][trades["time"] < end][-1])
            if not len(inside):
                assert summed == [last] * 4 + [0, 0, 0]
                continue
            assert summed == [
                prices[0], prices.max(), prices.min(), prices[-1], lots.sum(), (prices * lots).sum(), len(inside)
            ]  # fmt: skip
    assert any(bar[8] == 0 for bar in bars), "empty bars are told too"
    assert sum(bar[8] > 1 for bar in bars) > 5


def test_a_bar_that_ends_as_somebody_trades_leaves_that_trade_to_the_next() -> None:
    quiet = Market(processing=0, extra=[("clerk", ZERO), ("trader", ZERO)])
    clerk, trader = Listener(quiet, "clerk"), Listener(quiet, "trader")
    for side in (1, -1):  # sent before the bar's timer is set, so they come before it at the same nanosecond
        quiet.engine.send(trader.number, SECOND, Kind.NEW, 0, 0, side, 1, 1, 0, 100, 0, 5)
    clerk.ask(Wanted.BARS, other_price=SECOND)
    quiet.run(2.5)
    assert clerk.heard(Kind.BAR, "sent", "leaves", "price") == [(SECOND, 0, 0), (2 * SECOND, 1, 100)]


# --- all at once -----------------------------------------------------------------------------------------------------


class Everything(Listener):
    """Asks for all kinds, at two paces, and trades on what it hears."""

    def begin(self, interval: int) -> None:
        self.ask(EVERYTHING | Wanted.IMBALANCE, price=550_000, other_price=100 * MILLISECOND, expire=interval)

    def receive(self, row: Any) -> None:
        super().receive(row)
        if row[FIELD["kind"]] != Kind.QUOTE or len(self.rows) % 5:
            return
        engine, now = self.market.engine, self.market.environment.now
        side = 1 if len(self.rows) % 2 else -1
        price = row[FIELD["other_price"]] if side > 0 else row[FIELD["price"]]
        if row[FIELD["quantity"]] and row[FIELD["leaves"]]:
            engine.send(self.number, now + 5, Kind.NEW, 0, 0, side, 1, 1, 0, price, 0, 3)


def digest_of_everything(*, stepped: bool) -> str:
    names = [f"ear.{number}" for number in range(4)]
    market = Market(crowds(), stepped=stepped, extra=[(name, LATENCY) for name in names])
    ears = [Everything(market, name) for name in names]
    for number, ear in enumerate(ears):
        market.run(number / 10)
        ear.begin((0, 0, 20 * MILLISECOND, 30 * MILLISECOND)[number])
    market.run(1.5)
    heard = hashlib.blake2b(repr([ear.rows for ear in ears]).encode(), digest_size=16).hexdigest()
    assert min(len(ear.rows) for ear in ears) > 100
    return f"{market.digest} {heard}"


@pytest.mark.boundscheck
def test_stepping_changes_no_message_of_any_kind() -> None:
    assert digest_of_everything(stepped=False) == digest_of_everything(stepped=True)


@pytest.mark.slow
def test_compiling_changes_no_message_of_any_kind() -> None:
    code = "from tests.population.test_market_data import digest_of_everything as d; print(d(stepped=False))"
    plain = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert plain.stdout.strip() == digest_of_everything(stepped=False)


# --- who pays --------------------------------------------------------------------------------------------------------


def test_room_is_asked_for_those_who_receive() -> None:
    """A trade asks for room for its two reports and its listeners, whoever else listens to the market."""
    names = [f"ear.{number}" for number in range(300)]
    market = Market(processing=0, extra=[(name, ZERO) for name in names])
    ears = [Listener(market, name) for name in names]
    for ear in ears[1:]:
        ear.ask(Wanted.STATUS)
    ears[0].ask(Wanted.TRADES | Wanted.QUOTES)
    market.run(0.1)
    for side in (1, -1):
        market.engine.send(ears[0].number, market.environment.now, Kind.NEW, 0, 0, side, 1, 1, 0, 100, 0, 5)
    market.run(0.2)
    assert len(ears[0].heard(Kind.TRADE_PRINT, "price")) == 1
    assert int(market.engine._world.rows["needed"][0]) <= 3
