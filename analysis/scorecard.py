"""The scorecard of agents: every measure of performance of one, some or all of them in one tidy table (M3, M4).

It brings together what ``accounting``, ``performance``, ``active_returns`` and ``at_best`` measure; the measures of
arrays are theirs. What a run did not record is NaN, and the table says what is missing and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marketsim.analysis import performance
from marketsim.analysis.accounting import Account, Accounts, accounts
from marketsim.analysis.active_returns import ACTIVE
from marketsim.analysis.at_best import time_at_best
from marketsim.analysis.prices import step_of
from marketsim.analysis.running_performance import half_life_of
from marketsim.analysis.tape import Floats, Ints, Tape, the_instrument
from marketsim.domain.units import DAY, SECOND, duration
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

SESSION = "6h30min"
COLUMNS = ("agent", "family", "group", "measure", "value", "unit", "missing")

_TAILS = {
    f"{method}{name}_{level}": "1"
    for level in (95, 99)
    for method in ("", "gaussian_", "cornish_fisher_")
    for name in ("var", "cvar")
}
GROUPS: dict[str, dict[str, str]] = {  # measures and their units by group; "1" is a pure number or a share
    "returns": {
        "total_return": "1",
        "annualized_return": "1",
        "daily_mean_return": "1",
        "best_period": "1",
        "worst_period": "1",
    },
    "risk-adjusted": dict.fromkeys(
        ("sharpe", "sortino", "calmar", "omega", "information_ratio", "treynor", "alpha", "tail_ratio", "gain_to_pain"),
        "1",
    ),
    "risk": {
        "volatility": "1",
        "downside_deviation": "1",
        "max_drawdown": "1",
        "max_drawdown_amount": "currency",
        "drawdown_start": "s",
        "drawdown_trough": "s",
        "drawdown_recovery": "s",
        "drawdown_length": "s",
        "average_drawdown": "1",
        "ulcer_index": "1",
        **_TAILS,
        "skewness": "1",
        "kurtosis": "1",
        "beta": "1",
        "correlation": "1",
        "active_return": "1",
        "tracking_error": "1",
    },
    "trades": {
        "trades": "trades",
        "winning_trades": "trades",
        "losing_trades": "trades",
        "win_rate": "1",
        "profit_factor": "1",
        "average_win": "currency",
        "average_loss": "currency",
        "payoff_ratio": "1",
        "largest_win": "currency",
        "largest_loss": "currency",
        "expectancy": "currency",
        "longest_winning_run": "trades",
        "longest_losing_run": "trades",
        "average_holding_time": "s",
        "turnover": "1",
        "exposure_time": "1",
        "commission_paid": "currency",
        "total_pnl": "currency",
        "realized_pnl": "currency",
        "unrealized_pnl": "currency",
    },
    "market making": {
        "spread_captured": "currency",
        "adverse_selection": "currency",
        "inventory_pnl": "currency",
        "adverse_selection_per_fill": "currency",
        "inventory_mean": "units",
        "inventory_deviation": "units",
        "inventory_half_life": "s",
        "fill_ratio": "1",
        "order_to_trade": "1",
        "time_at_best": "1",
        "queue_time": "s",
        "maker_share": "1",
    },
    "execution": {"slippage_bps": "bps", "vwap_bps": "bps"},
}
_NEEDS_CAPITAL = (  # what has no meaning for profits in currency
    "total_return", "annualized_return", "daily_mean_return", "best_period", "worst_period", "calmar", "volatility",
    "downside_deviation", "max_drawdown", "average_drawdown", "ulcer_index", "turnover", *_TAILS, *ACTIVE,
)  # fmt: skip
_NO_CAPITAL = "the agent has no cash to begin with, so profits are no returns: say capital="
_NO_EQUITY = "its equity falls to zero or below, so returns end there: say a larger capital="
_NO_TRADES = "needs a position that was closed: the agent closed none"
_NO_FILLS = "needs a fill: the agent had none"
_NO_ORDERS = "needs orders: the tables know of none"
_FEW = "needs more periods in which something changed: shorten every=, or run for longer"
_NO_BENCHMARK = "the benchmark does not move: name another"
_NOT_BACK = "the fall has not been made up for by the end, or there was none: run for longer"
_FOLDED = "skewness and kurtosis are too large for the expansion: take the historical one"
_UNDEFINED = "not defined for these values, such as a ratio to losses where there are none"


@dataclass(frozen=True)
class _Clock:
    """The periods of returns."""

    times: Ints  # ns, of the equity
    step: int
    day: int  # ns of a trading day
    days: float  # a year

    @property
    def per_day(self) -> float:
        return self.day / self.step

    @property
    def per_year(self) -> float:
        return self.per_day * self.days


def performance_table(
    tables: MarketTables,
    agents: str | Iterable[str] | None = None,
    *,
    every: object = None,
    benchmark: object = None,
    capital: float | Mapping[str, float] | None = None,
    day: object = None,
    days_per_year: float = 252,
    risk_free: float = 0.0,
    target: float = 0.0,
    horizon: object = "5s",
    books: Accounts | None = None,
) -> pd.DataFrame:
    """Every measure of some agents (all by default; of a family its members): a row a measure and agent, columns
    COLUMNS.

    ``value`` is NaN where a measure is not defined, and ``missing`` says why and what to do, "" elsewhere. GROUPS has
    every measure and its unit; docs/performance-measures.md its formula and source. ``.pivot(index="measure",
    columns="agent", values="value")`` sets agents side by side; ``.to_csv`` and ``.to_parquet`` write the table.

    every: length of a period of returns; a round one for about 200 of them when left out. benchmark: a symbol (holding
    that instrument), the name of an index of the scenario, a Series of levels by time in ns, or an array of returns,
    one a period; left out, holding equal values of all instruments. capital: what returns are of, in currency, for all
    or by agent; the agents' initial cash when left out. day: how much of the clock is a trading day, for what is
    annualised: 6h30min when left out, and 24h in a run of more than a day. risk_free: a rate a year. target: a return a
    period. horizon: as of ``accounts``; ``books`` saves computing these again. Times are s of simulated time. Inventory
    is that of the instrument in which the agent traded most.
    """
    books = accounts(tables, horizon=horizon) if books is None else books
    names = _chosen(agents, books)
    step = step_of(tables.start, tables.end, 200) if every is None else duration(every)
    equity = books.equity(step)
    times = equity.index.to_numpy()
    whole = len(times) - 1 if len(times) > 1 and times[-1] - times[-2] < step else len(times)  # a last bit is no period
    clock = _Clock(times, step, _day(tables, day), days_per_year)
    hold = benchmark_returns(tables, times[:whole], benchmark)
    cards = _Cards(tables, books, clock, whole, hold, risk_free, target)
    rows = [row for name in names for row in cards.rows(name, equity[name].to_numpy(), _capital(capital, name, books))]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"value": np.float64})


def benchmark_returns(tables: MarketTables, times: Ints, benchmark: object = None) -> Floats:
    """Simple returns between ``times`` (ns) of a benchmark, which is said as in ``performance_table``."""
    if isinstance(benchmark, pd.Series):
        levels = _levels(benchmark, times)
    elif benchmark is None:
        held = [Tape.of(tables, symbol).marks_at(times) for symbol in tables.instruments]
        levels = np.mean([marks / marks[0] for marks in held], axis=0) if held else np.ones(len(times))
    elif isinstance(benchmark, str):
        levels = _named(tables, benchmark, times)
    else:
        given = np.asarray(benchmark, dtype=np.float64)
        if given.shape != (max(len(times) - 1, 0),) or not np.isfinite(given).all():
            raise InvalidValueError(
                f"benchmark: {given.size} returns for {len(times) - 1} periods: give a finite one for each, or a "
                "Series of levels by time"
            )
        return given
    if not (levels > 0).all():
        raise InvalidValueError("benchmark: a level is zero or below, so it has no returns: give prices or an index")
    return np.asarray(levels[1:] / levels[:-1] - 1.0)


def _levels(series: pd.Series, times: Ints) -> Floats:
    known = series.dropna().sort_index()
    row = np.searchsorted(known.index.to_numpy(np.int64), times, "right") - 1
    if not len(known) or row[0] < 0:
        begins = f"begins at {known.index[0]}" if len(known) else "is empty"
        raise InvalidValueError(
            f"benchmark: the series {begins} ns, after {times[0]} ns: give levels from the start on"
        )
    return known.to_numpy(np.float64)[row]


def _named(tables: MarketTables, name: str, times: Ints) -> Floats:
    if name in tables.instruments:
        return Tape.of(tables, the_instrument(tables, name)).marks_at(times)
    spec = getattr(getattr(tables, "manifest", None), "spec", {})
    indices = list(spec.get("indices", {}) or {})
    if name not in indices:
        known = [*tables.instruments, *indices]
        raise InvalidValueError(f"benchmark: {name!r} is no instrument and no index{did_you_mean(name, known)}")
    from marketsim.analysis.index_baskets import index_values

    found = index_values(tables, name)
    return _levels(pd.Series(found["value"].to_numpy(), index=found["time"].to_numpy()), times)


class _Cards:
    """What the scorecards of all agents share."""

    def __init__(
        self, tables: MarketTables, books: Accounts, clock: _Clock, whole: int, hold: Floats, risk_free: float,
        target: float,
    ) -> None:  # fmt: skip
        self._tables, self._books, self._clock, self._whole, self._hold = tables, books, clock, whole, hold
        self._risk_free, self._target = risk_free, target
        trips = books.round_trips
        self._trips = dict(tuple(trips.groupby("agent", sort=False))) if len(trips) else {}
        self._nothing = trips.iloc[:0]
        self._exposed = dict(zip(books.names, books.exposure().tolist(), strict=True))
        self._best = {symbol: time_at_best(tables, symbol)["both"] for symbol in tables.instruments}
        self._quality = books.execution_quality()
        self._unit = "/".join(sorted({i.currency for i in tables.instruments.values()})) or "currency"

    def rows(self, name: str, profit: Floats, capital: float) -> list[tuple[Any, ...]]:
        """The rows of one agent, in the order of GROUPS."""
        account = self._books[name]
        values, why = self._returns(profit, capital)
        values |= self._of_trades(account, capital) | self._of_making(account)
        values |= {f"{what}_bps": float(self._quality[f"{what}_bps"][name]) for what in ("slippage", "vwap")}
        rows = []
        for group, measures in GROUPS.items():
            for measure, unit in measures.items():
                value = values[measure]
                missing = self._missing(group, measure, account.fills, account.orders, why) if np.isnan(value) else ""
                shown = self._unit if unit == "currency" else unit
                rows.append((name, account.family, group, measure, value, shown, missing))
        return rows

    def _returns(self, profit: Floats, capital: float) -> tuple[dict[str, float], str]:
        """Measures of returns; of profits, without capital, those that have no scale. And why it is so."""
        clock, series = self._clock, profit[: self._whole]
        equity = capital + series
        why = _NO_CAPITAL if not capital > 0 else _NO_EQUITY if not (equity > 0).all() else ""
        changes = np.diff(series) if why else performance.returns_of(equity)
        found = performance.return_measures(
            changes if not why else changes / max(float(np.abs(changes).sum()), 1e-300),
            clock.per_year, periods_per_day=clock.per_day, risk_free=0.0 if why else self._risk_free,
            target=0.0 if why else self._target, benchmark=None if why else self._hold,
        )  # fmt: skip
        worst = performance.max_drawdown(profit, relative=False)
        found["max_drawdown_amount"] = worst.amount
        start, trough, back = found["drawdown_start"], found["drawdown_trough"], found["drawdown_recovery"]
        if why:
            found.update(dict.fromkeys(_NEEDS_CAPITAL, float("nan")))
            start, trough = float(worst.start), float(worst.trough)
            back = float("nan") if worst.recovery is None else float(worst.recovery)
        if worst.amount == 0.0:  # a fall that never was began at no time
            start = trough = back = float("nan")
        found["drawdown_start"], found["drawdown_trough"] = self._at(start), self._at(trough)
        found["drawdown_recovery"] = self._at(back)
        found["drawdown_length"] = self._at(back) - self._at(start)
        return found, why

    def _at(self, place: float) -> float:
        return float("nan") if np.isnan(place) else float(self._clock.times[int(place)]) / SECOND

    def _of_trades(self, account: Account, capital: float) -> dict[str, float]:
        name = account.name
        trades = joined_trades(self._trips.get(name, self._nothing))
        held = trades["holding_time"].to_numpy(np.float64) / SECOND
        return performance.trade_measures(trades["pnl"].to_numpy(np.float64), held) | {
            "turnover": account.value / capital if capital > 0 else float("nan"),
            "exposure_time": self._exposed[name],
            "commission_paid": 0.0 - account.fees,
            "total_pnl": account.pnl,
            "realized_pnl": account.realized,
            "unrealized_pnl": account.unrealized,
        }

    def _of_making(self, account: Account) -> dict[str, float]:
        name = account.name
        symbol = self._books.main_instrument(name)
        nothing = float("nan")
        best = self._best.get(symbol)
        mean, deviation = self._books.inventory_moments(name, symbol) if symbol else (nothing, nothing)
        orders = account.orders > 0 and best is not None
        return {
            "spread_captured": account.spread_capture,
            "adverse_selection": account.adverse_selection,
            "inventory_pnl": account.inventory,
            "adverse_selection_per_fill": account.adverse_selection / account.fills if account.fills else nothing,
            "inventory_mean": mean,
            "inventory_deviation": deviation,
            "inventory_half_life": self._half_life(name, symbol),
            "fill_ratio": account.fill_ratio,
            "order_to_trade": account.order_to_trade,
            "time_at_best": float(best.get(name, 0.0)) if orders and best is not None else nothing,
            "queue_time": account.queue_time,
            "maker_share": account.maker_share,
        }

    def _half_life(self, name: str, symbol: str) -> float:
        if not symbol:
            return float("nan")
        times = np.arange(self._tables.start, self._tables.end, SECOND, dtype=np.int64)
        return inventory_half_life(self._books.position(name, symbol, times), 1.0)

    def _missing(self, group: str, measure: str, fills: int, orders: int, why: str) -> str:
        if why and measure in _NEEDS_CAPITAL:
            return why
        if not fills:
            return _NO_FILLS if orders or group != "market making" else _NO_ORDERS
        if group == "trades":
            return _NO_TRADES
        if group == "market making" and not orders:
            return _NO_ORDERS
        if measure.startswith("cornish_fisher") and self._whole > 2:
            return _FOLDED
        if measure.startswith("drawdown_"):
            return _NOT_BACK
        if measure in ACTIVE and self._whole > 2 and not self._hold.any():
            return _NO_BENCHMARK
        return _FEW if self._whole < 3 else _UNDEFINED


def joined_trades(trips: pd.DataFrame) -> pd.DataFrame:
    """Round trips of one agent as trades: what one order opened and one closed, in pieces that follow each other.

    Columns ``pnl`` (currency, after fees) and ``holding_time`` (ns, from the first entry to the last exit). A piece
    whose orders are not known is a trade.
    """
    if not len(trips):
        return pd.DataFrame({"pnl": np.empty(0), "holding_time": np.empty(0, np.int64)})
    symbol, entry, exit_ = (trips[name].to_numpy() for name in ("instrument", "entry_order", "exit_order"))
    other = (symbol[1:] != symbol[:-1]) | (entry[1:] != entry[:-1]) | (exit_[1:] != exit_[:-1])
    first = np.flatnonzero(np.append(True, other | (entry[1:] == 0) | (exit_[1:] == 0)))
    profit, begin, end = (trips[name].to_numpy() for name in ("pnl", "entry_time", "exit_time"))
    held = np.maximum.reduceat(end, first) - np.minimum.reduceat(begin, first)
    return pd.DataFrame({"pnl": np.add.reduceat(profit, first), "holding_time": held})


def inventory_half_life(held: Floats, step: float) -> float:
    """After how long half of a deviation of the inventory is gone, from its values ``step`` apart, in its unit.

    -ln 2 / ln(φ) · step with φ the slope of x(t+1) on x(t), by least squares: the half-life of the discrete
    Ornstein–Uhlenbeck process. NaN unless 0 < φ < 1.
    """
    before, after = held[:-1], held[1:]
    if len(before) < 2:
        return float("nan")
    gap = before - before.mean()
    spread = float(np.square(gap).sum())  # sums, as products of vectors wake up every core for nothing
    if spread <= 1e-12 * max(float(np.square(before).sum()), 1e-300):
        return float("nan")
    return half_life_of(float((gap * after).sum()) / spread, step)


def _chosen(agents: str | Iterable[str] | None, books: Accounts) -> list[str]:
    if agents is None:
        return books.names
    asked = [agents] if isinstance(agents, str) else list(agents)
    names: list[str] = []
    for name in asked:
        members = [] if name in books.names else books.members(name)
        if not members:
            books[name]  # an unknown name is refused with the nearest one
        names += members or [name]
    return list(dict.fromkeys(names))


def _capital(capital: float | Mapping[str, float] | None, name: str, books: Accounts) -> float:
    if isinstance(capital, Mapping):
        return float(capital.get(name, 0.0))
    return books.initial_cash(name) if capital is None else float(capital)


def _day(tables: MarketTables, day: object) -> int:
    if day is not None:
        length = duration(day)
        if length <= 0:
            raise InvalidValueError(f"day={day!r} must be above zero, such as 6h30min")
        return length
    return DAY if tables.end - tables.start > DAY else duration(SESSION)
