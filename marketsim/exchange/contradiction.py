"""Contradictions within the words of one order, told with value, rule and repair.

The matching core refuses the same with INVALID_INSTRUCTION, INVALID_PRICE or INVALID_EXPIRY (docs/matching-rules.md,
rules 5 to 7). It knows no market: what depends on the book is for matching to refuse.
"""

from __future__ import annotations

from collections.abc import Iterator

from marketsim.domain.order import MOST_PARTS, OrderFlag, OrderType, TimeInForce

_STAYING = (TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD)
_AUCTIONS = (TimeInForce.AT_OPEN, TimeInForce.AT_CLOSE)
_PEGS = (OrderType.PRIMARY_PEG, OrderType.MARKET_PEG, OrderType.MID_PEG)
_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)


def contradiction(
    order_type: OrderType,
    time_in_force: TimeInForce,
    flags: OrderFlag,
    distance: int,
    quantity: int,
    expire: int,
    now: int,
    display: int,
    minimum: int,
    linked: bool,
) -> str | None:
    """What contradicts in an order's words; None when nothing does. Lots, ticks and nanoseconds."""
    return next(
        (
            text
            for findings in (
                _of_distance(order_type, distance),
                _of_time(order_type, time_in_force, expire, now),
                _of_visibility(order_type, time_in_force, flags, quantity, display),
                _of_minimum(order_type, time_in_force, flags, quantity, minimum),
                _of_links(order_type, time_in_force, flags, display, linked),
            )
            for text in findings
        ),
        None,
    )


def _of_distance(order_type: OrderType, distance: int) -> Iterator[str]:
    if order_type is OrderType.TRAILING_STOP and distance < 1:
        yield f"trail of {distance} ticks: a trailing stop keeps at least one tick from the last price; give more"
    if order_type is OrderType.MARKET_PEG and distance < 1:
        yield f"offset of {distance} ticks: a peg to the other side stands at least one tick behind it; give more"
    if order_type in _PEGS and distance < 0:
        yield f"offset of {distance} ticks: a peg stands behind its reference; give 0 or more"


def _of_time(order_type: OrderType, time_in_force: TimeInForce, expire: int, now: int) -> Iterator[str]:
    word = time_in_force.name
    if time_in_force is TimeInForce.GTD and expire <= now:
        yield f"expire={expire}: an order that is GTD expires after now, {now}; give a later time"
    if time_in_force is not TimeInForce.GTD and expire:
        yield f"expire={expire}: only GTD orders expire at a time, not {word}; leave it out, or say GTD"
    if time_in_force in _AUCTIONS and order_type not in (OrderType.LIMIT, OrderType.MARKET):
        yield f"{word}: only limit and market orders wait for an auction, not {_name(order_type)}; say GTC or DAY"
    if order_type >= OrderType.TRAILING_STOP and time_in_force not in _STAYING:
        yield f"{word}: {_name(order_type)} stays for a while; say GTC, DAY or GTD"


def _of_visibility(
    order_type: OrderType, time_in_force: TimeInForce, flags: OrderFlag, quantity: int, display: int
) -> Iterator[str]:
    hidden = bool(flags & OrderFlag.HIDDEN)
    word = time_in_force.name
    for said, wanted in (("post_only", flags & OrderFlag.POST_ONLY), ("hidden", hidden), ("display", display)):
        if not wanted:
            continue
        if order_type is not OrderType.LIMIT:
            yield f"{said}: only a limit order rests by its own will, not {_name(order_type)}; leave {said} out"
        if time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            yield f"{said}: an order that is {word} never rests; leave {said} out, or say GTC, DAY or GTD"
        if said != "display" and time_in_force in _AUCTIONS:
            yield f"{said}: an order that is {word} is for an auction only; leave {said} out, or say GTC, DAY or GTD"
        if said != "hidden" and hidden:
            yield f"{said} and hidden contradict each other; leave one out"
    least = -(-quantity // MOST_PARTS)
    if 0 < display < least:
        yield f"display of {display} lots: an iceberg has {MOST_PARTS:,} parts at most; show {least} or more"
    if display and not 0 < display <= quantity:
        yield f"display of {display} lots: an iceberg of {quantity} shows 1 to {quantity}; give less, or none"


def _of_minimum(
    order_type: OrderType, time_in_force: TimeInForce, flags: OrderFlag, quantity: int, minimum: int
) -> Iterator[str]:
    if minimum and not 0 < minimum <= quantity:
        yield f"minimum of {minimum} lots: an order of {quantity} can trade at most {quantity} at once; give less"
    at_once = time_in_force is TimeInForce.IOC and order_type in (OrderType.LIMIT, OrderType.MARKET)
    if minimum and not flags & OrderFlag.HIDDEN and order_type not in _PEGS and not at_once:
        yield f"minimum of {minimum} lots: only hidden orders, pegs and IOC orders have one; say hidden=True, or none"


def _of_links(
    order_type: OrderType, time_in_force: TimeInForce, flags: OrderFlag, display: int, linked: bool
) -> Iterator[str]:
    if not linked:
        return
    if order_type is not OrderType.LIMIT and order_type not in _STOPS:
        yield f"parent and partner belong to limit orders and stops, not to {_name(order_type)}; leave them out"
    if time_in_force not in _STAYING:
        yield f"parent and partner: an order that is {time_in_force.name} waits for nobody; say GTC, DAY or GTD"
    if flags & (OrderFlag.POST_ONLY | OrderFlag.HIDDEN) or display:
        yield "parent and partner go with neither post_only, hidden nor display; leave one or the other out"


def _name(order_type: OrderType) -> str:
    return order_type.name.lower().replace("_", " ")
