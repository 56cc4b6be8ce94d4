"""A compiled agent's turn: what it learns from a message, what its policy is shown, and what it answers.

A message or wake-up waits while its agent is busy computing; its slot in time is reserved on arrival. No policy is
known here.
"""

from __future__ import annotations

import math

from marketsim.domain.event import EventKind, Settled
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderType
from marketsim.kernel.compiled import Record, compiled
from marketsim.kernel.heap import heap_pop, heap_push
from marketsim.population.mail import defer, drop_first, envelope, has_room, next_number, to_venue, waking_time
from marketsim.population.policy import call_policy
from marketsim.population.session import is_known
from marketsim.population.state import (
    ACTIONS,
    DONE,
    MOST_CALLS,
    POLICY_FAILED,
    POLICY_STUCK,
    SHORT_OF_MESSAGES,
    SHORT_OF_WORKING,
    actions_of,
    agents_of,
    feed_value,
    foresee_agent,
    foresee_memory,
    foresee_message,
    out_of,
    policies_of,
    pool_of,
    seen_of,
    wakes_of,
    working_index_of,
    working_of,
)

_START, _WAKE, _TIMER, _NEW = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER), int(Kind.NEW)
_QUOTE, _REPORT = int(Kind.QUOTE), int(Kind.REPORT)
_TRADE, _CANCELED, _REPLACED = int(EventKind.TRADE), int(EventKind.CANCELED), int(EventKind.REPLACED)
_EXPIRED, _REJECTED = int(EventKind.EXPIRED), int(EventKind.REJECTED)
_SETTLED, _AT_EXPIRY = int(EventKind.SETTLED), int(Settled.EXPIRY)
_REPRICED, _TRAILING_STOP = int(EventKind.REPRICED), int(OrderType.TRAILING_STOP)


@compiled
def begin_working(world: Record, agent: int, request: Record) -> None:
    """An agent remembers an order that it sends."""
    working = working_of(world)
    slot = world.free_working
    world.free_working = working[slot].next
    world.free_workings -= 1
    first = agents_of(world)[agent].working
    entry = working[slot]
    entry.order_id = request.order_id
    entry.side = request.side
    entry.price = request.price
    entry.leaves = request.quantity
    entry.agent = agent
    entry.prev = 0
    entry.next = first
    if first != 0:
        working[first].prev = slot
    agents_of(world)[agent].working = slot
    working_index_of(world)[request.order_id] = slot


@compiled
def _end_working(world: Record, slot: int) -> None:
    """An agent learns that an order of its own is over."""
    working = working_of(world)
    entry = working[slot]
    if entry.prev != 0:
        working[entry.prev].next = entry.next
    else:
        agents_of(world)[entry.agent].working = entry.next
    if entry.next != 0:
        working[entry.next].prev = entry.prev
    working_index_of(world)[entry.order_id] = 0
    entry.next = world.free_working
    world.free_working = slot
    world.free_workings += 1


@compiled
def learn(world: Record, agent: Record, message: Record) -> None:
    """What an agent takes from a report before its policy sees it: position, cash, open orders."""
    event = message.kind - _REPORT
    known = 0 <= message.order_id < world.working_of_length  # a policy may have asked for the cancel of any number
    slot = working_index_of(world)[message.order_id] if known else 0
    if event == _TRADE:
        agent.position += message.side * message.quantity
        agent.cash -= message.side * message.quantity * message.price
    elif event == _SETTLED and message.instructions == _AT_EXPIRY and message.market == agent.market:
        agent.cash += agent.position * message.price
        agent.position = 0
    if slot > 0 and working_of(world)[slot].order_id == message.order_id:
        over = event == _TRADE or event == _CANCELED or event == _EXPIRED
        if (over and message.leaves == 0) or event == _REJECTED:
            _end_working(world, slot)
        elif over or event == _REPLACED:
            working_of(world)[slot].leaves = message.leaves
        elif event == _REPRICED and message.order_type != _TRAILING_STOP:
            working_of(world)[slot].price = message.price


@compiled
def show(world: Record, seen: Record, agent: Record, number: int, kind: int) -> None:
    """What every policy sees, whatever has happened."""
    seen.kind = kind
    seen.now = world.now
    seen.agent = number
    seen.key = agent.key
    seen.market = agent.market
    seen.bid = 0
    seen.bid_quantity = 0
    seen.ask = 0
    seen.ask_quantity = 0
    seen.last_price = 0
    seen.position = agent.position
    seen.cash = agent.cash
    seen.value = feed_value(world, agent.feed, world.now) if agent.feed >= 0 else math.nan


@compiled
def show_nothing(seen: Record) -> None:
    """No message: nothing is left of what another policy was shown."""
    seen.order_id = 0
    seen.side = 0
    seen.price = 0
    seen.quantity = 0
    seen.leaves = 0
    seen.reason = 0
    seen.maker = 0
    seen.tag = 0


