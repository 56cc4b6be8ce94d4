"""How slowly a series forgets: the memory parameter of a long-memory process, from its lowest frequencies.

It takes an array and knows no market.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marketsim.errors import InvalidValueError


@dataclass(frozen=True)
class LongMemory:
    """d of a process whose autocorrelation falls like lag^(2d - 1); 0 without memory, below 0.5 where it is stationary.

    ``frequencies``: how many were used. ``decay`` = 1 - 2d: the exponent with which autocorrelations fall; below 1
    their sum diverges.
    """

    d: float
    standard_error: float
    frequencies: int

    @property
    def decay(self) -> float:
        """1 - 2d."""
        return 1.0 - 2.0 * self.d

    @property
    def decay_interval(self) -> tuple[float, float]:
        """95 % of ``decay``, by the normal law."""
        reach = 1.959964 * 2.0 * self.standard_error
        return self.decay - reach, self.decay + reach


def long_memory(values: npt.ArrayLike, frequencies: int | None = None) -> LongMemory:
    """The local Whittle estimate: d minimises ln(mean(f^2d · I(f))) - 2d · mean(ln f) over the lowest frequencies.

    ``frequencies``: √n by default, so that memory of a few dozen steps (such as GARCH's) is not taken for long memory.
    Standard error 1 / (2 √frequencies), whatever the distribution. NaN for fewer than 64 values or when nothing
    varies. Source: Robinson (1995).
    """
    from scipy.optimize import minimize_scalar

    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise InvalidValueError("expected one row of finite numbers: leave out or fill gaps first")
    count = int(np.sqrt(len(array))) if frequencies is None else frequencies
    if frequencies is not None and not 2 <= count <= len(array) // 2:
        raise InvalidValueError(f"frequencies={frequencies} must lie between 2 and half of the {len(array)} values")
    if len(array) < 64 or float(array.std()) <= 1e-14 * max(float(np.abs(array).max()), 1e-300):
        return LongMemory(float("nan"), float("nan"), 0)
    power = np.abs(np.fft.rfft(array - array.mean())[1 : count + 1]) ** 2
    wave = np.log(2.0 * np.pi * np.arange(1, count + 1) / len(array))
    middle = float(wave.mean())

    def contrast(d: float) -> float:
        return float(np.log(np.mean(np.exp(2.0 * d * (wave - middle)) * power)))

    found = minimize_scalar(contrast, bounds=(-0.75, 1.25), method="bounded", options={"xatol": 1e-5})
    return LongMemory(float(found.x), float(0.5 / np.sqrt(count)), count)
