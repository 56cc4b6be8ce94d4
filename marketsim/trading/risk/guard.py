"""The guard in front of a broker: the same object simulated and live, one a strategy.

It asks the strategy's own limits and the firm's before an order leaves, follows what is open and held, stops the
strategy and closes its positions when it has to, and tells every decision: to the log, and to the strategy. It matches
nothing and decides nothing about the market.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Protocol

from marketsim.domain.instrument import Instrument
from marketsim.domain.limits import Limits
from marketsim.domain.order import OrderState, OrderType, Side, TimeInForce
from marketsim.domain.risk import NOTE, Action, RiskEvent, Severity
from marketsim.domain.units import MILLISECOND
from marketsim.trading.order import Order
from marketsim.trading.portfolio import Portfolio
from marketsim.trading.risk.checks import Check
from marketsim.trading.risk.holding import Book
from marketsim.trading.risk.scope import AGENT, Scope, Told

OWN = 1_000_000_000
"""The guard's own orders have this number or a higher one; strategies are not told of their reports."""
_RETRY = 250 * MILLISECOND
_PENDING_CANCEL = OrderState.PENDING_CANCEL


class Guarded(Protocol):
    """A session, as its guard sees it."""

    name: str
    instruments: tuple[Instrument, ...]
    portfolio: Portfolio

    @property
    def now(self) -> int:
        """ns."""

    def mark(self, instrument: Instrument) -> float:
        """The market's price of an instrument in ticks: its mid, else its last trade, else its reference."""

    def open_orders(self) -> Iterable[Order]:
        """Orders that may still trade."""

    def cancel(self, order: Order) -> None:
        """Ask for the cancel of an order."""

    def send(self, order: Order) -> None:
        """Send an order past all checks."""

    def venues(self, instrument: Instrument) -> tuple[str, ...]:
        """Where an instrument may be traded."""

    def aside(self, time: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call the guard at a time, beside what the strategy does."""

    def note(self, key: str, value: str) -> None:
        """Write a remark."""

    def tell_risk(self, event: RiskEvent) -> None:
        """Tell the strategy, when it is free."""


class Guard:
    """Limits of one strategy, and of the firm that it belongs to.

    session: of the strategy. limits: its own. firm: the scope of all strategies, None where there is none.
    capital: what shares of its own limits are of.
    """

    __slots__ = (
        "_books", "_canceled", "_due", "_first", "_held", "_open", "_orders", "_pausing", "_scopes", "_sent",
        "_session", "_working", "firm", "own",
    )  # fmt: skip

    def __init__(self, session: Guarded, limits: Limits | None, capital: float, firm: Scope | None = None) -> None:
        self._session = session
        self.own = Scope(limits or Limits(), session.instruments, session.mark, capital, AGENT)
        self.firm = firm
        self._scopes = [self.own] if firm is None else [self.own, firm]
        self._books = [scope.book for scope in self._scopes]
        for scope in self._scopes:
            scope.members.append(self)
        self._pausing = False  # whether what only reduces a position stays, while nothing passes
        self._due, self._working = -1, False  # when it goes on to cancel and close, and whether there is anything left
        self._open: dict[int, int] = {}  # lots by the broker's reference
        self._held: dict[str, int] = {}
        self._sent: dict[str, int] = {}  # symbol -> ns of the latest closing order
        self._canceled: dict[int, int] = {}  # reference -> ns, when the cancel was asked for
        self._orders = 0
        self._first: float | None = None  # what the strategy was worth at the first look
        for order in session.open_orders():
            self.count(order, order.leaves)
        for symbol in session.portfolio.lots:
            self.moved(symbol)

    def start(self) -> None:
        """Begin to look at the live limits; the firm's with its first strategy."""
        for scope in self._scopes:
            if scope.step:
                self.gain(scope.book)  # from now on
            if scope.step and scope.members[0] is self:
                self._look(scope)

    # --- before an order leaves ---

    def refuses(self, order: Order, quantity: int, price: int, now: int, *, replace: bool = False) -> bool:
        """Whether an order, or new terms of one with ``quantity`` in total, must not leave."""
        before = self._open.get(order.reference, 0) if replace else 0
        for scope in self._scopes:
            check = scope.judge(order, quantity, price, before, now)
            if check is not None:
                self._refuse(scope, check, order, quantity, price, replace)
                return True
        for scope in self._scopes:
            for rate in scope.rates:
                rate.times.append(now)
            if scope.pending:
                self._pass_warnings(scope)
        return False

    def _refuse(self, broken: Scope, check: Check, order: Order, quantity: int, price: int, replace: bool) -> None:
        value, now, symbol = broken.measured(check), self._session.now, order.instrument.symbol
        before = self._open.get(order.reference, 0) if replace else 0
        allowed = quantity
        for scope in self._scopes:
            scope.consider(order, quantity, price, before, now)
            allowed = min(allowed, scope.largest(quantity))
            scope.pending.clear()
        what = f"replace of order {order.client_order_id}" if replace else f"order {order.client_order_id}"
        whose = "" if broken.kind == AGENT else f"{broken.kind}: "
        text = f"{what} refused: {whose}{check.say(value)}; {_passing(allowed)}"
        rule = (Severity.BREACH, Action.REFUSE, value, check.limit)
        self._emit(RiskEvent(now, self._session.name, broken.kind, check.rule, *rule, allowed, symbol,
                             order.client_order_id, text))  # fmt: skip

    def _pass_warnings(self, scope: Scope) -> None:
        pending, scope.pending = scope.pending, []
        for told in pending:
            self.tell(scope, told)

    # --- what is open and held ---

    def count(self, order: Order, lots: int) -> None:
        """So many lots of an order are open now."""
        reference = order.reference
        more = lots - self._open.get(reference, 0)
        if more:
            if lots:
                self._open[reference] = lots
            else:
                del self._open[reference]
                if self._canceled:
                    self._canceled.pop(reference, None)
            for book in self._books:
                book.count(order, more)
        if self._working:
            self._plan(self._session.now)

    def moved(self, symbol: str) -> None:
        """The position in an instrument has changed."""
        lots = self._session.portfolio.lots.get(symbol, 0)
        gained = lots - self._held.get(symbol, 0)
        self._held[symbol] = lots
        for book in self._books:
            book.by_symbol[symbol].position += gained
        if self._pausing:  # what has only reduced it may no longer do so
            self._working = True
            self._plan(self._session.now)

    # --- as a member of its scopes ---

    def gain(self, book: Book) -> float:
        """Money that the strategy has gained since its beginning."""
        marks = {
            symbol: Decimal(held.mark) * held.instrument.tick_size
            for symbol, held in book.by_symbol.items()
            if symbol in self._held
        }
        worth = float(self._session.portfolio.value(marks))
        if self._first is None:
            self._first = worth
        return worth - self._first

    def tell(self, scope: Scope, told: Told) -> None:
        """An event for the log and for the strategy."""
        rule, severity, action, value, limit, text, symbol = told
        name, now = self._session.name, self._session.now
        self._emit(RiskEvent(now, name, scope.kind, rule, severity, action, value, limit, -1, symbol, 0, text))

    def obey(self) -> None:
        """Cancel, and close, as the strongest hold says."""
        self._pausing = self._only_pauses()
        if self._must_cancel():
            self._working = True
            self._plan(self._session.now)
        elif any(scope.holding is Action.BLOCK for scope in self._scopes):
            self._session.aside(self._session.now, self._cancel_opening)

    # --- stopping by hand ---

    def emergency_stop(
        self, *, flatten: bool = False, text: str = "by hand", rule: str = "emergency_stop", until: int | None = None
    ) -> None:
        """Cancel all, let nothing pass any more and, where asked for, close the positions; until ``resume``."""
        action = Action.FLATTEN if flatten else Action.STOP
        self.own.hold(rule, action, Told(rule, Severity.CRITICAL, action, 0.0, 0.0, text), until)
        if until is not None:
            self._session.aside(until, self.own.resume, rule, "the time of the stop is over")

    def resume(self, text: str = "by hand", *, firm: bool = False) -> None:
        """Whatever has stopped the strategy is over; what stopped the firm too, where that is asked for."""
        for scope in self._scopes if firm else [self.own]:
            for rule in tuple(scope.holds):
                scope.resume(rule, text)

    @property
    def stopped(self) -> bool:
        """Whether nothing passes."""
        return self._must_cancel()

    # --- cancelling and closing ---

    def _must_cancel(self) -> bool:
        return any(scope.holding not in (None, Action.BLOCK) for scope in self._scopes)

    def _only_pauses(self) -> bool:
        holding = [scope.holding for scope in self._scopes]
        return Action.PAUSE in holding and not {Action.STOP, Action.FLATTEN}.intersection(holding)

    def _must_close(self) -> bool:
        return any(scope.holding is Action.FLATTEN for scope in self._scopes)

    def _plan(self, time: int) -> None:
        """Go on at a time, unless that is planned already, or earlier."""
        if self._due < 0 or time < self._due:
            self._due = time
            self._session.aside(time, self._go_on, time)

    def _go_on(self, time: int) -> None:
        """Ask for what is still to be canceled and closed; comes back until nothing is left, or the hold is over."""
        if time != self._due:
            return
        self._due = -1
        self._working = self._must_cancel() and (self._cancel_all() or (self._must_close() and self._close_all()))
        if self._working:
            self._plan(self._session.now + _RETRY)

    def _cancel_all(self) -> bool:
        """Whether an order of the strategy is open still that must not be."""
        left = [order for order in self._session.open_orders() if order.client_order_id < OWN]
        if self._pausing:
            left = [order for order in left if not self._only_reduces(order)]
        for order in left:
            self._cancel(order)
        return bool(left)

    def _only_reduces(self, order: Order) -> bool:
        """Whether all that is open of an order could do no more than close the position."""
        held = self._held.get(order.instrument.symbol, 0)
        return order.side * held < 0 and order.leaves <= abs(held)

    def _cancel(self, order: Order) -> None:
        """Ask for a cancel; anew after a while, where the venue refuses it."""
        now = self._session.now
        if order.state is not _PENDING_CANCEL and now - self._canceled.get(order.reference, -_RETRY) >= _RETRY:
            self._canceled[order.reference] = now
            self._session.cancel(order)

    def _cancel_opening(self) -> None:
        """Of what is open only what reduces a position stays."""
        for order in list(self._session.open_orders()):
            held = self._held.get(order.instrument.symbol, 0)
            if order.side * held >= 0:
                self._cancel(order)

    def _close_all(self) -> bool:
        """Whether a position is there still."""
        closing = {order.instrument.symbol for order in self._session.open_orders()}
        left = False
        for instrument in self._session.instruments:
            lots = self._held.get(instrument.symbol, 0)
            left = left or lots != 0
            if lots and instrument.symbol not in closing:
                self._close(instrument, lots)
        return left

    def _close(self, instrument: Instrument, lots: int) -> None:
        """Send what closes a position at any price; anew after a while, on the next venue, where that did not do."""
        now = self._session.now
        if now - self._sent.get(instrument.symbol, -_RETRY) < _RETRY:
            return
        self._sent[instrument.symbol] = now
        venues = self._session.venues(instrument)
        venue, number = venues[self._orders % len(venues)], OWN + self._orders
        self._orders += 1
        side = Side.SELL if lots > 0 else Side.BUY
        self._session.send(
            Order(number, instrument, venue, side, OrderType.MARKET, abs(lots), time_in_force=TimeInForce.IOC, tag=NOTE)
        )

    # --- inner ---

    def _look(self, scope: Scope) -> None:
        now = self._session.now
        scope.look(now)
        self._session.aside(now + scope.step, self._look, scope)

    def _emit(self, event: RiskEvent) -> None:
        self._session.note(NOTE, event.note())
        self._session.tell_risk(event)


def _passing(allowed: int) -> str:
    """How much of a refused order would have passed, in words."""
    return f"at most {allowed} pass" if allowed else "nothing passes"
