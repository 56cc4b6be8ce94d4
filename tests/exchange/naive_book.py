"""Orders and books of the naive twin: plain lists, searched and sorted anew each time, written to be read.

A book knows where orders stand and what could trade at which price; what requests do is in ``naive``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from marketsim.domain.order import OrderFlag, OrderType, SelfTrade, Side, TimeInForce
from marketsim.domain.phase import BandAction, Phase

LARGEST = 2**53
LARGEST_PRO_RATA = 2**31
BUY, SELL = int(Side.BUY), int(Side.SELL)
LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
STOP, STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
TRAILING_STOP, MARKET_TO_LIMIT = int(OrderType.TRAILING_STOP), int(OrderType.MARKET_TO_LIMIT)
PRIMARY_PEG, MARKET_PEG, MID_PEG = int(OrderType.PRIMARY_PEG), int(OrderType.MARKET_PEG), int(OrderType.MID_PEG)
GTC, DAY, GTD = int(TimeInForce.GTC), int(TimeInForce.DAY), int(TimeInForce.GTD)
IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
AT_OPEN, AT_CLOSE = int(TimeInForce.AT_OPEN), int(TimeInForce.AT_CLOSE)
POST_ONLY, KEPT_PRIORITY = int(OrderFlag.POST_ONLY), int(OrderFlag.KEPT_PRIORITY)
HIDDEN, SLIDE = int(OrderFlag.HIDDEN), int(OrderFlag.SLIDE)
PARENT, AUCTION = int(OrderFlag.PARENT), int(OrderFlag.AUCTION)

STOPS = (STOP, STOP_LIMIT, TRAILING_STOP)
PEGS = (PRIMARY_PEG, MARKET_PEG, MID_PEG)
LEAST_DISTANCE = {TRAILING_STOP: 1, PRIMARY_PEG: 0, MARKET_PEG: 1, MID_PEG: 0}

# where an order stands
NOWHERE, ON_BOOK, AMONG_STOPS, IN_CALL_QUEUE, PARKED = "nowhere", "on the book", "among the stops", "queued", "parked"


@dataclass(eq=False)
class Order:
    """One order: what was asked, and what has become of it."""

    order_id: int
    owner: int
    market: int
    side: int
    order_type: int
    time_in_force: int
    flags: int
    price: int  # limit; of a peg its cap; of a market-to-limit order once it has one
    stop_price: int  # as asked: a price or a distance
    quantity: int  # total, shrinks with partial cancels
    expire: int
    display: int
    minimum: int
    parent_id: int
    partner_id: int

    filled: int = 0
    reserve: int = 0  # not shown yet (iceberg) or not released yet (conditional)
    place: str = NOWHERE
    live: bool = True
    elected: bool = False  # a stop that has been elected
    trigger: int = 0  # the price that elects a stop
    begun: bool = False  # a trailing stop that has a trigger
    got_limit: bool = False  # a market-to-limit order that has its limit
    standing: int | None = None  # the price of a peg
    new_terms: bool = False  # a peg to be priced anew, whatever its price
    told: int = 0  # what the parent had filled when this child was last told
    parent: Order | None = None
    partner: Order | None = None
    children: list[Order] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Total open: what it may still trade, its reserve included."""
        return self.quantity - self.filled

    @property
    def active(self) -> int:
        """What it displays, or what it trades with where it does not stand on the book."""
        return self.open - self.reserve

    @property
    def iceberg(self) -> bool:
        return self.display != 0

    @property
    def auctioned(self) -> int:
        """What takes part in an auction: an iceberg's reserve does, a conditional order's does not."""
        return self.open if self.iceberg else self.active

    @property
    def is_stop(self) -> bool:
        return self.order_type in STOPS

    @property
    def is_peg(self) -> bool:
        return self.order_type in PEGS

    @property
    def limited(self) -> bool:
        return self.order_type in (LIMIT, STOP_LIMIT) or self.is_peg or self.got_limit

    @property
    def hidden(self) -> bool:
        return bool(self.flags & HIDDEN) or self.is_peg

    @property
    def limit(self) -> int:
        """The price of its rows and, where it is limited, the worst at which it trades."""
        if self.is_peg:
            return self.standing or 0
        return self.price if self.limited else 0

    @property
    def needs(self) -> int:
        """The least that it trades at once, as an order that rests hidden."""
        return min(self.minimum, self.open)

    def accepts(self, price: int) -> bool:
        if not self.limited:
            return True
        return price <= self.limit if self.side == BUY else price >= self.limit

    def triggered_by(self, price: int) -> bool:
        return price >= self.trigger if self.side == BUY else price <= self.trigger


