"""State of the compiled world: the records that its loop works on.

One WORLD record holds counts and addresses; it stands beside the CORE record of the matching core. Agents and venues
are numbered from 0; a receiver below 0 is the venue -1 - receiver. This module holds no logic but access to tables.
"""

from __future__ import annotations

import numpy as np

from marketsim.domain.message import MESSAGE, Kind
from marketsim.exchange.clearing import CLEARING
from marketsim.exchange.state import ASK, BID, BOOK, CORE, LADDER, LADDERS, ORDER, RUNG, ladders_of, slots_of
from marketsim.kernel.compiled import CACHE_LINE, Record, Rows, array_at, compiled, inlined, prefetch
from marketsim.kernel.heap import ENTRY
from marketsim.network.link import LINK
from marketsim.network.sampling import HOP

AGENT = np.dtype(
    [
        ("policy", np.int64),  # number of the compiled policy; -1 for a Python agent
        ("row", np.int64),  # its row in the policy's table
        ("key", np.int64),  # of its random draws
        ("computation", np.int64),  # ns it needs to act
        ("busy_until", np.int64),
        ("links", np.int64),  # first link; one group of CHANNELS a venue
        ("market", np.int64),  # home market of a compiled agent
        ("feed", np.int64),  # number of its information feed; -1 for none
        ("position", np.int64),  # lots, in its home market, as it knows
        ("cash", np.int64),  # ticks x lots, as it knows
        ("working", np.int64),  # first of its working orders; 0 for none
        ("events", np.int64),  # handled
        ("called_at", np.int64),  # time of the last of them
        ("calls", np.int64),  # at that time in which it woke or asked for something
        ("sessions", np.int64),  # first of its sessions, one a venue, where something is wrong with any; else 0
        ("spare", np.int64, (1,)),  # to two whole lines of the processor's cache
    ]
)
POLICY = np.dtype([("address", np.int64), ("table", np.int64), ("width", np.int64)])
VENUE = np.dtype(
    [
        ("processing", np.int64),
        ("busy_until", np.int64),
        ("heartbeat", np.int64),  # ns between two, for feeds that lose messages
        (
            "refill",
            np.int64,
        ),  # of a participant's bucket in a nanosecond; 0 where the venue takes any number of requests
        ("cost", np.int64),  # of a request
        ("burst", np.int64),  # of a whole bucket
        ("spares_cancels", np.int64),  # 1: cancels cost nothing
    ]
)
SESSION = np.dtype(  # what is wrong between a participant and a venue
    [
        ("key", np.int64),  # of its chances
        ("loss", np.float64),  # chance that a message of market data is lost
        ("published", np.int64),  # messages of market data, lost or not
        ("duplicates", np.float64),  # chance that a report is sent twice
        ("delays", np.float64),  # chance that a report is late
        ("delay", np.int64),  # ns by which it is
        ("reports", np.int64),  # the number of the last one
        ("carried", np.int64),  # messages of the session, reports sent twice counted twice
        ("heard", np.int64),  # number of the last report that a compiled agent took in
        ("outages", np.int64),  # address of WINDOW: when it is down
        ("outages_length", np.int64),
        ("dark", np.int64),  # address of WINDOW: when market data does not come through
        ("dark_length", np.int64),
    ]
)
WINDOW = np.dtype([("first", np.int64), ("last", np.int64)])  # ns; the last does not belong to it
ALLOWANCE = np.dtype(
    [("spent", np.int64), ("time", np.int64)]
)  # what a participant has not won back yet, and as of when
MARKET = np.dtype(
    [
        ("venue", np.int64),  # what a message needs where nobody listens lies in one line of the processor's cache
        ("wanted", np.int64),  # kinds of data that somebody hears: Wanted, and the two below
        ("bid", np.int64),  # as last published
        ("bid_quantity", np.int64),
        ("ask", np.int64),
        ("ask_quantity", np.int64),
        ("window", np.int64),  # ns for which its trades are remembered; 0 as long as nobody has asked
        ("prints_count", np.int64),
        ("prints", np.int64),  # address of a ring of PRINT
        ("prints_length", np.int64),
        ("prints_first", np.int64),  # the oldest that is remembered, counted from the first of all
        ("bought", np.int64),  # lots that aggressors bought, since trades are remembered
        ("sold", np.int64),
        ("heavy", np.int64),  # side of the book that was told to be heavy: +1, -1, or 0 for neither
        ("heavy_last", np.int64),  # subscriber with the largest share that was told so
        ("paced", np.int64),  # first of its PACED quotes and levels
        ("bars", np.int64),  # first of its PACED bars
        ("idle_quotes", np.int64),  # first PACED of quotes, and of levels, with nothing under way
        ("idle_levels", np.int64),
        ("newest", np.int64),  # the level of CHANGED that changed last
        ("sequence", np.int64),  # of the feed of orders
        ("phase_reason", np.int64),  # why it is in its phase (Reason), and until when; 0 where that is not known
        ("phase_until", np.int64),
        ("indicative_price", np.int64),  # as last published
        ("indicative_quantity", np.int64),
        ("indicative_surplus", np.int64),
        ("indicative_side", np.int64),
        ("beating", np.int64),  # 1 once somebody is told, now and then, how far the feed has come
        ("spare", np.int64, (4,)),  # to four whole lines
    ]
)
PRINT = np.dtype([("time", np.int64), ("bought", np.int64), ("sold", np.int64)])  # a trade, and the sums before it
ROSTER = np.dtype(  # who hears one kind of data of one market, each change of it
    [
        ("head", np.int64),
        ("tail", np.int64),
        ("count", np.int64),
        ("spare", np.int64),
    ]
)
PACED = np.dtype(  # who hears one kind of data of one market once in a while: conflated quotes or levels, and bars
    [
        ("head", np.int64),
        ("tail", np.int64),
        ("count", np.int64),
        ("kind", np.int64),  # one of Wanted
        ("market", np.int64),
        ("pace", np.int64),  # ns
        ("due", np.int64),  # not before this is anything told; of bars the end of the one under way
        ("idle", np.int64),  # the next one with nothing under way
        ("next", np.int64),  # another one of the market
        ("sequence", np.int64),  # of its own increments of levels
        ("stamp", np.int64),  # changes of levels up to this one have been told
        ("bid", np.int64),  # the quote last told
        ("bid_quantity", np.int64),
        ("ask", np.int64),
        ("ask_quantity", np.int64),
        ("open", np.int64),  # of the bar under way
        ("high", np.int64),
        ("low", np.int64),
        ("close", np.int64),
        ("volume", np.int64),
        ("value", np.int64),  # ticks x lots
        ("trades", np.int64),
        ("spare", np.int64, (2,)),
    ]
)
CHANGED = np.dtype(  # a level that has changed since conflated levels are heard
    [
        ("ladder", np.int64),
        ("price", np.int64),
        ("stamp", np.int64),  # the feed's sequence at its latest change
        ("older", np.int64),  # neighbours in the order of the latest changes
        ("newer", np.int64),
        ("next", np.int64),  # another one whose place is found in the same bucket
    ]
)
SHOWN = np.dtype(  # an order as the feed of orders knows it, by order id
    [
        ("quantity", np.int64),  # displayed now; 0: not on the book
        ("open", np.int64),
        ("held", np.int64),  # of that, what its parent has not released
        ("part", np.int64),  # an iceberg displays so much at a time; 0: all
        ("price", np.int64),
        ("priority", np.int64),
        ("partner", np.int64),  # order id; 0 for none
        ("side", np.int32),
        ("secret", np.int32),  # 1: as it is now it would rest where nobody sees it
    ]
)
SUBSCRIBER = np.dtype(
    [
        ("agent", np.int64),
        ("next", np.int64),
        ("prev", np.int64),
        ("share", np.float64),  # of the book, above which a side is heavy
    ]
)
FEED = np.dtype([("values", np.int64), ("length", np.int64), ("step", np.int64), ("start", np.int64)])
WORKING = np.dtype(  # an order that a compiled agent knows to be open
    [
        ("order_id", np.int64),
        ("side", np.int64),
        ("price", np.int64),
        ("leaves", np.int64),
        ("agent", np.int64),
        ("next", np.int64),
        ("prev", np.int64),
    ]
)
SEEN = np.dtype(  # what a policy is shown
    [
        ("kind", np.int64),  # Kind
        ("now", np.int64),
        ("agent", np.int64),
        ("key", np.int64),  # of its random draws
        ("market", np.int64),
        ("order_id", np.int64),
        ("side", np.int64),
        ("price", np.int64),  # of a report or a trade
        ("quantity", np.int64),
        ("leaves", np.int64),
        ("reason", np.int64),
        ("maker", np.int64),
        ("tag", np.int64),  # of a timer
        ("bid", np.int64),  # of a quote: quantity 0 means that the side is empty
        ("bid_quantity", np.int64),
        ("ask", np.int64),
        ("ask_quantity", np.int64),
        ("last_price", np.int64),  # 0 before anything has traded
        ("position", np.int64),
        ("cash", np.int64),
        ("value", np.float64),  # of its information feed, in ticks; not a number without one
    ]
)
OUT = np.dtype(  # what a policy answers with; written by the functions of policy.py
    [
        ("actions", np.int64),  # address
        ("count", np.int64),
        ("now", np.int64),
        ("agent", np.int64),
        ("market", np.int64),
        ("next_id", np.int64),
        ("wake", np.int64),  # -1 for none
        ("working", np.int64),  # address of the table of working orders
        ("working_length", np.int64),
        ("working_of", np.int64),  # address of the index of working orders by order id
        ("working_of_length", np.int64),
        ("first_working", np.int64),
    ]
)
WORLD = np.dtype(
    [
        ("sequence", np.int64),
        ("now", np.int64),
        ("wakes", np.int64),
        ("wakes_length", np.int64),
        ("wakes_count", np.int64),
        ("queue", np.int64),
        ("queue_length", np.int64),
        ("queue_count", np.int64),
        ("pool", np.int64),
        ("pool_length", np.int64),
        ("free_message", np.int64),
        ("free_messages", np.int64),
        ("outbox", np.int64),
        ("outbox_length", np.int64),
        ("outbox_count", np.int64),
        ("agents", np.int64),
        ("agents_count", np.int64),
        ("policies", np.int64),
        ("policies_count", np.int64),
        ("venues", np.int64),
        ("venues_count", np.int64),
        ("markets", np.int64),
        ("markets_count", np.int64),
        ("links", np.int64),
        ("links_length", np.int64),
        ("hops", np.int64),
        ("hops_length", np.int64),
        ("subscribers", np.int64),
        ("subscribers_length", np.int64),
        ("subscribers_count", np.int64),
        ("rosters", np.int64),
        ("paced", np.int64),
        ("paced_length", np.int64),
        ("paced_count", np.int64),
        ("changed", np.int64),
        ("changed_length", np.int64),
        ("changed_count", np.int64),
        ("buckets", np.int64),
        ("buckets_length", np.int64),
        ("shown", np.int64),
        ("shown_length", np.int64),
        ("feeds", np.int64),
        ("feeds_count", np.int64),
        ("working", np.int64),
        ("working_length", np.int64),
        ("free_working", np.int64),
        ("free_workings", np.int64),
        ("working_of", np.int64),  # order_id -> working slot
        ("working_of_length", np.int64),
        ("seen", np.int64),
        ("out", np.int64),
        ("actions", np.int64),
        ("grid", np.int64),  # times at which agents act are rounded up to it
        ("stage", np.int64),  # of the venue's current request
        ("row", np.int64),  # next row of the log to report
        ("touch", np.int64),  # next touched level to publish
        ("market", np.int64),  # the request's; with the next one the markets whose quotes are still to be published
        ("last_market", np.int64),
        ("venue", np.int64),
        ("depart", np.int64),  # when the venue's answers leave
        ("open", np.int64),  # open quantity of the order whose trades are being reported
        ("active", np.int64),  # that order; 0 for none
        ("owing", np.int64, (2,)),  # partners of the two orders of the last trade; 0 for none
        ("horizon_time", np.int64),
        ("horizon_order", np.int64),
        ("needed", np.int64),  # messages for which there was no room
        ("events", np.int64),  # handled
        ("culprit", np.int64),  # agent whose policy failed; market whose prints are too many
        ("clock", np.int64),  # address of a clock; 0 when nothing is measured
        ("profile", np.int64),  # address of the table of PROFILE
        ("profile_length", np.int64),
        ("clearing", np.int64),  # address of the CLEARING record; 0 where every market is plain
        ("sessions", np.int64),  # see sessions.py; 0 where nothing is ever closed or interrupted
        ("sessions_length", np.int64),
        ("rules", np.int64),
        ("rules_length", np.int64),
        ("steps", np.int64),
        ("steps_length", np.int64),
        ("breaker_levels", np.int64),
        ("breaker_levels_length", np.int64),
        ("nights", np.int64),  # when everything is closed
        ("nights_length", np.int64),
        ("night", np.int64),  # the first that is not over
        ("connections", np.int64),  # address of the table of SESSION
        ("connections_length", np.int64),
        ("allowances", np.int64),  # address of the table of ALLOWANCE; row: agent * venues + venue
        ("allowances_length", np.int64),
    ]
)

