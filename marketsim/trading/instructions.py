"""Instructions: which type, flags and special terms an order gets from the words in which an agent asks for it.

It sends nothing and checks no market: what a venue refuses comes back as a report.
"""

from __future__ import annotations

from typing import NamedTuple

from marketsim.domain.instruction import Peg, PostOnly, flags_of, prices_of, type_of, usual_time
from marketsim.domain.order import OrderFlag, OrderType, TimeInForce
from marketsim.trading.order import Order, Special


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
    order_type = type_of(limit, stop, trail, peg, offset, to_limit)
    price, stop_price = prices_of(order_type, side, limit, stop, trail, offset)
    if time_in_force is None:
        time_in_force = usual_time(order_type, expire, parent is not None)
    flags = flags_of(post_only, hidden, remember)
    special = Special(display, minimum, parent, partner)
    return Instruction(order_type, time_in_force, flags, price, stop_price, None if special == Special() else special)
