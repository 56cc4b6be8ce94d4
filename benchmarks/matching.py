"""Speed of the matching core, beside lightmatchingengine (PyPI), on the same stream in the same process."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.streams import CANCEL, COMMAND, MARKET, mixed
from marketsim.exchange.core import MatchingCore
from marketsim.exchange.matching import cancel_order, new_order
from marketsim.kernel.compiled import Table, compiled

MESSAGES = 200_000


class Recycled:
    """A log that forgets: rows are written, then the chunk is used again."""

    def next_chunk(self, full: Table | None, used: int, needed: int) -> Table:
        """The same chunk again."""
        from marketsim.domain.event import EVENT

        return full if full is not None and len(full) >= needed else Table(EVENT, max(32_768, needed))


@compiled
def _play(cores: Any, commands: Any, first: int) -> Any:
    core = cores[0]
    for position in range(first, len(commands)):
        command = commands[position]
        if command.kind == 2:
            answer = cancel_order(core, position, 0, command.order_id, 0)
        else:
            market = command.kind == 1
            answer = new_order(
                core, position, 0, 0, command.side, 2 if market else 1, 1, 0, command.price, 0, command.quantity, 0, 0
            )
        if answer < 0:
            return position, answer
    return len(commands), 0


def play(core: MatchingCore, table: Table) -> None:
    """Run a stream inside compiled code, growing tables when asked."""
    position = 0
    while True:
        position, answer = _play(core.record, table.rows, position)
        if answer == 0:
            return
        core.relieve(answer)


def _table(commands: np.ndarray) -> Table:
    table = Table(COMMAND, len(commands))
    table.rows[:] = commands
    return table


def compiled_rate(book: np.ndarray, stream: np.ndarray, repeats: int = 7) -> float:
    """Messages a second, best of several runs on fresh books."""
    best = float("inf")
    for _ in range(repeats):
        core = MatchingCore(1, Recycled())
        play(core, _table(book))
        table = _table(stream)
        began = time.perf_counter()
        play(core, table)
        best = min(best, time.perf_counter() - began)
    return len(stream) / best


def python_rate(book: np.ndarray, stream: np.ndarray, repeats: int = 3) -> float:
    """Messages a second, called one by one from Python, fills read back."""
    best = float("inf")
    rows = [tuple(int(x) for x in row) for row in stream]
    for _ in range(repeats):
        core = MatchingCore(1, Recycled())
        play(core, _table(book))
        new, cancel, trades = core.new, core.cancel, core.fills
        began = time.perf_counter()
        for kind, side, price, quantity, order_id in rows:
            if kind == CANCEL:
                cancel(0, 0, order_id)
            else:
                new(0, 0, 0, side, 2 if kind == MARKET else 1, 1, 0, price, 0, quantity)
                trades()
        best = min(best, time.perf_counter() - began)
    return len(rows) / best


def peer_rate(book: np.ndarray, stream: np.ndarray, repeats: int = 2) -> float:
    """The same stream through lightmatchingengine."""
    from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side

    best = float("inf")
    for _ in range(repeats):
        engine = LightMatchingEngine()
        known: dict[int, Any] = {}

        def feed(rows: list[tuple[int, ...]], engine: Any = engine, known: dict[int, Any] = known) -> None:
            for kind, side, price, quantity, order_id in rows:
                if kind == CANCEL:
                    engine.cancel_order(known[order_id], "ABC")
                else:
                    limit = price if kind != MARKET else (1_000_000_000 if side > 0 else 0)
                    order, _ = engine.add_order("ABC", limit, quantity, Side.BUY if side > 0 else Side.SELL)
                    if kind == MARKET and order.leaves_qty > 0:
                        engine.cancel_order(order.order_id, "ABC")
                    known[order_id] = order.order_id

        feed([tuple(int(x) for x in row) for row in book])
        rows = [tuple(int(x) for x in row) for row in stream]
        began = time.perf_counter()
        feed(rows)
        best = min(best, time.perf_counter() - began)
    return len(rows) / best


def table() -> list[tuple[str, float, float | None, str]]:
    """(what, messages a second, ratio to the peer, target)."""
    few, many, wide = mixed(MESSAGES, 300), mixed(MESSAGES, 5_000), mixed(MESSAGES, 20_000, reach=2_200)
    stubs = mixed(MESSAGES, 300, stubs=100)
    peer = peer_rate(*few)
    rows: list[tuple[str, float, float | None, str]] = [("lightmatchingengine, some hundred resting", peer, None, "")]
    for name, streams, target in (
        ("compiled, some hundred resting", few, "10 M/s, 35 x peer"),
        ("compiled, thousands resting", many, "10 M/s"),
        ("compiled, 4,000 price levels", wide, "4 M/s"),
        ("compiled, 100 far stub quotes", stubs, "at most 10 % slower than without"),
    ):
        rate = compiled_rate(*streams)
        rows.append((name, rate, rate / peer, target))
    rate = python_rate(*few)
    rows.append(("one by one from Python, fills read back", rate, rate / peer, "2.5 x peer"))
    return rows


if __name__ == "__main__":
    for what, rate, ratio, target in table():
        print(f"{what:45s} {rate / 1e6:8.2f} M/s {'' if ratio is None else f'{ratio:8.1f} x'}   {target}")
