"""The loop: advances the compiled world event by event, in the order of the kernel's key.

What happens to a message is the same whoever sent it: it takes one sequence number and its link's delay, waits while
its receiver is busy, and is handled. What is meant for a Python agent goes to the outbox with its key, and the horizon
is lowered to that key, so nothing overtakes it.

Arrays never grow here: before anything happens the loop sees that there is room, and otherwise answers a SHORT_OF code;
the engine grows the table and calls again. A venue's answers to one request are given in stages that can be resumed.
"""

from __future__ import annotations

import math

from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import TimeInForce
from marketsim.exchange.ladder import best_level, level_at
from marketsim.exchange.matching import cancel_order, expire_order, new_order, replace_order
from marketsim.exchange.state import (
    ASK,
    BID,
    LADDERS,
    NO_MARKET,
    books_of,
    events_of,
    ladders_of,
    levels_of,
    rungs_of,
    slots_of,
    touched_of,
)
from marketsim.kernel.compiled import Record, Rows, compiled, entrance
from marketsim.kernel.environment import NEVER, NORMAL_ORDER
from marketsim.kernel.heap import heap_pop, heap_push
from marketsim.network.link import transit
from marketsim.population.policy import call_policy
from marketsim.population.state import (
    ACTIONS,
    CHANNELS,
    DATA_DOWN,
    DONE,
    ORDERS_UP,
    POLICY_FAILED,
    REPORTS_DOWN,
    SHORT_OF_MESSAGES,
    SHORT_OF_SUBSCRIBERS,
    SHORT_OF_WORKING,
    actions_of,
    agents_of,
    call_at,
    core_of,
    feed_value,
    hops_of,
    links_of,
    markets_of,
    out_of,
    outbox_of,
    policies_of,
    pool_of,
    queue_of,
    seen_of,
    subscribers_of,
    venues_of,
    wakes_of,
    working_index_of,
    working_of,
    world_of,
)

_START, _WAKE, _TIMER = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER)
_NEW, _CANCEL, _REPLACE, _QUERY = int(Kind.NEW), int(Kind.CANCEL), int(Kind.REPLACE), int(Kind.QUERY)
_SUBSCRIBE, _EXPIRE = int(Kind.SUBSCRIBE), int(Kind.EXPIRE)
_QUOTE, _TRADE_PRINT, _LEVEL = int(Kind.QUOTE), int(Kind.TRADE_PRINT), int(Kind.LEVEL)
_SNAPSHOT, _SNAPSHOT_LEVEL, _REPORT = int(Kind.SNAPSHOT), int(Kind.SNAPSHOT_LEVEL), int(Kind.REPORT)
_TRADE, _CANCELED, _REPLACED = int(EventKind.TRADE), int(EventKind.CANCELED), int(EventKind.REPLACED)
_EXPIRED, _REJECTED, _TERMS = int(EventKind.EXPIRED), int(EventKind.REJECTED), int(EventKind.TERMS)
_GTD = int(TimeInForce.GTD)
_WANT_QUOTES, _WANT_TRADES, _WANT_LEVELS = int(Wanted.QUOTES), int(Wanted.TRADES), int(Wanted.LEVELS)
_IDLE, _REPORTING, _LEVELS, _QUOTES = 0, 1, 2, 3


# --- messages --------------------------------------------------------------------------------------------------------


@compiled
def _has_room(world: Record, count: int) -> bool:
    """Whether ``count`` more messages fit, wherever they go."""
    world.needed = count
    return world.free_messages >= count and world.outbox_length - world.outbox_count >= count


@compiled
def _on_grid(world: Record, time: int) -> int:
    grid = world.grid
    return time if grid == 1 else (time + grid - 1) // grid * grid


@compiled
def _number(world: Record) -> int:
    world.sequence += 1
    return NORMAL_ORDER + world.sequence


@compiled
def _envelope(world: Record, time: int, receiver: int) -> Record:
    """A message that will be delivered at a time, queued where its receiver will find it."""
    order = _number(world)
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
def _from_venue(world: Record, kind: int, receiver: int, channel: int, market: int) -> Record:
    """A message from the current venue, which leaves when the venue is done with the request."""
    link = agents_of(world)[receiver].links + CHANNELS * world.venue + channel
    arrival = transit(links_of(world), hops_of(world), link, world.depart)
    message = _envelope(world, _on_grid(world, arrival), receiver)
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
    return message


