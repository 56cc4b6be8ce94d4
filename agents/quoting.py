"""Quoting: what every market maker shares. It keeps one bid and one ask where ``targets`` wants them.

Quotes are post-only, so a market maker never takes. A quote is touched only when its price must move by more than
``tolerance``, when it is too large, or when less than half of it is left; then it is replaced, one message for each
side, at most once an interval. The fair value is built from what others show: own orders are taken out of the best
quotes, or told by a feed. A quote that would be far from it is withdrawn: alone on its side it would make the market's
mid, the mid's moves volatility, and volatility the next quote.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from marketsim.agents.checks import to_duration, to_number, to_whole
from marketsim.domain.event import EventKind
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote, Report, Status
from marketsim.domain.order import OrderState, Reason, Side
from marketsim.domain.phase import Phase
from marketsim.domain.risk import STOPPING, Action, RiskEvent
from marketsim.errors import InvalidValueError
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order
from marketsim.trading.ports import Feed

_BUY, _SELL = Side.BUY, Side.SELL
_PENDING_NEW, _PENDING_CANCEL = OrderState.PENDING_NEW, OrderState.PENDING_CANCEL
_REPLACE_REJECTED = EventKind.REPLACE_REJECTED
_WRONG_PHASE, _MARKET_CLOSED, _CONTINUOUS = Reason.WRONG_PHASE, Reason.MARKET_CLOSED, Phase.CONTINUOUS


class Targets(NamedTuple):
    """Where the quotes should be: ticks and lots; a quantity of 0 pulls that side."""

    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int


class Shown:
    """One side of a market maker's quotes."""

    __slots__ = ("asked", "order", "price", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.order: Order | None = None
        self.price = 0  # ticks that were last asked for
        self.asked = 0  # replaces without an answer

    def at(self, price: int) -> int:
        """Own lots that stand at a price, as far as is known."""
        order = self.order
        if order is None or order.price != price or not order.live or order.state is _PENDING_NEW:
            return 0
        return order.leaves


class Desk:
    """What a market maker knows and shows in one instrument."""

    def __init__(self, instrument: Instrument, venue: str) -> None:
        self.instrument = instrument
        self.venue = venue
        self.bid = Shown(_BUY)
        self.ask = Shown(_SELL)
        self.fair = float(instrument.reference)  # ticks
        self.others_bid: int | None = None
        self.others_ask: int | None = None
        self.next_refresh = 0
        self.waiting = False
        self.open = True  # as far as is known
        self.told = False  # whether the venue tells its phases

    def learn(self, quote: Quote, microprice_weight: float) -> None:
        """The fair value from a quote without own orders.

        (1 − w)·mid + w·microprice where others show both sides; else the old one, held between what others show.
        """
        bid_quantity = quote.bid_quantity - self.bid.at(quote.bid)
        ask_quantity = quote.ask_quantity - self.ask.at(quote.ask)
        bid = self.others_bid = quote.bid if bid_quantity > 0 else None
        ask = self.others_ask = quote.ask if ask_quantity > 0 else None
        if bid is not None and ask is not None:
            mid = 0.5 * (bid + ask)
            micro = (bid * ask_quantity + ask * bid_quantity) / (bid_quantity + ask_quantity)
            self.fair = mid + microprice_weight * (micro - mid)
        elif bid is not None:
            self.fair = max(self.fair, bid + 0.5)
        elif ask is not None:
            self.fair = min(self.fair, ask - 0.5)

    def shown(self, order: Order | None) -> Shown | None:
        """The side that an order stands for."""
        if order is not None and order is self.bid.order:
            return self.bid
        return self.ask if order is not None and order is self.ask.order else None


@dataclass
class QuotingAgent(Agent):
    """Base of market makers; a subclass says in ``targets`` where the quotes should be.

    With ``value_feed`` the fair value is what that feed tells, looked up every ``refresh``, whatever others show.
    """

    _value: ClassVar[Feed | None] = None  # the feed of the fair value, from the start on
    _holds: ClassVar[frozenset[tuple[str, str]]] = frozenset()  # scope and rule of what has stopped it; its own too

    quantity: int = field(default=100, metadata={"help": "lots of each quote", "risk": "order"})
    max_position: int = field(default=1000, metadata={"help": "most lots held long or short"})
    refresh: int | str = field(
        default="10ms", metadata={"unit": "duration", "help": "least time between two changes of the quotes"}
    )
    tolerance: int = field(default=0, metadata={"help": "ticks by which a quote may be off before it is moved"})
    max_distance: float = field(
        default=0.01, metadata={"help": "share of the fair value beyond which a quote is withdrawn, not shown far away"}
    )
    value_feed: str | None = field(
        default=None, metadata={"help": "feed that tells the fair value; built from others' quotes when left out"}
    )

    def __post_init__(self) -> None:
        to_whole(self, "quantity", "max_position", low=1)
        to_whole(self, "tolerance", low=0)
        to_number(self, "max_distance", low=0.0, open_low=True)
        to_duration(self, "refresh")
        if self.quantity > self.max_position:
            raise InvalidValueError(
                f"quantity: quotes of {self.quantity} lots lead beyond max_position {self.max_position}; "
                f"use at most {self.max_position}, or raise max_position"
            )

    # --- for subclasses ---

    def targets(self, desk: Desk) -> Targets:
        """Where the quotes should be now; the base holds them within the position limit and out of others' quotes."""
        raise NotImplementedError(f"{type(self).__name__} does not say where its quotes should be: write targets()")

    @property
    def microprice_share(self) -> float:
        """Weight of the microprice in the fair value."""
        return 0.0

    def learn(self, desk: Desk) -> None:
        """The fair value may have changed."""

    def learn_fill(self, desk: Desk, order: Order, report: Report) -> None:
        """A quote has traded."""

    def spread_around(self, desk: Desk, centre: float, spread: float) -> Targets:
        """Targets of ``quantity`` lots around a centre, both in ticks, at least a tick and never less than asked."""
        ticks = max(1, math.ceil(spread - 1e-9))
        bid = round(centre - 0.5 * ticks)
        return Targets(bid, self.quantity, bid + ticks, self.quantity)

    def requote(self) -> None:
        """Look at all quotes again, as soon as the interval between two changes allows."""
        for desk in self.desks.values():
            self._when_due(desk)

    # --- what happens ---

    def subscriptions(self) -> dict[str, bool]:
        """What its hooks take, but the phases of trading: it asks for them when a phase first gets in its way."""
        return {**super().subscriptions(), "status": False}

    def on_start(self) -> None:
        """Open a desk for each instrument; quoting begins with the first quote that arrives."""
        self.desks = {i.symbol: Desk(i, self._session.venues(i)[0]) for i in self.instruments}
        if self.value_feed is not None:
            self._follow_feed(self.value_feed)

    def on_quote(self, quote: Quote) -> None:
        """Learn and, when it is time, move the quotes."""
        desk = self.desks[quote.instrument.symbol]
        if quote.venue == desk.venue:
            desk.learn(quote, self.microprice_share)
            if self._value is not None:
                desk.fair = self._value.value(self.now)
            self.learn(desk)
            self._when_due(desk)

    def on_fill(self, order: Order, report: Report) -> None:
        """A quote traded: position and quotes change."""
        desk = self.desks[order.instrument.symbol]
        if desk.shown(order) is not None:
            self.learn_fill(desk, order, report)
            self._when_due(desk)

    def on_replaced(self, order: Order, report: Report) -> None:
        """A quote stands at its new price."""
        shown = self.desks[order.instrument.symbol].shown(order)
        if shown is not None:
            shown.asked -= 1

    def on_canceled(self, order: Order, report: Report) -> None:
        """A quote is gone."""
        self._when_due(self.desks[order.instrument.symbol])

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """A quote would have traded, or the request came too late: try again when it is time."""
        desk = self.desks[report.instrument.symbol]
        shown = desk.shown(order)
        if order is not None and shown is not None and report.kind is _REPLACE_REJECTED:
            shown.asked -= 1
            shown.price = order.price
        if report.reason is _WRONG_PHASE or report.reason is _MARKET_CLOSED:
            self._wait_for_trading(desk)
        self._when_due(desk)

    def on_status(self, status: Status) -> None:
        """Quotes are for continuous trading: they are withdrawn when it ends, and shown again when it begins."""
        desk = self.desks[status.instrument.symbol]
        if status.venue == desk.venue:
            desk.open = status.phase is _CONTINUOUS
            if not desk.open:
                self.cancel_all(desk.instrument)
            self._when_due(desk)

    def on_risk(self, event: RiskEvent) -> None:
        """Nothing is quoted while risk control has stopped it, and again when trading goes on."""
        if event.action in STOPPING:
            self._holds = self._holds | {(event.scope, event.rule)}  # type: ignore[misc]
        elif event.action is Action.RESUME:
            self._holds = self._holds - {(event.scope, event.rule)}  # type: ignore[misc]
            self.requote()

    def on_parameters(self) -> None:
        """Quotes follow new parameters at once."""
        self.requote()

    # --- inner ---

    def _follow_feed(self, name: str) -> None:
        """The fair value is the feed's: nothing in the market says when to look, so it looks every ``refresh``."""
        if len(self.desks) != 1:
            raise InvalidValueError(
                f"value_feed: {name} tells of one instrument, {self.name} trades {len(self.desks)}; give it one"
            )
        self._value = self.feed(name)  # type: ignore[misc]  # its own from here on, as its session is
        self.at(self.now, self._look_up)
        self.every(int(self.refresh), self._look_up)

    def _look_up(self) -> None:
        desk = next(iter(self.desks.values()))
        assert self._value is not None
        desk.fair = self._value.value(self.now)
        self.learn(desk)
        self._when_due(desk)

    def _wait_for_trading(self, desk: Desk) -> None:
        """The venue takes no quotes now: from here on it tells its phases."""
        desk.open = False
        if not desk.told:
            desk.told = True
            self.subscribe(desk.instrument, status=True, venue=desk.venue)

    def _when_due(self, desk: Desk) -> None:
        if desk.waiting or not desk.open or self._holds:
            return
        now = self.now
        if now >= desk.next_refresh:
            self._refresh(desk)
        else:
            desk.waiting = True
            self.at(desk.next_refresh, self._refresh, desk)

    def _refresh(self, desk: Desk) -> None:
        desk.waiting = False
        if not desk.open or self._holds:
            return
        desk.next_refresh = self.now + int(self.refresh)
        bid, bid_quantity, ask, ask_quantity = self.targets(desk)
        if desk.others_ask is not None:
            bid = min(bid, desk.others_ask - 1)
        if desk.others_bid is not None:
            ask = max(ask, desk.others_bid + 1)
        far = max(1.0, self.max_distance * abs(desk.fair))
        if desk.fair - bid > far:
            bid_quantity = 0
        if ask - desk.fair > far:
            ask_quantity = 0
        position = self.position(desk.instrument)
        self._show(desk, desk.bid, bid, min(bid_quantity, self.max_position - position))
        self._show(desk, desk.ask, ask, min(ask_quantity, self.max_position + position))

    def _show(self, desk: Desk, shown: Shown, price: int, quantity: int) -> None:
        order = shown.order
        if order is None or not order.live:
            if quantity > 0 and price > 0:
                shown.order = self.order(
                    shown.side, desk.instrument, quantity, limit=price, post_only=True, venue=desk.venue, tag="quote"
                )
                shown.price, shown.asked = price, 0
            return
        if order.state is _PENDING_CANCEL:
            return
        if quantity <= 0 or price <= 0:
            self.cancel(order)
            return
        moved = abs(price - shown.price) > self.tolerance
        resize = not shown.asked and (order.leaves > quantity or 2 * order.leaves < quantity)
        if moved or resize:
            self.replace(order, limit=price, quantity=order.filled + quantity)
            shown.price = price
            shown.asked += 1