@dataclass(eq=False)
class Book:
    """One market: its orders in the order of their arrival at each place, and its settings."""

    number: int
    phase: Phase = Phase.CONTINUOUS
    traded: int | None = None  # price of the last trade
    reference: int = 0
    self_trades: SelfTrade = SelfTrade.ALLOW
    pro_rata: bool = False
    top_lots: int = 0
    fifo_percent: int = 0
    least_allocation: int = 0
    bands: tuple[int, int, int, BandAction] | None = None  # static low, static high, dynamic, action
    anchor: int = 0  # last price when the request began

    def __post_init__(self) -> None:
        self.resting: dict[int, list[Order]] = {BUY: [], SELL: []}  # displayed and hidden
        self.waiting: dict[int, list[Order]] = {BUY: [], SELL: []}  # stops
        self.queued: dict[int, list[Order]] = {BUY: [], SELL: []}  # call queues
        self.parked: list[Order] = []
        self.pegs: list[Order] = []
        self.trailing: list[Order] = []  # trailing stops that were not elected yet, waiting or not

    @property
    def last(self) -> int:
        return self.reference if self.traded is None else self.traded

    @property
    def continuous(self) -> bool:
        return self.phase == Phase.CONTINUOUS

    # -- where orders stand -----------------------------------------------------------------------------------

    def put(self, order: Order, place: str) -> None:
        """At the back of a place."""
        assert order.place == NOWHERE, order
        order.place = place
        self._list_of(order).append(order)

    def take(self, order: Order) -> None:
        """It leaves where it stands; an iceberg forgets what it showed."""
        if order.place != NOWHERE:
            self._list_of(order).remove(order)
        order.place = NOWHERE
        if order.iceberg:
            order.reserve = 0

    def _list_of(self, order: Order) -> list[Order]:
        if order.place == PARKED:
            return self.parked
        lists = {ON_BOOK: self.resting, AMONG_STOPS: self.waiting, IN_CALL_QUEUE: self.queued}
        return lists[order.place][order.side]

    def ranked(self, side: int) -> list[Order]:
        """Best price first, displayed before hidden, then arrival (sorting is stable)."""
        return sorted(self.resting[side], key=lambda order: (-order.limit * side, order.hidden))

    def displayed(self, side: int) -> list[Order]:
        return [order for order in self.ranked(side) if not order.hidden]

    def level(self, side: int, price: int) -> list[Order]:
        """The displayed orders of a price."""
        return [order for order in self.displayed(side) if order.limit == price]

    def best(self, side: int) -> int | None:
        """Best displayed price."""
        return next((order.limit for order in self.displayed(side)), None)

    def stops(self, side: int) -> list[Order]:
        """Nearest to the trigger first, then arrival."""
        return sorted(self.waiting[side], key=lambda order: order.trigger * side)

    # -- what could trade -------------------------------------------------------------------------------------

    def would_trade(self, side: int, price: int) -> bool:
        """Whether a limit would meet the other side, displayed or hidden."""
        best = self.touch(-side)
        return best is not None and (price >= best if side == BUY else price <= best)

    def touch(self, side: int) -> int | None:
        """Best price of a side, displayed or hidden."""
        return next((order.limit for order in self.ranked(side)), None)

    def next_for(self, order: Order, still: int) -> Order | None:
        """The order with which an aggressor that needs ``still`` lots trades next."""
        for other in self.ranked(-order.side):
            if not order.accepts(other.limit):
                return None
            if not other.hidden or other.needs <= still:
                return other
        return None

    def outside(self, price: int) -> bool:
        if self.bands is None:
            return False
        low, high, dynamic, _ = self.bands
        return price < low or price > high or (dynamic > 0 and abs(price - self.anchor) > dynamic)

    def outside_static(self, price: int) -> bool:
        return self.bands is not None and not self.bands[0] <= price <= self.bands[1]

    @property
    def band_action(self) -> BandAction | None:
        return None if self.bands is None else self.bands[3]

    # -- auction ----------------------------------------------------------------------------------------------

    def called(self, side: int) -> list[Order]:
        """The orders of a side that take part in an auction, in the order in which they trade."""
        at_the_book = [order for order in self.ranked(side) if not order.is_peg and order.minimum == 0]
        return [order for order in self.queued[side] + at_the_book if order.auctioned > 0]

    def auction(self) -> tuple[int, int, int]:
        """(price, volume, demand less supply) of an uncross; volume 0 when nothing would trade."""
        bids, asks = (
            [(order.limit if order.limited else None, order.auctioned) for order in self.called(side)]
            for side in (BUY, SELL)
        )
        limits = [limit for limit, _ in bids + asks if limit is not None]
        low, high = min(limits, default=self.last), max(limits, default=self.last)
        # Demand and supply change at limits only: what is best is there, beside one, or at the last price.
        ticks = {limit + step for limit in limits for step in (-1, 0, 1)} | {self.last}
        outcomes = []
        for tick in sorted(ticks):
            if low <= tick <= high:
                demand = sum(lots for limit, lots in bids if limit is None or limit >= tick)
                supply = sum(lots for limit, lots in asks if limit is None or limit <= tick)
                outcomes.append((tick, min(demand, supply), demand - supply))
        last = self.last
        return max(outcomes, key=lambda at: (at[1], -abs(at[2]), -abs(at[0] - last), at[0]))

    # -- pegs -------------------------------------------------------------------------------------------------

    def peg_price(self, peg: Order, bid: int | None, ask: int | None) -> int | None:
        """The price of a peg at these best prices; None where it has none."""
        own, other = (bid, ask) if peg.side == BUY else (ask, bid)
        if peg.order_type == PRIMARY_PEG:
            base = own
        elif peg.order_type == MARKET_PEG:
            base = other
        elif bid is None or ask is None:
            base = None
        else:
            base = (bid + ask) // 2 if peg.side == BUY else -(-(bid + ask) // 2)
        if base is None or not self.continuous:
            return None
        price = base - peg.side * peg.stop_price
        return min(price, peg.price) if peg.side == BUY else max(price, peg.price)