@compiled
def _to_venue(world: Record, request: Record, sender: int, depart: int) -> Record:
    """Send a request on its way to the venue of its market."""
    markets = markets_of(world)
    market = request.market
    venue = markets[market].venue if 0 <= market < world.markets_count else 0
    link = agents_of(world)[sender].links + CHANNELS * venue + ORDERS_UP
    arrival = transit(links_of(world), hops_of(world), link, depart)
    message = _envelope(world, _on_grid(world, arrival), -1 - venue)
    message.kind = request.kind
    message.sent = depart
    message.sender = sender
    message.market = market
    message.order_id = request.order_id
    message.side = request.side
    message.price = request.price
    message.quantity = request.quantity
    message.other_price = request.other_price
    message.leaves = 0
    message.expire = request.expire
    message.order_type = request.order_type
    message.time_in_force = request.time_in_force
    message.instructions = request.instructions
    message.reason = 0
    return message


@compiled
def _defer(world: Record, start: int) -> None:
    """The first message of the queue waits until its receiver is free; it keeps its number."""
    queue = queue_of(world)
    slot = queue[0].what
    order = queue[0].order
    pool_of(world)[slot].ready = 1
    heap_pop(queue, world.queue_count)
    heap_push(queue, world.queue_count - 1, start, order, slot)


@compiled
def _drop_first(world: Record) -> None:
    """The first message of the queue has been handled."""
    queue = queue_of(world)
    slot = queue[0].what
    heap_pop(queue, world.queue_count)
    world.queue_count -= 1
    pool_of(world)[slot].next = world.free_message
    world.free_message = slot
    world.free_messages += 1


# --- the venue -------------------------------------------------------------------------------------------------------


@compiled
def _report_to(world: Record, row: Record, receiver: int, order_id: int, side: int, leaves: int, maker: int) -> None:
    message = _from_venue(world, _REPORT + row.kind, receiver, REPORTS_DOWN, row.market)
    message.order_id = order_id
    message.side = side
    message.price = row.price
    message.quantity = row.quantity
    message.leaves = leaves
    message.order_type = row.order_type
    message.time_in_force = row.time_in_force
    message.instructions = maker
    message.reason = row.reason


@compiled
def _print_trade(world: Record, row: Record) -> None:
    subscriber = markets_of(world)[row.market].trades
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        message = _from_venue(world, _TRADE_PRINT, entry.agent, DATA_DOWN, row.market)
        message.side = row.side
        message.price = row.price
        message.quantity = row.quantity
        subscriber = entry.next


@compiled
def _report_rows(core: Record, world: Record) -> int:
    """Every row that the request wrote becomes the reports of those whom it concerns."""
    events = events_of(core)
    while world.row < core.log_count:
        row = events[world.row]
        known = row.market != NO_MARKET
        wanted = markets_of(world)[row.market].subscribers if known else 0
        if not _has_room(world, 2 + wanted):
            return SHORT_OF_MESSAGES
        if row.kind == _TRADE:
            _report_to(world, row, row.owner, row.order_id, row.side, world.open - row.quantity, 0)
            world.open -= row.quantity
            _report_to(world, row, row.peer, row.match_id, -row.side, row.leaves, 1)
            _print_trade(world, row)
        else:
            if row.kind != _CANCELED and row.kind != _EXPIRED:
                world.open = row.leaves
            if row.kind != _TERMS:
                _report_to(world, row, row.owner, row.order_id, row.side, row.leaves, 0)
        world.row += 1
    return DONE


@compiled
def _publish_levels(core: Record, world: Record) -> int:
    touched = touched_of(core)
    while world.touch < core.touches:
        change = touched[world.touch]
        market = change.ladder // LADDERS
        if not _has_room(world, markets_of(world)[market].subscribers):
            return SHORT_OF_MESSAGES
        book = books_of(core)[market]
        book.sequence += 1
        level = level_at(core, change.ladder, change.price)
        subscriber = markets_of(world)[market].levels
        while subscriber != 0:
            entry = subscribers_of(world)[subscriber]
            message = _from_venue(world, _LEVEL, entry.agent, DATA_DOWN, market)
            message.side = 1 if change.ladder % LADDERS == BID else -1
            message.price = change.price
            message.quantity = levels_of(core)[level].quantity if level != 0 else 0
            message.expire = book.sequence
            subscriber = entry.next
        world.touch += 1
    core.touches = 0
    world.touch = 0
    return DONE


@compiled
def _fill_quote(core: Record, message: Record, market: int) -> None:
    bid = best_level(core, market * LADDERS + BID)
    ask = best_level(core, market * LADDERS + ASK)
    levels = levels_of(core)
    if bid != 0:
        message.price = levels[bid].price
        message.quantity = levels[bid].quantity
    if ask != 0:
        message.other_price = levels[ask].price
        message.leaves = levels[ask].quantity
    message.expire = books_of(core)[market].last_price


