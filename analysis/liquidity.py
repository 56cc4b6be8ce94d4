"""Liquidity: depth, imbalance, resiliency and turnover of the book (M1). Nothing here knows an agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis.continuous import is_continuous
from marketsim.analysis.prices import step_of
from marketsim.analysis.tape import Floats, Ints, Tape, quotient, the_instrument
from marketsim.domain.units import MINUTE, duration
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


def best_depth(source: MarketTables | Tape, instrument: str | None = None) -> float:
    """Time-weighted mean quantity at the best quotes, (bid quantity + ask quantity) / 2, in units."""
    tape = Tape.of(source, instrument)
    tape.need_quotes("the depth at the best prices")
    return tape.time_weighted(0.5 * (tape.bid_quantity + tape.ask_quantity))


def depth_profile(
    tables: MarketTables, levels: int = 10, instrument: str | None = None, *, every: object = None
) -> pd.DataFrame:
    """Mean book by level, sampled on a clock (at most 2,000 samples by default) while trading is continuous.

    Index ``level`` 1…; columns ``bid_quantity``, ``ask_quantity`` (mean units, an empty level counts as 0),
    ``bid_distance``, ``ask_distance`` (mean distance of the level from the mid, currency) and ``bid_cumulative``,
    ``ask_cumulative`` (mean units at this level or better).
    """
    symbol = the_instrument(tables, instrument)
    step = step_of(tables.start, tables.end, 2000) if every is None else duration(every)
    book = tables.depth(levels, symbol, step)
    return profile_of(book[is_continuous(tables, symbol, book["time"].to_numpy())])


def profile_of(book: pd.DataFrame) -> pd.DataFrame:
    """``depth_profile`` of a table as ``MarketTables.depth`` returns it."""
    levels = levels_in(book)
    mid = 0.5 * (book["ask_1"].to_numpy(dtype=float) + book["bid_1"].to_numpy(dtype=float)) if levels else np.empty(0)
    rows: dict[str, list[float]] = {}
    for level in range(1, levels + 1):
        for side, sign in (("bid", -1.0), ("ask", 1.0)):
            quantity = np.nan_to_num(book[f"{side}_quantity_{level}"].to_numpy(dtype=float))
            distance = sign * (book[f"{side}_{level}"].to_numpy(dtype=float) - mid)
            rows.setdefault(f"{side}_quantity", []).append(float(quantity.mean()) if len(quantity) else float("nan"))
            seen = distance[np.isfinite(distance) & (quantity > 0)]
            rows.setdefault(f"{side}_distance", []).append(float(seen.mean()) if len(seen) else float("nan"))
    profile = pd.DataFrame(rows, index=pd.RangeIndex(1, levels + 1, name="level"))
    for side in ("bid", "ask"):
        if levels:
            profile[f"{side}_cumulative"] = profile[f"{side}_quantity"].cumsum()
    return profile


def levels_in(book: pd.DataFrame) -> int:
    """How many levels a depth table has."""
    return sum(1 for name in book.columns if str(name).startswith("ask_quantity_"))


def quote_imbalance(source: MarketTables | Tape, instrument: str | None = None) -> pd.Series:
    """(bid quantity - ask quantity) / (bid quantity + ask quantity) at the best quotes, -1 … 1, per quote row.

    Indexed by time (ns). Source: Gould and Bonart (2016). NaN when both sides are empty.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("imbalance")
    values = _imbalance(tape.bid_quantity, tape.ask_quantity)
    return pd.Series(values, index=pd.Index(tape.quote_time, name="time"), name="imbalance")


def book_imbalance(
    tables: MarketTables, levels: int = 5, instrument: str | None = None, *, every: object = "1s"
) -> pd.Series:
    """(Σ bid quantity - Σ ask quantity) / (Σ both) over the best ``levels``, -1 … 1, on a clock (index: ns)."""
    book = tables.depth(levels, the_instrument(tables, instrument), duration(every))
    bids, asks = (
        np.nansum([book[f"{side}_quantity_{n}"].to_numpy(dtype=float) for n in range(1, levels_in(book) + 1)], axis=0)
        for side in ("bid", "ask")
    )
    return pd.Series(_imbalance(bids, asks), index=pd.Index(book["time"], name="time"), name="imbalance")


