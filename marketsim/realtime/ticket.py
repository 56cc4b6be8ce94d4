"""A ticket: one order of the agent as the venue knows it, and the requests about it that are still to be answered.

A replacement is another order at the venue: one ticket may have several legs, one after the other. Requests about an
order go one at a time, so an answer always belongs to the oldest. It sends nothing.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import NamedTuple

from marketsim.domain.order import Reason
from marketsim.kernel.following import elapsed_nanoseconds
from marketsim.realtime.dialect import VenueMarket
from marketsim.trading.order import Order


class Verb(Enum):
    """What is asked about an order."""

    NEW = "place"
    CANCEL = "cancel"
    REPLACE = "replace"


class Request:
    """One request of the agent. Prices in ticks, quantities in lots."""

    __slots__ = ("began", "price", "quantity", "reason", "stop", "verb")

    def __init__(
        self, verb: Verb, price: int = 0, quantity: int = 0, stop: int = 0, reason: Reason = Reason.BY_REQUEST
    ) -> None:
        self.verb = verb
        self.price = price
        self.quantity = quantity  # of a replace the new total; of a cancel the part, 0 for all
        self.stop = stop
        self.reason = reason  # that a cancel is reported with; NONE: nobody asked for it, nobody is answered
        self.began = elapsed_nanoseconds()


class Leg(NamedTuple):
    """An order at the venue. ``before``: lots that the ticket had filled when it was sent."""

    name: str
    quantity: int
    before: int


class Ticket:
    """One order. ``number``: the venue's of the present leg, 0 before it is known."""

    __slots__ = (
        "accepted", "asked", "gone", "leg", "legs", "market", "mass", "next_leg", "number", "order", "queue", "tries",
        "triggered",
    )  # fmt: skip

    def __init__(self, order: Order, market: VenueMarket, prefix: str) -> None:
        self.order = order
        self.market = market
        self.leg = Leg(f"{prefix}-{order.client_order_id}", order.quantity, 0)
        self.legs = 1
        self.next_leg: Leg | None = None  # a replacement that was sent
        self.number = 0
        self.queue: deque[Request] = deque([Request(Verb.NEW, order.price, order.quantity, order.stop_price)])
        self.asked: Request | None = None  # of which the venue's answer is awaited
        self.accepted = False
        self.triggered = False
        self.gone = False  # the present leg is canceled, to be replaced
        self.mass = False  # a mass cancel is under way
        self.tries = 0  # questions about it that found nothing

    @property
    def seen(self) -> int:
        """Lots of the present leg whose fills were told."""
        return self.order.filled - self.leg.before

    @property
    def open(self) -> int:
        """Lots of the present leg that may still trade."""
        return self.leg.quantity - self.seen

    @property
    def idle(self) -> bool:
        """Whether no request is without an answer."""
        return self.asked is None and not self.queue

    def succeed(self) -> Leg:
        """A leg for what a replacement is to have: its total less what has been filled."""
        assert self.asked is not None
        prefix = self.leg.name.partition(".")[0]
        filled = self.order.filled
        self.next_leg = Leg(f"{prefix}.{self.legs}", self.asked.quantity - filled, filled)
        self.legs += 1
        return self.next_leg

    def switch(self, number: int) -> None:
        """The replacement stands at the venue."""
        assert self.next_leg is not None
        self.leg, self.next_leg, self.number = self.next_leg, None, number
        self.gone = self.triggered = False
