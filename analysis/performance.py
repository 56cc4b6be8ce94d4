"""Performance: small pure functions of return, profit and equity arrays (M4).

Returns are simple returns a period (0.01 is one percent), equity is in currency. ``periods_per_year`` is always said
by the caller (252 for daily returns, 1 for no annualising at all). Nothing here reads tables, and a value that is not
finite is refused rather than skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marketsim.errors import InvalidValueError

Floats = npt.NDArray[np.float64]


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
    growth = float(np.prod(1.0 + values))
    return float(growth ** (periods_per_year / len(values)) - 1.0) if growth > 0 else -1.0


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


def value_at_risk(returns: npt.ArrayLike, confidence: float = 0.95) -> float:
    """Historical value at risk: minus the (1 - confidence) quantile of the returns, linear between observations.

    A loss is positive. ``confidence`` is written as 0.95, never as 0.05. Source: Jorion (2006).
    """
    values = _finite(returns, "returns")
    tail = _tail(confidence)
    return float(-np.quantile(values, tail)) if len(values) else float("nan")


def conditional_value_at_risk(returns: npt.ArrayLike, confidence: float = 0.95) -> float:
    """Historical expected shortfall: minus the mean of the worst share (1 - confidence) of the returns.

    The observation on the border counts with the fraction that belongs to the tail, which makes the measure coherent
    (Acerbi and Tasche 2002). A loss is positive; never below the value at risk.
    """
    values = np.sort(_finite(returns, "returns"))
    mass = _tail(confidence) * len(values)
    if len(values) == 0:
        return float("nan")
    weight = np.clip(mass - np.arange(len(values)), 0.0, 1.0)
    return float(-(values * weight).sum() / weight.sum())


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
