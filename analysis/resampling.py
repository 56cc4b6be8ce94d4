"""Resampling with replacement, as arrays: a pure function of the seed, by the generator that the simulation has too.

Draw n is what ``below(seed, 0, n, count)`` of the kernel's generator gives; that room is not needed for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from marketsim.errors import InvalidValueError

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = 0x9E3779B9, 0xBB67AE85


def resamples(count: int, times: int, seed: int = 1) -> npt.NDArray[np.int64]:
    """``times`` rows of ``count`` numbers from 0 to count - 1, drawn with replacement."""
    unit = _uniform(seed, times * count)
    return (unit * count).astype(np.int64).reshape(times, count)


def normal_numbers(shape: tuple[int, ...], seed: int = 1) -> npt.NDArray[np.float64]:
    """Independent standard normal numbers."""
    from scipy.special import ndtri

    unit = np.maximum(_uniform(seed, int(np.prod(shape))), 2.0**-54)
    return np.asarray(ndtri(unit), dtype=np.float64).reshape(shape)


class Blocks:
    """Blocks of a series, drawn with replacement: means over resampled series without resampling the series.

    The stationary bootstrap of Politis and Romano (1994): blocks of geometric length begin anywhere, wrap around the
    end, and follow each other until a series is as long as the given one. Dependence shorter than ``length`` is kept,
    so that the spread of the means is theirs under dependence. A statistic of lags is resampled by columns that hold
    the products of each moment with its lags (Künsch 1989). Series of the same ``count`` / ``length`` and seed are cut
    at the same places, so what is measured on several clocks varies together.
    """

    def __init__(self, count: int, length: float, times: int = 200, seed: int = 1) -> None:
        if count < 1 or length < 1 or times < 1:
            raise InvalidValueError(f"count={count}, length={length:g} and times={times} must be at least 1")
        mean = min(length, count)
        most = int(np.ceil(count / mean + 6.0 * np.sqrt(count / mean) + 10.0))
        unit = _uniform(seed, 2 * times * most).reshape(2, times, most)
        self.count = count
        self._start = (unit[0] * count).astype(np.int64)
        wanted = np.maximum(np.ceil(-mean * np.log1p(-unit[1])), 1.0)
        until = np.minimum(np.cumsum(wanted, axis=1), count)
        self._length = np.diff(until, axis=1, prepend=0.0).astype(np.int64)

    def means(self, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The mean of each column (``count`` rows) in each resampled series: shape (times, columns)."""
        if len(columns) != self.count:
            raise InvalidValueError(f"{len(columns)} rows where the blocks were drawn for {self.count}")
        total = self._length.sum(axis=1)
        found = np.empty((len(total), columns.shape[1]))
        for n in range(columns.shape[1]):
            area = np.concatenate(([0.0], np.cumsum(np.tile(columns[:, n], 2))))
            found[:, n] = (area[self._start + self._length] - area[self._start]).sum(axis=1) / total
        return found


def _uniform(key: int, count: int) -> npt.NDArray[np.float64]:
    """Draws 0 … count - 1 on [0, 1): Philox4x32-10 (Salmon et al. 2011) on arrays of counters."""
    draws = np.arange(count, dtype=np.uint64)
    c0, c1 = draws & _LOW, draws >> _HALF
    c2, c3 = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.uint64)
    k0, k1 = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = _FACTORS[0] * c0, _FACTORS[1] * c2
        c0, c1 = (p1 >> _HALF) ^ c1 ^ np.uint64(k0), p1 & _LOW
        c2, c3 = (p0 >> _HALF) ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = (k0 + _STEPS[0]) & 0xFFFFFFFF, (k1 + _STEPS[1]) & 0xFFFFFFFF
    word = c0 | (c1 << _HALF)
    return (word >> np.uint64(11)).astype(np.float64) * 2.0**-53
