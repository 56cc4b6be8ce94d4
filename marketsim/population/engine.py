"""The engine: owner of the compiled world, and the kernel's source of compiled events.

It grows tables when the loop is short of room, moves messages for Python agents onto the kernel's queue, and lets
Python agents send. It knows no policy by name and no agent's code.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.message import MESSAGE, Kind
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError
from marketsim.exchange.clearing_house import ClearingHouse
from marketsim.exchange.core import MatchingCore
from marketsim.exchange.state import SHORT_OF_SLOTS
from marketsim.kernel.clock import clock_address, nanoseconds_a_tick
from marketsim.kernel.compiled import Rows, Table, entry_of
from marketsim.kernel.environment import NEVER, NORMAL_ORDER, Environment, Key
from marketsim.kernel.heap import ENTRY
from marketsim.network.faults import Impairment, Window
from marketsim.network.table import NetworkTables
from marketsim.population.changes import list_again
from marketsim.population.clearing import begin_clearing
from marketsim.population.failure import policy_error
from marketsim.population.layout import table_of
from marketsim.population.loop import advance, connect, send, wake_first
from marketsim.population.policy import Policy, address_of
from marketsim.population.sessions import SESSION_TABLES, STEP_DUE, SessionPlan, remind_first
from marketsim.population.state import (
    ACTIONS,
    AGENT,
    ALLOWANCE,
    CALL,
    CHANGED,
    DONE,
    FEED,
    KINDS,
    MARKET,
    OUT,
    PACED,
    POLICY,
    POLICY_FAILED,
    POLICY_STUCK,
    PRINT,
    PROFILE,
    ROSTER,
    ROSTERS,
    SEEN,
    SESSION,
    SHORT_OF_CHANGED,
    SHORT_OF_MESSAGES,
    SHORT_OF_PACED,
    SHORT_OF_PRINTS,
    SHORT_OF_SHOWN,
    SHORT_OF_SUBSCRIBERS,
    SHORT_OF_WORKING,
    SHOWN,
    SUBSCRIBER,
    VENUE,
    WINDOW,
    WORKING,
    WORLD,
)

Receiver = Callable[[Any], None]  # takes a row: the fields of MESSAGE as a tuple of ints
_SEQUENCE, _TIME = 0, 1  # places in a CALL
_call, _message = struct.Struct("=4q"), struct.Struct("=20q")  # a MESSAGE without the terms of a new order
_write_call, _read_call, _read_message = _call.pack_into, _call.unpack_from, _message.unpack_from
_write_request = struct.Struct("=24q").pack_into
_ID_ROOM = 65_536


class Engine:
    """The compiled world of one simulation.

    environment: the kernel; the engine attaches itself to it.
    core: the matching core, with all markets of all venues.
    network: the links; three for each pair of agent and venue (orders up, reports down, data down).
    processing: ns that each venue needs for a message.
    market_venues: the venue number of each market.
    grid: ns; times of deliveries and wake-ups are rounded up to a multiple of it.
    """

    def __init__(
        self,
        environment: Environment,
        core: MatchingCore,
        network: NetworkTables,
        processing: Sequence[int],
        market_venues: Sequence[int],
        grid: int = 1,
    ) -> None:
        self.head: Key = (NEVER, NEVER)
        self._environment = environment
        self._core = core
        self._network = network
        self._names: list[str] = []
        self._receivers: list[Receiver] = []
        self._policies_used: list[Any] = []
        self._world = Table(WORLD, 1)
        self._queue, self._pool, self._outbox = Table(ENTRY, 4096), Table(MESSAGE, 4096), Table(MESSAGE, 1024)
        self._wakes, self._agents, self._policies = Table(ENTRY, 1024), Table(AGENT, 1024), Table(POLICY, 16)
        self._venues, self._markets = Table(VENUE, len(processing)), Table(MARKET, len(market_venues))
        self._subscribers, self._feeds = Table(SUBSCRIBER, 256), Table(FEED, 8)
        self._rosters, self._paced = Table(ROSTER, ROSTERS * len(market_venues)), Table(PACED, 1)
        self._changed, self._buckets = Table(CHANGED, 1), Table(np.dtype(np.int64), 1)
        self._shown = Table(SHOWN, 1)
        self._working, self._working_of = Table(WORKING, 1024), Table(np.dtype(np.int64), _ID_ROOM)
        self._seen, self._out, self._actions = Table(SEEN, 1), Table(OUT, 1), Table(MESSAGE, ACTIONS)
        self._connections, self._allowances = Table(SESSION, 1), Table(ALLOWANCE, 1)
        self._session_count = 1
        self._windows: list[Table] = []
        self._throttled = False
        self._feed_values: list[Table] = []
        self._prints: dict[int, Table] = {}
        self._profile = Table(PROFILE, 1)
        self._policy_tables: list[Table] = []
        self._call = Table(CALL, 1)
        self._call.rows["core"], self._call.rows["world"] = core.record.ctypes.data, self._world.address
        self._sessions: tuple[Table | None, ...] = ()
        self._called: Any = memoryview(self._call.rows.view(np.int64))
        self._request: Any = memoryview(self._actions.rows.view(np.int64))
        self._address = self._call.address
        self._send, self._advance = _entries()
        self._prepare(processing, market_venues, grid)
        environment.attach(self)

    # --- building ---

    def add_python_agent(self, name: str, receiver: Receiver, links: int) -> int:
        """An agent whose messages are handed to ``receiver`` as rows of ints (fields of MESSAGE). Its number."""
        number = self._new_agents(1)
        row = self._agents.rows[number : number + 1]
        row["policy"], row["links"], row["feed"] = -1, links, -1
        self._names.append(name)
        self._receivers.append(receiver)
        return number

    def add_policy(self, policy: Policy, states: NDArray[Any]) -> int:
        """A compiled policy and the records of all its agents. Its number."""
        table = table_of(states)
        number = len(self._policy_tables)
        self._policy_tables.append(table)
        self._policies_used.append(policy)
        if number == len(self._policies):
            self._policies.grow(2 * number)
        row = self._policies.rows[number : number + 1]
        row["address"], row["table"], row["width"] = address_of(policy, states.dtype), table.address, states.itemsize
        self._publish()
        return number

    def add_compiled_agents(
        self,
        names: Sequence[str],
        policy: int,
        first_row: int,
        keys: NDArray[np.int64],
        links: NDArray[np.int64],
        market: int,
        *,
        computation: int = 0,
        cash: int = 0,
        feed: int = -1,
        start: int = 0,
    ) -> int:
        """Agents of one policy, rows ``first_row`` on of its table; each gets a START at ``start``. First number."""
        first = self._new_agents(len(names))
        rows = self._agents.rows[first : first + len(names)]
        rows["policy"], rows["market"], rows["feed"] = policy, market, feed
        rows["row"] = np.arange(first_row, first_row + len(names))
        rows["key"], rows["links"] = keys, links
        rows["computation"], rows["cash"] = computation, cash
        self._names.extend(names)
        self._receivers.extend([_nobody] * len(names))
        sequence = wake_first(self._world.rows, self._environment.sequence, first, len(names), start)
        self._environment.sequence = int(sequence)
        self._refresh_head()
        return first

    def set_venue(
        self, venue: int, *, heartbeat: int = SECOND, throttle: tuple[int, int, int] | None = None, cancels: bool = True
    ) -> None:
        """What the gateway of a venue does.

        heartbeat: ns between two of them, for books whose increments may be lost.
        throttle: a participant may send ``count`` requests in ``period`` ns on average, and ``burst`` at once.
        cancels: whether they count.
        """
        row = self._venues.rows[venue : venue + 1]
        row["heartbeat"] = heartbeat
        if throttle is not None:
            count, period, burst = throttle
            row["refill"], row["cost"], row["burst"] = count, period, burst * period
            row["spares_cancels"] = int(not cancels)
            self._throttled = True
            self._publish()

    def add_session(self, agent: int, venue: int, key: int, wrong: Impairment, cancel_after: int | None = None) -> None:
        """Something is wrong between an agent and a venue; to be told once all agents are there.

        key: of its chances. cancel_after: ns after which the venue cancels all orders of a session that is down.
        """
        row = self._agents.rows[agent : agent + 1]
        if row["sessions"][0] == 0:
            row["sessions"] = self._session_count
            self._session_count += int(self._world.rows["venues_count"][0])
            if self._session_count > len(self._connections):
                self._connections.grow(2 * self._session_count)
        number = int(row["sessions"][0]) + venue
        session = self._connections.rows[number : number + 1]
        session["key"], session["delay"] = key, wrong.delay
        session["loss"], session["duplicates"], session["delays"] = wrong.loss, wrong.duplicates, wrong.delays
        for name, given in (("outages", wrong.outages), ("dark", wrong.dark)):
            if given:
                table = _table_of_windows(given)
                self._windows.append(table)
                session[name], session[f"{name}_length"] = table.address, len(given)
        if wrong.outages:
            self._connect(agent, venue, _table_of_windows(wrong.outages), -1 if cancel_after is None else cancel_after)
        self._refresh_head()

    def _connect(self, agent: int, venue: int, windows: Table, patience: int) -> None:
        """Queue what happens when a session goes down and comes up."""
        world, environment = self._world.rows, self._environment
        markets = np.flatnonzero(self._markets.rows["venue"][: int(world["markets_count"][0])] == venue)
        self._grow_messages((2 + len(markets)) * len(windows))
        self._publish()
        environment.sequence = int(
            connect(world, environment.sequence, agent, venue, markets.astype(np.int64), windows.rows, patience)
        )

    def add_feed(self, values: NDArray[np.float64], start: int, step: int) -> int:
        """An information feed: values in ticks on a grid of times. Its number."""
        table = Table(np.dtype(np.float64), len(values))
        table.rows[: len(values)] = values
        self._feed_values.append(table)
        number = len(self._feed_values) - 1
        if number == len(self._feeds):
            self._feeds.grow(2 * number)
        row = self._feeds.rows[number : number + 1]
        row["values"], row["length"], row["step"], row["start"] = table.address, len(values), step, start
        self._publish()
        return number

    def clear_with(self, house: ClearingHouse) -> None:
        """Contracts are cleared from now on; all agents and feeds must be there."""
        self._house = house
        self._world.rows["clearing"] = house.address
        self._publish()
        for market in house.contracts:
            if int(self._world.rows["free_messages"][0]) < 2:
                self._grow_messages(2)
                self._publish()
            self._environment.sequence = int(begin_clearing(self._world.rows, self._environment.sequence, market))
        self._refresh_head()

    def add_sessions(self, plan: SessionPlan) -> None:
        """When the venues trade, and what interrupts them; once, before there are agents."""
        self._sessions = tuple(table_of(rows) if len(rows) else None for rows in plan.tables)
        self._publish()
        for market, row in enumerate(plan.sessions):
            if row["step"] < row["steps_end"]:
                self.remind(int(plan.steps["time"][row["step"]]), market, STEP_DUE)

    def remind(self, time: int, market: int, what: int, argument: int = 0, reason: int = 0) -> None:
        """Put something on a venue's clock before the run: one of the ``…_DUE`` of population.sessions."""
        if int(self._world.rows["free_messages"][0]) < 2:
            self._grow_messages(2)
            self._publish()
        sequence = self._environment.sequence
        self._environment.sequence = int(remind_first(self._world.rows, sequence, time, market, what, argument, reason))
        self._refresh_head()

    # --- running ---

    def send(
        self,
        sender: int,
        depart: int,
        kind: Kind,
        market: int,
        order_id: int = 0,
        side: int = 0,
        order_type: int = 0,
        time_in_force: int = 0,
        instructions: int = 0,
        price: int = 0,
        other_price: int = 0,
        quantity: int = 0,
        expire: int = 0,
        display: int = 0,
        minimum: int = 0,
        parent: int = 0,
        partner: int = 0,
    ) -> int:
        """A Python agent's request leaves at ``depart``. Answers the order id that a NEW got."""
        environment, called = self._environment, self._called
        answer = -1
        while answer < 0:
            try:
                _write_request(
                    self._request, 0, 0, 0, depart, kind, sender, 0, market, order_id, side, price, quantity,
                    other_price, 0, expire, order_type, time_in_force, instructions, 0, 0, 0, display, minimum, parent,
                    partner,
                )  # fmt: skip
            except struct.error as error:
                raise InvalidValueError(f"a request takes whole numbers of at most 64 bits: {error}") from error
            called[_SEQUENCE] = environment.sequence
            answer = self._send(self._address)
            if answer < 0:
                self._relieve(answer)
        environment.sequence = sequence = called[_SEQUENCE]
        key = (called[_TIME], NORMAL_ORDER + sequence)
        if key < self.head:
            self.head = key
        return int(answer)

    def advance(self, time: int, order: int, limit: int) -> None:
        """Handle compiled events before the key (time, order), at most ``limit``; see kernel.environment.Source."""
        environment, called = self._environment, self._called
        _write_call(called, 0, environment.sequence, time, order, limit)
        status = self._advance(self._address)
        environment.sequence, head_time, head_order, count = _read_call(called, 0)
        self.head = (head_time, head_order)
        if count:
            receivers, enqueue, outbox = self._receivers, environment.enqueue, self._sent
            for place in range(0, count * MESSAGE.itemsize, MESSAGE.itemsize):
                row = _read_message(outbox, place)
                enqueue((row[0], row[1], receivers[row[5]], row))
        if status != DONE:
            self._relieve(status)

    @property
    def events(self) -> int:
        """Compiled events handled so far."""
        return int(self._world.rows["events"][0])

    @property
    def names(self) -> Sequence[str]:
        """Name of each agent by number."""
        return self._names

    def events_of(self, number: int) -> int:
        """How often a compiled agent was called."""
        return int(self._agents.rows["events"][number])

    def state(self, policy: int) -> Rows:
        """The records of a policy's agents, live."""
        return self._policy_tables[policy].rows

    def accounts(self) -> NDArray[Any]:
        """The records of all agents (AGENT): position and cash as compiled agents know them."""
        return np.asarray(self._agents.rows[: len(self._names)])

    def profile(self) -> None:
        """Measure from now on how long each kind of event takes; ``profiled`` tells."""
        self._profile = Table(PROFILE, KINDS * (1 + len(self._policy_tables)))
        self._publish()
        self._world.rows["clock"] = clock_address()

    def profiled(self) -> NDArray[Any]:
        """Events and time inside compiled code: rows of ``policy`` (-1 for the venues), ``kind`` (of
        domain.message.Kind; reports are Kind.REPORT + EventKind), ``events`` and ``nanoseconds``.
        """
        rows = self._profile.rows
        used = np.flatnonzero(rows["events"])
        told = np.zeros(
            len(used), [("policy", np.int64), ("kind", np.int64), ("events", np.int64), ("nanoseconds", np.int64)]
        )
        told["policy"], told["kind"] = used // KINDS - 1, used % KINDS
        told["events"] = rows["events"][used]
        told["nanoseconds"] = rows["nanoseconds"][used] * nanoseconds_a_tick()
        return told

    @property
    def nbytes(self) -> int:
        """Memory of the world's own tables."""
        tables = (
            self._queue, self._pool, self._outbox, self._wakes, self._agents, self._working, self._working_of,
            self._subscribers, self._rosters, self._paced, self._changed, self._buckets, self._shown,
        )  # fmt: skip
        return sum(table.nbytes for table in (*tables, *self._policy_tables)) + self._network.nbytes

    # --- tables ---

    def _prepare(self, processing: Sequence[int], market_venues: Sequence[int], grid: int) -> None:
        if grid < 1:
            raise InvalidValueError(f"grid={grid}: it must be at least 1 ns")
        world = self._world.rows
        world["grid"] = grid
        world["subscribers_count"] = world["paced_count"] = world["changed_count"] = 1
        self._venues.rows["processing"][: len(processing)] = processing
        self._markets.rows["venue"][: len(market_venues)] = market_venues
        self._venues.rows["heartbeat"] = SECOND
        world["venues_count"], world["markets_count"] = len(processing), len(market_venues)
        world["free_message"], world["free_messages"] = 1, self._pool.chain(1)
        world["free_working"], world["free_workings"] = 1, self._working.chain(1)
        self._publish()

    def _publish(self) -> None:
        world = self._world.rows
        for name in ("wakes", "queue", "pool", "outbox", "subscribers", "working", "working_of", "paced", "changed",
                     "buckets", "shown"):  # fmt: skip
            table: Table = getattr(self, f"_{name}")
            world[name], world[f"{name}_length"] = table.address, len(table)
        for name in ("rosters", "agents", "policies", "venues", "markets", "feeds", "seen", "out", "actions"):
            world[name] = getattr(self, f"_{name}").address
        if self._throttled:
            self._allowances.grow(len(self._agents) * len(self._venues))
        for name in ("connections", "allowances"):
            table = getattr(self, f"_{name}")
            world[name], world[f"{name}_length"] = table.address, len(table)
        self._sent = memoryview(self._outbox.rows.view(np.uint8))
        world["agents_count"] = len(self._names)
        world["policies_count"], world["feeds_count"] = len(self._policy_tables), len(self._feed_values)
        world["links"], world["links_length"] = self._network.links.address, len(self._network.links)
        world["hops"], world["hops_length"] = self._network.hops.address, len(self._network.hops)
        for name, rows in zip(SESSION_TABLES, self._sessions, strict=False):
            if rows is not None:
                world[name], world[f"{name}_length"] = rows.address, len(rows)
        world["profile"], world["profile_length"] = self._profile.address, len(self._profile)
        out = self._out.rows
        out["actions"], out["working"], out["working_length"] = (
            self._actions.address,
            self._working.address,
            len(self._working),
        )
        out["working_of"], out["working_of_length"] = self._working_of.address, len(self._working_of)

    def _new_agents(self, count: int) -> int:
        first = len(self._names)
        if first + count > len(self._agents):
            self._agents.grow(max(2 * len(self._agents), first + count))
        if first + count > len(self._wakes):
            self._wakes.grow(max(2 * len(self._wakes), first + count))
        self._publish()
        self._world.rows["agents_count"] = first + count
        return first

    def _refresh_head(self) -> None:
        """Ask the loop what comes next, without handling anything."""
        self._publish()
        self.advance(0, 0, 0)

    def _relieve(self, status: int) -> None:
        world = self._world.rows
        if status in (POLICY_FAILED, POLICY_STUCK):
            raise policy_error(status, self._names[int(world["culprit"][0])], int(world["now"][0]))
        if status == SHORT_OF_MESSAGES:
            self._grow_messages(int(world["needed"][0]))
        elif status == SHORT_OF_SUBSCRIBERS:
            self._subscribers.grow(2 * len(self._subscribers))
        elif status == SHORT_OF_PACED:
            self._paced.grow(2 * len(self._paced) + 8)
        elif status == SHORT_OF_CHANGED:
            self._grow_changed()
        elif status == SHORT_OF_SHOWN:
            self._shown.grow(2 * int(self._core.record["next_id"][0]) + _ID_ROOM)
        elif status == SHORT_OF_WORKING:
            self._grow_working()
        elif status == SHORT_OF_PRINTS:
            self._grow_prints(int(world["culprit"][0]))
        elif status == SHORT_OF_SLOTS:
            self._core.make_room_for_ids(int(self._core.record["next_id"][0]) + _ID_ROOM)
        else:
            self._core.relieve(status)
        self._publish()

    def _grow_messages(self, needed: int) -> None:
        world = self._world.rows
        if int(world["free_messages"][0]) < needed:
            old = len(self._pool)
            self._pool.grow(2 * old + needed)
            self._queue.grow(len(self._pool))
            world["free_messages"] += self._pool.chain(old, int(world["free_message"][0]))
            world["free_message"] = old
        if len(self._outbox) < 2 * needed:
            self._outbox.grow(4 * needed)
        if int(world["wakes_count"][0]) == len(self._wakes):  # policies may ask for several wake-ups at once
            self._wakes.grow(2 * len(self._wakes))

    def _grow_prints(self, market: int) -> None:
        """Room for more trades that a market remembers: a ring of twice the length, in which each keeps its number."""
        row = self._markets.rows[market : market + 1]
        old = self._prints.get(market)
        table = Table(PRINT, 1024 if old is None else 2 * len(old))
        if old is not None:
            numbers = np.arange(int(row["prints_first"][0]), int(row["prints_count"][0]))
            for name in PRINT.names or ():
                table.rows[name][numbers % len(table)] = old.rows[name][numbers % len(old)]
        self._prints[market] = table
        row["prints"], row["prints_length"] = table.address, len(table)

    def _grow_changed(self) -> None:
        self._changed.grow(max(2 * len(self._changed), 1024))
        self._buckets.grow(len(self._changed))
        self._publish()
        list_again(self._world.rows)

    def _grow_working(self) -> None:
        world = self._world.rows
        if int(world["free_workings"][0]) < ACTIONS:
            old = len(self._working)
            self._working.grow(2 * old)
            world["free_workings"] += self._working.chain(old, int(world["free_working"][0]))
            world["free_working"] = old
        ids = int(self._core.record["next_id"][0])
        if len(self._working_of) < ids + 2 * ACTIONS:
            self._working_of.grow(max(2 * len(self._working_of), ids + _ID_ROOM))


def _table_of_windows(given: Sequence[Window]) -> Table:
    table = Table(WINDOW, len(given))
    for place, window in enumerate(given):
        table.rows[place] = window
    return table


@cache
def _entries() -> tuple[Callable[[int], int], Callable[[int], int]]:
    return entry_of(send, 1), entry_of(advance, 1)


def _nobody(row: Any) -> None:
    """Compiled agents have no Python receiver."""
