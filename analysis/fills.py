"""Fills: the two legs of every trade as arrays, ready to be added up by account (an agent in an instrument).

Prices are kept in half ticks and quantities in lots, as floats that hold whole numbers wherever the data are on the
grid (mids are half ticks at the finest), so sums of their products are exact. Prices of inverse contracts are kept as
-1/price: what is linear in the price of others is linear in that. The end of a contract is a leg at its settlement
price. It never computes a P&L.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.round_trip import Matched, match_first_in_first_out
from marketsim.analysis.tape import Floats, Ints, Tape, column

if TYPE_CHECKING:
    from marketsim.domain.instrument import Instrument
    from marketsim.domain.tables import MarketTables

Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Orders:
    """The orders of known agents inside [start, end], by account."""

    account: Rows
    rejected: Flags
    quantity: Floats
    filled: Floats
    cancel_requests: Ints


@dataclass(frozen=True)
class Payments:
    """Payments of clearing that are no trade's: funding and the insurance fund."""

    account: Rows
    time: Ints
    amount: Floats  # currency, positive to the account


@dataclass(frozen=True)
class Fills:
    """One row a leg, in time order (an opening position first); ``account`` = agent · instruments + instrument.

    ``lots`` is signed, ``price`` in half ticks, ``fee`` in currency; ``opening`` marks positions carried into
    ``start`` at their mark.
    ``unit[market]`` turns half ticks times lots into currency. ``paid`` are payments of clearing: funding, and
    what went to and came from an insurance fund.
    """

    names: list[str]
    family: list[str]
    type: list[str]
    initial_cash: Floats
    tapes: dict[str, Tape]
    half_tick: Floats
    lot: Floats
    agent: Rows
    market: Rows
    time: Ints
    lots: Floats
    price: Floats
    fee: Floats
    maker: Flags
    opening: Flags
    trade: Rows  # of which row of the table of trades; -1 of an opening leg, and of the end of a contract
    order: Ints  # its id; 0 of an opening leg, and where it is unknown
    venue: Rows  # number in ``venues``; -1 of an opening leg, and of the end of a contract
    venues: list[str]
    tables: MarketTables  # read again for what orders say, once that is asked for
    contracts: list[Instrument]
    paid: Payments

    @classmethod
    def of(cls, tables: MarketTables, given: Mapping[str, Tape] | None = None) -> Fills:
        """Both legs of every trade of a named agent up to ``end``; those before ``start`` become an opening leg.

        given: tapes that are there already.
        """
        trades, known_tapes = tables.trades, given or {}
        time = column(trades, "time", np.int64)
        symbols = list(tables.instruments)
        tapes = {symbol: known_tapes.get(symbol) or Tape.of(tables, symbol) for symbol in symbols}
        names, family, kind, cash = _agents(tables)
        half_tick = np.array([tapes[s].tick / 2 for s in symbols])
        lot = np.array([tapes[s].lot for s in symbols])
        market = _codes(trades["instrument"], symbols)
        contracts = list(tables.instruments.values())
        price = _on_scale(column(trades, "price", np.float64), market, half_tick, contracts)
        lots = _snap(column(trades, "quantity", np.float64) / lot[market]) if len(time) else np.empty(0)
        lots = lots * column(trades, "side", np.float64)
        places = pd.Index(names, dtype="object")
        taker, maker = _codes(trades["taker"], places), _codes(trades["maker"], places)
        row = np.arange(len(time))
        venues = [str(venue) for venue in pd.unique(trades["venue"])]
        place = _codes(trades["venue"], venues)
        fee = [column(trades, name, np.float64) for name in ("taker_fee", "maker_fee")]
        # Interleaved, the maker's leg of a trade directly after the taker's: time order stays.
        legs = _Legs(
            agent=_interleave(taker, maker),
            market=_interleave(market, market),
            time=_interleave(time, time),
            lots=_interleave(lots, -lots),
            price=_interleave(price, price),
            fee=_interleave(fee[0], fee[1]),
            maker=_interleave(np.zeros(len(time), bool), np.ones(len(time), bool)),
            trade=_interleave(row, row),
            order=_interleave(column(trades, "taker_order", np.int64), column(trades, "maker_order", np.int64)),
            venue=_interleave(place, place),
        )
        payments = getattr(tables, "payments", None)
        if payments is not None and len(payments):
            legs = legs.with_ends(payments, names, symbols, half_tick, lot, contracts)
        known = (legs.agent >= 0) & (legs.time <= tables.end)
        legs = legs.take(known)
        legs, opening = _with_opening(legs, tapes, half_tick, len(names), int(tables.start))
        return cls(
            names=names,
            family=family,
            type=kind,
            initial_cash=cash,
            tapes=tapes,
            half_tick=half_tick,
            lot=lot,
            opening=opening,
            tables=tables,
            contracts=contracts,
            venues=venues,
            paid=_paid(payments, names, symbols, int(tables.start), int(tables.end)),
            **legs.__dict__,
        )

    @cached_property
    def orders(self) -> Orders:
        """The orders of the agents inside [start, end]."""
        tables = self.tables
        return _orders(tables.orders, self.names, list(self.tapes), int(tables.start), int(tables.end))

    @cached_property
    def queue_time(self) -> Ints:
        """ns between acceptance and fill of a maker's order for each leg, -1 where unknown."""
        trades = self.tables.trades
        waited = np.append(_queue_times(self.tables, _codes(trades["instrument"], list(self.tapes))), -1)
        return np.asarray(np.where(self.maker, waited[self.trade], -1), dtype=np.int64)  # row -1 is the -1

    @cached_property
    def account(self) -> Rows:
        return self.agent * len(self.tapes) + self.market

    @cached_property
    def unit(self) -> Floats:
        """Currency of one half tick times one lot, by instrument; of an inverse one of -1/price times one lot."""
        size = self.lot * np.array([float(one.multiplier) for one in self.contracts])
        inverse = np.array([one.inverse for one in self.contracts], dtype=bool)
        return np.asarray(np.where(inverse, size, self.half_tick * size), dtype=np.float64)

    @cached_property
    def cleared(self) -> Flags:
        """Which instruments are contracts."""
        return np.array([one.cleared for one in self.contracts], dtype=bool)

    def prices_of(self, market: Rows, values: Floats) -> Floats:
        """Prices in currency of what ``price`` holds."""
        inverse = np.array([one.inverse for one in self.contracts], dtype=bool)[market]
        with np.errstate(divide="ignore"):
            return np.where(inverse, -1.0 / values, values * self.half_tick[market])

    @cached_property
    def matched(self) -> Matched:
        """All fills closed first in, first out."""
        return match_first_in_first_out(self.account, self.lots, self.price, len(self.names) * len(self.tapes))

    def scaled(self, market: int, prices: Floats) -> Floats:
        """Prices of one instrument in half ticks, of an inverse one as -1/price."""
        return _on_scale(prices, np.full(len(prices), market, dtype=np.intp), self.half_tick, self.contracts)

    def per_account(self, values: Floats) -> Floats:
        """Sums of ``values`` (one a fill) by account."""
        return self.per_account_of(self.account, values)

    def per_account_of(self, account: Rows, values: Floats) -> Floats:
        """Sums of ``values`` by the ``account`` given for each."""
        return np.bincount(account, values, len(self.names) * len(self.tapes)).astype(np.float64)

    def marks(self, horizon: int) -> tuple[Floats, Floats]:
        """Marks just before each fill and ``horizon`` later (at the end at the latest), in half ticks.

        An opening position has no spread and no adverse selection: both marks are its price.
        """
        before, after = self.price.copy(), self.price.copy()
        for number, tape in enumerate(self.tapes.values()):
            rows = np.flatnonzero((self.market == number) & ~self.opening)
            times = self.time[rows]
            before[rows] = self.scaled(number, tape.marks_before(times))
            after[rows] = self.scaled(number, tape.marks_at(np.minimum(times + horizon, tape.end)))
        return before, after

    def held(self) -> tuple[Rows, Floats, Floats]:
        """Fills sorted by account and time (positions of rows), and the lots held before and after each."""
        order = np.argsort(self.account, kind="stable")
        account, running = self.account[order], np.cumsum(self.lots[order])
        first = np.searchsorted(account, account, "left")
        after = running - np.where(first > 0, running[first - 1], 0.0) if len(order) else running
        return order, after - self.lots[order], after

    def exposed(self) -> Floats:
        """Share of [start, end] in which each agent held anything, one value an agent."""
        tape = next(iter(self.tapes.values()), None)
        if tape is None or not len(self.lots):
            return np.zeros(len(self.names))
        order, before, after = self.held()
        change = np.zeros(len(order))
        change[order] = (after != 0).astype(float) - (before != 0)
        order = np.argsort(self.agent, kind="stable")
        agent, time, open_ = self.agent[order], self.time[order], np.cumsum(change[order])
        first = np.searchsorted(agent, agent, "left")
        open_ -= np.where(first > 0, open_[first - 1], 0.0)
        last = np.append(agent[1:] != agent[:-1], True)
        until = np.where(last, tape.end, np.append(time[1:], tape.end))
        span = max(tape.end - tape.start, 1)
        return np.bincount(agent, (open_ > 0) * (until - time), len(self.names)) / span

    def inventory_moments(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation over time of the position of each account over [start, end], in units."""
        count = len(self.names) * len(self.tapes)
        tape = next(iter(self.tapes.values()), None)
        if tape is None or not len(self.lots):
            return np.zeros(count), np.zeros(count)
        order, _, after = self.held()
        account, time = self.account[order], self.time[order]
        last = np.append(account[1:] != account[:-1], True)
        lasted = np.where(last, tape.end, np.append(time[1:], tape.end)) - time
        span = max(tape.end - tape.start, 1)
        mean = np.bincount(account, after * lasted, count) / span
        gap = after - mean[account]
        flat = span - np.bincount(account, lasted, count)  # before the first fill the position is 0
        square = (np.bincount(account, gap * gap * lasted, count) + mean**2 * flat) / span
        lot = np.tile(self.lot, len(self.names))
        return mean * lot, np.sqrt(square) * lot

    def position_sizes(self) -> tuple[Floats, Floats]:
        """Largest, and mean over time, of the absolute position of each account over [start, end], in units."""
        count = len(self.names) * len(self.tapes)
        largest, mean = np.zeros(count), np.zeros(count)
        if len(self.lots) == 0:
            return largest, mean
        order, _, held = self.held()
        account, time, held = self.account[order], self.time[order], np.abs(held)
        tape = next(iter(self.tapes.values()))
        last = np.append(account[1:] != account[:-1], True)
        until = np.where(last, tape.end, np.append(time[1:], tape.end))
        # Legs of one nanosecond are one change of position: what was held for no time is no peak.
        lasting = (until > time) | last
        np.maximum.at(largest, account[lasting], held[lasting])
        span = max(tape.end - tape.start, 1)
        mean = np.bincount(account, held * (until - time), count) / span
        lot = np.tile(self.lot, len(self.names))
        return largest * lot, mean * lot


@dataclass(frozen=True)
class _Legs:
    agent: Rows
    market: Rows
    time: Ints
    lots: Floats
    price: Floats
    fee: Floats
    maker: Flags
    trade: Rows
    order: Ints
    venue: Rows

    def with_ends(
        self,
        payments: pd.DataFrame,
        names: list[str],
        symbols: list[str],
        half_tick: Floats,
        lot: Floats,
        contracts: list[Instrument],
    ) -> _Legs:
        """With a leg for each position that ended with its contract, in time order."""
        ended = payments[payments["kind"] == "EXPIRY"]
        market = _codes(ended["instrument"], symbols)
        ends = _Legs(
            agent=_codes(ended["agent"], names),
            market=market,
            time=column(ended, "time", np.int64),
            lots=-_snap(column(ended, "quantity", np.float64) / lot[market]),
            price=_on_scale(column(ended, "price", np.float64), market, half_tick, contracts),
            fee=np.zeros(len(ended)),
            maker=np.zeros(len(ended), dtype=bool),
            trade=np.full(len(ended), -1, dtype=np.intp),
            order=np.zeros(len(ended), dtype=np.int64),
            venue=np.full(len(ended), -1, dtype=np.intp),
        )
        joined = _Legs(
            **{name: np.concatenate((values, ends.__dict__[name])) for name, values in self.__dict__.items()}
        )
        return joined.take(np.argsort(joined.time, kind="stable"))

    def take(self, rows: npt.NDArray[Any]) -> _Legs:
        return _Legs(**{name: values[rows] for name, values in self.__dict__.items()})


def _with_opening(
    legs: _Legs, tapes: dict[str, Tape], half_tick: Floats, agents: int, start: int
) -> tuple[_Legs, Flags]:
    """Replace the legs before ``start`` by one leg an account at the mark of ``start``."""
    early = int(np.searchsorted(legs.time, start, "left"))
    if early == 0:
        return legs, np.zeros(len(legs.time), dtype=bool)
    instruments = len(tapes)
    account = legs.agent[:early] * instruments + legs.market[:early]
    held = np.bincount(account, legs.lots[:early], agents * instruments)
    rows = np.flatnonzero(held)
    marks = np.array([tape.marks_before(np.array([start]))[0] for tape in tapes.values()])
    market = rows % instruments
    opened = _Legs(
        agent=rows // instruments,
        market=market,
        time=np.full(len(rows), start, dtype=np.int64),
        lots=held[rows].astype(np.float64),
        price=_snap(marks[market] / half_tick[market]),
        fee=np.zeros(len(rows)),
        maker=np.zeros(len(rows), dtype=bool),
        trade=np.full(len(rows), -1, dtype=np.intp),
        order=np.zeros(len(rows), dtype=np.int64),
        venue=np.full(len(rows), -1, dtype=np.intp),
    )
    late = legs.take(np.arange(early, len(legs.time)))
    joined = {name: np.concatenate((values, late.__dict__[name])) for name, values in opened.__dict__.items()}
    return _Legs(**joined), np.arange(len(joined["time"])) < len(rows)


def _on_scale(prices: Floats, market: Rows, half_tick: Floats, contracts: list[Instrument]) -> Floats:
    """Prices in half ticks; of inverse contracts as -1/price."""
    if not len(prices):
        return np.empty(0)
    inverse = np.array([one.inverse for one in contracts], dtype=bool)[market]
    result = _snap(prices / half_tick[market])
    return np.where(inverse, -1.0 / prices, result) if inverse.any() else result


def _paid(payments: pd.DataFrame | None, names: list[str], symbols: list[str], start: int, end: int) -> Payments:
    if payments is None or not len(payments):
        return Payments(np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0))
    time = column(payments, "time", np.int64)
    agent, market = _codes(payments["agent"], names), _codes(payments["instrument"], symbols)
    fits = payments["kind"].isin(["FUNDING", "FUND"]).to_numpy() & (agent >= 0) & (time >= start) & (time <= end)
    rows = np.flatnonzero(fits)
    return Payments((agent * len(symbols) + market)[rows], time[rows], column(payments, "amount", np.float64)[rows])


def _agents(tables: MarketTables) -> tuple[list[str], list[str], list[str], Floats]:
    """Names, families, types and initial cash: the table of agents, then others found in trades or orders."""
    agents = tables.agents
    names: list[str] = agents["name"].tolist()
    seen = set(names) | {""}
    for values in () if getattr(tables, "names_complete", False) else _named(tables):
        extra = sorted(set(map(str, values.unique().tolist())) - seen)
        names += extra
        seen.update(extra)
    more = len(names) - len(agents)
    family = [*agents["family"].tolist(), *["other"] * more]
    kind = [*agents["type"].tolist(), *[""] * more]
    cash = np.concatenate((column(agents, "initial_cash", np.float64), np.zeros(more)))
    return names, family, kind, cash


def _named(tables: MarketTables) -> Iterator[pd.Series]:
    yield from (tables.trades["taker"], tables.trades["maker"], tables.orders["agent"])


def _orders(orders: pd.DataFrame, names: list[str], symbols: list[str], start: int, end: int) -> Orders:
    time = column(orders, "time", np.int64)
    agent, market = _codes(orders["agent"], names), _codes(orders["instrument"], symbols)
    rows = np.flatnonzero((agent >= 0) & (market >= 0) & (time >= start) & (time <= end))
    states = orders["state"].iloc[rows]
    return Orders(
        account=agent[rows] * len(symbols) + market[rows],
        rejected=np.asarray(states == "REJECTED", dtype=bool),
        quantity=column(orders, "quantity", np.float64)[rows],
        filled=column(orders, "filled", np.float64)[rows],
        cancel_requests=column(orders, "cancel_requests", np.int64)[rows],
    )


def _queue_times(tables: MarketTables, market: Rows) -> Ints:
    """ns between the acceptance of the maker's order and each trade; -1 where the order is not in the table."""
    trades, orders = tables.trades, tables.orders
    result = np.full(len(trades), -1, dtype=np.int64)
    if len(orders) == 0 or len(trades) == 0:
        return result
    wanted, known = column(trades, "maker_order", np.int64), column(orders, "order_id", np.int64)
    order = np.argsort(known, kind="stable")
    if (np.diff(known[order]) == 0).any():  # ids repeat from venue to venue: tell them apart by venue and instrument
        venues = [str(v) for v in pd.unique(pd.concat([trades["venue"], orders["venue"]]))]
        symbols = list(tables.instruments)
        places = len(venues) * len(symbols)
        wanted = wanted * places + _codes(trades["venue"], venues) * len(symbols) + market
        own = _codes(orders["venue"], venues) * len(symbols) + _codes(orders["instrument"], symbols)
        known = known * places + own
        order = np.argsort(known, kind="stable")
    row = order[np.minimum(np.searchsorted(known[order], wanted, "left"), len(order) - 1)]
    found = (known[row] == wanted) & (column(trades, "maker_order", np.int64) != 0)
    waited = column(trades, "time", np.int64) - column(orders, "time", np.int64)[row]
    return np.where(found, waited, result)


def _codes(values: pd.Series, names: list[str] | pd.Index) -> Rows:
    """Position of each value in ``names``, -1 where it is not there."""
    codes, found = pd.factorize(values)
    known = names if isinstance(names, pd.Index) else pd.Index(names, dtype="object")
    place = known.get_indexer(pd.Index(np.asarray(found, dtype=object)))
    if len(place) == 0:
        return np.full(len(codes), -1, dtype=np.intp)
    return np.where(codes >= 0, place[np.maximum(codes, 0)], -1).astype(np.intp)


def _interleave(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
    result = np.empty(2 * len(first), dtype=np.result_type(first, second))
    result[0::2], result[1::2] = first, second
    return result


def _snap(values: Floats) -> Floats:
    """Whole numbers where a value is one but for rounding of a float; others as they are."""
    whole = np.rint(values)
    return np.where(np.abs(values - whole) < 1e-6, whole, values)
