"""Pre-trade checks: one small object a rule, which measures what an order would lead to. They decide nothing else.

``measure(ask)`` must not fall when the order grows: so the largest quantity that passes can be searched for. A check
lets an order pass when its measure is not above ``limit``; above ``soft`` a warning is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar

from marketsim.domain.limits import Limits
from marketsim.trading.risk.history import History
from marketsim.trading.risk.holding import Book, Holding

_SAFE = -1.0  # what nothing that a check is about can come of


class Ask:
    """What is asked: an order, or new terms of one, against one book. Filled anew for each, as it is asked often."""

    __slots__ = ("before", "closing", "fresh", "held", "now", "price", "priced", "quantity", "reached", "side")

    held: Holding
    side: int
    price: float  # ticks: the limit, or the mark
    priced: bool  # whether it has a limit; without one it counts at the mark
    now: int
    quantity: int  # lots in total
    fresh: int  # lots that would be open
    before: int  # lots of it that are open already
    reached: int  # lots that all open orders of its side and the position could lead to
    closing: int  # lots that can do no more than close the position, beside what the other orders close

    def resize(self, quantity: int) -> None:
        """The same for another quantity."""
        grown = quantity - self.quantity
        self.quantity, self.fresh, self.reached = quantity, self.fresh + grown, self.reached + grown


class Check:
    """One rule. ``words`` tells what a measure above the limit is."""

    __slots__ = ("limit", "share", "soft", "warn_at")

    rule: ClassVar[str]
    field: ClassVar[str] = ""  # of Limits
    marked: ClassVar[bool] = False  # whether it needs the mark of the order's instrument
    words: ClassVar[str] = ""
    sharing: ClassVar[bool] = False  # whether the limit is a share of the equity

    def __init__(self, limit: float, warn_at: float) -> None:
        self.share = self.limit = limit
        self.warn_at = warn_at
        self.soft = limit * warn_at

    def measure(self, ask: Ask) -> float:
        """What the order would lead to, in the unit of the limit."""
        raise NotImplementedError

    def rescale(self, equity: float) -> None:
        """The equity has changed."""
        if self.sharing:
            self.limit = self.share * max(equity, 0.0)
            self.soft = self.limit * self.warn_at

    def say(self, value: float) -> str:
        """What is wrong with a measure."""
        what, limit = self.words.format(value=value), f"{self.field} {_number(self.share)}"
        return f"{what}, above {limit}" if self.share == self.limit else f"{what}, above {self.limit:,.2f} by {limit}"


class Size(Check):
    """Lots of one order."""

    __slots__ = ()
    rule, field, words = "size", "max_order", "quantity {value:.0f}"

    def measure(self, ask: Ask) -> float:
        """Its lots."""
        return ask.quantity

    def say(self, value: float) -> str:
        """As a limit of lots has always been told."""
        return f"quantity {value:.0f} above {self.field} {self.limit:.0f}"


class Position(Check):
    """Lots, long or short, that open orders could lead to."""

    __slots__ = ()
    rule, field, words = "position", "max_position", "position could reach {value:.0f}"

    def measure(self, ask: Ask) -> float:
        """What the position and all orders of its side come to."""
        return ask.reached


class Notional(Check):
    """Money that one order is worth, at its limit or at the mark."""

    __slots__ = ()
    rule, field, words, marked = "notional", "max_notional", "the order is worth {value:,.2f}", True

    def measure(self, ask: Ask) -> float:
        """Lots by what one is worth."""
        held = ask.held
        return ask.fresh * (held.worth(ask.price) if ask.priced else held.unit)


class _Exposure(Check):
    """What counts only when it grows: an order that opens no more than is open already always passes."""

    __slots__ = ()

    marked = True

    def measure(self, ask: Ask) -> float:
        """Nothing, where nothing grows."""
        return self.exposed(ask) if ask.fresh > ask.before and ask.fresh > ask.closing else _SAFE

    def exposed(self, ask: Ask) -> float:
        """Money that stands to be lost with the order."""
        return ask.reached * ask.held.unit


class Value(_Exposure):
    """Money that the position in an instrument could be worth."""

    __slots__ = ()
    rule, field, words = "value", "max_value", "the position could be worth {value:,.2f}"


class ValueShare(_Exposure):
    """The same, as a share of the capital."""

    __slots__ = ()
    rule, field, words = "value", "max_value_share", "the position could be worth {value:,.2f}"

    def __init__(self, limit: float, warn_at: float, capital: float) -> None:
        super().__init__(limit, warn_at)
        self.limit = limit * capital
        self.soft = self.limit * warn_at


class Concentration(_Exposure):
    """The same, as a share of the equity."""

    __slots__ = ()
    rule, field, sharing = "concentration", "max_concentration", True
    words = "one instrument could be worth {value:,.2f}"


class _Together(_Exposure):
    """Several holdings count together. book: all of them."""

    __slots__ = ("book",)

    sharing = True

    def __init__(self, limit: float, warn_at: float, book: Book) -> None:
        super().__init__(limit, warn_at)
        self.book = book

    def exposed(self, ask: Ask) -> float:
        """What the others and the order's own instrument could be worth."""
        own = ask.held
        others = sum(self.weight(ask, held) * held.unit for held in self.book.all if held is not own)
        other_side = own.short if ask.side > 0 else own.long
        return self.of(own) * (others + max(ask.reached, other_side) * own.unit)

    def weight(self, ask: Ask, held: Holding) -> float:
        """How many lots of another holding count."""
        return held.worst

    def of(self, own: Holding) -> float:
        """Whether the rule is about this instrument at all."""
        return 1.0


