"""What stylized facts are measured with: moments, tails, autocorrelations, volatility clustering, memory of signs (M5).

Functions of arrays first, then of one instrument. It gives no verdict (``fact_verdicts`` does) and fits no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from marketsim.analysis.prices import mid_returns
from marketsim.analysis.tape import Floats, Tape
from marketsim.errors import InvalidValueError, did_you_mean

if TYPE_CHECKING:
    from marketsim.domain.tables import MarketTables

TRANSFORMS: dict[str, Callable[[Floats], Floats]] = {"returns": np.positive, "absolute": np.abs, "squared": np.square}


def excess_kurtosis(values: npt.ArrayLike) -> float:
    """m4 / m2² - 3 with central moments over n; 0 for a normal distribution. NaN when nothing varies."""
    array = _array(values)
    centred = array - array.mean() if len(array) else array
    second = float(np.mean(centred**2)) if len(array) else 0.0
    if len(array) < 4 or second <= 1e-30 * max(float(np.mean(array**2)), 1e-300):
        return float("nan")
    return float(np.mean(centred**4) / second**2 - 3.0)


def skewness(values: npt.ArrayLike) -> float:
    """m3 / m2^1.5 with central moments over n. NaN when nothing varies."""
    array = _array(values)
    centred = array - array.mean() if len(array) else array
    second = float(np.mean(centred**2)) if len(array) else 0.0
    if len(array) < 3 or second <= 1e-30 * max(float(np.mean(array**2)), 1e-300):
        return float("nan")
    return float(np.mean(centred**3) / second**1.5)


@dataclass(frozen=True)
class TailIndex:
    """Hill's estimate: P(|r| > x) falls like x^-index beyond ``threshold``; ``observations`` lie there."""

    index: float
    standard_error: float
    threshold: float
    observations: int


def hill_tail_index(
    values: npt.ArrayLike, tail: float = 0.05, side: Literal["both", "left", "right"] = "both"
) -> TailIndex:
    """k / Σ ln(x(i) / x(k+1)) over the k = ⌊tail · n⌋ largest values; standard error index / sqrt(k).

    ``side`` takes |r|, the losses or the gains. Source: Hill (1975). NaN when fewer than two values or a zero
    threshold are left. About 3 for returns of liquid stocks; a Gaussian sample gives larger values that grow as
    ``tail`` shrinks.
    """
    if not 0.0 < tail < 1.0:
        raise InvalidValueError(f"tail={tail} must lie in (0, 1), such as 0.05")
    pick = {"both": np.abs, "left": np.negative, "right": np.positive}
    if side not in pick:
        raise InvalidValueError(f"side={side!r} is unknown{did_you_mean(side, pick)}")
    array = _array(values)
    count = int(tail * len(array))
    ordered = np.sort(pick[side](array))[::-1]
    if count < 2 or count >= len(ordered) or ordered[count] <= 0:
        return TailIndex(float("nan"), float("nan"), float("nan"), max(count, 0))
    excess = float(np.log(ordered[:count] / ordered[count]).sum())
    index = count / excess if excess > 0 else float("inf")
    return TailIndex(index, index / float(np.sqrt(count)), float(ordered[count]), count)


def autocorrelation(values: npt.ArrayLike, lags: int | Sequence[int] = 20) -> pd.DataFrame:
    """Sample autocorrelation Σ c(t) c(t+l) / Σ c(t)², c centred on the mean of all; ``lags`` is 1 … or a list.

    Columns ``lag``, ``autocorrelation``, ``band``: the 95 % band ±1.96 / sqrt(n) of independent values (Bartlett
    1946). Lags of n or more are left out.
    """
    array = _array(values)
    wanted = np.arange(1, lags + 1) if isinstance(lags, int) else np.asarray(lags, dtype=np.int64)
    if len(wanted) and wanted.min() < 0:
        raise InvalidValueError(f"lag {wanted.min()} must not be negative")
    wanted = wanted[wanted < len(array)]
    found = _autocorrelations(array, wanted)
    band = 1.96 / np.sqrt(len(array)) if len(array) else float("nan")
    return pd.DataFrame({"lag": wanted, "autocorrelation": found, "band": np.full(len(wanted), band)})


def return_autocorrelation(
    source: MarketTables | Tape,
    every: object = "1s",
    lags: int | Sequence[int] = 20,
    instrument: str | None = None,
    *,
    of: Literal["returns", "absolute", "squared"] = "returns",
) -> pd.DataFrame:
    """``autocorrelation`` of the mid's log returns over ``every``, of their size, or of their square."""
    if of not in TRANSFORMS:
        raise InvalidValueError(f"of={of!r} is unknown{did_you_mean(of, TRANSFORMS)}")
    return autocorrelation(TRANSFORMS[of](mid_returns(source, every, instrument)), lags)


def sign_autocorrelation(
    source: MarketTables | Tape,
    lags: int | Sequence[int] = (1, 2, 5, 10, 20, 50, 100),
    instrument: str | None = None,
    *,
    merge: bool = False,
) -> pd.DataFrame:
    """``autocorrelation`` of trade signs in trade time; with ``merge`` the fills of one order count as one trade.

    Long memory shows as a slow power law. Source: Lillo and Farmer (2004); Bouchaud et al. (2004).
    """
    tape = Tape.of(source, instrument)
    return autocorrelation((tape.merged() if merge else tape).side, lags)


@dataclass(frozen=True)
class ClusteringTest:
    """McLeod and Li's test: small ``p_value`` means that large returns follow large ones."""

    statistic: float
    p_value: float
    lags: int
    observations: int


def volatility_clustering(returns: npt.ArrayLike, lags: int = 20) -> ClusteringTest:
    """Ljung–Box statistic of the squared centred returns: n (n + 2) Σ ρ(l)² / (n - l), χ² with ``lags`` degrees.

    Independent returns are the null hypothesis. Source: McLeod and Li (1983).
    """
    from scipy.special import chdtrc

    array = _array(returns)
    n = len(array)
    if lags < 1 or n <= lags + 1:
        return ClusteringTest(float("nan"), float("nan"), lags, n)
    rho = _autocorrelations((array - array.mean()) ** 2, np.arange(1, lags + 1))
    statistic = float(n * (n + 2) * np.sum(rho**2 / (n - np.arange(1, lags + 1))))
    p_value = float(chdtrc(lags, statistic)) if np.isfinite(statistic) else float("nan")
    return ClusteringTest(statistic, p_value, lags, n)


def _array(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InvalidValueError(f"expected one row of numbers, not shape {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidValueError("values must be finite: leave out or fill gaps first")
    return array


def _autocorrelations(array: Floats, lags: npt.NDArray[np.int64]) -> Floats:
    """Of a long list of lags by FFT, of a short one directly; NaN when nothing varies or a lag is too long."""
    n = len(array)
    result = np.full(len(lags), np.nan)
    centred = array - array.mean() if n else array
    power = float((centred**2).sum())
    if n < 2 or power <= 1e-28 * max(float((array**2).sum()), 1e-300):
        return result
    usable = lags < n
    if usable.sum() > 64:
        size = 1 << int(2 * n - 1).bit_length()
        spectrum = np.fft.rfft(centred, size)
        product = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)
        result[usable] = product[lags[usable]] / power
    else:
        result[usable] = [float(centred[: n - lag] @ centred[lag:]) / power for lag in lags[usable]]
    return result
