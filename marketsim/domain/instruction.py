"""Instruction: which type, prices and flags an order gets from the words in which somebody asks for it.

The same words serve agents (ticks and lots) and a book used alone (currency and units). It sends nothing and checks no
market.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from marketsim.domain.order import OrderFlag, OrderType, TimeInForce
from marketsim.errors import InvalidValueError

Peg: TypeAlias = Literal["own", "other", "mid"]
PostOnly: TypeAlias = bool | Literal["slide"]

_PEGS = {"own": OrderType.PRIMARY_PEG, "other": OrderType.MARKET_PEG, "mid": OrderType.MID_PEG}
_FARTHEST = 2**53  # ticks: a limit that never binds


def type_of(limit: object, stop: object, trail: object, peg: Peg | None, offset: object, to_limit: bool) -> OrderType:
    """The type that these words name; InvalidValueError where they contradict each other. None: not said."""
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
        return _PEGS[peg]
    if trail is not None:
        return OrderType.TRAILING_STOP
    if to_limit:
        return OrderType.MARKET_TO_LIMIT
    if stop is not None:
        return OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    return OrderType.MARKET if limit is None else OrderType.LIMIT


def prices_of(
    order_type: OrderType, side: int, limit: int | None, stop: int | None, trail: int | None, offset: int
) -> tuple[int, int]:
    """Price in ticks, and stop price or distance, as the matching core takes them for a type."""
    if order_type in _PEGS.values():
        return (side * _FARTHEST if limit is None else limit), offset
    return limit or 0, (trail if order_type is OrderType.TRAILING_STOP else stop) or 0


def flags_of(post_only: PostOnly, hidden: bool, remember: bool) -> OrderFlag:
    """The flags that these words name."""
    flags = OrderFlag.NONE
    if post_only:
        flags |= OrderFlag.POST_ONLY | (OrderFlag.SLIDE if post_only == "slide" else OrderFlag.NONE)
    if hidden:
        flags |= OrderFlag.HIDDEN
    if remember:
        flags |= OrderFlag.PARENT
    return flags


def usual_time(order_type: OrderType, expire: int, conditional: bool) -> TimeInForce:
    """Immediate or cancel for market orders, good till date with an expire time, else good till cancel."""
    if expire:
        return TimeInForce.GTD
    return TimeInForce.IOC if order_type is OrderType.MARKET and not conditional else TimeInForce.GTC
