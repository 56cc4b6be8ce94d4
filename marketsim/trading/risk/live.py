"""Live limits: one small object a rule, which measures how things stand while no order is sent.

What a breach does is decided by the scope; a rule only measures.
"""

from __future__ import annotations

import math
from collections import deque
from typing import ClassVar

from marketsim.domain.limits import Limits
from marketsim.domain.units import DAY, SECOND
from marketsim.trading.risk.holding import Book


class Standing:
    """How a strategy, or a firm, stands: what live rules are about. Money in the portfolio's currency."""

    def __init__(self, capital: float, book: Book) -> None:
        self.capital = capital
        self.book = book
        self.now = 0
        self.day = -1  # days since the clock's zero
        self.equity = self.day_start = self.peak = capital
        self.var = math.nan  # money
        self.uncovered: dict[str, int] = {}  # symbol -> ns since a part of its position has no stop

    def see(self, now: int, equity: float) -> bool:
        """Take in the equity at a time; whether a new day has begun."""
        self.now, self.equity = now, equity
        self.peak = equity if self.day < 0 else max(self.peak, equity)
        for held in self.book.all:
            if held.uncovered:
                self.uncovered.setdefault(held.instrument.symbol, now)
            else:
                self.uncovered.pop(held.instrument.symbol, None)
        fresh, self.day = self.day != now // DAY, now // DAY
        if fresh:
            self.day_start = equity
        return fresh


class Rule:
    """One live rule."""

    rule: ClassVar[str]

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def measure(self, standing: Standing) -> float:
        """How things stand, in the unit of the limit."""
        raise NotImplementedError

    def forget(self, standing: Standing) -> None:
        """Begin anew, after a pause or a stop: what was lost before no longer counts."""

    def say(self, value: float, than: str) -> str:
        """What a measure means; ``than`` stands between it and the limit."""
        raise NotImplementedError


class DailyLoss(Rule):
    """Money lost since the day began."""

    rule = "daily_loss"

    def measure(self, standing: Standing) -> float:
        """Below zero it is a gain."""
        return standing.day_start - standing.equity

    def forget(self, standing: Standing) -> None:
        """The day begins now."""
        standing.day_start = standing.equity

    def say(self, value: float, than: str) -> str:
        """Money."""
        return f"{value:,.2f} lost today, {than} {self.limit:,.2f}"


class Drawdown(Rule):
    """Fall of the equity below its highest, as a share of that."""

    rule = "drawdown"

    def measure(self, standing: Standing) -> float:
        """Nothing is left of an account that never had any."""
        return (standing.peak - standing.equity) / standing.peak if standing.peak > 0 else 0.0

    def forget(self, standing: Standing) -> None:
        """The highest equity is that of now."""
        standing.peak = standing.equity

    def say(self, value: float, than: str) -> str:
        """A share."""
        return f"drawdown {value:.2%}, {than} {self.limit:.2%}"


class ValueAtRisk(Rule):
    """Value at risk as a share of the equity; nothing as long as there is no history."""

    rule = "var"

    def measure(self, standing: Standing) -> float:
        """What was computed at the latest sample."""
        if math.isnan(standing.var):
            return 0.0
        return standing.var / standing.equity if standing.equity > 0 else math.inf if standing.var > 0 else 0.0

    def say(self, value: float, than: str) -> str:
        """A share."""
        return f"value at risk {value:.2%} of the equity, {than} {self.limit:.2%}"


class Exposure(Rule):
    """Money that all positions are worth at their marks, without sign."""

    rule = "exposure"

    def measure(self, standing: Standing) -> float:
        """As they stand."""
        return standing.book.gross()

    def say(self, value: float, than: str) -> str:
        """Money."""
        return f"positions worth {value:,.2f}, {than} {self.limit:,.2f}"


class Uncovered(Rule):
    """Seconds for which a part of a position has had no stop."""

    rule = "stop_loss"

    def measure(self, standing: Standing) -> float:
        """The longest of all instruments."""
        since = min(standing.uncovered.values(), default=standing.now)
        return (standing.now - since) / SECOND

    def forget(self, standing: Standing) -> None:
        """The time for a stop begins now."""
        standing.uncovered.clear()

    def say(self, value: float, than: str) -> str:
        """A time."""
        return f"a position without a stop for {value:.3f} s, {than} {self.limit:.3f} s"


class Breaker(Rule):
    """Money lost since the best equity of the latest ``within`` ns."""

    rule = "circuit_breaker"

    def __init__(self, limit: float, within: int) -> None:
        super().__init__(limit)
        self.within = within
        self._best: deque[tuple[int, float]] = deque()  # falling equities, the best of the window in front

    def measure(self, standing: Standing) -> float:
        """Each equity is kept until a better one comes, or its time is over."""
        best, now, equity = self._best, standing.now, standing.equity
        while best and best[-1][1] <= equity:
            best.pop()
        best.append((now, equity))
        while best[0][0] < now - self.within:
            best.popleft()
        return best[0][1] - equity

    def forget(self, standing: Standing) -> None:
        """What was lost before the pause no longer counts."""
        self._best.clear()

    def say(self, value: float, than: str) -> str:
        """Money."""
        return f"{value:,.2f} lost within {self.within / SECOND:g} s, {than} {self.limit:,.2f}"


def rules_of(limits: Limits, capital: float) -> list[Rule]:
    """The live rules that limits ask for."""
    found: list[Rule] = []
    losses = [limits.max_daily_loss_money] if limits.max_daily_loss_money is not None else []
    losses += [limits.max_daily_loss * capital] if limits.max_daily_loss is not None else []
    if losses:
        found.append(DailyLoss(min(losses)))
    if limits.max_drawdown is not None:
        found.append(Drawdown(limits.max_drawdown))
    if limits.max_var is not None:
        found.append(ValueAtRisk(limits.max_var))
    if limits.max_exposure is not None:
        found.append(Exposure(limits.max_exposure))
    if isinstance(limits.stop_within, int):
        found.append(Uncovered(limits.stop_within / SECOND))
    if limits.breaker_loss is not None:
        assert isinstance(limits.breaker_within, int)
        found.append(Breaker(limits.breaker_loss * capital, limits.breaker_within))
    return found
