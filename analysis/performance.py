"""Performance: small pure functions of return, profit and equity arrays (M4).

Returns are simple returns a period (0.01 is one percent), equity is in currency. ``periods_per_year`` is always said
by the caller (252 for daily returns, 1 for no annualising at all). Nothing here reads tables, and a value that is not
finite is refused rather than skipped. What sets returns beside a benchmark is in ``active_returns``; the same numbers
fed one value at a time are in ``running_performance``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, pi, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Method = Literal["historical", "gaussian", "cornish_fisher"]
METHODS = ("historical", "gaussian", "cornish_fisher")
_NAN = float("nan")


def returns_of(equity: npt.ArrayLike) -> Floats:
    """Simple returns e(t) / e(t-1) - 1. The equity must stay above zero."""
    values = _finite(equity, "equity")
    if (values[:-1] <= 0).any():
        raise InvalidValueError("returns need an equity above zero: take differences of the profit instead")
    return np.asarray(values[1:] / values[:-1] - 1.0)


def total_return(equity: npt.ArrayLike) -> float:
    """last / first - 1."""
    values = _finite(equity, "equity")
    if len(values) == 0 or values[0] <= 0:
        raise InvalidValueError("a total return needs a first equity above zero")
    return float(values[-1] / values[0] - 1.0)


def annualized_return(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """(Π (1 + r))^(periods_per_year / n) - 1, the compound rate a year; -1 after a total loss."""
    values = _finite(returns, "returns")
    if len(values) == 0:
        return float("nan")
    return growth_rate(float(np.prod(1.0 + values)), len(values), periods_per_year)


def growth_rate(growth: float, periods: int, periods_per_year: float) -> float:
    """growth^(periods_per_year / periods) - 1, where ``growth`` is last / first; infinite where no float holds it."""
    if growth <= 0:
        return -1.0
    try:
        return float(growth ** (periods_per_year / periods) - 1.0)
    except OverflowError:
        return float("inf")


def cumulative_returns(returns: npt.ArrayLike) -> Floats:
    """Π (1 + r) - 1 up to and with each period; the last one is the total return."""
    return np.asarray(np.cumprod(1.0 + _finite(returns, "returns")) - 1.0)


def daily_mean_return(returns: npt.ArrayLike, periods_per_day: float) -> float:
    """mean(r) · periods_per_day: what a day brings on average, not compounded."""
    values = _finite(returns, "returns")
    return float(values.mean() * periods_per_day) if len(values) else _NAN


def best_period(returns: npt.ArrayLike) -> float:
    """The largest return of a period."""
    values = _finite(returns, "returns")
    return float(values.max()) if len(values) else _NAN


def worst_period(returns: npt.ArrayLike) -> float:
    """The smallest return of a period."""
    values = _finite(returns, "returns")
    return float(values.min()) if len(values) else _NAN


def monthly_returns(returns: npt.ArrayLike, times: npt.ArrayLike) -> pd.DataFrame:
    """Compound return of each month: a row a year (index ``year``), columns 1 … 12 and ``year``; NaN of no period.

    ``times`` (datetimes, or int ns since 1970-01-01) are the ends of the periods, in time order; a period counts to the
    month in which it ends, and one that ends at the very beginning of a month to the month before. Times that are all
    midnights are the dates of daily periods, each of the month of its date.
    """
    import pandas as pd

    values = _finite(returns, "returns")
    ends = pd.DatetimeIndex(np.asarray(times))
    if not (ends == ends.normalize()).all():
        ends -= pd.Timedelta(1, "ns")
    if len(ends) != len(values):
        raise InvalidValueError(f"times has {len(ends)} values and returns {len(values)}: give one time a period")
    growth = pd.Series(1.0 + values).groupby([np.asarray(ends.year), np.asarray(ends.month)]).prod()
    table = growth.unstack().reindex(columns=range(1, 13)) if len(growth) else pd.DataFrame(columns=range(1, 13))
    table = table.astype(np.float64).rename_axis(index="year", columns="month")
    table["year"] = table.prod(axis=1)
    return table - 1.0


def volatility(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """Standard deviation (n - 1) of the returns times sqrt(periods_per_year)."""
    values = _finite(returns, "returns")
    return float(values.std(ddof=1) * np.sqrt(periods_per_year)) if len(values) > 1 else float("nan")


def downside_deviation(returns: npt.ArrayLike, periods_per_year: float, target: float = 0.0) -> float:
    """sqrt(mean(min(r - target, 0)²)) · sqrt(periods_per_year), over all returns; ``target`` is a period's."""
    values = _finite(returns, "returns")
    if len(values) == 0:
        return float("nan")
    return float(np.sqrt(np.mean(np.minimum(values - target, 0.0) ** 2)) * np.sqrt(periods_per_year))


