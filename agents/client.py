"""A client: the seat of somebody outside of the simulation, such as a trading bot behind the gateway.

It decides nothing. It takes commands (place, place a pair, cancel, amend, cancel all), refuses what the participant
cannot pay for, sends the rest to the venue as any agent would, over its own link and with its own fees and limits, and
keeps what the participant may ask for later: orders, fills and balances. A command is plain numbers and text, so that
it can be written into a journal and given again. It knows no dialect and no network.

Balances are those of a spot account: an amount of each asset, of which open orders lock a part. Selling what is not
there is refused, unless ``short`` allows it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Report
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order, Special

_ZERO = Decimal(0)
_VERBS = ("place", "pair", "cancel", "amend", "cancel_all", "stop", "resume")
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
    budget: str = ""  # quote currency that was asked to be spent or received, as decimal text; to be remembered


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


class Pair:
    """Two orders of which one cancels as much as the other trades. ``number`` counts up from 1 for this client."""

    __slots__ = ("created", "first", "name", "number", "restated", "second")

    def __init__(self, number: int, name: str, created: int) -> None:
        self.number = number
        self.name = name
        self.created = created
        self.restated = ""  # the name of the request that ended it
        self.first: Record
        self.second: Record

    @property
    def records(self) -> tuple[Record, Record]:
        """Both, the one that was sent first in front."""
        return self.first, self.second

    @property
    def live(self) -> bool:
        """Whether one of them may still trade."""
        return self.first.live or self.second.live

    @property
    def updated(self) -> int:
        """ns, when something last happened to one of them."""
        return max(self.first.updated, self.second.updated)

    def other(self, record: Record) -> Record:
        """The partner of one of them."""
        return self.second if record is self.first else self.first


class Record:
    """An order with all that its participant may ask for about it."""

    __slots__ = (
        "asset", "created", "fees", "fills", "locked", "name", "order", "pair", "place", "renamed", "restated", "terms",
        "triggered", "updated",
    )  # fmt: skip

    def __init__(self, order: Order, terms: Terms, place: Place, now: int) -> None:
        self.order = order
        self.terms = terms
        self.place = place
        self.name = terms.name
        self.created = self.updated = now
        self.triggered = terms.kind not in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
        self.renamed = ""  # the name that an amendment under way gives it
        self.restated = ""  # the name of the latest request that changed or ended it
        self.asset, self.locked = "", _ZERO
        self.fees = _ZERO
        self.fills: list[Fill] = []
        self.pair: Pair | None = None

    @property
    def partner(self) -> Record | None:
        """The other order of its pair."""
        return None if self.pair is None else self.pair.other(self)

    @property
    def number(self) -> int:
        """The venue's number of the order."""
        return self.order.reference

    @property
    def live(self) -> bool:
        """Whether it may still trade."""
        return self.order.live


Heard = Callable[["Client", Record, Report], None]


