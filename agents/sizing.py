"""Sizing: how many lots to trade, from what the account holds, the price, and the risk of the trade. It trades nothing.

Each way is a small object with ``lots(trade)``. Lots are rounded down: never more than was asked for. Shares are of the
account's equity. Sources: R. Vince, "Portfolio Management Formulas", 1990 (risk per trade); J. L. Kelly, "A New
Interpretation of Information Rate", Bell System Technical Journal 35, 1956, 917–926.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from marketsim.agents.checks import to_duration, to_number, to_whole
from marketsim.domain.units import DAY
from marketsim.errors import InvalidValueError


class Trade(NamedTuple):
    """What a sizing may know of a trade that is about to be made. Money is in one currency.

    results: profit of each closed trade so far as a share of what was held, oldest first.
    """

    equity: float  # cash and what is held
    lot: float  # what a lot costs: price times units of a lot
    risk: float = 0.0  # what a lot loses at the stop; 0 without a stop
    deviation: float = 0.0  # standard deviation of the price's relative change over a bar; 0 when it is not known
    interval: int = 0  # ns, of that bar
    results: Sequence[float] = ()


class Sizing:
    """Base of every sizing.

    needs_stop, needs_deviation: what has to be known of a trade, so that it can be asked for beforehand.
    of_equity: whether it is a share of the equity, and so nothing where there is none.
    """

    of_equity: ClassVar[bool] = False
    needs_stop: ClassVar[bool] = False
    needs_deviation: ClassVar[bool] = False
    period: int = 0  # bars of the deviation, where one is needed

    def lots(self, trade: Trade) -> int:
        """Lots to trade, 0 or more."""
        raise NotImplementedError


def _whole_lots(money: float, lot: float) -> int:
    """Lots that an amount of money stands for, rounded down; the last digit of a float decides nothing."""
    if not (lot > 0.0 and money > 0.0):
        return 0
    return math.floor(money / lot * (1.0 + 1e-12))


@dataclass
class Fixed(Sizing):
    """The same number of lots each time."""

    quantity: int = field(default=100, metadata={"help": "lots"})

    def __post_init__(self) -> None:
        to_whole(self, "quantity", low=1)

    def lots(self, trade: Trade) -> int:
        """As many as it was told."""
        return self.quantity


@dataclass
class Percent(Sizing):
    """A share of the equity: equity · share / price of a lot. More than the equity is said by ``most`` too."""

    share: float = field(default=0.1, metadata={"help": "share of the equity, above 0 and at most most"})
    most: float = field(default=1.0, metadata={"help": "largest share; above 1 is on credit"})

    of_equity: ClassVar[bool] = True

    def __post_init__(self) -> None:
        to_number(self, "share", "most", low=0.0, open_low=True)
        _check_within(self, "share")

    def lots(self, trade: Trade) -> int:
        """What the share buys."""
        return _whole_lots(self.share * trade.equity, trade.lot)


@dataclass
class Volatility(Sizing):
    """So much that a standard deviation of the price over ``horizon`` moves the equity by ``target``.

    equity · target / (σ·√(horizon / bar) · price of a lot), σ the deviation of relative changes from bar to bar over
    ``period`` bars; at most ``most`` of the equity. None before σ is known.
    """

    target: float = field(default=0.01, metadata={"help": "share of the equity that one deviation moves"})
    horizon: int | str = field(default=DAY, metadata={"unit": "duration", "help": "time over which it does so"})
    period: int = field(default=20, metadata={"help": "bars whose changes tell the deviation"})
    most: float = field(default=1.0, metadata={"help": "largest position, share of the equity"})

    of_equity: ClassVar[bool] = True
    needs_deviation: ClassVar[bool] = True

    def __post_init__(self) -> None:
        to_number(self, "target", "most", low=0.0, open_low=True)
        to_duration(self, "horizon")
        to_whole(self, "period", low=2)

    def lots(self, trade: Trade) -> int:
        """What moves as much as is wanted."""
        if trade.deviation <= 0.0 or trade.interval <= 0:
            return 0
        deviation = trade.deviation * math.sqrt(int(self.horizon) / trade.interval)
        return _whole_lots(min(self.target / deviation, self.most) * trade.equity, trade.lot)


@dataclass
class Risk(Sizing):
    """So much that the stop costs ``share`` of the equity: equity · share / loss of a lot at the stop.

    At most ``most`` of the equity; none where the trade has no stop.
    """

    share: float = field(default=0.02, metadata={"help": "share of the equity that is lost at the stop"})
    most: float = field(default=1.0, metadata={"help": "largest position, share of the equity"})

    of_equity: ClassVar[bool] = True
    needs_stop: ClassVar[bool] = True

    def __post_init__(self) -> None:
        to_number(self, "share", low=0.0, high=1.0, open_low=True)
        to_number(self, "most", low=0.0, open_low=True)

    def lots(self, trade: Trade) -> int:
        """What loses as much as is wanted."""
        risked = _whole_lots(self.share * trade.equity, trade.risk)
        return min(risked, _whole_lots(self.most * trade.equity, trade.lot))


@dataclass
class Kelly(Sizing):
    """Kelly's share of the equity, from the account's own closed trades: ``fraction`` · (p/a − q/b).

    p is the share of winning trades of the ``memory`` latest, q = 1 − p, b the mean gain of a winning and a the mean
    loss of a losing one, as shares of what was held. (At the stake a·(p/a − q/b) = p − q·a/b this is Kelly's bet.) None
    when it is not above 0, at most ``most``; before ``least_trades`` are known, ``start``. Without a losing trade
    there is no bound, and it is ``most``.
    """

    fraction: float = field(default=0.5, metadata={"help": "of Kelly's share that is used, 0 to 1"})
    memory: int = field(default=50, metadata={"help": "closed trades that it looks back on"})
    least_trades: int = field(default=20, metadata={"help": "closed trades before it begins"})
    start: float = field(default=0.1, metadata={"help": "share of the equity until then"})
    most: float = field(default=1.0, metadata={"help": "largest position, share of the equity"})

    of_equity: ClassVar[bool] = True

    def __post_init__(self) -> None:
        to_number(self, "fraction", low=0.0, high=1.0, open_low=True)
        to_number(self, "start", "most", low=0.0, open_low=True)
        _check_within(self, "start")
        to_whole(self, "memory", "least_trades", low=1)
        if self.least_trades > self.memory:
            raise InvalidValueError(
                f"least_trades: {self.least_trades} are more than the memory of {self.memory}; remember more"
            )

    def share(self, results: Sequence[float]) -> float:
        """The share of the equity that these results justify."""
        known = list(results)[-self.memory :]
        if len(known) < self.least_trades:
            return min(self.start, self.most)
        gains, losses = [r for r in known if r > 0.0], [-r for r in known if r < 0.0]
        if not losses:
            return self.most if gains else 0.0
        lost = len(losses) / len(known) / _mean(gains) if gains else math.inf
        kelly = len(gains) / len(known) / _mean(losses) - lost
        return min(max(0.0, self.fraction * kelly), self.most)

    def lots(self, trade: Trade) -> int:
        """What that share buys."""
        return _whole_lots(self.share(trade.results) * trade.equity, trade.lot)


class Results:
    """Closed trades of one position after another, as shares of what was held: what ``Kelly`` learns from.

    A trade begins when the position leaves zero and ends when it is back there. Tell it every fill.
    """

    def __init__(self, memory: int = 1_000) -> None:
        self.shares: deque[float] = deque(maxlen=memory)
        self._position = 0
        self._opened = self._money = 0.0  # turnover that opened; what came in less what went out

    def fill(self, lots: int, price: float) -> None:
        """``lots`` are signed: above zero bought. A fill that turns the position ends one trade and begins another."""
        before = self._position
        if before * lots < 0 and abs(lots) > abs(before):
            self.fill(-before, price)
            self.fill(lots + before, price)
            return
        if before * lots >= 0:
            self._opened += abs(lots) * price
        self._money -= lots * price
        self._position += lots
        if self._position == 0 and self._opened:
            self.shares.append(self._money / self._opened)
            self._opened = self._money = 0.0


def _check_within(sizing: Any, name: str) -> None:
    """The share of that name is not above the largest one."""
    share, most = getattr(sizing, name), sizing.most
    if share > most:
        raise InvalidValueError(
            f"{name}: {share:g} is {share:.0%} of the equity, above most, {most:g}; write "
            f"{share / 100:g} for {share:g} %, or raise most if credit is meant"
        )


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
