"""Sessions of a venue inside the compiled world: its schedule, interruptions, auctions and circuit breakers.

A venue sends itself SCHEDULE messages. Each concerns one market, and says in ``instructions`` what is due: a step of
the plan, a halt or its end, a look at an auction, or a look after a request that the matching core interrupted. The
matching core changes phases and uncrosses; what it writes into the log is told by ``publication`` like all else.
A venue without a calendar, bands, halts and breakers has none of this.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketsim.domain.event import EventKind
from marketsim.domain.message import Kind
from marketsim.domain.order import OrderFlag, Reason
from marketsim.domain.phase import Phase
from marketsim.exchange.auction import find_price
from marketsim.exchange.phases import set_phase
from marketsim.exchange.state import SHORT_OF_LOG, auction_of, books_of, events_of
from marketsim.kernel.compiled import Record, Rows, array_at, compiled
from marketsim.kernel.random import below, purpose_of
from marketsim.population.mail import envelope, has_room
from marketsim.population.state import DONE, SHORT_OF_MESSAGES

RULES = np.dtype(  # of a venue
    [
        ("interval", np.int64),  # ns between two looks at an auction; 0 for none
        ("extensions", np.int64),  # of an auction at most
        ("extension", np.int64),  # ns
        ("auction", np.int64),  # ns of a volatility auction
        ("random_end", np.int64),  # ns by which it may be shorter
        ("halt", np.int64),  # ns of a halt that the bands bring about
        ("reopens", np.int64),  # whether an auction follows a halt
        ("first", np.int64),  # its markets
        ("last", np.int64),
    ]
)
SESSION = np.dtype(  # of a market
    [
        ("venue", np.int64),
        ("phase", np.int64),  # as far as is known here: the core may have interrupted meanwhile
        ("scheduled", np.int64),  # what the plan wants
        ("until", np.int64),  # end of an interruption or extension; 0 when there is none
        ("number", np.int64),  # of the phase, extensions counted; timers of an earlier one are stale
        ("extended", np.int64),  # how often the present auction was
        ("step", np.int64),  # next of the plan
        ("steps_end", np.int64),
        ("key", np.int64),  # of the draws
        ("draws", np.int64),
        ("static", np.int64),  # band around the price of the last auction, in millionths of it; 0 for fixed ones
        ("breaker", np.int64),  # market whose session has the state of the circuit breaker that watches this one:
        ("weight", np.int64),  # of this market in what is watched, one for an instrument alone; 0: not watched
        ("counted", np.int64),  # price of this market that ``worth`` holds
        ("worth", np.int64),  # of a breaker: the sum of weight · price of what it watches
        ("first_level", np.int64),
        ("levels_end", np.int64),
        ("trigger", np.int64),  # worth at or below which the next level is reached
        ("price", np.int64),  # indicative, as last told
        ("volume", np.int64),
        ("surplus", np.int64),
        ("side", np.int64),
    ]
)
STEP = np.dtype([("time", np.int64), ("phase", np.int64)])
LEVEL = np.dtype(
    [
        ("fall", np.int64),  # millionths of the previous close
        ("halt", np.int64),  # ns; 0 for the rest of the day
        ("trigger", np.int64),  # worth
        ("fired", np.int64),
    ]
)


class SessionPlan(NamedTuple):
    """The tables of all markets, as whoever knows the calendars makes them: SESSION, RULES, STEP, LEVEL and NIGHT."""

    sessions: NDArray[Any]
    rules: NDArray[Any]
    steps: NDArray[Any]
    breaker_levels: NDArray[Any]
    nights: NDArray[Any]

    @property
    def tables(self) -> tuple[NDArray[Any], ...]:
        """In the order of SESSION_TABLES."""
        return tuple(self)


SESSION_TABLES = SessionPlan._fields
STEP_DUE, HALT_DUE, RESUME_DUE, END_DUE, LOOK_DUE, CHECK_DUE = range(6)  # what a SCHEDULE message says
NEVER_TRIGGERED = -(1 << 62)
_FOR_EVER = 1 << 62
_SCHEDULE = int(Kind.SCHEDULE)
_CONTINUOUS, _CLOSED, _HALT, _PRE_OPEN = (
    int(phase) for phase in (Phase.CONTINUOUS, Phase.CLOSED, Phase.HALT, Phase.PRE_OPEN)
)
_VOLATILITY_AUCTION = int(Phase.VOLATILITY_AUCTION)
_BY_SCHEDULE, _CIRCUIT_BREAKER, _EXTENSION = (
    int(reason) for reason in (Reason.SCHEDULE, Reason.CIRCUIT_BREAKER, Reason.EXTENSION)
)
_TRADE, _PHASE, _INDICATIVE = int(EventKind.TRADE), int(EventKind.PHASE), int(EventKind.INDICATIVE)
_AUCTION = int(OrderFlag.AUCTION)
_AUCTION_END = purpose_of("auction end")
_MILLION = 1_000_000


@compiled
def rules_of(world: Record) -> Rows:
    """By venue."""
    return array_at(world.rules, world.rules_length, RULES)


@compiled
def sessions_of(world: Record) -> Rows:
    """By market."""
    return array_at(world.sessions, world.sessions_length, SESSION)


@compiled
def steps_of(world: Record) -> Rows:
    """Of all plans; a market's own lie side by side."""
    return array_at(world.steps, world.steps_length, STEP)