NIGHT = np.dtype([("start", np.int64), ("end", np.int64)])
PROFILE = np.dtype([("events", np.int64), ("nanoseconds", np.int64)])  # row: KINDS * (1 + policy) + kind
CALL = np.dtype(  # a call from Python: what it takes and what it answers
    [
        ("sequence", np.int64),
        ("time", np.int64),  # of the horizon; answered: of the next event, or of an arrival
        ("order", np.int64),
        ("limit", np.int64),  # events at most; answered: messages in the outbox
        ("core", np.int64),  # addresses
        ("world", np.int64),
    ]
)

CHANNELS = 3
ORDERS_UP, REPORTS_DOWN, DATA_DOWN = 0, 1, 2
ROSTERS = 8  # kinds of data a market
QUOTE_LIST, TRADE_LIST, LEVEL_LIST, IMBALANCE_LIST, ORDER_LIST, STATUS_LIST, BAR_LIST, INDICATIVE_LIST = range(ROSTERS)
# A list of a market: ROSTERS * market + one of these; it is the bit of the same number in Wanted.
PACED_QUOTES, PACED_LEVELS = 256, 512  # in ``wanted`` of a market
ACTIONS = 1024  # requests that one policy call may make
MOST_CALLS = 10_000  # in which one agent wakes or asks for something at one nanosecond
KINDS = 64  # of messages, reports included

