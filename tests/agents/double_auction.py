"""The continuous double auction of the Santa Fe model, written down naively: an oracle that shares no code with ours.

Every order is one lot; events are drawn one at a time by Gillespie's method with NumPy's generator.
"""

from __future__ import annotations

from bisect import insort

import numpy as np


def mean_spread(limit: float, market: float, cancel: float, reach: int, seconds: float, seed: int) -> float:
    """Time average of the spread in ticks. Rates are a side's; ``limit`` is for each price within ``reach``."""
    random = np.random.default_rng(seed)
    books: dict[int, list[int]] = {1: [], -1: []}  # prices times side, so that the best comes last
    for side in books:
        for distance in range(1, reach + 1):
            books[side] += [side * (10_000 - side * distance)] * random.poisson(limit / cancel)
        books[side].sort()
    time = area = weight = 0.0
    while time < seconds:
        count = len(books[1]) + len(books[-1])
        total = 2 * limit * reach + 2 * market + cancel * count
        wait = random.exponential(1 / total)
        time += wait
        if time > 0.1 * seconds:
            area += wait * (-books[-1][-1] - books[1][-1])
            weight += wait
        what = random.random() * total
        side = 1 if random.random() < 0.5 else -1
        if what < 2 * limit * reach:
            opposite = -side * books[-side][-1]
            insort(books[side], side * (opposite - side * int(random.integers(1, reach + 1))))
        elif what < 2 * (limit * reach + market):
            books[side].pop()
        else:
            place = int(random.integers(count))
            first = len(books[1])
            if place < first:
                del books[1][place]
            else:
                del books[-1][place - first]
    return area / weight