@compiled
def _publish_quotes(core: Record, world: Record) -> int:
    """Tell the subscribers when the best bid or ask is another than the one last told."""
    market = world.market
    state = markets_of(world)[market]
    if state.quotes == 0:
        return DONE
    bid = best_level(core, market * LADDERS + BID)
    ask = best_level(core, market * LADDERS + ASK)
    levels = levels_of(core)
    bid_price = levels[bid].price if bid != 0 else 0
    bid_quantity = levels[bid].quantity if bid != 0 else 0
    ask_price = levels[ask].price if ask != 0 else 0
    ask_quantity = levels[ask].quantity if ask != 0 else 0
    if (
        bid_price == state.bid
        and bid_quantity == state.bid_quantity
        and ask_price == state.ask
        and ask_quantity == state.ask_quantity
    ):
        return DONE
    if not _has_room(world, state.subscribers):
        return SHORT_OF_MESSAGES
    state.bid = bid_price
    state.bid_quantity = bid_quantity
    state.ask = ask_price
    state.ask_quantity = ask_quantity
    subscriber = state.quotes
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        _fill_quote(core, _from_venue(world, _QUOTE, entry.agent, DATA_DOWN, market), market)
        subscriber = entry.next
    return DONE


@compiled
def _finish_request(core: Record, world: Record) -> int:
    """The stages after matching: reports, levels, quotes. Resumed where it stopped for want of room."""
    if world.stage == _REPORTING:
        status = _report_rows(core, world)
        if status != DONE:
            return status
        world.stage = _LEVELS
    if world.stage == _LEVELS:
        status = _publish_levels(core, world)
        if status != DONE:
            return status
        world.stage = _QUOTES
    if world.market != NO_MARKET:
        status = _publish_quotes(core, world)
        if status != DONE:
            return status
    world.stage = _IDLE
    return DONE


@compiled
def _subscribe_one(world: Record, head: int, tail: int, agent: int) -> int:
    """Put an agent behind the tail of a list of subscribers; answers the new entry, the new tail."""
    subscribers = subscribers_of(world)
    entry = world.subscribers_count
    world.subscribers_count += 1
    subscribers[entry].agent = agent
    subscribers[entry].next = 0
    if tail != 0:
        subscribers[tail].next = entry
    return entry


@compiled
def _send_snapshot(core: Record, world: Record, agent: int, market: int) -> None:
    """The whole book, level by level from the best, under the feed's current sequence."""
    ladders = ladders_of(core)
    rungs = rungs_of(core)
    levels = levels_of(core)
    first = market * LADDERS
    head = _from_venue(world, _SNAPSHOT, agent, DATA_DOWN, market)
    head.quantity = ladders[first + BID].rungs + ladders[first + ASK].rungs
    head.expire = books_of(core)[market].sequence
    for kind in range(2):
        side = ladders[first + kind]
        for position in range(side.start + side.rungs - 1, side.start - 1, -1):
            level = levels[rungs[position].level]
            message = _from_venue(world, _SNAPSHOT_LEVEL, agent, DATA_DOWN, market)
            message.side = 1 if kind == BID else -1
            message.price = level.price
            message.quantity = level.quantity
            message.expire = head.expire


@compiled
def _subscribe(core: Record, world: Record, request: Record) -> int:
    """From now on the sender hears what it asked for; it is told the present state at once."""
    market = request.market
    if not 0 <= market < world.markets_count:
        return DONE
    state = markets_of(world)[market]
    ladders = ladders_of(core)
    rungs = ladders[market * LADDERS + BID].rungs + ladders[market * LADDERS + ASK].rungs
    if not _has_room(world, 2 + rungs):
        return SHORT_OF_MESSAGES
    if world.subscribers_length - world.subscribers_count < 3:
        return SHORT_OF_SUBSCRIBERS
    wanted = request.instructions
    if wanted & _WANT_QUOTES:
        state.quotes_tail = _subscribe_one(world, state.quotes, state.quotes_tail, request.sender)
        if state.quotes == 0:
            state.quotes = state.quotes_tail
        _fill_quote(core, _from_venue(world, _QUOTE, request.sender, DATA_DOWN, market), market)
    if wanted & _WANT_TRADES:
        state.trades_tail = _subscribe_one(world, state.trades, state.trades_tail, request.sender)
        if state.trades == 0:
            state.trades = state.trades_tail
    if wanted & _WANT_LEVELS:
        state.levels_tail = _subscribe_one(world, state.levels, state.levels_tail, request.sender)
        if state.levels == 0:
            state.levels = state.levels_tail
        books_of(core)[market].track = 1
        _send_snapshot(core, world, request.sender, market)
    state.subscribers += 1
    return DONE


