"""Performance as it comes: the measures of ``performance`` fed one value at a time, for an agent that is still trading.

Each update costs the same however long the series is, but for one ordered list, whose cost grows like a square root of
it. The numbers are those of the functions over the whole series, but for rounding. It reads no tables and no clock.
"""

from __future__ import annotations

import copy
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, isfinite, log, sqrt

from marketsim.analysis import performance
from marketsim.analysis.active_returns import ACTIVE, Pair, measures_of_pair
from marketsim.domain.units import SECOND, duration
from marketsim.errors import InvalidValueError

_NAN = float("nan")
_BLOCK = 1024
_LEVELS = (0.95, 0.99)


class OrderedSample:
    """Numbers in order, in blocks of some hundreds, so that one more costs little."""

    def __init__(self) -> None:
        self._blocks: list[list[float]] = []
        self._largest: list[float] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, value: float) -> None:
        """One more."""
        self._count += 1
        if not self._blocks:
            self._blocks, self._largest = [[value]], [value]
            return
        place = min(bisect_left(self._largest, value), len(self._blocks) - 1)
        block = self._blocks[place]
        insort(block, value)
        if len(block) > _BLOCK:
            half = len(block) // 2
            self._blocks[place : place + 1] = [block[:half], block[half:]]
            self._largest[place : place + 1] = [block[half - 1], block[-1]]
        else:
            self._largest[place] = block[-1]

    def smallest(self) -> Iterator[float]:
        """All of them, upwards."""
        for block in self._blocks:
            yield from block

    def quantile(self, share: float) -> float:
        """Linear between observations, as ``numpy.quantile`` has it; NaN of nothing."""
        if not self._count:
            return _NAN
        at = share * (self._count - 1)
        low = self._at(floor(at))
        return low + (self._at(ceil(at)) - low) * (at - floor(at))

    def _at(self, place: int) -> float:
        for block in self._blocks:
            if place < len(block):
                return block[place]
            place -= len(block)
        raise IndexError(place)


class RunningMoments:
    """Mean and central moments up to the fourth, updated as in Pébay (2008)."""

    __slots__ = ("count", "fourth", "mean", "second", "third")

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.second = self.third = self.fourth = 0.0  # sums of powers of what differs from the mean

    def add(self, value: float) -> None:
        """One more."""
        before = self.count
        self.count = n = before + 1
        gap = value - self.mean
        step = gap / n
        square = step * step
        term = gap * step * before
        self.mean += step
        self.fourth += term * square * (n * n - 3 * n + 3) + 6 * square * self.second - 4 * step * self.third
        self.third += term * step * (n - 2) - 3 * step * self.second
        self.second += term

    @property
    def variance(self) -> float:
        """Over n."""
        return self.second / self.count if self.count else _NAN

    def moments(self) -> performance.Moments:
        """The moments of a sample that is not empty."""
        n = self.count
        variance = self.second / n
        return performance.moments_from(self.mean, variance, self.third / n, self.fourth / n, variance + self.mean**2)


