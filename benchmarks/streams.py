"""Streams of commands for the matching core, made once and replayed by every contestant.

Half limit orders, two fifths cancels of orders that are live at that moment, one tenth market orders.
"""

from __future__ import annotations

import numpy as np

from marketsim.exchange.core import MatchingCore
from marketsim.kernel.random import Stream

NEW, MARKET, CANCEL = 0, 1, 2
COMMAND = np.dtype(
    [("kind", np.int64), ("side", np.int64), ("price", np.int64), ("quantity", np.int64), ("order_id", np.int64)]
)
MID = 10_000


def mixed(
    messages: int, resting: int, spread_over: int = 20, stubs: int = 0, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """(commands that fill the book, the stream): about ``resting`` orders within ``spread_over`` ticks of the mid."""
    draw = Stream(seed, "benchmark", "stream")
    core = MatchingCore(1)
    live: list[int] = []

    def send(kind: int, side: int, price: int, quantity: int, order_id: int) -> tuple[int, int, int, int, int]:
        if kind == CANCEL:
            core.cancel(0, 0, order_id)
        else:
            used = core.new(0, 0, 0, side, 1 if kind == NEW else 2, 1, 0, price, 0, quantity)
            if core.order(used) is not None:
                live.append(used)
            order_id = used
        return kind, side, price, quantity, order_id

    def side() -> int:
        return 1 if draw.uniform() < 0.5 else -1

    book = []
    for number in range(stubs):
        s = 1 if number % 2 else -1
        book.append(send(NEW, s, MID - s * (500_000 + 1000 * number), 1, 0))
    stub_ids = set(live)
    for _ in range(resting):
        s = side()
        book.append(send(NEW, s, MID - s * draw.integer(1, spread_over), draw.integer(1, 100), 0))
    stream = []
    while len(stream) < messages:
        choice = draw.uniform()
        if choice < 0.5:
            s = side()
            stream.append(send(NEW, s, MID - s * draw.integer(-2, spread_over), draw.integer(1, 100), 0))
        elif choice < 0.6:
            stream.append(send(MARKET, side(), 0, draw.integer(1, 100), 0))
        else:
            while live:
                place = draw.integer(0, len(live) - 1)
                chosen = live[place]
                live[place] = live[-1]
                live.pop()
                if chosen not in stub_ids and core.order(chosen) is not None:
                    stream.append(send(CANCEL, 0, 0, 0, chosen))
                    break
    return np.array(book, COMMAND), np.array(stream, COMMAND)
