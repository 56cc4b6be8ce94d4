"""Columns of whole numbers on a grid, such as ticks and lots, as floats in currency or units.

The vectorised counterpart of ``Instrument.price``: an edge where integers become floats, rounded once.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXACT = 1 << 53  # whole numbers up to it are floats


def scaled(numbers: NDArray[Any], factor: Fraction) -> NDArray[np.float64]:
    """Whole numbers times an exact factor, rounded once where products stay below 2**53.

    So 10003 ticks of 0.01 are the float that is written 100.03, which 10003 * 0.01 is not always.
    """
    top, bottom = factor.numerator, factor.denominator
    if abs(top) >= _EXACT or bottom >= _EXACT:
        return np.asarray(numbers, dtype=np.float64) * float(factor)
    return np.asarray(product(np.asarray(numbers), np.int64(top)) / np.float64(bottom))


def product(one: NDArray[Any], other: Any) -> NDArray[Any]:
    """The product as whole numbers, or as floats where it could pass 64 bits."""
    if _largest(one) * _largest(np.asarray(other)) >= 1 << 63:
        one = one.astype(np.float64)
    return np.asarray(one * other)


def _largest(values: NDArray[Any]) -> int:
    return max(int(values.max()), -int(values.min())) if values.size else 0