def mean_imbalance(source: MarketTables | Tape, instrument: str | None = None) -> float:
    """Time-weighted mean of the imbalance at the best quotes."""
    tape = Tape.of(source, instrument)
    tape.need_quotes("imbalance")
    return tape.time_weighted(_imbalance(tape.bid_quantity, tape.ask_quantity))


@dataclass(frozen=True)
class Resiliency:
    """How the spread recovers after trades that widened it.

    episodes: trades (fills of one order merged) after which the spread was wider than before.
    recovered: share of them whose spread came back within the horizon (0 … 1).
    half_time: median ns until it was back, over all episodes; None when fewer than half recovered.
    times: ns until recovery of each episode, in time order; -1 where it did not recover within the horizon.
    """

    episodes: int
    recovered: float
    half_time: int | None
    times: Ints


def resiliency(source: MarketTables | Tape, instrument: str | None = None, *, horizon: object = "10s") -> Resiliency:
    """Time from a spread-widening trade until the spread is at most what it was just before it.

    Episodes later than end - horizon are left out, so that all had the same chance. Source: the idea of Foucault,
    Kadan and Kandel (2005) and Large (2007), measured in calendar time.
    """
    tape = Tape.of(source, instrument).merged()
    tape.need_quotes("resiliency")
    limit = duration(horizon)
    if limit <= 0:
        raise InvalidValueError(f"horizon={horizon!r} must be above zero, such as '10s'")
    when = np.unique(tape.trade_time)
    when = when[when + limit <= tape.end]
    before, after = tape.before(tape.spread, when), tape.at(tape.spread, when)
    wider = (after > before * (1 + 1e-12)) | (np.isnan(after) & ~np.isnan(before))
    times = _first_passage(tape, when[wider], before[wider], limit)
    done = times >= 0
    share = float(done.mean()) if len(times) else float("nan")
    return Resiliency(len(times), share, _median_time(times), times)


def market_turnover(source: MarketTables | Tape, instrument: str | None = None) -> pd.Series:
    """Trading activity over [start, end].

    ``trades``, ``volume`` (units), ``value`` (currency), ``trades_per_minute``, ``volume_per_minute``,
    ``value_per_minute``, and ``depth_turnover``: how many times a minute the volume shown at the best quotes (mean of
    both sides) was traded, volume_per_minute / best_depth.
    """
    tape = Tape.of(source, instrument)
    minutes = (tape.end - tape.start) / MINUTE
    trades, volume = float(len(tape.price)), float(tape.quantity.sum())
    value = float((tape.price * tape.quantity).sum())
    depth = best_depth(tape)
    pace = 1.0 / minutes if minutes > 0 else float("nan")
    return pd.Series(
        {
            "trades": trades,
            "volume": volume,
            "value": value,
            "trades_per_minute": trades * pace,
            "volume_per_minute": volume * pace,
            "value_per_minute": value * pace,
            "depth_turnover": volume * pace / depth if depth > 0 else float("nan"),
        }
    )


def _imbalance(bids: Floats, asks: Floats) -> Floats:
    return quotient(bids - asks, bids + asks)


def _first_passage(tape: Tape, when: Ints, target: Floats, limit: int) -> Ints:
    """ns until the spread is back at ``target``; -1 where not within ``limit``. Steps all open episodes together."""
    result = np.full(len(when), -1, dtype=np.int64)
    row = np.searchsorted(tape.quote_time, when, "right")
    open_ = np.flatnonzero(row < len(tape.quote_time))
    bound = target * (1 + 1e-12)
    while len(open_):
        waited = tape.quote_time[row[open_]] - when[open_]
        back = (tape.spread[row[open_]] <= bound[open_]) & (waited <= limit)
        result[open_[back]] = waited[back]
        open_ = open_[~back & (waited <= limit)]
        row[open_] += 1
        open_ = open_[row[open_] < len(tape.quote_time)]
    return result


def _median_time(times: Ints) -> int | None:
    if len(times) == 0:
        return None
    ordered = np.sort(np.where(times < 0, np.iinfo(np.int64).max, times))
    middle = int(ordered[(len(ordered) - 1) // 2])
    return None if middle == np.iinfo(np.int64).max else middle