class Leverage(_Together):
    """Money that all positions could be worth, as a multiple of the equity."""

    __slots__ = ()
    rule, field, words = "leverage", "max_leverage", "positions could be worth {value:,.2f}"


class Sector(_Together):
    """Money that the positions of a sector could be worth, as a share of the equity; instruments without one pass."""

    __slots__ = ()
    rule, field, words = "sector", "max_sector", "the sector could be worth {value:,.2f}"

    def weight(self, ask: Ask, held: Holding) -> float:
        """Those of the same sector."""
        return held.worst if held.sector == ask.held.sector else 0

    def of(self, own: Holding) -> float:
        """Only what has a sector."""
        return 1.0 if own.sector else 0.0


class Margin(_Together):
    """Initial margin of all contracts, as a share of the equity."""

    __slots__ = ()
    rule, field, words = "margin", "max_margin", "margin could be {value:,.2f}"

    def weight(self, ask: Ask, held: Holding) -> float:
        """What of it is margin, beside the margin of the order's own instrument."""
        return held.worst * held.margin / ask.held.margin if ask.held.margin else 0

    def of(self, own: Holding) -> float:
        """Its share that is margin."""
        return own.margin


class Correlated(_Together):
    """Money in instruments that move together with the order's, as a share of the equity.

    What a position in the other instrument, or its open orders, would gain when the order's gains counts; what would
    lose does not.
    """

    __slots__ = ("above", "history")

    rule, field, words = "correlation", "max_correlated", "what moves together could be worth {value:,.2f}"

    def __init__(self, limit: float, warn_at: float, book: Book, history: History, above: float) -> None:
        super().__init__(limit, warn_at, book)
        self.history, self.above = history, above

    def weight(self, ask: Ask, held: Holding) -> float:
        """Lots on the side that moves with the order's."""
        rho = self.history.correlation(ask.held.place, held.place)
        if abs(rho) < self.above:
            return 0
        return max(0, held.long if ask.side * rho > 0 else held.short)

    def exposed(self, ask: Ask) -> float:
        """The order's own side alone: its other side would not move with it."""
        others = sum(self.weight(ask, held) * held.unit for held in self.book.all if held is not ask.held)
        return others + ask.reached * ask.held.unit


class Collar(Check):
    """Distance of a limit price from the mark, as a share of it. Orders without one pass."""

    __slots__ = ()
    rule, field, marked = "collar", "price_collar", True
    words = "the limit is {value:.2%} from the mark"

    def measure(self, ask: Ask) -> float:
        """Either way."""
        mark = ask.held.mark
        return abs(ask.price - mark) / abs(mark) if ask.priced and mark else 0.0


