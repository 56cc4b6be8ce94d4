"""Instructions: which type, flags and special terms an order gets from the words in which an agent asks for it.

It sends nothing and checks no market: what a venue refuses comes back as a report.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from marketsim.domain.order import OrderFlag, OrderType, TimeInForce
from marketsim.errors import InvalidValueError
from marketsim.trading.order import Order, Special

Peg: TypeAlias = Literal["own", "other", "mid"]
PostOnly: TypeAlias = bool | Literal["slide"]

_PEGS = {"own": OrderType.PRIMARY_PEG, "other": OrderType.MARKET_PEG, "mid": OrderType.MID_PEG}
_FARTHEST = 2**53  # ticks: a limit that never binds


class Instruction(NamedTuple):
    """What an order is to be: prices in ticks; ``stop_price`` is a distance for trailing stops and pegs."""

    order_type: OrderType
    time_in_force: TimeInForce
    flags: OrderFlag
    price: int
    stop_price: int
    special: Special | None


def instruct(
    side: int,
    *,
    limit: int | None,
    stop: int | None,
    time_in_force: TimeInForce | None,
    post_only: PostOnly,
    expire: int,
    display: int,
    hidden: bool,
    minimum: int,
    trail: int | None,
    peg: Peg | None,
    offset: int,
    to_limit: bool,
    remember: bool,
    parent: Order | None,
    partner: Order | None,
) -> Instruction:
    """The instruction in an agent's words; InvalidValueError for words that contradict each other."""
    order_type, price, stop_price = _type_of(side, limit, stop, trail, peg, offset, to_limit)
    if time_in_force is None:
        time_in_force = _usual_time(order_type, expire, parent)
    flags = OrderFlag.NONE
    if post_only:
        flags |= OrderFlag.POST_ONLY | (OrderFlag.SLIDE if post_only == "slide" else OrderFlag.NONE)
    if hidden:
        flags |= OrderFlag.HIDDEN
    if remember:
        flags |= OrderFlag.PARENT
    special = Special(display, minimum, parent, partner)
    return Instruction(order_type, time_in_force, flags, price, stop_price, None if special == Special() else special)


def _type_of(
    side: int, limit: int | None, stop: int | None, trail: int | None, peg: Peg | None, offset: int, to_limit: bool
) -> tuple[OrderType, int, int]:
    """Type, price and stop price or distance."""
    kinds = {"stop": stop is not None, "trail": trail is not None, "peg": peg is not None, "to_limit": to_limit}
    asked = [name for name, given in kinds.items() if given]
    if len(asked) > 1:
        raise InvalidValueError(
            f"{asked[0]} and {asked[1]} contradict each other: an order has one type; leave one out"
        )
    if offset and peg is None:
        raise InvalidValueError(f"offset={offset} belongs to a peg; say peg='own', 'other' or 'mid', or leave it out")
    if limit is not None and (to_limit or trail is not None):
        raise InvalidValueError(
            f"limit={limit}: a {asked[0]} order gets its price from the market; leave the limit out"
        )
    if peg is not None:
        if peg not in _PEGS:
            raise InvalidValueError(f"peg={peg!r}: use 'own', 'other' or 'mid'")
        return _PEGS[peg], side * _FARTHEST if limit is None else limit, offset
    if trail is not None:
        return OrderType.TRAILING_STOP, 0, trail
    if to_limit:
        return OrderType.MARKET_TO_LIMIT, 0, 0
    if stop is not None:
        return (OrderType.STOP if limit is None else OrderType.STOP_LIMIT), limit or 0, stop
    return (OrderType.MARKET if limit is None else OrderType.LIMIT), limit or 0, 0


def _usual_time(order_type: OrderType, expire: int, parent: Order | None) -> TimeInForce:
    """Immediate or cancel for market orders, good till date with an expire time, else good till cancel."""
    if expire:
        return TimeInForce.GTD
    return TimeInForce.IOC if order_type is OrderType.MARKET and parent is None else TimeInForce.GTC
