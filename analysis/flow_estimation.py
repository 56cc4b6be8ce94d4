"""What models of order flow need, read off a market directly: rates by distance, order sizes, trades, the value's walk.

Each number is a count over a time, or a mean: no model is fitted and nothing is searched. Rates are those of one side,
the mean of both. Only what the recording shows counts, so with few levels rates far from the best are too low.
Source of the method: Cont, Stoikov and Talreja (2010), A stochastic model for order book dynamics, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from marketsim.analysis.prices import step_of
from marketsim.analysis.tape import Floats, Ints, Tape, column, rows_of, the_instrument
from marketsim.domain.units import SECOND
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas as pd

    from marketsim.domain.tables import MarketTables

REACH = 512  # ticks: farther orders are not counted
_LEVELS = 20  # of the book, at most
_SAMPLES = 4000  # of the book over time
_SMOOTH = 5  # ticks over which cancels and orders that stand are added up
_LEAST = 0.02  # orders at a distance below which its cancel rate cannot be told


@dataclass(frozen=True)
class FlowEstimates:
    """limit_rates, cancel_rates: orders a second, and cancels a second of each order, at 1, 2, … ticks from the
    opposite best price. reach: ticks within which 99 % of limit orders come. order_size, trade_size: means (units), the
    fills of one order as one trade; order_log_deviation: standard deviation of the orders' log size. trade_rate: trades
    a second of one side. volatility: of the mid, currency per √second, from 10 s changes. spread, depth: time-weighted
    means, currency and units.
    """

    limit_rates: Floats
    cancel_rates: Floats
    reach: int
    order_size: float
    order_log_deviation: float
    trade_size: float
    trade_rate: float
    volatility: float
    spread: float
    depth: float


def flow_estimates(source: MarketTables, instrument: str | None = None) -> FlowEstimates:
    """Estimates from a run or a recording with quotes and orders; InvalidValueError where there are none."""
    symbol = the_instrument(source, instrument)
    tape = Tape.of(source, symbol)
    seconds = (tape.end - tape.start) / SECOND
    arrived, size, ended = _orders(source, tape)
    if not len(arrived) or not len(tape.price) or seconds <= 0:
        raise InvalidValueError(
            f"{symbol}: {len(arrived)} limit orders and {len(tape.price)} trades between its start and end; "
            "estimates need both"
        )
    merged = tape.merged()
    mean_size = float(size.mean())
    limit_rates = _histogram(arrived) / (2.0 * seconds)
    reach = int(np.searchsorted(np.cumsum(limit_rates), 0.99 * limit_rates.sum())) + 1
    standing = _standing(source, symbol, tape) / mean_size
    cancel_rates = _cancel_rates(_histogram(ended) / (2.0 * seconds), standing)
    moves = np.diff(tape.at(tape.mid, np.arange(tape.start, tape.end + 1, 10 * SECOND)))
    return FlowEstimates(
        limit_rates=limit_rates[:reach],
        cancel_rates=cancel_rates[:reach],
        reach=reach,
        order_size=mean_size,
        order_log_deviation=float(np.log(size).std()),
        trade_size=float(merged.quantity.mean()),
        trade_rate=len(merged.price) / (2.0 * seconds),
        volatility=float(np.sqrt(np.nanmean(moves**2) / 10.0)),
        spread=tape.time_weighted(tape.spread),
        depth=tape.time_weighted(0.5 * (tape.bid_quantity + tape.ask_quantity)),
    )


def _orders(source: MarketTables, tape: Tape) -> tuple[Ints, Floats, Ints]:
    """Of limit orders that came to rest: ticks from the opposite best, and sizes; of those canceled: ticks then."""
    orders = rows_of(source.orders, tape.symbol, len(source.instruments) == 1)
    orders = orders[(orders["order_type"] == "LIMIT").to_numpy()]
    came = _distances(orders, "time", tape)
    gone = _distances(orders[(orders["state"] == "CANCELED").to_numpy()], "end_time", tape)
    rested = (came >= 1) & (came <= REACH)
    size = column(orders, "quantity", np.float64)[rested]
    return came[rested], size, gone[(gone >= 1) & (gone <= REACH)]


def _distances(orders: pd.DataFrame, when: str, tape: Tape) -> Ints:
    """Ticks from the opposite best just before ``when``; 0 where that is outside of [start, end] or unknown."""
    time, side = column(orders, when, np.int64), column(orders, "side", np.float64)
    other = np.where(side > 0, tape.before(tape.ask, time), tape.before(tape.bid, time))
    ticks = np.round(side * (other - column(orders, "price", np.float64)) / tape.tick)
    inside = (time >= tape.start) & (time <= tape.end) & np.isfinite(ticks)
    return np.where(inside, np.nan_to_num(ticks), 0).astype(np.int64)


def _histogram(distances: Ints) -> Floats:
    return np.bincount(distances, minlength=REACH + 1)[1 : REACH + 1].astype(np.float64)


def _standing(source: MarketTables, symbol: str, tape: Tape) -> Floats:
    """Mean units on one side at 1, 2, … ticks from the opposite best, as far as the book is shown."""
    book = source.depth(_LEVELS, symbol, step_of(tape.start, tape.end, _SAMPLES))
    book = book[(book["time"] >= tape.start).to_numpy()]
    total = np.zeros(REACH + 1)
    for level in range(1, sum(name.startswith("ask_quantity_") for name in book.columns) + 1):
        for own, other, side in (("bid", "ask", 1.0), ("ask", "bid", -1.0)):
            price, best = column(book, f"{own}_{level}", np.float64), column(book, f"{other}_1", np.float64)
            ticks = np.round(side * (best - price) / tape.tick)
            known = np.isfinite(ticks) & (ticks >= 1) & (ticks <= REACH)
            quantity = column(book, f"{own}_quantity_{level}", np.float64)
            total += np.bincount(ticks[known].astype(np.int64), quantity[known], REACH + 1)
    return np.asarray(total[1:] / max(2 * len(book), 1), dtype=np.float64)


def _cancel_rates(cancels: Floats, standing: Floats) -> Floats:
    """Cancels a second of each order: both over a few neighbouring ticks, and the rate of all where too few stand."""
    window = np.ones(_SMOOTH)
    top, bottom = np.convolve(cancels, window, "same"), np.convolve(standing, window, "same")
    overall = float(cancels.sum() / standing.sum()) if standing.sum() > 0 else 0.0
    return np.where(bottom > _LEAST * _SMOOTH, top / np.maximum(bottom, 1e-12), overall)
