"""One instrument on several venues (X9): the consolidated quote, when it is locked or crossed, whose price is best,
which venue wins which flow, and what an agent with latency saw of it all.

The log knows what every venue showed at every nanosecond. What an agent saw is the same quotes, each venue's later by
the way of its feed. Nothing here hides a locked or crossed market.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marketsim.analysis.continuous import continuous_quotes
from marketsim.analysis.tape import Floats, Ints, column, joined_venues, quotient, rows_of, the_instrument
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

STATES = ("empty", "one-sided", "normal", "locked", "crossed")
_LOCKED, _CROSSED = STATES.index("locked"), STATES.index("crossed")
Delays = Mapping[str, int | str]


def consolidated_quotes(
    tables: MarketTables, instrument: str | None = None, *, delays: Delays | None = None
) -> pd.DataFrame:
    """Best bid and offer over all venues, a row whenever one of them, or its lots, changed.

    Columns ``time`` (ns), ``bid``, ``bid_quantity``, ``ask``, ``ask_quantity`` (currency, units; NaN and 0 where a side
    is empty) and ``state``: empty, one-sided, normal, locked or crossed. What happened at one nanosecond is one row.
    ``delays`` (ns or text, by venue): as somebody sees it whose feeds take so long.
    """
    symbol = the_instrument(tables, instrument)
    time, *sides = joined_venues(_delayed(_quotes_of(tables, symbol), delays, tables.end), symbol)
    last = np.append(np.diff(time) != 0, True) if len(time) else np.zeros(0, bool)
    values = [side[last] for side in sides]
    time = time[last]
    new = np.ones(len(time), bool)
    if len(time):
        new[1:] = np.any([_differs(value) for value in values], axis=0)
    bid, bid_quantity, ask, ask_quantity = (value[new] for value in values)
    names = np.array(STATES)[_states(bid, ask, tables.instruments[symbol].tick)]
    return pd.DataFrame(
        {
            "time": time[new],
            "bid": bid,
            "bid_quantity": bid_quantity,
            "ask": ask,
            "ask_quantity": ask_quantity,
            "state": pd.Series(names, dtype="str"),
        }
    )


def locked_and_crossed(
    tables: MarketTables, instrument: str | None = None, *, delays: Delays | None = None
) -> pd.DataFrame:
    """How often, how long and by how much the market was locked or crossed over its venues, in [start, end].

    Index ``state``: locked, crossed. Columns: ``episodes`` (times it became so), ``share_of_time`` (of the time with
    both sides), ``mean_time``, ``longest`` (ns an episode), ``mean_amount``, ``largest`` (currency: bid - offer;
    the mean is over time).
    """
    quotes = consolidated_quotes(tables, instrument, delays=delays)
    state = np.array([STATES.index(name) for name in quotes["state"]], dtype=np.int64)
    held = _held(quotes, tables)
    amount = (quotes["bid"] - quotes["ask"]).to_numpy(np.float64)
    both = held[state >= STATES.index("normal")].sum()
    rows = {}
    for name, code in (("locked", _LOCKED), ("crossed", _CROSSED)):
        inside = state == code
        lengths = _lengths(inside, held)
        total = float(held[inside].sum())
        shown = inside & (held > 0)
        rows[name] = {
            "episodes": len(lengths),
            "share_of_time": total / both if both else float("nan"),
            "mean_time": float(lengths.mean()) if len(lengths) else 0.0,
            "longest": float(lengths.max()) if len(lengths) else 0.0,
            "mean_amount": float((amount[shown] * held[shown]).sum() / total) if total else 0.0,
            "largest": float(amount[shown].max()) if shown.any() else 0.0,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("state").astype({"episodes": "int64"})


def crossed_times(tables: MarketTables, instrument: str | None = None, *, delays: Delays | None = None) -> Ints:
    """Length in ns of each episode in which the market was crossed over its venues, in time order."""
    quotes = consolidated_quotes(tables, instrument, delays=delays)
    return _lengths((quotes["state"] == "crossed").to_numpy(), _held(quotes, tables)).astype(np.int64)


def venue_shares(tables: MarketTables, instrument: str | None = None) -> pd.DataFrame:
    """What each venue shows and trades, in [start, end]. Index ``venue``.

    ``at_best`` (share of time at the best price of all, mean of bid and offer), ``alone`` (so without another venue
    there), ``spread`` (own, currency) and ``depth`` (units at its own best price) over time, ``trades``, ``volume``
    (units), ``volume_share``, ``taker_fees``, ``maker_fees`` (currency, below zero: rebates paid), ``revenue`` (what
    the venue keeps of them).
    """
    symbol = the_instrument(tables, instrument)
    quotes, single = _quotes_of(tables, symbol), len(tables.instruments) == 1
    trades = rows_of(tables.trades, symbol, single)
    trades = trades[(trades["time"] >= tables.start) & (trades["time"] <= tables.end)]
    best_bid, best_ask = _best_now(quotes, symbol)
    clock = column(quotes, "time", np.int64)
    held = np.diff(np.append(np.clip(clock, tables.start, tables.end), tables.end)).astype(np.float64)
    known = {venue: _in_force(quotes, venue) for venue in sorted(quotes["venue"].unique())}
    counts = [sum((each[side] == best).astype(int) for each in known.values()) if known else np.zeros(0)
              for side, best in (("bid", best_bid), ("ask", best_ask))]  # fmt: skip
    total = float(trades["quantity"].sum())
    rows = {}
    for venue, each in known.items():
        at = [each["bid"] == best_bid, each["ask"] == best_ask]
        alone = [here & (count == 1) for here, count in zip(at, counts, strict=True)]
        mine = trades[trades["venue"] == venue]
        taker, maker = float(mine["taker_fee"].sum()), float(mine["maker_fee"].sum())
        volume = float(mine["quantity"].sum())
        rows[venue] = {
            "at_best": _share(at, (best_bid, best_ask), held),
            "alone": _share(alone, (best_bid, best_ask), held),
            "spread": _mean(each["ask"] - each["bid"], held),
            "depth": _mean(0.5 * (each["bid_quantity"] + each["ask_quantity"]), held),
            "trades": float(len(mine)),
            "volume": volume,
            "volume_share": volume / total if total else float("nan"),
            "taker_fees": taker,
            "maker_fees": maker,
            "revenue": taker + maker,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("venue")


def flows_by_venue(tables: MarketTables, instrument: str | None = None, *, side: str = "taker") -> pd.DataFrame:
    """Units that each family of agents traded on each venue, as ``taker`` or as ``maker``, in [start, end].

    Index ``family``, a column a venue.
    """
    if side not in ("taker", "maker"):
        raise InvalidValueError(f'side {side!r}: use "taker" or "maker"')
    symbol = the_instrument(tables, instrument)
    trades = rows_of(tables.trades, symbol, len(tables.instruments) == 1)
    trades = trades[(trades["time"] >= tables.start) & (trades["time"] <= tables.end)]
    families = dict(zip(tables.agents["name"], tables.agents["family"], strict=True))
    family = trades[side].map(families).fillna("").rename("family")
    table = trades["quantity"].groupby([family, trades["venue"]]).sum().unstack(fill_value=0)
    return table.rename_axis(columns=None)


def seen_and_true(tables: MarketTables, instrument: str | None = None, *, delays: Delays) -> pd.DataFrame:
    """The consolidated quote as it was, and beside it as somebody saw it whose feeds take ``delays`` by venue.

    Columns of ``consolidated_quotes``, then the same with ``seen_`` before them; a row whenever either changed.
    ``marketsim.feed_delays(run, agent)`` gives the delays of one agent of a run.
    """
    true = consolidated_quotes(tables, instrument)
    seen = consolidated_quotes(tables, instrument, delays=delays)
    seen.columns = pd.Index([name if name == "time" else f"seen_{name}" for name in seen.columns])
    times = pd.DataFrame({"time": np.union1d(true["time"].to_numpy(), seen["time"].to_numpy())})
    both = pd.merge_asof(pd.merge_asof(times, true, on="time"), seen, on="time")
    return both.fillna({"state": "empty", "seen_state": "empty"})


def states_seen(tables: MarketTables, instrument: str | None = None, *, delays: Delays) -> pd.DataFrame:
    """Share of the time in [start, end] that the market was in a state (index) and was seen in one (columns)."""
    both = seen_and_true(tables, instrument, delays=delays)
    held = pd.Series(_held(both, tables), index=both.index)
    table = held.groupby([both["state"], both["seen_state"]]).sum().unstack(fill_value=0)
    order = [name for name in STATES if name in table.index or name in table.columns]
    table = table.reindex(index=order, columns=order, fill_value=0.0) / max(float(held.sum()), 1.0)
    return table.rename_axis(index="true", columns="seen")


def _quotes_of(tables: MarketTables, symbol: str) -> pd.DataFrame:
    quotes = rows_of(tables.quotes, symbol, len(tables.instruments) == 1)
    return continuous_quotes(tables, symbol, quotes[quotes["time"] <= tables.end])


def _delayed(quotes: pd.DataFrame, delays: Delays | None, end: int) -> pd.DataFrame:
    """The quotes at the times of their arrival."""
    if not delays:
        return quotes
    venues = [str(venue) for venue in quotes["venue"].unique()]
    for venue in venues:
        if venue not in delays:
            raise InvalidValueError(f"delays name no time for venue {venue!r}; they name {', '.join(delays)}")
    late = quotes["venue"].map({venue: duration(delays[venue]) for venue in venues})
    moved = quotes.assign(time=quotes["time"] + late.astype("int64")).sort_values("time", kind="stable")
    return moved[moved["time"] <= end].reset_index(drop=True)


def _differs(values: Floats) -> Any:
    """Whether each value but the first is another than the one before it; NaN equals NaN."""
    before, after = values[:-1], values[1:]
    return (before != after) & ~(np.isnan(before) & np.isnan(after))


def _states(bid: Floats, ask: Floats, tick: float) -> Ints:
    sides = (~np.isnan(bid)).astype(np.int64) + ~np.isnan(ask)
    with np.errstate(invalid="ignore"):
        gap = ask - bid
        crossed, locked = gap < -0.5 * tick, np.abs(gap) <= 0.5 * tick
    return np.where(sides < 2, sides, np.where(crossed, _CROSSED, np.where(locked, _LOCKED, 2)))


def _held(rows: pd.DataFrame, tables: MarketTables) -> Floats:
    """ns that each row was in force inside [start, end]."""
    begins = np.clip(rows["time"].to_numpy(np.int64), tables.start, tables.end)
    return np.diff(np.append(begins, tables.end)).astype(np.float64)


def _lengths(inside: Any, held: Floats) -> Floats:
    """Length of each unbroken stretch of rows that are inside, without those that last no time."""
    if not len(inside):
        return np.zeros(0)
    first = np.flatnonzero(inside & ~np.append(False, inside[:-1]))
    sums = np.concatenate(([0.0], np.cumsum(np.where(inside, held, 0.0))))
    after = np.flatnonzero(np.append(False, inside[:-1]) & ~inside)
    after = np.append(after, len(inside))[: len(first)]
    lengths = sums[after] - sums[first]
    return lengths[lengths > 0]


def _best_now(quotes: pd.DataFrame, symbol: str) -> tuple[Floats, Floats]:
    _, bid, _, ask, _ = joined_venues(quotes, symbol)
    return bid, ask


def _in_force(quotes: pd.DataFrame, venue: str) -> dict[str, Floats]:
    """One venue's quote at each row of all venues' quotes."""
    own = np.flatnonzero((quotes["venue"] == venue).to_numpy())
    row = np.searchsorted(own, np.arange(len(quotes)), "right") - 1
    taken = own[np.maximum(row, 0)]
    return {
        name: np.where(row >= 0, column(quotes, name, np.float64)[taken], np.nan)
        for name in ("bid", "bid_quantity", "ask", "ask_quantity")
    }


def _share(at: list[Any], best: tuple[Floats, Floats], held: Floats) -> float:
    """Mean over both sides of the share of the time with a best price in which something holds."""
    there = [float(held[~np.isnan(price)].sum()) for price in best]
    shares = [float(held[here].sum()) / time if time else float("nan") for here, time in zip(at, there, strict=True)]
    return 0.5 * (shares[0] + shares[1])


def _mean(values: Floats, held: Floats) -> float:
    weight = np.where(np.isnan(values), 0.0, held)
    return float(quotient(np.array([(np.nan_to_num(values) * weight).sum()]), np.array([weight.sum()]))[0])
