"""Drawing latencies in compiled code: one function for Python and compiled agents.

``sample`` is a pure function of the hop, the key of the link, the purpose, the number of the message and the load;
it holds no state. All arithmetic is done with ``math``, so that compiled and uncompiled draws agree to the bit.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from marketsim.kernel.compiled import Record, Rows, Table, array_at, compiled, zeros
from marketsim.kernel.random import below, gamma, key_of, normal, purpose_of, uniform
from marketsim.network.hop import (
    CONSTANT,
    CUBIC,
    EMPIRICAL,
    GAMMA,
    LINE,
    LOAD,
    LOG_NORMAL,
    LONGEST,
    PARETO,
    TABULATED,
    TRUNCATED_NORMAL,
    UNIFORM,
    Hop,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marketsim.network.latency import LatencyModel

HOP = np.dtype(
    [
        ("kind", np.int64),
        ("p0", np.float64),
        ("p1", np.float64),
        ("p2", np.float64),
        ("p3", np.float64),
        ("table", np.int64),  # address of a float64 array; 0 for none
        ("length", np.int64),  # of that array
        ("keeper", np.int64),  # the row that keeps the load of this stretch: its own or another's
        ("load", np.float64),
        ("load_time", np.int64),
    ]
)
_write_hop = struct.Struct("=qddddqqqdq").pack_into  # a HOP
POINTS = np.dtype(np.float64)
PURPOSE = purpose_of("latency")


@compiled
def sample(hop: Record, key: int, purpose: int, draw: int, load: float) -> int:
    """Latency of one message on one stretch, whole ns from 0 to LONGEST.

    key: of the link; purpose: of the stretch within the path; draw: number of the message on the link; load: messages
    on the stretch before this one, as LinearInLoad counts them.
    """
    kind = hop.kind
    if kind == CONSTANT:
        return int(hop.p0)
    if kind == LOAD:
        return _whole(hop.p0 + hop.p1 * load)
    if kind == UNIFORM:
        return int(hop.p0) + below(key, purpose, draw, int(hop.p1))
    if kind == LOG_NORMAL:
        return _whole(hop.p0 + math.exp(hop.p1 + hop.p2 * normal(key, purpose, draw)))
    if kind == GAMMA:
        return _whole(hop.p0 + hop.p1 * gamma(key, purpose, draw, hop.p2))
    return _whole(_inverted(hop, uniform(key, purpose, draw)))


@compiled
def _inverted(hop: Record, u: float) -> float:
    """The kinds that are drawn by inverting their distribution function."""
    if hop.kind == TRUNCATED_NORMAL:
        return float(hop.p0 + hop.p1 * normal_quantile(hop.p2 + u * hop.p3))
    if hop.kind == PARETO:
        return float(hop.p0 * math.exp(-math.log(1.0 - u * hop.p2) * hop.p1))
    if hop.kind == CUBIC:
        x = 1.0 - u * (1.0 - hop.p2)
        return float(hop.p0 + hop.p1 / (x * x * x))
    if hop.kind == LINE:
        return float(hop.p0)
    points = array_at(hop.table, hop.length, POINTS)
    if hop.kind == EMPIRICAL:
        place = u * (hop.length - 1)
        left = int(place)
        return float(points[left] + (place - left) * (points[left + 1] - points[left]))
    if hop.kind == TABULATED:
        return _tabulated(points, hop.length // 2, u)
    return 0.0


@compiled
def _tabulated(points: Rows, count: int, u: float) -> float:
    """Linear between the points (probability, value); probabilities fill the first half of the table."""
    if u <= points[0]:
        return float(points[count])
    if u >= points[count - 1]:
        return float(points[2 * count - 1])
    left, right = 0, count - 1
    while right - left > 1:
        middle = (left + right) // 2
        if points[middle] <= u:
            left = middle
        else:
            right = middle
    part = (u - points[left]) / (points[right] - points[left])
    return float(points[count + left] + part * (points[count + right] - points[count + left]))


@compiled
def _whole(latency: float) -> int:
    """The nearest whole ns, cut off at 0 and LONGEST."""
    if latency >= LONGEST:
        return LONGEST
    return int(latency + 0.5) if latency > 0.0 else 0


@compiled
def normal_quantile(p: float) -> float:
    """Φ⁻¹(p), to about 16 digits (Wichura 1988, algorithm AS 241); p at 0 or 1 counts as its nearest neighbour."""
    q = p - 0.5
    if abs(q) <= 0.425:
        return _central_quantile(q)
    tail = p if q < 0.0 else 1.0 - p
    r = math.sqrt(-math.log(max(tail, 1e-300)))
    z = _tail_quantile(r - 1.6) if r <= 5.0 else _far_quantile(r - 5.0)
    return -z if q < 0.0 else z


@compiled
def _central_quantile(q: float) -> float:
    r = 0.180625 - q * q
    top = 2509.0809287301226727 * r + 33430.575583588128105
    top = (top * r + 67265.770927008700853) * r + 45921.953931549871457
    top = (top * r + 13731.693765509461125) * r + 1971.5909503065514427
    top = (top * r + 133.14166789178437745) * r + 3.387132872796366608
    low = 5226.495278852854561 * r + 28729.085735721942674
    low = (low * r + 39307.89580009271061) * r + 21213.794301586595867
    low = (low * r + 5394.1960214247511077) * r + 687.1870074920579083
    low = (low * r + 42.313330701600911252) * r + 1.0
    return q * top / low


@compiled
def _tail_quantile(r: float) -> float:
    top = 7.7454501427834140764e-4 * r + 0.0227238449892691845833
    top = (top * r + 0.24178072517745061177) * r + 1.27045825245236838258
    top = (top * r + 3.64784832476320460504) * r + 5.7694972214606914055
    top = (top * r + 4.6303378461565452959) * r + 1.42343711074968357734
    low = 1.05075007164441684324e-9 * r + 5.475938084995344946e-4
    low = (low * r + 0.0151986665636164571966) * r + 0.14810397642748007459
    low = (low * r + 0.68976733498510000455) * r + 1.6763848301838038494
    low = (low * r + 2.05319162663775882187) * r + 1.0
    return top / low


@compiled
def _far_quantile(r: float) -> float:
    top = 2.01033439929228813265e-7 * r + 2.71155556874348757815e-5
    top = (top * r + 0.0012426609473880784386) * r + 0.026532189526576123093
    top = (top * r + 0.29656057182850489123) * r + 1.7848265399172913358
    top = (top * r + 5.4637849111641143699) * r + 6.6579046435011037772
    low = 2.04426310338993978564e-15 * r + 1.4215117583164458887e-7
    low = (low * r + 1.8463183175100546818e-5) * r + 7.868691311456132591e-4
    low = (low * r + 0.0148753612908506148525) * r + 0.13692988092273580531
    low = (low * r + 0.59983220655588793769) * r + 1.0
    return top / low


def merged(hops: Sequence[Hop]) -> tuple[Hop, ...]:
    """The same sum of stretches with all constant ones in a single hop at the end.

    What is random keeps its place, and so its draws, whatever constant distance is added to a path.
    """
    fixed = sum(hop.p0 for hop in hops if hop.kind == CONSTANT)
    rest = tuple(hop for hop in hops if hop.kind != CONSTANT)
    return (*rest, Hop(CONSTANT, min(fixed, float(LONGEST)))) if fixed else rest


def write(rows: Rows, place: int, hop: Hop, keeper: int) -> Table | None:
    """Write a hop into a table of hops; what comes back owns its points and must live as long as the row."""
    table = None
    if hop.points is not None:
        table = Table(POINTS, len(hop.points))
        table.rows[:] = hop.points
    address, length = (table.address, len(table)) if table is not None else (0, 0)
    numbers = (hop.kind, hop.p0, hop.p1, hop.p2, hop.p3, address, length, keeper, 0.0, 0)
    _write_hop(rows, place * HOP.itemsize, *numbers)
    return table


@compiled
def _draw_into(result: Rows, hops: Rows, count: int, key: int) -> None:
    for draw in range(len(result)):
        total = 0
        for place in range(count):
            total = min(total + sample(hops[place], key, PURPOSE + place, draw, 0.0), LONGEST)
        result[draw] = total


def draw(model: LatencyModel, count: int, seed: int, name: str) -> NDArray[np.int64]:
    """``count`` latencies of a model in ns, as messages on an idle link of that name would meet them."""
    hops = merged(model.hops())
    rows = zeros(max(len(hops), 1), HOP)
    owners = [write(rows, place, hop, place) for place, hop in enumerate(hops)]
    result: NDArray[np.int64] = np.zeros(count, np.int64)
    _draw_into(result, rows, len(hops), key_of(seed, name))
    del owners
    return result
