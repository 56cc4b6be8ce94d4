"""The reference market: the measures on which simulators of this field compare themselves, and what was published.

``reference_measures`` takes the tables of a day, ``compare_with_published`` those of several seeds. It runs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from marketsim.analysis.prices import mid_returns
from marketsim.analysis.spreads import quoted_spread
from marketsim.analysis.stylized import autocorrelation, excess_kurtosis
from marketsim.analysis.tape import Tape
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables


class Published(NamedTuple):
    """A measure of the public implementation: mean, least and greatest of its five seeds."""

    mean: float
    low: float
    high: float


PUBLISHED = {
    "orders": Published(35_200, 31_172, 38_173),
    "trades": Published(19_117, 18_581, 19_402),
    "volume": Published(1_041_000, 1_017_000, 1_052_000),
    "cancels": Published(15_070, 11_539, 17_851),
    "spread": Published(1.64, 1.48, 1.78),
    "volatility": Published(1.10, 0.89, 1.24),
    "kurtosis": Published(9.4, 2.2, 14.3),
    "autocorrelation": Published(0.21, 0.13, 0.32),
}
PUBLISHED_ORDERS = {"noise": 819, "value": 13_341, "market_maker": 10_540, "momentum": 6_933}
"""Orders of each type of agent in one of the five seeds."""

_SEEDS = 5
_RANGE_OF_FIVE = 2.326  # expected range of five normal draws, in standard deviations (Tippett 1925)


def reference_measures(run: MarketTables) -> pd.Series:
    """The measures of one day.

    orders: submitted; trades: executions, each counted once; volume: shares; cancels: orders canceled;
    spread: quoted, time-weighted, in cents of the currency; median_spread: over updates of the best quotes;
    volatility: standard deviation of one-minute log mid returns, basis points; kurtosis: excess, of the same;
    autocorrelation: of the same at lag 1; orders of FAMILY: submitted by each family of agents.
    """
    tape = Tape.of(run)
    returns = 1e4 * mid_returns(tape, "1min")
    spread = tape.spread[np.isfinite(tape.spread)]
    orders = run.orders
    families = orders["agent"].map(run.agents.set_index("name")["family"]).value_counts().sort_index()
    measures = {
        "orders": len(orders),
        "trades": len(run.trades),
        "volume": float(run.trades["quantity"].sum()),
        "cancels": int((orders["state"] == "CANCELED").sum()),
        "spread": 100.0 * quoted_spread(tape),
        "median_spread": 100.0 * float(np.median(spread)) if len(spread) else math.nan,
        "volatility": float(np.std(returns, ddof=1)),
        "kurtosis": excess_kurtosis(returns),
        "autocorrelation": float(autocorrelation(returns, 1)["autocorrelation"].iloc[0]),
        **{f"orders of {family}": int(count) for family, count in families.items()},
    }
    return pd.Series(measures, dtype=np.float64)


def compare_with_published(days: Sequence[pd.Series]) -> pd.DataFrame:
    """Our mean of each measure beside the published one and the interval that it should lie in.

    The interval is mean ± t·s·√(1/5 + 1/n), s from the published range and t the 97.5 % point of Student's distribution
    with 4 degrees of freedom. Columns: mean, deviation (ours); published, low, high (theirs); least, most (the
    interval); inside.
    """
    if len(days) < 2:
        raise InvalidValueError(f"{len(days)} day: a comparison needs at least two seeds")
    from scipy import stats

    ours = pd.DataFrame(list(days))
    factor = float(stats.t.ppf(0.975, _SEEDS - 1)) * math.sqrt(1 / _SEEDS + 1 / len(ours)) / _RANGE_OF_FIVE
    rows = {}
    for name, theirs in PUBLISHED.items():
        half = factor * (theirs.high - theirs.low)
        mean = float(ours[name].mean())
        rows[name] = {
            "mean": mean,
            "deviation": float(ours[name].std(ddof=1)),
            "published": theirs.mean,
            "low": theirs.low,
            "high": theirs.high,
            "least": theirs.mean - half,
            "most": theirs.mean + half,
            "inside": abs(mean - theirs.mean) <= half,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")
