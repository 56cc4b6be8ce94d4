"""The replay agent: recorded order flow enters the live book, and everybody else reacts to it.

It sends what the recorded participants sent, at the recorded times: arrivals, cancels, and executions as marketable
limit orders. In a market where others trade too some requests meet another book than the recorded one; a cancel may
find its order gone, a marketable order may fill against somebody else. Other agents' orders queue behind recorded ones
and consume recorded liquidity. Give it a latency of 0, so that requests arrive when they were recorded.

It never looks at the market, and it owns all recorded orders.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from marketsim.data.lobster import read_lobster
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType, TimeInForce
from marketsim.domain.units import format_time
from marketsim.errors import InvalidValueError
from marketsim.kernel.compiled import Record, Rows, Table, array_at, compiled
from marketsim.population.agent import CompiledAgent
from marketsim.population.policy import Policy, cancel_lots, find_working, limit_order, place, wake_at
from marketsim.population.state import ACTIONS
from marketsim.replay.flow import order_flow
from marketsim.replay.request import RequestKind

_START, _WAKE = int(Kind.START), int(Kind.WAKE)
_NEW, _CANCEL, _EXECUTE = int(RequestKind.NEW), int(RequestKind.CANCEL), int(RequestKind.EXECUTE)
_LIMIT, _IOC = int(OrderType.LIMIT), int(TimeInForce.IOC)
_NOWHERE = -1

RECORDED = np.dtype(  # a request of the recorded flow
    [
        ("time", np.int64),  # ns
        ("kind", np.int64),  # RequestKind
        ("side", np.int64),
        ("price", np.int64),  # ticks
        ("quantity", np.int64),  # lots; of a cancel 0 for all
        ("placed", np.int64),  # CANCEL: the row that placed the order
        ("own", np.int64),  # NEW: the id that the order got here; 0 before, and once all of it has been canceled
    ]
)
STATE = np.dtype(
    [
        ("requests", np.int64),  # address of rows RECORDED
        ("length", np.int64),
        ("sent", np.int64),
    ]
)


@compiled
def replay_policy(me: Record, seen: Record, out: Record) -> int:
    """Send everything that is due, then wait for the next; reports change nothing."""
    if seen.kind != _START and seen.kind != _WAKE:
        return 0
    requests = array_at(me.requests, me.length, RECORDED)
    first_id = out.next_id
    while me.sent < me.length and out.count < ACTIONS and requests[me.sent].time <= seen.now:
        _send(requests, requests[me.sent], first_id, out)
        me.sent += 1
    if me.sent < me.length:
        wake_at(out, requests[me.sent].time)
    return 0


@compiled
def _send(requests: Rows, request: Record, first_id: int, out: Record) -> None:
    """Send one request; orders from ``first_id`` on were placed just now. An order that is over is not canceled."""
    if request.kind == _NEW:
        request.own = limit_order(out, request.side, request.price, request.quantity)
    elif request.kind == _EXECUTE:
        place(out, request.side, _LIMIT, _IOC, 0, request.price, request.quantity)
    elif request.kind == _CANCEL and request.placed != _NOWHERE:
        order = requests[request.placed]
        if order.own != 0 and (order.own >= first_id or find_working(out, order.own).order_id == order.own):
            cancel_lots(out, order.own, request.quantity)
            if request.quantity == 0:
                order.own = 0


@dataclass
class Replay(CompiledAgent):
    """A recorded day as one participant: LOBSTER files, or a tape made from a simulated run."""

    path: str = field(
        default="", metadata={"kind": "file", "help": "LOBSTER message file, or a folder with one pair of files"}
    )
    scenario: str = field(
        default="", metadata={"help": "instead of a file: a scenario that is run first and written as LOBSTER files"}
    )
    levels: int = field(default=10, metadata={"help": "levels of the book in a tape that is made from a scenario"})

    STATE: ClassVar = STATE
    policy: ClassVar[Policy] = staticmethod(replay_policy)

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.scenario):
            raise InvalidValueError("path: give either the path of recorded files or a scenario to make a tape from")
        if self.levels < 1:
            raise InvalidValueError(f"levels: {self.levels} is below 1")
        self._start = 0  # ns
        self._tapes: list[Table] = []  # the records of the agents hold their addresses

    def beginning(self, start: int) -> Replay:
        """The same agent for a run that begins at a time (ns)."""
        agent = copy.copy(self)
        agent._start, agent._tapes = start, []
        return agent

    def fill(self, rows: Rows, instrument: Instrument) -> None:
        """Read the tape; each agent gets its requests, the opening book first."""
        requests = self._requests(instrument)
        rows["length"] = len(requests)
        for position in range(len(rows)):
            tape = Table(RECORDED, len(requests))
            tape.rows[: len(requests)] = requests
            self._tapes.append(tape)
            rows["requests"][position] = tape.address

    def _requests(self, instrument: Instrument) -> NDArray[Any]:
        tape = read_lobster(self.path, symbol=instrument.symbol, tick_size=instrument.tick_size)
        if tape.end <= self._start:
            raise InvalidValueError(
                f"the tape {tape.source} ends at {format_time(tape.end)}, before the run begins at "
                f"{format_time(self._start)}; set start to a time that was recorded"
            )
        return _recorded(order_flow(tape, start=max(self._start, tape.start)).requests)


def _recorded(flow: NDArray[Any]) -> NDArray[Any]:
    """The requests of an order flow, each cancel with the row that placed its order."""
    requests = np.zeros(len(flow), RECORDED)
    for name in ("time", "kind", "side", "price", "quantity"):
        requests[name] = flow[name]
    placing = np.flatnonzero(flow["kind"] == _NEW)
    row_of = np.full(flow["order_id"].max(initial=0) + 1, _NOWHERE)
    row_of[flow["order_id"][placing]] = placing
    requests["placed"] = np.where(flow["kind"] == _CANCEL, row_of[flow["order_id"]], _NOWHERE)
    return requests
