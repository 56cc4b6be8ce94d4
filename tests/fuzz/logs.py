"""Event logs from nowhere: rows of any values, and rows of a sound log damaged. Reading them never harms.

What is read of nonsense is nonsense, but it is read to its end, within the tables and in bounded time.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

import numpy as np

from marketsim.domain.event import EVENT
from marketsim.results.events import MemoryEvents
from marketsim.results.history import History
from tests.fuzz.campaign import Trace, refusals
from tests.fuzz.requests import Life
from tests.fuzz.values import word64

COUNT = 150


@lru_cache(maxsize=1)
def _sound() -> np.ndarray:
    """The log of a core's life."""
    life = Life(Random(5), Trace())
    life.hostile = 0.0
    life.play(1_500)
    return life.core.events()


def _row(draw: Random) -> tuple[int, ...]:
    narrow = [draw.randint(0, 2**31 - 1) if draw.random() < 0.1 else draw.randint(0, 4) for _ in range(2)]
    return (
        draw.randint(0, 99),
        *(word64(draw, 9) for _ in range(5)),
        *narrow,
        draw.choice((0, 0, 1, 65_535)),
        draw.choice((draw.randint(0, 26), draw.randint(1, 10), draw.randint(0, 255))),
        draw.choice((-1, 1, 0, 127)),
        draw.randint(0, 40),
        draw.randint(0, 12),
        draw.randint(0, 9),
        draw.choice((0, 0, 4, 16, 64, 255)),
    )


def _damaged(draw: Random, rows: np.ndarray) -> np.ndarray:
    first = draw.randrange(len(rows) - COUNT)
    rows = rows[first : first + COUNT].copy()
    for _ in range(draw.choice((0, 1, 3, 20))):
        place, other = draw.randrange(len(rows)), draw.randrange(len(rows))
        what = draw.random()
        if what < 0.3:
            rows[[place, other]] = rows[[other, place]]
        elif what < 0.5:
            rows[place] = rows[other]
        elif what < 0.6:
            rows[place] = np.array([_row(draw)], EVENT)[0]
        else:
            name = draw.choice(EVENT.names or ())
            limits = np.iinfo(EVENT[name])
            rows[name][place] = min(max(word64(draw), limits.min), limits.max)
    return rows


def logs(draw: Random, trace: Trace) -> int:
    """Each row is an input."""
    if draw.random() < 0.4:
        rows = np.array([_row(draw) for _ in range(COUNT)], EVENT)
    else:
        rows = _damaged(draw, _sound())
    trace.note(rows.tolist())
    with refusals():
        history = History(MemoryEvents([rows]))
        assert len(history.orders()) <= len(rows)
        history.trades()
        for levels in (1, 3):
            found = history.levels([0], levels)
            assert len(found.rows) <= len(rows) + 1
        history.samples([0, 1], 2, 10, 0, 99)
        for messages, book in history.lobster(0, 2, draw.random() < 0.5):
            assert len(messages) == len(book)
    return COUNT
