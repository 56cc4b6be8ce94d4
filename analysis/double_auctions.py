"""Measures of double auctions against the equilibrium of their supply and demand (M5).

Prices and profits are currency. Each trade is one or more units of a buyer and of a seller, in the order in which each
trades them; a trader's units begin anew with each period. Nothing here estimates a schedule: it is given.

Sources: V. Smith, "An experimental study of competitive market behavior", Journal of Political Economy 70, 1962,
111–137 (alpha); D. Gode and S. Sunder, "Allocative efficiency of markets with zero-intelligence traders", Journal of
Political Economy 101, 1993, 119–137 (efficiency, dispersion of profits).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.tape import Floats, the_instrument
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.supply_and_demand import Schedule
    from marketsim.domain.tables import MarketTables


def smiths_alpha(prices: npt.ArrayLike, equilibrium: float) -> float:
    """100 / p* · sqrt(Σ (p − p*)² / n) in per cent: how far trades lie from the equilibrium price p*. NaN without any.

    Smith 1962 takes deviations of prices from the equilibrium, not from their mean.
    """
    array = np.asarray(prices, dtype=np.float64)
    if equilibrium <= 0.0:
        raise InvalidValueError(f"equilibrium={equilibrium:g} must be above zero")
    return float(100.0 * np.sqrt(np.mean((array - equilibrium) ** 2)) / equilibrium) if len(array) else float("nan")


def profit_dispersion(profits: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """sqrt(Σ (a − π)² / n) over n traders: of what each earned, a, from what it would have in equilibrium, π."""
    actual, wanted = np.asarray(profits, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if actual.shape != wanted.shape or actual.ndim != 1:
        raise InvalidValueError(f"{actual.shape} profits and {wanted.shape} expected ones: give one of each a trader")
    return float(np.sqrt(np.mean((actual - wanted) ** 2))) if len(actual) else float("nan")


@dataclass(frozen=True)
class DoubleAuction:
    """The trades of a run against its schedule. ``profits`` has a row a trader, currency, and a column a period."""

    schedule: Schedule
    trades: pd.DataFrame  # time, price, quantity, buyer, seller, period
    profits: pd.DataFrame
    gains: tuple[float, ...]  # of both sides together, currency, by period

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a period (index ``period``, from 0).

        ``trades`` and ``volume`` (units of the instrument); ``mean_price``; ``efficiency``, gains over the largest
        possible ones; ``alpha``, Smith's, per cent; ``dispersion``, the root mean squared difference of profits from
        those in equilibrium, currency.
        """
        equilibrium = self.schedule.equilibrium()
        expected, profits = self._expected, self.profits.to_numpy()
        period, price, quantity = (self.trades[name].to_numpy() for name in ("period", "price", "quantity"))
        rows = []
        for number in range(len(self.gains)):
            mine = period == number
            rows.append(
                {
                    "trades": int(mine.sum()),
                    "volume": float(quantity[mine].sum()),
                    "mean_price": float(price[mine].mean()) if mine.any() else float("nan"),
                    "efficiency": self.gains[number] / equilibrium.surplus
                    if equilibrium.surplus > 0.0
                    else float("nan"),
                    "alpha": smiths_alpha(price[mine], equilibrium.price),
                    "dispersion": profit_dispersion(profits[:, number], expected),
                }
            )
        return pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="period"))

    @cached_property
    def _expected(self) -> Floats:
        profits = self.schedule.equilibrium_profits()
        return np.array([profits[name] for name in self.profits.index])

    @property
    def efficiency(self) -> float:
        """Gains of all periods over the largest possible ones."""
        possible = self.schedule.equilibrium().surplus * len(self.gains)
        return sum(self.gains) / possible if possible > 0.0 else float("nan")

    @property
    def alpha(self) -> float:
        """Smith's alpha of all trades, per cent."""
        return smiths_alpha(self.trades["price"], self.schedule.equilibrium().price)

    @property
    def dispersion(self) -> float:
        """Root mean squared difference of profits from those in equilibrium, over all traders and periods, currency."""
        gaps = self.profits.to_numpy() - self._expected[:, None]
        return float(np.sqrt(np.mean(gaps**2))) if gaps.size else float("nan")

    def families(self) -> pd.DataFrame:
        """Mean profit of a trader and period, actual and in equilibrium, by the name before the dot (index ``family``).

        ``traders``, ``profit``, ``equilibrium_profit``, both currency, and ``ratio`` of the two.
        """
        expected = pd.Series(self.schedule.equilibrium_profits())
        table = pd.DataFrame({"profit": self.profits.mean(axis=1), "equilibrium_profit": expected[self.profits.index]})
        family = pd.Index([str(name).partition(".")[0] for name in table.index], name="family")
        found = table.groupby(family).mean()
        found.insert(0, "traders", table.groupby(family).size())
        found["ratio"] = found["profit"] / found["equilibrium_profit"].where(found["equilibrium_profit"] > 0.0)
        return found


