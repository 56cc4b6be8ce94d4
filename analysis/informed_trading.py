"""How much of the flow is informed: VPIN in volume time, PIN from counts of buys and sells (M7).

Both infer from imbalance; neither is told who knew something. In a simulation, ``marketsim.analysis.mark_outs`` by
family of takers says who did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.spreads import edges_of
from marketsim.analysis.tape import Floats, Tape
from marketsim.domain.units import duration
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

BUCKETS = 250  # of equal volume over the whole source, unless a size is given
WINDOW = 50  # buckets: a day's worth in the paper
_STARTS = (0.1, 0.3, 0.5, 0.7, 0.9)
_FARTHEST = 25.0  # of a logit or a log of a rate
_TRIED = 12  # of the starting points, those of the highest likelihood


def vpin(
    source: MarketTables | Tape,
    bucket: float | None = None,
    instrument: str | None = None,
    *,
    window: int = WINDOW,
    classification: Literal["true", "bulk"] = "true",
    bar: object = "1min",
) -> pd.DataFrame:
    """Volume-synchronized probability of informed trading, bucket by bucket.

    Trades fill buckets of ``bucket`` units (a 250th of the volume by default). VPIN = Σ |buy - sell| / (window ·
    bucket) over the last ``window`` buckets. ``classification="true"`` takes the aggressor's side of each trade (half
    and half where it is unknown); "bulk" gives each ``bar`` of time the share Φ(Δp / σ) of buys, Δp the change of its
    last price and σ the deviation of those changes.

    One row a full bucket: ``begin``, ``end`` (ns), ``buy``, ``sell`` (units), ``vpin`` (0 … 1; NaN for the first
    window - 1 buckets). Source: Easley, López de Prado and O'Hara (2012).
    """
    tape = Tape.of(source, instrument)
    if classification not in ("true", "bulk"):
        raise InvalidValueError(
            f"classification={classification!r} is unknown{did_you_mean(classification, ('true', 'bulk'))}"
        )
    if window < 1:
        raise InvalidValueError(f"window={window} buckets: use 1 or more")
    if classification == "true":
        tape.need_sides('VPIN with classification="true"')
    total = float(tape.quantity.sum())
    size = total / BUCKETS if bucket is None else float(bucket)
    if bucket is not None and not size > 0:
        raise InvalidValueError(f"bucket={bucket} units must be above zero")
    names = ("begin", "end", "buy", "sell", "vpin")
    if total <= 0:
        return pd.DataFrame({name: np.empty(0) for name in names})
    time, volume, bought = _true(tape) if classification == "true" else _bulk(tape, bar)
    filled = np.concatenate(([0.0], np.cumsum(volume)))
    edges = size * np.arange(int(total / size * (1 + 1e-12)) + 1)
    bought_until = np.interp(edges, filled, np.concatenate(([0.0], np.cumsum(bought))))
    buy = np.diff(bought_until)
    moment = time[np.clip(np.searchsorted(filled[1:], edges * (1 - 1e-12), "left"), 0, len(time) - 1)]
    gap = np.concatenate(([0.0], np.cumsum(np.abs(2 * buy - size))))
    level = np.full(len(buy), np.nan)
    if len(buy) >= window:
        level[window - 1 :] = (gap[window:] - gap[:-window]) / (window * size)
    return pd.DataFrame({"begin": moment[:-1], "end": moment[1:], "buy": buy, "sell": size - buy, "vpin": level})


def trade_counts(source: MarketTables | Tape, every: object = "5min", instrument: str | None = None) -> pd.DataFrame:
    """Buys and sells in each whole interval (index: its start in ns): ``buys``, ``sells``; what ``fit_pin`` takes."""
    tape = Tape.of(source, instrument)
    tape.need_sides("the probability of informed trading")
    tape = tape.merged()
    step = duration(every)
    count = int((tape.end - tape.start) // step) if step > 0 else 0
    if step <= 0:
        raise InvalidValueError(f"every={every!r} must be above zero, such as '5min'")
    place = (tape.trade_time - tape.start) // step
    inside = place < count
    counts = {
        name: np.bincount(place[inside & (tape.side == side)], minlength=count)
        for name, side in (("buys", 1.0), ("sells", -1.0))
    }
    return pd.DataFrame(counts, index=pd.Index(tape.start + step * np.arange(count), name="time"))


@dataclass(frozen=True)
class PinFit:
    """The model of Easley, Kiefer, O'Hara and Paperman (1996), buys and sells with rates of their own.

    In each period news come with probability alpha, bad ones with probability delta of those; the uninformed buy at
    rate buy_rate and sell at rate sell_rate, the informed add informed_rate on the side of the news (trades a period).
    pin: alpha · informed_rate / (alpha · informed_rate + buy_rate + sell_rate), the share of trades by the informed.
    standard_error: of pin, by the delta method from the likelihood's curvature; NaN at the edge of what is allowed.
    """

    pin: float
    standard_error: float
    alpha: float
    delta: float
    informed_rate: float
    buy_rate: float
    sell_rate: float
    log_likelihood: float
    periods: int


def fit_pin(buys: npt.ArrayLike, sells: npt.ArrayLike) -> PinFit:
    """Maximum likelihood of the model of ``PinFit`` to counts of buys and sells, one of each a period (a day).

    The likelihood is factored so that thousands of trades a period neither over- nor underflow (Easley, Hvidkjaer and
    O'Hara 2010; Lin and Ke 2011); starting points as Yan and Zhang (2012) choose them. NaN for fewer than ten periods
    or without trades. Raises InvalidValueError for counts that are negative or not of one length.
    """
    bought, sold = np.asarray(buys, dtype=np.float64), np.asarray(sells, dtype=np.float64)
    if bought.shape != sold.shape or bought.ndim != 1:
        raise InvalidValueError(f"buys and sells must be two rows of one length, not {bought.shape} and {sold.shape}")
    if not (np.isfinite(bought).all() and np.isfinite(sold).all()) or (bought < 0).any() or (sold < 0).any():
        raise InvalidValueError("buys and sells must be counts: finite and not negative")
    nan = float("nan")
    if len(bought) < 10 or bought.mean() == 0 or sold.mean() == 0:
        return PinFit(nan, nan, nan, nan, nan, nan, nan, nan, len(bought))
    best = _climb(bought, sold)
    alpha, delta, informed, buy, sell = _rates(best)
    return PinFit(
        _share(best),
        _share_error(best, bought, sold),
        alpha,
        delta,
        informed,
        buy,
        sell,
        pin_log_likelihood(bought, sold, alpha, delta, informed, buy, sell),
        len(bought),
    )


def pin_log_likelihood(
    buys: npt.ArrayLike,
    sells: npt.ArrayLike,
    alpha: float,
    delta: float,
    informed_rate: float,
    buy_rate: float,
    sell_rate: float,
) -> float:
    """Log-likelihood of counts under the model of ``PinFit``, constants (factorials) included."""
    from scipy.special import gammaln

    bought, sold = np.asarray(buys, dtype=np.float64), np.asarray(sells, dtype=np.float64)
    height, _ = _likelihood(bought, sold, alpha, delta, informed_rate, buy_rate, sell_rate)
    return float(height - (gammaln(bought + 1) + gammaln(sold + 1)).sum())


def _likelihood(
    bought: Floats, sold: Floats, alpha: float, delta: float, informed: float, buy: float, sell: float
) -> tuple[float, Floats]:
    """Log-likelihood without factorials, and the chance of each case (no, bad, good news: rows) in each period."""
    up, down = np.log1p(informed / buy), np.log1p(informed / sell)
    with np.errstate(divide="ignore"):
        weights = np.log([1 - alpha, alpha * delta, alpha * (1 - delta)])
    cases = np.stack(
        [
            weights[0] - bought * up - sold * down,  # no news
            weights[1] - informed - bought * up,  # bad news: the informed sell
            weights[2] - informed - sold * down,  # good news
        ]
    )
    largest = cases.max(axis=0)
    chances = np.exp(cases - largest)
    total = chances.sum(axis=0)
    common = bought * (np.log(buy) + up) + sold * (np.log(sell) + down) - buy - sell
    return float((largest + np.log(total) + common).sum()), chances / total


def _true(tape: Tape) -> tuple[Any, Floats, Floats]:
    return tape.trade_time, tape.quantity, tape.quantity * 0.5 * (1.0 + tape.side)


def _bulk(tape: Tape, bar: object) -> tuple[Any, Floats, Floats]:
    """End, volume and bought volume of each bar that traded."""
    from scipy.special import ndtr

    edges = edges_of(tape, bar)
    place = np.minimum(np.searchsorted(edges, tape.trade_time, "right") - 1, len(edges) - 2)
    bars, first = np.unique(place, return_index=True)
    last = np.append(first[1:], len(place)) - 1
    volume = np.add.reduceat(tape.quantity, first)
    close = tape.price[last]
    change = np.diff(close, prepend=tape.price[0])
    deviation = float(change.std())
    share = ndtr(change / deviation) if deviation > 0 else np.full(len(bars), 0.5)
    return tape.trade_time[last], volume, volume * share


def _climb(bought: Floats, sold: Floats) -> Floats:
    """The best point, in logits of alpha and delta and logs of the rates."""
    from scipy.optimize import minimize

    def cost(point: Floats) -> tuple[float, Floats]:
        height, slope = _height(point, bought, sold)
        return -height, -slope

    starts = sorted(_starting_points(bought, sold), key=lambda point: cost(point)[0])[:_TRIED]
    found = [minimize(cost, start, jac=True, method="BFGS") for start in starts]
    return np.asarray(min(found, key=lambda each: float(each.fun)).x, dtype=np.float64)


def _height(point: Floats, bought: Floats, sold: Floats) -> tuple[float, Floats]:
    """Log-likelihood at a point, and its slope there."""
    alpha, delta, informed, buy, sell = _rates(point)
    height, (none, bad, good) = _likelihood(bought, sold, alpha, delta, informed, buy, sell)
    per_buy, per_sell = bought / (buy + informed), sold / (sell + informed)
    slope = [
        (bad + good - alpha).sum(),
        (bad * (1 - delta) - good * delta).sum(),
        informed * (bad * (per_sell - 1) + good * (per_buy - 1)).sum(),
        ((none + bad) * bought + good * buy * per_buy - buy).sum(),
        ((none + good) * sold + bad * sell * per_sell - sell).sum(),
    ]
    return height, np.array(slope)


def _starting_points(bought: Floats, sold: Floats) -> list[Floats]:
    """Yan and Zhang's grid: what each choice of alpha, delta and a share of the mean leaves for the other rates."""
    buys, sells = float(bought.mean()), float(sold.mean())
    points = []
    for alpha in _STARTS:
        for delta in _STARTS:
            for share in _STARTS:
                buy = share * buys
                informed = (buys - buy) / (alpha * (1 - delta))
                sell = sells - alpha * delta * informed
                if sell > 0:
                    rates = np.log([informed, buy, sell])
                    points.append(np.array([_logit(alpha), _logit(delta), *rates]))
    return points


def _rates(point: Floats) -> tuple[float, float, float, float, float]:
    kept = np.clip(point, -_FARTHEST, _FARTHEST)
    chances = 1.0 / (1.0 + np.exp(-kept[:2]))
    rates = np.exp(kept[2:])
    return float(chances[0]), float(chances[1]), float(rates[0]), float(rates[1]), float(rates[2])


def _logit(chance: float) -> float:
    return float(np.log(chance / (1 - chance)))


def _share(point: Floats) -> float:
    alpha, _, informed, buy, sell = _rates(point)
    return alpha * informed / (alpha * informed + buy + sell)


def _share_error(point: Floats, bought: Floats, sold: Floats) -> float:
    """Delta method on the numerical curvature of the log-likelihood."""
    step, k = 1e-4, len(point)
    unit = step * np.eye(k)
    curvature = np.array(
        [(_height(point + u, bought, sold)[1] - _height(point - u, bought, sold)[1]) / (2 * step) for u in unit]
    )
    curvature = 0.5 * (curvature + curvature.T)
    slope = np.array([(_share(point + each) - _share(point - each)) / (2 * step) for each in unit])
    try:
        variance = float(slope @ np.linalg.solve(-curvature, slope))
    except np.linalg.LinAlgError:
        return float("nan")
    return float(np.sqrt(variance)) if variance > 0 else float("nan")
