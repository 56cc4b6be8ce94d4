"""The propagator: how the impact of one trade lives on, when trades' signs remember each other (M2).

m(t) = Σ G(t - t') ε(t') over earlier trades + noise: each trade's sign ε moves the mid by G(1) at once, and what is
left l trades later is G(l). Because signs come in runs, the response function mixes the impacts of many trades; G
takes them apart. Time is counted in trades.

Sources: Bouchaud, Gefen, Potters and Wyart (2004); Bouchaud, Bonart, Donier and Gould (2018), chapter 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from marketsim.analysis.regression import least_squares
from marketsim.analysis.tape import Floats, Ints, Tape
from marketsim.errors import InvalidValueError

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

HORIZON = 500  # trades
BLOCKS = 10
_SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000)


@dataclass(frozen=True)
class Propagator:
    """What an estimate found.

    table: index ``lag`` (trades); ``propagator`` G(l) and ``standard_error`` (currency), ``response`` R(l) (currency),
    ``sign_autocorrelation`` C(l).
    decay: β of G(l) ~ l^-β over the longer half of the lags, on a logarithmic scale; decay_error: of blocks left out in
    turn; NaN where G falls to zero or below there.
    sign_decay: γ of C(l) ~ l^-γ over the same lags. A price that diffuses while signs remember has β near (1 - γ) / 2.
    r_squared: share of the variance of the mid's changes that signs explain. trades: how many were used.
    """

    table: pd.DataFrame
    decay: float
    decay_error: float
    sign_decay: float
    r_squared: float
    trades: int


def fit_propagator(
    source: MarketTables | Tape, horizon: int = HORIZON, instrument: str | None = None, *, merge: bool = True
) -> Propagator:
    """Estimate G(1) … G(``horizon``) of trade signs; with ``merge`` the fills of one order are one trade.

    Standard errors leave out one of ten stretches of the tape in turn (jackknife). Needs quotes and sides, else
    NotRecordedError; all NaN where there are fewer than four trades for each lag.
    """
    tape = Tape.of(source, instrument)
    tape.need_quotes("the propagator")
    tape.need_sides("the propagator")
    tape = tape.merged() if merge else tape
    moves = np.append(np.diff(tape.mid_before_trade), np.nan)
    return propagator_of(tape.side, moves, horizon)


def propagator_of(signs: Floats, moves: Floats, horizon: int = HORIZON) -> Propagator:
    """The same of arrays: sign of each trade, and what the mid did from before it until before the next one.

    The moves r and signs obey r(t) = Σ K(k) ε(t - k), and G(l) = K(0) + … + K(l - 1). K solves the normal equations
    S(l) = Σ K(k) C(l - k) of covariances up to ``horizon``. A NaN move, as at a gap, counts as no news.
    """
    if horizon < 2:
        raise InvalidValueError(f"horizon={horizon} trades: use 2 or more")
    lags = np.array([lag for lag in _SHOWN if lag < horizon] + [horizon])
    count = len(signs)
    if count < max(4 * horizon, 20) or not np.isfinite(moves).any() or not np.ptp(signs):
        return _unknown(lags, count)
    clean = np.where(np.isnan(moves), 0.0, moves - np.nanmean(moves))
    centred = signs - signs.mean()
    parts = [_sums(*pair, horizon) for pair in _stretches(centred, clean, 2 * horizon)]
    own, cross = (np.sum([part[n] for part in parts], axis=0) for n in (0, 1))
    kernel = _solve(own, cross)
    impact = np.cumsum(kernel)
    left_out = [np.cumsum(_solve(own - one, cross - other)) for one, other in parts] if len(parts) > 1 else []
    response = _responses(signs, moves, lags)
    power = float((clean**2).sum())
    decays = [_exponent(each, horizon)[0] for each in left_out]
    table = pd.DataFrame(
        {
            "propagator": impact[lags - 1],
            "standard_error": _jackknife(np.array(left_out))[lags - 1] if left_out else np.nan,
            "response": response,
            "sign_autocorrelation": (own / own[0])[np.minimum(lags, horizon - 1)],
        },
        index=pd.Index(lags, name="lag"),
    )
    table.loc[horizon, "sign_autocorrelation"] = float((centred[:-horizon] * centred[horizon:]).sum() / own[0])
    return Propagator(
        table,
        _exponent(impact, horizon)[0],
        float(_jackknife(np.array(decays)[:, None])[0]) if decays else float("nan"),
        _exponent(own[1:] / own[0], horizon - 1)[0],
        float(kernel @ cross) / power if power > 0 else float("nan"),
        count,
    )


def _stretches(signs: Floats, moves: Floats, least: int) -> list[tuple[Floats, Floats]]:
    """Up to ten pieces of equal length, each of ``least`` trades or more."""
    pieces = min(BLOCKS, max(len(signs) // least, 1))
    return list(zip(np.array_split(signs, pieces), np.array_split(moves, pieces), strict=True))


def _sums(signs: Floats, moves: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Σ ε(t) ε(t + l) and Σ ε(t) r(t + l) for l from 0 to ``horizon`` - 1."""
    size = 1 << int(len(signs) + horizon).bit_length()
    one, two = np.fft.rfft(signs, size), np.fft.rfft(moves, size)
    own = np.fft.irfft(one.real**2 + one.imag**2, size)[:horizon]
    cross = np.fft.irfft(one.conj() * two, size)[:horizon]
    return own, cross


def _solve(own: Floats, cross: Floats) -> Floats:
    from scipy.linalg import LinAlgError, solve_toeplitz

    try:
        return np.asarray(solve_toeplitz(own, cross), dtype=np.float64)
    except LinAlgError:  # signs that never change in a stretch
        return np.full(len(own), np.nan)


def _responses(signs: Floats, moves: Floats, lags: Ints) -> Floats:
    """Mean of ε(t) · (m(t + l) - m(t)) over the trades where all moves between are known."""
    known = np.isfinite(moves)
    path = np.concatenate(([0.0], np.cumsum(np.where(known, moves, 0.0))))
    gaps = np.concatenate(([0], np.cumsum(~known)))
    result = np.full(len(lags), np.nan)
    for place, lag in enumerate(lags):
        move, whole = path[lag:] - path[:-lag], gaps[lag:] == gaps[:-lag]
        if whole.any():
            result[place] = float((signs[: len(move)] * move)[whole].mean())
    return result


def _exponent(values: Floats, horizon: int) -> tuple[float, float]:
    """-slope of ln values(l) on ln l at lags spaced evenly in ln l over the longer half; NaN below zero."""
    if horizon < 9:
        return float("nan"), float("nan")
    lags = np.unique(np.geomspace(max(np.sqrt(horizon), 2), horizon, 30).astype(int))
    chosen = values[lags - 1]
    if not (np.isfinite(chosen).all() and (chosen > 0).all()):
        return float("nan"), float("nan")
    fit = least_squares(np.log(lags.astype(np.float64)), np.log(chosen))
    return -float(fit.slopes[0]), float(fit.standard_errors[0])


def _jackknife(values: Floats) -> Any:
    """Standard error of estimates, each without one of the stretches."""
    n = len(values)
    return np.sqrt((n - 1) / n * ((values - values.mean(axis=0)) ** 2).sum(axis=0))


def _unknown(lags: Ints, count: int) -> Propagator:
    names = ("propagator", "standard_error", "response", "sign_autocorrelation")
    nan = float("nan")
    table = pd.DataFrame(nan, index=pd.Index(lags, name="lag"), columns=list(names))
    return Propagator(table, nan, nan, nan, nan, count)
