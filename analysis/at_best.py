"""Time at best: for how long an agent's own orders stood at the best bid or ask.

An order stands at its limit price from its acceptance to its end; prices that a replace or a reprice moved are taken
from ``order_prices`` where the tables have it. Hidden orders count where somebody else shows that price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.tape import Floats, Ints, Tape, column, rows_of

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


def time_at_best(tables: MarketTables, instrument: str) -> pd.DataFrame:
    """Share of [start, end] in which each agent had an order at the best price of one instrument.

    Index ``agent``; columns ``bid``, ``ask`` (the sides) and ``both``, their mean: 1 is a market maker that is at best
    on both sides all the time. Several venues count as one, with their consolidated quote. Agents without a limit
    order are left out.
    """
    tape = Tape.of(tables, instrument)
    spells = _spells(tables, instrument)
    agents = sorted(set(spells["agent"]))
    found = pd.DataFrame(0.0, index=pd.Index(agents, name="agent"), columns=["bid", "ask", "both"])
    owner = pd.Index(agents).get_indexer(spells["agent"])
    side = column(spells, "side", np.int64)
    for name, sign, best in (("bid", 1, tape.bid), ("ask", -1, tape.ask)):
        mine = np.flatnonzero(side == sign)
        found[name] = _shares(tape, best, spells.iloc[mine], owner[mine], len(agents))
    found["both"] = (found["bid"] + found["ask"]) / 2
    return found


def _spells(tables: MarketTables, instrument: str) -> pd.DataFrame:
    """Stretches of time at one price: ``agent``, ``side``, ``price``, ``begin``, ``end`` (ns), of limit orders."""
    orders = rows_of(tables.orders, instrument, len(tables.instruments) == 1)
    chosen = (orders["order_type"] == "LIMIT") & (orders["state"] != "REJECTED") & (orders["agent"] != "")
    orders = orders[chosen & orders["price"].notna()]
    end = column(orders, "end_time", np.int64)
    end = np.where(end < 0, int(tables.end), end)
    orders = orders.assign(begin=orders["time"], end=end)[
        ["order_id", "venue", "agent", "side", "price", "begin", "end"]
    ]
    moves: pd.DataFrame | None = getattr(tables, "order_prices", None)
    if moves is None or not len(moves):
        return orders
    moves = moves[moves["instrument"] == instrument].rename(columns={"time": "begin"})
    keys = ["venue", "order_id"]
    joined = moves.merge(orders.drop(columns=["price", "begin"]), on=keys)
    joined["end"] = joined.groupby(keys)["begin"].shift(-1).fillna(joined["end"]).astype(np.int64)
    moved = pd.MultiIndex.from_frame(moves[keys])
    still = orders[~pd.MultiIndex.from_frame(orders[keys]).isin(moved)]
    return pd.concat([still, joined[orders.columns]], ignore_index=True)


def _shares(tape: Tape, best: Floats, spells: pd.DataFrame, owner: npt.NDArray[np.intp], owners: int) -> Floats:
    """Share of the time in which the spells of each owner stood at ``best`` (one value a quote row)."""
    if not len(spells) or not len(best):
        return np.zeros(owners)
    ticks = np.rint(column(spells, "price", np.float64) / tape.tick).astype(np.int64)
    begin, end = (np.clip(column(spells, name, np.int64), tape.start, tape.end) for name in ("begin", "end"))
    owner, ticks, begin, end = _united(owner, ticks, begin, end)
    levels = np.where(np.isnan(best), -1, np.rint(np.nan_to_num(best) / tape.tick)).astype(np.int64)
    lasted = _lasted(tape, levels, ticks, end) - _lasted(tape, levels, ticks, begin)
    return np.bincount(owner, lasted, owners) / max(tape.end - tape.start, 1)


def _united(
    owner: npt.NDArray[np.intp], ticks: Ints, begin: Ints, end: Ints
) -> tuple[npt.NDArray[np.intp], Ints, Ints, Ints]:
    """Spells of one owner at one price that overlap become one, so that no moment counts twice."""
    order = np.lexsort((begin, ticks, owner))
    owner, ticks, begin, end = owner[order], ticks[order], begin[order], end[order]
    group = np.cumsum(np.append(True, (np.diff(owner) != 0) | (np.diff(ticks) != 0))) - 1
    times, rank = np.unique(np.concatenate((begin, end)), return_inverse=True)  # ranks: their products stay small
    opened, closed = rank[: len(begin)], rank[len(begin) :]
    reach = np.maximum.accumulate(closed + group * len(times)) - group * len(times)  # latest end so far, in the group
    new = np.append(True, (np.diff(group) != 0) | (opened[1:] > reach[:-1]))
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(new)) - 1
    return owner[first], ticks[first], begin[first], times[reach[last]]


def _lasted(tape: Tape, levels: Ints, ticks: Ints, times: Ints) -> Floats:
    """For how many ns before each time the best price stood at ``ticks``: a sum over the rows of that price."""
    order = np.argsort(levels, kind="stable")  # by price, within one in time order
    begins = np.clip(tape.quote_time, tape.start, tape.end)
    length = np.diff(np.append(begins, tape.end)).astype(np.float64)
    total = np.concatenate(([0.0], np.cumsum(length[order])))
    rows = len(order) + 1
    known, code = np.unique(levels, return_inverse=True)
    key = code[order].astype(np.int64) * rows + order
    place = np.searchsorted(known, ticks).astype(np.int64)
    there = known[np.minimum(place, len(known) - 1)] == ticks
    now = np.searchsorted(tape.quote_time, times, "right") - 1  # the quote row in force
    first = np.searchsorted(key, place * rows, "left")
    inside = np.maximum(np.searchsorted(key, place * rows + now, "right") - 1, 0)  # the last row at that price by then
    begun = there & (now >= 0) & (inside >= first)
    rest = np.minimum(times - begins[order][inside], length[order][inside])
    return np.where(begun, total[inside] - total[np.minimum(first, len(order))] + rest, 0.0)
