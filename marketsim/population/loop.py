"""The loop: advances the compiled world event by event, in the order of the kernel's key.

What happens to a message is the same whoever sent it: it takes one sequence number and its link's delay (mail), waits
while its receiver is busy, and is handled by a venue (venue, publication) or by a compiled agent (turn).

Arrays never grow here: before anything happens the loop sees that there is room, and otherwise answers a SHORT_OF code;
the engine grows the table and calls again. A venue's answers to one request are given in stages that can be resumed.
"""

from __future__ import annotations

from marketsim.domain.message import Kind
from marketsim.kernel.clock import ticks
from marketsim.kernel.compiled import Record, Rows, array_at, compiled, entrance
from marketsim.kernel.environment import NEVER
from marketsim.kernel.heap import heap_push
from marketsim.population.gateway import connection_at
from marketsim.population.mail import has_room, next_number, to_venue, waking_time
from marketsim.population.publication import IDLE, finish_request
from marketsim.population.state import (
    DONE,
    KINDS,
    PROFILE,
    SHORT_OF_MESSAGES,
    actions_of,
    agents_of,
    call_at,
    core_of,
    foresee_order,
    pool_of,
    queue_of,
    wakes_of,
    world_of,
)
from marketsim.population.turn import at_agent, wake_up
from marketsim.population.venue import at_venue

_NEW, _START, _WAKE = int(Kind.NEW), int(Kind.START), int(Kind.WAKE)


@compiled
def _next_is_wake(world: Record) -> bool:
    if world.wakes_count == 0:
        return False
    if world.queue_count == 0:
        return True
    wake = wakes_of(world)[0]
    message = queue_of(world)[0]
    return wake.time < message.time or (wake.time == message.time and wake.order < message.order)


@compiled
def _one(core: Record, world: Record, wake: bool) -> int:
    """Handle the first event."""
    if wake:
        return wake_up(core, world)
    slot = queue_of(world)[0].what
    if pool_of(world)[slot].receiver < 0:
        return at_venue(core, world, slot)
    return at_agent(core, world, slot)


@compiled
def _place_of(world: Record, wake: bool) -> int:
    """The row of the profile that the first event belongs to: venues first, then the policies; by kind of message."""
    if wake:
        agent = agents_of(world)[wakes_of(world)[0].what >> 1]
        return KINDS * (1 + agent.policy) + (_WAKE if agent.events > 0 else _START)
    message = pool_of(world)[queue_of(world)[0].what]
    policy = agents_of(world)[message.receiver].policy if message.receiver >= 0 else -1
    return KINDS * (1 + policy) + message.kind


@compiled
def _has_happened(world: Record, status: int) -> bool:
    """Whether the last event took place; one for which there was no room is tried again."""
    return status == DONE or world.stage != IDLE


@compiled
def _measured(core: Record, world: Record, wake: bool) -> int:
    """Handle the first event and note how long that took."""
    place = _place_of(world, wake)
    before = ticks(world.clock)
    status = _one(core, world, wake)
    entry = array_at(world.profile, world.profile_length, PROFILE)[place]
    entry.nanoseconds += ticks(world.clock) - before
    if _has_happened(world, status):
        entry.events += 1
    return status


@compiled
def _answer(world: Record, call: Record) -> None:
    """Sequence, time and order of the next event, messages in the outbox."""
    call.sequence = world.sequence
    call.limit = world.outbox_count
    if world.stage != IDLE:
        call.time = world.now
        call.order = 0
    elif world.wakes_count + world.queue_count == 0:
        call.time = NEVER
        call.order = NEVER
    else:
        head = wakes_of(world)[0] if _next_is_wake(world) else queue_of(world)[0]
        call.time = head.time
        call.order = head.order


@compiled
def advance(address: int) -> int:
    """Handle the events before a key, at most so many, as the CALL at an address says; answers a status."""
    call = call_at(address)
    core = core_of(call)
    world = world_of(call)
    world.sequence = call.sequence
    world.horizon_time = call.time
    world.horizon_order = call.order
    world.outbox_count = 0
    status = DONE
    if world.stage != IDLE:
        status = finish_request(core, world)
    handled = 0
    while status == DONE and handled < call.limit and world.wakes_count + world.queue_count > 0:
        wake = _next_is_wake(world)
        head = wakes_of(world)[0] if wake else queue_of(world)[0]
        if head.time > world.horizon_time or (head.time == world.horizon_time and head.order >= world.horizon_order):
            break
        world.now = head.time
        status = _one(core, world, wake) if world.clock == 0 else _measured(core, world, wake)
        handled += 1
        foresee_order(core, world)
    if handled > 0 and not _has_happened(world, status):
        handled -= 1
    world.events += handled
    _answer(world, call)
    return status


@entrance
def send(address: int) -> int:
    """A Python agent's request, the world's first action, leaves when it was ``sent``.

    Answers its order id (a NEW gets one here) or a SHORT_OF code; the CALL tells the time of its arrival.
    """
    call = call_at(address)
    core = core_of(call)
    world = world_of(call)
    if not has_room(world, 1):
        return SHORT_OF_MESSAGES
    world.sequence = call.sequence
    request = actions_of(world)[0]
    if request.kind == _NEW:
        request.order_id = core.next_id
        core.next_id += 1
    message = to_venue(world, request, request.sender, request.sent)
    call.sequence = world.sequence
    call.time = message.time
    return max(request.order_id, 0)  # below 0 it would be taken for a SHORT_OF code


@compiled
def connect(worlds: Rows, sequence: int, agent: int, venue: int, markets: Rows, windows: Rows, patience: int) -> int:
    """Queue what happens to a session with outages; room must be there. Answers the sequence.

    ``patience``: ns after which the venue cancels the orders of a session that is down; below 0 it never does.
    """
    world = worlds[0]
    world.sequence = sequence
    for number in range(len(windows)):
        down, up = windows[number].first, windows[number].last
        connection_at(world, agent, venue, markets[0], -1, down)
        connection_at(world, agent, venue, markets[0], 1, up)
        if 0 <= patience < up - down:
            for place in range(len(markets)):
                connection_at(world, agent, venue, markets[place], 0, down + patience)
    return world.sequence


@compiled
def wake_first(worlds: Rows, sequence: int, first: int, count: int, time: int) -> int:
    """Queue the first wake-up of ``count`` compiled agents; room must be there. Answers the sequence."""
    world = worlds[0]
    world.sequence = sequence
    for number in range(first, first + count):
        heap_push(wakes_of(world), world.wakes_count, waking_time(world, time), next_number(world), 2 * number)
        world.wakes_count += 1
    return world.sequence