class RunningReturns:
    """``performance.return_measures``, one return at a time.

    ``add(0.001)``, or ``add(0.001, benchmark=0.0005)`` from the first one on; ``add_equity(100_100)`` makes the return
    from the equity before it, of which the first gives none. ``measures()`` has every measure by its name, and the
    usual ones are properties. Parameters as ``return_measures`` has them.
    """

    def __init__(
        self,
        periods_per_year: float,
        *,
        periods_per_day: float | None = None,
        risk_free: float = 0.0,
        target: float = 0.0,
    ) -> None:
        if not periods_per_year > 0:
            raise InvalidValueError(f"periods_per_year={periods_per_year} must be above zero, such as 252")
        self.periods_per_year = periods_per_year
        self.periods_per_day = periods_per_year / 252 if periods_per_day is None else periods_per_day
        self.risk_free, self.target = risk_free, target
        self._all, self._other, self._active = RunningMoments(), RunningMoments(), RunningMoments()
        self._together = 0.0  # sum of products of what differs from both means
        self._ordered = OrderedSample()
        self._above = self._below = self._below_squared = self._gain = self._pain = 0.0
        self._falls = RunningDrawdown()
        self._falls.add(1.0)
        self._equity: float | None = None

    def add(self, value: float, benchmark: float | None = None) -> None:
        """The return of one more period, and the benchmark's."""
        if not isfinite(value) or not (benchmark is None or isfinite(benchmark)):
            raise InvalidValueError(f"return {len(self)} is {value}, its benchmark's {benchmark}: give finite numbers")
        if self._other.count != (0 if benchmark is None else len(self)):
            raise InvalidValueError("benchmark: give one with every return, or with none")
        if benchmark is not None:
            ahead = value - self._all.mean
            self._other.add(benchmark)
            self._active.add(value - benchmark)
            self._together += ahead * (benchmark - self._other.mean)
        self._all.add(value)
        self._ordered.add(value)
        over = value - self.target
        if over > 0:
            self._above += over
        else:
            self._below -= over
            self._below_squared += over * over
        self._gain += value
        self._pain += max(-value, 0.0)
        self._falls.add(self._falls.equity * (1.0 + value))

    def add_equity(self, equity: float, benchmark: float | None = None) -> None:
        """The equity at the end of one more period, in currency and above zero; ``benchmark`` is its return over it."""
        if not equity > 0:
            raise InvalidValueError(
                f"equity {equity} must be above zero: add differences of the profit as returns instead"
            )
        before, self._equity = self._equity, equity
        if before is not None:
            self.add(equity / before - 1.0, benchmark)

    def __len__(self) -> int:
        return self._all.count

    @property
    def cumulative_return(self) -> float:
        """The compound return so far."""
        return self._falls.equity - 1.0 if len(self) else _NAN

    @property
    def drawdown(self) -> float:
        """How far below its best the equity is now, as a fraction of it."""
        return 1.0 - self._falls.equity / self._falls.peak

    @property
    def volatility(self) -> float:
        """std(r, n - 1) · sqrt(periods_per_year)."""
        n = len(self)
        return sqrt(self._all.second / (n - 1) * self.periods_per_year) if n > 1 else _NAN

    @property
    def sharpe(self) -> float:
        """As ``performance.sharpe``."""
        if len(self) < 2 or not self._vary:
            return _NAN
        excess = self._all.mean - self.risk_free / self.periods_per_year
        return excess / sqrt(self._all.second / (len(self) - 1)) * sqrt(self.periods_per_year)

    @property
    def sortino(self) -> float:
        """As ``performance.sortino``."""
        below = sqrt(self._below_squared / len(self)) if len(self) else 0.0
        return (self._all.mean - self.target) / below * sqrt(self.periods_per_year) if below else _NAN

    @property
    def max_drawdown(self) -> float:
        """The largest fall so far, as a fraction of the peak before it."""
        return self._falls.deepest

    def value_at_risk(self, confidence: float = 0.95) -> float:
        """Historical, as ``performance.value_at_risk``."""
        return -self._ordered.quantile(1.0 - confidence)

    def conditional_value_at_risk(self, confidence: float = 0.95) -> float:
        """Historical, as ``performance.conditional_value_at_risk``; costs as much as there are returns in the tail."""
        mass = (1.0 - confidence) * len(self)
        if not mass > 0:
            return _NAN
        total, left = 0.0, mass
        for value in self._ordered.smallest():
            if left <= 0:
                break
            total += value * min(left, 1.0)
            left -= 1.0
        return -total / mass

    def measures(self) -> dict[str, float]:
        """Every measure by its name, as ``return_measures`` gives them."""
        n, year = len(self), self.periods_per_year
        rate = performance.growth_rate(self._falls.equity, n, year) if n else _NAN
        fall = min(self._falls.deepest, 1.0) if self._falls.known else 1.0
        lost = self._below > 0
        found = {
            "total_return": self.cumulative_return,
            "annualized_return": rate,
            "daily_mean_return": self._all.mean * self.periods_per_day if n else _NAN,
            "best_period": self._ordered.quantile(1.0),
            "worst_period": self._ordered.quantile(0.0),
            "sharpe": self.sharpe,
            "sortino": self.sortino,
            "calmar": rate / fall if n and fall > 0 else _NAN,
            "omega": self._above / self._below if lost else _NAN,
            "tail_ratio": performance.quotient_of_tails(self._ordered.quantile(0.95), self._ordered.quantile(0.05)),
            "gain_to_pain": self._gain / self._pain if self._pain > 0 else _NAN,
            "volatility": self.volatility,
            "downside_deviation": sqrt(self._below_squared / n * year) if n else _NAN,
            **self._falls.measures(),
            "skewness": self._moments.skewness if self._vary and n >= 3 else _NAN,
            "kurtosis": self._moments.kurtosis if self._vary and n >= 4 else _NAN,
        }
        for confidence in _LEVELS:
            level = f"{100 * confidence:.0f}"
            found[f"var_{level}"] = self.value_at_risk(confidence)
            found[f"cvar_{level}"] = self.conditional_value_at_risk(confidence)
            found.update(performance.moment_tails(self._moments if n else None, confidence))
        return found | self._active_measures()

    @property
    def _moments(self) -> performance.Moments:
        return self._all.moments()

    @property
    def _vary(self) -> bool:
        """Whether the returns differ by more than the dust of rounding."""
        low, high = self._ordered.quantile(0.0), self._ordered.quantile(1.0)
        return high - low > 1e-14 * max(abs(low), abs(high), 1e-300)

    def _active_measures(self) -> dict[str, float]:
        if self._other.count < 2:
            return dict.fromkeys(ACTIVE, _NAN)
        n = len(self)
        pair = Pair(
            n, self._all.mean, self._other.mean, self._all.variance, self._other.variance,
            self._together / n, self._active.variance,
        )  # fmt: skip
        return measures_of_pair(pair, self.periods_per_year, self.risk_free)