@dataclass
class Client(Agent):
    """A seat for a trading client from outside, with a spot account.

    holdings: units of each base asset at the start, such as ``{ABC: 1000}``; of one that is not named, as much as the
    agent's cash buys at the reference price. The agent's ``cash`` is what it holds of the quote currency.
    short: may sell more than it holds.
    cancel_on_disconnect: ns of wall time, or text such as "5s", after which its orders are canceled when its user
    stream is gone; what the server says for all when left out.
    """

    holdings: Mapping[str, Decimal] = field(
        default_factory=dict, metadata={"help": "units of each base asset at the start; what its cash buys if left out"}
    )
    short: bool = field(default=False, metadata={"help": "whether it may sell more than it holds"})
    cancel_on_disconnect: int | str | None = field(
        default=None,
        metadata={"unit": "duration", "help": "wall time without a user stream after which its orders are canceled"},
    )

    def __post_init__(self) -> None:
        if self.cancel_on_disconnect is not None:
            self.cancel_on_disconnect = duration(self.cancel_on_disconnect)
            if self.cancel_on_disconnect < 0:
                raise InvalidValueError(f"cancel_on_disconnect: {self.cancel_on_disconnect} ns must be 0 or more")
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
        self._pairs: dict[int, Pair] = {}
        self._pairs_by_name: dict[str, Pair] = {}  # the latest of each name
        self._paired = 0
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

    def pair(self, number: int) -> Pair | None:
        """The pair with a number."""
        return self._pairs.get(number)

    def pair_by_name(self, name: str) -> Pair | None:
        """The latest pair with a name of the participant's."""
        return self._pairs_by_name.get(name)

    def pairs(self) -> Iterator[Pair]:
        """All pairs that are remembered and that the venue has taken, oldest first."""
        return (pair for pair in self._pairs.values() if pair.first.order.order_id)

    # --- commands ---

    def carry_out(self, verb: str, arguments: list[Any]) -> Record | Refusal:
        """A command as a journal knows it."""
        if verb == "place":
            return self.place(Terms(*arguments))
        if verb == "pair":
            first, second, *name = arguments
            return self.place_pair(Terms(*first), Terms(*second), *name)
        if verb == "cancel":
            return self.cancel_order(*arguments)
        if verb == "amend":
            return self.amend(*arguments)
        if verb == "cancel_all":
            self.cancel_market(*arguments)
            return Refusal.UNKNOWN
        if verb == "stop":
            self.emergency_stop(flatten=bool(arguments[0]), text="by the control")
            return Refusal.UNKNOWN
        if verb == "resume":
            self.resume_trading("by the control")
            return Refusal.UNKNOWN
        raise InvalidValueError(f"no command {verb!r}{did_you_mean(verb, _VERBS)}")

    def place(self, terms: Terms) -> Record | Refusal:
        """Send an order; what becomes of it is heard later."""
        if self._taken(terms.name):
            return Refusal.DUPLICATE
        asset, needed = self._needs(terms)
        if needed > 0 and needed > self.balance(asset).free:
            return Refusal.FUNDS
        record = self._record(terms)
        self._lock(record, asset, needed)
        self._submit(record)
        return record

    def place_pair(self, first: Terms, second: Terms, name: str = "") -> Record | Refusal:
        """Send two orders of one side and market, each of which cancels as much as the other trades.

        They share what they lock. Answers the first; its ``pair`` leads to the other. Where the client's own limits
        refuse one, neither stays. ``name``: of the pair.
        """
        if (first.market, first.side) != (second.market, second.side):
            raise InvalidValueError("a pair is two orders of one side and one market")
        alike = bool(first.name) and first.name == second.name
        if alike or self._taken(first.name) or self._taken(second.name) or self._names_pair(name):
            return Refusal.DUPLICATE
        (asset, needed), (_, other) = self._needs(first), self._needs(second)
        if max(needed, other) > max(_ZERO, self.balance(asset).free):
            return Refusal.FUNDS
        self._paired += 1
        pair = Pair(self._paired, name, self.now)
        pair.first = record = self._record(first)
        self._lock(record, asset, max(needed, other))
        self._submit(record)
        if not record.order.reference:
            return record
        pair.second = partner = self._record(second, record)
        self._lock(partner, asset, _ZERO)
        self._submit(partner)
        if not partner.order.reference:
            self._session.broker.cancel(record.order)
            return partner
        record.pair = partner.pair = self._pairs[pair.number] = pair
        if name:
            self._pairs_by_name[name] = pair
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
        """Ask for a smaller quantity of an order, which keeps its place. ``quantity``: the new total, in lots.

        ``name``: of the order from then on; the one that it has when left out.
        """
        record = self._by_number.get(number)
        if record is None or not record.live:
            return Refusal.UNKNOWN
        order = record.order
        if not order.filled < quantity < order.quantity:
            return Refusal.SIZE
        if name and name != record.name and self._taken(name):
            return Refusal.DUPLICATE
        record.restated = record.renamed = name
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
        elif kind is EventKind.REPLACED and record.renamed:
            self._rename(record)
        self._adjust(record)
        if self._heard is not None:
            self._heard(self, record, report)
        if not record.live:
            self._forget(record)

    def _rename(self, record: Record) -> None:
        if self._by_name.get(record.name) is record:
            del self._by_name[record.name]
        record.name, record.renamed = record.renamed, ""
        self._by_name[record.name] = record

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
            if oldest.pair is not None:
                self._forget_pair(oldest.pair)
            if self._by_name.get(oldest.name) is oldest:
                del self._by_name[oldest.name]

    def _forget_pair(self, pair: Pair) -> None:
        self._pairs.pop(pair.number, None)
        if self._pairs_by_name.get(pair.name) is pair:
            del self._pairs_by_name[pair.name]

    # --- inner ---

    def _taken(self, name: str) -> bool:
        """Whether an open order has this name."""
        earlier = self._by_name.get(name) if name else None
        return earlier is not None and earlier.live

    def _names_pair(self, name: str) -> bool:
        earlier = self._pairs_by_name.get(name) if name else None
        return earlier is not None and earlier.live

    def _record(self, terms: Terms, partner: Record | None = None) -> Record:
        place = self._markets[terms.market]
        special = Special(terms.display, partner=None if partner is None else partner.order)
        order = Order(
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
        return Record(order, terms, place, self.now)

    def _submit(self, record: Record) -> None:
        order = record.order
        self._records[order.client_order_id] = record
        if record.name:
            self._by_name[record.name] = record
        self._session.broker.submit(order)
        if order.reference:
            self._by_number[order.reference] = record

    def _needs(self, terms: Terms) -> tuple[str, Decimal]:
        """What an order locks: the base asset of a sale, else its worth and the dearer of the fees."""
        place = self._markets[terms.market]
        instrument = place.instrument
        units = terms.quantity * instrument.lot_size
        if terms.side < 0:
            return place.base, _ZERO if self.short else units
        if terms.worth:
            worth = Decimal(terms.worth)
            mean = (worth / (units * instrument.tick_size)).to_integral_value(ROUND_CEILING)
            return place.quote, worth + self._dearest(place, int(mean), terms.quantity)
        price = terms.price or terms.stop
        return place.quote, units * price * instrument.tick_size + self._dearest(place, price, terms.quantity)

    def _dearest(self, place: Place, price: int, lots: int) -> Decimal:
        fees = (self._session.fee(place.instrument, place.venue, price, lots, maker) for maker in (False, True))
        return max(_ZERO, *fees)

    def _adjust(self, record: Record) -> None:
        """What an order locks follows what of it is open; of a pair the first locks for both."""
        pair = record.pair
        if pair is not None and record.order.state is OrderState.REJECTED:
            record.pair = pair.other(record).pair = None  # the other stands alone
            self._forget_pair(pair)
            self._adjust(pair.other(record))
        elif pair is not None:
            record = pair.first
        if not record.locked:
            return
        asset, whole = self._needs(record.terms)
        if pair is not None and record.pair is pair:
            whole = max(whole, self._needs(pair.second.terms)[1])
        self._lock(record, asset, whole * _open_lots(record) / record.terms.quantity)

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


def _open_lots(record: Record) -> int:
    """Lots that may still trade; of a pair those that both have, as one loses what the other trades."""
    lots = record.order.leaves if record.live else 0
    partner = record.partner
    if partner is None:
        return lots
    return min(lots, partner.order.leaves if partner.live else 0)


def assets_of(instrument: Instrument) -> tuple[str, str]:
    """Base and quote asset: of a symbol that ends in its currency, such as BTCUSD, the base is what stands before."""
    quote = instrument.currency
    symbol = instrument.symbol
    base = symbol.removesuffix(quote).rstrip("-/_") if symbol != quote else symbol
    return base or symbol, quote
