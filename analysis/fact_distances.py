"""Stylized facts as a list of numbers with errors, and how far two markets are apart in them.

For calibration: it judges no market alone (``stylized`` does) and searches for none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marketsim.analysis import fact_measures as measure
from marketsim.analysis.fact_measures import UNKNOWN, Estimate, Sampled
from marketsim.analysis.resampling import normal_numbers
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import MINUTE, SECOND
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

CLOCKS = {"1s": SECOND, "10s": 10 * SECOND, "60s": 60 * SECOND}
FEWEST = 20  # returns of a clock, or trades, below which its numbers are unknown
SIGN_LAGS, SIZE_LAGS = (1, 10, 100), (1, 5, 20, 60)


def fact_statistics(
    source: MarketTables | Tape, instrument: str | None = None, *, times: int = 200, seed: int = 1
) -> pd.DataFrame:
    """Numbers that tell markets apart, with columns ``value`` and ``standard_error``, indexed by ``statistic``.

    ``volatility``: bps per √minute, from 10 s returns. ``signature_ratio``: variance of 60 s returns over 60 times that
    of 1 s returns. ``kurtosis_*`` (excess), ``skewness_*``, ``tail_index_1s`` (Hill, largest 5 %),
    ``return_memory_*`` (autocorrelation of returns at lag 1), ``size_memory_1s_k`` (of |r| at lag k),
    ``leverage_10s`` (correlation of r with |r| 1 … 10 steps later), ``volume_volatility_10s`` (rank correlation of
    volume and |r|), ``sign_memory_k`` (autocorrelation of trade signs at lag k, fills not merged).

    Standard errors are of the stationary bootstrap (``resampling.Blocks``) with ``times`` resamples. A number that
    cannot be told (too short a recording, a price that never moves) is NaN, with a NaN error. Kurtosis and tail index
    of heavy-tailed returns have errors that are themselves uncertain.
    """
    return _table(estimates(Tape.of(source, instrument), times, seed))


def estimates(tape: Tape, times: int, seed: int) -> dict[str, Estimate]:
    """By name: what ``fact_statistics`` tells, with resampled values that vary together."""
    clocks = {name: Sampled.of(tape, step, times, seed) for name, step in CLOCKS.items()}
    found: dict[str, Estimate] = {}

    def tell(name: str, clock: str, of: Callable[[Sampled], Estimate]) -> None:
        chosen = clocks[clock]
        found[name] = of(chosen) if len(chosen.returns) >= FEWEST and chosen.varies else UNKNOWN

    tell("volatility", "10s", lambda c: measure.volatility(c, MINUTE))
    tell("signature_ratio", "1s", lambda c: measure.variance_ratio(c, 60))
    for clock in CLOCKS:
        tell(f"kurtosis_{clock}", clock, measure.kurtosis)
    for clock in ("1s", "60s"):
        tell(f"skewness_{clock}", clock, measure.skew)
    tell("tail_index_1s", "1s", measure.tail_index)
    for clock in ("1s", "10s"):
        tell(f"return_memory_{clock}", clock, lambda c: measure.memory(c, c.returns, (1,)))
    for lag in SIZE_LAGS:
        tell(f"size_memory_1s_{lag}", "1s", lambda c, lag=lag: measure.memory(c, c.size, (lag,)))  # type: ignore[misc]
    tell("leverage_10s", "10s", lambda c: measure.cross_memory(c, c.returns, c.size, range(1, 11)))
    tell("volume_volatility_10s", "10s", lambda c: measure.rank_correlation(c, c.volume, c.size))
    found |= _sign_memory(tape, times, seed)
    return found


def _sign_memory(tape: Tape, times: int, seed: int) -> dict[str, Estimate]:
    if len(tape.side) < FEWEST:
        return {f"sign_memory_{lag}": UNKNOWN for lag in SIGN_LAGS}
    blocks = measure.blocks_of_trades(len(tape.side), times, seed)
    return {f"sign_memory_{lag}": measure.autocorrelation_of(blocks, tape.side, (lag,)) for lag in SIGN_LAGS}


def _table(found: dict[str, Estimate]) -> pd.DataFrame:
    rows = {name: (one.value, one.standard_error) for name, one in found.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "standard_error"])
    return table.rename_axis("statistic")


@dataclass(frozen=True)
class FactDistance:
    """How far two markets are apart in ``fact_statistics``.

    table: indexed by ``statistic``, with ``simulated``, ``recorded``, ``difference``, ``standard_error`` (of the
    difference) and ``distance`` (difference in standard errors).
    total: root mean square of ``distance`` over the statistics that both have; about 1 for two stretches of one market.
    low, high: 95 % interval of ``total``.
    draws: the bootstrap's squared totals, less what their own noise adds; may be below zero.
    """

    table: pd.DataFrame
    total: float
    low: float
    high: float
    draws: Floats

    def __str__(self) -> str:
        head = f"distance {self.total:.2f} (95 %: {self.low:.2f} to {self.high:.2f})"
        return f"{head}\n{self.table.round(3).to_string()}"


def fact_distance(
    simulated: MarketTables | Tape | pd.DataFrame,
    recorded: MarketTables | Tape | pd.DataFrame,
    *,
    instrument: str | None = None,
    recorded_instrument: str | None = None,
    times: int = 400,
    seed: int = 1,
) -> FactDistance:
    """The distance of two markets, statistic by statistic and in all.

    Each side is a run, a recorded day, a tape, or the table of ``fact_statistics`` (what has been computed once need
    not be again, and rows that are not wanted can be left out: only statistics of both sides count). For a statistic
    the distance is difference / sqrt(s.e.² + s.e.²); the total is D = sqrt(mean(distance²)). Its interval: resampled
    markets have a mean square that is larger by the one that resampling adds to each distance; that one is taken off,
    and percentiles are taken. Where a side is a table its statistics are drawn as independent normal numbers.
    """
    sides = [
        _drawn(side, symbol, times, seed + n)
        for n, (side, symbol) in enumerate(((simulated, instrument), (recorded, recorded_instrument)))
    ]
    names = [name for name in sides[0][0].index if name in sides[1][0].index]
    first, second = (table.loc[names] for table, _ in sides)
    apart = (first["value"] - second["value"]).to_numpy(dtype=np.float64)
    error = np.hypot(first["standard_error"].to_numpy(np.float64), second["standard_error"].to_numpy(np.float64))
    distance = np.where(error > 0, apart / np.where(error > 0, error, 1.0), np.nan)
    table = pd.DataFrame(
        {
            "simulated": first["value"],
            "recorded": second["value"],
            "difference": apart,
            "standard_error": error,
            "distance": distance,
        }
    )
    known = np.isfinite(distance)
    if not known.any():
        return FactDistance(table, float("nan"), float("nan"), float("nan"), np.empty(0))
    moved = np.stack([drawn[names].to_numpy(np.float64)[:, known] for _, drawn in sides])
    draws = np.nanmean(((moved[0] - moved[1]) / error[known]) ** 2, axis=1) - 1.0
    low, high = np.sqrt(np.maximum(np.quantile(draws, (0.025, 0.975)), 0.0))
    return FactDistance(table, float(np.sqrt(np.mean(distance[known] ** 2))), float(low), float(high), draws)


def _drawn(
    side: MarketTables | Tape | pd.DataFrame, instrument: str | None, times: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of a side, and its statistics in ``times`` resampled markets."""
    if isinstance(side, pd.DataFrame):
        if not {"value", "standard_error"} <= set(side.columns):
            raise InvalidValueError(
                f"a table with columns {', '.join(map(str, side.columns))} has no value and standard_error: "
                "give that of fact_statistics"
            )
        noise = normal_numbers((times, len(side)), seed)
        drawn = side["value"].to_numpy() + noise * side["standard_error"].to_numpy()
        return side, pd.DataFrame(drawn, columns=side.index)
    found = estimates(Tape.of(side, instrument), times, seed)
    blank = np.full(times, np.nan)
    return _table(found), pd.DataFrame({name: one.draws if len(one.draws) else blank for name, one in found.items()})
