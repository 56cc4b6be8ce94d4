"""The recorded day as live order flow: sent into another market, it makes the same day."""

from __future__ import annotations

import numpy as np
import pytest
from recorder import ADD, Event, Recorder, random_day, tape_of

from marketsim.data.tape import Tape, TapeKind
from marketsim.domain.event import EventKind
from marketsim.domain.order import OrderType, Side, TimeInForce
from marketsim.errors import DataError, InvalidValueError
from marketsim.exchange.core import MatchingCore, MemoryLog
from marketsim.kernel.compiled import UNCOMPILED
from marketsim.replay import Cause, FlowRequest, OrderFlow, Replay, RequestKind, order_flow

pytestmark = pytest.mark.uncompiled
BUY = 1
STEPS = 120 if UNCOMPILED else 400
Levels = list[tuple[int, int, int]]


def send(core: MatchingCore, request: FlowRequest, owner: int = 0) -> None:
    """What a participant of any market would do with a request."""
    if request.kind == RequestKind.CANCEL:
        core.cancel(request.time, owner, request.order_id, request.quantity)
    elif request.kind != RequestKind.HALT:
        taker = request.kind == RequestKind.EXECUTE
        assert request.side is not None
        core.new(
            request.time, owner, 0, request.side, OrderType.LIMIT, TimeInForce.IOC if taker else TimeInForce.GTC, 0,
            request.price, 0, request.quantity, 0, request.order_id,
        )  # fmt: skip


def book_of(core: MatchingCore) -> dict[int, Levels]:
    return {side: core.depth(0, side) for side in (1, -1)}


@pytest.mark.parametrize("levels", [1, 4])
def test_sent_from_outside_it_makes_the_replayed_day(levels: int) -> None:
    tape = random_day(21, STEPS).view(levels, 50)
    log = MemoryLog()
    work = Replay(tape, log=log)
    work.advance()
    live = MatchingCore()
    flow = order_flow(tape)
    for request in flow:
        send(live, request)
    mine, theirs = live.events(), work.core.events()
    for name in ("time", "order_id", "match_id", "price", "quantity", "leaves", "kind", "side"):
        assert np.array_equal(mine[name], theirs[name]), name
    assert book_of(live) == book_of(work.core)
    assert not np.isin(mine["kind"], (EventKind.REJECTED, EventKind.CANCEL_REJECTED)).any()


@pytest.mark.parametrize("part", [(0.0, 0.5), (0.3, 0.8), (0.7, 1.0)])
def test_a_part_of_the_day_begins_with_the_book_that_stood_then(part: tuple[float, float]) -> None:
    tape = random_day(22, STEPS).view(3)
    first, stop = (int(share * (len(tape) - 1)) for share in part)
    start, end = int(tape.events["time"][first]), int(tape.events["time"][stop])
    flow = order_flow(tape, start=start, end=end)
    live = MatchingCore()
    for request in flow:
        assert start <= request.time < end
        send(live, request)
    live.check()
    whole = Replay(tape)
    whole.advance(int(np.searchsorted(tape.events["time"], end)))
    assert book_of(live) == book_of(whole.core)
    for side in (1, -1):
        for price, _, _ in live.depth(0, side):
            assert live.queue(0, side, price) == whole.core.queue(0, side, price)
    assert (flow.start, flow.end) == (start, end)


def test_the_book_before_the_first_row_comes_first() -> None:
    tape = random_day(23, STEPS).view(3, 80)
    flow = order_flow(tape)
    assert flow.opening >= 6
    head, rest = list(flow)[: flow.opening], list(flow)[flow.opening :]
    assert {request.cause for request in head} <= {Cause.SEED, Cause.REST}
    assert {request.kind for request in head} == {RequestKind.NEW}
    assert rest[0].cause == Cause.MESSAGE or rest[0].row > head[0].row
    levels: dict[tuple[Side | None, int], int] = {}
    for request in head:
        levels[request.side, request.price] = levels.get((request.side, request.price), 0) + request.quantity
    assert tape.book is not None
    first = tape.events[0]
    for state in tape.book[0].tolist():
        for side, price, quantity in ((Side.SELL, *state[:2]), (Side.BUY, *state[2:])):
            arrives = first["kind"] == ADD and (first["side"], first["price"]) == (side, price)
            if quantity:
                assert levels.get((side, price), 0) == quantity - (first["quantity"] if arrives else 0)


def test_ids_are_placed_once_and_within_bounds() -> None:
    flow = order_flow(random_day(24, STEPS).view(2, 30))
    placed = [request.order_id for request in flow if request.kind in (RequestKind.NEW, RequestKind.EXECUTE)]
    assert len(placed) == len(set(placed))
    assert min(placed) >= 1
    assert max(placed) == flow.orders
    canceled = {request.order_id for request in flow if request.kind == RequestKind.CANCEL}
    assert canceled <= set(placed)
    assert len(flow) == len(list(flow)) == len(flow.requests)


def test_a_strategy_inside_the_day_queues_behind_recorded_orders_and_takes_their_liquidity() -> None:
    record = Recorder()
    record.add(-1, 105, 40)
    resting = record.add(BUY, 100, 30)
    record.add(BUY, 99, 30)
    record.execute(BUY, 20)
    record.execute(BUY, 10)
    record.add(BUY, 100, 5)
    record.execute(BUY, 5)
    tape = record.day.view(5)
    flow = list(order_flow(tape))
    live = MatchingCore()
    mine = order_flow(tape).orders + 1
    for request in flow[:3]:
        send(live, request)
    live.new(flow[3].time, 7, 0, BUY, OrderType.LIMIT, TimeInForce.GTC, 0, 100, 0, 8, 0, mine)
    live.new(flow[3].time, 7, 0, BUY, OrderType.LIMIT, TimeInForce.IOC, 0, 105, 0, 15, 0, mine + 1)
    for request in flow[3:]:
        send(live, request)
    trades = live.events()[live.events()["kind"] == EventKind.TRADE]
    number = {int(name): place for place, name in enumerate(tape.numbers)}
    assert trades["match_id"].tolist() == [
        flow[0].order_id,  # our marketable order takes from the recorded offer
        number[resting],
        number[resting],
        mine,  # ours is behind the 30 recorded lots and before the 5 that came later
    ]
    assert trades["quantity"].tolist() == [15, 20, 10, 5]


def test_rows_and_kinds_are_those_of_the_source() -> None:
    tape = tape_of([Event(5, ADD, 1, BUY, 100, 10), Event(9, TapeKind.HALT, 0, 0, 0, 0)], None)
    new, halt = list(order_flow(tape))
    assert (new.time, new.row, new.kind, new.side, new.price, new.quantity) == (
        5,
        1,
        RequestKind.NEW,
        Side.BUY,
        100,
        10,
    )
    assert (halt.time, halt.row, halt.kind, halt.side, halt.halt) == (9, 2, RequestKind.HALT, None, TapeKind.HALT)
    assert isinstance(order_flow(tape), OrderFlow)


def test_a_tape_that_does_not_add_up_is_refused() -> None:
    tape: Tape = random_day(4, 100).view(3)
    assert tape.book is not None
    book = tape.book.copy()
    book[-1, 0, 1] += 1
    with pytest.raises(DataError, match="cannot be replayed faithfully"):
        order_flow(tape.with_book(book))


def test_an_empty_part_is_refused() -> None:
    tape = random_day(4, 100).view(3)
    with pytest.raises(InvalidValueError, match="no events from"):
        order_flow(tape, start=tape.end + 1)
