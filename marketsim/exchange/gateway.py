"""What a venue's gateway adds to the event log: requests that never come to matching, sessions that go down and up.

As in ``matching``, each function first sees that there is room, and otherwise answers a SHORT_OF code.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.exchange.matching import has_known_codes
from marketsim.exchange.room import room_to_tell
from marketsim.exchange.rows import refuse, write
from marketsim.exchange.state import NO_MARKET, SHORT_OF_SLOTS, slots_of
from marketsim.kernel.compiled import Record, compiled

_REJECTED = int(EventKind.REJECTED)


@compiled
def note_session(core: Record, time: int, kind: int, owner: int, market: int) -> int:
    """A participant's session went down or came up (``kind``); ``market`` is the first of the venue's."""
    short = room_to_tell(core, 1)
    if short != 0:
        return short
    core.time = time
    write(core, kind, 0, 0, 0, 0, 0, owner, 0, market, 0, 0, 0, 0, 0)
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
    if kind != _REJECTED:
        return refuse(core, kind, request.order_id, request.sender, request.price, request.quantity, request.reason)
    known = 0 <= request.market < core.markets
    coded = has_known_codes(request.side, request.order_type, request.time_in_force, request.instructions)
    write(
        core,
        kind,
        request.order_id,
        0,
        request.price,
        request.quantity,
        0,
        request.sender,
        0,
        request.market if known else NO_MARKET,
        request.side if request.side == 1 or request.side == -1 else 0,
        request.reason,
        request.order_type if coded else 0,
        request.time_in_force if coded else 0,
        request.instructions if coded else 0,
    )
    if known and slots_of(core)[request.order_id] == 0:
        slots_of(core)[request.order_id] = -1
    return 0