@compiled
def _match(core: Record, world: Record, request: Record) -> int:
    """Hand a request to the matching core; a negative answer means that nothing has happened."""
    if request.kind == _NEW:
        return new_order(
            core,
            world.now,
            request.sender,
            request.market,
            request.side,
            request.order_type,
            request.time_in_force,
            request.instructions,
            request.price,
            request.other_price,
            request.quantity,
            request.expire,
            request.order_id,
        )
    if request.kind == _CANCEL:
        return cancel_order(core, world.now, request.sender, request.order_id, request.quantity)
    if request.kind == _REPLACE:
        return replace_order(
            core, world.now, request.sender, request.order_id, request.price, request.quantity, request.other_price
        )
    return expire_order(core, world.now, request.order_id)


@compiled
def _at_expiry(core: Record, world: Record, request: Record) -> None:
    """A live good-till-date order will be looked at again at its time."""
    if request.kind == _NEW and request.time_in_force == _GTD and slots_of(core)[request.order_id] > 0:
        message = _envelope(world, request.expire, request.receiver)
        message.kind = _EXPIRE
        message.sent = world.now
        message.sender = request.sender
        message.market = request.market
        message.order_id = request.order_id
        message.ready = 1


@compiled
def _at_venue(core: Record, world: Record, slot: int) -> int:
    """The first message of the queue is for a venue."""
    request = pool_of(world)[slot]
    number = -1 - request.receiver
    venue = venues_of(world)[number]
    if request.ready == 0:
        start = max(world.now, venue.busy_until)
        venue.busy_until = start + venue.processing
        request.ready = 1
        if start > world.now:
            _defer(world, start)
            return DONE
    if not _has_room(world, 2):
        return SHORT_OF_MESSAGES
    world.venue = number
    world.depart = world.now + venue.processing
    if request.kind == _QUERY:
        if 0 <= request.market < world.markets_count:
            _fill_quote(core, _from_venue(world, _QUOTE, request.sender, REPORTS_DOWN, request.market), request.market)
        _drop_first(world)
        return DONE
    if request.kind == _SUBSCRIBE:
        status = _subscribe(core, world, request)
        if status == DONE:
            _drop_first(world)
        return status
    first_row = core.log_count
    status = _match(core, world, request)
    if status < 0:
        return status
    _at_expiry(core, world, request)
    world.market = events_of(core)[core.log_count - 1].market if core.log_count > first_row else NO_MARKET
    world.row = first_row
    world.touch = 0
    world.stage = _REPORTING
    _drop_first(world)
    return _finish_request(core, world)


# --- compiled agents -------------------------------------------------------------------------------------------------


@compiled
def _begin_working(world: Record, agent: int, request: Record) -> None:
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
def _learn(world: Record, agent: Record, message: Record) -> None:
    """What an agent takes from a report before its policy sees it: position, cash, open orders."""
    event = message.kind - _REPORT
    slot = working_index_of(world)[message.order_id] if message.order_id < world.working_of_length else 0
    if event == _TRADE:
        agent.position += message.side * message.quantity
        agent.cash -= message.side * message.quantity * message.price
    if slot > 0 and working_of(world)[slot].order_id == message.order_id:
        over = event == _TRADE or event == _CANCELED or event == _EXPIRED
        if (over and message.leaves == 0) or event == _REJECTED:
            _end_working(world, slot)
        elif over or event == _REPLACED:
            working_of(world)[slot].leaves = message.leaves


@compiled
def _show(world: Record, seen: Record, agent: Record, number: int, kind: int) -> None:
    """What every policy sees, whatever has happened."""
    seen.kind = kind
    seen.now = world.now
    seen.agent = number
    seen.key = agent.key
    seen.market = agent.market
    seen.order_id = 0
    seen.tag = 0
    seen.bid_quantity = 0
    seen.ask_quantity = 0
    seen.position = agent.position
    seen.cash = agent.cash
    seen.value = feed_value(world, agent.feed, world.now) if agent.feed >= 0 else math.nan


@compiled
def _show_message(seen: Record, message: Record) -> None:
    """The message that a policy is called with."""
    seen.order_id = message.order_id
    seen.tag = message.expire
    seen.side = message.side
    seen.price = message.price
    seen.quantity = message.quantity
    seen.leaves = message.leaves
    seen.reason = message.reason
    seen.maker = message.instructions
    if message.kind == _QUOTE:
        seen.market = message.market
        seen.bid = message.price
        seen.bid_quantity = message.quantity
        seen.ask = message.other_price
        seen.ask_quantity = message.leaves
        seen.last_price = message.expire


