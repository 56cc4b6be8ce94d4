"""An order book that can be used alone: orders in, fills and the book out, in currency and units.

One instrument on the real matching core, without kernel, network or agents. Prices and quantities are given as text,
ints, decimals or floats on the instrument's grid and come back as floats. It decides nothing itself: matching does
(docs/matching-rules.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Reason, Side, TimeInForce
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.exchange.core import MatchingCore

_ENDS = {
    EventKind.REJECTED: OrderState.REJECTED,
    EventKind.CANCELED: OrderState.CANCELED,
    EventKind.EXPIRED: OrderState.EXPIRED,
}


class BookFill(NamedTuple):
    """One trade of a request: price in currency, quantity in units, the order that rested."""

    price: float
    quantity: float
    resting_order: int


class Result(NamedTuple):
    """What a request came to. ``leaves`` is the open quantity in units; ``reason`` is NONE unless it was refused."""

    order_id: int
    state: OrderState
    filled: float
    leaves: float
    fills: tuple[BookFill, ...]
    reason: Reason = Reason.NONE

    @property
    def average_price(self) -> float:
        """Mean price of the fills in currency; 0 when there are none."""
        return sum(f.price * f.quantity for f in self.fills) / self.filled if self.filled else 0.0


class BookTrade(NamedTuple):
    """One trade on the book: price in currency, quantity in units, ``side`` the aggressor's."""

    time: int
    price: float
    quantity: float
    side: Side
    aggressor: int
    resting_order: int


class RestingOrder(NamedTuple):
    """An order on the book, or a stop that waits; ``leaves`` is its open quantity in units."""

    order_id: int
    side: Side
    order_type: OrderType
    price: float
    stop_price: float
    quantity: float
    leaves: float
    owner: int


class Level(NamedTuple):
    """One price of a book."""

    price: float
    quantity: float
    orders: int


class Cost(NamedTuple):
    """What trading a quantity at once would cost: average price and total in currency, and what would stay unfilled."""

    average_price: float
    total: float
    unfilled: float


