"""A venue's side of a request: its place in the venue's queue, the matching core, the answers.

Messages wait while the venue is busy with earlier ones; all that follows from a request leaves when it is done with it.
It decides nothing about matching.
"""

from __future__ import annotations

from marketsim.domain.message import Kind
from marketsim.domain.order import Reason, TimeInForce
from marketsim.exchange.matching import cancel_order, cancel_owner, expire_order, new_order, replace_order
from marketsim.exchange.state import NO_MARKET, events_of, slots_of
from marketsim.kernel.compiled import Record, compiled
from marketsim.population.clearing import at_clearing, screen
from marketsim.population.display import fill_quote
from marketsim.population.gateway import PASSED, at_connection, at_gateway, at_heartbeat
from marketsim.population.mail import defer, drop_first, envelope, from_venue, has_room
from marketsim.population.pace import flush
from marketsim.population.prints import begin_prints, volume_since
from marketsim.population.publication import publish
from marketsim.population.sessions import take_schedule
from marketsim.population.state import (
    DONE,
    REPORTS_DOWN,
    SHORT_OF_MESSAGES,
    SHORT_OF_PRINTS,
    foresee_message,
    markets_of,
    pool_of,
    venues_of,
)
from marketsim.population.subscription import recover, subscribe

_NEW, _CANCEL, _REPLACE, _QUERY = int(Kind.NEW), int(Kind.CANCEL), int(Kind.REPLACE), int(Kind.QUERY)
_CLEARING = int(Kind.CLEARING)
_CONNECTION, _SNAPSHOT_REQUEST, _HEARTBEAT = int(Kind.CONNECTION), int(Kind.SNAPSHOT_REQUEST), int(Kind.HEARTBEAT)
_SUBSCRIBE, _EXPIRE, _ASK_VOLUME = int(Kind.SUBSCRIBE), int(Kind.EXPIRE), int(Kind.ASK_VOLUME)
_QUOTE, _VOLUME, _MASS_CANCEL = int(Kind.QUOTE), int(Kind.VOLUME), int(Kind.MASS_CANCEL)
_GTD, _BY_MASS_CANCEL = int(TimeInForce.GTD), int(Reason.BY_MASS_CANCEL)
_FLUSH, _SCHEDULE = int(Kind.FLUSH), int(Kind.SCHEDULE)


@compiled
def _tell_volume(world: Record, request: Record) -> int:
    """What was traded lately, as far as the market remembers."""
    state = markets_of(world)[request.market]
    if not begin_prints(state, request.expire):
        world.culprit = request.market
        return SHORT_OF_PRINTS
    answer = from_venue(world, _VOLUME, request.sender, REPORTS_DOWN, request.market)
    answer.expire = request.expire
    volume_since(state, world.now - request.expire, answer)
    return DONE


@compiled
def _first_market(world: Record, request: Record) -> int:
    """A mass cancel is about its market, or with a quantity about all markets of the venue, which stand together."""
    market = min(max(request.market, 0), world.markets_count - 1)
    while request.quantity != 0 and market > 0 and markets_of(world)[market - 1].venue == -1 - request.receiver:
        market -= 1
    return int(market)


@compiled
def _last_market(world: Record, request: Record) -> int:
    market = min(max(request.market, 0), world.markets_count - 1)
    behind = market + 1
    while (
        request.quantity != 0
        and behind < world.markets_count
        and markets_of(world)[behind].venue == -1 - request.receiver
    ):
        market = behind
        behind += 1
    return int(market)


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
            request.display,
            request.minimum,
            request.parent,
            request.partner,
        )
    if request.kind == _CANCEL:
        return cancel_order(core, world.now, request.sender, request.order_id, request.quantity)
    if request.kind == _REPLACE:
        return replace_order(
            core, world.now, request.sender, request.order_id, request.price, request.quantity, request.other_price
        )
    if request.kind == _MASS_CANCEL:
        first = _first_market(world, request)
        return cancel_owner(core, world.now, request.sender, first, _last_market(world, request), _BY_MASS_CANCEL)
    return expire_order(core, world.now, request.order_id)


@compiled
def _at_expiry(core: Record, world: Record, request: Record) -> None:
    """A live good-till-date order will be looked at again at its time."""
    if request.kind == _NEW and request.time_in_force == _GTD and slots_of(core)[request.order_id] > 0:
        message = envelope(world, request.expire, request.receiver)
        message.kind = _EXPIRE
        message.sent = world.now
        message.sender = request.sender
        message.market = request.market
        message.order_id = request.order_id
        message.ready = 1


@compiled
def at_venue(core: Record, world: Record, slot: int) -> int:
    """The first message of the queue is for a venue."""
    request = pool_of(world)[slot]
    number = -1 - request.receiver
    venue = venues_of(world)[number]
    if request.ready == 0:
        status = at_gateway(core, world, request, number)
        if status != PASSED:
            return status
        start = max(world.now, venue.busy_until)
        venue.busy_until = start + venue.processing
        request.ready = 1
        if start > world.now:
            defer(world, start)
            return DONE
    if request.kind == _CLEARING:
        return at_clearing(core, world, slot)
    if not has_room(world, 2):
        return SHORT_OF_MESSAGES
    world.venue = number
    world.depart = world.now + venue.processing
    if request.kind == _QUERY:
        if 0 <= request.market < world.markets_count:
            fill_quote(core, from_venue(world, _QUOTE, request.sender, REPORTS_DOWN, request.market), request.market)
        drop_first(world)
        foresee_message(core, world)
        return DONE
    if request.kind == _ASK_VOLUME:
        status = _tell_volume(world, request) if 0 <= request.market < world.markets_count else DONE
        if status == DONE:
            drop_first(world)
        return status
    if request.kind == _SUBSCRIBE or request.kind == _SNAPSHOT_REQUEST:
        asked = request.kind == _SUBSCRIBE
        status = subscribe(core, world, request) if asked else recover(core, world, request)
        if status == DONE:
            drop_first(world)
        return status
    if request.kind == _FLUSH:
        return flush(core, world, request.order_id)
    if request.kind == _CONNECTION:
        return at_connection(core, world, request, number)
    if request.kind == _HEARTBEAT:
        return at_heartbeat(core, world, request, number)
    first_row = core.log_count
    refused = screen(core, world, request) if world.clearing != 0 else DONE
    if request.kind == _SCHEDULE:
        status = take_schedule(core, world, request)
    else:
        status = _match(core, world, request) if refused == DONE else min(refused, DONE)
    if status < 0:
        return status
    _at_expiry(core, world, request)
    market = events_of(core)[core.log_count - 1].market if core.log_count > first_row else NO_MARKET
    last_market = market if market != NO_MARKET else -1
    if request.kind == _MASS_CANCEL:
        market = _first_market(world, request)
        last_market = _last_market(world, request)
    drop_first(world)
    foresee_message(core, world)
    return publish(core, world, first_row, market, last_market)
