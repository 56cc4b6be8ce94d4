"""The takers' order-flow imbalance on a recorded day, beside what was published for fifty stocks.

R. Cont, A. Kukanov and S. Stoikov (2014), table 2, 50 stocks of the S&P 500, April 2010, half hours of 10 s: the mid's
change regressed on order-flow imbalance has a mean R² of 65 %, on trade imbalance 32 %; the slope is c / depth^λ with a
mean λ of 0.98. One stock and one day are less, so what is held is the order and the size; the sampling error printed is
that of the mean over the day's 13 half hours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from synthetic import SECOND, lobster, lobster_folder

from marketsim.agents.estimators import MultiLevelFlow, OrderFlowImbalance
from marketsim.domain.instrument import Instrument
from marketsim.domain.market_data import Quote

pytestmark = [
    pytest.mark.statistical,
    pytest.mark.skipif(lobster_folder() is None, reason="recorded LOBSTER days not found: set MARKETSIM_DATA"),
]
AMZN = Instrument("AMZN")
LEVELS = 5
STEP, WINDOWS = 10 * SECOND, 13  # half hours from 9:30 to 16:00


@lru_cache(maxsize=1)
def binned() -> dict[str, Any]:
    """Ten-second sums: order flow of the best quotes and of each level, signed trades; changes of the mid, in ticks."""
    day = lobster("AMZN", LEVELS)
    book = day.book
    time = book["time"].to_numpy()
    bids, asks = (
        np.stack([(book[f"{side}_{n}"] * 100).round().to_numpy(np.int64) for n in range(1, LEVELS + 1)], axis=1)
        for side in ("bid", "ask")
    )
    shown_bids, shown_asks = (
        np.stack([book[f"{side}_quantity_{n}"].to_numpy(np.int64) for n in range(1, LEVELS + 1)], axis=1)
        for side in ("bid", "ask")
    )
    one, several = OrderFlowImbalance(), MultiLevelFlow(LEVELS)
    single, multi = np.zeros(len(time)), np.zeros((len(time), LEVELS))
    rows = zip(bids.tolist(), shown_bids.tolist(), asks.tolist(), shown_asks.tolist(), strict=True)
    for row, (bid, bid_quantity, ask, ask_quantity) in enumerate(rows):
        single[row] = one.update(Quote(0, AMZN, bid[0], bid_quantity[0], ask[0], ask_quantity[0]))
        multi[row] = several.update(
            list(zip(bid, bid_quantity, strict=True)), list(zip(ask, ask_quantity, strict=True))
        )
    edges = np.arange(34_200 * SECOND, 57_600 * SECOND + 1, STEP)
    at = np.clip(np.searchsorted(time, edges, "right") - 1, 0, len(time) - 1)
    sums = np.vstack([np.zeros(LEVELS), np.cumsum(multi, axis=0)])
    trades = day.trades
    signed = np.histogram(trades["time"], edges, weights=trades["side"] * trades["quantity"])[0]
    depth = 0.5 * (shown_bids[:, 0] + shown_asks[:, 0])
    return {
        "change": np.diff((bids[at, 0] + asks[at, 0]) / 2.0),
        "single": np.diff(np.concatenate([[0.0], np.cumsum(single)])[at + 1]),
        "multi": np.diff(sums[at + 1], axis=0),
        "trades": signed,
        "depth": np.array([depth[a:b].mean() for a, b in zip(at[:-1], at[1:] + 1, strict=True)]),
    }


def regressed(x: Any, y: Any) -> tuple[float, float]:
    """Slope of the first column and R², adjusted for the number of columns."""
    columns = np.column_stack([np.ones(len(y)), x])
    beta, *_ = np.linalg.lstsq(columns, y, rcond=None)
    rest = y - columns @ beta
    free = len(y) - columns.shape[1]
    return float(beta[1]), float(1.0 - (rest @ rest / free) / y.var(ddof=1))


def half_hours(name: str) -> tuple[Any, Any]:
    day = binned()
    found = [
        regressed(x, y)
        for x, y in zip(np.array_split(day[name], WINDOWS), np.array_split(day["change"], WINDOWS), strict=True)
    ]
    return np.array([slope for slope, _ in found]), np.array([r for _, r in found])


def told(values: Any) -> str:
    return f"{100 * values.mean():.0f} % ± {100 * values.std(ddof=1) / np.sqrt(len(values)):.0f}"


def test_order_flow_explains_the_price_better_than_trades_do() -> None:
    flow, trades = half_hours("single")[1], half_hours("trades")[1]
    print(f"\nR² of order-flow imbalance: {told(flow)} (published 65 %); of trade imbalance: {told(trades)} (32 %)")
    gap = flow - trades
    assert gap.mean() > 3 * gap.std(ddof=1) / np.sqrt(WINDOWS)
    assert flow.mean() > 0.4
    assert trades.mean() < 0.45


def test_every_half_hour_has_a_positive_slope_that_falls_with_depth() -> None:
    slopes = half_hours("single")[0]
    assert (slopes > 0).all()
    depth = np.array([part.mean() for part in np.array_split(binned()["depth"], WINDOWS)])
    x, y = np.log(depth), np.log(slopes)
    slope, _ = regressed(x, y)
    rest = y - y.mean() - slope * (x - x.mean())
    error = np.sqrt(rest @ rest / (WINDOWS - 2) / ((x - x.mean()) ** 2).sum())
    print(f"\nλ = {-slope:.2f} ± {error:.2f} (published 0.98, mean over stocks)")
    assert abs(-slope - 0.98) < 3 * error


def test_deeper_levels_add_to_it() -> None:
    """As Xu, Gould and Howison (2018) found: more levels, more of the price explained."""
    single, multi = half_hours("single")[1], half_hours("multi")[1]
    print(f"\nadjusted R² of 5 levels: {told(multi)}, of the best: {told(single)}")
    gain = multi - single
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(WINDOWS)


def test_level_zero_is_the_imbalance_of_the_best_quotes() -> None:
    day = binned()
    assert np.array_equal(day["multi"][:, 0], day["single"])