# Answers of the loop, beside the SHORT_OF codes of the matching core.
DONE, SHORT_OF_MESSAGES, SHORT_OF_SUBSCRIBERS, SHORT_OF_WORKING, SHORT_OF_PRINTS = 0, -11, -12, -13, -14
POLICY_FAILED, POLICY_STUCK = -15, -16
SHORT_OF_PACED, SHORT_OF_CHANGED, SHORT_OF_SHOWN = -17, -18, -19

_AGENT_SIZE, _LINK_SIZE = AGENT.itemsize, LINK.itemsize
_ORDER_SIZE, _RUNG_SIZE = ORDER.itemsize, RUNG.itemsize
_NEW, _EXPIRE = int(Kind.NEW), int(Kind.EXPIRE)
_MARKET_SIZE, _BOOK_SIZE, _SIDES_SIZE = MARKET.itemsize, BOOK.itemsize, LADDERS * LADDER.itemsize
_WORD = np.dtype(np.int64)
_REAL = np.dtype(np.float64)


@compiled
def call_at(address: int) -> Record:
    return array_at(address, 1, CALL)[0]


@compiled
def core_of(call: Record) -> Record:
    return array_at(call.core, 1, CORE)[0]


@compiled
def world_of(call: Record) -> Record:
    return array_at(call.world, 1, WORLD)[0]


