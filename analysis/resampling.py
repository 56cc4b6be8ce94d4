"""Resampling with replacement, as arrays: a pure function of the seed, by the generator that the simulation has too.

Draw n is what ``below(seed, 0, n, count)`` of the kernel's generator gives; that room is not needed for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = 0x9E3779B9, 0xBB67AE85


def resamples(count: int, times: int, seed: int = 1) -> npt.NDArray[np.int64]:
    """``times`` rows of ``count`` numbers from 0 to count - 1, drawn with replacement."""
    unit = _uniform(seed, times * count)
    return (unit * count).astype(np.int64).reshape(times, count)


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