@compiled
def _room_to_act(core: Record, world: Record) -> int:
    if not _has_room(world, ACTIONS + 1) or world.wakes_count >= world.wakes_length:
        return SHORT_OF_MESSAGES
    if world.free_workings < ACTIONS or world.working_of_length < core.next_id + ACTIONS:
        return SHORT_OF_WORKING
    return DONE


@compiled
def _act(core: Record, world: Record, number: int) -> int:
    """Let the policy of an agent decide on what ``seen`` shows, and send what it answers."""
    agent = agents_of(world)[number]
    policy = policies_of(world)[agent.policy]
    out = out_of(world)[0]
    out.count = 0
    out.now = world.now
    out.agent = number
    out.market = agent.market
    out.next_id = core.next_id
    out.wake = -1
    out.first_working = agent.working
    agent.events += 1
    answer = call_policy(policy.address, policy.table, policy.width, agent.row, world.seen, world.out)
    if answer < 0 or out.count > ACTIONS:
        world.culprit = number
        return POLICY_FAILED
    core.next_id = out.next_id
    depart = world.now + agent.computation
    actions = actions_of(world)
    for position in range(out.count):
        action = actions[position]
        if action.kind == _TIMER:
            message = _envelope(world, _on_grid(world, action.price), number)
            message.kind = _TIMER
            message.sender = number
            message.sent = world.now
            message.expire = action.expire
            message.order_id = 0
        else:
            if action.kind == _NEW:
                _begin_working(world, number, action)
            _to_venue(world, action, number, depart)
    if out.wake >= 0:
        heap_push(wakes_of(world), world.wakes_count, _on_grid(world, out.wake), _number(world), 2 * number)
        world.wakes_count += 1
    return DONE


@compiled
def _wake(core: Record, world: Record) -> int:
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
    heap_pop(wakes, world.wakes_count)
    world.wakes_count -= 1
    _show(world, seen_of(world)[0], agent, number, _WAKE if agent.events > 0 else _START)
    return _act(core, world, number)


@compiled
def _at_agent(core: Record, world: Record, slot: int) -> int:
    """The first message of the queue is for a compiled agent."""
    message = pool_of(world)[slot]
    number = message.receiver
    agent = agents_of(world)[number]
    if message.ready == 0:
        start = max(world.now, agent.busy_until)
        agent.busy_until = start + agent.computation
        message.ready = 1
        if start > world.now:
            _defer(world, start)
            return DONE
    status = _room_to_act(core, world)
    if status != DONE:
        return status
    if message.kind > _REPORT:
        _learn(world, agent, message)
    seen = seen_of(world)[0]
    _show(world, seen, agent, number, message.kind)
    _show_message(seen, message)
    _drop_first(world)
    return _act(core, world, number)


# --- entry points ----------------------------------------------------------------------------------------------------


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
        return _wake(core, world)
    slot = queue_of(world)[0].what
    if pool_of(world)[slot].receiver < 0:
        return _at_venue(core, world, slot)
    return _at_agent(core, world, slot)


@compiled
def _answer(world: Record, call: Record) -> None:
    """Sequence, time and order of the next event, messages in the outbox."""
    call.sequence = world.sequence
    call.limit = world.outbox_count
    if world.stage != _IDLE:
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
    if world.stage != _IDLE:
        status = _finish_request(core, world)
    handled = 0
    while status == DONE and handled < call.limit and world.wakes_count + world.queue_count > 0:
        wake = _next_is_wake(world)
        head = wakes_of(world)[0] if wake else queue_of(world)[0]
        if head.time > world.horizon_time or (head.time == world.horizon_time and head.order >= world.horizon_order):
            break
        world.now = head.time
        status = _one(core, world, wake)
        handled += 1
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
    if not _has_room(world, 1):
        return SHORT_OF_MESSAGES
    world.sequence = call.sequence
    request = actions_of(world)[0]
    if request.kind == _NEW:
        request.order_id = core.next_id
        core.next_id += 1
    message = _to_venue(world, request, request.sender, request.sent)
    call.sequence = world.sequence
    call.time = message.time
    return request.order_id


@compiled
def wake_first(worlds: Rows, sequence: int, number: int, time: int) -> int:
    """Queue the first wake-up of a compiled agent; room must be there. Answers the sequence."""
    world = worlds[0]
    world.sequence = sequence
    heap_push(wakes_of(world), world.wakes_count, _on_grid(world, time), _number(world), 2 * number)
    world.wakes_count += 1
    return world.sequence
