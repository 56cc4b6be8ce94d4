"""An agent: a trader with its own mind. Subclass it, declare parameters as dataclass fields, override hooks.

An agent sees its broker, its clock, its random streams, the market data delivered to it and the feeds it asks for, and
nothing else; so the same class runs simulated, replayed, backtested, on paper and live. Overriding ``on_quote``,
``on_trade``, ``on_level``, ``on_order_update``, ``on_status`` or ``on_indicative`` subscribes to that data for all of
the agent's instruments.

Prices are int ticks, quantities int lots, times int nanoseconds; ``instrument.price(ticks)`` and
``instrument.to_ticks(price)`` convert.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Generator, Sequence
from operator import index
from typing import Any, ClassVar, NamedTuple

from marketsim.domain.event import EventKind
from marketsim.domain.instruction import PostOnly
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import (
    Bar,
    BookSnapshot,
    Imbalance,
    Indicative,
    LevelUpdate,
    OrderUpdate,
    Quote,
    Report,
    Status,
    TradePrint,
    Volume,
)
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Side, TimeInForce
from marketsim.domain.risk import RiskEvent
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.kernel.random import Stream
from marketsim.trading.book import LocalBook
from marketsim.trading.consolidated import ConsolidatedQuote, Consolidation, Offer, View
from marketsim.trading.index import IndexValue, IndexView
from marketsim.trading.instructions import instruct
from marketsim.trading.order import Order
from marketsim.trading.parent_order import ParentDesk, ParentOrder, Plan
from marketsim.trading.portfolio import Portfolio
from marketsim.trading.ports import Feed, Session
from marketsim.trading.request import MarketDataRequest
from marketsim.trading.router import PATIENCE, Rest, RoutedOrder, Router, Style

# An enumeration's members are looked up slowly through their class.
_MARKET, _LIMIT, _STOP, _STOP_LIMIT = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT
_GTC, _GTD, _IOC = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC
_POST_ONLY, _NO_FLAG = OrderFlag.POST_ONLY, OrderFlag.NONE
_BUY, _SELL = Side.BUY, Side.SELL
_PENDING_CANCEL = OrderState.PENDING_CANCEL

REPORT_HOOKS = {
    EventKind.ACCEPTED: "on_accepted",
    EventKind.TRADE: "on_fill",
    EventKind.CANCELED: "on_canceled",
    EventKind.EXPIRED: "on_canceled",
    EventKind.REPLACED: "on_replaced",
    EventKind.REJECTED: "on_rejected",
    EventKind.CANCEL_REJECTED: "on_rejected",
    EventKind.REPLACE_REJECTED: "on_rejected",
}
"""The hook that a session calls for each kind of report."""


_SPECIAL: dict[str, Any] = {
    "display": 0,
    "hidden": False,
    "minimum": 0,
    "trail": None,
    "peg": None,
    "offset": 0,
    "to_limit": False,
    "remember": False,
    "parent": None,
    "partner": None,
}


class Bracket(NamedTuple):
    """An order and its two exits, of which one cancels the other."""

    entry: Order
    take_profit: Order
    stop_loss: Order


@dataclasses.dataclass
class Agent:
    """Base of every trader written in Python."""

    _session: ClassVar[Session]  # each agent has its own, from ``bind`` on
    _consolidation: ClassVar[Consolidation | None] = None  # its own too, from the first use on
    _router: ClassVar[Router | None] = None
    _parents: ClassVar[ParentDesk | None] = None
    _indices: ClassVar[dict[str, IndexView]] = {}

    # --- hooks, to be overridden ---

    def on_start(self) -> None:
        """The run begins."""

    def on_stop(self) -> None:
        """The run ends; orders sent now go nowhere."""

    def on_quote(self, quote: Quote) -> None:
        """The best bid or ask of an instrument changed."""

    def on_consolidated(self, quote: ConsolidatedQuote) -> None:
        """A quote of one of the venues of an instrument arrived; called before ``on_quote``."""

    def on_index(self, index: IndexValue) -> None:
        """An index that was asked for with ``index`` has another value."""

    def on_trade(self, trade: TradePrint) -> None:
        """Somebody traded."""

    def on_level(self, update: LevelUpdate) -> None:
        """The quantity at a price changed."""

    def on_book(self, book: BookSnapshot) -> None:
        """A whole book, after subscribing to levels, ``ask_book``, or a gap in the feed of a book that is kept."""

    def on_order_update(self, update: OrderUpdate) -> None:
        """Something happened to one displayed order of the book; at first, each order that is there."""

    def on_bar(self, bar: Bar) -> None:
        """A bar has ended, after ``subscribe(bars="1min")``; also one in which nothing traded."""

    def on_status(self, status: Status) -> None:
        """The phase of trading: the present one after subscribing, then each change."""

    def on_indicative(self, indicative: Indicative) -> None:
        """What an auction would come to has changed."""

    def on_volume(self, volume: Volume) -> None:
        """What was traded lately: the answer to ``ask_volume``."""

    def on_imbalance(self, imbalance: Imbalance) -> None:
        """One side of the book came to hold more than the share asked for in ``subscribe``, or no longer does."""

    def on_report(self, report: Report, order: Order | None) -> None:
        """Any execution report; the more particular hooks below follow it."""

    def on_accepted(self, order: Order) -> None:
        """The venue took an order."""

    def on_fill(self, order: Order, report: Report) -> None:
        """An order traded."""

    def on_canceled(self, order: Order, report: Report) -> None:
        """An order was canceled or expired, or part of it was canceled (``order.live`` tells)."""

    def on_replaced(self, order: Order, report: Report) -> None:
        """An order has new terms."""

    def on_rejected(self, order: Order | None, report: Report) -> None:
        """The venue, or the broker's risk checks, refused a request; ``report.reason`` says why."""

    def on_risk(self, event: RiskEvent) -> None:
        """Risk control has warned, refused an order, stopped trading or let it go on; told before ``on_rejected``."""

    def on_routed(self, order: RoutedOrder) -> None:
        """A routed order is over: filled, or nothing more of it is to be had. Its last report follows."""

    def on_executed(self, parent: ParentOrder) -> None:
        """A parent order is over: filled, at the end of its time, or canceled."""

    def on_disconnected(self, venue: str) -> None:
        """The session with a venue broke. Orders sent now are refused, with reason DISCONNECTED, until it is up again.

        What was on its way to the venue is lost, and is answered after the reconnection; reports wait until then.
        """

    def on_reconnected(self, venue: str) -> None:
        """The session with a venue is up again; what the venue did meanwhile is told next."""

    def on_news(self, feed: str, text: str, shock: float) -> None:
        """News on an information feed; ``shock`` in ticks."""

    def on_parameters(self) -> None:
        """Parameters were changed by ``set`` while the run goes on: derive again what hangs on them."""

    # --- seeing ---

    @property
    def name(self) -> str:
        """This agent's name in the run."""
        return self._session.name

    @property
    def now(self) -> int:
        """Time in ns."""
        return self._session.clock.now

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What this agent trades."""
        return self._session.instruments

    @property
    def instrument(self) -> Instrument:
        """The first of ``instruments``."""
        return self._session.instruments[0]

    @property
    def portfolio(self) -> Portfolio:
        """Positions, cash and fills, as reports have told."""
        return self._session.portfolio

    def position(self, instrument: Instrument | None = None) -> int:
        """Lots held; negative when short."""
        return self._session.portfolio.lots.get((instrument or self.instrument).symbol, 0)

    def orders(self, instrument: Instrument | None = None, side: Side | None = None) -> list[Order]:
        """Own orders that may still trade, oldest first."""
        return [
            order
            for order in self._session.broker.open_orders()
            if (instrument is None or order.instrument.symbol == instrument.symbol)
            and (side is None or order.side is side)
        ]

    def consolidated(self, instrument: Instrument | None = None) -> ConsolidatedQuote:
        """Best bid and offer over all venues of an instrument, as far as their quotes have arrived.

        Asking for the first time subscribes to the quotes; until they come the answer is empty.
        """
        chosen = instrument or self.instrument
        return self._view(chosen, "quotes").quote(self.now)

    def consolidated_depth(self, side: Side, instrument: Instrument | None = None) -> list[Offer]:
        """What all venues show on the bid (``BUY``) or offer (``SELL``) side, level by level, best price first.

        Asking for the first time subscribes to the levels; until a venue's book comes, and after a gap until it is
        repaired, its best price stands for it.
        """
        return self._view(instrument or self.instrument, "levels").offers(side)

    def index(self, name: str) -> float:
        """The value of an index in currency, from the members' quotes that have arrived from its venue.

        Asking for the first time subscribes to these quotes; from then on ``on_index`` is told the changes. Before any
        has come, members count with their reference prices.
        """
        known = self._indices.get(name) or self._follow(name)
        return known.latest.value

    def feed(self, name: str) -> Feed:
        """An information feed by name."""
        return self._session.feed(name)

    def random(self, purpose: str) -> Stream:
        """This agent's random draws for a purpose; the same object each time."""
        return self._session.stream(purpose)

    # --- acting ---

    def buy(self, instrument: Instrument, quantity: int, **terms: Any) -> Order:
        """Send a buy order; see ``order``."""
        return self.order(_BUY, instrument, quantity, **terms)

    def sell(self, instrument: Instrument, quantity: int, **terms: Any) -> Order:
        """Send a sell order; see ``order``."""
        return self.order(_SELL, instrument, quantity, **terms)

    def order(
        self,
        side: Side,
        instrument: Instrument,
        quantity: int,
        *,
        limit: int | None = None,
        stop: int | None = None,
        time_in_force: TimeInForce | None = None,
        post_only: PostOnly = False,
        expire: int = 0,
        venue: str | None = None,
        tag: str = "",
        position: str = "",
        **special: Any,
    ) -> Order:
        """Send an order: market without ``limit``, a stop with ``stop``. Prices in ticks, quantity in lots.

        ``expire`` (ns) makes it good till date. The default time in force is good till cancel, and immediate or cancel
        for market orders. ``post_only="slide"`` moves an order that would trade one tick behind instead of having it
        refused. ``tag`` is kept with the order, for the agent's own use. Further words make a special order
        (docs/orders.md): ``display`` an iceberg, ``hidden``, ``minimum``, ``trail`` a trailing stop, ``peg`` with
        ``offset``, ``to_limit``, ``partner`` (one cancels the other), ``parent`` (it waits for the other's fills).
        ``position``, "long" or "short", names the leg of a hedged position; see ``trading.hedge``.
        """
        if special or post_only == "slide":
            return self._order_specially(
                side, instrument, quantity, limit, stop, time_in_force, post_only, expire, venue, tag, position, special
            )
        if limit is None:
            kind = _MARKET if stop is None else _STOP
        else:
            kind = _LIMIT if stop is None else _STOP_LIMIT
        if time_in_force is None:
            time_in_force = _IOC if kind is _MARKET else _GTD if expire else _GTC
        session = self._session
        order = Order(
            session.next_client_order_id(),
            instrument,
            venue or session.venues(instrument)[0],
            side,
            kind,
            quantity if type(quantity) is int else _whole(quantity, "quantity", "lots"),
            0 if limit is None else limit if type(limit) is int else _whole(limit, "limit", "ticks"),
            0 if stop is None else _whole(stop, "stop", "ticks"),
            time_in_force,
            _POST_ONLY if post_only else _NO_FLAG,
            _whole(expire, "expire", "nanoseconds") if expire else 0,
            tag,
            position=position,
        )
        session.broker.submit(order)
        return order

    def _order_specially(
        self,
        side: Side,
        instrument: Instrument,
        quantity: int,
        limit: int | None,
        stop: int | None,
        time_in_force: TimeInForce | None,
        post_only: PostOnly,
        expire: int,
        venue: str | None,
        tag: str,
        position: str,
        special: dict[str, Any],
    ) -> Order:
        if unknown := sorted(special.keys() - _SPECIAL.keys()):
            hint = did_you_mean(unknown[0], _SPECIAL)
            raise InvalidValueError(f"{self.name}: no order has a term {unknown[0]!r}{hint}")
        words = _SPECIAL | special
        for name in ("display", "minimum", "offset"):
            words[name] = _whole(words[name], name, "ticks" if name == "offset" else "lots")
        if words["trail"] is not None:
            words["trail"] = _whole(words["trail"], "trail", "ticks")
        told = instruct(
            side,
            limit=None if limit is None else _whole(limit, "limit", "ticks"),
            stop=None if stop is None else _whole(stop, "stop", "ticks"),
            time_in_force=time_in_force,
            post_only=post_only,
            expire=expire,
            **words,
        )
        session = self._session
        order = Order(
            session.next_client_order_id(),
            instrument,
            venue or session.venues(instrument)[0],
            side,
            told.order_type,
            _whole(quantity, "quantity", "lots"),
            told.price,
            told.stop_price,
            told.time_in_force,
            told.flags,
            _whole(expire, "expire", "nanoseconds") if expire else 0,
            tag,
            told.special,
            position,
        )
        session.broker.submit(order)
        return order

    def bracket(
        self,
        side: Side,
        instrument: Instrument,
        quantity: int,
        *,
        take_profit: int,
        stop_loss: int,
        tag: str = "",
        **entry: Any,
    ) -> Bracket:
        """An order with its two exits: as much as it fills, so much waits at ``take_profit`` (limit) and ``stop_loss``
        (stop), and what one of them trades the other loses. ``entry``: terms of the order itself, as in ``order``.
        """
        first = self.order(side, instrument, quantity, remember=True, tag=tag, **entry)
        terms: dict[str, Any] = {"parent": first, "venue": first.venue, "tag": tag}
        profit = self.order(side.opposite, instrument, quantity, limit=take_profit, **terms)
        loss = self.order(side.opposite, instrument, quantity, stop=stop_loss, partner=profit, **terms)
        return Bracket(first, profit, loss)

    def cancel_everything(self, instrument: Instrument | None = None, *, venue: str | None = None) -> None:
        """Mass cancel: one request to each venue for all own orders in an instrument, or in everything it trades."""
        chosen = instrument or self.instrument
        for place in [venue] if venue else self._session.venues(chosen):
            self._session.broker.cancel_everything(chosen, place, whole_venue=instrument is None)

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
        patience: int | str = PATIENCE,
        tag: str = "",
    ) -> RoutedOrder:
        """Split an order over venues, cheapest first after fees, and follow it up until it is filled or cannot be.

        ``style``: "spray" takes from all venues at once, "sequential" from one after the other, "together" so that
        all orders arrive at the same time, as far as the delays of the feeds tell. ``rest``, what cannot be had within
        the ``limit``: "cancel" gives it up, "post" leaves it at the limit where making is cheapest, "wait" takes it
        when it is offered. ``patience``: how long to wait for a venue to tell what is left there. It sees the best
        quotes, and whole books after ``consolidated_depth``. ``on_routed`` is called when it is over.
        """
        self._view(instrument, "quotes")
        router = self._router
        if router is None:
            router = Router(self._session, self._consolidate(), self.on_routed)
            object.__setattr__(self, "_router", router)
        return router.route(
            side,
            instrument,
            quantity if type(quantity) is int else _whole(quantity, "quantity", "lots"),
            limit=None if limit is None else _whole(limit, "limit", "ticks"),
            venues=venues,
            style=style,
            rest=rest,
            patience=duration(patience),
            tag=tag,
        )

    def execute(
        self, plan: Plan, instrument: Instrument | None = None, *, venue: str | None = None, tag: str = ""
    ) -> ParentOrder:
        """Let a plan work a parent order over time, beside everything else: ``self.execute(Vwap(quantity=500))``.

        The answer tells what is done and left, and can be amended and canceled; ``on_executed`` is called when it is
        over. Its child orders carry ``tag``; the agent's own hooks hear of them too, and ``owns`` tells whose they are.
        Plans: docs/execution.md.
        """
        chosen = instrument or self.instrument
        desk = self._parents
        if desk is None:
            desk = ParentDesk(self, self.on_executed)
            object.__setattr__(self, "_parents", desk)
        return desk.start(plan, chosen, venue or self._session.venues(chosen)[0], tag)

    def cancel(self, order: Order, quantity: int = 0) -> None:
        """Ask for the cancel of an order, or of ``quantity`` lots of it.

        An order that is over, or whose cancel is under way, is left alone.
        """
        lots = _whole(quantity, "quantity", "lots")
        if order.live and order.reference and order.state is not _PENDING_CANCEL:
            self._session.broker.cancel(order, lots)

    def cancel_all(self, instrument: Instrument | None = None, side: Side | None = None) -> int:
        """Ask for the cancel of all own orders whose cancel is not under way already; how many."""
        orders = [o for o in self.orders(instrument, side) if o.state is not _PENDING_CANCEL]
        for order in orders:
            self._session.broker.cancel(order)
        return len(orders)

    def replace(
        self, order: Order, *, limit: int | None = None, quantity: int | None = None, stop: int | None = None
    ) -> None:
        """Ask for new terms; what is not given stays. ``quantity`` is the new total, including fills.

        An order that is over is left alone.
        """
        self._session.broker.replace(
            order,
            order.price if limit is None else _whole(limit, "limit", "ticks"),
            order.quantity if quantity is None else _whole(quantity, "quantity", "lots"),
            order.stop_price if stop is None else _whole(stop, "stop", "ticks"),
        )

    def subscribe(
        self,
        instrument: Instrument | None = None,
        *,
        quotes: bool = False,
        trades: bool = False,
        levels: bool = False,
        orders: bool = False,
        status: bool = False,
        indicative: bool = False,
        bars: int | str | None = None,
        imbalance: float | None = None,
        interval: int | str | None = None,
        venue: str | None = None,
    ) -> None:
        """Ask for market data, of every venue of the instrument unless one is named. Asking again changes nothing.

        ``orders``: each displayed order (L3). ``status``: phases of trading; ``indicative``: what an auction would come
        to. ``bars="1min"``: bars of that length (ns, or text), each at its end; ask for several lengths one by one.

        ``interval="100ms"``: quotes and levels are conflated: after the present state at most one update in each
        interval, with the latest state, and the last change always arrives. An interval that was asked for stays.

        ``imbalance=0.9``: tell ``on_imbalance`` when one side comes to hold more than 90 % of all lots in the book, and
        when it no longer does.
        """
        asked = {
            "quotes": quotes, "trades": trades, "levels": levels, "orders": orders, "status": status,
            "indicative": indicative, "bars": bars, "imbalance": imbalance, "interval": interval,
        }  # fmt: skip
        chosen = instrument or self.instrument
        request = MarketDataRequest.of(asked)
        for place in [venue] if venue else self._session.venues(chosen):
            self._session.subscribe(chosen, place, request)

    def subscriptions(self) -> dict[str, Any]:
        """The market data to which it is subscribed when it begins: what its hooks take. Override it to choose.

        What ``subscribe`` takes, by name.
        """
        return {
            "quotes": overrides(self, "on_quote") or overrides(self, "on_consolidated"),
            "trades": overrides(self, "on_trade"),
            "levels": overrides(self, "on_level") or overrides(self, "on_book"),
            "orders": overrides(self, "on_order_update"),
            "status": overrides(self, "on_status"),
            "indicative": overrides(self, "on_indicative"),
        }

    def keep_book(self, instrument: Instrument | None = None, *, venue: str | None = None) -> LocalBook:
        """The book of a venue (the preferred one unless one is named) as its feed tells it, from now on.

        It is up to date when ``on_level`` and ``on_book`` are called. When something was lost on the way it is not
        ``synchronized``, and asks the venue for a snapshot itself.
        """
        chosen = instrument or self.instrument
        return self._session.keep_book(chosen, venue or self._session.venues(chosen)[0])

    def ask_book(self, instrument: Instrument | None = None, *, venue: str | None = None) -> None:
        """Ask a venue (the preferred one unless one is named) for its whole book; the answer comes to ``on_book``."""
        chosen = instrument or self.instrument
        self._session.ask_book(chosen, venue or self._session.venues(chosen)[0])

    def ask_quote(self, instrument: Instrument | None = None, *, venue: str | None = None) -> None:
        """Ask a venue (the preferred one unless one is named) for its best quotes; the answer comes to ``on_quote``.

        For agents that look only now and then: leave ``quotes`` out of ``subscriptions``.
        """
        chosen = instrument or self.instrument
        self._session.ask_quote(chosen, venue or self._session.venues(chosen)[0])

    def ask_volume(
        self, lookback: int | str, instrument: Instrument | None = None, *, venue: str | None = None
    ) -> None:
        """Ask a venue what was traded within a time back (ns, or "5min"); the answer comes to ``on_volume``.

        A venue remembers trades from the first time that anybody asks, for the longest time that was asked for: ask
        once at the start.
        """
        chosen, time = instrument or self.instrument, duration(lookback)
        if time <= 0:
            raise InvalidValueError(f"ask_volume({lookback!r}): the time to look back must be above zero")
        self._session.ask_volume(chosen, venue or self._session.venues(chosen)[0], time)

    # --- time ---

    def after(self, delay: int | str, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function after a delay (ns, or text such as "1s")."""
        clock = self._session.clock
        clock.call_at(clock.now + (delay if type(delay) is int else duration(delay)), function, *arguments)

    def at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function at a time in ns."""
        self._session.clock.call_at(time, function, *arguments)

    def every(self, interval: int | str, function: Callable[[], Any]) -> Callable[[], None]:
        """Call a function at regular intervals, first after one interval, until the run ends or the answer is called.

        Beats that a busy agent has missed are left out; the later ones keep the beat.
        """
        period = duration(interval)
        if period <= 0:
            raise InvalidValueError(f"every({interval!r}): the interval must be above zero")

        going = True

        def again(due: int) -> None:
            if not going:
                return
            due = max(due + period, due + -(-(self.now - due) // period) * period)
            self._session.clock.call_at(due, again, due)
            function()

        def stop() -> None:
            nonlocal going
            going = False

        self._session.clock.call_at(self.now + period, again, self.now + period)
        return stop

    def sleep(self, delay: int | str) -> Any:
        """To be yielded in a process, which goes on after the delay, even while the agent is busy."""
        return self._session.clock.sleep(duration(delay))

    def process(self, generator: Generator[Any, Any, Any]) -> Any:
        """Run a process in the manner of SimPy: ``yield self.sleep("1s")`` lets time pass."""
        return self._session.clock.process(generator)

    # --- risk ---

    def emergency_stop(self, *, flatten: bool = False, text: str = "by its own hand") -> None:
        """Cancel all and let no order pass until ``resume_trading``; ``flatten`` closes positions too."""
        self._session.guard.emergency_stop(flatten=flatten, text=text)

    def resume_trading(self, text: str = "by its own hand") -> None:
        """Orders pass again, whatever stopped them; a stop of the whole firm stays."""
        self._session.guard.resume(text)

    # --- parameters and remarks ---

    def parameters(self) -> dict[str, Any]:
        """The agent's parameters: its dataclass fields."""
        return {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init and not f.name.startswith("_")
        }

    def set(self, **changes: Any) -> None:
        """Change parameters while running: all of them or, when one breaks a rule, none.

        The agent's ``__post_init__`` checks and converts them on a copy, ``on_parameters`` is called when they are in
        force, and each change is written into the run's annotations.
        """
        known = self.parameters()
        for name in changes:
            if name not in known:
                raise InvalidValueError(f"{self.name}: no parameter {name!r}{did_you_mean(name, known)}")
        for name, value in self._checked(changes).items():
            setattr(self, name, value)
        for name in changes:
            self.note(f"parameter {name}", repr(getattr(self, name)))
        self.on_parameters()

    def _checked(self, changes: dict[str, Any]) -> dict[str, Any]:
        """The changes as the class's own rules accept and convert them."""
        trial = copy.copy(self)
        for name, value in changes.items():
            setattr(trial, name, value)
        check = getattr(trial, "__post_init__", None)
        if check is not None:
            check()
        return {name: getattr(trial, name) for name in changes}

    def note(self, key: str, value: str) -> None:
        """Write a remark into the run: a reason, a label, a signal."""
        self._session.note(key, value)

    def bind(self, session: Session) -> None:
        """Called once, by whoever runs the agent, before ``on_start``."""
        _check_declared(type(self))
        object.__setattr__(self, "_session", session)
        if overrides(self, "on_consolidated"):
            self._consolidate()

    # --- several venues ---

    def _consolidate(self) -> Consolidation:
        """The agent's views of its instruments, kept from the first time on that somebody needs them."""
        if self._consolidation is not None:
            return self._consolidation
        session = self._session
        views = [View(instrument, session.venues(instrument)) for instrument in session.instruments]
        made = Consolidation(lambda: session.clock.now, views)
        if overrides(self, "on_consolidated"):
            made.changed.append(lambda view: self.on_consolidated(view.quote(self.now)))
        session.listen(made)
        object.__setattr__(self, "_consolidation", made)
        return made

    def _follow(self, name: str) -> IndexView:
        """Look at an index from now on."""
        session = self._session
        basket = session.baskets.get(name)
        if basket is None:
            near = did_you_mean(name, session.baskets) or "; the scenario has no indices"
            raise InvalidValueError(f"{self.name}: no index is called {name!r}{near}")
        members = {instrument.symbol: instrument for instrument in session.instruments}
        for symbol in basket.members:
            if symbol not in members or basket.venue not in session.venues(members[symbol]):
                raise InvalidValueError(
                    f"{self.name} does not see {symbol} on {basket.venue}, a member of {name}: let it trade there"
                )
        made = IndexView(basket, members, session.clock, self.on_index)
        object.__setattr__(self, "_indices", {**self._indices, name: made})
        self._consolidate().changed.append(made.take)
        for symbol in basket.members:
            made.take(self._view(members[symbol], "quotes"))
        return made

    def _view(self, instrument: Instrument, wanted: str) -> View:
        """The view of an instrument, with a subscription to its ``quotes`` or ``levels``."""
        views = self._consolidate().views
        if instrument.symbol not in views:
            self._session.venues(instrument)  # says what is wrong
        view = views[instrument.symbol]
        if wanted not in view.asked:
            view.asked.update((wanted, "quotes"))
            for venue in view.venues:
                if wanted == "levels":
                    view.books[venue] = self._session.keep_book(instrument, venue)
                self._session.subscribe(instrument, venue, MarketDataRequest.of({"quotes": True}))
        return view


def overrides(agent: Agent, hook: str) -> bool:
    """Whether an agent has a hook of its own."""
    return getattr(type(agent), hook) is not getattr(Agent, hook) or hook in vars(agent)


def _check_declared(kind: type) -> None:
    """A class that declares fields must be a dataclass itself, or they would be no parameters."""
    own = [name for name, hint in vars(kind).get("__annotations__", {}).items() if "ClassVar" not in str(hint)]
    if own and "__dataclass_fields__" not in vars(kind):
        raise InvalidValueError(
            f"{kind.__name__} declares {own[0]!r} but is no dataclass: put @dataclass above the class, so that its "
            "fields are parameters"
        )


def _whole(value: Any, what: str, unit: str) -> int:
    """An int at the door: compiled code would cut a float without a word."""
    try:
        return index(value)
    except TypeError:
        way = "" if unit == "nanoseconds" else f"; round it, or use the instrument's to_{unit}()"
        raise InvalidValueError(f"{what} {value!r} is not a whole number of {unit}{way}") from None
