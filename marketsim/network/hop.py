"""A hop: one stretch of a message's way, in the form that compiled code draws from.

Models of latency lower themselves to hops; ``sampling`` writes them into records and draws. It holds no state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 1 << 60
"""Nanoseconds (36 years) at which every latency is cut off, so that no time of arrival overflows."""

CONSTANT, UNIFORM, TRUNCATED_NORMAL, LOG_NORMAL, GAMMA, PARETO, EMPIRICAL, TABULATED, CUBIC, LOAD = range(10)
LINE, SPIKE = 10, 11
KEEPING = (LOAD, LINE)  # kinds that keep count of the messages before, for all links that share the stretch


class Hop(NamedTuple):
    """One stretch in the form that compiled code draws from; what p0 … p3 mean depends on the kind."""

    kind: int
    p0: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    p3: float = 0.0
    points: NDArray[np.float64] | None = None
    shared: str = ""  # name of the physical link whose load this stretch has in common with others; "" for none
