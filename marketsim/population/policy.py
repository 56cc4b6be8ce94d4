"""A policy: what a compiled agent does, as a plain function ``policy(me, seen, out) -> int``.

``me`` is the agent's own record (parameters and state, of the policy's dtype), ``seen`` what happened and what the
agent knows (SEEN), ``out`` takes its answers through the functions below. It returns nothing, or 0. A policy
sees nothing else, so it cannot cheat; it is called through an address, so adding one recompiles nothing.

This module holds the functions that policies call, and the call itself; it knows no policy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from marketsim.domain.message import MESSAGE, Kind, Wanted
from marketsim.domain.order import OrderFlag, OrderType, TimeInForce
from marketsim.kernel.compiled import UNCOMPILED, Record, array_at, compiled
from marketsim.population.state import ACTIONS, OUT, SEEN, WORKING

_NEW, _CANCEL, _QUERY, _TIMER = int(Kind.NEW), int(Kind.CANCEL), int(Kind.QUERY), int(Kind.TIMER)
_SUBSCRIBE, _ASK_VOLUME = int(Kind.SUBSCRIBE), int(Kind.ASK_VOLUME)
_MASS_CANCEL = int(Kind.MASS_CANCEL)
_IMBALANCE = int(Wanted.IMBALANCE)
_LIMIT, _MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
_GTC, _IOC = int(TimeInForce.GTC), int(TimeInForce.IOC)
_POST_ONLY = int(OrderFlag.POST_ONLY)
QUOTES, TRADES = int(Wanted.QUOTES), int(Wanted.TRADES)
STATUS_CHANGES, INDICATIVES = int(Wanted.STATUS), int(Wanted.INDICATIVE)
_WORD = np.dtype(np.int64)

Policy = Callable[[Record, Record, Record], int]


@compiled
def _action(out: Record, kind: int) -> Record:
    """The next free action; the last one is overwritten when a policy asks for more than it may."""
    action = array_at(out.actions, ACTIONS, MESSAGE)[min(out.count, ACTIONS - 1)]
    out.count += 1
    action.kind = kind
    action.market = out.market
    action.order_id = 0
    action.side = 0
    action.price = 0
    action.quantity = 0
    action.other_price = 0
    action.expire = 0
    action.order_type = 0
    action.time_in_force = 0
    action.instructions = 0
    action.display = 0
    action.minimum = 0
    action.parent = 0
    action.partner = 0
    return action


@compiled
def place(out: Record, side: int, order_type: int, time_in_force: int, flags: int, price: int, quantity: int) -> int:
    """Send an order to the agent's home market; answers the order's id."""
    action = _action(out, _NEW)
    action.side = side
    action.order_type = order_type
    action.time_in_force = time_in_force
    action.instructions = flags
    action.price = price
    action.quantity = quantity
    action.order_id = out.next_id
    out.next_id += 1
    return action.order_id


@compiled
def place_special(
    out: Record,
    side: int,
    order_type: int,
    time_in_force: int,
    flags: int,
    price: int,
    stop_price: int,
    quantity: int,
    display: int,
    minimum: int,
    parent: int,
    partner: int,
) -> int:
    """Send an order of any kind (docs/orders.md) to the agent's home market; answers the order's id.

    display, minimum: lots, 0 for none. parent, partner: ids of own orders that release this one or that it cancels.
    """
    order_id = place(out, side, order_type, time_in_force, flags, price, quantity)
    action = array_at(out.actions, ACTIONS, MESSAGE)[min(out.count, ACTIONS) - 1]
    action.other_price = stop_price
    action.display = display
    action.minimum = minimum
    action.parent = parent
    action.partner = partner
    return order_id


@compiled
def limit_order(out: Record, side: int, price: int, quantity: int) -> int:
    """A good-till-cancel limit order; side +1 buys, -1 sells."""
    return place(out, side, _LIMIT, _GTC, 0, price, quantity)


@compiled
def post_only_order(out: Record, side: int, price: int, quantity: int) -> int:
    """A limit order that is refused where it would trade at once."""
    return place(out, side, _LIMIT, _GTC, _POST_ONLY, price, quantity)


@compiled
def market_order(out: Record, side: int, quantity: int) -> int:
    """A market order; what finds no liquidity is canceled."""
    return place(out, side, _MARKET, _IOC, 0, 0, quantity)


@compiled
def cancel(out: Record, order_id: int) -> None:
    """Ask for the cancel of an own order."""
    _action(out, _CANCEL).order_id = order_id


@compiled
def cancel_lots(out: Record, order_id: int, quantity: int) -> None:
    """Ask for the cancel of some lots of an own order; 0 means all that is left."""
    action = _action(out, _CANCEL)
    action.order_id = order_id
    action.quantity = quantity


@compiled
def cancel_all(out: Record) -> int:
    """Ask for the cancel of every order that the agent knows to be open; answers how many."""
    working = array_at(out.working, out.working_length, WORKING)
    slot = out.first_working
    count = 0
    while slot != 0:
        cancel(out, working[slot].order_id)
        slot = working[slot].next
        count += 1
    return count


@compiled
def cancel_everything(out: Record) -> None:
    """Ask the home market for the cancel of all own orders at once, known here or not."""
    _action(out, _MASS_CANCEL)


@compiled
def find_working(out: Record, order_id: int) -> Record:
    """The WORKING record of an own order; its ``order_id`` is another where the agent knows the order to be over."""
    working = array_at(out.working, out.working_length, WORKING)
    if not 0 <= order_id < out.working_of_length:
        return working[0]
    return working[array_at(out.working_of, out.working_of_length, _WORD)[order_id]]


@compiled
def subscribe(out: Record, wanted: int) -> None:
    """Ask the home market for market data from now on: QUOTES, TRADES, STATUS_CHANGES and INDICATIVES, added up."""
    _action(out, _SUBSCRIBE).instructions = wanted


@compiled
def subscribe_every(out: Record, wanted: int, interval: int) -> None:
    """The same, with quotes conflated: at most one in so many ns after the first, always the latest."""
    action = _action(out, _SUBSCRIBE)
    action.instructions = wanted
    action.expire = interval


@compiled
def ask_quote(out: Record) -> None:
    """Ask the home market for its best quotes; the answer comes as a QUOTE."""
    _action(out, _QUERY)


@compiled
def ask_volume(out: Record, lookback: int) -> None:
    """Ask the home market for what was traded in the last ``lookback`` ns; the answer comes as a VOLUME.

    It tells the lots that aggressors bought (``quantity``) and sold (``leaves``). A venue remembers trades from the
    first time that anybody asks, for the longest time that was asked for: ask once at the start.
    """
    _action(out, _ASK_VOLUME).expire = lookback


@compiled
def watch_imbalance(out: Record, share: float) -> None:
    """Be told, by an IMBALANCE, whenever one side of the book comes to hold more than a share of it, or no longer does.

    ``side`` is the heavy side, 0 when neither is; ``quantity`` and ``leaves`` are the lots bid and offered.
    """
    action = _action(out, _SUBSCRIBE)
    action.instructions = _IMBALANCE
    action.price = int(share * 1_000_000 + 0.5)


@compiled
def wake_at(out: Record, time: int) -> None:
    """Be woken at a time; the last call counts."""
    out.wake = max(time, out.now)


@compiled
def timer_at(out: Record, time: int, tag: int) -> None:
    """Be called with a TIMER at a time, with this tag; there may be many at once."""
    action = _action(out, _TIMER)
    action.price = max(time, out.now)
    action.expire = tag


if UNCOMPILED:
    _policies: list[Policy] = []

    def address_of(policy: Any, state: np.dtype[Any]) -> int:
        """What call_policy calls."""
        _policies.append(policy)
        return len(_policies) - 1

    def call_policy(policy: int, table: int, width: int, row: int, seen: int, out: int) -> int:
        """Call a policy for one row of its table."""
        me = array_at(table, 0, SEEN)[row]
        with np.errstate(divide="raise"):  # as compiled code does
            return int(_policies[int(policy)](me, array_at(seen, 1, SEEN)[0], array_at(out, 1, OUT)[0]) or 0)

else:
    import numba
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    from marketsim.kernel.compilation import procedure

    _SEEN_TYPE, _OUT_TYPE = numba.from_dtype(SEEN), numba.from_dtype(OUT)

    def address_of(policy: Any, state: np.dtype[Any]) -> int:
        """Address of a policy compiled for records of ``state``; the policy must be kept alive.

        ConfigurationError with the file and line of what cannot be compiled.
        """
        return procedure(policy, (numba.from_dtype(state), _SEEN_TYPE, _OUT_TYPE))

    @intrinsic  # type: ignore[untyped-decorator]
    def _call(typingctx: Any, address: Any, me: Any, seen: Any, out: Any) -> Any:
        """Call compiled code at an address by Numba's own convention: -1 when it raised, else what it returned."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointers = [cgutils.voidptr_t] * 3
            function_type = context.call_conv.get_function_type(types.int64, (types.voidptr,) * 3)
            function = builder.inttoptr(arguments[0], function_type.as_pointer())
            returned = cgutils.alloca_once(builder, ir.IntType(64))
            raised = cgutils.alloca_once(builder, function_type.args[1].pointee)
            builder.store(ir.Constant(ir.IntType(64), 0), returned)
            records = [builder.inttoptr(a, p) for a, p in zip(arguments[1:], pointers, strict=True)]
            code = builder.call(function, [returned, raised, *records])
            failed = builder.icmp_signed("!=", code, ir.Constant(code.type, 0))
            return builder.select(failed, ir.Constant(ir.IntType(64), -1), builder.load(returned))

        return types.int64(types.int64, types.int64, types.int64, types.int64), codegen

    @compiled
    def call_policy(policy: int, table: int, width: int, row: int, seen: int, out: int) -> int:
        """Call a policy for one row of its table; -1 when it raised."""
        return _call(policy, table + row * width, seen, out)