@compiled
def breaker_levels_of(world: Record) -> Rows:
    """Of all circuit breakers; those of one lie side by side."""
    return array_at(world.breaker_levels, world.breaker_levels_length, LEVEL)


# --- timers and rows ---


@compiled
def remind(world: Record, market: int, time: int, what: int, argument: int, reason: int) -> None:
    """A venue will look at one of its markets again; room must be there."""
    message = envelope(world, time, -1 - sessions_of(world)[market].venue)
    message.kind = _SCHEDULE
    message.sent = world.now
    message.sender = message.receiver
    message.market = market
    message.order_id = 0
    message.instructions = what
    message.expire = argument
    message.reason = reason
    message.ready = 1


@compiled
def _write(core: Record, world: Record, kind: int, market: int, price: int, quantity: int, leaves: int) -> Record:
    """A row about a market itself; room must be there."""
    row = events_of(core)[core.log_count]
    row.time = world.now
    row.order_id = 0
    row.match_id = 0
    row.price = price
    row.quantity = quantity
    row.leaves = leaves
    row.owner = 0
    row.peer = 0
    row.market = market
    row.kind = kind
    row.side = 0
    row.reason = 0
    row.order_type = 0
    row.time_in_force = 0
    row["flags"] = 0
    core.log_count += 1
    return row


@compiled
def _room_for_a_row(core: Record) -> int:
    if core.log_count >= core.log_length:
        core.log_needed = 1
        return SHORT_OF_LOG
    return DONE


# --- phases ---


@compiled
def _is_auction(phase: int) -> bool:
    return phase != _CONTINUOUS and phase != _CLOSED and phase != _HALT and phase != _PRE_OPEN


@compiled
def _change(core: Record, world: Record, market: int, phase: int, reason: int) -> int:
    """Let the core change the phase; what is due in the new one is put on the clock."""
    first = core.log_count
    status = set_phase(core, world.now, market, phase, reason)
    if status < 0:
        return status
    session = sessions_of(world)[market]
    session.phase = phase
    session.until = 0
    session.number += 1
    if core.log_count > first:
        row = events_of(core)[first]
        if row.kind == _TRADE and row["flags"] & _AUCTION != 0:
            _centre_bands(core, session, market, row.price)
    if phase == _CLOSED:
        _arm(core, world, session, market)
    elif _is_auction(phase):
        session.extended = 0
        _begin_looking(world, session, market)
    return DONE


@compiled
def _begin_looking(world: Record, session: Record, market: int) -> None:
    """The indicative price of the auction that begins now will be told."""
    session.price = 0
    session.volume = 0
    session.surplus = 0
    session.side = 0
    interval = rules_of(world)[session.venue].interval
    if interval > 0:
        remind(world, market, world.now + interval, LOOK_DUE, session.number, 0)


@compiled
def _centre_bands(core: Record, session: Record, market: int, price: int) -> None:
    """Static bands lie around the price of the last auction."""
    if session.static > 0:
        book = books_of(core)[market]
        distance = abs(price) * session.static // _MILLION
        book.static_low = price - distance
        book.static_high = price + distance


@compiled
def _move(core: Record, world: Record, market: int, phase: int) -> int:
    """Go on to what the plan wants; an auction whose price lies outside the bands may be extended first."""
    session = sessions_of(world)[market]
    if _is_auction(session.phase) and (phase == _CONTINUOUS or phase == _CLOSED):
        rules = rules_of(world)[session.venue]
        if session.extended < rules.extensions:
            found = _foretell(core, world, market)
            if found.volume > 0 and _is_outside(core, market, found.price):
                return _extend(core, world, market, found.price)
    return _change(core, world, market, phase, _BY_SCHEDULE)


