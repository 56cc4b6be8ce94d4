"""The driver: a Python agent for which a compiled agent's policy decides, event by event.

So a behaviour is written once: the policy that runs in populations of thousands also runs alone, on whatever session
Python agents run on, behind its broker's risk limits. The driver translates what the session tells and what the policy
wants; it never decides anything itself.
"""

from __future__ import annotations

import dataclasses
import math
from array import array
from typing import Any

from marketsim.domain.event import EventKind
from marketsim.domain.market_data import Imbalance, Indicative, Quote, Report, Status, TradePrint, Volume
from marketsim.domain.message import Kind, Wanted
from marketsim.domain.order import OrderFlag, OrderState, OrderType, Side, TimeInForce
from marketsim.errors import InvalidValueError
from marketsim.population.agent import CompiledAgent
from marketsim.population.mind import Action, Mind
from marketsim.trading.agent import Agent
from marketsim.trading.order import Order, Special
from marketsim.trading.ports import Session
from marketsim.trading.request import MarketDataRequest

_START, _WAKE, _TIMER = int(Kind.START), int(Kind.WAKE), int(Kind.TIMER)
_CONNECTION = int(Kind.CONNECTION)
_NEW, _CANCEL, _QUERY, _SUBSCRIBE = int(Kind.NEW), int(Kind.CANCEL), int(Kind.QUERY), int(Kind.SUBSCRIBE)
_ASK_VOLUME, _MASS_CANCEL, _REPORT = int(Kind.ASK_VOLUME), int(Kind.MASS_CANCEL), int(Kind.REPORT)
_QUOTE, _TRADE_PRINT, _VOLUME, _IMBALANCE, _STATUS, _INDICATIVE = (
    int(kind) for kind in (Kind.QUOTE, Kind.TRADE_PRINT, Kind.VOLUME, Kind.IMBALANCE, Kind.STATUS, Kind.INDICATIVE)
)
_HEARD = Wanted.QUOTES | Wanted.TRADES | Wanted.IMBALANCE | Wanted.STATUS | Wanted.INDICATIVE  # what policies may hear
# What is no member goes to the venue as it is, which refuses it.
_UNSIDED = (EventKind.CANCEL_REJECTED, EventKind.REPLACE_REJECTED, EventKind.MASS_CANCELED)
_SIDES: dict[int, Any] = {int(side): side for side in Side}
_TYPES: dict[int, Any] = {int(kind): kind for kind in OrderType}
_TIMES: dict[int, Any] = {int(time): time for time in TimeInForce}
_FLAGS: dict[int, Any] = {flag: OrderFlag(flag) for flag in range(32) if not flag & OrderFlag.KEPT_PRIORITY}


