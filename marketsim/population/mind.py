"""The mind of one compiled agent outside the compiled world: what it knows and remembers, and its policy.

It is a world of one: the same records, worked on by the same functions as a population's, so the agent learns, sees and
remembers what it would there. It takes what happened and answers what the policy wants; it never sends anything.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from marketsim.domain.instrument import Instrument
from marketsim.domain.message import MESSAGE, Kind
from marketsim.kernel.compiled import Table, array_at, compiled
from marketsim.population.agent import CompiledAgent
from marketsim.population.failure import policy_error
from marketsim.population.layout import table_of
from marketsim.population.policy import address_of
from marketsim.population.state import (
    ACTIONS,
    AGENT,
    DONE,
    FEED,
    OUT,
    POLICY,
    SEEN,
    WORKING,
    WORLD,
    actions_of,
    agents_of,
    out_of,
    pool_of,
    seen_of,
)
from marketsim.population.turn import begin_working, decide, learn, show, show_message, show_nothing

_START, _WAKE, _NEW, _REPORT = int(Kind.START), int(Kind.WAKE), int(Kind.NEW), int(Kind.REPORT)
_message = struct.Struct("=24q")
_write_message, _read_message = _message.pack_into, _message.unpack_from
_PLACES: dict[str, int] = {name: place for place, name in enumerate(OUT.names or ())}
_COUNT, _NEXT_ID, _WAKE_AT = _PLACES["count"], _PLACES["next_id"], _PLACES["wake"]


class Action(NamedTuple):
    """One thing that a policy asks for: the fields of MESSAGE that a request has."""

    kind: int
    order_id: int
    side: int
    price: int
    quantity: int
    other_price: int
    expire: int
    order_type: int
    time_in_force: int
    instructions: int
    display: int
    minimum: int
    parent: int
    partner: int


@compiled
def take_turn(address: int, next_id: int) -> int:
    """What the message in a mind's world means to its agent, up to the sending; its answers lie in ``out``."""
    world = array_at(address, 1, WORLD)[0]
    agent = agents_of(world)[0]
    message = pool_of(world)[0]
    seen = seen_of(world)[0]
    if message.kind > _REPORT:
        learn(world, agent, message)
    show(world, seen, agent, message.receiver, message.kind)
    if message.kind == _START or message.kind == _WAKE:
        show_nothing(seen)
    else:
        show_message(seen, message)
    status = decide(world, 0, next_id)
    if status != DONE:
        return status
    actions = actions_of(world)
    for position in range(out_of(world)[0].count):
        if actions[position].kind == _NEW:
            begin_working(world, 0, actions[position])
    return DONE


class Mind:
    """What one compiled agent knows, and its policy.

    name: for errors. key: of its random draws. market: the number that the policy is shown as its market's.
    cash: ticks times lots that it begins with. first_id: the id of its first order; the next ones follow it.
    """

    def __init__(
        self,
        agent: CompiledAgent,
        instrument: Instrument,
        *,
        name: str,
        key: int,
        market: int,
        cash: int,
        first_id: int,
    ) -> None:
        self._name = name
        self._next_id = first_id
        records = agent.records(1, instrument)
        self._state = table_of(records)
        self._keep = agent, type(agent).policy  # the record may hold addresses of what the agent owns
        self._world, self._account, self._policy = Table(WORLD, 1), Table(AGENT, 1), Table(POLICY, 1)
        self._message, self._actions = Table(MESSAGE, 1), Table(MESSAGE, ACTIONS)
        self._seen, self._out = Table(SEEN, 1), Table(OUT, 1)
        self._feed, self._value = Table(FEED, 1), Table(np.dtype(np.float64), 1)
        self._working, self._working_of = Table(WORKING, 2 * ACTIONS), Table(np.dtype(np.int64), 4 * ACTIONS)
        self._begin(key, market, cash, int(address_of(type(agent).policy, records.dtype)))
        world = self._world.rows
        world["free_working"], world["free_workings"] = 1, self._working.chain(1)
        self._publish()
        self._written: Any = memoryview(self._message.rows.view(np.uint8))
        self._asked: Any = memoryview(self._actions.rows.view(np.uint8))
        self._answer: Any = memoryview(self._out.rows.view(np.int64))
        self._now = self._world.rows["now"]

    @property
    def state(self) -> Any:
        """The record that the policy works on, live."""
        return self._state.rows[0]

    @property
    def position(self) -> int:
        """Lots, as it knows."""
        return int(self._account.rows["position"][0])

    @property
    def cash(self) -> int:
        """Ticks times lots, as it knows, before fees."""
        return int(self._account.rows["cash"][0])

    def turn(
        self,
        time: int,
        number: int,
        value: float,
        kind: int,
        *,
        order_id: int = 0,
        side: int = 0,
        price: int = 0,
        quantity: int = 0,
        other_price: int = 0,
        leaves: int = 0,
        expire: int = 0,
        instructions: int = 0,
        reason: int = 0,
    ) -> int:
        """Something happened (fields as in MESSAGE); answers when the agent wants to be woken, -1 for not at all.

        ``number`` and ``value`` are what the policy is shown as its agent's number and as the value of its feed. What
        else it wants lies in ``actions``.
        """
        self._make_room()
        self._now[0] = time
        self._value.rows[0] = value
        _write_message(
            self._written, 0, time, 0, 0, kind, 0, number, 0, order_id, side, price, quantity, other_price, leaves,
            expire, 0, 0, instructions, reason, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip
        status = take_turn(self._world.address, self._next_id)
        if status != DONE:
            raise policy_error(int(status), self._name, time)
        self._next_id = self._answer[_NEXT_ID]
        return int(self._answer[_WAKE_AT])

    def actions(self) -> Iterator[Action]:
        """What the policy asked for in the last turn, in order."""
        for place in range(0, self._answer[_COUNT] * MESSAGE.itemsize, MESSAGE.itemsize):
            row = _read_message(self._asked, place)
            yield Action(row[3], *row[7:12], *row[13:17], *row[20:24])

    # --- tables ---

    def _begin(self, key: int, market: int, cash: int, policy: int) -> None:
        account = self._account.rows
        account["key"], account["market"], account["cash"] = key, market, cash
        self._policy.rows["address"], self._policy.rows["table"] = policy, self._state.address
        self._policy.rows["width"] = self._state.rows.dtype.itemsize
        feed = self._feed.rows
        feed["values"], feed["length"], feed["step"] = self._value.address, 1, 1
        world = self._world.rows
        for name, table in (
            ("agents", self._account),
            ("policies", self._policy),
            ("pool", self._message),
            ("feeds", self._feed),
            ("seen", self._seen),
            ("out", self._out),
            ("actions", self._actions),
        ):
            world[name] = table.address
        world["agents_count"] = world["policies_count"] = world["pool_length"] = world["feeds_count"] = 1
        self._out.rows["actions"] = self._actions.address

    def _publish(self) -> None:
        for rows in (self._world.rows, self._out.rows):
            for name in ("working", "working_of"):
                table: Table = getattr(self, f"_{name}")
                rows[name], rows[f"{name}_length"] = table.address, len(table)

    def _make_room(self) -> None:
        """For as many orders as one turn may place."""
        world = self._world.rows
        short = int(world["free_workings"][0]) < ACTIONS
        if short:
            old = len(self._working)
            self._working.grow(2 * old)
            world["free_workings"] += self._working.chain(old, int(world["free_working"][0]))
            world["free_working"] = old
        if len(self._working_of) < self._next_id + ACTIONS:
            self._working_of.grow(2 * (self._next_id + ACTIONS))
        elif not short:
            return
        self._publish()