class RunningDrawdown:
    """Drawdowns of an equity above zero, by fraction of the peak, one value at a time."""

    def __init__(self) -> None:
        self.equity = self.peak = _NAN
        self.deepest = 0.0
        self.known = True  # until the equity is not above zero, after which no fraction of a peak says anything
        self._count = -1
        self._peak_at = 0
        self._start = self._trough = 0
        self._recovery: int | None = 0
        self._deepest_peak = _NAN
        self._now = 0.0  # depth of the drawdown that lasts
        self._over = self._sum = 0.0  # drawdowns that are over, and the sum of their depths
        self._squares = 0.0

    def add(self, equity: float) -> None:
        """One more value."""
        self._count += 1
        self.known = self.known and (self._count == 0 or self.equity > 0)
        self.equity = equity
        if not self.known:
            return
        if self._count == 0 or equity >= self.peak:
            if self._recovery is None and equity >= self._deepest_peak:
                self._recovery = self._count
            self.peak, self._peak_at = equity, self._count
            if self._now > 0:
                self._over += 1
                self._sum += self._now
                self._now = 0.0
            return
        fall = 1.0 - equity / self.peak
        self._squares += fall * fall
        self._now = max(self._now, fall)
        if fall > self.deepest:
            self.deepest, self._start, self._trough = fall, self._peak_at, self._count
            self._deepest_peak, self._recovery = self.peak, None

    def measures(self) -> dict[str, float]:
        """As ``return_measures`` names them."""
        names = ("max_drawdown", "drawdown_start", "drawdown_trough", "drawdown_recovery", "drawdown_length")
        if not self.known:
            return dict.fromkeys((*names, "average_drawdown", "ulcer_index"), _NAN)
        falls = self._over + (self._now > 0)
        back = _NAN if self._recovery is None else float(self._recovery)
        values = (self.deepest, float(self._start), float(self._trough), back, back - self._start)
        return dict(zip(names, values, strict=True)) | {
            "average_drawdown": (self._sum + self._now) / falls if falls else 0.0,
            "ulcer_index": sqrt(self._squares / (self._count + 1)),
        }