def sharpe(returns: npt.ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """(mean(r) - risk_free / periods_per_year) / std(r, n - 1) · sqrt(periods_per_year).

    ``risk_free`` is a rate a year (0 by default). Scale free, so profits in currency serve as well when it is 0.
    NaN when the returns do not vary. Source: Sharpe (1994).
    """
    values = _finite(returns, "returns")
    if len(values) < 2 or _constant(values):
        return float("nan")
    deviation = float(values.std(ddof=1))
    if deviation == 0.0:  # differences so small that their squares vanish
        return float("nan")
    return float((float(values.mean()) - risk_free / periods_per_year) / deviation * np.sqrt(periods_per_year))


def sortino(returns: npt.ArrayLike, periods_per_year: float, target: float = 0.0) -> float:
    """(mean(r) - target) / sqrt(mean(min(r - target, 0)²)) · sqrt(periods_per_year); ``target`` is a period's.

    NaN when no return is below the target. Source: Sortino and Price (1994).
    """
    values = _finite(returns, "returns")
    below = downside_deviation(values, 1.0, target)
    if len(values) == 0 or below == 0.0:
        return float("nan")
    return float((values.mean() - target) / below * np.sqrt(periods_per_year))


def calmar(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """annualized return / largest drawdown (as a fraction). NaN without a drawdown. Source: Young (1991)."""
    values = _finite(returns, "returns")
    if len(values) == 0:
        return _NAN
    fall = -float(drawdown(_growth(values), relative=True).min()) if (values > -1.0).all() else 1.0
    return annualized_return(values, periods_per_year) / fall if fall > 0 else _NAN


def omega(returns: npt.ArrayLike, threshold: float = 0.0) -> float:
    """Σ max(r - threshold, 0) / Σ max(threshold - r, 0); ``threshold`` is a period's.

    NaN where no return is below it. Source: Keating and Shadwick (2002).
    """
    values = _finite(returns, "returns") - threshold
    lost = float(-np.minimum(values, 0.0).sum())
    return float(np.maximum(values, 0.0).sum()) / lost if lost > 0 else _NAN


def tail_ratio(returns: npt.ArrayLike) -> float:
    """|95 % quantile| / |5 % quantile| of the returns, linear between observations. NaN where the latter is 0.

    Source: the measure of that name of the libraries pyfolio and empyrical.
    """
    values = _finite(returns, "returns")
    return quotient_of_tails(*np.quantile(values, (0.95, 0.05)).tolist()) if len(values) else _NAN


def quotient_of_tails(high: float, low: float) -> float:
    """|high| / |low|."""
    return abs(high) / abs(low) if low != 0.0 else _NAN


def gain_to_pain(returns: npt.ArrayLike) -> float:
    """Σ r / Σ |r below 0|. NaN without a loss. Source: Schwager (2012), who takes monthly returns."""
    values = _finite(returns, "returns")
    lost = float(-values[values < 0].sum())
    return float(values.sum()) / lost if lost > 0 else _NAN


@dataclass(frozen=True)
class Drawdown:
    """The deepest fall of an equity from its running maximum.

    amount: fall in currency (not negative); fraction: the fall over the peak, NaN when the peak is not above zero;
    start, trough: positions of the (last) peak before the fall and of the bottom; recovery: position at which the
    peak is reached again, None when it is not.
    """

    amount: float
    fraction: float
    start: int
    trough: int
    recovery: int | None

    @property
    def length(self) -> int | None:
        """Periods from peak to recovery; None while it lasts."""
        return None if self.recovery is None else self.recovery - self.start


def drawdown(equity: npt.ArrayLike, *, relative: bool = False) -> Floats:
    """equity - running maximum (currency, never above zero); with ``relative`` over that maximum (0 … -1)."""
    values = _finite(equity, "equity")
    peak = np.maximum.accumulate(values)
    if not relative:
        return np.asarray(values - peak)
    _positive_peak(peak)
    return np.asarray(values / peak - 1.0)


def max_drawdown(equity: npt.ArrayLike, *, relative: bool = True) -> Drawdown:
    """The deepest drawdown, by fraction of its peak; with ``relative=False`` by amount (P&L starts at 0)."""
    values = _finite(equity, "equity")
    if len(values) == 0:
        raise InvalidValueError("a drawdown needs at least one value of equity")
    fall = drawdown(values, relative=relative)
    trough = int(np.argmin(fall))
    if fall[trough] == 0.0:
        return Drawdown(0.0, 0.0, 0, 0, 0)
    peak = float(values[: trough + 1].max())
    start = int(np.flatnonzero(values[: trough + 1] == peak)[-1])
    back = np.flatnonzero(values[trough:] >= peak)
    fraction = (peak - float(values[trough])) / peak if peak > 0 else float("nan")
    return Drawdown(peak - float(values[trough]), fraction, start, trough, int(back[0]) + trough if len(back) else None)


def average_drawdown(equity: npt.ArrayLike, *, relative: bool = True) -> float:
    """Mean depth of the drawdowns: each from a peak until it is reached again, by its deepest point; 0 without any.

    By fraction of the peak, or by amount; one that still lasts counts as deep as it has been. Source: Bacon (2008).
    """
    fall = drawdown(equity, relative=relative)
    under = fall < 0
    if not under.any():
        return 0.0 if len(fall) else _NAN
    first = np.flatnonzero(under & ~np.concatenate(([False], under[:-1])))
    return float(-np.minimum.reduceat(fall, first).mean())  # between two drawdowns it is 0, the largest there is


def ulcer_index(equity: npt.ArrayLike) -> float:
    """sqrt(mean(d²)) of the drawdowns d (fractions of the running maximum). Source: Martin and McCann (1989)."""
    fall = drawdown(equity, relative=True)
    return float(np.sqrt(np.mean(fall**2))) if len(fall) else _NAN


def value_at_risk(returns: npt.ArrayLike, confidence: float = 0.95, method: Method = "historical") -> float:
    """Value at risk: the loss that a share (1 - confidence) of the periods exceeds. A loss is positive.

    ``confidence`` is written as 0.95, never as 0.05. Methods: "historical", minus the quantile of the returns, linear
    between observations (Jorion 2006); "gaussian", -(mean + z · std) with the normal quantile z; "cornish_fisher", the
    same with z corrected for skewness and kurtosis, NaN where the correction is no quantile function (Favre and Galeano
    2002). Standard deviations are over n.
    """
    values = _finite(returns, "returns")
    tail = _tail(confidence)
    if len(values) == 0:
        return _NAN
    if method == "historical":
        return float(-np.quantile(values, tail))
    return moment_value_at_risk(moments_of(values), confidence, method)


def conditional_value_at_risk(returns: npt.ArrayLike, confidence: float = 0.95, method: Method = "historical") -> float:
    """Expected shortfall: the mean loss of the worst share (1 - confidence) of the periods. A loss is positive.

    Methods as ``value_at_risk`` has them, and never below it. "historical": the observation on the border counts with
    the fraction that belongs to the tail, which makes the measure coherent (Acerbi and Tasche 2002). "gaussian":
    -mean + std · φ(z) / (1 - confidence). "cornish_fisher": the mean of its values at risk beyond (Maillard 2012).
    """
    values = np.sort(_finite(returns, "returns"))
    mass = _tail(confidence) * len(values)
    if len(values) == 0:
        return _NAN
    if method != "historical":
        return moment_shortfall(moments_of(values), confidence, method)
    worst = values[: int(np.ceil(mass))]
    weight = np.clip(mass - np.arange(len(worst)), 0.0, 1.0)
    return float(-(worst * weight).sum() / weight.sum())


@dataclass(frozen=True)
class Moments:
    """Mean, standard deviation (over n), skewness and excess kurtosis; the last two are 0 where nothing varies."""

    mean: float
    deviation: float
    skewness: float
    kurtosis: float


def moments_of(values: npt.ArrayLike) -> Moments:
    """The moments of a sample that is not empty."""
    array = _finite(values, "values")
    mean = float(array.mean())
    centred = array - mean
    second, third, fourth = (float(np.mean(centred**power)) for power in (2, 3, 4))
    return moments_from(mean, second, third, fourth, float(np.mean(array**2)))


def moments_from(mean: float, second: float, third: float, fourth: float, square: float) -> Moments:
    """From central moments over n; ``square`` is the mean of the squares, beside which dust is nothing."""
    if second <= 1e-30 * max(square, 1e-300) or second**2 < 1e-300:  # or so small that powers of it vanish
        return Moments(mean, sqrt(max(second, 0.0)), 0.0, 0.0)
    return Moments(mean, sqrt(second), third / second**1.5, fourth / second**2 - 3.0)


def moment_value_at_risk(moments: Moments, confidence: float, method: Method) -> float:
    """``value_at_risk`` by the methods that need moments alone."""
    z = normal_quantile(_tail(confidence))
    if method == "cornish_fisher":
        s, k = moments.skewness, moments.kurtosis
        if not _is_quantile(z, s, k):
            return _NAN
        z = z + (z * z - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s * s / 36
    elif method != "gaussian":
        raise InvalidValueError(f"method={method!r} is unknown{did_you_mean(method, METHODS)}")
    return -(moments.mean + z * moments.deviation)


def moment_shortfall(moments: Moments, confidence: float, method: Method) -> float:
    """``conditional_value_at_risk`` by the methods that need moments alone."""
    tail = _tail(confidence)
    z = normal_quantile(tail)
    factor = 1.0
    if method == "cornish_fisher":
        s, k = moments.skewness, moments.kurtosis
        if not _is_quantile(z, s, k):
            return _NAN
        factor = 1 + z * s / 6 + (z * z - 1) * k / 24 - (2 * z * z - 1) * s * s / 36
    elif method != "gaussian":
        raise InvalidValueError(f"method={method!r} is unknown{did_you_mean(method, METHODS)}")
    return -moments.mean + moments.deviation * exp(-z * z / 2) / sqrt(2 * pi) / tail * factor


def normal_quantile(share: float) -> float:
    """The value below which a standard normal lies with probability ``share``: Newton's steps on its distribution."""
    from statistics import NormalDist

    z = NormalDist().inv_cdf(share)
    for _ in range(2):
        z -= (erfc(-z / sqrt(2)) / 2 - share) * sqrt(2 * pi) * exp(z * z / 2)
    return z


def _is_quantile(z: float, skewness: float, kurtosis: float) -> bool:
    """Whether the Cornish–Fisher expansion rises up to z from where a tenth of the tail lies beyond."""
    low = normal_quantile(erfc(-z / sqrt(2)) / 20)
    a, b = kurtosis / 8 - skewness**2 / 6, skewness / 3
    c = 1 - kurtosis / 8 + 5 * skewness**2 / 36
    places = [low, z]
    if a > 0 and low < -b / (2 * a) < z:
        places.append(-b / (2 * a))
    return all(a * at * at + b * at + c >= 0 for at in places)


def win_rate(profits: npt.ArrayLike) -> float:
    """Share of trades with a profit above zero; a trade of exactly zero is not a win. NaN without trades."""
    values = _finite(profits, "profits")
    return float((values > 0).mean()) if len(values) else float("nan")


def profit_factor(profits: npt.ArrayLike) -> float:
    """Sum of profits / sum of losses; infinite without losses, NaN when there is neither."""
    values = _finite(profits, "profits")
    won, lost = float(values[values > 0].sum()), float(-values[values < 0].sum())
    if lost == 0.0:
        return float("inf") if won > 0 else float("nan")
    return won / lost


def average_win(profits: npt.ArrayLike) -> float:
    """Mean of the profits above zero, in currency; NaN without any."""
    values = _finite(profits, "profits")
    return float(values[values > 0].mean()) if (values > 0).any() else _NAN


def average_loss(profits: npt.ArrayLike) -> float:
    """Mean of the losses, in currency and below zero; NaN without any."""
    values = _finite(profits, "profits")
    return float(values[values < 0].mean()) if (values < 0).any() else _NAN


def longest_runs(profits: npt.ArrayLike) -> tuple[int, int]:
    """Most wins, and most losses, one after the other; a trade of exactly zero ends both."""
    signs = np.sign(_finite(profits, "profits"))
    longest = []
    for wanted in (1.0, -1.0):
        ends = np.flatnonzero(np.concatenate(([True], signs != wanted, [True])))
        longest.append(int(np.diff(ends).max()) - 1)
    return longest[0], longest[1]


def expectancy(profits: npt.ArrayLike) -> float:
    """Mean profit a trade, in currency."""
    values = _finite(profits, "profits")
    return float(values.mean()) if len(values) else float("nan")


def payoff_ratio(profits: npt.ArrayLike) -> float:
    """Mean win / mean loss; NaN when there are no wins or no losses."""
    values = _finite(profits, "profits")
    wins, losses = values[values > 0], values[values < 0]
    return float(wins.mean() / -losses.mean()) if len(wins) and len(losses) else float("nan")


def turnover(traded_value: npt.ArrayLike, equity: npt.ArrayLike, periods_per_year: float | None = None) -> float:
    """Σ |value traded a period| / mean equity; with ``periods_per_year`` scaled from the periods seen to a year."""
    traded, values = np.abs(_finite(traded_value, "traded_value")), _finite(equity, "equity")
    if len(values) == 0 or values.mean() <= 0:
        raise InvalidValueError("turnover needs a mean equity above zero")
    ratio = float(traded.sum() / values.mean())
    return ratio if periods_per_year is None else ratio * periods_per_year / max(len(traded), 1)


def return_measures(
    returns: npt.ArrayLike,
    periods_per_year: float,
    *,
    periods_per_day: float | None = None,
    risk_free: float = 0.0,
    target: float = 0.0,
    benchmark: npt.ArrayLike | None = None,
) -> dict[str, float]:
    """Every measure of a series of returns by its name; NaN where it is not defined.

    ``risk_free`` is a rate a year, ``target`` (of Sortino, Omega, downside deviation) a return a period,
    ``periods_per_day`` a 252nd of a year's when left out. Drawdowns are fractions of the peak; their ``_start``,
    ``_trough`` and ``_recovery`` count periods, 0 is before the first one. ``benchmark``: its returns over the same
    periods; without one the measures against it are NaN. ``kurtosis`` is in excess of a normal distribution's.
    """
    from marketsim.analysis.active_returns import active_measures
    from marketsim.analysis.stylized import excess_kurtosis, skewness

    values = _finite(returns, "returns")
    some = len(values) > 0
    a_day = periods_per_year / 252 if periods_per_day is None else periods_per_day
    found = {
        "total_return": float(np.prod(1.0 + values)) - 1.0 if some else _NAN,
        "annualized_return": annualized_return(values, periods_per_year),
        "daily_mean_return": daily_mean_return(values, a_day),
        "best_period": best_period(values),
        "worst_period": worst_period(values),
        "sharpe": sharpe(values, periods_per_year, risk_free),
        "sortino": sortino(values, periods_per_year, target),
        "calmar": calmar(values, periods_per_year),
        "omega": omega(values, target),
        "tail_ratio": tail_ratio(values),
        "gain_to_pain": gain_to_pain(values),
        "volatility": volatility(values, periods_per_year),
        "downside_deviation": downside_deviation(values, periods_per_year, target),
        **_drawdown_measures(values),
        "skewness": skewness(values),
        "kurtosis": excess_kurtosis(values),
    }
    moments = moments_of(values) if some else None
    for confidence in (0.95, 0.99):
        level = f"{100 * confidence:.0f}"
        found[f"var_{level}"] = value_at_risk(values, confidence)
        found[f"cvar_{level}"] = conditional_value_at_risk(values, confidence)
        found.update(moment_tails(moments, confidence))
    return found | active_measures(values, benchmark, periods_per_year, risk_free)


def moment_tails(moments: Moments | None, confidence: float) -> dict[str, float]:
    """Value at risk and expected shortfall by the two methods that need moments alone, by name."""
    level = f"{100 * confidence:.0f}"
    found = {}
    for method in METHODS[1:]:
        for name, measure in (("var", moment_value_at_risk), ("cvar", moment_shortfall)):
            found[f"{method}_{name}_{level}"] = _NAN if moments is None else measure(moments, confidence, method)  # type: ignore[arg-type]
    return found


def trade_measures(profits: npt.ArrayLike, holding_times: npt.ArrayLike = ()) -> dict[str, float]:
    """Every measure of trades that are over by its name: profits in currency, after fees, in order of their ends.

    ``average_holding_time`` is in the unit of ``holding_times``, NaN without them.
    """
    values, held = _finite(profits, "profits"), _finite(holding_times, "holding_times")
    wins, losses = longest_runs(values)
    return {
        "trades": float(len(values)),
        "winning_trades": float((values > 0).sum()),
        "losing_trades": float((values < 0).sum()),
        "win_rate": win_rate(values),
        "profit_factor": profit_factor(values),
        "average_win": average_win(values),
        "average_loss": average_loss(values),
        "payoff_ratio": payoff_ratio(values),
        "largest_win": float(values.max()) if (values > 0).any() else _NAN,
        "largest_loss": float(values.min()) if (values < 0).any() else _NAN,
        "expectancy": expectancy(values),
        "longest_winning_run": float(wins),
        "longest_losing_run": float(losses),
        "average_holding_time": float(held.mean()) if len(held) else _NAN,
    }


def _drawdown_measures(returns: Floats) -> dict[str, float]:
    equity = _growth(returns)
    if (equity[:-1] <= 0).any():  # lost more than all: no fraction of a peak says it
        names = ("max_drawdown", "drawdown_start", "drawdown_trough", "drawdown_recovery", "drawdown_length")
        return dict.fromkeys((*names, "average_drawdown", "ulcer_index"), _NAN)
    worst = max_drawdown(equity)
    return {
        "max_drawdown": worst.fraction,
        "drawdown_start": float(worst.start),
        "drawdown_trough": float(worst.trough),
        "drawdown_recovery": _NAN if worst.recovery is None else float(worst.recovery),
        "drawdown_length": _NAN if worst.length is None else float(worst.length),
        "average_drawdown": average_drawdown(equity),
        "ulcer_index": ulcer_index(equity),
    }


def _growth(returns: Floats) -> Floats:
    """What 1 becomes, with the 1."""
    return np.concatenate(([1.0], np.cumprod(1.0 + returns)))


def _finite(values: npt.ArrayLike, what: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InvalidValueError(f"{what} must be one row of numbers, not of shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise InvalidValueError(f"{what}[{bad[0]}] is {array[bad[0]]}: remove or fill values that are not finite first")
    return array


def _tail(confidence: float) -> float:
    if not 0.5 <= confidence < 1.0:
        hint = f"; did you mean {1.0 - confidence:g}?" if 0.0 < confidence < 0.5 else ""
        raise InvalidValueError(f"confidence={confidence} must lie in [0.5, 1), such as 0.95{hint}")
    return 1.0 - confidence


def _constant(values: Floats) -> bool:
    return bool(np.ptp(values) <= 1e-14 * max(float(np.abs(values).max()), 1e-300))


def _positive_peak(peak: Floats) -> None:
    if (peak <= 0).any():
        raise InvalidValueError("a relative drawdown needs an equity above zero: use relative=False for P&L")
