"""An order as its participant knows it: terms, state and fills, kept up to date by the broker's reports."""

from __future__ import annotations

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce

_ENDS = {EventKind.CANCELED: OrderState.CANCELED, EventKind.EXPIRED: OrderState.EXPIRED}


class Order:
    """One order. Prices in ticks, quantities in lots; ``order_id`` is 0 until the venue has accepted it."""

    __slots__ = (
        "client_order_id",
        "expire",
        "filled",
        "flags",
        "instrument",
        "leaves",
        "order_id",
        "order_type",
        "price",
        "quantity",
        "reason",
        "reference",
        "side",
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
    ) -> None:
        self.client_order_id = client_order_id
        self.order_id = 0
        self.reference = 0  # the broker's own handle, known before the venue has answered
        self.instrument = instrument
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

    @property
    def live(self) -> bool:
        """Whether it may still trade, as far as the participant knows."""
        return not self.state.terminal

    @property
    def average_price(self) -> float:
        """Mean price of its fills in ticks; 0 when there are none."""
        return self.value / self.filled if self.filled else 0.0

    def apply(self, report: Report) -> None:
        """Take in what the venue says about this order."""
        kind = report.kind
        if kind == EventKind.TRADE:
            self.filled += report.quantity
            self.value += report.quantity * report.price
            self.leaves = report.leaves
            if self.leaves == 0:
                self.state = OrderState.FILLED
            elif self.state != OrderState.PENDING_CANCEL:
                self.state = OrderState.PARTIALLY_FILLED
        elif kind == EventKind.ACCEPTED:
            self.order_id = report.order_id
            if self.state == OrderState.PENDING_NEW:
                self.state = OrderState.ACCEPTED
        elif kind in _ENDS:
            self.leaves = report.leaves
            self.quantity -= 0 if report.leaves == 0 else report.quantity
            if self.leaves == 0:
                self.state, self.reason = _ENDS[kind], report.reason
            else:
                self._working()
        elif kind == EventKind.REPLACED:
            self.price, self.quantity, self.leaves = report.price, report.quantity, report.leaves
        elif kind == EventKind.REJECTED:
            self.state, self.reason, self.leaves = OrderState.REJECTED, report.reason, 0
        elif kind == EventKind.CANCEL_REJECTED and self.live:
            self._working()

    def _working(self) -> None:
        self.state = OrderState.PARTIALLY_FILLED if self.filled else OrderState.ACCEPTED

    def __repr__(self) -> str:
        limit = f" at {self.price}" if self.price else ""
        return (
            f"<Order {self.client_order_id} {self.side.name} {self.quantity} {self.instrument.symbol}{limit} "
            f"{self.order_type.name} {self.state.name} filled {self.filled}>"
        )
