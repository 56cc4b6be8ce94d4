"""Mail: messages on their way through the compiled world. Each takes one sequence number and its link's delay.

What is meant for a Python agent goes to the outbox with its key, and the horizon is lowered to that key, so nothing
overtakes it; all else waits in the world's own queue. This module reads no message.
"""

from __future__ import annotations

from marketsim.domain.message import Kind
from marketsim.domain.order import Reason
from marketsim.kernel.compiled import Record, compiled
from marketsim.kernel.environment import NORMAL_ORDER
from marketsim.kernel.heap import heap_pop, heap_push
from marketsim.network.link import transit
from marketsim.population.session import LOST, downward, takes_copy, upward
from marketsim.population.state import (
    CHANNELS,
    ORDERS_UP,
    REPORTS_DOWN,
    agents_of,
    hops_of,
    links_of,
    markets_of,
    nights_of,
    outbox_of,
    pool_of,
    queue_of,
    session_of,
)

_NEW, _REPLACE = int(Kind.NEW), int(Kind.REPLACE)
_DISCONNECTED = int(Reason.DISCONNECTED)


@compiled
def has_room(world: Record, count: int) -> bool:
    """Whether ``count`` more messages fit, wherever they go."""
    world.needed = count
    return world.free_messages >= count and world.outbox_length - world.outbox_count >= count


@compiled
def on_grid(world: Record, time: int) -> int:
    """A time rounded up to the grid on which things happen."""
    grid = world.grid
    return time if grid == 1 else (time + grid - 1) // grid * grid


@compiled
def waking_time(world: Record, time: int) -> int:
    """When an agent wakes that means to do so at a time: in a night later by its length, as after_night tells."""
    if world.nights_length == 0:
        return on_grid(world, time)
    nights = nights_of(world)
    while world.night < world.nights_length and nights[world.night].end <= world.now:
        world.night += 1
    for number in range(world.night, world.nights_length):
        if time < nights[number].start:
            break
        if time < nights[number].end:
            time += nights[number].end - nights[number].start
    return on_grid(world, time)


@compiled
def next_number(world: Record) -> int:
    """The order part of the next key."""
    world.sequence += 1
    return NORMAL_ORDER + world.sequence


@compiled
def envelope(world: Record, time: int, receiver: int) -> Record:
    """A message that will be delivered at a time, queued where its receiver will find it."""
    order = next_number(world)
    if receiver >= 0 and agents_of(world)[receiver].policy < 0:
        message = outbox_of(world)[world.outbox_count]
        world.outbox_count += 1
        if time < world.horizon_time or (time == world.horizon_time and order < world.horizon_order):
            world.horizon_time = time
            world.horizon_order = order
    else:
        slot = world.free_message
        message = pool_of(world)[slot]
        world.free_message = message.next
        world.free_messages -= 1
        heap_push(queue_of(world), world.queue_count, time, order, slot)
        world.queue_count += 1
    message.time = time
    message.order = order
    message.receiver = receiver
    message.ready = 0
    return message


@compiled
def from_venue(world: Record, kind: int, receiver: int, channel: int, market: int) -> Record:
    """A message from the current venue, which leaves when the venue is done with the request."""
    agent = agents_of(world)[receiver]
    link = agent.links + CHANNELS * world.venue + channel
    if agent.sessions == 0:
        arrival = transit(links_of(world), hops_of(world), link, world.depart)
    else:
        arrival = downward(world, link, agent.sessions + world.venue, channel, kind)
    if arrival != LOST:
        message = envelope(world, on_grid(world, arrival), receiver)
    else:
        message = pool_of(world)[0]  # nobody will read it
    message.kind = kind
    message.sent = world.now
    message.sender = -1 - world.venue
    message.market = market
    message.order_id = 0
    message.side = 0
    message.price = 0
    message.quantity = 0
    message.other_price = 0
    message.leaves = 0
    message.expire = 0
    message.order_type = 0
    message.time_in_force = 0
    message.instructions = 0
    message.reason = 0
    message.next = 0
    return message


@compiled
def to_venue(world: Record, request: Record, sender: int, depart: int) -> Record:
    """Send a request on its way to the venue of its market."""
    markets = markets_of(world)
    market = request.market
    venue = markets[market].venue if 0 <= market < world.markets_count else 0
    agent = agents_of(world)[sender]
    link = agent.links + CHANNELS * venue + ORDERS_UP
    reason = 0
    local = False
    if agent.sessions == 0:
        arrival = transit(links_of(world), hops_of(world), link, depart)
    else:
        session = session_of(world, agent.sessions + venue)
        arrival, arrives, local = upward(world, link, session, depart, _NEW <= request.kind <= _REPLACE)
        reason = 0 if arrives else _DISCONNECTED
    message = envelope(world, on_grid(world, arrival), -1 - venue)
    message.kind = request.kind
    message.sent = depart
    message.sender = sender
    message.market = market
    message.order_id = request.order_id
    message.side = request.side
    message.price = request.price
    message.quantity = request.quantity
    message.other_price = request.other_price
    message.leaves = 1 if local else 0
    message.expire = request.expire
    message.order_type = request.order_type
    message.time_in_force = request.time_in_force
    message.instructions = request.instructions
    message.reason = reason
    message.display = request.display
    message.minimum = request.minimum
    message.parent = request.parent
    message.partner = request.partner
    return message


@compiled
def number_report(world: Record, report: Record) -> None:
    """Give a report its number in a session with faults, by which a copy is known; it may be sent twice."""
    session = session_of(world, agents_of(world)[report.receiver].sessions + world.venue)
    session.reports += 1
    report.next = session.reports
    if not takes_copy(session):
        return
    message = from_venue(world, report.kind, report.receiver, REPORTS_DOWN, report.market)
    message.order_id = report.order_id
    message.side = report.side
    message.price = report.price
    message.quantity = report.quantity
    message.other_price = report.other_price
    message.leaves = report.leaves
    message.expire = report.expire
    message.order_type = report.order_type
    message.time_in_force = report.time_in_force
    message.instructions = report.instructions
    message.reason = report.reason
    message.next = report.next


@compiled
def defer(world: Record, start: int) -> None:
    """The first message of the queue waits until its receiver is free; it keeps its number."""
    queue = queue_of(world)
    slot = queue[0].what
    order = queue[0].order
    pool_of(world)[slot].ready = 1
    heap_pop(queue, world.queue_count)
    heap_push(queue, world.queue_count - 1, start, order, slot)


@compiled
def drop_first(world: Record) -> None:
    """The first message of the queue has been handled."""
    queue = queue_of(world)
    slot = queue[0].what
    heap_pop(queue, world.queue_count)
    world.queue_count -= 1
    pool_of(world)[slot].next = world.free_message
    world.free_message = slot
    world.free_messages += 1
