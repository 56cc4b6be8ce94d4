"""Agent accounts: cash, positions, fees, and P&L split into its parts, from trades, quotes and orders (M3).

Measured over [start, end]: a position carried over from before ``start`` (the warm-up) is taken over at its mark. Marks
are mids: the last one that existed, or the instrument's reference price before there was any.

The split. An agent's fill i buys q units (negative: sells) at price p. Let m be the mark just before it, h the mark
``horizon`` later (or at the end, if that is earlier) and M the mark at the end. Then, because the middle terms cancel,

    q (M - p)  =  q (m - p)         spread capture: bought below or sold above the mid
               +  q (h - m)         adverse selection: what the price did right after the fill
               +  q (M - h)         inventory: revaluation of the position afterwards

and Σ over the fills, plus the revaluation q0 (M - M0) of an opening position (inventory), minus the fees, is the P&L:

    pnl = spread_capture + adverse_selection + inventory + fees + funding

Contracts: the same with their multiplier; for inverse ones p, m, h and M are -1/price, and money is the base coin.
Funding is what perpetuals paid, with what the insurance fund took and gave. A run with several settlement currencies
has tables by instrument whose sums over instruments add different currencies: read ``by_instrument`` then.

The sums are carried out in half ticks times lots, which are whole numbers, so the identity holds exactly there and to
the last bit of a float in currency. Prices off the half-tick grid only cost that exactness. Source of the idea: the
decomposition of market makers' profit in Menkveld (2013) and Hasbrouck and Sofianos (1993).

Realized P&L is first in, first out, and before fees. Nothing here loops over fills.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis import performance
from marketsim.analysis.fills import Fills, Rows
from marketsim.analysis.prices import clock_grid, step_of
from marketsim.analysis.rule_notes import RuleNotes, rule_notes
from marketsim.analysis.tape import Floats, Ints, Tape, quotient, require_tables, the_instrument
from marketsim.domain.units import SECOND, duration
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

PARTS = ("spread_capture", "adverse_selection", "inventory", "fees", "funding")
PROFITS = ("position", "position_value", "pnl", *PARTS, "realized", "unrealized")
"""What trades and quotes alone decide."""

# Sums of floats leave dust where gains and losses cancel: a nano of currency is nothing.
_MONEY = (*PARTS, "pnl", "realized", "unrealized", "position_value")
_SUMS = (
    "orders",
    "rejected",
    "cancel_requests",
    "ordered",
    "ordered_filled",
    "fills",
    "maker_fills",
    "volume",
    "maker_volume",
    "value",
    "cash",
    "position",
    "position_value",
    "pnl",
    *PARTS,
    "realized",
    "unrealized",
    "queue_weight",
    "queue_sum",
)


@dataclass(frozen=True)
class Account:
    """One agent's account over [start, end], in currency unless said; see ``Accounts.table`` for each field."""

    name: str
    family: str
    type: str
    pnl: float
    spread_capture: float
    adverse_selection: float
    inventory: float
    fees: float
    funding: float
    realized: float
    unrealized: float
    cash: float
    position: float
    position_value: float
    orders: int
    fills: int
    volume: float
    value: float
    maker_share: float
    fill_ratio: float
    order_to_trade: float
    queue_time: float
    max_position: float
    mean_position: float


