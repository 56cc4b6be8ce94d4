"""Rows: how what happens is written into the event log, which is also what its owners are told.

It decides nothing and checks no room.
"""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.exchange.state import BYTE, NO_MARKET, books_of, events_of
from marketsim.kernel.compiled import Record, compiled

_PHASE, _REPRICED = int(EventKind.PHASE), int(EventKind.REPRICED)


@compiled
def write(
    core: Record,
    kind: int,
    order_id: int,
    match_id: int,
    price: int,
    quantity: int,
    leaves: int,
    owner: int,
    peer: int,
    market: int,
    side: int,
    reason: int,
    order_type: int,
    time_in_force: int,
    flags: int,
) -> None:
    """A row of the log, its columns in the order of the arguments."""
    row = events_of(core)[core.log_count]
    row.time = core.time
    row.order_id = order_id
    row.match_id = match_id
    row.price = price
    row.quantity = quantity
    row.leaves = leaves
    row.owner = owner
    row.peer = peer
    row.market = market
    row.kind = kind
    row.side = side
    row.reason = reason
    row.order_type = order_type
    row.time_in_force = time_in_force
    row["flags"] = flags  # "flags" as an attribute belongs to NumPy
    core.log_count += 1


@compiled
def write_order(core: Record, kind: int, order: Record, price: int, quantity: int, leaves: int, reason: int) -> None:
    """A row about an order itself."""
    write(
        core,
        kind,
        order.order_id,
        0,
        price,
        quantity,
        leaves,
        order.owner,
        0,
        order.market,
        order.side,
        reason,
        order.order_type,
        order.time_in_force,
        order.instructions & BYTE,
    )


@compiled
def refuse(core: Record, kind: int, order_id: int, owner: int, price: int, quantity: int, reason: int) -> int:
    """The row of a refused cancel or replace."""
    write(core, kind, order_id, 0, price, quantity, 0, owner, 0, NO_MARKET, 0, reason, 0, 0, 0)
    return 0


@compiled
def write_phase(core: Record, market: int, price: int, phase: int, reason: int) -> None:
    """A market changes its phase."""
    book = books_of(core)[market]
    write(core, _PHASE, 0, 0, price, phase, book.phase, 0, 0, market, 0, reason, 0, 0, 0)
    book.phase = phase


@compiled
def write_repriced(core: Record, order: Record, price: int, quantity: int, leaves: int) -> None:
    """An order has got another price."""
    write_order(core, _REPRICED, order, price, quantity, leaves, 0)
