"""An order book that can be used alone: orders in, fills and the book out, in currency and units.

One instrument on the real matching core, without kernel, network or agents. Prices and quantities are given as text,
ints, decimals or floats on the instrument's grid and come back as floats. It decides nothing itself: matching does
(docs/matching-rules.md). Words that contradict each other are errors; what the market refuses is an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypedDict, Unpack

import numpy as np

from marketsim.domain.event import EventKind
from marketsim.domain.instruction import Peg, PostOnly, flags_of, prices_of, type_of, usual_time
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, SelfTrade, Side, TimeInForce
from marketsim.domain.phase import BandAction, Phase
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.exchange.answers import (
    AuctionView,
    BookBracket,
    BookFill,
    BookTrade,
    Cost,
    Level,
    RestingOrder,
    Result,
)
from marketsim.exchange.contradiction import contradiction
from marketsim.exchange.core import MatchingCore

_ENDS = {
    EventKind.REJECTED: OrderState.REJECTED,
    EventKind.CANCELED: OrderState.CANCELED,
    EventKind.EXPIRED: OrderState.EXPIRED,
}
_REFUSALS = (EventKind.REJECTED, EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED)
_PEGS = (OrderType.PRIMARY_PEG, OrderType.MARKET_PEG, OrderType.MID_PEG)


class Terms(TypedDict, total=False):
    """What may be said of an order beside its side, price and quantity; see ``OrderBook.order``."""

    time_in_force: TimeInForce | str | None
    post_only: PostOnly
    expire: int
    display: object
    hidden: bool
    minimum: object
    remember: bool
    parent: Result | int | None
    partner: Result | int | None
    owner: int
    time: int | None


class OrderBook:
    """A limit order book of one instrument, in price-time priority unless ``set_allocation`` says otherwise.

    instrument: an Instrument, or a symbol with tick size 0.01 and lot size 1. Its reference price counts as the last
    price before the first trade.
    """

    def __init__(self, instrument: Instrument | str = "ABC") -> None:
        self.instrument = Instrument(instrument) if isinstance(instrument, str) else instrument
        self.core = MatchingCore(1)
        self._time = 0
        self._reference = self.instrument.reference
        self.core.set_reference(0, self._reference)
        self._prices: tuple[int, int, int] | None = None  # of the first trade, the highest and the lowest, in ticks
        self._value = 0  # ticks x lots of all trades

    # --- requests ---

    def order(
        self,
        side: Side | str,
        quantity: object,
        *,
        limit: object = None,
        stop: object = None,
        time_in_force: TimeInForce | str | None = None,
        post_only: PostOnly = False,
        expire: int = 0,
        display: object = 0,
        hidden: bool = False,
        minimum: object = 0,
        trail: object = None,
        peg: Peg | None = None,
        offset: object = 0,
        to_limit: bool = False,
        remember: bool = False,
        parent: Result | int | None = None,
        partner: Result | int | None = None,
        owner: int = 0,
        time: int | None = None,
    ) -> Result:
        """Any order, in the words that agents use (docs/orders.md): a market order without ``limit``, a stop with
        ``stop``.

        Prices and distances (``limit``, ``stop``, ``trail``, ``offset``) in currency, ``quantity``, ``display`` and
        ``minimum`` in units. The default time in force is good till cancel, good till date with ``expire`` (ns), and
        immediate or cancel for market orders. ``parent`` and ``partner``: an order's id, or what it was answered with;
        ``remember`` an order whose children may come after its end. Words that contradict each other raise
        InvalidValueError; what the market refuses comes back as a rejected Result.
        """
        told_side, now = _side(side), self._time + 1 if time is None else time
        order_type = type_of(limit, stop, trail, peg, offset, to_limit)
        offset_ticks = self._ticks(offset) or 0
        price, stop_price = prices_of(
            order_type, told_side, self._ticks(limit), self._ticks(stop), self._ticks(trail), offset_ticks
        )
        if time_in_force is None:
            time_in_force = usual_time(order_type, expire, parent is not None)
        tif, flags = _time_in_force(time_in_force), flags_of(_sliding(post_only), hidden, remember)
        lots, shown, least = (self.instrument.to_lots(units) for units in (quantity, display, minimum))
        parent_id, partner_id = _number(parent), _number(partner)
        linked = parent_id != 0 or partner_id != 0
        if linked and parent_id == partner_id:
            raise InvalidValueError(
                f"parent={parent_id} and partner={partner_id}: one order cannot be both; leave one out"
            )
        found = contradiction(order_type, tif, flags, stop_price, lots, expire, now, shown, least, linked)
        if found:
            raise InvalidValueError(found)
        order_id = self.core.new(
            now, owner, 0, told_side, order_type, tif, flags, price, stop_price, lots, expire,
            0, shown, least, parent_id, partner_id,
        )  # fmt: skip
        self._time = now
        return self._result(order_id)

    def limit(self, side: Side | str, price: object, quantity: object, **terms: Unpack[Terms]) -> Result:
        """A limit order; ``terms`` as in ``order``."""
        if price is None:
            raise InvalidValueError("a limit order needs a price, not None; for any price send a market order")
        return self.order(side, quantity, limit=price, **terms)

    def market(self, side: Side | str, quantity: object, **terms: Unpack[Terms]) -> Result:
        """A market order; what finds no liquidity is canceled. In a call for an auction say GTC or AT_OPEN."""
        return self.order(side, quantity, **terms)

    def stop(
        self, side: Side | str, stop_price: object, quantity: object, *, limit: object = None, **terms: Unpack[Terms]
    ) -> Result:
        """A stop order, or with ``limit`` a stop-limit order; ``terms`` as in ``order``."""
        if stop_price is None:
            raise InvalidValueError("a stop needs a stop price, not None")
        return self.order(side, quantity, stop=stop_price, limit=limit, **terms)

    def bracket(
        self, side: Side | str, quantity: object, *, take_profit: object, stop_loss: object, **entry: Any
    ) -> BookBracket:
        """An order with its two exits: as much as it fills, so much waits at ``take_profit`` (limit) and ``stop_loss``
        (stop), and what one of them trades the other loses. ``entry``: words of the order itself, as in ``order``.
        """
        opposite, lots = _side(side).opposite, self.instrument.to_lots(quantity)
        for word, price in (("take_profit", take_profit), ("stop_loss", stop_loss)):
            if price is None or lots < 1:
                raise InvalidValueError(
                    f"quantity={quantity}, {word}={price}: a bracket needs a quantity and two prices"
                )
            self._ticks(price)  # before the entry is sent
        first = self.order(side, quantity, remember=True, **entry)
        owner = entry.get("owner", 0)
        profit = self.order(opposite, quantity, limit=take_profit, parent=first, owner=owner)
        loss = self.order(opposite, quantity, stop=stop_loss, parent=first, partner=profit, owner=owner)
        return BookBracket(first, profit, loss)

    def cancel(
        self, order: Result | int, quantity: object = None, *, owner: int = 0, time: int | None = None
    ) -> Result:
        """Cancel an order, or ``quantity`` units of it."""
        order_id, lots = _number(order), 0 if quantity is None else self.instrument.to_lots(quantity)
        self.core.cancel(self._tick(time), owner, order_id, lots)
        return self._result(order_id)

    def cancel_everything(self, *, owner: int = 0, time: int | None = None) -> list[int]:
        """Mass cancel: all that an owner has here leaves. Answers the ids of the orders that ended by it."""
        self.core.cancel_owner(self._tick(time), owner, 0, 0)
        rows = self._taken()
        ended = rows[(rows["kind"] == EventKind.CANCELED) & (rows["leaves"] == 0)]
        return [int(order_id) for order_id in ended["order_id"]]

    def replace(
        self,
        order: Result | int,
        *,
        price: object = None,
        quantity: object = None,
        stop_price: object = None,
        trail: object = None,
        offset: object = None,
        owner: int = 0,
        time: int | None = None,
    ) -> Result:
        """New terms for an order; what is not given stays. ``quantity`` is the new total, including fills.

        ``trail`` and ``offset`` are the new distance of a trailing stop or a peg; ``price`` is the cap of a peg.
        """
        order_id = _number(order)
        live = self.core.order(order_id)
        known = live or {"price": 0, "quantity": 1, "stop_price": 0, "distance": 0, "order_type": 0, "cap": 0}
        pegged, trailing = known["order_type"] in _PEGS, known["order_type"] == OrderType.TRAILING_STOP
        for word, value, right in (("trail", trail, trailing), ("offset", offset, pegged)):
            if value is not None and live is not None and not right:
                raise InvalidValueError(f"{word}={value}: order {order_id} has none; leave it out")
        if stop_price is not None and (pegged or trailing):
            way = "trail" if trailing else "offset"
            raise InvalidValueError(f"stop_price={stop_price}: order {order_id} keeps a distance; say {way}= instead")
        terms = known["distance"] if pegged or trailing else known["stop_price"]
        given = self._ticks(next((word for word in (stop_price, trail, offset) if word is not None), None))
        ticks = self._ticks(price)
        self.core.replace(
            self._tick(time),
            owner,
            order_id,
            (known["cap"] if pegged else known["price"]) if ticks is None else ticks,
            known["quantity"] if quantity is None else self.instrument.to_lots(quantity),
            terms if given is None else given,
        )
        return self._result(order_id)

    def expire(self, time: int) -> list[int]:
        """The clock reaches ``time`` (ns): each order whose expire time has come leaves. Answers their ids."""
        due = [order for order in self.core.orders(0) if 0 < order["expire"] <= time]
        for order in sorted(due, key=lambda order: (order["expire"], order["order_id"])):
            self.core.expire(self._tick(order["expire"]), order["order_id"])
            self._taken()
        self._time = max(self._time, time)
        return [order["order_id"] for order in due if self.core.order(order["order_id"]) is None]

    # --- phases and auctions ---

    @property
    def phase(self) -> Phase:
        """The phase of the market; CONTINUOUS at first."""
        return self.core.phase(0)

    def set_phase(
        self, phase: Phase | str, *, reason: Reason = Reason.SCHEDULE, time: int | None = None
    ) -> list[BookTrade]:
        """Enter a phase. An auction that ends uncrosses: its trades, and those of stops that they elect, are answered.

        What each phase takes is a table in docs/matching-rules.md.
        """
        entered = _named(Phase, phase) if isinstance(phase, str) else Phase(phase)
        if entered is self.phase:
            return []
        self.core.set_phase(self._tick(time), 0, entered, reason)
        return self._trades(self._taken())

    def uncross(self, *, time: int | None = None) -> list[BookTrade]:
        """End the auction: all that can trade does, at one price, and continuous trading begins."""
        if not self.phase.call:
            raise InvalidValueError(
                f"the phase is {self.phase.name}: only an auction uncrosses; call set_phase('opening_auction') first"
            )
        return self.set_phase(Phase.CONTINUOUS, time=time)

    def indicative(self) -> AuctionView | None:
        """What the auction would come to if it ended now; None when nothing would trade."""
        found = self.core.indicative(0)
        if found.volume == 0:
            return None
        side = Side(found.side) if found.side else None
        return AuctionView(self._price(found.price), self._quantity(found.volume), self._quantity(found.surplus), side)

    def end_session(self, *, time: int | None = None) -> list[int]:
        """Orders for the day expire, whatever the phase, which stays. Answers their ids."""
        self.core.end_session(self._tick(time), 0)
        rows = self._taken()
        return [int(order_id) for order_id in rows[rows["kind"] == EventKind.EXPIRED]["order_id"]]

    # --- rules of the market ---

    def prevent_self_trades(self, mode: SelfTrade | str = SelfTrade.CANCEL_NEWEST) -> None:
        """What becomes of orders that would trade with their own account's: a SelfTrade, or its name."""
        self.core.prevent_self_trades(0, _named(SelfTrade, mode) if isinstance(mode, str) else mode)

    def set_account(self, owner: int, account: int) -> None:
        """Orders of owners with the same account are own to each other. At first each owner has its own number."""
        self.core.set_account(owner, account)

    def set_allocation(
        self, pro_rata: bool = True, *, top: object = 0, fifo_percent: int = 0, least: object = 0
    ) -> None:
        """Whether the orders of a price share an aggressor by size.

        top: units that go to the first in time before that. fifo_percent: of the rest, what goes by time. least: units
        below which a share counts as none; what rounding leaves goes by time.
        """
        lots = self.instrument.to_lots
        self.core.set_allocation(0, pro_rata, lots(top), fifo_percent, lots(least))

    def set_bands(
        self, low: object, high: object, *, dynamic: object = None, action: BandAction | str = BandAction.REFUSE
    ) -> None:
        """No trade outside ``low`` … ``high``, nor further than ``dynamic`` from the last price, all in currency.

        action: what happens where one would be: refuse (the order is canceled), interrupt (a volatility auction), halt.
        """
        to_ticks = self.instrument.to_ticks
        first, last = to_ticks(low), to_ticks(high)
        anchor = self.core.statistics(0)["last_price"] if self._prices else self._reference
        if not first <= anchor <= last:
            raise InvalidValueError(
                f"bands {low} to {high} leave out the last price {self._price(anchor):g}: give a low at or below it "
                "and a high at or above it"
            )
        what = _named(BandAction, action) if isinstance(action, str) else action
        self.core.set_bands(0, first, last, self._ticks(dynamic) or 0, what)

    def set_reference(self, price: object) -> None:
        """What counts as the last price until something has traded, in currency."""
        self._reference = self.instrument.to_ticks(price)
        self.core.set_reference(0, self._reference)

    def clear_bands(self) -> None:
        """Trades at every price again."""
        self.core.clear_bands(0)

    # --- queries ---

    @property
    def best_bid(self) -> float | None:
        """Highest price that somebody bids, in currency; None when nobody does."""
        return self._best(Side.BUY)

    @property
    def best_ask(self) -> float | None:
        """Lowest price that somebody asks, in currency; None when nobody does."""
        return self._best(Side.SELL)

    @property
    def spread(self) -> float | None:
        """ask - bid in currency; None unless both sides are there."""
        bid, _, ask, _ = self.core.best(0)
        return self._price(ask - bid) if self._two_sided() else None

    @property
    def spread_bps(self) -> float | None:
        """Spread in basis points of the mid."""
        bid, _, ask, _ = self.core.best(0)
        return 2e4 * (ask - bid) / (ask + bid) if self._two_sided() and ask + bid != 0 else None

    @property
    def mid(self) -> float | None:
        """Half-way between bid and ask in currency."""
        bid, _, ask, _ = self.core.best(0)
        return self._price(bid + ask) / 2 if self._two_sided() else None

    @property
    def microprice(self) -> float | None:
        """(bid · ask quantity + ask · bid quantity) / (both quantities), in currency."""
        bid, bid_quantity, ask, ask_quantity = self.core.best(0)
        if not self._two_sided():
            return None
        return self.instrument.price((bid * ask_quantity + ask * bid_quantity) / (bid_quantity + ask_quantity))

    @property
    def crossed(self) -> bool:
        """Whether a bid lies above an ask; only in a call for an auction may they."""
        bid, _, ask, _ = self.core.best(0)
        return self._two_sided() and bid > ask

    @property
    def locked(self) -> bool:
        """Whether best bid and best ask are equal; only in a call for an auction may they."""
        bid, _, ask, _ = self.core.best(0)
        return self._two_sided() and bid == ask

    def depth(self, side: Side | str, levels: int | None = None) -> list[Level]:
        """The best levels of a side as they are displayed, best first; all of them by default."""
        return [
            Level(self._price(price), self._quantity(lots), orders)
            for price, lots, orders in self.core.depth(0, _side(side), levels)
        ]

    def volume(self, side: Side | str) -> float:
        """Displayed quantity of a whole side, in units."""
        return self._quantity(self.core.volume_on(0, _side(side)))

    def imbalance(self, levels: int = 1) -> float:
        """(bid - ask) / (bid + ask) of the quantities at the best levels, -1 to 1; 0 for an empty book."""
        bid = sum(level.quantity for level in self.depth(Side.BUY, levels))
        ask = sum(level.quantity for level in self.depth(Side.SELL, levels))
        return (bid - ask) / (bid + ask) if bid + ask else 0.0

    def cost_to_trade(self, side: Side | str, quantity: object) -> Cost:
        """What a market order would pay (BUY) or get (SELL) now, by what is displayed."""
        left = self.instrument.to_lots(quantity)
        value = traded = 0
        for price, lots, _ in self.core.depth(0, _side(side).opposite):
            take = min(left, lots)
            value, traded, left = value + take * price, traded + take, left - take
            if left == 0:
                break
        average = self.instrument.price(value / traded) if traded else 0.0
        total = float(value * self.instrument.tick_size * self.instrument.lot_size)
        return Cost(average, total, self._quantity(left))

    def queue_position(self, resting: Result | int) -> tuple[int, float] | None:
        """(orders ahead, units ahead) of an order at its price, of what is displayed; None when it is not."""
        order_id = _number(resting)
        order = self.core.order(order_id)
        if order is None:
            return None
        ahead = 0
        for position, (other, lots) in enumerate(self.core.queue(0, order["side"], order["price"])):
            if other == order_id:
                return position, self._quantity(ahead)
            ahead += lots
        return None

    def trades(self) -> list[BookTrade]:
        """All trades so far, oldest first."""
        return self._trades(self.core.events())

    def result(self, order: Result | int) -> Result:
        """What an order has come to up to now, over all requests. It reads the whole log."""
        order_id = _number(order)
        rows = self.core.events()
        kept = rows[(rows["kind"] != EventKind.CANCEL_REJECTED) & (rows["kind"] != EventKind.REPLACE_REJECTED)]
        own = kept[
            (kept["order_id"] == order_id) | ((kept["match_id"] == order_id) & (kept["kind"] == EventKind.TRADE))
        ]
        if not np.any(own["order_id"] == order_id):
            raise InvalidValueError(f"order {order_id} was never sent to this book; ids come with a Result")
        return self._told(order_id, own)

    def orders(self, side: Side | str | None = None) -> list[RestingOrder]:
        """Every live order, hidden ones and those that wait included, by id; of one side only when it is named."""
        wanted = None if side is None else _side(side)
        shown = dict(
            row for way in Side for price, _, _ in self.core.depth(0, way) for row in self.core.queue(0, way, price)
        )
        return [
            RestingOrder(
                order["order_id"],
                Side(order["side"]),
                OrderType(order["order_type"]),
                self._price(order["price"]),
                self._price(order["stop_price"]),
                self._quantity(order["quantity"]),
                self._quantity(order["leaves"] + order["reserve"]),
                order["owner"],
                self._quantity(shown.get(order["order_id"], 0)),
                self._price(order["distance"]),
            )
            for order in self.core.orders(0)
            if wanted is None or order["side"] == wanted
        ]

    def statistics(self) -> dict[str, float]:
        """Trades so far (prices in currency, 0 before the first; ``vwap`` weighted by volume), and what is on the book.

        ``bid_orders`` and ``ask_orders`` rest, ``stops`` wait.
        """
        raw = self.core.statistics(0)
        first, high, low = self._prices or (0, 0, 0)
        bids, asks = self.core.depth(0, Side.BUY), self.core.depth(0, Side.SELL)
        return {
            "open_price": self._price(first),
            "high_price": self._price(high),
            "low_price": self._price(low),
            "vwap": self.instrument.price(self._value / raw["volume"]) if raw["volume"] else 0.0,
            "last_price": self._price(raw["last_price"]),
            "last_quantity": self._quantity(raw["last_quantity"]),
            "trades": raw["trades"],
            "volume": self._quantity(raw["volume"]),
            "bid_orders": sum(orders for _, _, orders in bids),
            "ask_orders": sum(orders for _, _, orders in asks),
            "stops": len(self.core.stops(0, Side.BUY)) + len(self.core.stops(0, Side.SELL)),
            "bid_levels": len(bids),
            "ask_levels": len(asks),
            "bid_volume": self.volume(Side.BUY),
            "ask_volume": self.volume(Side.SELL),
        }

    def to_dict(self, levels: int | None = 10) -> dict[str, Any]:
        """The book as plain values, for JSON."""
        return {
            "instrument": self.instrument.symbol,
            "bids": [level._asdict() for level in self.depth(Side.BUY, levels)],
            "asks": [level._asdict() for level in self.depth(Side.SELL, levels)],
            "spread": self.spread,
            "spread_bps": self.spread_bps,
            "mid": self.mid,
            "microprice": self.microprice,
            "imbalance": self.imbalance(),
            "statistics": self.statistics(),
        }

    # --- inner ---

    def _result(self, order_id: int) -> Result:
        return self._told(order_id, self._taken())

    def _told(self, order_id: int, rows: Any) -> Result:
        """What an order came to by these rows, and what it is now."""
        own = [row for row in rows if row["order_id"] == order_id or _rested(row, order_id)]
        fills = tuple(
            BookFill(self._price(int(row["price"])), self._quantity(int(row["quantity"])), int(row["match_id"]))
            for row in own
            if row["kind"] == EventKind.TRADE
        )
        filled = self._quantity(sum(int(row["quantity"]) for row in own if row["kind"] == EventKind.TRADE))
        refused = next((row for row in own if row["kind"] in _REFUSALS), None)
        live = self.core.order(order_id)
        if live is not None:
            opened = live["leaves"] + live["reserve"]
            state = OrderState.ACCEPTED if opened == live["quantity"] else OrderState.PARTIALLY_FILLED
            reason = Reason(int(refused["reason"])) if refused is not None else Reason.NONE
            return Result(order_id, state, filled, self._quantity(opened), fills, reason)
        end = next((row for row in reversed(own) if row["kind"] in _ENDS and row["leaves"] == 0), None)
        if end is None and refused is not None and not fills:
            end = refused
        if end is None:
            return Result(order_id, OrderState.FILLED, filled, 0.0, fills)
        state = _ENDS.get(EventKind(int(end["kind"])), OrderState.REJECTED)
        return Result(order_id, state, filled, 0.0, fills, Reason(int(end["reason"])))

    def _taken(self) -> Any:
        """The rows of the last request, its trades counted, those of stops that it elected included."""
        rows = self.core.last_rows()
        for row in rows[rows["kind"] == EventKind.TRADE]:
            price = int(row["price"])
            first, high, low = self._prices or (price, price, price)
            self._prices = first, max(high, price), min(low, price)
            self._value += price * int(row["quantity"])
        return rows

    def _trades(self, rows: Any) -> list[BookTrade]:
        return [
            BookTrade(
                int(row["time"]),
                self._price(int(row["price"])),
                self._quantity(int(row["quantity"])),
                Side(int(row["side"])),
                int(row["order_id"]),
                int(row["match_id"]),
                bool(row["flags"] & OrderFlag.AUCTION),
            )
            for row in rows[rows["kind"] == EventKind.TRADE]
        ]

    def _tick(self, time: int | None) -> int:
        self._time = self._time + 1 if time is None else time
        return self._time

    def _ticks(self, price: object) -> int | None:
        return None if price is None else self.instrument.to_ticks(price)

    def _two_sided(self) -> bool:
        _, bid_quantity, _, ask_quantity = self.core.best(0)
        return bid_quantity > 0 and ask_quantity > 0

    def _best(self, side: Side) -> float | None:
        levels = self.core.depth(0, side, 1)
        return self._price(levels[0][0]) if levels else None

    def _price(self, ticks: int) -> float:
        return float(Decimal(ticks) * self.instrument.tick_size)

    def _quantity(self, lots: int) -> float:
        return float(Decimal(lots) * self.instrument.lot_size)


def _rested(row: Any, order_id: int) -> bool:
    return bool(row["match_id"] == order_id and row["kind"] == EventKind.TRADE)


def _number(order: Result | int | None) -> int:
    """The id of an order, however it is named; 0 for none."""
    return order.order_id if isinstance(order, Result) else 0 if order is None else order


def _sliding(post_only: PostOnly) -> PostOnly:
    if isinstance(post_only, str) and post_only != "slide":
        raise InvalidValueError(f"post_only={post_only!r}: use True, False or 'slide'")
    return post_only


def _side(side: Side | str | int) -> Side:
    if isinstance(side, str):
        return _named(Side, side)
    return Side(side)


def _time_in_force(value: TimeInForce | str) -> TimeInForce:
    return _named(TimeInForce, value) if isinstance(value, str) else value


def _named(kind: Any, text: str) -> Any:
    names: Sequence[str] = list(kind.__members__)
    if text.upper() not in names:
        raise InvalidValueError(f"{text!r} is no {kind.__name__}{did_you_mean(text.upper(), names)}")
    return kind[text.upper()]