class Accounts:
    """All accounts of a run. ``accounts(run)["mm"].pnl``; ``.table`` and ``.families`` are DataFrames."""

    def __init__(self, tables: MarketTables, horizon: int, tapes: Mapping[str, Tape] | None = None) -> None:
        self.horizon = horizon
        self._tables = tables
        self._fills = Fills.of(tables, tapes)

    def __getitem__(self, name: str) -> Account:
        if name not in self.table.index:
            if members := self.members(name):
                some = ", ".join(members[:3]) + (" …" if len(members) > 3 else "")
                raise InvalidValueError(f"{name!r} is a family of {len(members)}: name one of {some}")
            raise InvalidValueError(f"no agent is called {name!r}{did_you_mean(name, self.table.index)}")
        row = self.table.loc[name].to_dict()
        wanted = {field: row[field] for field in Account.__dataclass_fields__ if field != "name"}
        return Account(name=name, **{**wanted, "orders": int(wanted["orders"]), "fills": int(wanted["fills"])})

    def members(self, family: str) -> list[str]:
        """The agents of a family; none where no family is called so."""
        return [name for name, own in zip(self._fills.names, self._fills.family, strict=True) if own == family]

    def __len__(self) -> int:
        return len(self._fills.names)

    def __iter__(self) -> Any:
        return iter(self._fills.names)

    @property
    def names(self) -> list[str]:
        """The agents, in the order of the table of agents, then others that traded."""
        return list(self._fills.names)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row an agent (index ``agent``).

        ``family``, ``type``; ``orders`` that the venue accepted, ``rejected``, ``cancel_requests`` (cancels and
        replaces), ``ordered`` and ``fill_ratio`` (units filled / units ordered of accepted orders); ``fills``,
        ``maker_fills``, ``volume`` (units), ``maker_volume``, ``maker_share`` (of volume), ``value`` traded (currency);
        ``order_to_trade`` ((orders + rejected + cancel_requests) / fills; EU 2017/566 subtracts 1 from it);
        ``queue_time`` (s from acceptance to fill, volume-weighted over maker fills);
        ``cash`` (initial cash and everything since, currency), ``position`` (units at the end, all instruments added
        up), ``position_value`` (currency at the mark), ``max_position`` and ``mean_position`` (units, of the absolute
        position; the mean is over time; the largest instrument's);
        ``pnl`` = ``spread_capture`` + ``adverse_selection`` + ``inventory`` + ``fees`` (negative when paid) +
        ``funding`` (of contracts, received less paid), and ``realized`` + ``unrealized`` = pnl - fees - funding. The
        ``cash`` of contracts is their P&L, as if they were settled at the mark.
        """
        fills = self._fills
        table = self._collapsed(np.arange(len(self.names)), pd.Index(self.names, name="agent"))
        table.insert(0, "family", fills.family)
        table.insert(1, "type", fills.type)
        return table

    @cached_property
    def families(self) -> pd.DataFrame:
        """``table`` added up by family (index ``family``), with ``agents``; ratios are of the sums."""
        owner, names = self._owners("family")
        result = self._collapsed(owner, pd.Index(names, name="family"))
        result[list(_MONEY)] = result[list(_MONEY)].round(9) + 0.0
        result.insert(0, "agents", np.bincount(owner, minlength=len(names)))
        return result

    def column(self, name: str, *, by: Literal["agent", "family"] = "agent") -> pd.Series | None:
        """One column of ``table`` or ``families``, None where they have none such; only what it takes is computed."""
        table = "families" if by == "family" else "table"
        if table in self.__dict__ or name not in PROFITS:
            whole: pd.DataFrame = getattr(self, table)
            return whole[name] if name in whole.columns else None
        owner, names = self._owners(by)
        sums = np.bincount(np.repeat(owner, len(self._fills.tapes)), self._profits[name], len(names))
        values = pd.Series(sums.astype(np.float64), index=pd.Index(names, name=by), name=name)
        return values.round(9) + 0.0 if by == "family" and name in _MONEY else values

    @cached_property
    def by_instrument(self) -> pd.DataFrame:
        """The columns of ``table`` for each (agent, instrument), except family and type; ``cash`` is cash flow."""
        fills = self._fills
        symbols = list(fills.tapes)
        index = pd.MultiIndex.from_product([self.names, symbols], names=["agent", "instrument"])
        return _with_ratios(self._sums, index)

    @cached_property
    def _sums(self) -> dict[str, Floats]:
        """What adds up, and the sizes of positions, of each account: agent by agent, instrument by instrument."""
        fills = self._fills
        return {**_order_columns(fills), **_fill_columns(fills), **self._profits}

    @cached_property
    def _profits(self) -> dict[str, Floats]:
        """Those that trades and quotes alone decide."""
        return _profit_columns(self._fills, self.horizon)

    def _collapsed(self, group: Ints, names: pd.Index) -> pd.DataFrame:
        """Sums over the accounts of agents of a group, the largest position of any, and the ratios of the sums."""
        fills, count = self._fills, len(names)
        account = np.repeat(group, len(fills.tapes))
        columns = {
            name: np.bincount(account, self._sums[name], count).astype(np.float64)
            for name in _SUMS
            if name in self._sums
        }
        columns["cash"] += np.bincount(group, fills.initial_cash, count)
        for name in ("max_position", "mean_position"):
            columns[name] = np.zeros(count)
            np.maximum.at(columns[name], account, self._sums[name])
        return _with_ratios(columns, names)

    def equity(self, every: object = None, *, by: Literal["agent", "family"] = "agent") -> pd.DataFrame:
        """P&L since ``start`` in currency, fees included, marked at the mid, on a clock (index: ns; a column each).

        The last row is at ``end`` and equals ``pnl``. ``every`` is a duration; about 1,000 points by default.
        """
        times = self._clock(every)
        owner, names = self._owners(by)
        total = np.zeros((len(names), len(times)))
        for number in range(len(self._fills.tapes)):
            profit, _ = _over_time(self._fills, number, times, owner, len(names))
            total += profit
        total = np.round(total, 9) + 0.0
        return pd.DataFrame(total.T, index=pd.Index(times, name="time"), columns=pd.Index(names, name=by))

    def worth(self, agent: str, every: object = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """P&L since ``start``, and value of the position at the mark, of one agent: a column an instrument, currency.

        On the clock of ``equity``, of which the first table is one agent's by instrument.
        """
        self[agent]  # an unknown name is refused with the nearest one
        times, symbols = self._clock(every), list(self._fills.tapes)
        owner = np.where(np.arange(len(self.names)) == self.names.index(agent), 0, 1)
        both = [_over_time(self._fills, number, times, owner, 2) for number in range(len(symbols))]
        index, columns = pd.Index(times, name="time"), pd.Index(symbols, name="instrument")
        profit, value = (
            pd.DataFrame(np.column_stack([found[part][0] for found in both]), index=index, columns=columns)
            for part in (0, 1)
        )
        return profit, value

    def inventory(
        self, every: object = None, *, instrument: str | None = None, by: Literal["agent", "family"] = "agent"
    ) -> pd.DataFrame:
        """Position in units on a clock (index: ns; a column each), of one instrument (the only one by default)."""
        fills = self._fills
        symbol = the_instrument(self._tables, instrument)
        number = list(fills.tapes).index(symbol)
        times = self._clock(every)
        owner, names = self._owners(by)
        chosen = fills.market == number
        cell = owner[fills.agent[chosen]] * len(times) + np.searchsorted(times, fills.time[chosen], "left")
        change = np.bincount(cell, fills.lots[chosen], len(names) * len(times)).reshape(len(names), len(times))
        held = change.cumsum(axis=1) * fills.tapes[symbol].lot
        return pd.DataFrame(held.T, index=pd.Index(times, name="time"), columns=pd.Index(names, name=by))

    @cached_property
    def round_trips(self) -> pd.DataFrame:
        """Every unit bought and sold again (or sold and bought back), first in first out, in order of exit.

        Columns ``agent``, ``family``, ``instrument``, ``side`` (+1 long, -1 short), ``quantity`` (units),
        ``entry_time``, ``exit_time`` (ns), ``entry_price``, ``exit_price``, ``gross`` (currency), ``fees`` (currency,
        negative when paid, shared by quantity), ``pnl`` = gross + fees, ``pnl_percent`` (of entry price · quantity),
        ``holding_time`` (ns). An opening position enters at ``start`` at its mark. ``strategy`` is the agent's type;
        ``entry_order`` and ``exit_order`` are ids (0: none, such as an opening position, or unknown); ``entry_rule``,
        ``exit_rule``, ``entry_reason``, ``exit_reason`` are what the agent said of them, "" where it said nothing.
        """
        return _round_trip_table(self._fills, rule_notes(self._tables))

    def performance(self, every: object = "1min", periods_per_year: float = 1.0) -> pd.DataFrame:
        """Performance of each agent from its P&L changes over ``every`` and its round trips (index ``agent``).

        ``sharpe``, ``sortino`` (of P&L changes, not annualised unless ``periods_per_year`` says so),
        ``max_drawdown`` (currency), ``drawdown_start``, ``drawdown_trough``, ``drawdown_recovery`` (ns; -1: not yet),
        ``var_95``, ``cvar_95`` (currency a period, a loss is positive), ``round_trips``, ``win_rate``,
        ``profit_factor``, ``turnover`` (value traded / initial cash; NaN without initial cash).
        """
        equity = self.equity(every)
        by_agent = dict(tuple(self.round_trips.groupby("agent", sort=False)["pnl"])) if len(self.round_trips) else {}
        times = equity.index.to_numpy()
        cash, value = self._fills.initial_cash, self.table["value"].to_numpy()
        rows = [
            {
                **_measures(equity[name].to_numpy(), times, periods_per_year),
                "round_trips": len(by_agent.get(name, ())),
                "win_rate": performance.win_rate(by_agent.get(name, [])),
                "profit_factor": performance.profit_factor(by_agent.get(name, [])),
                "turnover": value[number] / cash[number] if cash[number] > 0 else float("nan"),
            }
            for number, name in enumerate(self.names)
        ]
        return pd.DataFrame(rows, index=pd.Index(self.names, name="agent"))

    def initial_cash(self, agent: str) -> float:
        """Cash at the beginning of the run, in currency."""
        return float(self._fills.initial_cash[self.names.index(agent)])

    def main_instrument(self, agent: str) -> str:
        """The instrument in which an agent traded the largest value; "" where there are none."""
        symbols = list(self._fills.tapes)
        value = self.by_instrument["value"].to_numpy().reshape(len(self.names), -1)[self.names.index(agent)]
        return symbols[int(value.argmax())] if symbols else ""

    def position(self, agent: str, instrument: str, times: Ints) -> Floats:
        """An agent's position in one instrument at each of ``times`` (ns, in order), in units."""
        fills, symbols = self._fills, list(self._fills.tapes)
        begin, end = self._rows_of(self.names.index(agent) * len(symbols) + symbols.index(instrument))
        rows = self._sorted[begin:end]
        held = np.concatenate(([0.0], np.cumsum(fills.lots[rows])))
        return np.asarray(held[np.searchsorted(fills.time[rows], times, "right")] * fills.tapes[instrument].lot)

    @cached_property
    def _sorted(self) -> Rows:
        return self._fills.held()[0]

    def _rows_of(self, account: int) -> tuple[int, int]:
        """Where the fills of an account lie in the order of ``_sorted``."""
        ends = self._ends
        return int(ends[account]), int(ends[account + 1])

    @cached_property
    def _ends(self) -> Ints:
        count = np.bincount(self._fills.account, minlength=len(self.names) * len(self._fills.tapes))
        return np.concatenate(([0], np.cumsum(count))).astype(np.int64)

    def inventory_moments(self, agent: str, instrument: str) -> tuple[float, float]:
        """Mean and standard deviation over time of an agent's position in one instrument, in units."""
        mean, deviation = self._moments
        place = self.names.index(agent) * len(self._fills.tapes) + list(self._fills.tapes).index(instrument)
        return float(mean[place]), float(deviation[place])

    @cached_property
    def _moments(self) -> tuple[Floats, Floats]:
        return self._fills.inventory_moments()

    def exposure(self) -> Floats:
        """Share of the measured time in which each agent held a position, in the order of ``names``."""
        return self._fills.exposed()

    def execution_quality(self) -> pd.DataFrame:
        """What each agent's fills cost against two prices, by value (index ``agent``); positive is a cost.

        ``slippage_bps``: side · (price - mid just before the fill), over that mid. ``vwap_bps``: the same against the
        mean price of all trades of the measured time. NaN without fills.
        """
        fills = self._fills
        real = ~fills.opening & (fills.venue >= 0)
        market, lots = fills.market[real], fills.lots[real] * fills.lot[fills.market[real]]
        price = fills.prices_of(market, fills.price[real])
        before = fills.prices_of(market, fills.marks(0)[0][real])
        vwaps = [
            float((tape.price * tape.quantity).sum() / tape.quantity.sum()) if len(tape.price) else float("nan")
            for tape in fills.tapes.values()
        ]
        vwap = np.array(vwaps)[market] if len(vwaps) else before
        found = {}
        for name, benchmark in (("slippage_bps", before), ("vwap_bps", vwap)):
            cost = np.bincount(fills.agent[real], lots * (price - benchmark), len(self.names))
            worth = np.bincount(fills.agent[real], np.abs(lots) * benchmark, len(self.names))
            found[name] = 1e4 * quotient(cost.astype(np.float64), worth.astype(np.float64))
        return pd.DataFrame(found, index=pd.Index(self.names, name="agent"))

    def _clock(self, every: object) -> Ints:
        start, end = int(self._tables.start), int(self._tables.end)
        times = clock_grid(start, end, step_of(start, end, 1000) if every is None else duration(every))
        return times if times[-1] == end else np.append(times, end)

    def _owners(self, by: str) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Column number of each agent, and the columns' names."""
        if by == "agent":
            return np.arange(len(self.names)), self.names
        if by == "family":
            codes, names = pd.factorize(np.asarray(self._fills.family, dtype=object))
            return np.asarray(codes, dtype=np.int64), [str(name) for name in names]
        raise InvalidValueError(f"by={by!r} is unknown{did_you_mean(by, ('agent', 'family'))}")


def accounts(tables: MarketTables, *, horizon: object = "5s", tapes: Mapping[str, Tape] | None = None) -> Accounts:
    """The accounts of all agents; ``horizon`` is where adverse selection ends and inventory begins.

    tapes: of the instruments, by symbol, where they are there already.
    """
    require_tables(tables)
    length = duration(horizon)
    if length < 0:
        raise InvalidValueError(f"horizon={horizon!r} must not be negative")
    return Accounts(tables, length, tapes)


def round_trips(tables: MarketTables) -> pd.DataFrame:
    """``accounts(tables).round_trips``."""
    return accounts(tables).round_trips


def _over_time(fills: Fills, number: int, times: Ints, owner: Rows, owners: int) -> tuple[Floats, Floats]:
    """P&L, and value of the position, in one instrument on a clock: a row an owner, in currency."""
    shape, size = (owners, len(times)), owners * len(times)
    chosen = fills.market == number
    cell = owner[fills.agent[chosen]] * len(times) + np.searchsorted(times, fills.time[chosen], "left")

    def running(cells: Rows, values: Floats) -> Floats:
        return np.bincount(cells, values, size).reshape(shape).cumsum(axis=1)

    lots, price = fills.lots[chosen], fills.price[chosen]
    marks = fills.scaled(number, list(fills.tapes.values())[number].marks_at(times))
    held, flow, paid = running(cell, lots), running(cell, -lots * price), running(cell, fills.fee[chosen])
    mine = fills.paid.account % len(fills.tapes) == number
    place = owner[fills.paid.account[mine] // len(fills.tapes)] * len(times)
    funded = running(place + np.searchsorted(times, fills.paid.time[mine], "left"), fills.paid.amount[mine])
    value = np.abs(held * marks) * np.sign(held) * fills.unit[number]
    return (flow + held * marks) * fills.unit[number] - paid + funded, value


def _profit_columns(fills: Fills, horizon: int) -> dict[str, Floats]:
    """P&L, its parts, realized and unrealized, cash flow and positions of each account."""
    last_marks = [tape.marks_at(np.array([tape.end])) for tape in fills.tapes.values()]
    end = np.array([fills.scaled(number, mark)[0] for number, mark in enumerate(last_marks)], dtype=np.float64)
    before, after = fills.marks(horizon)
    lots, last = fills.lots, end[fills.market]
    unit = np.tile(fills.unit, len(fills.names))
    final = np.tile(end, len(fills.names))

    def total(values: Floats) -> Floats:
        return fills.per_account(values)

    position = total(lots)
    flow = total(-lots * fills.price)
    gross = flow + position * final
    fees = -fills.per_account(fills.fee)
    realized = fills.per_account_of(fills.matched.account, fills.matched.profit)
    columns = {
        "cash": np.where(fills.opening, 0.0, -lots * fills.price),
        "position": position * np.tile(fills.lot, len(fills.names)),
    }
    funding = fills.per_account_of(fills.paid.account, fills.paid.amount)
    columns["position_value"] = np.abs(position * final) * np.sign(position) * unit
    columns["pnl"] = gross * unit + fees + funding
    columns["cash"] = np.where(
        np.tile(fills.cleared, len(fills.names)), columns["pnl"], total(columns["cash"]) * unit + fees
    )
    columns["spread_capture"] = total(lots * (before - fills.price)) * unit
    columns["adverse_selection"] = total(lots * (after - before)) * unit
    columns["inventory"] = total(lots * (last - after)) * unit
    columns["fees"] = fees
    columns["funding"] = funding
    columns["realized"] = realized * unit
    columns["unrealized"] = (gross - realized) * unit
    return columns


def _fill_columns(fills: Fills) -> dict[str, Floats]:
    """Fills, volumes, time in the queue and size of the positions of each account."""
    real = ~fills.opening
    maker = fills.maker & real
    volume = np.abs(fills.lots) * fills.lot[fills.market]
    value = np.abs(fills.lots * fills.price) * fills.unit[fills.market]
    waited = fills.queue_time
    known = maker & (waited >= 0)
    largest, mean = fills.position_sizes()
    return {
        "fills": fills.per_account(real.astype(float)),
        "maker_fills": fills.per_account(maker.astype(float)),
        "volume": fills.per_account(np.where(real, volume, 0.0)),
        "maker_volume": fills.per_account(np.where(maker, volume, 0.0)),
        "value": fills.per_account(np.where(real, value, 0.0)),
        "queue_weight": fills.per_account(np.where(known, volume, 0.0)),
        "queue_sum": fills.per_account(np.where(known, volume * waited / SECOND, 0.0)),
        "max_position": largest,
        "mean_position": mean,
    }


def _order_columns(fills: Fills) -> dict[str, Floats]:
    """Orders, rejects, cancels and quantities ordered and filled of each account."""
    orders = fills.orders
    accepted = ~orders.rejected
    count = len(fills.names) * len(fills.tapes)

    def total(values: npt.NDArray[Any]) -> Floats:
        return np.bincount(orders.account, values, count).astype(np.float64)

    return {
        "orders": total(accepted),
        "rejected": total(orders.rejected),
        "cancel_requests": total(orders.cancel_requests),
        "ordered": total(np.where(accepted, orders.quantity, 0.0)),
        "ordered_filled": total(np.where(accepted, orders.filled, 0.0)),
    }


def _with_ratios(sums: dict[str, Floats], index: pd.Index) -> pd.DataFrame:
    messages = sums["orders"] + sums["rejected"] + sums["cancel_requests"]
    ratios = {
        "fill_ratio": quotient(sums["ordered_filled"], sums["ordered"]),
        "maker_share": quotient(sums["maker_volume"], sums["volume"]),
        "order_to_trade": quotient(messages, sums["fills"]),
        "queue_time": quotient(sums["queue_sum"], sums["queue_weight"]),
    }
    counts = ("orders", "rejected", "cancel_requests", "fills", "maker_fills")
    whole = {name: sums[name].astype(np.int64) for name in counts}
    return pd.DataFrame({**sums, **ratios, **whole}, index=index, copy=False)


def _measures(equity: Floats, times: Ints, periods_per_year: float) -> dict[str, float]:
    changes = np.diff(equity)
    worst = performance.max_drawdown(equity, relative=False)
    return {
        "sharpe": performance.sharpe(changes, periods_per_year),
        "sortino": performance.sortino(changes, periods_per_year),
        "max_drawdown": worst.amount,
        "drawdown_start": int(times[worst.start]),
        "drawdown_trough": int(times[worst.trough]),
        "drawdown_recovery": -1 if worst.recovery is None else int(times[worst.recovery]),
        "var_95": performance.value_at_risk(changes, 0.95),
        "cvar_95": performance.conditional_value_at_risk(changes, 0.95),
    }


def _round_trip_table(fills: Fills, notes: RuleNotes) -> pd.DataFrame:
    pieces = fills.matched
    entry, exit_ = pieces.entry, pieces.exit
    market = fills.market[entry]
    unit, lot = fills.unit[market], fills.lot[market]
    quantity = pieces.lots * lot
    fee_a_lot = np.divide(fills.fee, np.abs(fills.lots), out=np.zeros(len(fills.fee)), where=fills.lots != 0)
    gross = pieces.profit * unit
    fees = -(fee_a_lot[entry] + fee_a_lot[exit_]) * pieces.lots
    entry_price, exit_price = fills.prices_of(market, fills.price[entry]), fills.prices_of(market, fills.price[exit_])
    agent = fills.agent[entry]
    said_of = notes.of(fills)
    table = pd.DataFrame(
        {
            "agent": np.asarray(fills.names, dtype=object)[agent],
            "family": np.asarray(fills.family, dtype=object)[agent],
            "instrument": np.asarray(list(fills.tapes), dtype=object)[market],
            "side": np.sign(fills.lots[entry]).astype(np.int8),
            "quantity": quantity,
            "entry_time": fills.time[entry],
            "exit_time": fills.time[exit_],
            "entry_price": entry_price,
            "exit_price": exit_price,
            "gross": gross,
            "fees": fees,
            "pnl": gross + fees,
            "pnl_percent": 100.0 * (gross + fees) / (np.abs(fills.price[entry] * pieces.lots) * unit),
            "holding_time": fills.time[exit_] - fills.time[entry],
            "strategy": np.asarray(fills.type, dtype=object)[agent],
            "entry_order": fills.order[entry],
            "exit_order": fills.order[exit_],
            "entry_rule": notes.rules[said_of[entry]],
            "exit_rule": notes.rules[said_of[exit_]],
            "entry_reason": notes.reasons[said_of[entry]],
            "exit_reason": notes.reasons[said_of[exit_]],
        }
    )
    return table.iloc[np.argsort(table["exit_time"].to_numpy(), kind="stable")].reset_index(drop=True)