class OrderBook:
    """A limit order book of one instrument in price-time priority.

    instrument: an Instrument, or a symbol with tick size 0.01 and lot size 1.
    """

    def __init__(self, instrument: Instrument | str = "ABC") -> None:
        self.instrument = Instrument(instrument) if isinstance(instrument, str) else instrument
        self.core = MatchingCore(1)
        self._time = 0
        self._prices: tuple[int, int, int] | None = None  # of the first trade, the highest and the lowest, in ticks
        self._value = 0  # ticks x lots of all trades

    # --- requests ---

    def limit(
        self,
        side: Side | str,
        price: object,
        quantity: object,
        *,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        post_only: bool = False,
        expire: int = 0,
        owner: int = 0,
        time: int | None = None,
    ) -> Result:
        """A limit order."""
        flags = OrderFlag.POST_ONLY if post_only else OrderFlag.NONE
        return self._new(side, OrderType.LIMIT, time_in_force, flags, price, None, quantity, expire, owner, time)

    def market(self, side: Side | str, quantity: object, *, owner: int = 0, time: int | None = None) -> Result:
        """A market order; what finds no liquidity is canceled."""
        return self._new(side, OrderType.MARKET, TimeInForce.IOC, OrderFlag.NONE, None, None, quantity, 0, owner, time)

    def stop(
        self,
        side: Side | str,
        stop_price: object,
        quantity: object,
        *,
        limit: object = None,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        owner: int = 0,
        time: int | None = None,
    ) -> Result:
        """A stop order, or with ``limit`` a stop-limit order."""
        kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
        return self._new(side, kind, time_in_force, OrderFlag.NONE, limit, stop_price, quantity, 0, owner, time)

    def cancel(self, order_id: int, quantity: object = None, *, owner: int = 0, time: int | None = None) -> Result:
        """Cancel an order, or ``quantity`` units of it."""
        lots = 0 if quantity is None else self.instrument.to_lots(quantity)
        self.core.cancel(self._tick(time), owner, order_id, lots)
        return self._result(order_id)

    def replace(
        self,
        order_id: int,
        *,
        price: object = None,
        quantity: object = None,
        stop_price: object = None,
        owner: int = 0,
        time: int | None = None,
    ) -> Result:
        """New terms for an order; what is not given stays. ``quantity`` is the new total, including fills."""
        order = self.core.order(order_id) or {"price": 0, "quantity": 1, "stop_price": 0}
        self.core.replace(
            self._tick(time),
            owner,
            order_id,
            order["price"] if price is None else self.instrument.to_ticks(price),
            order["quantity"] if quantity is None else self.instrument.to_lots(quantity),
            order["stop_price"] if stop_price is None else self.instrument.to_ticks(stop_price),
        )
        return self._result(order_id)

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
        """Whether a bid lies above an ask; matching never leaves a book so."""
        bid, _, ask, _ = self.core.best(0)
        return self._two_sided() and bid > ask

    @property
    def locked(self) -> bool:
        """Whether best bid and best ask are equal; matching never leaves a book so."""
        bid, _, ask, _ = self.core.best(0)
        return self._two_sided() and bid == ask

    def depth(self, side: Side | str, levels: int | None = None) -> list[Level]:
        """The best levels of a side, best first; all of them by default."""
        return [
            Level(self._price(price), self._quantity(lots), orders)
            for price, lots, orders in self.core.depth(0, _side(side), levels)
        ]

    def volume(self, side: Side | str) -> float:
        """Open quantity of a whole side, in units."""
        return self._quantity(self.core.volume_on(0, _side(side)))

    def imbalance(self, levels: int = 1) -> float:
        """(bid - ask) / (bid + ask) of the quantities at the best levels, -1 to 1; 0 for an empty book."""
        bid = sum(level.quantity for level in self.depth(Side.BUY, levels))
        ask = sum(level.quantity for level in self.depth(Side.SELL, levels))
        return (bid - ask) / (bid + ask) if bid + ask else 0.0

    def cost_to_trade(self, side: Side | str, quantity: object) -> Cost:
        """What a market order would pay (BUY) or get (SELL) now."""
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

    def queue_position(self, order_id: int) -> tuple[int, float] | None:
        """(orders ahead, units ahead) of a resting order at its price; None when it does not rest."""
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
        rows = self.core.events()
        return [
            BookTrade(
                int(row["time"]),
                self._price(int(row["price"])),
                self._quantity(int(row["quantity"])),
                Side(int(row["side"])),
                int(row["order_id"]),
                int(row["match_id"]),
            )
            for row in rows[rows["kind"] == EventKind.TRADE]
        ]

    def orders(self, side: Side | str | None = None) -> list[RestingOrder]:
        """Every live order, stops that wait included, in the order of their ids; of one side only when it is named."""
        wanted = None if side is None else _side(side)
        return [
            RestingOrder(
                order["order_id"],
                Side(order["side"]),
                OrderType(order["order_type"]),
                self._price(order["price"]),
                self._price(order["stop_price"]),
                self._quantity(order["quantity"]),
                self._quantity(order["leaves"]),
                order["owner"],
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

    def _new(
        self,
        side: Side | str,
        kind: OrderType,
        time_in_force: TimeInForce | str,
        flags: OrderFlag,
        price: object,
        stop_price: object,
        quantity: object,
        expire: int,
        owner: int,
        time: int | None,
    ) -> Result:
        order_id = self.core.new(
            self._tick(time),
            owner,
            0,
            _side(side),
            kind,
            _time_in_force(time_in_force),
            flags,
            0 if price is None else self.instrument.to_ticks(price),
            0 if stop_price is None else self.instrument.to_ticks(stop_price),
            self.instrument.to_lots(quantity),
            expire,
        )
        return self._result(order_id)

    def _result(self, order_id: int) -> Result:
        rows = self.core.last_rows()
        self._count(rows)
        own = [row for row in rows if row["order_id"] == order_id]
        trades = [row for row in own if row["kind"] == EventKind.TRADE]
        fills = tuple(
            BookFill(self._price(int(r["price"])), self._quantity(int(r["quantity"])), int(r["match_id"]))
            for r in trades
        )
        filled = self._quantity(sum(int(row["quantity"]) for row in trades))
        live = self.core.order(order_id)
        refused = next((row for row in own if row["kind"] >= EventKind.REJECTED), None)
        if live is not None:
            whole = live["leaves"] == live["quantity"]
            state = OrderState.ACCEPTED if whole else OrderState.PARTIALLY_FILLED
            reason = Reason(int(refused["reason"])) if refused is not None else Reason.NONE
            return Result(order_id, state, filled, self._quantity(live["leaves"]), fills, reason)
        last = own[-1] if own else None
        if last is None or last["kind"] == EventKind.TRADE:
            return Result(order_id, OrderState.FILLED, filled, 0.0, fills)
        state = _ENDS.get(EventKind(int(last["kind"])), OrderState.REJECTED)
        return Result(order_id, state, filled, 0.0, fills, Reason(int(last["reason"])))

    def _count(self, rows: Any) -> None:
        """The trades of a request, those of stops that it elected included."""
        for row in rows[rows["kind"] == EventKind.TRADE]:
            price = int(row["price"])
            first, high, low = self._prices or (price, price, price)
            self._prices = first, max(high, price), min(low, price)
            self._value += price * int(row["quantity"])

    def _tick(self, time: int | None) -> int:
        self._time = self._time + 1 if time is None else time
        return self._time

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