@inlined
def foresee_agent(world: Record, number: int) -> None:
    """An agent is next but one thing: bring its record into the cache meanwhile."""
    agent = world.agents + number * _AGENT_SIZE
    prefetch(agent)
    prefetch(agent + CACHE_LINE)


@inlined
def foresee_memory(world: Record, agent: Record) -> None:
    """An agent's turn begins: bring what its policy remembers and its first link into the cache meanwhile."""
    prefetch(world.links + agent.links * _LINK_SIZE)
    policy = array_at(world.policies, world.policies_count, POLICY)[agent.policy]
    memory = policy.table + agent.row * policy.width
    prefetch(memory)
    prefetch(memory + CACHE_LINE)


@inlined
def foresee_market(core: Record, world: Record, market: int) -> None:
    """A market is next: bring its records and both sides of its book into the cache meanwhile."""
    prefetch(world.markets + market * _MARKET_SIZE)
    prefetch(core.books + market * _BOOK_SIZE)
    sides = core.ladders + market * _SIDES_SIZE
    prefetch(sides)
    prefetch(sides + CACHE_LINE)


@inlined
def foresee_message(core: Record, world: Record) -> None:
    """The first message of the queue is next: bring whom it concerns, and its order, into the cache meanwhile."""
    if world.queue_count == 0:
        return
    message = pool_of(world)[queue_of(world)[0].what]
    order = message.order_id * 8
    if message.receiver >= 0:
        foresee_agent(world, message.receiver)
        prefetch(world.working_of + order)
    else:
        foresee_agent(world, message.sender)
        prefetch(core.slots + order)
        foresee_market(core, world, message.market)


