"""A probe: calls one compiled agent's policy with what the test shows it, and tells what it asks for.

The policy's own record, and the orders that it believes to be open, are the test's to read and write.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.message import MESSAGE, Kind
from marketsim.kernel.compiled import Table
from marketsim.kernel.random import key_of
from marketsim.population.agent import CompiledAgent
from marketsim.population.state import ACTIONS, OUT, SEEN, WORKING

REPORT = int(Kind.REPORT)


class Action(NamedTuple):
    """What a policy asked for."""

    kind: int
    side: int = 0
    price: int = 0
    quantity: int = 0
    order_id: int = 0
    order_type: int = 0
    instructions: int = 0
    tag: int = 0


class Probe:
    """One agent of its kind. ``value`` is what its feed would tell."""

    def __init__(
        self, agent: CompiledAgent, name: str = "probe", seed: int = 1, instrument: Instrument | None = None
    ) -> None:
        self.instrument = instrument or Instrument("ABC")
        records = agent.records(1, self.instrument)
        self._me = Table(records.dtype, 1)
        for field in records.dtype.names or ():
            self._me.rows[field] = records[field]
        self._seen, self._out, self._actions = Table(SEEN, 1), Table(OUT, 1), Table(MESSAGE, ACTIONS)
        self._working, self._index = Table(WORKING, 256), Table(np.dtype(np.int64), 4096)
        self._policy = type(agent).policy
        out = self._out.rows
        out["actions"], out["next_id"] = self._actions.address, 1
        out["working"], out["working_length"] = self._working.address, len(self._working)
        out["working_of"], out["working_of_length"] = self._index.address, len(self._index)
        self.key = key_of(seed, name)
        self.value = float("nan")
        self.position = 0
        self.now = 0
        self.wake = -1
        self.open: dict[int, tuple[int, int, int]] = {}  # id -> side, price, quantity

    def __getitem__(self, field: str) -> Any:
        """A field of the agent's record."""
        return self._me.rows[field][0]

    def __setitem__(self, field: str, value: Any) -> None:
        self._me.rows[field] = value

    def see(self, kind: int, now: int | None = None, **fields: int) -> list[Action]:
        """Call the policy; NEW orders count as open from then on, until the test closes them."""
        self.now = self.now if now is None else now
        self._show(kind, fields)
        self._write_open()
        assert self._policy(self._me.rows[0], self._seen.rows[0], self._out.rows[0]) == 0
        self.wake = int(self._out.rows["wake"][0])
        actions = [self._action(place) for place in range(int(self._out.rows["count"][0]))]
        for action in actions:
            if action.kind == Kind.NEW:
                self.open[action.order_id] = (action.side, action.price, action.quantity)
        return actions

    def quote(self, bid: int, ask: int, now: int | None = None, **fields: int) -> list[Action]:
        """Show best quotes; 0 for an empty side."""
        shown = {"bid": bid, "ask": ask, "bid_quantity": 10 * (bid > 0), "ask_quantity": 10 * (ask > 0), **fields}
        return self.see(Kind.QUOTE, now, **shown)

    def report(self, kind: EventKind, order_id: int, quantity: int = 0, price: int = 0) -> list[Action]:
        """Show a report on an own order, and know what the engine would have learnt from it."""
        side, limit, leaves = self.open.get(order_id, (0, 0, 0))
        left = leaves
        if kind is EventKind.TRADE:
            self.position += side * quantity
            left = leaves - quantity
        elif kind is EventKind.CANCELED:
            left = 0
        if order_id in self.open:
            self.open[order_id] = (side, limit, left)
            if left == 0:
                del self.open[order_id]
        terms = {"side": side, "price": price or limit, "quantity": quantity, "leaves": left}
        return self.see(REPORT + kind, order_id=order_id, **terms)

    def _show(self, kind: int, fields: dict[str, int]) -> None:
        seen, out = self._seen.rows, self._out.rows
        for name in SEEN.names or ():
            seen[name] = 0
        known = {"now": self.now, "key": self.key, "position": self.position}
        for name, value in {"kind": kind, **known, **fields}.items():
            seen[name] = value
        seen["value"] = self.value
        out["count"], out["now"], out["wake"] = 0, self.now, -1

    def _write_open(self) -> None:
        rows, index = self._working.rows, self._index.rows
        index[:] = 0
        previous = 0
        for slot, (order_id, (side, price, quantity)) in enumerate(self.open.items(), start=1):
            rows["order_id"][slot], rows["side"][slot] = order_id, side
            rows["price"][slot], rows["leaves"][slot], rows["next"][slot] = price, quantity, previous
            index[order_id] = previous = slot
        self._out.rows["first_working"] = previous

    def _action(self, place: int) -> Action:
        row = self._actions.rows[place : place + 1]
        names = ("kind", "side", "price", "quantity", "order_id", "order_type", "instructions", "expire")
        return Action(*(int(row[name][0]) for name in names))
