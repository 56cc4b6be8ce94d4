"""Illiquidity from prices alone: Roll's spread, Amihud's ratio, Corwin and Schultz's spread (M7).

They need trades and no quote, so they also measure data that holds nothing else; where there are quotes, the spreads
themselves say it better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from marketsim.analysis.regression import mean_error
from marketsim.analysis.spreads import Unit, edges_of
from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


def roll_spread(source: MarketTables | Tape, instrument: str | None = None, *, unit: Unit = "price") -> float:
    """2 · sqrt(-cov(Δp(t), Δp(t - 1))) of the prices of successive trades (fills of one order merged).

    In currency, or basis points of the mean price. The spread, if trades bounce between bid and ask at random; signs
    that persist make it too small. NaN where the covariance is positive or fewer than four trades are there.
    Source: Roll (1984).
    """
    tape = Tape.of(source, instrument).merged()
    if unit not in ("price", "bps"):
        raise InvalidValueError(f"unit={unit!r} is unknown{did_you_mean(unit, ('price', 'bps'))}")
    change = np.diff(tape.price)
    if len(change) < 3:
        return float("nan")
    centred = change - change.mean()
    covariance = float(centred[1:] @ centred[:-1]) / (len(change) - 1)
    if covariance >= 0:
        return float("nan")
    spread = 2.0 * float(np.sqrt(-covariance))
    return spread if unit == "price" else 1e4 * spread / float(tape.price.mean())


class Amihud(NamedTuple):
    """``ratio``: basis points that the price moves per million of currency traded; its ``standard_error``; and of how
    many ``intervals`` that traded it is the mean.
    """

    ratio: float
    standard_error: float
    intervals: int


def amihud(source: MarketTables | Tape, every: object = "5min", instrument: str | None = None) -> Amihud:
    """Mean of |r| / value over intervals: r the log return of the last price, value the currency traded.

    In basis points per million. The paper's intervals are days. Source: Amihud (2002).
    """
    tape = Tape.of(source, instrument)
    edges = edges_of(tape, every)
    value, last = np.zeros(len(edges) - 1), np.full(len(edges) - 1, np.nan)
    place = np.minimum(np.searchsorted(edges, tape.trade_time, "right") - 1, len(edges) - 2)
    np.add.at(value, place, tape.price * tape.quantity)
    last[place] = tape.price
    traded = np.flatnonzero(value > 0)
    if len(traded) < 2:
        return Amihud(float("nan"), float("nan"), 0)
    change = np.abs(np.diff(np.log(last[traded])))
    mean, error = mean_error(1e10 * change / value[traded[1:]])
    return Amihud(mean, error, len(change))


def corwin_schultz(source: MarketTables | Tape, every: object = "5min", instrument: str | None = None) -> float:
    """Spread in basis points from highs and lows of two neighbouring intervals, mean over pairs.

    β sums the squared log ranges of both, γ is that of the two together; a = (sqrt(2β) - sqrt(β)) / (3 - 2·sqrt(2)) -
    sqrt(γ / (3 - 2·sqrt(2))), spread = 2 (e^a - 1) / (1 + e^a), below zero counts as zero. The paper's intervals are
    days. NaN where no two neighbouring intervals traded. Source: Corwin and Schultz (2012).
    """
    tape = Tape.of(source, instrument)
    edges = edges_of(tape, every)
    high, low = _ranges(tape, edges)
    return mean_error(_high_low_spreads(high, low))[0]


def _ranges(tape: Tape, edges: Ints) -> tuple[Floats, Floats]:
    high, low = np.full(len(edges) - 1, -np.inf), np.full(len(edges) - 1, np.inf)
    place = np.minimum(np.searchsorted(edges, tape.trade_time, "right") - 1, len(edges) - 2)
    np.maximum.at(high, place, tape.price)
    np.minimum.at(low, place, tape.price)
    quiet = high < low
    high[quiet] = low[quiet] = np.nan
    return high, low


def _high_low_spreads(high: Floats, low: Floats) -> Floats:
    """Of each pair of neighbours, in basis points."""
    squared = np.log(high / low) ** 2
    beta = squared[1:] + squared[:-1]
    gamma = np.log(np.maximum(high[1:], high[:-1]) / np.minimum(low[1:], low[:-1])) ** 2
    root = 3.0 - 2.0 * np.sqrt(2.0)
    a = (np.sqrt(2.0 * beta) - np.sqrt(beta)) / root - np.sqrt(gamma / root)
    return np.asarray(1e4 * np.maximum(2.0 * np.tanh(0.5 * a), 0.0), dtype=np.float64)  # 2(e^a - 1) / (e^a + 1)
