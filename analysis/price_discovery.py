"""Where the price is found: how much of the common value's news each venue brings (M7).

Prices of one thing at several places are tied together; a vector error correction model says who follows whom. The
shares say which price moves first, not which venue trades most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.continuous import continuous_quotes
from marketsim.analysis.prices import clock_grid
from marketsim.analysis.tape import Floats, Tape, column, rows_of, the_instrument
from marketsim.errors import InvalidValueError, NotRecordedError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

MOST_LAGS = 10
_ALL_ORDERINGS = 6  # venues of which every ordering is tried; of more only each one's first and last place


@dataclass(frozen=True)
class PriceDiscovery:
    """Shares of several prices in what moves their common value.

    table: index as the prices' names; ``lower``, ``upper`` bounds of Hasbrouck's information share over the orderings,
    ``information_share`` (their middle, divided by the sum so that it adds up to 1) and ``component_share`` of Gonzalo
    and Granger (adds up to 1; may leave 0 … 1).
    correlation: the largest correlation in size of two prices' residuals; the bounds lie as far apart as it is large.
    lags: of price changes in the model. observations: rows that were fitted.
    """

    table: pd.DataFrame
    correlation: float
    lags: int
    observations: int


def information_shares(
    source: MarketTables, every: object = "1s", instrument: str | None = None, *, lags: int | None = None
) -> PriceDiscovery:
    """Information shares of the venues that trade an instrument, from their mids sampled on a clock.

    A fine clock (``every``) brings the bounds together. ``lags`` of price changes; chosen by the Bayesian information
    criterion up to 10 by default. NotRecordedError where only one venue quotes.
    """
    return price_discovery_of(venue_mids(source, every, instrument), lags)


def venue_mids(source: MarketTables, every: object = "1s", instrument: str | None = None) -> pd.DataFrame:
    """The mid of each venue (a column) in force at start, start + every, … (index: ns), in currency; NaN: none."""
    if isinstance(source, Tape):
        raise NotRecordedError(
            "the information share", "the quotes of each venue", "give it the run itself, not a joined tape"
        )
    symbol = the_instrument(source, instrument)
    quotes = rows_of(source.quotes, symbol, len(source.instruments) == 1)
    venues = sorted(str(venue) for venue in quotes["venue"].unique())
    if len(venues) < 2:
        raise NotRecordedError(
            "the information share",
            f"the quotes of several venues of {symbol} (there {'is one' if venues else 'is none'})",
            "use a scenario in which several venues trade it, such as two_venues_latency_arbitrage; "
            "price_discovery_of takes prices from anywhere",
        )
    quotes = continuous_quotes(source, symbol, quotes)
    times = clock_grid(source.start, source.end, every)
    label, time = quotes["venue"].to_numpy(), column(quotes, "time", np.int64)
    mids = 0.5 * (column(quotes, "bid", np.float64) + column(quotes, "ask", np.float64))
    table = {}
    for venue in venues:
        own = label == venue
        row = np.searchsorted(time[own], times, "right") - 1
        table[venue] = np.where(row >= 0, mids[own][np.maximum(row, 0)], np.nan)
    return pd.DataFrame(table, index=pd.Index(times, name="time"))


def price_discovery_of(prices: pd.DataFrame | npt.ArrayLike, lags: int | None = None) -> PriceDiscovery:
    """Shares of the columns of ``prices`` (levels or logarithms, a row a moment) in their common value.

    Δp(t) = c + α · (differences to the first price at t - 1) + Σ Γ(j) Δp(t - j) + e, fitted equation by equation; the
    prices' differences are taken to be stationary (cointegrating vectors 1, -1). With ψ = α⊥' / (α⊥' Γ(1) ι) the
    long-run effect of e, and Ω its covariance, the information share of price j in an ordering is [ψF](j)² / ψΩψ',
    F the Cholesky factor of Ω in that ordering (Hasbrouck 1995; Baillie, Booth, Tse and Zabotina 2002). The component
    share is α⊥ over its sum (Gonzalo and Granger 1995).

    Rows with a NaN and the changes across them are left out. All NaN for fewer than ten rows a coefficient, or where a
    price never moves. InvalidValueError for fewer than two prices.
    """
    frame = prices if isinstance(prices, pd.DataFrame) else pd.DataFrame(np.asarray(prices, dtype=np.float64))
    if frame.shape[1] < 2:
        raise InvalidValueError(f"{frame.shape[1]} prices: the share of each needs two or more")
    if lags is not None and lags < 0:
        raise InvalidValueError(f"lags={lags} must not be negative")
    values = frame.to_numpy(np.float64)
    chosen = _lags_by_bic(values) if lags is None else lags
    fit = _fit(values, chosen, chosen)
    if fit is None:
        names = ["lower", "upper", "information_share", "component_share"]
        return PriceDiscovery(pd.DataFrame(np.nan, index=frame.columns, columns=names), float("nan"), chosen, 0)
    effect, common = _long_run(fit.adjustment, fit.dynamics)
    lower, upper = information_bounds(effect, fit.covariance)
    middle = 0.5 * (lower + upper)
    table = pd.DataFrame(
        {
            "lower": lower,
            "upper": upper,
            "information_share": middle / middle.sum(),
            "component_share": common,
        },
        index=frame.columns,
    )
    deviation = np.sqrt(np.diag(fit.covariance))
    correlation = fit.covariance / np.outer(deviation, deviation)
    apart = correlation[~np.eye(len(correlation), dtype=bool)]
    return PriceDiscovery(table, float(apart[np.abs(apart).argmax()]), chosen, fit.rows)


def information_bounds(effect: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest information share of each price over the orderings of the Cholesky factorization.

    effect: ψ, the long-run effect of a residual of each price on the common value. covariance: Ω of the residuals.
    """
    count = len(effect)
    total = float(effect @ covariance @ effect)
    found = []
    for order in _orderings(count):
        places = list(order)
        factor = np.linalg.cholesky(covariance[np.ix_(places, places)])
        shares = np.empty(count)
        shares[places] = (effect[places] @ factor) ** 2 / total
        found.append(shares)
    every = np.array(found)
    return every.min(axis=0), every.max(axis=0)


def _orderings(count: int) -> Sequence[tuple[int, ...]]:
    if count <= _ALL_ORDERINGS:
        return list(permutations(range(count)))
    rest = [tuple(k for k in range(count) if k != n) for n in range(count)]
    return [(n, *others) for n, others in enumerate(rest)] + [(*others, n) for n, others in enumerate(rest)]


@dataclass(frozen=True)
class _Model:
    adjustment: Floats  # α, prices by differences
    dynamics: Floats  # Γ(1) = I - Σ Γ(j)
    covariance: Floats  # Ω
    rows: int
    criterion: float


def _fit(values: Floats, lags: int, skipped: int) -> _Model | None:
    """The model on the rows after the first ``skipped`` + 1, so that several orders are judged on the same rows."""
    k = values.shape[1]
    change = np.diff(values, axis=0)
    first = skipped
    if len(change) <= first:
        return None
    target = change[first:]
    gaps = values[first:-1, 1:] - values[first:-1, :1]
    past = [change[first - j : len(change) - j] for j in range(1, lags + 1)]
    x = np.column_stack([np.ones(len(target)), gaps, *past])
    known = np.isfinite(target).all(axis=1) & np.isfinite(x).all(axis=1)
    target, x = target[known], x[known]
    if len(target) < 10 * x.shape[1] or (np.ptp(target, axis=0) == 0).any():
        return None
    weights, _, rank, _ = np.linalg.lstsq(x, target, rcond=None)
    if rank < x.shape[1]:
        return None
    rest = target - x @ weights
    covariance = rest.T @ rest / len(rest)
    dynamics = np.eye(k)
    for j in range(lags):
        start = k + j * k  # a constant and k - 1 differences come first
        dynamics = dynamics - weights[start : start + k].T
    sign, logdet = np.linalg.slogdet(covariance)
    if sign <= 0:
        return None
    criterion = float(logdet + np.log(len(rest)) * weights.size / len(rest))
    return _Model(
        np.asarray(weights[1:k].T, dtype=np.float64),
        dynamics,
        covariance * len(rest) / (len(rest) - x.shape[1]),
        len(rest),
        criterion,
    )


def _lags_by_bic(values: Floats) -> int:
    found = {lags: _fit(values, lags, MOST_LAGS) for lags in range(MOST_LAGS + 1)}
    known = {lags: fit.criterion for lags, fit in found.items() if fit is not None}
    return min(known, key=lambda lags: known[lags]) if known else 1


def _long_run(adjustment: Floats, dynamics: Floats) -> tuple[Floats, Floats]:
    """ψ and the component shares from α and Γ(1)."""
    _, _, right = np.linalg.svd(adjustment.T)
    across = right[-1]  # α⊥: what no correction moves
    ones = np.ones(len(across))
    return across / float(across @ dynamics @ ones), across / float(across.sum())
