"""A scope: one set of limits over one strategy, or over all strategies of a firm, and what became of it.

It judges orders before they leave, looks at its live limits from time to time, and tells its guards to stop. It sends
nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from marketsim.domain.instrument import Instrument
from marketsim.domain.limits import Limits
from marketsim.domain.order import OrderType
from marketsim.domain.risk import Action, Severity
from marketsim.domain.units import MINUTE, format_duration
from marketsim.trading.order import Order
from marketsim.trading.risk.checks import Ask, Check, Hold, Rate, checks_of
from marketsim.trading.risk.history import History
from marketsim.trading.risk.holding import Book
from marketsim.trading.risk.live import Standing, rules_of

AGENT, FIRM = "agent", "firm"
_QUIET = MINUTE  # ns that a limit must not have been near, before it is told again that it is
_LIMIT, _STOP_LIMIT = OrderType.LIMIT, OrderType.STOP_LIMIT
_STRENGTH = {Action.BLOCK: 1, Action.PAUSE: 2, Action.STOP: 3, Action.FLATTEN: 4}


class Told(NamedTuple):
    """What a scope has to say; the guards make events of it."""

    rule: str
    severity: Severity
    action: Action
    value: float
    limit: float
    text: str
    symbol: str = ""


class Member(Protocol):
    """A guard, as its scopes see it."""

    def gain(self, book: Book) -> float:
        """Money that the strategy has gained so far, at the marks of a book."""

    def tell(self, scope: Scope, told: Told) -> None:
        """Something was decided that concerns the strategy."""

    def obey(self) -> None:
        """The holds of a scope have changed."""


class Scope:
    """Limits over one book.

    kind: AGENT or FIRM. capital: what shares are of. mark: tells the price of an instrument in ticks.
    """

    __slots__ = (
        "_ask", "_breached", "_checks", "_hold", "_marked", "_measures", "_near", "_own_checks", "_rules", "_sampled",
        "book", "capital", "history", "holds", "kind", "limits", "members", "pending", "rates", "standing",
    )  # fmt: skip

    def __init__(
        self,
        limits: Limits,
        instruments: Iterable[Instrument],
        mark: Callable[[Instrument], float],
        capital: float,
        kind: str = AGENT,
    ) -> None:
        self.kind, self.limits = kind, limits
        self.book = Book(instruments, mark)
        self.history = History(len(self.book.all), limits.samples, _ns(limits.sample_every))
        self.capital = capital if limits.capital is None else limits.capital
        self.standing = Standing(self.capital, self.book)
        self.members: list[Member] = []
        self.holds: dict[str, tuple[Action, int | None]] = {}  # rule -> what it does, and until when
        self.pending: list[Told] = []  # warnings that nobody has been told yet
        self._own_checks = checks_of(limits, self.book, self.history, self.capital)
        self._checks: list[Check] = self._own_checks
        self._measures = [(check.measure, check) for check in self._checks]  # looked up once, not for each order
        self._rules = rules_of(limits, self.capital)
        self.rates = [check for check in self._own_checks if isinstance(check, Rate)]
        self._marked = any(check.marked for check in self._own_checks)
        self._hold = Hold()
        self._ask = Ask()
        self._near: dict[tuple[str, str], int] = {}  # rule and symbol -> ns when it was last above the warning
        self._breached: set[str] = set()
        self._sampled = -1

    # --- before an order leaves ---

    def consider(self, order: Order, quantity: int, price: int, before: int, now: int) -> Ask:
        """An order, or new terms of one of which ``before`` lots are open, beside what is held and open."""
        ask, side = self._ask, order.side
        held = ask.held = self.book.by_symbol[order.instrument.symbol]
        if self._marked and now - held.marked >= self.book.fresh:
            self.book.refresh(held, now)
        kind = order.order_type
        ask.side, ask.price, ask.priced = side, price, kind is _LIMIT or kind is _STOP_LIMIT
        fresh = quantity - order.filled
        others = (held.position + held.buys if side > 0 else held.sells - held.position) - before
        ask.now, ask.quantity, ask.fresh, ask.before = now, quantity, fresh, before
        ask.reached, ask.closing = others + fresh, -others
        return ask

    def judge(self, order: Order, quantity: int, price: int, before: int, now: int) -> Check | None:
        """The check that an order, or new terms of one, fails, if it fails one."""
        ask = self.consider(order, quantity, price, before, now)
        for measure, check in self._measures:
            if measure(ask) > check.soft:
                return self._weigh(ask)
        return None

    def measured(self, check: Check) -> float:
        """What the order considered last would lead to."""
        return check.measure(self._ask)

    def largest(self, most: int) -> int:
        """The largest quantity of the order considered last, up to ``most``, that would pass; 0 when none would."""
        ask = self._ask
        filled = low = ask.quantity - ask.fresh
        high = most
        while low < high:
            middle = (low + high + 1) // 2
            ask.resize(middle)
            if all(check.measure(ask) <= check.limit for check in self._checks):
                low = middle
            else:
                high = middle - 1
        return low if low > filled else 0

    def _weigh(self, ask: Ask) -> Check | None:
        """The whole answer, once a limit is near."""
        values = [check.measure(ask) for check in self._checks]
        for check, value in zip(self._checks, values, strict=True):
            if value > check.limit:
                return check
        for check, value in zip(self._checks, values, strict=True):
            if value > check.soft:
                self._warn(check, value, ask)
        return None

    def _warn(self, check: Check, value: float, ask: Ask) -> None:
        symbol = ask.held.instrument.symbol
        if self._crosses(check.rule, symbol, ask.now):
            text = check.say(value).replace(" above ", " near ")
            self.pending.append(Told(check.rule, Severity.WARNING, Action.WARN, value, check.limit, text, symbol))

    def _crosses(self, rule: str, symbol: str, now: int) -> bool:
        """Whether a limit is near that was not near for a while."""
        last = self._near.get((rule, symbol))
        self._near[rule, symbol] = now
        return last is None or now - last > _QUIET

    # --- while it trades ---

    @property
    def step(self) -> int:
        """ns between two looks; 0 where there is nothing to look at."""
        limits = self.limits
        if not limits.live:
            return 0
        times = [_ns(limits.every)]
        times += [_ns(limits.sample_every)] if limits.of_history else []
        times += [_ns(limits.stop_within)] if limits.stop_within is not None else []
        return min(times)

    def look(self, now: int) -> None:
        """See how things stand, and act where a live limit is passed."""
        book, standing = self.book, self.standing
        for held in book.all:
            book.refresh(held, now)
        if standing.see(now, self.capital + sum(member.gain(book) for member in self.members)):
            self.resume("daily_loss", "a new day has begun")
        if self.limits.of_history:
            self._sample(now)
        for check in self._own_checks:
            check.rescale(standing.equity)
        for rule, (_, until) in tuple(self.holds.items()):
            if until is not None and now >= until:
                self.resume(rule, "the cooldown is over")
        for one in self._rules:
            if one.rule in self.holds and self.holds[one.rule][1] is not None:
                continue  # it pauses trading already, and begins anew after that
            value = one.measure(standing)
            self._follow(one.rule, value, one.limit, one.say(value, "above" if value > one.limit else "near"))

    def _sample(self, now: int) -> None:
        """Marks once each ``sample_every``, and what is kept of them until the next time."""
        if self._sampled >= 0 and now - self._sampled < self.history.every:
            return
        self._sampled = now
        held, limits = self.book.all, self.limits
        self.history.add([one.mark for one in held])
        if limits.max_var is not None:
            values = [one.position * one.unit for one in held]
            self.standing.var = self.history.value_at_risk(
                values, limits.var_confidence, limits.var_method, _ns(limits.var_horizon)
            )

    def _follow(self, rule: str, value: float, limit: float, text: str) -> None:
        if value > limit:
            if rule not in self._breached:
                self._breached.add(rule)
                self._breach(rule, value, limit, text)
            return
        if rule in self._breached:
            self._breached.discard(rule)
            if self.holds.get(rule, (None,))[0] is Action.BLOCK:
                self.resume(rule, f"within its limit again: {text.replace(' near ', ' below ')}")
        if value > limit * self.limits.warn_at and self._crosses(rule, "", self.standing.now):
            self._tell(Told(rule, Severity.WARNING, Action.WARN, value, limit, text))

    def _breach(self, rule: str, value: float, limit: float, text: str) -> None:
        if rule == "circuit_breaker":
            until = self.standing.now + _ns(self.limits.cooldown)
            text = f"{text}; for {format_duration(_ns(self.limits.cooldown))}"
            self.hold(rule, Action.PAUSE, Told(rule, Severity.CRITICAL, Action.PAUSE, value, limit, text), until)
            return
        action = self.limits.actions[rule]
        grave = Severity.CRITICAL if action in (Action.STOP, Action.FLATTEN) else Severity.BREACH
        told = Told(rule, grave, action, value, limit, text)
        if action is Action.WARN:
            self._tell(told)
        else:
            self.hold(rule, action, told)

    # --- holds ---

    @property
    def holding(self) -> Action | None:
        """The strongest hold; None when orders pass."""
        return max((action for action, _ in self.holds.values()), key=_STRENGTH.__getitem__, default=None)

    def hold(self, rule: str, action: Action, told: Told, until: int | None = None) -> None:
        """Orders no longer pass, or only some of them."""
        self.holds[rule] = action, until
        self._tell(told)
        self._arm(told.text)

    def resume(self, rule: str, why: str) -> bool:
        """A hold is over; whether there was one."""
        if self.holds.pop(rule, None) is None:
            return False
        self._breached.discard(rule)
        for one in self._rules:
            if one.rule == rule:
                one.forget(self.standing)
        self._arm()
        self._tell(Told(rule, Severity.INFO, Action.RESUME, 0.0, 0.0, why))
        return True

    def _arm(self, reason: str = "") -> None:
        """Put the hold in front of the checks, or take it away."""
        holding = self.holding
        self._hold.reducing = holding is Action.BLOCK
        self._hold.reason = reason or self._hold.reason
        self._checks = self._own_checks if holding is None else [self._hold, *self._own_checks]
        self._measures = [(check.measure, check) for check in self._checks]
        for member in self.members:
            member.obey()

    def _tell(self, told: Told) -> None:
        for member in self.members:
            member.tell(self, told)


def _ns(time: int | str | None) -> int:
    """A time of limits, which have made ns of it."""
    assert isinstance(time, int)
    return time
