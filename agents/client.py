"""A client: the seat of somebody outside of the simulation, such as a trading bot behind the gateway.

It decides nothing. It takes commands (place, cancel, amend, cancel all), refuses what the participant cannot pay for,
sends the rest to the venue as any agent would, over its own link and with its own fees and limits, and keeps what the
participant may ask for later: orders, fills and balances. A command is plain numbers and text, so that it can be
written into a journal and given again. It knows no dialect and no network.

Balances are those of a spot account: an amount of each asset, of which open orders lock a part. Selling what is not
there is refused, unless ``short`` allows it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderFlag, OrderType, Reason, Side, TimeInForce
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order, Special

_ZERO = Decimal(0)
_KEPT = 100_000  # orders that are over, and fills, that can still be asked for
_UPDATES = (
    EventKind.ACCEPTED, EventKind.TRADE, EventKind.CANCELED, EventKind.EXPIRED, EventKind.REPLACED,
    EventKind.REJECTED, EventKind.TRIGGERED,
)  # fmt: skip


class Refusal(StrEnum):
    """Why a command never left."""

    FUNDS = "funds"  # more than the account holds
    DUPLICATE = "duplicate"  # an open order has this name
    UNKNOWN = "unknown"  # no such open order
    SIZE = "size"  # an amendment that is no smaller than before, or no larger than what is filled


class Terms(NamedTuple):
    """What a new order says, as numbers and text. Prices in ticks, quantities in lots."""

    market: int  # place in ``Client.markets``
    side: int
    kind: int  # OrderType
    quantity: int
    price: int = 0
    stop: int = 0
    time_in_force: int = int(TimeInForce.GTC)
    flags: int = 0
    display: int = 0  # of an iceberg
    name: str = ""  # the participant's own, unique among its open orders
    label: str = ""  # whatever the gateway wants to remember: the order's type in its dialect
    worth: str = ""  # currency to lock for a market order to buy, as decimal text
    partner: int = 0  # reference of the order that this one cancels when it trades


class Fill(NamedTuple):
    """One fill. ``number`` counts up from 1 for this client."""

    number: int
    time: int  # ns, when the venue did it
    record: Record
    price: int
    quantity: int
    fee: Decimal
    maker: bool


class Balance(NamedTuple):
    """What an account holds of an asset."""

    free: Decimal
    locked: Decimal


class Place(NamedTuple):
    """A market on which a client trades, and the names of what is exchanged there."""

    venue: str
    instrument: Instrument
    base: str
    quote: str


class Record:
    """An order with all that its participant may ask for about it."""

    __slots__ = (
        "asset", "created", "fees", "fills", "locked", "name", "order", "partner", "place", "restated", "terms",
        "triggered", "updated",
    )  # fmt: skip

    def __init__(self, order: Order, terms: Terms, place: Place, now: int) -> None:
        self.order = order
        self.terms = terms
        self.place = place
        self.name = terms.name
        self.created = self.updated = now
        self.triggered = terms.kind not in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
        self.restated = ""  # the name of the latest request that changed or ended it
        self.asset, self.locked = "", _ZERO
        self.fees = _ZERO
        self.fills: list[Fill] = []
        self.partner: Record | None = None

    @property
    def number(self) -> int:
        """The venue's number of the order."""
        return self.order.reference

    @property
    def live(self) -> bool:
        return self.order.live


Heard = Callable[["Client", Record, Report], None]