@compiled
def _is_outside(core: Record, market: int, price: int) -> bool:
    book = books_of(core)[market]
    if book.banded == 0:
        return False
    far = book.dynamic > 0 and book.trades > 0 and abs(price - book.last_price) > book.dynamic
    return far or price < book.static_low or price > book.static_high


@compiled
def _extend(core: Record, world: Record, market: int, price: int) -> int:
    """The auction goes on for a while; a PHASE row that changes nothing tells it."""
    status = _room_for_a_row(core)
    if status != DONE:
        return status
    session = sessions_of(world)[market]
    session.extended += 1
    session.number += 1
    session.until = world.now + rules_of(world)[session.venue].extension
    _write(core, world, _PHASE, market, price, session.phase, session.phase).reason = _EXTENSION
    remind(world, market, session.until, END_DUE, session.number, 0)
    interval = rules_of(world)[session.venue].interval
    if interval > 0:
        remind(world, market, world.now + interval, LOOK_DUE, session.number, 0)
    return DONE


@compiled
def _interrupt_until(world: Record, market: int, length: int, shorter: int) -> None:
    """The present phase ends after a time, of which a draw may take up to ``shorter``."""
    session = sessions_of(world)[market]
    if shorter > 0:
        session.draws += 1
        length -= below(session.key, _AUCTION_END, session.draws, shorter + 1)
    session.until = world.now + length
    remind(world, market, session.until, END_DUE, session.number, 0)


# --- what is due ---


@compiled
def _take_step(core: Record, world: Record, market: int) -> int:
    """The plan's next phase; an interruption puts it off, unless it is the close."""
    session = sessions_of(world)[market]
    steps = steps_of(world)
    phase = steps[session.step].phase
    if session.until == 0 or phase == _CLOSED:
        interrupted = session.until != 0
        status = _change(core, world, market, phase, _BY_SCHEDULE) if interrupted else _move(core, world, market, phase)
        if status < 0:
            return status
    session.scheduled = phase
    session.step += 1
    if session.step < session.steps_end:
        remind(world, market, steps[session.step].time, STEP_DUE, 0, 0)
    return DONE


@compiled
def _halt(core: Record, world: Record, market: int, length: int, reason: int) -> int:
    """A halt for so long, or until it is lifted for 0. A market that is closed stays so."""
    session = sessions_of(world)[market]
    if session.phase == _CLOSED:
        return DONE
    if session.phase == _HALT:
        session.number += 1
    else:
        status = _change(core, world, market, _HALT, reason)
        if status < 0:
            return status
    if length > 0:
        _interrupt_until(world, market, length, 0)
    else:
        session.until = _FOR_EVER
    return DONE


@compiled
def _end_interruption(core: Record, world: Record, market: int) -> int:
    """After a halt an auction, after an auction what the plan wants."""
    session = sessions_of(world)[market]
    rules = rules_of(world)[session.venue]
    if session.phase == _HALT and rules.reopens != 0 and session.scheduled == _CONTINUOUS:
        status = _change(core, world, market, _VOLATILITY_AUCTION, _BY_SCHEDULE)
        if status >= 0:
            _interrupt_until(world, market, rules.auction, rules.random_end)
        return status
    return _move(core, world, market, session.scheduled)


@compiled
def _foretell(core: Record, world: Record, market: int) -> Record:
    """What the auction would come to if it ended now."""
    found = auction_of(core)[0]
    find_price(core, market, found)
    return found


@compiled
def _look(core: Record, world: Record, market: int) -> int:
    """Tell the indicative price if it has changed, and look again later."""
    status = _room_for_a_row(core)
    if status != DONE:
        return status
    session = sessions_of(world)[market]
    found = _foretell(core, world, market)
    if (
        found.price != session.price
        or found.volume != session.volume
        or found.surplus != session.surplus
        or found.side != session.side
    ):
        session.price = found.price
        session.volume = found.volume
        session.surplus = found.surplus
        session.side = found.side
        _write(core, world, _INDICATIVE, market, found.price, found.volume, found.surplus).side = found.side
    remind(world, market, world.now + rules_of(world)[session.venue].interval, LOOK_DUE, session.number, 0)
    return DONE