class Driver(Agent):
    """One compiled agent, driven from Python. It trades the first instrument of its session, on the preferred venue.

    agent: its parameters and its policy; the record that the policy works on is the driver's own.
    key: of its random draws, see ``kernel.random.key_of``.
    feed: the name of the information feed that it sees, if it sees one.
    market, number: what the policy is shown as the numbers of its market and of itself.

    An order has the same number for the policy as for the session: its ``client_order_id``.
    """

    def __init__(
        self, agent: CompiledAgent, key: int, *, feed: str | None = None, market: int = 0, number: int = 0
    ) -> None:
        self.agent = agent
        self.number = number
        self._key, self._feed_name, self._market = key, feed, market

    def bind(self, session: Session) -> None:
        """Make up the agent's mind, once the session is known."""
        super().bind(session)
        instrument = session.instruments[0]
        self._venue = session.venues(instrument)[0]
        self._feed = None if self._feed_name is None else session.feed(self._feed_name)
        self._first_id = session.next_client_order_id()
        self._orders: dict[int, Order] = {}  # what the policy knows to be open
        self._references = array("q")  # the broker's, of all orders
        cash = session.portfolio.cash[session.portfolio.currency]
        self.mind = Mind(
            self.agent,
            instrument,
            name=session.name,
            key=self._key,
            market=self._market,
            cash=int(cash / (instrument.tick_size * instrument.lot_size)),
            first_id=self._first_id,
        )

    def subscriptions(self) -> dict[str, Any]:
        """None: the policy asks itself."""
        return {}

    def parameters(self) -> dict[str, Any]:
        """The compiled agent's."""
        agent: Any = self.agent
        fields = dataclasses.fields(agent) if dataclasses.is_dataclass(agent) else ()
        return {field.name: getattr(agent, field.name) for field in fields if field.init}

    def set(self, **changes: Any) -> None:
        """Refused: a policy keeps its parameters beside its state."""
        raise InvalidValueError(
            f"{self.name}: the parameters of a compiled agent are fixed in a run, also where Python drives it; "
            f"choose {', '.join(changes) or 'them'} before it"
        )

    # --- what happens ---

    def on_start(self) -> None:
        """The run begins."""
        self._turn(_START)

    def on_quote(self, quote: Quote) -> None:
        """A quote."""
        _, _, bid, bid_quantity, ask, ask_quantity, _, last = quote
        self._turn(_QUOTE, price=bid, quantity=bid_quantity, other_price=ask, leaves=ask_quantity, expire=last)

    def on_trade(self, trade: TradePrint) -> None:
        """A public trade."""
        self._turn(_TRADE_PRINT, side=int(trade.side), price=trade.price, quantity=trade.quantity)

    def on_volume(self, volume: Volume) -> None:
        """What was traded lately."""
        self._turn(_VOLUME, quantity=volume.bought, leaves=volume.sold, expire=volume.lookback)

    def on_imbalance(self, imbalance: Imbalance) -> None:
        """A side of the book became heavy, or no longer is."""
        side = 0 if imbalance.side is None else int(imbalance.side)
        self._turn(_IMBALANCE, side=side, quantity=imbalance.bid_quantity, leaves=imbalance.ask_quantity)

    def on_status(self, status: Status) -> None:
        """The phase of trading."""
        self._turn(_STATUS, quantity=int(status.phase), reason=int(status.reason), expire=status.until)

    def on_indicative(self, indicative: Indicative) -> None:
        """What an auction would come to."""
        _, _, price, volume, surplus, side, _ = indicative
        self._turn(_INDICATIVE, price=price, quantity=volume, leaves=surplus, side=0 if side is None else int(side))

    def on_disconnected(self, venue: str) -> None:
        """The session broke."""
        self._turn(_CONNECTION, side=-1)

    def on_reconnected(self, venue: str) -> None:
        """The session is up again."""
        self._turn(_CONNECTION, side=1)

    def on_report(self, report: Report, order: Order | None) -> None:
        """Any report. One that refuses a cancel names no side, nor does one about an order without any."""
        order_id = 0 if order is None else order.client_order_id
        if order is not None and not order.live:
            self._orders.pop(order_id, None)
        side = int(report.side if order is None else order.side)
        self._turn(
            _REPORT + int(report.kind),
            order_id=order_id,
            side=0 if report.kind in _UNSIDED or side not in _SIDES else side,
            price=report.price,
            quantity=report.quantity,
            leaves=report.leaves,
            reason=int(report.reason),
            instructions=int(report.maker),
        )

    def _wake(self) -> None:
        self._turn(_WAKE)

    def _ring(self, tag: int) -> None:
        self._turn(_TIMER, expire=tag)

    # --- what the policy wants ---

    def _turn(self, kind: int, **fields: int) -> None:
        """Let the policy decide, and send what it wants in the order in which it wants it."""
        clock = self._session.clock
        value = math.nan if self._feed is None else self._feed.value(clock.now)
        wake = self.mind.turn(clock.now, self.number, value, kind, **fields)
        for action in self.mind.actions():
            self._act(action)
        if wake >= 0:
            clock.call_at(wake, self._wake)

    def _act(self, action: Action) -> None:
        session, kind = self._session, action.kind
        if kind == _NEW:
            self._submit(action)
        elif kind == _CANCEL:
            order = self._orders.get(action.order_id) or self._former(action.order_id)
            session.broker.cancel(order, action.quantity)
        elif kind == _TIMER:
            session.clock.call_at(action.price, self._ring, action.expire)
        elif kind == _QUERY:
            session.ask_quote(self.instrument, self._venue)
        elif kind == _ASK_VOLUME:
            session.ask_volume(self.instrument, self._venue, action.expire)
        elif kind == _MASS_CANCEL:
            session.broker.cancel_everything(self.instrument, self._venue)
        elif kind == _SUBSCRIBE:
            self._subscribe(action.instructions, action.price, action.expire)

    def _submit(self, action: Action) -> None:
        session = self._session
        order = self._orders[action.order_id] = Order(
            action.order_id,
            self.instrument,
            self._venue,
            _SIDES.get(action.side, action.side),
            _TYPES.get(action.order_type, action.order_type),
            action.quantity,
            action.price,
            action.other_price,
            _TIMES.get(action.time_in_force, action.time_in_force),
            _FLAGS.get(action.instructions, action.instructions),
            action.expire,
            special=self._special(action),
        )
        session.next_client_order_id()  # the id of the next one, which the policy gives itself
        session.broker.submit(order)
        self._references.append(order.reference)

    def _special(self, action: Action) -> Special | None:
        """The special terms that a policy gives an order; other orders under the policy's own numbers."""
        if not (action.display or action.minimum or action.parent or action.partner):
            return None
        parent, partner = (
            (self._orders.get(number) or self._former(number)) if number else None
            for number in (action.parent, action.partner)
        )
        return Special(action.display, action.minimum, parent, partner)

    def _former(self, order_id: int) -> Order:
        """An order that is over, as far as it takes to name it to the broker; one that never was has no reference."""
        order = Order(order_id, self.instrument, self._venue, Side.BUY, OrderType.LIMIT, 0)
        order.state = OrderState.CANCELED
        place = order_id - self._first_id
        order.reference = self._references[place] if 0 <= place < len(self._references) else 0
        return order

    def _subscribe(self, wanted: int, millionths: int, interval: int) -> None:
        heard = Wanted(wanted) & _HEARD
        share = millionths / 1_000_000 if heard & Wanted.IMBALANCE else 0.0
        if heard:
            request = MarketDataRequest(heard, interval=max(interval, 0), imbalance=share)
            self._session.subscribe(self.instrument, self._venue, request)
