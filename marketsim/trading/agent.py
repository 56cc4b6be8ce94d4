"""An agent: a trader with its own mind. Subclass it, declare parameters as dataclass fields, override hooks.

An agent sees its broker, its clock, its random streams, the market data delivered to it and the feeds it asks for, and
nothing else; so the same class runs simulated, replayed, backtested, on paper and live. Overriding ``on_quote``,
``on_trade`` or ``on_level`` subscribes to that data for all of the agent's instruments.

Prices are int ticks, quantities int lots, times int nanoseconds; ``instrument.price(ticks)`` and
``instrument.to_ticks(price)`` convert.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from typing import Any

from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import BookSnapshot, LevelUpdate, Quote, Report, TradePrint
from marketsim.domain.order import OrderFlag, OrderType, Side, TimeInForce
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, did_you_mean
from marketsim.kernel.random import Stream
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Portfolio
from marketsim.trading.ports import Feed, Session


class Agent:
    """Base of every trader written in Python."""

    _session: Session

    # --- hooks, to be overridden ---

    def on_start(self) -> None:
        """The run begins."""

    def on_stop(self) -> None:
        """The run ends; orders sent now go nowhere."""

    def on_quote(self, quote: Quote) -> None:
        """The best bid or ask of an instrument changed."""

    def on_trade(self, trade: TradePrint) -> None:
        """Somebody traded."""

    def on_level(self, update: LevelUpdate) -> None:
        """The quantity at a price changed."""

    def on_book(self, book: BookSnapshot) -> None:
        """A whole book, after subscribing to levels."""

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

    def on_news(self, feed: str, text: str, shock: float) -> None:
        """News on an information feed; ``shock`` in ticks."""

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
            if (instrument is None or order.instrument is instrument) and (side is None or order.side is side)
        ]

    def feed(self, name: str) -> Feed:
        """An information feed by name."""
        return self._session.feed(name)

    def random(self, purpose: str) -> Stream:
        """This agent's random draws for a purpose; the same object each time."""
        return self._session.stream(purpose)

    # --- acting ---

    def buy(self, instrument: Instrument, quantity: int, **terms: Any) -> Order:
        """Send a buy order; see ``order``."""
        return self.order(Side.BUY, instrument, quantity, **terms)

    def sell(self, instrument: Instrument, quantity: int, **terms: Any) -> Order:
        """Send a sell order; see ``order``."""
        return self.order(Side.SELL, instrument, quantity, **terms)

    def order(
        self,
        side: Side,
        instrument: Instrument,
        quantity: int,
        *,
        limit: int | None = None,
        stop: int | None = None,
        time_in_force: TimeInForce | None = None,
        post_only: bool = False,
        expire: int = 0,
        venue: str | None = None,
        tag: str = "",
    ) -> Order:
        """Send an order: market without ``limit``, a stop with ``stop``. Prices in ticks, quantity in lots.

        ``expire`` (ns) makes it good till date. The default time in force is good till cancel, and immediate or cancel
        for market orders. ``tag`` is kept with the order, for the agent's own use.
        """
        if limit is None:
            kind = OrderType.MARKET if stop is None else OrderType.STOP
        else:
            kind = OrderType.LIMIT if stop is None else OrderType.STOP_LIMIT
        if time_in_force is None:
            time_in_force = TimeInForce.GTD if expire else TimeInForce.GTC
            if kind is OrderType.MARKET:
                time_in_force = TimeInForce.IOC
        session = self._session
        order = Order(
            session.next_client_order_id(),
            instrument,
            venue or session.venues(instrument)[0],
            side,
            kind,
            quantity,
            limit or 0,
            stop or 0,
            time_in_force,
            OrderFlag.POST_ONLY if post_only else OrderFlag.NONE,
            expire,
            tag,
        )
        session.broker.submit(order)
        return order

    def cancel(self, order: Order, quantity: int = 0) -> None:
        """Ask for the cancel of an order, or of ``quantity`` lots of it."""
        self._session.broker.cancel(order, quantity)

    def cancel_all(self, instrument: Instrument | None = None, side: Side | None = None) -> int:
        """Ask for the cancel of all own orders; how many."""
        orders = self.orders(instrument, side)
        for order in orders:
            self._session.broker.cancel(order)
        return len(orders)

    def replace(
        self, order: Order, *, limit: int | None = None, quantity: int | None = None, stop: int | None = None
    ) -> None:
        """Ask for new terms; what is not given stays. ``quantity`` is the new total, including fills."""
        self._session.broker.replace(
            order,
            order.price if limit is None else limit,
            order.quantity if quantity is None else quantity,
            order.stop_price if stop is None else stop,
        )

    def subscribe(
        self,
        instrument: Instrument | None = None,
        *,
        quotes: bool = False,
        trades: bool = False,
        levels: bool = False,
        venue: str | None = None,
    ) -> None:
        """Ask for market data, of every venue of the instrument unless one is named."""
        chosen = instrument or self.instrument
        for place in [venue] if venue else self._session.venues(chosen):
            self._session.subscribe(chosen, place, quotes=quotes, trades=trades, levels=levels)

    # --- time ---

    def after(self, delay: int | str, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function after a delay (ns, or text such as "1s")."""
        self._session.clock.call_at(self.now + duration(delay), function, *arguments)

    def at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function at a time in ns."""
        self._session.clock.call_at(time, function, *arguments)

    def every(self, interval: int | str, function: Callable[[], Any]) -> None:
        """Call a function at regular intervals, first after one interval, for as long as the run lasts."""
        period = duration(interval)
        if period <= 0:
            raise InvalidValueError(f"every({interval!r}): the interval must be above zero")

        def again(due: int) -> None:
            self._session.clock.call_at(due + period, again, due + period)
            function()

        self._session.clock.call_at(self.now + period, again, self.now + period)

    def sleep(self, delay: int | str) -> Any:
        """To be yielded in a process."""
        return self._session.clock.sleep(duration(delay))

    def process(self, generator: Generator[Any, Any, Any]) -> Any:
        """Run a process in the manner of SimPy: ``yield self.sleep("1s")`` lets time pass."""
        return self._session.clock.process(generator)

    # --- parameters and remarks ---

    def parameters(self) -> dict[str, Any]:
        """The agent's parameters: its dataclass fields."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init} if _is_data(self) else {}

    def set(self, **changes: Any) -> None:
        """Change parameters while running; each change is written into the run's annotations."""
        known = self.parameters()
        for name, value in changes.items():
            if name not in known:
                raise InvalidValueError(f"{self.name}: no parameter {name!r}{did_you_mean(name, known)}")
            setattr(self, name, value)
            self.note(f"parameter {name}", repr(value))

    def note(self, key: str, value: str) -> None:
        """Write a remark into the run: a reason, a label, a signal."""
        self._session.note(key, value)

    def bind(self, session: Session) -> None:
        """Called once, by whoever runs the agent, before ``on_start``."""
        self._session = session


def _is_data(agent: object) -> bool:
    return dataclasses.is_dataclass(agent)