@dataclass
class Client(Agent):
    """A seat for a trading client from outside, with a spot account.

    holdings: units of each base asset at the start, such as ``{ABC: 1000}``; of one that is not named, as much as the
    agent's cash buys at the reference price. The agent's ``cash`` is what it holds of the quote currency.
    short: may sell more than it holds.
    """

    holdings: Mapping[str, Decimal] = field(default_factory=dict)
    short: bool = False

    def __post_init__(self) -> None:
        self.holdings = {name: Decimal(str(units)) for name, units in self.holdings.items()}
        for name, units in self.holdings.items():
            if not units.is_finite() or units < 0:
                raise InvalidValueError(f"holdings.{name}: {units} must be zero or more units")
        self._heard: Heard | None = None
        self._markets: tuple[Place, ...] = ()
        self._records: dict[int, Record] = {}  # by the participant's number of the order
        self._by_name: dict[str, Record] = {}  # the latest of each name
        self._by_number: dict[int, Record] = {}  # by the venue's number
        self._over: deque[Record] = deque()
        self._fills: deque[Fill] = deque(maxlen=_KEPT)
        self._filled = 0
        self._initial: dict[str, Decimal] = {}
        self._locked: dict[str, Decimal] = {}

    def on_start(self) -> None:
        """Open the account."""
        session = self._session
        self._markets = tuple(
            Place(venue, instrument, *assets_of(instrument))
            for instrument in session.instruments
            for venue in session.venues(instrument)
        )
        bases = {place.base: place.instrument for place in self._markets}
        for name in self.holdings:
            if name not in bases:
                raise InvalidValueError(f"holdings.{name}: nothing of it is traded{did_you_mean(name, bases)}")
        cash = session.portfolio.initial_cash
        for base, instrument in bases.items():
            given = self.holdings.get(base)
            if given is None:
                price = instrument.reference_price
                given = instrument.round_quantity(cash / price) if price > 0 else _ZERO
            self._initial[base] = given

    # --- what a gateway sees ---

    @property
    def markets(self) -> tuple[Place, ...]:
        """Where it trades, in an order that the scenario decides."""
        return self._markets

    def hear(self, heard: Heard | None) -> None:
        """From now on somebody is told of each report about an order, after it was taken in."""
        self._heard = heard

    def balances(self) -> dict[str, Balance]:
        """Free and locked amounts by asset."""
        return {asset: self.balance(asset) for asset in self._assets()}

    def balance(self, asset: str) -> Balance:
        """Free and locked amount of an asset."""
        locked = self._locked.get(asset, _ZERO)
        return Balance(self._total(asset) - locked, locked)

    def by_number(self, number: int) -> Record | None:
        """The order with a number of the venue's."""
        return self._by_number.get(number)

    def by_name(self, name: str) -> Record | None:
        """The latest order with a name of the participant's."""
        return self._by_name.get(name)

    def records(self) -> Iterator[Record]:
        """All orders that are remembered and that the venue has taken, oldest first."""
        return (record for record in self._by_number.values() if record.order.order_id)

    def live(self) -> Iterator[Record]:
        """Orders that the venue has taken and that may still trade, oldest first."""
        for order in self._session.broker.open_orders():
            record = self._records.get(order.client_order_id)
            if record is not None and order.order_id:
                yield record

    def fills(self) -> Iterator[Fill]:
        """All fills that are remembered, oldest first."""
        return iter(self._fills)

    # --- commands ---

    def execute(self, verb: str, arguments: list[Any]) -> Record | Refusal:
        """Carry out a command as a journal knows it."""
        if verb == "place":
            return self.place(Terms(*arguments))
        if verb == "cancel":
            return self.cancel_order(*arguments)
        if verb == "amend":
            return self.amend(*arguments)
        if verb == "cancel_all":
            self.cancel_market(*arguments)
            return Refusal.UNKNOWN
        raise InvalidValueError(f"no command {verb!r}{did_you_mean(verb, ('place', 'cancel', 'amend', 'cancel_all'))}")

    def place(self, terms: Terms) -> Record | Refusal:
        """Send an order; what becomes of it is heard later."""
        place = self._markets[terms.market]
        earlier = self._by_name.get(terms.name) if terms.name else None
        if earlier is not None and earlier.live:
            return Refusal.DUPLICATE
        asset, needed = self._needs(terms, place)
        partner = self._by_number.get(terms.partner) if terms.partner else None
        shared = partner.locked if partner is not None and partner.asset == asset else _ZERO
        if needed > 0 and needed - shared > self.balance(asset).free:
            return Refusal.FUNDS
        order = self._order(terms, place, partner)
        record = Record(order, terms, place, self.now)
        if partner is not None:
            record.partner, partner.partner = partner, record
            needed = max(_ZERO, needed - shared)
        self._lock(record, asset, needed)
        self._records[order.client_order_id] = record
        if terms.name:
            self._by_name[terms.name] = record
        self._session.broker.submit(order)
        if order.reference:
            self._by_number[order.reference] = record
        return record

    def cancel_order(self, number: int, name: str = "") -> Record | Refusal:
        """Ask for the cancel of an order. ``name``: of this request."""
        record = self._by_number.get(number)
        if record is None or not record.live:
            return Refusal.UNKNOWN
        record.restated = name
        self._session.broker.cancel(record.order)
        return record

    def amend(self, number: int, quantity: int, name: str = "") -> Record | Refusal:
        """Ask for a smaller quantity of an order, which keeps its place. ``quantity``: the new total, in lots."""
        record = self._by_number.get(number)
        if record is None or not record.live:
            return Refusal.UNKNOWN
        order = record.order
        if not order.filled < quantity < order.quantity:
            return Refusal.SIZE
        record.restated = name
        self._session.broker.replace(order, order.price, quantity, order.stop_price)
        return record

    def cancel_market(self, market: int | None = None) -> None:
        """Ask for the cancel of everything on a market, or on all of them."""
        if not any(record.live for record in self._records.values()):
            return
        for number, place in enumerate(self._markets):
            if market is None or number == market:
                self._session.broker.cancel_everything(place.instrument, place.venue)

    # --- reports ---

    def on_report(self, report: Report, order: Order | None) -> None:
        """Take in what the venue says, and pass it on."""
        record = self._records.get(order.client_order_id) if order is not None else None
        if record is None:
            return
        kind = report.kind
        if kind in _UPDATES:
            record.updated = report.time
        if kind is EventKind.TRADE:
            self._take_fill(record, report)
        elif kind is EventKind.TRIGGERED:
            record.triggered = True
        self._adjust(record)
        if self._heard is not None:
            self._heard(self, record, report)
        if not record.live:
            self._forget(record)

    def _take_fill(self, record: Record, report: Report) -> None:
        latest = self._session.portfolio.history[-1]
        self._filled += 1
        fill = Fill(self._filled, report.time, record, report.price, report.quantity, latest.fee, report.maker)
        record.fees += latest.fee
        record.fills.append(fill)
        self._fills.append(fill)

    def _forget(self, record: Record) -> None:
        """Orders that are over are kept as long as there is room."""
        if self._records.pop(record.order.client_order_id, None) is None:
            return
        if record.order.reason is Reason.RISK or not record.order.order_id:
            self._by_number.pop(record.number, None)
            if self._by_name.get(record.name) is record:
                del self._by_name[record.name]
            return
        self._over.append(record)
        if len(self._over) > _KEPT:
            oldest = self._over.popleft()
            self._by_number.pop(oldest.number, None)
            if self._by_name.get(oldest.name) is oldest:
                del self._by_name[oldest.name]

    # --- inner ---

    def _order(self, terms: Terms, place: Place, partner: Record | None) -> Order:
        special = Special(terms.display, partner=None if partner is None else partner.order)
        return Order(
            self._session.next_client_order_id(),
            place.instrument,
            place.venue,
            Side(terms.side),
            OrderType(terms.kind),
            terms.quantity,
            terms.price,
            terms.stop,
            TimeInForce(terms.time_in_force),
            OrderFlag(terms.flags),
            special=special if special != Special() else None,
        )

    def _needs(self, terms: Terms, place: Place) -> tuple[str, Decimal]:
        """What an order locks: the base asset of a sale, else its worth and the dearer of the fees."""
        instrument = place.instrument
        units = terms.quantity * instrument.lot_size
        if terms.side < 0:
            return place.base, _ZERO if self.short else units
        if terms.worth:
            return place.quote, Decimal(terms.worth)
        price = terms.price or terms.stop
        return place.quote, units * price * instrument.tick_size + self._dearest(place, price, terms.quantity)

    def _dearest(self, place: Place, price: int, lots: int) -> Decimal:
        fees = (self._session.fee(place.instrument, place.venue, price, lots, maker) for maker in (False, True))
        return max(_ZERO, *fees)

    def _adjust(self, record: Record) -> None:
        """What an order locks follows what of it is open."""
        if not record.locked:
            return
        order = record.order
        if not order.live:
            self._lock(record, record.asset, _ZERO)
            partner = record.partner
            if partner is not None and partner.live and not partner.locked:
                asset, needed = self._needs(partner.terms, partner.place)
                self._lock(partner, asset, needed)
        elif order.leaves != order.quantity:
            asset, whole = self._needs(record.terms, record.place)
            self._lock(record, asset, whole * order.leaves / record.terms.quantity)

    def _lock(self, record: Record, asset: str, amount: Decimal) -> None:
        self._locked[asset] = self._locked.get(asset, _ZERO) - record.locked + amount
        record.asset, record.locked = asset, amount

    def _assets(self) -> list[str]:
        named = (asset for place in self._markets for asset in (place.base, place.quote))
        return list(dict.fromkeys(named))

    def _total(self, asset: str) -> Decimal:
        portfolio = self._session.portfolio
        total = portfolio.cash.get(asset, _ZERO) + self._initial.get(asset, _ZERO)
        for place in {place.instrument.symbol: place for place in self._markets}.values():
            if place.base == asset:
                total += portfolio.lots.get(place.instrument.symbol, 0) * place.instrument.lot_size
        return total


def assets_of(instrument: Instrument) -> tuple[str, str]:
    """Base and quote asset: of a symbol that ends in its currency, such as BTCUSD, the base is what stands before."""
    quote = instrument.currency
    symbol = instrument.symbol
    base = symbol.removesuffix(quote).rstrip("-/_") if symbol != quote else symbol
    return base or symbol, quote
