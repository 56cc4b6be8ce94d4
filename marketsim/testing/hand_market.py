"""A market played by hand: one agent on the real simulated session, with a test in the place of the venue.

Nothing happens by itself: the test sends quotes and reports and lets time pass, and looks at what the agent asked for.
Messages arrive at once. It never matches anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from marketsim.brokers.simulated import Market, SimulatedSession
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import OrderAction
from marketsim.domain.message import MESSAGE, Kind
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.domain.phase import Phase
from marketsim.domain.units import duration
from marketsim.kernel.environment import NORMAL_ORDER, Environment
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order

_PLACES = {name: place for place, name in enumerate((MESSAGE.names or ())[:20])}  # as receivers get it
_NEW_FIELDS = (
    "order_id", "side", "order_type", "time_in_force", "instructions", "price", "other_price", "quantity", "expire",
)  # fmt: skip


class Request(NamedTuple):
    """Something the agent asked of a venue. ``depart``: when it left, ns; ``order_id``: the broker's reference."""

    kind: Kind
    depart: int
    market: int
    order_id: int
    side: int
    price: int
    quantity: int
    instructions: int
    other_price: int = 0
    expire: int = 0


class HandMarket:
    """One agent and a venue that is the test.

    agent: started at once.
    instruments: each on each of the venues; markets are numbered venue by venue.
    fee: of every fill, a share of its value; or one by venue.
    options: of SimulatedSession: limits, marks, computation, cash, feeds, notes.
    """

    def __init__(
        self,
        agent: Agent,
        instruments: Sequence[Instrument] = (Instrument("ABC"),),
        venues: Sequence[str] = ("XSIM",),
        *,
        name: str = "me",
        seed: int = 0,
        fee: str | Mapping[str, str] = "0",
        **options: Any,
    ) -> None:
        self.agent = agent
        self.environment = Environment()
        self.requests: list[Request] = []
        self.notes: list[tuple[int, str, str, str]] = []
        self.marks: dict[str, float] = {}  # mids of the latest quotes, by symbol
        self._ids = 0
        places = [(venue, instrument) for venue in venues for instrument in instruments]
        shares = {venue: Decimal(fee if isinstance(fee, str) else fee.get(venue, "0")) for venue in venues}
        self.markets = [Market(n, v, i, _fee(i, shares[v])) for n, (v, i) in enumerate(places)]
        options.setdefault("notes", lambda *remark: self.notes.append(remark))
        options.setdefault("marks", lambda instrument: self.marks.get(instrument.symbol, float(instrument.reference)))
        numbers = range(len(self.markets))
        self.session = SimulatedSession(name, seed, agent, self.environment, self, self.markets, numbers, **options)
        self.session.start()

    @property
    def now(self) -> int:
        """ns."""
        return self.environment.now

    @property
    def orders(self) -> list[Order]:
        """What the agent believes to be open."""
        return self.agent.orders()

    def asked(self, *kinds: Kind) -> list[Request]:
        """The requests of some kinds (NEW, CANCEL and REPLACE when none is named), oldest first."""
        wanted = kinds or (Kind.NEW, Kind.CANCEL, Kind.REPLACE)
        return [request for request in self.requests if request.kind in wanted]

    def clear(self) -> None:
        """Forget the requests made so far."""
        self.requests.clear()

    # --- the Wire ---

    def send(self, sender: int, depart: int, kind: Kind, market: int, *fields: int, **named: int) -> int:
        """The agent's request; what the session calls."""
        told = {**dict(zip(_NEW_FIELDS, fields, strict=False)), **named}
        order_id = told.get("order_id", 0)
        if kind == Kind.NEW:
            self._ids += 1
            order_id = self._ids
        self.requests.append(
            Request(
                Kind(kind),
                depart,
                market,
                order_id,
                told.get("side", 0),
                told.get("price", 0),
                told.get("quantity", 0),
                told.get("instructions", 0),
                told.get("other_price", 0),
                told.get("expire", 0),
            )
        )
        return order_id

    # --- what the venue says ---

    def advance(self, time: int | str) -> None:
        """Let time pass; what the agent planned happens, up to and including its end."""
        self.environment.run(until=self.now + duration(time) + 1)

    def quote(self, bid: int, bid_quantity: int, ask: int, ask_quantity: int, market: int = 0) -> None:
        """The best quotes; a quantity of 0 is an empty side."""
        if bid_quantity and ask_quantity:
            self.marks[self.markets[market].instrument.symbol] = (bid + ask) / 2
        self._tell(Kind.QUOTE, market, price=bid, quantity=bid_quantity, other_price=ask, leaves=ask_quantity)

    def trade(self, price: int, quantity: int, side: Side, market: int = 0) -> None:
        """Others traded; ``side`` is the aggressor's."""
        self._tell(Kind.TRADE_PRINT, market, price=price, quantity=quantity, side=int(side))

    def level(self, side: Side, price: int, quantity: int, sequence: int, market: int = 0) -> None:
        """The quantity at a price changed."""
        self._tell(Kind.LEVEL, market, price=price, quantity=quantity, side=int(side), expire=sequence)

    def book(
        self, bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], sequence: int, market: int = 0
    ) -> None:
        """A snapshot, (price, quantity) from the best on."""
        self._tell(Kind.SNAPSHOT, market, quantity=len(bids) + len(asks), expire=sequence)
        for side, levels in ((1, bids), (-1, asks)):
            for price, quantity in levels:
                self._tell(Kind.SNAPSHOT_LEVEL, market, side=side, price=price, quantity=quantity, expire=sequence)

    def order_update(
        self, action: OrderAction, order_id: int, side: Side, price: int, quantity: int, leaves: int, *,
        priority: int = 0, sequence: int = 0, market: int = 0,
    ) -> None:  # fmt: skip
        """Something happened to one displayed order of the book."""
        self._tell(
            Kind.ORDER_UPDATE, market, order_id=order_id, side=int(side), price=price, quantity=quantity, leaves=leaves,
            other_price=priority, expire=sequence, instructions=int(action),
        )  # fmt: skip

    def bar(
        self, open_: int, high: int, low: int, close: int, volume: int, value: int, trades: int, interval: int | str,
        market: int = 0,
    ) -> None:  # fmt: skip
        """A bar ends now."""
        self._tell(
            Kind.BAR, market, price=open_, order_type=high, time_in_force=low, other_price=close, quantity=volume,
            order_id=value, leaves=trades, expire=duration(interval),
        )  # fmt: skip

    def status(self, phase: Phase, reason: Reason = Reason.NONE, until: int = 0, market: int = 0) -> None:
        """The phase of trading."""
        self._tell(Kind.STATUS, market, quantity=int(phase), reason=int(reason), expire=until)

    def indicative(self, price: int, volume: int, surplus: int = 0, side: Side | None = None, market: int = 0) -> None:
        """What an auction would come to."""
        which = 0 if side is None else int(side)
        self._tell(Kind.INDICATIVE, market, price=price, quantity=volume, leaves=surplus, side=which)

    def accept(self, *orders: Order) -> None:
        """The venue takes orders; without any, all that wait for it."""
        waiting = [o for o in self.orders if o.state is OrderState.PENDING_NEW or not o.order_id]
        for order in orders or waiting:
            self.report(EventKind.ACCEPTED, order, leaves=order.quantity)

    def fill(self, order: Order, quantity: int | None = None, price: int | None = None, *, maker: bool = True) -> None:
        """An order trades; all of it, at its limit, unless told otherwise."""
        lots = order.leaves if quantity is None else quantity
        self.report(
            EventKind.TRADE,
            order,
            price=order.price if price is None else price,
            quantity=lots,
            leaves=order.leaves - lots,
            instructions=int(maker),
        )

    def cancel(self, order: Order, quantity: int | None = None, reason: Reason = Reason.BY_REQUEST) -> None:
        """An order, or some lots of it, is canceled."""
        lots = order.leaves if quantity is None else quantity
        self.report(EventKind.CANCELED, order, quantity=lots, leaves=order.leaves - lots, reason=int(reason))

    def replaced(self, order: Order, request: Request | None = None) -> None:
        """An order gets the terms of a replace request; the latest about it unless one is given."""
        told = request or [r for r in self.asked(Kind.REPLACE) if r.order_id == order.reference][-1]
        leaves = told.quantity - order.filled
        self.report(EventKind.REPLACED, order, price=told.price, quantity=told.quantity, leaves=leaves)

    def reject(self, order: Order, reason: Reason, kind: EventKind = EventKind.REJECTED, quantity: int = 0) -> None:
        """A request about an order is refused."""
        self.report(kind, order, quantity=quantity, reason=int(reason))

    def report(self, kind: EventKind, order: Order | None, market: int = 0, **fields: int) -> None:
        """Any execution report; fields of MESSAGE."""
        known: dict[str, int] = {}
        if order is not None:
            market = self.session.market_of(order.instrument, order.venue).number
            known = {"order_id": order.reference, "side": int(order.side), "price": order.price}
        self._tell(int(Kind.REPORT) + int(kind), market, **{**known, **fields})

    def _tell(self, kind: int, market: int, **fields: int) -> None:
        row = [0] * len(_PLACES)
        row[_PLACES["time"]] = row[_PLACES["sent"]] = self.now
        self.environment.sequence += 1
        row[_PLACES["order"]] = NORMAL_ORDER + self.environment.sequence
        row[_PLACES["kind"]], row[_PLACES["market"]] = int(kind), market
        for name, value in fields.items():
            row[_PLACES[name]] = value
        self.session.receive(row)


def _fee(instrument: Instrument, share: Decimal) -> Any:
    return lambda ticks, lots, maker: share * ticks * instrument.tick_size * lots * instrument.lot_size
