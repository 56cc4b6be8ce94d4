"""A venue's gateway: what stands between the sessions of participants and the matching of their requests.

It refuses what is over a participant's throttle, answers for requests that never arrived, notices sessions that go down
and come up, and tells feeds that lose messages how far they should have come. It matches nothing.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import Reason
from marketsim.exchange.gateway import note_session, refuse_request
from marketsim.exchange.matching import cancel_owner
from marketsim.exchange.state import NO_MARKET, books_of
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.mail import drop_first, envelope, from_venue, has_room
from marketsim.population.publication import publish
from marketsim.population.session import loses_data, spends
from marketsim.population.state import (
    DATA_DOWN,
    DONE,
    LEVEL_LIST,
    REPORTS_DOWN,
    ROSTERS,
    SHORT_OF_MESSAGES,
    allowance_of,
    foresee_message,
    markets_of,
    paced_of,
    rosters_of,
    subscribers_of,
    venues_of,
)

_NEW, _CANCEL, _REPLACE = int(Kind.NEW), int(Kind.CANCEL), int(Kind.REPLACE)
_CONNECTION, _HEARTBEAT, _REPORT = int(Kind.CONNECTION), int(Kind.HEARTBEAT), int(Kind.REPORT)
_REJECTED, _CANCEL_REJECTED = int(EventKind.REJECTED), int(EventKind.CANCEL_REJECTED)
_REPLACE_REJECTED = int(EventKind.REPLACE_REJECTED)
_DISCONNECTED, _RECONNECTED = int(EventKind.DISCONNECTED), int(EventKind.RECONNECTED)
_THROTTLED, _SESSION_DOWN = int(Reason.THROTTLED), int(Reason.DISCONNECTED)
_LEVELS = int(Wanted.LEVELS)
PASSED = 1


@compiled
def _rejection(kind: int) -> int:
    """The reject of a request: an EventKind."""
    if kind == _CANCEL:
        return _CANCEL_REJECTED
    return _REPLACE_REJECTED if kind == _REPLACE else _REJECTED


@compiled
def at_gateway(core: Record, world: Record, request: Record, number: int) -> int:
    """A request of an order arrives at a venue: PASSED when the venue takes it, else how far its refusal has come."""
    if request.reason != 0:
        return _answer_unsent(core, world, request, number)
    venue = venues_of(world)[number]
    if venue.refill == 0 or not _NEW <= request.kind <= _REPLACE:
        return PASSED
    if venue.spares_cancels != 0 and request.kind == _CANCEL:
        return PASSED
    if spends(world, allowance_of(world, request.sender * world.venues_count + number), number):
        return PASSED
    return _throttle(core, world, request, number)


@compiled
def _throttle(core: Record, world: Record, request: Record, number: int) -> int:
    """Refuse a request at once; it costs the venue no time."""
    if not has_room(world, 2):
        return SHORT_OF_MESSAGES
    first_row = core.log_count
    request.reason = _THROTTLED
    status = refuse_request(core, world.now, _rejection(request.kind), request)
    request.reason = 0
    if status != 0:
        return status
    world.venue = number
    world.depart = world.now
    drop_first(world)
    foresee_message(core, world)
    return publish(core, world, first_row, NO_MARKET, -1)


@compiled
def _answer_unsent(core: Record, world: Record, request: Record, number: int) -> int:
    """A request that its session did not take to the venue: its sender is told, and no venue knows of it.

    It is refused by the participant's own end of the session while that is down, and by the venue's end, which misses
    its number, once the session is up again.
    """
    if not has_room(world, 2):
        return SHORT_OF_MESSAGES
    rejection = _rejection(request.kind)
    if request.leaves != 0:
        message = envelope(world, world.now, request.sender)
        message.sender = request.receiver
        message.sent = world.now
        message.next = 0
    else:
        world.venue = number
        world.depart = world.now
        message = from_venue(world, _REPORT + rejection, request.sender, REPORTS_DOWN, request.market)
    message.kind = _REPORT + rejection
    message.market = request.market
    message.order_id = request.order_id
    message.side = request.side if rejection == _REJECTED else 0
    message.price = 0 if rejection == _CANCEL_REJECTED else request.price
    message.quantity = request.quantity
    message.other_price = 0
    message.leaves = 0
    message.expire = 0
    message.order_type = request.order_type
    message.time_in_force = request.time_in_force
    message.instructions = 0
    message.reason = request.reason
    drop_first(world)
    foresee_message(core, world)
    return DONE


@compiled
def at_connection(core: Record, world: Record, request: Record, number: int) -> int:
    """A participant's session breaks, is up again, or has been down for so long that the venue cancels its orders."""
    if request.side == 0:
        return _give_up(core, world, request, number)
    if not has_room(world, 2):
        return SHORT_OF_MESSAGES
    kind = _RECONNECTED if request.side > 0 else _DISCONNECTED
    status = note_session(core, world.now, kind, request.sender, request.market)
    if status != 0:
        return status
    message = envelope(world, world.now, request.sender)
    message.kind = _CONNECTION
    message.sent = world.now
    message.sender = request.receiver
    message.market = request.market
    message.order_id = 0
    message.side = request.side
    message.price = 0
    message.quantity = 0
    message.other_price = 0
    message.leaves = 0
    message.expire = 0
    message.order_type = 0
    message.time_in_force = 0
    message.instructions = 0
    message.reason = 0
    drop_first(world)
    return DONE


