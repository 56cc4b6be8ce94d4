"""The ports through which an agent reaches its market: Broker, Clock and Session.

Each is implemented by siblings (simulated, replay, paper, live), so the same agent class runs on any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from marketsim.domain.basket import Basket
from marketsim.domain.instrument import Instrument
from marketsim.kernel.random import Stream
from marketsim.trading.book import LocalBook
from marketsim.trading.consolidated import Listener
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Portfolio
from marketsim.trading.request import MarketDataRequest
from marketsim.trading.risk import Guard


class Broker(Protocol):
    """Takes orders to a venue. A refusal is a report, never an exception."""

    def submit(self, order: Order) -> None:
        """Send a new order."""

    def cancel(self, order: Order, quantity: int = 0) -> None:
        """Ask for the cancel of an order, or of some lots of it, whatever its state: the venue refuses what is over."""

    def cancel_everything(self, instrument: Instrument, venue: str, *, whole_venue: bool = False) -> None:
        """Ask a venue for the cancel of all own orders in an instrument, or in everything that it trades."""

    def replace(self, order: Order, price: int, quantity: int, stop_price: int = 0) -> None:
        """Ask for new terms; ``quantity`` is the new total."""

    def open_orders(self) -> Iterable[Order]:
        """Orders that may still trade, oldest first."""


class Clock(Protocol):
    """Tells the time and calls back."""

    @property
    def now(self) -> int:
        """ns."""

    def call_at(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function at a time, when the agent is free."""

    def sleep(self, delay: int) -> Any:
        """Something to yield in a process: resumes after ``delay`` ns."""

    def process(self, generator: Generator[Any, Any, Any]) -> Any:
        """Run a process: a generator that yields what ``sleep`` returns."""


class Feed(Protocol):
    """An information feed: something to know that is not market data."""

    def value(self, time: int) -> float:
        """Its value at a time, in ticks of its instrument."""


class Session(Protocol):
    """Everything that one agent may see and touch."""

    name: str
    broker: Broker
    clock: Clock
    portfolio: Portfolio
    instruments: tuple[Instrument, ...]
    baskets: Mapping[str, Basket]  # the indices that there are, by name

    @property
    def guard(self) -> Guard:
        """The risk control in front of the broker."""

    def next_client_order_id(self) -> int:
        """1, 2, 3 … for this participant."""

    def venues(self, instrument: Instrument) -> tuple[str, ...]:
        """Venues on which the agent may trade an instrument, the preferred one first."""

    def subscribe(self, instrument: Instrument, venue: str, request: MarketDataRequest) -> None:
        """Ask a venue for market data."""

    def ask_book(self, instrument: Instrument, venue: str) -> None:
        """Ask a venue for its whole book, once."""

    def keep_book(self, instrument: Instrument, venue: str) -> LocalBook:
        """A book that follows the venue's feed and repairs itself; the same object each time."""

    def ask_quote(self, instrument: Instrument, venue: str) -> None:
        """Ask a venue for its best quotes, once."""

    def ask_volume(self, instrument: Instrument, venue: str, lookback: int) -> None:
        """Ask a venue what was traded in the last ``lookback`` ns."""

    def fee(self, instrument: Instrument, venue: str, price: int, quantity: int, maker: bool) -> Decimal:
        """What a venue would take from a trade at ``price`` ticks of ``quantity`` lots; below zero it is a rebate."""

    def listen(self, listener: Listener) -> None:
        """From now on a listener hears what arrives, before the agent's hooks. One a session."""

    def stream(self, purpose: str) -> Stream:
        """The agent's random draws for a purpose."""

    def feed(self, name: str) -> Feed:
        """An information feed by name."""

    def note(self, key: str, value: str) -> None:
        """Write a remark into the event log's annotations, under this agent's name and the present time."""
