"""The smart order router: one order over several venues, on the agent's side.

It splits an order over what the venues show, cheapest first after fees, sends immediate-or-cancel orders, and goes on
with what they did not fill until the order is filled or nothing more is to be had. What is done and what is left is
kept in one parent order, which never has more lots at the venues than it still wants. It knows only what the agent
knows, quotes that may be stale among it, and works on any session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias, get_args

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, Report
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Side, TimeInForce
from marketsim.domain.units import MILLISECOND
from marketsim.errors import InvalidValueError, InvariantViolation, did_you_mean
from marketsim.trading.consolidated import Consolidation, Offer, View
from marketsim.trading.order import Order
from marketsim.trading.ports import Session

Style: TypeAlias = Literal["spray", "sequential", "together"]
Rest: TypeAlias = Literal["cancel", "post", "wait"]
STYLES: tuple[str, ...] = get_args(Style)
RESTS: tuple[str, ...] = get_args(Rest)
PATIENCE = 10 * MILLISECOND
_ZERO = Decimal(0)
_MOST_ROUNDS = 1000  # an order that was sent out so often and is not filled is given up
_TRADE, _REJECTED = EventKind.TRADE, EventKind.REJECTED


class Slice(NamedTuple):
    """A part of an order: what one venue is asked for."""

    venue: str
    price: int  # ticks, the worst that is asked for
    quantity: int  # lots


def split(
    quantity: int, offers: Sequence[Offer], cost: Callable[[Offer], Decimal], delay: Callable[[str], int]
) -> list[Slice]:
    """Share a quantity out over offers, one slice a venue, the cheapest first.

    cost: of an offer, lower is better. At equal cost the venue that is reached sooner comes first, then the first
    named. The slice of a venue whose offers are taken down to several prices asks for the worst of them.
    """
    slices: dict[str, Slice] = {}
    for offer in sorted(offers, key=lambda offer: (cost(offer), delay(offer.venue))):
        if quantity <= 0:
            break
        lots = min(quantity, offer.quantity)
        quantity -= lots
        known = slices.get(offer.venue)
        slices[offer.venue] = Slice(offer.venue, offer.price, lots + (known.quantity if known else 0))
    return list(slices.values())


@dataclass
class VenueShare:
    """What one venue did for a routed order. Lots, ticks x lots, currency."""

    orders: int = 0  # child orders sent
    sent: int = 0
    filled: int = 0
    value: int = 0
    fees: Decimal = _ZERO
    rejected: int = 0  # child orders

    @property
    def average_price(self) -> float:
        """Mean price in ticks; 0 without fills."""
        return self.value / self.filled if self.filled else 0.0


@dataclass(eq=False)
class RoutedOrder:
    """A parent order: terms, one consolidated state, and what each venue did. Prices in ticks, quantities in lots.

    ``state`` is that of an order: FILLED; CANCELED when something was left that could not be had or was called back;
    REJECTED when no venue took any of it. ``fees`` are those of the venues' schedules; below zero they are rebates.
    """

    instrument: Instrument
    side: Side
    quantity: int
    limit: int | None
    venues: tuple[str, ...]
    style: Style
    rest: Rest
    patience: int
    tag: str
    time: int  # ns, when it was given
    state: OrderState = OrderState.PENDING_NEW
    filled: int = 0
    value: int = 0  # ticks x lots
    fees: Decimal = _ZERO
    children: list[Order] = field(default_factory=list)
    by_venue: dict[str, VenueShare] = field(default_factory=dict)
    rounds: int = 0  # how often something was sent
    ended: int = -1  # ns; -1 while live
    _open: dict[int, Order] = field(default_factory=dict, repr=False)
    _shut: set[str] = field(default_factory=set, repr=False)  # venues that refused an order of it
    _stopping: bool = field(default=False, repr=False)
    _waits_until: int = field(default=-1, repr=False)
    _router: Router | None = field(default=None, repr=False)

    @property
    def live(self) -> bool:
        """Whether it may still trade."""
        return not self.state.terminal

    @property
    def open(self) -> int:
        """Lots that are at the venues, or on their way there."""
        return sum(child.leaves for child in self._open.values())

    @property
    def leaves(self) -> int:
        """Lots that it still wants; 0 when it is over."""
        return self.quantity - self.filled if self.live else 0

    @property
    def average_price(self) -> float:
        """Mean price of all fills in ticks; 0 when there are none."""
        return self.value / self.filled if self.filled else 0.0

    def cancel(self) -> None:
        """Send nothing more, and call back what rests at venues. What is on its way may still trade."""
        if self._router is not None:
            self._router.cancel(self)

    def check(self) -> None:
        """InvariantViolation when parts and whole do not agree, or more is out than is wanted."""
        shares = self.by_venue.values()
        if self.filled + self.open > self.quantity:
            raise InvariantViolation(f"{self}: {self.open} lots are out, {self.quantity - self.filled} are wanted")
        if self.filled != sum(s.filled for s in shares) or self.filled != sum(c.filled for c in self.children):
            raise InvariantViolation(f"{self}: its venues and child orders did not fill {self.filled}")
        if self.value != sum(s.value for s in shares) or self.fees != sum((s.fees for s in shares), _ZERO):
            raise InvariantViolation(f"{self}: value or fees are not those of its venues")

    def __repr__(self) -> str:
        limit = "" if self.limit is None else f" at {self.limit}"
        return (
            f"<RoutedOrder {self.side.name} {self.quantity} {self.instrument.symbol}{limit} {self.state.name} "
            f"filled {self.filled}>"
        )


@dataclass
class _Claim:
    """Lots that orders were sent for at a venue since it published what is known of it."""

    seen: Quote | None = None  # what was known when the latest order left
    lots: int = 0
    out: int = 0  # orders without a last answer
    answered: int = -1  # ns at the venue, of the last answer
    filled: int = 0  # lots, of the latest order
    silent: bool = False  # it was waited for, and nothing came


class Router:
    """Routes the orders of one session. ``done`` is told of each that is over."""

    def __init__(self, session: Session, market: Consolidation, done: Callable[[RoutedOrder], None]) -> None:
        self._session = session
        self._market = market
        self._done = done
        self._live: dict[str, list[RoutedOrder]] = {}  # by symbol
        self._parents: dict[int, RoutedOrder] = {}  # by client_order_id of the child
        self._posted: set[int] = set()
        self._claims: dict[tuple[str, Side, str], _Claim] = {}
        market.changed.append(self._on_change)
        market.reported.append(self._on_report)

    def route(
        self,
        side: Side,
        instrument: Instrument,
        quantity: int,
        *,
        limit: int | None = None,
        venues: Sequence[str] | None = None,
        style: Style = "spray",
        rest: Rest = "cancel",
        patience: int = PATIENCE,
        tag: str = "",
    ) -> RoutedOrder:
        """Begin a routed order; see ``Agent.route``."""
        own = self._session.venues(instrument)
        chosen = own if venues is None else tuple(venues)
        _check_terms(self._session.name, instrument, quantity, limit, chosen, own, style, rest, patience)
        parent = RoutedOrder(
            instrument, side, quantity, limit, chosen, style, rest, patience, tag, self._session.clock.now
        )
        parent._router = self
        self._live.setdefault(instrument.symbol, []).append(parent)
        self._go_on(parent)
        return parent

    def cancel(self, parent: RoutedOrder) -> None:
        """Send nothing more of it and call back what rests."""
        if not parent.live or parent._stopping:
            return
        parent._stopping = True
        for child in list(parent._open.values()):
            if not child.reference:
                self._forget(parent, child)
                child.state, child.leaves = OrderState.CANCELED, 0
            elif child.client_order_id in self._posted and child.state is not OrderState.PENDING_CANCEL:
                self._session.broker.cancel(child)
        self._go_on(parent)

    # --- what happens ---

    def _on_change(self, view: View) -> None:
        for parent in list(self._live.get(view.instrument.symbol, ())):
            self._go_on(parent)

    def _on_report(self, report: Report, child: Order) -> None:
        parent = self._parents.get(child.client_order_id)
        if parent is None:
            return
        if report.kind is _TRADE:
            self._book(parent, child, report)
        if child.live:
            if parent.state is OrderState.PENDING_NEW:
                parent.state = OrderState.ACCEPTED
            return
        rejected, posted = report.kind is _REJECTED, child.client_order_id in self._posted
        if rejected:
            parent.by_venue[child.venue].rejected += 1
            parent._shut.add(child.venue)
        elif posted and child.state is not OrderState.FILLED:
            parent._stopping = True  # somebody called it back, or its session is over
        if not posted:
            self._settle(parent, child, report.time, rejected)
        self._forget(parent, child)
        self._go_on(parent)

    def _settle(self, parent: RoutedOrder, child: Order, time: int, rejected: bool) -> None:
        """An order that took what a venue showed has its last answer."""
        claim = self._claim(parent, child.venue)
        claim.out -= 1
        claim.answered, claim.filled = max(claim.answered, time), child.filled
        if rejected:
            claim.lots -= child.quantity

    def _book(self, parent: RoutedOrder, child: Order, report: Report) -> None:
        fee = self._session.fee(parent.instrument, child.venue, report.price, report.quantity, report.maker)
        share = parent.by_venue[child.venue]
        lots, value = report.quantity, report.quantity * report.price
        share.filled += lots
        share.value += value
        share.fees += fee
        parent.filled += lots
        parent.value += value
        parent.fees += fee
        if parent.live:
            parent.state = OrderState.PARTIALLY_FILLED

    def _forget(self, parent: RoutedOrder, child: Order) -> None:
        parent._open.pop(child.client_order_id, None)
        self._parents.pop(child.client_order_id, None)
        self._posted.discard(child.client_order_id)

    # --- what to do next ---

    def _go_on(self, parent: RoutedOrder) -> None:
        """Send what can be sent now; else wait for answers or quotes; else deal with the rest."""
        wanted = parent.quantity - parent.filled - parent.open
        if not parent.live:
            return
        if not wanted or parent._stopping:
            if not parent._open:
                self._finish(parent)
            return
        if parent.style == "sequential" and parent._open:
            return
        slices = self._slices(parent, wanted) if parent.rounds < _MOST_ROUNDS else []
        if slices:
            parent._waits_until = -1
            self._send(parent, slices[:1] if parent.style == "sequential" else slices)
        elif not parent._open and not (self._awaits_quotes(parent) and self._wait(parent)):
            self._leave(parent)

    def _slices(self, parent: RoutedOrder, wanted: int) -> list[Slice]:
        view = self._market.views[parent.instrument.symbol]
        side, limit = parent.side, parent.limit
        offers = [
            offer
            for venue in parent.venues
            if venue not in parent._shut
            for offer in self._unclaimed(parent, view, venue)
            if limit is None or side * offer.price <= side * limit
        ]
        instrument = parent.instrument
        unit = instrument.tick_size * instrument.lot_size

        def cost(offer: Offer) -> Decimal:
            """Ticks a lot, fee included; of a sale what is given up."""
            lots = min(offer.quantity, wanted)
            fee = self._session.fee(instrument, offer.venue, offer.price, lots, False)
            return side * offer.price + fee / (unit * lots)

        return split(wanted, offers, cost, view.delay)

    def _unclaimed(self, parent: RoutedOrder, view: View, venue: str) -> list[Offer]:
        """What a venue shows, less what orders were sent for since it was published."""
        offers = view.offers_of(venue, parent.side.opposite)
        key = (parent.instrument.symbol, parent.side, venue)
        claim = self._claims.get(key)
        if claim is None:
            return offers
        quote = view.quotes.get(venue)
        if not claim.out and quote is not None and quote is not claim.seen and quote.time >= claim.answered:
            del self._claims[key]
            return offers
        if claim.silent:
            return []
        taken, left = claim.lots, []
        for offer in offers:
            gone = min(taken, offer.quantity)
            taken -= gone
            if offer.quantity > gone:
                left.append(offer._replace(quantity=offer.quantity - gone))
        return left

    def _claim(self, parent: RoutedOrder, venue: str) -> _Claim:
        return self._claims.setdefault((parent.instrument.symbol, parent.side, venue), _Claim())

    def _send(self, parent: RoutedOrder, slices: Sequence[Slice]) -> None:
        """One immediate-or-cancel order a slice; all at once, or so that all arrive at once."""
        parent.rounds += 1
        view = self._market.views[parent.instrument.symbol]
        farthest = max(view.delay(part.venue) for part in slices)
        made = [self._child(parent, part, TimeInForce.IOC) for part in slices]
        for child in made:
            claim = self._claim(parent, child.venue)
            claim.seen = view.quotes.get(child.venue)
            claim.lots += child.quantity
            claim.out += 1
        for child in made:
            ahead = farthest - view.delay(child.venue) if parent.style == "together" else 0
            if ahead:
                self._session.clock.call_at(self._session.clock.now + ahead, self._submit, parent, child)
            else:
                self._submit(parent, child)

    def _child(self, parent: RoutedOrder, part: Slice, time_in_force: TimeInForce) -> Order:
        session = self._session
        child = Order(
            session.next_client_order_id(),
            parent.instrument,
            part.venue,
            parent.side,
            OrderType.LIMIT,
            part.quantity,
            part.price,
            0,
            time_in_force,
            OrderFlag.NONE,
            0,
            parent.tag,
        )
        parent.children.append(child)
        parent._open[child.client_order_id] = child
        self._parents[child.client_order_id] = parent
        return child

    def _submit(self, parent: RoutedOrder, child: Order) -> None:
        if not child.live:
            claim = self._claim(parent, child.venue)  # called back before it left
            claim.out -= 1
            claim.lots -= child.quantity
            return
        share = parent.by_venue.setdefault(child.venue, VenueShare())
        share.orders += 1
        share.sent += child.quantity
        self._session.broker.submit(child)

    # --- waiting, and the rest ---

    def _awaits_quotes(self, parent: RoutedOrder) -> bool:
        """Whether a venue was never heard of, or has not told yet what is left where something was sent."""
        view = self._market.views[parent.instrument.symbol]
        for venue in parent.venues:
            claim = self._claims.get((parent.instrument.symbol, parent.side, venue))
            if venue not in parent._shut and (venue not in view.quotes or (claim is not None and not claim.silent)):
                return True
        return False

    def _wait(self, parent: RoutedOrder) -> bool:
        """Wait for quotes a while; False when that while is over."""
        now = self._session.clock.now
        if parent._waits_until < 0:
            parent._waits_until = now + parent.patience
            self._session.clock.call_at(parent._waits_until, self._waited, parent, parent._waits_until)
        return now < parent._waits_until

    def _waited(self, parent: RoutedOrder, until: int) -> None:
        """Nothing came: what a venue shows stands where something was filled, and else is not to be trusted."""
        if not parent.live or parent._waits_until != until:
            return
        for venue in parent.venues:
            key = (parent.instrument.symbol, parent.side, venue)
            claim = self._claims.get(key)
            if claim is None or claim.out:
                continue
            if claim.filled or not claim.lots:
                del self._claims[key]
            else:
                claim.silent = True
        self._go_on(parent)

    def _leave(self, parent: RoutedOrder) -> None:
        """Nothing that is known can be had: the rest waits, rests at a venue, or is given up."""
        venues = [venue for venue in parent.venues if venue not in parent._shut]
        if parent.rest == "wait" and venues and parent.rounds < _MOST_ROUNDS:
            parent._waits_until = -1
        elif parent.rest == "post" and venues and parent.limit is not None:
            self._post(parent, min(venues, key=lambda venue: self._maker_fee(parent, venue)))
        else:
            self._finish(parent)

    def _post(self, parent: RoutedOrder, venue: str) -> None:
        limit = 0 if parent.limit is None else parent.limit
        lots = parent.quantity - parent.filled
        child = self._child(parent, Slice(venue, limit, lots), TimeInForce.GTC)
        self._posted.add(child.client_order_id)
        self._submit(parent, child)

    def _maker_fee(self, parent: RoutedOrder, venue: str) -> Decimal:
        limit = 0 if parent.limit is None else parent.limit
        return self._session.fee(parent.instrument, venue, limit, parent.quantity - parent.filled, True)

    def _finish(self, parent: RoutedOrder) -> None:
        if parent.filled == parent.quantity:
            parent.state = OrderState.FILLED
        elif parent.children and all(child.state is OrderState.REJECTED for child in parent.children):
            parent.state = OrderState.REJECTED
        else:
            parent.state = OrderState.CANCELED
        parent.ended = self._session.clock.now
        live = self._live[parent.instrument.symbol]
        live.remove(parent)
        self._done(parent)


def _check_terms(
    name: str,
    instrument: Instrument,
    quantity: int,
    limit: int | None,
    venues: Sequence[str],
    own: Sequence[str],
    style: str,
    rest: str,
    patience: int,
) -> None:
    if quantity < 1:
        raise InvalidValueError(f"route(): quantity {quantity} must be at least 1 lot")
    for venue in venues:
        if venue not in own:
            raise InvalidValueError(
                f"route(): {name} cannot trade {instrument.symbol} on {venue!r}; it may trade it on {', '.join(own)}"
            )
    if not venues:
        raise InvalidValueError("route(): venues is empty; name at least one, or leave it out for all")
    for value, what, choices in ((style, "style", STYLES), (rest, "rest", RESTS)):
        if value not in choices:
            raise InvalidValueError(
                f"route(): {what} {value!r} is not one of the choices{did_you_mean(value, choices)}"
            )
    if rest == "post" and limit is None:
        raise InvalidValueError('route(): rest="post" needs a limit, the price at which the rest is posted')
    if patience < 1:
        raise InvalidValueError(f"route(): patience {patience} ns must be above zero")