@compiled
def show_message(seen: Record, message: Record) -> None:
    """The message that a policy is called with."""
    if message.kind == _TIMER:
        show_nothing(seen)
        seen.tag = message.expire
        return
    seen.tag = message.expire
    seen.order_id = message.order_id
    seen.side = message.side
    seen.price = message.price
    seen.quantity = message.quantity
    seen.leaves = message.leaves
    seen.reason = message.reason
    seen.maker = message.instructions & 1
    if message.kind == _QUOTE:
        seen.market = message.market
        seen.bid = message.price
        seen.bid_quantity = message.quantity
        seen.ask = message.other_price
        seen.ask_quantity = message.leaves
        seen.last_price = message.expire


@compiled
def _room_to_act(core: Record, world: Record) -> int:
    if not has_room(world, ACTIONS + 1) or world.wakes_count >= world.wakes_length:
        return SHORT_OF_MESSAGES
    if world.free_workings < ACTIONS or world.working_of_length < core.next_id + ACTIONS:
        return SHORT_OF_WORKING
    return DONE


@compiled
def _is_stuck(world: Record, agent: Record) -> bool:
    """Whether an agent wakes or asks for something again and again while no time passes."""
    if agent.called_at != world.now:
        agent.called_at = world.now
        agent.calls = 0
    return agent.calls >= MOST_CALLS


@compiled
def decide(world: Record, number: int, next_id: int) -> int:
    """Let the policy of an agent decide on what ``seen`` shows; its answers lie in ``out``."""
    agent = agents_of(world)[number]
    policy = policies_of(world)[agent.policy]
    out = out_of(world)[0]
    out.count = 0
    out.now = world.now
    out.agent = number
    out.market = agent.market
    out.next_id = next_id
    out.wake = -1
    out.first_working = agent.working
    agent.events += 1
    if _is_stuck(world, agent):
        world.culprit = number
        return POLICY_STUCK
    answer = call_policy(policy.address, policy.table, policy.width, agent.row, world.seen, world.out)
    if answer < 0 or out.count > ACTIONS:
        world.culprit = number
        return POLICY_FAILED
    kind = seen_of(world)[0].kind
    if out.count > 0 or kind == _WAKE or kind == _TIMER:
        agent.calls += 1
    return DONE


@compiled
def _act(core: Record, world: Record, number: int) -> int:
    """Let an agent decide, and send what it answers."""
    status = decide(world, number, core.next_id)
    if status != DONE:
        return status
    agent = agents_of(world)[number]
    out = out_of(world)[0]
    core.next_id = out.next_id
    depart = world.now + agent.computation
    actions = actions_of(world)
    for position in range(out.count):
        action = actions[position]
        if action.kind == _TIMER:
            message = envelope(world, waking_time(world, action.price), number)
            message.kind = _TIMER
            message.sender = number
            message.sent = world.now
            message.expire = action.expire
            message.order_id = 0
        else:
            if action.kind == _NEW:
                begin_working(world, number, action)
            to_venue(world, action, number, depart)
    if out.wake >= 0:
        heap_push(wakes_of(world), world.wakes_count, waking_time(world, out.wake), next_number(world), 2 * number)
        world.wakes_count += 1
    return DONE


@compiled
def wake_up(core: Record, world: Record) -> int:
    """The first of the wake-ups is due. Its number is twice the agent's, one more when its slot in time is reserved."""
    wakes = wakes_of(world)
    number = wakes[0].what >> 1
    agent = agents_of(world)[number]
    if wakes[0].what & 1 == 0:
        start = max(world.now, agent.busy_until)
        agent.busy_until = start + agent.computation
        wakes[0].what += 1
        if start > world.now:
            order = wakes[0].order
            heap_pop(wakes, world.wakes_count)
            heap_push(wakes, world.wakes_count - 1, start, order, 2 * number + 1)
            return DONE
    status = _room_to_act(core, world)
    if status != DONE:
        return status
    foresee_memory(world, agent)
    heap_pop(wakes, world.wakes_count)
    world.wakes_count -= 1
    foresee_agent(world, wakes[0].what >> 1)
    seen = seen_of(world)[0]
    show(world, seen, agent, number, _WAKE if agent.events > 0 else _START)
    show_nothing(seen)
    return _act(core, world, number)


@compiled
def at_agent(core: Record, world: Record, slot: int) -> int:
    """The first message of the queue is for a compiled agent."""
    message = pool_of(world)[slot]
    number = message.receiver
    agent = agents_of(world)[number]
    if message.ready == 0:
        if agent.sessions != 0 and is_known(world, agent, message):
            drop_first(world)
            return DONE
        start = max(world.now, agent.busy_until)
        agent.busy_until = start + agent.computation
        message.ready = 1
        if start > world.now:
            defer(world, start)
            return DONE
    status = _room_to_act(core, world)
    if status != DONE:
        return status
    foresee_memory(world, agent)
    if message.kind > _REPORT:
        learn(world, agent, message)
    seen = seen_of(world)[0]
    show(world, seen, agent, number, message.kind)
    show_message(seen, message)
    drop_first(world)
    foresee_message(core, world)
    return _act(core, world, number)