@inlined
def foresee_order(core: Record, world: Record) -> None:
    """The first message of the queue is next: bring the order that it names, or the best prices, near meanwhile.

    What this looks at itself was brought near by ``foresee_message``.
    """
    if world.queue_count == 0:
        return
    message = pool_of(world)[queue_of(world)[0].what]
    if message.receiver >= 0 or message.kind > _EXPIRE or message.kind < _NEW:
        return
    if message.market < 0 or message.market >= core.markets:
        return
    if message.order_id > 0 and message.order_id < core.slots_length:
        order = core.orders + max(slots_of(core)[message.order_id], 0) * _ORDER_SIZE
        prefetch(order)
        prefetch(order + CACHE_LINE)
    side = ladders_of(core)[message.market * LADDERS + (BID if message.side > 0 else ASK)]
    prefetch(core.rungs + (side.start + side.rungs) * _RUNG_SIZE - 1)


@compiled
def wakes_of(world: Record) -> Rows:
    return array_at(world.wakes, world.wakes_length, ENTRY)


@compiled
def queue_of(world: Record) -> Rows:
    return array_at(world.queue, world.queue_length, ENTRY)


@compiled
def pool_of(world: Record) -> Rows:
    return array_at(world.pool, world.pool_length, MESSAGE)


@compiled
def outbox_of(world: Record) -> Rows:
    return array_at(world.outbox, world.outbox_length, MESSAGE)


@compiled
def agents_of(world: Record) -> Rows:
    return array_at(world.agents, world.agents_count, AGENT)


@compiled
def policies_of(world: Record) -> Rows:
    return array_at(world.policies, world.policies_count, POLICY)


@compiled
def venues_of(world: Record) -> Rows:
    return array_at(world.venues, world.venues_count, VENUE)


@compiled
def markets_of(world: Record) -> Rows:
    return array_at(world.markets, world.markets_count, MARKET)


@compiled
def links_of(world: Record) -> Rows:
    return array_at(world.links, world.links_length, LINK)


@compiled
def hops_of(world: Record) -> Rows:
    return array_at(world.hops, world.hops_length, HOP)


@compiled
def subscribers_of(world: Record) -> Rows:
    return array_at(world.subscribers, world.subscribers_length, SUBSCRIBER)


@compiled
def rosters_of(world: Record) -> Rows:
    return array_at(world.rosters, ROSTERS * world.markets_count, ROSTER)


@compiled
def paced_of(world: Record) -> Rows:
    return array_at(world.paced, world.paced_length, PACED)


@compiled
def changed_of(world: Record) -> Rows:
    return array_at(world.changed, world.changed_length, CHANGED)


@compiled
def buckets_of(world: Record) -> Rows:
    return array_at(world.buckets, world.buckets_length, _WORD)


@compiled
def shown_of(world: Record) -> Rows:
    return array_at(world.shown, world.shown_length, SHOWN)


@compiled
def working_of(world: Record) -> Rows:
    return array_at(world.working, world.working_length, WORKING)


@compiled
def working_index_of(world: Record) -> Rows:
    return array_at(world.working_of, world.working_of_length, _WORD)


@compiled
def session_of(world: Record, number: int) -> Record:
    return array_at(world.connections, world.connections_length, SESSION)[number]


@compiled
def allowance_of(world: Record, number: int) -> Record:
    return array_at(world.allowances, world.allowances_length, ALLOWANCE)[number]


@compiled
def seen_of(world: Record) -> Rows:
    return array_at(world.seen, 1, SEEN)


@compiled
def out_of(world: Record) -> Rows:
    return array_at(world.out, 1, OUT)


@compiled
def actions_of(world: Record) -> Rows:
    return array_at(world.actions, ACTIONS, MESSAGE)


@compiled
def clearing_of(world: Record) -> Record:
    return array_at(world.clearing, 1, CLEARING)[0]


@compiled
def nights_of(world: Record) -> Rows:
    return array_at(world.nights, world.nights_length, NIGHT)


@compiled
def feed_value(world: Record, feed: int, time: int) -> float:
    """Value of an information feed at a time: the last point of its grid, in ticks."""
    row = array_at(world.feeds, world.feeds_count, FEED)[feed]
    position = min(max((time - row.start) // row.step, 0), row.length - 1)
    return array_at(row.values, row.length, _REAL)[position]