class RunningTrades:
    """``performance.trade_measures``, one trade at a time."""

    def __init__(self) -> None:
        self.count = self.wins = self.losses = 0
        self.won = self.lost = 0.0  # sums in currency; the latter is above zero
        self._largest, self._smallest = -float("inf"), float("inf")
        self._run = 0  # wins in a row, below zero losses
        self._longest = [0, 0]
        self._held = 0.0
        self._timed = 0

    def add(self, profit: float, holding_time: float | None = None) -> None:
        """A trade that is over: profit in currency, after fees."""
        if not isfinite(profit):
            raise InvalidValueError(f"the profit of trade {self.count} is {profit}: give a finite number")
        self.count += 1
        self._largest, self._smallest = max(self._largest, profit), min(self._smallest, profit)
        if profit > 0:
            self.wins += 1
            self.won += profit
            self._run = max(self._run, 0) + 1
            self._longest[0] = max(self._longest[0], self._run)
        elif profit < 0:
            self.losses += 1
            self.lost -= profit
            self._run = min(self._run, 0) - 1
            self._longest[1] = max(self._longest[1], -self._run)
        else:
            self._run = 0
        if holding_time is not None:
            self._held += holding_time
            self._timed += 1

    def measures(self) -> dict[str, float]:
        """Every measure by its name, as ``trade_measures`` gives them."""
        n, wins, losses = self.count, self.wins, self.losses
        win, loss = self.won / wins if wins else _NAN, -self.lost / losses if losses else _NAN
        return {
            "trades": float(n),
            "winning_trades": float(wins),
            "losing_trades": float(losses),
            "win_rate": wins / n if n else _NAN,
            "profit_factor": self.won / self.lost if self.lost else float("inf") if self.won > 0 else _NAN,
            "average_win": win,
            "average_loss": loss,
            "payoff_ratio": -win / loss if wins and losses else _NAN,
            "largest_win": self._largest if wins else _NAN,
            "largest_loss": self._smallest if losses else _NAN,
            "expectancy": (self.won - self.lost) / n if n else _NAN,
            "longest_winning_run": float(self._longest[0]),
            "longest_losing_run": float(self._longest[1]),
            "average_holding_time": self._held / self._timed if self._timed else _NAN,
        }