def double_auction(source: MarketTables, schedule: Schedule, instrument: str | None = None) -> DoubleAuction:
    """The measures of a run whose traders have the schedule's units.

    Periods are counted from the schedule's start; those that end after the run, or begin before it is measured, are
    left out, except where there is only one. The unit of a trade is told by how many its trader traded before in the
    period, or, where units come one by one, by the time of the trade; with latency an order may trade just after its
    unit has been replaced. Raises InvalidValueError for trades of somebody who has no units.
    """
    symbol = the_instrument(source, instrument)
    table = source.trades
    return outcome(table[table["instrument"] == symbol], schedule, source.start, source.end)


def outcome(table: pd.DataFrame, schedule: Schedule, start: int, end: int) -> DoubleAuction:
    """The same from a table of trades with columns TRADES, of one instrument, between two times (ns)."""
    first, count = _periods(schedule, start, end)
    bought = table["side"].to_numpy() > 0
    trades = pd.DataFrame(
        {
            "time": table["time"].to_numpy(np.int64),
            "price": table["price"].to_numpy(np.float64),
            "quantity": table["quantity"].to_numpy(np.float64),
            "buyer": np.where(bought, table["taker"], table["maker"]),
            "seller": np.where(bought, table["maker"], table["taker"]),
        }
    )
    elapsed = trades["time"].to_numpy() - schedule.start
    trades["period"] = elapsed // schedule.period - first if schedule.period else np.int64(0)
    trades = trades[(trades["period"] >= 0) & (trades["period"] < count)].reset_index(drop=True)
    _check_names(trades, schedule)
    names = [name for name, _ in schedule.traders()]
    place = {name: row for row, name in enumerate(names)}
    profits = np.zeros((len(names), count))
    for side, role, books in ((1, "buyer", schedule.values), (-1, "seller", schedule.costs)):
        gain = side * (_worth(trades, role, books, schedule) - trades["price"].to_numpy())
        rows = np.array([place[name] for name in trades[role]], np.int64)
        np.add.at(profits, (rows, trades["period"].to_numpy()), gain * trades["quantity"].to_numpy())
    table = pd.DataFrame(profits, index=names, columns=range(count))
    return DoubleAuction(schedule, trades, table, tuple(map(float, profits.sum(axis=0))))


def _periods(schedule: Schedule, start: int, end: int) -> tuple[int, int]:
    """The first whole period that is measured, and how many there are."""
    if schedule.period == 0:
        return 0, 1
    first = -((schedule.start - start) // schedule.period)
    count = (end - schedule.start) // schedule.period - first
    if count < 1:
        raise InvalidValueError("no whole period is measured; run longer, or with a shorter warm-up")
    return int(first), int(count)


def _check_names(trades: pd.DataFrame, schedule: Schedule) -> None:
    for role, books in (("buyer", schedule.values), ("seller", schedule.costs)):
        strangers = sorted(set(trades[role]) - set(books))
        if strangers:
            raise InvalidValueError(f"{strangers[0]} traded as a {role} and has no units to; give it some")


def _worth(trades: pd.DataFrame, role: str, books: Any, schedule: Schedule) -> Floats:
    """What the traded unit is worth or costs, currency; of a trade over several units their mean."""
    done: dict[tuple[str, int], float] = {}
    worth = np.zeros(len(trades))
    rows = zip(trades[role], trades["period"], trades["quantity"], trades["time"], strict=True)
    for place, (name, period, lots, time) in enumerate(rows):
        units, before = books[name], done.get((name, period), 0.0)
        done[name, period] = before + lots
        if schedule.one_by_one:
            worth[place] = units[_dripped(name, books, schedule, time)]
        else:
            worth[place] = _mean_worth(units, before / schedule.quantity, lots / schedule.quantity)
    return worth


def _mean_worth(units: tuple[float, ...], done: float, more: float) -> float:
    """The mean of the units from ``done`` to ``done + more``; units beyond the last count as it."""
    total, at, left = 0.0, done, more
    while left > 1e-9:
        place = int(at + 1e-9)
        part = min(left, place + 1 - at)
        total += part * units[min(place, len(units) - 1)]
        at, left = at + part, left - part
    return total / more


def _dripped(name: str, books: Any, schedule: Schedule, time: int) -> int:
    """Which of a trader's units is there at a time, when each takes the place of the one before."""
    family = [other for other in books if other.rpartition(".")[0] == name.rpartition(".")[0]]
    interval = schedule.period // len(books[name])
    offset = interval * family.index(name) // len(family)
    return int((time - schedule.start - offset) // interval) % len(books[name])
