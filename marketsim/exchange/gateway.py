"""What a venue's gateway adds to the event log: requests that never come to matching, sessions that go down and up.

As in ``matching``, each function first sees that there is room, and otherwise answers a SHORT_OF code.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.exchange.matching import has_known_codes
from marketsim.exchange.room import room_to_tell
from marketsim.exchange.state import NO_MARKET, SHORT_OF_SLOTS, events_of, slots_of
from marketsim.kernel.compiled import Record, compiled

_REJECTED = int(EventKind.REJECTED)


@compiled
def note_session(core: Record, time: int, kind: int, owner: int, market: int) -> int:
    """A participant's session went down or came up (``kind``); ``market`` is the first of the venue's."""
    short = room_to_tell(core, 1)
    if short != 0:
        return short
    core.time = time
    _write(core, kind, owner, market)
    return 0


@compiled
def refuse_request(core: Record, time: int, kind: int, request: Record) -> int:
    """Refuse a request (a MESSAGE) with a reject of that kind and the request's reason; nothing else happens."""
    short = room_to_tell(core, 1)
    if short != 0:
        return short
    if kind == _REJECTED and request.order_id >= core.slots_length:
        return SHORT_OF_SLOTS
    core.time = time
    known = kind == _REJECTED and 0 <= request.market < core.markets
    row = _write(core, kind, request.sender, request.market if known else NO_MARKET)
    row.order_id = request.order_id
    row.quantity = request.quantity
    row.reason = request.reason
    if kind != _REJECTED:
        row.price = request.price
        return 0
    row.price = request.price
    row.side = request.side if request.side == 1 or request.side == -1 else 0
    if has_known_codes(request.side, request.order_type, request.time_in_force, request.instructions):
        row.order_type = request.order_type
        row.time_in_force = request.time_in_force
        row["flags"] = request.instructions
    if known and slots_of(core)[request.order_id] == 0:
        slots_of(core)[request.order_id] = -1
    return 0


@compiled
def _write(core: Record, kind: int, owner: int, market: int) -> Record:
    """A row that says who, where and what happened; all else is 0."""
    row = events_of(core)[core.log_count]
    row.time = core.time
    row.order_id = 0
    row.match_id = 0
    row.price = 0
    row.quantity = 0
    row.leaves = 0
    row.owner = owner
    row.peer = 0
    row.market = market
    row.kind = kind
    row.side = 0
    row.reason = 0
    row.order_type = 0
    row.time_in_force = 0
    row["flags"] = 0  # "flags" as an attribute belongs to NumPy
    core.log_count += 1
    return row