class RunningAccount:
    """The account of one agent in one instrument, fed with its fills, orders and quotes: trades and market making.

    ``quote`` for every change of the market, ``fill`` for each fill, ``order`` for each order that the venue took and
    ``request`` for each other message (a cancel, a replace, an order that was refused); all in order of time, ns.
    ``measures(time)`` has the measures of trades and market making of ``performance_table`` by name. Prices and money
    are in currency, quantities in units. Positions are closed first in, first out; what one order opened and one closed
    is one trade. ``horizon`` ends adverse selection, ``every`` is the clock of the half-life.
    """

    def __init__(
        self,
        start: int,
        mid: float,
        *,
        capital: float | None = None,
        horizon: object = "5s",
        every: object = "1s",
        multiplier: float = 1.0,
    ) -> None:
        self.start, self.capital, self.multiplier = int(start), capital, multiplier
        self._horizon, self._step = duration(horizon), duration(every)
        if self._step <= 0 or self._horizon < 0:
            raise InvalidValueError(f"every={every!r} must be above zero, and horizon={horizon!r} not negative")
        self.position = 0.0
        self._trades = RunningTrades()  # those that are over
        self._trade: _Trade | None = None  # the latest one, which may go on
        self._mid = self._mid_before = mid  # now, and before the present nanosecond
        self._mid_at = self._time = int(start)
        self._open: deque[_Lots] = deque()
        self._pending: deque[tuple[int, float, float]] = deque()  # fills whose horizon is not over: ns, quantity, mid
        self._sums = dict.fromkeys(("cash", "fees", "value", "spread", "adverse", "queue", "queued", "filled"), 0.0)
        self._counts = dict.fromkeys(("fills", "orders", "messages"), 0)
        self._ordered = 0.0
        self._area = self._square = self._exposed = self._best = 0.0
        self._at_best = 0.0
        self._samples = _Persistence()
        self._next = int(start)

    def quote(self, time: int, mid: float, at_best: float = 0.0) -> None:
        """The mid from now on (NaN: the last one stays), and the share of the two sides on which it is at best."""
        self._advance(time)
        if time > self._mid_at:
            self._mid_before, self._mid_at = self._mid, time
        if isfinite(mid):
            self._mid = mid
        self._at_best = at_best

    def fill(
        self,
        time: int,
        quantity: float,
        price: float,
        fee: float = 0.0,
        *,
        waited: int | None = None,
        order: int = 0,
    ) -> None:
        """A fill; ``quantity`` is below zero for a sell, ``waited`` the ns in the queue of a resting order.

        ``order`` tells its fills from others'; without it each fill is an order.
        """
        self._advance(time)
        before = self._mid if self._mid_at < time else self._mid_before
        sums, worth = self._sums, self.multiplier
        self._counts["fills"] += 1
        sums["cash"] -= quantity * price * worth
        sums["fees"] += fee
        sums["value"] += abs(quantity) * price * worth
        sums["spread"] += quantity * (before - price) * worth
        self._pending.append((time + self._horizon, quantity, before))
        if waited is not None:
            sums["queue"] += abs(quantity) * waited / SECOND
            sums["queued"] += abs(quantity)
        sums["filled"] += abs(quantity)
        self._match(_Lots(quantity, price, fee / abs(quantity), time, order))
        self.position += quantity

    def order(self, quantity: float) -> None:
        """An order that the venue took."""
        self._counts["orders"] += 1
        self._counts["messages"] += 1
        self._ordered += quantity

    def request(self) -> None:
        """Another message to the venue: a cancel, a replace, an order that was refused."""
        self._counts["messages"] += 1

    def trades(self) -> RunningTrades:
        """All trades so far, the latest included."""
        found = copy.deepcopy(self._trades)
        if self._trade is not None:
            self._trade.over(found)
        return found

    def pnl(self) -> float:
        """Since the start, after fees, marked at the mid."""
        return self._sums["cash"] - self._sums["fees"] + self.position * self._mid * self.multiplier

    def measures(self, time: int) -> dict[str, float]:
        """Every measure up to ``time`` by its name."""
        self._advance(time)
        sums, fills = self._sums, self._counts["fills"]
        span = time - self.start
        mean = self._area / span if span else _NAN
        still = sum(quantity * (self._mid - mid) for _, quantity, mid in self._pending) * self.multiplier
        return self.trades().measures() | {
            "turnover": sums["value"] / self.capital if self.capital else _NAN,
            "exposure_time": self._exposed / span if span else _NAN,
            "commission_paid": sums["fees"],
            "total_pnl": self.pnl(),
            "spread_captured": sums["spread"],
            "inventory_mean": mean,
            "inventory_deviation": sqrt(max(self._square / span - mean * mean, 0.0)) if span else _NAN,
            "inventory_half_life": self._samples.half_life(self._step / SECOND),
            "fill_ratio": sums["filled"] / self._ordered if self._ordered else _NAN,
            "order_to_trade": self._counts["messages"] / fills if fills else _NAN,
            "time_at_best": self._best / span if span else _NAN,
            "adverse_selection_per_fill": (sums["adverse"] + still) / fills if fills else _NAN,
            "queue_time": sums["queue"] / sums["queued"] if sums["queued"] else _NAN,
        }

    def _advance(self, time: int) -> None:
        """What was held until now is counted; horizons that have passed end at the mid that held then."""
        if time < self._time:
            raise InvalidValueError(f"time {time} comes after {self._time}: feed an account in order of time")
        while self._pending and self._pending[0][0] < time:
            _, quantity, mid = self._pending.popleft()
            self._sums["adverse"] += quantity * (self._mid - mid) * self.multiplier
        lasted = time - self._time
        if not lasted:
            return
        held = self.position
        self._area += held * lasted
        self._square += held * held * lasted
        self._exposed += lasted * (held != 0)
        self._best += self._at_best * lasted
        if self._next < time:
            count = -(-(time - self._next) // self._step)
            self._samples.add(held, count)
            self._next += count * self._step
        self._time = time

    def _match(self, new: _Lots) -> None:
        """First in, first out."""
        while new.quantity and self._open and self._open[0].quantity * new.quantity < 0:
            first = self._open[0]
            size = min(abs(first.quantity), abs(new.quantity))
            side = 1.0 if first.quantity > 0 else -1.0
            gross = side * size * (new.price - first.price) * self.multiplier
            self._close(first, new, gross - size * (first.fee + new.fee))
            first.quantity -= side * size
            new.quantity += side * size
            if abs(first.quantity) < 1e-12:
                self._open.popleft()
        if abs(new.quantity) > 1e-12:
            self._open.append(new)

    def _close(self, entry: _Lots, exit_: _Lots, profit: float) -> None:
        """A piece of a trade: of the latest one, or of a new one."""
        trade = self._trade
        if trade is None or not trade.goes_on(entry.order, exit_.order):
            if trade is not None:
                trade.over(self._trades)
            self._trade = trade = _Trade(entry.order, exit_.order, entry.time)
        trade.profit += profit
        trade.begin, trade.end = min(trade.begin, entry.time), exit_.time


@dataclass
class _Lots:
    """What a fill opened."""

    quantity: float  # signed
    price: float
    fee: float  # a unit
    time: int
    order: int


@dataclass
class _Trade:
    """What one order opened and one closed, in pieces that follow each other."""

    entry: int
    exit: int
    begin: int
    end: int = 0
    profit: float = 0.0

    def goes_on(self, entry: int, exit_: int) -> bool:
        return entry == self.entry and exit_ == self.exit and entry != 0 and exit_ != 0

    def over(self, trades: RunningTrades) -> None:
        trades.add(self.profit, (self.end - self.begin) / SECOND)


class _Persistence:
    """The first-order autoregression of a series that is sampled on a clock."""

    def __init__(self) -> None:
        self._pairs = 0
        self._last: float | None = None
        self._x = self._y = self._xx = self._xy = 0.0

    def add(self, value: float, times: int) -> None:
        """The same value so many times."""
        if self._last is not None:
            self._pair(self._last, value, 1)
        self._pair(value, value, times - 1)
        self._last = value

    def _pair(self, x: float, y: float, times: int) -> None:
        self._pairs += times
        self._x += x * times
        self._y += y * times
        self._xx += x * x * times
        self._xy += x * y * times

    def half_life(self, step: float) -> float:
        """In the unit of ``step``."""
        n = self._pairs
        if n < 2:
            return _NAN
        variance = self._xx - self._x * self._x / n
        return half_life_of(
            (self._xy - self._x * self._y / n) / variance if variance > 1e-12 * max(self._xx, 1e-300) else _NAN, step
        )


def half_life_of(persistence: float, step: float) -> float:
    """-ln 2 / ln(persistence) · step: after how long half of a deviation is gone; NaN unless it is between 0 and 1."""
    return -log(2) / log(persistence) * step if 0.0 < persistence < 1.0 else _NAN
