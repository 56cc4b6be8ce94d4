"""The replay agent: recorded order flow enters the live book, and everybody else reacts to it.

It sends what the recorded participants sent, at the recorded times: arrivals, cancels, and executions as marketable
limit orders. In a market where others trade too some requests meet another book than the recorded one; a cancel may
find its order gone, a marketable order may fill against somebody else. Other agents' orders queue behind recorded ones
and consume recorded liquidity. Give it a latency of 0, so that requests arrive when they were recorded.

It never looks at the market, and it owns all recorded orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from marketsim.data.lobster import read_lobster
from marketsim.data.tape import Tape
from marketsim.domain.order import Side, TimeInForce
from marketsim.domain.units import format_time
from marketsim.errors import InvalidValueError
from marketsim.replay.flow import order_flow
from marketsim.replay.request import REQUEST, RequestKind
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

_FIELDS = {name: place for place, name in enumerate(REQUEST.names or ())}
_TIME, _KIND, _ORDER_ID, _SIDE = _FIELDS["time"], _FIELDS["kind"], _FIELDS["order_id"], _FIELDS["side"]
_PRICE, _QUANTITY = _FIELDS["price"], _FIELDS["quantity"]
_NEW, _CANCEL, _EXECUTE = int(RequestKind.NEW), int(RequestKind.CANCEL), int(RequestKind.EXECUTE)


@dataclass
class Replay(Agent):
    """A recorded day as one participant: LOBSTER files, or a tape made from a simulated run."""

    path: str = field(
        default="", metadata={"kind": "file", "help": "LOBSTER message file, or a folder with one pair of files"}
    )
    scenario: str = field(
        default="", metadata={"help": "instead of a file: a scenario that is run first and written as LOBSTER files"}
    )
    levels: int = field(default=10, metadata={"help": "levels of the book in a tape that is made from a scenario"})

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.scenario):
            raise InvalidValueError("path: give either the path of recorded files or a scenario to make a tape from")
        if self.levels < 1:
            raise InvalidValueError(f"levels: {self.levels} is below 1")

    def on_start(self) -> None:
        """Read the tape, put the opening book in place, and begin."""
        tape = read_lobster(self.path, symbol=self.instrument.symbol, tick_size=self.instrument.tick_size)
        self._check(tape)
        self._requests = iter(order_flow(tape, start=max(self.now, tape.start)).requests.tolist())
        self._placed: dict[int, Order] = {}
        self.sent = 0
        self._send_from(next(self._requests, None))

    def _check(self, tape: Tape) -> None:
        if tape.end <= self.now:
            raise InvalidValueError(
                f"the tape {tape.source} ends at {format_time(tape.end)}, before the run begins at "
                f"{format_time(self.now)}; set start to a time that was recorded"
            )

    def _send_from(self, request: Any) -> None:
        """Send everything that is due, then wait for the next."""
        while request is not None:
            if request[_TIME] > self.now:
                self.at(request[_TIME], self._send_from, request)
                return
            self._send(request)
            request = next(self._requests, None)

    def _send(self, request: Any) -> None:
        kind, order_id = request[_KIND], request[_ORDER_ID]
        self.sent += 1
        if kind == _NEW:
            self._placed[order_id] = self.order(
                Side(request[_SIDE]), self.instrument, request[_QUANTITY], limit=request[_PRICE]
            )
        elif kind == _CANCEL:
            order = self._placed.get(order_id)
            if order is not None:
                self.cancel(order, request[_QUANTITY])
        elif kind == _EXECUTE:
            self.order(
                Side(request[_SIDE]),
                self.instrument,
                request[_QUANTITY],
                limit=request[_PRICE],
                time_in_force=TimeInForce.IOC,
            )