@compiled
def _give_up(core: Record, world: Record, request: Record, number: int) -> int:
    """Cancel on disconnect, in one market."""
    first_row = core.log_count
    status = cancel_owner(core, world.now, request.sender, request.market, request.market, _SESSION_DOWN)
    if status < 0:
        return status
    market = request.market
    world.venue = number
    world.depart = world.now
    drop_first(world)
    return publish(core, world, first_row, market, market)


@compiled
def connection_at(world: Record, agent: int, venue: int, market: int, side: int, time: int) -> None:
    """Queue what ``at_connection`` will be called with; room must be there."""
    message = envelope(world, time, -1 - venue)
    message.kind = _CONNECTION
    message.sent = time
    message.sender = agent
    message.market = market
    message.order_id = 0
    message.side = side
    message.reason = 0
    message.ready = 1 if side != 0 else 0


@compiled
def begin_heartbeat(world: Record, market: int, agent: int) -> None:
    """Somebody whose market data may be lost subscribed to a book; room must be there."""
    state = markets_of(world)[market]
    if state.beating == 0 and loses_data(world, agent):
        state.beating = 1
        _next_heartbeat(world, market)


@compiled
def _next_heartbeat(world: Record, market: int) -> None:
    venue = markets_of(world)[market].venue
    message = envelope(world, world.now + venues_of(world)[venue].heartbeat, -1 - venue)
    message.kind = _HEARTBEAT
    message.sent = world.now
    message.sender = 0
    message.market = market
    message.order_id = 0
    message.reason = 0
    message.ready = 1


@compiled
def at_heartbeat(core: Record, world: Record, request: Record, number: int) -> int:
    """Tell those who may miss market data of a book the number of its last increment."""
    market = request.market
    roster = rosters_of(world)[market * ROSTERS + LEVEL_LIST]
    count = roster.count
    number_of_list = markets_of(world)[market].paced
    while number_of_list != 0:
        paced = paced_of(world)[number_of_list]
        count += paced.count
        number_of_list = paced.next
    if not has_room(world, 2 + count):
        return SHORT_OF_MESSAGES
    world.venue = number
    world.depart = world.now
    _beat(world, market, roster.head, books_of(core)[market].sequence)
    number_of_list = markets_of(world)[market].paced
    while number_of_list != 0:
        paced = paced_of(world)[number_of_list]
        if paced.kind == _LEVELS:
            _beat(world, market, paced.head, paced.sequence)
        number_of_list = paced.next
    _next_heartbeat(world, market)
    drop_first(world)
    return DONE


@compiled
def _beat(world: Record, market: int, subscriber: int, sequence: int) -> None:
    """Tell those of a list who may miss something, from one subscriber on; room must be there."""
    while subscriber != 0:
        entry = subscribers_of(world)[subscriber]
        if loses_data(world, entry.agent):
            from_venue(world, _HEARTBEAT, entry.agent, DATA_DOWN, market).expire = sequence
        subscriber = entry.next