# --- after a request ---


@compiled
def level_below(worth: int, fall: int) -> int:
    """What is left of a worth after a fall in millionths of it, rounded down; the product never needs more bits."""
    size = abs(worth)
    return worth - (size // _MILLION * fall + size % _MILLION * fall // _MILLION)


@compiled
def _fell(core: Record, world: Record, market: int) -> bool:
    """Whether the circuit breaker of a market that is watched has to work; its worth follows the last price."""
    session = sessions_of(world)[market]
    book = books_of(core)[market]
    breaker = sessions_of(world)[session.breaker]
    if book.trades > 0 and book.last_price != session.counted:
        breaker.worth += session.weight * (book.last_price - session.counted)
        session.counted = book.last_price
    return bool(breaker.worth <= breaker.trigger)


@compiled
def look_after(core: Record, world: Record, market: int) -> None:
    """See whether a request has interrupted a market or set off a circuit breaker; room must be there for a message."""
    session = sessions_of(world)[market]
    fell = session.weight != 0 and _fell(core, world, market)
    if books_of(core)[market].phase != session.phase or fell:
        remind(world, market, world.now, CHECK_DUE, 0, 0)


@compiled
def _check(core: Record, world: Record, market: int) -> None:
    session = sessions_of(world)[market]
    book = books_of(core)[market]
    rules = rules_of(world)[session.venue]
    if book.phase != session.phase:
        session.phase = book.phase
        session.number += 1
        if book.phase == _HALT:
            _interrupt_until(world, market, rules.halt, 0)
        elif _is_auction(book.phase):
            session.extended = 0
            _begin_looking(world, session, market)
            _interrupt_until(world, market, rules.auction, rules.random_end)
    if session.weight != 0 and _fell(core, world, market):
        _fire(world, sessions_of(world)[session.breaker])


@compiled
def _fire(world: Record, session: Record) -> None:
    """Every level that is reached is used up; the deepest of them halts all markets of the venue."""
    levels = breaker_levels_of(world)
    session.trigger = NEVER_TRIGGERED
    length = -1
    for number in range(session.first_level, session.levels_end):
        level = levels[number]
        if level.fired == 0 and session.worth <= level.trigger:
            level.fired = 1
            length = level.halt
        if level.fired == 0 and session.trigger == NEVER_TRIGGERED:
            session.trigger = level.trigger
    rules = rules_of(world)[session.venue]
    if length >= 0:
        for market in range(rules.first, rules.last + 1):
            remind(world, market, world.now, HALT_DUE, length, _CIRCUIT_BREAKER)


@compiled
def _arm(core: Record, world: Record, session: Record, market: int) -> None:
    """At the close of each market that is watched: the levels of the next day hang on what all are worth now."""
    if session.weight == 0:
        return
    _fell(core, world, market)
    breaker = sessions_of(world)[session.breaker]
    levels = breaker_levels_of(world)
    for number in range(breaker.first_level, breaker.levels_end):
        level = levels[number]
        level.trigger = level_below(breaker.worth, level.fall)
        level.fired = 0
    breaker.trigger = levels[breaker.first_level].trigger


@compiled
def take_schedule(core: Record, world: Record, request: Record) -> int:
    """Do what is due in a market; below 0 nothing has happened."""
    market = request.market
    session = sessions_of(world)[market]
    rules = rules_of(world)[session.venue]
    if not has_room(world, 6 + rules.last - rules.first):
        return SHORT_OF_MESSAGES
    what = request.instructions
    stale = request.expire != session.number
    status = DONE
    if what == STEP_DUE:
        status = _take_step(core, world, market)
    elif what == HALT_DUE:
        status = _halt(core, world, market, request.expire, request.reason)
    elif what == RESUME_DUE:
        if session.phase == _HALT:
            status = _end_interruption(core, world, market)
    elif what == CHECK_DUE:
        _check(core, world, market)
        return DONE
    elif stale:
        return DONE
    elif what == END_DUE:
        status = _end_interruption(core, world, market)
    else:
        status = _look(core, world, market)
    return status


@compiled
def remind_first(worlds: Rows, sequence: int, time: int, market: int, what: int, argument: int, reason: int) -> int:
    """Put something on a venue's clock before the run; room must be there. Answers the sequence."""
    world = worlds[0]
    world.sequence = sequence
    remind(world, market, time, what, argument, reason)
    return world.sequence
