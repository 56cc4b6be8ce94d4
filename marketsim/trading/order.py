"""An order as its participant knows it: terms, state and fills, kept up to date by the broker's reports."""

from __future__ import annotations

from typing import NamedTuple

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce

_ACCEPTED, _TRADE, _REPLACED = EventKind.ACCEPTED, EventKind.TRADE, EventKind.REPLACED
_REPRICED, _OWN_LIMIT = EventKind.REPRICED, (OrderType.LIMIT, OrderType.MARKET_TO_LIMIT)
_CANCELED, _EXPIRED, _REJECTED = EventKind.CANCELED, EventKind.EXPIRED, EventKind.REJECTED
_CANCEL_REJECTED = EventKind.CANCEL_REJECTED
_PENDING_NEW, _WORKING, _PARTLY = OrderState.PENDING_NEW, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED
_PENDING_CANCEL, _FILLED = OrderState.PENDING_CANCEL, OrderState.FILLED
_ENDS = {_CANCELED: OrderState.CANCELED, _EXPIRED: OrderState.EXPIRED}


class Special(NamedTuple):
    """Terms that few orders have. Quantities in lots."""

    display: int = 0  # that an iceberg shows at most
    minimum: int = 0  # that it trades at once at least
    parent: Order | None = None  # whose fills release this one
    partner: Order | None = None  # of which this one cancels as much as it trades


class Order:
    """One order. Prices in ticks, quantities in lots; ``order_id`` is 0 until the venue has accepted it.

    Its life::

        PENDING_NEW ── REJECTED
             │
        ACCEPTED ─── PARTIALLY_FILLED ─── FILLED
             │  └─────────┬──────┘
             │      PENDING_CANCEL (the cancel of all that is left was asked for)
             └───────┬────┘
            CANCELED, EXPIRED

    A refused cancel leads back to ACCEPTED or PARTIALLY_FILLED; an order may trade while its cancel is under way.
    """

    __slots__ = (
        "client_order_id",
        "expire",
        "filled",
        "flags",
        "instrument",
        "leaves",
        "order_id",
        "order_type",
        "position",
        "price",
        "quantity",
        "reason",
        "reference",
        "side",
        "special",
        "state",
        "stop_price",
        "tag",
        "time_in_force",
        "value",
        "venue",
    )

    def __init__(
        self,
        client_order_id: int,
        instrument: Instrument,
        venue: str,
        side: Side,
        order_type: OrderType,
        quantity: int,
        price: int = 0,
        stop_price: int = 0,
        time_in_force: TimeInForce = TimeInForce.GTC,
        flags: OrderFlag = OrderFlag.NONE,
        expire: int = 0,
        tag: str = "",
        special: Special | None = None,
        position: str = "",
    ) -> None:
        self.client_order_id = client_order_id
        self.order_id = 0
        self.reference = 0  # the broker's own handle, known before the venue has answered
        self.instrument = instrument
        self.position = position  # its leg in hedge mode: "long", "short" or none
        self.venue = venue
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.flags = flags
        self.price = price
        self.stop_price = stop_price
        self.quantity = quantity
        self.expire = expire
        self.filled = 0
        self.leaves = quantity
        self.value = 0  # ticks x lots of its fills
        self.state = OrderState.PENDING_NEW
        self.reason = Reason.NONE
        self.tag = tag
        self.special = special

    @property
    def live(self) -> bool:
        """Whether it may still trade, as far as the participant knows."""
        state = self.state  # not state.terminal: this is asked on every report
        return state is _WORKING or state is _PARTLY or state is _PENDING_NEW or state is _PENDING_CANCEL

    @property
    def average_price(self) -> float:
        """Mean price of its fills in ticks; 0 when there are none."""
        return self.value / self.filled if self.filled else 0.0

    def apply(self, report: Report) -> None:
        """Take in what the venue says about this order."""
        kind = report.kind
        if kind is _TRADE:
            quantity, self.leaves = report.quantity, report.leaves
            self.filled += quantity
            self.value += quantity * report.price
            if self.leaves == 0:
                self.state = _FILLED
            elif self.state is not _PENDING_CANCEL:
                self.state = _PARTLY
        elif kind is _ACCEPTED:
            self.order_id = report.order_id
            if self.state is _PENDING_NEW:
                self.state = _WORKING
        elif kind is _CANCELED or kind is _EXPIRED:
            self._reduced(report)
        elif kind is _REPLACED:
            self.price, self.quantity, self.leaves = report.price, report.quantity, report.leaves
        elif kind is _REJECTED:
            self.state, self.reason, self.leaves = OrderState.REJECTED, report.reason, 0
        elif kind is _REPRICED:
            if self.order_type in _OWN_LIMIT:  # of others it is where they stand, not what was asked
                self.price = report.price
        elif kind is _CANCEL_REJECTED and report.quantity == 0 and self.state is _PENDING_CANCEL:
            self.state = _PARTLY if self.filled else _WORKING

    def _reduced(self, report: Report) -> None:
        """All that was open is gone, or a part of it was canceled; then ``quantity`` shrinks by that part."""
        self.leaves = report.leaves
        if report.leaves == 0:
            self.state, self.reason = _ENDS[report.kind], report.reason
        else:
            self.quantity -= report.quantity

    def __repr__(self) -> str:
        limit = f" at {self.price}" if self.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else ""
        return (
            f"<Order {self.client_order_id} {self.side.name} {self.quantity} {self.instrument.symbol}{limit} "
            f"{self.order_type.name} {self.state.name} filled {self.filled}>"
        )