class Rate(Check):
    """Orders and replaces in any window of so many ns, this one among them."""

    __slots__ = ("period", "times")

    rule, field, words = "rate", "max_rate", "{value:.0f} orders in the window"

    def __init__(self, limit: tuple[int, int], warn_at: float) -> None:
        super().__init__(limit[0], warn_at)
        self.period = limit[1]
        self.times: deque[int] = deque()  # ns, of those that have left

    def measure(self, ask: Ask) -> float:
        """How many there would be."""
        times, since = self.times, ask.now - self.period
        while times and times[0] <= since:
            times.popleft()
        return len(times) + 1


class Volatility(Check):
    """Basis points a root minute; orders that reduce a position pass at any."""

    __slots__ = ("history",)

    rule, field, words = "volatility", "max_volatility_bps", "volatility is {value:.1f} bps a root minute"

    def __init__(self, limit: float, warn_at: float, history: History) -> None:
        super().__init__(limit, warn_at)
        self.history = history

    def measure(self, ask: Ask) -> float:
        """That of the order's instrument lately."""
        return 0.0 if ask.fresh <= max(ask.closing, ask.before) else self.history.volatility_bps(ask.held.place)


class StopLoss(Check):
    """Nothing more is opened while a part of the position has no stop."""

    __slots__ = ()
    rule, field = "stop_loss", "stop_within"

    def __init__(self, limit: float, warn_at: float) -> None:
        super().__init__(0.0, warn_at)

    def measure(self, ask: Ask) -> float:
        """Lots without a stop."""
        return 0.0 if ask.fresh <= max(ask.closing, ask.before) else ask.held.uncovered

    def say(self, value: float) -> str:
        """What is missing."""
        return f"{value:.0f} lots of the position have no stop, and stop_within asks for one"


class Hold(Check):
    """Trading is stopped, or only orders that reduce a position pass."""

    __slots__ = ("reason", "reducing")

    rule = "hold"

    def __init__(self) -> None:
        super().__init__(0.0, 1.0)
        self.reason = ""
        self.reducing = False

    def measure(self, ask: Ask) -> float:
        """Above zero for what must not pass."""
        if self.reducing and ask.fresh <= max(ask.closing, ask.before):
            return 0.0
        return 1.0

    def say(self, value: float) -> str:
        """Why."""
        what = "only what reduces a position passes" if self.reducing else "trading is stopped"
        return f"{what}: {self.reason}"


def checks_of(limits: Limits, book: Book, history: History, capital: float) -> list[Check]:
    """The checks that limits ask for, the cheap ones first."""
    warn = limits.warn_at
    found: list[Check] = []

    def add(limit: float | None, make: Callable[[float], Check]) -> None:
        if limit is not None:
            found.append(make(limit))

    add(limits.max_order, lambda it: Size(it, warn))
    add(limits.max_position, lambda it: Position(it, warn))
    if limits.max_rate is not None:
        found.append(Rate(limits.max_rate, warn))
    add(limits.max_notional, lambda it: Notional(it, warn))
    add(limits.price_collar, lambda it: Collar(it, warn))
    add(limits.max_value, lambda it: Value(it, warn))
    add(limits.max_value_share, lambda it: ValueShare(it, warn, capital))
    add(limits.max_concentration, lambda it: Concentration(it, warn))
    add(limits.max_volatility_bps, lambda it: Volatility(it, warn, history))
    if limits.stop_within is not None:
        found.append(StopLoss(0, warn))
    add(limits.max_leverage, lambda it: Leverage(it, warn, book))
    add(limits.max_sector, lambda it: Sector(it, warn, book))
    add(limits.max_margin, lambda it: Margin(it, warn, book))
    add(limits.max_correlated, lambda it: Correlated(it, warn, book, history, limits.correlation_above))
    for check in found:
        check.rescale(capital)
    return found


def _number(value: float) -> str:
    """A limit as people write it."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) < 1 else f"{value:,.2f}"
